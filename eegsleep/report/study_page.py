"""The page of a study: the effects of a compound, their size and certainty, and what else could explain them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eegsleep.markers.catalogue import FAMILIES
from eegsleep.provenance import package_versions
from eegsleep.report.compose import compose_page, with_json
from eegsleep.report.next_day import describe_next_day
from eegsleep.report.numbers import ARROWS, MISSING, format_number, number_range, p_value, signed_number
from eegsleep.report.study_figures import draw_forest, draw_nights
from eegsleep.study.comparison.verdicts import FALSE_DISCOVERY_RATE
from eegsleep.study.masking.timeline import judge_timeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.masking.changes import Change
    from eegsleep.study.masking.timeline import Step

# A sign beside the word and the colour, for readers who do not see colours or print in grey.
SIGNS = {
    "better": "▲",
    "worse": "▼",
    "changed": "◆",
    "equivalent": "■",
    "inconclusive": "○",
    "follows from slow-wave amplitude": "◇",
    "follows from gain": "✕",
    "masked": "◆",
}
STATUS = {"pass": "✓", "warn": "!", "fail": "✕"}
DESIGNS = {
    "pairs": "randomised pairs of nights",
    "max-run": "randomised nights with a longest run",
    "complete": "completely randomised nights",
    "phases": "phases with random change points",
    "crossover": "randomised crossover",
    "parallel": "randomised parallel groups",
    "observational": "observational: nothing was drawn",
}


class Names(NamedTuple):
    """Names of the conditions on the page, and their codes; control (or the first code) first."""

    shown: tuple[str, str]
    codes: tuple[str, str]
    masked: bool


def render_study(
    study: Study,
    comparison: Comparison,
    *,
    lock: Mapping[str, Any] | None = None,
    changes: Sequence[Change] = (),
    unmasked_at: str = "",
    notes: Sequence[str] = (),
    timeline: Sequence[Step] = (),
) -> bytes:
    """Return the report of a study as one HTML file that needs no network.

    Parameters
    ----------
    study : Study
        Unmasked where `active` is set; a masked study is shown by its codes alone.
    comparison : Comparison
        As `compare_nights` returns it.
    lock : mapping, optional
        The lock, as `read_lock` gives it.
    changes : sequence of Change
        What changed since the lock (`verify_lock`).
    unmasked_at : str
        When the codes were first opened.
    notes : sequence of str
        What a reader must know first, such as that the nights are simulated.
    timeline : sequence of Step
        From `trace_timeline`; decides the badge at the head of the page.

    Returns
    -------
    bytes
        The page, in UTF-8. Equal tables give equal bytes.
    """
    names = _names(study)
    markers, common = _without_common_reason(comparison.markers)
    primary = [row for row in markers.itertuples(index=False) if _is_primary(row, study)]
    scores = [
        {**_marker_row(row, names), "marker": row.marker}
        for row in markers.itertuples(index=False)
        if row.marker.startswith("day_")
    ]
    panels = [with_json(draw_nights(comparison.nights, row, names.shown, names.codes)) for row in primary]
    return compose_page(
        "study.html",
        study=study,
        names=names,
        common=common,
        locked=lock is not None and not any(change.what == "protocol.primary" for change in changes),
        tested=study.mechanism.kind != "observational",
        by_lot=set(markers["method"]) <= {"re-randomisation", "descriptive"},
        facts=_facts(study, comparison, names),
        status=_badge(timeline) if timeline else _lock_status(study, lock, changes, unmasked_at),
        changes=list(changes),
        notes=[*notes, *_notes(study, comparison, names)],
        families=_family_rows(comparison.families, names, tested=study.mechanism.kind != "observational"),
        primary=[_marker_row(row, names) for row in primary],
        panels=panels,
        next_day=describe_next_day(scores, comparison.relations, comparison.nuisance),
        forest=with_json(draw_forest(markers, names.shown)),
        groups=_groups(markers, names),
        explanations=_explanations(comparison.nuisance, markers, primary, names),
        checks=_check_rows(comparison.checks),
        models=_model_rows(comparison.models, markers),
        methods=_methods(study, comparison),
        provenance=_provenance(study, comparison, lock, unmasked_at),
    )


def _without_common_reason(markers: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the markers without the reason that most of them share, and that reason, which the page shows once."""
    counts = markers["reason"][markers["reason"] != ""].value_counts()
    if counts.empty or counts.iloc[0] < 3 or counts.iloc[0] <= len(markers) / 2:
        return markers, ""
    common = str(counts.index[0])
    return markers.assign(reason=markers["reason"].where(markers["reason"] != common, "")), common


def _names(study: Study) -> Names:
    first, second = study.conditions
    if study.active is None:
        return Names((first, second), (first, second), masked=True)
    control = second if study.active == first else first
    return Names((f"control ({control})", f"compound ({study.active})"), (control, study.active), masked=False)


def _is_primary(row: Any, study: Study) -> bool:  # noqa: ANN401 - a named tuple
    return row.role == "primary" or f"{row.marker}|{row.stage}|{row.channel}" in study.primary


def _format_sentence(text: str, names: Names) -> str:
    """Return a sentence with true minus signs, and in codes where they are masked: it was written of a compound."""
    text = _true_minus(text)
    if not names.masked:
        return text
    first, second = names.codes
    text = re.sub(r"\bwith the compound\b", f"with {second}", text)
    text = re.sub(r"\ba compound night\b", f"a night of {second}", text)
    return re.sub(r"\bwithout\.$", f"with {first}.", text)


def _true_minus(text: str) -> str:
    """Return text with a minus before its negative numbers; the hyphens of names and dates stay."""
    return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def _facts(study: Study, comparison: Comparison, names: Names) -> list[tuple[str, str]]:
    usable = study.nights[study.usable]
    counts = [
        f"{(usable['condition'] == code).sum()} {shown}" for code, shown in zip(names.codes, names.shown, strict=True)
    ]
    n_subjects = usable["subject"].nunique()
    facts = [
        ("Compound", study.compound),
        ("Design", DESIGNS[study.mechanism.kind]),
        ("Nights that enter", f"{len(usable)}: {', '.join(counts)}"),
        ("Sleepers", str(n_subjects)),
    ]
    if comparison.n_schedules:
        all_of = "all " if comparison.complete else ""
        facts.append(("Schedules redrawn", f"{all_of}{format_number(comparison.n_schedules, 0)}"))
    return facts


def _badge(timeline: Sequence[Step]) -> dict[str, Any]:
    """Return what vouches for the study, from its timeline."""
    badge = judge_timeline(timeline)
    kind, sign = {"good": ("usable", "✓"), "noted": ("caution", "!"), "serious": ("reject", "✕")}[badge.grade]
    return {
        "kind": kind,
        "sign": sign,
        "title": badge.title,
        "words": [step.sentence for step in timeline if step.sentence],
    }


def _lock_status(
    study: Study, lock: Mapping[str, Any] | None, changes: Sequence[Change], unmasked_at: str
) -> dict[str, Any]:
    """Return how the study was locked: kind (a class of the style sheet), sign, headline and sentences."""
    if lock is None:
        return {
            "kind": "reject",
            "sign": "✕",
            "title": "Not locked",
            "words": [
                "Nothing was frozen before this was computed: settings, exclusions and endpoints could still be chosen "
                "by their result. Take no conclusion from this page."
            ],
        }
    words = [f"Settings, exclusions, endpoints and schedule were frozen on {_moment(lock['locked_at'])}."]
    never_masked = lock["open_label"] and study.mechanism.kind == "observational"
    if unmasked_at and not never_masked:
        words.append(f"The codes were first opened on {_moment(unmasked_at)}.")
    if lock["replaces"]:
        words.append(f"This lock replaces {len(lock['replaces'])} made before, all while the codes were masked.")
    if changes:
        n = len(changes)
        words.append(
            f"{n} thing{'s' if n > 1 else ''} changed since; whatever rests on that is post hoc, and a reason "
            "to try again rather than a finding."
        )
        return {"kind": "reject", "sign": "✕", "title": "Post hoc: changed after the lock", "words": words}
    if lock["open_label"] and study.mechanism.kind != "observational":
        words.append("The label was open: it was known from the start which code is the compound.")
        return {"kind": "caution", "sign": "!", "title": "Locked, but not blind", "words": words}
    title = "Locked before unmasking" if unmasked_at else "Locked; codes masked"
    if never_masked:
        title = "Locked before comparing"
    return {"kind": "usable", "sign": "✓", "title": title, "words": [*words, "Nothing changed since."]}


def _moment(text: str) -> str:
    return f"{text[:10]} {text[11:16]}" + (" UTC" if text.endswith("+00:00") else "")


def _notes(study: Study, comparison: Comparison, names: Names) -> list[str]:
    notes = []
    if names.masked:
        notes.append(
            f"The codes are masked: {names.codes[1]} minus {names.codes[0]} is shown, and the compound must "
            "not be guessed. No verdict says better or worse."
        )
    if study.mechanism.kind == "observational":
        notes.append(
            "No mechanism allocated the nights. A difference may come from whatever else set the nights "
            "apart; there are no p-values and no verdicts."
        )
    missed = study.nights[(study.nights["condition"] != "") & (study.nights["file"] == "")]
    scored = int(missed.filter(regex="^day_").notna().any(axis=1).sum())
    if scored:
        notes.append(
            f"{scored} night{'s' if scored > 1 else ''} without a recording {'have' if scored > 1 else 'has'} "
            "next-day scores. They do not enter: a night counts in all comparisons or in none."
        )
    notes += _describe_following(comparison.markers)
    if len(comparison.checks):
        failed = comparison.checks[comparison.checks["status"] == "fail"]
        notes += [
            f"Check {row.code} failed ({row.name}). {_true_minus(row.message)}"
            for row in failed.itertuples(index=False)
        ]
    return notes


def _describe_following(markers: pd.DataFrame) -> list[str]:
    """Return a sentence on the differences that follow from slow-wave amplitude, and one on those from gain."""
    notes = []
    own = markers[markers["verdict"] == "follows from slow-wave amplitude"]
    if len(own):
        named = list(dict.fromkeys(own["label"]))
        some = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
        notes.append(
            f"Larger or smaller slow waves and {some} are one finding here, not two: stages and counts depend on the "
            "size of slow waves, and with all nights at the same size these differences are gone."
        )
    n = int((markers["verdict"] == "follows from gain").sum())
    if n:
        notes.append(
            f"{n} difference{'s follow' if n > 1 else ' follows'} from the gain of the electrodes, which was not the "
            "same in both conditions. Look at the electrodes before the compound."
        )
    return notes


def _family_rows(families: pd.DataFrame, names: Names, *, tested: bool) -> list[dict[str, Any]]:
    rows = []
    for row in families.sort_values("family").itertuples(index=False):
        sentence = row.sentence.removeprefix(f"{row.title}: ")
        place = f"tested {_ordinal(row.order)}" if row.order else "not among the declared families"
        if row.order and not row.n_markers:
            place = "nothing to test"
        elif row.order and row.gate != "open":
            place = f"{_ordinal(row.order)} in the declared order; not tested, as nothing was found before it"
        rows.append(
            {
                "family": row.family,
                "title": row.title,
                "verdict": row.verdict,
                "word": row.verdict if tested else "described",
                "sign": SIGNS.get(row.verdict, "") if tested else "",
                "sentence": _format_sentence(sentence[:1].upper() + sentence[1:], names),
                "place": place if tested else "not tested",
                "n_missing": row.n_missing,
                "expectation": row.expectation,
                "source": row.expectation_source,
            }
        )
    return rows


def _ordinal(n: int) -> str:
    return {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(n, f"as number {n}")


def _unit(unit: str) -> str:
    return {"n": "", "percentage points": "points"}.get(unit, unit)


def _marker_row(row: Any, names: Names) -> dict[str, Any]:  # noqa: ANN401 - a named tuple
    """Return one row of COMPARISON as words; a missing value is a dash, with the reason in `reason`."""
    arrow, words = ARROWS[row.direction]
    bound = f"±{format_number(row.bound)}" if math.isfinite(row.bound) else MISSING
    inside = "–"
    if math.isfinite(row.low_90) and math.isfinite(row.bound):
        inside = "yes" if -row.bound < row.low_90 and row.high_90 < row.bound else "not shown"
    declared = f"{format_number(row.smallest_effect)} {row.smallest_effect_unit}".strip()
    untested = row.role == "described" and row.verdict == "inconclusive"
    n_tests = f"of {row.n_tests}" if row.n_tests > 1 else ""
    return {
        "label": row.label,
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
        "sentence": _format_sentence(row.sentence, names),
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


def _groups(markers: pd.DataFrame, names: Names) -> list[dict[str, Any]]:
    groups = []
    for family in dict.fromkeys([*FAMILIES, *markers["family"]]):
        own = markers[markers["family"] == family]
        if len(own):
            title = FAMILIES.get(family, family)
            groups.append(
                {
                    "title": f"{family} · {title}" if family != "context" else title,
                    "rows": [_marker_row(row, names) for row in own.itertuples(index=False)],
                }
            )
    return groups


def _explanations(nuisance: pd.DataFrame, markers: pd.DataFrame, primary: list, names: Names) -> dict[str, Any]:
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
            "sentence": _format_sentence(row.sentence, names),
        }
        if key in main:
            first.append(entry)
        elif row.conspicuous and found.get(key) not in {"inconclusive", None}:
            others.append(entry)
    return {"first": first, "others": _merge_same_sentences(others), "n": sum(entry["conspicuous"] for entry in first)}


def _merge_same_sentences(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with one row for all that have the same sentence: markers of a stage share its minutes."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((entry["kind"], entry["sentence"]), []).append(entry)
    return [
        same[0] | ({"of": f"{same[0]['of']}, and {len(same) - 1} more"} if len(same) > 1 else {})
        for same in groups.values()
    ]


def _check_rows(checks: pd.DataFrame) -> list[dict[str, Any]]:
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
            "message": _true_minus(row.message),
        }
        for row in checks.itertuples(index=False)
    ]


def _model_rows(models: pd.DataFrame, markers: pd.DataFrame) -> list[dict[str, Any]]:
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


def _methods(study: Study, comparison: Comparison) -> list[str]:
    words = ["The night is the smallest unit; events within it are averaged and never tested by themselves."]
    decided = sorted(set(comparison.markers["method"]) - {"descriptive"})
    if comparison.n_schedules:
        which = "every schedule" if comparison.complete else f"{format_number(comparison.n_schedules, 0)} schedules"
        redrawn = (
            f"redraws {which} that the declared mechanism ({study.mechanism.kind}) could have drawn, seed "
            f"{comparison.seed}, and counts those at least as extreme as the one that was followed; missing nights "
            "keep their place"
        )
        if decided in ([], ["re-randomisation"]):
            words.append(f"The p-value {redrawn}. Intervals hold the differences that the same test does not reject.")
        else:
            words.append(
                f"What decided, with its p-value and interval: {', '.join(decided)}. Beside it a re-randomisation test "
                f"{redrawn}; its p-value is in comparison.csv and should tell the same story"
                + (", though it knows nothing of nights before." if study.mechanism.kind == "parallel" else ".")
            )
        words.append(
            f"Primary endpoints are tested at {study.alpha:g} together; the families follow in the declared order "
            f"({', '.join(study.families)}) and the gate closes where one finds nothing. Inside a family the false "
            f"discovery rate is {100 * FALSE_DISCOVERY_RATE:.0f} %, and such findings are exploratory."
        )
    if len(comparison.relations):
        words.append(
            "Associations of next-day scores with markers are by least squares within persons, or a mixed model where "
            "the relation can be told apart between persons; practice is linear in the logarithm of the days since "
            "the first test, weekend and condition are covariates, and autocorrelation of both makes the nights count "
            "for less (Bartlett 1935, doi:10.2307/2341884; Pyper & Peterman 1998, doi:10.1139/f98-104). They decide "
            "nothing."
        )
    if study.nights["subject"].eq(study.nights["subject"].iloc[0]).all():
        words.append("A result of one sleeper holds for that sleeper, in these weeks.")
    words.append(
        "Equivalent means that the 90 % interval lies within the smallest effect of interest (two one-sided tests at "
        "5 %). Inconclusive is not “no effect”: the nights leave room for differences that matter, and for none. "
        "Hedges’ g and the share of non-overlapping pairs (NAP) are secondary and decide nothing."
    )
    return words


def _provenance(
    study: Study, comparison: Comparison, lock: Mapping[str, Any] | None, unmasked_at: str
) -> list[tuple[str, str]]:
    pairs = [
        ("study", study.title),
        ("seed", str(comparison.seed)),
        ("alpha", f"{study.alpha:g}"),
        ("primary endpoints", "; ".join(study.primary)),
        ("families in order", ", ".join(study.families)),
        ("exclusion rules", "; ".join(study.exclusion_rules) or MISSING),
    ]
    if lock is not None:
        pairs += [("locked at", lock["locked_at"]), ("codes opened at", unmasked_at or MISSING)]
        pairs += [
            (name.replace("_", " "), lock[name] or MISSING)
            for name in ("sha256", "study_sha256", "nights_sha256", "schedule_sha256", "key_sha256")
        ]
        pairs += [(f"{name}, of the nights", value) for name, value in lock["versions"].items()]
    n_missing = int((~np.isfinite(comparison.nights["value"])).sum())
    pairs.append(("values missing", f"{n_missing} of {len(comparison.nights)}"))
    return [*pairs, *((f"{name}, of this page", value) for name, value in package_versions().items())]
