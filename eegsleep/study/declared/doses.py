"""Studies of control and two doses: two of their conditions as a study of one dose.

Each dose is compared with control by redrawing the nights of these two alone, given where the other dose fell. Nights
drawn in blocks of three leave pairs then, and completely randomised nights leave completely randomised ones, so that
this part of the study is tested as any study of one dose.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eegsleep.study.declared.protocol import Study


def has_doses(study: Study) -> bool:
    """Return whether a study compares control with two doses."""
    return len(study.conditions) > 2


def keep_two(study: Study, first: str, second: str) -> Study:
    """Return two conditions of a study of three as a study of their own, without the nights of the third.

    Parameters
    ----------
    study : Study
        Of control and two doses.
    first, second : str
        The codes kept; control first where the codes are opened.

    Returns
    -------
    Study
        Its mechanism is that of the two conditions, given where the third fell: pairs, or complete. Where the codes
        are opened, its compound is named with its dose.
    """
    kind = "pairs" if study.mechanism.kind == "blocks" else study.mechanism.kind
    nights = study.nights[study.nights["condition"].isin(["", first, second])].reset_index(drop=True)
    opened = bool(study.dose_of)
    return dataclasses.replace(
        study,
        conditions=(first, second),
        mechanism=dataclasses.replace(study.mechanism, kind=kind, conditions=(first, second)),
        nights=nights,
        active=second if opened else None,
        compound=f"{study.compound}, {study.dose_of[second]:g} mg" if opened else study.compound,
        doses_mg=(),
        dose_of={},
    )


def codes_by_dose(study: Study) -> tuple[str, str, str]:
    """Return the codes of control, the lower and the higher dose, once they are opened."""
    control, low, high = sorted(study.dose_of, key=lambda code: study.dose_of[code])
    return control, low, high
