"""Files whose dates, record starts or annotations are wrong or rare, with what should come of each."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from faults.broken_case import ONE, START, Case
from faults.edf_bytes import (
    RATE,
    RECORDS,
    Channel,
    base_channels,
    base_truth,
    build,
    edited,
    keep_time,
    plus,
    with_gaps,
)

NO_NUMBERS = ()
DATE = "date|start|time"


def _at(*parts: int) -> tuple[datetime]:
    return (datetime(*parts),)  # noqa: DTZ001 - EDF has no zone


def _date(name: str, why: str, starts: tuple, expect: str = "exact", note: str = DATE, **fields: bytes) -> Case:
    return Case(f"date_{name}", why, lambda: edited(**fields), expect, starts=starts, note=note)


def _no_date(name: str, why: str, **fields: bytes) -> Case:
    """Return a case whose start is not known: the EEG is good, so it is read, and the user hears of it."""
    return _date(name, why, (None,), "noted", **fields)


OTHER = b"Startdate X X X X"
DATES = [
    _no_date("zero", "never set", date=b"00.00.00", recording=b""),
    _no_date("impossible", "there is no 31 February", date=b"31.02.24", recording=b""),
    _no_date("us_order", "there is no 14th month", date=b"06.14.24", recording=b""),
    _no_date("blank", "nothing said", date=b"", recording=b""),
    _no_date("word", "nothing said", date=b"unknown", recording=b""),
    _no_date("nul", "nothing said", date=b"\0" * 8, recording=b""),
    _no_date("high_bit_digits", "superscript digits are digits to Python", date=b"1\xb2.06.24", recording=b""),
    _no_date("minus", "a sign is no digit", date=b"-4.06.24", recording=b""),
    _no_date("time_impossible", "no such time of day", time=b"25.61.61", recording=b""),
    _no_date("time_60_seconds", "no such second on a clock", time=b"23.15.60", recording=b""),
    _no_date("time_blank", "midnight must not be made up", time=b"", recording=b""),
    _no_date("time_pm", "what the letters belong to is a guess", time=b"11.15 PM", recording=b""),
    _no_date("time_underscore", "Python would take 1_ for nothing, 1_1 for 11", time=b"2_.15.30", recording=b""),
    _date("colons", "23:15:30 is plain; mne makes midnight of it", (START, None), time=b"23:15:30", recording=b""),
    _date("dashes", "14-06-24 is plain", (START, None), date=b"14-06-24", recording=b""),
    _date("slashes", "14/06/24 is plain in a field that is day first", (START, None), date=b"14/06/24", recording=b""),
    _date("1985", "the year the two digits start at", _at(1985, 6, 14, 23, 15, 30), date=b"14.06.85", recording=b""),
    _date("2084", "the year the two digits end at", _at(2084, 6, 14, 23, 15, 30), date=b"14.06.84", recording=b""),
    _date(
        "sentinel",
        "01.01.85 is what anonymisers write: a date, or none, but no other",
        (*_at(1985, 1, 1, 23, 15, 30), None),
        date=b"01.01.85",
        recording=b"",
    ),
    Case(
        "date_yy",
        "after 2084 EDF+ writes yy, and the year stands in Startdate",
        lambda: plus(date=b"14.06.yy", recording=b"Startdate 14-JUN-2085 X X X"),
        starts=_at(2085, 6, 14, 23, 15, 30),
    ),
    Case(
        "date_conflict",
        "two dates: the one of four digits, and say so",
        lambda: plus(date=b"01.01.85"),
        "noted",
        starts=(START,),
        note=DATE,
    ),
    Case("date_startdate_x", "Startdate X is how EDF+ says nothing", lambda: plus(recording=OTHER)),
    Case("date_startdate_word", "not EDF+: the field may hold anything", lambda: edited(recording=b"Startdate soon")),
    Case(
        "date_startdate_impossible",
        "the date field is good",
        lambda: plus(recording=b"Startdate 31-FEB-2024 X X X"),
        starts=(START, None),
    ),
    Case("date_startdate_lower", "lower case leaves no doubt", lambda: plus(recording=b"Startdate 14-jun-2024 X X X")),
    Case(
        "date_startdate_german",
        "MAI is no month to EDF+; the date field is good",
        lambda: plus(date=b"14.05.24", recording=b"Startdate 14-MAI-2024 X X X"),
        starts=(*_at(2024, 5, 14, 23, 15, 30), None),
    ),
    Case(
        "date_year_0",
        "no year 0: the date field is good",
        lambda: plus(recording=b"Startdate 14-JUN-0000 X X X"),
        starts=(START, None),
    ),
    Case(
        "date_crosses_midnight",
        "the last second of a year is a start like any other",
        lambda: edited(date=b"31.12.24", time=b"23.59.59", recording=b""),
        starts=_at(2024, 12, 31, 23, 59, 59),
    ),
    Case(
        "date_29_february",
        "2024 has one",
        lambda: edited(date=b"29.02.24", recording=b""),
        starts=_at(2024, 2, 29, 23, 15, 30),
    ),
]


def _jump(after: int, gap_s: float) -> list[float]:
    """Return record starts with one gap."""
    return [i + (gap_s if i >= after else 0) for i in range(RECORDS)]


def _swapped() -> list[float]:
    onsets = list(range(RECORDS))
    onsets[30], onsets[31] = 31, 30
    return onsets


def _in_order() -> dict[str, np.ndarray]:
    order = np.argsort(_swapped())
    return {label: signal.reshape(-1, RATE)[order].ravel() for label, signal in base_truth().items()}


def _every_other_half_second() -> dict[str, np.ndarray]:
    """Return the truth of records of 0.5 s that start every second."""
    out = {}
    for label, signal in base_truth().items():
        rows = np.full((RECORDS, 2 * RATE), np.nan)
        rows[:, :RATE] = signal.reshape(-1, RATE)
        out[label] = rows.ravel()[:-RATE]
    return out


def _tals(at: int, tal: bytes) -> list[bytes]:
    """Return sound time-keeping with what stands in one record replaced."""
    return [tal if i == at else keep_time(f"+{i}") for i in range(RECORDS)]


def _gap(name: str, onsets: list[float], why: str, expect: str = "exact", reserved: bytes = b"EDF+D", **more) -> Case:
    return Case(
        f"gap_{name}", why, lambda: plus(onsets, reserved=reserved), expect, (lambda: with_gaps(onsets),), **more
    )


def _with(name: str, why: str, tals: list[bytes], expect: str = "exact", **more) -> Case:
    """Return a case of a continuous file in which only the annotations are odd: the EEG is as it was."""
    return Case(f"tal_{name}", why, lambda: plus(tals=tals, **more), expect)


def _lost(name: str, why: str, at: int, tal: bytes) -> Case:
    """Return a case of a discontinuous file in which a record's start is lost: where it lies is not known."""
    return Case(
        f"lost_{name}", why, lambda: plus(tals=_tals(at, tal), reserved=b"EDF+D"), "said or refused", NO_NUMBERS
    )


STARTS = [
    Case("plus_ok", "a sound EDF+ file is read without a word", plus, "quiet"),
    Case("plus_marks_first", "the annotations may stand in front", lambda: plus(first=True)),
    Case("plus_reserved_long", "EDF+C may be followed by more", lambda: plus(reserved=b"EDF+C; made by hand")),
    Case("plus_reserved_lower", "edf+c means what EDF+C means", lambda: plus(reserved=b"edf+c"), "exact or refused"),
    Case(
        "plus_without_marks",
        "EDF+C by name, EDF by content: there are no gaps to be lost",
        lambda: edited(reserved=b"EDF+C"),
        "exact or refused",
    ),
    Case(
        "plus_d_without_marks",
        "gaps are announced and nothing says where",
        lambda: edited(reserved=b"EDF+D"),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "plus_wrong_case",
        "marks under a name in other case: they are not EEG, the EEG is",
        lambda: plus(label=b"EDF annotations"),
        "exact or refused",
    ),
    Case(
        "plus_marks_in_plain_edf",
        "annotations in a file that does not say it is EDF+",
        lambda: plus(reserved=b""),
        "exact or refused",
    ),
    Case(
        "plus_gap_in_plain_edf",
        "a gap its annotations tell, in a file that does not say it is EDF+",
        lambda: plus(_jump(30, 20), reserved=b""),
        "noted or refused",
        (lambda: with_gaps(_jump(30, 20)),),
    ),
    Case(
        "plus_marks_without_samples",
        "a signal for annotations that has no room for any",
        lambda: plus(tals=[b""] * RECORDS, size=0),
        "exact or refused",
    ),
    Case(
        "start_half_second",
        "the first record starts half a second late, and so does the first sample",
        lambda: plus([i + 0.5 for i in range(RECORDS)]),
        starts=_at(2024, 6, 14, 23, 15, 30, 500_000),
    ),
    Case(
        "start_2_ms",
        "the unit of the fraction must not be taken for another",
        lambda: plus([i + 0.002 for i in range(RECORDS)]),
        starts=_at(2024, 6, 14, 23, 15, 30, 2_000),
    ),
    Case(
        "start_100_s_late",
        "the first record says it starts 100 s after the header's time: the later is meant",
        lambda: plus([i + 100 for i in range(RECORDS)]),
        "exact or refused",
        starts=_at(2024, 6, 14, 23, 17, 10),
    ),
    Case(
        "start_minus_5_s",
        "a start before the start is not legal",
        lambda: plus(tals=[keep_time(f"{i - 5:+}") for i in range(RECORDS)]),
        "noted or refused",
        starts=(START, None, *_at(2024, 6, 14, 23, 15, 25)),
    ),
    Case(
        "start_1e12",
        "30,000 years late",
        lambda: plus(tals=[keep_time(f"+{10**12 + i}") for i in range(RECORDS)]),
        "noted or refused",
        starts=(START, None),
    ),
    _gap("none", _jump(30, 0), "announced, and there is none"),
    _gap("half_second", _jump(30, 0.5), "half an epoch's spindle is missing, not moved"),
    Case(
        "gap_one_sample",
        "one sample may be missing, or the clock trembled: both are 4 ms",
        lambda: plus(_jump(30, 1 / RATE), reserved=b"EDF+D"),
        truths=(base_truth, lambda: with_gaps(_jump(30, 1 / RATE))),
    ),
    _gap(
        "one_sample_each",
        [i * (1 + 1 / RATE) for i in range(RECORDS)],
        "a clock that loses a sample a second is a quarter of a second late after a minute: kept, or said",
        "exact or said or refused",
    ),
    Case(
        "gap_one_sample_each_hidden",
        "the same, in a file that says it is continuous",
        lambda: plus([i * (1 + 1 / RATE) for i in range(RECORDS)]),
        "said or refused",
        (lambda: with_gaps([i * (1 + 1 / RATE) for i in range(RECORDS)]),),
    ),
    _gap("20_s", _jump(30, 20), "20 s are missing, not closed up"),
    _gap("1_h", _jump(30, 3600), "an hour out of bed"),
    _gap("after_first", _jump(1, 7), "the first record alone"),
    _gap("before_last", _jump(59, 7), "the last record alone"),
    _gap("many", [1.25 * i for i in range(RECORDS)], "a gap after each record: every record in its place"),
    _gap("two", [i + 3 * (i > 10) + 40 * (i > 50) for i in range(RECORDS)], "gaps add up"),
    _gap("30_days", _jump(30, 30 * 86400), "no night lasts a month: not an array of 30 days", "refused"),
    _gap("100_years", _jump(30, 100 * 3.2e7), "no array of a century", "refused"),
    _gap("hidden", _jump(30, 20), "continuous by name, not by its clock", "noted or refused", b"EDF+C"),
    _gap("hidden_1_h", _jump(30, 3600), "continuous by name, not by its clock", "noted or refused", b"EDF+C"),
    _gap("hidden_half_second", _jump(30, 0.5), "continuous by name, not by its clock", "noted or refused", b"EDF+C"),
    Case(
        "gap_after_each_half_second",
        "as a recorder writes that sleeps between its records",
        lambda: plus(range(RECORDS), reserved=b"EDF+D", duration=b"0.5"),
        truths=(_every_other_half_second,),
        rate_hz=2 * RATE,
    ),
    Case(
        "gap_jitter",
        "clocks written to the millisecond are no gaps",
        lambda: plus([round(i + 0.0007 * (-1) ** i, 3) if i else 0 for i in range(RECORDS)], reserved=b"EDF+D"),
        "exact or refused",
    ),
    Case(
        "gap_cut",
        "the records after the cut are missing, the gap before it is not",
        lambda: plus(_jump(20, 20), reserved=b"EDF+D")[: 1024 + 40 * (4 * RATE + 64)],
        "noted",
        (lambda: with_gaps(_jump(20, 20)[:40]),),
    ),
    Case(
        "overlap",
        "two records claim the same half second: which is right?",
        lambda: plus(_jump(30, -0.5), reserved=b"EDF+D"),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "overlap_named_continuous",
        "two records claim the same half second",
        lambda: plus(_jump(30, -0.5)),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "twice_the_same_time",
        "a packet sent twice",
        lambda: plus(_jump(30, -1), reserved=b"EDF+D"),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "out_of_order",
        "put in order or refused, never read as they come",
        lambda: plus(_swapped(), reserved=b"EDF+D"),
        "exact or refused",
        (_in_order,),
    ),
    Case(
        "duration_field_half",
        "records are 2 s apart and said to last 1 s: the rate is wrong, or half is missing",
        lambda: plus([2 * i for i in range(RECORDS)]),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "duration_field_double",
        "records are 1 s apart and said to last 2 s",
        lambda: plus(duration=b"2"),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "duration_field_1_percent",
        "records are 1 s apart and said to last 1.01 s",
        lambda: plus(duration=b"1.01"),
        "said or refused",
        NO_NUMBERS,
    ),
]

ROOM = 16_384  # bytes a record: times 60, enough that a reader of quadratic cost hangs for hours
FEVER = b"+1\x14"
TEXT = b"Sleep stage W"
TALS = [
    _with(
        "latin1",
        "umlauts of an old program do not spoil the EEG",
        _tals(3, keep_time("+3", b"+3.2\x14Ger\xe4usch\x14")),
    ),
    _with("utf8", "what EDF+ asks for", _tals(3, keep_time("+3", b"+3.2\x14" + "sömn 😴".encode() + b"\x14"))),
    _with("with_duration", "30 s of a stage", _tals(0, keep_time("+0", b"+0\x1530\x14" + TEXT + b"\x14"))),
    _with("several_texts", "one onset, three texts", _tals(0, keep_time("+0", b"+0\x14a\x14b\x14c\x14"))),
    _with(
        "unterminated", "the end is missing, the EEG is not", _tals(3, b"+3\x14\x14\x00+3.5\x14arousal".ljust(64, b"x"))
    ),
    _with(
        "hostile",
        "no text of a file is obeyed",
        _tals(3, keep_time("+3", b"+3\x14<script>alert(1)</script>\x1b[2J\x14")),
    ),
    _with("bad_mark", "an annotation without a number", _tals(3, keep_time("+3", b"later\x14arousal\x14"))),
    _with("nan_mark", "an annotation at no time", _tals(3, keep_time("+3", b"+nan\x14arousal\x14"))),
    _with("1e12_mark", "an annotation in 30,000 years", _tals(3, keep_time("+3", b"+1000000000000\x14arousal\x14"))),
    _with("negative_mark", "an annotation before the start", _tals(3, keep_time("+3", b"-100\x14lights off\x14"))),
    _with("minus_duration", "a duration that runs backwards", _tals(3, keep_time("+3", b"+3\x15-5\x14arousal\x14"))),
    _with(
        "fever",
        "a list without an end costs no more than its length",
        [keep_time(f"+{i}") + FEVER * (ROOM // 3 - 8) for i in range(RECORDS)],
        "exact or refused",
        size=ROOM,
    ),
    _with(
        "fever_closed",
        "as many empty annotations",
        [keep_time(f"+{i}") + (FEVER + b"\x14\x00") * (ROOM // 5 - 8) for i in range(RECORDS)],
        "exact or refused",
        size=ROOM,
    ),
    _with(
        "many",
        "50,000 annotations are read, or left, in good time",
        [keep_time(f"+{i}", *[b"+%d.%04d\x14event %d\x14" % (i, j, j) for j in range(800)]) for i in range(RECORDS)],
        "exact or refused",
        size=ROOM,
    ),
    _with(
        "long_number",
        "a million digits are no number",
        [keep_time("+0") + b"+" + b"1" * (ROOM - 16)] + [keep_time(f"+{i}") for i in range(1, RECORDS)],
        "exact or refused",
        size=ROOM,
    ),
    _with(
        "missing",
        "one record does not say when it starts; the file says it is continuous",
        _tals(30, b""),
        "exact or refused",
    ),
    _with(
        "garbled",
        "one record does not say when it starts; the file says it is continuous",
        _tals(30, b"\x93\x07\xfe+\x14\x00\x15"),
        "exact or refused",
    ),
    _with("word", "no number", _tals(30, keep_time("+abc")), "exact or refused"),
    _with("nan", "no number", _tals(30, keep_time("+nan")), "noted or refused"),
    _with("inf", "no number", _tals(30, keep_time("+inf")), "noted or refused"),
    _with(
        "exponent",
        "1e3 is no onset in EDF+, and if it were it would be a gap",
        _tals(30, keep_time("+1e3")),
        "noted or refused",
    ),
    _with("1e12", "no record starts in 30,000 years", _tals(30, keep_time("+1000000000000")), "noted or refused"),
    _with(
        "comma", "a decimal comma in every onset", [keep_time(f"+{i},000") for i in range(RECORDS)], "exact or refused"
    ),
    _with(
        "no_sign",
        "onsets without the sign they must have",
        [keep_time(f"{i}") for i in range(RECORDS)],
        "exact or refused",
    ),
    _with(
        "all_missing",
        "no record says when it starts; the file says it is continuous",
        [b""] * RECORDS,
        "exact or refused",
    ),
    _with("all_garbled", "no record says when it starts", [b"\xff\xfe\xfd"] * RECORDS, "exact or refused"),
    _lost("missing", "gaps are announced, and this record does not say where it lies", 30, b""),
    _lost("garbled", "gaps are announced, and this record does not say where it lies", 30, b"\x93\x07\xfe+\x14\x00"),
    _lost("exponent", "e+09 is no onset in EDF+", 30, keep_time("+3.2e+09")),
    _lost("nan", "no number", 30, keep_time("+nan")),
    _lost("first", "the first record does not say when it starts", 0, b""),
    _lost("last", "the last record does not say when it starts", 59, b""),
    _lost("last_1e12", "the last record starts in 30,000 years", 59, keep_time("+1000000000000")),
    Case(
        "lost_all",
        "gaps are announced and nothing says where",
        lambda: plus(tals=[b""] * RECORDS, reserved=b"EDF+D"),
        "said or refused",
        NO_NUMBERS,
    ),
]


def _hypnogram(duration: bytes) -> bytes:
    """Return a file of stages without a signal, as Sleep-EDF's hypnograms are."""
    text = keep_time("+0", *(b"+%d\x1530\x14Sleep stage 2\x14" % (30 * i) for i in range(20)))
    counts = np.frombuffer(text + bytes(len(text) % 2), "<i2")
    marks = Channel(b"EDF Annotations", counts, b"", (b"-1", b"1", b"-32768", b"32767"))
    return build([marks], 1, duration, b"EDF+C")


def _two_marks() -> bytes:
    extra = np.frombuffer(b"".join((b"+%d.5\x14second\x14\x00" % i).ljust(32, b"\0") for i in range(RECORDS)), "<i2")
    marks = Channel(b"EDF Annotations", extra, b"", (b"-1", b"1", b"-32768", b"32767"))
    return plus(channels=[*base_channels(), marks], first=True)


MARKS = [
    Case("hypnogram", "stages are no recording", lambda: _hypnogram(b"0"), "refused"),
    Case("hypnogram_with_duration", "stages are no recording", lambda: _hypnogram(b"600"), "refused"),
    Case("two_lists_of_marks", "only the first list keeps the time", _two_marks),
    Case("marks_asked_for_as_eeg", "annotations are no EEG", plus, "refused", options={"eeg": ["EDF Annotations"]}),
    Case("nrec_minus1_plus", "not stopped, EDF+", lambda: plus(n_records=b"-1"), "noted or refused"),
    Case(
        "marks_with_wrong_size",
        "annotations shorter than they are said to be shift all EEG",
        lambda: edited(plus(), signal=2, samples=b"30"),
        "said or refused",
        NO_NUMBERS,
        options=ONE,
    ),
]

CASES = [*DATES, *STARTS, *TALS, *MARKS]
