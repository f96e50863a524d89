"""Anonymizing: no word about the sleeper stays, no sample changes, nothing is overwritten."""

import datetime as dt
import gzip
import hashlib
import io
import os
from itertools import pairwise
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from faults.edf_bytes import RATE, Channel, base_channels, build, edited, eeg_counts, field_place, keep_time, plus

from eegsleep.errors import EegSleepError, RecordingError, SettingsError
from eegsleep.recording.edf import anonymize
from eegsleep.recording.edf.anonymize import _clean_annotations, _clean_records, _Tally, anonymize_recording
from eegsleep.recording.edf.open import open_edf

SECRETS = (
    "Müller",
    "Mueller",
    "Annegret",
    "MAY-1951",
    "02.05.1951",
    "MCH-0234567",
    "Technikus",
    "Recorder9000",
    "SN4711",
    "14.06.24",
    "JUN-2024",
)
ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "cp437")
STAGES = ("Sleep stage W", "Sleep stage N2", "Sleep stage R", "Lights off", "Recording ends")
LIMITS_24 = (b"-5000", b"5000", b"-8388608", b"8388607")


def secrets_in(content: bytes) -> list[str]:
    """Return the secrets found in any spelling of capitals and any encoding a device may use."""
    spellings = {f(s) for s in SECRETS for f in (str, str.lower, str.upper)}
    raw = {spelling.encode(encoding, "ignore") for spelling in spellings for encoding in ENCODINGS}
    return sorted(repr(secret) for secret in raw if secret in content)


def blocks(content: bytes) -> tuple[list[str], np.ndarray, list[slice]]:
    """Return labels, whole records as rows of bytes, and each signal's place in a row, by the format's arithmetic."""
    count, width = int(content[252:256]), 3 if content[:1] == b"\xff" else 2
    at = 256 + 16 * count + 80 * count + 8 * 5 * count + 80 * count
    sizes = [int(content[at + 8 * i : at + 8 * i + 8]) * width for i in range(count)]
    ends = np.cumsum([0, *sizes])
    records = content[256 * (count + 1) :]
    n_records = len(records) // ends[-1]
    rows = np.frombuffer(records, np.uint8, n_records * ends[-1]).reshape(n_records, -1)
    labels = [content[256 + 16 * i : 272 + 16 * i].decode("latin-1").strip() for i in range(count)]
    return labels, rows, [slice(a, b) for a, b in pairwise(ends)]


def assert_same_samples(before: bytes, after: bytes, n_records: int | None = None) -> None:
    """Compare the bytes of every signal in every record, and that header and size of the copy agree."""
    labels, old, places = blocks(before)
    _, new, new_places = blocks(after)
    n_records = len(old) if n_records is None else n_records
    assert places == new_places
    assert len(new) == n_records == int(after[236:244])
    assert int(after[184:192]) == 256 * (int(after[252:256]) + 1) == len(after) - new.size
    for label, place in zip(labels, places, strict=True):
        if "Annotations" not in label:
            assert np.array_equal(old[:n_records, place], new[:, place]), label


def anonymized(folder: Path, content: bytes, name: str = "night.edf", **options) -> tuple[bytes, tuple[str, ...]]:
    """Anonymize these bytes and check what holds for every file."""
    path, output = folder / name, folder / f"copy-of-{name.removesuffix('.gz')}"
    path.write_bytes(content)
    before = hashlib.sha256(content).digest()
    sentences = anonymize_recording(path, output, **options)
    assert hashlib.sha256(path.read_bytes()).digest() == before
    copy = output.read_bytes()
    assert not secrets_in(copy)
    assert not secrets_in(" ".join(sentences).encode())
    again = folder / f"again-{output.name}"
    anonymize_recording(output, again, **options)
    assert again.read_bytes() == copy
    assert sorted(p.name for p in folder.iterdir()) == sorted([name, output.name, again.name])
    return copy, sentences


def telling_edf_plus() -> bytes:
    """Return an EDF+ file that names its sleeper wherever edfio lets it."""
    rng = np.random.default_rng(5)
    signals = [
        edfio.EdfSignal(
            rng.normal(0, 30, 60 * rate),
            rate,
            label=label,
            transducer_type="AgAgCl SN4711",
            physical_dimension="uV",
            physical_range=(-300, 300),
            prefiltering=prefiltering,
        )
        for rate, label, prefiltering in (
            (256, "EEG C4-M1", "HP:0.1Hz LP:75Hz N:50Hz"),
            (256, "EMG Mueller", "set by Technikus"),
            (64, "Annegret, 1951", "HP:0.1Hz Technikus"),
            (1, "SpO2", ""),
        )
    ]
    notes = [
        *(edfio.EdfAnnotation(5.5 + 10 * i, 30 if i % 2 else None, text) for i, text in enumerate(STAGES)),
        edfio.EdfAnnotation(7, None, "Annegret Mueller turns over"),
        edfio.EdfAnnotation(8.25, 2, "Frau Müller ruft Technikus"),
        edfio.EdfAnnotation(9, 30, "Sleep stage N3@@EMG Mueller"),
        edfio.EdfAnnotation(9.5, None, "Sleep stage N3 says Technikus"),
    ]
    patient = edfio.Patient(code="MCH-0234567", sex="F", birthdate=dt.date(1951, 5, 2), name="Annegret_Mueller")
    recording = edfio.Recording(
        startdate=dt.date(2024, 6, 14),
        hospital_administration_code="MCH-0234567",
        investigator_technician_code="Technikus",
        equipment_code="Recorder9000",
    )
    file = io.BytesIO()
    edfio.Edf(
        signals,
        patient=patient,
        recording=recording,
        starttime=dt.time(23, 15, 30),
        annotations=notes,
        data_record_duration=1,
    ).write(file)
    return file.getvalue()


def with_slack(content: bytes, secret: bytes) -> bytes:
    """Write a secret to the end of every record's annotations."""
    _, rows, places = blocks(content)
    rows = rows.copy()
    rows[:, places[-1]][:, -len(secret) :] = np.frombuffer(secret, np.uint8)
    return content[: len(content) - rows.size] + rows.tobytes()


def annotations_of(path: Path) -> list[tuple[float, float, str]]:
    return sorted(open_edf(path).annotations)


def test_edf_plus_tells_nothing_and_keeps_samples_times_and_stages(tmp_path):
    content = telling_edf_plus()
    assert len(secrets_in(content)) == len(SECRETS) - 1, "the search finds all that were put there; one date was not"
    copy, sentences = anonymized(tmp_path, content)
    assert_same_samples(content, copy)
    assert copy[8:88].rstrip() == b"X X X X"
    assert copy[88:168].rstrip() == b"Startdate X X X X"
    assert copy[168:184] == b"01.01.8523.15.30"
    assert copy[192:236].rstrip() == b"EDF+C"
    assert blocks(copy)[0] == ["EEG C4-M1", "signal 2", "signal 3", "SpO2", "EDF Annotations"]
    start, size = field_place("prefilter", 0, 5)
    filters = [copy[start + size * i : start + size * (i + 1)].rstrip() for i in range(5)]
    assert filters == [b"HP:0.1Hz LP:75Hz N:50Hz", b"", b"HP:0.1Hz", b"", b""]
    stage = (9.0, 30.0, "Sleep stage N3")
    kept = [a for a in annotations_of(tmp_path / "night.edf") if a[2] in STAGES]
    assert annotations_of(tmp_path / "copy-of-night.edf") == sorted([*kept, stage])
    assert any(s.startswith("Annotations removed: 3; kept: 6,") for s in sentences)
    assert any(s.endswith("number of their signal: 2, 3.") for s in sentences)


def test_mne_and_our_reader_read_the_same_numbers(tmp_path):
    anonymized(tmp_path, telling_edf_plus())
    raws = [
        mne.io.read_raw_edf(tmp_path / name, preload=True, verbose="error")
        for name in ("night.edf", "copy-of-night.edf")
    ]
    assert np.array_equal(raws[0].get_data(), raws[1].get_data())
    assert raws[1].info["meas_date"] == dt.datetime(1985, 1, 1, 23, 15, 30, tzinfo=dt.UTC)
    old, new = (open_edf(tmp_path / name) for name in ("night.edf", "copy-of-night.edf"))
    assert new.start == dt.datetime(1985, 1, 1, 23, 15, 30)  # noqa: DTZ001 - EDF has no zone
    assert [c.rate_hz for c in old.channels] == [c.rate_hz for c in new.channels]
    for before, after in zip(old.load(old.labels), new.load(new.labels), strict=True):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("secret", [b"Mueller\0", "Müller".encode("latin-1"), b"\0+5\x14Annegret\x14\0"])
def test_slack_is_wiped(tmp_path, secret):
    content = plus(tals=[keep_time(f"+{i}").ljust(64, b"\0") for i in range(60)])
    soiled = with_slack(content, secret)
    copy, _ = anonymized(tmp_path, soiled)
    labels, rows, places = blocks(copy)
    assert np.array_equal(rows[:, places[-1]], blocks(content)[1][:, places[-1]])
    assert labels[-1] == "EDF Annotations"
    assert_same_samples(soiled, copy)


@pytest.mark.parametrize("tail", [b"Annegret Mueller", b"M\xfcller" * 3, b"Technikus" * 20_000])
def test_bytes_after_the_last_record_are_dropped(tmp_path, tail):
    content = build(base_channels())
    copy, sentences = anonymized(tmp_path, content + tail)
    assert_same_samples(content, copy)
    assert any("last whole record" in s for s in sentences)


def test_a_record_cut_in_the_middle_is_dropped_and_the_count_is_right(tmp_path):
    content = build(base_channels())[:-100]
    copy, _ = anonymized(tmp_path, content)
    assert_same_samples(content, copy, n_records=59)
    assert edfio.read_edf(io.BytesIO(copy)).num_data_records == 59


def test_unknown_number_of_records_becomes_the_true_one(tmp_path):
    content = edited(n_records=b"-1")
    copy, _ = anonymized(tmp_path, content)
    assert_same_samples(content, copy, n_records=60)


@pytest.mark.parametrize(
    "text", ["Annegret Müller".encode("latin-1"), "Annegret Müller 1951".encode(), b"Mueller\0SN4711"]
)
def test_plain_edf_with_a_name_in_every_field_of_words(tmp_path, text):
    content = edited(**dict.fromkeys(("patient", "recording", "reserved", "transducer", "prefilter", "spare"), text))
    content = edited(content, label=text, unit=text[:8], signal=1)
    copy, _ = anonymized(tmp_path, content)
    assert_same_samples(content, copy)
    assert copy[8:16] == copy[88:96] == b"X       "
    assert not copy[192:236].strip()
    assert blocks(copy)[0] == ["C4-M1", "signal 2"]


def test_fields_of_annotation_signals_that_nobody_reads_are_cleaned(tmp_path):
    content = plus()
    for name in ("pmin", "pmax", "dmin", "dmax", "unit", "transducer", "prefilter", "spare"):
        content = edited(content, signal=2, **{name: b"Mueller"})
    copy, _ = anonymized(tmp_path, content)
    assert_same_samples(content, copy)
    mne.io.read_raw_edf(tmp_path / "copy-of-night.edf", verbose="error")


def test_gaps_stay_where_they_are(tmp_path):
    onsets = [*range(30), *(i + 100.25 for i in range(30, 60))]
    tals = [keep_time(f"+{t}", b"+3\x1530\x14Sleep stage N2\x14Annegret\x14") for t in onsets]
    content = plus(tals=tals, reserved=b"EDF+D Recorder9000", size=96)
    copy, _ = anonymized(tmp_path, content)
    assert_same_samples(content, copy)
    assert copy[192:236].rstrip() == b"EDF+D"
    old, new = (open_edf(tmp_path / name) for name in ("night.edf", "copy-of-night.edf"))
    assert old.gaps == new.gaps == ((30.0, 100.25),)
    _, rows, places = blocks(copy)
    expected = [keep_time(f"+{t}", b"+3\x1530\x14Sleep stage N2\x14").ljust(96, b"\0") for t in onsets]
    assert [row.tobytes() for row in rows[:, places[-1]]] == expected


@pytest.mark.parametrize("is_plus", [False, True])
def test_bdf(tmp_path, is_plus):
    channels = [
        Channel(label, eeg_counts(seed, 60 * RATE, limits=LIMITS_24), limits=LIMITS_24, transducer=b"SN4711")
        for seed, label in ((1, b"C4-M1"), (2, b"Status"))
    ]
    if is_plus:
        tals = b"".join(keep_time(f"+{i}", b"+1\x14Mueller\x14").ljust(96, b"\0") for i in range(60))
        three = np.frombuffer(tals, np.uint8).reshape(-1, 3).astype(np.int64)
        counts = three[:, 0] | three[:, 1] << 8 | three[:, 2] << 16
        channels.append(Channel(b"BDF Annotations", counts, b"", (b"-1", b"1", b"-8388608", b"8388607"), b"", b""))
    reserved = b"BDF+C Recorder9000" if is_plus else b"24BIT"
    content = build(channels, reserved=reserved, width=3, version=b"\xffBIOSEMI")
    content = edited(content, patient=b"Annegret Mueller")
    copy, _ = anonymized(tmp_path, content, "night.bdf")
    assert_same_samples(content, copy)
    assert copy[:8] == b"\xffBIOSEMI"
    assert copy[192:236].rstrip() == (b"BDF+C" if is_plus else b"24BIT")
    raws = [mne.io.read_raw_bdf(tmp_path / name, verbose="error") for name in ("night.bdf", "copy-of-night.bdf")]
    assert np.array_equal(raws[0].get_data("C4-M1"), raws[1].get_data("C4-M1"))


def test_gzipped_input_gives_the_same_copy_unpacked(tmp_path):
    content = telling_edf_plus()
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.mkdir()
    packed.mkdir()
    expected, _ = anonymized(plain, content)
    copy, _ = anonymized(packed, gzip.compress(content), "night.edf.gz")
    assert copy == expected


@pytest.mark.parametrize(
    ("tal", "expected"),
    [
        (b"+0\x14\x14Recording starts\x14\0", b"+0\x14\x14Recording starts\x14"),
        (b"+0\x14\x14Annegret\x14lights OFF\x14\0", b"+0\x14\x14lights OFF\x14"),
        (b"+0\x14\0+1\x14Mueller", b"+0\x14"),
        (b"+0\x14Mueller\x14\0+7\x14\x14\0", b""),
        (b"Mueller\0+7\x14\x14\0+8\x14Sleep stage ?\x14", b"+8\x14Sleep stage ?\x14"),
        (b"+0\x14\x14\0+7\x14Sleep stage 4@@Mueller", b"+0\x14\x14\0+7\x14Sleep stage 4"),
        (b"+0\x14\x14\0+7\x14Movement time\x14Mueller", b"+0\x14\x14\0+7\x14Movement time\x14"),
        (b"\0\0+0.5\x14\x14\0\0-7\x15\x14Mueller\x14", b"+0.5\x14\x14"),
    ],
)
def test_lists_of_annotations(tal, expected):
    cleaned = _clean_annotations(tal, frozenset(), _Tally())
    assert cleaned == expected.ljust(len(tal), b"\0")


def test_a_full_annotation_signal_keeps_its_last_unended_text():
    """No end mark is added where there is no byte for it."""
    tal = b"+0\x14\x14\0+7\x14Lights on\0+8\x14Lights off"
    assert _clean_annotations(tal, frozenset(), _Tally()) == tal


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        (b"EEG Fpz-Cz", True),
        ("C3 Impédance".encode(), True),
        ("C3 Impédance".encode("latin-1"), True),
        (b"A1+A2/2", True),
        (b"Resp_1 (nasal).", True),
        (b"1", True),
        (b"", True),
        (b"Mueller <b>", False),
        (b"a@b.de", False),
        (b"02.05.1951", False),
        (b"ID 0234567", False),
        (b"--", False),
        (b"C3\0Annegret", False),
        (b"C3 MCH", False),
        (b"AnnegretEEG", False),
        (b"C3\xff\xfe=", False),
    ],
)
def test_labels_stay_if_they_look_like_a_channel(tmp_path, label, kept):
    content = edited(patient=b"MCH-0234567 F 02-MAY-1951 Annegret_EEG", label=label)
    copy, _ = anonymized(tmp_path, content)
    start, size = field_place("label", 0, 2)
    assert copy[start : start + size] == (label if kept else b"signal 1").ljust(size)


@pytest.mark.parametrize(
    ("unit", "kept"),
    [
        (b"uV", True),
        (b"\xb5V", True),
        ("\N{MICRO SIGN}V".encode(), True),
        (b"mv", True),
        (b"degC", True),
        (b"%", True),
        (b"", True),
        (b"cmH2O", True),
        (b"Mueller", False),
        (b"Anna", False),
        (b"uV Anna", False),
        (b"Yv", False),
    ],
)
def test_units_stay_if_they_are_units(tmp_path, unit, kept):
    copy, _ = anonymized(tmp_path, edited(unit=unit))
    start, size = field_place("unit", 0, 2)
    assert copy[start : start + size] == (unit if kept else b"").ljust(size)


def test_texts_asked_for_and_another_date(tmp_path):
    tals = [keep_time(f"+{i}", b"+3\x14Spindle  \xc2\xb5\x14spindle \xc2\xb5 2\x14") for i in range(60)]
    content = plus(tals=tals)
    copy, sentences = anonymized(
        tmp_path, content, keep_annotations=["spindle \N{MICRO SIGN}"], shift_to=dt.date(2001, 3, 4)
    )
    assert copy.count(b"\x14Spindle  \xc2\xb5\x14") == 60
    assert b"\xb5 2" not in copy
    assert any(s.startswith("Annotations removed: 60; kept: 60,") for s in sentences)
    assert copy[88:176] == b"Startdate 04-MAR-2001 X X X".ljust(80) + b"04.03.01"
    assert open_edf(tmp_path / "copy-of-night.edf").start.date() == dt.date(2001, 3, 4)


def test_a_date_edf_cannot_hold_is_refused(tmp_path, write_edf):
    with pytest.raises(SettingsError, match="1985"):
        anonymize_recording(write_edf(), tmp_path / "copy.edf", shift_to=dt.date(1900, 1, 1))


@pytest.mark.parametrize("name", ["made.edf", "other.edf", "no/folder.edf", "copy.edf.gz", "link.edf"])
def test_nothing_is_overwritten(tmp_path, write_edf, name):
    path = write_edf()
    (tmp_path / "other.edf").write_bytes(b"dear")
    (tmp_path / "link.edf").symlink_to(tmp_path / "nowhere")
    before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.exists()}
    with pytest.raises(EegSleepError) as caught:
        anonymize_recording(path, tmp_path / name)
    assert caught.value.remedy
    assert before == {p: p.read_bytes() for p in tmp_path.iterdir() if p.exists()}


@pytest.mark.parametrize("content", [b"", b"no recording at all" * 40, build(base_channels())[:500]])
def test_refused_files_leave_no_copy(tmp_path, content):
    path = tmp_path / "night.edf"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"night\.edf"):
        anonymize_recording(path, tmp_path / "copy.edf")
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(EegSleepError, match="no such file"):
        anonymize_recording(tmp_path / "none.edf", tmp_path / "copy.edf")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_crash_midway_leaves_nothing(tmp_path, write_edf, monkeypatch, error):
    path = write_edf()
    monkeypatch.setattr(anonymize, "PIECE_BYTES", 10_000)
    n_calls = []

    def fail(*arguments):
        for piece in _clean_records(*arguments):
            n_calls.append(len(list(tmp_path.iterdir())))
            if len(n_calls) == 3:
                raise error
            yield piece

    monkeypatch.setattr(anonymize, "_clean_records", fail)
    with pytest.raises(EegSleepError if isinstance(error, OSError) else KeyboardInterrupt):
        anonymize_recording(path, tmp_path / "copy.edf")
    assert n_calls == [2, 2, 2]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_full_disk_leaves_nothing(tmp_path, write_edf, monkeypatch, failing):
    path = write_edf()
    open_path = Path.open

    def no_room(*_):
        raise OSError(28, "No space left on device")

    class Full(io.FileIO):
        def write(self, content):
            return no_room() if self.tell() else super().write(content)

    if failing == "write":
        monkeypatch.setattr(
            Path, "open", lambda self, mode="r", **how: Full(self, "w") if "w" in mode else open_path(self, mode, **how)
        )
    else:
        monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(EegSleepError, match="no space"):
        anonymize_recording(path, tmp_path / "copy.edf")
    assert list(tmp_path.iterdir()) == [path]


def test_pieces_make_no_difference(tmp_path, monkeypatch):
    path = tmp_path / "night.edf"
    path.write_bytes(telling_edf_plus())
    anonymize_recording(path, tmp_path / "whole.edf")
    monkeypatch.setattr(anonymize, "PIECE_BYTES", 7_000)
    anonymize_recording(path, tmp_path / "pieces.edf")
    assert (tmp_path / "whole.edf").read_bytes() == (tmp_path / "pieces.edf").read_bytes()


def test_the_time_of_the_input_file_does_not_carry_over(tmp_path, write_edf):
    path = write_edf()
    os.utime(path, (1e9, 1e9))
    anonymize_recording(path, tmp_path / "copy.edf")
    assert (tmp_path / "copy.edf").stat().st_mtime > 1.5e9


def test_days_are_added_to_the_date_of_the_file(write_edf, tmp_path):
    """The same number for two nights keeps the days between them."""
    from eegsleep.recording.read import open_source

    for number, day in enumerate((4, 6)):
        file = write_edf(name=f"{number}.edf")
        content = file.read_bytes()
        file.write_bytes(content[:168] + f"{day:02}.03.21".encode() + content[176:])
        anonymize_recording(file, tmp_path / f"copy-{number}.edf", shift_days=-400)
    dates = [open_source(tmp_path / f"copy-{number}.edf").start.date() for number in (0, 1)]
    assert dates == [dt.date(2020, 1, 29), dt.date(2020, 1, 31)]


def test_days_cannot_be_added_to_an_unknown_date(write_edf, tmp_path):
    anonymize_recording(write_edf(), tmp_path / "without.edf")
    with pytest.raises(SettingsError, match="cannot be shifted"):
        anonymize_recording(tmp_path / "without.edf", tmp_path / "copy.edf", shift_days=3)
    with pytest.raises(SettingsError, match="one of them"):
        anonymize_recording(write_edf(), tmp_path / "c.edf", shift_days=3, shift_to=dt.date(2001, 1, 1))


def test_a_file_of_annotations_alone_is_anonymized(sample_night, tmp_path):
    from eegsleep.hypnograms.read import read_hypnogram
    from eegsleep.night.folder import encode_events

    (tmp_path / "events.edf").write_bytes(encode_events(sample_night))
    anonymize_recording(tmp_path / "events.edf", tmp_path / "copy.edf")
    stages = read_hypnogram(tmp_path / "copy.edf")
    assert list(stages.stages) == list(read_hypnogram(tmp_path / "events.edf").stages)
