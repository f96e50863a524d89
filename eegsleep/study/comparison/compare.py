"""Compound against control: every marker of a study with its test, verdict and possible other explanations."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.signals.epochs import NREM
from eegsleep.statistics import circular, effects, multiplicity, resampling
from eegsleep.statistics.resampling import MIN_NIGHTS
from eegsleep.study import arrangement
from eegsleep.study.arrangement import KEYS, Arrangement
from eegsleep.study.comparison import verdicts
from eegsleep.study.comparison.equal_size import COUNTED_AGAIN, AtEqual, values_at_equal_delta, values_at_equal_gain
from eegsleep.study.comparison.many_sleepers import fill_group
from eegsleep.study.comparison.one_sleeper import fill_randomization, fill_single
from eegsleep.study.comparison.ranks import leave_ranks, rows_with_bounds, score_ranks
from eegsleep.study.comparison.relations import relate_arranged
from eegsleep.study.nuisances.nuisance import Arms, measure_nuisances
from eegsleep.study.nuisances.stage_mix import minutes_differ
from eegsleep.study.schedules.mechanisms import N_DRAWS, keep_nights, list_or_redraw
from eegsleep.study.schedules.schedule import find_violation
from eegsleep.tables import COMPARISON, COMPARISON_MODELS, COMPARISON_NIGHTS, check_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.declared.protocol import Study

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# What is not measured again of values that stand in for others.
_ONCE = ("at_least", "at_less_delta", "at_more_delta", "by_other_stager")
_NUMBERS = [column.name for column in COMPARISON.columns if column.kind == "float"]


@dataclass(frozen=True)
class Comparison:
    """What a study found: the tables of a comparison.

    Attributes
    ----------
    markers, families, nuisance, relations, nights, models : DataFrame
        Tables COMPARISON, FAMILY_VERDICTS, NUISANCE, RELATIONS, COMPARISON_NIGHTS and COMPARISON_MODELS.
    checks : DataFrame
        The checks of the study, as they were given.
    n_schedules : int
        Schedules a p-value is a share of; 0 where no mechanism was declared.
    complete : bool
        Whether those are all that the mechanism could have drawn.
    seed : int
        Seed of the redraws.
    """

    markers: pd.DataFrame
    families: pd.DataFrame
    nuisance: pd.DataFrame
    relations: pd.DataFrame
    nights: pd.DataFrame
    models: pd.DataFrame
    checks: pd.DataFrame
    n_schedules: int
    complete: bool
    seed: int


def compare_nights(
    study: Study,
    values: pd.DataFrame,
    *,
    checks: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
    n_draws: int = N_DRAWS,
) -> Comparison:
    """Compare compound with control nights, marker by marker, as the study declared it.

    Parameters
    ----------
    study : Study
        The nights, the mechanism that allocated them, endpoints, smallest effects, order of families.
    values : DataFrame
        The markers of the nights, long: night, marker, stage, channel, value, unit, and where known
        clean_min, low, high, expected. One value of a marker a night.
    checks : DataFrame, optional
        Table CHECKS of the study, which becomes part of the result.
    audit : DataFrame, optional
        Table AUDIT of the nights, with a column `night`, as `collect_audits` returns it. It shows whether the
        detectors found planted events equally often in both conditions.
    n_draws : int
        Redrawn schedules, where the mechanism has too many to list.

    Returns
    -------
    Comparison
        p-values only where the study declares the mechanism that allocated its nights.

    Raises
    ------
    TableError
        If a night has more than one value of a marker, or is not in the study.
    SettingsError
        If the schedule is not one that the mechanism could have drawn.
    """
    arranged = arrangement.arrange_nights(study, values)
    draws, complete = _redraw(study, arranged, n_draws)
    return _compare(study, arranged, draws, complete, checks, audit)


def _redraw(study: Study, arranged: Arrangement, n_draws: int) -> tuple[Bools | None, bool]:
    if study.mechanism.kind == "observational":
        return None, False
    violation = find_violation(study.mechanism, study.nights)
    if violation:
        raise SettingsError(
            f"the schedule that was followed is not one the mechanism {study.mechanism.kind} could have drawn",
            found=f"{violation.found} at {study.nights['night'].iloc[violation.row]}",
            allowed=violation.allowed,
            remedy="declare the mechanism that produced the schedule; a p-value rests on it",
        )
    draws, complete = list_or_redraw(study.mechanism, study.nights, n_draws, study.seed)
    draws = draws[:, arranged.rows]
    return (~draws if study.active == study.conditions[0] else draws), complete


def _compare(
    study: Study,
    arranged: Arrangement,
    draws: Bools | None,
    complete: bool,
    checks: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
) -> Comparison:
    covariates = _covariates(study, arranged)
    schedule = _schedule(study, arranged, covariates, draws, complete) if draws is not None else None
    many = len(set(arranged.subjects.tolist())) > 1
    rows, drawn, models = _fill_rows(study, arranged, covariates, schedule)
    _set_beside(rows, "delta", *_at_equal(study, arranged, values_at_equal_delta(arranged), covariates, schedule))
    by_other = AtEqual(arranged.by_other_stager, np.any(np.isfinite(arranged.by_other_stager), axis=1))
    for place, found in zip(*_at_equal(study, arranged, by_other, covariates, schedule), strict=True):
        names = {"by_other_stager": "difference", "by_other_stager_low": "low", "by_other_stager_high": "high"}
        rows[place] |= {name: found[source] for name, source in names.items()}
    _set_beside(
        rows, "gain", *_at_equal(study, arranged, values_at_equal_gain(arranged, covariates), covariates, schedule)
    )
    gates = _adjust(rows, drawn, study, many=many)
    _find_origins(rows, study.alpha)
    for row in rows:
        row["verdict"], row["sentence"] = verdicts.judge_marker(row, alpha=study.alpha, masked=study.active is None)
    markers = pd.DataFrame(rows, columns=COMPARISON.column_names)
    markers["represents"] = verdicts.choose_representatives(markers.assign(known=verdicts.is_compared(markers)))
    markers = check_table(markers, COMPARISON)
    arms = Arms() if study.active is not None else Arms(*study.conditions)
    families = verdicts.judge_families(markers, tuple(study.families), gates, study.compound_class or study.compound)
    return Comparison(
        markers,
        families,
        measure_nuisances(arranged, covariates, arms=arms, audit=audit),
        relate_arranged(study, arranged),
        _night_table(arranged),
        check_table(pd.DataFrame(models, columns=COMPARISON_MODELS.column_names), COMPARISON_MODELS),
        pd.DataFrame() if checks is None else checks,
        schedule.n_counted if schedule else 0,
        complete,
        int(study.seed),
    )


def _find_origins(rows: list[dict], alpha: float) -> None:
    """Fill what each difference of p up to `alpha` follows from."""
    for row in rows:
        row["follows_from"] = verdicts.find_origin(row) if row["p"] <= alpha else ""
    # Counted over fixed microvolts, a marker of N2 or N3 follows what the same marker of NREM follows.
    counted = [row for row in rows if row["marker"] in COUNTED_AGAIN and row["p"] <= alpha]
    whole = {(row["marker"], row["channel"]): row["follows_from"] for row in counted if row["stage"] == "NREM"}
    for row in counted:
        row["follows_from"] = row["follows_from"] or whole.get((row["marker"], row["channel"]), "")


def _fill_rows(
    study: Study, arranged: Arrangement, covariates: Floats | None, schedule: resampling.Schedule | None
) -> tuple[list[dict], dict[int, tuple[Floats, float]], list[dict]]:
    """Return the rows of table COMPARISON with differences, intervals and p-values, before any adjustment.

    Beside them are how extreme each schedule is, by row, and the rows of table COMPARISON_MODELS.
    """
    original, bounded = arranged, rows_with_bounds(arranged)
    arranged = score_ranks(arranged, bounded, within_sleepers=study.mechanism.kind != "parallel")
    entering = _without_wash_out(study, arranged)
    rows = [_describe_marker(entering, index, study) for index in range(len(arranged.entries))]
    shared = study.mechanism.kind != "parallel"
    drawn = fill_randomization(rows, arranged, schedule, shared=shared) if schedule and rows else {}
    many, models = len(set(arranged.subjects.tolist())) > 1, []
    for index, row in enumerate(rows):
        if many:
            models += fill_group(row, entering, index, study, tested=schedule is not None)
        else:
            fill_single(row, arranged, index, covariates, tested=schedule is not None)
        if (
            row["role"] == "family"
            and row["stage"] in NREM
            and row["unit"] == "/min"
            and minutes_differ(entering, index)
        ):
            row |= {"role": "described", "reason": f"{verdicts.MOVED} {row['stage']} differ: its border has moved"}
    for place in np.flatnonzero(bounded):
        leave_ranks(rows[place], original, int(place), tested=schedule is not None)
    return rows, drawn, models


def _at_equal(
    study: Study,
    arranged: Arrangement,
    equal: AtEqual,
    covariates: Floats | None,
    schedule: resampling.Schedule | None,
) -> tuple[NDArray[np.intp], list[dict]]:
    """Compare the markers of some rows once more, with values at equal slow waves or at equal gain."""
    index, values = np.flatnonzero(equal.depends), equal.value[equal.depends]
    arrays = {name: getattr(arranged, name)[index] for name in ("clean_min", "low", "high", "expected", "before")}
    arrays |= {name: np.full(values.shape, np.nan) for name in _ONCE}
    some = replace(arranged, entries=arranged.entries.iloc[index].reset_index(drop=True), value=values, **arrays)
    rows, _, _ = _fill_rows(study, some, covariates, schedule) if index.size else ([], {}, [])
    return index, rows


def _set_beside(rows: list[dict], what: str, index: NDArray[np.intp], equal: list[dict]) -> None:
    """Fill the columns of a comparison at equal slow waves or at equal gain."""
    names = {f"at_equal_{what}": "difference", f"at_equal_{what}_low": "low", f"at_equal_{what}_high": "high"}
    for row in rows:
        row |= {f"n_at_equal_{what}": 0, f"depends_on_{what}": False}
    for place, found in zip(index, equal, strict=True):
        rows[place] |= {name: found[source] for name, source in names.items()} | {f"depends_on_{what}": True}
        rows[place][f"n_at_equal_{what}"] = found["n_control"] + found["n_compound"]
        rows[place][f"nap_at_equal_{what}"] = found["nap"]


def _without_wash_out(study: Study, arranged: Arrangement) -> Arrangement:
    """Return the nights with NaN in those that are left out because a phase begins with them.

    The redraws need the values of all nights, because under another schedule other nights begin a phase.
    """
    kept = keep_nights(study.mechanism, arranged.nights, arranged.assigned[np.newaxis])[0]
    return replace(arranged, value=np.where(kept, arranged.value, np.nan))


def _covariates(study: Study, arranged: Arrangement) -> Floats | None:
    """Return the covariates of values and schedules: pairs, or sleepers, periods and time."""
    subjects, nights, kind = arranged.subjects, arranged.nights, study.mechanism.kind
    columns = [subjects == name for name in np.unique(subjects)[1:]]
    blocks = nights["block"].astype("str").to_numpy(dtype="U99")
    if kind == "pairs":
        labels = np.char.add(np.char.add(subjects.astype("U99"), "|"), blocks)
        return np.column_stack([labels == label for label in np.unique(labels)]).astype(float)
    if kind == "crossover":
        periods = nights["period"].astype("str").to_numpy(dtype="U99")
        columns += [periods == period for period in np.unique(periods)[1:]]
    elif kind == "parallel":
        return None
    elif np.ptp(arranged.days) > 0:
        columns.append(arranged.days - arranged.days.mean())
    return np.column_stack(columns).astype(float) if columns else None


def _schedule(
    study: Study,
    arranged: Arrangement,
    covariates: Floats | None,
    draws: Bools,
    complete: bool,
) -> resampling.Schedule:
    if study.mechanism.kind == "parallel":  # each sleeper drew one condition
        _, first = np.unique(arranged.subjects, return_index=True)
        return resampling.Schedule(arranged.assigned[first], draws[:, first], complete=complete)
    if study.mechanism.kind == "pairs":
        # If all nights have a value, the difference of means is the mean difference within pairs. If some have none,
        # it still uses their partners, which is valid as pairs are redrawn (with 3 of 10 nights lost, power .52
        # instead of .29).
        names = np.unique(arranged.subjects)[1:]
        covariates = (arranged.subjects[:, np.newaxis] == names).astype(float) if names.size else None
    phases = study.mechanism.kind == "phases" and len(set(arranged.subjects.tolist())) == 1
    return resampling.Schedule(
        arranged.assigned,
        draws,
        complete=complete,
        covariates=covariates,
        statistic="phase means" if phases else "difference",
        wash_out_nights=study.mechanism.wash_out_nights if phases else 0,
    )


def _describe_marker(arranged: Arrangement, index: int, study: Study) -> dict:
    """Return the row of a marker with everything that needs no test."""
    entry, values = arranged.entries.iloc[index], arranged.value[index]
    kept = np.isfinite(values)
    first, second = values[kept & ~arranged.assigned], values[kept & arranged.assigned]
    angle = arrangement.is_circular(entry["unit"])
    mean = circular.mean_direction if angle else (lambda x: float(x.mean()) if x.size else math.nan)
    if study.active is None:  # the control nights are not known: pool the spread within both conditions
        groups = np.char.add(arranged.subjects.astype("U99"), np.where(arranged.assigned, "|1", "|0"))
        sd = arrangement.night_sd(values, groups, np.ones(len(values), dtype=bool), circular=angle)
    else:
        sd = arrangement.night_sd(values, arranged.subjects, ~arranged.assigned, circular=angle)
    row = dict.fromkeys(_NUMBERS, math.nan) | entry.drop("endpoint").to_dict()
    role = "described"
    if study.mechanism.kind != "observational":
        role = "primary" if entry["endpoint"] in study.primary else "family"
        role = role if role == "primary" or entry["family"] in study.families else "described"
    return row | {
        "endpoint": entry["endpoint"],
        "role": role,
        "measure": verdicts.name_measure(entry["marker"]),
        "represents": False,
        "reason": "",
        "method": "descriptive",
        "adjustment": "",
        "n_tests": 0,
        "gate": "",
        "n_control": first.size,
        "n_compound": second.size,
        "n_subjects": len(set(arranged.subjects[kept].tolist())),
        "control_mean": mean(first),
        "compound_mean": mean(second),
        "control_sd": sd,
        "g_av": math.nan if angle else effects.hedges_g_av(first, second, df=_freedom(arranged, kept, study)),
        "nap": math.nan if angle else effects.nap(first, second),
        "bound": arrangement.bound_in_unit(entry, sd, mean(first)),
    }


def _freedom(arranged: Arrangement, kept: Bools, study: Study) -> float:
    """Return the degrees of freedom of Hedges' correction: pairs minus 1, or nights minus 2."""
    if study.mechanism.kind != "pairs":
        return float(kept.sum() - 2)
    pairs = pd.DataFrame({"subject": arranged.subjects, "block": arranged.nights["block"].astype("str")})[kept]
    return float((pairs.groupby(["subject", "block"]).size() == 2).sum() - 1)


def _adjust(rows: list[dict], drawn: dict[int, tuple[Floats, float]], study: Study, *, many: bool) -> dict[str, bool]:
    """Fill adjusted p-values; return which families the gate let through."""
    enough = [np.isfinite(row["p"]) and row["n_control"] + row["n_compound"] >= MIN_NIGHTS for row in rows]
    primary = [i for i, row in enumerate(rows) if row["role"] == "primary" and enough[i]]
    if primary:
        raw = [rows[i]["p"] for i in primary]
        if many:
            adjusted, how = multiplicity.holm(raw), "Holm over the primary endpoints"
        else:
            adjusted = multiplicity.max_t(np.array([drawn[i][0] for i in primary]), [drawn[i][1] for i in primary])
            adjusted, how = np.fmax(adjusted, raw), "step-down min-P over the primary endpoints, schedules shared"
        for i, p in zip(primary, adjusted, strict=True):
            rows[i] |= {"p_adjusted": float(p), "adjustment": how, "n_tests": len(primary), "gate": "open"}
    opened = not study.primary or any(rows[i]["p_adjusted"] <= study.alpha for i in primary)
    members = {
        family: [i for i, row in enumerate(rows) if row["family"] == family and row["role"] == "family" and enough[i]]
        for family in study.families
    }
    members = {family: own for family, own in members.items() if own}
    within, gates = multiplicity.gate_families(
        {family: [rows[i]["p"] for i in own] for family, own in members.items()},
        study.families,
        q=verdicts.FALSE_DISCOVERY_RATE,
        opened=opened,
    )
    for family, own in members.items():
        for i, p in zip(own, within[family], strict=True):
            rows[i] |= {
                "p_adjusted": float(p),
                "n_tests": len(own),
                "gate": "open" if gates[family] else "closed",
                "adjustment": f"Benjamini-Hochberg within family {family}",
            }
    return gates | {
        row["family"]: gates.get(row["family"], False) or row["role"] == "primary"
        for row in rows
        if row["role"] == "primary"
    }


def _night_table(arranged: Arrangement) -> pd.DataFrame:
    n_markers, n_nights = arranged.value.shape
    repeated = arranged.nights[["subject", "night", "date", "condition"]]
    repeated = repeated.iloc[np.tile(np.arange(n_nights), n_markers)].reset_index(drop=True)
    named = arranged.entries[["family", "unit", *KEYS]].iloc[np.repeat(np.arange(n_markers), n_nights)]
    frame = pd.concat([repeated, named.reset_index(drop=True)], axis=1)
    frame = frame.assign(value=arranged.value.ravel(), clean_min=arranged.clean_min.ravel())
    return check_table(frame, COMPARISON_NIGHTS)
