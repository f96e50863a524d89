"""The changes of state of a simulated night, as smooth curves that control the signal generators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.signals.epochs import EPOCH_S, SCORED_STAGES
from eegsleep.simulation.stages import slow_wave_drive, stream

if TYPE_CHECKING:
    from eegsleep.simulation.events import Bursts, NightEvents

# Rate of the curves.
CONTROL_HZ = 4
# The background is given, and wanders on its own, at these frequencies.
KNOTS_HZ = (0.3, 0.6, 1.0, 2.0, 3.5, 6.0, 9.0, 12.0, 16.0, 22.0, 32.0)
# (stage, other, share of its epochs, most): part of an epoch's activity may be that of a neighbouring stage.
# Experts disagree on such epochs, most of all in N1 (Rosenberg & Van Hout 2013, 10.5664/jcsm.2350).
LEANINGS = (
    ("N1", "W", 0.5, 0.7),
    ("N1", "N2", 0.5, 0.8),
    ("W", "N1", 0.25, 0.7),
    ("N2", "N1", 0.25, 0.6),
    ("N2", "N3", 0.15, 0.5),
    ("N3", "N2", 0.3, 0.5),
    ("R", "N1", 0.2, 0.5),
)


@dataclass(frozen=True)
class NightState:
    """Curves that control the generators, at `CONTROL_HZ`; each has n_seconds * CONTROL_HZ + 1 points."""

    duration_s: int
    share: dict[str, np.ndarray]
    drive: np.ndarray
    arousal: np.ndarray
    movement: np.ndarray
    closed: np.ndarray
    wander: np.ndarray


def draw_state(stages: np.ndarray, events: NightEvents, seed: int) -> NightState:
    """Compute the curves of a night.

    Parameters
    ----------
    stages : numpy.ndarray of str, shape (n_epochs,)
        The hypnogram.
    events : NightEvents
        Arousals, movements and closed eyes.
    seed : int
        Seed of the night.

    Returns
    -------
    NightState
        Smooth curves: the share of each stage (they sum to 1), the drive of slow waves, arousal, movement
        and closed eyes from 0 up, and a wander of the background about 0 (shape (n_knots, n_points)).
    """
    per_epoch = int(EPOCH_S * CONTROL_HZ)
    duration_s = int(len(stages) * EPOCH_S)
    n_points = duration_s * CONTROL_HZ + 1
    # A stage gives way to the next over about 12 s, not at the border of an epoch.
    share = {
        stage: _smooth(_repeat(weight, per_epoch, n_points), 12 * CONTROL_HZ)
        for stage, weight in _lean(stages, stream(seed, "leaning")).items()
    }
    drive = _smooth(_repeat(slow_wave_drive(stages), per_epoch, n_points), 60 * CONTROL_HZ)
    return NightState(
        duration_s=duration_s,
        share=share,
        drive=drive.astype(np.float32),
        arousal=_smooth(paint(events.arousals, n_points), 2 * CONTROL_HZ),
        movement=_smooth(paint(events.movements, n_points), 2 * CONTROL_HZ),
        closed=_smooth(paint(events.eyes_closed, n_points), 3 * CONTROL_HZ),
        wander=_draw_wander(duration_s, n_points, stream(seed, "wander")),
    )


def _lean(stages: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the share of each stage in every epoch: sleep is graded, and stages are cuts through it."""
    weight = {stage: (stages == stage).astype(np.float32) for stage in SCORED_STAGES}
    for stage, other, probability, most in LEANINGS:
        leans = (stages == stage) & (rng.random(len(stages)) < probability)
        part = np.where(leans, most * rng.random(len(stages)), 0.0).astype(np.float32)
        moved = part * weight[stage]
        weight[stage] -= moved
        weight[other] += moved
    return weight


def _draw_wander(duration_s: int, n_points: int, rng: np.random.Generator) -> np.ndarray:
    """Draw slow changes of each band within a stage, about a tenth of its amplitude, over tens of seconds."""
    every_s = 15
    n_nodes = duration_s // every_s + 2
    own = rng.standard_normal((len(KNOTS_HZ), n_nodes))
    neighbours = np.array([np.convolve(node, [0.25, 0.5, 0.25], mode="same") for node in own.T]).T
    at = np.arange(n_points) / CONTROL_HZ / every_s
    return np.array([np.interp(at, np.arange(n_nodes), row) for row in 0.16 * neighbours], dtype=np.float32)


def _repeat(values: np.ndarray, n_repeats: int, n_points: int) -> np.ndarray:
    held = np.repeat(values, n_repeats)
    return np.pad(held, (0, n_points - len(held)), mode="edge")


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Pass a Hann window over a curve; its ends are held."""
    window = np.hanning(2 * (width // 2) + 3)[1:-1]
    padded = np.pad(values, len(window) // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid").astype(np.float32)


def paint(bursts: Bursts, n_points: int) -> np.ndarray:
    """Return a control curve that has the strength of each burst while it lasts, and 0 elsewhere.

    Parameters
    ----------
    bursts : Bursts
    n_points : int

    Returns
    -------
    numpy.ndarray of float32, shape (n_points,)
    """
    curve = np.zeros(n_points, dtype=np.float32)
    for onset, duration, strength in zip(bursts.onset_s, bursts.duration_s, bursts.strength, strict=True):
        curve[max(0, int(onset * CONTROL_HZ)) : int((onset + duration) * CONTROL_HZ) + 1] = strength
    return curve


def at_rate(curve: np.ndarray, rate_hz: int) -> np.ndarray:
    """Draw straight lines between the points of a control curve, at a multiple of its rate.

    Parameters
    ----------
    curve : numpy.ndarray, shape (n_points,)
        At `CONTROL_HZ`.
    rate_hz : int
        A multiple of `CONTROL_HZ`.

    Returns
    -------
    numpy.ndarray, shape ((n_points - 1) * rate_hz // CONTROL_HZ,)
    """
    steps = np.arange(rate_hz // CONTROL_HZ, dtype=np.float32) / np.float32(rate_hz // CONTROL_HZ)
    return (curve[:-1, None] + np.diff(curve)[:, None] * steps).ravel()
