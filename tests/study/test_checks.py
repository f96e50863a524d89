"""Fourteen checks, each with its number: one study in order, and for each check a study that is not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study

from eegsleep.errors import TableError
from eegsleep.study.checks import run_checks
from eegsleep.study.schedules.mechanisms import Mechanism
from eegsleep.tables import CHECKS

DENSITY = "fast_spindle_density_per_min|NREM|C3"


def marker_values(study, density=None, tst=None, clean_min=60.0):
    """Long table of the two primary endpoints of every night."""
    n = len(study.nights)
    rng = np.random.default_rng(4)
    density = rng.normal(2, 0.3, n) if density is None else density
    tst = rng.normal(420, 2, n) if tst is None else tst
    clean = np.broadcast_to(clean_min, n)
    rows = [
        {"night": night, "marker": marker, "stage": stage, "channel": channel, "value": v, "clean_min": c}
        for marker, stage, channel, values in (
            ("fast_spindle_density_per_min", "NREM", "C3", density),
            ("tst_min", "", "", tst),
        )
        for night, v, c in zip(study.nights["night"], values, clean, strict=True)
    ]
    return pd.DataFrame(rows)


def check(study, code, values=None):
    return run_checks(study, values).set_index("code").loc[code]


def changed(study, **columns):
    return dataclasses.replace(study, nights=study.nights.assign(**columns))


def second(study):
    return (study.nights["condition"] == "B").to_numpy()


def recorded(study):
    """provenance.json of every night, recorded on its evening and judged usable."""
    return {
        row.night: {
            "id": row.night,
            "start": f"{row.date}T23:05:00",
            "input": {"sha256": f"hash of {row.night}"},
            "quality": {"verdict": "usable", "reasons": []},
        }
        for row in study.nights.itertuples(index=False)
    }


def test_a_study_in_order_passes_every_check(study):
    found = run_checks(study, marker_values(study), recorded(study))
    assert list(found.columns) == CHECKS.column_names
    assert found["code"].tolist() == [f"C{i}" for i in range(1, 15)]
    assert found["status"].tolist() == ["pass"] * 14, found[["code", "status", "message"]].to_string()
    assert found["message"].str.endswith(".").all()


def test_checks_that_need_values_say_that_they_lack_them(study):
    found = run_checks(study).set_index("code")["status"]
    assert found[["C4", "C10", "C12"]].tolist() == ["warn"] * 3
    assert found[["C1", "C2", "C3", "C5", "C6", "C7", "C8", "C9", "C11"]].tolist() == ["pass"] * 9


def test_c1_a_new_device_needs_its_own_adaptation(study):
    assert check(study, "C1")["value"] == 2
    device = np.where(np.arange(14) < 8, "Z1", "Z2")
    row = check(changed(study, device=device), "C1")
    assert (row["status"], row["value"]) == ("warn", 0)
    assert "Z2" in row["message"]


def test_c2_a_schedule_that_was_not_drawn_fails(study):
    wrong = changed(study, condition=[*study.nights["condition"][:-1], "A"])
    row = check(wrong, "C2")
    assert row["status"] == "fail"
    assert "could not have drawn" in row["message"]
    assert check(wrong, "C3")["status"] == "fail"


def test_c2_a_condition_that_goes_with_time_is_told(study):
    drift = dataclasses.replace(changed(study, condition=["", "", *"AAAAAABBBBBB"]), mechanism=Mechanism("complete"))
    row = check(drift, "C2")
    assert (row["status"], round(row["value"], 2)) == ("warn", 0.87)


def test_c2_a_condition_without_a_usable_night_fails(study):
    row = check(changed(study, file=np.where(second(study), "", study.nights["file"])), "C2")
    assert row["status"] == "fail"


def test_c3_missing_nights_can_take_significance_away(study):
    assert check(study, "C3")["value"] == pytest.approx(2 / 64)
    file = study.nights["file"].tolist()
    file[2] = file[3] = ""
    row = check(changed(study, file=file), "C3")
    assert (row["status"], row["value"]) == ("fail", pytest.approx(4 / 64))
    assert "nothing here can be called significant" in row["message"]


def test_c3_without_a_mechanism_there_is_no_p_value(study):
    open_study = dataclasses.replace(study, mechanism=Mechanism("observational"))
    assert "no p-value" in check(open_study, "C3")["message"]
    assert check(open_study, "C2")["status"] == "warn"


def test_c2_without_a_draw_a_condition_that_goes_with_the_weekend_fails(study):
    weekend = pd.to_datetime(study.nights["date"]).dt.day_of_week.isin([4, 5])
    nights = study.nights.assign(condition=np.where(weekend, "B", "A"), adaptation=False)
    confounded = dataclasses.replace(study, mechanism=Mechanism("observational"), nights=nights)
    row = check(confounded, "C2")
    assert (row["status"], row["value"]) == ("fail", 1)
    assert row["message"].endswith("What the weekend does cannot be told from what the condition does.")


def test_c4_a_drift_is_measured_in_standard_deviations(study):
    rng = np.random.default_rng(1)
    row = check(study, "C4", marker_values(study, density=np.linspace(1, 3, 14) + rng.normal(0, 0.1, 14)))
    assert row["status"] == "warn"
    assert row["value"] > 5
    assert "autocorrelation" in row["message"]


def test_c5_carry_over_is_found_and_never_judged(study):
    before = np.concatenate([[False], second(study)[:-1]])
    rng = np.random.default_rng(2)
    row = check(study, "C5", marker_values(study, density=2 + 0.5 * before + rng.normal(0, 0.05, 14)))
    assert row["value"] > 3
    assert row["status"] == "pass"
    assert np.isnan(row["limit"])


def test_c5_where_carry_over_cannot_be_told_it_warns(study):
    values = marker_values(study)
    few = values["night"].isin(study.nights["night"].iloc[2:6])
    assert check(study, "C5", values[few])["status"] == "warn"
    later = [f"2026-02-{day:02d}" for day in range(1, 7)]
    apart = changed(study, condition=["", "", *"AAAAAABBBBBB"], date=[*study.nights["date"][:8], *later])
    row = check(apart, "C5", values)
    assert (row["status"], row["message"]) == ("pass", "No night directly follows one of the other condition.")


def test_c6_a_device_that_goes_with_the_condition_fails(study):
    assert check(changed(study, device=np.where(second(study), "Z1", "Z2")), "C6")["status"] == "fail"
    once = np.where(np.arange(14) < 8, "Z1", "Z2")
    row = check(changed(study, device=once), "C6")
    assert (row["status"], row["value"]) == ("warn", 0)


def test_c6_goes_by_the_recordings_where_they_are_known(study):
    """nights.csv says one device; the files say that two recorded, one in each condition."""
    made = {
        night: {"device": "zmax" if b else "dreem", "roles": {"C3": "eeg", "E1": "eog"}}
        for night, b in zip(study.nights["night"], second(study), strict=True)
    }
    row = run_checks(study, provenances=made).set_index("code").loc["C6"]
    assert (row["status"], row["value"]) == ("fail", 1)
    assert "Z1 dreem (C3) 6 nights; Z1 zmax (C3) 6 nights" in row["message"]
    alike = {night: {"device": "zmax", "roles": {"C3": "eeg"}} for night in study.nights["night"]}
    assert run_checks(study, provenances=alike).set_index("code").loc["C6", "status"] == "pass"
    alike[study.nights["night"].iloc[4]]["roles"] = {"F3": "eeg"}
    row = run_checks(study, provenances=alike).set_index("code").loc["C6"]
    assert row["status"] == "warn"
    assert "Z1 zmax (F3) 1 nights" in row["message"]
    assert run_checks(study, provenances=alike).set_index("code").loc["C1", "status"] == "pass"


def test_c7_nights_missing_in_one_condition_are_told(study):
    file = study.nights["file"].to_numpy(dtype=object)
    file[np.flatnonzero(second(study))[:2]] = ""
    row = check(changed(study, file=file), "C7")
    assert (row["status"], row["value"]) == ("warn", pytest.approx(100 / 3))


def test_c8_an_exclusion_after_unmasking_fails(study):
    excluded = np.arange(14) == 5
    reason = np.where(excluded, "the night is judged unusable", "")
    late = changed(study, excluded=excluded, exclusion_reason=reason)
    assert check(late, "C8")["status"] == "fail"
    assert "S01-006" in check(late, "C8")["message"]
    assert check(changed(late, decided_masked=excluded), "C8")["status"] == "pass"
    other = changed(late, decided_masked=excluded, exclusion_reason=np.where(excluded, "did not like it", ""))
    assert check(other, "C8")["status"] == "warn"


def test_c9_longer_nights_in_one_condition_are_told(study):
    row = check(changed(study, lights_on=np.where(second(study), "07:40", "07:00")), "C9")
    assert (row["status"], row["value"]) == ("warn", 40)
    row = check(changed(study, lights_off=np.where(second(study), "00:10", "23:40")), "C9")
    assert (row["status"], row["value"]) == ("warn", -30)
    unknown = changed(study, lights_off="", lights_on="")
    assert check(unknown, "C9")["status"] == "warn"


def test_c10_nights_without_enough_of_the_stage_are_told(study):
    clean = np.where(np.arange(14) == 6, 4.0, 60.0)
    density = np.where(np.arange(14) == 6, np.nan, 2.0)
    row = check(study, "C10", marker_values(study, density=density, clean_min=clean))
    assert (row["status"], row["value"], row["limit"]) == ("warn", 4, 10)
    assert f"{DENSITY} is missing in 1 of 12 nights" in row["message"]


def test_c10_a_primary_endpoint_without_a_value_in_any_night_fails(study):
    values = marker_values(study)
    values.loc[values["marker"] == "fast_spindle_density_per_min", "value"] = np.nan
    row = check(study, "C10", values)
    assert row["status"] == "fail"
    assert "is missing in 12 of 12 nights" in row["message"]


def test_c11_guesses_that_are_right_are_told_masked_or_not(study):
    right = np.where(second(study), "compound", "control")
    right = np.where(study.nights["condition"] == "", "", right)
    masked = check(changed(study, guess=right), "C11")
    assert (masked["status"], masked["value"]) == ("warn", 1)
    assert "without its sign" in masked["message"]
    wrong = dataclasses.replace(changed(study, guess=right), active="A")
    assert check(wrong, "C11")["value"] == -1
    assert check(changed(study, guess=""), "C11")["status"] == "warn"
    assert check(study, "C11")["value"] == 0


def test_c12_sleep_lost_before_one_condition_is_told(study):
    ahead = np.concatenate([second(study)[1:], [False]])
    row = check(study, "C12", marker_values(study, tst=np.where(ahead, 360.0, 420.0)))
    assert (row["status"], row["value"]) == ("warn", -60)


def test_values_that_stand_twice_are_refused(study):
    values = marker_values(study)
    with pytest.raises(TableError, match="twice"):
        run_checks(study, pd.concat([values, values]))
    with pytest.raises(TableError, match="clean_min"):
        run_checks(study, values.drop(columns="clean_min"))


@pytest.mark.parametrize("kind", ["crossover", "parallel"])
def test_checks_hold_for_groups(study, kind):
    from eegsleep.study.schedules.schedule import draw_schedule

    mechanism = Mechanism(kind, nights_per_period=3)
    nights = draw_schedule(mechanism, 3, 1, [f"S{i}" for i in range(8)])
    blank = study.nights.iloc[:1].drop(columns=[c for c in nights if c in study.nights])
    nights = nights.drop(columns="weekday").merge(blank, how="cross").assign(file="x.edf", guess="?")
    group = dataclasses.replace(study, mechanism=mechanism, nights=nights, design=kind)
    found = run_checks(group, marker_values(group)).set_index("code")["status"]
    assert found[["C1", "C2", "C3", "C4", "C6", "C7", "C8", "C9"]].tolist() == ["pass"] * 8
    drift = 2 + nights["date"].str[-2:].astype(float) + np.random.default_rng(1).normal(0, 0.05, len(nights))
    assert check(group, "C4", marker_values(group, density=drift))["status"] == "warn"


def recording_check(study, made, **left_out):
    found = run_checks(study, provenances=made, left_out=left_out or None).set_index("code")
    return found.loc["C13"], found.loc["C14"]


def test_c13_two_recordings_that_were_exchanged_fail(study):
    """Exchanged between conditions, two nights hid an effect of ten standard deviations without a word."""
    made = recorded(study)
    made["S01-003"]["start"], made["S01-004"]["start"] = made["S01-004"]["start"], made["S01-003"]["start"]
    row, _ = recording_check(study, made)
    assert (row["status"], row["value"]) == ("fail", 2)
    assert "S01-003 is dated 2026-01-07, and its recording began on the evening of 2026-01-08." in row["message"]


def test_c13_a_night_that_begins_after_midnight_is_of_the_evening_before(study):
    made = recorded(study)
    made["S01-003"]["start"] = "2026-01-08T00:40:00"
    assert recording_check(study, made)[0]["status"] == "pass"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "S01-009"}, "The folder of S01-003 holds the night S01-009."),
        ({"input": {"sha256": "hash of S01-005"}}, "S01-003 and S01-005 are one recording."),
        ({"start": "2026-01-09T23:05:00"}, "S01-003 and S01-005 began at the same moment."),
    ],
)
def test_c13_a_recording_of_another_night_fails(study, change, words):
    made = recorded(study)
    made["S01-003"] |= change
    row, _ = recording_check(study, made)
    assert row["status"] == "fail"
    assert words in row["message"]


def test_c13_a_file_that_has_the_name_of_another_night_fails(study):
    files = study.nights["file"].replace({"S01-003.edf": "S01-004.edf", "S01-004.edf": "S01-003.edf"})
    row, _ = recording_check(changed(study, file=files), recorded(study))
    assert (row["status"], row["value"]) == ("fail", 2)


def test_c13_recordings_without_dates_cannot_be_checked_and_say_so(study):
    made = recorded(study)
    for own in made.values():
        own["start"] = ""
    assert recording_check(study, made)[0]["status"] == "warn"
    for i, own in enumerate(made.values()):
        own["start"] = f"1985-01-01T22:{i:02d}:00"  # as anonymisers write
    row, _ = recording_check(study, made)
    assert row["status"] == "warn"
    assert "one date" in row["message"]


def test_c13_a_clock_that_was_wrong_all_along_is_no_exchange(study):
    made = recorded(study)
    for row, own in zip(study.nights.itertuples(index=False), made.values(), strict=True):
        own["start"] = f"{(pd.Timestamp(row.date) + pd.Timedelta(days=3)).date()}T23:05:00"
    row, _ = recording_check(study, made)
    assert row["status"] == "warn"
    assert "3 days after" in row["message"]


def test_c14_the_verdict_on_the_signals_is_held_against_the_exclusions_both_ways(study):
    made = recorded(study)
    made["S01-006"]["quality"]["verdict"] = "reject"
    _, row = recording_check(study, made)
    assert row["status"] == "fail"
    assert "S01-006 is judged reject and enter" in row["message"]
    excluded = study.nights["night"] == "S01-008"
    reason = np.where(excluded, "the night is judged unusable", "")
    left = recorded(study)["S01-008"]
    _, row = recording_check(changed(study, excluded=excluded, exclusion_reason=reason), made, **{"S01-008": left})
    assert "Excluded as unusable, but not judged so: S01-008 (usable)." in row["message"]


@pytest.mark.parametrize(("order", "status"), [("AB" * 14, "fail"), ("ABBA" * 7, "fail"), ("AB" * 6, "warn")])
def test_c2_alternation_declared_as_pairs_is_found(order, status):
    """Fourteen coins give such an order once in 4,096 times."""
    study = make_study("pairs", len(order), seed=3)
    alternated = changed(study, condition=["", "", *order])
    row = check(alternated, "C2")
    assert row["status"] == status
    assert "The conditions alternate" in row["message"]
    assert "alternate" not in check(study, "C2")["message"]
