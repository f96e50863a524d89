"""Hypnograms in XML and JSON: NSRR, Compumedics Profusion, EDFbrowser's annotation list, and YASA."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from eegsleep.errors import TableError, describe_error
from eegsleep.hypnograms.codings import is_marked, name_stage, read_labels
from eegsleep.hypnograms.scoring import (
    EPOCH_RANGE_S,
    MAX_PERIODS,
    Scoring,
    ScoringStart,
    begin_at_first_stage,
    build_scoring,
)
from eegsleep.hypnograms.written_times import is_time, read_number, read_times
from eegsleep.recording.limits import MAX_DURATION_S

if TYPE_CHECKING:
    from datetime import datetime
    from xml.etree.ElementTree import Element

_KINDS = "NSRR (PSGAnnotation), Profusion (CMPStudyConfig) and EDFbrowser (annotationlist)"


def read_xml(text: str, epoch_s: float | None) -> Scoring:
    """Read a scoring in XML.

    Parameters
    ----------
    text : str
    epoch_s : float, optional
        As in `read_hypnogram`.

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If the file declares entities, is no XML, or is none of the three kinds.
    """
    root = _parse(text)
    if root.tag == "PSGAnnotation":
        return _read_nsrr(root)
    if root.tag == "CMPStudyConfig":
        return _read_profusion(root, epoch_s)
    if root.tag == "annotationlist":
        return _read_edfbrowser(root)
    raise TableError("the XML is no known hypnogram", found=f"<{root.tag[:40]}>", allowed=_KINDS)


def _parse(text: str) -> Element:
    # Entities can expand a kilobyte to gigabytes, or name other files; no scoring declares any.
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise TableError(
            "the XML declares a document type or entities, and is not read",
            allowed=_KINDS,
            remedy="export it again, or remove the declaration",
        )
    try:
        return ET.fromstring(text.lstrip("\ufeff \r\n\t"))  # noqa: S314 - entities were refused above
    except (ET.ParseError, ValueError) as error:
        raise TableError("the file looks like XML and cannot be parsed", found=describe_error(error)) from error


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _read_nsrr(root: Element) -> Scoring:
    """Read sleepdata.org's XML: onsets count from the start of the EDF, and stages have names with their integers.

    Older files have no `EventType`; there an event is a stage if its concept names one (`SDO:WakeState`).
    """
    events = list(root.iter("ScoredEvent"))
    stages = [event for event in events if _text(event, "EventType").split("|")[0].casefold() == "stages"]
    if not stages:
        stages = [event for event in events if name_stage(_text(event, "EventConcept")) or _is_like_stage(event)]
    labels = [_text(event, "EventConcept") for event in stages]
    rows = [
        (read_number(_text(event, "Start")), read_number(_text(event, "Duration")), label)
        for event, label in zip(stages, labels, strict=True)
    ]
    left_out = len(events) - len(stages)
    notes = (f"{left_out} entries that are no stages were left out",) if left_out else ()
    return build_scoring("NSRR XML", rows, read_labels(labels), notes=notes)


def _is_like_stage(event: Element) -> bool:
    """Return whether an event has the name of a stage that is not known: it must not be left out in silence."""
    concept = _text(event, "EventConcept")
    return bool(re.match(r"S[DR]O:(NonRapid|Rapid|Stage|Wake)|Stage ?\d", concept)) and bool(_text(event, "Start"))


def _read_profusion(root: Element, epoch_s: float | None) -> Scoring:
    """Read Compumedics Profusion's XML: a list of epochs in its own integers (nsrr/edf-editor-translator, wiki)."""
    labels = [(stage.text or "").strip() for stage in root.iter("SleepStage")]
    written = _text(root, "EpochLength")
    length_s = epoch_s or (read_number(written) if written else math.nan)
    if not EPOCH_RANGE_S[0] <= length_s <= EPOCH_RANGE_S[1]:
        raise TableError(
            "the Profusion XML does not give the length of its epochs",
            found=written[:20] or "nothing",
            allowed="an EpochLength of 1 to 120 s",
            remedy="give the length of its epochs with --epoch SECONDS",
        )
    rows = [(length_s * i, length_s, label) for i, label in enumerate(labels)]
    return build_scoring("Profusion XML", rows, read_labels(labels, "nsrr"), timed=False)


def _read_edfbrowser(root: Element) -> Scoring:
    """Read EDFbrowser's annotation list, whose onsets are dates and times or, from older versions, seconds."""
    found = list(root.iter("annotation"))
    labels = [_text(annotation, "description") for annotation in found]
    durations = [read_number(_text(a, "duration")) if _text(a, "duration") else None for a in found]
    onsets = [_text(annotation, "onset") for annotation in found]
    meanings = read_labels(labels, events=True, marked=any(map(is_marked, labels)))
    if onsets and is_time(onsets[0]):
        onsets_s, start = read_times(onsets)
        timed = zip(onsets_s.tolist(), durations, labels, strict=True)
        return begin_at_first_stage(build_scoring("EDFbrowser XML", timed, meanings, start=start))
    rows = [(read_number(onset), duration, x) for onset, duration, x in zip(onsets, durations, labels, strict=True)]
    return build_scoring("EDFbrowser XML", rows, meanings)


def read_yasa_json(text: str) -> Scoring:
    """Read what `yasa.Hypnogram.to_json` writes; the time zone of its start is ignored.

    Parameters
    ----------
    text : str

    Returns
    -------
    Scoring

    Raises
    ------
    TableError
        If it is not such a file, or its stages are not the five of AASM.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError("the file looks like JSON and cannot be parsed", found=describe_error(error)) from error
    if not (isinstance(content, dict) and isinstance(content.get("values"), list) and "freq" in content):
        raise TableError("the JSON is no known hypnogram", allowed="what yasa.Hypnogram.to_json writes")
    labels = content["values"]
    if not all(isinstance(label, str) for label in labels) or len(labels) > MAX_PERIODS:
        raise TableError("the values of the YASA JSON are no stage names", allowed="WAKE, N1, N2, N3, REM, ART, UNS")
    _check_proba(content.get("proba"), len(labels))
    epoch_s, start = _frequency(content["freq"]), _start(content.get("start"))
    rows = [(epoch_s * i, epoch_s, label) for i, label in enumerate(labels)]
    return build_scoring(
        "YASA JSON", rows, read_labels(labels), start=ScoringStart(start) if start else None, timed=start is not None
    )


def _check_proba(proba: object, n_epochs: int) -> None:
    """Raise if the probabilities that a file holds beside its stages have another number of epochs."""
    columns = list(proba.values()) if isinstance(proba, dict) else []
    lengths = [len(column) for column in columns if isinstance(column, list)]
    if proba is not None and (not lengths or len(lengths) < len(columns) or set(lengths) != {n_epochs}):
        raise TableError(
            "the YASA JSON does not hold as many probabilities as stages",
            found=f"{n_epochs} stages, and {', '.join(map(str, sorted(set(lengths)))) or 'no'} probabilities of each",
            remedy="write the file again; it was damaged",
        )


def _frequency(written: object) -> float:
    import pandas as pd

    try:
        seconds = pd.Timedelta(str(written)).total_seconds()
    except ValueError as error:
        raise TableError("the YASA JSON does not give its epoch", found=repr(written)[:40]) from error
    if not 0 < seconds <= MAX_DURATION_S:
        raise TableError("the YASA JSON does not give its epoch", found=repr(written)[:40], allowed="such as 30s")
    return seconds


def _start(written: object) -> datetime | None:
    from datetime import datetime

    if written is None:
        return None
    try:
        return datetime.fromisoformat(str(written)).replace(tzinfo=None)
    except ValueError as error:
        raise TableError("the YASA JSON does not start at a time", found=repr(written)[:40]) from error
