"""Next-day scores and the nights before them: joined to the right night, within persons, associations only."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_studies import FAST, make_study, marker_rows

from eegsleep.study.comparison.compare import compare_nights
from eegsleep.study.comparison.relations import MIN_RELATED_NIGHTS, relate_next_day
from eegsleep.study.schedules.mechanisms import is_weekend
from eegsleep.tables import RELATIONS, encode_table

WAVE = "swa_power_uv2"
UNITS = {FAST: "/min", WAVE: "µV²", "coupling_phase_rad": "rad"}


def _study(kind="complete", n_nights=24, subjects=("S01",), **changes):
    return make_study(kind, n_nights, subjects, seed=5, **({"primary": (f"{FAST}|NREM|C3",)} | changes))


def _values(study, **columns):
    """Return the long table of markers from one array of values a marker."""
    parts = [marker_rows(study, name, value, UNITS.get(name, "min")) for name, value in columns.items()]
    return pd.concat(parts, ignore_index=True)


def _autoregressive(rng, n, phi):
    noise = rng.standard_normal(n + 20)
    for i in range(1, n + 20):
        noise[i] += phi * noise[i - 1]
    return noise[20:] * np.sqrt(1 - phi**2)


def _row(table, marker=FAST, lag=0, score="day_pvt_speed"):
    chosen = table[(table["marker"] == marker) & (table["lag_nights"] == lag) & (table["score"] == score)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_a_score_belongs_to_the_night_in_its_row_and_lag_one_to_the_night_before():
    """In the row of a night stands the score of the day after; a score that copies a marker shows which night it is."""
    study = _study()
    rng = np.random.default_rng(0)
    density = rng.normal(2, 0.3, len(study.nights))
    study.nights["day_pvt_speed"] = density
    study.nights["day_late"] = np.concatenate([[0.0], density[:-1]])  # the night that ended the day before
    table = relate_next_day(study, _values(study, **{FAST: density}))
    assert _row(table)["partial_r"] == pytest.approx(1)
    assert _row(table)["estimate"] == pytest.approx(_row(table)["marker_sd"])
    assert _row(table, lag=1, score="day_late")["partial_r"] == pytest.approx(1)
    assert abs(_row(table, lag=1)["partial_r"]) < 0.6
    shuffled = study.nights.sample(frac=1, random_state=1).reset_index(drop=True)
    again = relate_next_day(dataclasses.replace(study, nights=shuffled), _values(study, **{FAST: density}))
    pd.testing.assert_frame_equal(again, table)


def test_a_true_relation_is_estimated_per_standard_deviation_of_ordinary_nights():
    study = _study(n_nights=40)
    rng = np.random.default_rng(1)
    second = (study.nights["condition"] == "B").to_numpy()
    density = rng.normal(2, 0.3, len(second)) + 2 * second  # the compound's effect is no part of the unit
    study.nights["day_pvt_speed"] = 4 + density + rng.normal(0, 0.1, len(second))
    row = _row(relate_next_day(study, _values(study, **{FAST: density})))
    assert row["marker_sd"] == pytest.approx(0.3, abs=0.08)
    assert row["low"] < 0.3 < row["high"]
    assert row["p_adjusted"] < 0.001
    assert "what causes it is open" in row["sentence"]
    assert row["role"] == "primary"


def test_the_compound_moving_both_is_no_relation():
    """Without the condition the compound's effect is seen twice; with it nothing is left."""
    study = _study(n_nights=40)
    rng = np.random.default_rng(2)
    second = (study.nights["condition"] == "B").to_numpy()
    density = rng.normal(2, 0.3, len(second)) + second
    study.nights["day_pvt_speed"] = 4 + second + rng.normal(0, 0.3, len(second))
    row = _row(relate_next_day(study, _values(study, **{FAST: density})))
    assert row["low_across"] > 0
    assert row["low"] < 0 < row["high"]


def test_practice_beside_a_drift_of_the_marker_is_no_relation():
    study = _study(n_nights=40)
    rng = np.random.default_rng(3)
    time = np.arange(len(study.nights))
    density = rng.normal(2, 0.2, len(time)) + time / len(time)
    study.nights["day_pvt_speed"] = 4 + 0.5 * np.log2(time + 1) + rng.normal(0, 0.3, len(time))
    row = _row(relate_next_day(study, _values(study, **{FAST: density})))
    assert row["low"] < 0 < row["high"]
    assert row["practice"] == pytest.approx(0.5, abs=0.15)
    assert abs(np.corrcoef(density, study.nights["day_pvt_speed"])[0, 1]) > 0.5


@pytest.mark.nightly
@pytest.mark.parametrize(("n_nights", "phi"), [(20, 0.3), (40, 0.3), (40, 0.6)])
def test_nothing_is_found_where_there_is_nothing(n_nights, phi):
    """Autocorrelated noise, practice in the score, a drift in the marker, the condition in both: about 5 % of 300."""
    study = _study("pairs", n_nights)
    rng = np.random.default_rng(n_nights)
    second = (study.nights["condition"] == "B").to_numpy()
    time = np.arange(len(second))
    names = [f"day_{i}" for i in range(300)]
    scores = {
        name: _autoregressive(rng, len(time), phi) + second + 2 * np.log(time + 1) / np.log(n_nights) for name in names
    }
    study = dataclasses.replace(study, nights=pd.concat([study.nights, pd.DataFrame(scores)], axis=1))
    found = []
    for start in range(0, 300, 30):  # a new marker for every thirty scores
        part = study.nights.drop(columns=[n for n in names if n not in names[start : start + 30]])
        marker = _autoregressive(rng, len(time), phi) + second + time / n_nights
        table = relate_next_day(dataclasses.replace(study, nights=part), _values(study, **{FAST: marker}))
        found += (table.loc[table["lag_nights"] == 0, "p"] <= 0.05).tolist()
    assert len(found) == 300
    assert 0.01 <= np.mean(found) <= 0.09


def test_weekends_kept_otherwise_are_no_relation():
    """A late Friday moves the night and the morning after; with nothing else in common they are not related."""
    found = []
    for seed in range(30):
        study, rng = _study(n_nights=28), np.random.default_rng(seed)
        weekend = 2.0 * is_weekend(study.nights["date"])
        study.nights["day_pvt_speed"] = weekend + rng.standard_normal(len(weekend))
        found.append(
            _row(relate_next_day(study, _values(study, **{FAST: weekend + rng.standard_normal(len(weekend))})))
        )
    assert sum(row["p"] <= 0.05 for row in found) <= 5, "most of 30 without weekends as a covariate"


def test_only_nights_of_one_person_are_set_against_each_other():
    """Who sleeps with more spindles is also faster, and no one is faster after nights with more."""
    study = _study("complete", 10, subjects=tuple(f"S{i}" for i in range(8)))
    rng = np.random.default_rng(12)
    level = study.nights["subject"].map({f"S{i}": i for i in range(8)}).to_numpy(dtype=float)
    density = level + rng.normal(0, 0.2, len(level))
    study.nights["day_pvt_speed"] = level + rng.normal(0, 0.2, len(level))
    row = _row(relate_next_day(study, _values(study, **{FAST: density})))
    assert abs(row["partial_r"]) < 0.3
    assert row["low"] < 0 < row["high"]
    assert row["marker_sd"] == pytest.approx(0.2, abs=0.05)
    assert row["n_subjects"] == 8


def test_a_relation_that_differs_between_persons_is_estimated_with_that_doubt():
    study = _study("complete", 14, subjects=tuple(f"S{i}" for i in range(10)))
    rng = np.random.default_rng(5)
    slope = study.nights["subject"].map(dict(zip((f"S{i}" for i in range(10)), rng.normal(1, 0.6, 10), strict=True)))
    density = rng.normal(0, 1, len(slope))
    study.nights["day_pvt_speed"] = slope.to_numpy() * density + rng.normal(0, 0.5, len(slope))
    row = _row(relate_next_day(study, _values(study, **{FAST: density})))
    assert row["method"] == "mixed model (Kenward-Roger)"
    assert row["df"] < 15, "as many as there are sleepers, not nights"
    assert row["low"] < 1 < row["high"]


def test_few_nights_and_angles_are_told_and_not_related():
    study = _study("complete", 12, primary=("coupling_phase_rad|NREM|C3", f"{FAST}|NREM|C3"))
    rng = np.random.default_rng(6)
    density = rng.normal(2, 0.3, len(study.nights))
    study.nights["day_pvt_speed"] = np.where(np.arange(len(density)) < 7, np.nan, density)
    table = relate_next_day(study, _values(study, **{FAST: density, "coupling_phase_rad": density}))
    row = _row(table)
    assert np.isnan(row[["estimate", "low", "p", "p_adjusted"]].astype(float)).all()
    assert row["reason"] == f"only {row['n_nights']} nights with both, {MIN_RELATED_NIGHTS} needed"
    assert _row(table, "coupling_phase_rad")["reason"] == "a phase has no more and no less"
    study.nights["day_pvt_speed"] = 4.0
    assert _row(relate_next_day(study, _values(study, **{FAST: density})))["reason"] == "every night has the same value"


def test_one_marker_of_each_measure_is_related_and_tests_are_counted():
    study = _study(n_nights=24)
    rng = np.random.default_rng(7)
    n = len(study.nights)
    study.nights["day_pvt_speed"], study.nights["day_kss"] = rng.normal(4, 1, n), rng.normal(5, 1, n)
    names = (FAST, "spindle_density_per_min", "fast_spindle_relative_density_per_min", WAVE, "n3_min", "n3_percent")
    table = relate_next_day(study, _values(study, **{name: rng.normal(5, 1, n) for name in names}))
    assert list(dict.fromkeys(table["marker"])) == [FAST, WAVE], "N3 measures what slow-wave activity does"
    assert table["marker"].iloc[0] == FAST, "primary endpoints come first"
    assert len(table) == 2 * 2 * 2
    assert table["n_tests"].tolist() == [1, *[7] * 7], "the first is declared by its place and tested by itself"
    assert table.iloc[0][["score", "lag_nights", "role"]].tolist() == ["day_pvt_speed", 0, "primary"]
    assert table["p_adjusted"].iloc[0] == table["p"].iloc[0]
    assert (table["p_adjusted"] >= table["p"]).all()
    assert encode_table(table, RELATIONS)


def test_without_a_mechanism_there_is_an_interval_and_no_p():
    study = _study("observational")
    rng = np.random.default_rng(8)
    study.nights["day_pvt_speed"] = rng.normal(4, 1, len(study.nights))
    row = _row(relate_next_day(study, _values(study, **{FAST: rng.normal(2, 0.3, len(study.nights))})))
    assert np.isfinite(row["low"])
    assert np.isnan(row["p"])
    assert row["reason"].startswith("no mechanism allocated the nights")
    assert row["sentence"].endswith("an association, not an effect.")


def test_a_comparison_holds_its_relations_and_a_study_without_scores_has_none():
    study = _study()
    rng = np.random.default_rng(9)
    values = _values(study, **{FAST: rng.normal(2, 0.3, len(study.nights))})
    assert compare_nights(study, values).relations.empty
    study.nights["day_pvt_speed"] = rng.normal(4, 1, len(study.nights))
    study.nights.loc[0, "day_pvt_speed"] = 9.0  # an adaptation night: its test is practice, its score does not enter
    comparison = compare_nights(study, values)
    pd.testing.assert_frame_equal(comparison.relations, relate_next_day(study, values))
    assert _row(comparison.relations)["n_nights"] == 24
