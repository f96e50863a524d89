"""A list may say when the lights went out and nobody when they went on, hours before a recording of a day ends."""

import dataclasses
import math

import mne
import numpy as np
import pytest

import eegsleep as es
from eegsleep.hypnograms.table import make_stages
from eegsleep.staging import lights as lights_of
from eegsleep.staging import score
from eegsleep.staging.lights import OFF_ALONE, complete_lights, find_lights, lights_from_sleep


def stages_of(text):
    """Return a hypnogram from one letter an epoch."""
    names = {"w": "W", "2": "N2", "r": "R"}
    codes = np.array([names[letter] for letter in text], dtype=object)
    return make_stages(codes, None, np.ones(len(codes), dtype=bool))


@pytest.fixture
def day(sample_recording, monkeypatch):
    """Return the sample night, 23:00 to 0:30, as a recording that is longer than a night may be."""
    for module in (lights_of, score):
        monkeypatch.setattr(module, "MAX_NIGHT_H", 1.0)
        monkeypatch.setattr(module, "MARGIN_S", 120.0)
    raw = sample_recording.raw.copy()
    raw.set_annotations(mne.Annotations([], [], []))
    return dataclasses.replace(sample_recording, raw=raw)


def test_lights_off_alone_does_not_make_the_next_day_part_of_the_night():
    stages = stages_of("w" * 240 + "2" * 60 + "w" * 200 + "2" * 500 + "r" * 100 + "w" * 400)
    found = lights_from_sleep(stages, 400 * 30.0)
    assert (found.off_s, found.on_s, found.source) == (400 * 30, (1100 + 60) * 30, OFF_ALONE)
    assert found.known
    assert not found.on_known


def test_lights_on_is_open_until_there_are_stages(day):
    open_ended = find_lights(day, "23:10")
    assert open_ended.off_s == 600
    assert math.isnan(open_ended.on_s)
    stages = stages_of("w" * 40 + "2" * 100 + "w" * 40)
    assert complete_lights(open_ended, stages).on_s == 140 * 30 + 120
    assert find_lights(day, "23:10", "00:10").source == "user"


def test_what_counts_up_to_lights_on_is_missing_and_what_counts_from_lights_off_is_not(day):
    stages = stages_of("w" * 40 + "2" * 100 + "w" * 40)
    night = es.analyze_night(day, hypnogram=stages, lights=find_lights(day, "23:10"))
    assert (night.lights.off_s, night.lights.on_s) == (600, 4320)
    assert (night.stages["stage"][:20] == "UNS").all()
    assert (night.stages["stage"][144:] == "UNS").all()
    values = night.markers.set_index("marker")
    assert values.loc["sol_min", "value"] == 10
    assert values.loc["tst_min", "value"] == 50
    unknown = ["tib_min", "waso_min", "sleep_efficiency_percent"]
    assert values.loc[unknown, "value"].isna().all()
    assert (values.loc[unknown, "reason"] == "lights on is not known").all()
    assert any("Lights on is not known" in warning for warning in night.warnings)
    assert any("30 min after the longest sleep" in method for method in night.methods)


def test_a_day_that_is_scored_ends_with_the_sleep_of_its_second_scoring(day, monkeypatch):
    """The first is scaled by the whole day, and single epochs of its wake may look like sleep."""
    passes = iter(["w" * 40 + "2" * 60 + "w" * 40 + "2" * 2 + "w" * 38, "w" * 40 + "2" * 60 + "w" * 80])
    scored = lambda *_: score.ScoredEpochs(stages_of(next(passes)), None, {}, {}, slice(0, 180))  # noqa: E731
    monkeypatch.setattr(score, "_score_epochs", scored)
    monkeypatch.setattr(score, "score_at_equal_delta", lambda *_: None)
    lights = score.score_night(day, es.measure_quality(day), None, find_lights(day, "23:10")).lights
    assert lights.on_s == 100 * 30 + 120
