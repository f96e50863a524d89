"""From when to when a text file of a headband was recorded, by its first and last rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from eegsleep.errors import RecordingError
from eegsleep.recording.text.table import fold, read_layout, split_line
from eegsleep.recording.text.time_stamps import TimeColumn, as_seconds

if TYPE_CHECKING:
    from pathlib import Path

_TAIL_BYTES = 1 << 16
# Columns of dates or Unix times of each format, the best one first; times of day alone show no night.
_CLOCKS = {
    "muselsl CSV": ("timestamps",),
    "Mind Monitor CSV": ("timestamp",),
    "OpenBCI text": ("timestamp", "timestamp (formatted)"),
}


class TextSpan(NamedTuple):
    """Names of the columns, and the times of the first and last row, in seconds on the clock of the file."""

    names: tuple[str, ...]
    first_s: float
    last_s: float


def read_span(path: Path, kind: str) -> TextSpan | None:
    """Return from when to when a text was recorded, without reading all of it.

    Parameters
    ----------
    path : Path
    kind : str
        As `sniff_text` returns it.

    Returns
    -------
    TextSpan or None
        None if the file gives no dates, or cannot be read.
    """
    try:
        layout = read_layout(path)
        names = [fold(name) for name in layout.names]
        column = next((names.index(name) for name in _CLOCKS.get(kind, ()) if name in names), None)
        if column is None:
            return None
        with path.open("rb") as file:
            file.seek(max(layout.offset, path.stat().st_size - _TAIL_BYTES))
            tail = file.read().decode("latin-1").split("\n")
        rows = [split_line(line, layout.delimiter) for line in tail[1:-1] or tail[:1]]
        last = next(row[column] for row in reversed(rows) if len(row) > column and row[column])
        times = TimeColumn(column)
        seconds = times.seconds([layout.first[column], last])
    except (RecordingError, OSError, ValueError, IndexError, StopIteration):
        return None
    if times.kind == "time of day":
        return None
    seconds = as_seconds(seconds) if times.kind == "unix" else seconds
    return TextSpan(tuple(names), float(seconds[0]), float(seconds[-1]))
