"""What numbers rest on (versions, hashes, fingerprints), and files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError, SettingsError
from eegsleep.file_names import PROVENANCE_FILE
from eegsleep.json_files import read_json
from eegsleep.plain_files import check_plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date
    from io import BufferedWriter
    from pathlib import Path

# In the head of every page.
OWN_PAGE = b'<meta name="generator" content="eegsleep">'
# What can change a number we write; read from the installed metadata, so nothing is imported.
TRACKED_PACKAGES = ("eegsleep", "yasa", "mne", "numpy", "scipy", "pandas", "lightgbm", "soxr")


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a result.

    Returns
    -------
    dict of str to str
        By the name of the package.
    """
    from importlib.metadata import version

    return {name: version(name) for name in TRACKED_PACKAGES}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits, read in pieces.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
    """
    with check_plain(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(paths: Sequence[Path]) -> str:
    """Return the hash of a recording.

    Parameters
    ----------
    paths : sequence of Path
        The files it was read from.

    Returns
    -------
    str
        The SHA-256 of the one file; of the names and hashes of several; empty where there is no file.
    """
    if not paths:
        return ""
    if len(paths) == 1 and paths[0].is_file():
        return hash_file(paths[0])
    return hash_bytes(json.dumps([[path.name, hash_file(path)] for path in paths]).encode())


def hash_bytes(content: bytes) -> str:
    """Return the SHA-256 of `content` as hexadecimal digits.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    str
    """
    return hashlib.sha256(content).hexdigest()


def encode_json(value: object) -> bytes:
    """Return `value` as readable JSON with a fixed layout, so that equal values give equal bytes.

    Parameters
    ----------
    value
        Anything JSON can hold.

    Returns
    -------
    bytes
        In UTF-8, with a line feed at the end.

    Raises
    ------
    ValueError
        If a number in it is not finite: JSON has no word for that.
    """
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


# A disk without room for so much has none for a result.
_PROBE_BYTES = 1_000_000

# What provenance.json of a night holds. A file without all of it, or with another kind of value, is damaged.
PROVENANCE_KINDS = {
    "eegsleep": str,
    "id": str,
    "input": {"sha256": str, "duration_s": float},
    "start": str | None,
    "device": str,
    "roles": dict[str, str],
    "units": dict[str, str],
    "inverted": list[str],
    "other_stager": dict[str, str],
    "staged_channels": dict[str, float],
    "lights": {"off_s": float, "on_s": float, "source": str},
    "hypnogram_sha256": str,
    "settings": dict,
    "calibration": dict,
    "versions": dict[str, str],
    "fingerprint": str,
    "request": str,
    "quality": {"verdict": str, "reasons": list[str]},
    "warnings": list[str],
    "outputs": dict[str, str],
}


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return provenance.json of a night folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        Empty where there is no such file, or none that can be read.
    """
    try:
        return read_json(folder / PROVENANCE_FILE, "the provenance of a night", PROVENANCE_KINDS, required=())
    except EegSleepError:
        return {}


def check_provenance(folder: Path, required: Collection[str] = tuple(PROVENANCE_KINDS)) -> dict[str, Any]:
    """Return provenance.json of a night folder, and raise if it is damaged.

    Parameters
    ----------
    folder : Path
    required : collection of str
        Keys that must be there.

    Returns
    -------
    dict

    Raises
    ------
    EegSleepError
        If it cannot be read, or lacks a key, or a value has the wrong kind.
    """
    return read_json(
        folder / PROVENANCE_FILE,
        "the provenance of a night",
        PROVENANCE_KINDS,
        required=required,
        remedy="score the night again",
    )


def evening_of(start: str) -> date | None:
    """Return the evening that a recording belongs to: one that began after midnight is of the evening before.

    Parameters
    ----------
    start : str
        When it began, ISO 8601.

    Returns
    -------
    date or None
        None if `start` is no time.
    """
    try:
        return (datetime.fromisoformat(start) - timedelta(hours=12)).date()
    except (ValueError, OverflowError):
        return None


def fingerprint(*parts: object) -> str:
    """Return one hash for everything a result depends on (input hash, settings, versions).

    Two results may be compared only when their fingerprints, without the input, agree.

    Parameters
    ----------
    *parts
        Values that JSON can hold, in a fixed order.

    Returns
    -------
    str
        A SHA-256 as hexadecimal digits.
    """
    return hash_bytes(json.dumps(parts, sort_keys=True, allow_nan=False).encode())


def check_writable(output: Path, *, is_file: bool = False, option: str = "--output") -> None:
    """Raise before the work if its results could not be written; leave nothing behind.

    Parameters
    ----------
    output : Path
        The folder for the results, which may not exist yet, or a file in a folder that exists.
    is_file : bool
        Whether it is a file.
    option : str
        The option that names it, for the message.

    Raises
    ------
    SettingsError
        If it cannot be written, or its disk is full.
    """
    folder = output.absolute().parent if is_file else output.absolute()
    if "\0" in str(output):
        raise SettingsError(f"{option} cannot be written", found=f"{output}, which has a NUL character in its name")
    if is_file and output.exists() and not output.is_file():  # a folder, or a device that we would replace
        raise SettingsError(f"{option} cannot be written", found=f"{output}, which is no file", allowed="a file")
    try:
        with suppress(FileNotFoundError, NotADirectoryError):  # what is missing may be made; a name too long may not
            os.lstat(output)
        while not is_file and not os.path.lexists(folder) and folder != folder.parent:
            folder = folder.parent
        probe = _name_temporary(folder / "eegsleep")
        try:
            probe.write_bytes(bytes(_PROBE_BYTES))
        finally:
            with suppress(OSError):
                probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"{option} cannot be written",
            found=f"{output}: {error.strerror or error}",
            remedy=f"give another place with {option}, or make room on its disk",
        ) from error


def check_own(files: Mapping[Path, bytes], *, mark: Path | None = None) -> None:
    """Refuse to overwrite files of another origin, such as a `report.html` of the user's own.

    Parameters
    ----------
    files : mapping of Path to bytes
        What is to be written.
    mark : Path, optional
        A file among results of this kind; where it names eegsleep, the others are ours, too.

    Raises
    ------
    EegSleepError
        If a file is there that does not begin as ours does: a table with its header, a page with its generator, and
        JSON as a whole.
    """
    if mark is not None and mark.is_file() and b"eegsleep" in mark.read_bytes():
        return
    for path, content in files.items():
        if path.is_file() and not _begins_alike(path.read_bytes(), content, path.suffix):
            raise EegSleepError(
                f"{path} was not written by this command, and is not overwritten",
                remedy="rename it, or give another place for the results",
            )


def _begins_alike(found: bytes, own: bytes, suffix: str) -> bool:
    if suffix == ".html":
        return OWN_PAGE in found[:4096]
    return found == own if suffix == ".json" else found.partition(b"\n")[0] == own.partition(b"\n")[0]


def write_file(path: Path, content: bytes) -> None:
    """Write `content` under a temporary name beside `path`, flush it, then put it in place.

    A reader, or the next run after a crash, sees the old file or the new one, never a part.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    content : bytes

    Raises
    ------
    OSError
        If it cannot be written; then the old file is still there.
    """
    with open_whole(path) as file:
        file.write(content)


@contextmanager
def open_whole(path: Path) -> Iterator[BufferedWriter]:
    """Yield a temporary file beside `path`, which becomes `path` when all was written, and is removed otherwise.

    What a process that was killed left of the same file is removed first.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    Yields
    ------
    file
        Open for bytes.

    Raises
    ------
    OSError
        If it cannot be written; then the old file is still there.
    """
    temporary = _name_temporary(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _name_temporary(path: Path) -> Path:
    """Return this process's temporary name of a file; remove those of processes that are gone.

    The name tells the machine, too: on a shared file system another one may be writing the same file just now.
    """
    first, last = f".{path.name}.{hash_bytes(platform.node().encode())[:8]}.", ".tmp"
    with suppress(OSError):  # a folder that may be written, but not listed
        for left in path.parent.iterdir():
            if (
                left.name.startswith(first)
                and left.name.endswith(last)
                and _is_gone(left.name[len(first) : -len(last)])
            ):
                left.unlink()
    return path.with_name(f"{first}{os.getpid()}{last}")


def _is_gone(process: str) -> bool:
    """Return whether a text is the number of a process, and there is none of that number any more."""
    import psutil

    return process.isdecimal() and len(process) < 10 and not psutil.pid_exists(int(process))
