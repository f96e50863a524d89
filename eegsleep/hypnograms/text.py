"""Hypnograms in tables of many shapes: CSV, TSV, BIDS events, or one stage a line."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eegsleep.errors import TableError, describe_error
from eegsleep.hypnograms.codings import (
    CODING_EPOCHS_S,
    check_known,
    is_marked,
    looks_like_stage,
    name_stage,
    plain_name,
    read_level,
    translate_labels,
)
from eegsleep.hypnograms.columns import (
    EVENT_COLUMNS,
    SCORE_COLUMNS,
    SHAPES,
    Columns,
    counts_epochs,
    find_columns,
    read_unit,
)
from eegsleep.hypnograms.scoring import MAX_PERIODS, Scoring, ScoringStart, begin_at_first_stage, build_scoring
from eegsleep.hypnograms.written_times import is_number, is_time, read_number, read_times
from eegsleep.recording.text.time_stamps import TIME_OF_DAY as PLAIN_TIME
from eegsleep.signals.epochs import EPOCH_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# A note outside the scored time that comes more often than this may be a stage of an unknown name.
_MAX_NOTES_OUTSIDE = 2
# A table of probabilities has a few columns a stage; a note is a few hundred words.
_MAX_CELLS = 10_000


class Asked(NamedTuple):
    """What the user said of a file, and what the JSON file beside it says of its columns.

    Attributes
    ----------
    coding : str, optional
        How integers are read.
    epoch_s : float, optional
        Length of the epochs.
    column : str, optional
        Name of the column of stages.
    levels : mapping of str to mapping
        Meanings of codes by column.
    """

    coding: str | None = None
    epoch_s: float | None = None
    column: str | None = None
    levels: Mapping[str, Mapping[str, str]] = {}


def read_table_text(text: str, asked: Asked) -> Scoring:
    """Read a table: CSV, TSV, Noxturnal's export, BIDS events, EDFbrowser's list, U-Sleep, or one stage a line.

    Parameters
    ----------
    text : str
    asked : Asked

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If its columns or stages are not understood, or its integers have no coding.
    """
    _check_width(text)
    text, asked, offset_s = _read_usleep_head(text, asked)
    every_row, unit_row = _split_rows(text)
    columns, rows = find_columns(every_row, unit_row, asked.column, asked.levels)
    places = columns.places
    if "stage" not in places:
        raise TableError(
            "no column of the hypnogram holds stages",
            found=", ".join(cell[:30] for cell in every_row[0][:8]),
            allowed=SHAPES,
            remedy="name the column `stage`, or choose one with --column NAME",
        )
    rows = _join_cut_labels(rows, every_row[0], places["stage"])
    filled = [row for row in rows if len(row) > places["stage"] and row[places["stage"]]]
    if not filled:
        raise TableError("the hypnogram has a header and no rows", allowed=SHAPES)
    if not {"onset", "epoch", "date"} & set(places) and (len(filled) < len(rows) or _has_holes(text, filled[0])):
        raise TableError(  # if they were left out, every later stage would move
            "the hypnogram gives no times and has empty rows", remedy="write ? where an epoch is not scored"
        )
    rows = filled
    labels = _column(rows, places["stage"])
    written = every_row[0][places["stage"]] if places["stage"] < len(every_row[0]) else ""
    meanings, unknown = _read_meanings(labels, columns, asked, asked.levels.get(written, {}))
    length_s = asked.epoch_s or CODING_EPOCHS_S.get(asked.coding or "") or EPOCH_S
    onsets_s, start, timed, notes = _read_onsets(rows, columns, asked, length_s)
    durations = _read_durations(rows, columns, onsets_s, length_s) if timed else [length_s] * len(rows)
    if unknown and not timed:
        check_known(unknown)
    events = list(zip((onsets_s + offset_s).tolist(), durations, labels, strict=True))
    scoring = build_scoring(
        columns.kind,
        events,
        meanings,
        start=start,
        epoch_s=asked.epoch_s if timed else length_s,
        timed=timed,
        notes=(*columns.notes, *notes),
    )
    check_notes(scoring, events, unknown)
    return begin_at_first_stage(scoring) if start else scoring


def _check_width(text: str) -> None:
    """Raise if a row has thousands of cells: no scorer writes such a table, and its names would take minutes."""
    for line in text.splitlines():
        n_cells = 1 + max(line.count(mark) for mark in ",;\t ")
        if n_cells > _MAX_CELLS:
            raise TableError("a row is too long for a hypnogram", found=f"{n_cells:,} cells", allowed=SHAPES)


def _read_meanings(
    labels: list[str], columns: Columns, asked: Asked, levels: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the meaning of each label, and the labels that are not known."""
    different = list(dict.fromkeys(labels))
    explained = {label: text for label in different if (text := levels.get(label) or levels.get(_whole(label)))}
    if explained and not any(name_stage(label) for label in different):
        meanings = {label: read_level(text) for label, text in explained.items()}
        if nameless := [f"{label}: {explained[label][:40]}" for label, meaning in meanings.items() if meaning is None]:
            raise TableError(
                "the JSON file beside the hypnogram explains its codes in words that are no known stages",
                found=", ".join(nameless[:8]),
                allowed="words such as Wake, N1, N2, N3, REM, Unscored",
                remedy="write such words under Levels, or name the coding with --coding NAME after removing it",
            )
        known = {label: meaning for label, meaning in meanings.items() if meaning is not None}
        others, unknown = translate_labels([x for x in different if x not in known], asked.coding)
        return known | others, unknown
    coding = "sleep-profiler" if columns.stage_name == "primaryautostage" else asked.coding
    marked = any(map(is_marked, different))
    return translate_labels(different, coding, events=columns.stage_name in EVENT_COLUMNS, marked=marked)


def _whole(label: str) -> str:
    """Return a number such as 3.0 as 3."""
    return str(int(float(label))) if re.fullmatch(r"[-+]?\d{1,3}\.0*", label) else label


def check_notes(scoring: Scoring, events: Iterable[tuple[float, float | None, str]], unknown: Sequence[str]) -> None:
    """Raise for a label that is not known, unless it is a note beside known stages.

    A note lies within a scored period, so that leaving it out leaves no hole; one before the first or after the last
    stage may come twice.

    Parameters
    ----------
    scoring : Scoring
        Built of the known stages.
    events : iterable of (onset_s, duration_s or None, label)
        All events of the file, on the axis of the scoring.
    unknown : sequence of str
        Labels without a meaning.

    Raises
    ------
    TableError
        If one of them may be a stage.
    """
    if not unknown:
        return
    begins, ends = scoring.onsets_s, scoring.onsets_s + scoring.durations_s
    suspects = {label for label in unknown if looks_like_stage(label)}
    outside: dict[str, int] = {}
    for onset_s, _, label in events:
        if label not in unknown:
            continue
        at = int(np.searchsorted(begins, onset_s + 1e-3, side="right")) - 1
        if at >= 0 and onset_s < ends[at] + 1e-3:
            continue
        if begins[0] <= onset_s < ends[-1]:
            suspects.add(label)
        outside[label] = outside.get(label, 0) + 1
    suspects |= {label for label, times in outside.items() if times > _MAX_NOTES_OUTSIDE}
    check_known(label for label in unknown if label in suspects)


def _read_usleep_head(text: str, asked: Asked) -> tuple[str, Asked, float]:
    """Return a U-Sleep list without its lines EPOCH= and START=, which give its epoch and the time of its first one."""
    head = re.match(r"(?:[\ufeff\s]*(?:EPOCH|START)\s*=[^\n]*\n)+", text, re.IGNORECASE)
    if not head:
        return text, asked, 0.0
    found = {}
    for key, value in re.findall(r"(EPOCH|START)\s*=\s*([^\r\n]*)", head[0], re.IGNORECASE):
        number = re.fullmatch(r"(\d+(?:\.\d*)?)\s*(?:s|secs?|seconds?)?", value.strip(), re.IGNORECASE)
        if not number:
            raise TableError(
                f"the hypnogram gives no number of seconds for {key.upper()}",
                found=repr(value[:40]),
                allowed=f"such as {key.upper()}=30.0sec",
            )
        found[key.upper()] = float(number[1])
    if "EPOCH" in found and not 1 <= found["EPOCH"] <= 120:
        raise TableError("the length of an epoch is out of range", found=f"{found['EPOCH']:g} s", allowed="1 to 120 s")
    epoch_s = asked.epoch_s or found.get("EPOCH")
    return text[head.end() :], asked._replace(epoch_s=epoch_s), found.get("START", 0.0)


def _split_rows(text: str) -> tuple[list[list[str]], list[str]]:
    """Return the cells of each row and the row of units (`[],[s]`); comments and empty rows are left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "%"))]
    if len(lines) > 2 * MAX_PERIODS:
        raise TableError("the hypnogram has too many rows for one recording", allowed=f"{MAX_PERIODS}")
    if not lines:
        raise TableError("the hypnogram is empty", allowed=SHAPES)
    sample = lines[: min(20, len(lines))]
    mark = max("\t;,", key=lambda c: sum(c in line for line in sample))
    if not any(mark in line for line in sample):
        rows = _split_at_spaces([line.strip() for line in lines])
    else:
        try:
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
        except csv.Error as error:
            raise TableError(
                "the rows of the hypnogram cannot be split into cells", found=describe_error(error)
            ) from error
    rows = [[_whole_number(re.sub(r"^'(?=[-+=@])", "", cell)) for cell in row] for row in rows]
    of_units = [all(cell == "" or re.fullmatch(r"\[.*\]", cell) for cell in row) for row in rows]
    unit_row = rows[1] if len(rows) > 1 and of_units[1] and any(rows[1]) else []
    rows = [row for row, units in zip(rows, of_units, strict=True) if any(row) and not units]
    if not rows:
        raise TableError("the hypnogram has no rows", allowed=SHAPES)
    return rows, unit_row


def _whole_number(cell: str) -> str:
    """Return a whole number that is written as a decimal one (3.0, or 3.000e+00 as numpy does) without decimals."""
    if re.fullmatch(r"[-+]?\d{1,9}\.0+|[-+]?\d(\.\d*)?[eE][-+]\d\d", cell) and float(cell).is_integer():
        return str(int(float(cell)))
    return cell


def _split_at_spaces(lines: list[str]) -> list[list[str]]:
    """Split lines without delimiters only after numbers and times: `Sleep stage W` is one cell."""
    every = [line.split() for line in lines]
    width = len(every[-1])
    named = any(plain_name(cell) in SCORE_COLUMNS for cell in every[0])
    if (width > 2 or (width == 2 and named)) and all(len(row) == width for row in every):
        body = every[1:] or every
        if all(is_number(cell) or is_time(cell) for row in body for cell in row[:-1]):
            return every
    return [_split_spaces(line) for line in lines]


def _has_holes(text: str, first: list[str]) -> bool:
    """Return whether there is an empty line after the first row of stages."""
    lines = [line.strip() for line in text.strip().splitlines()]
    begin = next((i for i, line in enumerate(lines) if line.startswith(first[0])), 0)
    return "" in lines[begin:]


def _split_spaces(line: str) -> list[str]:
    head, _, rest = line.partition(" ")
    return [head, rest.strip()] if rest and (is_number(head) or is_time(head)) else [line]


def _join_cut_labels(rows: list[list[str]], header: list[str], stage: int) -> list[list[str]]:
    """Return rows in which a label that holds commas is whole again, where labels are in the last column."""
    if stage != len(header) - 1 or stage == 0:
        return rows
    return [row if len(row) <= stage + 1 else [*row[:stage], ", ".join(filter(None, row[stage:]))] for row in rows]


def _read_onsets(
    rows: list[list[str]], columns: Columns, asked: Asked, length_s: float
) -> tuple[np.ndarray, ScoringStart | None, bool, tuple[str, ...]]:
    """Return onsets in seconds, the start from which they count, whether the file has times, and notes."""
    places = columns.places
    assumed = () if asked.epoch_s or asked.coding in CODING_EPOCHS_S else (_ASSUMED,)
    if asked.coding in CODING_EPOCHS_S and not asked.epoch_s:
        assumed = (f"the file does not give the length of its epochs; {length_s:g} s was taken from its coding",)
    if "onset" in places:
        counted = counts_epochs(columns.units.get("onset", ""))
        return *_read_written_onsets(rows, columns, length_s), True, assumed if counted else ()
    if "date" in places and is_time(_column(rows, places["date"])[0]):
        return *read_times(_column(rows, places["date"])), True, ()
    if "end" in places or ("duration" in places and "epoch" not in places):
        raise TableError(
            "the hypnogram gives durations of its stages, but not their onsets",
            allowed=SHAPES,
            remedy="name the column of onsets `onset_s`, or of times `time`",
        )
    if "epoch" not in places:
        return length_s * np.arange(len(rows)), None, False, assumed
    numbers = np.array([read_number(cell) for cell in _column(rows, places["epoch"])])
    if numbers[0] not in {0, 1} or (np.diff(numbers) <= 0).any() or (numbers % 1).any():
        raise TableError(
            "the epochs of the hypnogram are not numbered from 0 or 1 upwards",
            found=f"{numbers[0]:g}, …",
            remedy="give the onset of each epoch in a column `onset_s`",
        )
    return length_s * (numbers - numbers[0]), None, False, assumed


def _read_written_onsets(
    rows: list[list[str]], columns: Columns, length_s: float
) -> tuple[np.ndarray, ScoringStart | None]:
    """Return onsets in seconds by their own column, and the start from which they count."""
    cells, unit = _column(rows, columns.places["onset"]), columns.units.get("onset", "")
    if all(map(is_number, cells)):
        numbers = np.array([read_number(cell) for cell in cells])
        return read_unit(unit, length_s) * (_count_from_zero(numbers) if counts_epochs(unit) else numbers), None
    _check_clock(unit)
    if columns.is_elapsed and all(map(PLAIN_TIME.fullmatch, cells)):
        return np.array([_clock_seconds(cell) for cell in cells]), None
    if "date" in columns.places and all(map(PLAIN_TIME.fullmatch, cells)):
        return _read_dated(_column(rows, columns.places["date"]), cells)
    return read_times(cells)


_ASSUMED = "the file does not give the length of its epochs; 30 s was assumed"


def _clock_seconds(cell: str) -> float:
    """Return hh:mm:ss in seconds; hours may go beyond 23."""
    hours, minutes, seconds = cell.split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)


def _count_from_zero(numbers: np.ndarray) -> np.ndarray:
    """Return numbers of epochs that count from 0 or from 1, as counted from 0."""
    if numbers.min() not in {0, 1}:
        raise TableError(
            "the onsets of the hypnogram count epochs, and neither from 0 nor from 1",
            found=f"{numbers.min():g}, …",
            remedy="give the onset of each epoch in a column `onset_s`",
        )
    return numbers - numbers.min()


def _check_clock(unit: str) -> None:
    """Raise if a column of clock times is one of minutes and seconds."""
    if re.fullmatch(r"m+:s+.*", unit):
        raise TableError(
            "the times of the hypnogram are in minutes and seconds, which look like hours and minutes",
            found=unit[:20],
            allowed="hh:mm:ss",
            remedy="write them in seconds and call the column `onset_s`",
        )


def _read_dated(days: list[str], times: list[str]) -> tuple[np.ndarray, ScoringStart]:
    onsets_s, start = read_times([f"{day} {time}" for day, time in zip(days, times, strict=True)])
    if (np.diff(onsets_s) < -43200).any():
        raise TableError(
            "the dates of the hypnogram do not go on at midnight",
            found=repr(days[0][:20]),
            remedy="leave the dates out: times of day in order pass midnight",
        )
    return onsets_s, start


def _read_durations(
    rows: list[list[str]], columns: Columns, onsets_s: np.ndarray, length_s: float
) -> list[float | None]:
    places, units = columns.places, columns.units
    onset_unit = units.get("onset", "")
    if "duration" in places:
        cells = _column(rows, places["duration"])
        if not any(cell and cell.casefold() != "n/a" for cell in cells):
            return [None] * len(rows)
        if all(map(PLAIN_TIME.fullmatch, cells)):
            return [_clock_seconds(cell) for cell in cells]
        given = [read_number(cell) if cell and cell.casefold() != "n/a" else None for cell in cells]
        scale = read_unit(units.get("duration") or _unit_of_durations(given, onsets_s, onset_unit, length_s), length_s)
        return [None if number is None else scale * number for number in given]
    if "end" not in places or "onset" not in places:
        return [None] * len(rows)
    cells = _column(rows, places["end"])
    starts = _column(rows, places["onset"])
    if all(map(is_number, cells)) and all(map(is_number, starts)):
        if (units.get("end") or onset_unit) != onset_unit:
            raise TableError(
                "the starts and ends of the hypnogram are not in the same unit",
                found=f"{onset_unit or 'none'} and {units['end']}",
                remedy="name the same unit in both columns, such as start_s and end_s",
            )
        ends = np.array([read_number(cell) for cell in cells])
        begins = np.array([read_number(cell) for cell in starts])
        if counts_epochs(onset_unit):
            ends += _count_last(begins, ends)
        return (read_unit(onset_unit, length_s) * (ends - begins)).tolist()
    return [float(read_times([a, b])[0][1]) for a, b in zip(starts, cells, strict=True)]


def _unit_of_durations(given: list[float | None], onsets_s: np.ndarray, onset_unit: str, length_s: float) -> str:
    """Return the unit of durations whose name gives none: that of the onsets, or seconds, whichever fits the steps."""
    numbers = np.array([number or np.nan for number in given])
    steps_s = np.diff(onsets_s)
    if not onset_unit or read_unit(onset_unit, length_s) == 1 or np.isnan(numbers).all() or not (steps_s > 0).any():
        return ""
    step_s, usual = float(np.median(steps_s[steps_s > 0])), float(np.nanmedian(numbers))
    for unit in ("", onset_unit):
        if abs(usual * read_unit(unit, length_s) / step_s - 1) < 0.01:
            return unit
    raise TableError(
        "the durations of the hypnogram have no unit, and its onsets are not in seconds",
        found=f"onsets in {onset_unit}, durations of {usual:g}",
        remedy="name the unit of the durations, too, such as duration_s",
    )


def _count_last(begins: np.ndarray, ends: np.ndarray) -> float:
    """Return 1 if the last epoch that is named belongs to the period, 0 if it does not; raise if nothing shows it."""
    steps = begins[1:] - ends[:-1]
    if len(steps) and np.median(steps) in {0, 1}:
        return float(np.median(steps))
    raise TableError(
        "the hypnogram names first and last epochs, and does not show whether the last one belongs to the stage",
        found=f"{begins[0]:g} to {ends[0]:g}",
        remedy="give the onset of each stage in a column `onset_s`",
    )


def _column(rows: list[list[str]], index: int) -> list[str]:
    return [row[index] if index < len(row) else "" for row in rows]
