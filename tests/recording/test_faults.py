"""Faults of a file: every code has its meaning and remedy in one table, and text from files is safe."""

import ast
from pathlib import Path

import eegsleep.recording.faults
from eegsleep.recording.faults import FAULTS

# The functions that make a fault, with the place of its code among their arguments.
MAKERS = {
    "Fault": 0,
    "note": 0,
    "raise_fault": 0,
    "repaired": 0,
    "_refusal": 0,
    "_refused": 0,
    "_noted": 1,
    "_note": 1,
}
# The codes of version 0.1.0.
CODES = """
amplitude annotation-broken annotations-many annotations-only appended beyond-range channels-missing clock-changed
clock-drift clock-utc clock-zone coarse-stamps coarse-step columns-skipped contact-bad cut-off date-unknown dc-offset
decimal-comma duplicates event-rows file-unreadable first-sample foreign-format gain-differs gap gaps-many gzip
gzip-size gzip-trailing headband-off header-contradiction header-cut header-size held jitter joints last-line-cut
late-start layout length-differs length-unknown lopsided-range missing-values no-data no-time-keeping noise
not-a-number not-a-voltage not-calibrated not-edf not-subtracted offset packet-loss padding polarity range
rate-assumed rate-differs rate-unusual record-count record-duration record-size records-overlap refused reordered
sampling-rate segments-joined signal-count stamp-missing stamps-late stamps-wrong start-date start-differs start-time
time-keeping-broken too-long too-many-records trailing-bytes twelve-hour-clock unit-assumed unit-unknown whole-number
"""


def made_codes():
    """Return each code that a call in the readers makes a fault of, with the place of the call."""
    codes = {}
    for path in sorted(Path(eegsleep.recording.faults.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            code = call.args[MAKERS[name]] if len(call.args) > MAKERS.get(name, len(call.args)) else None
            if isinstance(code, ast.Constant):
                codes[code.value] = f"{path.name}:{call.lineno}"
            elif code is not None:  # a maker hands on the code that it was called with
                assert ast.unparse(code) == "code", f"{path.name}:{call.lineno}"
    return codes


def test_every_code_of_the_readers_is_in_the_table_and_no_other():
    made = made_codes()
    assert {code: made[code] for code in made.keys() - FAULTS.keys()} == {}
    assert sorted(FAULTS.keys() - made.keys()) == []


def test_every_code_is_a_plain_name_and_explained_in_sentences():
    for code, (meaning, remedy) in FAULTS.items():
        assert code == code.lower().strip()
        assert not set(code) - set("abcdefghijklmnopqrstuvwxyz-"), code
        assert meaning.endswith("."), code
        assert meaning[0].isupper(), code
        assert not remedy or (remedy.endswith(".") and remedy[0].isupper()), code


def test_codes_of_earlier_versions_stay():
    """A program may rely on them: a code may be added, and none is renamed or removed."""
    assert sorted(set(CODES.split()) - FAULTS.keys()) == []
