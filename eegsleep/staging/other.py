"""A second stager beside YASA: any table of probabilities, any installed stager, or YASA's own four classifiers.

Stages are scored by YASA; a second opinion is kept beside them, with the consensus of both, and every sleep statistic
is measured by it as well. A difference that only one stager finds is less sure than one that both find. Both see the
same signals, so that they do not err independently: larger slow waves are N3 to each of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from importlib.metadata import entry_points
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError, TableError, describe_error
from eegsleep.hypnograms.table import PROBABILITY_COLUMNS
from eegsleep.plain_files import check_plain
from eegsleep.provenance import hash_bytes
from eegsleep.recording.limits import MAX_DURATION_S
from eegsleep.signals.epochs import EPOCH_S, SCORED_STAGES
from eegsleep.staging.lights import Lights, keep_night
from eegsleep.tables import OTHER_STAGER, check_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eegsleep.recording.recording import Recording
    from eegsleep.staging.features import MeasuredChannels

STAGERS = "eegsleep.stagers"  # the entry point group
ENSEMBLE = "yasa-ensemble"
# Names of the five columns in the tables of common stagers, in small letters.
_NAMES = {
    "p_wake": {"p_wake", "w", "wake", "p_w"},
    "p_n1": {"p_n1", "n1"},
    "p_n2": {"p_n2", "n2"},
    "p_n3": {"p_n3", "n3"},
    "p_rem": {"p_rem", "r", "rem", "p_r"},
}
_SUM_TOLERANCE = 0.02
# Checked before memory is asked for.
_MAX_BYTES, _MAX_COLUMNS, _MAX_EPOCHS = 50_000_000, 1000, int(MAX_DURATION_S / EPOCH_S)


@dataclass(frozen=True)
class Hypnodensity:
    """The probabilities of the five stages by another stager.

    Attributes
    ----------
    name : str
        Of the stager.
    probabilities : numpy.ndarray, shape (n_epochs, 5)
        Of W, N1, N2, N3 and R in 30 s epochs from the first sample; NaN where it gave none.
    sha256 : str
        Hash of the file; empty if it was not read from one.
    """

    name: str
    probabilities: np.ndarray
    sha256: str = ""


def read_hypnodensity(path: str | Path, name: str) -> Hypnodensity:
    r"""Read a table of probabilities: a column `epoch`, and one for each of the five stages.

    Parameters
    ----------
    path : path
        CSV or TSV. Epochs of 30 s are counted from 0 at the first sample. The probabilities are in columns W, N1, N2,
        N3 and R, or WAKE and REM, or p_wake, p_n1, p_n2, p_n3 and p_rem; other columns are not read.
    name : str
        Name of the stager.

    Returns
    -------
    Hypnodensity

    Raises
    ------
    TableError
        If the file cannot be read, is too large, or is not such a table.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("other.csv").write_text("epoch,W,N1,N2,N3,R\n0,0.7,0.1,0.1,0.05,0.05\n")
    >>> es.read_hypnodensity("other.csv", "another stager").name
    'another stager'
    """
    path = Path(path)
    try:
        if check_plain(path).stat().st_size > _MAX_BYTES:
            raise TableError(f"{path.name} is too large for a table of probabilities", allowed=f"{_MAX_BYTES:,} bytes")
        content = path.read_bytes()
        frame = pd.read_csv(BytesIO(content), sep=_find_separator(content), comment="#", encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise TableError(
            f"{path.name} cannot be read as a table of probabilities",
            found=describe_error(error),
            remedy="check the path",
        ) from error
    return Hypnodensity(name, check_hypnodensity(frame, path.name), hash_bytes(content))


def _find_separator(content: bytes) -> str:
    """Return what is between the names of the columns: comma, semicolon or tab."""
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    names = next((line for line in lines if line.strip() and not line.startswith(b"#")), b"")
    separator = max((b",", b";", b"\t"), key=names.count)
    if names.count(separator) > _MAX_COLUMNS:
        raise TableError(
            "the table of probabilities has too many columns",
            found=f"{names.count(separator) + 1:,}",
            allowed=f"{_MAX_COLUMNS}",
        )
    return separator.decode()


def check_hypnodensity(frame: pd.DataFrame, source: str) -> np.ndarray:
    """Return the probabilities of a table, after checking that they are some.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns as in `read_hypnodensity`.
    source : str
        Where it comes from, for an error.

    Returns
    -------
    numpy.ndarray, shape (n_epochs, 5)
        NaN in epochs that have no row.

    Raises
    ------
    TableError
        If a column is missing or stands twice, an epoch is no whole number, below 0, beyond any night or listed twice,
        or a row does not sum to 1.
    """
    small = {str(name): str(name).strip().lower() for name in frame.columns}
    columns = {}
    for wanted, spellings in {"epoch": {"epoch"}, **_NAMES}.items():
        found = [name for name, spelt in small.items() if spelt in spellings]
        if len(found) != 1:
            raise TableError(
                f"{source} is not a table of probabilities",
                found=f"{'no column' if not found else 'columns ' + ', '.join(found)} for {wanted}",
                allowed="one column epoch, counted from 0, and one each for W, N1, N2, N3 and R",
            )
        columns[wanted] = found[0]
    try:
        epoch = frame[columns["epoch"]].to_numpy(dtype=float)
        values = frame[[columns[name] for name in PROBABILITY_COLUMNS]].to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        raise TableError(f"{source} holds something that is not a number", found=describe_error(error)) from error
    if not epoch.size or (epoch != np.round(epoch)).any() or (epoch < 0).any() or len(set(epoch)) < epoch.size:
        raise TableError(f"{source} does not count epochs", allowed="whole numbers from 0, each once")
    if epoch.max() >= _MAX_EPOCHS:
        raise TableError(
            f"{source} has epochs beyond any night", found=f"epoch {epoch.max():g}", allowed=f"0 to {_MAX_EPOCHS - 1}"
        )
    given = ~np.isnan(values).all(axis=1)
    if not np.isfinite(values[given]).all():
        raise TableError(
            f"{source} has epochs with fewer than five probabilities, or infinite ones",
            found=f"epoch {int(epoch[given & ~np.isfinite(values).all(axis=1)][0])}",
            allowed="five probabilities, or an empty cell for each of the five",
        )
    wrong = given & ((values < -_SUM_TOLERANCE).any(axis=1) | (np.abs(values.sum(axis=1) - 1) > _SUM_TOLERANCE))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise TableError(
            f"the probabilities of an epoch in {source} do not sum to 1",
            found=f"{values[first].sum():.3g} in epoch {int(epoch[first])}",
            remedy="give five probabilities between 0 and 1",
        )
    probabilities = np.full((int(epoch.max()) + 1, len(SCORED_STAGES)), np.nan)
    probabilities[epoch[given].astype(int)] = values[given]
    return probabilities


def ask_stager(name: str, recording: Recording, quality: pd.DataFrame) -> Hypnodensity:
    """Ask an installed stager, one that another package offers under the entry point group `eegsleep.stagers`.

    Parameters
    ----------
    name : str
    recording : Recording
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.

    Returns
    -------
    Hypnodensity
        The stager is called with recording and quality, and returns a table as `read_hypnodensity` reads it.

    Raises
    ------
    SettingsError
        If no installed package offers a stager of that name.
    TableError
        If what it returns is not such a table.
    """
    found = {point.name: point for point in entry_points(group=STAGERS)}
    if name not in found:
        raise SettingsError(
            f"no installed package offers a stager {name!r}",
            allowed=", ".join([ENSEMBLE, *sorted(found)]),
            remedy="install it, or give its probabilities with --stages-by",
        )
    stager: Callable[[Recording, pd.DataFrame], pd.DataFrame] = found[name].load()
    return Hypnodensity(name, check_hypnodensity(stager(recording, quality), f"the stager {name}"))


def list_ensemble(measured: MeasuredChannels) -> list[MeasuredChannels]:
    """Return the channels of a night in every combination that YASA has a classifier for: EEG with or without others.

    Parameters
    ----------
    measured : MeasuredChannels

    Returns
    -------
    list of MeasuredChannels
        EEG alone, with EOG, with EMG and with both, as far as the night has them.
    """
    others = [label for label, role in measured.roles.items() if role != "eeg"]
    combinations = itertools.chain.from_iterable(itertools.combinations(others, n) for n in range(len(others) + 1))
    return [
        measured._replace(
            roles={label: role for label, role in measured.roles.items() if role == "eeg" or label in chosen}
        )
        for chosen in combinations
    ]


def set_beside(other: Hypnodensity, own: np.ndarray | None, lights: Lights, n_epochs: int) -> pd.DataFrame:
    """Return the stages by another stager, and by the mean of its probabilities and ours.

    Parameters
    ----------
    other : Hypnodensity
    own : numpy.ndarray, shape (n_epochs, 5), or None
        Our probabilities; None for stages that were given.
    lights : Lights
        Epochs outside are unscored.
    n_epochs : int
        Of the recording.

    Returns
    -------
    pandas.DataFrame
        Table `OTHER_STAGER`.

    Raises
    ------
    TableError
        If the other stager has epochs that the recording has not.
    """
    if len(other.probabilities) > n_epochs:
        raise TableError(
            f"the stages by {other.name} are not those of this recording",
            found=f"epoch {len(other.probabilities) - 1}",
            allowed=f"0 to {n_epochs - 1}",
            remedy="count 30 s epochs from 0 at the first sample",
        )
    theirs = np.full((n_epochs, len(SCORED_STAGES)), np.nan)
    theirs[: len(other.probabilities)] = other.probabilities
    consensus = np.full(theirs.shape, np.nan) if own is None else (theirs + own) / 2
    table = pd.DataFrame({"epoch": np.arange(n_epochs), "onset_s": EPOCH_S * np.arange(n_epochs)})
    table[PROBABILITY_COLUMNS] = theirs
    for column, probabilities in (("stage", theirs), ("consensus", consensus)):
        kept = keep_night(table[["onset_s"]].assign(stage=_name_stages(probabilities)), lights)
        table[column] = kept["stage"].to_numpy()
    return check_table(table, OTHER_STAGER)


def _name_stages(probabilities: np.ndarray) -> np.ndarray:
    known = np.isfinite(probabilities).all(axis=1)
    names = np.array(SCORED_STAGES, dtype=object)[np.nan_to_num(probabilities).argmax(axis=1)]
    return np.where(known, names, "UNS")


def describe_other(hypnodensity: Hypnodensity | None) -> Mapping[str, str]:
    """Return what provenance keeps of the other stager."""
    return {} if hypnodensity is None else {"name": hypnodensity.name, "sha256": hypnodensity.sha256}
