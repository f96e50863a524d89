"""The command `batch`: many nights, resumable, on this machine or on a cluster."""

from __future__ import annotations

import logging
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.cli.console import printable, say, show
from eegsleep.cli.options import ScoringOptions
from eegsleep.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from eegsleep.batch.cluster import Resources
    from eegsleep.batch.run import Standing
    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

logger = logging.getLogger(__name__)

# Where nobody watches, a line of progress every so often is enough for a log.
_SILENCE_S = 30.0


def batch(
    *sources: Path,
    output: Path | None = None,
    workers: int | None = None,
    memory_limit: str | None = None,
    scheduler: str | None = None,
    time_limit: float = 1800.0,
    options: ScoringOptions | None = None,
) -> int:
    """Score many nights, each into its own folder; run it again to go on, or after anything has changed.

    A night that is there as it would be made now is left alone. A night that fails costs no other. An expert's
    stages beside a recording, named as the public data sets do, are kept with the night for `eegsleep agree`.
    Exit code 0: all are there. 1: some failed, and jobs.csv says why. 2: nothing could be begun.

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
        other in this process, without a watch over time and memory.
    memory_limit
        Memory of one worker, such as 2GB; a night that needs more is stopped.
    scheduler
        Address or file of a Dask scheduler whose workers see the same folders, in place of this machine.
    time_limit
        Seconds after which a night is stopped.
    """
    from eegsleep.batch.cluster import Resources
    from eegsleep.batch.sources import find_jobs
    from eegsleep.workflows.score import Job

    options = options or ScoringOptions()
    asked = Job(Path(), **options.for_job())
    _check_asked(asked)
    settings = options.settings()
    jobs, folder, notes = find_jobs(sources, asked, output)
    for note in notes:
        say(note)
    return run_and_tell(jobs, folder, settings, Resources(workers, memory_limit, scheduler), time_limit)


def run_and_tell(jobs: list[Job], folder: Path, settings: Settings, resources: Resources, time_limit_s: float) -> int:
    """Work the nights out, show how far it is, sum up at the end, and return the exit code."""
    from eegsleep.batch.gather import check_output
    from eegsleep.batch.run import run_batch
    from eegsleep.batch.task import FULL

    check_output(folder)
    try:
        with _interrupted_once(), show_standing() as tell:
            table = run_batch(jobs, folder, settings, resources=resources, time_limit_s=time_limit_s, tell=tell)
    except KeyboardInterrupt:
        say("eegsleep: interrupted; what is finished is kept, and the same command goes on from there.")
        return 130
    failed = table[table["status"] == "failed"]
    n_of = table["status"].value_counts()
    counts = [f"{n_of.get(status, 0)} {status}" for status in ("done", "fresh", "failed") if n_of.get(status, 0)]
    say(f"{len(table)} night{'s' if len(table) > 1 else ''}: {', '.join(counts)}.")
    if len(failed):
        say(f"{folder / 'jobs.csv'} says why.")
    if (failed["error"] == FULL).any():
        say("The disk is full. Make room and run the same command again; what is finished is kept.")
        return 1
    page = _write_summary(folder)
    if sys.stdout:
        show([page])
    return 1 if len(failed) else 0


def _write_summary(folder: Path) -> Path:
    from eegsleep.batch.gather import write_summary

    logger.info("writing the summary")
    return write_summary(folder)


def _check_asked(asked: Job) -> None:
    """Refuse before the first night what would fail in every one."""
    from eegsleep.hypnograms.codings import check_coding
    from eegsleep.recording.channels.presets import find_device
    from eegsleep.recording.units import parse_unit

    if asked.device:
        find_device(asked.device)
    for label, unit in asked.units:
        if parse_unit(unit) is None:
            raise SettingsError(f"there is no unit for {label!r}", found=repr(unit), allowed="V, mV, uV and nV")
    for clock in (asked.lights_off, asked.lights_on):
        _check_clock(clock)
    check_coding(asked.coding)
    if asked.calibration and not asked.calibration.is_file():
        raise SettingsError(
            "there is no such calibration", found=str(asked.calibration), remedy="`eegsleep calibrate` writes one"
        )


def _check_clock(clock: str | None) -> None:
    from datetime import time

    try:
        time.fromisoformat(clock or "00:00")
    except ValueError as error:
        raise SettingsError("a clock time is not understood", found=clock or "", allowed="such as 23:15") from error


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let the first interrupt, of a keyboard, a queue or a terminal that goes, end the run, and pass over more of them.

    The workers are being stopped then: who breaks that off has to wait for them all the same.
    """
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    names = [name for name in known if signal.getsignal(name) not in {signal.SIG_IGN, None}]

    def interrupt(*_: object) -> None:
        for name in names:
            signal.signal(name, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {name: signal.signal(name, interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            if signal.getsignal(name) is interrupt:  # else all that is left to do is to end
                signal.signal(name, handler)


@contextmanager
def show_standing() -> Iterator[Callable[[Standing], None]]:
    """Yield what is told how far a batch is: a bar on a terminal, a line every so often elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as tell:
            yield tell
        return
    started_s = said_s = time.monotonic()

    def tell(standing: Standing) -> None:
        nonlocal started_s, said_s
        now_s = time.monotonic()
        if standing.last is None:  # to look for fresh nights is no part of the rate
            started_s = now_s
        if standing.last and standing.last["status"] == "failed":
            say(f"{standing.last['night']} failed: {standing.last['reason']}")
        if standing.last is None or now_s - said_s >= _SILENCE_S:
            said_s = now_s
            say(describe_standing(standing, now_s - started_s))

    yield tell


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Standing], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("looking for nights that are fresh", total=None)
        started_s = time.monotonic()

        def tell(standing: Standing) -> None:
            nonlocal started_s
            if standing.last is None:
                started_s = time.monotonic()
            if standing.last and standing.last["status"] == "failed":
                console.print(Text(printable(f"{standing.last['night']} failed: {standing.last['reason']}")))
            ended = standing.n_fresh + standing.n_done + standing.n_failed
            said = describe_standing(standing, time.monotonic() - started_s)
            progress.update(bar, description=said, completed=ended, total=standing.n_nights)

        yield tell


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
