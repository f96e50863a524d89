"""Markers at equal slow waves and at equal gain: what of a difference is left without them.

A stage marker that differs only because slow waves are larger is one finding with slow-wave activity, not a second one;
an amplitude that differs only because an electrode recorded everything larger is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eegsleep.statistics.effects import adjusted_t
from eegsleep.study.arrangement import is_circular
from eegsleep.study.nuisances.gain import CLEAR_T, GAIN_MATTERS, POWERS, find_gain_apart, follows_gain, gain_of_nights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement

    Floats = NDArray[np.float64]

ACTIVITY = "n2_slow_wave_activity_uv2"
# The amplitudes of slow waves a night was staged at (`eegsleep.staging.equal_delta.FACTORS`).
FACTORS = (0.8, 1.0, 1.25)
# Markers of events over fixed microvolts that each night counted at several sizes in NREM.
COUNTED_AGAIN = {
    "slow_oscillation_density_per_min",
    "slow_oscillation_duration_s",
    "slow_oscillation_slope_per_s",
}
_COUPLING = r"(fast_)?(coupling_.*|spindles_coupled_.*|coupled_spindle_.*)"
# Logarithms of a power: from these the logarithm of gain is subtracted, multiplied by the number.
_LOGARITHMS = {"ln µV²": 2.0, "log10 µV²/Hz": 2.0 / np.log(10)}


class AtEqual(NamedTuple):
    """The markers at equal slow waves or at equal gain.

    Attributes
    ----------
    value : numpy.ndarray, shape (n_markers, n_nights)
        NaN in nights that could not be brought there.
    depends : numpy.ndarray of bool, shape (n_markers,)
        Which markers depend on slow-wave amplitude or gain at all; the others have no value.
    """

    value: Floats
    depends: NDArray[np.bool_]


def values_at_equal_delta(arranged: Arrangement, covariates: Floats | None) -> AtEqual:
    """Return the markers where the slow-wave activity of N2 is what is usual for the sleeper.

    Parameters
    ----------
    arranged : Arrangement
    covariates : ndarray, shape (n_nights, n_covariates), optional
        What the comparison adjusts for.

    Returns
    -------
    AtEqual
        Interpolated in the logarithm of activity between the sizes that each night was staged at, and never beyond:
        NaN in nights whose activity is further than that from the median of the sleeper's nights, and in nights with
        too little N2. Where that activity differs clearly between the conditions, markers that move with it and were
        not measured at other sizes have no value: coupling, because its waves are chosen by multiples of the night's
        own, and what N2 or N3 alone holds, because their border moves; not slow waves themselves.
    """
    equal = np.full(arranged.value.shape, np.nan)
    place = np.flatnonzero(arranged.entries["marker"] == ACTIVITY)
    if not place.size:
        return AtEqual(equal, np.zeros(len(equal), dtype=bool))
    activity = _at_sizes(arranged, int(place[0]))
    with np.errstate(invalid="ignore", divide="ignore"):
        known = np.log(activity)
    usable = np.isfinite(known).all(axis=0) & (np.diff(known, axis=0) > 0).all(axis=0)
    for name in set(arranged.subjects.tolist()):
        own = np.flatnonzero(usable & (arranged.subjects == name))
        if not own.size:
            continue
        target = float(np.median(known[1, own]))
        for night in own:
            if known[0, night] <= target <= known[-1, night]:
                factor = float(np.interp(target, known[:, night], np.log(FACTORS)))
                equal[:, night] = _interpolate(arranged, int(night), factor)
    again = _measured_again(arranged)
    equal[~again] = np.nan
    compared = adjusted_t(np.where(usable, known[1], np.nan), arranged.assigned, covariates)
    if not abs(compared.t) > CLEAR_T:
        return AtEqual(equal, again)
    coupling = arranged.entries["marker"].str.fullmatch(_COUPLING).to_numpy(dtype=bool)
    equal[coupling] = np.nan  # measured again with other stages, but with the same waves
    return AtEqual(equal, again | coupling | _is_bordered(arranged))


def values_at_equal_gain(arranged: Arrangement, covariates: Floats | None) -> tuple[AtEqual, Floats]:
    """Return the markers that follow gain as they would be at the sleeper's usual gain.

    Parameters
    ----------
    arranged : Arrangement
    covariates : ndarray, shape (n_nights, n_covariates), optional
        What the comparison adjusts for.

    Returns
    -------
    equal : AtEqual
        Markers of derivations whose gain check does not differ clearly between the conditions do not depend on it.
        What was counted at one gain alone depends on a difference that is large, and has no value at another gain.
    apart : ndarray, shape (n_markers,)
        By what share of the first condition the gain differs, for those that depend on it; else 0.
    """
    equal, apart = np.full(arranged.value.shape, np.nan), np.zeros(len(arranged.value))
    channels = find_gain_apart(arranged, covariates)
    if not channels:
        return AtEqual(equal, apart != 0), apart
    largest = max(channels.values(), key=abs)
    for index, channel in enumerate(arranged.entries["channel"]):
        own = channels.get(channel, 0.0) if channel else largest
        if not own or not follows_gain(arranged, index) or _is_part_of_counted(arranged, index):
            continue
        found = _without_gain(arranged, index) if channel else None
        if found is not None:
            equal[index], apart[index] = found, own
        elif abs(own) > GAIN_MATTERS:
            apart[index] = own
    return AtEqual(equal, apart != 0), apart


def _is_part_of_counted(arranged: Arrangement, index: int) -> bool:
    """Return whether a marker of N2 or N3 follows what the same marker of NREM follows."""
    marker, stage = arranged.entries[["marker", "stage"]].iloc[index]
    return marker in COUNTED_AGAIN and stage != "NREM"


def _without_gain(arranged: Arrangement, index: int) -> Floats | None:
    """Return a marker that follows gain with the gain taken out; None if it was counted at one gain alone."""
    marker, channel, unit = arranged.entries[["marker", "channel", "unit"]].iloc[index]
    gain = gain_of_nights(arranged, channel)
    assert gain is not None  # noqa: S101 - tells mypy that the channel was found by its gain check
    log_gain, value = _against_usual(np.log(gain), arranged.subjects), arranged.value[index]
    if unit in POWERS:
        return value / np.exp(log_gain) ** POWERS[unit]
    if unit in _LOGARITHMS:
        return value - _LOGARITHMS[unit] * log_gain
    if marker not in COUNTED_AGAIN:
        return None
    sizes = _at_sizes(arranged, index)
    reach = np.log(FACTORS)
    inside = (log_gain >= -reach[-1]) & (log_gain <= -reach[0])
    return np.array(
        [np.interp(-g, reach, sizes[:, night]) if inside[night] else np.nan for night, g in enumerate(log_gain)]
    )


def _is_bordered(arranged: Arrangement) -> NDArray[np.bool_]:
    """Return which markers are of N2 or N3 alone, whose border moves with slow waves, and not of slow waves."""
    entries = arranged.entries
    bordered = entries["stage"].isin(["N2", "N3"]) & (entries["family"] != "B") & (entries["marker"] != ACTIVITY)
    return bordered.to_numpy(dtype=bool)


def _at_sizes(arranged: Arrangement, index: int) -> Floats:
    """Return a marker at each of `FACTORS`, shape (3, n_nights)."""
    return np.stack([arranged.at_less_delta[index], arranged.value[index], arranged.at_more_delta[index]])


def _interpolate(arranged: Arrangement, night: int, log_factor: float) -> Floats:
    """Return every marker of one night at a size between those of `FACTORS`, shape (n_markers,)."""
    low, usual, high = arranged.at_less_delta[:, night], arranged.value[:, night], arranged.at_more_delta[:, night]
    if log_factor == 0:
        return usual.copy()
    end, end_log = (low, np.log(FACTORS[0])) if log_factor < 0 else (high, np.log(FACTORS[-1]))
    return usual + (end - usual) * (log_factor / end_log)


def _measured_again(arranged: Arrangement) -> NDArray[np.bool_]:
    """Return which markers were measured at several sizes; angles are not interpolated."""
    again = np.isfinite(arranged.at_less_delta).any(axis=1) | np.isfinite(arranged.at_more_delta).any(axis=1)
    angle = arranged.entries["unit"].map(is_circular).to_numpy(dtype=bool)
    return again & ~angle & (arranged.entries["marker"] != ACTIVITY).to_numpy(dtype=bool)


def _against_usual(values: Floats, subjects: NDArray) -> Floats:
    """Return values less the median of the same sleeper's nights."""
    usual = np.full(values.shape, np.nan)
    for name in set(subjects.tolist()):
        own = subjects == name
        if np.isfinite(values[own]).any():
            usual[own] = np.nanmedian(values[own])
    return values - usual
