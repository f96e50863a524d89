"""Learn one person's own thresholds from all their nights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import TableError
from eegsleep.events.slow_oscillations import SlowOscillationSettings
from eegsleep.events.spindles import SpindleSettings, select_spindles
from eegsleep.tables import SLOW_OSCILLATION_CANDIDATES, SPINDLE_CANDIDATES, read_kept_table

if TYPE_CHECKING:
    from collections.abc import Sequence

from eegsleep.events.calibration import Calibration

# The least number of spindles of a class for a peak of their frequencies to be given.
MIN_SPINDLES = 50
_GRID_HZ = np.arange(9.0, 16.01, 0.05)
_SMOOTH_HZ = 0.3


def calibrate(nights: Sequence[pd.DataFrame], settings: SpindleSettings | None = None) -> Calibration:
    """Learn a person's spindle thresholds and frequencies from all their nights, whatever their condition.

    Parameters
    ----------
    nights : sequence of pandas.DataFrame
        Tables `SPINDLE_CANDIDATES`, one a night. All of the person's nights: thresholds from the nights of one
        condition would suit that condition only.
    settings : SpindleSettings, optional
        As for detection; `min_sigma_ratio` times the median night's sigma becomes a fixed amplitude.

    Returns
    -------
    Calibration
        Its spindle part; thresholds of slow oscillations are empty.

    Notes
    -----
    The threshold rests on the median night, so that one with a poor electrode does not move it. The frequencies
    of the spindles of all nights and channels (relative view) are pooled and smoothed; the slow and the fast
    frequency are where this distribution peaks. An edge of the band is not a peak.
    """
    s = settings or SpindleSettings()
    nights = [night for night in nights if len(night)]
    if not nights:
        return Calibration()
    baseline = pd.DataFrame([night.groupby("channel")["baseline_uv"].median() for night in nights]).median()
    relative = replace(s, view="relative")
    pooled = np.concatenate([select_spindles(night, relative)["frequency_hz"] for night in nights])
    return Calibration(
        sigma_amplitude_uv={str(label): float(s.min_sigma_ratio * value) for label, value in baseline.items()},
        slow_spindle_hz=_peak_frequency(pooled, s.band_hz[0], s.class_border_hz),
        fast_spindle_hz=_peak_frequency(pooled, s.class_border_hz, s.band_hz[1]),
        n_nights=len(nights),
    )


def calibrate_nights(folder: str | Path, settings: SpindleSettings | None = None) -> Calibration:
    """Learn a person's thresholds from all night folders in a folder.

    Parameters
    ----------
    folder : path
        Holds night folders of one person, all of them: `spindle_candidates.csv` and
        `slow_oscillation_candidates.csv` are read.
    settings : SpindleSettings, optional

    Returns
    -------
    Calibration
        The slow-oscillation part is the median over nights of the relative view's threshold.

    Raises
    ------
    TableError
        If there are fewer than two nights.
    """
    paths = sorted(Path(folder).glob(f"*/{SPINDLE_CANDIDATES.name}.csv"))
    if len(paths) < 2:
        raise TableError(
            f"{folder} holds too few nights to learn a person's thresholds from",
            found=f"{len(paths)} night folders",
            allowed="two and more of one person",
        )
    learned = calibrate([read_kept_table(path, SPINDLE_CANDIDATES) for path in paths], settings)
    waves = [
        read_kept_table(path.with_name(f"{SLOW_OSCILLATION_CANDIDATES.name}.csv"), SLOW_OSCILLATION_CANDIDATES)
        for path in paths
    ]
    heights = pd.DataFrame([night.groupby("channel")["reference_uv"].median() for night in waves]).median()
    limit = SlowOscillationSettings().relative_ptp
    return replace(learned, so_amplitude_uv={str(c): float(limit * v) for c, v in heights.dropna().items()})


def _peak_frequency(frequency_hz: np.ndarray, low_hz: float, high_hz: float) -> float | None:
    """Return where the smoothed distribution of frequencies between two limits peaks, None without a peak."""
    if np.sum((frequency_hz >= low_hz) & (frequency_hz < high_hz)) < MIN_SPINDLES:
        return None
    distance = (_GRID_HZ[:, None] - frequency_hz) / _SMOOTH_HZ
    density = np.exp(-0.5 * distance**2).sum(axis=1)
    is_peak = np.zeros(len(_GRID_HZ), dtype=bool)
    is_peak[1:-1] = (density[1:-1] > density[:-2]) & (density[1:-1] >= density[2:])
    first, last = np.searchsorted(_GRID_HZ, [low_hz, high_hz])
    is_peak[:first] = is_peak[last:] = False
    if not is_peak.any():
        return None
    return round(float(_GRID_HZ[np.where(is_peak, density, -1.0).argmax()]), 2)
