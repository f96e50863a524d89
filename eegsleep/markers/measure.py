"""The markers of a night: one table with the value of each, or the reason why it is missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.markers.catalogue import BANDS, CATALOGUE, FAMILIES
from eegsleep.markers.events import (
    audit_rows,
    clean_events,
    coupling_rows,
    largest_wave_rows,
    low_sigma_row,
    modulation_row,
    slow_oscillation_rows,
    spindle_rows,
    third_rows,
    view_rows,
    yasa_rows,
)
from eegsleep.markers.rows import SPECTRUM_STAGES, MarkerSettings, Place, describe_stage, make_row
from eegsleep.signals.epochs import EPOCH_MIN, EPOCH_S, EVENT_STAGES, SLEEP_STAGES, values_at
from eegsleep.spectrum.measure import FINE_BANDS_HZ
from eegsleep.staging.confidence import measure_uncertainty
from eegsleep.staging.course import measure_course
from eegsleep.staging.lights import Lights
from eegsleep.staging.statistics import measure_sleep
from eegsleep.tables import (
    COUPLING,
    HYPNOGRAM,
    MARKERS,
    QUALITY,
    SLOW_OSCILLATIONS,
    SPECTRUM,
    SPINDLES,
    check_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eegsleep.events.detect import Events

# Statistics that count from lights off or to lights on; they have no meaning where these are not known.
_FROM_LIGHTS = (
    "tib_min",
    "unscored_min",
    "sleep_efficiency_percent",
    "sol_min",
    "waso_min",
    "persistent_sleep_latency_min",
)
_UP_TO_LIGHTS_ON = ("tib_min", "unscored_min", "sleep_efficiency_percent", "waso_min")
# Marker: its measure in table `SPECTRUM`, of the NREM of the whole night.
_COURSE = {"first_hour_swa_power_uv2": "swa_first_hour_power_uv2", "swa_decay_percent_per_h": "swa_decay_percent_per_h"}
_SIGMA = ["sigma_oscillatory_power_uv2", "fast_sigma_peak_hz", "fast_sigma_peak_power_uv2"]
_INFRASLOW = ["infraslow_sigma_db", "infraslow_sigma_peak_hz"]
MIN_DECLINE_CYCLES = 3  # two points always lie on a line
__all__ = ["CATALOGUE", "FAMILIES", "MarkerSettings", "measure_markers"]


def measure_markers(
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    events: Events,
    spectrum: pd.DataFrame,
    channels: Sequence[str],
    settings: MarkerSettings | None = None,
    lights: Lights | None = None,
    arousals: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Measure every marker of the catalogue on one night.

    Parameters
    ----------
    stages, quality, spectrum : pandas.DataFrame
        Tables `HYPNOGRAM`, `QUALITY` and `SPECTRUM` of the night; times in s from the first sample, voltages in µV.
    events : Events
        As `detect_events` returns them. Without `both_views`, as in a night that was read back, there are no rows
        that need more than the tables on disk (other views, YASA's detectors, recall, largest waves, gain).
    channels : sequence of str
        EEG channels on which events and spectrum were measured. A channel without a row in the event tables
        also gets its markers: if nothing was found in enough clean minutes, the density is 0.
    settings : MarkerSettings, optional
    lights : Lights, optional
        When the night began and ended; by default the whole hypnogram. Where they were only guessed from
        the stages, statistics that count from lights off are missing.

    arousals : pandas.DataFrame, optional
        Arousals that were marked by hand, with `onset_s`; without them there is no arousal index.

    Returns
    -------
    pandas.DataFrame
        Table `MARKERS`, the same rows for every night with the same channels: sleep statistics (no stage,
        no channel), events and coupling in N2, N3 and NREM, spectrum in those and R. A value that could
        not be measured is NaN, with the reason beside it; `n` is then the number of events or epochs that were found.

    Notes
    -----
    Densities divide by clean minutes: epochs of the stage that `quality` calls usable on that channel.
    Events are counted by their own stage, and only where their peak lies in a usable epoch, so that
    numerator and denominator come from the same sleep. Coupling strength is that of
    `eegsleep.events.coupling.measure_coupling`.

    Raises
    ------
    TableError
        If a table is not the one it should be.
    """
    settings = settings or MarkerSettings()
    tables = {
        "quality": check_table(quality, QUALITY),
        "spindles": check_table(events.spindles, SPINDLES),
        "waves": check_table(events.slow_oscillations, SLOW_OSCILLATIONS),
        "coupling": check_table(events.coupling, COUPLING),
        "spectrum": check_table(spectrum, SPECTRUM),
    }
    stages = check_table(stages, HYPNOGRAM)
    lights = lights or Lights(0.0, len(stages) * EPOCH_S, "whole recording")
    rows = [*sleep_rows(stages, lights), _arousal_row(stages, lights, arousals)]
    for channel in dict.fromkeys(channels):
        own = {name: table[table["channel"] == channel] for name, table in tables.items()}
        rows += _channel_rows(channel, stages, own, settings, events)
    rows += _eye_rows(tables["spectrum"])
    return check_table(pd.DataFrame(rows, columns=MARKERS.column_names), MARKERS)


def _channel_rows(
    channel: str,
    stages: pd.DataFrame,
    own: dict[str, pd.DataFrame],
    settings: MarkerSettings,
    events: Events,
) -> list[dict]:
    """Return every marker of one channel from its `own` rows of the tables."""
    usable = stages["epoch"].isin(own["quality"].loc[own["quality"]["usable"], "epoch"]).to_numpy()
    places = find_places(channel, stages, usable)
    spindles = clean_events(own["spindles"], "peak_s", usable)
    waves = clean_events(own["waves"], "neg_peak_s", usable)
    coupling = clean_events(own["coupling"], "spindle_peak_s", usable)
    measured = {(row["stage"], row["cycle"], row["measure"]): row for row in own["spectrum"].to_dict("records")}
    rows = []
    for stage in EVENT_STAGES:
        rows += spindle_rows(spindles, places[stage], settings)
        rows += slow_oscillation_rows(waves, places[stage], settings)
        rows += coupling_rows(coupling, places[stage], settings)
        rows += _extra_rows(channel, spindles, places[stage], settings, events)
    for place in places.values():
        rows += spectrum_rows(measured, place, settings)
    rows.append(_time_in_bed_row(measured, channel, settings))
    rows.append(_wake_row(measured, channel, settings))
    rows += third_rows(spindles, stages["stage"].to_numpy(dtype="U4"), usable, places["NREM"], settings)
    if events.largest_waves is not None:
        minutes = events.largest_waves[events.largest_waves["channel"] == channel]
        rows += largest_wave_rows(minutes, places["NREM"], settings)
    rows.append(_first_cycle_row(measured, places["NREM"], settings))
    rows.append(_decline_row(own["spectrum"], places["NREM"], settings))
    rows += [_course_row(name, measured, places["NREM"]) for name in _COURSE]
    rows += _reference_rows(channel, waves, places["NREM"], events)
    return rows


def _extra_rows(
    channel: str, spindles: pd.DataFrame, place: Place, settings: MarkerSettings, events: Events
) -> list[dict]:
    """Return the rows beside the main markers of events: other views, other detectors, chance, and the audit."""
    if events.both_views is None or events.low_sigma is None:
        return []

    def own(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["channel"] == channel]

    by_yasa = {name: own(table) for name, table in events.by_yasa.items()}
    return [
        *view_rows(own(events.both_views), place, settings),
        low_sigma_row(own(events.low_sigma), place, settings),
        *yasa_rows(by_yasa, place, settings),
        *audit_rows(own(events.audit), spindles, place, settings),
        modulation_row(own(events.coupling_summary), place, settings),
    ]


def _reference_rows(channel: str, waves: pd.DataFrame, place: Place, events: Events) -> list[dict]:
    """Return the amplitudes that show whether gain changed."""
    if events.both_views is None:
        return []
    gain = events.gain_reference_uv.get(channel, math.nan)
    wave = waves["reference_uv"].median() if len(waves) else math.nan
    reason = place.absent or "no clean NREM to measure it in"
    return [
        make_row("gain_reference_uv", place, gain, 0, "" if math.isfinite(gain) else reason),
        make_row("slow_wave_reference_uv", place, wave, len(waves), "" if math.isfinite(wave) else reason),
    ]


def _course_row(name: str, measured: dict[tuple, dict], place: Place) -> dict:
    found = measured.get(("NREM", 0, _COURSE[name]))
    if found is None:
        return make_row(name, place, math.nan, 0, place.absent or "no spectrum was measured on this channel")
    return make_row(name, place, found["value"], found["n_epochs"], found["reason"], found["clean_min"])


def _eye_rows(spectrum: pd.DataFrame) -> list[dict]:
    """Return the density of eye movements, whose channel is an EOG."""
    rows = []
    for found in spectrum[spectrum["measure"] == "eye_movements_per_min"].itertuples():
        place = Place(found.channel, "R", found.clean_min, "")
        rows.append(make_row(found.measure, place, found.value, found.n_epochs, found.reason))
    return rows


def sleep_rows(stages: pd.DataFrame, lights: Lights, *, with_uncertainty: bool = True) -> list[dict]:
    """Return the rows of the sleep statistics, of the epochs between lights off and on."""
    inside = stages.iloc[lights.epochs(len(stages))]
    measures = measure_sleep(inside) | measure_course(inside["stage"].to_numpy(dtype="U4"))
    unsure = measure_uncertainty(inside) if with_uncertainty else {}
    night = Place("", "", measures["tib_min"].value - measures["unscored_min"].value, "")
    rows = []
    for name, measure in measures.items():
        if name in _FROM_LIGHTS and not lights.known:
            rows.append(make_row(name, night, math.nan, len(inside), "lights off and on are not known"))
        elif name in _UP_TO_LIGHTS_ON and not lights.on_known:
            rows.append(make_row(name, night, math.nan, len(inside), "lights on is not known"))
        else:
            own = unsure.get(name)
            rows.append(
                make_row(name, night, measure.value, len(inside), measure.reason, unsure=own, at_least=measure.at_least)
            )
    return rows


def _arousal_row(stages: pd.DataFrame, lights: Lights, arousals: pd.DataFrame | None) -> dict:
    """Return the arousal index, which is measured where arousals were marked only: nothing here detects them."""
    inside = stages["stage"].iloc[lights.epochs(len(stages))]
    hours = float(inside.isin(SLEEP_STAGES).sum()) * EPOCH_MIN / 60
    place = Place("", "", 60 * hours, "")
    if arousals is None or arousals.empty:
        return make_row("arousal_index_per_h", place, math.nan, 0, "not measured: no arousals were marked")
    asleep = values_at(stages["stage"].isin(SLEEP_STAGES).to_numpy(), arousals["onset_s"])
    n = int(asleep.sum())
    return make_row("arousal_index_per_h", place, n / hours if hours else math.nan, n, "" if hours else "no sleep")


def _wake_row(measured: dict[tuple, dict], channel: str, settings: MarkerSettings) -> dict:
    """Return slow-wave activity in wake, beside that in REM: a compound may raise it in every state."""
    found = measured.get(("W", 0, "swa_power_uv2"))
    place = Place(channel, "W", found["clean_min"] if found else 0.0, "")
    lack = place.describe_lack(settings.min_spectrum_min)
    if found is None or lack:
        return make_row("swa_power_uv2", place, math.nan, 0, lack or "no spectrum was measured on this channel")
    return make_row("swa_power_uv2", place, found["value"], found["n_epochs"], found["reason"])


def _time_in_bed_row(measured: dict[tuple, dict], channel: str, settings: MarkerSettings) -> dict:
    name, found = "time_in_bed_swa_power_uv2", measured.get(("TIB", 0, "swa_power_uv2"))
    place = Place(channel, "", found["clean_min"] if found else 0.0, "")
    lack = place.describe_lack(settings.min_spectrum_min)
    if found is None or lack:
        return make_row(
            "time_in_bed_swa_power_uv2", place, math.nan, 0, lack or "no spectrum was measured on this channel"
        )
    return make_row(name, place, found["value"], found["n_epochs"], found["reason"])


def find_places(channel: str, stages: pd.DataFrame, usable: NDArray[np.bool_]) -> dict[str, Place]:
    """Return where the markers of a channel are measured, by stage."""
    codes = stages["stage"].to_numpy(dtype="U4")
    unscored = not (codes != "UNS").any()
    places = {}
    for stage, members in SPECTRUM_STAGES.items():
        inside = np.isin(codes, members)
        absent = "" if inside.any() else f"no {describe_stage(stage)} in this night"
        if unscored:
            absent = "no epoch was scored"
        places[stage] = Place(channel, stage, float((inside & usable).sum()) * EPOCH_MIN, absent)
    return places


def spectrum_rows(measured: dict[tuple, dict], place: Place, settings: MarkerSettings) -> list[dict]:
    """Return the markers of one stage from the rows of table `SPECTRUM`, by stage, cycle and measure."""
    kinds = ("power_uv2", "power_ln_uv2", "relative_percent")
    names = [f"{band[0]}_{kind}" for band in BANDS for kind in kinds] + ["aperiodic_exponent", "aperiodic_level"]
    names += _SIGMA if place.stage != "R" else []
    names += [f"{band}_power_uv2" for band in FINE_BANDS_HZ] if place.stage == "NREM" else []
    names += _INFRASLOW if place.stage == "N2" else []
    rows = []
    for name in names:
        found = measured.get((place.stage, 0, name))
        if found is None:
            lack = place.describe_lack(settings.min_spectrum_min) or "no spectrum was measured on this channel"
            rows.append(make_row(name, place, math.nan, 0, lack))
            continue
        there = Place(place.channel, place.stage, found["clean_min"], place.absent)
        reason = there.describe_lack(settings.min_spectrum_min) or found["reason"]
        rows.append(make_row(name, there, found["value"], found["n_epochs"], reason))
    return rows


def _first_cycle_row(measured: dict[tuple, dict], place: Place, settings: MarkerSettings) -> dict:
    name, needed = "first_cycle_swa_power_uv2", settings.min_spectrum_min
    found = measured.get(("NREM", 1, "swa_power_uv2"))
    if found is None:
        return make_row(name, place, math.nan, 0, place.describe_lack(needed) or "no NREM-REM cycle measured", 0.0)
    clean = found["clean_min"]
    few = f"only {clean:g} clean minutes of NREM in cycle 1, {needed:g} needed" if clean < needed else ""
    return make_row(name, place, found["value"], found["n_epochs"], few or found["reason"], clean)


def _decline_row(spectrum: pd.DataFrame, place: Place, settings: MarkerSettings) -> dict:
    """Return how much SWA falls per cycle, by the slope of its logarithm over the cycle's number."""
    name, needed = "swa_decline_percent_per_cycle", settings.min_spectrum_min
    cycles = spectrum[
        (spectrum["stage"] == "NREM")
        & (spectrum["cycle"] > 0)
        & (spectrum["measure"] == "swa_power_uv2")
        & (spectrum["clean_min"] >= needed)
        & (spectrum["value"] > 0)
    ]
    n, clean = int(cycles["n_epochs"].sum()), float(cycles["clean_min"].sum())
    reason = place.describe_lack(needed)
    if not reason and len(cycles) < MIN_DECLINE_CYCLES:
        reason = f"only {len(cycles)} cycles with {needed:g} clean minutes of NREM, {MIN_DECLINE_CYCLES} needed"
    if reason:
        return make_row(name, place, math.nan, n, reason, clean)
    slope = np.polyfit(cycles["cycle"].to_numpy(dtype=float), np.log(cycles["value"].to_numpy()), 1)[0]
    return make_row(name, place, 100 * -math.expm1(slope), n, "", clean)
