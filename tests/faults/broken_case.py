"""What a broken file is, and what a reader is seen to make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from faults.edf_bytes import RATE, STEP_UV, base_truth

import eegsleep as es

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

START = datetime(2024, 6, 14, 23, 15, 30)  # noqa: DTZ001 - EDF has no zone
ONE = {"eeg": ["C4-M1"]}


@dataclass(frozen=True)
class Case:
    """One file and what a careful sleep scientist would want of it.

    Attributes
    ----------
    name, why : str
        What is wrong, and the reason for what is expected.
    make : callable
        Returns the bytes; with `writes`, is given the path and makes what is to stand there.
    expect : str
        What is allowed, joined by ` or `: `quiet` (right numbers, no note), `exact` (right numbers, with or
        without a note), `noted` (right numbers, and a note that matches), `said` (a note that matches,
        whatever the numbers), `refused` (a `RecordingError` that says what was found or what to do).
    truths : tuple of callable
        Each returns label to microvolts; the numbers are right if they are one of these.
    starts : tuple of datetime or None
        Starts that are right; empty where anything will do.
    """

    name: str
    why: str
    make: Callable[..., bytes | None]
    expect: str = "exact"
    truths: tuple[Callable[[], dict[str, np.ndarray]], ...] = (base_truth,)
    options: Mapping[str, Any] = field(default_factory=dict)
    file_name: str = "night.edf"
    starts: tuple[datetime | None, ...] = (START,)
    note: str = "."
    rate_hz: float = RATE
    step_uv: float = STEP_UV
    writes: bool = False

    def write(self, folder: Path) -> Path:
        """Put the file into a folder and return its path."""
        path = folder / self.file_name
        if self.writes:
            self.make(path)
        else:
            path.write_bytes(self.make())
        return path


def judge(case: Case, path: Path) -> tuple[str, str]:
    """Return what came of reading a case, and why: `quiet`, `exact`, `noted`, `said`, `refused` or `wrong`."""
    try:
        recording = es.read_recording(path, **case.options)
    except (es.RecordingError, es.SettingsError) as error:
        if not (error.remedy or error.found or error.allowed):
            return "wrong", f"refused without what was found or what to do: {error}"
        return ("refused" if str(error).isprintable() else "wrong"), repr(str(error))
    except Exception as error:  # noqa: BLE001 - the untyped exception is what is looked for
        return "wrong", f"{type(error).__name__}: {error}"
    problems = [difference(recording, case, truth()) for truth in case.truths] or ["no numbers can be right here"]
    matching = [note for note in recording.notes if re.search(case.note, note, re.IGNORECASE)]
    if not all(problems):
        return ("noted" if matching else "exact" if recording.notes else "quiet"), "; ".join(recording.notes)
    told = f"{'; or '.join(filter(None, problems))}; notes: {recording.notes}"
    return ("said" if matching else "wrong"), told


def difference(recording: es.Recording, case: Case, truth: Mapping[str, np.ndarray]) -> str:
    """Return in what a recording is not the truth, or an empty text if it is."""
    if case.starts and recording.start not in case.starts:
        return f"starts at {recording.start}"
    rate_hz = recording.raw.info["sfreq"]
    if not abs(rate_hz / case.rate_hz - 1) < 1e-6:
        return f"rate {rate_hz} Hz"
    asked = case.options.get("eeg") or list(truth)[:2]
    if set(recording.derivations) != set(asked):
        return f"derivations {recording.derivations} instead of {asked}"
    off = (_samples_off(recording.raw.get_data(picks=[n])[0] * 1e6, truth[n], case.step_uv) for n in asked)
    return "; ".join(f"{label}: {problem}" for label, problem in zip(asked, off, strict=True) if problem)


def _samples_off(found: np.ndarray, expected: np.ndarray, step_uv: float) -> str:
    """Return in what one channel's samples are not those expected, or an empty text."""
    if found.size != expected.size:
        return f"{found.size} samples instead of {expected.size}"
    if (np.isnan(found) != np.isnan(expected)).any():
        return f"{np.isnan(found).sum()} samples missing where {np.isnan(expected).sum()} are"
    worst = np.nanmax(np.abs(found - expected), initial=0)
    return "" if worst <= step_uv else f"up to {worst:.4g} µV off"


def passes(case: Case, outcome: str) -> bool:
    """Return whether an outcome is among those a case allows; saying more than needed is allowed."""
    allowed = set(case.expect.split(" or "))
    if "exact" in allowed:
        allowed |= {"quiet", "noted"}
    if "said" in allowed:
        allowed |= {"noted"}
    return outcome in allowed
