"""Support or sedation: which pattern the differences make together. It describes and decides nothing.

A compound that lengthens sleep may do so by sedation, with fewer slow waves or less REM sleep, and spindles that are
more, slower, longer and less tied to slow waves, as benzodiazepines do; or it may leave the inside of sleep alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.statistics.multiplicity import benjamini_hochberg
from eegsleep.study.comparison.verdicts import direction_of
from eegsleep.tables import PATTERN, check_table

if TYPE_CHECKING:
    from eegsleep.study.declared.protocol import Study

_RATE = 0.05  # false discoveries among the aspects; where nothing differs it bounds the chance of any pattern
# What is looked at: the measure, and how its difference is spoken of when it is higher and when it is lower.
_ASPECTS = {
    "sleep amount": ("longer sleep", "shorter sleep"),
    "sleep onset": ("slower onset", "faster onset"),
    "wake after onset": ("more wake", "less wake"),
    "slow waves": ("more slow waves", "fewer slow waves"),
    "REM": ("more REM sleep", "less REM sleep"),
    "spindles": ("more spindles", "fewer spindles"),
    "spindle frequency": ("faster spindles", "slower spindles"),
    "spindle duration": ("longer spindles", "shorter spindles"),
    "coupling strength": ("tighter coupling", "looser coupling"),
}
_MORE_SLEEP = {"longer sleep", "faster onset", "less wake"}
_LESS_SLEEP = {"shorter sleep", "slower onset", "more wake"}
_SEDATIVE_SPINDLES = {"more spindles", "slower spindles", "longer spindles", "looser coupling"}
_LOST = {"fewer slow waves", "less REM sleep"}
_WORSE_INSIDE = _LOST | {"fewer spindles", "looser coupling"}


class Pattern(NamedTuple):
    """A pattern with its words."""

    pattern: str
    sentence: str


def describe_pattern(study: Study, markers: pd.DataFrame) -> pd.DataFrame:
    """Return table PATTERN: one row.

    Parameters
    ----------
    study : Study
    markers : DataFrame
        Table COMPARISON.

    Returns
    -------
    DataFrame
    """
    chosen = _choose_rows(markers)
    tested = chosen[np.isfinite(chosen["p"])]
    found: list[str] = []
    if len(tested):
        clear = benjamini_hochberg(tested["p"]) <= _RATE
        found = [
            _ASPECTS[row["measure"]][direction_of(row) < 0]
            for row, sure in zip(tested.to_dict("records"), clear, strict=True)
            if sure
        ]
    next_day = markers[(markers["family"] == "E") & np.isfinite(markers["difference"])]
    made = _name_pattern(set(found), next_day["verdict"].tolist())
    if study.active is None:
        made = Pattern("masked", "The codes are masked; no pattern is named.")
    elif tested.empty:
        made = Pattern("none", "Nothing was tested from which a pattern could be named.")
    row = {
        "pattern": made.pattern,
        "sentence": made.sentence,
        "found": "; ".join(found) if study.active is not None else "",
        "n_aspects": len(tested),
        "n_next_day": len(next_day),
    }
    return check_table(pd.DataFrame([row], columns=PATTERN.column_names), PATTERN)


def _choose_rows(markers: pd.DataFrame) -> pd.DataFrame:
    """Return the row that stands for each aspect; none that follows from gain or slow-wave amplitude."""
    known = markers[np.isfinite(markers["difference"]) & (markers["follows_from"] == "") & markers["represents"]]
    known = known[known["measure"].isin(list(_ASPECTS))]
    return known.drop_duplicates("measure")


def _name_pattern(found: set[str], next_day: list[str]) -> Pattern:  # noqa: PLR0911 (one a pattern)
    aspects = ", ".join(sorted(found))
    if found & _MORE_SLEEP and found & _LOST and (found & _SEDATIVE_SPINDLES or found >= _LOST):
        return Pattern("sedation-like", f"Sedation-like: {aspects}. Sleep was bought with what it consists of.")
    if found & _LESS_SLEEP and "more slow waves" not in found:
        return Pattern("stimulant-like", f"Stimulant-like: {aspects}.")
    if found & _MORE_SLEEP and not found & _WORSE_INSIDE:
        if not next_day:
            return Pattern(
                "not claimed",
                f"{aspects.capitalize()}, and nothing inside sleep was lost; without next-day outcomes it cannot be "
                "claimed that sleep is supported selectively.",
            )
        if "worse" in next_day:
            return Pattern("none", f"{aspects.capitalize()}, but the next day was worse.")
        return Pattern("selective", f"Selective: {aspects}; nothing inside sleep and nothing of the next day was lost.")
    if "more slow waves" in found and not found & (_LESS_SLEEP | {"less REM sleep", "looser coupling"}):
        words = f"Restorative-like: {aspects}; slow waves are a proxy of restoration."
        return Pattern("restorative-like", words if next_day else f"{words} No next-day outcome was recorded.")
    return Pattern("none", f"No known pattern: {aspects}." if found else "No pattern: nothing differs beyond chance.")
