"""The command line on hypnograms as people have them: epochs, columns, agreement, conversion, lights, devices."""

import numpy as np
import pytest

from eegsleep.errors import EegSleepError
from eegsleep.hypnograms.read import read_hypnogram
from eegsleep.staging.lights import read_clock_time

STAGES = (["W"] * 10 + ["N1"] * 6 + ["N2"] * 20 + ["N3"] * 14 + ["R"] * 10) * 3
RK = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 5}


def run(arguments, capsys):
    """Run the command line in this process; return the exit code and everything it said."""
    from eegsleep.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return ended.value.code, out + err


@pytest.fixture
def scorings(tmp_path):
    """Return two lists without clocks, in epochs of 15 s, and a table of two scorers."""
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{RK[stage]}\n" * 2 for stage in STAGES))
    table = tmp_path / "events.tsv"
    rows = [f"{30 * i}\t30\t{stage}\t{STAGES[i - 1]}" for i, stage in enumerate(STAGES)]
    table.write_text("onset\tduration\tstage_hum\tstage_ai\n" + "\n".join(rows) + "\n")
    return listed, table, tmp_path / "out"


def test_the_length_of_epochs_and_the_columns_are_options_of_agree(scorings, capsys):
    listed, table, out = scorings
    code, said = run(["agree", table, table, "--output", out], capsys)
    assert code == 2
    assert "stage_hum, stage_ai" in said
    columns = ["--column", "stage_hum", "--column", "stage_ai"]
    code, said = run(["agree", table, table, *columns, "--output", out], capsys)
    assert code == 0
    assert "accuracy 91.67 %" in said
    options = ["--column", "stage_hum", "--coding", "rk", "--epoch", "15", "--output", out]
    code, said = run(["agree", table, listed, *options], capsys)
    assert code == 0
    assert "kappa 1.0000" in said


def test_scorings_without_clocks_say_that_they_may_be_of_two_nights(scorings, capsys, tmp_path):
    listed, _, out = scorings
    other = tmp_path / "other.txt"
    rng = np.random.default_rng(0)
    other.write_text("".join(f"{RK[stage]}\n" * 2 for stage in rng.permutation(STAGES)))
    code, said = run(["agree", listed, other, "--coding", "rk", "--epoch", "15", "--output", out], capsys)
    assert code == 0
    assert "cannot be checked whether the two are of the same night" in said
    assert "hardly better than chance" in said


def test_agreement_of_nothing_is_an_error(scorings, capsys, tmp_path):
    out = scorings[-1]
    half = len(STAGES) // 2
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    for path, scored in ((first, range(half)), (second, range(half, len(STAGES)))):
        rows = [f"{30 * i},{stage if i in scored else '?'}" for i, stage in enumerate(STAGES)]
        path.write_text("onset,stage\n" + "\n".join(rows) + "\n")
    code, said = run(["agree", first, second, "--output", out], capsys)
    assert code == 2
    assert "no epoch in common" in said
    assert "nan" not in said


def test_a_hypnogram_is_converted_and_nothing_is_overwritten(scorings, capsys, tmp_path):
    listed, _, _ = scorings
    options = ["--coding", "rk", "--epoch", "15", "--start", "2024-01-01T23:00"]
    for suffix in (".edf", ".csv", ".json", ".tsv", ".txt", ".xml"):
        path = tmp_path / f"converted{suffix}"
        if suffix == ".json":
            path = tmp_path / "yasa.json"  # beside the table of BIDS lies its own JSON
        code, said = run(["convert-hypnogram", listed, path, *options], capsys)
        assert (code, str(path) in said) == (0, True)
        assert list(read_hypnogram(path).stages) == STAGES
        before = path.read_bytes()
        code, said = run(["convert-hypnogram", listed, path, *options], capsys)
        assert (code, "overwrite" in said) == (2, True)
        assert path.read_bytes() == before
    code, said = run(["convert-hypnogram", listed, tmp_path / "x.docx", *options], capsys)
    assert (code, "no hypnogram format" in said) == (2, True)


@pytest.mark.parametrize("when", ["23.15", "23,15", "2315", "23", "25:00", "23:60", "11 pm", "2026-01-31 23.15", ""])
def test_a_clock_time_that_python_would_read_otherwise_is_refused(when):
    with pytest.raises(EegSleepError, match=r"23:15"):
        read_clock_time(when)


@pytest.mark.parametrize(("when", "minute"), [("23:15", 15), ("9:05", 5), ("23:15:30", 15), ("2026-01-31T23:15", 15)])
def test_clock_times_as_people_write_them(when, minute):
    assert read_clock_time(when).minute == minute


def test_a_wrong_clock_time_stops_a_batch_before_it_starts(write_edf, tmp_path, capsys):
    write_edf(["C4-M1"], name="night.edf")
    code, said = run(["batch", tmp_path, "--lights-off", "23.15", "--output", tmp_path / "out"], capsys)
    assert code == 2
    assert "'23.15'" in said


def test_inspect_says_that_the_named_device_is_another(write_edf, tmp_path, capsys):
    path = write_edf(["C4-M1", "E1-M2"], name="night.edf")
    code, said = run(["inspect", path, "--device", "zmax"], capsys)
    assert code == 0
    assert "--device zmax was named" in said
    assert "nothing wrong" not in said
    code, said = run(["inspect", path], capsys)
    assert "was named" not in said


def test_a_channel_that_looks_like_an_eye_is_named(write_edf, capsys):
    path = write_edf(["C4-M1", "Augen links", "EMG chin"], name="night.edf")
    code, said = run(["inspect", path], capsys)
    assert code == 0
    assert '--eog "Augen links"' in said
