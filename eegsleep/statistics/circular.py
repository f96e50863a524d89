"""Angles, one a night: mean directions, their difference, and tests by redrawing the schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.statistics.phase_means import enter_phase
from eegsleep.statistics.resampling import MIN_PER_ARM, Schedule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_GRID = 90  # steps of 2 degrees from the estimate outwards, then bisection
_BISECTIONS = 14


@dataclass(frozen=True)
class CircularResult:
    """Difference of mean directions (second minus first, rad), its interval and p, and the redraws.

    `low` and `high` are distances from `difference` added to it, so that they may pass ±π; both are NaN where
    no rotation is rejected to one side. `drawn` and `observed` are the statistic of each schedule counted.
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
    """Return the mean direction of the angles that are there (rad); NaN if there are none."""
    angles = np.asarray(angles, dtype=float)
    angles = angles[np.isfinite(angles)]
    return float(np.angle(np.exp(1j * angles).sum())) if angles.size else math.nan


def circular_sd(angles: ArrayLike) -> float:
    """Return the circular standard deviation, √(-2 ln R), in rad; NaN for fewer than two angles."""
    angles = np.asarray(angles, dtype=float)
    angles = angles[np.isfinite(angles)]
    if angles.size < 2:
        return math.nan
    length = min(abs(np.exp(1j * angles).mean()), 1.0)
    return math.sqrt(max(-2 * math.log(length), 0.0)) if length > 0 else math.inf


def compare_phases(angles: ArrayLike, schedule: Schedule) -> CircularResult:
    """Compare the nightly phases of two conditions by redrawing the schedule.

    The statistic is the sum of both resultant lengths: the larger, the further the mean directions
    are apart. Pairs and covariates are kept through the draws, not through the statistic; the first nights of
    each phase stay out as the schedule says.

    Parameters
    ----------
    angles : array_like, shape (n_nights,)
        One mean direction a night (rad), NaN where there is none.
    schedule : Schedule
        The schedule followed and its redraws.
    """
    angles = np.asarray(angles, dtype=float)
    if angles.shape != schedule.assigned.shape:
        raise SettingsError("one mean direction a night is compared", found=f"shape {angles.shape}")
    available = np.isfinite(angles)
    vectors = np.where(available, np.exp(1j * np.where(available, angles, 0.0)), 0.0)
    z, stacked = schedule.assigned, schedule.stacked
    out = schedule.wash_out_nights
    enters = enter_phase(stacked, out) >= 0 if out else np.ones(stacked.shape, dtype=bool)
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
    ends: list[float] = []
    for level in (0.05, 0.10):
        both = [_reach(p_value, difference, sign, level) for sign in (-1, 1)]
        ends += [math.nan] * 2 if np.isnan(both).any() else both
    drawn_counted = np.where(extreme[counted], np.inf, drawn[counted])
    return CircularResult(difference, *ends, p_value(0.0), drawn_counted, float(drawn[0]), *counts)


def _reach(p_value, centre: float, sign: int, alpha: float) -> float:  # noqa: ANN001
    """Return the end of the rotations not rejected, from `centre` outwards; NaN if all are kept."""
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
