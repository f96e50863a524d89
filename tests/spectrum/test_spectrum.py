"""Spectra: powers are those of signals whose power is known."""

import inspect

import mne
import numpy as np
import pytest
from aligned_hypnogram import read_aligned
from benchmarks.slow_oscillation_fairness import simulate

from eegsleep import read_recording
from eegsleep.errors import SettingsError
from eegsleep.hypnograms.table import make_stages
from eegsleep.quality import measure_quality
from eegsleep.recording.recording import Recording
from eegsleep.spectrum import SpectrumSettings, measure_spectrum
from eegsleep.spectrum.aperiodic import frequency_grid, resample_spectra, separate_aperiodic
from eegsleep.spectrum.eye_movements import count_eye_movements, find_eye_movements
from eegsleep.spectrum.measure import FINE_BANDS_HZ


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


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, 3.5])
def test_aperiodic_exponent_is_that_of_the_noise(exponent):
    """With a Hamming window and 2-30 Hz, 3.5 would read 2.72."""
    spectrum, _ = measure(make_red(120, exponent=exponent, uv=2.0 if exponent < 1 else 20.0), ["N2"] * 120)
    assert spectrum.loc[("aperiodic_exponent", "N2"), "value"] == pytest.approx(exponent, abs=0.05)


def test_aperiodic_exponent_does_not_follow_slow_waves_sigma_or_a_line():
    signal = make_red(120, exponent=2.5)
    times = np.arange(signal.size) / 100
    plain = measure(signal, ["N3"] * 120)[0].loc[("aperiodic_exponent", "N3"), "value"]
    changes = (
        signal + 0.4 * mne.filter.filter_data(signal, 100, 0.4, 4, verbose="ERROR"),
        signal
        + 0.5 * mne.filter.filter_data(signal, 100, 11, 16, l_trans_bandwidth=1, h_trans_bandwidth=1, verbose="ERROR"),
        signal + 2 * np.sin(2 * np.pi * 25 * times),
    )
    for changed in changes:
        after = measure(changed, ["N3"] * 120)[0].loc[("aperiodic_exponent", "N3"), "value"]
        assert after == pytest.approx(plain, abs=0.03)


def test_white_noise_of_an_amplifier_flattens_the_exponent():
    """One microvolt is enough, which is why the exponent has no direction."""
    signal = make_red(120, exponent=2.5)
    noisy = signal + np.random.default_rng(1).standard_normal(signal.size)
    before, after = (measure(x, ["N2"] * 120)[0].loc[("aperiodic_exponent", "N2"), "value"] for x in (signal, noisy))
    assert after < before - 0.1


def test_exponent_of_few_minutes_is_missing():
    spectrum, _ = measure(make_red(18), ["N2"] * 18)
    assert spectrum.loc[("aperiodic_exponent", "N2"), "reason"] == "only 9 clean minutes of N2, 10 needed"


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


def make_red(n_epochs, seed=0, exponent=2.0, uv=20.0):
    """Return noise whose power falls as frequency to the power of −exponent, 1 µV²/Hz times `uv`² at 1 Hz."""
    rng = np.random.default_rng(seed)
    n_samples = 3000 * n_epochs
    frequency_hz = np.fft.rfftfreq(n_samples, 0.01)
    shape = uv * np.maximum(frequency_hz, 0.2) ** (-exponent / 2) * np.sqrt(100 / 2)
    return np.fft.irfft(np.fft.rfft(rng.normal(0, 1, n_samples)) * shape, n_samples)


def test_aperiodic_level_is_the_power_in_the_middle_of_its_band():
    spectrum, _ = measure(make_red(40), ["N2"] * 40)
    expected = 2 * np.log10(20) - 2 * np.log10(np.sqrt(18 * 30))
    assert spectrum.loc[("aperiodic_level", "N2"), "value"] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("hz", "band"), [(11, "sigma_low"), (12.7, "sigma_mid"), (14.5, "sigma_high"), (26, "beta_high")]
)
def test_fine_bands_hold_a_sine_of_theirs_alone(hz, band):
    sine = 2 * np.sin(2 * np.pi * hz * np.arange(40 * 3000) / 100)
    spectrum, _ = measure(sine + np.random.default_rng(0).normal(0, 0.1, sine.size), ["N2"] * 40)
    fine = {name: spectrum.loc[(f"{name}_power_uv2", "NREM"), "value"] for name in FINE_BANDS_HZ}
    assert fine[band] == pytest.approx(2, rel=0.12)
    assert fine[band] == pytest.approx(sum(fine.values()), rel=0.12)


def test_logarithm_of_power_is_natural_and_taken_epoch_by_epoch():
    """Half of the epochs three times as high: the mean of ln is ln of the geometric mean."""
    times = np.arange(40 * 3000) / 100
    height = np.where(times < 600, 20.0, 60.0)
    spectrum, _ = measure(height * np.sin(2 * np.pi * 2 * times), ["N2"] * 40)
    assert spectrum.loc[("swa_power_uv2", "N2"), "value"] == pytest.approx((200 + 1800) / 2, rel=0.03)
    assert spectrum.loc[("swa_power_ln_uv2", "N2"), "value"] == pytest.approx(np.log(600), abs=0.03)
    assert spectrum.loc[("swa_power_ln_uv2", "N2"), "unit"] == "ln µV²"


def test_decay_of_slow_waves_is_measured_on_hours_of_nrem_whatever_lies_between():
    """Power halves in an hour of NREM; an hour of wake in the middle does not count."""
    names = ["N2"] * 120 + ["W"] * 120 + ["N3"] * 120
    slept_h = np.cumsum(np.array(names) != "W") / 120
    height = np.repeat(20 * 0.5 ** (slept_h / 2), 3000)
    spectrum, _ = measure(height * np.sin(2 * np.pi * 2 * np.arange(height.size) / 100), names)
    assert spectrum.loc[("swa_decay_percent_per_h", "NREM"), "value"] == pytest.approx(50, abs=0.5)
    first = spectrum.loc[("swa_first_hour_power_uv2", "NREM"), "value"]
    assert first == pytest.approx(200 * (1 - 0.5) / np.log(2), rel=0.03)


def test_short_sleep_has_no_first_hour_and_no_decay():
    spectrum, _ = measure(make_red(40), ["N2"] * 40)
    for name in ("swa_decay_percent_per_h", "swa_first_hour_power_uv2"):
        assert np.isnan(spectrum.loc[(name, "NREM"), "value"])
        assert "20" in spectrum.loc[(name, "NREM"), "reason"]


@pytest.mark.parametrize("peak_hz", [12.9, 13.6, 14.3])
def test_sigma_peak_is_found_where_it_was_planted(peak_hz):
    signal = make_red(40)
    times = np.arange(signal.size) / 100
    bursts = np.clip(np.sin(2 * np.pi * times / 10), 0, None) ** 4
    spectrum, _ = measure(signal + 8 * bursts * np.sin(2 * np.pi * peak_hz * times), ["N2"] * 40)
    for name in ("sigma", "fast_sigma"):
        assert spectrum.loc[(f"{name}_peak_hz", "N2"), "value"] == pytest.approx(peak_hz, abs=0.1)
    power = 8**2 / 2 * (bursts**2).mean()
    assert spectrum.loc[("sigma_peak_power_uv2", "N2"), "value"] == pytest.approx(power, rel=0.15)
    assert spectrum.loc[("sigma_oscillatory_power_uv2", "N2"), "value"] == pytest.approx(power, rel=0.2)


def test_noise_has_no_sigma_peak_and_says_so():
    spectrum, _ = measure(make_red(60), ["N2"] * 60)
    assert np.isnan(spectrum.loc[("fast_sigma_peak_hz", "N2"), "value"])
    assert "no peak" in spectrum.loc[("fast_sigma_peak_hz", "N2"), "reason"]


def test_each_frequency_is_separated_by_itself():
    epochs, whole = make_red(12).reshape(12, -1), np.ones(12, dtype=bool)
    grid = frequency_grid((2.0, 30.0))
    inside = (grid >= 7.75) & (grid <= 17.25)
    wide, narrow = (
        separate_aperiodic(resample_spectra(epochs, own, 4.0, (1.1, 1.5)), own, whole) for own in (grid, grid[inside])
    )
    assert narrow.aperiodic == pytest.approx(wide.aperiodic[inside], rel=1e-5)
    assert narrow.find_peak(9, 16, 1.0) == pytest.approx(wide.find_peak(9, 16, 1.0), nan_ok=True)


def compare_with_yasa(recording, stages, usable, label):
    """Return the power of sigma above the aperiodic part by our IRASA and by YASA's, in N2 and N3."""
    import yasa

    settings = SpectrumSettings()
    window_s, factors = settings.aperiodic_window_s, settings.resampling
    frequency_hz = frequency_grid(settings.aperiodic_hz)
    epochs = recording.signal(label)[: usable.size * 3000].reshape(-1, 3000)
    pairs = []
    for stage in ("N2", "N3"):
        chosen = epochs[usable & (stages["stage"] == stage).to_numpy()][:120]
        whole = np.ones(len(chosen), dtype=bool)
        fit = separate_aperiodic(resample_spectra(chosen, frequency_hz, window_s, factors), frequency_hz, whole)
        name = "welch_kwargs" if "welch_kwargs" in inspect.signature(yasa.irasa).parameters else "kwargs_welch"
        welch = {name: {"average": "mean", "window": "hann"}}
        by_yasa_hz, _, above = yasa.irasa(
            chosen.ravel(),
            sf=100,
            band=settings.aperiodic_hz,
            hset=factors,
            return_fit=False,
            win_sec=window_s,
            verbose="CRITICAL",
            **welch,
        )
        sigma = (by_yasa_hz >= 11) & (by_yasa_hz < 16)
        pairs.append((fit.power_above(11, 16), above[0, sigma].sum() * 0.25))
    return np.array(pairs)


@pytest.mark.nightly
def test_sigma_above_the_background_is_that_of_yasa_on_a_simulated_night():
    recording, stages, _, _ = simulate(0, eeg=("C4-M1",))
    ours, theirs = compare_with_yasa(recording, stages, np.ones(len(stages), dtype=bool), "C4-M1").T
    assert ours == pytest.approx(theirs, rel=0.05)


def test_sigma_above_the_background_is_that_of_yasa_on_a_real_recording(real_data):
    recording = read_recording(real_data / "segment" / "segment.edf")
    stages = read_aligned(real_data / "segment" / "segment_stages.csv", recording.n_epochs, recording.start)[0]
    usable = measure_quality(recording)["usable"].to_numpy()
    ours, theirs = compare_with_yasa(recording, stages, usable, recording.derivations[0]).T
    assert ours == pytest.approx(theirs, rel=0.05)


@pytest.mark.nightly
def test_eye_movements_are_counted_in_rem_and_on_the_eog():
    recording, stages, quality, _ = simulate(0, eeg=("C4-M1",), eog=("E1-M2", "E2-M1"))
    spectrum, _ = measure_spectrum(recording, stages, quality)
    row = spectrum.set_index("measure").loc["eye_movements_per_min"]
    assert (row["channel"], row["stage"], row["unit"]) == ("E1-M2 - E2-M1", "R", "/min")
    assert 8 < row["value"] < 14  # 14.9 were planted, a quarter of them too small to tell
    quality.loc[quality["channel"] == "E2-M1", "usable"] = False
    channel, n_movements, n_epochs = count_eye_movements(recording, stages, quality, 300.0)
    assert channel == "E1-M2"
    assert n_movements / (n_epochs / 2) == pytest.approx(row["value"], rel=0.15)


def test_eye_movements_are_steps_and_not_slow_rolling_or_alpha():
    times = np.arange(4 * 3000) / 100
    rolling = 100 * np.sin(2 * np.pi * 0.2 * times) + 15 * np.sin(2 * np.pi * 10 * times)
    assert find_eye_movements(rolling, np.ones(4, dtype=bool), 300.0).size == 0
    steps = 60 * ((times // 5) % 2)
    found = find_eye_movements(rolling + steps, np.array([True, True, False, True]), 300.0)
    expected = [t for t in range(5, 120, 5) if not 60 <= t <= 90]
    assert [t for t in found if abs(t - 60) > 0.5 and abs(t - 90) > 0.5] == pytest.approx(expected, abs=0.1)


def test_without_an_eog_there_is_no_row_of_eye_movements():
    spectrum, _ = measure(make_red(20), ["R"] * 20)
    assert "eye_movements_per_min" not in spectrum.index.get_level_values("measure")


def test_wake_alone_has_powers_and_no_aperiodic_part():
    spectrum, _ = measure(make_red(20), ["W"] * 20)
    assert spectrum.loc[("swa_power_uv2", "W"), "value"] > 0
    for name in ("aperiodic_exponent", "aperiodic_level", "sigma_peak_hz"):
        assert np.isnan(spectrum.loc[(name, "N2"), "value"])
        assert "only 0 clean minutes" in spectrum.loc[(name, "N2"), "reason"]


@pytest.mark.parametrize("resampling", [(1.1, 1.9), (1.0, 1.2), ()])
def test_factors_that_cannot_work_are_refused(resampling):
    with pytest.raises(SettingsError, match="aperiodic"):
        SpectrumSettings(resampling=resampling)
