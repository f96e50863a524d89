"""The list of nights: whether each enters and why not, and the stages of many nights over time."""

import dataclasses

import numpy as np
import pytest
from made_studies import make_study

from eegsleep.study.night_list import STAGES, NightSeen, list_nights, share_stages


def night(stages, **more):
    return NightSeen("n", "S01", "2026-01-05", "A", "", enters=True, why="", stages=tuple(stages), **more)


def test_every_night_says_whether_it_enters_and_why_not(tmp_path):
    study = make_study("pairs", 8)
    nights = study.nights.copy()
    nights.loc[3, ["excluded", "exclusion_reason"]] = [True, "fever"]
    nights.loc[4, "file"] = ""
    seen = list_nights(dataclasses.replace(study, nights=nights), tmp_path, {})
    assert [one.why for one in seen] == [
        "to get used to the recording",
        "to get used to the recording",
        "",
        "fever",
        "not recorded",
        *[""] * 5,
    ]
    assert [one.enters for one in seen] == [one.why == "" for one in seen]


def test_a_night_that_was_scored_has_its_verdict_and_a_page(tmp_path):
    study = make_study("pairs", 8)
    name = study.nights["night"].iloc[2]
    home = tmp_path / name
    home.mkdir()
    (home / "report.html").write_text("page")
    (home / "hypnogram.csv").write_text("not the file that was written")
    made = {name: {"quality": {"verdict": "caution"}, "outputs": {"hypnogram.csv": "0" * 64}}}
    (found,) = [one for one in list_nights(study, tmp_path, made) if one.night == name]
    assert found.verdict == "caution"
    assert found.report == home / "report.html"
    assert found.stages == ()


def test_shares_of_stages_are_over_the_nights_that_go_on():
    long, short = ["W"] * 10 + ["N2"] * 10 + ["R"] * 10, ["N2"] * 10
    shares = share_stages([night(["UNS", "UNS", *long]), night(short), night(long)])
    assert shares.shape == (3, len(STAGES))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[0, STAGES.index("W")] == pytest.approx(2 / 3), "unscored epochs before the first are no time"
    assert shares[2, STAGES.index("R")] == 1


def test_no_stages_have_no_shares():
    assert share_stages([night([]), night(["UNS"] * 20)]).shape == (0, 5)
