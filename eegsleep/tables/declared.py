"""What a table is, how it is checked, and how it lies on disk: a CSV with a JSON sidecar in the form BIDS uses."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from eegsleep.errors import TableError
from eegsleep.provenance import encode_json

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

Kind = Literal["int", "float", "str", "bool"]
_DTYPES = {"int": "int64", "float": "float64", "str": "str", "bool": "bool"}
# Spreadsheets run a cell that starts with one of these as a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Column:
    """One column: a name that carries its unit, a type, the unit again in full, and a meaning."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table's name (its file is `<name>.csv`), what one row is, and its columns in order."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in the order they are written."""
        return [column.name for column in self.columns]


def check_table(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return `frame` with exactly the columns of `table`, in order and in their types.

    Raises
    ------
    TableError
        If a column is missing, unknown, or holds values its type cannot.
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
                found=str(error),
            ) from error
    return type(frame)(columns).reset_index(drop=True)


def empty_table(table: Table) -> pd.DataFrame:
    """Return `table` without a row: what a detector gives when it looked and found nothing."""
    import pandas as pd

    return check_table(pd.DataFrame({name: [] for name in table.column_names}), table)


def encode_table(frame: pd.DataFrame, table: Table) -> bytes:
    """Return `frame` as CSV bytes; missing numbers are empty cells, and no cell can be a formula."""
    frame = check_table(frame, table).copy()
    for column in table.columns:
        if column.kind == "str":
            risky = frame[column.name].str.startswith(_FORMULA_STARTS)
            frame.loc[risky, column.name] = "'" + frame.loc[risky, column.name]
    # Ten digits keep a millisecond over three days and hide the noise of the last binary digits.
    return frame.to_csv(index=False, float_format="%.10g", lineterminator="\n").encode()


def encode_sidecar(table: Table) -> bytes:
    """Return the JSON that describes the columns of `table`, in the form BIDS uses."""
    entries = {}
    for column in table.columns:
        entries[column.name] = {"Description": column.meaning}
        if column.unit:
            entries[column.name]["Units"] = column.unit
    return encode_json(entries)


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read back a CSV written from `table`, and check it.

    Raises
    ------
    TableError
        If the file is not such a table.
    """
    import pandas as pd

    text_columns = [column.name for column in table.columns if column.kind == "str"]
    try:
        frame = pd.read_csv(
            io.BytesIO(path.read_bytes()),
            dtype=dict.fromkeys(text_columns, "str"),
            keep_default_na=False,
            na_values={c.name: [""] for c in table.columns if c.kind != "str"},
        )
    except (OSError, ValueError) as error:
        raise TableError(f"{path.name} cannot be read as table {table.name}", found=str(error)) from error
    for name in text_columns:
        if name in frame:
            frame[name] = frame[name].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return check_table(frame, table)
