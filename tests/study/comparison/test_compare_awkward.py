"""Studies of every design with the most awkward values: numbers that fit together, or none and a reason."""

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study

from eegsleep.study.comparison.compare import compare_nights

DESIGNS = {
    "pairs": {"n_nights": 20},
    "max-run": {"n_nights": 13},
    "complete": {"n_nights": 9},
    "phases": {"n_nights": 22, "mechanism": {"n_phases": 3, "min_phase": 4, "random_start": False}},
    "observational": {"n_nights": 10},
    "crossover": {"n_nights": 2, "subjects": tuple("abcdefg"), "mechanism": {"nights_per_period": 2}},
    "parallel": {"n_nights": 3, "subjects": tuple("abcdefgh")},
    "pairs of many": {"n_nights": 4, "subjects": tuple("abcd")},
}
MARKERS = ("tst_min", "sol_min", "rem_min", "n3_min", "coupling_phase_rad")


def _awkward(n, rng):
    """Return nights of one awkward kind: ties, constants, gaps, far from 0, one outlier, hardly a value."""
    kinds = (
        lambda: rng.standard_normal(n),
        lambda: rng.integers(0, 3, n).astype(float),
        lambda: np.full(n, 0.1),
        lambda: np.full(n, np.nan),
        lambda: 1e6 + 1e-3 * rng.standard_normal(n),
        lambda: np.exp(2 * rng.standard_normal(n)),
        lambda: np.where(np.arange(n) == 0, 1.0, np.nan),
        lambda: np.where(rng.random(n) < 0.6, np.nan, rng.standard_normal(n)),
        lambda: np.arange(n, dtype=float),
        lambda: (np.arange(n) == 3) * 1e12,
        lambda: 1e-12 * rng.standard_normal(n),
        lambda: np.where(rng.random(n) < 0.3, np.inf, rng.standard_normal(n)),
    )
    return kinds[rng.integers(len(kinds))]()


def _values(study, rng):
    nights = study.nights["night"]
    parts = []
    for marker in MARKERS:
        value = _awkward(len(nights), rng)
        if marker.endswith("rad"):
            value = np.angle(np.exp(1j * np.where(np.abs(value) < 1e9, value, np.nan)))
        parts.append(
            pd.DataFrame(
                {
                    "night": nights,
                    "marker": marker,
                    "stage": "",
                    "channel": "",
                    "value": value,
                    "unit": "rad" if marker.endswith("rad") else "min",
                }
            )
        )
    return pd.concat(parts)


@pytest.mark.nightly
@pytest.mark.parametrize("design", DESIGNS)
def test_whatever_the_values_the_numbers_fit_together(design):
    rng = np.random.default_rng(list(DESIGNS).index(design))
    for trial in range(6):
        study = make_study(
            design.split()[0],
            seed=trial,
            **DESIGNS[design],
            primary=("tst_min||", "rem_min||"),
            active=(None, "A", "B")[trial % 3],
        )
        if trial > 3:
            study.nights["excluded"] = rng.random(len(study.nights)) < 0.4
        for row in compare_nights(study, _values(study, rng), n_draws=199).markers.itertuples():
            if not np.isfinite(row.difference):
                assert row.reason, row
            if np.isfinite(row.p):
                assert 0 < row.p <= 1, row
                assert not row.p_adjusted < row.p - 1e-12, row
            if np.isfinite(row.low):
                assert row.low - 1e-9 * abs(row.low) <= row.difference <= row.high + 1e-9 * abs(row.high), row
            if np.isfinite(row.low) and np.isfinite(row.low_90):
                assert row.low - 1e-9 * abs(row.low) <= row.low_90 <= row.high_90 <= row.high + 1e-9 * abs(row.high)
            if row.method == "re-randomisation" and np.isfinite(row.low) and row.unit != "rad":
                assert (row.p > 0.05) <= (row.low <= 0 <= row.high), row
            if row.n_control + row.n_compound < 8:
                assert row.verdict == "inconclusive", row
