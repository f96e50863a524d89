"""Control and two doses: the trend over dose, which is tested first, then each dose against control."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from eegsleep.errors import SettingsError
from eegsleep.statistics import multiplicity, resampling
from eegsleep.study import arrangement
from eegsleep.study.arrangement import KEYS, Arrangement, arrange_nights
from eegsleep.study.checks import run_checks
from eegsleep.study.comparison.compare import Comparison, check_schedule, compare_nights, tabulate_nights
from eegsleep.study.comparison.ranks import rows_with_bounds, score_ranks
from eegsleep.study.declared.doses import codes_by_dose, keep_two
from eegsleep.study.schedules.mechanisms import N_DRAWS, redraw_codes
from eegsleep.tables import CHECKS, DOSES, check_table

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from eegsleep.study.declared.protocol import Study

    Floats = NDArray[np.float64]
    Row = Mapping[Hashable, Any]

_STATUSES = ("pass", "warn", "fail")
_NO_TREND = "a phase has no trend over dose"


def compare_doses(
    study: Study,
    values: pd.DataFrame,
    *,
    checks: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
    n_draws: int = N_DRAWS,
) -> tuple[Study, Comparison]:
    """Test the trend over dose, then compare each dose with control.

    The trend is that of a straight line over the declared doses; its p-value redraws all three conditions. It is the
    test of the null hypothesis that no dose does anything, which is the intersection of those of the two doses. Each
    dose is therefore tested at the whole alpha once the trend is found (closed testing, Marcus, Peritz & Gabriel 1976,
    doi:10.1093/biomet/63.3.655), and redraws the nights of this dose and control alone, given where the other dose
    fell: it must hold when the other dose has an effect. With several primary endpoints the trends are adjusted by
    step-down min-P, and doses are tested once the trend is found in every one of them.

    Parameters
    ----------
    study : Study
        With its codes opened.
    values, checks, audit, n_draws
        As in `compare_nights`.

    Returns
    -------
    shown : Study
        Control and the high dose as a study of their own.
    comparison : Comparison
        Of these two, with the tables of the doses.

    Raises
    ------
    SettingsError
        If the codes are masked, or the schedule is not one that the mechanism could have drawn.
    """
    if not study.dose_of:
        raise SettingsError(
            "doses cannot be compared while their codes are masked",
            remedy="lock the study, and compare it with its sealed key",
        )
    check_schedule(study)
    control, low, high = codes_by_dose(study)
    arranged = arrange_nights(study, values)
    with threadpool_limits(limits=1, user_api="blas"):
        trends = _test_trends(study, arranged, n_draws)
    gate = max((row["p_adjusted"] for row in trends if math.isfinite(row["p_adjusted"])), default=1.0)
    shown, found = study, {}
    for code in (low, high):
        shown = keep_two(study, control, code)
        own = values[values["night"].isin(set(shown.nights["night"]))]
        heard = None if audit is None else audit[audit["night"].isin(set(shown.nights["night"]))]
        kept = checks if code == high else None
        found[code] = compare_nights(shown, own, checks=kept, audit=heard, n_draws=n_draws, gate=gate)
    table = _tabulate(study, arranged, trends, {code: found[code].markers for code in (low, high)})
    return shown, dataclasses.replace(found[high], doses=table, dose_nights=tabulate_nights(arranged))


def _test_trends(study: Study, arranged: Arrangement, n_draws: int) -> list[dict[str, float]]:
    """Return difference, interval and p of the trend of each marker; p only of primary endpoints."""
    entries = arranged.entries
    shares = np.array([study.dose_of[code] / max(study.doses_mg) for code in study.mechanism.conditions])
    drawn = redraw_codes(study.mechanism, study.nights, n_draws, study.seed)[:, arranged.rows]
    followed = arranged.nights["condition"].map(dict(zip(study.mechanism.conditions, shares, strict=True)))
    # As in pairs, blocks need no covariates: each holds every dose once.
    days = arranged.days - arranged.days.mean()
    covariates = None if study.mechanism.kind == "blocks" else days[:, np.newaxis]
    doses = np.vstack([followed.to_numpy(dtype=float), shares[drawn]])
    schedule = resampling.Schedule(doses[0] > 0, doses[1:] > 0, covariates=covariates, doses=doses)
    angles = np.array([arrangement.is_circular(unit) for unit in entries["unit"]])
    bounded = rows_with_bounds(arranged)
    values = score_ranks(arranged, bounded, within_sleepers=True).value
    values = np.where(angles[:, np.newaxis], np.nan, values)
    in_units = resampling.shift_statistics(values, schedule)
    low, high = resampling.interval_of_shift(in_units, 0.05)
    n = np.isfinite(values).sum(axis=1)
    few = (n < resampling.MIN_NIGHTS) | bounded
    rows: list[dict[str, float]] = [
        {
            "difference": math.nan if bounded[i] else float(in_units.estimate[i]),
            "low": math.nan if few[i] or math.isinf(low[i]) else float(low[i]),
            "high": math.nan if few[i] or math.isinf(high[i]) else float(high[i]),
            "p": math.nan,
            "p_adjusted": math.nan,
        }
        for i in range(len(entries))
    ]
    primary = [int(i) for i in np.flatnonzero(entries["endpoint"].isin(study.primary)) if n[i] >= resampling.MIN_NIGHTS]
    _fill_p(rows, primary, [_deciding(entries.iloc[i], values[i]) for i in primary], schedule)
    return rows


def _deciding(entry: pd.Series, values: Floats) -> Floats:
    """Return the values that decide: logarithms of a power or density, as in a comparison of two conditions."""
    logarithms = arrangement.logarithms(entry, values)
    return logarithms if logarithms is not None and arrangement.has_natural_ratio(entry) else values


def _fill_p(
    rows: list[dict[str, float]], primary: Sequence[int], deciding: Sequence[Floats], schedule: resampling.Schedule
) -> None:
    if not primary:
        return
    statistics = resampling.shift_statistics(np.array(deciding), schedule)
    raw = resampling.p_of_no_shift(statistics)
    adjusted = np.fmax(multiplicity.max_t(*resampling.extremeness(statistics)), raw)
    for place, i in enumerate(primary):
        rows[i] |= {"p": float(raw[place]), "p_adjusted": float(adjusted[place])}


def _tabulate(
    study: Study, arranged: Arrangement, trends: list[dict[str, float]], found: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return table DOSES: control, low dose, high dose and trend of each marker."""
    control, *doses = codes_by_dose(study)
    by_key = {code: {tuple(row[k] for k in KEYS): row for row in t.to_dict("records")} for code, t in found.items()}
    conditions = arranged.nights["condition"].to_numpy(dtype=object)
    rows: list[dict[str, Any]] = []
    for i, entry in enumerate(arranged.entries.to_dict("records")):
        both = [by_key[code].get(tuple(entry[k] for k in KEYS), {}) for code in doses]
        shared = {name: entry[name] for name in ("marker", "label", "family", "stage", "channel", "unit")}
        shared |= {"role": next((str(row["role"]) for row in both if row), "described")}
        value = arranged.value[i]
        for contrast, code, row in zip(
            ("control", "low dose", "high dose"), (control, *doses), ({}, *both), strict=True
        ):
            own = value[(conditions == code) & np.isfinite(value)]
            mean = row.get("compound_mean", math.nan) if row else own.mean() if own.size else math.nan
            if contrast == "control":
                mean = next((other["control_mean"] for other in both if other), mean)
            numbers = {name: row.get(name, math.nan) for name in ("difference", "low", "high", "p")}
            primary = row.get("role") == "primary"
            numbers |= {"p_adjusted": row.get("p_adjusted", math.nan) if primary else math.nan}
            numbers |= {"p": numbers["p"] if primary else math.nan}
            known = {"contrast": contrast, "code": code, "dose_mg": study.dose_of[code], "n_nights": int(own.size)}
            rows.append(shared | known | numbers | {"mean": float(mean), "reason": _reason(row)})
        last = {"contrast": "trend", "code": "", "dose_mg": max(study.doses_mg), "mean": math.nan}
        known = last | {"n_nights": int(np.isfinite(value).sum())}
        reason = _NO_TREND if arrangement.is_circular(entry["unit"]) else _reason(both[-1], only_origin=True)
        rows.append(shared | known | trends[i] | {"reason": reason})
    return check_table(pd.DataFrame(rows, columns=DOSES.column_names), DOSES)


def _reason(row: Row, *, only_origin: bool = False) -> str:
    origin = f"follows from {row['follows_from']}" if row.get("follows_from") else ""
    return origin or ("" if only_origin else str(row.get("reason", "")))


def check_two_by_two(
    study: Study,
    values: pd.DataFrame,
    provenances: Mapping[str, Mapping[str, Any]],
    left_out: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Run the checks on the first condition beside each of the others, and return the worse row of each check.

    Parameters
    ----------
    study : Study
        Of three conditions, masked or opened.
    values, provenances, left_out
        As in `run_checks`.

    Returns
    -------
    DataFrame
        Table CHECKS.
    """
    first, *others = codes_by_dose(study) if study.dose_of else study.conditions
    tables = []
    for code in others:
        two = keep_two(study, first, code)
        names = set(two.nights["night"])
        own = values[values["night"].isin(names)]
        made = ({n: p for n, p in every.items() if n in names} for every in (provenances, left_out))
        tables.append(run_checks(two, own, *made).to_dict("records"))
    rows = [max(same, key=lambda row: _STATUSES.index(row["status"])) for same in zip(*tables, strict=True)]
    return check_table(pd.DataFrame(rows, columns=CHECKS.column_names), CHECKS)
