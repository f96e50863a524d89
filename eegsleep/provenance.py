"""Where numbers come from: versions, hashes, fingerprints, and files that are whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from eegsleep.file_names import PROVENANCE_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

# What can change a number we write; read from the installed metadata, so nothing is imported.
TRACKED_PACKAGES = ("eegsleep", "yasa", "mne", "numpy", "scipy", "pandas", "lightgbm", "scikit-learn", "antropy")


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a result."""
    from importlib.metadata import version

    return {name: version(name) for name in TRACKED_PACKAGES}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(paths: Sequence[Path]) -> str:
    """Return the hash of a recording: of its one file, or of the names and hashes of several.

    Empty for a recording that was not read from a file.
    """
    if not paths:
        return ""
    if len(paths) == 1 and paths[0].is_file():
        return hash_file(paths[0])
    return hash_bytes(json.dumps([[path.name, hash_file(path)] for path in paths]).encode())


def hash_bytes(content: bytes) -> str:
    """Return the SHA-256 of `content` as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def encode_json(value: object) -> bytes:
    """Return `value` as readable JSON with a fixed layout, so that equal values give equal bytes."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return provenance.json of a night folder, empty where there is none that can be read."""
    try:
        found = json.loads((folder / PROVENANCE_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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
    except ValueError:
        return None


def fingerprint(*parts: object) -> str:
    """Return one hash for everything a result depends on (input hash, settings, versions).

    Two results may be compared only when their fingerprints, without the input, agree.
    """
    return hash_bytes(json.dumps(parts, sort_keys=True, allow_nan=False).encode())


def write_file(path: Path, content: bytes) -> None:
    """Write `content` under a temporary name beside `path`, flush it, then put it in place.

    A reader, or the next run after a crash, sees the old file or the new one, never a part.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
