"""Checks of the recordings behind the nights: whether each belongs to its night, and what was judged of its signals."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.provenance import evening_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.study.declared.protocol import Study

    Provenances = Mapping[str, Mapping[str, Any]]

_SHOWN = 4  # nights named in a message
_RULE = "unusable"  # the word by which a rule or a reason means the verdict on the signals


def find_misplaced(study: Study, provenances: Provenances) -> tuple[list[str], str]:
    """Find recordings that are not those of their nights.

    Parameters
    ----------
    study : Study
    provenances : mapping of str to mapping
        provenance.json by night.

    Returns
    -------
    faults : list of str
        Each a sentence; empty if there is none.
    unknown : str
        Why it could not be checked, or what is odd of all nights alike; empty if all is well.
    """
    nights = study.nights.set_index("night")
    own = {night: made for night, made in provenances.items() if night in nights.index}
    faults = [
        f"The folder of {night} holds the night {made['id']}."
        for night, made in own.items()
        if made.get("id") and made["id"] != night
    ]
    for night, file in nights["file"].items():
        stem = Path(file).name.split(".")[0] if file else ""
        if stem and stem != night and stem in nights.index:
            faults.append(f"{night} has the recording named {Path(file).name}, which is the name of another night.")
    contents = {night: ((made.get("input") or {}).get("sha256", ""),) for night, made in own.items()}
    moments = {
        night: (nights.loc[night, "subject"], str(made["start"]))
        for night, made in own.items()
        if evening_of(str(made.get("start") or "")) is not None
    }
    faults += [f"{one} and {two} are one recording." for one, two in _find_repeated(contents)]
    faults += [f"{one} and {two} began at the same moment." for one, two in _find_repeated(moments)]
    found, unknown = _compare_dates(nights["date"].to_dict(), own)
    return faults + found, unknown


def _find_repeated(values: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Return the nights that have the value of an earlier one, each with that one; empty values are not compared."""
    seen: dict[tuple[str, ...], str] = {}
    repeated = []
    for night, value in values.items():
        if value in seen:
            repeated.append((seen[value], night))
        elif all(value):
            seen[value] = night
    return repeated


def _compare_dates(dates: Mapping[Any, str], own: Provenances) -> tuple[list[str], str]:
    """Return the nights whose recording began on another evening than nights.csv says."""
    evenings = {night: evening_of(str(made.get("start") or "")) for night, made in own.items()}
    known = {night: evening for night, evening in evenings.items() if evening is not None}
    if not known:
        return [], "No recording says when it began, so that it cannot be checked whether it belongs to its night."
    if len(known) > 1 and len(set(known.values())) == 1:
        return [], "All recordings bear one date, so that it cannot be checked whether each belongs to its night."
    apart = {night: (evening - date.fromisoformat(dates[night])).days for night, evening in known.items()}
    usual, n_usual = Counter(apart.values()).most_common(1)[0]
    if 0 in apart.values() and 2 * n_usual <= len(apart):
        usual = 0
    faults = [
        f"{night} is dated {dates[night]}, and its recording began on the evening of {known[night]}."
        for night, days in apart.items()
        if days != usual
    ]
    unknown = ""
    if usual and not faults:
        unknown = (
            f"All recordings began {abs(usual)} days {'after' if usual > 0 else 'before'} the date of their night."
        )
    if len(known) < len(own):
        unknown = f"{unknown} {len(own) - len(known)} recordings do not say when they began.".strip()
    return faults, unknown


def find_verdict_conflicts(study: Study, provenances: Provenances) -> list[str]:
    """Find nights that enter although their signals were judged reject, and the other way round.

    Parameters
    ----------
    study : Study
    provenances : mapping of str to mapping
        provenance.json by night, of excluded nights too where they were scored.

    Returns
    -------
    list of str
        Each a sentence; empty if there is none.
    """
    nights = study.nights.set_index("night")
    usable = dict(zip(study.nights["night"], study.usable, strict=True))
    verdicts = {
        night: (made.get("quality") or {}).get("verdict", "")
        for night, made in provenances.items()
        if night in nights.index
    }
    enters = [night for night, verdict in verdicts.items() if verdict == "reject" and usable[night]]
    wrong = [
        f"{night} ({verdict})"
        for night, verdict in verdicts.items()
        if verdict in {"usable", "caution"}
        and nights.loc[night, "excluded"]
        and _RULE in str(nights.loc[night, "exclusion_reason"]).lower()
    ]
    faults = []
    if enters:
        declared = any(_RULE in rule.lower() for rule in study.exclusion_rules)
        more = ", although a declared rule excludes such nights" if declared else "; exclude such nights by a rule"
        faults.append(f"{list_names(enters)} {'is' if len(enters) == 1 else 'are'} judged reject and enter{more}.")
    if wrong:
        faults.append(f"Excluded as unusable, but not judged so: {list_names(wrong)}.")
    return faults


def list_names(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
