"""How long the comparison of 60 nights and 80 markers takes with 9,999 redraws, by mechanism.

    python tests/benchmarks/comparison_speed.py

One marker in two has missing nights of its own. Prints seconds of `compare_nights`, everything included.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_studies import make_study, make_values

from eegsleep.study.comparison.compare import compare_nights


def main() -> None:
    rng = np.random.default_rng(0)
    for kind, mechanism in (
        ("pairs", {}),
        ("max-run", {"max_run": 3}),
        ("complete", {}),
        ("phases", {"n_phases": 4, "min_phase": 5, "random_start": True}),
    ):
        study = make_study(kind, 60, mechanism=mechanism)
        parts = [
            make_values(study, marker=f"m{i}", unit="/min" if i % 2 else "min", mean=10, seed=i) for i in range(80)
        ]
        values = pd.concat(parts, ignore_index=True)
        values.loc[(rng.random(len(values)) < 0.03) & (values["unit"] == "min"), "value"] = np.nan
        start = time.perf_counter()
        comparison = compare_nights(study, values, n_draws=9_999)
        print(f"{kind:9} {time.perf_counter() - start:.2f} s, {comparison.n_schedules} schedules")


if __name__ == "__main__":
    main()
