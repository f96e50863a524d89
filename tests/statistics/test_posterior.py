"""Posterior probabilities against the closed form, where there is one."""

import math

import pytest
from scipy import stats

from eegsleep.statistics.posterior import share_of_effects


def test_with_many_degrees_of_freedom_it_is_the_normal_posterior():
    found = share_of_effects(1.0, 0.5, 1e6, prior_sd=1.0, bound=0.5)
    mean, sd = 1.0 * 1 / (1 + 0.25), math.sqrt(0.25 / 1.25)
    assert found.above_0 == pytest.approx(stats.norm.sf(0, mean, sd), abs=1e-3)
    assert found.above == pytest.approx(stats.norm.sf(0.5, mean, sd), abs=1e-3)
    assert found.below == pytest.approx(stats.norm.cdf(-0.5, mean, sd), abs=1e-3)


def test_few_nights_leave_more_room_and_nothing_known_is_nothing_said():
    assert share_of_effects(1.0, 0.5, 2, prior_sd=1.0).above_0 < share_of_effects(1.0, 0.5, 50, prior_sd=1.0).above_0
    assert math.isnan(share_of_effects(1.0, 0.5, 50, prior_sd=1.0).above)
    assert all(math.isnan(x) for x in share_of_effects(math.nan, 0.5, 5, prior_sd=1.0))
    assert share_of_effects(4.0, 1e-3, 30, prior_sd=1.0, bound=0.5).above == pytest.approx(1)
