"""Lights off and on: by the user's word, by the file's, or honestly unknown."""

import dataclasses
from datetime import datetime

import mne
import numpy as np
import pandas as pd
import pytest

import eegsleep as es
from eegsleep.events.detect import Events
from eegsleep.hypnograms.table import make_stages
from eegsleep.markers import measure_markers
from eegsleep.staging.lights import Lights, find_lights, keep_night, lights_from_hypnogram, lights_from_sleep
from eegsleep.tables import EVENT_TABLES, QUALITY, SPECTRUM, empty_table


@pytest.fixture
def recording(sample_recording):
    """Return the sample night, 23:00 to 0:30, with a raw of its own that may be annotated."""
    return dataclasses.replace(sample_recording, raw=sample_recording.raw.copy())


def stages_of(text):
    """Return a hypnogram from one letter an epoch."""
    names = {"w": "W", "1": "N1", "2": "N2", "3": "N3", "r": "R", "-": "UNS"}
    codes = np.array([names[letter] for letter in text], dtype=object)
    return make_stages(codes, None, np.ones(len(codes), dtype=bool))


@pytest.mark.parametrize(
    ("off", "on", "expected"),
    [
        ("23:10", "00:20", (600, 4800)),
        ("23:10:30", None, (630, 5400)),
        (None, datetime(2024, 1, 2, 0, 15), (0, 4500)),  # noqa: DTZ001 - local time
        ("2024-01-01T23:05", None, (300, 5400)),
        ("22:59", "00:31", (0, 5400)),
    ],
)
def test_user_gives_clock_times(off, on, expected, recording):
    lights = find_lights(recording, off, on)
    assert (lights.off_s, lights.on_s, lights.source) == (*expected, "user")


@pytest.mark.parametrize(
    ("off", "on"), [("12:00", None), ("22:45", None), (None, "00:45"), ("soon", None), ("00:20", "23:10")]
)
def test_a_time_outside_the_recording_is_refused(off, on, recording):
    with pytest.raises(es.RecordingError):
        find_lights(recording, off, on)


def test_annotations_in_the_file_are_used(recording):
    """HMC writes `Lights off@@EEG F4-A1`; who gets up in the night switches them on and off once more."""
    texts = ["Lights off@@EEG F4-A1", "Lights on", "lights OFF", "Lights on@@EEG F4-A1"]
    recording.raw.set_annotations(mne.Annotations([600, 2000, 2300, 4800], 0, texts))
    lights = find_lights(recording)
    assert (lights.off_s, lights.on_s, lights.source) == (600, 4800, "annotations")


def test_lights_that_were_on_while_the_recorder_was_set_up_end_no_night(recording):
    recording.raw.set_annotations(mne.Annotations([0, 600], 0, ["Lights on", "Lights off"]))
    lights = find_lights(recording)
    assert (lights.off_s, lights.on_s) == (600, 5400)


def test_whole_recording_is_the_night_if_nobody_says_otherwise(recording):
    recording.raw.set_annotations(None)
    assert find_lights(recording) == Lights(0, 5400, "whole recording")


def test_a_hypnogram_may_say_when_the_lights_went_out():
    assert lights_from_hypnogram(300.0, None, 180) == Lights(300, 5400, "hypnogram")
    assert lights_from_hypnogram(None, None, 180) is None


def test_night_is_the_longest_sleep_and_not_the_nap():
    stages = stages_of("w" * 200 + "2" * 60 + "w" * 400 + "2" * 300 + "w" * 100 + "r" * 200 + "w" * 500)
    lights = lights_from_sleep(stages)
    assert (lights.off_s, lights.on_s) == ((660 - 60) * 30, (1260 + 60) * 30)
    kept = keep_night(stages, lights)["stage"]
    assert (kept[:600] == "UNS").all()
    assert (kept[1320:] == "UNS").all()
    assert (kept[600:1320] == stages["stage"][600:1320]).all()


def markers_of(stages, lights):
    events = Events(**{table.name: empty_table(table) for table in EVENT_TABLES})
    quality, spectrum = empty_table(QUALITY), empty_table(SPECTRUM)
    return measure_markers(stages, quality, events, spectrum, [], lights=lights).set_index("marker")


def test_statistics_count_from_lights_off():
    """AASM: time in bed, onset latency and efficiency begin at lights off, not at the first sample."""
    lights = Lights(600, 6600, "user")
    markers = markers_of(keep_night(stages_of("w" * 30 + "2" * 150 + "w" * 60), lights), lights)["value"]
    assert markers["tib_min"] == 100
    assert markers["sol_min"] == 5
    assert markers["waso_min"] == 20
    assert markers["sleep_efficiency_percent"] == 75


def test_what_counts_from_unknown_lights_is_missing_with_a_reason():
    lights = Lights(600, 6600, "sleep")
    markers = markers_of(keep_night(stages_of("w" * 30 + "2" * 150 + "w" * 60), lights), lights)
    unknown = ["tib_min", "sol_min", "waso_min", "sleep_efficiency_percent", "persistent_sleep_latency_min"]
    assert markers.loc[unknown, "value"].isna().all()
    assert (markers.loc[unknown, "reason"] == "lights off and on are not known").all()
    assert markers.loc["sleep_period_min", "value"] == 75
    assert markers.loc["wake_in_sleep_period_min", "value"] == 0


def test_lights_are_kept_with_the_night(sample_recording, tmp_path):
    lights = find_lights(sample_recording, "23:06", "00:25")
    stages = make_stages(np.array(["W"] * 20 + ["N2"] * 160), None, np.ones(180, dtype=bool))
    night = es.analyze_night(sample_recording, hypnogram=stages, lights=lights)
    again = es.load_night(es.save_night(night, tmp_path))
    assert again.lights == lights == Lights(360, 5100, "user")
    values = pd.Series(again.markers["value"].to_numpy(), again.markers["marker"])
    assert (values["tib_min"], values["sol_min"], values["tst_min"]) == (79, 4, 75)
