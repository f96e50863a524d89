"""Verdicts: better, worse, equivalent or inconclusive, for a marker and for a family; never "no effect"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.markers import CATALOGUE, FAMILIES
from eegsleep.statistics.effects import is_equivalent
from eegsleep.statistics.resampling import MIN_NIGHTS
from eegsleep.study.arrangement import room_to_improve
from eegsleep.study.comparison.ranks import RANKS
from eegsleep.study.declared.expectations import find_expectation
from eegsleep.tables import FAMILY_VERDICTS, check_table

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from typing import Any

    from numpy.typing import NDArray

# With fewer of the nights at equal slow waves or equal gain it is not known whether a difference survives there.
_ENOUGH_AT_EQUAL = 0.75
# How the reason begins why a density of one stage is not tested.
MOVED = "described, not tested, because the minutes of"
_FOLLOWS = ("follows from gain", "follows from slow-wave amplitude")
_WORDS = ("better", "worse", "changed", "equivalent", "inconclusive", *_FOLLOWS, "masked")
FALSE_DISCOVERY_RATE = 0.10  # inside a family that is not primary; such findings are exploratory
# Several markers may measure the same thing; a family counts it once. The first pattern that matches the whole name
# decides; a marker that no pattern matches is a measure by itself. The catalogue lists markers near to the signal
# first, and shares, logarithms and alternative methods later; the first one represents its measure.
_MEASURES = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("sleep amount", "tst_min|sleep_efficiency_percent"),
        ("sleep onset", "sol_min|persistent_sleep_latency_min"),
        ("wake after onset", "waso_min|wake_in_(sleep_period|long_bouts)_min"),
        ("fragmentation", "awakenings|wake_bouts.*|(awakenings|fragmentation|stage_transitions)_per_h"),
        ("N1", "n1_.*"),
        # N3, and the number, height, slope and power of slow waves all follow the amplitude of slow waves.
        (
            "slow waves",
            "n3_(min|percent|latency_min|absent)|slow_oscillation_(relative_)?density.*|slow_oscillation_ptp.*"
            "|slow_oscillation_(fall_)?slope.*|largest_waves_.*|(.*_)?(swa|low_delta)_(power|relative).*",
        ),
        ("REM", "rem_(min|percent)"),
        ("course of slow-wave activity", "swa_dec.*"),
        ("REM theta", "theta_.*"),
        ("slow spindles", "slow_spindle_.*density.*"),
        ("coupled spindles", "(fast_)?spindles_coupled_.*"),
        ("coupling strength", "(fast_)?coupling_(strength|modulation_index)"),
        ("coupling phase", "(fast_)?coupling_phase_rad"),
        ("spindles", "(fast_)?spindle_(absolute_|relative_|corrected_)?density.*"),
        ("spindle amplitude", "(fast_|slow_)?spindle_amplitude_uv"),
        ("spindle frequency", "(fast_|slow_)?spindle_frequency_hz|fast_sigma_peak_hz"),
        ("spindle duration", "(fast_|slow_)?spindle_duration_s"),
        ("spindle chirp", "(fast_|slow_)?spindle_chirp_hz_per_s"),
        ("sigma", "sigma_.*|fast_sigma_peak_power_uv2"),
    )
)
# Memory consolidation is attributed to fast spindles rather than to all, and to coupling beyond chance; slow-wave
# activity needs neither a stager's N3 nor a threshold, and the largest waves show amplitude that a threshold hides.
# These markers come before the first of the catalogue, in this order.
_LEADERS = (
    "swa_power_uv2",
    "largest_waves_ptp_uv",
    "largest_waves_slope_uv_per_s",
    "fast_spindle_density_per_min",
    "fast_spindle_amplitude_uv",
    "fast_spindle_frequency_hz",
    "fast_spindle_duration_s",
    "fast_spindle_chirp_hz_per_s",
    "fast_spindles_coupled_excess_percent",
    "fast_coupling_strength",
    "fast_coupling_phase_rad",
)
# Where a measure has rows for several stages, the first of these that it has represents it.
_STAGES = ("", "NREM", "R", "N3", "N2")


def name_measure(marker: str) -> str:
    """Return the name of what a marker measures; markers with the same name measure the same thing."""
    return next((name for name, pattern in _MEASURES if pattern.fullmatch(marker)), marker)


def choose_representatives(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows represent their measure, by a rule that does not use results.

    Every primary endpoint represents itself. A measure without one is represented by one row: of the channel
    of the primary endpoints (else the first channel), of the marker that comes first, of the widest stage; a marker
    that leads its measure comes before those that belong to no channel.

    Parameters
    ----------
    rows : DataFrame
        Columns marker, stage, channel, family, measure, role (`primary` or another), and `known`: whether the
        marker has values to compare. A row without values represents nothing, except as a primary endpoint; neither
        does a row of the family `context`.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
    """
    primary = (rows["role"] == "primary").to_numpy()
    chosen = primary.copy()
    channels = [c for c in dict.fromkeys([*rows["channel"][primary], *rows["channel"]]) if c]
    catalogue = list(CATALOGUE)
    order = rows.assign(
        at=np.arange(len(rows)),
        marker=[
            _LEADERS.index(name) - len(_LEADERS)
            if name in _LEADERS
            else catalogue.index(name)
            if name in CATALOGUE
            else len(catalogue)
            for name in rows["marker"]
        ],
        leads=[name not in _LEADERS for name in rows["marker"]],
        channel=[channels.index(name) if name else -1 for name in rows["channel"]],
        stage=[_STAGES.index(name) if name in _STAGES else len(_STAGES) for name in rows["stage"]],
    ).sort_values(["leads", "channel", "marker", "stage"], kind="stable")
    named = {(row.family, row.measure) for row in rows[primary].itertuples(index=False)}
    for row in order[order["known"] & (order["family"] != "context")].itertuples(index=False):
        if (row.family, row.measure) not in named:
            named.add((row.family, row.measure))
            chosen[row.at] = True
    return chosen


def is_compared(markers: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of table COMPARISON have a difference, or were compared by rank."""
    return (np.isfinite(markers["difference"]) | (markers["method"] == RANKS)).to_numpy(dtype=bool)


def _size(row: Mapping[Hashable, Any], what: str = "") -> float:
    """Return how far the conditions are apart: the difference, or by rank the share of pairs less a half."""
    by_rank = row["method"] == RANKS
    if not what:
        return row["nap"] - 0.5 if by_rank else row["difference"]
    return row[f"nap_at_equal_{what}"] - 0.5 if by_rank else row[f"at_equal_{what}"]


def find_origin(row: dict) -> str:
    """Return what the difference of a row follows from: slow-wave amplitude, gain, or neither.

    A difference survives at equal slow waves (at equal gain) if it has the same sign there, at least half its size, and
    an interval without 0. Size is asked for as well because what remains may be small and yet sure: in simulated nights
    whose sleep was the same and whose slow waves were not, a sixth of the difference in N3 remained.

    Parameters
    ----------
    row : dict
        Of table COMPARISON.

    Returns
    -------
    {"", "slow-wave amplitude", "gain", "not known"}
        The empty text for a difference that survives, or a marker that depends on neither.
    """
    nights = row["n_control"] + row["n_compound"]
    for what, origin in (("gain", "gain"), ("delta", "slow-wave amplitude")):
        n, size = row[f"n_at_equal_{what}"], _size(row)
        if not row[f"depends_at_equal_{what}"] or not np.isfinite(size):
            continue
        equal = _size(row, what)
        if n < _ENOUGH_AT_EQUAL * nights or not np.isfinite(equal):
            return "gain" if what == "gain" else "not known"
        low, high = row[f"at_equal_{what}_low"], row[f"at_equal_{what}_high"]
        surely = low > 0 or high < 0 or not (np.isfinite(row["low"]) or row["method"] == RANKS)
        if not (equal * size > 0 and abs(equal) >= abs(size) / 2 and surely):
            return origin
    return ""


def judge_marker(row: dict, *, alpha: float, masked: bool) -> tuple[str, str]:  # noqa: C901, PLR0911 (one a verdict)
    """Return the verdict on one row of table COMPARISON, and the verdict in words.

    A significant difference that is surely smaller than the smallest effect of interest is *equivalent*: the 90 %
    interval decides before p does.

    Parameters
    ----------
    row : dict
    alpha : float
        For primary endpoints, and for p before adjustment.
    masked : bool
        Whether the code of the compound is not known yet.

    Returns
    -------
    verdict : str
        A level of column `verdict` of table COMPARISON.
    sentence : str
    """
    label = row["label"] + (f" in {row['stage']}" if row["stage"] else "")
    if not np.isfinite(_size(row)):
        return "inconclusive", f"{label} could not be compared: {row['reason'] or 'no difference can be estimated'}."
    if row["method"] == "descriptive":
        return "inconclusive", f"{label} is described only: no mechanism allocated the nights{_describe_adjusted(row)}."
    found = np.isfinite(row["p"]) and row["p"] <= alpha and row["gate"] == "open"
    found = found and row["p_adjusted"] <= (alpha if row["role"] == "primary" else FALSE_DISCOVERY_RATE)
    if row["reason"].startswith(MOVED):
        return "inconclusive", f"{label} is {row['reason']}."
    if np.isfinite(row["low_90"]) and is_equivalent(row["low_90"], row["high_90"], row["bound"]):
        if _cannot_be_exceeded(row):
            here = f"{row['control_mean']:.3g} {row['unit']}".rstrip()
            return (
                "inconclusive",
                f"{label}: control nights have {here}, so its smallest effect cannot be exceeded here.",
            )
        if row["gain_apart"]:
            apart = _describe_gain(row, masked=masked)
            return "inconclusive", f"{label} follows the electrodes' gain, which was {apart}; it may hide a difference."
        extra = "; it differs, but by less than that" if found else ""
        return "equivalent", f"{label} differs by less than the smallest effect of interest{extra}."
    if row["follows_from"] == "not known":
        return "inconclusive", f"{label} differs; whether that follows from slow-wave amplitude is not known."
    if row["follows_from"]:
        return f"follows from {row['follows_from']}", _describe_origin(label, row, masked=masked)
    if not found:
        return "inconclusive", f"{label}: {_why_inconclusive(row, alpha)}."
    if masked:
        return "masked", f"{label} differs between the two codes; which is the compound is not yet known."
    sign = direction_of(row)
    way = "higher" if sign > 0 else "lower"
    if row["unit"] == "rad":
        way = "later in phase" if sign > 0 else "earlier in phase"
    if row["direction"] == "0":
        return "changed", f"{label} was {way} with the compound; that is neither good nor bad by itself."
    verdict = "better" if (row["direction"] == "+") == (sign > 0) else "worse"
    tested = "" if row["role"] == "primary" else " (exploratory)"
    return verdict, f"{label} was {way} with the compound, which is usually {verdict}{tested}."


def _cannot_be_exceeded(row: dict) -> bool:
    """Return whether no improvement could be as large as the smallest effect of interest that was declared."""
    known = row["direction"] != "0" and np.isfinite(row["control_mean"])
    return bool(known and row["bound"] > room_to_improve(row["unit"], row["direction"], row["control_mean"]))


def _describe_origin(label: str, row: dict, *, masked: bool) -> str:
    """Return why a difference is not a finding of its own."""
    what = "gain" if row["follows_from"] == "gain" else "delta"
    equal = row[f"at_equal_{what}"]
    unit = f" {row['unit']}" if row["unit"] else ""
    change = f"the difference of {row['difference']:.3g}{unit} is {equal:.3g}{unit}"
    if row["method"] == RANKS:
        change = f"the difference is {equal:.3g}{unit}"
    if what == "gain":
        said = f"{label} follows the electrodes' gain, which was {_describe_gain(row, masked=masked)}"
        return f"{said}; at equal gain {change}." if np.isfinite(equal) else f"{said}; it is not judged."
    if not np.isfinite(equal):
        return f"{label} follows from slow-wave amplitude, as it does over all of NREM."
    return (
        f"{label} follows from slow-wave amplitude: with all nights at equal slow waves {change}. It is one finding "
        "with slow-wave activity, not a second one."
    )


def _describe_gain(row: dict, *, masked: bool) -> str:
    way = "higher" if row["gain_apart"] > 0 else "lower"
    return f"{100 * abs(row['gain_apart']):.0f} % {way} with {'the second code' if masked else 'the compound'}"


def direction_of(row: Mapping[Hashable, Any]) -> int:
    """Return 1 for a difference upwards and -1 for one downwards; of the ratio, where logarithms decide."""
    if row["scale"] == "logarithm" and np.isfinite(row["ratio"]):
        return 1 if row["ratio"] > 1 else -1
    return 1 if _size(row) > 0 else -1


def describe_signal(row: Mapping[Hashable, Any], *, masked: bool) -> str:
    """Return in words that a measure off the declared path differs, beyond chance over all measures."""
    label = row["label"] + (f" in {row['stage']}" if row["stage"] else "")
    way = "differs between the two codes"
    if not masked:
        way = f"was {'higher' if direction_of(row) > 0 else 'lower'} with the compound"
    return (
        f"exploratory signal: {label} {way} (p = {row['p_signal']:.2g} over all {row['n_signal']} measures); to be "
        "tested in a study of its own"
    )


def _describe_adjusted(row: Mapping[Hashable, Any]) -> str:
    if not row["adjusted_for"] or not np.isfinite(row["difference"]):
        return ""
    plain = row["compound_mean"] - row["control_mean"]
    if not np.isfinite(plain):
        return ""
    settle = ""
    if row["nights_to_settle"]:
        settle = f". Drawn in pairs, {row['nights_to_settle']} nights would settle a difference of this size"
    return f"; the difference is adjusted for {row['adjusted_for']}, the means alone differ by {plain:.3g}{settle}"


def _why_inconclusive(row: dict, alpha: float) -> str:
    if row["p"] <= alpha and row["gate"] == "closed":
        return "it was not tested, since nothing was found before it in the declared order"
    if row["reason"] and not np.isfinite(row["low"]) and row["method"] != RANKS:
        return row["reason"]
    if row["n_control"] + row["n_compound"] < MIN_NIGHTS and row["reason"]:
        return row["reason"]
    if row["smallest_p"] > alpha:
        return f"the design cannot tell, for the smallest p-value its schedules can give is {row['smallest_p']:.3g}"
    if row["p"] <= alpha:
        return "taken alone it would count as a difference; with all that was tested beside it, it does not"
    return "the interval leaves room for differences that matter, and for none"


def judge_families(
    markers: pd.DataFrame,
    order: tuple[str, ...],
    gates: dict[str, bool],
    compound_class: str = "",
    *,
    masked: bool = False,
) -> pd.DataFrame:
    """Return table FAMILY_VERDICTS.

    A family is better (worse) if at least one measure is better (worse) and none the other way; equivalent only if
    every measure that could be compared is. A measure counts once, by the row that represents it.

    Parameters
    ----------
    markers : DataFrame
        Table COMPARISON.
    order : tuple of str
        Families in the order in which they were tested.
    gates : dict of str to bool
        Whether each family was tested.
    compound_class : str
        Entry of expectations.toml that is shown beside the verdicts.
    masked : bool
        Whether the code of the compound is not known yet.
    """
    rows, expected = [], find_expectation(compound_class)
    names = [*[f for f in order if f in FAMILIES], *[f for f in FAMILIES if f not in order and f != "context"]]
    for family in names:
        own = markers[(markers["family"] == family)]
        compared = own[is_compared(own)]
        counted = compared[compared["represents"]]
        by_measure = [_join_verdicts(set(group)) for _, group in counted.groupby("measure", sort=False)["verdict"]]
        n = {word: by_measure.count(word) for word in _WORDS}
        beside = compared[~compared["represents"]]["verdict"].value_counts()
        verdict, words = _family_verdict(n, len(by_measure), {word: int(beside.get(word, 0)) for word in _WORDS})
        signals = own[own["signal"]]
        words += "".join(f"; {describe_signal(row, masked=masked)}" for row in signals.to_dict("records"))
        if len(counted) and (counted["method"] == "descriptive").all():
            words = (
                f"{_measures(len(by_measure))} described; without a mechanism that drew the nights nothing is tested"
            )
        adjusted = compared["p_adjusted"].dropna()
        rows.append(
            {
                "family": family,
                "title": FAMILIES[family],
                "order": order.index(family) + 1 if family in order else 0,
                "gate": "open" if gates.get(family) else "closed",
                "verdict": verdict,
                "n_markers": len(compared),
                "n_measures": len(by_measure),
                **{f"n_{word}": n[word] for word in _WORDS if word not in {"masked", *_FOLLOWS}},
                "n_follows": sum(n[word] for word in _FOLLOWS),
                "n_signals": len(signals),
                "n_missing": len(own) - len(compared),
                "smallest_p_adjusted": adjusted.min() if len(adjusted) else np.nan,
                "sentence": f"{FAMILIES[family]}: {words}.",
                "expectation": expected.get(family, ""),
                "expectation_source": expected.get("source", "") if expected.get(family) else "",
            }
        )
    return check_table(pd.DataFrame(rows, columns=FAMILY_VERDICTS.column_names), FAMILY_VERDICTS)


def _join_verdicts(verdicts: set[str]) -> str:
    """Return the verdict on a measure that several primary endpoints represent."""
    if {"better", "worse"} <= verdicts:
        return "changed"
    return next((word for word in _WORDS if word in verdicts), "inconclusive")


def _family_verdict(n: dict[str, int], counted: int, beside: dict[str, int]) -> tuple[str, str]:  # noqa: C901, PLR0911
    """Return the verdict from the measures, and its words, which tell what the markers beside them say."""
    if not counted:
        return "inconclusive", "no marker could be compared"
    of_all = _measures(counted)
    if n["masked"]:
        return "masked", f"{n['masked']} of {of_all} differ{'s' * (n['masked'] == 1)} between the two codes"
    if n["better"] and n["worse"]:
        better, worse = (f"{n[word]} {'is' if n[word] == 1 else 'are'}" for word in ("better", "worse"))
        return "inconclusive", f"of {of_all} {better} better and {worse} worse: they do not point one way"
    for word, other in (("better", "worse"), ("worse", "better")):
        if n[word]:
            words = f"{n[word]} of {of_all} {'is' if n[word] == 1 else 'are'} {word}"
            if beside[other]:
                more = "another marker is" if beside[other] == 1 else f"{beside[other]} other markers are"
                return word, f"{words}, although {more} {other}"
            return word, f"{words}, none the other way"
    if n["changed"]:
        return "changed", f"{n['changed']} of {of_all} changed, without being better or worse"
    if n["equivalent"] == counted:
        return "equivalent", f"no difference that matters in any measure ({counted} compared)"
    for word in _FOLLOWS:
        if n[word]:
            return word, f"the difference of {n[word]} of {of_all} {word}, and no other is sure"
    return "inconclusive", f"no measure is surely better or worse, {n['equivalent']} of {counted} are equivalent"


def _measures(n: int) -> str:
    return f"{n} measure{'s' * (n != 1)}"
