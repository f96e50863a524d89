"""The page of a study: whole in itself, its verdicts those of the tables, codes alone while masked."""

import base64
import dataclasses
import hashlib
import html
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eegsleep.report.numbers import format_number
from eegsleep.report.study_figures import SIGNS, WIDEST_SD
from eegsleep.report.study_page import render_study
from eegsleep.report.study_spectra import draw_spectra
from eegsleep.study.cent import count_flow
from eegsleep.study.comparison.compare import Comparison, compare_nights
from eegsleep.study.declared.protocol import Study
from eegsleep.study.masking.lock import Change
from eegsleep.study.night_list import NightSeen
from eegsleep.study.schedules.mechanisms import Mechanism
from eegsleep.study.schedules.schedule import draw_schedule
from eegsleep.tables import CHECKS, COMPARISON, NUISANCE, check_table, empty_table

FAST, TST, WAVE = "fast_spindle_density_per_min", "tst_min", "swa_power_uv2"
LOCK = {
    "locked_at": "2026-03-01T12:00:00+00:00",
    "sha256": "abc",
    "study_sha256": "s",
    "nights_sha256": "n",
    "schedule_sha256": "",
    "key_sha256": "k",
    "replaces": [],
    "open_label": False,
    "versions": {"eegsleep": "9.9"},
}


def _study(kind="pairs", n_nights=12, subjects=("S01",), active="B", **changes):
    drawn = Mechanism("complete" if kind == "observational" else kind, **changes.pop("mechanism", {}))
    nights = draw_schedule(drawn, n_nights, 3, subjects)
    nights = nights.assign(
        file=nights["night"] + ".edf",
        device="one",
        lights_off="23:00",
        lights_on="07:00",
        dose="",
        guess="",
        hours_since_dose=np.nan,
        excluded=False,
        exclusion_reason="",
        decided_masked=False,
    )
    made = {
        "title": "Glycine & spindles",
        "compound": "glycine",
        "design": "n-of-1",
        "mechanism": Mechanism("observational") if kind == "observational" else drawn,
        "conditions": ("A", "B"),
        "active": active,
        "primary": (f"{FAST}|NREM|C3", f"{TST}||"),
        "smallest_effects": {},
        "families": ("D", "B", "A", "C", "E"),
        "alpha": 0.05,
        "seed": 1,
        "nights": nights,
        "path": Path("study.toml"),
        "compound_class": "melatonin",
    }
    return Study(**(made | changes))


def _values(study, effect=3.0):
    rng = np.random.default_rng(5)
    with_b = (study.nights["condition"] == "B").to_numpy()
    parts = []
    for marker, stage, channel, unit, mean, sd, size in (
        (FAST, "NREM", "C3", "/min", 3.0, 0.3, effect),
        (TST, "", "", "min", 420.0, 20.0, 0.0),
        (WAVE, "NREM", "C3", "µV²", 600.0, 60.0, effect),
        ("tib_min", "", "", "min", 480.0, 5.0, 0.0),
    ):
        value = mean + sd * (rng.standard_normal(len(with_b)) + size * with_b)
        parts.append(
            pd.DataFrame(
                {
                    "night": study.nights["night"],
                    "marker": marker,
                    "stage": stage,
                    "channel": channel,
                    "value": value,
                    "unit": unit,
                    "clean_min": 200.0,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _checks(**statuses):
    rows = [
        (f"C{i}", f"check {i}", statuses.get(f"C{i}", "pass"), 0.5, math.nan, f"Found -0.5 in {i}.")
        for i in range(1, 13)
    ]
    return check_table(pd.DataFrame(rows, columns=CHECKS.column_names), CHECKS)


@pytest.fixture(scope="module")
def one():
    study = _study()
    return study, compare_nights(study, _values(study), checks=_checks())


def _words(page):
    """Return what a reader sees: the page without scripts, styles and tags."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def _part(page, name):
    """Return the words of one section."""
    found = re.search(rf'<section[^>]*aria-labelledby="{name}".*?</section>', page.decode(), re.DOTALL)
    return _words(found.group(0).encode())


def _points(page):
    """Return place, height, kind and words of every night drawn in the figure of the nights."""
    chart = re.search(r'<svg class="chart nights".*?</svg>', page.decode(), re.DOTALL).group(0)
    signs = re.findall(
        r'<(?:circle|use) class="(first|second)"[^>]*? c?x="([\d.]+)%" c?y="([\d.]+)"[^>]*?data-words="([^"]+)"', chart
    )
    return [(kind, float(x), float(y), html.unescape(words)) for kind, x, y, words in signs]


def _forest(page):
    """Return the rows of the forest: name and picture."""
    table = re.search(r'<table class="plain forest"><tbody>(.*?)</table>', page.decode(), re.DOTALL).group(1)
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="picture">(.*?)</td>', table, re.DOTALL)
    return {re.sub(r"<[^>]+>", " ", name).strip(): picture for name, picture in rows}


def _with(comparison, **changes):
    return Comparison(**({name: getattr(comparison, name) for name in Comparison.__dataclass_fields__} | changes))


def test_verdicts_are_those_of_the_tables(one):
    study, comparison = one
    words = _words(render_study(study, comparison, lock=LOCK, unmasked_at="2026-03-02T08:00:00+00:00"))
    for row in comparison.families.itertuples():
        if row.n_markers:
            assert row.sentence.removeprefix(f"{row.title}: ").capitalize()[:40] in words
            assert f"{SIGNS[row.verdict]} {row.verdict}" in words
    first = comparison.markers.iloc[0]
    assert first["verdict"] == "better"
    assert first["sentence"] in words
    assert f"+{first['difference']:.3f}".rstrip("0")[:5] in words
    assert "Locked, but not registered in advance" in words
    assert "frozen on 2026-03-01 12:00 UTC" in words
    assert "Not a medical device" in words
    assert "C12 · check 12" in words
    assert "Found −0.5 in 3." in words
    assert "An expectation from the literature" in words


def test_the_page_runs_only_its_own_scripts_and_fetches_nothing(one):
    page = render_study(*one).decode()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 3
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in html.unescape(page.split("<style>")[0])
    outside = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!#)', outside)
    assert "default-src 'none'" in html.unescape(page.split("<style>")[0])
    assert "Glycine &amp; spindles" in outside


def test_equal_tables_give_equal_bytes(one):
    assert render_study(*one) == render_study(*one)


def test_what_changed_since_the_lock_is_listed(one):
    words = _words(render_study(*one, lock=LOCK, changes=(Change("protocol.alpha", "0.05", "0.1"),)))
    assert "Post hoc: not as it was registered or locked" in words
    assert "protocol.alpha : was 0.05, is now 0.1" in words
    assert "Not locked" in _words(render_study(*one))
    opened = _words(render_study(*one, lock=LOCK | {"open_label": True}, unmasked_at="2026-03-02T08:00:00+00:00"))
    assert "The label was open" in opened
    replaced = _words(render_study(*one, lock=LOCK | {"replaces": [{"sha256": "x"}]}))
    assert "This lock replaces 1 made before" in replaced


def test_endpoints_are_said_to_be_named_before_only_where_a_lock_shows_it(one):
    said = "named before the comparison was locked"
    assert said in _words(render_study(*one, lock=LOCK))
    assert said not in _words(render_study(*one))
    assert said not in _words(render_study(*one, lock=LOCK, changes=(Change("protocol.primary", "[]", "[x]"),)))


def test_what_is_said_of_many_markers_alike_is_said_once():
    study = _study()
    values = _values(study)
    more = [
        values[values["marker"] == FAST].assign(marker=name) for name in ("spindle_density_per_min", "sigma_power_uv2")
    ]
    values = pd.concat([values, *more], ignore_index=True)
    values.loc[values["night"].map(study.nights.set_index("night")["condition"]) == "B", "clean_min"] *= 0.5
    comparison = compare_nights(study, values, checks=_checks())
    changed = comparison.markers.assign(verdict="changed")
    page = _words(render_study(study, dataclasses.replace(comparison, markers=changed), lock=LOCK))
    assert re.search(r"! clean minutes [^|]*, and \d+ more", page)


def test_a_masked_study_shows_codes_only():
    study = _study(active=None)
    words = _words(render_study(study, compare_nights(study, _values(study), checks=_checks()), lock=LOCK))
    assert "The codes are masked: B minus A is shown" in words
    assert "The codes are masked." in words
    body = words.split("The study was made for these")[1].split("Methods and caveats")[0]
    assert "compound" not in body.replace("what speaks for the compound", "").replace(
        "which is the compound", ""
    ).replace("class of compounds", "")
    assert "control" not in body
    assert "▲ better" not in words
    assert "◆ masked" in words


def test_every_night_is_a_point_of_its_condition(one):
    study, comparison = one
    points = _points(render_study(study, comparison))
    own = comparison.nights[comparison.nights["marker"] == FAST].sort_values("date")
    assert len(points) == len(own)
    by_night = {words.split(",")[0]: (kind, x, y) for kind, x, y, words in points}
    places = [by_night[night][1] for night in own["night"]]
    assert places == sorted(places), "in the order in which they were slept"
    assert {by_night[night][0] for night in own["night"][own["condition"] == "B"]} == {"second"}
    highest = own.loc[own["value"].idxmax(), "night"]
    assert by_night[highest][2] == min(y for _, y in [(k, v[2]) for k, v in by_night.items()])


def test_the_nights_of_a_pair_are_joined(one):
    study, comparison = one
    page = render_study(study, comparison).decode()
    charts = dict(re.findall(r'<svg class="chart (nights|change)".*?>(.*?)</svg>', page, re.DOTALL)[:2])
    for chart in charts.values():
        assert len(re.findall(r'class="pair (?:up|down)"', chart)) == 6
    assert "A line is a pair of nights: 6 of 6 rise." in _words(page.encode())


def test_the_forest_is_in_standard_deviations(one):
    study, comparison = one
    row = comparison.markers.set_index("marker").loc[WAVE]
    found = row["difference"] / row["control_sd"]
    (picture,) = [svg for name, svg in _forest(render_study(study, comparison)).items() if "Slow-wave activity" in name]
    place = 50 + 50 * found / WIDEST_SD
    if found < WIDEST_SD:
        assert f'href="#sign-{row["verdict"]}" x="{place:.2f}%"' in picture
    bound = row["bound"] / row["control_sd"]
    assert f'<rect class="small" x="{50 - 50 * bound / WIDEST_SD:.2f}%"' in picture


def test_a_difference_outside_the_picture_is_told_at_its_edge(one):
    study, comparison = one
    markers = comparison.markers.copy()
    wide = markers["control_sd"].iloc[0] * 9.8
    markers.loc[0, ["difference", "low", "high"]] = [-wide, -wide - 0.1, -wide + 0.1]
    rows = _forest(render_study(study, _with(comparison, markers=markers)))
    (first,) = [picture for name, picture in rows.items() if name.startswith("★ D · Fast spindle density")]
    assert 'x="1%" y="13">◀ −9.8</text>' in first
    assert 'class="span"' not in first


def test_the_forest_has_one_row_a_measure(one):
    study, comparison = one
    first = comparison.markers.iloc[[0]]
    more = [first.assign(channel=f"X{i}", role="family", represents=False) for i in range(80)]
    page = render_study(study, _with(comparison, markers=pd.concat([comparison.markers, *more], ignore_index=True)))
    assert len(_forest(page)) == 3
    assert page.decode().count("<tr data-find=") == len(comparison.markers) + 80, "all of them are in the fold"


def test_missing_is_a_dash_with_its_reason(one):
    study, comparison = one
    numbers = ["difference", "low", "high", "low_90", "high_90", "p", "p_adjusted", "control_mean", "ratio", "g_av"]
    markers = comparison.markers.copy()
    markers.loc[1, numbers] = math.nan
    markers.loc[1, ["reason", "verdict", "sentence"]] = ["too few nights", "inconclusive", "It could not be compared."]
    nights = comparison.nights.copy()
    nights.loc[nights["marker"] == TST, "value"] = math.nan
    page = render_study(study, _with(comparison, markers=check_table(markers, COMPARISON), nights=nights))
    words = _words(page)
    assert "It could not be compared. Note: too few nights." in words
    assert page.decode().count('<svg class="chart nights"') == 1
    assert " nan" not in words
    assert "–" in words


def test_a_reason_that_most_markers_share_is_said_once(one):
    study, comparison = one
    shared = comparison.markers.assign(reason="the nights were short")
    words = _words(render_study(study, _with(comparison, markers=shared)))
    assert words.count("the nights were short") == 1
    assert "Of most markers: the nights were short." in words
    assert "holds for that sleeper" in words


def test_explanations_that_stand_out_are_marked(one):
    study, comparison = one
    rows = [
        ("trend", FAST, "NREM", "C3", 1.0, "/min", -0.2, True, "It drifted by -1."),
        ("one night", WAVE, "NREM", "C3", 1.0, "µV²", -0.2, True, "One night decides."),
        ("one night", "tib_min", "", "", 1.0, "min", -0.2, True, "Nobody asked."),
    ]
    nuisance = check_table(pd.DataFrame(rows, columns=NUISANCE.column_names), NUISANCE)
    words = _words(render_study(study, _with(comparison, nuisance=nuisance)))
    assert "1 row needs your attention" in words
    assert "It drifted by −1." in words
    assert "Other explanations for further markers with a verdict (1)" in words
    assert "Nobody asked." not in words
    assert "Too few values to look for anything" in _words(
        render_study(study, _with(comparison, nuisance=empty_table(NUISANCE)))
    )


def _with_scores(study):
    rng = np.random.default_rng(8)
    n = len(study.nights)
    scores = {"day_kss": rng.normal(5, 1, n), "day_pvt_speed": rng.normal(4, 0.3, n) + 0.1 * np.arange(n)}
    return dataclasses.replace(study, nights=study.nights.assign(**scores))


def test_the_next_day_has_its_scores_and_what_goes_with_them_as_associations():
    study = _with_scores(_study())
    comparison = compare_nights(study, _values(study))
    part = _part(render_study(study, comparison), "next-day")
    kss = comparison.markers.set_index("marker").loc["day_kss"]
    assert f"nights {kss['n_control']} / {kss['n_compound']}" in part
    assert "Associations, not effects." in part
    assert part.count("★ Fast spindle density") == 2, "both scores"
    assert "two nights before" in part
    shown = comparison.relations.loc[comparison.relations["marker"] == FAST].iloc[0]
    assert format_number(shown["partial_r"], 2) in part
    assert f"all {comparison.relations['n_tests'].max()} associations" in part
    for word in ("caus", "improve", "because", " effect of "):
        assert word not in part


def test_a_study_without_scores_has_no_section_of_the_next_day(one):
    assert 'id="next-day"' not in render_study(*one).decode()


def test_too_few_nights_for_relations_are_told():
    study = _with_scores(_study(n_nights=8))
    words = _words(render_study(study, compare_nights(study, _values(study))))
    assert "No marker could be related to a score: only 8 nights with both, 10 needed." in words


def test_associations_without_a_mechanism_have_no_p():
    study = _with_scores(_study("observational"))
    words = _words(render_study(study, compare_nights(study, _values(study))))
    assert "There is no p-value, as no mechanism allocated the nights." in words


def test_a_masked_study_has_its_scores_by_code():
    study = _with_scores(_study(active=None))
    part = _part(render_study(study, compare_nights(study, _values(study)), lock=LOCK), "next-day")
    assert "compound" not in part
    assert "control" not in part


def test_failed_checks_stand_first(one):
    study, comparison = one
    words = _words(render_study(study, _with(comparison, checks=_checks(C6="fail", C7="warn"))))
    assert words.index("Check C6 failed (check 6).") < words.index("What changed")
    assert "✕ fail" in words
    assert "! warn" in words
    assert "No check was run." in _words(render_study(study, _with(comparison, checks=pd.DataFrame())))


def test_an_observational_study_has_no_p():
    study = _study("observational")
    page = render_study(study, compare_nights(study, _values(study)))
    words = _words(page)
    assert "No mechanism allocated the nights." in words
    assert "Schedules redrawn" not in words
    assert "▲ better" not in words
    cards = _part(page, "summary")
    assert "described" in cards
    assert "inconclusive" not in cards
    assert "nothing was found before it" not in words
    assert "drawn anew" not in words
    assert "its nights were drawn by lot" not in words
    known = _words(
        render_study(
            study,
            compare_nights(study, _values(study)),
            lock=LOCK | {"open_label": True},
            unmasked_at="2026-03-02T08:00:00+00:00",
        )
    )
    assert "Described, not tested" in known
    assert "Yes:" not in known
    assert "first opened" not in known


def test_several_sleepers_have_models_and_places_of_their_own():
    subjects = tuple(f"S{i:02d}" for i in range(1, 9))
    study = _study("crossover", 2, subjects, design="crossover")
    comparison = compare_nights(study, _values(study))
    page = render_study(study, comparison)
    words = _words(page)
    assert "Ways of estimating, side by side" in words
    assert "Beside it a re-randomisation test redraws every schedule" in words
    assert "holds for that sleeper" not in words
    points = _points(page)
    assert len({x for _, x, *_ in points}) == 2 * len(subjects)
    assert "A line is the means of a sleeper" in words


def test_parallel_groups_tell_how_scores_changed_over_the_study():
    subjects = tuple(f"S{i:02d}" for i in range(1, 9))
    study = _with_scores(_study("parallel", 4, subjects, design="parallel"))
    comparison = compare_nights(study, _values(study))
    trend = comparison.nuisance.set_index(["kind", "marker"]).loc[("trend", "day_pvt_speed"), "value"]
    assert format_number(trend) in _words(render_study(study, comparison))


def test_one_page_even_with_only_control_nights():
    study = _study("observational")
    nights = study.nights.assign(condition=study.nights["condition"].where(study.nights["condition"] == "", "A"))
    study = dataclasses.replace(study, nights=nights)
    page = render_study(study, compare_nights(study, _values(study), checks=_checks()))
    words = _words(page)
    assert "cannot be compared, because one condition has no night" in words
    assert len(_points(page)) == 12
    assert " nan" not in words


def test_the_answer_stands_first_and_statistics_are_one_click_away(one):
    page = render_study(*one, lock=LOCK).decode()
    main = page.split("<main>")[0]
    assert "Does glycine change fast spindle density? Yes:" in main
    assert "once in" in main
    assert page.count("<summary>Statistics</summary>") == 2
    targets = set(re.findall(r'popovertarget="([^"]+)"', page))
    assert targets
    assert targets <= set(re.findall(r'<div popover id="([^"]+)"', page)), "every term is explained"


def test_a_family_without_a_value_is_nothing_recorded_and_not_inconclusive(one):
    cards = _part(render_study(*one), "summary")
    assert "E · Next day nothing recorded No score of the next day was entered." in cards


def test_nights_are_listed_with_their_hypnograms_and_lead_to_their_reports(one, tmp_path):
    study, comparison = one
    seen = [
        NightSeen(
            row.night,
            row.subject,
            row.date,
            row.condition,
            "headache" if i == 4 else "",
            enters=True,
            why="",
            verdict="usable",
            stages=("W", "N2", "N3", "R") * 30,
            report=tmp_path / "eegsleep-nights" / row.night / "report.html",
        )
        for i, row in enumerate(study.nights.itertuples())
    ]
    page = render_study(study, comparison, nights=seen, home=tmp_path).decode()
    for night in seen:
        assert f'<a href="eegsleep-nights/{night.night}/report.html">{night.night}</a>' in page
    assert page.count('<svg class="strip"') == len(seen)
    assert page.count('<svg class="shares"') == 2
    assert "harm: headache" in page
    assert str(tmp_path) not in page


def test_the_flow_of_the_nights_is_drawn_and_reasons_are_escaped(one):
    study, comparison = one
    nights = study.nights.copy()
    first, second = nights.index[nights["condition"] != ""][:2]
    nights.loc[first, ["excluded", "exclusion_reason"]] = [True, "<b>fell off</b>"]
    nights.loc[second, "file"] = ""
    study = dataclasses.replace(study, nights=nights)
    flow = count_flow(study)
    assert (flow.given, flow.recorded, sum(flow.entering.values())) == (12, 11, 10)
    page = render_study(study, comparison, flow=flow).decode()
    assert "<b>fell off</b>" not in page
    assert "Excluded: 1 &lt;b&gt;fell off&lt;/b&gt;." in page
    figure = page[page.index('<svg class="chart flow"') :].split("</svg>")[0]
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", figure)
    assert shown[:5] == ["12 nights to compare", "1 not recorded", "11 recorded", "1 excluded", "10 compared"]
    assert shown[5:] == [f"{flow.entering['A']} control (A)", f"{flow.entering['B']} compound (B)"]


def test_spectra_have_a_line_and_a_spread_for_each_condition_and_need_four_bands():
    nights = pd.DataFrame(
        [
            (night, code, f"{band}_power_uv2", "NREM", "C3", power * (1 + 0.1 * night))
            for code, factor in (("A", 1.0), ("B", 4.0))
            for band, power in (("delta", 350.0 * factor), ("theta", 40.0), ("alpha", 20.0), ("beta_low", 2.0))
            for night in range(5)
        ],
        columns=["night", "condition", "marker", "stage", "channel", "value"],
    )
    both = [("A", "control (A)"), ("B", "<compound>")]
    drawn = draw_spectra(nights, "C3", both)
    assert (
        len(re.findall('class="spread first"', drawn.svg)) == len(re.findall('class="spread second"', drawn.svg)) == 4
    )
    first, second = (
        float(re.search(f'class="course {kind}"[^>]*y1="([0-9.]+)"', drawn.svg).group(1))
        for kind in ("first", "second")
    )
    assert second < first, "four times the power stands higher"
    assert "<compound>" not in drawn.svg
    assert "in 4 bands from 1 to 23 Hz" in drawn.caption
    assert draw_spectra(nights[nights["marker"] != "theta_power_uv2"], "C3", both) is None
    assert (
        draw_spectra(nights[(nights["condition"] == "A") | (nights["marker"] != "theta_power_uv2")], "C3", both) is None
    )
