"""The one family of errors: what was asked, what was found, what is allowed, how to mend it."""

from __future__ import annotations


class EegSleepError(Exception):
    """Base of every error eegsleep raises on purpose; the command line shows it without a traceback.

    Parameters
    ----------
    problem : str
        What was asked and why it cannot be done, as a clause without a full stop.
    found : str, optional
        What was found in its place.
    allowed : str, optional
        What would have been accepted.
    remedy : str, optional
        What the user can do about it.
    """

    def __init__(self, problem: str, *, found: str = "", allowed: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.found = found
        self.allowed = allowed
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        """One sentence: the problem, then what was found, what is allowed and the remedy."""
        parts = [self.problem]
        if self.found:
            parts.append(f"found {self.found}")
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.remedy:
            parts.append(self.remedy)
        return "; ".join(parts) + "."

    def __reduce__(self) -> tuple:  # a keyword-only constructor does not survive pickling between processes
        return _rebuild, (type(self), self.problem, self.found, self.allowed, self.remedy)


def _rebuild(kind: type[EegSleepError], problem: str, found: str, allowed: str, remedy: str) -> EegSleepError:
    return kind(problem, found=found, allowed=allowed, remedy=remedy)


class RecordingError(EegSleepError):
    """A recording that cannot be read without the risk of reading it wrongly.

    `faults` holds every `eegsleep.recording.faults.Fault` found until it was refused, where there are any.
    """

    faults: tuple = ()


class SettingsError(EegSleepError):
    """A setting, option or argument that does not exist or lies outside what is allowed."""


class TableError(EegSleepError):
    """A table whose columns or values are not those it was declared with."""
