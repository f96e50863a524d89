"""The part of a study's page on control and two doses: the trend, each dose, and the nights of all three conditions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eegsleep.report.numbers import MISSING, format_number, number_range, p_value, signed_number
from eegsleep.report.study_figures import Drawing, draw_doses
from eegsleep.study.comparison.answer import describe_trend

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study

_KEYS = ["marker", "stage", "channel"]
DESIGN = "three conditions, drawn by lot: control and two doses"
NOTE = (
    "This study has two doses. What is said of the compound below compares the high dose with control; the section "
    "“Doses” holds the trend over dose, which was tested first, and the low dose."
)
METHODS = (
    "Three conditions: the trend over dose is tested first, by redrawing all three by the declared mechanism. "
    "Each dose is then compared with control by redrawing the nights of these two alone, given where the other dose "
    "fell; blocks of three leave pairs. Together this is a closed test (Marcus, Peritz & Gabriel 1976, "
    "doi:10.1093/biomet/63.3.655): the trend tests that neither dose does anything, and where that is rejected at most "
    "one of the two doses can be without an effect. An effect that the low dose alone has is seldom found."
)


class Middle(NamedTuple):
    """The low dose: its code and its name on the page."""

    code: str
    shown: str


def name_low_dose(comparison: Comparison) -> Middle | None:
    """Return the low dose of a study of two, or None."""
    low = comparison.doses[comparison.doses["contrast"] == "low dose"]
    return None if low.empty else Middle(str(low["code"].iloc[0]), _name(low.iloc[0]))


def describe_doses(study: Study, comparison: Comparison) -> dict[str, Any] | None:
    """Return the words and figures on the doses, or None where the study has one.

    Parameters
    ----------
    study : Study
        Control and the high dose, as `compare_doses` returns it.
    comparison : Comparison

    Returns
    -------
    dict or None
        `primary`: one entry for each primary endpoint, with its sentence, rows and figure; `others`: the trend of every
        other marker, which is described and not tested.
    """
    if comparison.doses.empty:
        return None
    primary, others = [], []
    for _, rows in comparison.doses.groupby(_KEYS, sort=False):
        first, trend = rows.iloc[0], rows.iloc[-1]
        if first["role"] == "primary":
            primary.append(
                {
                    "title": _title(first),
                    "sentence": describe_trend(study, rows),
                    "rows": [_row(row) for _, row in rows.iterrows()],
                    "figure": _draw(comparison.dose_nights, rows),
                }
            )
        elif math.isfinite(trend["difference"]):
            means = rows["mean"].to_numpy(dtype=float)[:3]
            others.append(_row(trend) | {"title": _title(first), "means": [format_number(mean) for mean in means]})
    shown = [_name(row) for _, row in comparison.doses.iloc[:3].iterrows()]
    return {"primary": primary, "others": others, "names": shown}


def _title(row: pd.Series) -> str:
    where = " ".join(part for part in (row["stage"], row["channel"]) if part)
    unit = f" ({row['unit']})" if row["unit"] and row["unit"] != "n" else ""
    return f"{row['label']}{', ' + where if where else ''}{unit}"


def _name(row: pd.Series) -> str:
    if row["contrast"] == "trend":
        return f"trend over dose, at {row['dose_mg']:g} mg"
    return f"control ({row['code']})" if row["contrast"] == "control" else f"{row['dose_mg']:g} mg ({row['code']})"


def _row(row: pd.Series) -> dict[str, str]:
    known = math.isfinite(row["difference"])
    return {
        "name": _name(row),
        "n": str(row["n_nights"]),
        "mean": format_number(row["mean"]) if math.isfinite(row["mean"]) else MISSING,
        "difference": signed_number(row["difference"]) if known else MISSING,
        "interval": number_range(row["low"], row["high"]) if math.isfinite(row["low"]) else MISSING,
        "p": p_value(row["p"]),
        "p_adjusted": p_value(row["p_adjusted"]),
        "reason": row["reason"],
    }


def _draw(nights: pd.DataFrame, rows: pd.DataFrame) -> Drawing:
    first = rows.iloc[0]
    own = nights[np.logical_and.reduce([nights[key] == first[key] for key in _KEYS])]
    arms = [
        (_name(row), own.loc[(own["condition"] == row["code"]) & np.isfinite(own["value"]), ["night", "value"]])
        for _, row in rows.iloc[:3].iterrows()
    ]
    return draw_doses(_title(first), first["unit"], rows["dose_mg"].to_numpy(dtype=float)[:3], arms)
