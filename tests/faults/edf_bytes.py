"""EDF, EDF+ and BDF files made byte by byte, so that what is in them is known without asking any reader."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# Field of the main header: where it starts and how long it is.
MAIN_FIELDS = {
    "version": (0, 8),
    "patient": (8, 80),
    "recording": (88, 80),
    "date": (168, 8),
    "time": (176, 8),
    "header_bytes": (184, 8),
    "reserved": (192, 44),
    "n_records": (236, 8),
    "duration": (244, 8),
    "n_signals": (252, 4),
}
# Field of the signal headers: its length; each field comes for all signals before the next field starts.
SIGNAL_FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "pmin": 8,
    "pmax": 8,
    "dmin": 8,
    "dmax": 8,
    "prefilter": 80,
    "samples": 8,
    "spare": 32,
}
LIMITS_16 = (b"-500", b"500", b"-32768", b"32767")
LIMITS_24 = (b"-5000", b"5000", b"-8388608", b"8388607")

RECORDS = 60
RATE = 256
STEP_UV = 1000 / 65535
PATIENT = b"X X X X"
RECORDING = b"Startdate 14-JUN-2024 X X X"


@dataclass(frozen=True)
class Channel:
    """One signal as it will stand in the file: whole numbers, and what the header says of them."""

    label: bytes
    counts: np.ndarray
    unit: bytes = b"uV"
    limits: tuple[bytes, bytes, bytes, bytes] = LIMITS_16
    transducer: bytes = b"AgAgCl electrode"
    prefilter: bytes = b"HP:0.1Hz LP:75Hz"

    @property
    def numbers(self) -> np.ndarray:
        """The physical numbers the specification gives these counts, in the unit of the header."""
        pmin, pmax, dmin, dmax = (float(limit) for limit in self.limits)
        return pmin + (self.counts - dmin) * (pmax - pmin) / (dmax - dmin)


def eeg_counts(
    seed: int, samples: int, rate: float = RATE, sd_uv: float = 30.0, limits: tuple = LIMITS_16
) -> np.ndarray:
    """Return counts of a signal like EEG: power falling with frequency, a 10 Hz rhythm, no two seeds alike."""
    rng = np.random.default_rng(seed)
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    spectrum = rng.normal(size=frequency.size) + 1j * rng.normal(size=frequency.size)
    spectrum /= np.maximum(frequency, 0.5)
    spectrum *= 1 + 4 * np.exp(-(((frequency - 10) / 0.8) ** 2))
    spectrum[0] = 0
    signal = np.fft.irfft(spectrum, samples)
    return as_counts(signal * sd_uv / signal.std(), limits)


def noise_counts(seed: int, samples: int, sd_uv: float = 30.0) -> np.ndarray:
    """Return counts of white noise, in which no sample foretells the next."""
    return as_counts(np.random.default_rng(seed).normal(0, sd_uv, samples))


def as_counts(microvolts: np.ndarray, limits: tuple = LIMITS_16) -> np.ndarray:
    """Return the whole numbers that stand for these microvolts between these limits."""
    pmin, pmax, dmin, dmax = (float(limit) for limit in limits)
    counts = np.round((microvolts - pmin) * (dmax - dmin) / (pmax - pmin) + dmin)
    return np.clip(counts, dmin, dmax).astype(np.int64)


def build(
    channels: Sequence[Channel],
    records: int = RECORDS,
    duration: bytes = b"1",
    reserved: bytes = b"",
    *,
    width: int = 2,
    version: bytes = b"0",
    recording: bytes = RECORDING,
) -> bytes:
    """Return a file of these channels; `width` is the number of bytes of a sample (3 for BDF)."""
    count = len(channels)
    main = {
        "version": version,
        "patient": PATIENT,
        "recording": recording,
        "date": b"14.06.24",
        "time": b"23.15.30",
        "header_bytes": b"%d" % (256 + 256 * count),
        "reserved": reserved,
        "n_records": b"%d" % records,
        "duration": duration,
        "n_signals": b"%d" % count,
    }
    header = b"".join(main[name].ljust(size) for name, (_, size) in MAIN_FIELDS.items())
    of_signal = {
        "label": lambda c: c.label,
        "transducer": lambda c: c.transducer,
        "unit": lambda c: c.unit,
        "pmin": lambda c: c.limits[0],
        "pmax": lambda c: c.limits[1],
        "dmin": lambda c: c.limits[2],
        "dmax": lambda c: c.limits[3],
        "prefilter": lambda c: c.prefilter,
        "samples": lambda c: b"%d" % (c.counts.size // max(records, 1)),
        "spare": lambda _: b"",
    }
    for name, size in SIGNAL_FIELDS.items():
        header += b"".join(of_signal[name](channel).ljust(size)[:size] for channel in channels)
    blocks = []
    for channel in channels:
        wide = channel.counts.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
        blocks.append(wide.reshape(records, -1))
    return header + (np.hstack(blocks).tobytes() if blocks else b"")


@cache
def base_channels() -> tuple[Channel, Channel]:
    """Return the two channels of the sound file every broken one is made from."""
    return tuple(
        Channel(label, eeg_counts(seed, RECORDS * RATE, sd_uv=sd))
        for label, seed, sd in ((b"C4-M1", 1, 35.0), (b"F3-M2", 2, 25.0))
    )


@cache
def base() -> bytes:
    """Return the sound file: plain EDF, 60 records of 1 s, two EEG derivations at 256 Hz in uV."""
    return build(base_channels())


@cache
def base_truth() -> dict[str, np.ndarray]:
    """Return the microvolts in the sound file."""
    return truth_of(base_channels())


def truth_of(channels: Sequence[Channel]) -> dict[str, np.ndarray]:
    """Return label to microvolts of channels whose unit is the microvolt."""
    return {channel.label.decode("utf-8").strip(): channel.numbers for channel in channels}


def edited(content: bytes | None = None, *, signal: int = 0, **fields: bytes) -> bytes:
    """Return a file with the named header fields overwritten; fields of signals in the signal asked for."""
    content = base() if content is None else content
    n_signals = int(content[252:256])
    out = bytearray(content)
    for name, value in fields.items():
        offset, size = field_place(name, signal, n_signals)
        out[offset : offset + size] = value.ljust(size)[:size]
    return bytes(out)


def field_place(name: str, signal: int, n_signals: int) -> tuple[int, int]:
    """Return where a field starts and how many bytes it has."""
    if name in MAIN_FIELDS:
        return MAIN_FIELDS[name]
    offset = 256
    for field, size in SIGNAL_FIELDS.items():
        if field == name:
            return offset + signal * size, size
        offset += size * n_signals
    raise KeyError(name)


def keep_time(onset: str, *annotations: bytes) -> bytes:
    """Return a record's list of annotations: when the record starts, then what is given."""
    return onset.encode() + b"\x14\x14\x00" + b"".join(text + b"\x00" for text in annotations)


def plus(
    onsets: Sequence[float] | None = None,
    *,
    tals: Sequence[bytes] | None = None,
    reserved: bytes = b"EDF+C",
    size: int = 64,
    label: bytes = b"EDF Annotations",
    channels: Sequence[Channel] | None = None,
    first: bool = False,
    **fields: bytes,
) -> bytes:
    """Return the sound file as EDF+, its records starting at `onsets` or holding `tals` as they stand."""
    channels = base_channels() if channels is None else channels
    onsets = range(RECORDS) if onsets is None else onsets
    tals = [keep_time(f"+{onset:.8f}".rstrip("0").rstrip(".")) for onset in onsets] if tals is None else tals
    stamps = np.frombuffer(b"".join(tal.ljust(size, b"\x00")[:size] for tal in tals), "<i2")
    marks = Channel(label, stamps, b"", (b"-1", b"1", b"-32768", b"32767"), b"", b"")
    content = build([marks, *channels] if first else [*channels, marks], len(tals), reserved=reserved)
    return edited(content, **fields) if fields else content


def with_gaps(onsets: Sequence[float], truth: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Return the truth of 1 s records that start at `onsets`: each at its time, nothing in between."""
    truth = base_truth() if truth is None else truth
    starts = np.round((np.asarray(onsets, float) - min(onsets)) * RATE).astype(int)
    out = {}
    for label, signal in truth.items():
        placed = np.full(starts.max() + RATE, np.nan)
        for start, piece in zip(starts, signal.reshape(-1, RATE), strict=False):
            placed[start : start + RATE] = piece
        out[label] = placed
    return out
