"""The verdict on one marker, in a word and in a sentence."""

import math

import pytest

from eegsleep.study.comparison import verdicts

ROW = {
    "label": "Fast spindle density",
    "stage": "NREM",
    "unit": "/min",
    "difference": 1.0,
    "nap": 0.8,
    "follows_from": "",
    "n_at_equal_delta": 0,
    "n_at_equal_gain": 0,
    "depends_at_equal_delta": False,
    "depends_at_equal_gain": False,
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
    "scale": "",
    "ratio": 1.2,
    "gain_apart": 0.0,
    "adjusted_for": "",
    "nights_to_settle": 0,
    "control_mean": 4.0,
    "compound_mean": 5.0,
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


@pytest.mark.parametrize("direction", ["+", "-", "0"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_difference_that_follows_is_never_better_or_worse(direction, masked):
    for origin in ("slow-wave amplitude", "gain"):
        equal = {"at_equal_delta": 0.1, "at_equal_gain": 0.1}
        row = ROW | equal | {"direction": direction, "follows_from": origin}
        found, sentence = verdicts.judge_marker(row, alpha=0.05, masked=masked)
        assert found == f"follows from {origin}"
        assert "0.1 /min" in sentence
    found, _ = verdicts.judge_marker(ROW | {"follows_from": "not known"}, alpha=0.05, masked=masked)
    assert found == "inconclusive"


@pytest.mark.parametrize(
    ("equal", "low", "high", "n", "depends", "origin"),
    [
        (0.9, 0.3, 1.5, 20, True, ""),
        (0.5, 0.1, 0.9, 20, True, ""),
        (0.49, 0.1, 0.9, 20, True, "slow-wave amplitude"),  # less than half is left
        (0.9, -0.1, 1.9, 20, True, "slow-wave amplitude"),  # the interval holds 0
        (-0.9, -1.5, -0.3, 20, True, "slow-wave amplitude"),  # it turned round
        (0.9, 0.3, 1.5, 14, True, "not known"),
        (math.nan, math.nan, math.nan, 20, True, "not known"),
        (math.nan, math.nan, math.nan, 0, True, "not known"),
        (math.nan, math.nan, math.nan, 0, False, ""),  # does not depend on slow waves
    ],
)
def test_what_survives_at_equal_slow_waves(equal, low, high, n, depends, origin):
    row = ROW | {
        "at_equal_delta": equal,
        "at_equal_delta_low": low,
        "at_equal_delta_high": high,
        "n_at_equal_delta": n,
        "depends_at_equal_delta": depends,
    }
    assert verdicts.find_origin(row) == origin


def test_a_design_that_cannot_tell_says_so():
    row = ROW | {"p": 0.125, "p_adjusted": 0.125, "smallest_p": 0.125}
    assert "smallest p-value" in verdicts.judge_marker(row, alpha=0.05, masked=False)[1]
