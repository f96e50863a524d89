"""A study is read strictly: what is wrong is told by row and column, with a remedy, before anything is computed."""

import dataclasses

import numpy as np
import pytest

from eegsleep.errors import EegSleepError, SettingsError, TableError
from eegsleep.study.declared.manifest import read_protocol, read_study, write_template


def test_a_study_is_read_as_it_was_declared(folder):
    folder.rows[3] |= {"excluded": "yes", "exclusion_reason": "the night is judged unusable", "decided_masked": "1"}
    folder.rows[4]["file"] = ""
    study = folder.read()
    assert (study.title, study.mechanism.kind, study.conditions, study.active) == (
        "Glycine and spindles",
        "pairs",
        ("A", "B"),
        None,
    )
    assert study.smallest_effect("tst_min||") == (15.0, "min")
    assert study.smallest_effect("fast_spindle_density_per_min|NREM|C3") == (0.5, "SD")
    assert len(study.nights) == 14
    assert study.usable.sum() == 10
    assert study.nights["day_kss"].tolist() == [4.0] * 14


def test_columns_may_come_in_any_order_and_lines_may_be_comments(folder):
    folder.rows = [dict(reversed(row.items())) for row in folder.rows]
    folder.write()
    file = folder.folder / "nights.csv"
    file.write_text("# a comment, with commas\n" + file.read_text())
    assert len(read_study(folder.path).nights) == 14


def test_a_file_with_semicolons_is_read_as_spreadsheets_write_it(folder):
    folder.write()
    file = folder.folder / "nights.csv"
    file.write_text("\ufeff" + file.read_text().replace(",", ";"), encoding="utf-8")
    assert len(read_study(folder.path).nights) == 14


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", "\t"),
        lambda text: "sep=;\n" + text.replace(",", ";"),
        lambda text: text.replace("\n", ",,\n"),
        lambda text: "".join(line + ",\n" * (i > 0) + "\n" * (i == 0) for i, line in enumerate(text.splitlines())),
        lambda text: text + "," * 16 + "\n",
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_what_a_spreadsheet_adds_on_saving_changes_nothing(folder, change):
    expected = folder.read().nights
    file = folder.folder / "nights.csv"
    file.write_bytes(change(file.read_text()).encode())
    assert read_study(folder.path).nights.equals(expected)


def test_a_cell_beyond_the_header_is_not_dropped(folder):
    folder.write()
    file = folder.folder / "nights.csv"
    file.write_text(file.read_text().replace("2026-01-08,", "2026-01-08,x,", 1))
    with pytest.raises(TableError, match="row 5 does not have as many cells"):
        read_study(folder.path)


def _set(row, column, value):
    def change(folder):
        folder.rows[row][column] = value

    return change


def _rename(column, name):
    def change(folder):
        folder.rows = [{name if key == column else key: value for key, value in row.items()} for row in folder.rows]

    return change


def _one_arm(folder):
    for row in folder.rows[2:]:
        row["condition"] = "A"


def _drop_night(folder):
    del folder.rows[6]


def _every_file(pattern):
    def change(folder):
        for row in folder.rows:
            row["file"] = pattern.format(**row, group={"A": "ctl", "B": "gly", "": "adapt"}[row["condition"]])

    return change


def _telling_dose(folder):
    for row in folder.rows:
        row["dose"] = {"A": "0 g", "B": "3 g", "": ""}[row["condition"]]


# what is wrong, the row and column told, and a piece of what was found or allowed
WRONG = {
    "unknown column": (_rename("device", "devise"), "row 1, column devise", "cov_ and a name"),
    "missing column": (_rename("condition", "cov_condition"), "row 1, column condition", "missing"),
    "duplicate night": (_set(5, "night", "S01-003"), "row 7, column night", "S01-003, as in row 4"),
    "duplicate date": (_set(5, "date", "2026-01-07"), "row 7, column date", "as in row 4"),
    "duplicate recording by another path": (_set(5, "file", "./S01-003.edf"), "row 7, column file", "as in row 4"),
    "duplicate recording": (_set(5, "file", "S01-003.edf"), "row 7, column file", "as in row 4"),
    "one arm only": (_one_arm, "no night has the condition B", "A comparison needs both"),
    "unknown code": (_set(4, "condition", "C"), "row 6, column condition", "Found: 'C'. Allowed: empty, A, B"),
    "code in a file name": (_set(4, "file", "S01-005-B.edf"), "row 6, column file", "Found: 'b' in S01-005-B.edf"),
    "code after a number": (_set(4, "file", "S01-005B.edf"), "row 6, column file", "Found: 'b'"),
    "code in a night": (_set(4, "night", "S01_A_005"), "row 6, column night", "Rename"),
    "compound in a file name": (_set(4, "file", "glycine5.edf"), "row 6, column file", "'glycine'"),
    "group in a folder": (_set(4, "file", "Placebo/5.edf"), "row 6, column file", "'placebo'"),
    "a word of one's own": (_every_file("{group}/{night}.edf"), "column file", "Found: 'ctl'"),
    "dose that differs": (_telling_dose, "row 4, column dose", "0 g against 3 g"),
    "date": (_set(4, "date", "11.01.2026"), "row 6, column date", "YYYY-MM-DD"),
    "clock": (_set(4, "lights_off", "25:10"), "row 6, column lights_off", "HH:MM"),
    "truth value": (_set(4, "excluded", "maybe"), "row 6, column excluded", "'maybe'"),
    "number": (_set(4, "block", "1.5"), "row 6, column block", "whole number"),
    "score": (_set(4, "day_kss", "tired"), "row 6, column day_kss", "'tired'"),
    "empty subject": (_set(4, "subject", ""), "row 6, column subject", "empty"),
    "folder out of a night": (_set(4, "night", "../x"), "row 6, column night", "folder"),
    "exclusion without reason": (_set(4, "excluded", "true"), "row 6, column exclusion_reason", "no reason"),
    "adaptation with a condition": (_set(0, "condition", "A"), "row 2, column condition", "adaptation"),
    "impossible pair": (_set(5, "condition", "B"), "row 7, column condition", "could not have drawn"),
    "a dropped night": (_drop_night, "column", "keep the row of a missed night|the two nights of pair"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_manifest_is_refused_by_row_and_column_with_a_remedy(folder, name):
    change, place, word = WRONG[name]
    change(folder)
    with pytest.raises(TableError) as error:
        folder.read()
    assert place in str(error.value)
    assert any(piece in str(error.value) for piece in word.split("|"))


def test_a_missing_recording_is_told_by_its_row(folder):
    folder.write()
    (folder.folder / "S01-008.edf").unlink()
    with pytest.raises(TableError, match=r"row 9, column file: the recording is not there\. Found: S01-008\.edf"):
        read_study(folder.path)
    assert len(read_study(folder.path, check_files=False).nights) == 14


def test_a_row_with_too_many_cells_is_told_by_its_line(folder):
    folder.write()
    file = folder.folder / "nights.csv"
    lines = file.read_text().splitlines()
    lines[3] += ",more"
    file.write_text("\n".join(["# comment", *lines]))
    with pytest.raises(TableError, match="row 5 does not have as many cells"):
        read_study(folder.path)


def test_a_piece_that_every_name_has_tells_nothing(folder):
    for row in folder.rows:
        row["file"] = f"control-study/a/{row['night']}.edf"
    assert len(folder.read().nights) == 14


def test_names_of_an_observational_study_may_say_what_they_are(folder):
    folder.toml = folder.toml.replace('"n-of-1"', '"observational"').replace('"pairs"', '"observational"')
    _every_file("{group}/{night}.edf")(folder)
    assert folder.read().mechanism.kind == "observational"


def test_a_schedule_that_was_drawn_must_be_the_one_that_is_there(folder):
    from eegsleep.study.schedules.schedule import draw_schedule
    from eegsleep.tables import SCHEDULE, encode_table

    folder.toml = folder.toml.replace('mechanism = "pairs"', 'mechanism = "pairs"\nschedule = "schedule.csv"')
    schedule = draw_schedule(folder_mechanism(folder), 12, 7)
    (folder.folder / "schedule.csv").write_bytes(encode_table(schedule, SCHEDULE))
    codes = schedule["condition"].tolist()
    for row, code in zip(folder.rows, codes, strict=True):
        row["condition"] = code
    assert folder.read().nights["condition"].tolist() == codes
    folder.rows[2]["condition"], folder.rows[3]["condition"] = codes[3], codes[2]
    with pytest.raises(TableError, match=r"row 4, column condition: schedule\.csv has another condition"):
        folder.read()
    lines = (folder.folder / "schedule.csv").read_bytes().splitlines(keepends=True)
    (folder.folder / "schedule.csv").write_bytes(b"".join([*lines, lines[5]]))
    with pytest.raises(TableError, match=r"schedule\.csv has nights twice\. Found: S01-005"):
        folder.read()


@pytest.mark.parametrize("day", ["0001-01-01", "1884-12-31", "2085-01-01", "9999-12-31"])
def test_a_night_in_no_plausible_year_is_refused(folder, day):
    folder.rows[2]["date"] = day
    with pytest.raises(TableError, match="row 4, column date: this is not a date"):
        folder.read()


def folder_mechanism(folder):
    return read_protocol(folder.write()).mechanism


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("[plan]", "[plans]", "unknown section. Found: plans"),
        ("seed = 7", "sead = 7", "no such key. Found: sead"),
        ("seed = 7", "", "lacks seed"),
        ("seed = 7", "seed = true", "study.seed has a value of the wrong kind"),
        ('"n-of-1"', '"n of 1"', "study.design is unknown"),
        ('"n-of-1"', '"parallel"', "does not make a parallel study"),
        ('mechanism = "pairs"', 'mechanism = "coin"', "allocation mechanism. Found: coin"),
        ('"pairs"', '"phases"\nmin_phase = 0', "min_phase is out of range"),
        ('["A", "B"]', '["A"]', "two conditions"),
        ('["A", "B"]', '["A\\u0000", "B"]', "study.conditions has a control character"),
        ("tst_min||", "tst||", "Found: tst||"),
        ("|NREM|", "|N4|", "has an unknown endpoint"),
        (', "tst_min||"]', ', "tst_min||", "n3_min||", "rem_min||"]', "one to three"),
        ("tst_min = [15", "tst = [15", "unknown marker"),
        ('[15, "min"]', '[15, "h"]', "Allowed: [number above 0, SD or min]"),
        ("seed = 7", 'seed = 7\nactive = "C"', "study.active"),
        ("seed = 7", "seed = 7\nalpha = 5.0", "study.alpha"),
        ("seed = 7", 'seed = 7\ncompound_class = "tea"', "study.compound_class is unknown"),
        ("seed = 7", "seed = -7", "study.seed is negative"),
        ("seed = 7", "seed = 7\nhalf_life_h = -1.0", "study.half_life_h is out of range"),
        ('["A", "B"]', '["placebo", "B"]', "reveal which is the compound, and masking is lost. Found: placebo"),
        ('["A", "B"]', '["A", "Glycine3"]', "masking is lost. Found: Glycine3"),
        ("nights = 12", 'strata = ["a,b"]', "plan.strata has a value that is not a word"),
        ("nights = 12", "nights = 0", "nights planned are out of range"),
        ("nights = 12", 'subjects = ["../S01"]', "cannot be names of folders"),
    ],
)
def test_a_wrong_study_file_is_refused_by_key(folder, old, new, word):
    assert old in folder.toml
    folder.toml = folder.toml.replace(old, new)
    with pytest.raises(SettingsError) as error:
        folder.read()
    assert word in str(error.value)


def test_the_template_is_a_study_that_only_lacks_its_nights(tmp_path):
    study_file, nights_file = write_template(tmp_path / "new")
    study = read_protocol(study_file)
    assert study.mechanism.weekend_balance
    with pytest.raises(TableError, match=r"nights\.csv holds no night"):
        read_study(study_file)
    assert nights_file.read_text().startswith("# One row for every night")
    with pytest.raises(SettingsError, match="already"):
        write_template(tmp_path / "new")


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"", b"[study", b"subject,night\n", b'a,"b\n', b"\x00" * 50, b"x" * 200_000]
)
def test_garbage_is_refused_in_words(folder, text):
    folder.write()
    (folder.folder / "nights.csv").write_bytes(text)
    with pytest.raises(EegSleepError):
        read_study(folder.path)
    folder.path.write_bytes(text)
    with pytest.raises(EegSleepError):
        read_protocol(folder.path)


def test_a_study_cannot_be_changed_by_accident(study):
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.alpha = 0.2
    assert np.isfinite(study.alpha)
