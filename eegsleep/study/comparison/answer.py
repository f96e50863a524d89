"""The answer of a study in three sentences that need no statistics: what, how large, how sure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import stats

from eegsleep.study.comparison.observed import nights_to_settle
from eegsleep.study.comparison.ranks import RANKS
from eegsleep.study.comparison.verdicts import direction_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pandas as pd

    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study

    Row = Mapping[Hashable, Any]

_FOUND = ("better", "worse", "changed", "masked")
_SPOKEN = {"min": "minutes", "/min": "a minute", "/h": "an hour", "%": "per cent", "s": "seconds", "n": "", "Hz": "Hz"}
_FEWEST = 4  # nights of which an interval has a spread
_ROUND_ODDS = 2  # digits of "once in 250 studies"


class Answer(NamedTuple):
    """What a reader takes from a study in a minute.

    Attributes
    ----------
    word : str
        Yes, No, It differs, Not answered, Not tested or Masked. "It differs" stands for a difference that is not for
        the better where the study asks a question of its own, which may ask for the other direction.
    finding, size, certainty : str
        One sentence or two each: what was asked and answered, how large it is, how sure it is and how many more nights
        would answer it.
    verdict : str
        Of the endpoint that leads.
    others : tuple of str
        The other primary endpoints, a sentence each.
    """

    word: str
    finding: str
    size: str
    certainty: str
    verdict: str = ""
    others: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences that there are."""
        return tuple(text for text in (self.finding, self.size, self.certainty, *self.others) if text)


def describe_answer(study: Study, comparison: Comparison) -> Answer:
    """Return the answer to the question of a study.

    The first primary endpoint that differs leads; where none does, the one that was declared first.

    Parameters
    ----------
    study : Study
        Unmasked where `active` is set.
    comparison : Comparison

    Returns
    -------
    Answer
    """
    markers = comparison.markers
    endpoints = markers["marker"] + "|" + markers["stage"] + "|" + markers["channel"]
    rows = [row for name in study.primary for row in markers[endpoints == name].to_dict("records")]
    if not rows:
        return Answer("Not answered", f"{_ask(study)} No primary endpoint was measured.", "", "")
    with_trend = [row for row in rows if len(comparison.doses) and _has_trend(study, _doses_of(comparison, row))]
    lead = next((row for row in rows if row["verdict"] in _FOUND), (with_trend or rows)[0])
    others = tuple(
        f"{_name(row)}: {_short(study, row)}{_and_trend(row, with_trend)}." for row in rows if row is not lead
    )
    word, finding, certainty = _word(study, lead), _finding(study, lead), _certainty(study, lead)
    if len(comparison.doses):
        if word == "Not answered" and any(lead is row for row in with_trend):
            word, finding = "In part", "it goes with the dose, but the high dose by itself is not shown to differ"
        finding = f"{finding}. {describe_trend(study, _doses_of(comparison, lead))}".removesuffix(".")
        certainty += " Nights are counted of control and the high dose." if "nights are needed:" in certainty else ""
    return Answer(
        word,
        f"{_ask(study, lead)} {word}: {finding}.",
        _size(study, lead, comparison.nights),
        certainty,
        str(lead["verdict"]),
        others,
    )


def _and_trend(row: Row, with_trend: Sequence[Row]) -> str:
    if not any(row is other for other in with_trend):
        return ""
    return ", and it goes with the dose" if row["verdict"] in _FOUND else ", but it goes with the dose"


def _doses_of(comparison: Comparison, row: Row) -> pd.DataFrame:
    """Return control, low dose, high dose and trend of one marker."""
    same = [comparison.doses[key] == row[key] for key in ("marker", "stage", "channel")]
    return comparison.doses[np.logical_and.reduce(same)]


def _has_trend(study: Study, rows: pd.DataFrame) -> bool:
    trend = rows.iloc[-1]
    return bool(trend["p_adjusted"] <= study.alpha and not trend["reason"])


def describe_trend(study: Study, rows: pd.DataFrame) -> str:
    """Return a sentence on the trend of one marker over dose, and on the low dose.

    Parameters
    ----------
    study : Study
        With the alpha of the test.
    rows : DataFrame
        Rows of table DOSES: control, low dose, high dose and trend.

    Returns
    -------
    str
    """
    _, low, _, trend = (row for _, row in rows.iterrows())
    unit = _SPOKEN.get(trend["unit"], trend["unit"])
    if not math.isfinite(trend["difference"]):
        found = f"p adjusted {trend['p_adjusted']:.2g}" if math.isfinite(trend["p_adjusted"]) else "not tested"
        return f"The trend over the doses has no size here ({trend['reason'] or 'it is that of ranks'}; {found})."
    if trend["reason"]:
        return f"The trend over the doses {trend['reason']}, and is no finding of its own."
    if not math.isfinite(trend["p_adjusted"]):
        return "The trend over the doses was not tested, because too few nights have a value."
    size = f"{_digits(abs(trend['difference']))} {unit}".strip()
    way = "rises" if trend["difference"] > 0 else "falls"
    if trend["p_adjusted"] > study.alpha:
        return "No trend over the doses was found, and so no dose by itself counts as different from control."
    below = low["p_adjusted"] <= study.alpha and not low["reason"].startswith("follows")
    other = "also differs" if below else "by itself is not shown to differ"
    return (
        f"With the dose it {way}, by {size} from 0 to {trend['dose_mg']:g} mg; {low['dose_mg']:g} mg {other} from "
        "control."
    )


def _ask(study: Study, row: Row | None = None) -> str:
    if study.question:
        return study.question if study.question.endswith(("?", ".")) else f"{study.question}?"
    what = _name(row) if row is not None else "sleep"
    return f"Does {study.compound} change {what[:1].lower() + what[1:]}?"


def _name(row: Row) -> str:
    return str(row["label"])


def _word(study: Study, row: Row) -> str:
    if study.mechanism.kind == "observational":
        return "Not tested"
    if study.active is None:
        return "Masked"
    if row["verdict"] == "equivalent":
        return "No"
    if row["verdict"] not in _FOUND:
        return "Not answered"
    return "It differs" if study.question and row["verdict"] != "better" else "Yes"


def _way(row: Row) -> str:
    sign = direction_of(row)
    if row["unit"] == "rad":
        return "later in phase" if sign > 0 else "earlier in phase"
    return "higher" if sign > 0 else "lower"


def _finding(study: Study, row: Row) -> str:
    name = _name(row)
    if study.mechanism.kind == "observational":
        if not math.isfinite(row["difference"]):
            return f"{name[:1].lower() + name[1:]} cannot be compared, because {row['reason'] or 'values are missing'}"
        return "the nights on which it was taken were not drawn by lot, so that a difference may have another cause"
    if study.active is None:
        return "the codes are not opened yet"
    if row["verdict"] in {"better", "worse"}:
        return f"{name[:1].lower() + name[1:]} was {_way(row)} with it, which is usually {row['verdict']}"
    return {
        "changed": f"{name[:1].lower() + name[1:]} was {_way(row)} with it, which is neither good nor bad by itself",
        "equivalent": f"{name[:1].lower() + name[1:]} stayed the same, but for differences too small to matter",
        "follows from gain": "the electrodes had another gain with it, and this endpoint follows their gain",
        "follows from slow-wave amplitude": "the difference follows from the size of slow waves and is none of its own",
    }.get(row["verdict"], "these nights cannot show whether there is a difference that matters")


def _short(study: Study, row: Row) -> str:
    if study.mechanism.kind == "observational":
        return "not tested"
    if row["verdict"] in {"better", "worse", "changed"}:
        return f"{_way(row)} with the compound ({row['verdict']})"
    words = {
        "equivalent": "no difference that matters",
        "follows from gain": "not judged, it follows the gain of the electrodes",
        "masked": "differs between the codes",
    }
    return words.get(row["verdict"], "not answered")


def _size(study: Study, row: Row, nights: pd.DataFrame) -> str:
    """Return the difference in the unit of the endpoint, in per cent of usual, and on how many nights it was there."""
    first, second = (f"with {code}" for code in study.conditions)
    if study.active is not None:
        first, second = "without it", "with it"
    if row["method"] == RANKS and math.isfinite(row["nap"]):
        return f"Of 100 pairs of nights, one of each, it was higher {second} in {100 * row['nap']:.0f}."
    if not math.isfinite(row["difference"]) or not math.isfinite(row["control_mean"]):
        return ""
    unit = _SPOKEN.get(row["unit"], row["unit"])
    usual, taken = (_digits(row[name]) for name in ("control_mean", "compound_mean"))
    words = f"On average it was {usual} {unit} {first} and {taken} {unit} {second}".replace("  ", " ")
    if row["unit"] == "rad":
        return f"{words}."
    size = f"{_digits(abs(row['difference']))} {unit} {'more' if row['difference'] > 0 else 'less'}".replace("  ", " ")
    plain = row["compound_mean"] - row["control_mean"]
    adjusted = abs(plain - row["difference"]) > 0.02 * max(abs(plain), abs(row["difference"]))
    words += f": {size}" + (" once time and what else is known are taken into account" if adjusted else "")
    percent = _percent(row)
    if percent:
        words += f", which is {percent} than {'usual' if study.active is not None else first}"
    above, n = _count_above(study, row, nights)
    if n:
        way = "higher" if row["difference"] > 0 else "lower"
        words += f". On {above} of the {n} nights {second}, it was {way} than the mean {first}"
    return f"{words}."


def _percent(row: Row) -> str:
    """Return the difference in per cent of the control nights, where 0 means none of it."""
    if row["unit"] in {"%", "rad", "ln µV²", "°", "percentage points"} or row["marker"].startswith("day_"):
        return ""
    share = row["difference"] / row["control_mean"] if row["control_mean"] > 0 else math.nan
    if row["scale"] == "logarithm" and math.isfinite(row["ratio"]):
        share = row["ratio"] - 1
    if not math.isfinite(share):
        return ""
    return f"{abs(100 * share):.0f}\N{NO-BREAK SPACE}% {'more' if share > 0 else 'less'}"


def _count_above(study: Study, row: Row, nights: pd.DataFrame) -> tuple[int, int]:
    """Return on how many compound nights the value lies on the side of the difference, and how many have a value.

    Each night is compared with the mean of its own sleeper's control nights, where there are any.
    """
    own = nights
    for name in ("marker", "stage", "channel"):
        own = own[own[name] == row[name]]
    own = own[np.isfinite(own["value"])]
    second = study.active if study.active is not None else study.conditions[1]
    control = own[own["condition"] != second]
    usual = control.groupby("subject")["value"].mean()
    taken = own[own["condition"] == second]
    taken = taken[taken["subject"].isin(usual.index)]
    apart = taken["value"].to_numpy() - taken["subject"].map(usual).to_numpy(dtype=float)
    return int((apart > 0).sum() if row["difference"] > 0 else (apart < 0).sum()), len(taken)


def _certainty(study: Study, row: Row) -> str:
    unit = _SPOKEN.get(row["unit"], row["unit"])
    span = ""
    if math.isfinite(row["low"]) and math.isfinite(row["high"]):
        low, high = (_digits(row[name]) for name in ("low", "high"))
        what = "difference in what the detector finds" if _is_counted(row) else "difference"
        span = f"The true {what} is probably between {low} and {high} {unit}".rstrip() + " (95 % interval)"
    if study.mechanism.kind == "observational":
        settle = f" {row['nights_to_settle']} nights in drawn pairs would settle it." if row["nights_to_settle"] else ""
        return f"How sure this is cannot be computed, because the nights were not drawn by lot.{settle}"
    if row["verdict"] in _FOUND:
        odds = f"Chance alone makes so clear a difference {_odds(row['p_adjusted'])}"
        more = "" if study.active is None else " No more nights are needed for this question."
        return f"{odds}. {span}.{more}" if span else f"{odds}.{more}"
    if row["verdict"] == "equivalent":
        return f"{span}, and less than {_digits(row['bound'])} {unit} does not matter. No more nights are needed."
    return f"{span}. {_more_nights(row)}" if span else _more_nights(row)


def _is_counted(row: Row) -> bool:
    """Return whether a marker counts events, of which a detector misses the weakest in every night."""
    return row["unit"] == "/min" and ("spindle" in row["marker"] or "oscillation" in row["marker"])


def _odds(p: float) -> str:
    """Return a p-value as `about once in 250 such studies`."""
    if not p > 0:
        return "very seldom"
    every = 1 / p
    digits = _ROUND_ODDS - 1 - math.floor(math.log10(every))
    return f"about once in {round(every, min(digits, 0)):,.0f} such studies".replace(",", "\u202f")


def _more_nights(row: Row) -> str:
    """Return how many more nights would answer the question, for the smallest effect that matters."""
    if row["verdict"] == "follows from gain":
        return "More nights do not help before the electrodes sit alike in both conditions."
    spread = _spread(row)
    if not (math.isfinite(row["bound"]) and spread > 0):
        return "How many more nights are needed is not known, because the spread between nights is not."
    matters = f"{_digits(row['bound'])} {_SPOKEN.get(row['unit'], row['unit'])}".strip()
    if row["n_subjects"] > 1:
        return (
            f"To find a difference of {matters}, the smallest that matters, more sleepers help more than more nights; "
            "`eegsleep plan` computes how many."
        )
    needed, had = nights_to_settle(row["bound"] / spread), row["n_control"] + row["n_compound"]
    if not needed:
        return f"To find a difference of {matters}, the smallest that matters, more than 400 nights would be needed."
    if needed <= had:
        return f"A difference of {matters}, the smallest that matters, would have been found in 4 of 5 such studies."
    return (
        f"To find a difference of {matters}, the smallest that matters, in 4 of 5 studies, {needed} nights are needed: "
        f"{needed - had} more."
    )


def _spread(row: Row) -> float:
    """Return the spread between nights that the interval rests on, what is adjusted for being out of it."""
    n = row["n_control"] + row["n_compound"]
    width = row["high"] - row["low"]
    if math.isfinite(width) and n > _FEWEST:
        return float(width / 2 / stats.t.isf(0.025, n - 2) * math.sqrt(n) / 2)
    return float(row["control_sd"])


def _digits(value: float) -> str:
    """Return a number with three digits, a true minus, and no more decimals than that."""
    size = math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:,.{min(max(2 - size, 0), 6)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(",", "\u202f").replace("-", "−")
