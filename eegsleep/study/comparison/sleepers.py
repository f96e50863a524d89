"""A row for each sleeper of a study of several: what the compound did in that person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegsleep.statistics import effects, resampling
from eegsleep.statistics.resampling import MIN_NIGHTS
from eegsleep.study import arrangement
from eegsleep.study.arrangement import KEYS
from eegsleep.study.comparison.one_sleeper import describe_probabilities
from eegsleep.study.schedules.mechanisms import SUBJECT_KINDS
from eegsleep.tables import COMPARISON_SLEEPERS, check_table

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import NDArray

    from eegsleep.study.arrangement import Arrangement
    from eegsleep.study.declared.protocol import Study

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


def describe_sleepers(
    study: Study, arranged: Arrangement, rows: list[dict], draws: Bools | None, *, complete: bool
) -> pd.DataFrame:
    """Return table COMPARISON_SLEEPERS, empty for a study of one sleeper or where each has one condition.

    Parameters
    ----------
    study : Study
    arranged : Arrangement
        The nights that enter.
    rows : list of dict
        The rows of table COMPARISON, for bounds and roles.
    draws : ndarray of bool, shape (n_draws, n_nights), or None
        Redrawn schedules of all sleepers; the nights of one are drawn independently of the others.
    complete : bool
        Whether those are all schedules.

    Returns
    -------
    DataFrame
    """
    names = np.unique(arranged.subjects)
    found: list[dict[str, Any]] = []
    if len(names) > 1 and study.mechanism.kind != "parallel":
        in_periods = study.mechanism.kind in SUBJECT_KINDS
        for name in names:
            own = arranged.subjects == name
            # one condition first and the other later: time cannot be told from the condition within a sleeper
            time = None if in_periods else _time_of(arranged, own)
            found += _of_one(arranged, own, rows, time, None if in_periods else draws, complete=complete)
    return check_table(pd.DataFrame(found, columns=COMPARISON_SLEEPERS.column_names), COMPARISON_SLEEPERS)


def _time_of(arranged: Arrangement, own: Bools) -> Floats | None:
    """Return the time of a sleeper's nights as a covariate, None where all are of one day."""
    days = arranged.days[own]
    return (days - days.mean())[:, np.newaxis] if np.ptp(days) > 0 else None


def _of_one(
    arranged: Arrangement, own: Bools, rows: list[dict], time: Floats | None, draws: Bools | None, *, complete: bool
) -> list[dict[str, Any]]:
    chosen = [
        i
        for i, row in enumerate(rows)
        if row["family"] != "context"
        and not arrangement.is_circular(row["unit"])
        and row["role"] in {"primary", "family"}
    ]
    if not chosen:
        return []
    values, assigned = arranged.value[chosen][:, own], arranged.assigned[own]
    p = np.full(len(chosen), np.nan)
    if draws is not None:
        schedule = resampling.Schedule(assigned, draws[:, own], complete=complete, covariates=time)
        p = resampling.p_of_no_shift(resampling.shift_statistics(values, schedule))
    subject = str(arranged.subjects[own][0])
    return [
        _row(subject, rows[i], line, assigned, time, float(one)) for i, line, one in zip(chosen, values, p, strict=True)
    ]


def _row(
    subject: str, row: Mapping[Hashable, Any], values: Floats, assigned: Bools, time: Floats | None, p: float
) -> dict[str, Any]:
    kept = np.isfinite(values)
    arms = [values[kept & (assigned == arm)] for arm in (False, True)]
    found = effects.adjusted_t(values, assigned, time) if min(a.size for a in arms) else effects.NOTHING
    enough = int(kept.sum()) >= MIN_NIGHTS
    reason = "" if enough else f"only {int(kept.sum())} nights with a value, {MIN_NIGHTS} needed for a finding"
    return {
        "subject": subject,
        **{name: row[name] for name in (*KEYS, "label", "family", "unit", "role")},
        "n_control": arms[0].size,
        "n_compound": arms[1].size,
        "control_mean": float(arms[0].mean()) if arms[0].size else math.nan,
        "compound_mean": float(arms[1].mean()) if arms[1].size else math.nan,
        "difference": found.estimate,
        "low": found.low if enough else math.nan,
        "high": found.high if enough else math.nan,
        "p": p if enough else math.nan,
        **describe_probabilities(found, dict(row)),
        "reason": reason,
    }
