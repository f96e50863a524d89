"""The signals of one night, in volts, with their roles, start, device and faults."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import RecordingError, SettingsError, describe_error
from eegsleep.provenance import hash_files
from eegsleep.recording import in_memory
from eegsleep.recording.asked import check_asked
from eegsleep.recording.assemble import assemble_source
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.rates import at_rate
from eegsleep.recording.signals import RawOrSignals, signals_of
from eegsleep.shown import show_facts
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import mne
    import numpy as np

    from eegsleep.recording.faults import Fault
    from eegsleep.recording.source import Source


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
    origin : str
        What the signals were made from, such as `array`, where that was no file.

    Notes
    -----
    Two properties hold the signals. `raw` has the rate of the file (that of its first EEG) and volts, as mne has it.
    `microvolts` has `ANALYSIS_RATE_HZ` (100 Hz) and µV; stages, events and spectra are measured on it.

    Examples
    --------
    >>> recording
    <Recording sample-night: 1.50 h from 23:00, device simulated
     C4-M1 (eeg), F3-M2 (eeg), E1-M2 (eog), EMG chin (emg)
     .raw at 128 Hz in volts; .microvolts at 100 Hz in µV>
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
    origin: str = ""

    @classmethod
    def from_raw(
        cls,
        raw: mne.io.BaseRaw,
        *,
        name: str = "",
        eeg: Sequence[str] | None = None,
        eog: str | None = None,
        emg: str | None = None,
        units: Mapping[str, str] | None = None,
        device: str | None = None,
        start: datetime | None = None,
        invert: Sequence[str] | None = None,
    ) -> Recording:
        """Make a recording of an mne Raw, by the rules that hold for files.

        Channels are chosen by their labels, and by the types `eog` and `emg` that mne gives. A channel in
        `raw.info["bads"]` is left out, and what annotations that begin with BAD mark counts as not recorded. A filter
        of `raw.info` that cuts off what a measure needs is reported in `notes`. `raw` is copied, not changed.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            In volts, as mne keeps it, at more than 80 Hz.
        name : str, optional
            Names the night folder; by default the name of the file of `raw`, else `night`.
        eeg, eog, emg, units, device, start, invert
            As for `read_recording`; `start` by default is the measurement date of `raw`, without its time zone.

        Returns
        -------
        Recording
            Without files. Its `sha256` is that of the chosen signals, and a batch never takes its night for one of
            its own.

        Raises
        ------
        RecordingError
            If it is no Raw, no EEG is recognised, or the amplitude is not that of an EEG in volts.
        SettingsError
            If there is no such device, channel or unit.

        Examples
        --------
        >>> from_mne = es.Recording.from_raw(short.raw, name="from-mne")
        >>> from_mne.id, from_mne.derivations == short.derivations
        ('from-mne', True)
        """
        asked: dict[str, Any] = {"eeg": eeg, "eog": eog, "emg": emg, "units": units, "device": device}
        asked |= {"start": start, "invert": invert}
        check_asked(**asked)
        wanted = [*([eeg] if isinstance(eeg, str) else eeg or ()), *filter(None, (eog, emg))]
        source = in_memory.open_raw(raw, name or "night", wanted)
        files = [Path(file).name for file in raw.filenames or () if file]
        asked |= {role: asked[role] or label for role, label in in_memory.typed_channels(raw).items()}
        return cls._from_memory(source, name or (files[0] if files else "night"), asked)

    @classmethod
    def from_array(
        cls,
        data_uv: np.ndarray,
        rate_hz: float,
        channels: Sequence[str] | Mapping[str, str],
        *,
        start: datetime | None = None,
        name: str = "",
        lowpass_hz: float | None = None,
        highpass_hz: float | None = None,
        units: Mapping[str, str] | None = None,
        device: str | None = None,
    ) -> Recording:
        """Make a recording of an array of signals.

        Parameters
        ----------
        data_uv : array, shape (n_channels, n_samples)
            In µV; NaN where nothing was recorded.
        rate_hz : float
            Samples a second, more than 80.
        channels : sequence of str, or mapping of str to str
            A label for each row; roles are then known by the labels, as in files. Or label to role (`eeg`, `eog`,
            `emg`) in the order of the rows; every other role is left out.
        start : datetime, optional
            Naive local time of the first sample.
        name : str, optional
            Names the night folder; by default `night`.
        lowpass_hz, highpass_hz : float, optional
            Filters that were applied before. One that cuts off what a measure needs is reported in `notes`.
        units, device
            As for `read_recording`.

        Returns
        -------
        Recording
            Without files; see `from_raw`.

        Raises
        ------
        RecordingError
            If the shape does not fit the labels, the rate is too low, no EEG is recognised, or the amplitude is not
            that of an EEG in microvolts.
        SettingsError
            If a role is not known, or there is no such device or unit.

        Examples
        --------
        >>> data_uv = recording.microvolts[:1]
        >>> es.Recording.from_array(data_uv, 100, ["C4-M1"]).duration_s == data_uv.shape[1] / 100
        True
        """
        check_asked(units=units, device=device, start=start)
        if not isinstance(channels, Iterable):
            raise SettingsError("channels must be named", found=repr(channels), allowed="a label for each row")
        roles = _read_roles(channels) if isinstance(channels, Mapping) else {}
        asked: dict[str, Any] = {**roles, "units": units, "device": device, "start": start}
        night = name or "night"
        source = in_memory.open_array(
            data_uv, rate_hz, list(channels), night, lowpass_hz=lowpass_hz, highpass_hz=highpass_hz
        )
        return cls._from_memory(source, night, asked)

    @classmethod
    def _from_memory(cls, source: Source, name: str, asked: Mapping[str, Any]) -> Recording:
        """Return the recording of signals in memory, after a check of their scale."""
        try:
            assembled = assemble_source(source, **asked)
            in_memory.check_scale(assembled, asked["units"])
        except RecordingError as error:
            raise in_memory.in_python(error) from error
        return cls(id=make_id(Path(name)), origin=source.kind, **assembled._asdict())

    def __repr__(self) -> str:
        """Return three lines: length and start, channels, and the rates of both forms of the signal."""
        start = f" from {self.start:%H:%M}" if self.start else ""
        labels = [f"{label} ({role})" for label, role in self.roles.items()]
        shown = ", ".join(labels[:6]) + (f", and {len(labels) - 6} more" if len(labels) > 6 else "")
        return (
            f"<Recording {self.id}: {self.duration_s / 3600:.2f} h{start}, device {self.device}\n {shown}\n "
            f".raw at {signals_of(self).rate_hz:g} Hz in volts; .microvolts at {ANALYSIS_RATE_HZ:g} Hz in µV>"
        )

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        return show_facts(
            f"Recording {self.id}",
            {
                "length": f"{self.duration_s / 3600:.2f} h",
                "start": f"{self.start:%Y-%m-%d %H:%M:%S}" if self.start else "not known",
                "device": self.device,
                "channels": ", ".join(f"{label} ({role})" for label, role in self.roles.items()),
                ".raw": f"{signals_of(self).rate_hz:g} Hz, volts",
                ".microvolts": f"{ANALYSIS_RATE_HZ:g} Hz, µV",
                "notes": " ".join(self.notes[:3]) + (" …" if len(self.notes) > 3 else ""),
            },
        )

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
        signals = signals_of(self)
        return float(signals.n_samples / signals.rate_hz)

    @property
    def n_epochs(self) -> int:
        """Number of whole 30 s epochs."""
        return int(self.microvolts.shape[1] // (EPOCH_S * ANALYSIS_RATE_HZ))

    @cached_property
    def sha256(self) -> str:
        """Hash of the file or files (`hash_files`); without a file, that of the signals, their labels and rate.

        Empty for a copy with other signals (`with_microvolts`).

        Computed on first use, because hashing a large file takes longer than reading two of its channels.

        Raises
        ------
        RecordingError
            If a file was changed or removed since it was read.
        """
        if self.origin:
            signals = signals_of(self)
            head = f"{self.roles} {signals.rate_hz:.17g} {signals.n_samples}".encode()
            digest = hashlib.sha256(head)
            for label in self.channels:
                digest.update(signals.channel(label).tobytes())
            return digest.hexdigest()
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

        from eegsleep.signals.two_channels import measure_each

        signals = signals_of(self)
        rate_hz = signals.rate_hz
        data = np.empty((len(self.channels), round(signals.n_samples * ANALYSIS_RATE_HZ / rate_hz)))

        def convert(row: np.ndarray, label: str) -> None:
            np.multiply(at_rate(signals.channel(label), rate_hz, ANALYSIS_RATE_HZ, row.size), 1e6, out=row)

        measure_each(lambda own: convert(*own), zip(data, self.channels, strict=True))
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
        copy = self.renamed(self.id)
        # where a frozen dataclass and `cached_property` keep them
        vars(copy).update(files=(), origin="", microvolts=microvolts)
        vars(copy).pop("sha256", None)
        return copy

    def renamed(self, name: str) -> Recording:
        """Return the same recording with another id; `dataclasses.replace` would make an mne Raw of its signals."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), id=name)
        return copy

    def signal(self, label: str) -> np.ndarray:
        """Return one channel at `ANALYSIS_RATE_HZ` in µV, shape (n_samples,)."""
        return self.microvolts[self.channels.index(label)]


# Set afterwards: as a default in the class it would make every field after it optional.
setattr(Recording, RawOrSignals.name, RawOrSignals())


def _read_roles(channels: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments eeg, eog and emg of `read_recording` from label to role."""
    named = list(zip(unique_labels(list(channels)), channels.values(), strict=True))
    roles = {role: [label for label, its in named if its == role] for role in ("eeg", "eog", "emg")}
    if not roles["eeg"] or any(len(roles[role]) > 1 for role in ("eog", "emg")):
        raise SettingsError(
            "the roles of the channels do not fit",
            found=", ".join(f"{label!r} {role!r}" for label, role in channels.items()),
            allowed="one eeg or more, and at most one eog and one emg",
        )
    return {"eeg": roles["eeg"], **{role: next(iter(roles[role]), None) for role in ("eog", "emg")}}


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
