"""Units of voltage as files spell them. For a unit that is not known the user is asked; none is assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegsleep.recording.faults import Fault

if TYPE_CHECKING:
    from eegsleep.recording.source import SourceChannel

# Exact spellings only. `MV` could be mega or milli, `mv` is neither; for both the user is asked.
VOLTS_PER_UNIT = {
    "V": 1.0,
    "Volt": 1.0,
    "volt": 1.0,
    "Volts": 1.0,
    "volts": 1.0,
    "mV": 1e-3,
    "millivolt": 1e-3,
    "milliV": 1e-3,
    "uV": 1e-6,
    "uv": 1e-6,
    "UV": 1e-6,
    "microV": 1e-6,
    "uVolt": 1e-6,
    "uVolts": 1e-6,
    "microvolt": 1e-6,
    "\N{MICRO SIGN}V": 1e-6,
    "\N{GREEK SMALL LETTER MU}V": 1e-6,
    "\N{MICRO SIGN}v": 1e-6,
    "nV": 1e-9,
}


def parse_unit(text: str) -> float | None:
    """Return volts per unit for a known spelling, with or without brackets around it; None if it is not known.

    Parameters
    ----------
    text : str
        As a file or the user writes it, such as `uV` or `[mV]`.

    Returns
    -------
    float or None
    """
    unit = text.strip()
    if (unit[:1], unit[-1:]) in {("(", ")"), ("[", "]")}:
        unit = unit[1:-1].strip()
    return VOLTS_PER_UNIT.get(unit)


def volts_per_unit(channel: SourceChannel) -> float | Fault:
    """Return how many volts one unit of a channel is, or the fault that its unit is not known.

    Parameters
    ----------
    channel : SourceChannel

    Returns
    -------
    float or Fault
    """
    volts = parse_unit(channel.unit)
    if volts is not None:
        return volts
    return Fault(
        "unit-unknown",
        "needs the user",
        "its unit is not known, so its amplitude cannot be trusted; allowed are V, mV, uV and nV",
        "unit",
        channel.unit or "none",
        f'name it with --units "{channel.label}=uV"',
        channel.label,
    )
