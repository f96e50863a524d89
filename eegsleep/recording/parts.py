"""One night in several files: the pieces of a recording whose times continue, read as one.

The OpenBCI GUI begins a new file every hour; phones and recorders do so at a size, or after an interruption. Files of
one folder are pieces of one recording if they are of one format, with the same channels and header, and each begins
within `MAX_PAUSE_S` after the end of the one before. What lies between two pieces is a gap; pieces that overlap are
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.edf.header import HeaderRefusedError, inspect_header, is_edf
from eegsleep.recording.edf.open import open_edf
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.limits import MAX_DURATION_S, MAX_GAPS_S
from eegsleep.recording.text.open import open_texts, sniff_text
from eegsleep.recording.text.span import read_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np

    from eegsleep.recording.source import Source

# A recorder that is interrupted is started again within minutes; another night, or another sleeper, comes later.
MAX_PAUSE_S = 1800.0
# Recorders worn for days begin a file each day, minutes after the one before (Sleep-EDF): these are several nights.
MAX_NIGHT_S = 86400.0
# EDF gives starts in whole seconds, so that pieces which follow each other may seem to overlap by one.
_TOLERANCE_S = 2.0
# Clocks of pieces may contradict each other by this; recordings of two sleepers overlap by more.
_MAX_OVERLAP_S = 600.0
# Between files whose names differ in more than numbers.
_MAX_PAUSE_OTHER_NAME_S = 60.0
_MAX_FILES = 500
_EDF_SUFFIXES = (".edf", ".bdf", ".rec")
_TEXT_SUFFIXES = (".csv", ".txt")
# Numbers after such a word are of sleepers; files that differ in them are never one night.
_SLEEPER = re.compile(r"(?:sub|subj|subject|patient|pat|participant|person|pt|vp|id|s|p)[-_ ]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A file that may be a piece of a recording.

    Attributes
    ----------
    path : Path
    family : tuple
        What all pieces of one recording have in common: format, channels and header.
    first_s, last_s : float
        Start and end in seconds, on one clock within a family; equal and NaN where the file does not give them.
    """

    path: Path
    family: tuple[object, ...]
    first_s: float
    last_s: float


def list_parts(paths: Iterable[Path]) -> list[Part]:
    """Return the recordings among files that may be pieces, with their times, in order of time.

    Parameters
    ----------
    paths : iterable of Path
        Files of one folder.

    Returns
    -------
    list of Part
        BrainFlow's stream files and annotations without signals are none.
    """
    parts = [part for path in sorted(paths) if (part := read_part(path)) is not None]
    return sorted(parts, key=lambda part: (part.first_s, part.path.name))


def group_parts(parts: Sequence[Part]) -> list[list[Part]]:
    """Return parts in groups that follow each other; a part that nothing follows or precedes is a group of its own.

    Parameters
    ----------
    parts : sequence of Part
        In order of time.

    Returns
    -------
    list of list of Part
    """
    groups: list[list[Part]] = []
    # by what parts must have in common, the groups that a later part may still follow: a folder may hold thousands
    open_groups: dict[object, list[list[Part]]] = {}
    for part in parts:
        key = (part.family, _common_name(part.path)[1])
        still = [g for g in open_groups.get(key, ()) if part.first_s - g[-1].last_s <= MAX_PAUSE_S]
        open_groups[key] = still
        ended = (g for g in reversed(still) if g[-1].last_s - part.first_s <= _TOLERANCE_S)
        fitting = (g for g in ended if _follows(g[-1], part) and part.last_s - g[0].first_s <= MAX_NIGHT_S)
        before = next(fitting, None)
        if before is None:
            groups.append([part])
            still.append(groups[-1])
        else:
            before.append(part)
    return groups


def are_one_night(parts: Sequence[Part]) -> bool:
    """Return whether files are pieces of one recording, whether they can be joined or overlap.

    Parameters
    ----------
    parts : sequence of Part
        All recordings of a folder, in order of time.

    Returns
    -------
    bool
        True if all are of one family, at least two follow each other, and the others follow or overlap these. So the
        files of two sleepers, which overlap by hours, are none; pieces with a copy among them are, and are refused.
    """
    if len(parts) < 2 or len(parts) > _MAX_FILES or len({(p.family, _common_name(p.path)[1]) for p in parts}) > 1:
        return False
    follow = [_follows(a, b, _MAX_OVERLAP_S) for a, b in pairwise(parts)]
    end_s = parts[0].last_s
    if max(part.last_s for part in parts) - parts[0].first_s > MAX_NIGHT_S:
        return False
    for part in parts[1:]:
        if not part.first_s - end_s <= MAX_PAUSE_S:
            return False
        end_s = max(end_s, part.last_s)
    return any(follow)


def open_parts(folder: Path, parts: Sequence[Part]) -> Source:
    """Open the pieces of one recording as one source.

    Parameters
    ----------
    folder : Path
        What the user named.
    parts : sequence of Part
        Of one family, in order of time.

    Returns
    -------
    Source
        What lies between two pieces is a gap.

    Raises
    ------
    RecordingError
        If pieces overlap, or one cannot be read.
    """
    for a, b in pairwise(parts):
        if b.first_s < a.last_s - _TOLERANCE_S:
            raise _overlapping(folder.name, a.path, b.path, a.last_s - b.first_s)
    paths = [part.path for part in parts]
    kind = str(parts[0].family[0])
    source = open_texts(folder, paths, kind) if kind != "EDF" else _join([open_edf(path) for path in paths], folder)
    said = f"{len(paths)} files that follow each other were read as one recording: {_list(paths)}"
    return replace(source, faults=(Fault("pieces-joined", "repaired", said), *source.faults))


def _overlapping(folder: str, before: Path, after: Path, overlap_s: float) -> RecordingError:
    return RecordingError(
        f"{folder} cannot be read as one night: two of its files overlap",
        found=f"{clean_text(after.name)} begins {overlap_s:.4g} s before the end of {clean_text(before.name)}",
        allowed="files that follow each other",
        remedy="take out the file that is a copy, or of another sleeper, or give one file",
    )


def _list(paths: Sequence[Path]) -> str:
    names = [clean_text(path.name) for path in paths]
    return ", ".join(names) if len(names) < 4 else f"{names[0]}, {names[1]}, … {names[-1]}"


def _follows(before: Part, after: Part, overlap_s: float = _TOLERANCE_S) -> bool:
    """Return whether a file begins where another of its family ends; a pause is only accepted between like names."""
    (name, sleepers), (other, others) = _common_name(before.path), _common_name(after.path)
    pause_s = MAX_PAUSE_S if name == other else _MAX_PAUSE_OTHER_NAME_S
    same = before.family == after.family and sleepers == others
    return same and -overlap_s <= after.first_s - before.last_s <= pause_s


def read_part(path: Path) -> Part | None:
    """Return what a file is as a piece; None if it is no recording that may be one.

    The header of an EDF is read once, however often this is asked; a file that was changed is read again.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Part or None
        None, too, for a file of annotations alone.
    """
    suffix = path.suffix.lower()
    if suffix not in _EDF_SUFFIXES + _TEXT_SUFFIXES or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(8192)
            if is_edf(head):
                stat = path.stat()
                return _read_edf_part(path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return None
    kind = sniff_text(head)
    if not kind or kind == "BrainFlow CSV":
        return None
    span = read_span(path, kind)
    family = (kind, span.names if span else path.name)
    return Part(path, family, *((span.first_s, span.last_s) if span else (float("nan"), float("nan"))))


@lru_cache(maxsize=10_000)
def _read_edf_part(path: Path, size_bytes: int, _changed_ns: int) -> Part | None:
    try:
        with path.open("rb") as file:
            header = inspect_header(file, size_bytes)
    except HeaderRefusedError as error:
        if error.faults[-1].code == "annotations-only":
            return None
        return Part(path, ("EDF", path.name), float("nan"), float("nan"))
    signals = tuple(
        (s.label, s.samples_per_record, s.unit) for s in header.signals if not s.is_annotation
    )  # empty ones, too
    identity = re.sub(r"startdate\s+\S+", "", header.identity, flags=re.IGNORECASE)
    if header.start is None:
        return Part(path, ("EDF", path.name), float("nan"), float("nan"))
    first_s = _seconds(header.start)
    # files of one signal are channels of one night (ZMax), unless their names differ in numbers alone
    name = _common_name(path)[0] if len(signals) == 1 else ""
    family = _share(("EDF", header.kind, signals, header.record_s, identity, name))
    return Part(path, family, first_s, first_s + header.n_records * header.record_s)


@lru_cache(maxsize=1_000)
def _share(family: tuple[object, ...]) -> tuple[object, ...]:
    """Return one object for equal families: thousands of files have one."""
    return family


def _seconds(moment: datetime) -> float:
    return (moment - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 - naive local time


@lru_cache(maxsize=10_000)
def _common_name(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return a name without its numbers, and the numbers of sleepers in it."""
    name = path.stem.casefold()
    sleepers = tuple(re.findall(rf"(?<![a-z]){_SLEEPER.pattern}", name))
    return re.sub(r"\d+", "#", name), sleepers


def _join(sources: Sequence[Source], folder: Path) -> Source:
    """Return EDF files that follow each other as one source."""
    import numpy as np

    first = sources[0]
    offsets_s = _place(sources)
    ends_s = [offset + source.duration_s for offset, source in zip(offsets_s, sources, strict=True)]
    between = [(end, begin - end) for end, begin in zip(ends_s, offsets_s[1:], strict=False) if begin > end]
    if ends_s[-1] > MAX_DURATION_S or sum(length for _, length in between) > MAX_GAPS_S:
        raise RecordingError(
            f"{folder.name} is longer than any night",
            found=f"{ends_s[-1] / 3600:.1f} h",
            allowed="72 h with 24 h of gaps",
            remedy="put the files of each night in a folder of its own",
        )
    rates = {channel.label: channel.rate_hz for channel in first.channels}

    def load(labels: Sequence[str]) -> list[np.ndarray]:
        wholes = [np.full(round(ends_s[-1] * rates[label]), np.nan) for label in labels]
        for source, offset_s in zip(sources, offsets_s, strict=True):
            for whole, label, signal in zip(wholes, labels, source.load(labels), strict=True):
                target = whole[round(offset_s * rates[label]) :][: signal.size]
                target[:] = signal[: target.size]
        return wholes

    placed = list(zip(sources, offsets_s, strict=True))
    gaps = {(onset + at_s, length) for source, at_s in placed for onset, length in source.gaps} | set(between)
    annotations = [(on + at_s, length, text) for source, at_s in placed for on, length, text in source.annotations]
    return replace(
        first,
        path=folder,
        files=tuple(source.path for source in sources),
        duration_s=ends_s[-1],
        load=load,
        gaps=tuple(sorted(gaps)),
        annotations=tuple(annotations),
        faults=tuple(dict.fromkeys(fault for source in sources for fault in source.faults)),
    )


def _place(sources: Sequence[Source]) -> list[float]:
    """Return when each source begins, in seconds after the first; a step of up to 2 s is none, as clocks are coarse."""
    offsets_s = [0.0]
    for before, after in pairwise(sources):
        end_s = offsets_s[-1] + before.duration_s
        begin_s = end_s
        if before.start and after.start and sources[0].start:
            begin_s = (after.start - sources[0].start).total_seconds()
        if begin_s < end_s - _TOLERANCE_S:
            raise _overlapping(before.path.parent.name, before.path, after.path, end_s - begin_s)
        offsets_s.append(end_s if abs(begin_s - end_s) <= _TOLERANCE_S else begin_s)
    return offsets_s
