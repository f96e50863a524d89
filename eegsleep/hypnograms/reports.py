"""Hypnograms in the text reports of programs: RemLogic, DOMINO (SOMNOmedics), Luna."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import plain_name, read_labels, translate_labels
from eegsleep.hypnograms.scoring import Scoring, ScoringStart, begin_at_first_stage, build_scoring
from eegsleep.hypnograms.text import check_notes
from eegsleep.hypnograms.written_times import is_number, is_time, read_number, read_times


def read_remlogic(text: str) -> Scoring:
    """Read RemLogic's event report, as in the CAP Sleep Database.

    Header length and columns vary between its files, and the position may be missing in a row; the time, the event
    `SLEEP-…` and its duration always follow each other. The date of the header is not used, because it may differ from
    that of the EDF. Times may be of 24 hours, with AM and PM, or ISO dates; the names of the columns may be translated.

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
        cells = [re.sub(r"^(\d\d?)\.(\d\d)\.(\d\d)$", r"\1:\2:\3", cell) for cell in cells]
        at = next((i for i, cell in enumerate(cells) if is_time(cell)), None)
        if at is None or at + 2 >= len(cells) or not is_number(cells[at + 2]):
            continue
        times.append(cells[at])
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


def read_luna(text: str) -> Scoring:
    """Read Luna's annotations (`.annot`): class, instance, channel, start, stop and further columns.

    Starts and stops are seconds, clock times, or `0+hh:mm:ss` from the start of the recording; a stop may be `...`, for
    "until the next", or `+30`.

    Parameters
    ----------
    text : str

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If its times are written in another way, or it holds no stage.
    """
    rows = [line.split("\t") if "\t" in line else line.split() for line in text.lstrip("\ufeff").splitlines()]
    rows = [[cell.strip() for cell in row] for row in rows if row and row[0].strip() and not row[0].startswith("#")]
    if rows and rows[0][0].casefold() == "class":
        rows = rows[1:]
    short = [row for row in rows if len(row) < 3]
    if short or not rows:
        raise TableError("the Luna annotations have rows without times", found=" ".join(short[0] if short else [])[:40])
    first = {len(row): {3: 1, 4: 2, 5: 2}.get(len(row), 3) for row in rows}
    labels = [_name_luna(row, first[len(row)]) for row in rows]
    starts = [row[first[len(row)]] for row in rows]
    stops = [row[first[len(row)] + 1] for row in rows]
    clock = is_time(starts[0])
    onsets_s, start = read_times(starts) if clock else (np.array([_luna_seconds(cell) for cell in starts]), None)
    durations = [
        _luna_duration(cell, begin, at_s, clock=clock)
        for cell, begin, at_s in zip(stops, starts, onsets_s, strict=True)
    ]
    meanings, unknown = translate_labels(labels, events=True)
    events = list(zip(onsets_s.tolist(), durations, labels, strict=True))
    scoring = build_scoring("Luna annotations", events, meanings, start=start)
    check_notes(scoring, events, unknown)
    return begin_at_first_stage(scoring) if start else scoring


def _name_luna(row: list[str], first: int) -> str:
    """Return the label of a row: its class, or the instance of a class that is only called sleep stage."""
    is_general = plain_name(row[0]) in {"sleepstage", "sleep stage", "stage", "stages", "hypnogram"}
    return row[1] if is_general and first > 1 and row[1] != "." else row[0]


def _luna_seconds(cell: str) -> float:
    elapsed = re.fullmatch(r"0\+(\d{1,3}):(\d\d):(\d\d(?:\.\d+)?)", cell)
    if elapsed:
        return 3600 * float(elapsed[1]) + 60 * float(elapsed[2]) + float(elapsed[3])
    if not is_number(cell):
        raise TableError(
            "a time of the Luna annotations is not known",
            found=repr(cell[:40]),
            allowed="seconds, hh:mm:ss, or 0+hh:mm:ss",
            remedy="write the annotations in seconds, as Luna's WRITE-ANNOTS does",
        )
    return read_number(cell)


def _luna_duration(stop: str, start: str, onset_s: float, *, clock: bool) -> float | None:
    if stop in {"...", ".", ""}:
        return None
    if stop.startswith("+"):
        return _luna_seconds(stop[1:])
    if clock:
        return float(read_times([start, stop])[0][1])
    return _luna_seconds(stop) - float(onset_s)
