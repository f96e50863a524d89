"""Stamps become places: what was recorded is where it was, what was lost is empty."""

import numpy as np
import pytest

from eegsleep.errors import RecordingError
from eegsleep.recording.limits import MAX_DURATION_S
from eegsleep.recording.text.regular_grid import count_by_counter, guess_rate, place_on_grid

RATE = 256.0
T0 = 1_700_000_000.0


def drop(n, packet, share, seed):
    """Mark which samples survive when packets are lost at random; the first and last do."""
    rng = np.random.default_rng(seed)
    kept = np.repeat(rng.random(-(-n // packet)) >= share, packet)[:n]
    kept[:packet] = kept[-packet:] = True
    return kept


@pytest.mark.parametrize("packet", [1, 12])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_no_sample_is_moved_by_more_than_one_whatever_was_lost(packet, share, seed):
    truth = np.flatnonzero(drop(40_000, packet, share, seed))
    grid = place_on_grid(np.round(T0 + truth / RATE, 3), RATE, packet=packet)
    assert np.abs(grid.positions - truth).max() <= 1
    assert grid.rate_hz == RATE


@pytest.mark.parametrize("seed", range(5))
def test_a_jitter_of_a_quarter_sample_makes_no_gap(seed):
    truth = np.arange(50_000)
    jitter = np.random.default_rng(seed).uniform(-0.001, 0.001, len(truth))
    grid = place_on_grid(T0 + truth / RATE + jitter, RATE)
    assert grid.lost == 0
    assert grid.rate_hz == pytest.approx(RATE, rel=1e-5)


@pytest.mark.parametrize("delay_s", [0.0, 0.02])
def test_packets_that_share_a_stamp_or_come_late_make_no_gap(delay_s):
    n = 12 * 10_000
    arrival = np.arange(1, n // 12 + 1) * 12 / RATE + np.random.default_rng(1).exponential(delay_s or 1e-9, n // 12)
    stamps = np.repeat(np.maximum.accumulate(arrival), 12)
    grid = place_on_grid(T0 + np.round(stamps, 3), RATE, packet=12)
    assert grid.lost == 0


def test_a_stall_that_is_caught_up_with_makes_no_gap():
    truth = np.arange(100_000)
    stamps = truth / RATE
    stamps[50_000:50_512] = stamps[50_512]
    grid = place_on_grid(T0 + stamps, RATE, packet=12)
    assert grid.lost == 0
    assert grid.max_delay_s == pytest.approx(2, abs=0.05)


def test_one_wrong_stamp_moves_nothing_else():
    truth = np.arange(20_000)
    for shift_s in (-0.8, 0.8):
        stamps = truth / RATE
        stamps[5_000] += shift_s
        np.testing.assert_array_equal(place_on_grid(T0 + stamps, RATE, packet=12).positions, truth)


def test_a_last_packet_cut_short_is_no_loss():
    truth = np.arange(12_000 + 5)
    assert place_on_grid(T0 + (truth // 12 + 1) * 12 / RATE, RATE, packet=12).lost == 0


def test_packets_lost_from_bursts_are_counted_and_put_where_they_were():
    kept = drop(12 * 5_000, 12, 0.02, 3)
    truth = np.flatnonzero(kept)
    grid = place_on_grid(T0 + (truth // 12 + 1) * 12 / RATE, RATE, packet=12)
    assert grid.lost == (~kept).sum()
    np.testing.assert_array_equal(grid.positions, truth)


@pytest.mark.parametrize("gap_s", [0.5, 30.0, 600.0])
def test_a_long_gap_keeps_its_length(gap_s):
    before, after = np.arange(30_000) / RATE, np.arange(200_000) / RATE
    stamps = np.concatenate([before, before[-1] + 1 / RATE + gap_s + after])
    grid = place_on_grid(T0 + stamps, RATE, packet=12)
    assert grid.lost / grid.rate_hz == pytest.approx(gap_s, abs=1.5 / RATE)


@pytest.mark.parametrize("true_hz", [255.9, 256.02, 252.0])
def test_the_true_rate_is_found_and_no_drift_is_booked_as_loss(true_hz):
    truth = np.flatnonzero(drop(500_000, 12, 0.01, 5))
    grid = place_on_grid(np.round(T0 + truth / true_hz, 3), RATE, packet=12)
    assert grid.rate_hz == pytest.approx(true_hz, rel=1e-6)
    assert np.abs(grid.positions - truth).max() <= 1


def test_repeated_rows_are_dropped_and_counted():
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.arange(1_000), np.arange(988, 1_000), np.arange(1_000, 3_000)])
    values = rng.normal(size=(2, 3_000))[:, rows]
    grid = place_on_grid(T0 + rows / RATE, RATE, packet=12, values=list(values))
    assert (grid.duplicates, grid.lost) == (12, 0)


def test_a_flat_electrode_in_bursts_is_no_repetition():
    stamps = np.repeat(np.arange(1, 501) * 12 / RATE, 12)
    grid = place_on_grid(T0 + stamps, RATE, packet=12, values=[np.full(len(stamps), -1000.0)])
    assert (grid.duplicates, grid.n_samples) == (0, 6_000)


def test_stretches_in_the_wrong_order_are_sorted_and_overlapping_ones_refused():
    first, second = np.arange(5_000) / RATE, 30 + np.arange(5_000) / RATE
    grid = place_on_grid(T0 + np.concatenate([second, first]), RATE)
    assert grid.reordered == 2
    assert grid.rows[0] == 5_000
    assert grid.n_samples == pytest.approx(30 * RATE + 5_000, abs=1)
    with pytest.raises(RecordingError, match="overlap"):
        place_on_grid(T0 + np.concatenate([first, first[2_000:] + 0.001]), RATE)


@pytest.mark.parametrize(
    ("counter", "cycle"),
    [(lambda k: k % 256, 256), (lambda k: 2 * k % 256, 128), (lambda k: 101 + k // 2 % 100, 200)],
    ids=["Cyton", "Daisy", "Ganglion"],
)
def test_the_device_counter_finds_small_losses_whatever_its_step(counter, cycle):
    truth = np.flatnonzero(drop(20_000, 1, 0.02, 2))
    lost, found = count_by_counter(counter(truth).astype(float), truth / RATE, RATE)
    assert found == cycle
    # Where one counter value covers two samples, which of them was lost cannot be known.
    assert np.abs(truth - np.arange(len(truth)) - lost).max() <= 1


def test_the_counter_and_bursty_stamps_together_find_long_losses():
    kept = np.ones(100_000, dtype=bool)
    kept[20_000:20_007] = kept[50_000:51_000] = kept[70_000:70_256] = False
    truth = np.flatnonzero(kept)
    stamps = (truth // 25 + 1) * 25 / 250 + np.random.default_rng(0).exponential(0.01, 4_000)[truth // 25]
    grid = place_on_grid(T0 + stamps, 250.0, counter=truth % 256)
    assert grid.lost == (~kept).sum()
    # Losses of whole cycles of the counter are found by stamps alone: to the length of a burst.
    assert np.abs(grid.positions - truth)[~np.isin(np.arange(len(truth)), np.arange(49_900, 50_100))].max() <= 256
    assert np.mean(grid.positions == truth) > 0.99


def test_a_counter_that_was_set_back_opens_no_gap():
    truth = np.arange(20_000)
    counter = np.concatenate([truth[:9_900] % 256, truth[: len(truth) - 9_900] % 256])
    assert place_on_grid(T0 + truth / 250, 250.0, counter=counter.astype(float)).lost == 0


def test_stamps_of_another_rate_a_broken_clock_and_mostly_nothing_are_refused():
    with pytest.raises(RecordingError, match="2 samples a second"):
        place_on_grid(T0 + np.arange(5_000) / 2, RATE)
    with pytest.raises(RecordingError, match="72 h"):
        place_on_grid(np.array([0.0, 1 / RATE, MAX_DURATION_S + 1]), RATE)
    with pytest.raises(RecordingError, match="missing"):
        place_on_grid(T0 + np.concatenate([np.arange(1_000), 9_000 + np.arange(1_000)]) / RATE, RATE)
    with pytest.raises(RecordingError, match="not advance"):
        place_on_grid(np.full(100, T0), RATE)
    with pytest.raises(RecordingError, match="not finite"):
        place_on_grid(np.array([T0, np.nan, T0 + 1]), RATE)


def test_the_rate_is_guessed_from_regular_and_from_bursty_stamps():
    assert guess_rate(np.round(np.arange(10_000) / RATE, 3)) == pytest.approx(RATE, rel=0.001)
    assert guess_rate((np.arange(10_000) // 12 + 1) * 12 / RATE) == pytest.approx(RATE, rel=0.02)


def test_values_stand_at_their_time_and_gaps_are_nan():
    truth = np.concatenate([np.arange(5_000), np.arange(5_600, 9_000)])
    grid = place_on_grid(T0 + truth / RATE, RATE)
    filled = grid.fill(truth.astype(float))
    there = np.isfinite(filled)
    np.testing.assert_array_equal(np.flatnonzero(~there), np.arange(5_000, 5_600))
    np.testing.assert_array_equal(filled[there], np.flatnonzero(there))
