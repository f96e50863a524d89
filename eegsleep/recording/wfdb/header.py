"""Headers of records in PhysioNet's own format (WFDB), read strictly.

Nothing is assumed that a header does not say: a signal without a gain was never calibrated, and is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import Fault, clean_text, decode_text
from eegsleep.recording.limits import MAX_SIGNALS, is_plausible_start
from eegsleep.recording.text.time_stamps import DATE_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MAX_HEADER_BYTES = 1_000_000
# Bits of a sample, by format. Left out: formats of differences, in which one lost byte spoils all that follow, and
# compressed ones.
BITS = {"16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12}
_RECORD = re.compile(
    r"(?P<name>[-\w]+)(?:/(?P<segments>\d+))?\s+(?P<signals>\d{1,4})"
    r"(?:\s+(?P<rate>\d+\.?\d*)(?:/-?\d+\.?\d*(?:\(-?\d+\.?\d*\))?)?(?:\s+(?P<frames>\d{1,12})"
    r"(?:\s+(?P<time>\d{1,2}:\d\d:\d\d)(?:\.\d{1,6})?(?:\s+(?P<date>\d{1,2}/\d{1,2}/\d{4}))?)?)?)?",
    re.ASCII,
)
# Baselines are 32-bit numbers, and checksums 16-bit ones, signed or not (header(5) of the WFDB Applications Guide).
_MAX_BASELINE = 1 << 31
_CHECKSUMS = 1 << 16
_NUMBER = r"-?\d{1,15}(?:\.\d*)?(?:[eE][-+]?\d{1,2})?"
_SIGNAL = re.compile(
    r"(?P<file>\S+)\s+(?P<format>\d+)(?:x(?P<per_frame>\d{1,5}))?(?::(?P<skew>\d{1,9}))?(?:\+(?P<offset>\d{1,9}))?"
    rf"(?:\s+(?P<gain>{_NUMBER})(?:\((?P<baseline>-?\d{{1,12}})\))?(?:/(?P<unit>\S+))?"
    r"(?:\s+(?P<bits>\d{1,2})(?:\s+(?P<zero>-?\d{1,12})(?:\s+(?P<first>-?\d{1,12})(?:\s+(?P<checksum>-?\d{1,12})(?:\s+\d+"
    r"(?:\s+(?P<label>\S.*))?)?)?)?)?)?)?",
    re.ASCII,
)
# A label becomes the name of a channel; a path in its place shows that the header was changed.
_PATH = re.compile(r"(?:^|[\\/])\.\.(?:[\\/]|$)|^[\\/~]|^[A-Za-z]:[\\/]")
DOWNLOAD = "fetch the record again; its header and its files belong together"


@dataclass(frozen=True)
class WfdbSignal:
    """One line of the header.

    `gain` is digital steps a unit, NaN where the signal is not calibrated; `span` is the smallest and largest step;
    `first` is the first sample in steps and `checksum` the sum of all of them in 16 bits, None where the header does
    not give them.
    """

    label: str
    file: str
    format: str
    per_frame: int
    offset_bytes: int
    gain: float
    baseline: float
    unit: str
    span: tuple[int, int]
    first: int | None
    checksum: int | None

    @property
    def missing(self) -> int:
        """The number that stands for a missing sample in this format."""
        return -(1 << (BITS[self.format] - 1))


@dataclass(frozen=True)
class WfdbHeader:
    """The header of one record."""

    rate_hz: float
    n_frames: int | None
    start: datetime | None
    signals: tuple[WfdbSignal, ...]
    faults: tuple[Fault, ...]


def is_wfdb_header(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is the header of a WFDB record.

    Parameters
    ----------
    head : bytes

    Returns
    -------
    bool
    """
    lines = _lines(head.decode("latin-1"))
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if record is None:
        return False
    return bool(record["segments"]) or (len(lines) > 1 and re.match(r"\S+\s+\d+[x:+\s]", f"{lines[1]} ") is not None)


def read_rate_hz(path: Path) -> float | None:
    """Return the frames a second that a header gives; None if it gives none, or is no header.

    Parameters
    ----------
    path : Path
        Of the header, `.hea`.

    Returns
    -------
    float or None
    """
    with path.open("rb") as file:
        lines = _lines(file.read(_MAX_HEADER_BYTES).decode("latin-1"))
    record = _RECORD.fullmatch(lines[0]) if lines else None
    rate_hz = float(record["rate"] or 0) if record else 0.0
    return rate_hz or None


def _lines(text: str) -> list[str]:
    """Return the lines of a header that are neither empty nor comments."""
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def read_header(path: Path) -> WfdbHeader:
    """Read the header of a record of one segment.

    Parameters
    ----------
    path : Path

    Returns
    -------
    WfdbHeader

    Raises
    ------
    RecordingError
        If a line does not follow the format, or describes samples that eegsleep does not read.
    """
    with path.open("rb") as file:
        raw = file.read(_MAX_HEADER_BYTES + 1)
    lines = _lines(raw.decode("latin-1"))
    record = _RECORD.fullmatch(lines[0]) if lines and len(raw) <= _MAX_HEADER_BYTES else None
    if record is None:
        raise header_error(path, "its first line is not that of a WFDB header", lines[0] if lines else "an empty file")
    if record["segments"]:
        raise RecordingError(
            f"{path.name} is a record of several segments, which may leave gaps or change channels",
            found=f"{record['segments']} segments",
            allowed="a record of one segment",
            remedy="give the header of a segment, or export the night as EDF",
        )
    n_signals, rate_hz = int(record["signals"]), float(record["rate"] or 0)
    if not 1 <= n_signals <= MAX_SIGNALS or len(lines) != 1 + n_signals:
        raise header_error(path, "it does not describe the signals it counts", f"{n_signals} signals")
    if not 0 < rate_hz <= 1e6:
        raise header_error(path, "it gives no sampling rate", lines[0])
    written = [_parse_signal(path, line) for line in lines[1 : 1 + n_signals]]
    labels = unique_labels(
        [decode_text((m["label"] or f"signal {i}").encode("latin-1")) for i, m in enumerate(written, start=1)]
    )
    if path_like := [label for label in labels if _PATH.search(label)]:
        raise header_error(path, "it gives a path in the place of the name of a signal", path_like[0])
    signals = tuple(_make_signal(match, label) for match, label in zip(written, labels, strict=True))
    _check_signals(path, signals)
    start, faults = _read_start(record)
    for signal, match in zip(signals, written, strict=True):
        faults += _find_scale_faults(signal, match)
    n_frames = int(record["frames"] or 0) or None
    return WfdbHeader(rate_hz, n_frames, start, signals, tuple(faults))


def _parse_signal(path: Path, line: str) -> re.Match:
    match = _SIGNAL.fullmatch(line)
    if match is None:
        raise header_error(path, "a line of it describes no signal", line)
    if match["format"] not in BITS or int(match["skew"] or 0) or int(match["per_frame"] or 1) < 1:
        raise RecordingError(
            f"{path.name} cannot be read: its samples are written in a way that eegsleep does not read",
            found=clean_text(f"format {line.split()[1]}"),
            allowed=f"formats {', '.join(BITS)}, without skew",
            remedy="convert the record with PhysioNet's own tools, or export the night as EDF",
        )
    return match


def _make_signal(match: re.Match, label: str) -> WfdbSignal:
    zero, bits = int(match["zero"] or 0), int(match["bits"] or 0) or BITS[match["format"]]
    half = 1 << (min(bits, BITS[match["format"]]) - 1)
    gain = float(match["gain"] or 0)
    return WfdbSignal(
        label=label,
        file=match["file"],
        format=match["format"],
        per_frame=int(match["per_frame"] or 1),
        offset_bytes=int(match["offset"] or 0),
        gain=gain or float("nan"),
        baseline=float(match["baseline"] or zero),
        # by the format, a signal without a unit is in millivolts
        unit=clean_text(match["unit"].encode("latin-1").decode("utf-8", "replace")) if match["unit"] else "mV",
        span=(zero - half, zero + half - 1),
        first=int(match["first"]) if match["first"] else None,
        checksum=int(match["checksum"]) if match["checksum"] else None,
    )


def _check_signals(path: Path, signals: Sequence[WfdbSignal]) -> None:
    """Raise if the fields of a signal contradict its format: numbers that its samples or their sum cannot have."""
    for signal in signals:
        half = -signal.missing
        if abs(signal.baseline) > _MAX_BASELINE:
            problem = f"the baseline it gives for {signal.label} does not fit into 32 bits"
            raise header_error(path, problem, f"{signal.baseline:g}")
        # 80 and 160 are offset binary, and are decoded to the same signed range
        if signal.first is not None and not -half <= signal.first < half:
            problem = f"the first sample it gives for {signal.label} does not fit into format {signal.format}"
            raise header_error(path, problem, str(signal.first))
        if signal.checksum is not None and not -_CHECKSUMS <= signal.checksum < _CHECKSUMS:
            raise header_error(path, f"the checksum it gives for {signal.label} is none", str(signal.checksum))


def _find_scale_faults(signal: WfdbSignal, match: re.Match) -> list[Fault]:
    """Return a fault if the header gives no gain, or no unit, for a signal."""
    if math.isnan(signal.gain):
        said = "its header gives no gain: it was never calibrated, and its amplitude cannot be known"
        return [
            Fault("not-calibrated", "refused", said, "gain", match["gain"] or "", "name another channel", signal.label)
        ]
    if not match["unit"]:
        said = "its header gives no unit; mV is used, as the format has it"
        return [Fault("unit-assumed", "repaired", said, "unit", channel=signal.label)]
    return []


def _read_start(record: re.Match) -> tuple[datetime | None, list[Fault]]:
    if not record["time"]:
        return None, []
    if not record["date"]:
        return None, [DATE_UNKNOWN]
    written = f"{record['date']} {record['time']}"
    try:
        start = datetime.strptime(written, "%d/%m/%Y %H:%M:%S")  # noqa: DTZ007 - local time without a zone
    except ValueError:
        start = None
    if start is None or not is_plausible_start(start):
        said = "the date in it cannot be right: its start is not known"
        return None, [Fault("date-unknown", "repaired", said, "start", written)]
    return start, []


def header_error(path: Path, problem: str, found: str) -> RecordingError:
    """Return the error that refuses a record because of its header.

    Parameters
    ----------
    path : Path
    problem, found : str
        What is wrong with the header, and its text there.

    Returns
    -------
    RecordingError
    """
    return RecordingError(f"{path.name} cannot be read: {problem}", found=clean_text(found), remedy=DOWNLOAD)
