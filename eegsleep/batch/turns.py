"""Take turns: no more nights are begun than there are workers, so that a worker's death is blamed on its own night."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Protocol

from eegsleep.batch.task import KILLED, TIME_LIMIT, Death, fail_row
from eegsleep.errors import EegSleepError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eegsleep.workflows.score import Job

# A night that had not begun when its worker died did not kill it, and is tried again, up to so many times.
_MAX_UNBEGUN = 5
# So many workers that die one after the other before any night begins mean that no worker can work here.
_MAX_USELESS = 8


class Crew(Protocol):
    """Workers that nights are given to, in other processes or on other machines."""

    def count_free(self) -> int:
        """Return how many more nights can be begun now."""
        ...

    def begin(self, job: Job) -> None:
        """Give a night to a worker."""
        ...

    def wait(self) -> tuple[Job, dict[str, Any] | Death]:
        """Wait until a night ends; return its row of jobs.csv, or how its worker died. It never waits for ever."""
        ...


def take_turns(left: Mapping[str, Job], crew: Crew) -> Iterator[dict[str, Any]]:
    """Give nights to workers; yield their rows of jobs.csv as they end.

    A night whose process died is tried once more, alone, after all others.

    Parameters
    ----------
    left : mapping of str to Job
        By name of the night.
    crew : Crew

    Yields
    ------
    dict

    Raises
    ------
    EegSleepError
        If workers die one after the other before any night begins.
    """
    waiting, again = deque(left.values()), deque[Any]()
    running: set[str] = set()
    unbegun: Counter[str] = Counter()
    n_useless = 0
    while waiting or again or running:
        begun = [waiting.popleft() for _ in range(min(max(0, crew.count_free()), len(waiting)))]
        if not begun and not running:
            begun = [waiting.popleft() if waiting else again.popleft()]
        for job in begun:
            running.add(job.night)
            crew.begin(job)
        job, end = crew.wait()
        running.discard(job.night)
        if not isinstance(end, Death) or end.attempts:
            n_useless = 0
        elif (n_useless := n_useless + 1) >= _MAX_USELESS:
            raise EegSleepError(
                "the workers cannot do their work",
                found=f"{n_useless} died one after the other before they began a night",
                remedy="check that there is memory for them, or give --workers 0; what was finished is kept",
            )
        if isinstance(end, Death) and end.attempts == 0 and unbegun[job.night] < _MAX_UNBEGUN:
            unbegun[job.night] += 1
            waiting.appendleft(job)
        elif isinstance(end, Death) and end.attempts == 1 and end.kind != TIME_LIMIT:
            again.append(job)
        elif isinstance(end, Death):
            yield fail_row(job, end.kind or KILLED, end.reason or "its worker died before the night began.")
        else:
            yield end
