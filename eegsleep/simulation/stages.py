"""The stages of a simulated night: how many epochs of each, and in which order."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.signals.epochs import EPOCH_S
from eegsleep.simulation.settings import n_epochs_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eegsleep.simulation.settings import SimulationSettings

# One NREM-REM cycle of an adult lasts 90-110 min (Feinberg & Floyd 1979, 10.1111/j.1469-8986.1979.tb02991.x).
CYCLE_EPOCHS = 190
# Process S falls with this time constant in sleep (Daan et al. 1984, 10.1152/ajpregu.1984.246.2.R161).
HOMEOSTATIC_DECAY_H = 4.2


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one named process.

    Every process draws from its own stream, so that a changed setting of one process leaves all others as they were.

    Parameters
    ----------
    seed : int
        Seed of the night.
    name : str
        Name of the process, for example `"spindles/fast"`.

    Returns
    -------
    numpy.random.Generator
        The same numbers for the same seed and name, on every machine.
    """
    key = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),))
    return np.random.Generator(np.random.SFC64(key))


def draw_stages(settings: SimulationSettings, seed: int) -> np.ndarray:
    """Draw the stage of every epoch of one night.

    Parameters
    ----------
    settings : SimulationSettings
        Length of the night and the minutes that were asked for.
    seed : int
        Seed of the night.

    Returns
    -------
    numpy.ndarray of str, shape (n_epochs,)
        W, N1, N2, N3 or R.
    """
    epochs = draw_stage_epochs(settings, stream(seed, "stages/minutes"))
    rng = stream(seed, "stages/order")
    core = _draw_cycles(epochs, rng)
    return np.array(_insert_wake_and_n1(core, epochs, rng), dtype="U2")


def draw_stage_epochs(settings: SimulationSettings, rng: np.random.Generator) -> dict[str, int]:
    """Draw how many epochs each stage gets; minutes that the settings give are kept to the epoch.

    The rest is drawn around what healthy adults sleep: latency 12 min, wake after onset 32 min in 8 h,
    and 6 % N1, 20 % N3 and 21 % REM of sleep (Ohayon et al. 2004, 10.1093/sleep/27.7.1255; Boulos et al.
    2019, 10.1016/S2213-2600(19)30057-8). N2 takes what is left.

    Parameters
    ----------
    settings : SimulationSettings
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to int
        Epochs of `latency`, `waso`, `n1`, `n2`, `n3` and `rem`; they sum to the night.
    """
    total = n_epochs_of(settings.duration_h)
    latency = min(24 * rng.lognormal(0, 0.4), 0.12 * total)
    waso = 32 / 480 * total * rng.lognormal(0, 0.3)
    sleep = total - latency - waso
    drawn = {
        "latency": latency,
        "waso": waso,
        "n1": sleep * rng.uniform(0.045, 0.075),
        "n3": sleep * rng.uniform(0.16, 0.24),
        "rem": sleep * rng.uniform(0.18, 0.24),
    }
    asked = {name: getattr(settings, f"{_SETTING_OF[name]}_min") for name in drawn}
    fixed = {name: round(minutes * 60 / EPOCH_S) for name, minutes in asked.items() if minutes is not None}
    room = total - sum(fixed.values())
    free = {name: size for name, size in drawn.items() if name not in fixed}
    # Durations that were drawn shrink before N2 falls below 40 % of the epochs that the settings leave open.
    shrink = min(1.0, 0.6 * room / max(sum(free.values()), 1e-9))
    epochs = fixed | {name: int(size * shrink) for name, size in free.items()}
    epochs["n2"] = total - sum(epochs.values())
    return epochs


_SETTING_OF = {"latency": "sleep_latency", "waso": "waso", "n1": "n1", "n3": "n3", "rem": "rem"}


def _share(total: int, weights: np.ndarray) -> np.ndarray:
    """Divide `total` epochs by `weights`, exactly, by largest remainder."""
    if weights.sum() <= 0:  # a night without sleep has cycles of no length
        weights = np.ones(len(weights))
    exact = total * weights / weights.sum()
    parts = np.floor(exact).astype(int)
    parts[np.argsort(parts - exact, kind="stable")[: total - parts.sum()]] += 1
    return parts


def _draw_cycles(epochs: dict[str, int], rng: np.random.Generator) -> list[str]:
    """Arrange N2, N3 and REM in cycles: N3 mostly in the first, REM growing towards morning."""
    asleep = epochs["n2"] + epochs["n3"] + epochs["rem"]
    n_cycles = max(1, round((asleep + epochs["waso"] + epochs["n1"]) / CYCLE_EPOCHS))
    order = np.arange(n_cycles)
    deep = _share(epochs["n3"], 0.52**order * rng.lognormal(0, 0.15, n_cycles))
    dream = _share(epochs["rem"], (order + 0.45) ** 0.75 * rng.lognormal(0, 0.15, n_cycles))
    length = asleep / n_cycles * rng.lognormal(0, 0.06, n_cycles)
    light = _share(epochs["n2"], np.maximum(length - deep - dream, 0.12 * length))
    core: list[str] = []
    for n_light, n_deep, n_dream in zip(light, deep, dream, strict=True):
        core += _one_cycle(int(n_light), int(n_deep), int(n_dream), rng)
    return core


def _one_cycle(n_light: int, n_deep: int, n_dream: int, rng: np.random.Generator) -> list[str]:
    """Descend through N2 to N3, with lapses back to N2, climb through N2, and end in REM."""
    n_lapses = min(n_deep // 9, n_light // 6)
    lapses = [1 + int(size) for size in rng.integers(0, 2, n_lapses)]
    left = n_light - sum(lapses)
    before = round(left * rng.uniform(0.3, 0.5)) if n_deep else left
    # Sleep changes between N2 and N3 near the ends of N3, so lapses are more frequent there than in its middle.
    places = np.sort(np.round(n_deep * rng.beta(0.6, 0.6, n_lapses)).astype(int))
    stages = ["N2"] * before
    done = 0
    for place, size in zip(places, lapses, strict=True):
        stages += ["N3"] * int(place - done) + ["N2"] * size
        done = int(place)
    return stages + ["N3"] * (n_deep - done) + ["N2"] * (left - before) + ["R"] * n_dream


def _draw_bouts(total: int, mean: float, rng: np.random.Generator) -> list[int]:
    """Divide `total` epochs into bouts of geometric length."""
    bouts = []
    while total > 0:
        bout = min(total, int(rng.geometric(1 / mean)))
        bouts.append(bout)
        total -= bout
    return bouts


def _insert_wake_and_n1(core: list[str], epochs: dict[str, int], rng: np.random.Generator) -> list[str]:
    """Add wake at both ends, awakenings in between, and N1 after each and on its own."""
    final_wake = round(epochs["waso"] * rng.uniform(0.15, 0.35))
    awakenings = _draw_bouts(epochs["waso"] - final_wake, 2.2, rng)
    n1_left = epochs["n1"]
    first_n1 = min(n1_left, max(1, round(n1_left * rng.uniform(0.1, 0.2))))
    n1_left -= first_n1
    inserts = []
    for bout in awakenings:
        n1_after = min(n1_left, int(rng.integers(1, 4)))
        n1_left -= n1_after
        inserts.append(["W"] * bout + ["N1"] * n1_after)
    inserts += [["N1"] * bout for bout in _draw_bouts(n1_left, 1.8, rng)]
    # Awakenings come from N2 and REM, and most of all at the end of REM; hardly ever out of N3.
    weight = np.array([{"N2": 1.0, "N3": 0.02, "R": 0.6}[stage] for stage in core])
    previous = np.array(["", *core[:-1]])
    weight[(previous == "R") & (np.array(core) != "R")] = 10.0
    weight[: min(8, len(core) // 4)] *= 0.05
    stages = ["W"] * epochs["latency"] + ["N1"] * first_n1
    at: dict[int, list[str]] = {}
    if core:
        places = rng.choice(len(core), size=len(inserts), p=weight / weight.sum())
        for place, insert in zip(places, inserts, strict=True):
            at.setdefault(int(place), []).extend(insert)
        for place, stage in enumerate(core):
            stages += [*at.get(place, []), stage]
    else:
        stages += [stage for insert in inserts for stage in insert]
    return stages + ["W"] * final_wake


def stage_runs(stages: np.ndarray, wanted: Iterable[str]) -> list[tuple[str, float, float]]:
    """Return the uninterrupted runs of the wanted stages as (stage, start in s, end in s).

    Parameters
    ----------
    stages : numpy.ndarray of str, shape (n_epochs,)
    wanted : iterable of str

    Returns
    -------
    list of (str, float, float)
    """
    edges = np.flatnonzero(stages[1:] != stages[:-1]) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(stages)]])
    wanted = tuple(wanted)
    return [
        (str(stages[start]), float(start * EPOCH_S), float(end * EPOCH_S))
        for start, end in zip(starts, ends, strict=True)
        if stages[start] in wanted
    ]


def slow_wave_drive(stages: np.ndarray) -> np.ndarray:
    """Return how strong slow activity is in every epoch, as a factor on its amplitude.

    It swells in the middle of each NREM episode and fades as sleep pressure is slept off (process S, Daan
    et al. 1984). Its mean over N3 is 1.

    Parameters
    ----------
    stages : numpy.ndarray of str, shape (n_epochs,)

    Returns
    -------
    numpy.ndarray, shape (n_epochs,)
        A factor between about 0.6 and 1.3.
    """
    asleep = np.isin(stages, ("N2", "N3"))
    pressure = np.exp(-np.cumsum(asleep, dtype=int) * EPOCH_S / 3600 / HOMEOSTATIC_DECAY_H)
    depth = np.select([stages == "N3", stages == "N2"], [1.0, 0.8], 0.7)
    window = np.hanning(17)[1:-1]
    padded = np.pad(depth, len(window) // 2, mode="edge")
    drive = np.sqrt(pressure) * np.convolve(padded, window / window.sum(), mode="valid")
    reference = stages == "N3" if (stages == "N3").any() else np.ones(len(stages), dtype=bool)
    return drive / drive[reference].mean()
