"""Does what surrounds the comparison keep its promises? Each figure before and after, by simulation.

    python tests/benchmarks/study_promises.py [--repeats 400] [--only REGEX] [--write]

`before` is what was measured before the mistake was mended; `after` is measured here. Every row has its own seed. A
rate has a standard error of at most .025 at 400 repeats. `--write` stores the table beside this script, as JSON,
and as a page of the documentation.
"""

import argparse
import dataclasses
import json
import math
import re
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.study_tricks import play_tricks
from made_studies import FAST, make_study, marker_rows

from eegsleep.markers import CATALOGUE
from eegsleep.statistics import groups, multiplicity, resampling
from eegsleep.statistics.looks import spend_alpha
from eegsleep.study.comparison.compare import compare_nights
from eegsleep.study.comparison.doses import compare_doses
from eegsleep.study.comparison.relations import relate_next_day
from eegsleep.study.planning.simulated_studies import Noise, simulate_doses, simulate_studies
from eegsleep.study.schedules.mechanisms import Mechanism, is_weekend, list_or_redraw, redraw
from eegsleep.study.schedules.schedule import draw_schedule, plan_nights
from eegsleep.tables import STUDY_NIGHTS

STORED, PAGE = Path(__file__).with_suffix(".json"), Path(__file__).parents[2] / "docs" / "study_promises.md"
HEAD = """\
# What a study promises, and what simulation shows of it

Every figure is measured by `tests/benchmarks/study_promises.py`; a share has a standard error of at most .025. "Before"
is the figure before the mistake was found. The error rates, intervals and power of a comparison of one sleeper are
measured by `tests/benchmarks/comparison_simulations.py`.

"""
ALPHA = 0.05
SEED = 20260202


def several_sleepers(n_sleepers, repeats, rng):
    """Return how often studies find the effect that the plan promises to find in 80 %."""
    mechanism, names = Mechanism("pairs"), [f"S{i}" for i in range(n_sleepers)]
    nights = plan_nights(mechanism, 16, names, adaptation_nights=0)
    effect = simulate_studies(mechanism, nights, Noise(), 2000, seed=1).detectable_effect(ALPHA)
    followed = redraw(mechanism, nights, repeats, 2)
    whose, days = np.repeat(np.arange(n_sleepers), 16), np.tile(np.arange(16) - 7.5, n_sleepers)[:, np.newaxis]
    found = 0
    for z in followed:
        own = effect + 0.5 * rng.standard_normal(n_sleepers)
        y = rng.standard_normal(n_sleepers)[whose] + own[whose] * z + rng.standard_normal(len(whose))
        found += groups.compare_groups(y, z, whose, "within", days).chosen.p <= ALPHA
    return found / repeats


def three_primaries(repeats, rng):
    """Return the promised and the real power for 1 SD on one of three primary endpoints, 28 nights in pairs."""
    mechanism = Mechanism("pairs")
    nights = plan_nights(mechanism, 28, adaptation_nights=0)
    promised = simulate_studies(mechanism, nights, None, repeats, 499, seed=3, n_primary=3).power(1.0, ALPHA)
    followed = redraw(mechanism, nights, repeats, 4)
    draws, complete = list_or_redraw(mechanism, nights, 999, 5)
    real = 0
    for z in followed:
        y = rng.standard_normal((3, 28))
        y[0] += z
        found = resampling.shift_statistics(y, resampling.Schedule(z, draws, complete=complete))
        real += multiplicity.max_t(*resampling.extremeness(found))[0] <= ALPHA
    return promised, real / repeats


def fixed_first_phase(n_sleepers, repeats, rng):
    """Return the type-I error where the first phase is fixed and all sleepers share a drift of 2 SD."""
    mechanism, names = Mechanism("phases", min_phase=5, random_start=False), [f"S{i}" for i in range(n_sleepers)]
    nights = plan_nights(mechanism, 28, names, adaptation_nights=0)
    whose, days = np.repeat(np.arange(n_sleepers), 28), np.tile(np.linspace(-1, 1, 28), n_sleepers)
    wrong = 0
    for z in redraw(mechanism, nights, repeats, 6):
        y = rng.standard_normal(n_sleepers)[whose] + rng.standard_normal(len(whose)) + days
        wrong += groups.compare_groups(y, z, whose, "within", days[:, np.newaxis]).chosen.p <= ALPHA
    return wrong / repeats


def looking(repeats, rng, *, spent):
    """Return the type-I error of looking every two nights from the 12th of 28 on, at one alpha or spending it."""
    first = rng.random((20 * repeats, 14)) < 0.5
    pairs = rng.standard_normal((20 * repeats, 14)) * np.where(first, 1, -1)
    looks = list(range(6, 15))
    p = np.array([stats.ttest_1samp(pairs[:, :n], 0, axis=1).pvalue for n in looks])
    limits = spend_alpha(ALPHA, [2 * n for n in looks[:-1]], 28) if spent else [ALPHA] * len(looks)
    return float((p <= np.array(limits)[:, np.newaxis]).any(axis=0).mean())


# One marker of each of the measures that a night of one derivation has.
MEASURES = (
    FAST,
    "sol_min",
    "tst_min",
    "waso_min",
    "awakenings_per_h",
    "n1_min",
    "stage_transitions_per_h",
    "swa_power_uv2",
    "aperiodic_exponent",
    "slow_oscillation_duration_s",
    "rem_min",
    "rem_latency_min",
    "fast_spindle_amplitude_uv",
    "fast_spindle_frequency_hz",
    "fast_spindle_duration_s",
    "fast_coupling_strength",
    "sigma_power_uv2",
    "fast_coupled_spindle_density_per_min",
)
SLEEP = ("tst_min", "sol_min", "waso_min")


def make_markers(study, rng, effects, names=MEASURES):
    """Return markers that share 30 % of their variance, with effects in SD on nights of the compound."""
    second = study.nights["condition"].eq("B").to_numpy()
    shared = rng.standard_normal(len(second))
    parts = []
    for name in names:
        known = CATALOGUE[name]
        noise = math.sqrt(0.3) * shared + math.sqrt(0.7) * rng.standard_normal(len(second))
        stage, channel = ("", "") if known.unit in {"min", "/h"} else ("NREM", "C3")
        value = 100 + 10 * (noise + effects.get(name, 0.0) * second)
        parts.append(marker_rows(study, name, value, known.unit, stage, channel))
    return pd.concat(parts, ignore_index=True)


def off_the_path(n_nights, repeats, rng, *, effect):
    """Return how often some sleep measure is a signal or better, with spindles as the primary endpoint."""
    sd = {"smallest_effects": dict.fromkeys(MEASURES, (0.5, "SD"))}
    found = better = 0
    signs = {"tst_min": 1, "sol_min": -1, "waso_min": -1}
    for seed in range(repeats):
        study = make_study("pairs", n_nights, seed=seed, primary=(f"{FAST}|NREM|C3",), **sd)
        values = make_markers(study, rng, {name: effect * signs[name] for name in SLEEP})
        markers = compare_nights(study, values, n_draws=999).markers
        own = markers[markers["marker"].isin(SLEEP)] if effect else markers[markers["role"] != "primary"]
        found += bool(own["signal"].any())
        better += bool(own["verdict"].isin(["better", "worse"]).any())
    return found / repeats, better / repeats


def observed_null(repeats, rng, *, adjusted):
    """Return how often a null interval excludes 0, the compound being taken at weekends, with alcohol, or later on."""
    wrong = 0
    for _ in range(repeats):
        study = make_study("observational", 40, primary=("tst_min||",))
        n = len(study.nights)
        weekend = is_weekend(study.nights["date"])
        alcohol = rng.poisson(0.3 + 1.2 * weekend)
        noise, tired = rng.standard_normal(n), np.zeros(n)
        for i in range(1, n):  # the night after a bad one is longer, and the compound is taken on it
            tired[i] = noise[i - 1] < -0.7
            noise[i] += 0.4 * tired[i]
        wish = -1 + 1.8 * weekend + 0.3 * alcohol + 0.8 * tired + np.linspace(-0.7, 0.7, n)
        taken = rng.random(n) < 1 / (1 + np.exp(-wish))
        tst = 420 + 45 * (noise + 1.0 * weekend + 0.1 * alcohol + np.linspace(-0.3, 0.3, n))
        nights = study.nights.assign(condition=np.where(taken, "B", "A"), adaptation=False)
        if adjusted:
            nights = nights.assign(cov_alcohol_units=alcohol.astype(float))
            study = dataclasses.replace(study, nights=nights)
            row = compare_nights(study, marker_rows(study, "tst_min", tst, "min", "", "")).markers.iloc[0]
            wrong += not row["low"] <= 0 <= row["high"]
        else:
            found = stats.ttest_ind(tst[taken], tst[~taken]).confidence_interval()
            wrong += not found.low <= 0 <= found.high
    return wrong / repeats


def nothing_but_gain(repeats, rng):
    """Return the mean number of verdicts where the electrodes' gain is x 1.2 with the compound, and nothing else."""
    powers = {"µV": 1, "µV/s": 1, "µV²": 2, "ln µV²": 0, "/min": 1, "min": 1, "%": 1}
    names = [
        name
        for name, marker in CATALOGUE.items()
        if marker.family != "context"
        and (marker.unit in {"µV", "µV/s", "µV²", "ln µV²"} or "n3_" in name or re.search("slow_osc.*density", name))
        and "relative" not in name
    ]
    counts, with_one = [], 0
    for seed in range(repeats):
        study = make_study("complete", 20, seed=seed, families=("B", "D", "A", "C", "E"))
        passed = np.where(study.nights["condition"] == "B", 1.2, 1.0)
        parts = [marker_rows(study, "gain_reference_uv", passed * (1 + 0.05 * rng.standard_normal(22)), "µV", "N3")]
        for name in names:
            unit = CATALOGUE[name].unit
            noise = 1 + 0.12 * rng.standard_normal(len(passed))
            value = 100 * passed ** powers.get(unit, 1) * noise
            if unit == "ln µV²":
                value = 5 + 2 * np.log(passed) + 0.2 * rng.standard_normal(len(passed))
            whole = unit in {"min", "%"}
            parts.append(marker_rows(study, name, value, unit, "" if whole else "NREM", "" if whole else "C3"))
        found = compare_nights(study, pd.concat(parts), n_draws=999)
        n = int(found.markers["verdict"].isin(["better", "worse", "changed", "equivalent"]).sum())
        counts.append(n)
        with_one += found.families.set_index("family").loc["B", "verdict"] in {"better", "worse"}
    return float(np.mean(counts)), with_one / repeats, len(names)


def false_equivalence(repeats, rng):
    """Return how often a true difference of .5 SD is called equivalent, 60 nights with a drift of 4 SD."""
    wrong = 0
    for seed in range(repeats):
        study = make_study("complete", 60, seed=seed, smallest_effects={"tst_min": (0.5, "SD")})
        second = study.nights["condition"].eq("B").to_numpy()
        value = 420 + 10 * (rng.standard_normal(len(second)) + 0.5 * second + np.linspace(-2, 2, len(second)))
        row = compare_nights(study, marker_rows(study, "tst_min", value, "min", "", ""), n_draws=999).markers.iloc[0]
        wrong += row["verdict"] == "equivalent"
    return wrong / repeats


def next_day(repeats, rng, *, effect=0.55):
    """Return how often the declared association is found, 30 nights, by itself and among all."""
    alone = among = 0
    for seed in range(repeats):
        study = make_study("pairs", 30, seed=seed, primary=(f"{FAST}|NREM|C3",))
        values = make_markers(study, rng, {})
        z = (values.loc[values["marker"] == FAST, "value"].to_numpy() - 100) / 10
        scores = {f"day_{k}": rng.standard_normal(len(z)) for k in ("pvt_speed", "kss", "vas")}
        scores["day_pvt_speed"] = effect * z + math.sqrt(1 - effect**2) * scores["day_pvt_speed"]
        found = relate_next_day(dataclasses.replace(study, nights=study.nights.assign(**scores)), values)
        own = found[(found["marker"] == FAST) & (found["score"] == "day_pvt_speed") & (found["lag_nights"] == 0)]
        alone += bool((own["p_adjusted"] <= ALPHA).iloc[0])
        among += bool(multiplicity.benjamini_hochberg(found["p"])[own.index[0]] <= 0.10)
    return alone / repeats, among / repeats


def one_bad_night(repeats, rng):
    """Return the power of means and of ranks for 1.2 SD in 28 nights of which one is 6 SD off."""
    means = ranks = 0
    for seed in range(repeats):
        study = make_study("pairs", 28, seed=seed)
        second = study.nights["condition"].eq("B").to_numpy()
        value = rng.standard_normal(len(second)) + 1.2 * second
        value[rng.integers(2, len(second))] -= 6
        row = compare_nights(study, marker_rows(study, "tst_min", value, "min", "", ""), n_draws=999).markers.iloc[0]
        means += row["p"] <= ALPHA
        ranks += row["p_ranks"] <= ALPHA
    return means / repeats, ranks / repeats


def skewed_power(repeats, rng):
    """Return the power of plain values and of logarithms for a power that varies by a factor of 2.2."""
    plain = logs = 0
    for seed in range(repeats):
        study = make_study("pairs", 28, seed=seed)
        second = study.nights["condition"].eq("B").to_numpy()
        value = np.exp(6 + 0.8 * (rng.standard_normal(len(second)) + second))
        for unit, name in (("µV²", "swa_power_uv2"), ("min", "tst_min")):
            stage = ("NREM", "C3") if unit == "µV²" else ("", "")
            row = compare_nights(study, marker_rows(study, name, value, unit, *stage), n_draws=999).markers.iloc[0]
            logs += row["p"] <= ALPHA and unit == "µV²"
            plain += row["p"] <= ALPHA and unit == "min"
    return plain / repeats, logs / repeats


def study_of_doses(seed):
    """Return a study of control and two doses over 30 nights in blocks of three, its codes opened."""
    codes = ("A", "C", "B")
    mechanism = Mechanism("blocks", codes)
    blank = make_study("pairs", 2).nights.iloc[0]
    nights = draw_schedule(mechanism, 30, seed)
    shared = [name for name in STUDY_NIGHTS.column_names if name not in nights]
    nights = nights.assign(**{name: blank[name] for name in shared})[STUDY_NIGHTS.column_names]
    doses = dict(zip(codes, (0.0, 1500.0, 3000.0), strict=True))
    fields = {
        "mechanism": mechanism,
        "conditions": codes,
        "nights": nights,
        "dose_of": doses,
        "primary": ("tst_min||",),
    }
    return dataclasses.replace(make_study("pairs", 2), **fields, doses_mg=tuple(doses.values()), seed=seed)


def two_doses(repeats, rng, low, high):
    """Return how often the trend, the low and the high dose are found, 30 nights in blocks of three, effects in SD."""
    found = np.zeros(3)
    for seed in range(repeats):
        study = study_of_doses(seed)
        effect = study.nights["condition"].map({"C": low, "B": high}).fillna(0.0).to_numpy()
        value = 420 + 10 * (rng.standard_normal(len(effect)) + effect)
        doses = compare_doses(study, marker_rows(study, "tst_min", value, "min", "", ""), n_draws=499)[1].doses
        p = doses.set_index("contrast")["p_adjusted"]
        found += (p[["trend", "low dose", "high dose"]] <= ALPHA).to_numpy()
    return tuple(found / repeats)


def promised_by_doses(effect):
    """Return the power that the plan promises for an effect of the high dose: of the trend, of each dose."""
    study = study_of_doses(0)
    nights = plan_nights(study.mechanism, 30, adaptation_nights=0)
    simulated = simulate_doses(study.mechanism, nights, study.doses_mg, None, 4000, 1999, seed=3)
    return simulated.power(effect, ALPHA), *simulated.power_of_doses(effect, ALPHA)


INSIDE = {
    "tst_min": 420.0,
    "sol_min": 20.0,
    "waso_min": 40.0,
    "swa_power_uv2": 600.0,
    "rem_min": 95.0,
    FAST: 3.0,
    "fast_spindle_frequency_hz": 13.4,
    "fast_spindle_duration_s": 0.8,
    "fast_coupling_strength": 0.3,
}
LIKE = {
    "sedation-like": {"tst_min": 2, "sol_min": -2, "swa_power_uv2": -2, "rem_min": -1.5, FAST: 2}
    | {"fast_spindle_frequency_hz": -2, "fast_coupling_strength": -1.5},
    "restorative-like": {"swa_power_uv2": 2.5, FAST: 2.5},
    "stimulant-like": {"tst_min": -2, "sol_min": 2, "swa_power_uv2": -1.5},
    "selective": {"tst_min": 2.5, "waso_min": -2},
    "none": {},
}


def patterns(like, repeats, rng):
    """Return how often 28 nights with effects like these (in SD) and a next-day score get the pattern's own name."""
    right = 0
    for seed in range(repeats):
        study = make_study("pairs", 28, seed=seed)
        second = study.nights["condition"].eq("B").to_numpy()
        study = dataclasses.replace(study, nights=study.nights.assign(day_vas=rng.standard_normal(len(second))))
        parts = []
        for name, mean in INSIDE.items():
            unit = CATALOGUE[name].unit
            noise = rng.standard_normal(len(second)) + LIKE[like].get(name, 0.0) * second
            where = ("", "") if unit == "min" else ("NREM", "C3")
            parts.append(marker_rows(study, name, mean * (1 + 0.05 * noise), unit, *where))
        right += compare_nights(study, pd.concat(parts), n_draws=999).pattern.iloc[0]["pattern"] == like
    return right / repeats


def seconds_of_sixty_nights():
    """Return the seconds of one processor for a comparison of 60 nights and 260 markers with 9,999 schedules."""
    study = make_study("pairs", 60)
    rng = np.random.default_rng(0)
    values = pd.concat(
        [marker_rows(study, f"m{i}", 10 + rng.standard_normal(62), ("/min", "min")[i % 2]) for i in range(260)]
    )
    start = time.process_time()
    compare_nights(study, values)
    return time.process_time() - start


def list_rows(repeats):
    """Return each row: its name, the figure before, and a function of a generator that gives the figure after."""
    rows = {}
    for n, before in ((2, ".80 promised, .15 real"), (3, ".80, .29"), (4, ".80, .25"), (6, ".80, .48")):
        rows[f"plan: real share of a promised .80, {n} sleepers x 16 nights"] = (
            before,
            lambda rng, n=n: several_sleepers(n, repeats, rng),
        )
    rows["plan: promised and real power, three primary endpoints"] = (
        ".67 promised, .47 real",
        lambda rng: three_primaries(2 * repeats, rng),
    )
    for n, before in ((2, ".24"), (3, ".29"), (4, ".34")):
        rows[f"fixed first phase, shared drift, {n} sleepers: type I"] = (
            before,
            lambda rng, n=n: fixed_first_phase(n, repeats, rng),
        )
    rows["peeking every 2 nights at one alpha: type I"] = (".131", lambda rng: looking(repeats, rng, spent=False))
    rows["declared looks every 2 nights, alpha spent: type I"] = ("-", lambda rng: looking(repeats, rng, spent=True))
    rows["eleven ways to choose a result: how many keep a green badge, and the study without a trick"] = (
        "11",
        lambda rng: play_tricks(),  # noqa: ARG005
    )
    rows["off the path, no effect: any signal, any verdict"] = (
        "-",
        lambda rng: off_the_path(16, repeats, rng, effect=0.0),
    )
    for n in (16, 30):
        rows[f"off the path, 1.5 SD on sleep, {n} nights: signal, verdict"] = (
            "0",
            lambda rng, n=n: off_the_path(n, repeats // 2, rng, effect=1.5),
        )
    rows["observed nights, nothing adjusted: null interval excludes 0"] = (
        ".358",
        lambda rng: observed_null(repeats, rng, adjusted=False),
    )
    rows["observed nights, adjusted: null interval excludes 0"] = (
        ".358",
        lambda rng: observed_null(repeats, rng, adjusted=True),
    )
    rows["nothing but gain x 1.2: verdicts, family B judged, of so many markers"] = (
        "34 verdicts, 6 of 9 in family B",
        lambda rng: nothing_but_gain(max(10, repeats // 20), rng),
    )
    rows["equivalence claimed at a true .5 SD, with a drift"] = (".274", lambda rng: false_equivalence(repeats, rng))
    rows["next day, declared association, 30 nights: by itself, among all"] = (
        ".305",
        lambda rng: next_day(repeats // 2, rng),
    )
    rows["one bad night: power of means, of ranks"] = ("halved", lambda rng: one_bad_night(repeats, rng))
    rows["skewed power: power of values, of logarithms"] = ("-", lambda rng: skewed_power(repeats // 2, rng))
    for like, effects in LIKE.items():
        rows[f"pattern: effects like {like} are named so" if effects else "pattern: no effect has none"] = (
            "-",
            lambda rng, like=like: patterns(like, repeats // 4, rng),
        )
    what = "two doses, 30 nights: trend, low dose, high dose"
    rows[f"{what} found, no effect"] = "-", lambda rng: two_doses(repeats, rng, 0.0, 0.0)
    rows[f"{what} found, only the high dose works, 1.5 SD"] = "-", lambda rng: two_doses(repeats, rng, 0.0, 1.5)
    rows[f"{what} promised for 1.2 SD at the high dose"] = "-", lambda rng: promised_by_doses(1.2)  # noqa: ARG005
    rows[f"{what} found, 1.2 SD at the high dose"] = "-", lambda rng: two_doses(repeats, rng, 0.6, 1.2)
    rows["seconds for 60 nights x 260 markers"] = ("90", lambda rng: seconds_of_sixty_nights())  # noqa: ARG005
    return rows


def show(value):
    """Return a figure or several as text."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(f"{x:.3f}" if abs(x) < 1 else f"{x:.3g}" for x in values)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    rows = list_rows(arguments.repeats)
    with threadpool_limits(1):
        for name, (before, measure) in rows.items():
            if not re.search(arguments.only, name):
                continue
            start = time.perf_counter()
            after = measure(np.random.default_rng([SEED, zlib.crc32(name.encode())]))
            print(f"{name}: before {before}, after {show(after)}  ({time.perf_counter() - start:.0f} s)", flush=True)
            values = [round(float(x), 4) for x in (after if isinstance(after, tuple) else (after,))]
            stored[name] = {"before": before, "after": values, "repeats": arguments.repeats}
    if arguments.write:
        kept = {name: stored[name] for name in rows if name in stored}
        STORED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        lines = ["| what | before | after |", "| --- | --- | --- |"]
        lines += [f"| {name} | {row['before']} | {show(row['after'])} |" for name, row in kept.items()]
        PAGE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
