"""Mixed models against the tests they must equal, and against what they must not do."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from eegsleep.errors import SettingsError
from eegsleep.statistics import groups, mixed_model

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import comparison_simulations as simulations


def _nights(n_subjects=10, n_nights=4, effect=1.0, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), 2 * n_nights)
    assigned = np.tile(np.repeat([False, True], n_nights), n_subjects)
    slopes = effect + spread * rng.standard_normal(n_subjects)
    values = rng.normal(0, 2, n_subjects)[subjects] + slopes[subjects] * assigned + rng.standard_normal(len(subjects))
    return values, assigned, subjects


def test_balanced_random_slopes_are_the_paired_t_test_of_subject_means():
    values, assigned, subjects = _nights()
    found = groups.compare_groups(values, assigned, subjects, "within")
    means = np.array([[values[(subjects == s) & (assigned == a)].mean() for a in (False, True)] for s in range(10)])
    paired = stats.ttest_rel(means[:, 1], means[:, 0])
    assert found.method == "mixed model (Kenward-Roger)"
    for way in (found.kenward_roger, found.satterthwaite, found.subject_means):
        assert way.df == pytest.approx(9, abs=1e-5)
        assert way.p == pytest.approx(paired.pvalue, rel=1e-6)
        assert way.estimate == pytest.approx((means[:, 1] - means[:, 0]).mean())


def test_balanced_parallel_groups_are_the_pooled_t_test_of_subject_means():
    rng = np.random.default_rng(1)
    subjects = np.repeat(np.arange(12), 3)
    assigned = subjects % 2 == 1
    values = rng.normal(0, 2, 12)[subjects] + rng.standard_normal(36)
    found = groups.compare_groups(values, assigned, subjects, "between")
    means = values.reshape(12, 3).mean(axis=1)
    pooled = stats.ttest_ind(means[1::2], means[::2])
    assert found.kenward_roger.df == pytest.approx(10, abs=1e-5)
    assert found.kenward_roger.p == pytest.approx(pooled.pvalue, rel=1e-6)


@pytest.mark.parametrize("n_subjects", [4, 5, 6, 7])
def test_few_subjects_in_two_periods_keep_their_degrees_of_freedom(n_subjects):
    """Two sequences leave subjects minus 2, also where the formula of Kenward and Roger divides by zero (4)."""
    values, _, subjects = _nights(n_subjects, 3, 0.0, 3.0, seed=2)
    period = np.tile(np.repeat([0.0, 1.0], 3), n_subjects)
    assigned = (period == 1) ^ (subjects % 2 == 1)
    order = (subjects % 2 == 1).astype(float)
    found = groups.compare_groups(values, assigned, subjects, "within", np.column_stack([period, order]))
    for way in (found.kenward_roger, found.subject_means):
        assert way.df == pytest.approx(n_subjects - 2, abs=1e-3)
        assert way.p == pytest.approx(found.subject_means.p, rel=1e-3)


def test_effects_that_do_not_differ_leave_the_decision_to_subject_means():
    """A slope variance of nothing would be dropped by others, and the test would then find too much."""
    for seed in range(30):
        values, assigned, subjects = _nights(6, 3, 0.0, 0.0, seed)
        found = groups.compare_groups(values, assigned, subjects, "within")
        if found.model.singular:
            assert found.method == "subject means"
            assert found.chosen is found.subject_means
            assert "could not be estimated" in found.note
            return
    pytest.fail("no singular model among thirty")


def test_unequal_and_missing_nights_are_weighed():
    values, assigned, subjects = _nights(8, 5, seed=3)
    values[[0, 1, 2, 3, 17, 44]] = np.nan
    found = groups.compare_groups(values, assigned, subjects, "within")
    assert found.model.n_nights == 74
    assert 3 < found.kenward_roger.df < 9
    assert found.kenward_roger.low < 1 < found.kenward_roger.high


def test_what_cannot_be_fitted_is_refused_or_falls_back():
    with pytest.raises(SettingsError, match="at least two subjects"):
        mixed_model.fit_mixed_model(np.arange(4.0), np.ones((4, 1)), ["a"] * 4)
    values, assigned, subjects = _nights(1, 4)
    found = groups.compare_groups(values, assigned, subjects, "within")
    assert found.method == "subject means"
    assert math.isnan(found.chosen.p)


def test_the_criterion_is_the_restricted_likelihood():
    """Against the dense matrices of the definition."""
    values, assigned, subjects = _nights(5, 3, seed=4)
    x = np.column_stack([np.ones(len(values)), assigned])
    z = np.column_stack([np.ones(len(values)), assigned - 0.5])
    model = mixed_model.fit_mixed_model(values, x, subjects, z)
    same = subjects[:, np.newaxis] == subjects
    v = same * (z @ model.random_covariance @ z.T) + model.residual_variance * np.eye(len(values))
    inverse = np.linalg.inv(v)
    xvx = x.T @ inverse @ x
    beta = np.linalg.solve(xvx, x.T @ inverse @ values)
    rest = values - x @ beta
    dense = (
        np.linalg.slogdet(v)[1]
        + np.linalg.slogdet(xvx)[1]
        + rest @ inverse @ rest
        + (len(values) - 2) * math.log(2 * math.pi)
    )
    assert model.criterion == pytest.approx(dense)
    np.testing.assert_allclose(model.beta, beta)
    np.testing.assert_allclose(model.se, np.sqrt(np.diag(np.linalg.inv(xvx))))


@pytest.mark.nightly
def test_crossover_type_one_error_with_effects_that_differ():
    """Six subjects, three nights a condition: random intercepts and z would reject in about one of ten."""
    found = simulations.simulate_groups("crossover", 6, 3, 0.5, 120, np.random.default_rng(5))
    assert found["rejected"] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 120)
    assert found["covered"] >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 120)
