"""A night analysed from what a notebook holds: hypnograms of any kind, and its progress."""

import mne
import numpy as np
import pytest
import yasa

import eegsleep as es
from eegsleep.errors import EegSleepError, RecordingError, TableError
from eegsleep.night.analyze import STEPS


@pytest.mark.nightly
def test_a_given_hypnogram_may_be_of_any_kind(sample_recording):
    n_epochs = sample_recording.n_epochs
    names = (["W", "N2", "N3", "R"] * n_epochs)[:n_epochs]
    steps = []
    night = es.analyze_night(sample_recording, hypnogram=names, reference=np.array(names), progress=steps.append)
    assert night.stages["stage"].tolist() == names == night.reference["stage"].tolist()
    assert tuple(steps) == STEPS
    again = es.analyze_night(sample_recording, hypnogram=yasa.Hypnogram(names, freq="30s"))
    assert again.stages["stage"].tolist() == names
    # no command could ask for a hypnogram in memory, so a batch must not take this night for its own
    assert night.provenance["request"] == again.provenance["request"] == ""


@pytest.mark.parametrize("wrong", [["W"], [0, 1], "hypnogram.csv", 3.5])
def test_a_wrong_hypnogram_is_refused(sample_recording, wrong):
    for given in ("hypnogram", "reference"):
        with pytest.raises(TableError):
            es.analyze_night(sample_recording, **{given: wrong})


def test_what_is_no_recording_is_told_how_to_become_one():
    raw = mne.io.RawArray(np.zeros((1, 1000)), mne.create_info(["C4-M1"], 100, "eeg"), verbose="ERROR")
    with pytest.raises(RecordingError, match="from_raw"):
        es.analyze_night(raw)
    for wrong in (None, "night.edf", np.zeros(3)):
        with pytest.raises(EegSleepError, match="read_recording"):
            es.analyze_night(wrong)
