"""The spread between nights that a plan rests on, and the smallest p-value that a design can give."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.statistics.resampling import MIN_NIGHTS, floor_of_few
from eegsleep.study.schedules.mechanisms import (
    ENUMERATION_LIMIT,
    N_DRAWS,
    SUBJECT_KINDS,
    Mechanism,
    list_or_redraw,
    support_size,
)
from eegsleep.study.schedules.schedule import plan_nights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

_MIN_SPREAD_NIGHTS = 5
_MOST_NIGHTS = 240


@dataclass(frozen=True)
class Spread:
    """How much a marker varies between nights of one sleeper.

    Attributes
    ----------
    sd, sd_upper : float
        Standard deviation, and its upper 80 % limit, which planning uses because the standard deviation of a small
        sample is too small as often as too large.
    unit : str
    autocorrelation : float
        Of one night with the next.
    n_nights : int
        Nights it was measured on; 0 for the catalogue.
    source : str
    mean : float
        Of the nights; NaN for the catalogue.
    """

    sd: float
    sd_upper: float
    unit: str
    autocorrelation: float = 0.0
    n_nights: int = 0
    source: str = ""
    mean: float = math.nan


@cache
def published_spreads() -> dict[tuple[str, bool], Spread]:
    """Return the published spreads between nights of one sleeper, by marker and whether in % of the sleeper's mean.

    Published values only; for other markers only reliabilities are published. Own nights take over as soon as there
    are five (`estimate_spread`).
    """
    text = resources.files("eegsleep.study.planning").joinpath("within_person_sd.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        relative = row["unit"] == "% of mean"
        sd, unit = float(row["sd"]), "%" if relative else row["unit"]
        found[row["marker"], relative] = Spread(sd, sd, unit, source=row["source"])
    return found


def catalogue_spread(marker: str) -> Spread | None:
    """Return the published spread of a marker, in its unit where that is known, else in % of the mean; or None."""
    known = published_spreads()
    return known.get((marker, False)) or known.get((marker, True))


def relative_spread(marker: str, spread: Spread | None) -> Spread | None:
    """Return a spread in % of the sleeper's mean, from its nights or as published; None if neither is known."""
    if spread is not None and spread.unit == "%":
        return spread
    if spread is not None and spread.mean:
        scale = 100 / abs(spread.mean)
        if math.isfinite(scale):
            return replace(spread, sd=scale * spread.sd, sd_upper=scale * spread.sd_upper, unit="%")
    return published_spreads().get((marker, True))


def lag_one_autocorrelation(values: ArrayLike) -> float:
    """Return the correlation of each night with the next, corrected for its bias in a short series.

    Notes
    -----
    r + (1 + 4 r) / n, by the bias that Marriott and Pope gave in 1954 (Biometrika 41, 390).
    """
    y = np.asarray(values, dtype=float)
    if np.isfinite(y).sum() < 4:
        return math.nan
    y = y - np.nanmean(y)
    both = np.isfinite(y[1:]) & np.isfinite(y[:-1])
    n, total = int(np.isfinite(y).sum()), np.nansum(y**2)
    if both.sum() < 3 or total == 0:
        return math.nan
    # scaled as if no product were missing, so that missing nights do not make it smaller
    r = float((y[1:] * y[:-1])[both].sum() / both.sum() * (n - 1) / total)
    return float(np.clip(r + (1 + 4 * r) / n, -0.95, 0.95))


def estimate_spread(
    values: ArrayLike,
    unit: str,
    subjects: Sequence[str] | None = None,
) -> Spread:
    """Measure the spread between nights from nights at hand, without their conditions.

    Parameters
    ----------
    values : array_like, shape (n_nights,)
        One value a night, in order of date; NaN for a night without. These are nights before the study, or masked
        nights of both conditions together. The codes are not used, so the error rate of the study is not affected;
        an effect makes the spread a little larger and the plan more cautious.
    unit : str
    subjects : sequence of str, optional
        The sleeper of each night, where there are several; the spread is that within sleepers.

    Returns
    -------
    Spread

    Raises
    ------
    SettingsError
        With fewer than five nights of one sleeper (four degrees of freedom), or nights that do not differ.
    """
    from scipy.stats import chi2

    y = np.asarray(values, dtype=float)
    names = np.zeros(len(y), dtype=int) if subjects is None else np.asarray(subjects, dtype=object)
    series = [y[names == name] for name in dict.fromkeys(names.tolist())]
    series = [own for own in series if np.isfinite(own).any()]
    n = int(np.isfinite(y).sum())
    free = n - len(series)
    total = sum(float(np.nansum((own - np.nanmean(own)) ** 2)) for own in series)
    if free < _MIN_SPREAD_NIGHTS - 1 or total == 0:
        raise SettingsError(
            "the spread between nights cannot be measured",
            found=f"{n} nights with a value",
            allowed=f"at least {_MIN_SPREAD_NIGHTS} nights of one sleeper that differ",
            remedy="record more control nights, or plan in standard deviations",
        )
    sd = math.sqrt(total / free)
    upper = sd * math.sqrt(free / chi2.ppf(0.2, free))
    lags = [(lag_one_autocorrelation(own), len(own)) for own in series]
    lags = [(r, weight) for r, weight in lags if not math.isnan(r)]
    r = float(np.average([r for r, _ in lags], weights=[weight for _, weight in lags])) if lags else 0.0
    return Spread(sd, upper, unit, r, n, f"own nights, blinded, {n} nights", float(np.nanmean(y)))


def smallest_p(
    mechanism: Mechanism,
    nights: pd.DataFrame,
    available: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> float:
    """Return the smallest two-sided p-value that the re-randomisation test can give.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS` or `SCHEDULE`.
    available : ndarray of bool, optional
        Which nights have a value; by default all. Schedules that are equal on these nights then count together, and
        so do schedules that leave a condition fewer than two of them, as in the test. The conditions followed are
        those of `nights`.
    seed : int
        Of the redraws, where there are too many schedules to list.

    Returns
    -------
    float

    Notes
    -----
    The schedule followed can always be the most extreme one; its mirror image then is as extreme, where the mechanism
    could have drawn it. With fewer than eight nights nothing is reported as found, whatever their schedule.
    """
    given = (nights["condition"] != "").to_numpy() & (True if available is None else available)
    n = int(given.sum())
    floor = floor_of_few(n, n // 2) if n < MIN_NIGHTS else 0.0
    if available is None:
        n_schedules = support_size(mechanism, nights)
        least = max(floor, (2 if _has_mirror(mechanism) else 1) / n_schedules)
        return min(1.0, least if n_schedules <= ENUMERATION_LIMIT else max(least, 1 / (1 + N_DRAWS)))
    draws, complete = list_or_redraw(mechanism, nights, N_DRAWS, seed)
    followed = (nights["condition"] == mechanism.conditions[1]).to_numpy()[given]
    seen = draws[:, given]
    n_second = seen.sum(axis=1)
    same = (seen == followed).all(axis=1) | (seen == ~followed).all(axis=1)
    poor = (n_second < 2) | (seen.shape[1] - n_second < 2)
    extreme = int((same | poor).sum())
    return max(floor, extreme / len(draws) if complete else (1 + extreme) / (1 + N_DRAWS))


def _has_mirror(mechanism: Mechanism) -> bool:
    if len(mechanism.conditions) > 2:  # the trend over unequally spaced doses has no mirror image
        return False
    if mechanism.kind == "phases":
        return mechanism.random_start
    if mechanism.kind == "crossover":
        orders = {tuple(order) for order in mechanism.orders.tolist()}
        return all(tuple(not c for c in order) in orders for order in orders)
    return True


def nights_to_reach(
    mechanism: Mechanism,
    alpha: float,
    subjects: Sequence[str] = ("S01",),
    start: str = "2026-01-05",
    own_nights: int = 1,
) -> tuple[int, int] | None:
    """Return the fewest sleepers and nights of each whose smallest p is at most `alpha`, or None.

    Parameters
    ----------
    mechanism : Mechanism
    alpha : float
    subjects : sequence of str
        The sleepers planned.
    start : str
        Evening of the first night, as YYYY-MM-DD.
    own_nights : int
        Nights of each sleeper in a crossover or in parallel groups, where the number of sleepers is searched.

    Returns
    -------
    (int, int) or None
        Sleepers, and nights of each; 0 nights where sleepers were searched. None if 240 are not enough.
    """
    for n in range(2, _MOST_NIGHTS + 1):
        by_sleepers = mechanism.kind in SUBJECT_KINDS
        names = [f"S{i:03d}" for i in range(n)] if by_sleepers else list(subjects)
        n_nights = own_nights if by_sleepers else n
        try:
            nights = plan_nights(mechanism, n_nights, names, start, adaptation_nights=0)
            if smallest_p(mechanism, nights) <= alpha:
                return len(names), 0 if by_sleepers else n
        except SettingsError:  # too few nights for one schedule
            continue
    return None
