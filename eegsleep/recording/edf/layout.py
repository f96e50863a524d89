"""How many records an EDF or BDF file holds, where its header and its size disagree.

A recorder that stops, a full card, or a wrong field in the header: each makes header and size differ, and only the
file can show which it was. With a wrong length of the record, every signal is read as pieces of the others. If the
length is right, neighbouring records fit together: the step from the last sample of one to the first of the next is
like any other step of that signal. If it is wrong, they do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING

from eegsleep.recording.faults import Fault

if TYPE_CHECKING:
    from eegsleep.recording.pieces import ByteFile

# First two and last two digital values of a signal in one record.
Edges = tuple[int, int, int, int]

# Rates at which recorders sample, in Hz; their clocks are off by up to 0.1 %.
_USUAL_RATES_HZ = (
    0.5,
    1,
    2,
    4,
    5,
    8,
    10,
    16,
    20,
    25,
    32,
    40,
    50,
    64,
    75,
    100,
    125,
    128,
    160,
    200,
    220,
    240,
    250,
    256,
    300,
    320,
    400,
    480,
    500,
    512,
    600,
    800,
    1000,
    1024,
    1200,
    2000,
    2048,
    2400,
    4000,
    4096,
    5000,
    8192,
    10000,
    16384,
)
# Records that are compared; with a dozen joints, right and wrong lengths differ by a factor of three and more.
_N_PROBED = 40
_MIN_JOINTS = 4
_PROBED_BYTES = 4_000_000
# A layout is accepted if the steps at its joints are smaller than this share of those of every other layout.
_CLEARLY = 0.6
_REEXPORT = "copy the file again from the recorder, or export it again"


@dataclass(frozen=True)
class Extent:
    """The number of whole records to read, and the faults that were found."""

    n_records: int
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where records and signals are in a file, by its header.

    Attributes
    ----------
    start : int
        Where the first record begins, in bytes.
    counts : tuple of int
        Samples a record of each signal.
    counted : tuple of bool
        False for annotation signals.
    sample_bytes : int
        2 in EDF, 3 in BDF.
    record_s : float
        Duration of a record.
    """

    start: int
    counts: tuple[int, ...]
    counted: tuple[bool, ...]
    sample_bytes: int
    record_s: float

    @property
    def record_bytes(self) -> int:
        """Size of a record."""
        return sum(self.counts) * self.sample_bytes


def is_usual_rate(rate_hz: float, tolerance: float = 1e-3) -> bool:
    """Return whether any recorder is known to sample at this rate.

    Parameters
    ----------
    rate_hz : float
    tolerance : float
        Share of a rate.

    Returns
    -------
    bool
        True within that tolerance of a known rate.
    """
    return any(abs(rate_hz / usual - 1) < tolerance for usual in _USUAL_RATES_HZ)


def find_extent(file: ByteFile, data_bytes: int, n_declared: int, layout: Layout) -> Extent:
    """Return how many records a file holds that belong to the recording.

    Parameters
    ----------
    file : ByteFile
    data_bytes : int
        Bytes after the header.
    n_declared : int
        Records as the header counts them; EDF writes -1 while it records.
    layout : Layout

    Returns
    -------
    Extent
    """
    n_there, rest = divmod(data_bytes, layout.record_bytes)
    if n_there < 1:
        return _refused("no-data", "the file holds no whole record", f"{max(data_bytes, 0)} bytes of data", n_there)
    if n_declared < -1:
        said = "the number of records cannot be negative"
        return _refused("record-count", said, str(n_declared), n_there)
    if n_declared == n_there and not rest:
        return Extent(n_there)
    if n_declared in {0, -1}:
        said = "the recorder was not stopped properly, and the header gives no length; "
        return _noted(n_there, "length-unknown", said + f"{_minutes(n_there, layout)} min were read", n_declared)
    if n_declared > 0 and _is_sound(file, data_bytes, n_declared, layout):
        return _choose_extent(file, n_there, rest, n_declared, layout)
    said = "header and size of the file disagree, and the records do not fit together as the header has them; "
    said += "the samples per record or the number of records are wrong"
    value = f"{n_declared} records of {layout.record_bytes} bytes in {data_bytes} bytes"
    return _refused("layout", said, value, n_there)


def _choose_extent(file: ByteFile, n_there: int, rest: int, n_declared: int, layout: Layout) -> Extent:
    """Return the extent of a file in which only the number of records is wrong."""
    there, declared = _minutes(n_there, layout), _minutes(n_declared, layout)
    if n_there < n_declared:
        said = f"the file is cut off: {there} of the declared {declared} min are there"
        return _noted(n_there, "cut-off", said, n_declared)
    if not rest and _goes_on(file, n_declared, layout):
        said = f"the header counts too few records; all {there} min of the file were read"
        return _noted(n_there, "record-count", said, n_declared)
    said = f"the file goes on after its last record; only the declared {declared} min were read"
    return _noted(n_declared, "trailing-bytes", said, n_declared)


def _minutes(n_records: int, layout: Layout) -> str:
    return f"{n_records * layout.record_s / 60:.1f}"


def _is_sound(file: ByteFile, data_bytes: int, n_declared: int, layout: Layout) -> bool:
    """Return whether the layout is right, if another number of samples of one signal would explain the size, too."""
    if not any(layout.counted):  # annotations alone: there is no signal to compare
        return True
    other_bytes, rest = divmod(data_bytes, n_declared)
    change, odd = divmod(other_bytes - layout.record_bytes, layout.sample_bytes)
    if rest or odd or not change:
        return True
    others = [
        replace(layout, counts=(*layout.counts[:i], count + change, *layout.counts[i + 1 :]))
        for i, count in enumerate(layout.counts)
        if is_usual_rate((count + change) / layout.record_s)
    ]
    if not others:
        return True
    content = _probe(file, layout.start, max(layout.record_bytes, other_bytes))
    roughness = _roughness(content, layout)
    return roughness is not None and all(
        other is not None and roughness < _CLEARLY * other for other in (_roughness(content, o) for o in others)
    )


def _goes_on(file: ByteFile, n_declared: int, layout: Layout) -> bool:
    """Return whether the bytes after the declared records look like more of the same signals."""
    start, size = layout.start, layout.record_bytes
    before = _edges(_probe(file, start, size), layout)
    after = _edges(_probe(file, start + n_declared * size, size), layout)
    last = _edges(_probe(file, start + (n_declared - 1) * size, size, n_records=2), layout)
    for mine, next_ones, border in zip(before, after, last, strict=True):
        usual = _inner_step(mine)
        if not (usual / 3 <= _inner_step(next_ones) <= usual * 3 and _joints(border)[0] <= 20 * usual):
            return False
    return bool(before)  # with two samples a record nothing can be compared


def _roughness(content: bytes, layout: Layout) -> float | None:
    """Return the ratio of the steps between records to those within them; None if there are too few."""
    ratios = []
    for edges in _edges(content, layout):
        joints, within = _joints(edges), _inner_step(edges)
        if len(joints) >= _MIN_JOINTS and within > 0:
            ratios.append(mean(joints) / within)
    return mean(ratios) if ratios else None


def _probe(file: ByteFile, start: int, record_bytes: int, n_records: int = _N_PROBED) -> bytes:
    """Return the first records from `start` on: enough joints, and at most a few megabytes."""
    file.seek(start)
    return file.read(record_bytes * max(_MIN_JOINTS + 1, min(n_records, _PROBED_BYTES // record_bytes)))


def _edges(content: bytes, layout: Layout) -> list[list[Edges]]:
    """Return for each signal the first and last two digital values of every record; annotations are left out."""
    width, size = layout.sample_bytes, layout.record_bytes

    def digit(at: int) -> int:
        return int.from_bytes(content[at : at + width], "little", signed=True)

    edges: list[list[Edges]] = []
    place = 0
    for count, is_counted in zip(layout.counts, layout.counted, strict=True):
        if is_counted and count > 2:
            first, last = place, place + (count - 1) * width
            starts = range(0, len(content) - size + 1, size)
            edges.append(
                [
                    (digit(at + first), digit(at + first + width), digit(at + last - width), digit(at + last))
                    for at in starts
                ]
            )
        place += count * width
    return edges


def _joints(edges: list[Edges]) -> list[int]:
    """Return the steps between neighbouring records."""
    return [abs(after[0] - before[3]) for before, after in pairwise(edges)]


def _inner_step(edges: list[Edges]) -> float:
    """Return the mean step within records."""
    return mean((abs(b - a) + abs(d - c)) / 2 for a, b, c, d in edges) if edges else 0.0


def _refused(code: str, message: str, value: str, n_records: int) -> Extent:
    return Extent(n_records, (Fault(code, "refused", message, "number of records", value, _REEXPORT),))


def _noted(n_records: int, code: str, message: str, n_declared: int) -> Extent:
    return Extent(n_records, (Fault(code, "repaired", message, "number of records", str(n_declared)),))
