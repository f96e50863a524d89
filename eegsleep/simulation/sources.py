"""Signals that the derivations of a simulated night share: waves, spindles, rhythms and eye movements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.simulation.events import HANN_EDGE
from eegsleep.simulation.stages import stream
from eegsleep.simulation.state import at_rate

if TYPE_CHECKING:
    from eegsleep.simulation.events import Bursts, NightEvents, Spindles, Waves
    from eegsleep.simulation.settings import SimulationSettings
    from eegsleep.simulation.state import NightState

# Rate of everything in this module: nothing here lies above 30 Hz.
EVENT_HZ = 64
# Root mean square of the alpha rhythm of closed eyes, in µV, before topography.
ALPHA_UV = 12.0
# Share of the alpha rhythm of closed eyes that is left in each stage.
ALPHA_SHARE = {"W": 1.0, "N1": 0.3, "N2": 0.06, "N3": 0.0, "R": 0.12}


def waveform(spectrum: np.ndarray, duration_s: int, rate_hz: int) -> np.ndarray:
    """Return the signal of a one-sided spectrum (bins 1/duration apart) at a rate.

    Parameters
    ----------
    spectrum : numpy.ndarray of complex, shape (n_bins,)
        Bins from 0 Hz on; those above half the rate are left out.
    duration_s, rate_hz : int

    Returns
    -------
    numpy.ndarray, shape (duration_s * rate_hz,)
    """
    from scipy.fft import irfft

    n_samples = duration_s * rate_hz
    return irfft(spectrum[: n_samples // 2 + 1], n=n_samples, norm="forward")


def draw_noise(n_bins: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the spectrum of white noise: unit variance in each real and imaginary part.

    Parameters
    ----------
    n_bins : int
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of complex64, shape (n_bins,)
    """
    return rng.standard_normal(2 * n_bins, dtype=np.float32).view(np.complex64)


def _rhythm(centre_hz: float, width_hz: float, duration_s: int, rng: np.random.Generator) -> np.ndarray:
    """Return a waxing and waning rhythm of unit root mean square, at the rate of the events."""
    frequency = np.arange(duration_s * EVENT_HZ // 2 + 1, dtype=np.float32) / np.float32(duration_s)
    near = np.abs(frequency - centre_hz) < 4 * width_hz
    spectrum = np.zeros(len(frequency), dtype=np.complex64)
    shape = np.exp(-0.5 * ((frequency[near] - centre_hz) / width_hz) ** 2)
    spectrum[near] = shape * draw_noise(int(near.sum()), rng)
    signal = waveform(spectrum, duration_s, EVENT_HZ)
    return signal / np.sqrt(np.mean(signal**2))


def _add_templates(signal: np.ndarray, first: np.ndarray, templates: np.ndarray) -> None:
    """Add rows of `templates` (n_events, n_samples) to `signal`, each from its first sample on."""
    if not len(first):
        return
    at = first[:, None] + np.arange(templates.shape[1])
    inside = (at >= 0) & (at < len(signal))
    signal += np.bincount(at[inside], templates[inside], minlength=len(signal)).astype(signal.dtype)


def _times(start_s: np.ndarray, length_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first sample of each event and the times of its samples since the night began."""
    first = np.ceil(start_s * EVENT_HZ).astype(int)
    return first, (first[:, None] + np.arange(int(length_s * EVENT_HZ))) / EVENT_HZ


def draw_waves(waves: Waves, duration_s: int) -> np.ndarray:
    """Return slow oscillations as a signal at `EVENT_HZ`, in µV before any topography.

    A cosine whose phase runs at one speed down to the negative peak, another up to the positive and a
    third after it. 55 % of the amplitude is negative; small lobes before and after let it out smoothly.

    Parameters
    ----------
    waves : Waves
    duration_s : int

    Returns
    -------
    numpy.ndarray, shape (duration_s * EVENT_HZ,)
    """
    signal = np.zeros(duration_s * EVENT_HZ, dtype=np.float32)
    if not len(waves.neg_peak_s):
        return signal
    first, time = _times(waves.neg_peak_s - 1.5 * waves.fall_s, 6.0)
    since = time - waves.neg_peak_s[:, None]
    rise = waves.rise_s[:, None]
    phase = np.pi * np.where(
        since < 0,
        since / waves.fall_s[:, None] - 1,
        np.where(since < rise, since / rise - 1, (since - rise) / waves.settle_s[:, None]),
    )
    # Size of the lobes, joined by half cosines so that the peaks stay where they were put.
    knots = np.pi * np.array([-2.5, -2.0, -1.0, 0.0, 1.0, 1.5])
    lobes = np.array([0.0, 0.08, 0.55, 0.45, 0.1, 0.0])
    place = np.clip(np.searchsorted(knots, phase) - 1, 0, 4)
    part = np.clip((phase - knots[place]) / (knots[place + 1] - knots[place]), 0, 1)
    size = lobes[place] + (lobes[place + 1] - lobes[place]) * (1 - np.cos(np.pi * part)) / 2
    _add_templates(signal, first, waves.ptp_uv[:, None] * size * np.cos(phase))
    return signal


def draw_spindles(spindles: Spindles, chosen: np.ndarray, chirp_hz_per_s: float, duration_s: int) -> np.ndarray:
    """Return the chosen spindles as a signal at `EVENT_HZ`, in µV before any topography.

    Two half Hann windows meet at the peak; they pass a tenth of it at the onset and at the end. The
    frequency changes by `chirp_hz_per_s` about its mean, which it has in the middle of the spindle.

    Parameters
    ----------
    spindles : Spindles
    chosen : numpy.ndarray of bool, shape (n_spindles,)
    chirp_hz_per_s : float
    duration_s : int

    Returns
    -------
    numpy.ndarray, shape (duration_s * EVENT_HZ,)
    """
    signal = np.zeros(duration_s * EVENT_HZ, dtype=np.float32)
    onset, peak, duration = spindles.onset_s[chosen], spindles.peak_s[chosen], spindles.duration_s[chosen]
    waxing = (peak - onset) / HANN_EDGE
    waning = (onset + duration - peak) / HANN_EDGE
    first, time = _times(peak - waxing, 2.8)
    since = time - peak[:, None]
    part = np.where(since < 0, since / waxing[:, None], since / waning[:, None])
    envelope = np.cos(np.pi / 2 * np.clip(part, -1, 1)) ** 2
    middle = (onset + duration / 2 - peak)[:, None]
    cycles = spindles.frequency_hz[chosen][:, None] * since + chirp_hz_per_s * (since**2 / 2 - middle * since)
    carrier = np.cos(2 * np.pi * cycles + spindles.carrier_rad[chosen][:, None])
    _add_templates(signal, first, spindles.amplitude_uv[chosen][:, None] / 2 * envelope * carrier)
    return signal


def _draw_sawtooth(bursts: Bursts, duration_s: int) -> np.ndarray:
    """Return sawtooth waves of REM: notched 3 Hz bursts of about 25 µV."""
    signal = np.zeros(duration_s * EVENT_HZ, dtype=np.float32)
    first, time = _times(bursts.onset_s, 5.0)
    since = time - bursts.onset_s[:, None]
    part = np.clip(since / bursts.duration_s[:, None], 0, 1)
    turns = 2 * np.pi * 3.0 * since
    wave = np.sin(turns) + 0.4 * np.sin(2 * turns) + 0.15 * np.sin(3 * turns)
    _add_templates(signal, first, 11.0 * bursts.strength[:, None] * np.sin(np.pi * part) ** 2 * wave)
    return signal


def draw_eye_movements(events: NightEvents, state: NightState, seed: int) -> np.ndarray:
    """Return what eye movements do at E1-M2, at `EVENT_HZ`, in µV.

    Saccades step within 60 ms and decay as behind a 0.3 Hz high-pass; blinks last 0.3 s; slow eye
    movements of 0.2-0.5 Hz roll through N1 and drowsy wake.

    Parameters
    ----------
    events : NightEvents
    state : NightState
    seed : int

    Returns
    -------
    numpy.ndarray, shape (duration_s * EVENT_HZ,)
    """
    signal = np.zeros(state.duration_s * EVENT_HZ, dtype=np.float32)
    first, time = _times(events.saccades.onset_s, 2.5)
    since = time - events.saccades.onset_s[:, None]
    step = (1 - np.exp(-since / 0.025)) * np.exp(-since / 0.45) * (1 - since / 2.5)
    _add_templates(signal, first, 75.0 * events.saccades.strength[:, None] * step)
    first, time = _times(events.blinks.onset_s, 0.5)
    part = np.clip((time - events.blinks.onset_s[:, None]) / events.blinks.duration_s[:, None], 0, 1)
    _add_templates(signal, first, 110.0 * events.blinks.strength[:, None] * np.sin(np.pi * part) ** 2)
    rolling = 35 * state.share["N1"] + 18 * state.share["W"] * state.closed
    slow = _rhythm(0.32, 0.07, state.duration_s, stream(seed, "slow eye movements"))
    return signal + slow * at_rate(rolling, EVENT_HZ)


@dataclass(frozen=True)
class BrainSources:
    """Activity all EEG derivations share, at `EVENT_HZ`, each of shape (duration_s * EVENT_HZ,)."""

    waves: np.ndarray
    vertex: np.ndarray
    fast_spindles: np.ndarray
    slow_spindles: np.ndarray
    alpha: np.ndarray
    theta: np.ndarray
    eyes: np.ndarray
    sway: np.ndarray


def draw_sources(settings: SimulationSettings, events: NightEvents, state: NightState, seed: int) -> BrainSources:
    """Draw everything the derivations share except the background.

    Parameters
    ----------
    settings : SimulationSettings
    events : NightEvents
    state : NightState
    seed : int

    Returns
    -------
    BrainSources
        Signals in µV at a central site (eye movements: at E1-M2).
    """
    length = state.duration_s
    closed = state.share["W"] * (0.25 + 0.75 * state.closed)
    alpha = sum(ALPHA_SHARE[stage] * state.share[stage] for stage in ("N1", "N2", "R")) + closed
    alpha = ALPHA_UV * (alpha + 0.6 * state.arousal * (1 - state.share["W"]))
    theta = 3.5 * state.share["N1"] + 2.2 * state.share["R"] + 3.0 * state.arousal
    fast = events.spindles.is_fast
    chirp = settings.spindle_chirp_hz_per_s
    sawtooth = _draw_sawtooth(events.sawtooth, length)
    return BrainSources(
        waves=draw_waves(events.waves, length),
        vertex=draw_waves(events.vertex_waves, length),
        fast_spindles=draw_spindles(events.spindles, fast, chirp, length),
        slow_spindles=draw_spindles(events.spindles, ~fast, chirp, length),
        alpha=_rhythm(10.0, 0.7, length, stream(seed, "alpha")) * at_rate(alpha, EVENT_HZ),
        theta=_rhythm(5.5, 0.9, length, stream(seed, "theta")) * at_rate(theta, EVENT_HZ) + sawtooth,
        eyes=draw_eye_movements(events, state, seed),
        sway=_rhythm(0.8, 0.25, length, stream(seed, "sway"))
        * at_rate(45 * state.movement + 8 * state.arousal, EVENT_HZ),
    )
