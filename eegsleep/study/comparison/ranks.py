"""Comparison by rank of latencies that some nights only give a bound for, because what was waited for never came."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.statistics.ranks import score_with_bounds, share_above
from eegsleep.statistics.resampling import MIN_NIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

RANKS = "re-randomisation of ranks"
# What a mean of ranks has no unit for; the effect is the share of pairs, `nap`.
_IN_UNITS = (
    "control_mean",
    "compound_mean",
    "control_sd",
    "difference",
    "low",
    "high",
    "low_90",
    "high_90",
    "t_low",
    "t_high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "g_av",
    "bound",
)


def rows_with_bounds(arranged: Arrangement) -> NDArray[np.bool_]:
    """Return which markers have a bound in place of a value in some night, shape (n_markers,)."""
    return np.any(np.isfinite(arranged.at_least) & ~np.isfinite(arranged.value), axis=1)


def score_ranks(arranged: Arrangement, bounded: NDArray[np.bool_], *, within_sleepers: bool) -> Arrangement:
    """Return the nights with the scores of `score_with_bounds` as values of the markers that have bounds.

    Parameters
    ----------
    arranged : Arrangement
    bounded : ndarray of bool, shape (n_markers,)
    within_sleepers : bool
        Whether a night is ranked among those of its sleeper alone; in parallel groups it is among all.
    """
    value = arranged.value.copy()
    groups = [arranged.subjects == name for name in set(arranged.subjects.tolist())]
    for index in np.flatnonzero(bounded):
        for own in groups if within_sleepers else [np.ones(value.shape[1], dtype=bool)]:
            value[index, own] = score_with_bounds(arranged.value[index, own], arranged.at_least[index, own])
    return replace(arranged, value=value)


def leave_ranks(row: dict, arranged: Arrangement, index: int, *, tested: bool) -> None:
    """Turn the row of a comparison of ranks into one without differences: a p-value and the share of pairs.

    Parameters
    ----------
    row : dict
        The row of table COMPARISON, filled in place.
    arranged : Arrangement
        The nights with their values and bounds; `index` is the marker's place.
    index : int
    tested : bool
        Whether a mechanism allocated the nights.
    """
    n_bounds = int((np.isfinite(arranged.at_least[index]) & ~np.isfinite(arranged.value[index])).sum())
    compared = np.isfinite(row["difference"])
    row |= dict.fromkeys(_IN_UNITS, np.nan)
    row["nap"] = share_above(arranged.value[index], arranged.at_least[index], arranged.assigned)
    waited = (
        f"it did not come in {n_bounds} of {row['n_control'] + row['n_compound']} nights, which are ranked as longer"
    )
    if not tested:
        row["reason"] = f"{waited}; {row['reason']}"
        return
    if compared:
        row["method"], row["p"] = RANKS, row["p_randomization"]
        if row["n_control"] + row["n_compound"] >= MIN_NIGHTS:
            row["reason"] = waited
