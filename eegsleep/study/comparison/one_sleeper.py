"""Rows of the comparison by re-randomisation, and all of a row where one sleeper is the study."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from eegsleep.statistics import circular, effects, multiplicity, resampling
from eegsleep.statistics.posterior import share_of_effects
from eegsleep.statistics.resampling import MIN_NIGHTS, floor_of_few
from eegsleep.study import arrangement

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

    Floats = NDArray[np.float64]

_LARGEST_LOGARITHM = 700.0  # exp of more is infinite
_CELLS = 4_000_000  # schedules times markers worked out at a time


def fill_randomization(
    rows: list[dict],
    arranged: Arrangement,
    schedule: resampling.Schedule,
    *,
    shared: bool,
    wanted: Collection[int] = (),
) -> dict[int, tuple[Floats, float]]:
    """Fill p, intervals and ratios by redrawing; return how extreme each schedule is, for the rows wanted.

    Parameters
    ----------
    rows : list of dict
        Rows of table COMPARISON, filled in place.
    arranged : Arrangement
    schedule : Schedule
        The schedule followed and its redraws, over the nights; over the sleepers if not `shared`.
    shared : bool
        Whether a sleeper has nights in both conditions; in parallel groups each has one mean.
    wanted : collection of int
        Places of the rows that are adjusted together.
    """
    values = arranged.value
    if not shared:
        values = _sleeper_means(values, arranged.subjects, rows)
    drawn: dict[int, tuple[Floats, float]] = {}
    angles = [i for i, row in enumerate(rows) if arrangement.is_circular(row["unit"])]
    linear = [i for i in range(len(rows)) if i not in angles]
    step = max(1, _CELLS // schedule.n_counted)
    for at in range(0, len(linear), step):
        drawn |= _fill_linear(rows, values, linear[at : at + step], schedule, shared=shared, wanted=wanted)
    for i in angles:
        found = _fill_angle(rows[i], values[i], schedule, shared=shared)
        if i in wanted:
            drawn[i] = found
    return drawn


def _fill_linear(
    rows: list[dict],
    values: Floats,
    chunk: list[int],
    schedule: resampling.Schedule,
    *,
    shared: bool,
    wanted: Collection[int],
) -> dict[int, tuple[Floats, float]]:
    """Fill the rows of some markers that are no angles; where logarithms decide, their p is that of the logarithms."""
    logs = {i: line for i in chunk if (line := arrangement.logarithms(pd.Series(rows[i]), values[i])) is not None}
    ranks = stats.rankdata(values[chunk], axis=1, nan_policy="omit")
    tested = np.vstack([values[chunk], *logs.values(), ranks])
    sides = [_side(rows[i]) for i in [*chunk, *logs, *chunk]]
    statistics = resampling.shift_statistics(tested, schedule, sides)
    numbers = _numbers(statistics)
    first_rank = len(chunk) + len(logs)
    decides = {i: place for place, i in enumerate(chunk)}
    for place, i in enumerate(chunk):
        rows[i] |= {name: float(column[place]) for name, column in numbers.items()}
        if shared:
            rows[i] |= {"n_control": int(statistics.n_first[place]), "n_compound": int(statistics.n_second[place])}
        rows[i]["p_ranks"] = float(numbers["p_randomization"][first_rank + place])
    for place, i in enumerate(logs, start=len(chunk)):
        for name, source in (("ratio", "difference"), ("ratio_low", "low"), ("ratio_high", "high")):
            rows[i][name] = exponential(numbers[source][place])
        if arrangement.has_natural_ratio(rows[i]):
            decides[i] = place
            rows[i]["scale"] = "logarithm"
            rows[i] |= {name: float(numbers[name][place]) for name in ("p_randomization", "smallest_p")}
    if asked := [i for i in chunk if i in wanted]:
        scores, seen = resampling.extremeness(statistics, [decides[i] for i in asked])
        return {i: (own, float(one)) for i, own, one in zip(asked, scores, seen, strict=True)}
    return {}


def _side(row: dict) -> int:
    """Return 1 or -1 for the only side of a row that is tested, 0 for both."""
    return 0 if row["sides"] == 2 else 1 if row["direction"] == "+" else -1


def exponential(end: float) -> float:
    """Return the exponential of a difference of logarithms, the ratio; NaN where it is too large for a number."""
    return math.exp(end) if abs(end) < _LARGEST_LOGARITHM else math.nan


def _fill_angle(row: dict, angles: Floats, schedule: resampling.Schedule, *, shared: bool) -> tuple[Floats, float]:
    """Fill the row of a phase; return how extreme each schedule is, on the scale of the others."""
    found = circular.compare_phases(angles, schedule)
    largest = np.max(found.drawn[np.isfinite(found.drawn)], initial=0.0)
    row |= {
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "low_90": found.low_90,
        "high_90": found.high_90,
        "p_randomization": found.p,
        "smallest_p": float((found.drawn >= largest * (1 - 1e-10)).mean()),
    }
    if shared:
        row |= {"n_control": found.n_first, "n_compound": found.n_second}
    scores, own = multiplicity.score_by_rank(*_as_normal(found.drawn, found.observed))
    return scores[0], float(own[0])


def describe_probabilities(found: effects.Estimate, row: dict) -> dict[str, float]:
    """Return the posterior probabilities of one row, by a prior of one standard deviation between nights."""
    shares = share_of_effects(found.estimate, found.se, found.df, prior_sd=row["prior_sd"], bound=row["bound"])
    names = ("probability_higher", "probability_matters_higher", "probability_matters_lower")
    return dict(zip(names, shares, strict=True))


def _numbers(statistics: resampling.ShiftStatistics) -> dict[str, Floats]:
    low, high = resampling.interval_of_shift(statistics, 0.05)
    low_90, high_90 = resampling.interval_of_shift(statistics, 0.10)
    drawn, _ = statistics.sizes
    sizes = np.where(statistics.extreme, np.inf, drawn)
    with np.errstate(invalid="ignore"):
        largest = np.max(np.where(statistics.extreme, 0.0, drawn), axis=1, keepdims=True)
        smallest = (sizes >= largest * (1 - 1e-10)).mean(axis=1)
    return {
        "difference": statistics.estimate,
        "low": low,
        "high": high,
        "low_90": low_90,
        "high_90": high_90,
        "p_randomization": resampling.p_of_no_shift(statistics),
        "smallest_p": np.where(np.isfinite(statistics.observed_a), smallest, np.nan),
    }


def _as_normal(drawn: Floats, observed: float) -> tuple[Floats, Floats]:
    """Return each schedule's statistic as the normal score of its p-value, so that other markers can be compared."""
    order = np.sort(drawn)
    share = (len(drawn) - np.searchsorted(order, drawn * (1 - 1e-10))) / len(drawn)
    own = (len(drawn) - np.searchsorted(order, observed * (1 - 1e-10))) / len(drawn)
    return stats.norm.isf(share / 2)[np.newaxis], stats.norm.isf([own / 2 if np.isfinite(observed) else np.nan])


def _sleeper_means(values: Floats, subjects: NDArray, rows: list[dict]) -> Floats:
    names = np.unique(subjects)
    means = np.full((len(values), len(names)), np.nan)
    for index, row in enumerate(rows):
        mean = circular.mean_direction if arrangement.is_circular(row["unit"]) else np.mean
        for place, name in enumerate(names):
            own = values[index, (subjects == name) & np.isfinite(values[index])]
            means[index, place] = mean(own) if own.size else math.nan
    return means


def fill_single(
    row: dict,
    arranged: Arrangement,
    index: int,
    covariates: Floats | None,
    *,
    tested: bool,
) -> None:
    """Finish the row of one sleeper: the test that decides, the t interval beside it, and reasons for missing numbers.

    Parameters
    ----------
    row : dict
        The row of table COMPARISON, filled in place.
    arranged : Arrangement
        The nights; `index` is the marker's place.
    index : int
    covariates : ndarray, optional
        What the comparison adjusts for.
    tested : bool
        Whether a mechanism allocated the nights.
    """
    values = arranged.value[index]
    n = row["n_control"] + row["n_compound"]
    angle = arrangement.is_circular(row["unit"])
    if not angle:
        comparator = effects.adjusted_t(values, arranged.assigned, covariates)
        row["t_low"], row["t_high"] = comparator.low, comparator.high
        row |= describe_probabilities(comparator, row)
    if not tested:
        _fill_descriptive(row, arranged, values, covariates, angle=angle)
        return
    row["method"] = "re-randomisation"
    if not np.isfinite(row["difference"]):
        row["reason"] = f"fewer than {resampling.MIN_PER_ARM} nights that can be compared in a condition"
        return
    if not angle and np.nanmax(values) == np.nanmin(values):
        row |= dict.fromkeys(("low", "high", "low_90", "high_90"), math.nan)
        row["reason"] = "every night has the same value"
    if n < MIN_NIGHTS:
        floor = floor_of_few(n, min(row["n_control"], row["n_compound"]))
        row["p_randomization"] = max(row["p_randomization"], floor)
        row |= dict.fromkeys(("low", "high", "low_90", "high_90", "ratio_low", "ratio_high"), math.nan)
        row["reason"] = f"only {n} nights with a value, {MIN_NIGHTS} needed for an interval or a finding"
    for low, high in (("low", "high"), ("low_90", "high_90")):
        if not (np.isfinite(row[low]) and np.isfinite(row[high])):
            row[low] = row[high] = math.nan
            row["reason"] = row["reason"] or "the mechanism has too few schedules for an interval"
    if not row["reason"] and (left := int(np.isfinite(values).sum()) - n):
        row["reason"] = f"{left} nights with a value do not enter, since a phase begins with them"
    row["p"] = row["p_randomization"]


def _fill_descriptive(
    row: dict, arranged: Arrangement, values: Floats, covariates: Floats | None, *, angle: bool
) -> None:
    row["reason"] = "no mechanism allocated the nights: described, not tested"
    if angle:
        row["difference"] = float(circular.wrap(row["compound_mean"] - row["control_mean"]))
        return
    if np.isfinite(values).sum() < 4 or min(row["n_control"], row["n_compound"]) < 2:
        return
    found, _ = effects.describe_with_autocorrelation(values, arranged.assigned, covariates)
    row |= {"difference": found.estimate, "low": found.low, "high": found.high}
    line = arrangement.logarithms(pd.Series(row), values)
    if line is not None:
        ratio, _ = effects.describe_with_autocorrelation(line, arranged.assigned, covariates)
        names = ("ratio", "ratio_low", "ratio_high")
        row |= dict(zip(names, map(exponential, (ratio.estimate, ratio.low, ratio.high)), strict=True))
