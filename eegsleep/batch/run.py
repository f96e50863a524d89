"""Run a batch: leave fresh nights alone, score the others one by one, and keep jobs.csv up to date."""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eegsleep.batch.cluster import find_address
from eegsleep.batch.freshness import find_fresh
from eegsleep.batch.jobs_file import (
    clean_output,
    hide_name,
    lock_output,
    make_row,
    make_table,
    name_file,
    read_rows,
    write_rows,
)
from eegsleep.batch.on_dask import work_on_dask
from eegsleep.batch.processes import work_in_processes
from eegsleep.batch.resources import Resources, check_resources
from eegsleep.batch.task import FULL, Order, attempt_here, fail_row, is_full
from eegsleep.errors import SettingsError
from eegsleep.provenance import package_versions
from eegsleep.workflows.score import score_job

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import pandas as pd

    from eegsleep.batch.task import Work
    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

TIME_LIMIT_S, _MAX_TIME_S = 1800.0, 1e6
# Fields of a job that are paths; they are made absolute, because a worker runs in another folder.
_PATHS = ("file", "hypnogram", "reference", "calibration", "events", "stages_by")


class Standing(NamedTuple):
    """How far a batch is.

    Attributes
    ----------
    n_nights : int
        Nights of the batch.
    n_fresh, n_done, n_failed : int
        Nights that were up to date, that were scored, and that failed, so far.
    last : dict, optional
        The row of jobs.csv of the night that ended last; None before the first.
    """

    n_nights: int
    n_fresh: int
    n_done: int
    n_failed: int
    last: dict[str, Any] | None = None


def run_batch(
    jobs: Sequence[Job],
    output: str | Path,
    settings: Settings | None = None,
    *,
    resources: Resources | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    ids_only: bool = False,
    on_progress: Callable[[Standing], object] | None = None,
    work: Work = score_job,
) -> pd.DataFrame:
    """Score many nights, each into its own folder.

    A night whose folder is up to date is left alone. A broken file, a crash of a process, too little memory or too much
    time fails one night and no other. After a kill at any moment, the same call continues where the last one stopped.
    In a script, call it under `if __name__ == "__main__":`, because workers import the script.

    Parameters
    ----------
    jobs : sequence of Job
        As `find_jobs` gives them; every one has a name.
    output : path
        Folder of the night folders.
    settings : Settings, optional
    resources : Resources, optional
        By default as many workers as this machine has cores and memory for.
    time_limit_s : float
        A night that takes longer is stopped, unless nights are scored in this process.
    ids_only : bool
        Whether jobs.csv leaves out the names of recordings and of their folders.
    on_progress : callable, optional
        Called with a `Standing` at the beginning and after every night.
    work : callable, optional
        The function that scores a night, given job, settings and output; workers must be able to import it.

    Returns
    -------
    pandas.DataFrame
        Table `JOBS`, one row for each job. `jobs.csv` also keeps the rows of nights not asked for now.

    Raises
    ------
    EegSleepError
        If another run is at work in the folder, or the scheduler cannot be used.

    Examples
    --------
    >>> jobs, folder, _ = es.find_jobs(["sample-night.edf"], output="nights")
    >>> es.run_batch(jobs, folder)["status"].tolist()  # it was finished before
    ['fresh']
    """
    from eegsleep.config import Settings

    output, settings = Path(output).absolute(), settings or Settings()
    resources = resources or Resources()
    _check_asked(jobs, time_limit_s)
    check_resources(resources)
    if resources.scheduler:
        find_address(resources.scheduler)
    with lock_output(output), _keep_clean(output):
        earlier = read_rows(output)
        jobs = [_prepare(job, output, earlier) for job in jobs]
        fresh = find_fresh(jobs, output, settings)
        rows = {
            job.night: make_row(job, output, ids_only=ids_only, status="fresh") for job in jobs if job.night in fresh
        }
        write_rows(output, {**earlier, **rows})
        left = {job.night: job for job in jobs if job.night not in fresh}
        standing = Standing(len(jobs), len(fresh), 0, 0)
        if on_progress:
            on_progress(standing)
        order = Order(output, time_limit_s, uuid.uuid4().hex, package_versions())
        here = resources.workers == 0 or (len(jobs) == 1 and not resources.scheduler)
        made = _work_here if here else work_on_dask if resources.scheduler else work_in_processes
        with closing(made(left, settings, order, work, resources)) as finished:
            for row in finished if left else ():
                rows[row["night"]] = make_row(left[row["night"]], output, ids_only=ids_only, **row)
                standing = _count(standing, rows[row["night"]])
                is_kept = _write_if_room(output, {**earlier, **rows})
                if on_progress:
                    on_progress(standing)
                if row["error"] == FULL or not is_kept:
                    break
        for job in left.values():
            if job.night not in rows:
                rows[job.night] = make_row(
                    job, output, ids_only=ids_only, **fail_row(job, FULL, "the disk was full before its turn.")
                )
        _write_if_room(output, {**earlier, **rows})
    return make_table(rows)


@contextmanager
def _keep_clean(output: Path) -> Iterator[None]:
    """Remove unfinished files of killed runs before this one, and of this one when it ends, however it ends."""
    clean_output(output)
    try:
        yield
    finally:
        clean_output(output)


def _check_asked(jobs: Sequence[Job], time_limit_s: float) -> None:
    if not 0 < time_limit_s <= _MAX_TIME_S:
        raise SettingsError(
            "the time limit is no time for a night",
            found=f"{time_limit_s:g} s",
            allowed=f"seconds, over 0 and up to {_MAX_TIME_S:g}",
        )
    if not jobs:
        raise SettingsError("there is no night to work out", allowed="one and more")
    # some file systems do not distinguish small letters from capitals
    names = Counter(job.night.casefold() for job in jobs)
    twice = [job for job in jobs if names[job.night.casefold()] > 1]
    if twice:
        raise SettingsError(
            f"two recordings would go to the one folder {twice[0].night}",
            found=" and ".join(str(job.file) for job in twice[:2]),
            remedy="rename one of them, or give each its own folder with --output",
        )
    if not all(names):
        raise SettingsError("a night has no name", allowed="a name for every job of a batch")


def _prepare(job: Job, output: Path, earlier: Mapping[str, Mapping[str, Any]]) -> Job:
    """Return a job with absolute paths, and with whether its night may replace the one of the same name.

    It may if jobs.csv lists a recording at the same path for that night.
    """
    paths = {name: path.absolute() for name in _PATHS if (path := getattr(job, name))}
    name = name_file(paths["file"], output)
    known = earlier.get(job.night, {}).get("file") in {name, hide_name(name)}
    return replace(job, **paths, replaces=job.replaces or known)


def _count(standing: Standing, row: dict[str, Any]) -> Standing:
    failed = row["status"] == "failed"
    return standing._replace(n_done=standing.n_done + (not failed), n_failed=standing.n_failed + failed, last=row)


def _write_if_room(output: Path, rows: Mapping[str, Mapping[str, Any]]) -> bool:
    """Write jobs.csv; return whether the disk had room for it."""
    try:
        write_rows(output, rows)
    except OSError as error:
        if not is_full(error):
            raise
        return False
    return True


def _work_here(
    left: Mapping[str, Job], settings: Settings, order: Order, work: Work, _: Resources
) -> Generator[dict[str, Any]]:
    """Score nights in this process; yield their rows of jobs.csv."""
    for job in left.values():
        yield attempt_here(job, settings, order, work)
