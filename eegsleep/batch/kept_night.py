"""A night folder as the summary of a batch needs it: few values of it, so that thousands of nights fit into memory."""

from __future__ import annotations

import json
import math
import sys
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError
from eegsleep.file_names import PROVENANCE_FILE, REPORT_FILE
from eegsleep.markers.wide import name_column
from eegsleep.provenance import hash_bytes, read_provenance
from eegsleep.report.hypnogram_strip import LETTERS
from eegsleep.report.index_page import Glance
from eegsleep.report.looks import main_channel
from eegsleep.tables import HYPNOGRAM, MARKERS, Column, decode_columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VERDICTS = {
    "usable": "no reservations",
    "caution": "usable with reservations",
    "reject": "not to be used",
    "": "the night has no values",
}
FIXED = (
    Column("night", "str", "Name of the night folder."),
    Column("subject", "str", "Name of the sleeper; empty if not known."),
    Column("start", "str", "Local time of the first sample, as the header says; empty if not known."),
    Column("duration_s", "float", "Length of the recording.", "s"),
    Column("device", "str", "Device preset; empty if not recognised."),
    Column(
        "lights",
        "str",
        "Where lights off and on come from: user, annotations, hypnogram, whole recording, sleep, or off given, on "
        "from sleep.",
    ),
    Column("verdict", "str", "Whether the signals of the night can be relied on.", levels=_VERDICTS),
    Column("verdict_reasons", "str", "What the verdict rests on."),
    Column("reason", "str", "Why the night has no values, or empty; why one value is missing stands in its folder."),
)
# The columns of table `MARKERS` that name one, in the order `name_column` takes them.
_NAMED_BY = ("marker", "stage", "channel", "unit")
# What `check_made_alike` compares of nights.
_COMPARED = (
    "settings",
    "versions",
    "lights",
    "hypnogram_sha256",
    "other_stager",
    "calibration",
    "device",
    "roles",
    "units",
)


@dataclass(frozen=True, slots=True)
class KeptNight:
    """A night folder as found.

    Attributes
    ----------
    fixed : mapping of str to object
        The columns `FIXED` of nights.csv.
    glance : Glance
        What the page shows besides.
    columns : tuple of str
        The markers, named `marker|stage|channel`; empty if the folder cannot be read or its files changed. One object
        for all nights with the same.
    measured : array of float, of the length of `columns`
        NaN where a marker is missing.
    provenance : mapping of str to object
        The part that tells whether nights were made alike; equal parts of several nights are one object.
    recording_sha256 : str
        Hash of the recording; empty if the folder cannot be read.
    """

    fixed: Mapping[str, Any]
    glance: Glance
    columns: tuple[str, ...] = ()
    measured: array[float] = field(default_factory=lambda: array("d"))
    provenance: Mapping[str, Any] = field(default_factory=dict)
    recording_sha256: str = ""

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.fixed["night"]


@dataclass
class NightReader:
    """Reads night folders, and keeps what is equal in several of them once."""

    shared: dict[object, Any] = field(default_factory=dict)

    def read(self, folder: Path, subject: str) -> KeptNight:
        """Return what the table and the page need of a night; a damaged folder affects only its own row.

        Parameters
        ----------
        folder : Path
        subject : str
            Name of the sleeper; empty to take it from the provenance.

        Returns
        -------
        KeptNight
        """
        provenance = read_provenance(folder)
        if not provenance:
            return _unreadable(folder, subject, f"The folder cannot be read as a night: {PROVENANCE_FILE} is damaged.")
        try:
            fixed = _fixed_values(folder.name, subject, provenance)
            tables = {}
            for table, names in ((MARKERS, (*_NAMED_BY, "value", "reason")), (HYPNOGRAM, ("stage",))):
                content = _read_own(folder / f"{table.name}.csv", provenance)
                if content is None:
                    said = f"{table.name}.csv is not the file that was written; score the night again."
                    return _unreadable(folder, subject, said)
                tables[table.name] = decode_columns(content, table, names)
            columns, values, reasons = self._read_markers(tables[MARKERS.name])
            channel = main_channel(provenance["roles"]) or ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EegSleepError) as error:
            return _unreadable(folder, subject, f"The folder cannot be read as a night of this version: {error}")
        glance = Glance(
            channel=channel,
            stages="".join(LETTERS.get(stage, "U") for stage in tables[HYPNOGRAM.name]["stage"]),
            reasons=reasons,
            has_report=(folder / REPORT_FILE).is_file(),
        )
        made = {key: self._share_json(provenance[key]) for key in _COMPARED if key in provenance}
        return KeptNight(fixed, glance, columns, values, made, str(provenance["input"].get("sha256") or ""))

    def _read_markers(self, table: Mapping[str, list[str]]) -> tuple[tuple[str, ...], array[float], dict[str, str]]:
        """Return names and values of the markers of a night, and why values are missing."""
        rows = tuple(zip(*(table[name] for name in _NAMED_BY), strict=True))
        named = self.shared.get(rows) or self.shared.setdefault(rows, _name_columns(rows))
        columns, refusals = named
        values = array("d", (float(text) if text else math.nan for text in table["value"]))
        reasons = {}
        for place, value in enumerate(values):
            if refusals[place] or math.isnan(value):
                values[place] = math.nan
                reasons[columns[place]] = refusals[place] or sys.intern(table["reason"][place])
        return columns, values, self._share_json(reasons)

    def _share_json(self, value: Any) -> Any:  # noqa: ANN401 - any value of JSON
        return self.shared.setdefault(json.dumps(value), value)


def _name_columns(rows: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the name of each marker's column, and why its value is left out."""
    named = [name_column(*row) for row in rows]
    return tuple(sys.intern(name) for name, _ in named), tuple(refusal for _, refusal in named)


def _read_own(path: Path, provenance: Mapping[str, Any]) -> bytes | None:
    """Return the content of a file of a night; None if it is not there, or not the one that was written."""
    content = path.read_bytes() if path.is_file() else b""
    return content if hash_bytes(content) == provenance["outputs"].get(path.name) else None


def _unreadable(folder: Path, subject: str, reason: str) -> KeptNight:
    fixed = {column.name: math.nan if column.kind == "float" else "" for column in FIXED}
    return KeptNight({**fixed, "night": folder.name, "subject": subject, "reason": reason}, Glance())


def _fixed_values(name: str, subject: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    from datetime import datetime

    # A value that is not valid is found here, where it affects one row only.
    start, verdict = str(provenance["start"] or ""), str(provenance["quality"]["verdict"])
    if start:
        datetime.fromisoformat(start)
    if verdict not in _VERDICTS:
        raise ValueError(f"verdict {verdict!r}")
    return {
        "night": name,
        "subject": subject or str(provenance.get("subject") or ""),
        "start": start,
        "duration_s": float(provenance["input"]["duration_s"]),
        "device": str(provenance["device"] or ""),
        "lights": str(provenance["lights"]["source"]),
        "verdict": verdict,
        "verdict_reasons": " ".join(map(str, provenance["quality"]["reasons"])),
        "reason": "",
    }
