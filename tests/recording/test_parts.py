"""A night in several files is read as one: pieces are placed by their times, gaps stay, overlaps are refused."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import eegsleep as es
from eegsleep.batch.sources import find_jobs
from eegsleep.errors import EegSleepError, RecordingError
from eegsleep.recording.inspect import inspect_recording
from eegsleep.recording.read import open_source
from eegsleep.workflows.score import Job

START = datetime(2024, 3, 5, 23, 10)  # noqa: DTZ001 - naive local time
RATE = 250
HEAD = (
    "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI$BoardCytonSerial\n"
    "Sample Index, EXG Channel 0, EXG Channel 1, Timestamp, Timestamp (Formatted)\n"
)
ASKED = Job(Path())


def openbci(path, begin_s, seconds):
    rows = []
    for k in range(round(begin_s * RATE), round((begin_s + seconds) * RATE)):
        at = START + timedelta(seconds=k / RATE)
        rows.append(f"{k % 256}.0, {k / 100:.2f}, {-k / 100:.2f}, {1_709_676_600 + k / RATE:.3f}, {at}")
    path.write_text(HEAD + "\n".join(rows) + "\n")


def monitor(path, begin_s, seconds):
    rows = ["TimeStamp,RAW_TP9,RAW_AF7,RAW_AF8,RAW_TP10,HeadBandOn,Battery,Elements"]
    for k in range(round(begin_s * 256), round((begin_s + seconds) * 256)):
        at = str(START + timedelta(milliseconds=round(1000 * k / 256)))
        rows.append(f"{at},{800 + k / 100:.2f},800,800.5,801,1,80")
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def edf(write_edf):
    """Return a function that writes an EDF part of a counting signal."""

    def write(path, begin_s, seconds, **more):
        import edfio

        n = round(seconds * 128)
        at = START + timedelta(seconds=begin_s)
        signals = [
            edfio.EdfSignal(
                np.arange(n) % 100_000 / 100 + k,
                128,
                label=label,
                physical_dimension="uV",
                physical_range=(-2000, 2000),
            )
            for k, label in enumerate(("C4-M1", "C3-M2"))
        ]
        recording = edfio.Recording(startdate=at.date(), **more)
        edfio.Edf(signals, recording=recording, starttime=at.time()).write(path)

    return write


@pytest.mark.parametrize("writer", [openbci, monitor])
def test_hourly_texts_are_one_night(tmp_path, writer):
    """Here of a minute; the second begins 20 s late, and these are a gap."""
    folder = tmp_path / "session"
    folder.mkdir()
    for begin_s in (0, 60, 140):
        writer(folder / f"raw_{begin_s:03d}.txt", begin_s, 60)
    source = open_source(folder)
    assert source.start == START or abs((source.start - START).total_seconds()) < 0.01
    assert source.duration_s == pytest.approx(200, abs=0.01)
    assert len(source.files) == 3
    ((onset_s, length_s),) = source.gaps
    assert (onset_s, length_s) == pytest.approx((120, 20), abs=0.01)
    values = source.load([source.labels[0]])[0]
    at = round(150 * source.channels[0].rate_hz)
    truth = 150 * source.channels[0].rate_hz / 100 + (800 if writer is monitor else 0)
    assert values[at] == pytest.approx(truth, abs=0.02)


def test_parts_of_an_edf_are_one_night(tmp_path, edf):
    folder = tmp_path / "parts"
    folder.mkdir()
    edf(folder / "night-1.edf", 0, 120)
    edf(folder / "night-2.edf", 120, 60)
    edf(folder / "night-3.edf", 300, 60)
    source = open_source(folder)
    assert (source.start, source.duration_s, source.gaps) == (START, 360, ((180.0, 120.0),))
    (values,) = source.load(["C4-M1"])
    assert values.size == 360 * 128
    assert np.isnan(values[180 * 128 : 300 * 128]).all()
    np.testing.assert_allclose(values[120 * 128 : 121 * 128], np.arange(128) / 100, atol=0.07)
    recording = es.read_recording(folder)
    assert recording.duration_s == 360
    assert any("3 files" in note for note in recording.notes)


@pytest.mark.parametrize("writer", ["text", "edf"])
def test_batch_and_score_and_inspect_agree_on_a_night_in_pieces(tmp_path, edf, writer):
    write, suffix = (openbci, "txt") if writer == "text" else (edf, "edf")
    folder = tmp_path / "data" / "night-of-anna"
    folder.mkdir(parents=True)
    for number in range(3):
        write(folder / f"part{number}.{suffix}", 60 * number, 60)
    for place in (folder, folder.parent):
        (job,) = find_jobs([place], ASKED, tmp_path / "out").jobs
        assert (job.file, job.night) == (folder, "night-of-anna")
    inspection = inspect_recording(folder)
    assert inspection.readable
    assert inspection.duration_s == pytest.approx(180, abs=0.01)


@pytest.mark.parametrize("writer", ["text", "edf"])
def test_pieces_that_overlap_are_refused(tmp_path, edf, writer):
    write, suffix = (openbci, "txt") if writer == "text" else (edf, "edf")
    write(tmp_path / f"part1.{suffix}", 0, 60)
    write(tmp_path / f"part2.{suffix}", 50, 60)
    with pytest.raises(RecordingError, match="overlap"):
        open_source(tmp_path)
    assert [job.file for job in find_jobs([tmp_path], ASKED, tmp_path / "out").jobs] == [tmp_path]
    write(tmp_path / f"part2.{suffix}", 60, 60)
    write(tmp_path / f"copy of part2.{suffix}", 60, 60)
    with pytest.raises(RecordingError, match="overlap"):
        open_source(tmp_path)


def test_files_of_other_nights_and_sleepers_stay_nights_of_their_own(tmp_path, edf):
    """Two beds at once, two evenings, a nap after a nap of somebody else, another montage."""
    edf(tmp_path / "bed1.edf", 0, 120)
    edf(tmp_path / "bed2.edf", 10, 120)
    edf(tmp_path / "later.edf", 86_400, 120)
    edf(tmp_path / "sub-01_nap.edf", 200_000, 60)
    edf(tmp_path / "sub-02_nap.edf", 200_060, 60)
    found = find_jobs([tmp_path], ASKED, tmp_path / "out")
    assert len(found.jobs) == 5


def test_recordings_of_a_day_that_follow_each_other_are_two_nights(tmp_path, edf):
    """As Sleep-EDF's, of 22 h each, half an hour apart."""
    edf(tmp_path / "SC4001E0.edf", 0, 79_000)
    edf(tmp_path / "SC4002E0.edf", 80_000, 79_000)
    assert len(find_jobs([tmp_path], ASKED, tmp_path / "out").jobs) == 2


def test_other_recorders_do_not_continue_each_other(tmp_path, edf):
    edf(tmp_path / "part1.edf", 0, 60, equipment_code="one")
    edf(tmp_path / "part2.edf", 60, 60, equipment_code="two")
    assert len(find_jobs([tmp_path], ASKED, tmp_path / "out").jobs) == 2


def test_a_folder_of_several_nights_in_pieces_says_which_belong_together(tmp_path):
    for begin_s in (0, 60, 86_400, 86_460):
        openbci(tmp_path / f"raw_{begin_s}.txt", begin_s, 60)
    with pytest.raises(EegSleepError, match=r"raw_0.txt \+ raw_60.txt; raw_86400.txt \+ raw_86460.txt"):
        find_jobs([tmp_path], ASKED, tmp_path / "out")
    with pytest.raises(RecordingError, match="4 recordings"):
        open_source(tmp_path)


def test_brainflows_stream_beside_its_text_is_no_recording(tmp_path):
    folder = tmp_path / "session"
    folder.mkdir()
    openbci(folder / "OpenBCI-RAW-2024-03-05_23-10-00.txt", 0, 60)
    rows = ["\t".join(map(str, [i % 256, *[1.5] * 8, *[0.0] * 13, 1.7e9 + i / 250, 0.0])) for i in range(100)]
    (folder / "BrainFlow-RAW_2024-03-05_0.csv").write_text("\n".join(rows) + "\n")
    assert len(find_jobs([folder], ASKED, tmp_path / "out").jobs) == 1
    assert open_source(folder).kind == "OpenBCI text"
