"""Signals that ask a command to end: each becomes one sentence and an exit code, at whatever moment it comes."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

# Exit codes, as shells give them. A closed terminal (SIGHUP) asks for the same as SIGTERM.
_CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 143}
_SENTENCE = (
    "eegsleep: interrupted; what was finished is kept, and nothing half-written was left. Run the same command again."
)


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end.

    Parameters
    ----------
    code : int
        The exit code it asks for.
    """

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


@contextmanager
def signals_raise() -> Iterator[None]:
    """Let the first of the signals raise `Interrupted`, and ignore further ones while the command ends.

    A signal that is ignored already, as under `nohup`, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = {getattr(signal, name): code for name, code in _CODES.items() if hasattr(signal, name)}
    codes = {number: code for number, code in known.items() if signal.getsignal(number) not in {signal.SIG_IGN, None}}

    def interrupt(number: int, _: object) -> NoReturn:
        for each in codes:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(codes[signal.Signals(number)])

    before = {number: signal.signal(number, interrupt) for number in codes}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is interrupt:  # after an interrupt, the process only has to end
                signal.signal(number, handler)


def end_interrupted(error: KeyboardInterrupt) -> NoReturn:
    """Print the sentence and exit.

    Parameters
    ----------
    error : KeyboardInterrupt
    """
    if sys.stderr:
        with suppress(OSError, ValueError):  # the terminal may be closed
            sys.stderr.write(f"{_SENTENCE}\n")
            sys.stderr.flush()
    sys.exit(error.code if isinstance(error, Interrupted) else _CODES["SIGINT"])
