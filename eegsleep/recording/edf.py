"""EDF and BDF files as a `Source`: checked header, records placed in time, samples of the channels asked for."""

from __future__ import annotations

import gzip
import math
import tempfile
import weakref
import zlib
from contextlib import ExitStack, nullcontext
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from eegsleep.recording.annotations import Timeline, read_timeline
from eegsleep.recording.faults import Fault
from eegsleep.recording.header import MAX_DURATION_S, Header, HeaderRefusedError, inspect_header
from eegsleep.recording.source import Source, SourceChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    from eegsleep.recording.header import Signal

    Opener = Callable[[], AbstractContextManager[BinaryIO]]

# Records are taken in pieces of about this size, so that memory follows the channels asked for.
_PIECE_BYTES = 4_000_000
# Below this share of a record it is quicker to jump from channel to channel than to read past the others.
_SPARSE = 0.25


def open_edf(path: Path) -> Source:
    """Open an EDF or BDF file, gzipped or not, and check it; no signal is read yet.

    Faults of severity `refused` that concern the whole file raise `HeaderRefusedError`.
    """
    opener, size_bytes = open_bytes(path)
    with opener() as file:
        header = inspect_header(file, size_bytes)
        timeline = read_timeline(file, header)
    refusal = next((fault for fault in timeline.faults if fault.severity == "refused"), None)
    if refusal:
        raise HeaderRefusedError([*header.faults, *timeline.faults[: timeline.faults.index(refusal) + 1]])
    signals = [signal for signal in header.signals if not signal.is_annotation]
    return Source(
        path=path,
        files=(path,),
        kind=header.kind,
        channels=tuple(
            SourceChannel(
                s.label,
                header.rate_hz(s),
                s.unit,
                s.gain,
                (s.physical_min, s.physical_max),
                (s.digital_min, s.digital_max),
            )
            for s in signals
        ),
        start=header.start + timedelta(seconds=timeline.offset_s) if header.start else None,
        duration_s=timeline.duration_s,
        load=partial(_load, opener, header, timeline),
        identity=header.identity,
        gaps=timeline.gaps,
        annotations=timeline.annotations,
        record_s=header.record_s,
        faults=(*header.faults, *timeline.faults),
    )


def open_bytes(path: Path) -> tuple[Opener, int]:
    """Return how to open the bytes of the file, and how many there are; a gzipped one is unpacked once."""
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    if not is_packed:
        return partial(path.open, "rb", buffering=0), path.stat().st_size
    unpacked = _unpack(path)
    opener = partial(nullcontext, unpacked)
    weakref.finalize(opener, unpacked.close)
    return opener, unpacked.seek(0, 2)


def _unpack(path: Path) -> BinaryIO:
    """Return a temporary file with what a gzipped file holds, and no more than its header says it does."""
    with ExitStack() as on_failure:
        unpacked = on_failure.enter_context(tempfile.TemporaryFile(buffering=0))
        try:
            with gzip.open(path) as packed:
                _copy_recording(packed, unpacked)
        except (OSError, EOFError, zlib.error) as error:
            fault = Fault(
                "gzip", "refused", "the gzip file is broken", value=str(error), remedy="pack or copy it again"
            )
            raise HeaderRefusedError([fault]) from error
        on_failure.pop_all()
    return unpacked


def _copy_recording(packed: BinaryIO, unpacked: BinaryIO) -> None:
    """Copy header and records; a stream that goes on for ever ends where the header says it does."""
    main = packed.read(256)
    n_signals = main[252:].strip()
    unpacked.write(main + packed.read(256 * int(n_signals) if n_signals.isdigit() else 0))
    header = inspect_header(unpacked, None)
    n_records = header.n_records if header.n_records > 0 else int(MAX_DURATION_S / header.record_s)
    left = (n_records + 1) * header.record_bytes
    unpacked.seek(0, 2)
    while left > 0 and (piece := packed.read(min(left, _PIECE_BYTES))):
        unpacked.write(piece)
        left -= len(piece)


def _load(opener: Opener, header: Header, timeline: Timeline, labels: Sequence[str]) -> list[np.ndarray]:
    """Return the signals in their own units, one float64 array a label; gaps are NaN."""
    import numpy as np

    by_label = {signal.label: signal for signal in header.signals}
    signals = [by_label[label] for label in labels]
    out = [np.full(_position(timeline.duration_s, header.rate_hz(s)), math.nan) for s in signals]
    used = sum(signal.samples_per_record for signal in signals)
    read = _read_sparse if used < _SPARSE * header.record_samples else _read_dense
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


def _read_dense(file: BinaryIO, header: Header, first: int, signals: list[Signal], targets: list[np.ndarray]) -> None:
    """Read whole records in pieces, and keep of each what is asked for."""
    n_records = len(targets[0])
    step = max(1, _PIECE_BYTES // header.record_bytes)
    file.seek(header.header_bytes + first * header.record_bytes)
    for at in range(0, n_records, step):
        n = min(step, n_records - at)
        piece = file.read(n * header.record_bytes)
        for signal, target in zip(signals, targets, strict=True):
            _decode(
                piece, n, header.record_bytes, signal.start_sample, signal, header.sample_bytes, target[at : at + n]
            )


def _read_sparse(file: BinaryIO, header: Header, first: int, signals: list[Signal], targets: list[np.ndarray]) -> None:
    """Jump in each record from one channel that is asked for to the next."""
    n_records = len(targets[0])
    for signal, target in zip(signals, targets, strict=True):
        size = signal.samples_per_record * header.sample_bytes
        place = header.header_bytes + first * header.record_bytes + signal.start_sample * header.sample_bytes
        step = max(1, _PIECE_BYTES // size)
        for at in range(0, n_records, step):
            n = min(step, n_records - at)
            piece = bytearray(n * size)
            view = memoryview(piece)
            for i in range(n):
                file.seek(place + (at + i) * header.record_bytes)
                file.readinto(view[i * size : (i + 1) * size])
            _decode(piece, n, size, 0, signal, header.sample_bytes, target[at : at + n])


def _decode(
    piece: bytes | bytearray,
    n: int,
    record_bytes: int,
    start_sample: int,
    signal: Signal,
    width: int,
    target: np.ndarray,
) -> None:
    """Turn the bytes of one signal in `n` records into physical values, into `target` of shape (n, samples)."""
    import numpy as np

    rows = np.frombuffer(piece, np.uint8, n * record_bytes).reshape(n, record_bytes)
    start = start_sample * width
    rows = rows[:, start : start + signal.samples_per_record * width]
    if width == 2:
        digits = np.ascontiguousarray(rows).view("<i2")
    else:
        three = rows.reshape(n, -1, 3).astype(np.int32)
        digits = three[..., 0] | three[..., 1] << 8 | three[..., 2].astype(np.int8).astype(np.int32) << 16
    np.subtract(digits, signal.digital_min, out=target)
    target *= signal.gain
    target += signal.physical_min
