"""Events that were judged by hand on the page of a night (`events-edited.csv`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import TableError
from eegsleep.provenance import hash_bytes
from eegsleep.tables import EVENTS_EDITED, read_table

if TYPE_CHECKING:
    import pandas as pd

KINDS = {"spindle": ("fast spindle", "slow spindle"), "slow oscillation": ("slow oscillation", "K-complex")}
_VERDICTS = {"rejected", "added"}


@dataclass(frozen=True)
class EventEdits:
    """What was said by hand of the events of one recording.

    Attributes
    ----------
    rejected : pandas.DataFrame
        Rows of table `EVENTS_EDITED` of events that are not to be counted.
    arousals : pandas.DataFrame
        Rows of arousals that were marked.
    input_sha256 : str
        Hash of the recording they belong to.
    sha256 : str
        Hash of the file.
    content : bytes
        The file itself, which is kept with the night.
    """

    rejected: pd.DataFrame
    arousals: pd.DataFrame
    input_sha256: str
    sha256: str
    content: bytes


def read_event_edits(path: str | Path) -> EventEdits:
    """Read events that were rejected by hand, and arousals that were marked.

    Parameters
    ----------
    path : path
        `events-edited.csv`, as the page of a night saves it.

    Returns
    -------
    EventEdits

    Raises
    ------
    TableError
        If the file is not such a table, or not of one recording.

    Examples
    --------
    >>> edits = es.read_event_edits("events-edited.csv")
    >>> len(edits.rejected), len(edits.arousals)
    (1, 0)
    """
    path = Path(path)
    table = read_table(path, EVENTS_EDITED)
    known = {kind for kinds in KINDS.values() for kind in kinds} | {"arousal"}
    for column, allowed in (("kind", known), ("verdict", _VERDICTS)):
        unknown = sorted(set(table[column]) - allowed)
        if unknown:
            raise TableError(
                f"{path.name} has a {column} that is not known",
                found=", ".join(unknown[:5]),
                allowed=", ".join(sorted(allowed)),
            )
    hashes = set(table["input_sha256"])
    if len(hashes) != 1 or not np.isfinite(table[["onset_s", "duration_s", "peak_s"]].to_numpy()).all():
        raise TableError(
            f"{path.name} does not say where its events lie",
            found="no event" if table.empty else f"{len(hashes)} recordings, or a time that is missing",
            allowed="events of one recording, each with its times",
        )
    content = path.read_bytes()
    arousals = table["kind"] == "arousal"
    return EventEdits(table[~arousals], table[arousals], hashes.pop(), hash_bytes(content), content)


def drop_rejected(events: pd.DataFrame, edits: EventEdits | None, kind: str) -> pd.DataFrame:
    """Return a table of events without those that were rejected.

    Parameters
    ----------
    events : pandas.DataFrame
        Table `SPINDLES` or `SLOW_OSCILLATIONS`.
    edits : EventEdits, optional
    kind : {'spindle', 'slow oscillation'}

    Notes
    -----
    An event is the rejected one if it is of the same channel and its peak lies within the other. Its class may have
    changed, since classes and limits follow the night as a whole.
    """
    if edits is None or events.empty:
        return events
    return events[~_is_rejected(events, edits, kind)].reset_index(drop=True)


def count_not_found(candidates: dict[str, pd.DataFrame], edits: EventEdits) -> int:
    """Return how many rejected events are not among the candidates of the night, by kind as in `KINDS`."""
    n_found = 0
    for kind, frame in candidates.items():
        for row in edits.rejected[edits.rejected["kind"].isin(KINDS[kind])].itertuples():
            peaks_s = frame.loc[frame["channel"] == row.channel, _peak(kind)].to_numpy()
            n_found += bool(((peaks_s >= row.onset_s) & (peaks_s <= row.onset_s + row.duration_s)).any())
    return len(edits.rejected) - n_found


def _is_rejected(events: pd.DataFrame, edits: EventEdits, kind: str) -> np.ndarray:
    channels, peaks_s = events["channel"].to_numpy(object), events[_peak(kind)].to_numpy()
    found = np.zeros(len(events), dtype=bool)
    for row in edits.rejected[edits.rejected["kind"].isin(KINDS[kind])].itertuples():
        found |= (channels == row.channel) & (peaks_s >= row.onset_s) & (peaks_s <= row.onset_s + row.duration_s)
    return found


def _peak(kind: str) -> str:
    return "peak_s" if kind == "spindle" else "neg_peak_s"
