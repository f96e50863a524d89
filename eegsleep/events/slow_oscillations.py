"""Slow oscillations by YASA's detector, in our names, with silence told from zero."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.events.spindles import NREM_INTEGERS, silence_unusable
from eegsleep.quality import usable_epochs
from eegsleep.recording.read import ANALYSIS_RATE_HZ
from eegsleep.staging.hypnogram import sample_stages, stage_at
from eegsleep.tables import SLOW_OSCILLATIONS, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.recording.read import Recording

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class SlowOscillationSettings:
    """How slow oscillations are found: YASA's values, after Massimini 2004 and Carrier 2011.

    Amplitudes are absolute, so counts follow electrode gain as well as sleep (141 / 256 / 351 at gain
    0.8 / 1 / 1.25 on one real recording): compare nights of one montage only, and look at SWA beside.
    """

    band_hz: tuple[float, float] = (0.3, 1.5)
    negative_s: tuple[float, float] = (0.3, 1.5)
    positive_s: tuple[float, float] = (0.1, 1.0)
    negative_uv: tuple[float, float] = (40.0, 200.0)
    positive_uv: tuple[float, float] = (10.0, 150.0)
    ptp_uv: tuple[float, float] = (75.0, 350.0)


def detect_slow_oscillations(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: SlowOscillationSettings | None = None,
) -> pd.DataFrame:
    """Detect slow oscillations in usable N2 and N3 on every EEG derivation.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    settings : SlowOscillationSettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `SLOW_OSCILLATIONS`; without a row where none was found.

    References
    ----------
    Massimini et al. 2004, doi:10.1523/JNEUROSCI.1318-04.2004; Carrier et al. 2011,
    doi:10.1111/j.1460-9568.2010.07543.x.
    """
    settings = settings or SlowOscillationSettings()
    logger.info("detecting slow oscillations")
    found = [
        _detect_on_channel(recording.signal(label), label, stages, usable_epochs(quality, label), settings)
        for label in recording.derivations
    ]
    found = [frame for frame in found if len(frame)]
    if not found:
        return empty_table(SLOW_OSCILLATIONS)
    return check_table(pd.concat(found, ignore_index=True), SLOW_OSCILLATIONS)


def _detect_on_channel(
    signal_uv: np.ndarray,
    label: str,
    stages: pd.DataFrame,
    usable: np.ndarray,
    settings: SlowOscillationSettings,
) -> pd.DataFrame:
    import yasa

    integers = sample_stages(stages, usable, signal_uv.size)
    if not np.isin(integers, NREM_INTEGERS).any():  # YASA raises AssertionError
        return empty_table(SLOW_OSCILLATIONS)
    result = yasa.sw_detect(
        silence_unusable(signal_uv, usable), ANALYSIS_RATE_HZ, [label], hypno=integers, include=NREM_INTEGERS,
        freq_sw=settings.band_hz, dur_neg=settings.negative_s, dur_pos=settings.positive_s,
        amp_neg=settings.negative_uv, amp_pos=settings.positive_uv, amp_ptp=settings.ptp_uv,
        verbose="CRITICAL",
    )  # fmt: skip
    if result is None:
        return empty_table(SLOW_OSCILLATIONS)
    events = result.summary()
    frame = pd.DataFrame({name: events[theirs] for name, theirs in _COLUMNS.items()})
    frame["channel"] = label
    frame["stage"] = stage_at(stages, events["NegPeak"])
    return check_table(frame, SLOW_OSCILLATIONS)
