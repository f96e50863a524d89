"""Rapid eye movements in REM, counted on one EOG or on the difference of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eegsleep.quality import usable_epochs
from eegsleep.signals.band_filter import filter_band, thin
from eegsleep.signals.epochs import epochs_to_samples, silence_unusable, values_at, without_missing

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.recording.recording import Recording

# YASA's band for rapid eye movements; most of the EEG that an EOG records as well lies above it.
BAND_HZ = (0.5, 5.0)
TRANSITION_HZ = 0.5
# Two movements closer than this count as one.
MIN_DISTANCE_S = 0.2


def find_eye_movements(signal_uv: np.ndarray, usable: np.ndarray, min_slope_uv_per_s: float) -> np.ndarray:
    """Find rapid eye movements.

    Parameters
    ----------
    signal_uv : array of shape (n_samples,)
        One EOG at the analysis rate, or the difference of two.
    usable : array of bool, shape (n_epochs,)
        Other epochs are silenced and hold no movement.
    min_slope_uv_per_s : float
        Least steepness of the filtered signal, rising or falling.

    Returns
    -------
    array of shape (n_movements,)
        Their times in s from the first sample.
    """
    eyes, rate_hz, start_s = thin(signal_uv, 4)
    quiet = silence_unusable(eyes, usable, rate_hz)
    slope = np.gradient(filter_band(quiet, BAND_HZ, TRANSITION_HZ, rate_hz)) * rate_hz
    peaks = _find_steepest(np.abs(slope), min_slope_uv_per_s, round(MIN_DISTANCE_S * rate_hz))
    times_s = start_s + peaks / rate_hz
    return times_s[values_at(usable, times_s)]


def _find_steepest(steepness: np.ndarray, least: float, distance: int) -> np.ndarray:
    """Return the maxima of at least this height; of those closer than `distance` samples the highest are kept."""
    inner = steepness[1:-1]
    peaks = np.flatnonzero((inner > steepness[:-2]) & (inner >= steepness[2:]) & (inner >= least)) + 1
    height = steepness[peaks]
    kept = np.ones(peaks.size, dtype=bool)
    for at in np.argsort(height, kind="stable")[::-1]:
        if kept[at]:
            first, stop = np.searchsorted(peaks, [peaks[at] - distance + 1, peaks[at] + distance])
            kept[first:stop] = False
            kept[at] = True
    return peaks[kept]


class EyeMovements(NamedTuple):
    """Rapid eye movements of a night.

    Attributes
    ----------
    channel : str
        Label of the EOG; two labels joined by " - " where both are usable for most of REM.
    times_s : array of shape (n_movements,)
        Seconds from the first sample.
    n_epochs : int
        Usable epochs of REM in which they were sought.
    """

    channel: str
    times_s: np.ndarray
    n_epochs: int


def locate_eye_movements(
    recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame, min_slope_uv_per_s: float
) -> EyeMovements | None:
    """Find rapid eye movements in usable REM; None where the recording has no EOG.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    min_slope_uv_per_s : float
        As for `find_eye_movements`.

    Returns
    -------
    EyeMovements or None

    Notes
    -----
    Of two EOGs half the difference is used: an eye movement has opposite signs in both, and the EEG has the same.
    Where their signals have the same sign in REM, as on a headband with both electrodes referred to the forehead, half
    the sum is used.
    """
    labels = [label for label, role in recording.roles.items() if role == "eog"][:2]
    if not labels:
        return None
    in_rem = stages["stage"].to_numpy(dtype=object) == "R"
    usable = [in_rem & usable_epochs(quality, label) for label in labels]
    signals = [without_missing(recording.signal(label)) for label in labels]
    both = usable[0] & usable[-1]
    if len(labels) == 1 or both.sum() < in_rem.sum() / 2:
        best = int(np.argmax([epochs.sum() for epochs in usable]))
        channel, signal, epochs = labels[best], signals[best], usable[best]
    else:
        channel, epochs = " - ".join(labels), both
        signal = (signals[0] + _sign(signals[0], signals[1], both) * signals[1]) / 2
    return EyeMovements(channel, find_eye_movements(signal, epochs, min_slope_uv_per_s), int(epochs.sum()))


def count_eye_movements(
    recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame, min_slope_uv_per_s: float
) -> tuple[str, int, int] | None:
    """Return channel, number of movements and number of epochs of `locate_eye_movements`; None without an EOG."""
    found = locate_eye_movements(recording, stages, quality, min_slope_uv_per_s)
    return (found.channel, found.times_s.size, found.n_epochs) if found else None


def _sign(first: np.ndarray, second: np.ndarray, epochs: np.ndarray) -> float:
    """Return 1 if two EOGs are positively correlated in the epochs, else −1."""
    thinned = [thin(signal, 4) for signal in (first, second)]
    rows = [filter_band(eyes, BAND_HZ, TRANSITION_HZ, rate_hz) for eyes, rate_hz, _ in thinned]
    mask = epochs_to_samples(epochs, rows[0].size, thinned[0][1])
    one, two = (row[mask] for row in rows)
    return 1.0 if one @ two > 0 else -1.0
