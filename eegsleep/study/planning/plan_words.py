"""Describe a plan in sentences: what the design can show, what it cannot, and what to change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.markers import CATALOGUE
from eegsleep.study.planning.power import nights_to_reach
from eegsleep.study.planning.simulated_studies import TARGET_POWER, Noise, SimulatedDoses, simulate_studies
from eegsleep.study.schedules.mechanisms import SUBJECT_KINDS, Mechanism, redraw, subject_rows
from eegsleep.study.schedules.schedule import plan_nights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.planning.power import Spread
    from eegsleep.study.planning.simulated_studies import Simulated

MOST_NIGHTS, MOST_SLEEPERS = 400, 200
_FEW_SLEEPERS = 3  # what they can show is said in a sentence of its own
_SPOKEN = {
    "pairs": "in pairs",
    "blocks": "in blocks of three",
    "max-run": "with a longest run",
    "complete": "in complete randomisation",
    "phases": "in phases",
}


def _size(study: Study, schedule: pd.DataFrame) -> str:
    n_nights = int((schedule["condition"] != "").sum()) // len(study.planned.subjects)
    kind, n_sleepers = study.mechanism.kind, len(study.planned.subjects)
    if kind in SUBJECT_KINDS:
        return f"{n_sleepers} sleepers in a {kind} study"
    return f"{n_nights} nights {_SPOKEN[kind]}" + (f" of each of {n_sleepers} sleepers" if n_sleepers > 1 else "")


def counts_sleepers(study: Study) -> bool:
    """Return whether the size of a study is its number of sleepers rather than of nights."""
    return study.mechanism.kind in SUBJECT_KINDS or len(study.planned.subjects) > 1


def describe_few_sleepers(study: Study, simulated: Simulated, noise: Noise, n_studies: int) -> list[str]:
    """Return sentences about what two or three sleepers can show at all, together and each by themselves."""
    n, m = len(study.planned.subjects), study.mechanism
    if not 1 < n <= _FEW_SLEEPERS or m.kind in SUBJECT_KINDS:
        return []
    nights = plan_nights(m, study.planned.nights, study.planned.subjects[:1], study.planned.first_drawn, 0)
    alone = simulate_studies(m, nights, noise, n_studies, 499, study.seed, len(study.primary))
    one = alone.detectable_effect(study.alpha)
    found = 100 * simulated.power(2.0, study.alpha)
    own = f"an effect of {one:.2f} SD is found in {100 * TARGET_POWER:.0f} %" if math.isfinite(one) else "none is found"
    return [
        f"{n} sleepers leave {n - 1} degree{'s' * (n > 2)} of freedom for a statement about people in general: even an "
        f"effect of 2 SD is found in {found:.0f} % of such studies.",
        f"Each sleeper also has a row of their own, which is about that person only: there {own}.",
    ]


def describe_doses(study: Study, simulated: Simulated, effects: Mapping[str, tuple[float, Spread | None]]) -> list[str]:
    """Return sentences about what a study of two doses tests, and how often each dose is found."""
    if not isinstance(simulated, SimulatedDoses):
        return []
    _, low, high = study.doses_mg
    words = [
        f"These figures are those of the trend over 0, {low:g} and {high:g} mg, for an effect that is linear in the "
        f"dose; sizes are those of {high:g} mg. Each dose is compared with control once the trend is found, so that an "
        f"effect that only {low:g} mg has is seldom found."
    ]
    for endpoint, (sd, _) in effects.items():
        if math.isfinite(sd):
            of_low, of_high = simulated.power_of_doses(sd, study.alpha)
            words.append(
                f"{endpoint}: {high:g} mg is then found to differ from control in {100 * of_high:.0f} % of such "
                f"studies, and {low:g} mg, whose effect is {low / high:.2g} times as large, in {100 * of_low:.0f} %."
            )
    return words


def describe_smallest_p(study: Study, schedule: pd.DataFrame, n_schedules: int, least: float) -> list[str]:
    """Return sentences about the smallest p-value of the design, and about what is needed if it is above alpha."""
    size = _size(study, schedule)
    if least <= study.alpha:
        return [
            f"{size[0].upper()}{size[1:]} have {n_schedules:,} possible schedules; the smallest p-value is {least:.2g}."
        ]
    words = [
        f"{size[0].upper()}{size[1:]} can never reach p ≤ {study.alpha:g}: there are {n_schedules:,} possible "
        f"schedules, and the smallest p-value is {least:.3g}. This design cannot answer the question."
    ]
    p = study.planned
    reach = nights_to_reach(study.mechanism, study.alpha, p.subjects, p.first_drawn, p.nights)
    if reach:
        words.append(
            f"At least {reach[1]} nights are needed." if reach[1] else f"At least {reach[0]} sleepers are needed."
        )
    return words


def describe_power(
    study: Study,
    simulated: Simulated,
    effects: Mapping[str, tuple[float, Spread | None]],
    detectable: float,
    needed: Mapping[str, int],
    *,
    can_answer: bool = True,
) -> list[str]:
    """Return sentences about the power for an effect in SD, and for the smallest effect of each primary endpoint."""
    words = []
    if math.isfinite(detectable):
        words.append(
            f"An effect of {detectable:.2f} SD between nights is found in {100 * TARGET_POWER:.0f} % of such "
            "studies; smaller ones are more often missed."
        )
    by_sleepers = counts_sleepers(study)
    planned = len(study.planned.subjects) if by_sleepers else study.planned.nights
    for endpoint, (sd, spread) in effects.items():
        if math.isnan(sd):
            words.append(
                f"{endpoint}: its spread between nights is not known; give control nights, or its smallest "
                "effect in SD."
            )
            continue
        own = f" ({sd * spread.sd_upper:.3g} {spread.unit}; {spread.source})" if spread else ""
        found = simulated.power(sd, study.alpha) if can_answer else 0.0
        words.append(
            f"{endpoint}: its smallest effect of interest, {sd:.2f} SD{own}, is found in {100 * found:.0f} % "
            "of such studies."
        )
        unit, n = ("sleepers" if by_sleepers else "nights"), needed[endpoint]
        if not n:
            limit = f"{MOST_SLEEPERS} sleepers" if by_sleepers else f"{MOST_NIGHTS} nights"
            words.append(f"{endpoint}: even {limit} would not find it in {100 * TARGET_POWER:.0f} %.")
        elif n > planned:
            words.append(
                f"{endpoint}: {n} {unit} are needed for {100 * TARGET_POWER:.0f} %, {n - planned} more than planned."
            )
    return words


def describe_assumption(study: Study, noise: Noise) -> str:
    """Return a sentence about the noise of the simulated nights."""
    words = f"Simulated with an autocorrelation of {noise.autocorrelation:.2f} from one evening to the next"
    if len(study.planned.subjects) > 1 or study.mechanism.kind in SUBJECT_KINDS:
        words += (
            f", {noise.between_subjects:g} SD between sleepers, and an effect that differs by "
            f"{noise.effect_between_subjects:g} SD between them"
        )
    if len(study.primary) > 1:
        words += f"; the {len(study.primary)} primary endpoints share alpha, and the effect is on one of them"
    return f"{words}."


def _lag_one_of_schedules(mechanism: Mechanism, nights: pd.DataFrame, seed: int) -> float:
    """Return the mean correlation between the conditions of consecutive nights: -0.5 in pairs."""
    draws = redraw(mechanism, nights, 500, seed)
    pairs = []
    for rows in subject_rows(nights).values():
        signs = np.where(draws[:, rows], 1.0, -1.0)
        pairs.append((signs[:, 1:] * signs[:, :-1]).sum(axis=1) / len(rows))  # the first night follows none
    return float(np.mean(pairs))


def describe_what_does_not_suit(study: Study, schedule: pd.DataFrame) -> list[str]:
    """Return what to change in the design because of half-life, weekends, adaptation and families."""
    m, hours = study.mechanism, study.half_life_h
    nightly = m.kind in {"pairs", "blocks", "max-run", "complete"}
    words = []
    if nightly and hours > 24:
        words.append(
            f"A half-life of {hours:g} h outlasts the night: alternating nights compare it with itself. Use "
            "phases with a wash-out, or parallel groups."
        )
    elif nightly and hours > 6 and not m.wash_out_nights:
        words.append(
            f"With a half-life of {hours:g} h, some of the compound is left the next night: set wash_out_nights = 1."
        )
        if len(study.conditions) == 2:
            share = 100 * (1 + 0.3 * _lag_one_of_schedules(m, schedule, study.seed))
            words.append(f"Of an effect of which 30 % are left the next night, this design shows {share:.0f} %.")
    if m.kind == "phases" and not m.random_start:
        words.append(
            "The first condition is fixed, so that time alone looks like an effect, and intervals come out "
            "about twice as wide: let it be drawn, with random_start = true."
        )
    if nightly and not m.weekend_balance and len(study.conditions) == 2:
        words.append("Weekend nights are not balanced: set weekend_balance = true.")
    if study.planned.adaptation_nights < 2:
        words.append("Plan at least two adaptation nights; sleep still changes while the recording is new.")
    unknown = [e for e in study.primary if e.split("|", maxsplit=1)[0] not in CATALOGUE]
    if unknown and "E" not in study.families:
        words.append(f"{', '.join(unknown)} is a next-day score, but family E is not among the families.")
    return words
