"""Two channels at a time: their arithmetic runs side by side and gives the same digits as one after the other."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Task = TypeVar("Task")
Result = TypeVar("Result")

# Each channel that is worked on holds arrays of its own: two of them keep the peak of memory where reading put it.
_N_THREADS = 2


def measure_each(measure: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """Measure each channel by itself, two at a time where a processor is free.

    Parameters
    ----------
    measure : callable
        Takes one task, and changes nothing that another one reads. Most of its time should be spent in numpy or
        scipy, which let other threads run meanwhile.
    tasks : iterable
        One for each channel.

    Returns
    -------
    list
        What `measure` returned, in the order of the tasks. A worker of a batch measures them one after the other,
        because the other workers use the other processors.
    """
    tasks = list(tasks)
    is_worker = multiprocessing.parent_process() is not None
    if is_worker or len(tasks) < _N_THREADS or (os.cpu_count() or 1) < _N_THREADS:
        return [measure(task) for task in tasks]
    with ThreadPoolExecutor(_N_THREADS) as threads:
        return list(threads.map(measure, tasks))
