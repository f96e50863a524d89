"""A study from its declaration to its answer: planned, locked, compared; what the commands of these names do."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.file_names import NIGHTS_FOLDER, REPORT_FILE, SCHEDULE_FILE

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.masking.lock import Change
    from eegsleep.study.planning.plan import Plan

logger = logging.getLogger(__name__)


class PlannedStudy(NamedTuple):
    """A plan, and the files it was written to.

    Attributes
    ----------
    study : Study
        As declared.
    plan : Plan
        The schedule and what it can show; `plan.sentences` says it in words.
    schedule, key : Path or None
        The files written; None if none was.
    """

    study: Study
    plan: Plan
    schedule: Path | None
    key: Path | None


class LockedStudy(NamedTuple):
    """A lock, and what the checks before it found.

    Attributes
    ----------
    file : Path
        lock.json.
    checks : pandas.DataFrame
        Table `CHECKS`.
    """

    file: Path
    checks: pd.DataFrame


class ComparedStudy(NamedTuple):
    """A comparison, and where it was saved.

    Attributes
    ----------
    study : Study
        With its codes opened.
    comparison : Comparison
    changes : tuple of Change
        What is not as it was locked.
    report : Path
        The page; the tables lie beside it.
    """

    study: Study
    comparison: Comparison
    changes: tuple[Change, ...]
    report: Path


def plan_study(
    file: str | Path,
    *,
    nights: str | Path | None = None,
    key: str | Path | None = None,
    active: str = "",
    dry_run: bool = False,
) -> PlannedStudy:
    """Draw the schedule of a study, seal its key, and work out what the design can show.

    Parameters
    ----------
    file : path
        study.toml.
    nights : path, optional
        A folder of nights scored earlier, whose spread the power is worked out from; by default the catalogue's.
    key : path, optional
        Where the sealed key is written; by default beside the folder of the study, never in it.
    active : str, optional
        Code of the compound, where the capsules are coded already; by default a coin decides.
    dry_run : bool
        Whether nothing is written: a schedule is drawn once.

    Returns
    -------
    PlannedStudy
        In an observational study nothing is drawn or written.

    Raises
    ------
    EegSleepError
        If the study cannot be planned, or was planned before.
    """
    from eegsleep.study.declared.manifest import read_protocol
    from eegsleep.study.night_folders import collect_earlier_nights
    from eegsleep.study.planning.plan import draw_plan, measure_spreads, write_plan

    file = Path(file)
    study = read_protocol(file)
    spreads = {}
    if nights:
        logger.info("reading nights")
        spreads = measure_spreads(study, collect_earlier_nights(study, nights))
    logger.info("simulating studies")
    plan = draw_plan(study, spreads)
    if dry_run or study.mechanism.kind == "observational":
        return PlannedStudy(study, plan, None, None)
    home = file.resolve().parent
    key = Path(key) if key else home.with_name(f"{home.name}-sealed-key.json")
    hashes = write_plan(study, plan, key, active=active)
    return PlannedStudy(study, plan, file.parent / SCHEDULE_FILE, key if hashes["key_sha256"] else None)


def lock_study(file: str | Path, *, nights: str | Path | None = None, again: bool = False) -> LockedStudy:
    """Freeze a study while its codes are masked: settings, exclusions, endpoints, schedule.

    Parameters
    ----------
    file : path
        study.toml.
    nights : path, optional
        The folder of the scored nights; by default eegsleep-nights beside the study file.
    again : bool
        Whether an earlier lock is replaced, which the new one remembers; never once the codes were opened.

    Returns
    -------
    LockedStudy

    Raises
    ------
    EegSleepError
        If a night was not scored, the nights were not made alike, or the study is locked already.
    """
    from eegsleep.study.checks import run_checks
    from eegsleep.study.declared.manifest import read_study
    from eegsleep.study.masking.lock import LOCK_FILE, write_lock
    from eegsleep.study.night_folders import (
        collect_markers,
        describe_analysis,
        read_left_out,
        read_provenances,
    )
    from eegsleep.study.night_values import check_endpoints
    from eegsleep.study.schedules.mechanisms import N_DRAWS

    file = Path(file)
    study = read_study(file)
    folder = Path(nights) if nights else file.parent / NIGHTS_FOLDER
    logger.info("reading nights")
    provenances = read_provenances(study, folder)
    values = collect_markers(folder, provenances)
    check_endpoints(study, values)
    checks = run_checks(study, values, provenances, read_left_out(study, folder))
    write_lock(study, provenances, describe_analysis(provenances, N_DRAWS), again=again)
    return LockedStudy(file.parent / LOCK_FILE, checks)


def compare_study(
    file: str | Path,
    *,
    key: str | Path | None = None,
    nights: str | Path | None = None,
    output: str | Path | None = None,
) -> ComparedStudy:
    """Open the codes of a locked study, compare compound with control marker by marker, and save tables and page.

    The lock is verified before the codes are opened.

    Parameters
    ----------
    file : path
        study.toml.
    key : path, optional
        The sealed key; not needed in an open study that names the compound.
    nights : path, optional
        The folder of the scored nights; by default eegsleep-nights beside the study file.
    output : path, optional
        Folder for tables and report; by default that of the study.

    Returns
    -------
    ComparedStudy

    Raises
    ------
    EegSleepError
        If the study was not locked, a night is not the one that was locked, or the key does not open it.
    """
    from eegsleep.report.study_page import render_study
    from eegsleep.study.checks import run_checks
    from eegsleep.study.comparison.compare import compare_nights
    from eegsleep.study.comparison.save import save_comparison
    from eegsleep.study.declared.manifest import read_study
    from eegsleep.study.masking.lock import LOCK_FILE, UNMASK_FILE, read_lock, unmask, verify_lock
    from eegsleep.study.night_folders import (
        collect_audits,
        collect_markers,
        describe_analysis,
        read_left_out,
        read_provenances,
    )
    from eegsleep.study.schedules.mechanisms import N_DRAWS

    file = Path(file)
    study = read_study(file)
    lock = read_lock(file.parent / LOCK_FILE)
    folder = Path(nights) if nights else file.parent / NIGHTS_FOLDER
    logger.info("reading nights")
    provenances = read_provenances(study, folder)
    changes = verify_lock(study, lock, provenances, describe_analysis(provenances, N_DRAWS))
    values, audit = collect_markers(folder, provenances), collect_audits(folder, provenances)
    opened = unmask(study, Path(key) if key else None)
    logger.info("redrawing schedules")
    checks = run_checks(opened, values, provenances, read_left_out(study, folder))
    comparison = compare_nights(opened, values, checks=checks, audit=audit, n_draws=N_DRAWS)
    logger.info("writing the report")
    unmasked_at = json.loads((file.parent / UNMASK_FILE).read_bytes())["unmasked_at"]
    page = render_study(opened, comparison, lock=lock, changes=changes, unmasked_at=unmasked_at)
    trace = {
        "study": study.title,
        "lock_sha256": lock["sha256"],
        "unmasked_at": unmasked_at,
        "post_hoc": [change._asdict() for change in changes],
    }
    saved = save_comparison(comparison, output or file.parent, {REPORT_FILE: page}, trace)
    return ComparedStudy(opened, comparison, tuple(changes), saved / REPORT_FILE)
