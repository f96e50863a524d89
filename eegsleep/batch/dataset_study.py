"""Make a study, study.toml and nights.csv, of a public data set with a compound and a control."""

from __future__ import annotations

import csv
import io
import logging
import os
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.errors import EegSleepError, SettingsError, TableError, describe_error
from eegsleep.file_names import NIGHTS_FILE, STUDY_FILE
from eegsleep.provenance import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eegsleep.datasets.physionet import DatasetNight

logger = logging.getLogger(__name__)

_COLUMNS = (
    "subject",
    "night",
    "date",
    "file",
    "condition",
    "period",
    "device",
    "lights_off",
    "lights_on",
    "cov_age",
    "cov_sex",
)
# Where headers have no usable date, made-up dates are so far apart that no night is taken for the night before another.
_MADE_UP_APART = timedelta(days=7)


class _Declared(NamedTuple):
    """A data set with conditions: their codes, its study file, and a date for nights that have none."""

    codes: dict[str, str]
    template: str
    first_evening: date


_DECLARED = {
    "sleep-edf-st": _Declared({"placebo": "A", "temazepam": "B"}, "sleep_edf_st_study.toml", date(1994, 1, 1)),
}


class _Subject(NamedTuple):
    """One sleeper's nights, in order, and the evenings on which they began."""

    name: str
    nights: tuple[DatasetNight, ...]
    evenings: tuple[date, ...]
    made_up: bool


def has_study(dataset: str) -> bool:
    """Return whether the nights of a data set make a study: a compound, and a control to compare it with."""
    return dataset in _DECLARED


def write_dataset_study(dataset: str, nights: Sequence[DatasetNight], folder: str | Path) -> Path:
    """Write study.toml and nights.csv for a data set with a compound and a control.

    Files that are there already are left alone: they may have been edited, or locked. Sleepers not recorded in both
    conditions are left out; nights.csv and the log name them.

    Parameters
    ----------
    dataset : str
        A set of which `has_study` is true.
    nights : sequence of DatasetNight
        The nights that were fetched.
    folder : path
        Where the two files go; not the folder of the night folders, which has a nights.csv of its own.

    Returns
    -------
    Path
        The study file.

    Raises
    ------
    SettingsError
        If the set has no conditions to compare.
    TableError
        If no sleeper was fetched in both conditions.
    EegSleepError
        If the files cannot be written.
    """
    if dataset not in _DECLARED:
        raise SettingsError(f"{dataset} has no compound and no control to compare", allowed=", ".join(_DECLARED))
    declared, folder = _DECLARED[dataset], Path(folder)
    study, listed = folder / STUDY_FILE, folder / NIGHTS_FILE
    subjects, left_out = _sort_out(declared, nights)
    if not subjects and not listed.exists():
        raise TableError(
            f"{dataset}: no sleeper was fetched in both conditions",
            found=f"{len(nights)} nights of {len({night.subject for night in nights})} sleepers",
            allowed=" and ".join(declared.codes),
            remedy="fetch both nights of a sleeper, such as ST7011J0 and ST7012J0",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not study.exists():
            write_file(study, _read_template(declared.template))
        if listed.exists():
            _warn_of_unlisted(listed, subjects)
        else:
            write_file(listed, _encode_nights(declared, subjects, left_out, folder))
            for line in left_out:
                logger.warning("%s", line)
    except OSError as error:
        raise EegSleepError(f"{folder} cannot be written", found=describe_error(error)) from error
    return study


def _read_template(name: str) -> bytes:
    from importlib.resources import files

    return files("eegsleep.batch").joinpath(name).read_bytes()


def _sort_out(declared: _Declared, nights: Sequence[DatasetNight]) -> tuple[list[_Subject], list[str]]:
    """Return the sleepers with one night of each condition, and a sentence for each of the others."""
    by_subject: dict[str, list[DatasetNight]] = {}
    for night in sorted(nights, key=lambda night: (night.subject, night.night)):
        by_subject.setdefault(night.subject, []).append(night)
    subjects, left_out = [], []
    for name, own in by_subject.items():
        found = sorted(night.condition for night in own)
        if found == sorted(declared.codes):
            subjects.append(_Subject(name, tuple(own), *_find_evenings(own, declared.first_evening)))
        else:
            left_out.append(f"{name} is left out: fetched {' and '.join(found)}, one night of each condition is needed")
    return subjects, left_out


def _find_evenings(nights: Sequence[DatasetNight], first: date) -> tuple[tuple[date, ...], bool]:
    """Return the evening on which each night began, by the recordings' headers, and whether that had to be made up."""
    from eegsleep.hypnograms.scoring import is_invented
    from eegsleep.recording.read import open_source

    found = [open_source(night.file).start for night in nights]
    starts = [start for start in found if start is not None and not is_invented(start)]
    if len(starts) == len(nights):
        # a recording that begins after midnight belongs to the evening before
        evenings = tuple((start - timedelta(hours=12)).date() for start in starts)
        if all(later > earlier for earlier, later in pairwise(evenings)):
            return evenings, False
    return tuple(first + i * _MADE_UP_APART for i in range(len(nights))), True


def _encode_nights(declared: _Declared, subjects: Sequence[_Subject], left_out: Sequence[str], folder: Path) -> bytes:
    """Return nights.csv, with comments above the table for its reader."""
    codes = ", ".join(f"{code} {name}" for name, code in declared.codes.items())
    comments = [f"condition: {codes}; period: the sleeper's first or second night", *left_out]
    nights = [night for subject in subjects for night in subject.nights]
    if any(night.checked_by == "server" for night in nights):
        comments.append(
            "the files were checked against the list of the server they came from, not against the "
            "package's checksums: they need not be the published recordings"
        )
    made_up = [subject.name for subject in subjects if subject.made_up]
    if made_up:
        comments.append(f"dates are made up and only the order is real: {' '.join(made_up)}")
    text = io.StringIO()
    text.writelines(f"# {comment}\n" for comment in comments)
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for subject in subjects:
        for period, (night, evening) in enumerate(zip(subject.nights, subject.evenings, strict=True), start=1):
            writer.writerow(
                {
                    "subject": subject.name,
                    "night": night.id,
                    "date": evening.isoformat(),
                    "file": _relative(night.file, folder),
                    "condition": declared.codes[night.condition],
                    "period": period,
                    "device": night.device,
                    "lights_off": night.lights_off,
                    "lights_on": night.lights_on,
                    "cov_age": night.age,
                    "cov_sex": night.sex,
                }
            )
    return text.getvalue().encode()


def _relative(file: Path, folder: Path) -> str:
    """Return a recording's path from the study file, with slashes; its own where there is none (another drive)."""
    try:
        return Path(os.path.relpath(file.absolute(), folder.absolute())).as_posix()
    except ValueError:
        return file.absolute().as_posix()


def _warn_of_unlisted(listed: Path, subjects: Sequence[_Subject]) -> None:
    """Log which complete sleepers an earlier nights.csv lacks; it is the user's, and stays as it is."""
    from eegsleep.study.declared.nights_file import read_nights

    try:
        known = set(read_nights(listed)[0]["subject"])
    except TableError:  # raised again when the study is read
        return
    lacking = [subject.name for subject in subjects if subject.name not in known]
    if lacking:
        logger.warning(
            "%s lacks %s, fetched since: add their rows, or remove the file and it is written anew",
            listed,
            ", ".join(lacking),
        )
