"""Hypnograms in text: tables of many shapes, RemLogic's report, and DOMINO's sleep profile."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import is_marked, name_stage, plain_name, read_labels
from eegsleep.hypnograms.scoring import MAX_PERIODS, Scoring, ScoringStart, begin_at_first_stage, build_scoring
from eegsleep.hypnograms.written_times import is_number, is_time, read_number, read_times
from eegsleep.recording.text.time_stamps import TIME_OF_DAY as PLAIN_TIME
from eegsleep.signals.epochs import EPOCH_S

if TYPE_CHECKING:
    import numpy as np

# Names of columns as `plain_name` returns them, the most certain ones first.
_COLUMNS = {
    "stage": "primaryautostage|stage|stages|sleep stage|sleepstage|sleep stages|schlafstadium|stade|stade de sommeil|"
    "estadio|stadio|slaapstadium|estagio|hypnogram|hypno|trial type|annotation|annotations|description|event|events|"
    "evenement|ereignis|evento|gebeurtenis|label|score|scoring|value",
    "onset": "onset|onset s|onset sec|recording onset|start s|elapsedtime|elapsed time|start|start time|starttime|"
    "heure de debut|startzeit|hora de inicio|ora di inizio|ora inizio|starttijd|begin|begin time|clock|clock time|time|"
    "datetime|timestamp|zeit|uhrzeit|heure|hora|ora|tijd|time s",
    "duration": "duration|duration s|duration sec|dur|duree|dauer|duracion|durata|duur|duracao|length",
    "end": "end|end s|end time|stop|stop s|heure de fin|endzeit|hora de fin|hora final|ora di fine|eindtijd",
    "epoch": "epoch|epochs|epoch number|epoch no|epoche|epoque|epoca|epok",
    "date": "date|datum|fecha|data",
}
_KNOWN_COLUMNS = {role: names.split("|") for role, names in _COLUMNS.items()}
# Columns whose rows may be events as well as stages.
_EVENT_COLUMNS = {
    "trial type",
    "annotation",
    "annotations",
    "description",
    "event",
    "events",
    "evenement",
    "ereignis",
    "evento",
    "gebeurtenis",
    "label",
    "value",
}
_SHAPES = "onset,duration,stage; onset,stage; epoch,stage; clock time,stage; or one stage a line"


def read_table_text(text: str, coding: str | None, epoch_s: float | None) -> Scoring:
    """Read a table: CSV, TSV, Noxturnal's export, BIDS events, EDFbrowser's list, or one stage a line.

    Parameters
    ----------
    text : str
    coding, epoch_s
        As in `read_hypnogram`.

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If its columns or stages are not understood, or its integers have no coding.
    """
    every_row = _split_rows(text)
    columns, rows, kind, first_name = _find_columns(every_row)
    if "stage" not in columns:
        raise TableError(
            "no column of the hypnogram holds stages",
            found=", ".join(cell[:30] for cell in every_row[0][:8]),
            allowed=_SHAPES,
            remedy="name the column `stage`",
        )
    if first_name == "primaryautostage":
        coding = "sleep-profiler"
    filled = [row for row in rows if len(row) > columns["stage"] and row[columns["stage"]]]
    if not filled:
        raise TableError("the hypnogram has a header and no rows", allowed=_SHAPES)
    if not {"onset", "epoch", "date"} & set(columns) and (len(filled) < len(rows) or _has_holes(text, filled[0])):
        raise TableError(  # if they were left out, every later stage would move
            "the hypnogram gives no times and has empty rows", remedy="write ? where an epoch is not scored"
        )
    rows = filled
    labels = [row[columns["stage"]] for row in rows]
    meanings = read_labels(
        labels, coding, events=first_name in _EVENT_COLUMNS, marked=any(map(is_marked, dict.fromkeys(labels)))
    )
    onsets_s, start, timed, notes = _read_onsets(rows, columns, epoch_s)
    durations = _read_durations(rows, columns, onsets_s)
    if not timed:
        durations = [epoch_s or EPOCH_S] * len(rows)
    events = zip(onsets_s.tolist(), durations, labels, strict=True)
    scoring = build_scoring(kind, events, meanings, start=start, epoch_s=epoch_s, timed=timed, notes=notes)
    return begin_at_first_stage(scoring) if start else scoring


def _split_rows(text: str) -> list[list[str]]:
    """Return the cells of each row; comments, rows of units (`[],[s]`) and empty rows are left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "%"))]
    if len(lines) > 2 * MAX_PERIODS:
        raise TableError("the hypnogram has too many rows for one recording", allowed=f"{MAX_PERIODS}")
    if not lines:
        raise TableError("the hypnogram is empty", allowed=_SHAPES)
    sample = lines[: min(20, len(lines))]
    mark = max("\t;,", key=lambda c: sum(c in line for line in sample))
    if not any(mark in line for line in sample):
        rows = [_split_spaces(line.strip()) for line in lines]
    else:
        try:
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
        except csv.Error as error:
            raise TableError("the rows of the hypnogram cannot be split into cells", found=str(error)) from error
    rows = [[re.sub(r"^'(?=[-+=@])", "", cell) for cell in row] for row in rows]
    return [row for row in rows if any(row) and not all(cell == "" or re.fullmatch(r"\[.*\]", cell) for cell in row)]


def _has_holes(text: str, first: list[str]) -> bool:
    """Return whether there is an empty line after the first row of stages."""
    lines = [line.strip() for line in text.strip().splitlines()]
    begin = next((i for i, line in enumerate(lines) if line.startswith(first[0])), 0)
    return "" in lines[begin:]


def _split_spaces(line: str) -> list[str]:
    """Split a line without delimiters only after a number or a time: `Sleep stage W` is one cell."""
    head, _, rest = line.partition(" ")
    return [head, rest.strip()] if rest and (is_number(head) or is_time(head)) else [line]


def _find_columns(rows: list[list[str]]) -> tuple[dict[str, int], list[list[str]], str, str]:
    """Return role to column, the rows below the names, the format, and the name of the stage column."""
    if not rows:
        raise TableError("the hypnogram has no rows", allowed=_SHAPES)
    names = [plain_name(cell) for cell in rows[0]]
    has_names = any(name in _KNOWN_COLUMNS["stage"] for name in names)
    if not has_names and any(is_number(cell) or is_time(cell) or name_stage(cell) for cell in rows[0]):
        return (*_guess_columns(rows), "")
    columns: dict[str, int] = {}
    for role, known in _KNOWN_COLUMNS.items():
        present = [name for name in known if name in names]
        if present and names.index(present[0]) not in columns.values():
            columns[role] = names.index(present[0])
    raw = [cell.casefold() for cell in rows[0]]
    if raw == ["onset", "duration", "annotation"]:
        kind = "EDFbrowser annotations"
    elif "trial_type" in raw and "onset" in raw:
        kind = "BIDS events"
    elif {"onset", "end", "stage"} <= set(columns) and "duration" in columns and "epoch" not in columns:
        kind = "Noxturnal CSV"
    else:
        kind = "Sleep Profiler CSV" if "primaryautostage" in names else "CSV"
    return columns, rows[1:] or rows, kind, names[columns["stage"]] if "stage" in columns else ""


def _guess_columns(rows: list[list[str]]) -> tuple[dict[str, int], list[list[str]], str]:
    """Return role to column, the rows and the format for rows without names, if only one reading is possible."""
    width = max(map(len, rows))
    if width == 1:
        return {"stage": 0}, rows, "stages, one a line"
    first = [row[0] for row in rows]
    if width == 3 and all(len(row) == 3 and is_number(row[1]) for row in rows):
        return {"onset": 0, "duration": 1, "stage": 2}, rows, "CSV"
    if width == 2:
        counting = [str(i) for i in range(len(rows))], [str(i + 1) for i in range(len(rows))]
        return {"epoch" if len(rows) > 1 and first in counting else "onset": 0, "stage": 1}, rows, "CSV"
    raise TableError("the columns of the hypnogram have no names", found=f"{width} columns", allowed=_SHAPES)


def _read_onsets(
    rows: list[list[str]], columns: dict[str, int], epoch_s: float | None
) -> tuple[np.ndarray, ScoringStart | None, bool, tuple[str, ...]]:
    """Return onsets in seconds, the start from which they count, whether the file has times, and notes."""
    import numpy as np

    if "onset" in columns:
        cells = _column(rows, columns["onset"])
        if all(map(is_number, cells)):
            return np.array([read_number(cell) for cell in cells]), None, True, ()
        if "date" in columns and all(map(PLAIN_TIME.fullmatch, cells)):
            days = _column(rows, columns["date"])
            cells = [f"{day} {cell}" for day, cell in zip(days, cells, strict=True)]
            onsets_s, start = read_times(cells)
            if (np.diff(onsets_s) < -43200).any():
                raise TableError(
                    "the dates of the hypnogram do not go on at midnight",
                    found=repr(days[0][:20]),
                    remedy="leave the dates out: times of day in order pass midnight",
                )
            return onsets_s, start, True, ()
        return *read_times(cells), True, ()
    if "date" in columns and is_time(_column(rows, columns["date"])[0]):
        return *read_times(_column(rows, columns["date"])), True, ()
    if "duration" in columns or "end" in columns:
        raise TableError(
            "the hypnogram gives durations of its stages, but not their onsets",
            allowed=_SHAPES,
            remedy="name the column of onsets `onset_s`, or of times `time`",
        )
    length_s = epoch_s or EPOCH_S
    notes = () if epoch_s else ("the file does not give the length of its epochs; 30 s was assumed",)
    if "epoch" not in columns:
        return length_s * np.arange(len(rows)), None, False, notes
    numbers = np.array([read_number(cell) for cell in _column(rows, columns["epoch"])])
    if numbers[0] not in {0, 1} or (np.diff(numbers) <= 0).any() or (numbers % 1).any():
        raise TableError(
            "the epochs of the hypnogram are not numbered from 0 or 1 upwards",
            found=f"{numbers[0]:g}, …",
            remedy="give the onset of each epoch in a column `onset_s`",
        )
    return length_s * (numbers - numbers[0]), None, False, notes


def _read_durations(rows: list[list[str]], columns: dict[str, int], onsets_s: np.ndarray) -> list[float | None]:
    if "duration" in columns:
        cells = _column(rows, columns["duration"])
        return [read_number(cell) if cell and cell.casefold() != "n/a" else None for cell in cells]
    if "end" not in columns or "onset" not in columns:
        return [None] * len(rows)
    cells = _column(rows, columns["end"])
    if all(map(is_number, cells)):
        return [read_number(cell) - onset_s for cell, onset_s in zip(cells, onsets_s, strict=True)]
    starts = _column(rows, columns["onset"])
    return [float(read_times([a, b])[0][1]) for a, b in zip(starts, cells, strict=True)]


def _column(rows: list[list[str]], index: int) -> list[str]:
    return [row[index] if index < len(row) else "" for row in rows]


def read_remlogic(text: str) -> Scoring:
    """Read RemLogic's event report, as in the CAP Sleep Database.

    Header length and columns vary between its files, and the position may be missing in a row; the time, the event
    `SLEEP-…` and its duration always follow each other. The date of the header is not used, because it may differ from
    that of the EDF.

    Parameters
    ----------
    text : str

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If it holds no stage.
    """
    times, durations, labels = [], [], []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("\t")]
        at = next((i for i, cell in enumerate(cells) if re.fullmatch(r"\d\d?[:.]\d\d[:.]\d\d", cell)), None)
        if at is None or at + 2 >= len(cells) or not is_number(cells[at + 2]):
            continue
        times.append(cells[at].replace(".", ":"))
        durations.append(read_number(cells[at + 2]))
        labels.append(cells[at + 1])
    sleeping = [label for label in dict.fromkeys(labels) if label.upper().startswith("SLEEP-")]
    if not sleeping:
        raise TableError("the RemLogic report holds no row SLEEP-…", allowed="SLEEP-S0 to SLEEP-S4, SLEEP-REM")
    others = [label for label in dict.fromkeys(labels) if label not in sleeping]
    meanings = read_labels(sleeping) | read_labels([x for x in others if "light" in x.casefold()], events=True)
    meanings = dict.fromkeys(others, "") | meanings
    onsets_s, start = read_times(times)
    events = zip(onsets_s.tolist(), durations, labels, strict=True)
    return begin_at_first_stage(build_scoring("RemLogic text", events, meanings, start=start))


def read_domino(text: str) -> Scoring:
    """Read the sleep profile that DOMINO (SOMNOmedics) exports as text.

    Parameters
    ----------
    text : str

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If it is no sleep profile, or gives no length of its epochs, or no rows.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    entries = (re.match(r"([A-Za-z ]+):\s*(.*)", line) for line in lines)
    header = {entry[1]: entry[2] for entry in entries if entry}
    profile = header.get("Signal ID", "")
    if not re.search(r"schlafprofil|sleep ?profile", profile, re.IGNORECASE):
        raise TableError("the DOMINO file is not a sleep profile", found=profile[:60], allowed="SchlafProfil")
    rate = re.fullmatch(r"(\d+(?:[.,]\d+)?) ?s", header.get("Rate", ""))
    if not rate:
        raise TableError(
            "the DOMINO sleep profile does not give its epoch",
            found=header.get("Rate", "")[:20] or "no Rate",
            allowed="Rate: 30 s",
        )
    epoch_s = read_number(rate[1])
    parts = [line.partition(";") for line in lines if line[0].isdigit()]
    rows = [(cell.strip(), label.strip("; ")) for cell, mark, label in parts if mark]
    if not rows:
        raise TableError("the DOMINO sleep profile has no rows", allowed="00:14:00,000; Wake")
    labels = ["UNS" if label == "A" else label for _, label in rows]  # A is artefact, by its list of events
    onsets_s, start = read_times([cell for cell, _ in rows])
    if not start.dated and is_time(header.get("Start Time", "")):
        start = _date_first_row(start, read_times([header["Start Time"]])[1])
    events = [(onset_s, epoch_s, label) for onset_s, label in zip(onsets_s.tolist(), labels, strict=True)]
    return begin_at_first_stage(build_scoring("DOMINO text", events, read_labels(labels), start=start))


def _date_first_row(row: ScoringStart, header: ScoringStart) -> ScoringStart:
    """Return the start by a first row that has only a time of day, with the date of a header at most 12 h away."""
    if not header.dated:
        return row
    ahead = (row.moment - header.moment) % timedelta(days=1)
    ahead -= timedelta(days=1) if ahead > timedelta(hours=12) else timedelta(0)
    other = header.alternative
    return replace(header, moment=header.moment + ahead, alternative=other + ahead if other else None)
