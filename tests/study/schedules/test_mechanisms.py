"""Schedules are drawn uniformly from what the mechanism allows, and recognised when they are not its."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from eegsleep.errors import SettingsError
from eegsleep.study.schedules.mechanisms import Mechanism, enumerate_all, is_weekend, keep_nights, redraw, support_size
from eegsleep.study.schedules.schedule import draw_schedule, find_violation, plan_nights

SMALL = {
    "pairs": (Mechanism("pairs"), 8, ("S01",)),
    "pairs with weekends": (Mechanism("pairs", weekend_balance=True), 14, ("S01",)),
    "pairs of two": (Mechanism("pairs"), 4, ("S01", "S02")),
    "max-run 2": (Mechanism("max-run", max_run=2), 8, ("S01",)),
    "max-run 3 with weekends": (Mechanism("max-run", max_run=3, weekend_balance=True), 9, ("S01",)),
    "odd max-run": (Mechanism("max-run", max_run=2), 7, ("S01",)),
    "complete": (Mechanism("complete"), 8, ("S01",)),
    "complete with weekends": (Mechanism("complete", weekend_balance=True), 9, ("S01",)),
    "phases": (Mechanism("phases", n_phases=4, min_phase=2), 10, ("S01",)),
    "phases that begin with A": (Mechanism("phases", n_phases=3, min_phase=2, random_start=False), 10, ("S01",)),
    "crossover": (Mechanism("crossover", nights_per_period=2), 4, tuple("abcdef")),
    "odd crossover": (Mechanism("crossover"), 2, tuple("abcde")),
    "unbalanced crossover": (Mechanism("crossover", balanced=False), 2, tuple("abcde")),
    "four orders": (
        Mechanism("crossover", sequences=tuple(map(tuple, ("ABBA", "BAAB", "ABAB", "BABA")))),
        4,
        tuple("abcde"),
    ),
    "parallel": (Mechanism("parallel"), 3, tuple("abcdefg")),
}


def brute_force(mechanism, nights):
    """Every assignment of the nights that the mechanism could have drawn, found by trying all."""
    given = np.flatnonzero(nights["condition"] != "")
    if mechanism.kind in {"crossover", "parallel"}:
        subjects = nights["subject"].unique()
        orders = mechanism.orders
        for choice in itertools.product(range(len(orders)), repeat=len(subjects)):
            draw = np.zeros(len(nights), dtype=bool)
            for subject, order in zip(subjects, choice, strict=True):
                rows = np.flatnonzero((nights["subject"] == subject) & (nights["condition"] != ""))
                period = (
                    nights["period"].to_numpy()[rows] - 1 if mechanism.kind == "crossover" else np.zeros(len(rows), int)
                )
                draw[rows] = orders[order][period]
            yield draw
        return
    for choice in itertools.product((False, True), repeat=len(given)):
        draw = np.zeros(len(nights), dtype=bool)
        draw[given] = choice
        yield draw


def with_codes(nights, draw):
    codes = np.where(nights["condition"] == "", "", np.where(draw, "B", "A"))
    return nights.assign(condition=pd.Series(codes, dtype="str"))


@pytest.mark.nightly
@pytest.mark.parametrize("name", SMALL)
def test_enumeration_is_what_trying_every_assignment_finds(name):
    mechanism, n, subjects = SMALL[name]
    nights = plan_nights(mechanism, n, subjects)
    if mechanism.kind == "pairs" and n == 14:
        nights_of_pairs = itertools.product((0, 1), repeat=7)
        candidates = (np.array([False, False, *np.ravel([(bool(s), not s) for s in c])]) for c in nights_of_pairs)
    else:
        candidates = brute_force(mechanism, nights)
    expected = {tuple(draw) for draw in candidates if find_violation(mechanism, with_codes(nights, draw)) is None}
    listed = enumerate_all(mechanism, nights)
    assert len(listed) == support_size(mechanism, nights) == len(expected)
    assert {tuple(draw) for draw in listed} == expected


@pytest.mark.parametrize("name", SMALL)
def test_every_schedule_is_drawn_equally_often(name):
    mechanism, n, subjects = SMALL[name]
    nights = plan_nights(mechanism, n, subjects)
    listed = {tuple(draw): i for i, draw in enumerate(enumerate_all(mechanism, nights))}
    draws = redraw(mechanism, nights, 100 * len(listed), seed=20260105)
    counts = np.bincount([listed[tuple(draw)] for draw in draws], minlength=len(listed))
    assert chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(
    ("mechanism", "n", "size"),
    [
        *((Mechanism("pairs"), n, 2 ** (n // 2)) for n in (6, 8, 10, 12, 14, 16)),
        *((Mechanism("max-run", max_run=2), n, size) for n, size in ((6, 14), (8, 34), (10, 84), (12, 208))),
        (Mechanism("max-run", max_run=2), 70, 136_050_710_238_288),
        *((Mechanism("complete"), n, math.comb(n, n // 2)) for n in (6, 8, 10, 70)),
        (Mechanism("phases", min_phase=4, random_start=False), 24, 165),
    ],
)
def test_supports_have_their_published_size(mechanism, n, size):
    assert support_size(mechanism, plan_nights(mechanism, n)) == size


def test_a_long_restricted_sequence_is_drawn_at_once_and_obeys_every_restriction():
    mechanism = Mechanism("max-run", max_run=2, weekend_balance=True)
    nights = plan_nights(mechanism, 70)
    draws = redraw(mechanism, nights, 500, seed=1)
    assert len(np.unique(draws, axis=0)) == 500
    assert all(find_violation(mechanism, with_codes(nights, draw)) is None for draw in draws[:100])
    weekend = is_weekend(nights["date"]) & (nights["condition"] != "").to_numpy()
    assert np.ptp(draws[:, weekend].sum(axis=1)) <= 1


def test_a_draw_depends_on_the_seed_alone():
    mechanism = Mechanism("complete")
    assert draw_schedule(mechanism, 20, 5).equals(draw_schedule(mechanism, 20, 5))
    assert not draw_schedule(mechanism, 20, 5).equals(draw_schedule(mechanism, 20, 6))


@pytest.mark.parametrize("kind", ["pairs", "max-run", "complete", "phases"])
def test_the_redraws_of_a_seed_do_not_begin_with_its_schedule(kind):
    mechanism = Mechanism(kind)
    same = 0
    for seed in range(60):
        nights = draw_schedule(mechanism, 40, seed)
        same += np.array_equal(redraw(mechanism, nights, 99, seed)[0], nights["condition"] == "B")
    assert same <= 1


def test_missed_and_excluded_nights_keep_their_place_in_every_draw():
    mechanism = Mechanism("pairs")
    nights = draw_schedule(mechanism, 12, 3)
    whole = redraw(mechanism, nights, 200, seed=9)
    nights = nights.assign(file=["x.edf"] * 5 + [""] * 9, excluded=[False] * 10 + [True] * 4)
    assert np.array_equal(redraw(mechanism, nights, 200, seed=9), whole)
    assert not whole[:, :2].any()


def test_draws_follow_dates_and_not_the_order_of_rows():
    mechanism = Mechanism("pairs")
    nights = draw_schedule(mechanism, 12, 3)
    shuffled = nights.sample(frac=1, random_state=1)
    draws = redraw(mechanism, shuffled.reset_index(drop=True), 50, seed=4)
    back = np.empty_like(draws)
    back[:, shuffled.index] = draws
    assert np.array_equal(back, redraw(mechanism, nights, 50, seed=4))


def test_strata_are_balanced_in_every_draw():
    mechanism = Mechanism("parallel", strata="cov_site")
    nights = plan_nights(mechanism, 1, [f"S{i}" for i in range(8)], adaptation_nights=0)
    nights["cov_site"] = ["x", "x", "y", "y", "x", "x", "y", "y"]
    draws = redraw(mechanism, nights, 100, seed=1)
    assert (draws[:, nights["cov_site"] == "x"].sum(axis=1) == 2).all()
    assert support_size(mechanism, nights) == 36 == len(np.unique(enumerate_all(mechanism, nights), axis=0))


def test_the_wash_out_of_phases_is_that_of_the_phases_as_redrawn():
    mechanism = Mechanism("phases", n_phases=2, min_phase=3, wash_out_nights=2)
    nights = plan_nights(mechanism, 8, adaptation_nights=0)
    draw = np.array([[0, 0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0, 0]], dtype=bool)
    expected = np.array([[0, 0, 1, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0, 0, 1]], dtype=bool)
    assert np.array_equal(keep_nights(mechanism, nights, draw), expected)


def test_wash_out_nights_space_the_schedule_and_are_asked_of_it():
    mechanism = Mechanism("pairs", wash_out_nights=1)
    nights = draw_schedule(mechanism, 12, 1)
    assert (np.diff(pd.to_datetime(nights["date"])[2:]) == np.timedelta64(2, "D")).all()
    assert find_violation(mechanism, nights) is None
    close = nights.assign(date=draw_schedule(Mechanism("pairs"), 12, 1)["date"])
    assert find_violation(mechanism, close).column == "date"


@pytest.mark.parametrize("start", ["9999-12-31", "0001-01-01", "2026-02-30"])
def test_a_study_begins_in_a_plausible_year(start):
    with pytest.raises(SettingsError, match="the start of the study is"):
        draw_schedule(Mechanism("pairs"), 12, 1, start=start)


def test_an_observational_study_has_nothing_to_redraw():
    with pytest.raises(SettingsError, match="no p-value"):
        redraw(Mechanism("observational"), plan_nights(Mechanism("pairs"), 4), 10, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "coin"},
        {"kind": "pairs", "conditions": ("A", "A")},
        {"kind": "max-run", "max_run": 0},
        {"kind": "phases", "weekend_balance": True},
        {"kind": "phases", "min_phase": 2, "wash_out_nights": 2},
        {"kind": "parallel", "wash_out_nights": 1},
        {"kind": "crossover", "sequences": (("A", "B"),)},
        {"kind": "crossover", "sequences": (("A", "B"), ("B", "C"))},
    ],
)
def test_a_mechanism_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(SettingsError):
        Mechanism(**wrong)


@pytest.mark.parametrize(
    ("mechanism", "codes", "row", "found"),
    [
        (Mechanism("pairs"), "ABBB", 3, "B, B in pair 2"),
        (Mechanism("pairs"), "ABA", 2, "3 nights"),
        (Mechanism("max-run", max_run=2), "ABBBAA", 3, "3 nights of B in a row"),
        (Mechanism("complete"), "ABBB", 3, "1 nights of A and 3 of B"),
        (Mechanism("phases", n_phases=2, min_phase=3), "AABBBB", 0, "2 nights in phase 1"),
        (Mechanism("phases", n_phases=2, min_phase=2), "AABBAA", 5, "3 phases"),
        (Mechanism("parallel"), "AABA", 2, "B after A"),
    ],
)
def test_an_impossible_schedule_is_told_by_the_night_that_makes_it_so(mechanism, codes, row, found):
    nights = plan_nights(Mechanism("complete"), len(codes), adaptation_nights=0).assign(condition=list(codes))
    violation = find_violation(mechanism, nights)
    assert (violation.row, violation.found) == (row, found)
