"""Epochs of 30 s and the analysis rate: what all stages of the work count in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SCORED_STAGES = ("W", "N1", "N2", "N3", "R")
STAGES = (*SCORED_STAGES, "UNS")
EPOCH_S = 30.0
# YASA's own integers; UNS is neither wake nor sleep.
_YASA_INTEGERS = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4, "UNS": -2}

# Staging, events and spectra all work at this rate, as YASA's classifiers do (doi:10.7554/eLife.70092).
ANALYSIS_RATE_HZ = 100.0


def sample_stages(stages: pd.DataFrame, usable: np.ndarray, n_samples: int) -> np.ndarray:
    """Return one of YASA's stage integers for each sample at the analysis rate, shape (n_samples,).

    Epochs that are not usable, and the seconds after the last whole epoch, are −2 (unscored), so that
    no detector looks there.
    """
    integers = stages["stage"].map(_YASA_INTEGERS).to_numpy(dtype=int)
    integers = np.where(usable, integers, _YASA_INTEGERS["UNS"])
    samples = np.repeat(integers, int(EPOCH_S * ANALYSIS_RATE_HZ))
    return np.pad(samples, (0, max(0, n_samples - samples.size)), constant_values=-2)[:n_samples]


def stage_at(stages: pd.DataFrame, times_s: np.ndarray) -> np.ndarray:
    """Return the stage in which each of `times_s` lies, UNS beyond the last epoch."""
    names = np.append(stages["stage"].to_numpy(dtype=object), "UNS")
    return names[np.clip(np.floor(np.asarray(times_s) / EPOCH_S).astype(int), 0, len(names) - 1)]


def find_runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the one-past-last index of each stretch where `mask`, shape (n,), holds."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
