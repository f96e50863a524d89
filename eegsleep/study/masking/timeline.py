"""When a study was registered, recorded, locked, opened and changed, and what that means for its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from eegsleep.study.masking.registration import read_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.masking.changes import Change

Grade = Literal["good", "noted", "serious"]
_STOPPED_EARLY = 0.1  # share of the planned nights that is missing at the end without a gap
# Of 28 nights in pairs without an effect; measured by tests/benchmarks/study_promises.py.
_PEEKING_ERROR = 0.13
# The headline of the first step that has the worst grade.
_TITLES: dict[Grade, dict[str, str]] = {
    "serious": {
        "changed": "Post hoc: not as it was registered or locked",
        "locked": "Not locked",
        "recorded": "The nights are not those that were planned",
        "registered": "Registered after its nights",
    },
    "noted": {
        "registered": "Locked, but not registered in advance",
        "opened": "Locked, but not blind",
        "locked": "Locked again before opening",
        "changed": "Locked; what changed touches no primary result",
    },
}
_NOT_DRAWN = "Nothing was registered, because the nights were not drawn."
_CHECKS_OF_RECORDINGS = ("C2", "C13", "C14")


class Step(NamedTuple):
    """One step of a study's life.

    Attributes
    ----------
    name : str
        registered, recorded, locked, opened or changed.
    at : str
        When, ISO 8601; empty if not known or not yet.
    grade : {"good", "noted", "serious"}
        Whether it vouches for the result, weakens it, or lets the result be chosen.
    sentence : str
    """

    name: str
    at: str
    grade: Grade
    sentence: str


class Badge(NamedTuple):
    """The worst grade of a timeline, and a headline for it."""

    grade: Grade
    title: str


def trace_timeline(
    study: Study,
    *,
    registered: Mapping[str, Any] | None,
    lock: Mapping[str, Any] | None,
    unmasked_at: str = "",
    changes: Sequence[Change] = (),
    checks: pd.DataFrame | None = None,
) -> tuple[Step, ...]:
    """Return the steps of a study in order, each graded.

    Parameters
    ----------
    study : Study
    registered : mapping or None
        From `read_protocol_file`.
    lock : mapping or None
        From `read_lock`.
    unmasked_at : str
        When the codes were first opened.
    changes : sequence of Change
        Since registration and since the lock.
    checks : DataFrame, optional
        Table CHECKS; a check of the recordings that failed weakens the nights.

    Returns
    -------
    tuple of Step
    """
    steps = [
        _registered(study, registered),
        _recorded(study, registered, checks),
        _locked(study, lock),
        _opened(study, lock, unmasked_at),
        _changed(changes),
    ]
    return tuple(steps)


def judge_timeline(steps: Sequence[Step]) -> Badge:
    """Return the worst grade and its headline.

    Parameters
    ----------
    steps : sequence of Step
        From `trace_timeline`.
    """
    grades = {step.name: step.grade for step in steps}
    if any(step.sentence == _NOT_DRAWN for step in steps) and "serious" not in grades.values():
        return Badge("noted", "Described, not tested")
    for grade, titles in _TITLES.items():
        for name, title in titles.items():
            if grades[name] == grade:
                return Badge(grade, title)
    return Badge("good", "Registered, locked, then opened")


def _registered(study: Study, registered: Mapping[str, Any] | None) -> Step:
    if study.mechanism.kind == "observational":
        return Step("registered", "", "noted", _NOT_DRAWN)
    if registered is None:
        return Step(
            "registered",
            "",
            "noted",
            "Nothing was registered before the nights, so that endpoints, exclusions and the number of nights could "
            "be chosen after looking at them. `eegsleep plan` registers a study.",
        )
    at = str(registered["registered_at"])
    sha256 = str(registered.get("sha256", ""))
    words = f"Registered {_day(at)} with the hash {sha256}; compare it with the one that was deposited elsewhere."
    if registered.get("replaces"):
        words += f" It replaces {len(registered['replaces'])} before it."
    alpha = float(registered["protocol"].get("alpha", 0.05))
    if alpha > 0.05:
        words += f" Alpha is {alpha:g}: a finding may be chance more often than the usual 1 time in 20."
    first = study.nights.loc[study.nights["file"] != "", "date"].min()
    if isinstance(first, str) and first < at[:10]:
        late = int((study.nights.loc[study.nights["file"] != "", "date"] < at[:10]).sum())
        return Step("registered", at, "serious", f"{words} By then {late} nights had been recorded.")
    return Step("registered", at, "noted" if alpha > 0.05 else "good", words)


def _recorded(study: Study, registered: Mapping[str, Any] | None, checks: pd.DataFrame | None) -> Step:
    given = study.nights[study.nights["condition"] != ""]
    there = (given["file"] != "").to_numpy()
    n, planned = int(there.sum()), len(given)
    if registered is not None:
        planned = max(planned, int(registered["protocol"]["planned"]["nights"]) * len(study.planned.subjects))
    dates = given["date"][there]
    span = f", {dates.min()} to {dates.max()}" if n else ""
    words = f"{n} of {planned} planned nights with a condition were recorded{span}."
    grade: Grade = "good"
    missing_at_end = max((_count_missing_at_end(own) for _, own in given.groupby("subject")), default=0)
    per_sleeper = planned / max(len(study.planned.subjects), 1)
    short = planned - len(given)
    if max(missing_at_end, short) > _STOPPED_EARLY * per_sleeper and study.mechanism.kind != "observational":
        if _stopped_at_a_look(study):
            words += " It was stopped at a look that was declared, by alpha spent at that look."
        else:
            grade = "serious"
            words += (
                f" It ended early, at no look that was declared. Whoever looks every few nights and stops when the "
                f"result suits has up to {_PEEKING_ERROR:.2f} false findings in place of .05."
            )
    if checks is not None and len(checks) and study.mechanism.kind != "observational":
        failed = checks[(checks["status"] == "fail") & checks["code"].isin(_CHECKS_OF_RECORDINGS)]
        if len(failed):
            grade = "serious"
            words += "".join(f" Check {row.code} ({row.name}) failed." for row in failed.itertuples(index=False))
    return Step("recorded", str(dates.max()) if n else "", grade, words)


def _count_missing_at_end(own: pd.DataFrame) -> int:
    """Return how many of a sleeper's last nights were not recorded."""
    there = (own.sort_values("date", kind="stable")["file"] != "").to_numpy()
    return len(there) - int(np.flatnonzero(there)[-1]) - 1 if there.any() else len(there)


def _stopped_at_a_look(study: Study) -> bool:
    entries, whole = read_record(study.path.parent)
    return whole and any(entry["event"] == "looked" and entry.get("decision") == "stop" for entry in entries)


def _locked(study: Study, lock: Mapping[str, Any] | None) -> Step:
    if lock is None:
        if study.mechanism.kind == "observational":
            return Step("locked", "", "noted", "Nothing was frozen before this was computed.")
        return Step(
            "locked",
            "",
            "serious",
            "Nothing was frozen before this was computed: settings, exclusions and endpoints could still be chosen by "
            "their result.",
        )
    at = str(lock["locked_at"])
    words = f"Settings, exclusions, endpoints and schedule were frozen on {_day(at)}."
    if lock["replaces"]:
        words += f" This lock replaces {len(lock['replaces'])} made before, while the codes were masked."
    return Step("locked", at, "noted" if lock["replaces"] else "good", words)


def _opened(study: Study, lock: Mapping[str, Any] | None, unmasked_at: str) -> Step:
    if lock is not None and lock.get("open_label") and study.mechanism.kind != "observational":
        words = "The label was open: it was known from the start which code is the compound."
        return Step("opened", unmasked_at, "noted", words)
    if not unmasked_at or study.mechanism.kind == "observational":
        return Step("opened", unmasked_at, "good", "The codes are masked." if study.active is None else "")
    return Step("opened", unmasked_at, "good", f"The codes were first opened on {_day(unmasked_at)}.")


def _changed(changes: Sequence[Change]) -> Step:
    if not changes:
        return Step("changed", "", "good", "Nothing changed since.")
    n = {grade: sum(change.grade == grade for change in changes) for grade in ("serious", "minor", "clerical")}
    parts = []
    if n["serious"]:
        parts.append(
            f"{n['serious']} thing{'s' * (n['serious'] > 1)} on which a primary result rests changed; what is found is "
            "post hoc, and a reason to try again rather than a finding."
        )
    if n["minor"]:
        parts.append(f"{n['minor']} thing{'s' * (n['minor'] > 1)} on which no primary result rests changed.")
    if n["clerical"]:
        parts.append(f"{n['clerical']} entr{'ies' if n['clerical'] > 1 else 'y'} that no result rests on came later.")
    grade: Grade = "serious" if n["serious"] else "noted" if n["minor"] else "good"
    return Step("changed", "", grade, " ".join(parts))


def _day(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]}" + (" UTC" if moment.endswith("+00:00") else "")
