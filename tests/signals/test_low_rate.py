"""Bands cut out of one Fourier transform of a night have the weights that their edges ask for."""

import numpy as np
import pytest

from eegsleep.signals.low_rate import FLANK_HZ, STEP, NightTransform

N_TIMES = 2**7 * 5**2


@pytest.mark.parametrize("straight", [False, True])
@pytest.mark.parametrize("band_hz", [(11.0, 16.0), (9.0, 11.0), (10.0, 10.5), (10.0, 10.496), (6.0, 6.01)])
def test_every_frequency_has_its_weight_in_wide_and_in_narrow_bands(band_hz, straight):
    impulse = np.zeros(N_TIMES * STEP)
    impulse[0] = STEP / 2  # all frequencies in equal measure
    night = NightTransform(impulse)
    assert night.n_fast == N_TIMES
    first_hz, wave, rate_hz, _ = night.analytic(band_hz, straight=straight)
    found = np.fft.fft(wave)
    frequency_hz = first_hz + np.arange(N_TIMES) * rate_hz / N_TIMES
    rise = np.clip((frequency_hz - band_hz[0]) / FLANK_HZ + 0.5, 0, 1)
    fall = np.clip((band_hz[1] - frequency_hz) / FLANK_HZ + 0.5, 0, 1)
    expected = rise * fall if straight else np.sin(np.pi / 2 * rise) * np.sin(np.pi / 2 * fall)
    np.testing.assert_allclose(found, expected, atol=2e-6)
