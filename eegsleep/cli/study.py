"""The commands of a study: init, plan, lock and compare; each returns the lines it has to say.

Nothing heavy is imported before a command runs. `eegsleep.cli.main` registers them.
"""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple

logger = logging.getLogger(__name__)


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
    """Draw the schedule of a study, seal its key, and say what the design can and cannot show.

    Parameters
    ----------
    study
        The study file.
    nights
        Nights scored earlier, whose spread the power is worked out from; by default the catalogue's.
    key
        Where the sealed key is written; by default beside the folder of the study, never in it.
    active
        Code of the compound, where the capsules are coded already; by default a coin decides.
    dry_run
        Say what the design can show, and write nothing: a schedule is drawn once.
    """
    from eegsleep.study.declared.manifest import read_protocol
    from eegsleep.study.folder import collect_earlier_nights
    from eegsleep.study.planning.plan import measure_spreads, plan_study, write_plan

    protocol = read_protocol(study)
    spreads = {}
    if nights:
        logger.info("reading nights")
        spreads = measure_spreads(protocol, collect_earlier_nights(protocol, nights))
    logger.info("simulating studies")
    planned = plan_study(protocol, spreads)
    lines = list(planned.sentences)
    if dry_run:
        return [*lines, "Nothing was written."]
    if protocol.mechanism.kind == "observational":
        return [*lines, f"Nothing was drawn or written: enter the nights into {protocol.nights_file} as they come."]
    home = study.resolve().parent
    key = key or home.with_name(f"{home.name}-sealed-key.json")
    hashes = write_plan(protocol, planned, key, active=active)
    if hashes["key_sha256"]:
        lines.append(f"Give {key} to whoever prepares the capsules, and keep no copy.")
    return [*lines, str(study.parent / "schedule.csv")]


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
    from eegsleep.study.checks import run_checks
    from eegsleep.study.comparison.compare import N_DRAWS
    from eegsleep.study.declared.manifest import read_study
    from eegsleep.study.folder import NIGHTS_FOLDER, collect_markers, describe_analysis
    from eegsleep.study.masking.lock import LOCK_FILE, lock_study, read_provenances
    from eegsleep.study.night_values import check_endpoints

    made = read_study(study)
    folder = nights or study.parent / NIGHTS_FOLDER
    logger.info("reading nights")
    provenances = read_provenances(made, folder)
    values = collect_markers(folder, provenances)
    check_endpoints(made, values)
    checks = run_checks(made, values, provenances)
    lock_study(made, provenances, describe_analysis(provenances, N_DRAWS), again=again)
    lines = [f"{row.code:<3} {row.status:<4} {row.name}: {row.message}" for row in checks.itertuples(index=False)]
    return [*lines, str(study.parent / LOCK_FILE)]


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
    from eegsleep.report.study_page import render_study
    from eegsleep.study.checks import run_checks
    from eegsleep.study.comparison.compare import N_DRAWS, compare_nights
    from eegsleep.study.declared.manifest import read_study
    from eegsleep.study.folder import (
        NIGHTS_FOLDER,
        collect_audits,
        collect_markers,
        describe_analysis,
        save_comparison,
    )
    from eegsleep.study.masking.lock import LOCK_FILE, UNMASK_FILE, read_lock, read_provenances, unmask, verify_lock

    made = read_study(study)
    locked = read_lock(study.parent / LOCK_FILE)
    folder = nights or study.parent / NIGHTS_FOLDER
    logger.info("reading nights")
    provenances = read_provenances(made, folder)
    changes = verify_lock(made, locked, provenances, describe_analysis(provenances, N_DRAWS))
    values, audit = collect_markers(folder, provenances), collect_audits(folder, provenances)
    opened = unmask(made, key)
    logger.info("redrawing schedules")
    checks = run_checks(opened, values, provenances)
    comparison = compare_nights(opened, values, checks=checks, audit=audit, n_draws=N_DRAWS)
    logger.info("writing the report")
    unmasked = json.loads((study.parent / UNMASK_FILE).read_bytes())
    page = render_study(opened, comparison, lock=locked, changes=changes, unmasked_at=unmasked["unmasked_at"])
    provenance = {
        "study": made.title,
        "lock_sha256": locked["sha256"],
        "unmasked_at": unmasked["unmasked_at"],
        "post_hoc": [change._asdict() for change in changes],
    }
    saved = save_comparison(comparison, output or study.parent, {"report.html": page}, provenance)
    endpoints = comparison.markers[["marker", "stage", "channel"]].agg("|".join, axis=1)
    primary = comparison.markers[endpoints.isin(made.primary)]
    lines = [f"Primary endpoint: {_tell_difference(row)}" for row in primary.itertuples(index=False)]
    lines += [f"{row.family}  {row.verdict:<12} {row.sentence}" for row in comparison.families.itertuples(index=False)]
    if changes:
        n = len(changes)
        lines.insert(0, f"Post hoc: {n} thing{'s' if n > 1 else ''} changed since the lock; the report lists "
                     f"{'them' if n > 1 else 'it'}.")  # fmt: skip
    return [*lines, str(saved / "report.html")]


def _tell_difference(row: NamedTuple) -> str:
    """Return what was found of one endpoint, with its numbers where there are any."""
    if not math.isfinite(row.difference):
        return row.sentence
    found = f"{row.sentence} Difference {row.difference:+.3g} {row.unit}".rstrip()
    if math.isfinite(row.low):
        found += f", 95 % interval {row.low:.3g} to {row.high:.3g}"
    return found + (f", adjusted p {row.p_adjusted:.2g}." if math.isfinite(row.p_adjusted) else ".")
