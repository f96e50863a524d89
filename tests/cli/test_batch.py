"""The command `batch`: what it says on the way, and what it refuses before the first night."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from eegsleep.batch.run import Standing
from eegsleep.cli.batch import describe_standing

INTERRUPTED = (
    "eegsleep: interrupted; what was finished is kept, and nothing half-written was left. Run the same command again."
)


@pytest.mark.parametrize(
    ("standing", "elapsed_s", "words"),
    [
        (Standing(40, 0, 0, 0), 0, "0 of 40 nights"),
        (Standing(40, 10, 8, 2), 60, "20 of 40 nights, 10 fresh, 2 failed; 10 a minute, about 2 min to go"),
        (Standing(40, 0, 1, 0), 30, "1 of 40 nights; 2 a minute, about 20 min to go"),
        (Standing(3, 3, 0, 0), 5, "3 of 3 nights, 3 fresh"),
        (Standing(3, 1, 2, 0), 5, "3 of 3 nights, 1 fresh"),
    ],
)
def test_progress_has_rate_remaining_time_and_failures(standing, elapsed_s, words):
    assert describe_standing(standing, elapsed_s) == words


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "eegsleep", "batch", *map(str, arguments)], check=False, text=True, **options
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to work out"),
        (("nowhere",), "no such file, folder or data set"),
        ((".", "--device", "toaster"), "no such device"),
        ((".", "--calibration", "none.json"), "no such calibration"),
        ((".", "--units", "C4"), "--units is not understood"),
        ((".", "--units", "C4=furlong"), "no unit for 'C4'"),
        ((".", "--lights-off", "25:00"), "clock time is not understood"),
        ((".", "--coding", "cuneiform"), "no stage coding"),
        ((".", "--config", "none.toml"), "none.toml"),
        ((".", "--workers", "many"), "many"),
        ((".",), "there is no recording"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments, words, tmp_path, run_here):
    done = run_here("batch", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not list(tmp_path.iterdir()), "nothing was written"


def test_on_a_terminal_a_bar_shows_how_far_it_is(write_edf, tmp_path):
    """Failures stand above the bar as they come, the sum below; only the path of the summary goes to stdout."""
    for name in ("one.edf", "two.edf"):
        write_edf(["ECG"], name=name)
    ours, theirs = pty.openpty()
    done = run(
        ".",
        "--workers",
        "0",
        "--output",
        "out",
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    assert done.returncode == 1
    assert done.stdout == "out/index.html\n"
    text = shown.decode()
    assert "\x1b[" in text
    assert "one failed: no EEG derivation" in text
    assert "2 of 2 nights, 2 failed" in text
    assert "2 nights: 2 failed." in text
    assert "Traceback" not in text


def test_a_run_that_finds_another_at_work_says_so(write_edf, tmp_path):
    from eegsleep.batch.jobs_file import lock_output

    write_edf(["C4-M1"], name="one.edf")
    with lock_output(tmp_path / "out"):
        done = run(".", "--output", "out", cwd=tmp_path, capture_output=True)
    assert done.returncode == 2
    assert "another run is at work in" in done.stderr
    assert not (tmp_path / "out" / "jobs.csv").exists()


def test_a_summary_that_could_not_be_written_is_found_out_before_the_nights(write_edf, tmp_path):
    write_edf(["C4-M1"], name="one.edf")
    (tmp_path / "nights.csv").write_text("subject,night,condition\n")
    done = run(".", "--output", ".", cwd=tmp_path, capture_output=True)
    assert done.returncode == 2
    assert "nights.csv is not the summary of a batch" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nights.csv", "one.edf"]


def test_nights_go_on_where_nobody_listens(write_edf, tmp_path):
    """With stdout and stderr closed, as a service may start it, a batch does its work."""
    write_edf(["ECG"], name="one.edf")
    command = [sys.executable, "-m", "eegsleep", "batch", ".", "--output", "out"]
    done = subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "sh", *command], cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.nightly),
        pytest.param(signal.SIGHUP, 143, marks=pytest.mark.nightly),
    ],
)
def test_an_interrupt_ends_the_workers_too_and_leaves_nothing_half_written(number, code, nights, tmp_path):
    """To every process of the terminal, and more than once: one sentence, no traceback of any of them."""
    command = [sys.executable, "-m", "eegsleep", "batch", str(nights), "--output", str(tmp_path), "--workers", "2"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 60
    while not list(tmp_path.glob(".jobs/*.log")):
        assert time.monotonic() < until, "no night was begun"
        time.sleep(0.01)
    for _ in range(3):
        os.killpg(running.pid, number)
        time.sleep(0.1)
    said = running.communicate(timeout=60)[1]  # comes back when no process is left that could say something
    assert running.returncode == code
    assert said.splitlines()[1:] == [INTERRUPTED], "after the line of progress, one sentence"
    assert not list(tmp_path.rglob(".*.partial")) + list(tmp_path.rglob("*.tmp"))
    assert all((night / "provenance.json").is_file() for night in tmp_path.glob("n*")), "whole, or not there"


MOMENTS = [
    # Two of the thirty with every run, one of each command; the others nightly.
    pytest.param(
        command,
        number,
        after_s,
        marks=() if (number, after_s) == (signal.SIGINT, 1.0) else pytest.mark.nightly,
    )
    for command in ("batch", "score")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for after_s in (0.15, 0.3, 0.5, 0.75, 1.0)
]


@pytest.mark.parametrize(("command", "number", "after_s"), MOMENTS)
def test_an_interrupt_while_the_command_starts_is_one_sentence(command, number, after_s, nights, tmp_path):
    """Whatever is being imported or started; before Python reads its first line, the system ends the process."""
    options = [str(nights), "--workers", "2"] if command == "batch" else [str(nights / "n1.edf")]
    running = subprocess.Popen(
        [sys.executable, "-m", "eegsleep", command, *options, "--output", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(after_s)
    os.killpg(running.pid, number)
    said = running.communicate(timeout=60)[1]
    if running.returncode != -number:
        assert running.returncode == (130 if number == signal.SIGINT else 143), said
        # what ran before was told: the progress of a batch, or the steps of a night
        progress = re.compile(r".*of 3 nights.*|[A-Z][a-z ]+ …")
        assert [line for line in said.splitlines() if not progress.fullmatch(line)] == [INTERRUPTED]
    assert "Traceback" not in said
    assert not list(tmp_path.rglob(".*.partial")) + list(tmp_path.rglob("*.tmp"))


def test_what_a_killed_run_left_is_removed_but_not_what_somebody_still_writes(tmp_path):
    """A night whose lock is held is being written; one that a batch never began is not ours to remove."""
    from filelock import FileLock

    from eegsleep.batch.jobs_file import clean_output

    (tmp_path / ".jobs").mkdir()
    for night in ("left", "held", "scored"):
        (tmp_path / f".{night}.partial").mkdir()
        (tmp_path / night).mkdir()
        (tmp_path / night / ".markers.csv.123.tmp").write_text("half")
    (tmp_path / ".jobs" / "left.lock").write_text("")
    (tmp_path / ".jobs" / "left.log").write_text("began\n")
    with FileLock(tmp_path / ".jobs" / "held.lock"):
        clean_output(tmp_path)
    assert sorted(p.name for p in tmp_path.glob(".*.partial")) == [".held.partial", ".scored.partial"]
    assert sorted(p.parent.name for p in tmp_path.glob("*/.*.tmp")) == ["held", "scored"]
    assert [p.name for p in (tmp_path / ".jobs").iterdir()] == ["held.lock"]
