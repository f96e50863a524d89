"""A folder of one-signal files is one night: each file at its time, under its name, or left out with a reason."""

from datetime import datetime

import numpy as np
import pytest
from faults.edf_bytes import Channel, base, build, edited, eeg_counts

import eegsleep as es
from eegsleep.recording.edf.zmax_folder import open_folder

RATE = 256
STARTED = datetime(2024, 6, 14, 23, 15, 30)  # noqa: DTZ001 - EDF has no zone


def one_signal(seed=1, seconds=60, **fields):
    """Return the numbers of a signal and the EDF file that holds it."""
    channel = Channel(b"signal", eeg_counts(seed, seconds * RATE))
    content = build([channel], seconds)
    return channel.numbers, edited(content, **({"time": b"23.15.30", "recording": b"X"} | fields))


def fault(source, code):
    return next(fault for fault in source.faults if fault.code == code)


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes files into a folder."""

    def write(**contents):
        for name, content in contents.items():
            (tmp_path / (name.replace("_", " ") + ".edf")).write_bytes(content)
        return tmp_path

    return write


def test_an_unreadable_file_is_told_by_the_name_of_its_channel(folder):
    source = open_folder(folder(EEG_L=b"broken", EEG_R=one_signal()[1]))
    assert source.labels == ["EEG R"]
    assert (fault(source, "file-unreadable").channel, fault(source, "file-unreadable").severity) == ("EEG L", "refused")


def test_twins_that_differ_in_the_suffix_alone_are_numbered(folder):
    (first, one), (second, two) = one_signal(1), one_signal(2)
    path = folder(EEG_L=one)
    (path / "EEG L.EDF").write_bytes(two)
    if len(list(path.iterdir())) < 2:
        pytest.skip("this disk does not tell capitals apart")
    source = open_folder(path)
    assert source.labels == ["EEG L [1]", "EEG L [2]"]
    np.testing.assert_allclose(source.load(["EEG L [1]", "EEG L [2]"]), [second, first])


@pytest.mark.parametrize(("time", "shift"), [(b"23.15.29", -1), (b"23.15.31", 1)])
def test_another_file_a_second_off_neither_moves_nor_loses_the_night(folder, time, shift):
    """The battery comes first in the alphabet, and says nothing of when the EEG began."""
    left, content = one_signal(1)
    battery, other = one_signal(3, time=time)
    source = open_folder(folder(BATT=other, EEG_L=content, EEG_R=one_signal(2)[1]))
    assert (source.start, source.duration_s) == (STARTED, 60)
    placed, eeg = source.load(["BATT", "EEG L"])
    np.testing.assert_allclose(eeg, left)
    expected = np.full(60 * RATE, np.nan)
    if shift > 0:
        expected[RATE:] = battery[:-RATE]
    else:
        expected[:-RATE] = battery[RATE:]
    np.testing.assert_allclose(placed, expected)
    assert fault(source, "start-differs").channel == "BATT"


def test_an_eeg_file_that_starts_later_is_missing_until_then(folder):
    (left, one), (right, two) = one_signal(1), one_signal(2, time=b"23.15.32")
    source = open_folder(folder(EEG_L=one, EEG_R=two))
    assert (source.start, source.duration_s) == (STARTED, 62)
    first, second = source.load(["EEG L", "EEG R"])
    np.testing.assert_allclose(first, np.append(left, np.full(2 * RATE, np.nan)))
    np.testing.assert_allclose(second, np.append(np.full(2 * RATE, np.nan), right))


@pytest.mark.parametrize("fields", [{"date": b"14.06.23"}, {"date": b"99.99.99"}], ids=["a year before", "no date"])
def test_a_file_of_another_night_or_without_a_date_is_left_out(folder, fields):
    source = open_folder(folder(BATT=one_signal(3)[1], EEG_L=one_signal(1)[1], EEG_R=one_signal(2, **fields)[1]))
    assert source.labels == ["BATT", "EEG L"]
    assert (fault(source, "start-differs").channel, fault(source, "start-differs").severity) == ("EEG R", "refused")
    assert source.start == STARTED


def test_files_of_another_rate_keep_it(folder):
    content = build([Channel(b"battery", eeg_counts(3, 60, 1))], 60)
    source = open_folder(folder(BATT=edited(content, time=b"23.15.30"), EEG_L=one_signal()[1]))
    assert [channel.rate_hz for channel in source.channels] == [1, RATE]
    assert [len(signal) for signal in source.load(source.labels)] == [60, 60 * RATE]


def test_a_folder_without_eeg_is_refused_by_the_names_of_its_files(folder):
    with pytest.raises(es.RecordingError, match=r"no readable EEG.*BATT, NOISE"):
        open_folder(folder(BATT=one_signal()[1], NOISE=one_signal()[1]))
    with pytest.raises(es.RecordingError, match=r"BATT, NOISE; EEG L: its file cannot be read"):
        open_folder(folder(EEG_L=b"broken"))


@pytest.mark.parametrize(
    ("name", "word"), [("night.zip", "Unpack night.zip"), ("night.hyp", "HDRecorder"), ("sub/x", "such as sub")]
)
def test_what_lies_there_instead_is_named_with_what_to_do(tmp_path, name, word):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(es.RecordingError, match=word):
        open_folder(tmp_path)


def test_hundreds_of_nights_are_refused_unopened(tmp_path):
    for number in range(101):
        (tmp_path / f"EEG {number}.edf").write_bytes(base())
    with pytest.raises(es.RecordingError, match="101 EDF files"):
        open_folder(tmp_path)
