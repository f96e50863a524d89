"""All events of a night: spindles, slow oscillations, their coupling, and the audit of the detectors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from eegsleep.events.audit import AuditSettings, audit_events
from eegsleep.events.coupling import CouplingSettings, couple_events, summarize_coupling
from eegsleep.events.edited import drop_rejected
from eegsleep.events.gain_reference import gain_reference_uv
from eegsleep.events.slow_oscillations import (
    SlowOscillationSettings,
    detect_slow_oscillations,
    find_slow_oscillation_candidates,
    select_slow_oscillations,
)
from eegsleep.events.spindle_candidates import find_spindle_candidates
from eegsleep.events.spindles import SpindleSettings, detect_spindles, select_spindles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.events.calibration import Calibration
    from eegsleep.events.edited import EventEdits
    from eegsleep.recording.recording import Recording


@dataclass(frozen=True)
class Events:
    """The events of one night; each table is declared in `eegsleep.tables`.

    Attributes
    ----------
    spindles, slow_oscillations : pandas.DataFrame
        As the settings define them. `slow_oscillations` holds those of both views, marked in the columns
        `found_absolute` and `found_relative`; the main definition is absolute.
    spindle_candidates, slow_oscillation_candidates : pandas.DataFrame
        Every event that could be called one, with its measures, so that other limits can be tried without the
        signal.
    coupling, coupling_summary, audit : pandas.DataFrame
    both_views : pandas.DataFrame or None
        Table `SPINDLES` of spindles by either view. This and the two below are not kept on disk; what they give
        is in the markers.
    by_yasa : mapping of str to pandas.DataFrame
        `spindles` and `slow_oscillations` by YASA's detectors with their own defaults, for comparison.
    gain_reference_uv : mapping of str to float
        By channel, see `gain_reference_uv`.
    """

    spindles: pd.DataFrame
    slow_oscillations: pd.DataFrame
    spindle_candidates: pd.DataFrame
    slow_oscillation_candidates: pd.DataFrame
    coupling: pd.DataFrame
    coupling_summary: pd.DataFrame
    audit: pd.DataFrame
    both_views: pd.DataFrame | None = None
    by_yasa: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    gain_reference_uv: Mapping[str, float] = field(default_factory=dict)


class EventSettings(Protocol):
    """The settings of every detector, as `eegsleep.config.Settings` holds them."""

    @property
    def spindles(self) -> SpindleSettings: ...  # noqa: D102
    @property
    def slow_oscillations(self) -> SlowOscillationSettings: ...  # noqa: D102
    @property
    def coupling(self) -> CouplingSettings: ...  # noqa: D102
    @property
    def audit(self) -> AuditSettings: ...  # noqa: D102


def detect_events(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: EventSettings | None = None,
    calibration: Calibration | None = None,
    edits: EventEdits | None = None,
) -> Events:
    """Detect the events of a night in usable N2 and N3 on every EEG derivation, and audit the detectors.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.
    settings : EventSettings, optional
        `eegsleep.config.Settings`, or anything with its four parts on events; by default the defaults of each.
    calibration : Calibration, optional
        The person's own thresholds, learned from all their nights.
    edits : EventEdits, optional
        Events that were rejected by hand. They stay among the candidates and are in no other table.

    Returns
    -------
    Events
    """
    night = (recording, stages, quality)
    s = settings.spindles if settings else SpindleSettings()
    w = settings.slow_oscillations if settings else SlowOscillationSettings()
    coupling_settings = settings.coupling if settings else CouplingSettings()
    spindle_candidates = find_spindle_candidates(*night)
    wave_candidates = find_slow_oscillation_candidates(*night, w)
    by_yasa = {
        "spindles": drop_rejected(detect_spindles(*night, replace(s, method="yasa")), edits, "spindle"),
        "slow_oscillations": drop_rejected(
            detect_slow_oscillations(*night, replace(w, method="yasa")), edits, "slow oscillation"
        ),
    }
    spindles = by_yasa["spindles"] if s.method == "yasa" else select_spindles(spindle_candidates, s, calibration)
    waves = (
        by_yasa["slow_oscillations"]
        if w.method == "yasa"
        else select_slow_oscillations(wave_candidates, w, calibration)
    )
    spindles, waves = drop_rejected(spindles, edits, "spindle"), drop_rejected(waves, edits, "slow oscillation")
    both_views = select_spindles(spindle_candidates, replace(s, view="either", method="eegsleep"), calibration)
    coupling = couple_events(recording, spindles, waves, coupling_settings)
    detectors = (
        lambda copy: detect_spindles(copy, stages, quality, s, calibration),
        partial(_main_waves, stages=stages, quality=quality, settings=w, calibration=calibration),
    )
    return Events(
        spindles=spindles,
        slow_oscillations=waves,
        spindle_candidates=spindle_candidates,
        slow_oscillation_candidates=wave_candidates,
        both_views=drop_rejected(both_views, edits, "spindle"),
        by_yasa=by_yasa,
        coupling=coupling,
        coupling_summary=summarize_coupling(recording, coupling, waves, stages, quality, coupling_settings),
        audit=audit_events(*night, spindles, waves, detectors, settings.audit if settings else None),
        gain_reference_uv=gain_reference_uv(*night),
    )


def _main_waves(
    recording: Recording,
    stages: pd.DataFrame,
    quality: pd.DataFrame,
    settings: SlowOscillationSettings,
    calibration: Calibration | None,
) -> pd.DataFrame:
    """Return slow oscillations by the main definition, as they are counted."""
    waves = detect_slow_oscillations(recording, stages, quality, settings, calibration)
    return waves[waves["found_absolute"]].reset_index(drop=True)
