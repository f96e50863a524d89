"""The CENT checklist tells what the study knows, and leaves the rest to its author."""

import dataclasses

from made_studies import FAST, make_study, make_values

from eegsleep.study.cent import fill_checklist
from eegsleep.study.comparison.compare import compare_nights
from eegsleep.study.masking.timeline import trace_timeline


def filled(**nights):
    study = make_study("pairs", 12, primary=(f"{FAST}|NREM|C4-M1",))
    study = dataclasses.replace(study, nights=study.nights.assign(**nights))
    comparison = compare_nights(study, make_values(study), n_draws=99)
    steps = trace_timeline(study, registered=None, lock=None)
    return study, {item.item: item for item in fill_checklist(study, comparison, steps)}


def test_items_are_each_there_once_and_open_ones_say_so():
    _, items = filled()
    assert list(items)[:3] == ["1a", "1b", "2a"]
    assert not items["2a"].known
    assert items["2a"].text == "To be written by the author."
    assert items["25"].text == items["2a"].text


def test_the_sequence_and_the_flow_are_those_of_the_nights():
    study, items = filled()
    given = study.nights[study.nights["condition"] != ""]
    assert "".join(given["condition"]) in items["8c"].text
    assert items["13a"].text.startswith("12 nights with a condition → 12 recorded → 12 compared (6 A, 6 B)")


def test_harms_are_counted_by_condition_and_missing_is_not_none():
    study, items = filled()
    assert not items["19"].known, "the column is not there"
    second = study.nights["condition"] == "B"
    first = study.nights["condition"] == "A"
    harm = ["headache" if b else "none" if a else "" for a, b in zip(first, second, strict=True)]
    _, items = filled(harm=harm)
    assert "0 of 6 nights of control" in items["19"].text
    assert "6 of 6 nights of the compound: headache." in items["19"].text
    _, items = filled(harm=[""] * len(harm))
    assert not items["19"].known, "an empty cell was not asked"


def test_guesses_are_counted():
    study, _ = filled()
    guess = ["compound" if c == "B" else "control" if c == "A" else "" for c in study.nights["condition"]]
    _, items = filled(guess=guess)
    assert "12 of 12 guesses were right" in items["11a"].text
