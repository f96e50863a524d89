"""YASA's features of each channel, computed once, and the stages that its classifiers predict from them.

`yasa.SleepStaging` takes one EEG and computes the features of all its channels anew in every call. Here each
channel's features are computed once, whatever the number of derivations. Features of an epoch that is not usable are
left out of the smoothing and scaling that YASA does over the night: otherwise an hour of a loose electrode would
change the stages of the other seven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.recording.rates import bridge_gaps
from eegsleep.signals.epochs import EPOCH_SAMPLES, SCORED_STAGES
from eegsleep.signals.two_channels import measure_each
from eegsleep.staging.classifier import CLASSES, load_classifier
from eegsleep.staging.yasa_features import filter_broad, measure_time_features, measure_yasa_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eegsleep.recording.recording import Recording


class MeasuredChannels(NamedTuple):
    """What the stages of a night are predicted from.

    Attributes
    ----------
    roles : dict of str to str
        `eeg`, `eog` or `emg` by label, of the channels that are staged.
    features : dict of str to pandas.DataFrame
        YASA's features of each channel, a row an epoch, smoothed and scaled without the unusable epochs.
    time : pandas.DataFrame
        The features of the time of night.
    usable : dict of str to numpy.ndarray of bool, shape (n_epochs,)
    filtered : dict of str to numpy.ndarray of float32, shape (n_samples,)
        The EEG from which the features were measured: 0.4-30 Hz, in µV.
    """

    roles: dict[str, str]
    features: dict[str, pd.DataFrame]
    time: pd.DataFrame
    usable: dict[str, np.ndarray]
    filtered: dict[str, np.ndarray]

    @property
    def derivations(self) -> list[str]:
        """The labels of the EEG channels."""
        return [label for label, role in self.roles.items() if role == "eeg"]


def measure_channels(recording: Recording, usable: dict[str, np.ndarray], epochs: slice) -> MeasuredChannels:
    """Measure the features of the channels that are staged.

    Parameters
    ----------
    recording : Recording
    usable : dict of str to numpy.ndarray
        The channels to use, and in which of `epochs` each is usable, shape (n_epochs,).
    epochs : slice
        With start and stop.

    Returns
    -------
    MeasuredChannels
    """
    roles = {label: recording.roles[label] for label in usable}
    span = slice(epochs.start * EPOCH_SAMPLES, epochs.stop * EPOCH_SAMPLES)
    signals = {label: recording.signal(label)[span] for label in roles}

    def measure(label: str) -> tuple[pd.DataFrame, np.ndarray | None]:
        # Gaps are filled: the filter spreads one missing sample so far that a third of the epochs would change.
        signal_uv = filter_broad(bridge_gaps(signals[label]))
        own = smooth_and_scale(measure_yasa_features(signal_uv, roles[label]), usable[label])
        return own, signal_uv.astype(np.float32) if roles[label] == "eeg" else None

    measured = dict(zip(roles, measure_each(measure, roles), strict=True))
    features = {label: own for label, (own, _) in measured.items()}
    filtered = {label: signal_uv for label, (_, signal_uv) in measured.items() if signal_uv is not None}
    return MeasuredChannels(roles, features, measure_time_features(epochs.stop - epochs.start), usable, filtered)


def smooth_and_scale(own: pd.DataFrame, usable: np.ndarray) -> pd.DataFrame:
    """Return features with YASA's two smoothed and scaled copies of each, NaN in unusable epochs.

    Parameters
    ----------
    own : pandas.DataFrame
        Features of one channel without these copies.
    usable : numpy.ndarray of bool, shape (n_epochs,)

    Returns
    -------
    pandas.DataFrame
        In single precision, as YASA's classifiers were trained.
    """
    values = own.to_numpy(dtype=float, copy=True)
    values[~usable] = np.nan
    # A triangle over 15 epochs about each, and the mean of the last four; pandas would import scipy.signal for it.
    triangle = 1 - np.abs(np.arange(-7, 8)) / 8
    copies = [_scale(_smooth(values, triangle, 7)), _scale(_smooth(values, np.ones(4), 0))]
    names = [f"{name}{copy}" for copy in ("", "_c7min_norm", "_p2min_norm") for name in own]
    return pd.DataFrame(np.hstack([values, *copies]).astype(np.float32), columns=names)


def _smooth(values: np.ndarray, weights: np.ndarray, n_after: int) -> np.ndarray:
    """Return weighted means over each row and its neighbours, up to `n_after` rows after it; NaN are left out."""
    n_before = weights.size - 1 - n_after
    padded = np.pad(values, ((n_before, n_after), (0, 0)), constant_values=np.nan)
    known = np.isfinite(padded)
    padded = np.where(known, padded, 0.0)
    total, weight = np.zeros(values.shape), np.zeros(values.shape)
    for first, share in enumerate(weights):
        total += share * padded[first : first + len(values)]
        weight += share * known[first : first + len(values)]
    return np.divide(total, weight, out=np.full(values.shape, np.nan), where=weight > 0)


def _scale(values: np.ndarray) -> np.ndarray:
    """Return each column less its median, over its range from the 5th to the 95th percentile; NaN are left out."""
    ordered = np.sort(values, axis=0)  # NaN come last
    last = np.maximum(np.isfinite(values).sum(axis=0) - 1, 0)
    column = np.arange(values.shape[1])

    def quantile(share: float) -> np.ndarray:
        place = share * last
        below = place.astype(int)
        low, high = ordered[below, column], ordered[np.minimum(below + 1, last), column]
        return low + (high - low) * (place - below)

    spread = quantile(0.95) - quantile(0.05)
    return (values - quantile(0.5)) / np.where(spread > 0, spread, 1.0)


def predict_stages(features: Sequence[pd.DataFrame], roles: Sequence[str]) -> np.ndarray:
    """Return YASA's probabilities of W, N1, N2, N3 and R, shape (n_epochs, 5).

    Parameters
    ----------
    features : sequence of pandas.DataFrame
        Features of the channels and of the time of night, with the same rows.
    roles : sequence of str
        Which of `eeg`, `eog`, `emg` are among them; this decides which classifier is used.

    Returns
    -------
    numpy.ndarray, shape (n_epochs, 5)
        Each row sums to 1.
    """
    classifier = load_classifier("+".join(role for role in ("eeg", "eog", "emg") if role in roles))
    table = pd.concat([frame.reset_index(drop=True) for frame in features], axis=1)
    order = [CLASSES.index(stage) for stage in SCORED_STAGES]
    return classifier.predict(table[list(classifier.features)].to_numpy(dtype=np.float32))[:, order]
