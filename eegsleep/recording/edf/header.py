"""The header of an EDF or BDF file, with every field checked before it is used.

Layout and meaning of the fields: EDF (doi:10.1016/0013-4694(92)90009-7), EDF+
(doi:10.1016/s1388-2457(03)00123-8), and BioSemi's 24-bit variant of both. No sample is read here: `inspect_header`
returns what the header says, the faults in it, and the place of each signal within a record.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.edf.layout import Layout, find_extent
from eegsleep.recording.edf.start_time import read_start
from eegsleep.recording.faults import Fault, decode_text
from eegsleep.recording.limits import MAX_DURATION_S, MAX_SIGNALS

if TYPE_CHECKING:
    from datetime import datetime

    from eegsleep.recording.pieces import ByteFile

# Limits before anything is allocated; no sleep recorder comes near them.
MAX_RECORD_BYTES = 10_000_000
MAX_RATE_HZ = 100_000.0
# Eight hours in records of one sample at 256 Hz are seven million; the time of each costs memory.
MAX_RECORDS = 10_000_000

# Width in bytes of each field of the signal headers; a file holds all labels, then all transducers, ….
FIELD_WIDTHS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical minimum": 8,
    "physical maximum": 8,
    "digital minimum": 8,
    "digital maximum": 8,
    "prefiltering": 80,
    "samples per record": 8,
    "reserved": 32,
}
# Python's own float() accepts 1_000, non-ASCII digits, inf and nan; none of these is a number in a header.
_INTEGER = re.compile(rb"([+-]?[0-9]{1,8})(\.0*)?")
# What writers fill fields with; EDF asks for spaces.
PADDING = b" \0\t\r\n"
DECIMAL = re.compile(rb"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Signal:
    """One signal as the header describes it.

    `label` is unique: two signals called `EEG` become `EEG [1]` and `EEG [2]`, by their number in the file.
    `start_sample` is its place within a record. Limits that cannot be used are NaN, and a fault names the reason.
    """

    label: str
    unit: str
    physical_min: float
    physical_max: float
    digital_min: float
    digital_max: float
    samples_per_record: int
    start_sample: int
    is_annotation: bool

    @property
    def is_empty(self) -> bool:
        """Whether the signal has no sample in a record, and so no byte in the file."""
        return self.samples_per_record == 0

    @property
    def gain(self) -> float:
        """Physical units of one digital step."""
        return (self.physical_max - self.physical_min) / (self.digital_max - self.digital_min)


@dataclass(frozen=True)
class Header:
    """The header of an EDF or BDF file, checked.

    Attributes
    ----------
    kind : str
        `EDF`, `EDF+C`, `EDF+D`, `BDF`, `BDF+C` or `BDF+D`.
    sample_bytes : int
        2 in EDF, 3 in BDF.
    header_bytes : int
        Where the first record starts.
    n_records : int
        Whole records that the file holds and that belong to the recording.
    record_s : float
        Duration of one. 0 is only possible in a file of annotations alone.
    signals : tuple of Signal
        In the order of the file, annotation signals among them.
    start : datetime or None
        Naive local time at which the header says the recording starts.
    identity : str
        The patient and recording fields, transducers and filters, by which a device is recognised. It may name the
        sleeper.
    faults : tuple of Fault
    """

    kind: str
    sample_bytes: int
    header_bytes: int
    n_records: int
    record_s: float
    signals: tuple[Signal, ...]
    start: datetime | None
    identity: str
    faults: tuple[Fault, ...] = ()

    @cached_property
    def record_samples(self) -> int:
        """Samples of all signals in one record."""
        return sum(signal.samples_per_record for signal in self.signals)

    @property
    def record_bytes(self) -> int:
        """Size of one record."""
        return self.record_samples * self.sample_bytes

    def rate_hz(self, signal: Signal) -> float:
        """Return samples a second of one of the signals."""
        return signal.samples_per_record / self.record_s


class HeaderRefusedError(Exception):
    """The header cannot be used; `faults` holds all that were found, the one that refuses the file last."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(faults[-1].message)


def is_edf(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is EDF or BDF, whatever its name is.

    Parameters
    ----------
    head : bytes
        The first 8 bytes or more.

    Returns
    -------
    bool
    """
    return head[:8].strip(b" \0") == b"0" or head[:8] == b"\xffBIOSEMI"


def parse_integer(raw: bytes) -> int | None:
    """Return the whole number in a field, with any padding; None if it holds none. `256.0` is a whole number.

    Parameters
    ----------
    raw : bytes
        The field as it is in the file.

    Returns
    -------
    int or None
    """
    match = _INTEGER.fullmatch(raw.strip(PADDING))
    return int(match[1]) if match else None


def inspect_header(file: ByteFile, size_bytes: int | None, *, needs_signal: bool = True) -> Header:
    """Read and check the header of an EDF or BDF file.

    Parameters
    ----------
    file : ByteFile
    size_bytes : int or None
        Its size; None if not known yet, and then records are not counted.
    needs_signal : bool
        Whether a file of annotations alone is refused. Hypnograms are such files, and their records may have no
        duration.

    Returns
    -------
    Header

    Raises
    ------
    HeaderRefusedError
        If the file cannot be read without guessing.
    """
    return _Inspector(file, size_bytes, needs_signal).inspect()


@dataclass
class _Inspector:
    """The faults found so far, and one method for each step of the inspection."""

    file: ByteFile
    size_bytes: int | None
    needs_signal: bool
    faults: list[Fault] = field(default_factory=list)

    def inspect(self) -> Header:
        self.file.seek(0)
        main = self.file.read(256)
        if len(main) < 256:
            self.raise_fault("header-cut", "the file ends within its header", value=f"{len(main)} bytes")
        if not is_edf(main):
            self.raise_fault(
                "not-edf",
                "this is not an EDF or BDF file",
                field="version",
                value=decode_text(main[:8]),
                remedy="export the night as EDF from the program of your device",
            )
        is_bdf = main[0] == 0xFF
        n_signals = self.integer(main[252:256], "number of signals")
        if not 1 <= n_signals <= MAX_SIGNALS:
            self.raise_fault(
                "signal-count",
                f"a file has 1 to {MAX_SIGNALS} signals",
                field="number of signals",
                value=str(n_signals),
            )
        columns = self.columns(n_signals)
        header_bytes = self.header_size(main, n_signals)
        n_declared = self.integer(main[236:244], "number of records")
        record_s = self.record_duration(main, columns)
        signals = self.signals(columns, record_s, sample_bytes=3 if is_bdf else 2)
        header = Header(
            kind=self.kind(main, signals, is_bdf=is_bdf),
            sample_bytes=3 if is_bdf else 2,
            header_bytes=header_bytes,
            n_records=n_declared,
            record_s=record_s,
            signals=signals,
            start=self.start(main),
            identity=" ".join(map(decode_text, (main[8:168], *columns["transducer"], *columns["prefiltering"]))),
        )
        if not 0 < header.record_bytes <= MAX_RECORD_BYTES:
            self.raise_fault(
                "record-size",
                f"one record has at most {MAX_RECORD_BYTES / 1e6:g} MB",
                field="samples per record",
                value=f"{header.record_bytes} bytes together",
            )
        if self.size_bytes is not None:
            header = replace(header, n_records=self.count_records(header, self.size_bytes))
        return replace(header, faults=tuple(self.faults))

    # -- steps ---------------------------------------------------------------------------------------

    def columns(self, n_signals: int) -> dict[str, list[bytes]]:
        """Return every field of the signal headers, one list a field."""
        block = self.file.read(256 * n_signals)
        if len(block) < 256 * n_signals:
            self.raise_fault(
                "header-cut",
                f"the file ends within the headers of its {n_signals} signals",
                field="number of signals",
                value=str(n_signals),
            )
        columns, place = {}, 0
        for name, width in FIELD_WIDTHS.items():
            columns[name] = [block[place + i * width : place + (i + 1) * width] for i in range(n_signals)]
            place += n_signals * width
        return columns

    def header_size(self, main: bytes, n_signals: int) -> int:
        """Return where the records start, by the number of signals; the field for it must agree.

        If it does not, `count_records` compares the number of signals with the size of the file, and refuses the file
        if these do not agree either.
        """
        expected = 256 * (n_signals + 1)
        if parse_integer(main[184:192]) != expected:
            said = f"the size of the header is written wrongly; with {n_signals} signals it is {expected} bytes"
            self.note("header-size", said, field="header bytes", value=decode_text(main[184:192]))
        return expected

    def record_duration(self, main: bytes, columns: dict[str, list[bytes]]) -> float:
        """Return the duration of a record in seconds."""
        record_s = self.decimal(main[244:252], "record duration")
        if not math.isfinite(record_s) or record_s < 0 or record_s > MAX_DURATION_S:
            self.raise_fault(
                "record-duration",
                "the duration of a record must be a positive number of seconds",
                field="record duration",
                value=decode_text(main[244:252]),
            )
        if all(_is_annotation(label) for label in columns["label"]):
            if not self.needs_signal:
                return record_s
            self.raise_fault(
                "annotations-only",
                "the file holds annotations and no signal",
                remedy="if it is a hypnogram, give it with --hypnogram beside the recording",
            )
        if record_s == 0:
            self.raise_fault(
                "record-duration", "a record of no duration can hold no signal", field="record duration", value="0"
            )
        return record_s

    def signals(self, columns: dict[str, list[bytes]], record_s: float, sample_bytes: int) -> tuple[Signal, ...]:
        """Return all signals with their places within a record."""
        texts = [decode_text(label) for label in columns["label"]]
        labels = unique_labels(texts)
        signals, place = [], 0
        for i, label in enumerate(labels):
            n_samples = self.integer(columns["samples per record"][i], "samples per record", label)
            if n_samples == 0:
                said = f"signal {i + 1} ({label}) is empty: it has no sample a record, and is left out"
                self.note("signal-empty", said, field="samples per record", value="0")
            if n_samples < 0 or (record_s and n_samples / record_s > MAX_RATE_HZ):
                said = f"signal {i + 1} has no sample a record, or more than {MAX_RATE_HZ:g} a second"
                self.raise_fault("sampling-rate", said, field="samples per record", value=str(n_samples))
            is_annotation = _is_annotation(columns["label"][i])
            low, high, digital_low, digital_high = (
                [math.nan] * 4 if is_annotation or n_samples == 0 else self.limits(columns, i, label, sample_bytes)
            )
            signals.append(
                Signal(
                    label,
                    decode_text(columns["unit"][i]),
                    low,
                    high,
                    digital_low,
                    digital_high,
                    n_samples,
                    place,
                    is_annotation,
                )
            )
            place += n_samples
        return tuple(signals)

    def limits(self, columns: dict[str, list[bytes]], i: int, label: str, sample_bytes: int) -> list[float]:
        """Return physical and digital limits of a signal; all NaN, with a fault, if they give no scale."""
        names = ("physical minimum", "physical maximum", "digital minimum", "digital maximum")
        values = [self.decimal(columns[name][i], name, label) for name in names]
        broken = [name for name, value in zip(names, values, strict=True) if not math.isfinite(value)]
        low, high, digital_low, digital_high = values
        half = 2 ** (8 * sample_bytes - 1)
        if broken:
            problem, where = "a limit of its range is not a number, so its scale is not known", broken[0]
        elif low == high:
            problem, where = "its physical range is empty, so its scale is not known", names[0]
        elif digital_low >= digital_high:
            problem, where = "its digital minimum is not below its digital maximum, so its scale is not known", names[2]
        elif digital_low < -half or digital_high >= half or any(v != int(v) for v in values[2:]):
            problem, where = f"its digital limits are not whole numbers of {8 * sample_bytes} bits", names[2]
        elif abs(high) > 1e9 or abs(low) > 1e9:
            problem, where = "its physical range is beyond any unit's", names[1]
        else:
            if low > high:
                said = "its physical minimum is above its maximum, so the signal is inverted, as EDF has it"
                self.note("polarity", said, channel=label, field=names[0], value=f"{low:g} to {high:g}")
            return values
        self.faults.append(
            Fault(
                "range",
                "refused",
                problem,
                where,
                decode_text(columns[where][i]),
                "correct the field from the recorder's own settings",
                label,
            )
        )
        return [math.nan] * 4

    def kind(self, main: bytes, signals: tuple[Signal, ...], *, is_bdf: bool) -> str:
        family, reserved = ("BDF" if is_bdf else "EDF"), main[192:236].upper().lstrip()
        has_annotations = any(signal.is_annotation and not signal.is_empty for signal in signals)
        for plus in ("+C", "+D"):
            if reserved.startswith((family + plus).encode()):
                if plus == "+D" and not has_annotations:
                    said = "the file says that it has gaps, but not where"
                    self.raise_fault("no-time-keeping", said, field="reserved", value=decode_text(reserved))
                return family + plus
        return f"{family}+C" if has_annotations else family

    def start(self, main: bytes) -> datetime | None:
        start, faults = read_start(main)
        self.faults += faults
        return start

    def count_records(self, header: Header, size_bytes: int) -> int:
        """Return the number of whole records to read, after comparing the header with the size of the file."""
        layout = Layout(
            header.header_bytes,
            tuple(signal.samples_per_record for signal in header.signals),
            tuple(not signal.is_annotation and not signal.is_empty for signal in header.signals),
            header.sample_bytes,
            header.record_s,
        )
        extent = find_extent(self.file, size_bytes - header.header_bytes, header.n_records, layout)
        self.faults += extent.faults
        if any(fault.severity == "refused" for fault in extent.faults):
            raise HeaderRefusedError(self.faults)
        if extent.faults and any(signal.is_empty for signal in header.signals):
            said = "a signal has no sample a record, and the size of the file does not show that this is so"
            self.raise_fault("sampling-rate", said, field="samples per record", value="0")
        size_is_wrong = any(fault.code == "header-size" for fault in self.faults)
        if size_is_wrong and any(
            fault.code in {"cut-off", "trailing-bytes", "length-unknown"} for fault in extent.faults
        ):
            self.raise_fault(
                "header-contradiction",
                "neither the size of the header nor that of the file fits the number of signals",
                field="number of signals",
                value=str(len(header.signals)),
            )
        hours = extent.n_records * header.record_s / 3600
        if self.needs_signal and hours > MAX_DURATION_S / 3600:
            self.raise_fault(
                "too-long",
                f"a recording has at most {MAX_DURATION_S / 3600:g} h",
                field="record duration",
                value=f"{hours:.0f} h",
                remedy="split it into nights",
            )
        if extent.n_records > MAX_RECORDS:
            self.raise_fault(
                "too-many-records",
                f"a recording has at most {MAX_RECORDS:,} records",
                field="record duration",
                value=f"{extent.n_records:,} records of {header.record_s:g} s",
                remedy="export it with records of one second",
            )
        return extent.n_records

    # -- fields --------------------------------------------------------------------------------------

    def integer(self, raw: bytes, name: str, label: str = "") -> int:
        """Return a whole number, or refuse the file."""
        text, value = self.unpad(raw, name), parse_integer(raw)
        if value is None:
            self.raise_fault(
                "not-a-number",
                f"{name}{f' of {label}' if label else ''} is not a whole number",
                field=name,
                value=decode_text(raw),
            )
        if b"." in text:
            self.note(
                "whole-number",
                f"{name} is written with a decimal point; it was read as {value}",
                field=name,
                value=decode_text(raw),
                channel=label,
            )
        return value

    def decimal(self, raw: bytes, name: str, label: str = "") -> float:
        """Return a decimal number, NaN if it is none; the caller knows whether that matters."""
        text = self.unpad(raw, name)
        if not DECIMAL.fullmatch(text):
            return math.nan
        if b"," in text:
            self.note(
                "decimal-comma",
                f"{name} is written with a comma; it was read as a decimal point",
                field=name,
                value=decode_text(raw),
                channel=label,
            )
        return float(text.replace(b",", b"."))

    def unpad(self, raw: bytes, name: str) -> bytes:
        """Return a field without its padding."""
        if b"\0" in raw or b"\t" in raw:
            self.note("padding", f"{name} is not padded with spaces", field=name, value=decode_text(raw))
        return raw.strip(PADDING)

    def note(self, code: str, message: str, **details: str) -> None:
        """Add a fault that does not keep the file from being read."""
        self.faults.append(Fault(code, "repaired", message, **details))

    def raise_fault(self, code: str, message: str, **details: str) -> NoReturn:
        """Raise `HeaderRefusedError` with a fault and all that were found before."""
        details.setdefault("remedy", "export the file again from the recorder or its program")
        self.faults.append(Fault(code, "refused", message, **details))
        raise HeaderRefusedError(self.faults)


def _is_annotation(label: bytes) -> bool:
    """Return whether a signal holds annotations; some writers use other capitals than EDF+ asks for."""
    return decode_text(label).casefold() in {"edf annotations", "bdf annotations"}
