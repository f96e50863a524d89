"""Hypnograms as tables, and the stage of a sample or of a moment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eegsleep.errors import TableError
from eegsleep.recording.read import ANALYSIS_RATE_HZ
from eegsleep.tables import HYPNOGRAM, check_table

STAGES = ("W", "N1", "N2", "N3", "R", "UNS")
PROBABILITY_COLUMNS = ["p_wake", "p_n1", "p_n2", "p_n3", "p_rem"]
EPOCH_S = 30.0
# YASA's own integers; UNS is neither wake nor sleep.
_YASA_INTEGERS = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4, "UNS": -2}
_SPELLINGS = {"WAKE": "W", "REM": "R", "ART": "UNS", "?": "UNS"}


def make_stages(
    stages: np.ndarray, probabilities: pd.DataFrame | None, usable: np.ndarray, agreement: np.ndarray | float = np.nan
) -> pd.DataFrame:
    """Return table `HYPNOGRAM` from one stage an epoch; epochs that are not usable become UNS.

    Parameters
    ----------
    stages : array of str, shape (n_epochs,)
        AASM or YASA names.
    probabilities : pandas.DataFrame or None
        Columns p_wake, p_n1, p_n2, p_n3, p_rem; None for stages that were given, not scored.
    usable : array of bool, shape (n_epochs,)
    agreement : array of float, shape (n_epochs,), optional
        How far the derivations agree.
    """
    n_epochs = len(stages)
    frame = pd.DataFrame({"epoch": np.arange(n_epochs), "onset_s": EPOCH_S * np.arange(n_epochs)})
    names = np.array([_SPELLINGS.get(stage, stage) for stage in stages], dtype=object)
    unknown = sorted(set(names) - set(STAGES))
    if unknown:
        raise TableError("a stage is not one of ours", found=", ".join(unknown), allowed=", ".join(STAGES))
    frame["stage"] = names if probabilities is None else np.where(usable, names, "UNS")
    if probabilities is None:
        frame[PROBABILITY_COLUMNS] = np.nan
    else:
        frame[PROBABILITY_COLUMNS] = probabilities.to_numpy()
        frame.loc[~usable, PROBABILITY_COLUMNS] = np.nan
    frame["confidence"] = frame[PROBABILITY_COLUMNS].max(axis=1)
    frame["usable"] = usable
    frame["agreement"] = agreement
    return check_table(frame, HYPNOGRAM)


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
