"""The command line as others rely on it: what it writes, what it refuses, how fast it answers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import eegsleep

SAMPLE = Path(__file__).parents[2] / "sample_data" / "sample-night.edf"


def test_score_writes_a_night_folder_and_prints_the_report(score_sample):
    done, folder = score_sample
    assert done.returncode == 0, done.stderr
    report = Path(done.stdout.strip())
    assert report.name == "report.html"
    assert report.parent == folder
    assert "\x1b" not in done.stdout + done.stderr, "a pipe is not a terminal"


@pytest.mark.nightly
def test_corrected_hypnogram_is_used(tmp_path, run_here):
    """A hypnogram given back is the one that is counted, and no probability is claimed for it."""
    import pandas as pd

    frame = pd.DataFrame({"onset_s": [30.0 * i for i in range(180)], "stage": ["W"] * 20 + ["N2"] * 160})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    done = run_here("score", SAMPLE, "--output", tmp_path, "--hypnogram", tmp_path / "mine.csv")
    assert done.returncode == 0, done.stderr
    markers = pd.read_csv(tmp_path / "sample-night" / "markers.csv").set_index("marker")["value"]
    assert (markers["tst_min"], markers["sol_min"]) == (80, 10)
    assert pd.read_csv(tmp_path / "sample-night" / "hypnogram.csv")["confidence"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["score", "missing.edf"], "no such file"),
        (["score", "text.edf"], "text.edf is a hypnogram"),
        (["score", "no-eeg.edf"], "no EEG derivation"),
        (["score", "short.edf"], "too short"),
        (["score", "unit.edf"], "--units"),
        (["score", "good.edf", "--eeg", "Cz"], "C4-M1"),
        (["score", "good.edf", "--device", "toaster"], "generic"),
        (["score", "good.edf", "--config", "bad.toml"], "band_hz"),
        (["score", "good.edf", "--nonsense"], "nonsense"),
        (["score"], "needs FILE"),
        (["simulate", "x", "--nights", "0"], "1 and more"),
        (["simulate", "x", "--hours", "-1"], "duration"),
        (["simulate", "text.edf", "--hours", "0.1", "--rate-hz", "100"], "text.edf: Not a directory"),
        (["study", "init", "text.edf"], "text.edf: file exists"),
        (["demo", "--output", "text.edf"], "text.edf: Not a directory"),
        (["score", "good.edf", "--reference", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(arguments, words, tmp_path, write_edf, run_here):
    """Wrong usage and wrong files: exit 2, one line that helps, no traceback, nothing written."""
    write_edf(["C4-M1"], name="good.edf")
    write_edf(["ECG", "SpO2"], name="no-eeg.edf")
    write_edf(["C4-M1"], minutes=4, name="short.edf")
    write_edf(["C4-M1"], unit="", name="unit.edf")
    (tmp_path / "text.edf").write_text("onset,stage\n0,W\n")
    (tmp_path / "bad.toml").write_text("[spindles]\nband = [11, 16]\n")
    before = sorted(tmp_path.iterdir())
    done = run_here(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(re.findall(r"(?m)^eegsleep: ", done.stderr)) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_command_as_a_process_of_its_own_says_the_same():
    """The tests above run in this process; this one sees what a shell sees."""
    command = [sys.executable, "-m", "eegsleep", "score", "missing.edf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such file" in done.stderr
    assert len(re.findall(r"(?m)^eegsleep: ", done.stderr)) == 1


def test_help_imports_nothing_heavy():
    """`eegsleep --help` answers at once because no scientific library is loaded for it."""
    code = (
        "import sys, eegsleep, eegsleep.cli.main\n"
        "heavy = {'numpy', 'pandas', 'mne', 'yasa', 'scipy', 'plotly', 'jinja2', 'edfio'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_simulated_nights_are_of_one_evening_each_so_that_they_can_be_a_study(tmp_path, run_here):
    done = run_here("simulate", tmp_path, "--nights", "2", "--hours", "0.1", "--rate-hz", "100")
    assert done.returncode == 0, done.stderr
    first, second = (eegsleep.inspect_recording(path).start for path in sorted(tmp_path.glob("*.edf")))
    assert (second - first).days == 1


def test_simulate_writes_a_recording_with_its_truth(tmp_path, run_here):
    done = run_here(
        "simulate", tmp_path, "--hours", "0.5", "--seed", "5", "--rate-hz", "100", "--eeg", "C4-M1", "O2-M1"
    )
    assert done.returncode == 0, done.stderr
    assert {p.suffix for p in tmp_path.iterdir()} == {".edf", ".csv", ".json"}
    assert (tmp_path / "sim-0005_stages.csv").is_file()


@pytest.mark.nightly
def test_agree_compares_two_scorings_and_whole_folders(tmp_path, run_here):
    """An expert's stages kept with `--reference` are what `agree FOLDER` compares with; two files do as well."""
    import pandas as pd

    truth = SAMPLE.with_name("sample-night_stages.csv")
    done = run_here("score", SAMPLE, "--output", tmp_path / "nights", "--reference", truth, "--lights-off", "23:05")
    assert done.returncode == 0, done.stderr
    markers = pd.read_csv(tmp_path / "nights" / "sample-night" / "markers.csv").set_index("marker")["value"]
    assert markers["tib_min"] == 85
    for arguments in (["agree", tmp_path / "nights"], ["agree", truth, tmp_path / "nights" / "sample-night"]):
        done = run_here(*arguments, "--output", tmp_path / "agreement")
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()) == tmp_path / "agreement" / "agreement.html"
        nights = pd.read_csv(tmp_path / "agreement" / "agreement_nights.csv")
        assert nights["n_epochs"].item() == 170
        assert nights["kappa"].item() > 0.9


def test_integers_in_a_hypnogram_are_never_guessed(tmp_path, run_here):
    (tmp_path / "stages.txt").write_text("0\n" * 20 + "2\n" * 140 + "5\n" * 20)
    done = run_here("score", SAMPLE, "--hypnogram", tmp_path / "stages.txt", "--output", tmp_path)
    assert done.returncode == 2
    assert "--coding" in done.stderr


def test_inspect_and_anonymize_from_the_command_line(tmp_path, run_here):
    done = run_here("inspect", SAMPLE)
    assert (done.returncode, "C4-M1 (128 Hz, uV)" in done.stdout) == (0, True)
    copy = tmp_path / "copy.edf"
    assert run_here("anonymize", SAMPLE, copy).returncode == 0
    assert run_here("anonymize", SAMPLE, copy).returncode == 2, "nothing is written over"
    (tmp_path / "text.edf").write_text("no recording")
    assert run_here("inspect", copy, tmp_path / "text.edf").returncode == 1
    assert run_here("inspect", tmp_path / "text.edf").returncode == 2


@pytest.mark.nightly
def test_calibrate_learns_from_nights_and_score_uses_it(tmp_path, run_here, score_sample):
    """Two nights of one person give thresholds in microvolts, which are held, shown and kept with the night."""
    import json
    import shutil

    nights = tmp_path / "nights"
    shutil.copytree(score_sample[1], nights / "sample-night")
    assert run_here("calibrate", nights, "--output", tmp_path / "c.json").returncode == 2, "one night is no person"
    shutil.copytree(nights / "sample-night", nights / "second-night")
    done = run_here("calibrate", nights, "--output", tmp_path / "c.json")
    assert done.returncode == 2, "a copy is no second night"
    second = nights / "second-night" / "provenance.json"
    kept = json.loads(second.read_text())
    second.write_text(json.dumps(kept | {"input": kept["input"] | {"sha256": "0" * 64}}))
    done = run_here("calibrate", nights, "--output", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    learned = json.loads((tmp_path / "c.json").read_text())
    assert learned["n_nights"] == 2
    assert 8 < learned["sigma_amplitude_uv"]["C4-M1"] < 30
    assert 40 < learned["so_amplitude_uv"]["C4-M1"] < 150
    done = run_here("score", SAMPLE, "--output", tmp_path / "again", "--calibration", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    provenance = json.loads((tmp_path / "again" / "sample-night" / "provenance.json").read_text())
    learned.pop("checksum")
    assert provenance["calibration"] == learned
