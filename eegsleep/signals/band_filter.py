"""One band of a signal, and its envelope and phase, by one zero-phase filter."""

from __future__ import annotations

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, without_missing
from eegsleep.signals.fir import convolve, count_taps, design_band_pass


def thin(signal_uv: np.ndarray, factor: int) -> tuple[np.ndarray, float, float]:
    """Decimate a signal at the analysis rate by averaging each group of `factor` samples.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_samples,)
    factor : int
        Samples left over at the end are dropped.

    Returns
    -------
    thinned_uv : numpy.ndarray, shape (n_samples // factor,)
    rate_hz : float
        The new rate.
    start_s : float
        Time of the first mean: the middle of its samples, in s from the first sample.

    Notes
    -----
    The mean is the only filter against aliasing, which is enough for bands far below the new rate. With a factor
    of 4 the amplitude at 1.5 Hz falls by 0.6 %, and frequencies within 1.6 Hz of 25 or 50 Hz, which alias into the
    band below 1.6 Hz, are reduced to 6 % or less.
    """
    whole = signal_uv[: signal_uv.size // factor * factor].reshape(-1, factor)
    return whole @ np.full(factor, 1 / factor), ANALYSIS_RATE_HZ / factor, (factor - 1) / 2 / ANALYSIS_RATE_HZ


def filter_band(
    signal_uv: np.ndarray, band_hz: tuple[float, float], transition_hz: float, rate_hz: float = ANALYSIS_RATE_HZ
) -> np.ndarray:
    """Return the part of a signal that lies in a band.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_samples,)
        Samples that are not finite are read as zero.
    band_hz : (float, float)
        Edges of the pass band.
    transition_hz : float
        Width of the slopes outside it; half of the amplitude is left in their middle.
    rate_hz : float, optional
        Sampling rate of the signal.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        In µV, in the precision of the signal.

    Notes
    -----
    A finite impulse response with a Hamming window, `3.3 / transition_hz` seconds long, of no phase shift:
    MNE's default design, which YASA's detectors use.
    """
    return convolve(without_missing(signal_uv), _design(band_hz, transition_hz, rate_hz).real)


def analytic_band(
    signal_uv: np.ndarray, band_hz: tuple[float, float], transition_hz: float, rate_hz: float = ANALYSIS_RATE_HZ
) -> np.ndarray:
    """Return the analytic signal of a band.

    Parameters
    ----------
    signal_uv, band_hz, transition_hz, rate_hz
        As for `filter_band`.

    Returns
    -------
    numpy.ndarray of complex, shape (n_samples,)
        The real part is the filtered signal and the modulus its envelope, both in µV. The angle is the phase in
        radians: 0 at a positive peak, ±π at a negative one. Single precision gives single precision.
    """
    return convolve(without_missing(signal_uv), _design(band_hz, transition_hz, rate_hz))


def _design(band_hz: tuple[float, float], transition_hz: float, rate_hz: float) -> np.ndarray:
    low_hz, high_hz = band_hz[0] - transition_hz / 2, band_hz[1] + transition_hz / 2
    if not 0 < low_hz < high_hz < rate_hz / 2:
        raise SettingsError(
            "there is no filter for this band",
            found=f"{band_hz[0]:g} to {band_hz[1]:g} Hz with slopes of {transition_hz:g} Hz, at {rate_hz:g} Hz",
            allowed=f"bands whose slopes lie between 0 and {rate_hz / 2:g} Hz",
        )
    return design_band_pass(low_hz, high_hz, count_taps(transition_hz, rate_hz), rate_hz)
