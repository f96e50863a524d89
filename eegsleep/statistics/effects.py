"""Sizes of effect and their comparators: Hedges g, non-overlap, log ratios, t intervals, equivalence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import integrate, linalg, special, stats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_AUTOCORRELATIONS = np.linspace(-0.8, 0.95, 71)


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error, degrees of freedom, t, p and interval."""

    estimate: float
    se: float
    df: float
    t: float
    p: float
    low: float
    high: float


def estimate_by_t(estimate: float, se: float, df: float, alpha: float = 0.05) -> Estimate:
    """Return an estimate referred to Student's t; all but the estimate is NaN without freedom or spread."""
    if not (df > 0 and se > 0):
        return Estimate(estimate, se, df, math.nan, math.nan, math.nan, math.nan)
    half = -float(special.stdtrit(df, alpha / 2)) * se
    t = estimate / se
    p = 2 * float(special.stdtr(df, -abs(t)))
    return Estimate(estimate, se, df, t, p, estimate - half, estimate + half)


def small_sample_factor(df: float) -> float:
    """Return Hedges' J for `df` degrees of freedom, exact.

    References
    ----------
    Hedges 1981, doi:10.3102/10769986006002107
    """
    if not df > 1:
        return math.nan
    return math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2)


def cohen_d_z(first: ArrayLike, second: ArrayLike) -> float:
    """Return the mean difference of pairs (second minus first) in standard deviations of the differences.

    A pair with a NaN is left out; the value depends on how much the two conditions go together.
    """
    differences = _finite(np.asarray(second, dtype=float) - np.asarray(first, dtype=float))
    if differences.size < 2:
        return math.nan
    spread = differences.std(ddof=1)
    return float(differences.mean() / spread) if spread > 0 else math.nan


def cohen_d_av(first: ArrayLike, second: ArrayLike, spread: Literal["mean", "rms"] = "mean") -> float:
    """Return the difference of means (second minus first) in standard deviations between nights.

    Parameters
    ----------
    first, second : array_like
        Night values; NaN is left out.
    spread : {"mean", "rms"}
        How the standard deviations of both conditions are averaged: as they are (Lakens), or their squares.

    References
    ----------
    Lakens 2013, doi:10.3389/fpsyg.2013.00863
    """
    first, second = _finite(first), _finite(second)
    if min(first.size, second.size) < 2:
        return math.nan
    one, two = first.std(ddof=1), second.std(ddof=1)
    sd = (one + two) / 2 if spread == "mean" else math.sqrt((one**2 + two**2) / 2)
    return float((second.mean() - first.mean()) / sd) if sd > 0 else math.nan


def hedges_g_av(first: ArrayLike, second: ArrayLike, *, df: float) -> float:
    """Return `cohen_d_av` times J(`df`), so that few nights do not make it too large.

    Parameters
    ----------
    first, second : array_like
        Night values; NaN is left out.
    df : float
        Degrees of freedom of J: pairs minus 1 for pairs, nights minus 2 otherwise.

    References
    ----------
    Lakens 2013, doi:10.3389/fpsyg.2013.00863
    """
    return cohen_d_av(first, second) * small_sample_factor(df)


def hedges_g(difference: float, sd: float, n_first: int, n_second: int) -> tuple[float, float]:
    """Return g and its variance for two independent groups with pooled standard deviation `sd`."""
    d, j = difference / sd, small_sample_factor(n_first + n_second - 2)
    variance = (n_first + n_second) / (n_first * n_second) + d**2 / (2 * (n_first + n_second))
    return j * d, j**2 * variance


def hedges_g_matched(difference: float, sd_difference: float, correlation: float, n_pairs: int) -> tuple[float, float]:
    """Return g and its variance for matched pairs, in standard deviations within a condition.

    References
    ----------
    Borenstein et al. 2009, Introduction to Meta-Analysis, ch. 4.
    """
    d = difference / (sd_difference / math.sqrt(2 * (1 - correlation)))
    j = small_sample_factor(n_pairs - 1)
    return j * d, j**2 * (1 / n_pairs + d**2 / (2 * n_pairs)) * 2 * (1 - correlation)


def nap(first: ArrayLike, second: ArrayLike) -> float:
    """Return the share of pairs of nights in which the second condition is larger, ties as half.

    References
    ----------
    Parker & Vannest 2009, doi:10.1016/j.beth.2008.10.006
    """
    first, second = _finite(first), _finite(second)
    if not (first.size and second.size):
        return math.nan
    over = second[:, np.newaxis] - first
    return float((over > 0).mean() + (over == 0).mean() / 2)


@dataclass(frozen=True)
class Overlap:
    """Counts of the older non-overlap indices: PND, PAND and the robust improvement rate difference."""

    above_all: int
    kept: int
    n_first: int
    n_second: int
    improved_first: int
    improved_second: int

    @property
    def pnd(self) -> float:
        """Share of the second condition above all of the first."""
        return self.above_all / self.n_second

    @property
    def pand(self) -> float:
        """Share of all nights left when the fewest are removed that end the overlap."""
        return self.kept / (self.n_first + self.n_second)

    @property
    def ird(self) -> float:
        """Improvement rate of the second minus that of the first condition."""
        return self.improved_second / self.n_second - self.improved_first / self.n_first


def overlap(first: ArrayLike, second: ArrayLike) -> Overlap:
    """Count the overlap of two conditions; descriptive only, for comparison with older reports.

    Among removals of the fewest values the one most even between conditions is taken.

    References
    ----------
    Parker, Vannest & Davis 2011, doi:10.1177/0145445511399147
    """
    first, second = _finite(first), _finite(second)
    values = np.unique(np.concatenate([first, second]))
    cuts = np.concatenate([values, (values[1:] + values[:-1]) / 2])
    removed = np.array([[(first > cut).sum(), (second < cut).sum()] for cut in cuts])
    a, b = min(removed.tolist(), key=lambda pair: (sum(pair), abs(pair[0] - pair[1])))
    kept = first.size + second.size - a - b
    return Overlap(int((second > first.max()).sum()), kept, first.size, second.size, a, second.size - b)


def log_response_ratio(first: ArrayLike, second: ArrayLike) -> float:
    """Return ln(mean of the second / mean of the first); NaN unless both are positive."""
    first, second = _finite(first), _finite(second)
    if not (first.size and second.size and first.mean() > 0 and second.mean() > 0):
        return math.nan
    return math.log(second.mean() / first.mean())


def two_one_sided_tests(estimate: float, se: float, df: float, bound: float) -> tuple[float, float]:
    """Return the one-sided p-values of two one-sided t tests: above -`bound`, and below `bound`.

    References
    ----------
    Schuirmann 1987, doi:10.1007/BF01068419
    """
    return float(stats.t.sf((estimate + bound) / se, df)), float(stats.t.cdf((estimate - bound) / se, df))


def is_equivalent(low_90: float, high_90: float, bound: float) -> bool:
    """Return whether the 90 % interval lies inside ±`bound`: two one-sided tests at 5 %."""
    return bool(-bound < low_90 and high_90 < bound)


def jzs_bayes_factor(t: float, n: int, scale: float = math.sqrt(0.5)) -> float:
    """Return the Bayes factor of a difference for a one-sample or paired t of `n`, Cauchy prior of `scale`.

    References
    ----------
    Rouder et al. 2009, doi:10.3758/PBR.16.2.225
    """
    df = n - 1

    def integrand(g: float) -> float:
        spread = 1 + n * g * scale**2
        kernel = (1 + t**2 / (spread * df)) ** (-(df + 1) / 2)
        return spread**-0.5 * kernel * (2 * math.pi) ** -0.5 * g**-1.5 * math.exp(-1 / (2 * g))

    return integrate.quad(integrand, 0, math.inf)[0] / (1 + t**2 / df) ** (-(df + 1) / 2)


def adjusted_t(values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None, alpha: float) -> Estimate:
    """Return the condition's coefficient by ordinary least squares: with pairs, the paired t test."""
    y, z, basis, _ = _regression(values, assigned, covariates)
    if z @ z < 1e-9:
        return estimate_by_t(math.nan, math.nan, math.nan)
    estimate, df = float(z @ y / (z @ z)), float(len(y) - basis.shape[1] - 1)
    spread = float(((y - estimate * z) ** 2).sum())
    return estimate_by_t(estimate, math.sqrt(spread / df / (z @ z)) if df > 0 else math.nan, df, alpha)


def leave_one_out(values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None) -> Floats:
    """Return the coefficient of `adjusted_t` without each night; NaN where it has no value or none is left."""
    y, z, basis, kept = _regression(values, assigned, covariates)
    without = np.full(len(kept), np.nan)
    if z @ z < 1e-9:
        return without
    estimate = z @ y / (z @ z)
    room = 1 - (basis**2).sum(axis=1) - z**2 / (z @ z)
    step = np.divide(z * (y - estimate * z), room * (z @ z), out=np.full(len(y), np.nan), where=room > 1e-9)
    without[kept] = estimate - step
    return without


def _regression(values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None) -> tuple:
    """Return values and condition freed of the covariates, the basis of those, and the nights kept."""
    values = np.asarray(values, dtype=float)
    kept = np.isfinite(values)
    columns = [np.ones((len(values), 1))] + ([] if covariates is None else [covariates])
    u, s, _ = np.linalg.svd(np.hstack(columns)[kept], full_matrices=False)
    basis = u[:, s > 1e-9 * s[0]] if s.size else u
    y, z = values[kept], assigned[kept].astype(float)
    return y - basis @ (basis.T @ y), z - basis @ (basis.T @ z), basis, kept


def describe_with_autocorrelation(
    values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None, alpha: float = 0.05
) -> tuple[Estimate, float]:
    """Return the condition's coefficient and the residual autocorrelation, by REML with AR(1) errors.

    For designs that no mechanism allocated: an interval to describe, not to decide; in short fixed
    series it is too narrow (type-I error 8-10 % at 20 nights). Nights without a value leave a gap.
    """
    values = np.asarray(values, dtype=float)
    kept = np.flatnonzero(np.isfinite(values))
    columns = [assigned[:, np.newaxis].astype(float), np.ones((len(values), 1))]
    x = np.hstack(columns + ([] if covariates is None else [covariates]))[kept]
    n, k = x.shape
    if np.linalg.matrix_rank(x) < k or n - k < 1:
        return estimate_by_t(math.nan, math.nan, math.nan), math.nan
    y, lag = values[kept], np.abs(kept[:, np.newaxis] - kept)
    best = (-math.inf, 0.0, math.nan, math.nan)
    for phi in _AUTOCORRELATIONS:
        lower = linalg.cholesky(np.where(lag, float(phi), 1.0) ** np.maximum(lag, 1), lower=True)
        solved = linalg.solve_triangular(lower, np.column_stack([x, y]), lower=True)
        q, r = np.linalg.qr(solved[:, :k])
        rest = solved[:, k] - q @ (q.T @ solved[:, k])
        variance = float(rest @ rest) / (n - k)
        if variance <= 0:
            break
        likelihood = -0.5 * (n - k) * math.log(variance) - np.log(np.diag(lower)).sum() - np.log(abs(np.diag(r))).sum()
        if likelihood > best[0]:
            inverse = np.linalg.inv(r)
            beta = float(inverse[0] @ (q.T @ solved[:, k]))
            best = (likelihood, float(phi), beta, math.sqrt(variance * float(inverse[0] @ inverse[0])))
    return estimate_by_t(best[2], best[3], n - k, alpha), best[1]


def _finite(values: ArrayLike) -> Floats:
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]
