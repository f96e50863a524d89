"""Output of all commands: lines, and on a terminal the step that is running."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def printable(text: str) -> str:
    """Return the text on one line without control characters, which a header or a file name may carry."""
    return "".join(c if c.isprintable() else " " for c in text)


def print_note(text: str) -> None:
    """Write a line to stderr, or nothing if stderr is closed."""
    if sys.stderr:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{printable(text)}\n")
            sys.stderr.flush()


def print_result(lines: Iterable[object]) -> None:
    """Print the result of a command, a line each."""
    for line in lines:
        print(printable(str(line)))


class _StepHandler(logging.Handler):
    """Hands every message of level INFO to a function."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:  # warnings are printed with the result
            self._show(record.getMessage())


@contextmanager
def show_steps(*, in_lines: bool = False) -> Iterator[Callable[[str], None]]:
    """Show on a terminal which step is running, as the package logs it; elsewhere a line a step if `in_lines`."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        with hear_steps(lambda step: print_note(_as_line(step))) if in_lines else nullcontext():
            yield lambda _: None
        return
    with console.status("starting") as status:

        def show_step(step: str) -> None:
            status.update(_as_line(step))

        with hear_steps(show_step):
            yield show_step


def _as_line(step: str) -> str:
    return f"{step[0].upper()}{step[1:]} …"


@contextmanager
def hear_steps(show: Callable[[str], None], of: str = "eegsleep") -> Iterator[None]:
    """Hand every step that the package, or a part `of` it, logs to a function."""
    handler = _StepHandler(show)
    logger = logging.getLogger(of)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def with_steps(command: Callable[..., list[str] | tuple[list[str], int]]) -> Callable[..., int]:
    """Return a command that shows its steps, then prints the lines it returned; it may return an exit code, too."""

    @wraps(command)
    def run(*arguments: object, **options: object) -> int:
        with show_steps():
            result = command(*arguments, **options)
        lines, code = result if isinstance(result, tuple) else (result, 0)
        print_result(lines)
        return code

    return run
