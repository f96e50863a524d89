"""Signals that ask a command to end: each becomes one sentence and an exit code, at whatever moment it comes."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn

from eegsleep.cli.early_signals import CODES, SENTENCE, find_codes, ignore_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# An exception that a signal raises can be lost: Python ignores those of `__del__` and weak references, and a library
# may catch every exception. Until the command ends, it is therefore raised again after this time.
_AGAIN_S = 0.25


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
    """Let a signal raise `Interrupted`, again if it is lost; while the command ends, further ones are ignored.

    A signal that is ignored already, as under `nohup`, stays ignored.

    Raises
    ------
    Interrupted
        In place of whatever else ends the block after a signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    codes = find_codes()
    received: list[int] = []

    def interrupt(number: int, _: object) -> None:
        received.append(number)
        if _is_ending():
            return
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, interrupt)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S, _AGAIN_S)
        raise Interrupted(codes[received[0]])

    before = {number: signal.signal(number, interrupt) for number in codes}
    report, sys.unraisablehook = sys.unraisablehook, _report_but_interrupts(sys.unraisablehook)
    try:
        yield
    except BaseException as error:
        if not received or isinstance(error, Interrupted):
            raise
        raise Interrupted(codes[received[0]]) from error
    finally:
        sys.unraisablehook = report
        if received:
            _end_alarm()
            ignore_signals(codes)
        _restore_handlers(before, interrupt)
    if received:
        raise Interrupted(codes[received[0]])


def _restore_handlers(before: dict[int, Any], ours: object) -> None:
    """Give back the handlers of signals that are ours still."""
    for number, handler in before.items():
        if signal.getsignal(number) is ours:
            signal.signal(number, handler)


def _end_alarm() -> None:
    """Raise no more interrupts: after one, the process only has to end."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _is_ending() -> bool:
    """Return whether code that cleans up after an `Interrupted` is running."""
    error = sys.exception()
    while error is not None and not isinstance(error, Interrupted):
        error = error.__context__
    return error is not None


def _report_but_interrupts(report: Callable[[sys.UnraisableHookArgs], object]) -> Callable[..., None]:
    """Return a hook that reports exceptions which Python ignores, but no `Interrupted`, which is raised again."""

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):
            report(unraisable)

    return hook


def end_interrupted(error: KeyboardInterrupt) -> NoReturn:
    """Print the sentence and exit; signals are ignored from here on.

    Parameters
    ----------
    error : KeyboardInterrupt
    """
    if threading.current_thread() is threading.main_thread():
        _end_alarm()
        ignore_signals(find_codes())  # the signal may have come too late for `signals_raise` to do so
    if sys.stderr:
        with suppress(OSError, ValueError):  # the terminal may be closed
            sys.stderr.write(f"{SENTENCE}\n")
            sys.stderr.flush()
    sys.exit(error.code if isinstance(error, Interrupted) else CODES["SIGINT"])
