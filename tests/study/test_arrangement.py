"""Markers as arrays: which have logarithms, and of what."""

import math

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study, marker_rows, only_row

from eegsleep.study.arrangement import logarithms
from eegsleep.study.comparison.compare import compare_nights

LATENCIES = ("sol_min", "waso_min", "wake_in_sleep_period_min", "persistent_sleep_latency_min")


def _logarithms(marker, unit, values):
    return logarithms(pd.Series({"marker": marker, "unit": unit}), np.array(values, dtype=float))


@pytest.mark.parametrize("marker", LATENCIES)
def test_minutes_that_may_be_0_have_1_added_before_the_logarithm(marker):
    found = _logarithms(marker, "min", [0, 1, 9, math.nan])
    assert found == pytest.approx([0.0, math.log(2), math.log(10), math.nan], nan_ok=True)


@pytest.mark.parametrize(("marker", "unit"), [("swa_power_uv2", "µV²"), ("spindle_density_per_min", "/min")])
def test_powers_and_densities_are_taken_as_they_are(marker, unit):
    assert _logarithms(marker, unit, [1, math.e, math.nan]) == pytest.approx([0, 1, math.nan], nan_ok=True)
    assert _logarithms(marker, unit, [0, 1]) is None
    assert _logarithms(marker, unit, [math.nan, math.nan]) is None


def test_other_markers_have_no_ratio():
    assert _logarithms("tst_min", "min", [400, 420]) is None
    assert _logarithms("coupling_phase_rad", "rad", [0.1, 0.2]) is None


@pytest.mark.parametrize("kind", ["pairs", "observational"])
def test_the_ratio_of_a_latency_is_that_of_the_latency_and_1(kind):
    """By hand: control nights of 0 and 3 min, compound nights of 1 and 7 min, in equal numbers."""
    study = make_study(kind, 16, seed=3)
    second = (study.nights["condition"] == "B").to_numpy()
    value = np.where(second, 1.0, 0.0)
    for arm in (second, (study.nights["condition"] == "A").to_numpy()):
        value[np.flatnonzero(arm)[::2]] = 7.0 if arm is second else 3.0
    row = only_row(compare_nights(study, marker_rows(study, "sol_min", value, "min", "", "")))
    ratio = math.exp((math.log(8) + math.log(2)) / 2 - (math.log(4) + math.log(1)) / 2)
    assert row["ratio"] == pytest.approx(ratio, rel=1e-9 if kind == "pairs" else 0.35)
