"""Dask workers: a cluster started on this machine, or one that runs already."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.batch.jobs_file import JOBS_FOLDER
from eegsleep.errors import EegSleepError, SettingsError
from eegsleep.provenance import package_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

logger = logging.getLogger(__name__)

# Peak memory of a long night, libraries included: ten hours of four channels at 512 Hz took 3.2 GB.
NIGHT_BYTES = 3_300_000_000
# The libraries alone take more than this.
_LEAST_BYTES = 100_000_000
# A cluster may start workers from a queue; where that takes longer, start them before the batch.
_WAIT_S = 600.0
_CONNECT_S = 20.0
# One thread does all of a night's arithmetic; these are read before numpy is imported.
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_CONFIG = {
    "distributed.nanny.pre-spawn-environ": _THREADS,
    # `on_dask` decides whether a night whose process died is tried again
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-saturation": 1.0,
    # native code may block the interpreter for long; the nanny watches the process itself
    "distributed.scheduler.worker-ttl": None,
    # Dask keeps no data of the nights: nothing can be spilled, and a paused worker would never go on
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
    # the web servers cannot be turned off; they serve only the health check
    "distributed.scheduler.http.routes": ["distributed.http.health"],
    "distributed.worker.http.routes": ["distributed.http.health"],
    "distributed.worker.preload": ["eegsleep.batch.task"],
}


class Resources(NamedTuple):
    """Workers and memory that a run may use; None for all that this machine has.

    Attributes
    ----------
    workers : int, optional
        Processes on this machine; with 0, nights are scored in this process, one after the other, without Dask.
    memory_limit : str, optional
        Memory of one worker, such as 2GB; one that goes over it is stopped.
    scheduler : str, optional
        Address or file of a Dask scheduler that runs already.
    """

    workers: int | None = None
    memory_limit: str | None = None
    scheduler: str | None = None


@contextmanager
def open_client(resources: Resources, n_nights: int) -> Iterator[tuple[Client, int]]:
    """Yield a client, and the memory limit of its workers in bytes; 0 for workers that were started elsewhere.

    Raises
    ------
    EegSleepError
        If the scheduler cannot be reached.
    """
    if resources.scheduler:
        with _quiet(), _connect(resources.scheduler) as client:
            yield client, 0
        return
    n_workers, memory_bytes = share_machine(resources, n_nights)
    with _quiet(), _start_cluster(n_workers, memory_bytes) as client:
        yield client, memory_bytes


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the loggers of Dask: failures are reported in jobs.csv or as an error."""
    import distributed  # noqa: F401 - makes its loggers

    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def check_resources(resources: Resources) -> None:
    """Refuse resources that cannot be used, before anything is started.

    Raises
    ------
    SettingsError
        If one of them cannot be used.
    """
    if resources.workers is not None and resources.workers < 0:
        raise SettingsError("there is no such number of workers", found=str(resources.workers), allowed="0 and more")
    if resources.memory_limit is not None:
        _parse_memory(resources.memory_limit)
    if resources.scheduler is not None:
        _find_address(resources.scheduler)


def _find_address(scheduler: str) -> str:
    """Return the address of a scheduler. A scheduler file is read here: with a damaged one, Dask would wait long."""
    address = scheduler
    if Path(scheduler).is_file():
        try:
            address = str(json.loads(Path(scheduler).read_bytes())["address"])
        except (OSError, ValueError, LookupError, TypeError):
            address = ""
    if ":" not in address:
        raise SettingsError(
            "there is no such scheduler",
            found=scheduler or "no name",
            allowed="an address such as tcp://host:8786, or the file a scheduler wrote",
        )
    return address


def _parse_memory(limit: str) -> int:
    from dask.utils import parse_bytes

    try:
        memory_bytes = parse_bytes(limit)
    except ValueError:
        memory_bytes = 0
    if memory_bytes < _LEAST_BYTES:
        raise SettingsError(
            "the memory limit is not understood, or too little to begin with", found=limit, allowed="such as 2GB"
        )
    return memory_bytes


def share_machine(resources: Resources, n_nights: int) -> tuple[int, int]:
    """Return how many workers this machine takes, and the memory of each in bytes.

    Parameters
    ----------
    resources : Resources
    n_nights : int
        No more workers are started than that.

    Returns
    -------
    n_workers, memory_bytes : int
    """
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    n_workers = resources.workers
    memory_bytes = _parse_memory(resources.memory_limit) if resources.memory_limit else 0
    if n_workers is None:
        n_workers = max(1, min(CPU_COUNT, MEMORY_LIMIT // (memory_bytes or NIGHT_BYTES)))
    n_workers = min(n_workers, n_nights)
    return n_workers, memory_bytes or MEMORY_LIMIT // n_workers


@contextmanager
def _start_cluster(n_workers: int, memory_bytes: int) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set({**_CONFIG, "distributed.logging": {"distributed": "critical"}}):
        try:
            cluster = LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=memory_bytes,
                host="127.0.0.1",
                dashboard_address=None,
                # its default port may be in use by another cluster, and Dask would warn of it
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError) as error:
            raise EegSleepError(
                "the workers cannot be started",
                found=f"{type(error).__name__}: {error}",
                remedy="give fewer with --workers; with 0, this process does the work",
            ) from error
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


@contextmanager
def _connect(scheduler: str) -> Iterator[Client]:
    from distributed import Client
    from distributed.comm import get_address_host_port

    logger.info("connecting to the scheduler")
    address = _find_address(scheduler)
    try:
        host, port = get_address_host_port(address)  # a client with a wrong address takes long to close
        if address.partition("://")[0] in {"tcp", address}:
            _await_greeting(host, port)
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EegSleepError(
            f"the scheduler {scheduler} does not answer",
            found=str(error) or type(error).__name__,
            remedy="check that it runs and can be reached from here",
        ) from error
    with client:
        yield client


def _await_greeting(host: str, port: int) -> None:
    """Raise if the server is not a Dask scheduler, which sends first; a client would wait for ever for another one."""
    import socket

    with socket.create_connection((host, port), timeout=_CONNECT_S) as connection:
        if not connection.recv(1):
            raise OSError("it closes the connection at once")


def check_workers(client: Client, output: Path) -> None:
    """Refuse workers that do not see the folder for the nights, or have other versions of the packages.

    Raises
    ------
    EegSleepError
        If there is no worker, or one of them cannot be used.
    """
    try:
        client.wait_for_workers(1, timeout=_WAIT_S)
    except TimeoutError as error:
        raise EegSleepError(
            "the scheduler has no worker",
            found=f"none in {_WAIT_S:g} s",
            remedy="start workers, then run the same command again",
        ) from error
    mine = package_versions()
    for worker, found in client.run(describe_worker, output, on_error="return").items():
        if isinstance(found, Exception):
            raise EegSleepError(
                f"the worker {worker} cannot run eegsleep",
                found=f"{type(found).__name__}: {found}",
                remedy="install the same eegsleep where the workers run",
            )
        versions, sees = found
        unlike = [f"{name} {versions.get(name, 'none')}" for name in mine if versions.get(name) != mine[name]]
        if unlike:
            raise EegSleepError(
                f"the worker {worker} has other versions than this command",
                found=", ".join(unlike),
                allowed=", ".join(f"{item.split()[0]} {mine[item.split()[0]]}" for item in unlike),
                remedy="install the same versions: they can change numbers",
            )
        if not sees:
            raise EegSleepError(
                f"the worker {worker} does not see the folder for the nights",
                found=f"no {output} there",
                remedy="give a folder with --output that all workers share",
            )


def describe_worker(output: Path) -> tuple[dict[str, str], bool]:
    """Return, in a worker, its versions and whether it sees the folder for the nights."""
    return package_versions(), (output / JOBS_FOLDER).is_dir()


def went_over(client: Client, worker: str) -> bool:
    """Return whether a worker was stopped for exceeding its memory limit; False if Dask did not record it."""
    events = client.get_events("worker-restart-memory") or ()
    return any(event.get("worker") == worker for _, event in events if isinstance(event, dict))
