"""The nights of a study one by one: whether each enters, what was judged of its signals, and its stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eegsleep.file_names import REPORT_FILE
from eegsleep.provenance import hash_file
from eegsleep.tables import HYPNOGRAM, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from eegsleep.study.declared.protocol import Study

STAGES = ("W", "R", "N1", "N2", "N3")
_BIN = 10  # epochs of 30 s: shares of stages over five minutes
_FEWEST = 0.5  # share of the nights of a condition that must last that long


class NightSeen(NamedTuple):
    """One night of a study as its page lists it.

    Attributes
    ----------
    night, subject, date, condition, harm : str
        As in nights.csv.
    enters : bool
        Whether it is compared.
    why : str
        Why it is not; empty if it is.
    verdict : str
        What was judged of its signals; empty if it was not scored.
    stages : tuple of str
        One for each epoch of 30 s.
    report : Path or None
        Its page, if there is one.
    """

    night: str
    subject: str
    date: str
    condition: str
    harm: str
    enters: bool
    why: str
    verdict: str = ""
    stages: tuple[str, ...] = ()
    report: Path | None = None


def list_nights(
    study: Study, folder: str | Path, provenances: Mapping[str, Mapping[str, Any]]
) -> tuple[NightSeen, ...]:
    """Return every night of a study, by sleeper and date.

    Parameters
    ----------
    study : Study
    folder : path
        Where the night folders are.
    provenances : mapping of str to mapping
        provenance.json by night, of excluded nights too where they were scored.

    Returns
    -------
    tuple of NightSeen
        A night whose hypnogram is not the file that was written has no stages.
    """
    seen = []
    ordered = study.nights.assign(usable=study.usable).sort_values(["subject", "date"], kind="stable")
    for row in ordered.to_dict("records"):
        home, made = Path(folder) / row["night"], provenances.get(row["night"])
        fixed = NightSeen(
            row["night"],
            row["subject"],
            row["date"],
            row["condition"],
            str(row.get("harm", "")),
            bool(row["usable"]),
            _why_left_out(row),
        )
        if made:
            report = home / REPORT_FILE
            fixed = fixed._replace(
                verdict=(made.get("quality") or {}).get("verdict", ""),
                stages=_read_stages(home, made),
                report=report if report.is_file() else None,
            )
        seen.append(fixed)
    return tuple(seen)


def _why_left_out(row: Mapping[Any, Any]) -> str:
    if row["usable"]:
        return ""
    if row["excluded"]:
        return row["exclusion_reason"] or "excluded"
    if row["adaptation"] or not row["condition"]:
        return "to get used to the recording"
    return "not recorded"


def _read_stages(home: Path, made: Mapping[str, Any]) -> tuple[str, ...]:
    path = home / f"{HYPNOGRAM.name}.csv"
    if not path.is_file() or hash_file(path) != (made.get("outputs") or {}).get(path.name):
        return ()
    return tuple(read_table(path, HYPNOGRAM)["stage"].astype("str"))


def share_stages(nights: Sequence[NightSeen]) -> NDArray[np.float64]:
    """Return how many of some nights were in each stage, over the time since their first epoch.

    Parameters
    ----------
    nights : sequence of NightSeen

    Returns
    -------
    ndarray, shape (n_bins, 5)
        For every five minutes the shares of `STAGES` among the epochs that have one. It ends where fewer than half of
        the nights go on; no row where no night has stages.
    """
    scored = [_without_ends(night.stages) for night in nights if any(stage in STAGES for stage in night.stages)]
    if not scored:
        return np.empty((0, len(STAGES)))
    lengths = np.array([len(stages) for stages in scored])
    n_bins = int(np.quantile(lengths, 1 - _FEWEST, method="lower")) // _BIN
    shares = np.zeros((n_bins, len(STAGES)))
    for i in range(n_bins):
        epochs = [stage for stages in scored for stage in stages[i * _BIN : (i + 1) * _BIN]]
        counts = np.array([epochs.count(stage) for stage in STAGES], dtype=float)
        shares[i] = counts / counts.sum() if counts.sum() else 0.0
    return shares


def _without_ends(stages: Sequence[str]) -> Sequence[str]:
    """Return the stages without what was not scored at both ends."""
    known = [i for i, stage in enumerate(stages) if stage in STAGES]
    return stages[known[0] : known[-1] + 1]
