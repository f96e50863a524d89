"""Nights that were recorded already: adjusted for what goes with the choice of days, and described only."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study, marker_rows

from eegsleep.study import arrangement
from eegsleep.study.comparison.compare import compare_nights
from eegsleep.study.comparison.observed import adjust_observed, nights_to_settle
from eegsleep.study.schedules.mechanisms import is_weekend


def home_nights(n_nights=40, seed=0, **columns):
    """Return a study whose compound is taken mostly at weekends, when sleep is an hour longer, and its markers."""
    rng = np.random.default_rng(seed)
    study = make_study("observational", n_nights, primary=("tst_min||",))
    nights = study.nights
    weekend = is_weekend(nights["date"])
    taken = rng.random(len(nights)) < np.where(weekend, 0.8, 0.2)
    nights["condition"] = np.where(taken, "B", "A")
    nights = nights.assign(adaptation=False, **columns)
    tst = 420 + 60 * weekend + 25 * rng.standard_normal(len(nights))
    study = dataclasses.replace(study, nights=nights)
    return study, marker_rows(study, "tst_min", tst, "min", "", "")


@pytest.mark.nightly
def test_a_compound_taken_at_weekends_does_not_get_their_longer_sleep():
    """Unadjusted, such nights gave a false + 35 minutes, with an interval without 0 in .36 of studies."""
    plain, adjusted, wrong = [], [], 0
    for seed in range(60):
        study, values = home_nights(seed=seed)
        row = compare_nights(study, values).markers.iloc[0]
        plain.append(row["compound_mean"] - row["control_mean"])
        adjusted.append(row["difference"])
        wrong += not row["low"] <= 0 <= row["high"]
    assert np.mean(plain) > 25
    assert abs(np.mean(adjusted)) < 5
    assert wrong / 60 < 0.2


def test_what_a_difference_was_adjusted_for_is_said_beside_the_plain_one():
    study, values = home_nights(cov_alcohol_units=np.arange(42) % 3)
    row = compare_nights(study, values).markers.iloc[0]
    assert row["adjusted_for"] == "time, weekends, the sleep of the night before and alcohol units"
    assert "is adjusted for time, weekends" in row["sentence"]
    plain = row["compound_mean"] - row["control_mean"]
    assert f"the means alone differ by {plain:.3g}" in row["sentence"]
    assert "nights would settle" in row["sentence"]
    assert np.isnan(row["p"])
    assert row["verdict"] == "inconclusive"


def test_a_covariate_that_goes_with_the_condition_is_named_and_not_taken_out():
    study, values = home_nights()
    with_b = (study.nights["condition"] == "B").astype(float)
    study = dataclasses.replace(study, nights=study.nights.assign(cov_dose_hour=22 * with_b))
    arranged = arrangement.arrange_nights(study, values)
    assert adjust_observed(arranged).inseparable == ("dose hour",)
    comparison = compare_nights(study, values)
    assert "dose hour cannot be told from the condition" in comparison.markers.iloc[0]["reason"]
    rows = comparison.nuisance[comparison.nuisance["kind"] == "covariate"]
    assert rows.loc[rows["sentence"].str.startswith("Dose hour"), "conspicuous"].all()
    assert rows.loc[rows["sentence"].str.startswith("Weekend"), "conspicuous"].all()


def test_no_more_is_taken_out_than_half_of_the_nights_can_bear():
    many = {f"cov_{i}": np.random.default_rng(i).standard_normal(18) for i in range(20)}
    study, values = home_nights(16, **many)
    arranged = arrangement.arrange_nights(study, values)
    assert adjust_observed(arranged).columns.shape[1] <= 18 // 2 - 2


def test_nights_of_one_condition_are_described():
    study, values = home_nights()
    nights = study.nights.assign(condition="A")
    row = compare_nights(dataclasses.replace(study, nights=nights), values).markers.iloc[0]
    assert (row["n_control"], row["n_compound"]) == (42, 0)
    assert np.isfinite(row["control_mean"])
    assert row["reason"] == "one condition has no night"


@pytest.mark.parametrize(("effect", "least", "most"), [(1.0, 34, 40), (1.5, 16, 22), (0.5, 126, 136)])
def test_the_nights_that_would_settle_it_are_those_of_the_paired_test(effect, least, most):
    assert least <= nights_to_settle(effect) <= most
    assert nights_to_settle(-effect) == nights_to_settle(effect)
    assert nights_to_settle(np.nan) == nights_to_settle(0.01) == 0


def test_all_of_a_comparison_is_there_for_nights_that_were_not_drawn():
    study, values = home_nights()
    comparison = compare_nights(study, pd.concat([values, marker_rows(study, "rem_min", 90.0, "min", "", "")]))
    assert set(comparison.families["verdict"]) == {"inconclusive"}
    assert comparison.markers["p_signal"].isna().all()
