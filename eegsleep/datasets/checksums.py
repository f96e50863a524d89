"""Which checksums a file is checked against: those in the package, or the list that the server keeps with its files.

A change on the server does not change the checksums in the package, so they come first. The server's list is used where
the package has none, or on request, for a mirror that holds other files under the same names.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from eegsleep.datasets.registry import SUMS_FILE, find_dataset, read_registry, read_sums
from eegsleep.errors import SettingsError
from eegsleep.provenance import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eegsleep.datasets.registry import DataFile, DataSet

PACKAGE, SERVER = "package", "server"

logger = logging.getLogger(__name__)


def are_complete(files: Sequence[DataFile]) -> bool:
    """Return whether the checksum of every file is known."""
    return bool(files) and all(file.digest for file in files)


def is_in_package(dataset: str) -> bool:
    """Return whether the package knows the checksums of a set."""
    return are_complete(read_registry(dataset))


def find_source(dataset: str, folder: Path) -> str:
    """Return what the files in a folder are checked against, `package` or `server`.

    Parameters
    ----------
    dataset : str
    folder : Path

    Returns
    -------
    str
    """
    return PACKAGE if is_in_package(dataset) and not (folder / SUMS_FILE).is_file() else SERVER


def list_files(dataset: str, folder: Path) -> list[DataFile]:
    """Return the files of a set with their checksums, from the list kept in the folder or from the package.

    Parameters
    ----------
    dataset : str
    folder : Path

    Returns
    -------
    list of DataFile
    """
    kept = folder / SUMS_FILE
    return _read_kept(find_dataset(dataset), kept) if kept.is_file() else read_registry(dataset)


def check_source(dataset: str, folder: Path, asked: str) -> None:
    """Refuse to check the files of one folder against the server's list once and against the package another time.

    Parameters
    ----------
    dataset : str
    folder : Path
    asked : str
        `package` or `server`.

    Raises
    ------
    SettingsError
        If `asked` is neither, or the folder holds a server's list where the package's checksums are asked for, or
        files that were checked by the package where the server's are.
    """
    if asked not in {PACKAGE, SERVER}:
        raise SettingsError("there are no such checksums", found=asked, allowed=f"{PACKAGE} or {SERVER}")
    if not is_in_package(dataset):
        return
    has_list = (folder / SUMS_FILE).is_file()
    if asked == PACKAGE and has_list:
        raise SettingsError(
            f"{folder} holds files that were checked against a server's own list, not by the package's checksums",
            found=SUMS_FILE,
            remedy="go on with --checksums server, or take another folder with --output, or remove that list",
        )
    if asked == SERVER and not has_list and any((folder / file.name).is_file() for file in read_registry(dataset)):
        raise SettingsError(
            f"{folder} holds files that were checked against the package's checksums, not against a server's own list",
            remedy="take another folder with --output",
        )


def read_or_fetch_list(spec: DataSet, folder: Path, fetch_text: Callable[[], str]) -> list[DataFile]:
    """Return the set's own list of checksums: the one kept beside the data, else the server's, which is kept.

    Parameters
    ----------
    spec : DataSet
    folder : Path
    fetch_text : callable
        Returns the text of the server's list.

    Returns
    -------
    list of DataFile
    """
    kept = folder / SUMS_FILE
    if kept.is_file():
        return _read_kept(spec, kept)
    logger.info("fetching the list of %s", spec.name)
    text = fetch_text()
    files = read_sums(spec, text)
    write_file(kept, text.encode())
    return files


def _read_kept(spec: DataSet, kept: Path) -> list[DataFile]:
    return read_sums(spec, kept.read_text(encoding="utf-8", errors="replace"))
