"""Mistakes of the first minutes: each is answered with what was found, and with what to do."""

import json
import re

import edfio
import numpy as np
import pytest


@pytest.fixture
def home(tmp_path, write_edf):
    write_edf(["C4-M1", "EMG chin"], name="one.edf")
    (tmp_path / "two").mkdir()
    for name in ("a", "b"):
        write_edf(["C4-M1"], name=f"two/{name}.edf")
    table = "epoch,onset_s,stage\n" + "".join(f"{i},{i * 30},N2\n" for i in range(60))
    (tmp_path / "stages.csv").write_text(table)
    (tmp_path / "stages16.csv").write_text(table, encoding="utf-16")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("score two", "`eegsleep batch FOLDER`"),
        ("score two/a.edf two/b.edf", "`eegsleep batch FILES`"),
        ("score stages.csv", "--hypnogram stages.csv"),
        ("score stages16.csv", "--hypnogram stages16.csv"),
        ("score one.edf --foo", "no option --foo. See `eegsleep score --help`"),
        ("score one.edf --devise x", "Did you mean --device?"),
        ("score one.edf --start 23:00", "2026-01-31T23:15"),
        ("score one.edf --hypnogram nofile", "no such file or folder. Check the path"),
        ("score one.edf --config nofile", "no such file or folder. Check the path"),
        ("score one.edf --events nofile", "no such file or folder"),
        ("score one.edf --calibration nofile", "there is no such calibration"),
        ("score one.edf --stages-by x=nofile", "no such file or folder. Check the path"),
        ("score", "`eegsleep score` needs FILE"),
        ("score one.edf --lights-off 23.15", "Did you mean 23:15?"),
        ("score one.edf --emg chin", "Did you mean EMG chin?"),
        ("score one.edf --device muze", "Did you mean muse?"),
        ("scor one.edf", "Did you mean score?"),
        ("one.edf", "`eegsleep score`"),
        ("simulate out --artefacts flatt", "Found: flatt."),
        ("simulate out --artefacts flatt", "Did you mean flat?"),
        ("calibrate nofile", "no such folder"),
        ("agree nofile.csv b.csv", "no such file or folder. Check the path"),
        ("study key nofile", "no such file or folder"),
        ("plan nofile", "`eegsleep study init` writes a template"),
        ("compare a.toml key.json", "--key KEY"),
        ("study add-table nofile", "needs the option --map"),
        ("batch", "`eegsleep batch FOLDER`"),
    ],
)
def test_a_mistake_is_answered_with_a_way_out(line, words, home, run_here):
    done = run_here(*line.split(), cwd=home)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Errno" not in done.stderr
    assert "('" not in done.stderr
    assert len(re.findall(r"(?m)^eegsleep: ", done.stderr)) == 1


def test_a_recording_that_holds_stages_is_refused_for_its_own_fault(tmp_path, run_here):
    """It is no hypnogram, which would hide that the unit of its channel is missing."""
    signal = edfio.EdfSignal(
        np.random.default_rng(0).normal(0, 20, 360 * 128), 128, label="C4-M1", physical_range=(-200, 200)
    )
    stages = [edfio.EdfAnnotation(30 * i, 30, "Sleep stage N2") for i in range(12)]
    edfio.Edf([signal], annotations=stages).write(tmp_path / "both.edf")
    said = run_here("score", "both.edf", cwd=tmp_path).stderr
    assert "unit" in said
    assert "is a hypnogram" not in said


def test_a_setting_that_is_misspelled_is_answered_with_the_one_that_was_meant(home, run_here):
    (home / "c.toml").write_text("[spindle]\n")
    assert "Did you mean spindles?" in run_here("settings", "--config", "c.toml", cwd=home).stderr
    (home / "c.toml").write_text("[spindles]\nband_hs = 3\n")
    assert "Did you mean" in run_here("settings", "--config", "c.toml", cwd=home).stderr


def test_the_help_lists_commands_in_the_order_of_work(run_here):
    shown = run_here("--help").stdout
    order = ["demo", "inspect", "score", "batch", "agree", "study", "plan", "lock", "compare"]
    places = [re.search(rf"(?m)^\W*{name}\b", shown).start() for name in order]
    assert places == sorted(places)


def test_a_study_is_planned_by_its_folder_and_a_batch_says_which_column_is_empty(home, run_here):
    assert run_here("study", "init", "mine", cwd=home).returncode == 0
    text = (home / "mine" / "study.toml").read_text()
    (home / "mine" / "study.toml").write_text(re.sub(r"(?m)^nights = 28", "nights = 8", text))
    done = run_here("plan", "mine", "--passphrase", "abc", cwd=home)
    assert done.returncode == 2, "eight nights can never give a finding"
    assert "nights = " in done.stderr
    assert not (home / "mine" / "schedule.csv").exists()
    (home / "mine" / "study.toml").write_text(text)
    assert run_here("plan", "mine", "--passphrase", "abc", cwd=home).returncode == 0
    done = run_here("batch", "mine", cwd=home)
    assert (done.returncode, "column file" in done.stderr) == (2, True)


def test_a_file_of_settings_is_written_used_and_named(home, run_here):
    assert run_here("init", cwd=home).returncode == 0
    assert run_here("init", cwd=home).returncode == 2, "nothing is written over"
    file = home / "eegsleep.toml"
    text = file.read_text()
    assert run_here("settings", "--config", "eegsleep.toml", cwd=home).stdout == run_here("settings", cwd=home).stdout
    (home / "other.toml").write_text(text.replace("# seed = 0", "seed = 9"))
    file.write_text(text.replace("# seed = 0", "seed = 8"))
    # named by its file alone: the folder may tell who the user is
    for option, seed, name in (((), 8, "eegsleep.toml"), (("--config", str(home / "other.toml")), 9, "other.toml")):
        done = run_here("score", "one.edf", "--trace", "none", "--output", name[0], *option, cwd=home)
        assert done.returncode == 0, done.stderr
        assert "Reading the recording" in done.stderr
        made = json.loads((home / name[0] / "one" / "provenance.json").read_text())
        assert made["settings_file"] == name
        assert ("the settings of eegsleep.toml in this folder are used" in done.stderr) == (not option)
        assert seed in {step.get("seed") for step in made["settings"].values()}
