"""One night from its file to its folder: what `eegsleep score` does once and `eegsleep batch` many times."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.night.folder import read_provenance
from eegsleep.provenance import fingerprint, hash_bytes, hash_file, package_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from eegsleep.config import Settings
    from eegsleep.night import Night
    from eegsleep.recording.recording import Recording
    from eegsleep.staging.lights import Lights

logger = logging.getLogger(__name__)

# Of a job: these are files, and what counts is what is in them; those change no number of a night.
_FILES = ("hypnogram", "reference", "calibration")
_NAMES = ("file", "night", "subject", "replaces")


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
    from eegsleep.hypnograms.read import read_hypnogram
    from eegsleep.hypnograms.scoring import align_scoring, place_lights
    from eegsleep.staging.lights import lights_from_hypnogram

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
    from eegsleep.agreement.pairs import REFERENCE_FILE
    from eegsleep.night import save_night
    from eegsleep.report.compose import share_plotly
    from eegsleep.report.night_page import render_night
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


def describe_request(job: Job, inputs: str, settings: Settings, versions: Mapping[str, str]) -> str:
    """Return one hash for everything a night was asked for, as provenance.json keeps it.

    The fingerprint beside it says what a result rests on, and is known only once the recording was read: which
    channels were chosen, where the lights were found. This one is known before.

    Parameters
    ----------
    job : Job
    inputs : str
        Hash of the recording, as `hash_inputs` gives it.
    settings : Settings
    versions : mapping of str to str
        As `package_versions` gives them.

    Raises
    ------
    OSError
        If a file of the job cannot be read.
    """
    asked = {
        field.name: getattr(job, field.name) for field in dataclasses.fields(job) if field.name not in _FILES + _NAMES
    }
    asked["start"] = job.start.isoformat() if job.start else None
    files = {name: hash_file(path) if (path := getattr(job, name)) else "" for name in _FILES}
    return fingerprint(inputs, asked, files, settings.to_dict(), dict(versions))


def hash_inputs(paths: Sequence[Path]) -> str:
    """Return the hash of a recording: of its one file, or of the names and hashes of several."""
    if len(paths) == 1 and paths[0].is_file():
        return hash_file(paths[0])
    return hash_bytes(json.dumps([[path.name, hash_file(path)] for path in paths]).encode())
