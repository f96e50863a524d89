"""The samples of the channels asked for, each at its time, from an EDF or BDF file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.limits import MAX_DURATION_S
from eegsleep.recording.pieces import PIECE_BYTES, read_exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from io import FileIO

    import numpy as np

    from eegsleep.recording.edf.header import Header, Signal
    from eegsleep.recording.edf.timeline import Timeline
    from eegsleep.recording.pieces import ByteFile

    Opener = Callable[[], AbstractContextManager[FileIO]]

# Below this share of a record it is faster to jump from channel to channel than to read the others, too, unless the
# records are so short that a jump takes longer than reading on.
_SPARSE = 0.25
_MIN_JUMP_BYTES = 8_192
# Gaps are filled with NaN, and time stamps may put two short records a day apart. The signals with their gaps may be
# twenty times as long as without (one epoch recorded of twenty), or as long as 72 h of one channel at 512 Hz: 1 GB.
_MAX_FILL = 20
_SMALL_SAMPLES = int(MAX_DURATION_S) * 512


def load(opener: Opener, header: Header, timeline: Timeline, labels: Sequence[str]) -> list[np.ndarray]:
    """Return signals in their own units; gaps are NaN.

    Parameters
    ----------
    opener : callable
        Opens the file.
    header : Header
    timeline : Timeline
    labels : sequence of str

    Returns
    -------
    list of numpy.ndarray, each of shape (round(timeline.duration_s * rate_hz),)
        float64, in the order of `labels`.

    Raises
    ------
    RecordingError
        If gaps would need far more memory than the samples, or if the file is shorter than when it was opened.
    """
    import numpy as np

    by_label = {signal.label: signal for signal in header.signals}
    signals = [by_label[label] for label in labels]
    sizes = [_position(timeline.duration_s, header.rate_hz(signal)) for signal in signals]
    held = header.n_records * sum(signal.samples_per_record for signal in signals)
    if sum(sizes) > max(_MAX_FILL * held, _SMALL_SAMPLES):
        raise RecordingError(
            "the gaps of the recording would take far more memory than its signal",
            found=f"{held:,} samples spread over the time of {sum(sizes):,}",
            allowed=f"{_MAX_FILL} times as many, or {_SMALL_SAMPLES:,}",
            remedy="split the file at its gaps",
        )
    is_whole = all(size == header.n_records * s.samples_per_record for size, s in zip(sizes, signals, strict=True))
    out = [np.empty(size) if is_whole and len(timeline.runs) == 1 else np.full(size, math.nan) for size in sizes]
    used = sum(signal.samples_per_record for signal in signals)
    is_sparse = used < _SPARSE * header.record_samples and header.record_bytes >= _MIN_JUMP_BYTES
    read = _read_sparse if is_sparse else _read_dense
    with opener() as file:
        for first, n_records, start_s in timeline.runs:
            targets = []
            for signal, array in zip(signals, out, strict=True):
                at = min(_position(start_s, header.rate_hz(signal)), array.size - n_records * signal.samples_per_record)
                targets.append(array[at : at + n_records * signal.samples_per_record].reshape(n_records, -1))
            read(file, header, first, signals, targets)
    return out


def _position(seconds: float, rate_hz: float) -> int:
    return round(seconds * rate_hz)


def _read_dense(file: ByteFile, header: Header, first: int, signals: list[Signal], targets: list[np.ndarray]) -> None:
    """Read whole records in pieces, and keep the signals that are asked for."""
    n_records, size = len(targets[0]), header.record_bytes
    step = max(1, PIECE_BYTES // size)
    buffer = bytearray(min(step, n_records) * size)
    for at in range(0, n_records, step):
        n = min(step, n_records - at)
        read_exactly(file, header.header_bytes + (first + at) * size, memoryview(buffer)[: n * size])
        for signal, target in zip(signals, targets, strict=True):
            _decode(buffer, (n, size), signal.start_sample, signal, header.sample_bytes, target[at : at + n])


def _read_sparse(file: ByteFile, header: Header, first: int, signals: list[Signal], targets: list[np.ndarray]) -> None:
    """Jump in each record from one signal that is asked for to the next."""
    n_records = len(targets[0])
    for signal, target in zip(signals, targets, strict=True):
        size = signal.samples_per_record * header.sample_bytes
        place = header.header_bytes + first * header.record_bytes + signal.start_sample * header.sample_bytes
        step = max(1, PIECE_BYTES // size)
        for at in range(0, n_records, step):
            n = min(step, n_records - at)
            piece = bytearray(n * size)
            view = memoryview(piece)
            for i in range(n):
                file.seek(place + (at + i) * header.record_bytes)
                if file.readinto(view[i * size : (i + 1) * size]) != size:
                    read_exactly(file, place + (at + i) * header.record_bytes, view[i * size : (i + 1) * size])
            _decode(piece, (n, size), 0, signal, header.sample_bytes, target[at : at + n])


def _decode(
    piece: bytearray, shape: tuple[int, int], start_sample: int, signal: Signal, width: int, target: np.ndarray
) -> None:
    """Turn the bytes of one signal in some records into physical values, into `target` of (n_records, n_samples)."""
    import numpy as np

    rows = np.frombuffer(piece, np.uint8, shape[0] * shape[1]).reshape(shape)
    start = start_sample * width
    rows = rows[:, start : start + signal.samples_per_record * width]
    if width == 2:
        digits = np.ascontiguousarray(rows).view("<i2")
    else:
        three = rows.reshape(shape[0], -1, 3).astype(np.int32)
        digits = three[..., 0] | three[..., 1] << 8 | three[..., 2].astype(np.int8).astype(np.int32) << 16
    np.subtract(digits, signal.digital_min, out=target)
    target *= signal.gain
    target += signal.physical_min
