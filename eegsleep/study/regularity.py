"""Whether an order of conditions is too regular to have been drawn, as when nights were alternated."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.study.schedules.mechanisms import subject_rows, support_size
from eegsleep.study.schedules.schedule import draw_schedule

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.schedules.mechanisms import Mechanism

_N_REGULAR = 4  # ABAB..., BABA..., ABBA... and BAAB...
_KINDS = ("pairs", "max-run", "complete")


def chance_of_regular_order(mechanism: Mechanism, nights: pd.DataFrame) -> float:
    """Return how seldom the mechanism draws an order as regular as that of these nights.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS`.

    Returns
    -------
    float
        1 where some sleeper's conditions neither alternate night by night nor run ABBA, and for mechanisms that do
        not draw each night.
    """
    if mechanism.kind not in _KINDS or len(mechanism.conditions) > 2:
        return 1.0
    second = (nights["condition"] == mechanism.conditions[1]).to_numpy()
    rows = subject_rows(nights)
    if not rows or not all(_is_regular(second[own]) for own in rows.values()):
        return 1.0
    try:
        n_schedules = support_size(mechanism, nights)
    except SettingsError:  # fewer nights than the mechanism takes
        return 1.0
    return float(min(1.0, _N_REGULAR ** len(rows) / n_schedules)) if n_schedules < math.inf else 0.0


def _is_regular(second: NDArray[np.bool_]) -> bool:
    if len(second) < 4:
        return False
    turned = np.arange(len(second)) % 2 == 1
    twice = (np.arange(len(second)) + 1) // 2 % 2 == 1
    return any(np.array_equal(second ^ pattern, np.full(len(second), second[0])) for pattern in (turned, twice))


def was_drawn_by_plan(study: Study) -> bool:
    """Return whether the nights have the schedule that `plan` draws from the declared seed and mechanism."""
    planned, mechanism = study.planned, dataclasses.replace(study.mechanism, strata="")
    if study.mechanism.strata or study.mechanism.kind == "observational":
        return False
    try:
        drawn = draw_schedule(
            mechanism, planned.nights, study.seed, planned.subjects, planned.start, planned.adaptation_nights
        )
    except SettingsError:
        return False
    followed = study.nights.set_index("night")["condition"]
    return drawn.set_index("night")["condition"].equals(followed.reindex(drawn["night"]))
