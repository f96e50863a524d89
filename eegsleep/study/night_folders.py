"""Read the folders of scored nights: how they were made, and their tables, joined over the nights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError, SettingsError
from eegsleep.file_names import PROVENANCE_FILE
from eegsleep.provenance import check_provenance, hash_bytes, read_provenance
from eegsleep.tables import AUDIT, MARKERS, parse_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.study.declared.protocol import Study
    from eegsleep.tables import Table

# What a comparison takes from provenance.json of every night.
_NEEDED = ("settings", "versions", "fingerprint")
_SHOWN = 3  # nights named in an error
_MARKER_FILE, _AUDIT_FILE = f"{MARKERS.name}.csv", f"{AUDIT.name}.csv"


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
        try:
            found[night] = check_provenance(Path(folder) / night, _NEEDED)
        except EegSleepError as error:
            raise EegSleepError(
                f"night {night} has not been scored",
                found=error.found,
                remedy="score it with `eegsleep score`, or exclude it with a reason",
            ) from error
    return found


def read_left_out(study: Study, folder: str | Path) -> dict[str, dict[str, Any]]:
    """Return provenance.json of the excluded nights that were scored; a night that was not has no entry."""
    nights = study.nights
    wanted = nights.loc[(nights["file"] != "") & nights["excluded"], "night"]
    found = {night: read_provenance(Path(folder) / night) for night in wanted}
    return {night: made for night, made in found.items() if made}


def check_made_alike(
    provenances: Mapping[str, Mapping[str, Any]], subjects: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Check that nights were scored in the same way, so that they differ only where the sleep did.

    Parameters
    ----------
    provenances : mapping
        By night, as `read_provenances` gives them.
    subjects : mapping of str to str, optional
        The sleeper of each night. All nights of a sleeper must have the same calibration, and, where device and
        channels are the same, the same units as stated by the user. Without it neither is compared.

    Returns
    -------
    dict
        `settings` and `versions`, which all nights share.

    Raises
    ------
    EegSleepError
        If there is no night, or nights were made by different versions or settings, or some with stages or thresholds
        that were given and some without, or with units stated for some only, or with lights off stated for some only.
    """
    if not provenances:
        raise EegSleepError("the study has no night to compare", remedy="score its nights with `eegsleep score`")
    _check_settings(provenances)
    of_sleeper: dict[str, dict[str, Mapping[str, Any]]] = {}
    for night, made in provenances.items():
        if subjects and night in subjects:
            of_sleeper.setdefault(subjects[night], {})[night] = made
    for subject, own in sorted(of_sleeper.items()):
        _check_alike(f"the calibration of {subject}", {night: p.get("calibration") for night, p in own.items()})
        for alike in _of_one_setup(own):
            stated = {night: p.get("units") or {} for night, p in alike.items()}
            for label in sorted({label for units in stated.values() for label in units}):
                _check_alike(
                    f"the unit stated of {label} in nights of {subject}",
                    {night: units.get(label, "not stated") for night, units in stated.items()},
                )
    first = next(iter(provenances.values()))
    return {"settings": first["settings"], "versions": first["versions"]}


def _check_settings(provenances: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise if versions, settings or manner of nights differ; values are compared one by one only if any does."""
    parts = {night: (p["settings"], p["versions"], _describe_manner(p)) for night, p in provenances.items()}
    made = {night: json.dumps(part, sort_keys=True) for night, part in parts.items()}
    if len(set(made.values())) == 1:
        return
    flat = {
        text: {**flatten("settings", settings), **flatten("versions", versions), **manner}
        for text, (settings, versions, manner) in zip(made.values(), parts.values(), strict=True)
    }
    for name in sorted({name for values in flat.values() for name in values}):
        _check_alike(name, {night: flat[text].get(name) for night, text in made.items()})


def _of_one_setup(provenances: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Mapping[str, Any]]]:
    """Return the nights apart by device and channels; a unit was stated of a channel of that device."""
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for night, provenance in provenances.items():
        setup = json.dumps([provenance.get("device"), sorted(provenance.get("roles") or {})])
        groups.setdefault(setup, {})[night] = provenance
    return list(groups.values())


def _describe_manner(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else than settings and versions must be the same for all nights."""
    source = provenance.get("lights", {}).get("source", "")
    return {
        "whether stages were given": bool(provenance.get("hypnogram_sha256")),
        "the other stager": (provenance.get("other_stager") or {}).get("name", ""),
        "whether thresholds were calibrated": bool(provenance.get("calibration")),
        "where lights off came from": "stated" if source in {"user", "annotations", "hypnogram"} else source,
    }


def _check_alike(name: str, values: Mapping[str, Any]) -> None:
    groups: dict[str, list[str]] = {}
    for night, value in values.items():
        groups.setdefault(json.dumps(value, sort_keys=True), []).append(night)
    if len(groups) > 1:
        raise EegSleepError(
            f"the nights were not made alike, and cannot be compared: {name} differs",
            found="; ".join(f"{value}: {list_some(nights)}" for value, nights in groups.items()),
            allowed="one version, one setting and one manner for all nights",
            remedy="score all nights again with `eegsleep score`, in the same way",
        )


def check_different(provenances: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that no two nights are one recording under two names, which would count twice."""
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


def list_some(nights: list[str]) -> str:
    """Return how many nights there are, and the first three by name."""
    more = f" and {len(nights) - _SHOWN} more" if len(nights) > _SHOWN else ""
    return f"{len(nights)} night{'s' * (len(nights) > 1)} ({', '.join(nights[:_SHOWN])}{more})"


def flatten(prefix: str, value: object) -> dict[str, object]:
    """Return the values of nested mappings, each under its path, joined by points."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in flatten(f"{prefix}.{key}", part).items()}
    return {prefix: value}


def collect_markers(folder: str | Path, provenances: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the markers of many nights as one long table.

    Parameters
    ----------
    folder : path
        Where the night folders are.
    provenances : mapping of str to mapping
        provenance.json by night, as `read_provenances` gives it.

    Returns
    -------
    pandas.DataFrame
        Column `night`, then those of table `MARKERS`.

    Raises
    ------
    EegSleepError
        If the markers of a night are missing, or not those whose hash its provenance holds.

    Examples
    --------
    >>> import json
    >>> from pathlib import Path
    >>> provenance = json.loads(Path("nights/sample-night/provenance.json").read_text())
    >>> markers = es.collect_markers("nights", {"sample-night": provenance})
    >>> markers["night"].unique().tolist()
    ['sample-night']
    """
    if not provenances:
        raise EegSleepError(
            "there is no night to collect markers of",
            found=f"none in {folder}",
            remedy="score the nights of the study first",
        )
    return _read_own(Path(folder), MARKERS, provenances)


def collect_audits(folder: str | Path, provenances: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame | None:
    """Return the audits of many nights as one long table: how many planted events their detectors found.

    Parameters
    ----------
    folder, provenances
        As in `collect_markers`.

    Returns
    -------
    pandas.DataFrame or None
        Column `night`, then those of table `AUDIT`; None if no night was audited. A night whose provenance names
        no audit has no row.

    Raises
    ------
    EegSleepError
        If an audit is missing, or not the one whose hash its provenance holds.
    """
    audited = {night: p for night, p in provenances.items() if _AUDIT_FILE in p.get("outputs", {})}
    return _read_own(Path(folder), AUDIT, audited) if audited else None


def _read_own(folder: Path, table: Table, provenances: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return a table of many nights, each with its hash checked, with the name of the night as first column."""
    name = f"{table.name}.csv"
    contents = {night: _read_checked(folder / night / name, made) for night, made in provenances.items()}
    return parse_tables(contents, table, "night")


def _read_checked(path: Path, provenance: Mapping[str, Any]) -> bytes:
    """Return the content of a file of a night, if it is the one whose hash its provenance holds."""
    expected = provenance.get("outputs", {}).get(path.name, "")
    content = path.read_bytes() if path.is_file() else None
    found = "no such file" if content is None else hash_bytes(content)
    if content is None or found != expected:
        raise EegSleepError(
            f"{path} is not the file that was written",
            found=found,
            allowed=expected or f"a file whose hash is in {PROVENANCE_FILE}",
            remedy="score the night again",
        )
    return content


def describe_analysis(provenances: Mapping[str, Mapping[str, Any]], n_draws: int) -> dict[str, Any]:
    """Return what a lock holds of the analysis: the number of redraws, and the hash of every table of markers.

    Parameters
    ----------
    provenances : mapping of str to mapping
        provenance.json by night.
    n_draws : int
        Redrawn schedules.
    """
    return {
        "n_draws": n_draws,
        "markers_sha256": {night: p.get("outputs", {}).get(_MARKER_FILE, "") for night, p in provenances.items()},
    }


def collect_earlier_nights(study: Study, folder: str | Path) -> pd.DataFrame:
    """Return the markers of every night in a folder, in order of time, for `measure_spreads`.

    The conditions of the nights are not needed. In a study of several sleepers the name of a night must begin with
    that of its sleeper.

    Parameters
    ----------
    study : Study
        Its planned sleepers tell whose night each is.
    folder : path
        Where the night folders are.

    Returns
    -------
    pandas.DataFrame
        Columns `subject` and `night`, then those of table `MARKERS`.

    Raises
    ------
    EegSleepError
        If there is no night, the nights were not made alike, or it is not clear whose they are.
    """
    folder = Path(folder)
    found = {}
    for path in sorted(folder.glob(f"*/{PROVENANCE_FILE}")):
        found[path.parent.name] = check_provenance(path.parent, _NEEDED)
    if not found:
        raise SettingsError(
            "there is no scored night to learn from",
            found=f"none in {folder}",
            allowed="a folder of night folders, as `eegsleep score` writes them",
        )
    check_made_alike(found)
    nights = dict(sorted(found.items(), key=lambda item: (str(item[1].get("start") or ""), item[0])))
    table = collect_markers(folder, nights)
    table.insert(0, "subject", table["night"].map({night: _find_sleeper(night, study) for night in nights}))
    return table


def _find_sleeper(night: str, study: Study) -> str:
    subjects = study.planned.subjects
    if len(subjects) == 1:
        return subjects[0]
    own = [name for name in subjects if night == name or night.startswith((f"{name}-", f"{name}_"))]
    if len(own) != 1:
        raise SettingsError(
            f"the name of night {night} does not tell whose it is",
            found=night,
            allowed=f"a name that begins with {', '.join(subjects[:3])} and a hyphen",
            remedy="rename the night folder, or plan without --nights",
        )
    return own[0]
