"""How probable it is that a difference is above zero, or matters: a normal prior and the t interval's likelihood."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

_REACH = 8.0  # of the grid, in standard errors and in prior standard deviations
_POINTS = 2001


class Shares(NamedTuple):
    """Posterior probabilities: that the effect is above 0, above the smallest effect, and below its negative."""

    above_0: float
    above: float
    below: float


def share_of_effects(estimate: float, se: float, df: float, *, prior_sd: float, bound: float = math.nan) -> Shares:
    """Return posterior probabilities of an effect.

    Parameters
    ----------
    estimate, se, df : float
        Difference, its standard error and degrees of freedom.
    prior_sd : float
        Before the data, the effect is taken as normal about 0 with this standard deviation, in the unit of the
        estimate.
    bound : float
        The smallest effect of interest; NaN if there is none.

    Returns
    -------
    Shares
        NaN where the estimate has no standard error, or the prior no spread.
    """
    if not (se > 0 and df > 0 and prior_sd > 0 and math.isfinite(estimate)):
        return Shares(math.nan, math.nan, math.nan)
    low = min(-_REACH * prior_sd, estimate - _REACH * se)
    high = max(_REACH * prior_sd, estimate + _REACH * se)
    grid = np.unique(
        np.concatenate(
            [np.linspace(low, high, _POINTS), np.linspace(estimate - _REACH * se, estimate + _REACH * se, _POINTS)]
        )
    )
    log = stats.t.logpdf(estimate, df, loc=grid, scale=se) + stats.norm.logpdf(grid, 0.0, prior_sd)
    density = np.exp(log - log.max())
    steps = np.diff(grid) * (density[1:] + density[:-1]) / 2
    middle, total = (grid[1:] + grid[:-1]) / 2, float(steps.sum())
    if not bound > 0:
        return Shares(float(steps[middle > 0].sum()) / total, math.nan, math.nan)
    return Shares(*(float(steps[chosen].sum()) / total for chosen in (middle > 0, middle > bound, middle < -bound)))
