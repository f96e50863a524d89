"""Sleep stages by YASA on every usable derivation, with calibrated probabilities and unscored epochs."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.errors import RecordingError
from eegsleep.hypnograms.table import make_stages
from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import EPOCH_SAMPLES, SCORED_STAGES
from eegsleep.staging.confidence import calibrate_probabilities
from eegsleep.staging.features import leave_out, measure_features, predict_stages
from eegsleep.staging.lights import MARGIN_S, MAX_NIGHT_H, Lights, complete_lights, keep_night

if TYPE_CHECKING:
    from eegsleep.recording.recording import Recording

# YASA's features are smoothed over 7.5 min; in less than five minutes they have no meaning.
MIN_DURATION_S = 300.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagingSettings:
    """How stages are scored.

    Parameters
    ----------
    use_eog, use_emg : bool
        Whether an EOG and an EMG are staged with, where the recording has them.
    min_usable_fraction : float
        A channel is staged with where at least this share of its epochs is usable.
    """

    use_eog: bool = True
    use_emg: bool = True
    min_usable_fraction: float = 0.5


class Staged(NamedTuple):
    """Stages of a night.

    Attributes
    ----------
    stages : pandas.DataFrame
        Table `HYPNOGRAM`.
    lights : Lights
        When the night began and ended.
    channels : dict of str to float
        The channels that were staged and the weight of each; empty for stages that were given.
    """

    stages: pd.DataFrame
    lights: Lights
    channels: dict[str, float]


def choose_staging_channels(
    recording: Recording, quality: pd.DataFrame, settings: StagingSettings | None = None
) -> dict[str, float]:
    """Choose the channels that are staged, and the weight of each.

    A derivation's weight is the share of its epochs that are usable: one that fails for half the night counts
    less in the other half too. EOG and EMG have the weight 1; they are used together with each derivation.

    Parameters
    ----------
    recording : Recording
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    settings : StagingSettings, optional

    Returns
    -------
    dict of str to float
        Label to weight, EEG first in order of trust.

    Raises
    ------
    RecordingError
        If no EEG derivation has a single usable epoch.
    """
    settings = settings or StagingSettings()
    usable = {label: float(usable_epochs(quality, label).mean()) for label in recording.channels}
    derivations = [c for c in recording.derivations if usable[c] >= settings.min_usable_fraction]
    best = max(recording.derivations, key=lambda c: usable[c])
    if usable[best] == 0:
        reasons = quality.loc[quality["channel"] == best, "reason"]
        raise RecordingError(
            "no EEG derivation has a usable epoch, so the night cannot be staged",
            found=f"{best}: {reasons.mode().iloc[0]}",
            remedy="look at the signals and their units, or name another derivation with --eeg",
        )
    chosen = {label: usable[label] for label in derivations or [best]}
    for role, wanted in (("eog", settings.use_eog), ("emg", settings.use_emg)):
        labels = [c for c, r in recording.roles.items() if r == role and usable[c] >= settings.min_usable_fraction]
        chosen |= dict.fromkeys(labels[:1] if wanted else [], 1.0)
    return chosen


def check_duration(recording: Recording) -> None:
    """Raise `RecordingError` if a recording is too short to be staged."""
    if recording.duration_s < MIN_DURATION_S:
        raise RecordingError(
            "the recording is too short to be staged",
            found=f"{recording.duration_s / 60:.1f} min",
            allowed=f"{MIN_DURATION_S / 60:.0f} min and more",
        )


def score_stages(recording: Recording, quality: pd.DataFrame, settings: StagingSettings | None = None) -> pd.DataFrame:
    """Score 30 s epochs with YASA on every usable derivation, and combine the probabilities.

    In each epoch the probabilities of the derivations that are usable there are averaged with the weights of
    `choose_staging_channels`. Where EOG or EMG is not usable, YASA's classifier without it is used.
    One derivation on a clean night gives YASA's own stages.

    Parameters
    ----------
    recording : Recording
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    settings : StagingSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `HYPNOGRAM`. Epochs in which no derivation is usable are UNS and their probabilities are
        missing; YASA would give them a stage.

    Raises
    ------
    RecordingError
        If the recording is shorter than `MIN_DURATION_S`, or no derivation is usable.

    References
    ----------
    Vallat & Walker 2021, doi:10.7554/eLife.70092; several EEG, a vote outside YASA: yasa#40.
    """
    check_duration(recording)
    return _score_epochs(recording, quality, choose_staging_channels(recording, quality, settings))


def _score_epochs(
    recording: Recording, quality: pd.DataFrame, weights: dict[str, float], epochs: slice | None = None
) -> pd.DataFrame:
    """Return table `HYPNOGRAM` from the channels that were chosen; see `score_stages`."""
    logger.info("scoring sleep stages")
    start, stop, _ = (epochs or slice(None)).indices(recording.n_epochs)
    usable = {label: usable_epochs(quality, label)[start:stop] for label in weights}
    by_derivation = score_derivations(recording, usable, slice(start, stop))
    combined, agreement = combine(by_derivation, usable, weights)
    return _as_table(combined, agreement, start, recording.n_epochs)


def score_night(
    recording: Recording, quality: pd.DataFrame, settings: StagingSettings | None = None, lights: Lights | None = None
) -> Staged:
    """Score the night within a recording, and find lights off and on where they are not known.

    Epochs outside lights off and on are unscored. A recording of more than a night's length is scored twice where
    lights are not known: once to find the night, and once from 30 min before it to 30 min after, because YASA
    scales its features over all epochs it gets.

    Parameters
    ----------
    recording : Recording
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    settings : StagingSettings, optional
    lights : Lights, optional
        As `find_lights` returns them.

    Returns
    -------
    Staged
        `stages` has a row for every epoch of the recording, UNS outside the night.

    Raises
    ------
    RecordingError
        If the recording is shorter than `MIN_DURATION_S`, or no derivation is usable.
    """
    check_duration(recording)
    channels = choose_staging_channels(recording, quality, settings)
    is_long = recording.duration_s > MAX_NIGHT_H * 3600
    if lights is None or math.isnan(lights.on_s):
        night = complete_lights(lights, _score_epochs(recording, quality, channels))
    else:
        night = lights
    margin_s = MARGIN_S if night.known else 0.0
    epochs = night.epochs(recording.n_epochs, margin_s) if is_long else None
    stages = _score_epochs(recording, quality, channels, epochs)
    # Features scaled by a whole day make single epochs of its wake look like sleep, which would lengthen the
    # night; so its borders are found again.
    night = complete_lights(lights, stages)
    return Staged(keep_night(stages, night), night, channels)


def score_derivations(recording: Recording, usable: dict[str, np.ndarray], epochs: slice) -> dict[str, np.ndarray]:
    """Predict the stages from each derivation alone.

    Parameters
    ----------
    recording : Recording
    usable : dict of str to numpy.ndarray
        The channels to use, and in which of `epochs` each is usable, shape (n_epochs,).
    epochs : slice

    Returns
    -------
    dict of str to numpy.ndarray, shape (n_epochs, 5)
        Probabilities of W, N1, N2, N3 and R by label of the derivation.
    """
    derivations = [label for label in usable if recording.roles[label] == "eeg"]
    others = {recording.roles[label]: label for label in usable if recording.roles[label] != "eeg"}
    span = slice(epochs.start * EPOCH_SAMPLES, epochs.stop * EPOCH_SAMPLES)
    features = measure_features(recording, derivations, others, span)
    time = features.pop("")
    features = {label: leave_out(frame, usable[label]) for label, frame in features.items()}
    return {label: _score_one(label, features, time, others, usable) for label in derivations}


def _score_one(
    label: str,
    features: dict[str, pd.DataFrame],
    time: pd.DataFrame,
    others: dict[str, str],
    usable: dict[str, np.ndarray],
) -> np.ndarray:
    """Return the probabilities from one derivation, with EOG and EMG in the epochs in which they are usable."""
    probabilities = np.empty((len(time), len(SCORED_STAGES)))
    there = np.stack([usable[name] for name in others.values()], axis=1) if others else np.ones((len(time), 0), bool)
    for present in np.unique(there, axis=0):
        rows = (there == present).all(axis=1)
        roles = [role for role, is_there in zip(others, present, strict=True) if is_there]
        parts = [features[label], *(features[others[role]] for role in roles), time]
        probabilities[rows] = predict_stages([part[rows] for part in parts], ["eeg", *roles])
    return probabilities


def combine(
    by_derivation: dict[str, np.ndarray], usable: dict[str, np.ndarray], weights: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean of the derivations' probabilities, and how far the derivations agree.

    Parameters
    ----------
    by_derivation : dict of str to numpy.ndarray, shape (n_epochs, 5)
        Probabilities from each derivation.
    usable : dict of str to numpy.ndarray of bool, shape (n_epochs,)
    weights : dict of str to float

    Returns
    -------
    combined : numpy.ndarray, shape (n_epochs, 5)
        NaN where no derivation is usable.
    agreement : numpy.ndarray, shape (n_epochs,)
        Weighted share of the usable derivations that by themselves give the combined stage; NaN where fewer than
        two are usable.
    """
    votes = np.stack(list(by_derivation.values()))
    weight = np.stack([weights[label] * usable[label] for label in by_derivation])
    total = weight.sum(axis=0)
    with np.errstate(invalid="ignore"):
        combined = (weight[..., None] * votes).sum(axis=0) / total[:, None]
        same = votes.argmax(axis=2) == np.nan_to_num(combined).argmax(axis=1)
        agreement = (weight * same).sum(axis=0) / total
    return combined, np.where((weight > 0).sum(axis=0) > 1, agreement, np.nan)


def _as_table(combined: np.ndarray, agreement: np.ndarray, start: int, n_epochs: int) -> pd.DataFrame:
    """Return table `HYPNOGRAM` of the whole recording from the probabilities of some of its epochs."""
    probabilities = np.full((n_epochs, len(SCORED_STAGES)), np.nan)
    rows = slice(start, start + len(combined))
    probabilities[rows] = calibrate_probabilities(combined)
    scored = np.isfinite(probabilities).all(axis=1)
    stages = np.where(scored, np.array(SCORED_STAGES)[np.nan_to_num(probabilities).argmax(axis=1)], "UNS")
    agreed = np.full(n_epochs, np.nan)
    agreed[rows] = agreement
    return make_stages(stages, pd.DataFrame(probabilities), scored, agreed)
