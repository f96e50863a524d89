"""Text in files is never obeyed: not by a terminal, a browser, a spreadsheet or a file system."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from faults.broken_text import HOSTILE, annotated, everywhere
from faults.edf_bytes import base, base_truth, edited

import eegsleep as es

FILE_KEYS = {"file", "readable", "kind", "device", "start", "duration_s", "channels", "faults"}
CHANNEL_KEYS = {"label", "role", "rate_hz", "unit"}
FAULT_KEYS = {"code", "severity", "field", "value", "message", "remedy", "channel"}
# Names that Windows keeps for devices, whatever follows the first dot.
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
NAMES = {
    "two_dots": "..edf",
    "three_dots": "...edf",
    "hidden": ".hidden.edf",
    "parent": "..%2f..%2fnight.edf",
    "device": "CON.edf",
    "device_2": "nul.x.edf",
    "long": "n" * 240 + ".edf",
    "emoji": "😴.edf",
    "newline": "a\nb.edf",
    "ansi": "\x1b[2J.edf",
    "script": "<script>.edf",
    "rtl": "\u202efde.thgin.edf",
    "formula": "=1+1.edf",
    "dash": "-rf.edf",
    "tilde": "~.edf",
    "spaces": "  .edf",
    "trailing_dot": "night..edf",
    "quotes": "\"'`$(id).edf",
    "umlaut": "Nächte.edf",
    "backslash": "a\\b.edf",
    "colon": "c:night.edf",
    "wild": "*?.edf",
    "percent": "%PATH%.edf",
    "surrogate": b"\xff\xfe.edf".decode("utf-8", "surrogateescape"),
}


def _harmful(text: str, *, markup: bool = True) -> list[str]:
    """Return the characters of a text that steer a terminal, turn the line round or open a tag."""
    return [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs"} or (markup and c in "<>")]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_read_from_a_file_can_do_harm(text, tmp_path):
    """Labels, notes and annotations hold no control character and no angle bracket, whatever the file holds."""
    path = tmp_path / "night.edf"
    for content in (everywhere(text, label=True), annotated(text)):
        path.write_bytes(content)
        recording = es.read_recording(path, eeg=["F3-M2"])
        said = [*recording.channels, *recording.raw.ch_names, *recording.notes, recording.id, recording.device]
        said += [str(description) for description in recording.raw.annotations.description]
        assert {one: _harmful(one) for one in said if _harmful(one)} == {}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_label_can_be_chosen_by_its_cleaned_name(text, tmp_path):
    """A refusal names the labels that may be asked for, harmless; asked for, the channel is the right one."""
    path = tmp_path / "night.edf"
    path.write_bytes(edited(everywhere(text, label=True), unit=b"ADC"))
    with pytest.raises(es.RecordingError) as refusal:
        es.read_recording(path, eeg=["no such channel"])
    assert _harmful(str(refusal.value)) == []


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_id_is_safe_as_a_folder_on_every_system(name, tmp_path):
    """The id names the night's folder: no path, no hidden name, no device, no option, no control character."""
    path = tmp_path / name
    try:
        path.write_bytes(base())
    except (OSError, UnicodeError, ValueError):
        pytest.skip("this file system does not take such a name")
    recording = es.read_recording(path)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}", recording.id), recording.id
    assert not RESERVED.fullmatch(recording.id)
    assert not recording.id.endswith(".")
    folder = tmp_path / "nights" / recording.id
    folder.mkdir(parents=True)
    assert folder.resolve().parent == (tmp_path / "nights").resolve()


@pytest.mark.parametrize("text", ["script", "ansi", "rtl", "c1_control"])
def test_inspect_prints_no_control_character(text, tmp_path, run_here):
    """A terminal shows what is in a file; it does not obey it."""
    path = tmp_path / "night.edf"
    path.write_bytes(everywhere(HOSTILE[text], label=True))
    done = run_here("inspect", path)
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr
    assert "F3-M2" in printed
    assert _harmful(printed.replace("\n", ""), markup=False) == []


def test_inspect_of_a_hostile_file_name_prints_no_control_character(tmp_path, run_here):
    path = tmp_path / "a\x1b[2J\u202e.edf"
    path.write_bytes(base())
    for arguments in ((path,), ("--json", path)):
        done = run_here("inspect", *arguments)
        assert done.returncode == 0, done.stderr
        assert _harmful((done.stdout + done.stderr).replace("\n", ""), markup=False) == []


def test_inspect_as_json_is_one_object_a_file(tmp_path, run_here):
    """A program reads from `--json` what is in each file and what is wrong with it."""
    sound, hostile = tmp_path / "sound.edf", tmp_path / "hostile.edf"
    sound.write_bytes(base())
    hostile.write_bytes(edited(everywhere(HOSTILE["ansi"], label=True), unit=b"ADC", signal=1))
    done = run_here("inspect", "--json", sound, hostile)
    files = json.loads(done.stdout)
    assert [FILE_KEYS - set(file) for file in files] == [set(), set()]
    assert all(set(channel) >= CHANNEL_KEYS for file in files for channel in file["channels"])
    assert all(set(fault) >= FAULT_KEYS for file in files for fault in file["faults"])
    assert [channel["label"] for channel in files[0]["channels"]] == list(base_truth())
    assert [channel["rate_hz"] for channel in files[0]["channels"]] == [256, 256]
    assert files[0]["readable"]
    assert files[0]["duration_s"] == pytest.approx(60)
    assert files[0]["start"].startswith("2024-06-14T23:15:30")
    assert any(fault["field"] and "ADC" in fault["value"] for fault in files[1]["faults"])
    assert _harmful(done.stdout.replace("\n", ""), markup=False) == []
    assert _harmful(json.dumps(files, ensure_ascii=False)) == []


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["text", "json"])
def test_inspect_of_a_refused_file_exits_with_2(arguments, tmp_path, run_here):
    """A script sees from the exit code that a file is not readable; the reason is still given."""
    path = tmp_path / "broken.edf"
    path.write_bytes(base()[:500])
    done = run_here("inspect", *arguments, path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if arguments:
        (file,) = json.loads(done.stdout)
        assert file["readable"] is False
        assert any(fault["severity"] == "refused" and fault["message"] for fault in file["faults"])
