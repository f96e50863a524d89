"""What mne reads for us: right times, no path from a file's text, and what mne takes silently is said."""

import warnings
from datetime import datetime

import mne
import numpy as np
import pytest

import eegsleep as es
from eegsleep.recording.through_mne.open import SUFFIXES, open_foreign

RATE = 100.0
HEADER = """Brain Vision Data Exchange Header File Version 1.0

[Common Infos]
DataFile={data}
MarkerFile={marker}
DataFormat=BINARY
DataOrientation=MULTIPLEXED
NumberOfChannels=2
SamplingInterval=10000
{more}
[Binary Infos]
BinaryFormat=INT_16

[Channel Infos]
Ch1=C4,,0.5,µV
Ch2=C3,,0.5,{unit}
"""
MARKERS = """Brain Vision Data Exchange Marker File, Version 1.0
[Common Infos]
DataFile=night.eeg
[Marker Infos]
Mk1=New Segment,,1,1,0,20240614212000000000
"""


def fault(source, code):
    return next(fault for fault in source.faults if fault.code == code)


@pytest.fixture
def eeglab(tmp_path):
    """Return a function that saves two channels as an EEGLAB file and opens it; gives the numbers in volts, too."""
    from scipy.io import savemat

    def write(*, labels=("C4", "C3"), seconds=60, boundaries_s=()):
        numbers = np.arange(len(labels) * seconds * RATE).reshape(len(labels), -1)
        events = [("boundary", 1 + RATE * onset_s, 0) for onset_s in boundaries_s]
        fields = {
            "nbchan": len(labels),
            "pnts": numbers.shape[1],
            "trials": 1,
            "srate": RATE,
            "xmin": 0.0,
            "xmax": seconds - 1 / RATE,
            "event": np.array(events, dtype=[("type", object), ("latency", object), ("duration", object)]),
            "chanlocs": np.array([(label,) for label in labels], dtype=[("labels", object)]),
            "data": numbers,
        }
        savemat(tmp_path / "whole.set", {"EEG": fields})
        return open_foreign(tmp_path / "whole.set"), 1e-6 * numbers

    return write


@pytest.fixture
def brainvision(tmp_path):
    """Return a function that writes the three files of BrainVision and gives the header's path."""

    def write(*, data="night.eeg", marker="night.vmrk", more="", unit="µV", markers=MARKERS, folder="bv"):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        np.arange(12_000, dtype="<i2").tofile(place / "night.eeg")
        (place / "night.vmrk").write_text(markers, encoding="utf-8")
        header = HEADER.format(data=data, marker=marker, more=more, unit=unit)
        (place / "night.vhdr").write_text(header, encoding="utf-8")
        return place / "night.vhdr"

    return write


def test_labels_alike_but_for_spaces_are_numbered(eeglab):
    source, numbers = eeglab(labels=("C4 ", "Fz", "C4"))
    assert source.labels == ["C4 [1]", "Fz", "C4 [3]"]
    np.testing.assert_allclose(source.load(["C4 [3]", "C4 [1]"]), numbers[[2, 0]], rtol=1e-6)


def test_brainvision_is_read_with_all_its_files_and_local_time(brainvision):
    path = brainvision(data="./night.eeg")
    source = open_foreign(path)
    assert sorted(file.name for file in source.files) == ["night.eeg", "night.vhdr", "night.vmrk"]
    np.testing.assert_allclose(source.load(["C4"])[0], np.arange(0, 12_000, 2) * 0.5e-6)
    assert source.start == datetime(2024, 6, 14, 21, 20)  # noqa: DTZ001 - naive by rule
    assert {fault.code for fault in source.faults} == {"foreign-format"}


SECRETS = [
    "{0}/secret.eeg",
    "../secret.eeg",
    "../bv/../secret.eeg",
    "..\\secret.eeg",
    "link.eeg",
    "C:secret.eeg",
    ".",
    "/etc/passwd",
    "sub/../../secret.eeg",
    "\n {0}/secret.eeg",
]


@pytest.mark.parametrize("written", SECRETS)
@pytest.mark.parametrize("key", ["data", "marker"])
def test_text_of_a_header_never_becomes_a_path_elsewhere(brainvision, tmp_path, monkeypatch, written, key):
    (tmp_path / "secret.eeg").write_bytes(b"root:x:0:0:" * 100)
    path = brainvision(**{key: written.format(tmp_path)})
    (path.parent / "sub").mkdir()
    (path.parent / "link.eeg").symlink_to(tmp_path / "secret.eeg")
    monkeypatch.setattr(mne.io, "read_raw", lambda *_, **__: pytest.fail("mne was asked"))
    with pytest.raises(es.RecordingError, match="is not beside it"):
        open_foreign(path)


def test_an_encoding_that_hides_a_path_is_refused(brainvision):
    path = brainvision(more="Codepage=utf-7\nDataFile=+AC8-etc+AC8-passwd")
    with pytest.raises(es.RecordingError, match="utf-7"):
        open_foreign(path)


def test_a_marker_file_taken_by_its_name_alone_is_no_link_either(brainvision, tmp_path):
    path = brainvision(marker="none.vmrk")
    (path.parent / "night.vmrk").rename(tmp_path / "secret.vmrk")
    (path.parent / "night.vmrk").symlink_to(tmp_path / "secret.vmrk")
    with pytest.raises(es.RecordingError, match="is not beside it"):
        open_foreign(path)


@pytest.mark.parametrize(("data", "word"), [("lost.eeg", "Put it back"), ("$b.eeg", "in the place of")])
def test_a_data_file_that_is_not_there_is_refused_in_plain_words(brainvision, data, word):
    with pytest.raises(es.RecordingError, match=word):
        open_foreign(brainvision(data=data))


def test_segments_of_different_times_are_told_with_their_place(brainvision, eeglab):
    later = MARKERS + "Mk2=New Segment,,3001,1,0,20240614223000000000\n"
    found = fault(open_foreign(brainvision(markers=later)), "segments-joined")
    assert (found.severity, found.value) == ("needs the user", "30")
    source, _ = eeglab(boundaries_s=(0, 40.5, 40.5))
    assert fault(source, "segments-joined").value == "40.5"


def test_a_data_file_cut_short_and_a_channel_without_unit_are_said(brainvision):
    source = open_foreign(brainvision(more="DataPoints=12000", unit=""))
    assert "1.0 of the declared 2.0 min" in fault(source, "cut-off").message
    assert fault(source, "unit-assumed").channel == "C3"


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("night.zip", b"PK\x03\x04", "unpack it"),
        ("night.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-8"),
        ("night.lay", b"[FileInfo]\nFile=/etc/passwd\n", "Export the night as EDF"),
        ("night.mat", b"MATLAB 5.0", "Export the night as EDF"),
        ("night.eeg", b"\0\1", "Export the night as EDF"),
        ("night.edf", b"", "empty file"),
        ("night.fif", b"\0\0\0d\0\0\0\x1f" + bytes(16), "raw.export"),
    ],
)
def test_what_mne_should_not_open_is_refused_with_what_to_do(tmp_path, monkeypatch, name, content, word):
    monkeypatch.setattr(mne.io, "read_raw", lambda *_, **__: pytest.fail("mne was asked"))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(es.RecordingError, match=word):
        open_foreign(tmp_path / name)


def test_a_part_of_a_recording_is_refused_with_the_name_of_its_header(brainvision):
    path = brainvision()
    with pytest.raises(es.RecordingError, match=r"Give night\.vhdr"):
        open_foreign(path.with_suffix(".eeg"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"<html>" * 500, bytes(range(256)) * 40])
def test_rubbish_is_our_error_and_says_nothing_beside_it(tmp_path, capfd, suffix, content):
    path = tmp_path / f"night{suffix}"
    path.write_bytes(content)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(es.RecordingError):
            open_foreign(path)
    assert (capfd.readouterr(), warned) == (("", ""), [])


def test_what_mne_prints_and_warns_is_kept_back(eeglab, monkeypatch, capsys):
    source, _ = eeglab()
    read = mne.io.read_raw

    def loud(*arguments, **options):
        print("reading")  # noqa: T201 - that is what is tested
        warnings.warn("loud", RuntimeWarning, stacklevel=1)
        return read(*arguments, **options)

    monkeypatch.setattr(mne.io, "read_raw", loud)
    open_foreign(source.path)
    assert capsys.readouterr() == ("", "")


def test_a_file_that_fails_while_it_is_read_is_our_error(brainvision):
    path = brainvision()
    source = open_foreign(path)
    path.with_name("night.eeg").unlink()
    with pytest.raises(es.RecordingError, match=r"night\.vhdr cannot be read"):
        source.load(["C4"])


def test_a_date_of_no_recorder_is_none_and_days_are_no_night(brainvision):
    source = open_foreign(brainvision(markers=MARKERS.replace("20240614", "19700101")))
    assert source.start is None
    assert fault(source, "date-unknown")
    path = brainvision()
    path.write_text(path.read_text("utf-8").replace("Interval=10000", "Interval=100000000"), "utf-8")
    with pytest.raises(es.RecordingError, match="no night"):
        open_foreign(path)


@pytest.mark.parametrize(
    ("written", "is_read"), [("night.fdt", True), ("../other.fdt", False), ("{0}/other.fdt", False)]
)
def test_the_data_of_an_eeglab_file_lie_beside_it(tmp_path, written, is_read):
    from scipy.io import savemat

    (tmp_path / "set").mkdir()
    numbers = np.arange(2 * 6_000, dtype="<f4").reshape(2, -1)
    for place in ("set/night.fdt", "other.fdt"):
        numbers.T.tofile(tmp_path / place)
    channels = np.array([("C4",), ("C3",)], dtype=[("labels", object)])
    fields = {
        "nbchan": 2,
        "pnts": 6_000,
        "trials": 1,
        "srate": RATE,
        "xmin": 0.0,
        "xmax": 59.99,
        "event": [],
        "chanlocs": channels,
        "data": written.format(tmp_path),
    }
    savemat(tmp_path / "set" / "night.set", {"EEG": fields})
    if not is_read:
        with pytest.raises(es.RecordingError, match="is not beside it"):
            open_foreign(tmp_path / "set" / "night.set")
        return
    source = open_foreign(tmp_path / "set" / "night.set")
    assert [file.name for file in source.files] == ["night.set", "night.fdt"]
    np.testing.assert_allclose(source.load(["C3"])[0], numbers[1] * 1e-6)
