"""Parallel groups whose sleepers were recorded before anything was given."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_studies import FAST, make_study, marker_rows, only_row

from eegsleep.study.arrangement import find_nights_before
from eegsleep.study.comparison.compare import compare_nights


def _parallel(n_before, *, adaptation=False, n_subjects=12, seed=3):
    """Return a study whose sleepers differ much, each with nights before the first that has a condition."""
    study = make_study("parallel", 4, subjects=tuple(f"S{i:02d}" for i in range(n_subjects)))
    first = study.nights.drop_duplicates("subject")
    before = [
        first.assign(
            night=first["subject"] + f"-before{i}",
            date=f"2025-12-{i + 10}",
            condition="",
            adaptation=adaptation,
            excluded=False,
        )
        for i in range(n_before)
    ]
    study = dataclasses.replace(study, nights=pd.concat([*before, study.nights], ignore_index=True))
    rng = np.random.default_rng(seed)
    level = dict(zip(first["subject"], rng.normal(20, 4, n_subjects), strict=True))
    value = study.nights["subject"].map(level) + 0.5 * rng.standard_normal(len(study.nights))
    value += 2.0 * (study.nights["condition"] == "B")
    return study, marker_rows(study, FAST, value, "/min")


def test_nights_before_take_the_differences_between_sleepers_out_of_the_error():
    study, values = _parallel(2)
    row = only_row(compare_nights(study, values))
    alone = values[values["night"].isin(study.nights.loc[study.nights["condition"] != "", "night"])]
    without = only_row(compare_nights(study, alone))
    assert row["low"] > 0 > without["low"]
    assert row["low"] < 2.0 < row["high"]
    assert row["high"] - row["low"] < (without["high"] - without["low"]) / 3
    assert row["ratio_high"] - row["ratio_low"] < (without["ratio_high"] - without["ratio_low"]) / 2
    assert "before the first condition" in row["reason"]
    assert row["n_control"] + row["n_compound"] == without["n_control"] + without["n_compound"] == 48


def test_a_sleeper_without_a_night_before_stays_in():
    study, values = _parallel(2)
    values = values[~values["night"].str.startswith("S03-before")]
    row = only_row(compare_nights(study, values))
    assert row["n_subjects"] == 12
    assert "before the first condition" in row["reason"]


@pytest.mark.parametrize("why", ["adaptation", "few sleepers", "few have one"])
def test_the_nights_before_are_left_alone_where_they_cannot_serve(why):
    study, values = _parallel(2, adaptation=why == "adaptation", n_subjects=4 if why == "few sleepers" else 12)
    if why == "few have one":
        values = values[~values["night"].str.contains("-before") | values["night"].str.match("S0[0-4]")]
    row = only_row(compare_nights(study, values))
    assert "before" not in row["reason"]


def test_only_what_came_before_counts_as_before():
    study, _ = _parallel(1)
    first = study.nights[study.nights["condition"] != ""].iloc[[0]]
    later = first.assign(night="S00-after", date="2027-01-01", condition="")
    nights = pd.concat([study.nights, later], ignore_index=True)
    nights.loc[nights["night"] == "S01-before0", "excluded"] = True
    found = find_nights_before(nights)["night"].tolist()
    assert found == [f"S{i:02d}-before0" for i in range(12) if i != 1]
