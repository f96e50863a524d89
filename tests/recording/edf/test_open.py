"""EDF files as recorders, clocks and people leave them: read right, with a word, or refused by a typed error."""

import gzip
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from faults.edf_bytes import LIMITS_16, Channel, as_counts, base, base_channels, build, edited, eeg_counts, plus

import eegsleep as es
from eegsleep.recording import assemble, derive, read
from eegsleep.recording.edf import annotations, samples
from eegsleep.recording.edf.open import open_edf
from eegsleep.recording.faults import Fault
from eegsleep.recording.inspect import inspect_recording
from eegsleep.recording.rates import at_rate, carry_over

MARK_LIMITS = (b"-1", b"1", b"-32768", b"32767")


def write(folder, content, name="night.edf"):
    (folder / name).write_bytes(content)
    return folder / name


def marks(tals, size=24):
    content = b"".join(tal.ljust(size, b"\0")[:size] for tal in tals)
    return Channel(b"EDF Annotations", np.frombuffer(content, "<i2"), b"", MARK_LIMITS, b"", b"")


def stamped(onsets, kind=b"EDF+C", rate=128, duration=b"1", form="+{:.6f}"):
    """Return a file of one EEG whose records start at these times."""
    n, per_record = len(onsets), int(rate * float(duration))
    one = Channel(b"C4-M1", eeg_counts(3, n * per_record, rate))
    tals = [form.format(onset).encode() + b"\x14\x14" for onset in onsets]
    return build([one, marks(tals)], n, duration, kind)


def codes(recording):
    return {fault.code for fault in recording.faults}


# -- the file changes under our hands --------------------------------------------------------------------


@pytest.mark.parametrize("n_channels", [2, 14])
def test_file_cut_after_it_was_opened_is_refused(n_channels, tmp_path, monkeypatch):
    """Read channel by channel or whole: what is no longer there is not digital zero."""
    one = base_channels()[0]
    others = [replace(one, label=b"X%d" % i) for i in range(n_channels - 2)]
    path = write(tmp_path, build([*base_channels(), *others]))
    monkeypatch.setattr(samples, "_MIN_JUMP_BYTES", 0)
    source = open_edf(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(es.RecordingError, match="cut or changed while it was read"):
        source.load(["C4-M1", "F3-M2"])


def test_file_taken_away_after_it_was_read(tmp_path, monkeypatch):
    """What was read is kept; only its hash cannot be given any more."""
    path, load = write(tmp_path, base()), assemble.read_derivations

    def and_delete(*arguments):
        found = load(*arguments)
        path.unlink()
        return found

    monkeypatch.setattr(assemble, "read_derivations", and_delete)
    recording = es.read_recording(path)
    with pytest.raises(es.RecordingError, match="removed"):
        _ = recording.sha256


def test_file_changed_while_it_was_read_is_refused(tmp_path, monkeypatch):
    path, load = write(tmp_path, base()), assemble.read_derivations

    def and_change(*arguments):
        found = load(*arguments)
        path.write_bytes(base() + b"x")
        return found

    monkeypatch.setattr(assemble, "read_derivations", and_change)
    with pytest.raises(es.RecordingError, match="was changed"):
        es.read_recording(path)


@pytest.mark.parametrize("where", ["open_edf", "load"])
def test_no_memory_is_a_refusal(where, tmp_path, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    path = write(tmp_path, base())
    if where == "open_edf":
        monkeypatch.setattr(read, "open_edf", no_memory)
    else:
        monkeypatch.setattr(derive, "at_rate", no_memory)
    with pytest.raises(es.RecordingError, match="more memory"):
        es.read_recording(path)


# -- what is asked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"units": {"C4": "mV"}}, "C4-M1, F3-M2"),
        ({"units": {"C4-M1": "furlong"}}, "V, mV, uV and nV"),
        ({"units": {"C4-M1": None}}, "V, mV, uV and nV"),
        ({"units": {"F3-M2": "uV"}, "eeg": ["C4-M1"]}, "not used"),
        ({"units": "uV"}, "mapping"),
        ({"units": ["C4-M1=uV"]}, "mapping"),
        ({"eeg": [""]}, "not empty"),
        ({"eeg": [None]}, "not empty"),
        ({"eeg": [0]}, "not empty"),
        ({"eeg": 5}, "labels"),
        ({"eog": ["C4-M1"]}, "a label"),
        ({"emg": 3}, "a label"),
        ({"device": 5}, "preset"),
        ({"start": "2024-01-01"}, "without time zone"),
        ({"start": date(2024, 1, 1)}, "without time zone"),
        ({"start": datetime(2024, 1, 1, tzinfo=UTC)}, "without time zone"),
    ],
)
def test_what_can_mean_nothing_is_a_settings_error(asked, told, tmp_path):
    with pytest.raises(es.SettingsError, match=told):
        es.read_recording(write(tmp_path, base()), **asked)


@pytest.mark.parametrize("path", ["", None, 5, b"x.edf"])
def test_path_that_is_none_is_a_settings_error(path):
    with pytest.raises(es.SettingsError, match="path"):
        es.read_recording(path)


@pytest.mark.parametrize("label", ["C4-M1", "c4m1", "C4:M1"])
def test_unit_finds_its_channel_as_eeg_does(label, tmp_path):
    path = write(tmp_path, edited(unit=b"ADC"))
    recording = es.read_recording(path, eeg=["C4-M1"], units={label: "uV"})
    np.testing.assert_allclose(recording.raw.get_data()[0] * 1e6, base_channels()[0].numbers, atol=1e-6)
    assert inspect_recording(path, units={label: "uV"}).readable


def test_inspect_refuses_the_units_that_reading_refuses(tmp_path):
    path = write(tmp_path, base())
    for units in ({"O1": "uV"}, {"C4-M1": "furlong"}, "uV"):
        with pytest.raises(es.SettingsError):
            inspect_recording(path, units=units)


def test_unit_of_a_derivation_is_that_of_both_its_channels(tmp_path):
    c4, m1 = (replace(c, label=label, unit=b"ADC") for c, label in zip(base_channels(), (b"C4", b"M1"), strict=True))
    path = write(tmp_path, build([c4, m1]))
    recording = es.read_recording(path, eeg=["C4-M1"], units={"C4-M1": "uV"})
    np.testing.assert_allclose(recording.raw.get_data()[0] * 1e6, c4.numbers - m1.numbers, atol=1e-6)
    one = es.read_recording(path, eeg=["C4-M1"], units={"M1": "nV", "C4-M1": "uV"})
    np.testing.assert_allclose(one.raw.get_data()[0] * 1e6, c4.numbers - m1.numbers / 1000, atol=1e-6)


@pytest.mark.parametrize(("unit", "limits"), [(b"mV", (b"-0.5", b"0.5", *LIMITS_16[2:])), (b"\xb5V", LIMITS_16)])
def test_channels_in_different_known_units_are_subtracted(unit, limits, tmp_path):
    c4, m1 = (replace(c, label=label) for c, label in zip(base_channels(), (b"C4", b"M1"), strict=True))
    content = build([c4, replace(m1, unit=unit, limits=limits)])
    recording = es.read_recording(write(tmp_path, content))
    assert recording.derivations == ["C4-M1"]
    np.testing.assert_allclose(recording.raw.get_data()[0] * 1e6, c4.numbers - m1.numbers, atol=1e-6)


def test_electrode_used_without_its_mastoid_is_said(tmp_path):
    c4, m1 = (replace(c, label=label) for c, label in zip(base_channels(), (b"C4", b"M1"), strict=True))
    path = write(tmp_path, build([c4, replace(m1, unit=b"ADC")]))
    assert any("C4-M1 could not be made" in note for note in es.read_recording(path).notes)
    assert "not-subtracted" in {fault.code for fault in inspect_recording(path).faults}


@pytest.mark.parametrize("unit", [b"(uV)", b"[uV]"])
def test_unit_in_brackets_is_known(unit, tmp_path):
    recording = es.read_recording(write(tmp_path, edited(unit=unit)))
    np.testing.assert_allclose(recording.raw.get_data()[0] * 1e6, base_channels()[0].numbers, atol=1e-6)


def test_left_out_and_broken_eeg_are_named(tmp_path):
    """An EEG that was not chosen, since it cannot be read or is no voltage, is missed."""
    path = write(tmp_path, edited(unit=b"%", signal=1))
    assert "not-a-voltage" in codes(es.read_recording(path))
    assert "not-a-voltage" in {fault.code for fault in inspect_recording(path).faults}
    path = write(tmp_path, edited(pmax=b"nan", signal=1))
    assert any("F3-M2" in note for note in es.read_recording(path, eeg=["C4-M1"]).notes)


# -- header ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"samples": b"256.0"}, {"n_records": b"60.0"}, {"n_signals": b"2.0"}])
def test_whole_number_with_a_point_is_read_and_said(fields, tmp_path):
    recording = es.read_recording(write(tmp_path, edited(**fields)))
    assert recording.duration_s == 60
    assert any("decimal point" in note for note in recording.notes)


def test_negative_number_of_records_is_said_as_such(tmp_path):
    with pytest.raises(es.RecordingError, match="number of records cannot be negative"):
        es.read_recording(write(tmp_path, edited(n_records=b"-2")))


@pytest.mark.parametrize(
    "labels", [(b"EEG [2]", b"EEG", b"EEG"), (b"unnamed [2]", b"", b"C4-M1"), (b"EEG", b"EEG [5]", b"EEG [4]")]
)
def test_no_two_channels_have_one_label(labels, tmp_path):
    found = open_edf(write(tmp_path, build([replace(base_channels()[0], label=label) for label in labels]))).labels
    assert len(set(found)) == 3


def test_what_follows_records_of_two_samples_is_not_taken_for_more_of_them(tmp_path):
    channels = [Channel(label, eeg_counts(i, 2 * 8000)) for i, label in enumerate((b"C4-M1", b"F3-M2"))]
    content = build(channels, 8000, b"0.007812")
    source = open_edf(write(tmp_path, content + bytes(8 * 4000) + np.random.default_rng(0).bytes(8 * 4000)))
    assert source.load(["C4-M1"])[0].size == 2 * 8000


def test_gaps_announced_after_a_space_are_gaps(tmp_path):
    with pytest.raises(es.RecordingError, match="it has gaps, but not where"):
        es.read_recording(write(tmp_path, edited(reserved=b" EDF+D")))


def test_start_beyond_the_calendar_is_not_known(tmp_path):
    onsets = [100 + i for i in range(60)]
    content = plus(onsets, recording=b"Startdate 31-DEC-9999 X X X", time=b"23.59.59")
    recording = es.read_recording(write(tmp_path, content))
    assert recording.start is None
    assert any("outside the calendar" in note for note in recording.notes)


@pytest.mark.parametrize("year", [1970, 2085])
def test_unusual_year_is_kept_and_said(year, tmp_path):
    recording = es.read_recording(write(tmp_path, edited(recording=b"Startdate 14-JUN-%d X X X" % year)))
    assert recording.start.year == year
    assert any("unusual year" in note for note in recording.notes)


# -- clocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [b"EDF+C", b"EDF+D"])
@pytest.mark.parametrize("ppm", [-200, -20, -5, 5, 20, 200])
def test_drift_of_a_crystal_is_neither_gap_nor_overlap(ppm, kind, tmp_path):
    n = 6 * 3600
    recording = es.read_recording(write(tmp_path, stamped([i * (1 + ppm * 1e-6) for i in range(n)], kind, 100)))
    assert recording.duration_s == n
    assert np.isfinite(recording.raw.get_data()).all()
    assert codes(recording) == {"clock-drift"}
    assert any(f"{abs(ppm)} ppm" in note for note in recording.notes)


@pytest.mark.parametrize("kind", [b"EDF+C", b"EDF+D"])
@pytest.mark.parametrize(("ppm", "gap_s", "found_s"), [(-100, 0.25, 0.05), (100, 0.25, 0.45), (-100, 0.1, 0.1)])
def test_gap_in_a_drifting_recording_stays_a_gap(ppm, gap_s, found_s, kind, tmp_path):
    """After it the position follows the stamp, unless samples lie there already: then the gap is its own step."""
    onsets = [i * (1 + ppm * 1e-6) + gap_s * (i >= 2000) for i in range(4000)]
    recording = es.read_recording(write(tmp_path, stamped(onsets, kind)))
    (gap,) = [a for a in recording.raw.annotations if a["description"] == "BAD_GAP"]
    assert gap["onset"] == pytest.approx(2000)
    assert gap["duration"] == pytest.approx(found_s, abs=0.001)


def test_overlap_in_a_long_recording_is_not_taken_for_drift(tmp_path):
    onsets = [i - 0.5 * (i >= 3000) for i in range(4000)]
    for kind in (b"EDF+C", b"EDF+D"):
        with pytest.raises(es.RecordingError, match="before the one before it ends"):
            es.read_recording(write(tmp_path, stamped(onsets, kind)))


def test_small_gaps_that_pile_up_are_not_drift(tmp_path):
    """Fifteen milliseconds lost each second: no step shows it, their sum does."""
    recording = es.read_recording(write(tmp_path, stamped([1.015 * i for i in range(600)])))
    assert "gap" in codes(recording)
    assert recording.duration_s == pytest.approx(1.015 * 599 + 1, abs=0.1)


@pytest.mark.parametrize(("duration", "rate"), [(b"0.5", 128), (b"2.5", 128), (b"1.00012", 128), (b"0.99988", 128)])
def test_stamps_of_whole_seconds_leave_no_gaps(duration, rate, tmp_path):
    n = 240
    content = stamped(
        [float(int(i * float(duration))) for i in range(n)],
        rate=rate,
        duration=b"%g" % (round(float(duration) * rate) / rate),
        form="+{:.0f}",
    )
    recording = es.read_recording(write(tmp_path, edited(content, duration=duration)))
    assert np.isfinite(recording.raw.get_data()).all()
    assert recording.duration_s == pytest.approx(n * float(duration), rel=1e-3)
    assert "coarse-stamps" in codes(recording)


def test_gap_between_stamps_of_whole_seconds(tmp_path):
    onsets = [i // 2 + 20 * (i >= 60) for i in range(120)]
    recording = es.read_recording(write(tmp_path, stamped(onsets, duration=b"0.5", form="+{}")))
    assert recording.duration_s == 80
    assert np.isnan(recording.raw.get_data()[0, 30 * 128 : 50 * 128]).all()


def test_trembling_stamps_are_read_and_said(tmp_path):
    rng = np.random.default_rng(0)
    onsets = np.maximum(np.arange(600) + rng.normal(0, 0.03, 600), 0)
    onsets[0] = 0
    recording = es.read_recording(write(tmp_path, stamped(onsets)))
    assert recording.duration_s == pytest.approx(600)
    assert np.isfinite(recording.raw.get_data()).all()
    assert "jitter" in codes(recording)
    onsets[300:] += 20
    later = es.read_recording(write(tmp_path, stamped(onsets)))
    assert later.duration_s == pytest.approx(620, abs=0.05)
    assert "gap" in codes(later)


def test_mark_before_the_first_sample_is_kept(tmp_path):
    tals = [b"+%d\x14\x14\0" % i for i in range(60)]
    tals[0] += b"-5\x14lights off\x14\0"
    recording = es.read_recording(write(tmp_path, plus(tals=tals)))
    assert ("lights off", 0.0) in {(a["description"], a["onset"]) for a in recording.raw.annotations}


def test_refusals_say_what_was_found(tmp_path):
    """A refusal says nothing of what was done instead, and names no empty field."""
    for content in (
        plus(tals=[b""] * 60, reserved=b"EDF+D"),
        plus([i + 30 * 86400 * (i > 30) for i in range(60)], reserved=b"EDF+D"),
        plus(tals=[b"" if i == 0 else b"+%d\x14\x14\0" % i for i in range(60)], reserved=b"EDF+D"),
    ):
        with pytest.raises(es.RecordingError) as refused:
            es.read_recording(write(tmp_path, content))
        assert "were taken to follow" not in str(refused.value)
        assert "''" not in str(refused.value)


# -- size ------------------------------------------------------------------------------------------------


def test_gap_at_a_high_rate_is_refused_before_memory_is_asked_for(tmp_path, monkeypatch):
    content = build(
        [Channel(b"C4-M1", eeg_counts(1, 200_000, 100_000)), marks([b"+0\x14\x14", b"+82000\x14\x14"])],
        2,
        reserved=b"EDF+D",
    )
    source = open_edf(write(tmp_path, content))
    monkeypatch.setattr(np, "full", lambda *_: pytest.fail("memory was asked for"))
    with pytest.raises(es.RecordingError, match="more memory than its signal"):
        source.load(["C4-M1"])


def test_too_many_records_are_refused(tmp_path):
    path = write(tmp_path, edited(build([Channel(b"C4-M1", np.zeros(1, int))], 1, b"0.01"), n_records=b"20000000"))
    with path.open("r+b") as file:
        file.truncate(512 + 2 * 20_000_000)
    with pytest.raises(es.RecordingError, match="10,000,000 records"):
        es.read_recording(path)


def test_records_are_scanned_many_at_once(tmp_path, monkeypatch):
    """Plain stamps are never looked at one by one, whatever the number of records and annotation signals."""
    blank = Channel(b"EDF Annotations", np.zeros(6000, int), b"", MARK_LIMITS)
    signals = [Channel(b"C4-M1", eeg_counts(1, 6000)), marks([b"+%d\x14\x14" % i for i in range(6000)])]
    path = write(tmp_path, build([*signals, *[blank] * 200], 6000, reserved=b"EDF+C"))
    monkeypatch.setattr(annotations, "_read_first_stamp", lambda _: pytest.fail("looked at one by one"))
    monkeypatch.setattr(
        "eegsleep.recording.edf.annotations._Texts.take", lambda *_: pytest.fail("looked at one by one")
    )
    assert open_edf(path).duration_s == 6000


def test_parsing_stops_where_there_are_too_many_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(annotations, "_MAX_LISTS", 100)
    tals = [b"+%d\x14\x14\0" % i + b"+1\x14\0" * 10 for i in range(60)]
    recording = es.read_recording(write(tmp_path, plus(tals=tals)))
    assert recording.duration_s == 60
    assert "no-time-keeping" not in codes(recording)
    assert "annotations-many" in codes(recording)


@pytest.mark.parametrize("stamp", ["+{}.", "+{}.000", "+000{}", "+{}\x151"])
def test_every_legal_stamp_is_understood(stamp, tmp_path):
    tals = [stamp.format(i + 20 * (i >= 30)).encode() + b"\x14\x14\0" for i in range(60)]
    assert es.read_recording(write(tmp_path, plus(tals=tals, reserved=b"EDF+D"))).duration_s == 80


# -- gzip ------------------------------------------------------------------------------------------------


def test_gzip_bomb_is_refused(tmp_path):
    wide = [Channel(b"C4-M1", np.zeros(256, int)), Channel(b"big", np.zeros(90_000, int))]
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(edited(build(wide, 1), n_records=b"28800"))
    packed += b"".join(packer.compress(bytes(1 << 24)) for _ in range(20)) + packer.flush()
    with pytest.raises(es.RecordingError, match="Unpack it yourself"):
        es.read_recording(write(tmp_path, packed, "night.edf.gz"))


@pytest.mark.parametrize("n_signals", [b"2\0\0\0", b"+2", b"   2"])
def test_number_of_signals_is_read_alike_packed_and_unpacked(n_signals, tmp_path):
    content = edited(n_signals=n_signals)
    packed = es.read_recording(write(tmp_path, gzip.compress(content), "night.edf.gz"))
    plain = es.read_recording(write(tmp_path, content))
    np.testing.assert_array_equal(packed.raw.get_data(), plain.raw.get_data())


def test_what_follows_a_whole_gzip_file_is_said(tmp_path):
    recording = es.read_recording(write(tmp_path, gzip.compress(base()) + b"garbage" * 10, "night.edf.gz"))
    assert recording.duration_s == 60
    assert any("gzip file goes on after its end" in note for note in recording.notes)
    damaged = bytearray(gzip.compress(base()))
    damaged[-6] ^= 1
    with pytest.raises(es.RecordingError, match="broken"):
        es.read_recording(write(tmp_path, bytes(damaged) + b"garbage" * 10, "night.edf.gz"))


def test_gzipped_text_is_to_be_unpacked(tmp_path):
    with pytest.raises(es.RecordingError, match="unpack it"):
        es.read_recording(write(tmp_path, gzip.compress(b"timestamps,TP9\n1,2\n" * 900), "night.csv.gz"))


# -- doubts that are none --------------------------------------------------------------------------------


def microvolts(seed, rate=256, sd=20, seconds=600):
    limits = (b"-2000", b"2000", b"-32768", b"32767")
    return eeg_counts(seed, rate * seconds, rate, sd, limits) * 4000 / 65535


def fitted(signals, limits=None):
    """Return channels whose range is that of each signal, or the one given."""
    out = []
    for label, signal in zip((b"C4-M1", b"F3-M2"), signals, strict=False):
        low, high = (signal.min(), signal.max()) if limits is None else limits
        text = (b"%.4f" % low)[:8], (b"%.4f" % high)[:8], b"-32768", b"32767"
        out.append(Channel(label, as_counts(signal, text), limits=text))
    return out


def test_range_fitted_by_a_writer_is_no_doubt(tmp_path):
    one, two = microvolts(1), microvolts(2, sd=35)
    one[5000:5100] -= 300
    two[90_000:90_050] += 600
    both = (min(one.min(), two.min()), max(one.max(), two.max()))
    for channels in (fitted([one, two]), fitted([one, two], both)):
        assert codes(es.read_recording(write(tmp_path, build(channels, 600)))) == set()


def test_range_of_one_sign_is_said_once(tmp_path):
    limits = (b"0", b"3300", b"0", b"4095")
    channels = [
        Channel(label, as_counts(microvolts(i) + 1650, limits), limits=limits)
        for i, label in enumerate((b"C4-M1", b"F3-M2"))
    ]
    recording = es.read_recording(write(tmp_path, build(channels, 600)))
    assert codes(recording) == {"offset"}
    assert len(recording.faults) == 2


def test_lopsided_range_of_a_signal_that_does_not_fill_it_is_a_doubt(tmp_path):
    assert "lopsided-range" in codes(es.read_recording(write(tmp_path, edited(pmin=b"-400"))))


def test_scales_are_compared_in_volts(tmp_path):
    one, two = base_channels()
    millivolts = replace(two, unit=b"mV", limits=(b"-0.5", b"0.5", *LIMITS_16[2:]))
    assert codes(es.read_recording(write(tmp_path, build([one, millivolts])))) == set()


@pytest.mark.parametrize(("rate", "hum_uv", "mains_hz"), [(256, 100, 50), (250, 60, 50), (200, 60, 50), (256, 60, 60)])
def test_mains_hum_is_neither_a_joint_nor_noise(rate, hum_uv, mains_hz, tmp_path):
    """Hum in phase with the records makes their borders lie on its slope; at 200 Hz its neighbours are unlike."""
    for phase in (0, 0.4, np.pi / 2):
        hum = hum_uv * np.sin(2 * np.pi * mains_hz * np.arange(rate * 600) / rate + phase)
        content = build([Channel(b"C4-M1", as_counts(microvolts(1, rate, 15) + hum))], 600)
        assert codes(es.read_recording(write(tmp_path, content))) == set()


@pytest.mark.parametrize("step_uv", [4, 5.7])
def test_coarse_steps_are_not_a_dead_electrode(step_uv, tmp_path):
    limits = (b"%g" % (-2048 * step_uv), b"%g" % (2047 * step_uv), b"-2048", b"2047")
    channel = Channel(b"C4-M1", as_counts(microvolts(1, 512, 15), limits), limits=limits)
    recording = es.read_recording(write(tmp_path, build([channel], 600)))
    assert codes(recording) == {"coarse-step"}
    assert any(f"{step_uv:g} µV" in note for note in recording.notes)


def test_electrode_that_stands_still_is_said(tmp_path):
    signal = microvolts(1)
    signal[: signal.size * 6 // 10] = 0
    assert "held" in codes(es.read_recording(write(tmp_path, build([Channel(b"C4-M1", as_counts(signal))], 600))))


def test_offset_that_the_file_told_is_not_told_twice(tmp_path, monkeypatch):
    path = write(tmp_path, build([Channel(b"C4-M1", as_counts(microvolts(1) + 300))], 600))
    source = open_edf(path)
    (derivation,) = assemble.choose_derivations(source.channels, assemble.find_device("generic"))
    told = replace(source, faults=(Fault("dc-offset", "repaired", "off", channel="C4-M1"),))
    assert [fault.code for fault in assemble.read_derivations(source, [derivation])[1]] == ["offset"]
    assert assemble.read_derivations(told, [derivation])[1] == []


# -- rates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [81, 90, 95, 96, 99, 128, 200, 250, 256, 500, 512])
def test_gap_has_no_holes_at_any_rate(rate_hz):
    signal = np.random.default_rng(0).normal(size=60 * rate_hz)
    signal[20 * rate_hz : 40 * rate_hz] = np.nan
    missing = np.isnan(at_rate(signal, rate_hz, 100, 6000))
    assert missing[2000:4000].all()
    assert missing.sum() <= 2002


def test_dead_electrode_leaves_no_holes_at_a_higher_rate(tmp_path):
    """C4-M1 at 256 Hz beside F3-M2 at 1024 Hz: where C4 stands still, the difference is missing throughout."""
    c4 = base_channels()[0].counts.copy()
    c4[3000:9000] = 100
    fast = Channel(b"F3-M2", eeg_counts(5, 60 * 1024, 1024))
    content = build([fast, Channel(b"C4", c4), Channel(b"M1", eeg_counts(8, 60 * 256))])
    recording = es.read_recording(write(tmp_path, content), eeg=["F3-M2", "C4-M1"])
    assert np.isnan(recording.raw.get_data(["C4-M1"])[0, 3004 * 4 : 8996 * 4]).all()
    assert carry_over(np.array([False, True, False]), 1, 4, 12).tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_large_recordings_are_taken_over_in_groups(tmp_path, monkeypatch):
    """Read one derivation at a time, the numbers are those of one pass."""
    path = write(tmp_path, build([*base_channels(), Channel(b"E1-M2", eeg_counts(5, 60 * 256))]))
    whole = es.read_recording(path).raw.get_data()
    monkeypatch.setattr(derive, "_GROUP_BYTES", 1)
    np.testing.assert_array_equal(es.read_recording(path).raw.get_data(), whole)


@pytest.mark.parametrize("kind", [b"EDF+C", b"EDF+D"])
@pytest.mark.parametrize(("gap_s", "doubted"), [(300, False), (3600, True)])
def test_a_gap_longer_than_all_that_was_recorded_needs_the_user(kind, gap_s, doubted, tmp_path):
    onsets = [i + gap_s * (i >= 200) for i in range(400)]
    recording = es.read_recording(write(tmp_path, stamped(onsets, kind)))
    severities = {fault.code: fault.severity for fault in recording.faults}
    assert (severities.get("gap-implausible") == "needs the user") == doubted
    assert ("gap" in severities) != doubted
