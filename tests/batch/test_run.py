"""A batch as a whole: what happens to one night costs that night alone, and nothing finished is ever lost."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stand_in

from eegsleep.batch.jobs_file import lock_output, read_rows
from eegsleep.batch.resources import Resources
from eegsleep.batch.run import run_batch
from eegsleep.errors import EegSleepError

HERE = Resources(workers=0)


@pytest.mark.nightly
def test_each_way_to_fail_costs_one_night_and_is_told_apart(make_jobs, tmp_path):
    """A crash, a hang that holds the interpreter, too much memory, a kill, a broken file and a bug: six reasons."""
    jobs = make_jobs("a", "b", "c", "crash", "hang", "eater", "killed", "once", "broken", "bug")
    table = run_batch(
        jobs,
        tmp_path / "out",
        resources=Resources(workers=2, memory_limit="600MB"),
        time_limit_s=12,  # a machine with much else to do takes seconds to fill 600 MB
        work=stand_in.pretend,
    ).set_index("night")
    assert list(table.index[table["status"] == "done"]) == ["a", "b", "c", "once"]
    reasons = table.loc[table["status"] == "failed", ["error", "reason"]]
    expected = {
        "broken": ("RecordingError", "cannot be read"),
        "bug": ("KeyError", "no such key"),
        "crash": ("NativeCrashError", "Segmentation fault"),
        "eater": ("WorkerKilledError", "went over its memory limit of 0.6 GB"),
        "hang": ("TimeLimitError", "time limit of 12 s"),
        "killed": ("WorkerKilledError", "killed from outside"),
    }
    assert list(reasons.index) == sorted(expected)
    for night, (error, words) in expected.items():
        assert reasons.loc[night, "error"] == error
        assert words in reasons.loc[night, "reason"]
    assert table["seconds"].notna().sum() == 6, "what came back was timed"
    assert sorted(p.name for p in (tmp_path / "out" / ".jobs").iterdir()) == ["lock"]
    assert not list((tmp_path / "out").glob(".*.partial"))


def test_what_is_finished_is_not_done_again_until_something_changed(make_jobs, tmp_path):
    jobs, output = make_jobs("a", "b", "c"), tmp_path / "out"
    assert list(run_batch(jobs, output, resources=HERE, work=stand_in.pretend)["status"]) == ["done"] * 3
    assert list(run_batch(jobs, output, resources=HERE, work=stand_in.pretend)["status"]) == ["fresh"] * 3
    jobs[0].file.write_bytes(b"0       another night")
    (output / "b" / "markers.csv").write_text("touched by hand\n")
    again = run_batch(jobs, output, resources=HERE, work=stand_in.pretend)
    assert list(again["status"]) == ["done", "done", "fresh"]


def test_rows_of_nights_that_are_not_asked_for_stay(make_jobs, tmp_path):
    first, second = make_jobs("a", "broken")
    run_batch([second], tmp_path, resources=HERE, work=stand_in.pretend)
    asked = run_batch([first], tmp_path, resources=HERE, work=stand_in.pretend)
    assert list(asked["night"]) == ["a"]
    kept = read_rows(tmp_path)
    assert {night: row["status"] for night, row in kept.items()} == {"a": "done", "broken": "failed"}
    assert kept["broken"]["file"] == "recordings/broken.edf"


def test_a_second_run_on_one_folder_is_refused(make_jobs, tmp_path):
    with lock_output(tmp_path), pytest.raises(EegSleepError, match="another run is at work"):
        run_batch(make_jobs("a"), tmp_path, resources=HERE, work=stand_in.pretend)
    assert list(run_batch(make_jobs("a"), tmp_path, resources=HERE, work=stand_in.pretend)["status"]) == ["done"]


def test_a_full_disk_stops_the_run_and_the_next_goes_on(make_jobs, tmp_path):
    """Nights that would only fail for want of room are not begun, and none is lost."""
    jobs = make_jobs("a", "full", "z")
    table = run_batch(jobs, tmp_path, resources=HERE, work=stand_in.pretend).set_index("night")
    assert list(table["status"]) == ["done", "failed", "failed"]
    assert set(table.loc[["full", "z"], "error"]) == {"DiskFullError"}
    assert "before its turn" in table.loc["z", "reason"]
    again = run_batch([jobs[0], jobs[2]], tmp_path, resources=HERE, work=stand_in.pretend)
    assert list(again["status"]) == ["fresh", "done"]


def test_no_room_for_the_account_stops_the_run(make_jobs, tmp_path, monkeypatch):
    """When jobs.csv itself cannot be written, nothing more is begun, and what was finished is found the next time."""
    import errno

    from eegsleep.batch import jobs_file

    written = []

    def write(path, content):
        written.append(path)
        if len(written) > 2:  # the table and its sidecar, at the start
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        path.write_bytes(content)

    monkeypatch.setattr(jobs_file, "write_file", write)
    table = run_batch(make_jobs("a", "b"), tmp_path, resources=HERE, work=stand_in.pretend)
    assert list(table["error"]) == ["", "DiskFullError"]
    monkeypatch.undo()
    again = run_batch(make_jobs("a", "b"), tmp_path, resources=HERE, work=stand_in.pretend)
    assert list(again["status"]) == ["fresh", "done"]


@pytest.mark.nightly
def test_killed_at_random_moments_the_same_command_finishes(make_jobs, tmp_path):
    """After three `kill -9` the run ends as one that nobody disturbed, and leaves nothing half-written."""
    make_jobs(*(f"slow-{i}" for i in range(8)))
    output = tmp_path / "out"
    command = [sys.executable, stand_in.__file__, str(tmp_path / "recordings"), str(output), "2"]
    moments = random.Random(4)  # noqa: S311 - not a secret
    for n_finished in (1, 3, 5):
        running = subprocess.Popen(command)
        until = time.monotonic() + 60
        while len(list(output.glob("*/provenance.json"))) < n_finished and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL, "it was still at work"
        for table in output.glob("*/markers.csv"):
            assert table.read_text() == f"night {table.parent.name}\n"
    assert subprocess.run(command, check=False).returncode == 0
    rows = read_rows(output)
    assert len(rows) == 8
    assert {row["status"] for row in rows.values()} <= {"done", "fresh"}
    assert not [path for path in output.rglob(".*") if path.name != ".jobs"]


@pytest.mark.nightly
def test_a_killed_worker_costs_nothing(make_jobs, tmp_path):
    """The worker of the command, killed from outside while it works, is replaced; its night is done again."""
    import psutil

    make_jobs(*(f"slow-{i}" for i in range(6)))
    output = tmp_path / "out"
    command = [sys.executable, stand_in.__file__, str(tmp_path / "recordings"), str(output), "2"]
    running = subprocess.Popen(command)
    try:
        until = time.monotonic() + 60
        while not list(output.glob(".jobs/*.log")):
            assert time.monotonic() < until, "no night was begun"
            time.sleep(0.01)
        workers = [p for p in psutil.Process(running.pid).children() if "spawn_main" in " ".join(p.cmdline())]
        workers[-1].kill()
        assert running.wait(timeout=60) == 0
    finally:
        running.kill()
    assert {row["status"] for row in read_rows(output).values()} == {"done"}
    assert len(read_rows(output)) == 6


@pytest.mark.parametrize(
    ("nights", "options", "words"),
    [
        ((), {}, "no night"),
        (("a", "A"), {}, "two recordings would go to the one folder"),
        (("a",), {"time_limit_s": 0}, "time limit"),
        (("a",), {"time_limit_s": 1e12}, "time limit"),
        (("a", "b"), {"resources": Resources(workers=-1)}, "number of workers"),
        (("a", "b"), {"resources": Resources(memory_limit="much")}, "memory limit"),
        (("a", "b"), {"resources": Resources(scheduler="nowhere")}, "no such scheduler"),
        (("a", "b"), {"resources": Resources(scheduler=stand_in.__file__)}, "no such scheduler"),
        (("a", "b"), {"resources": Resources(scheduler="tcp://127.0.0.1:1")}, "does not answer"),
        (("a", "b"), {"resources": Resources(scheduler="http://127.0.0.1:1")}, "does not answer"),
    ],
)
def test_what_cannot_be_meant_is_refused(nights, options, words, make_jobs, tmp_path, monkeypatch):
    from eegsleep.batch import cluster

    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)
    with pytest.raises(EegSleepError, match=words):
        run_batch(make_jobs(*nights), tmp_path / "out", work=stand_in.pretend, **options)


def test_an_account_of_somebody_else_is_not_written_over(make_jobs, tmp_path):
    """One of ours that was damaged is written anew; a table that only has its name is not touched."""
    account = tmp_path / "jobs.csv"
    account.write_text("employer,salary\n")
    with pytest.raises(EegSleepError, match=r"jobs\.csv was not written by a batch"):
        run_batch(make_jobs("a"), tmp_path, resources=HERE, work=stand_in.pretend)
    assert account.read_text() == "employer,salary\n"
    for damaged in ("", "night,subject,file,status,seconds,memory_mb,error,reason\na,,recordings/a.edf,do"):
        account.write_text(damaged)
        run_batch(make_jobs("a"), tmp_path, resources=HERE, work=stand_in.pretend)
        assert set(read_rows(tmp_path)) == {"a"}


def test_names_that_are_no_text_and_paths_of_this_machine_stay_out_of_the_account(make_jobs, tmp_path):
    """A name from another system may have bytes that are no letters here: its night is done all the same."""
    jobs = make_jobs("a", "broken")
    odd = Path(os.fsdecode(os.fsencode(jobs[0].file.parent) + b"/n\xe4cht.edf"))
    try:
        jobs[0].file.rename(odd)
    except OSError:
        pytest.skip("this file system takes no such names")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "inway").write_text("a file where the folder of a night should be\n")
    jobs = [dataclasses.replace(jobs[0], file=odd), jobs[1], *make_jobs("inway")]
    table = run_batch(jobs, tmp_path / "out", resources=HERE, work=stand_in.pretend).set_index("night")
    assert table.loc["a", ["status", "file"]].tolist() == ["done", "../recordings/n\ufffdcht.edf"]
    assert "out/inway" in table.loc["inway", "reason"]
    assert str(tmp_path) not in (tmp_path / "out" / "jobs.csv").read_text(encoding="utf-8")


def test_a_worker_does_not_work_where_the_command_stands(make_jobs, tmp_path, monkeypatch):
    """A relative output folder means the folder of the command, and no scratch folder is left there."""
    monkeypatch.chdir(tmp_path)
    jobs = [dataclasses.replace(job, file=job.file.relative_to(tmp_path)) for job in make_jobs("a", "b")]
    table = run_batch(jobs, Path("out"), resources=Resources(workers=1), work=stand_in.pretend)
    assert list(table["status"]) == ["done", "done"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "recordings"]


def test_workers_that_never_live_end_the_batch(make_jobs, tmp_path, monkeypatch):
    """Killed while they start, each of them: an error that says so, not a wait without end."""
    from eegsleep.batch import processes

    start = processes.start_worker

    def start_and_kill():
        worker = start()
        worker.process.kill()
        return worker

    monkeypatch.setattr(processes, "start_worker", start_and_kill)
    with pytest.raises(EegSleepError, match="died one after the other before they began a night"):
        run_batch(make_jobs("a", "b"), tmp_path, resources=Resources(workers=2), work=stand_in.pretend)


@pytest.mark.nightly
def test_a_worker_that_stands_still_is_stopped(make_jobs, tmp_path, monkeypatch):
    """One that is suspended cannot keep its own time limit; the command keeps it."""
    from eegsleep.batch import processes

    monkeypatch.setattr(processes, "_GRACE_S", 4.0)
    table = run_batch(
        make_jobs("a", "stopped"), tmp_path, resources=Resources(workers=2), time_limit_s=1, work=stand_in.pretend
    ).set_index("night")
    assert list(table["status"]) == ["done", "failed"]
    assert table.loc["stopped", "error"] == "TimeLimitError"


def test_names_of_recordings_can_be_left_out_of_the_account(make_jobs, tmp_path):
    """And a night is known again by them: it may be replaced when its recording changed."""
    jobs = make_jobs("a", "broken")
    jobs = [dataclasses.replace(job, night=f"n-{i}" if i == 0 else "broken") for i, job in enumerate(jobs)]
    options = {"resources": HERE, "work": stand_in.pretend, "ids_only": True}
    run_batch(jobs, tmp_path / "out", **options)
    text = (tmp_path / "out" / "jobs.csv").read_text()
    assert "recordings" not in text
    assert ".edf" not in text
    jobs[0].file.write_bytes(b"0       another night")
    table = run_batch(jobs, tmp_path / "out", **options)
    assert list(table["status"]) == ["failed", "done"]


@pytest.mark.parametrize("mark", ["\x1b[2J", "\u202e", "\u2067", "\u200b", "\x9b31m", "\r"])
def test_marks_that_act_on_a_terminal_stay_out_of_the_account(mark, make_jobs, tmp_path):
    job = make_jobs("a")[0]
    file = job.file.rename(job.file.with_name(f"x{mark}y.edf"))
    run_batch([dataclasses.replace(job, file=file)], tmp_path / "out", resources=HERE, work=stand_in.pretend)
    assert mark[0] not in (tmp_path / "out" / "jobs.csv").read_text(encoding="utf-8")
