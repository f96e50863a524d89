"""Slow waves as YASA's detector finds them with its own defaults: a row to compare ours with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, sample_stages, stage_at
from eegsleep.tables import SLOW_OSCILLATIONS, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.recording.recording import Recording

# YASA's integers of N2 and N3.
_NREM = (2, 3)
# Our name: YASA's.
_COLUMNS = {
    "onset_s": "Start",
    "duration_s": "Duration",
    "neg_peak_s": "NegPeak",
    "mid_crossing_s": "MidCrossing",
    "pos_peak_s": "PosPeak",
    "neg_peak_uv": "ValNegPeak",
    "pos_peak_uv": "ValPosPeak",
    "ptp_uv": "PTP",
    "slope_uv_per_s": "Slope",
    "frequency_hz": "Frequency",
}


def detect_as_yasa(recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Detect slow waves by `yasa.sw_detect` with its defaults, in usable N2 and N3.

    Returns
    -------
    pandas.DataFrame
        Table `SLOW_OSCILLATIONS`, all of it `found_absolute`, without a reference and without K-complexes.
    """
    found = [
        _detect_on_channel(recording.signal(label), label, stages, usable_epochs(quality, label))
        for label in recording.derivations
    ]
    found = [frame for frame in found if len(frame)]
    if not found:
        return empty_table(SLOW_OSCILLATIONS)
    return check_table(pd.concat(found, ignore_index=True), SLOW_OSCILLATIONS)


def _detect_on_channel(signal_uv: np.ndarray, label: str, stages: pd.DataFrame, usable: np.ndarray) -> pd.DataFrame:
    import yasa

    integers = sample_stages(stages, usable, signal_uv.size)
    if not np.isin(integers, _NREM).any():  # YASA raises AssertionError
        return empty_table(SLOW_OSCILLATIONS)
    mask = np.repeat(usable, int(30 * ANALYSIS_RATE_HZ))[: signal_uv.size]
    mask = np.pad(mask, (0, signal_uv.size - mask.size))
    quiet = np.where(mask & np.isfinite(signal_uv), signal_uv, 0.0)
    result = yasa.sw_detect(quiet, ANALYSIS_RATE_HZ, [label], hypno=integers, include=_NREM, verbose="CRITICAL")
    if result is None:
        return empty_table(SLOW_OSCILLATIONS)
    events = result.summary()
    frame = pd.DataFrame({name: events[theirs] for name, theirs in _COLUMNS.items()}).assign(
        channel=label,
        stage=stage_at(stages, events["NegPeak"]),
        fall_slope_uv_per_s=-events["ValNegPeak"] / (events["NegPeak"] - events["Start"]),
        reference_uv=np.nan,
        ptp_relative=np.nan,
        isolation_s=np.nan,
        kind="slow_oscillation",
        found_absolute=True,
        found_relative=False,
    )
    return check_table(frame, SLOW_OSCILLATIONS)
