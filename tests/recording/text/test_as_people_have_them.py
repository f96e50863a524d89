"""Texts of headbands as programs write them on other days: short rows, bursts, no names, hexadecimal, spoiled times."""

from datetime import datetime

import numpy as np
import pytest

from eegsleep.errors import RecordingError
from eegsleep.recording.inspect import inspect_recording
from eegsleep.recording.text.open import open_text, sniff_text
from eegsleep.recording.text.regular_grid import place_on_grid
from eegsleep.recording.text.sd_card import MICROVOLTS_PER_COUNT

T0 = 1_700_000_000.0
MONITOR = "TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,Accelerometer_X,HeadBandOn,HSI_TP9,HSI_AF7,Battery,Elements"


@pytest.fixture
def opened(tmp_path):
    """Return a function that writes a text and opens it as what it looks like."""

    def write(text, name="night.csv"):
        path = tmp_path / name
        raw = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(raw)
        return open_text(path, sniff_text(raw[:4096]))

    return write


def codes(source):
    return {fault.code for fault in source.faults}


def wave(n, k=0, rate=250):
    i = np.arange(n)
    return np.round(30 * np.sin(2 * np.pi * (k + 1) * i / rate) + i / 100, 2)


def monitor(n, *, tail="", spread_ms=0.35, clock="{}", packet=12, events=True):
    """Write Mind Monitor rows; `tail` ends each row of samples, an event row has a cell for every column."""
    rng = np.random.default_rng(0)
    rows = [MONITOR]
    for first in range(0, n, packet):
        arrival = (first + packet) / 256 + 0.004 * rng.random()
        for i in range(first, first + packet):
            late_ms = round(1000 * arrival + spread_ms * (i - first))
            at = np.datetime64("2024-03-05T23:10:00", "ms") + np.timedelta64(late_ms, "ms")
            stamp = clock.format(str(at).replace("T", " "))
            rows.append(f"{stamp},0.5,{800 + i / 100:.2f},{800 - i / 100:.2f},0.01,1,1,1,80" + tail)
        if events and first % 3_000 < packet:
            rows.append(f"{stamp},,,,,,,,,/muse/elements/blink")
    return "\n".join(rows) + "\n"


# ---- Mind Monitor --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["", ","])
@pytest.mark.parametrize("spread_ms", [0, 0.35, 1, 2, 3.5, 5])
def test_mind_monitor_rows_may_end_at_the_battery(opened, tail, spread_ms):
    """The app writes no cell for Elements; whatever the stamps within a packet, the rate is that of the span."""
    n = 256 * 90 // 12 * 12
    source = opened(monitor(n, tail=tail, spread_ms=spread_ms))
    (values,) = source.load(["RAW_TP9"])
    assert (source.kind, source.duration_s) == ("Mind Monitor CSV", n / 256)
    np.testing.assert_allclose(values, 800 + np.arange(n) / 100, atol=0.006)
    assert abs((source.start - datetime(2024, 3, 5, 23, 10)).total_seconds()) < 0.06  # noqa: DTZ001
    assert "event-rows" in codes(source)


def test_a_file_without_events_has_short_rows_alone(opened):
    source = opened(monitor(6_000, events=False))
    assert source.duration_s == 6_000 / 256
    assert "event-rows" not in codes(source)


def test_a_row_that_ends_before_what_is_asked_for_is_refused(opened):
    text = monitor(6_000)
    cut = text.replace(",1,1,1,80\n", ",1,1\n", 1)
    with pytest.raises(RecordingError, match="same length"):
        opened(cut)


@pytest.mark.parametrize("clock", ["10:00.0", "3/5/2024 23:10", "05.03.2024 23:10", "2024-03-05 23:10"])
def test_times_that_a_spreadsheet_rewrote_are_refused_as_that(opened, clock):
    with pytest.raises(RecordingError, match="spreadsheet"):
        opened(monitor(1_200, tail=",", clock=clock))


def test_a_word_among_the_numbers_is_shown_without_the_text_of_a_library(opened):
    with pytest.raises(RecordingError, match="no number") as caught:
        opened(monitor(1_200).replace(",800.50,", ",eight,", 1))
    said = str(caught.value)
    assert "'eight' in column RAW_TP9" in said
    assert "convert" not in said


def test_a_damaged_date_is_shown_without_the_text_of_a_library(opened):
    text = monitor(1_200)
    broken = text.replace("2024-03-05 23:10:02.", "2024-03-05 25:10:02.", 1)
    with pytest.raises(RecordingError, match="'2024-03-05 25:10:02") as caught:
        opened(broken)
    assert "ISO" not in str(caught.value)


def test_the_name_of_a_file_is_printed_as_it_is(tmp_path):
    path = tmp_path / "mm night.csv"
    path.write_text(monitor(1_200, tail=",", clock="10:00.0"))
    inspection = inspect_recording(path)
    assert "mm night.csv" in inspection.faults[0].as_note()


# ---- bursts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [125, 200, 250])
@pytest.mark.parametrize("size", [12, 60, 120])
@pytest.mark.parametrize("spread_ms", [0, 0.05, 1, 2, 4])
@pytest.mark.parametrize("counted", [True, False])
def test_samples_that_arrive_together_stand_at_their_time(rate, size, spread_ms, counted):
    """A serial port hands on half a second at a time; stamps within it are no steps of samples."""
    n = rate * 120
    i = np.arange(n)
    first = i // size * size
    rng = np.random.default_rng(4)
    arrival = (first + size) / rate + 0.003 * rng.random(n)[first]
    spread_ms = min(spread_ms, 900 / rate)  # the next packet comes after this one
    stamps = np.sort(np.round(arrival + (i - first) * spread_ms / 1000, 4))
    grid = place_on_grid(stamps, rate, counter=(i % 256).astype(float) if counted else None)
    assert grid.rate_hz == pytest.approx(rate, rel=2e-4)
    assert abs(grid.positions - i).max() <= (0 if counted else 2)


def test_a_loss_between_bursts_is_found_by_the_counter():
    i = np.setdiff1d(np.arange(30_000), np.r_[7_777:7_790, 15_000:15_800])
    stamps = (i // 120 + 1) * 120 / 250 + (i % 120) * 5e-5
    grid = place_on_grid(stamps, 250, counter=(i % 256).astype(float))
    assert abs(grid.positions - i).max() <= 1


def test_bursts_of_another_rate_stay_refused():
    i = np.arange(20_000)
    with pytest.raises(RecordingError, match="do not belong"):
        place_on_grid((i // 120 + 1) * 120 / 330 + (i % 120) * 5e-5, 250, counter=(i % 256).astype(float))


# ---- OpenBCI -------------------------------------------------------------------------------------------------------


def old_openbci(n_channels, *, clock=True, rate=250, first="%OpenBCI Raw EEG Data", count="%", seconds=20):
    lines = [first, count, f"%Sample Rate = {rate:.1f} Hz", "%First Column = SampleIndex"]
    waves = [wave(rate * seconds, k, rate) for k in range(n_channels)]
    for i, row in enumerate(np.transpose(waves)):
        at = str(np.datetime64("2016-05-01T23:59:50", "ms") + np.timedelta64(round(1000 * i / rate), "ms"))[11:]
        lines.append(f"{i % 256}, " + ", ".join(f"{v:.2f}" for v in row) + ", 0.0, 0.0, 0.0" + f", {at}" * clock)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("n_channels", "rate"), [(4, 200), (8, 250), (16, 125)])
@pytest.mark.parametrize("clock", [True, False])
def test_openbci_before_october_2018_is_counted_by_its_columns(opened, n_channels, rate, clock):
    """Ganglion, Cyton, and Cyton with Daisy, by description."""
    source = opened(old_openbci(n_channels, clock=clock, rate=rate))
    assert len(source.channels) == n_channels
    assert source.duration_s == 20
    np.testing.assert_allclose(source.load([f"EXG Channel {n_channels - 1}"])[0], wave(20 * rate, n_channels - 1, rate))
    assert "channels-counted" in codes(source)


def test_the_line_that_a_refused_file_lacks_can_be_added(opened):
    text = old_openbci(6)
    with pytest.raises(RecordingError, match="%Number of channels = 8"):
        opened(text)
    source = opened(text.replace("\n%\n", "\n%Number of channels = 6\n", 1))
    assert len(source.channels) == 6


@pytest.mark.parametrize("marks", [True, False])
def test_converted_card_files_are_read(opened, marks):
    """Acceleration is in every tenth row only, and a row of milliseconds stands at start and stop."""
    text = old_openbci(8, clock=False, first="%OBCI SD Convert - 2018-03-05_08-10-00")
    lines = text.splitlines()
    if marks:
        rows = [row.removesuffix(", 0.0, 0.0, 0.0") if i % 10 else row for i, row in enumerate(lines[4:])]
        lines = [*lines[:4], "1234567", *rows, "1254567"]
    source = opened("\n".join(lines) + "\n")
    assert len(source.channels) == 8
    assert source.duration_s == 20
    np.testing.assert_allclose(source.load(["EXG Channel 7"])[0], wave(5_000, 7))
    assert "rate-assumed" in codes(source)


def card(counts, *, marks=True, aux=10, rate=250, ending="\n", tail=b""):
    """Write the card's hexadecimal rows of counts of shape (n_samples, n_channels)."""
    rows = [f"{i % 256:02X}," + ",".join(f"{int(c) & 0xFFFFFF:06X}" for c in row) for i, row in enumerate(counts)]
    rows = [row + ",01F0,FF0A,0010" if aux and i % aux == 0 else row for i, row in enumerate(rows)]
    if marks:
        stop = 5_000 + round(1000 * len(counts) / rate)
        rows = ["%START AT", f"{5_000:08X}", *rows, "%STOP AT", f"{stop:08X}", "%Total time mS:", f"{stop:08X}"]
    return (ending.join(rows) + ending).encode() + tail


@pytest.mark.parametrize("n_channels", [8, 16])
@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_raw_card_files_are_read_in_microvolts(opened, n_channels, marks, ending):
    rng = np.random.default_rng(0)
    counts = rng.integers(-(1 << 23), 1 << 23, (4_000, n_channels))
    source = opened(card(counts, marks=marks, ending=ending, tail=b"\0" * 400), "OBCI_0A.TXT")
    assert (source.kind, source.duration_s) == ("OpenBCI SD card", 16.0)
    assert len(source.channels) == n_channels
    for k in (0, n_channels - 1):
        (values,) = source.load([f"EXG Channel {k}"])
        np.testing.assert_allclose(values, counts[:, k] * MICROVOLTS_PER_COUNT)
    assert pytest.approx(0.02235, abs=1e-5) == MICROVOLTS_PER_COUNT
    assert {"rate-assumed", "gain-assumed"} <= codes(source)


def test_the_clock_of_a_card_gives_its_rate_or_refuses_the_file(opened):
    counts = np.zeros((12_000, 8), dtype=int)
    assert opened(card(counts, rate=500)).channels[0].rate_hz == 500
    with pytest.raises(RecordingError, match="do not fit the time"):
        opened(card(counts, rate=330))


@pytest.mark.parametrize("damage", [b"0G", b",,", b"\nxx\n", b"\0"])
def test_a_damaged_row_of_a_card_is_refused_with_its_number(opened, damage):
    content = bytearray(card(np.ones((4_000, 8), dtype=int)))
    content[40_000 : 40_000 + len(damage)] = damage
    with pytest.raises(RecordingError, match=r"row|NUL"):
        opened(bytes(content))


@pytest.mark.parametrize("named", [True, False])
def test_brainflows_stream_file_is_named_with_the_one_to_give(tmp_path, named):
    path = tmp_path / "BrainFlow-RAW_2024-03-05_0.csv"
    rows = ["\t".join(map(str, [i % 256, *[1.5] * 8, *[0.0] * 13, T0 + i / 250, 0.0])) for i in range(100)]
    path.write_text("\n".join(rows) + "\n")
    if named:
        (tmp_path / "OpenBCI-RAW-2024-03-05_23-10-00.txt").write_text("%OpenBCI Raw EXG Data\n")
    kind = sniff_text(path.read_bytes()[:4096])
    assert kind == "BrainFlow CSV"
    with pytest.raises(RecordingError, match="BrainFlow's stream file.*OpenBCI-RAW-" + "2024" * named):
        open_text(path, kind)
