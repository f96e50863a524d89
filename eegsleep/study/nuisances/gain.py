"""Whether the gain of the electrodes was the same in both conditions, by a signal that a compound hardly changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.statistics.effects import adjusted_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

    Floats = NDArray[np.float64]

REFERENCE = "gain_reference_uv"
POWERS = {"µV": 1, "µV/s": 1, "µV²": 2}  # how a value follows the gain, by its unit
_APART = 0.10  # share of the control nights' gain; smaller differences matter to no result
_CLEAR_T = 2.0  # t of the difference, which must be larger than the scatter between nights explains


def gain_of_nights(arranged: Arrangement, channel: str) -> Floats | None:
    """Return the gain check of each night in multiples of its mean in the first condition; None with too few nights.

    Parameters
    ----------
    arranged : Arrangement
    channel : str

    Returns
    -------
    ndarray, shape (n_nights,)
        NaN where a night has no gain check.
    """
    entries = arranged.entries
    found = np.flatnonzero((entries["marker"] == REFERENCE) & (entries["channel"] == channel))
    if not found.size:
        return None
    gain = np.where(arranged.value[found[0]] > 0, arranged.value[found[0]], np.nan)
    there = np.isfinite(gain)
    if min((there & arranged.assigned).sum(), (there & ~arranged.assigned).sum()) < 2:
        return None
    return gain / gain[there & ~arranged.assigned].mean()


def compare_gain(gain: Floats, assigned: NDArray[np.bool_], covariates: Floats | None) -> tuple[float, bool]:
    """Return how much the gain differs between the conditions, and whether that is large and more than scatter.

    Parameters
    ----------
    gain : ndarray, shape (n_nights,)
        From `gain_of_nights`.
    assigned : ndarray of bool, shape (n_nights,)
    covariates : ndarray, shape (n_nights, n_covariates), or None

    Returns
    -------
    difference : float
        Second minus first condition, as a share of the first.
    suspect : bool
    """
    found = adjusted_t(gain, assigned, covariates)
    clear = math.isfinite(found.t) and abs(found.t) > _CLEAR_T
    return found.estimate, clear and abs(found.estimate) > _APART
