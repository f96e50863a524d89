"""When the events of a simulated night happen: waves, spindles, arousals, eye movements, twitches."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.signals.epochs import EPOCH_S
from eegsleep.simulation.stages import slow_wave_drive, stage_runs, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from eegsleep.simulation.settings import SimulationSettings

Run = tuple[str, float, float]
# A spindle begins and ends where its Hann-shaped envelope passes a tenth of its largest value.
ENVELOPE_EDGE = 0.1
HANN_EDGE = 2 / np.pi * np.arccos(np.sqrt(ENVELOPE_EDGE))
# Spindles follow a 0.02 Hz rhythm (Lecci et al. 2017, 10.1126/sciadv.1602026).
_INFRASLOW_HZ = 0.02
# Smallest gap between two waves, or two spindles, so that they can be detected as two.
_GAP_S = 0.25
_N_TRIES = 40


@dataclass(frozen=True)
class Waves:
    """Slow oscillations, K-complexes or vertex waves; every field has shape (n_waves,).

    A wave falls for `fall_s` from the positive side to its negative peak, rises for `rise_s` to its
    positive peak, and falls again for `settle_s`. It begins halfway down the first fall, at the crossing
    from positive to negative, and ends halfway down the last.
    """

    stage: np.ndarray
    neg_peak_s: np.ndarray
    fall_s: np.ndarray
    rise_s: np.ndarray
    settle_s: np.ndarray
    ptp_uv: np.ndarray
    kind: np.ndarray

    @property
    def onset_s(self) -> np.ndarray:
        """Crossing from positive to negative before the negative peak, in s."""
        return self.neg_peak_s - self.fall_s / 2

    @property
    def pos_peak_s(self) -> np.ndarray:
        """Time of the positive peak (up state), in s."""
        return self.neg_peak_s + self.rise_s

    @property
    def end_s(self) -> np.ndarray:
        """Crossing from positive to negative after the positive peak, in s."""
        return self.pos_peak_s + self.settle_s / 2

    def time_of_phase(self, wave: int, phase_rad: float) -> float:
        """Return when a wave passes a phase; 0 is the positive peak, ±π the negative one."""
        if phase_rad <= 0:
            return float(self.pos_peak_s[wave] + phase_rad / np.pi * self.rise_s[wave])
        return float(self.pos_peak_s[wave] + phase_rad / np.pi * self.settle_s[wave])


@dataclass(frozen=True)
class Spindles:
    """Sleep spindles; every field has shape (n_spindles,), in the order of their onsets."""

    stage: np.ndarray
    onset_s: np.ndarray
    duration_s: np.ndarray
    peak_s: np.ndarray
    frequency_hz: np.ndarray
    amplitude_uv: np.ndarray
    is_fast: np.ndarray
    coupled: np.ndarray
    phase_rad: np.ndarray
    carrier_rad: np.ndarray


@dataclass(frozen=True)
class Bursts:
    """Anything that starts, lasts and has a strength: arousals, movements, eye movements, twitches."""

    onset_s: np.ndarray
    duration_s: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class NightEvents:
    """All events that are planted in the signal of a night."""

    waves: Waves
    vertex_waves: Waves
    spindles: Spindles
    arousals: Bursts
    movements: Bursts
    eyes_closed: Bursts
    saccades: Bursts
    blinks: Bursts
    twitches: Bursts
    sawtooth: Bursts


class _Calendar:
    """Times that are taken, kept in order, so that no two spindles or waves overlap."""

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._ends: list[float] = []

    def take(self, start: float, end: float) -> None:
        """Take the time from `start` to `end` for something that already lies there."""
        place = bisect.bisect(self._starts, start)
        self._starts.insert(place, start)
        self._ends.insert(place, end)

    def book(self, start: float, end: float) -> bool:
        """Take the time from `start` to `end` if it is free, and return whether it was."""
        place = bisect.bisect(self._starts, start)
        if place and self._ends[place - 1] + _GAP_S > start:
            return False
        if place < len(self._starts) and end + _GAP_S > self._starts[place]:
            return False
        self.take(start, end)
        return True


def plan_events(settings: SimulationSettings, stages: np.ndarray, seed: int) -> NightEvents:
    """Draw when every event of a night happens.

    Parameters
    ----------
    settings : SimulationSettings
        Rates, amplitudes and coupling.
    stages : numpy.ndarray of str, shape (n_epochs,)
        The hypnogram; every event lies inside one run of its stage.
    seed : int
        Seed of the night.

    Returns
    -------
    NightEvents
        Times in seconds from the first sample.
    """
    slow = _plan_slow_oscillations(settings, stages, stream(seed, "slow oscillations"))
    waves = _add_k_complexes(settings, stages, slow, stream(seed, "k-complexes"))
    closed, opened = _plan_eyes(stages, stream(seed, "eyes"))
    return NightEvents(
        waves=waves,
        vertex_waves=_plan_vertex_waves(stages, stream(seed, "vertex waves")),
        spindles=_plan_spindles(settings, stages, waves, seed),
        arousals=_plan_arousals(settings, stages, stream(seed, "arousals")),
        movements=_plan_bursts(stages, {"W": 0.5}, (3.0, 12.0), stream(seed, "movements")),
        eyes_closed=closed,
        saccades=_plan_saccades(stages, opened, stream(seed, "saccades")),
        blinks=_plan_blinks(opened, stream(seed, "blinks")),
        twitches=_plan_bursts(stages, {"R": 2.5}, (0.1, 0.6), stream(seed, "twitches")),
        sawtooth=_plan_bursts(stages, {"R": 0.8}, (2.0, 5.0), stream(seed, "sawtooth waves")),
    )


def _counts(runs: list[Run], per_min: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Divide the expected number of events over runs; the total differs from it by less than one."""
    expected = [per_min[stage] * (end - start) / 60 for stage, start, end in runs]
    edges = np.floor(np.concatenate([[0.0], np.cumsum(expected)]) + rng.random()).astype(int)
    return np.diff(edges)


def _join(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)


def _plan_slow_oscillations(settings: SimulationSettings, stages: np.ndarray, rng: np.random.Generator) -> Waves:
    """Place slow oscillations in trains: dense in N3, sparse in N2, larger where sleep is deeper.

    Shape and rate after Massimini et al. 2004 (10.1523/JNEUROSCI.1318-04.2004): 0.5-1.2 Hz, a sharp
    negative down state, a broader up state.
    """
    rate = settings.slow_oscillation_rate_per_min
    per_min = {"N3": rate, "N2": rate * settings.slow_oscillation_n2_ratio}
    runs = stage_runs(stages, per_min)
    drive = slow_wave_drive(stages)
    names, peaks, shapes, sizes = [], [], [], []
    for run, n_wanted in zip(runs, _counts(runs, per_min, rng), strict=True):
        stage, start, end = run
        scale = np.clip(rng.lognormal(0, 0.15, n_wanted), 0.72, 1.4)
        shape = np.outer([0.66, 0.55, 0.75], scale)
        size = rng.lognormal(0, 0.2, n_wanted)
        onset = _place_in_trains(shape, start, end, 0.4 if stage == "N3" else 0.7, rng)
        n_laid = len(onset)
        peaks.append(onset + shape[0, :n_laid] / 2)
        shapes.append(shape[:, :n_laid])
        epoch = (onset // EPOCH_S).astype(int)
        sizes.append(settings.slow_oscillation_ptp_uv * size[:n_laid] * drive[epoch])
        names += [stage] * n_laid
    fall, rise, settle = np.hstack(shapes) if shapes else np.zeros((3, 0))
    kind = np.full(len(names), "slow_oscillation", dtype="U16")
    return Waves(np.array(names, dtype="U2"), _join(peaks), fall, rise, settle, _join(sizes), kind)


def _place_in_trains(
    shape: np.ndarray, start: float, end: float, p_new_train: float, rng: np.random.Generator
) -> np.ndarray:
    """Return onsets of waves within one run: close within a train, the trains spread at random."""
    n_waves: int = shape.shape[1]
    duration = shape[0] / 2 + shape[1] + shape[2] / 2
    opens_train = rng.random(n_waves) < p_new_train
    opens_train[:1] = True
    within = rng.exponential(0.25, n_waves) + 0.05
    between = rng.exponential(1.0, n_waves + 1)
    margin = 1.0
    gap = np.where(opens_train, _GAP_S, within)
    # Where a run is too short for all its waves, those that do not fit are left out.
    n_fit = int(np.searchsorted(np.cumsum(duration + gap), end - start - 2 * margin, side="right"))
    duration, gap, opens_train = duration[:n_fit], gap[:n_fit], opens_train[:n_fit]
    free = end - start - 2 * margin - (duration + gap).sum()
    spread = np.where(opens_train, between[:n_fit], 0.0)
    gap += spread / (spread.sum() + between[-1]) * free
    return start + margin + np.cumsum(gap + duration) - duration


def _add_k_complexes(settings: SimulationSettings, stages: np.ndarray, slow: Waves, rng: np.random.Generator) -> Waves:
    """Add K-complexes in N2: a sharp negative wave, then a positive one, at least 0.5 s in all.

    Shape after Colrain 2005 (10.1093/sleep/28.2.255).
    """
    taken = _Calendar()
    for onset, end in zip(slow.onset_s, slow.end_s, strict=True):
        taken.take(float(onset), float(end))
    per_min = {"N2": settings.k_complex_rate_per_min}
    runs = stage_runs(stages, per_min)
    peaks, shapes = [], []
    for (_, start, end), n_wanted in zip(runs, _counts(runs, per_min, rng), strict=True):
        scale = np.clip(rng.lognormal(0, 0.12, n_wanted), 0.75, 1.35)
        tries = rng.uniform(start + 1.5, end - 2.0, (n_wanted, _N_TRIES))
        for one_scale, one_tries in zip(scale, tries, strict=True):
            fall, rise, settle = shape = one_scale * np.array([0.34, 0.42, 0.8])
            for peak in one_tries:
                if taken.book(peak - fall / 2, peak + rise + settle / 2):
                    peaks.append(peak)
                    shapes.append(shape)
                    break
    n_laid = len(peaks)
    fall_s, rise_s, settle_s = np.reshape(shapes, (-1, 3)).T
    added = Waves(
        stage=np.full(n_laid, "N2"),
        neg_peak_s=np.array(peaks, dtype=float),
        fall_s=fall_s,
        rise_s=rise_s,
        settle_s=settle_s,
        ptp_uv=settings.k_complex_ptp_uv * rng.lognormal(0, 0.2, n_laid),
        kind=np.full(n_laid, "k_complex"),
    )
    order = np.argsort(np.concatenate([slow.onset_s, added.onset_s]), kind="stable")
    return Waves(
        **{
            name: np.concatenate([getattr(slow, name), getattr(added, name)])[order]
            for name in Waves.__dataclass_fields__
        }
    )


def _plan_vertex_waves(stages: np.ndarray, rng: np.random.Generator) -> Waves:
    """Draw vertex sharp waves of late N1: shorter than 0.5 s, largest over the vertex."""
    found = _plan_bursts(stages, {"N1": 2.0}, (0.2, 0.4), rng)
    n_waves = len(found.onset_s)
    scale = found.duration_s / 0.3
    return Waves(
        np.full(n_waves, "N1"),
        found.onset_s + 0.1,
        0.2 * scale,
        0.16 * scale,
        0.3 * scale,
        60.0 * found.strength,
        np.full(n_waves, "vertex_wave"),
    )


def _plan_spindles(settings: SimulationSettings, stages: np.ndarray, waves: Waves, seed: int) -> Spindles:
    """Draw fast spindles, then slow ones in the time the fast have left."""
    taken = _Calendar()
    rows = []
    for is_fast, name in ((True, "fast"), (False, "slow")):
        rows += _place_spindles(settings, stages, waves, taken, stream(seed, f"spindles/{name}"), is_fast)
    rows.sort(key=lambda row: row[1])
    columns = list(zip(*rows, strict=True)) or [()] * 10
    dtypes = ("U2", *["f8"] * 5, "?", "?", "f8", "f8")
    return Spindles(*[np.array(column, dtype=dtype) for column, dtype in zip(columns, dtypes, strict=True)])


def _place_spindles(
    settings: SimulationSettings,
    stages: np.ndarray,
    waves: Waves,
    taken: _Calendar,
    rng: np.random.Generator,
    is_fast: bool,
) -> list[tuple]:
    """Place the spindles of one class, run by run, some of them on a slow oscillation.

    Durations of 0.5-2 s and a class frequency that varies by a third of a hertz: Purcell et al. 2017
    (10.1038/ncomms15930).
    """
    kind = "fast" if is_fast else "slow"
    density = getattr(settings, f"{kind}_spindle_density_per_min")
    per_min = {"N2": density, "N3": density * settings.spindle_n3_ratio}
    runs = stage_runs(stages, per_min)
    rows = []
    for run, n_wanted in zip(runs, _counts(runs, per_min, rng), strict=True):
        stage, start, end = run
        duration = np.clip(settings.spindle_duration_s * rng.lognormal(0, 0.3, n_wanted), 0.5, 2.0)
        frequency = getattr(settings, f"{kind}_spindle_frequency_hz") + np.clip(
            rng.normal(0, 0.33, n_wanted), -0.9, 0.9
        )
        size = getattr(settings, f"{kind}_spindle_amplitude_uv") * rng.lognormal(0, 0.25, n_wanted)
        rise = duration * np.clip(rng.normal(0.48, 0.07, n_wanted), 0.3, 0.7)
        carrier = rng.uniform(-np.pi, np.pi, n_wanted)
        # Near the runs' ends a spindle has no room, so it is looked for 0.3 s inside.
        first, last = start + 0.3 + rise, end - 0.3 - (duration - rise)
        wishes = _wishes(settings, run, waves, n_wanted, rng)
        for i in range(n_wanted):
            for peak, phase in wishes(i):
                onset = peak - rise[i]
                if first[i] <= peak <= last[i] and taken.book(onset, onset + duration[i]):
                    rows.append(
                        (
                            stage,
                            onset,
                            duration[i],
                            peak,
                            frequency[i],
                            size[i],
                            is_fast,
                            not np.isnan(phase),
                            phase,
                            carrier[i],
                        )
                    )
                    break
    return rows


def _wishes(
    settings: SimulationSettings, run: Run, waves: Waves, n_wanted: int, rng: np.random.Generator
) -> Callable[[int], list[tuple[float, float]]]:
    """Return, for each spindle of a run, the (peak time, phase) pairs to try, most wanted first."""
    _, start, end = run
    hosts = np.flatnonzero((waves.onset_s >= start) & (waves.end_s <= end))
    rides = rng.random(n_wanted) < settings.coupling_strength
    phase = rng.vonmises(settings.coupling_phase_rad, settings.coupling_concentration, (n_wanted, _N_TRIES))
    host_draw = rng.random((n_wanted, _N_TRIES))
    alone = rng.uniform(start, end, (n_wanted, _N_TRIES))
    rhythm = np.sin(2 * np.pi * _INFRASLOW_HZ * alone + rng.uniform(0, 2 * np.pi))
    favoured = rng.random((n_wanted, _N_TRIES)) < 0.5 + 0.4 * rhythm

    def wishes(i: int) -> list[tuple[float, float]]:
        pairs = []
        if rides[i] and len(hosts):
            chosen = hosts[(host_draw[i] * len(hosts)).astype(int)]
            pairs = [
                (waves.time_of_phase(int(wave), angle), float(angle))
                for wave, angle in zip(chosen, phase[i], strict=True)
            ]
        order = np.argsort(~favoured[i], kind="stable")
        return pairs + [(float(alone[i, k]), float("nan")) for k in order]

    return wishes


def _plan_bursts(
    stages: np.ndarray, per_min: dict[str, float], duration_s: tuple[float, float], rng: np.random.Generator
) -> Bursts:
    """Draw bursts at random times inside the runs of their stages; strength varies about 1."""
    runs = stage_runs(stages, per_min)
    onsets, durations = [], []
    for (_, start, end), n_wanted in zip(runs, _counts(runs, per_min, rng), strict=True):
        duration = rng.uniform(*duration_s, n_wanted)
        onsets.append(np.sort(start + rng.random(n_wanted) * (end - start - duration)))
        durations.append(duration)
    onset = _join(onsets)
    return Bursts(onset, _join(durations), rng.lognormal(0, 0.3, len(onset)))


def _plan_arousals(settings: SimulationSettings, stages: np.ndarray, rng: np.random.Generator) -> Bursts:
    """Draw arousals of 3-15 s (ASDA 1992, 10.1093/sleep/15.2.173), and one at every awakening."""
    per_min = settings.arousal_rate_per_h / 60
    found = _plan_bursts(
        stages, {"N1": 1.6 * per_min, "N2": per_min, "N3": 0.3 * per_min, "R": per_min}, (3.0, 15.0), rng
    )
    awakenings = np.array([start for _, start, _ in stage_runs(stages, "W") if start > 0])
    onset = np.concatenate([found.onset_s, awakenings - rng.uniform(0, 2, len(awakenings))])
    duration = np.concatenate([found.duration_s, rng.uniform(8, 15, len(awakenings))])
    return Bursts(onset, duration, np.clip(rng.lognormal(0, 0.25, len(onset)), 0.5, 1.8))


def _plan_eyes(stages: np.ndarray, rng: np.random.Generator) -> tuple[Bursts, list[tuple[float, float]]]:
    """Divide wake into times with closed eyes (alpha) and open eyes (blinks and saccades)."""
    closed: list[tuple[float, float]] = []
    opened: list[tuple[float, float]] = []
    for _, start, end in stage_runs(stages, ("W",)):
        time, is_closed = start, bool(rng.random() < 0.6)
        while time < end:
            until = min(end, time + rng.gamma(2.0, 40.0 if is_closed else 20.0))
            (closed if is_closed else opened).append((time, until))
            time, is_closed = until, not is_closed
    edges = np.array(closed, dtype=float).reshape(-1, 2)
    return Bursts(edges[:, 0], edges[:, 1] - edges[:, 0], np.ones(len(edges))), opened


def _plan_saccades(stages: np.ndarray, opened: list[tuple[float, float]], rng: np.random.Generator) -> Bursts:
    """Draw rapid eye movements: in bursts in REM, scattered while the eyes are open in wake."""
    times = []
    bursts = _plan_bursts(stages, {"R": 2.4}, (2.0, 9.0), rng)
    for onset, duration in zip(bursts.onset_s, bursts.duration_s, strict=True):
        times.append(np.sort(onset + duration * rng.random(1 + rng.poisson(0.9 * duration))))
    for start, end in opened:
        times.append(np.sort(rng.uniform(start, end, rng.poisson((end - start) * 0.35))))
    onset = _join(times)
    sign = np.where(rng.random(len(onset)) < 0.5, -1.0, 1.0)
    return Bursts(onset, np.full(len(onset), 2.5), sign * rng.lognormal(0, 0.45, len(onset)))


def _plan_blinks(opened: list[tuple[float, float]], rng: np.random.Generator) -> Bursts:
    """Draw about 14 blinks a minute while the eyes are open."""
    onset = _join([np.sort(rng.uniform(a, b, rng.poisson((b - a) * 0.23))) for a, b in opened])
    return Bursts(onset, rng.uniform(0.25, 0.4, len(onset)), rng.lognormal(0, 0.25, len(onset)))
