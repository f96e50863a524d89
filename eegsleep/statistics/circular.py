"""Angles, one a night: mean directions, their difference, and tests by redrawing the schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from eegsleep.errors import SettingsError
from eegsleep.statistics.phase_means import number_phases
from eegsleep.statistics.resampling import MIN_PER_ARM, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_GRID = 90  # the end of an interval is searched in steps of 2 degrees from the estimate outwards, then by bisection
_BISECTIONS = 14


@dataclass(frozen=True)
class CircularResult:
    """The difference of two mean directions, its intervals and p, and the statistic of every redrawn schedule.

    Attributes
    ----------
    difference : float
        Second minus first condition, rad, in (-π, π].
    low, high, low_90, high_90 : float
        Ends of the 95 % and the 90 % interval, rad, on either side of `difference`, so that they may lie beyond ±π;
        both are NaN where no rotation to one side is rejected.
    p : float
    drawn : ndarray, shape (n_schedules,)
        Statistic of each schedule counted; infinite where a schedule counts as extreme in any case.
    observed : float
        Statistic of the schedule followed; NaN where it leaves a condition too few nights.
    n_first, n_second : int
        Nights that enter.
    """

    difference: float
    low: float
    high: float
    low_90: float
    high_90: float
    p: float
    drawn: Floats
    observed: float
    n_first: int
    n_second: int


def wrap(angle: ArrayLike) -> Floats:
    """Return angles in (-π, π]."""
    return -((np.pi - np.asarray(angle, dtype=float)) % (2 * np.pi) - np.pi)


def mean_direction(angles: ArrayLike) -> float:
    """Return the mean direction of the finite angles (rad, in [-π, π]); NaN if there are none."""
    finite = _finite(angles)
    return float(stats.circmean(finite, high=np.pi, low=-np.pi)) if finite.size else math.nan


def circular_sd(angles: ArrayLike) -> float:
    """Return the circular standard deviation, √(-2 ln R), in rad; NaN for fewer than two finite angles."""
    finite = _finite(angles)
    return float(stats.circstd(finite)) if finite.size >= 2 else math.nan


def _finite(angles: ArrayLike) -> Floats:
    values = np.asarray(angles, dtype=float)
    return values[np.isfinite(values)]


def compare_phases(angles: ArrayLike, schedule: Schedule) -> CircularResult:
    """Compare the nightly phases of two conditions by redrawing the schedule.

    The statistic is the sum of the resultant lengths of both conditions: the larger, the further the mean directions
    are apart. Redrawn schedules keep pairs and other restrictions; the covariates of `schedule` do not enter. The
    first nights of each phase stay out as the schedule says.

    Parameters
    ----------
    angles : array_like, shape (n_nights,)
        One mean direction a night (rad), NaN where there is none.
    schedule : Schedule
        The schedule followed and its redraws.

    Returns
    -------
    CircularResult

    Raises
    ------
    SettingsError
        If there is not one angle for each night of the schedule.
    """
    angles = np.asarray(angles, dtype=float)
    if angles.shape != schedule.assigned.shape:
        raise SettingsError("one mean direction a night is compared", found=f"shape {angles.shape}")
    available = np.isfinite(angles)
    vectors = np.where(available, np.exp(1j * np.where(available, angles, 0.0)), 0.0)
    z, stacked = schedule.assigned, schedule.stacked
    out = schedule.wash_out_nights
    enters = number_phases(stacked, out) >= 0 if out else np.ones(stacked.shape, dtype=bool)
    arms = [(stacked & enters).astype(float), (~stacked & enters).astype(float)]
    extreme = np.any([arm @ available < MIN_PER_ARM for arm in arms], axis=0)
    second, first = (available & enters[0] & arm for arm in (z, ~z))
    counts = int(first.sum()), int(second.sum())
    difference = float(wrap(mean_direction(angles[second]) - mean_direction(angles[first])))
    columns = np.column_stack([vectors * ~z, vectors * z])
    sums = [arm @ columns.real + 1j * (arm @ columns.imag) for arm in arms]
    counted = slice(1 if schedule.complete else 0, None)

    def statistics(delta: float) -> Floats:
        turn = np.array([1.0, np.exp(-1j * delta)])
        return np.abs(sums[0] @ turn) + np.abs(sums[1] @ turn)

    def p_value(delta: float) -> float:
        drawn = statistics(delta)
        return float(np.mean((drawn[counted] >= drawn[0] * (1 - 1e-10)) | extreme[counted]))

    drawn = statistics(0.0)
    if extreme[0]:
        nan = math.nan
        return CircularResult(difference, nan, nan, nan, nan, nan, drawn[counted], nan, *counts)
    low, high = _interval(p_value, difference, 0.05)
    low_90, high_90 = _interval(p_value, difference, 0.10)
    drawn_counted = np.where(extreme[counted], np.inf, drawn[counted])
    observed = float(drawn[0])
    return CircularResult(difference, low, high, low_90, high_90, p_value(0.0), drawn_counted, observed, *counts)


def _interval(p_value: Callable[[float], float], centre: float, alpha: float) -> tuple[float, float]:
    """Return the ends of the rotations around `centre` that are not rejected; NaN if one side has no end."""
    low, high = (_find_end(p_value, centre, sign, alpha) for sign in (-1, 1))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (math.nan, math.nan)


def _find_end(p_value: Callable[[float], float], centre: float, sign: int, alpha: float) -> float:
    """Return the last rotation from `centre` outwards that is not rejected; NaN if none is rejected."""
    inside = 0.0
    for step in np.linspace(0, np.pi, _GRID + 1)[1:]:
        if p_value(centre + sign * step) <= alpha:
            outside = step
            break
        inside = step
    else:
        return math.nan
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if p_value(centre + sign * middle) <= alpha:
            outside = middle
        else:
            inside = middle
    return centre + sign * inside
