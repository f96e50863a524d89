"""The markers of a night: one catalogue of what each means, and one table of what each measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.staging.confidence import Uncertainty, measure_uncertainty
from eegsleep.staging.lights import Lights
from eegsleep.staging.statistics import EPOCH_MIN, EPOCH_S, measure_sleep
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

FAMILIES = {
    "A": "Onset and maintenance",
    "B": "Slow-wave restoration (proxy)",
    "C": "REM",
    "D": "Memory consolidation",
    "E": "Next day",  # measured on the day after, so that one night alone holds none
    "context": "Context",
}
EVENT_STAGES = {"N2": ("N2",), "N3": ("N3",), "NREM": ("N2", "N3")}
SPECTRUM_STAGES = {**EVENT_STAGES, "R": ("R",)}
# What counts from lights off or to lights on; meaningless where they are not known.
_FROM_LIGHTS = (
    "tib_min", "unscored_min", "sleep_efficiency_percent", "sol_min", "waso_min", "persistent_sleep_latency_min",
)  # fmt: skip
MIN_DECLINE_CYCLES = 3  # two points always lie on a line


@dataclass(frozen=True)
class Marker:
    """What one marker is, and how a difference in it is to be read.

    Attributes
    ----------
    name, label : str
        Its name in the table, and in a report.
    family : str
        Key of `FAMILIES`.
    unit : str
        Unit of its value; empty where it has none.
    direction : {"+", "-", "0"}
        Whether more of it is usually better, worse, or neither.
    smallest_effect : float or None
        Smallest difference that matters by default; None for what is no outcome.
    smallest_effect_unit : str
        Unit of that difference; `"SD"` is the standard deviation between nights of one person.
    meaning : str
        One sentence.
    rem_family : str
        Its family where it is measured in REM, if that is another.
    """

    name: str
    label: str
    family: str
    unit: str
    direction: Literal["+", "-", "0"]
    smallest_effect: float | None
    smallest_effect_unit: str
    meaning: str
    rem_family: str = ""

    def family_in(self, stage: str) -> str:
        """Return the family of the marker in `stage`."""
        return self.rem_family if stage == "R" and self.rem_family else self.family

    def direction_in(self, stage: str) -> Literal["+", "-", "0"]:
        """Return the direction in `stage`: what is good in NREM says nothing about REM."""
        return "0" if stage == "R" and self.rem_family else self.direction


_SD = (0.5, "SD")  # half a within-person standard deviation, where nobody has named a smallest effect
_NONE = (None, "")

# name, label, family, unit, direction, smallest effect, meaning. Smallest effects in minutes, points and
# counts: AASM guideline, Edinger et al. 2021 (PMC7853211), table 3.
# fmt: off
_SLEEP = (
    ("tib_min", "Time in bed", "context", "min", "0", _NONE,
     "Lights off to lights on; behaviour, not an outcome."),
    ("unscored_min", "Unscored", "context", "min", "0", _NONE, "Time in bed without a stage."),
    ("tst_min", "Total sleep time", "A", "min", "+", (15.0, "min"), "Minutes of N1, N2, N3 and REM."),
    ("sleep_efficiency_percent", "Sleep efficiency", "A", "%", "+", (10.0, "percentage points"),
     "Share of the time in bed that was slept."),
    ("sol_min", "Sleep onset latency", "A", "min", "-", (20.0, "min"), "Lights off to the first sleep."),
    ("waso_min", "Wake after sleep onset", "A", "min", "-", (20.0, "min"),
     "Wake from sleep onset to lights on, wake after the final awakening included."),
    ("sleep_period_min", "Sleep period", "context", "min", "0", _NONE, "First to last epoch of sleep."),
    ("wake_in_sleep_period_min", "Wake in the sleep period", "A", "min", "-", (20.0, "min"),
     "Wake between the first and the last epoch of sleep; known without lights off and on."),
    ("persistent_sleep_latency_min", "Latency to persistent sleep", "A", "min", "-", _SD,
     "Lights off to the first ten minutes of unbroken sleep."),
    ("awakenings", "Awakenings", "A", "n", "-", (0.5, "n"), "Runs of wake within the sleep period."),
    ("awakenings_per_h", "Awakenings per hour", "A", "/h", "-", _SD, "Awakenings per hour of sleep."),
    ("fragmentation_per_h", "Fragmentation", "A", "/h", "-", _SD,
     "Awakenings and shifts to N1 from deeper sleep, per hour of sleep."),
    ("stage_transitions_per_h", "Stage transitions", "A", "/h", "0", _SD, "Stage changes per hour of sleep."),
    ("n1_min", "N1", "A", "min", "-", _SD, "Minutes of N1, the lightest sleep."),
    ("n1_percent", "N1 share", "A", "%", "-", _SD, "N1 as a share of sleep."),
    ("n2_min", "N2", "context", "min", "0", _SD, "Minutes of N2."),
    ("n2_percent", "N2 share", "context", "%", "0", _SD, "N2 as a share of sleep."),
    ("n3_min", "N3", "B", "min", "+", _SD, "Minutes of N3, slow-wave sleep."),
    ("n3_percent", "N3 share", "B", "%", "+", _SD, "N3 as a share of sleep."),
    ("n3_latency_min", "N3 latency", "B", "min", "-", _SD, "Sleep onset to the first N3."),
    ("rem_min", "REM", "C", "min", "0", _SD, "Minutes of REM sleep."),
    ("rem_percent", "REM share", "C", "%", "0", _SD, "REM as a share of sleep."),
    ("rem_latency_min", "REM latency", "C", "min", "0", (20.0, "min"), "Sleep onset to the first REM."),
    ("nrem_rem_cycles", "NREM-REM cycles", "context", "n", "0", _SD, "NREM periods that a REM period ended."),
    ("cycle_length_min", "Cycle length", "context", "min", "0", _SD, "Mean length of the complete cycles."),
)
_SLOW_OSCILLATIONS = (
    ("slow_oscillation_density_per_min", "Slow oscillation density", "B", "/min", "+", _SD,
     "Slow oscillations per clean minute of the stage."),
    ("slow_oscillation_ptp_uv", "Slow oscillation amplitude", "B", "µV", "+", _SD,
     "Mean height from negative to positive peak; follows electrode fit as well as sleep."),
    ("slow_oscillation_slope_uv_per_s", "Slow oscillation slope", "B", "µV/s", "+", _SD,
     "Mean steepness of the rise from the down state."),
    ("slow_oscillation_duration_s", "Slow oscillation duration", "B", "s", "0", _SD,
     "Mean duration of slow oscillations."),
)
# One row for each of all, slow and fast spindles: {p} is the prefix of the name, {a} the adjective.
_SPINDLES = (
    ("{p}spindle_density_per_min", "{a}spindle density", "D", "/min", "+", _SD,
     "{a}spindles per clean minute of the stage."),
    ("{p}spindle_amplitude_uv", "{a}spindle amplitude", "D", "µV", "0", _SD,
     "Mean peak-to-peak sigma amplitude of {a}spindles; follows electrode fit as well as sleep."),
    ("{p}spindle_frequency_hz", "{a}spindle frequency", "D", "Hz", "0", _SD,
     "Mean frequency of {a}spindles."),
    ("{p}spindle_duration_s", "{a}spindle duration", "D", "s", "0", _SD, "Mean duration of {a}spindles."),
)
_COUPLING = (
    ("{p}coupling_phase_rad", "{a}spindle coupling phase", "D", "rad", "0", _SD,
     "Circular mean of the slow oscillation's phase at coupled {a}spindles; 0 is the up state."),
    ("{p}coupling_strength", "{a}spindle coupling strength", "D", "", "+", _SD,
     "Squared resultant length of that phase without its bias; about 0, or just below, without coupling."),
    ("{p}spindles_coupled_percent", "{a}spindles coupled", "D", "%", "+", _SD,
     "Share of {a}spindles that ride on a slow oscillation, those by chance included."),
    ("{p}coupled_spindle_density_per_min", "coupled {a}spindle density", "D", "/min", "+", _SD,
     "Coupled {a}spindles per clean minute."),
)
# name, spoken, family, direction of absolute and relative power, family in REM
_BANDS = (
    ("swa", "slow-wave activity (0.5-4 Hz)", "B", "+", "context"),
    ("low_delta", "low delta (0.5-1 Hz)", "B", "+", "context"),
    ("theta", "theta (4-8 Hz)", "context", "0", "C"),
    ("alpha", "alpha (8-12 Hz)", "context", "0", ""),
    ("sigma", "sigma (11-16 Hz)", "D", "0", "context"),
    ("beta", "beta (15-30 Hz)", "context", "0", ""),
)
_OTHER_SPECTRUM = (
    ("aperiodic_exponent", "Aperiodic exponent", "B", "", "+", _SD,
     "Steepness of the spectrum without its peaks; the larger, the steeper.", "C"),
    ("first_cycle_swa_power_uv2", "First-cycle slow-wave activity", "B", "µV²", "+", _SD,
     "Power at 0.5-4 Hz in the NREM sleep of the first cycle, where sleep pressure is highest."),
    ("time_in_bed_swa_power_uv2", "Slow-wave activity in bed", "B", "µV²", "+", _SD,
     "Power at 0.5-4 Hz over the whole time in bed, whatever the stage: where N3 changes and this does not, "
     "doubt the stages."),
    ("swa_decline_percent_per_cycle", "Decline of slow-wave activity", "B", "%/cycle", "0", _SD,
     "How much slow-wave activity falls from one cycle to the next; positive is a fall."),
)
# fmt: on
_SPINDLE_KINDS = {"": "", "fast_": "fast ", "slow_": "slow "}
_COUPLING_KINDS = {"": "", "fast_": "fast "}


def _build_catalogue() -> dict[str, Marker]:
    rows: list[tuple] = [*_SLEEP]
    for table, kinds in ((_SPINDLES, _SPINDLE_KINDS), (_COUPLING, _COUPLING_KINDS)):
        for p, a in kinds.items():
            rows += [
                (name.format(p=p), _sentence(label, a), *middle, _sentence(meaning, a))
                for name, label, *middle, meaning in table
            ]
    rows += _SLOW_OSCILLATIONS
    for band, spoken, family, direction, rem in _BANDS:
        power, share = f"Power of {spoken}, mean over clean epochs.", f"{spoken} as a share of 0.5-30 Hz."
        rows += [
            (f"{band}_power_uv2", _sentence(spoken), family, "µV²", direction, _SD, power, rem),
            (f"{band}_relative_percent", _sentence(f"relative {spoken}"), family, "%", direction, _SD,
             _sentence(share), rem),
        ]  # fmt: skip
    rows += _OTHER_SPECTRUM
    markers = (Marker(*row[:5], *row[5], *row[6:]) for row in rows)
    return {marker.name: marker for marker in markers}


def _sentence(text: str, adjective: str = "") -> str:
    text = text.format(a=adjective)
    return text[0].upper() + text[1:]


CATALOGUE: dict[str, Marker] = _build_catalogue()


@dataclass(frozen=True)
class MarkerSettings:
    """How much clean sleep a marker needs before its value is given; minutes and counts.

    Raises
    ------
    SettingsError
        If a number is negative or not finite, or `min_coupled_events` is below 2.
    """

    # A density is a count: at 2 spindles a minute, 10 minutes hold 20, whose Poisson error is 22 per cent;
    # a density from fewer minutes says more about the minutes than about the sleep.
    min_event_min: float = 10.0
    # Only part of the spindles is coupled, so that coupling needs more minutes for as many events.
    min_coupling_min: float = 20.0
    # Without any coupling the resultant length is about 0.89/sqrt(n): 0.28 with 10 events, 0.13 with 50.
    # The correction of Kutil 2012 removes the bias, not the scatter.
    min_coupled_events: int = 50
    # Ten epochs; epoch power scatters by about half its mean, which ten bring to about a sixth.
    min_spectrum_min: float = 5.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 2 if name == "min_coupled_events" else 0
            if not (math.isfinite(value) and value >= least):
                raise SettingsError(
                    f"marker setting {name} is out of range", found=repr(value), allowed=f"at least {least}"
                )


@dataclass(frozen=True)
class _Place:
    """A stage of a channel, the clean minutes it has, and what to say if the night has none of it."""

    channel: str
    stage: str
    clean_min: float
    absent: str

    def lack(self, needed_min: float) -> str:
        """Return why nothing can be measured here, or an empty string."""
        if self.absent:
            return self.absent
        # Zero minutes are never enough, whatever the settings ask for.
        if self.clean_min < needed_min or self.clean_min == 0:
            return f"only {self.clean_min:g} clean minutes of {_spoken(self.stage)}, {needed_min:g} needed"
        return ""


def measure_markers(
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    spindles: pd.DataFrame,
    slow_oscillations: pd.DataFrame,
    coupling: pd.DataFrame,
    spectrum: pd.DataFrame,
    channels: Sequence[str],
    settings: MarkerSettings | None = None,
    lights: Lights | None = None,
) -> pd.DataFrame:
    """Measure every marker of the catalogue on one night.

    Parameters
    ----------
    stages, quality, spindles, slow_oscillations, coupling, spectrum : pandas.DataFrame
        Tables `HYPNOGRAM`, `QUALITY`, `SPINDLES`, `SLOW_OSCILLATIONS`, `COUPLING` and `SPECTRUM` of the
        night; times in s from the first sample, voltages in µV.
    channels : sequence of str
        EEG channels on which events and spectrum were measured. One without a row in the event tables
        still gets its markers: nothing found in enough clean minutes is a density of 0.
    settings : MarkerSettings, optional
    lights : Lights, optional
        When the night began and ended; by default the whole hypnogram. Where that was only guessed from
        the stages, what counts from lights off is missing.

    Returns
    -------
    pandas.DataFrame
        Table `MARKERS`, the same rows for every night with the same channels: sleep statistics (no stage,
        no channel), events and coupling in N2, N3 and NREM, spectrum in those and R. A value that could
        not be measured is NaN, with the reason beside it; `n` is then what was found all the same.

    Notes
    -----
    Densities divide by clean minutes: epochs of the stage that `quality` calls usable on that channel.
    Events are counted by their own stage, and only where their peak lies in a usable epoch, so that
    numerator and denominator come from the same sleep. Coupling strength is (n R² - 1) / (n - 1), the
    unbiased squared resultant length of Kutil 2012 (doi:10.1080/02331888.2010.543463).

    Raises
    ------
    TableError
        If a table is not the one it should be.
    """
    settings = settings or MarkerSettings()
    tables = {
        "quality": check_table(quality, QUALITY),
        "spindles": check_table(spindles, SPINDLES),
        "waves": check_table(slow_oscillations, SLOW_OSCILLATIONS),
        "coupling": check_table(coupling, COUPLING),
        "spectrum": check_table(spectrum, SPECTRUM),
    }
    stages = check_table(stages, HYPNOGRAM)
    rows = _sleep_rows(stages, lights or Lights(0.0, len(stages) * EPOCH_S, "whole recording"))
    for channel in dict.fromkeys(channels):
        own = {name: table[table["channel"] == channel] for name, table in tables.items()}
        rows += _channel_rows(channel, stages, own, settings)
    return check_table(pd.DataFrame(rows, columns=MARKERS.column_names), MARKERS)


def _channel_rows(
    channel: str, stages: pd.DataFrame, own: dict[str, pd.DataFrame], settings: MarkerSettings
) -> list[dict]:
    """Return every marker of one channel from its `own` rows of the tables."""
    usable = stages["epoch"].isin(own["quality"].loc[own["quality"]["usable"], "epoch"]).to_numpy()
    places = _places(channel, stages, usable)
    spindles = _clean_events(own["spindles"], "peak_s", stages, usable)
    waves = _clean_events(own["waves"], "neg_peak_s", stages, usable)
    coupling = _clean_events(own["coupling"], "spindle_peak_s", stages, usable)
    measured = {(row["stage"], row["cycle"], row["measure"]): row for row in own["spectrum"].to_dict("records")}
    rows = []
    for stage in EVENT_STAGES:
        rows += _spindle_rows(spindles, places[stage], settings)
        rows += _slow_oscillation_rows(waves, places[stage], settings)
        rows += _coupling_rows(coupling, places[stage], settings)
    for place in places.values():
        rows += _spectrum_rows(measured, place, settings)
    rows.append(_time_in_bed_row(measured, channel, settings))
    rows.append(_first_cycle_row(measured, places["NREM"], settings))
    rows.append(_decline_row(own["spectrum"], places["NREM"], settings))
    return rows


def _spoken(stage: str) -> str:
    return "REM" if stage == "R" else stage or "the time in bed"


def _row(
    name: str,
    place: _Place,
    value: float,
    n: int,
    reason: str = "",
    clean_min: float | None = None,
    unsure: Uncertainty | None = None,
) -> dict:
    missing = bool(reason) or not math.isfinite(value)
    return {
        "marker": name,
        "family": CATALOGUE[name].family_in(place.stage),
        "stage": place.stage,
        "channel": place.channel,
        "value": math.nan if missing else float(value),
        "unit": CATALOGUE[name].unit,
        "n": n,
        "clean_min": place.clean_min if clean_min is None else clean_min,
        "reason": (reason or "could not be measured") if missing else "",
        **(unsure or Uncertainty())._asdict(),
    }


def _sleep_rows(stages: pd.DataFrame, lights: Lights) -> list[dict]:
    inside = stages.iloc[lights.epochs(len(stages))]
    measures = measure_sleep(inside)
    unsure = measure_uncertainty(inside)
    night = _Place("", "", measures["tib_min"].value - measures["unscored_min"].value, "")
    rows = []
    for name, measure in measures.items():
        if name in _FROM_LIGHTS and not lights.known:
            rows.append(_row(name, night, math.nan, len(inside), "lights off and on are not known"))
        else:
            rows.append(_row(name, night, measure.value, len(inside), measure.reason, unsure=unsure.get(name)))
    return rows


def _time_in_bed_row(measured: dict[tuple, dict], channel: str, settings: MarkerSettings) -> dict:
    found = measured.get(("TIB", 0, "swa_power_uv2"))
    place = _Place(channel, "", found["clean_min"] if found else 0.0, "")
    lack = place.lack(settings.min_spectrum_min)
    if found is None or lack:
        return _row("time_in_bed_swa_power_uv2", place, math.nan, 0, lack or "no spectrum was measured on this channel")
    return _row("time_in_bed_swa_power_uv2", place, found["value"], found["n_epochs"], found["reason"])


def _places(channel: str, stages: pd.DataFrame, usable: NDArray[np.bool_]) -> dict[str, _Place]:
    codes = stages["stage"].to_numpy(dtype="U4")
    unscored = not (codes != "UNS").any()
    places = {}
    for stage, members in SPECTRUM_STAGES.items():
        inside = np.isin(codes, members)
        absent = "" if inside.any() else f"no {_spoken(stage)} in this night"
        if unscored:
            absent = "no epoch was scored"
        places[stage] = _Place(channel, stage, float((inside & usable).sum()) * EPOCH_MIN, absent)
    return places


def _clean_events(
    events: pd.DataFrame, time_column: str, stages: pd.DataFrame, usable: NDArray[np.bool_]
) -> pd.DataFrame:
    """Return the events of a channel whose peak lies in one of its usable epochs."""
    if events.empty or not usable.any():
        return events.iloc[:0]
    onset_s = stages["onset_s"].to_numpy()
    time_s = events[time_column].to_numpy()
    index = np.searchsorted(onset_s, time_s, side="right") - 1
    inside = (index >= 0) & (time_s < onset_s[index] + EPOCH_S)
    return events[inside & usable[index]]


def _event_rows(
    events: pd.DataFrame, place: _Place, density: str, means: dict[str, str], spoken: str, needed_min: float
) -> list[dict]:
    """Return the density of `events` and the mean of each column of `means` (marker to column)."""
    lack = place.lack(needed_min)
    n = len(events)
    rows = [_row(density, place, math.nan if lack else n / place.clean_min, n, lack)]
    for marker, column in means.items():
        values = events[column].dropna().to_numpy()
        reason = lack or ("" if n else f"no {spoken} found")
        rows.append(_row(marker, place, values.mean() if values.size else math.nan, values.size, reason))
    return rows


def _in_stage(events: pd.DataFrame, place: _Place, prefix: str) -> pd.DataFrame:
    inside = events["stage"].isin(EVENT_STAGES[place.stage])
    if prefix:
        inside &= events["spindle_class"] == prefix.rstrip("_")
    return events[inside]


def _spindle_rows(spindles: pd.DataFrame, place: _Place, settings: MarkerSettings) -> list[dict]:
    rows = []
    for p, a in _SPINDLE_KINDS.items():
        columns = ("amplitude_uv", "frequency_hz", "duration_s")
        means = {f"{p}spindle_{column}": column for column in columns}
        density = f"{p}spindle_density_per_min"
        chosen = _in_stage(spindles, place, p)
        rows += _event_rows(chosen, place, density, means, f"{a}spindle", settings.min_event_min)
    return rows


def _slow_oscillation_rows(waves: pd.DataFrame, place: _Place, settings: MarkerSettings) -> list[dict]:
    means = {f"slow_oscillation_{column}": column for column in ("ptp_uv", "slope_uv_per_s", "duration_s")}
    density = "slow_oscillation_density_per_min"
    chosen = waves[waves["stage"].isin(EVENT_STAGES[place.stage])]
    return _event_rows(chosen, place, density, means, "slow oscillation", settings.min_event_min)


def _coupling_rows(coupling: pd.DataFrame, place: _Place, settings: MarkerSettings) -> list[dict]:
    lack = place.lack(settings.min_coupling_min)
    rows = []
    for p, a in _COUPLING_KINDS.items():
        chosen = _in_stage(coupling, place, p)
        coupled = chosen[chosen["coupled"]]
        phase = coupled["phase_rad"].dropna().to_numpy()
        few = lack
        if not few and phase.size < settings.min_coupled_events:
            few = f"only {phase.size} coupled {a}spindles, {settings.min_coupled_events} needed"
        resultant = np.exp(1j * phase).mean() if phase.size else complex(math.nan, math.nan)
        percent = 100 * len(coupled) / len(chosen) if len(chosen) else math.nan
        none = lack or ("" if len(chosen) else f"no {a}spindle found")
        density = math.nan if lack else len(coupled) / place.clean_min
        rows += [
            _row(f"{p}coupling_phase_rad", place, float(np.angle(resultant)), phase.size, few),
            _row(f"{p}coupling_strength", place, _strength(resultant, phase.size), phase.size, few),
            _row(f"{p}spindles_coupled_percent", place, percent, len(chosen), none),
            _row(f"{p}coupled_spindle_density_per_min", place, density, len(coupled), lack),
        ]
    return rows


def _strength(resultant: complex, n: int) -> float:
    # Left negative where it is: clipping at 0 would bring back the bias that the formula takes out.
    return (n * abs(resultant) ** 2 - 1) / (n - 1) if n > 1 else math.nan


def _spectrum_rows(measured: dict[tuple, dict], place: _Place, settings: MarkerSettings) -> list[dict]:
    names = [f"{band[0]}_{kind}" for band in _BANDS for kind in ("power_uv2", "relative_percent")]
    rows = []
    for name in (*names, "aperiodic_exponent"):
        found = measured.get((place.stage, 0, name))
        if found is None:
            lack = place.lack(settings.min_spectrum_min) or "no spectrum was measured on this channel"
            rows.append(_row(name, place, math.nan, 0, lack))
            continue
        there = _Place(place.channel, place.stage, found["clean_min"], place.absent)
        reason = there.lack(settings.min_spectrum_min) or found["reason"]
        rows.append(_row(name, there, found["value"], found["n_epochs"], reason))
    return rows


def _first_cycle_row(measured: dict[tuple, dict], place: _Place, settings: MarkerSettings) -> dict:
    name, needed = "first_cycle_swa_power_uv2", settings.min_spectrum_min
    found = measured.get(("NREM", 1, "swa_power_uv2"))
    if found is None:
        return _row(name, place, math.nan, 0, place.lack(needed) or "no NREM-REM cycle measured", 0.0)
    clean = found["clean_min"]
    few = f"only {clean:g} clean minutes of NREM in cycle 1, {needed:g} needed" if clean < needed else ""
    return _row(name, place, found["value"], found["n_epochs"], few or found["reason"], clean)


def _decline_row(spectrum: pd.DataFrame, place: _Place, settings: MarkerSettings) -> dict:
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
    reason = place.lack(needed)
    if not reason and len(cycles) < MIN_DECLINE_CYCLES:
        reason = f"only {len(cycles)} cycles with {needed:g} clean minutes of NREM, {MIN_DECLINE_CYCLES} needed"
    if reason:
        return _row(name, place, math.nan, n, reason, clean)
    slope = np.polyfit(cycles["cycle"].to_numpy(dtype=float), np.log(cycles["value"].to_numpy()), 1)[0]
    return _row(name, place, 100 * -math.expm1(slope), n, "", clean)
