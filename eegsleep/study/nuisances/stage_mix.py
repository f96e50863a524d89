"""What a marker of NREM sleep would be at an unchanged mix of N2 and N3.

Slow waves crowd in N3 and many spindles in N2: a compound that only lengthens N3 moves both in NREM, though neither
stage is any different. At the mix of the control nights, only what changed within the stages is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eegsleep.study.arrangement import KEYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

    Floats = NDArray[np.float64]

_AVERAGES = ("/min", "µV²")  # what is in NREM the mean of N2 and N3, weighted by their minutes


class StageMix(NamedTuple):
    """Share of N3 in the minutes of either condition, and the marker of each night at the first condition's share."""

    first: float
    second: float
    values: Floats


def standardize_stage_mix(arranged: Arrangement, index: int) -> StageMix | None:
    """Return a marker of NREM sleep at the control nights' shares of N2 and N3.

    Nights without a value in either stage have none here. None for a marker that is no average over minutes, or that
    was not measured in both stages, or in fewer than two nights of a condition.

    Parameters
    ----------
    arranged : Arrangement
    index : int
        The place of the marker.
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
