"""The audit: what is planted is where it should be, is found as often as it can be, and always the same."""

import dataclasses

import mne
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from eegsleep.events.audit import (
    AuditedView,
    AuditSettings,
    _match,
    audit_events,
    correct_for_recall,
    make_slow_oscillation,
    make_spindle,
    wilson_interval,
)
from eegsleep.events.calibration import Calibration
from eegsleep.events.detect import detect_events
from eegsleep.events.slow_oscillations import detect_slow_oscillations
from eegsleep.events.spindles import detect_spindles
from eegsleep.tables import SPINDLES, empty_table


def views_of(recording, night, find_spindles=None):
    """Return the absolute views of both kinds, the main ones of a calibrated night."""
    everywhere = dict.fromkeys(recording.derivations, 1.0)
    waves = detect_slow_oscillations(recording, night.stages, night.quality)

    find = find_spindles or detect_spindles
    return [
        AuditedView("spindle", "absolute", everywhere, night.spindles, find),
        AuditedView("slow_oscillation", "absolute", everywhere, waves, detect_slow_oscillations),
    ]


def audit(recording, night, settings=None, find_spindles=None):
    return audit_events(recording, night.stages, night.quality, views_of(recording, night, find_spindles), settings)


@pytest.fixture(scope="module")
def sample_audit(sample_recording, sample_night):
    return audit(sample_recording, sample_night)


def share(audit, kind, amplitude):
    rows = audit[(audit["kind"] == kind) & (audit["planted_uv"] == amplitude)]
    return rows["n_found"].sum() / rows["n_planted"].sum()


def test_large_events_are_found_and_small_ones_less_often(sample_audit):
    assert share(sample_audit, "spindle", 40) > 0.9
    assert share(sample_audit, "spindle", 40) > share(sample_audit, "spindle", 15)
    assert share(sample_audit, "slow_oscillation", 200) > 0.9
    assert share(sample_audit, "slow_oscillation", 200) > share(sample_audit, "slow_oscillation", 75)


def test_size_and_frequency_of_large_events_are_told_right(sample_audit):
    large = sample_audit[sample_audit["planted_uv"].isin([40, 200])]
    assert large["amplitude_bias_percent"].abs().max() < 15
    assert large["frequency_bias_hz"].abs().max() < 0.5


def test_a_planted_slow_oscillation_is_awaited_at_its_trough(sample_recording, sample_night):
    """The trough lies a quarter period, 0.29 s, before the middle of what was planted."""
    near = audit(sample_recording, sample_night, AuditSettings(tolerance_s=0.12), lambda *_: empty_table(SPINDLES))
    assert share(near, "slow_oscillation", 200) > 0.9
    assert share(near, "spindle", 40) == 0


def test_chance_is_small_beside_recall(sample_audit):
    """Where nothing is planted a random moment seldom counts as found."""
    assert sample_audit["chance_percent"].max() < 20


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_the_relative_view_is_audited_alike_at_every_gain(sample_recording, sample_night, gain):
    """Sizes in multiples of the night's own signal: the same places, sizes and recall, to the digit but in µV."""
    info = mne.create_info(sample_recording.channels, 100, list(sample_recording.roles.values()))
    raw = mne.io.RawArray(gain * sample_recording.microvolts * 1e-6, info, verbose="ERROR")
    louder = dataclasses.replace(sample_recording, raw=raw, files=())
    events = detect_events(louder, sample_night.stages, sample_night.quality)
    counted = ["channel", "kind", "stage", "planted_ratio", "n_planted", "n_found", "recall", "chance_percent"]
    before, after = (table[table["view"] == "relative"] for table in (sample_night.audit, events.audit))
    assert set(before["kind"]) == {"spindle", "slow_oscillation"}
    pd.testing.assert_frame_equal(after[counted].reset_index(drop=True), before[counted].reset_index(drop=True))
    assert (after["planted_uv"].to_numpy() / before["planted_uv"].to_numpy()) == pytest.approx(gain, rel=1e-4)


def test_the_audit_of_spindles_does_not_follow_slow_waves(sample_recording, sample_night):
    """A slow oscillation found where a spindle would be planted moves no spindle."""
    spindles, waves = views_of(sample_recording, sample_night)
    fewer = dataclasses.replace(waves, events=waves.events.iloc[::2])
    tables = [
        audit_events(sample_recording, sample_night.stages, sample_night.quality, [spindles, view])
        for view in (waves, fewer)
    ]
    before, after = (table[table["kind"] == "spindle"].reset_index(drop=True) for table in tables)
    assert after["n_planted"].equals(before["n_planted"])
    assert after["n_found"].to_numpy() == pytest.approx(before["n_found"].to_numpy(), abs=1)


def test_each_channel_is_audited_in_the_view_in_which_its_spindles_are_counted(sample_recording, sample_night):
    one, *others = sample_recording.derivations
    known = Calibration(sigma_amplitude_uv={one: 12.0}, background_level={one: 3.0})
    found = detect_events(sample_recording, sample_night.stages, sample_night.quality, None, known).audit
    spindles = found[found["kind"] == "spindle"].groupby("channel")["view"].agg(set).to_dict()
    assert spindles == {one: {"absolute"}, **{other: {"relative"} for other in others}}
    assert found["planted_ratio"].isna().equals(found["view"] == "absolute")


def test_same_night_gives_the_same_audit(sample_recording, sample_night, sample_audit):
    pd.testing.assert_frame_equal(audit(sample_recording, sample_night), sample_audit)


def test_nothing_is_planted_on_native_events_or_in_unusable_epochs(sample_recording, sample_night):
    """The detector is handed the copy; the difference from the night shows where something was added."""
    handed = []
    usable = sample_night.quality.assign(usable=sample_night.quality["usable"] & (sample_night.quality["epoch"] != 60))

    def look(recording, stages, quality):
        handed.append(recording.microvolts - sample_recording.microvolts)
        return detect_spindles(recording, stages, quality)

    night = dataclasses.replace(sample_night, quality=usable)
    view = dataclasses.replace(views_of(sample_recording, night, look)[0], whole_night=True)
    audit_events(sample_recording, night.stages, usable, [view])
    added = np.abs(handed[0][0]) > 1
    assert added.any()
    assert not added[60 * 3000 : 61 * 3000].any()
    for event in night.spindles.query("channel == 'C4-M1'").itertuples():
        centre = round((event.onset_s + event.duration_s / 2) * 100)
        assert not added[centre - 50 : centre + 50].any()
    assert not added[: int(night.stages.query("stage == 'N2'")["onset_s"].iloc[0] * 100)].any(), "wake was touched"


def test_the_copy_holds_the_epochs_in_which_something_is_planted(sample_recording, sample_night):
    """Each is the night's own but for a straight line and the events, and two that did not follow each other join."""
    handed = []

    def look(*copy):
        handed.append(copy)
        return detect_spindles(*copy)

    settings = AuditSettings(max_per_cell=2)
    audit_events(
        sample_recording,
        sample_night.stages,
        sample_night.quality,
        views_of(sample_recording, sample_night, look)[:1],
        settings,
    )
    ((copy, stages, quality),) = handed
    assert 0 < copy.n_epochs == len(stages) < sample_recording.n_epochs / 2
    assert stages["epoch"].tolist() == list(range(copy.n_epochs))
    assert (quality.groupby("channel")["epoch"].size() == copy.n_epochs).all()
    assert set(stages["stage"]) <= {"N2", "N3"}
    steps = np.abs(np.diff(copy.microvolts[0]))
    assert steps[2999::3000].max() < 3 * np.quantile(steps, 0.99), "no step where epochs join"


def test_night_without_sleep_has_an_empty_audit(sample_recording, sample_night):
    awake = dataclasses.replace(sample_night, stages=sample_night.stages.assign(stage="W"))
    assert audit(sample_recording, awake).empty


def test_waveforms_have_the_size_they_are_said_to_have():
    assert np.ptp(make_spindle(30.0, 13.0, 0.9)) == pytest.approx(30, rel=0.03)
    wave = make_slow_oscillation(150.0, 0.8)
    assert np.ptp(wave) == pytest.approx(150)
    assert wave.argmin() < wave.argmax()


def test_correction_undoes_what_the_detector_missed():
    """A hundred events of 20 µV of which half are found, and fifty of 40 µV of which all are, were 150."""
    known = pd.DataFrame({"planted_uv": [20.0, 40.0], "recall": [0.5, 1.0], "n_planted": [40, 40]})
    assert correct_for_recall(np.r_[np.full(50, 20.0), np.full(50, 40.0)], known) == pytest.approx(150)
    assert np.isnan(correct_for_recall(np.ones(3), known.iloc[:0]))


def test_a_planted_event_is_matched_with_the_nearest_one_found():
    rng = np.random.default_rng(3)
    times_s, peaks_s = rng.uniform(0, 600, 200), rng.permutation(rng.uniform(0, 600, 300))
    hits, index = _match(times_s, peaks_s, 0.5)
    distance_s = np.abs(peaks_s[None, :] - times_s[:, None])
    assert (index == distance_s.argmin(axis=1)).all()
    assert (hits == (distance_s.min(axis=1) <= 0.5)).all()
    assert 0 < hits.sum() < 200
    assert not _match(times_s, np.zeros(0), 0.5)[0].any()


def test_interval_of_a_share_is_that_of_wilson():
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    for n_found, n in ((0, 7), (1, 1), (7, 7), (3, 400), (250, 400)):
        assert wilson_interval(n_found, n) == pytest.approx(binomtest(n_found, n).proportion_ci(method="wilson"))


def test_fewer_places_than_wanted_are_shared_fairly(sample_recording, sample_night):
    few = audit(sample_recording, sample_night, AuditSettings(spacing_s=44.0))
    assert few["n_planted"].min() >= 1
