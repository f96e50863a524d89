"""What would go wrong at the end is found at the start: an output that cannot be written, a folder in use."""

import os
import re
from pathlib import Path

import pytest

from eegsleep.batch.jobs_file import lock_output
from eegsleep.errors import EegSleepError

PLACES = ("/proc/nowhere", "/dev/full", "file/below")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "file").write_text("a file")
    return tmp_path


@pytest.mark.parametrize("output", PLACES)
@pytest.mark.parametrize(
    "command",
    [
        ("score", "none.edf"),
        ("batch", "one.edf"),
        ("calibrate", "."),
        ("agree", "a.csv", "b.csv"),
        ("demo",),
        ("anonymize", "none.edf"),
        ("simulate",),
        ("fetch", "cap"),
    ],
)
def test_an_output_that_cannot_be_written_is_named_before_the_work(command, output, place, write_edf, run_here):
    """Before the input is even looked at: the inputs named here do not exist, or are refused later."""
    write_edf(["C4-M1"], name="one.edf")
    option = () if command[0] in {"anonymize", "simulate"} else ("--output",)
    done = run_here(*command, *option, output, cwd=place)
    assert done.returncode == 2
    assert "--output" in done.stderr
    assert output in done.stderr
    assert len(re.findall(r"(?m)^eegsleep: ", done.stderr)) == 1, done.stderr
    assert sorted(path.name for path in place.iterdir()) == ["file", "one.edf"]


def test_a_full_disk_is_found_before_the_work(place, run_here, monkeypatch):
    def fill(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", fill)
    done = run_here("score", "none.edf", "--output", "out", cwd=place)
    assert done.returncode == 2
    assert "--output cannot be written. Found: out: No space left on device" in done.stderr


def test_a_folder_with_the_night_of_another_recording_is_refused_before_the_work(tmp_path, write_edf, monkeypatch):
    from eegsleep.night import analyze
    from eegsleep.workflows.score import Job, score_file

    def must_not_run(*_, **__):
        raise AssertionError("the night was analyzed")

    monkeypatch.setattr(analyze, "analyze_night", must_not_run)
    file = write_edf(["C4-M1"], name="one.edf")
    (tmp_path / "nights" / "one").mkdir(parents=True)
    (tmp_path / "nights" / "one" / "provenance.json").write_text(
        '{"input": {"sha256": "of another file", "duration_s": 60.0}}'
    )
    with pytest.raises(EegSleepError, match="another recording of the same name"):
        score_file(Job(file), output=tmp_path / "nights")


def test_a_score_into_a_folder_where_a_batch_is_at_work_is_refused(nights, tmp_path, run_here):
    with lock_output(tmp_path):
        done = run_here("score", nights / "n1.edf", "--output", tmp_path)
    assert done.returncode == 2
    assert "a batch is at work in" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".jobs"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("score", "one.edf", "--start", "9999-12-31T23:59:59"), "start is no time of a recording"),
        (("score", "one.edf", "--start", "0001-01-01T00:00:00"), "start is no time of a recording"),
        (("score", "one.edf", "--reference", "a\0b"), "NUL"),
        (("score", "one.edf", "--output", "a\0b"), "--output cannot be written"),
        (("score", "one.edf", "--config", "/dev/zero"), "it is no file"),
        (("score", "one.edf", "--calibration", "/dev/zero"), "calibration"),
        (("score", "one.edf", "--reference", "/dev/zero"), "is no file"),
        (("score", "one.edf", "--events", "/dev/zero"), "is no file"),
        (("anonymize", "pipe", "copy.edf"), "it is no file"),
        (("score", ""), "an argument after score is empty"),
        (("score", "one.edf", "--output", ""), "an argument after --output is empty"),
        (("batch", "one.edf", "--scheduler", ""), "an argument after --scheduler is empty"),
        (("batch", "one.edf", "--workers", "1.5"), "1.5 is no whole number"),
        (("simulate", "nights", "--nights", "1.9"), "1.9 is no whole number"),
        (("score", "one.edf", "--coding", "aasm"), "--coding would have no effect"),
        (("score", "one.edf", "--epoch", "20", "--column", "stage"), "--epoch and --column would have no effect"),
        (("score", "one.edf", "--hypnogram", "none.csv", "--coding", "nope"), "nope"),
        (("score", "one.edf", "--bids", "one.edf"), "--bids cannot be written"),
        (("batch", "one.edf", "--bids", "one.edf/below"), "--bids cannot be written"),
        (("score", "one.edf", "--output", "loop"), "--output cannot be written"),
        (("score", "one.edf", "--output", "x" * 300), "--output cannot be written"),
        (("batch", "one.edf", "--bids", "x" * 300), "--bids cannot be written"),
        (("calibrate", ".", "--output", "one.edf"), "is no calibration, and is not overwritten"),
    ],
)
def test_arguments_that_no_file_or_night_can_be_are_one_sentence(arguments, words, tmp_path, write_edf, run_here):
    before = write_edf(["C4-M1"], name="one.edf").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    done = run_here(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "one.edf").read_bytes() == before
    assert words in done.stderr
    assert len(re.findall(r"(?m)^eegsleep: ", done.stderr)) == 1, done.stderr


def test_settings_of_the_folder_that_cannot_be_read_are_not_left_out(tmp_path, write_edf, run_here):
    write_edf(["C4-M1"], name="one.edf")
    (tmp_path / "eegsleep.toml").symlink_to("gone.toml")
    done = run_here("score", "one.edf", cwd=tmp_path)
    assert done.returncode == 2
    assert "eegsleep.toml cannot be read" in done.stderr
