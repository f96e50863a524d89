"""Effect sizes, and the interval for nights that no mechanism allocated."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from eegsleep.statistics import effects


def test_hedges_factor_approaches_one():
    assert effects.small_sample_factor(2) == pytest.approx(math.gamma(1) / math.gamma(0.5))
    assert effects.small_sample_factor(1000) == pytest.approx(1 - 3 / (4 * 1000 - 1), abs=1e-6)
    assert math.isnan(effects.small_sample_factor(1))


def test_missing_nights_are_left_out_of_sizes():
    first, second = [1.0, 2, 3, np.nan], [2.0, np.nan, 4, 5]
    assert effects.nap(first, second) == effects.nap([1, 2, 3], [2, 4, 5])
    assert effects.hedges_g_av(first, second, df=4) == effects.hedges_g_av([1, 2, 3], [2, 4, 5], df=4)
    assert math.isnan(effects.hedges_g_av([1.0, np.nan], second, df=4))
    assert math.isnan(effects.nap([], second))


def test_adjusted_t_is_the_paired_t_with_pairs_and_the_pooled_t_without():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 7))
    values, assigned = np.column_stack([first, second]).ravel(), np.tile([False, True], 7)
    paired = effects.adjusted_t(values, assigned, np.repeat(np.eye(7), 2, axis=0))
    assert paired.p == pytest.approx(stats.ttest_rel(second, first).pvalue)
    pooled = effects.adjusted_t(values, assigned, None)
    assert pooled.p == pytest.approx(stats.ttest_ind(second, first).pvalue)


def test_leaving_one_night_out_is_as_if_it_were_not_there():
    rng = np.random.default_rng(1)
    values, assigned = rng.standard_normal(12), rng.permutation(np.arange(12) % 2 == 1)
    values[4] = np.nan
    time = np.linspace(-1, 1, 12)[:, np.newaxis]
    quick = effects.leave_one_out(values, assigned, time)
    for night in range(12):
        left = values.copy()
        left[night] = np.nan
        slow = effects.adjusted_t(left, assigned, time).estimate
        assert np.isnan(quick[night]) if night == 4 else quick[night] == pytest.approx(slow)


def test_autocorrelated_nights_widen_the_descriptive_interval():
    rng = np.random.default_rng(2)
    e = rng.standard_normal(100)
    for night in range(1, 100):
        e[night] += 0.7 * e[night - 1]
    assigned = np.arange(100) % 50 >= 25
    found, phi = effects.describe_with_autocorrelation(e, assigned, None)
    plain = effects.adjusted_t(e, assigned, None)
    assert phi == pytest.approx(0.7, abs=0.25)
    assert found.high - found.low > 1.5 * (plain.high - plain.low)
    e[3:9] = np.nan
    assert np.isfinite(effects.describe_with_autocorrelation(e, assigned, None)[0].low)


def test_white_nights_are_described_as_by_least_squares():
    rng = np.random.default_rng(3)
    e, assigned = rng.standard_normal(100), np.arange(100) % 2 == 1
    found, phi = effects.describe_with_autocorrelation(e, assigned, None)
    assert abs(phi) < 0.3
    assert found.estimate == pytest.approx(effects.adjusted_t(e, assigned, None).estimate, abs=0.06)


def _restricted_likelihood(phi, nights, y, x):
    """Return the restricted log likelihood of AR(1) errors, variance profiled out, from dense matrices.

    Harville 1977, doi:10.1080/01621459.1977.10480998: both determinants are subtracted.
    """
    v = phi ** np.abs(np.subtract.outer(nights, nights)).astype(float)
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    rest = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    free = len(y) - x.shape[1]
    variance = rest @ inverse @ rest / free
    return -0.5 * (np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1] + free * np.log(variance))


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("lost", [(), (3, 4, 5, 11, 19)])
def test_autocorrelation_is_that_of_the_highest_restricted_likelihood(phi, lost):
    """Against the likelihood maximised over all autocorrelations, and generalised least squares at its maximum."""
    rng = np.random.default_rng(4)
    e = rng.standard_normal(24)
    for night in range(1, 24):
        e[night] = phi * e[night - 1] + math.sqrt(1 - phi**2) * e[night]
    e[list(lost)] = np.nan
    assigned, time = np.arange(24) % 12 >= 6, np.linspace(-1, 1, 24)
    kept = np.flatnonzero(np.isfinite(e))
    y, x = e[kept], np.column_stack([assigned, np.ones(24), time])[kept]
    best = optimize.minimize_scalar(
        lambda r: -_restricted_likelihood(r, kept, y, x), bounds=(-0.8, 0.95), method="bounded"
    ).x
    found, autocorrelation = effects.describe_with_autocorrelation(e, assigned, time[:, np.newaxis])
    assert autocorrelation == pytest.approx(best, abs=0.0126), "the grid has steps of 0.025"
    inverse = np.linalg.inv(autocorrelation ** np.abs(np.subtract.outer(kept, kept)).astype(float))
    covariance = np.linalg.inv(x.T @ inverse @ x)
    beta = covariance @ x.T @ inverse @ y
    variance = (y - x @ beta) @ inverse @ (y - x @ beta) / (len(y) - 3)
    assert found.estimate == pytest.approx(beta[0])
    assert found.se == pytest.approx(math.sqrt(variance * covariance[0, 0]))
    assert found.df == len(y) - 3
    half = stats.t.isf(0.025, found.df) * found.se
    assert (found.low, found.high) == pytest.approx((beta[0] - half, beta[0] + half))
