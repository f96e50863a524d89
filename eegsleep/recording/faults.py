"""What can be wrong with a file: a `Fault` for each finding, the table of all codes, and text from files made safe."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

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

    Returns
    -------
    str
    """
    text = text[: 4 * limit]
    if not text.isprintable():  # no character of the categories C and Z but spaces: most texts by far
        text = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(text.split()).translate(_BRACKETS)[:limit]


_BRACKETS = str.maketrans({"<": "‹", ">": "›"})


class FaultKind(NamedTuple):
    """The meaning of a fault code, and what the user can do; each `Fault` says the same of one file, with figures."""

    meaning: str
    remedy: str


_EXPORT = "Export the night again from the recorder or its program."
_COPY = "Copy the file again from the recorder, or export it again."

# Every code that a reader uses. Codes stay the same between versions, so that programs can rely on them.
FAULTS: dict[str, FaultKind] = {
    # -- header and layout of EDF and BDF
    "header-cut": FaultKind("The file ends within its header.", _COPY),
    "not-edf": FaultKind("The file is no EDF or BDF file, although its name or its packing suggests one.", _EXPORT),
    "signal-count": FaultKind("The number of signals is 0 or beyond the limit.", _EXPORT),
    "header-size": FaultKind("The size of the header is written wrongly; the number of signals gives it.", ""),
    "header-contradiction": FaultKind(
        "Neither the size of the header nor that of the file fits the number of signals.", _EXPORT
    ),
    "record-size": FaultKind("One record is empty or larger than any recorder writes.", _EXPORT),
    "record-duration": FaultKind(
        "The duration of a record is missing, impossible, or contradicts the time stamps of the records.", _EXPORT
    ),
    "sampling-rate": FaultKind(
        "A signal has no sample in a record, or more a second than any recorder takes.", _EXPORT
    ),
    "signal-empty": FaultKind("A signal has no sample in a record; it is left out.", ""),
    "not-a-number": FaultKind("A field that must be a whole number is none.", _EXPORT),
    "whole-number": FaultKind("A whole number is written with a decimal point.", ""),
    "decimal-comma": FaultKind("A number is written with a decimal comma.", ""),
    "padding": FaultKind("A field is filled with other characters than spaces.", ""),
    "range": FaultKind(
        "The physical or digital limits of a signal give no scale; the channel cannot be used.",
        "Correct the field from the settings of the recorder.",
    ),
    "polarity": FaultKind("The physical minimum is above the maximum; the signal is inverted, as EDF has it.", ""),
    "annotations-only": FaultKind(
        "The file holds annotations and no signal.",
        "If it is a hypnogram, give it with --hypnogram beside the recording.",
    ),
    "no-data": FaultKind("The file holds no whole record.", _COPY),
    "record-count": FaultKind(
        "The number of records in the header is negative, or smaller than that in the file.", _COPY
    ),
    "length-unknown": FaultKind(
        "The recorder was not stopped properly, and the header gives no length; the whole file is read.", ""
    ),
    "cut-off": FaultKind(
        "The file is shorter than its header declares; what is there is read.",
        "Copy the file again if the whole night is needed.",
    ),
    "trailing-bytes": FaultKind("The file goes on after its last record; what follows is not read.", ""),
    "layout": FaultKind(
        "Header and size of the file disagree, and the records do not fit together as the header describes them.", _COPY
    ),
    "too-long": FaultKind(
        "The recording, with its gaps, is longer than 72 h, or has more than 24 h of gaps.", "Split it into nights."
    ),
    "too-many-records": FaultKind(
        "The recording has more records than can be placed in time.", "Export it with records of one second."
    ),
    # -- start
    "start-date": FaultKind(
        "The start date is missing, impossible, written in another way, or contradicts another one.",
        "Give the start with --start if it is wrong.",
    ),
    "start-time": FaultKind(
        "The start time is missing, impossible, or written in another way.",
        "Give the start with --start if it is wrong.",
    ),
    "date-unknown": FaultKind(
        "There is no date, or no plausible one; the start of the recording is not known.",
        "Give the start with --start.",
    ),
    "twelve-hour-clock": FaultKind(
        "The device writes a clock of 12 hours; the start may be twelve hours later.",
        "Give the start with --start if it is wrong.",
    ),
    "clock-utc": FaultKind(
        "The clock of the file is UTC and the time zone is not known.", "Give the local start with --start."
    ),
    "clock-zone": FaultKind("The time stamps name their time zone; times are local, as they are written.", ""),
    "clock-changed": FaultKind(
        "The clock jumped an hour, as for daylight saving; times follow the clock of the start.", ""
    ),
    # -- annotations and time of records
    "annotation-broken": FaultKind("Annotations do not follow the format and are left out.", ""),
    "annotations-many": FaultKind("The file has more annotations than are read.", ""),
    "no-time-keeping": FaultKind(
        "No record gives its time. A file that is declared discontinuous cannot be read without it.", _EXPORT
    ),
    "time-keeping-broken": FaultKind(
        "Some records do not give their time; the file is refused if a gap may be beside them.", _EXPORT
    ),
    "coarse-stamps": FaultKind("The records give their times in whole seconds only; shorter gaps cannot be seen.", ""),
    "jitter": FaultKind("The times of the records vary about a steady clock, which is used.", ""),
    "clock-drift": FaultKind(
        "The recorder's clock and the time stamps drift apart; times are those of the samples.", ""
    ),
    "late-start": FaultKind(
        "The first record is later than the start time in the header; beyond a day the file is refused.", _EXPORT
    ),
    "gap": FaultKind("Nothing was recorded for a time; the epochs there are not scored.", ""),
    "gap-implausible": FaultKind(
        "A gap is longer than all that was recorded, so that the time of one record may be wrong.",
        "Give the parts as files of their own, or export the recording again.",
    ),
    "gaps-many": FaultKind("The times of the records leave more gaps than any night has.", _EXPORT),
    "records-overlap": FaultKind("A record starts before the one before it ends.", _EXPORT),
    # -- gzipped files
    "gzip": FaultKind("The gzip file is broken.", "Pack or copy it again."),
    "gzip-trailing": FaultKind("The gzip file goes on after its end; what follows is not read.", ""),
    "gzip-size": FaultKind(
        "Unpacked, the file is larger than any EEG of its packed size.", "Unpack it and give the unpacked file."
    ),
    # -- folders of one-signal files
    "file-unreadable": FaultKind(
        "The file of a channel cannot be read; the channel is left out.", "Copy or convert the file again."
    ),
    "start-differs": FaultKind(
        "The file of a channel starts at another time; it is placed at its time, or left out if it shares none.",
        "Correct its start if it is wrong.",
    ),
    "pieces-joined": FaultKind("Files that follow each other were read as one recording.", ""),
    "length-differs": FaultKind("The file of a channel ends before the others; the rest is missing.", ""),
    # -- units and scale
    "unit-unknown": FaultKind(
        "The unit of a channel is not known, so its amplitude cannot be used.", 'Name the unit with --units "LABEL=uV".'
    ),
    "unit-assumed": FaultKind(
        "The header gives no unit; that of the format is used.", "Name the unit with --units if it is another."
    ),
    "not-a-voltage": FaultKind(
        "A channel is named like an EEG, but its unit is no voltage; it is left out.",
        "If it is an EEG, name it with --eeg, and its unit with --units.",
    ),
    "looks-alike": FaultKind(
        "The label of a channel looks like that of an eye or the chin, and is not known; the channel is not used.",
        "If it is one, name it with --eog or --emg.",
    ),
    "device-differs": FaultKind(
        "The device that was named does not fit the labels of the file.", "Leave --device out, or name another."
    ),
    "not-calibrated": FaultKind(
        "The header gives no gain; the amplitude of the channel cannot be known.", "Name another channel."
    ),
    "not-subtracted": FaultKind(
        "A central electrode could not be referenced to the mastoid and is used against the recorder's reference.",
        "Name the derivation with --eeg, or its unit with --units.",
    ),
    "amplitude": FaultKind(
        "The amplitude in 0.5–30 Hz is not that of any EEG; the unit or gain may be wrong.",
        "Look at the signal, and name the unit with --units if the file is wrong.",
    ),
    "offset": FaultKind(
        "The signal is far from zero: the amplifier passes direct current, or a limit is wrong.",
        "Compare amplitudes with care.",
    ),
    "dc-offset": FaultKind("The device adds a constant, which is left in; filters remove it.", ""),
    "noise": FaultKind(
        "Neighbouring samples hardly correlate: the signal is noise, or the header describes its bytes wrongly.",
        "Do not score this channel.",
    ),
    "held": FaultKind(
        "Most samples repeat the one before: the amplifier was at the end of its range, or its input open.",
        "Do not score these parts.",
    ),
    "coarse-step": FaultKind("One digital step is so large that it shows in a quiet EEG.", ""),
    "scale-disputed": FaultKind(
        "The maker's scale of this device in microvolts is disputed.",
        "Compare amplitudes only between nights of this device.",
    ),
    "gain-differs": FaultKind(
        "The channel has another scale than the other EEG channels of the file.",
        "Compare amplitudes between these channels with care.",
    ),
    "lopsided-range": FaultKind(
        "The physical or digital range is not symmetric about zero; one of the limits may be wrong.",
        "Compare the limits with the settings of the recorder.",
    ),
    "beyond-range": FaultKind(
        "Samples are beyond the limits that the header gives, so that these are wrong.",
        "Compare the limits with the settings of the recorder.",
    ),
    "rate-unusual": FaultKind(
        "No recorder is known to sample at this rate.", "Compare the rate with the settings of the recorder."
    ),
    "joints": FaultKind(
        "The signal jumps between records: samples were lost, or the header's samples per record are wrong.", _EXPORT
    ),
    # -- text files
    "gain-assumed": FaultKind(
        "The file does not give the gain of the amplifier; that with which the board starts is assumed.",
        "If another gain was set, multiply the amplitudes accordingly.",
    ),
    "rate-assumed": FaultKind("The file has no times; the nominal rate is assumed, and long losses are invisible.", ""),
    "rate-differs": FaultKind("Samples came at another rate than the nominal one; the measured rate is used.", ""),
    "packet-loss": FaultKind("Samples were lost; they are gaps.", ""),
    "duplicates": FaultKind("Rows repeat others and are left out.", ""),
    "reordered": FaultKind("Parts of the file were put back in order of time.", ""),
    "stamps-late": FaultKind("Samples came late, or the clock was set; times are only right to that.", ""),
    "stamps-wrong": FaultKind("Time stamps contradict those around them and are corrected or left out.", ""),
    "stamp-missing": FaultKind("Rows have no time stamp and are left out.", ""),
    "event-rows": FaultKind("Rows hold an event and no sample, and are left out.", ""),
    "missing-values": FaultKind("Cells are no numbers; these samples are missing.", ""),
    "headband-off": FaultKind("The headband was off for a time, which is a gap.", ""),
    "contact-bad": FaultKind("By the headband's own measure the contact was bad for part of the time.", ""),
    "channels-missing": FaultKind("Columns of the format are not in the file.", ""),
    "channels-counted": FaultKind("The file does not say its channels; they are counted by its columns.", ""),
    "columns-skipped": FaultKind("Columns that are not known as EEG are left out.", ""),
    "appended": FaultKind("Several recordings were appended to one file.", ""),
    "last-line-cut": FaultKind("The last row has no line end and is left out.", ""),
    # -- files that other packages read
    "first-sample": FaultKind(
        "The first sample is not the one that the header gives; header and samples may not belong together.",
        "Fetch the record again.",
    ),
    "foreign-format": FaultKind("The file is read through mne; its units, clock and gaps are not checked.", ""),
    "segments-joined": FaultKind(
        "The file was joined from segments; times after the first joint are too early.",
        "Export each segment as a file, or the whole as EDF+ with its gaps.",
    ),
    # -- signals in memory
    "in-memory": FaultKind(
        "The signals were given in memory, not as a file; what a file says of itself could not be checked.", ""
    ),
    "low-pass": FaultKind(
        "A low-pass was applied before, and cuts off what a measure or a check needs.", "Give the signal unfiltered."
    ),
    "high-pass": FaultKind(
        "A high-pass was applied before, and cuts off what a measure needs.", "Give the signal unfiltered."
    ),
    "marked-bad": FaultKind(
        "Channels or times were marked bad in mne; they are not used.", "Name a channel with eeg= to use it."
    ),
    # -- any
    "refused": FaultKind("The file cannot be read, for the reason given.", ""),
}
