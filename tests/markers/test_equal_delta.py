"""The markers of one night at three sizes of its slow waves."""

import numpy as np
import pytest

import eegsleep as es
from eegsleep.markers.equal_delta import ACTIVITY, LEVEL


@pytest.fixture(scope="module")
def markers(sample_night):
    return sample_night.markers.set_index(["marker", "stage", "channel"])


def at(markers, name, stage="", channel=""):
    row = markers.loc[(name, stage, channel)]
    return row["at_less_delta"], row["value"], row["at_more_delta"]


@pytest.mark.nightly
def test_n3_grows_with_slow_waves_and_total_sleep_hardly(markers):
    less, usual, more = at(markers, "n3_min")
    assert less < usual < more
    less, usual, more = at(markers, "tst_min")
    assert max(less, usual, more) - min(less, usual, more) < 5


def test_slow_oscillations_are_counted_again(markers):
    """Over the same 75 µV there are more waves where all are higher."""
    for channel in ("C4-M1", "F3-M2"):
        less, usual, more = at(markers, "slow_oscillation_density_per_min", "NREM", channel)
        assert less < usual < more


def test_shares_of_faster_bands_fall_where_slow_waves_grow(markers):
    less, usual, more = at(markers, "theta_relative_percent", "NREM", "C4-M1")
    assert less > usual > more


def test_what_depends_on_neither_stages_nor_counts_is_left_out(markers):
    for name, stage in (("swa_power_uv2", "NREM"), ("fast_spindle_density_per_min", "NREM"), ("rem_latency_min", "")):
        less, _, more = at(markers, name, stage, "C4-M1" if stage else "")
        assert np.isnan([less, more]).all() == bool(stage), name


def test_markers_of_n3_are_measured_in_the_n3_of_that_size(sample_night, markers):
    """The minutes of N3 differ, so that the mean power in it does, though the power of no epoch was changed."""
    less, usual, more = at(markers, "swa_power_uv2", "N3", "C4-M1")
    assert less > usual > more, "more N3 takes in epochs with smaller slow waves"


def test_activity_and_levels_are_markers(sample_night, markers):
    less, usual, more = at(markers, ACTIVITY, "N2")
    assert 0 < less < usual < more
    gains = sample_night.provenance["staging_gains"]
    for label, role in sample_night.roles.items():
        trained_uv = {"eeg": 6.14, "eog": 4.57, "emg": 6.0}[role]
        assert markers.loc[(LEVEL, "", label), "value"] == pytest.approx(trained_uv / gains[label], rel=1e-4)


def test_given_stages_have_no_audit(sample_recording, sample_night):
    given = es.analyze_night(sample_recording, hypnogram=sample_night.stages)
    assert given.stages_at_delta.empty
    assert given.markers[["at_less_delta", "at_more_delta"]].isna().all(axis=None)
    row = given.markers.set_index("marker").loc[ACTIVITY]
    assert np.isnan(row["value"])
    assert row["reason"] == "the stages were given"
