"""Many files of a data set into a folder: a few streams at once, each file whole and checked or not there.

pooch checks the checksum of what has arrived and puts it in place; `transfer` brings it. What has arrived of a file
lies in `.partial` until then, so that a fetch that was killed goes on where it stopped.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from eegsleep.datasets.checksums import PACKAGE, SERVER, are_complete, check_source, is_in_package, keep_list
from eegsleep.datasets.registry import SUMS_FILE, DataFile, check_name, find_dataset, read_registry, select_records
from eegsleep.datasets.transfer import (
    InterruptedFetchError,
    Patience,
    UnreachableError,
    check_base_url,
    complete_part,
    fetch_text,
    hide_login,
    open_connection,
)
from eegsleep.datasets.verified import find_whole, remember
from eegsleep.errors import EegSleepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import requests

PHYSIONET = "https://physionet.org/files/"
FOLDER_VARIABLE = "EEGSLEEP_DATA"
_DEFAULT_FOLDER = "eegsleep-data"
_PARTIAL = ".partial"
_SAY_EVERY_S = 0.5
_OTHER_FILES = "; if the mirror is meant to hold other files than PhysioNet, --checksums server takes its own word"

logger = logging.getLogger(__name__)


class FetchReport(NamedTuple):
    """What became of the files that were asked for.

    `fetched` and `kept` (whole already) are names below `folder`; `failed` says of each missing file why;
    `n_bytes` arrived in this fetch; `n_records` of the set's records were asked for, and `n_listed` are known to the
    list that was checked against.
    """

    dataset: str
    folder: Path
    fetched: tuple[str, ...]
    kept: tuple[str, ...]
    failed: dict[str, EegSleepError]
    n_bytes: int
    n_records: int
    n_listed: int


class FetchOptions(TypedDict, total=False):
    """What every fetch takes beside records and folder; see `fetch_files`."""

    base_url: str
    patience: Patience
    registry: Sequence[DataFile]
    checksums: str


class _Job(NamedTuple):
    """What every stream needs: where from, where to, how, and whom to tell."""

    url: str
    folder: Path
    patience: Patience
    connections: SimpleQueue[requests.Session]
    stop: threading.Event
    say: Callable[[int], None]
    hint: str


def data_folder(dataset: str) -> Path:
    """Return where a set is kept unless another folder is named: below EEGSLEEP_DATA, or below this folder."""
    return Path(os.environ.get(FOLDER_VARIABLE) or _DEFAULT_FOLDER).expanduser() / find_dataset(dataset).name


def fetch_files(
    dataset: str,
    records: Sequence[str] = (),
    folder: Path | None = None,
    *,
    base_url: str = PHYSIONET,
    patience: Patience | None = None,
    registry: Sequence[DataFile] | None = None,
    checksums: str = PACKAGE,
) -> FetchReport:
    """Fetch records of a data set; those that lie whole in the folder are not fetched again.

    Parameters
    ----------
    dataset : str
        Name in `DATASETS`.
    records : sequence of str
        Records, subjects or patterns, or `all`; by default the one or two the set is best met with.
    folder : Path, optional
        By default `data_folder(dataset)`.
    base_url : str
        Address below which the sets lie as PhysioNet has them.
    patience : Patience, optional
    registry : sequence of DataFile, optional
        The set's files with checksums, in place of those the package or the server knows.
    checksums : str
        `package`: as the package knows them, and by the server's own list where it knows none. `server`: by that
        list in any case, for a mirror that holds other files under the names of the set.

    Returns
    -------
    FetchReport

    Raises
    ------
    SettingsError
        If there is no such set or record, or the folder was checked by other checksums, before anything is asked of
        the server; or if the server's list does not name a record.
    EegSleepError
        If the list of the set's checksums cannot be fetched, or cannot be trusted.
    """
    spec, patience = find_dataset(dataset), patience or Patience()
    url = f"{check_base_url(base_url)}{spec.project}/"
    folder = Path(folder) if folder else data_folder(dataset)
    words = tuple(records) or spec.starter
    known, label = list(registry) if registry is not None else read_registry(dataset), dataset
    if registry is None:
        check_source(dataset, folder, checksums)
    if known:
        select_records(known, words, label)  # a slip is found before anything is asked of a server
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder), _open_streams(patience) as (connections, stop):
        if checksums == SERVER or not are_complete(known):

            def fetch_list() -> str:
                with _borrow(connections) as connection:
                    return fetch_text(url + SUMS_FILE, folder / _PARTIAL / SUMS_FILE, connection, patience, stop)

            known, label = keep_list(spec, folder, fetch_list), f"{SUMS_FILE} of {dataset}"
        files = select_records(known, words, label)
        for file in files:
            check_name(file.name)
        whole = find_whole(folder, files)
        missing = [file for file in files if file.name not in whole]
        said, count = _count_bytes(len(missing))
        is_mirror = base_url != PHYSIONET and registry is None and checksums == PACKAGE and is_in_package(dataset)
        hint = _OTHER_FILES if is_mirror else ""
        job = _Job(url + spec.subfolder, folder, patience, connections, stop, said, hint)
        failed = _fetch_all(missing, job)
    kept = tuple(file.name for file in files if file.name in whole)
    fetched = tuple(file.name for file in missing if file.name not in failed)
    n_records, n_listed = (len({file.record for file in some}) for some in (files, known))
    return FetchReport(dataset, folder, fetched, kept, failed, count(), n_records, n_listed)


def _fetch_all(files: Sequence[DataFile], job: _Job) -> dict[str, EegSleepError]:
    """Fetch files in parallel; return why those failed that did. A server that is gone is not asked for the rest."""
    failed: dict[str, EegSleepError] = {}
    n_done, misses = 0, 0
    gone: UnreachableError | None = None
    with ThreadPoolExecutor(job.patience.streams, thread_name_prefix="fetch") as pool:
        futures = {pool.submit(_fetch_file, file, job): file for file in files}
        try:
            for future in as_completed(futures):
                file = futures[future]
                try:
                    future.result()
                except UnreachableError as error:
                    failed[file.name], misses, gone = error, misses + 1, error
                except EegSleepError as error:
                    failed[file.name] = gone if gone and isinstance(error, InterruptedFetchError) else error
                else:
                    n_done, misses = n_done + 1, 0
                    remember(job.folder, file)
                    logger.info("fetched %s, %d of %d files", file.name, n_done, len(files))
                # One stream may be turned away where many are too many; all in a row means that nobody is there.
                if misses >= job.patience.streams:
                    job.stop.set()
        except BaseException:  # interrupted, or the disk is full: the other streams stop where they are
            job.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return failed


def _fetch_file(file: DataFile, job: _Job) -> None:
    """Fetch one file, check it, and put it in place; a wrong checksum is given a second chance from the beginning."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    work, flat = job.folder / _PARTIAL, file.name.replace("/", "__")
    part = work / f"{flat}.part"

    def bring(url: str, output_file: str, _: object) -> None:
        with _borrow(job.connections) as connection:
            complete_part(url, part, connection, job.patience, job.stop, job.say)
        part.replace(output_file)

    for chance in (1, 2):
        try:
            pooch.retrieve(job.url + file.name, f"{file.algorithm}:{file.digest}", flat, work, downloader=bring)
        except ValueError as error:  # pooch's word for a wrong checksum; it has removed the file
            if chance == 1:
                logger.info("%s came damaged, once more", file.name)
                continue
            match = re.search(r"got '?([0-9a-f]{32,})", str(error))
            got = match[1] if match else "of another file"
            raise EegSleepError(
                f"{file.name} did not arrive as it should be, twice",
                found=f"{file.algorithm} {got}, from {hide_login(job.url + file.name)}",
                allowed=f"{file.algorithm} {file.digest}",
                remedy=f"nothing was kept of it; fetch again later, or from another server with --mirror{job.hint}",
            ) from error
        break
    target = job.folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    (work / flat).replace(target)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder for one fetch at a time; a second one waits, and then finds the first one's files."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".fetch.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("waiting for another fetch into %s", folder)
        lock.acquire()
    try:
        (folder / _PARTIAL).mkdir(exist_ok=True)
        for left in (folder / _PARTIAL).iterdir():  # what a killed fetch was about to put in place
            if not left.name.endswith((".part", ".part.tag")):
                left.unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):  # parts of files are still in it
            (folder / _PARTIAL).rmdir()
        lock.release()


@contextmanager
def _open_streams(patience: Patience) -> Iterator[tuple[SimpleQueue, threading.Event]]:
    connections: SimpleQueue[requests.Session] = SimpleQueue()
    opened = [open_connection() for _ in range(patience.streams)]
    for connection in opened:
        connections.put(connection)
    try:
        yield connections, threading.Event()
    finally:
        for connection in opened:
            connection.close()


@contextmanager
def _borrow(connections: SimpleQueue) -> Iterator[requests.Session]:
    """Take a connection for one file: requests does not promise that two threads may share one."""
    connection = connections.get()
    try:
        yield connection
    finally:
        connections.put(connection)


def _count_bytes(n_files: int) -> tuple[Callable[[int], None], Callable[[], int]]:
    """Return who is told of each arriving piece, and who says how many bytes have arrived."""
    lock, began = threading.Lock(), time.monotonic()
    state = {"bytes": 0, "said": began}

    def say(n_bytes: int) -> None:
        with lock:
            state["bytes"] += n_bytes
            now = time.monotonic()
            due = now - state["said"] >= _SAY_EVERY_S
            state["said"] = now if due else state["said"]
        if due:
            speed = max(state["bytes"], 0) / (now - began)
            logger.info("fetching %d files: %.1f MB, %.2f MB/s", n_files, state["bytes"] / 1e6, speed / 1e6)

    return say, lambda: max(state["bytes"], 0)
