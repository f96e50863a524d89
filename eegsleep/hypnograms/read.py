"""Reading hypnogram files of any format; the content of a file decides its format, not its name.

`read_hypnogram` returns a `Scoring`, the stages in the time of the file; `align_scoring` gives a stage to each 30 s
epoch of a recording.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import TableError, describe_error
from eegsleep.hypnograms.codings import CODINGS, check_coding, is_marked, translate_labels
from eegsleep.hypnograms.edited import is_edited, read_edited
from eegsleep.hypnograms.reports import read_domino, read_luna, read_remlogic
from eegsleep.hypnograms.scoring import EPOCH_RANGE_S, Scoring, ScoringStart, align_scoring, build_scoring, is_invented
from eegsleep.hypnograms.sidecars import read_levels
from eegsleep.hypnograms.text import Asked, check_notes, read_table_text
from eegsleep.hypnograms.wfdb import is_wfdb_annotations, read_wfdb
from eegsleep.hypnograms.xml import read_xml, read_yasa_json
from eegsleep.provenance import hash_bytes
from eegsleep.recording.edf.annotations import MAX_ANNOTATIONS, read_marks
from eegsleep.recording.edf.header import HeaderRefusedError, inspect_header, is_edf

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CODINGS", "Scoring", "align_scoring", "read_hypnogram"]

MAX_BYTES = 100_000_000
# A night scored in text has a few hundred kilobytes.
MAX_TEXT_BYTES = 20_000_000
_ALLOWED = (
    "EDF+ annotations, CSV or TSV, Noxturnal export, BIDS events, NSRR or Profusion XML, RemLogic text, DOMINO sleep "
    "profile, YASA JSON, EDFbrowser annotations, U-Sleep lists, Luna annotations, WFDB annotations"
)


def read_hypnogram(
    path: Path | str, *, coding: str | None = None, epoch_s: float | None = None, column: str | None = None
) -> Scoring:
    """Read a hypnogram as an expert or a program wrote it.

    Parameters
    ----------
    path : path
        EDF+ annotations (Sleep-EDF, HMC, our own `events.edf`), CSV and TSV in the common shapes, Noxturnal's
        export, BIDS `events.tsv` with any column of stages and the sidecars that explain its codes, NSRR and
        Profusion XML, RemLogic's report (CAP), DOMINO's sleep profile, YASA JSON, EDFbrowser's annotations, U-Sleep's
        lists, Luna's `.annot`, WFDB annotations with their header beside them (SLPDB, CinC 2018). Text may be UTF-8,
        UTF-16 or Latin-1.
    coding : str, optional
        Name in `CODINGS` by which integers are read. Files whose header gives their meaning need none.
    epoch_s : float, optional
        Length of the epochs in seconds, for files that do not give it; by default that of the coding (5 s for
        `dreams`), else 30 s.
    column : str, optional
        Name of the column of stages in a table that has several.

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If the file is none of these, its integers have no coding, a word in it is not known, or `column` is not in
        it.

    Examples
    --------
    >>> scoring = es.read_hypnogram("sample-night_stages.csv")
    >>> scoring.kind, len(scoring.stages)
    ('CSV', 180)
    """
    path = Path(path)
    check_coding(coding)
    check_epoch(epoch_s)
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may give bytes without end
            raise TableError(f"{path.name} is no file", allowed=_ALLOWED)
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path.name} is too large for a hypnogram", allowed=f"{MAX_BYTES // 10**6} MB")
        content = path.read_bytes()
    except OSError as error:
        raise TableError(
            f"{path.name} cannot be read as a hypnogram", found=describe_error(error), remedy="check the path"
        ) from error
    try:
        is_wfdb = is_wfdb_annotations(content)
        scoring = read_wfdb(content, path, epoch_s) if is_wfdb else _read(content, path, coding, epoch_s, column)
    except TableError as error:
        raise TableError(
            f"{path.name}: {error.problem}", found=error.found, allowed=error.allowed, remedy=error.remedy
        ) from error
    return replace(
        scoring,
        file=path.name,
        sha256=hash_bytes(content),
        coding=coding or "",
        asked_epoch_s=epoch_s,
        asked_column=column or "",
    )


def check_epoch(epoch_s: float | None) -> None:
    """Raise `TableError` for a length of epochs that no scorer uses.

    Parameters
    ----------
    epoch_s : float or None
        In seconds; None is accepted.
    """
    if epoch_s is not None and not EPOCH_RANGE_S[0] <= epoch_s <= EPOCH_RANGE_S[1]:
        raise TableError("the length of an epoch is out of range", found=f"{epoch_s:g} s", allowed="1 to 120 s")


# How a text is recognised and what reads it; the first that fits is taken, and what fits none is a table.
_TEXTS: tuple[tuple[str, Callable[[str, float | None], Scoring]], ...] = (
    (r"<", read_xml),
    (r"\{", lambda text, _: read_yasa_json(text)),
    (r"Signal ID:", lambda text, _: read_domino(text)),
    # names of columns are translated in other languages, these codes are not
    (r".*\tSLEEP-(S\d|REM|MT|UNSCORED)\t", lambda text, _: read_remlogic(text)),
    (
        r"(#[^\n]*\n\s*)*(class[ \t]+instance[ \t]|[^\t\n ]+[ \t]\.[ \t](\.[ \t])?[\d:.+]+[ \t])",
        lambda text, _: read_luna(text),
    ),
)


def _read(content: bytes, path: Path, coding: str | None, epoch_s: float | None, column: str | None) -> Scoring:
    if is_edf(content) and len(content) >= 256:
        return _read_annotations(content, epoch_s)
    text = _decode(content)
    for mark, read in _TEXTS:
        if re.match(rf"[\ufeff\s]*{mark}", text, re.DOTALL):
            return read(text, epoch_s)
    if is_edited(text):
        return read_edited(text)
    return read_table_text(text, Asked(coding, epoch_s, column, read_levels(path)))


def _decode(content: bytes) -> str:
    """Return text in the encoding in which it was written; raise if the file is no text."""
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
    file = io.BytesIO(content)
    try:
        header = inspect_header(file, len(content), needs_signal=False)
    except HeaderRefusedError as error:
        fault = error.faults[-1]
        raise TableError(f"the EDF cannot be read: {fault.message}", found=fault.value, remedy=fault.remedy) from error
    if not any(signal.is_annotation and not signal.is_empty for signal in header.signals):
        raise TableError("the EDF has no annotations, so no stages", allowed=_ALLOWED)
    marks = read_marks(file, header)
    for fault in marks.faults:
        if fault.code == "annotations-many":
            raise TableError("the file has too many annotations", allowed=f"{MAX_ANNOTATIONS}")
    labels = [text for _, _, text in marks.annotations]
    marked = any(is_marked(label) for label in dict.fromkeys(labels))
    meanings, unknown = translate_labels(labels, events=True, marked=marked)
    moment = header.start
    if moment is not None and is_invented(moment) and moment.hour == moment.minute == moment.second == 0:
        moment = None  # writers put this where they know no start
    start = ScoringStart(moment, dated=not is_invented(moment)) if moment else None
    # faults in the fields of signals do not concern the stages; lost annotations do
    notes = tuple(
        fault.message for fault in (*header.faults, *marks.faults) if fault.code in {"cut-off", "annotation-broken"}
    )
    kind = f"{header.kind[:3]}+"
    scoring = build_scoring(kind, marks.annotations, meanings, start=start, epoch_s=epoch_s, notes=notes)
    check_notes(scoring, marks.annotations, unknown)
    return scoring
