"""Control and two doses: the schedule, the trend, each dose by the closed test, and the study from plan to page."""

import dataclasses
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from made_studies import _BLANK, make_study, marker_rows

from eegsleep.errors import SettingsError, TableError
from eegsleep.statistics import resampling
from eegsleep.study.comparison.answer import describe_answer
from eegsleep.study.comparison.doses import compare_doses
from eegsleep.study.declared.doses import keep_two
from eegsleep.study.declared.manifest import read_study
from eegsleep.study.declared.protocol import read_protocol
from eegsleep.study.masking.lock import find_opened_conditions
from eegsleep.study.nightly_table import add_table
from eegsleep.study.planning.plan import draw_plan
from eegsleep.study.planning.simulated_studies import simulate_doses
from eegsleep.study.schedules.mechanisms import Mechanism, redraw_codes, support_size
from eegsleep.study.schedules.schedule import draw_schedule, find_violation, plan_nights
from eegsleep.tables import STUDY_NIGHTS, check_table
from eegsleep.workflows.study import compare_study, lock_study, plan_study

CODES = ("A", "B", "C")
DOSE_OF = {"A": 0.0, "C": 1500.0, "B": 3000.0}
TST = "tst_min||"


def study_of_doses(kind="blocks", n_nights=30, **changes):
    mechanism = Mechanism(kind, CODES)
    nights = draw_schedule(mechanism, n_nights, 3).assign(**_BLANK)
    nights = check_table(nights[STUDY_NIGHTS.column_names], STUDY_NIGHTS)
    fields = {"mechanism": mechanism, "conditions": CODES, "nights": nights, "doses_mg": (0.0, 1500.0, 3000.0)}
    fields |= {"dose_of": DOSE_OF, "active": "B", "primary": (TST,)}
    return dataclasses.replace(make_study("pairs", 4), **fields | changes)


def tst(study, *, low=0.0, high=0.0, seed=0):
    effect = study.nights["condition"].map({"C": low, "B": high}).fillna(0.0).to_numpy()
    noise = np.random.default_rng(seed).standard_normal(len(effect))
    return marker_rows(study, "tst_min", 420 + 10 * (noise + effect), "min", "", "")


def by_contrast(comparison):
    return comparison.doses.set_index("contrast")


@pytest.mark.parametrize(("kind", "n"), [("blocks", 36), ("complete", 90)])
def test_every_order_of_three_conditions_is_equally_likely(kind, n):
    mechanism = Mechanism(kind, CODES)
    nights = plan_nights(mechanism, 6, adaptation_nights=0)
    possible = [
        order
        for order in itertools.product(range(3), repeat=6)
        if all(order.count(code) == 2 for code in range(3))
        and (kind == "complete" or (set(order[:3]) == {0, 1, 2} and set(order[3:]) == {0, 1, 2}))
    ]
    assert support_size(mechanism, nights) == len(possible) == n
    drawn, counts = np.unique(redraw_codes(mechanism, nights, 200 * n, 1), axis=0, return_counts=True)
    assert {tuple(order) for order in drawn.tolist()} == set(possible)
    assert ((counts - 200) ** 2 / 200).sum() < n + 4 * np.sqrt(2 * n)


@pytest.mark.parametrize("kind", ["blocks", "complete"])
def test_a_schedule_that_was_drawn_fits_and_one_that_was_edited_does_not(kind):
    study = study_of_doses(kind)
    assert find_violation(study.mechanism, study.nights) is None
    edited = study.nights.copy()
    first = edited.index[edited["condition"] == "A"][0]
    edited.loc[first, "condition"] = "B"
    assert find_violation(study.mechanism, edited) is not None


@pytest.mark.parametrize("kind", ["pairs", "max-run", "phases", "crossover", "parallel"])
def test_other_mechanisms_say_that_they_cannot_draw_three_conditions(kind):
    with pytest.raises(SettingsError, match=f"{kind} cannot draw three conditions"):
        Mechanism(kind, CODES)


def test_the_trend_is_the_slope_over_dose():
    study = study_of_doses("complete")
    values = tst(study, low=0.4, high=1.6)
    _, found = compare_doses(study, values, n_draws=199)
    nights = study.nights.assign(value=values["value"])[study.nights["condition"] != ""]
    days = pd.to_datetime(nights["date"]).astype("datetime64[s]").astype(np.int64) / 86400
    x = np.column_stack([np.ones(len(nights)), nights["condition"].map(DOSE_OF) / 3000, days - days.mean()])
    slope = np.linalg.lstsq(x, nights["value"].to_numpy(), rcond=None)[0][1]
    assert by_contrast(found).loc["trend", "difference"] == pytest.approx(slope)


def test_the_p_of_the_trend_is_the_share_of_all_schedules():
    rng = np.random.default_rng(5)
    blocks = [np.array(order) for order in itertools.permutations((0.0, 0.5, 1.0))]
    every = np.array([np.concatenate(parts) for parts in itertools.product(blocks, repeat=4)])
    y = rng.standard_normal(12) + 0.8 * every[17]
    doses = np.vstack([every[17], every])
    schedule = resampling.Schedule(doses[0] > 0, doses[1:] > 0, complete=True, doses=doses)
    sizes = np.abs(every @ (y - y.mean()))
    p = resampling.p_of_no_shift(resampling.shift_statistics(y, schedule))[0]
    assert p == pytest.approx((sizes >= sizes[17] * (1 - 1e-9)).mean())


def test_each_dose_is_compared_as_a_study_of_its_own_and_after_the_trend():
    study = study_of_doses()
    shown, found = compare_doses(study, tst(study, low=2.0, high=3.0), n_draws=999)
    rows = by_contrast(found)
    assert rows.loc[["control", "low dose", "high dose"], "dose_mg"].tolist() == [0.0, 1500.0, 3000.0]
    assert shown.mechanism.kind == "pairs"
    assert shown.compound == "c, 3000 mg"
    assert set(shown.nights["condition"]) == {"", "A", "B"}
    for contrast in ("low dose", "high dose"):
        assert rows.loc[contrast, "p_adjusted"] == max(rows.loc[contrast, "p"], rows.loc["trend", "p_adjusted"])
    assert found.markers.iloc[0]["verdict"] == "better"
    answer = describe_answer(shown, found)
    assert answer.word == "Yes"
    assert "1500 mg also differs from control" in answer.finding


def test_a_dose_without_a_trend_is_no_finding():
    study = study_of_doses()
    _, found = compare_doses(study, tst(study, low=2.5, high=0.0), n_draws=999)
    rows = by_contrast(found)
    assert rows.loc["low dose", "p"] < 0.05 < rows.loc["trend", "p_adjusted"]
    assert rows.loc["low dose", "p_adjusted"] == rows.loc["trend", "p_adjusted"]


def test_an_endpoint_that_goes_with_the_dose_leads_the_answer():
    study = study_of_doses()
    study = dataclasses.replace(study, primary=(TST, "rem_min||"))
    with_trend = tst(study, low=1.0, high=2.0, seed=1).assign(marker="rem_min")
    shown, found = compare_doses(study, pd.concat([tst(study), with_trend]), n_draws=999)
    trends = found.doses[found.doses["contrast"] == "trend"].set_index("marker")
    assert trends.loc["rem_min", "p_adjusted"] < 0.05 < trends.loc["tst_min", "p_adjusted"]
    doses = found.doses[found.doses["contrast"].isin(["low dose", "high dose"])]
    assert (doses["p_adjusted"] >= trends["p_adjusted"].max()).all(), "doses wait for the trend in every endpoint"
    answer = describe_answer(shown, found)
    assert answer.word == "In part"
    assert "With the dose it rises" in answer.finding


def test_masked_doses_are_not_compared():
    study = dataclasses.replace(study_of_doses(), dose_of={}, active=None)
    with pytest.raises(SettingsError, match="codes are masked"):
        compare_doses(study, tst(study))
    two = keep_two(study, "A", "C")
    assert two.active is None
    assert two.compound == "c", "no dose is named while masked"


def test_power_is_that_of_the_trend_and_grows_with_the_dose():
    study = study_of_doses()
    nights = plan_nights(study.mechanism, 30, adaptation_nights=0)
    simulated = simulate_doses(study.mechanism, nights, study.doses_mg, None, 400, 199, seed=2)
    assert simulated.power(0.0, 0.05) < 0.08
    low, high = simulated.power_of_doses(1.5, 0.05)
    assert low < high <= simulated.power(1.5, 0.05)
    few = plan_nights(study.mechanism, 9, adaptation_nights=0)
    simulated = simulate_doses(study.mechanism, few, study.doses_mg, None, 100, 199, seed=2)
    assert simulated.power(6.0, 0.05) > 0.5
    assert simulated.power_of_doses(6.0, 0.05) == (0.0, 0.0), "six nights of a dose and control give no finding"


WORDS = "three small words"
STUDY = """
[study]
title = "Two doses"
compound = "valerian"
design = "n-of-1"
conditions = ["A", "B", "C"]
doses_mg = [0, 300, 600]
seed = 7

[allocation]
mechanism = "blocks"
schedule = ""
key_sha256 = ""

[plan]
nights = 24

[endpoints]
primary = ["tst_min||"]
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("doses_mg = [0, 300, 600]", ""), "doses_mg does not fit"),
        (("[0, 300, 600]", "[0, 600, 300]"), "doses_mg does not fit"),
        (("nights = 24", 'nights = 24\nsubjects = ["S1", "S2"]'), "three conditions do not go with several sleepers"),
        (("nights = 24", "nights = 24\nlooks = [12]"), "three conditions do not go with interim looks"),
        (("seed = 7", 'seed = 7\nactive = "A"'), "three conditions do not go with an open label"),
        (("nights = 24", "nights = 25"), "does not hold each of three conditions equally often"),
        (('["A", "B", "C"]', '["A", "B"]'), "blocks hold three conditions"),
        (('"blocks"', '"blocks"\nweekend_balance = true'), "weekends cannot be balanced over three"),
    ],
)
def test_what_is_not_supported_is_said(tmp_path, change, message):
    (tmp_path / "study.toml").write_text(STUDY.replace(*change))
    with pytest.raises(SettingsError, match=message):
        read_protocol(tmp_path / "study.toml")


@pytest.mark.nightly
def test_a_study_of_two_doses_goes_from_plan_to_page(tmp_path):
    home = tmp_path / "study"
    home.mkdir()
    file, key = home / "study.toml", tmp_path / "key.json"
    file.write_text(STUDY)
    planned = plan_study(file, key=key, passphrase=WORDS)
    assert any("300 mg" in sentence for sentence in planned.plan.sentences)
    assert not any(role in (home / "study.toml").read_text() for role in ("low dose", "high dose"))
    nights = read_study(file, check_files=False).nights
    rng = np.random.default_rng(1)
    lines = ["Date,Asleep"] + [f"{date},{round(420 + 10 * rng.standard_normal())}" for date in nights["date"]]
    (home / "table.csv").write_text("\n".join(lines) + "\n")
    add_table(file, home / "table.csv", {"date": "Date", "tst_min": "Asleep"})
    lock_study(file)
    compared = compare_study(file, key=key, passphrase=WORDS)
    doses = pd.read_csv(home / "comparison_doses.csv").set_index("contrast")
    assert doses.loc["trend", "n_nights"] == 24
    assert len(pd.read_csv(home / "comparison_nights.csv")) == 24, "the nights of the low dose are kept"
    opened = json.loads((home / "unmasked.json").read_text())["codes"]
    assert opened[doses.loc["high dose", "code"]] == "high dose"
    assert set(find_opened_conditions(home).values()) == {"control", "low dose", "high dose"}
    page = compared.report.read_text(encoding="utf-8")
    assert 'id="doses"' in page
    assert "300 mg" in page
    low = doses.loc["low dose", "code"]
    meant = nights[nights["condition"] == low]["date"]
    own = [float(line.split(",")[1]) for line in lines[1:] if line.split(",")[0] in set(meant)]
    assert doses.loc["low dose", "mean"] == pytest.approx(np.mean(own))


def test_several_sleepers_in_the_nights_are_refused(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    plan = draw_plan(read_protocol(tmp_path / "study.toml"), n_studies=100)
    rows = plan.schedule.assign(file="", device="", excluded="false")
    rows.loc[rows.index[-3:], "subject"] = "S02"
    columns = ["subject", "night", "date", "file", "condition", "block", "adaptation"]
    rows.assign(adaptation=rows["adaptation"].map({True: "true", False: "false"}))[columns].to_csv(
        tmp_path / "nights.csv", index=False
    )
    with pytest.raises(TableError, match="three conditions are compared in one sleeper"):
        read_study(tmp_path / "study.toml", check_files=False)
