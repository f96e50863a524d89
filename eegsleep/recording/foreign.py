"""Formats that eegsleep has no reader of its own for, through `mne.io.read_raw`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.source import Source, SourceChannel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

# Never offered to mne: by their content they are not what their name says, and mne reads by name.
_NOT_BY_NAME = {".edf", ".bdf", ".rec", ".gz", ".zip", ".csv", ".tsv", ".txt", ".html", ".json", ".xml", ".pdf", ""}


def open_foreign(path: Path) -> Source:
    """Open any other file that mne reads; its units, times and gaps are taken on mne's word.

    Raises
    ------
    RecordingError
        If mne does not read it either.
    """
    refusal = {
        "allowed": "EDF, EDF+ and BDF (also gzipped), a ZMax folder, Muse, Mind Monitor, BrainBit and OpenBCI text, "
        "and the formats of mne.io.read_raw",
        "remedy": "export the night as EDF from the program of your device",
    }
    if path.suffix.lower() in _NOT_BY_NAME:
        with path.open("rb") as file:
            head = file.read(24)
        found = f"a file that begins with {clean_text(repr(head)[1:])}" if head else "an empty file"
        raise RecordingError(f"{path.name} is no recording that eegsleep knows", found=found, **refusal)
    import mne

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = mne.io.read_raw(path, preload=False, verbose="ERROR")
    except Exception as error:  # readers of twenty formats raise what they like
        raise RecordingError(f"{path.name} cannot be read", found=clean_text(str(error)), **refusal) from error

    def load(labels: Sequence[str]) -> list[np.ndarray]:
        return list(raw.get_data(picks=[by_label[label] for label in labels]))

    by_label = {clean_text(name): name for name in raw.ch_names}
    kind = f"mne: {type(raw).__name__}"
    start = raw.info["meas_date"]
    return Source(
        path=path,
        files=tuple(name for name in raw.filenames if name) or (path,),
        kind=kind,
        # mne gives every electrode in volts; what it takes for something else cannot be staged
        channels=tuple(
            SourceChannel(label, raw.info["sfreq"], "V" if raw.get_channel_types([name])[0] in _VOLTAGES else "")
            for label, name in by_label.items()
        ),
        start=start.replace(tzinfo=None) if start else None,
        duration_s=raw.n_times / raw.info["sfreq"],
        load=load,
        annotations=tuple(
            (float(a["onset"]), float(a["duration"]), clean_text(a["description"])) for a in raw.annotations
        ),
        faults=(
            Fault("foreign-format", "repaired", f"read through {kind}; units, clock and gaps are taken on its word"),
        ),
    )


_VOLTAGES = {"eeg", "eog", "emg", "ecg"}
