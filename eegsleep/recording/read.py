"""A file becomes a `Recording`: the channels asked for, in volts that are volts, at known times."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.provenance import hash_bytes, hash_file
from eegsleep.recording.channels import MIN_RATE_HZ, choose_derivations, guess_role
from eegsleep.recording.delimited import open_text, sniff_text
from eegsleep.recording.edf import open_edf
from eegsleep.recording.faults import Fault
from eegsleep.recording.folder import open_folder
from eegsleep.recording.foreign import open_foreign
from eegsleep.recording.header import HeaderRefusedError, is_edf
from eegsleep.recording.presets import detect_device, find_device
from eegsleep.recording.units import volts_per_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import mne
    import numpy as np

    from eegsleep.recording.channels import Derivation
    from eegsleep.recording.presets import Device
    from eegsleep.recording.source import Source, SourceChannel

logger = logging.getLogger(__name__)

# Staging, events and spectra all work at this rate, as YASA's classifiers do (doi:10.7554/eLife.70092).
ANALYSIS_RATE_HZ = 100.0


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
        for path, size, changed_ns in self.files:
            stat = path.stat()
            if (stat.st_size, stat.st_mtime_ns) != (size, changed_ns):
                raise RecordingError(f"{path.name} was changed while it was worked on", remedy="read it again")
        hashes = [hash_file(path) for path, _, _ in self.files]
        return hashes[0] if len(hashes) == 1 else hash_bytes("".join(hashes).encode()) if hashes else ""

    @cached_property
    def microvolts(self) -> np.ndarray:
        """All channels at `ANALYSIS_RATE_HZ` in µV, float64, shape (n_channels, n_samples).

        Samples that are missing in the recording are NaN here too, and only those.
        """
        import numpy as np

        raw = self.raw.copy().pick(self.channels)
        missing = ~np.isfinite(raw.get_data())
        if missing.any():  # resampling goes through a Fourier transform, which spreads one NaN over the night
            raw.apply_function(bridge_gaps, verbose="ERROR")
        if raw.info["sfreq"] != ANALYSIS_RATE_HZ:
            raw.resample(ANALYSIS_RATE_HZ, verbose="ERROR")
        data = raw.get_data() * 1e6
        rows, samples = np.nonzero(missing)
        after = (samples * (ANALYSIS_RATE_HZ / self.raw.info["sfreq"])).astype(int)
        data[rows, np.minimum(after, data.shape[1] - 1)] = np.nan
        return data

    def signal(self, label: str) -> np.ndarray:
        """Return one channel at `ANALYSIS_RATE_HZ` in µV, shape (n_samples,)."""
        return self.microvolts[self.channels.index(label)]


def bridge_gaps(signal: np.ndarray) -> np.ndarray:
    """Return the signal with missing samples bridged by a straight line, for filters that cannot bear NaN."""
    import numpy as np

    present = np.isfinite(signal)
    if present.all() or not present.any():
        return np.nan_to_num(signal, posinf=0.0, neginf=0.0)
    index = np.arange(signal.size)
    return np.interp(index, index[present], signal[present])


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
        or anything `mne.io.read_raw` opens. What a file is, its content decides, not its name.
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
        If there is no such device preset.
    """
    source = open_source(path)
    preset = find_device(device) if device else detect_device(source.labels, source.kind, source.identity)
    derivations = choose_derivations(source.channels, preset, eeg=eeg, eog=eog, emg=emg)
    raw, doubts = read_derivations(source, derivations, units or {})
    wanted = {"", *_names(derivations)}
    faults = [fault for fault in (*source.faults, *doubts) if fault.channel in wanted]
    faults += doubt_clock(source, preset) if start is None else []
    faults += [] if eeg else _left_out(source, derivations)
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
        files=tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in source.files),
    )


def open_source(path: str | Path) -> Source:
    """Open a recording of any known format and check what it says of itself; no signal is read yet.

    Raises
    ------
    RecordingError
        If it cannot be read without guessing.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return open_folder(path)
        if path.exists() and not path.is_file():
            raise RecordingError(f"{path} cannot be read", found="a pipe or device", remedy="give a file")
        with path.open("rb") as file:
            head = file.read(8192)
        if is_edf(head) or head[:2] == b"\x1f\x8b":
            return open_edf(path)
        kind = sniff_text(head)
        return open_text(path, kind) if kind else open_foreign(path)
    except HeaderRefusedError as error:
        refused = error.faults[-1].as_error(path.name)
        refused.faults = error.faults
        raise refused from None
    except (OSError, ValueError) as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise RecordingError(f"{path} cannot be read", found=found, remedy="check the path") from error


def read_derivations(
    source: Source, derivations: Sequence[Derivation], units: Mapping[str, str]
) -> tuple[mne.io.BaseRaw, list[Fault]]:
    """Read the derivations of a source in volts, and say what is implausible about them.

    Channels of another rate than the first derivation are resampled to its rate; where nothing was
    recorded they are NaN all the same.
    """
    import mne
    import numpy as np

    channels = {channel.label: channel for channel in source.channels}
    _refuse_unreadable(source, derivations)
    scales = {name: _scale(channels[name], units, source) for name in _names(derivations)}
    try:
        signals = dict(zip(scales, source.load(list(scales)), strict=True))
    except (OSError, ValueError) as error:
        raise RecordingError(f"the signals of {source.path.name} cannot be read", found=str(error)) from error
    doubts = _doubt_channels(source, [d for d in derivations if d.role == "eeg"], signals, scales)
    rate_hz = channels[derivations[0].plus].rate_hz
    data = np.empty((len(derivations), round(source.duration_s * rate_hz)))
    for number, (row, derivation) in enumerate(zip(data, derivations, strict=True)):
        plus, minus, own_hz = derivation.plus, derivation.minus, channels[derivation.plus].rate_hz
        np.multiply(_at_rate(signals[plus], own_hz, rate_hz, row.size), scales[plus], out=row)
        if minus:
            np.subtract(row, _at_rate(signals[minus], own_hz, rate_hz, row.size) * scales[minus], out=row)
            dead = _held(signals[plus], own_hz) | _held(signals[minus], own_hz)
            at = (np.flatnonzero(dead) * (rate_hz / own_hz)).astype(int)
            row[np.minimum(at, row.size - 1)] = np.nan
        for name in set(signals) - set(_names(derivations[number + 1 :])):
            del signals[name]  # half the memory: what was taken over is let go
    info = mne.create_info([d.label for d in derivations], rate_hz, [d.role for d in derivations])
    raw = mne.io.RawArray(data, info, verbose="ERROR")
    raw.set_annotations(_annotations(source), emit_warning=False, verbose="ERROR")
    return raw, doubts


def _doubt_channels(
    source: Source, eeg: Sequence[Derivation], signals: Mapping[str, np.ndarray], scales: Mapping[str, float]
) -> list[Fault]:
    """Return what is implausible about the channels that EEG derivations are made of."""
    from eegsleep.recording import plausibility

    channels = {channel.label: channel for channel in source.channels}
    chosen = [channels[name] for name in _names(eeg)]
    doubts = list(plausibility.doubt_scale(chosen, _alike(chosen, source.channels)))
    for channel in chosen:
        signal = signals[channel.label]
        doubts += plausibility.doubt_range(channel, signal)
        doubts += plausibility.doubt_joints(channel.label, signal, channel.rate_hz * source.record_s)
        doubts += plausibility.doubt_amplitude(channel.label, signal, channel.rate_hz, scales[channel.label] * 1e6)
    return doubts


def doubt_clock(source: Source, device: Device) -> list[Fault]:
    """Return a fault if the device writes a 12-hour clock, so that an evening may look like a morning."""
    if device.twelve_hour_clock and source.start and 1 <= source.start.hour < 12:
        said = f"this device writes a clock of 12 hours; the start may be {source.start:%H:%M} or twelve hours later"
        return [Fault("twelve-hour-clock", "repaired", said, "start time", f"{source.start:%H:%M}",
                      "give the start yourself if it is wrong")]  # fmt: skip
    return []


def _left_out(source: Source, derivations: Sequence[Derivation]) -> list[Fault]:
    """Return a fault for each channel that is an EEG by its name and was not taken because of its unit."""
    used = _names(derivations)
    return [
        Fault("not-a-voltage", "needs the user", "it is called like an EEG, but its unit is no voltage; it is left out",
              "unit", c.unit, f'if it is one, name it with --eeg and --units "{c.label}=uV"', c.label)
        for c in source.channels
        if c.label not in used and c.rate_hz > MIN_RATE_HZ and guess_role(c.label) == "eeg"
        and isinstance(volts_per_unit(c, {}), Fault)
    ]  # fmt: skip


def make_id(path: Path) -> str:
    """Return a name that is safe as a folder's name on every system."""
    name = re.sub(r"\.(gz|edf|bdf|rec|csv|txt)$", "", re.sub(r"\.gz$", "", path.name), flags=re.IGNORECASE)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:100].rstrip("._-")
    # what Windows keeps for devices
    reserved = re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.IGNORECASE)
    return f"night-{name}" if reserved else name or "night"


def _names(derivations: Iterable[Derivation]) -> list[str]:
    """Return the channels that derivations are made of, each once."""
    return list(dict.fromkeys(name for d in derivations for name in (d.plus, d.minus) if name))


def _refuse_unreadable(source: Source, derivations: Sequence[Derivation]) -> None:
    names = set(_names(derivations))
    for fault in source.faults:
        if fault.severity == "refused" and fault.channel in names:
            raise fault.as_error(source.path.name)


def _scale(channel: SourceChannel, units: Mapping[str, str], source: Source) -> float:
    scale = volts_per_unit(channel, units)
    if isinstance(scale, Fault):
        raise scale.as_error(source.path.name)
    return scale


def _alike(eeg: Sequence[SourceChannel], channels: Sequence[SourceChannel]) -> list[SourceChannel]:
    """Return the EEG channels whose scale can be compared with those chosen."""
    units = {channel.unit for channel in eeg}
    return [c for c in channels if c in eeg or (guess_role(c.label) == "eeg" and c.unit in units)]


def _at_rate(signal: np.ndarray, from_hz: float, to_hz: float, size: int) -> np.ndarray:
    """Return a signal at another rate and of a given size; missing samples stay missing."""
    import mne
    import numpy as np

    if from_hz == to_hz:
        return signal[:size]
    missing = ~np.isfinite(signal)
    resampled = mne.filter.resample(bridge_gaps(signal), to_hz, from_hz, verbose="ERROR")
    out = np.full(size, np.nan)
    out[: min(size, resampled.size)] = resampled[:size]
    if missing.any():
        nearest = np.minimum((np.arange(size) * (from_hz / to_hz)).astype(int), signal.size - 1)
        out[missing[nearest]] = np.nan
    return out


def _held(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return where a signal stands still for a second and more, bool of its shape.

    An electrode at its rail makes a difference look alive: what is left is the other electrode alone,
    against another reference than the label says.
    """
    import numpy as np

    still = np.concatenate([[False], np.diff(signal) == 0, [False]])
    starts, stops = np.flatnonzero(still[1:] & ~still[:-1]), np.flatnonzero(~still[1:] & still[:-1])
    held = np.zeros(signal.size + 1, dtype=int)
    long = stops - starts >= rate_hz
    np.add.at(held, starts[long], 1)
    np.add.at(held, stops[long] + 1, -1)
    return np.cumsum(held)[: signal.size] > 0


def _annotations(source: Source) -> mne.Annotations:
    import mne

    inside = [a for a in source.annotations if 0 <= a[0] < source.duration_s]
    inside += [(onset_s, duration_s, "BAD_GAP") for onset_s, duration_s in source.gaps]
    columns = zip(*inside, strict=True) if inside else ((), (), ())
    return mne.Annotations(*map(list, columns))
