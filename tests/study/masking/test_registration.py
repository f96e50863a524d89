"""What was registered before the nights is held against what was done, and every change is graded."""

import dataclasses
import json

import pytest

from eegsleep.errors import SettingsError
from eegsleep.provenance import encode_json, fingerprint
from eegsleep.study.masking import registration
from eegsleep.study.masking.changes import Change, grade_change
from eegsleep.study.masking.interim import check_look, record_look, spend_at_stage
from eegsleep.study.masking.lock import LOCK_FILE, read_lock, unmask, verify_lock, write_lock
from eegsleep.study.masking.registration import (
    compare_with_protocol,
    find_earlier_openings,
    find_unlisted,
    read_protocol_file,
    read_record,
    write_protocol,
)
from eegsleep.study.masking.timeline import judge_timeline, trace_timeline


@pytest.fixture(autouse=True)
def before_the_nights(monkeypatch):
    """Stop the clock on the day before the first night."""
    monkeypatch.setattr(registration, "now", lambda: "2026-01-04T12:00:00+00:00")


@pytest.fixture
def open_study(folder):
    """Return a study that names its compound and needs no key."""
    folder.toml = folder.toml.replace("seed = 7", 'seed = 7\nactive = "B"')
    return folder.read()


@pytest.fixture
def registered(open_study):
    return write_protocol(open_study, {"schedule_sha256": "", "key_sha256": ""})


def made_alike(study):
    return {
        night: {"settings": {}, "versions": {}, "fingerprint": f"f-{night}"}
        for night in study.nights.loc[study.nights["file"] != "", "night"]
    }


def go_through(study, **more):
    """Lock and open the study; return its timeline."""
    folder = study.path.parent
    lock = write_lock(study, made_alike(study))
    unmask(study)
    now = read_protocol_file(folder)
    changes = [
        *(Change(*change) for change in lock["since_registered"]),
        *find_earlier_openings(folder, lock, now),
        *verify_lock(study, lock, made_alike(study)),
    ]
    return trace_timeline(
        study, registered=now, lock=lock, unmasked_at="2026-02-01T12:00:00+00:00", changes=changes, **more
    )


def grades(steps):
    return {step.name: step.grade for step in steps}


def test_a_study_as_registered_is_vouched_for(open_study, registered):
    steps = go_through(dataclasses.replace(open_study))
    assert grades(steps) == {
        "registered": "good",
        "recorded": "good",
        "locked": "good",
        "opened": "noted",  # the label was open
        "changed": "good",
    }
    assert registered["sha256"] in steps[0].sentence
    assert judge_timeline(steps).title == "Locked, but not blind"


def test_a_primary_endpoint_chosen_by_the_masked_difference_is_told(folder, open_study, registered):
    """Chosen before the lock, type I was .74 under a green badge."""
    folder.toml = folder.toml.replace('"tst_min||"', '"waso_min||"')
    steps = go_through(folder.read())
    assert judge_timeline(steps) == ("serious", "Post hoc: not as it was registered or locked")
    lock = read_lock(folder.folder / "lock.json")
    assert lock["since_registered"][0][0] == "protocol.primary"


@pytest.mark.parametrize(
    ("what", "now"),
    [
        ("alpha", "alpha = 0.09"),
        ("seed", "seed = 9"),
        ("exclusion_rules", "rules"),
        ("one_sided", "one side"),
        ("smallest_effects.tst_min", "effect"),
        ("smallest_effects.waso_min", "another effect"),
    ],
)
def test_what_decides_a_result_cannot_change_unseen(folder, open_study, registered, what, now):
    folder.toml = {
        "alpha": folder.toml.replace("seed = 7", "seed = 7\nalpha = 0.09"),
        "seed": folder.toml.replace("seed = 7", "seed = 9"),
        "one_sided": folder.toml.replace("[endpoints]", "[endpoints]\none_sided = true"),
        "exclusion_rules": folder.toml.replace("judged unusable", "odd"),
        "smallest_effects.tst_min": folder.toml.replace("[15,", "[5,"),
        "smallest_effects.waso_min": folder.toml.replace("tst_min = [15", 'waso_min = [9, "min"]\ntst_min = [15'),
    }[what]
    changes = compare_with_protocol(folder.read(), registered)
    assert [(change.what, change.grade) for change in changes] == [(f"protocol.{what}", "serious")], now


def test_schedule_and_nights_that_were_edited_alike_are_told(open_study):
    """The nights fit the schedule, but it is not the one that was registered."""
    schedule = open_study.path.parent / "schedule.csv"
    schedule.write_text("as drawn")
    registered = write_protocol(open_study, {"schedule_sha256": registration.hash_file(schedule), "key_sha256": ""})
    schedule.write_text("as it suits")
    changes = compare_with_protocol(dataclasses.replace(open_study, schedule="schedule.csv"), registered)
    assert [change.what for change in changes] == ["schedule_sha256"]


def test_a_protocol_that_was_edited_is_told(open_study, registered):
    path = open_study.path.parent / "protocol.json"
    path.write_text(path.read_text().replace('"alpha": 0.05', '"alpha": 0.08'))
    names = [change.what for change in compare_with_protocol(open_study, read_protocol_file(path.parent))]
    assert names[0] == "protocol.json"


def test_lock_and_mask_that_were_deleted_are_told(open_study, registered):
    """Otherwise one compares, deletes both, excludes a night, and locks again."""
    go_through(open_study)
    for name in ("lock.json", "unmasked.json"):
        (open_study.path.parent / name).unlink()
    later = dataclasses.replace(open_study, alpha=0.01)
    steps = go_through(later)
    assert judge_timeline(steps).grade == "serious"
    (open_study.path.parent / "record.jsonl").unlink()
    for name in ("lock.json", "unmasked.json"):
        (open_study.path.parent / name).unlink()
    lock = write_lock(open_study, made_alike(open_study))
    (open_study.path.parent / "record.jsonl").unlink()
    assert [c.what for c in find_earlier_openings(open_study.path.parent, lock, registered)] == ["record.jsonl"]


def test_a_record_from_which_a_line_was_taken_is_told(open_study, registered):
    go_through(open_study)
    path = open_study.path.parent / "record.jsonl"
    lines = path.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["registered", "locked", "opened"]
    path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    assert read_record(path.parent)[1] is False
    lock = read_lock(path.parent / "lock.json")
    assert "edited" in [c.now for c in find_earlier_openings(path.parent, lock, registered)]


def test_a_line_of_the_record_that_lost_its_hash_is_told(open_study, registered):
    go_through(open_study)
    path = open_study.path.parent / "record.jsonl"
    path.write_text(path.read_text().replace('"sha256"', '"other"', 1))
    lock = read_lock(path.parent / "lock.json")
    assert "record.jsonl" in [c.what for c in find_earlier_openings(path.parent, lock, registered)]


def test_a_study_that_was_not_registered_says_so(open_study):
    steps = go_through(open_study)
    assert grades(steps)["registered"] == "noted"
    assert judge_timeline(steps).title == "Locked, but not registered in advance"


def test_a_study_registered_after_its_nights_says_so(open_study, monkeypatch):
    monkeypatch.setattr(registration, "now", lambda: "2026-01-10T12:00:00+00:00")
    write_protocol(open_study, {"schedule_sha256": "", "key_sha256": ""})
    steps = go_through(open_study)
    assert grades(steps)["registered"] == "serious"
    assert "By then 5 nights had been recorded." in steps[0].sentence


def test_a_study_that_stopped_when_it_suited_says_so(folder, open_study, registered):
    for row in folder.rows[8:]:
        row["file"] = ""
    steps = go_through(folder.read())
    assert grades(steps)["recorded"] == "serious"
    assert "6 of 12 planned nights" in steps[1].sentence
    assert "ended early" in steps[1].sentence


def test_nights_missed_in_between_are_no_early_end(folder, open_study, registered):
    for row in folder.rows[5:8]:
        row["file"] = ""
    assert grades(go_through(folder.read()))["recorded"] == "good"


def test_a_guess_entered_late_is_no_primary_endpoint_exchanged(open_study):
    assert grade_change(open_study, "nights.S01-003.guess", "") == "clerical"
    assert grade_change(open_study, "nights.S01-003.guess", "compound") == "minor"
    assert grade_change(open_study, "nights.S01-003.day_kss", "4.0") == "minor"
    assert grade_change(open_study, "nights.S01-003.condition", "A") == "serious"
    assert grade_change(open_study, "protocol.primary", "[]") == "serious"


@pytest.fixture
def with_look(folder):
    folder.toml = folder.toml.replace("nights = 12", "nights = 12\nlooks = [6]").replace(
        "seed = 7", 'seed = 7\nactive = "B"'
    )
    for row in folder.rows[8:]:
        row["file"] = ""
    study = folder.read()
    write_protocol(study, {"schedule_sha256": "", "key_sha256": ""})
    return study


def test_a_declared_look_may_stop_a_study(with_look):
    check_look(with_look)
    assert spend_at_stage(with_look).alpha == pytest.approx(0.0056, abs=1e-4)
    record_look(with_look, 6, stop=True)
    with pytest.raises(SettingsError, match="taken already"):
        check_look(with_look)
    steps = go_through(with_look)
    assert grades(steps)["recorded"] == "good"
    assert "stopped at a look that was declared" in steps[1].sentence


def test_a_look_that_was_not_registered_is_refused(with_look):
    later = dataclasses.replace(with_look, planned=dataclasses.replace(with_look.planned, looks=(6, 8)))
    with pytest.raises(SettingsError, match="not those that were registered"):
        check_look(later)
    none = dataclasses.replace(with_look, planned=dataclasses.replace(with_look.planned, looks=()))
    with pytest.raises(SettingsError, match="no interim look was declared"):
        check_look(none)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("exchanged", ["before the lock", "after the lock"])
def test_an_edited_lock_with_a_hash_of_its_own_is_found(folder, open_study, exchanged):
    new = folder.toml.replace('"tst_min||"', '"waso_min||"')
    assert new != folder.toml
    if exchanged == "before the lock":
        folder.toml = new
    write_lock(folder.read(), made_alike(open_study))
    folder.toml = new
    study = folder.read()
    path = folder.folder / LOCK_FILE
    lock = json.loads(path.read_text())
    lock["since_registered"] = []
    lock["protocol"]["primary"] = list(study.primary)
    lock["sha256"] = fingerprint({name: value for name, value in lock.items() if name != "sha256"})
    path.write_bytes(encode_json(lock))
    edited, registered = read_lock(path), read_protocol_file(folder.folder)
    assert verify_lock(study, edited, made_alike(study)) == ()
    found = find_earlier_openings(folder.folder, edited, registered)
    assert [change.what for change in found] == [LOCK_FILE]
    unlisted = find_unlisted(study, registered, found)
    assert [(change.what, change.grade) for change in unlisted] == [("protocol.primary", "serious")]
    assert find_unlisted(study, registered, [*found, *unlisted]) == ()
