"""A few bytes of a text changed at random, 1,000 times for each reader: the truth, a word about it, or a refusal.

A digit may be changed into another that is just as good. Nothing in the file contradicts it, so no reader can know: a
change of a single row's numbers is legal. What must not happen is that other rows change or move in silence, that an
error of another type comes out, or that a file takes long.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections import Counter
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import pytest

from eegsleep.errors import RecordingError, TableError
from eegsleep.hypnograms.read import align_scoring, read_hypnogram
from eegsleep.recording.text.open import open_text, sniff_text

# A hundred of each with every run of the tests; 1,000 of each with the nightly ones.
NUMBERS = [100, pytest.param(1_000, marks=pytest.mark.large)]
MAX_S = 5.0
N_ROWS = 320
T0 = 1_700_000_000.0
START = datetime(2024, 1, 1, 23, 0)  # noqa: DTZ001 - naive local time
BYTES = b"0123456789.,;:-+eE\t \"'#%xNA/\n\r\0\xb5\xff"


@pytest.fixture(autouse=True)
def _quiet_log(caplog):
    """Keep thousands of warnings out of a failure's report."""
    caplog.set_level(logging.CRITICAL, logger="eegsleep")


def mutate(content: bytes, rng: random.Random, *, first: int = 0) -> bytes:
    """Return a content with a few bytes changed, cut, added or moved, from the byte `first` on."""
    kind = rng.choice(("change", "change", "delete", "insert", "double line", "drop line", "cut", "swap lines"))
    at = rng.randrange(first, len(content))
    if kind == "change":
        return content[:at] + bytes([rng.choice(BYTES)]) + content[at + 1 :]
    if kind == "delete":
        return content[:at] + content[at + rng.randint(1, 3) :]
    if kind == "insert":
        return content[:at] + bytes(rng.choices(BYTES, k=rng.randint(1, 3))) + content[at:]
    if kind == "cut":
        return content[:at]
    lines = content.split(b"\n")
    i = rng.randrange(1, len(lines) - 1)
    if kind == "double line":
        lines.insert(i, lines[i])
    elif kind == "drop line":
        del lines[i]
    else:
        lines[i - 1], lines[i] = lines[i], lines[i - 1]
    return b"\n".join(lines)


# ---- texts of headbands --------------------------------------------------------------------------------------------


def wave(k, channel=0):
    return np.round(30 * np.sin(2 * np.pi * 10 * k / 250 + channel) + k / 50, 2)


def muselsl(k):
    return f"{T0 + k / 256:.3f},{wave(k)},{wave(k, 1)},{wave(k, 2)},{wave(k, 3)},0.0"


def monitor(k):
    at = START + timedelta(milliseconds=round(1000 * k / 256))
    return f"{at.isoformat(' ', 'milliseconds')},0.5,{800 + wave(k)},{800 + wave(k, 1)},0.01,1,1,1,80"


def openbci(k):
    at = START + timedelta(seconds=k / 250)
    return f"{k % 256}.0, {wave(k)}, {wave(k, 1)}, 0.1, {T0 + k / 250:.6f}, {at.isoformat(' ', 'milliseconds')}"


def old_openbci(k, clock=True):
    at = START + timedelta(seconds=k / 250)
    cells = [k % 256, *(wave(k, c) for c in range(8)), "0.0", "0.0", "0.0"]
    return ", ".join(map(str, [*cells, *([f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"] if clock else [])]))


def card(k):
    counts = [round(1000 * wave(k, c)) & 0xFFFFFF for c in range(8)]
    return f"{k % 256:02X}," + ",".join(f"{count:06X}" for count in counts)


GUI = "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI$BoardCytonSerial\n"
TEXTS = {
    "muselsl": ("timestamps,TP9,AF7,AF8,TP10,Right AUX\n", muselsl),
    "Mind Monitor": (
        "TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,Accelerometer_X,HeadBandOn,HSI_TP9,HSI_AF7,Battery,Elements\n",
        monitor,
    ),
    "OpenBCI": (
        GUI + "Sample Index, EXG Channel 0, EXG Channel 1, Accel Channel 0, Timestamp, Timestamp (Formatted)\n",
        openbci,
    ),
    "OpenBCI 2016": ("%OpenBCI Raw EEG Data\n%\n%Sample Rate = 250.0 Hz\n", old_openbci),
    "OpenBCI converted": (
        "%OBCI SD Convert - 2018-03-05\n%\n%Sample Rate = 250.0 Hz\n",
        lambda k: old_openbci(k, clock=False),
    ),
    "OpenBCI SD card": ("%START AT\n00001388\n", card),
    "BrainBit": (
        "time,T3,T4,O1,O2\n",
        lambda k: f"{T0 + k / 250:.3f}," + ",".join(f"{wave(k, c) / 1e6:.9f}" for c in range(4)),
    ),
}


def open_all(path):
    source = open_text(path, sniff_text(path.read_bytes()[:4096]))
    return source, np.array(source.load(source.labels))


@cache
def text_of(name: str) -> bytes:
    head, row = TEXTS[name]
    return (head + "".join(f"{row(k)}\n" for k in range(N_ROWS))).encode()


@pytest.mark.nightly
@pytest.mark.parametrize("mutations", NUMBERS)
@pytest.mark.parametrize("name", TEXTS)
def test_a_damaged_text_is_right_or_told_or_refused(tmp_path, name, mutations):
    content, path = text_of(name), tmp_path / "night.csv"
    path.write_bytes(content)
    source, truth = open_all(path)
    known = Counter((f.code, f.message) for f in source.faults)
    rng, ends, slow = random.Random(name), Counter(), 0.0  # noqa: S311 - no secret
    for number in range(mutations):
        changed = mutate(content, rng)
        path.write_bytes(changed)
        began = time.perf_counter()
        try:
            kind = sniff_text(changed[:4096])
            if not kind:
                ends["another file"] += 1
                continue
            found = open_text(path, kind)
            values = np.array(found.load(found.labels))
        except RecordingError:
            ends["refused"] += 1
            continue
        finally:
            slow = max(slow, time.perf_counter() - began)
        said = Counter((f.code, f.message) for f in found.faults) != known
        same_shape = values.shape == truth.shape
        if said or ((found.labels, found.start) != (source.labels, source.start) and same_shape):
            ends["told"] += 1
            continue
        # a row less at the end, or in a file without times, is a file that is just as good
        n = min(values.shape[1], truth.shape[1])
        moved = 0 if same_shape else abs(values.shape[1] - truth.shape[1])
        timeless = np.isnan(values).sum() == 0 and moved == 1 and any(f.code == "rate-assumed" for f in found.faults)
        cut = values.shape[1] < truth.shape[1] and content.startswith(changed)
        rows = (
            np.flatnonzero(~np.isclose(values[:, :n], truth[:, :n], equal_nan=True).all(axis=0)) if same_shape else []
        )
        assert timeless or cut or (moved <= 1 and len(rows) <= 2), (number, found.labels, moved, rows[:9], found.faults)
        ends["right" if not len(rows) else "a legal number"] += 1
    assert slow < MAX_S
    assert ends["refused"] > mutations / 40
    assert sum(ends.values()) == mutations


# ---- hypnograms ----------------------------------------------------------------------------------------------------

STAGES = [stage for stage in ("W", "N1", "N2", "N3", "N2", "R", "N1", "W", "N2", "N3") for _ in range(4)]
AT = [START + timedelta(seconds=30 * i) for i in range(len(STAGES))]


def lines(head, row):
    return head + "".join(row(i, s) + "\n" for i, s in enumerate(STAGES))


WORD = {"W": "Wake", "N1": "Stage 1 sleep", "N2": "Stage 2 sleep", "N3": "Stage 3 sleep", "R": "REM sleep"}
CODE = {"W": "S0", "N1": "S1", "N2": "S2", "N3": "S3", "R": "REM"}
RK = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 5}
HYPNOGRAMS = {
    "onset, duration, stage": lines("onset,duration,stage\n", lambda i, s: f"{30 * i},30,{s}"),
    "onset in minutes": lines("onset_min;stage\n", lambda i, s: f"{0.5 * i};{s}"),
    "epochs": lines("epoch\tstage\n", lambda i, s: f"{i + 1}\t{s}"),
    "clock": lines("time,stage\n", lambda i, s: f"{AT[i]:%H:%M:%S},{s}"),
    "BIDS": lines("onset\tduration\tbegsample\tstaging\n", lambda i, s: f"{30 * i}\t30\t{7680 * i}\t{RK[s]}"),
    "STAGES": lines("Start Time,Duration (seconds),Event\n", lambda i, s: f"{AT[i]:%H:%M:%S},0, {WORD[s]}"),
    "EDFbrowser": lines("Onset,Duration,Annotation\n", lambda i, s: f"+{30 * i}.0000000,30,Sleep stage {s}"),
    "one a line": lines("", lambda _, s: f"Sleep stage {s}"),
    "stage and mark": lines("", lambda i, s: f"{RK[s]}\t{int(i % 7 == 0)}"),
    "U-Sleep": lines("EPOCH=30.0sec\nSTART=0.0sec\n", lambda _, s: s),
    "Luna": lines(
        "class\tinstance\tchannel\tstart\tstop\tmeta\n", lambda i, s: f"{s}\t.\t.\t{30 * i}\t{30 * i + 30}\t."
    ),
    "RemLogic": lines(
        "RemLogic Event Export\nSleep Stage\tTime [hh:mm:ss]\tEvent\tDuration[s]\n",
        lambda i, s: f"{s}\t{AT[i]:%H:%M:%S}\tSLEEP-{CODE[s]}\t30",
    ),
    "DOMINO": lines(
        "Signal ID: SchlafProfil\\profil\nStart Time: 01.01.2024 23:00:00\nRate: 30 s\n\n",
        lambda i, s: f"{AT[i]:%H:%M:%S},000; {s}",
    ),
    "NSRR XML": "<PSGAnnotation><ScoredEvents>\n"
    + lines(
        "",
        lambda i, s: (
            "<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>"
            f"{WORD[s]}|{RK[s]}</EventConcept><Start>{30 * i}</Start><Duration>30</Duration></ScoredEvent>"
        ),
    )
    + "</ScoredEvents></PSGAnnotation>\n",
    "Profusion XML": "<CMPStudyConfig><EpochLength>30</EpochLength><SleepStages>\n"
    + lines("", lambda _, s: f"<SleepStage>{RK[s]}</SleepStage>")
    + "</SleepStages></CMPStudyConfig>\n",
    "YASA JSON": json.dumps(
        {"values": [{"W": "WAKE", "R": "REM"}.get(s, s) for s in STAGES], "freq": "30s", "start": None}, indent=0
    ),
}
# Lists without times, in which a line more or less is a list that is just as good.
UNTIMED = {"one a line", "stage and mark", "U-Sleep", "epochs", "Profusion XML", "YASA JSON"}


def lay(scoring):
    """Return the stage of each epoch, without the checks and tables of `align_scoring`, which take most of the time."""
    shift_s = 0.0 if scoring.relative or scoring.start is None else (scoring.start - START).total_seconds() % 86400
    laid = ["UNS"] * len(STAGES)
    for stage, onset_s, length_s in zip(scoring.stages, scoring.onsets_s + shift_s, scoring.durations_s, strict=True):
        for epoch in range(max(0, round(onset_s / 30)), min(len(STAGES), round((onset_s + length_s) / 30))):
            laid[epoch] = stage
    return laid


@pytest.mark.nightly
@pytest.mark.parametrize("mutations", NUMBERS)
@pytest.mark.parametrize("name", HYPNOGRAMS)
def test_a_damaged_hypnogram_is_right_or_told_or_refused(tmp_path, name, mutations):
    content, path = HYPNOGRAMS[name].encode(), tmp_path / "x_events.tsv"
    if name == "BIDS":
        levels = {"0": "Wake", "1": "N1", "2": "N2", "3": "N3", "5": "REM"}
        (tmp_path / "x_events.json").write_text(json.dumps({"staging": {"Levels": levels}}))
    coding = "rk" if name == "stage and mark" else None
    path.write_bytes(content)
    scoring = read_hypnogram(path, coding=coding)
    stages, notes = align_scoring(scoring, START, len(STAGES))
    assert stages["stage"].tolist() == STAGES
    rng, ends, slow = random.Random(name), Counter(), 0.0  # noqa: S311 - no secret
    for number in range(mutations):
        changed = mutate(content, rng)
        path.write_bytes(changed)
        began = time.perf_counter()
        try:
            found = read_hypnogram(path, coding=coding)
            if lay(found) == STAGES:
                ends["right"] += 1
                continue
            table, said = align_scoring(found, START, len(STAGES))
        except TableError:
            ends["refused"] += 1
            continue
        finally:
            slow = max(slow, time.perf_counter() - began)
        if (said, found.start, found.kind, found.lights_off_s) != (notes, scoring.start, scoring.kind, None):
            ends["told"] += 1
            continue
        differing = sum(a != b for a, b in zip(table["stage"], STAGES, strict=True))
        legal = name in UNTIMED and len(found.stages) != len(STAGES)
        # one row changed alters its own epoch, and by its time or length its neighbours
        assert legal or differing <= 3, (number, differing, said, changed[:200])
        ends["right" if not differing else "a legal row"] += 1
    assert slow < MAX_S
    assert ends["refused"] > mutations / 40
