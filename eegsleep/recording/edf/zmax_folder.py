"""A folder of one-signal EDF files, as the converter of the ZMax headband writes it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.channels.labels import guess_role, unique_labels
from eegsleep.recording.edf.header import HeaderRefusedError
from eegsleep.recording.edf.open import open_edf
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np

_BATCH = "give one file, or score all recordings of the folder with `eegsleep batch FOLDER`"
_ALLOWED = "a folder of EDF files with one signal each, as the ZMax converter writes it"
# The converter writes about thirty; more are many nights.
_MAX_FILES = 100


@dataclass(frozen=True)
class _Part:
    """One file of the folder, and how long after the start of the recording it starts."""

    source: Source
    offset_s: float

    @property
    def end_s(self) -> float:
        return self.offset_s + self.source.duration_s

    @property
    def rate_hz(self) -> float:
        return self.source.channels[0].rate_hz


def open_folder(folder: Path) -> Source:
    """Open the one-signal EDF files of a folder as one recording; each signal is named by its file.

    A file that cannot be read costs only its own channel. The recording starts and ends with the EEG files. Files that
    start at another second are placed at their time; where they hold nothing, samples are missing.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If the folder does not hold one-signal EDF files, an EEG among them.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".edf" and path.is_file())
    if len(paths) > _MAX_FILES:
        raise RecordingError(
            f"{folder.name} is not a folder of one night",
            found=f"{len(paths)} EDF files",
            allowed=_ALLOWED,
            remedy=_BATCH,
        )
    opened, faults = {}, []
    for path, label in zip(paths, unique_labels([path.stem for path in paths]), strict=True):
        try:
            source = open_edf(path)
        except (HeaderRefusedError, OSError) as error:
            why = error.faults[-1].message if isinstance(error, HeaderRefusedError) else clean_text(str(error))
            faults.append(Fault("file-unreadable", "refused", f"its file cannot be read: {why}", channel=label))
            continue
        if len(source.channels) != 1:
            raise RecordingError(
                f"{folder.name} is not a folder of one night",
                found=f"{path.name} with {len(source.channels)} signals",
                allowed=_ALLOWED,
                remedy=_BATCH,
            )
        opened[label] = source
    eeg = [label for label in opened if guess_role(label) == "eeg"]
    if not eeg:
        raise _without_eeg(folder, list(opened), faults)
    return _join(folder, opened, eeg, faults)


def _without_eeg(folder: Path, labels: Sequence[str], faults: Sequence[Fault]) -> RecordingError:
    """Return the error for a folder without a readable EEG, with a guess at what the user meant."""
    others = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    within = next((path.name for path in others if path.is_dir()), "")
    packed = next((path.name for path in others if path.suffix.lower() in {".zip", ".7z", ".rar", ".gz"}), "")
    raw = next((path.name for path in others if path.suffix.lower() == ".hyp"), "")
    remedy = _BATCH
    if faults:
        remedy = "copy or convert the EEG files again"
    elif packed:
        remedy = f"unpack {clean_text(packed)} and give the folder that comes out of it"
    elif raw:
        remedy = f"convert {clean_text(raw)} with HDRecorder and give the folder that it writes"
    elif within:
        remedy = f"give the folder of one night, such as {clean_text(within)}"
    unreadable = "; ".join(fault.as_note().rstrip(".") for fault in faults[:5])
    named = ", ".join(labels[:20])
    error = RecordingError(
        f"{folder.name} holds no readable {'EEG' if labels else 'EDF file'}",
        found="; ".join(text for text in (named, unreadable) if text) or "no .edf file",
        allowed=f"{_ALLOWED}, such as EEG L.edf and EEG R.edf",
        remedy=remedy,
    )
    error.faults = tuple(faults)
    return error


def _find_reference(opened: dict[str, Source], eeg: Sequence[str]) -> datetime | None:
    """Return the start of most EEG files; of two that are as frequent, that of more files, then the earlier."""
    votes = Counter(opened[label].start for label in eeg if opened[label].start)
    all_files = Counter(source.start for source in opened.values())
    most = sorted(votes, key=lambda start: (-votes[start], -all_files[start], start))
    return most[0] if most else None


def _place(opened: dict[str, Source], eeg: Sequence[str], faults: list[Fault]) -> tuple[dict[str, _Part], Source]:
    """Return the files with their start after that of the recording, and the EEG file with which it starts."""
    reference = _find_reference(opened, eeg)
    kept: dict[str, float] = {}
    duration_s = max(opened[label].duration_s for label in eeg if opened[label].start == reference)
    for label, source in opened.items():
        offset_s = 0.0
        if reference and source.start:
            offset_s = (source.start - reference).total_seconds()
        if reference and not source.start:
            said, remedy = (
                f"its file has no date, and others start at {reference}; it is left out",
                "correct its start date",
            )
            faults.append(Fault("start-differs", "refused", said, "start time", "", remedy, label))
        elif not -source.duration_s < offset_s < duration_s:
            said = f"its file starts at {source.start}, others at {reference}, and shares no time with them"
            faults.append(Fault("start-differs", "refused", said, "start time", str(source.start), channel=label))
        else:
            kept[label] = offset_s
    first = min((label for label in eeg if label in kept), key=lambda label: kept[label])
    for label, offset_s in kept.items():
        if later_s := offset_s - kept[first]:
            said = f"its file starts {abs(later_s):g} s {'after' if later_s > 0 else 'before'} the first EEG file"
            said += "; it is placed at its time, and " + ("until then it is missing" if later_s > 0 else "cut there")
            faults.append(Fault("start-differs", "repaired", said, channel=label))
    return {label: _Part(opened[label], offset_s - kept[first]) for label, offset_s in kept.items()}, opened[first]


def _join(folder: Path, opened: dict[str, Source], eeg: Sequence[str], faults: list[Fault]) -> Source:
    parts, first = _place(opened, eeg, faults)
    duration_s = max(parts[label].end_s for label in eeg if label in parts)
    for label, part in parts.items():
        faults += [replace(fault, channel=label) for fault in part.source.faults]
        short_s = duration_s - part.end_s
        if short_s > 0:
            said = f"its file ends {short_s:.4g} s before the others; the rest is missing"
            faults.append(Fault("length-differs", "repaired", said, channel=label))

    def load(labels: Sequence[str]) -> list[np.ndarray]:
        return [_place_signal(parts[label], duration_s) for label in labels]

    gaps = {
        gap for label in eeg if label in parts for gap in _move_gaps(parts[label].source.gaps, parts[label].offset_s)
    }
    return Source(
        path=folder,
        files=tuple(part.source.path for part in parts.values()),
        kind="ZMax folder",
        channels=tuple(replace(part.source.channels[0], label=label) for label, part in parts.items()),
        start=first.start,
        duration_s=duration_s,
        load=load,
        identity=" ".join(part.source.identity for part in parts.values()),
        gaps=tuple(sorted(gaps)),
        annotations=first.annotations,
        faults=tuple(faults),
    )


def _place_signal(part: _Part, duration_s: float) -> np.ndarray:
    """Return the signal of one file over the whole recording; NaN before and after it."""
    import numpy as np

    (signal,) = part.source.load([part.source.channels[0].label])
    at = round(part.offset_s * part.rate_hz)
    signal = signal[max(0, -at) :]
    whole = np.full(round(duration_s * part.rate_hz), np.nan)
    target = whole[max(0, at) :][: signal.size]
    target[:] = signal[: target.size]
    return whole


def _move_gaps(gaps: Sequence[tuple[float, float]], offset_s: float) -> list[tuple[float, float]]:
    return [(onset_s + offset_s, length_s) for onset_s, length_s in gaps]
