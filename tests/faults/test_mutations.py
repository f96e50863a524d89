"""One field of a header changed at random, 3,000 times: right numbers, a word, a refusal, or a legal meaning.

A header may be changed into another that is just as good: a second scale, another day. Nothing in the file
contradicts it, so no reader can know. These changes are counted apart, and only those `legal_meaning` works out
from the specification, number by number; any other change of the numbers that is not said fails the test.
"""

from __future__ import annotations

import logging
import random
import re
import struct
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import numpy as np
import pytest
from faults.edf_bytes import (
    MAIN_FIELDS,
    SIGNAL_FIELDS,
    Channel,
    build,
    eeg_counts,
    field_place,
    keep_time,
    plus,
)

import eegsleep as es

SECONDS, RATE = 20, 128
MUTATIONS = 1_000  # of each of three files
START = datetime(2024, 6, 14, 23, 15, 30)  # noqa: DTZ001 - EDF has no zone
UNITS = (b"uV", b"uv", b"UV", b"mV", b"V", b"nV", b"\xb5V", b"microV", b"ADC", b"kV", b".V")
PLAIN_NUMBER = re.compile(rb"[+-]?\d+(\.\d*)?|[+-]?\.\d+")


@cache
def channels() -> tuple[Channel, Channel]:
    """Return the two channels of the small files that are mutated."""
    return tuple(
        Channel(label, eeg_counts(seed, SECONDS * RATE, RATE, sd))
        for label, seed, sd in ((b"C4-M1", 1, 35.0), (b"F3-M2", 2, 25.0))
    )


def plain() -> bytes:
    """Return a small plain EDF file; its recording field says nothing, so nothing confirms its date."""
    return build(channels(), SECONDS, recording=b"X X X X")


def annotated() -> bytes:
    """Return a small EDF+C file with annotations."""
    tals = [keep_time(f"+{i}", b"+%d.5\x14arousal\x14" % i) for i in range(SECONDS)]
    return plus(tals=tals, channels=channels())


def gapped() -> bytes:
    """Return a small EDF+D file with annotations and a gap of 3.5 s."""
    starts = [i + 3.5 * (i >= 8) for i in range(SECONDS)]
    tals = [keep_time(f"+{start:g}", b"+%d.5\x14arousal\x14" % start) for start in starts]
    return plus(tals=tals, channels=channels(), reserved=b"EDF+D")


@pytest.fixture(autouse=True)
def _quiet_log(caplog):
    """Keep thousands of warnings out of a failure's report; what is said is read from the notes."""
    caplog.set_level(logging.CRITICAL, logger="eegsleep")


@dataclass(frozen=True)
class Mutation:
    """One field, the signal it belongs to, what stood there and what stands there now."""

    field: str
    signal: int
    before: bytes
    after: bytes

    def __str__(self) -> str:
        """Return field, signal, before and after on one line."""
        return f"{self.field}[{self.signal}] {self.before.strip()!r} -> {self.after!r}"


def _digit_changed(rng: random.Random, text: bytes, _: bytes) -> bytes:
    places = [i for i, c in enumerate(text) if chr(c).isdigit()] or [0]
    at = rng.choice(places)
    return text[:at] + b"%d" % rng.randrange(10) + text[at + 1 :]


def _digit_dropped(rng: random.Random, text: bytes, _: bytes) -> bytes:
    at = rng.randrange(max(len(text.strip()), 1))
    return text[:at] + text[at + 1 :]


def _digit_added(rng: random.Random, text: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(text.strip()) + 1)
    return text[:at] + b"%d" % rng.randrange(10) + text[at:]


def _point_moved(rng: random.Random, text: bytes, _: bytes) -> bytes:
    bare = text.strip().replace(b".", b"")
    at = rng.randrange(len(bare) + 1)
    return bare[:at] + b"." + bare[at:]


def _one_byte(rng: random.Random, text: bytes, value: int) -> bytes:
    at = rng.randrange(len(text))
    return text[:at] + bytes([value]) + text[at + 1 :]


MUTATORS = {
    "digit changed": _digit_changed,
    "digit dropped": _digit_dropped,
    "digit added": _digit_added,
    "sign flipped": lambda _, text, __: text[1:] if text[:1] == b"-" else b"-" + text,
    "point moved": _point_moved,
    "comma for point": lambda _, text, __: text.replace(b".", b",") if b"." in text else text.strip() + b",0",
    "blank": lambda _, __, ___: b"",
    "junk": lambda rng, text, _: bytes(rng.choices(b"abcXYZ!#/:_<>", k=len(text))),
    "random bytes": lambda rng, text, _: rng.randbytes(len(text)),
    "high bit": lambda rng, text, _: _one_byte(rng, text, rng.randrange(128, 256)),
    "NUL": lambda rng, text, _: _one_byte(rng, text, 0),
    "control": lambda rng, text, _: _one_byte(rng, text, rng.randrange(32)),
    "underscore": lambda _, text, __: text[:1] + b"_" + text[1:],
    "spaces in front": lambda rng, text, _: b" " * rng.randrange(1, 4) + text,
    "shifted left": lambda _, text, neighbour: text[1:] + neighbour[:1],
    "neighbour": lambda _, __, neighbour: neighbour,
    "nan": lambda _, __, ___: b"nan",
    "inf": lambda _, __, ___: b"inf",
    "1e9": lambda _, __, ___: b"1e9",
    "-1": lambda _, __, ___: b"-1",
    "0": lambda _, __, ___: b"0",
    "half": lambda _, text, __: b"%g" % (float(text) / 2) if PLAIN_NUMBER.fullmatch(text.strip()) else text,
    "double": lambda _, text, __: b"%g" % (float(text) * 2) if PLAIN_NUMBER.fullmatch(text.strip()) else text,
    "unit": lambda rng, _, __: rng.choice(UNITS),
}
# Fields of numbers and units are hit more often than free text, in which a change means nothing.
WEIGHTS = {"patient": 1, "recording": 2, "transducer": 1, "prefilter": 1, "spare": 1, "version": 2}


def mutate(content: bytes, rng: random.Random) -> tuple[bytes, Mutation, str]:
    """Return a file with one field changed, the change, and the name of its kind."""
    names = [*MAIN_FIELDS, *SIGNAL_FIELDS]
    n_signals = int(content[252:256])
    while True:
        name = rng.choices(names, [WEIGHTS.get(n, 4) for n in names])[0]
        signal = rng.randrange(n_signals) if name in SIGNAL_FIELDS else 0
        offset, size = field_place(name, signal, n_signals)
        before, neighbour = content[offset : offset + size], content[offset + size : offset + 2 * size]
        kind = rng.choice(list(MUTATORS))
        after = MUTATORS[kind](rng, before, neighbour).ljust(size)[:size]
        if after != before:
            return content[:offset] + after + content[offset + size :], Mutation(name, signal, before, after), kind


@dataclass(frozen=True)
class Reading:
    """What a reader makes of a file, as far as it can be compared."""

    data: dict[str, np.ndarray]
    rate_hz: float
    start: datetime | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, path) -> Reading:
        """Read a file."""
        recording = es.read_recording(path)
        data = {label: recording.raw.get_data(picks=[label])[0] * 1e6 for label in recording.channels}
        return cls(data, float(recording.raw.info["sfreq"]), recording.start, tuple(recording.notes))

    def equals(self, other: Reading, *, start: bool = True) -> bool:
        """Return whether all numbers, their names and their times are the same."""
        return (
            list(self.data) == list(other.data)
            and self.rate_hz == pytest.approx(other.rate_hz, rel=1e-6)
            and (self.start == other.start or not start)
            and all(_same(self.data[label], other.data[label]) for label in self.data)
        )


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.size == other.size and bool(np.allclose(one, other, rtol=1e-5, atol=1e-3, equal_nan=True))


def legal_meaning(mutation: Mutation, base: Reading, found: Reading, *, has_marks: bool) -> bool:
    """Return whether a silent change is what the new text lawfully means and nothing in the file contradicts.

    Lawful are: another name of a channel, its numbers unchanged; another date or time of day that exists, where
    no Startdate speaks against it; another Startdate is never lawful, for the date field speaks against it;
    another record duration, where no annotation keeps the time, at a rate that EEG has; and other limits of a
    signal, if all its samples lie within them and the amplitude is one that EEG has: then the numbers must be
    those the specification works out.
    """
    text = mutation.after.strip()
    if mutation.field == "label":
        return _legal_label(base, found)
    if mutation.field in {"date", "time"}:
        return (
            found.equals(base, start=False)
            and found.start == _start(mutation)
            and not (has_marks and mutation.field == "date")
        )
    if not PLAIN_NUMBER.fullmatch(text):
        return False
    if mutation.field == "duration":
        rate_hz = RATE / float(text) if float(text) > 0 else 0.0
        return (
            not has_marks
            and 80 < rate_hz < 100_000
            and found.equals(Reading(base.data, rate_hz, base.start, base.notes))
        )
    if mutation.field in {"pmin", "pmax", "dmin", "dmax"} and mutation.signal < 2:
        return _legal_limit(mutation, base, found)
    # the sixteen bits of an annotation signal have limits that no number depends on
    return False


def _legal_label(base: Reading, found: Reading) -> bool:
    """Another name may hide a channel or put it in another place; no number may change."""
    known = list(base.data.values())
    return (
        found.rate_hz == base.rate_hz
        and found.start == base.start
        and all(any(_same(signal, other) for other in known) for signal in found.data.values())
    )


def _start(mutation: Mutation) -> datetime | None:
    """Return the start that a date or time of the form EDF asks for means, or None."""
    if not re.fullmatch(rb"\d\d\.\d\d\.\d\d", mutation.after):
        return None
    first, second, third = map(int, mutation.after.split(b"."))
    try:
        if mutation.field == "time":
            return START.replace(hour=first, minute=second, second=third)
        return START.replace(day=first, month=second, year=third + (1900 if third >= 85 else 2000))
    except ValueError:
        return None


def _legal_limit(mutation: Mutation, base: Reading, found: Reading) -> bool:
    channel = channels()[mutation.signal]
    names = ("pmin", "pmax", "dmin", "dmax")
    limits = tuple(mutation.after if n == mutation.field else old for n, old in zip(names, channel.limits, strict=True))
    dmin, dmax = float(limits[2]), float(limits[3])
    if not (-32768 <= dmin < dmax <= 32767 and dmin.is_integer() and dmax.is_integer()):
        return False
    if channel.counts.min() < dmin or channel.counts.max() > dmax or float(limits[0]) == float(limits[1]):
        return False
    label = channel.label.decode()
    numbers = base.data[label].copy()
    numbers[np.isfinite(numbers)] = Channel(channel.label, channel.counts, limits=limits).numbers
    if not 1 <= np.nanstd(numbers) <= 500:
        return False
    return found.equals(Reading(base.data | {label: numbers}, base.rate_hz, base.start, base.notes))


def classify(path, content: bytes, mutation: Mutation, base: Reading, *, has_marks: bool) -> str:
    """Return what came of a mutated file in one or two words."""
    path.write_bytes(content)
    try:
        found = Reading.of(path)
    except es.RecordingError as error:
        return "refused" if error.remedy or error.found else "refused without a reason"
    except Exception as error:  # noqa: BLE001 - the untyped exception is what is looked for
        return f"untyped {type(error).__name__}"
    if found.equals(base):
        return "exact"
    if set(found.notes) - set(base.notes):
        return "changed and said"
    return "legal" if legal_meaning(mutation, base, found, has_marks=has_marks) else "changed silently"


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("make", "has_marks"), [(plain, False), (annotated, True), (gapped, True)], ids=["EDF", "EDF+C", "EDF+D"]
)
def test_mutated_header_never_changes_a_number_without_a_word(make, has_marks, tmp_path):
    """Of 1,000 headers with one field changed none gives other numbers in silence or an error without a type."""
    rng = random.Random(20240614)  # noqa: S311 - a repeatable stream is wanted, not a secret
    path, content = tmp_path / "mutated.edf", make()
    path.write_bytes(content)
    base = Reading.of(path)
    counts, bad = Counter(), []
    for _ in range(MUTATIONS):
        mutated, mutation, kind = mutate(content, rng)
        outcome = classify(path, mutated, mutation, base, has_marks=has_marks)
        counts[outcome] += 1
        if outcome not in {"exact", "refused", "changed and said", "legal"}:
            bad.append(f"{outcome} ({kind}): {mutation}")
    assert not bad, f"{dict(counts)}\n" + "\n".join(bad)
    assert counts["legal"] < MUTATIONS / 10, f"too much passes as legal to say that little is silent: {dict(counts)}"
    assert counts["exact"] > MUTATIONS / 20, f"too little is read to say that it is read right: {dict(counts)}"


@pytest.mark.nightly
@pytest.mark.parametrize("make", [plain, annotated], ids=["EDF", "EDF+C"])
def test_flipped_bits_in_the_header_give_no_untyped_error(make, tmp_path):
    """Damage that knows nothing of fields, up to eight bits anywhere in the header, is met with a typed error."""
    rng = random.Random(7)  # noqa: S311
    path, content, untyped = tmp_path / "flipped.edf", make(), []
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(rng.randrange(1, 9)):
            damaged[rng.randrange(int(content[184:192]))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            es.read_recording(path)
        except es.RecordingError:
            continue
        except Exception as error:  # noqa: BLE001 - the untyped exception is what is looked for
            untyped.append(repr(error))
    assert untyped == []


@pytest.mark.nightly
@pytest.mark.parametrize("make", [annotated, gapped], ids=["EDF+C", "EDF+D"])
def test_damaged_annotations_never_move_the_eeg_without_a_word(make, tmp_path):
    """Up to four bytes changed among the times of records: the EEG stays where it was, or the user hears of it."""
    rng = random.Random(14)  # noqa: S311
    path, content = tmp_path / "damaged.edf", make()
    path.write_bytes(content)
    base, header, record = Reading.of(path), int(content[184:192]), 2 * (2 * RATE + 32)
    counts, bad = Counter(), []
    for _ in range(600):
        damaged, changes = bytearray(content), []
        for _ in range(rng.randrange(1, 5)):
            number, place = rng.randrange(SECONDS), rng.randrange(6)
            value = rng.choice([*b"0123456789+-. \x00\x14\x15eE,", rng.randrange(256)])
            damaged[header + number * record + 4 * RATE + place] = value
            changes.append((number, place, bytes([value])))
        path.write_bytes(damaged)
        try:
            found = Reading.of(path)
        except es.RecordingError:
            outcome = "refused"
        except Exception as error:  # noqa: BLE001 - the untyped exception is what is looked for
            outcome = f"untyped {error!r}"
        else:
            same = found.equals(base)
            outcome = "exact" if same else "said" if set(found.notes) - set(base.notes) else "changed silently"
        counts[outcome] += 1
        if outcome not in {"exact", "refused", "said"}:
            bad.append(f"{outcome}: {changes}")
    assert not bad, f"{dict(counts)}\n" + "\n".join(bad)
    assert min(counts["exact"], counts["said"] + counts["refused"]) > 20, dict(counts)


def test_data_are_what_the_truth_says(tmp_path):
    """The files that are mutated are sound, so that a difference is the mutation's doing."""
    for make in (plain, annotated):
        path = tmp_path / "sound.edf"
        path.write_bytes(make())
        base = Reading.of(path)
        assert {label: _same(base.data[label], c.numbers) for label, c in zip(base.data, channels(), strict=True)} == {
            "C4-M1": True,
            "F3-M2": True,
        }
        assert struct.unpack_from("<h", make(), int(make()[184:192]))[0] == channels()[0].counts[0]
