"""Read nights.csv strictly: an error names the row, the column, what was found and what is allowed."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.errors import TableError, describe_error
from eegsleep.plain_files import check_plain
from eegsleep.recording.limits import YEARS
from eegsleep.tables import STUDY_NIGHTS, check_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

FREE_PREFIXES = ("cov_", "day_")
HARM = "harm"  # in the words of the sleeper; a column that need not be there
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0", "")
_REQUIRED = ("subject", "night", "date")
_NAME = re.compile(r"[\w][\w.\-]*")


class Place(NamedTuple):
    """A cell of nights.csv: its file, line and column."""

    file: str
    line: int
    column: str


def cell_error(place: Place, problem: str, *, found: str = "", allowed: str = "", remedy: str = "") -> TableError:
    """Return the error of one cell, which names its file, row and column."""
    return TableError(
        f"{place.file}, row {place.line}, column {place.column}: {problem}", found=found, allowed=allowed, remedy=remedy
    )


def read_nights(path: Path) -> tuple[pd.DataFrame, list[int]]:
    """Read the nights of a study.

    Parameters
    ----------
    path : Path
        A CSV with the columns of table `STUDY_NIGHTS`, in any order, and any number of columns `cov_*`
        (covariates, numbers or words) and `day_*` (next-day scores, numbers), and `harm` (words).
        Lines that begin with `# ` are comments. The cells of a column that is missing are empty.

    Returns
    -------
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS`, then the free columns.
    lines : list of int
        The line of each row in the file, counted from 1.

    Raises
    ------
    TableError
        If the file cannot be read, or a column or a cell holds what is not allowed.
    """
    import pandas as pd

    header, rows, lines = _read_cells(path)
    _check_header(path.name, header, lines[0])
    columns = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    columns = {name: columns.get(name, [""] * len(rows)) for name in [*STUDY_NIGHTS.column_names, *columns]}
    declared = {column.name: column.kind for column in STUDY_NIGHTS.columns}
    parsed = {}
    for name, cells in columns.items():
        places = [Place(path.name, line, name) for line in lines[1:]]
        if name in declared:
            parse = _PARSERS.get(name) or _PARSERS[declared[name]]
            parsed[name] = [parse(place, cell) for place, cell in zip(places, cells, strict=True)]
        else:
            parsed[name] = _parse_free(name, places, cells)
    nights = check_table(pd.DataFrame({name: parsed[name] for name in declared}), STUDY_NIGHTS)
    for name in [name for name in parsed if name not in declared]:
        nights[name] = parsed[name]
    return nights, lines[1:]


def _read_cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the header, the cells of the rows, and the line of the header and of each row."""
    try:
        text = check_plain(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(
            f"the nights of the study cannot be read from {path.name}",
            found=describe_error(error),
            remedy="give the file in study.toml, saved as CSV in UTF-8",
        ) from error
    numbered = [(i, line) for i, line in enumerate(text.splitlines(), start=1) if line.strip(" ,;\t")]
    # a spreadsheet may name its delimiter in a first line of its own
    numbered = [(i, line) for i, line in numbered if not re.match(r'"?#(\s|$)|"?sep=.\s*"?[,;]*$', line)]
    if not numbered:
        raise TableError(f"{path.name} has no header", allowed=", ".join(STUDY_NIGHTS.column_names))
    delimiter = next((mark for mark in ",;\t" if mark in numbered[0][1]), ",")
    try:
        rows = list(csv.reader(io.StringIO("\n".join(line for _, line in numbered)), delimiter=delimiter))
    except csv.Error as error:
        raise TableError(f"{path.name} cannot be read as CSV", found=describe_error(error)) from error
    width = max((i for i, name in enumerate(rows[0], start=1) if name.strip()), default=0)
    rows = [row if any(cell.strip() for cell in row[width:]) else row[:width] for row in rows]  # columns left over
    lines = [i for i, _ in numbered]
    if len(rows) != len(lines):
        raise TableError(f"{path.name} has a cell with a line break", remedy="keep every cell on one line")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]):
            raise TableError(
                f"{path.name}, row {line} does not have as many cells as the header",
                found=str(len(row)),
                allowed=str(len(rows[0])),
                remedy="put a text that contains a comma between quotes",
            )
    cells = [[re.sub(r"^'(?=[=+\-@])", "", cell.strip()) for cell in row] for row in rows]
    return cells[0], cells[1:], lines


def _check_header(file: str, header: list[str], line: int) -> None:
    known = STUDY_NIGHTS.column_names
    for i, name in enumerate(header):
        free = name == HARM or (name.startswith(FREE_PREFIXES) and name not in FREE_PREFIXES)
        if name not in known and not free:
            raise cell_error(
                Place(file, line, name or str(i + 1)),
                "there is no such column",
                found=repr(name),
                allowed=f"{', '.join(known)}; {HARM} for what was unwelcome, cov_ and a name for a covariate, "
                "day_ and a name for a next-day score",
                remedy="rename or remove the column",
            )
        if name in header[:i]:
            raise cell_error(Place(file, line, name), "the column is there twice", remedy="remove one of the two")
    for name in (*_REQUIRED, "condition", "file"):
        if name not in header:
            raise cell_error(
                Place(file, line, name),
                "the column is missing",
                found=", ".join(header),
                remedy="add it; `eegsleep study init` writes a template",
            )


def _parse_text(place: Place, cell: str) -> str:
    if place.column in _REQUIRED and not cell:
        raise cell_error(place, "the cell is empty", allowed="a name" if place.column != "date" else "YYYY-MM-DD")
    return cell


def _parse_name(place: Place, cell: str) -> str:
    if not _NAME.fullmatch(_parse_text(place, cell)):
        raise cell_error(
            place,
            "this cannot be the name of a folder",
            found=repr(cell),
            allowed="letters, digits, point, hyphen and underscore",
        )
    return cell


def _parse_date(place: Place, cell: str) -> str:
    _parse_text(place, cell)
    try:
        day = date.fromisoformat(cell)
    except ValueError:
        day = None
    if day is None or day.isoformat() != cell or day.year not in YEARS:
        raise cell_error(
            place,
            "this is not a date",
            found=repr(cell),
            allowed=f"YYYY-MM-DD, the evening of the night, in the years {YEARS[0]} to {YEARS[-1]}",
        )
    return cell


def _parse_clock(place: Place, cell: str) -> str:
    if cell and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", cell):
        raise cell_error(
            place, "this is not a clock time", found=repr(cell), allowed="HH:MM from 00:00 to 23:59, or empty"
        )
    return cell


def _parse_bool(place: Place, cell: str) -> bool:
    if cell.lower() not in _TRUE + _FALSE:
        raise cell_error(
            place, "this is neither true nor false", found=repr(cell), allowed="true, false, yes, no, 1, 0 or empty"
        )
    return cell.lower() in _TRUE


def _parse_int(place: Place, cell: str) -> int:
    if cell and not re.fullmatch(r"\d{1,6}", cell):
        raise cell_error(place, "this is not a whole number", found=repr(cell), allowed="1, 2, 3, … or empty for none")
    return int(cell or 0)


def _parse_float(place: Place, cell: str) -> float:
    try:
        value = float(cell or "nan")
    except ValueError:
        value = float("inf")
    if value in {float("inf"), -float("inf")}:
        raise cell_error(
            place, "this is not a number", found=repr(cell), allowed="a number with a decimal point, or empty"
        )
    return value


def _parse_hours(place: Place, cell: str) -> float:
    value = _parse_float(place, cell)
    if value < 0:
        raise cell_error(place, "hours cannot be negative", found=cell, allowed="0 or more, or empty")
    return value


def _parse_free(name: str, places: list[Place], cells: list[str]) -> list[float] | list[str]:
    if name.startswith("day_"):
        return [_parse_float(place, cell) for place, cell in zip(places, cells, strict=True)]
    if name == HARM:
        return cells
    try:
        return [float(cell or "nan") for cell in cells]
    except ValueError:
        return cells


_PARSERS: dict[str, Callable] = {
    "night": _parse_name,
    "date": _parse_date,
    "lights_off": _parse_clock,
    "lights_on": _parse_clock,
    "hours_since_dose": _parse_hours,
    "str": _parse_text,
    "bool": _parse_bool,
    "int": _parse_int,
    "float": _parse_float,
}
