"""Re-randomisation: the p-value and its interval do what their definitions say, on nights of every kind."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from redrawing import p_of_shift, redrawn_p
from scipy import stats

from eegsleep.errors import SettingsError
from eegsleep.statistics import circular, multiplicity, phase_means, resampling
from eegsleep.study.schedules.mechanisms import Mechanism, enumerate_all
from eegsleep.study.schedules.schedule import plan_nights

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import comparison_simulations as simulations


def _complete(n_nights):
    """Return every schedule with half of the nights in the second condition."""
    rows = np.zeros((0, n_nights), dtype=bool)
    chosen = np.array(list(itertools.combinations(range(n_nights), n_nights // 2)))
    rows = np.zeros((len(chosen), n_nights), dtype=bool)
    np.put_along_axis(rows, chosen, values=True, axis=1)
    return rows


def _by_definition(values, schedule, delta=0.0):
    """Return p by regressing the values on each schedule in turn, with nothing shared or closed."""

    def t_statistic(z, y):
        kept = np.isfinite(y)
        x = np.column_stack([z, np.ones(len(z)), *([] if schedule.covariates is None else schedule.covariates.T)])[kept]
        beta, _, rank, _ = np.linalg.lstsq(x, y[kept], rcond=None)
        residual = y[kept] - x @ beta
        return abs(beta[0]) / np.sqrt(residual @ residual / (len(x) - rank) * np.linalg.inv(x.T @ x)[0, 0])

    shifted = values - delta * schedule.assigned
    seen = t_statistic(schedule.assigned, shifted)
    drawn = [t_statistic(z, shifted) for z in schedule.draws]
    return np.mean(np.array(drawn) >= seen * (1 - 1e-9))


def test_p_is_the_share_of_schedules_with_as_large_a_t():
    rng = np.random.default_rng(0)
    draws = _complete(10)
    for missing in (False, True):
        values = rng.standard_normal(10)
        values[3] = np.nan if missing else values[3]
        schedule = resampling.Schedule(
            draws[17], draws, complete=True, covariates=np.linspace(-1, 1, 10)[:, np.newaxis]
        )
        found = resampling.shift_statistics(values, schedule)
        assert resampling.p_of_no_shift(found)[0] == pytest.approx(_by_definition(values, schedule))
        assert p_of_shift(values, schedule, 0.7)[0] == pytest.approx(_by_definition(values, schedule, 0.7))


@pytest.mark.parametrize("design", ["pairs", "max-run 2", "complete", "phases"])
def test_the_interval_holds_exactly_the_shifts_that_are_not_rejected(design):
    rng = np.random.default_rng(1)
    drawn = simulations.draw_schedules(design, 20, 400, rng)
    values = rng.standard_normal((3, 20)) + drawn[0]
    values[1, [2, 11]] = np.nan
    statistic = "phase means" if design == "phases" else "difference"
    schedule = resampling.Schedule(
        drawn[0], drawn[1:], covariates=simulations.covariates_of(design, 20), statistic=statistic
    )
    found = resampling.shift_statistics(values, schedule)
    low, high = resampling.interval_of_shift(found, 0.05)
    width = high - low
    if design != "phases":  # there, draws steeper than the schedule followed count everywhere: a little wide
        assert (p_of_shift(values, schedule, low + 1e-6 * width) > 0.05).all()
        assert (p_of_shift(values, schedule, high - 1e-6 * width) > 0.05).all()
    assert (p_of_shift(values, schedule, low - 1e-6 * width) <= 0.05).all()
    assert (p_of_shift(values, schedule, high + 1e-6 * width) <= 0.05).all()


def test_scipy_agrees_where_it_has_the_design():
    rng = np.random.default_rng(2)
    draws = _complete(8)
    values = rng.standard_normal(8)
    z = draws[5]
    by_scipy = stats.permutation_test(
        (values[z], values[~z]), lambda a, b: abs(np.mean(a) - np.mean(b)), alternative="greater"
    )
    assert redrawn_p(values, z, draws, complete=True)[0] == pytest.approx(by_scipy.pvalue)


@pytest.mark.parametrize(("n_nights", "smallest"), [(6, 2 / 20), (8, 2 / 70), (10, 2 / 252)])
def test_smallest_p_of_complete_randomisation(n_nights, smallest):
    draws = _complete(n_nights)
    p = redrawn_p(1000.0 * draws[0] + np.arange(n_nights) / 100, draws[0], draws, complete=True)
    assert p[0] == pytest.approx(smallest)


def test_p_by_random_draws_is_never_zero():
    rng = np.random.default_rng(3)
    drawn = simulations.draw_schedules("complete", 40, 100, rng)
    assert redrawn_p(100.0 * drawn[0], drawn[0], drawn[1:])[0] == pytest.approx(1 / 100)


def test_too_few_schedules_leave_the_interval_open():
    drawn = simulations.draw_schedules("pairs", 6, 1, np.random.default_rng(0))
    orders = np.array(list(itertools.product((True, False), repeat=3)))
    draws = np.stack([orders, ~orders], axis=2).reshape(8, 6)
    values = np.arange(6.0)
    schedule = resampling.Schedule(drawn[0], draws, complete=True, covariates=np.repeat(np.eye(3), 2, axis=0))
    low, high = resampling.interval_of_shift(resampling.shift_statistics(values, schedule), 0.05)
    assert np.isneginf(low[0])
    assert np.isposinf(high[0])


def test_shapes_that_are_not_one_value_a_night_are_refused():
    draws = _complete(8)
    with pytest.raises(SettingsError, match="unit of a comparison is the night"):
        redrawn_p(np.zeros((1, 800)), draws[0], draws)
    with pytest.raises(SettingsError, match="one entry a night"):
        redrawn_p(np.zeros((1, 8)), draws[0], draws[:, :6])
    with pytest.raises(SettingsError, match="could have drawn"):
        redrawn_p(np.zeros((1, 8)), np.ones(8, dtype=bool), draws, complete=True)


def test_a_condition_with_one_value_gives_nothing():
    draws = _complete(8)
    values = np.arange(8.0)
    values[np.flatnonzero(draws[0])[1:]] = np.nan
    assert np.isnan(redrawn_p(values, draws[0], draws, complete=True)[0])


def test_wash_out_drops_the_first_nights_of_each_phase_as_redrawn():
    drawn = np.array([[0, 0, 0, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 1, 1, 1, 1]], dtype=bool)
    expected = np.array([[-1, -1, 0, -1, -1, 1, 1, -1, -1, 2], [-1, -1, 0, -1, -1, 1, -1, -1, 2, 2]])
    assert np.array_equal(phase_means.number_phases(drawn, 2), expected)
    values = np.arange(10.0) ** 2
    values[6] = np.nan
    found = phase_means.difference_of_phase_means(drawn, values[np.newaxis], drawn[0], 2)
    assert found[0][0] == pytest.approx([25 - (4 + 81) / 2, (4 + (64 + 81) / 2) / 2 - 25])
    assert found[1][0] == pytest.approx([1.0, (0 + 0) / 2 - 1])
    assert found[2][0].tolist() == [1, 1]


@pytest.mark.parametrize("design", ["pairs", "complete", "phases"])
def test_adjusted_p_lies_between_the_raw_p_and_holm_and_keeps_the_order(design):
    rng = np.random.default_rng(5)
    for missing in (0.0, 0.15):
        drawn = simulations.draw_schedules(design, 20, 500, rng)
        values = rng.standard_normal((5, 20)) + np.array([[0.0], [0.5], [1.0], [2.0], [4.0]]) * drawn[0]
        values[rng.random(values.shape) < missing] = np.nan
        statistic = "phase means" if design == "phases" else "difference"
        found = resampling.shift_statistics(values, resampling.Schedule(drawn[0], drawn[1:], statistic=statistic))
        adjusted = multiplicity.max_t(*resampling.extremeness(found))
        raw = resampling.p_of_no_shift(found)
        assert (adjusted >= raw - 1e-12).all()
        assert (adjusted <= multiplicity.holm(raw) + 1e-12).all()
        assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()


def test_a_large_effect_in_phases_is_not_lost_among_other_markers():
    """Its redraws are spread by the effect itself and none is extreme; the null markers beside it have wild ones."""
    mechanism = Mechanism("phases", min_phase=4)
    draws = enumerate_all(mechanism, plan_nights(mechanism, 28, adaptation_nights=0))
    rng = np.random.default_rng(0)
    for _ in range(20):
        followed = draws[rng.integers(len(draws))]
        values = rng.standard_normal((3, 28))
        values[0] += 4 * followed
        found = resampling.shift_statistics(
            values, resampling.Schedule(followed, draws, complete=True, statistic="phase means")
        )
        raw = resampling.p_of_no_shift(found)[0]
        assert raw <= 0.02
        assert multiplicity.max_t(*resampling.extremeness(found))[0] <= 3 * raw + 1e-12


def test_with_few_schedules_equal_ranks_are_told_apart_by_the_statistic():
    """Eight nights have 70 schedules; by rank alone, or by Holm, three markers could never reach .05."""
    draws = _complete(8)
    values = np.random.default_rng(7).standard_normal((3, 8))
    values[0] += 50 * draws[20]
    found = resampling.shift_statistics(values, resampling.Schedule(draws[20], draws, complete=True))
    assert multiplicity.max_t(*resampling.extremeness(found))[0] == pytest.approx(2 / 70)
    assert multiplicity.holm(resampling.p_of_no_shift(found))[0] == pytest.approx(6 / 70)


def test_a_marker_without_a_statistic_does_not_disturb_the_others():
    scores, own = multiplicity.score_by_rank([[1.0, 2, 3, np.inf], [np.nan] * 4, [0.0] * 4], [3.0, np.nan, 0.0])
    assert np.isnan(own[1])
    assert np.isnan(scores[1]).all()
    adjusted = multiplicity.max_t(scores, own)
    assert adjusted[[0, 2]].tolist() == [0.5, 1.0]
    assert np.isnan(adjusted[1])


def test_phase_difference_is_found_across_the_turn():
    rng = np.random.default_rng(6)
    drawn = simulations.draw_schedules("complete", 20, 500, rng)
    angles = circular.wrap(np.pi + 0.2 * rng.standard_normal(20) + 0.9 * drawn[0])
    found = circular.compare_phases(angles, resampling.Schedule(drawn[0], drawn[1:]))
    assert found.low < 0.9 < found.high
    assert found.p == pytest.approx(1 / 500)
    turned = circular.compare_phases(circular.wrap(angles + 2.0), resampling.Schedule(drawn[0], drawn[1:]))
    assert turned.difference == pytest.approx(found.difference)
    assert turned.low == pytest.approx(found.low, abs=1e-3)


def test_the_first_nights_of_a_phase_stay_out_of_its_mean_direction():
    rng = np.random.default_rng(8)
    drawn = simulations.draw_schedules("phases", 24, 200, rng)
    angles = rng.vonmises(0, 8, 24) + 0.5 * drawn[0]
    starts = np.append(True, drawn[0][1:] != drawn[0][:-1])
    schedule = resampling.Schedule(drawn[0], drawn[1:], statistic="phase means", wash_out_nights=1)
    found = circular.compare_phases(angles, schedule)
    kept, z = ~starts, drawn[0]
    expected = circular.mean_direction(angles[kept & z]) - circular.mean_direction(angles[kept & ~z])
    assert found.difference == pytest.approx(expected)
    assert found.n_first + found.n_second == kept.sum() == 20
    turned = circular.compare_phases(np.where(starts, angles + 1.0, angles), schedule)
    assert turned.difference == pytest.approx(found.difference)
    assert turned.observed == pytest.approx(found.observed)


# Quick versions of tests/benchmarks/comparison_simulations.py; 600 studies put the standard error of a rate of
# 5 % at 0.9 points, so that the limits are those of the full run widened by three of them.
QUICK = 600
WIDE = 0.027


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("design", "n_nights", "noise"),
    [
        ("pairs", 20, "AR .6"),
        ("pairs", 28, "30 % missing"),
        ("max-run 2", 20, "weekend 1 SD"),
        ("max-run 3", 20, "AR .3"),
        ("complete", 20, "trend 2 SD"),
        ("complete", 20, "missing when low"),
        ("complete", 28, "lognormal"),
        ("phases", 24, "trend 2 SD"),
    ],
)
def test_type_one_error_and_coverage(design, n_nights, noise):
    found = simulations.simulate_cell(design, n_nights, noise, QUICK, np.random.default_rng(10), n_draws=299)
    assert found["rejected"] == pytest.approx(0.05, abs=WIDE)
    assert found["covered"] == pytest.approx(0.95, abs=WIDE)


def test_small_support_is_conservative():
    found = simulations.simulate_cell("pairs", 12, "iid", QUICK, np.random.default_rng(11), n_draws=299)
    assert found["rejected"] <= 0.05 + WIDE
    assert found["covered"] >= 0.95 - WIDE


def test_coverage_with_an_effect():
    found = simulations.simulate_cell("pairs", 20, "iid", QUICK, np.random.default_rng(12), effect=1.0, n_draws=299)
    assert found["covered"] == pytest.approx(0.95, abs=WIDE)
    assert found["rejected"] == pytest.approx(0.49, abs=0.07)
    assert abs(found["bias"]) < 0.06


@pytest.mark.nightly
def test_family_wise_error_and_the_power_that_shared_draws_gain():
    rng = np.random.default_rng(13)
    null = simulations.simulate_family_wise_error("complete", 20, QUICK, rng, n_draws=299)
    assert null["min-P"]["family_wise_error"] <= 0.055 + WIDE
    one = simulations.simulate_family_wise_error("complete", 20, QUICK, rng, n_draws=299, effect=1.0)
    assert one["min-P"]["family_wise_error"] <= 0.055 + WIDE
    assert one["min-P"]["power"] > one["Holm"]["power"]


@pytest.mark.nightly
@pytest.mark.parametrize("estimated", [False, True])
def test_false_equivalence_at_the_bound(estimated):
    rng = np.random.default_rng(14)
    found = simulations.simulate_equivalence("complete", 28, QUICK, rng, bound=1.0, estimated=estimated, n_draws=299)
    assert found["at the bound"] <= 0.05 + WIDE
    assert found["at no effect"] > 0.3


@pytest.mark.nightly
def test_phase_type_one_error():
    found = simulations.simulate_phase(20, 300, np.random.default_rng(15), n_draws=299)
    assert found["rejected"] <= 0.05 + 0.038
    assert found["covered"] >= 0.95 - 0.038
