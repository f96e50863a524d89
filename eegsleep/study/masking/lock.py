"""Freeze a study before its codes are opened, and say afterwards what was changed."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eegsleep.errors import EegSleepError
from eegsleep.file_names import PROVENANCE_FILE
from eegsleep.provenance import encode_json, fingerprint, hash_file, package_versions, write_file
from eegsleep.study.masking.sealed_key import open_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.study.declared.protocol import Study

LOCK_FILE, UNMASK_FILE = "lock.json", "unmasked.json"
_FORMAT = 1
# Of the declaration; the rest of study.toml (a title, who keeps the key) changes no result.
_FROZEN = (
    "compound",
    "design",
    "conditions",
    "primary",
    "smallest_effects",
    "families",
    "alpha",
    "seed",
    "exclusion_rules",
    "half_life_h",
    "compound_class",
)
_SHOWN = 3  # nights named in an error


class Change(NamedTuple):
    """One thing that is not as it was locked: what, how it was, how it is now."""

    what: str
    was: str
    now: str


def read_provenances(study: Study, folder: str | Path) -> dict[str, dict[str, Any]]:
    """Return provenance.json of every night of the study that was recorded and not excluded.

    Parameters
    ----------
    study : Study
    folder : path
        Where the night folders are.

    Raises
    ------
    EegSleepError
        If a night has not been scored.
    """
    nights = study.nights
    wanted = nights.loc[(nights["file"] != "") & ~nights["excluded"], "night"]
    found = {}
    for night in wanted:
        path = Path(folder) / night / PROVENANCE_FILE
        try:
            found[night] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise EegSleepError(
                f"night {night} has not been scored",
                found=str(error),
                remedy="score it with `eegsleep score`, or exclude it with a reason",
            ) from error
    return found


def agree_provenance(
    provenances: Mapping[str, Mapping[str, Any]], subjects: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the settings and versions that all nights share.

    Parameters
    ----------
    provenances : mapping
        By night, as `read_provenances` gives them.
    subjects : mapping of str to str, optional
        Night to sleeper; a calibration is a sleeper's own, and must be the same for all nights of one. So must what
        the user said of the units, for nights with one device and the same channels.

    Raises
    ------
    EegSleepError
        If nights were made by different versions or settings, some with stages or thresholds that were given and
        some without, in units that were stated for some only, or counted from lights off in some only: they can
        differ where the sleep did not.
    """
    if not provenances:
        raise EegSleepError("the study has no night to compare", remedy="score its nights with `eegsleep score`")
    flat = {
        night: {**_flatten("settings", p["settings"]), **_flatten("versions", p["versions"]), **_manner(p)}
        for night, p in provenances.items()
    }
    for name in sorted({name for values in flat.values() for name in values}):
        _refuse_unlike(name, {night: values.get(name) for night, values in flat.items()})
    for subject in sorted(set((subjects or {}).values())):
        own = {night: p.get("calibration") for night, p in provenances.items() if subjects.get(night) == subject}
        _refuse_unlike(f"the calibration of {subject}", own)
        for alike in _of_one_setup({night: provenances[night] for night in own}):
            stated = {night: p.get("units") or {} for night, p in alike.items()}
            for label in sorted({label for units in stated.values() for label in units}):
                _refuse_unlike(
                    f"the unit stated of {label} in nights of {subject}",
                    {night: units.get(label, "not stated") for night, units in stated.items()},
                )
    first = next(iter(provenances.values()))
    return {"settings": first["settings"], "versions": first["versions"]}


def _of_one_setup(provenances: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Mapping[str, Any]]]:
    """Return the nights apart by device and channels; a unit was stated of a channel of that device."""
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for night, provenance in provenances.items():
        setup = json.dumps([provenance.get("device"), sorted(provenance.get("roles") or {})])
        groups.setdefault(setup, {})[night] = provenance
    return list(groups.values())


def _manner(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else must be alike for two nights to be counted alike."""
    source = provenance.get("lights", {}).get("source", "")
    return {
        "whether stages were given": bool(provenance.get("hypnogram_sha256")),
        "whether thresholds were calibrated": bool(provenance.get("calibration")),
        "where lights off came from": "stated" if source in {"user", "annotations", "hypnogram"} else source,
    }


def _refuse_unlike(name: str, values: Mapping[str, Any]) -> None:
    groups: dict[str, list[str]] = {}
    for night, value in values.items():
        groups.setdefault(json.dumps(value, sort_keys=True), []).append(night)
    if len(groups) > 1:
        raise EegSleepError(
            f"the nights were not made alike, and cannot be compared: {name} differs",
            found="; ".join(f"{value}: {_some(nights)}" for value, nights in groups.items()),
            allowed="one version, one setting and one manner for all nights",
            remedy="score all nights again with `eegsleep score`, in the same way",
        )


def _refuse_copies(provenances: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse two nights that are one recording under two names: it would count twice."""
    seen: dict[str, str] = {}
    for night, provenance in provenances.items():
        sha256 = (provenance.get("input") or {}).get("sha256", "")
        if sha256 and sha256 in seen:
            raise EegSleepError(
                "one recording stands for two nights",
                found=f"{seen[sha256]} and {night}",
                allowed="a recording of its own for every night",
                remedy="put the right file in its place and score it",
            )
        seen[sha256] = night


def _some(nights: list[str]) -> str:
    more = f" and {len(nights) - _SHOWN} more" if len(nights) > _SHOWN else ""
    return f"{len(nights)} night{'s' * (len(nights) > 1)} ({', '.join(nights[:_SHOWN])}{more})"


def _flatten(prefix: str, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in _flatten(f"{prefix}.{key}", part).items()}
    return {prefix: value}


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
    shared = agree_provenance(provenances, dict(zip(study.nights["night"], study.nights["subject"], strict=True)))
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
        sealed key, the moment, and a hash over all of it.

    Raises
    ------
    EegSleepError
        If the study is locked or unmasked already, or its nights were not made alike or are not all different.
    """
    path = study.path.parent / LOCK_FILE
    if path.with_name(UNMASK_FILE).exists():
        raise EegSleepError(
            "the study cannot be locked, for its codes were opened",
            found=UNMASK_FILE,
            remedy="compare it with the lock it has; what changed since is marked post hoc",
        )
    replaced = []
    if path.exists():
        if not again:
            raise EegSleepError(
                "the study is locked already",
                found=path.name,
                remedy="keep the lock, or lock again, which the new lock will tell",
            )
        old = read_lock(path)
        replaced = [*old["replaces"], {"sha256": old["sha256"], "locked_at": old["locked_at"]}]
    lacking = sorted(set(study.nights.loc[study.usable, "night"]) - set(provenances))
    if lacking:
        raise EegSleepError(
            "nights that enter have not been scored",
            found=_some(lacking),
            remedy="score them with `eegsleep score`, or exclude them with a reason",
        )
    _refuse_copies(provenances)
    frozen = _freeze(study, provenances, analysis)
    lock = {
        "format": _FORMAT,
        "eegsleep": package_versions()["eegsleep"],
        "locked_at": _now(),
        "study": study.title,
        "open_label": study.active is not None,
        "active": study.active or "",
        "study_sha256": hash_file(study.path),
        "nights_sha256": hash_file(study.path.parent / study.nights_file),
        "replaces": replaced,
        **frozen,
    }
    lock["sha256"] = fingerprint(lock)
    write_file(path, encode_json(lock))
    return lock


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_lock(path: str | Path) -> dict[str, Any]:
    """Read a lock, after checking that nobody wrote in it.

    Raises
    ------
    EegSleepError
        If there is none, or it is not as it was written.
    """
    path = Path(path)
    if not path.exists():
        raise EegSleepError(
            "the study is not locked, and its codes stay masked",
            found=f"no {path.name}",
            remedy="lock it first with `eegsleep lock`",
        )
    try:
        lock = json.loads(path.read_bytes())
        whole = fingerprint({key: value for key, value in lock.items() if key != "sha256"})
        intact = lock["format"] == _FORMAT and lock["sha256"] == whole
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise EegSleepError(f"{path.name} is no lock", found=str(error)) from error
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
    """Return everything that changed since the study was locked; a result that rests on it is post hoc.

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
    # a lock of an earlier version may lack what is frozen since: not known is not changed
    now["protocol"] = {name: value for name, value in now["protocol"].items() if name in lock["protocol"]}
    changes = []
    for section in now:
        was, is_now = _flatten(section, lock[section]), _flatten(section, now[section])
        for name in dict.fromkeys([*was, *is_now]):
            before, after = was.get(name, "absent"), is_now.get(name, "absent")
            if before != after:
                changes.append(Change(name, _word(before), _word(after)))
    named = lock.get("active") or _opened_as(study.path.with_name(UNMASK_FILE))
    if study.active and named and study.active != named:
        changes.append(Change("study.active", named, study.active))
    return tuple(changes)


def _opened_as(record: Path) -> str:
    """Return the code that was the compound when the codes were first opened, or an empty text."""
    try:
        return str(json.loads(record.read_bytes())["active"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def unmask(study: Study, key: str | Path | None = None) -> Study:
    """Open the codes of a locked study, and write down that it was done.

    Parameters
    ----------
    study : Study
    key : path, optional
        The sealed key; not needed where `active` in study.toml names the compound openly.

    Returns
    -------
    Study
        The study with `active` known. unmasked.json, beside the lock, holds when that was first done.

    Raises
    ------
    EegSleepError
        If the study is not locked, the lock was written in, or the key is not the one that was sealed.
    """
    path = study.path.parent / LOCK_FILE
    lock = read_lock(path)
    sealed = lock["key_sha256"]
    if key is not None:
        active = open_key(key, study.conditions, sealed)
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
            remedy="ask whoever keeps it" if sealed else "name the compound as study.active",
        )
    record = path.with_name(UNMASK_FILE)
    if not record.exists():
        write_file(record, encode_json({"unmasked_at": _now(), "lock_sha256": lock["sha256"], "active": active}))
    return dataclasses.replace(study, active=active)
