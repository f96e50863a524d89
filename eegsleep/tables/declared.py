"""Declared tables: how they are checked, and how they are written, as a CSV with a JSON sidecar as in BIDS."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from eegsleep.errors import TableError, describe_error
from eegsleep.plain_files import check_plain
from eegsleep.provenance import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

Kind = Literal["int", "float", "str", "bool"]
_DTYPES = {"int": "int64", "float": "float64", "str": "str", "bool": "bool"}
# Spreadsheets run a cell that starts with one of these as a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# The widest table has a column for each marker, stage and channel; pandas takes minutes for millions.
_MAX_COLUMNS = 20_000
# what `encode_table` puts before such a cell
_GUARD = re.compile(r"^'(?=[=+\-@\t\r])")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        Carries the unit: `duration_s`.
    kind : {"int", "float", "str", "bool"}
    meaning : str
        For the sidecar.
    unit : str, optional
        The unit as printed: `µV/s`.
    levels : mapping of str to str, optional
        The only values the column may hold, each with its meaning, as `Levels` of a BIDS sidecar; by default any.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    levels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        Its file is `<name>.csv`.
    row : str
        What one row describes.
    columns : tuple of Column
        In the order they are written.
    """

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in the order they are written."""
        return [column.name for column in self.columns]


def check_table(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return `frame` with exactly the columns of `table`, in order and in their types.

    Parameters
    ----------
    frame : pandas.DataFrame
    table : Table

    Returns
    -------
    pandas.DataFrame
        A new frame, its rows numbered from 0.

    Raises
    ------
    TableError
        If a column is missing or unknown, or holds a value that is not of its type or not one of its levels.
    """
    names = table.column_names
    missing = [name for name in names if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in names]
    unknown += [str(name) for name in frame.columns[frame.columns.duplicated()]]
    if missing or unknown:
        raise TableError(
            f"table {table.name} does not have its declared columns",
            found=f"missing {_list_some(missing)}, unknown {_list_some(unknown)}",
            allowed=", ".join(names),
        )
    checked = frame[names].reset_index(drop=True)
    for column, dtype in zip(table.columns, checked.dtypes.tolist(), strict=True):
        try:
            if dtype != _dtype(column.kind):
                checked[column.name] = checked[column.name].astype(_DTYPES[column.kind])
        except (TypeError, ValueError, OverflowError) as error:
            raise TableError(
                f"column {column.name} of table {table.name} cannot be read as {column.kind}",
                found=describe_error(error),
            ) from error
        if column.levels:
            _check_levels(checked[column.name], column, table)
    return checked


@cache
def _dtype(kind: Kind) -> Any:  # noqa: ANN401 - numpy's or pandas' own
    import pandas as pd

    return pd.api.types.pandas_dtype(_DTYPES[kind])


def _list_some(names: Sequence[str]) -> str:
    """Return names for an error: all of few, and the first of thousands."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return f"{shown}, and {len(names) - 20} more" if len(names) > 20 else shown or "none"


def _check_levels(values: pd.Series, column: Column, table: Table) -> None:
    other = [value for value in values.unique().tolist() if value not in column.levels]
    if other:
        raise TableError(
            f"column {column.name} of table {table.name} holds a value that it may not hold",
            found=", ".join(repr(value) for value in other[:3]),
            allowed=", ".join(level or "an empty cell" for level in column.levels),
        )


def empty_table(table: Table) -> pd.DataFrame:
    """Return `table` without a row, the result of a detector that found nothing.

    Parameters
    ----------
    table : Table

    Returns
    -------
    pandas.DataFrame
    """
    import pandas as pd

    return check_table(pd.DataFrame({name: [] for name in table.column_names}), table)


def encode_table(frame: pd.DataFrame, table: Table) -> bytes:
    """Return `frame` as CSV bytes; missing numbers are empty cells, and no cell can be a formula.

    Parameters
    ----------
    frame : pandas.DataFrame
        With the columns of `table` (`check_table`).
    table : Table

    Returns
    -------
    bytes
        In UTF-8; equal tables give equal bytes.
    """
    checked = check_table(frame, table)
    columns = [_as_cells(checked[column.name].tolist(), column.kind) for column in table.columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")  # as pandas does, which takes several times as long for few rows
    writer.writerow(table.column_names)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _as_cells(values: list[Any], kind: Kind) -> list[Any]:
    """Return the values of a column as they are written."""
    if kind == "float":
        # Ten digits keep a millisecond over three days and hide the noise of the last binary digits.
        return ["" if value != value else f"{value:.10g}" for value in values]  # noqa: PLR0124 - NaN
    if kind == "str":
        texts = ["" if value != value else value for value in values]  # noqa: PLR0124 - NaN
        return [f"'{text}" if text.startswith(_FORMULA_STARTS) else text for text in texts]
    return values


def encode_sidecar(table: Table) -> bytes:
    """Return the JSON that describes the columns of `table`, in the form BIDS uses.

    Parameters
    ----------
    table : Table

    Returns
    -------
    bytes
    """
    entries: dict[str, dict[str, Any]] = {}
    for column in table.columns:
        entries[column.name] = {"Description": column.meaning}
        if column.unit:
            entries[column.name]["Units"] = column.unit
        if column.levels:
            entries[column.name]["Levels"] = dict(column.levels)
    return encode_json(entries)


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read back a CSV written from `table`, and check it.

    Parameters
    ----------
    path : Path
    table : Table

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    TableError
        If the file is not such a table.
    """
    try:
        content = check_plain(path).read_bytes()
    except OSError as error:
        raise TableError(f"{path.name} cannot be read as table {table.name}", found=describe_error(error)) from error
    return _parse_table(content, table, path.name)


def _parse_table(content: bytes, table: Table, name: str) -> pd.DataFrame:
    import pandas as pd

    text_columns = [column.name for column in table.columns if column.kind == "str"]
    n_columns = content.partition(b"\n")[0].count(b",") + 1
    if n_columns > _MAX_COLUMNS:
        raise TableError(f"{name} cannot be read as table {table.name}", found=f"{n_columns:,} columns")
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            dtype=dict.fromkeys(text_columns, "str"),
            keep_default_na=False,
            na_values={c.name: [""] for c in table.columns if c.kind != "str"},
        )
    except (ValueError, OverflowError) as error:
        raise TableError(f"{name} cannot be read as table {table.name}", found=describe_error(error)) from error
    for column in text_columns:
        if column in frame and any(str(text).startswith("'") for text in frame[column].tolist()):
            frame[column] = frame[column].str.replace(_GUARD, "", regex=True)
    return check_table(frame, table)


def parse_tables(contents: Mapping[str, bytes], table: Table, key: str) -> pd.DataFrame:
    """Return many CSV files of one table as one frame, parsed at once, which saves most of the time of many.

    Parameters
    ----------
    contents : mapping of str to bytes
        The files, each by the name that its rows get.
    table : Table
    key : str
        Name of the first column, which holds these names.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    TableError
        If one is not such a table.
    """
    import numpy as np

    head = ",".join(table.column_names).encode() + b"\n"
    bodies, n_rows = [], []
    for name, content in contents.items():
        body = content.removeprefix(head)
        if len(body) == len(content) or (body and not body.endswith(b"\n")):
            raise TableError(
                f"{table.name}.csv of {name} is not such a table", found=content[:80].decode(errors="replace")
            )
        bodies.append(body)
        n_rows.append(_count_rows(body))
    frame = _parse_table(head + b"".join(bodies), table, f"{table.name}.csv")
    if len(frame) != sum(n_rows):
        raise TableError(f"{table.name}.csv has empty rows", found=f"{sum(n_rows)} rows, {len(frame)} of them filled")
    frame.insert(0, key, np.repeat(np.array(list(contents), dtype=object), n_rows))
    frame[key] = frame[key].astype("str")
    return frame


def _count_rows(body: bytes) -> int:
    if b'"' not in body:
        return body.count(b"\n")
    return sum(1 for _ in csv.reader(io.StringIO(body.decode("utf-8", "replace"), newline="")))


def decode_columns(content: bytes, table: Table, names: Sequence[str]) -> dict[str, list[str]]:
    """Return columns of a CSV written from `table` as text, in a tenth of the time of `read_table`.

    The values are not checked: the content should be known to be what was written, by its hash.

    Parameters
    ----------
    content : bytes
    table : Table
    names : sequence of str
        The columns wanted.

    Returns
    -------
    dict of str to list of str
        By name of the column; an empty text where a number is missing.

    Raises
    ------
    TableError
        If the columns are not those declared, or a row has more or fewer cells.
    """
    places = {name: place for place, name in enumerate(table.column_names) if name in names}
    try:
        text = content.decode("utf-8")
        rows = _split_rows(text, max(places.values()) + 1, len(table.columns))
        columns = {name: [row[place] for row in rows[1:]] for name, place in places.items()}
    except (ValueError, IndexError, csv.Error) as error:
        raise TableError(f"{table.name}.csv cannot be read", found=describe_error(error)) from error
    if text.partition("\n")[0] != ",".join(table.column_names):
        raise TableError(f"{table.name}.csv has other columns", found=text.partition("\n")[0][:200])
    texts = {column.name for column in table.columns if column.kind == "str"}
    for name in texts & set(columns):
        columns[name] = [cell if cell[:1] != "'" else _GUARD.sub("", cell) for cell in columns[name]]
    return columns


def _split_rows(text: str, n_wanted: int, n_columns: int) -> list[list[str]]:
    """Return the first cells of each row; ValueError if a row has more or fewer cells than there are columns."""
    if '"' in text:
        rows = list(csv.reader(io.StringIO(text, newline="")))
        n_cells = sum(map(len, rows))
    else:
        lines = text.removesuffix("\n").split("\n")
        rows = [line.split(",", n_wanted) for line in lines]
        n_cells = len(lines) + text.count(",")
    if n_cells != n_columns * len(rows):
        raise ValueError(f"{n_cells} cells in {len(rows)} rows of {n_columns} columns")
    return rows
