"""The public data sets as the package knows them, without a network: files, nights, checksums.

One row of a registry is one file. Some sets have their checksums in the package. For the others, the set's own
`SHA256SUMS.txt` is used, which finds a broken transfer but not a file that was changed on the server.
"""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import SettingsError, TableError

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMS_FILE = "SHA256SUMS.txt"
ALL = "all"
FOLDER_VARIABLE = "EEGSLEEP_DATA"
_DEFAULT_FOLDER = "eegsleep-data"
_KINDS = ("psg", "hypnogram", "signals")


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, and the night it belongs to.

    Attributes
    ----------
    name : str
        Path below the folder of the set.
    record, subject : str
    night : int
        Number of the night of the subject, from 1.
    kind : str
        `psg`, `hypnogram`, or `signals`: a file that a header file points to.
    condition, age, sex, lights_off : str
        Age in years, lights off as a clock time; empty where the set does not give them.
    algorithm, digest : str
        The checksum in hexadecimal digits, and how it is made; empty where it is not known.
    """

    name: str
    record: str
    subject: str
    night: int = 1
    kind: str = "psg"
    condition: str = ""
    age: str = ""
    sex: str = ""
    lights_off: str = ""
    algorithm: str = ""
    digest: str = ""


@dataclass(frozen=True)
class DataSet:
    """A public data set: its place on the server, which of its files are fetched, and how they are read.

    Attributes
    ----------
    name, title : str
    project, subfolder : str
        Path below the base address of the server.
    patterns : dict of str to str
        For each kind of file a pattern of its name below the subfolder, with the record as group `record`; empty where
        the package lists every file with its checksum.
    starter : tuple of str
        The records that are fetched by default.
    size : str
        In words.
    n_records : int
    device : str
        Preset with which its recordings are read; empty for none.
    coding : str
        Meaning of integers in its hypnograms, a name in `CODINGS`; empty for none.
    """

    name: str
    title: str
    project: str
    subfolder: str
    patterns: dict[str, str]
    starter: tuple[str, ...]
    size: str
    n_records: int
    device: str = ""
    coding: str = ""

    @property
    def extent(self) -> str:
        """The number of records and their size, in words."""
        return f"{self.n_records} records, {self.size}"


_SLEEP_EDF_PROJECT = "sleep-edfx/1.0.0"
_BOTH = "8.1 GB together with the other half of Sleep-EDF"
_SETS = (
    DataSet(
        "sleep-edf-sc",
        "Sleep-EDF Expanded, sleep cassette",
        _SLEEP_EDF_PROJECT,
        "sleep-cassette/",
        {},
        ("SC4001E0",),
        _BOTH,
        153,
        device="sleep-edf",
    ),
    DataSet(
        "sleep-edf-st",
        "Sleep-EDF Expanded, sleep telemetry",
        _SLEEP_EDF_PROJECT,
        "sleep-telemetry/",
        {},
        ("ST7011J0", "ST7012J0"),
        _BOTH,
        44,
        device="sleep-edf",
    ),
    DataSet(
        "hmc",
        "Haaglanden Medisch Centrum sleep staging database",
        "hmc-sleep-staging/1.1",
        "recordings/",
        {"psg": r"(?P<record>SN\d{3})\.edf", "hypnogram": r"(?P<record>SN\d{3})_sleepscoring\.edf"},
        ("SN001",),
        "about 0.1 GB each",
        151,
        device="hmc",
    ),
    DataSet(
        "cap",
        "CAP Sleep Database",
        "capslpdb/1.0.0",
        "",
        {"psg": r"(?P<record>[a-z]+\d+)\.edf", "hypnogram": r"(?P<record>[a-z]+\d+)\.txt"},
        ("n1",),
        "the 16 without pathology 3.8 GB",
        108,
        device="embla-cap",
    ),
    DataSet(
        "ucddb",
        "St. Vincent's / University College Dublin Sleep Apnea Database",
        "ucddb/1.0.0",
        "",
        {"psg": r"(?P<record>ucddb\d{3})\.rec", "hypnogram": r"(?P<record>ucddb\d{3})_stage\.txt"},
        ("ucddb002",),
        "0.76 GB",
        25,
        device="ucddb",
        coding="ucddb",
    ),
    DataSet(
        "slpdb",
        "MIT-BIH Polysomnographic Database",
        "slpdb/1.0.0",
        "",
        {
            "psg": r"(?P<record>slp\d\d[a-z]?)\.hea",
            "hypnogram": r"(?P<record>slp\d\d[a-z]?)\.st",
            "signals": r"(?P<record>slp\d\d[a-z]?)\.dat",
        },
        ("slp01a",),
        "0.63 GB",
        18,
    ),
    DataSet(
        "cinc2018",
        "PhysioNet/CinC Challenge 2018, You Snooze You Win",
        "challenge-2018/1.0.0",
        "training/",
        {
            "psg": r"(?P<record>tr\d\d-\d{4})/(?P=record)\.hea",
            "hypnogram": r"(?P<record>tr\d\d-\d{4})/(?P=record)\.arousal",
            "signals": r"(?P<record>tr\d\d-\d{4})/(?P=record)\.mat",
        },
        ("tr03-0005",),
        "about 0.15 GB each",
        994,
    ),
)
DATASETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _SETS}


def find_dataset(name: str) -> DataSet:
    """Return a data set by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    DataSet

    Raises
    ------
    SettingsError
        If there is no such data set.
    """
    if name not in DATASETS:
        raise SettingsError(f"there is no data set {name!r}", allowed=", ".join(DATASETS))
    return DATASETS[name]


def data_folder(dataset: str) -> Path:
    """Return where a set is kept by default: below the folder that EEGSLEEP_DATA names, or below eegsleep-data here.

    Parameters
    ----------
    dataset : str

    Returns
    -------
    Path
    """
    return Path(os.environ.get(FOLDER_VARIABLE) or _DEFAULT_FOLDER).expanduser() / find_dataset(dataset).name


def read_registry(name: str) -> list[DataFile]:
    """Return the files of a set that the package lists; none where only the server has their names.

    Parameters
    ----------
    name : str

    Returns
    -------
    list of DataFile
    """
    packaged = resources.files(__package__) / "registries" / f"{find_dataset(name).name}.csv"
    if not packaged.is_file():
        return []
    rows = csv.DictReader(packaged.read_text(encoding="utf-8").splitlines())
    return [DataFile(night=int(row.pop("night")), **row) for row in rows]


def read_sums(dataset: DataSet, text: str) -> list[DataFile]:
    """Return the files of a set with the checksums that its `SHA256SUMS.txt` gives.

    Parameters
    ----------
    dataset : DataSet
    text : str
        The content of the list.

    Returns
    -------
    list of DataFile

    Raises
    ------
    TableError
        If a line is not a checksum, a name leads out of the folder, or no file of the set is listed.
    """
    known = {file.name: file for file in read_registry(dataset.name)}
    files: dict[str, DataFile] = {}  # a name that is listed twice is one file, and its last line counts
    for line in text.splitlines():
        if not line.strip():
            continue
        row = re.fullmatch(r"([0-9a-fA-F]{64}) [ *]?(\S.*)", line.rstrip())
        if row is None:
            raise TableError(
                f"{SUMS_FILE} of {dataset.name} holds a line that is not a checksum",
                found=line[:80],
                remedy="delete it if it is in the folder, then fetch again",
            )
        check_name(row[2])
        name = row[2].removeprefix("./")
        if not name.startswith(dataset.subfolder):
            continue
        file = _describe(dataset, name.removeprefix(dataset.subfolder), known)
        if file is not None:
            files[file.name] = replace(file, algorithm="sha256", digest=row[1].lower())
    if not files:
        raise TableError(
            f"{SUMS_FILE} of {dataset.name} lists none of its recordings",
            remedy="check that the address is a mirror of PhysioNet's files",
        )
    order = {name: i for i, name in enumerate(known)}
    found = sorted(files.values(), key=lambda file: (file.record, _KINDS.index(file.kind)))
    return sorted(found, key=lambda file: order.get(file.name, len(order)))


def check_name(name: str) -> None:
    """Refuse a file name that leads out of its folder.

    Raises
    ------
    TableError
        If it does.
    """
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/") or not name.isprintable():
        raise TableError(
            "a list of files names one outside its folder",
            found=repr(name)[:80],
            remedy="nothing was fetched from it; use another address",
        )


def _describe(dataset: DataSet, name: str, known: dict[str, DataFile]) -> DataFile | None:
    if name in known:
        return known[name]
    for kind, pattern in dataset.patterns.items():
        match = re.fullmatch(pattern, name)
        if match:
            return DataFile(name=name, record=match["record"], subject=match["record"], kind=kind)
    return None


def select_records(files: Sequence[DataFile], asked: Sequence[str], dataset: str) -> list[DataFile]:
    """Return the files of the records that were asked for, in the order of the list.

    Parameters
    ----------
    files : sequence of DataFile
    asked : sequence of str
        Records (SC4001E0), the same without their recorder's letters (SC4001), subjects (SC400), patterns of
        these (`ST7*`), or `all`; case does not matter.
    dataset : str
        Name of the list in an error.

    Returns
    -------
    list of DataFile

    Raises
    ------
    SettingsError
        If one of them is not a record of the set.
    """
    chosen = set()
    for word in asked:
        found = {file.record for file in files if word.lower() == ALL or _is_meant(word, file)}
        if not found:
            raise SettingsError(
                f"{dataset} has no record {word!r}",
                allowed=_suggest(word, files),
                remedy="see the records with --list",
            )
        chosen |= found
    return [file for file in files if file.record in chosen]


def _is_meant(word: str, file: DataFile) -> bool:
    names = {file.record.lower(), file.subject.lower(), file.record[:6].lower() if _is_sleep_edf(file) else ""}
    return any(name and fnmatchcase(name, word.lower()) for name in names)


def _is_sleep_edf(file: DataFile) -> bool:
    return bool(re.fullmatch(r"S[CT]\d{4}\w\d", file.record))


def _suggest(word: str, files: Sequence[DataFile]) -> str:
    records = list(dict.fromkeys(file.record for file in files))
    near = get_close_matches(word.upper(), [record.upper() for record in records], n=3, cutoff=0.5)
    similar = [record for record in records if record.upper() in near]
    few = records if len(records) <= 3 else [records[0], "…", records[-1]]
    return ", ".join(similar or few) + ", or all"
