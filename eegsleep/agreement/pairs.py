"""Two scorings of one night on the same epochs, from files, night folders, or a folder of night folders."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import TableError
from eegsleep.file_names import PROVENANCE_FILE, REFERENCE_FILE
from eegsleep.hypnograms.read import read_hypnogram
from eegsleep.hypnograms.scoring import align_scoring
from eegsleep.provenance import check_provenance, read_provenance
from eegsleep.signals.epochs import EPOCH_S
from eegsleep.tables import HYPNOGRAM, JOBS, check_kept, read_kept_table, read_table

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.hypnograms.scoring import Scoring


Pair = tuple[str, str, "pd.DataFrame", "pd.DataFrame"]


def pair_scorings(reference: str | Path, observed: str | Path, *, coding: str | None = None) -> Pair:
    """Read two scorings of one night and align the first with the epochs of the second.

    Parameters
    ----------
    reference, observed : path
        Each a hypnogram of any kind that `read_hypnogram` takes, or a night folder.
    coding : str, optional
        How integers in them are read.

    Returns
    -------
    tuple of night, subject, reference, observed
        One element of the argument `pairs` of `measure_agreement`.

    Raises
    ------
    TableError
        If one of them cannot be read, or they are not of the same night.
    """
    observed = Path(observed)
    stages, start = _read_observed(observed, coding)
    against, _ = _read_scoring(Path(reference), coding)
    table, _ = align_scoring(against, start, len(stages))
    return observed.stem, observed.stem, table, stages


def collect_pairs(folder: str | Path) -> list[Pair]:
    """Return the pairs of all night folders in a folder that hold an expert's stages (`reference.csv`).

    The sleeper of a night is that in `jobs.csv`, which a batch leaves in the folder, or in the night's provenance. A
    night without a known sleeper counts as a sleeper of its own. `find_unpaired` returns the nights that are left out.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of (night, subject, reference, observed)
        As `measure_agreement` takes it.

    Raises
    ------
    TableError
        If no night has an expert's stages.
    """
    folder = Path(folder)
    candidates = _find_folders(folder)
    nights = [path for path in candidates if not _why_unpaired(path)]
    if not nights:
        raise TableError(
            f"{folder} holds no night with an expert's stages",
            found=f"{len(candidates)} folders" if candidates else "no such folder",
            allowed=f"night folders with a {REFERENCE_FILE}",
            remedy="score nights with --reference HYPNOGRAM, or give two hypnograms",
        )
    subjects = {row["night"]: row["subject"] for row in _read_jobs(folder)}
    return [
        (
            night.name,
            subjects.get(night.name) or _subject_of(night) or night.name,
            read_kept_table(night / REFERENCE_FILE, HYPNOGRAM),
            read_kept_table(night / "hypnogram.csv", HYPNOGRAM),
        )
        for night in nights
    ]


def find_unpaired(folder: str | Path) -> dict[str, str]:
    """Return the nights of a folder that `collect_pairs` leaves out, each with the reason.

    They are nights without an expert's stages, and nights that a batch could not score (`jobs.csv`). The agreement of
    the others does not describe them.

    Parameters
    ----------
    folder : path

    Returns
    -------
    dict of str to str
        Reason by night.
    """
    folder = Path(folder)
    nights = [path for path in _find_folders(folder) if path != folder and (path / PROVENANCE_FILE).is_file()]
    found = {path.name: _why_unpaired(path) for path in nights}
    made = set(found)
    failed = {
        row["night"]: f"it could not be scored: {row['reason'] or row['error']}"
        for row in _read_jobs(folder)
        if row["status"] == "failed" and row["night"] not in made
    }
    return dict(sorted(({night: reason for night, reason in found.items() if reason} | failed).items()))


def _find_folders(folder: Path) -> list[Path]:
    """Return the folder itself, which may be a night, and the folders in it; hidden ones are unfinished nights."""
    if not folder.is_dir():
        return []
    return [folder, *sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))]


def _why_unpaired(night: Path) -> str:
    missing = [name for name in (REFERENCE_FILE, "hypnogram.csv") if not (night / name).is_file()]
    words = {REFERENCE_FILE: "it has no expert's stages", "hypnogram.csv": "it has no hypnogram.csv"}
    return words[missing[0]] if missing else ""


def _read_jobs(folder: Path) -> list[dict[str, Any]]:
    path = folder / f"{JOBS.name}.csv"
    return read_table(path, JOBS).to_dict("records") if path.is_file() else []


def _subject_of(night: Path) -> str:
    return str(read_provenance(night).get("subject") or "")


def _read_observed(path: Path, coding: str | None) -> tuple[pd.DataFrame, datetime | None]:
    """Return the stages on their own epochs, and the local time of the first."""
    if path.is_dir():
        return read_kept_table(path / "hypnogram.csv", HYPNOGRAM), _start_of(path)
    scoring, start = _read_scoring(path, coding)
    end_s = float((scoring.onsets_s + scoring.durations_s).max())
    return align_scoring(scoring, start, max(1, int(end_s // EPOCH_S)))[0], start


def _read_scoring(path: Path, coding: str | None) -> tuple[Scoring, datetime | None]:
    """Return a scoring, and the local time of its first epoch."""
    if path.is_dir():
        check_kept(path / "hypnogram.csv")
        scoring, start = read_hypnogram(path / "hypnogram.csv"), _start_of(path)
        # with its time, so that it can be aligned with a scoring that begins at another time
        return (replace(scoring, relative=False, start=start) if start else scoring), start
    scoring = read_hypnogram(path, coding=coding)
    return scoring, None if scoring.relative else scoring.start


def _start_of(folder: Path) -> datetime | None:
    start = check_provenance(folder, ("start",))["start"]
    try:
        return datetime.fromisoformat(start) if start else None
    except ValueError as error:
        raise TableError(f"the start of {folder.name} is no time", found=str(start)) from error
