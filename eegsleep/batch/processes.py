"""Workers as processes of this machine, reached through pipes.

Nothing listens: no port, no socket. On a machine that several people use, a scheduler that listens, even on this
machine only, lets every one of them run code as the person who started the batch.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process, resource_tracker
from typing import TYPE_CHECKING, Any, NamedTuple

from eegsleep.batch.resources import share_machine
from eegsleep.batch.task import KILLED, ORPHAN_S, TIME_LIMIT, Death, attempt, fail_row, read_death
from eegsleep.batch.turns import take_turns
from eegsleep.errors import EegSleepError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from eegsleep.batch.resources import Resources
    from eegsleep.batch.task import Order, Work
    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

logger = logging.getLogger(__name__)

# One thread does all of a night's arithmetic; these are read before numpy is imported.
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
# How often the memory of the workers is measured, and the part of the limit at which one is stopped.
_STEP_S, _FULL = 0.1, 0.95
# A worker stops its own night at the time limit. One that does not, because it was suspended or hangs before the
# night begins, is stopped after this much more: the wait for a worker of a killed run, and the start of a process.
_GRACE_S = ORPHAN_S + 60.0
_END_S = 10.0


def work_in_processes(
    left: Mapping[str, Job], settings: Settings, order: Order, work: Work, resources: Resources
) -> Generator[dict[str, Any]]:
    """Score nights in processes of this machine; yield their rows of jobs.csv as they end.

    Parameters
    ----------
    left : mapping of str to Job
        By name of the night.
    settings : Settings
    order : Order
    work : callable
        The function that scores a night.
    resources : Resources
        How many processes, and the memory of each.

    Yields
    ------
    dict

    Raises
    ------
    EegSleepError
        If processes cannot be started, or none of them can work.
    """
    logger.info("starting workers")
    processes = Processes(*share_machine(resources, len(left)), (settings, order, work))
    try:
        yield from take_turns(left, processes)
    finally:
        processes.stop()


class Worker(NamedTuple):
    """A process, and the pipe to it."""

    process: SpawnProcess
    pipe: Connection


class _Task(NamedTuple):
    worker: Worker
    job: Job
    overdue_s: float  # on the monotonic clock


class Processes:
    """A crew of processes that are started when they are needed.

    Parameters
    ----------
    n_workers, memory_bytes : int
        How many processes, and the memory that each may take.
    common : tuple
        Settings, order and work, the same for all nights.
    """

    def __init__(self, n_workers: int, memory_bytes: int, common: tuple[Settings, Order, Work]) -> None:
        self._n_workers, self._memory_bytes, self._common = n_workers, memory_bytes, common
        self._order = common[1]
        self._idle: list[Worker] = []
        self._tasks: list[_Task] = []

    def count_free(self) -> int:
        """Return how many more nights can be begun now."""
        return self._n_workers - len(self._tasks)

    def begin(self, job: Job) -> None:
        """Give a night to a process that has none, or to a new one."""
        worker = self._idle.pop() if self._idle else start_worker()
        overdue_s = time.monotonic() + self._order.time_limit_s + _GRACE_S
        self._tasks.append(_Task(worker, job, overdue_s))
        try:
            worker.pipe.send((job, *self._common))
        except OSError:  # it died; `wait` finds out
            pass
        except Exception as error:
            raise EegSleepError(
                "the nights cannot be given to another process",
                found=f"{type(error).__name__}: {error}",
                remedy="give functions and settings that another process can import, or --workers 0",
            ) from error

    def wait(self) -> tuple[Job, dict[str, Any] | Death]:
        """Wait until a night ends; return its row of jobs.csv, or how its process died."""
        while True:
            ready = connection.wait([task.worker.pipe for task in self._tasks], timeout=_STEP_S)
            for task in self._tasks:
                if task.worker.pipe in ready:
                    self._tasks.remove(task)
                    return task.job, self._receive(task)
                if reason := self._find_excess(task):
                    self._tasks.remove(task)
                    _kill(task.worker)
                    return task.job, self._bury(task.job, *reason)

    def stop(self) -> None:
        """End all processes, whatever they do."""
        workers = self._idle + [task.worker for task in self._tasks]
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            _kill(worker)

    def _receive(self, task: _Task) -> dict[str, Any] | Death:
        try:
            end = task.worker.pipe.recv()
        except (OSError, EOFError):
            _kill(task.worker)
            return self._bury(task.job)
        self._idle.append(task.worker)
        return end if isinstance(end, dict) else fail_row(task.job, type(end).__name__, str(end))

    def _bury(self, job: Job, kind: str = "", reason: str = "") -> Death:
        """Return how a process died: as its log shows, unless it is known here that it was stopped, and why."""
        death = read_death(self._order, job.night)
        if kind == TIME_LIMIT:  # even if the log does not show that the night began: it is not tried again
            death = death._replace(attempts=max(1, death.attempts))
        return death._replace(kind=kind, reason=reason) if reason and death.kind in {"", KILLED} else death

    def _find_excess(self, task: _Task) -> tuple[str, str] | None:
        """Return whether a process takes too much memory or too much time: a kind of death and a reason, or None."""
        import psutil

        try:
            used_bytes = psutil.Process(task.worker.process.pid).memory_info().rss
        except psutil.Error:  # it died; its pipe says so next
            return None
        if used_bytes > _FULL * self._memory_bytes:
            return KILLED, (
                f"its worker went over its memory limit of {self._memory_bytes / 1e9:.1f} GB and was stopped; give "
                "more with --memory-limit, or fewer workers with --workers."
            )
        if time.monotonic() > task.overdue_s:
            return TIME_LIMIT, (
                f"its worker did not end it within the time limit of {self._order.time_limit_s:g} s, nor later, "
                "and was stopped."
            )
        return None


def start_worker() -> Worker:
    """Return a new process that waits for nights.

    Raises
    ------
    EegSleepError
        If the system starts no more processes.
    """
    context = get_context("spawn")  # a fork of a process that has threads may hang
    if hasattr(signal, "pthread_sigmask"):
        # Python's own helper of the first process; as it starts, it would let signals through that are held below
        resource_tracker.ensure_running()
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), name="eegsleep worker", daemon=True)
    try:
        with _held_signals(), _set_threads():
            process.start()
    except OSError as error:
        ours.close()
        raise EegSleepError(
            "the workers cannot be started",
            found=f"{type(error).__name__}: {error}",
            remedy="give fewer with --workers; with 0, this process does the work",
        ) from error
    finally:
        theirs.close()  # so that the pipe ends with the process
    return Worker(process, ours)


@contextmanager
def _held_signals() -> Iterator[None]:
    """Hold back interrupts while a process starts. It inherits this, and so is never interrupted half-started."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _set_threads() -> Iterator[None]:
    """Set the environment that a new process inherits."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(_THREADS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _kill(worker: Worker) -> None:
    worker.process.kill()
    worker.process.join(_END_S)
    worker.pipe.close()


def serve(pipe: Connection) -> None:
    """Score nights, in a worker, until the pipe ends.

    Parameters
    ----------
    pipe : Connection
        Gives tuples of job, settings, order and work; takes rows of jobs.csv.
    """
    for name in ("SIGINT", "SIGHUP"):  # they reach all processes of a terminal; the command handles them
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # noqa: BLE001 - the function of the work cannot be imported here
            pipe.send(EegSleepError(f"a worker does not understand its task: {type(error).__name__}: {error}"))
            continue
        try:
            end: object = attempt(*task)
        except EegSleepError as error:
            end = error
        try:
            pipe.send(end)
        except OSError:
            return


def _end_with_parent() -> None:
    """End this process, even in the middle of a night, when the command is gone."""
    if (parent := parent_process()) is not None:
        connection.wait([parent.sentinel])
    os._exit(1)
