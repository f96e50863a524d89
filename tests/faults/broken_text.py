"""Files whose text is hostile or in another encoding: the numbers stay what they are."""

from __future__ import annotations

from faults.broken_case import START, Case
from faults.edf_bytes import base_truth, edited, keep_time, plus

HOSTILE = {
    "script": b"<script>alert(1)</script>",
    "image": b'"><img src=x onerror=alert(1)>',
    "formula": b'=HYPERLINK("http://x","y")',
    "at": b"@SUM(1+1)*cmd|' /C calc'!A0",
    "path": b"../../../../etc/passwd",
    "format": b"%s%n {0.__class__} ${PATH} `id`",
    "ansi": b"\x1b[2J\x1b]0;owned\x07",
    "newline": b"a\r\nb\nc\td",
    "nul": b"a\x00b\x00",
    "rtl": "\u202efde.thgin".encode(),
    "bidi_isolate": "\u2067x\u2069\u200b".encode(),
    "latin1": b"M\xfcller \xb5 \xff",
    "utf8": "Мария 😴".encode(),
    "broken_utf8": b"\xc3\x28\xf0\x9f\x98",
    "c1_control": b"\x9b31m\x85\xa0",
}
# Fields that hold words, not numbers; whatever they hold, no sample may change.
TEXT_FIELDS = ("patient", "recording", "transducer", "prefilter", "spare", "reserved")


def everywhere(text: bytes, *, label: bool = False) -> bytes:
    """Return the sound file with this text in every field that holds words; in the first label if asked."""
    content = edited(**dict.fromkeys(TEXT_FIELDS, text))
    return edited(content, label=text) if label else content


def annotated(text: bytes) -> bytes:
    """Return the sound EDF+ file with this text as an annotation and in its fields of words."""
    tals = [keep_time(f"+{i}", *([b"+3\x14" + text + b"\x14"] if i == 3 else [])) for i in range(60)]
    return plus(tals=tals, size=128, patient=text, transducer=text, prefilter=text)


FIELDS = [
    Case(f"text_{name}_in_{field}", "words change no number", lambda field=field, text=text: edited(**{field: text}))
    for name, text in HOSTILE.items()
    for field in TEXT_FIELDS
]
ALL_AT_ONCE = [
    *[
        Case(
            f"text_{name}_as_label",
            "the other channel has a name",
            lambda text=text: everywhere(text, label=True),
            truths=(lambda: {"F3-M2": base_truth()["F3-M2"]},),
            options={"eeg": ["F3-M2"]},
        )
        for name, text in HOSTILE.items()
    ],
    *[
        Case(f"text_{name}_annotated", "words change no number", lambda text=text: annotated(text))
        for name, text in HOSTILE.items()
    ],
    Case(
        "text_patient_looks_like_a_date",
        "only EDF+ keeps a date in words, and not in the patient's field",
        lambda: edited(patient=b"X M 02-MAY-1951 Startdate 01-JAN-2001", recording=b"none"),
        starts=(START,),
    ),
    Case(
        "text_full_fields",
        "fields filled to the last byte run into each other",
        lambda: edited(edited(**dict.fromkeys(TEXT_FIELDS, b"X" * 80)), transducer=b"Y" * 80, signal=1),
    ),
    Case("text_all_nul", "fields never written", lambda: everywhere(b"\0" * 80)),
    Case("text_all_ff", "fields on an erased card", lambda: everywhere(b"\xff" * 80)),
]

CASES = [*FIELDS, *ALL_AT_ONCE]
