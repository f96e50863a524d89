"""Simulated studies whose truth is known: what the product reports of them, end to end."""

import json
from pathlib import Path

import pytest
from benchmarks.study_truth import SCENARIOS, count, make_table, run_study

STORED = Path(__file__).parents[1] / "benchmarks" / "study_truth.json"


@pytest.fixture(scope="module")
def counts():
    """Return the stored table of tests/benchmarks/study_truth.py, which takes too long for every run of the tests."""
    return json.loads(STORED.read_text(encoding="utf-8"))


def test_demonstration_reports_no_false_finding(counts):
    """Nine of its 43 findings were false when stages followed slow waves."""
    found = counts["demonstration"]
    assert found["better_or_worse"] >= 10
    assert found["false_better_or_worse"] == 0, found["false"]


def test_a_study_of_nothing_but_gain_finds_nothing(counts):
    assert counts["gain alone"]["verdicts"] == 0, counts["gain alone"]["false"]


def test_a_study_of_slow_waves_alone_finds_slow_waves_alone(counts):
    found = counts["slow waves alone"]
    assert found["verdicts"] >= 1
    assert not found["false"], found["false"]


def test_a_benzodiazepine_is_not_reported_the_wrong_way_round(counts):
    assert counts["benzodiazepine-like"]["wrong_sign"] == 0, counts["benzodiazepine-like"]["false"]


def test_the_documentation_shows_this_table(counts):
    text = (Path(__file__).parents[2] / "docs" / "truth.md").read_text(encoding="utf-8")
    assert make_table(counts) in text


@pytest.mark.large
def test_the_studies_still_find_what_is_stored(tmp_path):
    for name, scenario in SCENARIOS.items():
        markers = run_study(tmp_path / name.replace(" ", "-"), scenario, tmp_path / "controls")
        found = count(markers, scenario.truth)
        assert found["false_better_or_worse"] == 0, (name, found["false"])
