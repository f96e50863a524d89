"""What one row of the marker table is made of: where it was measured, on how much sleep, and why not."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eegsleep.errors import SettingsError
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.signals.epochs import EVENT_STAGES
from eegsleep.staging.confidence import Uncertainty

SPECTRUM_STAGES = {**EVENT_STAGES, "R": ("R",)}


@dataclass(frozen=True)
class MarkerSettings:
    """How much clean sleep a marker needs before its value is given; minutes and counts.

    Raises
    ------
    SettingsError
        If a number is negative or not finite, or `min_coupled_events` is below 2.
    """

    # A density is a count: at 2 spindles a minute, 10 minutes hold 20, whose Poisson error is 22 per cent;
    # a density from fewer minutes says more about the minutes than about the sleep.
    min_event_min: float = 10.0
    # Only part of the spindles is coupled, so that coupling needs more minutes for as many events.
    min_coupling_min: float = 20.0
    # Without any coupling the resultant length is about 0.89/sqrt(n): 0.28 with 10 events, 0.13 with 50.
    # The correction of Kutil 2012 removes the bias, not the scatter.
    min_coupled_events: int = 50
    # Ten epochs; epoch power scatters by about half its mean, which ten bring to about a sixth.
    min_spectrum_min: float = 5.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 2 if name == "min_coupled_events" else 0
            if not (math.isfinite(value) and value >= least):
                raise SettingsError(
                    f"marker setting {name} is out of range", found=repr(value), allowed=f"at least {least}"
                )


@dataclass(frozen=True)
class Place:
    """A stage of a channel, the clean minutes it has, and what to say if the night has none of it."""

    channel: str
    stage: str
    clean_min: float
    absent: str

    def lack(self, needed_min: float) -> str:
        """Return why nothing can be measured here, or an empty string."""
        if self.absent:
            return self.absent
        # Zero minutes are never enough, whatever the settings ask for.
        if self.clean_min < needed_min or self.clean_min == 0:
            return f"only {self.clean_min:g} clean minutes of {spoken(self.stage)}, {needed_min:g} needed"
        return ""


def spoken(stage: str) -> str:
    """Return a stage as a sentence calls it."""
    return "REM" if stage == "R" else stage or "the time in bed"


def make_row(
    name: str,
    place: Place,
    value: float,
    n: int,
    reason: str = "",
    clean_min: float | None = None,
    unsure: Uncertainty | None = None,
) -> dict:
    """Return one row of table `MARKERS`; a reason, or a value that is none, makes the value missing."""
    missing = bool(reason) or not math.isfinite(value)
    return {
        "marker": name,
        "family": CATALOGUE[name].family_in(place.stage),
        "stage": place.stage,
        "channel": place.channel,
        "value": math.nan if missing else float(value),
        "unit": CATALOGUE[name].unit,
        "n": n,
        "clean_min": place.clean_min if clean_min is None else clean_min,
        "reason": (reason or "could not be measured") if missing else "",
        **(unsure or Uncertainty())._asdict(),
    }
