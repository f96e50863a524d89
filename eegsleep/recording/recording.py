"""The signals of one night, in volts, with their roles, start, device and faults."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from eegsleep.errors import RecordingError, describe_error
from eegsleep.provenance import hash_files
from eegsleep.recording.rates import at_rate
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    import mne
    import numpy as np

    from eegsleep.recording.faults import Fault


@dataclass(frozen=True)
class Recording:
    """One night's signals.

    Attributes
    ----------
    id : str
        Made from the file's name; names a night folder.
    raw : mne.io.BaseRaw
        The chosen channels, loaded, in volts, with channel types by role. NaN where nothing was
        recorded, with `BAD_GAP` annotations.
    roles : dict of str to str
        Channel label to `eeg`, `eog` or `emg`, EEG first in order of trust.
    start : datetime or None
        Naive local time of the first sample as the file says; None if it says nothing.
    device : str
        Name of the preset that was used.
    notes : tuple of str
        What was found wrong or unusual while reading, in sentences.
    faults : tuple of Fault
        The same, entry by entry.
    units : dict of str to str
        Units that the user gave, by label; like a setting they change numbers.
    inverted : tuple of str
        Channels that were multiplied by −1 because the user said that they are inverted.
    files : tuple of (path, size in bytes, time of change in ns)
        The files that were read; empty for a recording that was not read from a file.
    asked : mapping of str to object, optional
        The arguments of `read_recording`; None for a recording that was made in another way.
    """

    id: str
    raw: mne.io.BaseRaw
    roles: dict[str, str]
    start: datetime | None = None
    device: str = "generic"
    notes: tuple[str, ...] = field(default=())
    faults: tuple[Fault, ...] = field(default=())
    files: tuple[tuple[Path, int, int], ...] = field(default=())
    units: dict[str, str] = field(default_factory=dict)
    inverted: tuple[str, ...] = field(default=())
    asked: Mapping[str, Any] | None = None

    @property
    def channels(self) -> list[str]:
        """Labels of all channels, in the order of the rows of `microvolts`."""
        return list(self.roles)

    @property
    def derivations(self) -> list[str]:
        """Labels of the EEG channels, most trusted first."""
        return [label for label, role in self.roles.items() if role == "eeg"]

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return float(self.raw.n_times / self.raw.info["sfreq"])

    @property
    def n_epochs(self) -> int:
        """Number of whole 30 s epochs."""
        return int(self.microvolts.shape[1] // (EPOCH_S * ANALYSIS_RATE_HZ))

    @cached_property
    def sha256(self) -> str:
        """Hash of the file or files (`hash_files`); empty if there is none.

        Computed on first use, because hashing a large file takes longer than reading two of its channels.

        Raises
        ------
        RecordingError
            If a file was changed or removed since it was read.
        """
        try:
            check_unchanged(self.files)
            return hash_files([path for path, _, _ in self.files])
        except OSError as error:
            raise RecordingError(
                "the file was removed since it was read",
                found=describe_error(error),
                remedy="put it back, or read it again",
            ) from error

    @cached_property
    def microvolts(self) -> np.ndarray:
        """All channels at `ANALYSIS_RATE_HZ` in µV, float64, shape (n_channels, n_samples).

        NaN where samples are missing in the recording, and nowhere else.
        """
        import numpy as np

        rate_hz = self.raw.info["sfreq"]
        data = np.empty((len(self.channels), round(self.raw.n_times * ANALYSIS_RATE_HZ / rate_hz)))
        for row, label in zip(data, self.channels, strict=True):
            signal = self.raw.get_data(picks=[label])[0]
            np.multiply(at_rate(signal, rate_hz, ANALYSIS_RATE_HZ, row.size), 1e6, out=row)
        return data

    def with_microvolts(self, microvolts: np.ndarray) -> Recording:
        """Return a copy of the recording with other signals at the analysis rate; its `raw` stays as recorded.

        Parameters
        ----------
        microvolts : numpy.ndarray, shape (n_channels, n_samples)
            Of the shape of the property of that name.

        Returns
        -------
        Recording
            Without files, whose hash would not be that of its signals.
        """
        copy = replace(self, files=())
        vars(copy)["microvolts"] = microvolts  # where `cached_property` keeps it
        return copy

    def signal(self, label: str) -> np.ndarray:
        """Return one channel at `ANALYSIS_RATE_HZ` in µV, shape (n_samples,)."""
        return self.microvolts[self.channels.index(label)]


def check_unchanged(files: Iterable[tuple[Path, int, int]]) -> None:
    """Raise `RecordingError` if one of the files was changed.

    Parameters
    ----------
    files : iterable of (path, size in bytes, time of change in ns)
        As they were when reading began.

    Raises
    ------
    RecordingError
        If size or time of one differs.
    OSError
        If one is no longer there.
    """
    for path, size, changed_ns in files:
        stat = path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (size, changed_ns):
            raise RecordingError(f"{path.name} was changed while it was in use", remedy="read it again")


def make_id(path: Path) -> str:
    """Return the id of a recording: its file's name, made safe as a folder's name on every system.

    Parameters
    ----------
    path : Path
        Only its name is used.

    Returns
    -------
    str
        1 to 113 characters of A-Z, a-z, 0-9, `.`, `_` and `-`. A name with other letters gets six digits of its
        hash, so that Müller and Möller stay two nights.
    """
    name = re.sub(r"\.(gz|edf|bdf|rec|csv|txt|hea)$", "", re.sub(r"\.gz$", "", path.name), flags=re.IGNORECASE)
    letters = unicodedata.normalize("NFC", name)  # some systems store ü as u and a mark
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", letters).strip("._-")[:100].rstrip("._-")
    if not letters.isascii():
        name = f"{name or 'night'}-{hashlib.sha256(letters.encode(errors='surrogateescape')).hexdigest()[:6]}"
    # Windows keeps the first names for devices; we write files with such endings beside the night folders
    reserved = re.fullmatch(
        r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*\.(csv|json|html|js|toml|partial|before)", name, re.IGNORECASE
    )
    return f"night-{name}" if reserved else name or "night"
