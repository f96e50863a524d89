"""Sleep stages by YASA on every usable derivation, with calibrated probabilities and unscored epochs."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.errors import RecordingError, SettingsError
from eegsleep.hypnograms.table import make_stages
from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import SCORED_STAGES
from eegsleep.staging.confidence import calibrate_probabilities
from eegsleep.staging.equal_delta import EqualDelta, find_unsure, gather_equal_delta, measure_slow_power, scale_channels
from eegsleep.staging.features import MeasuredChannels, measure_channels, predict_stages
from eegsleep.staging.gain import (
    GAIN_MODES,
    MIN_SLEEP_EPOCHS,
    TRAINED_LEVEL_UV,
    GainMode,
    bring_to_reference,
    gain_to_reference,
)
from eegsleep.staging.lights import MARGIN_S, MAX_NIGHT_H, Lights, complete_lights, keep_night
from eegsleep.staging.other import ENSEMBLE, Hypnodensity, list_ensemble

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    gain : {"reference", "as_recorded"}
        With `reference` each channel is brought to the level YASA's classifiers were trained at, so that a change of
        gain changes no stage. `as_recorded` leaves the signals as they are: YASA's own behaviour, whose N3 grows with
        gain (15.5, 23 and 28 min at a gain of 0.5, 1 and 2 on one real recording).
    second : str
        Another stager whose stages are set beside: `yasa-ensemble` for the mean of YASA's own classifiers on EEG alone,
        with EOG, with EMG and with both, or the name of one that an installed package offers; empty for none.

    Raises
    ------
    SettingsError
        If `gain` is neither of the two.
    """

    use_eog: bool = True
    use_emg: bool = True
    min_usable_fraction: float = 0.5
    gain: GainMode = "reference"
    second: str = ""

    def __post_init__(self) -> None:
        if self.gain not in GAIN_MODES:
            raise SettingsError(
                "there is no such way to treat gain in staging", found=repr(self.gain), allowed=", ".join(GAIN_MODES)
            )


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
    gains : dict of str to float
        The factor each was brought to the level of YASA's training with; 1 where it was staged as recorded.
    equal_delta : EqualDelta or None
        The same night at other sizes of its slow waves; None for stages that were given.
    levels_uv : mapping of str to float
        The level each channel was brought to reference from (`measure_level`); NaN where it was staged as recorded.
    ensemble : Hypnodensity or None
        The mean of YASA's own classifiers, where the settings ask for it.
    """

    stages: pd.DataFrame
    lights: Lights
    channels: dict[str, float]
    gains: dict[str, float]
    equal_delta: EqualDelta | None = None
    levels_uv: Mapping[str, float] = MappingProxyType({})
    ensemble: Hypnodensity | None = None


class ScoredEpochs(NamedTuple):
    """Stages with what they were predicted from.

    Attributes
    ----------
    stages : pandas.DataFrame
        Table `HYPNOGRAM` of the whole recording, UNS outside `epochs`.
    measured : MeasuredChannels
        Features of `epochs`.
    gains : dict of str to float
    by_derivation : dict of str to numpy.ndarray, shape (n_epochs, 5)
        Probabilities from each derivation.
    epochs : slice
        The epochs that were staged.
    """

    stages: pd.DataFrame
    measured: MeasuredChannels
    gains: dict[str, float]
    by_derivation: dict[str, np.ndarray]
    epochs: slice


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
    at_level = settings.gain == "reference"
    usable = {label: float(usable_epochs(quality, label, at_level=at_level).mean()) for label in recording.channels}
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
    With `gain="as_recorded"` one derivation on a clean night gives YASA's own stages.

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

    Examples
    --------
    >>> stages = es.score_stages(short, es.measure_quality(short))
    >>> len(stages) == short.n_epochs
    True
    """
    check_duration(recording)
    settings = settings or StagingSettings()
    return _score_epochs(recording, quality, choose_staging_channels(recording, quality, settings), settings).stages


def _score_epochs(
    recording: Recording,
    quality: pd.DataFrame,
    weights: dict[str, float],
    settings: StagingSettings,
    epochs: slice | None = None,
) -> ScoredEpochs:
    """Score some epochs from the channels that were chosen; see `score_stages`."""
    logger.info("scoring sleep stages")
    start, stop, _ = (epochs or slice(None)).indices(recording.n_epochs)
    usable = {
        label: usable_epochs(quality, label, at_level=settings.gain == "reference")[start:stop] for label in weights
    }
    measured = measure_channels(recording, usable, slice(start, stop))
    gains = find_gains(measured, weights) if settings.gain == "reference" else dict.fromkeys(weights, 1.0)
    by_derivation = {label: score_derivation(measured, gains, label) for label in measured.derivations}
    combined, agreement = combine(by_derivation, usable, weights)
    stages = _as_table(combined, agreement, start, recording.n_epochs)
    return ScoredEpochs(stages, measured, gains, by_derivation, slice(start, stop))


def find_gains(measured: MeasuredChannels, weights: dict[str, float]) -> dict[str, float]:
    """Find the factor that brings each channel to the level YASA's classifiers were trained at.

    The level is taken from the usable epochs first, and then once more from those that this first scoring calls
    sleep: an hour awake in bed would otherwise count as quiet or loud sleep.

    Parameters
    ----------
    measured : MeasuredChannels
    weights : dict of str to float
        As `choose_staging_channels` returns them.

    Returns
    -------
    dict of str to float
        By label.
    """
    usable, features, roles = measured.usable, measured.features, measured.roles
    gains = {label: gain_to_reference(features[label], role, usable[label]) for label, role in roles.items()}
    first = {label: score_derivation(measured, gains, label) for label in measured.derivations}
    combined, _ = combine(first, usable, weights)
    asleep = np.isfinite(combined).all(axis=1) & (np.nan_to_num(combined).argmax(axis=1) > 0)
    for label, role in roles.items():
        slept = usable[label] & asleep
        if slept.sum() >= MIN_SLEEP_EPOCHS:
            gains[label] = gain_to_reference(features[label], role, slept)
    return gains


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
    settings = settings or StagingSettings()
    channels = choose_staging_channels(recording, quality, settings)
    is_long = recording.duration_s > MAX_NIGHT_H * 3600
    if lights is None or math.isnan(lights.on_s):
        night = complete_lights(lights, _score_epochs(recording, quality, channels, settings).stages)
    else:
        night = lights
    margin_s = MARGIN_S if night.known else 0.0
    epochs = night.epochs(recording.n_epochs, margin_s) if is_long else None
    scored = _score_epochs(recording, quality, channels, settings, epochs)
    # Features scaled by a whole day make single epochs of its wake look like sleep, which would lengthen the
    # night; so its borders are found again.
    night = complete_lights(lights, scored.stages)
    equal_delta = score_at_equal_delta(recording, scored, channels, night)
    levels_uv = {
        label: TRAINED_LEVEL_UV[recording.roles[label]] / gain if settings.gain == "reference" else math.nan
        for label, gain in scored.gains.items()
    }
    ensemble = score_ensemble(scored, channels, recording.n_epochs) if settings.second == ENSEMBLE else None
    return Staged(keep_night(scored.stages, night), night, channels, scored.gains, equal_delta, levels_uv, ensemble)


def score_derivation(
    measured: MeasuredChannels, gains: dict[str, float], label: str, known: np.ndarray | None = None
) -> np.ndarray:
    """Predict the stages from one derivation, with EOG and EMG in the epochs in which they are usable.

    Parameters
    ----------
    measured : MeasuredChannels
    gains : dict of str to float
        The factor each channel is brought to reference with; 1 leaves it as recorded.
    label : str
        The derivation.
    known : numpy.ndarray, shape (n_epochs, 5), optional
        Probabilities to keep where they are not NaN.

    Returns
    -------
    numpy.ndarray, shape (n_epochs, 5)
        Probabilities of W, N1, N2, N3 and R.
    """
    time, roles = measured.time, measured.roles
    others = [name for name, role in roles.items() if role != "eeg"]
    frames = {name: bring_to_reference(measured.features[name], roles[name], gains[name]) for name in (label, *others)}
    probabilities = np.full((len(time), len(SCORED_STAGES)), np.nan) if known is None else known.copy()
    wanted = np.isnan(probabilities).any(axis=1)
    there = np.stack([measured.usable[name] for name in others], axis=1) if others else np.ones((len(time), 0), bool)
    for present in np.unique(there[wanted], axis=0):
        rows = wanted & (there == present).all(axis=1)
        names = [label, *(name for name, is_there in zip(others, present, strict=True) if is_there)]
        parts = [*(frames[name][rows] for name in names), time[rows]]
        probabilities[rows] = predict_stages(parts, [roles[name] for name in names])
    return probabilities


def score_ensemble(scored: ScoredEpochs, weights: dict[str, float], n_epochs: int) -> Hypnodensity:
    """Score a night with each of YASA's classifiers that its channels allow, and average their probabilities.

    Parameters
    ----------
    scored : ScoredEpochs
    weights : dict of str to float
        As `choose_staging_channels` returns them.
    n_epochs : int
        Of the recording.

    Returns
    -------
    Hypnodensity
    """
    parts = []
    for channels in list_ensemble(scored.measured):
        by_derivation = {label: score_derivation(channels, scored.gains, label) for label in channels.derivations}
        parts.append(combine(by_derivation, channels.usable, weights)[0])
    probabilities = np.full((n_epochs, len(SCORED_STAGES)), np.nan)
    probabilities[scored.epochs] = np.mean(parts, axis=0)
    return Hypnodensity(ENSEMBLE, probabilities)


def score_at_equal_delta(
    recording: Recording, scored: ScoredEpochs, weights: dict[str, float], lights: Lights
) -> EqualDelta:
    """Score a night again with smaller and with larger slow waves.

    Parameters
    ----------
    recording : Recording
    scored : ScoredEpochs
        The night as it was recorded.
    weights : dict of str to float
        As `choose_staging_channels` returns them.
    lights : Lights

    Returns
    -------
    EqualDelta
    """
    logger.info("scoring with smaller and larger slow waves")
    usable, gains = scored.measured.usable, scored.gains
    combined = {"stage": combine(scored.by_derivation, usable, weights)[0]}
    power = {"stage": measure_slow_power(scored.measured, gains)}
    for column, measured in scale_channels(scored.measured).items():
        by_derivation = {}
        for label, usual in scored.by_derivation.items():
            known = np.where(find_unsure(usual)[:, None], np.nan, usual)
            by_derivation[label] = score_derivation(measured, gains, label, known)
        combined[column] = combine(by_derivation, usable, weights)[0]
        power[column] = measure_slow_power(measured, gains)
    return gather_equal_delta(combined, power, scored.epochs, lights, recording.n_epochs)


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
