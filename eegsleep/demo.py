"""A whole study in two minutes: simulated nights of one sleeper, planned, scored, locked and compared."""

from __future__ import annotations

import csv
import json
import logging
import os
from typing import TYPE_CHECKING

from eegsleep.provenance import write_file

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

N_NIGHTS = 16
# Short nights keep the demonstration short; a real study has whole ones.
HOURS = 2.0
# What the simulated compound does: more fast spindles, and deeper slow waves, which would seem to destroy
# them if a detector judged spindles against slow waves.
COMPOUND = {"fast_spindle_density_per_min": 3.4, "delta_background": 1.25}
CONTROL = {"fast_spindle_density_per_min": 2.4, "delta_background": 1.0}
_STUDY = """\
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
start = "2026-01-05"
subjects = ["S01"]
nights = {n_nights}
adaptation_nights = 0

[endpoints]
primary = ["fast_spindle_density_per_min|NREM|C4-M1"]
families = ["D", "B", "A", "C", "E"]

[exclusion]
rules = ["the night is judged unusable"]
"""


def run_demo(folder: Path, n_nights: int = N_NIGHTS) -> list[str]:
    """Plan, simulate, score, lock and compare a study, and return what `compare` says of it.

    Parameters
    ----------
    folder : Path
        Where the study is made; it must not hold one yet.
    n_nights : int
        How many nights, in randomised pairs.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    from eegsleep import study_cli
    from eegsleep.errors import EegSleepError

    study, key = folder / "study.toml", folder / "simulated-key.json"
    if study.exists():
        raise EegSleepError(f"{folder} holds a study already", remedy="give another folder with --output")
    folder.mkdir(parents=True, exist_ok=True)
    write_file(study, _STUDY.format(n_nights=n_nights).encode())
    said = study_cli.plan(study, key=key)
    codes = json.loads(key.read_bytes())["codes"]
    nights = _enter_files(folder / "nights.csv")
    jobs = [
        (folder, night, codes[condition] == "compound", number)
        for number, (night, condition) in enumerate(nights, start=1)
    ]
    # a fresh interpreter each: forking one that has threads can hang
    try:
        with ProcessPoolExecutor(max_workers=min(os.cpu_count() or 1, 8), mp_context=get_context("spawn")) as pool:
            for number, _ in enumerate(pool.map(_make_night, jobs), start=1):
                logger.info("scored night %d of %d", number, n_nights)
    except BrokenProcessPool as error:
        raise EegSleepError(
            "a process that scored a night was killed", found=str(error), remedy="try again in another folder"
        ) from error
    study_cli.lock(study)
    return [said[0], *study_cli.compare(study, key=key)]


def _enter_files(path: Path) -> list[tuple[str, str]]:
    """Enter a recording for every night of nights.csv; return night and condition of each."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("# ")]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
    for row in rows:
        row["file"] = f"recordings/{row['night']}.edf"
    table = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    write_file(path, "\n".join([*comments, *table, ""]).encode())
    return [(row["night"], row["condition"]) for row in rows]


def _make_night(job: tuple[Path, str, bool, int]) -> None:
    """Simulate and score one night."""
    from datetime import datetime, timedelta

    from eegsleep.datasets.simulate import SimulationSettings, simulate_night, write_simulated_night
    from eegsleep.night import analyze_night, save_night
    from eegsleep.recording.read import read_recording
    from eegsleep.report.pages import render_night
    from eegsleep.study.folder import NIGHTS_FOLDER

    folder, name, is_compound, number = job
    start = datetime(2026, 1, 5, 23) + timedelta(days=number - 1)  # noqa: DTZ001 - local time
    knobs = COMPOUND if is_compound else CONTROL
    settings = SimulationSettings(duration_h=HOURS, rate_hz=128, eeg=("C4-M1",), start=start, **knobs)
    path = write_simulated_night(simulate_night(settings, seed=number), folder / "recordings", name)
    night = analyze_night(read_recording(path))
    save_night(night, folder / NIGHTS_FOLDER, {"report.html": render_night(night)})
