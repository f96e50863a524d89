"""A scoring holds the stage periods of a hypnogram file in its own time; aligning gives a stage to each 30 s epoch.

Files score epochs of 10 to 60 s, or list changes, or begin at another time than the recording. From each of them come
stage periods in time, and each epoch of the recording takes the stage that fills most of it. Time without a stage stays
unscored: nothing is stretched, repeated or filled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import TableError
from eegsleep.hypnograms.table import make_stages
from eegsleep.recording.limits import MAX_DURATION_S
from eegsleep.signals.epochs import EPOCH_S, STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

MAX_PERIODS = 100_000
# Shortest and longest epoch that a scorer uses.
EPOCH_RANGE_S = (1.0, 120.0)
# A list of stages without times is accepted for a recording of its length, to 5 %: scorers stop a few epochs early,
# while another length of epochs or another night differs by more.
_LENGTH_TOLERANCE = 0.05
# Times whose unit is wrong score next to nothing: minutes taken as seconds a 60th of the night, epochs a 30th.
_MIN_SCORED = 0.05
# Of the onsets of a file; where more have two stages, its onsets are numbers of another kind.
_MAX_CLASHES = 0.2
# From so many rows on, the times of a file show whether they can be seconds.
_ROWS_THAT_SHOW = 10
_DAY_S = 86400.0


@dataclass(frozen=True)
class HandEdit:
    """How stages were edited by hand on the page of a night.

    Attributes
    ----------
    input_sha256 : str
        Hash of the recording that the stages belong to.
    was : tuple of str
        The stage of each 30 s epoch before any edit.
    n_changed : int
        Epochs whose stage is another one now.
    scorers : tuple of str
        Who edited.
    last : str
        When the last edit was made, in UTC.
    """

    input_sha256: str
    was: tuple[str, ...]
    n_changed: int
    scorers: tuple[str, ...]
    last: str


@dataclass(frozen=True)
class Scoring:
    """The stages of a hypnogram file, before they are aligned with a recording.

    Attributes
    ----------
    kind : str
        The format of the file: `EDF+`, `CSV`, `NSRR XML`, ….
    stages : tuple of str
        AASM names W, N1, N2, N3, R and UNS, one a scored period.
    onsets_s, durations_s : array of float, shape (n_periods,)
        In seconds from the recording's first sample if `relative`, else from `start`. Periods do not overlap.
    start : datetime or None
        Naive local time of onset 0; None if the file does not give it.
    relative : bool
        Whether onsets count from the recording's first sample.
    lights_off_s, lights_on_s : float or None
        First time lights went off and last time they went on, on the same axis; None if the file does not give it.
    notes : tuple of str
        What the user should know of the file, in clauses.
    dated : bool
        False if `start` has a time of day, and its date has no meaning.
    alternative : datetime or None
        The other possible start, where the file does not show whether the day or the month comes first.
    timed : bool
        False if the file is a list of epochs without times.
    file, sha256, coding : str
        Name and hash of the file, and the coding it was read under; empty for a scoring that was not read.
    asked_epoch_s : float or None
    asked_column : str
        The length of epochs and the column that `read_hypnogram` was asked for.
    edit : HandEdit, optional
        How the stages were edited, where the page of a night saved them.
    """

    kind: str
    stages: tuple[str, ...]
    onsets_s: np.ndarray
    durations_s: np.ndarray
    start: datetime | None = None
    relative: bool = True
    lights_off_s: float | None = None
    lights_on_s: float | None = None
    notes: tuple[str, ...] = ()
    dated: bool = True
    alternative: datetime | None = None
    timed: bool = True
    file: str = ""
    sha256: str = ""
    coding: str = ""
    asked_epoch_s: float | None = None
    asked_column: str = ""
    edit: HandEdit | None = None


@dataclass(frozen=True)
class ScoringStart:
    """The time of onset 0 of a scoring by its file; `moment` becomes `Scoring.start`, the others see there."""

    moment: datetime
    dated: bool = True
    alternative: datetime | None = None


def build_scoring(
    kind: str,
    events: Iterable[tuple[float, float | None, str]],
    meanings: dict[str, str],
    *,
    start: ScoringStart | None = None,
    epoch_s: float | None = None,
    timed: bool = True,
    notes: tuple[str, ...] = (),
) -> Scoring:
    """Return a scoring from the events of a file.

    Parameters
    ----------
    kind : str
    events : iterable of (onset_s, duration_s or None, label)
        A stage without duration lasts one epoch if the file has one row for each epoch, else until the next stage.
    meanings : dict of str to str
        The meaning of each label, from `codings.read_labels`.
    start : ScoringStart, optional
        The time of onset 0; without it onsets count from the recording's first sample.
    epoch_s : float, optional
        Length of the epochs, where the file does not give it.
    timed : bool
        See `Scoring`.
    notes : tuple of str
        Further notes for `Scoring.notes`.

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If there is no stage, or times are impossible.
    """
    events = sorted(events, key=lambda event: event[0])
    rows = [event for event in events if meanings[event[2]] in STAGES]
    _check_times(rows, kind)
    rows, remarks = _drop_remarks(rows, meanings)
    lights = {m: [e[0] for e in events if meanings[e[2]] == m] for m in ("lights off", "lights on")}
    onsets_s = np.array([row[0] for row in rows])
    labels = [row[2] for row in rows]
    _check_steps(onsets_s, [row[1] for row in rows], [meanings[label] for label in labels])
    durations_s, more = _fill_durations(onsets_s, [row[1] for row in rows], labels, epoch_s)
    more = remarks + more
    stages, onsets_s, durations_s, clashes = _separate_periods([meanings[x] for x in labels], onsets_s, durations_s)
    ignored = Counter(event[2] for event in events if meanings[event[2]] == "")
    if ignored:
        # what a scorer wrote about a sleeper is not repeated in files that may be shared
        more.append(f"{ignored.total()} events that are no stages were left out")
    scoring = Scoring(
        kind,
        tuple(stages),
        onsets_s,
        durations_s,
        relative=start is None,
        timed=timed,
        lights_off_s=min(lights["lights off"], default=None),
        lights_on_s=max(lights["lights on"], default=None),
        notes=(*notes, *more, *clashes),
    )
    if start is None:
        return scoring
    return replace(scoring, start=start.moment, dated=start.dated, alternative=start.alternative)


def _check_times(rows: list[tuple[float, float | None, str]], kind: str) -> None:
    if not rows:
        raise TableError(f"the file is read as {kind} and holds no sleep stage")
    if len(rows) > MAX_PERIODS:
        raise TableError("the hypnogram has too many rows for one recording", allowed=f"{MAX_PERIODS}")
    times = np.array([(onset, duration or 0.0) for onset, duration, _ in rows])
    if not np.isfinite(times).all() or (times[:, 1] < 0).any():
        raise TableError("an onset or duration of the hypnogram is no time", allowed="seconds, durations not negative")
    if np.abs(times).max() > MAX_DURATION_S:
        raise TableError(
            "the hypnogram is longer than one recording",
            found=f"an onset or duration of {np.abs(times).max():g} s",
            allowed=f"up to {MAX_DURATION_S:g} s (72 h)",
        )


def _check_steps(onsets_s: np.ndarray, durations: list[float | None], stages: list[str]) -> None:
    """Raise if the times of the stages cannot be seconds: too close, too far, or in contradiction to each other."""
    steps_s = np.diff(onsets_s)
    if len(onsets_s) < _ROWS_THAT_SHOW:
        return
    moments = np.unique(onsets_s)
    clashing = len({(onset, stage) for onset, stage in zip(onsets_s, stages, strict=True)}) - len(moments)
    remedy = "check the unit of the onsets; name it in the column, such as onset_s, onset_min or onset_ms"
    if clashing > _MAX_CLASHES * len(moments):
        raise TableError(
            "the onsets of the hypnogram repeat, with different stages",
            found=f"{clashing} of {len(moments)} onsets",
            allowed="one stage at a time",
            remedy="name the column of onsets `onset_s`; where several scorers are in one file, keep one",
        )
    if not (steps_s > 0).any():
        return
    usual_s = float(np.median(steps_s[steps_s > 0]))
    repeats = np.mean([a == b for a, b in zip(stages[1:], stages[:-1], strict=True)])
    if usual_s < EPOCH_RANGE_S[0] / 2 or (usual_s < EPOCH_RANGE_S[0] and repeats >= 0.5):
        problem = "the onsets of the hypnogram are closer together than epochs can be"
        raise TableError(problem, found=f"{usual_s:g} s apart", allowed="1 s and more", remedy=remedy)
    regular = float(np.mean(np.abs(steps_s - usual_s) < 0.01 * usual_s))
    if usual_s > EPOCH_RANGE_S[1] and regular >= 0.8 and repeats >= 0.5:
        problem = "the onsets of the hypnogram are further apart than epochs can be"
        raise TableError(problem, found=f"{usual_s:g} s apart", allowed="1 to 120 s", remedy=remedy)
    given = [duration for duration in durations if duration]
    if len(given) > len(durations) / 2 and float(np.median(given)) > 5 * usual_s:
        problem = "the onsets and durations of the hypnogram are not in the same unit"
        found = f"onsets {usual_s:g} s apart, durations of {float(np.median(given)):g} s"
        raise TableError(problem, found=found, allowed="stages that follow each other", remedy=remedy)


def _drop_remarks(
    rows: list[tuple[float, float | None, str]], meanings: dict[str, str]
) -> tuple[list[tuple[float, float | None, str]], list[str]]:
    """Leave out artefacts and movements within a stage: they are remarks on it and do not replace it."""
    kept: list[tuple[float, float | None, str]] = []
    last_end_s = -np.inf
    for row in rows:
        onset_s, duration_s, label = row
        if meanings[label] == "UNS" and kept and kept[-1][0] + 1e-3 < onset_s < last_end_s - 1e-3:
            continue
        kept.append(row)
        last_end_s = onset_s + (duration_s or 0.0) if meanings[label] != "UNS" else -np.inf
    n_remarks = len(rows) - len(kept)
    return kept, [f"{n_remarks} artefacts or movements within a stage were left out"] if n_remarks else []


def _fill_durations(
    onsets_s: np.ndarray, durations: list[float | None], labels: list[str], epoch_s: float | None
) -> tuple[np.ndarray, list[str]]:
    """Return durations in seconds, also where the file gives none, and notes on what was assumed."""
    given = np.array([duration or np.nan for duration in durations], dtype=float)
    if np.isfinite(given).all():
        return given, []
    steps = np.append(np.diff(onsets_s), np.nan)
    lasting = steps[:-1][steps[:-1] > 0]
    if epoch_s or not lasting.size:
        usual_s, is_epochs = epoch_s or EPOCH_S, True
    else:
        values, counts = np.unique(np.round(lasting, 3), return_counts=True)
        usual_s = float(values[counts.argmax()])
        repeats = np.mean([a == b for a, b in zip(labels[1:], labels[:-1], strict=True)])
        # A list of changes repeats no stage and has no usual step; a list of epochs has both.
        is_epochs = bool(counts.max() >= 0.8 * lasting.size or repeats >= 0.5)
    notes = []
    filled = np.fmin(steps, usual_s) if is_epochs else steps
    if np.isnan(filled[-1]):
        filled[-1] = usual_s if is_epochs else EPOCH_S
        if not is_epochs and np.isnan(given[-1]):
            notes.append("the file does not give the end of its last stage; one epoch of 30 s was assumed")
    return np.where(np.isfinite(given), given, filled), notes


def _separate_periods(
    stages: list[str], onsets_s: np.ndarray, durations_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Return periods that do not overlap: a stage ends where the next begins, two stages at once are unscored."""
    names = np.array(stages, dtype=object)
    first = np.concatenate([[True], np.diff(onsets_s) > 1e-3])
    group = np.cumsum(first) - 1
    notes, kept = [], names[first]
    differing = np.unique(group[names != kept[group]])
    if differing.size:
        kept[differing] = "UNS"
        notes.append(f"{differing.size} periods have two different stages and count as unscored")
    longest = np.maximum.reduceat(durations_s, np.flatnonzero(first))
    onsets_s = onsets_s[first]
    room = np.append(np.diff(onsets_s), np.inf)
    cut = longest - room
    if (cut > 1.0).any():
        notes.append(f"{int((cut > 1.0).sum())} periods overlap the next one and were ended where it begins")
    return kept, onsets_s, np.minimum(longest, room), notes


def align_scoring(
    scoring: Scoring, recording_start: datetime | None, n_epochs: int
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Give a stage to each 30 s epoch of a recording.

    An epoch takes the stage that fills most of it, the earlier of two that fill it equally, and is unscored if less
    than half of it is scored.

    Parameters
    ----------
    scoring : Scoring
    recording_start : datetime or None
        Naive local time of the recording's first sample.
    n_epochs : int
        Whole epochs of the recording.

    Returns
    -------
    stages : pandas.DataFrame
        Table `HYPNOGRAM` with `n_epochs` rows.
    notes : tuple of str
        Those of the scoring, and what was cut, left unscored or moved.

    Raises
    ------
    TableError
        If the scoring overlaps less than half of the shorter of the two, or cannot be placed without guessing.

    Examples
    --------
    >>> scoring = es.read_hypnogram("sample-night_stages.csv")
    >>> stages, notes = es.align_scoring(scoring, recording.start, recording.n_epochs)
    >>> len(stages), notes
    (180, ())
    """
    shift_s, notes = _find_shift(scoring, recording_start, n_epochs)
    onsets_s = scoring.onsets_s + shift_s
    ends_s, length_s = onsets_s + scoring.durations_s, n_epochs * EPOCH_S
    overlap_s = _overlap(onsets_s, ends_s, length_s)
    scored_s = float(scoring.durations_s.sum())
    if overlap_s < 0.5 * min(length_s, scored_s):
        raise TableError(
            "the hypnogram is not that of this recording",
            found=f"{overlap_s / 60:.4g} min of the recording are scored, {scored_s / 60:.4g} min of stages are in "
            f"the file and {length_s / 60:.4g} min in the recording",
            allowed="an overlap of at least half of the shorter of the two",
            remedy="check that the two belong together, and their start times",
        )
    if not scoring.timed and abs(scored_s - length_s) > max(2 * EPOCH_S, _LENGTH_TOLERANCE * length_s):
        raise TableError(
            "the hypnogram gives no times and is not as long as the recording",
            found=f"{scored_s / 60:.4g} min of stages for {length_s / 60:.4g} min",
            remedy="give the length of its epochs with --epoch SECONDS if it is not 30 s, or a file with the onset of "
            "each stage",
        )
    names, covered_s = _vote(scoring.stages, onsets_s, ends_s, n_epochs)
    if overlap_s < _MIN_SCORED * length_s or (n_epochs > 1 and (names == "UNS").all()):
        raise TableError(
            "the hypnogram scores next to nothing of the recording",
            found=f"{np.count_nonzero(names != 'UNS')} of {n_epochs} epochs with a stage; {overlap_s / 60:.4g} min of "
            f"{length_s / 60:.4g} min are covered",
            allowed=f"{100 * _MIN_SCORED:g} % of the recording",
            remedy="check the unit of its times and the length of its epochs (--epoch SECONDS); if only a short part "
            "was scored, cut the recording to it",
        )
    notes += _describe_fit(scoring, onsets_s, ends_s, covered_s)
    return make_stages(names, None, np.ones(n_epochs, dtype=bool)), (*scoring.notes, *notes)


def place_lights(
    scoring: Scoring, recording_start: datetime | None, n_epochs: int
) -> tuple[float | None, float | None]:
    """Return when the lights went off and on by a scoring.

    Parameters
    ----------
    scoring : Scoring
    recording_start : datetime or None
        Naive local time of the recording's first sample.
    n_epochs : int
        Whole epochs of the recording.

    Returns
    -------
    off_s, on_s : float or None
        In seconds from the recording's first sample; None where the scoring does not give it.
    """
    shift_s, _ = _find_shift(scoring, recording_start, n_epochs)
    moments = (scoring.lights_off_s, scoring.lights_on_s)
    off_s, on_s = (None if moment is None else moment + shift_s for moment in moments)
    return off_s, on_s


def _find_shift(scoring: Scoring, recording_start: datetime | None, n_epochs: int) -> tuple[float, list[str]]:
    """Return seconds from the recording's first sample to the scoring's origin."""
    if scoring.relative:
        return 0.0, []
    if scoring.start is None or recording_start is None:
        missing = "hypnogram" if scoring.start is None else "recording"
        return 0.0, [f"the {missing} does not give its start; the scoring was placed from the first sample on"]
    ends_s, length_s = scoring.onsets_s + scoring.durations_s, n_epochs * EPOCH_S

    def overlap(shift_s: float) -> float:
        return _overlap(scoring.onsets_s + shift_s, ends_s + shift_s, length_s)

    shift_s = (scoring.start - recording_start).total_seconds()
    if not scoring.dated or is_invented(scoring.start) or is_invented(recording_start):
        days = shift_s // _DAY_S
        turns = [shift_s - (days + turn) * _DAY_S for turn in (1, 0, -1)]
        note = [] if not scoring.dated else ["one of the two dates is not real; the time of day was used"]
        return max(turns, key=lambda turn: (overlap(turn), -abs(turn))), note
    if scoring.alternative:
        other_s = (scoring.alternative - recording_start).total_seconds()
        fitting = [shift for shift in (shift_s, other_s) if overlap(shift) > 0]
        if len(fitting) != 1:
            raise TableError(
                "the date of the hypnogram can be read in two ways, and neither is that of the recording",
                found=f"{scoring.start:%Y-%m-%d} or {scoring.alternative:%Y-%m-%d}",
                allowed=f"a date near {recording_start:%Y-%m-%d %H:%M}",
            )
        return fitting[0], []
    return shift_s, []


def is_invented(start: datetime) -> bool:
    """Return whether a date is the one in anonymised EDF files, 1 January 1985, or stands for no date at all (1900).

    Parameters
    ----------
    start : datetime

    Returns
    -------
    bool
    """
    return (start.month, start.day) == (1, 1) and start.year in {1900, 1985}


def _overlap(onsets_s: np.ndarray, ends_s: np.ndarray, length_s: float) -> float:
    return float((np.clip(ends_s, 0, length_s) - np.clip(onsets_s, 0, length_s)).sum())


def _vote(
    stages: tuple[str, ...], onsets_s: np.ndarray, ends_s: np.ndarray, n_epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the stage of each epoch and the seconds of it that are scored, both of shape (n_epochs,)."""
    names = np.array(stages, dtype=object)
    borders = EPOCH_S * np.arange(n_epochs + 1)
    shares = np.zeros((len(STAGES), n_epochs))
    for row, stage in enumerate(STAGES):
        mine = names == stage
        if mine.any():
            # Seconds of this stage before a moment: they rise within its periods and stay constant between them.
            times = np.column_stack([onsets_s[mine], ends_s[mine]]).ravel()
            totals = np.repeat(np.append(0.0, np.cumsum((ends_s - onsets_s)[mine])), 2)[1:-1]
            shares[row] = np.diff(np.interp(borders, times, totals))
    shares = np.round(shares, 6)
    covered_s = shares.sum(axis=0)
    winners = np.array(STAGES, dtype=object)[shares.argmax(axis=0)]
    tied = np.flatnonzero((shares == shares.max(axis=0)).sum(axis=0) > 1)
    for epoch in tied[covered_s[tied] > 0]:
        best = {STAGES[i] for i in np.flatnonzero(shares[:, epoch] == shares[:, epoch].max())}
        at = int(np.searchsorted(ends_s, borders[epoch] + 1e-6))
        winners[epoch] = next(stage for stage in names[at:] if stage in best)
    winners[covered_s < EPOCH_S / 2] = "UNS"
    return winners, covered_s


def _describe_fit(scoring: Scoring, onsets_s: np.ndarray, ends_s: np.ndarray, covered_s: np.ndarray) -> list[str]:
    notes, length_s = [], len(covered_s) * EPOCH_S
    inside = (ends_s > 0) & (onsets_s < length_s)
    past = scoring.durations_s[:-1] if len(scoring.durations_s) > 1 else scoring.durations_s
    off = np.mod(past + 0.05, EPOCH_S) > 0.1
    if off.mean() > 0.1:
        notes.append(
            f"the hypnogram is not scored in epochs of 30 s (median period {np.median(past):g} s); each epoch of 30 s "
            "has the stage that fills most of it"
        )
    values, counts = np.unique(np.round(np.mod(onsets_s[inside], EPOCH_S), 2), return_counts=True)
    late_s = float(values[counts.argmax()]) if counts.size else 0.0
    late_s -= EPOCH_S * (late_s > EPOCH_S / 2)
    if off.mean() <= 0.1 and abs(late_s) >= 1:
        notes.append(
            f"the epochs of the hypnogram start {abs(late_s):g} s {'after' if late_s > 0 else 'before'} those of the "
            "recording; each of these has the stage that fills most of it"
        )
    for outside_s, where in ((max(0.0, -onsets_s[0]), "before"), (max(0.0, ends_s[-1] - length_s), "after")):
        if outside_s >= EPOCH_S:
            notes.append(f"{outside_s / 60:.4g} min of the hypnogram are {where} the recording and were cut")
    open_epochs = int((covered_s < EPOCH_S / 2).sum())
    if open_epochs:
        notes.append(f"{open_epochs} epochs of the recording are not scored in the hypnogram and count as unscored")
    return notes


def begin_at_first_stage(scoring: Scoring) -> Scoring:
    """Return a scoring with onset 0 at its first stage; its start moves accordingly.

    Parameters
    ----------
    scoring : Scoring
        With a start.

    Returns
    -------
    Scoring
    """
    first_s = float(scoring.onsets_s[0])

    def earlier(value: float | None) -> float | None:
        return None if value is None else value - first_s

    def later(value: datetime | None) -> datetime | None:
        return value + timedelta(seconds=first_s) if value else None

    return replace(
        scoring,
        onsets_s=scoring.onsets_s - first_s,
        start=later(scoring.start),
        alternative=later(scoring.alternative),
        lights_off_s=earlier(scoring.lights_off_s),
        lights_on_s=earlier(scoring.lights_on_s),
    )
