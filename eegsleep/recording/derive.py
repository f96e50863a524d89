"""Reading the derivations of an opened file, in volts, and checking that they are plausible."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError, describe_error
from eegsleep.recording.channels.choose import names_of
from eegsleep.recording.channels.labels import guess_role
from eegsleep.recording.faults import Fault
from eegsleep.recording.pieces import memory_refused
from eegsleep.recording.rates import at_rate, carry_over, find_held
from eegsleep.recording.signals import Signals
from eegsleep.recording.units import parse_unit, volts_per_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from eegsleep.recording.channels.choose import Derivation
    from eegsleep.recording.source import Source, SourceChannel

# Signals are read in groups of about this size, or of a quarter of all that are asked for, so that memory never holds
# all signals as read and all derivations at once.
_GROUP_BYTES = 120_000_000
_CHUNK_SAMPLES = 1 << 18
# An annotation further before the first sample belongs to another night.
_BEFORE_S = 12 * 3600.0


def read_derivations(source: Source, derivations: Sequence[Derivation]) -> tuple[Signals, list[Fault]]:
    """Read derivations of a source in volts, and return what is implausible about them.

    Parameters
    ----------
    source : Source
    derivations : sequence of Derivation
        As `choose_derivations` returns them.

    Returns
    -------
    signals : Signals
        One channel a derivation, at the rate of the first; slower and faster ones are resampled. NaN where nothing was
        recorded.
    faults : list of Fault

    Raises
    ------
    RecordingError
        If a channel is refused, its unit is not known, or its signal cannot be read.
    """
    _check_readable(source, derivations)
    channels = {channel.label: channel for channel in source.channels}
    scales = {name: _scale(channels[name], source) for name in names_of(derivations)}
    try:
        with memory_refused(source.path.name):
            return _Reading(source, derivations, channels, scales).read()
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"the signals of {source.path.name} cannot be read", found=describe_error(error)
        ) from error


@dataclass
class _Reading:
    """Signals that were read and are not converted yet, and the faults found in those that were."""

    source: Source
    derivations: Sequence[Derivation]
    channels: Mapping[str, SourceChannel]
    scales: Mapping[str, float]
    signals: dict[str, np.ndarray] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    reached: dict[str, tuple[bool, bool]] = field(default_factory=dict)

    def read(self) -> tuple[Signals, list[Fault]]:
        import numpy as np

        from eegsleep.recording import plausibility

        rate_hz, number = self.channels[self.derivations[0].plus].rate_hz, 0
        data = np.empty((0, 0))
        for group in self.groups():
            names = [name for name in names_of(group) if name not in self.signals]
            self.signals.update(zip(names, self.source.load(names), strict=True))
            for name in names:
                self.check(name)
            if not data.size:  # only now, so that the memory of the first group is given back before
                data = np.empty((len(self.derivations), round(self.source.duration_s * rate_hz)))
            for derivation in group:
                self.convert(derivation, rate_hz, data[number])
                number += 1
                for name in set(self.signals) - set(names_of(self.derivations[number:])):
                    del self.signals[name]
        eeg = [self.channels[name] for name in self.eeg]
        scale = plausibility.find_scale_faults(eeg, _alike(eeg, self.source.channels), self.reached, self.faults)
        roles = {derivation.label: derivation.role for derivation in self.derivations}
        return Signals(data, rate_hz, roles, _annotations(self.source)), [*scale, *self.faults]

    @property
    def eeg(self) -> list[str]:
        """The channels of which EEG derivations are made."""
        return names_of(d for d in self.derivations if d.role == "eeg")

    def groups(self) -> list[list[Derivation]]:
        """Return the derivations in groups, each of which is read at once."""
        size = {name: 8 * self.source.duration_s * self.channels[name].rate_hz for name in self.scales}
        limit, used = max(_GROUP_BYTES, sum(size.values()) / 4), 0.0
        groups: list[list[Derivation]] = []
        for derivation in self.derivations:
            needed = sum(size.pop(name, 0) for name in (derivation.plus, derivation.minus))
            if not groups or used + needed > limit:
                groups.append([])
                used = 0.0
            groups[-1].append(derivation)
            used += needed
        return groups

    def convert(self, derivation: Derivation, rate_hz: float, row: np.ndarray) -> None:
        """Write one derivation in volts into its row, shape (n_samples,)."""
        import numpy as np

        plus, minus, own_hz = derivation.plus, derivation.minus, self.channels[derivation.plus].rate_hz
        np.multiply(at_rate(self.signals[plus], own_hz, rate_hz, row.size), self.scales[plus], out=row)
        if minus:
            other = at_rate(self.signals[minus], own_hz, rate_hz, row.size)
            for start in range(0, row.size, _CHUNK_SAMPLES):
                row[start : start + _CHUNK_SAMPLES] -= other[start : start + _CHUNK_SAMPLES] * self.scales[minus]
            dead = find_held(self.signals[plus], own_hz) | find_held(self.signals[minus], own_hz)
            row[carry_over(dead, own_hz, rate_hz, row.size)] = np.nan

    def check(self, name: str) -> None:
        """Add the faults of a channel to `faults`, if an EEG derivation is made of it."""
        from eegsleep.recording import plausibility

        if name not in self.eeg:
            return
        channel, signal = self.channels[name], self.signals[name]
        extremes = plausibility.find_extremes(signal)
        self.reached[name] = plausibility.find_reached_ends(channel, signal, extremes)
        found = plausibility.find_range_faults(channel, signal, extremes)
        found += plausibility.find_joint_faults(name, signal, channel.rate_hz * self.source.record_s)
        found += plausibility.find_amplitude_faults(channel, signal, self.scales[name] * 1e6)
        known = {fault.code for fault in self.source.faults if fault.channel == name}
        self.faults += [fault for fault in found if not (fault.code == "offset" and "dc-offset" in known)]


def _check_readable(source: Source, derivations: Sequence[Derivation]) -> None:
    names = set(names_of(derivations))
    for fault in source.faults:
        if fault.severity == "refused" and fault.channel in names:
            raise fault.as_error(source.path.name)


def _scale(channel: SourceChannel, source: Source) -> float:
    scale = volts_per_unit(channel)
    if isinstance(scale, Fault):
        raise scale.as_error(source.path.name)
    return scale


def _alike(eeg: Sequence[SourceChannel], channels: Sequence[SourceChannel]) -> list[SourceChannel]:
    """Return the EEG channels whose scale can be compared with that of the chosen ones."""
    return [c for c in channels if c in eeg or (guess_role(c.label) == "eeg" and parse_unit(c.unit) is not None)]


def _annotations(source: Source) -> tuple[tuple[float, float, str], ...]:
    """Return the annotations within the recording, in order of time, and its gaps among them."""
    # lights may go off before the first sample: such an annotation is moved to the start
    inside = [
        (max(onset_s, 0.0), max(duration_s + min(onset_s, 0.0), 0.0), text)
        for onset_s, duration_s, text in source.annotations
        if -_BEFORE_S <= onset_s < source.duration_s
    ]
    inside += [(onset_s, duration_s, "BAD_GAP") for onset_s, duration_s in source.gaps]
    end_s = source.duration_s
    return tuple(sorted((onset_s, min(duration_s, end_s - onset_s), text) for onset_s, duration_s, text in inside))
