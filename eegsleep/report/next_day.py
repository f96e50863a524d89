"""The part of a study's page about the day after: scores by condition, practice, and associations with the nights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from eegsleep.report.numbers import format_number, number_range, p_value, signed_number
from eegsleep.study.comparison.relations import MIN_RELATED_NIGHTS
from eegsleep.study.comparison.verdicts import FALSE_DISCOVERY_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

SHOWN = 6  # relations beside those of the primary endpoints


def describe_next_day(
    scores: Sequence[Mapping[str, Any]], relations: pd.DataFrame, nuisance: pd.DataFrame
) -> dict[str, Any] | None:
    """Return the part of the page about the day after; None if no score was entered.

    Parameters
    ----------
    scores : sequence of mapping
        The rows of the scores as the page shows those of markers, with their `marker`.
    relations, nuisance : DataFrame
        Tables RELATIONS and NUISANCE.

    Returns
    -------
    dict or None
        Values for the template.
    """
    if not scores:
        return None
    trends = nuisance[nuisance["kind"] == "trend"].set_index("marker")["value"]
    rows = [{**row, "trend": signed_number(trends.get(row["marker"], math.nan))} for row in scores]
    known = relations[relations["low"].notna()]
    main = (known["role"] == "primary") & (known["lag_nights"] == 0)
    primary, others = known[main], known[~main]
    strongest = others.loc[others["partial_r"].abs().sort_values(ascending=False, kind="stable").index[:SHOWN]]
    reasons = relations.loc[relations["low"].isna(), "reason"].value_counts()
    return {
        "scores": rows,
        "primary": [_relation(row) for row in primary.itertuples(index=False)],
        "others": [_relation(row) for row in strongest.itertuples(index=False)],
        "n_others": len(others),
        "n_tests": int(relations["n_tests"].max()) if len(relations) else 0,
        "reason": str(reasons.index[0]) if len(reasons) and known.empty else "",
        "n_missing": len(relations) - len(known),
        "rate": f"{100 * FALSE_DISCOVERY_RATE:.0f} %",
        "least": MIN_RELATED_NIGHTS,
        "several": bool((known["n_subjects"] > 1).any()),
        "tested": bool(known["p"].notna().any()),
    }


def _relation(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a named tuple
    where = " ".join(part for part in (row.stage, row.channel) if part) or "night"
    return {
        "label": row.label,
        "where": where,
        "score": row.score_label,
        "lag": "night before" if row.lag_nights == 0 else "two nights before",
        "n": str(row.n_nights),
        "estimate": signed_number(row.estimate),
        "interval": number_range(row.low, row.high),
        "across": signed_number(row.estimate_across),
        "r": format_number(row.partial_r, 2),
        "p": p_value(row.p_adjusted),
        "stands": row.p_adjusted <= FALSE_DISCOVERY_RATE,
    }
