"""The rows of the marker table: where a marker was measured, in how many minutes, and why it is missing."""

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
    """How much clean sleep a marker needs before its value is given.

    Parameters
    ----------
    min_event_min, min_coupling_min, min_spectrum_min : float
        Clean minutes that markers of events, coupling and spectra need.
    min_coupling_spindles : int
        Spindles, coupled or not, that share beyond chance, strength and modulation index need.
    max_phase_se_rad : float
        Largest standard error of the phase of coupling with which it is given.

    Raises
    ------
    SettingsError
        If a number is negative or not finite, or `min_coupling_spindles` is below 2.
    """

    # A density is a count: at 2 spindles a minute, 10 minutes hold 20, whose Poisson error is 22 per cent. From
    # fewer minutes it depends more on chance than on the sleep.
    min_event_min: float = 10.0
    # Only part of the spindles is coupled, so that as many coupled events take more minutes.
    min_coupling_min: float = 20.0
    # The standard error of share and strength is about 1/sqrt(n): 0.14 with 50 spindles.
    min_coupling_spindles: int = 50
    # 20 degrees. The number of coupled spindles would follow the number of waves.
    max_phase_se_rad: float = 0.35
    # Ten epochs; the power of epochs scatters by about half its mean, that of a mean of ten by about a sixth.
    min_spectrum_min: float = 5.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 2 if name == "min_coupling_spindles" else 0
            if not (math.isfinite(value) and value >= least):
                raise SettingsError(
                    f"marker setting {name} is out of range", found=repr(value), allowed=f"at least {least}"
                )


@dataclass(frozen=True)
class Place:
    """A stage of a channel, its clean minutes, and the reason why the stage is absent (empty if it is not)."""

    channel: str
    stage: str
    clean_min: float
    absent: str

    def describe_lack(self, needed_min: float) -> str:
        """Return the reason why nothing can be measured here, or an empty string."""
        if self.absent:
            return self.absent
        # Zero minutes are never enough, whatever the settings ask for.
        if self.clean_min < needed_min or self.clean_min == 0:
            return f"only {self.clean_min:g} clean minutes of {describe_stage(self.stage)}, {needed_min:g} needed"
        return ""


def describe_stage(stage: str) -> str:
    """Return the name of a stage in a sentence; the empty stage is the time in bed."""
    return {"R": "REM", "W": "wake"}.get(stage, stage) or "the time in bed"


def make_row(
    name: str,
    place: Place,
    value: float,
    n: int,
    reason: str = "",
    clean_min: float | None = None,
    unsure: Uncertainty | None = None,
    at_least: float = math.nan,
) -> dict:
    """Return one row of table `MARKERS`.

    The value is missing where there is a reason, or where it is not finite. `n` is the number of events or epochs,
    `clean_min` the minutes if they are not those of `place`, `unsure` the interval of a sleep statistic, `at_least` the
    bound of a latency to what did not come.
    """
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
        "at_least": at_least,
        **dict.fromkeys(("at_less_delta", "at_more_delta", "by_other_stager", "by_consensus"), math.nan),
    }
