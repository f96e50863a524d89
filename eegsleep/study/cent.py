"""The CENT 2015 checklist of a study, filled from what was declared, locked and recorded.

Vohra et al. 2015, CONSORT extension for reporting N-of-1 trials, doi:10.1136/bmj.h1738; with the items of CONSORT 2010
that it keeps. What a study file cannot know is left open, so that its author writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.masking.timeline import Step

_NO_HARM = {"", "none", "no", "nothing", "-"}
_OPEN = "To be written by the author"


class Item(NamedTuple):
    """One item of the checklist.

    Attributes
    ----------
    item, topic : str
        Its number and what it asks.
    text : str
        The answer, or what is to be written.
    known : bool
        Whether the study answers it.
    """

    item: str
    topic: str
    text: str
    known: bool


class Flow(NamedTuple):
    """How many nights there were at each step of a study.

    Attributes
    ----------
    given, recorded : int
        Nights that were given a condition, and those of them that were recorded.
    left_out : dict of str to int
        Recorded nights that do not enter, by reason.
    entering : dict of str to int
        Nights that enter the comparison, by code.
    """

    given: int
    recorded: int
    left_out: dict[str, int]
    entering: dict[str, int]


def count_flow(study: Study) -> Flow:
    """Count the nights of a study from those given a condition to those that enter.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Flow
    """
    nights = study.nights
    given = nights[nights["condition"] != ""]
    recorded = given[given["file"] != ""]
    out = recorded[recorded["excluded"] | recorded["adaptation"]]
    left_out = out["exclusion_reason"].replace("", "to get used to the recording").value_counts().to_dict()
    entering = {code: int((study.usable & (nights["condition"] == code)).sum()) for code in study.conditions}
    return Flow(len(given), len(recorded), {str(why): int(n) for why, n in left_out.items()}, entering)


def fill_checklist(
    study: Study,
    comparison: Comparison,
    steps: Sequence[Step],
    *,
    lock: Mapping[str, Any] | None = None,
    registered: Mapping[str, Any] | None = None,
) -> tuple[Item, ...]:
    """Return the items of CENT 2015 with what the study knows of each.

    Parameters
    ----------
    study : Study
    comparison : Comparison
    steps : sequence of Step
        From `trace_timeline`.
    lock, registered : mapping, optional
        From `read_lock` and `read_protocol_file`.

    Returns
    -------
    tuple of Item
    """
    by_step = {step.name: step.sentence for step in steps}
    rows = [
        ("1a", "Title names the design", study.title),
        ("1b", "Structured summary", "The first box of this page."),
        ("2a", "Background and rationale", ""),
        ("2b", "Objectives", study.question),
        ("2c", "Why an N-of-1 approach", ""),
        ("3a", "Design, periods, run-in and wash-out", _describe_design(study)),
        ("3b", "Changes to methods after the start", by_step.get("changed", "")),
        ("4a", "Participants, conditions, other treatments", ""),
        ("4b", "Setting", ""),
        ("4c", "Ethics approval", ""),
        ("5", "What was taken, when and how", _describe_intervention(study)),
        ("6a", "Outcomes", f"Primary: {'; '.join(study.primary) or 'none'}. Families: {', '.join(study.families)}."),
        ("6b", "Changes to outcomes", _describe_outcome_changes(by_step)),
        ("7a", "Number of nights", _describe_size(study)),
        ("7b", "Interim looks and stopping", _describe_looks(study)),
        ("8a", "How the order was generated", _describe_sequence(study)),
        ("8b", "Kind of randomisation", _describe_mechanism(study)),
        ("8c", "The whole sequence", _describe_order(study)),
        ("9", "Concealment", _describe_concealment(study)),
        (
            "10",
            "Who generated and who prepared",
            f"eegsleep drew it; {study.concealed_by} prepared." if study.concealed_by else "",
        ),
        ("11a", "Blinding", _describe_blinding(study, lock)),
        ("11b", "Similarity of the capsules", ""),
        ("12a", "Statistical methods", "See “Methods and caveats”."),
        ("12c", "Carry-over, period, autocorrelation", _describe_nuisance(comparison)),
        ("13a", "Flow of the nights", _describe_flow(study)),
        ("13b", "Losses and exclusions", _describe_losses(study)),
        ("14a", "Dates", by_step.get("recorded", "")),
        ("14b", "Why it ended", _describe_end(study, registered)),
        ("15", "Baseline", ""),
        ("16", "Nights analysed", f"{int(study.usable.sum())} of {len(study.nights)}."),
        (
            "17a",
            "Results of each outcome",
            "See “Primary endpoint” and “Every marker”; each night in comparison_nights.csv.",
        ),
        ("18", "Other analyses", "All that is not ★ is exploratory; see “The primary endpoint estimated otherwise”."),
        ("19", "Harms", _describe_harms(study)),
        ("20", "Limitations", ""),
        ("21", "Generalisability", _describe_scope(study)),
        ("22", "Interpretation", ""),
        ("23", "Registration", by_step.get("registered", "")),
        ("24", "Protocol", "protocol.json beside this page." if registered else ""),
        ("25", "Funding", ""),
    ]
    return tuple(Item(item, topic, text or f"{_OPEN}.", bool(text)) for item, topic, text in rows)


def _describe_design(study: Study) -> str:
    given = study.nights[study.nights["condition"] != ""]
    blocks = given.loc[given["block"] > 0, ["subject", "block"]].drop_duplicates()
    n_before = int(study.nights["adaptation"].sum())
    words = f"{study.design}: {len(given)} nights with a condition"
    kind = study.mechanism.kind
    words += f" in {len(blocks)} {kind if kind in {'pairs', 'blocks'} else 'periods'}" if len(blocks) else ""
    words += f"; {n_before} nights before to get used to the recording" if n_before else ""
    wash_out = study.mechanism.wash_out_nights
    return f"{words}; {wash_out} nights of wash-out a phase." if wash_out else f"{words}; no wash-out nights."


def _describe_intervention(study: Study) -> str:
    doses = [f"{dose:g} mg" for dose in study.doses_mg[1:]] or sorted(set(study.nights["dose"]) - {""})
    half_life = f", half-life {study.half_life_h:g} h" if study.half_life_h else ""
    dose = f", {', '.join(doses)}" if doses else "; the dose is to be written by the author"
    return f"{study.compound}{half_life}{dose}."


def _describe_outcome_changes(by_step: Mapping[str, str]) -> str:
    return by_step.get("changed", "")


def _describe_size(study: Study) -> str:
    planned = f"{study.planned.nights} nights of each sleeper were planned" if study.planned.nights else ""
    return f"{planned}; plan.json holds what that can show." if planned else ""


def _describe_looks(study: Study) -> str:
    looks = ", ".join(map(str, study.planned.looks))
    return f"Declared after {looks} nights, alpha spent." if looks else "No look was declared."


def _describe_sequence(study: Study) -> str:
    if study.mechanism.kind == "observational":
        return "The nights were not drawn."
    return f"Drawn by eegsleep, seed {study.seed}."


def _describe_mechanism(study: Study) -> str:
    return "None." if study.mechanism.kind == "observational" else f"{study.mechanism.kind}."


def _describe_order(study: Study) -> str:
    parts = []
    for subject, own in study.nights[study.nights["condition"] != ""].groupby("subject"):
        order = "".join(own.sort_values("date", kind="stable")["condition"])
        parts.append(f"{subject}: {order}")
    return "; ".join(parts) + "."


def _describe_concealment(study: Study) -> str:
    if study.mechanism.kind == "observational":
        return "None: the sleeper chose."
    return "By a sealed key, opened after the lock." if study.key_sha256 else "None: the label was open."


def _describe_blinding(study: Study, lock: Mapping[str, Any] | None) -> str:
    open_label = not study.key_sha256 if lock is None else bool(lock.get("open_label"))
    guesses = study.nights.loc[study.usable, ["condition", "guess"]]
    asked = guesses[~guesses["guess"].isin(["", "?"])]
    words = "Open label." if open_label else "Codes masked until the lock."
    if asked.empty or study.active is None:
        return f"{words} No guess was recorded." if asked.empty else words
    meant = asked["guess"].map({"compound": study.active}).fillna(asked["guess"])
    control = next(code for code in study.conditions if code != study.active and not study.dose_of.get(code))
    meant = meant.mask(meant == "control", control)
    right = int((meant == asked["condition"]).sum())
    return f"{words} {right} of {len(asked)} guesses were right."


def _describe_nuisance(comparison: Comparison) -> str:
    rows = comparison.nuisance
    marked = rows[rows["conspicuous"] & rows["kind"].isin(["trend", "carry-over"])]
    words = "Trend and carry-over are beside the result under “What else could explain it”"
    return f"{words}; {len(marked)} rows stand out." if len(marked) else f"{words}; none stands out."


def _describe_flow(study: Study) -> str:
    flow = count_flow(study)
    enters = sum(flow.entering.values())
    parts = [f"{flow.given} nights with a condition", f"{flow.recorded} recorded", f"{enters} compared"]
    return " → ".join(parts) + f" ({', '.join(f'{n} {code}' for code, n in flow.entering.items())})."


def _describe_losses(study: Study) -> str:
    nights = study.nights
    missed = int(((nights["condition"] != "") & (nights["file"] == "")).sum())
    reasons = nights.loc[nights["excluded"], "exclusion_reason"].value_counts()
    words = [f"{missed} not recorded" if missed else "", *(f"{n} excluded: {why}" for why, n in reasons.items())]
    return "; ".join(word for word in words if word) + "." if any(words) else "None."


def _describe_end(study: Study, registered: Mapping[str, Any] | None) -> str:
    given = study.nights[study.nights["condition"] != ""]
    planned = int(registered["protocol"]["planned"]["nights"]) * len(study.planned.subjects) if registered else 0
    recorded = int((given["file"] != "").sum())
    return "The planned nights were recorded." if planned and recorded >= planned else ""


def _describe_harms(study: Study) -> str:
    if "harm" not in study.nights:
        return ""
    nights = study.nights[study.nights["condition"] != ""]
    words = nights["harm"].astype("str").str.strip()
    asked = words != ""
    if not asked.any():
        return ""
    told = asked & ~words.str.lower().isin(_NO_HARM)
    counts = [
        f"{int((told & (nights['condition'] == code)).sum())} of {int((asked & (nights['condition'] == code)).sum())} "
        f"nights of {_name_condition(study, code)}"
        for code in study.conditions
    ]
    which = sorted(set(words[told]))
    return f"Told on {' and '.join(counts)}" + (f": {'; '.join(which)}." if which else ".")


def _name_condition(study: Study, code: str) -> str:
    if study.dose_of.get(code):
        return f"{study.dose_of[code]:g} mg"
    if study.active is None:
        return code
    return "the compound" if code == study.active else "control"


def _describe_scope(study: Study) -> str:
    if int(np.unique(study.nights["subject"]).size) == 1:
        return "The result holds for this sleeper, in these weeks."
    return ""
