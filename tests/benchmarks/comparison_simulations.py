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

from eegsleep.statistics import circular, groups, multiplicity, resampling

BASELINE = Path(__file__).with_suffix(".json")
ALPHA = 0.05
SEED = 20260101
DESIGNS = ("pairs", "max-run 2", "max-run 3", "complete", "phases")
NOISES = (
    "iid",
    "AR .3",
    "AR .6",
    "trend 2 SD",
    "weekend 1 SD",
    "adaptation",
    "lognormal",
    "10 % missing",
    "30 % missing",
    "missing when low",
)


def draw_schedules(design, n_nights, n_draws, rng):
    """Return schedules drawn uniformly from the mechanism; kept simple, so that it checks the package's own."""
    if design == "pairs":
        first = rng.random((n_draws, n_nights // 2)) < 0.5
        return np.stack([first, ~first], axis=2).reshape(n_draws, n_nights)
    if design == "phases":  # ABAB or BABA, change points uniform among those with phases of a sixth of the nights
        shortest = n_nights // 6
        spare = n_nights - 4 * shortest
        cuts = np.sort(rng.random((n_draws, spare + 3)).argsort(axis=1)[:, :3], axis=1)
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


def simulate_cell(design, n_nights, noise, repeats, rng, *, effect=0.0, carry_over=0.0, n_draws=499, per_schedule=1):
    """Return rejection rate, coverage of the 95 % interval, its median width and the mean error of the estimate.

    `carry_over` is the share of the effect that is left the night after.
    """
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
        values[:, 1:] += carry_over * effect * drawn[0, :-1]
        schedule = resampling.Schedule(
            drawn[0], drawn[1:], covariates=covariates_of(design, n_nights), statistic=statistic
        )
        found = resampling.shift_statistics(values, schedule)
        low, high = resampling.interval_of_shift(found, ALPHA)
        kept = np.isfinite(found.estimate)
        rejected += list(resampling.p_of_no_shift(found)[kept] <= ALPHA)
        covered += list(((low <= effect) & (effect <= high))[kept])
        widths += list((high - low)[kept])
        errors += list((found.estimate - effect)[kept])
    return {
        "rejected": float(np.mean(rejected)),
        "covered": float(np.mean(covered)),
        "median_width": float(np.median(widths)),
        "bias": float(np.mean(errors)),
    }


def simulate_doses(design, n_nights, noise, repeats, rng, *, low=0.0, high=0.0, n_draws=499):
    """Return how often the trend over 0, .5 and 1, the low and the high dose are found by the closed test.

    `wrong` is how often any is found that has no effect; the trend has none where neither dose has.
    """
    found, wrong = np.zeros(3), 0
    shares = np.array([0.0, 0.5, 1.0])
    for _ in range(repeats):
        drawn = draw_three(design, n_nights, n_draws + 1, rng)
        followed = drawn[0]
        values = make_noise(noise, 1, n_nights, rng) + np.array([0.0, low, high])[followed]
        values = lose_nights(noise, values, rng)
        covariates = None if design == "blocks" else np.linspace(-1, 1, n_nights)[:, np.newaxis]
        doses = shares[drawn]
        schedule = resampling.Schedule(doses[0] > 0, doses[1:] > 0, covariates=covariates, doses=doses)
        p = [float(resampling.p_of_no_shift(resampling.shift_statistics(values, schedule))[0])]
        for dose in (1, 2):
            kept = np.flatnonzero((followed == 0) | (followed == dose))
            two = draw_schedules("pairs" if design == "blocks" else "complete", len(kept), n_draws, rng)
            covariates = None if design == "blocks" else np.linspace(-1, 1, n_nights)[kept, np.newaxis]
            schedule = resampling.Schedule(followed[kept] == dose, two, covariates=covariates)
            one = float(resampling.p_of_no_shift(resampling.shift_statistics(values[:, kept], schedule))[0])
            p.append(max(p[0], one))
        rejected = np.array(p) <= ALPHA
        found += rejected
        wrong += bool((rejected & (np.array([low or high, low, high]) == 0)).any())
    names = ("trend", "low dose", "high dose")
    return {**{name: float(n) / repeats for name, n in zip(names, found, strict=True)}, "wrong": wrong / repeats}


def draw_three(design, n_nights, n_draws, rng):
    """Return schedules of three conditions, drawn without the package: in blocks of three, or in any order."""
    if design == "blocks":
        return rng.random((n_draws, n_nights // 3, 3)).argsort(axis=2).reshape(n_draws, n_nights)
    return np.repeat(np.arange(3), n_nights // 3)[rng.random((n_draws, n_nights)).argsort(axis=1)]


def simulate_family_wise_error(
    design, n_nights, repeats, rng, *, n_markers=8, correlation=0.6, n_draws=499, effect=0.0
):
    """Return how often min-P and Holm reject a true null, and how often they find one effect among nulls."""
    wrong, found = {"min-P": 0, "Holm": 0}, {"min-P": 0, "Holm": 0}
    statistic = "phase means" if design == "phases" else "difference"
    for _ in range(repeats):
        drawn = draw_schedules(design, n_nights, n_draws + 1, rng)
        shared = rng.standard_normal(n_nights)
        values = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * rng.standard_normal(
            (n_markers, n_nights)
        )
        values[0] += effect * drawn[0]
        statistics = resampling.shift_statistics(values, resampling.Schedule(drawn[0], drawn[1:], statistic=statistic))
        ways = {
            "min-P": multiplicity.max_t(*resampling.extremeness(statistics)),
            "Holm": multiplicity.holm(resampling.p_of_no_shift(statistics)),
        }
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


def simulate_groups(design, n_subjects, n_nights, spread, repeats, rng, *, effect=0.0, n_before=0):
    """Return rejection rate and coverage of what decides over subjects, and of the mixed model alone.

    `n_before` nights of each subject before the first condition are a covariate of parallel groups.
    """
    counts = dict.fromkeys(("rejected", "covered", "Kenward-Roger rejected", "subject means rejected"), 0)
    for _ in range(repeats):
        if design == "crossover":
            order = rng.permutation(np.arange(n_subjects) % 2 == 1)
            assigned = np.concatenate([np.repeat([o, not o], n_nights) for o in order])
            periods = np.tile(np.repeat([0.0, 1.0], n_nights), n_subjects)
            periods = np.column_stack([periods, np.repeat(order, 2 * n_nights)])
            each, kind = 2 * n_nights, "within"
        elif design in DESIGNS:
            assigned = draw_schedules(design, n_nights, n_subjects, rng).ravel()
            periods = np.tile(np.linspace(-1, 1, n_nights), n_subjects)[:, np.newaxis]
            each, kind = n_nights, "within"
        else:
            assigned = np.repeat(rng.permutation(np.arange(n_subjects) % 2 == 1), n_nights)
            periods, each, kind = None, n_nights, "between"
        subjects = np.repeat(np.arange(n_subjects), each)
        slopes = effect + spread * rng.standard_normal(n_subjects)
        level = rng.standard_normal(n_subjects)
        values = level[subjects] + slopes[subjects] * assigned
        values = values + rng.standard_normal(len(subjects))
        if n_before:
            before = level + rng.standard_normal((n_before, n_subjects)).mean(axis=0)
            periods = (before - before.mean())[subjects][:, np.newaxis]
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
    return _list_cells_of_one(repeats) | _list_cells_of_doses(repeats) | _list_cells_of_many(repeats)


def _list_cells_of_one(repeats):
    cells = {}
    for design, n_nights, noise in itertools.product(DESIGNS, (12, 20, 28, 40, 60), NOISES):
        cells[f"{design}, {n_nights} nights, {noise}"] = simulate_cell, (design, n_nights, noise), {}, 3 * repeats
    for design, n_nights, effect in itertools.product(DESIGNS, (12, 20, 28, 40, 60), (0.5, 0.8, 1, 1.5)):
        name = f"{design}, {n_nights} nights, iid, effect {effect:g} SD"
        cells[name] = simulate_cell, (design, n_nights, "iid"), {"effect": effect}, repeats
    # Pairs show 1 - left / 2 of such an effect, and phases 1 + left, what it has built up to: neither is an error
    # of the test, and coverage of the effect of one night is not to be had.
    for design, left in itertools.product(DESIGNS, (0.3, 0.6)):
        name = f"{design}, 28 nights, iid, effect 1 SD of which {left:g} are left the next night"
        cells[name] = simulate_cell, (design, 28, "iid"), {"effect": 1.0, "carry_over": left}, repeats
    for design, n_nights, effect in itertools.product(("complete", "pairs", "phases"), (12, 20, 40), (0.0, 0.8, 3.0)):
        if effect < 3 or design == "phases":
            name = f"min-P, 8 markers, {design}, {n_nights} nights"
            name += f", effect {effect:g} SD in one" if effect else ""
            cells[name] = simulate_family_wise_error, (design, n_nights), {"effect": effect}, 3 * repeats
    for design, n_nights, bound in (("complete", 28, 1.0), ("complete", 60, 0.5), ("pairs", 40, 0.8)):
        for estimated in (False, True):
            name = f"equivalence, {design}, {n_nights} nights, {bound:g} SD" + (" as estimated" if estimated else "")
            settings = {"bound": bound, "estimated": estimated}
            cells[name] = simulate_equivalence, (design, n_nights), settings, 2 * repeats
    for n_nights in (12, 20, 28, 40):
        cells[f"phase, {n_nights} nights"] = simulate_phase, (n_nights,), {}, 3 * repeats
    return cells


def _list_cells_of_doses(repeats):
    cells = {}
    for design, n_nights, noise in itertools.product(("blocks", "complete"), (15, 30, 48), NOISES):
        cells[f"doses, {design}, {n_nights} nights, {noise}"] = simulate_doses, (design, n_nights, noise), {}, repeats
    for design, n_nights, (low, high) in itertools.product(
        ("blocks", "complete"), (30, 48), ((0.0, 1.5), (1.5, 0.0), (0.5, 1.0), (0.75, 1.5))
    ):
        name = f"doses, {design}, {n_nights} nights, iid, effects {low:g} and {high:g} SD"
        cells[name] = simulate_doses, (design, n_nights, "iid"), {"low": low, "high": high}, repeats
    return cells


def _list_cells_of_many(repeats):
    cells = {}
    for n_subjects, n_nights, spread in itertools.product((6, 10, 20), (1, 3, 7), (0.0, 0.5)):
        name = f"crossover, {n_subjects} subjects, {n_nights} nights, effects differ by {spread:g} SD"
        times = repeats if n_nights > 1 else 4 * repeats
        cells[name] = simulate_groups, ("crossover", n_subjects, n_nights, spread), {}, times
    for design, n_subjects, spread in itertools.product(("pairs", "complete"), (4, 8), (0.0, 0.5)):
        name = f"{n_subjects} subjects, 14 nights each in {design}, effects differ by {spread:g} SD"
        cells[name] = simulate_groups, (design, n_subjects, 14, spread), {}, repeats
    for n_subjects, n_nights in itertools.product((10, 20), (1, 5)):
        name = f"parallel, {n_subjects} subjects, {n_nights} nights"
        cells[name] = simulate_groups, ("parallel", n_subjects, n_nights, 0.0), {}, 2 * repeats
    for n_subjects, n_before, effect in itertools.product((10, 20), (0, 3), (0.0, 0.8)):
        if n_before or effect:
            name = f"parallel, {n_subjects} subjects, 5 nights, {n_before} before"
            name += f", effect {effect:g} SD" if effect else ""
            settings = {"effect": effect, "n_before": n_before}
            cells[name] = simulate_groups, ("parallel", n_subjects, 5, 0.0), settings, 2 * repeats
    return cells


def _round(numbers):
    """Return the numbers to six decimals; what lies beyond differs between machines."""
    return {name: _round(x) if isinstance(x, dict) else round(x, 6) for name, x in numbers.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    stored = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    start = time.perf_counter()
    cells = list_cells(arguments.repeats)
    for name, (simulate, given, settings, repeats) in cells.items():
        if not re.search(arguments.only, name):
            continue
        rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
        numbers = _round({"repeats": repeats, **simulate(*given, repeats=repeats, rng=rng, **settings)})
        before = stored.get(name)
        print(f"{name}: {numbers}" + ("" if before == numbers else f"  (baseline {before})"), flush=True)
        if arguments.write:
            stored[name] = numbers
            kept = {cell: stored[cell] for cell in cells if cell in stored}
            BASELINE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
