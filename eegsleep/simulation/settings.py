"""The settings of a simulated night, and their limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from eegsleep.errors import SettingsError, suggest_name
from eegsleep.recording.limits import YEARS, is_plausible_start
from eegsleep.signals.epochs import EPOCH_S

ARTEFACT_KINDS = ("flat", "clipped", "movement", "contact_loss", "mains", "gain_drift")
MAINS_HZ = 50.0

# Smallest and largest value of every numeric setting; a value beyond them is most likely a mistake.
LIMITS = {
    "duration_h": (5 / 60, 16.0),
    "rate_hz": (81.0, 2000.0),
    "fast_spindle_density_per_min": (0.0, 12.0),
    "slow_spindle_density_per_min": (0.0, 12.0),
    "fast_spindle_amplitude_uv": (0.0, 300.0),
    "slow_spindle_amplitude_uv": (0.0, 300.0),
    "fast_spindle_frequency_hz": (9.0, 17.0),
    "slow_spindle_frequency_hz": (9.0, 17.0),
    "spindle_duration_s": (0.5, 2.0),
    "spindle_chirp_hz_per_s": (-3.0, 3.0),
    "spindle_n3_ratio": (0.0, 2.0),
    "slow_oscillation_rate_per_min": (0.0, 30.0),
    "slow_oscillation_n2_ratio": (0.0, 1.0),
    "slow_oscillation_ptp_uv": (0.0, 500.0),
    "k_complex_rate_per_min": (0.0, 6.0),
    "k_complex_ptp_uv": (0.0, 500.0),
    "delta_background": (0.0, 4.0),
    "sleep_latency_min": (0.0, 960.0),
    "waso_min": (0.0, 960.0),
    "n1_min": (0.0, 960.0),
    "n3_min": (0.0, 960.0),
    "rem_min": (0.0, 960.0),
    "arousal_rate_per_h": (0.0, 120.0),
    "coupling_strength": (0.0, 1.0),
    "coupling_phase_rad": (-np.pi, np.pi),
    "coupling_concentration": (0.0, 100.0),
    "electrode_gain": (0.01, 10.0),
}
_MINUTES = ("sleep_latency_min", "waso_min", "n1_min", "n3_min", "rem_min")


@dataclass(frozen=True)
class SimulationSettings:
    """Settings of a simulated night; a duration that is None is drawn from the range of healthy adults.

    Parameters
    ----------
    duration_h : float
        Length in hours, rounded to whole 30 s epochs; 5 min to 16 h.
    rate_hz : float
        Sampling rate, a whole number above 80.
    eeg, eog, emg : tuple of str
        Labels of the derivations. The first letters of an EEG label give its site; an EOG label that begins
        with E2, ROC or EOG R sees eye movements with the opposite sign.
    fast_spindle_density_per_min, slow_spindle_density_per_min : float
        Planted per minute of N2 (Purcell et al. 2017, 10.1038/ncomms15930).
    fast_spindle_amplitude_uv, slow_spindle_amplitude_uv : float
        Median largest peak to peak, at a central site for fast and a frontal one for slow spindles.
    fast_spindle_frequency_hz, slow_spindle_frequency_hz : float
        Mean frequency (Fernandez & Lüthi 2020, 10.1152/physrev.00042.2018).
    spindle_duration_s : float
        Median duration, between the times its envelope is a tenth of the largest.
    spindle_chirp_hz_per_s : float
        Change of frequency within a spindle; they slow (Andrillon et al. 2011,
        10.1523/JNEUROSCI.2604-11.2011).
    spindle_n3_ratio : float
        Density in N3 over density in N2.
    slow_oscillation_rate_per_min : float
        Planted per minute of N3 (Massimini et al. 2004, 10.1523/JNEUROSCI.1318-04.2004).
    slow_oscillation_n2_ratio : float
        Rate in N2 over rate in N3.
    slow_oscillation_ptp_uv : float
        Median peak to peak in N3 at a central site.
    k_complex_rate_per_min : float
        Planted per minute of N2 (Colrain 2005, 10.1093/sleep/28.2.255).
    k_complex_ptp_uv : float
        Median peak to peak at a central site.
    delta_background : float
        Factor on the amplitude of the background at 0.5-4 Hz in every stage; planted waves do not follow it.
    sleep_latency_min, waso_min, n1_min, n3_min, rem_min : float, optional
        Minutes kept exactly, to the epoch. Wake after sleep onset includes the last wake. N2 takes the rest.
    arousal_rate_per_h : float
        Arousals in an hour of N2 or REM (Boselli et al. 1998, 10.1093/sleep/21.4.361).
    coupling_strength : float
        Share of spindles placed on a slow oscillation or K-complex, as far as there is room on them.
    coupling_phase_rad : float
        Mean phase of those at the spindle's peak; 0 is the up state (Helfrich et al. 2018,
        10.1016/j.neuron.2017.11.020), ±π the down state.
    coupling_concentration : float
        Concentration (kappa of the von Mises distribution) of that phase.
    electrode_gain : float
        Factor on every EEG derivation, as better or worse contact gives; not on EOG or EMG.
    start : datetime.datetime
        Naive local time of the first sample, in whole seconds.
    artefacts : tuple of str
        Some of flat, clipped, movement, contact_loss, mains, gain_drift; each is planted once.

    Raises
    ------
    SettingsError
        If a setting is not possible.
    """

    duration_h: float = 8.0
    rate_hz: float = 256.0
    eeg: tuple[str, ...] = ("F3-M2", "C4-M1")
    eog: tuple[str, ...] = ("E1-M2",)
    emg: tuple[str, ...] = ("EMG chin",)
    fast_spindle_density_per_min: float = 2.4
    slow_spindle_density_per_min: float = 1.4
    fast_spindle_amplitude_uv: float = 36.0
    slow_spindle_amplitude_uv: float = 32.0
    fast_spindle_frequency_hz: float = 13.5
    slow_spindle_frequency_hz: float = 11.0
    spindle_duration_s: float = 0.95
    spindle_chirp_hz_per_s: float = -0.6
    spindle_n3_ratio: float = 0.5
    slow_oscillation_rate_per_min: float = 12.0
    slow_oscillation_n2_ratio: float = 0.1
    slow_oscillation_ptp_uv: float = 120.0
    k_complex_rate_per_min: float = 1.0
    k_complex_ptp_uv: float = 135.0
    delta_background: float = 1.0
    sleep_latency_min: float | None = None
    waso_min: float | None = None
    n1_min: float | None = None
    n3_min: float | None = None
    rem_min: float | None = None
    arousal_rate_per_h: float = 12.0
    coupling_strength: float = 0.4
    coupling_phase_rad: float = 0.0
    coupling_concentration: float = 3.0
    electrode_gain: float = 1.0
    start: datetime = datetime(2024, 1, 1, 23)  # noqa: DTZ001 - local time as a recorder writes it
    artefacts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_labels(self)
        _check_minutes(self)
        _check_artefacts(self)
        _check_start(self)


def _check_numbers(settings: SimulationSettings) -> None:
    for name, (low, high) in LIMITS.items():
        value = getattr(settings, name)
        if value is None and name in _MINUTES:
            continue
        is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:  # also true for NaN
            raise SettingsError(
                f"a night with {name} {value!r} cannot be simulated",
                found=repr(value),
                allowed=f"a number from {low:.4g} to {high:.4g}",
            )
    if settings.rate_hz != int(settings.rate_hz):
        raise SettingsError(
            "a second of the night must hold a whole number of samples",
            found=f"rate_hz {settings.rate_hz!r}",
            remedy=f"use {round(settings.rate_hz)}",
        )


def _is_tuple_of_text(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


def _check_labels(settings: SimulationSettings) -> None:
    for name in ("eeg", "eog", "emg"):
        labels = getattr(settings, name)
        if not _is_tuple_of_text(labels):
            raise SettingsError(f"{name} does not list channels", found=repr(labels), allowed="a tuple of labels")
    labels = settings.eeg + settings.eog + settings.emg
    if not settings.eeg:
        raise SettingsError("a night without EEG cannot be simulated", remedy="name at least one in eeg")
    if len(set(labels)) < len(labels):
        raise SettingsError("two channels have the same label", found=", ".join(labels))
    for label in labels:
        if not (0 < len(label.strip()) == len(label) <= 16 and label.isascii() and label.isprintable()):
            raise SettingsError(
                "a label does not fit an EDF header", found=repr(label), allowed="1 to 16 printable ASCII characters"
            )


def _check_minutes(settings: SimulationSettings) -> None:
    asked = {name: getattr(settings, name) for name in _MINUTES if getattr(settings, name) is not None}
    epochs = sum(round(minutes * 60 / EPOCH_S) for minutes in asked.values())
    total = n_epochs_of(settings.duration_h)
    if epochs > total:
        raise SettingsError(
            "the minutes asked for do not fit in the night",
            found=" + ".join(f"{name} {minutes:g}" for name, minutes in asked.items()),
            allowed=f"{total * EPOCH_S / 60:g} min in all",
            remedy="ask for less or lengthen duration_h",
        )


def _check_artefacts(settings: SimulationSettings) -> None:
    unknown = [kind for kind in settings.artefacts if kind not in ARTEFACT_KINDS]
    if unknown or not _is_tuple_of_text(settings.artefacts):
        raise SettingsError(
            "there is no such kind of artefact",
            found=", ".join(map(str, unknown)) or repr(settings.artefacts),
            allowed=", ".join(ARTEFACT_KINDS),
            remedy=suggest_name(str(unknown[0]), ARTEFACT_KINDS) if unknown else "give a tuple of names",
        )
    if "mains" in settings.artefacts and 0.45 * settings.rate_hz <= MAINS_HZ:
        raise SettingsError(
            f"mains at {MAINS_HZ:g} Hz cannot be seen at this sampling rate",
            found=f"rate_hz {settings.rate_hz:g}",
            allowed="above 111 Hz",
        )


def _check_start(settings: SimulationSettings) -> None:
    start = settings.start
    # The header of an EDF has two digits for the year and no place for a time zone.
    if not isinstance(start, datetime) or start.tzinfo or start.microsecond or not is_plausible_start(start):
        raise SettingsError(
            "an EDF cannot start at this time",
            found=repr(start),
            allowed=f"naive local time in whole seconds, {YEARS[0]} to {YEARS[-1]}",
        )


def n_epochs_of(duration_h: float) -> int:
    """Return the whole number of 30 s epochs nearest to a duration in hours.

    Parameters
    ----------
    duration_h : float

    Returns
    -------
    int
    """
    return round(duration_h * 3600 / EPOCH_S)
