"""What staging costs beside plain YASA, and what its confidence and intervals are worth on simulated nights.

Run by hand: `python tests/benchmarks/staging_on_simulated_nights.py speed`, or `... worth 140 152` for the
nights of these seeds. The constants of eegsleep/staging/confidence.py come from `worth 100 140`: nights of
even seeds as healthy adults sleep, those of odd seeds with other slow waves, spindles, arousals and gain.
"""

import sys
import time
import warnings

import mne
import numpy as np

import eegsleep as es
from eegsleep.recording.recording import Recording
from eegsleep.staging.confidence import measure_uncertainty
from eegsleep.staging.score import score_stages
from eegsleep.staging.statistics import measure_codes

STAGES = np.array(["W", "N1", "N2", "N3", "R"])
KNOBS = {
    "delta_background": (0.7, 1.3),
    "arousal_rate_per_h": (5, 30),
    "slow_oscillation_ptp_uv": (80, 150),
    "electrode_gain": (0.7, 1.3),
    "fast_spindle_density_per_min": (1, 4),
}


def simulate(seed, rate_hz):
    """Return a night with two EEG as a recording, and its true stages."""
    rng = np.random.default_rng(seed)
    knobs = {name: float(rng.uniform(*ends)) for name, ends in KNOBS.items()} if seed % 2 else {}
    night = es.simulate_night(es.SimulationSettings(rate_hz=rate_hz, eeg=("C4-M1", "F3-M2"), **knobs), seed)
    info = mne.create_info(list(night.channels), rate_hz, list(night.roles))
    raw = mne.io.RawArray(night.data.astype(float) * 1e-6, info, verbose="ERROR")
    return Recording(id="x", raw=raw, roles=dict(zip(night.channels, night.roles, strict=True))), night.stages["stage"]


def alone(recording, label):
    roles = {name: role for name, role in recording.roles.items() if role != "eeg" or name == label}
    return Recording(id="x", raw=recording.raw, roles=roles)


def speed():
    import yasa

    recording, _ = simulate(1, 256)
    rows = {"plain YASA": [], "one derivation": [], "two derivations": []}
    for _ in range(3):
        start = time.perf_counter()
        yasa.SleepStaging(recording.raw, eeg_name="C4-M1", eog_name="E1-M2", emg_name="EMG chin").predict()
        rows["plain YASA"].append(time.perf_counter() - start)
        for name, copy in (("one derivation", alone(recording, "C4-M1")), ("two derivations", alone(recording, ""))):
            copy.roles.update(recording.roles if name == "two derivations" else {})
            quality = es.measure_quality(copy)
            copy.__dict__.pop("microvolts", None)  # the resampling is part of what YASA does too
            start = time.perf_counter()
            score_stages(copy, quality)
            rows[name].append(time.perf_counter() - start)
    plain = np.median(rows["plain YASA"])
    for name, seconds in rows.items():
        print(f"{name}: {np.median(seconds):.2f} s, {np.median(seconds) / plain:.2f} x plain YASA")


def worth(first, last):
    confidence, right, covered, widths = [], [], {}, {}
    for seed in range(first, last):
        recording, truth = simulate(seed, 100)
        quality = es.measure_quality(recording)
        stages = score_stages(recording, quality)
        true = truth.to_numpy(dtype="U3")[: len(stages)]
        hits = stages["stage"].to_numpy() == true
        singles = [(score_stages(alone(recording, c), quality)["stage"] == true).mean() for c in ("C4-M1", "F3-M2")]
        confidence.append(stages["confidence"])
        right.append(hits)
        known = measure_codes(true)
        for name, unsure in measure_uncertainty(stages).items():
            if np.isfinite(unsure.low) and np.isfinite(known[name].value):
                covered.setdefault(name, []).append(unsure.low <= known[name].value <= unsure.high)
                widths.setdefault(name, []).append(unsure.high - unsure.low)
        print(
            f"seed {seed}: right {hits.mean():.3f}, by one derivation {singles[0]:.3f} and {singles[1]:.3f}", flush=True
        )
    confidence, right = np.concatenate(confidence), np.concatenate(right)
    confidence, right = confidence[np.isfinite(confidence)], right[np.isfinite(confidence)]
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [np.mean(bins == b) * abs(confidence[bins == b].mean() - right[bins == b].mean()) for b in np.unique(bins)]
    print(f"right {right.mean():.3f}, confidence {confidence.mean():.3f}, expected calibration error {sum(gaps):.4f}")
    for name, hits in covered.items():
        print(f"{name:32s} in its interval in {100 * np.mean(hits):.0f} % of nights, width {np.mean(widths[name]):.1f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    speed() if sys.argv[1:] == ["speed"] else worth(*map(int, sys.argv[2:4]))
