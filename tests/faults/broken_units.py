"""Units, labels, containers and file names that are wrong or rare, with what should come of each."""

from __future__ import annotations

import gzip
import io
import os
import re
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from faults.broken_case import ONE, Case
from faults.edf_bytes import (
    LIMITS_24,
    RATE,
    RECORDS,
    Channel,
    base,
    base_channels,
    base_truth,
    build,
    edited,
    eeg_counts,
    truth_of,
)

if TYPE_CHECKING:
    from pathlib import Path

SCALED = "factor|unit|amplitude|spread"
GIGABYTES_3 = 3 * 1024**3


def _times(factor: float) -> dict[str, np.ndarray]:
    """Return the truth with the first channel's numbers multiplied, as another unit makes them."""
    return base_truth() | {"C4-M1": factor * base_truth()["C4-M1"]}


def _unit(name: str, unit: bytes, expect: str, why: str, **fields: bytes) -> Case:
    return Case(f"unit_{name}", why, lambda: edited(unit=unit, **fields), expect, options=ONE)


def _odd_unit(name: str, unit: bytes, factor: float, why: str) -> Case:
    """Return a case of a known unit on numbers that were meant as microvolts."""
    return Case(
        f"unit_{name}",
        why,
        lambda: edited(unit=unit),
        "noted or refused",
        (lambda: _times(factor),),
        ONE,
        note=SCALED,
        step_uv=factor * 0.1,
    )


def _named(name: str, unit: bytes, given: str, expect: str, why: str) -> Case:
    return Case(f"unit_{name}", why, lambda: edited(unit=unit), expect, options={**ONE, "units": {"C4-M1": given}})


MICRO = "µV".encode()
GREEK = "\N{GREEK SMALL LETTER MU}V".encode()
UNITS = [
    _unit("uV", b"uV", "quiet", "the usual spelling"),
    _unit("uv", b"uv", "exact", "lower case leaves no doubt; mne takes it for volts"),
    _unit("UV", b"UV", "exact", "upper case: microvolts in every file that has it"),
    _unit("micro_latin1", b"\xb5V", "exact", "the micro sign of Latin-1"),
    _unit("micro_utf8", MICRO, "exact", "the micro sign in UTF-8"),
    _unit("greek_utf8", GREEK, "exact", "the Greek letter in UTF-8"),
    _unit("greek_latin7", b"\xecV", "exact or refused", "the Greek letter in ISO 8859-7"),
    _unit("micro_cp437", b"\xe6V", "exact or refused", "the micro sign of DOS"),
    _unit("micro_macroman", b"\xb5v", "exact or refused", "the micro sign, lower case v"),
    _unit("mojibake", "µV".encode().decode("latin-1").encode(), "exact or refused", "UTF-8 taken for Latin-1 once"),
    _unit("microV", b"microV", "exact", "spelt out"),
    _unit("uVolt", b"uVolt", "exact or refused", "half spelt out"),
    _unit("uVolts", b"uVolts", "exact", "half spelt out"),
    _unit("microvol", b"microvol", "exact or refused", "cut at eight bytes"),
    _unit("right_aligned", b"      uV", "exact", "a FORTRAN habit"),
    _unit("nul_padded", b"uV\0\0\0\0\0\0", "exact", "many writers pad with NUL"),
    _unit("tab_padded", b"uV\t\t", "exact or refused", "a tab is no space, but the unit is plain"),
    _unit("nul_then_junk", b"uV\0\xcd\xcd\xcd\xcd\xcd", "exact or refused", "memory that was never cleared"),
    _unit("mV", b"mV", "exact", "the numbers are millivolts and so is the unit", pmin=b"-0.5", pmax=b"0.5"),
    _unit("V", b"V", "exact", "the numbers are volts and so is the unit", pmin=b"-0.0005", pmax=b"0.0005"),
    _unit("V_nul_padded", b"V \0\0\0\0\0\0", "exact", "volts, padded", pmin=b"-0.0005", pmax=b"0.0005"),
    _unit("nV", b"nV", "exact", "the numbers are nanovolts and so is the unit", pmin=b"-500000", pmax=b"500000"),
    _unit("nv", b"nv", "exact or refused", "lower case", pmin=b"-500000", pmax=b"500000"),
    _unit("mv", b"mv", "exact or refused", "lower case", pmin=b"-0.5", pmax=b"0.5"),
    _odd_unit("mV_of_uV", b"mV", 1e3, "a file that lies: 35 mV of EEG must be doubted aloud"),
    _odd_unit("V_of_uV", b"V", 1e6, "a file that lies: 35 V of EEG must be doubted aloud"),
    _odd_unit("nV_of_uV", b"nV", 1e-3, "a file that lies: 35 nV of EEG must be doubted aloud"),
    *[
        _unit(f"refused_{i}_{re.sub('[^A-Za-z0-9]', '', unit.decode('latin-1'))}", unit, "refused", why)
        for i, (unit, why) in enumerate(
            [
                (b"", "blank: volts, microvolts or counts?"),
                (b"\0" * 8, "blank in NULs"),
                (b"ADC", "counts have no scale"),
                (b".V", "a letter was lost, and it decides"),
                (b"?V", "a letter was lost, and it decides"),
                (b"\xffV", "not a letter of any unit"),
                (b"MV", "megavolts or millivolts?"),
                (b"kV", "no EEG"),
                (b"uA", "a current"),
                (b"u", "micro what?"),
                (b"uV/rtHz", "a density"),
                (b"uV^2", "a power"),
                (b"10uV", "is the ten a factor?"),
                (b"mmHg", "a pressure"),
                (b"%", "a share"),
                (b"Ohm", "an impedance"),
                (b"arb.", "arbitrary"),
                (b"n/a", "not available"),
                (b"uV uV", "twice is not a unit"),
                (b"uVrms", "another quantity"),
                (b"\xb5\xb5V", "twice micro"),
                (b"<uV>", "not a unit"),
                (b"-", "nothing"),
            ]
        )
    ],
    _named("adc_named", b"ADC", "uV", "exact", "the user knows"),
    _named("blank_named", b"", "uV", "exact", "the user knows"),
    _named("adc_named_unknown", b"ADC", "furlong", "refused", "not a unit, whoever says it"),
    _named("user_overrules", b"mV", "uV", "exact", "the user says what the file gets wrong"),
    Case(
        "unit_other_channel_unknown",
        "the channel that is asked for has a unit",
        lambda: edited(unit=b"ADC", signal=1),
        options=ONE,
    ),
]


def _labelled(name: str, label: bytes, expect: str, why: str, ask: str | None = None) -> Case:
    """Return a case in which the first channel has another label; the second is read unless one is asked for."""
    ask_for = ask or "F3-M2"
    return Case(
        f"label_{name}",
        why,
        lambda: edited(label=label),
        expect,
        (lambda: {ask_for: base_truth()["C4-M1" if ask else "F3-M2"]},),
        {"eeg": [ask_for]},
    )


def _named_twice() -> list[Channel]:
    flow = eeg_counts(5, RECORDS * 32, 32)
    return [*base_channels(), Channel(b"Airflow", flow), Channel(b"Airflow", flow)]


LABELS = [
    Case("label_twice", "which of the two is meant?", lambda: edited(label=b"C4-M1", signal=1), "refused", options=ONE),
    Case(
        "label_twice_unasked",
        "nothing sensible can be chosen by a name two channels share",
        lambda: edited(label=b"C4-M1", signal=1),
        "noted or refused",
        (lambda: {"C4-M1": base_truth()["C4-M1"]}, lambda: {"C4-M1": base_truth()["F3-M2"]}),
    ),
    Case("label_twice_elsewhere", "two airflows do not concern the EEG", lambda: build(_named_twice())),
    Case(
        "label_twice_but_for_case",
        "asked for exactly, it is one",
        lambda: edited(label=b"c4-m1", signal=1),
        "exact or refused",
        options=ONE,
    ),
    _labelled("status", b"Status", "exact", "mne makes a trigger of it and destroys the EEG", "Status"),
    _labelled("trigger", b"Trigger", "exact", "the same", "Trigger"),
    _labelled("annotations_case", b"EDF annotations", "exact or refused", "no EDF+: a label like any other"),
    _labelled("blank", b"", "exact or refused", "the other channel has a name"),
    _labelled("nul_padded", b"C3-M2" + b"\0" * 11, "exact", "many writers pad with NUL", "C3-M2"),
    _labelled("right_aligned", b"           C3-M2", "exact", "a FORTRAN habit", "C3-M2"),
    _labelled("latin1", b"C3\xb0M2", "exact", "Latin-1 in a label", "C3°M2"),
    _labelled("utf8", "C3°M2 é".encode(), "exact", "UTF-8 in a label", "C3°M2 é"),
    _labelled("with_eeg", b"EEG C3-M2", "exact", "the form EDF+ asks for", "EEG C3-M2"),
    _labelled("left_of_zmax", b"EEG L", "exact", "mne would drop the word EEG", "EEG L"),
    _labelled("colon", b"C4:A1", "exact", "SOMNOmedics writes a colon", "C4:A1"),
    _labelled("number", b"1", "exact", "a number is not an index", "1"),
    _labelled("pattern", b"C.*", "exact", "a label is not a pattern", "C.*"),
    Case("label_not_there", "a channel that is not in the file", base, "refused", options={"eeg": ["O2-M1"]}),
    Case(
        "label_all_blank",
        "nothing says which channel is EEG",
        lambda: edited(edited(label=b""), label=b"", signal=1),
        "refused",
    ),
    Case(
        "label_no_eeg",
        "nothing says which channel is EEG",
        lambda: edited(edited(label=b"Flow"), label=b"Snore", signal=1),
        "refused",
    ),
]


def _bdf_channels() -> list[Channel]:
    return [
        Channel(label, eeg_counts(seed, RECORDS * RATE, limits=LIMITS_24), limits=LIMITS_24)
        for label, seed in ((b"C4-M1", 1), (b"F3-M2", 2))
    ]


def _bdf() -> bytes:
    return build(_bdf_channels(), reserved=b"24BIT", width=3, version=b"\xffBIOSEMI")


def _zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("night.edf", base())
    return held.getvalue()


def _sparse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.truncate(path, GIGABYTES_3)


def _file(name: str, make, expect: str, why: str, file_name: str = "night.edf", **more) -> Case:
    return Case(f"file_{name}", why, make, expect, file_name=file_name, **more)


def _damaged_gzip() -> bytes:
    packed = bytearray(gzip.compress(base(), 0))  # stored, not compressed: damage stays where it is
    packed[30_000] ^= 0x40
    return bytes(packed)


def _bomb(content: bytes) -> bytes:
    """Return a gzip file of 4 MB that unpacks to these bytes and 4 GB of zeros."""
    return gzip.compress(content, 1) + 64 * gzip.compress(bytes(2**26), 1)


BDF = {"truths": (lambda: truth_of(_bdf_channels()),), "step_uv": 10_000 / 2**24}
FILES = [
    _file("bdf", _bdf, "exact", "24 bits, as BioSemi writes", "night.bdf", **BDF),
    _file("bdf_named_edf", _bdf, "exact or refused", "its first byte says what it is", **BDF),
    _file(
        "bdf_cut",
        lambda: _bdf()[:-1000],
        "noted",
        "as for EDF",
        "night.bdf",
        truths=(lambda: {k: v[: 59 * RATE] for k, v in BDF["truths"][0]().items()},),
        step_uv=BDF["step_uv"],
    ),
    _file(
        "bdf_marked_16_bit",
        lambda: edited(_bdf(), dmin=b"-32768", dmax=b"32767"),
        "said or refused",
        "samples lie far outside the limits",
        "night.bdf",
        truths=(),
        options=ONE,
    ),
    _file(
        "bdf_samples_in_edf",
        lambda: edited(_bdf(), version=b"0"),
        "said or refused",
        "24-bit samples behind the header of EDF are noise",
        truths=(),
    ),
    _file(
        "edf_samples_in_bdf",
        lambda: edited(version=b"\xffBIOSEMI", reserved=b"24BIT"),
        "said or refused",
        "16-bit samples behind the header of BDF are noise",
        "night.bdf",
        truths=(),
    ),
    _file("edf_named_bdf", base, "exact or refused", "its first byte says what it is", "night.bdf"),
    _file("rec", base, "exact", "UCDDB names its EDF files .rec", "night.rec"),
    _file("upper_case", base, "exact", "from a card", "NIGHT.EDF"),
    _file("no_suffix", base, "exact or refused", "its first bytes say what it is", "night"),
    _file("named_txt", base, "exact or refused", "its first bytes say what it is", "night.txt"),
    _file("gz", lambda: gzip.compress(base(), 1), "exact or refused", "read right or not at all", "night.edf.gz"),
    _file("gz_named_edf", lambda: gzip.compress(base(), 1), "exact or refused", "read right or not at all"),
    _file("gz_cut", lambda: gzip.compress(base(), 1)[:-9000], "said or refused", "an upload that broke off", truths=()),
    _file("gz_damaged", _damaged_gzip, "said or refused", "the checksum tells", truths=()),
    _file("gz_of_text", lambda: gzip.compress(b"1,2,3\n" * 9000), "refused", "packed, and still no EDF"),
    _file("gz_twice", lambda: gzip.compress(gzip.compress(base())), "exact or refused", "packed twice"),
    _file("gz_bomb_no_count", lambda: _bomb(edited(n_records=b"-1")), "refused", "49 days are no night"),
    _file("gz_bomb_trailing", lambda: _bomb(base()), "noted or refused", "a minute, then 4 GB of no record"),
    _file("zip_named_edf", _zipped, "refused", "an archive"),
    _file(
        "html", lambda: b"<!DOCTYPE html><title>404</title>" + b"<p>not found" * 200, "refused", "a web server's page"
    ),
    _file("text", lambda: b"1,2,3\r\n" * 3000, "refused", "a table"),
    _file("json", lambda: b'{"error": "not found"}' + b" " * 1000, "refused", "a web server's answer"),
    _file(
        "lfs_pointer",
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 61440\n",
        "refused",
        "a pointer that was never resolved",
    ),
    _file("zeros", lambda: bytes(61_000), "refused", "space that was reserved and never written"),
    _file("spaces", lambda: b" " * 61_000, "refused", "nothing in any field"),
    _file("random", lambda: np.random.default_rng(0).bytes(61_000), "refused", "an encrypted file"),
    _file("header_then_spaces", lambda: b"0".ljust(61_000), "refused", "only the version is there"),
    _file("header_then_ff", lambda: b"0       " + b"\xff" * 60_000, "refused", "an erased card"),
    _file("utf16", lambda: base().decode("latin-1").encode("utf-16"), "refused", "saved by an editor"),
    _file("directory", lambda path: path.mkdir(), "refused", "an empty folder", writes=True),
    _file("missing", lambda _: None, "refused", "no such file", writes=True),
    _file(
        "dangling_link",
        lambda path: path.symlink_to(path.parent / "gone.edf"),
        "refused",
        "the drive is not there",
        writes=True,
    ),
    _file(
        "sparse_3_gb_no_count",
        lambda path: _sparse(path, edited(n_records=b"-1")),
        "refused",
        "36 days are no night",
        writes=True,
    ),
    _file(
        "sparse_3_gb_count",
        lambda path: _sparse(path, edited(n_records=b"3145727")),
        "refused",
        "36 days are no night",
        writes=True,
    ),
    _file(
        "sparse_3_gb_trailing",
        lambda path: _sparse(path, base()),
        "noted or refused",
        "a minute, then 3 GB that belong to no record",
        writes=True,
    ),
]

CASES = [*UNITS, *LABELS, *FILES]
