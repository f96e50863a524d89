"""Where in the slow oscillation a spindle peaks."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.recording.read import ANALYSIS_RATE_HZ
from eegsleep.tables import COUPLING, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.recording.read import Recording

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CouplingSettings:
    """When a spindle counts as coupled, and the band whose phase is read.

    A spindle is coupled when its peak lies within `window_s` of a negative peak (Kurz et al. 2021,
    doi:10.1093/sleep/zsaa290).
    """

    window_s: float = 1.2
    band_hz: tuple[float, float] = (0.3, 1.5)


def couple_events(
    recording: Recording,
    spindles: pd.DataFrame,
    slow_oscillations: pd.DataFrame,
    settings: CouplingSettings | None = None,
) -> pd.DataFrame:
    """Read the phase of the slow oscillation at the peak of every spindle, channel by channel.

    Parameters
    ----------
    recording : Recording
    spindles, slow_oscillations : pandas.DataFrame
        Tables `SPINDLES` and `SLOW_OSCILLATIONS` of that recording.
    settings : CouplingSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `COUPLING`, one row a spindle. Phase 0 is the positive peak (up state), ±π the negative.
    """
    settings = settings or CouplingSettings()
    logger.info("coupling spindles with slow oscillations")
    found = [
        _couple_on_channel(
            recording.signal(label),
            spindles[spindles["channel"] == label],
            slow_oscillations[slow_oscillations["channel"] == label],
            settings,
        )
        for label in recording.derivations
        if (spindles["channel"] == label).any()
    ]
    return pd.concat(found, ignore_index=True) if found else empty_table(COUPLING)


def slow_phase(signal_uv: np.ndarray, band_hz: tuple[float, float]) -> np.ndarray:
    """Return the phase of the slow-oscillation band in radians, shape (n_samples,)."""
    import mne
    from scipy.fft import next_fast_len
    from scipy.signal import hilbert

    slow = mne.filter.filter_data(
        np.nan_to_num(signal_uv), ANALYSIS_RATE_HZ, *band_hz,
        l_trans_bandwidth=0.2, h_trans_bandwidth=0.2, verbose="ERROR",
    )  # fmt: skip
    return np.angle(hilbert(slow, N=next_fast_len(slow.size))[: slow.size])


def _couple_on_channel(
    signal_uv: np.ndarray, spindles: pd.DataFrame, waves: pd.DataFrame, settings: CouplingSettings
) -> pd.DataFrame:
    peaks_s = spindles["peak_s"].to_numpy()
    negative_s = np.full(len(peaks_s), np.nan)
    if len(waves):
        candidates = np.sort(waves["neg_peak_s"].to_numpy())
        after = np.searchsorted(candidates, peaks_s).clip(1, max(1, len(candidates) - 1))
        pair = candidates[np.stack([after - 1, np.minimum(after, len(candidates) - 1)])]
        negative_s = np.take_along_axis(pair, np.abs(pair - peaks_s).argmin(axis=0)[None], axis=0)[0]
    coupled = np.abs(peaks_s - negative_s) <= settings.window_s
    phase = slow_phase(signal_uv, settings.band_hz)
    at_peak = phase[np.clip((peaks_s * ANALYSIS_RATE_HZ).round().astype(int), 0, phase.size - 1)]
    frame = spindles[["channel", "stage", "spindle_class"]].assign(
        spindle_peak_s=peaks_s,
        neg_peak_s=negative_s,
        delay_s=peaks_s - negative_s,
        phase_rad=np.where(coupled, at_peak, np.nan),
        coupled=coupled,
    )
    return check_table(frame, COUPLING)
