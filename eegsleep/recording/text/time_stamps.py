"""Time stamps in text files: Unix seconds, dates, times of day, and the hour that daylight saving adds or removes."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.limits import is_plausible_start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy as np
    import pandas as pd

TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d:\d\d(\.\d+)?")
# A stamp that differs by more than this from those before and after it, which agree, is wrong and no delay.
_OUTLIER_S = 1.0
# The first and last stamps have neighbours on one side only, and a pause may lie between. One of a minute is accepted.
_EDGE_S = 60.0
# Rows of a packet share a stamp, so that one wrong stamp may be in a dozen rows.
_MAX_OUTLIER_ROWS = 12
_MAX_OUTLIERS = 20
_DAY_S = 86400.0
# Spreadsheets show times as minutes and seconds (10:00.5), or as dates in local order without seconds.
_SPREADSHEET = re.compile(
    r"\d{1,2}:\d\d([.,]\d+)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4},? \d{1,2}:\d\d(:\d\d)?( ?[AP]M)?|"
    r"\d{4}-\d\d-\d\d \d{1,2}:\d\d",
    re.IGNORECASE,
)
# From row to row a time of day may go back by an hour, or by jitter, and forward by any time.
_MAX_BACK_S = 4000.0
_OF_DAY = r"(?:[01]?\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)$"


class TimeColumn:
    """A column of clock times that is read block by block; all cells must be of the kind of the first.

    Attributes
    ----------
    column : int
        Its number.
    kind : str
        `time of day`, `unix` or `date`; empty before the first block.
    zones : list of str
        The zones that dates name, in the order of the file. All seconds are in the first one.
    """

    def __init__(self, column: int) -> None:
        self.column = column
        self.kind = ""
        self.zones: list[str] = []
        self._has_naive = False

    def seconds(self, written: Sequence[str] | pd.Series) -> np.ndarray:
        """Return times of day, Unix times or local dates as seconds.

        Parameters
        ----------
        written : sequence of str
            The cells of one block.

        Returns
        -------
        numpy.ndarray of float, shape (n_cells,)
            Since midnight for times of day, since 1970 otherwise; NaN where a cell is empty.

        Raises
        ------
        RecordingError
            If the cells are not all written in the same way.
        """
        import pandas as pd

        cells = pd.Series(written, dtype=object)
        known = cells.dropna()
        sample = str(known.iloc[0]).strip() if len(known) else ""
        if not self.kind and sample:
            of_day, unix = TIME_OF_DAY.fullmatch(sample), re.fullmatch(r"[-+\d.eE]+", sample)
            self.kind = "time of day" if of_day else "unix" if unix and "-" not in sample[1:] else "date"
        if self.kind == "date" and _SPREADSHEET.fullmatch(sample):
            raise RecordingError(
                "a spreadsheet rewrote the time stamps",
                found=repr(clean_text(sample, 30)),
                allowed="date, hours, minutes, seconds and thousandths, as the recording program writes them",
                remedy="give the file as the program wrote it; what a spreadsheet saved has lost the times",
            )
        try:
            if self.kind == "time of day":
                return _seconds_of_day(cells)
            if self.kind == "unix":
                return cells.astype(float).to_numpy()
            return self._date_seconds(cells)
        except ValueError as error:
            raise RecordingError(
                "the time stamps are not all written in the same way",
                found=_find_odd(cells, self.kind) or clean_text(str(error).splitlines()[0]),
                remedy="remove the rows whose time stamp is damaged, or record again",
            ) from error

    def _date_seconds(self, cells: pd.Series) -> np.ndarray:
        import numpy as np
        import pandas as pd

        times = None
        if not self.zones:
            with warnings.catch_warnings(), suppress(ValueError):  # pandas warns of zones, which are handled below
                warnings.simplefilter("ignore")
                times = pd.to_datetime(cells, format="ISO8601")
        if times is None or times.dtype.kind != "M" or times.dt.tz is not None:
            self._find_zones(cells)
            times = pd.to_datetime(cells, format="ISO8601", utc=True).dt.tz_localize(None)
        elif times.notna().any():
            self._has_naive = True
        if self.zones and self._has_naive:
            raise RecordingError(
                "some time stamps name a zone and others do not",
                found=self.zones[0],
                remedy="write all of them in local time without a zone",
            )
        times = times.to_numpy().astype("datetime64[us]")
        local_s = _zone_seconds(self.zones[0]) if self.zones else 0.0
        return np.where(np.isnat(times), np.nan, times.astype(np.int64) / 1e6 + local_s)

    def _find_zones(self, cells: pd.Series) -> None:
        zones = cells.str.extract(rf"\d\d:\d\d[\d:.]*\s*({_ZONE})", expand=False)
        self.zones += [zone for zone in zones.dropna().unique() if zone not in self.zones]
        self._has_naive = self._has_naive or bool((zones.isna() & cells.notna()).any())

    def faults(self) -> list[Fault]:
        """Return the faults of the zones."""
        if self.zones == ["Z"]:
            return [UTC]
        if not self.zones:
            return []
        said = f"the time stamps name the zone {self.zones[0]}; times are local, as they are written"
        if len(self.zones) > 1:
            said += f"; it changed to {self.zones[1]}, and times follow the clock of the start"
        return [Fault("clock-zone", "repaired", said)]


UTC = Fault("clock-utc", "repaired", "the file's clock is UTC and the zone is not known: clock times are not local")
DATE_UNKNOWN = Fault("date-unknown", "repaired", "it holds clock times without a date: its start is not known")
NO_DATE = Fault("date-unknown", "repaired", "its time stamps are no plausible dates: its start is not known")


def _find_odd(cells: pd.Series, kind: str) -> str:
    """Return the first cell that is no date or no number, in quotes; empty if all are."""
    import pandas as pd

    known = cells.dropna().astype(str)
    if kind == "time of day":  # the error names it
        return ""
    if kind == "unix":
        odd = known[pd.to_numeric(known, errors="coerce").isna()]
        return repr(clean_text(odd.iloc[0], 40)) if len(odd) else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        odd = known[pd.to_datetime(known, format="ISO8601", errors="coerce", utc=True).isna()]
    return repr(clean_text(odd.iloc[0], 40)) if len(odd) else ""


def _seconds_of_day(cells: pd.Series) -> np.ndarray:
    """Return times of day in seconds; pandas alone would accept `12:00:01.5d`, too."""
    import pandas as pd

    odd = cells[cells.notna() & ~cells.str.strip().str.fullmatch(_OF_DAY, na=False)]
    if len(odd):
        raise ValueError(f"{clean_text(str(odd.iloc[0]))!r} is no time of day")
    return pd.to_timedelta(cells).dt.total_seconds().to_numpy()


def _zone_seconds(zone: str) -> float:
    if zone == "Z":
        return 0.0
    seconds = 3600.0 * int(zone[1:3]) + 60.0 * int(zone[-2:])
    return -seconds if zone[0] == "-" else seconds


def as_seconds(stamps: np.ndarray) -> np.ndarray:
    """Return time stamps in seconds; stamps that would be in the year 5000 are taken as milliseconds.

    Parameters
    ----------
    stamps : numpy.ndarray, shape (n,)
        NaN where a row has none.

    Returns
    -------
    numpy.ndarray, shape (n,)

    Raises
    ------
    RecordingError
        If no row has a stamp.
    """
    import numpy as np

    known = stamps[np.isfinite(stamps)]
    if not len(known):
        raise RecordingError(
            "the file holds no time stamps", found="an empty column", remedy="record again with time stamps"
        )
    return stamps / 1000 if np.median(known) > 1e11 else stamps


def repair_stamps(stamps_s: np.ndarray, rate_hz: float, kind: str = "") -> tuple[np.ndarray, list[Fault]]:
    """Correct single wrong stamps, midnight in times of day, and daylight saving in local time.

    Parameters
    ----------
    stamps_s : ndarray, shape (n,)
        In seconds, finite, in the order of the file.
    rate_hz : float
        Samples a second.
    kind : str
        As `TimeColumn.kind`; only times of day and dates come from a clock with daylight saving.

    Returns
    -------
    stamps_s : ndarray, shape (n,)
        NaN where a stamp is wrong and the right one cannot be known.
    faults : list of Fault
    """
    import numpy as np

    stamps_s, faults = repair_outliers(stamps_s, rate_hz, _DAY_S if kind == "time of day" else 0.0)
    known = np.isfinite(stamps_s)
    if kind == "time of day":
        stamps_s[known] = unroll_midnight(stamps_s[known])
    if kind in {"time of day", "date"}:
        stamps_s[known], shifts = undo_daylight_saving(stamps_s[known])
        faults += shifts
    return stamps_s, faults


def repair_outliers(stamps_s: np.ndarray, rate_hz: float, period_s: float = 0.0) -> tuple[np.ndarray, list[Fault]]:
    """Correct a small number of wrong stamps where those before and after them agree.

    They are placed between their neighbours; at the beginning and the end of a file they become NaN. Rows that repeat
    others with their stamps are no wrong stamps, and if there are many outliers, none is corrected.

    Parameters
    ----------
    stamps_s : numpy.ndarray, shape (n,)
    rate_hz : float
    period_s : float
        After which the clock starts again; 0 if it does not.

    Returns
    -------
    stamps_s : numpy.ndarray, shape (n,)
    faults : list of Fault
    """
    import numpy as np

    n = len(stamps_s)
    borders = np.flatnonzero(np.abs(_apart(stamps_s[:-1], stamps_s[1:], period_s)) > _OUTLIER_S)
    heads, ends = np.append(0, borders + 1), np.append(borders + 1, n)
    short = ends - heads <= _MAX_OUTLIER_ROWS
    runs = _find_outliers(stamps_s, heads, ends, short, rate_hz, period_s)
    repaired = stamps_s.copy()
    for a, b in runs:
        share = np.arange(1, b - a + 1) / (b - a + 1)
        repaired[a:b] = stamps_s[a - 1] + share * _apart(stamps_s[a - 1], stamps_s[b], period_s)
    n_placed = sum(b - a for a, b in runs)
    if n_placed > n / 10:
        return stamps_s.copy(), []
    if len(heads) > 1 and short[0] and _is_far(repaired[ends[0] - 1], repaired[ends[0]], period_s):
        repaired[: ends[0]] = np.nan
    if len(heads) > 1 and short[-1] and _is_far(repaired[heads[-1] - 1], repaired[heads[-1]], period_s):
        repaired[heads[-1] :] = np.nan
    n_left = int(np.isnan(repaired).sum())
    if not n_placed + n_left:
        return repaired, []
    said = f"{n_placed + n_left} time stamps contradict those around them and are not used: "
    said += f"{n_placed} rows are placed by their neighbours" * (n_placed > 0)
    said += ", " * (n_left * n_placed > 0) + f"{n_left} at the beginning or end are left out" * (n_left > 0)
    return repaired, [Fault("stamps-wrong", "repaired", said)]


def _find_outliers(
    stamps_s: np.ndarray, heads: np.ndarray, ends: np.ndarray, short: np.ndarray, rate_hz: float, period_s: float
) -> list[tuple[int, int]]:
    """Return first and one-past-last row of the short runs without which the stamps go on evenly."""
    import numpy as np

    inner = np.flatnonzero(short & (heads > 0) & (ends < len(stamps_s)))
    apart_s = _apart(stamps_s[heads[inner] - 1], stamps_s[ends[inner]], period_s)
    room_s = (ends[inner] - heads[inner] + 1) / rate_hz
    inner = inner[(apart_s > -_OUTLIER_S) & (apart_s < room_s + _OUTLIER_S)]
    # A right row between two wrong ones looks wrong, too: such rows cannot be distinguished.
    inner = inner[~(np.isin(inner - 1, inner) | np.isin(inner + 1, inner))]
    runs = [(int(heads[i]), int(ends[i])) for i in inner] if len(inner) <= _MAX_OUTLIERS else []
    return [(a, b) for a, b in runs if not _repeats(stamps_s, a, b)]


def _apart(first: np.ndarray, second: np.ndarray, period_s: float) -> np.ndarray:
    """Return the time from one stamp to another, the shorter way round if the clock starts again."""
    apart_s = second - first
    return (apart_s + period_s / 2) % period_s - period_s / 2 if period_s else apart_s


def _is_far(first: np.ndarray, second: np.ndarray, period_s: float) -> bool:
    return not -_OUTLIER_S < _apart(first, second, period_s) < _EDGE_S


def _repeats(stamps_s: np.ndarray, head: int, end: int) -> bool:
    """Return whether the same stamps are elsewhere in the file, too."""
    import numpy as np

    run = stamps_s[head:end]
    return bool(np.isin(run, np.append(stamps_s[:head], stamps_s[end:])).all())


def undo_daylight_saving(stamps_s: np.ndarray) -> tuple[np.ndarray, list[Fault]]:
    """Undo the hour by which a telephone's clock jumps in the night of the change, while samples go on.

    In a file written in order of time, a step back of an hour has no other cause. A step forward of an hour may be a
    loss of one hour; it is taken for the change only if it goes from one full hour to the next, to 5 s.

    Parameters
    ----------
    stamps_s : numpy.ndarray, shape (n,)

    Returns
    -------
    stamps_s : numpy.ndarray, shape (n,)
    faults : list of Fault
        One or none.
    """
    import numpy as np

    steps = np.diff(stamps_s)
    back = (steps >= -3605) & (steps <= -3000)
    past_hour = np.mod(stamps_s[:-1] + 5, 3600)
    forward = (np.abs(steps - 3600) < 5) & (past_hour < 10)
    if not (back | forward).any():
        return stamps_s, []
    repaired = stamps_s + np.concatenate([[0.0], np.cumsum(3600.0 * back - 3600.0 * forward)])
    note = "the clock jumped an hour, as for daylight saving, and samples went on: times follow the clock of the start"
    return repaired, [Fault("clock-changed", "repaired", note)]


def local_shift(cell: str, unix_s: float) -> float | None:
    """Return the difference of local time and UTC, from the two times of one row.

    Parameters
    ----------
    cell : str
        Local time, with or without date.
    unix_s : float

    Returns
    -------
    float or None
        In seconds, to be added to Unix time. None if the two differ by more than any time zone: one of them is wrong.
    """
    local = float(TimeColumn(0).seconds([cell])[0])
    shift = local - unix_s
    if TIME_OF_DAY.fullmatch(cell):  # zones are from -12 to +14 h
        return (local - unix_s % _DAY_S + 36000) % _DAY_S - 36000
    return shift if -13 * 3600 < shift < 15 * 3600 else None


def unroll_midnight(of_day_s: np.ndarray) -> np.ndarray:
    """Return times of day in seconds that go on after midnight instead of starting again, shape (n,).

    Parameters
    ----------
    of_day_s : numpy.ndarray, shape (n,)

    Returns
    -------
    numpy.ndarray, shape (n,)
    """
    import numpy as np

    steps = (np.diff(of_day_s) + _MAX_BACK_S) % _DAY_S - _MAX_BACK_S
    gone_on = of_day_s[0] + np.concatenate([[0.0], np.cumsum(steps)])
    return of_day_s + _DAY_S * np.rint((gone_on - of_day_s) / _DAY_S)


def as_datetime(seconds: float) -> datetime | None:
    """Return seconds since 1970 as a naive date and time; None if it is no plausible start of a recording.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    datetime or None
    """
    import numpy as np

    if not 0 < seconds < 1e10:
        return None
    start = np.datetime64(round(seconds * 1e6), "us").item()
    return start if is_plausible_start(start) else None
