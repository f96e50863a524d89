"""The summary of a batch: the markers of all nights in one table, and a page over all nights."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError, describe_error
from eegsleep.file_names import INDEX_FILE, NIGHTS_FILE, PROVENANCE_FILE, REPORT_FILE, USUAL_FILE
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.markers.wide import name_columns, order_columns
from eegsleep.provenance import hash_file, read_provenance, write_file
from eegsleep.report.compose import share_plotly
from eegsleep.report.hypnogram_strip import LETTERS
from eegsleep.report.index_page import Glance, render_index
from eegsleep.report.looks import main_channel
from eegsleep.report.usual import render_usual
from eegsleep.study.masking.lock import find_opened_conditions
from eegsleep.study.night_folders import check_made_alike
from eegsleep.tables import (
    HYPNOGRAM,
    JOBS,
    MARKERS,
    Column,
    Table,
    encode_sidecar,
    encode_table,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

NIGHTS_SIDECAR = "nights.json"
_OWN_HEADER = b"night,subject,start,duration_s,"
_OWN_PAGE = b'<meta name="generator" content="eegsleep">'
_VERDICTS = {
    "usable": "no reservations",
    "caution": "usable with reservations",
    "reject": "not to be used",
    "": "the night has no values",
}
_FIXED = (
    Column("night", "str", "Name of the night folder."),
    Column("subject", "str", "Name of the sleeper; empty if not known."),
    Column("start", "str", "Local time of the first sample, as the header says; empty if not known."),
    Column("duration_s", "float", "Length of the recording.", "s"),
    Column("device", "str", "Device preset; empty if not recognised."),
    Column(
        "lights",
        "str",
        "Where lights off and on come from: user, annotations, hypnogram, whole recording, sleep, or off given, on "
        "from sleep.",
    ),
    Column("verdict", "str", "Whether the signals of the night can be relied on.", levels=_VERDICTS),
    Column("verdict_reasons", "str", "What the verdict rests on."),
    Column("reason", "str", "Why the night has no values, or empty; why one value is missing stands in its folder."),
)


@dataclass(frozen=True)
class _Kept:
    """A night folder as found; `measured`, by column, is empty if the folder cannot be read or its files changed."""

    fixed: Mapping[str, Any]
    measured: Mapping[str, float]
    glance: Glance
    provenance: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.fixed["night"]


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
    return Table("nights", "one night", (*_FIXED, *(_describe_column(name) for name in markers)))


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
            conditions=find_opened_conditions(output.resolve().parent),
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
    for name, own in ((NIGHTS_FILE, _OWN_HEADER), (INDEX_FILE, _OWN_PAGE)):
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


def _find_nights(output: Path, jobs: pd.DataFrame | None) -> list[_Kept]:
    if not output.is_dir():
        return []
    subjects = {} if jobs is None else dict(zip(jobs["night"], jobs["subject"], strict=True))
    # a hidden folder is being written, or was when the computer stopped
    folders = [path for path in output.iterdir() if not path.name.startswith(".")]
    kept = [_read_folder(path, subjects.get(path.name, "")) for path in folders if (path / PROVENANCE_FILE).is_file()]
    return sorted(kept, key=lambda night: (night.fixed["subject"], night.fixed["start"] or "~", night.name))


def _read_folder(folder: Path, subject: str) -> _Kept:
    """Return what the table and the page need of a night; a damaged folder affects only its own row."""
    provenance = read_provenance(folder)
    if not provenance:
        return _unreadable(folder, subject, f"The folder cannot be read as a night: {PROVENANCE_FILE} is damaged.")
    try:
        fixed = _fixed_values(folder.name, subject, provenance)
        for table in (MARKERS, HYPNOGRAM):
            name = f"{table.name}.csv"
            if not (folder / name).is_file() or hash_file(folder / name) != provenance["outputs"].get(name):
                return _unreadable(folder, subject, f"{name} is not the file that was written; score the night again.")
        markers = name_columns(read_table(folder / f"{MARKERS.name}.csv", MARKERS))
        with (folder / f"{HYPNOGRAM.name}.csv").open(newline="", encoding="utf-8") as file:
            stages = [row["stage"] for row in csv.DictReader(file)]  # as it was written; a table takes long to make
        channel = main_channel(provenance["roles"]) or ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EegSleepError) as error:
        return _unreadable(folder, subject, f"The folder cannot be read as a night of this version: {error}")
    missing = markers[markers["value"].isna()]
    glance = Glance(
        channel=channel,
        stages="".join(LETTERS.get(stage, "U") for stage in stages),
        reasons=dict(zip(missing["column"], missing["reason"], strict=True)),
        has_report=(folder / REPORT_FILE).is_file(),
    )
    return _Kept(fixed, dict(zip(markers["column"], markers["value"], strict=True)), glance, provenance)


def _unreadable(folder: Path, subject: str, reason: str) -> _Kept:
    fixed = {column.name: math.nan if column.kind == "float" else "" for column in _FIXED}
    return _Kept({**fixed, "night": folder.name, "subject": subject, "reason": reason}, {}, Glance(), {})


def _fixed_values(name: str, subject: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    from datetime import datetime

    # A value that is not valid is found here, where it affects one row only.
    start, verdict = str(provenance["start"] or ""), str(provenance["quality"]["verdict"])
    if start:
        datetime.fromisoformat(start)
    if verdict not in _VERDICTS:
        raise ValueError(f"verdict {verdict!r}")
    return {
        "night": name,
        "subject": subject or str(provenance.get("subject") or ""),
        "start": start,
        "duration_s": float(provenance["input"]["duration_s"]),
        "device": str(provenance["device"] or ""),
        "lights": str(provenance["lights"]["source"]),
        "verdict": verdict,
        "verdict_reasons": " ".join(map(str, provenance["quality"]["reasons"])),
        "reason": "",
    }


def _widen(kept: Sequence[_Kept]) -> pd.DataFrame:
    import pandas as pd

    frame = {
        column.name: pd.Series(
            [night.fixed[column.name] for night in kept], dtype="float64" if column.kind == "float" else "str"
        )
        for column in _FIXED
    }
    for name in order_columns({column for night in kept for column in night.measured}):
        frame[name] = pd.Series([night.measured.get(name, math.nan) for night in kept], dtype="float64")
    return pd.DataFrame(frame)


def _describe_column(name: str) -> Column:
    marker, stage, channel = name.split("|", 2)
    known = CATALOGUE.get(marker)
    where = ", ".join(part for part in (stage, channel) if part)
    label = (known.label if known else marker) + (f" ({where})" if where else "")
    return Column(name, "float", f"{label}: {known.meaning}" if known else label, known.unit if known else "")


def _describe_rejected(kept: Sequence[_Kept]) -> list[str]:
    rejected = [night.name for night in kept if night.fixed["verdict"] == "reject"]
    if not rejected:
        return []
    return [f"Not usable, of {len(kept)} nights: {_list_some(rejected)}. Do not compare their numbers with others."]


def _describe_copies(kept: Sequence[_Kept]) -> list[str]:
    """Return a sentence for each recording that lies in several folders: it would count as several nights."""
    folders: dict[str, list[str]] = {}
    for night in kept:
        if night.provenance:
            folders.setdefault(str(night.provenance["input"].get("sha256") or night.name), []).append(night.name)
    return [
        f"{_list_some(names)} are the same recording; keep one of these folders, or it counts {len(names)} times."
        for names in folders.values()
        if len(names) > 1
    ]


def _list_some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _describe_differences(kept: Sequence[_Kept]) -> list[str]:
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
