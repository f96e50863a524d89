"""A Dask cluster that runs already, on this machine or on others: how it is reached, and whether it can be used."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from eegsleep.batch.jobs_file import JOBS_FOLDER
from eegsleep.errors import EegSleepError, SettingsError, describe_error
from eegsleep.json_files import parse_json
from eegsleep.provenance import package_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client, Security

    from eegsleep.batch.resources import Resources

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A cluster may start workers from a queue; where that takes longer, start them before the batch.
WAIT_S = 600.0
# To connect, and for each answer of the scheduler.
_CONNECT_S = 20.0
_ANSWER_S = 60.0
# A message of Dask begins with its length; the first one of a scheduler has some 300 bytes.
_LENGTH, _MAX_GREETING = struct.Struct("<Q"), 100_000


def describe_scheduler(resources: Resources) -> str:
    """Return a warning if the scheduler lets in everyone who can reach it; empty if it does not, or there is none.

    Parameters
    ----------
    resources : Resources

    Returns
    -------
    str
    """
    if not resources.scheduler or find_address(resources.scheduler).startswith("tls://"):
        return ""
    return (
        f"The scheduler {resources.scheduler} is not protected: everyone who can reach it can run programs as the "
        "person who started its workers. Start it with --tls-ca-file, --tls-cert and --tls-key, "
        "and give --tls-ca, --tls-cert and --tls-key here."
    )


@contextmanager
def open_client(resources: Resources) -> Iterator[Client]:
    """Yield a client of the scheduler.

    Parameters
    ----------
    resources : Resources

    Raises
    ------
    EegSleepError
        If the scheduler cannot be reached.
    """
    with _quiet(), _connect(resources) as client:
        yield client


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


def find_address(scheduler: str) -> str:
    """Return the address of a scheduler. A scheduler file is read here: with a damaged one, Dask would wait long."""
    address = scheduler
    if Path(scheduler).is_file():
        try:
            address = str(parse_json(Path(scheduler).read_bytes())["address"])
        except (OSError, ValueError, LookupError, TypeError):
            address = ""
    if ":" not in address:
        raise SettingsError(
            "there is no such scheduler",
            found=scheduler or "no name",
            allowed="an address such as tcp://host:8786, or the file a scheduler wrote",
        )
    return address


@contextmanager
def _connect(resources: Resources) -> Iterator[Client]:
    from distributed import Client
    from distributed.comm import get_address_host_port

    logger.info("connecting to the scheduler")
    scheduler = resources.scheduler or ""
    address = find_address(scheduler)
    try:
        security = _secure(resources)
        if "://" not in address:
            address = f"{'tls' if security else 'tcp'}://{address}"
        host, port = get_address_host_port(address)  # a client with a wrong address takes long to close
        _check_greeting(host, port, security)
        within(_CONNECT_S, lambda: asyncio.run(_shake_hands(address, security)))
        client = within(
            2 * _CONNECT_S, lambda: Client(address, timeout=_CONNECT_S, set_as_default=False, security=security)
        )
    except Exception as error:  # another program may answer with anything, and Dask fails on it in its own ways
        raise EegSleepError(
            f"the scheduler {scheduler} does not answer",
            found=describe_error(error),
            remedy="check that it is a Dask scheduler, that it runs, and that it can be reached from here",
        ) from error
    with suppress(KeyError):  # one started with --no-dashboard may give an address, too
        logger.info("the dashboard of the scheduler, unless it was started without, is %s", client.dashboard_link)
    try:
        yield client
    finally:
        with suppress(OSError, RuntimeError):
            within(2 * _CONNECT_S, lambda: client.close(timeout=_CONNECT_S))


def _secure(resources: Resources) -> Security | None:
    from distributed import Security

    if not resources.tls_ca:
        return None
    return Security(
        tls_ca_file=str(resources.tls_ca),
        tls_client_cert=str(resources.tls_cert),
        tls_client_key=str(resources.tls_key),
        require_encryption=True,
    )


def _check_greeting(host: str, port: int, security: Security | None) -> None:
    """Raise OSError if the server is not a Dask scheduler, whose first message is short and comes unasked.

    A client would wait for ever for a server that waits to be spoken to, and would make room for the message that any
    other protocol announces to it, be it exbibytes.
    """
    until_s = time.monotonic() + _CONNECT_S
    with ExitStack() as opened:
        stream = opened.enter_context(socket.create_connection((host, port), timeout=_CONNECT_S))
        if security:
            context = security.get_connection_args("client")["ssl_context"]
            stream = opened.enter_context(context.wrap_socket(stream))
        greeting = b""
        while len(greeting) < _LENGTH.size or len(greeting) < _LENGTH.size + _LENGTH.unpack_from(greeting)[0]:
            stream.settimeout(max(0.01, until_s - time.monotonic()))
            piece = stream.recv(4096)
            greeting += piece
            if not piece:
                raise OSError("it closes the connection at once")
            if len(greeting) >= _LENGTH.size and _LENGTH.unpack_from(greeting)[0] > _MAX_GREETING:
                raise OSError("it speaks another protocol")


async def _shake_hands(address: str, security: Security | None) -> None:
    """Raise if the server does not agree with Dask on a protocol; a client that fails on it cannot be closed."""
    from distributed.comm import connect

    arguments = security.get_connection_args("client") if security else {}
    comm = await connect(address, timeout=_CONNECT_S, **arguments)
    comm.abort()


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call returns, or raise TimeoutError if it takes longer; the call is then left to itself.

    Parameters
    ----------
    seconds : float
    call : callable

    Raises
    ------
    TimeoutError
        If it takes longer.
    """
    ends: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            ends.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            ends.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ends:
        raise TimeoutError(f"no answer within {seconds:g} s")
    result, error = ends[0]
    if error is not None:
        raise error
    return cast("T", result)


def count_workers(client: Client) -> int:
    """Return how many workers the scheduler has.

    Parameters
    ----------
    client : distributed.Client

    Raises
    ------
    OSError
        If it does not answer.
    """
    return len(within(_ANSWER_S, client.nthreads))


def check_workers(client: Client, output: Path) -> None:
    """Refuse workers that do not see the folder for the nights, or have other versions of the packages.

    Raises
    ------
    EegSleepError
        If there is no worker, or one of them cannot be used.
    OSError
        If the connection is lost meanwhile.
    """
    if not count_workers(client):
        logger.info("waiting for a worker of the scheduler, for at most %g minutes", WAIT_S / 60)
    try:
        within(WAIT_S + _ANSWER_S, lambda: client.wait_for_workers(1, timeout=WAIT_S))
    except TimeoutError as error:
        raise EegSleepError(
            "the scheduler has no worker",
            found=f"none in {WAIT_S:g} s",
            remedy="start workers, then run the same command again",
        ) from error
    mine = package_versions()
    try:
        answers = within(_ANSWER_S, lambda: client.run(describe_worker, output, on_error="return"))
    except OSError as error:
        raise EegSleepError(
            "the workers of the scheduler do not answer",
            found=describe_error(error),
            remedy="start them again, then run the same command again",
        ) from error
    for worker, found in answers.items():
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
    events = within(_ANSWER_S, lambda: client.get_events("worker-restart-memory")) or ()
    return any(event.get("worker") == worker for _, event in events if isinstance(event, dict))
