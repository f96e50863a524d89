"""What a compound did, taken together: a benzodiazepine is not told as a restorer of sleep."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study, marker_rows

from eegsleep.markers import CATALOGUE
from eegsleep.study.comparison.compare import compare_nights

MARKERS = {
    "tst_min": 420.0,
    "sol_min": 20.0,
    "waso_min": 40.0,
    "swa_power_uv2": 600.0,
    "rem_min": 95.0,
    "fast_spindle_density_per_min": 3.0,
    "fast_spindle_frequency_hz": 13.4,
    "fast_spindle_duration_s": 0.8,
    "fast_coupling_strength": 0.3,
}
SEDATIVE = {
    "tst_min": 2.0,
    "sol_min": -2.0,
    "swa_power_uv2": -2.0,
    "rem_min": -1.5,
    "fast_spindle_density_per_min": 2.0,
    "fast_spindle_frequency_hz": -2.0,
    "fast_coupling_strength": -1.5,
}
RESTORING = {"swa_power_uv2": 2.5, "fast_spindle_density_per_min": 2.5}
STIMULANT = {"tst_min": -2.0, "sol_min": 2.0, "swa_power_uv2": -1.5}
SUPPORTING = {"tst_min": 2.5, "waso_min": -2.0}


def compared(effects, seed=0, *, scores=False, **changes):
    """Compare 28 nights whose markers vary by 5 % and have effects in SD."""
    study = make_study("pairs", 28, seed=seed, **changes)
    rng = np.random.default_rng(seed)
    second = study.nights["condition"].eq("B").to_numpy()
    if scores:
        nights = study.nights.assign(day_vas=rng.standard_normal(len(second)))
        study = dataclasses.replace(study, nights=nights)
    parts = []
    for name, mean in MARKERS.items():
        unit = CATALOGUE[name].unit
        value = mean * (1 + 0.05 * (rng.standard_normal(len(second)) + effects.get(name, 0.0) * second))
        where = ("", "") if unit == "min" else ("NREM", "C3")
        parts.append(marker_rows(study, name, value, unit, *where))
    return compare_nights(study, pd.concat(parts), n_draws=999)


@pytest.mark.parametrize(
    ("effects", "scores", "pattern"),
    [
        (SEDATIVE, False, "sedation-like"),
        (SEDATIVE, True, "sedation-like"),
        (RESTORING, False, "restorative-like"),
        (STIMULANT, False, "stimulant-like"),
        (SUPPORTING, True, "selective"),
        (SUPPORTING, False, "not claimed"),
        ({}, False, "none"),
    ],
)
def test_a_pattern_is_named_by_what_differs_together(effects, scores, pattern):
    row = compared(effects, scores=scores).pattern.iloc[0]
    assert row["pattern"] == pattern, row["sentence"]


def test_without_a_next_day_outcome_selectivity_cannot_be_claimed():
    row = compared(SUPPORTING).pattern.iloc[0]
    assert "without next-day outcomes it cannot be claimed" in row["sentence"]


@pytest.mark.nightly
def test_nothing_is_seldom_a_pattern():
    assert sum(compared({}, seed).pattern.iloc[0]["pattern"] != "none" for seed in range(20)) <= 3


def test_codes_that_are_masked_have_no_pattern():
    row = compared(SEDATIVE, active=None).pattern.iloc[0]
    assert (row["pattern"], row["found"]) == ("masked", "")


def test_spindles_of_a_gabaergic_compound_have_no_direction():
    """Benzodiazepines make more spindles and no better memory."""
    given = compared(SEDATIVE, compound_class="benzodiazepines").markers.set_index("marker")
    assert given.loc["fast_spindle_density_per_min", "direction"] == "0"
    assert given.loc["fast_spindle_density_per_min", "verdict"] == "changed"
    assert compared(SEDATIVE).markers.set_index("marker").loc["fast_spindle_density_per_min", "direction"] == "+"
