"""Stages in an annotation file of PhysioNet's format (WFDB): `slp01a.st`, `tr03-0005.arousal`.

The file is a chain of 16-bit words without a signature. It is read here and not by the `wfdb` package, because only
following the chain shows that a file is one, and that package (4.3) loses a note at the first sample of a file that
gives its own time resolution.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import read_labels
from eegsleep.hypnograms.scoring import MAX_PERIODS, Scoring, build_scoring
from eegsleep.recording.edf.header import is_edf
from eegsleep.recording.faults import clean_text
from eegsleep.recording.wfdb.header import read_rate_hz
from eegsleep.signals.epochs import EPOCH_S

if TYPE_CHECKING:
    from pathlib import Path

# Codes of the format that are no annotation, but belong to the one before, or move the time.
_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_LAST_CODE = 49
# A night has some ten thousand bytes. Longer files are not tried, nor EDF, whose header may look like such a chain.
_MAX_BYTES = 5_000_000
_RESOLUTION = re.compile(r"## time resolution: (\d+(?:\.\d+)?)")
# Digits show that each window of 30 s has a note (SLPDB); without them, notes are written on change (CinC 2018).
_DIGITS = {"1": "N1", "2": "N2", "3": "N3", "4": "N3"}
_STAGES = {"W": "W", "R": "R", "N1": "N1", "N2": "N2", "N3": "N3", **_DIGITS}
_NO_STAGE = {"MT", "U", "?"}
# SLPDB's events (its README.st); in CinC 2018 an event begins and ends with a bracket: (resp_hypopnea.
_EVENTS = {"H", "HA", "OA", "X", "CA", "CAA", "L", "LA", "A"}


def is_wfdb_annotations(content: bytes) -> bool:
    """Return whether a file is a chain of WFDB annotations, at least one of them with a text.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    bool
    """
    fits = content.endswith(b"\0\0") and len(content) <= _MAX_BYTES and not is_edf(content)
    return fits and any(text for _, text in _walk(content) or ())


def read_wfdb(content: bytes, path: Path, epoch_s: float | None = None) -> Scoring:
    """Read the stages among the notes of a WFDB annotation file.

    Parameters
    ----------
    content : bytes
    path : path
        Its path; a header `.hea` of the same name beside it gives the sampling rate, where the file does not.
    epoch_s : float, optional
        Length of the windows that SLPDB's notes stand for; 30 s if not given.

    Returns
    -------
    Scoring
        In seconds from the record's first sample. Windows without a note, or with events alone, are unscored.

    Raises
    ------
    TableError
        If the sampling rate is not known, a note is no known stage or event, or there is no stage.
    """
    notes = [(sample, text) for sample, text in _walk(content) or () if text]
    if len(notes) > MAX_PERIODS:
        raise TableError("the file has too many annotations for one recording", allowed=f"{MAX_PERIODS}")
    rate_hz = _find_rate(notes, path)
    notes = [(sample, text) for sample, text in _drop_definitions(notes) if text]
    labels = list(dict.fromkeys(text for _, text in notes))
    notes_read = {text: _read_note(text) for text in labels}
    meanings = {text: meaning for text, meaning in notes_read.items() if meaning is not None}
    meanings |= read_labels([text for text in labels if text not in meanings], events=True)
    windows = any(part in _DIGITS for text in labels for part in text.split())
    duration_s = (epoch_s or EPOCH_S) if windows else None
    events = [(sample / rate_hz, duration_s, text) for sample, text in notes]
    return build_scoring("WFDB annotations", events, meanings, epoch_s=epoch_s)


def _walk(content: bytes) -> list[tuple[int, str]] | None:
    """Return sample and text of every annotation; None if the file is no such chain."""
    found: list[tuple[int, str]] = []
    at = sample = 0
    while at + 2 <= len(content):
        word = int.from_bytes(content[at : at + 2], "little")
        code, value = word >> 10, word & 0x3FF
        at += 2
        if not word:  # the end; writers may fill a block after it
            return found if not content[at:].strip(b"\0") else None
        if code == _SKIP:  # four bytes, the higher half first
            high, low = (content[at + i : at + i + 2] for i in (0, 2))
            sample += int.from_bytes(low + high, "little", signed=True)
            at += 4
        elif code == _AUX:
            text = content[at : at + value]
            if not found or len(text) < value or not text.rstrip(b"\0").isascii():
                return None
            found[-1] = (found[-1][0], clean_text(text.rstrip(b"\0").decode("ascii"), 200))
            at += value + value % 2
        elif code <= _LAST_CODE:
            sample += value
            found.append((sample, ""))
        elif code not in {_NUM, _SUB, _CHN}:
            return None
    return None


def _find_rate(notes: list[tuple[int, str]], path: Path) -> float:
    """Return the samples a second by which onsets count, from the file or the header beside it."""
    said = next((match for _, text in notes if (match := _RESOLUTION.fullmatch(text))), None)
    header = path.with_suffix(".hea")
    rate_hz = float(said[1]) if said else read_rate_hz(header) if header.is_file() else None
    if not rate_hz:
        raise TableError(
            "the annotations count samples, and the sampling rate is not known",
            found=f"no rate in the file, nor in {header.name}",
            remedy=f"put {header.name} beside it",
        )
    return rate_hz


def _drop_definitions(notes: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Leave out lines that begin with ##, and the definitions of codes."""
    kept, defining = [], False
    for sample, text in notes:
        if text.startswith("## "):
            defining = text == "## annotation type definitions"
        elif not defining:
            kept.append((sample, text))
    return kept


def _read_note(text: str) -> str | None:
    """Return the stage of a note, an empty text for events alone, or None if a word of it is not known.

    A stage and movement time in one window give that stage; two different stages give UNS.
    """
    parts = text.split()
    if text.startswith("(") or text.endswith(")"):
        return ""
    if any(part not in _STAGES and part not in _NO_STAGE and part not in _EVENTS for part in parts):
        return None
    stages = {_STAGES[part] for part in parts if part in _STAGES}
    if len(stages) == 1:
        return stages.pop()
    return "UNS" if stages or _NO_STAGE & set(parts) else ""
