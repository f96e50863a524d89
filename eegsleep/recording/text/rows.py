"""What the reader of one format finds in a text file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from eegsleep.recording.faults import Fault
    from eegsleep.recording.text.column import Column


@dataclass
class Rows:
    """The signals, times and further columns of a file, as the reader of one format finds them."""

    labels: list[str]
    values: list[Column]
    stamps_s: np.ndarray | None
    rates_hz: tuple[float, ...]
    unit: str = "uV"
    packet: int = 1
    counter: np.ndarray | Column | None = None
    stamp_kind: str = "unix"  # as `TimeColumn.kind`
    to_local_s: float | None = None  # added to a stamp gives naive local time; None if that is unknown
    unworn: np.ndarray | None = None
    faults: list[Fault] = field(default_factory=list)
    rate_remedy: str = ""
    identity: str = ""


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Return the rows of files that follow each other as those of one file.

    Parameters
    ----------
    parts : sequence of Rows
        In order of time.

    Returns
    -------
    Rows

    Raises
    ------
    RecordingError
        If they have different channels or clocks.
    """
    import numpy as np

    from eegsleep.recording.text.column import make_column

    first = parts[0]
    if any((rows.labels, rows.unit, rows.stamp_kind) != (first.labels, first.unit, first.stamp_kind) for rows in parts):
        raise RecordingError(
            "the files of the folder have different channels, units or clocks",
            found="; ".join(sorted({", ".join(rows.labels) for rows in parts})),
            allowed="files of one recording",
            remedy="put the files of each recording in a folder of its own",
        )

    def join(arrays: Sequence[np.ndarray | Column | None]) -> np.ndarray | None:
        known = [array[:] for array in arrays if array is not None]
        return np.concatenate(known) if len(known) == len(arrays) else None

    return Rows(
        first.labels,
        [make_column(rows.values.pop(0)[:] for rows in parts) for _ in first.labels],
        join([rows.stamps_s for rows in parts]),
        first.rates_hz,
        first.unit,
        first.packet,
        join([rows.counter for rows in parts]),
        first.stamp_kind,
        first.to_local_s,
        join([rows.unworn for rows in parts]),
        list(dict.fromkeys(fault for rows in parts for fault in rows.faults)),
        first.rate_remedy,
        first.identity,
    )
