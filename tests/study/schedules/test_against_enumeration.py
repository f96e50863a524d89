"""p-values of tiny designs, against every schedule written out and every statistic worked out one by one."""

import itertools
import math
import operator
from fractions import Fraction

import numpy as np
import pytest
from redrawing import redrawn_p

from eegsleep.statistics import circular, multiplicity, resampling
from eegsleep.study.schedules.mechanisms import Mechanism, enumerate_all
from eegsleep.study.schedules.schedule import plan_nights


def _runs(schedule):
    return [len(list(group)) for _, group in itertools.groupby(schedule)]


def _written_out(kind, n):
    """Return every schedule of `n` nights, found by trying all sequences of two codes."""
    fits = {
        "pairs": lambda z: all(z[i] != z[i + 1] for i in range(0, n, 2)),
        "max-run": lambda z: 2 * sum(z) == n and max(_runs(z)) <= 2,
        "complete": lambda z: 2 * sum(z) == n,
        "phases": lambda z: len(_runs(z)) == 4 and min(_runs(z)) >= 3,
    }[kind]
    return [z for z in itertools.product((0, 1), repeat=n) if fits(z)]


def _phase_statistic(z, y):
    """Return the mean of phase means, second minus first; None with fewer than two values in a condition."""
    values, phases, at = {0: [], 1: []}, {0: [], 1: []}, 0
    for length in _runs(z):
        own = [v for v in y[at : at + length] if v is not None]
        values[z[at]] += own
        if own:
            phases[z[at]].append(sum(own) / len(own))
        at += length
    if min(len(values[0]), len(values[1])) < 2:
        return None
    return sum(phases[1]) / len(phases[1]) - sum(phases[0]) / len(phases[0])


def _squares_left(columns, y):
    """Return the sum of squares that a regression leaves, by elimination; None where it has no one solution."""
    k = len(columns)
    rows = [[sum(map(operator.mul, a, b)) for b in (*columns, y)] for a in columns]
    for i in range(k):
        if not rows[i][i]:
            return None
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for other in (j for j in range(k) if j != i):
            rows[other] = [v - rows[other][i] * w for v, w in zip(rows[other], rows[i], strict=True)]
    return sum(
        (v - sum(row[k] * column[night] for row, column in zip(rows, columns, strict=True))) ** 2
        for night, v in enumerate(y)
    )


def _f_statistic(z, y, time):
    """Return F of the condition in a regression, or None with fewer than two values in a condition."""
    kept = [i for i in range(len(y)) if y[i] is not None]
    condition, y = [Fraction(z[i]) for i in kept], [y[i] for i in kept]
    if min(sum(condition), len(y) - sum(condition)) < 2:
        return None
    others = [[Fraction(1)] * len(y)] + ([] if time is None else [[time[i] for i in kept]])
    without, with_it = _squares_left(others, y), _squares_left([*others, condition], y)
    if without is None or with_it is None:
        return None
    return math.inf if with_it == 0 < without else 0 if without == 0 else (without - with_it) / with_it


def _p_by_hand(kind, schedules, followed, y, time):
    """Return p in exact fractions, so that what is equal is equal."""
    y = [None if math.isnan(v) else Fraction(float(v)) for v in y]
    if kind == "phases":
        statistics = {z: _phase_statistic(z, y) for z in schedules}
        judged = [s for s in statistics.values() if s is not None]
        if not judged:
            return math.nan
        centre = sum(judged) / len(judged)
        statistics = {z: None if s is None else abs(s - centre) for z, s in statistics.items()}
    else:
        time = None if time is None else [Fraction(float(t)) for t in time]
        statistics = {z: _f_statistic(z, y, time) for z in schedules}
    own = statistics[followed]
    if own is None:
        return math.nan
    return sum(s is None or s >= own for s in statistics.values()) / len(statistics)


DESIGNS = {
    "pairs": (Mechanism("pairs"), 12, False),
    "max-run": (Mechanism("max-run", max_run=2), 10, True),
    "complete": (Mechanism("complete"), 8, True),
    "phases": (Mechanism("phases", min_phase=3), 16, False),
}


def _awkward_values(n, rng):
    """Yield nights of every awkward kind: ties, gaps, hardly any spread, one night left in a condition."""
    for _ in range(3):
        yield rng.standard_normal(n)
        yield rng.integers(0, 3, n).astype(float)
        yield 1e6 + 1e-3 * rng.standard_normal(n)
        yield 1e-9 * rng.standard_normal(n)
        yield np.where(rng.random(n) < 0.3, np.nan, rng.standard_normal(n))
        yield np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 3, n).astype(float))
        yield np.where(np.arange(n) < n // 2, np.nan, rng.standard_normal(n))
    one = np.zeros(n)
    one[3] = 1.0
    yield one


@pytest.mark.nightly
@pytest.mark.parametrize("kind", DESIGNS)
def test_p_is_that_of_every_schedule_written_out(kind):
    mechanism, n, adjusted = DESIGNS[kind]
    time = np.arange(n) if adjusted else None
    draws = enumerate_all(mechanism, plan_nights(mechanism, n, adaptation_nights=0))
    schedules = _written_out(kind, n)
    assert {tuple(row) for row in draws.astype(int)} == set(schedules)
    rng = np.random.default_rng(1)
    for y in _awkward_values(n, rng):
        followed = draws[rng.integers(len(draws))]
        found = redrawn_p(
            y,
            followed,
            draws,
            statistic="phase means" if kind == "phases" else "difference",
            complete=True,
            covariates=None if time is None else time[:, np.newaxis],
        )[0]
        assert found == pytest.approx(_p_by_hand(kind, schedules, tuple(followed.astype(int)), y, time), nan_ok=True), y


@pytest.mark.parametrize("kind", DESIGNS)
def test_a_marker_that_never_changes_has_p_one(kind):
    """Also where its constant is not exact in binary, and where nights are missing."""
    mechanism, n, adjusted = DESIGNS[kind]
    draws = enumerate_all(mechanism, plan_nights(mechanism, n, adaptation_nights=0))
    values = np.full((4, n), 0.1) * np.array([[1.0], [3e8], [-1e-12], [0.0]])
    values[:, [1, 6]] = np.nan
    schedule = resampling.Schedule(
        draws[5],
        draws,
        complete=True,
        covariates=np.arange(n)[:, np.newaxis] if adjusted else None,
        statistic="phase means" if kind == "phases" else "difference",
    )
    found = resampling.shift_statistics(values, schedule)
    assert resampling.p_of_no_shift(found).tolist() == [1.0] * 4
    np.testing.assert_allclose(found.estimate, 0.0, atol=1e-7)
    scores, seen = resampling.extremeness(found)
    assert multiplicity.max_t(scores, seen)[np.isfinite(seen)].tolist() == [1.0] * int(np.isfinite(seen).sum())


@pytest.mark.parametrize("kind", DESIGNS)
def test_nothing_but_nan_comes_from_a_condition_without_nights(kind):
    mechanism, n, _ = DESIGNS[kind]
    draws = enumerate_all(mechanism, plan_nights(mechanism, n, adaptation_nights=0))
    followed = draws[7]
    values = np.tile(np.arange(float(n)), (3, 1))
    values[0, followed] = np.nan  # no night of the second condition
    values[1, np.flatnonzero(followed)[1:]] = np.nan  # one night
    values[2] = np.nan
    schedule = resampling.Schedule(
        followed, draws, complete=True, statistic="phase means" if kind == "phases" else "difference"
    )
    found = resampling.shift_statistics(values, schedule)
    low, high = resampling.interval_of_shift(found, 0.05)
    for array in (resampling.p_of_no_shift(found), found.estimate, low, high, resampling.extremeness(found)[1]):
        assert np.isnan(array).all()
    assert found.n_second.tolist() == [0, 1, 0]


@pytest.mark.nightly
@pytest.mark.parametrize("kind", DESIGNS)
def test_both_ends_of_the_interval_are_where_p_crosses_alpha(kind):
    """Found here by p at many shifts, each worked out from every schedule written out."""
    mechanism, n, adjusted = DESIGNS[kind]
    time = np.arange(n) if adjusted else None
    draws = enumerate_all(mechanism, plan_nights(mechanism, n, adaptation_nights=0))
    schedules = _written_out(kind, n)
    rng = np.random.default_rng(2)
    for trial in range(4):
        followed = draws[rng.integers(len(draws))]
        y = rng.standard_normal(n) + 2 * followed
        if trial == 3:
            y[[2, 9 % n]] = np.nan
        alpha = 0.1
        schedule = resampling.Schedule(
            followed,
            draws,
            statistic="phase means" if kind == "phases" else "difference",
            complete=True,
            covariates=None if time is None else time[:, np.newaxis],
        )
        low, high = resampling.interval_of_shift(resampling.shift_statistics(y, schedule), alpha)
        seen = tuple(followed.astype(int))
        for end, outwards in ((low[0], -1), (high[0], 1)):
            if np.isinf(end):
                far = y - outwards * 50 * followed
                assert _p_by_hand(kind, schedules, seen, far, time) > alpha
                continue
            for step, inside in ((1e-3, False), (-1e-3, True)):
                p = _p_by_hand(kind, schedules, seen, y - (end + outwards * step) * followed, time)
                if inside and kind == "phases":  # draws steeper than the one followed make it a little wide
                    continue
                assert (p > alpha) == inside, (trial, end, outwards, step, p)


def test_angles_are_compared_by_every_schedule_written_out():
    draws = enumerate_all(Mechanism("complete"), plan_nights(Mechanism("complete"), 8, adaptation_nights=0))
    schedules = _written_out("complete", 8)
    rng = np.random.default_rng(3)
    for trial in range(6):
        angles = rng.vonmises(3.0, 1.5, 8)
        if trial > 3:
            angles[trial] = np.nan

        def statistic(z, angles=angles):
            arms = [[a for a, c in zip(angles, z, strict=True) if c == arm and not math.isnan(a)] for arm in (0, 1)]
            if min(map(len, arms)) < 2:
                return math.inf
            return sum(math.hypot(sum(map(math.cos, arm)), sum(map(math.sin, arm))) for arm in arms)

        own = statistic(tuple(draws[11].astype(int)))
        expected = sum(statistic(z) >= own - 1e-9 for z in schedules) / len(schedules)
        found = circular.compare_phases(angles, resampling.Schedule(draws[11], draws, complete=True))
        assert found.p == pytest.approx(expected)


def test_several_markers_are_adjusted_as_by_hand():
    """Step-down min-P: at each step the share of schedules in which any marker left is as extreme."""
    draws = enumerate_all(Mechanism("complete"), plan_nights(Mechanism("complete"), 10, adaptation_nights=0))
    rng = np.random.default_rng(4)
    followed = draws[40]
    values = rng.standard_normal((4, 10)) + np.array([[2.0], [1.0], [0.0], [0.0]]) * followed
    values[2] = np.nan
    found = resampling.shift_statistics(values, resampling.Schedule(followed, draws, complete=True))
    p = {}
    for marker in (0, 1, 3):
        sizes = [abs(values[marker][z].mean() - values[marker][~z].mean()) for z in draws]
        p[marker] = [sum(other >= size - 1e-9 for other in sizes) / len(sizes) for size in sizes]
    raw = {marker: p[marker][40] for marker in p}
    adjusted, left = {}, sorted(raw, key=raw.get)
    while left:
        share = sum(min(p[m][b] for m in left) <= raw[left[0]] + 1e-12 for b in range(len(draws))) / len(draws)
        adjusted[left[0]] = max([share, *adjusted.values()])
        left = left[1:]
    by_package = multiplicity.max_t(*resampling.extremeness(found))
    assert np.isnan(by_package[2])
    for marker, value in adjusted.items():  # ties of rank are told apart by the statistic: never above
        assert raw[marker] - 1e-12 <= by_package[marker] <= value + 1e-12
    plain = np.floor(resampling.extremeness(found)[0]), np.floor(resampling.extremeness(found)[1])
    for marker, value in adjusted.items():
        assert multiplicity.max_t(*plain)[marker] == pytest.approx(value)
