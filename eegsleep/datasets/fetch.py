"""Fetch many files of a data set into a folder, a few at once; each ends up whole and checked, or is not there.

`transfer` fetches a file, and pooch checks its checksum. What has arrived of a file lies in `.partial` until then, so
that a fetch that was killed continues where it stopped.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from eegsleep.datasets.checksums import PACKAGE, SERVER, are_complete, check_source, is_in_package, read_or_fetch_list
from eegsleep.datasets.registry import (
    SUMS_FILE,
    DataFile,
    check_name,
    data_folder,
    find_dataset,
    read_registry,
    select_records,
)
from eegsleep.datasets.transfer import (
    InterruptedFetchError,
    UnreachableError,
    check_base_url,
    complete_part,
    fetch_text,
    hide_login,
    open_connection,
)
from eegsleep.datasets.verified import find_whole, remember
from eegsleep.errors import EegSleepError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

PHYSIONET = "https://physionet.org/files/"
_PARTIAL = ".partial"
_LOG_EVERY_S = 0.5
MAX_STREAMS = 8
_OTHER_FILES = (
    "; if the mirror is meant to hold other files than PhysioNet, --checksums server checks them against its own list"
)

logger = logging.getLogger(__name__)


class FetchReport(NamedTuple):
    """What became of the files that were asked for.

    Attributes
    ----------
    dataset : str
    folder : Path
    fetched, kept : tuple of str
        Names below `folder` of the files that were fetched, and of those that were there and whole.
    failed : dict of str to EegSleepError
        Why a file is missing, by its name.
    n_bytes : int
        Bytes that arrived in this fetch.
    n_records : int
        Records that were asked for.
    n_listed : int
        Records in the list of checksums that the files were checked against.
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
    """The options of every fetch, besides records and folder; see `fetch_files`."""

    base_url: str
    streams: int
    registry: Sequence[DataFile]
    checksums: str


class _Progress:
    """Counts the bytes that arrive, and logs now and then how many there are and how fast they come."""

    def __init__(self, n_files: int) -> None:
        self.n_bytes = 0
        self._n_files, self._lock = n_files, threading.Lock()
        self._began_s = self._logged_s = time.monotonic()

    def count(self, n_bytes: int) -> None:
        """Add bytes that arrived, or take away, by a negative number, those that were thrown away."""
        with self._lock:
            self.n_bytes = max(self.n_bytes + n_bytes, 0)
            now_s = time.monotonic()
            if now_s - self._logged_s < _LOG_EVERY_S:
                return
            self._logged_s = now_s
        speed = self.n_bytes / (now_s - self._began_s)
        logger.info("fetching %d files: %.1f MB, %.2f MB/s", self._n_files, self.n_bytes / 1e6, speed / 1e6)


class _Job(NamedTuple):
    """What all streams of a fetch share."""

    url: str
    folder: Path
    streams: int
    connections: SimpleQueue[requests.Session]
    stop: threading.Event
    progress: _Progress
    hint: str


def fetch_files(
    dataset: str,
    records: Sequence[str] = (),
    folder: Path | None = None,
    *,
    base_url: str = PHYSIONET,
    streams: int = 4,
    registry: Sequence[DataFile] | None = None,
    checksums: str = PACKAGE,
) -> FetchReport:
    """Fetch records of a data set; those that lie whole in the folder are not fetched again.

    Parameters
    ----------
    dataset : str
        Name in `DATASETS`.
    records : sequence of str
        Records, subjects or patterns, or `all`; by default one or two that show what the set is like.
    folder : Path, optional
        By default `data_folder(dataset)`.
    base_url : str
        Address below which the sets lie as PhysioNet has them.
    streams : int
        How many files are fetched at once, 1 to 8.
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
        If there is no such set or record, too many streams are asked for, or the folder was checked against other
        checksums; nothing is asked of the server then. Also if the server's list does not name a record.
    EegSleepError
        If the list of the set's checksums cannot be fetched, or cannot be trusted.
    """
    spec = find_dataset(dataset)
    _check_streams(streams)
    url = f"{check_base_url(base_url)}{spec.project}/"
    folder = Path(folder) if folder else data_folder(dataset)
    words = tuple(records) or spec.starter
    known, label = list(registry) if registry is not None else read_registry(dataset), dataset
    if registry is None:
        check_source(dataset, folder, checksums)
    if known:
        select_records(known, words, label)  # a wrong name is found before anything is asked of a server
    folder.mkdir(parents=True, exist_ok=True)
    with _lock_folder(folder), _open_streams(streams) as (connections, stop):
        if checksums == SERVER or not are_complete(known):

            def fetch_list() -> str:
                with _borrow(connections) as connection:
                    return fetch_text(url + SUMS_FILE, folder / _PARTIAL / SUMS_FILE, connection, stop)

            known, label = read_or_fetch_list(spec, folder, fetch_list), f"{SUMS_FILE} of {dataset}"
        files = select_records(known, words, label)
        for file in files:
            check_name(file.name)
        whole = find_whole(folder, files)
        missing = [file for file in files if file.name not in whole]
        progress = _Progress(len(missing))
        is_mirror = base_url != PHYSIONET and registry is None and checksums == PACKAGE and is_in_package(dataset)
        hint = _OTHER_FILES if is_mirror else ""
        job = _Job(url + spec.subfolder, folder, streams, connections, stop, progress, hint)
        failed = _fetch_all(missing, job)
    kept = tuple(file.name for file in files if file.name in whole)
    fetched = tuple(file.name for file in missing if file.name not in failed)
    n_records, n_listed = (len({file.record for file in some}) for some in (files, known))
    return FetchReport(dataset, folder, fetched, kept, failed, progress.n_bytes, n_records, n_listed)


def _check_streams(streams: int) -> None:
    if not 1 <= streams <= MAX_STREAMS:
        raise SettingsError(
            "the number of streams is out of range",
            found=str(streams),
            allowed=f"1 to {MAX_STREAMS}: PhysioNet is a shared server",
        )


def _fetch_all(files: Sequence[DataFile], job: _Job) -> dict[str, EegSleepError]:
    """Fetch files in parallel; return why some failed. If the server is gone, the rest is not asked for."""
    failed: dict[str, EegSleepError] = {}
    n_done, misses = 0, 0
    gone: UnreachableError | None = None
    with ThreadPoolExecutor(job.streams, thread_name_prefix="fetch") as pool:
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
                # A server may refuse one stream of many; if all fail in a row, it is gone.
                if misses >= job.streams:
                    job.stop.set()
        except BaseException:  # interrupted, or the disk is full: the other streams stop where they are
            job.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return failed


def _fetch_file(file: DataFile, job: _Job) -> None:
    """Fetch one file, check it, and put it in place; after a wrong checksum it is fetched once more, from its start."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    work, flat = job.folder / _PARTIAL, file.name.replace("/", "__")
    part = work / f"{flat}.part"

    def download(url: str, output_file: str, _: object) -> None:
        with _borrow(job.connections) as connection:
            complete_part(url, part, connection, job.stop, job.progress.count)
        part.replace(output_file)

    for attempt in (1, 2):
        try:
            pooch.retrieve(job.url + file.name, f"{file.algorithm}:{file.digest}", flat, work, downloader=download)
        except ValueError as error:  # pooch raises it for a wrong checksum, and has removed the file
            if attempt == 1:
                logger.info("%s arrived damaged and is fetched again", file.name)
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
def _lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder for one fetch at a time; a second one waits, and then finds the files of the first."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".fetch.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("waiting for another fetch into %s", folder)
        lock.acquire()
    try:
        (folder / _PARTIAL).mkdir(exist_ok=True)
        for left in (folder / _PARTIAL).iterdir():  # a killed fetch was about to put these in place
            if not left.name.endswith((".part", ".part.tag")):
                left.unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):  # parts of files are still in it
            (folder / _PARTIAL).rmdir()
        lock.release()


@contextmanager
def _open_streams(streams: int) -> Iterator[tuple[SimpleQueue[requests.Session], threading.Event]]:
    connections: SimpleQueue[requests.Session] = SimpleQueue()
    stop = threading.Event()
    opened = [open_connection(stop) for _ in range(streams)]
    for connection in opened:
        connections.put(connection)
    try:
        yield connections, stop
    finally:
        for connection in opened:
            connection.close()


@contextmanager
def _borrow(connections: SimpleQueue[requests.Session]) -> Iterator[requests.Session]:
    """Take a connection for one file: requests does not promise that two threads may share one."""
    connection = connections.get()
    try:
        yield connection
    finally:
        connections.put(connection)
