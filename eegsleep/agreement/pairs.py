"""Two scorings of one night on the same epochs, from files, night folders, or a folder of night folders."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import TableError, describe_error
from eegsleep.file_names import PROVENANCE_FILE, REFERENCE_FILE
from eegsleep.hypnograms.read import read_hypnogram
from eegsleep.hypnograms.scoring import align_scoring
from eegsleep.plain_files import check_plain
from eegsleep.provenance import check_provenance, read_provenance
from eegsleep.signals.epochs import EPOCH_S
from eegsleep.tables import HYPNOGRAM, JOBS, check_kept, read_kept_table, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from eegsleep.hypnograms.scoring import Scoring


Pair = tuple[str, str, "pd.DataFrame", "pd.DataFrame"]


def pair_scorings(
    reference: str | Path,
    observed: str | Path,
    *,
    coding: str | None = None,
    epoch_s: float | None = None,
    columns: Sequence[str] = (),
) -> Pair:
    """Read two scorings of one night and align the first with the epochs of the second.

    Parameters
    ----------
    reference, observed : path
        Each a hypnogram of any kind that `read_hypnogram` takes, or a night folder.
    coding : str, optional
        How integers in them are read.
    epoch_s : float, optional
        Length of their epochs in seconds, where the files do not give it.
    columns : sequence of str
        Column of stages of the reference, then that of the observed; a single name is for each of the two that has
        such a column.

    Returns
    -------
    tuple of night, subject, reference, observed
        One element of the argument `pairs` of `measure_agreement`.

    Raises
    ------
    TableError
        If one of them cannot be read, or they are not of the same night.

    Examples
    --------
    >>> name, subject, expert, ours = es.pair_scorings("sample-night_stages.csv", "nights/sample-night")
    >>> name, len(expert) == len(ours)
    ('sample-night', True)
    """
    return pair_with_notes(reference, observed, coding=coding, epoch_s=epoch_s, columns=columns)[0]


def pair_with_notes(
    reference: str | Path,
    observed: str | Path,
    *,
    coding: str | None = None,
    epoch_s: float | None = None,
    columns: Sequence[str] = (),
) -> tuple[Pair, tuple[str, ...]]:
    """Return the pair as `pair_scorings` does, and what was assumed about the two, in sentences."""
    reference, observed = Path(reference), Path(observed)
    if len(columns) > 2:
        raise TableError("there are more columns than hypnograms", found=", ".join(columns), allowed="one or two")
    named = [_holds_column(path, name) for path in (reference, observed) for name in columns[:1]]
    if len(columns) == 1 and not any(named):
        raise TableError(f"neither hypnogram has a column {columns[0]!r}", remedy="choose another with --column NAME")
    names: list[str | None] = list(columns) or [None, None]
    if len(columns) == 1:
        names = [columns[0] if holds else None for holds in named]
    stages, start = _read_observed(observed, coding, epoch_s, names[1])
    against, _ = _read_scoring(reference, coding, epoch_s, names[0])
    table, aligned = align_scoring(against, start, len(stages))
    notes = [f"{reference.name}: {note}." for note in aligned]
    if start is None or against.start is None or against.relative:
        without = " and ".join(
            path.name for path, lacks in ((reference, against.start is None), (observed, start is None)) if lacks
        )
        notes.append(
            f"no clock time in {without}: it cannot be checked whether the two are of the same night, and their first "
            "epochs were taken as the same."
        )
    return (observed.stem, observed.stem, table, stages), tuple(notes)


def _holds_column(path: Path, name: str) -> bool:
    """Return whether a hypnogram is a table with a column of this name."""
    from eegsleep.hypnograms.columns import has_column

    if path.is_dir():
        return False
    try:
        with check_plain(path).open("rb") as file:
            head = file.read(65536)
    except OSError as error:
        raise TableError(
            f"{path.name} cannot be read as a hypnogram", found=describe_error(error), remedy="check the path"
        ) from error
    return has_column(head.decode("utf-8", "replace"), name)


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
    if folder.is_file():
        raise TableError(
            "there is nothing to compare with",
            found=f"one file, {folder.name}",
            allowed="two hypnograms, or a folder of nights",
            remedy="to compare two columns of one file, give it twice, with --column for each",
        )
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


def find_unverified(place: str | Path, nights: Sequence[str]) -> list[str]:
    """Return the nights whose folder has no provenance, which holds the hashes of its tables.

    Parameters
    ----------
    place : path
        A night folder, or the folder of the night folders.
    nights : sequence of str
        Names of night folders.

    Returns
    -------
    list of str
    """
    folders = [folder for folder in _find_folders(Path(place)) if folder.name in nights]
    return [folder.name for folder in folders if not (folder / PROVENANCE_FILE).is_file()]


def _read_jobs(folder: Path) -> list[dict[str, Any]]:
    path = folder / f"{JOBS.name}.csv"
    return read_table(path, JOBS).to_dict("records") if path.is_file() else []


def _subject_of(night: Path) -> str:
    return str(read_provenance(night).get("subject") or "")


def _read_observed(
    path: Path, coding: str | None, epoch_s: float | None, column: str | None
) -> tuple[pd.DataFrame, datetime | None]:
    """Return the stages on their own epochs, and the local time of the first."""
    if path.is_dir():
        return read_kept_table(path / "hypnogram.csv", HYPNOGRAM), _start_of(path)
    scoring, start = _read_scoring(path, coding, epoch_s, column)
    end_s = float((scoring.onsets_s + scoring.durations_s).max())
    return align_scoring(scoring, start, max(1, int(end_s // EPOCH_S)))[0], start


def _read_scoring(
    path: Path, coding: str | None, epoch_s: float | None, column: str | None
) -> tuple[Scoring, datetime | None]:
    """Return a scoring, and the local time of its first epoch."""
    if path.is_dir():
        check_kept(path / "hypnogram.csv")
        scoring, start = read_hypnogram(path / "hypnogram.csv"), _start_of(path)
        # with its time, so that it can be aligned with a scoring that begins at another time
        return (replace(scoring, relative=False, start=start) if start else scoring), start
    scoring = read_hypnogram(path, coding=coding, epoch_s=epoch_s, column=column)
    return scoring, None if scoring.relative else scoring.start


def _start_of(folder: Path) -> datetime | None:
    start = check_provenance(folder, ("start",))["start"]
    try:
        return datetime.fromisoformat(start) if start else None
    except ValueError as error:
        raise TableError(f"the start of {folder.name} is no time", found=str(start)) from error
