"""YASA's features of each channel, computed once, and YASA's classifiers.

`yasa.SleepStaging` takes one EEG and computes the features of all its channels anew in every call. Here each
channel's features are computed by YASA once, whatever the number of derivations. Features of an epoch that is
not usable are left out of the smoothing and scaling that YASA does over the night: otherwise an hour of a loose
electrode would change the stages of the other seven.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.errors import EegSleepError
from eegsleep.recording.rates import bridge_gaps
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_SAMPLES, SCORED_STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightgbm import LGBMClassifier

    from eegsleep.recording.recording import Recording

_TIME_FEATURES = ("time_hour", "time_norm")


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
    """

    roles: dict[str, str]
    features: dict[str, pd.DataFrame]
    time: pd.DataFrame
    usable: dict[str, np.ndarray]

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
    derivations = [label for label, role in roles.items() if role == "eeg"]
    others = {role: label for label, role in roles.items() if role != "eeg"}
    span = slice(epochs.start * EPOCH_SAMPLES, epochs.stop * EPOCH_SAMPLES)
    features = measure_features(recording, derivations, others, span)
    time = features.pop("")
    return MeasuredChannels(
        roles, {label: leave_out(frame, usable[label]) for label, frame in features.items()}, time, usable
    )


def measure_features(
    recording: Recording, derivations: Sequence[str], others: dict[str, str], span: slice
) -> dict[str, pd.DataFrame]:
    """Return YASA's features of every derivation, and of EOG and EMG, one row a 30 s epoch.

    Parameters
    ----------
    recording : Recording
    derivations : sequence of str
        Labels of the EEG channels.
    others : dict of str to str
        Labels of the channels with role `eog` and `emg`; empty for none.
    span : slice
        The samples at the analysis rate that are staged.

    Returns
    -------
    dict of str to pandas.DataFrame
        By label, with YASA's column names; those of the time of night have an empty label.

    References
    ----------
    Vallat & Walker 2021, doi:10.7554/eLife.70092.
    """
    features: dict[str, pd.DataFrame] = {}
    for label in derivations:
        # EOG and EMG are measured with the first derivation, because YASA accepts neither without an EEG
        roles = {"eeg": label, **(others if not features else {})}
        columns = _measure_with_yasa(recording, roles, span)
        features |= {name: columns.filter(regex=f"^{role}_") for role, name in roles.items() if name not in features}
        features[""] = columns[list(_TIME_FEATURES)]
    return features


def _measure_with_yasa(recording: Recording, roles: dict[str, str], span: slice) -> pd.DataFrame:
    """Return YASA's features of one EEG and of the channels that go with it."""
    import mne
    import yasa

    import_antropy()
    # Gaps are filled: YASA's filter spreads one missing sample so far that a third of the epochs would change.
    data = np.stack([bridge_gaps(recording.signal(label)[span]) for label in roles.values()])
    info = mne.create_info(list(roles.values()), ANALYSIS_RATE_HZ, list(roles))
    raw = mne.io.RawArray(data * 1e-6, info, verbose="ERROR")
    names = {f"{role}_name": label for role, label in roles.items()}
    with warnings.catch_warnings():
        # A flat epoch has no variance to divide by. It is not usable, and its features are left out afterwards.
        warnings.filterwarnings("ignore", message="(invalid value|divide by zero) encountered", category=RuntimeWarning)
        return yasa.SleepStaging(raw, **names).get_features()


def import_antropy() -> None:
    """Import antropy, which YASA needs, so that numba stores the compiled functions on disk.

    Importing antropy compiles six functions, which takes 5 s in every process. numba can keep them in its own cache,
    which is bound to processor and versions, but only where it is told so, and antropy does not.
    """
    import functools
    import sys

    import numba

    if "antropy" in sys.modules:
        return
    compiling = numba.jit
    vars(numba)["jit"] = functools.partial(compiling, cache=True)
    try:
        import antropy
    except (OSError, RuntimeError):  # no folder can be written to: compiled anew, as without this function
        vars(numba)["jit"] = compiling
        import antropy  # noqa: F401
    finally:
        vars(numba)["jit"] = compiling


def leave_out(features: pd.DataFrame, usable: np.ndarray) -> pd.DataFrame:
    """Return features smoothed and scaled as YASA does it, with unusable epochs left out.

    Parameters
    ----------
    features : pandas.DataFrame
        Features of one channel, as `measure_features` returns them.
    usable : numpy.ndarray of bool, shape (n_epochs,)

    Returns
    -------
    pandas.DataFrame
        The same rows and columns; NaN in the unusable epochs.

    Notes
    -----
    YASA smooths each feature over 7.5 min (triangular, centred) and over the last 2 min, and scales both by
    the median and the 5–95 % range of the night. Nothing is changed where every epoch is usable.
    """
    if usable.all():
        return features
    own = features.loc[:, ~features.columns.str.endswith("_norm")]
    return smooth_and_scale(own, usable)[features.columns]


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
    from pathlib import Path

    import joblib
    import yasa

    paths = sorted((Path(yasa.__file__).parent / "classifiers").glob(f"clf_{name}_lgb_*.joblib"))
    if not paths:
        raise EegSleepError(f"this YASA has no classifier for {name}", found=yasa.__version__, allowed="YASA 0.8")
    with warnings.catch_warnings():
        # YASA's models carry a scikit-learn LabelEncoder, whose five class names have not changed (yasa#157).
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator LabelEncoder")
        return joblib.load(paths[-1])
