"""A person's own usual range: from at least five other nights of the same kind, and from nobody else's."""

import numpy as np
import pandas as pd

from eegsleep.report.usual import find_usual, render_usual


def _nights(n, **changes):
    frame = pd.DataFrame(
        {
            "night": [f"n{i}" for i in range(n)],
            "subject": "ada",
            "device": "muse",
            "verdict": "usable",
            "reason": "",
            "tst_min||": 400.0 + 10 * np.arange(n),
            "fast_spindle_density_per_min|NREM|C4-M1": 2.0,
            "kappa||": 1.0,
        }
    )
    for (row, column), value in changes.get("cells", {}).items():
        frame.loc[row, column] = value
    return frame


def test_the_range_is_that_of_the_other_nights():
    usual = find_usual(_nights(6))
    assert usual["n0"]["tst_min||"] == [410, 450, 5]
    assert usual["n5"]["tst_min||"] == [400, 440, 5]
    assert usual["n3"]["fast_spindle_density_per_min|NREM|C4-M1"] == [2, 2, 5]
    assert "kappa||" not in usual["n0"]


def test_five_nights_are_too_few_for_each_other():
    assert find_usual(_nights(5)) == {}


def test_strangers_rejected_nights_other_devices_and_missing_values_do_not_count():
    for cell in ((5, "subject"), "bob"), ((5, "subject"), ""), ((5, "device"), "edf"), ((5, "verdict"), "reject"):
        assert find_usual(_nights(6, cells=dict([cell]))) == {}
    missing = find_usual(_nights(6, cells={(5, "tst_min||"): np.nan}))
    assert "tst_min||" not in missing["n0"]
    assert missing["n5"]["tst_min||"] == [400, 440, 5]


def test_the_script_is_data_alone():
    text = render_usual(_nights(6, cells={(0, "night"): "</script><b>"})).decode()
    assert text.startswith("(window.eegsleep = window.eegsleep || {}).usual = {")
    assert "<" not in text


def test_the_range_of_the_others_is_that_of_comparing_every_pair():
    draw = np.random.default_rng(1)
    values = draw.integers(0, 9, 40).astype(float)  # with ties at both ends
    values[draw.choice(40, 5, replace=False)] = np.nan
    nights = pd.DataFrame(
        {"night": [f"n{i}" for i in range(40)], "subject": "s", "device": "d", "reason": "", "verdict": "usable"}
        | {"tst_min||": values}
    )
    found = find_usual(nights)
    for i in range(40):
        others = np.delete(values, i)
        others = others[np.isfinite(others)]
        assert found[f"n{i}"]["tst_min||"] == [others.min(), others.max(), others.size]
