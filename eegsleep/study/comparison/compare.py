"""Compound against control: every marker of a study with its test, verdict and possible other explanations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from eegsleep.errors import SettingsError
from eegsleep.shown import show_facts
from eegsleep.signals.epochs import NREM
from eegsleep.statistics import circular, effects, multiplicity, resampling
from eegsleep.statistics.resampling import MIN_NIGHTS
from eegsleep.study import arrangement
from eegsleep.study.arrangement import KEYS, Arrangement
from eegsleep.study.comparison import verdicts
from eegsleep.study.comparison.equal_size import COUNTED_AGAIN, AtEqual, values_at_equal_delta, values_at_equal_gain
from eegsleep.study.comparison.many_sleepers import fill_group
from eegsleep.study.comparison.observed import Adjustment, adjust_observed, nights_to_settle
from eegsleep.study.comparison.one_sleeper import fill_randomization, fill_single
from eegsleep.study.comparison.pattern import describe_pattern
from eegsleep.study.comparison.ranks import leave_ranks, rows_with_bounds, score_ranks
from eegsleep.study.comparison.relations import relate_arranged
from eegsleep.study.comparison.sleepers import describe_sleepers
from eegsleep.study.nuisances.nuisance import Arms, measure_nuisances
from eegsleep.study.nuisances.stage_mix import minutes_differ
from eegsleep.study.schedules.mechanisms import N_DRAWS, keep_nights, list_or_redraw
from eegsleep.study.schedules.schedule import find_violation
from eegsleep.tables import (
    COMPARISON,
    COMPARISON_MODELS,
    COMPARISON_NIGHTS,
    COMPARISON_SLEEPERS,
    DOSES,
    PATTERN,
    check_table,
    empty_table,
)

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
    sleepers : DataFrame
        Table COMPARISON_SLEEPERS: each sleeper by themselves, where there are several.
    pattern : DataFrame
        Table PATTERN: support, sedation or none, one row.
    doses : DataFrame
        Table DOSES, where a study has two doses; the other tables then compare the high dose with control.
    dose_nights : DataFrame
        Table COMPARISON_NIGHTS of all three conditions, where a study has two doses.
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
    sleepers: pd.DataFrame = field(default_factory=lambda: empty_table(COMPARISON_SLEEPERS))
    pattern: pd.DataFrame = field(default_factory=lambda: empty_table(PATTERN))
    doses: pd.DataFrame = field(default_factory=lambda: empty_table(DOSES))
    dose_nights: pd.DataFrame = field(default_factory=lambda: empty_table(COMPARISON_NIGHTS))

    def __repr__(self) -> str:
        """Return two lines: how much was compared and how, and where the results are."""
        facts = ", ".join(f"{name} {text}" for name, text in self._facts().items())
        return f"<Comparison: {facts}\n tables: .markers .families .nuisance .relations .nights .models .checks>"

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        return show_facts("Comparison", self._facts())

    def _facts(self) -> dict[str, str]:
        verdicts = self.markers["verdict"].value_counts() if "verdict" in self.markers else {}
        schedules = f"{self.n_schedules}{'' if self.complete else ' drawn'}" if self.n_schedules else "none declared"
        return {
            "nights": str(self.nights["night"].nunique() if "night" in self.nights else len(self.nights)),
            "markers": str(len(self.markers)),
            "verdicts": ", ".join(f"{count} {verdict}" for verdict, count in list(verdicts.items())[:5]),
            "schedules": schedules,
        }


def compare_nights(
    study: Study,
    values: pd.DataFrame,
    *,
    checks: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
    n_draws: int = N_DRAWS,
    gate: float = 0.0,
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
    gate : float
        Of one dose of two: the adjusted p-value of the trend over dose, which comes before any dose by itself.

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

    Examples
    --------
    >>> comparison = es.compare_nights(study, values, n_draws=99)
    >>> comparison.markers["marker"].tolist()
    ['fast_spindle_density_per_min']
    """
    arranged = arrangement.arrange_nights(study, values)
    # Products of small matrices: several threads only wait for each other (90 s in place of 15 s).
    with threadpool_limits(limits=1, user_api="blas"):
        draws, complete = _redraw(study, arranged, n_draws)
        return _compare(study, arranged, draws, complete, checks, audit, gate)


def _redraw(study: Study, arranged: Arrangement, n_draws: int) -> tuple[Bools | None, bool]:
    if study.mechanism.kind == "observational":
        return None, False
    check_schedule(study)
    draws, complete = list_or_redraw(study.mechanism, study.nights, n_draws, study.seed)
    draws = draws[:, arranged.rows]
    return (~draws if study.active == study.conditions[0] else draws), complete


def check_schedule(study: Study) -> None:
    """Check that the declared mechanism could have drawn the schedule that was followed.

    Parameters
    ----------
    study : Study

    Raises
    ------
    SettingsError
    """
    violation = find_violation(study.mechanism, study.nights)
    if violation:
        raise SettingsError(
            f"the schedule that was followed is not one the mechanism {study.mechanism.kind} could have drawn",
            found=f"{violation.found} at {study.nights['night'].iloc[violation.row]}",
            allowed=violation.allowed,
            remedy="declare the mechanism that produced the schedule; a p-value rests on it",
        )


def _compare(
    study: Study,
    arranged: Arrangement,
    draws: Bools | None,
    complete: bool,
    checks: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
    gate: float = 0.0,
) -> Comparison:
    observed = study.mechanism.kind == "observational"
    adjustment = adjust_observed(arranged) if observed else Adjustment(None, (), ())
    covariates = adjustment.columns if observed else _covariates(study, arranged)
    schedule = None
    if draws is not None and len(arranged.entries):
        schedule = _schedule(study, arranged, covariates, draws, complete)
    many = len(set(arranged.subjects.tolist())) > 1
    rows, drawn, models = _fill_rows(study, arranged, covariates, schedule, keep_drawn=True)
    _set_beside(rows, study, arranged, covariates, schedule)
    if observed:
        _describe_observed(rows, adjustment)
    gates = _adjust(rows, drawn, study, many=many, gate=gate)
    _adjust_signals(rows, drawn, study, many=many)
    for row in rows:
        row["verdict"], row["sentence"] = verdicts.judge_marker(row, alpha=study.alpha, masked=study.active is None)
        found = row["verdict"] not in {"inconclusive", "equivalent"}
        row["signal"] = bool(row["p_signal"] <= study.alpha and not found and row["verdict"] != "equivalent")
    markers = pd.DataFrame(rows, columns=COMPARISON.column_names)
    markers["represents"] = verdicts.choose_representatives(markers.assign(known=verdicts.is_compared(markers)))
    markers = check_table(markers, COMPARISON)
    arms = Arms() if study.active is not None else Arms(*study.conditions)
    families = verdicts.judge_families(
        markers,
        tuple(study.families),
        gates,
        study.compound_class or study.compound,
        masked=study.active is None,
    )
    return Comparison(
        markers,
        families,
        measure_nuisances(arranged, covariates, arms=arms, audit=audit),
        relate_arranged(study, arranged),
        tabulate_nights(arranged),
        check_table(pd.DataFrame(models, columns=COMPARISON_MODELS.column_names), COMPARISON_MODELS),
        pd.DataFrame() if checks is None else checks,
        schedule.n_counted if schedule else 0,
        complete,
        int(study.seed),
        describe_sleepers(study, _without_wash_out(study, arranged), rows, draws, complete=complete),
        describe_pattern(study, markers),
    )


def _fill_rows(
    study: Study,
    arranged: Arrangement,
    covariates: Floats | None,
    schedule: resampling.Schedule | None,
    *,
    keep_drawn: bool = False,
) -> tuple[list[dict], dict[int, tuple[Floats, float]], list[dict]]:
    """Return the rows of table COMPARISON with differences, intervals and p-values, before any adjustment.

    Beside them are how extreme each schedule is, by row, of those that are adjusted together if `keep_drawn`, and the
    rows of table COMPARISON_MODELS.
    """
    original, bounded = arranged, rows_with_bounds(arranged)
    arranged = score_ranks(arranged, bounded, within_sleepers=study.mechanism.kind != "parallel")
    entering = _without_wash_out(study, arranged)
    rows = [_describe_marker(entering, index, study) for index in range(len(arranged.entries))]
    for index, row in enumerate(rows):
        counted = row["role"] == "family" and row["stage"] in NREM and row["unit"] == "/min"
        if counted and minutes_differ(entering, index):
            row["role"], row["moved"] = "described", True
    drawn: dict[int, tuple[Floats, float]] = {}
    if schedule:
        wanted = frozenset(_adjusted_together(rows) if keep_drawn else ())
        shared = study.mechanism.kind != "parallel"
        drawn = fill_randomization(rows, arranged, schedule, shared=shared, wanted=wanted)
    many, models = len(set(arranged.subjects.tolist())) > 1, []
    observed = covariates if study.mechanism.kind == "observational" else None
    for index, row in enumerate(rows):
        if many:
            models += fill_group(row, entering, index, study, tested=schedule is not None, covariates=observed)
        else:
            fill_single(row, arranged, index, covariates, tested=schedule is not None)
        if row["moved"]:
            row["reason"] = f"{verdicts.MOVED} {row['stage']} differ: its border has moved"
    for place in np.flatnonzero(bounded):
        leave_ranks(rows[place], original, int(place), tested=schedule is not None)
    return rows, drawn, models


def _set_beside(
    rows: list[dict],
    study: Study,
    arranged: Arrangement,
    covariates: Floats | None,
    schedule: resampling.Schedule | None,
) -> None:
    """Fill the differences at equal slow waves, at equal gain and by another stager, and what each follows from."""
    equal_gain, apart = values_at_equal_gain(arranged, covariates)
    by_other = AtEqual(arranged.by_other_stager, np.any(np.isfinite(arranged.by_other_stager), axis=1))
    for what, equal in (
        ("at_equal_delta", values_at_equal_delta(arranged, covariates)),
        ("at_equal_gain", equal_gain),
        ("by_other_stager", by_other),
    ):
        for row, depends in zip(rows, equal.depends, strict=True):
            row |= {f"n_{what}": 0, f"depends_{what}": bool(depends), f"nap_{what}": math.nan}
        for row, other in zip(*_compare_again(rows, study, arranged, equal, covariates, schedule), strict=True):
            row |= {what: other["difference"], f"{what}_low": other["low"], f"{what}_high": other["high"]}
            row |= {f"n_{what}": other["n_control"] + other["n_compound"], f"nap_{what}": other["nap"]}
    for row, share in zip(rows, apart, strict=True):
        row["gain_apart"] = float(share)
    _find_origins(rows, study.alpha)


def _compare_again(
    rows: list[dict],
    study: Study,
    arranged: Arrangement,
    equal: AtEqual,
    covariates: Floats | None,
    schedule: resampling.Schedule | None,
) -> tuple[list[dict], list[dict]]:
    """Compare some markers once more, with other values; return their rows, and the rows with those values."""
    index, values = np.flatnonzero(equal.depends), equal.value[equal.depends]
    if not index.size:
        return [], []
    arrays = {name: getattr(arranged, name)[index] for name in ("clean_min", "low", "high", "expected", "before")}
    arrays |= {name: np.full(values.shape, np.nan) for name in _ONCE}
    some = replace(arranged, entries=arranged.entries.iloc[index].reset_index(drop=True), value=values, **arrays)
    return [rows[place] for place in index], _fill_rows(study, some, covariates, schedule)[0]


def _find_origins(rows: list[dict], alpha: float) -> None:
    """Fill what each difference of p up to `alpha` follows from."""
    for row in rows:
        row["follows_from"] = verdicts.find_origin(row) if row["p"] <= alpha else ""
    # Counted over fixed microvolts, a marker of N2 or N3 follows what the same marker of NREM follows.
    counted = [row for row in rows if row["marker"] in COUNTED_AGAIN and row["p"] <= alpha]
    whole = {(row["marker"], row["channel"]): row for row in counted if row["stage"] == "NREM"}
    for row in counted:
        same = whole.get((row["marker"], row["channel"]))
        if same and not row["follows_from"]:
            row["follows_from"], row["gain_apart"] = same["follows_from"], same["gain_apart"]


def _adjusted_together(rows: list[dict]) -> list[int]:
    """Return the places of the primary endpoints, and of the rows that represent a measure.

    They are chosen by the numbers of nights that have a value.
    """
    if not rows:
        return []
    frame = pd.DataFrame(rows)
    frame["known"] = frame[["n_control", "n_compound"]].min(axis=1) >= 2
    chosen = verdicts.choose_representatives(frame) & (frame["role"] != "described").to_numpy()
    return [int(i) for i in np.flatnonzero(chosen & (frame["known"] | (frame["role"] == "primary")).to_numpy())]


def _adjust_signals(rows: list[dict], drawn: dict[int, tuple[Floats, float]], study: Study, *, many: bool) -> None:
    """Fill `p_signal`: representatives of all measures together, without the declared order, the primary ones apart.

    Effects off the declared path are not invisible then, at a family-wise error of alpha.
    """
    if study.mechanism.kind == "observational":
        return
    measures = {rows[i]["measure"] for i in drawn if rows[i]["role"] == "primary"}
    chosen = [
        i
        for i in _adjusted_together(rows)
        if rows[i]["role"] == "family"
        and rows[i]["measure"] not in measures
        and not rows[i]["follows_from"]
        and np.isfinite(rows[i]["p"])
        and rows[i]["n_control"] + rows[i]["n_compound"] >= MIN_NIGHTS
    ]
    if not chosen:
        return
    raw = [rows[i]["p"] for i in chosen]
    if many:
        adjusted = multiplicity.holm(raw)
    else:
        adjusted = multiplicity.max_t(np.array([drawn[i][0] for i in chosen]), [drawn[i][1] for i in chosen])
        adjusted = np.fmax(adjusted, raw)
    for i, p in zip(chosen, adjusted, strict=True):
        rows[i] |= {"p_signal": float(p), "n_signal": len(chosen)}


def _describe_observed(rows: list[dict], adjustment: Adjustment) -> None:
    """Say of each row what it is adjusted for, and how many drawn nights would settle a difference of its size."""
    words = ", ".join(adjustment.names[:-1]) + (" and " if len(adjustment.names) > 1 else "")
    words += adjustment.names[-1] if adjustment.names else ""
    for row in rows:
        if not math.isfinite(row["difference"]):
            row["reason"] = row["reason"] if row["n_control"] and row["n_compound"] else "one condition has no night"
            continue
        row["adjusted_for"] = words
        if adjustment.inseparable:
            row["reason"] += f"; {', '.join(adjustment.inseparable)} cannot be told from the condition"
        size = max(abs(row["difference"]), row["bound"] if math.isfinite(row["bound"]) else 0.0)
        row["nights_to_settle"] = nights_to_settle(size / row["prior_sd"]) if row["prior_sd"] > 0 else 0


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
    if kind == "pairs":
        return np.column_stack([arranged.pairs == label for label in np.unique(arranged.pairs)]).astype(float)
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
    spread = sd if angle else arrangement.residual_sd(arranged, values)
    spread = spread if math.isfinite(spread) else sd
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
        "bound": arrangement.bound_in_unit(entry, spread, mean(first)),
        "prior_sd": spread,
        "scale": "",
        "sides": 1 if _is_one_sided(study, role, entry) else 2,
        "signal": False,
        "n_signal": 0,
        "moved": False,
        "follows_from": "",
        "adjusted_for": "",
        "nights_to_settle": 0,
    }


def _is_one_sided(study: Study, role: str, entry: pd.Series) -> bool:
    """Return whether only a change for the better counts: declared, of a primary endpoint, its direction known."""
    known = study.active is not None and entry["direction"] in {"+", "-"}
    return study.one_sided and role == "primary" and known and not arrangement.is_circular(entry["unit"])


def _freedom(arranged: Arrangement, kept: Bools, study: Study) -> float:
    """Return the degrees of freedom of Hedges' correction: pairs minus 1, or nights minus 2."""
    if study.mechanism.kind != "pairs":
        return float(kept.sum() - 2)
    _, sizes = np.unique(arranged.pairs[kept], return_counts=True)
    return float((sizes == 2).sum() - 1)


def _adjust(
    rows: list[dict], drawn: dict[int, tuple[Floats, float]], study: Study, *, many: bool, gate: float = 0.0
) -> dict[str, bool]:
    """Fill adjusted p-values; return which families the gate let through.

    A difference that follows from slow-wave amplitude or gain is no finding, takes part in no test and opens no gate.
    """
    enough = [
        np.isfinite(row["p"]) and row["n_control"] + row["n_compound"] >= MIN_NIGHTS and not row["follows_from"]
        for row in rows
    ]
    primary = [i for i, row in enumerate(rows) if row["role"] == "primary" and enough[i]]
    if primary:
        raw = [rows[i]["p"] for i in primary]
        if many:
            adjusted, how = multiplicity.holm(raw), "Holm over the primary endpoints"
        elif gate:
            # The trend is tested before each dose. Once it is found in every primary endpoint, at most one of the two
            # doses can be without an effect on an endpoint, so that Bonferroni counts endpoints and not doses.
            adjusted = np.fmax(np.fmin(len(raw) * np.array(raw), 1.0), gate)
            how = "closed test: the trend over dose first, then each dose, Bonferroni over the primary endpoints"
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


def tabulate_nights(arranged: Arrangement) -> pd.DataFrame:
    """Return every value of every night as table COMPARISON_NIGHTS."""
    n_markers, n_nights = arranged.value.shape
    repeated = arranged.nights[["subject", "night", "date", "condition"]]
    repeated = repeated.iloc[np.tile(np.arange(n_nights), n_markers)].reset_index(drop=True)
    named = arranged.entries[["family", "unit", *KEYS]].iloc[np.repeat(np.arange(n_markers), n_nights)]
    frame = pd.concat([repeated, named.reset_index(drop=True)], axis=1)
    frame = frame.assign(value=arranged.value.ravel(), clean_min=arranged.clean_min.ravel())
    return check_table(frame, COMPARISON_NIGHTS)
