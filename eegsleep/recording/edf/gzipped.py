"""Unpacking a gzipped EDF or BDF file: no more bytes than its header declares, and no more than EEG can pack into."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING

from eegsleep.recording.edf.header import HeaderRefusedError, inspect_header, is_edf, parse_integer
from eegsleep.recording.faults import Fault, decode_text
from eegsleep.recording.limits import MAX_DURATION_S, MAX_SIGNALS
from eegsleep.recording.pieces import PIECE_BYTES

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

# A night packs to a half or a third of its size, one with most inputs open to a twentieth. A file that grows more than
# fifty times is no EEG, unless it is small; and no file may fill the disk for temporary files.
_MAX_GROWTH = 50
_SMALL_BYTES = 64_000_000
_MAX_BYTES = 4_000_000_000
_UNPACK = "unpack it yourself and give the unpacked file"


def unpack(path: Path) -> tuple[FileIO, tuple[Fault, ...]]:
    """Unpack a gzipped EDF or BDF file into a temporary file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    unpacked : file
        Deleted when it is closed.
    faults : tuple of Fault
        What was wrong with the packing.

    Raises
    ------
    HeaderRefusedError
        If it is broken, holds no EDF, or grows more than EEG does.
    """
    limit = min(_MAX_BYTES, _SMALL_BYTES + _MAX_GROWTH * path.stat().st_size)
    with ExitStack() as on_failure:
        unpacked = on_failure.enter_context(tempfile.TemporaryFile(buffering=0))
        try:
            with gzip.open(path) as packed:
                faults = _copy_recording(packed, unpacked, limit)
        except (OSError, EOFError, zlib.error) as error:
            raise _refusal("gzip", "the gzip file is broken", str(error), "pack or copy it again") from error
        on_failure.pop_all()
    return unpacked, faults


def _refusal(code: str, message: str, value: str, remedy: str) -> HeaderRefusedError:
    return HeaderRefusedError([Fault(code, "refused", message, value=value, remedy=remedy)])


def _copy_recording(packed: gzip.GzipFile, unpacked: FileIO, limit: int) -> tuple[Fault, ...]:
    """Copy header and records, and stop where the header says that they end, however long the stream is."""
    main = packed.read(256)
    if main and not is_edf(main):
        said = "the gzip file holds no EDF or BDF file"
        raise _refusal("not-edf", said, decode_text(main[:24]), "if it is a recording of another format, unpack it")
    n_signals = parse_integer(main[252:]) or 0
    unpacked.write(main + packed.read(256 * n_signals if 0 < n_signals <= MAX_SIGNALS else 0))
    header = inspect_header(unpacked, None)
    n_records = header.n_records if header.n_records > 0 else int(MAX_DURATION_S / header.record_s)
    wanted = n_records * header.record_bytes
    unpacked.seek(0, 2)
    copied = 0
    # then one record more, so that the checksum is read and a fault `trailing-bytes` can be found
    while copied < wanted + header.record_bytes:
        left = wanted - copied if copied < wanted else wanted + header.record_bytes - copied
        try:
            piece = packed.read(min(left, PIECE_BYTES))
        except gzip.BadGzipFile as error:
            # the packed part is sound, by its checksum, and bytes follow that are not packed
            if copied >= wanted and "Not a gzipped file" in str(error):
                said = "the gzip file goes on after its end; what follows was not read"
                return (Fault("gzip-trailing", "repaired", said),)
            raise
        if not piece:
            break
        copied += unpacked.write(piece)
        if copied > limit:
            said = f"unpacked it is larger than {limit / 1e6:.0f} MB, and no EEG of its packed size is"
            raise _refusal("gzip-size", said, f"{packed.tell() / 1e6:.0f} MB and more", _UNPACK)
    return ()
