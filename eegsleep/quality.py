"""Which epochs of which channel can be believed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.recording.read import ANALYSIS_RATE_HZ
from eegsleep.tables import QUALITY, check_table

if TYPE_CHECKING:
    from eegsleep.recording.read import Recording

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class QualitySettings:
    """Limits beyond which an epoch of a channel is not believed.

    They are set wide, to catch what no scalp gives (a dead, railed or swinging electrode) and never an
    unusual night. The amplitude limit is twice the largest K-complexes and slow waves of healthy
    adults; that of 25–45 Hz is several times a tense forehead's.
    """

    max_ptp_uv: float = 1000.0
    max_high_frequency_uv: float = 40.0
    max_flat_fraction: float = 0.5
    max_clipped_fraction: float = 0.05
    flat_uv: float = 0.1


def measure_quality(recording: Recording, settings: QualitySettings | None = None) -> pd.DataFrame:
    """Measure every channel in every 30 s epoch and say which can be believed, and why not.

    Parameters
    ----------
    recording : Recording
    settings : QualitySettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `QUALITY`, one row an epoch and channel. Amplitude limits hold for EEG only: an eye or
        chin channel may swing.
    """
    settings = settings or QualitySettings()
    logger.info("measuring signal quality")
    frames = [_measure_channel(recording, label, settings) for label in recording.channels]
    return check_table(pd.concat(frames, ignore_index=True), QUALITY)


def usable_epochs(quality: pd.DataFrame, channel: str) -> np.ndarray:
    """Return for each epoch whether `channel` is believed, bool of shape (n_epochs,)."""
    return quality.loc[quality["channel"] == channel, "usable"].to_numpy()


def _measure_channel(recording: Recording, label: str, settings: QualitySettings) -> pd.DataFrame:
    n_epochs = recording.n_epochs
    n_samples = int(30 * ANALYSIS_RATE_HZ)
    epochs = recording.signal(label)[: n_epochs * n_samples].reshape(n_epochs, n_samples)
    finite = np.isfinite(epochs)
    filled = np.where(finite, epochs, 0.0)
    seconds = filled.reshape(n_epochs, 30, -1)
    centred = filled - filled.mean(axis=1, keepdims=True)
    role = recording.roles[label]
    frame = pd.DataFrame(
        {
            "epoch": np.arange(n_epochs),
            "onset_s": 30.0 * np.arange(n_epochs),
            "channel": label,
            "role": role,
            "rms_uv": np.sqrt((centred**2).mean(axis=1)),
            "ptp_uv": np.ptp(filled, axis=1),
            "flat_fraction": (seconds.std(axis=2) < settings.flat_uv).mean(axis=1),
            "clipped_fraction": _clipped_fraction(recording, label, n_epochs),
            "nonfinite_fraction": 1.0 - finite.mean(axis=1),
            "high_frequency_uv": _high_frequency_rms(centred),
        }
    )
    frame["reason"] = _reasons(frame, settings, is_eeg=role == "eeg")
    frame["usable"] = frame["reason"] == ""
    return frame


def _high_frequency_rms(epochs: np.ndarray) -> np.ndarray:
    """Return the RMS of 25–45 Hz of each epoch, from its periodogram (Parseval)."""
    spectrum = np.abs(np.fft.rfft(epochs, axis=1)) ** 2
    frequency_hz = np.fft.rfftfreq(epochs.shape[1], 1 / ANALYSIS_RATE_HZ)
    band = (frequency_hz >= 25) & (frequency_hz <= 45)
    return np.sqrt(2 * spectrum[:, band].sum(axis=1)) / epochs.shape[1]


def _clipped_fraction(recording: Recording, label: str, n_epochs: int) -> np.ndarray:
    """Return the share of samples that repeat the channel's largest or smallest value.

    Looked for at the recorded rate: resampling would round off the plateau.
    """
    samples = recording.raw.get_data(picks=[label])[0]
    held = np.zeros(samples.size, dtype=bool)
    for rail in (np.nanmin(samples), np.nanmax(samples)):
        at_rail = samples == rail
        held[1:] |= at_rail[1:] & at_rail[:-1]
    edges = (np.arange(n_epochs + 1) * 30 * recording.raw.info["sfreq"]).astype(int)
    counts = np.concatenate([[0], np.cumsum(held)])
    return (counts[edges[1:]] - counts[edges[:-1]]) / np.diff(edges)


def _reasons(frame: pd.DataFrame, settings: QualitySettings, *, is_eeg: bool) -> np.ndarray:
    """Return the first reason why each epoch is not believed, or an empty string."""
    rules = [
        (frame["nonfinite_fraction"] > 0, "samples missing"),
        (frame["flat_fraction"] > settings.max_flat_fraction, "flat"),
        (frame["clipped_fraction"] > settings.max_clipped_fraction, "clipped at the end of range"),
    ]
    if is_eeg:
        rules += [
            (frame["ptp_uv"] > settings.max_ptp_uv, f"swings over {settings.max_ptp_uv:g} µV"),
            (frame["high_frequency_uv"] > settings.max_high_frequency_uv, "high-frequency noise"),
        ]
    return np.select([rule.to_numpy() for rule, _ in rules], [reason for _, reason in rules], default="")
