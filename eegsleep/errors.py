"""The errors eegsleep raises: what was asked, what was found, what is allowed, and what to do about it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class EegSleepError(Exception):
    """Base of every error that eegsleep raises on purpose; the command line shows it without a traceback.

    As text, it reads: `the number of streams is out of range. Found: 99. Allowed: 1 to 8. Use fewer.` The first
    word keeps its form, for it is often the name of a file.

    Parameters
    ----------
    problem : str
        What was asked and why it cannot be done, as a clause without a full stop.
    found : str, optional
        What was found in its place.
    allowed : str, optional
        What would have been accepted.
    remedy : str, optional
        What the user can do about it, as a sentence without a full stop; its first letter may be small.

    Attributes
    ----------
    problem, found, allowed, remedy : str
        As given; empty where not given.
    """

    def __init__(self, problem: str, *, found: str = "", allowed: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.found = found
        self.allowed = allowed
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return the problem, what was found, what is allowed and the remedy, each as a sentence."""
        parts = [
            self.problem,
            f"Found: {self.found}" if self.found else "",
            f"Allowed: {self.allowed}" if self.allowed else "",
            self.remedy[:1].upper() + self.remedy[1:],
        ]
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to rebuild the error in another process: pickle does not know keyword-only arguments."""
        return _rebuild, (type(self), self.problem, self.found, self.allowed, self.remedy)


def _rebuild(kind: type[EegSleepError], problem: str, found: str, allowed: str, remedy: str) -> EegSleepError:
    return kind(problem, found=found, allowed=allowed, remedy=remedy)


class RecordingError(EegSleepError):
    """A recording that cannot be read without the risk of reading it wrongly.

    Attributes
    ----------
    faults : tuple of eegsleep.recording.faults.Fault
        Every fault found until the recording was refused; empty where it was refused for another reason.
    """

    faults: tuple[Any, ...] = ()


class SettingsError(EegSleepError):
    """A setting, option or argument that does not exist or lies outside what is allowed."""


class TableError(EegSleepError):
    """A table whose columns or values are not the declared ones."""


def describe_error(error: BaseException) -> str:
    """Return why an operation failed, in words: without the number and the path that the system's errors repeat.

    Parameters
    ----------
    error : BaseException
        As Python or a library raised it.

    Returns
    -------
    str
        Such as `no such file or folder`, or `permission denied`; the name of the error where it has no text.
    """
    reason = error.strerror if isinstance(error, OSError) else None
    if reason:
        return "no such file or folder" if isinstance(error, FileNotFoundError) else reason[:1].lower() + reason[1:]
    return str(error) or type(error).__name__


def suggest_name(given: str, known: Iterable[str]) -> str:
    """Return a question after the name that was probably meant, as the remedy of an error.

    Parameters
    ----------
    given : str
        What the user wrote.
    known : iterable of str
        The names that exist.

    Returns
    -------
    str
        Such as `did you mean muse?`; empty if no name is alike. A name that contains the given one is alike.
    """
    wanted = given.strip().casefold()
    names = {name.casefold(): name for name in known}
    alike = get_close_matches(wanted, names, 1, cutoff=0.65) or [name for name in names if wanted and wanted in name]
    return f"did you mean {names[alike[0]]}?" if alike else ""
