"""Plan a study: its schedule, what it can show, and, in plain words, what it cannot."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.markers import CATALOGUE
from eegsleep.study.night_values import check_markers
from eegsleep.study.planning.plan_words import (
    MOST_NIGHTS,
    MOST_SLEEPERS,
    counts_sleepers,
    describe_assumption,
    describe_doses,
    describe_few_sleepers,
    describe_power,
    describe_smallest_p,
    describe_what_does_not_suit,
)
from eegsleep.study.planning.power import (
    Spread,
    catalogue_spread,
    estimate_spread,
    relative_spread,
    smallest_p,
)
from eegsleep.study.planning.simulated_studies import (
    TARGET_POWER,
    Noise,
    Simulated,
    simulate_doses,
    simulate_studies,
)
from eegsleep.study.schedules.mechanisms import support_size
from eegsleep.study.schedules.schedule import draw_schedule, plan_nights
from eegsleep.tables import POWER, check_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.study.declared.protocol import Study

EFFECTS_SD = (0.5, 0.8, 1.0, 1.5)
_N_STUDIES_SEARCHED = 400  # simulated for each number of nights that is tried


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes
    ----------
    schedule : pandas.DataFrame
        Table `SCHEDULE`, with masked codes.
    power : pandas.DataFrame
        Table `POWER`: effects of 0.5 to 1.5 SD, then the smallest effect of each primary endpoint.
    n_schedules : int
        How many schedules the mechanism could draw; 0 if observational.
    smallest_p : float
        Smallest p-value it can give; NaN if observational.
    detectable_sd : float
        Smallest effect found in 80 % of studies, in SD between nights; infinite if none is.
    needed : mapping of str to int
        Nights (sleepers, where there are several) that would find the smallest effect of each primary endpoint in
        80 % of studies; 0 where 400 nights (200 sleepers) are not enough.
    can_answer : bool
        Whether the smallest p lies at or below alpha.
    sentences : tuple of str
        The plan in words, the most important first.
    """

    schedule: pd.DataFrame
    power: pd.DataFrame
    n_schedules: int
    smallest_p: float
    detectable_sd: float
    needed: Mapping[str, int]
    can_answer: bool
    sentences: tuple[str, ...]


def draw_plan(study: Study, spreads: Mapping[str, Spread] | None = None, n_studies: int = 1000) -> Plan:
    """Draw the schedule of a study and work out what it can show.

    Parameters
    ----------
    study : Study
        As `read_protocol` gives it.
    spreads : mapping of str to Spread, optional
        By primary endpoint, from the sleeper's own nights (`estimate_spread`). The others come from
        the catalogue, if they are in it. The nights simulated have the smallest autocorrelation of these.
    n_studies : int
        Simulated studies for each figure; 1000 give a power to within 3 points.

    Returns
    -------
    Plan

    Examples
    --------
    >>> plan = es.draw_plan(study, n_studies=10)
    >>> plan.n_schedules, plan.can_answer
    (16384, True)
    """
    spreads = dict(spreads or {})
    unknown = sorted(set(spreads) - set(study.primary))
    if unknown:
        raise SettingsError(
            "a spread is given for something that is not a primary endpoint",
            found=", ".join(unknown),
            allowed=", ".join(study.primary),
        )
    p, m = study.planned, study.mechanism
    if m.kind == "observational":
        schedule = plan_nights(m, p.nights, p.subjects, p.start, p.adaptation_nights).assign(condition="")
        empty = pd.DataFrame(columns=POWER.column_names)
        words = "Nothing is drawn in an observational study: it gives estimates and intervals, and no p-value."
        return Plan(
            schedule, check_table(empty, POWER), 0, math.nan, math.inf, {}, can_answer=False, sentences=(words,)
        )
    noise = Noise(min((s.autocorrelation for s in spreads.values()), default=0.0))
    schedule = _draw(study)
    known = with_strata(study, schedule)
    simulated = _simulate(study, known, noise, n_studies, 999)
    least, n_schedules = smallest_p(m, known), support_size(m, known)
    study = replace(study, mechanism=replace(m, strata=""))  # the strata of further sleepers are not known
    effects = {e: _effect_in_sd(study, e, spreads) for e in study.primary}
    rows = _power_rows(study, schedule, simulated, effects, least)
    can_answer = least <= study.alpha
    detectable = simulated.detectable_effect(study.alpha) if can_answer else math.inf
    needed = {e: nights_needed(study, sd, noise) for e, (sd, _) in effects.items() if not math.isnan(sd)}
    sentences = (
        *describe_smallest_p(study, schedule, n_schedules, least),
        *describe_power(study, simulated, effects, detectable, needed, can_answer=can_answer),
        *describe_doses(study, simulated, effects),
        *describe_few_sleepers(study, simulated, noise, _N_STUDIES_SEARCHED),
        describe_assumption(study, noise),
        *describe_what_does_not_suit(study, schedule),
    )
    return Plan(
        schedule,
        check_table(pd.DataFrame(rows, columns=POWER.column_names), POWER),
        n_schedules,
        least,
        detectable,
        needed,
        can_answer,
        sentences,
    )


def _simulate(study: Study, nights: pd.DataFrame, noise: Noise | None, n_studies: int, n_draws: int) -> Simulated:
    """Simulate studies of these nights by the test that will decide: of two conditions, or of the trend over dose."""
    n_primary = len(study.primary)
    if study.doses_mg:
        return simulate_doses(study.mechanism, nights, study.doses_mg, noise, n_studies, n_draws, study.seed, n_primary)
    return simulate_studies(study.mechanism, nights, noise, n_studies, n_draws, study.seed, n_primary)


def _draw(study: Study) -> pd.DataFrame:
    """Return one schedule of the study, drawn within each stratum by itself."""
    p, m = study.planned, study.mechanism
    if not m.strata:
        return draw_schedule(m, p.nights, study.seed, p.subjects, p.start, p.adaptation_nights)
    if len(p.strata) != len(p.subjects):
        raise SettingsError(
            f"sleepers are drawn within {m.strata}, which is not known of each",
            found=f"{len(p.strata)} values in plan.strata",
            allowed=f"{len(p.subjects)}, in the order of plan.subjects",
            remedy='write them into [plan], like strata = ["north", "south"]',
        )
    parts = []
    for place, stratum in enumerate(dict.fromkeys(p.strata)):
        own = [name for name, value in zip(p.subjects, p.strata, strict=True) if value == stratum]
        seed = int(np.random.SeedSequence([study.seed, 2, place]).generate_state(1)[0])
        parts.append(draw_schedule(replace(m, strata=""), p.nights, seed, own, p.start, p.adaptation_nights))
    drawn = pd.concat(parts, ignore_index=True)
    return drawn.sort_values("subject", key=lambda names: names.map(p.subjects.index), kind="stable", ignore_index=True)


def with_strata(study: Study, schedule: pd.DataFrame) -> pd.DataFrame:
    """Return the schedule with the column of the strata, if there are any."""
    p, column = study.planned, study.mechanism.strata
    if not column:
        return schedule
    return schedule.assign(**{column: schedule["subject"].map(dict(zip(p.subjects, p.strata, strict=True)))})


def measure_spreads(study: Study, values: pd.DataFrame) -> dict[str, Spread]:
    """Measure the spread of the primary endpoints from nights at hand, for `draw_plan`.

    Parameters
    ----------
    study : Study
    values : pandas.DataFrame
        One row for each night and marker, nights in order of date: `night, marker, stage, channel, value,
        clean_min`, and `subject` where there are several. The conditions are not needed.

    Returns
    -------
    dict of str to Spread
        Without the endpoints that have too few nights.

    Examples
    --------
    >>> es.measure_spreads(study, values)
    {}
    """
    values = check_markers(values)
    spreads = {}
    for endpoint in study.primary:
        marker, stage, channel = endpoint.split("|")
        own = values[(values["marker"] == marker) & (values["stage"] == stage) & (values["channel"] == channel)]
        unit = CATALOGUE[marker].unit if marker in CATALOGUE else ""
        subjects = own["subject"].tolist() if "subject" in own else None
        with contextlib.suppress(SettingsError):
            spreads[endpoint] = estimate_spread(own["value"], unit, subjects=subjects)
    return spreads


def _effect_in_sd(study: Study, endpoint: str, spreads: Mapping[str, Spread]) -> tuple[float, Spread | None]:
    """Return the smallest effect of an endpoint in SD (NaN if its spread is not known), and the spread."""
    effect, unit = study.smallest_effect(endpoint)
    marker = endpoint.split("|", maxsplit=1)[0]
    spread = spreads.get(endpoint) or catalogue_spread(marker)
    if effect is None or unit == "SD":
        return effect or 0.5, spread
    percentage = marker in CATALOGUE and CATALOGUE[marker].unit == "%"
    if unit == "%" and not percentage:
        spread = relative_spread(marker, spread)
    elif spread and spread.unit == "%" and not percentage:
        spread = None  # a smallest effect in the marker's unit, and a spread in % of a mean that is not known
    return (effect / spread.sd_upper, spread) if spread else (math.nan, None)


def _power_rows(
    study: Study,
    schedule: pd.DataFrame,
    simulated: Simulated,
    effects: Mapping[str, tuple[float, Spread | None]],
    least: float,
) -> list[dict]:
    n_nights = int((schedule["condition"] != "").sum()) // len(study.planned.subjects)
    asked = [("", sd, None) for sd in EFFECTS_SD] + [(e, sd, spread) for e, (sd, spread) in effects.items()]
    return [
        {
            "endpoint": endpoint,
            "n_nights": n_nights,
            "n_subjects": len(study.planned.subjects),
            "effect_sd": sd,
            "effect": sd * spread.sd_upper if spread else math.nan,
            "unit": spread.unit if spread else "SD",
            "power": math.nan if math.isnan(sd) else simulated.power(sd, study.alpha) if least <= study.alpha else 0.0,
            "smallest_p": least,
            "source": spread.source if spread else "",
        }
        for endpoint, sd, spread in asked
    ]


def nights_needed(study: Study, effect_sd: float, noise: Noise | None = None) -> int:
    """Return the fewest nights that find `effect_sd` in 80 % of simulated studies.

    Where several sleepers are planned, the fewest sleepers with the nights planned, because more nights do not show
    how much the effect differs between sleepers. Only numbers with as many nights of each condition are tried.

    Parameters
    ----------
    study : Study
    effect_sd : float
        In standard deviations between nights.
    noise : Noise, optional

    Returns
    -------
    int
        0 if 400 nights or 200 sleepers are not enough.
    """
    by_sleepers = counts_sleepers(study)
    most = MOST_SLEEPERS if by_sleepers else MOST_NIGHTS

    def enough(n: int) -> bool:
        names = [f"S{i:03d}" for i in range(n)] if by_sleepers else study.planned.subjects
        try:
            nights = plan_nights(
                study.mechanism, study.planned.nights if by_sleepers else n, names, study.planned.first_drawn, 0
            )
            simulated = _simulate(study, nights, noise, _N_STUDIES_SEARCHED, 499)
        except SettingsError:  # fewer nights than the mechanism takes
            return False
        return simulated.power(effect_sd, study.alpha) >= TARGET_POWER

    step = len(study.conditions)
    low, high = step, 8 * step
    while not enough(high):
        low, high = high, 2 * high
        if low >= most:
            return 0
    while high - low > step:
        middle = (low + high) // (2 * step) * step
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= most else 0
