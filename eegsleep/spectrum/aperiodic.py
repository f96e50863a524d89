"""The aperiodic part of a spectrum: its steepness above sigma, and what lies below peaks, by IRASA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ

STEP_HZ = 0.25
# A frequency this many robust standard deviations above the line is a peak, not background.
PEAK_SD = 4.0
# The fewest frequencies for a line.
_MIN_FREQUENCIES = 3
# Epochs measured at a time: few enough to stay in the processor's cache.
_BLOCK_EPOCHS = 32


@dataclass(frozen=True)
class Aperiodic:
    """The spectrum of some epochs and its aperiodic part.

    Attributes
    ----------
    frequency_hz : array of shape (n_frequencies,)
    total, aperiodic : array of shape (n_frequencies,)
        In µV²/Hz; the oscillatory part is the difference.
    """

    frequency_hz: np.ndarray
    total: np.ndarray
    aperiodic: np.ndarray

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
    epochs: np.ndarray, frequency_hz: np.ndarray, window_s: float, factors: tuple[float, ...]
) -> list[np.ndarray]:
    """Measure the spectra of short windows of each epoch, as they are and as if the signal had been resampled.

    Parameters
    ----------
    epochs : array of shape (n_epochs, n_samples)
        In µV at the analysis rate.
    frequency_hz : array of shape (n_frequencies,)
        The highest times the largest factor must lie below half the rate.
    window_s : float
        Length of the windows; Hann, half overlapping, each without its mean.
    factors : tuple of float
        Resampling factors above 1.

    Returns
    -------
    list of array, each of shape (n_frequencies, n_epochs)
        Densities in µV²/Hz, means over the windows of each epoch, for `separate_aperiodic`: first of the signal
        itself, then of the signal sped up and slowed down by each factor.

    Notes
    -----
    The spectrum at f of a signal resampled by h, in windows of `window_s`, is the spectrum at h·f of the signal
    itself in windows of `window_s / h`. So the signal is not resampled and no filter is needed, and the spectra are
    measured once and then averaged for each stage. Windows do not cross the edges of an epoch, because its
    neighbour may have been left out.
    """
    scales = [1.0, *(scale for h in factors for scale in (h, 1 / h))]
    single = epochs.astype(np.float32)
    # A density also changes by the factor itself, which cancels between the pair.
    return [window_spectra(single, frequency_hz * scale, window_s / scale) for scale in scales]


def frequency_grid(band_hz: tuple[float, float]) -> np.ndarray:
    """Return the frequencies of a band in steps of `STEP_HZ`, both edges included."""
    return np.arange(band_hz[0], band_hz[1] + STEP_HZ / 2, STEP_HZ)


def window_spectra(epochs: np.ndarray, frequency_hz: np.ndarray, window_s: float) -> np.ndarray:
    """Return the one-sided density of each epoch, the mean over half overlapping Hann windows.

    Parameters
    ----------
    epochs : array of shape (n_epochs, n_samples)
        In µV at the analysis rate.
    frequency_hz : array of shape (n_frequencies,)
    window_s : float

    Returns
    -------
    array of shape (n_frequencies, n_epochs)
        In µV²/Hz.

    Notes
    -----
    Side lobes of a Hann window fall by 18 dB an octave, those of a Hamming window by 6. In N3 the power below 1 Hz is
    50 to 80 dB above that at 25 Hz and leaks through a Hamming window: a true exponent of 3.25 then reads 2.80.
    """
    length = round(window_s * ANALYSIS_RATE_HZ)
    if length > epochs.shape[1]:
        raise SettingsError(
            "a window of the aperiodic spectrum is longer than an epoch",
            found=f"{window_s:.3g} s with its resampling",
            allowed=f"{epochs.shape[1] / ANALYSIS_RATE_HZ:g} s and less",
        )
    window = np.hanning(length + 1)[:-1]
    angle = 2 * np.pi / ANALYSIS_RATE_HZ * np.outer(frequency_hz, np.arange(length))
    waves = np.concatenate([np.cos(angle), np.sin(angle)]) * window
    # Each window loses its mean, weighted by the window itself: a flat part would let slow waves in again.
    waves -= waves.sum(axis=1, keepdims=True) * (window / window.sum())
    waves *= np.sqrt(2 / ANALYSIS_RATE_HZ / (window**2).sum())
    waves = waves.astype(np.float32)
    density = np.empty((frequency_hz.size, len(epochs)))
    for first in range(0, len(epochs), _BLOCK_EPOCHS):
        block = epochs[first : first + _BLOCK_EPOCHS]
        pieces = np.lib.stride_tricks.sliding_window_view(block, length, axis=1)[:, :: length // 2]
        parts = waves @ pieces.reshape(-1, length).T
        power = np.square(parts, out=parts).reshape(2, frequency_hz.size, len(block), -1)
        density[:, first : first + len(block)] = power.mean(axis=3).sum(axis=0)
    return density


def separate_aperiodic(spectra: list[np.ndarray], frequency_hz: np.ndarray, inside: np.ndarray) -> Aperiodic:
    """Separate the mean spectrum of the epochs `inside` into its aperiodic part and the peaks above it.

    Parameters
    ----------
    spectra : list of array
        As `resample_spectra` returns them.
    frequency_hz : array of shape (n_frequencies,)
        Those they were measured at.
    inside : array of bool, shape (n_epochs,)

    Returns
    -------
    Aperiodic
        Of means over epochs: events that occur in few windows, such as spindles, are visible in means only.

    References
    ----------
    Wen & Liu 2016, doi:10.1007/s10548-015-0448-0.
    """
    means = np.array([spectrum[:, inside].mean(axis=1) for spectrum in spectra])
    total, resampled = means[0], np.maximum(means[1:], np.finfo(np.float32).tiny)
    return Aperiodic(frequency_hz, total, np.median(np.sqrt(resampled[::2] * resampled[1::2]), axis=0))


def fit_exponent(frequency_hz: np.ndarray, density: np.ndarray) -> tuple[float, float]:
    """Fit a straight line to log power over log frequency.

    Parameters
    ----------
    frequency_hz : array of shape (n_frequencies,)
    density : array of shape (n_frequencies, n_epochs)
        In µV²/Hz, from `window_spectra`.

    Returns
    -------
    exponent : float
        Positive where power falls as frequency to the power of −exponent; NaN without an epoch or without power.
    level : float
        log10 of µV²/Hz of the line at the geometric middle of the frequencies. A level at 1 Hz, far outside the band,
        would be the exponent again.

    Notes
    -----
    Mean over the windows of an epoch, median over epochs, so that arousals and muscle in a few of them do not decide;
    least squares; then once more without peaks (`PEAK_SD`).
    """
    nan = float("nan")
    if not density.shape[1]:
        return nan, nan
    power = np.median(density, axis=1)
    if not (power > 0).all():
        return nan, nan
    x = np.log10(frequency_hz) - np.log10(frequency_hz[[0, -1]]).mean()
    y = np.log10(power)
    slope, level = np.polyfit(x, y, 1)
    rest = y - slope * x - level
    kept = rest <= PEAK_SD * 1.4826 * np.median(np.abs(rest))
    if _MIN_FREQUENCIES <= kept.sum() < kept.size:
        slope, level = np.polyfit(x[kept], y[kept], 1)
    return -float(slope), float(level)
