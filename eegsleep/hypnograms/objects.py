"""Hypnograms in memory: what other libraries hold becomes our table of stages, and the table becomes theirs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy as np
import pandas as pd

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import read_labels
from eegsleep.hypnograms.scoring import Scoring, align_scoring
from eegsleep.hypnograms.table import make_stages
from eegsleep.signals.epochs import EPOCH_S, STAGES
from eegsleep.tables import HYPNOGRAM, check_table

if TYPE_CHECKING:
    from datetime import datetime
    from types import ModuleType

    import mne
    import yasa

    YasaHypnogram: TypeAlias = yasa.Hypnogram
    # what `as_stages` takes
    Hypnogram: TypeAlias = (
        pd.DataFrame | pd.Series | Scoring | Sequence[str] | Sequence[int] | np.ndarray | yasa.Hypnogram
    )

_ALLOWED = (
    "table HYPNOGRAM, one stage a 30 s epoch as list, array or pandas Series, a yasa.Hypnogram, or what "
    "read_hypnogram returns"
)


def as_stages(hypnogram: Hypnogram, coding: str | None = None) -> pd.DataFrame:
    """Return a hypnogram of any kind as table `HYPNOGRAM`.

    Parameters
    ----------
    hypnogram : DataFrame, Series, sequence, array, yasa.Hypnogram or Scoring
        Table `HYPNOGRAM`, or a table whose only column is `stage`; or one stage a 30 s epoch, by AASM name (W, N1, N2,
        N3, R, UNS; the spellings of other programs are known, too) or as an integer of `coding`; or a
        `yasa.Hypnogram`, or what `read_hypnogram` read. These two may have epochs of another length: each epoch of
        30 s then has the stage that fills most of it.
    coding : str, optional
        What integers mean, a name in `CODINGS`. It is never guessed: the same integer is deep sleep in one laboratory
        and REM in another.

    Returns
    -------
    pandas.DataFrame
        Table `HYPNOGRAM`: epoch, onset_s, stage, probabilities (NaN where the hypnogram has none), confidence, usable
        and agreement.

    Raises
    ------
    TableError
        If it is no hypnogram, a stage is not known, integers come without a coding, or an epoch is missing.

    Examples
    --------
    >>> es.as_stages(["W", "N1", "N2", "N2"])["stage"].tolist()
    ['W', 'N1', 'N2', 'N2']
    >>> es.as_stages([0, 1, 2, 5], coding="rk")["stage"].tolist()
    ['W', 'N1', 'N2', 'R']
    """
    if is_yasa(hypnogram):
        hypnogram = as_scoring(hypnogram)
    if isinstance(hypnogram, Scoring):
        first_s = float(hypnogram.onsets_s.min(initial=0.0))
        if first_s < 0:
            raise TableError(
                "the hypnogram begins before its own start", found=f"an onset of {first_s:g} s", allowed="0 s and later"
            )
        end_s = float((hypnogram.onsets_s + hypnogram.durations_s).max(initial=0.0))
        return align_scoring(hypnogram, hypnogram.start, max(1, int(end_s // EPOCH_S)))[0]
    if isinstance(hypnogram, pd.DataFrame) and list(hypnogram.columns) != ["stage"]:
        return _check_sequence(check_table(hypnogram, HYPNOGRAM))
    labels = _list_labels(hypnogram["stage"] if isinstance(hypnogram, pd.DataFrame) else hypnogram)
    try:
        meanings = read_labels(labels, coding)
    except TableError as error:
        remedy = error.remedy.replace("--coding NAME", 'coding="NAME"')
        raise TableError(error.problem, found=error.found, allowed=error.allowed, remedy=remedy) from error
    names = np.array([meanings[label] for label in labels], dtype=object)
    return make_stages(names, None, np.ones(len(names), dtype=bool))


def is_yasa(hypnogram: object) -> TypeGuard[yasa.Hypnogram]:
    """Return whether this is a `yasa.Hypnogram`; YASA, which is slow to import, is not imported for the answer."""
    yasa = sys.modules.get("yasa")
    return yasa is not None and isinstance(hypnogram, yasa.Hypnogram)


def as_scoring(hypnogram: yasa.Hypnogram) -> Scoring:
    """Return a `yasa.Hypnogram` as a scoring, with its start and the length of its epochs.

    Parameters
    ----------
    hypnogram : yasa.Hypnogram
        With five stages.

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If it has fewer than five stages (light and deep sleep are no AASM stages) or no epoch.
    """
    labels = _list_labels(hypnogram.hypno)
    meanings = read_labels(labels)
    epoch_s = 1 / float(hypnogram.sampling_frequency)
    return Scoring(
        "yasa.Hypnogram",
        tuple(meanings[label] for label in labels),
        epoch_s * np.arange(len(labels)),
        np.full(len(labels), epoch_s),
        start=hypnogram.start.to_pydatetime().replace(tzinfo=None) if hypnogram.start is not None else None,
        relative=hypnogram.start is None,
        timed=hypnogram.start is not None,
    )


def to_yasa_hypnogram(
    hypnogram: Hypnogram, *, start: datetime | None = None, coding: str | None = None
) -> yasa.Hypnogram:
    """Return a hypnogram of any kind as `yasa.Hypnogram`.

    Parameters
    ----------
    hypnogram, coding
        As for `as_stages`.
    start : datetime, optional
        Naive local time of the first epoch.

    Returns
    -------
    yasa.Hypnogram
        In epochs of 30 s, with the scorer `eegsleep`.

    Raises
    ------
    TableError
        As for `as_stages`.

    Examples
    --------
    >>> es.to_yasa_hypnogram(["W", "N1", "N2", "R"]).hypno.tolist()
    ['WAKE', 'N1', 'N2', 'REM']
    """
    names = as_stages(hypnogram, coding)["stage"].to_list()
    return load_yasa().Hypnogram(names, freq=f"{EPOCH_S:g}s", start=start, scorer="eegsleep")


def load_yasa() -> ModuleType:
    """Import and return YASA, without the warning of its progress bar, which is red in every notebook."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import yasa
    return yasa


def to_annotations(hypnogram: Hypnogram, *, coding: str | None = None) -> mne.Annotations:
    """Return a hypnogram of any kind as `mne.Annotations`, in the texts of EDF+ (`Sleep stage W`).

    Parameters
    ----------
    hypnogram, coding
        As for `as_stages`.

    Returns
    -------
    mne.Annotations
        One of 30 s for each epoch, in seconds from the first sample; `raw.set_annotations` takes them.

    Raises
    ------
    TableError
        As for `as_stages`.

    Examples
    --------
    >>> es.to_annotations(["W", "N1"]).description.tolist()
    ['Sleep stage W', 'Sleep stage N1']
    """
    import mne

    stages = as_stages(hypnogram, coding)
    texts = [f"Sleep stage {'?' if stage == 'UNS' else stage}" for stage in stages["stage"]]
    return mne.Annotations(stages["onset_s"].to_numpy(), EPOCH_S, texts)


def _list_labels(hypnogram: object) -> list[str]:
    """Return one text an epoch; raise if this is no sequence of stages."""
    if isinstance(hypnogram, np.ndarray) and hypnogram.ndim != 1:
        raise TableError(
            "the hypnogram has not one stage an epoch", found=f"an array of shape {hypnogram.shape}", allowed=_ALLOWED
        )
    if isinstance(hypnogram, str | bytes) or not isinstance(hypnogram, Sequence | np.ndarray | pd.Series):
        raise TableError(
            "this is no hypnogram",
            found=f"an object of type {type(hypnogram).__name__}",
            allowed=_ALLOWED,
            remedy="read a file with read_hypnogram" if isinstance(hypnogram, str) else "",
        )
    labels = [str(label) for label in hypnogram]
    if not labels:
        raise TableError("the hypnogram has no epoch", allowed=_ALLOWED)
    return labels


def _check_sequence(stages: pd.DataFrame) -> pd.DataFrame:
    """Return table `HYPNOGRAM` unchanged; raise if a stage is not known or the epochs do not follow each other."""
    unknown = sorted(set(stages["stage"]) - set(STAGES))
    if unknown:
        raise TableError("the hypnogram holds unknown stages", found=str(unknown), allowed=", ".join(STAGES))
    if (np.diff(stages["epoch"].to_numpy()) != 1).any():
        raise TableError(
            "the hypnogram's epochs do not follow one another",
            remedy="give every 30 s epoch a row in order, UNS where it was not scored",
        )
    return stages
