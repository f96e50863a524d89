"""A marker of NREM sleep at a fixed mix of N2 and N3.

Slow waves are frequent in N3 and spindles in N2. A compound that only lengthens N3 therefore changes both in NREM,
although neither stage changed. At the mix of the control nights only changes within the stages remain.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eegsleep.statistics.effects import adjusted_t
from eegsleep.study.arrangement import KEYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

    Floats = NDArray[np.float64]

_APART = 0.10  # share of the control nights' minutes
_CLEAR_T = 2.0
_AVERAGES = ("/min", "µV²")  # units of markers whose NREM value is the mean of N2 and N3, weighted by minutes


class StageMix(NamedTuple):
    """Share of N3 in the minutes of either condition, and the marker of each night at the first condition's share."""

    first: float
    second: float
    values: Floats


def standardize_stage_mix(arranged: Arrangement, index: int) -> StageMix | None:
    """Return a marker of NREM sleep at the control nights' shares of N2 and N3.

    A night without a value in one of the stages has none here.

    Parameters
    ----------
    arranged : Arrangement
    index : int
        The place of the marker.

    Returns
    -------
    StageMix or None
        None for a marker that is not an average over minutes, or was not measured in both stages, or in fewer than
        two nights of a condition.
    """
    entries, entry = arranged.entries, arranged.entries.iloc[index]
    if entry["stage"] != "NREM" or entry["unit"] not in _AVERAGES:
        return None
    keys = [tuple(row) for row in entries[KEYS].itertuples(index=False)]
    parts = [(entry["marker"], stage, entry["channel"]) for stage in ("N2", "N3")]
    if any(part not in keys for part in parts):
        return None
    n2, n3 = (keys.index(part) for part in parts)
    share = arranged.clean_min[n3] / (arranged.clean_min[n2] + arranged.clean_min[n3])
    kept = np.isfinite(arranged.value[[index, n2, n3]]).all(axis=0) & np.isfinite(share)
    arms = [share[kept & (arranged.assigned == arm)] for arm in (False, True)]
    if min(arm.size for arm in arms) < 2:
        return None
    first, second = (float(arm.mean()) for arm in arms)
    values = (1 - first) * arranged.value[n2] + first * arranged.value[n3]
    return StageMix(first, second, np.where(kept, values, np.nan))


def minutes_differ(arranged: Arrangement, index: int) -> bool:
    """Return whether the clean minutes of a marker's stage differ between conditions, clearly and by over a tenth.

    The border of a stage has then moved, and with it the sleep that a density of this stage is of.

    Parameters
    ----------
    arranged : Arrangement
    index : int
        The place of the marker.
    """
    minutes = np.where(np.isfinite(arranged.value[index]), arranged.clean_min[index], np.nan)
    there = np.isfinite(minutes)
    if min((there & arranged.assigned).sum(), (there & ~arranged.assigned).sum()) < 2:
        return False
    found = adjusted_t(minutes, arranged.assigned, None)
    control_min = minutes[there & ~arranged.assigned].mean()
    return math.isfinite(found.t) and abs(found.t) > _CLEAR_T and abs(found.estimate) > _APART * control_min
