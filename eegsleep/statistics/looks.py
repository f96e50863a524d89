"""Interim looks: how much of alpha each may use, so that looking earlier does not find more than there is."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence


def spend_alpha(alpha: float, looks: Sequence[int], n_nights: int) -> tuple[float, ...]:
    """Return the alpha of each look and of the end.

    Each may use what its share of the nights newly allows by the spending function that resembles O'Brien and
    Fleming's, 2 - 2 Φ(z / √t). The looks are taken as if they were independent (Bonferroni), which is valid for any
    test and costs the end little: with one look at half the nights, .0056 and .0444 of .05.

    Parameters
    ----------
    alpha : float
    looks : sequence of int
        Nights at hand at each look, rising; all below `n_nights`.
    n_nights : int
        Nights planned.

    Returns
    -------
    tuple of float
        One for each look and one for the end; their sum is `alpha`.

    References
    ----------
    Lan & DeMets 1983, Biometrika 70, 659-663.
    """
    z = float(stats.norm.isf(alpha / 2))
    spent = [2 * float(stats.norm.sf(z / math.sqrt(n / n_nights))) for n in looks]
    steps = [0.0, *spent, alpha]
    return tuple(after - before for before, after in itertools.pairwise(steps))
