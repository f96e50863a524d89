"""Whether a night needs no work: what it was asked for is what is asked now, and its files are those it wrote.

Nothing that computes is imported here: asking again for a thousand finished nights is a matter of reading them.
"""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError
from eegsleep.provenance import fingerprint, hash_bytes, hash_file, package_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eegsleep.batch.job import Job
    from eegsleep.config import Settings

# Of a job: these are files, and what counts is what is in them; those change no number of a night.
_FILES = ("hypnogram", "reference", "calibration")
_NAMES = ("file", "night", "subject", "replaces")
# Reading waits for the disk, and hashing lets go of the interpreter.
_READERS = 4


def describe_request(job: Job, inputs: str, settings: Settings, versions: Mapping[str, str]) -> str:
    """Return one hash for everything a night was asked for, as provenance.json keeps it.

    The fingerprint beside it says what a result rests on, and is known only once the recording was read: which
    channels were chosen, where the lights were found. This one is known before.

    Parameters
    ----------
    job : Job
    inputs : str
        Hash of the recording, as `hash_inputs` gives it.
    settings : Settings
    versions : mapping of str to str
        As `package_versions` gives them.

    Raises
    ------
    OSError
        If a file of the job cannot be read.
    """
    asked = {
        field.name: getattr(job, field.name) for field in dataclasses.fields(job) if field.name not in _FILES + _NAMES
    }
    asked["start"] = job.start.isoformat() if job.start else None
    files = {name: hash_file(path) if (path := getattr(job, name)) else "" for name in _FILES}
    return fingerprint(inputs, asked, files, settings.to_dict(), dict(versions))


def hash_inputs(paths: Sequence[Path]) -> str:
    """Return the hash of a recording: of its one file, or of the names and hashes of several."""
    if len(paths) == 1 and paths[0].is_file():
        return hash_file(paths[0])
    return hash_bytes(json.dumps([[path.name, hash_file(path)] for path in paths]).encode())


def list_inputs(file: Path) -> list[Path]:
    """Return the files that a recording is read from.

    Raises
    ------
    EegSleepError
        If it is no recording.
    OSError
        If it cannot be opened.
    """
    from eegsleep.recording.delimited import sniff_text
    from eegsleep.recording.header import is_edf
    from eegsleep.recording.read import open_source

    if file.is_file():
        with file.open("rb") as opened:
            head = opened.read(8192)
        if is_edf(head) or head[:2] == b"\x1f\x8b" or sniff_text(head):
            return [file]
    return list(open_source(file).files)


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return provenance.json of a night folder, empty where there is none that can be read."""
    try:
        found = json.loads((folder / "provenance.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_fresh(job: Job, output: Path, settings: Settings, versions: Mapping[str, str]) -> bool:
    """Return whether a night is there as it would be made now, every file of it whole."""
    folder = output / job.night
    provenance = read_provenance(folder)
    outputs = provenance.get("outputs")
    if not provenance.get("request") or not isinstance(outputs, dict) or not outputs:
        return False
    asked = provenance["request"]
    try:
        paths = list_inputs(job.file)
        # what takes long comes last: of a recording that is the same, another question needs no hour of reading
        known = _recorded_hash(provenance) if len(paths) == 1 else ""
        return (
            (not known or asked == describe_request(job, known, settings, versions))
            and all(hash_file(folder / name) == expected for name, expected in outputs.items())
            and asked == describe_request(job, hash_inputs(paths), settings, versions)
        )
    except (OSError, EegSleepError):
        return False


def _recorded_hash(provenance: Mapping[str, Any]) -> str:
    """Return the hash of the one file a night was made from, as it was then; empty if it was not written down."""
    recorded = provenance.get("input")
    return str(recorded.get("sha256") or "") if isinstance(recorded, dict) else ""


def find_fresh(jobs: Sequence[Job], output: Path, settings: Settings) -> set[str]:
    """Return the names of the nights that need no work."""
    versions = package_versions()
    with ThreadPoolExecutor(_READERS) as readers:
        fresh = readers.map(lambda job: is_fresh(job, output, settings, versions), jobs)
        return {job.night for job, is_done in zip(jobs, fresh, strict=True) if is_done}
