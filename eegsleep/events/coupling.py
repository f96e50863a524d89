"""Coupling: in which phase of the slow oscillation spindles peak, and how many are coupled by chance."""

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
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

CLASSES = ("all", "slow", "fast")
# Slopes of the filters, as in YASA.
SLOW_TRANSITION_HZ = 0.2
SIGMA_TRANSITION_HZ = 1.5


@dataclass(frozen=True)
class CouplingSettings:
    """When a spindle counts as coupled, the band whose phase is read, and how chance is drawn.

    Parameters
    ----------
    window_s : float
        A spindle is coupled when its peak lies within this of a wave's negative peak (Kurz et al. 2021,
        doi:10.1093/sleep/zsaa290).
    band_hz : tuple of float
        Band of the slow oscillation whose phase is read.
    relative_waves : bool
        Whether the waves are those of the relative view; by default those of the absolute view. K-complexes are
        among them.
    n_shifts, seed : int
        Chance is the mean over this number of random shifts, drawn from this seed; 200 leave a scatter of 0.1
        percentage points on a night of 500 spindles.
    sigma_hz, n_bins, n_index_shifts
        The modulation index is that of the envelope of `sigma_hz` over `n_bins` phases (Tort et al. 2010,
        doi:10.1152/jn.00106.2010), less its mean over `n_index_shifts` random shifts.
    """

    window_s: float = 1.2
    band_hz: tuple[float, float] = (0.3, 1.5)
    relative_waves: bool = False
    n_shifts: int = 200
    seed: int = 0
    sigma_hz: tuple[float, float] = (11.0, 16.0)
    n_bins: int = 18
    n_index_shifts: int = 20


def couple_events(
    recording: Recording,
    spindles: pd.DataFrame,
    slow_oscillations: pd.DataFrame,
    settings: CouplingSettings | None = None,
) -> pd.DataFrame:
    """Read the phase of the slow oscillation at the peak of every spindle, channel by channel.

    Parameters
    ----------
    recording : Recording
    spindles, slow_oscillations : pandas.DataFrame
        Tables `SPINDLES` and `SLOW_OSCILLATIONS` of that recording.
    settings : CouplingSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `COUPLING`, one row a spindle. Phase 0 is the positive peak (up state), ±π the negative.
    """
    settings = settings or CouplingSettings()
    logger.info("coupling spindles with slow oscillations")
    found = [
        _couple_on_channel(
            recording.signal(label),
            spindles[spindles["channel"] == label],
            _negative_peaks(slow_oscillations, label, settings),
            settings,
        )
        for label in recording.derivations
        if (spindles["channel"] == label).any()
    ]
    return pd.concat(found, ignore_index=True) if found else empty_table(COUPLING)


def _negative_peaks(waves: pd.DataFrame, label: str, settings: CouplingSettings) -> np.ndarray:
    view = "found_relative" if settings.relative_waves else "found_absolute"
    return np.sort(waves.loc[(waves["channel"] == label) & waves[view], "neg_peak_s"].to_numpy())


def _couple_on_channel(
    signal_uv: np.ndarray, spindles: pd.DataFrame, negative_peaks_s: np.ndarray, settings: CouplingSettings
) -> pd.DataFrame:
    peaks_s = spindles["peak_s"].to_numpy()
    negative_s = _nearest(peaks_s, negative_peaks_s)
    coupled = np.abs(peaks_s - negative_s) <= settings.window_s
    frame = spindles[["channel", "stage", "spindle_class"]].assign(
        spindle_peak_s=peaks_s,
        neg_peak_s=negative_s,
        delay_s=peaks_s - negative_s,
        phase_rad=np.where(coupled, _phase_at(signal_uv, peaks_s, settings.band_hz), np.nan),
        coupled=coupled,
    )
    return check_table(frame, COUPLING)


def _nearest(times_s: np.ndarray, among_s: np.ndarray) -> np.ndarray:
    """Return for each of `times_s` the nearest of the sorted `among_s`; NaN if there is none."""
    if not among_s.size:
        return np.full(times_s.shape, np.nan)
    return among_s[np.searchsorted((among_s[1:] + among_s[:-1]) / 2, times_s)]


def _phase_at(signal_uv: np.ndarray, times_s: np.ndarray, band_hz: tuple[float, float]) -> np.ndarray:
    """Return the phase of a slow band at any times, interpolated between samples at 25 Hz."""
    slow, rate_hz, start_s = thin(signal_uv, 4)
    analytic = analytic_band(slow, band_hz, SLOW_TRANSITION_HZ, rate_hz)
    at = np.clip((times_s - start_s) * rate_hz, 0, analytic.size - 1)
    before = np.minimum(at.astype(int), analytic.size - 2)
    part = at - before
    return np.angle((1 - part) * analytic[before] + part * analytic[before + 1])


def summarize_coupling(
    recording: Recording,
    coupling: pd.DataFrame,
    slow_oscillations: pd.DataFrame,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: CouplingSettings | None = None,
) -> pd.DataFrame:
    """Summarize coupling by channel, stage and class of spindles, with what chance would give.

    Parameters
    ----------
    recording : Recording
    coupling, slow_oscillations, stages, quality : pandas.DataFrame
        Tables `COUPLING`, `SLOW_OSCILLATIONS`, `HYPNOGRAM` and `QUALITY` of that recording.
    settings : CouplingSettings, optional
        Those with which the events were coupled.

    Returns
    -------
    pandas.DataFrame
        Table `COUPLING_SUMMARY`, for every channel N2, N3 and NREM by all, slow and fast spindles.

    Notes
    -----
    For chance, the spindles of each unbroken run of usable epochs of a stage are shifted together by a random
    time; those that leave the run at its end enter it at its beginning. This keeps how many spindles and slow
    oscillations there are and how each are spaced, and breaks only their relation to each other. In a night with
    more slow oscillations more spindles are coupled by chance; `excess_percent` is corrected for that.
    Only spindles whose peak lies in a usable epoch are counted. Strength (`measure_coupling`) is given however few
    they are; the markers ask for a least number.
    """
    settings = settings or CouplingSettings()
    names = stages["stage"].to_numpy(dtype=object)
    rows = []
    for label in recording.derivations:
        usable = usable_epochs(quality, label)
        own = coupling[coupling["channel"] == label]
        own = own[values_at(usable, own["spindle_peak_s"])]
        negative_s = _negative_peaks(slow_oscillations, label, settings)
        expected = 100 * _chance_of_coupling(own["spindle_peak_s"].to_numpy(), negative_s, names, usable, settings)
        indices = _modulation_indices(recording.signal(label), negative_s, names, usable, settings)
        for stage, members in EVENT_STAGES.items():
            for name in CLASSES:
                inside = own["stage"].isin(members) & ((own["spindle_class"] == name) | (name == "all"))
                row = _summarize(own[inside], expected[inside.to_numpy()])
                index = indices[stage] if name == "all" else np.nan
                rows.append({"channel": label, "stage": stage, "spindle_class": name, "modulation_index": index, **row})
    return check_table(pd.DataFrame(rows, columns=COUPLING_SUMMARY.column_names), COUPLING_SUMMARY)


class CouplingMeasures(NamedTuple):
    """Coupling of some spindles: how many there are, how many are coupled, and in which phase."""

    n: int
    n_coupled: int
    percent: float
    phase_rad: float
    strength: float


def measure_coupling(events: pd.DataFrame) -> CouplingMeasures:
    """Measure how many spindles are coupled, and how closely their phases agree.

    Parameters
    ----------
    events : pandas.DataFrame
        Rows of table `COUPLING`, one a spindle.

    Returns
    -------
    CouplingMeasures
        `percent` is the share of coupled spindles, `phase_rad` the circular mean of their phases. `strength` is
        (n R² − 1) / (n − 1) of the n coupled spindles, the unbiased squared resultant length of Kutil 2012
        (doi:10.1080/02331888.2010.543463). It may be negative: setting it to 0 there would bring the bias back.
        What cannot be measured on so few spindles is NaN.
    """
    phase = events.loc[events["coupled"], "phase_rad"].dropna().to_numpy()
    n, n_coupled = len(events), int(events["coupled"].sum())
    resultant = np.exp(1j * phase).mean() if phase.size else complex(np.nan, np.nan)
    return CouplingMeasures(
        n=n,
        n_coupled=n_coupled,
        percent=100 * n_coupled / n if n else np.nan,
        phase_rad=float(np.angle(resultant)),
        strength=(phase.size * abs(resultant) ** 2 - 1) / (phase.size - 1) if phase.size > 1 else np.nan,
    )


def _summarize(events: pd.DataFrame, expected_percent: np.ndarray) -> dict[str, object]:
    """Return the measures of some spindles, with what chance would give, as columns of `COUPLING_SUMMARY`."""
    measures = measure_coupling(events)
    known = expected_percent[np.isfinite(expected_percent)]
    expected = known.mean() if known.size else np.nan
    return {
        **measures._asdict(),
        "expected_percent": expected,
        "excess_percent": measures.percent - expected,
        "reason": "" if measures.n_coupled else ("no spindle was coupled" if measures.n else "no spindle found"),
    }


def _chance_of_coupling(
    peaks_s: np.ndarray, negative_s: np.ndarray, names: np.ndarray, usable: np.ndarray, settings: CouplingSettings
) -> np.ndarray:
    """Return for each spindle the share of shifts that couple it, shape (n_spindles,); NaN outside usable NREM."""
    starts, ends = _runs(names, usable)
    run = np.searchsorted(starts, peaks_s, side="right") - 1
    inside = (run >= 0) & (peaks_s < ends[run]) if starts.size else np.zeros(peaks_s.size, dtype=bool)
    share = np.full(peaks_s.size, np.nan)
    if not inside.any():
        return share
    run, since = run[inside], peaks_s[inside] - starts[run[inside]]
    length = ends - starts
    shift = np.random.default_rng(settings.seed).random((settings.n_shifts, length.size)) * length
    shifted = starts[run] + (since + shift[:, run]) % length[run]
    share[inside] = (np.abs(shifted - _nearest(shifted, negative_s)) <= settings.window_s).mean(axis=0)
    return share


def _runs(names: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end in s of every unbroken run of usable epochs of N2 or of N3, in order of time."""
    runs = [find_runs(usable & (names == stage)) for stage in NREM]
    first, stop = (np.sort(np.concatenate(edges)) for edges in zip(*runs, strict=True))
    return first * EPOCH_S, stop * EPOCH_S


def _modulation_indices(
    signal_uv: np.ndarray, negative_s: np.ndarray, names: np.ndarray, usable: np.ndarray, settings: CouplingSettings
) -> dict[str, float]:
    """Return for each stage the modulation index around its slow oscillations."""
    slow, rate_hz, start_s = thin(signal_uv, 4)
    sigma, sigma_rate_hz, _ = thin(signal_uv, 2)
    phase = np.angle(analytic_band(slow, settings.band_hz, SLOW_TRANSITION_HZ, rate_hz))
    envelope = np.abs(analytic_band(sigma, settings.sigma_hz, SIGMA_TRANSITION_HZ, sigma_rate_hz))
    envelope = envelope[: 2 * phase.size].reshape(-1, 2).mean(axis=1)
    reach = int(settings.window_s * rate_hz)
    centre = ((negative_s - start_s) * rate_hz).round().astype(int)
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
