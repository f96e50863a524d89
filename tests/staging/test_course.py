"""Thirds of the night and bouts of wake, worked out by hand."""

import numpy as np
import pytest

from eegsleep.staging.course import find_thirds, measure_course


def codes(text):
    return np.array([stage for part in text.split() for stage in [part.split("*")[0]] * int(part.split("*")[1])])


def test_thirds_are_those_of_the_sleep_period():
    thirds = find_thirds(codes("W*20 N2*3 N3*3 R*3 W*5"))
    assert thirds.tolist() == [-1] * 20 + [0] * 3 + [1] * 3 + [2] * 3 + [-1] * 5


def test_minutes_by_third():
    found = measure_course(codes("W*10 N3*20 N2*20 R*10 W*10 N2*10 N3*4 N2*6 W*30"))
    # the period has 80 epochs, so that thirds begin at 0, 27 and 54 (3 * 27 // 80 is 1)
    assert [found[f"n3_{third}_third_min"].value for third in ("first", "middle", "last")] == [10.0, 0.0, 2.0]
    assert [found[f"wake_{third}_third_min"].value for third in ("first", "middle", "last")] == [0.0, 2.0, 3.0]
    assert found["rem_first_third_min"].value == 0.0


def test_bouts_of_wake_by_their_length():
    found = measure_course(codes("W*9 N2*10 W*4 N2*10 W*5 N2*5 W*1 N2*5 W*40"))
    assert found["wake_bouts_up_to_2_min"].value == 2
    assert found["wake_bouts_over_2_min"].value == 1
    assert found["wake_in_long_bouts_min"].value == 2.5


def test_rem_latency_without_wake():
    assert measure_course(codes("W*9 N2*60 W*40 N2*20 R*5"))["rem_latency_asleep_min"].value == 40.0
    never = measure_course(codes("W*9 N2*60"))["rem_latency_asleep_min"]
    assert np.isnan(never.value)
    assert never.reason == "no REM in this night"


@pytest.mark.parametrize("text", ["W*20", "UNS*20"])
def test_without_sleep_nothing_is_measured(text):
    found = measure_course(codes(text))
    assert all(np.isnan(measure.value) and measure.reason for measure in found.values())
