"""The mean of phase means under every schedule: each phase counts once, however many nights it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


def number_phases(schedules: Bools, wash_out_nights: int = 0) -> NDArray[np.int16]:
    """Return the phase of each night of each schedule, counted from 0; -1 for the nights of its wash-out.

    Parameters
    ----------
    schedules : ndarray of bool, shape (n_schedules, n_nights)
        True in the second condition.
    wash_out_nights : int
        Nights at the start of each phase that do not enter.

    Returns
    -------
    ndarray of int, shape (n_schedules, n_nights)
    """
    phase = np.zeros(schedules.shape, dtype=np.int16)
    place = np.zeros(len(schedules), dtype=np.int16)
    washed = np.zeros(schedules.shape, dtype=bool)
    washed[:, 0] = wash_out_nights > 0
    for night in range(1, schedules.shape[1]):
        new = schedules[:, night] != schedules[:, night - 1]
        phase[:, night] = phase[:, night - 1] + new
        place = np.where(new, 0, place + 1)
        washed[:, night] = place < wash_out_nights
    phase[washed] = -1
    return phase


def difference_of_phase_means(
    schedules: Bools, values: Floats, assigned: Bools, wash_out_nights: int = 0
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return the mean of phase means, second minus first condition, of every schedule for every marker.

    Parameters
    ----------
    schedules : ndarray of bool, shape (n_schedules, n_nights)
    values : ndarray of float, shape (n_markers, n_nights)
        NaN where there is none; a phase without a value does not count.
    assigned : ndarray of bool, shape (n_nights,)
        The schedule that was followed.
    wash_out_nights : int
        Nights at the start of each phase that do not enter.

    Returns
    -------
    difference : ndarray, shape (n_markers, n_schedules)
        Meaningless where a condition has no night.
    slope : ndarray, shape (n_markers, n_schedules)
        How much a shift of the nights of the second condition, as followed, changes the difference.
    fewest : ndarray of int, shape (n_markers, n_schedules)
        Nights of the condition that has fewer.
    """
    phase = number_phases(schedules, wash_out_nights)
    there = np.isfinite(values)
    counted = there.T.astype(float)
    columns = np.where(there, values, 0.0).T, counted * assigned[:, np.newaxis]
    shape = (2, len(schedules), len(values))  # phases of even and of odd number, one condition each
    totals, slopes, n_phases, n_nights = (np.zeros(shape) for _ in range(4))
    for k in range(int(phase.max()) + 1):
        inside = (phase == k).astype(float)
        n = inside @ counted
        share = np.divide(1.0, n, out=np.zeros(n.shape), where=n > 0)
        for sums, column in zip((totals, slopes), columns, strict=True):
            sums[k % 2] += (inside @ column) * share
        n_phases[k % 2] += n > 0
        n_nights[k % 2] += n
    n_phases = np.maximum(n_phases, 1)
    sign = np.where(schedules[:, :1], 1.0, -1.0)
    even, odd = totals / n_phases
    one, two = slopes / n_phases
    return (sign * (even - odd)).T, (sign * (one - two)).T, n_nights.min(axis=0).T.astype(np.int64)


def weigh_phases(schedules: Bools, wash_out_nights: int = 0) -> Floats:
    """Return the weight of each night in the difference of phase means, where every night has a value.

    Parameters
    ----------
    schedules : ndarray of bool, shape (n_schedules, n_nights)
    wash_out_nights : int
        Nights at the start of each phase that do not enter.

    Returns
    -------
    ndarray, shape (n_schedules, n_nights)
    """
    phase = number_phases(schedules, wash_out_nights)
    weights = np.zeros(schedules.shape)
    n_phases = np.zeros((2, len(schedules), 1))
    for k in range(int(phase.max()) + 1):
        inside = phase == k
        n = inside.sum(axis=1, keepdims=True)
        weights += inside / np.maximum(n, 1)
        n_phases[k % 2] += n > 0
    even = (phase % 2 == 0) & (phase >= 0)
    sign = np.where(even, 1.0, -1.0) * np.where(schedules[:, :1], 1.0, -1.0)
    return sign * weights / np.maximum(np.where(even, n_phases[0], n_phases[1]), 1)
