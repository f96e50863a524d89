"""Slow oscillations: every wave of the band is measured once, then selected by two definitions."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.events.yasa_detectors import detect_yasa_slow_waves
from eegsleep.hypnograms.objects import as_stages
from eegsleep.quality import usable_epochs
from eegsleep.signals.band_filter import filter_band, thin
from eegsleep.signals.epochs import EPOCH_MIN, NREM, silence_unusable, stage_at, values_at
from eegsleep.signals.two_channels import measure_each
from eegsleep.tables import SLOW_OSCILLATION_CANDIDATES, SLOW_OSCILLATIONS, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.events.calibration import Calibration
    from eegsleep.hypnograms.objects import Hypnogram
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

# Slopes of the filter of the slow band, as in YASA.
TRANSITION_HZ = 0.2
# Number of waves on either side among which a neighbour is searched; a wave of the band lasts 0.7 s or more.
_REACH = 8
# The signal is decimated to 25 Hz; crossings and peaks are interpolated between samples.
_THIN = 4
_POINTS = ("onset_s", "mid_crossing_s", "end_s", "neg_peak_s", "pos_peak_s", "neg_peak_uv", "pos_peak_uv")


@dataclass(frozen=True)
class SlowOscillationSettings:
    """How slow oscillations are found: waves of one shape, with limits in µV or relative to the night.

    *Absolute*, the main view, takes the limits in µV as they are; with a person's own threshold all of them are
    multiplied by its ratio to `ptp_uv[0]`. This view follows a change of amplitude, and electrode gain as well
    (141 / 256 / 351 waves at gain 0.8 / 1 / 1.25 on one real recording). *Relative* multiplies all limits so that
    the threshold from peak to peak is `relative_ptp` times the channel's own reference of that night: the median
    height of all waves of the band in usable N2, 18 µV on simulated nights and 20 µV on one real recording. A factor
    of 4 is thus about the 75 µV of the literature. Only N2 is used, so that more N3 does not raise the threshold; at
    this factor a fifth fewer slow oscillations move the reference by less than 1 %.

    Parameters
    ----------
    band_hz : tuple of float
        Band in which waves are measured.
    negative_s, positive_s : tuple of float
        Shortest and longest negative and positive half wave. Shape and limits are YASA's, after Massimini et al.
        2004 (doi:10.1523/JNEUROSCI.1318-04.2004) and Carrier et al. 2011 (doi:10.1111/j.1460-9568.2010.07543.x).
    negative_uv, positive_uv, ptp_uv : tuple of float
        Least and largest depth, height, and amplitude from peak to peak; the upper limits are against artefacts.
    relative_ptp : float
        Threshold of the relative view in multiples of the reference.
    min_reference_min : float
        With fewer minutes of usable N2 there is no relative view.
    candidate_share : float
        Candidates are kept down to this share of the lower of both thresholds.
    k_complex_alone_s, k_complex_negative_s : float
        A wave of N2 is a K-complex if no wave at least half as high lies within the first of it, and its negative
        half is shorter than the second. On 20 simulated nights this finds .87 of the K-complexes that are detected
        at all, with a precision of .88; without the second limit, on 8 nights, .94 and .67.
    method : {"eegsleep", "yasa"}
        "yasa" is YASA's detector with its own defaults, for comparison; it has no relative view.
    """

    band_hz: tuple[float, float] = (0.3, 1.5)
    negative_s: tuple[float, float] = (0.3, 1.5)
    positive_s: tuple[float, float] = (0.1, 1.0)
    negative_uv: tuple[float, float] = (40.0, 200.0)
    positive_uv: tuple[float, float] = (10.0, 150.0)
    ptp_uv: tuple[float, float] = (75.0, 350.0)
    relative_ptp: float = 4.0
    min_reference_min: float = 5.0
    candidate_share: float = 0.5
    k_complex_alone_s: float = 2.0
    k_complex_negative_s: float = 0.57
    method: str = "eegsleep"

    def __post_init__(self) -> None:
        if self.method not in {"eegsleep", "yasa"}:
            raise SettingsError(
                "slow oscillations cannot be found by this method", found=repr(self.method), allowed="eegsleep, yasa"
            )


def detect_slow_oscillations(
    recording: Recording,
    stages: Hypnogram,
    quality: pd.DataFrame,
    settings: SlowOscillationSettings | None = None,
    calibration: Calibration | None = None,
) -> pd.DataFrame:
    """Detect slow oscillations in usable N2 and N3 on every EEG derivation.

    Parameters
    ----------
    recording : Recording
    stages : DataFrame or another hypnogram that `as_stages` takes
        Table `HYPNOGRAM` of that recording.
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    settings : SlowOscillationSettings, optional
    calibration : Calibration, optional
        The person's own thresholds, from `calibrate_nights`.

    Returns
    -------
    pandas.DataFrame
        Table `SLOW_OSCILLATIONS`: waves that either view finds, marked in the columns `found_absolute` and
        `found_relative`; without a row where none was found.

    References
    ----------
    Massimini et al. 2004, doi:10.1523/JNEUROSCI.1318-04.2004; Carrier et al. 2011,
    doi:10.1111/j.1460-9568.2010.07543.x.

    Examples
    --------
    >>> waves = es.detect_slow_oscillations(recording, night.stages, night.quality)
    >>> waves["stage"].isin(["N2", "N3"]).all()
    np.True_
    """
    stages = as_stages(stages)
    settings = settings or SlowOscillationSettings()
    logger.info("detecting slow oscillations")
    if settings.method == "yasa":
        return detect_yasa_slow_waves(recording, stages, quality)
    candidates = find_slow_oscillation_candidates(recording, stages, quality, settings)
    return select_slow_oscillations(candidates, settings, calibration)


def find_slow_oscillation_candidates(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: SlowOscillationSettings | None = None,
) -> pd.DataFrame:
    """Measure every wave of the slow band in usable N2 and N3 that may be a slow oscillation.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    settings : SlowOscillationSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `SLOW_OSCILLATION_CANDIDATES`: the waves of `measure_waves` that are not too low for either view.
    """
    settings = settings or SlowOscillationSettings()
    return keep_candidates(measure_waves(recording, stages, quality, settings), settings)


def measure_waves(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: SlowOscillationSettings | None = None,
) -> pd.DataFrame:
    """Measure every wave of the slow band in usable N2 and N3, whatever its height.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    settings : SlowOscillationSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `SLOW_OSCILLATION_CANDIDATES`. Unusable epochs are set to zero before the filter, and waves that
        reach into them are left out. Voltages are those of the filtered signal.
    """
    settings = settings or SlowOscillationSettings()
    found = measure_each(
        lambda label: _find_on_channel(recording.signal(label), label, stages, usable_epochs(quality, label), settings),
        recording.derivations,
    )
    found = [frame for frame in found if len(frame)]
    if not found:
        return empty_table(SLOW_OSCILLATION_CANDIDATES)
    return check_table(pd.concat(found, ignore_index=True), SLOW_OSCILLATION_CANDIDATES)


def keep_candidates(waves: pd.DataFrame, settings: SlowOscillationSettings) -> pd.DataFrame:
    """Return those of all waves that reach `candidate_share` of the lower of both thresholds."""
    relative_uv = (settings.relative_ptp * waves["reference_uv"]).fillna(np.inf)
    floor_uv = settings.candidate_share * np.minimum(settings.ptp_uv[0], relative_uv)
    return waves[waves["ptp_uv"] >= floor_uv].reset_index(drop=True)


def select_slow_oscillations(
    candidates: pd.DataFrame,
    settings: SlowOscillationSettings | None = None,
    calibration: Calibration | None = None,
) -> pd.DataFrame:
    """Select the slow oscillations among the candidates; the signal is not needed.

    Parameters
    ----------
    candidates : pandas.DataFrame
        Table `SLOW_OSCILLATION_CANDIDATES`.
    settings : SlowOscillationSettings, optional
    calibration : Calibration, optional
        Its `so_amplitude_uv` gives for a channel the person's own threshold from peak to peak in µV; the
        other limits of the absolute view keep their ratio to it.

    Returns
    -------
    pandas.DataFrame
        Table `SLOW_OSCILLATIONS`.

    Examples
    --------
    >>> waves = es.select_slow_oscillations(night.events.slow_oscillation_candidates)
    >>> len(waves) == len(night.slow_oscillations)
    True
    """
    settings = settings or SlowOscillationSettings()
    lowest_uv = settings.ptp_uv[0]
    own_uv = {} if calibration is None else calibration.so_amplitude_uv
    absolute = candidates["channel"].map(lambda label: own_uv.get(label, lowest_uv) / lowest_uv).to_numpy(dtype=float)
    relative = settings.relative_ptp / lowest_uv * candidates["reference_uv"].to_numpy()
    frame = candidates.assign(
        kind=np.where(_is_k_complex(candidates, settings), "k_complex", "slow_oscillation"),
        found_absolute=_is_large(candidates, absolute, settings),
        found_relative=_is_large(candidates, relative, settings),
    )
    return check_table(frame[frame["found_absolute"] | frame["found_relative"]], SLOW_OSCILLATIONS)


def main_slow_oscillations(waves: pd.DataFrame) -> pd.DataFrame:
    """Select the slow oscillations of the main definition: absolute view, no K-complexes.

    Parameters
    ----------
    waves : pandas.DataFrame
        Table `SLOW_OSCILLATIONS`.

    Returns
    -------
    pandas.DataFrame
        Its rows that count, numbered anew.
    """
    chosen = waves["found_absolute"] & (waves["kind"] == "slow_oscillation")
    return waves[chosen].reset_index(drop=True)


def count_at_scale(
    candidates: pd.DataFrame,
    factor: float,
    settings: SlowOscillationSettings | None = None,
    calibration: Calibration | None = None,
) -> np.ndarray:
    """Return which candidates the main definition counts if all of them are `factor` times as high.

    Parameters
    ----------
    candidates : pandas.DataFrame
        Table `SLOW_OSCILLATION_CANDIDATES`.
    factor : float
        Not below `candidate_share` of the settings in either direction, or waves that would count are not among the
        candidates.
    settings, calibration
        As in `select_slow_oscillations`.

    Returns
    -------
    numpy.ndarray of bool, shape (n_candidates,)
        K-complexes are not counted.
    """
    heights = {name: factor * candidates[name] for name in ("neg_peak_uv", "pos_peak_uv", "ptp_uv")}
    settings = settings or SlowOscillationSettings()
    lowest_uv = settings.ptp_uv[0]
    own_uv = {} if calibration is None else calibration.so_amplitude_uv
    scale = candidates["channel"].map(lambda label: own_uv.get(label, lowest_uv) / lowest_uv).to_numpy(dtype=float)
    return _is_large(candidates.assign(**heights), scale, settings) & ~_is_k_complex(candidates, settings)


def _is_large(candidates: pd.DataFrame, scale: np.ndarray, settings: SlowOscillationSettings) -> np.ndarray:
    """Return which waves are within the limits of height times `scale`; False where `scale` is missing."""
    inside = np.ones(len(candidates), dtype=bool)
    for height_uv, (low, high) in (
        (-candidates["neg_peak_uv"], settings.negative_uv),
        (candidates["pos_peak_uv"], settings.positive_uv),
        (candidates["ptp_uv"], settings.ptp_uv),
    ):
        inside &= ((height_uv >= low * scale) & (height_uv <= high * scale)).to_numpy()
    return inside


def _is_k_complex(candidates: pd.DataFrame, settings: SlowOscillationSettings) -> np.ndarray:
    alone = ~(candidates["isolation_s"] < settings.k_complex_alone_s)
    short = candidates["mid_crossing_s"] - candidates["onset_s"] < settings.k_complex_negative_s
    return ((candidates["stage"] == "N2") & alone & short).to_numpy()


def _find_on_channel(
    signal_uv: np.ndarray, label: str, stages: pd.DataFrame, usable: np.ndarray, settings: SlowOscillationSettings
) -> pd.DataFrame:
    names = stages["stage"].to_numpy(dtype=object)
    asleep = usable & np.isin(names, NREM)
    if not asleep.any():
        return empty_table(SLOW_OSCILLATION_CANDIDATES)
    thinned, rate_hz, start_s = thin(signal_uv, _THIN)
    quiet = silence_unusable(thinned, usable, rate_hz)
    waves = _measure_waves(filter_band(quiet, settings.band_hz, TRANSITION_HZ, rate_hz), rate_hz, start_s)
    keep = _lies_in(waves, asleep, usable)
    negative_s, positive_s = waves["mid_crossing_s"] - waves["onset_s"], waves["end_s"] - waves["mid_crossing_s"]
    for width_s, (low, high) in ((negative_s, settings.negative_s), (positive_s, settings.positive_s)):
        keep &= (width_s > low) & (width_s < high)
    if not keep.any():
        return empty_table(SLOW_OSCILLATION_CANDIDATES)
    waves = pd.DataFrame(waves)[keep]
    waves = waves.assign(channel=label, stage=stage_at(stages, waves["neg_peak_s"]))
    enough = (usable & (names == "N2")).sum() * EPOCH_MIN >= settings.min_reference_min
    return _measure_heights(waves, has_reference=bool(enough))


def _measure_waves(slow: np.ndarray, rate_hz: float, start_s: float) -> dict[str, np.ndarray]:
    """Return crossings and peaks of every wave of a filtered signal, both to a fraction of a sample."""
    below = slow < 0
    change = np.flatnonzero(below[1:] != below[:-1])  # the last sample before each crossing
    change = change[int(change.size > 0 and below[change[0]]) :]  # a wave begins with a fall through zero
    n_waves = max(0, (change.size - 1) // 2)
    change = change[: 2 * n_waves + 1]
    if not n_waves:
        return dict.fromkeys(_POINTS, np.zeros(0))
    crossing = change + slow[change] / (slow[change] - slow[change + 1])
    # Each half wave is one segment; its extreme is the largest of the rectified signal.
    starts = change[:-1] - change[0]
    size = np.abs(slow[change[0] + 1 : change[-1] + 1])
    extremes = np.flatnonzero(size == np.repeat(np.maximum.reduceat(size, starts), np.diff(change)))
    at = extremes[np.searchsorted(extremes, starts)] + change[0] + 1
    before, here, after = slow[at - 1], slow[at], slow[np.minimum(at + 1, slow.size - 1)]
    # The top of the parabola through three samples.
    bend = before - 2 * here + after
    shift = np.clip((before - after) / (2 * np.where(bend == 0, np.inf, bend)), -0.5, 0.5)
    peak, peak_uv = at + shift, here - (before - after) * shift / 4
    points = (crossing[:-1:2], crossing[1::2], crossing[2::2], peak[::2], peak[1::2])
    times = [start_s + point / rate_hz for point in points]
    return dict(zip(_POINTS, [*times, peak_uv[::2], peak_uv[1::2]], strict=True))


def _lies_in(waves: dict[str, np.ndarray], asleep: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return which waves have their negative peak in usable NREM and no part in an unusable epoch."""
    begins, ends = values_at(usable, waves["onset_s"]), values_at(usable, waves["end_s"])
    return values_at(asleep, waves["neg_peak_s"]) & begins & ends


def _measure_heights(waves: pd.DataFrame, *, has_reference: bool) -> pd.DataFrame:
    ptp_uv = waves["pos_peak_uv"] - waves["neg_peak_uv"]
    duration_s = waves["end_s"] - waves["onset_s"]
    reference_uv = float(ptp_uv[waves["stage"] == "N2"].median()) if has_reference else np.nan
    frame = waves.drop(columns="end_s").assign(
        duration_s=duration_s,
        ptp_uv=ptp_uv,
        slope_uv_per_s=-waves["neg_peak_uv"] / (waves["mid_crossing_s"] - waves["neg_peak_s"]),
        frequency_hz=1 / duration_s,
        fall_slope_uv_per_s=-waves["neg_peak_uv"] / (waves["neg_peak_s"] - waves["onset_s"]),
        reference_uv=reference_uv,
        ptp_relative=ptp_uv / reference_uv,
        isolation_s=_isolation(waves["neg_peak_s"].to_numpy(), ptp_uv.to_numpy()),
    )
    return check_table(frame, SLOW_OSCILLATION_CANDIDATES)


def _isolation(neg_peak_s: np.ndarray, ptp_uv: np.ndarray) -> np.ndarray:
    """Return the time from each wave to the nearest at least half as high; NaN where none is near."""
    nearest = np.full(ptp_uv.size, np.inf)
    for step in range(1, min(_REACH, ptp_uv.size - 1) + 1):
        apart = neg_peak_s[step:] - neg_peak_s[:-step]
        later, earlier = ptp_uv[step:] >= ptp_uv[:-step] / 2, ptp_uv[:-step] >= ptp_uv[step:] / 2
        nearest[:-step] = np.minimum(nearest[:-step], np.where(later, apart, np.inf))
        nearest[step:] = np.minimum(nearest[step:], np.where(earlier, apart, np.inf))
    return np.where(np.isfinite(nearest), nearest, np.nan)
