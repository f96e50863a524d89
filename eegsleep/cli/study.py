"""The commands of a study: init, plan, lock and compare; each returns the lines to print.

Nothing heavy is imported before a command runs. `eegsleep.cli.main` registers them.
"""

from __future__ import annotations

import math
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from eegsleep.workflows.study import ComparedStudy


def init(folder: Path) -> list[str]:
    """Write a commented study.toml and nights.csv, to be filled in.

    Parameters
    ----------
    folder
        The folder of the study; it is made if need be.
    """
    from eegsleep.study.declared.manifest import write_template

    study, nights = write_template(folder)
    return [str(study), str(nights)]


def plan(
    study: Path,
    *,
    nights: Path | None = None,
    key: Path | None = None,
    active: str = "",
    dry_run: bool = False,
) -> list[str]:
    """Draw the schedule of a study, seal its key, and describe what the design can and cannot show.

    Parameters
    ----------
    study
        The study file.
    nights
        Nights scored earlier, from whose spread the power is computed; by default from the catalogue's.
    key
        Where the sealed key is written; by default beside the folder of the study, never in it.
    active
        Code of the compound, where the capsules are coded already; by default a coin decides.
    dry_run
        Describe what the design can show, and write nothing: a schedule is drawn once.
    """
    from eegsleep.workflows.study import plan_study

    planned = plan_study(study, nights=nights, key=key, active=active, dry_run=dry_run)
    lines = list(planned.plan.sentences)
    if dry_run:
        return [*lines, "Nothing was written."]
    if planned.schedule is None:
        return [
            *lines,
            f"Nothing was drawn or written: enter the nights into {planned.study.nights_file} as they come.",
        ]
    if planned.key:
        lines.append(f"Give {planned.key} to whoever prepares the capsules, and keep no copy.")
    return [*lines, str(planned.schedule)]


def lock(study: Path, *, nights: Path | None = None, again: bool = False) -> list[str]:
    """Freeze a study while its codes are masked: settings, exclusions, endpoints, schedule.

    Parameters
    ----------
    study
        The study file.
    nights
        The scored nights; by default eegsleep-nights beside the study file.
    again
        Replace an earlier lock, which the new one remembers; never once the codes were opened.
    """
    from eegsleep.workflows.study import lock_study

    locked = lock_study(study, nights=nights, again=again)
    rows = locked.checks.itertuples(index=False)
    return [*(f"{row.code:<3} {row.status:<4} {row.name}: {row.message}" for row in rows), str(locked.file)]


def compare(
    study: Path, *, key: Path | None = None, nights: Path | None = None, output: Path | None = None
) -> list[str]:
    """Open the codes of a locked study and compare compound with control, marker by marker.

    Parameters
    ----------
    study
        The study file.
    key
        The sealed key; not needed in an open study that names the compound.
    nights
        The scored nights; by default eegsleep-nights beside the study file.
    output
        Folder for tables and report; by default that of the study.
    """
    from eegsleep.workflows.study import compare_study

    compared = compare_study(study, key=key, nights=nights, output=output)
    return [*describe_comparison(compared), str(compared.report)]


def describe_comparison(compared: ComparedStudy) -> list[str]:
    """Return the result of a comparison in lines: changes since the lock, primary endpoints, families."""
    markers, families = compared.comparison.markers, compared.comparison.families
    n = len(compared.changes)
    lines = []
    if n:
        things, them = ("things", "them") if n > 1 else ("thing", "it")
        lines = [f"Post hoc: {n} {things} changed since the lock; the report lists {them}."]
    endpoints = markers[["marker", "stage", "channel"]].agg("|".join, axis=1)
    primary = markers[endpoints.isin(compared.study.primary)]
    lines += [f"Primary endpoint: {_describe_difference(row)}" for row in primary.to_dict("records")]
    return lines + [f"{row.family}  {row.verdict:<12} {row.sentence}" for row in families.itertuples(index=False)]


def _describe_difference(row: Mapping[str, Any]) -> str:
    """Return the result of one endpoint, with its numbers where there are any."""
    if not math.isfinite(row["difference"]):
        return row["sentence"]
    found = f"{row['sentence']} Difference {row['difference']:+.3g} {row['unit']}".rstrip()
    if math.isfinite(row["low"]):
        found += f", 95 % interval {row['low']:.3g} to {row['high']:.3g}"
    return found + (f", adjusted p {row['p_adjusted']:.2g}." if math.isfinite(row["p_adjusted"]) else ".")
