"""Signals that ask a command to end while it starts or after its work, when nothing has to be cleaned up.

This is imported before anything else of a command, and imports next to nothing itself: until `end_on_signals` is
called, a signal ends Python in its own ways, with a traceback or without a word.
"""

import _signal  # the functions of signal without its enumerations, whose import would take several milliseconds
import atexit
import os
import sys

# Exit codes, as shells give them. A closed terminal (SIGHUP) asks for the same as SIGTERM.
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 143}
SENTENCE = (
    "eegsleep: interrupted; what was finished is kept, and nothing half-written was left. Run the same command again."
)


def end_on_signals() -> None:
    """Let a signal print the sentence and end the process at once, until `signals_raise` takes over, and after it.

    No exception is raised, which a module that is half imported may turn into another one. A signal that is ignored
    already, as under `nohup`, stays ignored. In the last milliseconds, when Python frees its memory, signals are
    ignored: all is done, and the exit code is known.
    """
    codes = find_codes()

    def end(number: int, _: object) -> None:
        try:  # noqa: SIM105 - contextlib takes milliseconds, too
            sys.stdout.flush()
        except (AttributeError, OSError, RuntimeError, ValueError):  # closed, or being written to just now
            pass
        try:  # noqa: SIM105
            os.write(sys.stderr.fileno(), f"{SENTENCE}\n".encode())
        except (AttributeError, OSError, ValueError):  # the terminal may be closed
            pass
        os._exit(codes[number])

    for number in codes:
        _signal.signal(number, end)
    atexit.register(ignore_signals, codes)  # the first that is registered is the last that is called


def find_codes() -> dict[int, int]:
    """Return the exit code of each signal of this system that is not ignored."""
    known = {getattr(_signal, name): code for name, code in CODES.items() if hasattr(_signal, name)}
    return {number: code for number, code in known.items() if _signal.getsignal(number) not in {_signal.SIG_IGN, None}}


def ignore_signals(codes: dict[int, int]) -> None:
    """Ignore signals from now on: the process only has to end."""
    for number in codes:
        _signal.signal(number, _signal.SIG_IGN)
