"""The signal of a night inside its page: whole steps of microvolts, differences, deflated, in base64.

An 8 h night of four channels has 11.5 million samples at 100 Hz. Written as 16-bit numbers in base64 they take 31 MB.
The samples are rounded to a step, replaced by their differences from what the samples before predict, and packed with
the Huffman coding of deflate, which every browser can undo (`DecompressionStream`). At 1 µV that takes 8.6 MB for a
simulated night of two EEG, an EOG and an EMG; at 0.5 µV 10.5 MB.

`templates/night/signal.js` is the other half: it decodes what `encode_trace` writes.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ
from eegsleep.signals.two_channels import measure_each

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.recording.recording import Recording

# How fine the samples are, by what `--trace` asks for.
STEPS_UV = {"light": 1.0, "full": 0.5}
TRACE_CHOICES = ("none", *STEPS_UV)
# Ten minutes: short enough that the first screen is decoded at once, long enough that Huffman's tables cost nothing.
PIECE_SAMPLES = int(600 * ANALYSIS_RATE_HZ)
# The fixed predictors of Shorten and FLAC: none, the last sample, the line through the last two. Each is a difference.
MAX_ORDER = 2
# A difference that does not fit into a signed byte is written as this byte, and again in full after all bytes.
ESCAPE = -128
# So that a second difference, of up to four times this, fits into 32 bits here and in JavaScript.
MAX_STEPS = 2**28


@dataclass(frozen=True)
class Trace:
    """The encoded signal of a night.

    Attributes
    ----------
    rate_hz : float
        Samples a second.
    n_samples : int
        Of every channel.
    step_uv : float
        A decoded number times this is microvolts.
    piece_samples : int
        Samples of a piece; the last one is shorter.
    channels : tuple of mapping
        For each channel `label`, `role`, `gaps` (pairs of first sample and one past the last, where nothing was
        recorded) and `pieces` (of each its order of difference and its base64).
    """

    rate_hz: float
    n_samples: int
    step_uv: float
    piece_samples: int
    channels: tuple[Mapping[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the trace as plain values for JSON."""
        return {**vars(self), "channels": [dict(channel) for channel in self.channels]}


def check_trace(trace: str) -> None:
    """Raise if a choice of `--trace` is not known.

    Raises
    ------
    SettingsError
        If it is none of `TRACE_CHOICES`.
    """
    if trace not in TRACE_CHOICES:
        raise SettingsError("this choice of trace is not known", found=repr(trace), allowed=", ".join(TRACE_CHOICES))


def encode_trace(recording: Recording, trace: str = "light") -> Trace | None:
    """Encode every channel of a recording as it was analysed.

    Parameters
    ----------
    recording : Recording
    trace : {'light', 'full', 'none'}
        Steps of 1 µV, steps of 0.5 µV, or no trace.

    Returns
    -------
    Trace or None
        Decoded samples differ from `recording.microvolts` by at most half a step. None for 'none'.

    Raises
    ------
    SettingsError
        If the choice is not known.
    """
    check_trace(trace)
    if trace == "none":
        return None
    step_uv = STEPS_UV[trace]
    n_samples = recording.microvolts.shape[1]

    def encode(label: str) -> dict[str, Any]:
        signal = recording.signal(label)
        missing = ~np.isfinite(signal)
        steps = np.rint(np.clip(_fill(signal, missing) / step_uv, -MAX_STEPS, MAX_STEPS)).astype(np.int32)
        pieces = [_encode_piece(steps[first : first + PIECE_SAMPLES]) for first in range(0, steps.size, PIECE_SAMPLES)]
        return {"label": label, "role": recording.roles[label], "gaps": _find_gaps(missing), "pieces": pieces}

    channels = measure_each(encode, recording.roles)
    return Trace(ANALYSIS_RATE_HZ, n_samples, step_uv, PIECE_SAMPLES, tuple(channels))


def decode_trace(trace: Trace) -> np.ndarray:
    """Return the samples of an encoded trace in µV, shape (n_channels, n_samples); NaN where none was recorded."""
    rows = np.empty((len(trace.channels), trace.n_samples))
    for row, channel in zip(rows, trace.channels, strict=True):
        first = 0
        for order, text in channel["pieces"]:
            n = min(trace.piece_samples, trace.n_samples - first)
            row[first : first + n] = trace.step_uv * _decode_piece(order, base64.b64decode(text), n)
            first += n
        for start, stop in channel["gaps"]:
            row[start:stop] = np.nan
    return rows


def _fill(signal: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return a signal whose missing samples repeat the last one before them, which costs next to nothing."""
    if not missing.any():
        return signal
    last = np.maximum.accumulate(np.where(missing, 0, np.arange(signal.size)))
    return np.nan_to_num(signal)[last]


def _find_gaps(missing: np.ndarray) -> list[list[int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def _encode_piece(steps: np.ndarray) -> list[Any]:
    """Return the order of difference that suits a piece best, and its bytes in base64."""
    differences = [steps]
    for _ in range(MAX_ORDER):
        differences.append(np.diff(differences[-1], prepend=0))
    order = int(np.argmin([np.abs(d[MAX_ORDER:]).sum() for d in differences]))
    chosen = differences[order]
    large = np.abs(chosen) >= -ESCAPE
    plain = np.where(large, ESCAPE, chosen).astype(np.int8).tobytes() + chosen[large].astype("<i4").tobytes()
    # Runs of one value are packed only where there are any: in a flat or missing part.
    is_flat = np.count_nonzero(chosen[1:] == chosen[:-1]) > chosen.size / 2
    packed = _deflate(plain, zlib.Z_RLE if is_flat else zlib.Z_HUFFMAN_ONLY)
    return [order, base64.b64encode(packed).decode("ascii")]


def _deflate(plain: bytes, strategy: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy)
    return packer.compress(plain) + packer.flush()


def _decode_piece(order: int, packed: bytes, n: int) -> np.ndarray:
    plain = zlib.decompress(packed, -15)
    values = np.frombuffer(plain, np.int8, n).astype(np.int64)
    values[values == ESCAPE] = np.frombuffer(plain, "<i4", offset=n)
    for _ in range(order):
        values = np.cumsum(values)
    return values
