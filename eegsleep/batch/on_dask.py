"""Nights on a Dask cluster that somebody else started, without ever waiting for it without end."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

from eegsleep.batch.cluster import WAIT_S, check_workers, count_workers, open_client, went_over
from eegsleep.batch.task import KILLED, ORPHAN_S, Death, attempt, fail_row, read_death
from eegsleep.batch.turns import take_turns
from eegsleep.errors import EegSleepError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from distributed import Client, Future

    from eegsleep.batch.resources import Resources
    from eegsleep.batch.task import Order, Work
    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

logger = logging.getLogger(__name__)

# So many more nights than workers are submitted: an adaptive cluster grows if nights wait.
_SPARE = 4
# How often the cluster is looked at while no night ends.
_STEP_S = 5.0
# A night begins at most this long after its worker took it, and its answer arrives as quickly.
_GRACE_S = ORPHAN_S + 60.0


def work_on_dask(
    left: Mapping[str, Job], settings: Settings, order: Order, work: Work, resources: Resources
) -> Generator[dict[str, Any]]:
    """Score nights on a cluster; yield their rows of jobs.csv as they end.

    Parameters
    ----------
    left : mapping of str to Job
        By name of the night.
    settings : Settings
    order : Order
    work : callable
        The function that scores a night.
    resources : Resources
        The scheduler, and the files to connect to it.

    Yields
    ------
    dict

    Raises
    ------
    EegSleepError
        If there is no worker or none is left, the connection is lost, or no night ends for longer than one may take.
    """
    from distributed import CancelledError

    with open_client(resources) as client:
        try:
            check_workers(client, order.output)
            yield from take_turns(left, Cluster(client, (settings, order, work)))
        except (OSError, CancelledError) as error:
            raise _lost("the connection to the scheduler was lost") from error


def _lost(problem: str, found: str = "") -> EegSleepError:
    return EegSleepError(problem, found=found, remedy="run the same command again; what was finished is kept")


class Cluster:
    """A crew of the workers that a scheduler has.

    Parameters
    ----------
    client : distributed.Client
    common : tuple
        Settings, order and work, the same for all nights.
    """

    def __init__(self, client: Client, common: tuple[Settings, Order, Work]) -> None:
        self._client, self._common, self._order = client, common, common[1]
        self._tasks: dict[Future, Job] = {}
        self._n_workers = 1

    def count_free(self) -> int:
        """Return how many more nights can be begun now."""
        self._n_workers = count_workers(self._client)
        return max(1, self._n_workers) + _SPARE - len(self._tasks)

    def begin(self, job: Job) -> None:
        """Give a night to the scheduler."""
        key = f"{job.night}-{uuid.uuid4().hex}"
        self._tasks[self._client.submit(attempt, job, *self._common, key=key, pure=False)] = job

    def wait(self) -> tuple[Job, dict[str, Any] | Death]:
        """Wait until a night ends; return its row of jobs.csv, or how its worker died.

        Whatever Dask does, this ends: with no worker for as long as one may take to start, or with no night that
        ends for longer than a night may take.
        """
        from distributed import wait

        since_s = seen_s = time.monotonic()
        while True:
            try:
                with self._client.as_current():
                    ended = wait(list(self._tasks), timeout=_STEP_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                ended = set()
            for future in ended:
                job = self._tasks.pop(future)
                return job, self._read_end(future, job)
            now_s = time.monotonic()
            if count_workers(self._client):
                seen_s = now_s
            if now_s - seen_s > WAIT_S:
                raise _lost("the scheduler has no worker any more", f"none in {WAIT_S:g} s")
            if now_s - since_s > self._order.time_limit_s + _GRACE_S:
                raise _lost(
                    "no night came back from the scheduler for longer than one may take",
                    f"{len(self._tasks)} nights given to it, none ended in {now_s - since_s:.0f} s",
                )

    def _read_end(self, future: Future, job: Job) -> dict[str, Any] | Death:
        from distributed import CancelledError, KilledWorker

        try:
            # the worker may have died since, with the row; then another worker looks the night up
            return future.result(timeout=self._order.time_limit_s + _GRACE_S)
        except KilledWorker as error:
            death = read_death(self._order, job.night)
            if death.kind == KILLED and went_over(self._client, error.last_worker.address):
                return death._replace(
                    reason="its worker went over its memory limit and was stopped; give the workers more, "
                    "or let fewer run on a machine."
                )
            return death if death.attempts else Death(0, KILLED, "its worker died before the night began.")
        except TimeoutError as error:
            raise _lost("a night that had ended did not come back from the scheduler", job.night) from error
        except (CancelledError, OSError):  # the scheduler is gone; an OSError of a worker arrives as a row
            raise
        except Exception as error:  # noqa: BLE001 - an error of Dask about a night fails this night only
            return fail_row(job, type(error).__name__, str(error))
