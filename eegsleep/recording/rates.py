"""Resampling; missing samples stay missing."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from eegsleep.signals.epochs import find_runs

if TYPE_CHECKING:
    import numpy as np

# Half the length of soxr's filter at its highest quality, in samples at the lower rate, and some more.
_FILTER_SAMPLES = 100


def bridge_gaps(signal: np.ndarray) -> np.ndarray:
    """Return a signal with straight lines in place of missing samples, for filters that cannot take NaN.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_samples,)

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        0 throughout where every sample is missing.
    """
    import numpy as np

    if np.isfinite(signal.sum()):
        return signal
    present = np.isfinite(signal)
    if present.all() or not present.any():
        return np.nan_to_num(signal, posinf=0.0, neginf=0.0)
    index = np.arange(signal.size)
    return np.interp(index, index[present], signal[present])


def at_rate(signal: np.ndarray, from_hz: float, to_hz: float, size: int) -> np.ndarray:
    """Return a signal at another rate; samples that touch a missing one are NaN.

    A filter would spread one NaN over its whole length, so gaps are bridged before and removed after it.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_samples,)
        NaN where nothing was recorded.
    from_hz, to_hz : float
    size : int
        Number of samples to return; NaN beyond the end of the signal.

    Returns
    -------
    numpy.ndarray, shape (size,)
        A view of `signal` where the rate is the same.

    Notes
    -----
    soxr at its highest quality, a linear-phase filter in double precision: at a new rate of 100 Hz what lies under
    45.7 Hz is kept, and what lies over 50 Hz and would alias is reduced by 170 dB. It takes a tenth of the time of a
    Fourier transform of the whole night. A slower channel beside a faster one is brought up by that transform, which
    keeps all of its frequencies.
    """
    import numpy as np

    if from_hz == to_hz:
        return signal[:size]
    has_gaps = not np.isfinite(signal.sum())
    missing = ~np.isfinite(signal) if has_gaps else None
    bridged = bridge_gaps(signal) if has_gaps else signal
    if to_hz > from_hz:
        import mne

        resampled = mne.filter.resample(bridged, to_hz, from_hz, npad="auto", verbose="ERROR")[:size]
    else:
        resampled = _reduce(bridged, from_hz, to_hz)[:size]
    out = np.full(size, np.nan)
    out[: resampled.size] = resampled
    if missing is not None:
        out[carry_over(missing, from_hz, to_hz, size)] = np.nan
    return out


def _reduce(signal: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Return a signal without gaps at a lower rate."""
    import numpy as np
    import soxr

    edge = _edge_samples(signal.size, from_hz, to_hz)
    first, last = signal[0], signal[-1]
    # Outside a signal the filter sees zeros: so the level is set to 0, and the ends are mirrored about their end.
    padded = np.empty(signal.size + 2 * edge)
    np.subtract(first, signal[edge:0:-1], out=padded[:edge])
    np.subtract(signal, first, out=padded[edge : edge + signal.size])
    np.subtract(2 * last - first, signal[-2 : -edge - 2 : -1], out=padded[edge + signal.size :])
    resampled = soxr.resample(padded, from_hz, to_hz, "VHQ")
    return resampled[round(edge * to_hz / from_hz) :][: round(signal.size * to_hz / from_hz)] + first


def _edge_samples(size: int, from_hz: float, to_hz: float) -> int:
    """Return how many samples to mirror at each end: longer than the filter, and a whole number at both rates."""
    step = Fraction(to_hz / from_hz).limit_denominator(10_000).denominator
    wanted = math.ceil(_FILTER_SAMPLES * max(1.0, from_hz / to_hz) / step)
    return step * min(wanted, (size - 1) // step)


def carry_over(marked: np.ndarray, from_hz: float, to_hz: float, size: int) -> np.ndarray:
    """Return which samples at another rate touch a marked one, bool of shape (size,).

    Marked are the samples within the time of a marked one, and the sample on which a marked one falls. The first rule
    alone would lose single marks of a faster signal, the second alone leaves holes where the new rate is higher.

    Parameters
    ----------
    marked : numpy.ndarray of bool, shape (n_samples,)
    from_hz, to_hz : float
    size : int
        Number of samples at the new rate.

    Returns
    -------
    numpy.ndarray of bool, shape (size,)
    """
    import numpy as np

    if from_hz == to_hz:
        return marked[:size]
    out = np.zeros(size, bool)
    if marked.any():
        # plus a thousandth of a sample, because the quotient of two rates is not exact
        out |= marked[np.minimum((np.arange(size) * (from_hz / to_hz) + 1e-3).astype(int), marked.size - 1)]
        falls_on = (np.flatnonzero(marked) * (to_hz / from_hz) + 1e-3).astype(int)
        out[falls_on[falls_on < size]] = True
    return out


def find_held(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return where a signal keeps one value for a second or more, bool of its shape.

    If one electrode of a difference is at the end of its range, the difference still looks like EEG, but it is the
    other electrode alone, against another reference than the label says.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_samples,)
    rate_hz : float

    Returns
    -------
    numpy.ndarray of bool, shape (n_samples,)
    """
    import numpy as np

    starts, stops = find_runs(signal[1:] == signal[:-1])
    held = np.zeros(signal.size, dtype=bool)
    long = stops - starts >= rate_hz
    for start, stop in zip(starts[long], stops[long], strict=True):
        held[start : stop + 1] = True
    return held
