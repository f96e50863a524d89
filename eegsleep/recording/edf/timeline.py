"""The times of the records of a file, by their time stamps.

A recorder's crystal is off by some millionths, writers round, some write whole seconds only, and stamps of a computer's
clock vary: none of this is a gap, and no sample is moved for it. A gap is a single step between two stamps that is too
long for one record; after it the time is that of the stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from eegsleep.recording.edf.annotations import read_marks
from eegsleep.recording.faults import Fault
from eegsleep.recording.limits import MAX_DURATION_S, MAX_GAPS_S

if TYPE_CHECKING:
    import numpy as np

    from eegsleep.recording.edf.header import Header
    from eegsleep.recording.faults import Severity
    from eegsleep.recording.pieces import ByteFile

# In a file that is declared continuous, a stamp this near to its expected time is no gap: writers round, and a missing
# sample costs its epoch. In a file that is declared discontinuous, a gap is a step of more than half a sample.
MAX_JITTER_S = 0.02
# Crystals of recorders are within 100 ppm, uncompensated ones in the cold within a few hundred. Stamps that drift
# faster than this do not follow a clock: samples are missing.
MAX_DRIFT = 500e-6
# Stamps of a computer's clock vary about the recorder's by tens of milliseconds; their median over this many records
# does not. A deviation of more than a quarter of a second is no jitter.
_MAX_SPREAD_S = 0.25
_SMOOTHED_RECORDS = 61
_MAX_SMOOTHED = 1_000_000
# Each gap is marked; a gap a second for a day is 86,400.
MAX_GAPS = 100_000
_EXPORT = "export the file again"

Run = tuple[int, int, float]


@dataclass(frozen=True)
class Timeline:
    """The times of the records.

    Attributes
    ----------
    runs : tuple of (first_record, n_records, start_s)
        Records that follow each other without a gap; `start_s` counts from the first sample.
    offset_s : float
        From the header's start to the first sample.
    duration_s : float
        From the first to the end of the last sample.
    annotations : tuple of (onset_s, duration_s, text)
        From the first sample on; negative before it.
    faults : tuple of Fault
    """

    runs: tuple[Run, ...]
    offset_s: float
    duration_s: float
    annotations: tuple[tuple[float, float, str], ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def gaps(self) -> tuple[tuple[float, float], ...]:
        """Onset and duration of each gap between runs, in seconds from the first sample."""
        ends = [(start_s, n) for _, n, start_s in self.runs]
        record_s = (self.duration_s - ends[-1][0]) / ends[-1][1]
        return tuple(
            (start + n * record_s, following - start - n * record_s) for (start, n), (following, _) in pairwise(ends)
        )


def read_timeline(file: ByteFile, header: Header) -> Timeline:
    """Read the annotation signals of a file and place its records in time.

    Parameters
    ----------
    file : ByteFile
    header : Header

    Returns
    -------
    Timeline
        One run for a file without annotation signals. If a fault has severity `refused`, the records cannot be placed.
    """
    import numpy as np

    whole = Timeline(((0, header.n_records, 0.0),), 0.0, header.n_records * header.record_s)
    if not any(signal.is_annotation and not signal.is_empty for signal in header.signals):
        return whole
    marks = read_marks(file, header)
    if not np.isfinite(marks.stamps).any():
        return replace(whole, faults=(*marks.faults, _no_time_keeping(header)))
    stamps, missing = _fill(marks.stamps, header)
    runs, more = _place(stamps, header)
    offset_s, duration_s = runs[0][2], runs[-1][2] + runs[-1][1] * header.record_s - runs[0][2]
    placed = tuple((first, n, start - offset_s) for first, n, start in runs)
    notes = tuple((onset - offset_s, duration, text) for onset, duration, text in marks.annotations)
    timeline = Timeline(placed, offset_s, duration_s, notes, (*marks.faults, *missing, *more))
    return timeline if any(fault.severity == "refused" for fault in more) else _add_gap_faults(timeline, header)


def _no_time_keeping(header: Header) -> Fault:
    if header.kind.endswith("+D"):
        said = "the file says that it has gaps, and no record says when it was made"
        return Fault("no-time-keeping", "refused", said, remedy=_EXPORT)
    said = "no record says when it was made; the records were taken to follow each other"
    return Fault("no-time-keeping", "repaired", said, "annotations")


def _fill(stamps: np.ndarray, header: Header) -> tuple[np.ndarray, list[Fault]]:
    """Return the stamps with missing ones filled in, and a fault if there are some: refused if a gap may be there."""
    import numpy as np

    known = np.flatnonzero(np.isfinite(stamps))
    if known.size == stamps.size:
        return stamps, []
    index = np.arange(stamps.size)
    before = known[np.maximum(np.searchsorted(known, index, side="right") - 1, 0)]
    filled = stamps[before] + (index - before) * header.record_s
    apart_s = np.diff(known) * header.record_s
    slack_s = (1.0 if _is_coarse(stamps[known], header.record_s) else MAX_JITTER_S) + MAX_DRIFT * apart_s
    fits = (np.abs(np.diff(stamps[known]) - apart_s) <= slack_s) | (np.diff(known) == 1)
    ends_known = known[0] == 0 and known[-1] == stamps.size - 1
    sure = fits.all() and (ends_known or not header.kind.endswith("+D"))
    n_missing = stamps.size - known.size
    said = f"{n_missing} records do not say when they were made"
    said += "; the records around them leave no gap" if sure else ", and there is a gap beside them"
    fault = Fault(
        "time-keeping-broken",
        "repaired" if sure else "refused",
        said,
        "annotations",
        f"{known.size} of {stamps.size} time stamps",
        "" if sure else _EXPORT,
    )
    return filled, [fault]


def _is_coarse(stamps: np.ndarray, record_s: float) -> bool:
    """Return whether the stamps are rounded to whole seconds although the records are not, as some boards write them.

    Then each step is the duration of a record rounded down or up, and their mean is that duration. Stamps of short
    records that are truly a second apart are gaps, and their mean differs.
    """
    import numpy as np

    if float(record_s).is_integer() or (stamps != np.floor(stamps)).any():
        return False
    steps = np.diff(stamps)
    usual = steps[(steps == np.floor(record_s)) | (steps == np.ceil(record_s))]
    return usual.size > 0 and abs(usual.mean() - record_s) <= 0.01 * record_s + 1 / usual.size


def _place(stamps: np.ndarray, header: Header) -> tuple[list[Run], list[Fault]]:
    """Return runs of records, and the faults of their time stamps."""
    import numpy as np

    record_s, is_declared = header.record_s, header.kind.endswith("+D")
    whole, faults = [(0, stamps.size, float(stamps[0]))], []
    usual_s = float(np.median(np.diff(stamps))) if stamps.size > 1 else record_s
    fastest_hz = max(header.rate_hz(signal) for signal in header.signals if not signal.is_annotation)
    late_s = min(MAX_JITTER_S, 0.5 / fastest_hz) if is_declared else MAX_JITTER_S
    early_s = MAX_JITTER_S
    if _is_coarse(stamps, record_s):
        late_s = early_s = 1.0
        said = f"the records last {record_s:g} s and say when they were made in whole seconds only; gaps of less than "
        faults.append(Fault("coarse-stamps", "repaired", said + "1 s cannot be seen", "annotations"))
    elif abs(usual_s - record_s) > max(MAX_JITTER_S, 1e-3 * record_s) and not (is_declared and usual_s > record_s):
        return whole, [_duration_fault(usual_s, record_s)]
    elif not is_declared:
        stamps, faults = _steady(stamps, record_s)
    late = stamps - np.arange(stamps.size) * record_s
    if abs(usual_s - record_s) <= MAX_DRIFT * record_s and late_s < 1:
        late -= np.arange(stamps.size) * (usual_s - record_s)
    for record in _find_steps(-late, early_s)[:1]:
        return whole, [_overlap_fault(int(record), late[record - 1] - late[record], stamps)]
    breaks = [0, *_find_steps(late, late_s), stamps.size]
    runs, refusal = _part(stamps, breaks, record_s, (late_s, early_s))
    return (whole, [refusal]) if refusal else (runs, [*faults, *_find_drift(stamps, runs, record_s, early_s)])


def _part(
    stamps: np.ndarray, breaks: list[int], record_s: float, slack_s: tuple[float, float]
) -> tuple[list[Run], Fault | None]:
    """Return the runs between the breaks, each divided again where many small gaps add up; or the refusing fault."""
    runs: list[Run] = []
    for first, stop in pairwise(breaks):
        at = int(first)
        while at < stop:
            if len(runs) == MAX_GAPS:
                said = f"the records' own times leave {MAX_GAPS} gaps and more"
                return runs, Fault("gaps-many", "refused", said, value=f"{stamps.size} records", remedy=_EXPORT)
            following, off_s = _follow(stamps, (at, int(stop)), record_s, slack_s)
            if off_s < 0:
                return runs, _overlap_fault(following, -off_s, stamps)
            start_s, end_s = float(stamps[at]), runs[-1][2] + runs[-1][1] * record_s if runs else -float("inf")
            if start_s < end_s:  # the stamps are behind by drift: the gap is as long as its own step
                start_s = end_s + float(stamps[at] - stamps[at - 1]) - record_s
            runs.append((at, following - at, start_s))
            at = following
    return runs, None


def _steady(stamps: np.ndarray, record_s: float) -> tuple[np.ndarray, list[Fault]]:
    """Return the stamps without jitter, if some of them step back and all are near those of a steady clock."""
    import numpy as np

    index = np.arange(stamps.size)
    late = stamps - index * record_s
    if stamps.size > _MAX_SMOOTHED or not (np.diff(late) < -MAX_JITTER_S).any():
        return stamps, []
    from scipy.ndimage import median_filter

    steady = median_filter(late, min(_SMOOTHED_RECORDS, stamps.size), mode="reflect")
    off_s = float(np.abs(late - steady).max())
    if not MAX_JITTER_S / 2 < off_s <= _MAX_SPREAD_S:
        return stamps, []
    said = f"the records' own times vary by up to {1000 * off_s:.0f} ms about a steady clock, which was used"
    steady += late[0] - steady[0]
    return steady + index * record_s, [Fault("jitter", "repaired", said, "annotations")]


def _find_steps(late: np.ndarray, least_s: float) -> np.ndarray:
    """Return the records whose stamps are later than all three before them by `least_s`: a step, no slow drift."""
    import numpy as np

    latest = late.copy()
    for back in (1, 2):
        latest[back:] = np.maximum(latest[back:], late[:-back])
    return np.flatnonzero(late[1:] - latest[:-1] >= least_s) + 1


def _follow(
    stamps: np.ndarray, part: tuple[int, int], record_s: float, slack_s: tuple[float, float]
) -> tuple[int, float]:
    """Return the first record of a part whose stamp deviates by more than a drifting clock can, and by how much.

    Parameters
    ----------
    stamps : numpy.ndarray, shape (n_records,)
    part : (int, int)
        First and one-past-last record.
    record_s : float
    slack_s : (float, float)
        How far a stamp may be late and early apart from drift.

    Returns
    -------
    record : int
        One past the last record of the part if none deviates.
    deviation_s : float
        Positive if it is late: small gaps before it add up to this.
    """
    import numpy as np

    (first, stop), (late_s, early_s) = part, slack_s
    at, size = first + 1, 1024
    while at < stop:
        n = np.arange(at - first, min(at + size, stop) - first)
        late = stamps[first + n] - stamps[first] - n * record_s
        drift_s = MAX_DRIFT * n * record_s
        off = (late > late_s + drift_s) | (late < -early_s - drift_s)
        if off.any():
            worst = int(off.argmax())
            return at + worst, float(late[worst])
        at, size = at + n.size, 4 * size
    return stop, 0.0


def _find_drift(stamps: np.ndarray, runs: list[Run], record_s: float, least_s: float) -> list[Fault]:
    """Return a fault if stamps and samples drift apart by more than `least_s`."""
    off_s = sum(float(stamps[first + n - 1] - stamps[first]) - (n - 1) * record_s for first, n, _ in runs)
    if abs(off_s) <= least_s:
        return []
    ppm = 1e6 * off_s / (stamps.size * record_s)
    said = (
        f"the recorder's clock is {abs(ppm):.3g} ppm off its stamps, {abs(off_s):.3g} s in all; "
        "times are those of the samples"
    )
    return [Fault("clock-drift", "repaired", said, "annotations", f"{off_s:+.3g} s")]


def _overlap_fault(record: int, early_s: float, stamps: np.ndarray) -> Fault:
    said = f"record {record + 1} starts {early_s:.3g} s before the one before it ends"
    return Fault("records-overlap", "refused", said, "annotations", f"{stamps[record]:g} s", _EXPORT)


def _duration_fault(usual_s: float, record_s: float) -> Fault:
    return Fault(
        "record-duration",
        "refused",
        f"the header gives a record {record_s:g} s, but the records' own times are {usual_s:g} s apart, so the "
        "sampling rate is not known",
        "record duration",
        f"{record_s:g}",
        _EXPORT,
    )


def _add_gap_faults(timeline: Timeline, header: Header) -> Timeline:
    """Return the timeline with a fault for its gaps, or one that refuses them before memory is allocated."""
    gaps = timeline.gaps
    missing_s, offset_s = sum(duration for _, duration in gaps), abs(timeline.offset_s)
    value = f"first record at {timeline.offset_s:g} s, {missing_s:g} s of gaps"
    found: list[Fault] = []

    def note(code: str, severity: Severity, message: str) -> None:
        remedy = "" if severity == "repaired" else _EXPORT
        found.append(Fault(code, severity, message, "annotations", value, remedy))

    if offset_s > MAX_GAPS_S:
        note("late-start", "refused", "the first record is days away from the header's start time")
    elif missing_s > MAX_GAPS_S or timeline.duration_s > MAX_DURATION_S:
        said = f"with its gaps the recording lasts {timeline.duration_s / 3600:.0f} h; allowed are "
        note("too-long", "refused", f"{said}{MAX_DURATION_S / 3600:g} h, and {MAX_GAPS_S / 3600:g} h of gaps")
    elif gaps and max(duration for _, duration in gaps) > timeline.duration_s - missing_s:
        said = f"a gap of {max(duration for _, duration in gaps):.4g} s is longer than all that was recorded"
        note("gap-implausible", "needs the user", said)
    elif gaps:
        declared = "" if header.kind.endswith("+D") else ", although the file is declared continuous"
        count = f"{len(gaps)} gaps" if len(gaps) > 1 else "a gap"
        said = f"{count} of {missing_s:.4g} s in all without signal{declared}; the epochs there are not scored"
        note("gap", "repaired", said)
    if 1 <= offset_s <= MAX_GAPS_S:
        said = f"the first record starts {timeline.offset_s:g} s after the header's start time"
        note("late-start", "repaired", said)
    return replace(timeline, faults=(*timeline.faults, *found))
