"""The answer in three sentences says what the tables say, and never more."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from made_studies import FAST, make_study, make_values, marker_rows

from eegsleep.study.comparison.answer import describe_answer
from eegsleep.study.comparison.compare import compare_nights

ENDPOINT = f"{FAST}|NREM|C4-M1"


def answered(effect, n_nights=20, **changes):
    study = make_study("pairs", n_nights, primary=(ENDPOINT,), **changes)
    comparison = compare_nights(study, make_values(study, effect), n_draws=999)
    return study, comparison, describe_answer(study, comparison)


def test_a_difference_has_its_size_and_the_nights_it_was_there():
    _, comparison, answer = answered(4.0)
    row = comparison.markers.iloc[0]
    assert answer.word == "Yes"
    assert answer.finding.startswith("Does c change fast spindle density? Yes:")
    assert f"{row['difference']:.3g} a minute more" in answer.size
    own = comparison.nights
    above = (own["value"][own["condition"] == "B"] > row["control_mean"]).sum()
    assert f"On {above} of the 10 nights with it, it was higher" in answer.size
    odds = re.search(r"once in ([\d\u202f]+) such studies", answer.certainty)
    assert float(odds.group(1).replace("\u202f", "")) == pytest.approx(1 / row["p_adjusted"], rel=0.06)
    assert "No more nights are needed" in answer.certainty


def test_nothing_found_is_not_answered_and_says_how_many_more_nights():
    _, comparison, answer = answered(0.0)
    row = comparison.markers.iloc[0]
    assert row["verdict"] == "inconclusive"
    assert answer.word == "Not answered"
    more = re.search(r"in 4 of 5 studies, (\d+) nights are needed: (\d+) more", answer.certainty)
    assert int(more.group(1)) - int(more.group(2)) == row["n_control"] + row["n_compound"]
    assert "better" not in answer.finding


def test_a_difference_surely_too_small_is_a_no():
    _, _, answer = answered(0.0, 60, smallest_effects={FAST: (1.2, "SD")})
    assert answer.word == "No"
    assert "does not matter" in answer.certainty


def test_codes_that_are_masked_stay_masked():
    _, _, answer = answered(4.0, active=None)
    assert answer.word == "Masked"
    for sentence in answer.sentences[1:]:
        assert "compound" not in sentence
        assert " with it" not in sentence
    assert "with B" in answer.size


def test_nights_that_were_not_drawn_are_never_answered():
    study = make_study("observational", 30, primary=("tst_min||",))
    rng = np.random.default_rng(0)
    value = 420 + 20 * rng.standard_normal(len(study.nights)) + 60 * (study.nights["condition"] == "B").to_numpy()
    answer = describe_answer(study, compare_nights(study, marker_rows(study, "tst_min", value, "min", "", "")))
    assert answer.word == "Not tested"
    assert "Chance" not in answer.certainty
    assert "nights in drawn pairs would settle it" in answer.certainty


def test_of_several_endpoints_the_one_that_differs_leads_and_the_others_are_named():
    study = make_study("pairs", 20, primary=("tst_min||", ENDPOINT))
    rng = np.random.default_rng(1)
    tst = marker_rows(study, "tst_min", 420 + 20 * rng.standard_normal(len(study.nights)), "min", "", "")
    found = compare_nights(study, pd.concat([tst, make_values(study, 4.0)]), n_draws=999)
    answer = describe_answer(study, found)
    assert "fast spindle density was higher" in answer.finding
    (other,) = answer.others
    assert other.startswith("Total sleep time: ")


def test_the_question_is_the_one_that_was_registered():
    study, comparison, _ = answered(4.0)
    asked = dataclasses.replace(study, question="Does glycine make more spindles")
    assert describe_answer(asked, comparison).finding.startswith("Does glycine make more spindles? Yes:")
    study, comparison, _ = answered(-4.0)
    asked = dataclasses.replace(study, question="Does glycine make more spindles")
    answer = describe_answer(asked, comparison)
    assert answer.finding.startswith("Does glycine make more spindles? It differs: fast spindle density was lower")
    assert answer.verdict == "worse"


def test_an_endpoint_that_was_never_measured_has_no_size():
    study = make_study("pairs", 20, primary=("rem_min||",))
    answer = describe_answer(study, compare_nights(study, make_values(study), n_draws=99))
    assert answer.word == "Not answered"
    assert answer.size == ""
