"""Two scorings of one night, laid on the same epochs: files, night folders, and folders of night folders."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import TableError
from eegsleep.staging.hypnogram_files import read_hypnogram
from eegsleep.staging.scoring import align_scoring
from eegsleep.tables import HYPNOGRAM, read_table

if TYPE_CHECKING:
    import pandas as pd

# The name under which an expert's stages are kept in a night folder, laid on its epochs.
REFERENCE_FILE = "reference.csv"

Pair = tuple[str, str, "pd.DataFrame", "pd.DataFrame"]


def pair_scorings(reference: str | Path, observed: str | Path, *, coding: str | None = None) -> Pair:
    """Lay two scorings of one night on the epochs of the second.

    Parameters
    ----------
    reference, observed : path
        Each a hypnogram of any kind that `read_hypnogram` takes, or a night folder.
    coding : str, optional
        How integers in them are read.

    Returns
    -------
    tuple of night, subject, reference, observed
        As `measure_agreement` takes them.

    Raises
    ------
    TableError
        If one of them cannot be read, or they do not lie in the same night.
    """
    observed = Path(observed)
    stages, start = _read_observed(observed, coding)
    against, _ = _read_scoring(Path(reference), coding)
    table, _ = align_scoring(against, start, len(stages))
    return observed.stem, observed.stem, table, stages


def collect_pairs(folder: str | Path) -> list[Pair]:
    """Return the pairs of all night folders in a folder that hold an expert's stages (`reference.csv`).

    Raises
    ------
    TableError
        If there is none.
    """
    folder = Path(folder)
    candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())] if folder.is_dir() else []
    nights = [path for path in candidates if (path / REFERENCE_FILE).is_file()]
    if not nights:
        raise TableError(
            f"{folder} holds no night with an expert's stages",
            found=f"{len(candidates)} folders" if candidates else "no such folder",
            allowed=f"night folders with a {REFERENCE_FILE}",
            remedy="score nights with --reference HYPNOGRAM, or give two hypnograms",
        )
    pairs = []
    for night in nights:
        stages = read_table(night / "hypnogram.csv", HYPNOGRAM)
        pairs.append((night.name, night.name, read_table(night / REFERENCE_FILE, HYPNOGRAM), stages))
    return pairs


def _read_observed(path: Path, coding: str | None) -> tuple[pd.DataFrame, datetime | None]:
    """Return stages on their own epochs, and the clock time of the first."""
    if path.is_dir():
        return read_table(path / "hypnogram.csv", HYPNOGRAM), _start_of(path)
    scoring, start = _read_scoring(path, coding)
    end_s = float((scoring.onsets_s + scoring.durations_s).max())
    return align_scoring(scoring, start, max(1, int(end_s // 30)))[0], start


def _read_scoring(path: Path, coding: str | None):  # noqa: ANN202 - Scoring and a time
    if path.is_dir():
        scoring, start = read_hypnogram(path / "hypnogram.csv"), _start_of(path)
        # by the clock, so that it finds its place in a scoring that begins elsewhere
        return (replace(scoring, relative=False, start=start) if start else scoring), start
    scoring = read_hypnogram(path, coding=coding)
    return scoring, None if scoring.relative else scoring.start


def _start_of(folder: Path) -> datetime | None:
    try:
        start = json.loads((folder / "provenance.json").read_bytes())["start"]
    except (OSError, ValueError, KeyError) as error:
        raise TableError(f"{folder} is not a finished night folder", found=str(error)) from error
    return datetime.fromisoformat(start) if start else None
