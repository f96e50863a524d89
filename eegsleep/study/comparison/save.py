"""Write the tables of a comparison, each with its description, and what they rest on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import EegSleepError, describe_error
from eegsleep.provenance import check_own, encode_json, hash_bytes, package_versions, write_file
from eegsleep.tables import (
    CHECKS,
    COMPARISON,
    COMPARISON_MODELS,
    COMPARISON_NIGHTS,
    COMPARISON_SLEEPERS,
    DOSES,
    FAMILY_VERDICTS,
    NUISANCE,
    PATTERN,
    RELATIONS,
    encode_sidecar,
    encode_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.study.comparison.compare import Comparison

_TRACE_FILE = "comparison_provenance.json"


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

    Examples
    --------
    >>> comparison = es.compare_nights(study, values, n_draws=99)
    >>> es.save_comparison(comparison, "comparison").name
    'comparison'
    """
    tables = {
        COMPARISON: comparison.markers,
        FAMILY_VERDICTS: comparison.families,
        NUISANCE: comparison.nuisance,
        RELATIONS: comparison.relations,
        PATTERN: comparison.pattern,
        DOSES: comparison.doses,
        COMPARISON_NIGHTS: comparison.nights if comparison.dose_nights.empty else comparison.dose_nights,
        COMPARISON_MODELS: comparison.models,
        COMPARISON_SLEEPERS: comparison.sleepers,
        CHECKS: comparison.checks,
    }
    files: dict[str, bytes] = {}
    for table, frame in tables.items():
        if table in {CHECKS, COMPARISON_SLEEPERS, DOSES, PATTERN} and frame.empty:
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
        check_own({folder / name: content for name, content in files.items()}, mark=folder / _TRACE_FILE)
        for name, content in files.items():
            write_file(folder / name, content)
        write_file(folder / _TRACE_FILE, encode_json(trace))
    except OSError as error:
        raise EegSleepError(f"{folder} cannot be written", found=describe_error(error)) from error
    return folder
