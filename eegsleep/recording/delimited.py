"""Text files of headbands become a `Source` on a regular grid: muselsl, Mind Monitor, OpenBCI, BrainBit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.source import Source, SourceChannel
from eegsleep.recording.text_clock import (
    TIME_OF_DAY,
    as_datetime,
    as_seconds,
    local_shift,
    mend_daylight_saving,
    unroll_midnight,
)
from eegsleep.recording.text_table import TextLayout, find_delimiter, read_layout, read_table, repaired, split_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from eegsleep.recording.regular_grid import Grid

_MUSE = ("tp9", "af7", "af8", "tp10")
_BRAINBIT = {"t3", "t4", "o1", "o2"}
_LABORATORY = {"fp1", "fp2", "f3", "f4", "fz", "c3", "c4", "cz", "p3", "p4", "pz"}
_TIME_NAMES = {"time", "timestamp", "timestamps", "time (s)", "time_s", "t"}
_SD_CARD = re.compile(r"%ST(ART|OP) AT|[0-9A-F]{2}(,[0-9A-F]{6}){4,}", re.IGNORECASE)
_MUSE_PACKET = 12
# Mind Monitor writes what the device samples: 256 Hz, 220 Hz (Muse 2014), 500 Hz (its research preset).
_MIND_MONITOR_RATES_HZ = (256.0, 220.0, 500.0)
# BrainBit's converter ends at 0.4 V; larger numbers are not volts.
_BRAINBIT_MAX_V = 0.5
_LARGE_OFFSET_UV = 200.0
_BAD_CONTACT = 4


@dataclass
class _Rows:
    """What one format makes of its columns."""

    labels: list[str]
    values: list[np.ndarray]
    stamps_s: np.ndarray | None
    rates_hz: tuple[float, ...]
    unit: str = "uV"
    packet: int = 1
    counter: np.ndarray | None = None
    to_local_s: float | None = None  # added to a stamp gives naive local time; None if that is unknown
    unworn: np.ndarray | None = None
    faults: list[Fault] = field(default_factory=list)
    rate_remedy: str = ""
    identity: str = ""


def sniff_text(head: bytes) -> str:
    """Tell the kind of a text file from its first bytes (4 kB will do); empty if it is none that is known."""
    try:
        text = head.decode("utf-16") if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else head.decode("utf-8-sig", "replace")
    except UnicodeDecodeError:  # cut in the middle of a character
        text = head[: len(head) // 2 * 2 - 2].decode("utf-16", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    if lines[0].startswith("%OpenBCI") or _SD_CARD.match(lines[0]):
        return "OpenBCI text"
    line = next((line for line in lines if not line.startswith("%")), "")
    return _kind_by_names([_fold(name) for name in split_line(line, find_delimiter(line))])


def _kind_by_names(names: list[str]) -> str:
    known = {
        "OpenBCI text": names[0] == "sample index" and any(name.startswith("exg channel") for name in names),
        "muselsl CSV": names[0] == "timestamps" and sum(name in names for name in _MUSE) >= 2,
        "Mind Monitor CSV": "timestamp" in names and any(name.startswith("raw_") for name in names),
        # More of the 10-20 system is somebody's laboratory, and nothing says its rate and unit.
        "BrainBit CSV": set(names) >= _BRAINBIT and not _LABORATORY & set(names),
    }
    return next((kind for kind, fits in known.items() if fits), "")


def open_text(path: Path, kind: str) -> Source:
    """Read a text file of a known kind and lay its samples on a regular grid.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        As `sniff_text` says.

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
    readers: dict[str, Callable[[Path, TextLayout], _Rows]] = {
        "muselsl CSV": _read_muselsl, "Mind Monitor CSV": _read_mind_monitor,
        "OpenBCI text": _read_openbci, "BrainBit CSV": _read_brainbit,
    }  # fmt: skip
    if kind not in readers:
        raise RecordingError("no such kind of text file", found=repr(kind), allowed=", ".join(readers))
    path = Path(path)
    try:
        rows = readers[kind](path, read_layout(path))
        return _to_source(path, kind, rows)
    except RecordingError as error:
        problem = error.problem if path.name in error.problem else f"{path.name} cannot be read: {error.problem}"
        raise RecordingError(problem, found=error.found, allowed=error.allowed, remedy=error.remedy) from error
    except (ValueError, OSError, OverflowError, MemoryError, KeyError, IndexError) as error:  # pandas' are ValueErrors
        raise RecordingError(
            f"{path.name} cannot be read as {kind}", found=clean_text(str(error)),
            remedy="open it in a text editor: every row must hold plain numbers, with a point for the decimals",
        ) from error  # fmt: skip


def _read_muselsl(path: Path, layout: TextLayout) -> _Rows:
    names = [_fold(name) for name in layout.names]
    picks = [i for i, name in enumerate(names) if name in _MUSE or "aux" in name]
    table, faults = read_table(path, layout, [0, *picks])
    # Unix seconds are UTC and the zone is unknown. No date at all would lose which night it was; UTC that
    # says so keeps dates and the spacing of nights, and only clock times wait for the user's word.
    faults += [_UTC, *_skipped(layout, [0, *picks])]
    return _Rows(
        [layout.names[i] for i in picks], [table[i] for i in picks], as_seconds(table[0]), (256.0,),
        packet=_MUSE_PACKET, to_local_s=0.0, faults=faults,
        rate_remedy="some BlueMuse versions (2.3, 2.4) write wrong time stamps: record again with another version",
    )  # fmt: skip


def _read_mind_monitor(path: Path, layout: TextLayout) -> _Rows:
    import numpy as np

    names = [_fold(name) for name in layout.names]
    stamp, worn = names.index("timestamp"), names.index("headbandon") if "headbandon" in names else -1
    picks = [i for i, name in enumerate(names) if name.startswith(("raw_", "aux"))]
    contacts = {i: names.index(f"hsi_{names[i][4:]}") for i in picks if f"hsi_{names[i][4:]}" in names}
    wanted = [stamp, *picks, *contacts.values()] + [worn] * (worn >= 0)
    table, faults = read_table(path, layout, wanted, clock=stamp)
    raw = [table[i] for i in picks]
    filled = ~np.logical_and.reduce([np.isnan(values) for values in raw])
    if not filled.any():
        raise RecordingError(
            "the file holds no raw samples", remedy="switch raw EEG on in Mind Monitor and record again"
        )
    if not filled.all():
        faults.append(
            repaired("event-rows", f"{int((~filled).sum())} rows hold an event and no sample, and are left out")
        )
        table = {i: column[filled] for i, column in table.items()}
    unix = bool((table[stamp] < 0).any())  # see clock_seconds
    stamps = np.abs(table[stamp])
    faults += [_UTC] if unix else []
    if not unix:
        stamps, shifts = mend_daylight_saving(stamps)
        faults += shifts
    for i, contact in contacts.items():
        share = float(np.mean(table[contact] >= _BAD_CONTACT))
        if share > 0.1:
            note = f"the headband itself says that the contact was bad for {100 * share:.0f} % of the time"
            faults.append(Fault("contact-bad", "repaired", note, channel=clean_text(layout.names[i])))
    return _Rows(
        [layout.names[i] for i in picks], [table[i] for i in picks], stamps, _MIND_MONITOR_RATES_HZ,
        packet=_MUSE_PACKET, to_local_s=0.0, unworn=table[worn] == 0 if worn >= 0 else None, faults=faults,
        rate_remedy="set Mind Monitor's recording interval to constant and record again: this is not raw data",
    )  # fmt: skip


def _read_openbci(path: Path, layout: TextLayout) -> _Rows:
    first = ",".join(layout.comments[:1] + layout.first)
    if _SD_CARD.match(first):
        raise RecordingError(
            f"{path.name} is a raw file from OpenBCI's SD card", found="hexadecimal counts without time stamps",
            remedy="convert it with the OpenBCI GUI (SD card converter) and read what that writes",
        )  # fmt: skip
    header = dict(re.findall(r"%\s*(Sample Rate|Number of channels)\s*=\s*([\d.]+)", "\n".join(layout.comments)))
    rate_hz = float(header.get("Sample Rate", 0))
    if not 50 <= rate_hz <= 16000:
        raise RecordingError(f"{path.name} does not say its sample rate", remedy="put back the lines that begin with %")
    names = [_fold(name) for name in layout.names]
    picks = [i for i, name in enumerate(names) if re.fullmatch(r"(exg|eeg) channel \d+", name)]
    if not names:  # up to version 4 of the GUI: index, channels, auxiliary, clock time, Unix milliseconds
        picks = list(range(1, 1 + int(header["Number of channels"])))
    labels = [layout.names[i] if names else f"EXG Channel {i - 1}" for i in picks]
    announced = int(float(header.get("Number of channels", len(picks))))
    stamp, of_day = _find_openbci_clock(layout, names, picks)
    clock = of_day if stamp is None else None
    table, faults = read_table(path, layout, [0, *picks, *[i for i in (stamp, clock) if i is not None]], clock=clock)
    rows = _Rows(labels, [table[i] for i in picks], None, (rate_hz,), counter=table[0], faults=faults)
    if announced != len(picks):
        note = f"{announced} channels are announced, and {len(picks)} columns are named as channels"
        faults.append(repaired("channels-missing", note))
    rows.identity = " ".join(layout.comments)
    if stamp is not None:
        rows.stamps_s = as_seconds(table[stamp])
        shift = local_shift(layout.first[of_day], rows.stamps_s[0]) if of_day is not None else None
        rows.to_local_s = shift or 0.0
        faults += [_UTC] if shift is None else []
    elif clock is not None:
        rows.stamps_s = unroll_midnight(table[clock])
        if not TIME_OF_DAY.fullmatch(layout.first[clock]):
            rows.stamps_s, rows.to_local_s = table[clock], 0.0
        else:
            faults.append(
                repaired("date-unknown", "there are clock times without a date in it: its start is not known")
            )
    return rows


def _read_brainbit(path: Path, layout: TextLayout) -> _Rows:
    import numpy as np

    names = [_fold(name) for name in layout.names]
    picks = [i for i, name in enumerate(names) if name in _BRAINBIT or "aux" in name]
    stamp = next((i for i, name in enumerate(names) if name in _TIME_NAMES), None)
    table, faults = read_table(path, layout, picks + [stamp] * (stamp is not None))
    faults += _skipped(layout, picks + [stamp] * (stamp is not None))
    rows = _Rows([layout.names[i] for i in picks], [table[i] for i in picks], None, (250.0,), unit="V", faults=faults)
    if stamp is not None:
        rows.stamps_s = as_seconds(table[stamp])
        if rows.stamps_s[np.isfinite(rows.stamps_s)].min() > 1e8:  # otherwise seconds since some beginning
            rows.to_local_s = 0.0
            faults.append(_UTC)
    if any(np.nanmax(np.abs(values), initial=0) > _BRAINBIT_MAX_V for values in rows.values):
        rows.unit = ""
        note = "the numbers are larger than a BrainBit's range in volts, so their unit is not known"
        remedy = "say the unit of each channel, such as T3=uV"
        faults += [
            Fault("unit-unknown", "needs the user", note, remedy=remedy, channel=clean_text(n)) for n in rows.labels
        ]
    return rows


def _to_source(path: Path, kind: str, rows: _Rows) -> Source:
    """Lay the rows on a grid and say everything that was found on the way."""
    import numpy as np

    from eegsleep.recording.regular_grid import find_runs

    for column in rows.values:
        column[np.isinf(column)] = np.nan
    _drop_unstamped(rows)
    grid = _lay_rows(rows)
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
    labels = _make_unique(rows.labels)
    columns = dict(zip(labels, rows.values, strict=True))

    def load(wanted: Sequence[str]) -> list[np.ndarray]:
        if unknown := [label for label in wanted if label not in columns]:
            raise RecordingError(
                f"{path.name} has no such channel", found=", ".join(unknown), allowed=", ".join(columns)
            )
        arrays = [grid.fill(columns[label]) for label in wanted]
        for array in arrays:
            array[~there] = np.nan
        return arrays

    start = None if rows.to_local_s is None else as_datetime(grid.origin_s + rows.to_local_s)
    faults = [*rows.faults, *_describe_grid(grid, rows), *_describe_values(columns, rows, grid)]
    return Source(
        path=path, files=(path,), kind=kind, start=start, duration_s=grid.n_samples / grid.rate_hz, load=load,
        channels=tuple(SourceChannel(label, grid.rate_hz, rows.unit) for label in labels),
        identity=f"{kind} {rows.identity}".strip(),
        gaps=gaps, faults=tuple(faults),
    )  # fmt: skip


def _drop_unstamped(rows: _Rows) -> None:
    """Leave out rows without a time: they have no place, and leave a gap like any other."""
    import numpy as np

    if rows.stamps_s is None or not (lacking := ~np.isfinite(rows.stamps_s)).any():
        return
    rows.faults.append(repaired("stamp-missing", f"{int(lacking.sum())} rows have no time stamp and are left out"))
    rows.stamps_s = rows.stamps_s[~lacking]
    rows.values = [column[~lacking] for column in rows.values]
    rows.counter = None if rows.counter is None else rows.counter[~lacking]
    rows.unworn = None if rows.unworn is None else rows.unworn[~lacking]


def _lay_rows(rows: _Rows) -> Grid:
    import numpy as np

    from eegsleep.recording.regular_grid import RateError, lay_on_grid

    if not rows.values or not len(rows.values[0]):
        raise RecordingError("the file holds no samples")
    if rows.stamps_s is None:
        note = f"there are no times in it: {rows.rates_hz[0]:g} samples a second are assumed, long losses are invisible"
        rows.faults.append(repaired("rate-assumed", note))
        stamps = np.arange(len(rows.values[0])) / rows.rates_hz[0]
        return lay_on_grid(stamps, rows.rates_hz[0], values=rows.values)
    for rate_hz in rows.rates_hz:
        try:
            return lay_on_grid(rows.stamps_s, rate_hz, packet=rows.packet, counter=rows.counter, values=rows.values)
        except RateError as error:
            refusal = error
    raise RecordingError(
        refusal.problem, found=refusal.found, allowed=" or ".join(f"{rate:g} within 5 %" for rate in rows.rates_hz),
        remedy=rows.rate_remedy or refusal.remedy,
    )  # fmt: skip


def _describe_grid(grid: Grid, rows: _Rows) -> Iterator[Fault]:
    from eegsleep.recording.regular_grid import RATE_TOLERANCE

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


def _describe_values(columns: dict[str, np.ndarray], rows: _Rows, grid: Grid) -> Iterator[Fault]:
    import numpy as np

    for label, column in columns.items():
        missing = int(np.isnan(column[grid.rows]).sum())
        if missing:
            yield Fault(
                "missing-values", "repaired", f"{missing} samples are not numbers and stay empty", channel=label
            )
        # Every tenth sample gives the median well enough.
        offset = float(np.nanmedian(column[::10])) if not np.isnan(column[::10]).all() else 0.0
        if rows.rates_hz[0] == _MIND_MONITOR_RATES_HZ[0] and abs(offset) > _LARGE_OFFSET_UV:
            note = f"a constant of about {offset:.0f} {rows.unit} from the device is left in; filters remove it"
            yield Fault("dc-offset", "repaired", note, channel=label)


def _find_openbci_clock(layout: TextLayout, names: list[str], picks: list[int]) -> tuple[int | None, int | None]:
    """Return the columns of Unix time and of local time, None where there is none."""
    if names:
        unix = names.index("timestamp") if "timestamp" in names else None
        return unix, names.index("timestamp (formatted)") if "timestamp (formatted)" in names else None
    others = range(picks[-1] + 1, len(layout.first))
    unix = next((i for i in others if re.fullmatch(r"\d{13}(\.\d*)?|1\.\d+E12", layout.first[i])), None)
    return unix, next((i for i in others if TIME_OF_DAY.fullmatch(layout.first[i])), None)


def _make_unique(labels: Sequence[str]) -> list[str]:
    """Return labels that can do no harm and of which none is there twice: `AF7`, `AF7 [2]`."""
    unique: list[str] = []
    for label in labels:
        name = plain = clean_text(label) or "unnamed"
        copies = 1
        while name in unique:
            copies += 1
            name = f"{plain} [{copies}]"
        unique.append(name)
    return unique


def _skipped(layout: TextLayout, used: Sequence[int]) -> list[Fault]:
    others = [clean_text(name) for i, name in enumerate(layout.names) if i not in used]
    return (
        [repaired("columns-skipped", "columns that are not known as EEG are left out: " + ", ".join(others))]
        if others
        else []
    )


def _fold(name: str) -> str:
    return " ".join(name.casefold().split())


_UTC = repaired("clock-utc", "the file's clock is UTC and the zone is not known: clock times are not local")
