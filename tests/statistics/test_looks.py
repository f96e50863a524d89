"""Looks share alpha: together they find no more than alpha where there is nothing."""

import numpy as np
import pytest
from scipy import stats

from eegsleep.statistics.looks import spend_alpha


def test_the_spending_function_is_the_published_one():
    """GsDesign's sfLDOF(.05, .5) is .005574597 for the two-sided alpha."""
    assert spend_alpha(0.05, [14], 28) == pytest.approx((0.005574597, 0.044425403), abs=1e-8)
    assert sum(spend_alpha(0.05, [7, 14, 21], 28)) == pytest.approx(0.05)
    assert spend_alpha(0.05, [], 28) == (0.05,)


def test_looking_often_at_one_alpha_finds_too_much_and_by_spending_it_does_not():
    nights = np.random.default_rng(1).standard_normal((20_000, 28))
    looks = [8, 12, 16, 20, 24]
    p = np.array([2 * stats.norm.sf(abs(nights[:, :n].sum(axis=1)) / np.sqrt(n)) for n in [*looks, 28]])
    assert (p <= 0.05).any(axis=0).mean() > 0.12
    spent = np.array(spend_alpha(0.05, looks, 28))[:, np.newaxis]
    assert 0.02 < (p <= spent).any(axis=0).mean() < 0.05
