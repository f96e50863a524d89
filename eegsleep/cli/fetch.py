"""The command `fetch`: public data sets, checked, resumable. It returns the lines it prints and the exit code."""

from __future__ import annotations

import logging
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from eegsleep.cli.options import Whole  # noqa: TC001 - cyclopts reads the annotations
from eegsleep.errors import EegSleepError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eegsleep.datasets.fetch import FetchOptions, FetchReport
    from eegsleep.datasets.registry import DataFile, DataSet

logger = logging.getLogger(__name__)

# So many failures are shown one by one.
_SHOWN = 5


def fetch(
    dataset: str = "",
    *,
    records: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    output: Path | None = None,
    list_records: Annotated[bool, Parameter(name="--list", negative="")] = False,
    about: Annotated[bool, Parameter(negative="")] = False,
    base_url: Annotated[str | None, Parameter(name=["--base-url", "--mirror"])] = None,
    streams: Whole = 4,
    checksums: Literal["package", "server"] = "package",
) -> tuple[list[str], int]:
    """Fetch a public data set from PhysioNet: sleep-edf-sc, sleep-edf-st, hmc, cap, ucddb, slpdb or cinc2018.

    Every file is checked; run it again to continue one that was cut. Without --records only a first record or two
    are fetched. Exit code 0: all are there. 1: some could not be fetched. 2: none could.

    Parameters
    ----------
    dataset
        Name of the set; without it, the sets are listed.
    records
        Records or subjects, such as SC4001 or ST7*, or all.
    output
        Folder for the files; by default one named after the set in eegsleep-data, or in the folder EEGSLEEP_DATA
        names.
    list_records
        Show the records of the set, and which of them are in the folder; uses no network.
    about
        Show the card of the set: layout, channels, labels, known faults, licence, whom to cite; uses no network.
    base_url
        Address of a mirror of PhysioNet's files, such as https://physionet-open.s3.amazonaws.com/; by default
        PhysioNet itself.
    streams
        How many files are fetched at once, 1 to 8.
    checksums
        What the files are checked against. package: the checksums in the package, or the server's own list where the
        package has none. server: the server's list in any case, for a mirror of other files.
    """
    from eegsleep.datasets.registry import DATASETS, data_folder, find_dataset

    if not dataset:
        if records or output or about:
            raise SettingsError("no data set is named", allowed=", ".join(DATASETS))
        return [f"{spec.name:<13} {spec.title}: {spec.extent}" for spec in DATASETS.values()], 0
    spec, words, folder = find_dataset(dataset), _split(records), output or data_folder(dataset)
    if about:
        return _describe_card(dataset), 0
    if list_records:
        return _list_records(spec, words, folder), 0
    options: FetchOptions = {"checksums": checksums, "streams": streams}
    from eegsleep.provenance import check_writable

    check_writable(folder)
    return _fetch(spec, words, folder, options | {"base_url": base_url} if base_url else options)


def _split(records: list[str] | None) -> list[str]:
    """Return the records as words, whether they were given with commas or with spaces."""
    return [word.strip() for text in records or [] for word in text.split(",") if word.strip()]


def _describe_card(dataset: str) -> list[str]:
    import inspect

    from eegsleep.datasets.physionet import FETCHERS

    return (inspect.getdoc(FETCHERS[dataset]) or "").splitlines()


def _list_records(spec: DataSet, words: Sequence[str], folder: Path) -> list[str]:
    from eegsleep.datasets.checksums import PACKAGE, find_source, list_files
    from eegsleep.datasets.registry import select_records

    files = list_files(spec.name, folder)
    if not files:
        return [
            f"The package does not know the names of the {spec.n_records} records; the set's own list is fetched with "
            f"the first of them, such as {' '.join(spec.starter)}, and shown here from then on.",
            f"{spec.name}: {spec.title}, {spec.extent}.",
        ]
    chosen = select_records(files, words or ["all"], spec.name)
    nights: dict[str, list[DataFile]] = {}
    for file in chosen:
        nights.setdefault(file.record, []).append(file)
    lines = [_describe_record(record, own, folder) for record, own in nights.items()]
    n_there = sum(all((folder / file.name).is_file() for file in own) for own in nights.values())
    is_packaged = find_source(spec.name, folder) == PACKAGE
    known = "in the package" if is_packaged else "the server's, fetched with the first record"
    return [
        *lines,
        f"{spec.name}: {spec.title}, {spec.extent}. {n_there} of {len(nights)} shown here are in {folder}. "
        f"Checksums: {known}.",
    ]


def _describe_record(record: str, files: Sequence[DataFile], folder: Path) -> str:
    first, there = files[0], [folder / file.name for file in files]
    facts = [
        record if first.subject == record else f"{record}, subject {first.subject}, night {first.night}",
        f"{first.age} y" if first.age else "",
        first.sex,
        first.condition,
        f"lights off {first.lights_off}" if first.lights_off else "",
        " + ".join(file.name for file in files),
    ]
    if all(path.is_file() for path in there):
        facts.append(f"here, {_describe_size(sum(path.stat().st_size for path in there))}")
    return ", ".join(fact for fact in facts if fact)


def _fetch(spec: DataSet, words: Sequence[str], folder: Path, options: FetchOptions) -> tuple[list[str], int]:
    from eegsleep.datasets.physionet import FETCHERS

    logger.info("fetching %s into %s", spec.name, folder)
    report = FETCHERS[spec.name](words, folder, **options)
    n_there = len(report.fetched) + len(report.kept)
    if report.failed and not n_there:
        raise _make_one_error(report)
    lines = [
        f"{spec.name}: {_count(len(report.fetched), 'file')} fetched ({_describe_size(report.n_bytes)}), "
        f"{len(report.kept)} there already and whole, {len(report.failed)} missing."
    ]
    lines += _describe_failures(report)
    if not words:
        lines.append(
            f"This is {report.n_records} of {spec.n_records} records; name others with --records, or all ({spec.size})."
        )
    lines += _describe_list(spec, report, options["checksums"]) + _describe_needs(spec)
    lines.append(f"Licence and whom to cite: eegsleep fetch {spec.name} --about")
    return [*lines, str(folder)], 1 if report.failed else 0


def _make_one_error(report: FetchReport) -> EegSleepError:
    """Return one error for a fetch that brought nothing."""
    from eegsleep.datasets.transfer import UnreachableError

    errors = list(report.failed.values())
    first = errors[0]
    if len(errors) == 1 or all(isinstance(error, UnreachableError) for error in errors):
        return first
    return EegSleepError(
        f"none of {len(report.failed)} files could be fetched; the first: {first.problem}",
        found=first.found,
        allowed=first.allowed,
        remedy=first.remedy,
    )


def _describe_failures(report: FetchReport) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, error in report.failed.items():
        reasons.setdefault(str(error), []).append(name)
    lines = [
        f"Missing: {', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if names[_SHOWN:] else ''}: {reason}"
        for reason, names in list(reasons.items())[:_SHOWN]
    ]
    if len(reasons) > _SHOWN:
        lines.append(f"… and {len(reasons) - _SHOWN} more reasons of this kind.")
    return lines


def _describe_list(spec: DataSet, report: FetchReport, checksums: str) -> list[str]:
    """Return what must be known of the server's own list: that it was believed, and that it lacks records."""
    from eegsleep.datasets.checksums import SERVER, is_in_package

    lines = []
    if checksums == SERVER and is_in_package(spec.name):
        lines.append(
            "Checked against the server's own list, as --checksums server asks, and not against the checksums in the "
            "package: these need not be the published recordings."
        )
    if report.n_listed < spec.n_records:
        lines.append(f"The server's list names only {report.n_listed} of {spec.n_records} records.")
    return lines


def _describe_needs(spec: DataSet) -> list[str]:
    from importlib.util import find_spec

    if "signals" not in spec.patterns or find_spec("wfdb"):
        return []
    return ['These records are in WFDB format; to read them: pip install "eegsleep[wfdb]".']


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _describe_size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.2f} GB"
