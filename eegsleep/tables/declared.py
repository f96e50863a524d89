"""Declared tables: how they are checked, and how they are written, as a CSV with a JSON sidecar as in BIDS."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from eegsleep.errors import TableError, describe_error
from eegsleep.provenance import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

Kind = Literal["int", "float", "str", "bool"]
_DTYPES = {"int": "int64", "float": "float64", "str": "str", "bool": "bool"}
# Spreadsheets run a cell that starts with one of these as a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


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
    missing = [name for name in table.column_names if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in table.column_names]
    if missing or unknown:
        raise TableError(
            f"table {table.name} does not have its declared columns",
            found=f"missing {missing or 'none'}, unknown {unknown or 'none'}",
            allowed=", ".join(table.column_names),
        )
    columns = {}
    for column in table.columns:
        try:
            columns[column.name] = frame[column.name].astype(_DTYPES[column.kind])
        except (TypeError, ValueError) as error:
            raise TableError(
                f"column {column.name} of table {table.name} cannot be read as {column.kind}",
                found=describe_error(error),
            ) from error
        if column.levels:
            _check_levels(columns[column.name], column, table)
    return type(frame)(columns).reset_index(drop=True)


def _check_levels(values: pd.Series, column: Column, table: Table) -> None:
    other = values[~values.isin(column.levels)]
    if len(other):
        raise TableError(
            f"column {column.name} of table {table.name} holds a value that it may not hold",
            found=", ".join(repr(value) for value in other.unique()[:3]),
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
    frame = check_table(frame, table).copy()
    for column in table.columns:
        if column.kind == "str":
            risky = frame[column.name].str.startswith(_FORMULA_STARTS)
            frame.loc[risky, column.name] = "'" + frame.loc[risky, column.name]
        elif column.kind == "float":
            # Ten digits keep a millisecond over three days and hide the noise of the last binary digits. pandas gives
            # the same text with float_format, in four times the time.
            values = frame[column.name].tolist()
            frame[column.name] = ["" if value != value else f"{value:.10g}" for value in values]  # noqa: PLR0124 - NaN
    return frame.to_csv(index=False, lineterminator="\n").encode()


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
    import pandas as pd

    text_columns = [column.name for column in table.columns if column.kind == "str"]
    if path.exists() and not path.is_file():  # a pipe or a device may give bytes without end
        raise TableError(f"{path.name} cannot be read as table {table.name}", found="it is no file")
    try:
        frame = pd.read_csv(
            io.BytesIO(path.read_bytes()),
            dtype=dict.fromkeys(text_columns, "str"),
            keep_default_na=False,
            na_values={c.name: [""] for c in table.columns if c.kind != "str"},
        )
    except (OSError, ValueError) as error:
        raise TableError(f"{path.name} cannot be read as table {table.name}", found=describe_error(error)) from error
    for name in text_columns:
        if name in frame:
            frame[name] = frame[name].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return check_table(frame, table)
