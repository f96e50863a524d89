"""Device presets: what each recorder writes, read from `devices.toml`, and which of them fits a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

from eegsleep.errors import SettingsError, suggest_name
from eegsleep.recording.channels.labels import bare_label, guess_role
from eegsleep.recording.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Signature:
    """How a preset is recognised; every condition that is given must hold. See `devices.toml` for the patterns."""

    labels: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    only: bool = False


@dataclass(frozen=True)
class Device:
    """What a device writes; the fields are described at the top of `devices.toml`.

    Attributes
    ----------
    name, title : str
        The name for `--device`, and the name for readers.
    recognised : tuple of Signature
        One of them is enough to recognise the device.
    eeg, eog, emg : tuple of tuple of str
        Derivations in order of trust, each with its spellings.
    filter, validation : str
        Filters of the maker; what is known about staging on this device.
    faults, source : tuple of str
        Known faults of its files; the sources of this entry.
    twelve_hour_clock : bool
        Whether its writer stores the start by a 12-hour clock.
    """

    name: str
    title: str
    recognised: tuple[Signature, ...]
    eeg: tuple[tuple[str, ...], ...]
    eog: tuple[tuple[str, ...], ...]
    emg: tuple[tuple[str, ...], ...]
    filter: str
    validation: str
    faults: tuple[str, ...]
    source: tuple[str, ...]
    twelve_hour_clock: bool = False


def load_devices() -> dict[str, Device]:
    """Return all presets by name, in the order of `devices.toml`.

    Returns
    -------
    dict of str to Device
    """
    return dict(_read_presets())


@cache
def _read_presets() -> dict[str, Device]:
    import tomllib
    from importlib.resources import files

    tables = tomllib.loads(files("eegsleep.recording.channels").joinpath("devices.toml").read_text(encoding="utf-8"))
    return {name: _make_device(name, table) for name, table in tables.items()}


def _make_device(name: str, table: dict[str, Any]) -> Device:
    values = _freeze(table)
    values["recognised"] = tuple(Signature(**_freeze(signature)) for signature in table["recognised"])
    for role in ("eeg", "eog", "emg"):
        values[role] = tuple((entry,) if isinstance(entry, str) else tuple(entry) for entry in table[role])
    return Device(name=name, **values)


def _freeze(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table of TOML with tuples in place of lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def find_device(name: str) -> Device:
    """Return a preset by its name, in any letter case.

    Parameters
    ----------
    name : str
        As in `devices.toml`; spaces around it do not matter, and `_` is read as `-`.

    Returns
    -------
    Device

    Raises
    ------
    SettingsError
        If there is no such preset.
    """
    devices = load_devices()
    try:
        return devices[name.strip().casefold().replace("_", "-")]
    except KeyError:
        raise SettingsError(
            "there is no such device", found=repr(name), allowed=", ".join(devices), remedy=suggest_name(name, devices)
        ) from None


def detect_device(labels: Sequence[str], kind: str, identity: str) -> Device:
    """Return the preset whose most specific signature fits a file; `generic` if none fits.

    Parameters
    ----------
    labels : sequence of str
        Labels of all channels.
    kind : str
        The container, as in `Source.kind`.
    identity : str
        Text of the header, as in `Source.identity`. File names are not used: they name people and conditions.

    Returns
    -------
    Device
    """
    devices = load_devices()
    matches = [
        ((bool(signature.text), len(signature.labels)), device)
        for device in devices.values()
        for signature in device.recognised
        if _fits(signature, labels, kind, identity)
    ]
    return max(matches, key=lambda match: match[0])[1] if matches else devices["generic"]


def find_device_faults(device: Device, labels: Sequence[str], kind: str, identity: str) -> list[Fault]:
    """Return a fault if the device that the user named is not that of the file.

    Parameters
    ----------
    device : Device
        The one named. A file without its signature may still be its own, if it has one of its derivations and fits no
        other device.
    labels, kind, identity
        As for `detect_device`.

    Returns
    -------
    list of Fault
        One or none.
    """
    if device.name == "generic" or any(_fits(signature, labels, kind, identity) for signature in device.recognised):
        return []
    detected = detect_device(labels, kind, identity)
    listed = {part for spellings in device.eeg for name in spellings for part in (name, *re.split("[-:]", name))}
    has_one = {bare_label(label) for label in labels} & {bare_label(name) for name in listed}
    if detected.name == "generic" and has_one:
        return []
    said = f"--device {device.name} was named, and the labels of the file are not those of {device.title}"
    said += f"; they fit {detected.name}" if detected.name != "generic" else ""
    return [Fault("device-differs", "needs the user", said, remedy="leave --device out, or name the right one")]


def find_clock_faults(device: Device, start: datetime | None) -> list[Fault]:
    """Return a fault if the device writes a 12-hour clock, so that an evening may look like a morning.

    Parameters
    ----------
    device : Device
    start : datetime or None
        Naive local start as the file gives it.

    Returns
    -------
    list of Fault
        One or none.
    """
    if not (device.twelve_hour_clock and start and 1 <= start.hour < 12):
        return []
    said = f"this device writes a clock of 12 hours; the start may be {start:%H:%M} or twelve hours later"
    remedy = "give the start yourself if it is wrong"
    return [Fault("twelve-hour-clock", "repaired", said, "start time", f"{start:%H:%M}", remedy)]


def _fits(signature: Signature, labels: Sequence[str], kind: str, identity: str) -> bool:
    wanted = [pattern.casefold() for pattern in signature.labels]
    fitting = [[fnmatchcase(label.strip().casefold(), pattern) for pattern in wanted] for label in labels]
    if not all(any(row[i] for row in fitting) for i in range(len(wanted))):
        return False
    if signature.only and any(
        guess_role(label) == "eeg" and not any(row) for label, row in zip(labels, fitting, strict=True)
    ):
        return False
    if signature.kinds and not any(fnmatchcase(kind, pattern) for pattern in signature.kinds):
        return False
    # the text must begin a word: a sleeper called Knoxon is not the recorder Nox
    return not signature.text or any(
        re.search(rf"(?<![^\W_]){re.escape(text)}", identity, re.IGNORECASE) for text in signature.text
    )
