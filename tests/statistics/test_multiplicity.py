"""Adjusted p-values: a marker that was not tested is not counted, and families open in order."""

import math

import numpy as np
import pytest

from eegsleep.statistics.multiplicity import benjamini_hochberg, gate_families, holm


def test_a_marker_that_was_not_tested_is_not_counted():
    p = [0.01, math.nan, 0.04]
    assert benjamini_hochberg(p) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert holm(p) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert np.isnan(benjamini_hochberg([math.nan])).all()
    assert benjamini_hochberg([]).size == holm([]).size == 0


def test_a_family_is_open_only_after_a_rejection_in_the_one_before():
    p = {"A": [0.5], "B": [0.001], "C": [0.001]}
    _, is_open = gate_families(p, ("B", "A", "C"), q=0.10)
    assert is_open == {"A": True, "B": True, "C": False}
    assert not any(gate_families(p, ("B", "A", "C"), q=0.10, opened=False)[1].values())
