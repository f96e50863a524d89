"""Reading: the right channels, in the right unit, at the right time, or a refusal."""

import gzip
import warnings
from datetime import datetime
from pathlib import Path

import mne
import numpy as np
import pytest
from faults.edf_bytes import (
    LIMITS_24,
    Channel,
    base,
    base_truth,
    build,
    edited,
    eeg_counts,
    plus,
    with_gaps,
)

import eegsleep as es

SAMPLE = Path(__file__).parents[2] / "sample_data" / "sample-night.edf"


def write(folder, content, name="night.edf"):
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1), ("uv", 1), ("mV", 1e3), ("nV", 1e-3), ("V", 1e6)])
def test_known_units_become_microvolts(unit, factor, write_edf):
    """Every spelling of a known unit gives microvolts; mne takes `uv` and `nV` for volts."""
    recording = es.read_recording(write_edf(unit=unit, sd=20 / factor))
    assert np.std(recording.raw.get_data()) * 1e6 == pytest.approx(20, rel=0.02)


def test_unknown_unit_is_refused_until_named(write_edf):
    path = write_edf(unit="ADC")
    with pytest.raises(es.RecordingError, match="ADC"):
        es.read_recording(path)
    recording = es.read_recording(path, units={"C4-M1": "uV"})
    assert np.std(recording.microvolts) > 5


def test_implausible_amplitude_is_said_with_its_likely_factor(write_edf):
    """Microvolts marked as millivolts read a thousand times too large, and the user hears of it."""
    recording = es.read_recording(write_edf(unit="mV", sd=20))
    assert any("1000 times too large" in note for note in recording.notes)


def test_gap_is_nan_and_said_and_nothing_is_closed_up(tmp_path):
    """After a gap of 20 s every sample is where its time stamp says, and the gap is marked."""
    onsets = [i + 20 * (i >= 30) for i in range(60)]
    recording = es.read_recording(write(tmp_path, plus(onsets, reserved=b"EDF+D")))
    np.testing.assert_allclose(recording.raw.get_data(["C4-M1"])[0] * 1e6, with_gaps(onsets)["C4-M1"], atol=1e-6)
    gap = next(a for a in recording.raw.annotations if a["description"] == "BAD_GAP")
    assert (gap["onset"], gap["duration"]) == (30, 20)
    assert any("gap of 20 s" in note for note in recording.notes)
    assert np.isnan(recording.microvolts[0, 3000:5000]).all()
    assert np.isfinite(recording.microvolts[0, 5000:]).all()


def test_gap_stays_in_its_place_on_every_channel(tmp_path):
    """An EOG and an EMG lose the seconds of the gap and no other, at the analysis rate too."""
    labels = (b"C4-M1", b"E1-M2", b"EMG chin")
    signals = [Channel(label, eeg_counts(seed, 60 * 256)) for seed, label in enumerate(labels)]
    onsets = [i + 20 * (i >= 30) for i in range(60)]
    recording = es.read_recording(write(tmp_path, plus(onsets, reserved=b"EDF+D", channels=signals)))
    assert list(recording.roles.values()) == ["eeg", "eog", "emg"]
    missing = np.isnan(recording.microvolts)
    assert missing[:, 3000:5000].all()
    assert not missing[:, :2999].any()
    assert not missing[:, 5001:].any()


@pytest.mark.parametrize("name", ["night.edf.gz", "night.edf", "night.rec"])
def test_content_decides_what_a_file_is(name, tmp_path):
    """A gzipped file, or one called .rec, is read as what it is."""
    content = gzip.compress(base()) if name.endswith("gz") or name == "night.edf" else base()
    recording = es.read_recording(write(tmp_path, content, name))
    np.testing.assert_allclose(recording.raw.get_data(["F3-M2"])[0] * 1e6, base_truth()["F3-M2"], atol=1e-6)
    assert recording.id == "night"


def test_bdf_reads_as_mne_reads_it(tmp_path):
    counts = eeg_counts(3, 60 * 256, limits=LIMITS_24)
    content = build([Channel(b"C4-M1", counts, limits=LIMITS_24)], width=3, version=b"\xffBIOSEMI", reserved=b"24BIT")
    path = write(tmp_path, content, "night.bdf")
    ours = es.read_recording(path).raw.get_data()
    np.testing.assert_allclose(ours, mne.io.read_raw_bdf(path, verbose="ERROR").get_data(), atol=1e-12)


def test_sound_file_reads_as_mne_reads_it(sample_recording):
    theirs = mne.io.read_raw_edf(SAMPLE, preload=True, verbose="ERROR").get_data(sample_recording.channels)
    np.testing.assert_allclose(sample_recording.raw.get_data(), theirs, atol=1e-15)


def test_derivation_is_made_by_subtraction(tmp_path):
    """NSRR files hold C4 and A1 against a common reference; C4-A1 is their difference."""
    c4, a1 = (Channel(label, eeg_counts(seed, 60 * 256)) for label, seed in ((b"C4", 1), (b"A1", 2)))
    recording = es.read_recording(write(tmp_path, build([c4, a1])), eeg=["C4-A1"])
    assert recording.derivations == ["C4-A1"]
    np.testing.assert_allclose(recording.raw.get_data()[0] * 1e6, c4.numbers - a1.numbers, atol=1e-6)


def test_railed_electrode_makes_its_difference_missing(tmp_path):
    """Against an electrode at its rail, a difference looks alive and is another derivation than its label says."""
    tp9, af8 = eeg_counts(1, 60 * 256), eeg_counts(2, 60 * 256)
    tp9[20 * 256 : 40 * 256] = -32768
    content = build([Channel(b"TP9", tp9), Channel(b"AF8", af8)])
    signal = es.read_recording(write(tmp_path, content), eeg=["TP9-AF8"]).raw.get_data()[0]
    assert np.isnan(signal[20 * 256 : 40 * 256]).all()
    assert np.isfinite(np.delete(signal, np.s_[20 * 256 : 40 * 256])).all()


def test_folder_of_one_signal_files_is_one_recording(tmp_path):
    """The converter of the ZMax writes a file a signal; a shorter one is filled up with missing samples."""
    left, right = (Channel(b"EEG", eeg_counts(seed, n * 256)) for seed, n in ((1, 60), (2, 50)))
    folder = tmp_path / "2026-01-31 night"
    folder.mkdir()
    write(folder, build([left]), "EEG L.edf")
    write(folder, build([right], 50), "EEG R.edf")
    write(folder, b"broken", "NOISE.edf")
    recording = es.read_recording(folder)
    assert (recording.id, recording.device) == ("2026-01-31_night", "zmax")
    assert recording.derivations == ["EEG L", "EEG R"]
    signal = recording.raw.get_data(["EEG R"])[0] * 1e6
    np.testing.assert_allclose(signal[: 50 * 256], right.numbers, atol=1e-6)
    assert np.isnan(signal[50 * 256 :]).all()
    assert any("ends 10 s before" in note for note in recording.notes)
    assert len(recording.sha256) == 64


def test_folder_of_nights_is_refused(tmp_path):
    write(tmp_path, base(), "one.edf")
    with pytest.raises(es.RecordingError, match="not a folder of one night"):
        es.read_recording(tmp_path)


def test_other_formats_go_through_mne_with_a_note(sample_recording, tmp_path):
    from scipy.io import savemat

    labels = ["C4-M1", "F3-M2"]
    numbers = 1e6 * sample_recording.raw.get_data(picks=labels, tmax=60)
    fields = {"nbchan": 2, "pnts": numbers.shape[1], "trials": 1, "srate": sample_recording.raw.info["sfreq"]}
    fields |= {"xmin": 0.0, "xmax": 60.0, "event": [], "data": numbers}
    fields["chanlocs"] = np.array([(label,) for label in labels], dtype=[("labels", object)])
    savemat(tmp_path / "night.set", {"EEG": fields})
    recording = es.read_recording(tmp_path / "night.set")
    assert recording.derivations == labels
    assert any("were not checked" in note for note in recording.notes)


def test_clock_of_twelve_hours_is_reported_and_can_be_set_right(tmp_path):
    content = edited(base(), time=b"11.15.30")
    path = write(tmp_path, content)
    recording = es.read_recording(path, device="openbci-bdf")
    assert any("twelve hours later" in note for note in recording.notes)
    evening = datetime(2024, 6, 14, 23, 15, 30)  # noqa: DTZ001 - EDF has no zone
    told = es.read_recording(path, device="openbci-bdf", start=evening)
    assert told.start == evening
    assert not any("twelve hours" in note for note in told.notes)


def test_file_changed_since_it_was_read_has_no_hash(tmp_path):
    """A hash that is not that of the numbers would vouch for something else."""
    path = write(tmp_path, base())
    recording = es.read_recording(path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(es.RecordingError, match="was changed"):
        _ = recording.sha256


def test_user_is_warned_in_python_too(tmp_path, caplog):
    """Who reads a file in a notebook never looks at `notes`; the log tells them."""
    es.read_recording(write(tmp_path, edited(base(), n_records=b"-1")))
    assert "not stopped properly" in caplog.text


def test_truncated_file_says_so(tmp_path):
    """A file cut off by a full card is read as far as it goes, and the user hears what is missing."""
    recording = es.read_recording(write(tmp_path, base()[: -18 * 4 * 256]))
    assert recording.duration_s == 42
    assert any("0.7 of the declared 1.0 min" in note for note in recording.notes)


def test_bytes_after_the_last_record_are_not_read_as_eeg(write_edf):
    path = write_edf(minutes=6)
    path.write_bytes(path.read_bytes() + b"junk" * 5_000)
    recording = es.read_recording(path)
    assert recording.duration_s == pytest.approx(360)
    assert any("after its last record" in note for note in recording.notes)


def test_duplicate_label_is_refused(write_edf):
    with pytest.raises(es.RecordingError, match="several channels"):
        es.read_recording(write_edf(["C4-M1", "C4-M1"]), eeg=["C4-M1"])


def test_start_is_the_header_s_local_time(sample_recording):
    assert sample_recording.start == datetime(2024, 1, 1, 23, 0)  # noqa: DTZ001 - EDF has no zone
    assert sample_recording.roles == {"C4-M1": "eeg", "F3-M2": "eeg", "E1-M2": "eog", "EMG chin": "emg"}


@pytest.mark.parametrize("junk", [b"", b"0       ", b"0       " + b" " * 248, b"0       " + b"\xff" * 600])
def test_broken_header_is_a_recording_error(junk, tmp_path):
    path = tmp_path / "broken.edf"
    path.write_bytes(junk)
    with pytest.raises(es.RecordingError):
        es.read_recording(path)


@pytest.mark.parametrize(
    ("file", "device", "roles"),
    [
        # the 1 Hz envelope that Sleep-EDF calls submental EMG would mislead the classifier
        (
            "sleep-edf/SC4001E0-PSG-first-5-min.edf",
            "sleep-edf",
            {"EEG Fpz-Cz": "eeg", "EEG Pz-Oz": "eeg", "EOG horizontal": "eog"},
        ),
        ("nox/nox-a1-2-min.edf", "nox", {"C4-M1": "eeg", "C3-M2": "eeg", "E1-M2": "eog", "1-2": "emg"}),
        ("segment/segment.edf", "generic", {"EEG": "eeg"}),
        ("openbci/openbci-gui.txt", "openbci-text", {"EXG Channel 0": "eeg", "EXG Channel 1": "eeg"}),
    ],
)
def test_real_file_gives_its_channels(file, device, roles, real_data):
    recording = es.read_recording(real_data / file)
    assert recording.device == device
    assert recording.roles == roles


@pytest.mark.parametrize(
    "file", ["sleep-edf/SC4001E0-PSG-first-5-min.edf", "nox/nox-a1-2-min.edf", "segment/segment.edf"]
)
def test_real_file_reads_as_mne_reads_it(file, real_data):
    recording = es.read_recording(real_data / file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_edf(real_data / file, include=recording.channels, preload=True, verbose="ERROR")
    np.testing.assert_allclose(recording.raw.get_data(), raw.get_data(recording.channels), atol=1e-15)


def test_railed_bench_recording_is_no_eeg(real_data):
    """An OpenBCI on the bench: inputs at the end of the range and 100 mV of noise are reported as no EEG."""
    recording = es.read_recording(real_data / "openbci" / "openbci-gui.txt", eeg=["EXG Channel 0", "EXG Channel 6"])
    assert any("EXG Channel 0" in note and "no EEG has" in note for note in recording.notes)
    assert any("EXG Channel 6" in note and "end of its range" in note for note in recording.notes)
    with pytest.raises(es.RecordingError, match="too short"):
        es.analyze_night(recording)


def test_an_inverted_channel_is_turned_round_and_said(write_edf):
    path = write_edf(labels=("C4-M1", "C3-M2"))
    plain, turned = es.read_recording(path), es.read_recording(path, invert=["c4 m1"])
    assert turned.inverted == ("C4-M1",)
    assert turned.asked["invert"] == ("c4 m1",)
    np.testing.assert_array_equal(turned.signal("C4-M1"), -plain.signal("C4-M1"))
    np.testing.assert_array_equal(turned.signal("C3-M2"), plain.signal("C3-M2"))


def test_a_channel_that_is_not_used_cannot_be_inverted(write_edf):
    with pytest.raises(es.errors.SettingsError, match="inverted that is not used") as refused:
        es.read_recording(write_edf(), invert=["F3-M2"])
    assert refused.value.allowed == "C4-M1"
    with pytest.raises(es.errors.SettingsError, match="invert must name channels"):
        es.read_recording(write_edf(), invert=[""])
