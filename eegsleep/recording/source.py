"""A file of any format that was opened and checked, and whose signals were not read yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np

    from eegsleep.recording.faults import Fault


@dataclass(frozen=True)
class SourceChannel:
    """One channel as the file describes it.

    Attributes
    ----------
    label : str
        Its name, unique within the source and safe as text.
    rate_hz : float
        Samples a second.
    unit : str
        As the file writes it; empty if it says nothing.
    gain : float
        Size of one digital step in the channel's unit; NaN where the file holds plain numbers.
    span, digital_span : tuple of float
        Smallest and largest value the file says it can hold, in its unit and in digital steps; NaN where
        it says nothing.
    """

    label: str
    rate_hz: float
    unit: str = ""
    gain: float = float("nan")
    span: tuple[float, float] = (float("nan"), float("nan"))
    digital_span: tuple[float, float] = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Source:
    """A file, or a folder of files that belong together, before its signals are read.

    Attributes
    ----------
    path : Path
        What the user named.
    files : tuple of Path
        The files the signals come from, for hashing.
    kind : str
        The container: `EDF`, `EDF+C`, `EDF+D`, `BDF`, `WFDB`, `ZMax folder`, `muselsl CSV`, …
    channels : tuple of SourceChannel
        In the order of the file.
    start : datetime or None
        Naive local time of the first sample; None if the file does not say.
    duration_s : float
        From the first to the end of the last sample, gaps included.
    load : callable
        Takes labels, returns one float64 array a label in the unit the file writes, of
        `round(duration_s * rate_hz)` samples; NaN where nothing was recorded.
    identity : str
        Text of the header by which a device is recognised. It may name the sleeper and is written to no output.
    gaps : tuple of (onset_s, duration_s)
        Where nothing was recorded.
    annotations : tuple of (onset_s, duration_s, text)
        In seconds from the first sample.
    record_s : float
        Duration of the file's data records; NaN if it has none.
    faults : tuple of Fault
        Of the whole file and of single channels.
    """

    path: Path
    files: tuple[Path, ...]
    kind: str
    channels: tuple[SourceChannel, ...]
    start: datetime | None
    duration_s: float
    load: Callable[[Sequence[str]], list[np.ndarray]]
    identity: str = ""
    gaps: tuple[tuple[float, float], ...] = ()
    annotations: tuple[tuple[float, float, str], ...] = ()
    record_s: float = float("nan")
    faults: tuple[Fault, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Labels of all channels, in the order of the file."""
        return [channel.label for channel in self.channels]
