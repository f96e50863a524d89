"""Limits of agreement of two measurements, with one or several nights of each sleeper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
LIMITS_SD = 1.96


def limits_of_agreement(differences: NDArray, units: NDArray) -> dict[str, float]:
    """Return Bland and Altman's bias and limits with 95 % intervals, for one or several nights a unit.

    Parameters
    ----------
    differences : array, shape (n_nights,)
        Observed minus reference.
    units : array, shape (n_nights,)
        Subject of each night; nights of one subject may be alike.

    Returns
    -------
    dict of str to float
        bias, bias_low, bias_high, sd, and loa_lower, loa_upper, each with _low and _high.

    Notes
    -----
    One-way random-effects analysis of variance (Bland & Altman 2007, doi:10.1080/10543400701329422); the sd
    is that of a new night of a new subject. Intervals of the limits: method of variance estimates recovery
    (Zou 2013, doi:10.1177/0962280211402548).
    """
    from scipy import stats

    _, of_night, sizes = np.unique(units, return_inverse=True, return_counts=True)
    n, n_units, bias = differences.size, sizes.size, float(differences.mean())
    means = np.bincount(of_night, weights=differences) / sizes
    between_dof, within_dof = n_units - 1, n - n_units
    ms_between = np.sum(sizes * (means - bias) ** 2) / between_dof
    ms_within = np.sum((differences - means[of_night]) ** 2) / within_dof if within_dof else 0.0
    per_unit = (n - np.sum(sizes**2) / n) / between_dof
    shared = max(0.0, (ms_between - ms_within) / per_unit)  # variance between units
    variance = shared + ms_within
    error = np.sqrt(shared * np.sum(sizes**2) / n**2 + ms_within / n)
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, between_dof) * error
    tails = np.array([(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2])
    off = ms_between / per_unit * (between_dof / stats.chi2.ppf(tails, between_dof) - 1)
    off_within = np.zeros(2)
    if within_dof:
        off_within = (1 - 1 / per_unit) * ms_within * (within_dof / stats.chi2.ppf(tails, within_dof) - 1)
    down, up = np.hypot(off, off_within)
    sd = float(np.sqrt(variance))
    shrink, grow = sd - np.sqrt(max(variance - down, 0.0)), np.sqrt(variance + up) - sd
    near, far = np.hypot(reach, LIMITS_SD * np.array([shrink, grow]))
    lower, upper = bias - LIMITS_SD * sd, bias + LIMITS_SD * sd
    return {
        "bias": bias,
        "bias_low": bias - reach,
        "bias_high": bias + reach,
        "sd": sd,
        "loa_lower": lower,
        "loa_lower_low": lower - far,
        "loa_lower_high": lower + near,
        "loa_upper": upper,
        "loa_upper_low": upper - near,
        "loa_upper_high": upper + far,
    }


def proportional_bias(differences: NDArray, means: NDArray, units: NDArray) -> dict[str, float]:
    """Return the slope of the difference on the mean of both scorings, with a 95 % interval.

    The nights of a unit are averaged to one point, so that the points of the regression are independent.

    Parameters
    ----------
    differences, means : array, shape (n_nights,)
        Observed minus reference, and the mean of both.
    units : array, shape (n_nights,)
        Subject of each night.

    Returns
    -------
    dict of str to float
        slope, slope_low and slope_high; NaN where the means do not differ.
    """
    from scipy import stats

    _, of_night, sizes = np.unique(units, return_inverse=True, return_counts=True)
    x, y = (np.bincount(of_night, weights=values) / sizes for values in (means, differences))
    if np.ptp(x) <= 1e-9 * max(1.0, float(np.abs(x).max())):
        return dict.fromkeys(("slope", "slope_low", "slope_high"), np.nan)
    x, y, dof = x - x.mean(), y - y.mean(), sizes.size - 2
    spread = x @ x
    slope = x @ y / spread
    residual = y - slope * x
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, dof) * np.sqrt(residual @ residual / dof / spread)
    return {"slope": slope, "slope_low": slope - reach, "slope_high": slope + reach}
