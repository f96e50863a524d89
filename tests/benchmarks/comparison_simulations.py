"""Do the tests of a comparison keep their promises? Type-I error, coverage, family-wise error, false equivalence.

    python tests/benchmarks/comparison_simulations.py [--repeats 2000] [--only REGEX] [--write]

Simulates studies (design x nights x noise), analyses each as `compare_nights` would, and compares with the
baseline stored beside it; `--write` replaces the baseline. Every cell has its own seed, so that a part of the
grid gives the same numbers as all of it; what takes longer is repeated less often, and each cell says how often.
"""

import argparse
import itertools
import json
import math
import re
import time
import zlib
from pathlib import Path

import numpy as np

from eegsleep.study import circular, groups, multiplicity, resampling

BASELINE = Path(__file__).with_suffix(".json")
ALPHA = 0.05
SEED = 20260101
DESIGNS = ("pairs", "max-run 2", "max-run 3", "complete", "phases")
NOISES = (
    "iid", "AR .3", "AR .6", "trend 2 SD", "weekend 1 SD", "adaptation", "lognormal", "10 % missing", "30 % missing",
    "missing when low",
)  # fmt: skip


def draw_schedules(design, n_nights, n_draws, rng):
    """Return schedules drawn uniformly from the mechanism; kept simple, so that it checks the package's own."""
    if design == "pairs":
        first = rng.random((n_draws, n_nights // 2)) < 0.5
        return np.stack([first, ~first], axis=2).reshape(n_draws, n_nights)
    if design == "phases":  # ABAB or BABA, change points uniform among those with phases of a sixth of the nights
        shortest = n_nights // 6
        spare = n_nights - 4 * shortest
        cuts = np.sort(np.array([rng.choice(spare + 3, 3, replace=False) for _ in range(n_draws)]), axis=1)
        ends = cuts - np.arange(3) + shortest * np.arange(1, 4)
        phase = (np.arange(n_nights) >= ends[:, :, np.newaxis]).sum(axis=1)
        return ((phase % 2) == 1) ^ (rng.random((n_draws, 1)) < 0.5)
    if design == "complete":
        base = np.tile(np.arange(n_nights) % 2 == 1, (n_draws, 1))
        return rng.permuted(base, axis=1)
    return _draw_max_run(n_nights, int(design.split()[1]), n_draws, rng)


def _draw_max_run(n_nights, longest, n_draws, rng):
    half = n_nights // 2
    ways = {}

    def count(ones, zeros, last, run):
        if ones > half or zeros > half or run > longest:
            return 0
        if ones + zeros == n_nights:
            return 1
        key = ones, zeros, last, run
        if key not in ways:
            ways[key] = count(ones + 1, zeros, 1, run + 1 if last == 1 else 1) + count(
                ones, zeros + 1, 0, run + 1 if last == 0 else 1
            )
        return ways[key]

    chances = {}
    drawn = np.zeros((n_draws, n_nights), dtype=bool)
    uniform = rng.random((n_draws, n_nights))
    for row, chance in zip(drawn, uniform, strict=True):
        state = (0, 0, -1, 0)
        for night in range(n_nights):
            if state not in chances:
                ones, zeros, last, run = state
                to_one = count(ones + 1, zeros, 1, run + 1 if last == 1 else 1)
                chances[state] = to_one / (to_one + count(ones, zeros + 1, 0, run + 1 if last == 0 else 1))
            ones, zeros, last, run = state
            row[night] = chance[night] < chances[state]
            now = int(row[night])
            state = (ones + now, zeros + 1 - now, now, run + 1 if last == now else 1)
    return drawn


def make_noise(noise, n_series, n_nights, rng):
    """Return nights of unit standard deviation between nights, and what the noise adds."""
    e = rng.standard_normal((n_series, n_nights))
    if noise.startswith("AR"):
        phi = float(noise.split()[1])
        for night in range(1, n_nights):
            e[:, night] = phi * e[:, night - 1] + math.sqrt(1 - phi**2) * e[:, night]
    elif noise == "trend 2 SD":
        e += np.linspace(-1, 1, n_nights)
    elif noise == "weekend 1 SD":
        e += np.isin(np.arange(n_nights) % 7, (4, 5))
    elif noise == "adaptation":
        e[:, :3] += [-1.5, -0.8, -0.4]
    elif noise == "lognormal":
        e = (np.exp(0.8 * e) - math.exp(0.32)) / math.sqrt((math.exp(0.64) - 1) * math.exp(0.64))
    return e


def lose_nights(noise, values, rng):
    """Return the values with nights lost: at random, or more often when low."""
    if "missing" not in noise:
        return values
    chance = float(noise.split()[0]) / 100 if noise[0].isdigit() else np.where(values < 0, 0.3, 0.05)
    return np.where(rng.random(values.shape) < chance, np.nan, values)


def covariates_of(design, n_nights):
    """Return what `compare_nights` adjusts for in the design."""
    return None if design in {"pairs", "phases"} else np.linspace(-1, 1, n_nights)[:, np.newaxis]


def simulate_cell(design, n_nights, noise, repeats, rng, *, effect=0.0, n_draws=499, per_schedule=1):
    """Return rejection rate, coverage of the 95 % interval, its median width and the mean error of the estimate."""
    rejected, covered, widths, errors = [], [], [], []
    statistic = "phase means" if design == "phases" else "difference"
    pool = draw_schedules(design, n_nights, 20_000 if design.startswith("max-run") else 1, rng)
    for _ in range(math.ceil(repeats / per_schedule)):
        if design.startswith("max-run"):
            drawn = pool[rng.choice(len(pool), n_draws + 1, replace=False)]
        else:
            drawn = draw_schedules(design, n_nights, n_draws + 1, rng)
        values = make_noise(noise, per_schedule, n_nights, rng)
        values = lose_nights(noise, values, rng) + effect * drawn[0]
        schedule = resampling.Schedule(
            drawn[0], drawn[1:], covariates=covariates_of(design, n_nights), statistic=statistic
        )
        found = resampling.shift_statistics(values, schedule)
        low, high = resampling.interval_of_shift(found, ALPHA)
        kept = np.isfinite(found.estimate)
        rejected += list(resampling.p_of_shift(found)[kept] <= ALPHA)
        covered += list(((low <= effect) & (effect <= high))[kept])
        widths += list((high - low)[kept])
        errors += list((found.estimate - effect)[kept])
    return {"rejected": float(np.mean(rejected)), "covered": float(np.mean(covered)),
            "median_width": float(np.median(widths)), "bias": float(np.mean(errors))}  # fmt: skip


def simulate_family_wise_error(n_nights, repeats, rng, *, n_markers=8, correlation=0.6, n_draws=499, effect=0.0):
    """Return how often max-T and Holm reject a true null, and how often they find one effect among nulls."""
    wrong, found = {"max-T": 0, "Holm": 0}, {"max-T": 0, "Holm": 0}
    for _ in range(repeats):
        drawn = draw_schedules("complete", n_nights, n_draws + 1, rng)
        shared = rng.standard_normal(n_nights)
        values = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * rng.standard_normal(
            (n_markers, n_nights)
        )
        values[0] += effect * drawn[0]
        statistics = resampling.shift_statistics(values, resampling.Schedule(drawn[0], drawn[1:]))
        ways = {"max-T": multiplicity.max_t(*resampling.extremeness(statistics)),
                "Holm": multiplicity.holm(resampling.p_of_shift(statistics))}  # fmt: skip
        for name, adjusted in ways.items():
            wrong[name] += bool((adjusted[1 if effect else 0 :] <= ALPHA).any())
            found[name] += bool(adjusted[0] <= ALPHA)
    return {name: {"family_wise_error": wrong[name] / repeats, "power": found[name] / repeats} for name in wrong}


def simulate_equivalence(design, n_nights, repeats, rng, *, bound, estimated=False, n_draws=499):
    """Return how often equivalence is claimed at the bound itself, where it is false, and at no effect."""
    claims = {}
    for name, effect in (("at the bound", bound), ("at no effect", 0.0)):
        count = 0
        for _ in range(repeats):
            drawn = draw_schedules(design, n_nights, n_draws + 1, rng)
            values = make_noise("iid", 1, n_nights, rng) + effect * drawn[0]
            schedule = resampling.Schedule(drawn[0], drawn[1:], covariates=covariates_of(design, n_nights))
            low, high = resampling.interval_of_shift(resampling.shift_statistics(values, schedule), 0.10)
            limit = bound * values[0][~drawn[0]].std(ddof=1) if estimated else bound
            count += bool(-limit < low[0] and high[0] < limit)
        claims[name] = count / repeats
    return claims


def simulate_groups(design, n_subjects, n_nights, spread, repeats, rng, *, effect=0.0):
    """Return rejection rate and coverage of what decides over subjects, and of the mixed model alone."""
    counts = dict.fromkeys(("rejected", "covered", "Kenward-Roger rejected", "subject means rejected"), 0)
    for _ in range(repeats):
        if design == "crossover":
            order = rng.permutation(np.arange(n_subjects) % 2 == 1)
            assigned = np.concatenate([np.repeat([o, not o], n_nights) for o in order])
            periods = np.tile(np.repeat([0.0, 1.0], n_nights), n_subjects)
            periods = np.column_stack([periods, np.repeat(order, 2 * n_nights)])
            each, kind = 2 * n_nights, "within"
        else:
            assigned = np.repeat(rng.permutation(np.arange(n_subjects) % 2 == 1), n_nights)
            periods, each, kind = None, n_nights, "between"
        subjects = np.repeat(np.arange(n_subjects), each)
        slopes = effect + spread * rng.standard_normal(n_subjects)
        values = rng.standard_normal(n_subjects)[subjects] + slopes[subjects] * assigned
        values = values + rng.standard_normal(len(subjects))
        found = groups.compare_groups(values, assigned, subjects, kind, periods)
        counts["rejected"] += found.chosen.p <= ALPHA
        counts["covered"] += found.chosen.low <= effect <= found.chosen.high
        counts["Kenward-Roger rejected"] += bool(found.kenward_roger and found.kenward_roger.p <= ALPHA)
        counts["subject means rejected"] += found.subject_means.p <= ALPHA
    return {name: float(count) / repeats for name, count in counts.items()}


def simulate_phase(n_nights, repeats, rng, *, n_draws=499, effect=0.0):
    """Return rejection rate and coverage for nightly phases of concentration 2."""
    rejected = covered = 0
    for _ in range(repeats):
        drawn = draw_schedules("complete", n_nights, n_draws + 1, rng)
        angles = rng.vonmises(0, 2, n_nights) + effect * drawn[0]
        found = circular.compare_phases(angles, resampling.Schedule(drawn[0], drawn[1:]))
        rejected += found.p <= ALPHA
        covered += bool(np.isnan(found.low) or np.isnan(found.high) or found.low <= effect <= found.high)
    return {"rejected": rejected / repeats, "covered": covered / repeats}


def list_cells(repeats):
    """Return every cell of the grid by name: the function, its arguments, and how often it is repeated."""
    cells = {}
    for design, n_nights, noise in itertools.product(DESIGNS, (12, 20, 28, 40, 60), NOISES):
        if noise == "iid" or n_nights <= 28:
            times = repeats if design == "phases" else 3 * repeats
            cells[f"{design}, {n_nights} nights, {noise}"] = simulate_cell, (design, n_nights, noise), {}, times
    for design, n_nights, effect in itertools.product(("pairs", "complete"), (12, 20, 28, 40, 60), (0.5, 0.8, 1, 1.5)):
        name = f"{design}, {n_nights} nights, iid, effect {effect:g} SD"
        cells[name] = simulate_cell, (design, n_nights, "iid"), {"effect": effect}, repeats
    for n_nights, effect in itertools.product((12, 20, 40), (0.0, 0.8)):
        name = f"max-T, 8 markers, {n_nights} nights" + (f", effect {effect:g} SD in one" if effect else "")
        cells[name] = simulate_family_wise_error, (n_nights,), {"effect": effect}, 3 * repeats
    for design, n_nights, bound in (("complete", 28, 1.0), ("complete", 60, 0.5), ("pairs", 40, 0.8)):
        for estimated in (False, True):
            name = f"equivalence, {design}, {n_nights} nights, {bound:g} SD" + (" as estimated" if estimated else "")
            settings = {"bound": bound, "estimated": estimated}
            cells[name] = simulate_equivalence, (design, n_nights), settings, 2 * repeats
    for n_subjects, n_nights, spread in itertools.product((6, 10, 20), (1, 3, 7), (0.0, 0.5)):
        name = f"crossover, {n_subjects} subjects, {n_nights} nights, effects differ by {spread:g} SD"
        cells[name] = simulate_groups, ("crossover", n_subjects, n_nights, spread), {}, repeats // 4
    for n_subjects in (10, 20):
        name = f"parallel, {n_subjects} subjects, 5 nights"
        cells[name] = simulate_groups, ("parallel", n_subjects, 5, 0.0), {}, repeats // 2
    for n_nights in (12, 20, 28):
        cells[f"phase, {n_nights} nights"] = simulate_phase, (n_nights,), {}, repeats
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    stored = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    start = time.perf_counter()
    for name, (simulate, given, settings, repeats) in list_cells(arguments.repeats).items():
        if not re.search(arguments.only, name):
            continue
        rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
        numbers = {"repeats": repeats, **simulate(*given, repeats=repeats, rng=rng, **settings)}
        before = stored.get(name)
        print(f"{name}: {numbers}" + ("" if before == numbers else f"  (baseline {before})"), flush=True)
        if arguments.write:
            stored[name] = numbers
            BASELINE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
