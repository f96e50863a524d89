"""What is a person's own and held fixed over all nights, and a check of gain between those nights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from eegsleep.errors import SettingsError
from eegsleep.provenance import encode_json, hash_bytes, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Calibration:
    """Thresholds and frequencies of one person, from all their nights together.

    Parameters
    ----------
    sigma_amplitude_uv : dict of str to float
        Least envelope of a spindle by channel, µV peak to peak within 2 Hz.
    slow_spindle_hz, fast_spindle_hz : float, optional
        Where the person's slow and fast spindles peak; None where that cannot be told.
    so_amplitude_uv : dict of str to float
        Least peak-to-peak amplitude of a slow oscillation by channel.
    n_nights : int
        Nights it was learned from.
    sha256 : str
        Hash of the file it was read from; empty for one that was not.
    """

    sigma_amplitude_uv: dict[str, float] = field(default_factory=dict)
    slow_spindle_hz: float | None = None
    fast_spindle_hz: float | None = None
    so_amplitude_uv: dict[str, float] = field(default_factory=dict)
    n_nights: int = 0
    sha256: str = field(default="", compare=False)

    def border_hz(self, default: float) -> float:
        """Return the frequency midway between slow and fast spindles, or `default` if one is unknown."""
        if self.slow_spindle_hz is None or self.fast_spindle_hz is None:
            return default
        return (self.slow_spindle_hz + self.fast_spindle_hz) / 2

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes, of plain types that JSON has."""
        return {name: value for name, value in asdict(self).items() if name != "sha256"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `as_dict` gave.

        Raises
        ------
        SettingsError
            If it holds anything else.
        """
        known = {entry.name for entry in fields(cls)} - {"sha256"}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError(
                "a calibration has entries that are not ours",
                found=", ".join(unknown),
                allowed=", ".join(sorted(known)),
            )
        return cls(**values)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration as `eegsleep calibrate` writes it.

    Raises
    ------
    SettingsError
        If the file is not one.
    """
    try:
        content = path.read_bytes()
        values = json.loads(content)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path.name} is not a calibration", found=str(error)) from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name} is not a calibration", found=type(values).__name__, allowed="a JSON object")
    return replace(Calibration.from_dict(values), sha256=hash_bytes(content))


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration as JSON, for `read_calibration` and for `--calibration`."""
    write_file(path, encode_json(calibration.as_dict()))
