"""The page of an agreement: whole in itself, its numbers those of the tables, absent never zero."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest

from eegsleep.agreement.measure import measure_agreement
from eegsleep.hypnograms.table import make_stages
from eegsleep.report.agreement_page import render_agreement
from eegsleep.report.hypnogram_pairs import MAX_NIGHTS, describe_pairs

STAGES = np.array(["W", "N1", "N2", "N3", "R"], dtype=object)


def _table(stages):
    return make_stages(np.asarray(stages, dtype=object), None, np.ones(len(stages), dtype=bool))


def _agreement(n_nights, name="night"):
    rng = np.random.default_rng(n_nights)
    pairs = []
    for number in range(n_nights):
        reference = np.repeat(rng.choice(STAGES, 60), 10)
        observed = np.where(rng.random(600) < 0.2, rng.choice(STAGES, 600), reference)
        observed[:6] = "UNS"
        pairs.append((f"{name}-{number}", f"{name}-s{number}", _table(reference), _table(observed)))
    return measure_agreement(pairs)


@pytest.fixture(scope="module")
def many():
    return _agreement(8)


def _words(page):
    """Return what a reader sees: the page without scripts, styles and tags."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def _figures(page):
    found = re.findall(r'<script type="application/json" id="figure-([^"]+)">(.*?)</script>', page.decode(), re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def test_the_headline_is_the_pooled_table(many):
    kappa = many.pooled.set_index(["measure", "pooling"]).loc[("kappa", "mean of nights")]
    words = _words(render_agreement(many))
    assert f"{kappa['value']:.2f} 95 % interval {kappa['low']:.2f} to {kappa['high']:.2f}" in words
    assert "Left out of all epochs 1.0 %" in words
    assert "2 000 bootstrap samples of nights, seed 31" in words


def test_kappa_is_set_beside_experts_by_its_interval(many):
    assert "lies above theirs" in _words(render_agreement(many))
    text = _words(render_agreement(_agreement(1)))
    assert "can be set beside" not in _words(render_agreement(many))
    assert "has no interval: it can be set beside theirs, not called better or worse" in text


def test_every_figure_is_drawn_from_the_tables(many):
    figures = _figures(render_agreement(many))
    assert {"confusion", "f1", "limits-tst_min", "limits-rem_latency_min"} <= set(figures)
    drawn = np.array(figures["confusion"]["data"][0]["z"], dtype=float)
    np.testing.assert_allclose(drawn.ravel(), many.confusion["share"], atol=1e-12)
    tst = many.statistics[many.statistics["statistic"] == "tst_min"]
    np.testing.assert_allclose(figures["limits-tst_min"]["data"][0]["y"], tst["difference"], atol=1e-12)
    bias = many.minutes.set_index("statistic").loc["tst_min", "bias"]
    assert any(shape["y0"] == pytest.approx(bias) for shape in figures["limits-tst_min"]["layout"]["shapes"])


def test_one_night_is_a_page_without_panels_that_says_why():
    page = render_agreement(_agreement(1))
    assert not [name for name in _figures(page) if name.startswith("limits")]
    words = _words(page)
    assert "No panel is drawn (no limits: one night, and a spread needs 3)." in words
    assert "no interval: one night, and it takes 5 to resample" in words
    assert "nan" not in words.lower().split()


def test_a_night_without_agreement_to_measure_is_a_page_all_the_same():
    agreement = measure_agreement([("a", "a", _table(["UNS"] * 9), _table(["N2"] * 9))])
    words = _words(render_agreement(agreement))
    assert "Kappa is undefined here." in words
    assert "No epoch was scored by both." in words
    assert "100.0 %" in words


def test_the_page_runs_only_its_own_scripts_and_fetches_nothing(many):
    page = render_agreement(many).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    assert "default-src 'none'" in policy.replace("&#39;", "'")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    outside = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"\b(src|href)=", outside)


def test_hostile_names_stay_text():
    evil = "</script><img src=x onerror=alert(1)>{{ 7*7 }}<b>"
    page = render_agreement(_agreement(5, name=evil), reference=evil, observed=evil, notes=[evil]).decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "{{ 7*7 }}" in page


def test_equal_tables_give_equal_bytes(many):
    assert render_agreement(many) == render_agreement(_agreement(8))


def test_both_hypnograms_are_drawn_and_each_difference_leads_to_its_signal():
    """One stretch a row, with its first epoch in the link; unscored epochs are no difference."""
    first = _table(["W", "W", "N1", "N2", "N2", "UNS"])
    second = first.assign(stage=["W", "N1", "N1", "N3", "N3", "N2"])
    (night,) = describe_pairs([("a <b>", "a", first, second)], {"a <b>": "../nights/a/report.html"})
    assert (night["n_both"], night["n_differ"]) == (5, 3)
    rows = [(row["epochs"], row["hours"], row["reference"], row["observed"]) for row in night["stretches"]]
    assert rows == [("2", "0:00:30", "Wake", "N1"), ("4 to 5", "0:01:30", "N2", "N3")]
    assert night["stretches"][1]["link"] == "../nights/a/report.html#epoch-4"
    assert "a &lt;b&gt;" in night["svg"]
    assert night["svg"].count('class="differs"') == 2


def test_of_very_many_nights_those_that_agree_least_are_drawn():
    right = _table(["N2"] * 4)
    wrong = right.assign(stage="N3")
    pairs = [(f"night {n}", "a", right, wrong if n == 70 else right) for n in range(80)]
    nights = describe_pairs(pairs)
    assert len(nights) == MAX_NIGHTS
    assert "night 70" in {night["night"] for night in nights}
