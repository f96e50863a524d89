"""Differences that follow from slow-wave amplitude or gain are told from differences of their own."""

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study, marker_rows

from eegsleep.study.comparison.compare import compare_nights

STEP = np.log(1.25)


def sized(study, marker, value, slope, unit, stage="", channel=""):
    """Return a marker that grows by `slope` with each unit of the logarithm of slow-wave amplitude."""
    rows = marker_rows(study, marker, value, unit, stage, channel)
    return rows.assign(at_less_delta=value - slope * STEP, at_more_delta=value + slope * STEP)


def activity_of(study, log_amplitude):
    """Return the slow-wave activity of N2 of nights whose slow waves have this size."""
    power = 100 * np.exp(2 * log_amplitude)
    rows = marker_rows(study, "n2_slow_wave_activity_uv2", power, "µV²", "N2", "")
    return rows.assign(at_less_delta=power / 1.25**2, at_more_delta=power * 1.25**2)


@pytest.fixture
def study():
    return make_study(n_nights=16, families=("B", "A", "C", "D"))


@pytest.fixture
def compound(study):
    return (study.nights["condition"] == "B").to_numpy()


def compared(study, *parts):
    markers = compare_nights(study, pd.concat(parts, ignore_index=True)).markers
    return markers.set_index("marker")


def test_n3_that_grows_with_slow_waves_follows_from_them(study, compound):
    """Slow waves are 15 % larger, N3 grows as it does with that: one finding, and no verdict on N3."""
    rng = np.random.default_rng(0)
    size = 0.14 * compound + 0.02 * rng.standard_normal(len(compound))
    n3 = 60 + 40 * size + 0.3 * rng.standard_normal(len(compound))
    row = compared(study, activity_of(study, size), sized(study, "n3_min", n3, 40, "min")).loc["n3_min"]
    assert row["verdict"] == "follows from slow-wave amplitude"
    assert row["difference"] == pytest.approx(5.6, abs=1)
    assert row["at_equal_delta"] == pytest.approx(0, abs=0.5)
    assert row["n_at_equal_delta"] == 16
    assert "one finding" in row["sentence"]


def test_n3_that_grows_by_itself_survives(study, compound):
    rng = np.random.default_rng(1)
    size = 0.05 * compound + 0.02 * rng.standard_normal(len(compound))
    n3 = 60 + 40 * size + 9 * compound + rng.standard_normal(len(compound))
    row = compared(study, activity_of(study, size), sized(study, "n3_min", n3, 40, "min")).loc["n3_min"]
    assert row["verdict"] == "better"
    assert row["at_equal_delta"] == pytest.approx(9, abs=1.5)


def test_slow_waves_beyond_what_was_staged_leave_it_open(study, compound):
    """With slow waves 60 % larger no night can be set to the usual size, and N3 gets no verdict."""
    rng = np.random.default_rng(2)
    size = 0.9 * compound + 0.02 * rng.standard_normal(len(compound))
    n3 = 60 + 40 * size + rng.standard_normal(len(compound))
    row = compared(study, activity_of(study, size), sized(study, "n3_min", n3, 40, "min")).loc["n3_min"]
    assert row["follows_from"] == "not known"
    assert row["verdict"] == "inconclusive"


@pytest.mark.parametrize(("larger", "verdict"), [(0.14, "inconclusive"), (0.0, "worse")])
def test_coupling_is_not_judged_where_slow_waves_differ(study, compound, larger, verdict):
    """Waves are chosen by multiples of the night's own: on a larger background fewer are, and fewer spindles ride."""
    rng = np.random.default_rng(10)
    size = larger * compound + 0.02 * rng.standard_normal(len(compound))
    strength = 0.3 - 0.06 * compound + 0.01 * rng.standard_normal(len(compound))
    coupling = marker_rows(study, "fast_coupling_strength", strength, "")
    row = compared(study, activity_of(study, size), coupling).loc["fast_coupling_strength"]
    assert row["verdict"] == verdict
    assert row["follows_from"] == ("not known" if larger else "")


def test_given_stages_are_compared_as_before(study, compound):
    n3 = 60 + 9 * compound + np.random.default_rng(3).standard_normal(len(compound))
    row = compared(study, marker_rows(study, "n3_min", n3, "min", "", "")).loc["n3_min"]
    assert row["verdict"] == "better"
    assert row["n_at_equal_delta"] == 0


def test_power_that_grows_with_gain_follows_from_it(study, compound):
    rng = np.random.default_rng(4)
    gain = np.exp(0.18 * compound + 0.02 * rng.standard_normal(len(compound)))
    power = 100 * gain**2 * np.exp(0.03 * rng.standard_normal(len(compound)))
    parts = [marker_rows(study, "gain_reference_uv", gain, "µV"), marker_rows(study, "swa_power_uv2", power, "µV²")]
    row = compared(study, *parts).loc["swa_power_uv2"]
    assert row["verdict"] == "follows from gain"
    assert abs(row["at_equal_gain"]) < 0.2 * row["difference"]


def test_power_that_grows_more_than_gain_is_a_finding(study, compound):
    rng = np.random.default_rng(5)
    gain = np.exp(0.05 * compound + 0.01 * rng.standard_normal(len(compound)))
    power = 100 * gain**2 * np.exp(0.5 * compound + 0.03 * rng.standard_normal(len(compound)))
    parts = [marker_rows(study, "gain_reference_uv", gain, "µV"), marker_rows(study, "swa_power_uv2", power, "µV²")]
    row = compared(study, *parts).loc["swa_power_uv2"]
    assert row["verdict"] == "better"
    assert row["n_at_equal_gain"] == 16


def test_counts_over_microvolts_follow_gain_too(study, compound):
    rng = np.random.default_rng(6)
    log_gain = 0.18 * compound + 0.01 * rng.standard_normal(len(compound))
    density = 5 + 8 * log_gain + 0.1 * rng.standard_normal(len(compound))
    parts = [
        marker_rows(study, "gain_reference_uv", np.exp(log_gain), "µV"),
        sized(study, "slow_oscillation_density_per_min", density, 8, "/min", "NREM", "C3"),
    ]
    row = compared(study, *parts).loc["slow_oscillation_density_per_min"]
    assert row["verdict"] == "follows from gain"


def test_latencies_to_what_never_came_are_compared_by_rank(study, compound):
    """REM is gone in most compound nights: dropping them leaves nothing, ranks find it."""
    rng = np.random.default_rng(7)
    latency = 80 + 10 * rng.standard_normal(len(compound))
    gone = compound & (np.cumsum(compound) > 1)
    rows = marker_rows(study, "rem_latency_min", np.where(gone, np.nan, latency), "min", "", "")
    rows["at_least"] = np.where(gone, 400.0, np.nan)
    row = compared(study, rows).loc["rem_latency_min"]
    assert row["method"] == "re-randomisation of ranks"
    assert row["verdict"] == "changed"
    assert row["p"] < 0.05
    assert row["nap"] > 0.9
    assert np.isnan(row["difference"])
    assert "did not come in 7 of 16 nights" in row["reason"]


def test_ranks_of_many_sleepers(compound):
    many = make_study("crossover", 4, subjects=tuple(f"S{i:02d}" for i in range(8)), families=("C", "A", "B", "D"))
    active = (many.nights["condition"] == "B").to_numpy()
    rng = np.random.default_rng(8)
    latency = 80 + 10 * rng.standard_normal(len(active)) + 30 * active
    gone = active & (rng.random(len(active)) < 0.4)
    rows = marker_rows(many, "rem_latency_min", np.where(gone, np.nan, latency), "min", "", "")
    rows["at_least"] = np.where(gone, 400.0, np.nan)
    row = compared(many, rows).loc["rem_latency_min"]
    assert row["verdict"] == "changed"
    assert row["nap"] > 0.8


def test_the_difference_by_another_stager_stands_beside(study, compound):
    rng = np.random.default_rng(9)
    n3 = 60 + 9 * compound + rng.standard_normal(len(compound))
    rows = marker_rows(study, "n3_min", n3, "min", "", "")
    rows["by_other_stager"] = 55 + 4 * compound + rng.standard_normal(len(compound))
    row = compared(study, rows).loc["n3_min"]
    assert row["difference"] == pytest.approx(9, abs=1.5)
    assert row["by_other_stager"] == pytest.approx(4, abs=1.5)
    assert row["by_other_stager_low"] < row["by_other_stager"] < row["by_other_stager_high"]
    assert row["verdict"] == "better"
