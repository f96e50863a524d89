"""Tables in text files, read block by block, and refused where pandas would read them wrongly without an error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.faults import Fault, clean_text, decode_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from eegsleep.recording.text.column import Column
    from eegsleep.recording.text.time_stamps import TimeColumn

MAX_BYTES = 8_000_000_000
# While a block is parsed it takes about ten times its size.
_BLOCK_BYTES = 1 << 22
_MAX_LINE_BYTES = 1 << 20
_HEAD_BYTES = 1 << 16
# Headbands write up to forty columns; a file with thousands is no recording, and takes minutes to read.
_MAX_COLUMNS = 512


@dataclass(frozen=True)
class TextLayout:
    """The layout of a text file: everything before the first row of numbers."""

    names: list[str]  # one a column; empty where the file has no row of names
    first: list[str]  # the cells of the first row
    comments: list[str]  # lines with a leading %
    delimiter: str
    header: bytes  # the row of names with its line end; it may be repeated
    offset: int  # of the first row of numbers, in bytes
    has_marks: bool = False  # rows of one number stand between the others: OpenBCI's converter, at start and stop


def read_layout(path: Path) -> TextLayout:
    """Find delimiter, comments and names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    TextLayout

    Raises
    ------
    RecordingError
        If the file is no plain text, too large, or has no rows or too many columns.
    """
    if path.stat().st_size > MAX_BYTES:
        raise RecordingError(f"{path.name} is too large for one night", allowed="8 GB")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if codec := find_utf16(head) or ("NUL bytes" if b"\0" in head else ""):
        found = codec.upper().replace("UTF-16-LE", "UTF-16").replace("UTF-16-BE", "UTF-16")
        raise RecordingError(f"{path.name} is not plain text", found=found, remedy="save it again as CSV in UTF-8")
    offset = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    comments: list[str] = []
    lines = head[offset:].splitlines(keepends=True)
    while lines and (not lines[0].strip() or lines[0].startswith(b"%")):
        comments += [decode_text(lines[0])] if lines[0].strip() else []
        offset += len(lines.pop(0))
    if len(lines) < 2 or not lines[0].endswith(b"\n"):
        raise RecordingError(f"{path.name} holds no rows", remedy="check that the recording was saved to its end")
    delimiter = find_delimiter(lines[0].decode("utf-8", "replace"))
    cells = split_line(lines[0].decode("utf-8", "replace"), delimiter)
    if len(cells) > _MAX_COLUMNS:
        raise RecordingError(
            f"{path.name} has too many columns",
            found=str(len(cells)),
            allowed=f"{_MAX_COLUMNS}",
            remedy="give the file as the recording program wrote it: a row for each sample",
        )
    if re.fullmatch(r"[-+\d.eE]*", cells[0]):  # numbers from the first row on
        some = [split_line(line.decode("utf-8", "replace"), find_delimiter_of(lines)) for line in lines[:200]]
        has_marks = len(cells) == 1 and len(some) > 1 and len(some[1]) > 1
        widest = max(some[:-1] or some, key=len)  # the last line of the head may be cut
        if len(widest) > _MAX_COLUMNS:
            widest = cells
        return TextLayout([], widest, comments, find_delimiter_of(lines), b"", offset, has_marks)
    first = next((line for line in lines[1:] if line.strip()), b"")
    return TextLayout(
        cells,
        split_line(first.decode("utf-8", "replace"), delimiter),
        comments,
        delimiter,
        lines[0],
        offset + len(lines[0]),
    )


def find_delimiter_of(lines: Sequence[bytes]) -> str:
    """Return the delimiter of the first rows of numbers, of which the first may hold a single one."""
    return find_delimiter(max(lines[:3], key=len).decode("utf-8", "replace"))


def read_table(
    path: Path,
    layout: TextLayout,
    columns: Sequence[int],
    times: TimeColumn | None = None,
    *,
    short_rows: bool = False,
) -> tuple[dict[int, Column], list[Fault]]:
    """Read the columns asked for, block by block, so that only their numbers are in memory.

    Parameters
    ----------
    path : Path
    layout : TextLayout
    columns : sequence of int
    times : TimeColumn, optional
        The column of clock times, which becomes seconds; it must be among `columns`.
    short_rows : bool
        Whether a row may end before columns that were not asked for.

    Returns
    -------
    table : dict of int to Column, each of n_rows numbers
        NaN where a cell is empty.
    faults : list of Fault

    Raises
    ------
    RecordingError
        If pandas would read a block wrongly, or a cell is no number.
    """
    import pandas as pd

    from eegsleep.recording.text.column import Column

    width = len(layout.names) or len(layout.first)
    time_column = times.column if times else -1
    kinds = {i: str if i == time_column else float for i in columns}
    table: dict[int, Column] = {}
    faults: list[Fault] = []
    line = 1
    needed = max(columns) + 1 if short_rows else width

    for block in _blocks(path, layout, faults):
        first_line = line
        line, n_cells = _check_block(block, layout, width, line, needed)

        def parse(dtype: Mapping[int, type], block: bytes = block, n_cells: int = n_cells) -> pd.DataFrame:
            return pd.read_csv(
                BytesIO(block),
                sep=layout.delimiter,
                header=None,
                names=range(n_cells),
                usecols=sorted(kinds),
                dtype=dtype,
                skipinitialspace=True,
                encoding="latin-1",
                na_values=["", "nan", "NaN"],
                engine="c",
            )

        try:
            cells = parse(kinds)
        except ValueError as error:
            raise _describe_cell(parse(dict.fromkeys(kinds, str)), kinds, layout, first_line) or error from error
        if not table:  # rows to expect, if all are about as long as the first ones
            room = int(1.02 * len(cells) * path.stat().st_size / len(block)) + 1
            table = {i: Column(room) for i in columns}
        for i, column in table.items():
            column.add(times.seconds(cells[i]) if times and i == time_column else cells[i].to_numpy())
        del cells, block
    faults += times.faults() if times else []
    return table or {i: Column() for i in columns}, faults


def _blocks(path: Path, layout: TextLayout, faults: list[Fault]) -> Iterator[bytes]:
    """Yield the rows in blocks of whole lines, without repeated rows of names and an unfinished last line."""
    repeated, rest = 0, b""
    with path.open("rb") as file:
        file.seek(layout.offset)
        while chunk := file.read(_BLOCK_BYTES) + file.readline(_MAX_LINE_BYTES):
            lines, newline, rest = chunk.rpartition(b"\n")
            if len(rest) >= _MAX_LINE_BYTES:
                raise RecordingError("a row does not end", found=f"more than {_MAX_LINE_BYTES} characters")
            if layout.has_marks:
                lines = re.sub(rb"(?m)^[^,;\t\n]*(\n|\Z)", b"", lines)
                newline = newline if not lines.endswith(b"\n") else b""
            if layout.header and layout.header in lines:  # programs that append to a file write the names again
                repeated += lines.count(layout.header)
                lines = lines.replace(layout.header, b"")
            if lines.strip():
                yield lines + newline
    if repeated:
        faults.append(repaired("appended", f"the row of names comes {repeated} more times: recordings were appended"))
    if rest.strip():  # even a row with all cells may end in half a number
        faults.append(repaired("last-line-cut", "the last row has no line end; it may be cut and is left out"))


def _describe_cell(
    cells: pd.DataFrame, kinds: Mapping[int, type], layout: TextLayout, line: int
) -> RecordingError | None:
    """Return the error that names the first cell that is no number."""
    import pandas as pd

    for column, kind in kinds.items():
        known = cells[column].dropna()
        odd = known[pd.to_numeric(known, errors="coerce").isna()] if kind is float else known[:0]
        if len(odd):
            name = layout.names[column] if layout.names else f"number {column + 1}"
            shown = clean_text(str(odd.iloc[0]), 40)
            return RecordingError(
                "a cell is no number",
                found=f"{shown!r} in column {clean_text(name, 40)}, row {line + odd.index[0]}",
                allowed="plain numbers, with a point for the decimals",
                remedy="give the file as the recording program wrote it, or remove that row",
            )
    return None


def _check_block(block: bytes, layout: TextLayout, width: int, line: int, needed: int) -> tuple[int, int]:
    """Return the line after the block and the most cells of a row, after looking at what pandas would accept silently.

    Raised for are rows too long or short, decimal commas, and NUL bytes.
    A row may be short if it holds all `needed` cells, and one more: a row that was cut within the last of these would
    hold another number there. Rows that usually end there were not cut.
    """
    import numpy as np

    mark = layout.delimiter
    remedy = "write the file again with a comma between columns and a point for the decimals"
    if b"\0" in block:
        raise RecordingError("the file holds NUL bytes", remedy="copy it again from the device; it was damaged")
    if mark != "," and b"," in block:
        raise RecordingError("numbers may have a decimal comma", found=f"commas between {mark!r}", remedy=remedy)
    if not layout.names and mark == "," and b", " in block and block.count(b", ") != block.count(b","):
        raise RecordingError("numbers may have a decimal comma", found="commas with and without a space", remedy=remedy)
    buffer = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(buffer == ord("\n"))
    marks = np.diff(np.searchsorted(np.flatnonzero(buffer == ord(mark)), ends), prepend=0)
    usual = int(np.bincount(marks).argmax()) if len(marks) else width - 1
    is_long_enough = (marks >= needed) | ((marks == usual) & (marks >= needed - 1))
    wrong = np.flatnonzero((marks != width - 1) & ~((marks < width) & is_long_enough) & (np.diff(ends, prepend=-1) > 2))
    if len(wrong):
        raise RecordingError(
            "rows are not of the same length",
            found=f"{marks[wrong[0]] + 1} cells in row {line + wrong[0]}",
            allowed=f"{width} cells, divided by {mark!r}",
            remedy=f"if it is a decimal comma, {remedy}; else remove that row",
        )
    return line + len(ends), min(width, int(marks.max(initial=0)) + 1)


def find_utf16(head: bytes) -> str:
    """Return the codec if a file that begins with these bytes is UTF-16 text, as Windows writes it; else empty.

    Parameters
    ----------
    head : bytes

    Returns
    -------
    str
        `utf-16`, `utf-16-le`, `utf-16-be` or empty.
    """
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    pairs = max(1, len(head) // 2)
    nul = (head[: 2 * pairs : 2].count(0) / pairs, head[1 : 2 * pairs : 2].count(0) / pairs)
    if len(head) < 4 or max(nul) < 0.9 or min(nul) > 0.1:
        return ""
    return "utf-16-le" if nul[1] > nul[0] else "utf-16-be"


def find_delimiter(line: str) -> str:
    """Return the delimiter of the cells of a line: comma, semicolon or tab.

    Parameters
    ----------
    line : str

    Returns
    -------
    str
    """
    return max(",;\t", key=line.count)


def split_line(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, without spaces and quotes around them.

    Parameters
    ----------
    line, delimiter : str

    Returns
    -------
    list of str
    """
    return [cell.strip().strip('"').strip() for cell in line.strip("\r\n").lstrip("# ").split(delimiter)]


def fold(name: str) -> str:
    """Return the name of a column without letter case and extra spaces, for comparison.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return " ".join(name.casefold().split())


def repaired(code: str, message: str) -> Fault:
    """Return a fault of the whole file that reading could make good."""
    return Fault(code, "repaired", message)
