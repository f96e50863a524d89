"""Confidence and intervals: sure where there is nothing to doubt, wide where there is, and never made up."""

import numpy as np
import pandas as pd
import pytest

from eegsleep.hypnograms.table import make_stages
from eegsleep.staging.confidence import calibrate_probabilities, measure_uncertainty

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
    sharp = calibrate_probabilities(raw)
    np.testing.assert_allclose(sharp.sum(axis=1), 1)
    assert (sharp.argmax(axis=1) == raw.argmax(axis=1)).all()
    assert (sharp.max(axis=1) >= raw.max(axis=1)).all()
    assert np.isnan(calibrate_probabilities(np.full((1, 5), np.nan))).all()


def test_calibration_raises_odds_to_the_inverse_of_a_temperature_of_0_7():
    """Odds of 4 to 1 become 4 ** (1 / 0.7) = 7.246 to 1, which is 0.8787."""
    assert calibrate_probabilities(np.array([[0.8, 0.2, 0, 0, 0]]))[0, 0] == pytest.approx(0.8787, abs=1e-4)


def sleep_as_unsure(probabilities, n_sleepers, seed=5):
    """Return the true stages of sleepers whose stager was unsure in this way, as indices, (n_sleepers, n_epochs).

    Errors come in runs of 20 epochs on average, and the log probability of each stage is shifted from night to
    night with a standard deviation of 0.5, as eegsleep.staging.confidence says of real nights.
    """
    rng = np.random.default_rng(seed)
    first, second = np.argsort(-probabilities, axis=1)[:, :2].T
    rows = np.arange(len(probabilities))
    truth = []
    for _ in range(n_sleepers):
        shifted = probabilities * np.exp(rng.normal(0, 0.5, 5))
        share = shifted[rows, second] / shifted.sum(axis=1)
        run = np.cumsum(rng.random(len(rows)) < 1 / 20)
        truth.append(np.where(rng.random(run[-1] + 1)[run] < share, second, first))
    return np.array(truth)


def test_the_interval_of_95_percent_holds_the_truth_of_95_percent_of_sleepers():
    """N2 is taken for N3 as often as N3 for N2, and N1 for REM, so that the minutes counted are right on average."""
    probabilities = np.zeros((480, 5))
    for stage, other, part in ((2, 3, 0), (3, 2, 1), (1, 4, 2), (4, 1, 3)):
        probabilities[120 * part : 120 * (part + 1), [stage, other]] = 0.8, 0.2
    interval = measure_uncertainty(scored(probabilities))
    truth = sleep_as_unsure(probabilities, 2_000)
    covered = []
    for name, stage in (("n1_min", 1), ("n2_min", 2), ("rem_min", 4)):
        minutes = 0.5 * (truth == stage).sum(axis=1)
        covered.append(np.mean((minutes >= interval[name].low) & (minutes <= interval[name].high)))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


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
