"""Formats for which eegsleep has no reader of its own, read by `mne.io.read_raw`."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.plain_files import real_path
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.limits import MAX_DURATION_S, is_plausible_start
from eegsleep.recording.source import Source, SourceChannel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import mne
    import numpy as np

# mne chooses its reader by the file name. These formats are used for EEG, and consist of one file, or of files whose
# names are checked here before mne opens them. Left out: EDF and BDF, which eegsleep reads itself; MEG (FIF),
# optics and eye trackers; and formats whose reader opens further files unchecked (Persyst, Curry, Nihon Kohden, …).
SUFFIXES = (".vhdr", ".ahdr", ".set", ".cnt", ".gdf", ".nedf")
_REFUSAL = {
    "allowed": "EDF, EDF+ and BDF (also gzipped), WFDB by its header .hea, a ZMax folder, Muse, Mind Monitor, BrainBit "
    f"and OpenBCI text, and {', '.join(SUFFIXES)} through mne",
    "remedy": "export the night as EDF from the program of your device",
}
_REMEDIES = {
    b"PK\x03\x04": "if it is a zip file, unpack it and give the recording or the folder in it; a spreadsheet, save as "
    "CSV",
    b"7z\xbc\xaf": "unpack it and give the recording in it",
    b"Rar!": "unpack it and give the recording in it",
    b"\x1f\x8b": "unpack it and give the recording in it",
    b"\xff\xfe": "if it is text, save it again as CSV in UTF-8",
    b"\xfe\xff": "if it is text, save it again as CSV in UTF-8",
    b"\0\0\0d\0\0\0\x1f": 'it is a FIF file: write it as EDF with mne, by raw.export("night.edf")',
}
_PART_OF = {
    ".eeg": ".vhdr",
    ".vmrk": ".vhdr",
    ".avg": ".vhdr",
    ".amrk": ".ahdr",
    ".fdt": ".set",
    ".dat": ".hea",
    ".mat": ".hea",
}
_VOLTAGES = {"eeg", "eog", "emg", "ecg"}
_MAX_HEADER_BYTES = 10_000_000
_NAMED = re.compile(r"^[^\S\n]*(DataFile|MarkerFile)[^\S\n]*[=:](.*(?:\n[^\S\n]+\S.*)*)$", re.IGNORECASE | re.MULTILINE)
_POINTS = re.compile(r"^\s*DataPoints\s*[=:]\s*(\d{1,15})\s*$", re.IGNORECASE | re.MULTILINE)
_CHANNEL = re.compile(r"^\s*Ch(\d{1,4})\s*[=:](.*)$", re.IGNORECASE | re.MULTILINE)
# Another encoding may spell a path in characters that look harmless before they are decoded.
_CODEPAGES = re.compile(r"ANSI|ASCII|UTF-?8|latin-?1|iso-?8859-\d{1,2}|(cp|windows-?)125\d", re.IGNORECASE)
_JOINT = re.compile(r"(edge |bad )?boundary|new segment\b.*", re.IGNORECASE)


def open_foreign(path: Path) -> Source:
    """Open a file of another format with mne; the units, times and gaps that mne gives are not checked.

    A file name that is written in the file is only followed within the folder of that file.

    Parameters
    ----------
    path : Path
        With one of the suffixes `SUFFIXES`.

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If its suffix is not one of these, it names files elsewhere, mne cannot read it, or it lasts more than 72 h.
    """
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        raise _unknown(path)
    is_brainvision = name.endswith((".vhdr", ".ahdr"))
    header = _read_brainvision(path) if is_brainvision else ""
    others = _named_files(path, header) if is_brainvision else []
    with _quiet(path):
        return _to_source(path, _read(path), [path, *others], header)


def _to_source(path: Path, raw: mne.io.BaseRaw, files: Sequence[Path], header: str) -> Source:
    files = [*files, *(file for file in map(type(path), filter(None, raw.filenames)) if not _is_among(file, files))]
    for file in files[1:]:
        _check_beside(path, file, file.name)
    rate_hz = float(raw.info["sfreq"])
    duration_s = raw.n_times / rate_hz
    if not 0 < duration_s <= MAX_DURATION_S:
        raise RecordingError(f"{path.name} is no night", found=f"{duration_s / 3600:.4g} h", allowed="up to 72 h")
    labels = unique_labels(raw.ch_names)
    types = raw.get_channel_types()

    def load(wanted: Sequence[str]) -> list[np.ndarray]:
        if unknown := [label for label in wanted if label not in labels]:
            raise RecordingError(
                f"{path.name} has no such channel", found=", ".join(unknown), allowed=", ".join(labels)
            )
        with _quiet(path):
            return list(raw.get_data(picks=[labels.index(label) for label in wanted], verbose="ERROR"))

    start, faults = _find_start(raw)
    return Source(
        path=path,
        files=tuple(files),
        kind=f"mne: {type(raw).__name__}",
        # mne gives every electrode in volts; channels of other types cannot be staged
        channels=tuple(
            SourceChannel(label, rate_hz, "V" if kind in _VOLTAGES else "")
            for label, kind in zip(labels, types, strict=True)
        ),
        start=start,
        duration_s=duration_s,
        load=load,
        annotations=tuple(_annotations(raw)),
        faults=(*faults, *_find_joins(raw), *_find_brainvision_faults(header, raw, labels)),
    )


def _unknown(path: Path) -> RecordingError:
    """Return the error that refuses a file of an unknown format, with what the user can do."""
    with path.open("rb") as file:
        head = file.read(24)
    found = f"a file that begins with {clean_text(repr(head)[1:])}" if head else "an empty file"
    remedy = next((text for magic, text in _REMEDIES.items() if head.startswith(magic)), _REFUSAL["remedy"])
    whole = path.with_suffix(_PART_OF.get(path.suffix.lower(), ".none"))
    if whole.is_file():
        remedy = f"give {clean_text(whole.name)}, which belongs to it"
    return RecordingError(
        f"{path.name} is no recording that eegsleep knows", found=found, allowed=_REFUSAL["allowed"], remedy=remedy
    )


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Keep back what mne prints and warns, and turn every exception of its readers into a `RecordingError`."""
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except RecordingError:
        raise
    except Exception as error:  # readers of many formats raise exceptions of every kind
        if isinstance(error, FileNotFoundError) and (names := re.findall(r"[/\\]([^/\\]+\.fdt)\b", str(error))):
            shown = " or ".join(dict.fromkeys(clean_text(name.strip()) for name in names))
            raise RecordingError(
                f"{path.name} cannot be read: its data file is not there",
                found=shown,
                remedy="put that file beside it: EEGLAB keeps the samples in it, and the .set alone holds none",
            ) from error
        found = clean_text(str(error)) or type(error).__name__
        raise RecordingError(f"{path.name} cannot be read", found=found, **_REFUSAL) from error


def _read(path: Path) -> mne.io.BaseRaw:
    import mne

    return mne.io.read_raw(path, preload=False, verbose="ERROR")


def _read_brainvision(path: Path) -> str:
    """Return the text of a BrainVision header up to its comment; raise if its encoding could hide a path."""
    with path.open("rb") as file:
        raw = file.read(_MAX_HEADER_BYTES + 1)
    try:  # as mne does it
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    codepages = re.findall(r"Codepage\s*=(.*)", text, re.IGNORECASE)
    odd = next((page.strip() for page in codepages if not _CODEPAGES.fullmatch(page.strip())), None)
    if len(raw) > _MAX_HEADER_BYTES or odd is not None:
        found = "more than 10 MB" if odd is None else f"Codepage {clean_text(odd)!r}"
        raise RecordingError(
            f"{path.name} is no BrainVision header", found=found, allowed="UTF-8 or ANSI", remedy=_REFUSAL["remedy"]
        )
    return text.replace("\r\n", "\n").partition("[Comment]")[0]


def _named_files(path: Path, header: str) -> list[Path]:
    """Return the files that a BrainVision header names; raise if one is in another folder or is missing."""
    files: list[Path] = []
    for key, value in ((key.lower(), value.strip()) for key, value in _NAMED.findall(header)):
        if key == "markerfile" and not value:
            continue
        other = path.parent / value
        _check_beside(path, other, value)
        if other.is_file():
            files += [] if _is_among(other, files) else [other]
        elif key == "datafile":
            shown = clean_text(value)
            remedy = (
                f"write the file's name in the place of $b in {path.name}"
                if "$b" in value
                else "put it back beside its header: a BrainVision recording is a header, a marker and a data file"
            )
            raise RecordingError(f"{path.name} cannot be read: its data file is not there", found=shown, remedy=remedy)
    sibling = path.with_suffix(".vmrk")  # mne reads it if the marker file that the header names is missing
    if sibling.is_file():
        _check_beside(path, sibling, sibling.name)
    return files


def _check_beside(path: Path, other: Path, written: str) -> None:
    """Raise if a file that the recording names is not in the same folder; links are followed."""
    folder = real_path(path.parent)
    if _is_among(other, [path]):
        return
    is_path = re.search(r"[\\/:]|[^\x20-\U0010ffff]", written.removeprefix("./").removeprefix(".\\"))
    if is_path or real_path(other).parent != folder or (other.exists() and not other.is_file()):
        raise RecordingError(
            f"{path.name} cannot be read: it names a file that is not beside it",
            found=clean_text(written),
            allowed=f"a file in the folder of {path.name}, and no link to another place",
            remedy="copy the files of the recording into one folder, and correct the name in its header",
        )


def _is_among(file: Path, files: Sequence[Path]) -> bool:
    return any(file == other or (file.exists() and other.exists() and file.samefile(other)) for other in files)


def _find_start(raw: mne.io.BaseRaw) -> tuple[datetime | None, list[Fault]]:
    """Return the time of the first sample, and what the user should know of it."""
    kind = type(raw).__name__
    said = f"read through mne: {kind}; its units, clock and gaps were not checked"
    faults = [Fault("foreign-format", "repaired", said)]
    zero = raw.info["meas_date"]
    if zero is None:
        return None, faults
    start = zero.replace(tzinfo=None)
    if not is_plausible_start(start):
        said = "the date in it cannot be right: its start is not known"
        return None, [*faults, Fault("date-unknown", "repaired", said, "measurement date", str(zero))]
    return start, faults


def _annotations(raw: mne.io.BaseRaw) -> Iterator[tuple[float, float, str]]:
    """Yield onset, duration and text of the annotations, in seconds from the first sample."""
    for a in raw.annotations:
        yield float(a["onset"]), float(a["duration"]), clean_text(a["description"])


def _find_joins(raw: mne.io.BaseRaw) -> list[Fault]:
    """Return a fault if segments of different times were joined, so that later times are too early."""
    step_s = 1 / float(raw.info["sfreq"])
    onsets = sorted(
        {onset for onset, _, text in _annotations(raw) if onset > step_s and _JOINT.fullmatch(text.rstrip("/ "))}
    )
    if not onsets:
        return []
    places = ", ".join(f"{onset:.4f}".rstrip("0").rstrip(".") for onset in onsets[:5]) + (", …" if onsets[5:] else "")
    said = (
        f"it was joined from {len(onsets) + 1} segments, at {places} s; what was not recorded between them is left "
        "out, so the times of all that follows are too early"
    )
    remedy = "export each segment as a file of its own, or the whole as EDF+ with its gaps"
    return [Fault("segments-joined", "needs the user", said, "markers", places, remedy)]


def _find_brainvision_faults(header: str, raw: mne.io.BaseRaw, labels: Sequence[str]) -> Iterator[Fault]:
    """Yield what mne accepts silently in a BrainVision header: too few samples, channels without a unit."""
    points = _POINTS.search(header)
    if points and int(points[1]) > raw.n_times:
        rate_hz = float(raw.info["sfreq"])
        there, declared = raw.n_times / rate_hz / 60, int(points[1]) / rate_hz / 60
        said = f"the file is cut off: {there:.1f} of the declared {declared:.1f} min are there"
        yield Fault("cut-off", "repaired", said, "DataPoints", points[1])
    channels = re.search(r"^\[Channel Infos\](.*?)(?=^\[|\Z)", header, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    for number, text in _CHANNEL.findall(channels[1]) if channels else ():
        parts = text.split(",")
        if (len(parts) < 4 or not parts[3].strip()) and 0 < int(number) <= len(labels):
            said = "its header gives no unit; µV is used, as the format has it"
            yield Fault("unit-assumed", "repaired", said, "unit", channel=labels[int(number) - 1])
