"""Consensus staging: one bad channel, one bad hour, one missing sample cost what they hold and no more."""

import dataclasses

import numpy as np
import pytest

import eegsleep as es
from eegsleep.staging.score import choose_staging_channels, combine, score_night, score_stages


@pytest.fixture(scope="module")
def simulated():
    """Return a simulated half night at 100 Hz as a recording, and its true stages."""
    import mne

    from eegsleep.recording.recording import Recording

    night = es.simulate_night(es.SimulationSettings(duration_h=4, rate_hz=100, eeg=("C4-M1", "F3-M2")), seed=31)
    roles = {"C4-M1": "eeg", "F3-M2": "eeg", "E1-M2": "eog", "EMG chin": "emg"}
    data = np.stack([night.data[night.channels.index(label)] for label in roles]) * 1e-6
    raw = mne.io.RawArray(data, mne.create_info(list(roles), 100, list(roles.values())), verbose="ERROR")
    return Recording(id="simulated", raw=raw, roles=roles), night.stages["stage"].to_numpy()


@pytest.fixture(scope="module")
def clean(simulated):
    """Return the stages of that night as it is."""
    return score(simulated[0])


def spoil(recording, change, rows):
    """Return the recording with `change(signal)` applied to some of its channels."""
    raw = recording.raw.copy()
    raw.apply_function(change, picks=[recording.channels[row] for row in rows], verbose="ERROR")
    return dataclasses.replace(recording, raw=raw)


def kappa(stages, truth):
    from sklearn.metrics import cohen_kappa_score

    scored = stages["stage"].to_numpy() != "UNS"
    return cohen_kappa_score(truth[: scored.size][scored], stages["stage"].to_numpy()[scored])


def score(recording):
    return score_stages(recording, es.measure_quality(recording))


@pytest.mark.nightly
def test_confidence_is_as_often_right_as_it_says(simulated, clean):
    """YASA is right in 97 % of these epochs and 88 % sure of them; calibrated, it is 94 % sure."""
    _, truth = simulated
    stages = clean
    right = (stages["stage"].to_numpy() == truth[: len(stages)]).mean()
    assert stages["confidence"].mean() == pytest.approx(right, abs=0.045)


@pytest.mark.nightly
def test_consensus_is_no_worse_than_either_derivation(simulated, clean):
    recording, truth = simulated
    alone = []
    for label in recording.derivations:
        roles = {name: role for name, role in recording.roles.items() if role != "eeg" or name == label}
        alone.append(kappa(score(dataclasses.replace(recording, roles=roles)), truth))
    assert kappa(clean, truth) >= min(alone)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda x: np.where(hour(x), 0.0, x), id="flat"),
        pytest.param(lambda x: np.where(hour(x), np.nan, x), id="missing"),
        pytest.param(lambda x: np.where(hour(x), 400e-6 * np.sign(np.sin(np.arange(x.size) / 30)), x), id="railed"),
        pytest.param(lambda x: x + hour(x) * np.random.default_rng(1).normal(0, 200e-6, x.size), id="noise"),
    ],
)
def test_an_hour_of_one_bad_channel_costs_almost_nothing(fault, simulated, clean):
    """With one of two derivations corrupted for an hour, kappa stays within 0.03 of that of the clean night."""
    recording, truth = simulated
    assert kappa(score(spoil(recording, fault, [0])), truth) >= kappa(clean, truth) - 0.03


def hour(signal):
    at = np.arange(signal.size) / 100
    return (at >= 3600) & (at < 7200)


@pytest.mark.nightly
def test_a_lost_eye_channel_is_done_without(simulated, clean):
    """Where the EOG is flat, the classifier without it is asked, and only there."""
    recording, truth = simulated
    stages = score(spoil(recording, lambda x: np.where(hour(x), 0.0, x), [2]))
    assert (stages["stage"] != "UNS").all()
    assert kappa(stages, truth) >= kappa(clean, truth) - 0.05


@pytest.mark.nightly
def test_epochs_without_any_usable_eeg_are_unscored_and_change_no_other(simulated, clean):
    recording, _ = simulated
    stages = score(spoil(recording, lambda x: np.where(hour(x), np.nan, x), [0, 1]))
    assert (stages["stage"][120:240] == "UNS").all()
    assert stages.loc[120:239, ["p_n2", "confidence"]].isna().all(axis=None)
    others = np.r_[0:120, 240 : len(stages)]
    assert np.mean(stages["stage"][others] == clean["stage"][others]) > 0.97


def test_weights_and_disagreement_are_kept(simulated):
    recording, _ = simulated
    spoilt = spoil(recording, lambda x: np.where(hour(x), 0.0, x), [0])
    weights = choose_staging_channels(spoilt, es.measure_quality(spoilt))
    assert weights["F3-M2"] == 1
    assert weights["C4-M1"] == pytest.approx(0.75, abs=0.01)
    stages = score(spoilt)
    assert stages["agreement"][120:240].isna().all(), "a single derivation cannot agree with another"
    assert stages["agreement"].dropna().between(0, 1).all()
    assert 0.5 < stages["agreement"].mean() < 1


def test_combining_is_a_weighted_mean():
    votes = {"a": np.array([[0.8, 0.2, 0, 0, 0]]), "b": np.array([[0.2, 0.8, 0, 0, 0]])}
    usable = dict.fromkeys(votes, np.array([True]))
    combined, agreement = combine(votes, usable, {"a": 1.0, "b": 0.5})
    np.testing.assert_allclose(combined, [[0.6, 0.4, 0, 0, 0]])
    np.testing.assert_allclose(agreement, [2 / 3])


def test_unknown_unit_and_a_thousandfold_gain_do_not_reach_the_stager(write_edf):
    """A wrong unit is refused or said before anything is staged."""
    with pytest.raises(es.RecordingError, match="unit"):
        es.read_recording(write_edf(["C4-M1"], unit="counts"))
    assert any("times too large" in note for note in es.read_recording(write_edf(["C4-M1"], unit="mV")).notes)


@pytest.mark.nightly
def test_a_day_in_the_file_is_cut_off_and_said(simulated):
    """In a recording of 16 h only the night is scored; what counts from lights off is missing, not made up."""
    import mne

    recording, truth = simulated
    quiet = mne.filter.filter_data(
        np.random.default_rng(0).normal(0, 60e-6, (4, 12 * 360_000)), 100, 8, 30, verbose="ERROR"
    )
    raw = mne.io.RawArray(np.hstack([quiet, recording.raw.get_data()]), recording.raw.info.copy(), verbose="ERROR")
    long = dataclasses.replace(recording, raw=raw)
    stages, lights, *_ = score_night(long, es.measure_quality(long))
    assert lights.source == "sleep"
    first_sleep_s = 12 * 3600 + 30 * np.flatnonzero(truth != "W")[0]
    assert lights.off_s == pytest.approx(first_sleep_s - 1800, abs=600)  # to the minutes that stages are good for
    assert (stages["stage"][: int(lights.off_s // 30)] == "UNS").all()
    assert kappa(stages.iloc[1440:], truth) > 0.8
