"""Audit of the detectors: how many of the events planted into the night's own sleep are found.

Densities of two nights can be compared only if the detector finds events equally well in both. A larger
background, a worse electrode or a noisy hour may hide events. The audit measures how many are missed in each night.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.hypnograms.objects import as_stages
from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_S, EPOCH_SAMPLES, NREM, values_at
from eegsleep.tables import AUDIT, check_table, empty_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eegsleep.hypnograms.objects import Hypnogram
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

LEAST_RECALL = 0.2
_MIN_SCATTER = 10  # events for a standard deviation of their times


@dataclass(frozen=True)
class AuditSettings:
    """What is planted, where, and what counts as found.

    Parameters
    ----------
    spindle_amplitudes_uv, slow_oscillation_amplitudes_uv : tuple of float
        Amplitudes from peak to peak planted for the absolute view, from small to large events of adults at a central
        electrode: spindles in sigma (Purcell et al. 2017, doi:10.1038/ncomms15930), slow oscillations (Massimini et
        al. 2004, doi:10.1523/JNEUROSCI.1318-04.2004).
    spindle_multiples, slow_oscillation_multiples : tuple of float
        The same for the relative view, in multiples of the night's own sigma (`baseline_uv`) and of its own waves
        (`reference_uv`). Spindles found in two real excerpts span 3.0 to 6.6 (5th to 95th percentile); a slow
        oscillation has 4 at least.
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
    yasa_detectors : bool
        Whether YASA's own detectors run, too, with their defaults, as a second opinion: markers `yasa_...`. They take
        longer than all of ours.
    """

    spindle_amplitudes_uv: tuple[float, ...] = (15.0, 20.0, 30.0, 40.0)
    slow_oscillation_amplitudes_uv: tuple[float, ...] = (75.0, 100.0, 140.0, 200.0)
    spindle_multiples: tuple[float, ...] = (3.0, 4.0, 5.0, 6.5)
    slow_oscillation_multiples: tuple[float, ...] = (3.0, 4.0, 5.5, 8.0)
    spacing_s: float = 8.0
    clearance_s: float = 2.0
    tolerance_s: float = 0.5
    max_per_cell: int = 40
    seed: int = 7
    yasa_detectors: bool = False

    def amounts(self, kind: str, view: str) -> tuple[float, ...]:
        """Return what is planted of a kind for a view: µV, or multiples."""
        return {
            ("spindle", "absolute"): self.spindle_amplitudes_uv,
            ("spindle", "relative"): self.spindle_multiples,
            ("slow_oscillation", "absolute"): self.slow_oscillation_amplitudes_uv,
            ("slow_oscillation", "relative"): self.slow_oscillation_multiples,
        }[kind, view]


@dataclass(frozen=True)
class AuditedView:
    """One kind of event as one view finds it.

    Attributes
    ----------
    kind : {"spindle", "slow_oscillation"}
    view : {"absolute", "relative"}
    unit_uv : mapping of str to float
        By channel, the µV of the unit that sizes are planted in: 1 for the absolute view, the night's own sigma or
        waves for the relative one. Channels that are not in it are not audited.
    events : pandas.DataFrame
        What this view found in the night: table `SPINDLES` or `SLOW_OSCILLATIONS`.
    detect : callable
        The detector with the settings of this view. It takes a recording, its stages and its quality, and returns
        such a table.
    whole_night : bool
        Whether the detector must be given the whole night, because its limits depend on all of it.
    """

    kind: str
    view: str
    unit_uv: Mapping[str, float]
    events: pd.DataFrame
    detect: Callable[[Recording, pd.DataFrame, pd.DataFrame], pd.DataFrame]
    whole_night: bool = False


class _Kind(NamedTuple):
    """One kind of event: how it is made, and the columns of its table that hold peak, centre and size."""

    peak: str
    centre: str
    size: str
    make: Callable[[float, float, float], np.ndarray]


def audit_events(
    recording: Recording,
    stages: Hypnogram,
    quality: pd.DataFrame,
    views: Sequence[AuditedView],
    settings: AuditSettings | None = None,
) -> pd.DataFrame:
    """Plant spindles and slow oscillations of known size into N2 and N3, detect them, and count.

    Parameters
    ----------
    recording : Recording
    stages : DataFrame or another hypnogram that `as_stages` takes
        Table `HYPNOGRAM` of that recording.
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    views : sequence of AuditedView
        Nothing is planted near an event of the same kind that the same view found.
    settings : AuditSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `AUDIT`, a row a channel, kind of event, view, stage and planted amplitude. The same night and
        settings give the same audit. That of the relative view does not change with the gain of a channel, except
        in µV.

    Notes
    -----
    Both kinds are planted in one copy for each view, each at its own places. Epochs are drawn at random, the same for
    all channels, and filled one after the other until enough is planted. The copy holds these epochs only, so that a
    detector has about a quarter of the night to search once more. `chance_percent` is how often a random moment of the
    stage would count as found with nothing planted there, because a native event lies near it.

    Examples
    --------
    >>> audit = es.audit_events(recording, night.stages, night.quality, views=[])
    >>> audit.columns[:4].tolist()
    ['channel', 'kind', 'view', 'stage']
    """
    stages = as_stages(stages)
    settings = settings or AuditSettings()
    logger.info("auditing the detectors with planted events")
    rows: list[dict] = []
    for name in ("absolute", "relative"):
        together = [view for view in views if view.view == name and len(view.unit_uv)]
        order = np.random.default_rng(settings.seed).permutation(len(stages))
        planted = [
            _plan(
                label,
                stages,
                usable_epochs(quality, label),
                [v for v in together if label in v.unit_uv],
                settings,
                order,
            )
            for label in recording.derivations
        ]
        planted = [plan for plan in planted if len(plan)]
        if not planted:
            continue
        plan = pd.concat(planted, ignore_index=True)
        if any(view.whole_night for view in together):
            epochs = np.arange(len(stages))
        else:
            epochs = np.unique(plan["centre_s"] // EPOCH_S).astype(int)
        plan["placed_s"] = np.searchsorted(epochs, plan["centre_s"] // EPOCH_S) * EPOCH_S + plan["centre_s"] % EPOCH_S
        copy = (_plant(recording, plan, epochs), *_cut_tables(stages, quality, epochs))
        for view in together:
            mine = plan[plan["kind"] == view.kind]
            rows += _count(view, mine, view.detect(*copy), settings) if len(mine) else []
    if not rows:
        return empty_table(AUDIT)
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


_KINDS = {
    "spindle": _Kind("peak_s", "centroid_s", "amplitude_uv", make_spindle),
    "slow_oscillation": _Kind("neg_peak_s", "neg_peak_s", "ptp_uv", make_slow_oscillation),
}
# Mean and standard deviation of the planted frequencies and durations, as of healthy adults' events.
_FREQUENCY_HZ = {"spindle": (13.3, 0.5), "slow_oscillation": (0.85, 0.08)}
_DURATION_S = (0.9, 0.15)
# No event is planted nearer than this to the border of an epoch.
_MARGIN_S = 2.0


def _plan(
    label: str,
    stages: pd.DataFrame,
    usable: np.ndarray,
    views: Sequence[AuditedView],
    settings: AuditSettings,
    order: np.ndarray,
) -> pd.DataFrame:
    """Return the events to plant on one channel: kind, stage, centre, amplitude, frequency, duration.

    Epochs are filled in the given order, shape (n_epochs,), the places within each at random. The kinds take turns on
    one grid of places, and each stays clear of the native events of its own kind alone: where spindles are planted
    does not depend on slow waves.
    """
    rows = []
    grid = np.arange(settings.spacing_s / 2, len(stages) * EPOCH_S, settings.spacing_s)
    for turn, view in enumerate(views):
        rng = np.random.default_rng([settings.seed, *label.encode(), *view.kind.encode()])
        native = view.events.loc[view.events["channel"] == label, ["onset_s", "duration_s"]].to_numpy()
        free = _free_places(grid[turn :: len(views)], native, settings)
        amounts = settings.amounts(view.kind, view.view)
        for stage in NREM:
            places = free[values_at(usable & (stages["stage"] == stage).to_numpy(), free)]
            rng.shuffle(places)
            places = places[np.argsort(order[(places // EPOCH_S).astype(int)], kind="stable")]
            for i, centre_s in enumerate(places[: len(amounts) * settings.max_per_cell]):
                amount = amounts[i % len(amounts)]
                frequency = rng.normal(*_FREQUENCY_HZ[view.kind])
                duration = max(0.6, rng.normal(*_DURATION_S))
                size_uv = amount * view.unit_uv[label]
                rows.append((label, view.kind, stage, centre_s, amount, size_uv, frequency, duration))
    columns = ["channel", "kind", "stage", "centre_s", "amount", "planted_uv", "planted_hz", "planted_s"]
    return pd.DataFrame(rows, columns=columns)


def _free_places(grid: np.ndarray, native: np.ndarray, settings: AuditSettings) -> np.ndarray:
    """Return the times of a grid that are away from the borders of epochs and from native events.

    `native` holds onset and duration of each, shape (n, 2).
    """
    since_s = grid % EPOCH_S
    grid = grid[(since_s > _MARGIN_S) & (since_s < EPOCH_S - _MARGIN_S)]
    if not len(native) or not len(grid):
        return grid
    native = native[np.argsort(native[:, 0])]
    ends = np.maximum.accumulate(native.sum(axis=1))
    before = np.searchsorted(native[:, 0], grid + settings.clearance_s) - 1
    is_free = (before < 0) | (ends[np.maximum(before, 0)] < grid - settings.clearance_s)
    return grid[is_free]


def _plant(recording: Recording, plan: pd.DataFrame, epochs: np.ndarray) -> Recording:
    """Return a copy of some epochs of the recording, one after the other, at the analysis rate, with the events added.

    Where epochs were left out between two, each is brought to 0 at the border by a straight line, so that no step rings
    in a filter.
    """
    data = _join(recording.microvolts, epochs)
    for row in plan.itertuples():
        wave = _KINDS[row.kind].make(row.planted_uv, row.planted_hz, row.planted_s)
        start = round(row.placed_s * ANALYSIS_RATE_HZ) - wave.size // 2
        data[recording.channels.index(row.channel), start : start + wave.size] += wave
    return recording.with_microvolts(data)


def _join(microvolts: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    if epochs.size * EPOCH_SAMPLES > microvolts.shape[1] - EPOCH_SAMPLES:  # nothing was left out
        return microvolts.copy()
    pieces = []
    for run in np.split(epochs, np.flatnonzero(np.diff(epochs) > 1) + 1):
        piece = microvolts[:, run[0] * EPOCH_SAMPLES : (run[-1] + 1) * EPOCH_SAMPLES]
        first, last = np.nan_to_num(piece[:, 0]), np.nan_to_num(piece[:, -1])
        pieces.append(piece - np.linspace(first, last, piece.shape[1], axis=1))
    return np.concatenate(pieces, axis=1)


def _cut_tables(stages: pd.DataFrame, quality: pd.DataFrame, epochs: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of some epochs, which are numbered anew."""
    renumbered = stages.iloc[epochs].reset_index(drop=True)
    renumbered = renumbered.assign(epoch=np.arange(epochs.size), onset_s=EPOCH_S * np.arange(epochs.size))
    rows = quality[quality["epoch"].isin(epochs)].reset_index(drop=True)
    number = np.searchsorted(epochs, rows["epoch"])
    return renumbered, rows.assign(epoch=number, onset_s=EPOCH_S * number)


def _count(view: AuditedView, plan: pd.DataFrame, found: pd.DataFrame, settings: AuditSettings) -> list[dict]:
    """Return the rows of table `AUDIT` of one view, from what it found in the copy."""
    rows = []
    kind = _KINDS[view.kind]
    for (channel, stage), planted in plan.groupby(["channel", "stage"]):
        events = found[found["channel"] == channel]
        peaks_s, sizes, centres_s, pitches_hz = (
            events[name].to_numpy() for name in (kind.peak, kind.size, kind.centre, "frequency_hz")
        )
        native_s = view.events.loc[view.events["channel"] == channel, kind.peak].to_numpy()
        chance_percent = _chance_percent(native_s, planted["centre_s"].to_numpy(), settings)
        for amount, cell in planted.groupby("amount"):
            planted_hz, planted_uv = cell["planted_hz"].to_numpy(), cell["planted_uv"].to_numpy()
            # a slow oscillation is planted around its crossing; its trough comes a quarter period before
            shift_s = 0.25 / planted_hz if view.kind == "slow_oscillation" else 0.0
            times_s = cell["placed_s"].to_numpy() - shift_s
            hits, index = _match(times_s, peaks_s, settings.tolerance_s)
            index = index[hits]
            size, late = sizes[index] / planted_uv[hits], centres_s[index] - times_s[hits]
            pitch = pitches_hz[index] - planted_hz[hits]
            low, high = wilson_interval(int(hits.sum()), len(cell))
            rows.append(
                {
                    "channel": channel,
                    "kind": view.kind,
                    "view": view.view,
                    "stage": stage,
                    "planted_uv": planted_uv[0],
                    "planted_ratio": amount if view.view == "relative" else np.nan,
                    "n_planted": len(cell),
                    "n_found": int(hits.sum()),
                    "recall": hits.mean(),
                    "recall_low": low,
                    "recall_high": high,
                    "amplitude_bias_percent": 100 * (np.median(size) - 1) if size.size else np.nan,
                    "frequency_bias_hz": np.median(pitch) if pitch.size else np.nan,
                    "time_scatter_s": late.std(ddof=1) if late.size >= _MIN_SCATTER else np.nan,
                    "chance_percent": chance_percent,
                }
            )
    return rows


def _match(times_s: np.ndarray, peaks_s: np.ndarray, tolerance_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which times have a peak within the tolerance, and which peak is nearest to each."""
    if not peaks_s.size:
        return np.zeros(times_s.size, bool), np.zeros(times_s.size, int)
    order = np.argsort(peaks_s, kind="stable")
    ordered = peaks_s[order]
    after = np.minimum(np.searchsorted(ordered, times_s), ordered.size - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(ordered[before] - times_s) <= np.abs(ordered[after] - times_s), before, after)
    return np.abs(ordered[nearest] - times_s) <= tolerance_s, order[nearest]


def _chance_percent(native_s: np.ndarray, planted_s: np.ndarray, settings: AuditSettings) -> float:
    """Return the share of random moments near planted events that have a native peak near, in percent."""
    rng = np.random.default_rng(settings.seed)
    moments_s = rng.choice(planted_s, 500) + rng.uniform(-settings.spacing_s / 2, settings.spacing_s / 2, 500)
    hits, _ = _match(moments_s, native_s, settings.tolerance_s)
    return 100 * float(hits.mean())


def wilson_interval(n_found: int, n: int) -> tuple[float, float]:
    """Return the limits of the 95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share, z_squared = n_found / n, 1.959963984540054**2
    middle = (share + z_squared / (2 * n)) / (1 + z_squared / n)
    half = math.sqrt(z_squared * (share * (1 - share) / n + z_squared / (4 * n * n))) / (1 + z_squared / n)
    return (0.0 if n_found == 0 else middle - half), (1.0 if n_found == n else middle + half)


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
