"""Spindles one by one: what is planted by hand is found where, and as what, it was planted."""

import json

import numpy as np
import pandas as pd
import pytest
from planted_spindles import RATE_HZ, given_stages, plant, record

import eegsleep as es
from eegsleep.events.calibrate import calibrate
from eegsleep.events.calibration import Calibration
from eegsleep.events.gain_reference import gain_reference_uv
from eegsleep.events.spindle_candidates import find_spindle_candidates
from eegsleep.events.spindles import SpindleSettings, detect_spindles, find_low_sigma, select_spindles
from eegsleep.tables import SPINDLE_CANDIDATES, SPINDLES, empty_table

PLACES_S = np.arange(20.0, 880.0, 10.0)


def make_noise(minutes=15, seed=0):
    """Return 1/f² noise in µV that is about as strong as N2 is."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(minutes * 60 * RATE_HZ))
    frequency = np.fft.rfftfreq(minutes * 60 * RATE_HZ, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum / np.maximum(frequency, 0.5))
    return 20 * noise / noise.std()


def make_night(signal, stage="N2", usable=None):
    stages = given_stages(np.full(signal.size // (30 * RATE_HZ), stage))
    recording = record(signal[None], ["C4"])
    quality = es.measure_quality(recording)
    return recording, stages, quality.assign(usable=quality["usable"] if usable is None else usable)


@pytest.fixture(scope="module")
def night():
    """Return a quarter of an hour with 86 spindles of 40 µV, 13.3 Hz and 1 s."""
    return make_night(plant(make_noise(), PLACES_S, amplitude_uv=(40, 40)))


@pytest.fixture(scope="module")
def candidates(night):
    return find_spindle_candidates(*night)


def test_planted_spindles_are_found_and_measured(night):
    found = detect_spindles(*night)
    assert len(found) == pytest.approx(len(PLACES_S), abs=2)
    assert np.abs(found["peak_s"].to_numpy()[:, None] - PLACES_S).min(axis=1).max() < 0.3
    assert found["frequency_hz"].median() == pytest.approx(13.3, abs=0.1)
    assert found["amplitude_uv"].median() == pytest.approx(40, rel=0.15)
    assert found["duration_s"].median() == pytest.approx(0.64, abs=0.1)  # a Hann envelope is above 40 % for 0.56 s
    assert np.abs(found["centroid_s"].to_numpy()[:, None] - PLACES_S).min(axis=1).max() < 0.1
    assert found["symmetry"].median() == pytest.approx(0.5, abs=0.05)
    assert found["chirp_hz_per_s"].median() == pytest.approx(0, abs=0.3)
    assert found["n_oscillations"].median() == pytest.approx(10, abs=2)
    assert set(found["spindle_class"]) == {"fast"}
    assert (found["amplitude_broadband_uv"] > found["amplitude_uv"] * 0.8).all()


@pytest.mark.parametrize(("frequency_hz", "kind"), [(11.5, "slow"), (12.0, "slow"), (12.9, "fast"), (15.0, "fast")])
def test_slow_and_fast_spindles_are_found_at_their_frequency(frequency_hz, kind):
    signal = plant(make_noise(), PLACES_S, frequency_hz=frequency_hz, amplitude_uv=(60, 60))
    found = detect_spindles(*make_night(signal))
    assert len(found) >= 0.9 * len(PLACES_S)
    assert (found["spindle_class"] == kind).mean() >= 0.95
    assert found["frequency_hz"].median() == pytest.approx(frequency_hz, abs=0.15)


def test_events_below_eleven_hertz_are_no_spindles_but_low_sigma_on_frontal_channels():
    signal = plant(make_noise(), PLACES_S, frequency_hz=10.2, amplitude_uv=(60, 60))
    recording, stages, quality = make_night(signal)
    assert len(detect_spindles(recording, stages, quality)) == 0
    assert len(find_low_sigma(recording, stages, quality)) == 0  # C4 is not frontal
    frontal, seen = record(signal[None], ["F3-M2"]), quality.assign(channel="F3-M2")
    assert len(find_low_sigma(frontal, stages, seen)) >= 0.9 * len(PLACES_S)


def test_the_least_of_candidates_leaves_the_others_as_they_are(sample_recording, sample_night):
    night = (sample_recording, sample_night.stages, sample_night.quality)
    every = find_spindle_candidates(*night)
    chosen = every[(every["sigma_ratio"] >= 3) & (every["sigma_share"] >= 0.5)].reset_index(drop=True)
    assert 0 < len(chosen) < len(every)
    pd.testing.assert_frame_equal(find_spindle_candidates(*night, least=(3, 0.5)), chosen)


@pytest.mark.parametrize(("duration_s", "share"), [(0.2, 0.0), (0.3, 0.0), (0.5, 1.0), (1.0, 1.0)])
def test_the_shortest_spindle_lasts_half_a_second(duration_s, share):
    """Bursts of 13 Hz with edges of a tenth of a second, as long as said at half of their height."""
    time_s = np.arange(-100, 101) / RATE_HZ
    envelope = np.clip((duration_s / 2 + 0.05 - np.abs(time_s)) / 0.1, 0, 1)
    signal = make_noise()
    for place in PLACES_S:
        signal[round(place * RATE_HZ) - 100 :][:201] += 20 * envelope * np.cos(2 * np.pi * 13 * time_s)
    found = detect_spindles(*make_night(signal))
    assert len(found) == pytest.approx(share * len(PLACES_S), abs=0.02 * len(PLACES_S))
    if share:
        assert found["duration_s"].median() == pytest.approx(duration_s, abs=0.12)


def test_a_falling_frequency_is_seen():
    time_s = np.arange(-100, 101) / RATE_HZ
    wave = 25 * np.cos(np.pi * time_s / 2) ** 2 * np.cos(2 * np.pi * (13.5 * time_s - 0.5 * time_s**2))
    signal = make_noise()
    for place in PLACES_S:
        signal[round(place * RATE_HZ) - 100 :][:201] += wave
    assert detect_spindles(*make_night(signal))["chirp_hz_per_s"].median() == pytest.approx(-1.0, abs=0.3)


def test_noise_and_steady_alpha_and_muscle_are_no_spindles():
    noise = make_noise()
    time_s = np.arange(noise.size) / RATE_HZ
    alpha = 12 * np.cos(2 * np.pi * 10 * time_s) * (1 + 0.2 * np.cos(2 * np.pi * 0.1 * time_s))
    muscle = 15 * np.random.default_rng(1).standard_normal(noise.size) * (time_s % 20 < 1)
    for signal in (noise, noise + alpha, noise + muscle):
        assert len(detect_spindles(*make_night(signal))) <= 1


@pytest.mark.parametrize(
    "signal",
    [np.zeros(30_000), np.full(30_000, np.nan), make_noise(5)[:2999]],
    ids=["flat", "missing", "shorter than an epoch"],
)
def test_silence_gives_empty_tables_with_their_columns(signal):
    recording = record(signal[None], ["C4"])
    stages = given_stages(np.full(signal.size // 3000, "N2", dtype="U2"))
    quality = es.measure_quality(recording) if signal.size >= 3000 else empty_table(es.tables.QUALITY)
    for usable in (True, False):
        night = recording, stages, quality.assign(usable=usable)
        pd.testing.assert_frame_equal(find_spindle_candidates(*night), empty_table(SPINDLE_CANDIDATES))
        pd.testing.assert_frame_equal(detect_spindles(*night), empty_table(SPINDLES))
    assert np.isnan(gain_reference_uv(*night)["C4"])
    assert calibrate([empty_table(SPINDLE_CANDIDATES)]) == Calibration()


def test_no_nrem_holds_no_spindle(night):
    recording, _, quality = night
    for stage in ("W", "N1", "R", "UNS"):
        assert len(detect_spindles(recording, given_stages(np.full(30, stage)), quality)) == 0


def test_unusable_epochs_hold_nothing_and_move_nothing(night):
    """Ten epochs of 500 µV at 13 Hz, and of nothing, leave the others' spindles as they were."""
    recording, stages, quality = night
    usable = quality["usable"] & ~quality["epoch"].between(10, 19)
    expected = detect_spindles(recording, stages, quality.assign(usable=usable))
    assert not expected["onset_s"].between(300, 600).any()
    for bad in (500 * np.cos(2 * np.pi * 0.13 * np.arange(30_000)) + 3000, np.nan):
        signal = recording.signal("C4").copy()
        signal[30_000:60_000] = bad
        found = detect_spindles(record(signal[None], ["C4"]), stages, quality.assign(usable=usable))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-3)


def test_missing_samples_cost_only_the_spindles_they_touch(night):
    recording, stages, quality = night
    signal = recording.signal("C4").copy()
    signal[12_000:12_010] = np.nan  # within the spindle at 120 s
    before, after = (detect_spindles(r, stages, quality) for r in (recording, record(signal[None], ["C4"])))
    assert len(after) == pytest.approx(len(before) - 1, abs=1)
    assert not ((after["onset_s"] < 120.1) & (after["onset_s"] + after["duration_s"] > 120)).any()


def test_selection_from_candidates_is_detection_without_the_signal(night, candidates):
    for settings in (SpindleSettings(), SpindleSettings(min_sigma_ratio=4.0), SpindleSettings(view="absolute")):
        pd.testing.assert_frame_equal(select_spindles(candidates, settings), detect_spindles(*night, settings))
    assert len(candidates) > len(select_spindles(candidates))


def test_gain_moves_the_absolute_view_only():
    """Every signal halved: the same relative spindles, fewer absolute ones, and the gain reference says so."""
    signal = plant(make_noise(), PLACES_S)
    full, half = make_night(signal), make_night(signal / 2)
    either = SpindleSettings(view="either")
    before, after = (detect_spindles(*one, either) for one in (full, half))
    assert before["found_relative"].sum() == after["found_relative"].sum() > 60
    assert after["found_absolute"].sum() < 0.7 * before["found_absolute"].sum()
    assert len(detect_spindles(*half)) == after["found_relative"].sum()
    assert gain_reference_uv(*half)["C4"] / gain_reference_uv(*full)["C4"] == pytest.approx(0.5)


def test_a_calibrated_threshold_is_frozen_over_nights(candidates):
    """A multiple of the median night's sigma in µV; a stronger night then has larger spindles, not other ones."""
    strong = candidates.assign(envelope_uv=2 * candidates["envelope_uv"], baseline_uv=2 * candidates["baseline_uv"])
    calibration = calibrate([candidates, candidates, strong])
    threshold = 2.5 * candidates["baseline_uv"].median()
    assert calibration.sigma_amplitude_uv == {"C4": pytest.approx(threshold)}
    assert calibration.fast_spindle_hz == pytest.approx(13.3, abs=0.15)
    assert calibration.slow_spindle_hz is None
    assert calibration.n_nights == 3
    found = select_spindles(candidates, calibration=calibration)
    assert found["found_absolute"].all()
    assert (found["envelope_uv"] >= threshold).all()
    other = candidates.assign(channel="F3")
    assert select_spindles(other, calibration=calibration)["found_relative"].all()


def test_the_share_of_sigma_is_taken_at_the_person_s_own_background(candidates):
    """Half of the background makes a share of 1/2 one of 2/3; without a calibration it stays as it is."""
    even = candidates.assign(sigma_share=0.5, background_level=4.0)
    strict = SpindleSettings(min_sigma_share=0.6)
    assert len(select_spindles(even, strict)) == 0
    known = Calibration(sigma_amplitude_uv={"C4": 1.0}, background_level={"C4": 2.0})
    assert len(select_spindles(even, strict, known)) > 0
    assert len(select_spindles(even, strict, Calibration(sigma_amplitude_uv={"C4": 1.0}))) == 0


def test_calibration_survives_json(candidates):
    calibration = calibrate([candidates])
    assert Calibration.from_dict(json.loads(json.dumps(calibration.as_dict()))) == calibration
    with pytest.raises(es.EegSleepError, match="unknown entries"):
        Calibration.from_dict({"sigma": 1})


def test_individual_frequencies_part_slow_from_fast(candidates):
    calibration = Calibration(slow_spindle_hz=12.9, fast_spindle_hz=14.5)
    assert set(select_spindles(candidates)["spindle_class"]) == {"fast"}
    assert set(select_spindles(candidates, calibration=calibration)["spindle_class"]) == {"slow"}


def test_plain_yasa_stays_available(night):
    import yasa

    recording, _, _ = night
    plain = yasa.spindles_detect(recording.signal("C4"), 100, hypno=np.full(90_000, 2), include=(2, 3)).summary()
    found = detect_spindles(*night, SpindleSettings(method="yasa"))
    assert found["onset_s"].tolist() == plain["Start"].tolist()
    assert found["sigma_ratio"].isna().all()


@pytest.mark.parametrize("wrong", [{"method": "luna"}, {"view": "both"}])
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(es.EegSleepError, match="is unknown"):
        SpindleSettings(**wrong)
