"""A demonstration: a simulated study of one sleeper, planned, scored, locked and compared in a few minutes."""

from __future__ import annotations

import csv
import logging
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.file_names import NIGHTS_FILE, NIGHTS_FOLDER, STUDY_FILE
from eegsleep.provenance import write_file
from eegsleep.simulation.settings import SimulationSettings

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from eegsleep.config import Settings
    from eegsleep.report.study_page import Truth
    from eegsleep.study.comparison.compare import Comparison
    from eegsleep.study.declared.protocol import Study
    from eegsleep.workflows.score import Job
    from eegsleep.workflows.study import ComparedStudy, PlannedStudy

logger = logging.getLogger(__name__)

N_NIGHTS = 16
# The code of the compound. In a real study a coin decides; here it is fixed, so that every demonstration is the same.
ACTIVE = "B"
# Short nights keep the demonstration short; a real study has whole ones.
HOURS = 2.0
CONTROL = SimulationSettings(duration_h=HOURS, rate_hz=128, eeg=("C4-M1",), fast_spindle_density_per_min=2.4)
# The simulated compound adds fast spindles, and also strengthens slow activity. A detector that compares spindles
# with slow activity would then miss some of the added spindles, and stages would follow the larger slow waves.
COMPOUND = replace(CONTROL, fast_spindle_density_per_min=3.4, delta_background=1.25)
NOTE = "These nights are simulated. What was put into them stands at the end of the page, beside what was found."
STUDY_TOML = """\
# A simulated study, to look at; `eegsleep study init` writes a commented one to fill in.
[study]
title = "A simulated compound and sleep spindles"
compound = "a simulated compound"
design = "n-of-1"
conditions = ["A", "B"]
active = ""
seed = 20260105

[allocation]
mechanism = "pairs"
schedule = ""
key_sha256 = ""
concealed_by = "the computer"

[plan]
start = "{start}"
subjects = ["S01"]
nights = {n_nights}
adaptation_nights = 0

[endpoints]
primary = ["fast_spindle_density_per_min|NREM|C4-M1"]
families = ["D", "B", "A", "C", "E"]

[exclusion]
rules = ["the night is judged unusable"]
"""


class DemoStudy(NamedTuple):
    """The demonstration: the plan and the comparison."""

    planned: PlannedStudy
    compared: ComparedStudy


def run_demo(folder: Path, n_nights: int = N_NIGHTS) -> DemoStudy:
    """Plan, simulate, score, lock and compare a study.

    Parameters
    ----------
    folder : Path
        Where the study is made; it must not hold a study yet.
    n_nights : int
        How many nights, in randomised pairs.

    Returns
    -------
    DemoStudy
    """
    from functools import partial

    from eegsleep.batch.gather import write_summary
    from eegsleep.batch.run import run_batch
    from eegsleep.batch.sources import jobs_of_study
    from eegsleep.errors import EegSleepError
    from eegsleep.study.masking.sealed_key import read_key
    from eegsleep.workflows.score import Job
    from eegsleep.workflows.study import compare_study, lock_study, plan_study

    begins = datetime.now(UTC).date()  # a study is registered before its nights
    study, key = folder / STUDY_FILE, folder / "simulated-key.json"
    if study.exists():
        raise EegSleepError(f"{folder} holds a study already", remedy="give another folder with --output")
    folder.mkdir(parents=True, exist_ok=True)
    write_file(study, STUDY_TOML.format(n_nights=n_nights, start=begins.isoformat()).encode())
    planned = plan_study(study, key=key, active=ACTIVE, anyway=True)
    codes, _ = read_key(key, planned.passphrase)
    nights = enter_files(folder / NIGHTS_FILE)
    compound = frozenset(night for night, condition in nights if codes[condition] == "compound")
    jobs = jobs_of_study(study, Job(folder))
    table = run_batch(
        jobs,
        folder / NIGHTS_FOLDER,
        on_progress=lambda standing: logger.info("scored night %d of %d", standing.n_done, n_nights),
        work=partial(_make_night, compound=compound, numbers=tuple(night for night, _ in nights), begins=begins),
    )
    failed = table[table["status"] == "failed"]
    if len(failed):
        first = failed.iloc[0]
        raise EegSleepError(
            f"{first['night']} could not be scored",
            found=first["reason"].rstrip("."),
            remedy="try again in another folder",
        )
    write_summary(folder / NIGHTS_FOLDER)
    lock_study(study)
    compared = compare_study(study, key=key, passphrase=planned.passphrase, notes=[NOTE], truth=compare_with_truth)
    write_summary(folder / NIGHTS_FOLDER)  # with the condition of each night, now that the codes are open
    return DemoStudy(planned, compared)


def compare_with_truth(study: Study, comparison: Comparison) -> list[Truth]:
    """Return what was simulated of the compound, beside what the comparison found of it.

    Parameters
    ----------
    study : Study
    comparison : Comparison

    Returns
    -------
    list of Truth
    """
    from eegsleep.report.study_page import Truth

    del study
    rows = comparison.markers[comparison.markers["channel"].isin(["C4-M1", ""])]
    rows = rows[rows["stage"].isin(["NREM", ""])].set_index("marker")
    density = f"{CONTROL.fast_spindle_density_per_min:g} → {COMPOUND.fast_spindle_density_per_min:g} /min"
    background = f"× {COMPOUND.delta_background / CONTROL.delta_background:g} in µV"
    put_in = (
        (
            "fast_spindle_density_per_min",
            density,
            "Spindles were added. A detector misses the weakest in every night, so that less than was added is found; "
            "the interval in the first box is that of what a detector finds.",
        ),
        (
            "swa_power_uv2",
            background,
            "Only the background was raised; the slow oscillations on it stayed as they were.",
        ),
        (
            "fast_coupling_strength",
            "unchanged",
            "On a larger background fewer waves stand out, and fewer spindles seem to ride: it cannot be judged here.",
        ),
        ("fast_spindle_frequency_hz", "unchanged", "A difference here would be a false finding."),
        ("tst_min", "unchanged", "A difference here would be a false finding."),
        ("rem_min", "unchanged", "A difference here would be a false finding."),
    )
    found = []
    for marker, simulated, words in put_in:
        if marker in rows.index:
            row = rows.loc[marker]
            means = f"{row['control_mean']:.3g} → {row['compound_mean']:.3g} {row['unit']}"
            found.append(Truth(row["label"], simulated, f"{means}, {row['verdict']}", words))
    return found


def enter_files(path: Path) -> list[tuple[str, str]]:
    """Enter a recording for every night of nights.csv; return night and condition of each."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("# ")]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
    for row in rows:
        row["file"] = f"recordings/{row['night']}.edf"
    table = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    write_file(path, "\n".join([*comments, *table, ""]).encode())
    return [(row["night"], row["condition"]) for row in rows]


def _make_night(
    job: Job, settings: Settings, output: Path, *, compound: frozenset[str], numbers: tuple[str, ...], begins: date
) -> None:
    """Simulate and score one night; `numbers` are the nights in order, and `compound` those of the compound."""
    from eegsleep.simulation.night import simulate_night, write_simulated_night
    from eegsleep.workflows.score import score_job

    number = numbers.index(job.night) + 1
    start = datetime.combine(begins + timedelta(days=number - 1), time(23))
    simulated = replace(COMPOUND if job.night in compound else CONTROL, start=start)
    write_simulated_night(simulate_night(simulated, seed=number), job.file.parent, job.night)
    score_job(job, settings, output)
