"""Confidence and intervals: sure where there is nothing to doubt, wide where there is, and never made up."""

import numpy as np
import pandas as pd
import pytest

from eegsleep.hypnograms.table import make_stages
from eegsleep.staging.confidence import calibrate, measure_uncertainty

NAMES = np.array(["W", "N1", "N2", "N3", "R"])


def scored(probabilities):
    """Return the hypnogram that these probabilities give."""
    stages = NAMES[probabilities.argmax(axis=1)]
    return make_stages(stages, pd.DataFrame(probabilities), np.ones(len(stages), dtype=bool))


def night(doubt, n_epochs=480):
    """Return probabilities of a night of W, N2 and N3, each epoch giving `doubt` to N1."""
    probabilities = np.zeros((n_epochs, 5))
    for stage, part in ((0, slice(0, 40)), (2, slice(40, 300)), (3, slice(300, n_epochs))):
        probabilities[part, stage] = 1 - doubt
        probabilities[part, 1] = doubt
    return probabilities


def test_calibration_keeps_the_stage_and_sharpens_the_rest():
    raw = np.random.default_rng(0).dirichlet(np.ones(5), 200)
    sharp = calibrate(raw)
    np.testing.assert_allclose(sharp.sum(axis=1), 1)
    assert (sharp.argmax(axis=1) == raw.argmax(axis=1)).all()
    assert (sharp.max(axis=1) >= raw.max(axis=1)).all()
    assert np.isnan(calibrate(np.full((1, 5), np.nan))).all()


def test_sure_stages_leave_nothing_open():
    found = measure_uncertainty(scored(night(0.0)))
    assert found["n3_min"] == pytest.approx((90, 90, 90), abs=0.1)


def test_expected_minutes_are_the_sum_of_the_probabilities():
    found = measure_uncertainty(scored(night(0.2)))
    assert found["n1_min"].expected == pytest.approx(0.2 * 240)
    assert found["n3_min"].expected == pytest.approx(0.8 * 90)
    assert found["tst_min"].expected == pytest.approx(240 - 0.8 * 20)


def test_interval_widens_with_doubt_and_holds_the_value():
    little, much = (measure_uncertainty(scored(night(doubt)))["n2_min"] for doubt in (0.05, 0.3))
    assert little.low <= 130 <= little.high
    assert much.high - much.low > little.high - little.low > 1


def test_errors_are_not_taken_as_independent():
    """Independent errors of 480 epochs at 5 % would leave 4.7 min (95 %); those of a stager go together."""
    found = measure_uncertainty(scored(night(0.05)))["n1_min"]
    assert found.high - found.low > 3 * 4.7


def test_stages_that_were_given_have_no_interval():
    stages = make_stages(np.array(["W", "N2"] * 10), None, np.ones(20, dtype=bool))
    assert measure_uncertainty(stages) == {}


def test_same_night_has_the_same_interval():
    assert measure_uncertainty(scored(night(0.1))) == measure_uncertainty(scored(night(0.1)))
