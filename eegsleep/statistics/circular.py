"""Angles, one a night: mean directions, their difference, and tests by redrawing the schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import optimize, special, stats

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


def compare_phases(angles: ArrayLike, schedule: Schedule, alpha: float = 0.05) -> CircularResult:
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
    alpha : float
        One minus the confidence of `low` and `high`.
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
    for level in (alpha, 0.10):
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


def concentration(resultant_length: float, *, exact: bool = False) -> float:
    """Return the von Mises concentration for a mean resultant length.

    Parameters
    ----------
    resultant_length : float
        Between 0 and 1.
    exact : bool
        By maximum likelihood to the last digit, as R does; otherwise by the approximation of Fisher 1993,
        Statistical Analysis of Circular Data, p. 88, which the printed examples of Zar follow.
    """
    r = float(resultant_length)
    if not 0 < r < 1:
        return 0.0 if r <= 0 else math.inf
    if exact:
        return float(optimize.brentq(lambda k: special.i1e(k) / special.i0e(k) - r, 1e-9, 1e7, xtol=1e-10))
    if r < 0.53:
        return 2 * r + r**3 + 5 * r**5 / 6
    if r < 0.85:
        return -0.4 + 1.39 * r + 0.43 / (1 - r)
    return 1 / (r**3 - 4 * r**2 + 3 * r)


def watson_williams(
    first: ArrayLike, second: ArrayLike, *, kappa_from: Literal["groups", "pooled"] = "groups"
) -> tuple[float, float, float, float]:
    """Return F, its denominator's degrees of freedom, p and F before its correction.

    For nightly mean directions only, at least five a condition and a concentration above 2.

    Parameters
    ----------
    first, second : array_like
        Angles (rad).
    kappa_from : {"groups", "pooled"}
        Whether the concentration of the correction comes from the sum of both resultants (Zar,
        Biostatistical Analysis, 27.5; the default) or, exactly, from the resultant of all angles, as R does.
    """
    samples = [np.asarray(sample, dtype=float) for sample in (first, second)]
    n = sum(len(sample) for sample in samples)
    lengths = sum(abs(np.exp(1j * sample).sum()) for sample in samples)
    pooled = abs(np.exp(1j * np.concatenate(samples)).sum())
    kappa = concentration(lengths / n) if kappa_from == "groups" else concentration(pooled / n, exact=True)
    raw = (n - 2) * (lengths - pooled) / (n - lengths)
    f = (1 + 3 / (8 * kappa)) * raw
    return f, float(n - 2), float(stats.f.sf(f, 1, n - 2)), raw
