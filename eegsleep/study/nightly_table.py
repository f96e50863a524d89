"""Nights without EEG: the nightly table of a tracker or a diary becomes nights of a study.

Every row becomes a night folder with markers and provenance but without signals, so that schedule, lock, test and page
are those of any other study. What a tracker calls light or deep sleep is never called N1, N2 or N3.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from eegsleep.errors import SettingsError, TableError, describe_error
from eegsleep.file_names import NIGHTS_FOLDER, PROVENANCE_FILE
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.plain_files import check_plain
from eegsleep.provenance import encode_json, hash_bytes, hash_file, package_versions, read_provenance, write_file
from eegsleep.recording.limits import YEARS
from eegsleep.study.declared.manifest import read_protocol
from eegsleep.study.declared.nights_file import FREE_PREFIXES, HARM
from eegsleep.tables import MARKERS, check_table, encode_sidecar, encode_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eegsleep.study.declared.protocol import Study

# What a tracker or diary can say in the words of a sleep study; all else carries its source in its name.
_SHARED = ("tst_min", "sol_min", "waso_min", "tib_min", "sleep_efficiency_percent", "awakenings")
_OWN_PREFIXES = ("tracker_", "diary_")
_PLACES = ("date", "day", "condition", "subject")
_UNITS = {"min": "min", "percent": "%", "bpm": "/min", "ms": "ms", "c": "°C"}
_YES, _NO = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})
_SHOWN = 4
FROM_TABLE = (
    "These nights come from the table of a tracker or a diary. They have no EEG: stages, spindles and slow waves are "
    "not measured, and nothing is said of them."
)


class Added(NamedTuple):
    """What a table brought.

    Attributes
    ----------
    nights : tuple of str
        The nights that have values now.
    markers : tuple of str
        Names of their markers.
    scores : tuple of str
        Columns that were entered into nights.csv.
    sentences : tuple of str
        What a reader should know.
    """

    nights: tuple[str, ...]
    markers: tuple[str, ...]
    scores: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class _Night:
    subject: str
    day: str
    condition: str
    cells: dict[str, float | str]
    n_rows: int


def add_table(
    study_file: str | Path, table: str | Path, mapping: Mapping[str, str], *, by: str = "", subject: str = "S01"
) -> Added:
    """Bring a nightly table into a study.

    Parameters
    ----------
    study_file : path
        study.toml. A night of the table is that of nights.csv with the same sleeper and date; one that is not there is
        added.
    table : path
        A CSV with a header.
    mapping : mapping of str to str
        Our name to the name of the column: `date` (YYYY-MM-DD), or `day` (an index), or both; `condition`, `subject`;
        markers, of nights without EEG only (`tst_min`, `sol_min`, `waso_min`, `tib_min`, `sleep_efficiency_percent`,
        `awakenings`, `tracker_…`, `diary_…`); and `day_…`, `cov_…` and `harm` of nights.csv.
    by : {"", "date", "day"}
        What tells the night where both are given and contradict one another.
    subject : str
        Whose nights they are, if no column says so.

    Returns
    -------
    Added

    Raises
    ------
    EegSleepError
        If a name or a column is not known, dates and indices contradict one another, or a cell cannot be read.
    """
    study, table = read_protocol(study_file), Path(table)
    _check_names(mapping)
    rows = _read_rows(table, mapping)
    keyed = _find_nights(rows, mapping, by)
    nights = [_join(own, key, mapping, study, subject) for key, own in keyed.items()]
    names = [name for name in mapping if name in _SHARED or name.startswith(_OWN_PREFIXES)]
    scores = [name for name in mapping if name.startswith(FREE_PREFIXES) or name == HARM]
    path = study.path.parent / study.nights_file
    entered, content = _enter(path, nights, scores)
    folders = [study.path.parent / NIGHTS_FOLDER / name for name in entered]
    recorded = [folder for folder in folders if _has_signals(folder)]
    if names and recorded:
        raise SettingsError(
            f"{recorded[0].name} was scored from its signals, and a table cannot give its {names[0]}",
            found=f"{len(recorded)} such nights",
            allowed="scores, covariates and harm of a night with EEG: day_..., cov_..., harm",
            remedy="leave the markers out of --map, or make a study of its own for the nights without EEG",
        )
    write_file(path, content)
    for night, folder in zip(nights, folders, strict=True):
        if folder not in recorded:
            _write_night(folder, night, names, hash_file(table))
    several = sum(night.n_rows > 1 for night in nights)
    sentences = [f"{len(nights)} nights from {table.name}, {sum(night.n_rows for night in nights)} rows."]
    if several:
        sentences.append(f"{several} nights have several rows; their means are taken.")
    if len(recorded) < len(folders):
        sentences.append(FROM_TABLE)
    return Added(tuple(entered), tuple(names), tuple(scores), tuple(sentences))


def _check_names(mapping: Mapping[str, str]) -> None:
    if not {"date", "day"} & set(mapping):
        raise SettingsError(
            "the table needs a column that tells the night",
            found=", ".join(mapping) or "nothing",
            allowed="--map date=COLUMN, or day=COLUMN for an index",
        )
    for name in mapping:
        if not name.isidentifier():  # it becomes the name of a column
            raise SettingsError(
                "this cannot be the name of a column", found=repr(name), allowed="letters, digits and underscore"
            )
        known = name in (*_PLACES, *_SHARED, HARM) or name.startswith((*FREE_PREFIXES, *_OWN_PREFIXES))
        if not known:
            staged = name in CATALOGUE or re.match(r"(n[123]|rem|light|deep)", name)
            raise SettingsError(
                f"{name} cannot come from a table without EEG"
                if staged
                else f"there is no such name for a column as {name}",
                found=name,
                allowed=f"{', '.join((*_PLACES, *_SHARED, HARM))}, tracker_…, diary_…, day_…, cov_…",
                remedy="what a tracker calls light, deep or REM is tracker_light_min, tracker_deep_min, tracker_rem_min"
                if staged
                else "",
            )


def _read_rows(table: Path, mapping: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the mapped cells of every row, under our names."""
    try:
        with check_plain(table).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header, rows = list(reader.fieldnames or []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{table.name} cannot be read", found=describe_error(error)) from error
    missing = [column for column in mapping.values() if column not in header]
    if missing or not rows:
        raise TableError(
            f"{table.name} has no column {', '.join(missing)}" if missing else f"{table.name} has no row",
            found=", ".join(header),
        )
    return [{name: (row[column] or "").strip() for name, column in mapping.items()} for row in rows]


def _find_nights(
    rows: Sequence[dict[str, str]], mapping: Mapping[str, str], by: str
) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Return the rows of each night, by sleeper and date."""
    if "date" in mapping:
        for row in rows:
            _parse_date(row["date"])
    if "day" not in mapping or by == "date":
        keys = [(row.get("subject", ""), row["date"][:10]) for row in rows]
    else:
        days = [int(_parse_number(row["day"], "day")) for row in rows]
        if "date" in mapping and not by:
            _check_days(rows, days)
        if "date" not in mapping:
            raise SettingsError(
                "an index of days alone does not say when the nights were", remedy="map the date of the first, too"
            )
        first = min(_parse_date(row["date"]) - timedelta(days=day) for row, day in zip(rows, days, strict=True))
        keys = [(row.get("subject", ""), str(first + timedelta(days=day))) for row, day in zip(rows, days, strict=True)]
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for key, row in zip(keys, rows, strict=True):
        found.setdefault(key, []).append(row)
    return dict(sorted(found.items()))


def _check_days(rows: Sequence[dict[str, str]], days: Sequence[int]) -> None:
    """Raise where an index of days contradicts the dates."""
    dates: dict[int, set[str]] = {}
    for row, day in zip(rows, days, strict=True):
        dates.setdefault(day, set()).add(row["date"][:10])
    apart = {(_parse_date(row["date"]) - timedelta(days=day)).isoformat() for row, day in zip(rows, days, strict=True)}
    if len(apart) > 1:
        twice = [f"day {day} stands on {' and '.join(sorted(own))}" for day, own in dates.items() if len(own) > 1]
        first = min(apart)
        later = [row["date"][:10] for row, day in zip(rows, days, strict=True) if _origin(row, day) != first]
        raise TableError(
            "the index of days contradicts the dates",
            found="; ".join([*twice[:_SHOWN], f"from {min(later)} on they are apart"]),
            remedy="say which tells the night: --by date or --by day",
        )


def _origin(row: Mapping[str, str], day: int) -> str:
    return (_parse_date(row["date"]) - timedelta(days=day)).isoformat()


def _join(
    own: Sequence[dict[str, str]], key: tuple[str, str], mapping: Mapping[str, str], study: Study, subject: str
) -> _Night:
    """Return one night from its rows: the mean of each number, the words that are there."""
    conditions = {row["condition"] for row in own if row.get("condition")}
    if len(conditions) > 1:
        raise TableError(f"the night of {key[1]} has two conditions", found=", ".join(sorted(conditions)))
    joined: dict[str, float | str] = {}
    for name in mapping:
        if name in _PLACES:
            continue
        cells = [row[name] for row in own if row[name]]
        if name == HARM:
            joined[name] = "; ".join(dict.fromkeys(cells))
            continue
        numbers = [_parse_number(cell, name) for cell in cells]
        joined[name] = sum(numbers) / len(numbers) if numbers else math.nan
    given = _code(next(iter(conditions), ""), study)
    return _Night(key[0] or subject, key[1], given, joined, len(own))


def _code(word: str, study: Study) -> str:
    """Return the code of a condition; yes and no are understood where the study has these codes."""
    if not word or word in study.conditions:
        return word
    if set(study.conditions) == {"yes", "no"} and word.lower() in _YES | _NO:
        return "yes" if word.lower() in _YES else "no"
    raise TableError(
        "this is no condition of the study", found=word, allowed=", ".join(study.conditions), remedy="see study.toml"
    )


def _parse_date(cell: str) -> date:
    try:
        day = date.fromisoformat(cell[:10])
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        allowed = f"YYYY-MM-DD, in the years {YEARS[0]} to {YEARS[-1]}"
        raise TableError("this is not a date", found=repr(cell), allowed=allowed)
    return day


def _parse_number(cell: str, name: str) -> float:
    """Return a number; minutes may be written as h:mm."""
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})(?::\d{2})?", cell)
    if clock and name.endswith("_min"):
        return 60 * int(clock.group(1)) + int(clock.group(2))
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TableError(f"{name}: this is not a number", found=repr(cell), allowed="a number with a decimal point")
    return value


def _enter(path: Path, nights: Sequence[_Night], scores: Sequence[str]) -> tuple[list[str], bytes]:
    """Enter the nights into the rows of nights.csv; return their names and what is to be written."""
    comments, header, rows = _read_entered(path)
    header += [name for name in scores if name not in header]
    known = {(row["subject"], row["date"]): row for row in rows}
    names = []
    for night in nights:
        row = known.get((night.subject, night.day))
        if row is None:
            row = {"subject": night.subject, "night": f"{night.subject}-{night.day}", "date": night.day}
            rows.append(row)
        if night.condition and row.get("condition") not in {"", None, night.condition}:
            raise TableError(
                f"{path.name} has another condition for {row['night']}",
                found=night.condition,
                allowed=row["condition"],
            )
        row["condition"] = night.condition or row.get("condition", "")
        row["file"] = row.get("file") or f"{NIGHTS_FOLDER}/{row['night']}"
        for name in scores:
            value = night.cells[name]
            row[name] = value if isinstance(value, str) else "" if math.isnan(value) else f"{value:.10g}"
        names.append(row["night"])
    rows.sort(key=lambda row: (row["subject"], row["date"]))
    lines = [",".join(header), *(",".join(_cell(row.get(name) or "") for name in header) for row in rows)]
    return names, "\n".join([*comments, *lines, ""]).encode()


def _has_signals(folder: Path) -> bool:
    """Return whether a night of that folder was scored from a recording."""
    return (folder / PROVENANCE_FILE).exists() and not is_from_table(read_provenance(folder))


_TOO_MANY = "\0"  # stands for the cells of a row that no column has; no column is called so


def _read_entered(path: Path) -> tuple[list[str], list[str], list[dict[str, str]]]:
    """Return the comments, the names of the columns and the rows of nights.csv, which may not exist yet."""
    needed = ["subject", "night", "date", "file", "condition"]
    try:
        text = check_plain(path).read_text(encoding="utf-8-sig") if path.exists() else ""
        comments = [line for line in text.splitlines() if line.startswith("#")]
        plain = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        header = next(csv.reader(plain[:1]), needed)
        rows = list(csv.DictReader(plain, restkey=_TOO_MANY, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path.name} cannot be read", found=describe_error(error)) from error
    if not {"subject", "night", "date"} <= set(header) or any(_TOO_MANY in row for row in rows):
        raise TableError(
            f"{path.name} is no table of nights",
            found=", ".join(header)[:100],
            allowed=f"the columns {', '.join(needed)}, and a cell for each in every row",
        )
    return comments, header, rows


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\n]', text) else text


def _write_night(folder: Path, night: _Night, names: Sequence[str], table_sha256: str) -> None:
    """Write the folder of a night that has no signals: its markers, and where they come from."""
    blank = {"str": "", "float": math.nan, "int": 0, "bool": False}
    rows = []
    for name in names:
        known = CATALOGUE.get(name)
        value = night.cells[name]
        row = {column.name: blank[column.kind] for column in MARKERS.columns}
        row |= {"marker": name, "family": known.family if known else "context", "value": value, "n": night.n_rows}
        row["unit"] = known.unit if known else _UNITS.get(name.rsplit("_", 1)[-1], "")
        row["reason"] = "" if isinstance(value, float) and math.isfinite(value) else "empty in the table"
        rows.append(row)
    markers = check_table(pd.DataFrame(rows, columns=MARKERS.column_names), MARKERS)
    files = {"markers.csv": encode_table(markers, MARKERS), "markers.json": encode_sidecar(MARKERS)}
    content = hash_bytes(encode_json([folder.name, {k: str(v) for k, v in night.cells.items()}, table_sha256]))
    made = {
        "id": folder.name,
        "start": None,
        "device": "a table",
        "roles": {},
        "settings": {"table": sorted(names)},
        "versions": package_versions(),
        "fingerprint": content,
        "input": {"sha256": content, "duration_s": 0.0},
        "table_sha256": table_sha256,
        "outputs": {name: hash_bytes(data) for name, data in sorted(files.items())},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_file(folder / name, data)
    write_file(folder / PROVENANCE_FILE, encode_json(made))


def is_from_table(made: Mapping[str, object]) -> bool:
    """Return whether a night comes from a table, by its provenance."""
    return "table_sha256" in made
