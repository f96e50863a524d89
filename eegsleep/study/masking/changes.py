"""What is not as it was registered or locked, and how much of a result rests on it."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from eegsleep.study.declared.protocol import Study

Grade = Literal["serious", "minor", "clerical"]
# Of the columns of a night, those that no test of a primary endpoint reads.
_BESIDE = ("guess", "harm", "cov_*", "dose", "hours_since_dose", "device", "lights_off", "lights_on")
_MINOR = ("protocol.compound_class", "protocol.half_life_h", "protocol.families*", "protocol.question")
_CLERICAL = ("protocol.title", "protocol.concealed_by", "protocol.planned.start")


class Change(NamedTuple):
    """One thing that is not as it was.

    Attributes
    ----------
    what : str
        Its name, as `section.part`.
    was, now : str
        The value then and now.
    grade : {"serious", "minor", "clerical"}
        Whether a primary endpoint rests on it, another result, or none: a guess that is entered late is no primary
        endpoint exchanged.
    """

    what: str
    was: str
    now: str
    grade: Grade = "serious"


def grade_change(study: Study, what: str, was: str) -> Grade:
    """Return how much rests on a change.

    Parameters
    ----------
    study : Study
    what : str
        The name of what changed.
    was : str
        The value then; a blank that was filled weighs less than a value that was replaced.
    """
    if any(fnmatch.fnmatch(what, pattern) for pattern in _CLERICAL):
        return "clerical"
    if any(fnmatch.fnmatch(what, pattern) for pattern in _MINOR):
        return "minor"
    if what.startswith("nights."):
        column = what.rsplit(".", 1)[1]
        if column.startswith("day_"):
            return "serious" if any(e.split("|")[0] == column for e in study.primary) else "minor"
        if any(fnmatch.fnmatch(column, pattern) for pattern in _BESIDE) and study.mechanism.kind != "observational":
            return "clerical" if was in {"", "null", "absent"} else "minor"
    return "serious"


def as_text(value: object) -> str:
    """Return a value as a change shows it."""
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
