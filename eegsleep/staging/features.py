"""YASA's features of each channel, computed once, and YASA's classifiers.

`yasa.SleepStaging` takes one EEG and computes the features of all its channels anew in every call. Here each
channel's features are computed once, whatever the number of derivations. Features of an epoch that is not usable are
left out of the smoothing and scaling that YASA does over the night: otherwise an hour of a loose electrode would
change the stages of the other seven.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.errors import EegSleepError
from eegsleep.recording.rates import bridge_gaps
from eegsleep.signals.epochs import EPOCH_SAMPLES, SCORED_STAGES
from eegsleep.signals.two_channels import measure_each
from eegsleep.staging.yasa_features import filter_broad, measure_time_features, measure_yasa_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightgbm import LGBMClassifier

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
    own = own.astype(float)
    own.loc[~usable] = np.nan
    centred = own.rolling(window=15, center=True, min_periods=1, win_type="triang").mean()
    past = own.rolling(window=4, min_periods=1).mean()
    parts = [own, _scale(centred).add_suffix("_c7min_norm"), _scale(past).add_suffix("_p2min_norm")]
    return pd.concat(parts, axis=1).astype(np.float32)


def _scale(frame: pd.DataFrame) -> pd.DataFrame:
    spread = frame.quantile(0.95) - frame.quantile(0.05)
    return (frame - frame.median()) / spread.where(spread > 0, 1.0)


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
    classifier = _load_classifier("+".join(role for role in ("eeg", "eog", "emg") if role in roles))
    table = pd.concat([frame.reset_index(drop=True) for frame in features], axis=1)
    order = [list(classifier.classes_).index(stage) for stage in SCORED_STAGES]
    return np.asarray(classifier.predict_proba(table[classifier.feature_name_]))[:, order]


@cache
def _load_classifier(name: str) -> LGBMClassifier:
    """Load a classifier from YASA's own package, and only from there, because loading a pickle runs code."""
    from importlib.metadata import version
    from importlib.util import find_spec
    from pathlib import Path

    import joblib

    # found without importing YASA, which brings matplotlib and takes longer than to stage the night
    package = find_spec("yasa")
    folders = [Path(folder) / "classifiers" for folder in package.submodule_search_locations or ()] if package else []
    paths = sorted(path for folder in folders for path in folder.glob(f"clf_{name}_lgb_*.joblib"))
    if not paths:
        raise EegSleepError(f"this YASA has no classifier for {name}", found=version("yasa"), allowed="YASA 0.8")
    with warnings.catch_warnings():
        # YASA's models carry a scikit-learn LabelEncoder, whose five class names have not changed (yasa#157).
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator LabelEncoder")
        return joblib.load(paths[-1])
