"""When a recording started, from the three fields of an EDF header that give date or time."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from eegsleep.recording.faults import Fault, decode_text
from eegsleep.recording.limits import YEARS, expand_year, is_plausible_start

_PARTS = re.compile(r"(\d{1,2})[.:/\- ](\d{1,2})[.:/\- ](\d{2})")
_AS_EDF_HAS_IT = re.compile(rb"\d\d\.\d\d\.(\d\d|yy)")
_STARTDATE = re.compile(r"Startdate (\S+)", re.IGNORECASE)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def read_start(main: bytes) -> tuple[datetime | None, list[Fault]]:
    """Return the naive local start of a recording, and the faults of its fields.

    Parameters
    ----------
    main : bytes
        The first 256 bytes of the file.

    Returns
    -------
    datetime or None
        None if date or time of day is missing or impossible: with one of them alone the night would be placed
        wrongly. A two-digit year from 85 on is of the last century, as EDF has it. The `Startdate` of EDF+ is used
        where it is given.
    list of Fault
    """
    faults: list[Fault] = []
    day = _read_date(main[168:176], decode_text(main[88:168]), faults)
    moment = _read_time(main[176:184], faults)
    if day is None or moment is None:
        return None, faults
    return datetime.combine(day, moment), faults


def _read_date(raw: bytes, recording: str, faults: list[Fault]) -> date | None:
    written = decode_text(raw)
    short = _short_date(written)
    match = _STARTDATE.match(recording)
    full = _full_date(match[1]) if match else None
    if match and full is None and match[1].upper() != "X":
        _note(faults, "start-date", "the Startdate of EDF+ is not a date", "recording", match[1])
    if full:
        if short and short != full and written[-2:].isdigit():
            _note(
                faults,
                "start-date",
                f"the two start dates differ; {full.isoformat()} of EDF+ was taken",
                "start date",
                written,
            )
        return full
    if short is None:
        _note(
            faults,
            "start-date",
            "the start date is missing or impossible, so no clock time is known",
            "start date",
            written,
        )
    elif not _AS_EDF_HAS_IT.fullmatch(raw):
        _note(
            faults,
            "start-date",
            f"the start date is not written as EDF has it; it was read as {short.isoformat()}, day first",
            "start date",
            written,
        )
    return short


def _short_date(written: str) -> date | None:
    match = _PARTS.fullmatch(written)
    if not match:
        return None
    day, month, year = map(int, match.groups())
    try:
        return date(expand_year(year), month, day)
    except ValueError:
        return None


def _full_date(written: str) -> date | None:
    parts = written.upper().split("-")
    try:
        return date(int(parts[2]), MONTHS.index(parts[1]) + 1, int(parts[0])) if len(parts[2]) == 4 else None
    except (ValueError, IndexError):
        return None


def _read_time(raw: bytes, faults: list[Fault]) -> time | None:
    written = decode_text(raw)
    match = _PARTS.fullmatch(written)
    try:
        moment = time(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        moment = None
    if moment is None:
        _note(
            faults,
            "start-time",
            "the start time is missing or impossible, so no clock time is known",
            "start time",
            written,
        )
    elif not _AS_EDF_HAS_IT.fullmatch(raw):
        _note(
            faults,
            "start-time",
            f"the start time is not written as EDF has it; it was read as {moment}",
            "start time",
            written,
        )
    return moment


def _note(faults: list[Fault], code: str, message: str, field: str, value: str) -> None:
    faults.append(Fault(code, "repaired", message, field, value))


def move_start(start: datetime | None, offset_s: float) -> tuple[datetime | None, list[Fault]]:
    """Return the time of the first sample, and the faults of it.

    Parameters
    ----------
    start : datetime or None
        The header's start, naive local time.
    offset_s : float
        From it to the first sample.

    Returns
    -------
    datetime or None
        None outside the calendar. Outside the years that two digits stand for in EDF it is kept, with a fault, because
        only the `Startdate` of EDF+ can hold such a year.
    list of Fault
    """
    faults: list[Fault] = []
    if start is None:
        return None, faults
    try:
        moved = start + timedelta(seconds=offset_s)
    except OverflowError:
        said = "the start lies outside the calendar, so no clock time is known"
        _note(faults, "start-date", said, "recording", f"{start.isoformat()} and {offset_s:g} s")
        return None, faults
    if not is_plausible_start(moved):
        said = f"the recording starts in an unusual year, outside {YEARS[0]} to {YEARS[-1]}"
        _note(faults, "start-date", said, "recording", moved.date().isoformat())
    return moved, faults
