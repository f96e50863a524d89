"""Hypnograms in the dialects that laboratories and programs write: which column, which unit, which words."""

# ruff: noqa: DTZ001 - a recording's time is naive and local

import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from aligned_hypnogram import read_aligned

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import name_stage, read_level
from eegsleep.hypnograms.read import align_scoring, read_hypnogram

START = datetime(2024, 1, 1, 23)
RK = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 5}
STAGES = np.random.default_rng(1).choice(list(RK), 20).tolist() * 3 + ["N2"] * 20
STAGES = [stage for stage in STAGES for _ in range(2)]
N = len(STAGES)


@pytest.fixture
def save(tmp_path):
    """Return a function that writes a file, under a name that tells nothing unless one is given."""

    def write(text, name="file.dat"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


def table(head, row, mark="\t"):
    return mark.join(head) + "\n" * bool(head) + "".join(mark.join(map(str, row(i))) + "\n" for i in range(N))


def stages_of(path, **how):
    return read_aligned(path, N, START, **how)[0]["stage"].tolist()


# ---- which column holds the stages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["\t", " ", ","])
@pytest.mark.parametrize("n_flags", [1, 2])
def test_stage_and_marks_without_names(save, mark, n_flags):
    """SpiSOP, SleepTrip and public ZMax sets: the stage, then 0 or 1 for an arousal and an artefact."""
    if mark == " " and n_flags == 2:
        n_flags = 1
    flags = [lambda i: int(i % 11 == 0), lambda i: int(i % 7 == 0)][:n_flags]
    path = save(table([], lambda i: [RK[STAGES[i]], *(flag(i) for flag in flags)], mark))
    assert stages_of(path, coding="rk") == STAGES
    assert any("mark on epochs" in note for note in read_hypnogram(path, coding="rk").notes)
    with pytest.raises(TableError, match="integers"):
        read_hypnogram(path)


def test_words_and_marks_without_names(save):
    assert stages_of(save(table([], lambda i: [STAGES[i], int(i % 9 == 0)]))) == STAGES


def test_epoch_stage_and_mark_without_names_are_no_durations(save):
    path = save(table([], lambda i: [i + 1, RK[STAGES[i]], int(i % 5 == 0)], ","))
    assert stages_of(path, coding="rk") == STAGES


@pytest.mark.parametrize(
    "row",
    [
        lambda i: [RK[STAGES[i]], RK[STAGES[-i]]],  # two scorers
        lambda i: [int(i % 3 == 0), RK[STAGES[i]]],  # the mark comes first
        lambda i: [N - i, RK[STAGES[i]]],  # falls
        lambda i: [30 * (i // 2), 30, RK[STAGES[i]]],  # repeats
    ],
)
def test_onsets_that_repeat_or_fall_are_no_onsets(save, row):
    with pytest.raises(TableError, match="repeats or falls"):
        read_hypnogram(save(table([], row)), coding="rk")


def test_named_onsets_that_repeat_are_refused(save):
    path = save(table(["onset", "stage"], lambda i: [30 * (i // 4), STAGES[i]]))
    with pytest.raises(TableError, match="repeat, with different stages"):
        read_hypnogram(path)


@pytest.mark.parametrize("score", ["Score", "Sleep Score", "Scoring", "Stage", "score_1"])
@pytest.mark.parametrize("events", ["Events", "Event", "Label", "Value", "Description"])
def test_a_column_of_scores_comes_before_one_of_events(save, score, events):
    text = table(["Epoch", events, score], lambda i: [i + 1, 0, RK[STAGES[i]]], ",")
    assert stages_of(save(text), coding="rk") == STAGES
    words = table(["Epoch", score, events], lambda i: [i + 1, STAGES[i], "Arousal" if i % 20 == 3 else ""], ",")
    assert stages_of(save(words)) == STAGES


def test_the_column_taken_of_two_is_said_and_can_be_chosen(save):
    path = save(table(["onset", "stage", "score"], lambda i: [30 * i, STAGES[i], STAGES[-i]]))
    assert stages_of(path) == STAGES
    assert any("also stages in score" in note for note in read_hypnogram(path).notes)
    assert stages_of(path, column="Score") == [STAGES[-i] for i in range(N)]
    with pytest.raises(TableError, match=r"no column 'stages2'.*onset, stage, score.*--column"):
        read_hypnogram(path, column="stages2")


def test_several_scorers_are_refused_with_their_names(save):
    path = save(table(["onset", "scorer_1", "scorer_2"], lambda i: [30 * i, STAGES[i], STAGES[-i]]))
    with pytest.raises(TableError, match=r"scorer_1, scorer_2.*--column NAME"):
        read_hypnogram(path)
    assert stages_of(path, column="scorer_1") == STAGES
    same = save(table(["onset", "scorer_1", "scorer_2"], lambda i: [30 * i, STAGES[i], STAGES[i]]))
    assert stages_of(same) == STAGES, "scorers who agree everywhere need no choice"


def test_a_mark_called_like_a_stage_is_none(save):
    path = save(table(["epoch", "stage", "stage_arousal", "staged"], lambda i: [i, RK[STAGES[i]], 1, i % 2]))
    assert stages_of(path, coding="rk") == STAGES


# ---- units ---------------------------------------------------------------------------------------------------------

UNITS = {
    "onset_s": 30,
    "Onset (sec)": 30,
    "onset_ms": 30_000,
    "Start [ms]": 30_000,
    "onset_min": 0.5,
    "Time (minutes)": 0.5,
    "onset_h": 1 / 120,
    "start_hours": 1 / 120,
    "Elapsed Time [h]": 1 / 120,
    "hours": 1 / 120,
    "startMs": 30_000,
    "onset_epochs": 1,
    "start_epoch": 1,
    "onset_days": 1 / 2880,
}


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_in_the_name_of_a_column_is_read(save, name):
    path = save(table([name, "stage"], lambda i: [f"{UNITS[name] * i:.10g}", STAGES[i]]))
    assert stages_of(path) == STAGES


@pytest.mark.parametrize("name", ["onset_sample", "start_samples", "begin_frame", "Start (samples)", "onset [pts]"])
def test_samples_are_refused_with_what_to_do(save, name):
    with pytest.raises(TableError, match=r"in samples.*onset_s"):
        read_hypnogram(save(table([name, "stage"], lambda i: [7_680 * i, STAGES[i]])))


@pytest.mark.parametrize("name", ["Onset (fortnights)", "Time [a.u.]", "start (m)"])
def test_a_unit_that_is_not_known_is_refused(save, name):
    with pytest.raises(TableError, match="unit"):
        read_hypnogram(save(table([name, "stage"], lambda i: [30 * i, STAGES[i]])))


def test_a_row_of_units_below_the_names_is_read(save):
    text = table(["onset", "duration", "stage"], lambda i: [0.5 * i, 0.5, STAGES[i]])
    assert stages_of(save(text.replace("stage\n", "stage\n[min]\t[min]\t[]\n", 1))) == STAGES


def test_seconds_beside_samples_are_taken(save):
    path = save(table(["onset_sample", "onset", "stage"], lambda i: [7_680 * i, 30 * i, STAGES[i]]))
    assert stages_of(path) == STAGES


@pytest.mark.parametrize(("unit", "length"), [("duration_min", 0.5), ("duration", 30), ("duration_ms", 30_000)])
def test_durations_have_a_unit_of_their_own(save, unit, length):
    path = save(table(["onset_min", unit, "stage"], lambda i: [0.5 * i, length, STAGES[i]]))
    assert stages_of(path) == STAGES
    bare = save(table(["onset_min", "duration", "stage"], lambda i: [0.5 * i, 0.5, STAGES[i]]))
    assert stages_of(bare) == STAGES


def test_starts_and_ends_in_minutes_and_epochs(save):
    assert (
        stages_of(save(table(["start_min", "end_min", "stage"], lambda i: [i / 2, (i + 1) / 2, STAGES[i]]))) == STAGES
    )
    closed = save(table(["start_epoch", "end_epoch", "stage"], lambda i: [i + 1, i + 1, STAGES[i]]))
    assert stages_of(closed) == STAGES
    opened = save(table(["start_epoch", "end_epoch", "stage"], lambda i: [i, i + 1, STAGES[i]]))
    assert stages_of(opened) == STAGES


@pytest.mark.parametrize("step", [1 / 120, 0.25, 7_680, 30_000])
@pytest.mark.parametrize("more", [[], [30]])
def test_onsets_of_an_unnamed_unit_that_no_epochs_have_are_refused(save, step, more):
    head = ["onset", *["duration"] * bool(more), "stage"]
    path = save(table(head, lambda i: [f"{step * i:.10g}", *more, STAGES[i]]))
    with pytest.raises(TableError, match=r"closer together|further apart|same unit|one recording"):
        read_hypnogram(path)


def test_times_under_a_name_that_is_not_known_are_refused_and_not_left_out(save):
    """Without them the rows would be taken as epochs of 30 s, whatever their step."""
    with pytest.raises(TableError, match=r"looks like times.*moment: 0, 20"):
        read_hypnogram(save(table(["moment", "stage"], lambda i: [20 * i, STAGES[i]])))
    assert stages_of(save(table(["row", "stage"], lambda i: [i, STAGES[i]]))) == STAGES


@pytest.mark.parametrize("number", ["{}.0", "{:.18e}"])
def test_numbers_as_numpy_saves_them(save, number):
    path = save("".join(f"{number.format(RK[s])} {number.format(i % 2)}\n" for i, s in enumerate(STAGES)))
    assert stages_of(path, coding="rk") == STAGES


def test_names_divided_by_spaces(save):
    assert stages_of(save(table(["stage", "arousal"], lambda i: [RK[STAGES[i]], i % 2], " ")), coding="rk") == STAGES


def test_elapsed_clocks_count_from_the_first_sample_and_durations_may_be_clocks(save):
    def at(seconds):
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    path = save(table(["Elapsed [hh:mm:ss]", "Duration", "Stage"], lambda i: [at(30 * i), at(30), STAGES[i]]))
    assert stages_of(path) == STAGES


def test_minutes_and_seconds_are_no_hours_and_minutes(save):
    clock = [f"{i // 2:02d}:{30 * (i % 2):02d}" for i in range(40)]
    path = save("time [mm:ss],stage\n" + "".join(f"{at},N2\n" for at in clock))
    with pytest.raises(TableError, match="minutes and seconds"):
        read_hypnogram(path)


def test_an_alignment_that_scores_next_to_nothing_is_refused(save):
    """Epochs called seconds score a thirtieth of the night."""
    path = save(table(["onset", "stage"], lambda i: [i, STAGES[i]]))
    with pytest.raises(TableError, match="next to nothing"):
        read_aligned(path, N, START)
    unscored = save("onset,stage\n" + "".join(f"{30 * i},?\n" for i in range(N)))
    with pytest.raises(TableError, match="next to nothing"):
        read_aligned(unscored, N, START)


# ---- lengths of epochs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch_s", [1, 5, 15, 20, 60])
def test_the_length_of_epochs_can_be_given(save, epoch_s):
    n = N * 30 // epoch_s
    lines = [STAGES[int(i * epoch_s // 30)] for i in range(n)]
    path = save("\n".join(lines) + "\n")
    aligned = stages_of(path, epoch_s=epoch_s)
    assert np.mean([a == b for a, b in zip(aligned, STAGES, strict=True)]) > (0.4 if epoch_s == 60 else 0.99)


def test_a_coding_carries_its_length(save):
    codes = {"W": 5, "R": 4, "N1": 3, "N2": 2, "N3": 1}
    path = save("[HypnogramAASM]\n" + "".join(f"{codes[stage]}\n" * 6 for stage in STAGES))
    assert stages_of(path, coding="dreams") == STAGES
    assert any("5 s was taken from its coding" in note for note in read_hypnogram(path, coding="dreams").notes)


# ---- programs ------------------------------------------------------------------------------------------------------

CLOCKS = {
    "ISO": "%Y-%m-%dT%H:%M:%S",
    "AM and PM": "%I:%M:%S %p",
    "24 hours": "%H:%M:%S",
    "dots": "%H.%M.%S",
    "date": "%d/%m/%Y %H:%M:%S",
}
HEADS = {
    "English": ("RemLogic Event Export", "Sleep Stage", "Time [hh:mm:ss]", "Event", "Duration[s]"),
    "French": ("Export RemLogic", "Stade de sommeil", "Heure [hh:mm:ss]", "Evénement", "Durée[s]"),
    "German": ("RemLogic-Ereignisexport", "Schlafstadium", "Zeit [hh:mm:ss]", "Ereignis", "Dauer[s]"),
    "Italian": ("Esportazione RemLogic", "Stadio", "Ora [hh:mm:ss]", "Evento", "Durata[s]"),
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("language", HEADS)
def test_remlogic_of_any_clock_and_language(save, clock, language):
    title, *head = HEADS[language]
    code = {"W": "S0", "N1": "S1", "N2": "S2", "N3": "S3", "R": "REM"}
    rows = [
        f"{s}\t{(START + timedelta(seconds=30 * i)).strftime(CLOCKS[clock])}\tSLEEP-{code[s]}\t30\n"
        for i, s in enumerate(STAGES)
    ]
    path = save(f"{title}\nPatient:\tX\nRecording Date:\t01/01/2024\n\n" + "\t".join(head) + "\n" + "".join(rows))
    assert stages_of(path) == STAGES
    assert read_hypnogram(path).kind == "RemLogic text"


def nsrr_stages(extra=(), start=0):
    name = {"W": "Wake", "N1": "Stage1", "N2": "Stage2", "N3": "Stage3", "R": "REM"}
    rows = [(START + timedelta(seconds=30 * i), name[s]) for i, s in enumerate(STAGES)][start:]
    rows = sorted(rows + [(START + timedelta(seconds=at), text) for at, text in extra], key=lambda row: row[0])
    return "Start Time,Duration (seconds),Event\n" + "".join(f"{at:%H:%M:%S},0, {text}\n" for at, text in rows)


@pytest.mark.parametrize(
    "words", [("LightsOff", "LightsOn"), ("L/O", "LON"), ("Lights Out", "Lights On"), ("LOFF", "L/ON")]
)
def test_lights_of_the_stages_study_in_its_spellings(save, words):
    path = save(nsrr_stages([(60, words[0]), (2_400, words[1])]))
    assert stages_of(path) == STAGES
    scoring = read_hypnogram(path)
    assert (scoring.lights_off_s, scoring.lights_on_s) == (60, 2_400)


def test_notes_between_known_stages_are_left_out_and_said(save):
    path = save(nsrr_stages([(30, "Cal"), (270, "Montage: NPSG, Ref"), (2_000, "Cal"), (0, "patient talks")]))
    assert stages_of(path) == STAGES
    # their number, and not their words, which may tell of the sleeper
    assert read_hypnogram(path).notes == ("4 events that are no stages were left out",)
    first = save(nsrr_stages([(0, "UnknownStage")], start=1))
    assert stages_of(first) == ["UNS", *STAGES[1:]]


def test_an_unknown_word_in_the_place_of_a_stage_is_no_note(save):
    text = nsrr_stages()
    with pytest.raises(TableError, match="'Drowsy'"):
        read_hypnogram(save(text.replace("Stage1", "Drowsy")))
    with pytest.raises(TableError, match="'Stage7'"):
        read_hypnogram(save(nsrr_stages([(300, "Stage7")])))


def test_who_scored_behind_a_comma_is_no_part_of_the_stage(save):
    words = ["Manual", "Automatic", "automatic"]
    path = save(table(["onset", "event"], lambda i: [30 * i, f"Stage {STAGES[i]},{words[i % 3]}"]))
    assert stages_of(path) == STAGES
    assert name_stage("Sleep stage N2 (Manual)") == "N2"


def test_older_nsrr_xml_names_stages_by_their_concept(save):
    concepts = {
        "W": "SDO:WakeState",
        "N1": "SDO:NonRapidEyeMovementSleep-N1",
        "N2": "SDO:NonRapidEyeMovementSleep-N2",
        "N3": "SDO:NonRapidEyeMovementSleep-N4",
        "R": "SDO:RapidEyeMovementSleep",
    }
    rows = [
        f"<ScoredEvent><EventConcept>{concepts[s]}</EventConcept><Start>{30 * i}</Start><Duration>30</Duration>"
        "</ScoredEvent>"
        for i, s in enumerate(STAGES)
    ]
    rows.insert(
        3, "<ScoredEvent><EventConcept>SDO:Arousal</EventConcept><Start>5</Start><Duration>9</Duration></ScoredEvent>"
    )
    xml = f"<PSGAnnotation><EpochLength>30</EpochLength><ScoredEvents>{''.join(rows)}</ScoredEvents></PSGAnnotation>"
    assert stages_of(save(xml)) == STAGES
    with pytest.raises(TableError, match="N7"):
        read_hypnogram(save(xml.replace("Sleep-N1", "Sleep-N7")))


@pytest.mark.parametrize("head", ["EPOCH=30.0sec\nSTART=0.0sec\n", "EPOCH=30\n", "START = 0\nEPOCH = 30 s\n"])
def test_usleep_lists(save, head):
    words = [{"W": "Wake", "R": "REM"}.get(stage, stage) for stage in STAGES]
    assert stages_of(save(head + "\n".join(words) + "\n")) == STAGES
    halves = head.replace("30", "15") + "".join(f"{word}\n{word}\n" for word in words)
    assert stages_of(save(halves)) == STAGES
    later = save(head.replace("START=0.0sec", "START=60.0sec") + "\n".join(words) + "\n")
    if "START=0.0sec" in head:
        assert align_scoring(read_hypnogram(later), None, N)[0]["stage"].tolist()[2:] == STAGES[:-2]
    with pytest.raises(TableError, match="EPOCH"):
        read_hypnogram(save(head.replace("30", "half a minute") + "W\n"))


def test_usleep_table(save):
    text = table(["init_sec", "duration_sec", "stage"], lambda i: [30 * i, 30, STAGES[i]])
    assert stages_of(save(text)) == STAGES


LUNA = {
    "six columns": ("class\tinstance\tchannel\tstart\tstop\tmeta\n", "{s}\t.\t.\t{a}\t{b}\t.\n"),
    "comments, no names": ("# N1 | stage\n# N2 | stage\n", "{s}\t.\t.\t{a}\t{b}\t.\n"),
    "four columns": ("class\tinstance\tstart\tstop\n", "{s}\t.\t{a}\t{b}\n"),
    "spaces": ("class instance channel start stop meta\n", "{s} . . {a} {b} .\n"),
    "stage as instance": ("class\tinstance\tchannel\tstart\tstop\tmeta\n", "SleepStage\t{s}\t.\t{a}\t{b}\t.\n"),
    "until the next": ("class\tinstance\tchannel\tstart\tstop\tmeta\n", "{s}\t.\t.\t{a}\t...\t.\n"),
}


@pytest.mark.parametrize("shape", LUNA)
@pytest.mark.parametrize("clock", ["seconds", "elapsed", "clock"])
def test_luna_annotations(save, shape, clock):
    head, row = LUNA[shape]

    def at(seconds):
        elapsed = f"0+{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        moment = START + timedelta(seconds=seconds)
        return {"seconds": f"{seconds}.000", "elapsed": elapsed, "clock": f"{moment:%H:%M:%S}"}[clock]

    rows = [row.format(s=s, a=at(30 * i), b=at(30 * i + 30)) for i, s in enumerate(STAGES)]
    rows.insert(4, row.format(s="arousal", a=at(95), b=at(99)))
    path = save(head + "".join(rows))
    assert stages_of(path) == STAGES
    assert read_hypnogram(path).kind == "Luna annotations"


# ---- BIDS ----------------------------------------------------------------------------------------------------------


def bids(column, codes, more=(), duration=30):
    head = ["onset", "duration", "begsample", "endsample", column, *more]
    return table(
        head, lambda i: [30 * i, duration, 1 + 7_680 * i, 7_680 * (i + 1), codes[STAGES[i]], *["0"] * len(more)]
    )


LEVELS = [
    {"1": "Wake", "2": "REM", "3": "N1", "4": "N2", "5": "N3", "6": "A", "8": "Unscored"},
    {
        "1": "Wakefulness",
        "2": "Rapid eye movement sleep",
        "3": "NREM stage 1",
        "4": "NREM stage 2",
        "5": "Slow wave sleep",
    },
    {"1": "Awake, eyes closed", "2": "REM stage", "3": "Sleep stage 1 (N1)", "4": "N2 - light sleep", "5": "Stage N3"},
    {
        "1": {"Description": "wake"},
        "2": {"Description": "stage R"},
        "3": {"LongName": "NREM 1"},
        "4": {"Label": "N2"},
        "5": {"Description": "deep sleep (N3)"},
    },
]
EESM = {"W": 1, "R": 2, "N1": 3, "N2": 4, "N3": 5}


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("column", ["staging", "stage_hum", "sleep_stage", "value", "hypnogram_expert"])
@pytest.mark.parametrize("duration", [0, 30, "n/a"])
def test_bids_codes_are_named_by_the_sidecar(save, levels, column, duration):
    path = save(bids(column, EESM, duration=duration), "sub-01_task-sleep_events.tsv")
    save({column: {"Description": "Stages", "Levels": levels}}, "sub-01_task-sleep_events.json")
    assert stages_of(path) == STAGES
    assert read_hypnogram(path).kind == "BIDS events"


def test_a_sidecar_above_applies_and_the_nearest_wins(save):
    path = save(bids("staging", EESM), "sub-01/ses-1/eeg/sub-01_ses-1_task-sleep_events.tsv")
    save({"Name": "x", "BIDSVersion": "1.9.0"}, "dataset_description.json")
    save({"staging": {"Levels": LEVELS[0]}}, "task-sleep_events.json")
    save({"staging": {"Levels": {"1": "N3"}}}, "task-rest_events.json")
    assert stages_of(path) == STAGES
    near = {"staging": {"Levels": {**LEVELS[0], "1": "N3"}}}
    save(near, "sub-01/ses-1/eeg/sub-01_ses-1_task-sleep_events.json")
    assert stages_of(path) == [{"W": "N3"}.get(stage, stage) for stage in STAGES]


def test_a_level_that_names_no_stage_is_refused(save):
    path = save(bids("staging", EESM), "sub-01_events.tsv")
    save({"staging": {"Levels": {**LEVELS[0], "4": "light sleep"}}}, "sub-01_events.json")
    with pytest.raises(TableError, match="4: light sleep"):
        read_hypnogram(path)


@pytest.mark.parametrize("text", ["N1 or N2", "Non-REM sleep", "sleep", "stages 1/2", "Wake or REM", ""])
def test_levels_that_name_no_single_stage(text):
    assert read_level(text) is None


def test_codes_for_epochs_without_a_stage(save):
    codes = {"W": 0, "N1": 1, "N2": 2, "N3": 8, "R": 4}
    path = save(bids("stage_ai", codes))
    expected = [{"N3": "UNS"}.get(stage, stage) for stage in STAGES]
    assert stages_of(path, coding="aasm") == expected
    assert stages_of(path, coding="boas") == expected


@pytest.mark.nightly
def test_the_ten_nights_of_boas_agree_as_was_worked_out_elsewhere(real_data, tmp_path):
    """Accuracy and kappa to four digits, for the laboratory's and the head band's automatic stages."""
    import csv

    from eegsleep.workflows.agree import agree_scorings

    folder = real_data / "bids-hypnograms" / "ds005555"
    if not folder.is_dir():
        pytest.skip("the hypnograms of BOAS are not there")
    for row in csv.DictReader((folder / "expected-agreement.csv").read_text().splitlines()):
        name = f"{row['subject']}_task-Sleep_acq"
        psg, band = (folder / row["subject"] / "eeg" / f"{name}-{kind}_events.tsv" for kind in ("psg", "headband"))
        for other, columns, kind in ((psg, ("stage_hum", "stage_ai"), "psg"), (band, ("stage_hum",), "headband")):
            agreed = agree_scorings(psg, other, output=tmp_path / "agree", coding="boas", columns=columns)
            pooled = agreed.agreement.pooled.set_index(["measure", "pooling"])["value"]
            for measure in ("accuracy", "kappa"):
                assert f"{pooled[measure, 'all epochs']:.4f}" == row[f"{measure}_{kind}_ai"], (row["subject"], kind)


def test_the_nights_of_eesm_are_read_by_their_sidecars(real_data):
    paths = sorted((real_data / "bids-hypnograms" / "ds004348").rglob("*_events.tsv"))
    if not paths:
        pytest.skip("the hypnograms of EESM17 are not there")
    for path in paths:
        scoring = read_hypnogram(path)
        assert set(scoring.durations_s) == {30.0}
        assert {"W", "N1", "N2", "N3", "R"} <= set(scoring.stages)
