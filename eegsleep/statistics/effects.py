"""Effect sizes (Hedges g, non-overlap) and t intervals, also with autocorrelated nights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import linalg, special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_AUTOCORRELATIONS = np.linspace(-0.8, 0.95, 71)
_ALPHA = 0.05  # one minus the confidence of every interval here


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error, degrees of freedom, t, two-sided p and 95 % interval (low, high)."""

    estimate: float
    se: float
    df: float
    t: float
    p: float
    low: float
    high: float


NOTHING = Estimate(*([math.nan] * 7))  # of what cannot be estimated


def estimate_by_t(estimate: float, se: float, df: float) -> Estimate:
    """Return an estimate with t, p and the 95 % interval by Student's t.

    Parameters
    ----------
    estimate, se : float
        In the unit of the values; `se` is the standard error.
    df : float
        Degrees of freedom; need not be a whole number.

    Returns
    -------
    Estimate
        t, p and interval are NaN without degrees of freedom or without spread.
    """
    if not (df > 0 and se > 0):
        return Estimate(estimate, se, df, math.nan, math.nan, math.nan, math.nan)
    half = -float(special.stdtrit(df, _ALPHA / 2)) * se
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


def hedges_g_av(first: ArrayLike, second: ArrayLike, *, df: float) -> float:
    """Return Hedges' g_av: the difference of means in standard deviations between nights, corrected for few nights.

    The standard deviation is the mean of those of both conditions; the correction is J (`small_sample_factor`).

    Parameters
    ----------
    first, second : array_like, shape (n_first,) and (n_second,)
        Night values; NaN is left out.
    df : float
        Degrees of freedom of J: pairs minus 1 for pairs, nights minus 2 otherwise.

    Returns
    -------
    float
        Second minus first; NaN with fewer than two values in a condition, or without spread.

    References
    ----------
    Lakens 2013, doi:10.3389/fpsyg.2013.00863
    """
    first, second = _finite(first), _finite(second)
    if min(first.size, second.size) < 2:
        return math.nan
    sd = (first.std(ddof=1) + second.std(ddof=1)) / 2
    return float((second.mean() - first.mean()) / sd) * small_sample_factor(df) if sd > 0 else math.nan


def nap(first: ArrayLike, second: ArrayLike) -> float:
    """Return the non-overlap of all pairs: the share in which the night of the second condition is larger.

    Parameters
    ----------
    first, second : array_like, shape (n_first,) and (n_second,)
        Night values; NaN is left out.

    Returns
    -------
    float
        0 to 1, ties counted as half; NaN if a condition has no value.

    References
    ----------
    Parker & Vannest 2009, doi:10.1016/j.beth.2008.10.006
    """
    first, second = _finite(first), _finite(second)
    if not (first.size and second.size):
        return math.nan
    over = second[:, np.newaxis] - first
    return float((over > 0).mean() + (over == 0).mean() / 2)


def is_equivalent(low_90: float, high_90: float, bound: float) -> bool:
    """Return whether the 90 % interval lies inside ±`bound`, which is two one-sided tests at 5 %.

    References
    ----------
    Schuirmann 1987, doi:10.1007/BF01068419
    """
    return bool(-bound < low_90 and high_90 < bound)


def adjusted_t(values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None) -> Estimate:
    """Return the condition's coefficient by ordinary least squares: with pairs as covariates, the paired t test.

    Parameters
    ----------
    values : array_like, shape (n_nights,)
        NaN is left out.
    assigned : ndarray of bool, shape (n_nights,)
        True in the second condition.
    covariates : ndarray, shape (n_nights, n_covariates), or None
        Without the constant, which is always in the model.

    Returns
    -------
    Estimate
        NaN where the covariates leave nothing of the condition.
    """
    y, z, basis, _ = _regression(values, assigned, covariates)
    if z @ z < 1e-9:
        return estimate_by_t(math.nan, math.nan, math.nan)
    estimate, df = float(z @ y / (z @ z)), float(len(y) - basis.shape[1] - 1)
    spread = float(((y - estimate * z) ** 2).sum())
    return estimate_by_t(estimate, math.sqrt(spread / df / (z @ z)) if df > 0 else math.nan, df)


def leave_one_out(values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None) -> Floats:
    """Return the coefficient of `adjusted_t` without each night in turn.

    Parameters
    ----------
    values, assigned, covariates
        As in `adjusted_t`.

    Returns
    -------
    ndarray, shape (n_nights,)
        NaN for a night without a value, or without which the condition has no coefficient.
    """
    y, z, basis, kept = _regression(values, assigned, covariates)
    without = np.full(len(kept), np.nan)
    if z @ z < 1e-9:
        return without
    estimate = z @ y / (z @ z)
    room = 1 - (basis**2).sum(axis=1) - z**2 / (z @ z)
    step = np.divide(z * (y - estimate * z), room * (z @ z), out=np.full(len(y), np.nan), where=room > 1e-9)
    without[kept] = estimate - step
    return without


def _regression(
    values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Return residuals of values and condition after the covariates, the basis of those, and the nights kept."""
    values = np.asarray(values, dtype=float)
    kept = np.isfinite(values)
    columns = [np.ones((len(values), 1))] + ([] if covariates is None else [covariates])
    design = np.hstack(columns)[kept]
    basis = _find_basis(design.shape, design.tobytes())
    y, z = values[kept], assigned[kept].astype(float)
    return y - basis @ (basis.T @ y), z - basis @ (basis.T @ z), basis, kept


@lru_cache(maxsize=16)
def _find_basis(shape: tuple[int, int], design: bytes) -> Floats:
    """Return an orthonormal basis of the columns of a design; hundreds of markers of one study have the same."""
    u, s, _ = np.linalg.svd(np.frombuffer(design).reshape(shape), full_matrices=False)
    basis = u[:, s > 1e-9 * s[0]] if s.size else u
    basis.flags.writeable = False  # it is handed out more than once
    return basis


def describe_with_autocorrelation(
    values: ArrayLike, assigned: NDArray[np.bool_], covariates: Floats | None
) -> tuple[Estimate, float]:
    """Return the condition's coefficient and the residual autocorrelation, by REML with AR(1) errors.

    For designs that no mechanism allocated: the interval describes and does not decide. In short fixed
    series it is too narrow (type-I error 8-10 % at 20 nights). Nights without a value leave a gap.

    Parameters
    ----------
    values : array_like, shape (n_nights,)
        One value a night, the nights equally spaced; NaN where there is none.
    assigned : ndarray of bool, shape (n_nights,)
        True in the second condition.
    covariates : ndarray, shape (n_nights, n_covariates), or None
        Without the constant.

    Returns
    -------
    estimate : Estimate
        NaN where the nights do not determine it.
    autocorrelation : float
        Of the residuals from one night to the next: the value of highest restricted likelihood on a grid from -0.8
        to 0.95 in steps of 0.025.
    """
    values = np.asarray(values, dtype=float)
    kept = np.flatnonzero(np.isfinite(values))
    columns = [assigned[:, np.newaxis].astype(float), np.ones((len(values), 1))]
    x = np.hstack(columns + ([] if covariates is None else [covariates]))[kept]
    n, k = x.shape
    if np.linalg.matrix_rank(x) < k or n - k < 1:
        return estimate_by_t(math.nan, math.nan, math.nan), math.nan
    y = values[kept]
    likelihood, beta, error = _likelihoods(_whiten(kept.tobytes(), x.tobytes(), k), y)
    if not len(likelihood):
        return estimate_by_t(math.nan, math.nan, n - k), 0.0
    best = int(np.argmax(likelihood))
    return estimate_by_t(float(beta[best]), float(error[best]), n - k), float(_AUTOCORRELATIONS[best])


class _Whitened(NamedTuple):
    """A regression freed of each autocorrelation of the grid, all that it needs but the values.

    Attributes
    ----------
    whitener : ndarray, shape (n_grid, n_nights, n_nights)
        Times the values gives independent ones.
    basis : ndarray, shape (n_grid, n_nights, n_columns)
        Orthonormal basis of the whitened columns.
    first : ndarray, shape (n_grid, n_columns)
        Times the values on the basis gives the coefficient of the condition.
    penalty : ndarray, shape (n_grid,)
        What is taken from the logarithm of the restricted likelihood.
    """

    whitener: Floats
    basis: Floats
    first: Floats
    penalty: Floats


@lru_cache(maxsize=4)
def _whiten(kept: bytes, columns: bytes, k: int) -> _Whitened:
    """Return what all markers with values on the same nights share: hundreds of them in one comparison."""
    night, x = np.frombuffer(kept, dtype=np.intp), np.frombuffer(columns).reshape(-1, k)
    lag = np.abs(night[:, np.newaxis] - night)
    made = []
    for phi in _AUTOCORRELATIONS:
        lower = linalg.cholesky(np.where(lag, float(phi), 1.0) ** np.maximum(lag, 1), lower=True)
        whitener = linalg.solve_triangular(lower, np.eye(len(night)), lower=True)
        q, r = np.linalg.qr(whitener @ x)
        penalty = np.log(np.diag(lower)).sum() + np.log(abs(np.diag(r))).sum()
        made.append((whitener, q, np.linalg.inv(r)[0], penalty))
    return _Whitened(*(np.array(part) for part in zip(*made, strict=True)))


def _likelihoods(whitened: _Whitened, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return restricted log likelihood, coefficient and its standard error for each autocorrelation of the grid.

    The grid ends where the columns leave nothing of the values.
    """
    n, k = whitened.basis.shape[1:]
    solved = whitened.whitener @ y
    on_basis = np.einsum("pnk,pn->pk", whitened.basis, solved)
    rest = solved - np.einsum("pnk,pk->pn", whitened.basis, on_basis)
    variance = (rest**2).sum(axis=1) / (n - k)
    known = np.cumprod(variance > 0).astype(bool)
    variance, first = variance[known], whitened.first[known]
    likelihood = -0.5 * (n - k) * np.log(variance) - whitened.penalty[known]
    return likelihood, (first * on_basis[known]).sum(axis=1), np.sqrt(variance * (first**2).sum(axis=1))


def _finite(values: ArrayLike) -> Floats:
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]
