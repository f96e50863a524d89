"""Whether the gain of the electrodes was the same in both conditions, by a signal that a compound hardly changes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.statistics.effects import adjusted_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

    Floats = NDArray[np.float64]

REFERENCE = "gain_reference_uv"
POWERS = {"µV": 1, "µV/s": 1, "µV²": 2}  # how a value follows the gain, by its unit
# What follows the gain although its unit does not say so: logarithms of power, N3 (scored by 75 µV waves, and by
# classifiers that learned from such scores), and what is counted by microvolts.
_FOLLOWS = re.compile(
    r".*_ln_uv2|aperiodic_offset|n3_(min|percent|latency_min)|slow_oscillation_density_per_min"
    r"|.*_absolute_density_per_min|yasa_.*|k_complex_density_per_min|(fast_)?coupled_spindle_density_per_min"
    r"|(fast_)?spindles_coupled_percent"
)
_APART = 0.10  # share of the control nights' gain; smaller differences matter to no result
_CLEAR_T = 2.0  # t of the difference, which must be larger than the scatter between nights explains


def follows_gain(marker: str, unit: str) -> bool:
    """Return whether a marker becomes larger or smaller with the gain of the electrodes alone.

    Parameters
    ----------
    marker, unit : str
    """
    return marker != REFERENCE and (unit in POWERS or _FOLLOWS.fullmatch(marker) is not None)


def find_suspect_channels(arranged: Arrangement, covariates: Floats | None) -> dict[str, float]:
    """Return the derivations whose gain check differs between the conditions, each with that difference.

    Parameters
    ----------
    arranged : Arrangement
    covariates : ndarray, shape (n_nights, n_covariates), or None

    Returns
    -------
    dict of str to float
        Second minus first condition, as a share of the first.
    """
    found = {}
    for channel in arranged.entries.loc[arranged.entries["marker"] == REFERENCE, "channel"].unique():
        gain = gain_of_nights(arranged, channel)
        apart, suspect = (math.nan, False) if gain is None else compare_gain(gain, arranged.assigned, covariates)
        if suspect:
            found[str(channel)] = apart
    return found


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
