"""A file becomes a `Recording`: the channels asked for, in volts that are volts, at known times."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.provenance import hash_bytes, hash_file
from eegsleep.recording.asked import as_path, check_asked, name_units, refuse_unused
from eegsleep.recording.channels import MIN_RATE_HZ, choose_derivations, guess_role, tell_unsubtracted
from eegsleep.recording.delimited import open_text, sniff_text
from eegsleep.recording.derive import names_of, read_derivations
from eegsleep.recording.edf import open_edf
from eegsleep.recording.faults import Fault
from eegsleep.recording.folder import open_folder
from eegsleep.recording.foreign import open_foreign
from eegsleep.recording.header import HeaderRefusedError, is_edf
from eegsleep.recording.pieces import memory_refused
from eegsleep.recording.presets import detect_device, find_device
from eegsleep.recording.rates import ANALYSIS_RATE_HZ, at_rate, bridge_gaps  # noqa: F401 - bridge_gaps is used from here
from eegsleep.recording.units import volts_per_unit
from eegsleep.recording.wfdb_header import is_wfdb_header
from eegsleep.recording.wfdb_record import open_wfdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import mne
    import numpy as np

    from eegsleep.recording.channels import Derivation
    from eegsleep.recording.presets import Device
    from eegsleep.recording.source import Source

logger = logging.getLogger(__name__)


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
        What was found odd while reading, in sentences.
    faults : tuple of Fault
        The same, entry by entry.
    units : dict of str to str
        The user's word on units, by label: it changes numbers as a setting does.
    files : tuple of (path, size in bytes, time of change in ns)
        Where the signals came from; empty for a recording that was not read from a file.
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
        return int(self.microvolts.shape[1] // (30 * ANALYSIS_RATE_HZ))

    @cached_property
    def sha256(self) -> str:
        """Hash of the file; of several files, the hash of their hashes; empty if there is none.

        Worked out when it is asked for: hashing a large file takes longer than reading two of its
        channels. A file that was changed since it was read is refused.
        """
        try:
            refuse_changed(self.files)
            hashes = [hash_file(path) for path, _, _ in self.files]
        except OSError as error:
            raise RecordingError("the file was taken away since it was read", found=str(error),
                                 remedy="put it back, or read it again") from error  # fmt: skip
        return hashes[0] if len(hashes) == 1 else hash_bytes("".join(hashes).encode()) if hashes else ""

    @cached_property
    def microvolts(self) -> np.ndarray:
        """All channels at `ANALYSIS_RATE_HZ` in µV, float64, shape (n_channels, n_samples).

        Samples that are missing in the recording are NaN here too, and only those.
        """
        import numpy as np

        rate_hz = self.raw.info["sfreq"]
        data = np.empty((len(self.channels), round(self.raw.n_times * ANALYSIS_RATE_HZ / rate_hz)))
        for row, label in zip(data, self.channels, strict=True):
            signal = self.raw.get_data(picks=[label])[0]
            np.multiply(at_rate(signal, rate_hz, ANALYSIS_RATE_HZ, row.size), 1e6, out=row)
        return data

    def signal(self, label: str) -> np.ndarray:
        """Return one channel at `ANALYSIS_RATE_HZ` in µV, shape (n_samples,)."""
        return self.microvolts[self.channels.index(label)]


def read_recording(
    path: str | Path,
    *,
    eeg: Sequence[str] | None = None,
    eog: str | None = None,
    emg: str | None = None,
    units: Mapping[str, str] | None = None,
    device: str | None = None,
    start: datetime | None = None,
) -> Recording:
    """Read the EEG derivations, EOG and EMG of an overnight recording.

    Parameters
    ----------
    path : path
        EDF, EDF+ or BDF, also gzipped; a ZMax folder; text of Muse, Mind Monitor, BrainBit or OpenBCI;
        the header of a WFDB record; or anything `mne.io.read_raw` opens. What a file is, its content decides, not
        its name.
    eeg : sequence of str, optional
        Labels of the derivations to use, most trusted first; `C4-M1` may be a channel, or made from
        channels `C4` and `M1`. By default the device preset chooses up to two.
    eog, emg : str, optional
        Labels of an eye and a chin channel. By default chosen by the preset; an EMG that is only an
        envelope is left out.
    units : mapping of str to str, optional
        Unit of a channel by label, where the file gives none, an unknown one, or a wrong one.
    device : str, optional
        Name of a device preset; by default recognised from header and labels.
    start : datetime, optional
        Naive local time of the first sample, where the file's clock is wrong or missing.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If the file cannot be read without guessing; the message names the field and the remedy.
    SettingsError
        If an argument means nothing: no such device, channel or unit.
    """
    check_asked(eeg=eeg, eog=eog, emg=emg, units=units, device=device, start=start)
    source = open_source(path)
    files = _stamp_files(source)
    source, applies = name_units(source, units)
    preset = find_device(device) if device else detect_device(source.labels, source.kind, source.identity)
    derivations = choose_derivations(source.channels, preset, eeg=eeg, eog=eog, emg=emg)
    refuse_unused(applies, derivations)
    raw, doubts = read_derivations(source, derivations)
    with suppress(FileNotFoundError):  # what was read was read
        refuse_changed(files)
    faults = [fault for fault in (*source.faults, *doubts) if _concerns(fault, derivations, preset)]
    faults += doubt_clock(source, preset) if start is None else []
    faults += [] if eeg else doubt_choice(source, derivations)
    for fault in faults:
        logger.warning("%s: %s", source.path.name, fault.as_note())
    return Recording(
        id=make_id(source.path),
        raw=raw,
        roles={derivation.label: derivation.role for derivation in derivations},
        start=start or source.start,
        device=preset.name,
        notes=tuple(dict.fromkeys(fault.as_note() for fault in faults)),
        faults=tuple(faults),
        files=files,
        units=dict(units or {}),
    )


def _stamp_files(source: Source) -> tuple[tuple[Path, int, int], ...]:
    try:
        return tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in map(Path, source.files))
    except OSError as error:
        raise RecordingError(f"{source.path.name} was taken away while it was read", found=str(error),
                             remedy="read it again") from error  # fmt: skip


def refuse_changed(files: Iterable[tuple[Path, int, int]]) -> None:
    """Raise `RecordingError` if one of the files is not what it was."""
    for path, size, changed_ns in files:
        stat = path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (size, changed_ns):
            raise RecordingError(f"{path.name} was changed while it was worked on", remedy="read it again")


def _concerns(fault: Fault, derivations: Sequence[Derivation], preset: Device) -> bool:
    """Return whether a fault is of the file, of a channel in use, or of an EEG that cannot be used for it."""
    if fault.channel in {"", *names_of(derivations)}:
        return True
    listed = {spelling.casefold() for spellings in preset.eeg for spelling in spellings}
    is_eeg = guess_role(fault.channel) == "eeg" or fault.channel.casefold() in listed
    return fault.severity == "refused" and is_eeg


def open_source(path: str | Path) -> Source:
    """Open a recording of any known format and check what it says of itself; no signal is read yet.

    Raises
    ------
    RecordingError
        If it cannot be read without guessing.
    """
    path = as_path(path)
    with memory_refused(path.name):
        return _open_any(path)


def _open_any(path: Path) -> Source:
    try:
        if path.is_dir():
            return open_folder(path)
        if path.exists() and not path.is_file():
            raise RecordingError(f"{path} cannot be read", found="a pipe or device", remedy="give a file")
        with path.open("rb") as file:
            head = file.read(8192)
        if is_edf(head) or head[:2] == b"\x1f\x8b":
            return open_edf(path)
        if is_wfdb_header(head):
            return open_wfdb(path)
        kind = sniff_text(head)
        return open_text(path, kind) if kind else open_foreign(path)
    except HeaderRefusedError as error:
        refused = error.faults[-1].as_error(path.name)
        refused.faults = error.faults
        raise refused from None
    except (OSError, ValueError) as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise RecordingError(f"{path} cannot be read", found=found, remedy="check the path") from error


def doubt_clock(source: Source, device: Device) -> list[Fault]:
    """Return a fault if the device writes a 12-hour clock, so that an evening may look like a morning."""
    if device.twelve_hour_clock and source.start and 1 <= source.start.hour < 12:
        said = f"this device writes a clock of 12 hours; the start may be {source.start:%H:%M} or twelve hours later"
        return [Fault("twelve-hour-clock", "repaired", said, "start time", f"{source.start:%H:%M}",
                      "give the start yourself if it is wrong")]  # fmt: skip
    return []


def doubt_units(source: Source, derivations: Sequence[Derivation]) -> list[Fault]:
    """Return a fault for each channel of the derivations whose unit is not known."""
    channels = {channel.label: channel for channel in source.channels}
    found = (volts_per_unit(channels[name]) for name in names_of(derivations))
    return [fault for fault in found if isinstance(fault, Fault)]


def doubt_choice(source: Source, derivations: Sequence[Derivation]) -> list[Fault]:
    """Return a fault for each EEG by its name that was left out for its unit, or used without its mastoid."""
    used = names_of(derivations)
    return [*tell_unsubtracted(source.channels, derivations)] + [
        Fault("not-a-voltage", "needs the user", "it is called like an EEG, but its unit is no voltage; it is left out",
              "unit", c.unit, f'if it is one, name it with --eeg and --units "{c.label}=uV"', c.label)
        for c in source.channels
        if c.label not in used and c.rate_hz > MIN_RATE_HZ and guess_role(c.label) == "eeg"
        and isinstance(volts_per_unit(c), Fault)
    ]  # fmt: skip


def make_id(path: Path) -> str:
    """Return a name that is safe as a folder's name on every system."""
    name = re.sub(r"\.(gz|edf|bdf|rec|csv|txt|hea)$", "", re.sub(r"\.gz$", "", path.name), flags=re.IGNORECASE)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:100].rstrip("._-")
    # what Windows keeps for devices
    reserved = re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.IGNORECASE)
    return f"night-{name}" if reserved else name or "night"
