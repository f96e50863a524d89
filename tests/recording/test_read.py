"""Reading: the right channels, in the right unit, at the right time, or a refusal."""

from datetime import datetime

import numpy as np
import pytest

import eegsleep as es
from eegsleep.recording.channels import guess_role, rank_derivations


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("C4-M1", "eeg"), ("EEG Fpz-Cz", "eeg"), ("C4:A1", "eeg"), ("C3A2", "eeg"), ("F7-O1", "eeg"), ("EEG", "eeg"),
        ("EEG L", "eeg"), ("AF7", "eeg"), ("T3-O1", "eeg"),
        ("EOG horizontal", "eog"), ("E1-M2", "eog"), ("LOC", "eog"), ("REOG", "eog"), ("EOG(L)", "eog"),
        ("EMG submental", "emg"), ("Chin1-Chin2", "emg"), ("EMG chin", "emg"),
        ("EMG leg", ""), ("EMG tib L", ""), ("ECG", ""), ("SpO2", ""), ("Status", ""), ("Resp oro-nasal", ""),
        ("Temp rectal", ""), ("Event marker", ""), ("Pulse", ""), ("Accelero Norm", ""),
    ],
)  # fmt: skip
def test_label_gives_role(label, role):
    assert guess_role(label) == role


def test_central_mastoid_derivation_is_trusted_first():
    labels = ["O2-M1", "F4-M1", "Fpz-Cz", "C4-M1"]
    assert rank_derivations(labels) == ["C4-M1", "Fpz-Cz", "F4-M1", "O2-M1"]


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
    assert any("factor of 0.001" in note for note in recording.notes)


def test_gaps_are_refused_not_closed_up(write_edf):
    path = write_edf()
    content = bytearray(path.read_bytes())
    content[192:197] = b"EDF+D"
    path.write_bytes(content)
    with pytest.raises(es.RecordingError, match=r"EDF\+D"):
        es.read_recording(path)


def test_truncated_file_says_so(write_edf):
    """A file cut off by a full card is read as far as it goes, and the user hears what is missing."""
    path = write_edf(minutes=8)
    path.write_bytes(path.read_bytes()[: -2 * 60 * 128 * 2])
    recording = es.read_recording(path)
    assert recording.duration_s == pytest.approx(360, abs=1)
    assert any("6.0 of the declared 8.0 min" in note for note in recording.notes)


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


def test_sleep_edf_envelope_is_not_taken_as_emg(real_data):
    """Sleep-EDF's submental EMG is a 1 Hz envelope; as EMG it would mislead the classifier."""
    recording = es.read_recording(real_data / "sleep-edf" / "SC4001E0-PSG-first-5-min.edf")
    assert recording.roles == {"EEG Fpz-Cz": "eeg", "EEG Pz-Oz": "eeg", "EOG horizontal": "eog"}
