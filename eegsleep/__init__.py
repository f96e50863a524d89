"""Overnight EEG: from a recording to markers of sleep that can be compared between nights.

The flow, each step a function on the one before::

    import eegsleep as es

    recording = es.read_recording("night.edf")
    night = es.analyze_night(recording)
    es.save_night(night, "nights", {"report.html": es.render_night(night)})

Many nights, on all cores, and a study of them::

    jobs, folder, _ = es.find_jobs(["recordings"])
    es.run_batch(jobs, folder)
    study = es.read_study("study.toml")

eegsleep is not a medical device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eegsleep.agreement.measure import Agreement, measure_agreement, save_agreement
    from eegsleep.agreement.pairs import pair_scorings
    from eegsleep.batch.gather import gather_nights, write_summary
    from eegsleep.batch.run import run_batch
    from eegsleep.batch.sources import find_jobs
    from eegsleep.config import Settings, load_settings
    from eegsleep.datasets.pairs import find_expert
    from eegsleep.datasets.physionet import FETCHERS, list_nights
    from eegsleep.datasets.registry import DATASETS
    from eegsleep.errors import EegSleepError, RecordingError, SettingsError, TableError
    from eegsleep.events.audit import audit_events
    from eegsleep.events.calibrate import calibrate, calibrate_nights
    from eegsleep.events.calibration import Calibration, read_calibration
    from eegsleep.events.detect import detect_events
    from eegsleep.events.slow_oscillations import (
        SlowOscillationSettings,
        detect_slow_oscillations,
        select_slow_oscillations,
    )
    from eegsleep.events.spindle_candidates import find_spindle_candidates
    from eegsleep.events.spindles import SpindleSettings, detect_spindles, select_spindles
    from eegsleep.hypnograms.codings import CODINGS
    from eegsleep.hypnograms.read import read_hypnogram
    from eegsleep.hypnograms.scoring import Scoring, align_scoring
    from eegsleep.hypnograms.table import make_stages
    from eegsleep.hypnograms.write import write_hypnogram
    from eegsleep.markers.catalogue import CATALOGUE, FAMILIES
    from eegsleep.night import Night, analyze_night, load_night, save_night
    from eegsleep.quality import Verdict, judge_night, measure_quality
    from eegsleep.recording.edf.anonymize import anonymize_recording
    from eegsleep.recording.inspect import Inspection, inspect_recording
    from eegsleep.recording.read import read_recording
    from eegsleep.recording.recording import Recording
    from eegsleep.report.agreement_page import render_agreement
    from eegsleep.report.night_page import render_night
    from eegsleep.report.study_page import render_study
    from eegsleep.simulation.night import SimulationSettings, simulate_night, write_simulated_night
    from eegsleep.simulation.settings import ARTEFACT_KINDS
    from eegsleep.staging.confidence import measure_uncertainty
    from eegsleep.staging.lights import Lights, find_lights
    from eegsleep.staging.score import score_stages
    from eegsleep.staging.statistics import measure_sleep
    from eegsleep.study.checks import run_checks
    from eegsleep.study.comparison.compare import Comparison, compare_nights
    from eegsleep.study.comparison.relations import relate_next_day
    from eegsleep.study.declared.manifest import read_study, write_template
    from eegsleep.study.declared.protocol import Study, read_protocol
    from eegsleep.study.folder import collect_markers, save_comparison
    from eegsleep.study.masking.lock import lock_study, unmask
    from eegsleep.study.planning.plan import Plan, measure_spreads, plan_study, write_plan
    from eegsleep.workflows.score import Job

# Public name: where it lives. Nothing is imported until it is asked for (PEP 562).
_HOMES = {
    "ARTEFACT_KINDS": "eegsleep.simulation.artefacts",
    "CATALOGUE": "eegsleep.markers.catalogue",
    "CODINGS": "eegsleep.hypnograms.codings",
    "DATASETS": "eegsleep.datasets.registry",
    "FAMILIES": "eegsleep.markers.catalogue",
    "FETCHERS": "eegsleep.datasets.physionet",
    "Agreement": "eegsleep.agreement.measure",
    "Calibration": "eegsleep.events.calibration",
    "Comparison": "eegsleep.study.comparison.compare",
    "EegSleepError": "eegsleep.errors",
    "Inspection": "eegsleep.recording.inspect",
    "Job": "eegsleep.workflows.score",
    "Lights": "eegsleep.staging.lights",
    "Night": "eegsleep.night",
    "Plan": "eegsleep.study.planning.plan",
    "Recording": "eegsleep.recording.read",
    "RecordingError": "eegsleep.errors",
    "Scoring": "eegsleep.hypnograms.scoring",
    "Settings": "eegsleep.config",
    "SettingsError": "eegsleep.errors",
    "SimulationSettings": "eegsleep.simulation.night",
    "SlowOscillationSettings": "eegsleep.events.slow_oscillations",
    "SpindleSettings": "eegsleep.events.spindles",
    "Study": "eegsleep.study.declared.protocol",
    "TableError": "eegsleep.errors",
    "Verdict": "eegsleep.quality",
    "align_scoring": "eegsleep.hypnograms.scoring",
    "analyze_night": "eegsleep.night",
    "anonymize_recording": "eegsleep.recording.edf.anonymize",
    "audit_events": "eegsleep.events.audit",
    "calibrate": "eegsleep.events.calibration",
    "calibrate_nights": "eegsleep.events.calibration",
    "collect_markers": "eegsleep.study.folder",
    "compare_nights": "eegsleep.study.comparison.compare",
    "detect_events": "eegsleep.events.detect",
    "detect_slow_oscillations": "eegsleep.events.slow_oscillations",
    "detect_spindles": "eegsleep.events.spindles",
    "find_expert": "eegsleep.datasets.pairs",
    "find_jobs": "eegsleep.batch.sources",
    "find_lights": "eegsleep.staging.lights",
    "find_spindle_candidates": "eegsleep.events.spindle_candidates",
    "gather_nights": "eegsleep.batch.gather",
    "inspect_recording": "eegsleep.recording.inspect",
    "judge_night": "eegsleep.quality",
    "list_nights": "eegsleep.datasets.physionet",
    "load_night": "eegsleep.night",
    "load_settings": "eegsleep.config",
    "lock_study": "eegsleep.study.masking.lock",
    "make_stages": "eegsleep.hypnograms.table",
    "measure_agreement": "eegsleep.agreement.measure",
    "measure_quality": "eegsleep.quality",
    "measure_sleep": "eegsleep.staging.statistics",
    "measure_spreads": "eegsleep.study.planning.plan",
    "measure_uncertainty": "eegsleep.staging.confidence",
    "pair_scorings": "eegsleep.agreement.pairs",
    "plan_study": "eegsleep.study.planning.plan",
    "read_calibration": "eegsleep.events.calibration",
    "read_hypnogram": "eegsleep.hypnograms.read",
    "read_protocol": "eegsleep.study.declared.protocol",
    "read_recording": "eegsleep.recording.read",
    "read_study": "eegsleep.study.declared.manifest",
    "relate_next_day": "eegsleep.study.comparison.relations",
    "render_agreement": "eegsleep.report.agreement_page",
    "render_night": "eegsleep.report.night_page",
    "render_study": "eegsleep.report.study_page",
    "run_batch": "eegsleep.batch.run",
    "run_checks": "eegsleep.study.checks",
    "save_agreement": "eegsleep.agreement.measure",
    "save_comparison": "eegsleep.study.folder",
    "save_night": "eegsleep.night",
    "score_stages": "eegsleep.staging.score",
    "select_slow_oscillations": "eegsleep.events.slow_oscillations",
    "select_spindles": "eegsleep.events.spindles",
    "simulate_night": "eegsleep.simulation.night",
    "unmask": "eegsleep.study.masking.lock",
    "write_hypnogram": "eegsleep.hypnograms.write",
    "write_plan": "eegsleep.study.planning.plan",
    "write_simulated_night": "eegsleep.simulation.night",
    "write_summary": "eegsleep.batch.gather",
    "write_template": "eegsleep.study.declared.manifest",
}

__all__ = [
    "ARTEFACT_KINDS",
    "CATALOGUE",
    "CODINGS",
    "DATASETS",
    "FAMILIES",
    "FETCHERS",
    "Agreement",
    "Calibration",
    "Comparison",
    "EegSleepError",
    "Inspection",
    "Job",
    "Lights",
    "Night",
    "Plan",
    "Recording",
    "RecordingError",
    "Scoring",
    "Settings",
    "SettingsError",
    "SimulationSettings",
    "SlowOscillationSettings",
    "SpindleSettings",
    "Study",
    "TableError",
    "Verdict",
    "align_scoring",
    "analyze_night",
    "anonymize_recording",
    "audit_events",
    "calibrate",
    "calibrate_nights",
    "collect_markers",
    "compare_nights",
    "detect_events",
    "detect_slow_oscillations",
    "detect_spindles",
    "find_expert",
    "find_jobs",
    "find_lights",
    "find_spindle_candidates",
    "gather_nights",
    "inspect_recording",
    "judge_night",
    "list_nights",
    "load_night",
    "load_settings",
    "lock_study",
    "make_stages",
    "measure_agreement",
    "measure_quality",
    "measure_sleep",
    "measure_spreads",
    "measure_uncertainty",
    "pair_scorings",
    "plan_study",
    "read_calibration",
    "read_hypnogram",
    "read_protocol",
    "read_recording",
    "read_study",
    "relate_next_day",
    "render_agreement",
    "render_night",
    "render_study",
    "run_batch",
    "run_checks",
    "save_agreement",
    "save_comparison",
    "save_night",
    "score_stages",
    "select_slow_oscillations",
    "select_spindles",
    "simulate_night",
    "unmask",
    "write_hypnogram",
    "write_plan",
    "write_simulated_night",
    "write_summary",
    "write_template",
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
