"""Signals in memory become a recording by the rules for files; what could be misread is refused."""

from datetime import UTC, datetime

import mne
import numpy as np
import pytest

import eegsleep as es
from eegsleep.errors import EegSleepError, RecordingError
from eegsleep.recording.recording import Recording

RATE_HZ = 128
LOCAL = datetime(2024, 3, 1, 23, 5)  # noqa: DTZ001 - local time, as recorded


def make_noise(n_channels=1, minutes=2.0, sd=20.0):
    """Return pink noise of the size of an EEG, in µV."""
    rng = np.random.default_rng(3)
    steps = rng.normal(size=(n_channels, int(minutes * 60 * RATE_HZ)))
    signal = np.empty_like(steps)
    level = np.zeros(n_channels)
    for i, step in enumerate(steps.T):
        level = 0.95 * level + step
        signal[:, i] = level
    return sd * signal / signal.std()


NOISE = make_noise(4)


def make_raw(labels=("C4-M1", "E1-M2", "chin", "C3-M2"), types="eeg", scale=1e-6):
    info = mne.create_info(list(labels), RATE_HZ, types)
    return mne.io.RawArray(NOISE[: len(labels)] * scale, info, verbose="ERROR")


def test_a_raw_is_read_by_the_rules_for_files():
    raw = make_raw()
    raw.set_meas_date(LOCAL.replace(tzinfo=UTC))
    recording = Recording.from_raw(raw, name="my night")
    assert recording.roles == {"C4-M1": "eeg", "C3-M2": "eeg", "E1-M2": "eog", "chin": "emg"}
    assert (recording.id, recording.start, recording.files) == ("my_night", LOCAL, ())
    np.testing.assert_allclose(recording.raw.get_data("C4-M1")[0], NOISE[0] * 1e-6)


def test_an_array_and_a_raw_give_the_same_signals():
    from_raw = Recording.from_raw(make_raw())
    from_array = Recording.from_array(NOISE, RATE_HZ, ["C4-M1", "E1-M2", "chin", "C3-M2"], start=LOCAL)
    np.testing.assert_allclose(from_array.microvolts, from_raw.microvolts, atol=1e-9)
    assert from_array.start == LOCAL


def test_roles_can_be_named():
    recording = Recording.from_array(NOISE[:2], RATE_HZ, {"left": "eog", "forehead": "eeg"})
    assert recording.roles == {"forehead": "eeg", "left": "eog"}


def test_types_of_mne_name_eyes_and_chin():
    raw = make_raw(("C4-M1", "upper", "lower"), ["eeg", "eog", "emg"])
    assert Recording.from_raw(raw).roles == {"C4-M1": "eeg", "upper": "eog", "lower": "emg"}


def test_time_counts_from_the_first_sample_of_a_cropped_raw():
    raw = make_raw()
    raw.set_meas_date(LOCAL.replace(tzinfo=UTC))
    raw.set_annotations(mne.Annotations([70.0], [1.0], ["lights off"], orig_time=raw.info["meas_date"]))
    recording = Recording.from_raw(raw.crop(60))
    assert recording.start == LOCAL.replace(minute=6)
    assert recording.raw.annotations.onset.tolist() == pytest.approx([10.0])
    undated = make_raw()
    undated.set_annotations(mne.Annotations([70.0], [1.0], ["lights off"]))
    recording = Recording.from_raw(undated.crop(60))
    assert recording.start is None
    assert recording.raw.annotations.onset.tolist() == pytest.approx([10.0])


def test_what_mne_marks_bad_is_not_used_and_said():
    raw = make_raw()
    raw.info["bads"] = ["C4-M1"]
    raw.set_annotations(mne.Annotations([30.0], [30.0], ["BAD_movement"]))
    recording = Recording.from_raw(raw)
    assert recording.derivations == ["C3-M2"]
    missing = np.isnan(recording.raw.get_data("C3-M2")[0]).nonzero()[0] / RATE_HZ
    assert (missing[0], missing[-1]) == pytest.approx((30, 60), abs=0.02)
    assert [fault.code for fault in recording.faults].count("marked-bad") == 2
    assert Recording.from_raw(raw, eeg=["C4-M1"]).derivations == ["C4-M1"]


@pytest.mark.parametrize(
    ("lowpass", "highpass", "named"),
    [(12, None, "spindles"), (35, None, "muscle"), (48, None, "line noise"), (None, 1, "slow oscillations")],
)
def test_a_filter_that_cuts_what_is_needed_is_named(lowpass, highpass, named):
    labels = ["C4-M1"]
    from_array = Recording.from_array(NOISE[:1], RATE_HZ, labels, lowpass_hz=lowpass, highpass_hz=highpass)
    from_raw = Recording.from_raw(make_raw(labels).filter(highpass, lowpass, verbose="ERROR"))
    for recording in (from_array, from_raw):
        assert any(named in note and "applied before" in note for note in recording.notes), recording.notes
    assert not any("applied before" in note for note in Recording.from_raw(make_raw(labels)).notes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recording.from_raw(make_raw(scale=1.0)), "too large"),
        (lambda: Recording.from_array(NOISE[:1] * 1e-6, RATE_HZ, ["C4-M1"]), "too small"),
        (lambda: Recording.from_raw(NOISE), "from_array"),
        (lambda: Recording.from_raw(None), "needs a Raw"),
        (lambda: Recording.from_raw(make_raw(["nose", "ear"])), "eeg=LABEL"),
        (lambda: Recording.from_array(NOISE.T, RATE_HZ, ["C4", "C3", "E1", "E2"]), r"data_uv\.T"),
        (lambda: Recording.from_array(NOISE[0], RATE_HZ, ["C4"]), "one row a channel"),
        (lambda: Recording.from_array(NOISE, RATE_HZ, ["C4"]), "one row a channel"),
        (lambda: Recording.from_array(NOISE[:1], 50, ["C4-M1"]), "80 Hz"),
        (lambda: Recording.from_array(NOISE[:1], 0, ["C4-M1"]), "no signal"),
        (lambda: Recording.from_array(NOISE[:1], "fast", ["C4-M1"]), "must be numbers"),
        (lambda: Recording.from_array([["a"]], RATE_HZ, ["C4-M1"]), "must be numbers"),
        (lambda: Recording.from_array(NOISE[:1], RATE_HZ, None), "must be named"),
        (lambda: Recording.from_array(NOISE[:1], RATE_HZ, {"C4": "brain"}), "roles"),
        (lambda: Recording.from_array(NOISE[:1], RATE_HZ, ["C4-M1"], start="23:00"), "naive local time"),
    ],
)
def test_what_could_be_misread_is_refused(make, message):
    with pytest.raises(EegSleepError, match=message):
        make()


def test_a_unit_that_is_named_is_used():
    recording = Recording.from_raw(make_raw(["C4-M1"], scale=1.0), units={"C4-M1": "uV"})
    np.testing.assert_allclose(recording.raw.get_data()[0], NOISE[0] * 1e-6)


def test_the_hash_is_that_of_the_signals():
    labels = ["C4-M1"]
    one, same = (Recording.from_array(NOISE[:1], RATE_HZ, labels) for _ in range(2))
    other = Recording.from_array(NOISE[1:2], RATE_HZ, labels)
    assert len(one.sha256) == 64
    assert one.sha256 == same.sha256 != other.sha256
    assert not one.with_microvolts(one.microvolts).sha256


@pytest.mark.nightly
def test_a_night_from_memory_is_analysed_saved_and_loaded(sample_recording, tmp_path):
    recording = Recording.from_raw(sample_recording.raw, name="sample", start=sample_recording.start)
    night = es.analyze_night(recording)
    folder = es.save_night(night, tmp_path)
    again = es.load_night(folder)
    kept = again.provenance["input"]
    assert kept["sha256"] == recording.sha256
    assert kept["origin"] == recording.origin == "mne: RawArray"
    assert not night.provenance["request"]  # no command could ask for it
    assert any("given in memory" in warning for warning in again.warnings)
    other = Recording.from_array(sample_recording.microvolts, 100, sample_recording.roles, name="sample")
    with pytest.raises(EegSleepError, match="another recording of the same name"):
        es.save_night(es.analyze_night(other, hypnogram=night.stages), tmp_path)


def test_signals_from_memory_are_no_warning(caplog):
    """Jupyter shows what is logged as a warning in red, and a sound array is no reason for that."""
    with caplog.at_level("INFO"):
        made = Recording.from_array(NOISE[:1], RATE_HZ, ["C4-M1"])
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "given in memory" in made.notes[0]


def test_a_recording_shows_itself_briefly(sample_recording):
    assert len(repr(sample_recording)) < 500
    assert "128 Hz" in repr(sample_recording)
    assert "100 Hz" in repr(sample_recording)
    shown = Recording.from_array(NOISE[:1], RATE_HZ, {"<b>&": "eeg"})._repr_html_()
    assert "<b>&" not in shown
    assert len(shown) < 3000


def test_a_refusal_names_arguments_and_not_options():
    with pytest.raises(RecordingError) as refused:
        Recording.from_raw(make_raw(["nose"]))
    assert "--" not in str(refused.value)
