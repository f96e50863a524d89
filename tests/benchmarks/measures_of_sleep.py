"""The bars of stages, events and spectra, each as one line of wanted and measured.

    python tests/benchmarks/measures_of_sleep.py [--write] [--against CHECKOUT] [NAME...]

NAME is any of `staging`, `experts`, `spindles`, `waves`, `audit`, `coupling`, `aperiodic`, `polarity`, `time`; without
one, all. `--write` stores the table in `measures_of_sleep.md` beside this file. Most use real recordings beside the
checkout (`tests/conftest.py`, `real_data`) and are left out where there are none. `time` compares the CPU seconds of
one night with those of another checkout, given by `--against`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import REAL_DATA
from coupled_nights import concentration_to_length, make_coupled_night
from dreams import EXCERPTS, agreement, read_excerpt, spans_of, unite
from planted_spindles import (
    choose_places,
    given_stages,
    match,
    plant,
    read_segment,
    recall_at,
    record,
    scale_delta,
    simulate,
)

import eegsleep as es
from eegsleep.events.coupling import couple_events, measure_coupling
from eegsleep.events.detect import detect_events
from eegsleep.events.largest_waves import measure_largest_waves
from eegsleep.events.polarity import measure_polarity
from eegsleep.events.slow_oscillations import measure_waves
from eegsleep.events.spindles import detect_spindles
from eegsleep.signals.epochs import stage_at
from eegsleep.spectrum import measure_spectrum
from eegsleep.staging.score import StagingSettings, score_stages
from eegsleep.tables import SPINDLES, check_table

STORED = Path(__file__).with_suffix(".md")
LINES = []


def say(bar, wanted, measured):
    print(f"{bar:62s} wanted {wanted:18s} measured {measured}", flush=True)
    LINES.append(f"| {bar} | {wanted} | {measured} |")


def segment(change=lambda signal: signal):
    signal, stages, quality = read_segment(REAL_DATA / "segment")
    return record(change(signal)[None], ["EEG"]), stages, quality


def measure_staging():
    """Print agreement with the expert and minutes of N3 of the real segment, at gains from half to twice."""
    if not REAL_DATA.is_dir():
        print("staging: real recordings are not at hand")
        return
    recording = es.read_recording(REAL_DATA / "segment" / "segment.edf")
    expert = pd.read_csv(REAL_DATA / "segment" / "segment_stages.csv")
    reference = None
    for settings in (StagingSettings(), StagingSettings(gain="as_recorded")):
        for gain in (1.0, 0.5, 0.7, 1.4, 2.0):
            raw = recording.raw.copy().load_data()
            raw.apply_function(lambda x, g=gain: g * x, picks=recording.derivations, channel_wise=False)
            louder = replace(recording, raw=raw)
            stages = score_stages(louder, es.measure_quality(louder), settings)["stage"].to_numpy()
            reference = stages if gain == 1.0 else reference
            at = np.searchsorted(expert["onset_s"], 30 * np.arange(stages.size) + 15, side="right") - 1
            scored = stages != "UNS"
            kappa = cohen_kappa_score(expert["stage"].to_numpy()[at[scored]], stages[scored])
            same = 100 * (stages == reference).mean()
            wanted = ">= .80, N3 +-5 %" if settings.gain == "reference" else ""
            found = f"kappa {kappa:.3f}, N3 {0.5 * (stages == 'N3').sum():g} min, {same:.1f} % of epochs as at gain 1"
            say(f"segment, staging gain {settings.gain}, recorded x {gain:g}", wanted, found)


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


def measure_largest():
    """Print how the largest waves of a minute follow the amplitude of slow waves."""
    if not REAL_DATA.is_dir():
        print("waves: real recordings are not at hand")
        return

    def largest(factor):
        recording, stages, quality = segment(lambda x: scale_delta(x, factor))
        waves = measure_waves(recording, stages, quality)
        return measure_largest_waves(waves, stages, quality, ["EEG"])[["ptp_uv", "slope_uv_per_s"]].mean()

    plain = largest(1.0)
    for factor in (0.7, 1.25, 1.4):
        height, slope = (largest(factor) / plain).tolist()
        say(f"segment, largest waves, delta x {factor:g}", f"{factor:g}", f"height {height:.3f}, slope {slope:.3f}")


def make_noise(exponent, n_epochs=120):
    """Return noise of a known slope, 20 µV."""
    n = 3000 * n_epochs
    hz = np.fft.rfftfreq(n, 0.01)
    shape = np.where(hz > 0, np.maximum(hz, 0.1) ** (-exponent / 2), 0)
    noise = np.fft.irfft(np.fft.rfft(np.random.default_rng(0).standard_normal(n)) * shape, n)
    return 20 * noise / noise.std()


def measure_aperiodic():
    """Print the exponent of noise of known slope, and how far that of N3 moves with slow waves."""

    def exponent(recording, stages, quality, stage):
        found = measure_spectrum(recording, stages, quality)
        found = found[0] if isinstance(found, tuple) else found
        rows = found[(found["measure"] == "aperiodic_exponent") & (found["stage"] == stage)]
        return float(rows["value"].iloc[0])

    for known in (0.0, 1.0, 2.0, 3.0, 3.5):
        recording = record(make_noise(known)[None], ["EEG"])
        found = exponent(recording, given_stages(["N2"] * 120), es.measure_quality(recording), "N2")
        say(f"aperiodic exponent of noise of slope {known:g}", "within .05", f"{found:.3f}")
    if REAL_DATA.is_dir():
        plain = exponent(*segment(), "N3")
        for factor in (0.7, 1.4):
            moved = exponent(*segment(lambda x, f=factor: scale_delta(x, f)), "N3") - plain
            say(f"segment, aperiodic exponent of N3, delta x {factor:g}", "moves < .05", f"{moved:+.4f}")


def measure_polarities():
    """Print the verdict on polarity of real channels, upright and inverted."""
    if not REAL_DATA.is_dir():
        print("polarity: real recordings are not at hand")
        return
    nights = {"segment": segment()}
    nights |= {f"DREAMS {number}": read_excerpt(REAL_DATA / "dreams", number)[0] for number in EXCERPTS}
    for name, (recording, stages, quality) in nights.items():
        told = []
        for sign in (1, -1):
            turned = record(sign * recording.microvolts, recording.channels)
            (found,) = measure_polarity(turned, stages, quality).values()
            told.append(f"{found.verdict} (z {found.z:.1f})")
        say(f"{name}, polarity upright and inverted", "none wrong", ", ".join(told))


_NIGHT = """
import sys, time
import eegsleep as es
recording = es.read_recording(sys.argv[1])
es.analyze_night(recording)
begin = time.process_time()
es.analyze_night(recording)
print(time.process_time() - begin)
"""


def measure_time(against, n_runs=3):
    """Print the CPU seconds of a night of 8 h with two derivations, here and in another checkout, in turn."""
    if not against:
        print("time: needs --against")
        return
    with TemporaryDirectory() as folder:
        settings = es.SimulationSettings(duration_h=8.0, rate_hz=256, eeg=("C4-M1", "F3-M2"))
        file = es.write_simulated_night(es.simulate_night(settings, seed=1), Path(folder), "night")
        taken = {place: [] for place in (against, str(Path(__file__).parents[2]))}
        for _ in range(n_runs):
            for place, seconds in taken.items():
                done = subprocess.run(
                    [sys.executable, "-c", _NIGHT, str(file)],
                    env=os.environ | {"PYTHONPATH": place, "OMP_NUM_THREADS": "1"},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                seconds.append(float(done.stdout.split()[-1]))
    before, now = (statistics.median(seconds) for seconds in taken.values())
    say(
        "CPU of a night of 8 h, two derivations, EOG and EMG",
        "<= +10 %",
        f"{before:.1f} s before, {now:.1f} s now: {100 * (now / before - 1):+.0f} %",
    )


MEASURED = {
    "staging": measure_staging,
    "experts": measure_experts,
    "spindles": measure_spindles,
    "waves": measure_largest,
    "audit": measure_audit,
    "coupling": measure_coupling_truth,
    "aperiodic": measure_aperiodic,
    "polarity": measure_polarities,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="{" + ",".join([*MEASURED, "time"]) + "}")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--against", default="")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in asked.names or [*MEASURED, "time"]:
        if name == "time":
            measure_time(asked.against)
        else:
            MEASURED[name]()
    if asked.write:
        write_table()


def write_table():
    """Store the lines; those of other names stay as they were."""
    kept = STORED.read_text(encoding="utf-8").splitlines() if STORED.is_file() else []
    rows = {line.split(" | ")[0]: line for line in [*kept, *LINES] if line.startswith("| ")}
    rows.pop("| What", None)
    head = f"# What the measures of a night follow\n\nMade by `tests/benchmarks/{Path(__file__).name} --write`.\n"
    table = ["| What | Wanted | Measured |", "|---|---|---|", *rows.values()]
    STORED.write_text("\n".join([head, *table, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
