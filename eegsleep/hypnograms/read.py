"""Any expert's hypnogram in: what a file is, is told by what it holds and never by its name.

`read_hypnogram` gives a `Scoring`, what the file says in its own time; `align_scoring` lays it on the 30 s
epochs of a recording.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import TableError
from eegsleep.hypnograms.codings import CODINGS, check_coding, is_marked, read_labels
from eegsleep.hypnograms.edited import is_edited, read_edited
from eegsleep.hypnograms.scoring import Clock, Scoring, align_scoring, build_scoring, is_invented
from eegsleep.hypnograms.text import read_domino, read_remlogic, read_table_text
from eegsleep.hypnograms.wfdb import is_wfdb_annotations, read_wfdb
from eegsleep.hypnograms.xml import read_xml, read_yasa_json
from eegsleep.provenance import hash_bytes
from eegsleep.recording.edf.annotations import MAX_ANNOTATIONS, TAL
from eegsleep.recording.edf.start_time import read_start
from eegsleep.recording.faults import decode_text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CODINGS", "Scoring", "align_scoring", "read_hypnogram"]

MAX_BYTES = 100_000_000
MAX_RECORDS = 3_000_000
# A night scored in text has a few hundred kilobytes.
MAX_TEXT_BYTES = 20_000_000
_ALLOWED = (
    "EDF+ annotations, CSV or TSV, Noxturnal export, BIDS events, NSRR or Profusion XML, RemLogic text, DOMINO sleep "
    "profile, YASA JSON, EDFbrowser annotations, WFDB annotations"
)


def read_hypnogram(path: Path | str, *, coding: str | None = None, epoch_s: float | None = None) -> Scoring:
    """Read a hypnogram as an expert or a program left it.

    Parameters
    ----------
    path : path
        EDF+ annotations (Sleep-EDF, HMC, our own `events.edf`), CSV and TSV in the common shapes, Noxturnal's
        export, BIDS `events.tsv`, NSRR and Profusion XML, RemLogic's report (CAP), DOMINO's sleep profile, YASA
        JSON, EDFbrowser's annotations, WFDB annotations with their header beside them (SLPDB, CinC 2018). Text may be
        UTF-8, UTF-16 or Latin-1.
    coding : str, optional
        Name in `CODINGS` under which integers are read. Files whose header says what they mean need none.
    epoch_s : float, optional
        Length of the epochs in seconds, for files that do not say; 30 s if not given.

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If the file is none of these, its integers have no coding, or a word in it is not known.
    """
    path = Path(path)
    check_coding(coding)
    if epoch_s is not None and not 1 <= epoch_s <= 120:
        raise TableError("the length of an epoch is out of range", found=f"{epoch_s:g} s", allowed="1 to 120 s")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path.name} is too large for a hypnogram", allowed=f"{MAX_BYTES // 10**6} MB")
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path.name} cannot be read as a hypnogram", found=str(error)) from error
    try:
        is_wfdb = is_wfdb_annotations(content)
        scoring = read_wfdb(content, path, epoch_s) if is_wfdb else _read(content, coding, epoch_s)
    except TableError as error:
        raise TableError(
            f"{path.name}: {error.problem}", found=error.found, allowed=error.allowed, remedy=error.remedy
        ) from error
    return replace(scoring, file=path.name, sha256=hash_bytes(content), coding=coding or "")


def _read(content: bytes, coding: str | None, epoch_s: float | None) -> Scoring:
    if content.startswith((b"0       ", b"\xffBIOSEMI")) and len(content) >= 512:
        return _read_annotations(content, epoch_s)
    text = _decode(content)
    head = text[:5000].lstrip("\ufeff \r\n\t")
    if head.startswith("<"):
        return read_xml(text, epoch_s)
    if head.startswith("{"):
        return read_yasa_json(text)
    if re.match(r"Signal ID:", head):
        return read_domino(text)
    if re.search(r"\tSLEEP-(S\d|REM|MT|UNSCORED)\t", text) and "Sleep Stage" in text:
        return read_remlogic(text)
    return read_edited(text) if is_edited(head) else read_table_text(text, coding, epoch_s)


def _decode(content: bytes) -> str:
    """Return text in whatever encoding it was written, or refuse what is no text."""
    if len(content) > MAX_TEXT_BYTES:
        raise TableError("it is too large for a hypnogram in text", allowed=f"{MAX_TEXT_BYTES // 10**6} MB")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    even, odd = content[:400:2], content[1:400:2]
    if not wide and odd.count(0) > 0.8 * len(odd) and even.count(0) < 0.2 * len(even):
        content, wide = codecs.BOM_UTF16_LE + content, True  # UTF-16 of Western text without its mark
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "latin-1"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TableError("it is neither text nor EDF", allowed=_ALLOWED)


def _read_annotations(content: bytes, epoch_s: float | None) -> Scoring:
    """Read the stages among the annotations of an EDF+ or BDF+ file, with signals or without."""
    found = list(_annotations(content))
    labels = [text for _, _, text in found]
    marked = any(is_marked(label) for label in dict.fromkeys(labels))
    meanings = read_labels(labels, events=True, marked=marked)
    start, _ = read_start(content[:256])
    if start is not None and is_invented(start) and start.hour == start.minute == start.second == 0:
        start = None  # what writers put where there is none
    clock = Clock(start, dated=not is_invented(start)) if start else None
    kind = "BDF+" if content.startswith(b"\xff") else "EDF+"
    return build_scoring(kind, found, meanings, clock=clock, epoch_s=epoch_s)


def _annotations(content: bytes) -> Iterator[tuple[float, float | None, str]]:
    """Give onset, duration and text of every annotation, each byte looked at once."""
    n_found = 0
    for block in _annotation_blocks(content):
        for tal in block.split(b"\0"):
            match = TAL.match(tal)
            if not match:
                continue
            duration = float(match[2]) if match[2] else None
            for raw in tal[match.end() :].split(b"\x14"):
                if raw.strip():
                    n_found += 1
                    if n_found > MAX_ANNOTATIONS:
                        raise TableError("the file has too many annotations", allowed=f"{MAX_ANNOTATIONS}")
                    yield float(match[1]), duration, decode_text(raw)


def _annotation_blocks(content: bytes) -> Iterator[bytes]:
    """Give the bytes of the annotation signals, record by record."""
    width = 3 if content.startswith(b"\xff") else 2
    n_signals = _integer(content[252:256], "number of signals")
    header_bytes = 256 * (n_signals + 1)
    if not 1 <= n_signals <= 512 or len(content) < header_bytes:
        raise TableError("the header of the EDF is broken", found=f"{n_signals} signals")
    labels = [content[256 + 16 * i : 272 + 16 * i].strip() for i in range(n_signals)]
    place = 256 + 216 * n_signals
    sizes = [
        width * _integer(content[place + 8 * i : place + 8 * i + 8], "samples per record") for i in range(n_signals)
    ]
    if min(sizes) < 1:
        raise TableError("the header of the EDF is broken", found="a signal of no sample")
    where = [(sum(sizes[:i]), sizes[i]) for i, x in enumerate(labels) if x in {b"EDF Annotations", b"BDF Annotations"}]
    if not where:
        raise TableError("the EDF has no annotations, so no stages", allowed=_ALLOWED)
    n_records = (len(content) - header_bytes) // sum(sizes) + 1
    written = content[236:244].strip()
    if written.isdigit():  # −1 while a recording goes on; what follows the last record is not part of it
        n_records = min(n_records, int(written))
    if n_records > MAX_RECORDS:
        raise TableError("the EDF has too many records for one recording", allowed=f"{MAX_RECORDS}")
    for record in range(header_bytes, header_bytes + n_records * sum(sizes), sum(sizes)):
        for offset, size in where:
            yield content[record + offset : record + offset + size]


def _integer(field: bytes, name: str) -> int:
    text = field.strip(b" \0")
    if not re.fullmatch(rb"[0-9]{1,8}", text):
        raise TableError("the header of the EDF is broken", found=f"{name} {decode_text(field)!r}")
    return int(text)
