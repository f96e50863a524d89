"""Compound against control: what a comparison says, and what it refuses to say."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from made_studies import FAST, make_study, make_values, marker_rows, only_row

from eegsleep import tables
from eegsleep.errors import SettingsError, TableError
from eegsleep.study.comparison.compare import Comparison, compare_nights
from eegsleep.study.schedules.mechanisms import Mechanism


def test_a_large_effect_is_found_and_named():
    study = make_study(primary=(f"{FAST}|NREM|C4-M1",))
    row = only_row(compare_nights(study, make_values(study, effect=3.0)))
    assert row["verdict"] == "better"
    assert row["p"] <= 0.01
    assert row["low"] < row["difference"] < row["high"]
    assert row["low"] > 0
    assert row["ratio_low"] > 1
    assert row["n_control"] == row["n_compound"] == 10
    assert row["g_av"] > 1
    assert row["nap"] > 0.9
    assert row["role"] == "primary"


def test_a_comparison_shows_itself_in_two_lines_and_tells_no_direction_while_masked():
    values = make_values(make_study(), effect=3.0)
    opened, masked = (compare_nights(make_study(**given), values) for given in ({}, {"active": None}))
    assert repr(opened).splitlines()[0] == "<Comparison: nights 20, markers 1, verdicts 1 better, schedules 1024"
    assert "<td" in opened._repr_html_()
    for shown in (repr(masked), masked._repr_html_()):
        assert "masked" in shown
        assert "better" not in shown
        assert "worse" not in shown


def test_the_other_code_turns_the_sign():
    study = make_study()
    found = only_row(compare_nights(study, make_values(study, effect=3.0)))
    turned = only_row(compare_nights(dataclasses.replace(study, active="A"), make_values(study, effect=3.0)))
    assert turned["difference"] == pytest.approx(-found["difference"])
    assert turned["low"] == pytest.approx(-found["high"])
    assert turned["p"] == pytest.approx(found["p"])
    assert turned["verdict"] == "worse"


def test_masked_codes_give_no_direction():
    study = make_study(active=None)
    comparison = compare_nights(study, make_values(study, effect=3.0))
    assert only_row(comparison)["verdict"] == "masked"
    assert only_row(comparison)["control_sd"] == pytest.approx(1.0, abs=0.35)  # the effect is no part of it
    assert set(comparison.families["verdict"]) <= {"masked", "inconclusive"}


@pytest.mark.parametrize("kind", ["pairs", "max-run", "complete"])
def test_six_nights_never_yield_a_finding(kind):
    """However large the effect: neither six planned nights, nor six with a value among thirty."""
    for n_nights in (6, 30):
        study = make_study(kind, n_nights)
        values = make_values(study, effect=50.0)
        drawn = study.nights["condition"] != ""
        first = study.nights["night"][drawn].iloc[:6]
        row = only_row(compare_nights(study, values[values["night"].isin(first)]))
        assert not row["p"] <= 0.05
        assert row["verdict"] == "inconclusive"
        assert np.isnan(row["low"])
        assert row["reason"]


def test_six_nights_of_three_sleepers_are_no_finding_either():
    study = make_study("crossover", subjects=("a", "b", "c"), mechanism={"balanced": False})
    row = only_row(compare_nights(study, make_values(study, effect=50.0, sd=0.1)))
    assert row["n_control"] + row["n_compound"] == 6
    assert row["verdict"] == "inconclusive"
    assert np.isnan(row["p_adjusted"])


def test_a_primary_endpoint_that_was_never_measured_is_not_forgotten():
    study = make_study(primary=("sol_min||",))
    markers = compare_nights(study, make_values(study, effect=4.0)).markers.set_index("marker")
    assert markers.loc["sol_min", "role"] == "primary"
    assert markers.loc["sol_min", "reason"]
    assert markers.loc[FAST, "gate"] == "closed"


def test_no_declared_mechanism_no_p_value():
    study = make_study("observational", primary=(f"{FAST}|NREM|C4-M1",))
    comparison = compare_nights(study, make_values(study, effect=5.0))
    row = only_row(comparison)
    assert np.isnan(row[["p", "p_randomization", "p_adjusted", "smallest_p"]].astype(float)).all()
    assert row["method"] == "descriptive"
    assert row["verdict"] == "inconclusive"
    assert np.isfinite([row["difference"], row["low"], row["high"]]).all()
    assert comparison.n_schedules == 0


def test_no_p_value_without_a_mechanism_in_groups_either():
    study = make_study("crossover", subjects=tuple("abcdefgh"), mechanism={"nights_per_period": 3})
    study = dataclasses.replace(study, mechanism=Mechanism("observational"))
    comparison = compare_nights(study, make_values(study, effect=5.0))
    assert comparison.markers[["p", "p_randomization", "p_adjusted"]].isna().all(axis=None)
    assert comparison.models["p"].isna().all()
    assert set(comparison.markers["verdict"]) == {"inconclusive"}


def test_events_cannot_be_compared():
    study = make_study()
    values = make_values(study)
    with pytest.raises(TableError, match="Average events within the night"):
        compare_nights(study, pd.concat([values, values]))
    with pytest.raises(TableError, match="does not list"):
        compare_nights(study, pd.concat([values, values.assign(night="elsewhere")]))


def test_a_schedule_the_mechanism_could_not_draw_is_refused():
    study = make_study("pairs", 8)
    drawn = study.nights.index[study.nights["condition"] != ""]
    study.nights.loc[drawn, "condition"] = list("AABBAABB")
    with pytest.raises(SettingsError, match="could have drawn"):
        compare_nights(study, make_values(study))


def test_a_schedule_too_long_to_list_is_held_against_its_mechanism_too():
    """Of 30 nights not all schedules are listed: a run of five must be refused before it gets a p-value."""
    study = make_study("max-run", 30, mechanism={"max_run": 2})
    drawn = study.nights.index[study.nights["condition"] != ""]
    study.nights.loc[drawn, "condition"] = list("AAAAABBBBB" * 3)
    with pytest.raises(SettingsError, match=r"could have drawn.*3 nights of A in a row.*2 at most"):
        compare_nights(study, make_values(study))
    study = dataclasses.replace(study, mechanism=Mechanism("observational"))
    assert np.isnan(only_row(compare_nights(study, make_values(study)))["p"])


def test_ways_of_measuring_one_thing_count_once_in_the_family():
    """Six spindle densities that are better are one measure that is."""
    names = (
        "spindle_density_per_min",
        FAST,
        "fast_spindle_absolute_density_per_min",
        "spindle_relative_density_per_min",
        "spindle_corrected_density_per_min",
    )
    study = make_study("complete", 20)
    parts = [make_values(study, effect=4.0, marker=name, seed=i) for i, name in enumerate(names)]
    parts += [make_values(study, marker="sigma_power_uv2", unit="µV²", seed=9)]
    comparison = compare_nights(study, pd.concat(parts))
    family = comparison.families.set_index("family").loc["D"]
    assert (family["n_markers"], family["n_measures"], family["n_better"]) == (6, 2, 1)
    assert "1 of 2 measures is better" in family["sentence"]
    markers = comparison.markers.set_index("marker")
    assert markers.index[markers["represents"]].tolist() == [FAST, "sigma_power_uv2"]
    assert set(markers.loc[list(names), "measure"]) == {"spindles"}


def test_who_stands_for_a_measure_is_settled_by_declaration_and_not_by_result():
    study = make_study("complete", 20)
    parts = [
        make_values(study, effect=4.0, stage="N2"),
        make_values(study, effect=0.0, stage="NREM", seed=1),
        make_values(study, effect=4.0, stage="NREM", channel="F3-M2", seed=2),
        make_values(study, effect=4.0, stage="N3", seed=3),
    ]
    markers = compare_nights(study, pd.concat(parts)).markers
    assert markers.loc[markers["represents"], ["stage", "channel"]].to_numpy().tolist() == [["NREM", "C4-M1"]]
    declared = dataclasses.replace(study, primary=(f"{FAST}|N3|C4-M1", f"{FAST}|NREM|F3-M2"))
    markers = compare_nights(declared, pd.concat(parts)).markers
    chosen = markers[markers["represents"]]
    assert set(zip(chosen["stage"], chosen["channel"], strict=True)) == {("N3", "C4-M1"), ("NREM", "F3-M2")}
    assert chosen["role"].tolist() == ["primary", "primary"]
    lacking = pd.concat([parts[0], parts[1].assign(value=np.nan)])
    markers = compare_nights(study, lacking).markers
    assert markers.loc[markers["represents"], "stage"].tolist() == ["N2"], "one without values stands for nothing"


def test_a_night_without_a_value_drops_out_of_that_markeronly_row():
    study = make_study("max-run", 16)
    one, other = make_values(study, marker=FAST), make_values(study, marker="rem_min", unit="min", stage="", channel="")
    lost = study.nights["night"].iloc[5]
    one.loc[one["night"] == lost, "value"] = np.nan
    comparison = compare_nights(study, pd.concat([one, other]))
    markers = comparison.markers.set_index("marker")
    assert markers.loc[FAST, ["n_control", "n_compound"]].sum() == 15
    assert markers.loc["rem_min", ["n_control", "n_compound"]].sum() == 16
    alone = compare_nights(study, other).markers.iloc[0]
    assert alone["p"] == markers.loc["rem_min", "p"]
    without_row = compare_nights(study, one[one["night"] != lost]).markers.iloc[0]
    assert without_row["p"] == markers.loc[FAST, "p"]


def test_a_night_whose_partner_has_no_value_still_enters():
    study = make_study("pairs", 20)
    values = make_values(study, effect=1.0)
    row = only_row(compare_nights(study, values[values["night"] != study.nights["night"].iloc[5]]))
    assert row["n_control"] + row["n_compound"] == 19


def test_pairs_give_the_mean_difference_within_pairs():
    study = make_study("pairs", 20)
    values = make_values(study, effect=1.0)
    drawn = study.nights[study.nights["condition"] != ""].assign(value=values["value"])
    wide = drawn.pivot_table(index="block", columns="condition", values="value")
    row = only_row(compare_nights(study, values))
    assert row["difference"] == pytest.approx((wide["B"] - wide["A"]).mean())
    assert row["t_low"] < row["difference"] < row["t_high"]


def test_excluded_and_adaptation_nights_do_not_enter():
    study = make_study("complete", 16)
    values = make_values(study, effect=1.0)
    wild = values.copy()
    study.nights.loc[8, "excluded"] = True
    wild.loc[[0, 1, 8], "value"] = 1e6
    pd.testing.assert_frame_equal(compare_nights(study, values).markers, compare_nights(study, wild).markers)


def test_equivalence_needs_the_whole_interval_inside_the_bound():
    study = make_study("complete", 40, smallest_effects={FAST: (2.0, "/min")})
    row = only_row(compare_nights(study, make_values(study, sd=0.5)))
    assert row["bound"] == 2.0
    assert row["verdict"] == "equivalent"
    few = make_study("complete", 10, smallest_effects={FAST: (0.5, "/min")})
    assert only_row(compare_nights(few, make_values(few, sd=2.0)))["verdict"] == "inconclusive"


def test_a_marker_that_never_changes_has_a_reason():
    study = make_study()
    row = only_row(compare_nights(study, make_values(study, sd=0.0, effect=0.0, mean=0.1)))
    assert row["p"] == 1.0
    assert row["difference"] == pytest.approx(0, abs=1e-12)
    assert row["reason"] == "every night has the same value"
    assert row["verdict"] == "inconclusive"


def test_coupling_phase_is_compared_on_the_circle():
    """Nights around ±π differ little, whatever their numbers say."""
    study = make_study("complete", 20)
    values = make_values(study, marker="coupling_phase_rad", unit="rad", mean=np.pi, sd=0.2, effect=0.0)
    values["value"] = np.angle(np.exp(1j * values["value"]))
    row = only_row(compare_nights(study, values))
    assert abs(row["difference"]) < 0.3
    assert row["low"] < row["difference"] < row["high"]
    moved = make_values(study, marker="coupling_phase_rad", unit="rad", mean=np.pi, sd=0.2, effect=0.8)
    moved["value"] = np.angle(np.exp(1j * moved["value"]))
    row = only_row(compare_nights(study, moved))
    assert row["difference"] == pytest.approx(0.8, abs=0.3)
    assert row["p"] <= 0.001
    assert row["verdict"] == "changed"


def test_a_closed_gate_keeps_families_from_being_tested():
    study = make_study(families=("C", "D"))
    rem = make_values(study, marker="rem_min", unit="min", seed=5)
    comparison = compare_nights(study, pd.concat([rem, make_values(study, effect=4.0)]))
    markers = comparison.markers.set_index("marker")
    assert markers.loc["rem_min", "gate"] == "open"
    assert markers.loc[FAST, "gate"] == "closed"
    assert markers.loc[FAST, "verdict"] == "inconclusive"
    families = comparison.families.set_index("family")
    assert families.loc["D", "verdict"] == "inconclusive"
    opened = compare_nights(
        dataclasses.replace(study, families=("D", "C")), pd.concat([rem, make_values(study, effect=4.0)])
    )
    assert opened.families.set_index("family").loc["D", "verdict"] == "better"


def test_slow_waves_are_called_a_proxy_and_expectations_are_only_shown():
    study = make_study(compound="Gaboxadol")
    families = compare_nights(study, make_values(study)).families.set_index("family")
    assert "proxy" in families.loc["B", "title"]
    assert families.loc["B", "expectation"] == "SWS +, SWA +"
    assert families.loc["B", "verdict"] == "inconclusive"


def test_crossover_by_mixed_model_agrees_with_subject_means():
    study = make_study("crossover", subjects=tuple(f"S{i:02d}" for i in range(12)), mechanism={"nights_per_period": 3})
    rng = np.random.default_rng(3)
    values = make_values(study, effect=2.0)
    level = dict(zip(study.nights["subject"].unique(), rng.normal(0, 2, 12), strict=True))
    slope = dict(zip(study.nights["subject"].unique(), rng.normal(0, 1, 12), strict=True))
    second = (study.nights["condition"] == "B").to_numpy()
    values["value"] += study.nights["subject"].map(level) + study.nights["subject"].map(slope) * second
    comparison = compare_nights(study, values)
    row = only_row(comparison)
    assert row["n_subjects"] == 12
    assert row["verdict"] == "better"
    ways = comparison.models.set_index("method")
    assert set(ways.index) == {"Kenward-Roger", "Satterthwaite", "subject means"}
    assert ways["decides"].sum() == 1
    np.testing.assert_allclose(ways["estimate"], row["difference"], atol=0.6)
    assert np.isfinite(row["p_randomization"])


def test_a_crossover_redraws_every_way_to_deal_out_the_orders():
    """By hand: the difference of half the period means between the orders, for all 20 ways to choose three of six."""
    study = make_study("crossover", 4, subjects=tuple("abcdef"), mechanism={"nights_per_period": 2})
    values = make_values(study, marker="tst_min", stage="", channel="", unit="min", mean=420, sd=10.0, effect=15.0)
    nights = study.nights.assign(value=values["value"].to_numpy())
    means = nights.pivot_table(index="subject", columns="period", values="value")
    half = ((means[1] - means[2]) / 2).to_numpy()
    compound_first = (nights[nights["period"] == 1].groupby("subject")["condition"].first() == "B").to_numpy()
    deals = np.array([[i in chosen for i in range(6)] for chosen in itertools.combinations(range(6), 3)])
    own, *dealt = (half[deal].mean() - half[~deal].mean() for deal in [compound_first, *deals])
    row = only_row(compare_nights(study, values))
    assert row["difference"] == pytest.approx(own)
    assert row["p_randomization"] == pytest.approx(np.mean(np.abs(dealt) >= abs(own) - 1e-10))
    assert row["smallest_p"] == pytest.approx(2 / 20)


def test_parallel_groups_count_sleepers():
    study = make_study("parallel", 4, subjects=tuple(f"S{i:02d}" for i in range(12)))
    comparison = compare_nights(study, make_values(study, effect=3.0))
    row = only_row(comparison)
    assert row["method"] == "mixed model (Kenward-Roger)"
    assert row["difference"] == pytest.approx(3.0, abs=1.0)
    assert comparison.models.set_index("method").loc["Kenward-Roger", "df"] == pytest.approx(10, abs=0.01)


def test_phases_of_parallel_groups_are_averaged_on_the_circle():
    study = make_study("parallel", 6, subjects=tuple(f"S{i:02d}" for i in range(12)))
    values = make_values(study, marker="coupling_phase_rad", unit="rad", mean=np.pi, sd=0.3, effect=0.0)
    values["value"] = np.angle(np.exp(1j * values["value"]))
    row = only_row(compare_nights(study, values))
    assert abs(row["difference"]) < 0.3
    assert row["low_90"] > -0.5
    assert row["high_90"] < 0.5


def test_phases_drop_their_first_nights():
    study = make_study("phases", 24, mechanism={"n_phases": 4, "min_phase": 4, "wash_out_nights": 1})
    values = make_values(study, effect=2.0)
    row = only_row(compare_nights(study, values))
    assert row["n_control"] + row["n_compound"] == 20
    assert row["low"] < 2 < row["high"]


def test_next_day_scores_are_family_e():
    study = make_study("complete", 20)
    rng = np.random.default_rng(0)
    study.nights["day_kss"] = rng.normal(5, 0.5, len(study.nights)) - 3 * (study.nights["condition"] == "B")
    markers = compare_nights(study, make_values(study)).markers.set_index("marker")
    assert markers.loc["day_kss", "family"] == "E"
    assert markers.loc["day_kss", "direction"] == "-"
    assert markers.loc["day_kss", "difference"] == pytest.approx(-3, abs=0.6)
    assert markers.loc["day_kss", ["n_control", "n_compound"]].sum() == 20
    nights = compare_nights(study, make_values(study)).nights
    own = nights[nights["marker"] == "day_kss"].set_index("night")["value"]
    assert own["S01-007"] == study.nights.set_index("night").loc["S01-007", "day_kss"], "the score in the night's row"


def test_masked_sentences_about_doubts_name_codes():
    study = make_study("complete", 20, active=None)
    study.nights["guess"] = study.nights["condition"]
    said = " ".join(compare_nights(study, make_values(study, effect=1.0)).nuisance["sentence"])
    assert "compound" not in said
    assert "control" not in said
    assert "clean minutes a night with B and 200 with A" in said


def test_what_could_explain_it_away_is_told():
    study = make_study("complete", 20)
    study.nights.loc[study.nights["condition"] == "B", "lights_on"] = "08:00"
    study.nights["guess"] = study.nights["condition"]
    study.nights.loc[study.nights.index[12:], "device"] = "two"
    values = make_values(study, effect=1.0).assign(low=4.0, high=6.0, expected=5.0)
    second = study.nights["condition"].eq("B").to_numpy()
    values.loc[second, "clean_min"] = 100.0
    nuisance = compare_nights(study, values).nuisance
    kinds = nuisance.set_index("kind")
    assert set(kinds.index) == {
        "trend",
        "carry-over",
        "clean minutes",
        "time in bed",
        "staging",
        "device",
        "one night",
        "blinding",
        "covariate",
    }
    assert kinds.loc["clean minutes", "value"] == pytest.approx(-100)
    assert kinds.loc["clean minutes", "conspicuous"]
    general = nuisance[nuisance["marker"] == ""].set_index("kind")
    assert general.loc["time in bed", "value"] == pytest.approx(60)
    assert general.loc["blinding", "value"] == 1.0
    assert general.loc["blinding", "conspicuous"]
    assert kinds.loc["staging", "value"] == pytest.approx(1.0)
    assert kinds.loc["staging", "conspicuous"]  # by the stages' probabilities nothing differs
    assert nuisance["sentence"].str.endswith(".").all()


def test_guesses_in_words_count_once_it_is_known_which_is_the_compound():
    """The sleeper says "compound" or "control", as nights.csv asks; while masked that fits no code."""
    study = make_study("complete", 20)
    second = (study.nights["condition"] == "B").to_numpy()
    study.nights["guess"] = np.where(second, "compound", "control")
    study.nights.loc[study.nights.index[-1], "guess"] = "?"

    def blinding(made):
        found = compare_nights(made, make_values(study)).nuisance
        return found[found["kind"] == "blinding"]

    assert blinding(study)["value"].tolist() == [1.0]
    assert "19 of 19 guesses were right (1 more had no idea)" in blinding(study)["sentence"].iloc[0]
    turned = dataclasses.replace(study, active="A")
    assert blinding(turned)["value"].tolist() == [0.0]
    assert blinding(dataclasses.replace(study, active=None)).empty


def test_blinding_is_the_index_that_the_check_gives_and_of_the_nights_that_enter():
    """Bang's index counts who had no idea, and a night that does not enter says nothing."""
    study = make_study("complete", 20)
    second = (study.nights["condition"] == "B").to_numpy()
    study.nights["guess"] = np.where(second, "B", "?")
    study.nights.loc[study.nights.index[second][:3], "guess"] = "?"
    study.nights.loc[study.nights.index[second][3], ["guess", "excluded"]] = ["A", True]
    nuisance = compare_nights(study, make_values(study)).nuisance.set_index("kind")
    # 10 compound nights, one excluded: 6 right, none wrong, 3 without an idea; 10 control nights without an idea
    assert "index is 0.67 with the compound and 0.00 with the control" in nuisance.loc["blinding", "sentence"]
    assert nuisance.loc["blinding", "value"] == 1.0


def test_a_score_of_a_night_without_a_recording_does_not_enter():
    study = make_study("complete", 20)
    study.nights["day_kss"] = np.arange(len(study.nights), dtype=float)
    lost = study.nights.index[study.nights["condition"] != ""][:2]
    study.nights.loc[lost, "file"] = ""
    values = make_values(study)
    found = compare_nights(study, values[~values["night"].isin(study.nights.loc[lost, "night"])])
    assert (found.markers["n_control"] + found.markers["n_compound"]).tolist() == [18, 18]
    assert found.relations["n_nights"].max() == 18


@pytest.mark.parametrize(
    ("kind", "n_sleepers", "n_nights"), [("parallel", 6, 3), ("crossover", 4, 2), ("parallel", 6, 1)]
)
def test_a_model_finds_nothing_that_the_lots_drawn_could_not_show(kind, n_sleepers, n_nights):
    """Plan and check C3 say that this design can never reach alpha: no model may say otherwise."""
    names = tuple(f"S{i}" for i in range(n_sleepers))
    mechanism = {"nights_per_period": n_nights} if kind == "crossover" else {}
    study = make_study(kind, n_nights, names, primary=(f"{FAST}|NREM|C4-M1",), mechanism=mechanism)
    row = only_row(compare_nights(study, make_values(study, effect=30.0)))
    assert row["smallest_p"] > study.alpha
    assert row["p"] >= row["smallest_p"]
    assert row["verdict"] == "inconclusive"
    assert "taken alone it would count" not in row["sentence"]
    assert "smallest p-value" in row["sentence"] or "only 6 nights" in row["sentence"]


@pytest.mark.parametrize("names", [("S1",), ("S1", "S2", "S3", "S4")])
def test_first_nights_of_a_phase_are_left_out_for_one_sleeper_and_for_several(names):
    """What is left over from the phase before must not water the difference down, nor the means beside it."""
    mechanism = {"min_phase": 4, "wash_out_nights": 2}
    study = make_study("phases", 24, names, mechanism=mechanism)
    values = make_values(study, effect=3.0, sd=0.1)
    codes = study.nights["condition"].to_numpy()
    begins = np.r_[True, codes[1:] != codes[:-1]] & (codes != "")
    late = begins | np.r_[False, begins[:-1]] & (codes != "")
    values.loc[late & (codes == "B"), "value"] -= 3.0  # the compound takes two nights to work
    values.loc[late & (codes == "A"), "value"] += 3.0
    row = only_row(compare_nights(study, values, n_draws=499))
    assert row["difference"] == pytest.approx(3, abs=0.3)
    assert row["compound_mean"] - row["control_mean"] == pytest.approx(3, abs=0.3)
    assert row["n_control"] + row["n_compound"] == (24 - 8) * len(names)


def test_every_table_is_as_declared_and_can_be_written():
    study = make_study()
    comparison = compare_nights(study, make_values(study))
    assert isinstance(comparison, Comparison)
    for frame, table in (
        (comparison.markers, tables.COMPARISON),
        (comparison.families, tables.FAMILY_VERDICTS),
        (comparison.nuisance, tables.NUISANCE),
        (comparison.nights, tables.COMPARISON_NIGHTS),
        (comparison.models, tables.COMPARISON_MODELS),
        (comparison.relations, tables.RELATIONS),
    ):
        assert tables.encode_table(frame, table)


def test_sixty_nights_and_eighty_markers_share_their_redraws():
    study = make_study("max-run", 60, mechanism={"max_run": 3})
    rng = np.random.default_rng(0)
    parts = [make_values(study, marker=f"m{i}", unit="/min" if i % 2 else "min", mean=10, seed=i) for i in range(80)]
    values = pd.concat(parts, ignore_index=True)
    values.loc[rng.random(len(values)) < 0.03, "value"] = np.nan  # a pattern of missing nights of its own each
    comparison = compare_nights(study, values, n_draws=9_999)
    assert comparison.n_schedules == 10_000
    assert np.isfinite(comparison.markers["p"]).all()


AMPLITUDES = {
    "swa_power_uv2": ("µV²", "NREM", 600.0, 2),
    "slow_oscillation_ptp_uv": ("µV", "NREM", 140.0, 1),
    "sigma_power_uv2": ("µV²", "NREM", 30.0, 2),
    "fast_spindle_amplitude_uv": ("µV", "NREM", 30.0, 1),
    "slow_oscillation_density_per_min": ("/min", "NREM", 9.0, 1),
}


def nights_of_another_gain(gain, study, n3=1.0):
    """Return markers of nights in which nothing but the electrodes' gain differs."""
    rng = np.random.default_rng(3)
    passed = np.where(study.nights["condition"] == "B", gain, 1.0)
    noise = lambda: 1 + 0.06 * rng.standard_normal(len(passed))  # noqa: E731
    parts = [
        marker_rows(study, name, mean * passed**power * noise(), unit, stage)
        for name, (unit, stage, mean, power) in AMPLITUDES.items()
    ]
    parts.append(marker_rows(study, "n3_min", 80 * passed**n3 * noise(), "min", "", ""))
    parts.append(marker_rows(study, "gain_reference_uv", 0.6 * passed * noise(), "µV", "N3"))
    parts.append(marker_rows(study, "tst_min", 420 * noise() + 60 * (passed > 1), "min", "", ""))
    return pd.concat(parts)


def test_a_gain_that_differs_stops_every_verdict_on_what_follows_it():
    """With nothing but gain x 1.2, 34 verdicts were false, and family B was better in 6 of 9."""
    study = make_study("complete", 20, families=("B", "D", "A", "C", "E"))
    comparison = compare_nights(study, nights_of_another_gain(1.2, study))
    verdict = comparison.markers.set_index("marker")["verdict"]
    assert set(verdict[[*AMPLITUDES, "n3_min"]]) == {"follows from gain"}
    families = comparison.families.set_index("family")
    assert families.loc["B", "verdict"] == "follows from gain"
    assert families.loc["B", "n_follows"] == 1
    sentences = comparison.markers.set_index("marker")["sentence"]
    assert "% higher with the compound" in sentences["n3_min"]
    alike = compare_nights(study, nights_of_another_gain(1.0, study)).markers
    assert "follows from gain" not in set(alike["verdict"])


def test_a_primary_endpoint_that_follows_the_gain_opens_no_gate():
    study = make_study("complete", 20, primary=("swa_power_uv2|NREM|C3",))
    markers = compare_nights(study, nights_of_another_gain(1.3, study)).markers.set_index("marker")
    assert markers.loc["swa_power_uv2", "verdict"] == "follows from gain"
    assert np.isnan(markers.loc["swa_power_uv2", "p_adjusted"])
    assert markers.loc["tst_min", "gate"] == "closed"


def slow_wave_markers(study, effects):
    rng = np.random.default_rng(8)
    second = study.nights["condition"].eq("B").to_numpy()
    made = {
        "n3_min": ("min", "", "", 80.0),
        "n3_latency_min": ("min", "", "", 15.0),
        "slow_oscillation_density_per_min": ("/min", "NREM", "C3", 9.0),
        "slow_oscillation_ptp_uv": ("µV", "NREM", "C3", 140.0),
        "slow_oscillation_slope_uv_per_s": ("µV/s", "NREM", "C3", 500.0),
        "swa_power_uv2": ("µV²", "NREM", "C3", 600.0),
    }
    return pd.concat(
        marker_rows(
            study, name, mean * (1 + 0.1 * rng.standard_normal(len(second)) + effects.get(name, 0.0) * second), *where
        )
        for name, (unit, stage, channel, mean) in made.items()
        for where in [(unit, stage, channel)]
    )


def test_what_follows_the_amplitude_of_slow_waves_counts_once():
    """N3, its latency, slow oscillations and their power were six measures of one thing."""
    study = make_study("complete", 24)
    names = ("n3_min", "slow_oscillation_density_per_min", "slow_oscillation_ptp_uv", "swa_power_uv2")
    comparison = compare_nights(study, slow_wave_markers(study, dict.fromkeys(names, 0.4)))
    family = comparison.families.set_index("family").loc["B"]
    assert (family["n_markers"], family["n_measures"], family["n_better"]) == (6, 1, 1)
    standing = comparison.markers[comparison.markers["represents"]]
    assert standing["marker"].tolist() == ["swa_power_uv2"]


def test_none_the_other_way_is_not_said_beside_a_marker_that_is_worse():
    study = make_study("complete", 24)
    values = slow_wave_markers(study, {"swa_power_uv2": 0.5, "slow_oscillation_density_per_min": -0.5})
    family = compare_nights(study, values).families.set_index("family").loc["B"]
    assert "none the other way" not in family["sentence"]
    assert "although another marker is worse" in family["sentence"]


def test_an_effect_off_the_declared_path_is_an_exploratory_signal():
    """With spindles as the primary endpoint, more sleep by 2.5 SD was never seen: the gate stayed closed."""
    study = make_study("complete", 30, primary=(f"{FAST}|NREM|C4-M1",))
    spindles = make_values(study, seed=4)
    tst = make_values(study, effect=50, marker="tst_min", stage="", channel="", unit="min", mean=420, sd=20, seed=5)
    rem = make_values(study, marker="rem_min", stage="", channel="", unit="min", mean=90, seed=6)
    comparison = compare_nights(study, pd.concat([spindles, tst, rem]))
    row = comparison.markers.set_index("marker").loc["tst_min"]
    assert (row["verdict"], row["gate"]) == ("inconclusive", "closed")
    assert row["signal"]
    assert row["n_signal"] == 2
    assert row["p"] <= row["p_signal"] <= 0.05
    family = comparison.families.set_index("family").loc["A"]
    assert family["n_signals"] == 1
    assert "exploratory signal: Total sleep time was higher with the compound" in family["sentence"]
    masked = compare_nights(dataclasses.replace(study, active=None), pd.concat([spindles, tst, rem]))
    assert "differs between the two codes" in masked.families.set_index("family").loc["A", "sentence"]


def test_a_smallest_effect_in_sd_is_that_of_the_nights_without_their_drift():
    """Against the plain SD a true difference of half an SD was called equivalent in 27 % of studies that drift."""
    study = make_study("complete", 60)
    values = make_values(study, marker="tst_min", stage="", channel="", unit="min", mean=420, sd=10.0)
    steep = values.assign(value=values["value"] + np.linspace(-40, 40, len(values)))
    settings = {"smallest_effects": {"tst_min": (0.5, "SD")}}
    bounds = [only_row(compare_nights(dataclasses.replace(study, **settings), v))["bound"] for v in (values, steep)]
    assert bounds[0] == pytest.approx(5, rel=0.25)
    assert bounds[1] == pytest.approx(bounds[0], rel=0.05)


def test_logarithms_decide_for_powers_and_ranks_stand_beside():
    """One night of ten times the power is no reason to find nothing."""
    study = make_study("complete", 24)
    rng = np.random.default_rng(2)
    second = study.nights["condition"].eq("B").to_numpy()
    value = np.exp(6 + 0.3 * rng.standard_normal(len(second)) + 0.5 * second)
    first = int(np.flatnonzero((study.nights["condition"] == "A").to_numpy())[0])
    value[first] *= 6
    row = only_row(compare_nights(study, marker_rows(study, "swa_power_uv2", value, "µV²")))
    assert row["scale"] == "logarithm"
    plain = only_row(compare_nights(study, marker_rows(study, "tst_min", value, "min", "", "")))
    assert plain["scale"] == ""
    assert row["p"] < plain["p"]
    assert row["p_ranks"] == pytest.approx(plain["p_ranks"])
    assert row["p_ranks"] < plain["p"]
    zero = np.where(second & (np.cumsum(second) == 1), 0.0, value)
    assert only_row(compare_nights(study, marker_rows(study, "swa_power_uv2", zero, "µV²")))["scale"] == ""


def test_every_row_says_how_probable_it_is_that_a_difference_matters():
    study = make_study("complete", 30, smallest_effects={"tst_min": (10, "min")})
    make = {"marker": "tst_min", "stage": "", "channel": "", "unit": "min", "mean": 420, "sd": 20.0}
    row = only_row(compare_nights(study, make_values(study, effect=60.0, **make)))
    assert row["probability_higher"] > 0.99
    assert row["probability_matters_higher"] > 0.99
    assert row["probability_matters_lower"] < 0.001
    null = only_row(compare_nights(study, make_values(study, **make)))
    assert 0.02 < null["probability_higher"] < 0.98


def test_each_sleeper_has_a_row_of_their_own():
    study = make_study("pairs", 16, subjects=("a", "b", "c"), primary=("tst_min||",))
    values = make_values(study, marker="tst_min", stage="", channel="", unit="min", mean=420, sd=10.0)
    of_b = study.nights["subject"].eq("b").to_numpy() & study.nights["condition"].eq("B").to_numpy()
    values["value"] += 40.0 * of_b
    comparison = compare_nights(study, values)
    rows = comparison.sleepers.set_index("subject")
    assert rows.index.tolist() == ["a", "b", "c"]
    assert rows.loc["b", "p"] <= 0.01
    assert rows.loc["b", "difference"] == pytest.approx(40, abs=12)
    assert rows.loc["b", "probability_higher"] > 0.99
    assert (rows.loc[["a", "c"], "p"] > 0.05).all()
    assert compare_nights(make_study("pairs", 16), make_values(make_study("pairs", 16))).sleepers.empty


def test_a_sleeper_of_a_crossover_is_described_by_the_means_of_the_periods():
    """Within one sleeper, time goes with the condition there; with time taken out, differences came out tenfold."""
    study = make_study(
        "crossover", 8, subjects=tuple("abcd"), primary=(f"{FAST}|NREM|C4-M1",), mechanism={"wash_out_nights": 5}
    )
    values = make_values(study, effect=0.5, sd=0.3)
    rows = compare_nights(study, values).sleepers
    assert len(rows) == 4
    assert rows["difference"].to_numpy() == pytest.approx((rows["compound_mean"] - rows["control_mean"]).to_numpy())


@pytest.mark.parametrize(("effect", "better"), [(0.3, True), (-2.5, False)])
def test_one_side_is_tested_only_where_it_was_declared(effect, better):
    """It halves p on the side that counts, and never finds the other."""
    study = make_study("complete", 24, primary=("tst_min||",))
    make = {"marker": "tst_min", "stage": "", "channel": "", "unit": "min", "mean": 420, "sd": 20.0, "seed": 3}
    values = make_values(study, effect=20 * effect, **make)
    both = only_row(compare_nights(study, values))
    one = only_row(compare_nights(dataclasses.replace(study, one_sided=True), values))
    assert (both["sides"], one["sides"]) == (2, 1)
    assert one["difference"] == both["difference"]
    assert (one["low"], one["high"]) == (both["low"], both["high"])
    if better:
        assert one["p"] == pytest.approx(both["p"] / 2, rel=0.35)
    else:
        assert one["p"] > 0.9
    masked = only_row(compare_nights(dataclasses.replace(study, one_sided=True, active=None), values))
    assert masked["sides"] == 2


def test_one_side_of_several_sleepers():
    study = make_study("pairs", 12, subjects=("a", "b", "c", "d", "e"), primary=("tst_min||",))
    make = {"marker": "tst_min", "stage": "", "channel": "", "unit": "min", "mean": 420, "sd": 20.0, "seed": 3}
    values = make_values(study, effect=14, **make)
    both, one = (only_row(compare_nights(dataclasses.replace(study, one_sided=o), values)) for o in (False, True))
    assert one["p"] == pytest.approx(both["p"] / 2)
