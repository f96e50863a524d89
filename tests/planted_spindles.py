"""Changed backgrounds, planted spindles and matching with the truth, shared by tests and benchmark."""

import mne
import numpy as np
import pandas as pd

import eegsleep as es
from eegsleep.hypnograms.table import make_stages
from eegsleep.recording.recording import Recording

RATE_HZ = 100


def record(data_uv, labels, rate_hz=RATE_HZ):
    """Return signals in µV, (n_channels, n_samples), as a recording of EEG channels."""
    info = mne.create_info(list(labels), rate_hz, "eeg")
    raw = mne.io.RawArray(np.asarray(data_uv, dtype=float) * 1e-6, info, verbose="ERROR")
    return Recording(id="made", raw=raw, roles=dict.fromkeys(labels, "eeg"))


def given_stages(names):
    return make_stages(np.asarray(names), None, np.ones(len(names), dtype=bool))


def simulate(seed, rate_hz=RATE_HZ, **knobs):
    """Return a simulated night with F3 and C4, its true stages, its quality, and the spindles planted."""
    settings = es.SimulationSettings(rate_hz=rate_hz, eeg=("F3-M2", "C4-M1"), eog=(), emg=(), **knobs)
    night = es.simulate_night(settings, seed)
    recording = record(night.data, night.channels, rate_hz)
    return recording, given_stages(night.stages["stage"]), es.measure_quality(recording), night.spindles


def read_segment(folder):
    """Return 84 min of one real derivation in µV, the stages an expert gave it, and its quality."""
    recording = es.read_recording(folder / "segment.edf")
    expert = pd.read_csv(folder / "segment_stages.csv")
    at = np.searchsorted(expert["onset_s"], 30 * np.arange(recording.n_epochs) + 15, side="right") - 1
    stages = given_stages(expert["stage"].to_numpy()[at])
    return recording.signal("EEG"), stages, es.measure_quality(recording)


def scale_delta(signal_uv, factor):
    return signal_uv + (factor - 1) * mne.filter.filter_data(signal_uv, RATE_HZ, 0.4, 4, verbose="ERROR")


def tilt(signal_uv, exponent, pivot_hz):
    """Steepen the power spectrum by 1/f^exponent about a frequency that stays; flat below 0.3 Hz."""
    frequency = np.fft.rfftfreq(signal_uv.size, 1 / RATE_HZ)
    gain = (np.maximum(frequency, 0.3) / pivot_hz) ** (-exponent / 2)
    return np.fft.irfft(np.fft.rfft(signal_uv) * gain, signal_uv.size)


def add_alpha(signal_uv, stages, per_min=3.0, seed=5):
    """Add bursts of 8-11 Hz, 1-3 s and 10-20 µV peak to peak, in N2 and N3."""
    rng = np.random.default_rng(seed)
    changed = signal_uv.copy()
    for start_s in 30.0 * np.flatnonzero(stages["stage"].isin(["N2", "N3"])):
        for _ in range(rng.poisson(per_min / 2)):
            duration_s = rng.uniform(1, 3)
            onset_s = start_s + rng.uniform(0, 30 - duration_s)
            time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
            wave = np.cos(2 * np.pi * rng.uniform(8, 11) * time_s + rng.uniform(0, 2 * np.pi))
            burst = rng.uniform(5, 10) * np.sin(np.pi * time_s / duration_s) ** 2 * wave
            first = int(onset_s * RATE_HZ)
            changed[first : first + burst.size] += burst[: changed.size - first]
    return changed


def choose_places(stages, taken_s, n=150, seed=0):
    """Draw times in N2 and N3 that are 2 s from anything in `taken_s` and 4 s from each other."""
    rng = np.random.default_rng(seed)
    epochs = np.flatnonzero(stages["stage"].isin(["N2", "N3"]))
    chosen = []
    for time_s in 30 * rng.choice(epochs, 60 * n) + rng.uniform(2, 28, 60 * n):
        far = not len(taken_s) or np.abs(taken_s - time_s).min() > 2
        if far and all(abs(time_s - other) > 4 for other in chosen):
            chosen.append(time_s)
        if len(chosen) == n:
            break
    return np.array(chosen)


def plant(signal_uv, places_s, seed=0, frequency_hz=13.3, amplitude_uv=(20, 40), shape="hann"):
    """Add spindles of 1 s about `places_s`, their largest peak to peak drawn from `amplitude_uv`."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(-100, 101) / RATE_HZ
    envelope = np.where(abs(time_s) < 0.5, np.cos(np.pi * time_s) ** 2, 0.0)
    if shape == "gauss":
        envelope = np.exp(-0.5 * (time_s / 0.25) ** 2)
    wave = envelope * np.cos(2 * np.pi * frequency_hz * time_s) / 2
    changed = signal_uv.copy()
    for place_s, size_uv in zip(places_s, rng.uniform(*amplitude_uv, len(places_s)), strict=True):
        first = round(place_s * RATE_HZ) - 100
        changed[first : first + 201] += size_uv * wave
    return changed


def recall_at(spindles, places_s):
    """Return the share of places that lie within a spindle."""
    start, end = spindles["onset_s"].to_numpy(), (spindles["onset_s"] + spindles["duration_s"]).to_numpy()
    return float(np.mean([np.any((start <= place) & (end >= place)) for place in places_s]))


def match(spindles, truth):
    """Return for each spindle the row of the planted one that it overlaps by a fifth of their union, or -1."""
    found = np.stack([spindles["onset_s"], spindles["onset_s"] + spindles["duration_s"]])[:, :, None]
    planted = np.stack([truth["onset_s"], truth["onset_s"] + truth["duration_s"]])[:, None, :]
    shared = np.minimum(found[1], planted[1]) - np.maximum(found[0], planted[0])
    overlap = shared / (np.maximum(found[1], planted[1]) - np.minimum(found[0], planted[0]))
    return np.where(overlap.max(axis=1) >= 0.2, overlap.argmax(axis=1), -1)
