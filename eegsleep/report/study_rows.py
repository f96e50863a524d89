"""The rows of a study's tables as words: markers, families, explanations, checks, sleepers, models."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eegsleep.markers.catalogue import CATALOGUE, FAMILIES
from eegsleep.report.numbers import ARROWS, MISSING, format_number, number_range, p_value, signed_number
from eegsleep.report.study_figures import SIGNS, draw_bar, draw_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from eegsleep.study.declared.protocol import Study

STATUS = {"pass": "✓", "warn": "!", "fail": "✕"}
_SIZES = 3  # measures whose size stands on the card of a family
# What an EEG can only stand for, said on the card.
_PROXIES = {
    "B": "Slow waves are a proxy: nothing in an EEG shows what was restored, or cleared from the brain.",
    "D": "Spindles and their coupling are a proxy: whether more was remembered is seen on the next day.",
}
_FEWEST_BANDS = 3
_BANDS = ("low_delta", "swa", "theta", "alpha", "sigma", "beta")


class Names(NamedTuple):
    """Names of the conditions on the page, and their codes; control (or the first code) first."""

    shown: tuple[str, str]
    codes: tuple[str, str]
    masked: bool


def without_common_reason(markers: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the markers without the reason that most of them share, and that reason, which the page shows once."""
    counts = markers["reason"][markers["reason"] != ""].value_counts()
    if counts.empty or counts.iloc[0] < 3 or counts.iloc[0] <= len(markers) / 2:
        return markers, ""
    common = str(counts.index[0])
    return markers.assign(reason=markers["reason"].where(markers["reason"] != common, "")), common


def name_conditions(study: Study) -> Names:
    """Return what the conditions are called on the page."""
    first, second = study.conditions
    if study.active is None:
        return Names((first, second), (first, second), masked=True)
    control = second if study.active == first else first
    return Names((f"control ({control})", f"compound ({study.active})"), (control, study.active), masked=False)


def is_primary(row: Any, study: Study) -> bool:  # noqa: ANN401 - a named tuple
    """Return whether a row is a primary endpoint, also in a study where nothing is tested."""
    return row.role == "primary" or f"{row.marker}|{row.stage}|{row.channel}" in study.primary


def format_sentence(text: str, names: Names) -> str:
    """Return a sentence with true minus signs, and in codes where they are masked: it was written of a compound."""
    text = true_minus(text)
    if not names.masked:
        return text
    first, second = names.codes
    text = re.sub(r"\bwith the compound\b", f"with {second}", text)
    text = re.sub(r"\ba compound night\b", f"a night of {second}", text)
    return re.sub(r"\bwithout\.$", f"with {first}.", text)


def true_minus(text: str) -> str:
    """Return text with a minus before its negative numbers; the hyphens of names and dates stay."""
    return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def _ordinal(n: int) -> str:
    return {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(n, f"as number {n}")


def _unit(unit: str) -> str:
    return {"n": "", "percentage points": "points"}.get(unit, unit)


def marker_row(row: Any, names: Names) -> dict[str, Any]:  # noqa: ANN401 - a named tuple
    """Return one row of COMPARISON as words; a missing value is a dash, with the reason in `reason`."""
    arrow, words = ARROWS[row.direction]
    bound = f"±{format_number(row.bound)}" if math.isfinite(row.bound) else MISSING
    inside = "–"
    if math.isfinite(row.low_90) and math.isfinite(row.bound):
        inside = "yes" if -row.bound < row.low_90 and row.high_90 < row.bound else "not shown"
    declared = f"{format_number(row.smallest_effect)} {row.smallest_effect_unit}".strip()
    untested = row.role == "described" and row.verdict == "inconclusive"
    n_tests = f"of {row.n_tests}" if row.n_tests > 1 else ""
    sd = row.control_sd if row.control_sd > 0 else math.nan
    known = CATALOGUE.get(row.marker)
    return {
        "label": row.label,
        "meaning": known.meaning if known is not None else "",
        "find": f"{row.label} {row.marker} {row.stage or 'night'} {row.channel} {row.verdict}".lower(),
        "bar": draw_bar(row.difference / sd, row.low / sd, row.high / sd, row.bound / sd, row.verdict),
        "percent": _percent(row),
        "chances": _chances(row, names),
        "ranks": p_value(row.p_ranks),
        "family": row.family,
        "arrow": arrow,
        "direction": words,
        "stage": row.stage or "night",
        "channel": row.channel or MISSING,
        "unit": _unit(row.unit),
        "primary": row.role == "primary",
        "stands": row.represents and row.role != "primary",
        "control": format_number(row.control_mean),
        "compound": format_number(row.compound_mean),
        "n": f"{row.n_control} / {row.n_compound}",
        "difference": signed_number(row.difference),
        "interval": number_range(row.low, row.high),
        "t_interval": number_range(row.t_low, row.t_high),
        "interval_90": number_range(row.low_90, row.high_90),
        "ratio": f"× {format_number(row.ratio, 2)}" if math.isfinite(row.ratio) else "",
        "ratio_interval": number_range(row.ratio_low, row.ratio_high) if math.isfinite(row.ratio_low) else "",
        "g": format_number(row.g_av, 2),
        "nap": format_number(row.nap, 2),
        "p": p_value(row.p),
        "p_adjusted": p_value(row.p_adjusted),
        "tests": n_tests,
        "adjustment": row.adjustment,
        "method": row.method,
        "smallest_p": p_value(row.smallest_p),
        "bound": bound,
        "inside": inside,
        "declared": declared if math.isfinite(row.smallest_effect) else "",
        "verdict": row.verdict,
        "word": "not tested" if untested else row.verdict,
        "at_equal": _describe_at_equal(row),
        "sign": "" if untested else SIGNS.get(row.verdict, ""),
        "sentence": format_sentence(row.sentence, names),
        "reason": row.reason,
        "gate": row.gate,
    }


def _describe_at_equal(row: Any) -> str:  # noqa: ANN401 - a named tuple
    """Return the difference at equal slow waves, at equal gain and by the other stager, where there is one."""
    parts = [
        f"at equal {spoken} {signed_number(value)} ({number_range(low, high)})"
        for spoken, value, low, high in (
            ("slow waves", row.at_equal_delta, row.at_equal_delta_low, row.at_equal_delta_high),
            ("gain", row.at_equal_gain, row.at_equal_gain_low, row.at_equal_gain_high),
        )
        if math.isfinite(value)
    ]
    if math.isfinite(row.by_other_stager):
        interval = number_range(row.by_other_stager_low, row.by_other_stager_high)
        parts.append(f"by the other stager {signed_number(row.by_other_stager)} ({interval})")
    return "; ".join(parts)


def marker_groups(markers: pd.DataFrame, names: Names) -> list[dict[str, Any]]:
    """Return all rows by family."""
    groups = []
    for family in dict.fromkeys([*FAMILIES, *markers["family"]]):
        own = markers[markers["family"] == family]
        if len(own):
            title = FAMILIES.get(family, family)
            groups.append(
                {
                    "title": f"{family} · {title}" if family != "context" else title,
                    "rows": [marker_row(row, names) for row in own.itertuples(index=False)],
                }
            )
    return groups


def describe_explanations(nuisance: pd.DataFrame, markers: pd.DataFrame, primary: list, names: Names) -> dict[str, Any]:
    """Return what else could explain a result: for the study and the primary endpoints, then other findings."""
    keys = ["marker", "stage", "channel"]
    title = {
        tuple(row[k] for k in keys): f"{row['label']}, {row['stage'] or 'night'} {row['channel']}".strip()
        for row in markers.to_dict("records")
    }
    found = {(row.marker, row.stage, row.channel): row.verdict for row in markers.itertuples(index=False)}
    main = {(row.marker, row.stage, row.channel) for row in primary} | {("", "", "")}
    first, others = [], []
    for row in nuisance.itertuples(index=False):
        key = (row.marker, row.stage, row.channel)
        entry = {
            "kind": row.kind,
            "of": title.get(key, "the study"),
            "value": signed_number(row.value),
            "unit": _unit(row.unit),
            "adjusted": signed_number(row.adjusted_difference),
            "conspicuous": row.conspicuous,
            "sentence": format_sentence(row.sentence, names),
        }
        if key in main:
            first.append(entry)
        elif row.conspicuous and found.get(key) not in {"inconclusive", None}:
            others.append(entry)
    marked = [entry for entry in first if entry["conspicuous"]]
    calm = [entry for entry in first if not entry["conspicuous"]]
    return {
        "first": first,
        "marked": marked,
        "calm": calm,
        "others": _merge_same_sentences(others),
        "n": sum(entry["conspicuous"] for entry in first),
    }


def _merge_same_sentences(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with one row for all that have the same sentence: markers of a stage share its minutes."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((entry["kind"], entry["sentence"]), []).append(entry)
    return [
        same[0] | ({"of": f"{same[0]['of']}, and {len(same) - 1} more"} if len(same) > 1 else {})
        for same in groups.values()
    ]


def check_rows(checks: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the checks of a study as words."""
    if checks.empty:
        return []
    return [
        {
            "code": row.code,
            "name": row.name,
            "status": row.status,
            "sign": STATUS[row.status],
            "value": format_number(row.value),
            "limit": format_number(row.limit),
            "message": true_minus(row.message),
        }
        for row in checks.itertuples(index=False)
    ]


def model_rows(models: pd.DataFrame, markers: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the ways of estimating as words."""
    label = markers.drop_duplicates("marker").set_index("marker")["label"]
    return [
        {
            "label": label.get(row.marker, row.marker),
            "where": f"{row.stage or 'night'} {row.channel}".strip(),
            "method": row.method,
            "decides": row.decides,
            "estimate": signed_number(row.estimate),
            "se": format_number(row.se),
            "df": format_number(row.df, 1),
            "p": p_value(row.p),
            "interval": number_range(row.low, row.high),
            "sd": [format_number(v) for v in (row.sd_subject, row.sd_effect, row.sd_night)],
            "reason": row.reason,
        }
        for row in models.itertuples(index=False)
    ]


def family_rows(families: pd.DataFrame, markers: pd.DataFrame, names: Names, *, tested: bool) -> list[dict[str, Any]]:
    """Return the cards of the families: verdict, words, sizes of what stands for each measure.

    Parameters
    ----------
    families, markers : DataFrame
        Tables FAMILY_VERDICTS and COMPARISON.
    names : Names
    tested : bool
        Whether the nights were drawn by lot.
    """
    rows = []
    for row in families.sort_values("family").itertuples(index=False):
        sentence = row.sentence.removeprefix(f"{row.title}: ")
        place = f"tested {_ordinal(row.order)}" if row.order else "not among the declared families"
        if row.order and row.gate != "open":
            place = f"{_ordinal(row.order)} in the declared order; not tested, as nothing was found before it"
        word, sign = (row.verdict, SIGNS.get(row.verdict, "")) if tested else ("described", "")
        if not row.n_markers:
            word, sign, place = "nothing recorded", "", "nothing to test" if row.order else place
            sentence = "no score of the next day was entered." if row.family == "E" else "nothing was measured."
        rows.append(
            {
                "family": row.family,
                "title": row.title.removesuffix(" (proxy)"),
                "verdict": row.verdict if row.n_markers else "inconclusive",
                "word": word,
                "sign": sign,
                "proxy": _PROXIES.get(row.family, "") if row.n_markers else "",
                "sizes": _sizes(markers[markers["family"] == row.family], names),
                "sentence": format_sentence(sentence[:1].upper() + sentence[1:], names),
                "place": place if tested or not row.n_markers else "not tested",
                "n_missing": row.n_missing if row.n_markers else 0,
                "expectation": row.expectation,
                "source": row.expectation_source,
            }
        )
    return rows


def _sizes(own: pd.DataFrame, names: Names) -> list[dict[str, Any]]:
    """Return the differences of what stands for a measure: those with a verdict first."""
    standing = own[np.isfinite(own["difference"]) & (own["represents"] | (own["role"] == "primary"))]
    rank = standing["verdict"].map({"better": 0, "worse": 0, "masked": 0, "changed": 1}).fillna(3)
    chosen = standing.assign(rank=rank - 2 * standing["signal"]).sort_values("rank", kind="stable").head(_SIZES)
    found = []
    for row in chosen.itertuples(index=False):
        words = marker_row(row, names)
        amount = f"{words['difference']} {words['unit']}".strip()
        found.append(
            {
                "label": row.label,
                "amount": amount + (f" ({words['percent']})" if words["percent"] else ""),
                "verdict": row.verdict,
                "sign": words["sign"],
                "signal": bool(row.signal),
            }
        )
    return found


def _percent(row: Any) -> str:  # noqa: ANN401 - a named tuple
    """Return the difference in per cent of usual, where 0 means none of it."""
    share = math.nan
    if row.unit not in {"%", "rad", "ln µV²", "percentage points", "dB"} and row.control_mean > 0:
        share = row.difference / row.control_mean
        if row.scale == "logarithm" and math.isfinite(row.ratio):
            share = row.ratio - 1
    if not math.isfinite(share) or row.marker.startswith("day_"):
        return ""
    return f"{signed_number(round(100 * share))} %"


def _chances(row: Any, names: Names) -> str:  # noqa: ANN401 - a named tuple
    """Return the probabilities of the stated prior in words."""
    if not math.isfinite(row.probability_higher):
        return ""
    words = f"P(higher with {names.codes[1] if names.masked else 'it'}) {format_number(row.probability_higher, 2)}"
    if math.isfinite(row.probability_matters_higher):
        words += (
            f", P(higher by what matters) {format_number(row.probability_matters_higher, 2)}, "
            f"P(lower by what matters) {format_number(row.probability_matters_lower, 2)}"
        )
    return words


def forest_rows(markers: pd.DataFrame, names: Names) -> list[dict[str, Any]]:
    """Return the primary endpoints and what stands for each measure, by a rule that does not use results."""
    standing = markers[
        np.isfinite(markers["difference"])
        & (markers["family"] != "context")
        & ((markers["role"] == "primary") | markers["represents"])
    ]
    order = standing.assign(first=standing["role"] != "primary").sort_values(["first", "family"], kind="stable")
    return [marker_row(row, names) for row in order.itertuples(index=False)]


def band_rows(markers: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the power of each band in NREM on one channel, compound over control."""
    names = {f"{band}_power_uv2": band for band in _BANDS}
    own = markers[markers["marker"].isin(list(names)) & (markers["stage"] == "NREM") & (markers["ratio"] > 0)]
    if own["marker"].nunique() < _FEWEST_BANDS:
        return []
    own = own[own["channel"] == own["channel"].iloc[0]]
    return [
        {
            "label": row.label,
            "channel": row.channel,
            "ratio": f"× {format_number(row.ratio, 2)}",
            "interval": number_range(row.ratio_low, row.ratio_high),
            "bar": draw_ratio(row.ratio, row.ratio_low, row.ratio_high),
        }
        for row in own.itertuples(index=False)
    ]


def sleeper_rows(sleepers: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each sleeper and primary endpoint."""
    if sleepers.empty:
        return []
    return [
        {
            "subject": row.subject,
            "label": row.label,
            "n": f"{row.n_control} / {row.n_compound}",
            "control": format_number(row.control_mean),
            "compound": format_number(row.compound_mean),
            "difference": f"{signed_number(row.difference)} {_unit(row.unit)}".strip(),
            "interval": number_range(row.low, row.high),
            "p": p_value(row.p),
            "higher": format_number(row.probability_higher, 2),
            "reason": row.reason,
        }
        for row in sleepers[sleepers["role"] == "primary"].itertuples(index=False)
    ]


def sensitivity_rows(primary: Sequence[Any], markers: pd.DataFrame, nuisance: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each primary endpoint estimated in other ways: by ranks, without one night, with other detectors.

    Parameters
    ----------
    primary : sequence of named tuple
        Rows of table COMPARISON.
    markers, nuisance : DataFrame
        Tables COMPARISON and NUISANCE.
    """
    rows = []
    for row in primary:
        if not math.isfinite(row.difference):
            continue
        of = f"{row.label}, {row.stage or 'night'} {row.channel}".strip()
        rows.append(_way(of, "as declared", row.difference, row.low, row.high, row.p, row.unit))
        if math.isfinite(row.t_low):
            rows.append(
                _way(
                    of,
                    "Student’s t in place of redrawn schedules",
                    row.difference,
                    row.t_low,
                    row.t_high,
                    math.nan,
                    row.unit,
                )
            )
        if math.isfinite(row.p_ranks):
            rows.append(
                _way(
                    of,
                    "ranks of the nights, which one odd night moves little",
                    math.nan,
                    math.nan,
                    math.nan,
                    row.p_ranks,
                    "",
                )
            )
        own = nuisance[
            (nuisance["marker"] == row.marker) & (nuisance["stage"] == row.stage) & (nuisance["channel"] == row.channel)
        ]
        for kind, words in (
            ("one night", "without the night that matters most"),
            ("gain", "with the electrodes’ gain taken out"),
            ("staging", "epochs counted by the probability of their stage"),
            ("stage mix", "with one mix of N2 and N3"),
            ("recall", "with the detector’s recall taken out"),
        ):
            found = own[(own["kind"] == kind) & np.isfinite(own["adjusted_difference"])]
            rows += [
                _way(of, words, one.adjusted_difference, math.nan, math.nan, math.nan, row.unit)
                for one in found.itertuples(index=False)
            ]
        same = markers[
            (markers["measure"] == row.measure)
            & (markers["family"] == row.family)
            & (markers["marker"] != row.marker)
            & (markers["stage"] == row.stage)
            & (markers["channel"] == row.channel)
            & np.isfinite(markers["difference"])
        ]
        rows += [
            _way(of, f"measured otherwise: {one.label}", one.difference, one.low, one.high, one.p, one.unit)
            for one in same.itertuples(index=False)
        ]
    return rows


def _way(of: str, how: str, difference: float, low: float, high: float, p: float, unit: str) -> dict[str, Any]:
    amount = f"{signed_number(difference)} {_unit(unit)}".strip() if math.isfinite(difference) else MISSING
    return {"of": of, "how": how, "difference": amount, "interval": number_range(low, high), "p": p_value(p)}
