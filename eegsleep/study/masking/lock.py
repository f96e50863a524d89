"""Freeze a study before its codes are opened, and list afterwards what was changed."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError, describe_error
from eegsleep.file_names import STUDY_FILE
from eegsleep.json_files import read_json
from eegsleep.provenance import encode_json, fingerprint, hash_file, package_versions, write_file
from eegsleep.study.masking.changes import Change, as_text, grade_change
from eegsleep.study.masking.registration import append_record, compare_with_protocol, now, read_protocol_file
from eegsleep.study.masking.sealed_key import DOSE_ROLES, ROLES, open_roles
from eegsleep.study.night_folders import check_different, check_made_alike, flatten, list_some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.study.declared.protocol import Study

LOCK_FILE, UNMASK_FILE = "lock.json", "unmasked.json"
_FORMAT = 1
_LOCK_KINDS = {
    "format": int,
    "sha256": str,
    "locked_at": str,
    "open_label": bool,
    "active": str,
    "replaces": list[dict],
    "protocol_sha256": str,
    "since_registered": list[list],
    "protocol": dict,
    "analysis": dict,
    "nights": dict[str, dict],
    "settings": dict,
    "versions": dict,
    "fingerprints": dict[str, str],
    "schedule_sha256": str,
    "key_sha256": str,
}
# The fields of Study that a result depends on; the others (title, who keeps the key) do not change it.
_FROZEN = (
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
)


def _plain(value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    if isinstance(value, float) and math.isnan(value):
        return None
    if hasattr(value, "item"):
        return _plain(value.item())
    return value


def _freeze(
    study: Study, provenances: Mapping[str, Mapping[str, Any]], analysis: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return everything that a result depends on, as JSON holds it."""
    shared = check_made_alike(provenances, dict(zip(study.nights["night"], study.nights["subject"], strict=True)))
    protocol = {name: getattr(study, name) for name in _FROZEN}
    nights = {
        row["night"]: {column: _plain(value) for column, value in row.items() if column != "night"}
        for row in study.nights.to_dict("records")
    }
    schedule = study.path.parent / study.schedule if study.schedule else None
    frozen = {
        "protocol": {**protocol, "mechanism": dataclasses.asdict(study.mechanism)},
        "analysis": dict(analysis or {}),
        "nights": nights,
        "settings": shared["settings"],
        "versions": shared["versions"],
        "fingerprints": {night: p["fingerprint"] for night, p in provenances.items()},
        "schedule_sha256": hash_file(schedule) if schedule else "",
        "key_sha256": study.key_sha256,
    }
    return json.loads(json.dumps(frozen))


def write_lock(
    study: Study,
    provenances: Mapping[str, Mapping[str, Any]],
    analysis: Mapping[str, Any] | None = None,
    *,
    again: bool = False,
) -> dict[str, Any]:
    """Freeze a study while its codes are masked, and write lock.json beside study.toml.

    Parameters
    ----------
    study : Study
    provenances : mapping of str to mapping
        provenance.json of every night that enters (`read_provenances`).
    analysis : mapping, optional
        Settings of the comparison, as plain values.
    again : bool
        Whether an earlier lock may be replaced, which the new one remembers; never after unmasking.

    Returns
    -------
    dict
        What was written: declaration, nights, settings, versions and fingerprints, the hashes of schedule and
        sealed key, what is not as it was registered, the moment, and a hash over all of it.

    Raises
    ------
    EegSleepError
        If the study is locked or unmasked already, or its nights were not made alike or are not all different.
    """
    path = study.path.parent / LOCK_FILE
    if path.with_name(UNMASK_FILE).exists():
        raise EegSleepError(
            "the study cannot be locked, because its codes were opened",
            found=UNMASK_FILE,
            remedy="compare it with the lock it has; what changed since is marked post hoc",
        )
    replaced = []
    if path.exists():
        if not again:
            raise EegSleepError(
                "the study is locked already",
                found=path.name,
                remedy="keep the lock, or run `eegsleep lock --again`; the new lock remembers the earlier one",
            )
        old = read_lock(path)
        replaced = [*old["replaces"], {"sha256": old["sha256"], "locked_at": old["locked_at"]}]
    lacking = sorted(set(study.nights.loc[study.usable, "night"]) - set(provenances))
    if lacking:
        raise EegSleepError(
            "nights that enter have not been scored",
            found=list_some(lacking),
            remedy="score them with `eegsleep score`, or exclude them with a reason",
        )
    check_different(provenances)
    registered = read_protocol_file(path.parent)
    frozen = _freeze(study, provenances, analysis)
    lock = {
        "format": _FORMAT,
        "eegsleep": package_versions()["eegsleep"],
        "locked_at": now(),
        "study": study.title,
        "open_label": study.active is not None,
        "active": study.active or "",
        "study_sha256": hash_file(study.path),
        "nights_sha256": hash_file(study.path.parent / study.nights_file),
        "replaces": replaced,
        "protocol_sha256": registered["sha256"] if registered else "",
        "since_registered": [list(change) for change in compare_with_protocol(study, registered)],
        **frozen,
    }
    lock["sha256"] = fingerprint(lock)
    write_file(path, encode_json(lock))
    append_record(path.parent, "locked", lock_sha256=lock["sha256"])
    return lock


def read_lock(path: str | Path) -> dict[str, Any]:
    """Read a lock, and check by its hash that it was not edited.

    Parameters
    ----------
    path : path
        lock.json.

    Returns
    -------
    dict

    Raises
    ------
    EegSleepError
        If there is no lock, or its content does not have the hash it was written with.
    """
    path = Path(path)
    if not path.exists():
        raise EegSleepError(
            "the study is not locked, and its codes stay masked",
            found=f"no {path.name}",
            remedy="lock it first with `eegsleep lock`",
        )
    try:
        lock = read_json(path, "a lock", _LOCK_KINDS)
        whole = fingerprint({key: value for key, value in lock.items() if key != "sha256"})
    except (ValueError, RecursionError) as error:
        raise EegSleepError(f"{path.name} is no lock", found=describe_error(error)) from error
    intact = lock["format"] == _FORMAT and lock["sha256"] == whole
    if not intact:
        raise EegSleepError(
            f"{path.name} is not as it was written",
            found=f"hash {whole}",
            allowed=str(lock["sha256"]),
            remedy="restore the lock from a copy",
        )
    return lock


def verify_lock(
    study: Study,
    lock: Mapping[str, Any],
    provenances: Mapping[str, Mapping[str, Any]],
    analysis: Mapping[str, Any] | None = None,
) -> tuple[Change, ...]:
    """Return everything that changed since the study was locked; a result that depends on a change is post hoc.

    Parameters
    ----------
    study : Study
        As it is now.
    lock : mapping
        From `read_lock`.
    provenances, analysis
        As in `write_lock`.

    Returns
    -------
    tuple of Change
        Empty if nothing changed.
    """
    now = _freeze(study, provenances, analysis)
    # A lock of an earlier version may lack keys that are frozen now; they are not reported as changes.
    now["protocol"] = {name: value for name, value in now["protocol"].items() if name in lock["protocol"]}
    changes = []
    for section in now:
        was, is_now = flatten(section, lock[section]), flatten(section, now[section])
        for name in dict.fromkeys([*was, *is_now]):
            before, after = was.get(name, "absent"), is_now.get(name, "absent")
            if before != after:
                grade = grade_change(study, name, as_text(before))
                changes.append(Change(name, as_text(before), as_text(after), grade))
    named = lock.get("active") or _opened_as(study.path.with_name(UNMASK_FILE))
    if study.active and named and study.active != named:
        changes.append(Change("study.active", named, study.active))
    return tuple(changes)


def read_opening(folder: Path) -> dict[str, Any]:
    """Return unmasked.json: when the codes of a study were first opened, under which lock, and as what.

    Parameters
    ----------
    folder : Path
        Of the study.

    Returns
    -------
    dict of str to str

    Raises
    ------
    EegSleepError
        If it cannot be read.
    """
    kinds = {"unmasked_at": str, "lock_sha256": str, "active": str}
    return read_json(folder / UNMASK_FILE, "the record of an opening", kinds)


def find_opened_conditions(folder: Path) -> dict[str, str]:
    """Return compound, control or which dose of every night of a study whose codes were opened.

    Parameters
    ----------
    folder : Path
        Of the study.

    Returns
    -------
    dict of str to str
        By night; empty while the codes are masked, or where there is no study that can be read.
    """
    from eegsleep.study.declared.manifest import read_study

    path = folder / STUDY_FILE
    if not path.is_file() or not (folder / UNMASK_FILE).is_file():
        return {}
    try:
        opening = read_opening(folder)
        nights = read_study(path, check_files=False).nights
    except EegSleepError:
        return {}
    given = nights[nights["condition"] != ""]
    roles = opening.get("codes") or {str(opening["active"]): "compound"}
    return {night: roles.get(code, "control") for night, code in zip(given["night"], given["condition"], strict=True)}


def _opened_as(record: Path) -> str:
    """Return the code that was the compound when the codes were first opened, or an empty text."""
    try:
        return str(read_opening(record.parent)["active"])
    except EegSleepError:
        return ""


def unmask(study: Study, key: str | Path | None = None, passphrase: str = "") -> Study:
    """Open the codes of a locked study, and record when that was first done.

    Parameters
    ----------
    study : Study
    key : path, optional
        The sealed key; not needed where `active` in study.toml names the compound openly.
    passphrase : str
        Of the key, if it was sealed with one.

    Returns
    -------
    Study
        The study with `active` known, and `dose_of` where there are two doses. unmasked.json, beside the lock, holds
        when that was first done.

    Raises
    ------
    EegSleepError
        If the study is not locked, the lock was edited, or the key is not the one that was sealed.
    """
    path = study.path.parent / LOCK_FILE
    lock = read_lock(path)
    sealed = lock["key_sha256"]
    codes: dict[str, str] = {}
    if key is not None:
        codes = open_roles(key, study.conditions, sealed, passphrase)
        active = next(code for code, role in codes.items() if role in {ROLES[0], DOSE_ROLES[-1]})
        if study.active not in {None, active}:
            raise EegSleepError(
                "study.toml and the sealed key disagree about the compound",
                found=str(study.active),
                allowed=active,
                remedy="leave study.active empty; the key decides",
            )
    elif study.active is not None and (lock["open_label"] or not sealed):
        active = study.active
    else:
        raise EegSleepError(
            "the codes cannot be opened without the sealed key",
            found="no key file",
            remedy="ask whoever prepared the capsules for it, and give it with --key FILE"
            if sealed
            else "name the compound as study.active",
        )
    record = path.with_name(UNMASK_FILE)
    doses = {code: study.doses_mg[DOSE_ROLES.index(role)] for code, role in codes.items()} if study.doses_mg else {}
    if not record.exists():
        opening: dict[str, Any] = {"unmasked_at": now(), "lock_sha256": lock["sha256"], "active": active}
        write_file(record, encode_json(opening | ({"codes": codes} if doses else {})))
        append_record(path.parent, "opened", lock_sha256=lock["sha256"])
    return dataclasses.replace(study, active=active, dose_of=doses)
