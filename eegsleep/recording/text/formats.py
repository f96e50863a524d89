"""The columns of each program: muselsl, Mind Monitor, OpenBCI, BrainBit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.text.table import TextLayout, fold, read_table, repaired
from eegsleep.recording.text.time_stamps import DATE_UNKNOWN, TIME_OF_DAY, UTC, TimeColumn, as_seconds, local_shift

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

MUSE = ("tp9", "af7", "af8", "tp10")
BRAINBIT = {"t3", "t4", "o1", "o2"}
_TIME_NAMES = {"time", "timestamp", "timestamps", "time (s)", "time_s", "t"}
SD_CARD = re.compile(r"%ST(ART|OP) AT|[0-9A-F]{2}(,[0-9A-F]{6}){4,}", re.IGNORECASE)
_MUSE_PACKET = 12
# Mind Monitor writes what the device samples: 256 Hz, 220 Hz (Muse 2014), 500 Hz (its research preset).
MIND_MONITOR_RATES_HZ = (256.0, 220.0, 500.0)
# BrainBit's converter ends at 0.4 V; larger numbers are not volts.
_BRAINBIT_MAX_V = 0.5
_BAD_CONTACT = 4


@dataclass
class Rows:
    """The signals, times and further columns of a file, as the reader of one format finds them."""

    labels: list[str]
    values: list[np.ndarray]
    stamps_s: np.ndarray | None
    rates_hz: tuple[float, ...]
    unit: str = "uV"
    packet: int = 1
    counter: np.ndarray | None = None
    stamp_kind: str = "unix"  # as `TimeColumn.kind`
    to_local_s: float | None = None  # added to a stamp gives naive local time; None if that is unknown
    unworn: np.ndarray | None = None
    faults: list[Fault] = field(default_factory=list)
    rate_remedy: str = ""
    identity: str = ""


def _read_muselsl(path: Path, layout: TextLayout) -> Rows:
    names = [fold(name) for name in layout.names]
    picks = [i for i, name in enumerate(names) if name in MUSE or "aux" in name]
    table, faults = read_table(path, layout, [0, *picks])
    # Unix seconds are UTC, and the time zone is not known. Without a date, the night would be unknown; with UTC and a
    # fault, dates and the spacing of nights are kept, and only the time of day is left for the user to correct.
    faults += [UTC, *_skipped(layout, [0, *picks]), *_missing(names, MUSE)]
    return Rows(
        unique_labels([layout.names[i] for i in picks]),
        [table[i] for i in picks],
        as_seconds(table[0]),
        (256.0,),
        packet=_MUSE_PACKET,
        to_local_s=0.0,
        faults=faults,
        rate_remedy="some BlueMuse versions (2.3, 2.4) write wrong time stamps: record again with another version",
    )


def _read_mind_monitor(path: Path, layout: TextLayout) -> Rows:
    import numpy as np

    names = [fold(name) for name in layout.names]
    stamp, worn = names.index("timestamp"), names.index("headbandon") if "headbandon" in names else -1
    picks = [i for i, name in enumerate(names) if name.startswith(("raw_", "aux"))]
    contacts = {i: names.index(f"hsi_{names[i][4:]}") for i in picks if f"hsi_{names[i][4:]}" in names}
    wanted = [stamp, *picks, *contacts.values()] + [worn] * (worn >= 0)
    labels = dict(zip(picks, unique_labels([layout.names[i] for i in picks]), strict=True))
    times = TimeColumn(stamp)
    table, faults = read_table(path, layout, wanted, times)
    filled = ~np.logical_and.reduce([np.isnan(table[i]) for i in picks])
    if not filled.any():
        raise RecordingError(
            "the file holds no raw samples", remedy="switch raw EEG on in Mind Monitor and record again"
        )
    if not filled.all():
        note = f"{int((~filled).sum())} rows hold an event and no sample, and are left out"
        faults.append(repaired("event-rows", note))
        for i in wanted:  # one after the other, to save memory
            table[i] = table[i][filled]
    faults += _missing(names, [f"raw_{name}" for name in MUSE])
    faults += [fault for i, k in contacts.items() for fault in _find_bad_contact(labels[i], table[k])]
    is_unix, of_day = times.kind == "unix", times.kind == "time of day"
    faults += [UTC] * is_unix + [DATE_UNKNOWN] * of_day
    return Rows(
        list(labels.values()),
        [table[i] for i in picks],
        as_seconds(table[stamp]) if is_unix else table[stamp],
        MIND_MONITOR_RATES_HZ,
        packet=_MUSE_PACKET,
        stamp_kind=times.kind,
        to_local_s=None if of_day else 0.0,
        unworn=table[worn] == 0 if worn >= 0 else None,
        faults=faults,
        rate_remedy="set Mind Monitor's recording interval to constant and record again: this is not raw data",
    )


def _find_bad_contact(label: str, quality: np.ndarray) -> list[Fault]:
    import numpy as np

    share = float(np.mean(quality >= _BAD_CONTACT))
    note = f"by the headband's own measure, the contact was bad for {100 * share:.0f} % of the time"
    return [Fault("contact-bad", "repaired", note, channel=label)] if share > 0.1 else []


def _read_openbci(path: Path, layout: TextLayout) -> Rows:
    first = ",".join(layout.comments[:1] + layout.first)
    if SD_CARD.match(first):
        raise RecordingError(
            f"{path.name} is a raw file from OpenBCI's SD card",
            found="hexadecimal counts without time stamps",
            remedy="convert it with the OpenBCI GUI (SD card converter) and read what that writes",
        )
    header = dict(re.findall(r"%\s*(Sample Rate|Number of channels)\s*=\s*([\d.]+)", "\n".join(layout.comments)))
    rate_hz = float(header.get("Sample Rate", 0))
    if not 50 <= rate_hz <= 16000:
        raise RecordingError(f"{path.name} does not say its sample rate", remedy="put back the lines that begin with %")
    names = [fold(name) for name in layout.names]
    picks = [i for i, name in enumerate(names) if re.fullmatch(r"(exg|eeg) channel \d+", name)]
    announced = _announced_channels(header.get("Number of channels"), len(picks), layout)
    if not names:  # up to version 4 of the GUI: index, channels, auxiliary, clock time, Unix milliseconds
        picks = list(range(1, 1 + announced))
    labels = unique_labels([layout.names[i] if names else f"EXG Channel {i - 1}" for i in picks])
    stamp, of_day = _find_openbci_clock(layout, names, picks)
    times = TimeColumn(of_day) if stamp is None and of_day is not None else None
    clocks = [i for i in (stamp, times.column if times else None) if i is not None]
    table, faults = read_table(path, layout, [0, *picks, *clocks], times)
    rows = Rows(labels, [table[i] for i in picks], None, (rate_hz,), counter=table[0], faults=faults)
    if announced != len(picks):
        note = f"{announced} channels are announced, and {len(picks)} columns are named as channels"
        faults.append(repaired("channels-missing", note))
    rows.identity = " ".join(layout.comments)
    if stamp is not None:
        rows.stamps_s = as_seconds(table[stamp])
        shift = _first_shift(layout, rows.stamps_s, of_day)
        rows.to_local_s = shift or 0.0
        faults += [UTC] if shift is None else []
    elif times is not None:
        rows.stamps_s, rows.stamp_kind = table[times.column], times.kind
        rows.to_local_s = None if times.kind == "time of day" else 0.0
        faults += [DATE_UNKNOWN] if times.kind == "time of day" else []
    return rows


def _announced_channels(text: str | None, n_named: int, layout: TextLayout) -> int:
    """Return how many channels the comments announce; without a row of names, only these tell which are channels."""
    number = float(text) if text and text.count(".") < 2 and text != "." else -1.0
    if layout.names and n_named:
        return int(number) if text and 0 <= number < 1e6 else n_named
    if layout.names or not 1 <= number <= len(layout.first) - 1:
        found = f"number of channels {clean_text(text or 'not given')}, {len(layout.first)} columns"
        raise RecordingError(
            "the file does not say which columns are its channels",
            found=found,
            allowed="from 1 channel to one less than there are columns",
            remedy="put back the lines that begin with % and the row of names as the OpenBCI GUI wrote them",
        )
    return int(number)


def _first_shift(layout: TextLayout, stamps_s: np.ndarray, column: int | None) -> float | None:
    """Return local time minus Unix time in the first row; None if it has no local time or a wrong stamp."""
    import numpy as np

    if column is None or not abs(stamps_s[0] - np.nanmedian(stamps_s[:50])) < 60:
        return None
    return local_shift(layout.first[column], stamps_s[0])


def _read_brainbit(path: Path, layout: TextLayout) -> Rows:
    import numpy as np

    names = [fold(name) for name in layout.names]
    picks = [i for i, name in enumerate(names) if name in BRAINBIT or "aux" in name]
    stamp = next((i for i, name in enumerate(names) if name in _TIME_NAMES), None)
    used = picks if stamp is None else [*picks, stamp]
    table, faults = read_table(path, layout, used)
    faults += _skipped(layout, used)
    labels = unique_labels([layout.names[i] for i in picks])
    rows = Rows(labels, [table[i] for i in picks], None, (250.0,), unit="V", faults=faults)
    if stamp is not None:
        rows.stamps_s = as_seconds(table[stamp])
        if np.nanmedian(rows.stamps_s) > 1e8:  # smaller ones are seconds since an unknown time
            rows.to_local_s = 0.0
            faults.append(UTC)
    if any(np.nanmax(np.abs(values), initial=0) > _BRAINBIT_MAX_V for values in rows.values):
        rows.unit = ""
        note = "the numbers are larger than a BrainBit's range in volts, so their unit is not known"
        remedy = "name the unit of each channel with --units, such as T3=uV"
        faults += [Fault("unit-unknown", "needs the user", note, remedy=remedy, channel=label) for label in rows.labels]
    return rows


def _find_openbci_clock(layout: TextLayout, names: list[str], picks: list[int]) -> tuple[int | None, int | None]:
    """Return the columns of Unix time and of local time, None where there is none."""
    if names:
        unix = names.index("timestamp") if "timestamp" in names else None
        return unix, names.index("timestamp (formatted)") if "timestamp (formatted)" in names else None
    others = range(picks[-1] + 1, len(layout.first))
    unix = next((i for i in others if re.fullmatch(r"\d{13}(\.\d*)?|1\.\d+E12", layout.first[i])), None)
    return unix, next((i for i in others if TIME_OF_DAY.fullmatch(layout.first[i])), None)


def _skipped(layout: TextLayout, used: Sequence[int]) -> list[Fault]:
    others = [clean_text(name) or "unnamed" for i, name in enumerate(layout.names) if i not in used]
    return (
        [repaired("columns-skipped", "columns that are not known as EEG are left out: " + ", ".join(others))]
        if others
        else []
    )


def _missing(names: Sequence[str], wanted: Sequence[str]) -> list[Fault]:
    lacking = ", ".join(name.upper() for name in wanted if name not in names)
    return [repaired("channels-missing", f"there is no column called {lacking}")] if lacking else []


READERS: dict[str, Callable[[Path, TextLayout], Rows]] = {
    "muselsl CSV": _read_muselsl,
    "Mind Monitor CSV": _read_mind_monitor,
    "OpenBCI text": _read_openbci,
    "BrainBit CSV": _read_brainbit,
}
