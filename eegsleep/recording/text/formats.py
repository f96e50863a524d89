"""The columns of each program: muselsl, Mind Monitor, BrainBit; OpenBCI has a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.text.openbci import read_openbci, refuse_brainflow
from eegsleep.recording.text.rows import Rows
from eegsleep.recording.text.table import TextLayout, fold, read_table, repaired
from eegsleep.recording.text.time_stamps import DATE_UNKNOWN, UTC, TimeColumn, as_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from eegsleep.recording.text.column import Column

MUSE = ("tp9", "af7", "af8", "tp10")
BRAINBIT = {"t3", "t4", "o1", "o2"}
_TIME_NAMES = {"time", "timestamp", "timestamps", "time (s)", "time_s", "t"}
_MUSE_PACKET = 12
# Mind Monitor writes what the device samples: 256 Hz, 220 Hz (Muse 2014), 500 Hz (its research preset).
MIND_MONITOR_RATES_HZ = (256.0, 220.0, 500.0)
# BrainBit's converter ends at 0.4 V; larger numbers are not volts.
_BRAINBIT_MAX_V = 0.5
_BAD_CONTACT = 4
# Whether the headband is worn is 0 or 1; contacts are 1 (good), 2 or 4 (bad).
_STATES = (0, 1, 2, 3, 4)


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
        as_seconds(table[0][:]),
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
    # the app writes no cell for Elements in rows of samples, and may end a row earlier still
    table, faults = read_table(path, layout, wanted, times, short_rows=True)
    _check_states(layout, table, [*contacts.values(), *[worn] * (worn >= 0)])
    filled = ~np.logical_and.reduce([np.isnan(table[i][:]) for i in picks])
    if not filled.any():
        raise RecordingError(
            "the file holds no raw samples", remedy="switch raw EEG on in Mind Monitor and record again"
        )
    if not filled.all():
        note = f"{int((~filled).sum())} rows hold an event and no sample, and are left out"
        faults.append(repaired("event-rows", note))
        for i in wanted:
            table[i].keep(filled)
    faults += _missing(names, [f"raw_{name}" for name in MUSE])
    faults += [fault for i, k in contacts.items() for fault in _find_bad_contact(labels[i], table[k][:])]
    if any(name.startswith("optics") for name in names):  # only the Athena has optics
        said = "this is a Muse S Athena, whose scale in microvolts is disputed; amplitudes may be wrong by a factor"
        remedy = "compare amplitudes only between nights of this headband, and look at the signal before naming --units"
        faults.append(Fault("scale-disputed", "needs the user", said, remedy=remedy))
    is_unix, of_day = times.kind == "unix", times.kind == "time of day"
    faults += [UTC] * is_unix + [DATE_UNKNOWN] * of_day
    return Rows(
        list(labels.values()),
        [table[i] for i in picks],
        as_seconds(table[stamp][:]) if is_unix else table[stamp][:],
        MIND_MONITOR_RATES_HZ,
        packet=_MUSE_PACKET,
        stamp_kind=times.kind,
        to_local_s=None if of_day else 0.0,
        unworn=table[worn][:] == 0 if worn >= 0 else None,
        faults=faults,
        rate_remedy="set Mind Monitor's recording interval to constant and record again: this is not raw data",
    )


def _check_states(layout: TextLayout, table: Mapping[int, Column], columns: Sequence[int]) -> None:
    """Raise if a column of the state of the headband holds other numbers: then a cell before it is missing."""
    import numpy as np

    for column in columns:
        states = table[column][:]
        if odd := states[~np.isnan(states) & ~np.isin(states, _STATES)][:1].tolist():
            raise RecordingError(
                "the cells of a row do not stand below their names",
                found=f"{odd[0]:g} in column {clean_text(layout.names[column], 40)}",
                allowed="0 to 4, the state of the headband or of a contact",
                remedy="give the file as Mind Monitor wrote it, with all its columns",
            )


def _find_bad_contact(label: str, quality: np.ndarray) -> list[Fault]:
    import numpy as np

    share = float(np.mean(quality >= _BAD_CONTACT))
    note = f"by the headband's own measure, the contact was bad for {100 * share:.0f} % of the time"
    return [Fault("contact-bad", "repaired", note, channel=label)] if share > 0.1 else []


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
        rows.stamps_s = as_seconds(table[stamp][:])
        if np.nanmedian(rows.stamps_s) > 1e8:  # smaller ones are seconds since an unknown time
            rows.to_local_s = 0.0
            faults.append(UTC)
    if any(np.nanmax(np.abs(values[:]), initial=0) > _BRAINBIT_MAX_V for values in rows.values):
        rows.unit = ""
        note = "the numbers are larger than a BrainBit's range in volts, so their unit is not known"
        remedy = "name the unit of each channel with --units, such as T3=uV"
        faults += [Fault("unit-unknown", "needs the user", note, remedy=remedy, channel=label) for label in rows.labels]
    return rows


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
    "OpenBCI text": read_openbci,
    "BrainFlow CSV": refuse_brainflow,
    "BrainBit CSV": _read_brainbit,
}
