"""Codes stay masked until a lock holds everything a result depends on; what changes later is told."""

import copy
import dataclasses
import json

import pytest

from eegsleep.errors import EegSleepError, SettingsError
from eegsleep.study.masking import lock as lock_module
from eegsleep.study.masking.changes import Change
from eegsleep.study.masking.lock import (
    find_opened_conditions,
    read_lock,
    unmask,
    verify_lock,
    write_lock,
)
from eegsleep.study.masking.sealed_key import seal_key
from eegsleep.study.night_folders import check_made_alike, read_provenances

MOMENT = "2026-03-01T12:00:00+00:00"


@pytest.fixture
def at_a_moment(monkeypatch):
    """Stop the clock of the lock."""
    monkeypatch.setattr(lock_module, "now", lambda: MOMENT)


def provenance(**changes):
    made = {
        "settings": {"spindles": {"band_hz": [11.0, 16.0]}, "staging": {"gain": 1.0}},
        "versions": {"eegsleep": "0.1.0", "yasa": "0.8.1"},
        "fingerprint": "f",
    }
    return made | changes


@pytest.fixture
def made_alike(study):
    return {night: provenance(fingerprint=f"f-{night}") for night in study.nights["night"]}


@pytest.fixture
def sealed(folder, tmp_path):
    """Return a study with a sealed key, whose second code is the compound."""
    key = tmp_path / "key.json"
    sha = seal_key(("A", "B"), key, active="B")
    folder.toml = folder.toml.replace('mechanism = "pairs"', f'mechanism = "pairs"\nkey_sha256 = "{sha}"')
    return folder.read(), key


def test_a_lock_holds_everything_a_result_depends_on(study, made_alike, at_a_moment):
    lock = write_lock(study, made_alike, {"n_draws": 9999})
    assert (
        lock == json.loads((study.path.parent / "lock.json").read_text()) == read_lock(study.path.parent / "lock.json")
    )
    assert lock["locked_at"] == MOMENT
    assert lock["protocol"]["primary"] == list(study.primary)
    assert lock["protocol"]["mechanism"]["kind"] == "pairs"
    assert lock["nights"]["S01-003"]["condition"] == "A"
    assert lock["versions"]["yasa"] == "0.8.1"
    assert lock["analysis"] == {"n_draws": 9999}
    assert verify_lock(study, lock, made_alike, {"n_draws": 9999}) == ()


def test_a_class_of_compounds_chosen_after_the_result_is_told(folder, study, made_alike):
    """The literature to set beside a result must not be looked for after it."""
    lock = write_lock(study, made_alike)
    folder.toml = folder.toml.replace("seed = 7", 'seed = 7\ncompound_class = "melatonin"')
    assert verify_lock(folder.read(), lock, made_alike) == (
        Change("protocol.compound_class", "", "melatonin", "minor"),
    )


def test_what_an_earlier_version_did_not_freeze_has_not_changed(study, made_alike):
    lock = write_lock(study, made_alike)
    del lock["protocol"]["compound_class"], lock["active"]
    assert verify_lock(study, lock, made_alike) == ()


def test_one_recording_under_two_names_is_refused(study, made_alike):
    for night in made_alike:
        made_alike[night]["input"] = {"sha256": f"hash of {night}"}
    made_alike["S01-007"]["input"] = {"sha256": "hash of S01-004"}
    with pytest.raises(EegSleepError, match=r"one recording stands for two nights\. Found: S01-004 and S01-007"):
        write_lock(study, made_alike)


def test_a_lock_is_the_same_for_the_same_study(study, made_alike, at_a_moment):
    one = write_lock(study, made_alike)
    (study.path.parent / "lock.json").unlink()
    two = write_lock(study, made_alike)
    assert one["sha256"] == two["sha256"]


def test_what_changed_after_the_lock_is_told_by_name(folder, study, made_alike):
    lock = write_lock(study, made_alike)
    folder.toml = folder.toml.replace("[15,", "[5,").replace("seed = 7", "seed = 8")
    folder.rows[4] |= {"excluded": "true", "exclusion_reason": "the night is judged unusable"}
    folder.rows[5]["day_kss"] = "9"
    later = copy.deepcopy(made_alike)
    later["S01-009"]["fingerprint"] = "other"
    changes = verify_lock(folder.read(), lock, later)
    assert changes == (
        Change("protocol.smallest_effects.tst_min", '[15.0, "min"]', '[5.0, "min"]'),
        Change("protocol.seed", "7", "8"),
        Change("nights.S01-005.excluded", "false", "true"),
        Change("nights.S01-005.exclusion_reason", "", "the night is judged unusable"),
        Change("nights.S01-006.day_kss", "4.0", "9.0", "minor"),
        Change("fingerprints.S01-009", "f-S01-009", "other"),
    )


def test_a_night_that_came_or_went_after_the_lock_is_told(study, made_alike):
    lock = write_lock(study, made_alike)
    fewer = dataclasses.replace(study, nights=study.nights.iloc[:-1])
    names = {change.what for change in verify_lock(fewer, lock, made_alike)}
    assert "nights.S01-014.condition" in names
    assert all(name.startswith("nights.S01-014.") for name in names)


def test_a_changed_analysis_is_told(study, made_alike):
    lock = write_lock(study, made_alike, {"statistic": "difference"})
    changes = verify_lock(study, lock, made_alike, {"statistic": "phase means"})
    assert changes == (Change("analysis.statistic", "difference", "phase means"),)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"versions": {"eegsleep": "0.1.0", "yasa": "0.8.0"}}, "versions.yasa differs"),
        ({"settings": {"spindles": {"band_hz": [12.0, 15.0]}, "staging": {"gain": 1.0}}}, "settings.spindles.band_hz"),
        ({"settings": {"spindles": {"band_hz": [11.0, 16.0]}}}, "settings.staging.gain differs"),
        ({"calibration": {"sigma_amplitude_uv": {"C4-M1": 15.0}}}, "whether thresholds were calibrated differs"),
        ({"hypnogram_sha256": "ab"}, "whether stages were given differs"),
        ({"lights": {"off_s": 0.0, "on_s": 9.0, "source": "user"}}, "where lights off came from differs"),
    ],
)
def test_nights_made_by_different_versions_or_settings_are_refused_together(study, made_alike, change, word):
    made_alike["S01-007"] |= change
    with pytest.raises(EegSleepError) as error:
        write_lock(study, made_alike)
    assert word in str(error.value)
    assert "1 night (S01-007)" in str(error.value)
    assert not (study.path.parent / "lock.json").exists()


def test_a_unit_stated_for_some_nights_only_is_refused(study, made_alike):
    """A file's units that were set right on one night and taken as they stand on another are a change of scale."""
    for made in made_alike.values():
        made |= {"device": "zmax", "roles": {"C3-M2": "eeg"}, "units": {"C3": "uV"}}
    assert check_made_alike(made_alike, dict.fromkeys(made_alike, "S01"))["versions"]["yasa"] == "0.8.1"
    made_alike["S01-007"]["units"] = {}
    with pytest.raises(EegSleepError, match="the unit stated of C3 in nights of S01 differs") as error:
        write_lock(study, made_alike)
    assert '"not stated": 1 night (S01-007)' in str(error.value)
    other = made_alike | {"S01-007": made_alike["S01-007"] | {"device": "openbci", "roles": {"C4": "eeg"}}}
    assert check_made_alike(other, dict.fromkeys(other, "S01")), "another device has channels of its own"
    sleepers = {night: "S02" if night == "S01-007" else "S01" for night in made_alike}
    assert check_made_alike(made_alike, sleepers), "each sleeper has their own files"


def test_one_sleeper_has_one_calibration(study, made_alike):
    for night, made in made_alike.items():
        made["calibration"] = {"sigma_amplitude_uv": {"C4-M1": 15.0 if night != "S01-007" else 16.0}}
    with pytest.raises(EegSleepError, match="calibration of S01 differs"):
        write_lock(study, made_alike)
    sleepers = {night: "S02" if night == "S01-007" else "S01" for night in made_alike}
    assert check_made_alike(made_alike, sleepers)["versions"]["yasa"] == "0.8.1", "each sleeper has their own"


def test_a_study_without_a_scored_night_is_not_locked():
    with pytest.raises(EegSleepError, match="no night"):
        check_made_alike({})


def test_every_night_that_enters_must_have_been_scored(study, made_alike):
    del made_alike["S01-007"]
    with pytest.raises(EegSleepError, match=r"have not been scored\. Found: 1 night \(S01-007\)"):
        write_lock(study, made_alike)


def test_provenance_is_read_of_every_night_that_enters(folder, tmp_path):
    folder.rows[4]["file"] = ""
    folder.rows[5] |= {"excluded": "true", "exclusion_reason": "the night is judged unusable"}
    study = folder.read()
    for night in study.nights["night"].drop([4, 5]):
        (tmp_path / night).mkdir()
        (tmp_path / night / "provenance.json").write_text(json.dumps(provenance()))
    assert len(read_provenances(study, tmp_path)) == 12
    (tmp_path / "S01-010" / "provenance.json").unlink()
    with pytest.raises(EegSleepError, match="S01-010 has not been scored"):
        read_provenances(study, tmp_path)


def test_codes_are_not_opened_without_a_lock(sealed):
    study, key = sealed
    with pytest.raises(EegSleepError, match="not locked"):
        unmask(study, key)
    assert not (study.path.parent / "unmasked.json").exists()


def test_codes_are_opened_once_locked_and_that_is_written_down(sealed, made_alike, at_a_moment):
    study, key = sealed
    lock = write_lock(study, made_alike)
    assert lock["key_sha256"] == study.key_sha256
    opened = unmask(study, key)
    assert opened.active == "B"
    record = json.loads((study.path.parent / "unmasked.json").read_text())
    assert record == {"unmasked_at": MOMENT, "lock_sha256": lock["sha256"], "active": "B"}
    unmask(study, key)
    assert json.loads((study.path.parent / "unmasked.json").read_text()) == record


def test_the_lock_itself_cannot_be_rewritten(sealed, made_alike):
    study, key = sealed
    write_lock(study, made_alike)
    path = study.path.parent / "lock.json"
    path.write_text(path.read_text().replace('"alpha": 0.05', '"alpha": 0.1'))
    with pytest.raises(EegSleepError, match="not as it was written"):
        unmask(study, key)


def test_a_second_lock_is_asked_for_and_remembers_the_first(study, made_alike):
    first = write_lock(study, made_alike)
    with pytest.raises(EegSleepError, match="locked already"):
        write_lock(study, made_alike)
    second = write_lock(study, made_alike, {"n_draws": 99}, again=True)
    assert [entry["sha256"] for entry in second["replaces"]] == [first["sha256"]]


def test_after_unmasking_no_lock_can_be_made(sealed, made_alike):
    study, key = sealed
    write_lock(study, made_alike)
    unmask(study, key)
    with pytest.raises(EegSleepError, match="its codes were opened"):
        write_lock(study, made_alike, again=True)


def test_another_key_does_not_open_the_codes(sealed, made_alike, tmp_path):
    study, _ = sealed
    write_lock(study, made_alike)
    seal_key(("A", "B"), tmp_path / "other.json", active="A")
    with pytest.raises(SettingsError, match="not the key that was sealed"):
        unmask(study, tmp_path / "other.json")
    with pytest.raises(EegSleepError, match="without the sealed key"):
        unmask(study)
    with pytest.raises(EegSleepError, match="without the sealed key"):
        unmask(dataclasses.replace(study, active="B"))


def test_an_open_study_needs_no_key_but_a_lock_that_says_so(folder, made_alike):
    folder.toml = folder.toml.replace("seed = 7", 'seed = 7\nactive = "B"')
    study = folder.read()
    with pytest.raises(EegSleepError, match="not locked"):
        unmask(study)
    assert write_lock(study, made_alike)["open_label"]
    assert unmask(study).active == "B"


def test_conditions_are_known_only_once_the_codes_were_opened(folder):
    folder.toml = folder.toml.replace("seed = 7", 'seed = 7\nactive = "B"')
    study = folder.read()
    made = {
        night: {"settings": {}, "versions": {}, "fingerprint": night}
        for night in study.nights.loc[study.nights["file"] != "", "night"]
    }
    write_lock(study, made)
    assert find_opened_conditions(folder.folder) == {}
    unmask(study)
    found = find_opened_conditions(folder.folder)
    given = study.nights[study.nights["condition"] != ""]
    assert list(found) == given["night"].tolist()
    assert {found[night] for night in given.loc[given["condition"] == "B", "night"]} == {"compound"}
    folder.path.unlink()
    assert find_opened_conditions(folder.folder) == {}
