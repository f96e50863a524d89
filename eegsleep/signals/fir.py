"""Finite impulse responses: their design by a Hamming window, and the filtering of a night with them.

The same designs as `scipy.signal.firwin`, and the same result as its convolutions. Importing `scipy.signal` brings
`scipy.stats` and takes as long as a tenth of a night, so only `scipy.fft` is used.
"""

from __future__ import annotations

import numpy as np

# Samples transformed at a time, and how many such blocks: few enough to stay in the processor's cache.
_BLOCK_SAMPLES = 8192
_BLOCKS = 4


def count_taps(transition_hz: float, rate_hz: float) -> int:
    """Return the odd number of taps whose Hamming window gives slopes of this width: MNE's rule, 3.3 / width.

    Parameters
    ----------
    transition_hz, rate_hz : float

    Returns
    -------
    int
    """
    return 2 * int(np.ceil(3.3 / transition_hz * rate_hz / 2)) + 1


def design_band_pass(low_hz: float, high_hz: float, n_taps: int, rate_hz: float) -> np.ndarray:
    """Design a band pass without phase shift, as `scipy.signal.firwin` does with a Hamming window.

    Parameters
    ----------
    low_hz, high_hz : float
        Where half of the amplitude is left.
    n_taps : int
        An odd number.
    rate_hz : float

    Returns
    -------
    numpy.ndarray of complex, shape (n_taps,)
        The real part is the filter, of gain 1 in the middle of the band; the imaginary part is the same filter with
        its phase a quarter turn later, so that both together give the analytic signal.
    """
    step = np.arange(n_taps) - n_taps // 2
    middle, half = (high_hz + low_hz) / rate_hz, (high_hz - low_hz) / rate_hz
    taps = np.hamming(n_taps) * half * np.sinc(half * step)
    return taps * 2 * np.exp(1j * np.pi * middle * step) / (taps * 2 * np.cos(np.pi * middle * step) ** 2).sum()


def design_low_pass(edge_hz: float, n_taps: int, rate_hz: float) -> np.ndarray:
    """Design a low pass without phase shift, as `scipy.signal.firwin` does with a Hamming window.

    Parameters
    ----------
    edge_hz : float
        Where half of the amplitude is left.
    n_taps : int
        An odd number.
    rate_hz : float

    Returns
    -------
    numpy.ndarray, shape (n_taps,)
        Of gain 1 at 0 Hz.
    """
    taps = np.hamming(n_taps) * np.sinc(2 * edge_hz / rate_hz * (np.arange(n_taps) - n_taps // 2))
    return taps / taps.sum()


def convolve(signal: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return a signal under a filter, not shifted in time; outside the signal are zeros.

    Parameters
    ----------
    signal : numpy.ndarray of float32 or float64, shape (n_samples,)
    taps : numpy.ndarray, shape (n_taps,)
        An odd number of them. Complex ones give a complex result.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        In the precision of `signal`.
    """
    from scipy import fft

    parts = [taps.real, taps.imag] if np.iscomplexobj(taps) else [taps]
    size = max(_BLOCK_SAMPLES, 2 ** int(np.ceil(np.log2(4 * taps.size))))
    step, half = size - taps.size + 1, taps.size // 2
    n_blocks = -(-signal.size // step)
    padded = np.zeros(n_blocks * step + taps.size - 1, signal.dtype)
    padded[half : half + signal.size] = signal
    pieces = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    responses = [fft.rfft(part.astype(signal.dtype), size) for part in parts]
    out = np.empty((n_blocks, step), np.result_type(signal.dtype, np.complex64) if len(parts) > 1 else signal.dtype)
    targets = [out.real, out.imag] if len(parts) > 1 else [out]
    for first in range(0, n_blocks, _BLOCKS):
        spectra = fft.rfft(pieces[first : first + _BLOCKS], axis=1)
        for target, response in zip(targets, responses, strict=True):
            target[first : first + _BLOCKS] = fft.irfft(spectra * response, size, axis=1)[:, taps.size - 1 :]
    return out.reshape(-1)[: signal.size]
