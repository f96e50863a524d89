"""All events of a night: spindles, slow oscillations, their coupling, and the audit of the detectors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from eegsleep.events.audit import AuditedView, AuditSettings, audit_events
from eegsleep.events.coupling import (
    CouplingSettings,
    SlowAndSigma,
    couple_events,
    measure_slow_and_sigma,
    summarize_coupling,
)
from eegsleep.events.edited import drop_rejected
from eegsleep.events.gain_reference import gain_reference_uv
from eegsleep.events.largest_waves import measure_largest_waves
from eegsleep.events.polarity import measure_polarity
from eegsleep.events.slow_oscillations import (
    SlowOscillationSettings,
    detect_slow_oscillations,
    find_slow_oscillation_candidates,
    keep_candidates,
    measure_waves,
    select_slow_oscillations,
)
from eegsleep.events.spindle_candidates import find_spindle_candidates
from eegsleep.events.spindles import (
    SpindleSettings,
    detect_spindles,
    find_low_sigma,
    is_relative,
    select_spindles,
)
from eegsleep.hypnograms.objects import as_stages
from eegsleep.signals.two_channels import measure_each

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

    from eegsleep.events.calibration import Calibration
    from eegsleep.events.edited import EventEdits
    from eegsleep.events.polarity import Polarity
    from eegsleep.hypnograms.objects import Hypnogram
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
        Table `SPINDLES` of spindles by either view. This and all below are not kept on disk; what they give is in the
        markers and warnings.
    low_sigma : pandas.DataFrame or None
        Bursts of 9-11 Hz on frontal channels, as `find_low_sigma` returns them.
    largest_waves : pandas.DataFrame or None
        As `measure_largest_waves` returns them.
    polarity : mapping of str to Polarity
        By channel, as `measure_polarity` returns it.
    by_yasa : mapping of str to pandas.DataFrame
        `spindles` and `slow_oscillations` by YASA's detectors with their own defaults; empty unless the settings of
        the audit ask for them.
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
    low_sigma: pd.DataFrame | None = None
    largest_waves: pd.DataFrame | None = None
    polarity: Mapping[str, Polarity] = field(default_factory=dict)
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
    stages: Hypnogram,
    quality: pd.DataFrame,
    settings: EventSettings | None = None,
    calibration: Calibration | None = None,
    edits: EventEdits | None = None,
) -> Events:
    """Detect the events of a night in usable N2 and N3 on every EEG derivation, and audit the detectors.

    Parameters
    ----------
    recording : Recording
    stages : DataFrame or another hypnogram that `as_stages` takes
        Table `HYPNOGRAM` of that recording.
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    settings : EventSettings, optional
        `eegsleep.config.Settings`, or anything with its four parts on events; by default the defaults of each.
    calibration : Calibration, optional
        The person's own thresholds, learned from all their nights.
    edits : EventEdits, optional
        Events that were rejected by hand. They stay among the candidates and are in no other table.

    Returns
    -------
    Events

    Examples
    --------
    >>> events = es.detect_events(short, ["N2"] * short.n_epochs, es.measure_quality(short))
    >>> events.spindles["stage"].unique().tolist()
    ['N2']
    """
    stages = as_stages(stages)
    night = (recording, stages, quality)
    s = settings.spindles if settings else SpindleSettings()
    w = settings.slow_oscillations if settings else SlowOscillationSettings()
    coupling_settings = settings.coupling if settings else CouplingSettings()
    spindle_candidates = find_spindle_candidates(*night)
    all_waves = measure_waves(*night, w)
    wave_candidates = keep_candidates(all_waves, w)
    audit_settings = settings.audit if settings else AuditSettings()
    by_yasa = _ask_yasa(night, s, w, edits) if audit_settings.yasa_detectors else {}
    spindles = detect_spindles(*night, s) if s.method == "yasa" else select_spindles(spindle_candidates, s, calibration)
    waves = (
        detect_slow_oscillations(*night, w)
        if w.method == "yasa"
        else select_slow_oscillations(wave_candidates, w, calibration)
    )
    spindles, waves = drop_rejected(spindles, edits, "spindle"), drop_rejected(waves, edits, "slow oscillation")
    both_views = select_spindles(spindle_candidates, replace(s, view="either", method="eegsleep"), calibration)
    views = [
        *_audited_spindles(night, s, calibration, spindles, spindle_candidates),
        *_audited_waves(night, w, calibration, waves),
    ]
    audit = audit_events(*night, views, audit_settings)
    if w.method == "yasa":  # its waves have no relative view
        coupling_settings = replace(coupling_settings, relative_waves=False)
    bands = dict(
        zip(
            recording.derivations,
            measure_each(
                lambda label: measure_slow_and_sigma(recording.signal(label), coupling_settings), recording.derivations
            ),
            strict=True,
        )
    )
    coupling = couple_events(recording, spindles, waves, stages, quality, coupling_settings, audit, bands)
    return Events(
        spindles=spindles,
        slow_oscillations=waves,
        spindle_candidates=spindle_candidates,
        slow_oscillation_candidates=wave_candidates,
        both_views=drop_rejected(both_views, edits, "spindle"),
        low_sigma=find_low_sigma(*night),
        largest_waves=measure_largest_waves(all_waves, stages, quality, recording.derivations),
        polarity=measure_polarity(*night, _usual_sigma(bands, coupling_settings)),
        by_yasa=by_yasa,
        coupling=coupling,
        coupling_summary=summarize_coupling(recording, coupling, waves, stages, quality, coupling_settings, bands),
        audit=audit,
        gain_reference_uv=gain_reference_uv(*night),
    )


def _usual_sigma(bands: Mapping[str, SlowAndSigma], settings: CouplingSettings) -> dict[str, np.ndarray] | None:
    """Return the envelope of sigma by channel; None where the settings ask for another band than the usual one."""
    if settings.sigma_hz != CouplingSettings().sigma_hz:
        return None
    return {label: own.sigma_uv for label, own in bands.items()}


_Night = tuple["Recording", "pd.DataFrame", "pd.DataFrame"]


def _ask_yasa(
    night: _Night, spindles: SpindleSettings, waves: SlowOscillationSettings, edits: EventEdits | None
) -> dict[str, pd.DataFrame]:
    """Return what YASA's detectors find, without the events rejected by hand."""
    found = detect_spindles(*night, replace(spindles, method="yasa"))
    found_waves = detect_slow_oscillations(*night, replace(waves, method="yasa"))
    return {
        "spindles": drop_rejected(found, edits, "spindle"),
        "slow_oscillations": drop_rejected(found_waves, edits, "slow oscillation"),
    }


def _audited_spindles(
    night: _Night,
    settings: SpindleSettings,
    calibration: Calibration | None,
    spindles: pd.DataFrame,
    candidates: pd.DataFrame,
) -> list[AuditedView]:
    """Return the view in which the spindles of each channel are counted, as it is audited.

    The night's own sigma is kept for the copy: the planted spindles would raise it.
    """
    recording = night[0]
    own_uv = candidates.groupby("channel")["baseline_uv"].first().to_dict()
    relative = {
        label: sigma_uv
        for label, sigma_uv in own_uv.items()
        if settings.method == "eegsleep" and is_relative(label, settings, calibration)
    }
    absolute = [label for label in recording.derivations if label not in relative]

    def detect_relative(*copy: *_Night) -> pd.DataFrame:
        found = find_spindle_candidates(*copy, channels=list(relative))
        sigma_uv = found["channel"].map(relative).astype(float)
        found = found.assign(baseline_uv=sigma_uv, sigma_ratio=found["envelope_uv"] / sigma_uv)
        return select_spindles(found, settings, calibration)

    def detect_absolute(*copy: *_Night) -> pd.DataFrame:
        return detect_spindles(*copy, settings, calibration, absolute)

    in_uv = dict.fromkeys(absolute, 1.0)
    return [
        AuditedView("spindle", "absolute", in_uv, spindles, detect_absolute, settings.method == "yasa"),
        AuditedView("spindle", "relative", relative, spindles, detect_relative),
    ]


def _audited_waves(
    night: _Night, settings: SlowOscillationSettings, calibration: Calibration | None, waves: pd.DataFrame
) -> list[AuditedView]:
    """Return both views of slow oscillations as they are audited.

    The night's own reference is kept for the copy: planted waves are waves of N2 and would raise it.
    """
    recording = night[0]
    reference_uv = waves.dropna(subset="reference_uv").groupby("channel")["reference_uv"].first().to_dict()

    def detect_absolute(*copy: *_Night) -> pd.DataFrame:
        found = detect_slow_oscillations(*copy, settings, calibration)
        return found[found["found_absolute"]].reset_index(drop=True)

    def detect_relative(*copy: *_Night) -> pd.DataFrame:
        found = find_slow_oscillation_candidates(*copy, settings)
        own_uv = found["channel"].map(reference_uv).astype(float)
        found = select_slow_oscillations(
            found.assign(reference_uv=own_uv, ptp_relative=found["ptp_uv"] / own_uv), settings
        )
        return found[found["found_relative"]].reset_index(drop=True)

    absolute, relative = (waves[waves[f"found_{view}"]] for view in ("absolute", "relative"))
    in_uv = dict.fromkeys(recording.derivations, 1.0)
    return [
        AuditedView("slow_oscillation", "absolute", in_uv, absolute, detect_absolute, settings.method == "yasa"),
        AuditedView("slow_oscillation", "relative", reference_uv, relative, detect_relative),
    ]
