"""A signal ends the command, however the code that it meets treats exceptions."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from eegsleep.cli.early_signals import CODES, SENTENCE
from eegsleep.cli.interrupts import _AGAIN_S, Interrupted, signals_raise


@pytest.fixture(autouse=True)
def _restored():
    """Give the signals back to pytest: after an interrupt, a command leaves them ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def work_on():
    """Work until an interrupt; a lost one would let it come to its end."""
    end = time.monotonic() + 40 * _AGAIN_S
    while time.monotonic() < end:
        time.sleep(_AGAIN_S / 10)
    pytest.fail("the interrupt was lost")


def run(work):
    """Run a function as a command is run."""
    with signals_raise():
        work()


def send(number):
    """Send this process a signal; it is handled before the next line at the latest."""
    os.kill(os.getpid(), number)
    time.sleep(_AGAIN_S / 10)


def test_what_catches_every_exception_does_not_lose_it():
    def work():
        with contextlib.suppress(BaseException):  # as some libraries do
            send(signal.SIGTERM)
        work_on()

    with pytest.raises(Interrupted) as ended:
        run(work)
    assert ended.value.code == 143


def test_where_python_ignores_exceptions_it_is_not_lost_and_nothing_is_printed(capsys):
    class Left:
        def __del__(self):
            send(signal.SIGTERM)

    def work():
        left = Left()
        del left
        work_on()

    with pytest.raises(Interrupted):
        run(work)
    assert capsys.readouterr().err == ""


def test_cleaning_up_is_not_cut_short():
    cleaned = []

    def work():
        try:
            send(signal.SIGTERM)
        finally:
            end = time.monotonic() + 2 * _AGAIN_S
            while time.monotonic() < end:
                send(signal.SIGTERM)
            cleaned.append(True)

    with pytest.raises(Interrupted):
        run(work)
    assert cleaned == [True]


def test_an_error_that_the_interrupt_became_is_an_interrupt():
    def work():
        try:
            send(signal.SIGHUP)
        except KeyboardInterrupt as error:
            raise ImportError("a module was half imported") from error

    with pytest.raises(Interrupted) as ended:
        run(work)
    assert ended.value.code == 143


def test_a_signal_after_the_command_was_interrupted_is_ignored():
    with pytest.raises(Interrupted):
        run(lambda: send(signal.SIGTERM))
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_without_a_signal_everything_is_as_before():
    def fail():
        raise ValueError("its own error")

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="its own"):
        run(fail)
    assert signal.getsignal(signal.SIGTERM) is before


def run_python(code):
    """Run code in a fresh interpreter, as the command starts in one."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_a_signal_while_the_command_starts_ends_it_at_once(name, code):
    """What was printed is kept, and no code that catches exceptions can hold it up."""
    done = run_python(f"""
import os, _signal
from eegsleep.cli.early_signals import end_on_signals
end_on_signals()
print("printed before")
try:
    os.kill(os.getpid(), _signal.{name})
    print("printed after")
except BaseException:
    print("caught")
""")
    assert (done.returncode, done.stdout, done.stderr) == (code, "printed before\n", f"{SENTENCE}\n")


def test_a_signal_that_is_ignored_stays_so_and_the_end_of_python_is_not_disturbed():
    done = run_python("""
import atexit, os, _signal
def send():
    os.kill(os.getpid(), _signal.SIGTERM)
from eegsleep.cli.early_signals import end_on_signals
_signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
atexit.register(send)  # is called after what end_on_signals registers
end_on_signals()
os.kill(os.getpid(), _signal.SIGHUP)
print("all done")
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "all done\n", "")


def test_next_to_nothing_is_imported_before_signals_are_understood():
    done = run_python("""
import sys
before = set(sys.modules)
import eegsleep.__main__
print(*sorted(set(sys.modules) - before - {"atexit"}))
""")
    assert done.stdout.split() == ["eegsleep", "eegsleep.__main__", "eegsleep.cli", "eegsleep.cli.early_signals"]
