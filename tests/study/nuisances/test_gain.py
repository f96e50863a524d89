"""A looser electrode makes every wave smaller: what the gain check says of that stands beside the result."""

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study

from eegsleep.study.comparison.compare import compare_nights

POWER, AMPLITUDE, COUNT = "swa_power_uv2", "slow_oscillation_ptp_uv", "spindle_density_per_min"
UNITS = {POWER: "µV²", AMPLITUDE: "µV", COUNT: "/min", "gain_reference_uv": "µV"}


def _compare(gain):
    """Compare nights that differ by the electrodes alone, whose gain was `gain` with the compound."""
    study = make_study("complete", families=("B",))
    nights = study.nights
    rng = np.random.default_rng(3)
    passed = np.where(nights["condition"] == "B", gain, 1.0)
    columns = {
        POWER: 600 * passed**2,
        AMPLITUDE: 100 * passed,
        COUNT: 2 + 0 * passed,
        "gain_reference_uv": 0.6 * passed,
    }
    values = pd.concat(
        [
            pd.DataFrame(
                {
                    "night": nights["night"],
                    "marker": name,
                    "stage": "NREM",
                    "channel": "C3",
                    "unit": UNITS[name],
                    "value": value * (1 + 0.01 * rng.standard_normal(len(nights))),
                }
            )
            for name, value in columns.items()
        ]
    )
    found = compare_nights(study, values.reset_index(drop=True))
    return found.markers.set_index("marker")["difference"], found.nuisance[found.nuisance["kind"] == "gain"]


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_a_difference_that_electrodes_made_is_gone_against_the_gain_check(gain):
    difference, rows = _compare(gain)
    assert difference[POWER] == pytest.approx(600 * (gain**2 - 1), rel=0.1)
    rows = rows.set_index("marker")
    assert rows.loc["", "value"] == pytest.approx(100 * (gain - 1), abs=2)
    assert rows.loc["", "sentence"].endswith("with the compound: suspect the electrodes.")
    assert set(rows.index) == {"", POWER, AMPLITUDE}, "a count that follows no amplitude has nothing to set right"
    assert rows["conspicuous"].all()
    assert abs(rows.loc[POWER, "adjusted_difference"]) < 15
    assert abs(rows.loc[AMPLITUDE, "adjusted_difference"]) < 2


def test_an_equal_gain_is_told_and_not_suspected():
    _, rows = _compare(1.0)
    assert not rows["conspicuous"].any()
    assert "suspect" not in rows.set_index("marker").loc["", "sentence"]
