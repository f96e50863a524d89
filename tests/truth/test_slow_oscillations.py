"""Slow oscillations on simulated nights: what was planted is found, and a change is reported as it was made."""

import numpy as np
import pytest
from benchmarks.slow_oscillation_fairness import count, match, simulate

from eegsleep.events.slow_oscillations import (
    SlowOscillationSettings,
    detect_slow_oscillations,
    find_slow_oscillation_candidates,
    select_slow_oscillations,
)


def detect(seed, settings=None, **knobs):
    recording, stages, quality, truth = simulate(seed, eeg=("C4-M1",), **knobs)
    return detect_slow_oscillations(recording, stages, quality, settings), truth


@pytest.fixture(scope="module")
def night():
    return simulate(0, eeg=("C4-M1",))


@pytest.fixture(scope="module")
def waves(night):
    return detect_slow_oscillations(*night[:3])


@pytest.mark.parametrize("view", ["absolute", "relative"])
def test_planted_waves_are_found_and_little_else(night, waves, view):
    truth, found = night[3], waves[waves[f"found_{view}"]]
    for stage, recall in (("N2", 0.65), ("N3", 0.8)):
        t, f = truth[truth["stage"] == stage], found[found["stage"] == stage]
        pairs = match(t["neg_peak_s"].to_numpy(), f["neg_peak_s"].to_numpy())
        assert len(pairs) / len(t) > recall
        assert len(pairs) / len(f) > 0.95
        late = f["neg_peak_s"].to_numpy()[pairs[:, 1]] - t["neg_peak_s"].to_numpy()[pairs[:, 0]]
        assert abs(np.median(late)) < 0.03


def test_k_complexes_are_told_from_slow_oscillations(night, waves):
    truth = night[3].query("stage == 'N2'")
    found = waves.query("stage == 'N2'")
    pairs = match(truth["neg_peak_s"].to_numpy(), found["neg_peak_s"].to_numpy())
    is_k = truth["kind"].to_numpy()[pairs[:, 0]] == "k_complex"
    said_k = found["kind"].to_numpy()[pairs[:, 1]] == "k_complex"
    assert (is_k & said_k).sum() / is_k.sum() > 0.8
    assert (is_k & said_k).sum() / said_k.sum() > 0.8
    assert not (waves.query("stage == 'N3'")["kind"] == "k_complex").any()


@pytest.mark.nightly
def test_a_fifth_fewer_slow_oscillations_are_reported_as_that():
    change = {"absolute": [], "relative": []}
    for seed in range(3):
        before, _ = detect(seed)
        after, _ = detect(seed, slow_oscillation_rate_per_min=0.8 * 12)
        for view, changes in change.items():
            changes.append(100 * (count(after, view) / count(before, view) - 1))
    assert -23 < np.median(change["absolute"]) < -17
    assert -23 < np.median(change["relative"]) < -15


@pytest.mark.parametrize("gain", [0.8, 1.25])
def test_gain_moves_the_absolute_count_and_not_the_relative_one(waves, gain):
    after, _ = detect(0, gain=gain)
    assert count(after, "relative") == pytest.approx(count(waves, "relative"), rel=0.02)
    change = count(after, "absolute") / count(waves, "absolute") - 1
    assert np.sign(change) == np.sign(gain - 1)
    assert abs(change) > 0.05


@pytest.mark.nightly
@pytest.mark.parametrize("rate_hz", [128, 256, 512])
def test_sampling_rate_does_not_matter(waves, rate_hz):
    other, _ = detect(0, rate_hz=rate_hz)
    for view in ("absolute", "relative"):
        assert count(other, view) == pytest.approx(count(waves, view), rel=0.02)


def test_unusable_epochs_hold_no_wave_and_change_none(night):
    """Whatever stands in an unusable epoch, every other wave is the same to the last digit."""
    recording, stages, quality, _ = night
    bad = np.flatnonzero(stages["stage"].isin(["N2", "N3"]))[::4]
    quality = quality.assign(usable=~quality["epoch"].isin(bad))
    before = find_slow_oscillation_candidates(recording, stages, quality)
    assert not before["neg_peak_s"].floordiv(30).isin(bad).any()
    kept = recording.microvolts.copy()
    try:
        for epoch in bad:
            recording.microvolts[:, 3000 * epoch : 3000 * (epoch + 1)] *= 30
        after = find_slow_oscillation_candidates(recording, stages, quality)
    finally:
        recording.microvolts[:] = kept
    assert after.equals(before)


def test_the_definitions_of_the_own_method_are_those_of_yasa(night, waves):
    """With YASA's values our waves are YASA's waves."""
    yasa, _ = detect(0, SlowOscillationSettings(method="yasa"))
    ours = waves[waves["found_absolute"]]
    pairs = match(yasa["neg_peak_s"].to_numpy(), ours["neg_peak_s"].to_numpy(), 0.05)
    assert len(pairs) > 0.98 * max(len(yasa), len(ours))
    heights = yasa["ptp_uv"].to_numpy()[pairs[:, 0]], ours["ptp_uv"].to_numpy()[pairs[:, 1]]
    assert np.median(np.abs(heights[0] / heights[1] - 1)) < 0.01


def test_thresholds_can_be_changed_without_the_signal(night, waves):
    candidates = find_slow_oscillation_candidates(*night[:3])
    assert select_slow_oscillations(candidates).equals(waves)
    strict = SlowOscillationSettings(ptp_uv=(140.0, 350.0), negative_uv=(80.0, 200.0))
    assert 0 < count(select_slow_oscillations(candidates, strict), "absolute") < count(waves, "absolute") / 2
