r"""The annotation signals of EDF+ and BDF+: when each record was made, and what was written beside it.

They hold time-stamped annotation lists (TALs): `+onset[\x15duration]\x14text\x14…\x00`. The first one of a record
has no text and gives the time at which the record begins; only it shows a gap (doi:10.1016/s1388-2457(03)00123-8).
The time stamps of many records are read at once; only records with more than a plain stamp are read one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eegsleep.recording.faults import Fault, decode_text
from eegsleep.recording.pieces import PIECE_BYTES, read_exactly

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from eegsleep.recording.edf.header import Header, Signal
    from eegsleep.recording.pieces import ByteFile

# A night has thousands. No more are read of a file, and lists without a text are limited, too.
MAX_ANNOTATIONS = 100_000
_MAX_LISTS = 4 * MAX_ANNOTATIONS
# Reading a stamp that is not plain takes a microsecond; of further ones the time is not known.
_MAX_ODD_STAMPS = 1_000_000
# Reading this many bytes takes as long as jumping over them.
_JUMP_BYTES = 16_384
# No plain stamp, with sign, digits and the mark after them, is longer.
_STAMP_BYTES = 24

_TIME = re.compile(rb"([+-][0-9]{1,18}(?:\.[0-9]{0,18})?)(?:\x15([0-9]{1,18}(?:\.[0-9]{0,18})?))?\x14")
_LIST = re.compile(rb"[^\0]+")
_MARK, _PLUS, _MINUS, _POINT, _ZERO = b"\x14+-.0"


@dataclass(frozen=True)
class Marks:
    """The content of the annotation signals of a file.

    Attributes
    ----------
    stamps : numpy.ndarray, shape (n_records,)
        When each record begins, in seconds from the header's start; NaN where the file does not give it.
    annotations : tuple of (onset_s, duration_s, text)
        Onset in seconds from the header's start; duration 0 where none is given.
    faults : tuple of Fault
    """

    stamps: np.ndarray
    annotations: tuple[tuple[float, float, str], ...]
    faults: tuple[Fault, ...]


def read_marks(file: ByteFile, header: Header) -> Marks:
    """Read the annotation signals of a file.

    Parameters
    ----------
    file : ByteFile
    header : Header
        With at least one annotation signal that is not empty; the first one holds the time stamps of the records.

    Returns
    -------
    Marks
    """
    import numpy as np

    signals = [signal for signal in header.signals if signal.is_annotation and not signal.is_empty]
    spans = _join_neighbours(signals)
    stamps, texts, n_odd = np.full(header.n_records, np.nan), _Texts(), 0
    for first, (timed, *others) in _read_blocks(file, header, spans):
        values, is_odd, has_more = _read_stamps(timed)
        n_odd += int(np.count_nonzero(is_odd))
        odd = np.flatnonzero(is_odd) if n_odd <= _MAX_ODD_STAMPS else ()
        for row in odd:
            values[row] = _read_first_stamp(timed[row].tobytes())
        stamps[first : first + len(values)] = values
        for row in np.flatnonzero(is_odd | has_more):
            if texts.is_full:
                break
            texts.take(timed[row].tobytes())
        for span, rows in zip(spans[1:], others, strict=True):
            starts = np.array([s.start_sample - span[0].start_sample for s in span]) * header.sample_bytes
            for row in np.flatnonzero(rows.any(axis=1)) if not texts.is_full else ():
                for content in _split_signals(rows[row], starts):
                    texts.take(content)
    return Marks(stamps, tuple(texts.annotations[:MAX_ANNOTATIONS]), tuple(texts.faults()))


def _join_neighbours(signals: list[Signal]) -> list[list[Signal]]:
    """Return the first signal in a list of its own, then the others, neighbours together in one list."""
    spans = [[signals[0]]]
    for signal in signals[1:]:
        last = spans[-1][-1]
        if len(spans) > 1 and last.start_sample + last.samples_per_record == signal.start_sample:
            spans[-1].append(signal)
        else:
            spans.append([signal])
    return spans


def _read_blocks(file: ByteFile, header: Header, spans: list[list[Signal]]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield the number of a record and, for it and those after it, the bytes of each span, shape (n_records, n)."""
    import numpy as np

    size, width = header.record_bytes, header.sample_bytes
    places = [
        (span[0].start_sample * width, (span[-1].start_sample + span[-1].samples_per_record) * width) for span in spans
    ]
    if size <= _JUMP_BYTES * len(places):
        step = max(1, PIECE_BYTES // size)
        for first in range(0, header.n_records, step):
            rows = np.empty((min(step, header.n_records - first), size), np.uint8)
            read_exactly(file, header.header_bytes + first * size, rows.data.cast("B"))
            yield first, [rows[:, start:stop] for start, stop in places]
        return
    step = max(1, PIECE_BYTES // sum(stop - start for start, stop in places))
    for first in range(0, header.n_records, step):
        blocks = [np.empty((min(step, header.n_records - first), stop - start), np.uint8) for start, stop in places]
        for (start, _), rows in zip(places, blocks, strict=True):
            for number, row in enumerate(rows, start=first):
                read_exactly(file, header.header_bytes + number * size + start, row.data)
        yield first, blocks


def _read_stamps(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the plain time stamps, where a stamp is not plain, and where text follows a plain stamp.

    A plain stamp is a sign, digits with one point at most, the mark 0x14, and a second mark or the end of the list.

    Parameters
    ----------
    rows : numpy.ndarray of uint8, shape (n_records, n_bytes)
        The first annotation signal of some records.

    Returns
    -------
    stamps_s : numpy.ndarray of float, shape (n_records,)
        NaN where a stamp is not plain.
    is_odd, has_more : numpy.ndarray of bool, shape (n_records,)
    """
    import numpy as np

    width = min(rows.shape[1], _STAMP_BYTES)
    columns = np.ascontiguousarray(rows[:, :width].T)
    end = (columns == _MARK).argmax(axis=0)
    plain = ((columns[0] == _PLUS) | (columns[0] == _MINUS)) & (end > 1)
    value, decimals, has_point = np.zeros(end.size), np.zeros(end.size, np.int8), np.zeros(end.size, bool)
    for place in range(1, int(end.max())):
        digit, inside = columns[place] - np.uint8(_ZERO), place < end
        is_digit, is_point = inside & (digit <= 9), inside & (columns[place] == _POINT)
        plain &= ~inside | is_digit | (is_point & ~has_point & (place > 1))
        value = np.where(is_digit, 10 * value + digit, value)
        decimals += is_digit & has_point
        has_point |= is_point
    follows = np.minimum(end + 1, width - 1)
    after = np.where(end + 1 < width, np.take_along_axis(columns, follows[None], axis=0)[0], 0)
    plain &= ((after == 0) | (after == _MARK)) & (value < 2**53) & ((end + 1 < width) | (width == rows.shape[1]))
    n_used = np.count_nonzero(rows, axis=1)
    has_more = plain & (n_used > end + 1 + (after == _MARK))
    value = np.where(columns[0] == _MINUS, -value, value) / 10.0**decimals
    return np.where(plain, value, np.nan), ~plain & (n_used > 0), has_more


def _read_first_stamp(content: bytes) -> float:
    """Return the time stamp of one record, NaN if its first list does not give one."""
    match = _TIME.match(content, len(content) - len(content.lstrip(b"\0")))
    return (
        float(match[1]) if match and content[match.end() : match.end() + 1] in {b"", b"\0", b"\x14"} else float("nan")
    )


def split_lists(content: bytes) -> Iterator[tuple[re.Match[bytes] | None, bytes]]:
    """Yield the time of each list in an annotation signal, and the texts after it, as they are written.

    Parameters
    ----------
    content : bytes
        What one annotation signal holds in one record.

    Yields
    ------
    time : re.Match or None
        Group 1 is the onset in seconds, group 2 the duration or None. None if the list does not begin with a time.
    texts : bytes
        Each ends in 0x14, except perhaps the last.
    """
    for found in _LIST.finditer(content):
        time = _TIME.match(found[0])
        yield time, found[0][time.end() :] if time else found[0]


def _split_signals(row: np.ndarray, starts: np.ndarray) -> Iterator[bytes]:
    """Yield the content of each signal in a row of several, leaving out empty ones."""
    import numpy as np

    stops = [*starts[1:], row.size]
    for number in np.flatnonzero(np.maximum.reduceat(row, starts)):
        yield row[starts[number] : stops[number]].tobytes()


@dataclass
class _Texts:
    """The annotations found so far, until there are too many."""

    annotations: list[tuple[float, float, str]] = field(default_factory=list)
    n_lists: int = 0
    n_broken: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.annotations) >= MAX_ANNOTATIONS or self.n_lists >= _MAX_LISTS

    def take(self, content: bytes) -> None:
        """Add what one annotation signal of one record holds."""
        for time, rest in split_lists(content):
            if self.is_full:
                return
            self.n_lists += 1
            if time is None:
                self.n_broken += 1
                continue
            onset, duration = float(time[1]), float(time[2] or 0)
            left = MAX_ANNOTATIONS - len(self.annotations)
            self.annotations += [
                (onset, duration, decode_text(text)) for text in rest.split(b"\x14", left)[:left] if text.strip()
            ]

    def faults(self) -> Iterator[Fault]:
        """Yield what was wrong with the annotations."""
        if self.n_broken:
            said = f"{self.n_broken} annotations are malformed and were left out"
            yield Fault("annotation-broken", "repaired", said, "annotations")
        if self.is_full:
            said = f"there are too many annotations, with text or without; the first {len(self.annotations)} were read"
            yield Fault("annotations-many", "repaired", said, "annotations")
