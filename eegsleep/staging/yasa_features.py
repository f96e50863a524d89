"""The features YASA's classifiers were trained on, of one channel, all epochs at a time.

YASA measures one epoch after the other and only together with a staging. These are the same definitions, written on
arrays: on real and simulated nights every feature is YASA's own within 1e-5 of its size (`tests/staging/
test_yasa_features.py` holds it against the installed YASA), in about a fifth of the time.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_SAMPLES, cut_epochs
from eegsleep.signals.fir import convolve, design_low_pass

if TYPE_CHECKING:
    from collections.abc import Mapping

BROAD_HZ = (0.4, 30.0)
_BANDS_HZ = {
    "sdelta": (0.4, 1.0),
    "fdelta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 12.0),
    "sigma": (12.0, 16.0),
    "beta": (16.0, 30.0),
}
_WELCH_SAMPLES = 500  # windows of 5 s, half overlapping
_HIGUCHI_STEPS = 10
# Epochs measured at a time: few enough that every step finds them in the processor's cache.
BLOCK_EPOCHS = 16


def measure_yasa_features(filtered_uv: np.ndarray, role: str) -> pd.DataFrame:
    """Measure YASA's features of one channel, without their smoothed copies.

    Parameters
    ----------
    filtered_uv : numpy.ndarray, shape (n_samples,)
        As `filter_broad` returns it.
    role : {"eeg", "eog", "emg"}
        An EMG has no band powers, and only an EEG has their ratios.

    Returns
    -------
    pandas.DataFrame
        A row for each whole epoch, in double precision; YASA's names of columns, such as `eeg_std`.

    References
    ----------
    Vallat & Walker 2021, doi:10.7554/eLife.70092; `yasa.SleepStaging.fit`.
    """
    epochs = cut_epochs(filtered_uv, filtered_uv.size // EPOCH_SAMPLES)
    blocks = [_measure_block(epochs[i : i + BLOCK_EPOCHS], role) for i in range(0, len(epochs), BLOCK_EPOCHS)]
    return pd.DataFrame({f"{role}_{name}": np.concatenate([b[name] for b in blocks]) for name in blocks[0]})


def filter_broad(signal_uv: np.ndarray) -> np.ndarray:
    """Return the part of a signal between 0.4 and 30 Hz, by MNE's default filter, as YASA takes it.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_samples,)
        At the analysis rate, in µV, without missing samples.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        Not shifted in time. The ends are mirrored about their last sample, as MNE does.
    """
    taps = _broad_filter()
    edge = min(taps.size // 2, signal_uv.size - 1)
    before, after = 2 * signal_uv[0] - signal_uv[edge:0:-1], 2 * signal_uv[-1] - signal_uv[-2 : -edge - 2 : -1]
    return convolve(np.concatenate([before, signal_uv, after]), taps)[edge : edge + signal_uv.size]


def _broad_filter() -> np.ndarray:
    """Return MNE's default filter of `BROAD_HZ`: a low pass with wide slopes less one with narrow slopes.

    `mne.filter.create_filter` gives the same taps, but its import takes longer than to filter the night.
    """
    low_hz, high_hz = BROAD_HZ
    low_slope_hz, high_slope_hz = min(max(low_hz / 4, 2), low_hz), max(high_hz / 4, 2)
    n_low, n_high = (int(np.ceil(3.3 / slope_hz * ANALYSIS_RATE_HZ)) | 1 for slope_hz in (low_slope_hz, high_slope_hz))
    taps = -design_low_pass(low_hz - low_slope_hz / 2, n_low, ANALYSIS_RATE_HZ)
    first = (n_low - n_high) // 2
    taps[first : first + n_high] += design_low_pass(high_hz + high_slope_hz / 2, n_high, ANALYSIS_RATE_HZ)
    return taps


def measure_time_features(n_epochs: int) -> pd.DataFrame:
    """Return YASA's features of the time of night: hours since its first epoch, and the share of it that is over.

    Parameters
    ----------
    n_epochs : int

    Returns
    -------
    pandas.DataFrame
        Columns `time_hour` and `time_norm`, in single precision.
    """
    times_s = np.arange(n_epochs) * (EPOCH_SAMPLES / ANALYSIS_RATE_HZ)
    norm = times_s / times_s[-1] if n_epochs > 1 else np.zeros(n_epochs)
    return pd.DataFrame({"time_hour": times_s / 3600, "time_norm": norm}).astype(np.float32)


def _measure_block(epochs: np.ndarray, role: str) -> dict[str, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):  # a flat epoch, which is not usable
        low, high = quartiles(epochs)
        first = np.diff(epochs, axis=1)
        var_1, var_2 = _variance(first), _variance(np.diff(first, axis=1))
        var, third, fourth = central_moments(epochs)
        mobility = np.sqrt(var_1 / var)
        size = epochs.shape[1]
        measured = {
            "std": np.sqrt(var * size / (size - 1)),
            "iqr": high - low,
            "skew": third / var**1.5,
            "kurt": fourth / var**2 - 3,
            "nzc": count_sign_changes(epochs),
            "hmob": mobility,
            "hcomp": np.sqrt(var_2 / var_1) / mobility,
            "perm": permutation_entropy(epochs),
            "higuchi": higuchi(epochs),
            "petrosian": petrosian(first, size),
        }
        frequency_hz, psd = welch(epochs.astype(np.float32))
        powers = measure_powers(frequency_hz, psd)
    return measured | {name: powers[name] for name in _NAMES_OF_POWERS[role]}


_RATIOS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "dt": (("sdelta", "fdelta"), "theta"),
    "ds": (("sdelta", "fdelta"), "sigma"),
    "db": (("sdelta", "fdelta"), "beta"),
    "at": (("alpha",), "theta"),
}
_NAMES_OF_POWERS = {
    "eeg": (*_BANDS_HZ, *_RATIOS, "abspow"),
    "eog": (*_BANDS_HZ, "abspow"),
    "emg": ("abspow",),
}


def welch(epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure the density of each epoch by Welch's method with the median, up to 30 Hz.

    Parameters
    ----------
    epochs : numpy.ndarray, shape (n_epochs, n_samples)

    Returns
    -------
    frequency_hz : numpy.ndarray, shape (n_frequencies,)
    psd : numpy.ndarray, shape (n_epochs, n_frequencies)
        In µV²/Hz.
    """
    from scipy import fft

    pieces = np.lib.stride_tricks.sliding_window_view(epochs, _WELCH_SAMPLES, axis=1)[:, :: _WELCH_SAMPLES // 2]
    pieces = pieces - pieces.mean(axis=2, keepdims=True)
    taper = np.hamming(_WELCH_SAMPLES + 1)[:-1].astype(epochs.dtype)
    frequency_hz = fft.rfftfreq(_WELCH_SAMPLES, 1 / ANALYSIS_RATE_HZ)
    inside = frequency_hz <= BROAD_HZ[1] + 1e-9
    spectra = fft.rfft(pieces * taper, axis=2)[..., inside]
    power = spectra.real**2 + spectra.imag**2
    n = power.shape[1]
    middle = _middle(power)
    # the median of n exponential values over their mean, as scipy.signal.welch corrects it
    k = np.arange(1, (n - 1) // 2 + 1)
    bias = 1 + np.sum(1 / (2 * k + 1) - 1 / (2 * k))
    psd = middle * (2 / (ANALYSIS_RATE_HZ * float((taper**2).sum())) / bias)
    psd[:, 0] /= 2  # the constant part has no negative frequency to be added
    return frequency_hz[inside], psd


def _middle(power: np.ndarray) -> np.ndarray:
    """Return the median over axis 1, as `numpy.median` does; only half of the values are put in order."""
    rows = list(np.ascontiguousarray(np.moveaxis(power, 1, 0)))
    n = len(rows)
    for placed in range(n // 2 + 1):
        for i in range(n - 1, placed, -1):
            rows[i - 1], rows[i] = np.minimum(rows[i - 1], rows[i]), np.maximum(rows[i - 1], rows[i])
    return rows[n // 2] if n % 2 else (rows[n // 2 - 1] + rows[n // 2]) / 2


def measure_powers(frequency_hz: np.ndarray, psd: np.ndarray) -> dict[str, np.ndarray]:
    """Return the share of each band in 0.4-30 Hz, YASA's ratios of them, and the whole power.

    Parameters
    ----------
    frequency_hz : numpy.ndarray, shape (n_frequencies,)
    psd : numpy.ndarray, shape (n_epochs, n_frequencies)
        As `welch` returns them.

    Returns
    -------
    dict of str to numpy.ndarray, shape (n_epochs,)
    """
    step = frequency_hz[1] - frequency_hz[0]

    def inside(band_hz: tuple[float, float]) -> np.ndarray:
        return psd[:, (frequency_hz >= band_hz[0] - 1e-9) & (frequency_hz <= band_hz[1] + 1e-9)]

    def integrate(values: np.ndarray) -> np.ndarray:
        return values @ (step * _simpson_weights(values.shape[1])).astype(values.dtype)

    total = integrate(inside(BROAD_HZ))
    shares = {name: integrate(inside(band_hz)) / total for name, band_hz in _BANDS_HZ.items()}
    ratios = {name: sum(shares[part] for part in upper) / shares[lower] for name, (upper, lower) in _RATIOS.items()}
    return shares | ratios | {"abspow": np.trapezoid(inside(BROAD_HZ), dx=step, axis=1)}


def _simpson_weights(n: int) -> np.ndarray:
    """Return the weights of Simpson's rule over `n` points at a distance of 1, as `scipy.integrate.simpson` has them.

    The last interval of an even number of points is that of the parabola through the last three (Cartwright 2017).
    """
    odd = n - (n % 2 == 0)
    weights = np.zeros(n)
    weights[:odd] = np.where(np.arange(odd) % 2, 4, 2) / 3
    weights[[0, odd - 1]] = 1 / 3
    if odd < n:
        weights[-3:] += np.array([-1, 8, 5]) / 12
    return weights


def quartiles(epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the quartiles of each row, between its samples as `numpy.quantile` places them, in a third of its time."""
    ordered = np.sort(epochs, axis=1)
    low, high = (place * (epochs.shape[1] - 1) for place in (0.25, 0.75))
    return _between(ordered, low), _between(ordered, high)


def _between(ordered: np.ndarray, place: float) -> np.ndarray:
    index, share = int(place), place - int(place)
    return ordered[:, index] * (1 - share) + ordered[:, index + 1] * share


def central_moments(epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the second, third and fourth central moment of each epoch."""
    centred = epochs - epochs.mean(axis=1, keepdims=True)
    squared = centred * centred
    pairs = ((centred, centred), (squared, centred), (squared, squared))
    second, third, fourth = (np.einsum("ij,ij->i", a, b) / epochs.shape[1] for a, b in pairs)
    return second, third, fourth


def _variance(differences: np.ndarray) -> np.ndarray:
    """Return the variance of each row, whose mean is near 0, without a copy of it."""
    square = np.einsum("ij,ij->i", differences, differences) / differences.shape[1]
    return np.maximum(square - differences.mean(axis=1) ** 2, 0)


def count_sign_changes(signals: np.ndarray) -> np.ndarray:
    """Return how often each row changes its sign."""
    negative = np.signbit(signals)
    return _count(np.packbits(negative[:, 1:] != negative[:, :-1], axis=1))


def _count(bits: np.ndarray) -> np.ndarray:
    """Return the number of bits that are set in each row."""
    return np.bitwise_count(bits).sum(axis=1, dtype=np.int64)


def petrosian(first_differences: np.ndarray, size: int) -> np.ndarray:
    """Return Petrosian's fractal dimension of epochs of `size` samples, from their first differences."""
    turns = count_sign_changes(first_differences)
    return math.log10(size) / (math.log10(size) + np.log10(size / (size + 0.4 * turns)))


def permutation_entropy(epochs: np.ndarray) -> np.ndarray:
    """Return the permutation entropy of order 3 (Bandt & Pompe 2002), normalised.

    Of three samples, two falls or two rises are one order each; a fall and a rise are two, by which of the first and
    the last is larger.
    """
    falls = epochs[:, 1:] < epochs[:, :-1]
    first, second = np.packbits(falls[:, :-1], axis=1), np.packbits(falls[:, 1:], axis=1)
    wide = np.packbits(epochs[:, 2:] < epochs[:, :-2], axis=1)
    down_up, up_down = first & ~second, ~first & second
    n, n_down, n_up = epochs.shape[1] - 2, _count(first & second), _count(down_up | up_down)
    orders = [n_down, n - n_down - n_up]
    for turns in (down_up, up_down):
        n_wide = _count(turns & wide)
        orders += [n_wide, _count(turns) - n_wide]
    share = np.stack(orders) / n
    return -np.where(share > 0, share * np.log2(np.where(share > 0, share, 1)), 0).sum(axis=0) / math.log2(6)


@cache
def _curve_weights(size: int) -> list[np.ndarray]:
    """Return for each step of Higuchi's what normalises the lengths from each of its starting points."""
    weights = []
    for k in range(1, _HIGUCHI_STEPS + 1):
        start = np.arange(size - k) % k
        weights.append((size - 1) / (np.bincount(start)[start] * k**3))
    return weights


def higuchi(epochs: np.ndarray) -> np.ndarray:
    """Return Higuchi's fractal dimension with steps of 1 to 10 samples.

    Higuchi 1988, doi:10.1016/0167-2789(88)90081-4. The length of the curve at a step of k is the mean over its k
    starting points; the dimension is the slope of its logarithm over that of 1 / k.
    """
    size = epochs.shape[1]
    lengths = np.empty((_HIGUCHI_STEPS, len(epochs)))
    place = np.empty_like(epochs)  # used again and again, so that it stays in the processor's cache
    for k, weight in enumerate(_curve_weights(size), 1):
        steps = np.subtract(epochs[:, k:], epochs[:, :-k], out=place[:, k:])
        lengths[k - 1] = np.abs(steps, out=steps) @ weight.astype(epochs.dtype)
    x = np.log(1 / np.arange(1, _HIGUCHI_STEPS + 1))
    x -= x.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        return (x @ np.log(lengths)) / (x @ x)
