"""EDF and BDF files as a `Source`: the header is checked, and the records are placed in time."""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from eegsleep.plain_files import check_plain
from eegsleep.recording.edf.gzipped import unpack
from eegsleep.recording.edf.header import HeaderRefusedError, inspect_header
from eegsleep.recording.edf.samples import load
from eegsleep.recording.edf.start_time import move_start
from eegsleep.recording.edf.timeline import read_timeline
from eegsleep.recording.source import Source, SourceChannel

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from io import FileIO
    from pathlib import Path

    from eegsleep.recording.edf.samples import Opener
    from eegsleep.recording.faults import Fault


def open_edf(path: Path) -> Source:
    """Open an EDF or BDF file, gzipped or not, and check it; no signal is read yet.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Source

    Raises
    ------
    HeaderRefusedError
        If a fault refuses the whole file.
    """
    opener, size_bytes, packing = _open(path)
    with opener() as file:
        header = inspect_header(file, size_bytes)
        timeline = read_timeline(file, header)
    refusal = next((fault for fault in timeline.faults if fault.severity == "refused"), None)
    if refusal:
        raise HeaderRefusedError([*header.faults, *timeline.faults[: timeline.faults.index(refusal) + 1]])
    start, moved = move_start(header.start, timeline.offset_s)
    return Source(
        path=path,
        files=(path,),
        kind=header.kind,
        channels=tuple(
            SourceChannel(
                s.label,
                header.rate_hz(s),
                s.unit,
                s.gain,
                (s.physical_min, s.physical_max),
                (s.digital_min, s.digital_max),
            )
            for s in header.signals
            if not s.is_annotation and not s.is_empty
        ),
        start=start,
        duration_s=timeline.duration_s,
        load=partial(load, opener, header, timeline),
        identity=header.identity,
        gaps=timeline.gaps,
        annotations=timeline.annotations,
        record_s=header.record_s,
        faults=(*packing, *header.faults, *moved, *timeline.faults),
    )


def open_bytes(path: Path) -> tuple[Opener, int]:
    """Return a function that opens a file as plain EDF, and its size in bytes; a gzipped file is unpacked once.

    Parameters
    ----------
    path : Path

    Returns
    -------
    opener : callable
    size_bytes : int

    Raises
    ------
    HeaderRefusedError
        If a gzipped file cannot be unpacked.
    """
    return _open(path)[:2]


def _open(path: Path) -> tuple[Opener, int, tuple[Fault, ...]]:
    """Return what `open_bytes` returns, and the faults of the packing."""
    with check_plain(path).open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    if not is_packed:
        return partial(_open_plain, path), path.stat().st_size, ()
    unpacked, faults = unpack(path)
    opener = partial(_keep_open, unpacked)
    weakref.finalize(opener, unpacked.close)
    return opener, unpacked.seek(0, 2), faults


def _open_plain(path: Path) -> FileIO:
    return path.open("rb", buffering=0)


def _keep_open(file: FileIO) -> AbstractContextManager[FileIO]:
    return nullcontext(file)
