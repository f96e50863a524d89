"""Exchange a folder for a new one as a whole: no mixture of two nights is left, and no file of a person's is lost."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import EegSleepError
from eegsleep.file_names import PROVENANCE_FILE
from eegsleep.provenance import hash_bytes, hash_file, read_provenance, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write a folder of files beside the one that is there, then exchange the two.

    Files that we did not write stay in the folder. Where one of ours was changed since, the changed one is kept under
    its name with `.changed` at the end.

    Parameters
    ----------
    folder : Path
        In a folder that may not exist yet.
    files : mapping of str to bytes
        By name; `provenance.json` among them holds the hashes of the others.

    Returns
    -------
    list of str
        Names under which changed files were kept.

    Raises
    ------
    EegSleepError
        If the folder has no `provenance.json` and other files of the same names.
    OSError
        If it cannot be written; then the earlier folder is as it was.
    """
    folder = Path(os.path.realpath(folder)) if folder.is_symlink() else folder
    restore_folder(folder)
    staging, before = _name_aside(folder)
    changed = find_changed(folder, files)
    try:
        staging.mkdir(parents=True)
        if folder.is_dir():
            shutil.copymode(folder, staging)
        kept = _keep_others(folder, staging, files, changed)
        for name, content in files.items():
            write_file(staging / name, content)
        if folder.is_dir():
            folder.replace(before)
        staging.replace(folder)
    finally:
        restore_folder(folder)
    return kept


def find_changed(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Return the names of files that are about to be replaced, and are not as we wrote them.

    Parameters
    ----------
    folder : Path
    files : mapping of str to bytes
        What is to replace them; a file of the same content is not lost.

    Raises
    ------
    EegSleepError
        If the folder has none of our provenance, so that these files are someone else's.
    """
    if not folder.is_dir():
        return []
    outputs = read_provenance(folder).get("outputs")
    written = outputs if isinstance(outputs, dict) else {}
    changed = []
    for name in sorted({*files, *written} - {PROVENANCE_FILE}):
        path = folder / Path(name).name
        if path.is_file() and hash_file(path) not in {written.get(name), hash_bytes(files.get(name, b""))}:
            changed.append(path.name)
    if changed and not (folder / PROVENANCE_FILE).exists():
        raise EegSleepError(
            f"{folder} holds files that eegsleep did not write, and they are not overwritten",
            found=", ".join(changed),
            remedy="move them away, or give another folder with --output",
        )
    return changed


def restore_folder(folder: Path) -> None:
    """Remove what an exchange put aside, and undo one that was ended half-way.

    Parameters
    ----------
    folder : Path
    """
    staging, before = _name_aside(folder)
    if before.is_dir() and not folder.exists():
        before.replace(folder)
    shutil.rmtree(before, ignore_errors=True)
    shutil.rmtree(staging, ignore_errors=True)


def _name_aside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}.partial"), folder.with_name(f".{folder.name}.before")


def _keep_others(folder: Path, staging: Path, files: Mapping[str, bytes], changed: list[str]) -> list[str]:
    """Copy what is not ours from the old folder to the new one; return the new names of changed files."""
    if not folder.is_dir():
        return []
    outputs = read_provenance(folder).get("outputs")
    ours = {*files, *(outputs if isinstance(outputs, dict) else ()), PROVENANCE_FILE}
    kept = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, staging / path.name, symlinks=True)
        elif path.name in changed:
            kept.append(_find_free(folder, f"{path.name}.changed"))
            shutil.copy2(path, staging / kept[-1])
        elif path.name not in ours:
            shutil.copy2(path, staging / path.name, follow_symlinks=False)
    if kept:
        logger.warning("%s: files that were changed by hand are kept as %s", folder.name, ", ".join(kept))
    return kept


def _find_free(folder: Path, name: str) -> str:
    """Return a name that no file of the folder has."""
    free, number = name, 2
    while (folder / free).exists():
        free, number = f"{name}-{number}", number + 1
    return free
