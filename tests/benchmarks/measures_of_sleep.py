"""The bars of events and spectra, each as one line of wanted and measured.

Run by hand: `python tests/benchmarks/measures_of_sleep.py` with any of `experts`, `spindles`, `waves`, `coupling`,
`aperiodic`, `polarity`, `audit`; without one, all. `experts` and parts of the others use real recordings beside the
checkout (`tests/conftest.py`, `real_data`) and say so where there are none.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import REAL_DATA
from coupled_nights import concentration_to_length, make_coupled_night
from dreams import EXCERPTS, agreement, read_excerpt, spans_of, unite
from planted_spindles import (
    choose_places,
    match,
    plant,
    read_segment,
    recall_at,
    record,
    scale_delta,
    simulate,
)

from eegsleep.events.coupling import couple_events, measure_coupling
from eegsleep.events.detect import detect_events
from eegsleep.events.spindles import detect_spindles
from eegsleep.signals.epochs import stage_at
from eegsleep.tables import SPINDLES, check_table


def say(bar, wanted, measured):
    print(f"{bar:62s} wanted {wanted:18s} measured {measured}", flush=True)


def segment(change=lambda signal: signal):
    signal, stages, quality = read_segment(REAL_DATA / "segment")
    return record(change(signal)[None], ["EEG"]), stages, quality


def measure_experts():
    """Print how far spindles agree with two experts, and these with each other."""
    if not REAL_DATA.is_dir():
        print("experts: real recordings are not at hand")
        return
    nights = [read_excerpt(REAL_DATA / "dreams", number) for number in EXCERPTS]
    found = [spans_of(detect_spindles(*night)) for night, _ in nights]
    marks = [marks for _, marks in nights]
    f1, precision, recall = agreement([(f, unite(*m)) for f, m in zip(found, marks, strict=True)])
    say(
        "DREAMS 1 and 5, F1 with either expert (precision, recall)",
        ">= .70",
        f"{f1:.3f} ({precision:.2f}, {recall:.2f})",
    )
    numbers = f"{sum(map(len, found))} found, {sum(len(unite(*m)) for m in marks)} marked"
    say(
        "the same by excerpt",
        "",
        ", ".join(f"{agreement([(f, unite(*m))])[0]:.3f}" for f, m in zip(found, marks, strict=True)),
    )
    for expert in (0, 1):
        f1 = agreement([(f, m[expert]) for f, m in zip(found, marks, strict=True)])[0]
        say(f"detector with expert {expert + 1} alone", numbers, f"{f1:.2f}")
    say("experts with each other", "", f"{agreement([tuple(m) for m in marks])[0]:.2f}")


def measure_spindles():
    """Print counts under changed backgrounds and gain, recall of planted spindles, precision on simulated nights."""
    if REAL_DATA.is_dir():
        recording, stages, quality = segment()
        found = detect_spindles(recording, stages, quality)
        changes = {
            "delta x .7": lambda x: scale_delta(x, 0.7),
            "delta x 1.4": lambda x: scale_delta(x, 1.4),
            "gain x .8": lambda x: 0.8 * x,
            "gain x 1.25": lambda x: 1.25 * x,
        }
        for name, change in changes.items():
            count = len(detect_spindles(*segment(change)))
            say(f"segment, {name}", "within 1 %", f"{100 * (count / len(found) - 1):+.1f} % of {len(found)}")
        nrem = 0.5 * stages["stage"].isin(["N2", "N3"]).sum()
        say("segment, spindles a minute of NREM", "3 to 5", f"{len(found) / nrem:.2f}")
        places = choose_places(stages, found["peak_s"].to_numpy())
        for shape in ("hann", "gauss"):
            planted = detect_spindles(*segment(lambda x, s=shape: plant(x, places, amplitude_uv=(40, 40), shape=s)))
            say(f"segment, recall of planted 40 µV ({shape})", ">= .90", f"{recall_at(planted, places):.3f}")
    rows = []
    for seed in (41, 42):
        recording, stages, quality, truth = simulate(seed, duration_h=3.0)
        found = detect_spindles(recording, stages, quality)
        rows += [(match(own, truth) >= 0).mean() for _, own in found.groupby("channel")]
    say("simulated nights (2 x 3 h, F3 and C4), precision", ">= .97", f"{np.mean(rows):.3f}, lowest {min(rows):.3f}")


def measure_audit():
    """Print the recall of both relative views under gain and delta."""
    if not REAL_DATA.is_dir():
        print("audit: real recordings are not at hand")
        return
    for name, change in {
        "as it is": lambda x: x,
        "gain x .5": lambda x: 0.5 * x,
        "gain x 2": lambda x: 2 * x,
        "delta x .7": lambda x: scale_delta(x, 0.7),
        "delta x 1.4": lambda x: scale_delta(x, 1.4),
    }.items():
        audit = detect_events(*segment(change)).audit
        relative = audit[audit["view"] == "relative"].groupby("kind")[["n_found", "n_planted"]].sum()
        recall = (relative["n_found"] / relative["n_planted"]).round(4).to_dict()
        say(f"segment, recall of the relative views, {name}", "the same at each gain", recall)


def estimate_coupling(seed, times="detected", **knobs):
    """Return share and strength over the truth, and the error of the phase, on one night of known coupling."""
    night, _, planted = make_coupled_night(seed, **knobs)
    events = detect_events(*night)
    coupling = events.coupling
    if times == "planted":
        blank = {column.name: 0 for column in SPINDLES.columns} | {"channel": "C4", "spindle_class": "fast"}
        known = {"peak_s": planted["time_s"], "centroid_s": planted["time_s"]}
        spindles = pd.DataFrame(blank, index=planted.index).assign(stage=stage_at(night[1], planted["time_s"]), **known)
        coupling = couple_events(night[0], check_table(spindles, SPINDLES), events.slow_oscillations, *night[1:])
    found = measure_coupling(coupling)
    share = planted["rides"].mean()
    length = share * concentration_to_length(knobs.get("kappa", 3.0))
    return found.excess_percent / 100 / share, found.strength / length, found.phase_rad - knobs.get("phase_rad", 0.4)


def measure_coupling_truth():
    """Print what is found of a known share, strength and phase, over numbers of waves and spindles."""
    for waves, spindles in ((4, 2), (4, 8), (8, 4), (16, 2), (16, 8)):
        for times in ("planted", "detected"):
            knobs = {"waves_per_min": waves, "spindles_per_min": spindles}
            rows = [estimate_coupling(300 + seed, times, **knobs) for seed in range(4)]
            share, strength, phase = np.mean(rows, axis=0)
            measured = f"{share:.2f}, {strength:.2f}, {phase:+.2f} rad"
            bar = f"coupling, {waves} waves and {spindles} spindles a minute, {times}"
            say(bar, ".9-1.1, .9-1.1, <.2", measured)


MEASURED = {
    "experts": measure_experts,
    "spindles": measure_spindles,
    "audit": measure_audit,
    "coupling": measure_coupling_truth,
}


def main():
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or MEASURED:
        MEASURED[name]()


if __name__ == "__main__":
    main()
