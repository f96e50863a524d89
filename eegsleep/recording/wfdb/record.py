"""Records in PhysioNet's own format (WFDB): a header `.hea` in text, and files of samples beside it.

The files that the header names must be in the same folder and must fit it. The `wfdb` package decodes the samples.
"""

from __future__ import annotations

import re
import warnings
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.plain_files import real_path
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.limits import MAX_DURATION_S
from eegsleep.recording.source import Source, SourceChannel
from eegsleep.recording.wfdb.header import BITS, DOWNLOAD, header_error, read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from eegsleep.recording.wfdb.header import WfdbHeader, WfdbSignal

KIND = "WFDB"
# Samples of all signals that are decoded at a time; wfdb uses 8 bytes for each.
_PIECE_SAMPLES = 4_000_000
_BESIDE = re.compile(r"[-\w]+(?:\.\w+)?", re.ASCII)


def open_wfdb(path: Path) -> Source:
    """Open a WFDB record by its header; no signal is read yet, and the network is not used.

    Parameters
    ----------
    path : Path
        The header, `.hea`.

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If the `wfdb` package is missing, the header names files elsewhere or several segments, or its files do not fit
        it.
    """
    if find_spec("wfdb") is None:
        raise RecordingError(
            f"{path.name} is a WFDB record, and the package wfdb is needed to read it",
            found="no wfdb",
            remedy='install it with: pip install "eegsleep[wfdb]"',
        )
    _check_name(path)
    header = read_header(path)
    files = _find_files(path, header)
    if header.n_frames is None:
        raise header_error(path, "its first line does not say how many samples there are", f"files {', '.join(files)}")
    n_there = min(_count_frames(file, [s for s in header.signals if s.file == name]) for name, file in files.items())
    n_frames, faults = _count_usable_frames(header.rate_hz, header.n_frames, n_there)
    is_whole = not faults
    if n_frames:
        faults += _find_first_sample_faults(path, header, is_whole=is_whole)
    duration_s = n_frames / header.rate_hz
    if not 0 < duration_s <= MAX_DURATION_S:
        raise RecordingError(f"{path.name} is no night", found=f"{duration_s / 3600:.4g} h", allowed="up to 72 h")
    return Source(
        path=path,
        files=(path, *files.values()),
        kind=KIND,
        channels=tuple(
            SourceChannel(
                s.label,
                header.rate_hz * s.per_frame,
                s.unit,
                1 / abs(s.gain),
                _scale_span(s),
                s.span,
            )
            for s in header.signals
        ),
        start=header.start,
        duration_s=duration_s,
        load=partial(_load, path, header.signals, n_frames, is_whole=is_whole),
        faults=(*header.faults, *faults),
    )


def _scale_span(signal: WfdbSignal) -> tuple[float, float]:
    """Return the smallest and largest value in the signal's unit."""
    low, high = ((digital - signal.baseline) / signal.gain for digital in signal.span)
    return (high, low) if signal.gain < 0 else (low, high)


def _check_name(path: Path) -> None:
    """Raise if wfdb would read the path as the address of other files: it opens every file chained by `::`."""
    if path.suffix != ".hea" or "::" in str(path.absolute()):
        raise RecordingError(
            f"{clean_text(path.name)} is the header of a WFDB record, but its path is not one of a header",
            allowed="a name that ends in .hea, and no :: in the path",
            remedy="rename it, or copy the record to another folder",
        )


def _find_files(path: Path, header: WfdbHeader) -> dict[str, Path]:
    """Return the files of samples by name; raise if one is in another folder or missing."""
    files = {}
    for name in dict.fromkeys(signal.file for signal in header.signals):
        file = path.parent / name
        if not _BESIDE.fullmatch(name) or real_path(file).parent != real_path(path.parent):
            raise RecordingError(
                f"{path.name} cannot be read: it names a file that is not beside it",
                found=clean_text(name),
                allowed=f"a file in the folder of {path.name}, and no link to another place",
                remedy="copy the files of the record into one folder, and correct the name in its header",
            )
        if not file.is_file():
            raise RecordingError(
                f"{path.name} cannot be read: its file of samples is not there", found=name, remedy=DOWNLOAD
            )
        if len({(s.format, s.offset_bytes) for s in header.signals if s.file == name}) > 1:
            raise header_error(path, "signals of one file have different formats", name)
        files[name] = file
    return files


def _count_frames(file: Path, signals: Sequence[WfdbSignal]) -> int:
    """Return how many whole frames a file of samples holds."""
    bits = 8 * max(0, file.stat().st_size - signals[0].offset_bytes)
    return int(Fraction(bits, sum(s.per_frame for s in signals) * BITS[signals[0].format]))


def _count_usable_frames(rate_hz: float, n_declared: int, n_there: int) -> tuple[int, list[Fault]]:
    """Return how many frames to read, and a fault if their files hold another number than the header declares."""
    if n_there == n_declared:
        return n_there, []
    there, declared = (f"{n / rate_hz / 60:.1f}" for n in (n_there, n_declared))
    if n_there < n_declared:
        said = f"the file is cut off: {there} of the declared {declared} min are there"
        return n_there, [Fault("cut-off", "repaired", said, "number of samples", str(n_declared), DOWNLOAD)]
    if n_there - n_declared < rate_hz:  # padding
        return n_declared, []
    said = f"the file goes on after its last sample; only the declared {declared} min were read"
    return n_declared, [Fault("trailing-bytes", "repaired", said, "number of samples", str(n_declared))]


def _find_first_sample_faults(path: Path, header: WfdbHeader, *, is_whole: bool) -> list[Fault]:
    """Return a fault for each signal whose first sample is not the one that the header gives.

    Raises
    ------
    RecordingError
        If the length differs, too: then the samples are not written as the header describes them.
    """
    begins = _decode(path, list(range(len(header.signals))), 0, 1)
    odd = [
        (s, int(digital[0]))
        for s, digital in zip(header.signals, begins, strict=True)
        if s.first is not None and digital[0] != s.first
    ]
    if odd and not is_whole:
        raise header_error(path, "neither the number of samples nor the first of them is what it says", odd[0][0].label)
    said = "its first sample is not the one the header gives, so header and samples may not belong together"
    return [
        Fault("first-sample", "needs the user", said, "initial value", f"{s.first}, found {found}", DOWNLOAD, s.label)
        for s, found in odd
    ]


def _load(
    path: Path, signals: Sequence[WfdbSignal], n_frames: int, labels: Sequence[str], *, is_whole: bool
) -> list[np.ndarray]:
    """Return the signals asked for in their own units, float64; NaN where the format says a sample is missing.

    Raises
    ------
    RecordingError
        If the samples of a whole file do not have the sum that the header gives.
    """
    import numpy as np

    places = {signal.label: i for i, signal in enumerate(signals)}
    if unknown := [label for label in labels if label not in places]:
        raise RecordingError(f"{path.name} has no such channel", found=", ".join(unknown), allowed=", ".join(places))
    wanted = [places[label] for label in labels]
    out = [np.empty(n_frames * signals[i].per_frame) for i in wanted]
    sums, n_missing = dict.fromkeys(wanted, 0), dict.fromkeys(wanted, 0)
    step = max(1, _PIECE_SAMPLES // sum(signal.per_frame for signal in signals))
    for first in range(0, n_frames, step):
        stop = min(n_frames, first + step)
        for array, place, digital in zip(out, wanted, _decode(path, wanted, first, stop), strict=True):
            signal = signals[place]
            piece = (digital - signal.baseline) / signal.gain
            is_missing = digital == signal.missing
            piece[is_missing] = np.nan
            sums[place] += int(digital.sum(dtype=np.int64))
            n_missing[place] += int(is_missing.sum())
            array[first * signal.per_frame : stop * signal.per_frame] = piece
    for place in sorted(sums) if is_whole else ():
        _check_sum(path, signals[place], sums[place], n_missing[place])
    return out


def _check_sum(path: Path, signal: WfdbSignal, total: int, n_missing: int) -> None:
    """Raise if the sum of a signal's samples is not that of its header."""
    if signal.checksum is None:
        return
    # for a missing sample, some programs add the number of its format, and some that of 16 bits
    sums = {total % 65536, (total + n_missing * (-32768 - signal.missing)) % 65536}
    if signal.checksum % 65536 not in sums:
        raise RecordingError(
            f"the samples of {signal.label} are not those that {path.name} describes",
            found=f"a sum of {total % 65536}",
            allowed=f"{signal.checksum % 65536}, as the header has it",
            remedy=DOWNLOAD,
        )


def _decode(path: Path, channels: list[int], first: int, stop: int) -> list[np.ndarray]:
    """Return the digital values of some signals in some frames, one array of integers a signal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import warns
        import wfdb

    name = str(path.absolute().with_suffix(""))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # without `pn_dir` it reads local files only
            record = wfdb.rdrecord(name, first, stop, channels, physical=False, smooth_frames=False)
    except MemoryError:
        raise
    except Exception as error:  # wfdb raises exceptions of every kind for bytes it does not expect
        found = clean_text(str(error)) or type(error).__name__
        raise RecordingError(f"the signals of {path.name} cannot be read", found=found, remedy=DOWNLOAD) from error
    return record.e_d_signal
