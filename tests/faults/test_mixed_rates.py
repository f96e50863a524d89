"""Channels of several rates in one file stay together in time, also around gaps."""

from __future__ import annotations

import numpy as np
import pytest
from faults.edf_bytes import (
    LIMITS_16,
    RATE,
    RECORDS,
    Channel,
    as_counts,
    base_channels,
    base_truth,
    build,
    eeg_counts,
    plus,
)

import eegsleep as es

SLOW = 100


def _wave(seconds: np.ndarray) -> np.ndarray:
    """Return µV that tell the time: a swell over the minute, which says which second, and a wave, which says when."""
    return 60 * np.sin(np.pi * seconds / 60) ** 2 + 30 * np.sin(np.pi * seconds)


def _timed() -> Channel:
    limits = (b"-100", b"100", b"-32768", b"32767")
    return Channel(b"E1-M2", as_counts(_wave(np.arange(RECORDS * SLOW) / SLOW), limits), limits=limits)


def _slow_eeg() -> Channel:
    return Channel(b"C3-M2", eeg_counts(9, RECORDS * SLOW, SLOW, limits=LIMITS_16))


@pytest.mark.parametrize(("records", "duration"), [(60, b"1"), (2, b"30"), (1, b"60"), (120, b"0.5")])
def test_slower_channel_keeps_its_time(records, duration, tmp_path):
    """Read beside faster EEG, a wave of 100 Hz is at every moment what it was; mne's lazy reading is seconds off."""
    path = tmp_path / "night.edf"
    path.write_bytes(build([_timed(), *base_channels()], records, duration))
    recording = es.read_recording(path, eeg=["C4-M1"], eog="E1-M2")
    wave = recording.raw.get_data(picks=["E1-M2"])[0] * 1e6
    assert np.max(np.abs(wave - _wave(recording.raw.times))) < 0.1  # 1 ms
    assert np.allclose(recording.raw.get_data(picks=["C4-M1"])[0] * 1e6, base_truth()["C4-M1"], rtol=0, atol=0.02)


def test_slower_channel_keeps_its_time_around_a_gap(tmp_path):
    """After a gap of 7 s the wave is 7 s behind, and within the gap nothing is made up."""
    path, gap_s, after = tmp_path / "night.edf", 7, 30
    onsets = [i + (gap_s if i >= after else 0) for i in range(RECORDS)]
    path.write_bytes(plus(onsets, channels=[_timed(), *base_channels()], reserved=b"EDF+D"))
    recording = es.read_recording(path, eeg=["C4-M1"], eog="E1-M2")
    wave, seconds = recording.raw.get_data(picks=["E1-M2"])[0] * 1e6, recording.raw.times
    missing = (seconds >= after) & (seconds < after + gap_s)
    assert np.isnan(wave[missing]).all()
    assert np.isfinite(wave[~missing]).all()
    early, late = seconds < after - 1, seconds > after + gap_s + 1
    assert np.max(np.abs(wave[early] - _wave(seconds[early]))) < 0.5  # 5 ms: the edges of the gap ring a little
    assert np.max(np.abs(wave[late] - _wave(seconds[late] - gap_s))) < 0.5


def test_analysis_rate_keeps_the_gap_and_no_more(tmp_path):
    """At 100 Hz exactly the seconds that were not recorded are missing, in every channel, and none is bridged."""
    path = tmp_path / "night.edf"
    onsets = [i + (20 if i >= 30 else 0) for i in range(RECORDS)]
    path.write_bytes(plus(onsets, channels=[*base_channels(), _slow_eeg()], reserved=b"EDF+D"))
    recording = es.read_recording(path, eeg=["C4-M1", "C3-M2"])
    assert recording.duration_s == pytest.approx(80)
    missing = np.isnan(recording.microvolts)
    assert recording.microvolts.shape == (2, 8000)
    for row in missing:
        wrong = np.flatnonzero(row != ((np.arange(8000) >= 3000) & (np.arange(8000) < 5000)))
        assert wrong.size <= 2, f"{wrong.size} samples from {wrong[0] / 100:g} to {wrong[-1] / 100:g} s"


def test_slower_eeg_beside_faster_eeg_keeps_its_shape(tmp_path):
    """A derivation of 100 Hz read with one of 256 Hz has the same samples at the times both share."""
    path = tmp_path / "night.edf"
    path.write_bytes(build([*base_channels(), _slow_eeg()]))
    recording = es.read_recording(path, eeg=["C4-M1", "C3-M2"])
    found = recording.raw.get_data(picks=["C3-M2"])[0] * 1e6
    rate_hz = recording.raw.info["sfreq"]
    assert rate_hz == RATE
    shared = found[:: RATE // 4]  # both rates have a sample every quarter of a second
    truth = _slow_eeg().numbers[:: SLOW // 4]
    inside = slice(20, -20)  # the ends ring where noise is cut off in the middle
    assert np.max(np.abs(shared[inside] - truth[inside])) < 1
