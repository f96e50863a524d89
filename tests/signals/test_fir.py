"""Filters are those of scipy and MNE, designed and applied without importing either."""

import numpy as np
import pytest
from scipy import signal

from eegsleep.signals.fir import convolve, count_taps, design_band_pass, design_low_pass

NOISE = np.random.default_rng(1).normal(size=30_000)


def test_designs_are_those_of_firwin():
    n_taps = count_taps(1.5, 50.0)
    ours = design_band_pass(10.25, 16.75, n_taps, 50.0)
    np.testing.assert_allclose(ours.real, signal.firwin(n_taps, [10.25, 16.75], pass_zero=False, fs=50.0), atol=1e-15)
    np.testing.assert_allclose(design_low_pass(4.0, 661, 100.0), signal.firwin(661, 4.0, fs=100.0), atol=1e-15)


def test_the_filter_before_staging_is_the_one_mne_designs():
    from mne.filter import create_filter

    from eegsleep.staging.yasa_features import _broad_filter

    np.testing.assert_allclose(_broad_filter(), create_filter(None, 100.0, 0.4, 30.0, verbose=False), atol=1e-15)


@pytest.mark.parametrize("size", [30_000, 8192, 100, 1])
def test_blocks_join_without_a_seam(size):
    taps = design_low_pass(4.0, 661, 100.0)
    expected = signal.oaconvolve(NOISE[:size], taps)[330:][:size]
    np.testing.assert_allclose(convolve(NOISE[:size], taps), expected, atol=1e-12)
    single = convolve(NOISE[:size].astype(np.float32), taps)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-5)


def test_complex_taps_give_the_analytic_signal():
    taps = design_band_pass(10.0, 17.0, 331, 100.0)
    expected = signal.hilbert(convolve(NOISE, taps.real))
    got = convolve(NOISE, taps)
    np.testing.assert_allclose(got.real, expected.real, atol=1e-12)
    inner = slice(1000, -1000)
    assert np.abs(got - expected)[inner].max() < 0.01 * np.abs(expected).mean()
