"""What is a person's own and held fixed over all nights, and a check of gain between those nights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError, TableError
from eegsleep.events.slow_oscillations import SlowOscillationSettings
from eegsleep.events.spindles import SpindleSettings, select_spindles
from eegsleep.quality import usable_epochs
from eegsleep.recording.read import ANALYSIS_RATE_HZ
from eegsleep.tables import SLOW_OSCILLATION_CANDIDATES, SPINDLE_CANDIDATES, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eegsleep.recording.read import Recording

# Beyond eye movements and slow waves, spindles and beta; below mains and the edge of the analysis rate.
GAIN_HZ = (30.0, 40.0)
# A peak of the distribution of frequencies needs as many spindles of its class.
MIN_SPINDLES = 50
_GRID_HZ = np.arange(9.0, 16.01, 0.05)
_SMOOTH_HZ = 0.3
_EPOCH_SAMPLES = int(30 * ANALYSIS_RATE_HZ)


@dataclass(frozen=True)
class Calibration:
    """Thresholds and frequencies of one person, from all their nights together.

    Parameters
    ----------
    sigma_amplitude_uv : dict of str to float
        Least envelope of a spindle by channel, µV peak to peak within 2 Hz.
    slow_spindle_hz, fast_spindle_hz : float, optional
        Where the person's slow and fast spindles peak; None where that cannot be told.
    so_amplitude_uv : dict of str to float
        Least peak-to-peak amplitude of a slow oscillation by channel.
    n_nights : int
        Nights it was learned from.
    """

    sigma_amplitude_uv: dict[str, float] = field(default_factory=dict)
    slow_spindle_hz: float | None = None
    fast_spindle_hz: float | None = None
    so_amplitude_uv: dict[str, float] = field(default_factory=dict)
    n_nights: int = 0

    def border_hz(self, default: float) -> float:
        """Return the frequency midway between slow and fast spindles, or `default` if one is unknown."""
        if self.slow_spindle_hz is None or self.fast_spindle_hz is None:
            return default
        return (self.slow_spindle_hz + self.fast_spindle_hz) / 2

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes, of plain types that JSON has."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `as_dict` gave.

        Raises
        ------
        SettingsError
            If it holds anything else.
        """
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError("a calibration has entries that are not ours", found=", ".join(unknown),
                                allowed=", ".join(sorted(known)))  # fmt: skip
        return cls(**values)


def calibrate(nights: Sequence[pd.DataFrame], settings: SpindleSettings | None = None) -> Calibration:
    """Learn a person's spindle thresholds and frequencies from all their nights, conditions unknown.

    Parameters
    ----------
    nights : sequence of pandas.DataFrame
        Tables `SPINDLE_CANDIDATES`, one a night. All of the person's, whatever was taken: thresholds from
        the nights of one condition would be fair to that condition only.
    settings : SpindleSettings, optional
        As for detection; `min_sigma_ratio` times the median night's sigma becomes a fixed amplitude.

    Returns
    -------
    Calibration
        With the spindle part filled in.

    Notes
    -----
    The median night stands for all, so that one with a poor electrode does not move the threshold. The
    frequencies are where the pooled frequencies of the nights' spindles (relative view, all channels), as a
    smooth distribution, peak; an edge of the band is no peak.
    """
    s = settings or SpindleSettings()
    nights = [night for night in nights if len(night)]
    if not nights:
        return Calibration()
    baseline = pd.DataFrame([night.groupby("channel")["baseline_uv"].median() for night in nights]).median()
    relative = SpindleSettings(**{**asdict(s), "view": "relative"})
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
        raise TableError(f"{folder} holds too few nights to learn a person's thresholds from",
                         found=f"{len(paths)} night folders", allowed="two and more of one person")  # fmt: skip
    learned = calibrate([read_table(path, SPINDLE_CANDIDATES) for path in paths], settings)
    waves = [
        read_table(path.with_name(f"{SLOW_OSCILLATION_CANDIDATES.name}.csv"), SLOW_OSCILLATION_CANDIDATES)
        for path in paths
    ]
    heights = pd.DataFrame([night.groupby("channel")["reference_uv"].median() for night in waves]).median()
    limit = SlowOscillationSettings().relative_ptp
    return replace(learned, so_amplitude_uv={str(c): float(limit * v) for c, v in heights.dropna().items()})


def read_calibration(path: Path) -> Calibration:
    """Read a calibration as `eegsleep calibrate` writes it.

    Raises
    ------
    SettingsError
        If the file is not one.
    """
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path.name} is not a calibration", found=str(error)) from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name} is not a calibration", found=type(values).__name__, allowed="a JSON object")
    return Calibration.from_dict(values)


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


def gain_reference_uv(recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame) -> dict[str, float]:
    """Measure, by channel, an amplitude that follows the electrode's gain and little else.

    The root mean square of 30-40 Hz in each clean epoch of N2 and N3, and of those the lower quartile.

    Returns
    -------
    dict of str to float
        In µV; NaN without clean NREM. Only its ratio between nights of one person and montage has a meaning.

    Notes
    -----
    No signal is beyond a compound's reach. Slow waves, spindles and beta up to 30 Hz are what hypnotics are
    known to change. Above lie weak cortical activity, muscle and the amplifier's own noise: the quiet
    quarter of NREM holds the least muscle, but a compound that relaxes it may lower this too, noise that
    electrode contact does not scale makes it move less than gain does, and a recorder that filters at 35 Hz
    leaves little to measure. A change here with unchanged sleep speaks for gain; no change does not prove
    equal gain. Look at impedances as well where the recorder has them.
    """
    from scipy.fft import rfft, rfftfreq

    frequency = rfftfreq(_EPOCH_SAMPLES, 1 / ANALYSIS_RATE_HZ)
    band = (frequency >= GAIN_HZ[0]) & (frequency <= GAIN_HZ[1])
    nrem = stages["stage"].isin(["N2", "N3"]).to_numpy()
    result = {}
    for label in recording.derivations:
        signal = recording.signal(label)
        n_epochs = min(len(nrem), signal.size // _EPOCH_SAMPLES)
        epochs = signal[: n_epochs * _EPOCH_SAMPLES].reshape(n_epochs, _EPOCH_SAMPLES)
        usable = nrem[:n_epochs] & usable_epochs(quality, label)[:n_epochs]
        chosen = epochs[usable & np.isfinite(epochs).all(axis=1)]
        if not len(chosen):
            result[label] = float("nan")
            continue
        power = np.abs(rfft(chosen * np.hanning(_EPOCH_SAMPLES), axis=1)[:, band]) ** 2
        # one-sided, and over the mean square of the window, 3/8
        rms = np.sqrt(power.sum(axis=1) * 2 / _EPOCH_SAMPLES**2 / 0.375)
        result[label] = float(np.quantile(rms, 0.25))
    return result
