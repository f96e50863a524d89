"""A signal at another rate, with what is missing still missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegsleep.signals.epochs import find_runs

if TYPE_CHECKING:
    import numpy as np


def bridge_gaps(signal: np.ndarray) -> np.ndarray:
    """Return the signal with missing samples bridged by a straight line, for filters that cannot bear NaN."""
    import numpy as np

    present = np.isfinite(signal)
    if present.all() or not present.any():
        return np.nan_to_num(signal, posinf=0.0, neginf=0.0)
    index = np.arange(signal.size)
    return np.interp(index, index[present], signal[present])


def at_rate(signal: np.ndarray, from_hz: float, to_hz: float, size: int) -> np.ndarray:
    """Return a signal at another rate and of a given size; what touches a missing sample is missing.

    Resampling goes through a Fourier transform, which would spread one NaN over the night.
    """
    import mne
    import numpy as np

    if from_hz == to_hz:
        return signal[:size]
    missing = ~np.isfinite(signal)
    # as raw.resample does, which YASA calls: the padding of mne.filter.resample is another by default
    resampled = mne.filter.resample(bridge_gaps(signal), to_hz, from_hz, npad="auto", verbose="ERROR")
    out = np.full(size, np.nan)
    out[: min(size, resampled.size)] = resampled[:size]
    out[carry_over(missing, from_hz, to_hz, size)] = np.nan
    return out


def carry_over(marked: np.ndarray, from_hz: float, to_hz: float, size: int) -> np.ndarray:
    """Return which samples at another rate touch a marked one: those within its time, and the one it falls on.

    The first alone would lose single samples of a faster signal, the second alone leaves holes in a slower one.
    """
    import numpy as np

    if from_hz == to_hz:
        return marked[:size]
    out = np.zeros(size, bool)
    if marked.any():
        # a thousandth of a sample: the quotient of two rates is not exact
        out |= marked[np.minimum((np.arange(size) * (from_hz / to_hz) + 1e-3).astype(int), marked.size - 1)]
        falls_on = (np.flatnonzero(marked) * (to_hz / from_hz) + 1e-3).astype(int)
        out[falls_on[falls_on < size]] = True
    return out


def find_held(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return where a signal stands still for a second and more, bool of its shape.

    An electrode at its rail makes a difference look alive: what is left is the other electrode alone,
    against another reference than the label says.
    """
    import numpy as np

    starts, stops = find_runs(np.diff(signal) == 0)
    held = np.zeros(signal.size + 1, dtype=int)
    long = stops - starts >= rate_hz
    np.add.at(held, starts[long], 1)
    np.add.at(held, stops[long] + 1, -1)
    return np.cumsum(held)[: signal.size] > 0
