"""Formats that eegsleep has no reader of its own for, through `mne.io.read_raw`."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.limits import MAX_DURATION_S, is_plausible_start
from eegsleep.recording.source import Source, SourceChannel
from eegsleep.recording.through_mne.fif_parts import find_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import mne
    import numpy as np

# mne reads by name. These are what sleep and EEG laboratories hand on, and either one file or files that
# are checked here before mne follows their names. Left out: EDF and BDF, which eegsleep reads itself; MEG,
# optics and eye trackers; and what opens files that nobody checked (Persyst, Curry, Nihon Kohden, …).
_SUFFIXES = (".fif", ".vhdr", ".ahdr", ".set", ".cnt", ".gdf", ".nedf")
_REFUSAL = {
    "allowed": "EDF, EDF+ and BDF (also gzipped), WFDB by its header .hea, a ZMax folder, Muse, Mind Monitor, BrainBit "
    f"and OpenBCI text, and {', '.join(_SUFFIXES)} through mne",
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
_MAX_PARTS = 50
_MAX_HEADER_BYTES = 10_000_000
_NAMED = re.compile(r"^[^\S\n]*(DataFile|MarkerFile)[^\S\n]*[=:](.*(?:\n[^\S\n]+\S.*)*)$", re.IGNORECASE | re.MULTILINE)
_POINTS = re.compile(r"^\s*DataPoints\s*[=:]\s*(\d{1,15})\s*$", re.IGNORECASE | re.MULTILINE)
_CHANNEL = re.compile(r"^\s*Ch(\d{1,4})\s*[=:](.*)$", re.IGNORECASE | re.MULTILINE)
# Others may spell a path in characters that only their own decoding shows.
_CODEPAGES = re.compile(r"ANSI|ASCII|UTF-?8|latin-?1|iso-?8859-\d{1,2}|(cp|windows-?)125\d", re.IGNORECASE)
_JOINT = re.compile(r"(edge |bad )?boundary|new segment\b.*", re.IGNORECASE)


def open_foreign(path: Path) -> Source:
    """Open any other file that mne reads; its units, times and gaps are taken on mne's word.

    Text in a file never becomes a path outside the folder of that file.

    Raises
    ------
    RecordingError
        If mne does not read it either, or should not be asked to.
    """
    name = path.name.lower()
    if not name.endswith(_SUFFIXES):
        raise _unknown(path)
    is_brainvision = name.endswith((".vhdr", ".ahdr"))
    header = _read_brainvision(path) if is_brainvision else ""
    others = _named_files(path, header) if is_brainvision else []
    if name.endswith(".fif"):
        _check_parts(path)
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
    skips = _find_skips(raw)

    def load(wanted: Sequence[str]) -> list[np.ndarray]:
        if unknown := [label for label in wanted if label not in labels]:
            raise RecordingError(
                f"{path.name} has no such channel", found=", ".join(unknown), allowed=", ".join(labels)
            )
        with _quiet(path):
            signals = list(raw.get_data(picks=[labels.index(label) for label in wanted], verbose="ERROR"))
        for signal in signals:
            for onset_s, skipped_s in skips:
                signal[round(onset_s * rate_hz) : round((onset_s + skipped_s) * rate_hz)] = float("nan")
        return signals

    start, faults = _find_start(path, raw)
    return Source(
        path=path,
        files=tuple(files),
        kind=f"mne: {type(raw).__name__}",
        # mne gives every electrode in volts; what it takes for something else cannot be staged
        channels=tuple(
            SourceChannel(label, rate_hz, "V" if kind in _VOLTAGES else "")
            for label, kind in zip(labels, types, strict=True)
        ),
        start=start,
        duration_s=duration_s,
        load=load,
        gaps=skips,
        annotations=tuple(_annotations(raw)),
        faults=(*faults, *_find_joins(raw), *_find_brainvision_faults(header, raw, labels)),
    )


def _unknown(path: Path) -> RecordingError:
    """Return the refusal of a file that is not offered to mne, with what to do about it."""
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
    """Keep what mne's readers print and warn to ourselves, and make whatever they raise our error."""
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except RecordingError:
        raise
    except Exception as error:  # readers of twenty formats raise what they like
        found = clean_text(str(error)) or type(error).__name__
        raise RecordingError(f"{path.name} cannot be read", found=found, **_REFUSAL) from error


def _read(path: Path) -> mne.io.BaseRaw:
    import mne

    return mne.io.read_raw(path, preload=False, verbose="ERROR")


def _read_brainvision(path: Path) -> str:
    """Return the text of a BrainVision header up to its comment, and refuse an encoding that could hide a path."""
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
    """Return the files a BrainVision header names; refuse what lies elsewhere, or is not there."""
    files = []
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
    sibling = path.with_suffix(".vmrk")  # mne takes it where the marker file that is named is not there
    if sibling.is_file():
        _check_beside(path, sibling, sibling.name)
    return files


def _check_parts(path: Path) -> None:
    """Refuse a FIF file that goes on in one elsewhere, or in a circle; mne would follow it for ever."""
    seen, waiting = [], [path]
    while waiting:
        part = waiting.pop()
        following = find_parts(part)
        number = re.search(r"-(\d{1,9})\.[^-]*$", part.name)
        back = [other for other in following if isinstance(other, int) and other <= int(number[1] if number else 0)]
        if back or _is_among(part, seen) or len(seen) > _MAX_PARTS:
            raise RecordingError(
                f"{path.name} cannot be read: its parts name each other in a circle",
                found=clean_text(part.name),
                remedy="save it again as one file",
            )
        seen.append(part)
        for written in (other for other in following if isinstance(other, str)):
            other = path.parent / written
            _check_beside(path, other, written)
            waiting += [other] if other.is_file() else []


def _check_beside(path: Path, other: Path, written: str) -> None:
    """Refuse a file that the recording names and that does not lie beside it, links followed."""
    folder = path.parent.resolve()
    if _is_among(other, [path]):
        return
    is_path = re.search(r"[\\/:]|[^\x20-\U0010ffff]", written.removeprefix("./").removeprefix(".\\"))
    if is_path or other.resolve().parent != folder or (other.exists() and not other.is_file()):
        raise RecordingError(
            f"{path.name} cannot be read: it names a file that does not lie beside it",
            found=clean_text(written),
            allowed=f"a file in the folder of {path.name}, and no link to another place",
            remedy="copy the files of the recording into one folder, and mend the name in its header",
        )


def _is_among(file: Path, files: Sequence[Path]) -> bool:
    return any(file == other or (file.exists() and other.exists() and file.samefile(other)) for other in files)


def _find_start(path: Path, raw: mne.io.BaseRaw) -> tuple[datetime | None, list[Fault]]:
    """Return when the first sample was taken, and what is to be said of the clock."""
    kind = type(raw).__name__
    said = f"read through mne: {kind}; units, clock and gaps are taken on its word"
    faults = [Fault("foreign-format", "repaired", said)]
    zero = raw.info["meas_date"]
    if zero is None:
        return None, faults
    try:  # a piece cut out of a recording keeps the date of the whole
        start = zero.replace(tzinfo=None) + timedelta(seconds=float(raw.first_time))
    except OverflowError:
        start = None
    if start is None or not is_plausible_start(start):
        said = "the date in it cannot be right: its start is not known"
        return None, [*faults, Fault("date-unknown", "repaired", said, "measurement date", str(zero))]
    if ".fif" in path.name.lower():
        said = "the file's clock is UTC and the zone is not known: clock times are not local"
        faults.append(Fault("clock-utc", "repaired", said))
    return start, faults


def _annotations(raw: mne.io.BaseRaw) -> Iterator[tuple[float, float, str]]:
    """Give the annotations in seconds from the first sample: mne counts from before it in a piece cut out."""
    for a in raw.annotations:
        yield float(a["onset"]) - float(raw.first_time), float(a["duration"]), clean_text(a["description"])


def _find_skips(raw: mne.io.BaseRaw) -> tuple[tuple[float, float], ...]:
    """Return where the recorder paused; mne fills that with zeros."""
    end_s = raw.n_times / float(raw.info["sfreq"])
    skips: list[tuple[float, float]] = []
    for onset_s, length_s, text in sorted(_annotations(raw)):
        first_s, last_s = max(onset_s, 0.0), min(onset_s + length_s, end_s)
        if not text.upper().startswith("BAD_ACQ_SKIP") or last_s <= first_s:
            continue
        if skips and first_s <= skips[-1][1]:  # mne may say it twice
            first_s, last_s = skips[-1][0], max(last_s, skips.pop()[1])
        skips.append((first_s, last_s))
    return tuple((first_s, last_s - first_s) for first_s, last_s in skips)


def _find_joins(raw: mne.io.BaseRaw) -> list[Fault]:
    """Return a fault if pieces of different times were joined, so that the time of what follows is not known."""
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
    """Give what mne takes without a word in a BrainVision header: too few samples, channels without a unit."""
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
            said = "its header gives no unit; it is taken for µV, as the format has it"
            yield Fault("unit-assumed", "repaired", said, "unit", channel=labels[int(number) - 1])
