"""Writing a hypnogram in the formats that other programs read; `read_hypnogram` reads each back unchanged."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import EegSleepError, TableError, describe_error
from eegsleep.hypnograms.objects import as_stages, to_yasa_hypnogram
from eegsleep.provenance import check_own, encode_json, write_file
from eegsleep.recording.limits import YEARS, is_plausible_start
from eegsleep.signals.epochs import EPOCH_S
from eegsleep.tables import HYPNOGRAM, encode_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pandas as pd

    from eegsleep.hypnograms.objects import Hypnogram

_SUFFIXES = {".csv": "csv", ".edf": "edf", ".tsv": "bids", ".json": "yasa", ".xml": "edfbrowser", ".txt": "edfbrowser"}
_MEANINGS = {
    "W": "Wake",
    "N1": "NREM stage 1",
    "N2": "NREM stage 2",
    "N3": "NREM stage 3",
    "R": "REM sleep",
    "UNS": "Unscored: the epoch was not, or could not be, scored",
}


def write_hypnogram(
    stages: Hypnogram,
    path: Path | str,
    *,
    start: datetime | None = None,
    kind: str | None = None,
    coding: str | None = None,
) -> Path:
    """Write a hypnogram for another program; the file is complete, or not written.

    Parameters
    ----------
    stages : DataFrame, Series, sequence, array, yasa.Hypnogram or Scoring
        A hypnogram of any kind that `as_stages` takes.
    path : path
    start : datetime, optional
        Naive local time of the first sample. `edf` and `yasa` keep it, to the second; EDFbrowser's XML needs
        it; the other formats count from the first sample and have no place for it.
    kind : str, optional
        By default the suffix decides.

        - `csv` (.csv): our own table, with probabilities.
        - `edf` (.edf): EDF+ annotations `Sleep stage W`; opens in EDFbrowser.
        - `bids` (.tsv): `events.tsv` with onset, duration and trial_type, and its JSON sidecar
          (bids-specification, modality-agnostic files, events).
        - `yasa` (.json): what `yasa.Hypnogram.from_json` reads.
        - `edfbrowser` (.txt): Onset,Duration,Annotation in seconds, as EDFbrowser exports it and, with data from
          line 2, onset, duration and description in columns 1, 2 and 3, imports it as ASCII. With suffix .xml
          the annotation list EDFbrowser imports as XML, which knows only dates and times.
    coding : str, optional
        What integers in `stages` mean, a name in `CODINGS`.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    TableError
        If the table is not a hypnogram, the kind is not known, or a start is missing or no time of a recording.
    EegSleepError
        If the file cannot be written.

    Examples
    --------
    >>> es.write_hypnogram(["W", "N1", "N2"], "hypnogram.tsv").read_text().split()[3:6]
    ['0', '30', 'W']
    """
    path = Path(path)
    kind = check_format(path, kind)
    table = as_stages(stages, coding)
    if not len(table):
        raise TableError("the table is no hypnogram", found="no epoch")
    if start is not None and (start.tzinfo or not is_plausible_start(start)):
        raise TableError(
            "start is no time of a recording",
            found=start.isoformat(),
            allowed=f"years {YEARS[0]} to {YEARS[-1]}, without a time zone",
        )
    if kind == "edfbrowser" and path.suffix.lower() == ".xml":
        content = _encode_edfbrowser_xml(table, start)
    else:
        content = _WRITERS[kind](table, start.replace(microsecond=0) if start else None)
    try:
        files = {path.with_suffix(".json"): encode_json(_describe_bids())} if kind == "bids" else {}
        check_own(files)
        for file, described in {**files, path: content}.items():
            write_file(file, described)
    except OSError as error:
        raise EegSleepError(f"{path} cannot be written", found=describe_error(error)) from error
    return path


def check_format(path: Path, kind: str | None = None) -> str:
    """Return the format in which a hypnogram is written under this name.

    Parameters
    ----------
    path : Path
    kind : str, optional
        As in `write_hypnogram`.

    Returns
    -------
    str

    Raises
    ------
    TableError
        If there is none.
    """
    kind = kind or _SUFFIXES.get(path.suffix.lower())
    if kind not in _WRITERS:
        raise TableError(
            f"there is no hypnogram format for {path.name}",
            found=kind or path.suffix or "no suffix",
            allowed=", ".join(f"{name} ({suffix})" for suffix, name in _SUFFIXES.items()),
        )
    return kind


def _encode_csv(stages: pd.DataFrame, _start: datetime | None) -> bytes:
    return encode_table(stages, HYPNOGRAM)


def _encode_edf(stages: pd.DataFrame, start: datetime | None) -> bytes:
    """Return an EDF+ file of annotations alone, in the standard texts of EDF+ (www.edfplus.info, standard texts)."""
    import edfio

    annotations = [
        edfio.EdfAnnotation(float(row.onset_s), EPOCH_S, _standard_text(row.stage)) for row in stages.itertuples()
    ]
    file = edfio.Edf(
        [],
        starttime=start.time() if start else None,
        recording=edfio.Recording(startdate=start.date()) if start else None,
        annotations=annotations,
    )
    buffer = io.BytesIO()
    file.write(buffer)
    return buffer.getvalue()


def _standard_text(stage: str) -> str:
    return f"Sleep stage {'?' if stage == 'UNS' else stage}"


def _encode_bids(stages: pd.DataFrame, _start: datetime | None) -> bytes:
    rows = [f"{row.onset_s:.10g}\t{EPOCH_S:g}\t{row.stage}\n" for row in stages.itertuples()]
    return "".join(["onset\tduration\ttrial_type\n", *rows]).encode()


def _describe_bids() -> dict[str, dict[str, object]]:
    return {
        "onset": {"Description": "Start of the epoch, from the first sample of the recording.", "Units": "s"},
        "duration": {"Description": "Length of the epoch.", "Units": "s"},
        "trial_type": {"LongName": "Sleep stage", "Description": "Sleep stage by AASM name.", "Levels": _MEANINGS},
    }


def _encode_yasa(stages: pd.DataFrame, start: datetime | None) -> bytes:
    """Return what `yasa.Hypnogram.to_json` would write, made by YASA itself, so that it fits the installed version."""
    return encode_json(to_yasa_hypnogram(stages, start=start).to_dict())


def _encode_edfbrowser(stages: pd.DataFrame, _start: datetime | None) -> bytes:
    rows = [f"{row.onset_s:+.7f},{EPOCH_S:g},{_standard_text(row.stage)}\n" for row in stages.itertuples()]
    return "".join(["Onset,Duration,Annotation\n", *rows]).encode()


def _encode_edfbrowser_xml(stages: pd.DataFrame, start: datetime | None) -> bytes:
    if start is None:
        raise TableError(
            "EDFbrowser's XML gives every epoch by date and time, and the start is not known",
            remedy="give the start, or write .txt or .edf, which count in seconds",
        )
    start = start.replace(microsecond=0, tzinfo=None)
    rows = [
        f"  <annotation>\n    <onset>{(start + timedelta(seconds=row.onset_s)).isoformat(timespec='milliseconds')}"
        f"</onset>\n    <duration>{EPOCH_S:g}</duration>\n    <description>{_standard_text(row.stage)}</description>\n"
        "  </annotation>\n"
        for row in stages.itertuples()
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<annotationlist>\n'
    return "".join([head, *rows, "</annotationlist>\n"]).encode()


_WRITERS: dict[str, Callable[[pd.DataFrame, datetime | None], bytes]] = {
    "csv": _encode_csv,
    "edf": _encode_edf,
    "bids": _encode_bids,
    "yasa": _encode_yasa,
    "edfbrowser": _encode_edfbrowser,
}
