"""Ranks of values of which some are only known to be larger than a bound, as a latency to what never came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def score_with_bounds(value: Floats, at_least: Floats) -> Floats:
    """Return for each night how many others it is surely above, less how many it is surely below (Gehan's scores).

    Parameters
    ----------
    value : numpy.ndarray, shape (n_nights,)
        NaN where it is not known.
    at_least : numpy.ndarray, shape (n_nights,)
        What the value is larger than where it is not known; NaN in both is a missing night.

    Returns
    -------
    numpy.ndarray, shape (n_nights,)
        NaN for a missing night. Without bounds it is twice the mid-rank less n + 1. Nights whose bound lies above every
        value are tied as the largest. A bound below another night's value is compared only with what lies below it.

    References
    ----------
    Gehan 1965, doi:10.1093/biomet/52.1-2.203. A re-randomisation of these scores is exact as long as the length of a
    night does not depend on what was taken.
    """
    value, at_least = np.asarray(value, dtype=float), np.asarray(at_least, dtype=float)
    seen = np.isfinite(value)
    bounded = ~seen & np.isfinite(at_least)
    known = seen | bounded
    lowest = np.where(seen, value, at_least)
    highest = np.where(seen, value, np.inf)
    above = lowest[:, None] > highest
    above |= (
        bounded[:, None] & seen & (lowest[:, None] >= highest)
    )  # larger than its bound, so also than an equal value
    above &= known[:, None] & known
    scores = above.sum(axis=1) - above.sum(axis=0)
    return np.where(known, scores, np.nan).astype(float)


def share_above(value: Floats, at_least: Floats, second: NDArray[np.bool_]) -> float:
    """Return the share of pairs of nights in which the night of the second condition is above the other.

    Parameters
    ----------
    value, at_least : numpy.ndarray, shape (n_nights,)
        As in `score_with_bounds`.
    second : numpy.ndarray of bool, shape (n_nights,)

    Returns
    -------
    float
        Ties, and pairs of which nothing is sure, count as half; NaN if a condition has no night.
    """
    scores = score_with_bounds(value, at_least)
    n_second, n_first = (int((arm & np.isfinite(scores)).sum()) for arm in (second, ~second))
    if not (n_first and n_second):
        return float("nan")
    # pairs within a condition cancel in the sum
    return float(0.5 + np.nansum(scores[second]) / (2 * n_first * n_second))
