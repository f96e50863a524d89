"""Nights on Dask: no more submitted than workers can take, so that the death of a worker is blamed on its own night."""

from __future__ import annotations

import logging
import uuid
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from eegsleep.batch.cluster import check_workers, open_client, went_over
from eegsleep.batch.task import KILLED, TIME_LIMIT, Death, attempt, fail_row, read_death
from eegsleep.errors import EegSleepError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from distributed import Client, Future

    from eegsleep.batch.cluster import Resources
    from eegsleep.batch.task import Order, Work
    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

logger = logging.getLogger(__name__)

# A night that had not begun when its worker died did not kill it, and is submitted again, up to so many times.
_MAX_UNBEGUN = 5
# So many more nights than workers are submitted to a cluster elsewhere: an adaptive one grows if nights wait.
_SPARE = 4


def work_on_dask(
    left: Mapping[str, Job], settings: Settings, order: Order, work: Work, resources: Resources
) -> Generator[dict[str, Any]]:
    """Score nights on Dask; yield their rows of jobs.csv as they end.

    No more nights are submitted than there are workers, or a few more where workers may still join. A night whose
    process died is tried once more, alone, after all others.

    Raises
    ------
    EegSleepError
        If there is no worker, or the connection to the scheduler is lost.
    """
    from distributed import CancelledError

    logger.info("starting workers")
    with open_client(resources, len(left)) as (client, memory_bytes):
        check_workers(client, order.output)
        spare = _SPARE if resources.scheduler else 0
        try:
            yield from _take_turns(client, left, (settings, order, work), spare, memory_bytes)
        except (OSError, CancelledError) as error:
            raise EegSleepError(
                "the connection to the scheduler was lost",
                remedy="run the same command again; what was finished is kept",
            ) from error


def _take_turns(
    client: Client, left: Mapping[str, Job], common: tuple[Settings, Order, Work], spare: int, memory_bytes: int
) -> Iterator[dict[str, Any]]:
    from distributed import as_completed

    waiting: deque[Job] = deque(left.values())
    again: deque[Job] = deque()
    running: dict[str, Job] = {}
    unbegun: Counter[str] = Counter()
    ended = as_completed(loop=client.loop)
    while waiting or again or running:
        room = max(1, len(client.nthreads())) + spare - len(running)
        batch = [waiting.popleft() for _ in range(min(room, len(waiting)))]
        if not batch and not running:
            batch = [again.popleft()]
        for job in batch:
            key = f"{job.night}-{uuid.uuid4().hex}"
            running[key] = job
            ended.add(client.submit(attempt, job, *common, key=key, pure=False))
        future = next(ended)
        job = running.pop(future.key)
        end = _read_end(future, job, common[1], client, memory_bytes)
        if isinstance(end, Death) and end.attempts == 0 and unbegun[job.night] < _MAX_UNBEGUN:
            unbegun[job.night] += 1
            waiting.appendleft(job)
        elif isinstance(end, Death) and end.attempts == 1 and end.kind != TIME_LIMIT:
            again.append(job)
        else:
            yield fail_row(job, end.kind, end.reason) if isinstance(end, Death) else end


def _read_end(future: Future, job: Job, order: Order, client: Client, memory_bytes: int) -> dict[str, Any] | Death:
    """Return the row that a worker gave, or how it died."""
    from distributed import CancelledError, KilledWorker

    try:
        # the worker may have died since, with the row; then another worker looks the night up, and this waits for it
        return future.result()
    except KilledWorker as error:
        death = read_death(order, job.night)
        if death.kind == KILLED and went_over(client, error.last_worker.address):
            limit = f" of {memory_bytes / 1e9:.1f} GB" if memory_bytes else ""
            return death._replace(
                reason=f"its worker went over its memory limit{limit} and was stopped; give more "
                "with --memory-limit, or fewer workers with --workers."
            )
        return death if death.attempts else Death(0, KILLED, "its worker died before the night began.")
    except (CancelledError, OSError):  # the scheduler is gone; an OSError of a worker arrives as a row
        raise
    except Exception as error:  # noqa: BLE001 - an error of Dask about a night fails this night only
        return fail_row(job, type(error).__name__, str(error))
