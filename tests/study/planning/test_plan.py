"""A plan says what a design can show, and plainly what it cannot."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from redrawing import redrawn_p

from eegsleep.errors import SettingsError
from eegsleep.markers import CATALOGUE
from eegsleep.statistics.groups import compare_groups
from eegsleep.study.declared.manifest import read_protocol, read_study, write_template
from eegsleep.study.masking.registration import compare_with_protocol
from eegsleep.study.masking.sealed_key import hash_key, open_key, seal_key
from eegsleep.study.planning.plan import draw_plan, measure_spreads, nights_needed
from eegsleep.study.planning.power import (
    Spread,
    catalogue_spread,
    estimate_spread,
    nights_to_reach,
    published_spreads,
    smallest_p,
)
from eegsleep.study.planning.simulated_studies import (
    Noise,
    difference_weights,
    simulate_studies,
)
from eegsleep.study.planning.written_plan import write_plan
from eegsleep.study.schedules.mechanisms import Mechanism, enumerate_all, redraw
from eegsleep.study.schedules.schedule import draw_schedule, find_violation, plan_nights
from eegsleep.tables import POWER, SCHEDULE, check_table

WORDS = "three small words"


def planned(study, kind="pairs", nights=12, subjects=("S01",), **parameters):
    mechanism = Mechanism(kind, **parameters)
    return dataclasses.replace(
        study, mechanism=mechanism, planned=dataclasses.replace(study.planned, nights=nights, subjects=tuple(subjects))
    )


@pytest.mark.parametrize(
    ("mechanism", "n", "expected"),
    [
        *((Mechanism("pairs"), n, p) for n, p in ((6, 0.25), (8, 0.125), (10, 0.0625), (12, 0.03125), (14, 0.015625))),
        *((Mechanism("complete"), n, p) for n, p in ((6, 0.1), (8, 2 / 70), (10, 2 / 252))),
        (Mechanism("max-run", max_run=2), 8, 2 / 34),
        (Mechanism("phases", min_phase=4, random_start=False), 24, 1 / 165),
        (Mechanism("phases", min_phase=4), 24, 2 / 330),
        (Mechanism("complete"), 60, 1e-4),
    ],
)
def test_the_smallest_p_of_a_design_is_the_published_one(mechanism, n, expected):
    assert smallest_p(mechanism, plan_nights(mechanism, n)) == pytest.approx(expected)


def test_missing_nights_raise_the_smallest_p():
    mechanism = Mechanism("pairs")
    nights = draw_schedule(mechanism, 12, 4)
    available = np.ones(14, dtype=bool)
    assert smallest_p(mechanism, nights, available) == pytest.approx(2 / 64)
    available[2:4] = False
    assert smallest_p(mechanism, nights, available) == pytest.approx(4 / 64)


def test_six_nights_in_pairs_can_never_be_significant_and_the_plan_says_so(study):
    plan = draw_plan(planned(study, nights=6), n_studies=200)
    assert not plan.can_answer
    assert math.isinf(plan.detectable_sd)
    assert plan.sentences[0] == (
        "6 nights in pairs can never reach p ≤ 0.05: there are 8 possible schedules, and the smallest p-value is 0.25. "
        "This design cannot answer the question."
    )
    assert plan.sentences[1] == "At least 12 nights are needed."
    assert (plan.power["power"].dropna() == 0).all()


def test_a_plan_promises_nothing_that_the_comparison_refuses(study):
    """Seven nights have 70 schedules, and p = .029 of them; a finding takes eight nights."""
    made = dataclasses.replace(planned(study, nights=7), mechanism=Mechanism("complete"))
    plan = draw_plan(made, n_studies=200)
    assert not plan.can_answer
    assert plan.sentences[1] == "At least 8 nights are needed."
    assert (plan.power["power"].dropna() == 0).all()


@pytest.mark.nightly
def test_sleepers_are_drawn_within_their_strata_and_nights_csv_says_which(study, tmp_path):
    names = tuple(f"S{i:02d}" for i in range(1, 9))
    made = planned(study, "parallel", 2, names, strata="cov_site")
    made = dataclasses.replace(made, planned=dataclasses.replace(made.planned, strata=("north", "south") * 4))
    plan = draw_plan(made, n_studies=100)
    assert plan.n_schedules == 6 * 6
    drawn = plan.schedule[plan.schedule["condition"] != ""].groupby("subject")["condition"].first()
    assert sorted(drawn[list(names[::2])]) == sorted(drawn[list(names[1::2])]) == ["A", "A", "B", "B"]
    assert plan.schedule["subject"].drop_duplicates().tolist() == list(names)
    nights = made.path.parent / made.nights_file
    nights.unlink()
    write_plan(made, plan, tmp_path / "key.json", anyway=True)
    written = pd.read_csv(nights)
    assert written.groupby("cov_site")["subject"].unique().map(list).to_dict() == {
        "north": list(names[::2]),
        "south": list(names[1::2]),
    }


def test_strata_that_are_not_known_are_asked_for(study):
    with pytest.raises(SettingsError, match=r"0 values in plan\.strata\. Allowed: 4"):
        draw_plan(planned(study, "parallel", 2, ("S1", "S2", "S3", "S4"), strata="cov_site"))


def test_the_fewest_nights_that_can_reach_alpha():
    assert nights_to_reach(Mechanism("pairs"), 0.05) == (1, 12)
    assert nights_to_reach(Mechanism("complete"), 0.05) == (1, 8), "what compare takes for a finding"
    assert nights_to_reach(Mechanism("crossover"), 0.05) == (7, 0)


@pytest.mark.parametrize(
    ("kind", "n", "autocorrelation", "published"),
    [
        ("pairs", 12, 0.0, (0.06, 0.14, 0.20, 0.42)),
        ("pairs", 20, 0.0, (0.17, 0.36, 0.49, 0.84)),
        ("pairs", 28, 0.0, (0.21, 0.49, 0.67, 0.95)),
        ("pairs", 40, 0.0, (0.33, 0.67, 0.84, 0.99)),
        ("pairs", 60, 0.0, (0.47, 0.84, 0.96, 1.0)),
        ("pairs", 28, 0.3, (0.31, 0.65, 0.84, 0.99)),
        ("pairs", 40, 0.3, (0.43, 0.82, 0.95, 1.0)),
        ("complete", 28, 0.3, (0.25, 0.55, 0.72, 0.98)),
    ],
)
def test_power_is_near_that_of_other_simulations(kind, n, autocorrelation, published):
    mechanism = Mechanism(kind)
    nights = plan_nights(mechanism, n)
    simulated = simulate_studies(mechanism, nights, Noise(autocorrelation), 1500, 499, seed=1)
    found = [simulated.power(effect, 0.05) for effect in (0.5, 0.8, 1.0, 1.5)]
    assert found == pytest.approx(published, abs=0.055)
    assert sorted(found) == found


@pytest.mark.parametrize(
    ("kind", "n", "subjects"),
    [
        ("pairs", 20, 1),
        ("max-run", 20, 1),
        ("complete", 20, 1),
        ("phases", 28, 1),
        ("crossover", 2, 12),
        ("parallel", 3, 16),
    ],
)
def test_without_an_effect_the_test_errs_as_often_as_it_may(kind, n, subjects):
    mechanism = Mechanism(kind)
    nights = plan_nights(mechanism, n, [f"S{i}" for i in range(subjects)])
    noise = Noise(0.5, effect_between_subjects=0.0)
    error = simulate_studies(mechanism, nights, noise, 2000, 499, seed=3).power(0.0, 0.05)
    assert 0.03 < error < 0.062


@pytest.mark.parametrize(
    ("mechanism", "n"),
    [
        (Mechanism("pairs"), 10),
        (Mechanism("complete"), 10),
        (Mechanism("phases", min_phase=3), 16),
        (Mechanism("phases", min_phase=4, random_start=False, wash_out_nights=1), 20),
    ],
)
def test_power_uses_the_same_test_as_the_comparison(mechanism, n):
    nights = draw_schedule(mechanism, n, 2, adaptation_nights=0)
    simulated = simulate_studies(mechanism, nights, Noise(), 20, seed=5)
    streams = np.random.SeedSequence(5).generate_state(3)
    followed = redraw(mechanism, nights, 20, int(streams[0]))
    values = np.random.default_rng(int(streams[2]))
    draws = enumerate_all(mechanism, nights)
    statistic = "phase means" if mechanism.kind == "phases" else "difference"
    last = values.standard_normal(20)
    y = np.empty((20, n))
    for night in range(n):
        last = values.standard_normal(20) if night else last
        y[:, night] = last
    theirs = [
        redrawn_p(own + z, z, draws, statistic=statistic, complete=True, wash_out_nights=mechanism.wash_out_nights)[0]
        for own, z in zip(y, followed, strict=True)
    ]
    assert simulated.listed
    assert simulated.p_values(1.0) == pytest.approx(np.array(theirs))


def test_the_power_of_few_sleepers_is_that_of_the_test_over_sleepers():
    """Redrawing finds this effect in most of such studies; a t test over two sleepers, which decides, seldom does."""
    mechanism = Mechanism("pairs")
    nights = plan_nights(mechanism, 16, ["S1", "S2"], adaptation_nights=0)
    assert simulate_studies(mechanism, nights, Noise(), 1500, seed=4).power(1.0, 0.05) < 0.25


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "n", "subjects"), [("pairs", 16, 5), ("complete", 12, 8), ("crossover", 2, 12)])
def test_a_plan_of_several_sleepers_rejects_as_often_as_the_comparison_does(kind, n, subjects):
    mechanism = Mechanism(kind)
    nights = plan_nights(mechanism, n, [f"S{i}" for i in range(subjects)], adaptation_nights=0)
    promised = simulate_studies(mechanism, nights, Noise(), 1500, seed=4).power(1.2, 0.05)
    followed = redraw(mechanism, nights, 150, 8)
    rng = np.random.default_rng(9)
    whose = np.repeat(np.arange(subjects), n)
    days = np.tile(np.arange(n) - (n - 1) / 2, subjects)[:, np.newaxis]
    first = followed[:, ::n] if kind == "crossover" else None
    found = 0
    for study, z in enumerate(followed):
        effects = 1.2 + 0.5 * rng.standard_normal(subjects)
        y = rng.standard_normal(subjects)[whose] + effects[whose] * z + rng.standard_normal(len(whose))
        fixed = days
        if kind == "crossover":
            fixed = np.column_stack([np.tile([0.0, 1.0], subjects), np.repeat(first[study], n)])
        found += compare_groups(y, z, whose, "within", fixed).chosen.p <= 0.05
    assert found / 150 == pytest.approx(promised, abs=0.12)  # three standard errors of 150 studies


def test_three_primary_endpoints_share_alpha_in_the_plan_as_in_the_comparison():
    mechanism = Mechanism("pairs")
    nights = plan_nights(mechanism, 28, adaptation_nights=0)
    one, three = (simulate_studies(mechanism, nights, None, 600, 499, seed=2, n_primary=n) for n in (1, 3))
    assert one.power(1.0, 0.05) == pytest.approx(0.67, abs=0.06)
    assert three.power(1.0, 0.05) == pytest.approx(0.47, abs=0.06)
    assert three.power(0.0, 0.05) < 0.03


def test_two_sleepers_are_told_what_is_possible_at_all(study):
    words = " ".join(draw_plan(planned(study, nights=16, subjects=("S1", "S2")), n_studies=200).sentences)
    assert "2 sleepers leave 1 degree of freedom" in words
    assert "Each sleeper also has a row of their own" in words
    assert "sleepers are needed" in words


def test_weights_are_the_difference_of_means_of_each_sleeper():
    mechanism = Mechanism("crossover", nights_per_period=2)
    nights = draw_schedule(mechanism, 4, 1, ["a", "b", "c"])
    draw = (nights["condition"] == "B").to_numpy()
    y = np.arange(len(nights), dtype=float) ** 2
    frame = nights.assign(y=y)[nights["condition"] != ""]
    means = frame.pivot_table("y", "subject", "condition")
    found = difference_weights(mechanism, nights, draw[None, :])[0] @ y
    assert found == pytest.approx((means["B"] - means["A"]).mean())


def test_the_spread_of_own_nights_is_measured_without_their_conditions():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=4000)
    series = np.empty(4000)
    series[0] = noise[0]
    for i in range(1, 4000):
        series[i] = 0.4 * series[i - 1] + noise[i]
    spread = estimate_spread(60 * series, "min")
    assert spread.autocorrelation == pytest.approx(0.4, abs=0.05)
    assert spread.sd == pytest.approx(60 / math.sqrt(1 - 0.16), rel=0.05)
    few = estimate_spread([1.0, 2.0, 3.0, 2.0, 1.0, np.nan], "min")
    assert few.sd_upper == pytest.approx(few.sd * math.sqrt(4 / 1.6488), rel=1e-3)
    with pytest.raises(SettingsError, match="4 nights"):
        estimate_spread([1.0, 2.0, 3.0, 2.0], "min")


def test_the_spread_of_several_sleepers_is_that_within_them():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(level, 2, 500) for level in (100, 200, 300)])
    names = np.repeat(["a", "b", "c"], 500)
    assert estimate_spread(values, "min", subjects=names).sd == pytest.approx(2, rel=0.1)
    with pytest.raises(SettingsError, match="6 nights"):
        estimate_spread([1, 2, 1, 2, 1, 2], "min", subjects=list("aabbcc"))


def test_spreads_are_measured_of_the_primary_endpoints_with_enough_nights(study):
    nights = [f"n{i}" for i in range(9)]
    tst = pd.DataFrame(
        {"night": nights, "marker": "tst_min", "stage": "", "channel": "", "value": np.arange(9.0), "clean_min": np.nan}
    )
    other = tst.iloc[:3].assign(marker="fast_spindle_density_per_min", stage="NREM", channel="C3")
    spreads = measure_spreads(study, pd.concat([tst, other]))
    assert list(spreads) == ["tst_min||"]
    assert (spreads["tst_min||"].unit, spreads["tst_min||"].n_nights) == ("min", 9)


@pytest.mark.nightly
def test_effects_in_minutes_are_judged_by_the_catalogue_or_by_own_nights(study):
    plan = draw_plan(planned(study, nights=28), n_studies=300)
    row = plan.power[plan.power["endpoint"] == "tst_min||"].iloc[0]
    assert (row["effect"], row["unit"], row["effect_sd"]) == (pytest.approx(15), "min", pytest.approx(15 / 67))
    assert "Messman" in row["source"]
    steady = Spread(10.0, 12.0, "min", 0.2, 9, "own nights, 9 nights")
    own = draw_plan(planned(study, nights=28), {"tst_min||": steady}, n_studies=300)
    assert own.power.iloc[-1]["effect_sd"] == pytest.approx(15 / 12)
    assert own.power.iloc[-1]["power"] > row["power"] + 0.3
    with pytest.raises(SettingsError, match="not a primary endpoint"):
        draw_plan(study, {"n3_min||": steady})


def test_an_effect_in_per_cent_is_set_against_a_spread_in_per_cent(study):
    """Of the mean of own nights, or as published; never against a spread in the marker's own unit."""
    density = "fast_spindle_density_per_min|NREM|C3"
    study = dataclasses.replace(planned(study, nights=28), primary=(density,), smallest_effects={density: (12.0, "%")})
    row = draw_plan(study, n_studies=50).power.iloc[-1]
    assert (row["effect_sd"], row["effect"], row["unit"]) == (pytest.approx(0.5), pytest.approx(12), "%")
    assert "Eggert" in row["source"]
    own = estimate_spread([4.0, 6.0, 5.0, 4.0, 6.0], "/min")
    row = draw_plan(study, {density: own}, n_studies=50).power.iloc[-1]
    assert row["effect_sd"] == pytest.approx(0.12 * 5 / own.sd_upper)
    in_unit = dataclasses.replace(study, smallest_effects={density: (0.5, "/min")})
    plan = draw_plan(in_unit, n_studies=50)
    assert math.isnan(plan.power.iloc[-1]["effect_sd"])
    assert any("not known" in words for words in plan.sentences)
    tst = dataclasses.replace(study, primary=("tst_min||",), smallest_effects={"tst_min": (10.0, "%")})
    assert draw_plan(tst, n_studies=50).power.iloc[-1]["effect_sd"] == pytest.approx(10 / 18.6)


def test_more_nights_are_named_and_suffice(study):
    study = dataclasses.replace(planned(study, nights=20), primary=study.primary[:1])
    n = nights_needed(study, 1.0)
    assert 26 <= n <= 40  # 28 give .67 and 40 give .84
    simulated = simulate_studies(study.mechanism, plan_nights(study.mechanism, n), None, 1000, seed=9)
    assert simulated.power(1.0, 0.05) == pytest.approx(0.8, abs=0.06)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "nights", "subjects"),
    [
        ("pairs", 28, 1),
        ("max-run", 28, 1),
        ("complete", 28, 1),
        ("phases", 28, 1),
        ("crossover", 2, 10),
        ("parallel", 3, 12),
    ],
)
def test_every_design_is_planned(study, kind, nights, subjects):
    own = planned(study, kind, nights, [f"S{i:02d}" for i in range(subjects)])
    plan = draw_plan(dataclasses.replace(own, primary=study.primary[:1]), n_studies=500)
    assert find_violation(own.mechanism, plan.schedule) is None
    assert check_table(plan.power, POWER)["power"].between(0, 1).all()
    assert plan.can_answer == (plan.smallest_p <= 0.05)


@pytest.mark.nightly
def test_a_design_that_does_not_suit_the_compound_is_told(study):
    slow = dataclasses.replace(planned(study), half_life_h=40.0)
    words = " ".join(draw_plan(slow, n_studies=50).sentences)
    assert "phases" in words
    assert "weekend_balance" in words
    quick = dataclasses.replace(planned(study, nights=28), half_life_h=8.0)
    words = " ".join(draw_plan(quick, n_studies=50).sentences)
    assert "of which 30 % are left the next night, this design shows 85 %" in words
    fixed = planned(study, "phases", 28, min_phase=4, random_start=False)
    assert "random_start = true" in " ".join(draw_plan(fixed, n_studies=50).sentences)


def test_an_observational_plan_promises_no_p_value(study):
    plan = draw_plan(dataclasses.replace(planned(study, "observational"), design="observational"))
    assert math.isnan(plan.smallest_p)
    assert "no p-value" in plan.sentences[0]
    assert (plan.schedule["condition"] == "").all()


def test_nothing_is_written_for_an_observational_study(study, tmp_path):
    """No schedule, no key, and the study file is left as it was."""
    before = {path.name: path.read_bytes() for path in study.path.parent.iterdir()}
    observed = dataclasses.replace(planned(study, "observational"), design="observational")
    with pytest.raises(SettingsError, match="no schedule to draw"):
        write_plan(observed, draw_plan(observed), tmp_path / "key.json")
    assert {path.name: path.read_bytes() for path in study.path.parent.iterdir()} == before
    assert not (tmp_path / "key.json").exists()


def test_a_plan_written_down_is_a_study_ready_for_its_nights(tmp_path):
    path, nights = write_template(tmp_path / "study")
    study = read_protocol(path)
    plan = draw_plan(study, n_studies=50)
    key = tmp_path / "elsewhere" / "key.json"
    hashes = write_plan(study, plan, key)
    ready = read_study(path)
    assert ready.schedule == "schedule.csv"
    assert ready.key_sha256 == hashes["key_sha256"]
    assert ready.nights["condition"].tolist() == plan.schedule["condition"].tolist()
    assert nights.read_text().startswith("# One row")
    assert json.loads((path.parent / "plan.json").read_text())["smallest_p"] == plan.smallest_p
    schedule = pd.read_csv(path.parent / "schedule.csv", keep_default_na=False)
    assert list(schedule.columns) == SCHEDULE.column_names
    assert open_key(key, ("A", "B"), hashes["key_sha256"]) in {"A", "B"}
    for file in path.parent.iterdir():
        assert json.loads(key.read_text())["salt"] not in file.read_text()
    with pytest.raises(SettingsError, match="drawn once"):
        write_plan(study, plan, tmp_path / "second.json")


def test_a_sealed_key_is_bound_by_its_hash_and_drawn_by_coin(tmp_path):
    active = set()
    for i in range(40):
        sha = seal_key(("A", "B"), tmp_path / f"{i}.json")
        active.add(open_key(tmp_path / f"{i}.json", ("A", "B"), sha))
    assert active == {"A", "B"}
    content = json.loads((tmp_path / "0.json").read_text())
    turned = {code: "control" if role == "compound" else "compound" for code, role in content["codes"].items()}
    (tmp_path / "0.json").write_text(json.dumps({"codes": turned, "salt": content["salt"]}))
    with pytest.raises(SettingsError, match="not the key that was sealed"):
        open_key(tmp_path / "0.json", ("A", "B"), hash_key(content["codes"], content["salt"]))


def test_a_plan_that_cannot_answer_does_not_ask_for_as_many_nights_as_it_has(tmp_path):
    """Twelve nights behind two for adaptation meet other weekends than twelve that begin at once."""
    path, _ = write_template(tmp_path)
    path.write_text(path.read_text().replace("nights = 28", "nights = 12"))
    planned = draw_plan(read_protocol(path), n_studies=20)
    assert not planned.can_answer
    assert "At least 14 nights are needed." in planned.sentences


@pytest.fixture
def template(tmp_path):
    """Return the study file of a template in a folder of its own."""
    return write_template(tmp_path / "study")[0]


def test_a_plan_registers_a_protocol_with_one_hash(template, tmp_path):
    study = read_protocol(template)
    hashes = write_plan(study, draw_plan(study, n_studies=20), tmp_path / "elsewhere" / "key.json")
    registered = json.loads((template.parent / "protocol.json").read_text())
    assert registered["sha256"] == hashes["protocol_sha256"]
    assert registered["protocol"]["primary"] == list(study.primary)
    assert registered["protocol"]["planned"]["nights"] == 28
    assert registered["schedule_sha256"] == hashes["schedule_sha256"]
    assert registered["key_sha256"] == hashes["key_sha256"]
    assert compare_with_protocol(read_study(template), registered) == ()


def test_a_copied_study_file_is_told_from_a_planned_one_and_planned_anew(template, tmp_path):
    """Its key hash is that of another study: the codes could not be opened at the end."""
    first = read_protocol(template)
    write_plan(first, draw_plan(first, n_studies=20), tmp_path / "elsewhere" / "key.json")
    copied = tmp_path / "copy" / "study.toml"
    copied.parent.mkdir()
    copied.write_bytes(template.read_bytes())
    study = read_protocol(copied)
    plan = draw_plan(study, n_studies=20)
    with pytest.raises(SettingsError, match=r"of another plan.*eegsleep plan --replace"):
        write_plan(study, plan, tmp_path / "other.json")
    hashes = write_plan(study, plan, tmp_path / "other.json", replace=True)
    ready = read_study(copied)
    assert ready.key_sha256 == hashes["key_sha256"] != first.key_sha256
    assert open_key(tmp_path / "other.json", ("A", "B"), ready.key_sha256) in {"A", "B"}


def test_a_plan_is_drawn_again_after_a_correction_but_not_after_a_night(template, tmp_path):
    study = read_protocol(template)
    key = tmp_path / "elsewhere" / "key.json"
    before = write_plan(study, draw_plan(study, n_studies=20), key)
    template.write_text(template.read_text().replace("nights = 28", "nights = 20"))
    corrected = read_protocol(template)
    plan = draw_plan(corrected, n_studies=20)
    with pytest.raises(SettingsError, match="--replace"):
        write_plan(corrected, plan, key)
    sealed = key.read_bytes()
    with pytest.raises(SettingsError, match="active is not a code"):
        write_plan(corrected, plan, key, replace=True, active="X")
    assert key.read_bytes() == sealed, "a refusal loses no key"
    write_plan(corrected, plan, key, replace=True)
    ready = read_study(template)
    assert len(ready.nights) == 22
    registered = json.loads((template.parent / "protocol.json").read_text())
    assert [one["sha256"] for one in registered["replaces"]] == [before["protocol_sha256"]]
    nights = template.parent / "nights.csv"
    nights.write_text(nights.read_text().replace("S01-003,2026-01-07,", "S01-003,2026-01-07,n.edf", 1))
    with pytest.raises(SettingsError, match=r"nights were recorded by it\. Found: S01-003"):
        write_plan(ready, plan, key, replace=True)


def test_a_design_that_cannot_answer_is_not_written_unasked(template, tmp_path):
    template.write_text(template.read_text().replace("nights = 28", "nights = 8"))
    study = read_protocol(template)
    plan = draw_plan(study, n_studies=20)
    with pytest.raises(SettingsError, match=r"Write nights = 1[24] in \[plan\], or write it all the same"):
        write_plan(study, plan, tmp_path / "elsewhere" / "key.json")
    assert not (template.parent / "schedule.csv").exists()
    write_plan(study, plan, tmp_path / "elsewhere" / "key.json", anyway=True)
    assert (template.parent / "schedule.csv").exists()


def test_an_encrypted_key_is_read_with_its_passphrase_only(tmp_path):
    """It lies beside the study, where the sleeper comes upon it."""
    sha = seal_key(("A", "B"), tmp_path / "key.json", active="B", passphrase=WORDS)
    text = (tmp_path / "key.json").read_text()
    assert not any(word in text for word in ("compound", "control", "codes"))
    assert open_key(tmp_path / "key.json", ("A", "B"), sha, WORDS) == "B"
    assert open_key(tmp_path / "key.json", ("A", "B"), sha, " Three small words ") == "B", "as typed by hand"
    with pytest.raises(SettingsError, match="does not open"):
        open_key(tmp_path / "key.json", ("A", "B"), sha, "another")
    with pytest.raises(SettingsError, match="no passphrase"):
        open_key(tmp_path / "key.json", ("A", "B"), sha)
    other = seal_key(("A", "B"), tmp_path / "two.json", active="A", passphrase=WORDS)
    assert other != sha
    assert len((tmp_path / "two.json").read_text()) == len(text), "the length tells nothing"


def test_published_spreads_are_sourced_and_give_way_to_own_nights(study):
    measured = {"waso_min": 36, "n2_min": 28, "rem_min": 21, "n3_min": 9, "n1_min": 7.5}
    assert {marker: catalogue_spread(marker).sd for marker in measured} == measured
    assert all(spread.source for spread in published_spreads().values())
    assert all(marker in CATALOGUE for marker, _ in published_spreads())
    nights = [f"n{i}" for i in range(5)]
    own = pd.DataFrame({"night": nights, "marker": "rem_min", "stage": "", "channel": "", "clean_min": np.nan})
    effects = {"rem_min": (10, "min")}
    made = dataclasses.replace(planned(study, nights=28), primary=("rem_min||",), smallest_effects=effects)
    four, five = (measure_spreads(made, own.assign(value=[80.0, 90, 100, 85, 95]).iloc[:n]) for n in (4, 5))
    assert four == {}
    assert "BOAS" in draw_plan(made, four, n_studies=20).power.iloc[-1]["source"]
    assert "own nights" in draw_plan(made, five, n_studies=20).power.iloc[-1]["source"]


def test_the_plan_keeps_the_columns_of_nights_csv_that_are_its_owners(tmp_path):
    study_file, nights_file = write_template(tmp_path / "study")
    plan_it = read_protocol(study_file)
    write_plan(plan_it, draw_plan(plan_it, n_studies=20), tmp_path / "key.json")
    lines = [line for line in nights_file.read_text().splitlines() if not line.startswith("#")]
    assert lines[0].split(",")[-5:] == [
        "harm",
        "cov_alcohol_units",
        "cov_caffeine_mg_after_noon",
        "day_kss",
        "day_pvt_speed",
    ]
    assert len({line.count(",") for line in lines}) == 1
