"""What headbands' programs write as text comes back at its time, in its unit, or is refused."""

from datetime import datetime

import numpy as np
import pytest

from eegsleep.errors import RecordingError
from eegsleep.recording.text.open import open_text, sniff_text

RATE = 256
T0 = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
MUSE = "timestamps,TP9,AF7,AF8,TP10,Right AUX"
OPENBCI = (
    "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI$BoardCytonSerial\n"
)


def signal(k, rate=RATE):
    """Return a 10 Hz sine on a slow ramp: the ramp tells which sample a value is."""
    return np.round(30 * np.sin(2 * np.pi * 10 * k / rate) + k / 100, 4)


def codes(source):
    return {fault.code for fault in source.faults}


def said(source, code):
    return next(fault.message for fault in source.faults if fault.code == code)


@pytest.fixture
def opened(tmp_path):
    """Return a function that writes text and opens it as what it looks like."""

    def write(text, name="night.csv"):
        path = tmp_path / name
        raw = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(raw)
        return open_text(path, sniff_text(raw[:4096]))

    return write


def muse_rows(truth, stamps=None):
    stamps = T0 + truth / RATE if stamps is None else stamps
    return [f"{t:.3f},{v},{v + 1:.4f},{-v},{v},0.0" for t, v in zip(stamps, signal(truth), strict=True)]


def muse(truth, **more):
    return "\n".join([MUSE, *muse_rows(truth, **more)]) + "\n"


def mind_monitor(truth, *, start="2020-02-27T23:59:50", burst=12, shift_s=None, extra=(), worn=None):
    """Write Mind Monitor rows: packets share a stamp within milliseconds, bands come before the raw columns."""
    names = "TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,AUX_RIGHT,Accelerometer_X,HeadBandOn,HSI_TP9,HSI_AF7,Battery,Elements"
    arrival = (truth // burst + 1) * burst / RATE + (0 if shift_s is None else shift_s)
    stamps = np.datetime64(start, "ms") + np.round(arrival * 1000).astype("timedelta64[ms]")
    worn = np.ones(len(truth), dtype=int) if worn is None else worn
    rows = [
        f"{str(t).replace('T', ' ')},0.5,{800 + v:.4f},{800 - v:.4f},{v},0.01,{on},1,4,80,"
        for t, v, on in zip(stamps, signal(truth), worn, strict=True)
    ]
    for at, row in extra:
        rows.insert(at, f"{str(stamps[at]).replace('T', ' ')}" + row)
    return "\n".join([names, *rows]) + "\n"


def openbci(truth, *, rate=250, formatted=True, burst=1, modulo=256):
    names = "Sample Index, EXG Channel 0, EXG Channel 1, Accel Channel 0, Other, Other, Timestamp"
    rows = []
    for k, v in zip(truth, signal(truth, rate), strict=True):
        stamp = T0 + (k // burst + 1) * burst / rate
        local = str(np.datetime64(round((stamp + 3600) * 1000), "ms")).replace("T", " ")
        rows.append(f"{k % modulo}.0, {v}, -187500.02235174447, 0.1, 0, 0, {stamp:.6f}" + f", {local}" * formatted)
    return OPENBCI + "\n".join([names + ", Timestamp (Formatted)" * formatted, *rows]) + "\n"


def assert_at_its_time(values, truth, expected):
    """Hold the grid to the truth where it was recorded, and to NaN elsewhere."""
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(values)), truth)
    np.testing.assert_allclose(values[truth], expected, atol=1e-6)


def assert_start(source, expected):
    """Hold the start to the clock of the file, to a millisecond's rounding and one sample."""
    assert source.start.tzinfo is None
    assert abs((source.start - datetime.fromisoformat(expected)).total_seconds()) < 0.005


def test_each_kind_is_known_by_its_first_bytes():
    truth = np.arange(20)
    assert sniff_text(muse(truth).encode()) == "muselsl CSV"
    assert sniff_text(mind_monitor(truth).encode()) == "Mind Monitor CSV"
    assert sniff_text(openbci(truth).encode()) == "OpenBCI text"
    assert sniff_text(b"T3,T4,O1,O2\n0.1,0.1,0.1,0.1\n") == "BrainBit CSV"
    assert sniff_text(b"# timestamp,T3,T4,O1,O2\n") == "BrainBit CSV"
    assert sniff_text(muse(truth).encode("utf-16")[:101]) == "muselsl CSV"


@pytest.mark.parametrize(
    "head", [b"", b"\n", b"a,b\n1,2\n", b"0       X X X", b"Fp1,C3,T3,T4,O1,O2\n", b"\xff\xfe", b"\x00\x01"]
)
def test_what_is_none_of_them_is_none(head):
    assert sniff_text(head) == ""


def test_muselsl_values_stand_at_their_time_and_lost_packets_are_empty(opened):
    truth = np.setdiff1d(np.arange(12_000), np.r_[1_200:1_212, 6_000:6_512])
    source = opened(muse(truth))
    assert source.labels == ["TP9", "AF7", "AF8", "TP10", "Right AUX"]
    assert {channel.unit for channel in source.channels} == {"uV"}
    assert source.duration_s == 12_000 / RATE
    first, second = source.load(["AF7", "AF8"])
    assert_at_its_time(first, truth, signal(truth) + 1)
    assert_at_its_time(second, truth, -signal(truth))
    assert source.gaps == ((1_200 / RATE, 12 / RATE), (6_000 / RATE, 2.0))
    assert "524" in said(source, "packet-loss")
    assert_start(source, "2023-11-14 22:13:20")
    assert "clock-utc" in codes(source)


def test_muselsl_repeated_rows_and_appended_recordings_are_put_right(opened):
    rows = muse_rows(np.arange(3_000))
    later = muse_rows(np.arange(4_000, 6_000))
    source = opened("\n".join([MUSE, *rows[:500], *rows[488:], MUSE, *later]) + "\n")
    assert_at_its_time(source.load(["TP9"])[0], np.r_[0:3_000, 4_000:6_000], signal(np.r_[0:3_000, 4_000:6_000]))
    assert {"duplicates", "appended"} <= codes(source)


def test_muselsl_rows_of_nan_keep_their_place(opened):
    lines = muse(np.arange(2_000)).splitlines()
    lines[101:111] = [line.split(",")[0] + ",nan,,nan,nan," for line in lines[101:111]]
    source = opened("\n".join(lines) + "\n")
    assert_at_its_time(source.load(["TP9"])[0], np.r_[0:100, 110:2_000], signal(np.r_[0:100, 110:2_000]))
    assert "missing-values" in codes(source)


def test_muselsl_stamps_of_no_possible_rate_are_refused(opened):
    truth = np.arange(3_000)
    with pytest.raises(RecordingError, match="BlueMuse"):
        opened(muse(truth, stamps=T0 + truth / 500))


def test_mind_monitor_packets_stand_at_their_time(opened):
    truth = np.setdiff1d(np.arange(12_000), np.r_[2_400:2_412, 4_800:7_200])
    source = opened(mind_monitor(truth))
    assert source.labels == ["RAW_TP9", "RAW_AF7", "AUX_RIGHT"]
    assert_at_its_time(source.load(["RAW_TP9"])[0], truth, 800 + signal(truth))
    assert_start(source, "2020-02-27 23:59:50")
    assert {"dc-offset", "packet-loss", "contact-bad"} <= codes(source)
    assert "clock-utc" not in codes(source)


def test_mind_monitor_event_rows_are_left_out_and_counted(opened):
    truth = np.arange(3_000)
    source = opened(mind_monitor(truth, extra=[(i, ",,,,,,,,,,/muse/elements/blink") for i in (0, 700, 701)]))
    assert_at_its_time(source.load(["AUX_RIGHT"])[0], truth, signal(truth))
    assert said(source, "event-rows").startswith("3 rows")


def test_mind_monitor_without_the_headband_is_a_gap(opened):
    truth = np.arange(6_000)
    source = opened(mind_monitor(truth, worn=((truth < 2_000) | (truth >= 2_560)).astype(int)))
    assert np.isnan(source.load(["RAW_TP9"])[0][2_000:2_560]).all()
    assert source.gaps == ((2_000 / RATE, 560 / RATE),)
    assert "headband-off" in codes(source)


def test_mind_monitor_at_an_interval_is_refused_with_the_setting_to_change(opened):
    with pytest.raises(RecordingError, match="interval to constant"):
        opened(mind_monitor(np.arange(0, 128 * 300, 128), burst=1))


@pytest.mark.parametrize(("start", "hour"), [("2024-10-27T02:59:50", -3600), ("2024-03-31T01:59:50", 3600)])
def test_the_hour_of_daylight_saving_is_undone_and_said(opened, start, hour):
    truth = np.arange(6_000)
    source = opened(mind_monitor(truth, start=start, shift_s=np.where(truth >= 2_550, hour, 0)))
    assert_at_its_time(source.load(["AUX_RIGHT"])[0], truth, signal(truth))
    assert "clock-changed" in codes(source)


def test_an_hour_off_at_any_other_minute_is_a_gap(opened):
    truth = np.arange(6_000)
    with pytest.raises(RecordingError, match=r"1\.0 h"):  # more than half of this short file
        opened(mind_monitor(truth, start="2024-03-31T01:30:00", shift_s=np.where(truth >= 3_000, 3600, 0)))


def test_openbci_values_stand_at_their_time_and_rails_stay(opened):
    truth = np.setdiff1d(np.arange(8_000), np.r_[1_000:1_003, 3_000:3_700, 5_000:5_256])
    source = opened(openbci(truth))
    values, rail = source.load(["EXG Channel 0", "EXG Channel 1"])
    assert_at_its_time(values, truth, signal(truth, 250))
    assert (rail[truth] == -187500.02235174447).all()
    assert_start(source, "2023-11-14 23:13:20")
    assert "Cyton" in source.identity


def test_openbci_bursts_are_no_gaps_and_the_index_finds_single_losses(opened):
    truth = np.setdiff1d(np.arange(8_000), [1_234, 4_321, 4_323])
    source = opened(openbci(truth, burst=40, formatted=False))
    assert_at_its_time(source.load(["EXG Channel 0"])[0], truth, signal(truth, 250))
    assert "clock-utc" in codes(source)


@pytest.mark.parametrize("unix", [True, False])
def test_openbci_files_without_names_are_read(opened, unix):
    truth = np.setdiff1d(np.arange(5_000), np.r_[600:610])
    rows = []
    for k, v in zip(truth, signal(truth, 250), strict=True):
        ms = round(T0 * 1000 + k * 4)
        clock = str(np.datetime64(ms + 6 * 3_600_000, "ms"))[11:]  # passes midnight
        rows.append(f"{k % 256}, {v}, 1.0, 0.0, 0.0, 0.0, {clock}" + f", {ms}" * unix)
    source = opened(OPENBCI + "\n".join(rows) + "\n")
    assert_at_its_time(source.load(["EXG Channel 0"])[0], truth, signal(truth, 250))
    if unix:
        assert_start(source, "2023-11-15 04:13:20")
    else:
        assert source.start is None
    assert ("date-unknown" in codes(source)) is not unix


def test_openbci_without_any_clock_assumes_its_rate_and_says_so(opened):
    rows = [f"{k % 256}, {v}, 1.0" for k, v in enumerate(signal(np.arange(2_000), 250))]
    source = opened(OPENBCI + "\n".join(rows) + "\n")
    assert (source.start, source.duration_s) == (None, 8.0)
    assert "rate-assumed" in codes(source)


def test_openbci_with_local_time_only_and_a_broken_name_says_so(opened):
    truth = np.arange(3_000)
    source = opened(openbci(truth).replace(", Timestamp,", ", Other,").replace("EXG Channel 1", "EXG Chanel 1"))
    assert_at_its_time(source.load(["EXG Channel 0"])[0], truth, signal(truth, 250))
    assert_start(source, "2023-11-14 23:13:20")
    assert codes(source) == {"channels-missing"}


def test_openbci_card_files_of_another_number_of_channels_are_refused_with_the_converter(opened):
    with pytest.raises(RecordingError, match="converter"):
        opened("00,00FE1A,FF01B2,0A0B0C,000001,000002\n01,00FE1A,FF01B2,0A0B0C,000001,000002\n")


def test_the_real_openbci_file(real_data):
    path = real_data / "openbci" / "openbci-gui.txt"
    source = open_text(path, sniff_text(path.read_bytes()[:4096]))
    assert len(source.channels) == 8
    assert {channel.rate_hz for channel in source.channels} == {250.0}
    assert source.duration_s == pytest.approx(11.36, abs=0.02)
    assert_start(source, "2024-01-24 16:28:35.317")
    first, rail = source.load(["EXG Channel 0", "EXG Channel 6"])
    assert first[1] == 149529.41531293574
    assert rail[1] == -187500.02235174447
    assert source.gaps == ()


@pytest.mark.parametrize("timed", [True, False])
def test_brainbit_is_in_volts_with_and_without_times(opened, timed):
    truth = np.arange(3_000)
    rows = [
        f"{T0 + k / 250:.3f}," * timed + f"{v * 1e-6:.10f},0.05,0.06,0.07"
        for k, v in zip(truth, signal(truth), strict=True)
    ]
    source = opened("\n".join(["time," * timed + "T3,T4,O1,O2", *rows]) + "\n")
    assert {channel.unit for channel in source.channels} == {"V"}
    assert_at_its_time(source.load(["T3"])[0] * 1e6, truth, signal(truth))
    assert ("rate-assumed" in codes(source)) is not timed
    assert (source.start is None) is not timed


def test_brainbit_numbers_that_cannot_be_volts_have_no_unit(opened):
    source = opened("T3,T4,O1,O2\n" + "12.5,3.0,4.0,5.0\n-3.5,3.0,4.0,6.0\n" * 500)
    assert {channel.unit for channel in source.channels} == {""}
    assert {fault.severity for fault in source.faults if fault.code == "unit-unknown"} == {"needs the user"}


def test_a_last_row_without_its_end_is_left_out_and_said(opened):
    source = opened(muse(np.arange(1_000))[:-9])
    assert source.duration_s == 999 / RATE
    assert "last-line-cut" in codes(source)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", "\n\n"),
    ],
    ids=["CRLF", "BOM", "semicolons", "tabs", "blank lines"],
)
def test_other_line_ends_marks_and_delimiters_change_nothing(opened, change):
    truth = np.arange(2_000)
    source = opened(change(muse(truth)))
    assert_at_its_time(source.load(["TP9"])[0], truth, signal(truth))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: text.replace(",1.", ",x."), "x."),
        (lambda text: text.replace("\n1700000001", ",9\n1700000001", 1), "7 cells"),
        (lambda text: text.replace(",0.0\n1700000001", "\n1700000001", 1), "5 cells"),
        (lambda text: text.replace(",", ";").replace(".", ","), "decimal comma"),
        (lambda text: MUSE + text[len(MUSE) :].replace(".", ","), "decimal comma"),
        (lambda text: text.replace("0.0\n1700000002", "\0\n1700000002", 1), "NUL"),
        (lambda text: text.encode("utf-16"), "UTF-16"),
        (lambda text: text[: len(MUSE) + 1], "no rows"),
        (lambda text: text[: len(MUSE)], "no rows"),
    ],
    ids=[
        "letters",
        "long row",
        "short row",
        "decimal comma",
        "comma for both",
        "NUL",
        "UTF-16",
        "no rows",
        "no end",
    ],
)
def test_what_cannot_be_read_surely_is_refused(opened, change, word):
    with pytest.raises(RecordingError, match=word):
        opened(change(muse(np.arange(2_000))))


def test_openbci_decimal_commas_are_refused(opened):
    rows = [f"{k % 256}, {v:.2f}, 1.50, 0.25".replace(".", ",") for k, v in enumerate(signal(np.arange(2_000)))]
    with pytest.raises(RecordingError, match="decimal comma"):
        opened(OPENBCI + "\n".join(rows) + "\n")


def test_hostile_and_repeated_names_become_harmless_and_unique(opened):
    names = MUSE.replace("Right AUX", "AUX <b>\u202ered</b>").replace("TP10", "AF7")
    source = opened(muse(np.arange(1_000)).replace(MUSE, names))
    assert source.labels == ["TP9", "AF7 [2]", "AF8", "AF7 [4]", "AUX ‹b› red‹/b›"]
    np.testing.assert_allclose(source.load(["AF7 [4]"])[0], signal(np.arange(1_000)))


def test_a_file_that_is_not_there_an_unknown_kind_and_channel_are_our_errors(opened, tmp_path):
    with pytest.raises(RecordingError, match=r"none\.csv"):
        open_text(tmp_path / "none.csv", "muselsl CSV")
    with pytest.raises(RecordingError, match="no such kind"):
        open_text(tmp_path / "none.csv", "EDF")
    with pytest.raises(RecordingError, match="no such channel"):
        opened(muse(np.arange(1_000))).load(["Cz"])


@pytest.mark.parametrize("seed", range(10))
def test_whatever_packets_are_lost_no_sample_moves_by_more_than_one(opened, seed):
    rng = np.random.default_rng(seed)
    kept = np.repeat(rng.random(1_000) > rng.uniform(0, 0.4), 12)
    kept[:12] = kept[-12:] = True
    truth = np.flatnonzero(kept)
    source = opened(muse(truth))
    values = source.load(["TP9"])[0]
    places = np.flatnonzero(np.isfinite(values))
    assert np.abs(places - truth).max() <= 1
    np.testing.assert_allclose(values[places], signal(truth), atol=1e-6)


def zoned(text, zone, at=0):
    """Put a zone behind the stamps of Mind Monitor's rows from one row on."""
    lines = text.splitlines()
    lines[1 + at :] = [line.replace(",", f"{zone},", 1) for line in lines[1 + at :]]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("zone", ["+02:00", "+0200", "-07:00", "+05:30"])
def test_a_zone_behind_local_time_leaves_it_local(opened, zone):
    truth = np.arange(3_000)
    source = opened(zoned(mind_monitor(truth, start="2024-06-14T21:20:00"), zone))
    assert_start(source, "2024-06-14 21:20:00")
    assert zone in said(source, "clock-zone")
    assert "clock-utc" not in codes(source)


def test_the_letter_of_utc_is_no_local_time(opened):
    source = opened(zoned(mind_monitor(np.arange(3_000)), "Z"))
    assert "clock-utc" in codes(source)


def test_zones_that_change_with_daylight_saving_keep_every_sample_at_its_time(opened):
    truth = np.arange(6_000)
    shift = np.where(truth >= 2_600, -3600, 0)
    text = zoned(mind_monitor(truth, start="2024-10-27T02:29:50", shift_s=shift), "+02:00")
    lines = text.splitlines()
    lines[2_601:] = [line.replace("+02:00", "+01:00") for line in lines[2_601:]]
    source = opened("\n".join(lines) + "\n")
    assert_at_its_time(source.load(["AUX_RIGHT"])[0], truth, signal(truth))
    assert_start(source, "2024-10-27 02:29:50")
    assert "+01:00" in said(source, "clock-zone")


def test_zones_in_some_rows_only_are_refused_in_plain_words(opened):
    with pytest.raises(RecordingError, match="some time stamps name a zone and others do not"):
        opened(zoned(mind_monitor(np.arange(3_000)), "+02:00", at=1_000))


@pytest.mark.parametrize("wrong", [None, 100, 2_600, 2_700])
def test_mind_monitor_with_times_of_day_only_has_no_date_and_passes_midnight(opened, wrong):
    truth = np.setdiff1d(np.arange(12_000), np.r_[4_800:5_400])
    lines = [
        line[11:] if line[:4].isdigit() else line
        for line in mind_monitor(truth, start="2020-02-27T23:59:50").split("\n")
    ]
    if wrong:  # before and after midnight; not itself a sign that another day began
        lines[1 + wrong] = "12:00:00.000" + lines[1 + wrong][12:]
    source = opened("\n".join(lines))
    assert source.start is None
    assert "date-unknown" in codes(source)
    assert_at_its_time(source.load(["AUX_RIGHT"])[0], truth, signal(truth))


@pytest.mark.parametrize("zero", [0.0, 1e6, -9e10, 4.2e9, 3e8])
def test_stamps_that_are_no_date_give_no_start(opened, zero):
    truth = np.arange(3_000)
    source = opened(muse(truth, stamps=zero + truth / RATE))
    assert source.start is None
    assert "date-unknown" in codes(source)
    assert "clock-utc" not in codes(source)
    assert_at_its_time(source.load(["TP9"])[0], truth, signal(truth))


def test_openbci_channels_are_counted_by_the_width_of_its_rows_first(opened):
    row = ", ".join(["1", *["2.0"] * 8, "12:00:00.000"]) + "\n"
    for number in ("3000000", "30000000", "0", "-3", "10", "1.2.3", "."):
        head = OPENBCI.replace("channels = 2", f"channels = {number}")
        with pytest.raises(RecordingError, match="10 columns"):
            opened(head + row * 1_000)
    with pytest.raises(RecordingError, match="10 columns"):
        opened(OPENBCI.replace("%Number of channels = 2\n", "") + row * 1_000)


def test_a_row_of_thousands_of_cells_is_refused_unread(opened):
    with pytest.raises(RecordingError, match="too many columns"):
        opened(OPENBCI + ("1," * 20_000 + "1\n") * 20)


@pytest.mark.parametrize("value", [0.0, T0 + 365 * 86400, T0 + 2_999 / RATE + 3600, T0 - 3600, -9e10])
@pytest.mark.parametrize("at", [0, 1, 1_500, 2_998, 2_999])
def test_one_wrong_stamp_costs_no_night(opened, value, at):
    truth = np.arange(3_000)
    stamps = T0 + truth / RATE
    stamps[at] = value
    source = opened(muse(truth, stamps=stamps))
    values = source.load(["TP9"])[0]
    edge = at in {0, 2_999}
    there = np.delete(truth, at) if edge else truth
    np.testing.assert_allclose(values[np.isfinite(values)], signal(there), atol=1e-6)
    assert values.size == 3_000 - edge
    assert_start(source, "2023-11-14 22:13:20" if at else "2023-11-14 22:13:20.004")
    assert said(source, "stamps-wrong").startswith("1 time stamp")


@pytest.mark.parametrize("hour", [-3600, 3600])
def test_one_packet_an_hour_off_is_no_daylight_saving(opened, hour):
    truth = np.arange(6_000)
    shift = np.where((truth >= 2_400) & (truth < 2_412), hour, 0)
    source = opened(mind_monitor(truth, start="2024-10-27T02:59:50", shift_s=shift))
    assert_at_its_time(source.load(["AUX_RIGHT"])[0], truth, signal(truth))
    assert codes(source) & {"stamps-wrong", "clock-changed", "packet-loss"} == {"stamps-wrong"}


def test_wrong_stamps_that_hide_a_right_one_are_a_contradiction(opened):
    truth = np.arange(3_000)
    stamps = T0 + truth / RATE
    stamps[[1_000, 1_002]] = 0
    with pytest.raises(RecordingError, match="72 h"):
        opened(muse(truth, stamps=stamps))


def test_many_wrong_stamps_are_a_contradiction_and_refused(opened):
    truth = np.arange(3_000)
    stamps = T0 + truth / RATE
    stamps[10::100] = 0
    with pytest.raises(RecordingError, match="72 h"):
        opened(muse(truth, stamps=stamps))


def test_a_packet_written_again_later_is_a_repetition_and_no_wrong_stamp(opened):
    rows = muse_rows(np.arange(3_000))
    source = opened("\n".join([MUSE, *rows[:2_000], *rows[500:512], *rows[2_000:]]) + "\n")
    assert_at_its_time(source.load(["TP9"])[0], np.arange(3_000), signal(np.arange(3_000)))
    assert codes(source) & {"duplicates", "stamps-wrong"} == {"duplicates"}


def test_no_copy_of_a_name_keeps_it_plain(opened):
    source = opened(muse(np.arange(1_000)).replace("AF8", "AF7"))
    assert source.labels == ["TP9", "AF7 [2]", "AF7 [3]", "TP10", "Right AUX"]
    source = opened(mind_monitor(np.arange(3_000)).replace("RAW_AF7", "RAW_TP9"))
    assert source.labels == ["RAW_TP9 [1]", "RAW_TP9 [2]", "AUX_RIGHT"]
    faults = [fault for fault in source.faults if fault.code == "contact-bad"]
    assert {fault.channel for fault in faults} <= set(source.labels)


def test_columns_left_out_or_renamed_are_named(opened):
    source = opened(muse(np.arange(1_000)).replace("Right AUX", ""))
    assert said(source, "columns-skipped").endswith(": unnamed")
    source = opened(mind_monitor(np.arange(3_000)).replace("RAW_AF7", "EEG_AF7"))
    assert said(source, "channels-missing").endswith("RAW_AF7, RAW_AF8, RAW_TP10")
    whole = mind_monitor(np.arange(3_000)).replace("Delta_TP9", "RAW_AF8").replace("Accelerometer_X", "RAW_TP10")
    assert "channels-missing" not in codes(opened(whole))


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_known_with_and_without_its_mark_and_refused_with_the_remedy(opened, codec):
    with pytest.raises(RecordingError, match=r"Found: UTF-16\. Save it again as CSV in UTF-8"):
        opened(muse(np.arange(1_000)).encode(codec))


def test_a_clock_that_changes_its_manner_is_refused_in_plain_words(opened):
    text = mind_monitor(np.arange(3_000)).replace("2020-02-27 23:59:55.0", "yesterday 23:59:55.0", 1)
    with pytest.raises(RecordingError, match="not all written in the same way"):
        opened(text)


@pytest.mark.parametrize("cell", ["12:00:01.5d", "1 days", "25:00:00", "12:61:00"])
def test_a_time_of_day_that_is_none_is_refused_and_not_read_as_another(opened, cell):
    rows = [f"{k % 256}, {v}, 1.0, 0.0, 12:00:{k / 250:06.3f}" for k, v in enumerate(signal(np.arange(2_000), 250))]
    rows[700] = rows[700].rpartition(",")[0] + f", {cell}"
    with pytest.raises(RecordingError, match="is no time of day"):
        opened(OPENBCI + "\n".join(rows) + "\n")


def test_mind_monitor_without_a_cell_of_the_rows_is_refused(opened):
    head, *rows = mind_monitor(np.arange(2_000)).splitlines()
    without = [",".join(cell for i, cell in enumerate(row.split(",")) if i != 2) for row in rows]
    with pytest.raises(RecordingError, match="below their names"):
        opened("\n".join([head, *without]) + "\n")
