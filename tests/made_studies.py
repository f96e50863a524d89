"""Studies and markers made in memory, for tests of the comparison: real `Study` objects, without files."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from eegsleep.study.declared.protocol import Study
from eegsleep.study.schedules.mechanisms import Mechanism
from eegsleep.study.schedules.schedule import draw_schedule
from eegsleep.tables import STUDY_NIGHTS, check_table

FAST = "fast_spindle_density_per_min"
_BLANK = {
    "file": "night.edf",
    "device": "one",
    "lights_off": "23:00",
    "lights_on": "07:00",
    "dose": "",
    "guess": "",
    "hours_since_dose": np.nan,
    "excluded": False,
    "exclusion_reason": "",
    "decided_masked": False,
}


def make_study(kind="pairs", n_nights=20, subjects=("S01",), seed=0, *, mechanism=None, **changes):
    """Return a study whose nights were drawn by its mechanism, with its codes opened: B is the compound.

    The nights of an observational study are drawn as in `complete`; `changes` are fields of `Study`.
    """
    drawn_by = Mechanism("complete" if kind == "observational" else kind, **(mechanism or {}))
    nights = draw_schedule(drawn_by, n_nights, seed, subjects).assign(**_BLANK)
    of_one = "n-of-1" if len(subjects) == 1 else "crossover"
    study = Study(
        title="A study",
        compound="c",
        design=kind if kind in {"crossover", "parallel", "observational"} else of_one,
        mechanism=Mechanism("observational") if kind == "observational" else drawn_by,
        conditions=("A", "B"),
        active="B",
        primary=(),
        smallest_effects={},
        families=("D", "B", "A", "C", "E"),
        alpha=0.05,
        seed=1,
        nights=check_table(nights[STUDY_NIGHTS.column_names], STUDY_NIGHTS),
        path=Path("study.toml"),
    )
    return dataclasses.replace(study, **changes)


def make_values(study, effect=0.0, marker=FAST, sd=1.0, mean=5.0, seed=0, unit="/min", stage="NREM", channel="C4-M1"):
    """Return one marker of every night, long: normal numbers, and `effect` more on nights of code B."""
    rng = np.random.default_rng(seed)
    nights = study.nights
    value = mean + sd * rng.standard_normal(len(nights)) + effect * (nights["condition"] == "B").to_numpy()
    return marker_rows(study, marker, value, unit, stage, channel)


def marker_rows(study, marker, value, unit, stage="NREM", channel="C3"):
    """Return the long table of one marker, from one value a night."""
    return pd.DataFrame(
        {
            "night": study.nights["night"],
            "marker": marker,
            "stage": stage,
            "channel": channel,
            "value": value,
            "unit": unit,
            "clean_min": 200.0,
        }
    )


def only_row(comparison):
    """Return the row of a comparison that holds one marker."""
    assert len(comparison.markers) == 1
    return comparison.markers.iloc[0]
