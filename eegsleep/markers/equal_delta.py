"""The markers of a night with smaller and larger slow waves: how much of them follows from slow-wave amplitude.

N3 and the borders of N2 depend on the size of slow waves, and so does everything that is measured in N2 or N3 alone, or
counted over fixed microvolts. Here these markers are measured again from the stages of `EqualDelta`. Events keep the
measures they were found with and are assigned to the stages anew. The slow oscillations of all NREM are counted anew
with their height multiplied. Band powers keep their size and are averaged over the stages anew; only in the shares of
the other bands are slow waves multiplied, because a share falls when slow waves alone grow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.events.edited import drop_rejected
from eegsleep.events.slow_oscillations import count_at_scale
from eegsleep.markers.events import clean_events, coupling_rows, slow_oscillation_rows, spindle_rows
from eegsleep.markers.measure import find_places, sleep_rows, spectrum_rows
from eegsleep.markers.rows import MarkerSettings, Place, make_row
from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import NREM, values_at
from eegsleep.spectrum.measure import BANDS_HZ, average_powers
from eegsleep.staging.equal_delta import FACTORS
from eegsleep.tables import MARKERS, check_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.events.calibration import Calibration
    from eegsleep.events.detect import Events
    from eegsleep.events.edited import EventEdits
    from eegsleep.events.slow_oscillations import SlowOscillationSettings
    from eegsleep.staging.lights import Lights
    from eegsleep.staging.score import Staged

ACTIVITY = "n2_slow_wave_activity_uv2"
LEVEL = "staging_level_uv"
_KEYS = ["marker", "stage", "channel"]
_SLOW_BAND_END_HZ = 4.5
_GIVEN = "the stages were given"


@dataclass(frozen=True)
class MeasuredNight:
    """What the markers of a night are measured from.

    Attributes
    ----------
    staged : Staged
    quality : pandas.DataFrame
        Table `QUALITY`.
    events : Events
    powers : mapping of str to mapping of str to numpy.ndarray, shape (n_epochs,)
        Band powers in µV² by channel and band, as `measure_spectra` returns them.
    settings : MarkerSettings
    waves : SlowOscillationSettings
    calibration : Calibration or None
    edits : EventEdits or None
        Events that were rejected by hand.
    """

    staged: Staged
    quality: pd.DataFrame
    events: Events
    powers: Mapping[str, Mapping[str, np.ndarray]]
    settings: MarkerSettings
    waves: SlowOscillationSettings
    calibration: Calibration | None = None
    edits: EventEdits | None = None


def add_delta_audit(markers: pd.DataFrame, night: MeasuredNight) -> pd.DataFrame:
    """Add to the markers what they would be with smaller and larger slow waves.

    Parameters
    ----------
    markers : pandas.DataFrame
        Table `MARKERS` of the night.
    night : MeasuredNight

    Returns
    -------
    pandas.DataFrame
        Table `MARKERS` with `at_less_delta` and `at_more_delta` filled for sleep statistics, for markers of N2 or N3
        alone, for counts of slow oscillations and for shares of bands; with two more kinds of rows:
        `n2_slow_wave_activity_uv2`, by which `compare` finds the nights' common size of slow waves, and
        `staging_level_uv`, the level of each staged channel.
    """
    rows = pd.DataFrame([_activity_row(night.staged), *_level_rows(night.staged)], columns=MARKERS.column_names)
    if night.staged.equal_delta is not None:
        measured = {
            column: pd.Series(_measure_at(night, column, factor), dtype=float) for column, factor in FACTORS.items()
        }
        keys = pd.MultiIndex.from_frame(markers[_KEYS])
        markers = markers.assign(
            **{f"at_{column}": values.reindex(keys).to_numpy(dtype=float) for column, values in measured.items()}
        )
    return check_table(pd.concat([markers, rows], ignore_index=True), MARKERS)


def add_other_stager(
    markers: pd.DataFrame, other: pd.DataFrame | None, stages: pd.DataFrame, lights: Lights
) -> pd.DataFrame:
    """Add to the sleep statistics what they are by another stager, and by the consensus of both.

    Parameters
    ----------
    markers : pandas.DataFrame
        Table `MARKERS` of the night.
    other : pandas.DataFrame or None
        Table `OTHER_STAGER`; None leaves the markers as they are.
    stages : pandas.DataFrame
        Table `HYPNOGRAM`.
    lights : Lights

    Returns
    -------
    pandas.DataFrame
        Table `MARKERS`.
    """
    if other is None:
        return markers
    keys = pd.MultiIndex.from_frame(markers[_KEYS])
    for column, source in (("by_other_stager", "stage"), ("by_consensus", "consensus")):
        if (other[source] == "UNS").all():
            continue
        rows = sleep_rows(stages.assign(stage=other[source].to_numpy()), lights, with_uncertainty=False)
        found = pd.Series({(row["marker"], row["stage"], row["channel"]): row["value"] for row in rows}, dtype=float)
        markers = markers.assign(**{column: found.reindex(keys).to_numpy(dtype=float)})
    return check_table(markers, MARKERS)


def _activity_row(staged: Staged) -> dict:
    """Return the row of the slow-wave activity of N2 over the staged derivations."""
    place = Place("", "N2", float((staged.stages["stage"] == "N2").sum()) / 2, "")
    if staged.equal_delta is None:
        return make_row(ACTIVITY, place, math.nan, 0, _GIVEN)
    activity = staged.equal_delta.n2_activity_uv2
    row = make_row(ACTIVITY, place, activity["stage"], int(2 * place.clean_min), "")
    if math.isnan(activity["stage"]):
        row["reason"] = "too little N2 to measure it in"
    return row | {f"at_{column}": activity[column] for column in FACTORS}


def _level_rows(staged: Staged) -> list[dict]:
    """Return a row for each channel that was staged: the level it was brought to reference from."""
    n = int((staged.stages["stage"] != "UNS").sum())
    place = {label: Place(label, "", n / 2, "") for label in staged.gains}
    return [
        make_row(LEVEL, place[label], level_uv, n, "" if math.isfinite(level_uv) else "staged as recorded")
        for label, level_uv in staged.levels_uv.items()
    ]


def _measure_at(night: MeasuredNight, column: str, factor: float) -> dict[tuple[str, str, str], float]:
    """Return the markers at one size of the slow waves, by marker, stage and channel."""
    assert night.staged.equal_delta is not None  # noqa: S101 - tells mypy what the caller has checked
    scored = night.staged.equal_delta.stages[column].to_numpy(dtype=object)
    stages = night.staged.stages
    rows = sleep_rows(stages.assign(stage=scored), night.staged.lights, with_uncertainty=False)
    # events were searched in the N2 and N3 of the hypnogram alone, so that only those epochs can change their stage
    searched = stages["stage"].isin(NREM).to_numpy()
    regrouped = stages.assign(stage=np.where(searched, scored, stages["stage"].to_numpy(dtype=object)))
    for channel, powers in night.powers.items():
        rows += _channel_rows(night, channel, powers, regrouped, factor)
    return {(row["marker"], row["stage"], row["channel"]): row["value"] for row in rows}


def _channel_rows(
    night: MeasuredNight, channel: str, powers: Mapping[str, np.ndarray], stages: pd.DataFrame, factor: float
) -> list[dict]:
    usable = usable_epochs(night.quality, channel)
    places = find_places(channel, stages, usable)
    names = stages["stage"].to_numpy(dtype=object)

    def own(table: pd.DataFrame, time: str) -> pd.DataFrame:
        mine = clean_events(table[table["channel"] == channel], time, usable)
        return mine.assign(stage=values_at(names, mine[time], "UNS"))

    spindles = own(night.events.spindles, "peak_s")
    waves = own(night.events.slow_oscillations, "neg_peak_s")
    coupling = own(night.events.coupling, "spindle_peak_s")
    measured = _average(channel, stages, usable, powers, factor)
    rows = []
    for stage in ("N2", "N3"):
        rows += spindle_rows(spindles, places[stage], night.settings)
        rows += slow_oscillation_rows(waves, places[stage], night.settings)
        rows += coupling_rows(coupling, places[stage], night.settings)
        rows += [row for row in spectrum_rows(measured, places[stage], night.settings) if not math.isnan(row["value"])]
    for stage in ("NREM", "R"):
        rows += [
            row
            for row in spectrum_rows(measured, places[stage], night.settings)
            if row["marker"].endswith("_relative_percent") and _band_end_hz(row["marker"]) > _SLOW_BAND_END_HZ
        ]
    if night.waves.method == "yasa":
        return rows
    candidates = night.events.slow_oscillation_candidates
    chosen = candidates[count_at_scale(candidates, factor, night.waves, night.calibration)]
    counted = own(drop_rejected(chosen, night.edits, "slow oscillation"), "neg_peak_s")
    inside = counted[counted["stage"].isin(NREM)]
    return rows + _counted_rows(inside, places["NREM"], night.settings)


def _counted_rows(waves: pd.DataFrame, place: Place, settings: MarkerSettings) -> list[dict]:
    """Return the markers that change because other waves are counted, and not because waves are larger."""
    lack, n = place.describe_lack(settings.min_event_min), len(waves)
    values = {
        "slow_oscillation_density_per_min": n / place.clean_min if place.clean_min else math.nan,
        "slow_oscillation_duration_s": waves["duration_s"].mean(),
        "slow_oscillation_slope_per_s": (waves["slope_uv_per_s"] / waves["ptp_uv"]).mean(),
    }
    return [make_row(name, place, value, n, lack) for name, value in values.items()]


def _average(
    channel: str, stages: pd.DataFrame, usable: np.ndarray, powers: Mapping[str, np.ndarray], factor: float
) -> dict[tuple, dict]:
    """Return the rows of table `SPECTRUM` of band powers; in the shares of faster bands slow waves are multiplied."""
    scaled = {**powers, "total": powers["total"] + (factor**2 - 1) * powers["swa"]}
    plain, shared = (
        {(row["stage"], 0, row["measure"]): row for row in average_powers(channel, stages, usable, own)}
        for own in (powers, scaled)
    )
    return {
        key: (shared if key[2].endswith("_relative_percent") and _band_end_hz(key[2]) > _SLOW_BAND_END_HZ else plain)[
            key
        ]
        for key in plain
    }


def _band_end_hz(measure: str) -> float:
    """Return the upper end of the band that a measure is of; 0 where it is of none."""
    return next((high for band, (_, high) in BANDS_HZ.items() if measure.startswith(f"{band}_")), 0.0)
