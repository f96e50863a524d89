"""Our features of an epoch are those the installed YASA measures: a new YASA that changes one is noticed here."""

import warnings

import mne
import numpy as np
import pandas as pd
import pytest
import yasa

import eegsleep as es
from eegsleep.recording.rates import bridge_gaps
from eegsleep.staging.features import smooth_and_scale
from eegsleep.staging.yasa_features import filter_broad, measure_time_features, measure_yasa_features


def by_yasa(channels):
    """Return YASA's features of channels at 100 Hz, given as role to signal in µV."""
    info = mne.create_info(list(channels), 100.0, list(channels))
    raw = mne.io.RawArray(np.stack(list(channels.values())) * 1e-6, info, verbose="ERROR")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(invalid value|divide by zero) encountered", category=RuntimeWarning)
        return yasa.SleepStaging(raw, **{f"{role}_name": role for role in channels}).get_features()


def assert_equal(ours, theirs, role):
    wanted = theirs.filter(regex=f"^{role}_")
    assert set(ours) == set(wanted)
    for name in ours:
        mine, its = ours[name].to_numpy(float), wanted[name].to_numpy(float)
        assert (np.isnan(mine) == np.isnan(its)).all(), name
        # relative to the feature, or, where it passes through zero, to its usual size
        off = np.abs(mine - its) / np.maximum(np.abs(its), 0.1 * np.nanmedian(np.abs(its)))
        if "nzc" in name:  # a sample that is zero but for a rounding error may have either sign
            assert np.abs(mine - its).max() <= (0.1 if name.endswith("_norm") else 1), name
        else:
            assert np.nanmax(off) < 1e-5, f"{name} differs by {np.nanmax(off):.1e}"


def channels_of(recording, roles):
    n = recording.n_epochs * 3000
    labels = {role: next((c for c, r in recording.roles.items() if r == role), None) for role in roles}
    return {role: bridge_gaps(recording.signal(label)[:n]) for role, label in labels.items() if label}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    settings = es.SimulationSettings(duration_h=1.0, rate_hz=128)
    path = es.write_simulated_night(es.simulate_night(settings, seed=5), tmp_path_factory.mktemp("features"), "night")
    return es.read_recording(path)


@pytest.mark.nightly
@pytest.mark.parametrize("roles", [("eeg",), ("eeg", "eog"), ("eeg", "emg"), ("eeg", "eog", "emg")])
def test_features_of_a_simulated_night_are_those_of_yasa(simulated, roles):
    channels = channels_of(simulated, roles)
    theirs = by_yasa(channels)
    for role, signal_uv in channels.items():
        own = measure_yasa_features(filter_broad(signal_uv), role)
        assert_equal(smooth_and_scale(own, np.ones(len(own), dtype=bool)), theirs, role)
    time = measure_time_features(len(theirs))
    pd.testing.assert_frame_equal(time, theirs[list(time)].reset_index(drop=True), check_names=False)


@pytest.mark.nightly
def test_features_of_real_sleep_are_those_of_yasa(real_data):
    channels = channels_of(es.read_recording(real_data / "segment" / "segment.edf"), ("eeg",))
    own = measure_yasa_features(filter_broad(channels["eeg"]), "eeg")
    assert_equal(smooth_and_scale(own, np.ones(len(own), dtype=bool)), by_yasa(channels), "eeg")


@pytest.mark.nightly
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_offset_and_size_of_the_signal_change_no_more_than_they_do_for_yasa(simulated, scale):
    signal_uv = scale * channels_of(simulated, ("eeg",))["eeg"] + 4000.0
    own = measure_yasa_features(filter_broad(signal_uv), "eeg")
    theirs = by_yasa({"eeg": signal_uv})
    for name in ("eeg_std", "eeg_iqr", "eeg_abspow", "eeg_sigma", "eeg_higuchi"):
        np.testing.assert_allclose(own[name], theirs[name], rtol=1e-4)


def test_a_flat_epoch_has_no_shape():
    """Its features are unknown or zero, as YASA's, and nothing is raised; the epoch is not usable anyway."""
    epoch = np.zeros((1, 3000))
    from eegsleep.staging.yasa_features import higuchi, permutation_entropy, welch

    assert permutation_entropy(epoch).tolist() == [0.0]
    assert not np.isfinite(higuchi(epoch)).any()
    assert (welch(epoch)[1] == 0).all()
