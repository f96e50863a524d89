"""One file over HTTP: continued where it stopped, asked for again after growing pauses, never trusted unchecked.

PhysioNet limits the speed of each connection and cuts long ones, so a file arrives in pieces: what has arrived lies in
a `.part` file, and the next request asks for the rest, if the file on the server is still the same (`If-Range`).
urllib3's `Retry` decides which answers are asked for again and after which pause. The caller checks the checksum.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Self

from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from eegsleep.errors import EegSleepError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from threading import Event

    import requests
    from urllib3.response import BaseHTTPResponse

# A broken connection loses the piece that is being read, so pieces are small.
CHUNK_BYTES = 8 * 1024
# A connection that broke after fewer bytes made no progress.
PROGRESS_BYTES = 1_000_000
# How often in a row a file may fail without progress.
TRIES = 5
# Without a network, a user should not wait as long as for a busy server.
TRIES_TO_CONNECT = 3
# Pauses double. A longer Retry-After is cut to the longest pause: a server could ask for days.
PAUSE_S, LONGEST_PAUSE_S = 1.0, 120.0
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 15.0, 60.0
# More than any file of the sets has: a server that never stops would fill the disk.
MAX_BYTES = 4_000_000_000
# The longest list of checksums, that of CinC 2018, has less than 1 MB.
MAX_LIST_BYTES = 20_000_000
# Timeout, too early, too many requests, and server errors that may pass.
_BUSY_STATUSES = {408, 425, 429, 500, 502, 503, 504}


class UnreachableError(EegSleepError):
    """The server does not answer at all, so that asking for the next file is no use."""


class InterruptedFetchError(EegSleepError):
    """The fetch was stopped from outside; what has arrived is kept."""


class _Retry(Retry):
    """urllib3's rules for asking again, with pauses that end when `stop` is set."""

    def __init__(self, total: int, *, stop: Event, **rules: Any) -> None:  # noqa: ANN401 - those of urllib3
        super().__init__(total, **rules)
        self._stop = stop

    def new(self, **changes: Any) -> Self:  # noqa: ANN401 - those of urllib3
        return super().new(stop=self._stop, **changes)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait as long as the server asks, or as our own pause is, whichever is longer."""
        try:
            asked_s = self.get_retry_after(response) if response else None
        except InvalidHeader:
            asked_s = None
        self._stop.wait(min(max(asked_s or 0.0, self.get_backoff_time()), self.backoff_max))
        if self._stop.is_set():
            raise _interrupted()


def _make_retry(stop: Event) -> _Retry:
    return _Retry(
        TRIES - 1,
        connect=TRIES_TO_CONNECT - 1,
        other=TRIES_TO_CONNECT - 1,  # urllib3 counts a refused connection here
        status_forcelist=_BUSY_STATUSES,
        backoff_factor=PAUSE_S,
        backoff_max=LONGEST_PAUSE_S,
        stop=stop,
    )


def open_connection(stop: Event) -> requests.Session:
    """Return a connection that names eegsleep to the server and asks a busy server again.

    Parameters
    ----------
    stop : threading.Event
        Set to give up; a request that waits then raises `InterruptedFetchError`.

    Returns
    -------
    requests.Session
    """
    from importlib.metadata import version

    import requests

    connection = requests.Session()
    # A compressed answer has other byte positions than the file.
    connection.headers.update({"User-Agent": f"eegsleep/{version('eegsleep')}", "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://"):
        connection.mount(scheme, requests.adapters.HTTPAdapter(max_retries=_make_retry(stop)))
    return connection


def check_base_url(base_url: str) -> str:
    """Return a base address with one slash at its end.

    Parameters
    ----------
    base_url : str

    Returns
    -------
    str

    Raises
    ------
    SettingsError
        If it is no http address.
    """
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", base_url):
        raise SettingsError(
            "the base address is not understood",
            found=base_url[:100],
            allowed="an address such as https://physionet.org/files/",
        )
    return base_url.rstrip("/") + "/"


def hide_login(url: str) -> str:
    """Return an address without the name and password in it, to be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def complete_part(
    url: str,
    part: Path,
    connection: requests.Session,
    stop: Event,
    count: Callable[[int], None],
    max_bytes: int = MAX_BYTES,
) -> None:
    """Fetch the rest of a `.part` file.

    Parameters
    ----------
    url : str
    part : Path
        What has arrived; beside it `<part>.tag` names the version of the file on the server.
    connection : requests.Session
        As `open_connection` gives it.
    stop : threading.Event
        Set to give up; what has arrived stays.
    count : callable
        Called with each number of bytes that arrived, and with a negative number for bytes that were thrown away.
    max_bytes : int
        A longer file is refused.

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

    retry, most = _make_retry(stop), _size(part)
    while not stop.is_set():
        response = _request(url, part, connection)
        try:
            with response:
                failure = _receive(url, response, part, max_bytes, stop, count)
        except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError) as error:
            failure = f"the connection broke: {_describe_cause(error)}"
        if not failure:
            _tag(part).unlink(missing_ok=True)
            return
        if _size(part) - most >= PROGRESS_BYTES:
            retry = _make_retry(stop)
        most = max(most, _size(part))
        try:
            retry = retry.increment("GET", url)
        except MaxRetryError as error:
            raise _refused(url, failure) from error
        retry.sleep()
    raise _interrupted()


def fetch_text(url: str, part: Path, connection: requests.Session, stop: Event) -> str:
    """Return a small text of the server; nothing of an earlier try is used, because no checksum could check it.

    Parameters
    ----------
    url : str
    part : Path
        Where it is kept while it arrives.
    connection : requests.Session
    stop : threading.Event

    Returns
    -------
    str
    """
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
    complete_part(url, part, connection, stop, lambda _: None, MAX_LIST_BYTES)
    text = part.read_text(encoding="utf-8", errors="replace")
    part.unlink()
    return text


def _request(url: str, part: Path, connection: requests.Session) -> requests.Response:
    """Ask for the rest of a file; return the answer, whose body is still to be read."""
    import requests

    headers = {}
    if arrived := _size(part):
        headers["Range"] = f"bytes={arrived}-"
        tag = _tag(part).read_text(encoding="latin-1") if _tag(part).is_file() else ""
        if tag and tag.isprintable():  # a power cut may leave zeros in it
            headers["If-Range"] = tag
    try:
        return connection.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _unreachable(url, _describe_cause(error)) from error
    except requests.RequestException as error:
        raise _refused(url, _describe_cause(error)) from error


def _receive(
    url: str, response: requests.Response, part: Path, max_bytes: int, stop: Event, count: Callable[[int], None]
) -> str:
    """Write what an answer holds; return why the file has to be asked for again, or nothing."""
    arrived = _size(part)
    if url.startswith("https:") and not response.url.startswith("https:"):
        raise _refused(url, f"a redirection to {hide_login(response.url)}, which is not encrypted")
    if response.status_code == 416 and _range_total(response) != arrived:
        _restart(part, arrived, count)  # more has arrived than there is: another file
        return "the file on the server is shorter than what had arrived"
    if response.status_code == 416:
        return ""
    if response.status_code not in {200, 206}:
        raise _refused(url, f"HTTP {response.status_code} {response.reason or ''}".rstrip())
    if not _continues(response, arrived):  # everything again: Range was ignored, or the file is another
        _restart(part, arrived, count)
        if response.status_code == 206:
            return "the server sent another part of the file than was asked for"
    _append(response, part, max_bytes, stop, count)
    return ""


def _append(response: requests.Response, part: Path, max_bytes: int, stop: Event, count: Callable[[int], None]) -> None:
    """Append what arrives; requests raises if it ends before its announced length."""
    validator = response.headers.get("ETag", "")
    if not validator or validator.startswith("W/"):  # a weak tag does not promise the same bytes
        validator = response.headers.get("Last-Modified", "")
    if validator:
        _tag(part).write_text(validator, encoding="latin-1")
    with part.open("ab") as file:
        for piece in response.iter_content(CHUNK_BYTES):
            if file.tell() + len(piece) > max_bytes:
                file.truncate(0)
                raise _refused(response.url, f"more than {max_bytes / 1e6:g} MB, which no file of these sets has")
            file.write(piece)
            count(len(piece))
            if stop.is_set():
                raise _interrupted()
        file.flush()
        os.fsync(file.fileno())  # a whole file after a power cut, too


def _restart(part: Path, arrived: int, count: Callable[[int], None]) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
    count(-arrived)


def _continues(response: requests.Response, arrived: int) -> bool:
    """Return whether an answer begins where the part ends; a compressed one has other byte positions."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return False
    return response.headers.get("Content-Range", "").startswith(f"bytes {arrived}-")


def _range_total(response: requests.Response) -> int:
    match = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _describe_cause(error: Exception) -> str:
    """Return the text of the innermost of several errors that requests and urllib3 wrap around each other."""
    while True:
        inner = getattr(error, "reason", None) or next((x for x in error.args if isinstance(x, Exception)), None)
        if not isinstance(inner, Exception):
            break
        error = inner
    text = re.sub(r"^<?(?:urllib3\.\S*)?HTTPS?Connection(?:Pool)?\(.*?\)>?: ", "", str(error))
    return (text or type(error).__name__)[:150]


def _refused(url: str, reason: str) -> EegSleepError:
    return EegSleepError(
        "a file cannot be fetched",
        found=f"{reason}, from {hide_login(url)}",
        remedy="try again later, or another server with --mirror",
    )


def _unreachable(url: str, reason: str) -> UnreachableError:
    return UnreachableError(
        "the server cannot be reached",
        found=f"{reason}, from {hide_login(url)}",
        remedy="what was fetched is kept; check the connection, then fetch again to continue, or name another "
        "server with --mirror",
    )


def _interrupted() -> InterruptedFetchError:
    return InterruptedFetchError("the fetch was stopped", remedy="fetch again to continue where it stopped")
