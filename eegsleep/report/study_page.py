"""The page of a study: the answer in three sentences, then what it rests on, and everything else folded away."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup

from eegsleep.provenance import package_versions
from eegsleep.report.compose import compose_page, read_template
from eegsleep.report.hypnogram_strip import LETTERS, draw_strip, longest_night
from eegsleep.report.next_day import describe_next_day
from eegsleep.report.numbers import MISSING, format_number
from eegsleep.report.study_doses import DESIGN, METHODS, NOTE, Middle, describe_doses, name_low_dose
from eegsleep.report.study_figures import SIGNS, Drawing, draw_change, draw_flow, draw_nights, draw_shares
from eegsleep.report.study_rows import (
    Names,
    band_rows,
    check_rows,
    describe_explanations,
    family_rows,
    forest_rows,
    format_sentence,
    is_primary,
    marker_groups,
    marker_row,
    model_rows,
    name_conditions,
    sensitivity_rows,
    sleeper_rows,
    true_minus,
    without_common_reason,
)
from eegsleep.report.study_spectra import draw_spectra
from eegsleep.report.study_terms import OF_TESTS, TERMS
from eegsleep.study.comparison.answer import describe_answer
from eegsleep.study.comparison.verdicts import FALSE_DISCOVERY_RATE
from eegsleep.study.masking.timeline import judge_timeline, trace_timeline
from eegsleep.study.night_list import share_stages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from eegsleep.study.cent import Flow, Item
    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.masking.changes import Change
    from eegsleep.study.masking.timeline import Step
    from eegsleep.study.night_list import NightSeen

DESIGNS = {
    "pairs": "randomised pairs of nights",
    "blocks": "randomised blocks of nights",
    "max-run": "randomised nights with a longest run",
    "complete": "completely randomised nights",
    "phases": "phases with random change points",
    "crossover": "randomised crossover",
    "parallel": "randomised parallel groups",
    "observational": "observational: nothing was drawn",
}
_GRADES = {"good": ("usable", "✓"), "noted": ("caution", "!"), "serious": ("reject", "✕")}
_BIN_MIN = 5


class Truth(NamedTuple):
    """One thing that was simulated, and what was found of it.

    Attributes
    ----------
    what, simulated, found, words : str
    """

    what: str
    simulated: str
    found: str
    words: str


def render_study(
    study: Study,
    comparison: Comparison,
    *,
    lock: Mapping[str, Any] | None = None,
    changes: Sequence[Change] = (),
    unmasked_at: str = "",
    notes: Sequence[str] = (),
    timeline: Sequence[Step] = (),
    nights: Sequence[NightSeen] = (),
    home: Path | None = None,
    checklist: Sequence[Item] = (),
    truth: Sequence[Truth] = (),
    flow: Flow | None = None,
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
        What changed since registration and lock.
    unmasked_at : str
        When the codes were first opened.
    notes : sequence of str
        What a reader must know first, such as that the nights are simulated.
    timeline : sequence of Step
        From `trace_timeline`; decides the badge in the first box. By default it is traced from the lock alone.
    nights : sequence of NightSeen
        From `list_nights`; without them the page has no list of nights and no hypnograms.
    home : Path, optional
        The folder where the page will lie, from which it links to the reports of nights.
    checklist : sequence of Item
        From `fill_checklist`.
    truth : sequence of Truth
    flow : Flow, optional
        From `count_flow`, drawn as a diagram.
        What was simulated, in a demonstration.

    Returns
    -------
    bytes
        The page, in UTF-8. Equal tables give equal bytes.

    Examples
    --------
    >>> comparison = es.compare_nights(study, values, n_draws=99)
    >>> es.render_study(study, comparison)[:15]
    b'<!DOCTYPE html>'
    """
    names = name_conditions(study)
    tested = study.mechanism.kind != "observational"
    markers, common = without_common_reason(comparison.markers)
    primary = [row for row in markers.itertuples(index=False) if is_primary(row, study)]
    scores = [
        {**marker_row(row, names), "marker": row.marker}
        for row in markers.itertuples(index=False)
        if row.marker.startswith("day_") and (row.n_control or row.n_compound)
    ]
    steps = timeline or trace_timeline(
        study, registered=None, lock=lock, unmasked_at=unmasked_at, changes=changes, checks=comparison.checks
    )
    groups = marker_groups(markers, names)
    low_dose = name_low_dose(comparison)
    shares = _shares(nights, names, low_dose)
    bands = band_rows(comparison.markers)
    return compose_page(
        "study.html",
        own=("find.js", "study/study.js"),
        early=("theme.js",),
        page_css=Markup(read_template("sheet.css") + read_template("study/study.css")),  # noqa: S704 - our own files
        study=study,
        names=names,
        answer=_answer(study, comparison),
        common=common,
        locked=lock is not None and not any(change.what == "protocol.primary" for change in changes),
        tested=tested,
        facts=_facts(study, comparison, names),
        status=_badge(steps),
        timeline=[_step(step) for step in steps if step.sentence],
        changes=list(changes),
        flow=_flow(flow, names, low_dose),
        notes=[*notes, *_notes(study, comparison, names)],
        families=family_rows(comparison.families, comparison.markers, names, tested=tested),
        pattern=_pattern(comparison, names) if tested else "",
        primary=[_endpoint(study, comparison, row, names) for row in primary],
        doses=describe_doses(study, comparison),
        next_day=describe_next_day(scores, comparison.relations, comparison.nuisance),
        forest=forest_rows(comparison.markers, names),
        signs=_signs(comparison.markers),
        groups=groups,
        n_markers=sum(len(group["rows"]) for group in groups),
        bands=bands,
        spectra=_spectra(comparison, bands, names, low_dose),
        shares=shares,
        share_hours=format_number(max((share["hours"] for share in shares), default=0.0), 1),
        stages=(("W", "wake"), ("R", "REM"), ("1", "N1"), ("2", "N2"), ("3", "N3")),
        night_rows=_night_rows(
            nights, comparison.nights if low_dose is None else comparison.dose_nights, primary, names, home, low_dose
        ),
        explanations=describe_explanations(comparison.nuisance, markers, primary, names),
        sensitivity=sensitivity_rows(primary, comparison.markers, comparison.nuisance) if tested else [],
        sleepers=sleeper_rows(comparison.sleepers),
        checks=check_rows(comparison.checks),
        models=model_rows(comparison.models, markers),
        checklist=list(checklist),
        methods=_methods(study, comparison),
        provenance=_provenance(study, comparison, lock, unmasked_at),
        truth=list(truth),
        terms=[term for term in TERMS if tested or term[0] not in OF_TESTS],
    )


def _answer(study: Study, comparison: Comparison) -> dict[str, Any]:
    answer = describe_answer(study, comparison)
    kinds = {"Yes": "better", "No": "equivalent", "Masked": "masked"}
    kind = answer.verdict if answer.word in {"Yes", "It differs"} else kinds.get(answer.word, "inconclusive")
    main = (answer.finding, answer.size, answer.certainty)
    return {"kind": kind, "sentences": [_quote(true_minus(text)) for text in main if text], "others": answer.others}


def _badge(steps: Sequence[Step]) -> dict[str, Any]:
    """Return what vouches for the study: kind (a class of the style sheet), sign, headline, and what weakens it."""
    badge = judge_timeline(steps)
    kind, sign = _GRADES[badge.grade]
    reason = next((step.sentence for step in steps if step.grade == badge.grade), "") if badge.grade != "good" else ""
    short = reason.split(". ")[0].rstrip(".") + "." if reason else ""
    return {"kind": kind, "sign": sign, "title": badge.title, "short": _quote(short)}


def _step(step: Step) -> dict[str, Any]:
    name, at, grade, sentence = step
    when = at[:16].replace("T", " ")
    return {
        "name": name.capitalize(),
        "when": when,
        "grade": grade,
        "sign": _GRADES[grade][1],
        "sentence": _quote(sentence),
    }


def _flow(flow: Flow | None, names: Names, low_dose: Middle | None) -> Drawing | None:
    """Return the diagram of the nights, from those given a condition to those compared."""
    if flow is None:
        return None
    shown = dict(zip(names.codes, names.shown, strict=True))
    if low_dose is not None:
        shown[low_dose.code] = low_dose.shown
    return draw_flow(flow.given, flow.recorded, flow.left_out, [(shown.get(c, c), n) for c, n in flow.entering.items()])


def _quote(text: str) -> str:
    """Return text with commands in quotation marks, where a terminal would have backticks."""
    return re.sub(r"`([^`]*)`", "“\\1”", text)


def _signs(markers: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the signs that the forest holds, and their words."""
    present = set(markers["verdict"])
    return [(sign, word) for word, sign in SIGNS.items() if word in present]


def _pattern(comparison: Comparison, names: Names) -> str:
    if comparison.pattern.empty:
        return ""
    return format_sentence(str(comparison.pattern.iloc[0]["sentence"]), names)


def _endpoint(study: Study, comparison: Comparison, row: Any, names: Names) -> dict[str, Any]:  # noqa: ANN401
    """Return a primary endpoint: its row, its nights as figures, its statistics."""
    blocks = {}
    if study.mechanism.kind == "pairs":
        blocks = dict(zip(study.nights["night"], study.nights["block"].astype(int), strict=True))
    words = marker_row(row, names)
    of_tests = [
        ("p", "p", words["p"]),
        ("p adjusted", "adjusted", f"{words['p_adjusted']} {words['tests']}".strip()),
        ("smallest p the schedules allow", "", words["smallest_p"]),
        ("p of ranks", "ranks", words["ranks"]),
    ]
    statistics = [
        *(of_tests if study.mechanism.kind != "observational" else []),
        ("90 % interval", "equivalent", words["interval_90"]),
        ("Equivalent?", "equivalent", words["inside"]),
        ("Ratio", "", f"{words['ratio']} ({words['ratio_interval']})" if words["ratio_interval"] else MISSING),
        ("Student’s t interval", "", words["t_interval"]),
        ("g", "g", words["g"]),
        ("NAP", "nap", words["nap"]),
        ("Method", "", row.method),
        ("Adjusted by", "", words["adjustment"] or MISSING),
        ("By a prior of 0 ± 1 SD", "prior", words["chances"] or MISSING),
    ]
    figures = (comparison.nights, row, names.shown, names.codes, blocks)
    return {"row": words, "nights": draw_nights(*figures), "change": draw_change(*figures), "statistics": statistics}


def _conditions(names: Names, low_dose: Middle | None) -> list[tuple[str, str]]:
    """Return code and name of every condition, control first."""
    every = list(zip(names.codes, names.shown, strict=True))
    return every if low_dose is None else [every[0], (low_dose.code, low_dose.shown), every[1]]


def _spectra(
    comparison: Comparison, bands: Sequence[Mapping[str, Any]], names: Names, low_dose: Middle | None
) -> dict[str, Any] | None:
    """Return the spectrum of each condition with its key, on the channel of the bands."""
    nights = comparison.nights if low_dose is None else comparison.dose_nights
    conditions = _conditions(names, low_dose)
    drawing = draw_spectra(nights, bands[0]["channel"], conditions) if bands else None
    kinds = ("first", "second") if low_dose is None else ("first", "third", "second")
    key = [(kind, shown) for kind, (_, shown) in zip(kinds, conditions, strict=True)]
    return None if drawing is None else {"drawing": drawing, "key": key}


def _shares(nights: Sequence[NightSeen], names: Names, low_dose: Middle | None) -> list[dict[str, Any]]:
    """Return the stages over the night of each condition, where nights of all have stages."""
    shares = []
    for code, shown in _conditions(names, low_dose):
        own = [night for night in nights if night.enters and night.condition == code and night.stages]
        shares.append((shown, len(own), share_stages(own)))
    longest = max(len(share) for *_, share in shares)
    if not all(len(share) for *_, share in shares):
        return []
    return [
        {"name": shown, "n": n, "svg": draw_shares(share, longest, shown), "hours": longest * _BIN_MIN / 60}
        for shown, n, share in shares
    ]


def _night_rows(
    nights: Sequence[NightSeen],
    values: pd.DataFrame,
    primary: Sequence[Any],
    names: Names,
    home: Path | None,
    low_dose: Middle | None = None,
) -> list[dict[str, Any]]:
    """Return the nights one by one, with links to their reports."""
    strips = {night.night: "".join(LETTERS.get(stage, "U") for stage in night.stages) for night in nights}
    longest = longest_night(strips.values())
    found: dict[str, float] = {}
    if primary:
        row = primary[0]
        own = values[
            (values["marker"] == row.marker) & (values["stage"] == row.stage) & (values["channel"] == row.channel)
        ]
        found = dict(zip(own["night"], own["value"], strict=True))
    several = len({night.subject for night in nights}) > 1
    looks = {names.codes[0]: ("first", "○", names.shown[0]), names.codes[1]: ("second", "▲", names.shown[1])}
    if low_dose is not None:
        looks[low_dose.code] = ("third", "■", low_dose.shown)
    rows = []
    for night in nights:
        arm, sign, shown = looks.get(night.condition, ("", "", MISSING))
        href = ""
        if night.report is not None and home is not None:
            href = os.path.relpath(night.report, home).replace(os.sep, "/")
        rows.append(
            {
                "night": night.night,
                "date": f"{night.subject} · {night.date}" if several else night.date,
                "arm": arm,
                "sign": sign,
                "condition": shown,
                "verdict": night.verdict,
                "strip": draw_strip(strips[night.night], longest),
                "value": format_number(found.get(night.night, np.nan)),
                "why": night.why,
                "harm": night.harm,
                "href": href,
                "find": f"{night.night} {night.subject} {night.date} {shown} {night.verdict} {night.why}".lower(),
            }
        )
    return rows


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


def _facts(study: Study, comparison: Comparison, names: Names) -> list[tuple[str, str]]:
    usable = study.nights[study.usable]
    counts = [
        f"{(usable['condition'] == code).sum()} {shown}" for code, shown in zip(names.codes, names.shown, strict=True)
    ]
    n_subjects = usable["subject"].nunique()
    entering = "Nights that enter" if comparison.doses.empty else "Nights of control and high dose"
    facts = [
        ("Compound", study.compound),
        ("Design", DESIGNS[study.mechanism.kind] if comparison.doses.empty else DESIGN),
        (entering, f"{len(usable)}: {', '.join(counts)}"),
        ("Sleepers", str(n_subjects)),
    ]
    if comparison.n_schedules:
        all_of = "all " if comparison.complete else ""
        facts.append(("Schedules redrawn", f"{all_of}{format_number(comparison.n_schedules, 0)}"))
    return facts


def _notes(study: Study, comparison: Comparison, names: Names) -> list[str]:
    notes = [] if comparison.doses.empty else [NOTE]
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
            f"Check {row.code} failed ({row.name}). {true_minus(row.message)}" for row in failed.itertuples(index=False)
        ]
    return notes


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
    if len(comparison.doses):
        words.append(METHODS)
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
