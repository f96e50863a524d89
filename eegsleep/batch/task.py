"""One night in a worker: a time limit, a log that survives the process, and one row of jobs.csv at the end.

A crash in native code, or a kill, ends the whole process, which then cannot report a reason. So each night has a small
log in `<output>/.jobs/`, written by `faulthandler`. Its timer does not need the interpreter, and also ends a night that
hangs in native code.
"""

from __future__ import annotations

import errno
import faulthandler
import gc
import logging
import re
import signal
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from eegsleep.batch.jobs_file import JOBS_FOLDER
from eegsleep.errors import EegSleepError
from eegsleep.freed_memory import ask_glibc, keep_freed_memory
from eegsleep.provenance import package_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

    Work = Callable[[Job, Settings, Path], object]

# Values of the column `error` for ends without an exception of their own.
TIME_LIMIT, CRASHED, KILLED, FULL = "TimeLimitError", "NativeCrashError", "WorkerKilledError", "DiskFullError"
# A process that a killed run left running ends within seconds.
ORPHAN_S = 120.0
_FULL = {errno.ENOSPC, errno.EDQUOT}
# The timer and the log belong to the process, so a worker with several threads takes one night at a time.
_ONE_AT_A_TIME = threading.Lock()


class Order(NamedTuple):
    """The same for all nights of a run: output folder, time limit, id of the run, and versions of the packages."""

    output: Path
    time_limit_s: float
    run: str
    versions: dict[str, str]


class Death(NamedTuple):
    """How processes that worked on a night ended, according to the log of the night."""

    attempts: int
    kind: str
    reason: str


def dask_setup(_: object) -> None:
    """Ignore an interrupt from the keyboard: it reaches all processes, and the command handles it. Dask calls this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def attempt(job: Job, settings: Settings, order: Order, work: Work) -> dict[str, Any]:
    """Score one night in a worker, whatever happens, and return its row of jobs.csv.

    Raises
    ------
    EegSleepError
        If the worker does not see the output folder, or has other versions of the packages.
    """
    folder = order.output / JOBS_FOLDER
    if not folder.is_dir():
        raise EegSleepError(
            "a worker does not see the folder for the nights",
            found=f"no {order.output} there",
            remedy="give a folder with --output that all workers share",
        )
    if package_versions() != order.versions:
        raise EegSleepError("a worker has other versions than the command", remedy="install the same")
    # warnings are stored with the night; a worker prints nothing
    if not (logger := logging.getLogger("eegsleep")).handlers:
        logger.addHandler(logging.NullHandler())
    keep_freed_memory()
    with _ONE_AT_A_TIME:
        earlier = read_death(order, job.night)
        if earlier.attempts > 1 or earlier.kind == TIME_LIMIT:
            return fail_row(job, earlier.kind, earlier.reason)
        try:
            with _watched(folder / f"{job.night}.log", order):
                return attempt_here(job, settings, order, work)
        except OSError as error:
            return fail_row(job, *_describe_error(error))


def attempt_here(job: Job, settings: Settings, order: Order, work: Work) -> dict[str, Any]:
    """Score one night in this process, unless it is there by now, and return its row of jobs.csv."""
    from filelock import FileLock, Timeout

    from eegsleep.batch.freshness import is_fresh
    from eegsleep.batch.jobs_file import remove_leftovers

    output = order.output
    row = {"night": job.night, "status": "done", "error": "", "reason": ""}
    try:
        # a worker of a killed run may still be writing this night
        with FileLock(output / JOBS_FOLDER / f"{job.night}.lock", timeout=ORPHAN_S):
            remove_leftovers(output, job.night)
            if is_fresh(job, output, settings, order.versions):  # by a worker that died before it returned the row
                return row
            started_s = time.monotonic()
            try:
                work(job, settings, output)
            except Exception as error:  # noqa: BLE001 - any error fails this night only
                kind, reason = _describe_error(error)
                # jobs.csv may be shared: no absolute paths in it
                for path in (job.file, output):
                    reason = reason.replace(str(path), path.name) if path.name else reason
                row = fail_row(job, kind, reason)
            seconds = time.monotonic() - started_s
    except Timeout:
        return fail_row(job, KILLED, "a process that an earlier run left behind still works on it; try again later.")
    except OSError as error:
        return fail_row(job, *_describe_error(error))
    return row | {"seconds": seconds, "memory_mb": _free_memory()}


def fail_row(job: Job, kind: str, reason: str) -> dict[str, Any]:
    """Return the row of a night that failed."""
    return {"night": job.night, "status": "failed", "error": kind, "reason": reason}


def read_death(order: Order, night: str) -> Death:
    """Return how the processes ended that began a night in this run and did not finish it, as its log shows."""
    try:
        text = (order.output / JOBS_FOLDER / f"{night}.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    *_, last = text.split(f"began {order.run}\n")
    n_attempts = text.count(f"began {order.run}\n")
    if not n_attempts:
        return Death(0, "", "")
    if last.startswith("Timeout ("):
        return Death(
            n_attempts,
            TIME_LIMIT,
            f"it took longer than the time limit of {order.time_limit_s:g} s; "
            "give more with --time-limit, or look at the recording.",
        )
    crash = re.search(r"^(?:Fatal Python error|Windows fatal exception): (.+)$", last, re.MULTILINE)
    if crash:
        frame = re.search(r'^  File "(?:.*[/\\])?([^/\\"]+)", line (\d+) in (\S+)', last, re.MULTILINE)
        where = f" in {frame[3]} ({frame[1]}, line {frame[2]})" if frame else ""
        return Death(n_attempts, CRASHED, f"its process crashed in native code: {crash[1]}{where}.")
    return Death(
        n_attempts,
        KILLED,
        "its process was killed from outside, most likely for want of memory; "
        "give fewer workers with --workers, or a machine with more memory.",
    )


@contextmanager
def _watched(path: Path, order: Order) -> Iterator[None]:
    """Log that a night began, set the time limit, and remove the log if the process survives the night."""
    with path.open("a", encoding="utf-8") as log:
        log.write(f"began {order.run}\n")
        log.flush()
        _watch(log, order.time_limit_s)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()
    with suppress(OSError):
        path.unlink()


def _watch(log: TextIO, time_limit_s: float) -> None:
    faulthandler.enable(file=log, all_threads=False)
    faulthandler.dump_traceback_later(time_limit_s, exit=True, file=log)


def _describe_error(error: BaseException) -> tuple[str, str]:
    """Return the kind of an error and its message, in one line."""
    if is_full(error):
        return FULL, "the disk is full."
    if isinstance(error, EegSleepError):
        return type(error).__name__, str(error)
    if isinstance(error, MemoryError):
        return "MemoryError", "there was not enough memory; give fewer workers with --workers."
    said = " ".join(str(error).split())
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    where = f" ({Path(at.tb_frame.f_code.co_filename).name}, line {at.tb_lineno})" if at else ""
    return type(error).__name__, f"{said or 'no message'}{where}."


def is_full(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, is a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def _free_memory() -> float:
    """Give unused memory back to the system, and return the memory the process still has, in MB."""
    import psutil

    gc.collect()
    ask_glibc("malloc_trim", 0)
    return psutil.Process().memory_info().rss / 1e6
