"""Markers: the catalogue of what is measured of a night, and how its numbers come about."""

from eegsleep.markers.catalogue import CATALOGUE, FAMILIES
from eegsleep.markers.measure import measure_markers
from eegsleep.markers.rows import SPECTRUM_STAGES, MarkerSettings

__all__ = ["CATALOGUE", "FAMILIES", "SPECTRUM_STAGES", "MarkerSettings", "measure_markers"]
