"""Rows of the comparison for studies of many sleepers: the mixed model decides, subject means check."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from eegsleep.statistics import circular, groups
from eegsleep.statistics.resampling import MIN_NIGHTS
from eegsleep.study import arrangement
from eegsleep.study.arrangement import KEYS, Arrangement
from eegsleep.study.comparison.one_sleeper import describe_probabilities, exponential

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.statistics.effects import Estimate
    from eegsleep.study.declared.protocol import Study

    Floats = NDArray[np.float64]


_FEWEST_BEFORE = 6  # sleepers; with fewer, the degree of freedom it takes costs more than the covariate gains


def fill_group(
    row: dict,
    arranged: Arrangement,
    index: int,
    study: Study,
    *,
    tested: bool,
    covariates: Floats | None = None,
) -> list[dict]:
    """Fill the row of one marker from the sleepers; return its rows of table COMPARISON_MODELS.

    Parameters
    ----------
    row : dict
        The row of table COMPARISON, filled in place.
    arranged : Arrangement
        The nights; `index` is the marker's place.
    index : int
    study : Study
    tested : bool
        Whether a mechanism allocated the conditions.
    covariates : ndarray, shape (n_nights, n_covariates), optional
        What the nights are adjusted for where they were not drawn.
    """
    values = arranged.value[index]
    design: groups.Design = "between" if study.mechanism.kind == "parallel" or not _crosses(arranged) else "within"
    if arrangement.is_circular(row["unit"]):
        _fill_angles(row, tested=tested)
        return []
    fixed, before = _fixed(arranged, study), arranged.before[index]
    if study.mechanism.kind == "parallel":
        fixed = mean_before(arranged, before)
    if not tested and covariates is not None:
        fixed = covariates
    found = groups.compare_groups(values, arranged.assigned, arranged.subjects, design, fixed)
    chosen = found.chosen
    row |= {
        "n_control": _count(arranged, values, second=False),
        "n_compound": _count(arranged, values, second=True),
        "method": found.method if tested else "descriptive",
        "reason": found.note,
        "difference": chosen.estimate,
        "low": chosen.low,
        "high": chosen.high,
        "t_low": found.subject_means.low,
        "t_high": found.subject_means.high,
        **describe_probabilities(chosen, row),
    }
    if fixed is not None and study.mechanism.kind == "parallel" and not row["reason"]:
        row["reason"] = "set against each sleeper's own nights before the first condition"
    if not math.isfinite(chosen.se):
        row["reason"] = "fewer than two sleepers with values in what is compared"
    n = row["n_control"] + row["n_compound"]
    if tested and n < MIN_NIGHTS and math.isfinite(chosen.se):
        row["reason"] = f"only {n} nights with a value, {MIN_NIGHTS} needed for a finding"
    if tested:
        # Equivalence is a finding too and needs as many nights; a marker that never changes has no interval.
        known = math.isfinite(chosen.low) and n >= MIN_NIGHTS
        half = stats.t.isf(0.05, chosen.df) * chosen.se if known else math.nan
        row |= {"p": chosen.p, "low_90": chosen.estimate - half, "high_90": chosen.estimate + half}
        if n < MIN_NIGHTS or row["smallest_p"] > study.alpha:
            # The model could give a smaller p than any schedule of the mechanism can: raise it to that minimum.
            row["p"] = float(np.fmax(chosen.p, row["smallest_p"]))
    else:
        row["reason"] = "no mechanism allocated the nights: described, not tested"
    _fill_ratio(row, arranged, values, before, study, (design, fixed), tested=tested)
    if tested and row["sides"] == 1 and math.isfinite(row["p"]):
        upwards = (row["ratio"] > 1) if row["scale"] == "logarithm" else row["difference"] > 0
        expected = upwards == (row["direction"] == "+")
        row["p"] = row["p"] / 2 if expected else 1 - row["p"] / 2
    return _model_rows(row, found, tested=tested)


def _fill_ratio(
    row: dict,
    arranged: Arrangement,
    values: Floats,
    before: Floats,
    study: Study,
    model: tuple[groups.Design, Floats | None],
    *,
    tested: bool,
) -> None:
    """Fill the ratio of a marker from its logarithms, whose p decides for powers and densities."""
    design, fixed = model
    n = row["n_control"] + row["n_compound"]
    line = arrangement.logarithms(pd.Series(row), values)
    if line is not None:
        if study.mechanism.kind == "parallel":
            logs = arrangement.logarithms(pd.Series(row), before)
            fixed = None if logs is None else mean_before(arranged, logs)
        by_logs = groups.compare_groups(line, arranged.assigned, arranged.subjects, design, fixed)
        ratio = by_logs.chosen
        names = ("ratio", "ratio_low", "ratio_high")
        row |= dict(zip(names, map(exponential, (ratio.estimate, ratio.low, ratio.high)), strict=True))
        if tested and arrangement.has_natural_ratio(row) and math.isfinite(ratio.p):
            few = n < MIN_NIGHTS or row["smallest_p"] > study.alpha
            row |= {"scale": "logarithm", "p": float(np.fmax(ratio.p, row["smallest_p"])) if few else ratio.p}


def mean_before(arranged: Arrangement, values: Floats) -> Floats | None:
    """Return the mean of each sleeper's nights before the first condition, as a covariate of the nights.

    In parallel groups this removes the differences between sleepers from the error (analysis of covariance). Because
    it was measured before any condition, a sleeper without such a night can be given the mean of the others
    (White & Thompson 2005, doi:10.1002/sim.1981).

    Parameters
    ----------
    arranged : Arrangement
    values : ndarray, shape (n_nights_before,)

    Returns
    -------
    ndarray, shape (n_nights, 1), or None
        None where fewer than half of the sleepers have such a night, or fewer than six.
    """
    names = np.unique(arranged.subjects)
    own = [values[(arranged.before_subjects == name) & np.isfinite(values)] for name in names]
    means = np.array([v.mean() if v.size else math.nan for v in own])
    known = np.isfinite(means)
    if known.sum() < max(_FEWEST_BEFORE, len(names) / 2) or np.ptp(means[known]) == 0:
        return None
    means = np.where(known, means, means[known].mean()) - means[known].mean()
    return means[np.searchsorted(names, arranged.subjects)][:, np.newaxis]


def _crosses(arranged: Arrangement) -> bool:
    both = pd.Series(arranged.assigned).groupby(arranged.subjects).nunique()
    return bool((both == 2).sum() >= 2)


def _count(arranged: Arrangement, values: Floats, *, second: bool) -> int:
    return int((np.isfinite(values) & (arranged.assigned == second)).sum())


def _fixed(arranged: Arrangement, study: Study) -> Floats | None:
    """Return periods and sequences in a crossover, and time elsewhere unless each sleeper has one condition.

    With the sequence of each sleeper in the model, sleepers are not compared with each other, even where the
    sequences have unequal numbers of sleepers.
    """
    if study.mechanism.kind == "crossover":
        periods = arranged.nights["period"].astype("str").to_numpy(dtype="U99")
        columns = [periods == period for period in np.unique(periods)[1:]]
        codes = arranged.nights["condition"].to_numpy(dtype="U99")
        pairs = pd.DataFrame({"subject": arranged.subjects, "at": np.char.add(periods, codes)})
        sequence = pairs.groupby("subject")["at"].agg(lambda at: " ".join(sorted(set(at))))[arranged.subjects]
        columns += [sequence.to_numpy() == name for name in sorted(set(sequence))[1:]]
        return np.column_stack(columns).astype(float) if columns else None
    if study.mechanism.kind == "parallel" or np.ptp(arranged.days) == 0:
        return None
    return (arranged.days - arranged.days.mean())[:, np.newaxis]


def _fill_angles(row: dict, *, tested: bool) -> None:
    row["difference"] = float(circular.wrap(row["compound_mean"] - row["control_mean"]))
    if not math.isfinite(row["difference"]):
        row["reason"] = "fewer than two values in a condition"
    if tested:
        row |= {"method": "re-randomisation", "p": row["p_randomization"]}
        return
    row["reason"] = "no mechanism allocated the nights: described, not tested"


def _model_rows(row: dict, found: groups.GroupResult, *, tested: bool) -> list[dict]:
    sds = [math.nan] * 3
    if found.model is not None:
        spread = np.sqrt(np.diag(found.model.random_covariance))
        sds = [
            float(spread[0]),
            float(spread[1]) if len(spread) > 1 else math.nan,
            math.sqrt(found.model.residual_variance),
        ]
    by_logs = "p in the comparison is that of the logarithms" if row["scale"] == "logarithm" else ""
    ways: list[tuple[str, Estimate | None]] = [
        ("Kenward-Roger", found.kenward_roger),
        ("Satterthwaite", found.satterthwaite),
        ("subject means", found.subject_means),
    ]
    return [
        {
            **{name: row[name] for name in KEYS},
            "method": name,
            "decides": way is found.chosen,
            "estimate": way.estimate,
            "se": way.se,
            "df": way.df,
            "t": way.t if tested else math.nan,
            "p": way.p if tested else math.nan,
            "low": way.low,
            "high": way.high,
            **dict(zip(("sd_subject", "sd_effect", "sd_night"), sds, strict=True)),
            "reason": "; ".join(part for part in (found.note, by_logs) if part),
        }
        for name, way in ways
        if way is not None
    ]
