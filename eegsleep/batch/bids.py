"""The nights of a BIDS data set: recordings, scorings beside them, subjects and sessions (bids-specification, EEG)."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.errors import TableError
from eegsleep.plain_files import check_plain

if TYPE_CHECKING:
    from pathlib import Path

    from eegsleep.workflows.score import Job

ROOT_FILE = "dataset_description.json"
PARTICIPANTS_FILE = "participants.tsv"
# The formats BIDS allows for EEG; ours beside them, as some sets have them.
_RECORDINGS = (".edf", ".bdf", ".vhdr", ".set")
# Columns of participants.tsv that name a person who is several participants.
_PERSONS = ("pid", "person_id", "person", "individual", "individual_id")
# Values of `acq` that name a scoring and no acquisition.
_SCORINGS = {"scoring", "scorings", "sleepscoring", "stages", "staging", "hypnogram"}


class BidsNights(NamedTuple):
    """The nights of a BIDS data set, and what the user should know of them."""

    jobs: list[Job]
    notes: tuple[str, ...]


def is_bids(folder: Path) -> bool:
    """Return whether a folder is the root of a BIDS data set of recordings, and not of derivatives.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
    """
    try:
        described = json.loads(check_plain(folder / ROOT_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    is_raw = isinstance(described, dict) and described.get("DatasetType", "raw") == "raw"
    return is_raw and any(path.is_dir() for path in folder.glob("sub-*"))


def find_bids_jobs(root: Path, asked: Job) -> BidsNights:
    """Return the nights of a BIDS data set.

    Parameters
    ----------
    root : Path
        Folder of `dataset_description.json`.
    asked : Job
        Options for every night.

    Returns
    -------
    BidsNights
        Nights are called as their files, without `_eeg`. The sleeper is the subject, or the person of
        participants.tsv where several participants are one. An expert's stages are in the `_events.tsv` of the same
        name, or in one whose `acq` says that it is a scoring; one that cannot be read is told and left out.
    """
    persons, notes = _read_persons(root)
    jobs: list[Job] = []
    refusals: dict[str, str] = {}
    files = [path for pattern in ("sub-*/eeg/*", "sub-*/ses-*/eeg/*") for path in root.glob(pattern)]
    for path in sorted(files):
        stem = path.name[: -len(path.suffix)]
        if path.suffix.lower() not in _RECORDINGS or not stem.endswith("_eeg"):
            continue
        night = stem.removesuffix("_eeg")
        subject = stem.split("_")[0]
        reference = None if asked.reference or asked.hypnogram else find_scoring(path)
        if reference:
            why = _why_unreadable(reference, asked)
            if why:
                refusals.setdefault(why, reference.name)
                reference = None
        jobs.append(
            replace(
                asked,
                file=path.absolute(),
                night=night,
                subject=persons.get(subject, subject),
                reference=reference.absolute() if reference else asked.reference,
            )
        )
    unlisted = sorted({path.parts[len(root.parts)] for path in files} - set(persons)) if persons else []
    if unlisted:
        notes.append(f"{PARTICIPANTS_FILE} does not list {', '.join(unlisted[:5])}.")
    notes += [f"Scorings such as {name} are left out: {why}" for why, name in refusals.items()]
    n_scored = sum(job.reference is not None for job in jobs)
    n_subjects = len({job.subject for job in jobs})
    if jobs:
        notes.append(f"{len(jobs)} recordings of {n_subjects} sleepers, {n_scored} of them with a scoring beside them.")
    return BidsNights(jobs, tuple(notes))


def find_scoring(recording: Path) -> Path | None:
    """Return the events beside a BIDS recording that hold its stages, or None.

    Parameters
    ----------
    recording : Path
        `sub-<label>[_ses-<label>]_task-<label>…_eeg.<ext>`.

    Returns
    -------
    Path or None
        Events of the same entities come first; others count if their `acq` names a scoring.
    """
    own = set(recording.name[: -len(recording.suffix)].removesuffix("_eeg").split("_"))
    found = []
    for path in sorted(recording.parent.glob("*_events.tsv")):
        entities = set(path.stem.removesuffix("_events").split("_"))
        acquisition = next((e.partition("-")[2].casefold() for e in entities if e.startswith("acq-")), "")
        shared = {e for e in entities if not e.startswith("acq-")}
        is_same = entities == own
        is_scoring = acquisition in _SCORINGS and shared <= own
        if (is_same or is_scoring) and _has_stages(path):
            found.append((not is_same, path))
    return min(found)[1] if found else None


def _has_stages(path: Path) -> bool:
    from eegsleep.hypnograms.columns import may_hold_stages
    from eegsleep.hypnograms.sidecars import read_levels

    try:
        with check_plain(path).open(encoding="utf-8-sig", errors="replace") as file:
            head = [file.readline() for _ in range(200)]
    except OSError:
        return False
    return may_hold_stages("".join(head), read_levels(path))


def _why_unreadable(scoring: Path, asked: Job) -> str:
    """Return why stages cannot be read, or nothing."""
    from eegsleep.hypnograms.read import read_hypnogram

    try:
        read_hypnogram(scoring, coding=asked.coding, epoch_s=asked.epoch_s, column=asked.column)
    except TableError as error:
        return str(error).partition(": ")[2] or str(error)
    return ""


def _read_persons(root: Path) -> tuple[dict[str, str], list[str]]:
    """Return the sleeper of each participant, and what cannot be read of participants.tsv."""
    path = root / PARTICIPANTS_FILE
    if not path.is_file():
        return {}, [f"There is no {PARTICIPANTS_FILE}: each subject counts as a sleeper."]
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, ValueError, csv.Error) as error:
        return {}, [f"{PARTICIPANTS_FILE} cannot be read, and each subject counts as a sleeper: {error}."]
    if not rows or "participant_id" not in rows[0]:
        return {}, [f"{PARTICIPANTS_FILE} has no column participant_id: each subject counts as a sleeper."]
    ids = [row["participant_id"] or "" for row in rows]
    column = next((name for name in _PERSONS if name in rows[0] and all(_is_known(row[name]) for row in rows)), None)
    if column is None:
        return {name: name for name in ids}, []
    persons = {name: f"{column}-{row[column]}" for name, row in zip(ids, rows, strict=True)}
    return persons, [f"{len(set(persons.values()))} persons are {len(ids)} participants, by column {column}."]


def _is_known(cell: str | None) -> bool:
    return bool(cell) and cell != "n/a"
