"""One night from its file to its folder: what `eegsleep score` does once and `eegsleep batch` many times."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.batch.freshness import describe_request, hash_inputs, read_provenance

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from eegsleep.config import Settings
    from eegsleep.night import Night
    from eegsleep.recording.read import Recording
    from eegsleep.staging.lights import Lights

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One night to be worked out: paths and words only, so that it travels.

    Attributes
    ----------
    file : Path
        The recording.
    night : str
        Name of the night folder; empty for the name of the recording.
    subject : str
        Sleeper, where it is known.
    device, eeg, eog, emg, units, start
        As `read_recording` takes them; units as pairs.
    lights_off, lights_on : str, optional
        Clock times.
    hypnogram : Path, optional
        Stages to use in place of automatic ones.
    reference : Path, optional
        An expert's stages to keep beside ours.
    coding : str, optional
        What integers in both mean.
    calibration : Path, optional
        The person's own thresholds.
    replaces : bool
        Whether what is kept of another recording under that name was this night before its file changed.
    """

    file: Path
    night: str = ""
    subject: str = ""
    device: str | None = None
    eeg: tuple[str, ...] | None = None
    eog: str | None = None
    emg: str | None = None
    units: tuple[tuple[str, str], ...] = ()
    start: datetime | None = None
    lights_off: str | None = None
    lights_on: str | None = None
    hypnogram: Path | None = None
    reference: Path | None = None
    coding: str | None = None
    calibration: Path | None = None
    replaces: bool = False


class Scored(NamedTuple):
    """A night that was worked out, and the folder it is kept in."""

    night: Night
    folder: Path


def score_file(job: Job, settings: Settings, output: Path, *, share: bool = False) -> Scored:
    """Read, analyze, render and save one night.

    Parameters
    ----------
    job : Job
    settings : Settings
    output : Path
        Where the night folder is made.
    share : bool
        Whether the reports of all nights in `output` share one plotly.js, or each carries its own.

    Raises
    ------
    EegSleepError
        If the night cannot be worked out or saved.
    """
    from threadpoolctl import threadpool_limits

    from eegsleep.events.calibration import read_calibration
    from eegsleep.night import analyze_night
    from eegsleep.recording.read import read_recording
    from eegsleep.staging.lights import find_lights

    logger.info("reading the recording")
    recording = read_recording(
        job.file,
        eeg=job.eeg,
        eog=job.eog,
        emg=job.emg,
        units=dict(job.units),
        device=job.device,
        start=job.start,
    )
    if job.night:
        recording = replace(recording, id=job.night)
    own = read_calibration(job.calibration) if job.calibration else None
    # before the long work, which a slip in its name would lose
    expert, _, notes = _align(job.reference, recording, job.coding) if job.reference else (None, None, [])
    stages, said, more = _align(job.hypnogram, recording, job.coding) if job.hypnogram else (None, None, [])
    lights = find_lights(recording, job.lights_off, job.lights_on)
    if said and (lights is None or lights.source == "whole recording"):
        lights = said
    # sums in several threads add in another order: one thread gives the same digits everywhere
    with threadpool_limits(limits=1):
        night = analyze_night(recording, settings, stages, lights, own)
    # what did not fit in a hypnogram is kept with the night: in a batch nobody is there to read it
    night = replace(night, warnings=(*night.warnings, *notes, *more))
    return Scored(night, _save(night, recording, job, settings, output, expert, share=share))


def _align(hypnogram: Path, recording: Recording, coding: str | None) -> tuple[pd.DataFrame, Lights | None, list[str]]:
    """Lay a hypnogram file on a recording; return its stages, its lights, and what did not fit."""
    from eegsleep.staging.hypnogram_files import read_hypnogram
    from eegsleep.staging.lights import lights_from_hypnogram
    from eegsleep.staging.scoring import align_scoring, place_lights

    scoring = read_hypnogram(hypnogram, coding=coding)
    stages, notes = align_scoring(scoring, recording.start, recording.n_epochs)
    lights = place_lights(scoring, recording.start, recording.n_epochs)
    said = lights_from_hypnogram(*lights, recording.n_epochs)
    return stages, said, [f"{hypnogram.name}: {note}" for note in notes]


def _save(
    night: Night,
    recording: Recording,
    job: Job,
    settings: Settings,
    output: Path,
    expert: pd.DataFrame | None,
    *,
    share: bool,
) -> Path:
    """Render and save a night, with what it was asked for; files that only an earlier night had are removed."""
    from eegsleep.night import save_night
    from eegsleep.provenance import package_versions
    from eegsleep.report.pages import render_night, share_plotly
    from eegsleep.staging.pairing import REFERENCE_FILE
    from eegsleep.tables import HYPNOGRAM, encode_table

    logger.info("writing the report")
    files = {"report.html": render_night(night, share_plotly(output) if share else None)}
    if expert is not None:
        files[REFERENCE_FILE] = encode_table(expert, HYPNOGRAM)
    paths = [path for path, _, _ in recording.files]
    inputs = recording.sha256 if len(paths) == 1 else hash_inputs(paths)
    request = describe_request(job, inputs, settings, package_versions())
    before = set(read_provenance(output / night.id).get("outputs", {}))
    if job.replaces:
        (output / night.id / "provenance.json").unlink(missing_ok=True)
    folder = save_night(replace(night, provenance={**night.provenance, "request": request}), output, files)
    for name in before - set(read_provenance(folder)["outputs"]):
        (folder / Path(name).name).unlink(missing_ok=True)
    return folder


def do_job(job: Job, settings: Settings, output: Path) -> None:
    """Work out one night of a batch and keep it."""
    score_file(job, settings, output, share=True)
