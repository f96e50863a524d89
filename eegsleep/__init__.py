"""Overnight EEG: from a recording to markers of sleep that can be compared between nights.

The flow, each step a function on the one before::

    import eegsleep as es

    recording = es.read_recording("night.edf")
    night = es.analyze_night(recording)
    es.save_night(night, "nights", {"report.html": es.render_night(night)})

eegsleep is not a medical device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eegsleep.config import Settings, load_settings
    from eegsleep.datasets.simulate import SimulationSettings, simulate_night, write_simulated_night
    from eegsleep.datasets.simulated_artefacts import ARTEFACT_KINDS
    from eegsleep.errors import EegSleepError, RecordingError, SettingsError, TableError
    from eegsleep.events.audit import audit_events
    from eegsleep.events.calibration import Calibration, calibrate, calibrate_nights, read_calibration
    from eegsleep.events.detect import detect_events
    from eegsleep.events.slow_oscillations import (
        SlowOscillationSettings,
        detect_slow_oscillations,
        select_slow_oscillations,
    )
    from eegsleep.events.spindle_candidates import find_spindle_candidates
    from eegsleep.events.spindles import SpindleSettings, detect_spindles, select_spindles
    from eegsleep.markers import CATALOGUE, FAMILIES
    from eegsleep.night import Night, analyze_night, load_night, save_night
    from eegsleep.quality import Verdict, judge_night, measure_quality
    from eegsleep.recording.anonymize import anonymize_recording
    from eegsleep.recording.inspect import Inspection, inspect_recording
    from eegsleep.recording.read import Recording, read_recording
    from eegsleep.report.agreement_page import render_agreement
    from eegsleep.report.pages import render_night
    from eegsleep.staging.agreement import Agreement, measure_agreement, save_agreement
    from eegsleep.staging.confidence import measure_uncertainty
    from eegsleep.staging.hypnogram import make_stages
    from eegsleep.staging.hypnogram_export import write_hypnogram
    from eegsleep.staging.hypnogram_files import read_hypnogram
    from eegsleep.staging.lights import Lights, find_lights
    from eegsleep.staging.pairing import pair_scorings
    from eegsleep.staging.score import score_stages
    from eegsleep.staging.scoring import Scoring, align_scoring
    from eegsleep.staging.stage_codings import CODINGS
    from eegsleep.staging.statistics import measure_sleep

# Public name: where it lives. Nothing is imported until it is asked for (PEP 562).
_HOMES = {
    "SlowOscillationSettings": "eegsleep.events.slow_oscillations",
    "select_slow_oscillations": "eegsleep.events.slow_oscillations",
    "SpindleSettings": "eegsleep.events.spindles",
    "select_spindles": "eegsleep.events.spindles",
    "find_spindle_candidates": "eegsleep.events.spindle_candidates",
    "detect_slow_oscillations": "eegsleep.events.slow_oscillations",
    "detect_spindles": "eegsleep.events.spindles",
    "detect_events": "eegsleep.events.detect",
    "audit_events": "eegsleep.events.audit",
    "read_calibration": "eegsleep.events.calibration",
    "calibrate_nights": "eegsleep.events.calibration",
    "calibrate": "eegsleep.events.calibration",
    "Calibration": "eegsleep.events.calibration",
    "measure_uncertainty": "eegsleep.staging.confidence",
    "make_stages": "eegsleep.staging.hypnogram",
    "CODINGS": "eegsleep.staging.stage_codings",
    "ARTEFACT_KINDS": "eegsleep.datasets.simulated_artefacts",
    "Agreement": "eegsleep.staging.agreement",
    "CATALOGUE": "eegsleep.markers",
    "EegSleepError": "eegsleep.errors",
    "FAMILIES": "eegsleep.markers",
    "Inspection": "eegsleep.recording.inspect",
    "Lights": "eegsleep.staging.lights",
    "Night": "eegsleep.night",
    "Recording": "eegsleep.recording.read",
    "RecordingError": "eegsleep.errors",
    "Scoring": "eegsleep.staging.scoring",
    "Settings": "eegsleep.config",
    "SettingsError": "eegsleep.errors",
    "SimulationSettings": "eegsleep.datasets.simulate",
    "TableError": "eegsleep.errors",
    "Verdict": "eegsleep.quality",
    "align_scoring": "eegsleep.staging.scoring",
    "analyze_night": "eegsleep.night",
    "anonymize_recording": "eegsleep.recording.anonymize",
    "find_lights": "eegsleep.staging.lights",
    "inspect_recording": "eegsleep.recording.inspect",
    "judge_night": "eegsleep.quality",
    "load_night": "eegsleep.night",
    "load_settings": "eegsleep.config",
    "measure_agreement": "eegsleep.staging.agreement",
    "measure_quality": "eegsleep.quality",
    "measure_sleep": "eegsleep.staging.statistics",
    "pair_scorings": "eegsleep.staging.pairing",
    "read_hypnogram": "eegsleep.staging.hypnogram_files",
    "read_recording": "eegsleep.recording.read",
    "render_agreement": "eegsleep.report.agreement_page",
    "render_night": "eegsleep.report.pages",
    "save_agreement": "eegsleep.staging.agreement",
    "save_night": "eegsleep.night",
    "score_stages": "eegsleep.staging.score",
    "simulate_night": "eegsleep.datasets.simulate",
    "write_hypnogram": "eegsleep.staging.hypnogram_export",
    "write_simulated_night": "eegsleep.datasets.simulate",
}

__all__ = [
    "ARTEFACT_KINDS",
    "CATALOGUE",
    "CODINGS",
    "FAMILIES",
    "Agreement",
    "Calibration",
    "EegSleepError",
    "Inspection",
    "Lights",
    "Night",
    "Recording",
    "RecordingError",
    "Scoring",
    "Settings",
    "SettingsError",
    "SimulationSettings",
    "SlowOscillationSettings",
    "SpindleSettings",
    "TableError",
    "Verdict",
    "align_scoring",
    "analyze_night",
    "anonymize_recording",
    "audit_events",
    "calibrate",
    "calibrate_nights",
    "detect_events",
    "detect_slow_oscillations",
    "detect_spindles",
    "find_lights",
    "find_spindle_candidates",
    "inspect_recording",
    "judge_night",
    "load_night",
    "load_settings",
    "make_stages",
    "measure_agreement",
    "measure_quality",
    "measure_sleep",
    "measure_uncertainty",
    "pair_scorings",
    "read_calibration",
    "read_hypnogram",
    "read_recording",
    "render_agreement",
    "render_night",
    "save_agreement",
    "save_night",
    "score_stages",
    "select_slow_oscillations",
    "select_spindles",
    "simulate_night",
    "write_hypnogram",
    "write_simulated_night",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("eegsleep")
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'eegsleep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
