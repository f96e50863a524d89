"""Reading a text takes at most 1.5 times the memory that its file takes on the disk, for every kind of text."""

import gc
import tracemalloc

import numpy as np
import pytest

from eegsleep import read_recording
from eegsleep.recording import derive, plausibility
from eegsleep.recording.text import regular_grid, sd_card, table

N = 84_000
T0 = 1_700_000_000.0


def _muse(cells):
    rows = [f"{T0 + k / 256:.3f},{cells(k)},{cells(k + 1)},{cells(k + 2)},{cells(k + 3)},0.000" for k in range(N)]
    return "\n".join(["timestamps,TP9,AF7,AF8,TP10,Right AUX", *rows, *rows[-500:]]) + "\n"


def _mind_monitor(cells):
    stamps = np.datetime64("2020-02-27T23:59:50", "ms") + np.arange(1, N // 12 + 1) * 47
    rows = [
        f"{str(stamps[k // 12]).replace('T', ' ')},0.5123,{cells(k)},{cells(k + 1)},{cells(k + 2)},{cells(k + 3)},"
        "1,1,1,1,1,80,"
        for k in range(N)
    ]
    names = "TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,RAW_AF8,RAW_TP10,HeadBandOn,HSI_TP9,HSI_AF7,HSI_AF8,HSI_TP10"
    return "\n".join([f"{names},Battery,Elements", *rows]) + "\n"


def _openbci(cells):
    names = "Sample Index, " + ", ".join(f"EXG Channel {i}" for i in range(4)) + ", Accel Channel 0, Other, Timestamp"
    rows = [
        f"{k % 256}.0, {cells(k)}, {cells(k + 1)}, {cells(k + 2)}, {cells(k + 3)}, 0.0, 192.0, {T0 + k / 250:.6f}"
        for k in range(N)
    ]
    head = "%OpenBCI Raw EXG Data\n%Number of channels = 4\n%Sample Rate = 250 Hz"
    return "\n".join([head, names, *rows]) + "\n"


def _brainbit(cells):
    rows = [f"{T0 + k / 250:.3f},{cells(k)}e-6,{cells(k + 1)}e-6,{cells(k + 2)}e-6,{cells(k + 3)}e-6" for k in range(N)]
    return "\n".join(["timestamp,T3,T4,O1,O2", *rows]) + "\n"


def _sd_card(cells):
    counts = [f",{int(2000 * np.sin(k / 4)) & 0xFFFFFF:06X}" * 8 for k in range(1000)]
    return "\n".join(["%START AT", *(f"{k % 256:02X}{counts[k % 1000]}" for k in range(N))]) + "\n"


@pytest.mark.parametrize("write", [_muse, _mind_monitor, _openbci, _brainbit, _sd_card])
def test_reading_takes_no_more_memory_than_one_and_a_half_files(write, tmp_path, monkeypatch):
    # The file is a hundredth of a night's: what is parsed and looked at together is, too.
    monkeypatch.setattr(table, "_BLOCK_BYTES", 1 << 17)
    monkeypatch.setattr(sd_card, "_BLOCK_BYTES", 1 << 17)
    monkeypatch.setattr(regular_grid, "_CHUNK_ROWS", 1 << 12)
    monkeypatch.setattr(plausibility, "_N_WINDOWS", 2)
    monkeypatch.setattr(derive, "_CHUNK_SAMPLES", 1 << 12)
    monkeypatch.setattr(derive, "_GROUP_BYTES", 0)
    decimals = [f"{v:.3f}" for v in 30 * np.sin(np.arange(1000) / 4)]
    path = tmp_path / "night.csv"
    text = write(lambda k: decimals[k % 1000])
    path.write_text("".join(text.splitlines(keepends=True)[:5000]), encoding="ascii")
    read_recording(path)  # so that what is imported at the first recording is not counted
    path.write_text(text, encoding="ascii")
    del text
    gc.collect()
    tracemalloc.start()
    try:
        recording = read_recording(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(recording.derivations) == 2
    assert peak < 1.5 * path.stat().st_size
