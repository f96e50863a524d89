"""Find the nights that need no work: asked for as before, and with all their files unchanged.

No scientific library is imported here, so that checking a thousand finished nights takes only the time to read them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError
from eegsleep.night.request import hash_dependencies
from eegsleep.provenance import check_provenance, hash_file, hash_files, package_versions
from eegsleep.workflows.score import describe_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eegsleep.config import Settings
    from eegsleep.workflows.score import Job

# Threads help: reading waits for the disk, and hashing releases the interpreter.
_READERS = 4


def list_inputs(file: Path) -> list[Path]:
    """Return the files that a recording is read from.

    Parameters
    ----------
    file : Path

    Returns
    -------
    list of Path

    Raises
    ------
    EegSleepError
        If it is no recording.
    OSError
        If it cannot be opened.
    """
    from eegsleep.recording.edf.header import is_edf
    from eegsleep.recording.read import open_source
    from eegsleep.recording.text.open import sniff_text

    if file.is_file():
        with file.open("rb") as opened:
            head = opened.read(8192)
        if is_edf(head) or head[:2] == b"\x1f\x8b" or sniff_text(head):
            return [file]
    return list(open_source(file).files)


def is_fresh(job: Job, output: Path, settings: Settings, versions: Mapping[str, str]) -> bool:
    """Return whether a night folder is what the job would give now, with every file unchanged.

    Parameters
    ----------
    job : Job
    output : Path
        Folder of the night folders.
    settings : Settings
    versions : mapping of str to str
        As `package_versions` gives them.

    Returns
    -------
    bool
    """
    folder = output / job.night
    try:
        provenance = check_provenance(folder)
        outputs, asked = provenance["outputs"], provenance["request"]
        if provenance["id"] != job.night or not asked or not outputs:
            return False
        if provenance["fingerprint"] != hash_dependencies(provenance):
            return False
        paths = list_inputs(job.file)
        # Cheapest test first: if the request differs for the stored hash already, the recording need not be hashed.
        known = _recorded_hash(provenance) if len(paths) == 1 else ""
        return (
            (not known or asked == describe_request(job, known, settings, versions))
            and all(hash_file(folder / name) == expected for name, expected in outputs.items())
            and asked == describe_request(job, hash_files(paths), settings, versions)
        )
    except (OSError, EegSleepError, LookupError, TypeError, ValueError):  # whatever cannot be read is not fresh
        return False


def _recorded_hash(provenance: Mapping[str, Any]) -> str:
    """Return the hash of the one file that a night was made from, as stored; empty if none is stored."""
    recorded = provenance.get("input")
    return str(recorded.get("sha256") or "") if isinstance(recorded, dict) else ""


def find_fresh(jobs: Sequence[Job], output: Path, settings: Settings) -> set[str]:
    """Return the names of the nights that need no work.

    Parameters
    ----------
    jobs : sequence of Job
    output : Path
        Folder of the night folders.
    settings : Settings

    Returns
    -------
    set of str
    """
    versions = package_versions()
    with ThreadPoolExecutor(_READERS) as readers:
        fresh = readers.map(lambda job: is_fresh(job, output, settings, versions), jobs)
        return {job.night for job, is_done in zip(jobs, fresh, strict=True) if is_done}
