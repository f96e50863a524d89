"""Polarity: an inverted channel is told, an upright one never warned of, and without waves nothing is said."""

import numpy as np
import pandas as pd
import pytest
from dreams import read_excerpt
from planted_spindles import given_stages, read_segment, record, simulate

from eegsleep.events.polarity import measure_polarity
from eegsleep.recording.recording import Recording


def turned(recording: Recording, gain=-1.0):
    return record(gain * recording.microvolts, recording.channels)


@pytest.fixture(scope="module")
def night():
    return simulate(41, duration_h=2.0)[:3]


@pytest.mark.parametrize("gain", [-1.0, -0.3, 0.3])
def test_signs_turn_with_the_channel_and_do_not_follow_gain(night, gain):
    recording, stages, quality = night
    before, after = measure_polarity(*night), measure_polarity(turned(recording, gain), stages, quality)
    for label, found in before.items():
        assert found.verdict == "upright"
        assert after[label].verdict == ("inverted" if gain < 0 else "upright")
        for sign in ("z", "shape_z", "sigma_z"):
            expected = np.sign(gain) * getattr(found, sign)
            assert getattr(after[label], sign) == pytest.approx(expected, rel=1e-5)


def test_a_real_channel_is_told_either_way_up(real_data):
    signal, stages, quality = read_segment(real_data / "segment")
    for sign, verdict in ((1, "upright"), (-1, "inverted")):
        assert measure_polarity(record(sign * signal[None], ["EEG"]), stages, quality)["EEG"].verdict == verdict


@pytest.mark.parametrize(("number", "verdicts"), [(1, {"unsure"}), (5, {"upright"})])
def test_no_upright_excerpt_is_called_inverted(real_data, number, verdicts):
    night, _ = read_excerpt(real_data / "dreams", number)
    assert measure_polarity(*night)["C3"].verdict in verdicts


def test_noise_and_little_sleep_are_unsure():
    noise = 20 * np.random.default_rng(0).standard_normal(90_000)
    night = record(noise[None], ["C4"]), given_stages(["N2"] * 30)
    quality = pd.DataFrame({"epoch": range(30), "channel": "C4", "usable": True})
    assert measure_polarity(*night, quality)["C4"].verdict == "unsure"
    few = measure_polarity(*night, quality.assign(usable=quality["epoch"] < 19))["C4"]
    assert few.verdict == "unsure"
    assert np.isnan(few.z)
