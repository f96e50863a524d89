"""What a FIF file would make mne open or do for ever, found before mne is asked."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from eegsleep.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TAG = struct.Struct(">iIii")  # kind, type, bytes of data, place of the next tag
_DIRECTORY_POINTER, _BLOCK_START, _ROLE, _FILE_NUMBER, _FILE_NAME = 101, 104, 115, 117, 118
_NEXT = 2
_MAX_NAME = 4096
# A night in pieces of a second has thirty thousand.
_MAX_TAGS = 500_000
_REMEDY = {"remedy": "save it again with the program that made it, or export the night as EDF"}


def find_parts(path: Path) -> list[str | int]:
    """Return the names, or numbers, of the files a FIF file says it goes on in, as they are written there.

    Raises
    ------
    RecordingError
        If its tags do not follow each other to the end of the file, which mne might follow for ever.
    """
    parts: list[str | int] = []
    with path.open("rb") as file:
        for tags in (_walk(path, file), _listed(file, path.stat().st_size)):
            goes_on = True
            for kind, n_bytes, place in tags:
                if kind not in {_BLOCK_START, _ROLE, _FILE_NAME, _FILE_NUMBER}:
                    continue
                file.seek(place + _TAG.size)
                content = file.read(min(max(n_bytes, 0), _MAX_NAME))
                if kind == _FILE_NAME and goes_on:
                    parts.append(content.decode("latin-1"))
                elif kind == _FILE_NUMBER and goes_on:
                    parts.append(int.from_bytes(content[:4], "big", signed=True))
                else:  # a file names the one before it too
                    goes_on = kind == _BLOCK_START or int.from_bytes(content[:4], "big") == _NEXT
    return list(dict.fromkeys(parts))


def _walk(path: Path, file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Give kind, bytes and place of each tag in the order in which they point to each other."""
    place = 0
    for _ in range(_MAX_TAGS):
        file.seek(place)
        if len(head := file.read(_TAG.size)) < _TAG.size:
            return
        kind, _, n_bytes, after = _TAG.unpack(head)
        yield kind, n_bytes, place
        if after < 0:
            return
        following = after or place + _TAG.size + n_bytes
        if following <= place:
            break
        place = following
    raise RecordingError(
        f"{path.name} cannot be read: its parts do not follow each other",
        found=f"a step back at byte {place}",
        allowed="a FIF file whose tags lead to its end",
        **_REMEDY,
    )


def _listed(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Give kind, bytes and place of each tag in the file's directory, which need not be those it holds."""
    file.seek(0)
    if len(first := file.read(_TAG.size)) < _TAG.size:
        return
    n_bytes, after = _TAG.unpack(first)[2:]
    file.seek(max(after or _TAG.size + n_bytes, 0))
    pointer = file.read(_TAG.size + 4)
    if len(pointer) < _TAG.size + 4 or _TAG.unpack(pointer[: _TAG.size])[0] != _DIRECTORY_POINTER:
        return
    place = int.from_bytes(pointer[_TAG.size :], "big", signed=True)
    if not 0 < place < size:
        return
    file.seek(place)
    head = file.read(_TAG.size)
    if len(head) < _TAG.size or not 0 < (n_bytes := _TAG.unpack(head)[2]) <= _TAG.size * _MAX_TAGS:
        return
    listed = file.read(min(n_bytes, size))
    for kind, _, n_bytes, place in _TAG.iter_unpack(listed[: len(listed) // _TAG.size * _TAG.size]):
        if 0 <= place < size:
            yield kind, n_bytes, place
