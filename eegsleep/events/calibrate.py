"""Learn one person's own thresholds from all their nights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegsleep.errors import TableError
from eegsleep.events.calibration import Calibration
from eegsleep.events.slow_oscillations import SlowOscillationSettings
from eegsleep.events.spindles import SpindleSettings, select_spindles
from eegsleep.file_names import PROVENANCE_FILE
from eegsleep.provenance import check_provenance
from eegsleep.tables import SLOW_OSCILLATION_CANDIDATES, SPINDLE_CANDIDATES, read_kept_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What must stand in the provenance of each night.
_NEEDED = ("input", "device", "roles", "units", "settings", "versions", "hypnogram_sha256", "outputs")
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
        Its spindle part; thresholds of slow oscillations are empty. A channel whose sigma is not positive, as of a
        flat signal, has no threshold.

    Notes
    -----
    The threshold rests on the median night, so that one with a poor electrode does not move it. The frequencies
    of the spindles of all nights and channels (relative view) are pooled and smoothed; the slow and the fast
    frequency are where this distribution peaks. An edge of the band is not a peak.

    Examples
    --------
    >>> nights = [night.events.spindle_candidates.assign(channel="C4-M1") for _ in range(3)]
    >>> es.calibrate(nights).n_nights
    3
    """
    s = settings or SpindleSettings()
    nights = [night for night in nights if len(night)]
    if not nights:
        return Calibration()
    baseline, level = (
        pd.DataFrame([night.groupby("channel")[column].median() for night in nights]).median()
        for column in ("baseline_uv", "background_level")
    )
    relative = replace(s, view="relative")
    pooled = np.concatenate([select_spindles(night, relative)["frequency_hz"] for night in nights])
    measured = [str(label) for label in baseline.index if 0 < baseline[label] < np.inf and 0 < level[label] < np.inf]
    return Calibration(
        sigma_amplitude_uv={label: float(s.min_sigma_ratio * baseline[label]) for label in measured},
        background_level={label: float(level[label]) for label in measured},
        slow_spindle_hz=_peak_frequency(pooled, s.band_hz[0], s.class_border_hz),
        fast_spindle_hz=_peak_frequency(pooled, s.class_border_hz, s.band_hz[1]),
        n_nights=len(nights),
    )


def calibrate_nights(folder: str | Path) -> Calibration:
    """Learn a person's thresholds from all night folders in a folder.

    Parameters
    ----------
    folder : path
        Holds night folders of one person, all of them: `spindle_candidates.csv` and
        `slow_oscillation_candidates.csv` are read.

    Returns
    -------
    Calibration
        Thresholds are multiples as in the settings of these nights; that of slow oscillations is the median over nights
        of the relative view's. A recording that was scored twice, under two names, counts once.

    Raises
    ------
    TableError
        If there are fewer than two nights, a file is not the one that was written, or the nights differ in what must be
        the same: sleeper, device, channels, stated units, settings, versions, and whether stages were given.

    Examples
    --------
    >>> try:
    ...     es.calibrate_nights("nights")
    ... except es.EegSleepError as error:
    ...     print(error.found)
    1 recording in 1 night folders
    """
    folder = Path(folder)
    provenances = {
        path.parent: check_provenance(path.parent, _NEEDED) for path in sorted(folder.glob(f"*/{PROVENANCE_FILE}"))
    }
    _check_alike(provenances)
    by_input = {provenance["input"]["sha256"] or path.name: path for path, provenance in provenances.items()}
    if len(by_input) < 2:
        raise TableError(
            f"{folder} holds too few nights to learn a person's thresholds from",
            found=f"{len(by_input)} recording{'s' * (len(by_input) != 1)} in {len(provenances)} night folders"
            if folder.is_dir()
            else "no such folder",
            allowed="two and more nights of one person",
            remedy="name the folder that `eegsleep batch` or `eegsleep score` wrote, such as eegsleep-nights",
        )
    nights = sorted(by_input.values())
    first = provenances[nights[0]]
    spindles = SpindleSettings(**_settings_of(first, "spindles"))
    slow_oscillations = SlowOscillationSettings(**_settings_of(first, "slow_oscillations"))
    tables = {
        table: [read_kept_table(night / f"{table.name}.csv", table) for night in nights]
        for table in (SPINDLE_CANDIDATES, SLOW_OSCILLATION_CANDIDATES)
    }
    learned = calibrate(tables[SPINDLE_CANDIDATES], spindles)
    channels = {label for label, role in first["roles"].items() if role == "eeg"}
    for night, table in [(n, t) for parts in tables.values() for n, t in zip(nights, parts, strict=True)]:
        if unknown := sorted(set(table["channel"]) - channels):
            raise TableError(
                f"{night.name} holds events of channels that are no EEG of it",
                found=", ".join(repr(str(label)[:40]) for label in unknown[:5]),
                allowed=", ".join(sorted(channels)),
                remedy="score the night again",
            )
    heights = pd.DataFrame(
        [night.groupby("channel")["reference_uv"].median() for night in tables[SLOW_OSCILLATION_CANDIDATES]]
    ).median()
    return replace(
        learned,
        so_amplitude_uv={
            str(c): float(slow_oscillations.relative_ptp * v) for c, v in heights.items() if 0 < v < np.inf
        },
        device=first["device"],
        units=first["units"],
    )


def _settings_of(provenance: Mapping[str, Any], step: str) -> dict[str, Any]:
    stored = provenance["settings"][step].items()
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored}


def _check_alike(provenances: Mapping[Path, Mapping[str, Any]]) -> None:
    """Raise `TableError` if nights differ in what their thresholds depend on."""
    compared = {
        "sleeper": lambda p: p.get("subject", ""),
        "device": lambda p: p["device"],
        "channels": lambda p: sorted(label for label, role in p["roles"].items() if role == "eeg"),
        "stated units": lambda p: p["units"],
        "settings": lambda p: p["settings"],
        "versions": lambda p: p["versions"],
        "origin of stages": lambda p: "given" if p["hypnogram_sha256"] else "automatic",
    }
    for name, describe in compared.items():
        groups: dict[str, list[str]] = {}
        for path, provenance in provenances.items():
            groups.setdefault(json.dumps(describe(provenance), sort_keys=True), []).append(path.name)
        if len(groups) > 1:
            told = name not in {"settings", "versions"}  # those are too long to print
            raise TableError(
                f"the nights cannot be calibrated together, because they differ in their {name}"
                + "s" * (name in {"sleeper", "device"}),
                found="; ".join(f"{value}: " * told + ", ".join(nights[:3]) for value, nights in groups.items()),
                allowed="nights of one person, recorded and scored in one way",
                remedy="put the night folders of one person and device in a folder of their own, and score them alike",
            )


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
