"""Spindles whose number can be compared between nights, whatever a compound does to slow waves around them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.events.spindle_candidates import SIGMA_HZ, find_spindle_candidates, keep_largest
from eegsleep.events.yasa_detectors import detect_yasa_spindles
from eegsleep.hypnograms.objects import as_stages
from eegsleep.recording.channels.labels import is_frontal
from eegsleep.tables import SPINDLE_CANDIDATES, SPINDLES, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.events.calibration import Calibration
    from eegsleep.hypnograms.objects import Hypnogram
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

# Measured by `tests/benchmarks/measures_of_sleep.py` on excerpts 1 and 5 of DREAMS, with the default settings.
AGREEMENT = (
    "Of 240 spindles found in two 30-minute excerpts, 71 % were marked by at least one of two experts, who marked 237, "
    "of which 72 % were found (F1 .72). The detector agrees with the first expert at F1 .44 and with the second at "
    ".71, the experts with each other at .46. The limits were chosen on these excerpts, so that agreement elsewhere "
    "may be lower."
)
LOW_SIGMA_HZ = (9.0, 11.0)
METHODS = ("eegsleep", "yasa")
VIEWS = ("auto", "absolute", "relative", "either")


@dataclass(frozen=True)
class SpindleSettings:
    """What makes a candidate a spindle.

    The definition is the AASM's where it has one: a train of distinct waves of 11-16 Hz that lasts 0.5 s or longer
    (quoted in Lacourse et al. 2019, doi:10.1016/j.jneumeth.2018.08.014). Nothing below 5.5 Hz decides, so that
    slow waves do not change the count. The two limits that the AASM leaves open, `min_sigma_share` and
    `min_sigma_ratio`, were chosen on two 30-minute excerpts (1 and 5) of the DREAMS spindle data: the plain value in
    the middle of what works there, not the best one. `tests/benchmarks/measures_of_sleep.py` measures all
    figures given here (F1: events that share a fifth of their union with a mark of at least one of two experts).

    Parameters
    ----------
    method : {"eegsleep", "yasa"}
        "yasa" is YASA's detector with its own defaults, for comparison; the limits below do not touch it.
    view : {"auto", "absolute", "relative", "either"}
        Which spindles the table holds. Absolute ones reach an amplitude in µV, relative ones a multiple of
        the channel's own sigma. Electrode fit differs between nights, and a single night can be compared only
        with itself: so "auto" is relative for a channel without a calibration, and absolute for one that was
        calibrated over all nights of the person. Only the absolute view follows a rise or fall of all sigma.
        "either" holds both, marked in the columns `found_absolute` and `found_relative`.
    band_hz, duration_s : tuple of float
        Lowest and highest frequency; shortest and longest duration, between 40 % of the peak. Bursts of 0.3 s are
        never accepted and bursts of 0.5 s always. F1 is .712 with 0.4 s, .717 with 0.5 s and .686 with 0.6 s.
    min_sigma_share : float
        Least share of 11-16 Hz in the power of 6-30 Hz over 1 s: sigma must be the greater part. F1 is .709, .717,
        .722, .704 and .690 with .40, .50, .55, .60 and .65.
    min_sigma_ratio : float
        Least root mean square of sigma over 1 s, divided by its median in the night's N2 and N3. F1 is .671, .703,
        .717, .728 and .672 with 2, 2.25, 2.5, 2.75 and 3.
    min_envelope_uv : float
        Least of the same in µV, peak to peak, for a channel without calibration: 2.5 times the median is 16 to 20 µV
        in three real recordings.
    class_border_hz : float
        Border between slow and fast spindles, whose frequency peaks lie on either side of it
        (doi:10.3389/fnhum.2017.00433), unless the person's own frequencies were calibrated.
    """

    method: str = "eegsleep"
    view: str = "auto"
    band_hz: tuple[float, float] = SIGMA_HZ
    duration_s: tuple[float, float] = (0.5, 3.0)
    min_sigma_share: float = 0.5
    min_sigma_ratio: float = 2.5
    min_envelope_uv: float = 16.0
    class_border_hz: float = 12.5

    def __post_init__(self) -> None:
        for name, allowed in (("method", METHODS), ("view", VIEWS)):
            if getattr(self, name) not in allowed:
                raise SettingsError(
                    f"spindle setting {name} is unknown", found=repr(getattr(self, name)), allowed=", ".join(allowed)
                )


def describe_method(settings: SpindleSettings) -> str:
    """Describe how spindles are found with these settings.

    Parameters
    ----------
    settings : SpindleSettings

    Returns
    -------
    str
        A paragraph for the report.
    """
    s = settings
    border = f"The border between slow and fast is {s.class_border_hz:g} Hz. Usable N2 and N3 only."
    if s.method == "yasa":
        return f"Spindles: YASA's detector with its defaults; their number falls when slow waves grow. {border}"
    size = {
        "absolute": f"at least {s.min_envelope_uv:g} µV or what was calibrated",
        "either": f"at least {s.min_sigma_ratio:g} times the night's own sigma or {s.min_envelope_uv:g} µV",
    }.get(s.view, f"at least {s.min_sigma_ratio:g} times the night's own sigma, or the µV calibrated for the person")
    return (
        f"Spindles: rises of {s.band_hz[0]:g}–{s.band_hz[1]:g} Hz that last {s.duration_s[0]:g}–{s.duration_s[1]:g} s, "
        f"{size}, where sigma is at least {100 * s.min_sigma_share:g} % of the power of 6–30 Hz; nothing below 5.5 Hz "
        f"is looked at, so that a change in slow waves does not change their number. {AGREEMENT} {border}"
    )


def detect_spindles(
    recording: Recording,
    stages: Hypnogram,
    quality: pd.DataFrame,
    settings: SpindleSettings | None = None,
    calibration: Calibration | None = None,
    channels: list[str] | None = None,
) -> pd.DataFrame:
    """Detect spindles in usable N2 and N3.

    Parameters
    ----------
    recording : Recording
    stages : DataFrame or another hypnogram that `as_stages` takes
        Table `HYPNOGRAM` of that recording.
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    settings : SpindleSettings, optional
    calibration : Calibration, optional
        The person's own thresholds and frequencies, from `calibrate`.
    channels : list of str, optional
        By default every EEG derivation; YASA's detector always runs on all.

    Returns
    -------
    pandas.DataFrame
        Table `SPINDLES`; without a row where none was found. `amplitude_uv` is that of the signal
        filtered within 2 Hz of the spindle's own frequency, a sigma filter that no alpha beside it enters.

    See Also
    --------
    find_spindle_candidates, select_spindles : The two steps this does, for trying other limits at no cost.

    Examples
    --------
    >>> spindles = es.detect_spindles(recording, night.stages, night.quality)
    >>> spindles["frequency_hz"].between(11, 16).all()
    np.True_
    """
    stages = as_stages(stages)
    settings = settings or SpindleSettings()
    logger.info("detecting spindles")
    if settings.method == "yasa":
        return detect_yasa_spindles(recording, stages, quality, settings.class_border_hz)
    return select_spindles(
        find_spindle_candidates(recording, stages, quality, channels=channels), settings, calibration
    )


def select_spindles(
    candidates: pd.DataFrame, settings: SpindleSettings | None = None, calibration: Calibration | None = None
) -> pd.DataFrame:
    """Select the spindles among the candidates; this step has all the settings and does not need the signal.

    Parameters
    ----------
    candidates : pandas.DataFrame
        Table `SPINDLE_CANDIDATES`, as `find_spindle_candidates` returns it.
    settings : SpindleSettings, optional
    calibration : Calibration, optional
        As for `detect_spindles`.

    Returns
    -------
    pandas.DataFrame
        Table `SPINDLES`, in order of channel and onset. Of two that overlap the larger is kept.

    Notes
    -----
    The share of sigma follows what a night does to 6-10 Hz: on one real night that band's amplitude times 1.25
    took 16 % of the spindles. So, for a calibrated channel, it is the share that sigma would have with the
    person's own `background_level`, and the count changes by less than 1 %.

    Examples
    --------
    >>> spindles = es.select_spindles(night.events.spindle_candidates)
    >>> len(spindles) == len(night.spindles)
    True
    """
    s = settings or SpindleSettings()
    frame = check_table(candidates, SPINDLE_CANDIDATES)
    own_uv = {} if calibration is None else calibration.sigma_amplitude_uv
    border_hz = s.class_border_hz if calibration is None else calibration.border_hz(s.class_border_hz)
    own_level = frame["channel"].map({} if calibration is None else calibration.background_level).astype(float)
    shaped = (
        frame["frequency_hz"].between(*s.band_hz)
        & frame["duration_s"].between(*s.duration_s)
        & (_share_at_level(frame, own_level) >= s.min_sigma_share)
    )
    least_uv = frame["channel"].map(own_uv).astype(float).fillna(s.min_envelope_uv)
    frame = frame.assign(
        spindle_class=np.where(frame["frequency_hz"] < border_hz, "slow", "fast"),
        found_absolute=shaped & (frame["envelope_uv"] >= least_uv),
        found_relative=shaped & (frame["sigma_ratio"] >= s.min_sigma_ratio),
    )
    chosen = frame[_in_view(frame, s.view, frame["channel"].isin(list(own_uv)))]
    kept = [_without_overlap(part) for _, part in chosen.groupby("channel", sort=False)]
    if not kept:
        return empty_table(SPINDLES)
    return check_table(pd.concat(kept)[SPINDLES.column_names], SPINDLES)


def find_low_sigma(recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Find bursts of 9-11 Hz in usable N2 and N3 on frontal derivations: sigma below the AASM's band.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.

    Returns
    -------
    pandas.DataFrame
        Table `SPINDLE_CANDIDATES`: those that reach the default share and multiple of a spindle in their own band.

    Notes
    -----
    Exploratory. Experts confirm one in twenty events below 11 Hz as a spindle, and the alpha of an arousal looks the
    same. On a simulated night 59 % of the planted spindles below 11 Hz are found on F3, and 42 % of what is found there
    was planted.
    """
    frontal = [label for label in recording.derivations if is_frontal(label)]
    limits = SpindleSettings()
    least = (limits.min_sigma_ratio, limits.min_sigma_share)
    found = find_spindle_candidates(recording, stages, quality, LOW_SIGMA_HZ, frontal, least)
    return found[found["frequency_hz"].between(*LOW_SIGMA_HZ)].reset_index(drop=True)


def is_relative(channel: str, settings: SpindleSettings, calibration: Calibration | None) -> bool:
    """Return whether spindles of a channel are counted by multiples of the night's own sigma alone."""
    calibrated = calibration is not None and channel in calibration.sigma_amplitude_uv
    return settings.view == "relative" or (settings.view == "auto" and not calibrated)


def _share_at_level(candidates: pd.DataFrame, own_level: pd.Series) -> pd.Series:
    """Return the share of sigma at the person's own level of the background; as it is where that is not known."""
    factor = (own_level / candidates["background_level"]).fillna(1.0)
    return 1 / (1 + (1 / candidates["sigma_share"] - 1) * factor)


def _in_view(frame: pd.DataFrame, view: str, calibrated: pd.Series) -> pd.Series:
    absolute, relative = frame["found_absolute"], frame["found_relative"]
    both = {"absolute": absolute, "relative": relative, "either": absolute | relative}
    return both[view] if view in both else absolute.where(calibrated, relative)


def _without_overlap(events: pd.DataFrame) -> pd.DataFrame:
    end_s = events["onset_s"] + events["duration_s"]
    columns = (events["peak_s"], events["onset_s"], end_s, events["envelope_uv"])
    return events.iloc[keep_largest(*(column.to_numpy() for column in columns))]
