"""Stages that were edited by hand on the page of a night (`hypnogram-edited.csv`)."""

from __future__ import annotations

import csv
import io
import re

import numpy as np

from eegsleep.errors import TableError
from eegsleep.hypnograms.scoring import HandEdit, Scoring
from eegsleep.recording.faults import clean_text
from eegsleep.signals.epochs import EPOCH_S, STAGES
from eegsleep.tables import HYPNOGRAM_EDITED

_HEADER = ",".join(HYPNOGRAM_EDITED.column_names)
_HASH = re.compile(r"[0-9a-f]{64}")


def is_edited(text: str) -> bool:
    """Return whether a text is what the page of a night saves."""
    return text.lstrip("\ufeff").splitlines()[:1] == [_HEADER]


def read_edited(text: str) -> Scoring:
    """Read stages that were edited by hand.

    Parameters
    ----------
    text : str
        Table `HYPNOGRAM_EDITED` as CSV.

    Returns
    -------
    Scoring
        With `edit`, which names the recording that the stages belong to.

    Raises
    ------
    TableError
        If an epoch is missing or has no stage that is known, or the rows are not of one recording.
    """
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    if not rows:
        raise TableError("the file of edited stages holds no epoch")
    for number, row in enumerate(rows):
        if row["epoch"] != str(number):
            raise TableError(
                "the edited stages have an epoch missing or twice",
                found=f"epoch {clean_text(str(row['epoch']), 20)} in row {number + 1}",
                allowed=f"epoch {number}",
                remedy="save the stages on the page again",
            )
        for column in ("stage", "was"):
            if row[column] not in STAGES:
                raise TableError(
                    f"epoch {number} of the edited stages has no stage that is known",
                    found=repr(clean_text(str(row[column]), 20)),
                    allowed=", ".join(STAGES),
                )
    hashes = {row["input_sha256"] for row in rows}
    if len(hashes) != 1 or not _HASH.fullmatch(str(next(iter(hashes)))):
        raise TableError(
            "the edited stages do not say which recording they belong to",
            found=f"{len(hashes)} hashes" if len(hashes) > 1 else "no hash",
            allowed="one SHA-256 in column input_sha256",
        )
    stages, was = (tuple(row[column] for row in rows) for column in ("stage", "was"))
    edit = HandEdit(
        input_sha256=hashes.pop(),
        was=was,
        n_changed=sum(now != before for now, before in zip(stages, was, strict=True)),
        scorers=tuple(sorted({clean_text(row["scorer"].removeprefix("'"), 60) for row in rows if row["scorer"]})),
        last=max((clean_text(row["date"], 30) for row in rows if row["date"]), default=""),
    )
    onsets_s = EPOCH_S * np.arange(len(rows))
    return Scoring("edited stages", stages, onsets_s, np.full(len(rows), EPOCH_S), edit=edit)


def check_belongs(edit_sha256: str, recording_sha256: str, what: str) -> None:
    """Raise if something that was edited by hand belongs to another recording.

    Raises
    ------
    TableError
        If the two hashes differ.
    """
    if edit_sha256 != recording_sha256:
        raise TableError(
            f"the {what} belong to another recording",
            found=f"recording {recording_sha256[:12] or 'without a file'}, edited on the page of {edit_sha256[:12]}",
            remedy="give the file that was saved from this night's own report",
        )
