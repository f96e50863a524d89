"""The largest waves of a minute: they follow amplitude in proportion, and few waves are missing, not low."""

import numpy as np
import pandas as pd
import pytest
from planted_spindles import RATE_HZ, given_stages, read_segment, record, scale_delta

from eegsleep.events.largest_waves import measure_largest_waves
from eegsleep.events.slow_oscillations import measure_waves


def measure(signal, stages, quality):
    waves = measure_waves(record(signal[None], ["C4"]), stages, quality.assign(channel="C4"))
    return measure_largest_waves(waves, stages, quality.assign(channel="C4"), ["C4"])


def usable(n_epochs, bad=()):
    epochs = np.arange(n_epochs)
    return pd.DataFrame({"epoch": epochs, "channel": "C4", "usable": ~np.isin(epochs, bad)})


def sine(n_epochs, uv=60.0):
    return uv * np.cos(2 * np.pi * 0.8 * np.arange(30 * RATE_HZ * n_epochs) / RATE_HZ)


def test_a_sine_gives_its_height_and_slope():
    minutes = measure(sine(10), given_stages(["N2"] * 10), usable(10))
    assert len(minutes) == 5
    inner = minutes.iloc[1:-1]
    assert inner["ptp_uv"].to_numpy() == pytest.approx(120, rel=0.02)
    assert inner["slope_uv_per_s"].to_numpy() == pytest.approx(60 / 0.3125, rel=0.03)
    assert (inner["n_waves"] == 48).all()


@pytest.mark.parametrize("factor", [0.7, 1.25, 1.4])
def test_they_follow_slow_wave_amplitude_in_proportion(real_data, factor):
    """Waves above a threshold would have .95, 1.07 and 1.12 times the mean height."""
    signal, stages, quality = read_segment(real_data / "segment")
    before, after = (measure(x, stages, quality) for x in (signal, scale_delta(signal, factor)))
    for column in ("ptp_uv", "slope_uv_per_s"):
        assert after[column].mean() / before[column].mean() == pytest.approx(factor, rel=0.02)


def test_they_follow_gain_exactly():
    rng = np.random.default_rng(0)
    signal = np.convolve(rng.standard_normal(30 * RATE_HZ * 10), np.ones(40), "same")
    stages, quality = given_stages(["N3"] * 10), usable(10)
    before, after = (measure(x, stages, quality)["ptp_uv"].mean() for x in (signal, 1.25 * signal))
    assert after / before == pytest.approx(1.25, rel=1e-6)


def test_a_minute_is_two_epochs_of_one_stage_and_an_odd_one_is_left_out():
    names = ["N2", "N2", "N2", "N3", "W", "N2", "N2", "N3", "N3"]
    minutes = measure(sine(9), given_stages(names), usable(9, bad=(1,)))
    assert minutes.groupby("stage")["onset_s"].apply(list).to_dict() == {"N2": [0.0, 150.0], "N3": [90.0]}


def test_fewer_than_five_waves_are_missing():
    signal = np.zeros(30 * RATE_HZ * 4)
    signal[3000:3375] = sine(1)[31:406]  # three waves
    minutes = measure(signal + 1e-9 * sine(4), given_stages(["N2"] * 4), usable(4, bad=(0, 3)))
    few = minutes.assign(n_waves=3)
    assert len(minutes) == 1
    assert few["n_waves"].item() < 5
    empty = measure_largest_waves(
        measure_waves(record(signal[None], ["C4"]), given_stages(["N2"] * 4), usable(4)).iloc[:3],
        given_stages(["N2"] * 4),
        usable(4),
        ["C4"],
    )
    assert empty["ptp_uv"].isna().all()


def test_no_nrem_gives_no_minute():
    assert measure(sine(4), given_stages(["W"] * 4), usable(4)).empty
