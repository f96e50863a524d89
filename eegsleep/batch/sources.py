"""Find the nights of a batch: of a study, in a folder, among files, in a data set."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.batch.bids import find_bids_jobs, is_bids
from eegsleep.datasets.registry import DATASETS
from eegsleep.errors import SettingsError, TableError
from eegsleep.file_names import NIGHTS_FILE, NIGHTS_FOLDER, PROVENANCE_FILE, STUDY_FILE
from eegsleep.plain_files import check_plain, real_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eegsleep.workflows.score import Job

# Files with these endings are recordings, whatever they hold: one that cannot be read fails and is not skipped.
_RECORDINGS = (".edf", ".bdf", ".rec", ".edf.gz", ".bdf.gz")
# Text files are recordings if their first lines look like one.
_TEXTS = (".csv", ".txt")
_OTHERS = (".vhdr", ".ahdr", ".set", ".cnt", ".gdf", ".nedf", ".hea", ".xdf", ".h5")


class Found(NamedTuple):
    """The nights of a batch, the folder they go to, and sentences that the user should read about them."""

    jobs: list[Job]
    output: Path
    notes: tuple[str, ...] = ()


def find_jobs(sources: Sequence[str | Path], asked: Job | None = None, output: str | Path | None = None) -> Found:
    """Find the nights of a batch, and the folder they go to.

    Parameters
    ----------
    sources : sequence of str or path
        One study file or folder of a study, one data set, or any number of recordings and folders of them.
    asked : Job, optional
        Options for every night; its file is not used.
    output : Path, optional
        Folder of the night folders; by default `eegsleep-nights`, beside the study file if it is a study, within
        the set if it is a data set.

    Returns
    -------
    Found

    Raises
    ------
    EegSleepError
        If there is no night, or two would have one name.

    Examples
    --------
    >>> found = es.find_jobs(["sample-night.edf"])
    >>> [job.file.name for job in found.jobs], found.output.name
    (['sample-night.edf'], 'eegsleep-nights')
    """
    from eegsleep.workflows.score import Job

    asked, output = asked or Job(Path()), Path(output) if output else None
    if not sources:
        raise SettingsError(
            "nothing to work out",
            allowed="a study file, a folder, recordings, or a data set",
            remedy="name a folder of recordings: `eegsleep batch FOLDER`",
        )
    paths = [Path(source) for source in sources]
    study = _find_study(paths[0])
    if study:
        if len(paths) > 1:
            raise SettingsError("a study stands alone", found=f"{len(paths)} sources", allowed=str(paths[0]))
        jobs = jobs_of_study(study, asked)
        if not jobs:
            raise SettingsError(
                f"no night of {study} has a recording yet",
                found="an empty column file, or only excluded nights",
                remedy=f"write the path of each recording into the column file of {study.parent / NIGHTS_FILE}",
            )
        return Found(jobs, output or study.parent / NIGHTS_FOLDER)
    if len(paths) == 1 and not paths[0].exists() and str(sources[0]) in DATASETS:
        return jobs_of_dataset(str(sources[0]), asked, output)
    output = output or Path(NIGHTS_FOLDER)
    if len(paths) == 1 and is_bids(paths[0]):
        found = find_bids_jobs(paths[0], asked)
        if found.jobs:
            return Found(_name_apart(found.jobs, paths, output), output, found.notes)
    jobs = [job for path in paths for job in _jobs_of_path(path, asked, output)]
    if not jobs:
        raise SettingsError(
            "there is no recording",
            found=f"none in {', '.join(map(str, sources))}",
            allowed="EDF, BDF, ZMax folders, text of headbands",
        )
    named = _name_apart(jobs, paths, output)
    n_again = len(jobs) - len(named)
    notes = (f"Named more than once, and scored once: {n_again} recordings.",) if n_again else ()
    return Found(named, output, notes)


def _find_study(path: Path) -> Path | None:
    if path.suffix.lower() == ".toml":
        return path
    return path / STUDY_FILE if (path / STUDY_FILE).is_file() else None


def jobs_of_study(file: Path, asked: Job) -> list[Job]:
    """Return the recorded nights of a study that are not excluded, named as in nights.csv.

    Whether the recordings are there is not checked here: a missing one fails its own night only.

    Parameters
    ----------
    file : Path
        study.toml.
    asked : Job
        Options for every night; lights of nights.csv come first.

    Returns
    -------
    list of Job
    """
    from eegsleep.recording.channels.presets import load_devices
    from eegsleep.study.declared.manifest import read_study

    nights = read_study(file, check_files=False).nights
    home = real_path(file).parent
    jobs = []
    for row in nights[(nights["file"] != "") & ~nights["excluded"]].to_dict("records"):
        device = row["device"].strip().casefold().replace("_", "-")
        jobs.append(
            _with_expert(
                replace(
                    asked,
                    file=home / row["file"],
                    night=row["night"],
                    subject=row["subject"],
                    # in nights.csv the device may be described in any words
                    device=asked.device or (device if device in load_devices() else None),
                    lights_off=row["lights_off"] or asked.lights_off,
                    lights_on=row["lights_on"] or asked.lights_on,
                    replaces=True,
                )
            )
        )
    return jobs


def jobs_of_dataset(name: str, asked: Job, output: Path | None = None) -> Found:
    """Return the nights of a public data set that were fetched; a set with a compound becomes a study as well.

    Parameters
    ----------
    name : str
        A name in `DATASETS`.
    asked : Job
        Options for every night.
    output : Path, optional
        Folder of the night folders; by default below the folder of the set.

    Returns
    -------
    Found
    """
    from eegsleep.batch.dataset_study import has_study, write_dataset_study
    from eegsleep.datasets.physionet import list_nights
    from eegsleep.datasets.registry import data_folder

    home, notes = data_folder(name), []
    nights = list_nights(name)
    if not nights:
        raise SettingsError(
            f"no night of {name} was fetched", found=f"none in {home}", remedy=f"run `eegsleep fetch {name}` first"
        )
    if has_study(name):
        try:
            notes.append(f"{write_dataset_study(name, nights, home)} makes a study of them.")
        except TableError as error:
            notes.append(f"There is no study: {error}")
    jobs = [
        replace(
            asked,
            file=night.file.absolute(),
            night=night.id,
            subject=night.subject,
            device=asked.device or night.device or None,
            lights_off=night.lights_off or asked.lights_off,
            lights_on=night.lights_on or asked.lights_on,
            reference=night.scoring.absolute() if night.scoring else None,
            coding=night.coding or asked.coding,
        )
        for night in nights
    ]
    return Found(jobs, output or home / NIGHTS_FOLDER, tuple(notes))


def _with_expert(job: Job) -> Job:
    """Return a job with the expert's stages that lie beside its recording, unless others are named."""
    from eegsleep.datasets.pairs import find_expert

    if job.reference or job.hypnogram or not job.file.parent.is_dir():
        return job
    expert = find_expert(job.file)
    return replace(job, reference=expert[0], coding=expert[1] or job.coding) if expert else job


def _jobs_of_path(path: Path, asked: Job, output: Path) -> list[Job]:
    """Return the nights of one recording or one folder."""
    from eegsleep.recording.recording import make_id

    if not path.exists():
        raise SettingsError(
            "there is no such file, folder or data set",
            found=str(path),
            allowed=f"a path, or one of {', '.join(DATASETS)}",
        )
    found = [path] if path.is_file() or _is_one_night(path) else _walk(path, output.absolute())
    return [_with_expert(replace(asked, file=file.absolute(), night=make_id(file))) for file in found]


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    """Yield the recordings below a folder, in order of their names; a folder of one-signal files is one."""
    entries = sorted(folder.iterdir())
    names = {path.name.lower() for path in entries}
    parts = _find_pieces(folder, entries)
    if parts:
        yield folder
    for path in entries:
        if (
            path in parts
            or path.name.startswith(".")
            or path.absolute() == output
            or _is_twin(path.name.lower(), names)
        ):
            continue
        if path.is_dir():
            if (path / PROVENANCE_FILE).exists() or path.is_symlink():
                continue  # a night folder; a link may lead in a circle
            if _is_one_night(path):
                yield path
            else:
                yield from _walk(path, output)
        elif path.is_file() and _is_recording(path):
            yield path


def _find_pieces(folder: Path, entries: Sequence[Path]) -> set[Path]:
    """Return the files of a folder that are the pieces of one night, so that the folder is the recording.

    Raises
    ------
    SettingsError
        If a folder holds several nights, and one of them in pieces: as single files they would be many nights.
    """
    from eegsleep.recording.parts import are_one_night, group_parts, list_parts

    parts = list_parts(path for path in entries if not path.name.startswith("."))
    if are_one_night(parts):
        return {part.path for part in parts}
    groups = group_parts(parts)
    in_pieces = [group for group in groups if len(group) > 1]
    if in_pieces:
        names = "; ".join(" + ".join(part.path.name for part in group) for group in in_pieces[:3])
        raise SettingsError(
            f"{folder.name} holds {len(groups)} recordings, some of them in pieces that follow each other",
            found=names,
            allowed="the pieces of one night in a folder of its own",
            remedy="move the files of each night into a folder, or name each file to score it alone",
        )
    return set()


def _is_twin(name: str, names: set[str]) -> bool:
    """Return whether a file is another form of a recording beside it: packed, or a header for WFDB."""
    if name.endswith(".gz"):
        return name.removesuffix(".gz") in names
    stem = name.removesuffix(".hea")
    return stem != name and any(form in names for form in (stem, *(stem + end for end in (".edf", ".bdf", ".rec"))))


def _is_recording(path: Path) -> bool:
    """Return whether a file is a recording: one with annotations only is not, a broken one is."""
    from eegsleep.recording.edf.header import is_edf
    from eegsleep.recording.parts import read_part
    from eegsleep.recording.text.open import sniff_text

    name = path.name.lower()
    if name.endswith(".gz") or not name.endswith(_RECORDINGS + _TEXTS):
        return name.endswith((*_OTHERS, *(end for end in _RECORDINGS if end.endswith(".gz"))))
    try:
        with check_plain(path).open("rb") as file:
            head = file.read(8192)
    except OSError:
        return name.endswith(_RECORDINGS)
    if is_edf(head):
        return read_part(path) is not None  # annotations alone are no recording
    kind = sniff_text(head)
    if kind == "BrainFlow CSV":  # the stream behind a file of the OpenBCI GUI is no recording beside it
        return not any(path.parent.glob("OpenBCI-RAW-*.txt"))
    return name.endswith(_RECORDINGS) or bool(kind)


def _is_one_night(folder: Path) -> bool:
    """Return whether the files of a folder are one night: pieces in time, or one signal a file (ZMax)."""
    from eegsleep.recording.channels.labels import guess_role
    from eegsleep.recording.edf.header import HeaderRefusedError, inspect_header
    from eegsleep.recording.parts import are_one_night, list_parts

    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if are_one_night(list_parts(entries)) and not any(path.is_dir() for path in entries):
        return True
    paths = [path for path in entries if path.suffix.lower() == ".edf" and path.is_file()]
    if len(paths) < 2 or not any(guess_role(path.stem) == "eeg" for path in paths):
        return False
    for path in paths:
        try:
            with path.open("rb") as file:
                n_signals = sum(not s.is_annotation for s in inspect_header(file, path.stat().st_size).signals)
        except (HeaderRefusedError, OSError):
            continue  # a file that cannot be read costs only its own channel
        if n_signals != 1:
            return False
    return True


def _find_parts(file: Path, roots: Sequence[Path]) -> tuple[str, ...]:
    """Return the folders of a recording and its name, from the folder that all that was asked for lies in."""
    homes = [os.path.abspath(root if root.is_dir() else root.parent) for root in roots]  # noqa: PTH100 - links stay
    try:
        return Path(os.path.relpath(file, os.path.commonpath(homes))).parts
    except ValueError:  # on several drives
        return (file.name,)


def _name_apart(jobs: list[Job], roots: Sequence[Path], output: Path) -> list[Job]:
    """Return jobs with different names: recordings of the same name in several folders get their folders' names, too.

    A recording that is listed in jobs.csv keeps the name it has there. Otherwise it would be scored again under
    another name as soon as a second recording of the same name is added.

    Raises
    ------
    SettingsError
        If two still have the same name.
    """
    from eegsleep.batch.jobs_file import hide_name, name_file, read_rows
    from eegsleep.recording.recording import make_id

    jobs = list({os.path.abspath(job.file): job for job in jobs}.values())  # noqa: PTH100 - `..` is to go, links stay
    n_of = Counter(job.night.casefold() for job in jobs)
    known = {row["file"]: night for night, row in read_rows(output).items() if make_id(Path(night)) == night}
    named = []
    for job in jobs:
        name = name_file(job.file, output.absolute())
        night = known.get(name) or known.get(hide_name(name))
        if not night and n_of[job.night.casefold()] > 1:
            night = make_id(Path("-".join(_find_parts(job.file, roots))))
        named.append(replace(job, night=night or job.night))
    by_name: dict[str, Job] = {}
    for job in named:
        other = by_name.setdefault(job.night.casefold(), job)
        if other is not job:
            raise SettingsError(
                f"two recordings would go to the one folder {job.night}",
                found=f"{other.file} and {job.file}",
                remedy="rename one of them, or give each its own folder with --output",
            )
    return named
