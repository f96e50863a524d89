"""What the reader of one format finds in a text file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eegsleep.recording.faults import Fault

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Rows:
    """The signals, times and further columns of a file, as the reader of one format finds them."""

    labels: list[str]
    values: list[np.ndarray]
    stamps_s: np.ndarray | None
    rates_hz: tuple[float, ...]
    unit: str = "uV"
    packet: int = 1
    counter: np.ndarray | None = None
    stamp_kind: str = "unix"  # as `TimeColumn.kind`
    to_local_s: float | None = None  # added to a stamp gives naive local time; None if that is unknown
    unworn: np.ndarray | None = None
    faults: list[Fault] = field(default_factory=list)
    rate_remedy: str = ""
    identity: str = ""
