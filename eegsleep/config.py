"""Every setting of one night in one place, with a TOML file to change them."""

from __future__ import annotations

import dataclasses
import math
import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin, get_type_hints

from eegsleep.errors import SettingsError
from eegsleep.events.audit import AuditSettings
from eegsleep.events.coupling import CouplingSettings
from eegsleep.events.slow_oscillations import SlowOscillationSettings
from eegsleep.events.spindles import SpindleSettings
from eegsleep.markers import MarkerSettings
from eegsleep.quality import QualitySettings
from eegsleep.spectrum import SpectrumSettings
from eegsleep.staging.score import StagingSettings
from eegsleep.toml_files import describe_kind, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Range(NamedTuple):
    """The least and the largest value of a setting, or of each value of a list, and the longest list."""

    low: float
    high: float
    longest: int = 10


# By the full name of a setting or by the end of its name, the first that fits: wide enough for any use that makes
# sense, and narrow enough that a night is worked out in minutes and within its memory. Signals are analysed at 100 Hz
# (`ANALYSIS_RATE_HZ`), and filters need room, so no band reaches beyond 45 Hz; an epoch has 30 s, so no window within
# one is longer.
_RANGES: tuple[tuple[str, Range], ...] = (
    (r"audit\.spacing_s", Range(2, 60)),
    (r"audit\.max_per_cell", Range(1, 1000)),
    (r"spectrum\.bandwidth_hz", Range(0.1, 5)),
    (r"spectrum\.aperiodic_window_s", Range(1, 30)),
    (r"spectrum\.resampling", Range(1.01, 4, 20)),
    (r"coupling\.window_s", Range(0.1, 10)),
    (r"coupling\.n_bins", Range(2, 360)),
    (r".*_?duration_s|.*\.(negative|positive)_s", Range(0.02, 10)),
    (r"slow_oscillations\.ptp_uv", Range(1, 100_000)),
    (r".*\.seed", Range(0, 2**32 - 1)),
    (r".*\.n_\w+", Range(1, 10_000)),
    (r".*_(fraction|share)", Range(0, 1)),
    (r".*_(events|spindles)", Range(1, 100_000)),
    (r".*_uv_per_s", Range(0, 1_000_000)),
    (r".*_uv", Range(0, 100_000)),
    (r".*_hz", Range(0.1, 45)),
    (r".*_rad", Range(0, math.pi)),
    (r".*_min", Range(0, 600)),
    (r".*_h", Range(0, 72)),
    (r".*_s", Range(0, 30)),
    (r".*(ratio|contrast|concentration|ptp|multiples|threshold|factor)", Range(0, 1000)),
)


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

    def __post_init__(self) -> None:
        """Check every number against its range.

        Raises
        ------
        SettingsError
            If one is outside.
        """
        for step in dataclasses.fields(self):
            values = getattr(self, step.name)
            for name, kind in get_type_hints(type(values)).items():
                _check_value(f"{step.name}.{name}", getattr(values, name), kind)

    def to_dict(self) -> dict[str, Any]:
        """Return every resolved setting as plain values, as provenance stores them."""
        return dataclasses.asdict(self)


def load_settings(path: Path) -> Settings:
    r"""Read settings from a TOML file; a setting that the file does not name keeps its default.

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

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("own.toml").write_text("[spindles]\nclass_border_hz = 13")
    >>> es.load_settings(Path("own.toml")).spindles.class_border_hz
    13.0
    """
    steps = get_type_hints(Settings)
    kinds = {step: get_type_hints(kind) for step, kind in steps.items()}
    content = read_toml(path, kinds)
    for step, values in content.items():  # before they are used, so that the error names the setting
        for name, value in values.items():
            _check_value(f"{step}.{name}", value, kinds[step][name])
    return Settings(**{step: steps[step](**values) for step, values in content.items()})


def find_range(name: str) -> Range | None:
    """Return the range of a setting, or None if it holds no number.

    Parameters
    ----------
    name : str
        Step and setting: `spindles.band_hz`.

    Returns
    -------
    Range or None
    """
    return next((allowed for pattern, allowed in _RANGES if re.fullmatch(pattern, name)), None)


def _is_number(kind: Any) -> bool:  # noqa: ANN401 - an annotation may be any object
    return kind in {int, float} or (get_origin(kind) is tuple and get_args(kind)[0] in {int, float})


def _check_value(name: str, value: Any, kind: Any) -> None:  # noqa: ANN401 - a setting may be anything
    allowed = find_range(name)
    if allowed is None or not _is_number(kind):
        return
    values = value if isinstance(value, tuple) else (value,)
    is_pair = get_origin(kind) is tuple and Ellipsis not in get_args(kind)
    fits = 0 < len(values) <= allowed.longest and all(allowed.low <= one <= allowed.high for one in values)
    if not fits or (is_pair and not values[0] < values[1]):
        raise SettingsError(f"the setting {name} is out of range", found=str(value), allowed=describe_range(name, kind))


def describe_range(name: str, kind: Any) -> str:  # noqa: ANN401 - an annotation may be any object
    """Return in words what a setting may be.

    Parameters
    ----------
    name : str
        Step and setting.
    kind
        Its annotation.

    Returns
    -------
    str
    """
    allowed = find_range(name)
    if allowed is None or not _is_number(kind):
        return describe_kind(kind)
    limits = f"{allowed.low:.10g} to {allowed.high:.10g}"
    if get_origin(kind) is not tuple:
        return limits
    if Ellipsis in get_args(kind):
        return f"1 to {allowed.longest} values, each {limits}"
    return f"two values, {limits}, the first less than the second"


def list_settings(settings: Settings | None = None) -> Iterator[str]:
    """Yield every setting with its value and its range, as lines of a file that `--config` takes.

    Parameters
    ----------
    settings : Settings, optional
        By default the settings that are used without a file.

    Yields
    ------
    str
    """
    settings = settings or Settings()
    for step in dataclasses.fields(settings):
        values = getattr(settings, step.name)
        said = ""
        yield f"[{step.name}]"
        meanings = find_meanings(type(values))
        for name, kind in get_type_hints(type(values)).items():
            if meanings[name] != said:  # two settings may share one description
                said = meanings[name]
                yield from textwrap.wrap(said, 100, initial_indent="# ", subsequent_indent="# ")
            yield f"{name} = {as_toml(getattr(values, name))}  # {describe_range(f'{step.name}.{name}', kind)}"
        yield ""


def find_meanings(settings: type) -> dict[str, str]:
    """Return what each setting of a step means, as the docstring of its class has it.

    Parameters
    ----------
    settings : type
        The settings of one step, such as `SpindleSettings`.

    Returns
    -------
    dict of str to str
        By the name of the setting, on one line; empty where the docstring does not describe it.
    """
    from docstring_parser import DocstringStyle, parse

    described = parse(settings.__doc__ or "", DocstringStyle.NUMPYDOC).params
    meanings = {
        name.strip(): " ".join((entry.description or "").split())
        for entry in described
        for name in entry.arg_name.split(",")
    }
    return {name: meanings.get(name, "") for name in get_type_hints(settings)}


def as_toml(value: object) -> str:
    """Return the value of a setting as TOML writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
