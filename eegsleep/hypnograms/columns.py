"""The columns of a hypnogram table: which holds the stages, which hold times, and in which unit the times are.

A name may carry a unit (`onset_min`, `Duration (hours)`); it is read, never dropped, because hours that are taken as
seconds put a whole night into its first epoch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import LIKE_INTEGER, name_stage, plain_name
from eegsleep.hypnograms.written_times import is_number, is_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHAPES = "onset,duration,stage; onset,stage; epoch,stage; clock time,stage; or one stage a line"

# Names of columns as `plain_name` returns them, the most certain ones first.
_STAGES = (
    "primaryautostage|stage|stages|sleep stage|sleepstage|sleep stages|schlafstadium|stade|stade de sommeil|"
    "estadio|stadio|slaapstadium|estagio|staging|hypnogram|hypno|score|sleep score|scoring|consensus|majority"
)
# Columns whose rows may be events as well as stages; they come after the others.
_EVENTS = (
    "trial type|annotation|annotations|description|event|events|evenement|ereignis|evento|gebeurtenis|label|value|class"
)
SCORE_COLUMNS, EVENT_COLUMNS = (names.split("|") for names in (_STAGES, _EVENTS))
_TIMES = {
    "onset": "onset|recording onset|start|epoch start|epoch onset|start of epoch|"
    "elapsedtime|elapsed time|elapsed|init|start time|starttime|"
    "heure de debut|startzeit|hora de inicio|ora di inizio|ora inizio|starttijd|begin|begin time|clock|clock time|time|"
    "datetime|date time|timestamp|time stamp|zeit|uhrzeit|heure|hora|ora|tijd|t",
    "duration": "duration|dur|duree|dauer|duracion|durata|duur|duracao|length|epoch length|epoch duration",
    "end": "end|end time|stop|stop time|heure de fin|endzeit|hora de fin|hora final|ora di fine|eindtijd",
    "epoch": "epoch|epochs|epoch number|epoch no|epoche|epoque|epoca|epok",
    "date": "date|datum|fecha|data",
}
_KNOWN_TIMES = {role: names.split("|") for role, names in _TIMES.items()}
# A column is of stages, too, if one of these words is in its name, and none of the others.
_SCORE = (
    "stage stages staging sleepstage hypno hypnogram score scores scoring scorer rater expert schlafstadium stadium "
    "stade estadio stadio consensus majority"
)
_OTHER = (
    "onset start begin end stop time duration length date epoch confidence conf prob probability quality id name by "
    "comment note notes number no index artifact artefact arousal valid flag agreement p n unit version software"
)
_SCORE_WORDS, _OTHER_WORDS = (set(words.split()) for words in (_SCORE, _OTHER))
_UNITS_S = {
    "s sec secs second seconds sekunde sekunden seconde secondes segundos secondi": 1.0,
    "ms msec msecs millis millisecond milliseconds": 1e-3,
    "us usec microsecond microseconds µs": 1e-6,
    "min mins minute minutes minuten minutos minuti": 60.0,
    "h hr hrs hour hours stunde stunden heures horas ore": 3600.0,
    "d day days": 86400.0,
}
SECONDS_IN = {word: seconds for words, seconds in _UNITS_S.items() for word in words.split()}
_EPOCHS = {"epoch", "epochs", "epoche", "epochen"}
_SAMPLES = {"sample", "samples", "samp", "frame", "frames", "point", "points", "datapoints", "tick", "ticks", "pts"}
# No coding of stages has larger integers; scores of quality or confidence have.
_MAX_CODE = 9
_IN_BRACKETS = re.compile(r"[\[(]([^\])]*)[\])]")


@dataclass
class Columns:
    """Where the table holds what.

    Attributes
    ----------
    places : dict of str to int
        Number of the column of each role: stage, onset, duration, end, epoch, date.
    units : dict of str to str
        Unit of onset, duration and end, as `read_unit` returns it; empty if the file names none.
    kind : str
        The format, for `Scoring.kind`.
    stage_name : str
        Plain name of the column of stages; empty in a table without names.
    notes : list of str
        What the user should know of the choice.
    is_elapsed : bool
        Whether clock times of the onsets count from the start of the recording.
    """

    places: dict[str, int]
    units: dict[str, str] = field(default_factory=dict)
    kind: str = "CSV"
    stage_name: str = ""
    notes: list[str] = field(default_factory=list)
    is_elapsed: bool = False


def find_columns(
    rows: list[list[str]], unit_row: Sequence[str], column: str | None, levels: Mapping[str, Mapping[str, str]]
) -> tuple[Columns, list[list[str]]]:
    """Find the columns of a table, and return them with the rows below their names.

    Parameters
    ----------
    rows : list of list of str
        At least one.
    unit_row : sequence of str
        The units that a row below the names gives, in brackets; empty if there is no such row.
    column : str, optional
        Name of the column of stages, as the user gave it.
    levels : mapping of str to mapping
        Meanings of codes by column, from the JSON file beside it.

    Returns
    -------
    columns : Columns
    rows : list of list of str

    Raises
    ------
    TableError
        If no column, or more than one, may hold the stages, or the one asked for is not there.
    """
    written = rows[0]
    names = [plain_name(cell) for cell in written]
    times = [_name_and_unit(cell) for cell in written]
    if column is None and not _has_names(written, names, times):
        return _guess_columns(rows)
    body = rows[1:]
    if not body:
        raise TableError("the hypnogram has a header and no rows", found=", ".join(written)[:60], allowed=SHAPES)
    stage, notes = _find_stages(written, names, body, column, levels)
    columns = Columns({} if stage is None else {"stage": stage}, notes=notes)
    columns.stage_name = "" if stage is None else names[stage]
    for role in _KNOWN_TIMES:
        _add_time(columns, role, times, names, unit_row)
    columns.kind = _name_kind(written, columns)
    _check_unknown_times(written, body, columns)
    columns.is_elapsed = "onset" in columns.places and times[columns.places["onset"]][0].startswith("elapsed")
    return columns, body


def _check_unknown_times(written: list[str], body: list[list[str]], columns: Columns) -> None:
    """Raise if the only column that may hold times has a name that is not known: it would be left out in silence."""
    if {"onset", "epoch", "date"} & set(columns.places):
        return
    for i, cell in enumerate(written):
        cells = _contents(body, i)
        if i in columns.places.values() or len(cells) < 3 or not (_rises(cells) or all(map(is_time, cells))):
            continue
        steps = (
            {round(float(b.replace(",", ".")) - float(a.replace(",", ".")), 6) for a, b in pairwise(cells)}
            if (_rises(cells))
            else set()
        )
        if steps != {1.0}:  # a plain number of the row is no time
            raise TableError(
                "a column of the hypnogram looks like times, and its name is not known",
                found=f"{cell[:40]}: {cells[0][:20]}, {cells[1][:20]}, …",
                allowed="a name such as onset_s, onset_min, time or epoch",
                remedy="call it `onset_s` if it is in seconds, or name its unit",
            )


def _has_names(written: list[str], names: list[str], times: list[tuple[str, str]]) -> bool:
    """Return whether a first row holds the names of columns, and no stage."""
    if any(name in SCORE_COLUMNS or name in EVENT_COLUMNS for name in names):
        return True
    if any(is_number(cell) or is_time(cell) for cell in written):
        return False
    if len(written) == 1:
        return name_stage(written[0]) is None  # refused later, if it is no name either
    known_time = any(name in known for name, _ in times for known in _KNOWN_TIMES.values())
    return known_time or not any(name_stage(cell) for cell in written)


def _add_time(
    columns: Columns, role: str, times: list[tuple[str, str]], names: list[str], unit_row: Sequence[str]
) -> None:
    taken = set(columns.places.values())
    found = []
    for rank, known in enumerate(_KNOWN_TIMES[role]):
        for i, (name, unit) in enumerate(times):
            if i in taken or known != (name if role in {"onset", "duration", "end"} else names[i]):
                continue
            below = unit_row[i].casefold().strip("[]() ") if i < len(unit_row) else ""
            found.append((rank, i, unit or below))
    if not found and role == "onset" and "epoch" not in names:  # a column that is only called after its unit
        bare = [(i, name) for i, name in enumerate(names) if name in SECONDS_IN or name in _SAMPLES]
        found = [(0, i, name) for i, name in bare if i not in taken]
    if not found:
        return
    # a column of seconds is better than one of samples, wherever they are
    _, columns.places[role], unit = min(found, key=lambda entry: (_is_unknown(entry[2]), entry[0]))
    if role in {"onset", "duration", "end"}:
        columns.units[role] = unit


def _name_kind(written: list[str], columns: Columns) -> str:
    raw = [cell.casefold() for cell in written]
    if raw == ["onset", "duration", "annotation"]:
        return "EDFbrowser annotations"
    if raw[:2] == ["onset", "duration"] and len(raw) > 2 and ("trial_type" in raw or columns.stage_name != "stage"):
        return "BIDS events"
    if "trial_type" in raw and "onset" in raw:
        return "BIDS events"
    if {"onset", "end", "stage"} <= set(columns.places) and "duration" in columns.places:
        return "CSV" if "epoch" in columns.places else "Noxturnal CSV"
    return "Sleep Profiler CSV" if columns.stage_name == "primaryautostage" else "CSV"


def _is_score(cell: str) -> bool:
    words = {word.rstrip("0123456789") or word for word in plain_name(_split_camel(cell)).split()}
    return bool(words & _SCORE_WORDS) and not words & _OTHER_WORDS


def _find_stages(
    written: list[str],
    names: list[str],
    body: list[list[str]],
    column: str | None,
    levels: Mapping[str, Mapping[str, str]],
) -> tuple[int | None, list[str]]:
    """Return the column of stages, None if there is none, and what is to be said of the choice."""
    if column is not None:
        return _find_asked(written, column), []
    by_name = [names.index(name) for name in SCORE_COLUMNS if name in names]
    by_name += [i for i, cell in enumerate(written) if i not in by_name and _is_score(cell)]
    if "primaryautostage" in names:
        return names.index("primaryautostage"), []
    contents = {i: _contents(body, i) for i in by_name}
    fitting = [i for i in by_name if _holds_stages(contents[i], levels.get(written[i], {}))]
    # a second column of 0 and 1 beside others is a flag
    if len(fitting) > 1:
        flags = [i for i in fitting if set(contents[i]) <= {"0", "1", ""}]
        fitting = [i for i in fitting if i not in flags] or fitting
    different = [i for k, i in enumerate(fitting) if contents[i] not in [contents[j] for j in fitting[:k]]]
    if len(different) > 1:
        if names[different[0]] not in SCORE_COLUMNS:
            raise TableError(
                "the table holds the stages of several scorers",
                found=", ".join(written[i] for i in fitting)[:200],
                allowed="one column of stages",
                remedy="choose one with --column NAME",
            )
        taken, *others = (written[i] for i in different)
        said = f"stages are those of column {taken}; there are also stages in {', '.join(others)} (--column chooses)"
        return different[0], [said]
    if fitting:
        return fitting[0], []
    events = [names.index(name) for name in EVENT_COLUMNS if name in names]
    holding = [i for i in events if any(name_stage(cell) for cell in set(_contents(body, i)))]
    levelled = [
        i for i in range(len(written)) if _holds_stages(_contents(body, i), levels.get(written[i], {}), only=True)
    ]
    return next(iter([*holding, *levelled, *by_name, *events]), None), []


def _find_asked(written: list[str], column: str) -> int:
    for spell in (str.strip, str.casefold, plain_name):
        found = [i for i, cell in enumerate(written) if spell(cell) == spell(column)]
        if len(found) == 1:
            return found[0]
    raise TableError(
        f"the hypnogram has no column {column!r}",
        found=", ".join(cell[:30] for cell in written[:20]),
        allowed="one of these names",
        remedy="choose one with --column NAME",
    )


def has_column(text: str, column: str) -> bool:
    """Return whether the first row of a table that is no comment has a column of this name.

    Parameters
    ----------
    text : str
        The beginning of the table.
    column : str

    Returns
    -------
    bool
    """
    lines = (line for line in text.lstrip("\ufeff").splitlines() if line.strip() and not line.startswith(("#", "%")))
    cells = re.split(r"[\t;,]", next(lines, ""))
    return plain_name(column) in {plain_name(cell.strip()) for cell in cells} and plain_name(column) != ""


def may_hold_stages(text: str, levels: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether a table has a column that may hold stages, by its first rows.

    Parameters
    ----------
    text : str
        The beginning of a table of events, with tabs.
    levels : mapping of str to mapping
        Meanings of codes by column, from the JSON files beside it.

    Returns
    -------
    bool
    """
    rows = [[cell.strip() for cell in line.split("\t")] for line in text.splitlines() if line.strip()]
    if len(rows) < 2:
        return False
    names = [plain_name(cell) for cell in rows[0]]
    for i, cell in enumerate(rows[0]):
        cells = _contents(rows[1:], i)
        if (names[i] in SCORE_COLUMNS or _is_score(cell)) and _holds_stages(cells, levels.get(cell, {})):
            return True
        if _holds_stages(cells, levels.get(cell, {}), only=True):
            return True
        if names[i] in EVENT_COLUMNS and any(name_stage(text) for text in set(cells)):
            return True
    return False


def _contents(rows: list[list[str]], index: int) -> list[str]:
    return [row[index] if index < len(row) else "" for row in rows]


def _holds_stages(cells: list[str], levels: Mapping[str, str], *, only: bool = False) -> bool:
    """Return whether every cell is the name of a stage, an integer, or a code that is explained; one at least is."""
    known = set(filter(None, cells))
    if only and not (levels and any(name_stage(text) for text in levels.values())):
        return False
    return bool(known) and all(
        cell in levels
        or name_stage(cell) is not None
        or (bool(LIKE_INTEGER.fullmatch(cell)) and abs(float(cell)) <= _MAX_CODE)
        for cell in known
    )


def _split_camel(cell: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell[:200])


def _name_and_unit(cell: str) -> tuple[str, str]:
    """Return the plain name of a column of times without its unit, and the unit."""
    inside = [text.strip() for text in _IN_BRACKETS.findall(cell[:200]) if text.strip()]
    name = plain_name(_split_camel(cell))
    if inside:
        return name, inside[-1].casefold().removeprefix("in ").strip(". ")
    head, _, last = name.rpartition(" ")
    if head and (last in SECONDS_IN or last in _EPOCHS or last in _SAMPLES):
        return head.removesuffix(" in"), last
    return name, ""


def _is_unknown(unit: str) -> bool:
    return bool(unit) and unit not in SECONDS_IN and unit not in _EPOCHS


def read_unit(unit: str, epoch_s: float) -> float:
    """Return how many seconds one unit of a column of numbers is.

    Parameters
    ----------
    unit : str
        As in `Columns.units`.
    epoch_s : float
        Length of an epoch, for columns that count epochs.

    Returns
    -------
    float

    Raises
    ------
    TableError
        If it is no unit of time, or counts samples, whose rate the hypnogram does not give.
    """
    if not unit:
        return 1.0
    if unit in _EPOCHS:
        return epoch_s
    if unit in SECONDS_IN:
        return SECONDS_IN[unit]
    in_samples = bool(set(plain_name(unit).split()) & _SAMPLES)
    raise TableError(
        "the times of the hypnogram are in samples"
        if in_samples
        else "the unit of a time of the hypnogram is not known",
        found=unit[:40],
        allowed="seconds, milliseconds, minutes, hours, epochs, or clock times",
        remedy="divide them by the samples a second and call the column `onset_s`"
        if in_samples
        else "write the times in seconds and call the column `onset_s`",
    )


def counts_epochs(unit: str) -> bool:
    """Return whether a unit is that of epochs."""
    return unit in _EPOCHS


def _guess_columns(rows: list[list[str]]) -> tuple[Columns, list[list[str]]]:
    """Return the columns of rows without names, if only one reading is possible.

    Onsets rise. A first column that repeats or falls is none: beside 0 and 1 it holds the stages, and the second one
    says which epochs have an arousal or artefact (SpiSOP, SleepTrip).
    """
    width = max(map(len, rows))
    if width == 1:
        return Columns({"stage": 0}, kind="stages, one a line"), rows
    cells = [_contents(rows, i) for i in range(width)]
    flags = all(set(column) <= {"0", "1"} for column in cells[1:])
    timed = any(map(is_time, cells[0])) or _rises(cells[0])
    stages = all(LIKE_INTEGER.fullmatch(cell) or name_stage(cell) for cell in cells[0])
    counts = len(rows) > 1 and cells[0] in ([str(i) for i in range(len(rows))], [str(i + 1) for i in range(len(rows))])
    if flags and stages and not timed and not set(cells[0]) <= {"0", "1"}:
        said = "the first column is read as stages, and the other, of 0 and 1, as a mark on epochs; it is left out"
        return Columns({"stage": 0}, kind="stages and marks", notes=[said]), rows
    if timed and width == 2:
        return Columns({"epoch" if counts else "onset": 0, "stage": 1}), rows
    if (
        counts
        and width == 3
        and set(cells[2]) <= {"0", "1"}
        and (not _are_durations(cells[1]) or _are_codes(cells[1], cells[2]))
    ):
        said = "the third column, of 0 and 1, is read as a mark on epochs; it is left out"
        return Columns({"epoch": 0, "stage": 1}, kind="stages and marks", notes=[said]), rows
    if timed and width == 3 and _are_durations(cells[1]) and not _are_codes(cells[1], cells[2]):
        return Columns({"onset": 0, "duration": 1, "stage": 2}), rows
    if not timed and width in {2, 3} and all(map(is_number, cells[0])):
        raise TableError(
            "the first column of the hypnogram repeats or falls, so that it holds no onsets",
            found=", ".join(cells[0][:6]) + ", …",
            allowed=SHAPES,
            remedy="write a first row with the names of the columns, such as onset_s,stage",
        )
    raise TableError(
        "the columns of the hypnogram have no names",
        found=f"{width} columns",
        allowed=SHAPES,
        remedy="write a first row with the names of the columns, such as onset_s,stage",
    )


def _rises(cells: list[str]) -> bool:
    """Return whether all cells are numbers, each larger than the one before."""
    if not all(map(is_number, cells)):
        return False
    numbers = [float(cell.replace(",", ".")) for cell in cells]
    return all(a < b for a, b in pairwise(numbers))


def _are_durations(cells: list[str]) -> bool:
    """Return whether numbers may be the lengths of stages: none is shorter than an epoch of 1 s, or all are 0."""
    lengths = [float(cell.replace(",", ".")) if is_number(cell) else -1.0 for cell in cells]
    return all(length >= 1 for length in lengths) or not any(lengths)


def _are_codes(middle: list[str], last: list[str]) -> bool:
    """Return whether a middle column may as well be of stages, and the last one a mark of 0 and 1."""
    return set(last) <= {"0", "1"} and all(re.fullmatch(r"\d", cell) for cell in middle)
