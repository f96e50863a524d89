"""A copy of an EDF or BDF file with every sample, and without the words that name the sleeper.

A file names people in more places than its patient field: staff and equipment in the recording field, serial numbers
among the transducers, words in annotations, bytes after the last annotation of a record and after the last record. So
no list of things to remove is used: every field is written anew, or kept only if it looks like one of a few harmless
contents.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from eegsleep.errors import EegSleepError, RecordingError, SettingsError, describe_error
from eegsleep.provenance import open_whole
from eegsleep.recording.edf.annotations import split_lists
from eegsleep.recording.edf.header import (
    DECIMAL,
    FIELD_WIDTHS,
    PADDING,
    Header,
    HeaderRefusedError,
    Signal,
    inspect_header,
)
from eegsleep.recording.edf.open import open_bytes
from eegsleep.recording.edf.start_time import MONTHS
from eegsleep.recording.faults import decode_text
from eegsleep.recording.limits import YEARS
from eegsleep.recording.pieces import PIECE_BYTES
from eegsleep.recording.units import VOLTS_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# EDF's own date for a start that is not known or not given.
_NO_DATE = b"01.01.85"
_UNKNOWN_DATE = date(1985, 1, 1)

_CLOCK = re.compile(rb"[0-9]{1,2}[.:/\- ][0-9]{1,2}[.:/\- ][0-9]{2}")
_FILTERS = re.compile(rb"(?:(?:HP|LP|BP|N): ?(?:DC|[0-9]{1,5}(?:\.[0-9]{1,5})? ?Hz)(?:[ ;,]+|\Z))+", re.IGNORECASE)
# Annotations that tell nothing about a person, in the spelling of EDF+ and of the AASM's stages.
_STAGE_WORDS = re.compile(
    r"sleep stage (?:w|r|n[1-4]?|[1-4]|\?)|movement time|lights (?:off|on)|recording (?:starts|ends)",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[\w \-:()+./]+")
# A date of birth or a patient's number consists of characters that a label may have.
_NUMBER = re.compile(r"\d{5}|\d+[./-]\d+[./-]\d+")
# Words of channel labels. They are no names, even if the patient field contains them.
_CHANNEL_WORDS = frozenset(
    {
        "eeg",
        "eog",
        "emg",
        "ecg",
        "ekg",
        "erg",
        "meg",
        "eit",
        "chin",
        "leg",
        "arm",
        "left",
        "right",
        "resp",
        "flow",
        "nasal",
        "temp",
        "light",
        "sound",
        "event",
        "marker",
        "pulse",
        "snore",
        "sao2",
        "spo2",
        "status",
        "body",
        "position",
        "channel",
        "signal",
        "ref",
    }
)
# Voltages in spellings that eegsleep does not read, but people understand.
_VOLTS = re.compile(r"[0-9.]{0,4}[mun\N{MICRO SIGN}\N{GREEK SMALL LETTER MU}kp]{0,2}V", re.IGNORECASE)
_UNITS = frozenset(
    {
        "%",
        "deg",
        "degc",
        "degf",
        "°c",
        "°f",
        "rad",
        "bpm",
        "1/min",
        "/min",
        "hz",
        "s",
        "ms",
        "min",
        "mmhg",
        "cmh2o",
        "kpa",
        "hpa",
        "pa",
        "mbar",
        "l/s",
        "l/min",
        "ml/s",
        "ml/min",
        "ml",
        "l",
        "g",
        "mg",
        "m/s2",
        "m/s^2",
        "m/s²",
        "cm",
        "mm",
        "m",
        "ohm",
        "kohm",
        "mohm",
        "ω",
        "kω",
        "lux",
        "lx",
        "db",
        "a",
        "ma",
        "ua",
        "µa",
        "μa",
        "na",
        "v2",
        "uv2",
        "uv^2",
        "bool",
        "boolean",
        "count",
        "counts",
        "bit",
        "bits",
        "adc",
        "raw",
        "none",
        "n/a",
        "-",
        "a.u.",
        "au",
        "arb",
        "arb.",
        "°",
        "h",
        "v/s",
        "g/s",
        "tr/min",
        "rpm",
        "unit",
        "units",
        "unknown",
    }
)
# The limits of an annotation signal by EDF+. They have no meaning, so that nothing is lost.
_ANNOTATION_LIMITS = {
    "physical minimum": b"-1",
    "physical maximum": b"1",
    "digital minimum": b"-32768",
    "digital maximum": b"32767",
}

# How the report of what was removed names these fields.
_NAMES = {
    "prefiltering": "text in the prefiltering that is no filter",
    "unit": "a unit that does not look like one",
    "reserved": "the reserved field",
}


def anonymize_recording(
    path: str | Path,
    output: str | Path,
    *,
    keep_annotations: Collection[str] = (),
    shift_to: date | None = None,
    shift_days: int | None = None,
) -> tuple[str, ...]:
    """Write a copy of an EDF or BDF file without words and dates that may identify the sleeper.

    Removed are the patient and recording fields, the start date, the transducers, prefilterings that are not plain
    filters, all reserved fields, labels and units that do not look like ones, all annotations except sleep stages and
    a few usual marks, and all bytes that belong to no record or annotation. Samples, gains, rates, times of records,
    and onset and duration of the annotations that stay are unchanged. Anonymizing the copy again changes nothing.

    The time of day stays, because sleep cannot be judged without it. **The EEG itself may identify a person**, if
    somebody has another recording of them: an anonymized file is not anonymous, and it should be shared with care. The
    name of the output file is not checked, and no program can tell a short name from the label of a channel; so
    the labels that stay are listed.

    Parameters
    ----------
    path : path
        The recording, or a scoring in annotations alone: EDF, EDF+, BDF or BDF+, gzipped or not. It is only read.
    output : path
        The file to write, which must not exist; it is written unpacked.
    keep_annotations : collection of str
        Further annotation texts to keep, in full; letter case does not matter. Read them before.
    shift_to : date, optional
        Date to write as the start; by default EDF's own for an unknown one, 1985-01-01. With invented dates in the
        right order, the nights of one sleeper keep their order.
    shift_days : int, optional
        In place of `shift_to`, days to add to the date of the file, or to take from it. One secret number for all
        nights of a sleeper keeps the time between them.

    Returns
    -------
    tuple of str
        One sentence for each kind of content that was removed, and one for what stays. They quote no removed word.

    Raises
    ------
    RecordingError
        If the recording cannot be read.
    EegSleepError
        If the output exists or cannot be written; then no part of it is left.

    Examples
    --------
    >>> es.anonymize_recording("sample-night.edf", "shared.edf")[-1][:29]
    'What stays: the time of day; '
    """
    path, output = Path(path), Path(output)
    _check_output(path, output)
    if shift_to is not None and shift_days is not None:
        raise SettingsError("two dates are asked for", found="--date and --shift-days", allowed="one of them")
    date_fields = _dates(shift_to)
    texts = frozenset(_comparable(text) for text in keep_annotations)
    tally = _Tally()
    try:
        opener, size_bytes = open_bytes(path)
        # an unpacked file comes open and its opener does not close it, so that it is entered twice
        with opener() as source, source:
            header = inspect_header(source, size_bytes, needs_signal=False)
            if shift_days is not None:
                date_fields = _dates(_shift(header, shift_days))
            source.seek(0)
            start, removed = _clean_header(source.read(header.header_bytes), header, *date_fields)
            with open_whole(output) as file:
                file.write(start)
                for piece in _clean_records(source, header, texts, tally):
                    file.write(piece)
    except HeaderRefusedError as error:
        raise error.faults[-1].as_error(path.name) from None
    except OSError as error:
        found = describe_error(error)
        raise EegSleepError(
            f"{path.name} cannot be copied to {output}", found=found, remedy="check both paths and the room on the disk"
        ) from error
    if size_bytes > header.header_bytes + header.n_records * header.record_bytes:
        removed.append("What follows the last whole record was removed.")
    return (*removed, *tally.sentences(), _what_stays(start, header))


def _check_output(path: Path, output: Path) -> None:
    if path.exists() and output.exists() and path.samefile(output):
        raise EegSleepError(
            "a recording cannot be anonymized onto itself", found=str(output), remedy="name another file for the copy"
        )
    if os.path.lexists(output):
        raise EegSleepError(
            "the anonymized copy would overwrite a file",
            found=str(output),
            remedy="name a file that does not exist, or move this one away",
        )
    if not output.parent.is_dir():
        raise EegSleepError(
            "the anonymized copy has no folder to go to", found=str(output.parent), remedy="make the folder first"
        )
    if output.suffix.lower() == ".gz":
        raise EegSleepError("the anonymized copy is written unpacked", found=output.name, remedy="name it without .gz")


def _dates(shift_to: date | None) -> tuple[bytes, bytes]:
    """Return the start date for the main field, and for the recording field of EDF+."""
    if shift_to is None:
        return _NO_DATE, b"X"
    if shift_to.year not in YEARS:
        raise SettingsError(
            "EDF has no such start date", found=shift_to.isoformat(), allowed=f"{YEARS[0]} to {YEARS[-1]}"
        )
    day, month, year = shift_to.day, shift_to.month, shift_to.year
    return f"{day:02}.{month:02}.{year % 100:02}".encode(), f"{day:02}-{MONTHS[month - 1]}-{year}".encode()


def _shift(header: Header, days: int) -> date:
    """Return the date of a file, moved by a number of days."""
    if header.start is None or header.start.date() == _UNKNOWN_DATE:
        raise SettingsError("the date cannot be shifted", found="a file that gives none", allowed="--date in its place")
    try:
        return header.start.date() + timedelta(days=days)
    except OverflowError as error:
        raise SettingsError("EDF has no such start date", found=f"{days} days") from error


# -- header ------------------------------------------------------------------------------------------


def _clean_header(old: bytes, header: Header, short_date: bytes, long_date: bytes) -> tuple[bytes, list[str]]:
    """Return the new header, of the same size, and what was removed from the old one."""
    main, removed = _clean_main(old[:256], header, short_date, long_date)
    signals, more = _clean_signals(old[256:], header, _naming_words(old))
    return main + signals, removed + more


def _clean_main(old: bytes, header: Header, short_date: bytes, long_date: bytes) -> tuple[bytes, list[str]]:
    family = header.kind[:3].encode()
    plus = re.match(family + rb"\+[CD]", old[192:236].upper())
    clock = old[176:184].strip(PADDING)
    fields = (
        (8, b"\xffBIOSEMI" if family == b"BDF" else b"0", ""),
        (80, b"X X X X" if plus else b"X", "The patient field was emptied."),
        (
            80,
            b"Startdate " + long_date + b" X X X" if plus else b"X",
            "The recording field was emptied: dates, staff, "
            "equipment. If the device was known by it, name the device when the copy is read.",
        ),
        (
            8,
            short_date,
            "The start date was replaced, by EDF's own for an unknown one."
            if short_date == _NO_DATE
            else "The start date was replaced by the one asked for.",
        ),
        (8, clock if _CLOCK.fullmatch(clock) else b"", "The start time was no time and was removed."),
        (8, b"%d" % header.header_bytes, ""),
        (44, plus[0] if plus else b"24BIT" if family == b"BDF" else b"", "The reserved field was emptied."),
        (8, b"%d" % header.n_records, "The number of records was set to that of the whole records in the file."),
        (8, old[244:252].strip(PADDING), ""),
        (4, b"%d" % len(header.signals), ""),
    )
    new, removed, place = b"", [], 0
    for width, content, sentence in fields:
        if sentence and old[place : place + width].strip(PADDING) != content:
            removed.append(sentence)
        new += content.ljust(width)
        place += width
    return new, removed


def _naming_words(old: bytes) -> frozenset[str]:
    """Return the words of the header that may name people; a label that contains one of them is replaced.

    In the recording field of EDF+ the two words after the date are the hospital's number and the technician.
    """
    words = [decode_text(old[8:88])]
    recording = decode_text(old[88:168]).split()
    if recording and recording[0].casefold() == "startdate":
        words += recording[2:4]
    found = re.findall(r"[^\W_]{3,}", " ".join(words).casefold())
    return frozenset(found) - _CHANNEL_WORDS


def _clean_signals(old: bytes, header: Header, naming_words: frozenset[str]) -> tuple[bytes, list[str]]:
    new, place = b"", 0
    changed: dict[str, list[int]] = {}
    for name, width in FIELD_WIDTHS.items():
        for i, signal in enumerate(header.signals):
            written = old[place : place + width].strip(PADDING)
            cleaned = (
                _clean_label(written, signal, i, naming_words) if name == "label" else _clean(name, written, signal)
            )
            if cleaned != written:
                changed.setdefault(name, []).append(i + 1)
            new += cleaned.ljust(width)
            place += width
    renamed = changed.pop("label", [])
    removed = [
        f"Removed from {len(n)} of the signals: {_NAMES.get(name, f'the {name}')}." for name, n in changed.items()
    ]
    if renamed:
        told = ", ".join(map(str, renamed))
        said = "Labels that do not look like a channel's, or contain a word that may be a name, were replaced by the"
        removed.insert(0, f"{said} number of their signal: {told}.")
    return new, removed


def _clean(name: str, written: bytes, signal: Signal) -> bytes:
    """Return the part that stays of a field of a signal, other than its label."""
    match name:
        case "transducer" | "reserved":
            return b""
        case "prefiltering":
            filters = _FILTERS.match(written)
            return filters[0].rstrip(b" ;,") if filters else b""
        case "unit":
            text = decode_text(written)
            is_unit = text in VOLTS_PER_UNIT or _VOLTS.fullmatch(text) or text.casefold() in _UNITS
            return written if is_unit else b""
        case "samples per record":
            return written  # it is a whole number, or the header would have been refused
        case _:
            return written if DECIMAL.fullmatch(written) else _ANNOTATION_LIMITS[name] if signal.is_annotation else b""


def _clean_label(written: bytes, signal: Signal, i: int, naming_words: frozenset[str]) -> bytes:
    if signal.is_annotation:
        return decode_text(written).encode()
    text = unicodedata.normalize("NFC", _decode(written))
    parts = re.findall(r"[^\W_]+", text.casefold())
    names_someone = any(w in text.casefold() if len(w) > 3 else w in parts for w in naming_words)
    is_label = parts and _LABEL.fullmatch(text) and not _NUMBER.search(text) and not names_someone
    return written if is_label or not written else b"signal %d" % (i + 1)


def _what_stays(start: bytes, header: Header) -> str:
    labels = [decode_text(start[256 + 16 * i : 272 + 16 * i]) for i in range(len(header.signals))]
    told = ", ".join(label for label, s in zip(labels, header.signals, strict=True) if label and not s.is_annotation)
    if not told:
        return "What stays: the time of day, and the annotations that were kept."
    return (
        "What stays: the time of day; the signals, which may identify a person by themselves; and their labels, which "
        f"should contain no name: {told}."
    )


# -- records -----------------------------------------------------------------------------------------


@dataclass
class _Tally:
    """How many annotations were kept and removed."""

    kept: int = 0
    removed: int = 0
    stray: int = 0

    def sentences(self) -> Iterator[str]:
        if self.removed:
            yield (
                f"Annotations removed: {self.removed}; kept: {self.kept}, which are sleep stages, the usual marks "
                "beside them, or texts that were asked for."
            )
        if self.stray:
            yield f"Text among the annotations that is no annotation was removed, in {self.stray} places."


def _clean_records(source: BinaryIO, header: Header, texts: frozenset[str], tally: _Tally) -> Iterator[memoryview]:
    """Yield the whole records in pieces; only the bytes of annotation signals differ from the input's."""
    width, size = header.sample_bytes, header.record_bytes
    places = [
        slice(s.start_sample * width, (s.start_sample + s.samples_per_record) * width)
        for s in header.signals
        if s.is_annotation
    ]
    step = max(1, PIECE_BYTES // size)
    source.seek(header.header_bytes)
    for first in range(0, header.n_records, step):
        expected = min(step, header.n_records - first) * size
        piece = bytearray(source.read(expected))
        if len(piece) < expected:
            raise RecordingError(
                "the recording became shorter while it was read", remedy="let the recorder finish first"
            )
        record = memoryview(piece)
        for at in range(0, expected if places else 0, size):
            for place in places:
                content = record[at : at + size][place]
                content[:] = _clean_annotations(bytes(content), texts, tally)
        yield record


def _clean_annotations(content: bytes, texts: frozenset[str], tally: _Tally) -> bytes:
    """Return one record of an annotation signal, in its old size, with the lists that stay moved together.

    The first list of a record gives the time at which it begins. So a list without text is kept in first place, but not
    if it would only come first because others were removed.
    """
    lists: list[bytes] = []
    for number, (time, rest) in enumerate(split_lists(content)):
        cleaned = _clean_list(time, rest, texts, tally, may_keep_time=number == 0 or bool(lists))
        if cleaned:
            lists.append(cleaned)
    return b"\0".join(lists).ljust(len(content), b"\0")


def _clean_list(
    time: re.Match[bytes] | None, rest: bytes, texts: frozenset[str], tally: _Tally, *, may_keep_time: bool
) -> bytes:
    """Return a time-stamped list with the texts that stay, at most as long as it was; empty if none stays."""
    if time is None:
        tally.stray += 1
        return b""
    written = rest.split(b"\x14")
    kept = [_kept_text(text, texts) for text in written]
    stay = [text for text in kept if text]
    tally.kept += len(stay)
    tally.removed += sum(1 for text in written if text.strip()) - len(stay)
    keeps_time = may_keep_time and not written[0]
    if not stay and not keeps_time:
        return b""
    # Some writers omit the last end mark; adding it could need a byte more than there is.
    ends = b"" if kept[-1] or not stay else b"\x14"
    mark = b"\x14" if keeps_time and len(written) > 1 else b""
    return time[0] + mark + b"\x14".join(stay) + ends


def _kept_text(raw: bytes, texts: frozenset[str]) -> bytes:
    """Return the part of an annotation's text that may stay: all, the part before its channel, or nothing."""
    whole = raw.strip(PADDING)
    if whole and _comparable(_decode(whole)) in texts:
        return whole
    before = whole.partition(b"@@")[0].strip(PADDING)
    text = _decode(before)
    return before if _STAGE_WORDS.fullmatch(text) or (before and _comparable(text) in texts) else b""


def _comparable(text: str) -> str:
    return " ".join(text.split()).casefold()


def _decode(raw: bytes) -> str:
    """Return the exact text; `decode_text` would remove characters that do not print."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
