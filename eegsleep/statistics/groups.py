"""Many subjects: subject means, the AB/BA crossover, and the mixed model with its check."""

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


@dataclass(frozen=True)
class TwoPeriods:
    """An AB/BA crossover of one night a condition: effect, period, carry-over (reported only)."""

    effect: Estimate
    period: Estimate
    carry_over: Estimate
    within_mean_square: float


def analyze_two_periods(
    first_period: ArrayLike, second_period: ArrayLike, active_first: ArrayLike, alpha: float = 0.05
) -> TwoPeriods:
    """Estimate compound minus control from two periods, adjusted for the period.

    Carry-over is reported and never chooses the analysis: the two-stage procedure is invalid
    (Freeman 1989, doi:10.1002/sim.4780081202).

    Parameters
    ----------
    first_period, second_period : array_like, shape (n_subjects,)
        Value of each subject in either period; subjects without both are left out.
    active_first : array_like of bool, shape (n_subjects,)
        Whether the subject had the compound in the first period.
    alpha : float
        One minus the confidence of the intervals.

    References
    ----------
    Senn 2002, Cross-over Trials in Clinical Research, 2nd ed., ch. 3.
    """
    one, two = np.asarray(first_period, dtype=float), np.asarray(second_period, dtype=float)
    kept = np.isfinite(one) & np.isfinite(two)
    active = np.asarray(active_first, dtype=bool)[kept]
    half, total = (one - two)[kept] / 2, (one + two)[kept]
    groups = [(values[active], values[~active]) for values in (half, total)]
    if min(len(half[active]), len(half[~active])) < 2:
        raise SettingsError("each order needs two subjects with both periods", found=f"{len(half)} subjects")
    (a, b), (sum_a, sum_b) = groups
    n_a, n_b = len(a), len(b)
    df = n_a + n_b - 2
    spread = (a.var(ddof=1) * (n_a - 1) + b.var(ddof=1) * (n_b - 1)) / df
    se = math.sqrt(spread * (1 / n_a + 1 / n_b))
    spread_sum = (sum_a.var(ddof=1) * (n_a - 1) + sum_b.var(ddof=1) * (n_b - 1)) / df
    return TwoPeriods(
        estimate_by_t(float(a.mean() - b.mean()), se, df, alpha),
        estimate_by_t(float(a.mean() + b.mean()), se, df, alpha),
        estimate_by_t(float(sum_a.mean() - sum_b.mean()), math.sqrt(spread_sum * (1 / n_a + 1 / n_b)), df, alpha),
        2 * spread,
    )


def compare_subject_means(
    values: ArrayLike,
    assigned: NDArray[np.bool_],
    subjects: ArrayLike,
    design: Literal["within", "between"],
    alpha: float = 0.05,
    covariates: Floats | None = None,
) -> Estimate:
    """Return the t test on one number a subject: the check of every model here, and nearly its equal.

    Parameters
    ----------
    values, assigned, subjects : array_like, shape (n_nights,)
        Night values (NaN left out), whether the second condition, and whose night.
    design : {"within", "between"}
        Paired differences of condition means, or Welch's test of subject means.
    alpha : float
        One minus the confidence of the interval.
    covariates : ndarray, shape (n_nights, n_covariates), optional
        Periods or time, whose differences are taken out of the paired differences.
    """
    values, subjects = np.asarray(values, dtype=float), np.asarray(subjects)
    others = np.zeros((len(values), 0)) if covariates is None else covariates
    means = _condition_means(np.column_stack([values, others]), assigned, subjects)
    if design == "within":
        differences = means[:, 1] - means[:, 0]
        differences = differences[np.isfinite(differences[:, 0])]
        n = len(differences)
        x = np.ones((n, 1))
        for column in differences[:, 1:].T:
            wider = np.column_stack([x, column])
            if n - wider.shape[1] >= 2 and np.linalg.matrix_rank(wider, tol=1e-8) == wider.shape[1]:
                x = wider
        df = n - x.shape[1]
        if df < 1:
            return estimate_by_t(math.nan, math.nan, math.nan)
        beta = np.linalg.lstsq(x, differences[:, 0], rcond=None)[0]
        variance = float(((differences[:, 0] - x @ beta) ** 2).sum()) / df
        return estimate_by_t(float(beta[0]), math.sqrt(variance * np.linalg.inv(x.T @ x)[0, 0]), df, alpha)
    first, second = (column[np.isfinite(column)] for column in means[:, :, 0].T)
    if min(len(first), len(second)) < 2:
        return estimate_by_t(math.nan, math.nan, math.nan)
    errors = [arm.var(ddof=1) / len(arm) for arm in (first, second)]
    total = sum(errors)
    df = total**2 / sum(e**2 / (len(arm) - 1) for e, arm in zip(errors, (first, second), strict=True)) if total else 0.0
    return estimate_by_t(float(second.mean() - first.mean()), math.sqrt(total), df, alpha)


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
    """What a group design gives for one marker; `chosen` is the estimate that decides, `method` its name."""

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
    design: Literal["within", "between"],
    covariates: Floats | None = None,
    alpha: float = 0.05,
) -> GroupResult:
    """Estimate the condition's effect over subjects by a mixed model, checked by subject means.

    Within subjects with two or more nights a condition, the effect may differ between subjects (random
    slope); where that variance cannot be estimated, subject means decide, because a model without it
    finds too much (type-I error up to 15 % at six to twenty subjects with seven nights).

    Parameters
    ----------
    values, assigned, subjects : array_like, shape (n_nights,)
        Night values, whether the second condition, and whose night.
    design : {"within", "between"}
        Crossover or parallel groups.
    covariates : ndarray, shape (n_nights, n_covariates), optional
        Periods, time: centred or not, without the constant.
    alpha : float
        One minus the confidence of the intervals.
    """
    values, subjects = np.asarray(values, dtype=float), np.asarray(subjects)
    means = compare_subject_means(values, assigned, subjects, design, alpha, covariates)
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
        # Effect-coded, so that the random slope is not tied to the choice of the reference condition.
        model = fit_mixed_model(values, x, subjects, np.column_stack([np.ones(len(z)), z - 0.5]) if slopes else None)
    except (SettingsError, np.linalg.LinAlgError) as error:
        return GroupResult(means, "subject means", None, None, means, None, f"no mixed model: {error}")
    kr = estimate_contrast(model, contrast, "kenward-roger", alpha)
    satterthwaite = estimate_contrast(model, contrast, "satterthwaite", alpha)
    if slopes and model.singular:
        note = "how much the effect differs between subjects could not be estimated; subject means decide"
        return GroupResult(means, "subject means", kr, satterthwaite, means, model, note)
    if not math.isfinite(kr.df):
        note = "the mixed model leaves no degrees of freedom; subject means decide"
        return GroupResult(means, "subject means", kr, satterthwaite, means, model, note)
    return GroupResult(kr, "mixed model (Kenward-Roger)", kr, satterthwaite, means, model, "")
