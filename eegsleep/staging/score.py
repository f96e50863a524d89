"""Sleep stages by YASA, with what YASA does not say: which epochs could not be scored, and why."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import RecordingError
from eegsleep.quality import usable_epochs
from eegsleep.recording.read import ANALYSIS_RATE_HZ, bridge_gaps
from eegsleep.staging.hypnogram import PROBABILITY_COLUMNS, make_stages

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.recording.read import Recording

# Below five minutes YASA's features, which are smoothed over 7.5 min, mean nothing.
MIN_DURATION_S = 300.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagingSettings:
    """How stages are scored.

    A channel is given to the classifier when at least `min_usable_fraction` of its epochs are usable.
    """

    use_eog: bool = True
    use_emg: bool = True
    min_usable_fraction: float = 0.5


def choose_staging_channels(
    recording: Recording, quality: pd.DataFrame, settings: StagingSettings | None = None
) -> dict[str, str]:
    """Return role to label of the channels that are staged: the most trusted usable ones.

    Raises
    ------
    RecordingError
        If no EEG derivation has a single usable epoch.
    """
    settings = settings or StagingSettings()
    usable = {label: usable_epochs(quality, label).mean() for label in recording.channels}
    derivations = [c for c in recording.derivations if usable[c] >= settings.min_usable_fraction]
    best = derivations[0] if derivations else max(recording.derivations, key=lambda c: usable[c])
    if usable[best] == 0:
        reasons = quality.loc[quality["channel"] == best, "reason"]
        raise RecordingError(
            "no EEG derivation has a usable epoch, so the night cannot be staged",
            found=f"{best}: {reasons.mode().iloc[0]}",
            remedy="look at the signals and their units, or name another derivation with --eeg",
        )
    chosen = {"eeg": best}
    for role, wanted in (("eog", settings.use_eog), ("emg", settings.use_emg)):
        labels = [c for c, r in recording.roles.items() if r == role and usable[c] >= settings.min_usable_fraction]
        if wanted and labels:
            chosen[role] = labels[0]
    return chosen


def score_stages(recording: Recording, quality: pd.DataFrame, settings: StagingSettings | None = None) -> pd.DataFrame:
    """Score 30 s epochs with `yasa.SleepStaging` on the most trusted usable derivation.

    Parameters
    ----------
    recording : Recording
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    settings : StagingSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `HYPNOGRAM`. Epochs in which the staged derivation is not usable are UNS, with their
        probabilities missing: YASA would give them a stage all the same.

    Raises
    ------
    RecordingError
        If the recording is shorter than `MIN_DURATION_S`, or no derivation is usable.

    References
    ----------
    Vallat & Walker 2021, doi:10.7554/eLife.70092.
    """
    import mne
    import yasa

    if recording.duration_s < MIN_DURATION_S:
        raise RecordingError(
            "the recording is too short to be staged",
            found=f"{recording.duration_s / 60:.1f} min",
            allowed=f"{MIN_DURATION_S / 60:.0f} min and more",
        )
    chosen = choose_staging_channels(recording, quality, settings)
    logger.info("scoring sleep stages")
    data = np.stack([bridge_gaps(recording.signal(label)) for label in chosen.values()])
    info = mne.create_info(list(chosen.values()), ANALYSIS_RATE_HZ, list(chosen))
    # One missing sample would change a third of the epochs: the filter spreads it over the night.
    # Gaps are bridged for it, and their epochs are unscored below.
    raw = mne.io.RawArray(data * 1e-6, info, verbose="ERROR")
    staging = yasa.SleepStaging(raw, eeg_name=chosen["eeg"], eog_name=chosen.get("eog"), emg_name=chosen.get("emg"))
    with warnings.catch_warnings():
        # YASA's models carry a scikit-learn LabelEncoder, whose five class names have not changed (yasa#157).
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator LabelEncoder")
        hypnogram = staging.predict()
    probabilities = hypnogram.proba[["WAKE", "N1", "N2", "N3", "REM"]].set_axis(PROBABILITY_COLUMNS, axis=1)
    stages = hypnogram.hypno.astype("str").to_numpy()
    return make_stages(stages, probabilities, usable_epochs(quality, chosen["eeg"]))
