"""XDF of LabRecorder and HDF5 of Dreem: read by the packages that are extras, or refused with what to install."""

import struct
import sys
from datetime import datetime

import numpy as np
import pytest

import eegsleep as es
from eegsleep.errors import RecordingError
from eegsleep.recording.containers.hdf5 import open_hdf5
from eegsleep.recording.containers.xdf import open_xdf
from eegsleep.recording.read import open_source

RATE = 256


def chunk(tag, content, stream=None):
    body = struct.pack("<H", tag) + (struct.pack("<I", stream) if stream is not None else b"") + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def stream_header(name, kind, labels, unit, rate=RATE):
    channels = "".join(f"<channel><label>{label}</label><unit>{unit}</unit></channel>" for label in labels)
    return (
        f"<?xml version='1.0'?><info><name>{name}</name><type>{kind}</type><channel_count>{len(labels)}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>float32</channel_format><source_id>x</source_id>"
        f"<desc><channels>{channels}</channels></desc></info>"
    ).encode()


def samples(values, first_s, rate=RATE):
    """Return a chunk of samples with a stamp each."""
    content = b"\x04" + struct.pack("<I", len(values))
    for i, row in enumerate(values):
        content += b"\x08" + struct.pack("<d", first_s + i / rate) + np.asarray(row, dtype="<f4").tobytes()
    return content


def xdf(streams, when="2024-03-05T23:10:00+0100"):
    parts = [
        b"XDF:",
        chunk(1, f"<?xml version='1.0'?><info><version>1.0</version><datetime>{when}</datetime></info>".encode()),
    ]
    for number, (name, kind, labels, unit, values) in enumerate(streams, start=1):
        parts.append(chunk(2, stream_header(name, kind, labels, unit), number))
        if len(values):
            parts.append(chunk(3, samples(values, 5_000.0), number))
        footer = "<?xml version='1.0'?><info><first_timestamp>5000</first_timestamp></info>"
        parts.append(chunk(6, footer.encode(), number))
    return b"".join(parts)


VALUES = np.stack([np.arange(RATE * 20) / 100, -np.arange(RATE * 20) / 50], axis=1)


@pytest.mark.parametrize(("unit", "factor"), [("microvolts", 1e-6), ("volts", 1.0), ("uV", 1e-6)])
def test_the_eeg_of_labrecorder_is_read(tmp_path, unit, factor):
    pytest.importorskip("pyxdf", reason="pyxdf is an extra")
    path = tmp_path / "night.xdf"
    path.write_bytes(xdf([("Amp", "EEG", ["C4-M1", "E1-M2"], unit, VALUES), ("Trigger", "Markers", ["m"], "", [])]))
    source = open_source(path)
    assert (source.kind, source.labels, source.duration_s) == ("XDF", ["C4-M1", "E1-M2"], 20)
    assert source.start == datetime(2024, 3, 5, 23, 10)  # noqa: DTZ001 - naive local time
    np.testing.assert_allclose(source.load(["C4-M1"])[0], VALUES[:, 0], rtol=1e-5)
    recording = es.read_recording(path)
    np.testing.assert_allclose(recording.raw.get_data(picks=["C4-M1"])[0], factor * VALUES[:, 0], rtol=1e-5, atol=1e-12)
    assert any("Trigger" in note for note in recording.notes)


def test_an_xdf_without_a_unit_asks_for_it(tmp_path):
    pytest.importorskip("pyxdf", reason="pyxdf is an extra")
    path = tmp_path / "night.xdf"
    path.write_bytes(xdf([("Amp", "EEG", ["C4-M1", "E1-M2"], "", VALUES)]))
    with pytest.raises(RecordingError, match=r'--units "C4-M1=uV"'):
        es.read_recording(path)
    es.read_recording(path, units={"C4-M1": "uV", "E1-M2": "uV"})


@pytest.mark.parametrize("n_eeg", [0, 2])
def test_no_stream_of_eeg_and_several_are_refused_with_their_names(tmp_path, n_eeg):
    pytest.importorskip("pyxdf", reason="pyxdf is an extra")
    path = tmp_path / "night.xdf"
    path.write_bytes(xdf([(f"Amp{i}", "EEG" if i < n_eeg else "Gaze", ["a", "b"], "uV", VALUES) for i in range(2)]))
    with pytest.raises(RecordingError, match=r"Amp0.*Amp1"):
        open_xdf(path)


def test_a_broken_xdf_is_a_typed_error(tmp_path):
    pytest.importorskip("pyxdf", reason="pyxdf is an extra")
    content = xdf([("Amp", "EEG", ["C4-M1", "E1-M2"], "uV", VALUES)])
    for size in (4, 30, 200, 700, len(content) // 2):
        path = tmp_path / "cut.xdf"
        path.write_bytes(content[:size])
        try:
            assert open_source(path).duration_s <= 20
        except RecordingError:
            continue


@pytest.mark.parametrize("named", [True, False])
def test_a_night_of_the_dreem_open_datasets_is_read(tmp_path, named):
    h5py = pytest.importorskip("h5py", reason="h5py is an extra")
    path = tmp_path / "night.h5"
    values = np.arange(250 * 60) / 100
    with h5py.File(path, "w") as file:
        for kind, label in (("eeg", "C3_M2"), ("eog", "EOG1"), ("emg", "EMG")):
            file[f"signals/{kind}/{label}"] = values.astype("f4")
            file[f"signals/{kind}"].attrs["fs"] = 250
            if named:
                file[f"signals/{kind}"].attrs["unit"] = "µV"
        file["hypnogram"] = np.zeros(2, dtype=int)
        file.attrs["start_time"] = 1_709_676_600
    source = open_source(path)
    assert (source.kind, sorted(source.labels), source.duration_s) == ("Dreem HDF5", ["C3_M2", "EMG", "EOG1"], 60)
    np.testing.assert_allclose(source.load(["C3_M2"])[0], values, rtol=1e-6)
    if named:
        assert es.read_recording(path).roles == {"C3_M2": "eeg", "EOG1": "eog", "EMG": "emg"}
    else:
        with pytest.raises(RecordingError, match="--units"):
            es.read_recording(path)


def test_the_head_bands_export_is_read_and_its_names_and_unit_are_asked_for(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is an extra")
    path = tmp_path / "night.h5"
    with h5py.File(path, "w") as file:
        for i in (1, 2):
            file[f"eeg{i}/raw"] = np.arange(250 * 60, dtype="f4")
            file[f"eeg{i}/filtered"] = np.zeros(250 * 60, dtype="f4")
    assert open_hdf5(path).labels == ["eeg1", "eeg2"]
    recording = es.read_recording(path, eeg=["eeg1"], units={"eeg1": "uV"})
    assert recording.duration_s == 60


def test_another_hdf5_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is an extra")
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(RecordingError, match="no layout that is known"):
        open_source(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordingError, match="cannot be read"):
        open_source(path)


@pytest.mark.parametrize(
    ("package", "magic", "extra"), [("pyxdf", b"XDF:", "xdf"), ("h5py", b"\x89HDF\r\n\x1a\n", "h5")]
)
def test_without_the_package_the_remedy_names_the_extra(tmp_path, monkeypatch, package, magic, extra):
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / "night.bin"
    path.write_bytes(magic + bytes(100))
    with pytest.raises(RecordingError, match=rf'pip install "eegsleep\[{extra}\]"'):
        open_source(path)
