"""What slow-oscillation counts follow, beside YASA's: sleep, gain, sampling rate; and what they cost.

Run by hand: `python tests/benchmarks/slow_oscillation_fairness.py [number of nights]`. Stages are the true ones,
so that nothing but the detection is measured.
"""

import sys
import time

import mne
import numpy as np
import pandas as pd

import eegsleep as es
from eegsleep.events.slow_oscillations import SlowOscillationSettings, detect_slow_oscillations
from eegsleep.hypnograms.table import make_stages
from eegsleep.recording.recording import Recording

TOLERANCE_S = 0.4
YASA = SlowOscillationSettings(method="yasa")


def simulate(seed, rate_hz=100, gain=1.0, **knobs):
    """Return a night with two EEG as a recording, its true stages, all of it usable, and its true waves."""
    knobs = {"eeg": ("C4-M1", "F3-M2"), "eog": (), "emg": (), "electrode_gain": gain, **knobs}
    night = es.simulate_night(es.SimulationSettings(rate_hz=rate_hz, **knobs), seed)
    info = mne.create_info(list(night.channels), rate_hz, list(night.roles))
    raw = mne.io.RawArray(night.data.astype(float) * 1e-6, info, verbose="ERROR")
    recording = Recording(id="x", raw=raw, roles=dict(zip(night.channels, night.roles, strict=True)))
    epochs = np.arange(len(night.stages))
    stages = make_stages(night.stages["stage"].to_numpy(dtype=object), None, np.ones(epochs.size, dtype=bool))
    frame = pd.DataFrame({"epoch": epochs, "onset_s": 30.0 * epochs, "usable": True})
    quality = pd.concat([frame.assign(channel=label) for label in night.channels], ignore_index=True)
    return recording, stages, quality, night.slow_oscillations


def match(truth_s, found_s, tolerance_s=TOLERANCE_S):
    """Return index pairs (truth, found) of mutually nearest times."""
    if not (len(truth_s) and len(found_s)):
        return np.zeros((0, 2), dtype=int)
    nearest = _nearest(found_s, truth_s)
    back = _nearest(truth_s, found_s)
    own = np.arange(len(truth_s))
    good = (back[nearest] == own) & (np.abs(found_s[nearest] - truth_s) <= tolerance_s)
    return np.stack([own[good], nearest[good]], axis=1)


def _nearest(among_s, times_s):
    edges = (among_s[1:] + among_s[:-1]) / 2
    return np.searchsorted(edges, times_s)


def count(waves, view, stage="N3", channel="C4-M1"):
    return int((waves[f"found_{view}"] & (waves["stage"] == stage) & (waves["channel"] == channel)).sum())


def against_truth(seeds):
    rows = []
    for seed in seeds:
        recording, stages, quality, truth = simulate(seed)
        found = {"YASA": detect_slow_oscillations(recording, stages, quality, YASA)}
        ours = detect_slow_oscillations(recording, stages, quality)
        found |= {f"ours, {view}": ours[ours[f"found_{view}"]] for view in ("absolute", "relative")}
        for name, waves in found.items():
            for stage in ("N2", "N3"):
                t = truth[truth["stage"] == stage]
                n_true = len(t)
                w = waves[(waves["stage"] == stage) & (waves["channel"] == "C4-M1")]
                pairs = match(t["neg_peak_s"].to_numpy(), w["neg_peak_s"].to_numpy())
                t, hit = t.iloc[pairs[:, 0]], w.iloc[pairs[:, 1]]
                is_k, said_k = t["kind"].to_numpy() == "k_complex", hit["kind"].to_numpy() == "k_complex"
                rows.append(
                    {
                        "detector": name,
                        "stage": stage,
                        "n": len(w),
                        "recall": len(pairs) / n_true,
                        "precision": len(pairs) / len(w),
                        "onset_error_s": np.median(hit["onset_s"].to_numpy() - t["onset_s"].to_numpy()),
                        "peak_error_s": np.median(np.abs(hit["neg_peak_s"].to_numpy() - t["neg_peak_s"].to_numpy())),
                        "k_recall": (is_k & said_k).sum() / max(1, is_k.sum()),
                        "k_precision": (is_k & said_k).sum() / said_k.sum() if said_k.any() else np.nan,
                    }
                )
    frame = pd.DataFrame(rows)
    print(frame.groupby(["detector", "stage"]).median().round(3).to_string())


def against_changes(seeds):
    changes = {
        "-20 % rate": {"slow_oscillation_rate_per_min": 9.6},
        "+20 % height": {"slow_oscillation_ptp_uv": 144.0},
        "gain 0.8": {"gain": 0.8},
        "gain 1.25": {"gain": 1.25},
    }
    rows = []
    for seed in seeds:
        base = _counts(*simulate(seed)[:3])
        for name, knobs in changes.items():
            changed = _counts(*simulate(seed, **knobs)[:3])
            rows.append({"change": name} | {key: 100 * (changed[key] / base[key] - 1) for key in base})
    frame = pd.DataFrame(rows).groupby("change", sort=False)
    print(frame.median().round(1).to_string(), frame.std().round(1).to_string(), sep="\n\nspread (SD) over nights\n")


def _counts(recording, stages, quality):
    ours = detect_slow_oscillations(recording, stages, quality)
    yasa = detect_slow_oscillations(recording, stages, quality, YASA)
    views = {f"{view} {stage}": count(ours, view, stage) for view in ("absolute", "relative") for stage in ("N3", "N2")}
    return views | {"YASA N3": count(yasa, "absolute"), "YASA N2": count(yasa, "absolute", "N2")}


def against_rates(seed):
    for rate_hz in (100, 128, 200, 250, 256, 512):
        print(rate_hz, _counts(*simulate(seed, rate_hz=rate_hz)[:3]))


def speed():
    recording, stages, quality, _ = simulate(1)
    _ = recording.microvolts
    for name, settings in (("YASA", YASA), ("ours", SlowOscillationSettings())):
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            detect_slow_oscillations(recording, stages, quality, settings)
            seconds.append(time.perf_counter() - start)
        print(f"{name}: {np.median(seconds):.3f} s for two channels and 8 h")


if __name__ == "__main__":
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    against_truth(seeds)
    against_changes(seeds)
    against_rates(0)
    speed()
