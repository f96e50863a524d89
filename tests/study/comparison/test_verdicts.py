"""The verdict on one marker, in a word and in a sentence."""

import math

import pytest

from eegsleep.study.comparison import verdicts

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


def test_a_design_that_cannot_tell_says_so():
    row = ROW | {"p": 0.125, "p_adjusted": 0.125, "smallest_p": 0.125}
    assert "smallest p-value" in verdicts.judge_marker(row, alpha=0.05, masked=False)[1]
