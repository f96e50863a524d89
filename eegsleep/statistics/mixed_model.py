"""Linear mixed models for nights within subjects, by REML, with degrees of freedom for few subjects.

The Python libraries we know do not compute these degrees of freedom, need R, or are first releases. This module
is checked against printed output of lme4, lmerTest and pbkrtest. Everything is summed over
subjects; no matrix larger than the nights of one subject is formed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import optimize, stats

from eegsleep.errors import SettingsError
from eegsleep.statistics.effects import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Method = Literal["kenward-roger", "satterthwaite"]
_BOUNDARY = 1e-4  # a random effect with a smaller relative standard deviation counts as none


@dataclass(frozen=True)
class MixedModel:
    """A fitted model: fixed effects, variances, and what the small-sample methods need.

    Attributes
    ----------
    beta, se : ndarray
        Fixed effects and their standard errors before any correction.
    random_covariance : ndarray, shape (n_random, n_random)
        Covariance of the random effects.
    residual_variance : float
        Variance of a night within a subject.
    criterion : float
        REML criterion, minus twice the restricted log likelihood, as lme4 prints it.
    singular : bool
        Whether the variance of a random effect was estimated as 0, or one random effect as a multiple of another.
    n_nights, n_subjects : int
        Numbers of nights with a value and of subjects.
    phi : ndarray, shape (n_fixed, n_fixed)
        Covariance of the fixed effects before any correction.
    p, q : ndarray
        First and second sums over the variance parameters, as Kenward and Roger name them.
    expected, observed : ndarray, shape (n_variances, n_variances)
        Information about the variance parameters.
    """

    beta: Floats
    se: Floats
    random_covariance: Floats
    residual_variance: float
    criterion: float
    singular: bool
    n_nights: int
    n_subjects: int
    phi: Floats = field(repr=False)
    p: Floats = field(repr=False)
    q: Floats = field(repr=False)
    expected: Floats = field(repr=False)
    observed: Floats = field(repr=False)


def fit_mixed_model(
    y: ArrayLike,
    x: ArrayLike,
    subjects: ArrayLike,
    z: ArrayLike | None = None,
    *,
    correlated: bool = True,
) -> MixedModel:
    """Fit `y = x beta + z b_subject + error` by restricted maximum likelihood.

    Parameters
    ----------
    y : array_like, shape (n_nights,)
        Night values; a night whose value is NaN is left out.
    x : array_like, shape (n_nights, n_fixed)
        Fixed effects, the constant among them.
    subjects : array_like, shape (n_nights,)
        Whose night it is.
    z : array_like, shape (n_nights, n_random), optional
        Random effects; by default a random intercept.
    correlated : bool
        Whether the random effects of a subject may be correlated.

    Returns
    -------
    MixedModel

    Raises
    ------
    SettingsError
        If the model cannot be fitted: fewer than two subjects, fixed effects that depend on each other linearly, or
        values without variance that the fixed effects leave, or within subjects.

    References
    ----------
    Bates et al. 2015, doi:10.18637/jss.v067.i01
    """
    y, x, labels = np.asarray(y, dtype=float), np.asarray(x, dtype=float), np.asarray(subjects)
    z = np.ones((len(y), 1)) if z is None else np.asarray(z, dtype=float)
    kept = np.isfinite(y)
    names = np.unique(labels[kept])
    blocks = [np.flatnonzero(kept & (labels == name)) for name in names]
    n, k, r = int(kept.sum()), x.shape[1], z.shape[1]
    if len(names) < 2 or n - k < 1 or np.linalg.matrix_rank(x[kept]) < k:
        raise SettingsError(
            "a mixed model needs at least two subjects and fixed effects that can be told apart",
            found=f"{len(names)} subjects, {n} nights, {k} fixed effects",
        )
    plain = np.linalg.lstsq(x[kept], y[kept], rcond=None)[0]
    rest = y - x @ plain  # fitted in place of y, because sums of values far from 0 lose digits
    spread = np.abs(rest[kept]).max()
    if not spread > 1e-10 * np.abs(y[kept]).max():
        raise SettingsError("a mixed model needs values that vary beyond its fixed effects", found="none that do")
    both = np.column_stack([x, rest])
    sums = (
        np.array([z[rows].T @ z[rows] for rows in blocks]),
        np.array([z[rows].T @ both[rows] for rows in blocks]),
        both[kept].T @ both[kept],
    )
    by_size = [np.array([rows for rows in blocks if len(rows) == size]) for size in {len(rows) for rows in blocks}]
    stacks = [(rest[rows], x[rows], z[rows]) for rows in by_size]
    free = [(i, j) for i in range(r) for j in range(i + 1) if correlated or i == j]

    def root(theta: Floats) -> Floats:
        lower = np.zeros((r, r))
        for (i, j), value in zip(free, theta, strict=True):
            lower[i, j] = value
        return lower

    def criterion(theta: Floats) -> float:
        return _profile(sums, root(theta), n, k)[0]

    theta = _minimize(criterion, np.array([1.0 if i == j else 0.0 for i, j in free]), free)
    lower = root(theta)
    value, residual = _profile(sums, lower, n, k)
    if not residual > 1e-10 * spread**2:
        raise SettingsError("a mixed model needs nights that vary within a sleeper", found="none that do")
    covariance = lower @ lower.T * residual
    sizes = np.sqrt(np.diag(covariance) / residual)
    singular = bool((sizes < _BOUNDARY).any())
    if r > 1 and not singular:
        correlation = (lower @ lower.T) / np.outer(sizes, sizes)
        singular = bool(np.linalg.eigvalsh(correlation)[0] < _BOUNDARY)
    pieces = _pieces(stacks, covariance, residual, free)
    if not singular:
        covariance, residual, pieces = _polish(stacks, covariance, residual, free, pieces)
    beta, phi, p, q, expected, observed, _ = pieces
    beta = plain + beta
    se = np.sqrt(np.diag(phi))
    return MixedModel(beta, se, covariance, residual, value, singular, n, len(names), phi, p, q, expected, observed)


def _minimize(criterion: Callable[[Floats], float], start: Floats, free: list[tuple[int, int]]) -> Floats:
    bounds = [(0, None) if i == j else (None, None) for i, j in free]
    options = {"ftol": 1e-12, "gtol": 1e-7}
    found = optimize.minimize(criterion, start, method="L-BFGS-B", bounds=bounds, options=options)
    if min(found.x[index] for index, (i, j) in enumerate(free) if i == j) < 1e-2:
        # the search may have stopped at a boundary too early
        again = optimize.minimize(criterion, 0.3 * start, method="L-BFGS-B", bounds=bounds, options=options)
        found = min(found, again, key=lambda result: result.fun)
    theta = found.x
    for index, (i, j) in enumerate(free):  # the criterion is flat beside a boundary: take the boundary itself
        if i == j and theta[index] < 1e-3:
            at_zero = theta.copy()
            at_zero[index] = 0.0
            if criterion(at_zero) <= criterion(theta) + 1e-8:
                theta = at_zero
    return theta


def _polish(stacks: list[tuple], covariance: Floats, residual: float, free: list, pieces: tuple) -> tuple:
    """Return covariance, residual variance and their pieces after Fisher scoring to the last digits."""
    for _ in range(12):
        step = np.linalg.pinv(pieces[4]) @ pieces[6]
        moved = covariance.copy()
        for (i, j), change in zip(free, step[:-1], strict=True):
            moved[i, j] += change
            moved[j, i] = moved[i, j]
        if np.linalg.eigvalsh(moved)[0] <= 0 or residual + step[-1] <= 0:
            break
        covariance, residual = moved, residual + float(step[-1])
        pieces = _pieces(stacks, covariance, residual, free)
        if np.abs(step).max() < 1e-11 * residual:
            break
    return covariance, residual, pieces


def _profile(sums: tuple, lower: Floats, n: int, k: int) -> tuple[float, float]:
    """Return the criterion and the residual variance at a relative root of the covariance.

    `sums` holds z'z and z'[x y] of each subject, and [x y]'[x y] of all.
    """
    zz, zb, bb = sums
    inner = np.eye(len(lower)) + lower.T @ zz @ lower
    cross = lower.T @ zb
    gram = bb - np.einsum("sij,sik->jk", cross, np.linalg.solve(inner, cross))
    beta = np.linalg.solve(gram[:k, :k], gram[:k, k])
    residual = max(gram[k, k] - gram[:k, k] @ beta, 1e-300) / (n - k)
    log_det = np.linalg.slogdet(inner)[1].sum() + np.linalg.slogdet(gram[:k, :k])[1]
    return float((n - k) * (1 + math.log(2 * math.pi * residual)) + log_det), float(residual)


def _pieces(stacks: list[tuple], covariance: Floats, residual: float, free: list[tuple[int, int]]) -> tuple:
    """Return fixed effects, their covariance, and the sums behind both small-sample methods.

    `stacks` holds y, x and z of the subjects with as many nights, stacked.
    """
    k, m = stacks[0][1].shape[2], len(free) + 1
    inverses = [
        np.linalg.inv(z @ covariance @ z.transpose(0, 2, 1) + residual * np.eye(y.shape[1])) for y, _, z in stacks
    ]
    xvx = sum(np.einsum("sni,snm,smj->ij", x, v, x) for (_, x, _), v in zip(stacks, inverses, strict=True))
    xvy = sum(np.einsum("sni,snm,sm->i", x, v, y) for (y, x, _), v in zip(stacks, inverses, strict=True))
    phi = np.linalg.inv(xvx)
    beta = phi @ xvy
    p, q = np.zeros((m, k, k)), np.zeros((m, m, k, k))
    trace, quadratic, linear, score = np.zeros((m, m)), np.zeros((m, m)), np.zeros((m, k)), np.zeros(m)
    for (y, x, z), v in zip(stacks, inverses, strict=True):
        outer = np.einsum("sni,smj->ijsnm", z, z)
        g = np.array(
            [
                *(outer[i, j] + (outer[j, i] if i != j else 0.0) for i, j in free),
                np.broadcast_to(np.eye(y.shape[1]), v.shape),
            ]
        )
        vx, e = v @ x, np.einsum("snm,sm->sn", v, y - x @ beta)
        vg, gvx, ge = v @ g, g @ vx, np.einsum("rsnm,sm->rsn", g, e)
        p -= np.einsum("sni,rsnj->rij", vx, gvx)
        linear += np.einsum("sni,rsn->ri", vx, ge)
        score += (np.einsum("sn,rsn->r", e, ge) - np.einsum("rsnn->r", vg)) / 2
        q += np.einsum("rsni,tsnj->rtij", gvx, v @ gvx)
        trace += np.einsum("rsnm,tsmn->rt", vg, vg)
        quadratic += np.einsum("rsn,snm,tsm->rt", ge, v, ge)
    turned = phi @ p
    full = trace - 2 * np.einsum("ij,rtji->rt", phi, q) + np.einsum("rij,tji->rt", turned, turned)
    score -= np.einsum("rii->r", turned) / 2
    return beta, phi, p, q, full / 2, quadratic - linear @ phi @ linear.T - full / 2, score


def estimate_contrast(model: MixedModel, contrast: ArrayLike, method: Method = "kenward-roger") -> Estimate:
    """Return one linear combination of the fixed effects, tested with small-sample degrees of freedom.

    Parameters
    ----------
    model : MixedModel
        The fitted model.
    contrast : array_like, shape (n_fixed,)
        Weights of the fixed effects.
    method : {"kenward-roger", "satterthwaite"}
        Kenward-Roger also corrects the standard error; t is then the root of its scaled F.

    Returns
    -------
    Estimate
        With the 95 % interval; NaN but for the estimate and its standard error where no degrees of freedom are left.

    References
    ----------
    Kenward & Roger 1997, doi:10.2307/2533558; Halekoh & Højsgaard 2014, doi:10.18637/jss.v059.i09;
    Kuznetsova et al. 2017, doi:10.18637/jss.v082.i13
    """
    c = np.asarray(contrast, dtype=float)
    estimate = float(c @ model.beta)
    if method == "satterthwaite":
        variance = float(c @ model.phi @ c)
        slope = np.array([-c @ model.phi @ p @ model.phi @ c for p in model.p])
        spread = float(slope @ np.linalg.pinv(model.observed) @ slope)
        se, df = math.sqrt(variance), 2 * variance**2 / spread if spread > 0 else math.inf
    else:
        se, df = _kenward_roger(model, c)
    if not (se > 0 and df > 0):
        return Estimate(estimate, se, math.nan, math.nan, math.nan, math.nan, math.nan)
    t = estimate / se
    half = stats.t.isf(0.025, df) * se
    return Estimate(estimate, se, df, t, float(2 * stats.t.sf(abs(t), df)), estimate - half, estimate + half)


def _kenward_roger(model: MixedModel, c: Floats) -> tuple[float, float]:
    """Return the standard error, the scale of F included, and the degrees of freedom."""
    phi, p, q = model.phi, model.p, model.q
    w = np.linalg.pinv(model.expected)
    every = range(len(p))
    middle = sum(w[r, s] * (q[r, s] - p[r] @ phi @ p[s]) for r in every for s in every)
    adjusted = float(c @ (phi + 2 * phi @ middle @ phi) @ c)
    theta = np.outer(c, c) / float(c @ phi @ c)
    turned = [theta @ phi @ each @ phi for each in p]
    a1 = sum(w[r, s] * np.trace(turned[r]) * np.trace(turned[s]) for r in every for s in every)
    a2 = sum(w[r, s] * np.trace(turned[r] @ turned[s]) for r in every for s in every)
    if not (adjusted > 0 and a2 > 0):
        return math.nan, math.nan
    b = (a1 + 6 * a2) / 2
    g = (2 * a1 - 5 * a2) / (3 * a2)
    below = 3 + 2 * (1 - g)
    c1, c2, c3 = g / below, (1 - g) / below, (3 - g) / below
    # Written so that 4 degrees of freedom, where the form in the paper divides by zero, are found as 4.
    shrink = 1.0 if abs(1 - a2) < 1e-14 else (1 - c2 * b) / (1 - a2)
    inverse = shrink**2 * (1 - c3 * b) / (1 + c1 * b) if 1 + c1 * b else 1.0
    if inverse == 1:
        return math.sqrt(adjusted), math.nan
    df = 4 + 3 * inverse / (1 - inverse)
    scale = 1.0 if abs(df - 2) < 1e-2 else df * (1 - a2) / (df - 2)
    if not (df > 0 and scale > 0):
        return math.sqrt(adjusted), math.nan
    return math.sqrt(adjusted / scale), float(df)
