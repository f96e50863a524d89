"""The voltages of a simulated night, channel by channel.

Slow parts are made at low internal rates and joined as spectra, so that one inverse transform gives
the channel at any sampling rate: neither brain activity nor events depend on that rate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.signals.epochs import SCORED_STAGES
from eegsleep.simulation.sources import EVENT_HZ, draw_noise, waveform
from eegsleep.simulation.stages import stream
from eegsleep.simulation.state import CONTROL_HZ, KNOTS_HZ, at_rate, paint

if TYPE_CHECKING:
    from eegsleep.simulation.events import NightEvents
    from eegsleep.simulation.settings import SimulationSettings
    from eegsleep.simulation.sources import BrainSources
    from eegsleep.simulation.state import NightState

# Internal rates of slow and of fast brain activity; what lies between is made at `EVENT_HZ`.
LOW_HZ, HIGH_HZ = 16, 128

# Background power density by stage in dB re 1 µV²/Hz at `KNOTS_HZ`, at C4-M1, without alpha bursts,
# slow oscillations and spindles. Steeper the deeper the sleep (Lendner et al. 2020, 10.7554/eLife.55092);
# levels adjusted by comparison with a scored clinical recording.
BACKGROUND_DB = {
    "W": (20.0, 18.0, 15.0, 9.5, 6.0, 4.5, 4.5, 2.5, 1.0, -0.5, -4.0),
    "N1": (17.0, 16.5, 14.5, 11.5, 9.5, 6.0, 3.5, 0.0, -2.5, -5.5, -9.5),
    "N2": (20.0, 20.0, 18.0, 15.0, 12.0, 6.5, 6.5, 1.5, -4.0, -8.5, -13.5),
    "N3": (21.0, 22.5, 21.0, 17.0, 13.0, 7.5, 7.5, 1.5, -5.5, -10.0, -15.0),
    "R": (13.0, 12.0, 10.5, 9.0, 7.5, 5.0, 2.5, -1.5, -3.8, -5.5, -11.0),
}
# Root mean square of chin muscle in µV; lost in REM (Lapierre & Montplaisir 1992, 10.1212/WNL.42.7.1371).
MUSCLE_UV = {"W": 17.0, "N1": 10.0, "N2": 7.5, "N3": 6.0, "R": 2.2}
# White noise of electrode and amplifier, root mean square in µV over the whole band.
SENSOR_NOISE_UV = 0.5
# Share of the background's variance that all derivations have in common.
SHARED_VARIANCE = 0.6


@dataclass(frozen=True)
class Topography:
    """Factors on what one electrode site sees, relative to a central site."""

    background: float
    slow_wave: float
    fast_spindle: float
    slow_spindle: float
    alpha: float
    vertex: float
    eye: float


# Slow waves and slow spindles are frontal, fast spindles centro-parietal (Andrillon et al. 2011,
# 10.1523/JNEUROSCI.2604-11.2011), alpha occipital (Klimesch 1999, 10.1016/S0165-0173(98)00056-3).
SITES = {
    "frontal": Topography(1.05, 1.15, 0.75, 1.0, 0.7, 0.7, 0.18),
    "central": Topography(1.0, 1.0, 1.0, 0.5, 0.8, 1.0, 0.05),
    "parietal": Topography(0.95, 0.8, 1.0, 0.3, 1.2, 0.7, 0.02),
    "occipital": Topography(0.9, 0.6, 0.5, 0.2, 1.6, 0.3, 0.0),
    "temporal": Topography(0.8, 0.6, 0.5, 0.4, 0.8, 0.4, 0.06),
    "eye": Topography(0.75, 0.75, 0.25, 0.45, 0.4, 0.3, 1.0),
}
_SITE_OF_LETTERS = {
    "FP": "frontal",
    "AF": "frontal",
    "F": "frontal",
    "FC": "central",
    "C": "central",
    "CP": "parietal",
    "P": "parietal",
    "PO": "occipital",
    "O": "occipital",
    "T": "temporal",
    "FT": "temporal",
    "TP": "temporal",
}


def site_of(label: str) -> str:
    """Return the region an EEG derivation looks at, from the first letters of its label.

    Parameters
    ----------
    label : str
        For example `C4-M1`, `EEG Fpz-Cz` or `AF7`.

    Returns
    -------
    str
        frontal, central, parietal, occipital or temporal; central when the label does not tell.
    """
    match = re.match(r"(?:EEG\s+)?([A-Z]+)", label.upper())
    return _SITE_OF_LETTERS.get(match[1].removesuffix("Z"), "central") if match else "central"


def _band_gains(state: NightState) -> np.ndarray:
    """Return the amplitude of the background at each knot over time, (n_knots, n_points), in µV/√Hz."""
    gains = np.zeros_like(state.wander)
    for stage in SCORED_STAGES:
        level = 10 ** (np.array(BACKGROUND_DB[stage], dtype=np.float32) / 20)
        gains += level[:, None] * state.share[stage]
    gains *= np.exp(state.wander)
    knots = np.array(KNOTS_HZ)
    asleep = state.share["N2"] + state.share["N3"]
    gains[knots < 4] *= 1 + asleep * (state.drive - 1)
    # In an arousal slow activity gives way to beta and to muscle; in movement muscle is all there is.
    gains[knots < 4] *= 1 - 0.3 * np.clip(state.arousal, 0, 1.5)
    gains[knots > 14] *= 1 + 1.2 * state.arousal + 1.5 * state.movement
    return gains


def _hat(frequency: np.ndarray, knot: int) -> np.ndarray:
    """Return the weight of one knot: 1 there, 0 at its neighbours, straight in log frequency between."""
    heights = np.zeros(len(KNOTS_HZ), dtype=np.float32)
    heights[knot] = 1
    weight = np.interp(np.log(np.maximum(frequency, 1e-3)), np.log(KNOTS_HZ), heights).astype(np.float32)
    if knot == len(KNOTS_HZ) - 1:  # falls on above the last knot, and ends below the highest internal rate
        above = frequency > KNOTS_HZ[-1]
        weight[above] = (KNOTS_HZ[-1] / frequency[above]) * np.clip((62 - frequency[above]) / 6, 0, 1)
    if knot == 0:  # amplifiers pass little below 0.2 Hz
        below = frequency < KNOTS_HZ[0]
        weight[below] = (frequency[below] / KNOTS_HZ[0]) ** 2
    return weight


def draw_eeg_spectrum(
    label: str, site: str, settings: SimulationSettings, state: NightState, sources: BrainSources, seed: int
) -> np.ndarray:
    """Return the spectrum of one EEG or EOG derivation up to 64 Hz, before gain and sensor noise.

    Parameters
    ----------
    label : str
        Names the derivation's own part of the background.
    site : str
        Key of `SITES`.
    settings, state, sources, seed
        As drawn for this night.

    Returns
    -------
    numpy.ndarray of complex64, shape (duration_s * 64 + 1,)
        One-sided, in µV, bins 1/duration_s apart.
    """
    site_gain = SITES[site]
    length = state.duration_s
    noise = _draw_background(label, settings, length, seed) * np.float32(site_gain.background)
    gains = _band_gains(state)
    low = np.zeros(length * LOW_HZ, dtype=np.float32)
    middle = _mix_sources(label, site_gain, sources, seed)
    spectrum = np.zeros(len(noise), dtype=np.complex64)
    frequency = np.arange(len(noise), dtype=np.float32) / np.float32(length)
    for knot in range(len(KNOTS_HZ)):
        # Each band is made at the lowest rate that holds it.
        upper = KNOTS_HZ[knot + 1] if knot + 1 < len(KNOTS_HZ) else 64.0
        rate = LOW_HZ if upper <= LOW_HZ / 2 else EVENT_HZ if upper <= EVENT_HZ / 2 else HIGH_HZ
        lower = KNOTS_HZ[knot - 1] if knot else 0.0
        bins = slice(int(lower * length), int(upper * length) + 1)
        band = np.zeros(length * rate // 2 + 1, dtype=np.complex64)
        width = len(band[bins])
        band[bins] = noise[bins][:width] * _hat(frequency[bins][:width], knot)
        signal = waveform(band, length, rate) * at_rate(gains[knot], rate)
        if rate == HIGH_HZ:
            spectrum += _spectrum(signal)
        else:
            target = low if rate == LOW_HZ else middle
            target += signal
    spectrum[: length * LOW_HZ // 2 + 1] += _spectrum(low)
    spectrum[: length * EVENT_HZ // 2 + 1] += _spectrum(middle)
    return spectrum


def _draw_background(label: str, settings: SimulationSettings, duration_s: int, seed: int) -> np.ndarray:
    """Draw white noise of 1 µV²/Hz, part shared by the derivations; `delta_background` scales 0.5-4 Hz."""
    n_bins = duration_s * HIGH_HZ // 2 + 1
    noise = draw_noise(n_bins, stream(seed, "background/shared")) * np.float32(np.sqrt(SHARED_VARIANCE))
    own = draw_noise(n_bins, stream(seed, f"background/{label}"))
    noise += own * np.float32(np.sqrt(1 - SHARED_VARIANCE))
    noise *= np.float32(np.sqrt(1 / (4 * duration_s)))
    noise[0] = 0
    first, last = int(0.4 * duration_s), int(4.5 * duration_s)
    frequency = np.arange(first, last) / duration_s
    edge = np.clip((frequency - 0.4) / 0.1, 0, 1) * np.clip((4.5 - frequency) / 0.5, 0, 1)
    noise[first:last] *= (1 + (settings.delta_background - 1) * edge).astype(np.float32)
    return noise


def _mix_sources(label: str, gain: Topography, sources: BrainSources, seed: int) -> np.ndarray:
    """Weigh the shared activity by what this derivation sees of it."""
    sway = stream(seed, f"sway/{label}").uniform(0.5, 1.3)
    # The eyes turn together: what nears one electrode leaves the other.
    eye = -gain.eye if label.upper().startswith(("E2", "ROC", "EOG R", "EOGR")) else gain.eye
    mixed = np.float32(gain.slow_wave) * sources.waves
    for weight, source in (
        (gain.vertex, sources.vertex),
        (gain.fast_spindle, sources.fast_spindles),
        (gain.slow_spindle, sources.slow_spindles),
        (gain.alpha, sources.alpha),
        (gain.background, sources.theta),
        (eye, sources.eyes),
        (sway, sources.sway),
    ):
        mixed += np.float32(weight) * source
    return mixed


def _spectrum(signal: np.ndarray) -> np.ndarray:
    from scipy.fft import rfft

    return rfft(signal, norm="forward")


def sample_spectrum(spectrum: np.ndarray, duration_s: int, rate_hz: int) -> np.ndarray:
    """Return a spectrum as float32 samples, shape (duration_s * rate_hz,), cut off at half the rate.

    Parameters
    ----------
    spectrum : numpy.ndarray of complex, shape (n_bins,)
        As `draw_eeg_spectrum` gives it.
    duration_s, rate_hz : int

    Returns
    -------
    numpy.ndarray of float32, shape (duration_s * rate_hz,)
    """
    return waveform(spectrum, duration_s, rate_hz)


def draw_muscle(label: str, rate_hz: int, state: NightState, events: NightEvents, seed: int) -> np.ndarray:
    """Return chin muscle as float32 samples in µV, shape (duration_s * rate_hz,).

    Noise of 10-100 Hz (up to 45 % of the rate) whose amplitude follows the stage, rises in arousals and
    movement, and twitches briefly in REM.

    Parameters
    ----------
    label : str
        Names the random numbers of the channel.
    rate_hz : int
    state : NightState
    events : NightEvents
    seed : int

    Returns
    -------
    numpy.ndarray of float32, shape (duration_s * rate_hz,)
    """
    length = state.duration_s
    frequency = np.arange(length * rate_hz // 2 + 1, dtype=np.float32) / np.float32(length)
    top = min(100.0, 0.45 * rate_hz)
    passed = np.clip((frequency - 8) / 6, 0, 1) * np.clip((1.08 * top - frequency) / (0.16 * top), 0, 1)
    # Muscle is strongest near 50 Hz and weaker on both sides.
    passed /= 1 + (frequency / 70) ** 2
    spectrum = draw_noise(len(frequency), stream(seed, f"muscle/{label}")) * passed
    muscle = waveform(spectrum, length, rate_hz)
    muscle /= np.sqrt(np.mean(muscle**2))
    level = sum(np.float32(MUSCLE_UV[stage]) * state.share[stage] for stage in SCORED_STAGES)
    level = level * np.exp(2 * state.wander[-1]) * (1 + 1.5 * state.arousal + 2.0 * state.movement)
    # Twitches are too short for the smooth curves, so they are painted on at their own rate.
    level += 8 * paint(events.twitches, len(level))
    n_samples = length * rate_hz
    # a float32 counts whole numbers exactly up to 2**24
    sample = np.arange(n_samples, dtype="f4" if n_samples < 2**24 else "f8")
    muscle *= np.interp(sample / rate_hz * CONTROL_HZ, np.arange(len(level)), level).astype(np.float32)
    return muscle


def add_sensor_noise(signal: np.ndarray, label: str, seed: int) -> None:
    """Add white noise of the electrode and amplifier to `signal` (n_samples,), in place."""
    noise = stream(seed, f"sensor/{label}").standard_normal(len(signal), dtype=np.float32)
    noise *= np.float32(SENSOR_NOISE_UV)
    signal += noise
