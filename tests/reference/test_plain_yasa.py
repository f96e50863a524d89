"""Against plain YASA and an expert: nothing was lost on the way."""

import mne
import numpy as np
import pandas as pd
import pytest
import yasa

import eegsleep as es
from eegsleep.staging.score import StagingSettings, score_stages


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:Trying to unpickle estimator LabelEncoder")
def test_stages_as_recorded_are_those_of_plain_yasa():
    """As recorded, our probabilities are YASA's own where every epoch is usable.

    A feature that differs in its seventh digit may fall on the other side of a split of one tree in a thousand.
    """
    from tests_paths import SAMPLE

    from eegsleep.staging.confidence import calibrate_probabilities

    recording = es.read_recording(SAMPLE, eeg=["C4-M1"])
    quality = es.measure_quality(recording).assign(usable=True)
    ours = score_stages(recording, quality, StagingSettings(gain="as_recorded"))
    info = mne.create_info(recording.channels, 100.0, [recording.roles[name] for name in recording.channels])
    raw = mne.io.RawArray(
        np.stack([recording.signal(name) for name in recording.channels]) * 1e-6, info, verbose="ERROR"
    )
    staging = yasa.SleepStaging(raw, eeg_name="C4-M1", eog_name="E1-M2", emg_name="EMG chin")
    plain = staging.predict().proba[["WAKE", "N1", "N2", "N3", "REM"]].to_numpy()
    columns = ["p_wake", "p_n1", "p_n2", "p_n3", "p_rem"]
    wanted = calibrate_probabilities(plain)
    np.testing.assert_array_equal(ours[columns].to_numpy().argmax(axis=1), wanted.argmax(axis=1))
    np.testing.assert_allclose(ours[columns].to_numpy(), wanted, atol=0.02)
    assert np.median(np.abs(ours[columns].to_numpy() - wanted)) < 1e-4


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:Trying to unpickle estimator LabelEncoder")
def test_stages_of_one_derivation_are_those_of_plain_yasa():
    """On a clean file our stages are YASA's own on the same channels, read in the plainest way."""
    from tests_paths import SAMPLE

    raw = mne.io.read_raw_edf(SAMPLE, preload=True, verbose="ERROR")
    plain = yasa.SleepStaging(raw, eeg_name="C4-M1", eog_name="E1-M2", emg_name="EMG chin").predict()
    names = plain.hypno.astype("str").replace({"WAKE": "W", "REM": "R"}).to_numpy()
    recording = es.read_recording(SAMPLE, eeg=["C4-M1"])
    ours = score_stages(recording, es.measure_quality(recording), StagingSettings(gain="as_recorded"))
    assert np.mean(names == ours["stage"].to_numpy()) >= 0.995


def test_real_segment_agrees_with_its_expert(real_data):
    """84 minutes of real sleep: kappa against the expert is at least plain YASA's 0.78."""
    from sklearn.metrics import cohen_kappa_score

    night = es.analyze_night(es.read_recording(real_data / "segment" / "segment.edf"))
    expert = pd.read_csv(real_data / "segment" / "segment_stages.csv")
    centre_s = night.stages["onset_s"] + 15
    at = np.searchsorted(expert["onset_s"], centre_s, side="right") - 1
    scored = (night.stages["stage"] != "UNS").to_numpy()
    truth = expert["stage"].to_numpy()[at]
    assert cohen_kappa_score(truth[scored], night.stages["stage"].to_numpy()[scored]) >= 0.78
