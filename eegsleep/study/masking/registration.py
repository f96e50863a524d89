"""Register a study before its nights: a dated protocol with one hash, and a record of what was done since.

The hash is to be deposited where its date cannot be changed (an e-mail to a colleague, a preprint server). A folder
alone proves nothing against its owner; what is checked here finds what was done by mistake or in passing.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError
from eegsleep.json_files import find_misfit, parse_json, read_json
from eegsleep.plain_files import check_plain
from eegsleep.provenance import encode_json, fingerprint, hash_bytes, hash_file, package_versions, write_file
from eegsleep.study.masking.changes import Change, as_text, grade_change
from eegsleep.study.night_folders import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eegsleep.study.declared.protocol import Study

PROTOCOL_FILE, RECORD_FILE = "protocol.json", "record.jsonl"
_COMPARISON_FILE = "comparison_provenance.json"
_FORMAT = 1
_PROTOCOL_KINDS = {
    "sha256": str,
    "registered_at": str,
    "schedule_sha256": str,
    "key_sha256": str,
    "protocol": {"planned": dict, "mechanism": dict},
}
_ENTRY_KINDS = {"event": str, "at": str, "previous": str}
# What a study declares before its nights. The list of a lock is shorter: there the nights are facts.
_DECLARED = (
    "title",
    "question",
    "compound",
    "design",
    "conditions",
    "doses_mg",
    "primary",
    "one_sided",
    "smallest_effects",
    "families",
    "alpha",
    "seed",
    "exclusion_rules",
    "half_life_h",
    "compound_class",
    "concealed_by",
)


def now() -> str:
    """Return this moment, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def describe_protocol(study: Study) -> dict[str, Any]:
    """Return what the study declares, as JSON holds it."""
    declared = {name: getattr(study, name) for name in _DECLARED}
    planned = dataclasses.asdict(study.planned)
    return json.loads(json.dumps({**declared, "mechanism": dataclasses.asdict(study.mechanism), "planned": planned}))


def write_protocol(
    study: Study, hashes: Mapping[str, str], replaces: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """Write protocol.json beside study.toml and begin the record.

    Parameters
    ----------
    study : Study
    hashes : mapping of str to str
        `schedule_sha256` and `key_sha256`.
    replaces : sequence of mapping
        Protocols registered before, by `sha256` and `registered_at`.

    Returns
    -------
    dict
        What was written; `sha256` is the hash to deposit.
    """
    protocol: dict[str, Any] = {
        "format": _FORMAT,
        "registered_at": now(),
        "eegsleep": package_versions()["eegsleep"],
        **hashes,
        "replaces": [dict(one) for one in replaces],
        "protocol": describe_protocol(study),
    }
    protocol["sha256"] = fingerprint(protocol)
    folder = study.path.parent
    write_file(folder / PROTOCOL_FILE, encode_json(protocol))
    if not replaces:
        (folder / RECORD_FILE).unlink(missing_ok=True)
    append_record(folder, "registered", sha256=protocol["sha256"])
    return protocol


def read_protocol_file(folder: Path) -> dict[str, Any] | None:
    """Return protocol.json, or None where the study was not registered; raise if the file is damaged."""
    if not (folder / PROTOCOL_FILE).exists():
        return None
    remedy = "restore it from the copy that was deposited"
    return read_json(folder / PROTOCOL_FILE, "the protocol of a study", _PROTOCOL_KINDS, remedy=remedy)


def append_record(folder: Path, event: str, **facts: str) -> None:
    """Add one line to the record: an event with its time, and the hash of the line before it."""
    path = folder / RECORD_FILE
    before = check_plain(path).read_bytes() if path.exists() else b""
    lines = before.splitlines()
    line = {"event": event, "at": now(), **facts, "previous": hash_bytes(lines[-1]) if lines else ""}
    write_file(path, before + json.dumps(line, ensure_ascii=False).encode() + b"\n")


def read_record(folder: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return the lines of the record, and whether each has the hash of the one before it."""
    try:
        lines = check_plain(folder / RECORD_FILE).read_bytes().splitlines()
        entries = [parse_json(line) for line in lines]
    except (OSError, ValueError):
        return [], False
    if any(find_misfit(entry, _ENTRY_KINDS, "a line") for entry in entries):
        return [], False
    whole = all(
        entry.get("previous") == (hash_bytes(lines[i - 1]) if i else "") and "event" in entry
        for i, entry in enumerate(entries)
    )
    return entries, whole


def compare_with_protocol(study: Study, registered: Mapping[str, Any] | None) -> tuple[Change, ...]:
    """Return what the study declares now and did not when it was registered.

    Parameters
    ----------
    study : Study
    registered : mapping or None
        From `read_protocol_file`.

    Returns
    -------
    tuple of Change
        Empty if nothing changed, or nothing was registered.
    """
    if registered is None:
        return ()
    changes = []
    whole = fingerprint({key: value for key, value in registered.items() if key != "sha256"})
    if registered.get("sha256") != whole:
        changes.append(Change(PROTOCOL_FILE, f"hash {registered.get('sha256')}", f"hash {whole}"))
    was, is_now = flatten("protocol", registered["protocol"]), flatten("protocol", describe_protocol(study))
    # A protocol of an earlier version may lack keys; they are not reported as changes.
    for name in was:
        before, after = as_text(was[name]), as_text(is_now.get(name, "absent"))
        if before != after:
            changes.append(Change(name, before, after, grade_change(study, name, before)))
    changes += [
        Change(name, "absent", as_text(is_now[name]))
        for name in is_now
        if name.startswith("protocol.smallest_effects.") and name not in was
    ]
    schedule = study.path.parent / study.schedule if study.schedule else None
    for name, present in (
        ("schedule_sha256", hash_file(schedule) if schedule and schedule.exists() else ""),
        ("key_sha256", study.key_sha256),
    ):
        if registered.get(name, "") != present:
            changes.append(Change(name, registered.get(name, ""), present or "absent"))
    return tuple(changes)


def find_unlisted(study: Study, registered: Mapping[str, Any] | None, listed: Sequence[Change]) -> tuple[Change, ...]:
    """Return what is not as it was registered and is not among the changes listed by the lock or since it.

    The lock lists what had changed by then. A lock that was edited may list less.

    Parameters
    ----------
    study : Study
    registered : mapping or None
        From `read_protocol_file`.
    listed : sequence of Change

    Returns
    -------
    tuple of Change
    """
    known = {change.what for change in listed}
    return tuple(change for change in compare_with_protocol(study, registered) if change.what not in known)


def find_earlier_openings(folder: Path, lock: Mapping[str, Any], registered: Mapping[str, Any] | None) -> list[Change]:
    """Find signs that the codes were opened before this lock was made, that it was edited, or that signs were removed.

    Parameters
    ----------
    folder : Path
        Of the study.
    lock : mapping
        The present lock.
    registered : mapping or None

    Returns
    -------
    list of Change
        All serious: who has seen the result can choose what to lock.
    """
    entries, whole = read_record(folder)
    changes = []
    if registered is not None and not entries:
        changes.append(Change(RECORD_FILE, "written when the study was registered", "absent"))
    elif entries and not whole:
        changes.append(Change(RECORD_FILE, "a chain of hashes", "edited"))
    locks = [entry.get("lock_sha256", "") for entry in entries if entry["event"] == "locked"]
    if locks and lock["sha256"] not in locks:  # its own hash can be computed anew by whoever edits it
        changes.append(Change("lock.json", f"written with hash {locks[-1]}", f"hash {lock['sha256']}"))
    changes += [
        Change("codes", f"opened on {entry['at']} under another lock", "locked again since")
        for entry in entries
        if entry["event"] == "opened" and entry.get("lock_sha256") != lock["sha256"]
    ]
    if registered is not None and entries and entries[-1]["event"] != "registered":
        made = [str(entry.get("sha256", "")) for entry in entries if entry["event"] == "registered"]
        if made and registered.get("sha256") not in made:
            changes.append(Change(PROTOCOL_FILE, f"registered with hash {made[-1]}", f"hash {registered['sha256']}"))
    try:
        earlier = read_json(folder / _COMPARISON_FILE, "a comparison")
        if earlier.get("lock_sha256") not in {None, lock["sha256"]}:
            changes.append(Change("codes", "compared under another lock", "locked again since"))
    except EegSleepError:
        pass
    return changes
