"""Coupling: in which phase of the slow oscillation spindles lie, and how much of it chance explains."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.quality import usable_epochs
from eegsleep.signals.band_filter import analytic_band, thin
from eegsleep.signals.epochs import EPOCH_S, EVENT_STAGES, NREM, find_runs, values_at
from eegsleep.tables import COUPLING, COUPLING_SUMMARY, check_table, empty_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

CLASSES = ("all", "slow", "fast")
# Slopes of the filters, as in YASA.
SLOW_TRANSITION_HZ = 0.2
SIGMA_TRANSITION_HZ = 1.5
# The slow band is read at 25 Hz.
_THIN = 4
# Where the windows of waves cover more of a run than this, coupled spindles hardly differ from uncoupled ones.
MOST_COVERED = 0.8
# Spindles of one channel are not closer than this, so that chance cannot put another one there.
APART_S = 1.0


@dataclass(frozen=True)
class CouplingSettings:
    """When a spindle counts as coupled, the band whose phase is read, and the modulation index.

    Parameters
    ----------
    window_s : float
        A spindle is coupled when its centre lies within this of a wave's negative peak (Kurz et al. 2021,
        doi:10.1093/sleep/zsaa290).
    band_hz : tuple of float
        Band of the slow oscillation whose phase is read.
    relative_waves : bool
        Whether the waves are those of the relative view, so that coupling does not depend on gain; else those of the
        absolute view. K-complexes are among them.
    sigma_hz, n_bins, n_index_shifts, seed
        The modulation index is that of the envelope of `sigma_hz` over `n_bins` phases (Tort et al. 2010,
        doi:10.1152/jn.00106.2010), less its mean over `n_index_shifts` random shifts, drawn from `seed`.
    """

    window_s: float = 1.2
    band_hz: tuple[float, float] = (0.3, 1.5)
    relative_waves: bool = True
    sigma_hz: tuple[float, float] = (11.0, 16.0)
    n_bins: int = 18
    n_index_shifts: int = 20
    seed: int = 0


class SlowAndSigma(NamedTuple):
    """The bands of one channel from which coupling is read, at 25 Hz.

    Attributes
    ----------
    slow : numpy.ndarray of complex64, shape (n_times,)
        Analytic signal of the slow oscillation.
    sigma_uv : numpy.ndarray of float32, shape (n_times,)
        Envelope of sigma.
    rate_hz, start_s : float
        Rate, and time of the first value.
    """

    slow: np.ndarray
    sigma_uv: np.ndarray
    rate_hz: float
    start_s: float


def measure_slow_and_sigma(signal_uv: np.ndarray, settings: CouplingSettings | None = None) -> SlowAndSigma:
    """Filter one channel into the slow oscillation and sigma, in single precision.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_samples,)
        At the analysis rate.
    settings : CouplingSettings, optional
        Its bands.

    Returns
    -------
    SlowAndSigma
    """
    settings = settings or CouplingSettings()
    slow, rate_hz, start_s = thin(signal_uv, _THIN)
    half, half_rate_hz, _ = thin(signal_uv, _THIN // 2)
    sigma = np.abs(analytic_band(half.astype(np.float32), settings.sigma_hz, SIGMA_TRANSITION_HZ, half_rate_hz))
    return SlowAndSigma(
        analytic_band(slow.astype(np.float32), settings.band_hz, SLOW_TRANSITION_HZ, rate_hz),
        sigma[: 2 * slow.size].reshape(-1, 2).mean(axis=1),
        rate_hz,
        start_s,
    )


def couple_events(
    recording: Recording,
    spindles: pd.DataFrame,
    slow_oscillations: pd.DataFrame,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: CouplingSettings | None = None,
    audit: pd.DataFrame | None = None,
    bands: Mapping[str, SlowAndSigma] | None = None,
) -> pd.DataFrame:
    """Read the phase of the slow oscillation at the centre of every spindle, with what chance gives there.

    Parameters
    ----------
    recording : Recording
    spindles, slow_oscillations, stages, quality : pandas.DataFrame
        Tables `SPINDLES`, `SLOW_OSCILLATIONS`, `HYPNOGRAM` and `QUALITY` of that recording.
    settings : CouplingSettings, optional
    audit : pandas.DataFrame, optional
        Table `AUDIT` of that recording: how far the centres of planted spindles scatter.
    bands : mapping of str to SlowAndSigma, optional
        By channel, as `measure_slow_and_sigma` returns them, where they are at hand.

    Returns
    -------
    pandas.DataFrame
        Table `COUPLING`, one row a spindle. Phase 0 is the positive peak (up state), ±π the negative.

    Notes
    -----
    The centre is the centroid of the spindle's energy. It scatters by 0.06 s around the time at which a spindle was
    planted, the largest sample of the envelope by 0.11 s (36 µV spindles in 14 µV of pink noise), which takes 15 % of
    the strength of coupling in place of 4.
    """
    settings = settings or CouplingSettings()
    logger.info("coupling spindles with slow oscillations")
    names = stages["stage"].to_numpy(dtype=object)
    found = []
    for label in recording.derivations:
        own = spindles[spindles["channel"] == label]
        if own.empty:
            continue
        waves = slow_oscillations[slow_oscillations["channel"] == label]
        analytic, _, rate_hz, start_s = (bands or {}).get(label) or measure_slow_and_sigma(
            recording.signal(label), settings
        )
        negative_s = _negative_peaks(waves, settings)
        frame = _couple_on_channel(own, negative_s, analytic, rate_hz, start_s, settings)
        chance = _chance(
            frame["centroid_s"].to_numpy(),
            negative_s,
            np.angle(analytic),
            (rate_hz, start_s),
            _runs(names, usable_epochs(quality, label)),
            settings.window_s,
        )
        if settings.relative_waves and not waves["reference_uv"].notna().any():
            chance = _Chance(*(np.full_like(values, np.nan) for values in chance))
        frame = frame.assign(
            chance_share=chance.share,
            chance_cosine=chance.vector.real,
            chance_sine=chance.vector.imag,
            phase_reliability=np.nan if audit is None else _reliability(own, waves, audit, label),
        )
        found.append(check_table(frame, COUPLING))
    return pd.concat(found, ignore_index=True) if found else empty_table(COUPLING)


def _reliability(spindles: pd.DataFrame, waves: pd.DataFrame, audit: pd.DataFrame, label: str) -> np.ndarray:
    """Return the length of the mean vector that the scatter of their centres leaves of equal phases, (n_spindles,).

    The scatter is that of planted spindles of each one's size, the frequency that of the night's waves.
    """
    planted = audit[(audit["channel"] == label) & (audit["kind"] == "spindle")].dropna(subset="time_scatter_s")
    if planted.empty or waves.empty:
        return np.full(len(spindles), np.nan)
    by_size = planted.groupby("planted_uv")["time_scatter_s"].mean()
    scatter_s = np.interp(spindles["amplitude_uv"], by_size.index.to_numpy(), by_size.to_numpy())
    return np.exp(-0.5 * (2 * np.pi * waves["frequency_hz"].median() * scatter_s) ** 2)


def _negative_peaks(waves: pd.DataFrame, settings: CouplingSettings) -> np.ndarray:
    view = "found_relative" if settings.relative_waves else "found_absolute"
    return np.sort(waves.loc[waves[view], "neg_peak_s"].to_numpy())


def _couple_on_channel(
    spindles: pd.DataFrame,
    negative_peaks_s: np.ndarray,
    analytic: np.ndarray,
    rate_hz: float,
    start_s: float,
    settings: CouplingSettings,
) -> pd.DataFrame:
    centroid_s = spindles["centroid_s"].to_numpy()
    negative_s = _nearest(centroid_s, negative_peaks_s)
    coupled = np.abs(centroid_s - negative_s) <= settings.window_s
    phase_rad = _phase_at(analytic, (centroid_s - start_s) * rate_hz)
    return spindles[["channel", "stage", "spindle_class", "centroid_s"]].assign(
        spindle_peak_s=spindles["peak_s"],
        neg_peak_s=negative_s,
        delay_s=centroid_s - negative_s,
        phase_rad=np.where(coupled, phase_rad, np.nan),
        coupled=coupled,
    )


def _nearest(times_s: np.ndarray, among_s: np.ndarray) -> np.ndarray:
    """Return for each of `times_s` the nearest of the sorted `among_s`; NaN if there is none."""
    if not among_s.size:
        return np.full(times_s.shape, np.nan)
    return among_s[np.searchsorted((among_s[1:] + among_s[:-1]) / 2, times_s)]


def _phase_at(analytic: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the phase of an analytic signal between its samples."""
    at = np.clip(at, 0, analytic.size - 1)
    before = np.minimum(at.astype(int), analytic.size - 2)
    part = at - before
    return np.angle((1 - part) * analytic[before] + part * analytic[before + 1])


class _Chance(NamedTuple):
    """What chance gives a spindle that does not depend on any wave, from the unbroken run of epochs it lies in."""

    share: np.ndarray  # part of the run's free time within the window of a wave; NaN outside usable NREM
    vector: np.ndarray  # mean over that time of exp(i·phase) within those windows, and of 0 outside


def _chance(
    centres_s: np.ndarray,
    negative_s: np.ndarray,
    phase_rad: np.ndarray,
    grid: tuple[float, float],
    runs_s: tuple[np.ndarray, np.ndarray],
    window_s: float,
) -> _Chance:
    """Return what chance gives each spindle, summed up over its whole run.

    To shift the spindles of a run by every possible time is to ask which part of the run the windows cover; so nothing
    is drawn at random. Time within `APART_S` of another spindle is not free: coupled spindles fill the windows
    and leave less of them to chance. Without this the share reads 3 to 5 % of itself too low.
    """
    rate_hz, start_s = grid
    times_s = start_s + np.arange(phase_rad.size) / rate_hz
    free = ~_is_covered(times_s, centres_s, APART_S)
    covered = _is_covered(times_s, negative_s, window_s) & free
    vectors = np.zeros(phase_rad.size, dtype=complex)
    vectors[covered] = np.exp(1j * phase_rad[covered])
    starts, ends = runs_s
    share = np.full(centres_s.size, np.nan)
    vector = np.full(centres_s.size, np.nan, dtype=complex)
    if not starts.size:
        return _Chance(share, vector)
    bounds = np.searchsorted(times_s, np.stack([starts, ends]))
    n_free, n_covered, of_vectors = (
        total[bounds[1]] - total[bounds[0]]
        for total in (np.concatenate([[0], np.cumsum(values)]) for values in (free, covered, vectors))
    )
    # The time around a spindle is free to itself. These numbers are used of uncoupled ones, whose own is not covered.
    n_free = n_free + int(2 * APART_S * rate_hz)
    run = np.searchsorted(starts, centres_s, side="right") - 1
    inside = (run >= 0) & (centres_s < ends[run])
    share[inside] = (n_covered / n_free)[run[inside]]
    vector[inside] = (of_vectors / n_free)[run[inside]]
    return _Chance(share, vector)


def _is_covered(times_s: np.ndarray, centres_s: np.ndarray, half_width_s: float) -> np.ndarray:
    """Return which times lie within a distance of any centre."""
    edges = np.zeros(times_s.size + 1, dtype=np.int32)
    np.add.at(edges, np.searchsorted(times_s, centres_s - half_width_s), 1)
    np.add.at(edges, np.searchsorted(times_s, centres_s + half_width_s, side="right"), -1)
    return np.cumsum(edges[:-1]) > 0


def _runs(names: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end in s of every unbroken run of usable epochs of N2 or of N3, in order of time."""
    runs = [find_runs(usable & (names == stage)) for stage in NREM]
    first, stop = (np.sort(np.concatenate(edges)) for edges in zip(*runs, strict=True))
    return first * EPOCH_S, stop * EPOCH_S


def summarize_coupling(
    recording: Recording,
    coupling: pd.DataFrame,
    slow_oscillations: pd.DataFrame,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: CouplingSettings | None = None,
    bands: Mapping[str, SlowAndSigma] | None = None,
) -> pd.DataFrame:
    """Summarize coupling by channel, stage and class of spindles.

    Parameters
    ----------
    recording : Recording
    coupling, slow_oscillations, stages, quality : pandas.DataFrame
        Tables `COUPLING`, `SLOW_OSCILLATIONS`, `HYPNOGRAM` and `QUALITY` of that recording.
    settings : CouplingSettings, optional
        Those with which the events were coupled.
    bands : mapping of str to SlowAndSigma, optional
        As in `couple_events`.

    Returns
    -------
    pandas.DataFrame
        Table `COUPLING_SUMMARY`, for every channel N2, N3 and NREM by all, slow and fast spindles. Its measures are
        those of `measure_coupling`, however few spindles there are; the markers ask for a least number.
    """
    settings = settings or CouplingSettings()
    names = stages["stage"].to_numpy(dtype=object)
    rows = []
    for label in recording.derivations:
        usable = usable_epochs(quality, label)
        own = coupling[coupling["channel"] == label]
        own = own[values_at(usable, own["spindle_peak_s"])]
        negative_s = _negative_peaks(slow_oscillations[slow_oscillations["channel"] == label], settings)
        own_bands = (bands or {}).get(label) or measure_slow_and_sigma(recording.signal(label), settings)
        indices = _modulation_indices(own_bands, negative_s, names, usable, settings)
        for stage, members in EVENT_STAGES.items():
            for name in CLASSES:
                inside = own["stage"].isin(members) & ((own["spindle_class"] == name) | (name == "all"))
                measures = measure_coupling(own[inside])
                few = "no spindle was found" if not inside.any() else NO_CHANCE
                rows.append(
                    {
                        "channel": label,
                        "stage": stage,
                        "spindle_class": name,
                        "modulation_index": indices[stage] if name == "all" else np.nan,
                        **measures._asdict(),
                        "reason": "" if measures.n else few,
                    }
                )
    return check_table(pd.DataFrame(rows, columns=COUPLING_SUMMARY.column_names), COUPLING_SUMMARY)


NO_CHANCE = "waves are not known here, or their windows leave too little of the sleep to tell chance"


class CouplingMeasures(NamedTuple):
    """How the spindles of a stage lie to its waves, less chance.

    Attributes
    ----------
    n, n_coupled : int
        Spindles whose chance is known and at most `MOST_COVERED`; and those of them within the window of a wave, by
        chance or not.
    percent, expected_percent : float
        Those as a share, and what chance alone would give. Both grow with the number of waves.
    excess_percent, excess_se_percent : float
        (p − e) / (1 − e) of share p and chance e: the share of spindles that chance does not explain, 100 is all; and
        its standard error.
    strength, strength_squared, strength_se : float
        Length of the mean vector over all spindles, less chance and the bias of small numbers: share times
        concentration, 0 to 1. Negative where the unbiased square is below 0. Its square, whose mean is unbiased; and
        the standard error of the length.
    phase_rad, phase_se_rad : float
        Direction of that vector and its standard error; NaN where it has no length.
    """

    n: int
    n_coupled: int
    percent: float
    expected_percent: float
    excess_percent: float
    excess_se_percent: float
    strength: float
    strength_squared: float
    strength_se: float
    phase_rad: float
    phase_se_rad: float


def measure_coupling(events: pd.DataFrame) -> CouplingMeasures:
    """Measure how many spindles are coupled beyond chance, how strongly, and in which phase.

    Parameters
    ----------
    events : pandas.DataFrame
        Rows of table `COUPLING`, one a spindle.

    Returns
    -------
    CouplingMeasures
        What cannot be measured on so few spindles is NaN.

    Notes
    -----
    Let a share s of spindles be coupled, with mean vector R exp(iμ), and the others not depend on any wave. In a run
    whose windows cover e of the time, with v the mean vector of chance, a spindle lies in a window with probability
    s + (1 − s) e, and its vector (0 outside) has the mean s R exp(iμ) + (1 − s) v. One outside is surely one of the
    others and stands for 1 / (1 − e) of them. So s is the mean of 1 for a spindle inside and −e / (1 − e) for one
    outside, and s R exp(iμ) that of exp(i·phase) inside and −v / (1 − e) outside: unbiased whatever the number of
    waves, even where coupled spindles prefer runs with many waves.

    The squared length of a mean of n vectors u is too large by the variance of that mean; that of (n |ū|² − mean |u|²)
    / (n − 1) is not. With unit vectors alone that is the formula of Kutil 2012 (doi:10.1080/02331888.2010.543463).

    Noise moves the centres of spindles and so shortens the vector. By how much is measured in the night itself, on
    planted spindles (`phase_reliability`), and the length is divided by that. On nights of known coupling, with 4 to 16
    waves and 2 to 8 spindles a minute, the share is then found within 5 % of itself, the strength within 10 % and the
    phase within 0.1 rad (`tests/benchmarks/measures_of_sleep.py`).
    """
    share = events["chance_share"].to_numpy()
    known = np.isfinite(share) & (share <= MOST_COVERED)
    n = int(known.sum())
    nan = float("nan")
    if not n:
        return CouplingMeasures(0, 0, *[nan] * 9)
    chosen, e = events[known], share[known]
    inside = chosen["coupled"].to_numpy()
    v = chosen["chance_cosine"].to_numpy() + 1j * chosen["chance_sine"].to_numpy()
    counts = np.where(inside, 1.0, -e / (1 - e))
    u = np.where(inside, np.exp(1j * chosen["phase_rad"].fillna(0.0).to_numpy()), -v / (1 - e))
    shares = (int(inside.sum()), 100 * float(inside.mean()), 100 * float(e.mean()), 100 * float(counts.mean()))
    if n < 2:
        return CouplingMeasures(n, *shares, *[nan] * 6)
    reliability = chosen["phase_reliability"].mean()
    u = u / (reliability if np.isfinite(reliability) else 1.0)
    mean = u.mean()
    squared = float((n * abs(mean) ** 2 - (np.abs(u) ** 2).mean()) / (n - 1))
    length = float(np.sign(squared) * np.sqrt(abs(squared)))
    turned = u * np.exp(-1j * np.angle(mean))
    se_along, se_across = (float(part.std(ddof=1) / np.sqrt(n)) for part in (turned.real, turned.imag))
    return CouplingMeasures(
        n,
        *shares,
        excess_se_percent=100 * float(counts.std(ddof=1) / np.sqrt(n)),
        strength=length,
        strength_squared=squared,
        strength_se=se_along,
        phase_rad=float(np.angle(mean)) if squared > 0 else nan,
        phase_se_rad=se_across / length if squared > 0 else nan,
    )


def _modulation_indices(
    bands: SlowAndSigma, negative_s: np.ndarray, names: np.ndarray, usable: np.ndarray, settings: CouplingSettings
) -> dict[str, float]:
    """Return for each stage the modulation index around its slow oscillations."""
    phase, envelope = np.angle(bands.slow), bands.sigma_uv
    reach = int(settings.window_s * bands.rate_hz)
    centre = ((negative_s - bands.start_s) * bands.rate_hz).round().astype(int)
    whole = (centre >= reach) & (centre < phase.size - reach) & values_at(usable, negative_s)
    stage = np.where(whole, values_at(names, negative_s, "UNS"), "")
    found = {}
    for name, members in EVENT_STAGES.items():
        at = centre[np.isin(stage, members)][:, None] + np.arange(-reach, reach + 1)
        found[name] = modulation_index(phase[at], envelope[at], settings)
    return found


def modulation_index(phase_rad: np.ndarray, amplitude: np.ndarray, settings: CouplingSettings | None = None) -> float:
    """Measure how unevenly an amplitude is distributed over the phases, less chance; 0 is evenly.

    Parameters
    ----------
    phase_rad, amplitude : array of shape (n_events, n_samples)
    settings : CouplingSettings, optional

    Returns
    -------
    float
        Tort et al. 2010 (doi:10.1152/jn.00106.2010): 1 − entropy / its maximum, of the mean amplitudes of the
        phase bins, minus its mean when the amplitudes of each event are rotated by a random number of samples.
        Without that correction the index is never negative and larger the fewer events there are. NaN if a bin
        has no sample.
    """
    settings = settings or CouplingSettings()
    n_bins = settings.n_bins
    bins = np.clip(((phase_rad + np.pi) / (2 * np.pi) * n_bins).astype(int), 0, n_bins - 1)
    counts = np.bincount(bins.ravel(), minlength=n_bins)
    if not counts.all():
        return float("nan")

    def plain(values: np.ndarray) -> float:
        share = np.bincount(bins.ravel(), values.ravel(), minlength=n_bins) / counts
        share = share / share.sum()
        return 1 + float((share * np.log(share)).sum()) / np.log(n_bins)

    n_events, n_samples = amplitude.shape
    step = np.random.default_rng(settings.seed).integers(0, n_samples, (settings.n_index_shifts, n_events, 1))
    rotated = [np.take_along_axis(amplitude, (np.arange(n_samples) + s) % n_samples, axis=1) for s in step]
    return plain(amplitude) - float(np.mean([plain(values) for values in rotated]))
