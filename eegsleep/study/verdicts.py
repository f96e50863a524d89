"""Verdicts: better, worse, equivalent or inconclusive, for a marker and for a family; never "no effect"."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

from eegsleep.markers import FAMILIES
from eegsleep.study.effects import is_equivalent
from eegsleep.tables import FAMILY_VERDICTS, check_table

FALSE_DISCOVERY_RATE = 0.10  # inside a family that is not primary; such findings are exploratory


def judge_marker(row: dict, *, alpha: float, masked: bool) -> tuple[str, str]:  # noqa: PLR0911 (one a verdict)
    """Return the verdict on one row of table COMPARISON, and the verdict in words.

    A difference that is certain but certainly smaller than matters is *equivalent*: the 90 % interval
    decides before p does.
    """
    label = row["label"] + (f" in {row['stage']}" if row["stage"] else "")
    if not np.isfinite(row["difference"]):
        return "inconclusive", f"{label} could not be compared: {row['reason'] or 'no difference can be estimated'}."
    if row["method"] == "descriptive":
        return "inconclusive", f"{label} is described only: no mechanism allocated the nights."
    found = np.isfinite(row["p"]) and row["p"] <= alpha and row["gate"] == "open"
    found = found and row["p_adjusted"] <= (alpha if row["role"] == "primary" else FALSE_DISCOVERY_RATE)
    if np.isfinite(row["low_90"]) and is_equivalent(row["low_90"], row["high_90"], row["bound"]):
        extra = "; it differs, but by less than that" if found else ""
        return "equivalent", f"{label} differs by less than the smallest effect of interest{extra}."
    if not found:
        return "inconclusive", f"{label}: {_why_inconclusive(row, alpha)}."
    if masked:
        return "masked", f"{label} differs between the two codes; which is the compound is not yet known."
    sign = 1 if row["difference"] > 0 else -1
    way = "higher" if sign > 0 else "lower"
    if row["unit"] == "rad":
        way = "later in phase" if sign > 0 else "earlier in phase"
    if row["direction"] == "0":
        return "changed", f"{label} was {way} with the compound; that is neither good nor bad by itself."
    verdict = "better" if (row["direction"] == "+") == (sign > 0) else "worse"
    tested = "" if row["role"] == "primary" else " (exploratory)"
    return verdict, f"{label} was {way} with the compound, which is usually {verdict}{tested}."


def _why_inconclusive(row: dict, alpha: float) -> str:
    if row["p"] <= alpha and row["gate"] == "closed":
        return "it was not tested, since nothing was found before it in the declared order"
    if row["reason"] and not np.isfinite(row["low"]):
        return row["reason"]
    if row["method"] == "re-randomisation" and row["smallest_p"] > alpha:
        return f"the design cannot tell, for the smallest p-value its schedules can give is {row['smallest_p']:.3g}"
    if row["p"] <= alpha:
        return "taken alone it would count as a difference; with all that was tested beside it, it does not"
    return "the interval leaves room for differences that matter, and for none"


def judge_families(
    markers: pd.DataFrame, order: tuple[str, ...], gates: dict[str, bool], compound_class: str = ""
) -> pd.DataFrame:
    """Return table FAMILY_VERDICTS from table COMPARISON; `compound_class` picks the expectation beside it.

    A family is better (worse) if markers are better (worse) and none the other way; equivalent only if
    every marker that could be compared is.
    """
    rows, expected = [], _find_expectation(compound_class)
    names = [*[f for f in order if f in FAMILIES], *[f for f in FAMILIES if f not in order and f != "context"]]
    for family in names:
        own = markers[(markers["family"] == family)]
        compared = own[np.isfinite(own["difference"])]
        n = {word: int((compared["verdict"] == word).sum())
             for word in ("better", "worse", "changed", "equivalent", "inconclusive", "masked")}  # fmt: skip
        verdict, words = _family_verdict(n, len(compared))
        adjusted = compared["p_adjusted"].dropna()
        rows.append({
            "family": family, "title": FAMILIES[family],
            "order": order.index(family) + 1 if family in order else 0,
            "gate": "open" if gates.get(family) else "closed",
            "verdict": verdict, "n_markers": len(compared),
            **{f"n_{word}": n[word] for word in ("better", "worse", "changed", "equivalent", "inconclusive")},
            "n_missing": len(own) - len(compared),
            "smallest_p_adjusted": adjusted.min() if len(adjusted) else np.nan,
            "sentence": f"{FAMILIES[family]}: {words}.",
            "expectation": expected.get(family, ""),
            "expectation_source": expected.get("source", "") if expected.get(family) else "",
        })  # fmt: skip
    return check_table(pd.DataFrame(rows, columns=FAMILY_VERDICTS.column_names), FAMILY_VERDICTS)


def _family_verdict(n: dict[str, int], compared: int) -> tuple[str, str]:  # noqa: PLR0911 (one a verdict)
    if not compared:
        return "inconclusive", "no marker could be compared"
    if n["masked"]:
        return "masked", f"of {compared} markers {n['masked']} differ between the two codes"
    if n["better"] and n["worse"]:
        return "inconclusive", f"{n['better']} markers are better and {n['worse']} worse: they do not point one way"
    for word in ("better", "worse"):
        if n[word]:
            return word, f"{n[word]} of {compared} markers {'is' if n[word] == 1 else 'are'} {word}, none the other way"
    if n["changed"]:
        return "changed", f"of {compared} markers {n['changed']} changed, without being better or worse"
    if n["equivalent"] == compared:
        return "equivalent", f"no difference that matters in any marker ({compared} compared)"
    return "inconclusive", f"no marker is surely better or worse, {n['equivalent']} of {compared} are equivalent"


def _find_expectation(name: str) -> dict[str, str]:
    """Return the expectation of the class so called, or of the one whose name holds this word."""
    wanted = name.casefold().strip()
    for key, entry in expectations().items():
        if wanted and wanted in {key.casefold(), *re.split(r"[\s/()]+", key.casefold())}:
            return entry
    return {}


@cache
def expectations() -> dict[str, dict[str, str]]:
    """Return what is reported of each class of compounds, by family: an expectation, never a score."""
    return tomllib.loads(resources.files("eegsleep.study").joinpath("expectations.toml").read_text(encoding="utf-8"))
