"""The aperiodic part of a spectrum and the peaks above it, by IRASA without resampling the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eegsleep.signals.epochs import ANALYSIS_RATE_HZ

# Median over mean of the power of noise, which is distributed as chi square with two degrees of freedom.
_MEDIAN_OVER_MEAN = np.log(2)
STEP_HZ = 0.25


@dataclass(frozen=True)
class Aperiodic:
    """The spectrum of some epochs and its aperiodic part.

    Attributes
    ----------
    frequency_hz : array of shape (n_frequencies,)
    total, aperiodic : array of shape (n_frequencies,)
        In µV²/Hz; the oscillatory part is the difference.
    exponent : float
        Positive: power falls as frequency to the power of −exponent.
    offset : float
        Power of the fitted line at 1 Hz, log10 of µV²/Hz.
    """

    frequency_hz: np.ndarray
    total: np.ndarray
    aperiodic: np.ndarray
    exponent: float
    offset: float

    @property
    def oscillatory(self) -> np.ndarray:
        """Total less aperiodic power, in µV²/Hz, shape (n_frequencies,); it may be negative."""
        return self.total - self.aperiodic

    def power_above(self, low_hz: float, high_hz: float) -> float:
        """Return the oscillatory power of a band in µV²."""
        inside = (self.frequency_hz >= low_hz) & (self.frequency_hz < high_hz)
        return float(self.oscillatory[inside].sum() * STEP_HZ)

    def find_peak(self, low_hz: float, high_hz: float, min_ratio: float) -> float:
        """Find the frequency at which the ratio of the spectrum to its aperiodic part is largest.

        Parameters
        ----------
        low_hz, high_hz : float
            The peak must lie between these.
        min_ratio : float
            Least ratio at the peak.

        Returns
        -------
        float
            In Hz, interpolated by a parabola between the steps; NaN without a peak.
        """
        ratio = self.total / self.aperiodic
        is_top = np.r_[False, (ratio[1:-1] > ratio[:-2]) & (ratio[1:-1] >= ratio[2:]), False]
        inside = (self.frequency_hz > low_hz) & (self.frequency_hz < high_hz)
        tops = np.flatnonzero(is_top & inside & (ratio >= min_ratio))
        if not tops.size:
            return float("nan")
        top = tops[ratio[tops].argmax()]
        before, here, after = ratio[top - 1 : top + 2]
        shift = (before - after) / (2 * (before - 2 * here + after))
        return float(self.frequency_hz[top] + shift * STEP_HZ)


def resample_spectra(
    epochs: np.ndarray, band_hz: tuple[float, float], window_s: float, factors: tuple[float, ...]
) -> list[np.ndarray]:
    """Measure the spectra of short windows of each epoch, as they are and as if the signal had been resampled.

    Parameters
    ----------
    epochs : array of shape (n_epochs, n_samples)
        In µV at the analysis rate.
    band_hz : (float, float)
        Band of the spectra; the upper edge times the largest factor must lie below half the rate.
    window_s : float
        Length of the windows; Hamming, half overlapping, each without its mean.
    factors : tuple of float
        Resampling factors above 1.

    Returns
    -------
    list of array, each of shape (n_frequencies, n_epochs, n_windows)
        Densities in µV²/Hz, for `fit_aperiodic`: first of the signal itself, then of the signal sped up and slowed
        down by each factor.

    Notes
    -----
    The spectrum at f of a signal resampled by h, in windows of `window_s`, is the spectrum at h·f of the signal
    itself in windows of `window_s / h`. So the signal is not resampled and no filter is needed, and the spectra are
    measured once and then averaged for each stage. Windows do not cross the edges of an epoch, because its
    neighbour may have been left out.
    """
    frequency_hz = _grid(band_hz)
    scales = [1.0, *(scale for h in factors for scale in (h, 1 / h))]
    single = epochs.astype(np.float32)
    # A density also changes by the factor itself, which cancels between the pair.
    return [_window_spectra(single, frequency_hz * scale, window_s / scale) for scale in scales]


def _grid(band_hz: tuple[float, float]) -> np.ndarray:
    return np.arange(band_hz[0], band_hz[1] + STEP_HZ / 2, STEP_HZ)


def _window_spectra(epochs: np.ndarray, frequency_hz: np.ndarray, window_s: float) -> np.ndarray:
    """Return one-sided densities of half overlapping windows, (n_frequencies, n_epochs, n_windows)."""
    from scipy.signal.windows import hamming

    length = round(window_s * ANALYSIS_RATE_HZ)
    window = hamming(length, sym=False)
    angle = 2 * np.pi / ANALYSIS_RATE_HZ * np.outer(frequency_hz, np.arange(length))
    waves = np.concatenate([np.cos(angle), np.sin(angle)]) * window
    # Subtracting the mean of these waves has the same effect as subtracting that of every window.
    waves -= waves.mean(axis=1, keepdims=True)
    waves *= np.sqrt(2 / ANALYSIS_RATE_HZ / (window**2).sum())
    pieces = np.lib.stride_tricks.sliding_window_view(epochs, length, axis=1)[:, :: length // 2]
    parts = waves.astype(np.float32) @ pieces.reshape(-1, length).T
    half = frequency_hz.size
    density = np.square(parts[:half], out=parts[:half])
    density += np.square(parts[half:], out=parts[half:])
    return density.reshape(half, *pieces.shape[:2])


def fit_aperiodic(
    spectra: list[np.ndarray],
    band_hz: tuple[float, float],
    inside: np.ndarray,
    average: Literal["median", "mean"] = "median",
) -> Aperiodic:
    """Separate the spectrum of the epochs `inside` into its parts, and fit the aperiodic part.

    Parameters
    ----------
    spectra : list of array
        As `resample_spectra` returns them, or their means over windows.
    band_hz : (float, float)
        The band they cover.
    inside : array of bool, shape (n_epochs,)
    average : {"median", "mean"}
        Over windows. A few windows do not decide a median, which is raised to the level of a mean; events that
        occur in few windows, such as spindles, are visible in means only.

    Returns
    -------
    Aperiodic
        The line is fitted by least squares to log power over log frequency, evenly in frequency, as YASA does.

    References
    ----------
    Wen & Liu 2016, doi:10.1007/s10548-015-0448-0.
    """
    averages = np.array([_average(spectrum[:, inside], average) for spectrum in spectra], dtype=float)
    total, resampled = averages[0], np.maximum(averages[1:], np.finfo(np.float32).tiny)
    aperiodic = np.median(np.sqrt(resampled[::2] * resampled[1::2]), axis=0)
    frequency_hz = _grid(band_hz)
    slope, offset = np.polyfit(np.log10(frequency_hz), np.log10(aperiodic), 1)
    return Aperiodic(frequency_hz, total, aperiodic, -float(slope), float(offset))


def _average(spectrum: np.ndarray, average: Literal["median", "mean"]) -> np.ndarray:
    rows = spectrum.reshape(spectrum.shape[0], -1)
    return rows.mean(axis=1) if average == "mean" else np.median(rows, axis=1) / _MEDIAN_OVER_MEAN
