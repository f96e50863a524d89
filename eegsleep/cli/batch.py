"""The command `batch`: many nights, resumable, on this machine or on a cluster."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.cli.console import hear_steps, print_note, print_result, printable
from eegsleep.cli.options import ScoringOptions, Whole
from eegsleep.file_names import JOBS_FILE
from eegsleep.provenance import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from rich.console import Console

    from eegsleep.batch.resources import Resources
    from eegsleep.batch.run import Standing
    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

# Without a terminal, a line of progress is written this often.
_LINE_EVERY_S = 30.0


def batch(
    *sources: Path,
    output: Path | None = None,
    workers: Whole | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
    tls_ca: Path | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    time_limit: float = 1800.0,
    ids_only: bool = False,
    bids: Path | None = None,
    options: ScoringOptions | None = None,
) -> int:
    """Score many nights, each into its own folder; run it again to continue, or after anything has changed.

    A night whose folder is up to date is left alone. A night that fails does not stop the others. An expert's
    stages beside a recording, named as in the public data sets, are kept with the night for `eegsleep agree`.
    Exit code 0: all nights are there. 1: some failed, and jobs.csv says why. 2: nothing could be started.

    Parameters
    ----------
    sources
        A study file or its folder; or recordings, and folders that are searched for them; or the name of a
        public data set that was fetched.
    output
        Folder in which the night folders are made; by default eegsleep-nights: beside the file of a study, in the
        folder of a data set, or here.
    workers
        How many nights at a time on this machine; by default as its cores and memory allow. With 0, one after the
        other in this process, with no limit on time and memory.
    memory_limit
        Memory of one worker, such as 2GB; a night that needs more is stopped.
    scheduler
        Address or file of a Dask scheduler whose workers see the same folders, in place of this machine.
    tls_ca
        Certificate of the authority that a scheduler protected by TLS trusts, a PEM file.
    tls_cert
        Certificate of this command, a PEM file.
    tls_key
        Key of that certificate, a PEM file.
    time_limit
        Seconds after which a night is stopped.
    ids_only
        Leave the names of recordings and of their folders out of jobs.csv, so that it can be shared.
    bids
        Folder of a BIDS data set of derivatives, to which the stages and events of all nights are written as well.
    """
    from eegsleep.batch.cluster import describe_scheduler
    from eegsleep.batch.resources import Resources
    from eegsleep.batch.sources import find_jobs
    from eegsleep.workflows.score import Job, check_job

    options = options or ScoringOptions()
    if output:
        check_writable(output)
    if bids:
        check_writable(bids, option="--bids")
    asked = Job(Path(), **options.for_job())
    check_job(asked)
    settings = options.settings()
    jobs, folder, notes = find_jobs(sources, asked, output)
    for note in (*options.describe_settings(), *notes):
        print_note(note)
    resources = Resources(workers, memory_limit, scheduler, tls_ca, tls_cert, tls_key)
    if warning := describe_scheduler(resources):
        print_note(warning)
    code = score_jobs(jobs, folder, settings, resources, time_limit, ids_only=ids_only)
    if bids:
        write_bids_nights(jobs, folder, bids)
    return code


def write_bids_nights(jobs: list[Job], folder: Path, bids: Path) -> None:
    """Write the nights that are there into a BIDS data set of derivatives, and say how many."""
    from eegsleep.errors import EegSleepError
    from eegsleep.night.bids import write_bids
    from eegsleep.night.folder import load_night

    n_written = 0
    for job in jobs:
        try:
            night = load_night(folder / job.night)
        except EegSleepError:  # a night that failed, which jobs.csv explains
            continue
        write_bids(night, bids, subject=job.subject, recording=job.file)
        n_written += 1
    print_note(f"{n_written} night{'s' if n_written != 1 else ''} in {bids}.")


def score_jobs(
    jobs: list[Job],
    folder: Path,
    settings: Settings,
    resources: Resources,
    time_limit_s: float,
    *,
    ids_only: bool = False,
) -> int:
    """Score the nights, show the progress, print the summary, and return the exit code."""
    from eegsleep.batch.gather import check_output
    from eegsleep.batch.run import run_batch

    check_writable(folder)
    check_output(folder)
    with show_progress() as show_standing, hear_steps(_print_step, of="eegsleep.batch.cluster"):
        table = run_batch(
            jobs,
            folder,
            settings,
            resources=resources,
            time_limit_s=time_limit_s,
            ids_only=ids_only,
            on_progress=show_standing,
        )
    return _sum_up(table, folder)


def _print_step(step: str) -> None:
    print_note(f"{step[0].upper()}{step[1:]}.")


def _sum_up(table: pd.DataFrame, folder: Path) -> int:
    """Print how the nights ended, write the summary page, and return the exit code."""
    from eegsleep.batch.gather import write_summary
    from eegsleep.batch.task import FULL

    failed = table[table["status"] == "failed"]
    n_of = table["status"].value_counts()
    counts = [f"{n_of[status]} {status}" for status in ("done", "fresh", "failed") if status in n_of]
    print_note(f"{len(table)} night{'s' if len(table) > 1 else ''}: {', '.join(counts)}.")
    if len(failed):
        print_note(f"{folder / JOBS_FILE} says why.")
    if (failed["error"] == FULL).any():
        print_note("The disk is full. Make room and run the same command again; what is finished is kept.")
        return 1
    page = write_summary(folder, print_note)
    if sys.stdout:
        print_result([page])
    return 1 if len(failed) else 0


@contextmanager
def show_progress() -> Iterator[Callable[[Standing], None]]:
    """Yield a function that shows how far a batch is: a bar on a terminal, a line every 30 s elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _show_bar(console) as show_standing:
            yield show_standing
        return
    started_s = shown_s = time.monotonic()

    def print_standing(standing: Standing) -> None:
        nonlocal started_s, shown_s
        now_s = time.monotonic()
        if standing.last is None:  # the search for fresh nights does not count towards the rate
            started_s = now_s
        if failure := _describe_failure(standing):
            print_note(failure)
        if standing.last is None or now_s - shown_s >= _LINE_EVERY_S:
            shown_s = now_s
            print_note(describe_standing(standing, now_s - started_s))

    yield print_standing


@contextmanager
def _show_bar(console: Console) -> Iterator[Callable[[Standing], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("looking for nights that are fresh", total=None)
        started_s = time.monotonic()

        def update_bar(standing: Standing) -> None:
            nonlocal started_s
            if standing.last is None:
                started_s = time.monotonic()
            if failure := _describe_failure(standing):
                console.print(Text(printable(failure)))
            ended = standing.n_fresh + standing.n_done + standing.n_failed
            words = describe_standing(standing, time.monotonic() - started_s)
            progress.update(bar, description=words, completed=ended, total=standing.n_nights)

        yield update_bar


def _describe_failure(standing: Standing) -> str:
    """Return why the last night failed, or nothing."""
    last = standing.last
    return f"{last['night']} failed: {last['reason']}" if last and last["status"] == "failed" else ""


def describe_standing(standing: Standing, elapsed_s: float) -> str:
    """Return how far a batch is, how fast it goes and how long it may take, in a sentence."""
    s = standing
    ended = s.n_done + s.n_failed
    left = s.n_nights - s.n_fresh - ended
    text = f"{s.n_fresh + ended} of {s.n_nights} nights"
    if s.n_fresh:
        text += f", {s.n_fresh} fresh"
    if s.n_failed:
        text += f", {s.n_failed} failed"
    if ended and left:
        minutes = max(1, round(elapsed_s / ended * left / 60))
        text += f"; {ended / elapsed_s * 60:.3g} a minute, about {minutes} min to go"
    return text
