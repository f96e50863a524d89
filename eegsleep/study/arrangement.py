"""From a study and its markers to arrays: one column a night, one row a marker, one value in each cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import TableError
from eegsleep.markers import CATALOGUE
from eegsleep.statistics.circular import circular_sd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KEYS = ["marker", "stage", "channel"]
_NUMBERS = ("value", "clean_min", "low", "high", "expected")
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
        Their rows of the study, by sleeper and date; `rows` are their places in it.
    assigned : ndarray of bool, shape (n_nights,)
        True on compound nights (on nights of the second code while the codes are masked).
    entries : DataFrame
        One row a marker: marker, stage, channel, family, unit, label, direction, smallest effect.
    value, clean_min, low, high, expected : ndarray, shape (n_markers, n_nights)
        What the nights measured; NaN where there is none, and for excluded nights.
    before : ndarray, shape (n_markers, n_nights_before)
        The markers of nights before each sleeper's first condition; `before_subjects` says whose they are.
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
    before: Floats
    before_subjects: NDArray

    @cached_property
    def subjects(self) -> NDArray:
        """Whose night each is."""
        return self.nights["subject"].to_numpy(dtype=object)

    @cached_property
    def days(self) -> Floats:
        """Days since the sleeper's first night that was given a condition."""
        dates = pd.to_datetime(self.nights["date"])
        first = dates.groupby(self.subjects).transform("min")
        return (dates - first).dt.days.to_numpy(dtype=float)


def arrange_nights(study, values: pd.DataFrame) -> Arrangement:  # noqa: ANN001
    """Arrange the markers of a study's nights; one value of a marker a night is all there can be.

    Raises
    ------
    TableError
        If a night has two values of one marker (events are averaged within the night first), if it is
        not in the study, or if a column is missing.
    """
    needed = ["night", *KEYS, "value", "unit"]
    missing = [name for name in needed if name not in values.columns]
    if missing:
        raise TableError("the values to compare lack columns", found=f"missing {missing}", allowed=", ".join(needed))
    table = study.nights
    given = np.flatnonzero(table["condition"].isin(study.conditions).to_numpy())
    order = np.lexsort((table["date"].to_numpy(dtype="U10")[given], table["subject"].to_numpy(dtype="U99")[given]))
    rows = given[order]
    nights = table.iloc[rows].reset_index(drop=True)
    if nights["night"].duplicated().any():
        raise TableError("a night is listed twice", found=str(nights["night"][nights["night"].duplicated()].iloc[0]))
    unknown = sorted(set(values["night"]) - set(table["night"]))
    if unknown:
        raise TableError("values of nights that the study does not list", found=", ".join(map(str, unknown[:3])))
    long = pd.concat([values, _next_day(nights)], ignore_index=True)
    long = pd.concat([long, _never_measured(study, nights, long)], ignore_index=True)
    earlier = long
    long = long[long["night"].isin(nights["night"])]
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
    long = long.assign(**{name: long.get(name, math.nan) for name in _NUMBERS})
    keys = pd.MultiIndex.from_frame(long[KEYS].drop_duplicates())
    index = keys.get_indexer(pd.MultiIndex.from_frame(long[KEYS]))
    column = pd.Index(nights["night"]).get_indexer(long["night"])
    arrays = {}
    for name in _NUMBERS:
        array = np.full((len(keys), len(nights)), np.nan)
        array[index, column] = long[name].to_numpy(dtype=float)
        array[~np.isfinite(array)] = np.nan
        array[:, nights["excluded"].to_numpy(dtype=bool) | nights["adaptation"].to_numpy(dtype=bool)] = np.nan
        arrays[name] = array
    units = long.drop_duplicates(KEYS).set_index(KEYS)["unit"]
    entries = pd.DataFrame([_describe(study, key, str(units.loc[key])) for key in keys])
    second = (nights["condition"] == study.conditions[1]).to_numpy()
    assigned = ~second if study.active == study.conditions[0] else second
    first = find_nights_before(table)
    earlier = earlier[earlier["night"].isin(first["night"]) & np.isfinite(earlier["value"].astype(float))]
    place = keys.get_indexer(pd.MultiIndex.from_frame(earlier[KEYS]))
    before = np.full((len(keys), len(first)), np.nan)
    column = pd.Index(first["night"]).get_indexer(earlier["night"])
    before[place[place >= 0], column[place >= 0]] = earlier["value"].to_numpy(dtype=float)[place >= 0]
    whose = first["subject"].to_numpy(dtype=object)
    return Arrangement(nights, rows, assigned, entries, *(arrays[name] for name in _NUMBERS), before, whose)


def find_nights_before(nights: pd.DataFrame) -> pd.DataFrame:
    """Return the nights that show a sleeper before anything was given: no condition, no adaptation, not excluded."""
    given = nights[nights["condition"] != ""]
    start = nights["subject"].map(given.groupby("subject")["date"].min())
    free = (nights["condition"] == "") & ~nights["adaptation"].astype(bool) & ~nights["excluded"].astype(bool)
    return nights[free & start.notna() & (nights["date"] < start.fillna(""))]


def _next_day(nights: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of the day after as markers of their nights; a night without a recording does not enter."""
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


def _never_measured(study, nights: pd.DataFrame, long: pd.DataFrame) -> pd.DataFrame:  # noqa: ANN001
    """Return a row without a value for each primary endpoint that no night has: it must not be forgotten."""
    there = set(long[KEYS].astype("str").agg("|".join, axis=1)) if len(long) else set()
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


def _describe(study, key: tuple[str, str, str], unit: str) -> dict:  # noqa: ANN001
    name, stage, channel = key
    found = CATALOGUE.get(name)
    entry = {"marker": name, "stage": stage, "channel": channel, "unit": unit}
    if found:
        entry |= {"label": found.label, "family": found.family_in(stage), "direction": found.direction_in(stage)}
        effect = (found.smallest_effect, found.smallest_effect_unit)
    else:
        day = name.startswith("day_")
        directions = [sign for start, sign in _DAY_DIRECTIONS.items() if name.startswith(start)]
        entry |= {
            "label": _spell_score(name),
            "family": "E" if day else "context",
            "direction": directions[0] if directions else "0",
        }
        effect = (0.5, "SD") if day else (None, "")
    endpoint = "|".join(key)
    declared: Mapping = study.smallest_effects or {}
    effect = declared.get(endpoint, declared.get(name, effect))
    return entry | {
        "endpoint": endpoint,
        "smallest_effect": math.nan if effect[0] is None else float(effect[0]),
        "smallest_effect_unit": effect[1],
    }


def _spell_score(name: str) -> str:
    """Return the name of a score as it is spoken, abbreviations of known tests in capitals."""
    words = name.removeprefix("day_").split("_")
    return " ".join(word.upper() if word in {"pvt", "kss", "vas", "sol", "tst"} else word for word in words)


def is_circular(unit: str) -> bool:
    """Return whether values of this unit are angles."""
    return unit == "rad"


def logarithms(entry: pd.Series, values: Floats) -> Floats | None:
    """Return the logarithms of a marker for which ratios are natural; None for others, or with values ≤ 0.

    Power and densities multiply; latencies and wake are minutes that may be 0, so that 1 is added.
    """
    if entry["unit"] in {"µV²", "/min"}:
        shifted = values
    elif entry["marker"] in {"sol_min", "waso_min", "wake_in_sleep_period_min", "persistent_sleep_latency_min"}:
        shifted = values + 1
    else:
        return None
    finite = shifted[np.isfinite(shifted)]
    return np.log(shifted) if finite.size and (finite > 0).all() else None


def night_sd(values: Floats, subjects: NDArray, chosen: NDArray[np.bool_], *, circular: bool = False) -> float:
    """Return the standard deviation between chosen nights of one sleeper, pooled over sleepers.

    With one such night a sleeper nothing is known within, and the spread between sleepers stands in.
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


def bound_in_unit(entry: pd.Series, control_sd: float, control_mean: float) -> float:
    """Return the smallest effect of interest in the unit of the marker; NaN if there is none."""
    effect, unit = float(entry["smallest_effect"]), entry["smallest_effect_unit"]
    if unit == "SD":
        return effect * control_sd
    if unit == "%" and entry["unit"] != "%":
        return effect / 100 * abs(control_mean)
    return effect
