"""Which files of a data set in a folder have their checksum, with the results remembered.

Hashing a set of forty gigabytes takes minutes, so the folder keeps a list of files that were found whole, with their
size and time of change. A file whose size or time differs from the list is hashed again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from eegsleep.json_files import parse_json
from eegsleep.provenance import encode_json, write_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from eegsleep.datasets.registry import DataFile

LEDGER_FILE = ".verified.json"


def find_whole(folder: Path, files: Iterable[DataFile]) -> set[str]:
    """Return the names of the files that lie in the folder and have their checksum.

    A file whose checksum is not known counts if it is there.

    Parameters
    ----------
    folder : Path
    files : iterable of DataFile

    Returns
    -------
    set of str
    """
    ledger = _read_ledger(folder)
    before, whole = dict(ledger), set()
    for file in files:
        path = folder / file.name
        if not path.is_file():
            continue
        entry = _describe(path, file)
        if not file.digest or ledger.get(file.name) == entry or _has_checksum(path, file):
            whole.add(file.name)
            ledger |= {file.name: entry} if file.digest else {}
    if ledger != before:
        _write_ledger(folder, ledger)
    return whole


def remember(folder: Path, file: DataFile) -> None:
    """Note that a file was found to have its checksum."""
    _write_ledger(folder, _read_ledger(folder) | {file.name: _describe(folder / file.name, file)})


def _has_checksum(path: Path, file: DataFile) -> bool:
    with path.open("rb") as content:
        return hashlib.file_digest(content, file.algorithm).hexdigest() == file.digest


def _describe(path: Path, file: DataFile) -> list:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, f"{file.algorithm}:{file.digest}"]


def _read_ledger(folder: Path) -> dict[str, list]:
    try:
        ledger = parse_json((folder / LEDGER_FILE).read_bytes())
    except (OSError, ValueError):  # no list yet, or a damaged one: everything is hashed again
        return {}
    return ledger if isinstance(ledger, dict) else {}


def _write_ledger(folder: Path, ledger: dict[str, list]) -> None:
    with suppress(OSError):  # in a folder without write permission, files are hashed again next time
        write_file(folder / LEDGER_FILE, encode_json(ledger))
