"""Spindles whose number can be compared between nights, whatever a compound does to slow waves around them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.events.spindle_candidates import find_spindle_candidates, keep_largest
from eegsleep.events.yasa_detectors import detect_yasa_spindles
from eegsleep.tables import SPINDLE_CANDIDATES, SPINDLES, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.events.calibration import Calibration
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

METHODS = ("eegsleep", "yasa")
VIEWS = ("auto", "absolute", "relative", "either")


@dataclass(frozen=True)
class SpindleSettings:
    """What makes a candidate a spindle.

    Every limit compares a spindle with 8-20 Hz of its own channel and never with delta: scaling only the
    0.4-4 Hz of one real night by 0.7 / 1 / 1.4 makes the count of YASA's defaults 164 / 97 / 48 and leaves
    this one within 1 %. Most numbers here are measured by `tests/benchmarks/spindle_fairness.py`; the bursts of
    noise were counted once, by hand.

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
        Lowest and highest frequency; shortest and longest duration, between 40 % of the peak.
    min_sigma_ratio : float
        Least envelope over the channel's median sigma. Of spindles of 20-40 µV (1 s, Hann-shaped) planted in
        a real recording 5 finds .87, 6 only .69; 4 finds .97, and a third more events in the recording
        itself. On simulated nights nearly every fast spindle found is a true one at all three.
    min_envelope_uv : float
        Least envelope, µV peak to peak within 2 Hz, for a channel without calibration: five times the median
        sigma is 15 µV on simulated and 17 µV on the real recording.
    min_contrast, min_slow_contrast : float
        Least envelope over that of the seconds around it at the same frequency. Slow spindles have the same
        frequency as the alpha of arousals: their precision on simulated nights is .67 (F3) and .45 (C4) at 3, and
        .93 and .75 at 4, where recall is .80 and .22. At C4 they are half as large as at F3, hardly above the
        background.
    min_concentration : float
        Least excess over the amplitude 3-6 Hz above it at that moment: muscle and sharp waves rise at all
        frequencies. Of 180
        bursts of white noise, 1 s and 15 µV (root mean square), 51 pass at 2, 21 at 2.5 and 10 at 3, which
        costs 3 points of recall on the real recording.
    class_border_hz : float
        Border between slow and fast spindles, whose frequency peaks lie on either side of it
        (doi:10.3389/fnhum.2017.00433), unless the person's own frequencies were calibrated.
    """

    method: str = "eegsleep"
    view: str = "auto"
    band_hz: tuple[float, float] = (9.0, 16.0)
    duration_s: tuple[float, float] = (0.5, 3.0)
    min_sigma_ratio: float = 5.0
    min_envelope_uv: float = 16.0
    min_contrast: float = 3.0
    min_slow_contrast: float = 4.0
    min_concentration: float = 2.5
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
        f"{size}, and stand out in time and frequency; nothing below 8 Hz is looked at, so that a change in slow "
        f"waves does not change their number. {border}"
    )


def detect_spindles(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: SpindleSettings | None = None,
    calibration: Calibration | None = None,
) -> pd.DataFrame:
    """Detect spindles in usable N2 and N3 on every EEG derivation.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    settings : SpindleSettings, optional
    calibration : Calibration, optional
        The person's own thresholds and frequencies, from `calibrate`.

    Returns
    -------
    pandas.DataFrame
        Table `SPINDLES`; without a row where none was found. `amplitude_uv` is that of the signal
        filtered within 2 Hz of the spindle's own frequency, a sigma filter that no alpha beside it enters.

    See Also
    --------
    find_spindle_candidates, select_spindles : The two steps this does, for trying other limits at no cost.
    """
    settings = settings or SpindleSettings()
    logger.info("detecting spindles")
    if settings.method == "yasa":
        return detect_yasa_spindles(recording, stages, quality, settings.class_border_hz)
    return select_spindles(find_spindle_candidates(recording, stages, quality), settings, calibration)


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
        Table `SPINDLES`, in order of channel and onset. Of two that overlap the one with more contrast is kept.
    """
    s = settings or SpindleSettings()
    frame = check_table(candidates, SPINDLE_CANDIDATES)
    own_uv = {} if calibration is None else calibration.sigma_amplitude_uv
    border_hz = s.class_border_hz if calibration is None else calibration.border_hz(s.class_border_hz)
    slow = frame["frequency_hz"] < border_hz
    shaped = (
        frame["frequency_hz"].between(*s.band_hz)
        & frame["duration_s"].between(*s.duration_s)
        & (frame["contrast"] >= np.where(slow, s.min_slow_contrast, s.min_contrast))
        & (frame["concentration"] >= s.min_concentration)
    )
    least_uv = frame["channel"].map(own_uv).astype(float).fillna(s.min_envelope_uv)
    frame = frame.assign(
        spindle_class=np.where(slow, "slow", "fast"),
        found_absolute=shaped & (frame["envelope_uv"] >= least_uv),
        found_relative=shaped & (frame["sigma_ratio"] >= s.min_sigma_ratio),
    )
    chosen = frame[_in_view(frame, s.view, frame["channel"].isin(list(own_uv)))]
    kept = [_without_overlap(part) for _, part in chosen.groupby("channel", sort=False)]
    if not kept:
        return empty_table(SPINDLES)
    return check_table(pd.concat(kept)[SPINDLES.column_names], SPINDLES)


def _in_view(frame: pd.DataFrame, view: str, calibrated: pd.Series) -> pd.Series:
    absolute, relative = frame["found_absolute"], frame["found_relative"]
    both = {"absolute": absolute, "relative": relative, "either": absolute | relative}
    return both[view] if view in both else absolute.where(calibrated, relative)


def _without_overlap(events: pd.DataFrame) -> pd.DataFrame:
    end_s = events["onset_s"] + events["duration_s"]
    columns = (events["peak_s"], events["onset_s"], end_s, events["contrast"])
    return events.iloc[keep_largest(*(column.to_numpy() for column in columns))]
