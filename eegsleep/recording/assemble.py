"""From an opened source to what a `Recording` holds: channels chosen, signals read, faults collected."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.recording.asked import apply_units, check_units_used, match_inverted
from eegsleep.recording.channels.choose import choose_derivations, find_choice_faults, find_left_out, names_of
from eegsleep.recording.channels.labels import guess_role
from eegsleep.recording.channels.presets import detect_device, find_clock_faults, find_device, find_device_faults
from eegsleep.recording.derive import read_derivations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from eegsleep.recording.channels.choose import Derivation
    from eegsleep.recording.channels.presets import Device
    from eegsleep.recording.faults import Fault
    from eegsleep.recording.signals import Signals
    from eegsleep.recording.source import Source

logger = logging.getLogger(__name__)


class Assembled(NamedTuple):
    """Attributes of a `Recording`; see there."""

    raw: Signals
    roles: dict[str, str]
    start: datetime | None
    device: str
    notes: tuple[str, ...]
    faults: tuple[Fault, ...]
    units: dict[str, str]
    inverted: tuple[str, ...]


def assemble_source(
    source: Source,
    *,
    eeg: Sequence[str] | None = None,
    eog: str | None = None,
    emg: str | None = None,
    units: Mapping[str, str] | None = None,
    device: str | None = None,
    start: datetime | None = None,
    invert: Sequence[str] | None = None,
) -> Assembled:
    """Choose the channels of a source, read them in volts, and collect what is wrong with them.

    Parameters
    ----------
    source : Source
        A file, or signals in memory: the rules are the same for both.
    eeg, eog, emg, units, device, start, invert
        As `read_recording` takes them.

    Returns
    -------
    Assembled

    Raises
    ------
    RecordingError
        If a channel cannot be read without guessing.
    SettingsError
        If there is no such device, channel or unit.
    """
    source, applies = apply_units(source, units)
    preset = find_device(device) if device else detect_device(source.labels, source.kind, source.identity)
    derivations = choose_derivations(source.channels, preset, eeg=eeg, eog=eog, emg=emg)
    check_units_used(applies, derivations)
    inverted = match_inverted(invert, derivations)
    signals, found = read_derivations(source, derivations)
    for label in inverted:
        row = signals.channel(label)
        row *= -1
    faults = [fault for fault in (*source.faults, *found) if _concerns(fault, derivations, preset)]
    faults += find_clock_faults(preset, source.start) if start is None else []
    faults += [] if eeg else find_choice_faults(source.channels, derivations)
    faults += find_left_out(source.channels, derivations)
    faults += find_device_faults(preset, source.labels, source.kind, source.identity) if device else []
    for fault in faults:
        # signals from memory are no defect, and a warning would be red in every notebook
        level = logging.INFO if fault.code == "in-memory" else logging.WARNING
        logger.log(level, "%s: %s", source.path.name, fault.as_note())
    return Assembled(
        raw=signals,
        roles={derivation.label: derivation.role for derivation in derivations},
        start=start or source.start,
        device=preset.name,
        notes=tuple(dict.fromkeys(fault.as_note() for fault in faults)),
        faults=tuple(faults),
        units=dict(units or {}),
        inverted=inverted,
    )


def _concerns(fault: Fault, derivations: Sequence[Derivation], preset: Device) -> bool:
    """Return whether a fault is of the file, of a channel in use, or of an EEG that it makes unusable."""
    if fault.channel in {"", *names_of(derivations)}:
        return True
    listed = {spelling.casefold() for spellings in preset.eeg for spelling in spellings}
    is_eeg = guess_role(fault.channel) == "eeg" or fault.channel.casefold() in listed
    return fault.severity == "refused" and is_eeg
