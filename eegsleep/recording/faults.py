"""What can be wrong with a file: a `Fault` for each finding, the table of all codes, and text from files made safe."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from typing import Literal

from eegsleep.errors import RecordingError

Severity = Literal["repaired", "needs the user", "refused"]

# Longer than any field of an EDF header that people read.
MAX_TEXT = 120


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a file.

    Attributes
    ----------
    code : str
        Short name that stays the same between versions, such as `unit-unknown`; `FAULTS` lists all.
    severity : str
        `repaired`: reading goes on, and the numbers are right as far as can be known. `needs the user`:
        only the user can decide. A channel of unknown unit is not read until then; an implausible scale is
        reported, and reading goes on. `refused`: the file, or this channel of it, cannot be read without guessing.
    message : str
        What is wrong, as a clause without a full stop.
    field : str
        The field of the header it was found in, or empty.
    value : str
        Its content, made printable.
    remedy : str
        What the user can do about it.
    channel : str
        The channel it concerns; empty if it concerns the whole file.
    """

    code: str
    severity: Severity
    message: str
    field: str = ""
    value: str = ""
    remedy: str = ""
    channel: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the fault as plain values, for JSON."""
        return asdict(self)

    def as_note(self) -> str:
        """Return the fault as a sentence for a report's list of warnings."""
        place = f"{self.channel}: " if self.channel else ""
        sentence = f"{place}{self.message}."
        return (
            sentence[0].upper() + sentence[1:] + (f" {self.remedy[0].upper()}{self.remedy[1:]}." if self.remedy else "")
        )

    def as_error(self, file_name: str) -> RecordingError:
        """Return the exception that refuses the file or channel because of this fault."""
        about = f"channel {self.channel!r} of {file_name}" if self.channel else file_name
        found = f"{self.field} {self.value!r}" if self.field else self.value
        error = RecordingError(f"{about} cannot be read: {self.message}", found=found, remedy=self.remedy)
        error.faults = (self,)
        return error


def decode_text(raw: bytes) -> str:
    """Return bytes from a file as text that is safe to show, in whatever encoding they were written.

    EDF asks for ASCII, but files hold UTF-8 and Latin-1. Latin-1 never fails, so UTF-8 is tried first.

    Parameters
    ----------
    raw : bytes

    Returns
    -------
    str
        As `clean_text` returns it.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return clean_text(text)


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """Return text from a file on one line, without control or direction characters or angle brackets.

    Escaping for HTML, CSV and terminals is done where it is written. Angle brackets are replaced here because plotly
    reads labels as markup (`<a href>`); no channel has them in its name.

    Parameters
    ----------
    text : str
    limit : int
        Characters to keep.
    """
    kept = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * limit])
    return " ".join("".join(kept).split()).translate(_BRACKETS)[:limit]


_BRACKETS = str.maketrans({"<": "‹", ">": "›"})
