"""Plan, lock and compare a study: the work of the commands of these names."""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eegsleep.file_names import NIGHTS_FOLDER, REPORT_FILE, SCHEDULE_FILE
from eegsleep.plain_files import real_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from eegsleep.report.study_page import Truth
    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.masking.changes import Change
    from eegsleep.study.masking.timeline import Step
    from eegsleep.study.planning.plan import Plan

logger = logging.getLogger(__name__)


class PlannedStudy(NamedTuple):
    """A plan, and the files it was written to.

    Attributes
    ----------
    study : Study
        As declared.
    plan : Plan
        The schedule, and the power of the design; `plan.sentences` describes both.
    schedule, key : Path or None
        The files written; None if none was.
    passphrase : str
        Of the key, where it was encrypted; it is kept nowhere else.
    protocol_sha256 : str
        The hash to deposit elsewhere, which shows later what was planned; empty if nothing was written.
    """

    study: Study
    plan: Plan
    schedule: Path | None
    key: Path | None
    passphrase: str = ""
    protocol_sha256: str = ""


class LockedStudy(NamedTuple):
    """A lock, and the result of the checks before it.

    Attributes
    ----------
    file : Path
        lock.json.
    checks : pandas.DataFrame
        Table `CHECKS`.
    changes : tuple of Change
        What is not as it was registered.
    """

    file: Path
    checks: pd.DataFrame
    changes: tuple[Change, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """One line for each check: code, status, name and what was found; then what is not as it was registered."""
        rows = self.checks.itertuples(index=False)
        lines = [f"{row.code:<3} {row.status:<4} {row.name}: {row.message}" for row in rows]
        return lines + [
            f"Not as registered: {change.what} was {change.was}, is now {change.now}." for change in self.changes
        ]


class ComparedStudy(NamedTuple):
    """A comparison, and where it was saved.

    Attributes
    ----------
    study : Study
        With its codes opened; of two doses, the high dose and control.
    comparison : Comparison
    changes : tuple of Change
        What is not as it was registered or locked.
    report : Path
        The page; the tables lie beside it.
    timeline : tuple of Step
        When it was registered, recorded, locked and opened, each graded.
    """

    study: Study
    comparison: Comparison
    changes: tuple[Change, ...]
    report: Path
    timeline: tuple[Step, ...]

    @property
    def sentences(self) -> list[str]:
        """The result in lines: changes since registration and lock, the answer, primary endpoints, families."""
        from eegsleep.study.comparison.answer import describe_answer

        markers, families = self.comparison.markers, self.comparison.families
        lines = [f"Post hoc: {change.what} was {change.was}, is now {change.now}." for change in self.changes]
        lines += [step.sentence for step in self.timeline if step.grade == "serious" and step.name != "changed"]
        endpoints = markers["marker"] + "|" + markers["stage"] + "|" + markers["channel"]
        primary = markers[endpoints.isin(self.study.primary)]
        lines += describe_answer(self.study, self.comparison).sentences
        lines += [f"Primary endpoint: {_describe_difference(row)}" for row in primary.to_dict("records")]
        # without a mechanism that drew the nights nothing was tested, so that nothing is inconclusive either
        words = families["verdict"] if self.comparison.n_schedules else ["described"] * len(families)
        found = zip(families["family"], words, families["sentence"], strict=True)
        return lines + [f"{family}  {word:<12} {sentence}" for family, word, sentence in found]


def _describe_difference(row: Mapping[str, Any]) -> str:
    """Return the result of one endpoint, with its numbers where there are any."""
    if not math.isfinite(row["difference"]):
        return row["sentence"]
    found = f"{row['sentence']} Difference {row['difference']:+.3g} {row['unit']}".rstrip()
    if math.isfinite(row["low"]):
        found += f", 95 % interval {row['low']:.3g} to {row['high']:.3g}"
    return found + (f", adjusted p {row['p_adjusted']:.2g}." if math.isfinite(row["p_adjusted"]) else ".")


def plan_study(
    file: str | Path,
    *,
    nights: str | Path | None = None,
    key: str | Path | None = None,
    active: str = "",
    passphrase: str = "",
    dry_run: bool = False,
    replace: bool = False,
    anyway: bool = False,
) -> PlannedStudy:
    """Draw the schedule of a study, seal its key, register its protocol, and compute the power of the design.

    Parameters
    ----------
    file : path
        study.toml, or its folder.
    nights : path, optional
        A folder of nights scored earlier, from whose spread the power is computed; by default from the catalogue's.
    key : path, optional
        Where the sealed key is written; by default beside the folder of the study.
    active : str, optional
        Code of the compound, where the capsules are coded already; by default a coin decides.
    passphrase : str
        Encrypts the key. By default one is made where the key lies in or beside the folder of the study, where its
        sleeper could read it in passing.
    dry_run : bool
        Whether nothing is written: a schedule is drawn once.
    replace : bool
        Whether an earlier plan, or that of which study.toml is a copy, is replaced; only before any night.
    anyway : bool
        Whether a design is written that can never reach p <= alpha.

    Returns
    -------
    PlannedStudy
        In an observational study nothing is drawn or written.

    Raises
    ------
    EegSleepError
        If the study cannot be planned, or was planned before.

    Examples
    --------
    >>> planned = es.plan_study("planned", dry_run=True)
    >>> len(planned.plan.schedule)  # two of them for adaptation
    14
    """
    from eegsleep.study.declared.manifest import read_protocol
    from eegsleep.study.masking.sealed_key import check_key_place, is_near, make_passphrase
    from eegsleep.study.night_folders import collect_earlier_nights
    from eegsleep.study.planning.plan import draw_plan, measure_spreads
    from eegsleep.study.planning.written_plan import write_plan

    study = read_protocol(file)
    file = study.path  # where a folder was given
    spreads = {}
    if nights:
        logger.info("reading nights")
        spreads = measure_spreads(study, collect_earlier_nights(study, nights))
    home = real_path(file).parent
    key = Path(key) if key else home.with_name(f"{home.name}-sealed-key.json")
    is_drawn = not dry_run and study.mechanism.kind != "observational"
    if is_drawn:
        check_key_place(key, replace=replace)
    logger.info("simulating studies")
    plan = draw_plan(study, spreads)
    if not is_drawn:
        return PlannedStudy(study, plan, None, None)
    passphrase = passphrase or (make_passphrase() if is_near(key, home) else "")
    hashes = write_plan(study, plan, key, active=active, passphrase=passphrase, replace=replace, anyway=anyway)
    schedule = file.parent / SCHEDULE_FILE
    return PlannedStudy(study, plan, schedule, key, passphrase, hashes["protocol_sha256"])


def lock_study(file: str | Path, *, nights: str | Path | None = None, again: bool = False) -> LockedStudy:
    """Freeze a study while its codes are masked: settings, exclusions, endpoints, schedule.

    Parameters
    ----------
    file : path
        study.toml, or its folder.
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

    Examples
    --------
    >>> locked = es.lock_study("trial/study.toml")
    >>> locked.file.name
    'lock.json'
    """
    from eegsleep.study.checks import run_checks
    from eegsleep.study.comparison.doses import check_two_by_two
    from eegsleep.study.declared.doses import has_doses
    from eegsleep.study.declared.manifest import read_study
    from eegsleep.study.masking.changes import Change
    from eegsleep.study.masking.lock import LOCK_FILE, write_lock
    from eegsleep.study.night_folders import (
        collect_markers,
        describe_analysis,
        read_left_out,
        read_provenances,
    )
    from eegsleep.study.night_values import check_endpoints
    from eegsleep.study.schedules.mechanisms import N_DRAWS

    study = read_study(file)
    file = study.path
    folder = Path(nights) if nights else file.parent / NIGHTS_FOLDER
    logger.info("reading nights")
    provenances = read_provenances(study, folder)
    values = collect_markers(folder, provenances)
    check_endpoints(study, values)
    checks = (check_two_by_two if has_doses(study) else run_checks)(
        study, values, provenances, read_left_out(study, folder)
    )
    lock = write_lock(study, provenances, describe_analysis(provenances, N_DRAWS), again=again)
    changes = tuple(Change(*change) for change in lock["since_registered"])
    return LockedStudy(file.parent / LOCK_FILE, checks, changes)


def compare_study(
    file: str | Path,
    *,
    key: str | Path | None = None,
    passphrase: str = "",
    nights: str | Path | None = None,
    output: str | Path | None = None,
    notes: Sequence[str] = (),
    truth: Callable[[Study, Comparison], Sequence[Truth]] | None = None,
) -> ComparedStudy:
    """Open the codes of a locked study, compare compound with control marker by marker, and save tables and page.

    The lock is verified before the codes are opened.

    Parameters
    ----------
    file : path
        study.toml, or its folder.
    key : path, optional
        The sealed key; not needed in an open study that names the compound.
    passphrase : str
        Of the key, if it is encrypted.
    nights : path, optional
        The folder of the scored nights; by default eegsleep-nights beside the study file.
    output : path, optional
        Folder for tables and report; by default that of the study.
    notes : sequence of str
        What a reader of the page must know first.
    truth : callable, optional
        Of simulated nights: returns what was simulated beside what was found, from the study and its comparison.

    Returns
    -------
    ComparedStudy

    Raises
    ------
    EegSleepError
        If the study was not locked (one whose nights were not drawn need not be), a night is not the one that was
        locked, or the key does not open it.

    Examples
    --------
    >>> compared = es.compare_study("locked/study.toml", key="key.json", passphrase=passphrase)
    >>> compared.comparison.n_schedules
    64
    """
    from eegsleep.report.study_page import render_study
    from eegsleep.study.cent import count_flow, fill_checklist
    from eegsleep.study.checks import run_checks
    from eegsleep.study.comparison.compare import compare_nights
    from eegsleep.study.comparison.doses import check_two_by_two, compare_doses
    from eegsleep.study.comparison.save import save_comparison
    from eegsleep.study.declared.doses import has_doses
    from eegsleep.study.declared.manifest import read_study
    from eegsleep.study.masking.registration import read_protocol_file
    from eegsleep.study.masking.timeline import trace_timeline
    from eegsleep.study.night_folders import collect_audits, collect_markers, read_left_out, read_provenances
    from eegsleep.study.night_list import list_nights
    from eegsleep.study.nightly_table import FROM_TABLE, is_from_table
    from eegsleep.study.schedules.mechanisms import N_DRAWS

    study = read_study(file)
    file = study.path
    folder, home = Path(nights) if nights else file.parent / NIGHTS_FOLDER, Path(output) if output else file.parent
    logger.info("reading nights")
    provenances, left_out = read_provenances(study, folder), read_left_out(study, folder)
    registered = read_protocol_file(file.parent)
    values, audit = collect_markers(folder, provenances), collect_audits(folder, provenances)
    opened, lock, changes, unmasked_at = _open_study(study, registered, provenances, key, passphrase)
    logger.info("redrawing schedules")
    checks = (check_two_by_two if has_doses(opened) else run_checks)(opened, values, provenances, left_out)
    if has_doses(opened):
        shown, comparison = compare_doses(opened, values, checks=checks, audit=audit, n_draws=N_DRAWS)
    else:
        shown, comparison = opened, compare_nights(opened, values, checks=checks, audit=audit, n_draws=N_DRAWS)
    logger.info("writing the report")
    timeline = trace_timeline(
        opened, registered=registered, lock=lock, unmasked_at=unmasked_at, changes=changes, checks=checks
    )
    page = render_study(
        shown,
        comparison,
        lock=lock,
        changes=changes,
        unmasked_at=unmasked_at,
        notes=[*notes, *([FROM_TABLE] if any(is_from_table(made) for made in provenances.values()) else [])],
        timeline=timeline,
        nights=list_nights(opened, folder, provenances | left_out),
        home=home,
        checklist=fill_checklist(opened, comparison, timeline, lock=lock, registered=registered),
        truth=truth(opened, comparison) if truth else (),
        flow=count_flow(opened),
    )
    trace = {
        "study": study.title,
        "lock_sha256": lock["sha256"] if lock is not None else "",
        "unmasked_at": unmasked_at,
        "protocol_sha256": registered["sha256"] if registered else "",
        "timeline": [step._asdict() for step in timeline],
        "post_hoc": [change._asdict() for change in changes],
    }
    saved = save_comparison(comparison, home, {REPORT_FILE: page}, trace)
    return ComparedStudy(shown, comparison, changes, saved / REPORT_FILE, timeline)


class _Opened(NamedTuple):
    """A study whose codes were opened, its lock, what is not as it was registered or locked, and when it was opened."""

    study: Study
    lock: dict[str, Any] | None
    changes: tuple[Change, ...]
    unmasked_at: str


def _open_study(
    study: Study,
    registered: dict[str, Any] | None,
    provenances: dict[str, dict[str, Any]],
    key: str | Path | None,
    passphrase: str,
) -> _Opened:
    """Verify the lock, then open the codes; nights that were not drawn need no lock."""
    from eegsleep.study.masking.changes import Change
    from eegsleep.study.masking.interim import spend_at_stage
    from eegsleep.study.masking.lock import LOCK_FILE, read_lock, read_opening, unmask, verify_lock
    from eegsleep.study.masking.registration import find_earlier_openings, find_unlisted
    from eegsleep.study.night_folders import check_made_alike, describe_analysis
    from eegsleep.study.schedules.mechanisms import N_DRAWS

    home = study.path.parent
    if study.mechanism.kind == "observational" and not (home / LOCK_FILE).exists():
        check_made_alike(provenances, dict(zip(study.nights["night"], study.nights["subject"], strict=True)))
        return _Opened(study, None, (), "")
    lock = read_lock(home / LOCK_FILE)
    changes = (
        *(Change(*change) for change in lock.get("since_registered", [])),
        *find_earlier_openings(home, lock, registered),
        *verify_lock(study, lock, provenances, describe_analysis(provenances, N_DRAWS)),
    )
    changes += find_unlisted(study, registered, changes)
    opened = spend_at_stage(unmask(study, Path(key) if key else None, passphrase))
    if opened.one_sided and not (registered and registered["protocol"].get("one_sided")):
        opened = dataclasses.replace(opened, one_sided=False)
        changes += (Change("protocol.one_sided", "not registered", "tested on both sides", "minor"),)
    return _Opened(opened, lock, changes, read_opening(home)["unmasked_at"])


class Look(NamedTuple):
    """What an interim look decided; no size of a difference is told, so that nobody is unblinded.

    Attributes
    ----------
    n_nights : int
        Nights of each sleeper that were at hand.
    stop : bool
        Whether a primary endpoint differs between the codes by the alpha spent at this look.
    alpha : float
        That alpha.
    sentence : str
    """

    n_nights: int
    stop: bool
    alpha: float
    sentence: str


def look_at_study(file: str | Path, *, nights: str | Path | None = None) -> Look:
    """Take a declared interim look: whether the study may stop, with the codes masked.

    Parameters
    ----------
    file : path
        study.toml, or its folder, with `looks` in [plan].
    nights : path, optional
        The folder of the scored nights; by default eegsleep-nights beside the study file.

    Returns
    -------
    Look
        Also written into the record of the study.

    Raises
    ------
    EegSleepError
        If no look was registered for so many nights, or it was taken already.

    Examples
    --------
    >>> try:
    ...     es.look_at_study("trial/study.toml")
    ... except es.EegSleepError as error:
    ...     print(error.problem)
    no interim look was declared for this many nights
    """
    from eegsleep.study.comparison.compare import compare_nights
    from eegsleep.study.declared.manifest import read_study
    from eegsleep.study.masking.interim import check_look, count_recorded, record_look, spend_at_stage
    from eegsleep.study.night_folders import collect_markers, read_provenances
    from eegsleep.study.schedules.mechanisms import N_DRAWS

    study = read_study(file)
    file = study.path
    check_look(study)
    folder = Path(nights) if nights else file.parent / NIGHTS_FOLDER
    values = collect_markers(folder, read_provenances(study, folder))
    at_stage = spend_at_stage(study)
    markers = compare_nights(at_stage, values, n_draws=N_DRAWS).markers
    primary = markers[markers["role"] == "primary"]
    stop = bool((primary["p_adjusted"] <= at_stage.alpha).any())
    n = count_recorded(study)
    record_look(study, n, stop=stop)
    decision = "It may stop: lock and compare it now." if stop else "Go on as planned; the codes stay masked."
    return Look(n, stop, at_stage.alpha, f"At {n} nights, by the alpha of {at_stage.alpha:.4f}: {decision}")
