"""The level of each channel, by which staging follows sleep and not the gain of an electrode.

Of the features that YASA's classifiers use, only three of each channel follow its gain: standard deviation,
interquartile range and absolute power. Ratios, entropies, fractal dimensions, Hjorth's parameters and the smoothed
copies, which YASA scales by their own 5-95 % range, do not. So the signal is left as it is, and those three columns
are multiplied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from eegsleep.quality import USUAL_LEVEL_UV

if TYPE_CHECKING:
    import pandas as pd

GainMode = Literal["reference", "as_recorded"]
GAIN_MODES: tuple[GainMode, ...] = get_args(GainMode)

# The level at which YASA's classifiers were trained, from the split thresholds of their own trees. LightGBM splits a
# feature at the borders of 255 bins with equal numbers of training epochs, and 252 of these borders are used, so that
# the median of the distinct thresholds is the median training epoch (tests/staging/test_gain.py reads them again):
# EEG: abspow 169 uV2, of it theta .112, alpha .056, sigma .026, beta .029, hence 6.14 uV.
# EOG: abspow 145 uV2, of it .082, .031, .013, .018, hence 4.57 uV.
# EMG: quartiles of abspow 37, 160 and 636 uV2, a mixture of chins with and without a high-pass filter at 10 Hz. The
# lower quartile, 6.0 uV, is where a chin with that filter lies. This is the least certain of the three: the median
# (12.6 uV) was tried first and cost .014 of kappa on four simulated nights; no real chin was at hand.
# The band of 4-30 Hz was chosen among seven on one real segment and two DREAMS excerpts, where the gain at which the
# experts' stages are likeliest puts it at 6.17, 6.15 and 6.49 uV. 12-30 and 4-16 Hz are not shown to be worse.
TRAINED_LEVEL_UV = {"eeg": USUAL_LEVEL_UV, "eog": 4.57, "emg": 6.0}
_ABOVE_SLOW = ("theta", "alpha", "sigma", "beta")
_POWER_OF_GAIN = {"std": 1, "iqr": 1, "abspow": 2}
# With fewer epochs of sleep the level is taken from the whole night.
MIN_SLEEP_EPOCHS = 20


def measure_level(features: pd.DataFrame, role: str, among: np.ndarray) -> float:
    """Measure the level of a channel: the RMS of 4-30 Hz in the median epoch (EMG: of 0.4-30 Hz).

    Parameters
    ----------
    features : pandas.DataFrame
        YASA's features of the channel, a row an epoch.
    role : {"eeg", "eog", "emg"}
    among : numpy.ndarray of bool, shape (n_epochs,)
        The epochs to take it from.

    Returns
    -------
    float
        In µV; NaN where none of those epochs has a signal. It grows with gain exactly, and hardly with slow waves:
        on three recordings 0.4-4 Hz times 0.7 to 1.4 moved it by less than 2.5 %.
    """
    power = features[f"{role}_abspow"].to_numpy(dtype=float)
    if role != "emg":
        power = power * sum(features[f"{role}_{band}"].to_numpy(dtype=float) for band in _ABOVE_SLOW)
    power = power[among & np.isfinite(power) & (power > 0)]
    return float(np.sqrt(np.median(power))) if power.size else float("nan")


def gain_to_reference(features: pd.DataFrame, role: str, among: np.ndarray) -> float:
    """Return the factor that brings a channel to the level YASA was trained at; 1 where its level is not known.

    Parameters
    ----------
    features, role, among
        As in `measure_level`.

    Returns
    -------
    float
    """
    level_uv = measure_level(features, role, among)
    return TRAINED_LEVEL_UV[role] / level_uv if np.isfinite(level_uv) else 1.0


def bring_to_reference(features: pd.DataFrame, role: str, gain: float) -> pd.DataFrame:
    """Return the features YASA would give had the channel been recorded `gain` times as large.

    Parameters
    ----------
    features : pandas.DataFrame
        YASA's features of the channel.
    role : {"eeg", "eog", "emg"}
    gain : float

    Returns
    -------
    pandas.DataFrame
        The same frame where `gain` is 1, so that these stages are YASA's own.
    """
    if gain == 1:
        return features
    scaled = {
        f"{role}_{name}": (features[f"{role}_{name}"].to_numpy(dtype=float) * gain**power).astype(np.float32)
        for name, power in _POWER_OF_GAIN.items()
    }
    return features.assign(**scaled)
