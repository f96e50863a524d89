r"""The annotation signals of EDF+ and BDF+: when each record was made, and what was written beside it.

Their content is lists of time-stamped annotations (TALs): `+onset[\x15duration]\x14text\x14…\x00`.
The first one of a record carries no text and says when the record begins; only it can tell a gap
(doi:10.1016/s1388-2457(03)00123-8). They are read in one pass, each byte once, whatever they hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, BinaryIO

from eegsleep.recording.faults import Fault, decode_text
from eegsleep.recording.header import MAX_DURATION_S

if TYPE_CHECKING:
    from eegsleep.recording.header import Header, Signal

# A night has thousands; a file with more is not read further than this.
MAX_ANNOTATIONS = 100_000
# In a file that says it is continuous, time stamps this near to their place are no gap: writers round, and a
# missing sample costs its epoch. A file that says it has gaps is taken at its word, to half a sample.
MAX_JITTER_S = 0.02
# Gaps cost memory though nothing lies in them.
MAX_GAPS_S = 24 * 3600.0

TAL = re.compile(rb"([+-][0-9]{1,18}(?:\.[0-9]{0,18})?)(?:\x15([0-9]{1,18}(?:\.[0-9]{0,18})?))?\x14")


@dataclass(frozen=True)
class Timeline:
    """Where the records lie in time.

    Attributes
    ----------
    runs : tuple of (first_record, n_records, start_s)
        Records that follow each other without a gap; `start_s` counts from the first sample.
    offset_s : float
        From the header's start to the first sample.
    duration_s : float
        From the first to the end of the last sample.
    annotations : tuple of (onset_s, duration_s, text)
        From the first sample on.
    faults : tuple of Fault
    """

    runs: tuple[tuple[int, int, float], ...]
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


def read_timeline(file: BinaryIO, header: Header) -> Timeline:
    """Read the annotation signals of a file and place its records in time.

    A file without them is one run. Faults of severity `refused` mean that the records cannot be placed.
    """
    signals = [signal for signal in header.signals if signal.is_annotation]
    whole = Timeline(((0, header.n_records, 0.0),), 0.0, header.n_records * header.record_s)
    if not signals:
        return whole
    stamps, annotations, faults = _scan(file, header, signals)
    known = [stamp for stamp in stamps if stamp is not None]
    if not known:
        severity = "refused" if header.kind.endswith("+D") else "repaired"
        message = "no record says when it was made; the records were taken to follow each other"
        return replace(whole, faults=(*faults, Fault("no-time-keeping", severity, message, "annotations")))
    runs, more = _place(_fill(stamps, header, faults), header)
    offset_s, duration_s = runs[0][2], runs[-1][2] + runs[-1][1] * header.record_s - runs[0][2]
    placed = tuple((first, n, start - offset_s) for first, n, start in runs)
    notes = tuple((onset - offset_s, duration, text) for onset, duration, text in annotations)
    timeline = Timeline(placed, offset_s, duration_s, notes, (*faults, *more))
    return _hold_to_limits(timeline, header)


def _scan(
    file: BinaryIO, header: Header, signals: list[Signal]
) -> tuple[list[float | None], list[tuple[float, float, str]], list[Fault]]:
    """Return each record's time stamp, all annotations, and what was found wrong."""
    stamps: list[float | None] = []
    annotations: list[tuple[float, float, str]] = []
    n_broken = 0
    for record in range(header.n_records):
        at = header.header_bytes + record * header.record_bytes
        for number, signal in enumerate(signals):
            file.seek(at + signal.start_sample * header.sample_bytes)
            content = file.read(signal.samples_per_record * header.sample_bytes)
            tals = [tal for tal in content.split(b"\0") if tal]
            found = [_read_tal(tal) for tal in tals]
            n_broken += found.count(None)
            if number == 0:
                stamps.append(found[0][0] if found and found[0] and found[0][2][:1] in {b"", b"\x14"} else None)
            if len(annotations) < MAX_ANNOTATIONS:
                annotations += [
                    (onset, duration, decode_text(text))
                    for onset, duration, texts in filter(None, found)
                    for text in texts.split(b"\x14")[:MAX_ANNOTATIONS]
                    if text.strip()
                ]
    faults = []
    if n_broken:
        faults.append(Fault("annotation-broken", "repaired", f"{n_broken} annotations are malformed and were left out",
                            "annotations"))  # fmt: skip
    if len(annotations) >= MAX_ANNOTATIONS:
        del annotations[MAX_ANNOTATIONS:]
        faults.append(Fault("annotations-many", "repaired", f"only the first {MAX_ANNOTATIONS} annotations were read",
                            "annotations"))  # fmt: skip
    return stamps, annotations, faults


def _read_tal(tal: bytes) -> tuple[float, float, bytes] | None:
    """Return onset, duration and texts of one list; None if it is malformed."""
    match = TAL.match(tal)
    if not match:
        return None
    return float(match[1]), float(match[2] or 0), tal[match.end() :]


def _fill(stamps: list[float | None], header: Header, faults: list[Fault]) -> list[float]:
    """Return the stamps with unreadable ones filled in where their neighbours leave only one place."""
    filled: list[float] = []
    n_missing = sum(stamp is None for stamp in stamps)
    first = next(i for i, stamp in enumerate(stamps) if stamp is not None)
    for i, stamp in enumerate(stamps):
        if stamp is not None:
            filled.append(stamp)
        elif filled:
            filled.append(filled[-1] + header.record_s)
        else:
            filled.append(stamps[first] - (first - i) * header.record_s)
    if n_missing:
        before = [(i, s) for i, s in enumerate(stamps) if s is not None]
        sure = all(
            abs((t - s) - (j - i) * header.record_s) <= MAX_JITTER_S for (i, s), (j, t) in pairwise(before) if j > i + 1
        ) and not (header.kind.endswith("+D") and None in (stamps[0], stamps[-1]))
        faults.append(Fault(
            "time-keeping-broken", "repaired" if sure else "refused",
            f"{n_missing} records do not say when they were made" + ("; the records around them leave no gap" if sure
            else ", and there is a gap beside them"), "annotations", remedy="" if sure else "export the file again",
        ))  # fmt: skip
    return filled


def _place(stamps: list[float], header: Header) -> tuple[list[tuple[int, int, float]], list[Fault]]:
    """Return runs of records, and what is wrong with their time stamps."""
    record_s, is_declared = header.record_s, header.kind.endswith("+D")
    steps = [b - a for a, b in pairwise(stamps)]
    usual_s = median(steps) if steps else record_s
    if abs(usual_s - record_s) > max(MAX_JITTER_S, 1e-3 * record_s) and not (is_declared and usual_s > record_s):
        return [(0, len(stamps), stamps[0])], [_contradiction(usual_s, record_s)]
    fastest_hz = max(header.rate_hz(signal) for signal in header.signals if not signal.is_annotation)
    tolerance_s = min(MAX_JITTER_S, 0.5 / fastest_hz) if is_declared else MAX_JITTER_S
    runs = [(0, 1, stamps[0])]
    for record, stamp in enumerate(stamps[1:], start=1):
        first, n, start = runs[-1]
        late = stamp - (start + n * record_s)
        if late > tolerance_s:
            runs.append((record, 1, stamp))
        elif late < -MAX_JITTER_S:
            said = f"record {record + 1} starts {-late:.3g} s before the one before it ends"
            fault = Fault("records-overlap", "refused", said, "annotations", f"{stamp:g} s", "export the file again")
            return runs, [fault]
        else:
            runs[-1] = (first, n + 1, start)
    return runs, []


def _contradiction(usual_s: float, record_s: float) -> Fault:
    return Fault(
        "record-duration", "refused",
        f"the header gives a record {record_s:g} s, but the records' own times are {usual_s:g} s apart, so the "
        "sampling rate is not known", "record duration", f"{record_s:g}", "export the file again",
    )  # fmt: skip


def _hold_to_limits(timeline: Timeline, header: Header) -> Timeline:
    """Return the timeline with a fault for its gaps, or one that refuses it before memory is asked for."""
    gaps = timeline.gaps
    missing_s, offset_s = sum(duration for _, duration in gaps), abs(timeline.offset_s)
    found = []
    if offset_s > MAX_GAPS_S:
        found.append(("late-start", "refused", "the first record lies days away from the header's start time"))
    elif missing_s > MAX_GAPS_S or timeline.duration_s > MAX_DURATION_S:
        said = f"with its gaps the recording lasts {timeline.duration_s / 3600:.0f} h; allowed are "
        said += f"{MAX_DURATION_S / 3600:g} h, and {MAX_GAPS_S / 3600:g} h of gaps"
        found.append(("too-long", "refused", said))
    elif gaps:
        declared = "" if header.kind.endswith("+D") else ", although the file says it is continuous"
        said = f"{len(gaps)} gaps of {missing_s:.4g} s together hold no signal{declared}; their epochs are not scored"
        found.append(("gap", "repaired", said))
    if 1 <= offset_s <= MAX_GAPS_S:
        said = f"the first record starts {timeline.offset_s:g} s after the header's start time"
        found.append(("late-start", "repaired", said))
    faults = (
        Fault(code, severity, said, "annotations", remedy="export the file again" if severity == "refused" else "")
        for code, severity, said in found
    )
    return replace(timeline, faults=(*timeline.faults, *faults))
