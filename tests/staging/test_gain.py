"""Stages follow sleep and not the gain of an electrode."""

from pathlib import Path

import numpy as np
import pytest

import eegsleep as es
from eegsleep.staging.gain import TRAINED_LEVEL_UV, bring_to_reference, gain_to_reference, measure_level
from eegsleep.staging.score import StagingSettings, score_stages


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """90 minutes of two EEG, EOG and EMG with every kind of artefact."""
    artefacts = ("flat", "movement", "contact_loss")
    simulated = es.simulate_night(es.SimulationSettings(duration_h=1.5, rate_hz=128, artefacts=artefacts), seed=3)
    return es.read_recording(es.write_simulated_night(simulated, tmp_path_factory.mktemp("gain"), "night"))


def amplify(recording, gain, roles=("eeg", "eog", "emg")):
    """Return the recording with some channels recorded `gain` times as large."""
    from dataclasses import replace

    raw = recording.raw.copy().load_data()
    picks = [name for name, role in recording.roles.items() if role in roles]
    raw.apply_function(lambda x: gain * x, picks=picks, channel_wise=False)
    return replace(recording, raw=raw)


@pytest.fixture(scope="module")
def stages(night):
    return score_stages(night, es.measure_quality(night))["stage"].to_numpy()


@pytest.mark.nightly
@pytest.mark.parametrize("roles", [("eeg",), ("eeg", "eog", "emg")])
@pytest.mark.parametrize("gain", [0.5, 0.7, 1.4, 2.0])
def test_gain_changes_no_stage(night, stages, gain, roles):
    louder = amplify(night, gain, roles)
    found = score_stages(louder, es.measure_quality(louder))["stage"].to_numpy()
    assert np.mean(found == stages) >= 0.99
    assert (found == "N3").sum() == pytest.approx((stages == "N3").sum(), rel=0.05)


def test_as_recorded_follows_gain_as_yasa_does(night):
    """The setting makes a difference, so that the test above could fail."""
    settings = StagingSettings(gain="as_recorded")
    n3 = []
    for gain in (0.5, 2.0):
        louder = amplify(night, gain, ("eeg",))
        n3.append((score_stages(louder, es.measure_quality(louder), settings)["stage"] == "N3").sum())
    assert n3[1] > 1.1 * n3[0]


def test_real_segment_at_every_gain(real_data):
    """84 minutes of real sleep: the bars of the specification at every gain from half to twice."""
    import pandas as pd
    from sklearn.metrics import cohen_kappa_score

    recording = es.read_recording(real_data / "segment" / "segment.edf")
    expert = pd.read_csv(real_data / "segment" / "segment_stages.csv")
    found = {}
    for gain in (0.5, 0.7, 1.0, 1.4, 2.0):
        louder = amplify(recording, gain)
        found[gain] = score_stages(louder, es.measure_quality(louder))
    usual = found[1.0]["stage"].to_numpy()
    at = np.searchsorted(expert["onset_s"], found[1.0]["onset_s"] + 15, side="right") - 1
    truth = expert["stage"].to_numpy()[at]
    for gain, table in found.items():
        mine = table["stage"].to_numpy()
        scored = mine != "UNS"
        assert np.mean(mine == usual) >= 0.99, gain
        assert (mine == "N3").sum() == pytest.approx((usual == "N3").sum(), rel=0.05), gain
        assert cohen_kappa_score(truth[scored], mine[scored]) >= 0.80, gain


def test_level_grows_with_gain_and_brings_features_to_those_of_the_louder_channel(night):
    from eegsleep.staging.features import measure_channels

    every = {"C4-M1": np.ones(60, dtype=bool)}
    features, louder = (
        measure_channels(one, every, slice(0, 60)).features["C4-M1"] for one in (night, amplify(night, 1.3))
    )
    every = np.isfinite(features["eeg_abspow"].to_numpy()) & (features["eeg_std"] > 1e-3).to_numpy()
    assert measure_level(louder, "eeg", every) == pytest.approx(1.3 * measure_level(features, "eeg", every), rel=1e-3)
    assert gain_to_reference(features, "eeg", every) == pytest.approx(
        1.3 * gain_to_reference(louder, "eeg", every), rel=1e-3
    )
    brought = bring_to_reference(features, "eeg", 1.3)
    # in the flat part of an epoch the order of samples is that of rounding errors
    within = {"eeg_std": 1e-3, "eeg_iqr": 1e-3, "eeg_abspow": 1e-3, "eeg_sigma": 1e-3, "eeg_perm": 3e-3}
    for name, rel in within.items():
        assert brought[name][every].to_numpy() == pytest.approx(louder[name][every].to_numpy(), rel=rel), name
    assert bring_to_reference(features, "eeg", 1.0) is features
    assert gain_to_reference(features, "eeg", np.zeros(len(features), bool)) == 1.0


@pytest.mark.nightly
def test_trained_level_is_that_of_the_installed_classifiers():
    """If YASA trains anew, the level changes with it, and this test says so."""
    import lightgbm
    import yasa

    from eegsleep.staging.classifier import read_trees

    assert Path(yasa.__file__).parent.joinpath("classifiers").is_dir()

    def median_threshold(model, feature):
        return np.median(sorted(set(model.loc[model["split_feature"] == feature, "threshold"])))

    bands = ("theta", "alpha", "sigma", "beta")
    for role, name in (("eeg", "eeg"), ("eog", "eeg+eog")):
        trees = lightgbm.Booster(model_str=read_trees(name)).trees_to_dataframe()
        power = median_threshold(trees, f"{role}_abspow")
        share = sum(median_threshold(trees, f"{role}_{band}") for band in bands)
        assert np.sqrt(power * share) == pytest.approx(TRAINED_LEVEL_UV[role], rel=0.02), role


def test_unknown_way_is_refused():
    with pytest.raises(es.EegSleepError, match="gain"):
        StagingSettings(gain="loud")
