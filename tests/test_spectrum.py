"""Spectra: powers are those of signals whose power is known."""

import mne
import numpy as np
import pytest

from eegsleep.quality import measure_quality
from eegsleep.recording.read import Recording
from eegsleep.spectrum import measure_spectrum
from eegsleep.staging.hypnogram import make_stages


def measure(signal_uv, stages):
    raw = mne.io.RawArray(signal_uv[None] * 1e-6, mne.create_info(["C4"], 100, "eeg"), verbose="ERROR")
    recording = Recording(id="made", raw=raw, roles={"C4": "eeg"})
    quality = measure_quality(recording)
    table = make_stages(np.array(stages, dtype=object), None, np.ones(len(stages), dtype=bool))
    spectrum, spectrogram = measure_spectrum(recording, table, quality)
    return spectrum.query("cycle == 0").set_index(["measure", "stage"]), spectrogram


def test_sine_s_power_is_half_its_squared_amplitude_and_lies_in_its_band():
    times = np.arange(40 * 3000) / 100
    spectrum, spectrogram = measure(20 * np.sin(2 * np.pi * 2 * times), ["N2"] * 40)
    assert spectrum.loc[("swa_power_uv2", "N2"), "value"] == pytest.approx(200, rel=0.02)
    assert spectrum.loc[("swa_relative_percent", "N2"), "value"] == pytest.approx(100, abs=0.5)
    assert spectrum.loc[("beta_power_uv2", "N2"), "value"] < 0.5
    loudest = spectrogram.frequency_hz[spectrogram.power_db.mean(axis=1).argmax()]
    assert loudest == pytest.approx(2, abs=0.5)


def test_aperiodic_exponent_is_that_of_the_noise():
    """Noise of 1/f² power has an exponent of 2, white noise of 0."""
    rng = np.random.default_rng(0)
    white = rng.normal(0, 10, 40 * 3000)
    spectrum_of = np.fft.rfft(white)
    frequency_hz = np.fft.rfftfreq(white.size, 0.01)
    red = np.fft.irfft(spectrum_of / np.maximum(frequency_hz, 0.2), white.size)
    for signal, exponent in ((white, 0.0), (red * 5, 2.0)):
        spectrum, _ = measure(signal, ["N2"] * 40)
        assert spectrum.loc[("aperiodic_exponent", "N2"), "value"] == pytest.approx(exponent, abs=0.12)


def test_absent_stage_is_missing_with_a_reason():
    spectrum, _ = measure(np.random.default_rng(0).normal(0, 10, 20 * 3000), ["N2"] * 20)
    row = spectrum.loc[("swa_power_uv2", "N3")]
    assert np.isnan(row["value"])
    assert "N3" in row["reason"]


def test_unusable_epoch_counts_towards_nothing():
    signal = np.random.default_rng(0).normal(0, 10, 20 * 3000)
    signal[3000:6000] = 0
    spectrum, spectrogram = measure(signal, ["N2"] * 20)
    assert spectrum.loc[("swa_power_uv2", "N2"), "n_epochs"] == 19
    assert np.isnan(spectrogram.power_db[:, 1]).all()
