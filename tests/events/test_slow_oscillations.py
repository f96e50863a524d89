"""Slow oscillations: each measure is what it says, and silence is not zero."""

from types import SimpleNamespace

import mne
import numpy as np
import pandas as pd
import pytest

from eegsleep.errors import SettingsError
from eegsleep.events.slow_oscillations import (
    SlowOscillationSettings,
    detect_slow_oscillations,
    find_slow_oscillation_candidates,
    select_slow_oscillations,
)
from eegsleep.hypnograms.table import make_stages
from eegsleep.recording.recording import Recording
from eegsleep.tables import SLOW_OSCILLATIONS


def make(signal_uv, names, bad=()):
    """Return a recording of one channel, its stages, and a quality that doubts the epochs in `bad`."""
    raw = mne.io.RawArray(signal_uv[None] * 1e-6, mne.create_info(["C4"], 100, "eeg"), verbose="ERROR")
    stages = make_stages(np.array(names, dtype=object), None, np.ones(len(names), dtype=bool))
    epochs = np.arange(len(names))
    quality = pd.DataFrame({"epoch": epochs, "channel": "C4", "usable": ~np.isin(epochs, bad)})
    return Recording(id="made", raw=raw, roles={"C4": "eeg"}), stages, quality


def sine(n_epochs, uv=60.0, hz=0.8):
    """Return a sine whose first negative peak lies at half a period; every wave is a whole period."""
    return uv * np.cos(2 * np.pi * hz * np.arange(3000 * n_epochs) / 100)


def test_measures_of_a_sine_are_those_of_a_sine():
    waves = detect_slow_oscillations(*make(sine(20), ["N2"] * 20))
    inner = waves[waves["onset_s"].between(30, 570)]
    assert len(inner) == pytest.approx(540 * 0.8, abs=2)
    expected = {
        "duration_s": 1.25,
        "frequency_hz": 0.8,
        "neg_peak_uv": -60,
        "pos_peak_uv": 60,
        "ptp_uv": 120,
        "slope_uv_per_s": 60 / 0.3125,
        "fall_slope_uv_per_s": 60 / 0.3125,
        "isolation_s": 1.25,
        "ptp_relative": 1.0,
    }
    for name, value in expected.items():
        assert inner[name].to_numpy() == pytest.approx(value, rel=0.02), name
    phase = (inner[["onset_s", "neg_peak_s", "mid_crossing_s", "pos_peak_s"]] / 1.25 % 1).to_numpy()
    assert np.angle(np.exp(2j * np.pi * (phase - [0.25, 0.5, 0.75, 0.0]))) == pytest.approx(0, abs=0.03)


def test_a_person_s_threshold_replaces_the_published_one_in_the_absolute_view_alone():
    candidates = find_slow_oscillation_candidates(*make(sine(20, uv=50), ["N2"] * 20))
    assert select_slow_oscillations(candidates)["found_absolute"].all()
    frozen = SimpleNamespace(so_amplitude_uv={"C4": 120.0})
    assert not select_slow_oscillations(candidates, None, frozen)["found_absolute"].any()
    elsewhere = SimpleNamespace(so_amplitude_uv={"F3": 120.0})
    assert select_slow_oscillations(candidates, None, elsewhere)["found_absolute"].all()


def test_large_waves_among_small_ones_are_found_relatively_at_any_gain():
    """Sixteen waves of 80 µV in ten minutes of 10 µV: both views find them, at a tenth of the gain one does."""
    signal = sine(20, uv=10)
    for first in range(3000, 60_000 - 3000, 3375):
        signal[first : first + 125] = 8 * sine(1, uv=10)[31:156]
    counts = {}
    for gain in (1.0, 0.1):
        waves = detect_slow_oscillations(*make(gain * signal, ["N2"] * 20))
        counts[gain] = (waves["found_absolute"].sum(), waves["found_relative"].sum())
    assert counts[1.0][1] == counts[0.1][1] == 16
    assert counts[1.0][0] == 16
    assert counts[0.1][0] == 0


def test_too_little_n2_leaves_no_relative_view():
    waves = detect_slow_oscillations(*make(sine(20), ["N2"] * 9 + ["N3"] * 11))
    assert len(waves)
    assert waves["reference_uv"].isna().all()
    assert not waves["found_relative"].any()


@pytest.mark.parametrize("method", ["eegsleep", "yasa"])
@pytest.mark.parametrize(
    ("signal", "names", "bad"),
    [
        (np.zeros(60_000), ["N2"] * 20, ()),
        (np.full(60_000, np.nan), ["N2"] * 20, ()),
        (sine(20), ["W"] * 20, ()),
        (sine(20), ["N2"] * 20, range(20)),
        (sine(20, uv=3), ["N3"] * 20, ()),
    ],
    ids=["silent", "missing", "no NREM", "nothing usable", "nothing large"],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_nothing_found_is_an_empty_table_with_its_columns(signal, names, bad, method):
    waves = detect_slow_oscillations(*make(signal, names, bad), SlowOscillationSettings(method=method))
    assert len(waves) == 0
    assert list(waves.columns) == SLOW_OSCILLATIONS.column_names


def test_waves_are_counted_in_usable_nrem_only():
    waves = detect_slow_oscillations(*make(sine(20), ["N2"] * 12 + ["R"] * 4 + ["N3"] * 4, bad=(3, 17)))
    assert set(waves["neg_peak_s"] // 30) == set(range(12)) - {3} | {16, 18, 19}
    assert set(waves.loc[waves["neg_peak_s"] > 480, "stage"]) == {"N3"}


@pytest.mark.parametrize("shift", [-47, 0, 47])
def test_a_wave_that_reaches_into_an_unusable_epoch_is_left_out(shift):
    """A period lies across every border, at another phase for each shift: next to a bad epoch it is no wave."""
    waves = detect_slow_oscillations(*make(np.roll(sine(20), shift), ["N2"] * 20, bad=(6,)))
    end_s = waves["onset_s"] + waves["duration_s"]
    assert not ((end_s > 180) & (waves["onset_s"] < 210)).any()
    assert ((end_s > 150) & (waves["onset_s"] < 150)).any()


def test_an_unknown_method_is_refused():
    with pytest.raises(SettingsError, match="method"):
        SlowOscillationSettings(method="other")
