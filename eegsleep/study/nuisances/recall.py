"""The share of events that the detector found in each condition, because a density depends on it.

Events of known size were planted into every night (`eegsleep.events.audit`). If fewer of them are found in one
condition, fewer of the sleeper's own events are found there too, and the density is lower without a difference in
sleep.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The audit plants fast spindles and slow oscillations and runs the main detectors. It says nothing about slow spindles
# and about the other views.
_COUNTED = {
    "spindle": re.compile(r"(fast_)?(coupled_)?spindle_density_per_min"),
    "slow_oscillation": re.compile(r"slow_oscillation_density_per_min"),
}
EVENT_WORDS = {"spindle": "spindles", "slow_oscillation": "slow oscillations"}
_STAGES = {"N2": ("N2",), "N3": ("N3",), "NREM": ("N2", "N3")}
_MIN_NIGHTS_A_CONDITION = 2  # for a mean recall


class Recall(NamedTuple):
    """Mean recall of the nights of either condition, as shares."""

    first: float
    second: float

    @property
    def ratio(self) -> float:
        """The factor by which recall alone changes a density; NaN where nothing was found in the first condition."""
        return self.second / self.first if self.first > 0 else math.nan


def counted_kind(marker: str) -> str:
    """Return the planted kind of event that a marker counts, or an empty text."""
    return next((kind for kind, pattern in _COUNTED.items() if pattern.fullmatch(marker)), "")


def recall_of_nights(audit: pd.DataFrame, nights: NDArray, kind: str, stage: str = "NREM", channel: str = "") -> Floats:
    """Return the share of planted events that was found in each night; every planted size has the same weight.

    Parameters
    ----------
    audit : DataFrame
        Table AUDIT of many nights, with a column `night` before.
    nights : ndarray of str, shape (n_nights,)
        The nights wanted.
    kind : {"spindle", "slow_oscillation"}
    stage : {"N2", "N3", "NREM"}
    channel : str
        One derivation, or empty for the mean over all.

    Returns
    -------
    ndarray, shape (n_nights,)
        NaN for a night in which nothing was planted.
    """
    mine = audit[(audit["kind"] == kind) & audit["stage"].isin(_STAGES.get(stage, ()))]
    # Slow oscillations are counted by microvolts; spindles by the one view in which their channel was audited.
    mine = mine[(mine["kind"] == "spindle") | (mine["view"] != "relative")]
    mine = mine[mine["channel"] == channel] if channel else mine
    sums = mine.groupby(["night", "channel", "planted_uv"])[["n_planted", "n_found"]].sum()
    shares = (sums["n_found"] / sums["n_planted"].where(sums["n_planted"] > 0)).groupby(level=[0, 1]).mean()
    return shares.groupby(level=0).mean().reindex(nights).to_numpy(dtype=float)


def compare_recall(shares: Floats, assigned: NDArray[np.bool_], among: NDArray[np.bool_]) -> Recall | None:
    """Return the mean recall of both conditions.

    Parameters
    ----------
    shares : ndarray, shape (n_nights,)
        From `recall_of_nights`.
    assigned, among : ndarray of bool, shape (n_nights,)
        True in the second condition; the nights to use.

    Returns
    -------
    Recall or None
        None with fewer than two nights in a condition.
    """
    arms = [shares[among & np.isfinite(shares) & (assigned == arm)] for arm in (False, True)]
    if min(arm.size for arm in arms) < _MIN_NIGHTS_A_CONDITION:
        return None
    return Recall(*(float(arm.mean()) for arm in arms))
