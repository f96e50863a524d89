"""One band of a signal: a sine in it keeps its size and phase, and what lies outside is gone."""

import numpy as np
import pytest

from eegsleep.signals.band_filter import analytic_band, filter_band, thin

TIMES_S = np.arange(30_000) / 100
INNER = slice(3_000, 27_000)


def test_thinning_is_the_mean_of_samples_and_tells_rate_and_first_time():
    thinned, rate_hz, start_s = thin(np.arange(10.0), 4)
    assert thinned.tolist() == [1.5, 5.5]
    assert (rate_hz, start_s) == (25.0, 0.015)


def test_a_sine_in_the_band_keeps_its_size_and_its_phase():
    """0.8 Hz of 40 µV beside an offset of 50 µV and 10 Hz of 20 µV."""
    wave = 40 * np.cos(2 * np.pi * 0.8 * TIMES_S)
    signal = wave + 50 + 20 * np.cos(2 * np.pi * 10 * TIMES_S)
    assert filter_band(signal, (0.3, 1.5), 0.2)[INNER] == pytest.approx(wave[INNER], abs=2)
    analytic = analytic_band(signal, (0.3, 1.5), 0.2)
    assert analytic.shape == TIMES_S.shape
    assert np.abs(analytic[INNER]) == pytest.approx(40, abs=2)
    assert np.abs(np.angle(analytic[[12_500, 15_000]])) == pytest.approx(0, abs=0.05)
    assert np.abs(np.angle(analytic[12_562])) == pytest.approx(np.pi, abs=0.08)
    np.testing.assert_allclose(analytic.real, filter_band(signal, (0.3, 1.5), 0.2), atol=1e-9)


def test_missing_samples_are_read_as_silence():
    signal = np.cos(2 * np.pi * 0.8 * TIMES_S)
    signal[100] = np.nan
    assert np.isfinite(filter_band(signal, (0.3, 1.5), 0.2)).all()
