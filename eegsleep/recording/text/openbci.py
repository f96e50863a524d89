"""The texts of the OpenBCI GUI, from 2016 on: with and without names of columns, converted from the SD card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from eegsleep.errors import RecordingError
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import clean_text
from eegsleep.recording.text.rows import Rows
from eegsleep.recording.text.table import TextLayout, fold, read_table, repaired
from eegsleep.recording.text.time_stamps import DATE_UNKNOWN, TIME_OF_DAY, UTC, TimeColumn, as_seconds, local_shift

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

# Channels by the number of columns between the index and the clock, before the GUI of October 2018 wrote how many
# there are: Ganglion, Cyton, Cyton with Daisy, each with three columns of acceleration (OpenBCI GUI, commit eec52d27).
_CHANNELS_BY_COLUMNS = {7: 4, 11: 8, 19: 16}
_CONVERTED = "%OBCI SD Convert"


def read_openbci(path: Path, layout: TextLayout) -> Rows:
    """Read a text file of the GUI.

    Parameters
    ----------
    path : Path
    layout : TextLayout

    Returns
    -------
    Rows

    Raises
    ------
    RecordingError
        If the file does not say its rate or its channels.
    """
    is_converted = layout.comments[:1] != [] and layout.comments[0].startswith(_CONVERTED)
    header = dict(re.findall(r"%\s*(Sample Rate|Number of channels)\s*=\s*([\d.]+)", "\n".join(layout.comments)))
    rate_hz = float(header.get("Sample Rate", 0))
    if not 50 <= rate_hz <= 16000:
        raise RecordingError(f"{path.name} does not say its sample rate", remedy="put back the lines that begin with %")
    names = [fold(name) for name in layout.names]
    picks = [i for i, name in enumerate(names) if re.fullmatch(r"(exg|eeg) channel \d+", name)]
    faults = []
    if not names and "Number of channels" not in header:
        announced = _count_channels(layout)
        faults.append(
            repaired(
                "channels-counted",
                f"the file does not say how many channels it has; its columns are those of {announced}",
            )
        )
    else:
        announced = _announced_channels(header.get("Number of channels"), len(picks), layout)
    if not names:  # up to version 4 of the GUI: index, channels, auxiliary, clock time, Unix milliseconds
        picks = list(range(1, 1 + announced))
    labels = unique_labels([layout.names[i] if names else f"EXG Channel {i - 1}" for i in picks])
    stamp, of_day = _find_openbci_clock(layout, names, picks)
    times = TimeColumn(of_day) if stamp is None and of_day is not None else None
    clocks = [i for i in (stamp, times.column if times else None) if i is not None]
    # acceleration comes with every tenth sample only
    table, found = read_table(path, layout, [0, *picks, *clocks], times, short_rows=is_converted)
    faults += found
    rows = Rows(labels, [table[i] for i in picks], None, (rate_hz,), counter=table[0], faults=faults)
    if announced != len(picks):
        note = f"{announced} channels are announced, and {len(picks)} columns are named as channels"
        faults.append(repaired("channels-missing", note))
    rows.identity = " ".join(layout.comments)
    if stamp is not None:
        rows.stamps_s = as_seconds(table[stamp][:])
        shift = _first_shift(layout, rows.stamps_s, of_day)
        rows.to_local_s = shift or 0.0
        faults += [UTC] if shift is None else []
    elif times is not None:
        rows.stamps_s, rows.stamp_kind = table[times.column][:], times.kind
        rows.to_local_s = None if times.kind == "time of day" else 0.0
        faults += [DATE_UNKNOWN] if times.kind == "time of day" else []
    return rows


def _count_channels(layout: TextLayout) -> int:
    """Return the number of channels of a file that does not give it, by its columns."""
    n_between = len(layout.first) - 1
    for cell in reversed(layout.first[1:]):
        if not (TIME_OF_DAY.fullmatch(cell) or re.fullmatch(r"\d{13}(\.\d*)?|1\.\d+E12", cell)):
            break
        n_between -= 1
    if n_between not in _CHANNELS_BY_COLUMNS:
        raise RecordingError(
            "the file does not say how many channels it has",
            found=f"{len(layout.first)} columns",
            allowed="an index, 4, 8 or 16 channels, 3 columns of acceleration, and clocks",
            remedy="write the line `%Number of channels = 8`, with the right number, below its first line",
        )
    return _CHANNELS_BY_COLUMNS[n_between]


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


def _find_openbci_clock(layout: TextLayout, names: list[str], picks: list[int]) -> tuple[int | None, int | None]:
    """Return the columns of Unix time and of local time, None where there is none."""
    if names:
        unix = names.index("timestamp") if "timestamp" in names else None
        return unix, names.index("timestamp (formatted)") if "timestamp (formatted)" in names else None
    others = range(picks[-1] + 1, len(layout.first))
    unix = next((i for i in others if re.fullmatch(r"\d{13}(\.\d*)?|1\.\d+E12", layout.first[i])), None)
    return unix, next((i for i in others if TIME_OF_DAY.fullmatch(layout.first[i])), None)


def refuse_brainflow(path: Path, layout: TextLayout) -> NoReturn:
    """Raise the error that names BrainFlow's stream file, whose columns have no names, and the file to give instead.

    Parameters
    ----------
    path : Path
    layout : TextLayout

    Raises
    ------
    RecordingError
        Always.
    """
    beside = sorted(other.name for other in path.parent.glob("OpenBCI-RAW-*.txt"))
    named = (
        f"give {clean_text(beside[0])}, which lies beside it"
        if beside
        else ("give OpenBCI-RAW-*.txt, which the OpenBCI GUI writes beside it; from another program, export EDF or BDF")
    )
    raise RecordingError(
        f"{path.name} is BrainFlow's stream file, which does not say what its columns are",
        found=f"{len(layout.first)} columns without names",
        remedy=named,
    )
