"""A Dask scheduler with two workers, as somebody else would have started it."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def run_scheduler(folder, *options, protocol="tcp", port=0):
    """Yield the file of a scheduler with two workers that stand in another folder, and its process."""
    file = folder / "scheduler.json"
    quiet = {
        **os.environ,
        "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical",
        "OMP_NUM_THREADS": "2",
        "PYTHONPATH": f"{Path(__file__).parents[2]}{os.pathsep}{Path(__file__).parent}",
    }
    common = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard", "--protocol", protocol, *options]
    commands = [
        ["distributed.cli.dask_scheduler", "--port", str(port), *common],
        ["distributed.cli.dask_worker", "--nworkers", "2", "--nthreads", "2", *common],
    ]
    running = []
    try:
        for module, *own in commands:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *own], cwd=folder, env=quiet, stderr=subprocess.DEVNULL
            )
            running.append(process)
            until = time.monotonic() + 60
            while not file.exists():
                assert time.monotonic() < until, "the scheduler did not start"
                time.sleep(0.05)
        yield str(file), running[0]
    finally:
        if running and running[0].poll() is not None:  # workers whose scheduler was killed take half a minute to end
            for each in (*psutil.Process(running[-1].pid).children(recursive=True), *running[1:]):
                each.kill()
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=30)
