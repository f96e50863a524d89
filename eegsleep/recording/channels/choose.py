"""Which channels are used as EEG, EOG and EMG: those the user names, else by the device, else by their labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError, suggest_name
from eegsleep.recording.channels.labels import (
    ABOUT,
    NUMBERED,
    bare_label,
    find_look,
    first_electrode,
    fold_label,
    guess_role,
    rank_derivations,
)
from eegsleep.recording.faults import Fault
from eegsleep.recording.units import parse_unit, volts_per_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eegsleep.recording.channels.presets import Device
    from eegsleep.recording.source import SourceChannel

# YASA's features need the spectrum up to 30 Hz; YASA refuses rates of 80 Hz and less.
MIN_RATE_HZ = 80.0
# The number chosen by default: more derivations cost time and add little to the report of one night.
MAX_DERIVATIONS = 2

# Units of quantities that are no voltage. A blank or unusual unit (`ADC`) may be one: there the user is asked.
_NOT_A_VOLTAGE = re.compile(
    r"ohm|\u03a9|\u2126|%|°|/|bpm|deg|h2o|hg|hz|lux|^(?:g|lx|s|ms|h|k?pa|db|k|c|l|m|cm|mm)$", re.IGNORECASE
)

# Made by subtraction where electrodes and mastoids share one reference (AASM's derivations, both namings).
_CENTRAL_TO_MASTOID = ("C4-M1", "C4-A1", "C3-M2", "C3-A2")


@dataclass(frozen=True)
class Derivation:
    """One signal to be used: channel `plus` as recorded, or `plus` minus `minus` if `minus` is not empty."""

    label: str
    role: str
    plus: str
    minus: str = ""


def names_of(derivations: Iterable[Derivation]) -> list[str]:
    """Return the channels that derivations are made of, each once.

    Parameters
    ----------
    derivations : iterable of Derivation

    Returns
    -------
    list of str
        Labels of channels of the file.
    """
    return list(dict.fromkeys(name for d in derivations for name in (d.plus, d.minus) if name))


def choose_derivations(
    channels: Sequence[SourceChannel],
    device: Device,
    *,
    eeg: Sequence[str] | None = None,
    eog: str | None = None,
    emg: str | None = None,
) -> tuple[Derivation, ...]:
    """Choose the signals to be used: those the user names, else by the device's list, else by 10-20 labels.

    Parameters
    ----------
    channels : sequence of SourceChannel
        All channels of the file, with unique labels; two of one name arrive as `EEG [1]` and `EEG [2]`.
    device : Device
        The preset.
    eeg : sequence of str, optional
        Labels, or `plus-minus` of two channels to be subtracted; all are taken. By default up to two
        derivations from different electrodes.
    eog, emg : str, optional
        The same for an eye and a chin channel; by default one each if there is one.

    Returns
    -------
    tuple of Derivation
        EEG in order of trust, then EOG, then EMG. Those chosen by default are faster than `MIN_RATE_HZ`, and their
        unit is a voltage or not known.

    Raises
    ------
    RecordingError
        If a named channel is missing, ambiguous, too slow or cannot be subtracted, or no EEG is found.
    """
    asked: dict[str, list[str] | list[str | None]] = {
        "eeg": [eeg] if isinstance(eeg, str) else list(eeg or ()),
        "eog": [eog],
        "emg": [emg],
    }
    chosen = {role: [_take(name, role, channels) for name in names if name] for role, names in asked.items()}
    _check_one_role(chosen)
    shared = _numbered(channels)
    usable = [
        c
        for c in channels
        if c.rate_hz > MIN_RATE_HZ
        and not _NOT_A_VOLTAGE.search(c.unit.strip())
        and not ABOUT.search(c.label)
        and c.label not in shared
    ]
    for role, count in (("eeg", MAX_DERIVATIONS), ("eog", 1), ("emg", 1)):
        if not chosen[role]:
            taken = [derivation for derivations in chosen.values() for derivation in derivations]
            chosen[role] = _guess(role, usable, device, taken, count)
    if not chosen["eeg"]:
        raise _no_eeg(channels, shared)
    # naming one channel twice is a slip, not two derivations
    return tuple(dict.fromkeys(derivation for derivations in chosen.values() for derivation in derivations))


def _guess(
    role: str, usable: Sequence[SourceChannel], device: Device, taken: Sequence[Derivation], count: int
) -> list[Derivation]:
    """Return up to so many derivations, each from another electrode."""
    listed = []
    for spellings in getattr(device, role):
        found = (_resolve(name, role, usable) for name in spellings)
        listed.extend([d for d in found if isinstance(d, Derivation)][:1])
    labels = {derivation.label for derivation in taken}
    used = {derivation.plus for derivation in taken} if role != "eeg" else set()
    chosen: dict[str, Derivation] = {}
    for derivation in _free(listed, labels, used) or _free(_by_rule(role, usable), labels, used):
        chosen.setdefault(first_electrode(derivation.label), derivation)
    return list(chosen.values())[:count]


def _free(candidates: Iterable[Derivation], labels: set[str], used: set[str]) -> list[Derivation]:
    return [d for d in candidates if d.label not in labels and d.plus not in used]


def _by_rule(role: str, usable: Sequence[SourceChannel]) -> list[Derivation]:
    """Return all channels that have a role by their label, and the central derivations that can be made from two."""
    names = [channel.label for channel in usable if guess_role(channel.label) == role]
    if role == "eeg":
        names += _CENTRAL_TO_MASTOID
    found = [d for d in (_resolve(name, role, usable) for name in names) if isinstance(d, Derivation)]
    by_label = {derivation.label: derivation for derivation in found}
    return [by_label[label] for label in (rank_derivations(list(by_label)) if role == "eeg" else by_label)]


def _take(name: str, role: str, channels: Sequence[SourceChannel]) -> Derivation:
    """Return the derivation that the user named, or raise with the reason why it cannot be used."""
    derivation = _resolve(name, role, channels)
    if isinstance(derivation, Derivation):
        return derivation
    guess = suggest_name(name, [channel.label for channel in channels])
    raise RecordingError(
        f"channel {name!r} cannot be used",
        found=derivation,
        allowed=", ".join(c.label for c in channels if c.rate_hz > MIN_RATE_HZ) or "none: no channel is fast enough",
        remedy=f"{guess} Name a label of the file, or two as PLUS-MINUS, with --{role}".strip(),
    )


def _resolve(name: str, role: str, channels: Sequence[SourceChannel]) -> Derivation | str:
    """Return the derivation of that name, recorded or made by subtraction, or the reason why there is none."""
    found = find_channels(name, channels)
    if len(found) == 1:
        slow = _too_slow(found[0])
        return slow or Derivation(found[0].label, role, found[0].label)
    if found:
        return _several(found)
    parts = split_derivation(name, channels)
    return _subtract(*parts, role) if parts else "no such channel"


def split_derivation(
    name: str, channels: Sequence[SourceChannel]
) -> tuple[str, list[SourceChannel], list[SourceChannel]] | None:
    """Split the name of a derivation at the first `-` or `:` that has channels of the file on both sides.

    Parameters
    ----------
    name : str
    channels : sequence of SourceChannel

    Returns
    -------
    tuple of label, plus, minus; or None
        `PLUS-MINUS`, and the channels that each side may mean; None if no place has channels on both sides.
    """
    for place in (i for i, character in enumerate(name) if character in "-:"):
        plus, minus = find_channels(name[:place], channels), find_channels(name[place + 1 :], channels)
        if plus and minus:
            return f"{name[:place].strip()}-{name[place + 1 :].strip()}", plus, minus
    return None


def _subtract(label: str, plus: Sequence[SourceChannel], minus: Sequence[SourceChannel], role: str) -> Derivation | str:
    if len(plus) > 1 or len(minus) > 1:
        return _several(plus if len(plus) > 1 else minus)
    one, other = plus[0], minus[0]
    if one.label == other.label:
        return f"{one.label} on both sides of a subtraction"
    are_volts = parse_unit(one.unit) is not None and parse_unit(other.unit) is not None
    if one.rate_hz != other.rate_hz or not (are_volts or one.unit.strip() == other.unit.strip()):
        each = (f"{c.label} at {c.rate_hz:g} Hz in {c.unit.strip() or 'no unit'}" for c in (one, other))
        return f"channels that cannot be subtracted ({', '.join(each)})"
    return _too_slow(one) or Derivation(label, role, one.label, other.label)


def find_unit_faults(channels: Sequence[SourceChannel], derivations: Iterable[Derivation]) -> list[Fault]:
    """Return a fault for each channel of the derivations whose unit is not known.

    Parameters
    ----------
    channels : sequence of SourceChannel
        All channels of the file.
    derivations : iterable of Derivation

    Returns
    -------
    list of Fault
    """
    by_label = {channel.label: channel for channel in channels}
    found = (volts_per_unit(by_label[name]) for name in names_of(derivations))
    return [fault for fault in found if isinstance(fault, Fault)]


def find_choice_faults(channels: Sequence[SourceChannel], derivations: Sequence[Derivation]) -> list[Fault]:
    """Return what the user should know of the channels that were chosen without them.

    Parameters
    ----------
    channels : sequence of SourceChannel
        All channels of the file.
    derivations : sequence of Derivation
        Those chosen of them.

    Returns
    -------
    list of Fault
        One for each central electrode that is used without its mastoid, then one for each channel that is named like
        an EEG and was left out because its unit is no voltage.
    """
    used = names_of(derivations)
    said = "it is called like an EEG, but its unit is no voltage; it is left out"
    left_out = [
        c
        for c in channels
        if c.label not in used
        and c.rate_hz > MIN_RATE_HZ
        and guess_role(c.label) == "eeg"
        and isinstance(volts_per_unit(c), Fault)
    ]
    return [*_find_unsubtracted(channels, derivations)] + [
        Fault(
            "not-a-voltage",
            "needs the user",
            said,
            "unit",
            c.unit,
            f'if it is one, name it with --eeg and --units "{c.label}=uV"',
            c.label,
        )
        for c in left_out
    ]


def find_left_out(channels: Sequence[SourceChannel], derivations: Sequence[Derivation]) -> list[Fault]:
    """Return a fault for each channel that looks like an eye or the chin and is not used, where no other one is.

    Two nights whose eye channel is spelled differently would otherwise be staged differently in silence.

    Parameters
    ----------
    channels : sequence of SourceChannel
        All channels of the file.
    derivations : sequence of Derivation
        Those chosen of them.

    Returns
    -------
    list of Fault
    """
    chosen = {derivation.role for derivation in derivations}
    used = set(names_of(derivations))
    words = {"eog": "an eye", "emg": "the chin"}
    found = [(c, find_look(c.label)) for c in channels if c.label not in used and c.rate_hz > MIN_RATE_HZ]
    return [
        Fault(
            "looks-alike",
            "needs the user",
            f"its label looks like that of {words[look]}, and is not known as one; it is not used",
            remedy=f'if it is one, name it with --{look} "{c.label}"',
            channel=c.label,
        )
        for c, look in found
        if look and look not in chosen and not _NOT_A_VOLTAGE.search(c.unit.strip())
    ]


def _find_unsubtracted(channels: Sequence[SourceChannel], derivations: Iterable[Derivation]) -> Iterable[Fault]:
    """Yield a fault for each central electrode that is staged alone although its mastoid is in the file.

    Against the recorder's own reference its amplitude and stages differ from those of the derivation.
    """
    for derivation in derivations:
        for name in _CENTRAL_TO_MASTOID if derivation.role == "eeg" and not derivation.minus else ():
            parts = split_derivation(name, channels) if bare_label(derivation.label) == bare_label(name[:2]) else None
            found = _subtract(*parts, "eeg") if parts else ""
            if isinstance(found, str) and found:
                said = f"{name} could not be made: {found}; it is used against the recorder's own reference"
                remedy = f'name the derivation with --eeg, or the units for "{name}" with --units'
                yield Fault("not-subtracted", "needs the user", said, remedy=remedy, channel=derivation.plus)


def find_channels(name: str, channels: Sequence[SourceChannel]) -> list[SourceChannel]:
    """Return the channels of a name: spelt exactly so, else spelt in another way, else all that share it.

    Parameters
    ----------
    name : str
    channels : sequence of SourceChannel

    Returns
    -------
    list of SourceChannel
        Empty if there is none.
    """
    for spell in (str.strip, fold_label, bare_label):
        if found := [channel for channel in channels if spell(channel.label) == spell(name)]:
            return found
    return [c for c in channels if (match := NUMBERED.match(c.label)) and fold_label(match["name"]) == fold_label(name)]


def _numbered(channels: Sequence[SourceChannel]) -> list[str]:
    """Return the labels that carry a number because several channels of the file have that name."""
    names = [match["name"] for channel in channels if (match := NUMBERED.match(channel.label))]
    return [c.label for c in channels if (match := NUMBERED.match(c.label)) and names.count(match["name"]) > 1]


def _too_slow(channel: SourceChannel) -> str:
    slow = channel.rate_hz <= MIN_RATE_HZ
    return f"a rate of {channel.rate_hz:g} Hz, where more than {MIN_RATE_HZ:g} Hz is needed" if slow else ""


def _several(found: Sequence[SourceChannel]) -> str:
    return "several channels of that name: " + ", ".join(channel.label for channel in found)


def _check_one_role(chosen: dict[str, list[Derivation]]) -> None:
    roles: dict[str, str] = {}
    for derivation in (derivation for derivations in chosen.values() for derivation in derivations):
        if roles.setdefault(derivation.label, derivation.role) != derivation.role:
            raise RecordingError(
                f"channel {derivation.label!r} cannot be both {roles[derivation.label]} and {derivation.role}",
                remedy="name it for one of them",
            )


def _no_eeg(channels: Sequence[SourceChannel], shared: Sequence[str]) -> RecordingError:
    same = [c for c in channels if c.label in shared and guess_role(NUMBERED.sub(r"\g<name>", c.label)) == "eeg"]
    return RecordingError(
        "no EEG derivation was recognised in this file",
        found=_several(same) if same else ", ".join(channel.label for channel in channels) or "no channel",
        allowed=f"10-20 names such as C4-M1, at more than {MIN_RATE_HZ:g} Hz",
        remedy=f'name the derivation with --eeg "{same[0].label}"' if same else "name the derivation with --eeg LABEL",
    )
