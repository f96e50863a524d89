"""Clocks in text files: Unix seconds, dates, times of day, and the hour that daylight saving moves them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.faults import Fault

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np

TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d:\d\d(\.\d+)?")


def clock_seconds(cells: object) -> np.ndarray:
    """Return date and time, time of day or Unix seconds as seconds; Unix ones negative, to tell them apart."""
    import numpy as np
    import pandas as pd

    cells = pd.Series(cells)
    known = cells.dropna()
    sample = str(known.iloc[0]) if len(known) else ""
    if TIME_OF_DAY.fullmatch(sample):
        return pd.to_timedelta(cells).dt.total_seconds().to_numpy()
    if re.fullmatch(r"[\d.eE+]+", sample):
        return -as_seconds(cells.astype(float).to_numpy())
    times = pd.to_datetime(cells, format="ISO8601").to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(times), np.nan, times.astype(np.int64) / 1e6)


def as_seconds(stamps: np.ndarray) -> np.ndarray:
    """Return seconds from seconds or, where they would lie in the year 5000, milliseconds."""
    import numpy as np

    known = stamps[np.isfinite(stamps)]
    if not len(known):
        raise RecordingError(
            "the file holds no time stamps", found="an empty column", remedy="record it again with them"
        )
    return stamps / 1000 if np.median(known) > 1e11 else stamps


def mend_daylight_saving(stamps_s: np.ndarray) -> tuple[np.ndarray, list[Fault]]:
    """Undo the hour a telephone's clock jumps in the night of the change; samples go on without a break.

    An hour back has no other cause in a file written in order of time. An hour forward might be an hour's
    outage; it is taken for the change only if it leaps from one full hour to the next, to 5 s.
    """
    import numpy as np

    steps = np.diff(stamps_s)
    back = (steps >= -3605) & (steps <= -3000)
    past_hour = np.mod(stamps_s[:-1] + 5, 3600)
    forward = (np.abs(steps - 3600) < 5) & (past_hour < 10)
    if not (back | forward).any():
        return stamps_s, []
    mended = stamps_s + np.concatenate([[0.0], np.cumsum(3600.0 * back - 3600.0 * forward)])
    note = "the clock jumped an hour, as for daylight saving, and samples went on: times follow the clock of the start"
    return mended, [Fault("clock-changed", "repaired", note)]


def local_shift(cell: str, unix_s: float) -> float | None:
    """Return what turns Unix seconds into local time, from the first row's local time with or without its date."""
    local = float(clock_seconds([cell])[0])
    if TIME_OF_DAY.fullmatch(cell):  # zones lie between -12 and +14 h
        return (local - unix_s % 86400 + 36000) % 86400 - 36000
    return local - unix_s


def unroll_midnight(clock_s: np.ndarray) -> np.ndarray:
    """Return times of day in seconds that go on past midnight instead of starting again."""
    import numpy as np

    return clock_s + 86400.0 * np.concatenate([[0], np.cumsum(np.diff(clock_s) < -43200)])


def as_datetime(seconds: float) -> datetime:
    """Return seconds since 1970 as a naive date and time."""
    import numpy as np

    return np.datetime64(round(seconds * 1e6), "us").item()
