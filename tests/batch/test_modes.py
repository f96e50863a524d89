"""Serial, on this machine's workers, on a cluster that was there before: the same nights, byte by byte."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import stand_in
from running_scheduler import run_scheduler

from eegsleep.batch import cluster
from eegsleep.batch.cluster import open_client
from eegsleep.batch.jobs_file import read_rows
from eegsleep.batch.resources import Resources
from eegsleep.batch.run import run_batch
from eegsleep.errors import EegSleepError


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with run_scheduler(tmp_path_factory.mktemp("elsewhere")) as (file, _):
        yield file


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "eegsleep", "batch", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def contents(folder):
    """Return every file of a batch but its times and its lock."""
    own = (".jobs", "jobs.csv")
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
        if not set(p.relative_to(folder).parts) & set(own)
    }


def check_command(nights, output, *options):
    """Work out three recordings of which one is broken: exit 1, and its reason is told."""
    done = run_command(nights, "--output", output, *options)
    assert done.returncode == 1, done.stderr
    assert done.stdout.strip() == str(output / "index.html")
    assert "3 nights: 2 done, 1 failed." in done.stderr
    assert "cut failed: cut.edf" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="session")
def serial(nights, make_once):
    """Return the folder of a batch that was worked out in one process."""
    return make_once("serial-batch", lambda folder: check_command(nights, folder, "--workers", "0"))


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["local", "remote"])
def test_other_ways_to_work_give_the_same_bytes(way, nights, serial, request, tmp_path):
    """And each way, a broken file costs itself."""
    options = ["--workers", "2"] if way == "local" else ["--scheduler", request.getfixturevalue("scheduler")]
    check_command(nights, tmp_path / "out", *options)
    expected = contents(serial)
    assert {"n1/markers.csv", "n2/report.html", "nights.csv"} <= set(expected)
    assert contents(tmp_path / "out") == expected


@pytest.mark.nightly
def test_the_address_of_a_schedulers_dashboard_is_told(tmp_path, caplog):
    with (
        caplog.at_level("INFO", logger="eegsleep"),
        run_scheduler(tmp_path, "--dashboard", "--dashboard-address", "127.0.0.1:0") as (file, _),
        open_client(Resources(scheduler=file)),
    ):
        assert re.search(r"dashboard .* http://127\.0\.0\.1:\d+/status", caplog.text)


@pytest.mark.nightly
def test_one_recording_is_worked_out_in_this_process_and_score_finds_the_same(nights, tmp_path, run_here):
    """A night that `score` made is fresh for `batch`; exit 0, and no worker was needed."""
    assert run_here("score", nights / "n2.edf", "--output", tmp_path).returncode == 0
    done = run_command(nights / "n2.edf", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 night: 1 fresh." in done.stderr
    (tmp_path / "n2" / "markers.csv").write_text("")
    done = run_command(
        nights / "n2.edf", "--output", tmp_path, "--scheduler", "tcp://127.0.0.1:1", "--device", "toaster"
    )
    assert done.returncode == 2
    assert "toaster" in done.stderr


@pytest.mark.nightly
def test_a_cluster_tells_a_crash_from_a_night_that_is_too_slow(make_jobs, scheduler, tmp_path):
    """Workers that were there before go down with their nights too, and the others are done all the same."""
    table = run_batch(
        make_jobs("a", "b", "c", "crash", "hang", "once"),
        tmp_path / "out",
        resources=Resources(scheduler=scheduler),
        time_limit_s=3,
        work=stand_in.pretend,
    ).set_index("night")
    assert list(table.index[table["status"] == "done"]) == ["a", "b", "c", "once"]
    assert dict(table["error"].loc[["crash", "hang"]]) == {"crash": "NativeCrashError", "hang": "TimeLimitError"}


@pytest.mark.nightly
def test_workers_that_would_count_in_another_way_are_refused(make_jobs, scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "package_versions", lambda: {"yasa": "9.9"})
    with pytest.raises(EegSleepError, match=r"other versions than this command\. Found: yasa 0.*Allowed: yasa 9\.9"):
        run_batch(make_jobs("a", "b"), tmp_path / "out", resources=Resources(scheduler=scheduler))


@pytest.mark.nightly
def test_workers_that_do_not_see_the_folder_are_refused(make_jobs, scheduler, tmp_path, monkeypatch):
    """A path that means another folder in another process stands for a disk that is not shared."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EegSleepError, match="does not see the folder"):
        run_batch(make_jobs("a", "b"), Path("/proc/self/cwd/out"), resources=Resources(scheduler=scheduler))


def test_a_server_that_is_no_scheduler_is_not_waited_for(make_jobs, tmp_path, monkeypatch):
    """Dask's own client would wait for ever on one that waits to be spoken to, as a web server does."""
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(EegSleepError, match="does not answer"):
            run_batch(make_jobs("a", "b"), tmp_path / "out", resources=Resources(scheduler=address))


@pytest.mark.nightly
def test_a_scheduler_that_goes_away_ends_the_run_and_loses_nothing(make_jobs, tmp_path, tmp_path_factory):
    jobs = make_jobs(*(f"slow-{i}" for i in range(30)))
    with run_scheduler(tmp_path_factory.mktemp("elsewhere")) as (file, process):

        def kill(standing):
            if standing.n_done == 2:
                process.kill()

        with pytest.raises(EegSleepError, match=r"connection to the scheduler was lost\. Run the same command again"):
            run_batch(
                jobs, tmp_path / "out", resources=Resources(scheduler=file), on_progress=kill, work=stand_in.pretend
            )
    finished = [job for job in jobs if read_rows(tmp_path / "out").get(job.night, {}).get("status") == "done"]
    assert len(finished) >= 2
    again = run_batch(finished, tmp_path / "out", resources=Resources(workers=0), work=stand_in.pretend)
    assert set(again["status"]) == {"fresh"}


@pytest.mark.nightly
def test_a_scheduler_that_stands_still_ends_the_run(make_jobs, tmp_path, tmp_path_factory, monkeypatch):
    """Its connection stays open, and nothing comes from it."""
    monkeypatch.setattr(cluster, "_ANSWER_S", 2.0)
    monkeypatch.setattr(cluster, "_CONNECT_S", 2.0)
    with run_scheduler(tmp_path_factory.mktemp("elsewhere")) as (file, process):

        def suspend(standing):
            if standing.n_done == 2:
                process.send_signal(signal.SIGSTOP)

        try:
            with pytest.raises(
                EegSleepError, match=r"connection to the scheduler was lost\. Run the same command again"
            ):
                run_batch(
                    make_jobs(*(f"slow-{i}" for i in range(30))),
                    tmp_path / "out",
                    resources=Resources(scheduler=file),
                    on_progress=suspend,
                    work=stand_in.pretend,
                )
        finally:
            process.kill()
    assert len([row for row in read_rows(tmp_path / "out").values() if row["status"] == "done"]) >= 2
