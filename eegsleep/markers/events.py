"""Markers of spindles, slow oscillations and their coupling, each per clean minute or with its reason."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.events.audit import correct_for_recall
from eegsleep.events.coupling import NO_CHANCE, measure_coupling
from eegsleep.markers.catalogue import COUPLING_KINDS, SPINDLE_KINDS
from eegsleep.markers.rows import Place, make_row
from eegsleep.recording.channels.labels import is_frontal
from eegsleep.signals.epochs import EPOCH_MIN, EVENT_STAGES, NREM, values_at
from eegsleep.staging.course import THIRDS, find_thirds

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.markers.rows import MarkerSettings


def clean_events(events: pd.DataFrame, time_column: str, usable: np.ndarray) -> pd.DataFrame:
    """Return the events of a channel whose peak, in `time_column`, lies in one of its usable epochs."""
    return events[values_at(usable, events[time_column])]


def _event_rows(
    events: pd.DataFrame,
    inside: np.ndarray,
    place: Place,
    density: str,
    means: dict[str, str],
    spoken: str,
    needed_min: float,
) -> list[dict]:
    """Return the density of the events `inside`, and their mean of each column of `means` (marker to column).

    A mask in place of a table of them, because there are hundreds of such rows in a night.
    """
    lack = place.describe_lack(needed_min)
    n = int(inside.sum())
    rows = [make_row(density, place, math.nan if lack else n / place.clean_min, n, lack)]
    for marker, column in means.items():
        values = events[column].to_numpy(dtype=float)[inside]
        values = values[~np.isnan(values)]
        reason = lack or ("" if n else f"no {spoken} found")
        rows.append(make_row(marker, place, values.mean() if values.size else math.nan, values.size, reason))
    return rows


def _in_stage(events: pd.DataFrame, place: Place, prefix: str = "") -> np.ndarray:
    """Return which events lie in the stage, and are of the class that a prefix of markers names."""
    inside = np.isin(events["stage"].to_numpy(dtype=object), EVENT_STAGES[place.stage])
    return inside & (events["spindle_class"].to_numpy(dtype=object) == prefix.rstrip("_")) if prefix else inside


def spindle_rows(spindles: pd.DataFrame, place: Place, settings: MarkerSettings) -> list[dict]:
    """Return density and measures of all, slow and fast spindles."""
    rows = []
    for p, a in SPINDLE_KINDS.items():
        columns = ("amplitude_uv", "frequency_hz", "duration_s", "chirp_hz_per_s")
        means = {f"{p}spindle_{column}": column for column in columns}
        density = f"{p}spindle_density_per_min"
        inside = _in_stage(spindles, place, p)
        rows += _event_rows(spindles, inside, place, density, means, f"{a}spindle", settings.min_event_min)
    return rows


def slow_oscillation_rows(waves: pd.DataFrame, place: Place, settings: MarkerSettings) -> list[dict]:
    """Return the markers of both views; K-complexes of N2 are an event of their own."""
    waves = waves.assign(slope_per_s=waves["slope_uv_per_s"] / waves["ptp_uv"])
    inside = _in_stage(waves, place)
    isolated = waves["kind"].to_numpy(dtype=object) == "k_complex"
    absolute, relative = (inside & waves[f"found_{view}"].to_numpy(dtype=bool) for view in ("absolute", "relative"))
    columns = ("ptp_uv", "slope_uv_per_s", "duration_s", "fall_slope_uv_per_s", "slope_per_s")
    means = {f"slow_oscillation_{column}": column for column in columns}
    needed = settings.min_event_min
    name = "slow_oscillation_density_per_min"
    rows = _event_rows(waves, absolute & ~isolated, place, name, means, "slow oscillation", needed)
    means = {"slow_oscillation_ptp_relative": "ptp_relative"}
    name = "slow_oscillation_relative_density_per_min"
    rows += _event_rows(waves, relative & ~isolated, place, name, means, "slow oscillation", needed)
    if inside.any() and np.isnan(waves["ptp_relative"].to_numpy(dtype=float)[inside]).all():
        rows[-2:] = [make_row(row["marker"], place, math.nan, 0, "too little N2 for a reference") for row in rows[-2:]]
    if place.stage == "N2":
        rows += _event_rows(waves, absolute & isolated, place, "k_complex_density_per_min", {}, "K-complex", needed)
    return rows


def coupling_rows(coupling: pd.DataFrame, place: Place, settings: MarkerSettings) -> list[dict]:
    """Return share, strength, phase and density of coupled spindles, and what chance gives."""
    lack = place.describe_lack(settings.min_coupling_min)
    rows = []
    for p, a in COUPLING_KINDS.items():
        chosen = coupling[_in_stage(coupling, place, p)]
        found = measure_coupling(chosen)
        none = lack or ("" if found.n else f"no {a}spindle found" if chosen.empty else NO_CHANCE)
        few = none
        if not few and found.n < settings.min_coupling_spindles:
            few = f"only {found.n} {a}spindles, {settings.min_coupling_spindles} needed"
        vague = few
        if not vague and not found.phase_se_rad <= settings.max_phase_se_rad:
            vague = f"its standard error is not below {settings.max_phase_se_rad:g} rad"
        n_coupled = int(chosen["coupled"].sum())
        density = math.nan if lack else n_coupled / place.clean_min
        rows += [
            make_row(f"{p}coupling_phase_rad", place, found.phase_rad, found.n_coupled, vague),
            make_row(f"{p}coupling_strength", place, found.strength, found.n, few),
            make_row(f"{p}spindles_coupled_percent", place, found.percent, found.n, none),
            make_row(f"{p}spindles_coupled_expected_percent", place, found.expected_percent, found.n, none),
            make_row(f"{p}spindles_coupled_excess_percent", place, found.excess_percent, found.n, few),
            make_row(f"{p}coupled_spindle_density_per_min", place, density, n_coupled, lack),
        ]
    return rows


def view_rows(both_views: pd.DataFrame, place: Place, settings: MarkerSettings) -> list[dict]:
    """Return the densities of spindles by either view alone."""
    rows = []
    for p, a in SPINDLE_KINDS.items():
        inside = _in_stage(both_views, place, p)
        for view in ("absolute", "relative"):
            name = f"{p}spindle_{view}_density_per_min"
            found = inside & both_views[f"found_{view}"].to_numpy(dtype=bool)
            rows += _event_rows(both_views, found, place, name, {}, f"{a}spindle", settings.min_event_min)
    return rows


_YASA_NOT_ASKED = "YASA's detectors run on request: [audit] yasa_detectors = true"


def yasa_rows(by_yasa: Mapping[str, pd.DataFrame], place: Place, settings: MarkerSettings) -> list[dict]:
    """Return the densities by YASA's detectors with their own defaults, where they ran."""
    rows = []
    for name, kind in (("spindle", "spindles"), ("slow_oscillation", "slow_oscillations")):
        marker = f"yasa_{name}_density_per_min"
        if kind not in by_yasa:
            rows.append(make_row(marker, place, math.nan, 0, _YASA_NOT_ASKED))
            continue
        events = by_yasa[kind]
        rows += _event_rows(events, _in_stage(events, place), place, marker, {}, name, settings.min_event_min)
    return rows


def largest_wave_rows(minutes: pd.DataFrame, place: Place, settings: MarkerSettings) -> list[dict]:
    """Return height and slope of the five largest waves a minute, as means over the minutes of NREM."""
    known = minutes.dropna(subset="ptp_uv")
    known = known.assign(slope_per_s=known["slope_uv_per_s"] / known["ptp_uv"])
    lack = place.describe_lack(settings.min_event_min)
    reason = lack or ("" if len(known) else "no minute with five waves")
    return [
        make_row(f"largest_waves_{name}", place, known[name].mean(), len(known), reason)
        for name in ("ptp_uv", "slope_uv_per_s", "slope_per_s")
    ]


def third_rows(
    spindles: pd.DataFrame, codes: np.ndarray, usable: np.ndarray, place: Place, settings: MarkerSettings
) -> list[dict]:
    """Return the density of spindles in NREM by third of the sleep period."""
    thirds = find_thirds(codes)
    clean = usable & np.isin(codes, NREM)
    at = values_at(np.where(clean, thirds, -1).astype(str), spindles["peak_s"], "-1").astype(int)
    rows = []
    for number, third in enumerate(THIRDS):
        minutes = float((clean & (thirds == number)).sum()) * EPOCH_MIN
        n = int((at == number).sum())
        needed = settings.min_event_min / 2
        few = "" if minutes >= needed and minutes else f"only {minutes:g} clean minutes of NREM, {needed:g} needed"
        density = n / minutes if minutes else math.nan
        rows.append(make_row(f"spindle_density_{third}_third_per_min", place, density, n, place.absent or few, minutes))
    return rows


def low_sigma_row(low_sigma: pd.DataFrame, place: Place, settings: MarkerSettings) -> dict:
    """Return the density of bursts of 9-11 Hz, which is measured on frontal channels only."""
    name = "low_sigma_burst_density_per_min"
    if not is_frontal(place.channel):
        return make_row(name, place, math.nan, 0, "measured on frontal channels (Fp, AF, F) only")
    inside = _in_stage(low_sigma, place)
    return _event_rows(low_sigma, inside, place, name, {}, "burst", settings.min_event_min)[0]


def audit_rows(audit: pd.DataFrame, spindles: pd.DataFrame, place: Place, settings: MarkerSettings) -> list[dict]:
    """Return the share of planted events that were found, and the density of spindles corrected for it."""
    inside = audit[audit["stage"].isin(EVENT_STAGES[place.stage])]
    rows = []
    absolute, waves = inside["view"] == "absolute", inside["kind"] == "slow_oscillation"
    audited = {"spindle": ~waves, "slow_oscillation": waves & absolute, "slow_oscillation_relative": waves & ~absolute}
    for name, chosen in audited.items():
        mine = inside[chosen]
        planted = int(mine["n_planted"].sum())
        reason = place.absent or ("" if planted else "nothing could be planted")
        recall = 100 * mine["n_found"].sum() / planted if planted else math.nan
        rows.append(make_row(f"{name}_recall_percent", place, recall, planted, reason))
    amplitudes_uv = spindles["amplitude_uv"].to_numpy()[_in_stage(spindles, place)]
    lack = place.describe_lack(settings.min_event_min)
    pooled = inside[inside["kind"] == "spindle"].groupby("planted_uv", as_index=False)[["n_planted", "n_found"]].sum()
    pooled["recall"] = pooled["n_found"] / pooled["n_planted"]
    total = correct_for_recall(amplitudes_uv, pooled) if len(pooled) else math.nan
    density = math.nan if lack else total / place.clean_min
    rows.append(make_row("spindle_corrected_density_per_min", place, density, amplitudes_uv.size, lack))
    return rows


def modulation_row(summary: pd.DataFrame, place: Place, settings: MarkerSettings) -> dict:
    """Return the modulation index."""
    (found,) = summary[(summary["stage"] == place.stage) & (summary["spindle_class"] == "all")].itertuples()
    few = place.describe_lack(settings.min_coupling_min)
    if not few and found.n < settings.min_coupling_spindles:
        few = f"only {found.n} spindles, {settings.min_coupling_spindles} needed"
    return make_row("coupling_modulation_index", place, found.modulation_index, found.n, few)
