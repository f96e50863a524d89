"""Sleep statistics against hypnograms short enough to be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from eegsleep.errors import TableError
from eegsleep.staging.statistics import find_cycles, measure_codes, measure_sleep
from eegsleep.tables import HYPNOGRAM


def hypnogram(text, onset_s=0.0):
    """Make a hypnogram from "W*4 N2*10": stage and number of epochs."""
    stages = []
    for part in text.split():
        stage, _, n = part.partition("*")
        stages += [stage] * int(n or 1)
    epochs = np.arange(len(stages))
    frame = pd.DataFrame({"epoch": epochs, "onset_s": onset_s + 30.0 * epochs, "stage": stages, "usable": True})
    for column in HYPNOGRAM.column_names:
        if column not in frame:
            frame[column] = np.nan
    return frame[HYPNOGRAM.column_names]


# 60 epochs = 30 min. Sleep onset at epoch 4 (2 min). Sleep epochs: 2+10+8+4+10+6 = 40 (20 min).
NIGHT = "W*4 N1*2 N2*10 N3*8 W*2 N1*4 N2*10 R*6 W*14"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tib_min", 30),
        ("tst_min", 20),
        ("unscored_min", 0),
        ("sleep_efficiency_percent", 100 * 20 / 30),
        ("sol_min", 2),
        ("waso_min", 8),  # 2 + 14 epochs; = TIB 30 - SOL 2 - TST 20
        ("awakenings", 1),  # the final one does not count
        ("awakenings_per_h", 3),
        ("n1_min", 3),
        ("n2_min", 10),
        ("n3_min", 4),
        ("rem_min", 3),
        ("n1_percent", 15),
        ("rem_percent", 15),
        ("rem_latency_min", 18),  # epoch 40 - epoch 4
        ("n3_latency_min", 6),  # epoch 16 - epoch 4
        ("persistent_sleep_latency_min", 2),  # epochs 4-23 are exactly 20
        ("fragmentation_per_h", 3),  # N3 to W; W to N1 is no new fragment
        ("stage_transitions_per_h", 18),  # N1-N2, N2-N3, N3-W, W-N1, N1-N2, N2-R: 6 in 1/3 h
        ("nrem_rem_cycles", 1),  # NREM from epoch 6 (first N2): 10+8+4+10 = 32 epochs, 16 min
        ("cycle_length_min", 20),  # epochs 6-45
    ],
)
def test_the_night_worked_out_by_hand(name, expected):
    measure = measure_sleep(hypnogram(NIGHT))[name]
    assert measure.value == pytest.approx(expected)
    assert not measure.reason


def test_a_shift_to_n1_is_a_fragment_but_not_an_awakening():
    measures = measure_sleep(hypnogram("N2*60 N1*2 N2*58"))  # one hour of sleep
    assert measures["fragmentation_per_h"].value == 1
    assert measures["awakenings"].value == 0
    assert measures["stage_transitions_per_h"].value == 2


def test_nothing_slept_gives_zero_minutes_and_no_latency():
    measures = measure_sleep(hypnogram("W*20"))
    assert measures["tst_min"].value == 0
    assert measures["nrem_rem_cycles"].value == 0
    for name in ("sol_min", "waso_min", "n2_percent", "rem_latency_min", "awakenings"):
        assert np.isnan(measures[name].value)
        assert measures[name].reason == "no sleep"


def test_a_night_without_rem_says_so():
    measures = measure_sleep(hypnogram("W*2 N2*40"))
    assert measures["rem_min"].value == 0
    assert measures["rem_latency_min"].reason == "no REM in this night"
    assert measures["n3_latency_min"].reason == "no N3 in this night"


def test_unscored_epochs_are_neither_sleep_nor_wake():
    # TIB 20 min, TST 15, unscored 3, SOL 1, W after onset 1: the identity falls short by the unscored
    measures = measure_sleep(hypnogram("W*2 N2*20 UNS*6 N2*10 W*2"))
    assert [measures[n].value for n in ("tib_min", "tst_min", "unscored_min", "waso_min")] == [20, 15, 3, 1]
    assert measures["stage_transitions_per_h"].value == 0
    # W on both sides of UNS is one awakening; sleep to W across UNS is one as well
    assert measure_sleep(hypnogram("N2*9 W UNS W N2*9"))["awakenings"].value == 1
    assert measure_sleep(hypnogram("N2*9 UNS W N2*9"))["awakenings"].value == 1


@pytest.mark.parametrize("text", ["UNS*10", ""])
def test_what_was_never_scored_is_missing_and_not_zero(text):
    measures = measure_sleep(hypnogram(text))
    assert measures["tib_min"].value == len(hypnogram(text)) / 2
    others = [m for name, m in measures.items() if name not in {"tib_min", "unscored_min"}]
    assert all(np.isnan(m.value) and m.reason == "no epoch was scored" for m in others)


def test_ten_unbroken_minutes_are_twenty_epochs():
    assert measure_sleep(hypnogram("N2*19 W N2*20"))["persistent_sleep_latency_min"].value == 10
    measure = measure_sleep(hypnogram("N2*19 W N2*19"))["persistent_sleep_latency_min"]
    assert measure.reason == "no 10 min of unbroken sleep"


def test_every_missing_value_has_a_reason_and_every_other_none():
    for text in (NIGHT, "W*5", "UNS*5", "R*5", "N1", "W N2 UNS R W"):
        for name, measure in measure_sleep(hypnogram(text)).items():
            assert np.isnan(measure.value) == bool(measure.reason), (text, name)


def test_agrees_with_yasa_where_the_definitions_do():
    yasa = pytest.importorskip("yasa")
    stages = hypnogram(f"W*30 {NIGHT} N2*80 R*30 W*3 N2*50 R*12")
    ours = measure_sleep(stages)
    theirs = yasa.Hypnogram(list(stages["stage"])).sleep_statistics()
    names = {
        "tib_min": "TIB",
        "tst_min": "TST",
        "sleep_efficiency_percent": "SE",
        "sol_min": "SOL",
        "n1_min": "N1",
        "n2_min": "N2",
        "n3_min": "N3",
        "rem_min": "REM",
        "n1_percent": "%N1",
        "n2_percent": "%N2",
        "n3_percent": "%N3",
        "rem_percent": "%REM",
        "waso_min": "WASO",  # the night ends asleep, so that the two definitions meet
    }
    for name, key in names.items():
        assert ours[name].value == pytest.approx(theirs[key], abs=1e-3), name


def cycles_of(text):
    found = find_cycles(hypnogram(text))
    return [(c.onset_s / 30, c.end_s / 30, c.complete) for c in found.itertuples()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # two cycles, each from its first N2 or N3 to the end of its REM
        ("W*4 N1*2 N2*100 R*20 N1*2 N2*80 R*30 W*4", [(6, 126, True), (128, 238, True)]),
        # the first REM period may be a single epoch, a later one may not (9 epochs are 4.5 min)
        ("N2*30 R N2*60 R*20", [(0, 31, True), (31, 111, True)]),
        ("N2*30 R*20 N2*60 R*9 N2*40", [(0, 50, True), (50, 159, False)]),
        # bouts 14.5 min apart are one REM period, 15 min apart two
        ("N2*40 R*20 N2*29 R*20", [(0, 109, True)]),
        ("N2*40 R*20 N2*30 R*20", [(0, 60, True), (60, 110, True)]),
        # less than 15 min of NREM is no NREM period; the next begins after that REM
        ("N2*29 R*20 N2*60 R*20", [(49, 129, True)]),
        ("R*20 N2*60 R*20", [(20, 100, True)]),
        # no REM: one incomplete cycle that ends with sleep
        ("W*2 N2*100 W*10", [(2, 102, False)]),
        # no NREM: no cycle; N1 alone begins none
        ("W*10 R*40", []),
        ("N1*60 R*20", []),
        ("W*10", []),
        ("", []),
    ],
)
def test_cycles(text, expected):
    assert cycles_of(text) == expected


def test_cycles_count_seconds_from_the_first_sample():
    found = find_cycles(hypnogram("N2*40 R*20", onset_s=60.0))
    assert found["onset_s"].tolist() == [60.0]
    assert found["end_s"].tolist() == [60.0 + 1800]
    assert list(found.columns) == ["cycle", "onset_s", "end_s", "complete"]


def test_an_unknown_stage_or_a_gap_is_refused():
    with pytest.raises(TableError, match="column stage of table hypnogram"):
        measure_sleep(hypnogram("W N4"))
    with pytest.raises(TableError, match="do not follow"):
        measure_sleep(hypnogram("W*4").drop(index=2))


def codes_of(text):
    return np.array([part.split("*")[0] for part in text.split() for _ in range(int(part.split("*")[1]))], dtype="U3")


def test_a_latency_to_what_never_came_has_the_time_that_was_watched():
    """A night without REM says that its latency is longer than 90 minutes, not that there is none."""
    found = measure_codes(codes_of("W*20 N1*4 N2*120 N3*56"))
    rem = found["rem_latency_min"]
    assert np.isnan(rem.value)
    assert (rem.reason, rem.at_least) == ("no REM in this night", 90.0)
    assert found["rem_absent"].value == 1
    assert found["n3_absent"].value == 0
    assert np.isnan(found["n3_latency_min"].at_least)


def test_the_watch_ends_where_what_is_waited_for_may_hide():
    """Five minutes without a score may hold REM; four may not."""
    found = measure_codes(codes_of("W*2 N2*40 UNS*10 N2*40"))
    assert found["rem_latency_min"].at_least == 20.0
    assert np.isnan(found["rem_absent"].value)
    assert "unscored" in found["rem_absent"].reason
    found = measure_codes(codes_of("W*2 N2*40 UNS*8 N2*40 UNS*6"))
    assert found["rem_latency_min"].at_least == 44.0
    assert found["rem_absent"].value == 1


def test_latencies_of_a_night_awake():
    found = measure_codes(codes_of("W*60"))
    assert found["sol_min"].at_least == 30.0
    assert found["persistent_sleep_latency_min"].at_least == 30.0
    for name in ("rem_latency_min", "n3_latency_min", "rem_absent", "n3_absent"):
        assert np.isnan(found[name].value)
        assert np.isnan(found[name].at_least)


def test_sleep_that_the_end_cut_off_may_have_been_persistent():
    """Awake for 10 min, 5 min of sleep, then the recording ends: persistent sleep began after 10 min at the least."""
    found = measure_codes(codes_of("W*20 N2*10"))
    assert found["persistent_sleep_latency_min"].at_least == 10.0
    found = measure_codes(codes_of("W*20 N2*10 W*6"))
    assert found["persistent_sleep_latency_min"].at_least == 18.0


def test_nothing_scored_is_not_watched():
    found = measure_codes(codes_of("UNS*20"))
    for name in ("sol_min", "rem_latency_min", "rem_absent"):
        assert np.isnan(found[name].value)
        assert np.isnan(found[name].at_least)
