"""Epochs of 30 s, their stages, and the analysis rate: the units of time of every later step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# AASM stages, and UNS for an epoch that was not scored.
SLEEP_STAGES = ("N1", "N2", "N3", "R")
SCORED_STAGES = ("W", *SLEEP_STAGES)
STAGES = (*SCORED_STAGES, "UNS")
# Where spindles and slow oscillations are detected, stage by stage and together.
NREM = ("N2", "N3")
EVENT_STAGES = {"N2": ("N2",), "N3": ("N3",), "NREM": NREM}

EPOCH_S = 30.0
EPOCH_MIN = EPOCH_S / 60
# Staging, events and spectra all work at this rate, as YASA's classifiers do (doi:10.7554/eLife.70092).
ANALYSIS_RATE_HZ = 100.0
EPOCH_SAMPLES = int(EPOCH_S * ANALYSIS_RATE_HZ)


def cut_epochs(signal: np.ndarray, n_epochs: int) -> np.ndarray:
    """Return the first epochs of a signal.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_samples,)
        At the analysis rate, at least `n_epochs` long.
    n_epochs : int

    Returns
    -------
    numpy.ndarray, shape (n_epochs, `EPOCH_SAMPLES`)
        A view of the signal.
    """
    return signal[: n_epochs * EPOCH_SAMPLES].reshape(n_epochs, EPOCH_SAMPLES)


def epochs_to_samples(
    values: np.ndarray, n_samples: int, rate_hz: float = ANALYSIS_RATE_HZ, *, beyond: bool | int = False
) -> np.ndarray:
    """Return the value of its epoch for each sample.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_epochs,)
        One value an epoch, for example whether it is usable.
    n_samples : int
    rate_hz : float, optional
        A rate at which an epoch has a whole number of samples.
    beyond : optional
        The value of the samples after the last whole epoch. Nothing is known of them, so that a mask of
        usable epochs is False there.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
    """
    samples = np.repeat(values, int(EPOCH_S * rate_hz))[:n_samples]
    return np.pad(samples, (0, n_samples - samples.size), constant_values=beyond)


def without_missing(signal_uv: np.ndarray) -> np.ndarray:
    """Return a signal with zeros for the samples that are not finite; where there are none, the signal itself.

    Parameters
    ----------
    signal_uv : numpy.ndarray

    Returns
    -------
    numpy.ndarray
        Of the same shape.
    """
    return signal_uv if np.isfinite(signal_uv.sum()) else np.nan_to_num(signal_uv, posinf=0.0, neginf=0.0)


def silence_unusable(signal_uv: np.ndarray, usable: np.ndarray, rate_hz: float = ANALYSIS_RATE_HZ) -> np.ndarray:
    """Return the signal with unusable epochs set to zero, so that no filter rings into their neighbours.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_samples,)
        Samples that are not finite are set to zero too, and so are those after the last whole epoch.
    usable : numpy.ndarray of bool, shape (n_epochs,)
    rate_hz : float, optional
        Sampling rate of the signal.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        In µV.
    """
    mask = epochs_to_samples(usable, signal_uv.size, rate_hz)
    return np.where(mask & np.isfinite(signal_uv), signal_uv, 0.0)


def values_at(values: np.ndarray, times_s: np.ndarray, beyond: bool | str = False) -> np.ndarray:
    """Return the value of the epoch in which each time lies.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_epochs,)
    times_s : array-like, shape (n,)
        Seconds from the first sample.
    beyond : optional
        The value after the last epoch.

    Returns
    -------
    numpy.ndarray, shape (n,)
    """
    epoch = np.floor_divide(np.asarray(times_s, dtype=float), EPOCH_S).astype(int)
    return np.append(values, [beyond])[np.clip(epoch, 0, len(values))]


def stage_at(stages: pd.DataFrame, times_s: np.ndarray) -> np.ndarray:
    """Return the stage in which each time lies.

    Parameters
    ----------
    stages : pandas.DataFrame
        Table `HYPNOGRAM`.
    times_s : array-like, shape (n,)
        Seconds from the first sample.

    Returns
    -------
    numpy.ndarray of object, shape (n,)
        UNS beyond the last epoch.
    """
    return values_at(stages["stage"].to_numpy(dtype=object), times_s, "UNS")


def find_runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the unbroken runs of True.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (n,)

    Returns
    -------
    first, stop : numpy.ndarray of int, shape (n_runs,)
        Index of the first element of each run, and of the one after its last.
    """
    border = np.int8(0)  # a plain 0 would make it eight times as large
    edges = np.diff(mask.astype(np.int8), prepend=border, append=border)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
