"""Every setting of one night in one place, with a TOML file to change them."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eegsleep.errors import SettingsError
from eegsleep.events.audit import AuditSettings
from eegsleep.events.coupling import CouplingSettings
from eegsleep.events.slow_oscillations import SlowOscillationSettings
from eegsleep.events.spindles import SpindleSettings
from eegsleep.markers import MarkerSettings
from eegsleep.quality import QualitySettings
from eegsleep.spectrum import SpectrumSettings
from eegsleep.staging.score import StagingSettings

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
    """Read settings from a TOML file; what it does not name keeps its default.

    Raises
    ------
    SettingsError
        If the file is not TOML, or names a step or setting that does not exist, or a wrong type.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"settings file {path.name} cannot be read", found=str(error)) from error
    settings = Settings()
    steps = {step.name for step in dataclasses.fields(Settings)}
    changed = {}
    for step, values in content.items():
        if step not in steps or not isinstance(values, dict):
            raise SettingsError(
                f"settings file {path.name} names an unknown step", found=step, allowed=", ".join(sorted(steps))
            )
        changed[step] = _replace(getattr(settings, step), step, values)
    return dataclasses.replace(settings, **changed)


def _replace(part: Any, step: str, values: dict[str, Any]) -> Any:  # noqa: ANN401 - any of the seven parts
    known = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    resolved = {}
    for name, value in values.items():
        if name not in known:
            raise SettingsError(f"[{step}] has no such setting", found=name, allowed=", ".join(known))
        resolved[name] = _coerce(f"{step}.{name}", value, known[name])
    return dataclasses.replace(part, **resolved)


def _coerce(name: str, value: Any, default: Any) -> Any:  # noqa: ANN401 - TOML gives any type
    """Return `value` in the type of the default: TOML has lists for tuples and integers for floats."""
    if isinstance(default, bool) or isinstance(value, bool):
        fits = isinstance(default, bool) and isinstance(value, bool)
        result = value
    elif isinstance(default, tuple):
        same_length = isinstance(value, list) and (
            len(value) == len(default) or name.endswith(("resampling", "amplitudes_uv"))
        )
        fits = same_length and all(isinstance(v, int | float) for v in value)
        result = tuple(float(v) for v in value) if fits else value
    elif isinstance(default, str):
        fits, result = isinstance(value, str), value
    else:
        fits = isinstance(value, int | float) and (isinstance(default, float) or isinstance(value, int))
        result = float(value) if fits and isinstance(default, float) else value
    if not fits:
        raise SettingsError(
            f"setting {name} has a value of the wrong kind", found=repr(value), allowed=f"like its default {default!r}"
        )
    return result
