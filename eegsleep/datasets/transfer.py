"""One file over HTTP: resumed where it stopped, asked for again with growing pauses, never trusted unchecked.

PhysioNet throttles each connection and cuts long ones, so a file comes in pieces: what has arrived lies in a
`.part` file, and the next request asks for the rest, if the file on the server is still the same (`If-Range`).
Checksums are the business of whoever calls.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from eegsleep.errors import EegSleepError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from threading import Event

    import requests

# What is being read when a connection breaks is lost, so little is read at a time.
CHUNK_BYTES = 8 * 1024
# So much must arrive for a connection that broke to count as progress.
PROGRESS_BYTES = 1_000_000
# Timeout, too early, too many requests, and the errors of a server that may be well again.
_BUSY_STATUSES = {408, 425, 429, 500, 502, 503, 504}
MAX_STREAMS = 8
# The longest list of checksums, that of CinC 2018, has less than 1 MB.
_MAX_LIST_BYTES = 20_000_000
# Who is offline should not have to wait for a server that might be well again.
_TRIES_TO_CONNECT = 3


@dataclass(frozen=True)
class Patience:
    """How many files are asked for at once, how long an unwilling server is waited for, and how much is taken of it.

    `streams` is 1 to 8; `tries` is how often in a row a file may fail without progress; the pause begins with
    `pause_s`, doubles, and is never longer than `max_pause_s`, whatever the server's `Retry-After` says.
    `max_bytes` is more than any file of the sets has: a server that never ends would fill the disk.
    """

    streams: int = 4
    tries: int = 5
    pause_s: float = 1.0
    max_pause_s: float = 120.0
    connect_timeout_s: float = 15.0
    read_timeout_s: float = 60.0
    max_bytes: int = 4_000_000_000

    def __post_init__(self) -> None:
        if not 1 <= self.streams <= MAX_STREAMS:
            raise SettingsError(
                "the number of streams is out of range",
                found=str(self.streams),
                allowed=f"1 to {MAX_STREAMS}: PhysioNet is a shared server",
            )


class _Delay(NamedTuple):
    """How many seconds to wait at least before a file is asked for again, and why."""

    wait_s: float
    reason: str


class UnreachableError(EegSleepError):
    """The server does not answer at all, so that asking for the next file is no use."""


class InterruptedFetchError(EegSleepError):
    """The fetch was stopped from outside; what has arrived is kept."""


def open_connection() -> requests.Session:
    """Return a connection that says who asks."""
    from importlib.metadata import version

    import requests

    connection = requests.Session()
    # A compressed answer has other byte positions than the file.
    connection.headers.update({"User-Agent": f"eegsleep/{version('eegsleep')}", "Accept-Encoding": "identity"})
    return connection


def check_base_url(base_url: str) -> str:
    """Return a base address with one slash at its end, or refuse what is no http address."""
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", base_url):
        raise SettingsError(
            "the base address is not understood",
            found=base_url[:100],
            allowed="an address such as https://physionet.org/files/",
        )
    return base_url.rstrip("/") + "/"


def hide_login(url: str) -> str:
    """Return an address without a name and password in it, to be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def complete_part(
    url: str, part: Path, connection: requests.Session, patience: Patience, stop: Event, say: Callable[[int], None]
) -> None:
    """Bring a `.part` file to its end, beginning where it stopped.

    Parameters
    ----------
    url : str
    part : Path
        What has arrived; beside it `<part>.tag` says of which version of the file.
    connection : requests.Session
    patience : Patience
    stop : threading.Event
        Set to give up; what has arrived stays.
    say : callable
        Told of each number of bytes that arrived, and of those lost again as a negative number.

    Raises
    ------
    UnreachableError
        If no connection can be made.
    InterruptedFetchError
        If `stop` was set.
    EegSleepError
        If the server refuses the file, or keeps failing.
    """
    import requests

    failures, most, connected = 0, _size(part), False
    while not stop.is_set():
        try:
            delay = _ask(url, part, connection, patience, stop, say)
            if delay is None:
                _tag(part).unlink(missing_ok=True)
                return
            (wait_s, reason), connected = delay, True
        except requests.exceptions.ChunkedEncodingError as error:  # it had begun to answer
            wait_s, reason, connected = 0.0, f"the connection broke: {_reason(error)}", True
        except (requests.ConnectionError, requests.Timeout) as error:
            connected = connected or _size(part) > most
            wait_s, reason = 0.0, _reason(error)
        except requests.RequestException as error:
            raise _refuse(url, _reason(error)) from error
        failures = 1 if _size(part) - most >= PROGRESS_BYTES else failures + 1
        most = max(most, _size(part))
        if failures >= (patience.tries if connected else min(patience.tries, _TRIES_TO_CONNECT)):
            raise _refuse(url, reason) if connected else _miss(url, reason)
        stop.wait(min(max(wait_s, patience.pause_s * 2 ** (failures - 1)), patience.max_pause_s))
    raise InterruptedFetchError("the fetch was stopped", remedy="fetch again to continue where it stopped")


def fetch_text(url: str, part: Path, connection: requests.Session, patience: Patience, stop: Event) -> str:
    """Return a small text of the server; nothing of an earlier try is used, for no checksum would tell."""
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
    complete_part(url, part, connection, replace(patience, max_bytes=_MAX_LIST_BYTES), stop, lambda _: None)
    text = part.read_text(encoding="utf-8", errors="replace")
    part.unlink()
    return text


def _ask(
    url: str, part: Path, connection: requests.Session, patience: Patience, stop: Event, say: Callable[[int], None]
) -> _Delay | None:
    """Ask for the rest of a file and write it; return None when it is whole, or why to ask again."""
    arrived = _size(part)
    headers = {}
    if arrived:
        headers["Range"] = f"bytes={arrived}-"
        tag = _tag(part).read_text(encoding="latin-1") if _tag(part).is_file() else ""
        if tag and tag.isprintable():  # a power cut may leave zeros in it
            headers["If-Range"] = tag
    timeout = (patience.connect_timeout_s, patience.read_timeout_s)
    with connection.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if url.startswith("https:") and not response.url.startswith("https:"):
            raise _refuse(url, f"a redirection to {hide_login(response.url)}, which is not encrypted")
        if response.status_code in _BUSY_STATUSES:
            wait_s = _retry_after_s(response.headers.get("Retry-After", ""))
            return _Delay(wait_s, f"the server is busy (HTTP {response.status_code})")
        if response.status_code == 416 and _range_total(response) != arrived:
            _restart(part, arrived, say)  # more has arrived than there is: another file
            return _Delay(0.0, "the file on the server is shorter than what had arrived")
        if response.status_code == 416:
            return None
        if response.status_code not in {200, 206}:
            raise _refuse(url, f"HTTP {response.status_code} {response.reason or ''}".rstrip())
        if not _continues(response, arrived):  # everything again: Range was ignored, or the file is another
            _restart(part, arrived, say)
            if response.status_code == 206:
                return _Delay(0.0, "the server sent another part of the file than was asked for")
        _append(response, part, patience.max_bytes, stop, say)
    return None


def _append(response: requests.Response, part: Path, max_bytes: int, stop: Event, say: Callable[[int], None]) -> None:
    """Write what comes behind what has arrived; requests raises if it ends before its announced length."""
    validator = response.headers.get("ETag", "")
    if not validator or validator.startswith("W/"):  # a weak tag does not promise the same bytes
        validator = response.headers.get("Last-Modified", "")
    if validator:
        _tag(part).write_text(validator, encoding="latin-1")
    with part.open("ab") as file:
        for piece in response.iter_content(CHUNK_BYTES):
            if file.tell() + len(piece) > max_bytes:
                file.truncate(0)
                raise _refuse(response.url, f"more than {max_bytes / 1e6:g} MB, which no file of these sets has")
            file.write(piece)
            say(len(piece))
            if stop.is_set():
                raise InterruptedFetchError("the fetch was stopped", remedy="fetch again to continue where it stopped")
        file.flush()
        os.fsync(file.fileno())  # a whole file after a power cut, too


def _restart(part: Path, arrived: int, say: Callable[[int], None]) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
    say(-arrived)


def _continues(response: requests.Response, arrived: int) -> bool:
    """Tell whether an answer goes on where the part ends; the bytes of a compressed one are counted otherwise."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return False
    return response.headers.get("Content-Range", "").startswith(f"bytes {arrived}-")


def _range_total(response: requests.Response) -> int:
    match = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _retry_after_s(text: str) -> float:
    """Return the seconds a server asks to wait; a date, or nothing, leaves it to our own pauses."""
    return float(text) if re.fullmatch(r"\d{1,6}", text.strip()) else 0.0


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _reason(error: Exception) -> str:
    """Return the innermost sentence of an error that requests wraps several times."""
    while True:
        inner = getattr(error, "reason", None) or next((x for x in error.args if isinstance(x, Exception)), None)
        if not isinstance(inner, Exception):
            break
        error = inner
    text = re.sub(r"^<?(?:urllib3\.\S*)?HTTPS?Connection(?:Pool)?\(.*?\)>?: ", "", str(error))
    return (text or type(error).__name__)[:150]


def _refuse(url: str, reason: str) -> EegSleepError:
    return EegSleepError(
        "a file cannot be fetched",
        found=f"{reason}, from {hide_login(url)}",
        remedy="try again later, or another server with --mirror",
    )


def _miss(url: str, reason: str) -> UnreachableError:
    return UnreachableError(
        "the server cannot be reached",
        found=f"{reason}, from {hide_login(url)}",
        remedy="what was fetched is kept; check the connection, then fetch again to continue, or name another "
        "server with --mirror",
    )
