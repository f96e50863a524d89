"""Forty nights of two hours as a batch: what fails, how fast it is, what it takes of memory, ten kills.

Run by hand, on a machine that does nothing else: `python tests/benchmarks/batch_on_forty_nights.py FOLDER [NIGHTS]`.
It takes about eight minutes on two cores. The exit code is 1 if something that must hold does not.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from eegsleep.batch.resources import Resources
from eegsleep.batch.run import run_batch
from eegsleep.batch.sources import find_jobs
from eegsleep.workflows.score import Job, score_job

N_BROKEN, N_KILLS = 4, 10
TIME_LIMIT_S = 60.0


def simulate(folder: Path, n_nights: int) -> None:
    """Write the recordings: the last two will be made to crash and to hang, and four more are broken."""
    from eegsleep import SimulationSettings, simulate_night, write_simulated_night

    settings = SimulationSettings(duration_h=2.0, rate_hz=100, eeg=("C4-M1",))
    for number in range(1, n_nights - N_BROKEN + 1):
        write_simulated_night(simulate_night(settings, number), folder, f"n{number:02}")
    whole = (folder / "n01.edf").read_bytes()
    broken = (b"", b"no recording at all\n" * 99, whole[:700], whole.replace(b"uV      ", b"        "))
    for number, content in enumerate(broken, start=1):
        (folder / f"broken{number}.edf").write_bytes(content)


def work_or_misbehave(job: Job, settings: object, output: Path) -> None:
    """Do a night, but for two; write down what the process has of memory after each."""
    import psutil

    if job.night == os.environ["CRASHING_NIGHT"]:
        ctypes.string_at(0)
    if job.night == os.environ["HANGING_NIGHT"]:
        ctypes.PyDLL(None).sleep(6000)
    score_job(job, settings, output)
    with (output.parent / "memory.txt").open("a") as file:
        file.write(f"{os.getpid()} {psutil.Process().memory_info().rss / 1e6:.0f}\n")


def run_command(*arguments: object) -> tuple[float, int]:
    """Return the seconds and the exit code of a batch run as a command."""
    started_s = time.monotonic()
    done = subprocess.run([*COMMAND, *map(str, arguments)], check=False, capture_output=True)
    return time.monotonic() - started_s, done.returncode


COMMAND = [sys.executable, "-m", "eegsleep", "batch"]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a batch but its lock, and what tells the nights of this run from earlier ones."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and ".jobs" not in p.parts and p.name not in {"jobs.csv", "index.html"}
    }


def measure(folder: Path, n_nights: int) -> list[tuple[str, bool]]:
    """Return what was found, in sentences, and whether each is as it must be."""
    recordings = folder / "recordings"
    simulate(recordings, n_nights)
    jobs = find_jobs([recordings], Job(Path())).jobs
    good = [job for job in jobs if job.night.startswith("n")][:-2]
    files, n_failing = [job.file for job in good], N_BROKEN + 2
    said = []

    started_s = time.monotonic()
    table = run_batch(
        jobs, folder / "first", resources=Resources(workers=2), time_limit_s=TIME_LIMIT_S, work=work_or_misbehave
    )
    counts = table["status"].value_counts().to_dict()
    said.append(
        (
            f"{counts} in {time.monotonic() - started_s:.0f} s",
            counts == {"done": n_nights - n_failing, "failed": n_failing},
        )
    )
    said += [(f"  {row.night}: {row.error}: {row.reason}", True) for row in table.itertuples() if row.error]
    by_process: dict[str, list[int]] = {}
    for line in (folder / "memory.txt").read_text().splitlines():
        by_process.setdefault(line.split()[0], []).append(int(line.split()[1]))
    for used in by_process.values():
        said.append(
            (f"memory of a worker after each of its nights, MB: {used}", used[-1] < 1.2 * used[min(2, len(used) - 1)])
        )

    seconds, code = run_command(*files, "--output", folder / "first")
    said.append((f"second run, {len(files)} fresh: {seconds:.1f} s", seconds < 5 and code == 0))

    serial_s, _ = run_command(*files, "--output", folder / "serial", "--workers", 0)
    local_s, _ = run_command(*files, "--output", folder / "local", "--workers", 2)
    said.append(
        (
            f"serial {serial_s:.1f} s, two workers {local_s:.1f} s: {serial_s / local_s:.2f} times as fast",
            serial_s / local_s >= 1.7,
        )
    )
    same = contents(folder / "serial") == contents(folder / "local")
    said.append((f"the same bytes: {same}", same))

    moments, n_killed = random.Random(1), 0  # noqa: S311 - not a secret
    for _ in range(N_KILLS):
        running = subprocess.Popen(
            [*COMMAND, *map(str, files), "--output", folder / "killed", "--workers", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.5, local_s / 4))
        n_killed += running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
    seconds, code = run_command(*files, "--output", folder / "killed", "--workers", 2)
    same = contents(folder / "killed") == contents(folder / "local")
    said.append(
        (f"killed {n_killed} times, then {seconds:.1f} s to the end; the same bytes: {same}", same and code == 0)
    )
    return said


def main() -> int:
    """Measure in a folder that is emptied first, and tell."""
    folder = Path(sys.argv[1]).absolute()
    n_nights = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    shutil.rmtree(folder, ignore_errors=True)
    n_whole = n_nights - N_BROKEN
    os.environ.update(CRASHING_NIGHT=f"n{n_whole - 1:02}", HANGING_NIGHT=f"n{n_whole:02}")
    said = measure(folder, n_nights)
    for sentence, holds in said:
        print(sentence if holds else f"NOT AS IT MUST BE: {sentence}")
    return 0 if all(holds for _, holds in said) else 1


if __name__ == "__main__":
    sys.exit(main())
