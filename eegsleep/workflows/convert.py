"""Write a hypnogram in another format: the work of `eegsleep convert-hypnogram`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import EegSleepError, TableError
from eegsleep.signals.epochs import EPOCH_S

if TYPE_CHECKING:
    from datetime import datetime


def convert_hypnogram(
    path: str | Path,
    output: str | Path,
    *,
    coding: str | None = None,
    epoch_s: float | None = None,
    column: str | None = None,
    recording: str | Path | None = None,
    start: datetime | None = None,
) -> tuple[str, ...]:
    """Read a hypnogram of any kind and write it in epochs of 30 s for another program.

    Parameters
    ----------
    path : path
        As `read_hypnogram` takes it.
    output : path
        Its suffix decides the format, as in `write_hypnogram`; it must not exist yet.
    coding, epoch_s, column
        As in `read_hypnogram`.
    recording : path, optional
        The recording that the hypnogram belongs to: epochs are then those of the recording.
    start : datetime, optional
        Naive local time of the first epoch, where neither file gives it.

    Returns
    -------
    tuple of str
        What was assumed or left out, in clauses.

    Raises
    ------
    EegSleepError
        If the hypnogram cannot be read, or the output cannot be written or exists.
    """
    from eegsleep.hypnograms.read import align_scoring, read_hypnogram
    from eegsleep.hypnograms.write import check_format, write_hypnogram

    path, output = Path(path), Path(output)
    check_format(output)
    if os.path.lexists(output):
        raise EegSleepError(
            "the converted hypnogram would overwrite a file",
            found=str(output),
            remedy="name a file that does not exist, or move this one away",
        )
    scoring = read_hypnogram(path, coding=coding, epoch_s=epoch_s, column=column)
    if recording is not None:
        from eegsleep.recording.read import open_source

        source = open_source(recording)
        start = start or source.start
        n_epochs = int(source.duration_s // EPOCH_S)
    else:
        own = scoring.start if scoring.dated and scoring.alternative is None and not scoring.relative else None
        start = start or own
        n_epochs = int(float((scoring.onsets_s + scoring.durations_s).max()) // EPOCH_S)
    if n_epochs < 1:
        raise TableError(f"{path.name} is shorter than one epoch of 30 s")
    stages, notes = align_scoring(scoring, start if recording or not scoring.relative else None, n_epochs)
    write_hypnogram(stages, output, start=start)
    return notes
