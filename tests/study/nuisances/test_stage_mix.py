"""A compound that only lengthens N3 is told apart from one that changes the waves within it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from eegsleep.study.comparison.compare import compare_nights
from eegsleep.study.schedules.mechanisms import Mechanism
from eegsleep.study.schedules.schedule import draw_schedule

WAVES = "slow_oscillation_density_per_min"


def _study():
    nights = draw_schedule(Mechanism("complete"), 20, 0)
    nights = nights.assign(
        file="night.edf", device="one", lights_off="23:00", lights_on="07:00", guess="", excluded=False
    )
    return SimpleNamespace(
        conditions=("A", "B"),
        active="B",
        primary=(),
        smallest_effects={},
        seed=1,
        alpha=0.05,
        families=("B",),
        compound="c",
        nights=nights,
        mechanism=Mechanism("complete"),
    )


def _values(study, mean, sd, stage, seed):
    value = mean + sd * np.random.default_rng(seed).standard_normal(len(study.nights))
    return pd.DataFrame(
        {
            "night": study.nights["night"],
            "marker": WAVES,
            "stage": stage,
            "channel": "C3",
            "value": value,
            "unit": "/min",
        }
    )


def _stages(study, within):
    """Return densities of N2, N3 and NREM; the compound doubles N3 and adds `within` to either stage."""
    second = study.nights["condition"].eq("B").to_numpy()
    n3_min = np.where(second, 100.0, 50.0)
    parts = {"N2": _values(study, 1.0, 0.02, "N2", 1), "N3": _values(study, 10.0, 0.2, "N3", 2)}
    for part, minutes in zip(parts.values(), (100.0, n3_min), strict=True):
        part["clean_min"] = minutes
        part["value"] += within * second
    whole = parts["N2"].assign(stage="NREM", clean_min=100 + n3_min)
    whole["value"] = (100 * parts["N2"]["value"] + n3_min * parts["N3"]["value"]) / (100 + n3_min)
    return pd.concat([*parts.values(), whole], ignore_index=True)


@pytest.mark.parametrize("within", [0.0, 2.0])
def test_what_is_left_at_an_unchanged_mix_is_what_changed_within_the_stages(within):
    study = _study()
    found = compare_nights(study, _stages(study, within))
    whole = found.markers.set_index("stage").loc["NREM", "difference"]
    assert whole == pytest.approx(1.5 + within, abs=0.2)
    rows = found.nuisance[found.nuisance["kind"] == "stage mix"]
    assert rows["stage"].tolist() == ["NREM"], "a stage by itself has no mix"
    row = rows.iloc[0]
    assert row["value"] == pytest.approx(100 * (1 / 2 - 1 / 3))
    assert row["adjusted_difference"] == pytest.approx(within, abs=0.15)
    assert row["conspicuous"] == (within == 0)
    assert "N3 made up 50 % of its minutes with the compound and 33 % with the control" in row["sentence"]


def test_what_is_no_average_over_minutes_has_no_mix():
    study = _study()
    values = _stages(study, 0.0).assign(unit="µV/s")
    assert "stage mix" not in set(compare_nights(study, values).nuisance["kind"])
