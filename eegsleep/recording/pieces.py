"""Files read in pieces of bytes: either all bytes that were asked for, or an error."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from eegsleep.errors import RecordingError, describe_error

if TYPE_CHECKING:
    from collections.abc import Iterator

# Files are read in pieces of about this size, so that the memory needed does not grow with the file.
PIECE_BYTES = 4_000_000


class ByteFile(Protocol):
    """A file of bytes that can be read at any place: one on the disk, unpacked, or in memory."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, in bytes from the start (0) or the end (2), and return it."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most so many bytes."""

    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:
        """Fill a buffer as far as it goes at once, and return the number of bytes."""


@contextmanager
def memory_refused(name: str) -> Iterator[None]:
    """Raise `RecordingError` for the file of that name where memory runs out.

    Parameters
    ----------
    name : str
        The file's name, for the message.

    Raises
    ------
    RecordingError
        If memory runs out within the block.
    """
    try:
        yield
    except MemoryError as error:
        raise RecordingError(
            f"{name} needs more memory than there is",
            found=describe_error(error) or "no memory left",
            remedy="close other programs, or split the file",
        ) from error


def read_exactly(file: ByteFile, at: int, into: bytearray | memoryview) -> None:
    """Fill a buffer with the bytes at a place of a file.

    Parameters
    ----------
    file : ByteFile
        It may be unbuffered and give fewer bytes at a time than it is asked for.
    at : int
        In bytes from its start.
    into : writable buffer of bytes

    Raises
    ------
    RecordingError
        If the file ends before the buffer is full. It was longer when it was opened.
    """
    file.seek(at)
    view, filled = memoryview(into), 0
    while filled < len(view):
        n = file.readinto(view[filled:])
        if not n:
            path = getattr(file, "name", None)  # a temporary file has a number for its name
            name = Path(path).name if isinstance(path, str) else "the file"
            raise RecordingError(f"{name} was cut or changed while it was read", remedy="read it again")
        filled += n
