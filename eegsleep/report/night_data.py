"""What the page of a night draws: every table of it as plain values for JSON, small enough to travel in the page.

Times are seconds from the first sample of the recording. The scripts in `templates/night/` read these names.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.quality import reason_kind
from eegsleep.recording.signals import signals_of
from eegsleep.report.looks import main_channel
from eegsleep.signals.epochs import EPOCH_S
from eegsleep.staging.statistics import find_cycles

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from eegsleep.night.night import Night
    from eegsleep.recording.recording import Recording

WINDOW_S = 300.0
# Under a minute of usable NREM, one event more or less moves the density of the window by over 1/min.
MIN_WINDOW_NREM_MIN = 1.0
# With fewer phases the bars of a histogram of 18 bins hold one event each and show only chance.
MIN_COUPLED = 10
PHASE_BINS = 18
# Finer than a screen draws.
MAX_FREQUENCIES, MAX_COLUMNS = 120, 1200
LOW_HZ, HIGH_HZ = 0.5, 30.0
BANDS_HZ = {"swa": (0.5, 4.0), "sigma": (11.0, 16.0)}
# An epoch is unsure where no stage has a larger probability than this. Of the real segment with an expert's stages 6 of
# 13 such epochs are staged otherwise by the expert, and 13 of the 153 others.
UNSURE_BELOW = 0.6
PROBABILITIES = ("p_wake", "p_n1", "p_n2", "p_n3", "p_rem")  # in this order in the page, too
NO_PROBABILITY = 255  # else 0 to 250, four thousandths each
_LETTERS = {"W": "W", "N1": "1", "N2": "2", "N3": "3", "R": "R", "UNS": "X"}
# A file with more is a list of something else; the page shows the first.
MAX_ANNOTATIONS = 2000


def collect_night_data(night: Night, recording: Recording | None = None) -> dict[str, Any]:
    """Return everything the scripts of the night page read, but for the signal itself.

    Parameters
    ----------
    night : Night
    recording : Recording, optional
        Its recording, for annotations and eye movements; a night read back from its folder has none.

    Returns
    -------
    dict
        Plain values only; missing numbers are None.
    """
    channel = main_channel(night.roles)
    return {
        "id": night.id,
        "start": night.start.replace(tzinfo=None).isoformat() if night.start else None,
        "duration_s": float(night.duration_s),
        "input_sha256": night.provenance.get("input", {}).get("sha256", ""),
        "file": recording.files[0][0].name if recording is not None and recording.files else "",
        "options": describe_options(night, recording),
        "roles": dict(night.roles),
        "channel": channel,
        "stages": _letters(night.stages),
        "reference": _letters(night.reference) if night.reference is not None else None,
        "before": _letters(night.before) if night.before is not None else None,
        "probabilities": _probabilities(night.stages),
        "unsure_below": UNSURE_BELOW,
        "lights": {
            "off_s": night.lights.off_s,
            "on_s": night.lights.on_s,
            "source": night.lights.source,
            "known": night.lights.known,
            "on_known": night.lights.on_known,
        },
        "cycles": _cycles(night.stages),
        "annotations": _annotations(recording),
        "quality": _quality(night.quality),
        "spectrogram": _spectrogram(night.spectrogram),
        "power": _band_power(night.spectrogram),
        "density": _densities(night, channel),
        "spindles": _spindles(night.spindles),
        "waves": _waves(night.slow_oscillations),
        "eyes": _eye_movements(night, recording),
        "averages": _averages(night.averages),
        "coupling": _coupling(night.coupling, channel),
    }


def describe_options(night: Night, recording: Recording | None) -> list[str]:
    """Return the options under which `eegsleep score` made this night, to be given again with edited stages."""
    asked = getattr(recording, "asked", None) or {}
    options: list[str] = []
    for name in ("device", "eeg", "eog", "emg", "start"):
        value = asked.get(name)
        if value:
            options += [f"--{name}", *([value] if isinstance(value, str) else [str(part) for part in value])]
    units = asked.get("units")
    pairs = units.items() if isinstance(units, dict) else units or ()
    if pairs:
        options += ["--units", *(f"{label}={unit}" for label, unit in pairs)]
    for name, moment in zip(("--lights-off", "--lights-on"), night.lights.asked or (None, None), strict=True):
        if moment:
            options += [name, moment]
    return options


def nrem_windows(night: Night, channel: str | None, times_s: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return events per minute of usable NREM in 5-minute windows; NaN where too little of it is usable."""
    stages = _stage_grid(night.stages)
    per_window = int(WINDOW_S / EPOCH_S)
    usable = np.zeros(len(stages), dtype=bool)
    good = night.quality[(night.quality["channel"] == channel) & night.quality["usable"].astype(bool)]
    epochs = good["epoch"].to_numpy(int)
    usable[epochs[(epochs >= 0) & (epochs < len(stages))]] = True
    usable &= np.isin(stages, ("N2", "N3"))
    at = np.floor(np.asarray(times_s, dtype=float) / EPOCH_S)
    at = at[np.isfinite(at) & (at >= 0) & (at < len(stages))].astype(int)
    counts = np.bincount(at, minlength=len(stages)) * usable
    edges = np.arange(0, len(stages), per_window)
    if not len(edges):
        return np.empty(0)
    minutes = np.add.reduceat(usable, edges, dtype=int) * EPOCH_S / 60
    events = np.add.reduceat(counts, edges)
    return np.where(minutes >= MIN_WINDOW_NREM_MIN, events / np.maximum(minutes, EPOCH_S / 60), np.nan)


def _stage_grid(stages: pd.DataFrame) -> np.ndarray:
    """Stages by epoch number, UNS where the table has no row."""
    epochs = stages["epoch"].to_numpy(int)
    grid = np.full(epochs.max() + 1 if len(epochs) else 0, "UNS", dtype=object)
    grid[epochs] = stages["stage"].to_numpy(object)
    return grid


def _letters(stages: pd.DataFrame) -> str:
    return "".join(_LETTERS[stage] for stage in _stage_grid(stages))


def _probabilities(stages: pd.DataFrame) -> str | None:
    """Return five bytes an epoch in base64, or None where the stages were given."""
    known = stages[list(PROBABILITIES)].to_numpy(float)
    if not np.isfinite(known).any():
        return None
    epochs = stages["epoch"].to_numpy(int)
    grid = np.full((epochs.max() + 1, len(PROBABILITIES)), np.nan)
    grid[epochs] = known
    return _pack_bytes(np.where(np.isfinite(grid), np.rint(grid * 250), NO_PROBABILITY))


def _cycles(stages: pd.DataFrame) -> list[list[Any]]:
    if stages.empty or (np.diff(stages["epoch"].to_numpy()) != 1).any():
        return []
    return [[row.onset_s, row.end_s, bool(row.complete)] for row in find_cycles(stages).itertuples()]


def _annotations(recording: Recording | None) -> list[list[Any]]:
    if recording is None:
        return []
    found = [
        [round(float(onset_s), 3), round(float(duration_s), 3), str(text)[:200]]
        for onset_s, duration_s, text in signals_of(recording).annotations
        if text != "BAD_GAP"
    ]
    return sorted(found)[:MAX_ANNOTATIONS]


def _quality(quality: pd.DataFrame) -> dict[str, list[list[Any]]]:
    """Return by channel the stretches that were set aside: first epoch, number of epochs, kind, reason."""
    found: dict[str, list[list[Any]]] = {}
    for label, mine in quality.groupby("channel", sort=False):
        stretches: list[list[Any]] = []
        bad = mine[~mine["usable"].astype(bool)]
        for epoch, reason in zip(bad["epoch"], bad["reason"], strict=True):
            if stretches and stretches[-1][0] + stretches[-1][1] == epoch and stretches[-1][3] == reason:
                stretches[-1][1] += 1
            else:
                stretches.append([int(epoch), 1, reason_kind(reason) or "noise", reason])
        found[str(label)] = stretches
    return found


def _spectrogram(spectrogram: Any) -> dict[str, Any] | None:  # noqa: ANN401 - Spectrogram, or a stand-in of it
    """Return the power of frequencies shown as bytes, row by row from the lowest frequency; 255 is missing."""
    if spectrogram is None:
        return None
    frequency_hz = np.asarray(spectrogram.frequency_hz, dtype=float)
    shown = (frequency_hz >= LOW_HZ) & (frequency_hz <= HIGH_HZ)
    power = np.asarray(spectrogram.power_db, dtype=float)[shown]
    if not np.isfinite(power).any():
        return None
    frequency_hz = frequency_hz[shown]
    rows, columns = math.ceil(len(frequency_hz) / MAX_FREQUENCIES), math.ceil(power.shape[1] / MAX_COLUMNS)
    power = _thin(_thin(power, rows).T, columns).T
    # The ends of the range are left to artefacts, which would otherwise bleach the sleep between them.
    low_db, high_db = (float(edge) for edge in np.nanpercentile(power, (3, 98)))
    high_db = max(high_db, low_db + 1)
    scaled = np.clip((power - low_db) / (high_db - low_db), 0, 1) * 250
    return {
        "channel": spectrogram.channel,
        "rows": power.shape[0],
        "columns": power.shape[1],
        "column_s": EPOCH_S * columns,
        "frequency_hz": [float(f) for f in np.round(_thin(frequency_hz[:, None], rows)[:, 0], 3)],
        "low_db": round(low_db, 2),
        "high_db": round(high_db, 2),
        "power": _pack_bytes(np.where(np.isfinite(power), np.rint(scaled), 255)),
    }


def _band_power(spectrogram: Any) -> dict[str, list[float | None]] | None:  # noqa: ANN401
    """Return the mean power density of each band in each epoch, in dB of µV²/Hz."""
    if spectrogram is None:
        return None
    frequency_hz = np.asarray(spectrogram.frequency_hz, dtype=float)
    density = 10 ** (np.asarray(spectrogram.power_db, dtype=float) / 10)
    found = {}
    for name, (low_hz, high_hz) in BANDS_HZ.items():
        band = density[(frequency_hz >= low_hz) & (frequency_hz <= high_hz)]
        with np.errstate(divide="ignore"):
            level = 10 * np.log10(band.mean(axis=0)) if len(band) else np.full(density.shape[1], np.nan)
        found[name] = _rounded(level, 2)
    return found


def _densities(night: Night, channel: str | None) -> dict[str, Any]:
    """Return events per usable minute of NREM in 5-minute windows on the main channel."""
    spindles = night.spindles[night.spindles["channel"] == channel]
    waves = main_slow_oscillations(night.slow_oscillations)
    waves = waves[waves["channel"] == channel]
    times = {
        "fast": spindles.loc[spindles["spindle_class"] == "fast", "peak_s"],
        "slow": spindles.loc[spindles["spindle_class"] == "slow", "peak_s"],
        "waves": waves["neg_peak_s"],
    }
    return {"window_s": WINDOW_S} | {
        name: _rounded(nrem_windows(night, channel, at.to_numpy()), 3) for name, at in times.items()
    }


def _spindles(spindles: pd.DataFrame) -> dict[str, Any]:
    return {
        "channel": spindles["channel"].tolist(),
        "onset_s": _rounded(spindles["onset_s"], 3),
        "duration_s": _rounded(spindles["duration_s"], 3),
        "peak_s": _rounded(spindles["peak_s"], 3),
        "frequency_hz": _rounded(spindles["frequency_hz"], 2),
        "amplitude_uv": _rounded(spindles["amplitude_uv"], 1),
        "kind": [f"{name} spindle" for name in spindles["spindle_class"]],
    }


def _waves(waves: pd.DataFrame) -> dict[str, Any]:
    """Return slow oscillations by the main definition, and the K-complexes that were told from them."""
    waves = waves[waves["found_absolute"].astype(bool)]
    return {
        "channel": waves["channel"].tolist(),
        "onset_s": _rounded(waves["onset_s"], 3),
        "duration_s": _rounded(waves["duration_s"], 3),
        "peak_s": _rounded(waves["neg_peak_s"], 3),
        "frequency_hz": _rounded(waves["frequency_hz"], 2),
        "amplitude_uv": _rounded(waves["ptp_uv"], 1),
        "kind": ["K-complex" if kind == "k_complex" else "slow oscillation" for kind in waves["kind"]],
    }


def _eye_movements(night: Night, recording: Recording | None) -> dict[str, Any] | None:
    """Return when the eyes moved fast in REM, and on which channels that is drawn."""
    if recording is None:
        return None
    from eegsleep.spectrum.eye_movements import locate_eye_movements

    slope = night.provenance["settings"]["spectrum"]["eye_slope_uv_per_s"]
    found = locate_eye_movements(recording, night.stages, night.quality, slope)
    return {"channel": found.channel, "peak_s": _rounded(found.times_s, 2)} if found else None


def _averages(averages: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    """Return each mean waveform: its kind, channel, times, mean, standard error and number of events."""
    if averages is None:
        return None
    return [
        {
            "kind": kind,
            "channel": channel,
            "time_s": _rounded(rows["time_s"], 3),
            "mean_uv": _rounded(rows["mean_uv"], 2),
            "sem_uv": _rounded(rows["sem_uv"], 2),
            "n": int(rows["n"].iloc[0]),
        }
        for (kind, channel), rows in averages.groupby(["kind", "channel"], sort=False)
        if np.isfinite(rows["mean_uv"]).any()
    ]


def _coupling(coupling: pd.DataFrame, channel: str | None) -> dict[str, Any]:
    """Return the histogram of slow-oscillation phases at the peaks of coupled fast spindles."""
    fast = coupling[(coupling["channel"] == channel) & (coupling["spindle_class"] == "fast")]
    phases = fast.loc[fast["coupled"].astype(bool), "phase_rad"].to_numpy(float)
    phases = phases[np.isfinite(phases)]
    found: dict[str, Any] = {"n": len(phases), "n_spindles": len(fast), "least": MIN_COUPLED}
    if len(phases) < MIN_COUPLED:
        return found
    counts, _ = np.histogram(phases, bins=PHASE_BINS, range=(-math.pi, math.pi))
    resultant = np.exp(1j * phases).mean()
    return found | {
        "counts": counts.tolist(),
        "mean_rad": round(float(np.angle(resultant)), 4),
        "strength": round(float(abs(resultant)), 4),
    }


def _rounded(values: Any, decimals: int) -> list[float | None]:  # noqa: ANN401 - whatever numpy takes
    array = np.round(np.asarray(values, dtype=float), decimals)
    return [float(value) if math.isfinite(value) else None for value in array]


def _thin(array: np.ndarray, every: int) -> np.ndarray:
    """Average groups of `every` rows; missing values do not spread, a group of nothing stays missing."""
    if every <= 1:
        return array
    groups = np.array_split(array, range(every, len(array), every))
    sums = np.array([np.nansum(group, axis=0) for group in groups])
    counts = np.array([np.isfinite(group).sum(axis=0) for group in groups])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _pack_bytes(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=np.uint8).tobytes()).decode("ascii")
