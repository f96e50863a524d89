"""WFDB records: samples as the wfdb package reads them, and headers that are refused."""

import datetime as dt
import shutil
import sys

import numpy as np
import pytest

from eegsleep import read_recording
from eegsleep.errors import RecordingError
from eegsleep.recording.inspect import inspect_recording
from eegsleep.recording.read import open_source
from eegsleep.recording.wfdb import record as wfdb_record
from eegsleep.recording.wfdb.header import is_wfdb_header

wfdb = pytest.importorskip("wfdb", reason="the extra eegsleep[wfdb] is not installed")
# wfdb 4.3 writes records by ways that pandas 3 means to drop; we only read
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

RATE_HZ = 250
# What SLPDB's first record has, its negative gain included.
SLPDB = [("ECG", "mV", 500), ("BP", "mmHg", 4.77778), ("EEG (C4-A1)", "mV", 6430), ("Resp (sum)", "l", 690)]
CINC = [
    "F3-M2",
    "F4-M1",
    "C3-M2",
    "C4-M1",
    "O1-M2",
    "O2-M1",
    "E1-M2",
    "Chin1-Chin2",
    "ABD",
    "CHEST",
    "AIRFLOW",
    "SaO2",
    "ECG",
]


def brownish_uv(n, seed=0, rate_hz=RATE_HZ):
    """Return noise with the spectrum of a sleeping brain, in µV."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(size=n))
    frequency = np.fft.rfftfreq(n, 1 / rate_hz)
    spectrum *= np.where(frequency < 0.5, 0, 1 / np.maximum(frequency, 0.5))
    signal = np.fft.irfft(spectrum, n)
    return 25 * signal / signal.std()


def write_slpdb(folder, minutes=2, fmt="212", name="slp01a"):
    """Write a record of SLPDB's layout and return its header."""
    n = minutes * 60 * RATE_HZ
    rng = np.random.default_rng(1)
    columns = [rng.normal(0, 0.2, n), rng.normal(80, 9, n), brownish_uv(n) / 1000, rng.normal(0, 0.3, n)]
    wfdb.wrsamp(
        name,
        fs=RATE_HZ,
        units=[u for _, u, _ in SLPDB],
        sig_name=[label for label, _, _ in SLPDB],
        p_signal=np.column_stack(columns),
        fmt=[fmt] * 4,
        adc_gain=[gain for *_, gain in SLPDB],
        baseline=[0, -477, 0, 0],
        base_date=dt.date(1989, 1, 19),
        base_time=dt.time(23, 7),
        write_dir=str(folder),
    )
    return folder / f"{name}.hea"


def change(path, old, new):
    """Replace a piece of a header that must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212"])
def test_every_format_gives_the_values_that_the_wfdb_package_gives(tmp_path, fmt, monkeypatch):
    n = 5 * RATE_HZ
    data = np.column_stack([50 * np.sin(np.arange(n) / 40), np.arange(n) % 90 - 40.0])
    data[100:110, 0] = np.nan
    wfdb.wrsamp(
        "r",
        fs=RATE_HZ,
        units=["uV", "uV"],
        sig_name=["C4-M1", "C3-M2"],
        p_signal=data,
        fmt=[fmt] * 2,
        adc_gain=[1.5, 2.0],
        baseline=[3, -7],
        write_dir=str(tmp_path),
    )
    monkeypatch.setattr(wfdb_record, "_PIECE_SAMPLES", 7 * 61)  # many pieces, with borders inside a byte
    source = open_source(tmp_path / "r.hea")
    expected = wfdb.rdrecord(str(tmp_path / "r")).p_signal
    loaded = source.load(["C3-M2", "C4-M1"])
    np.testing.assert_allclose(loaded[0], expected[:, 1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(loaded[1], expected[:, 0], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(loaded[1])), np.arange(100, 110))
    assert source.kind == "WFDB"
    assert source.duration_s == 5


def test_a_record_of_slpdb_becomes_volts_at_its_time(tmp_path):
    header = write_slpdb(tmp_path)
    recording = read_recording(header)
    assert recording.device == "slpdb"
    assert recording.id == "slp01a"
    assert recording.roles == {"EEG (C4-A1)": "eeg"}
    assert recording.start == dt.datetime.fromisoformat("1989-01-19T23:07")
    assert recording.raw.info["sfreq"] == RATE_HZ
    assert np.std(recording.raw.get_data()[0]) == pytest.approx(25e-6, rel=0.05)
    assert [file.name for file, *_ in recording.files] == ["slp01a.hea", "slp01a.dat"]
    assert not recording.notes


def test_a_negative_gain_turns_the_signal_over(tmp_path):
    header = write_slpdb(tmp_path)
    upright = open_source(header).load(["EEG (C4-A1)"])[0]
    source = open_source(change(header, "6430(0)/mV", "-6430/mV"))
    np.testing.assert_allclose(source.load(["EEG (C4-A1)"])[0], -upright)
    low, high = source.channels[2].span
    assert low < high
    assert source.channels[2].gain > 0


def test_a_record_of_the_challenge_2018_uses_chin_and_eye_and_says_no_clock(tmp_path):
    n = 60 * 200
    data = np.column_stack([np.round(brownish_uv(n, seed, 200)) for seed in range(13)]).astype(np.int64)
    units = ["%" if label == "SaO2" else "uV" for label in CINC]
    wfdb.wrsamp(
        "tr03-0005",
        fs=200,
        units=units,
        sig_name=CINC,
        d_signal=data,
        fmt=["16"] * 13,
        adc_gain=[1.0] * 13,
        baseline=[0] * 13,
        write_dir=str(tmp_path),
    )
    # as the set has it: the samples lie in a .mat, behind 24 bytes
    samples = tmp_path / "tr03-0005.dat"
    (tmp_path / "tr03-0005.mat").write_bytes(bytes(24) + samples.read_bytes())
    samples.unlink()
    header = change(tmp_path / "tr03-0005.hea", "tr03-0005.dat 16 ", "tr03-0005.mat 16+24 ")
    recording = read_recording(header)
    assert recording.device == "cinc2018"
    assert recording.roles == {"C4-M1": "eeg", "C3-M2": "eeg", "E1-M2": "eog", "Chin1-Chin2": "emg"}
    assert recording.start is None
    np.testing.assert_allclose(1e6 * recording.raw.get_data(picks=["C4-M1"])[0], data[:, 3])
    with pytest.raises(RecordingError, match=r"Give tr03-0005\.hea"):
        read_recording(tmp_path / "tr03-0005.mat")


def test_a_cut_file_is_read_as_far_as_it_goes_and_that_is_said(tmp_path):
    header = write_slpdb(tmp_path)
    samples = tmp_path / "slp01a.dat"
    samples.write_bytes(samples.read_bytes()[: samples.stat().st_size // 2])
    source = open_source(header)
    assert source.duration_s == 60
    assert [fault.code for fault in source.faults] == ["cut-off"]
    assert np.isfinite(source.load(["BP"])[0]).all()


def test_samples_that_are_not_those_of_the_header_are_doubted_or_refused(tmp_path):
    """Another format has another length, and would give noise."""
    header = write_slpdb(tmp_path)
    text = header.read_text()
    lines = text.splitlines()
    fields = lines[3].split()
    fields[5] = str(int(fields[5]) + 1)
    header.write_text("\n".join([*lines[:3], " ".join(fields), *lines[4:]]))
    recording = read_recording(header)
    assert [(fault.code, fault.channel) for fault in recording.faults] == [("first-sample", "EEG (C4-A1)")]
    header.write_text(text.replace(" 212 ", " 16 "))
    with pytest.raises(RecordingError, match="neither the number of samples nor the first"):
        read_recording(header)


def test_a_header_without_a_length_is_refused(tmp_path):
    header = write_slpdb(tmp_path)
    header.write_text("\n".join([f"slp01a 4 {RATE_HZ}", *header.read_text().splitlines()[1:]]))
    with pytest.raises(RecordingError, match="how many samples there are"):
        read_recording(header)


@pytest.mark.parametrize(
    "name",
    ["../slp01a.dat", "/etc/passwd", "https://physionet.org/slp01a.dat", "a::slp01a.dat", "sub/slp01a.dat", ".."],
)
def test_a_header_that_names_files_elsewhere_is_refused(tmp_path, name):
    (tmp_path / "in").mkdir()
    header = write_slpdb(tmp_path / "in")
    shutil.copy(tmp_path / "in" / "slp01a.dat", tmp_path / "slp01a.dat")
    change(header, "slp01a.dat 212", f"{name} 212")
    with pytest.raises(RecordingError, match="is not beside it"):
        read_recording(header)


def test_a_link_to_samples_elsewhere_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    header = write_slpdb(tmp_path / "in")
    (tmp_path / "in" / "slp01a.dat").rename(tmp_path / "other.dat")
    (tmp_path / "in" / "slp01a.dat").symlink_to(tmp_path / "other.dat")
    with pytest.raises(RecordingError, match="is not beside it"):
        read_recording(header)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("slp01a 4 250", "slp01a/3 4 250", "several segments"),
        (" 212 ", " 8 ", "format 8"),
        (" 212 ", " 212:7 ", "does not read"),
        ("slp01a 4 250", "slp01a 9 250", "does not describe the signals"),
        ("slp01a 4 250", "slp01a 4 0", "no sampling rate"),
        ("slp01a.dat 212 ", "slp01a.dat 212 nonsense ", "describes no signal"),
        ("slp01a.dat", "slp02a.dat", "is not there"),
        ("EEG (C4-A1)", "../x", "a path in the place of the name"),
        ("EEG (C4-A1)", "C4/../../x", "a path in the place of the name"),
    ],
)
def test_a_header_that_cannot_be_read_without_guessing_is_refused(tmp_path, old, new, said):
    header = change(write_slpdb(tmp_path), old, new)
    with pytest.raises(RecordingError, match=said):
        read_recording(header)
    assert not inspect_recording(header).readable


def test_a_signal_without_a_gain_is_not_taken_for_calibrated(tmp_path):
    header = write_slpdb(tmp_path)
    lines = header.read_text().splitlines()
    lines[3] = lines[3].replace("6430(0)/mV", "0")
    header.write_text("\n".join(lines))
    with pytest.raises(RecordingError, match="never calibrated"):
        read_recording(header)


def test_a_signal_without_a_unit_is_in_millivolts_and_that_is_said(tmp_path):
    header = write_slpdb(tmp_path)
    lines = header.read_text().splitlines()
    lines[3] = lines[3].replace("6430(0)/mV", "6430")
    header.write_text("\n".join(lines))
    recording = read_recording(header)
    assert [fault.code for fault in recording.faults] == ["unit-assumed"]
    assert np.std(recording.raw.get_data()[0]) == pytest.approx(25e-6, rel=0.05)


def test_an_unknown_unit_is_asked_for(tmp_path):
    header = change(write_slpdb(tmp_path), "/mV 12 0", "/adu 12 0")
    with pytest.raises(RecordingError, match="its unit is not known"):
        read_recording(header)
    recording = read_recording(header, units={"EEG (C4-A1)": "mV"})
    assert np.std(recording.raw.get_data()[0]) == pytest.approx(25e-6, rel=0.05)


def test_nothing_is_looked_for_outside_this_machine(tmp_path):
    """The guard against connections is on in every test; here the chain of addresses that wfdb would open."""
    folder = tmp_path / "a::https"
    folder.mkdir()
    with pytest.raises(RecordingError, match="no :: in the path"):
        read_recording(write_slpdb_elsewhere(tmp_path, folder))


def write_slpdb_elsewhere(scratch, folder):
    """Write a record where wfdb itself could not, and return its header."""
    header = write_slpdb(scratch)
    for file in (header, header.with_suffix(".dat")):
        shutil.move(file, folder / file.name)
    return folder / header.name


def test_without_the_package_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    header = write_slpdb(tmp_path)
    monkeypatch.setitem(sys.modules, "wfdb", None)
    monkeypatch.setattr(wfdb_record, "find_spec", lambda _: None)
    with pytest.raises(RecordingError, match=r'pip install "eegsleep\[wfdb\]"'):
        read_recording(header)


def test_a_text_that_is_no_header_is_not_taken_for_one():
    assert not is_wfdb_header(b"timestamps,TP9,AF7\n1,2,3\n")
    assert not is_wfdb_header(b"night 4 notes\nabout nothing\n")
    assert not is_wfdb_header(b"")
    assert is_wfdb_header(b"# a comment\r\nslp01a 4 250\r\nslp01a.dat 212 -200/mV 12 0 -17 59911 0 ECG\r\n")


def test_samples_that_were_changed_are_told_by_their_sum(tmp_path):
    """Every changed byte of the samples changes the sum of a signal, which the header gives in 16 bits."""
    header = write_slpdb(tmp_path)
    samples = header.with_suffix(".dat")
    content = samples.read_bytes()
    for at in range(100, len(content), len(content) // 40):
        samples.write_bytes(content[:at] + bytes([content[at] ^ 0x11]) + content[at + 1 :])
        source = open_source(header)
        with pytest.raises(RecordingError, match=r"are not those that slp01a\.hea describes"):
            source.load([channel.label for channel in source.channels])


@pytest.mark.parametrize(
    ("place", "value"),
    [(5, "70000"), (6, "99999"), (2, "6430(999999999999)/mV"), (2, "0/mV")],
    ids=["first sample", "checksum", "baseline", "gain"],
)
def test_fields_that_no_signal_can_have_are_refused(tmp_path, place, value):
    path = write_slpdb(tmp_path, minutes=1)
    lines = path.read_text().splitlines()
    eeg = lines[3].split(" ")
    eeg[place] = value
    lines[3] = " ".join(eeg)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RecordingError):
        read_recording(path, eeg=["EEG (C4-A1)"])


def test_a_header_with_more_signals_than_it_counts_is_refused(tmp_path):
    path = write_slpdb(tmp_path, minutes=1)
    path.write_text(path.read_text().replace("slp01a 4 ", "slp01a 3 ", 1))
    with pytest.raises(RecordingError, match="signals it counts"):
        open_source(path)
