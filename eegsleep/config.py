"""Every setting of one night in one place, with a TOML file to change them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_type_hints

from eegsleep.events.audit import AuditSettings
from eegsleep.events.coupling import CouplingSettings
from eegsleep.events.slow_oscillations import SlowOscillationSettings
from eegsleep.events.spindles import SpindleSettings
from eegsleep.markers import MarkerSettings
from eegsleep.quality import QualitySettings
from eegsleep.spectrum import SpectrumSettings
from eegsleep.staging.score import StagingSettings
from eegsleep.toml_files import read_toml

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """The settings of each step, under the name of the step; also the tables of a TOML file."""

    quality: QualitySettings = field(default_factory=QualitySettings)
    staging: StagingSettings = field(default_factory=StagingSettings)
    spindles: SpindleSettings = field(default_factory=SpindleSettings)
    slow_oscillations: SlowOscillationSettings = field(default_factory=SlowOscillationSettings)
    coupling: CouplingSettings = field(default_factory=CouplingSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    spectrum: SpectrumSettings = field(default_factory=SpectrumSettings)
    markers: MarkerSettings = field(default_factory=MarkerSettings)

    def to_dict(self) -> dict[str, Any]:
        """Return every resolved setting as plain values, as provenance stores them."""
        return dataclasses.asdict(self)


def load_settings(path: Path) -> Settings:
    """Read settings from a TOML file; a setting that the file does not name keeps its default.

    Parameters
    ----------
    path : Path
        One table a step, such as `[spindles]`, with the names and kinds of values of its settings.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        If the file is not TOML, or names a step or setting that does not exist, or a value has the wrong kind or is
        out of range.
    """
    steps = get_type_hints(Settings)
    content = read_toml(path, {step: get_type_hints(kind) for step, kind in steps.items()})
    return Settings(**{step: steps[step](**values) for step, values in content.items()})
