"""Band power, slow-wave activity over the night, sigma and its peak, the aperiodic part, eye movements."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import (
    ANALYSIS_RATE_HZ,
    EPOCH_MIN,
    EPOCH_S,
    EPOCH_SAMPLES,
    EVENT_STAGES,
    SCORED_STAGES,
    cut_epochs,
    epochs_to_samples,
    without_missing,
)
from eegsleep.signals.two_channels import measure_each
from eegsleep.spectrum.aperiodic import (
    STEP_HZ,
    Aperiodic,
    fit_exponent,
    frequency_grid,
    resample_spectra,
    separate_aperiodic,
    window_spectra,
)
from eegsleep.spectrum.eye_movements import count_eye_movements
from eegsleep.spectrum.infraslow import LEAST_BOUT_S, LEAST_S, RHYTHM_HZ, measure_infraslow
from eegsleep.spectrum.tapers import make_tapers
from eegsleep.staging.statistics import find_cycles
from eegsleep.tables import SPECTRUM, check_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

# Edges of the fixed bands in Hz; sigma spans both classes of spindles.
BANDS_HZ = {
    "swa": (0.5, 4.0),
    "low_delta": (0.5, 1.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 12.0),
    "sigma": (11.0, 16.0),
    "beta": (15.0, 30.0),
}
TOTAL_HZ = (0.5, 30.0)
# Bands in which pharmacology reports N2 and N3: compounds move the parts of sigma apart (a benzodiazepine adds below
# 13 Hz and takes fast spindles), slow oscillations and delta too. At 0.25 Hz the smoothing of the spectrum, 0.5 Hz to
# either side, is coarse.
FINE_BANDS_HZ = {
    "slow_delta": (0.25, 1.0),
    "delta": (1.0, 4.5),
    "sigma_low": (10.0, 12.0),
    "sigma_mid": (12.0, 13.5),
    "sigma_high": (13.5, 16.0),
    "beta_low": (15.0, 23.0),
    "beta_high": (23.0, 30.0),
    "gamma": (30.0, 45.0),
}
STAGE_GROUPS = {**{stage: (stage,) for stage in SCORED_STAGES}, "NREM": EVENT_STAGES["NREM"], "TIB": SCORED_STAGES}
APERIODIC_STAGES = (*EVENT_STAGES, "R")
SIGMA_STAGES = tuple(EVENT_STAGES)
# Bands in which a sleeper's own sigma peak is searched. The border of slow and fast is 12.5 Hz
# (doi:10.3389/fnhum.2017.00433).
SIGMA_PEAKS_HZ = {"sigma": (9.0, 16.0), "slow_sigma": (9.0, 12.5), "fast_sigma": (12.5, 16.0)}
# Power is raised to this before its logarithm is taken; a hundredth of a recorder's smallest step has more.
_LEAST_UV2 = 1e-6
# Epochs transformed at a time: few enough to stay in the processor's cache.
_BLOCK_EPOCHS = 16
_EPOCHS_PER_H = 3600 / EPOCH_S


@dataclass(frozen=True)
class SpectrumSettings:
    """How spectra are measured.

    Parameters
    ----------
    bandwidth_hz : float
        Half width of the multitaper smoothing over 30 s; 0.5 Hz resolves 1 Hz, as for whole nights in Prerau et al.
        2017 (doi:10.1152/physiol.00062.2015).
    exponent_hz : tuple of float
        Band in which the aperiodic exponent is fitted: above sigma with its flanks, below the 35 Hz low-pass that is
        common in sleep laboratories. The range of the literature, 30-45 Hz (Lendner et al. 2020,
        doi:10.7554/eLife.55092; Kozhemiako et al. 2022, doi:10.1523/ENEURO.0094-22.2022), cannot be used: three
        real recordings fall by 4 to 6 dB from 40 to 44 Hz, where a background falls by 1.
    min_exponent_min : float
        Usable minutes that a stage needs for it. Its standard error is .11 with 18 min, .04 with 75 min.
    aperiodic_hz : tuple of float
        Band in which the aperiodic part is separated by IRASA (Wen & Liu 2016, doi:10.1007/s10548-015-0448-0), for
        the power and the peaks of sigma above it.
    aperiodic_window_s : float
        Length of the windows of both.
    min_aperiodic_min : float
        Usable minutes that a stage needs for a smooth spectrum.
    resampling : tuple of float
        Factors of IRASA. Up to 1.6 the upper edge stays below the Nyquist frequency of the slowed signal (31 Hz);
        with YASA's default of 1.9 it would not.
    min_peak_ratio : float
        A sigma peak is a maximum of the mean spectrum at least this many times the aperiodic part.
    peak_half_width_hz : float
        The power of a peak is that within this of it, above the aperiodic part.
    min_decay_h : float
        Hours of usable NREM that the decay of slow-wave activity needs.
    eye_slope_uv_per_s : float
        Least steepness of an eye movement in 0.5–5 Hz. On 4 simulated nights this finds .74 of all planted saccades
        with a precision of .93 on one EOG (which records brain activity as well), and .73 with .98 on two.

    Raises
    ------
    SettingsError
        If a factor of resampling is not above 1, or the band would reach beyond half the sampling rate.
    """

    bandwidth_hz: float = 0.5
    exponent_hz: tuple[float, float] = (18.0, 30.0)
    min_exponent_min: float = 10.0
    aperiodic_hz: tuple[float, float] = (2.0, 30.0)
    aperiodic_window_s: float = 4.0
    min_aperiodic_min: float = 2.0
    resampling: tuple[float, ...] = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6)
    min_peak_ratio: float = 1.2
    peak_half_width_hz: float = 1.0
    min_decay_h: float = 1.0
    eye_slope_uv_per_s: float = 300.0

    def __post_init__(self) -> None:
        highest_hz = max(self.resampling, default=np.inf) * self.aperiodic_hz[1]
        if highest_hz >= ANALYSIS_RATE_HZ / 2 or min(self.resampling) <= 1:
            raise SettingsError(
                "the aperiodic part cannot be measured with these factors",
                found=f"resampling {self.resampling} up to {self.aperiodic_hz[1]:g} Hz",
                allowed=f"factors above 1 whose product with the upper edge is below {ANALYSIS_RATE_HZ / 2:g} Hz",
            )


@dataclass(frozen=True)
class Spectrogram:
    """Multitaper power of one channel, an epoch a column.

    Attributes
    ----------
    channel : str
    onset_s : array of shape (n_epochs,)
    frequency_hz : array of shape (n_frequencies,)
    power_db : array of shape (n_frequencies, n_epochs)
        10·log10 of µV²/Hz; NaN in epochs that are not usable.
    """

    channel: str
    onset_s: np.ndarray
    frequency_hz: np.ndarray
    power_db: np.ndarray


class Spectra(NamedTuple):
    """The spectra of a night.

    Attributes
    ----------
    table : pandas.DataFrame
        Table `SPECTRUM`.
    spectrogram : Spectrogram or None
    powers : dict of str to dict of str to numpy.ndarray, shape (n_epochs,)
        Power in µV² by channel and band, and of the whole as `total`, in every epoch.
    """

    table: pd.DataFrame
    spectrogram: Spectrogram | None
    powers: dict[str, dict[str, np.ndarray]]


def measure_spectrum(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: SpectrumSettings | None = None,
) -> tuple[pd.DataFrame, Spectrogram | None]:
    """Measure spectra on every EEG derivation, and eye movements where there is an EOG.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    settings : SpectrumSettings, optional

    Returns
    -------
    spectrum : pandas.DataFrame
        Table `SPECTRUM`, measured in usable epochs only. For each stage and band `_power_uv2` is the mean over
        epochs, `_relative_percent` its share of 0.5–30 Hz, `_power_ln_uv2` the mean of the natural logarithm
        over epochs (which a few loud epochs do not decide). SWA also by cycle, in the first hour of NREM, and
        its fall per hour of NREM. `aperiodic_exponent` is positive: the larger, the steeper;
        `aperiodic_level` is the power of that line in the middle of its band, log10 of µV²/Hz.
        `sigma_oscillatory_power_uv2` is
        the power in 11–16 Hz less the aperiodic part, and may be below 0. The channel of `eye_movements_per_min`
        is the EOG.
    spectrogram : Spectrogram or None
        Of the most trusted derivation; None where the recording has no EEG.
    """
    table, spectrogram, _ = measure_spectra(recording, stages, quality, settings)
    return table, spectrogram


def measure_spectra(
    recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame, settings: SpectrumSettings | None = None
) -> Spectra:
    """Measure spectra as `measure_spectrum` does, and return the band powers of every epoch as well."""
    settings = settings or SpectrumSettings()
    logger.info("measuring spectra")
    cycles = find_cycles(stages)
    signals = {label: recording.signal(label) for label in recording.derivations}

    def measure(label: str) -> tuple[list[dict], dict[str, np.ndarray], Spectrogram | None]:
        usable = usable_epochs(quality, label)
        epochs = without_missing(cut_epochs(signals[label], usable.size))
        frequency_hz, density = _multitaper(epochs, settings)
        powers = _band_powers(frequency_hz, density)
        rows = average_powers(label, stages, usable, powers)
        rows += _cycle_rows(label, stages, usable, powers["swa"], cycles)
        rows += _course_rows(label, stages, usable, powers["swa"], settings)
        rows += _fine_rows(label, stages, usable, powers)
        rows += _infraslow_rows(label, signals[label], stages, usable)
        rows += _exponent_rows(label, stages, usable, epochs, settings)
        rows += _peak_rows(label, stages, usable, epochs, settings)
        is_shown = label == recording.derivations[0]
        return rows, powers, _make_spectrogram(label, usable, frequency_hz, density) if is_shown else None

    measured = measure_each(measure, signals)
    rows = [row for own, _, _ in measured for row in own] + _eye_rows(recording, stages, quality, settings)
    powers = {label: own for label, (_, own, _) in zip(signals, measured, strict=True)}
    table = check_table(pd.DataFrame(rows, columns=SPECTRUM.column_names), SPECTRUM)
    return Spectra(table, measured[0][2] if measured else None, powers)


def _multitaper(epochs: np.ndarray, settings: SpectrumSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and power density in µV²/Hz, shape (n_epochs, n_frequencies).

    Tapers that hold 90 % or more of their energy in the band are used (MNE's `low_bias`), so that they leak a little:
    where power falls as 1/f³ or faster, as in N3, part of what is read in beta comes from slow waves. The exponent
    is therefore measured with Hann windows (`window_spectra`).
    """
    from scipy import fft

    tapers, weights = make_tapers(EPOCH_SAMPLES, settings.bandwidth_hz * EPOCH_S)
    tapers = tapers * np.sqrt(2 * weights / (ANALYSIS_RATE_HZ * weights.sum()))[:, None]
    # Single precision halves the time; the density of an epoch errs by less than a millionth of its largest.
    tapers = tapers.astype(np.float32)
    frequency_hz = fft.rfftfreq(EPOCH_SAMPLES, 1 / ANALYSIS_RATE_HZ)
    n_kept = int((frequency_hz <= FINE_BANDS_HZ["gamma"][1] + 0.5).sum())
    density = np.empty((len(epochs), n_kept))
    for first in range(0, len(epochs), _BLOCK_EPOCHS):
        block = epochs[first : first + _BLOCK_EPOCHS]
        block = (block - block.mean(axis=1, keepdims=True)).astype(np.float32)
        squares = np.zeros((len(block), 2 * n_kept), dtype=np.float32)  # of real and imaginary parts in turn
        for taper in tapers:
            parts = fft.rfft(block * taper, axis=1).view(np.float32)[:, : 2 * n_kept]
            squares += np.square(parts, out=parts)
        density[first : first + _BLOCK_EPOCHS] = squares[:, ::2] + squares[:, 1::2]
    density[:, 0] /= 2  # the constant part has no negative frequency to be added
    return frequency_hz[:n_kept], density


def _band_powers(frequency_hz: np.ndarray, density: np.ndarray) -> dict[str, np.ndarray]:
    """Return the power in µV² of each band and of the whole, each of shape (n_epochs,)."""
    width_hz = frequency_hz[1] - frequency_hz[0]
    powers = {}
    for name, (low, high) in {**BANDS_HZ, **FINE_BANDS_HZ, "total": TOTAL_HZ}.items():
        first, stop = np.searchsorted(frequency_hz, [low, high])
        powers[name] = density[:, first:stop].sum(axis=1) * width_hz
    return powers


def _row(
    label: str,
    stage: str,
    measure: str,
    band: tuple[float, float],
    value: float,
    unit: str,
    n: int,
    reason: str,
    cycle: int = 0,
) -> dict:
    return {
        "channel": label,
        "stage": stage,
        "cycle": cycle,
        "measure": measure,
        "low_hz": band[0],
        "high_hz": band[1],
        "value": value,
        "unit": unit,
        "n_epochs": n,
        "clean_min": n * EPOCH_MIN,
        "reason": reason,
    }


def _log(power: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(power, _LEAST_UV2))


def average_powers(
    label: str, stages: pd.DataFrame, usable: np.ndarray, powers: Mapping[str, np.ndarray]
) -> list[dict]:
    """Return the rows of table `SPECTRUM` with the band powers of one channel, averaged over each stage.

    Parameters
    ----------
    label : str
    stages : pandas.DataFrame
        Table `HYPNOGRAM`.
    usable : numpy.ndarray of bool, shape (n_epochs,)
    powers : mapping of str to numpy.ndarray, shape (n_epochs,)
        Power in µV² of each band, and of the whole as `total`.
    """
    names = stages["stage"].to_numpy()
    rows = []
    for stage, members in STAGE_GROUPS.items():
        inside = usable & np.isin(names, members)
        n = int(inside.sum())
        reason = "" if n else f"no usable epoch of {stage}"
        total = powers["total"][inside].mean() if n else np.nan
        for band, edges in BANDS_HZ.items():
            power = powers[band][inside].mean() if n else np.nan
            rows += [
                _row(label, stage, f"{band}_power_uv2", edges, power, "µV²", n, reason),
                _row(
                    label,
                    stage,
                    f"{band}_relative_percent",
                    edges,
                    100 * power / total if total else np.nan,
                    "%",
                    n,
                    reason,
                ),
                _row(
                    label,
                    stage,
                    f"{band}_power_ln_uv2",
                    edges,
                    _log(powers[band][inside]).mean() if n else np.nan,
                    "ln µV²",
                    n,
                    reason,
                ),
            ]
    return rows


def _cycle_rows(
    label: str, stages: pd.DataFrame, usable: np.ndarray, swa: np.ndarray, cycles: pd.DataFrame
) -> list[dict]:
    onset_s = stages["onset_s"].to_numpy()
    in_nrem = usable & np.isin(stages["stage"].to_numpy(), STAGE_GROUPS["NREM"])
    band = BANDS_HZ["swa"]
    rows = []
    for cycle in cycles.itertuples():
        inside = in_nrem & (onset_s >= cycle.onset_s) & (onset_s < cycle.end_s)
        n, number = int(inside.sum()), int(cycle.cycle)
        reason = "" if n else f"no usable NREM epoch in cycle {number}"
        power, log = (swa[inside].mean(), _log(swa[inside]).mean()) if n else (np.nan, np.nan)
        rows += [
            _row(label, "NREM", "swa_power_uv2", band, power, "µV²", n, reason, number),
            _row(label, "NREM", "swa_power_ln_uv2", band, log, "ln µV²", n, reason, number),
        ]
    return rows


def _course_rows(
    label: str, stages: pd.DataFrame, usable: np.ndarray, swa: np.ndarray, settings: SpectrumSettings
) -> list[dict]:
    """Return SWA in the first hour of NREM, and its decay per hour of NREM; unusable NREM counts as time."""
    in_nrem = np.isin(stages["stage"].to_numpy(), STAGE_GROUPS["NREM"])
    slept_h = np.cumsum(in_nrem) / _EPOCHS_PER_H
    inside = in_nrem & usable
    first = inside & (slept_h <= 1)
    n_first, n = int(first.sum()), int(inside.sum())
    nrem_min, clean_min = in_nrem.sum() * EPOCH_MIN, n * EPOCH_MIN
    short = "" if nrem_min >= 60 else f"only {nrem_min:g} minutes of NREM, 60 needed"
    short = short or ("" if n_first else "no usable epoch in the first hour of NREM")
    needed_min = 60 * settings.min_decay_h
    few = "" if clean_min >= needed_min else f"only {clean_min:g} clean minutes of NREM, {needed_min:g} needed"
    slope = np.nan if few else np.polyfit(slept_h[inside], _log(swa[inside]), 1)[0]
    band = BANDS_HZ["swa"]
    return [
        _row(
            label,
            "NREM",
            "swa_first_hour_power_uv2",
            band,
            np.nan if short else swa[first].mean(),
            "µV²",
            n_first,
            short,
        ),
        _row(label, "NREM", "swa_decay_percent_per_h", band, 100 * -np.expm1(slope), "%/h", n, few),
    ]


def _fine_rows(label: str, stages: pd.DataFrame, usable: np.ndarray, powers: Mapping[str, np.ndarray]) -> list[dict]:
    """Return the powers of `FINE_BANDS_HZ` in N2, N3 and both."""
    names = stages["stage"].to_numpy()
    rows = []
    for stage, members in EVENT_STAGES.items():
        inside = usable & np.isin(names, members)
        n = int(inside.sum())
        for band, edges in FINE_BANDS_HZ.items():
            power = powers[band][inside].mean() if n else np.nan
            reason = "" if n else f"no usable epoch of {stage}"
            rows.append(_row(label, stage, f"{band}_power_uv2", edges, power, "µV²", n, reason))
    return rows


def _infraslow_rows(label: str, signal_uv: np.ndarray, stages: pd.DataFrame, usable: np.ndarray) -> list[dict]:
    inside = usable & (stages["stage"] == "N2").to_numpy()
    found = measure_infraslow(signal_uv, epochs_to_samples(inside, signal_uv.size))
    n = int(inside.sum())
    short = f"only {found.minutes:.0f} clean minutes in bouts of N2 of {LEAST_BOUT_S:g} s, {LEAST_S / 60:.0f} needed"
    none = short if np.isnan(found.strength_db) else ""
    peakless = none or ("" if np.isfinite(found.peak_hz) else "no peak about 0.02 Hz")
    return [
        _row(label, "N2", "infraslow_sigma_db", RHYTHM_HZ, found.strength_db, "dB", n, none),
        _row(label, "N2", "infraslow_sigma_peak_hz", RHYTHM_HZ, found.peak_hz, "Hz", n, peakless),
    ]


def _exponent_rows(
    label: str, stages: pd.DataFrame, usable: np.ndarray, epochs: np.ndarray, settings: SpectrumSettings
) -> list[dict]:
    """Return steepness and level of the spectrum above sigma."""
    names = stages["stage"].to_numpy()
    band = settings.exponent_hz
    chosen = {stage: usable & np.isin(names, STAGE_GROUPS[stage]) for stage in APERIODIC_STAGES}
    needed = np.logical_or.reduce(list(chosen.values()))
    frequency_hz = frequency_grid(band)
    density = window_spectra(epochs[needed].astype(np.float32), frequency_hz, settings.aperiodic_window_s)
    rows = []
    for stage, inside in chosen.items():
        n = int(inside.sum())
        few = _describe_few(n, stage, settings.min_exponent_min)
        exponent, level = (np.nan, np.nan) if few else fit_exponent(frequency_hz, density[:, inside[needed]])
        reason = few or ("" if np.isfinite(exponent) else "no power in this band")
        rows += [
            _row(label, stage, "aperiodic_exponent", band, exponent, "", n, reason),
            _row(label, stage, "aperiodic_level", band, level, "log10 µV²/Hz", n, reason),
        ]
    return rows


def _describe_few(n_epochs: int, stage: str, needed_min: float) -> str:
    clean_min = n_epochs * EPOCH_MIN
    enough = n_epochs and clean_min >= needed_min
    return "" if enough else f"only {clean_min:g} clean minutes of {stage}, {needed_min:g} needed"


def _peak_rows(
    label: str, stages: pd.DataFrame, usable: np.ndarray, epochs: np.ndarray, settings: SpectrumSettings
) -> list[dict]:
    """Return sigma above the aperiodic part, by IRASA, in N2 and N3."""
    names = stages["stage"].to_numpy()
    chosen = {stage: usable & np.isin(names, STAGE_GROUPS[stage]) for stage in SIGMA_STAGES}
    needed = chosen["NREM"]
    # Each frequency is separated by itself, so that only those near sigma are measured.
    reach_hz = settings.peak_half_width_hz + STEP_HZ
    frequency_hz = frequency_grid(settings.aperiodic_hz)
    low_hz, high_hz = SIGMA_PEAKS_HZ["sigma"]
    frequency_hz = frequency_hz[(frequency_hz >= low_hz - reach_hz) & (frequency_hz <= high_hz + reach_hz)]
    spectra = resample_spectra(epochs[needed], frequency_hz, settings.aperiodic_window_s, settings.resampling)
    rows = []
    for stage, inside in chosen.items():
        n = int(inside.sum())
        few = _describe_few(n, stage, settings.min_aperiodic_min)
        separated = None if few else separate_aperiodic(spectra, frequency_hz, inside[needed])
        rows += _sigma_rows(label, stage, n, separated, few, settings)
    return rows


def _sigma_rows(
    label: str, stage: str, n: int, parted: Aperiodic | None, reason: str, settings: SpectrumSettings
) -> list[dict]:
    """Return the power of sigma above the aperiodic part, and the peaks of the mean spectrum."""
    power = parted.power_above(*BANDS_HZ["sigma"]) if parted else np.nan
    rows = [_row(label, stage, "sigma_oscillatory_power_uv2", BANDS_HZ["sigma"], power, "µV²", n, reason)]
    for name, band in SIGMA_PEAKS_HZ.items():
        peak_hz = parted.find_peak(*band, settings.min_peak_ratio) if parted else np.nan
        low, high = peak_hz - settings.peak_half_width_hz, peak_hz + settings.peak_half_width_hz
        power = parted.power_above(low, high) if parted and np.isfinite(peak_hz) else np.nan
        lack = reason or ("" if np.isfinite(peak_hz) else f"no peak in {band[0]:g}–{band[1]:g} Hz")
        rows += [
            _row(label, stage, f"{name}_peak_hz", band, peak_hz, "Hz", n, lack),
            _row(label, stage, f"{name}_peak_power_uv2", band, power, "µV²", n, lack),
        ]
    return rows


def _eye_rows(
    recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame, settings: SpectrumSettings
) -> list[dict]:
    counted = count_eye_movements(recording, stages, quality, settings.eye_slope_uv_per_s)
    if counted is None:
        return []
    channel, n_movements, n = counted
    value = n_movements / (n * EPOCH_MIN) if n else np.nan
    reason = "" if n else "no usable epoch of R"
    return [_row(channel, "R", "eye_movements_per_min", (0.5, 5.0), value, "/min", n, reason)]


def _make_spectrogram(label: str, usable: np.ndarray, frequency_hz: np.ndarray, density: np.ndarray) -> Spectrogram:
    """Return the spectrogram in steps of a quarter hertz, which is what a screen can show."""
    edges = np.arange(TOTAL_HZ[0], TOTAL_HZ[1] + 1e-9, 0.25)
    bins = np.digitize(frequency_hz, edges) - 1
    power = np.stack([density[:, bins == i].mean(axis=1) for i in range(len(edges) - 1)])
    power_db = 10 * np.log10(np.maximum(power, _LEAST_UV2))
    power_db[:, ~usable] = np.nan
    return Spectrogram(label, EPOCH_S * np.arange(usable.size), (edges[:-1] + edges[1:]) / 2, power_db)
