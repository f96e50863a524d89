"""YASA's detectors of spindles and slow waves with their own defaults: counts to compare ours with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.hypnograms.objects import load_yasa
from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, NREM, epochs_to_samples, silence_unusable, stage_at
from eegsleep.tables import SLOW_OSCILLATIONS, SPINDLES, check_table, empty_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from eegsleep.recording.recording import Recording
    from eegsleep.tables import Table

# YASA's own integers; UNS is neither wake nor sleep.
_YASA_INTEGERS = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4, "UNS": -2}
_YASA_NREM = tuple(_YASA_INTEGERS[stage] for stage in NREM)
# Our column: YASA's.
_SPINDLE_COLUMNS = {
    "onset_s": "Start",
    "duration_s": "Duration",
    "peak_s": "Peak",
    "frequency_hz": "Frequency",
    "amplitude_uv": "AmpFiltered",
    "amplitude_broadband_uv": "Amplitude",
    "n_oscillations": "Oscillations",
    "symmetry": "Symmetry",
}
_WAVE_COLUMNS = {
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
# What only our detectors measure.
_NOT_OF_YASA_SPINDLES = ("chirp_hz_per_s", "envelope_uv", "sigma_ratio", "sigma_share")
_NOT_OF_YASA_WAVES = ("reference_uv", "ptp_relative", "isolation_s")


def detect_yasa_spindles(
    recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame, class_border_hz: float
) -> pd.DataFrame:
    """Detect spindles by `yasa.spindles_detect` with its defaults, in usable N2 and N3.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    class_border_hz : float
        Spindles below this frequency are called slow.

    Returns
    -------
    pandas.DataFrame
        Table `SPINDLES`, all of it `found_relative`, because YASA takes its limit of amplitude from the night.
        `peak_s`, and `centroid_s` with it, is the largest sample of the broadband signal. Columns that only our
        detector measures (chirp, envelope, sigma ratio and share) are missing.

    References
    ----------
    Vallat & Walker 2021, doi:10.7554/eLife.70092.
    """

    def on_channel(signal_uv: np.ndarray, label: str, integers: np.ndarray) -> pd.DataFrame | None:
        with np.errstate(invalid="ignore"):  # a silenced epoch has no power to be relative to
            found = load_yasa().spindles_detect(
                signal_uv, ANALYSIS_RATE_HZ, [label], hypno=integers, include=_YASA_NREM, verbose="CRITICAL"
            )
        if found is None:
            return None
        events = found.summary()
        frame = pd.DataFrame({name: events[theirs] for name, theirs in _SPINDLE_COLUMNS.items()}).assign(
            n_oscillations=events["Oscillations"].astype(int),
            stage=stage_at(stages, events["Start"]),
            spindle_class=np.where(events["Frequency"] < class_border_hz, "slow", "fast"),
            centroid_s=events["Peak"],
            found_absolute=False,
            found_relative=True,
            **dict.fromkeys(_NOT_OF_YASA_SPINDLES, np.nan),
        )
        # an onset may lie in the epoch before the one that holds the spindle
        return frame[frame["stage"].isin(NREM)]

    return _detect_on_all(recording, stages, quality, SPINDLES, on_channel)


def detect_yasa_slow_waves(recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Detect slow waves by `yasa.sw_detect` with its defaults, in usable N2 and N3.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.

    Returns
    -------
    pandas.DataFrame
        Table `SLOW_OSCILLATIONS`, all of it `found_absolute`, without a reference and without K-complexes.
    """

    def on_channel(signal_uv: np.ndarray, label: str, integers: np.ndarray) -> pd.DataFrame | None:
        found = load_yasa().sw_detect(
            signal_uv, ANALYSIS_RATE_HZ, [label], hypno=integers, include=_YASA_NREM, verbose="CRITICAL"
        )
        if found is None:
            return None
        events = found.summary()
        return pd.DataFrame({name: events[theirs] for name, theirs in _WAVE_COLUMNS.items()}).assign(
            stage=stage_at(stages, events["NegPeak"]),
            fall_slope_uv_per_s=-events["ValNegPeak"] / (events["NegPeak"] - events["Start"]),
            kind="slow_oscillation",
            found_absolute=True,
            found_relative=False,
            **dict.fromkeys(_NOT_OF_YASA_WAVES, np.nan),
        )

    return _detect_on_all(recording, stages, quality, SLOW_OSCILLATIONS, on_channel)


def yasa_stages(stages: pd.DataFrame, usable: np.ndarray, n_samples: int) -> np.ndarray:
    """Return YASA's integer of the stage for each sample at the analysis rate, shape (n_samples,).

    Epochs that are not usable, and the seconds after the last whole epoch, are −2 (unscored), so that
    YASA detects nothing there.
    """
    unscored = _YASA_INTEGERS["UNS"]
    integers = np.where(usable, stages["stage"].map(_YASA_INTEGERS).to_numpy(dtype=int), unscored)
    return epochs_to_samples(integers, n_samples, beyond=unscored)


def _detect_on_all(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    table: Table,
    on_channel: Callable[[np.ndarray, str, np.ndarray], pd.DataFrame | None],
) -> pd.DataFrame:
    """Return what a detector finds on every derivation with usable N2 or N3, as one table."""
    frames = []
    for label in recording.derivations:
        signal_uv, usable = recording.signal(label), usable_epochs(quality, label)
        integers = yasa_stages(stages, usable, signal_uv.size)
        if not np.isin(integers, _YASA_NREM).any():  # YASA raises AssertionError
            continue
        # YASA also judges a channel by its spread over the whole night, and skips it with a log line only.
        frame = on_channel(silence_unusable(signal_uv, usable), label, integers)
        if frame is not None and len(frame):
            frames.append(check_table(frame.assign(channel=label), table))
    return pd.concat(frames, ignore_index=True) if frames else empty_table(table)
