"""A file becomes a `Recording`: the channels asked for, in volts that are volts, at known times."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.provenance import hash_file
from eegsleep.recording.channels import guess_role, rank_derivations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import edfio
    import mne
    import numpy as np

# Staging, events and spectra all work at this rate, as YASA's classifiers do (doi:10.7554/eLife.70092).
ANALYSIS_RATE_HZ = 100.0
# YASA's features need a spectrum up to 30 Hz and more; it refuses 80 Hz and less.
MIN_RATE_HZ = 80.0
# Below five minutes YASA's features, which are smoothed over 7.5 min, mean nothing.
MIN_DURATION_S = 300.0
# Without the user's word: more derivations cost time and add little to one night's report.
MAX_DERIVATIONS = 2

# How files spell the units of a voltage, and what one such unit is in volts.
VOLTS_PER_UNIT = {
    "V": 1.0,
    "mV": 1e-3,
    "uV": 1e-6, "uv": 1e-6, "UV": 1e-6, "microV": 1e-6, "uVolt": 1e-6, "uVolts": 1e-6,
    "µV": 1e-6, "\N{GREEK SMALL LETTER MU}V": 1e-6, "Â\N{MICRO SIGN}V": 1e-6, "Î¼V": 1e-6,
    "nV": 1e-9,
}  # fmt: skip
# What mne scales by itself; it takes every other unit as volts, without a word (mne-python#12964).
_MNE_SCALE = {"mV": 1e-3, "uV": 1e-6, "µV": 1e-6, "\N{GREEK SMALL LETTER MU}V": 1e-6}
# An EEG's robust standard deviation lies inside this; outside it, the unit is the first suspect.
_PLAUSIBLE_UV = (1.0, 500.0)


@dataclass(frozen=True)
class Recording:
    """One night's signals.

    Attributes
    ----------
    id : str
        Made from the file's name; names a night folder.
    raw : mne.io.BaseRaw
        The chosen channels, loaded, in volts, with channel types by role.
    roles : dict of str to str
        Channel label to `eeg`, `eog` or `emg`, EEG first in order of trust.
    start : datetime or None
        Naive local time of the first sample as the header says; None if it says nothing.
    sha256 : str
        Hash of the file; empty for a recording that was not read from one.
    device : str
        Name of the preset that was used.
    notes : tuple of str
        What was found odd while reading.
    """

    id: str
    raw: mne.io.BaseRaw
    roles: dict[str, str]
    start: datetime | None = None
    sha256: str = ""
    device: str = "generic"
    notes: tuple[str, ...] = field(default=())

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
) -> Recording:
    """Read the EEG derivations, EOG and EMG of an EDF file.

    Parameters
    ----------
    path : path
        An EDF or EDF+ file.
    eeg : sequence of str, optional
        Labels of the derivations to use, most trusted first. By default up to two are chosen by label.
    eog, emg : str, optional
        Labels of an eye and a chin channel. By default chosen by label; an EMG that is only an
        envelope (80 Hz or less) is left out.
    units : mapping of str to str, optional
        Unit of a channel whose header gives none or an unknown one.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If the file is missing, not EDF, has gaps, lasts under five minutes, has no EEG, or a chosen
        channel is unknown, ambiguous, too slow, or in an unknown unit.
    """
    path = Path(path)
    header = _read_header(path)
    signals = {signal.label.strip(): signal for signal in header.signals}
    roles = _choose_channels(header, eeg, eog, emg)
    scales = {label: _volts_per_unit(signals[label], units or {}) for label in roles}
    raw = _read_signals(path, roles, signals, scales)
    notes = (*_hold_to_header(path, raw), *_implausible_amplitudes(raw, roles))
    start = raw.info["meas_date"]
    if start is None:
        notes = (*notes, "The file gives no valid start date; times count from the first sample.")
    return Recording(
        id=_make_id(path),
        raw=raw,
        roles=roles,
        # EDF stores local time; mne tags it UTC although it is not (mne-python#6259).
        start=start.replace(tzinfo=None) if start is not None else None,
        sha256=hash_file(path),
        notes=notes,
    )


def _make_id(path: Path) -> str:
    """Return a name that is safe as a folder's name on every system."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", path.name.removesuffix(path.suffix)).strip("._-") or "night"


def _read_header(path: Path) -> edfio.Edf:
    """Return the header, or refuse the file; every foreign exception is wrapped here."""
    import warnings

    import edfio

    if not path.is_file():
        raise RecordingError(f"{path} cannot be read", found="no such file", remedy="check the path")
    with path.open("rb") as file:
        if file.read(8) != b"0       ":
            raise RecordingError(
                f"{path.name} is not an EDF file",
                found="a first field that is not the EDF version 0",
                allowed="EDF and EDF+ (.edf)",
                remedy="export the night as EDF from the program of your device",
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")
            duration_s, reserved = float(header.duration), header.reserved
    except Exception as error:  # the reader raises nine types; see the inspector for which fault
        raise RecordingError(f"the header of {path.name} cannot be read", found=str(error)) from error
    if reserved.startswith("EDF+D"):
        raise RecordingError(
            f"{path.name} is a discontinuous recording (EDF+D), and closing its gaps would shift every later time",
            allowed="EDF and continuous EDF+ (EDF+C)",
            remedy="export it as a continuous EDF",
        )
    if duration_s < MIN_DURATION_S:
        raise RecordingError(
            f"{path.name} is too short to be staged",
            found=f"{duration_s / 60:.1f} min",
            allowed=f"{MIN_DURATION_S / 60:.0f} min and more",
        )
    return header


def _choose_channels(header: edfio.Edf, eeg: Sequence[str] | None, eog: str | None, emg: str | None) -> dict[str, str]:
    """Return label to role, EEG first; what the user names is taken, the rest is guessed by label."""
    labels = [signal.label.strip() for signal in header.signals]
    fast = [s.label.strip() for s in header.signals if s.sampling_frequency > MIN_RATE_HZ]
    guessed: dict[str, list[str]] = {"eeg": [], "eog": [], "emg": []}
    for label in fast:
        if labels.count(label) == 1 and (role := guess_role(label)):
            guessed[role].append(label)
    chosen = list(eeg) if eeg else rank_derivations(guessed["eeg"])[:MAX_DERIVATIONS]
    roles = dict.fromkeys(chosen, "eeg")
    for role, named in (("eog", eog), ("emg", emg)):
        label = named or next((name for name in guessed[role] if name not in roles), None)
        if label:
            roles[label] = role
    for label in roles:
        if labels.count(label) != 1 or label not in fast:
            raise RecordingError(
                f"channel {label!r} cannot be used",
                found="no such channel" if label not in labels
                else "several channels of that name" if labels.count(label) > 1
                else f"a rate of {MIN_RATE_HZ:g} Hz or less",
                allowed=", ".join(fast) or "none: no channel is fast enough",
            )  # fmt: skip
    if "eeg" not in roles.values():
        raise RecordingError(
            "no EEG derivation was recognised in this file",
            found=", ".join(labels) or "no channel",
            allowed=f"10-20 names such as C4-M1, at more than {MIN_RATE_HZ:g} Hz",
            remedy="name the derivation with --eeg LABEL",
        )
    return roles


def _volts_per_unit(signal: edfio.EdfSignal, units: Mapping[str, str]) -> float:
    """Return by what to multiply mne's numbers so that they are volts."""
    label, written = signal.label.strip(), signal.physical_dimension.strip()
    unit = units.get(label, written)
    if unit not in VOLTS_PER_UNIT:
        raise RecordingError(
            f"the unit of channel {label!r} is not known, so its amplitude cannot be trusted",
            found=repr(unit) if unit else "none",
            allowed="V, mV, uV, nV",
            remedy=f'name it with --units "{label}=uV"',
        )
    return VOLTS_PER_UNIT[unit] / _MNE_SCALE.get(written, 1.0)


def _read_signals(
    path: Path, roles: Mapping[str, str], signals: Mapping[str, edfio.EdfSignal], scales: Mapping[str, float]
) -> mne.io.BaseRaw:
    """Read the chosen channels whole: mne returns other seconds from a lazily read mixed-rate file."""
    import warnings

    import mne

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = mne.io.read_raw_edf(
                path, include=[signals[label].label for label in roles], stim_channel=None, preload=True,
                encoding="latin1", verbose="ERROR",
            )  # fmt: skip
    except Exception as error:
        raise RecordingError(f"the signals of {path.name} cannot be read", found=str(error)) from error
    if sorted(raw.ch_names) != sorted(roles):
        raise RecordingError(
            f"{path.name} gave other channels than asked for",
            found=", ".join(raw.ch_names),
            allowed=", ".join(roles),
        )
    raw.reorder_channels(list(roles))
    raw.set_channel_types(dict(roles), on_unit_change="ignore", verbose="ERROR")
    for label, scale in scales.items():
        if scale != 1.0:
            raw.apply_function(lambda x, factor=scale: x * factor, picks=[label], verbose="ERROR")
    return raw


def _hold_to_header(path: Path, raw: mne.io.BaseRaw) -> tuple[str, ...]:
    """Cut off what follows the last declared record, which mne reads as EEG; say what is missing or unknown."""
    with path.open("rb") as file:
        header = file.read(252)
    records, record_s = int(header[236:244]), float(header[244:252])
    declared_s, found_s = records * record_s, raw.n_times / raw.info["sfreq"]
    if records < 0:
        return (
            f"The recorder was not stopped properly: the header gives no length; {found_s / 60:.1f} min were read.",
        )
    if found_s > declared_s + record_s / 2:
        raw.crop(0, declared_s, include_tmax=False, verbose="ERROR")
        return (f"The file goes on after its last record; only the declared {declared_s / 60:.1f} min were read.",)
    if found_s < declared_s - record_s / 2:
        return (f"The file is cut off: {found_s / 60:.1f} of the declared {declared_s / 60:.1f} min are there.",)
    return ()


def _implausible_amplitudes(raw: mne.io.BaseRaw, roles: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each EEG whose robust spread no EEG has, with the likely factor."""
    import numpy as np

    notes = []
    for label in (label for label, role in roles.items() if role == "eeg"):
        pieces = raw.get_data(picks=[label])[0]
        # differences over 0.1 s drop drift and offset at no cost; their spread is near that of the signal
        lag = max(1, round(raw.info["sfreq"] / 10))
        steps = 1e6 * (pieces[lag:] - pieces[:-lag])
        spread_uv = float(np.subtract(*np.quantile(steps[::7], [0.75, 0.25]))) / 1.349 / np.sqrt(2)
        if spread_uv == 0 or _PLAUSIBLE_UV[0] <= spread_uv <= _PLAUSIBLE_UV[1]:
            continue
        factor = 10.0 ** (3 * round(np.log10(20 / spread_uv) / 3))
        notes.append(
            f"{label} has a spread of {spread_uv:.3g} µV, which no EEG has; "
            + (f"its unit may be wrong by a factor of {factor:g}." if factor != 1 else "check its gain.")
        )
    return tuple(notes)
