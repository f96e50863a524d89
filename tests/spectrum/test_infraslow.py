"""The infraslow rhythm of sigma: a planted one is found at its frequency, noise has none, gain does not matter."""

import numpy as np
import pytest

from eegsleep.spectrum.infraslow import measure_infraslow

MINUTES = 60


def modulated(hz, depth=0.9, seed=0):
    rng = np.random.default_rng(seed)
    time_s = np.arange(MINUTES * 6000) / 100
    return rng.standard_normal(time_s.size) * (1 + depth * np.cos(2 * np.pi * hz * time_s))


def whole(signal):
    return np.ones(signal.size, dtype=bool)


@pytest.mark.parametrize("hz", [0.015, 0.02, 0.025])
def test_a_planted_rhythm_is_found_at_its_frequency(hz):
    signal = modulated(hz)
    found = measure_infraslow(signal, whole(signal))
    assert found.strength_db >= 6
    assert found.peak_hz == pytest.approx(hz, abs=0.001)
    assert found.minutes == MINUTES
    assert measure_infraslow(3 * signal, whole(signal)).strength_db == pytest.approx(found.strength_db, abs=1e-3)


def test_noise_has_no_rhythm():
    signal = modulated(0.02, depth=0.0, seed=1)
    assert abs(measure_infraslow(signal, whole(signal)).strength_db) < 2


def test_too_little_n2_in_long_bouts_is_missing():
    signal = modulated(0.02)
    inside = np.arange(signal.size) % 20_000 < 15_000  # bouts of 150 s
    found = measure_infraslow(signal, inside)
    assert np.isnan(found.strength_db)
    assert found.minutes == 0
