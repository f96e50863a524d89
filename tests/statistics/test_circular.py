"""Mean directions and their spread, also across the turn of the circle."""

import math

import numpy as np
import pytest

from eegsleep.statistics.circular import circular_sd, mean_direction, wrap


def test_a_mean_direction_is_not_the_mean_of_the_numbers():
    assert mean_direction([math.pi - 0.1, -math.pi + 0.3]) == pytest.approx(-math.pi + 0.1)
    assert mean_direction([0.2, math.nan, 0.4]) == pytest.approx(0.3)
    assert math.isnan(mean_direction([math.nan]))


def test_spread_is_that_of_a_wrapped_normal():
    angles = np.random.default_rng(0).normal(3.0, 0.5, 20_000)
    assert circular_sd(wrap(angles)) == pytest.approx(0.5, abs=0.01)
    assert circular_sd([1.0, 1.0]) == pytest.approx(0.0, abs=1e-7)
    assert math.isnan(circular_sd([1.0, math.nan]))
