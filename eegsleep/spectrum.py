"""Band power, slow-wave activity by cycle, the aperiodic slope, and the spectrogram to look at."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.quality import usable_epochs
from eegsleep.recording.read import ANALYSIS_RATE_HZ
from eegsleep.staging.statistics import find_cycles
from eegsleep.tables import SPECTRUM, check_table

if TYPE_CHECKING:
    from eegsleep.recording.read import Recording

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
STAGE_GROUPS = {
    "W": ["W"], "N1": ["N1"], "N2": ["N2"], "N3": ["N3"], "R": ["R"], "NREM": ["N2", "N3"],
    "TIB": ["W", "N1", "N2", "N3", "R"],
}  # fmt: skip
APERIODIC_STAGES = ("N2", "N3", "NREM", "R")


@dataclass(frozen=True)
class SpectrumSettings:
    """How spectra are measured.

    `bandwidth_hz` is the half width of the multitaper smoothing over 30 s; 0.5 Hz resolves 1 Hz, as for
    whole nights in Prerau et al. 2017 (doi:10.1152/physiol.00062.2015). `aperiodic_hz` is where the slope is
    fitted by IRASA (Wen & Liu 2016, doi:10.1007/s10548-015-0448-0). Resampling by up to 1.6 keeps the
    upper edge below the Nyquist frequency of the slowed signal (31 Hz); YASA's default of 1.9 would not.
    A stage needs `min_aperiodic_min` usable minutes for a smooth spectrum.
    """

    bandwidth_hz: float = 0.5
    aperiodic_hz: tuple[float, float] = (2.0, 30.0)
    aperiodic_window_s: float = 4.0
    min_aperiodic_min: float = 2.0
    resampling: tuple[float, ...] = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6)


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


def measure_spectrum(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: SpectrumSettings | None = None,
) -> tuple[pd.DataFrame, Spectrogram]:
    """Measure band power, SWA by cycle and the aperiodic exponent on every EEG derivation.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    settings : SpectrumSettings, optional

    Returns
    -------
    spectrum : pandas.DataFrame
        Table `SPECTRUM`. Powers are means over usable epochs in µV²; relative powers are per cent of
        0.5–30 Hz. `aperiodic_exponent` is positive: the larger, the steeper.
    spectrogram : Spectrogram
        Of the most trusted derivation.
    """
    settings = settings or SpectrumSettings()
    logger.info("measuring spectra")
    rows, spectrogram = [], None
    cycles = find_cycles(stages)
    for label in recording.derivations:
        usable = usable_epochs(quality, label)
        epochs = np.nan_to_num(recording.signal(label)[: usable.size * 3000]).reshape(usable.size, 3000)
        frequency_hz, density = _multitaper(epochs, settings)
        powers = _band_powers(frequency_hz, density)
        rows += _power_rows(label, stages, usable, powers, cycles)
        rows += _aperiodic_rows(label, stages, usable, epochs, settings)
        if spectrogram is None:
            spectrogram = _make_spectrogram(label, usable, frequency_hz, density)
    return check_table(pd.DataFrame(rows, columns=SPECTRUM.column_names), SPECTRUM), spectrogram


def _multitaper(epochs: np.ndarray, settings: SpectrumSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and power density in µV²/Hz, shape (n_epochs, n_frequencies)."""
    import mne

    density, frequency_hz = mne.time_frequency.psd_array_multitaper(
        epochs, ANALYSIS_RATE_HZ, fmin=0.0, fmax=TOTAL_HZ[1] + 0.5, bandwidth=2 * settings.bandwidth_hz,
        normalization="full", verbose="ERROR",
    )  # fmt: skip
    return frequency_hz, density


def _band_powers(frequency_hz: np.ndarray, density: np.ndarray) -> dict[str, np.ndarray]:
    """Return the power in µV² of each band and of the whole, each of shape (n_epochs,)."""
    width_hz = frequency_hz[1] - frequency_hz[0]
    powers = {}
    for name, (low, high) in {**BANDS_HZ, "total": TOTAL_HZ}.items():
        inside = (frequency_hz >= low) & (frequency_hz < high)
        powers[name] = density[:, inside].sum(axis=1) * width_hz
    return powers


def _row(label: str, stage: str, cycle: int, measure: str, band: tuple[float, float], **rest: object) -> dict:
    return {
        "channel": label, "stage": stage, "cycle": cycle, "measure": measure,
        "low_hz": band[0], "high_hz": band[1], "reason": "", **rest,
    }  # fmt: skip


def _power_rows(
    label: str, stages: pd.DataFrame, usable: np.ndarray, powers: dict[str, np.ndarray], cycles: pd.DataFrame
) -> list[dict]:
    names, onset_s = stages["stage"].to_numpy(), stages["onset_s"].to_numpy()
    rows = []
    for stage, members in STAGE_GROUPS.items():
        inside = usable & np.isin(names, members)
        n = int(inside.sum())
        shared = {"n_epochs": n, "clean_min": n / 2, "reason": "" if n else f"no usable epoch of {stage}"}
        total = powers["total"][inside].mean() if n else np.nan
        for band, edges in BANDS_HZ.items():
            power = powers[band][inside].mean() if n else np.nan
            rows.append(_row(label, stage, 0, f"{band}_power_uv2", edges, value=power, unit="µV²", **shared))
            relative = 100 * power / total if total else np.nan
            rows.append(_row(label, stage, 0, f"{band}_relative_percent", edges, value=relative, unit="%", **shared))
    in_nrem = usable & np.isin(names, STAGE_GROUPS["NREM"])
    for cycle in cycles.itertuples():
        inside = in_nrem & (onset_s >= cycle.onset_s) & (onset_s < cycle.end_s)
        n = int(inside.sum())
        value = powers["swa"][inside].mean() if n else np.nan
        reason = "" if n else f"no usable NREM epoch in cycle {cycle.cycle}"
        rows.append(
            _row(label, "NREM", int(cycle.cycle), "swa_power_uv2", BANDS_HZ["swa"], value=value, unit="µV²",
                 n_epochs=n, clean_min=n / 2, reason=reason)
        )  # fmt: skip
    return rows


def _aperiodic_rows(
    label: str, stages: pd.DataFrame, usable: np.ndarray, epochs: np.ndarray, settings: SpectrumSettings
) -> list[dict]:
    import yasa

    names = stages["stage"].to_numpy()
    rows = []
    for stage in APERIODIC_STAGES:
        inside = usable & np.isin(names, STAGE_GROUPS[stage])
        n = int(inside.sum())
        value, reason = np.nan, ""
        if n / 2 < settings.min_aperiodic_min:
            reason = f"only {n / 2:g} clean minutes of {stage}, {settings.min_aperiodic_min:g} needed"
        else:
            *_, fit = yasa.irasa(
                epochs[inside].ravel(), sf=ANALYSIS_RATE_HZ, ch_names=[label], band=settings.aperiodic_hz,
                hset=settings.resampling, win_sec=settings.aperiodic_window_s, verbose="CRITICAL",
            )  # fmt: skip
            value = -float(fit["Slope"].iloc[0])
        rows.append(
            _row(label, stage, 0, "aperiodic_exponent", settings.aperiodic_hz, value=value, unit="",
                 n_epochs=n, clean_min=n / 2, reason=reason)
        )  # fmt: skip
    return rows


def _make_spectrogram(label: str, usable: np.ndarray, frequency_hz: np.ndarray, density: np.ndarray) -> Spectrogram:
    """Return the spectrogram in steps of a quarter hertz, which is what a screen can show."""
    edges = np.arange(TOTAL_HZ[0], TOTAL_HZ[1] + 1e-9, 0.25)
    bins = np.digitize(frequency_hz, edges) - 1
    power = np.stack([density[:, bins == i].mean(axis=1) for i in range(len(edges) - 1)])
    # a silent epoch has no power, and a logarithm needs some
    power_db = 10 * np.log10(np.maximum(power, 1e-6))
    power_db[:, ~usable] = np.nan
    return Spectrogram(label, 30.0 * np.arange(usable.size), (edges[:-1] + edges[1:]) / 2, power_db)
