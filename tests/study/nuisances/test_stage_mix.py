"""A compound that only lengthens N3 is told apart from one that changes the waves within it."""

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study, marker_rows

from eegsleep.study.comparison.compare import compare_nights

WAVES = "slow_oscillation_density_per_min"


def _values(study, mean, sd, stage, seed):
    value = mean + sd * np.random.default_rng(seed).standard_normal(len(study.nights))
    return marker_rows(study, WAVES, value, "/min", stage)


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
    study = make_study("complete", families=("B",))
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
    study = make_study("complete", families=("B",))
    values = _stages(study, 0.0).assign(unit="µV/s")
    assert "stage mix" not in set(compare_nights(study, values).nuisance["kind"])
