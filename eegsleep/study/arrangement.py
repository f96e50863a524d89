"""From a study and its markers to arrays: one column a night, one row a marker, one value in each cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegsleep.errors import TableError
from eegsleep.markers import CATALOGUE
from eegsleep.statistics.circular import circular_sd
from eegsleep.study.declared.expectations import GABAERGIC
from eegsleep.study.schedules.mechanisms import is_weekend

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import NDArray

    from eegsleep.study.declared.protocol import Study

    Floats = NDArray[np.float64]

KEYS = ["marker", "stage", "channel"]
_NUMBERS = (
    "value",
    "clean_min",
    "low",
    "high",
    "expected",
    "at_least",
    "at_less_delta",
    "at_more_delta",
    "by_other_stager",
)
# Whether more of a next-day score is better, by how its column begins.
_DAY_DIRECTIONS = {
    "day_pvt_inv": "+",
    "day_pvt_speed": "+",
    "day_pvt_lapses": "-",
    "day_nback": "+",
    "day_kss": "-",
    "day_vas": "+",
    "day_sol": "-",
    "day_tst": "+",
}


@dataclass(frozen=True)
class Arrangement:
    """The nights that were given a condition, in order, and every marker in them.

    Attributes
    ----------
    nights : DataFrame
        Their rows in the nights of the study, sorted by sleeper and date.
    rows : ndarray of int, shape (n_nights,)
        Where these rows are in the nights of the study.
    assigned : ndarray of bool, shape (n_nights,)
        True on compound nights (on nights of the second code while the codes are masked).
    entries : DataFrame
        One row a marker: marker, stage, channel, family, unit, label, direction, smallest effect.
    value, clean_min, low, high, expected : ndarray, shape (n_markers, n_nights)
        What the nights measured; NaN where there is none, and for excluded nights.
    at_least : ndarray, shape (n_markers, n_nights)
        What a latency exceeds in a night in which it has no value because the wait was in vain; otherwise NaN.
    at_less_delta, at_more_delta : ndarray, shape (n_markers, n_nights)
        The same markers with smaller and larger slow waves.
    by_other_stager : ndarray, shape (n_markers, n_nights)
        Sleep statistics by another stager, where one was asked.
    before : ndarray, shape (n_markers, n_nights_before)
        The markers of nights before each sleeper's first condition.
    before_subjects : ndarray, shape (n_nights_before,)
        Whose nights these are.
    """

    nights: pd.DataFrame
    rows: NDArray[np.int64]
    assigned: NDArray[np.bool_]
    entries: pd.DataFrame
    value: Floats
    clean_min: Floats
    low: Floats
    high: Floats
    expected: Floats
    at_least: Floats
    at_less_delta: Floats
    at_more_delta: Floats
    by_other_stager: Floats
    before: Floats
    before_subjects: NDArray

    @cached_property
    def subjects(self) -> NDArray:
        """Whose night each is."""
        return self.nights["subject"].to_numpy(dtype=object)

    @cached_property
    def pairs(self) -> NDArray:
        """The pair or phase of each night, with its sleeper."""
        blocks = self.nights["block"].astype("str").to_numpy(dtype="U99")
        return np.char.add(np.char.add(self.subjects.astype("U99"), "|"), blocks)

    @cached_property
    def days(self) -> Floats:
        """Days since the sleeper's first night that was given a condition."""
        dates = pd.to_datetime(self.nights["date"])
        first = dates.groupby(self.subjects).transform("min")
        return (dates - first).dt.days.to_numpy(dtype=float)


def arrange_nights(study: Study, values: pd.DataFrame) -> Arrangement:
    """Arrange the markers of a study's nights: one row a marker, one column a night.

    Parameters
    ----------
    study : Study
    values : DataFrame
        Long: `night`, `marker`, `stage`, `channel`, `value`, `unit`, and where known `clean_min`, `low`, `high`,
        `expected`, `at_least`, `at_less_delta`, `at_more_delta`. The next-day scores come from the nights of the study
        and are added here.

    Returns
    -------
    Arrangement

    Raises
    ------
    TableError
        If a night has two values of one marker (events are averaged within the night first), if it is
        not in the study, or if a column is missing.
    """
    table = study.nights
    _check_values(table, values)
    given = np.flatnonzero(table["condition"].isin(study.conditions).to_numpy())
    order = np.lexsort((table["date"].to_numpy(dtype="U10")[given], table["subject"].to_numpy(dtype="U99")[given]))
    rows = given[order]
    nights = table.iloc[rows].reset_index(drop=True)
    if nights["night"].duplicated().any():
        raise TableError("a night is listed twice", found=str(nights["night"][nights["night"].duplicated()].iloc[0]))
    every = pd.concat([values, _next_day(nights)], ignore_index=True)
    every = pd.concat([every, _never_measured(study, nights, every)], ignore_index=True)
    long = _check_long(every[every["night"].isin(nights["night"])])
    keys = pd.MultiIndex.from_frame(long[KEYS].drop_duplicates())
    arrays = _fill_arrays(long, keys, nights)
    units = long.drop_duplicates(KEYS).set_index(KEYS)["unit"]
    entries = pd.DataFrame([_describe_marker(study, key, str(units.loc[key])) for key in keys])
    second = (nights["condition"] == study.conditions[1]).to_numpy()
    earlier = find_nights_before(table)
    return Arrangement(
        nights=nights,
        rows=rows,
        assigned=~second if study.active == study.conditions[0] else second,
        entries=entries,
        **arrays,
        before=_fill_before(every, keys, earlier),
        before_subjects=earlier["subject"].to_numpy(dtype=object),
    )


def _check_values(nights: pd.DataFrame, values: pd.DataFrame) -> None:
    needed = ["night", *KEYS, "value", "unit"]
    missing = [name for name in needed if name not in values.columns]
    if missing:
        raise TableError("the values to compare lack columns", found=f"missing {missing}", allowed=", ".join(needed))
    unknown = sorted(set(values["night"]) - set(nights["night"]))
    if unknown:
        raise TableError("values of nights that the study does not list", found=", ".join(map(str, unknown[:3])))


def _check_long(long: pd.DataFrame) -> pd.DataFrame:
    """Return the values of nights that were given a condition, with every column of numbers, one value a marker."""
    if long.empty:
        raise TableError(
            "there is nothing to compare",
            found="no marker of a night that was given a condition",
            remedy="score the nights of the study first",
        )
    twice = long.duplicated(["night", *KEYS])
    if twice.any():
        first = long[twice].iloc[0]
        raise TableError(
            "the unit of a comparison is the night: each has one value of a marker",
            found=f"more than one {first['marker']} of night {first['night']}",
            remedy="average events within the night first",
        )
    return long.assign(**{name: long.get(name, math.nan) for name in _NUMBERS})


def _fill_arrays(long: pd.DataFrame, keys: pd.MultiIndex, nights: pd.DataFrame) -> dict[str, Floats]:
    """Return the numbers as arrays of shape (n_markers, n_nights), NaN in nights that do not enter."""
    index = keys.get_indexer(pd.MultiIndex.from_frame(long[KEYS]))
    column = pd.Index(nights["night"]).get_indexer(long["night"])
    out = nights["excluded"].to_numpy(dtype=bool) | nights["adaptation"].to_numpy(dtype=bool)
    arrays = {}
    for name in _NUMBERS:
        array = np.full((len(keys), len(nights)), np.nan)
        array[index, column] = long[name].to_numpy(dtype=float)
        array[~np.isfinite(array)] = np.nan
        array[:, out] = np.nan
        arrays[name] = array
    return arrays


def _fill_before(every: pd.DataFrame, keys: pd.MultiIndex, nights: pd.DataFrame) -> Floats:
    """Return the markers of the nights before the first condition, shape (n_markers, n_nights_before)."""
    own = every[every["night"].isin(nights["night"]) & np.isfinite(every["value"].astype(float))]
    place = keys.get_indexer(pd.MultiIndex.from_frame(own[KEYS]))
    column = pd.Index(nights["night"]).get_indexer(own["night"])
    before = np.full((len(keys), len(nights)), np.nan)
    known = place >= 0
    before[place[known], column[known]] = own["value"].to_numpy(dtype=float)[known]
    return before


def find_nights_before(nights: pd.DataFrame) -> pd.DataFrame:
    """Return the nights before the first condition of each sleeper: no condition, no adaptation, not excluded."""
    given = nights[nights["condition"] != ""]
    start = nights["subject"].map(given.groupby("subject")["date"].min())
    free = (nights["condition"] == "") & ~nights["adaptation"].astype(bool) & ~nights["excluded"].astype(bool)
    return nights[free & start.notna() & (nights["date"] < start.fillna(""))]


def _next_day(nights: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of the day after as markers of their nights; NaN for a night without a recording."""
    parts = [
        pd.DataFrame(
            {
                "night": nights["night"],
                "marker": name,
                "stage": "",
                "channel": "",
                "unit": "",
                "value": pd.to_numeric(nights[name], errors="coerce").where(nights["file"] != ""),
            }
        )
        for name in nights.columns
        if name.startswith("day_")
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _never_measured(study: Study, nights: pd.DataFrame, long: pd.DataFrame) -> pd.DataFrame:
    """Return a row without a value for each primary endpoint that no night has, so that it is reported as missing."""
    there = {"|".join(key) for key in long[KEYS].drop_duplicates().itertuples(index=False)} if len(long) else set()
    missing = [endpoint.split("|") for endpoint in study.primary if endpoint not in there]
    return pd.DataFrame(
        [
            {
                "night": nights["night"].iloc[0],
                **dict(zip(KEYS, parts, strict=True)),
                "value": math.nan,
                "unit": CATALOGUE[parts[0]].unit if parts[0] in CATALOGUE else "",
            }
            for parts in missing
            if len(nights)
        ]
    )


def _describe_marker(study: Study, key: tuple[str, str, str], unit: str) -> dict[str, Any]:
    name, stage, channel = key
    known = CATALOGUE.get(name)
    direction: str
    if known:
        label, family, direction = known.label, known.family_in(stage), known.direction_in(stage)
    else:
        directions = [sign for start, sign in _DAY_DIRECTIONS.items() if name.startswith(start)]
        label, direction = _spell_score(name), directions[0] if directions else "0"
        family = "E" if name.startswith("day_") else "context"
    if study.compound_class in GABAERGIC and "spindle" in name:
        direction = "0"
    endpoint = "|".join(key)
    effect, effect_unit = study.smallest_effect(endpoint)
    return {
        "marker": name,
        "stage": stage,
        "channel": channel,
        "unit": unit,
        "label": label,
        "family": family,
        "direction": direction,
        "endpoint": endpoint,
        "smallest_effect": math.nan if effect is None else float(effect),
        "smallest_effect_unit": effect_unit,
    }


def _spell_score(name: str) -> str:
    """Return the name of a score in words, abbreviations of known tests in capitals."""
    words = name.removeprefix("day_").split("_")
    return " ".join(word.upper() if word in {"pvt", "kss", "vas", "sol", "tst"} else word for word in words)


def has_natural_ratio(entry: Mapping[Hashable, Any] | pd.Series) -> bool:
    """Return whether the logarithms of a marker decide where all its values are above 0: powers and densities."""
    return entry["unit"] in {"µV²", "/min"}


def is_circular(unit: str) -> bool:
    """Return whether values of this unit are angles."""
    return unit == "rad"


def logarithms(entry: pd.Series, values: Floats) -> Floats | None:
    """Return the logarithms of a marker that is also compared as a ratio; None for others, or with values ≤ 0.

    These are powers and densities, and latencies and minutes awake. Minutes may be 0, and 1 min is added to them.

    Parameters
    ----------
    entry : Series
        With `marker` and `unit`.
    values : ndarray
        In the unit of the marker; NaN stays NaN.

    Returns
    -------
    ndarray of the shape of `values`, or None
    """
    if has_natural_ratio(entry):
        shifted = values
    elif entry["marker"] in {"sol_min", "waso_min", "wake_in_sleep_period_min", "persistent_sleep_latency_min"}:
        shifted = values + 1
    else:
        return None
    finite = shifted[np.isfinite(shifted)]
    return np.log(shifted) if finite.size and (finite > 0).all() else None


def night_sd(values: Floats, subjects: NDArray, chosen: NDArray[np.bool_], *, circular: bool = False) -> float:
    """Return the standard deviation between chosen nights of one sleeper, pooled over sleepers.

    Where no sleeper has two such nights, it is the standard deviation between sleepers.

    Parameters
    ----------
    values : ndarray, shape (n_nights,)
    subjects : ndarray, shape (n_nights,)
        Whose night each is.
    chosen : ndarray of bool, shape (n_nights,)
    circular : bool
        Whether the values are angles (rad); sleepers are then not told apart.

    Returns
    -------
    float
        In the unit of the values; NaN with fewer than two nights.
    """
    kept = chosen & np.isfinite(values)
    if circular:
        return circular_sd(values[kept])
    squares, freedom = 0.0, 0
    for name in set(subjects[kept].tolist()):
        own = values[kept & (subjects == name)]
        squares += float(((own - own.mean()) ** 2).sum())
        freedom += own.size - 1
    if not freedom:
        return float(values[kept].std(ddof=1)) if kept.sum() > 1 else math.nan
    return math.sqrt(squares / freedom)


def residual_sd(arranged: Arrangement, values: Floats) -> float:
    """Return the standard deviation between nights of a sleeper once condition, time and weekend are taken out.

    A smallest effect in SD is set against it. The plain standard deviation holds the drift over the study, too; with
    it, a true difference of the smallest effect was called equivalent in 27 % of studies with a drift.

    Parameters
    ----------
    arranged : Arrangement
    values : ndarray, shape (n_nights,)

    Returns
    -------
    float
        NaN with fewer than two nights more than columns.
    """
    kept = np.isfinite(values)
    subjects = arranged.subjects
    columns = [np.ones(len(values)), arranged.assigned, arranged.days, is_weekend(arranged.nights["date"])]
    columns += [subjects == name for name in np.unique(subjects)[1:]]
    x = np.column_stack(columns)[kept].astype(float)
    if not kept.any():
        return math.nan
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    basis = u[:, s > 1e-9 * s[0]]
    free = int(kept.sum()) - basis.shape[1]
    if free < 2:
        return math.nan
    y = values[kept] - values[kept].mean()
    return math.sqrt(float(((y - basis @ (basis.T @ y)) ** 2).sum()) / free)


def bound_in_unit(entry: pd.Series, sd: float, control_mean: float) -> float:
    """Return the smallest effect of interest in the unit of the marker; NaN if there is none.

    Parameters
    ----------
    entry : Series
        With `marker`, `direction`, `smallest_effect`, `smallest_effect_unit` and `unit`.
    sd : float
        Between nights (`residual_sd`), in the unit of the marker.
    control_mean : float
        Of the control nights.

    Returns
    -------
    float
        The catalogue's minutes and points are those of patients with insomnia before and after treatment. A sleeper
        with 18 minutes to sleep onset cannot improve by 20, so the bound is at most half of what an improvement could
        be (`room_to_improve`). A smallest effect that the study declares is taken as it is.
    """
    effect, unit = float(entry["smallest_effect"]), entry["smallest_effect_unit"]
    if unit == "SD":
        return effect * sd
    if unit == "%" and entry["unit"] != "%":
        return effect / 100 * abs(control_mean)
    known = CATALOGUE.get(entry["marker"])
    if known and (effect, unit) == (known.smallest_effect, known.smallest_effect_unit):
        return float(np.fmin(effect, room_to_improve(entry["unit"], entry["direction"], control_mean) / 2))
    return effect


def room_to_improve(unit: str, direction: str, control_mean: float) -> float:
    """Return how much better a marker could become: up to 100 % for a share that is better when higher, else to 0."""
    return 100 - control_mean if unit == "%" and direction == "+" else abs(control_mean)
