"""Scores of values of which some are only bounds, against what ranks say where there is none."""

import numpy as np
import pytest
from scipy import stats

from eegsleep.statistics.ranks import score_with_bounds, share_above

NAN = np.nan


def test_without_bounds_scores_are_ranks():
    value = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    scores = score_with_bounds(value, np.full(5, NAN))
    np.testing.assert_array_equal(scores, 2 * stats.rankdata(value) - len(value) - 1)


def test_a_bound_above_all_is_the_largest_and_bounds_tie_among_themselves():
    value = np.array([60.0, 90.0, NAN, NAN])
    scores = score_with_bounds(value, np.array([NAN, NAN, 400.0, 420.0]))
    np.testing.assert_array_equal(scores, [-3, -1, 2, 2])


def test_a_low_bound_is_above_only_what_lies_below_it():
    """A watch of 70 min without REM is longer than a latency of 60 min; of one of 90 min it says nothing."""
    value = np.array([60.0, 90.0, NAN])
    np.testing.assert_array_equal(score_with_bounds(value, np.array([NAN, NAN, 70.0])), [-2, 1, 1])
    np.testing.assert_array_equal(score_with_bounds(value, np.array([NAN, NAN, 60.0])), [-2, 1, 1])


def test_a_missing_night_has_no_score_and_changes_none():
    value, at_least = np.array([60.0, NAN, 90.0]), np.full(3, NAN)
    np.testing.assert_array_equal(score_with_bounds(value, at_least), [-1, NAN, 1])


def test_share_of_pairs_is_that_of_mann_whitney():
    rng = np.random.default_rng(1)
    value, second = rng.normal(size=12), np.arange(12) % 3 == 0
    u = stats.mannwhitneyu(value[second], value[~second]).statistic
    assert share_above(value, np.full(12, NAN), second) == pytest.approx(u / (second.sum() * (~second).sum()))
    assert np.isnan(share_above(value, np.full(12, NAN), np.ones(12, bool)))


def test_share_of_pairs_with_bounds():
    """Of four pairs the bound is above both latencies, the other night above one of them."""
    value, at_least = np.array([60.0, 90.0, NAN, 70.0]), np.array([NAN, NAN, 400.0, NAN])
    assert share_above(value, at_least, np.array([False, False, True, True])) == 0.75
