"""The average waveform around events, for the report: it shows whether a detector finds events or noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, without_missing

if TYPE_CHECKING:
    from eegsleep.recording.recording import Recording

HALF_WIDTH_S = 1.5


def average_events(recording: Recording, spindles: pd.DataFrame, slow_oscillations: pd.DataFrame) -> pd.DataFrame:
    """Average the signal around spindles (at their largest trough) and slow oscillations (negative peak).

    Parameters
    ----------
    recording : Recording
    spindles, slow_oscillations : pandas.DataFrame
        Tables `SPINDLES` and `SLOW_OSCILLATIONS` of that recording.

    Returns
    -------
    pandas.DataFrame
        One row a kind, channel and time within `HALF_WIDTH_S` of the event. Columns: `kind` (fast spindle, slow
        spindle, slow oscillation), `channel`, `time_s` from the trough, `mean_uv` and its standard error `sem_uv`
        over the `n` events, each without its own mean. No row for a kind without two events.
    """
    frames = []
    for label in recording.derivations:
        signal = without_missing(recording.signal(label))
        for name in ("fast", "slow"):
            chosen = spindles[(spindles["channel"] == label) & (spindles["spindle_class"] == name)]
            centres = _troughs(signal, _to_samples(chosen["peak_s"]))
            frames.append(_average(signal, centres, f"{name} spindle", label))
        chosen = slow_oscillations[slow_oscillations["channel"] == label]
        frames.append(_average(signal, _to_samples(chosen["neg_peak_s"]), "slow oscillation", label))
    return pd.concat(frames, ignore_index=True)


def _to_samples(times_s: pd.Series) -> np.ndarray:
    return (times_s.to_numpy() * ANALYSIS_RATE_HZ).round().astype(int)


def _troughs(signal: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Return the lowest sample within one spindle cycle of each envelope peak, so that cycles add up."""
    if not len(peaks):
        return peaks
    reach = np.arange(-5, 6)
    around = np.clip(peaks[:, None] + reach, 0, signal.size - 1)
    # subtracting a mean over 0.15 s takes out the slow wave under the spindle
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(signal, 7), 15)[around]
    return peaks + reach[(signal[around] - windows.mean(axis=2)).argmin(axis=1)]


def _average(signal: np.ndarray, centres: np.ndarray, kind: str, label: str) -> pd.DataFrame:
    reach = int(HALF_WIDTH_S * ANALYSIS_RATE_HZ)
    centres = centres[(centres >= reach) & (centres < signal.size - reach)]
    columns = ["kind", "channel", "time_s", "mean_uv", "sem_uv", "n"]
    if len(centres) < 2:
        return pd.DataFrame({name: [] for name in columns}).astype({"kind": "str", "channel": "str", "n": "int64"})
    offsets = np.arange(-reach, reach + 1)
    pieces = signal[centres[:, None] + offsets]
    pieces = pieces - pieces.mean(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "kind": kind,
            "channel": label,
            "time_s": offsets / ANALYSIS_RATE_HZ,
            "mean_uv": pieces.mean(axis=0),
            "sem_uv": pieces.std(axis=0, ddof=1) / np.sqrt(len(pieces)),
            "n": len(pieces),
        }
    )
