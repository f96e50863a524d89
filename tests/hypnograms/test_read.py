"""Hypnograms as experts and programs leave them: read by what they hold, laid on a recording, or refused."""

# ruff: noqa: DTZ001 - a recording's time is naive and local, as its header has it

import json
import re
import time
from collections import Counter
from datetime import datetime

import numpy as np
import pytest
from aligned_hypnogram import read_aligned

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import name_stage
from eegsleep.hypnograms.read import CODINGS, align_scoring, read_hypnogram
from eegsleep.hypnograms.scoring import Scoring
from eegsleep.signals.epochs import STAGES

EVENING = datetime(2016, 3, 8, 22, 0)


@pytest.fixture
def save(tmp_path):
    """Return a function that writes a file under a name that tells nothing."""

    def write(content, encoding="utf-8"):
        path = tmp_path / "file.dat"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def epochs(scoring, start=None, n_epochs=None):
    """Lay a scoring on a recording and return its stages in one line."""
    n_epochs = n_epochs or round(float(scoring.onsets_s[-1] + scoring.durations_s[-1]) / 30)
    return " ".join(align_scoring(scoring, start, n_epochs)[0]["stage"])


def edf(annotations, start=b"08.03.1622.00.00", record_s=b"0"):
    """Build an EDF+ file of annotations alone from onset, duration and text."""
    tals = b"+0\x14\x14\x00" + b"".join(
        b"+%g" % onset + (b"\x15%g" % duration if duration is not None else b"") + b"\x14" + text + b"\x14\x00"
        for onset, duration, text in annotations
    )
    tals += bytes(len(tals) % 2)
    head = b"0".ljust(8) + b"X X X X".ljust(80) + b"Startdate X X X X".ljust(80) + start + b"512".ljust(8)
    head += b"EDF+C".ljust(44) + b"1".ljust(8) + record_s.ljust(8) + b"1".ljust(4)
    fields = (b"EDF Annotations", 16), (b"", 80), (b"", 8), (b"-1", 8), (b"1", 8), (b"-32768", 8), (b"32767", 8)
    head += b"".join(text.ljust(width) for text, width in fields) + b" " * 80
    return head + (b"%d" % (len(tals) // 2)).ljust(8) + b" " * 32 + tals


# ---- real files ----------------------------------------------------------------------------------------------------

SLEEP_EDF = {
    "SC4001EC": ((1989, 4, 24, 16, 13), 2650),
    "SC4002EC": ((1989, 4, 25, 14, 50), 2830),
    "SC4011EH": ((1989, 3, 29, 16, 49), 2802),
    "SC4012EC": ((1989, 3, 30, 17, 0), 2848),
}
TEXTS = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "R", "?": "UNS"}


@pytest.mark.parametrize("name", SLEEP_EDF)
def test_sleep_edf_gives_the_minutes_its_own_bytes_hold(real_data, name):
    path = real_data / "sleep-edf" / f"{name}-Hypnogram.edf"
    found = re.findall(rb"\+(\d+)\x15(\d+)\x14(?:Sleep stage (.)|Movement time)\x14", path.read_bytes())
    expected = Counter()
    for _, duration, stage in found:
        expected[TEXTS[stage.decode() or "?"]] += int(duration) / 60
    scoring = read_hypnogram(path)
    minutes = {s: sum(scoring.durations_s[np.array(scoring.stages) == s]) / 60 for s in set(scoring.stages)}
    assert minutes == expected
    start, n_scored = SLEEP_EDF[name]
    assert scoring.start == datetime(*start)
    assert (scoring.kind, scoring.relative) == ("EDF+", False)
    assert scoring.stages[-1] == "UNS"
    assert scoring.onsets_s[-1] == 30 * n_scored
    assert sum(scoring.durations_s) == 24 * 3600  # a last `?` fills the day


def test_sleep_edf_night_by_hand(real_data):
    """SC4001: 2650 epochs are recorded; asleep first at 30630 s, worked out from the annotations by hand."""
    stages, notes = read_aligned(
        real_data / "sleep-edf" / "SC4001EC-Hypnogram.edf", 2650, datetime(1989, 4, 24, 16, 13)
    )
    assert stages["stage"].value_counts().to_dict() == {"W": 1997, "N2": 250, "N3": 220, "R": 125, "N1": 58}
    assert stages.loc[stages["stage"] != "W", "onset_s"].iloc[0] == 30630
    assert notes == ("115 min of the hypnogram are after the recording and were cut",)


def test_first_minutes_of_a_night_take_their_part_of_its_scoring(real_data):
    path = real_data / "sleep-edf" / "SC4001EC-Hypnogram.edf"
    assert set(read_aligned(path, 10, datetime(1989, 4, 24, 16, 13))[0]["stage"]) == {"W"}
    later = read_aligned(path, 4, datetime(1989, 4, 25, 0, 43, 30))[0]  # 30630 s after 16:13
    assert list(later["stage"]) == ["N1"] * 4


def test_noxturnal_night(real_data):
    scoring = read_hypnogram(real_data / "nox" / "noxturnal-events.csv")
    assert scoring.kind == "Noxturnal CSV"
    assert Counter(scoring.stages) == {"W": 213, "N1": 66, "N2": 466, "N3": 364, "R": 249}
    assert set(scoring.durations_s) == {30.0}
    assert scoring.start == datetime(2016, 1, 15, 22, 30)
    assert scoring.alternative is None  # there is no 15th month
    gap = 1497 - 1358  # 22:30 to 10:58:30, of which 1358 epochs are scored
    stages, notes = read_aligned(real_data / "nox" / "noxturnal-events.csv", 1497, datetime(2016, 1, 15, 22, 30))
    assert (stages["stage"] == "UNS").sum() == gap
    assert any("53 events" in note for note in notes)


def test_segment_is_scored_off_our_grid(real_data):
    """Its epochs start 10.01 s after the first sample: N2 from 100.01 s on fills most of the epoch from 90 s on."""
    stages, notes = read_aligned(real_data / "segment" / "segment_stages.csv", 167)
    assert list(stages["stage"][:5]) == ["R", "W", "N1", "N2", "N2"]
    assert any("10.01 s after those of the recording" in note for note in notes)


# ---- words and integers --------------------------------------------------------------------------------------------

WORDS = {
    "W": ["W", "Wake", "Wach", "Éveil", "Vigilia", "Veglia", "Waak", "Acordado", "Sleep stage W", "SLEEP-S0", "Wake|0"],
    "N1": ["N1", "S1", "NREM1", "Stage 1 sleep|1", "Schlafstadium N1", "Stade N1", "Sleep stage 1", "NREM 1", "n-1"],
    "N2": ["N2", "Sleep stage 2", "Stadium 2", "Fase N2", "Estadio 2", "Slaapstadium N2", "Estágio N2", "non-REM 2"],
    "N3": ["N3", "Sleep stage 4", "Stage 3 sleep|3", "S4", "N4", "SLEEP-S3", "Stadio 4", "Sleep stage N3@@EEG F4-A1"],
    "R": ["R", "REM", "Rem", "REM sleep|5", "Sleep stage R", "Sommeil paradoxal", "MOR", "Sueño REM", "REM-Schlaf"],
    "UNS": [
        "?",
        "UNS",
        "Sleep stage ?",
        "Movement time",
        "MT",
        "Unscored|9",
        "Movement|6",
        "Bewegung",
        "Mouvement",
        "Movimiento",
        "Movimento",
        "Beweging",
        "Unbekannt",
        "Inconnu",
        "Desconocido",
        "Sconosciuto",
        "Onbekend",
        "Desconhecido",
        "SLEEP-UNSCORED",
        "SLEEP-MT",
        "Artefakt",
        "Not scored",
        "n/a",
        "Nicht bewertet",
        "Non scoré",
    ],
}


@pytest.mark.parametrize(("stage", "word"), [(stage, word) for stage, words in WORDS.items() for word in words])
def test_words_of_seven_languages(stage, word):
    assert name_stage(word) == stage


@pytest.mark.parametrize("word", ["Light", "Deep", "NREM", "Sleep", "3", "Stage 5", "Stage 7 sleep", "N5", "A", ""])
def test_words_that_name_no_single_stage_are_none(word):
    assert name_stage(word) is None


def test_unknown_words_are_listed_and_never_unscored(save):
    with pytest.raises(TableError, match="'Deep', 'Drowsy'"):
        read_hypnogram(save("W\nDrowsy\nN2\nDeep\n"))


def test_integers_are_never_guessed(save):
    path = save("0\n1\n2\n3\n4\n5\n")
    with pytest.raises(TableError, match=r"rk, nsrr, ucddb, sleep-profiler, dreams.*--coding NAME"):
        read_hypnogram(path)
    assert read_hypnogram(path, coding="rk").stages == ("W", "N1", "N2", "N3", "N3", "R")
    assert read_hypnogram(path, coding="ucddb").stages == ("W", "R", "N1", "N2", "N3", "N3")
    assert read_hypnogram(path, coding="dreams").stages == ("N3", "N3", "N2", "N1", "R", "W")
    with pytest.raises(TableError, match="does not have"):
        read_hypnogram(path, coding="aasm")
    with pytest.raises(TableError, match="no stage coding 'mine'"):
        read_hypnogram(path, coding="mine")


def test_codings_hold_only_stages_and_call_nothing_but_0_and_5_wake():
    for name, codes in CODINGS.items():
        assert set(codes.values()) <= set(STAGES), name
        assert [code for code, stage in codes.items() if stage == "W"] == [5 if name == "dreams" else 0]


def test_sleep_profiler_is_known_by_its_column(save):
    """Its 4 is light N2, which read as stage 4 would become deep sleep."""
    path = save("Epoch,PrimaryAutoStage,Spindles\n1,0,2\n2,4,0\n3,3,0\n4,5,0\n5,6,0\n6,9,0\n")
    scoring = read_hypnogram(path)
    assert scoring.stages == ("W", "N2", "N3", "R", "UNS", "UNS")
    assert scoring.kind == "Sleep Profiler CSV"


def test_digits_beside_letters_are_stages_of_rechtschaffen_and_kales(save):
    assert read_hypnogram(save("W\n1\n2\n3\n4\nR\nMT\n")).stages == ("W", "N1", "N2", "N3", "N3", "R", "UNS")
    with pytest.raises(TableError, match="integers"):
        read_hypnogram(save("W\n1\n2\n5\nR\n"))
    with pytest.raises(TableError, match="integers"):
        read_hypnogram(save("W\n1\n2\n3\n"))


# ---- text in many shapes -------------------------------------------------------------------------------------------

SHAPES = {
    "onset, duration, stage": "onset,duration,stage\n0,30,W\n30,60,N1\n90,30,N2\n",
    "without names": "0,30,W\n30,60,N1\n90,30,N2\n",
    "on change": "onset_s;stage\n0,0;W\n30,0;N1\n90,0;N2\n",
    "epochs from 1": "epoch\tstage\n1\tW\n2\tN1\n3\tN1\n4\tN2\n",
    "epochs without names": "0,W\n1,N1\n2,N1\n3,N2\n",
    "seconds without names": "0 W\n30 N1\n60 N1\n90 N2\n",
    "times of day": "time,stage\n22:00:00,W\n22:00:30,N1\n22:01:00,N1\n22:01:30,N2\n",
    "times without names": "22:00:00 W\n22:00:30 N1\n22:01:00 N1\n22:01:30 N2\n",
    "American clock": "Time,Stage\n10:00:00 PM,W\n10:00:30 PM,N1\n10:01:00 PM,N1\n10:01:30 PM,N2\n",
    "date and time": "Datum;Zeit;Schlafstadium\n08.03.2016;22:00:00;Wach\n08.03.2016;22:00:30;N1\n"
    "08.03.2016;22:01:00;N1\n08.03.2016;22:01:30;N2\n",
    "ISO": "timestamp,stage\n2016-03-08T22:00:00,W\n2016-03-08T22:00:30.000,N1\n2016-03-08T22:01:00,N1\n"
    "2016-03-08T22:01:30,N2\n",
    "start and end": "start,end,stage\n0,30,W\n30,90,N1\n90,120,N2\n",
    "one a line": "W\nN1\nN1\nN2\n",
    "one a line, in words": "# by hand\n\nSleep stage W\nSleep stage N1\nSleep stage N1\nSleep stage N2\n",
    "EDFbrowser": "Onset,Duration,Annotation\n+0.0000000,30,Sleep stage W\n+12.5000000,,lamp moved\n"
    "+30.0000000,60,Sleep stage N1\n+90.0000000,30,Sleep stage N2\n",
    "HMC": "Date, Time, Recording onset, Duration, Annotation, Linked channel\n"
    "2001-01-01, 22:00:00, 0, 30, Sleep stage W, EEG F4-A1\n2001-01-01, 22:00:30, 30, 60, Sleep stage N1,\n"
    "2001-01-01, 22:01:30, 90, 30, Sleep stage N2,\n",
    "BIDS": "onset\tduration\ttrial_type\n0\t30\tWake\n10\t3\tarousal\n30\t60\tN1\n90\t30\tN2\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "crlf"])
@pytest.mark.parametrize("shape", SHAPES)
def test_common_shapes_of_text(save, shape, encoding):
    text = SHAPES[shape].replace("\n", "\r\n") if encoding == "crlf" else SHAPES[shape]
    path = save(text, "utf-8" if encoding == "crlf" else encoding)
    assert list(read_aligned(path, 4, EVENING)[0]["stage"]) == ["W", "N1", "N1", "N2"]


def test_repeated_rows_are_epochs_and_a_hole_stays_unscored(save):
    """With a row an epoch a missing row is a gap; in a list of changes the stage goes on."""
    rows = [f"22:{i // 2:02d}:{30 * (i % 2):02d},N2\n" for i in range(20) if not 8 <= i < 12]
    assert epochs(read_hypnogram(save("clock,stage\n" + "".join(rows)))) == " ".join(
        ["N2"] * 8 + ["UNS"] * 4 + ["N2"] * 8
    )
    changes = save("onset_s,stage\n0,W\n90,N1\n300,N2\n330,R\n1200,W\n")
    stages, notes = read_aligned(changes, 41)
    assert Counter(stages["stage"]) == {"W": 4, "N1": 7, "N2": 1, "R": 29}
    assert any("end of its last stage" in note for note in notes)


def test_a_night_passes_midnight(save):
    scoring = read_hypnogram(save("time;stage\n23:59:00;W\n23:59:30;N1\n00:00:00;N1\n00:00:30;N2\n"))
    assert list(scoring.onsets_s) == [0, 30, 60, 90]
    assert not scoring.dated
    assert epochs(scoring, datetime(2024, 5, 1, 23, 58), 6) == "UNS UNS W N1 N1 N2"
    assert epochs(scoring, datetime(2024, 5, 2, 0, 0), 2) == "N1 N2"


def test_twelve_hours_without_am_and_pm_are_refused(save):
    """11:59:30 is followed by 12:00:00, and 12:59:30 by 1:00:00."""
    rows = [f"{(i // 120 + 10) % 12 + 1}:{i // 2 % 60:02d}:{30 * (i % 2):02d},N2\n" for i in range(400)]
    with pytest.raises(TableError, match="go back"):
        read_hypnogram(save("time,stage\n" + "".join(rows)))


def test_dates_that_stand_still_at_midnight_are_refused(save):
    with pytest.raises(TableError, match="midnight"):
        read_hypnogram(save("date,time,stage\n08.03.2016,23:59:30,W\n08.03.2016,00:00:00,N1\n"))


@pytest.mark.parametrize("text", ["W\nN1\n\nN2\n", "stage,by\nW,me\n,me\nN2,me\n", "# me\n\nW\n\nN2"])
def test_an_empty_row_among_epochs_without_times_is_refused(save, text):
    """Left out, it would move every later stage by an epoch."""
    with pytest.raises(TableError, match="empty rows"):
        read_hypnogram(save(text))


# ---- programs ------------------------------------------------------------------------------------------------------

NSRR = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<PSGAnnotation><SoftwareVersion>Compumedics</SoftwareVersion><EpochLength>30</EpochLength><ScoredEvents>
<ScoredEvent><EventType/><EventConcept>Recording Start Time</EventConcept><ClockTime>01.01.85 20.29.59</ClockTime>
</ScoredEvent>
<ScoredEvent><EventType>Respiratory|Respiratory</EventType><EventConcept>Hypopnea|Hypopnea</EventConcept>
<Start>5.1</Start><Duration>12.0</Duration></ScoredEvent>
{}</ScoredEvents></PSGAnnotation>"""
PROFUSION = """<?xml version="1.0"?><CMPStudyConfig><EpochLength>30</EpochLength><ScoredEvents/>
<SleepStages>{}</SleepStages></CMPStudyConfig>"""
REMLOGIC = """RemLogic Event Export
Patient:\tn1
Recording Date:\t01/02/2007
Events Included:
SLEEP-S0
SLEEP-S2

Sleep Stage\tPosition\tTime [hh:mm:ss]\tEvent\tDuration[s]\tLocation
W\tUnknown Position\t23:59:00\tSLEEP-S0\t30\tROC-LOC
S1\tUnknown Position\t23:59:30\tSLEEP-S1\t30\tROC-LOC
S2\t00:00:00\tSLEEP-S2\t30\tROC-LOC
S2\tUnknown Position\t00:00:04\tMCAP-A1\t7\tROC-LOC
S4\tUnknown Position\t00:00:30\tSLEEP-S4\t30\tROC-LOC
R\tUnknown Position\t00:01:00\tSLEEP-REM\t30\tROC-LOC
MT\tUnknown Position\t00:01:30\tSLEEP-MT\t30\tROC-LOC
"""
DOMINO = """Signal ID: SchlafProfil\\profil
Start Time: {}
Unit:
Signal Type: Discret
Events list: N4,N3,N2,N1,REM,Wake,Movement
Rate: 30 s

00:14:00,000; A
00:14:30,000; Wake
00:15:00,000; N4
00:15:30,000; Rem
"""


def test_nsrr_xml_says_what_its_integers_mean(save):
    stages = ["Wake|0", "Stage 1 sleep|1", "Stage 4 sleep|4", "REM sleep|5", "Unscored|9", "Movement|6"]
    rows = "".join(
        f"<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>{stage}</EventConcept>"
        f"<Start>{60.0 * i}</Start><Duration>60.0</Duration></ScoredEvent>"
        for i, stage in enumerate(stages)
    )
    scoring = read_hypnogram(save(NSRR.format(rows)))
    assert (scoring.kind, scoring.relative) == ("NSRR XML", True)
    assert scoring.stages == ("W", "N1", "N3", "R", "UNS", "UNS")
    assert epochs(scoring, EVENING).startswith("W W N1 N1 N3 N3")
    assert any("2 entries" in note for note in scoring.notes)


def test_profusion_xml_counts_9_as_unscored(save):
    """YASA's reader makes it wake."""
    text = PROFUSION.format("".join(f"<SleepStage>{i}</SleepStage>" for i in (0, 1, 2, 3, 4, 5, 9)))
    scoring = read_hypnogram(save(text))
    assert scoring.kind == "Profusion XML"
    assert scoring.stages == ("W", "N1", "N2", "N3", "N3", "R", "UNS")
    assert read_hypnogram(save(text, "utf-16")).stages == scoring.stages


def test_remlogic_with_and_without_position(save):
    scoring = read_hypnogram(save(REMLOGIC, "latin-1"))
    assert scoring.kind == "RemLogic text"
    assert scoring.stages == ("W", "N1", "N2", "N3", "R", "UNS")
    assert list(scoring.onsets_s) == [0, 30, 60, 90, 120, 150]
    assert epochs(scoring, datetime(2007, 2, 1, 23, 58, 30), 7) == "UNS W N1 N2 N3 R UNS"
    dotted = re.sub(r"(\d\d):(\d\d):(\d\d)", r"\1.\2.\3", REMLOGIC).replace("[hh.mm.ss]", "[hh:mm:ss]")
    assert read_hypnogram(save(dotted)).stages == scoring.stages


def test_remlogic_stage_nobody_knows_is_refused(save):
    with pytest.raises(TableError, match="SLEEP-S7"):
        read_hypnogram(save(REMLOGIC.replace("SLEEP-S4\t", "SLEEP-S7\t")))


def test_domino_date_is_decided_by_the_recording(save):
    """08/03/2016 is a day in March or in August."""
    scoring = read_hypnogram(save(DOMINO.format("08/03/2016 0:14:00"), "latin-1"))
    assert scoring.stages == ("UNS", "W", "N3", "R")
    assert {scoring.start, scoring.alternative} == {datetime(2016, 3, 8, 0, 14), datetime(2016, 8, 3, 0, 14)}
    for month, day in ((3, 8), (8, 3)):
        assert epochs(scoring, datetime(2016, month, day, 0, 13, 30), 5) == "UNS UNS W N3 R"
    with pytest.raises(TableError, match="two ways"):
        align_scoring(scoring, datetime(2016, 5, 5, 0, 14), 4)


@pytest.mark.parametrize(
    ("written", "start"),
    [
        ("11/18/2021 11:50:00 PM", datetime(2021, 11, 19, 0, 14)),
        ("30.05.2024 0:14:00", datetime(2024, 5, 30, 0, 14)),
        ("", datetime(1900, 1, 1, 0, 14)),
    ],
)
def test_domino_start(save, written, start):
    scoring = read_hypnogram(save(DOMINO.format(written)))
    assert (scoring.start, scoring.dated) == (start, bool(written))


def test_domino_events_are_no_sleep_profile(save):
    text = "Signal ID: FlowD\nStart Time: 08/03/2016 0:14:00\nUnit: s\n\n00:22:48,246-00:23:00,246; 12;Hypopnea\n"
    with pytest.raises(TableError, match="not a sleep profile"):
        read_hypnogram(save(text))


def test_yasa_json_as_yasa_writes_it(tmp_path):
    import yasa

    values = ["WAKE", "N1", "N2", "N3", "REM", "ART", "UNS"]
    yasa.Hypnogram(values, freq="30s", start="2016-03-08 22:00:00", tz="Europe/Paris").to_json(tmp_path / "x")
    scoring = read_hypnogram(tmp_path / "x")
    assert (scoring.kind, scoring.start) == ("YASA JSON", EVENING)
    assert scoring.stages == ("W", "N1", "N2", "N3", "R", "UNS", "UNS")
    yasa.Hypnogram(["LIGHT", "DEEP"], n_stages=4).to_json(tmp_path / "y")
    with pytest.raises(TableError, match="DEEP"):
        read_hypnogram(tmp_path / "y")


@pytest.mark.parametrize("columns", [{"WAKE": [0.5]}, {"WAKE": [0.5, 1.0], "N1": [0.5]}, {}, [0.5, 1.0], {"WAKE": 1}])
def test_yasa_json_with_fewer_probabilities_than_stages_was_damaged(tmp_path, columns):
    whole = {"values": ["WAKE", "N1"], "freq": "30s", "proba": {"WAKE": [0.5, 1.0], "N1": [0.5, 0.0]}}
    (tmp_path / "x").write_text(json.dumps(whole), encoding="utf-8")
    assert read_hypnogram(tmp_path / "x").stages == ("W", "N1")
    (tmp_path / "x").write_text(json.dumps(whole | {"proba": columns}), encoding="utf-8")
    with pytest.raises(TableError, match="as many probabilities as stages"):
        read_hypnogram(tmp_path / "x")


# ---- EDF+ ----------------------------------------------------------------------------------------------------------


def test_hmc_annotations_bound_to_a_channel_and_lights(save):
    rows = [
        (0, None, b"Lights off@@EEG F4-A1"),
        (0, 30, b"Sleep stage W"),
        (30, 30, b"Sleep stage N1@@EEG C4-A1"),
        (60, 30, b"Sleep stage R"),
        (85, 0, b"Lights on@@EEG F4-A1"),
        (70, 3, b"Obstructive apnea"),
    ]
    scoring = read_hypnogram(save(edf(rows)))
    assert scoring.stages == ("W", "N1", "R")
    assert (scoring.lights_off_s, scoring.lights_on_s) == (0, 85)
    assert scoring.start == EVENING


def test_our_own_events_are_read_without_spindles(sample_night, save):
    from eegsleep.events.slow_oscillations import main_slow_oscillations
    from eegsleep.night.folder import encode_events

    path = save(encode_events(sample_night))
    stages, notes = read_aligned(path, len(sample_night.stages), sample_night.start)
    assert list(stages["stage"]) == list(sample_night.stages["stage"])
    n_events = len(sample_night.spindles) + len(main_slow_oscillations(sample_night.slow_oscillations))
    assert any(f"{n_events} events" in note for note in notes)


def test_remarks_beside_marked_stages_are_no_stages(save):
    """A technician's R, or an artefact of two seconds, changes no epoch; movement time is scored."""
    rows = [
        (0, 30, b"Sleep stage N2"),
        (5, 2, b"R"),
        (9, 2, b"Artifact"),
        (30, 30, b"Movement time"),
        (60, 30, b"Sleep stage N2"),
        (70, 9, "geöffnet".encode("latin-1")),
    ]
    stages, notes = read_aligned(save(edf(rows)), 3)
    assert list(stages["stage"]) == ["N2", "UNS", "N2"]
    assert any("3 events" in note for note in notes)
    with pytest.raises(TableError, match="Sleep stage 7"):
        read_hypnogram(save(edf([*rows, (90, 30, b"Sleep stage 7")])))


@pytest.mark.parametrize("label", [b"EDF annotations", b"edf annotations", b"EDF ANNOTATIONS\0"])
def test_the_label_of_the_annotations_is_read_in_any_letter_case(save, label):
    """`inspect` reads such a recording with its annotations; as a hypnogram it was refused."""
    content = edf([(0, 30, b"Sleep stage W"), (30, 30, b"Sleep stage N2")]).replace(b"EDF Annotations", label[:15], 1)
    assert read_hypnogram(save(content)).stages == ("W", "N2")


def test_annotations_that_are_lost_are_told(save):
    """A list without a time holds no stage; a file that ends early holds fewer than it counts."""
    broken = edf([(0, 30, b"Sleep stage W\x14\0thirty\x14Sleep stage N1"), (30, 30, b"Sleep stage N2")])
    scoring = read_hypnogram(save(broken))
    assert scoring.stages == ("W", "N2")
    assert any("1 annotations are malformed" in note for note in scoring.notes)
    whole = edf([(0, 30, b"Sleep stage W"), (30, 30, b"Sleep stage N2")], record_s=b"60")
    counted = whole[:236] + b"2".ljust(8) + whole[244:]
    assert any("cut off" in note for note in read_hypnogram(save(counted)).notes)
    with pytest.raises(TableError, match="no whole record"):
        read_hypnogram(save(whole[:-20]))


def test_stages_without_duration_last_until_the_next(save):
    rows = [(0, None, b"Sleep stage W"), (90, None, b"Sleep stage N2"), (150, None, b"Sleep stage R")]
    assert epochs(read_hypnogram(save(edf(rows))), None, 6) == "W W W N2 N2 R"


def test_anonymised_dates_are_placed_by_the_time_of_day(save):
    scoring = read_hypnogram(save(edf([(0, 30, b"Sleep stage W"), (30, 60, b"Sleep stage N2")], b"01.01.8522.00.00")))
    assert epochs(scoring, datetime(2016, 3, 8, 21, 59, 30), 4) == "UNS W N2 N2"
    nothing = read_hypnogram(save(edf([(0, 60, b"Sleep stage W")], b"01.01.8500.00.00")))
    assert (nothing.start, nothing.relative) == (None, True)


def test_hundred_thousand_annotations_are_the_limit_and_read_in_no_time(save):
    began = time.perf_counter()
    unterminated = b"+1\x14x\x14" * 500_000  # quadratic for a careless pattern
    for rows in ([(0, 1, unterminated)], [(0, 1, b"x")] * 100_001):
        with pytest.raises(TableError, match="too many"):
            read_hypnogram(save(edf(rows)))
    assert time.perf_counter() - began < 10


# ---- laid on a recording -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_every_epoch_takes_the_stage_that_fills_most_of_it(seed):
    """Against a count in tenths of a second, for periods of any length, gaps and starts."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    unit = int(rng.choice([50, 100, 150, 200, 300, 600]))
    durations = unit * rng.integers(1, 6, n)
    gaps = np.where(rng.random(n) < 0.2, rng.integers(0, 900, n), 0)
    onsets = int(rng.integers(-300, 300)) + np.cumsum(gaps + durations) - durations
    stages = tuple(rng.choice(STAGES, n))
    n_epochs = int(max(1, -(-(onsets[-1] + durations[-1]) // 300)))
    line = np.full((n_epochs + 10) * 300, -1)
    for stage, onset, duration in zip(stages, onsets, durations, strict=True):
        line[np.arange(max(0, onset), max(0, onset + duration))] = STAGES.index(stage)
    expected = []
    for epoch in line[: n_epochs * 300].reshape(-1, 300):
        scored = epoch[epoch >= 0]
        if scored.size < 150:
            expected.append("UNS")
            continue
        counts = np.bincount(scored)
        best = np.flatnonzero(counts == counts.max())
        expected.append(STAGES[next(code for code in scored if code in best)])
    scoring = Scoring("CSV", stages, onsets / 10, durations / 10)
    if (line[: n_epochs * 300] >= 0).sum() >= 0.5 * min(n_epochs * 300, durations.sum()):
        assert align_scoring(scoring, None, n_epochs)[0]["stage"].tolist() == expected


@pytest.mark.parametrize(
    ("epoch_s", "expected"),
    [
        (10, "W N1 UNS"),  # W W W | N1 N1 W | N2, and nothing for the last 20 s
        (15, "W N1 N2"),  # the half of the second epoch that comes first is N1
        (20, "W"),
        (60, "W W"),
    ],
)
def test_other_epoch_lengths_are_noted(save, epoch_s, expected):
    text = {10: "W W W N1 N1 W N2", 15: "W W N1 W N2 N2", 20: "W N1", 60: "W"}[epoch_s].replace(" ", "\n")
    scoring = read_hypnogram(save(text), epoch_s=epoch_s)
    n_epochs = len(expected.split())
    stages, notes = align_scoring(scoring, None, n_epochs)
    assert " ".join(stages["stage"]) == expected
    assert any("not scored in epochs of 30 s" in note for note in notes) == (epoch_s != 60)


def test_a_scoring_of_another_night_is_refused(save):
    path = save(edf([(0, 28800, b"Sleep stage N2")]))
    with pytest.raises(TableError, match="not that of this recording"):
        read_aligned(path, 960, datetime(2016, 3, 9, 22, 0))
    with pytest.raises(TableError, match="not that of this recording"):
        read_aligned(path, 960, datetime(2016, 3, 9, 2, 30))
    stages, notes = read_aligned(path, 960, datetime(2016, 3, 9, 1, 30))
    assert Counter(stages["stage"]) == {"N2": 540, "UNS": 420}
    assert len(notes) == 2


def test_a_list_without_times_must_have_the_length_of_the_recording(save):
    path = save("W\n" * 300)
    assert len(read_aligned(path, 305)[0]) == 305
    for n_epochs in (200, 400):
        with pytest.raises(TableError, match="not as long"):
            read_aligned(path, n_epochs)
    assert set(read_aligned(path, 200, epoch_s=20)[0]["stage"]) == {"W"}


def test_two_stages_at_once_are_unscored(save):
    """As in CAP record n12, where 07:00:40 is S2 and S0."""
    stages, notes = read_aligned(save("onset,duration,stage\n0,30,N2\n30,30,N2\n30,30,W\n60,30,N2\n"), 3)
    assert list(stages["stage"]) == ["N2", "UNS", "N2"]
    assert any("two different stages" in note for note in notes)


# ---- refused -------------------------------------------------------------------------------------------------------

BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><CMPStudyConfig>&b;</CMPStudyConfig>'
REFUSED = {
    "nothing": (b"", "empty"),
    "entities": (BOMB.encode(), "entities"),
    "entities in UTF-16": (BOMB.encode("utf-16"), "entities"),
    "XML cut short": (b"<CMPStudyConfig><SleepStages>", "parsed"),
    "other XML": (b"<html></html>", "no known hypnogram"),
    "no epoch length": (PROFUSION.replace("30", "").format("<SleepStage>0</SleepStage>").encode(), "length"),
    "JSON cut short": (b'{"values": [', "parsed"),
    "deep JSON": (b'{"a":' + b"[" * 100_000, "parsed"),
    "other JSON": (b'{"a": 1}', "no known hypnogram"),
    "JSON of numbers": (json.dumps({"values": [0, 1], "freq": "30s", "start": None}).encode(), "no stage names"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "neither text nor EDF"),
    "prose": (b"Dear all,\nthe night went well.\n", "stages|words"),
    "no stage column": (b"onset,duration\n0,30\n", "no names|holds stages|words"),
    "header alone": (b"onset,duration,stage\n", "rows|stages|words"),
    "times in the past": (b"onset,stage\n-1e9,W\n", "one recording"),
    "no number": (b"onset,duration,stage\n0,thirty,W\n", "not a number"),
    "impossible time": (b"time,stage\n25:00:00,W\n25:00:30,W\n", "no time of day"),
    "impossible date": (b"time,stage\n31/31/2016 22:00:00,W\n", "impossible"),
    "dates of two nights": (b"time,stage\n2016-01-01 22:00:00,W\n2016-01-09 22:00:00,W\n", "72 h"),
    "epochs from 7": (b"epoch,stage\n7,W\n8,W\n", "numbered"),
    "EDF without annotations": (
        b"0".ljust(8)
        + b" " * 228
        + b"1".ljust(8)
        + b"1".ljust(8)
        + b"1".ljust(4)
        + b"EEG".ljust(16)
        + b" " * 200
        + b"9".ljust(40)
        + bytes(18),
        "no annotations",
    ),
    "EDF of spaces": (b"0".ljust(600), "number of signals is not a whole number"),
    "spindles alone": (edf([(0, 1, b"Spindle C4-M1")]), "no sleep stage"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_reason(save, case):
    content, reason = REFUSED[case]
    with pytest.raises(TableError, match=reason) as caught:
        read_hypnogram(save(content))
    assert "file.dat" in str(caught.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        read_hypnogram(tmp_path / "nothing.csv")


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_give_stages_or_a_table_error(save, seed):
    """No other exception comes out, whatever bytes are cut, doubled or changed."""
    rng = np.random.default_rng(seed)
    sources = [
        edf([(30 * i, 30, b"Sleep stage 2") for i in range(20)]),
        REMLOGIC.encode(),
        NSRR.format("").encode(),
        DOMINO.format("08/03/2016 0:14:00").encode(),
        *(text.encode() for text in SHAPES.values()),
        b'{"values": ["WAKE", "N1"], "freq": "30s", "start": "2016-03-08T22:00:00"}',
    ]
    for source in sources:
        for _ in range(20):
            content = bytearray(source)
            for _ in range(int(rng.integers(1, 6))):
                at = int(rng.integers(len(content)))
                content[at : at + int(rng.integers(0, 4))] = rng.bytes(int(rng.integers(0, 4)))
            try:
                scoring = read_hypnogram(save(bytes(content)))
                align_scoring(scoring, EVENING, 20)
            except TableError:
                continue
            assert len(scoring.stages) == len(scoring.onsets_s) == len(scoring.durations_s) > 0


def test_a_row_of_very_many_cells_is_refused_before_it_is_understood(tmp_path, monkeypatch):
    """Millions of commas in a header took minutes: each cell was read as the name of a column."""
    from eegsleep.hypnograms import text

    monkeypatch.setattr(text, "find_columns", None)
    (tmp_path / "wide.csv").write_text("epoch,stage" + 20_000 * "," + "\n0,W\n", encoding="utf-8")
    with pytest.raises(TableError, match="too long for a hypnogram"):
        read_hypnogram(tmp_path / "wide.csv")
