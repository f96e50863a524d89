"""One night, from its recording to its folder: the work of `eegsleep score`, and of `eegsleep batch` on each night."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.errors import EegSleepError, RecordingError, SettingsError
from eegsleep.file_names import NIGHTS_FOLDER, REPORT_FILE, TRACE_FILE
from eegsleep.night.request import FILES, hash_request
from eegsleep.provenance import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from eegsleep.config import Settings
    from eegsleep.night.night import Night
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

# Fields of a job that do not affect any number of the night.
_NAMES = ("file", "night", "subject", "trace", "replaces", "settings_file")


@dataclass(frozen=True)
class Job:
    """One night to be scored: only paths and words, so that it can be sent to another process.

    Attributes
    ----------
    file : Path
        The recording.
    night : str
        Name of the night folder; empty for the name of the recording.
    subject : str
        Sleeper, where it is known.
    device, eeg, eog, emg, units, start, invert
        As `read_recording` takes them; units as pairs.
    lights_off, lights_on : str, optional
        Clock times.
    hypnogram : Path, optional
        Stages to use in place of automatic ones.
    reference : Path, optional
        An expert's stages to keep beside ours.
    coding : str, optional
        Meaning of integers in both, a name in `CODINGS`.
    epoch_s : float, optional
        Length of the epochs of both in seconds, where the files do not give it.
    column : str, optional
        Column of stages in both, where a table has several.
    calibration : Path, optional
        The person's own thresholds.
    stages_by : Path, optional
        The probabilities of another stager, to set beside ours.
    stager : str
        Name of that stager.
    events : Path, optional
        Events that were rejected by hand on the page of this night.
    trace : {'light', 'full', 'none'}
        How fine the signal is in the report, as `render_night` takes it.
    replaces : bool
        Whether a night folder of the same name may be replaced although its recording had another content.
    settings_file : str
        Name of the file that the settings were read from, for the provenance.
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
    invert: tuple[str, ...] = ()
    lights_off: str | None = None
    lights_on: str | None = None
    hypnogram: Path | None = None
    reference: Path | None = None
    coding: str | None = None
    epoch_s: float | None = None
    column: str | None = None
    calibration: Path | None = None
    stages_by: Path | None = None
    stager: str = ""
    events: Path | None = None
    trace: str = "light"
    replaces: bool = False
    settings_file: str = ""


class ScoredNight(NamedTuple):
    """A scored night, and the folder it was saved to."""

    night: Night
    folder: Path


def score_file(
    job: Job,
    settings: Settings | None = None,
    output: Path | None = None,
    *,
    share: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ScoredNight:
    """Read, analyze, render and save one night, as `eegsleep score` does.

    `save_night(analyze_night(read_recording(...)))` gives the same bytes, step by step.

    Parameters
    ----------
    job : Job
        The recording, and how it is to be scored.
    settings : Settings, optional
    output : Path, optional
        Where the night folder is made; by default eegsleep-nights, here.
    share : bool
        Whether `output` is a folder of many nights: the signal of each then lies in a file beside its report.
    progress : callable, optional
        Called with the name of each step before it begins: `reading`, the steps of `analyze_night`, `report`.

    Returns
    -------
    ScoredNight
        `night` and its `folder`.

    Raises
    ------
    EegSleepError
        If the night cannot be scored or saved.

    Examples
    --------
    >>> from pathlib import Path
    >>> job = es.Job(Path("short.edf"), hypnogram=Path("short_stages.csv"), trace="none")
    >>> steps = []
    >>> scored = es.score_file(job, output=Path("scored"), progress=steps.append)
    >>> (scored.folder / "report.html").is_file(), steps[0], steps[-1]
    (True, 'reading', 'report')
    """
    from eegsleep.events.calibration import read_calibration
    from eegsleep.events.edited import read_event_edits
    from eegsleep.hypnograms.read import read_hypnogram
    from eegsleep.night.analyze import analyze_night
    from eegsleep.night.folder import check_same_recording, save_night
    from eegsleep.report.night_page import render_night, render_trace
    from eegsleep.report.trace import check_trace
    from eegsleep.staging.lights import find_lights
    from eegsleep.staging.other import read_hypnodensity

    output = output or Path(NIGHTS_FOLDER)
    check_trace(job.trace)
    check_job(job)
    logger.info("reading the recording")
    if progress:
        progress("reading")
    recording = _read_asked(job)
    if job.night:
        recording = recording.renamed(job.night)
    # before the long work, so that a wrong path is found at once
    if not job.replaces and (output / recording.id).is_dir():
        check_same_recording(output / recording.id, recording.sha256)
    hypnogram, reference = (
        read_hypnogram(path, coding=job.coding, epoch_s=job.epoch_s, column=job.column) if path else None
        for path in (job.hypnogram, job.reference)
    )
    calibration = read_calibration(job.calibration) if job.calibration else None
    other = read_hypnodensity(job.stages_by, job.stager) if job.stages_by else None
    edits = read_event_edits(job.events) if job.events else None
    lights = find_lights(recording, job.lights_off, job.lights_on)
    night = analyze_night(
        recording,
        settings,
        hypnogram,
        lights,
        calibration,
        reference,
        event_edits=edits,
        stages_by=other,
        progress=progress,
    )
    if job.settings_file:
        night = replace(night, provenance={**night.provenance, "settings_file": job.settings_file})
    if job.subject:
        night = replace(night, provenance={**night.provenance, "subject": job.subject})
    logger.info("writing the report")
    if progress:
        progress("report")
    pages = {REPORT_FILE: render_night(night, recording, trace=job.trace, sidecar=share)}
    if share and job.trace != "none":
        pages[TRACE_FILE] = render_trace(recording, job.trace)
    return ScoredNight(night, save_night(night, output, pages, replaces=job.replaces))


def _read_asked(job: Job) -> Recording:
    """Read the recording of a job; a hypnogram that was given in its place is refused as one."""
    from eegsleep.recording.read import read_recording

    try:
        return read_recording(
            job.file,
            eeg=job.eeg,
            eog=job.eog,
            emg=job.emg,
            units=dict(job.units),
            device=job.device,
            start=job.start,
            invert=job.invert,
        )
    except RecordingError as error:
        if not _holds_only_stages(job):
            raise
        raise RecordingError(
            f"{job.file.name} is a hypnogram",
            found="sleep stages, and no signal",
            allowed="the recording that the stages belong to",
            remedy=f"run `eegsleep score RECORDING --hypnogram {job.file.name}`",
        ) from error


def _holds_only_stages(job: Job) -> bool:
    """Return whether the file is a hypnogram, and not a recording that was refused and holds stages, too."""
    from eegsleep.hypnograms.read import read_hypnogram
    from eegsleep.recording.read import open_source

    try:
        open_source(job.file)
    except RecordingError as error:
        if error.faults and error.faults[-1].code != "annotations-only":
            return False
    else:
        return False
    try:
        read_hypnogram(job.file, coding=job.coding, epoch_s=job.epoch_s, column=job.column)
    except EegSleepError:
        return False
    return True


def check_job(job: Job) -> None:
    """Refuse a job whose words cannot be understood, without reading the recording.

    Parameters
    ----------
    job : Job
        Its device, units, lights, coding, length of epochs and calibration are checked.

    Raises
    ------
    EegSleepError
        If one of them does not exist, or cannot be understood.
    """
    from eegsleep.hypnograms.codings import check_coding
    from eegsleep.hypnograms.read import check_epoch
    from eegsleep.recording.channels.presets import find_device
    from eegsleep.recording.units import parse_unit
    from eegsleep.staging.lights import read_clock_time

    if job.device:
        find_device(job.device)
    for label, unit in job.units:
        if parse_unit(unit) is None:
            raise SettingsError(f"there is no unit for {label!r}", found=repr(unit), allowed="V, mV, uV and nV")
    for clock_time in filter(None, (job.lights_off, job.lights_on)):
        read_clock_time(clock_time)
    check_coding(job.coding)
    check_epoch(job.epoch_s)
    if job.calibration and not job.calibration.is_file():
        raise SettingsError(
            "there is no such calibration", found=str(job.calibration), remedy="`eegsleep calibrate` writes one"
        )


def score_job(job: Job, settings: Settings, output: Path) -> None:
    """Score one night of a batch: `score_file` with a shared plotly.js.

    Parameters
    ----------
    job : Job
    settings : Settings
    output : Path
        Folder in which the night folder is made.
    """
    score_file(job, settings, output, share=True)


def describe_request(job: Job, inputs: str, settings: Settings, versions: Mapping[str, str]) -> str:
    """Return the hash of everything a job asks for (`hash_request`).

    Parameters
    ----------
    job : Job
    inputs : str
        Hash of the recording, as `hash_files` gives it.
    settings : Settings
    versions : mapping of str to str
        As `package_versions` gives them.

    Returns
    -------
    str

    Raises
    ------
    OSError
        If a file of the job cannot be read.
    """
    asked = {field.name: getattr(job, field.name) for field in fields(job) if field.name not in FILES + _NAMES}
    asked["start"] = job.start.isoformat() if job.start else None
    files = {name: hash_file(path) if (path := getattr(job, name)) else "" for name in FILES}
    return hash_request(inputs, asked, files, settings, versions)
