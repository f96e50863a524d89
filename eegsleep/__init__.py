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
    from eegsleep.errors import EegSleepError, RecordingError, SettingsError, TableError
    from eegsleep.markers import CATALOGUE, FAMILIES
    from eegsleep.night import Night, analyze_night, load_night, save_night
    from eegsleep.quality import measure_quality
    from eegsleep.recording.anonymize import anonymize_recording
    from eegsleep.recording.inspect import Inspection, inspect_recording
    from eegsleep.recording.read import Recording, read_recording
    from eegsleep.report.pages import render_night

# Public name: where it lives. Nothing is imported until it is asked for (PEP 562).
_HOMES = {
    "CATALOGUE": "eegsleep.markers",
    "FAMILIES": "eegsleep.markers",
    "EegSleepError": "eegsleep.errors",
    "Inspection": "eegsleep.recording.inspect",
    "Night": "eegsleep.night",
    "Recording": "eegsleep.recording.read",
    "RecordingError": "eegsleep.errors",
    "Settings": "eegsleep.config",
    "SettingsError": "eegsleep.errors",
    "SimulationSettings": "eegsleep.datasets.simulate",
    "TableError": "eegsleep.errors",
    "analyze_night": "eegsleep.night",
    "anonymize_recording": "eegsleep.recording.anonymize",
    "inspect_recording": "eegsleep.recording.inspect",
    "load_night": "eegsleep.night",
    "load_settings": "eegsleep.config",
    "measure_quality": "eegsleep.quality",
    "read_recording": "eegsleep.recording.read",
    "render_night": "eegsleep.report.pages",
    "save_night": "eegsleep.night",
    "simulate_night": "eegsleep.datasets.simulate",
    "write_simulated_night": "eegsleep.datasets.simulate",
}

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "EegSleepError",
    "Inspection",
    "Night",
    "Recording",
    "RecordingError",
    "Settings",
    "SettingsError",
    "SimulationSettings",
    "TableError",
    "analyze_night",
    "anonymize_recording",
    "inspect_recording",
    "load_night",
    "load_settings",
    "measure_quality",
    "read_recording",
    "render_night",
    "save_night",
    "simulate_night",
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
