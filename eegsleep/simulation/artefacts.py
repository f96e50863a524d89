"""Faults of electrodes and recorders that can be planted in a simulated night on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegsleep.simulation.settings import ARTEFACT_KINDS, MAINS_HZ
from eegsleep.simulation.stages import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

# Range of the simulated recorder in µV: 16 bits of 0.05 µV.
RANGE_UV = (-1638.4, 1638.35)
# How much of its sixth of the night each artefact takes.
_SHARE = {"flat": 0.3, "clipped": 0.3, "movement": 0.1, "contact_loss": 0.3, "mains": 0.7, "gain_drift": 0.8}
_LONGEST_S = {"flat": 600.0, "clipped": 300.0, "movement": 30.0, "contact_loss": 600.0}


def plant_artefacts(
    data: np.ndarray, labels: Sequence[str], n_eeg: int, kinds: Sequence[str], rate_hz: int, seed: int
) -> list[tuple[str, str, float, float]]:
    """Plant each kind of artefact once, in place, and return where.

    Every kind has its own sixth of the night, so that asking for one moves no other. Movement reaches
    all channels, mains all EEG, the others one EEG derivation drawn at random.

    Parameters
    ----------
    data : numpy.ndarray, shape (n_channels, n_samples)
        Signals in µV, EEG first.
    labels : sequence of str
        Names of the channels.
    n_eeg : int
        How many of them are EEG.
    kinds : sequence of str
        Some of `ARTEFACT_KINDS`.
    rate_hz : int
        Sampling rate.
    seed : int
        Seed of the night.

    Returns
    -------
    list of (channel, kind, onset_s, duration_s)
        One row for each channel an artefact is on, in order of time.
    """
    slot = data.shape[1] / rate_hz / len(ARTEFACT_KINDS)
    rows = []
    for place, kind in enumerate(ARTEFACT_KINDS):
        rng = stream(seed, f"artefact/{kind}")
        duration = min(_SHARE[kind] * slot, _LONGEST_S.get(kind, np.inf))
        # Whole hundredths of a second, so that the rounded times in the table match the samples closely.
        duration = round(duration, 2)
        onset = round(slot * place + rng.random() * (slot - duration), 2)
        one = int(rng.integers(n_eeg))
        if kind not in kinds:
            continue
        on = range(len(labels)) if kind == "movement" else range(n_eeg) if kind == "mains" else [one]
        span = slice(round(onset * rate_hz), round((onset + duration) * rate_hz))
        for channel in on:
            piece = data[channel, span]
            piece[:] = _PLANT[kind](piece, rate_hz, rng)
            rows.append((labels[channel], kind, onset, duration))
    return rows


def _clock(piece: np.ndarray, rate_hz: int) -> np.ndarray:
    return np.arange(len(piece)) / rate_hz


def _flat(piece: np.ndarray, _rate_hz: int, _rng: np.random.Generator) -> np.ndarray:
    """Short the input: the same value throughout."""
    return np.zeros_like(piece)


def _clipped(piece: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Let a drifting electrode drive the recorder to one end of its range, then to the other."""
    sway = 3 * RANGE_UV[1] * np.sin(2 * np.pi * (0.4 * _clock(piece, rate_hz) + rng.random()))
    return np.clip(piece + sway, *RANGE_UV)


def _movement(piece: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Turn the sleeper over: slow sway of hundreds of µV and a burst of muscle."""
    time = _clock(piece, rate_hz)
    fade = np.sin(np.pi * np.linspace(0, 1, len(piece))) ** 0.5
    sway = sum(np.sin(2 * np.pi * (hz * time + rng.random())) / hz**0.5 for hz in (0.3, 0.7, 1.3, 2.1))
    return piece + fade * (rng.uniform(120, 250) * sway + 40 * rng.standard_normal(len(piece)))


def _contact_loss(piece: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Take the electrode off: no brain, only mains and the wandering of an open input."""
    wander = np.cumsum(rng.standard_normal(len(piece))) * 40 / np.sqrt(rate_hz)
    # A leaky sum, in pieces of two seconds, keeps the wander within what an open input shows.
    base = np.interp(np.arange(len(piece)), np.arange(0, len(piece), 2 * rate_hz), wander[:: 2 * rate_hz])
    return wander - base + _mains_wave(piece, rate_hz, 80.0, rng) + 5 * rng.standard_normal(len(piece))


def _mains(piece: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Add mains hum to the EEG."""
    return piece + _mains_wave(piece, rate_hz, rng.uniform(20, 40), rng)


def _mains_wave(piece: np.ndarray, rate_hz: int, size_uv: float, rng: np.random.Generator) -> np.ndarray:
    wave = np.zeros(len(piece))
    for harmonic, share in ((1, 1.0), (2, 0.1), (3, 0.3)):
        # The recorder's anti-aliasing filter lets nothing through near half the rate.
        if harmonic * MAINS_HZ < 0.45 * rate_hz:
            turns = harmonic * MAINS_HZ * _clock(piece, rate_hz) + rng.random()
            wave += share * size_uv * np.sin(2 * np.pi * turns)
    return wave


def _gain_drift(piece: np.ndarray, _rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Let the electrode dry: the signal shrinks to a third or a half, then the electrode is fixed."""
    return piece * np.geomspace(1.0, rng.uniform(0.33, 0.5), len(piece))


_PLANT = {
    "flat": _flat,
    "clipped": _clipped,
    "movement": _movement,
    "contact_loss": _contact_loss,
    "mains": _mains,
    "gain_drift": _gain_drift,
}
