"""Files whose main header or numbers of a signal are wrong, with what should come of each."""

from __future__ import annotations

import numpy as np
from faults.broken_case import ONE, Case
from faults.edf_bytes import (
    RATE,
    RECORDS,
    Channel,
    as_counts,
    base,
    base_channels,
    base_truth,
    build,
    edited,
    eeg_counts,
    noise_counts,
    truth_of,
)

HEADER = 768
RECORD = 2 * 2 * RATE
NO_NUMBERS = ()


def first(seconds: int, truth: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Return the first seconds of the truth."""
    return {label: signal[: seconds * RATE] for label, signal in (truth or base_truth()).items()}


def negated() -> dict[str, np.ndarray]:
    """Return the truth where the first channel's physical limits are swapped, which the specification allows."""
    return base_truth() | {"C4-M1": -base_truth()["C4-M1"]}


def _noise() -> list[Channel]:
    return [Channel(label, noise_counts(seed, RECORDS * RATE)) for label, seed in ((b"C4-M1", 3), (b"F3-M2", 4))]


def _cut(name: str, size: int, why: str) -> Case:
    return Case(name, why, lambda: base()[:size], "refused")


def _refused(name: str, why: str, **fields: bytes) -> Case:
    return Case(name, why, lambda: edited(**fields), "refused", options=ONE)


def _told(name: str, why: str, note: str = ".", **fields: bytes) -> Case:
    """Return a case that may be read if its numbers are right and the user hears of the fault."""
    return Case(name, why, lambda: edited(**fields), "noted or refused", note=note, options=ONE)


def _never_silent(name: str, why: str, note: str = ".", **fields: bytes) -> Case:
    """Return a case in which no numbers can be known to be right: it is refused, or read with a warning."""
    return Case(name, why, lambda: edited(**fields), "said or refused", NO_NUMBERS, note=note, options=ONE)


def _same(name: str, why: str, expect: str = "exact", **fields: bytes) -> Case:
    return Case(name, why, lambda: edited(**fields), expect, options=ONE)


SIZES = [
    Case("ok", "a sound file is read without a word", base, "quiet"),
    Case(
        "ok_noise",
        "noise is not EEG, yet its numbers are right",
        lambda: build(_noise()),
        "exact",
        (lambda: truth_of(_noise()),),
    ),
    _cut("empty_file", 0, "nothing to read"),
    _cut("one_byte", 1, "nothing to read"),
    _cut("cut_main_header", 200, "the number of signals is not there"),
    _cut("main_header_only", 256, "the signals are not described"),
    _cut("cut_signal_header", 500, "the signals are half described"),
    _cut("cut_one_byte_before_data", HEADER - 1, "the header is not whole"),
    _cut("header_only_of_60", HEADER, "60 records are promised and none is there"),
    _cut("first_record_not_whole", HEADER + RECORD - 2, "not one record is whole"),
    Case(
        "cut_last_record",
        "what was written is good: read it and say what is missing",
        lambda: base()[: -RECORD // 2],
        "noted",
        (lambda: first(59),),
        note="cut|trunc|short|missing|record|declared",
    ),
    Case(
        "cut_by_one_byte",
        "the last record may be dropped, never filled up",
        lambda: base()[:-1],
        "noted",
        (lambda: first(59),),
        note="cut|trunc|short|missing|record|declared",
    ),
    Case(
        "cut_between_records",
        "40 whole records of 60",
        lambda: base()[: HEADER + 40 * RECORD],
        "noted",
        (lambda: first(40),),
        note="cut|trunc|short|missing|record|declared",
    ),
    Case(
        "trailing_junk",
        "text after the last record is not EEG",
        lambda: base() + b"end of recording\r\n" * 300,
        "noted",
        note="after|beyond|longer|more|extra|trailing|record",
    ),
    Case("trailing_byte", "one byte more than declared changes no number", lambda: base() + b"\x00", "exact"),
    Case(
        "trailing_zeros",
        "zeros after the last record are not EEG",
        lambda: base() + bytes(RECORD * 7),
        "noted",
        note="after|beyond|longer|more|extra|trailing|record",
    ),
    Case("two_files_joined", "the second header is not EEG", lambda: base() * 2, "noted or refused"),
    Case("byte_order_mark", "three bytes in front shift every field", lambda: b"\xef\xbb\xbf" + base(), "refused"),
    Case("newline_in_front", "one byte in front shifts every field", lambda: b"\n" + base(), "refused"),
    Case(
        "newlines_converted",
        "a text-mode transfer put CR before each LF: all later samples are shifted",
        lambda: base()[:HEADER] + base()[HEADER:].replace(b"\n", b"\r\n"),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "byte_put_in",
        "one byte too many before the data: all samples are of halves of two",
        lambda: base()[:HEADER] + b"\x00" + base()[HEADER:],
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "byte_lost",
        "one byte too few before the data: all samples are of halves of two",
        lambda: base()[:HEADER] + base()[HEADER + 1 :],
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "byte_lost_in_the_middle",
        "all samples after it are of halves of two",
        lambda: base()[:30_001] + base()[30_002:],
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "big_endian",
        "bytes of each sample the wrong way round: noise over the whole range",
        lambda: base()[:HEADER] + np.frombuffer(base()[HEADER:], "<i2").byteswap().tobytes(),
        "said or refused",
        NO_NUMBERS,
    ),
    Case("no_records", "a header without data", lambda: edited(base()[:HEADER], n_records=b"0"), "refused"),
]

MAIN = [
    _told(
        "nrec_minus1",
        "the recorder was not stopped: all that is there is good",
        "stop|length|record|count|size",
        n_records=b"-1",
    ),
    _told("nrec_minus2", "not a count: the size of the file tells", n_records=b"-2"),
    _told("nrec_0", "the count says nothing is there, the size says 60 records", n_records=b"0"),
    Case(
        "nrec_6",
        "too few: either the rest is not trusted or it is read, and both are said",
        lambda: edited(n_records=b"6"),
        "noted or refused",
        (lambda: first(6), base_truth),
    ),
    _told("nrec_90", "too many: the file was cut off", n_records=b"90"),
    _told("nrec_giant", "99999999 records must not be believed", n_records=b"99999999"),
    _told("nrec_blank", "no count", n_records=b""),
    _told("nrec_fraction", "not a count", n_records=b"60.5"),
    _told("nrec_hex", "not a count in EDF, although it is 60", n_records=b"0x3c"),
    _told("nrec_underscore", "Python would take it for 60", n_records=b"6_0"),
    _told("nrec_exponent", "not a count in EDF", n_records=b"6e1"),
    _told("nrec_word", "not a count", n_records=b"sixty"),
    _told("nrec_nan", "not a count", n_records=b"nan"),
    _told("nrec_fullwidth", "digits of another script", n_records="６0".encode()),
    _told("nrec_arabic", "digits of another script: Python would take them for 60", n_records="٦٠".encode()),
    _told("nrec_high_bit", "the superscript two of Latin-1 is a digit to Python", n_records=b"6\xb2"),
    _same("nrec_nul_padded", "many writers pad with NUL", n_records=b"60\0\0\0\0\0\0"),
    _same("nrec_right_aligned", "a FORTRAN habit that leaves no doubt", n_records=b"      60"),
    _same("nrec_plus", "a sign leaves no doubt", "exact or refused", n_records=b"+60"),
    _same("nrec_zeros_in_front", "leaves no doubt", "exact or refused", n_records=b"00000060"),
    _same("nrec_tab", "a tab is no space, but the number is plain", "exact or refused", n_records=b"60\t\t"),
    _refused("ns_0", "no signal", n_signals=b"0"),
    _refused("ns_minus1", "not a count", n_signals=b"-1"),
    _refused("ns_minus2", "not a count, and the right number behind its sign", n_signals=b"-2"),
    _refused("ns_blank", "how many signals is not known", n_signals=b""),
    _refused("ns_3", "the header does not have room for three", n_signals=b"3"),
    _refused("ns_1", "fields of two signals read as those of one", n_signals=b"1"),
    _refused(
        "ns_1_consistent",
        "the size of the header agrees with one signal, its fields do not",
        n_signals=b"1",
        header_bytes=b"512",
    ),
    _refused("ns_3_consistent", "samples would be read as header", n_signals=b"3", header_bytes=b"1024"),
    _refused("ns_9999", "2.5 MB of header in a 61 kB file", n_signals=b"9999"),
    _refused("ns_word", "not a count", n_signals=b"two"),
    _told("ns_fraction", "not a count, though 2 is meant", n_signals=b"2.0"),
    *[
        _told(
            f"hbytes_{name}",
            "it disagrees with the number of signals; the layout and the size still tell",
            header_bytes=value,
        )
        for name, value in (
            ("512", b"512"),
            ("1024", b"1024"),
            ("0", b"0"),
            ("minus", b"-768"),
            ("blank", b""),
            ("giant", b"99999999"),
            ("769", b"769"),
            ("word", b"header"),
            ("nan", b"nan"),
        )
    ],
    _same("hbytes_fraction", "768.0 leaves no doubt", "exact or refused", header_bytes=b"768.0"),
    _same("hbytes_nul_padded", "many writers pad with NUL", header_bytes=b"768\0\0\0\0\0"),
    _refused("version_1", "no such version of EDF", version=b"1"),
    _refused("version_blank", "not EDF by its first field", version=b""),
    _same(
        "version_nul_padded",
        "EDF by its first field but for the padding",
        "exact or refused",
        version=b"0\0\0\0\0\0\0\0",
    ),
    _refused("dur_0", "samples without time", duration=b"0"),
    _refused("dur_0_0", "samples without time", duration=b"0.000000"),
    _refused("dur_minus", "time does not run backwards", duration=b"-1"),
    _refused("dur_nan", "not a duration", duration=b"nan"),
    _refused("dur_inf", "not a duration", duration=b"inf"),
    _refused("dur_blank", "no time axis", duration=b""),
    _refused("dur_1e300", "not a duration", duration=b"1e300"),
    _refused("dur_tiny", "2.56 million samples a second is no EEG", duration=b"0.0001"),
    _refused("dur_denormal", "a number that divides to infinity", duration=b"1e-320"),
    _refused("dur_giant", "a rate of 0.003 Hz is no EEG", duration=b"99999"),
    _refused("dur_underscore", "Python would take it for 10", duration=b"1_0"),
    _refused("dur_word", "not a duration", duration=b"1 sec"),
    _told("dur_arabic", "digits of another script", duration="١".encode()),
    _same(
        "dur_comma",
        "a decimal comma can be understood, and must not become something else",
        "exact or refused",
        duration=b"1,000",
    ),
    _same("dur_decimals", "plain", duration=b"1.000000"),
    _same("dur_plus", "leaves no doubt", "exact or refused", duration=b"+1"),
    _same("dur_exponent", "leaves no doubt", "exact or refused", duration=b"1e0"),
    _same("dur_nul_padded", "many writers pad with NUL", duration=b"1\0\0\0\0\0\0\0"),
    _same("dur_tab_padded", "a tab is no space, but the number is plain", "exact or refused", duration=b"1\t\t\t"),
    Case(
        "odd_clock",
        "a clock that runs 0.012 % fast is a fact to be kept, not rounded",
        lambda: edited(duration=b"0.99988"),
        rate_hz=RATE / 0.99988,
    ),
    Case("records_of_30_s", "as Sleep-EDF writes them", lambda: build(base_channels(), 2, b"30")),
    Case("records_of_a_quarter_second", "short records are legal", lambda: build(base_channels(), 240, b"0.25")),
    Case("one_giant_record", "one record of a minute is legal", lambda: build(base_channels(), 1, b"60")),
]


def _fast_and_slow() -> list[Channel]:
    c4, f3 = base_channels()
    spo2 = Channel(b"SpO2", np.arange(RECORDS), b"%", (b"0", b"100", b"0", b"1000"))
    return [spo2, c4, Channel(b"Resp nasal", eeg_counts(7, 32 * RECORDS, 32)), f3]


def _two_rates() -> list[Channel]:
    return [base_channels()[0], Channel(b"F3-M2", eeg_counts(8, 128 * RECORDS, 128))]


SAMPLES = [
    _never_silent(
        "spr_up_fits_40_records",
        "512 + 256 samples make 40 whole records: the count says 60",
        "record|cut",
        samples=b"512",
    ),
    _never_silent(
        "spr_down_fits_80_records", "128 + 256 samples make 80 whole records: the count says 60", samples=b"128"
    ),
    _never_silent(
        "spr_up_fits_40_no_count",
        "and with no count nothing but the signal's own jumps tells",
        samples=b"512",
        n_records=b"-1",
    ),
    _never_silent("spr_255", "the size is off by a little under one record", samples=b"255"),
    _never_silent("spr_257", "the size is off by a little", samples=b"257"),
    Case(
        "spr_shared_out_wrongly",
        "128 + 384 samples fill the record as 256 + 256 do: only the signals' jumps tell",
        lambda: edited(edited(samples=b"128"), samples=b"384", signal=1),
        "said or refused",
        NO_NUMBERS,
    ),
    Case(
        "spr_swapped",
        "two rates that changed places fill the record all the same",
        lambda: edited(edited(build(_two_rates()), samples=b"128"), samples=b"256", signal=1),
        "said or refused",
        NO_NUMBERS,
    ),
    _refused("spr_0", "a channel without samples cannot be scored", samples=b"0"),
    _refused("spr_minus", "not a count", samples=b"-256"),
    _refused("spr_blank", "not a count", samples=b""),
    _refused("spr_nan", "not a count", samples=b"nan"),
    _refused("spr_1", "1 Hz is no EEG", samples=b"1"),
    _refused("spr_giant", "one record would be 200 MB in a 61 kB file", samples=b"99999999"),
    _refused(
        "spr_70_mb_record",
        "one record would be 70 MB in a 61 kB file, at a rate that looks right",
        samples=b"35000000",
        duration=b"136718.7",
    ),
    _same("spr_fraction", "256.0 leaves no doubt", "exact or refused", samples=b"256.0"),
    _told("spr_underscore", "Python would take it for 256", samples=b"2_56"),
    _same("spr_nul_padded", "many writers pad with NUL", samples=b"256\0\0\0\0\0"),
    _same("spr_right_aligned", "a FORTRAN habit", samples=b"     256"),
    Case("mixed_rates", "256, 32 and 1 Hz in one file: the EEG comes as it is", lambda: build(_fast_and_slow())),
    Case(
        "slow_channel_asked_for",
        "32 Hz cannot be EEG",
        lambda: build(_fast_and_slow()),
        "refused",
        options={"eeg": ["Resp nasal"]},
    ),
    Case(
        "signals_512",
        "a full high-density cap",
        lambda: build([*base_channels(), *(Channel(b"X%d" % i, eeg_counts(i, RECORDS)) for i in range(510))]),
    ),
    Case(
        "signals_600",
        "more signals than any cap has: read right or refused",
        lambda: build([*base_channels(), *(Channel(b"X%d" % i, eeg_counts(i, RECORDS)) for i in range(598))]),
        "exact or refused",
    ),
]


def _wide() -> Channel:
    """Return a channel that uses only counts from -2048 to 2047, as a 12-bit converter does."""
    limits = (b"-500", b"500", b"-2048", b"2047")
    return Channel(b"C4-M1", eeg_counts(1, RECORDS * RATE, limits=limits), limits=limits)


LIMITS = [
    _refused("phys_equal_zero", "no scale", pmin=b"0", pmax=b"0"),
    _refused("phys_equal", "no scale", pmin=b"500", pmax=b"500"),
    _refused("phys_nan", "no scale", pmax=b"nan"),
    _refused("phys_min_nan", "no scale", pmin=b"NaN"),
    _refused("phys_inf", "no scale", pmax=b"inf"),
    _refused("phys_both_inf", "no scale", pmin=b"-inf", pmax=b"inf"),
    _refused("phys_blank", "no scale", pmax=b""),
    _refused("phys_both_blank", "no scale", pmin=b"", pmax=b""),
    _refused("phys_word", "no scale", pmax=b"max"),
    _refused("phys_underscore", "Python would take it for 500", pmax=b"5_00"),
    _refused("phys_two_numbers", "which of them?", pmax=b"500 500"),
    _refused("phys_two_points", "not a number", pmax=b"5.00.0"),
    _refused("phys_nul_inside", "not a number", pmax=b"5\x0000"),
    _never_silent("phys_1e300", "no EEG is that large", pmax=b"1e300"),
    _never_silent("phys_1e30", "no EEG is that large", pmin=b"-1e30", pmax=b"1e30"),
    _never_silent("phys_1e_30", "no EEG is that small", pmin=b"-1e-30", pmax=b"1e-30"),
    _same(
        "phys_comma",
        "a decimal comma can be understood, and must not become something else",
        "exact or refused",
        pmin=b"-500,0",
        pmax=b"500,0",
    ),
    _told("phys_arabic", "digits of another script", pmax="٥٠٠".encode()),
    _same("phys_exponent", "legal to most writers", "exact or refused", pmax=b"5e2"),
    _same("phys_plus", "leaves no doubt", "exact or refused", pmax=b"+500.00"),
    _same("phys_nul_padded", "many writers pad with NUL", pmin=b"-500\0\0\0\0", pmax=b"500\0\0\0\0\0"),
    _same("phys_tab_padded", "a tab is no space, but the number is plain", "exact or refused", pmax=b"500\t\t\t\t\t"),
    _same("phys_right_aligned", "a FORTRAN habit", pmin=b"    -500", pmax=b"     500"),
    Case(
        "phys_swapped",
        "a negative gain is legal: the signal is the other way up",
        lambda: edited(pmin=b"500", pmax=b"-500"),
        truths=(negated,),
    ),
    _never_silent("dig_swapped", "illegal, and readers disagree on the sign it gives", dmin=b"32767", dmax=b"-32768"),
    _refused("dig_equal", "no scale", dmin=b"0", dmax=b"0"),
    _refused("dig_nan", "no scale", dmax=b"nan"),
    _refused("dig_inf", "no scale", dmax=b"inf"),
    _refused("dig_blank", "no scale", dmax=b""),
    _refused("dig_word", "no scale", dmin=b"min"),
    _refused("dig_underscore", "Python would take it for 32767", dmax=b"32_767"),
    _never_silent("dig_fraction", "a count has no decimals", dmax=b"32767.5"),
    _same("dig_whole_fraction", "32767.0 leaves no doubt", "exact or refused", dmax=b"32767.0"),
    _never_silent(
        "dig_unsigned", "a 16-bit sample is never 65535: what the limits mean is not known", dmin=b"0", dmax=b"65535"
    ),
    _never_silent("dig_40000", "a 16-bit sample is never 40000", dmax=b"40000"),
    _never_silent("dig_minus_99999", "a 16-bit sample is never -99999", dmin=b"-99999"),
    _never_silent("dig_24_bit_in_edf", "limits of BDF in an EDF file", dmin=b"-8388608", dmax=b"8388607"),
    _never_silent(
        "dig_smaller_than_data",
        "samples lie outside the limits: the limits are wrong, and so is the gain",
        dmin=b"-100",
        dmax=b"100",
    ),
    Case(
        "twelve_bits",
        "limits need not fill 16 bits",
        lambda: build([_wide(), base_channels()[1]]),
        truths=(lambda: truth_of([_wide(), base_channels()[1]]),),
        step_uv=1000 / 4095,
    ),
]


def _signal(counts: np.ndarray) -> list[Channel]:
    return [Channel(b"C4-M1", counts), base_channels()[1]]


def _content(name: str, why: str, counts: np.ndarray, expect: str = "exact") -> Case:
    return Case(name, why, lambda: build(_signal(counts)), expect, (lambda: truth_of(_signal(counts)),))


def _with_hole() -> np.ndarray:
    counts = base_channels()[0].counts.copy()
    counts[20 * RATE : 40 * RATE] = 0
    return counts


N = RECORDS * RATE
CONTENT = [
    _content("flat", "a dead channel is read as it is; its quality is judged later", np.zeros(N, int)),
    _content("stuck_at_a_rail", "no contact", np.full(N, 32767)),
    _content("clipped", "rails are read as they are", as_counts(600 * np.sin(np.arange(N) / 40))),
    _content("zeros_in_the_middle", "zeros are numbers, not a gap", _with_hole()),
    _content("offset", "an offset of 400 µV is no other unit", as_counts(400 + base_channels()[0].numbers)),
    _content("one_count_flicker", "one digital step is all there is", np.arange(N) % 2),
]

CASES = [*SIZES, *MAIN, *SAMPLES, *LIMITS, *CONTENT]
