"""The table `jobs.csv` of a batch, and the lock that lets one run at a time into a folder."""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError, TableError, describe_error
from eegsleep.file_names import JOBS_FILE
from eegsleep.night.exchange import restore_folder
from eegsleep.plain_files import check_plain
from eegsleep.provenance import check_own, hash_bytes, write_file
from eegsleep.tables import JOBS, encode_sidecar, encode_table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from eegsleep.workflows.score import Job

JOBS_FOLDER = ".jobs"
_OWN_HEADER = b"night,subject,file,status,"
_NAN = float("nan")
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # as `write_file` calls them


@contextmanager
def lock_output(output: Path) -> Iterator[None]:
    """Lock a folder of nights for one run.

    Raises
    ------
    EegSleepError
        If another run has locked it, or it cannot be written.
    """
    from filelock import FileLock, Timeout

    folder = output / JOBS_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise EegSleepError(
            f"another run is at work in {output}", remedy="wait for it to end, or give another folder with --output"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise EegSleepError(
            f"{output} cannot be written", found=describe_error(error), remedy="give another folder with --output"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def lock_night(output: Path, night: str) -> Iterator[None]:
    """Lock one night in a folder where a batch may be at work; do nothing where there never was a batch.

    Parameters
    ----------
    output : Path
        Folder of the night folders.
    night : str

    Raises
    ------
    EegSleepError
        If a batch is at work in the folder, or another process on the night.
    """
    from filelock import FileLock, Timeout

    folder = output / JOBS_FOLDER
    if not folder.is_dir():
        yield
        return
    lock = FileLock(folder / f"{night}.lock", timeout=0)
    try:
        with FileLock(folder / "lock", timeout=0):  # a batch that begins from now on finds the night locked
            lock.acquire()
    except Timeout as error:
        raise EegSleepError(
            f"a batch is at work in {output}", remedy="wait for it to end, or give another folder with --output"
        ) from error
    try:
        yield
    finally:
        lock.release()


def read_rows(output: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of `jobs.csv` by night; none if there is no such table, or it was damaged.

    Parameters
    ----------
    output : Path
        Folder of the night folders.

    Returns
    -------
    dict of str to dict

    Raises
    ------
    EegSleepError
        If there is a file of that name that no batch wrote.
    """
    path = output / JOBS_FILE
    try:
        with check_plain(path).open("rb") as file:
            head = file.read(len(_OWN_HEADER))
    except FileNotFoundError:
        check_own({output / f"{JOBS.name}.json": encode_sidecar(JOBS)})
        return {}
    except OSError as error:
        raise EegSleepError(f"{path} cannot be read", found=str(error.strerror)) from error
    if head and head != _OWN_HEADER:
        raise EegSleepError(
            f"{path} was not written by a batch, and is not overwritten",
            remedy="rename it, or give another folder with --output",
        )
    try:
        table = read_table(path, JOBS)
    except TableError:
        return {}
    return {row["night"]: row for row in table.to_dict("records")}


def make_row(
    job: Job,
    output: Path,
    *,
    ids_only: bool = False,
    **values: Any,  # noqa: ANN401 - as the table declares
) -> dict[str, Any]:
    """Return a row of table `JOBS`; with `ids_only`, without the name of the recording and its folders."""
    row: dict[str, Any] = {
        "night": job.night,
        "subject": job.subject,
        "file": name_file(job.file, output),
        "status": "",
        "seconds": _NAN,
        "memory_mb": _NAN,
        "error": "",
        "reason": "",
    } | values
    if ids_only:
        row |= {"file": hide_name(row["file"]), "reason": row["reason"].replace(job.file.name, job.night)}
    return row | {"reason": _as_text(row["reason"])}


def hide_name(name: str) -> str:
    """Return a mark by which a recording is known again, in place of its name."""
    return f"sha256:{hash_bytes(name.encode())[:16]}"


def name_file(file: Path, output: Path) -> str:
    """Return the path of a recording from the folder of the table, which holds when both are moved together."""
    try:
        path = Path(os.path.relpath(file, output))
    except ValueError:  # another drive
        path = file
    return _as_text(path.as_posix())


def _as_text(name: str) -> str:
    """Return a text that UTF-8 can encode: file names from other systems may hold bytes that are not valid here."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    # control characters act on a terminal, and marks of direction show a name as another
    return "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cf"} else c for c in text)


def make_table(rows: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as table `JOBS`, in order of their nights."""
    import pandas as pd

    from eegsleep.tables import check_table

    ordered = [rows[night] for night in sorted(rows)]
    return check_table(pd.DataFrame(ordered, columns=JOBS.column_names), JOBS)


def write_rows(output: Path, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `jobs.csv` with its sidecar, whole."""
    write_file(output / JOBS_FILE, encode_table(make_table(rows), JOBS))
    sidecar = output / f"{JOBS.name}.json"
    content = encode_sidecar(JOBS)
    if not sidecar.is_file() or sidecar.read_bytes() != content:
        write_file(sidecar, content)


def remove_leftovers(output: Path, night: str) -> None:
    """Remove the unfinished files that a killed run left of a night; the caller must have locked the night."""
    restore_folder(output / night)
    _remove_temporary(output / night)


def clean_output(output: Path) -> None:
    """Remove unfinished files of killed runs, except for nights that a process of such a run still has locked.

    Only nights that a batch began have a lock, so the files that `eegsleep score` is writing are left alone.
    """
    from filelock import FileLock, Timeout

    _remove_temporary(output)
    for night in {path.stem for path in (output / JOBS_FOLDER).iterdir() if path.suffix in {".log", ".lock"}}:
        lock = output / JOBS_FOLDER / f"{night}.lock"
        try:
            with FileLock(lock, timeout=0):
                remove_leftovers(output, night)
                lock.with_suffix(".log").unlink(missing_ok=True)
        except Timeout:
            continue
        lock.unlink(missing_ok=True)


def _remove_temporary(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
