"""Arguments of `read_recording`: checked before a file is opened, and matched to its channels afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import SettingsError
from eegsleep.recording.channels.choose import find_channels, names_of, split_derivation
from eegsleep.recording.channels.labels import bare_label
from eegsleep.recording.limits import YEARS, is_plausible_start
from eegsleep.recording.units import parse_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eegsleep.recording.channels.choose import Derivation
    from eegsleep.recording.source import Source, SourceChannel


def as_path(path: object) -> Path:
    """Return a path as `Path`; raise `SettingsError` if it is none.

    Parameters
    ----------
    path : object
        As the user gave it.

    Returns
    -------
    Path

    Raises
    ------
    SettingsError
        If it is no text or path, or empty.
    """
    if not isinstance(path, (str, Path)) or not str(path).strip() or (isinstance(path, str) and "\0" in path):
        raise SettingsError("this is not a path", found=repr(path), allowed="the path of a file or folder, as text")
    return Path(path)


def check_asked(
    *,
    eeg: object = None,
    eog: object = None,
    emg: object = None,
    units: object = None,
    device: object = None,
    start: object = None,
    invert: object = None,
) -> None:
    """Raise `SettingsError` for an argument of `read_recording` that has no meaning; see there for each.

    Parameters
    ----------
    eeg, eog, emg, units, device, start, invert : object
        As the user gave them; None is accepted for each.
    """
    _check_labels("eeg", eeg)
    _check_labels("invert", invert)
    _check_units(units)
    for name, value in (("eog", eog), ("emg", emg)):
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise SettingsError(f"{name} must name one channel", found=repr(value), allowed="a label, or None")
    if device is not None and not isinstance(device, str):
        raise SettingsError("there is no such device", found=repr(device), allowed="the name of a preset, or None")
    if start is not None and not (isinstance(start, datetime) and start.tzinfo is None):
        raise SettingsError(
            "start must be a naive local time",
            found=repr(start),
            allowed="a datetime without time zone, as the recorder's clock showed it",
        )
    if isinstance(start, datetime) and not is_plausible_start(start):
        raise SettingsError(
            "start is no time of a recording", found=start.isoformat(), allowed=f"years {YEARS[0]} to {YEARS[-1]}"
        )


def _check_labels(name: str, given: object) -> None:
    labels = [given] if isinstance(given, str) else given if given is not None else []
    if not isinstance(labels, Iterable) or isinstance(labels, (Mapping, bytes)):
        raise SettingsError(f"{name} must name channels", found=repr(given), allowed="labels, most trusted first")
    labels = list(labels)
    if any(not isinstance(label, str) or not label.strip() for label in labels):
        raise SettingsError(f"{name} must name channels", found=repr(labels), allowed="labels that are not empty")


def _check_units(units: object) -> None:
    if units is None:
        return
    if not isinstance(units, Mapping):
        raise SettingsError("units must be named by channel", found=repr(units), allowed="a mapping of label to unit")
    for label, unit in units.items():
        if not isinstance(unit, str) or parse_unit(unit) is None:
            raise SettingsError(f"there is no unit for {label!r}", found=repr(unit), allowed="V, mV, uV and nV")


def apply_units(source: Source, units: Mapping[str, str] | None) -> tuple[Source, dict[str, tuple[str, ...]]]:
    """Return the source with the user's units in place of its own, and the labels each entry applies to.

    Labels are matched as `eeg=` matches them. A unit for a derivation that is made by subtraction is that of both its
    channels, unless one of them is named itself.

    Parameters
    ----------
    source : Source
    units : mapping of str to str, or None
        Unit by label.

    Returns
    -------
    source : Source
    applies : dict of str to tuple of str
        For each label of `units`, the channels it names.

    Raises
    ------
    SettingsError
        If an entry names no channel, several channels, or an unknown unit.
    """
    _check_units(units)
    units = units or {}
    applies = {label: _match(label, source.channels) for label in units}
    found = {name: units[label] for label, names in sorted(applies.items(), key=lambda a: -len(a[1])) for name in names}
    channels = tuple(replace(c, unit=found.get(c.label, c.unit)) for c in source.channels)
    return replace(source, channels=channels), applies


def _match(label: object, channels: Sequence[SourceChannel]) -> tuple[str, ...]:
    found = find_channels(label, channels) if isinstance(label, str) and label.strip() else []
    split = split_derivation(label, channels) if not found and isinstance(label, str) else None
    parts = split[1:] if split else ()
    if len(found) == 1 or (parts and all(len(part) == 1 for part in parts)):
        return tuple(channel.label for channel in (found or [channel for part in parts for channel in part]))
    raise SettingsError(
        "a unit is given for a channel that is not in the file"
        if not (found or parts)
        else "a unit is given for a name that several channels share",
        found=repr(label),
        allowed=", ".join(channel.label for channel in channels),
    )


def check_units_used(applies: Mapping[str, Sequence[str]], derivations: Iterable[Derivation]) -> None:
    """Raise `SettingsError` if a unit is given for a channel that no derivation uses.

    Parameters
    ----------
    applies : mapping of str to sequence of str
        From `apply_units`.
    derivations : iterable of Derivation
    """
    used = names_of(derivations)
    for label, names in applies.items():
        if not set(names) & set(used):
            raise SettingsError(
                "a unit is given for a channel that is not used",
                found=repr(label),
                allowed=", ".join(used),
                remedy="name the channel to be used too",
            )


def match_inverted(invert: Sequence[str] | None, derivations: Iterable[Derivation]) -> tuple[str, ...]:
    """Return the labels of the derivations that are to be inverted.

    Parameters
    ----------
    invert : sequence of str, or None
        As the user gave them; spaces, separators and letter case do not matter.
    derivations : iterable of Derivation

    Returns
    -------
    tuple of str

    Raises
    ------
    SettingsError
        If a label is not that of one derivation in use.
    """
    labels = [derivation.label for derivation in derivations]
    found = []
    for wanted in [invert] if isinstance(invert, str) else invert or ():
        exact = [label for label in labels if label == wanted]
        same = exact or [label for label in labels if bare_label(label) == bare_label(wanted)]
        if len(same) != 1:
            raise SettingsError(
                "a channel is to be inverted that is not used", found=repr(wanted), allowed=", ".join(labels)
            )
        found.append(same[0])
    return tuple(dict.fromkeys(found))
