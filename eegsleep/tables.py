"""Every table eegsleep writes, declared once: its columns, their types, units and meanings.

A table is a plain `pandas.DataFrame`. `check_table` is called where a table is made, so that a
missing column or a wrong type is found there and not by a reader of the file. On disk a table is
a CSV with a JSON sidecar in the form BIDS uses for tabular files.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from eegsleep.errors import TableError
from eegsleep.provenance import encode_json

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

Kind = Literal["int", "float", "str", "bool"]
_DTYPES = {"int": "int64", "float": "float64", "str": "str", "bool": "bool"}
# Spreadsheets run a cell that starts with one of these as a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Column:
    """One column: a name that carries its unit, a type, the unit again in full, and a meaning."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table's name (its file is `<name>.csv`), what one row is, and its columns in order."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in the order they are written."""
        return [column.name for column in self.columns]


def _onset(what: str) -> Column:
    return Column("onset_s", "float", f"Start of the {what}, from the first sample of the recording.", "s")


_EPOCH = Column("epoch", "int", "Number of the 30 s epoch, counted from 0.")
_CHANNEL = Column("channel", "str", "Label of the derivation, as the recording calls it.")
_STAGE = Column("stage", "str", "Sleep stage by AASM name: W, N1, N2, N3, R; UNS where unscored.")
_DURATION = Column("duration_s", "float", "From first to last sample of the event.", "s")
_FREQUENCY = Column("frequency_hz", "float", "Median instantaneous frequency.", "Hz")
_SPINDLE_CLASS = Column("spindle_class", "str", "slow or fast, by the spindle's own frequency.")
_CLEAN = Column("clean_min", "float", "Usable minutes of that stage and channel that the value rests on.", "min")
_REASON = Column("reason", "str", "Why the value is missing, or empty.")

HYPNOGRAM = Table(
    "hypnogram",
    "one 30 s epoch",
    (
        _EPOCH,
        _onset("epoch"),
        _STAGE,
        Column("p_wake", "float", "Probability of wake; missing where the stages were given, not scored."),
        Column("p_n1", "float", "Probability of N1."),
        Column("p_n2", "float", "Probability of N2."),
        Column("p_n3", "float", "Probability of N3."),
        Column("p_rem", "float", "Probability of REM."),
        Column("confidence", "float", "The largest of the five probabilities."),
        Column("usable", "bool", "Whether at least one staged derivation could be believed."),
    ),
)

QUALITY = Table(
    "quality",
    "one 30 s epoch of one channel",
    (
        _EPOCH,
        _onset("epoch"),
        _CHANNEL,
        Column("role", "str", "eeg, eog or emg."),
        Column("rms_uv", "float", "Root mean square about the epoch's mean.", "µV"),
        Column("ptp_uv", "float", "Largest minus smallest sample.", "µV"),
        Column("flat_fraction", "float", "Share of one-second pieces with no signal in them."),
        Column("clipped_fraction", "float", "Share of samples held at the recorder's end of range."),
        Column("nonfinite_fraction", "float", "Share of samples that are missing."),
        Column("high_frequency_uv", "float", "Root mean square of 25–45 Hz: muscle, movement, bad contact.", "µV"),
        Column("movement_fraction", "float", "Share of seconds that burst out of the five minutes around."),
        Column("drift_uv", "float", "Range of the means of its seconds.", "µV"),
        Column("mains_uv", "float", "Amplitude of the stronger of 50 and 60 Hz at the recorded rate; missing where "
               "the rate does not reach them.", "µV"),
        Column("relative_gain", "float", "Size at 20–30 Hz over ten minutes against the other EEG derivations, 1 being "
               "its usual; missing for one alone and for other channels."),
        Column("usable", "bool", "Whether the epoch of this channel is believed."),
        Column("reason", "str", "Why it is not, or empty."),
    ),
)  # fmt: skip

SPINDLES = Table(
    "spindles",
    "one spindle on one channel",
    (
        _CHANNEL,
        _STAGE,
        _onset("spindle"),
        _DURATION,
        Column("peak_s", "float", "Where the sigma envelope is largest.", "s"),
        _FREQUENCY,
        Column("amplitude_uv", "float", "Peak to peak of the sigma-filtered signal.", "µV"),
        Column("amplitude_broadband_uv", "float", "Peak to peak of the broadband signal, trend removed.", "µV"),
        Column("n_oscillations", "int", "Positive peaks within the spindle."),
        Column("symmetry", "float", "Place of the largest peak, 0 at the onset to 1 at the end."),
        _SPINDLE_CLASS,
    ),
)

SLOW_OSCILLATIONS = Table(
    "slow_oscillations",
    "one slow oscillation on one channel",
    (
        _CHANNEL,
        _STAGE,
        _onset("slow oscillation, a crossing from positive to negative"),
        _DURATION,
        Column("neg_peak_s", "float", "Time of the negative peak (down state).", "s"),
        Column("mid_crossing_s", "float", "Time of the crossing from negative to positive.", "s"),
        Column("pos_peak_s", "float", "Time of the positive peak (up state).", "s"),
        Column("neg_peak_uv", "float", "Voltage at the negative peak.", "µV"),
        Column("pos_peak_uv", "float", "Voltage at the positive peak.", "µV"),
        Column("ptp_uv", "float", "From negative to positive peak.", "µV"),
        Column("slope_uv_per_s", "float", "Rise from the negative peak to the mid crossing.", "µV/s"),
        Column("frequency_hz", "float", "One over the duration.", "Hz"),
    ),
)

COUPLING = Table(
    "coupling",
    "one spindle and the slow oscillation nearest to it on the same channel",
    (
        _CHANNEL,
        _STAGE,
        _SPINDLE_CLASS,
        Column("spindle_peak_s", "float", "Where the spindle's sigma envelope is largest.", "s"),
        Column("neg_peak_s", "float", "Negative peak of the nearest slow oscillation; missing if none.", "s"),
        Column("delay_s", "float", "Spindle peak minus negative peak.", "s"),
        Column("phase_rad", "float", "Phase of the slow oscillation at the spindle peak; 0 is the positive peak "
               "(up state), ±π the negative peak; missing for an uncoupled spindle.", "rad"),
        Column("coupled", "bool", "Whether the spindle peak lies in the window around the negative peak."),
    ),
)  # fmt: skip

SPECTRUM = Table(
    "spectrum",
    "one spectral measure of one channel in one stage",
    (
        _CHANNEL,
        Column("stage", "str", "W, N1, N2, N3, R, or NREM (N2 and N3 together)."),
        Column("cycle", "int", "NREM–REM cycle, counted from 1; 0 is the whole night."),
        Column("measure", "str", "Name of the measure."),
        Column("low_hz", "float", "Lower edge of its band.", "Hz"),
        Column("high_hz", "float", "Upper edge of its band.", "Hz"),
        Column("value", "float", "The measure, in the unit beside it."),
        Column("unit", "str", "Unit of the value."),
        Column("n_epochs", "int", "Usable epochs it rests on."),
        _CLEAN,
        _REASON,
    ),
)

MARKERS = Table(
    "markers",
    "one marker of one stage and channel",
    (
        Column("marker", "str", "Name of the marker; the catalogue gives its meaning."),
        Column("family", "str", "Family of the marker: A to E, or context."),
        Column("stage", "str", "Stage it was measured in; empty for the whole night."),
        Column("channel", "str", "Derivation it was measured on; empty if it belongs to none."),
        Column("value", "float", "The marker, in the unit beside it; missing is not zero."),
        Column("unit", "str", "Unit of the value."),
        Column("n", "int", "Events or epochs the value rests on."),
        _CLEAN,
        _REASON,
    ),
)

SIMULATED_STAGES = Table("stages", "one simulated 30 s epoch", (_EPOCH, _onset("epoch"), _STAGE))

SIMULATED_SPINDLES = Table(
    "spindles",
    "one planted spindle",
    (
        _STAGE,
        _onset("spindle"),
        _DURATION,
        Column("peak_s", "float", "Where its envelope is largest.", "s"),
        Column("frequency_hz", "float", "Mean frequency planted.", "Hz"),
        Column("amplitude_uv", "float", "Largest peak to peak planted, before the channel's gain.", "µV"),
        _SPINDLE_CLASS,
        Column("coupled", "bool", "Whether it was placed on a slow oscillation."),
        Column("phase_rad", "float", "Phase of that slow oscillation at the spindle's peak; missing if uncoupled.",
               "rad"),
    ),
)  # fmt: skip

SIMULATED_SLOW_OSCILLATIONS = Table(
    "slow_oscillations",
    "one planted slow oscillation or K-complex",
    (
        _STAGE,
        _onset("event"),
        _DURATION,
        Column("neg_peak_s", "float", "Time of the negative peak.", "s"),
        Column("pos_peak_s", "float", "Time of the positive peak.", "s"),
        Column("ptp_uv", "float", "Peak to peak planted, before the channel's gain.", "µV"),
        Column("kind", "str", "slow_oscillation or k_complex."),
    ),
)

SIMULATED_ARTEFACTS = Table(
    "artefacts",
    "one planted artefact",
    (_CHANNEL, Column("kind", "str", "What was planted."), _onset("artefact"), _DURATION),
)

NIGHT_TABLES = (HYPNOGRAM, QUALITY, SPINDLES, SLOW_OSCILLATIONS, COUPLING, SPECTRUM, MARKERS)


def check_table(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return `frame` with exactly the columns of `table`, in order and in their types.

    Raises
    ------
    TableError
        If a column is missing, unknown, or holds values its type cannot.
    """
    missing = [name for name in table.column_names if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in table.column_names]
    if missing or unknown:
        raise TableError(
            f"table {table.name} does not have its declared columns",
            found=f"missing {missing or 'none'}, unknown {unknown or 'none'}",
            allowed=", ".join(table.column_names),
        )
    columns = {}
    for column in table.columns:
        try:
            columns[column.name] = frame[column.name].astype(_DTYPES[column.kind])
        except (TypeError, ValueError) as error:
            raise TableError(
                f"column {column.name} of table {table.name} cannot be read as {column.kind}",
                found=str(error),
            ) from error
    return type(frame)(columns).reset_index(drop=True)


def empty_table(table: Table) -> pd.DataFrame:
    """Return `table` without a row: what a detector gives when it looked and found nothing."""
    import pandas as pd

    return check_table(pd.DataFrame({name: [] for name in table.column_names}), table)


def encode_table(frame: pd.DataFrame, table: Table) -> bytes:
    """Return `frame` as CSV bytes; missing numbers are empty cells, and no cell can be a formula."""
    frame = check_table(frame, table).copy()
    for column in table.columns:
        if column.kind == "str":
            risky = frame[column.name].str.startswith(_FORMULA_STARTS)
            frame.loc[risky, column.name] = "'" + frame.loc[risky, column.name]
    # Ten digits keep a millisecond over three days and hide the noise of the last binary digits.
    return frame.to_csv(index=False, float_format="%.10g", lineterminator="\n").encode()


def encode_sidecar(table: Table) -> bytes:
    """Return the JSON that describes the columns of `table`, in the form BIDS uses."""
    entries = {}
    for column in table.columns:
        entries[column.name] = {"Description": column.meaning}
        if column.unit:
            entries[column.name]["Units"] = column.unit
    return encode_json(entries)


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read back a CSV written from `table`, and check it.

    Raises
    ------
    TableError
        If the file is not such a table.
    """
    import pandas as pd

    text_columns = [column.name for column in table.columns if column.kind == "str"]
    try:
        frame = pd.read_csv(
            io.BytesIO(path.read_bytes()),
            dtype=dict.fromkeys(text_columns, "str"),
            keep_default_na=False,
            na_values={c.name: [""] for c in table.columns if c.kind != "str"},
        )
    except (OSError, ValueError) as error:
        raise TableError(f"{path.name} cannot be read as table {table.name}", found=str(error)) from error
    for name in text_columns:
        if name in frame:
            frame[name] = frame[name].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return check_table(frame, table)
