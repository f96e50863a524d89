"""Sizes of effect, verdicts in words, and the interval for nights that nobody allocated."""

import math

import numpy as np
import pytest
from scipy import stats

from eegsleep.statistics import effects
from eegsleep.study.comparison import verdicts
from eegsleep.study.declared.expectations import expectations


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


ROW = {
    "label": "Fast spindle density",
    "stage": "NREM",
    "unit": "/min",
    "difference": 1.0,
    "reason": "",
    "method": "re-randomisation",
    "n_control": 10,
    "n_compound": 10,
    "p": 0.01,
    "p_adjusted": 0.02,
    "role": "family",
    "gate": "open",
    "low": 0.4,
    "low_90": 0.5,
    "high_90": 1.5,
    "bound": 0.4,
    "direction": "+",
    "smallest_p": 0.001,
}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "better"),
        ({"difference": -1.0}, "worse"),
        ({"direction": "-"}, "worse"),
        ({"direction": "0"}, "changed"),
        ({"gate": "closed"}, "inconclusive"),
        ({"p": 0.07, "p_adjusted": 0.09}, "inconclusive"),
        ({"p_adjusted": 0.11}, "inconclusive"),
        ({"role": "primary", "p_adjusted": 0.06}, "inconclusive"),
        ({"bound": 2.0}, "equivalent"),
        ({"bound": math.nan}, "better"),
        ({"p": math.nan, "p_adjusted": math.nan, "low_90": math.nan, "high_90": math.nan}, "inconclusive"),
        ({"difference": math.nan}, "inconclusive"),
        ({"method": "descriptive"}, "inconclusive"),
    ],
)
def test_verdicts(changes, verdict):
    found, sentence = verdicts.judge_marker(ROW | changes, alpha=0.05, masked=False)
    assert found == verdict
    assert sentence.endswith(".")
    assert "no effect" not in sentence


def test_a_design_that_cannot_tell_says_so():
    row = ROW | {"p": 0.125, "p_adjusted": 0.125, "smallest_p": 0.125}
    assert "smallest p-value" in verdicts.judge_marker(row, alpha=0.05, masked=False)[1]


def test_expectations_name_their_source():
    for compound, entry in expectations().items():
        assert entry["source"], compound
        assert set(entry) <= {"A", "B", "C", "D", "source"}
