"""A tracker's or diary's table becomes nights of a study, and is never taken for EEG."""

import json
import os

import pytest

from eegsleep.errors import SettingsError, TableError
from eegsleep.file_names import NIGHTS_FOLDER
from eegsleep.study.declared.manifest import read_study
from eegsleep.study.night_folders import collect_markers, read_provenances
from eegsleep.study.nightly_table import FROM_TABLE, add_table
from eegsleep.workflows.study import compare_study, lock_study

STUDY = """
[study]
title = "Mood"
compound = "melatonin"
design = "n-of-1"
conditions = ["no", "yes"]
active = "yes"
seed = 7

[allocation]
mechanism = "max-run"
max_run = 2

[endpoints]
primary = ["day_mood||"]
"""
ORDER = "YNYNNYYNYNYYNNYN"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    lines = ["Date,Day,Taken,Mood,Asleep,Deep"]
    for i, code in enumerate(ORDER):
        lines += [
            f"2026-03-{i + 1:02d},{i + 1},{int(code == 'Y')},{mood},7:{i + 10},{60 + i}" for mood in (50 + i, 60 + i)
        ]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


MAP = {
    "date": "Date",
    "condition": "Taken",
    "day_mood": "Mood",
    "tst_min": "Asleep",
    "tracker_deep_min": "Deep",
}


def test_a_table_goes_through_the_same_test_as_recorded_nights(home):
    added = add_table(home / "study.toml", home / "table.csv", MAP)
    assert len(added.nights) == 16
    study = read_study(home / "study.toml")
    assert study.nights["condition"].tolist() == ["yes" if code == "Y" else "no" for code in ORDER]
    assert study.nights["day_mood"].tolist() == [55.0 + i for i in range(16)], "the means of the answers of a day"
    folder = home / NIGHTS_FOLDER
    values = collect_markers(folder, read_provenances(study, folder))
    first = values[values["night"] == added.nights[0]].set_index("marker")
    assert first.loc["tst_min", "value"] == 430
    assert first.loc["tracker_deep_min", "unit"] == "min"
    assert first.loc["tracker_deep_min", "family"] == "context"
    lock_study(home / "study.toml")
    compared = compare_study(home / "study.toml")
    row = compared.comparison.markers.set_index("marker").loc["day_mood"]
    taken = [55 + i for i, code in enumerate(ORDER) if code == "Y"]
    assert row["compound_mean"] == sum(taken) / len(taken)
    assert row["method"] == "re-randomisation"
    page = compared.report.read_text(encoding="utf-8")
    assert "They have no EEG" in page
    assert "n3_min" not in set(compared.comparison.markers["marker"])


@pytest.mark.parametrize("name", ["n3_min", "rem_min", "swa_power_uv2", "deep_min"])
def test_what_a_tracker_calls_deep_sleep_is_never_n3(home, name):
    with pytest.raises(SettingsError, match="cannot come from a table without EEG"):
        add_table(home / "study.toml", home / "table.csv", {"date": "Date", name: "Deep"})


def test_a_diary_adds_scores_to_nights_with_eeg_and_no_markers(home):
    """A night that was scored from its signals has its total sleep time from them, and nothing is written before."""
    added = add_table(home / "study.toml", home / "table.csv", {"date": "Date", "condition": "Taken"})
    night = home / NIGHTS_FOLDER / added.nights[0]
    made = json.loads((night / "provenance.json").read_text())
    del made["table_sha256"]
    (night / "provenance.json").write_text(json.dumps(made))
    before = (home / "nights.csv").read_bytes(), (night / "markers.csv").read_bytes()
    with pytest.raises(SettingsError, match="was scored from its signals"):
        add_table(home / "study.toml", home / "table.csv", {"date": "Date", "tst_min": "Asleep", "day_mood": "Mood"})
    assert before == ((home / "nights.csv").read_bytes(), (night / "markers.csv").read_bytes())
    for folder in (home / NIGHTS_FOLDER).glob("*/provenance.json"):
        folder.write_text(json.dumps(made))
    again = add_table(home / "study.toml", home / "table.csv", {"date": "Date", "day_mood": "Mood"})
    assert FROM_TABLE not in again.sentences
    assert read_study(home / "study.toml").nights["day_mood"].notna().all()
    assert before[1] == (night / "markers.csv").read_bytes()


def test_an_index_of_days_that_contradicts_the_dates_is_found(home):
    table = home / "table.csv"
    table.write_text(table.read_text().replace("2026-03-09,9,", "2026-03-09,8,").replace(",10,0,", ",9,0,"))
    both = {**MAP, "day": "Day"}
    with pytest.raises(TableError, match="day 8 stands on 2026-03-08 and 2026-03-09"):
        add_table(home / "study.toml", table, both)
    assert not (home / "nights.csv").exists(), "nothing is written"
    assert len(add_table(home / "study.toml", table, both, by="date").nights) == 16


def test_a_night_without_a_value_is_missing_and_not_zero(home):
    table = home / "table.csv"
    table.write_text(table.read_text().replace(",7:10,", ",,"))
    added = add_table(home / "study.toml", table, MAP)
    study = read_study(home / "study.toml")
    folder = home / NIGHTS_FOLDER
    values = collect_markers(folder, read_provenances(study, folder))
    row = values[(values["night"] == added.nights[0]) & (values["marker"] == "tst_min")].iloc[0]
    assert row["value"] != row["value"]
    assert row["reason"] == "empty in the table"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"day_mood": "Mood"}, "tells the night"),
        ({"date": "Date", "day_mood": "Moood"}, "has no column Moood"),
        ({"date": "Mood"}, "not a date"),
        ({"date": "Date", "day_mood": "Date"}, "not a number"),
        ({"date": "Date", "mood": "Mood"}, "no such name"),
        ({"date": "Date", "day_\0": "Mood"}, "cannot be the name of a column"),
        ({"date": "Date", "day_a,b": "Mood"}, "cannot be the name of a column"),
    ],
)
def test_what_cannot_be_read_is_refused(home, mapping, words):
    with pytest.raises((SettingsError, TableError), match=words):
        add_table(home / "study.toml", home / "table.csv", mapping)


def test_a_planned_night_keeps_its_name_and_its_drawn_condition(home):
    (home / "nights.csv").write_text(
        "# mine\nsubject,night,date,file,condition\nS01,first,2026-03-01,,no\nS01,second,2026-03-02,,no\n"
    )
    with pytest.raises(TableError, match="another condition for first"):
        add_table(home / "study.toml", home / "table.csv", MAP)
    without = {name: column for name, column in MAP.items() if name != "condition"}
    added = add_table(home / "study.toml", home / "table.csv", without)
    assert added.nights[:2] == ("first", "second")
    assert (home / "nights.csv").read_text().startswith("# mine\n")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"a,b\n1,2\n", b"subject,night,date\nS01,x,2026-03-01,more\n", b'"' + 200_000 * b"x"],
)
def test_a_damaged_table_of_nights_is_refused_and_kept(home, content):
    (home / "nights.csv").write_bytes(content)
    with pytest.raises(TableError, match=r"nights\.csv"):
        add_table(home / "study.toml", home / "table.csv", MAP)
    assert (home / "nights.csv").read_bytes() == content


@pytest.mark.parametrize("name", ["table.csv", "nights.csv"])
def test_a_pipe_is_not_waited_for(home, name):
    (home / name).unlink(missing_ok=True)
    os.mkfifo(home / name)
    with pytest.raises(TableError, match=f"{name} cannot be read. Found: it is no file"):
        add_table(home / "study.toml", home / "table.csv", MAP)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_date_in_no_plausible_year_is_refused(home, day):
    (home / "table.csv").write_text(f"Date,Mood\n{day},5\n")
    with pytest.raises(TableError, match="not a date"):
        add_table(home / "study.toml", home / "table.csv", {"date": "Date", "day_mood": "Mood"})
