"""Bytes of a file in pieces: all that were asked for, or a refusal."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from eegsleep.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Files are taken in pieces of about this size, so that memory follows what is asked for, not the file.
PIECE_BYTES = 4_000_000


@contextmanager
def memory_refused(name: str) -> Iterator[None]:
    """Turn running out of memory into a refusal of the file of that name."""
    try:
        yield
    except MemoryError as error:
        raise RecordingError(
            f"{name} needs more memory than there is",
            found=str(error) or "no memory left",
            remedy="close other programs, or split the file",
        ) from error


def read_exactly(file: BinaryIO, at: int, into: bytearray | memoryview) -> None:
    """Fill a buffer with what stands at a place of a file.

    Parameters
    ----------
    file : binary file
        Unbuffered: it may give less than it is asked for.
    at : int
        In bytes from its start.
    into : writable buffer of bytes

    Raises
    ------
    RecordingError
        If the file ends before the buffer is full: it was longer when it was opened.
    """
    file.seek(at)
    view, filled = memoryview(into), 0
    while filled < len(view):
        n = file.readinto(view[filled:])
        if not n:
            name = Path(file.name).name if isinstance(getattr(file, "name", None), str) else "the file"
            raise RecordingError(f"{name} was cut or changed while it was read", remedy="read it again")
        filled += n
