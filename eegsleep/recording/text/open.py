"""Text files of headbands as a `Source` on a regular grid: muselsl, Mind Monitor, OpenBCI, BrainBit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError, describe_error
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.source import Source, SourceChannel
from eegsleep.recording.text.formats import BRAINBIT, MIND_MONITOR_RATES_HZ, MUSE, READERS
from eegsleep.recording.text.rows import join_rows
from eegsleep.recording.text.sd_card import SD_CARD, read_sd_card
from eegsleep.recording.text.table import find_delimiter, find_utf16, fold, read_layout, repaired, split_line
from eegsleep.recording.text.time_stamps import DATE_UNKNOWN, NO_DATE, UTC, as_datetime, repair_stamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import numpy as np

    from eegsleep.recording.text.column import Column
    from eegsleep.recording.text.regular_grid import Grid
    from eegsleep.recording.text.rows import Rows

_LABORATORY = {"fp1", "fp2", "f3", "f4", "fz", "c3", "c4", "cz", "p3", "p4", "pz"}
_LARGE_OFFSET_UV = 200.0
# 2013 to 2099: BrainFlow did not exist before.
_UNIX_S = (1.36e9, 4.07e9)


def sniff_text(head: bytes) -> str:
    """Return the kind of a text file by its first bytes.

    Parameters
    ----------
    head : bytes
        The first 4 kB or more.

    Returns
    -------
    str
        A key of `READERS`; empty if the file is none of these.
    """
    text = head[: len(head) // 2 * 2].decode(find_utf16(head) or "utf-8-sig", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    if SD_CARD.match(lines[0]):
        return "OpenBCI SD card"
    if lines[0].startswith(("%OpenBCI", "%OBCI")):
        return "OpenBCI text"
    if _is_brainflow(lines):
        return "BrainFlow CSV"
    line = next((line for line in lines if not line.startswith("%")), "")
    return _kind_by_names([fold(name) for name in split_line(line, find_delimiter(line))])


def _is_brainflow(lines: Sequence[str]) -> bool:
    """Return whether rows are those of BrainFlow's stream file: numbers alone, one of the last a Unix time."""
    rows = [split_line(line, find_delimiter(line)) for line in lines[:2]]
    if len(rows) < 2 or not 10 <= len(rows[0]) <= 64 or len(rows[0]) != len(rows[1]):
        return False
    try:
        numbers = [[float(cell) for cell in row] for row in rows]
    except ValueError:
        return False
    return all(any(_UNIX_S[0] < number < _UNIX_S[1] for number in row[-3:]) for row in numbers)


def _kind_by_names(names: list[str]) -> str:
    known = {
        "OpenBCI text": names[0] == "sample index" and any(name.startswith("exg channel") for name in names),
        "muselsl CSV": names[0] == "timestamps" and sum(name in names for name in MUSE) >= 2,
        "Mind Monitor CSV": "timestamp" in names and any(name.startswith("raw_") for name in names),
        # With more channels of the 10-20 system it is a laboratory's file, whose rate and unit are not known.
        "BrainBit CSV": set(names) >= BRAINBIT and not _LABORATORY & set(names),
    }
    return next((kind for kind, fits in known.items() if fits), "")


def open_text(path: Path, kind: str) -> Source:
    """Read a text file of a known kind and place its samples on a regular grid.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        As `sniff_text` returns it.

    Returns
    -------
    Source
        Everything is parsed here; `load` only selects. `load` gives float64 arrays of shape
        (round(duration_s * rate_hz),) in the channel's unit, NaN where nothing was recorded.

    Raises
    ------
    RecordingError
        If the file cannot be read without the risk of reading it wrongly.
    """
    if kind not in {*READERS, "OpenBCI SD card"}:
        raise RecordingError("no such kind of text file", found=repr(kind), allowed=", ".join(READERS))
    path = Path(path)
    return _open_as(path, [path], kind)


def open_texts(folder: Path, paths: Sequence[Path], kind: str) -> Source:
    """Read text files that follow each other as one recording: all rows are placed on one grid.

    Parameters
    ----------
    folder : Path
        What the user named.
    paths : sequence of Path
        In order of time.
    kind : str
        As `sniff_text` returns it.

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If a file cannot be read, or they have different channels.
    """
    return _open_as(folder, paths, kind)


def _open_as(path: Path, paths: Sequence[Path], kind: str) -> Source:
    try:
        parts = [READERS[kind](p, read_layout(p)) if kind in READERS else read_sd_card(p) for p in paths]
        return make_source(path, paths, kind, parts[0] if len(parts) == 1 else join_rows(parts))
    except RecordingError as error:
        problem = error.problem if path.name in error.problem else f"{path.name} cannot be read: {error.problem}"
        raise RecordingError(problem, found=error.found, allowed=error.allowed, remedy=error.remedy) from error
    except (ValueError, OSError, OverflowError, MemoryError, KeyError, IndexError) as error:  # pandas' are ValueErrors
        raise RecordingError(
            f"{path.name} cannot be read as {kind}",
            found=clean_text(describe_error(error)),
            remedy="open it in a text editor: every row must hold plain numbers, with a point for the decimals",
        ) from error


def make_source(path: Path, paths: Sequence[Path], kind: str, rows: Rows) -> Source:
    """Return rows on a regular grid, with everything that was found on the way.

    Parameters
    ----------
    path : Path
        What the user named.
    paths : sequence of Path
        The files that the rows are from.
    kind : str
        The format, for `Source.kind`.
    rows : Rows

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If the stamps belong to another rate, overlap, or leave too much unrecorded.
    """
    import numpy as np

    from eegsleep.signals.epochs import find_runs

    _repair_stamps(rows)
    grid = _place_rows(rows)
    there = np.zeros(grid.n_samples, dtype=bool)
    there[grid.positions] = True
    if rows.unworn is not None:
        off = rows.unworn[grid.rows]
        there[grid.positions[off]] = False
        if off.any():
            rows.faults.append(
                repaired("headband-off", f"the headband was off for {off.sum() / grid.rate_hz:.1f} s: a gap")
            )
    first, end = find_runs(~there)
    gaps = tuple(zip((first / grid.rate_hz).tolist(), ((end - first) / grid.rate_hz).tolist(), strict=True))
    columns = dict(zip(rows.labels, rows.values, strict=True))

    def load(wanted: Sequence[str]) -> list[np.ndarray]:
        if unknown := [label for label in wanted if label not in columns]:
            raise RecordingError(
                f"{path.name} has no such channel", found=", ".join(unknown), allowed=", ".join(columns)
            )
        arrays = [grid.fill(columns[label]) for label in wanted]
        for array in arrays:
            array[~there] = np.nan
        return arrays

    start = _find_start(rows, grid)
    faults = [*rows.faults, *_describe_grid(grid, rows), *_describe_values(columns, rows, grid)]
    return Source(
        path=path,
        files=tuple(paths),
        kind=kind,
        start=start,
        duration_s=grid.n_samples / grid.rate_hz,
        load=load,
        channels=tuple(SourceChannel(label, grid.rate_hz, rows.unit) for label in columns),
        identity=f"{kind} {rows.identity}".strip(),
        gaps=gaps,
        faults=tuple(faults),
    )


def _find_start(rows: Rows, grid: Grid) -> datetime | None:
    """Return the local time of the first sample, and add a fault where the stamps do not give it."""
    start = None if rows.to_local_s is None else as_datetime(grid.origin_s + rows.to_local_s)
    if start is None and rows.stamps_s is not None and DATE_UNKNOWN not in rows.faults:
        rows.faults = [*(fault for fault in rows.faults if fault != UTC), NO_DATE]
    return start


def _repair_stamps(rows: Rows) -> None:
    """Leave out rows without a time, which become a gap, and correct the times of the others."""
    import numpy as np

    if rows.stamps_s is None:
        return
    if n_lacking := int((~np.isfinite(rows.stamps_s)).sum()):
        rows.faults.append(repaired("stamp-missing", f"{n_lacking} rows have no time stamp and are left out"))
        _keep_rows(rows, np.isfinite(rows.stamps_s))
    if len(rows.stamps_s) > 1:
        rows.stamps_s, faults = repair_stamps(rows.stamps_s, rows.rates_hz[0], rows.stamp_kind)
        rows.faults += faults
        if not np.isfinite(rows.stamps_s).all():
            _keep_rows(rows, np.isfinite(rows.stamps_s))


def _keep_rows(rows: Rows, kept: np.ndarray) -> None:
    """Keep the rows where `kept`, bool of shape (n_rows,), holds."""
    if rows.stamps_s is not None:
        rows.stamps_s = rows.stamps_s[kept]
    for column in rows.values:
        column.keep(kept)
    rows.counter = None if rows.counter is None else rows.counter[kept]
    rows.unworn = None if rows.unworn is None else rows.unworn[kept]


def _place_rows(rows: Rows) -> Grid:
    from eegsleep.recording.text.regular_grid import RateError, place_evenly, place_on_grid

    if not rows.values or not len(rows.values[0]):
        raise RecordingError("the file holds no samples")
    if rows.stamps_s is None:
        note = f"there are no times in it: {rows.rates_hz[0]:g} samples a second are assumed, long losses are invisible"
        rows.faults.append(repaired("rate-assumed", note))
        return place_evenly(len(rows.values[0]), rows.rates_hz[0])
    for rate_hz in rows.rates_hz:
        try:
            return place_on_grid(rows.stamps_s, rate_hz, packet=rows.packet, counter=rows.counter, values=rows.values)
        except RateError as error:
            refusal = error
    raise RecordingError(
        refusal.problem,
        found=refusal.found,
        allowed=" or ".join(f"{rate:g} within 5 %" for rate in rows.rates_hz),
        remedy=rows.rate_remedy or refusal.remedy,
    )


def _describe_grid(grid: Grid, rows: Rows) -> Iterator[Fault]:
    from eegsleep.recording.text.regular_grid import RATE_TOLERANCE

    if grid.lost:
        share = 100 * grid.lost / grid.n_samples
        yield repaired("packet-loss", f"{share:.2g} % of the samples ({grid.lost}) were lost: these are gaps")
    if grid.duplicates:
        yield repaired("duplicates", f"{grid.duplicates} rows repeat another and are left out")
    if grid.reordered:
        yield repaired("reordered", f"{grid.reordered} stretches of the file were put back in order of time")
    nominal = min(rows.rates_hz, key=lambda rate: abs(rate - grid.rate_hz))
    if abs(grid.rate_hz / nominal - 1) > RATE_TOLERANCE:
        yield repaired("rate-differs", f"samples came {grid.rate_hz:.2f} times a second instead of {nominal:g}")
    if grid.max_delay_s > 1:
        note = f"samples came up to {grid.max_delay_s:.1f} s late, or the clock was set: times are right to that only"
        yield repaired("stamps-late", note)


def _describe_values(columns: dict[str, Column], rows: Rows, grid: Grid) -> Iterator[Fault]:
    import numpy as np

    for label, column in columns.items():
        missing = int(np.isnan(column[grid.rows]).sum())
        if missing:
            yield Fault(
                "missing-values", "repaired", f"{missing} samples are not numbers and stay empty", channel=label
            )
        # Every tenth sample gives the median well enough.
        some = column[::10]
        offset = float(np.nanmedian(some)) if not np.isnan(some).all() else 0.0
        if rows.rates_hz[0] == MIND_MONITOR_RATES_HZ[0] and abs(offset) > _LARGE_OFFSET_UV:
            note = f"a constant of about {offset:.0f} {rows.unit} from the device is left in; filters remove it"
            yield Fault("dc-offset", "repaired", note, channel=label)
