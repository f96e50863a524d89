"""Re-randomisation tests on nights: p-values and intervals that redraw the declared schedule.

Every statistic here is linear in the night values, so that under a constant shift (values minus
`delta` on the nights of the second condition) the statistic of draw `b` is `a_b - delta * c_b`. Each
draw is then at least as extreme as the schedule that was followed over one range of `delta` around the
estimate, and the ends of the interval are order statistics of the ends of those ranges: exact, without a
search, and with the same draws for every marker.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.statistics.multiplicity import score_by_rank
from eegsleep.statistics.phase_means import difference_of_phase_means, number_phases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# Eight nights, four and four, are the fewest whose complete randomisation reaches p <= .05 (2 of 70). A longer
# schedule of which fewer nights have a value gives no finding either.
MIN_NIGHTS = 8

Statistic = Literal["difference", "phase means"]
MIN_PER_ARM = 2  # a draw that leaves a condition fewer values counts as extreme (De et al. 2020)
_TIE = 1e-10  # relative; statistics that are closer differ by rounding only and count as equal
_SINGULAR = 1e-9


@dataclass(frozen=True)
class Schedule:
    """The schedule that was followed, and those the declared mechanism could have drawn instead.

    Attributes
    ----------
    assigned : ndarray of bool, shape (n_nights,)
        True on nights of the second condition; nights without a value keep their place.
    draws : ndarray of bool, shape (n_draws, n_nights)
        Schedules from the declared mechanism.
    complete : bool
        Whether `draws` holds every schedule of the mechanism once (the one followed included), so that
        p is a share of all; otherwise the one followed is counted with the draws, and p is never 0.
    covariates : ndarray of float, shape (n_nights, n_covariates)
        What values and schedules are adjusted for beside the constant: pairs, subjects, time.
    statistic : {"difference", "phase means"}
        The adjusted difference, or the mean of phase means.
    wash_out_nights : int
        Nights dropped at the start of each phase, in every redrawn schedule too; "phase means" only.
    doses : ndarray of float, shape (1 + n_draws, n_nights), optional
        For a trend over dose: the dose of each night as a share of the highest, under the schedule followed and under
        each draw. The shift is then that of the highest dose; `assigned` and `draws` say where there is any dose.
    """

    assigned: Bools
    draws: Bools
    _: KW_ONLY
    complete: bool = False
    covariates: Floats | None = None
    statistic: Statistic = "difference"
    wash_out_nights: int = 0
    doses: Floats | None = None

    def __post_init__(self) -> None:
        n_nights = len(self.assigned)
        if self.assigned.dtype != bool or self.draws.dtype != bool:
            raise SettingsError("schedules are arrays of bool", found=f"{self.assigned.dtype}, {self.draws.dtype}")
        if self.draws.ndim != 2 or self.draws.shape[1] != n_nights or not len(self.draws):
            raise SettingsError(
                "each redrawn schedule has one entry a night",
                found=f"draws of shape {self.draws.shape} for {n_nights} nights",
            )
        if self.covariates is not None and len(self.covariates) != n_nights:
            raise SettingsError("covariates have one row a night", found=f"{len(self.covariates)} for {n_nights}")
        if self.doses is not None and (
            self.statistic != "difference" or not np.array_equal(self.doses > 0, self.stacked)
        ):
            raise SettingsError("doses do not fit the schedules", found=f"{self.doses.shape}, {self.statistic}")
        if self.complete and not (self.draws == self.assigned).all(axis=1).any():
            raise SettingsError(
                "the schedule that was followed is not one the mechanism could have drawn",
                remedy="declare the mechanism that produced the schedule",
            )

    @property
    def n_counted(self) -> int:
        """How many schedules a p-value is a share of."""
        return len(self.draws) + (not self.complete)

    @property
    def stacked(self) -> Bools:
        """The schedule that was followed, then the draws."""
        return np.vstack([self.assigned[np.newaxis], self.draws])


@dataclass(frozen=True)
class ShiftStatistics:
    """The statistic of every schedule for every marker, as a line in the shift `delta`: `a - delta * c`.

    Attributes
    ----------
    a, c : ndarray, shape (n_markers, n_schedules)
    extreme : ndarray of bool, shape (n_markers, n_schedules)
        Draws that count as extreme whatever the values are, because a condition has too few.
    observed_a, observed_c : ndarray, shape (n_markers,)
        Of the schedule that was followed.
    estimate : ndarray, shape (n_markers,)
        Second minus first condition in the unit of the values; NaN where there is none.
    n_first, n_second : ndarray of int, shape (n_markers,)
        Nights that the estimate rests on.
    sides : ndarray of int, shape (n_markers,)
        0 where both sides are tested; 1 or -1 where only a difference upwards or downwards counts.
    """

    a: Floats
    c: Floats
    extreme: Bools
    observed_a: Floats
    observed_c: Floats
    estimate: Floats
    n_first: NDArray[np.int64]
    n_second: NDArray[np.int64]
    sides: NDArray[np.int64]

    @property
    def sizes(self) -> tuple[Floats, Floats]:
        """How large the statistic of each schedule is, and that of the schedule followed: 0 on a side not tested."""
        one, sign = (self.sides != 0)[:, np.newaxis], self.sides[:, np.newaxis]
        drawn = np.where(one, np.fmax(sign * self.a, 0.0), np.abs(self.a))
        seen = self.observed_a[:, np.newaxis]
        seen = np.where(one & np.isfinite(seen), np.fmax(sign * seen, 0.0), np.abs(seen))
        return drawn, seen[:, 0]


def _basis(covariates: Floats | None, available: Bools) -> Floats:
    """Return an orthonormal basis of the constant and the covariates over the available nights."""
    n_nights = len(available)
    columns = [np.ones((n_nights, 1))] + ([] if covariates is None else [np.asarray(covariates, dtype=float)])
    u, s, _ = np.linalg.svd(np.hstack(columns)[available], full_matrices=False)
    basis = np.zeros((n_nights, int(np.sum(s > _SINGULAR * s[0])) if s.size and s[0] > 0 else 0))
    basis[available] = u[:, : basis.shape[1]]
    return basis


def _adjusted(values: Floats, schedule: Schedule) -> tuple[Floats, Floats, Bools, Bools]:
    """Return `a`, `c`, `extreme` and the nights used, for the adjusted difference.

    Values and schedules are replaced by their residuals after a regression on the covariates, and schedules are
    scaled to unit length. Their product then orders schedules as the t statistic of the condition in that regression
    does, because the residual sum of squares is the same for all.
    """
    patterns, member = np.unique(np.isfinite(values), axis=0, return_inverse=True)
    member = member.ravel()
    taken = schedule.stacked.astype(float)
    scores = taken if schedule.doses is None else schedule.doses
    bases = [_basis(schedule.covariates, available) for available in patterns]
    used = np.array(
        [available & (1 - (basis**2).sum(axis=1) > _SINGULAR) for available, basis in zip(patterns, bases, strict=True)]
    )
    followed = np.array([_free(np.where(p, scores[0], 0.0), b) for p, b in zip(patterns, bases, strict=True)])
    c = followed @ scores.T
    n_second = used.astype(float) @ taken.T
    poor = (n_second < MIN_PER_ARM) | (used.sum(axis=1, keepdims=True) - n_second < MIN_PER_ARM)
    scale = patterns.astype(float) @ (scores**2).T
    for place, basis in enumerate(bases):
        inside = scores @ basis
        scale[place] -= np.einsum("ij,ij->i", inside, inside)
    poor |= scale < 1e-12
    scale = 1 / np.sqrt(np.where(scale < 1e-12, np.inf, scale))
    free = np.array([_free(row, bases[m]) for row, m in zip(np.nan_to_num(values, nan=0.0), member, strict=True)])
    a = (free @ scores.T) * scale[member]
    return a, (c * scale)[member], poor[member], used[member]


def _free(row: Floats, basis: Floats) -> Floats:
    """Return the residual of a row after projection on the basis; one that is rounding only becomes 0."""
    left = row - basis @ (basis.T @ row)
    left -= basis @ (basis.T @ left)  # twice, so that a schedule and its mirror image are equal to the last digit
    return left if np.abs(left).max() > 1e-13 * np.abs(row).max() else np.zeros(row.shape)


def shift_statistics(values: ArrayLike, schedule: Schedule, sides: ArrayLike | None = None) -> ShiftStatistics:
    """Return the statistic of every schedule for every marker.

    Parameters
    ----------
    values : array_like, shape (n_markers, n_nights)
        One value a night; NaN where there is none. The night keeps its place in the schedule.
    schedule : Schedule
        The schedule followed and the draws that all markers share.
    sides : array_like of int, shape (n_markers,), optional
        1 or -1 for a marker of which only a difference upwards or downwards counts; by default both sides are tested.
        Intervals have two sides all the same.

    Returns
    -------
    ShiftStatistics
        NaN where the schedule followed leaves a condition fewer than two values.

    Raises
    ------
    SettingsError
        If the values do not have one column for each night of the schedule.
    """
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if values.ndim != 2 or values.shape[1] != len(schedule.assigned):
        raise SettingsError(
            "the unit of a comparison is the night: values have one column a night",
            found=f"shape {values.shape} for {len(schedule.assigned)} nights",
            remedy="average events within the night first",
        )
    values = values - _level(values)
    if schedule.statistic == "phase means":
        out = schedule.wash_out_nights
        a, c, fewest = difference_of_phase_means(schedule.stacked, values, schedule.assigned, out)
        extreme = fewest < MIN_PER_ARM
        used = np.isfinite(values) & (number_phases(schedule.assigned[np.newaxis], out) >= 0)
    else:
        a, c, extreme, used = _adjusted(values, schedule)
    counts = [(used & ~schedule.assigned).sum(axis=1), (used & schedule.assigned).sum(axis=1)]
    kept = slice(1 if schedule.complete else 0, None)
    a[extreme[:, 0]] = np.nan
    estimate = np.divide(a[:, 0], c[:, 0], out=np.full(len(values), np.nan), where=c[:, 0] > 0)
    if schedule.statistic == "phase means":
        # Extreme is what lies far from the mean over the schedules and not from 0: where the first condition is
        # fixed, a trend over the nights alone moves that mean away from 0.
        a -= _mean_of_judged(a[:, kept], extreme[:, kept])
        c -= _mean_of_judged(c[:, kept], extreme[:, kept])
    tested = np.zeros(len(values), dtype=np.int64) if sides is None else np.asarray(sides, dtype=np.int64)
    return ShiftStatistics(
        a[:, kept], c[:, kept], extreme[:, kept], a[:, 0], c[:, 0], estimate, counts[0], counts[1], tested
    )


def _level(values: Floats) -> Floats:
    """Return the first value of each marker: with it subtracted, rounding does not grow with the distance from 0."""
    there = np.isfinite(values)
    first = np.take_along_axis(values, there.argmax(axis=1)[:, np.newaxis], axis=1)
    return np.where(there.any(axis=1, keepdims=True), first, 0.0)


def _mean_of_judged(line: Floats, extreme: Bools) -> Floats:
    """Return the mean over the draws that can be judged, NaN where there are none; shape (n_markers, 1)."""
    n = np.sum(~extreme, axis=1, keepdims=True)
    return np.where(extreme, 0.0, line).sum(axis=1, keepdims=True) / np.where(n, n, np.nan)


def p_of_no_shift(statistics: ShiftStatistics) -> Floats:
    """Return the p-value of each marker against no difference between the conditions, two-sided unless declared.

    Parameters
    ----------
    statistics : ShiftStatistics

    Returns
    -------
    ndarray, shape (n_markers,)
        NaN for a marker that the schedule followed leaves without a statistic.

    References
    ----------
    Phipson & Smyth 2010, doi:10.2202/1544-6115.1585: a p-value by random draws is never zero.
    """
    drawn, own = statistics.sizes
    seen = own[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        tolerance = _TIE * np.maximum(seen, np.max(drawn, axis=1, keepdims=True))
        hits = (drawn >= seen - tolerance) | statistics.extreme
    return np.where(np.isfinite(seen[:, 0]), hits.mean(axis=1), np.nan)


def interval_of_shift(statistics: ShiftStatistics, alpha: float) -> tuple[Floats, Floats]:
    """Return the shifts that the two-sided test at `alpha` does not reject: lower and upper ends.

    Parameters
    ----------
    statistics : ShiftStatistics
    alpha : float
        One minus the confidence of the interval; below 1.

    Returns
    -------
    low, high : ndarray, shape (n_markers,)
        In the unit of the values. Infinite where the mechanism has too few schedules to reject any shift at `alpha`;
        NaN for a marker without a statistic.

    References
    ----------
    Michiels et al. 2017, doi:10.3758/s13428-016-0714-4: intervals by inversion of randomisation tests.
    """
    a, c = statistics.a, statistics.c
    a0, c0 = statistics.observed_a[:, np.newaxis], statistics.observed_c[:, np.newaxis]
    # A draw whose statistic falls faster with the shift than the one followed would leave a gap in the interval; it
    # counts as extreme at every shift.
    steep = (np.abs(c) >= c0 * (1 - 1e-9)) | statistics.extreme
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (a0 - a) / (c0 - c), (a0 + a) / (c0 + c)
        lower = np.where(steep, -np.inf, np.minimum(one, two))
        upper = np.where(steep, np.inf, np.maximum(one, two))
    rank = math.floor(alpha * a.shape[1] + 1e-9)  # the number of draws that may be less extreme
    low = np.partition(lower, rank, axis=1)[:, rank]
    high = -np.partition(-upper, rank, axis=1)[:, rank]
    slope = np.where(statistics.observed_c > 0, statistics.observed_c, np.inf)
    slack = _TIE * np.max(np.abs(a), axis=1) / slope  # ties count in the interval as they do in p
    # Phase means are tested around their mean over the schedules, so that the estimate may lie outside.
    low, high = np.fmin(low - slack, statistics.estimate), np.fmax(high + slack, statistics.estimate)
    lost = ~np.isfinite(statistics.observed_a)
    return np.where(lost, np.nan, low), np.where(lost, np.nan, high)


def extremeness(statistics: ShiftStatistics, markers: Sequence[int] | None = None) -> tuple[Floats, Floats]:
    """Return how extreme each schedule is, on one scale for all markers, and the schedule followed.

    These are the scores of `multiplicity.score_by_rank`, which `multiplicity.max_t` compares between markers; ranks
    that are equal are ordered by the statistic in units of its root mean square over the schedules.

    Parameters
    ----------
    statistics : ShiftStatistics
    markers : sequence of int, optional
        The rows wanted; by default all.

    Returns
    -------
    drawn : ndarray, shape (n_markers, n_schedules)
    observed : ndarray, shape (n_markers,)
    """
    rows = slice(None) if markers is None else list(markers)
    sizes, seen = (part[rows] for part in statistics.sizes)
    extreme = statistics.extreme[rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt(_mean_of_judged(statistics.a[rows] ** 2, extreme))[:, 0]
        drawn = np.where(extreme, np.inf, sizes / scale[:, np.newaxis])
        return score_by_rank(drawn, seen / scale)


def floor_of_few(n: int, n_of_one: int) -> float:
    """Return the smallest p-value that any order of `n` nights, `n_of_one` of them in one condition, can give."""
    return min(1.0, 2 / math.comb(n, n_of_one))
