"""Markers: their catalogue, and how they are measured on a night."""

from eegsleep.markers.catalogue import CATALOGUE, FAMILIES
from eegsleep.markers.measure import measure_markers
from eegsleep.markers.rows import SPECTRUM_STAGES, MarkerSettings

__all__ = ["CATALOGUE", "FAMILIES", "SPECTRUM_STAGES", "MarkerSettings", "measure_markers"]
