"""Nights that no mechanism drew: what they are adjusted for, and how many drawn nights would settle a difference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from eegsleep.study.schedules.mechanisms import is_weekend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

    Floats = NDArray[np.float64]

_TARGET_POWER = 0.8
_ALPHA = 0.05
_MOST_NIGHTS = 400
_MOST_WORDS = 4  # values of a covariate in words; with more, each has too few nights
_ALMOST_THE_CONDITION = 0.95  # correlation from which a covariate cannot be told from the condition


class Adjustment(NamedTuple):
    """What observed nights are adjusted for.

    Attributes
    ----------
    columns : ndarray, shape (n_nights, n_columns), or None
    names : tuple of str
        In words.
    inseparable : tuple of str
        What goes so closely with the condition that it cannot be adjusted for.
    """

    columns: Floats | None
    names: tuple[str, ...]
    inseparable: tuple[str, ...]


def adjust_observed(arranged: Arrangement) -> Adjustment:
    """Choose the covariates of observed nights, the same for every marker and without a look at any.

    Time, weekend and the sleep of the night before come first, because people take a compound on days of their
    choosing: at weekends, or after a bad night, whose next is better anyway. Then device, hours since the dose before,
    and every `cov_` column, as long as half of the nights is left to estimate by.

    Parameters
    ----------
    arranged : Arrangement

    Returns
    -------
    Adjustment
    """
    subjects = arranged.subjects
    columns = [(subjects == name).astype(float) for name in np.unique(subjects)[1:]]
    room = len(subjects) // 2 - 2 - len(columns)
    names, inseparable = [], []
    second = arranged.assigned.astype(float)
    for name, own in _list_candidates(arranged):
        usable = [column for column in own if np.nanstd(column) > 0]
        if not usable or len(usable) > room:
            continue
        filled = [np.where(np.isfinite(column), column, np.nanmean(column)) for column in usable]
        if np.std(second) and max(abs(np.corrcoef(column, second)[0, 1]) for column in filled) > _ALMOST_THE_CONDITION:
            inseparable.append(name)
            continue
        columns += [column - column.mean() for column in filled]
        names.append(name)
        room -= len(filled)
    return Adjustment(np.column_stack(columns) if columns else None, tuple(names), tuple(inseparable))


def _list_candidates(arranged: Arrangement) -> list[tuple[str, list[Floats]]]:
    nights = arranged.nights
    found: list[tuple[str, list[Floats]]] = [
        ("time", [arranged.days]),
        ("weekends", [is_weekend(nights["date"]).astype(float)]),
    ]
    before = sleep_of_night_before(arranged)
    if before is not None:
        found.append(("the sleep of the night before", [before]))
    found.append(("the device", _as_columns(nights["device"])))
    free = [name for name in nights.columns if name.startswith("cov_")]
    for name in ("hours_since_dose", *free):
        column = nights[name]
        if column.notna().mean() > 0.5:
            found.append((name.removeprefix("cov_").replace("_", " "), _as_columns(column)))
    return found


def _as_columns(column: pd.Series) -> list[Floats]:
    """Return a covariate as numbers; words become one column for each value but the first."""
    if pd.api.types.is_numeric_dtype(column):
        return [column.to_numpy(dtype=float)]
    words = column.astype("str").to_numpy(dtype="U99")
    values = np.unique(words)
    return [] if len(values) > _MOST_WORDS else [(words == value).astype(float) for value in values[1:]]


def sleep_of_night_before(arranged: Arrangement) -> Floats | None:
    """Return total sleep time of the evening before each night, NaN where it is not known; None if it seldom is.

    Parameters
    ----------
    arranged : Arrangement
    """
    found = np.flatnonzero(arranged.entries["marker"] == "tst_min")
    if not found.size:
        return None
    tst = arranged.value[found[0]]
    place = {key: i for i, key in enumerate(zip(arranged.subjects, arranged.days, strict=True))}
    before = np.array([place.get((s, d - 1), -1) for s, d in zip(arranged.subjects, arranged.days, strict=True)])
    prior = np.where(before >= 0, tst[before], np.nan)
    return prior if np.isfinite(prior).mean() >= 0.5 else None


def nights_to_settle(effect_sd: float) -> int:
    """Return the fewest nights in randomised pairs that find an effect in 80 % of studies, by the paired t test.

    Parameters
    ----------
    effect_sd : float
        In standard deviations between nights.

    Returns
    -------
    int
        0 if 400 are not enough, or the effect is not known.
    """
    if not abs(effect_sd) > 0 or not math.isfinite(effect_sd):
        return 0
    pairs = np.arange(6, _MOST_NIGHTS // 2 + 1)  # six pairs are the fewest that can give p <= .05
    shift = abs(effect_sd) * np.sqrt(pairs / 2)
    limit = stats.t.isf(_ALPHA / 2, pairs - 1)
    power = stats.nct.sf(limit, pairs - 1, shift) + stats.nct.cdf(-limit, pairs - 1, shift)
    enough = np.flatnonzero(power >= _TARGET_POWER)
    return int(2 * pairs[enough[0]]) if enough.size else 0
