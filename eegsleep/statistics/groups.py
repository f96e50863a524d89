"""Many subjects: the mixed model, and subject means to check it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.statistics.effects import Estimate, estimate_by_t
from eegsleep.statistics.mixed_model import MixedModel, estimate_contrast, fit_mixed_model

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Design = Literal["within", "between"]  # crossover, or parallel groups
_SHARE_LEFT = 0.05  # of the condition's variance within a subject; with less, an effect would be mostly extrapolated


def compare_subject_means(
    values: ArrayLike,
    assigned: NDArray[np.bool_],
    subjects: ArrayLike,
    design: Design,
    covariates: Floats | None = None,
) -> Estimate:
    """Return the t test on one number a subject, which checks every model here and nearly equals it.

    Parameters
    ----------
    values, assigned, subjects : array_like, shape (n_nights,)
        Night values (NaN left out), whether the second condition, and whose night.
    design : {"within", "between"}
        Paired differences of condition means, or Welch's test of subject means.
    covariates : ndarray, shape (n_nights, n_covariates), optional
        Time, which is taken out within each sleeper; or periods, which go with the condition within a sleeper and
        are taken out of the paired differences between sleepers.

    Returns
    -------
    Estimate
        Second minus first condition; t, p and interval are NaN with too few subjects.
    """
    values, subjects = np.asarray(values, dtype=float), np.asarray(subjects)
    others = np.zeros((len(values), 0)) if covariates is None else covariates
    if design == "within":
        own = own_effects(values, assigned, subjects, others) if others.shape[1] else np.zeros(0)
        own = own[np.isfinite(own)]
        return _mean_effect(own) if len(own) > 1 else _difference_of_means(values, assigned, subjects, others)
    means = _condition_means(values[:, np.newaxis], assigned, subjects)
    first, second = (column[np.isfinite(column)] for column in means[:, :, 0].T)
    if min(len(first), len(second)) < 2:
        return estimate_by_t(math.nan, math.nan, math.nan)
    errors = [arm.var(ddof=1) / len(arm) for arm in (first, second)]
    total = float(sum(errors))
    df = total**2 / sum(e**2 / (len(arm) - 1) for e, arm in zip(errors, (first, second), strict=True)) if total else 0.0
    return estimate_by_t(float(second.mean() - first.mean()), math.sqrt(total), df)


def own_effects(values: Floats, assigned: NDArray[np.bool_], subjects: NDArray, covariates: Floats) -> Floats:
    """Return the condition's effect within each subject, the covariates taken out within that subject.

    Parameters
    ----------
    values, assigned, subjects : ndarray, shape (n_nights,)
    covariates : ndarray, shape (n_nights, n_covariates)

    Returns
    -------
    ndarray, shape (n_subjects,)
        By name of the subject; NaN where the covariates leave less than a twentieth of the condition's variance, or
        nothing to judge the fit by.
    """
    names = np.unique(subjects)
    effects = np.full(len(names), np.nan)
    for place, name in enumerate(names):
        kept = (subjects == name) & np.isfinite(values)
        z = assigned[kept].astype(float)
        if not kept.any() or np.ptp(z) == 0:
            continue
        u, s, _ = np.linalg.svd(np.column_stack([np.ones(len(z)), covariates[kept]]), full_matrices=False)
        basis = u[:, s > 1e-9 * s[0]]
        left = z - basis @ (basis.T @ z)
        if left @ left > _SHARE_LEFT * z.var() * len(z) and len(z) > basis.shape[1] + 1:
            effects[place] = float(left @ values[kept] / (left @ left))
    return effects


def _mean_effect(effects: Floats) -> Estimate:
    n = len(effects)
    return estimate_by_t(float(effects.mean()), float(effects.std(ddof=1)) / math.sqrt(n), n - 1.0)


def _difference_of_means(
    values: Floats, assigned: NDArray[np.bool_], subjects: NDArray, covariates: Floats
) -> Estimate:
    """Return the paired t test of condition means, differences of the covariates taken out between subjects."""
    means = _condition_means(np.column_stack([values, covariates]), assigned, subjects)
    differences = means[:, 1] - means[:, 0]
    differences = differences[np.isfinite(differences[:, 0])]
    n = len(differences)
    x = np.ones((n, 1))
    for column in differences[:, 1:].T:
        wider = np.column_stack([x, column])
        if n - wider.shape[1] >= 2 and np.linalg.matrix_rank(wider, tol=1e-8) == wider.shape[1]:
            x = wider
    df = float(n - x.shape[1])
    if df < 1:
        return estimate_by_t(math.nan, math.nan, math.nan)
    beta = np.linalg.lstsq(x, differences[:, 0], rcond=None)[0]
    variance = float(((differences[:, 0] - x @ beta) ** 2).sum()) / df
    return estimate_by_t(float(beta[0]), math.sqrt(variance * np.linalg.inv(x.T @ x)[0, 0]), df)


def _condition_means(columns: Floats, assigned: NDArray[np.bool_], subjects: NDArray) -> Floats:
    """Return means by subject, condition and column over the nights with a value, NaN where there are none."""
    names = np.unique(subjects)
    means = np.full((len(names), 2, columns.shape[1]), np.nan)
    for place, name in enumerate(names):
        for arm in (0, 1):
            chosen = (subjects == name) & (assigned == bool(arm)) & np.isfinite(columns[:, 0])
            if chosen.any():
                means[place, arm] = columns[chosen].mean(axis=0)
    return means


@dataclass(frozen=True)
class GroupResult:
    """The estimates of a group design for one marker.

    Attributes
    ----------
    chosen : Estimate
        The one that decides; `method` is its name.
    method : str
    kenward_roger, satterthwaite : Estimate or None
        By the mixed model; None where it cannot be fitted.
    subject_means : Estimate
    model : MixedModel or None
    note : str
        Why the mixed model does not decide; empty where it does.
    """

    chosen: Estimate
    method: str
    kenward_roger: Estimate | None
    satterthwaite: Estimate | None
    subject_means: Estimate
    model: MixedModel | None
    note: str


def compare_groups(
    values: ArrayLike,
    assigned: NDArray[np.bool_],
    subjects: ArrayLike,
    design: Design,
    covariates: Floats | None = None,
) -> GroupResult:
    """Estimate the condition's effect over subjects by a mixed model, checked by subject means.

    Within subjects with two or more nights a condition, the effect may differ between subjects (random
    slope). Where that variance cannot be estimated, subject means decide, because a model without it rejects too
    often (type-I error up to 15 % at six to twenty subjects with seven nights).

    Parameters
    ----------
    values, assigned, subjects : array_like, shape (n_nights,)
        Night values, whether the second condition, and whose night.
    design : {"within", "between"}
        Crossover or parallel groups.
    covariates : ndarray, shape (n_nights, n_covariates), optional
        Periods, time: centred or not, without the constant.

    Returns
    -------
    GroupResult
    """
    values, subjects = np.asarray(values, dtype=float), np.asarray(subjects)
    means = compare_subject_means(values, assigned, subjects, design, covariates)
    kept = np.isfinite(values)
    z = assigned.astype(float)
    x = np.column_stack([np.ones(len(z)), z])
    for column in [] if covariates is None else covariates.T:
        wider = np.column_stack([x, column])
        if kept.any() and np.linalg.matrix_rank(wider[kept]) == wider.shape[1]:
            x = wider
    contrast = np.eye(x.shape[1])[1]
    counts = [
        np.sum(kept & (subjects == name) & (assigned == arm)) for name in np.unique(subjects) for arm in (False, True)
    ]
    slopes = design == "within" and float(np.median(counts)) >= 2
    try:
        # Effect-coded, so that the random slope does not depend on which condition is the reference.
        model = fit_mixed_model(values, x, subjects, np.column_stack([np.ones(len(z)), z - 0.5]) if slopes else None)
    except (SettingsError, np.linalg.LinAlgError) as error:
        return GroupResult(means, "subject means", None, None, means, None, f"no mixed model: {error}")
    kr = estimate_contrast(model, contrast, "kenward-roger")
    satterthwaite = estimate_contrast(model, contrast, "satterthwaite")
    if slopes and model.singular:
        note = "how much the effect differs between subjects could not be estimated; subject means decide"
        return GroupResult(means, "subject means", kr, satterthwaite, means, model, note)
    if not math.isfinite(kr.df):
        note = "the mixed model leaves no degrees of freedom; subject means decide"
        return GroupResult(means, "subject means", kr, satterthwaite, means, model, note)
    return GroupResult(kr, "mixed model (Kenward-Roger)", kr, satterthwaite, means, model, "")
