"""Four simulated studies end to end, whose truth is known: how many verdicts are true, and how many false.

Every study is the demonstration's: 16 nights of 2 h of one sleeper in randomised pairs, simulated, scored, locked and
compared as a user's would be. Only what the compound does differs. A verdict is *true* where the simulated compound
changes what the marker measures in that direction, and *false* everywhere else. What a compound changes is declared
here by markers, with the reason; a marker that may go either way counts as true.

    python tests/benchmarks/study_truth.py FOLDER    # 40 simulated nights, about 5 minutes of one core

writes `study_truth.json` beside this file and prints the table of docs/truth.md. Names of studies behind FOLDER run
these alone. Nights that were put into FOLDER on the same day are not made again.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from eegsleep.demo import ACTIVE, COMPOUND, CONTROL, STUDY_TOML, enter_files
from eegsleep.simulation.night import simulate_night, write_simulated_night
from eegsleep.workflows.score import Job, score_file
from eegsleep.workflows.study import compare_study, lock_study, plan_study

if TYPE_CHECKING:
    from eegsleep.simulation.settings import SimulationSettings

STORED = Path(__file__).with_suffix(".json")
N_NIGHTS = 16
# Studies of slow waves and of gain ask for slow waves first; what the primary endpoint does not open is not tested.
SLOW_WAVES_FIRST = STUDY_TOML.replace("fast_spindle_density_per_min|NREM", "swa_power_uv2|NREM").replace(
    '["D", "B", "A", "C", "E"]', '["B", "D", "A", "C", "E"]'
)
FOUND = ("better", "worse", "changed")

_SLOW_WAVES = {  # the background of 0.5-4 Hz is larger, and planted waves are not
    r"(.*_)?(swa|delta)_(power|relative).*": "+",
    r"low_delta_power.*": "+",
    # Most of 0.5-1 Hz is planted waves, so that its share falls when only the background grows. Waves that stand on a
    # larger background are measured larger, and in multiples of it smaller.
    r"low_delta_relative_percent|slow_delta.*|infraslow.*": "±",
    r"slow_oscillation_(ptp_uv|slope_uv_per_s|slope_per_s|fall_slope_uv_per_s|largest.*)|largest_.*": "±",
    r"slow_oscillation_(relative_density_per_min|ptp_relative)": "-",
    # the steepness of the spectrum, where slow waves are part of it
    r"aperiodic_.*": "±",
}
_SPINDLES = {  # more fast spindles of the same kind, so that their mean frequency rises among all of them
    r"(fast_)?spindle_(absolute_|relative_|corrected_)?density_per_min.*": "+",
    r"(fast_)?coupled_spindle_density_per_min": "+",
    r"spindle_frequency_hz": "+",
    r"(fast_)?sigma_.*|sigma_.*|fast_sigma_peak_power_uv2": "±",
    r"coupling_modulation_index": "±",
}


@dataclass(frozen=True)
class Scenario:
    """One study: what the compound does, and which markers that changes in which direction (+, -, or ± for either)."""

    compound: SimulationSettings
    truth: dict[str, str]
    declared: str = STUDY_TOML
    same_sleep: bool = False  # whether both nights of a pair are the same simulated sleep, so that nothing else differs


_SMALLER = {pattern: {"+": "-", "-": "+"}.get(sign, sign) for pattern, sign in _SLOW_WAVES.items()}
SCENARIOS = {
    "demonstration": Scenario(COMPOUND, _SPINDLES | _SLOW_WAVES),
    "gain alone": Scenario(replace(CONTROL, electrode_gain=1.2), {}, SLOW_WAVES_FIRST, same_sleep=True),
    "slow waves alone": Scenario(
        replace(CONTROL, delta_background=1.25), _SLOW_WAVES, SLOW_WAVES_FIRST, same_sleep=True
    ),
    "benzodiazepine-like": Scenario(
        replace(
            CONTROL,
            fast_spindle_density_per_min=4.0,
            delta_background=0.8,
            slow_oscillation_ptp_uv=95.0,
            arousal_rate_per_h=6.0,
        ),
        _SPINDLES
        | _SMALLER
        | {
            r"slow_oscillation_(absolute_)?density_per_min": "-",
            r"slow_oscillation_(ptp_uv|slope_uv_per_s|fall_slope_uv_per_s|largest.*)|largest_.*": "-",
            # planted waves are 21 % smaller and the background is 20 % smaller
            r"slow_oscillation_(relative_density_per_min|ptp_relative)": "±",
            # fewer spindles ride on a wave where fewer waves are counted
            r"(fast_)?coupled_spindle_density_per_min|(fast_)?spindles_coupled_.*": "±",
            # half the arousals
            r"awakenings.*|fragmentation_per_h|stage_transitions_per_h|waso_min|wake_in_sleep_period_min|n1_.*": "-",
            r"(rem|n2|n3)_awakening.*|wake_bouts.*": "-",
        },
    ),
}


def run_study(home: Path, scenario: Scenario, controls: Path, first_seed: int = 0) -> pd.DataFrame:
    """Run one study in `home` and return table COMPARISON; control nights are kept in `controls` for the next study."""
    nights_folder = home / "eegsleep-nights"
    home.mkdir(parents=True, exist_ok=True)
    for path in home.iterdir():
        if path.is_file():
            path.unlink()
    study, key = home / "study.toml", home / "simulated-key.json"
    begins = datetime.now(UTC).date()  # a study is registered before its nights
    study.write_text(scenario.declared.format(n_nights=N_NIGHTS, start=begins), encoding="utf-8")
    planned = plan_study(study, key=key, active=ACTIVE, passphrase="known to everybody")  # noqa: S106 (simulated)
    nights = enter_files(home / "nights.csv")
    conditions = [condition for _, condition in nights]
    for number, (night, condition) in enumerate(nights, start=1):
        pair = (number - 1) // 2  # pairs are consecutive nights
        control = 2 * pair + 1 + (conditions[2 * pair] == ACTIVE)
        compound = condition == ACTIVE
        kept = (home if compound else controls) / f"made-{begins}" / night
        if not (kept / "provenance.json").is_file():
            start = datetime.combine(begins + timedelta(days=number - 1), time(23))
            simulated = replace(scenario.compound if compound else CONTROL, start=start)
            sleep = simulate_night(simulated, seed=first_seed + (control if scenario.same_sleep else number))
            file = write_simulated_night(sleep, kept.parent / "recordings", night)
            score_file(Job(file), None, kept.parent)
        shutil.copytree(kept, nights_folder / night, dirs_exist_ok=True)
        recording = home / "recordings" / f"{night}.edf"
        recording.parent.mkdir(exist_ok=True)
        shutil.copy(kept.parent / "recordings" / f"{night}.edf", recording)
    lock_study(study)
    return compare_study(study, key=key, passphrase=planned.passphrase).comparison.markers


def judge(row: pd.Series, truth: dict[str, str]) -> str:
    """Return whether a verdict agrees with what was simulated: true, wrong sign, or no such effect."""
    signs = {sign for pattern, sign in truth.items() if re.fullmatch(pattern, row["marker"])}
    above = row["nap"] > 0.5 if pd.isna(row["difference"]) else row["difference"] > 0
    if signs & {"±", "+" if above else "-"}:
        return "true"
    return "wrong sign" if signs else "no such effect"


def count(markers: pd.DataFrame, truth: dict[str, str]) -> dict:
    """Return how many verdicts there are, how many of them are false, and which."""
    found = markers[markers["verdict"].isin(FOUND)]
    found = found.assign(truth=[judge(row, truth) for _, row in found.iterrows()])
    judged, wrong = found["verdict"].isin(["better", "worse"]), found["truth"] != "true"
    return {
        "verdicts": len(found),
        "better_or_worse": int(judged.sum()),
        "false_better_or_worse": int((judged & wrong).sum()),
        "false_changed": int((~judged & wrong).sum()),
        "wrong_sign": int((found["truth"] == "wrong sign").sum()),
        "follow_from_slow_waves": int((markers["verdict"] == "follows from slow-wave amplitude").sum()),
        "follow_from_gain": int((markers["verdict"] == "follows from gain").sum()),
        "false": [
            f"{row.marker}|{row.stage}|{row.channel}: {row.verdict} {row.difference:+.3g} p {row.p:.2g}, {row.truth}"
            for row in found[wrong].itertuples(index=False)
        ],
    }


def make_table(counts: dict[str, dict]) -> str:
    """Return the counts as the table that stands in docs/truth.md."""
    columns = {
        "better or worse": "better_or_worse",
        "of these false": "false_better_or_worse",
        "changed": "changed",
        "of these false ": "false_changed",
        "follow from slow waves": "follow_from_slow_waves",
        "follow from gain": "follow_from_gain",
    }
    lines = [f"| Study | {' | '.join(name.strip() for name in columns)} |", "|---" * (len(columns) + 1) + "|"]
    for study, found in counts.items():
        numbers = found | {"changed": found["verdicts"] - found["better_or_worse"]}
        lines.append(f"| {study} | {' | '.join(str(numbers[key]) for key in columns.values())} |")
    return "\n".join(lines) + "\n"


def main(folder: Path, names: list[str], first_seed: int) -> None:
    """Run the studies, print their counts, and store them unless other nights than those of seed 0 are asked for."""
    table = json.loads(STORED.read_text(encoding="utf-8")) if names and STORED.is_file() else {}
    for name in names or SCENARIOS:
        scenario = SCENARIOS[name]
        markers = run_study(folder / name.replace(" ", "-"), scenario, folder / "controls", first_seed)
        table[name] = count(markers, scenario.truth)
        print(name, json.dumps(table[name], indent=1, ensure_ascii=False), flush=True)
        table = {name: table[name] for name in SCENARIOS if name in table}
        if first_seed:
            continue
        STORED.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(make_table(table))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("studies", nargs="*")
    parser.add_argument("--first-seed", type=int, default=0, help="of other nights, whose counts are not stored")
    asked = parser.parse_args()
    main(asked.folder, asked.studies, asked.first_seed)
