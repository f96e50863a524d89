"""Raw files of the SD card of an OpenBCI Cyton (`OBCI_XX.TXT`): hexadecimal counts without times.

A row is the sample number (2 digits), 8 or 16 channels (6 digits each, two's complement of 24 bits), and with some
samples three of acceleration (4 digits each). Lines that begin with % mark start and stop; a line of milliseconds
follows each. Files were written after this description (OpenBCI's firmware and its GUI's converter); a real one is
yet to be tried.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import RecordingError
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.text.column import Column
from eegsleep.recording.text.rows import Rows
from eegsleep.recording.text.table import repaired

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SD_CARD = re.compile(r"%ST(ART|OP) AT|[0-9A-F]{2}(,[0-9A-F]{6}){4,}", re.IGNORECASE)
# Range 4.5 V and gain 24 of the ADS1299 as the board starts, in microvolts (OpenBCI, Cyton data format).
MICROVOLTS_PER_COUNT = 4.5e6 / 24 / (2**23 - 1)
_RATES_HZ = (250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)
_RATE_TOLERANCE = 0.02
_CHANNELS = (8, 16)
_BLOCK_BYTES = 1 << 22
_DIGITS = np.full(256, 255, dtype=np.uint8)
for _value, _pair in enumerate(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "aA", "bB", "cC", "dD", "eE", "fF"]):
    for _character in _pair:
        _DIGITS[ord(_character)] = _value


def read_sd_card(path: Path) -> Rows:
    """Read a raw file of the card.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Rows
        In microvolts at gain 24, without times.

    Raises
    ------
    RecordingError
        If a row is damaged, or the file does not hold 8 or 16 channels.
    """
    columns: list[Column] = []
    clocks_ms: list[int] = []
    n_channels, line, after_mark = 0, 1, False
    for block in _blocks(path):
        rows = block.split(b"\n")
        if not columns:
            n_channels = _count_channels(rows, path)
            room = int(1.02 * len(rows) * path.stat().st_size / len(block))
            columns = [Column(room, MICROVOLTS_PER_COUNT) for _ in range(n_channels)]
        texts, kept = [], []
        usual = {2 + 7 * n_channels, 2 + 7 * n_channels + 15}
        for number, row in enumerate(rows):
            text = row.rstrip(b"\r, ")
            if not text:
                continue
            if text.startswith(b"%"):
                after_mark = True
            elif len(text) in usual:
                texts.append(text[: 2 + 7 * n_channels])
                kept.append(line + number)
                after_mark = False
            elif after_mark and re.fullmatch(rb"[0-9A-Fa-f,]{1,20}", text):
                clocks_ms += [int(text, 16)] if len(text) == 8 else []
            else:
                raise _damaged(text, line + number)
        line += len(rows) - 1
        for column, counts in zip(columns, _parse(texts, kept, n_channels).T, strict=True):
            column.add(counts)
    rate_hz, faults = _find_rate(len(columns[0]) if columns else 0, clocks_ms, n_channels)
    return Rows(
        [f"EXG Channel {i}" for i in range(n_channels)],
        columns,
        None,
        (rate_hz,),
        faults=faults,
    )


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the file in blocks of whole lines; the card's last block is filled up with NUL bytes."""
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(_BLOCK_BYTES):
            lines, _, rest = (rest + chunk).rpartition(b"\n")
            if b"\0" in lines:
                lines, _, filling = lines.partition(b"\0")
                if filling.strip(b"\0 \r\n"):
                    raise RecordingError(
                        "the file holds NUL bytes", remedy="copy it again from the card; it was damaged"
                    )
            if lines:
                yield lines


def _count_channels(rows: list[bytes], path: Path) -> int:
    """Return how many channels most of the first rows have."""
    matches = [re.match(rb"[0-9A-Fa-f]{2}((?:,[0-9A-Fa-f]{6})+)(?![0-9A-Fa-f])", row) for row in rows[:50]]
    counts = [len(match[1]) // 7 for match in matches if match]
    if counts and counts[-1] in _CHANNELS:
        return counts[-1]
    raise RecordingError(
        f"{path.name} looks like a file of OpenBCI's SD card, and has another number of channels",
        found=f"{counts[-1]} channels" if counts else "no row of samples",
        allowed="8 channels (Cyton) or 16 (with Daisy)",
        remedy="convert it with the SD card converter of the OpenBCI GUI up to version 4, and read what that writes",
    )


def _parse(rows: list[bytes], numbers: list[int], n_channels: int) -> np.ndarray:
    """Return the counts of rows of one length, shape (n_rows, n_channels)."""
    if not rows:
        return np.empty((0, n_channels), dtype=np.int32)
    cells = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), 2 + 7 * n_channels)
    digits = _DIGITS[cells]
    commas = cells[:, 2::7] == ord(",")
    values = digits[:, 2:].reshape(len(rows), n_channels, 7)[:, :, 1:]
    wrong = ~commas.all(axis=1) | (values == 255).any(axis=(1, 2)) | (digits[:, :2] == 255).any(axis=1)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise _damaged(rows[at], numbers[at])
    counts = values.astype(np.int32) @ (16 ** np.arange(5, -1, -1, dtype=np.int32))
    return np.where(counts >= 1 << 23, counts - (1 << 24), counts).astype(np.int32)


def _damaged(row: bytes, number: int) -> RecordingError:
    return RecordingError(
        "a row of the SD card's file is damaged",
        found=f"{clean_text(row[:40].decode('latin-1'))!r} in row {number}",
        allowed="a sample number of 2 digits, channels of 6, acceleration of 4, divided by commas",
        remedy="copy the file again from the card, or remove that row",
    )


def _find_rate(n_samples: int, clocks_ms: list[int], n_channels: int) -> tuple[float, list[Fault]]:
    """Return the rate by the clock of the board at start and stop, else 250 Hz, and what was assumed."""
    said = f"amplitudes are those of gain 24, as the board starts; {n_channels} channels were counted"
    faults = [repaired("gain-assumed", said)]
    passed_s = (clocks_ms[-1] - clocks_ms[0]) / 1000 if len(clocks_ms) > 1 else 0.0
    if passed_s < 10:
        return _RATES_HZ[0], faults
    measured = n_samples / passed_s
    rate_hz = min(_RATES_HZ, key=lambda rate: abs(measured / rate - 1))
    if abs(measured / rate_hz - 1) > _RATE_TOLERANCE:
        raise RecordingError(
            "the samples of the SD card's file do not fit the time between its start and stop",
            found=f"{n_samples} samples in {passed_s:g} s, {measured:.4g} a second",
            allowed=", ".join(f"{rate:g}" for rate in _RATES_HZ) + " a second",
            remedy="cut the file into one for each recording: start and stop are marked with %",
        )
    return rate_hz, faults
