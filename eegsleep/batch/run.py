"""Many nights: the fresh ones left alone, the others worked out, each for itself, and all of it written down."""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eegsleep.batch.cluster import Resources, check_resources
from eegsleep.batch.freshness import find_fresh
from eegsleep.batch.jobs_file import clean_output, lock_output, make_row, make_table, name_file, read_rows, write_rows
from eegsleep.batch.on_dask import work_on_dask
from eegsleep.batch.task import FULL, Order, attempt_here, fail_row, is_full
from eegsleep.errors import SettingsError
from eegsleep.provenance import package_versions
from eegsleep.workflows.score import score_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from eegsleep.batch.task import Work
    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

TIME_LIMIT_S, _MAX_TIME_S = 1800.0, 1e6
# What a job names of files; a worker stands in another folder than the command.
_PATHS = ("file", "hypnogram", "reference", "calibration", "events")


class Standing(NamedTuple):
    """How far a batch is: nights asked for, those of them fresh, done and failed, and the last row."""

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
    tell: Callable[[Standing], object] | None = None,
    work: Work = score_job,
) -> pd.DataFrame:
    """Work out many nights, and keep each in its own folder.

    A night that is there as it would be made now is left alone. Whatever happens to a night - a broken file, a
    crash of its process, too little memory, too much time - costs that night alone. Killed at any moment, the same
    call goes on where it was. In a script, call it under `if __name__ == "__main__":`, for workers import it.

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
        A night that takes longer is stopped. It does not hold for work in this process.
    tell : callable, optional
        Called with a `Standing` at the beginning and after every night.
    work : callable, optional
        What is done for a night, given job, settings and output; an importable function.

    Returns
    -------
    pandas.DataFrame
        Table `JOBS`, one row for each job. `jobs.csv` also keeps the rows of nights not asked for now.

    Raises
    ------
    EegSleepError
        If another run is at work in the folder, or the scheduler cannot be used.
    """
    from eegsleep.config import Settings

    output, settings = Path(output).absolute(), settings or Settings()
    resources = resources or Resources()
    _check_asked(jobs, time_limit_s)
    check_resources(resources)
    with lock_output(output):
        clean_output(output)
        earlier = read_rows(output)
        jobs = [_settle(job, output, earlier) for job in jobs]
        fresh = find_fresh(jobs, output, settings)
        rows = {job.night: make_row(job, output, status="fresh") for job in jobs if job.night in fresh}
        write_rows(output, {**earlier, **rows})
        left = {job.night: job for job in jobs if job.night not in fresh}
        standing = Standing(len(jobs), len(fresh), 0, 0)
        if tell:
            tell(standing)
        order = Order(output, time_limit_s, uuid.uuid4().hex, package_versions())
        here = resources.workers == 0 or (len(jobs) == 1 and not resources.scheduler)
        made = _work_here if here else work_on_dask
        with closing(made(left, settings, order, work, resources)) as finished:
            for row in finished if left else ():
                rows[row["night"]] = make_row(left[row["night"]], output, **row)
                standing = _count(standing, rows[row["night"]])
                is_kept = _keep(output, {**earlier, **rows})
                if tell:
                    tell(standing)
                if row["error"] == FULL or not is_kept:
                    break
        for job in left.values():
            if job.night not in rows:
                rows[job.night] = make_row(job, output, **fail_row(job, FULL, "the disk was full before its turn."))
        _keep(output, {**earlier, **rows})
        clean_output(output)
    return make_table(rows)


def _check_asked(jobs: Sequence[Job], time_limit_s: float) -> None:
    if not 0 < time_limit_s <= _MAX_TIME_S:
        raise SettingsError(
            "the time limit is no time for a night",
            found=f"{time_limit_s:g} s",
            allowed=f"seconds, over 0 and up to {_MAX_TIME_S:g}",
        )
    if not jobs:
        raise SettingsError("there is no night to work out", allowed="one and more")
    # some systems tell no small letter from a capital
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


def _settle(job: Job, output: Path, earlier: Mapping[str, Mapping[str, Any]]) -> Job:
    """Return a job as it travels: paths that hold anywhere, and whether its night may replace one that is there.

    It may if the recording at the same place was that night before.
    """
    paths = {name: path.absolute() for name in _PATHS if (path := getattr(job, name))}
    known = earlier.get(job.night, {}).get("file") == name_file(paths["file"], output)
    return replace(job, **paths, replaces=job.replaces or known)


def _count(standing: Standing, row: dict[str, Any]) -> Standing:
    failed = row["status"] == "failed"
    return standing._replace(n_done=standing.n_done + (not failed), n_failed=standing.n_failed + failed, last=row)


def _keep(output: Path, rows: Mapping[str, Mapping[str, Any]]) -> bool:
    """Write the account down; return whether there was room for it."""
    try:
        write_rows(output, rows)
    except OSError as error:
        if not is_full(error):
            raise
        return False
    return True


def _work_here(
    left: Mapping[str, Job], settings: Settings, order: Order, work: Work, _: Resources
) -> Iterator[dict[str, Any]]:
    """Yield the rows of nights worked out in this process."""
    for job in left.values():
        yield attempt_here(job, settings, order, work)
