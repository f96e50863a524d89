"""What spindle detectors see when only the background, the fit, or the sleep changes.

Run by hand: `python tests/benchmarks/spindle_fairness.py segment FOLDER` (a real segment.edf and its
segment_stages.csv), `... truth 6`, `... effects 20`, `... rates 2` (numbers of simulated nights), `... time`.
Compares our relative view, our absolute view (calibrated), YASA's defaults, and YASA with its background
from 8 Hz on and the limits that go with it.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import yasa

sys.path.insert(0, str(Path(__file__).parents[1]))

from planted_spindles import (
    RATE_HZ,
    add_alpha,
    choose_places,
    match,
    plant,
    read_segment,
    recall_at,
    record,
    scale_delta,
    simulate,
    tilt,
)

from eegsleep.events.calibrate import calibrate
from eegsleep.events.gain_reference import gain_reference_uv
from eegsleep.events.spindle_candidates import find_spindle_candidates
from eegsleep.events.spindles import SpindleSettings, select_spindles
from eegsleep.events.yasa_detectors import yasa_stages

YASA = {
    "YASA": {},
    "YASA 8-30 Hz": {"freq_sp": (11, 16), "freq_broad": (8, 30), "thresh": {"rel_pow": 0.6, "corr": 0.8, "rms": 1.5}},
}
METHODS = ("relative", "absolute", *YASA)


def detect(method, night, candidates=None, calibration=None):
    """Return the spindles of (recording, stages, quality) as one method sees them."""
    recording, stages, _ = night
    if method in YASA:
        signals = recording.microvolts
        integers = yasa_stages(stages, np.ones(len(stages), dtype=bool), signals.shape[1])
        found = yasa.spindles_detect(
            signals, RATE_HZ, recording.channels, hypno=integers, include=(2, 3), verbose="CRITICAL", **YASA[method]
        )
        names = {
            "Start": "onset_s",
            "Duration": "duration_s",
            "Channel": "channel",
            "Frequency": "frequency_hz",
            "AmpFiltered": "amplitude_uv",
            "Peak": "peak_s",
        }
        return found.summary().rename(columns=names)
    return select_spindles(candidates, SpindleSettings(view=method), calibration)


def detect_all(night, calibration=None):
    candidates = find_spindle_candidates(*night)
    return {method: detect(method, night, candidates, calibration) for method in METHODS}


def measure_segment(folder):
    """Print counts, and the recall of the same planted spindles, under changed backgrounds."""
    signal, stages, quality = read_segment(Path(folder))

    def night(changed):
        return record(changed[None], ["EEG"]), stages, quality

    candidates = find_spindle_candidates(*night(signal))
    calibration = calibrate([candidates])
    taken = np.concatenate([found["peak_s"] for found in detect_all(night(signal), calibration).values()])
    places = choose_places(stages, np.unique(taken))
    print(f"{len(places)} places, calibration {calibration.as_dict()}")
    backgrounds = {
        "delta x0.7": lambda x: scale_delta(x, 0.7),
        "unchanged": lambda x: x,
        "delta x1.4": lambda x: scale_delta(x, 1.4),
        "tilt +.3 about 13 Hz": lambda x: tilt(x, 0.3, 13),
        "tilt -.3 about 13 Hz": lambda x: tilt(x, -0.3, 13),
        "tilt +.3 about 1 Hz": lambda x: tilt(x, 0.3, 1),
        "tilt -.3 about 1 Hz": lambda x: tilt(x, -0.3, 1),
        "alpha 3/min": lambda x: add_alpha(x, stages),
        "alpha 6/min": lambda x: add_alpha(x, stages, 6.0),
    }
    print("background: count, recall of Hann and of Gaussian spindles planted after the change, Hann before it")
    for name, change in backgrounds.items():
        plain = detect_all(night(change(signal)), calibration)
        hann = detect_all(night(plant(change(signal), places)), calibration)
        gauss = detect_all(night(plant(change(signal), places, shape="gauss")), calibration)
        before = detect_all(night(change(plant(signal, places))), calibration)
        print(
            f"{name:22s}",
            "  ".join(
                f"{method}: {len(plain[method])} "
                + " ".join(f"{recall_at(found[method], places):.2f}" for found in (hann, gauss, before))
                for method in METHODS
            ),
        )


def measure_truth(n_nights):
    """Print recall, precision and errors against what simulated nights hold."""
    rows = []
    for seed in range(100, 100 + n_nights):
        *night, truth = simulate(seed)
        calibration = calibrate([find_spindle_candidates(*night)])
        for method, found in detect_all(night, calibration).items():
            rows += [
                describe(own, truth) | {"method": method, "channel": label, "seed": seed}
                for label, own in found.groupby("channel")
            ]
    table = pd.DataFrame(rows).drop(columns="seed").groupby(["method", "channel"]).median()
    print(table.round(2).to_string())


def describe(found, truth):
    at = match(found, truth)
    hit, fast = at >= 0, (found["frequency_hz"] >= 12.5).to_numpy()
    planted = truth.iloc[at[hit]].reset_index(drop=True)
    own = found[hit].reset_index(drop=True)
    missed = ~truth.index.isin(at)
    row = {
        "n": len(found),
        "precision": hit.mean(),
        "precision_fast": hit[fast].mean(),
        "precision_slow": hit[~fast].mean(),
    }
    for name in ("fast", "slow"):
        row[f"recall_{name}"] = 1 - missed[truth["spindle_class"] == name].mean()
    row["onset_error_ms"] = 1000 * (own["onset_s"] - planted["onset_s"]).median()
    row["duration_ratio"] = (own["duration_s"] / planted["duration_s"]).median()
    row["frequency_error_hz"] = (own["frequency_hz"] - planted["frequency_hz"]).abs().median()
    if "chirp_hz_per_s" in own:
        row["chirp_hz_per_s"] = own["chirp_hz_per_s"].median()
    return row


def measure_effects(n_nights):
    """Print what 20 % more spindles, 25 % larger ones, 25 % more sigma and 25 % more gain are reported as."""
    changes = {
        "density +20 %": {"fast_spindle_density_per_min": 2.4 * 1.2, "slow_spindle_density_per_min": 1.4 * 1.2},
        "amplitude +25 %": {"fast_spindle_amplitude_uv": 45.0, "slow_spindle_amplitude_uv": 40.0},
        "gain +25 %": {"electrode_gain": 1.25},
    }
    rows = []
    for seed in range(200, 200 + n_nights):
        plain = simulate(seed)[:3]
        calibration = calibrate([find_spindle_candidates(*plain)])
        before, gain = detect_all(plain, calibration), gain_reference_uv(*plain)
        for change, knobs in changes.items():
            changed = simulate(seed, **knobs)[:3]
            after, new_gain = detect_all(changed, calibration), gain_reference_uv(*changed)
            for method in METHODS:
                for label in plain[0].channels:
                    a, b = (f[method][f[method]["channel"] == label] for f in (before, after))
                    rows.append(
                        {
                            "change": change,
                            "method": method,
                            "channel": label,
                            "count": 100 * (len(b) / len(a) - 1),
                            "amplitude": 100 * (b["amplitude_uv"].mean() / a["amplitude_uv"].mean() - 1),
                            "gain_reference": 100 * (new_gain[label] / gain[label] - 1),
                        }
                    )
    print(pd.DataFrame(rows).groupby(["change", "channel", "method"], sort=False).median().round(1).to_string())


def measure_rates(n_nights):
    """Print counts of the same night at several sampling rates."""
    for seed in range(300, 300 + n_nights):
        for rate_hz in (100, 128, 200, 250, 256, 512):
            found = detect_all(simulate(seed, rate_hz)[:3])
            print(seed, rate_hz, {method: len(spindles) for method, spindles in found.items()})


def measure_time():
    """Print seconds for 8 h of two channels, ours beside YASA's defaults on the same arrays."""
    night = simulate(1)[:3]
    _ = night[0].microvolts
    for _ in range(4):
        start = time.perf_counter()
        select_spindles(find_spindle_candidates(*night))
        middle = time.perf_counter()
        detect("YASA", night)
        end = time.perf_counter()
        print(f"ours {middle - start:.2f} s, YASA {end - middle:.2f} s, ratio {(middle - start) / (end - middle):.2f}")


def main():
    warnings.simplefilter("ignore")
    what, *argument = sys.argv[1:]
    if what == "segment":
        measure_segment(argument[0])
    elif what == "time":
        measure_time()
    else:
        {"truth": measure_truth, "effects": measure_effects, "rates": measure_rates}[what](int(argument[0]))


if __name__ == "__main__":
    main()
