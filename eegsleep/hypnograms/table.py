"""Hypnograms as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eegsleep.errors import TableError
from eegsleep.signals.epochs import EPOCH_S, STAGES
from eegsleep.tables import HYPNOGRAM, check_table

PROBABILITY_COLUMNS = ["p_wake", "p_n1", "p_n2", "p_n3", "p_rem"]
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
        Share of the derivations that agree with the stage; NaN if it was not measured.

    Returns
    -------
    pandas.DataFrame
        Table `HYPNOGRAM`, with `n_epochs` rows.

    Raises
    ------
    TableError
        If a stage is not known.

    Examples
    --------
    >>> import numpy as np
    >>> stages = es.make_stages(np.array(["W", "N2"]), None, np.array([True, True]))
    >>> stages["onset_s"].tolist()
    [0.0, 30.0]
    """
    n_epochs = len(stages)
    frame = pd.DataFrame({"epoch": np.arange(n_epochs), "onset_s": EPOCH_S * np.arange(n_epochs)})
    names = np.array([_SPELLINGS.get(stage, stage) for stage in stages], dtype=object)
    unknown = sorted(set(names) - set(STAGES))
    if unknown:
        raise TableError("a stage is not known", found=", ".join(unknown), allowed=", ".join(STAGES))
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
