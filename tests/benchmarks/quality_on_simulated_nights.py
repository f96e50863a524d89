"""How many planted artefacts quality finds, and how often it blames a clean epoch.

    python tests/benchmarks/quality_on_simulated_nights.py [EDF ...]

Nights of 2 h × 2 EEG at 256 Hz are simulated, each seed once clean and once with every kind of artefact.
An epoch of a channel counts as hit by an artefact when it is on for at least half of it. Flat, clipped,
movement and contact loss are caught when the epoch is not usable; mains and gain drift, which set
nothing aside, when their number is over its limit. Files given by name are real nights: their share of
epochs not usable is printed by reason.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from eegsleep import read_recording
from eegsleep.quality import QualitySettings, judge_night, measure_quality
from eegsleep.simulation.night import simulate_night, write_simulated_night
from eegsleep.simulation.settings import ARTEFACT_KINDS, SimulationSettings

SEEDS = range(12)
DURATION_H = 2.0
CAUTION_ONLY = ("mains", "gain_drift")


def measure(folder, seed, kinds):
    """Return EEG rows of table QUALITY with two more columns: mains and gain over their limits; and the truth."""
    settings = QualitySettings()
    night = simulate_night(SimulationSettings(duration_h=DURATION_H, artefacts=kinds), seed)
    recording = read_recording(write_simulated_night(night, folder, f"night-{seed}"))
    quality = measure_quality(recording)
    verdict = judge_night(quality)
    eeg = quality[quality["role"] == "eeg"].assign(
        mains=lambda q: q["mains_uv"] > settings.max_mains_uv,
        gain_drift=lambda q: np.exp(np.abs(np.log(q["relative_gain"]))) > settings.max_gain_ratio,
    )
    return eeg, night.artefacts, verdict


def overlap_s(rows, artefact):
    """Return how many seconds of each epoch an artefact takes."""
    end = np.minimum(rows["onset_s"] + 30, artefact.onset_s + artefact.duration_s)
    return np.maximum(end - np.maximum(rows["onset_s"], artefact.onset_s), 0)


def count_hits(eeg, artefacts):
    """Return one row an EEG channel and artefact: epochs hit, and how many were caught."""
    rows = []
    for artefact in artefacts.itertuples():
        mine = eeg[eeg["channel"] == artefact.channel]
        hit = mine[overlap_s(mine, artefact) >= 15]
        caught = hit[artefact.kind] if artefact.kind in CAUTION_ONLY else ~hit["usable"]
        if len(hit):
            rows.append((artefact.kind, len(hit), int(caught.sum()), ", ".join(sorted(set(hit["reason"]) - {""}))))
    return rows


def count_beside(eeg, artefacts):
    """Return how many epochs no artefact touches, and how many of them are not usable all the same."""
    touched = np.zeros(len(eeg), dtype=bool)
    for artefact in artefacts.itertuples():
        touched |= ((eeg["channel"] == artefact.channel) & (overlap_s(eeg, artefact) > 0)).to_numpy()
    return int((~touched).sum()), int((~touched & ~eeg["usable"]).sum())


def main():
    """Print the tables."""
    hits, alarms, beside, verdicts, extremes = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            eeg, _, verdict = measure(Path(folder), seed, ())
            alarms.append(
                (len(eeg), int((~eeg["usable"]).sum()), int(eeg["mains"].sum()), int(eeg["gain_drift"].sum()))
            )
            verdicts.append(("clean", verdict))
            extremes.append((eeg["mains_uv"].max(), eeg["relative_gain"].min(), eeg["relative_gain"].max()))
            eeg, artefacts, verdict = measure(Path(folder), seed, ARTEFACT_KINDS)
            hits += count_hits(eeg, artefacts)
            beside.append(count_beside(eeg, artefacts))
            verdicts.append(("planted", verdict))
    table = pd.DataFrame(hits, columns=["kind", "epochs", "caught", "reasons"])
    summary = table.groupby("kind")[["epochs", "caught"]].sum()
    summary["share"] = summary["caught"] / summary["epochs"]
    summary["reasons"] = table.groupby("kind")["reasons"].agg(lambda r: "; ".join(sorted(set(r) - {""})))
    print(f"planted, {len(SEEDS)} nights\n{summary.to_string()}\n")
    totals = np.sum(alarms, axis=0)
    print(f"false alarms in {totals[0]} clean epochs: not usable {totals[1]}, mains {totals[2]}, gain {totals[3]}")
    mains_uv, low, high = zip(*extremes, strict=True)
    print(f"mains there up to {max(mains_uv):.2f} µV, relative gain {min(low):.3f} to {max(high):.3f}")
    untouched, blamed = np.sum(beside, axis=0)
    print(f"in {untouched} untouched epochs of the nights with artefacts: not usable {blamed}\n")
    for kind, verdict in verdicts:
        print(kind, verdict.verdict, *verdict.reasons, sep=" | ")
    for path in sys.argv[1:]:
        quality = measure_quality(read_recording(path))
        reasons = quality.groupby(["channel", "reason"]).size()
        print(f"\n{Path(path).name}\n{reasons.to_string()}\n{judge_night(quality)}")


if __name__ == "__main__":
    main()
