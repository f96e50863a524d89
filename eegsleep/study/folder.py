"""Night folders in, one long table of markers; a comparison out, every file whole and vouched for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from eegsleep.errors import EegSleepError, SettingsError
from eegsleep.provenance import encode_json, hash_bytes, hash_file, package_versions, write_file
from eegsleep.study.masking.lock import agree_provenance
from eegsleep.tables import (
    AUDIT,
    CHECKS,
    COMPARISON,
    COMPARISON_MODELS,
    COMPARISON_NIGHTS,
    FAMILY_VERDICTS,
    MARKERS,
    NUISANCE,
    RELATIONS,
    encode_sidecar,
    encode_table,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study
    from eegsleep.tables import Table

_MARKER_FILE, _AUDIT_FILE = f"{MARKERS.name}.csv", f"{AUDIT.name}.csv"


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
        If the markers of a night are missing, or not those its provenance vouches for.
    """
    parts = [_read_own(Path(folder) / night, MARKERS, provenance) for night, provenance in provenances.items()]
    if not parts:
        raise EegSleepError(
            "there is no night to collect markers of",
            found=f"none in {folder}",
            remedy="score the nights of the study first",
        )
    return pd.concat(parts, ignore_index=True)


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
        If an audit is missing, or not the one its provenance vouches for.
    """
    audited = {night: p for night, p in provenances.items() if _AUDIT_FILE in p.get("outputs", {})}
    parts = [_read_own(Path(folder) / night, AUDIT, provenance) for night, provenance in audited.items()]
    return pd.concat(parts, ignore_index=True) if parts else None


def _read_own(folder: Path, table: Table, provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table of one night, vouched for, with the name of the night before it."""
    path = folder / f"{table.name}.csv"
    _vouch(path, provenance)
    found = read_table(path, table)
    found.insert(0, "night", folder.name)
    return found


def _vouch(path: Path, provenance: Mapping[str, Any]) -> None:
    expected = provenance.get("outputs", {}).get(path.name, "")
    found = hash_file(path) if path.is_file() else "no such file"
    if found != expected:
        raise EegSleepError(
            f"{path} is not the file that was written",
            found=found,
            allowed=expected or "a file that provenance.json vouches for",
            remedy="score the night again",
        )


def describe_analysis(provenances: Mapping[str, Mapping[str, Any]], n_draws: int) -> dict[str, Any]:
    """Return what a lock holds of the analysis: the number of redraws, and the hash of every table of markers."""
    return {
        "n_draws": n_draws,
        "markers_sha256": {night: p.get("outputs", {}).get(_MARKER_FILE, "") for night, p in provenances.items()},
    }


def collect_earlier_nights(study: Study, folder: str | Path) -> pd.DataFrame:
    """Return the markers of every night in a folder, in order of time, for `measure_spreads`.

    What was taken on which night is neither known nor asked. In a study of several sleepers the name of a
    night begins with that of its sleeper.

    Raises
    ------
    EegSleepError
        If there is no night, the nights were not made alike, or it is not clear whose they are.
    """
    folder = Path(folder)
    found = {}
    for path in sorted(folder.glob("*/provenance.json")):
        try:
            found[path.parent.name] = json.loads(path.read_bytes())
        except ValueError as error:
            raise EegSleepError(f"{path} cannot be read", found=str(error), remedy="score the night again") from error
    if not found:
        raise SettingsError(
            "there is no scored night to learn from",
            found=f"none in {folder}",
            allowed="a folder of night folders, as `eegsleep score` writes them",
        )
    agree_provenance(found)
    nights = dict(sorted(found.items(), key=lambda item: (str(item[1].get("start") or ""), item[0])))
    table = collect_markers(folder, nights)
    table.insert(0, "subject", table["night"].map({night: _whose(night, study) for night in nights}))
    return table


def _whose(night: str, study: Study) -> str:
    subjects = study.planned.subjects
    if len(subjects) == 1:
        return subjects[0]
    own = [name for name in subjects if night == name or night.startswith((f"{name}-", f"{name}_"))]
    if len(own) != 1:
        raise SettingsError(
            f"whose night {night} is, is not known",
            found=night,
            allowed=f"a name that begins with {', '.join(subjects[:3])} and a hyphen",
            remedy="rename the night folder, or plan without --nights",
        )
    return own[0]


def save_comparison(
    comparison: Comparison,
    output: str | Path,
    pages: Mapping[str, bytes] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write the tables of a comparison with their sidecars, and return the folder.

    Parameters
    ----------
    comparison : Comparison
    output : path
        The folder of the study, or another.
    pages : mapping of str to bytes, optional
        More files, such as report.html.
    provenance : mapping, optional
        What the comparison rests on; kept with versions and the hash of every file in comparison_provenance.json,
        which comes last.

    Raises
    ------
    EegSleepError
        If it cannot be written.
    """
    tables = {
        COMPARISON: comparison.markers,
        FAMILY_VERDICTS: comparison.families,
        NUISANCE: comparison.nuisance,
        RELATIONS: comparison.relations,
        COMPARISON_NIGHTS: comparison.nights,
        COMPARISON_MODELS: comparison.models,
        CHECKS: comparison.checks,
    }
    files: dict[str, bytes] = {}
    for table, frame in tables.items():
        if table is CHECKS and frame.empty:
            continue
        files[f"{table.name}.csv"] = encode_table(frame, table)
        files[f"{table.name}.json"] = encode_sidecar(table)
    files.update(pages or {})
    trace = {
        **(provenance or {}),
        "n_schedules": comparison.n_schedules,
        "all_schedules": comparison.complete,
        "seed": comparison.seed,
        "versions": package_versions(),
        "outputs": {name: hash_bytes(content) for name, content in sorted(files.items())},
    }
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_file(folder / name, content)
        write_file(folder / "comparison_provenance.json", encode_json(trace))
    except OSError as error:
        raise EegSleepError(f"{folder} cannot be written", found=str(error)) from error
    return folder
