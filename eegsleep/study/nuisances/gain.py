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
# Measured at the gain of reference, or the check itself.
AT_REFERENCE = frozenset({REFERENCE, "n2_slow_wave_activity_uv2", "staging_level_uv"})
POWERS = {"µV": 1, "µV/s": 1, "µV²": 2}  # how a value follows the gain, by its unit
# What follows the gain although its unit does not say so: what is counted by microvolts, K-complexes by their height,
# and N3 where an expert or another program gave the stages (waves over 75 µV); ours are brought to one gain first.
_COUNTED_BY_MICROVOLTS = re.compile(
    r"slow_oscillation_(density_per_min|duration_s|slope_per_s)|(fast_|slow_)?spindle_absolute_density_per_min"
    r"|k_complex_density_per_min|yasa_.*"
)
_BY_STAGES = frozenset({"n3_min", "n3_percent", "n3_latency_min"})
_LOGARITHMS = {"ln µV²", "log10 µV²/Hz"}
GAIN_MATTERS = 0.10  # share of the control nights' gain; smaller differences matter to no count
CLEAR_T = 2.0  # t of the difference, which must be larger than the scatter between nights explains


def follows_gain(arranged: Arrangement, index: int) -> bool:
    """Return whether a marker becomes larger or smaller with the gain of the electrodes alone.

    Parameters
    ----------
    arranged : Arrangement
    index : int
        The place of the marker.
    """
    entry = arranged.entries.iloc[index]
    marker = entry["marker"]
    if marker in _BY_STAGES:
        return not np.isfinite(arranged.at_less_delta[index]).any()  # stages were given
    if marker in AT_REFERENCE:
        return False
    if entry["unit"] in POWERS or entry["unit"] in _LOGARITHMS or _COUNTED_BY_MICROVOLTS.fullmatch(marker):
        return True
    # With a calibration, spindles are counted by microvolts.
    twin = arranged.entries["marker"] == marker.replace("spindle_density", "spindle_absolute_density")
    same = np.flatnonzero(twin & (arranged.entries[["stage", "channel"]] == entry[["stage", "channel"]]).all(axis=1))
    return bool(
        "spindle_density" in marker
        and same.size
        and np.array_equal(arranged.value[same[0]], arranged.value[index], equal_nan=True)
    )


def find_gain_apart(arranged: Arrangement, covariates: Floats | None) -> dict[str, float]:
    """Return the derivations whose gain check differs clearly between the conditions, each with that difference.

    Parameters
    ----------
    arranged : Arrangement
    covariates : ndarray, shape (n_nights, n_covariates), or None

    Returns
    -------
    dict of str to float
        Second minus first condition, as a share of the first; of any size, since it is taken out of the markers.
    """
    found = {}
    for channel in arranged.entries.loc[arranged.entries["marker"] == REFERENCE, "channel"].unique():
        gain = gain_of_nights(arranged, channel)
        if gain is None:
            continue
        compared = adjusted_t(gain, arranged.assigned, covariates)
        if math.isfinite(compared.t) and abs(compared.t) > CLEAR_T:
            found[str(channel)] = float(compared.estimate)
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
    clear = math.isfinite(found.t) and abs(found.t) > CLEAR_T
    return found.estimate, clear and abs(found.estimate) > GAIN_MATTERS
