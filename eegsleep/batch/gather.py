"""The summary of a batch: the markers of all nights in one table, and a page over all nights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.batch.kept_night import FIXED, KeptNight, NightReader
from eegsleep.errors import EegSleepError, describe_error
from eegsleep.file_names import INDEX_FILE, NIGHTS_FILE, PROVENANCE_FILE, USUAL_FILE
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.markers.wide import order_columns
from eegsleep.plain_files import real_path
from eegsleep.provenance import OWN_PAGE, write_file
from eegsleep.report.compose import share_plotly
from eegsleep.report.index_page import render_index
from eegsleep.report.usual import render_usual
from eegsleep.study.masking.lock import find_opened_conditions
from eegsleep.study.night_folders import check_made_alike
from eegsleep.tables import JOBS, Column, Table, encode_sidecar, encode_table, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

NIGHTS_SIDECAR = "nights.json"
_OWN_HEADER = b"night,subject,start,duration_s,"


def gather_nights(output: str | Path) -> pd.DataFrame:
    """Return the markers of all night folders in a folder, one row a night.

    Parameters
    ----------
    output : path
        The folder that holds the night folders; anything else in it is ignored. The names of the sleepers are
        taken from its `jobs.csv`, or else from the nights themselves.

    Returns
    -------
    pandas.DataFrame
        Columns `night`, `subject`, `start`, `duration_s`, `device`, `lights`, `verdict`, `verdict_reasons`,
        `reason`, then the markers, each named `marker|stage|channel` as an endpoint of a study is; `stage` and
        `channel` are empty where a marker has none (`tst_min||`). Sorted by sleeper, start and name. A marker that
        a night lacks is NaN; a night whose files were changed has no marker, and `reason` says why.

    Examples
    --------
    >>> es.gather_nights("nights")[["night", "verdict"]].values.tolist()
    [['sample-night', 'caution']]
    """
    return _widen(_find_nights(Path(output), _read_jobs(Path(output))))


def describe_nights(nights: pd.DataFrame) -> Table:
    """Return the declaration of the table of `gather_nights`: what each column means, and its unit.

    Parameters
    ----------
    nights : pandas.DataFrame
        As `gather_nights` returns it.

    Returns
    -------
    Table
    """
    markers = [name for name in nights.columns if "|" in name]
    return Table("nights", "one night", (*FIXED, *(_describe_column(name) for name in markers)))


def write_summary(output: str | Path, on_note: Callable[[str], object] | None = None) -> Path:
    """Write `nights.csv` with its sidecar and `index.html`, a page over all nights, and return the page.

    `usual.js` beside them gives each report the range of the same person's other nights.

    Equal night folders give an equal `nights.csv`, byte for byte, in whatever order they were made.

    Parameters
    ----------
    output : path
        The folder that holds the night folders; its `jobs.csv`, if there is one, lists the nights that failed.
    on_note : callable, optional
        Called with each sentence that a reader of the nights must know: nights that are not usable, one recording that
        lies in several folders, nights that were made in different ways.

    Returns
    -------
    Path
        index.html.

    Raises
    ------
    EegSleepError
        If a file of one of these names was not written by eegsleep, or they cannot be written.

    Examples
    --------
    >>> es.write_summary("nights").name
    'index.html'
    """
    output = Path(output)
    check_output(output)
    plotly = share_plotly(output).removeprefix("../")
    jobs = _read_jobs(output)
    kept = _find_nights(output, jobs)
    nights = _widen(kept)
    table = describe_nights(nights)
    unlike = _describe_differences(kept)
    notes = [*_describe_copies(kept), *unlike]
    glances = {night.name: night.glance for night in kept}
    files = {
        NIGHTS_FILE: encode_table(nights, table),
        NIGHTS_SIDECAR: encode_sidecar(table),
        INDEX_FILE: render_index(
            nights,
            jobs,
            glances=glances,
            notes=notes,
            plotly=plotly,
            conditions=find_opened_conditions(real_path(output).parent),
        ),
        # nights that were made in different ways have no range in common
        USUAL_FILE: render_usual(nights.iloc[:0] if unlike else nights),
    }
    try:
        for name, content in files.items():
            write_file(output / name, content)
    except OSError as error:
        raise EegSleepError(f"{output} cannot be written", found=describe_error(error)) from error
    if on_note:
        for note in (*_describe_rejected(kept), *notes):
            on_note(note)
    return output / INDEX_FILE


def check_output(output: str | Path) -> None:
    """Refuse a folder in which the summary would overwrite a file of another origin; best called before a batch.

    Parameters
    ----------
    output : path

    Raises
    ------
    EegSleepError
        If it holds a `nights.csv` or an `index.html` that eegsleep did not make there.
    """
    for name, own in ((NIGHTS_FILE, _OWN_HEADER), (INDEX_FILE, OWN_PAGE)):
        path = Path(output) / name
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(4096)
            if own not in head:
                raise EegSleepError(
                    f"{path} is not the summary of a batch, and is not overwritten",
                    found="the nights of a study" if b"condition" in head else "another file",
                    remedy="rename it, or give another folder with --output; beside a study file, eegsleep-nights",
                )


def _read_jobs(output: Path) -> pd.DataFrame | None:
    path = output / f"{JOBS.name}.csv"
    return read_table(path, JOBS) if path.is_file() else None


def _find_nights(output: Path, jobs: pd.DataFrame | None) -> list[KeptNight]:
    if not output.is_dir():
        return []
    subjects = {} if jobs is None else dict(zip(jobs["night"], jobs["subject"], strict=True))
    # a hidden folder is being written, or was when the computer stopped
    folders = [path for path in output.iterdir() if not path.name.startswith(".")]
    reader = NightReader()
    kept = [reader.read(path, subjects.get(path.name, "")) for path in folders if (path / PROVENANCE_FILE).is_file()]
    return sorted(kept, key=lambda night: (night.fixed["subject"], night.fixed["start"] or "~", night.name))


def _widen(kept: Sequence[KeptNight]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    fixed = {
        column.name: pd.Series(
            [night.fixed[column.name] for night in kept], dtype="float64" if column.kind == "float" else "str"
        )
        for column in FIXED
    }
    names = order_columns({column for columns in {night.columns for night in kept} for column in columns})
    place = {name: number for number, name in enumerate(names)}
    values = np.full((len(kept), len(names)), math.nan)
    for row, night in zip(values, kept, strict=True):
        row[[place[column] for column in night.columns]] = night.measured
    return pd.concat([pd.DataFrame(fixed), pd.DataFrame(values, columns=names)], axis=1)


def _describe_column(name: str) -> Column:
    marker, stage, channel = name.split("|", 2)
    known = CATALOGUE.get(marker)
    where = ", ".join(part for part in (stage, channel) if part)
    label = (known.label if known else marker) + (f" ({where})" if where else "")
    return Column(name, "float", f"{label}: {known.meaning}" if known else label, known.unit if known else "")


def _describe_rejected(kept: Sequence[KeptNight]) -> list[str]:
    rejected = [night.name for night in kept if night.fixed["verdict"] == "reject"]
    if not rejected:
        return []
    return [f"Not usable, of {len(kept)} nights: {_list_some(rejected)}. Do not compare their numbers with others."]


def _describe_copies(kept: Sequence[KeptNight]) -> list[str]:
    """Return a sentence for each recording that lies in several folders: it would count as several nights."""
    folders: dict[str, list[str]] = {}
    for night in kept:
        folders.setdefault(night.recording_sha256, []).append(night.name)
    return [
        f"{_list_some(names)} are the same recording; keep one of these folders, or it counts {len(names)} times."
        for sha256, names in folders.items()
        if sha256 and len(names) > 1
    ]


def _list_some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _describe_differences(kept: Sequence[KeptNight]) -> list[str]:
    """Return a sentence if the nights were made in different ways: they may then differ although the sleep did not."""
    made = [night for night in kept if night.provenance]
    subjects = {night.name: night.fixed["subject"] for night in made if night.fixed["subject"]}
    try:
        if made:
            check_made_alike({night.name: night.provenance for night in made}, subjects)
    except EegSleepError as error:
        return [str(error)[:1].upper() + str(error)[1:]]
    except (KeyError, AttributeError, TypeError):
        return ["Some of these nights were made by another version of eegsleep; score them again to compare them."]
    return []
