"""Lights off and on: between which epochs the night lies, and where these times come from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import RecordingError
from eegsleep.recording.signals import signals_of
from eegsleep.signals.epochs import EPOCH_S, SLEEP_STAGES

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.recording.recording import Recording

# A longer file holds a day as well as a night.
MAX_NIGHT_H = 14.0
# Wake that is kept on both sides of the sleep where lights off is not known, as is usual for Sleep-EDF's 20 h
# recordings (mne's sleep_physionet does so).
MARGIN_S = 30 * 60.0
# A time that was noted in minutes may lie up to this far outside the recording.
_TOLERANCE_S = 60.0
# Sleep that is separated from the rest by more than this is a nap, not the night.
NAP_GAP_S = 2 * 3600.0
# Source of lights where only lights off is known. Sleep-EDF's lists give lights off and not lights on, which is hours
# before the end of its 20 h recordings.
OFF_ALONE = "off given, on from sleep"

_CLOCK = r"\d{1,2}:\d\d(:\d\d([.,]\d{1,6})?)?"
_OFF = re.compile(
    r"lights?[\s_-]*(?:off|out)|licht(?:er)?[\s_-]*aus|lumi.re[\s_-]*.teinte|luces?[\s_-]*apagad", re.IGNORECASE
)
_ON = re.compile(r"lights?[\s_-]*on\b|licht(?:er)?[\s_-]*an\b|lumi.re[\s_-]*allum|luces?[\s_-]*encendid", re.IGNORECASE)


@dataclass(frozen=True)
class Lights:
    """When the night began and ended.

    Attributes
    ----------
    off_s, on_s : float
        Seconds from the first sample; `on_s` is NaN until `complete_lights` has found it from the stages.
    source : str
        `user`, `annotations`, `hypnogram`, `whole recording`, or `sleep`: found from the stages, which
        means that lights off is not known; `OFF_ALONE` where only lights off is known.
    asked : pair of str or None, optional
        The clock times that `find_lights` was given; None for lights that were found in another way.
    """

    off_s: float
    on_s: float
    source: str
    asked: tuple[str | None, str | None] | None = field(default=None, compare=False)

    @property
    def known(self) -> bool:
        """Whether lights off is known, so that times counted from it have a meaning."""
        return self.source != "sleep"

    @property
    def on_known(self) -> bool:
        """Whether lights on is known, so that times counted up to it have a meaning."""
        return self.source not in {"sleep", OFF_ALONE}

    def epochs(self, n_epochs: int, margin_s: float = 0.0) -> slice:
        """Return the epochs that lie at least in part between lights off and on, as a slice."""
        first = max(0, int((self.off_s - margin_s) // EPOCH_S))
        stop = min(n_epochs, int(-(-(self.on_s + margin_s) // EPOCH_S)))
        return slice(first, max(stop, first))


def find_lights(
    recording: Recording, off: str | datetime | None = None, on: str | datetime | None = None
) -> Lights | None:
    """Find lights off and on: as the user gives them, else by annotations in the file, else the whole recording.

    Parameters
    ----------
    recording : Recording
    off, on : str or datetime, optional
        Local clock time such as `23:15`, or date and time. Where only one is given, the other is the
        beginning or end of the recording; but in one of more than `MAX_NIGHT_H` hours, lights on is NaN.

    Returns
    -------
    Lights or None
        None for a recording of more than `MAX_NIGHT_H` hours without any such time; `complete_lights` then finds
        the night once there are stages.

    Raises
    ------
    RecordingError
        If a time given cannot be understood, or does not lie in the recording.

    Examples
    --------
    >>> lights = es.find_lights(recording, off="23:10", on="00:20")
    >>> lights.off_s, lights.on_s
    (600.0, 4800.0)
    """
    found = _find_lights(recording, off, on)
    asked = (None if off is None else str(off), None if on is None else str(on))
    return replace(found, asked=asked) if found else None


def _find_lights(recording: Recording, off: str | datetime | None, on: str | datetime | None) -> Lights | None:
    whole = recording.n_epochs * EPOCH_S
    if off is not None or on is not None:
        off_s = 0.0 if off is None else _seconds_of(recording, off)
        if on is None and recording.duration_s > MAX_NIGHT_H * 3600:
            _make_lights(off_s, whole, "user", whole)  # refused if no epoch is left
            return Lights(max(0.0, off_s), float("nan"), OFF_ALONE)
        on_s = whole if on is None else _seconds_of(recording, on)
        return _make_lights(off_s, on_s, "user", whole)
    noted = [(onset_s, text) for onset_s, _, text in signals_of(recording).annotations]
    offs = [onset for onset, text in noted if _OFF.search(text)]
    ons = [onset for onset, text in noted if _ON.search(text)]
    if offs or ons:
        # The first lights off and the last lights on after it: the sleeper may have got up in between, and the
        # lights were on before, while the recording was set up.
        off_s = min(offs, default=0.0)
        return _make_lights(off_s, max((onset for onset in ons if onset > off_s), default=whole), "annotations", whole)
    return Lights(0.0, whole, "whole recording") if recording.duration_s <= MAX_NIGHT_H * 3600 else None


def lights_from_hypnogram(off_s: float | None, on_s: float | None, n_epochs: int) -> Lights | None:
    """Return lights off and on as a hypnogram gives them.

    Parameters
    ----------
    off_s, on_s : float or None
        Seconds from the first sample; None for a time that the hypnogram does not give, which is then the
        beginning or the end of the recording.
    n_epochs : int
        Length of the recording in epochs.

    Returns
    -------
    Lights or None
        None where both are None.

    Raises
    ------
    RecordingError
        If no epoch lies between them.
    """
    if off_s is None and on_s is None:
        return None
    whole = n_epochs * EPOCH_S
    return _make_lights(off_s or 0.0, whole if on_s is None else on_s, "hypnogram", whole)


def complete_lights(lights: Lights | None, stages: pd.DataFrame) -> Lights:
    """Return lights off and on, found from the stages where they are not known.

    Parameters
    ----------
    lights : Lights or None
        As `find_lights` returns them.
    stages : pandas.DataFrame
        Table `HYPNOGRAM` of the whole recording.

    Returns
    -------
    Lights
        The same where both are known.
    """
    if lights is None:
        return lights_from_sleep(stages)
    return lights_from_sleep(stages, lights.off_s) if np.isnan(lights.on_s) else lights


def lights_from_sleep(stages: pd.DataFrame, off_s: float | None = None) -> Lights:
    """Find the night in a recording that holds a day as well: its longest sleep, and 30 min before and after it.

    Sleep epochs less than `NAP_GAP_S` apart are one group; the group with most sleep is the night. A recording
    without sleep is kept whole.

    Parameters
    ----------
    stages : pandas.DataFrame
        Table `HYPNOGRAM`.
    off_s : float, optional
        Lights off in s from the first sample, where it is known. The night begins there, and only sleep after it
        counts.

    Returns
    -------
    Lights
        With the source `sleep`, or `OFF_ALONE` where lights off was given.
    """
    asleep = np.flatnonzero(stages["stage"].isin(SLEEP_STAGES))
    asleep = asleep[(asleep + 1) * EPOCH_S > (off_s or 0.0)]
    whole, source = len(stages) * EPOCH_S, "sleep" if off_s is None else OFF_ALONE
    if not asleep.size:
        return Lights(off_s or 0.0, whole, source)
    groups = np.split(asleep, np.flatnonzero(np.diff(asleep) * EPOCH_S > NAP_GAP_S) + 1)
    night = max(groups, key=len)
    first_s, on_s = max(0.0, float(night[0] * EPOCH_S - MARGIN_S)), (night[-1] + 1) * EPOCH_S + MARGIN_S
    return Lights(first_s if off_s is None else off_s, min(whole, float(on_s)), source)


def keep_night(stages: pd.DataFrame, lights: Lights) -> pd.DataFrame:
    """Return the hypnogram with the epochs before lights off and after lights on unscored.

    Parameters
    ----------
    stages : pandas.DataFrame
        Table `HYPNOGRAM` of the whole recording.
    lights : Lights

    Returns
    -------
    pandas.DataFrame
        Table `HYPNOGRAM`; probabilities of unscored epochs are kept.
    """
    inside = np.zeros(len(stages), dtype=bool)
    inside[lights.epochs(len(stages))] = True
    return stages.assign(stage=stages["stage"].where(inside, "UNS"))


def _make_lights(off_s: float, on_s: float, source: str, whole_s: float) -> Lights:
    """Return lights off and on within a recording of `whole_s`; raise if they leave no epoch."""
    off_s, on_s = max(0.0, float(off_s)), min(whole_s, float(on_s))
    if on_s - off_s < EPOCH_S:
        raise RecordingError(
            f"lights off and on ({source}) leave no epoch of the night",
            found=f"off {off_s / 3600:.2f} h and on {on_s / 3600:.2f} h after the first sample",
            allowed=f"0 to {whole_s / 3600:.2f} h, off before on",
            remedy="give them with --lights-off and --lights-on",
        )
    return Lights(off_s, on_s, source)


def _seconds_of(recording: Recording, when: str | datetime) -> float:
    """Return a clock time in seconds from the first sample."""
    if recording.start is None:
        raise RecordingError(
            "lights off and on cannot be placed",
            found="a recording without a start time",
            remedy="give its start with --start",
        )
    moment = when.replace(tzinfo=None) if isinstance(when, datetime) else read_clock_time(when)
    if isinstance(moment, datetime):
        seconds = (moment - recording.start).total_seconds()
    else:  # a time of day: the one that lies in the recording, or nearest to it
        first = datetime.combine(recording.start.date(), moment)
        days = [(first + timedelta(days=d) - recording.start).total_seconds() for d in (-1, 0, 1, 2)]
        seconds = min(days, key=lambda s: max(-s, s - recording.duration_s, 0.0))
    if not -_TOLERANCE_S <= seconds <= recording.duration_s + _TOLERANCE_S:
        raise RecordingError(
            f"{when} does not lie in the recording",
            found=f"a recording from {recording.start:%Y-%m-%d %H:%M} on, {recording.duration_s / 3600:.1f} h long",
            remedy="check the time and the recording's start (--start); without a time the night is counted from the "
            "first to the last sample",
        )
    return seconds


def read_clock_time(when: str) -> datetime | time:
    """Return a clock time, or a date with one, as a person writes it.

    Hours, minutes and seconds must be divided by colons: Python takes `23.15` as fifteen hundredths of a second after
    23:00.

    Parameters
    ----------
    when : str
        Such as `23:15`, `23:15:30` or `2026-01-31T23:15`.

    Returns
    -------
    datetime or time
        Without a zone.

    Raises
    ------
    RecordingError
        If it is written in another way.
    """
    try:
        if re.fullmatch(_CLOCK, when.strip()):
            return time.fromisoformat(re.sub(r"^(?=\d:)", "0", when.strip()))
        if re.fullmatch(rf"\d{{4}}-\d\d-\d\d[T ]{_CLOCK}(Z|[+-]\d\d:?\d\d)?", when.strip()):
            return datetime.fromisoformat(when.strip()).replace(tzinfo=None)
        reason = None
    except ValueError as error:
        reason = error
    raise RecordingError(
        "a clock time is not understood",
        found=repr(when),
        allowed="such as 23:15 or 2026-01-31T23:15",
        remedy=_suggest_time(when),
    ) from reason


def _suggest_time(when: str) -> str:
    """Return the clock time that was probably meant, as the remedy of an error."""
    parts = re.fullmatch(r"([01]?\d|2[0-3])\s*[.,h ]?\s*([0-5]\d)", when.strip())
    return f"did you mean {parts[1]}:{parts[2]}?" if parts else "write hours and minutes with a colon between them"
