"""The same night with smaller and larger slow waves: features without YASA agree with YASA's, and stages with them."""

from dataclasses import replace

import numpy as np
import pytest

import eegsleep as es
from eegsleep.staging.equal_delta import FACTORS, SURE_LEAD, find_unsure
from eegsleep.staging.features import smooth_and_scale
from eegsleep.staging.score import StagingSettings, score_night, score_stages
from eegsleep.staging.slow_wave_scaling import SLOW_HZ, SlowWaveScaler
from eegsleep.staging.yasa_features import filter_broad, measure_yasa_features


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """One hour of one EEG at 100 Hz."""
    settings = es.SimulationSettings(duration_h=1.5, rate_hz=100, eeg=("C4-M1",), eog=(), emg=())
    simulated = es.simulate_night(settings, seed=11)
    return es.read_recording(es.write_simulated_night(simulated, tmp_path_factory.mktemp("delta"), "night"))


def enlarge(recording, factor):
    """Return the recording with 0.4-4 Hz multiplied, in the plainest way."""
    import mne

    raw = recording.raw.copy().load_data()

    def scale(signal):
        kept = mne.filter.filter_data(signal, 100.0, 0.4, 30.0, verbose="ERROR")
        slow = mne.filter.filter_data(kept, 100.0, None, SLOW_HZ - 0.25, h_trans_bandwidth=0.5, verbose="ERROR")
        return signal + (factor - 1) * slow

    raw.apply_function(scale)
    return replace(recording, raw=raw)


def filtered(recording):
    return filter_broad(recording.signal("C4-M1")[: recording.n_epochs * 3000])


def features_of(recording):
    own = measure_yasa_features(filtered(recording), "eeg")
    return smooth_and_scale(own, np.ones(len(own), dtype=bool))


@pytest.mark.parametrize("factor", [1.0, *FACTORS.values()])
def test_features_are_those_yasa_measures_on_the_scaled_signal(recording, factor):
    theirs = features_of(enlarge(recording, factor))
    ours = SlowWaveScaler(filtered(recording), features_of(recording)).at(factor)
    assert set(ours) == {name for name in theirs if not name.endswith("_norm")}
    inside = slice(1, -1)  # filters differ at the ends of the recording
    for name in ours:
        wanted, found = theirs[name].to_numpy(float)[inside], ours[name].to_numpy(float)[inside]
        scale = np.abs(wanted).mean()
        off = np.abs(found - wanted) / scale
        # quartiles are taken of every fourth sample; skewness is near 0; one sign change of 150 is 0.7 %
        assert np.median(off) < {"eeg_iqr": 0.02, "eeg_skew": 0.02, "eeg_nzc": 0.01}.get(name, 0.005), name


@pytest.mark.parametrize("column", FACTORS)
def test_stages_are_those_of_the_scaled_recording(recording, column):
    """At most 1.5 % of the epochs differ from staging the scaled recording anew, with the same gains."""
    quality = es.measure_quality(recording)
    night = score_night(recording, quality, StagingSettings())
    larger = enlarge(recording, FACTORS[column])
    anew = score_stages(larger, es.measure_quality(larger))["stage"].to_numpy()
    assert np.mean(night.equal_delta.stages[column].to_numpy() == anew) >= 0.985


def test_more_slow_waves_give_more_n3_and_more_activity(recording):
    found = score_night(recording, es.measure_quality(recording)).equal_delta
    n3 = [(found.stages[name] == "N3").sum() for name in ("less_delta", "stage", "more_delta")]
    assert n3[0] < n3[1] < n3[2]
    activity = [found.n2_activity_uv2[name] for name in ("less_delta", "stage", "more_delta")]
    assert activity[0] < activity[1] < activity[2]
    # most of the power scales with the square of the factor; the rest of N2 changes because its borders move
    assert activity[2] / activity[0] == pytest.approx((1.25 / 0.8) ** 2, rel=0.15)


def test_activity_does_not_follow_gain(recording):
    """Otherwise a change of gain would be set right by slow waves, and make a false difference in N3."""
    raw = recording.raw.copy().load_data().apply_function(lambda signal: 1.3 * signal)
    louder = replace(recording, raw=raw)
    one, two = (score_night(r, es.measure_quality(r)).equal_delta.n2_activity_uv2 for r in (recording, louder))
    assert two["stage"] == pytest.approx(one["stage"], rel=1e-3)


def test_sure_epochs_are_those_whose_best_stage_leads():
    probabilities = np.array([[0.95, 0.05, 0, 0, 0], [0.6, 0.4, 0, 0, 0], [0.89, 0.11, 0, 0, 0]])
    assert find_unsure(probabilities).tolist() == [False, True, True]
    assert SURE_LEAD == 0.8
