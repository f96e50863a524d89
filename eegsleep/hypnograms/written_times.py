"""Times in hypnogram files: seconds, times of day that pass midnight, and dates in either order.

`08/03/2016` is a day in March or in August. If nothing in the file shows which, both are kept, and the date of the
recording decides.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np

from eegsleep.errors import TableError
from eegsleep.hypnograms.scoring import ScoringStart
from eegsleep.recording.limits import MAX_DURATION_S, expand_year

_TIME = r"(\d{1,2})[:.h](\d\d)(?:[:.m](\d\d))?(?:[.,](\d{1,9}))?s?\s*([AaPp]\.?[Mm]\.?)?"
_TIME_OF_DAY = re.compile(_TIME)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d\d)")
# A time zone as offset after local time is ignored. `Z` is refused, because UTC is not the local time.
_DATE_TIME = re.compile(rf"(\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}})(?:[T ,]\s*|\s+){_TIME}(?:[+-]\d\d:?\d\d)?")
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d{1,2})?")


def is_number(cell: str) -> bool:
    """Return whether a cell is a plain number, with a decimal point or comma."""
    return bool(_NUMBER.fullmatch(cell))


def is_time(cell: str) -> bool:
    """Return whether a cell is a time of day, or a date and time."""
    return ":" in cell and bool(_TIME_OF_DAY.fullmatch(cell) or _DATE_TIME.fullmatch(cell))


def read_number(cell: str) -> float:
    """Return a number written with a decimal point or comma.

    Raises
    ------
    TableError
        If the cell is no number.
    """
    if not is_number(cell):
        raise TableError("a time of the hypnogram is not a number", found=repr(cell[:40]), allowed="seconds")
    return float(cell[:40].replace(",", "."))


def read_times(cells: list[str]) -> tuple[np.ndarray, ScoringStart]:
    """Return the times of cells in seconds from the first one, and the time of that one.

    Parameters
    ----------
    cells : list of str
        Either times of day, which may pass midnight, or dates with times.

    Returns
    -------
    onsets_s : numpy.ndarray of float, shape (n_cells,)
    start : ScoringStart

    Raises
    ------
    TableError
        If a cell is no time, or the dates span more than one recording however they are read.
    """
    if _TIME_OF_DAY.fullmatch(cells[0]):
        seconds = np.array([_time_of_day(cell) for cell in cells])
        # only a step back by more than half a day is midnight; a smaller one is refused below
        seconds = seconds + 86400.0 * np.concatenate([[0], np.cumsum(np.diff(seconds) < -43200)])
        back = np.flatnonzero(np.diff(seconds) < -3600)
        if back.size:  # a clock of twelve hours without AM and PM, or rows in another order
            raise TableError(
                "the times of day of the hypnogram go back",
                found=f"{cells[back[0]]!r}, then {cells[back[0] + 1]!r}",
                allowed="times in order, of 24 hours or with AM and PM",
            )
        start = datetime(1900, 1, 1) + timedelta(seconds=round(float(seconds[0]), 6))  # noqa: DTZ001 - local time
        return seconds - seconds[0], ScoringStart(start, dated=False)
    readings = []
    for day_first in (True, False):
        read = [_date_and_time(cell, day_first=day_first) for cell in cells]
        moments = [moment for moment in read if moment is not None]
        if len(moments) == len(cells) and (max(moments) - min(moments)).total_seconds() <= MAX_DURATION_S:
            readings.append(moments)
    if not readings:
        raise TableError(
            "the dates of the hypnogram are impossible, or more than 72 h apart",
            found=f"{cells[0][:40]!r} to {cells[-1][:40]!r}",
            allowed="day/month/year, month/day/year or year-month-day, with hh:mm:ss",
        )
    first = readings[0][0]
    other = readings[-1][0]
    onsets_s = np.array([(moment - first).total_seconds() for moment in readings[0]])
    return onsets_s, ScoringStart(first, alternative=other if other != first else None)


def _time_of_day(cell: str) -> float:
    match = _TIME_OF_DAY.fullmatch(cell)
    seconds = _seconds(match.groups()) if match else None
    if seconds is None:
        raise TableError("a time of the hypnogram is no time of day", found=repr(cell[:40]), allowed="hh:mm:ss")
    return seconds


def _date_and_time(cell: str, *, day_first: bool) -> datetime | None:
    """Return a moment, or None if the date does not exist in this order of day and month."""
    match = _DATE_TIME.fullmatch(cell)
    seconds = _seconds(match.groups()[1:]) if match else None
    if match is None or seconds is None:
        raise TableError(
            "a time of the hypnogram is no date and time", found=repr(cell[:40]), allowed="2016-01-15 22:30:00"
        )
    day = read_date(match[1], day_first=day_first)
    return None if day is None else day + timedelta(seconds=round(seconds, 6))


def read_date(written: str, *, day_first: bool) -> datetime | None:
    """Return midnight of a written date; None if there is no such day.

    Parameters
    ----------
    written : str
    day_first : bool
        Whether `08/03/2016` is in March. In dates with dots the day always comes first, in `2016-03-08` the year.

    Returns
    -------
    datetime or None
    """
    if match := _YEAR_FIRST.fullmatch(written):
        year, month, day = map(int, match.groups())
    elif match := _YEAR_LAST.fullmatch(written):
        first, mark, second, year = int(match[1]), match[2], int(match[3]), int(match[4])
        day, month = (first, second) if day_first or mark == "." else (second, first)
        year = expand_year(year) if len(match[4]) == 2 else year
    else:
        return None
    try:
        return datetime(year, month, day) if 1900 <= year < 2200 else None  # noqa: DTZ001 - local time
    except ValueError:
        return None


def _seconds(parts: tuple[str | None, ...]) -> float | None:
    """Return the seconds of a time of day from the groups of `_TIME`; None if there is no such time."""
    hour, minute, second, fraction, half = parts
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + 12 * (half[0] in "Pp")
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return 3600.0 * hours + 60 * minutes + seconds + (float(f"0.{fraction}") if fraction else 0.0)
