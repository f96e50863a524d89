"""What `eegsleep inspect` shows: the format of a file, the channels that would be read, and its faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eegsleep.errors import RecordingError
from eegsleep.recording.asked import apply_units, as_path, check_asked
from eegsleep.recording.channels.choose import (
    choose_derivations,
    find_choice_faults,
    find_left_out,
    find_unit_faults,
)
from eegsleep.recording.channels.presets import detect_device, find_clock_faults, find_device, find_device_faults
from eegsleep.recording.derive import read_derivations
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.read import open_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from eegsleep.recording.channels.choose import Derivation
    from eegsleep.recording.channels.presets import Device
    from eegsleep.recording.source import Source


@dataclass(frozen=True)
class Inspection:
    """What was found in one file.

    Attributes
    ----------
    file : str
        Its name, without the folder.
    readable : bool
        Whether `read_recording` reads it as it stands.
    kind : str
        The container, such as `EDF+C`; `unreadable` if that is not known.
    device : Device or None
        The preset that fits, None if the file was refused.
    start : datetime or None
        Naive local time of the first sample.
    duration_s : float
        Gaps included.
    gaps : tuple of (onset_s, duration_s)
        Where nothing was recorded.
    channels : tuple of dict
        `label, rate_hz, unit` of every channel, and `role` of those that would be used.
    derivations : tuple of (label, role)
        The signals that would be read, EEG first in order of trust; `TP9-AF8` may be made from two channels.
    faults : tuple of Fault
        All of them, also of channels that are not used.
    """

    file: str
    readable: bool
    kind: str
    device: Device | None
    start: datetime | None
    duration_s: float
    gaps: tuple[tuple[float, float], ...]
    channels: tuple[dict[str, Any], ...]
    derivations: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the inspection as plain values, for JSON."""
        return {
            "file": self.file,
            "readable": self.readable,
            "kind": self.kind,
            "device": self.device.name if self.device else "",
            "start": self.start.isoformat() if self.start else None,
            "duration_s": self.duration_s,
            "gaps": [{"onset_s": onset, "duration_s": duration} for onset, duration in self.gaps],
            "channels": list(self.channels),
            "derivations": [{"label": label, "role": role} for label, role in self.derivations],
            "faults": [fault.as_dict() for fault in self.faults],
        }


def inspect_recording(
    path: str | Path, *, device: str | None = None, units: Mapping[str, str] | None = None
) -> Inspection:
    """Inspect one file; one that cannot be read gives an `Inspection` with the reason, not an exception.

    Parameters
    ----------
    path : path
    device : str, optional
        Name of a device preset; by default recognised from header and labels.
    units : mapping of str to str, optional
        Unit of a channel by label, as `read_recording` takes it.

    Returns
    -------
    Inspection

    Raises
    ------
    SettingsError
        If there is no such device, channel or unit.

    Examples
    --------
    >>> es.inspect_recording("sample-night.edf").device.name
    'simulated'
    """
    path = as_path(path)
    check_asked(units=units, device=device)
    named = find_device(device) if device else None
    try:
        source = open_source(path)
    except RecordingError as error:
        name = clean_text(path.name)
        faults = error.faults or (_as_fault(error, path),)
        return Inspection(
            name,
            readable=False,
            kind="unreadable",
            device=None,
            start=None,
            duration_s=0.0,
            gaps=(),
            channels=(),
            derivations=(),
            faults=faults,
        )
    source, _ = apply_units(source, units)
    preset = named or detect_device(source.labels, source.kind, source.identity)
    derivations: tuple[Derivation, ...] = ()
    found = find_clock_faults(preset, source.start)
    found += find_device_faults(named, source.labels, source.kind, source.identity) if named else []
    try:
        derivations = choose_derivations(source.channels, preset)
        found += find_unit_faults(source.channels, derivations)
        found += find_choice_faults(source.channels, derivations)
        found += find_left_out(source.channels, derivations)
        found += read_derivations(source, derivations)[1]
        readable = True
    except RecordingError as error:
        found += error.faults or (_as_fault(error, path),)
        readable = False
    return _describe(source, preset, derivations, found, readable=readable)


def _describe(
    source: Source, preset: Device, derivations: Sequence[Derivation], found: list[Fault], *, readable: bool
) -> Inspection:
    roles = {name: d.role for d in reversed(derivations) for name in (d.plus, d.minus) if name}
    channels = tuple(
        {"label": c.label, "role": roles.get(c.label, ""), "rate_hz": c.rate_hz, "unit": c.unit}
        for c in source.channels
    )
    return Inspection(
        file=clean_text(source.path.name),
        readable=readable,
        kind=source.kind,
        device=preset,
        start=source.start,
        duration_s=source.duration_s,
        gaps=source.gaps,
        channels=channels,
        derivations=tuple((d.label, d.role) for d in derivations),
        faults=tuple(dict.fromkeys((*source.faults, *found))),
    )


def _as_fault(error: RecordingError, path: Path) -> Fault:
    """Return an error as a `Fault`, so that it is shown in the same form as the others.

    A sentence begins with a capital letter, but the name of a file is printed as it is.
    """
    problem = error.problem
    if problem.startswith((path.name, str(path))):
        problem = f"the {'folder' if path.is_dir() else 'file'} {problem}"
    needs_user = "--units" in error.remedy or "--eeg" in error.remedy
    parts = [problem] + ([f"allowed: {error.allowed}"] if error.allowed else [])
    return Fault(
        "refused",
        "needs the user" if needs_user else "refused",
        "; ".join(parts),
        value=error.found,
        remedy=error.remedy,
    )
