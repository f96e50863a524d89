"""Audit of the detectors: how many of the events planted into the night's own sleep are found.

Densities of two nights can be compared only if the detector finds events equally well in both. A larger
background, a worse electrode or a noisy hour may hide events. The audit measures how many are missed in each night.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_S, NREM, values_at
from eegsleep.tables import AUDIT, check_table, empty_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

LEAST_RECALL = 0.2


@dataclass(frozen=True)
class AuditSettings:
    """What is planted, where, and what counts as found.

    Parameters
    ----------
    spindle_amplitudes_uv, slow_oscillation_amplitudes_uv : tuple of float
        Planted amplitudes from peak to peak, from small to large events of adults at a central electrode: spindles
        in sigma (Purcell et al. 2017, doi:10.1038/ncomms15930), slow oscillations (Massimini et al. 2004,
        doi:10.1523/JNEUROSCI.1318-04.2004).
    spacing_s : float
        Distance of planted events, so that one neither helps nor hides another.
    clearance_s : float
        Least distance from every event that was detected without planting.
    tolerance_s : float
        A planted event is found if a detected one peaks within this of it.
    max_per_cell : int
        Most events planted for one channel, kind, stage and amplitude.
    seed : int
        Of the draw of places, frequencies and durations.
    """

    spindle_amplitudes_uv: tuple[float, ...] = (15.0, 20.0, 30.0, 40.0)
    slow_oscillation_amplitudes_uv: tuple[float, ...] = (75.0, 100.0, 140.0, 200.0)
    spacing_s: float = 8.0
    clearance_s: float = 2.0
    tolerance_s: float = 0.5
    max_per_cell: int = 40
    seed: int = 7


class _Kind(NamedTuple):
    """One kind of event: how it is made, and the columns of its table that hold time of the peak and size."""

    name: str
    peak: str
    size: str
    make: Callable[[float, float, float], np.ndarray]


def audit_events(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    spindles: pd.DataFrame,
    slow_oscillations: pd.DataFrame,
    detect: tuple[Callable[[Recording], pd.DataFrame], Callable[[Recording], pd.DataFrame]],
    settings: AuditSettings | None = None,
) -> pd.DataFrame:
    """Plant spindles and slow oscillations of known size into N2 and N3, detect them, and count.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    spindles, slow_oscillations : pandas.DataFrame
        Tables `SPINDLES` and `SLOW_OSCILLATIONS` of the night; nothing is planted near these events.
    detect : pair of callable
        The detectors of spindles and of slow oscillations, with the settings of the night; each takes a
        recording and returns its table.
    settings : AuditSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `AUDIT`, a row a channel, kind of event, stage and planted amplitude. The same night and
        settings give the same audit.

    Notes
    -----
    Both kinds are planted in one copy of the signals, each at its own places, so that the audit takes one
    more run of both detectors. `chance_percent` is how often a random moment of the stage would count as found with
    nothing planted there, because a native event lies near it.
    """
    settings = settings or AuditSettings()
    logger.info("auditing the detectors with planted events")
    planted = [
        _plan(label, stages, usable_epochs(quality, label), _native(spindles, slow_oscillations, label), settings)
        for label in recording.derivations
    ]
    planted = [plan for plan in planted if len(plan)]
    if not planted:
        return empty_table(AUDIT)
    plan = pd.concat(planted, ignore_index=True)
    copy = _plant(recording, plan)
    rows = []
    for kind, native, run in zip(_KINDS, (spindles, slow_oscillations), detect, strict=True):
        mine = plan[plan["kind"] == kind.name]
        rows += _count(kind, mine, run(copy), native, settings) if len(mine) else []
    return check_table(pd.DataFrame(rows, columns=AUDIT.column_names), AUDIT)


def make_spindle(ptp_uv: float, frequency_hz: float, duration_s: float) -> np.ndarray:
    """Return a spindle at the analysis rate, with a Gaussian envelope, that slows by 0.6 Hz a second.

    Parameters
    ----------
    ptp_uv : float
        Amplitude from peak to peak in the middle.
    frequency_hz : float
        Frequency in the middle.
    duration_s : float
        Four standard deviations of the envelope.

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        In µV, `2 * duration_s` long.

    References
    ----------
    Andrillon et al. 2011, doi:10.1523/JNEUROSCI.2604-11.2011, for the slowing.
    """
    t = np.arange(-duration_s, duration_s, 1 / ANALYSIS_RATE_HZ)
    envelope = np.exp(-0.5 * (t / (duration_s / 4)) ** 2)
    return ptp_uv / 2 * envelope * np.cos(2 * np.pi * (frequency_hz * t - 0.3 * t**2))


def make_slow_oscillation(ptp_uv: float, frequency_hz: float, _: float = 0.0) -> np.ndarray:
    """Return a slow oscillation at the analysis rate: a negative half wave, then a positive one of the same size.

    Parameters
    ----------
    ptp_uv : float
        Amplitude from peak to peak.
    frequency_hz : float

    Returns
    -------
    numpy.ndarray, shape (n_samples,)
        In µV, two periods long; the crossing from negative to positive is in the middle.
    """
    period_s = 1 / frequency_hz
    t = np.arange(-period_s, period_s, 1 / ANALYSIS_RATE_HZ)
    wave = -np.sin(2 * np.pi * frequency_hz * (t + period_s / 2)) * np.exp(-0.5 * (t / (0.35 * period_s)) ** 2)
    return ptp_uv * wave / np.ptp(wave)


_KINDS = (
    _Kind("spindle", "peak_s", "amplitude_uv", make_spindle),
    _Kind("slow_oscillation", "neg_peak_s", "ptp_uv", make_slow_oscillation),
)
# Mean and standard deviation of the planted frequencies and durations, as of healthy adults' events.
_FREQUENCY_HZ = {"spindle": (13.3, 0.5), "slow_oscillation": (0.85, 0.08)}
_DURATION_S = (0.9, 0.15)
# No event is planted nearer than this to the border of an epoch.
_MARGIN_S = 2.0


def _native(spindles: pd.DataFrame, waves: pd.DataFrame, label: str) -> np.ndarray:
    """Return onset and end of every native event of a channel, shape (n, 2)."""
    parts = [frame.loc[frame["channel"] == label, ["onset_s", "duration_s"]].to_numpy() for frame in (spindles, waves)]
    spans = np.concatenate(parts)
    return np.column_stack([spans[:, 0], spans.sum(axis=1)])


def _plan(
    label: str, stages: pd.DataFrame, usable: np.ndarray, native: np.ndarray, settings: AuditSettings
) -> pd.DataFrame:
    """Return the events to plant on one channel: kind, stage, centre, amplitude, frequency, duration."""
    rng = np.random.default_rng([settings.seed, *label.encode()])
    rows = []
    for stage in NREM:
        places = _free_places(stages, usable, stage, native, settings)
        rng.shuffle(places)
        cells = [("spindle", a) for a in settings.spindle_amplitudes_uv]
        cells += [("slow_oscillation", a) for a in settings.slow_oscillation_amplitudes_uv]
        for i, centre_s in enumerate(places[: len(cells) * settings.max_per_cell]):
            kind, amplitude = cells[i % len(cells)]
            frequency = rng.normal(*_FREQUENCY_HZ[kind])
            duration = max(0.6, rng.normal(*_DURATION_S))
            rows.append((label, kind, stage, centre_s, amplitude, frequency, duration))
    columns = ["channel", "kind", "stage", "centre_s", "planted_uv", "planted_hz", "planted_s"]
    return pd.DataFrame(rows, columns=columns)


def _free_places(
    stages: pd.DataFrame, usable: np.ndarray, stage: str, native: np.ndarray, settings: AuditSettings
) -> np.ndarray:
    """Return times in usable epochs of a stage, spaced, and away from every native event."""
    inside = usable & (stages["stage"] == stage).to_numpy()
    grid = np.arange(settings.spacing_s / 2, len(stages) * EPOCH_S, settings.spacing_s)
    since_s = grid % EPOCH_S
    grid = grid[values_at(inside, grid) & (since_s > _MARGIN_S) & (since_s < EPOCH_S - _MARGIN_S)]
    if not len(native) or not len(grid):
        return grid
    onsets, ends = np.sort(native[:, 0]), np.maximum.accumulate(native[np.argsort(native[:, 0]), 1])
    before = np.searchsorted(onsets, grid + settings.clearance_s) - 1
    is_free = (before < 0) | (ends[np.maximum(before, 0)] < grid - settings.clearance_s)
    return grid[is_free]


def _plant(recording: Recording, plan: pd.DataFrame) -> Recording:
    """Return a copy of the recording at the analysis rate with the events added."""
    import mne

    data = recording.microvolts.copy()
    makers = {kind.name: kind.make for kind in _KINDS}
    for row in plan.itertuples():
        wave = makers[row.kind](row.planted_uv, row.planted_hz, row.planted_s)
        start = round(row.centre_s * ANALYSIS_RATE_HZ) - wave.size // 2
        data[recording.channels.index(row.channel), start : start + wave.size] += wave
    info = mne.create_info(recording.channels, ANALYSIS_RATE_HZ, list(recording.roles.values()))
    return replace(recording, raw=mne.io.RawArray(data * 1e-6, info, verbose="ERROR"), files=())


def _count(
    kind: _Kind, plan: pd.DataFrame, found: pd.DataFrame, native: pd.DataFrame, settings: AuditSettings
) -> list[dict]:
    """Return the rows of one kind of event."""
    rows = []
    for (channel, stage, amplitude), cell in plan.groupby(["channel", "stage", "planted_uv"]):
        # a slow oscillation is planted around its middle crossing, a quarter period after its trough
        shift_s = 0.25 / cell["planted_hz"] if kind.name == "slow_oscillation" else 0.0
        hits, index = _match(cell["centre_s"] - shift_s, found, channel, kind, settings)
        events = found[found["channel"] == channel].iloc[index[hits]]
        size = events[kind.size].to_numpy() / amplitude
        pitch = events["frequency_hz"].to_numpy() - cell["planted_hz"].to_numpy()[hits]
        low, high = wilson_interval(int(hits.sum()), len(cell))
        rows.append(
            {
                "channel": channel,
                "kind": kind.name,
                "stage": stage,
                "planted_uv": amplitude,
                "n_planted": len(cell),
                "n_found": int(hits.sum()),
                "recall": hits.mean(),
                "recall_low": low,
                "recall_high": high,
                "amplitude_bias_percent": 100 * (np.median(size) - 1) if size.size else np.nan,
                "frequency_bias_hz": np.median(pitch) if pitch.size else np.nan,
                "chance_percent": _chance_percent(native, channel, stage, plan, kind, settings),
            }
        )
    return rows


def _match(
    times_s: pd.Series, events: pd.DataFrame, channel: str, kind: _Kind, settings: AuditSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return which times have an event of the channel near, and which event is nearest to each."""
    peaks = events.loc[events["channel"] == channel, kind.peak].to_numpy()
    times = np.asarray(times_s)
    if not peaks.size:
        return np.zeros(times.size, bool), np.zeros(times.size, int)
    nearest = np.abs(peaks[None, :] - times[:, None]).argmin(axis=1)
    return np.abs(peaks[nearest] - times) <= settings.tolerance_s, nearest


def _chance_percent(
    native: pd.DataFrame, channel: str, stage: str, plan: pd.DataFrame, kind: _Kind, settings: AuditSettings
) -> float:
    """Return the share of random moments of the stage that have a native event near, in percent."""
    rng = np.random.default_rng(settings.seed)
    first = plan.loc[(plan["channel"] == channel) & (plan["stage"] == stage), "centre_s"].to_numpy()
    moments = rng.choice(first, 500) + rng.uniform(-settings.spacing_s / 2, settings.spacing_s / 2, 500)
    hits, _ = _match(pd.Series(moments), native, channel, kind, settings)
    return 100 * float(hits.mean())


def wilson_interval(n_found: int, n: int) -> tuple[float, float]:
    """Return the limits of the 95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    from scipy.stats import binomtest

    found = binomtest(n_found, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def correct_for_recall(amplitudes_uv: np.ndarray, audit: pd.DataFrame) -> float:
    """Estimate how many events there would be if none had been missed.

    Each event counts as 1 / recall, the recall being that of planted events of its size.

    Parameters
    ----------
    amplitudes_uv : numpy.ndarray, shape (n_events,)
        Sizes of the events found, in the measure that was planted.
    audit : pandas.DataFrame
        Rows of table `AUDIT` of that kind, channel and stage.

    Returns
    -------
    float
        NaN where nothing was planted. A recall below `LEAST_RECALL` counts as `LEAST_RECALL`: the audit is not
        exact enough for one event to stand for more.
    """
    known = audit[audit["n_planted"] > 0].sort_values("planted_uv")
    if known.empty:
        return float("nan")
    recall = np.interp(amplitudes_uv, known["planted_uv"], known["recall"])
    return float((1 / np.maximum(recall, LEAST_RECALL)).sum())
