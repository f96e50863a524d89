"""One person's own thresholds and frequencies, fixed over all their nights, and the file that holds them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, get_type_hints

from eegsleep.errors import SettingsError
from eegsleep.json_files import find_misfit, read_json
from eegsleep.provenance import encode_json, fingerprint, hash_file, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eegsleep.recording.recording import Recording

# The key under which the file holds a hash of its other values.
_CHECKSUM = "checksum"
# The least and largest values by the end of a name. Spindles have 9 to 16 Hz.
_LIMITS = {"_uv": (0.01, 10_000.0), "_hz": (5.0, 20.0), "_level": (1e-6, 1e6), "n_nights": (0, 100_000)}
_ALLOWED = "amplitudes of 0.01 to 10000 µV by channel, frequencies of 5 to 20 Hz"


@dataclass(frozen=True)
class Calibration:
    """Thresholds and frequencies of one person, from all their nights together.

    Parameters
    ----------
    sigma_amplitude_uv : dict of str to float
        Least envelope of a spindle by channel, µV peak to peak: root mean square of 11-16 Hz over 1 s.
    background_level : dict of str to float
        By channel, power of 6-30 Hz without sigma over that of sigma, both medians over NREM.
    slow_spindle_hz, fast_spindle_hz : float, optional
        The most frequent frequency of the person's slow and fast spindles; None where it could not be found.
    so_amplitude_uv : dict of str to float
        Least peak-to-peak amplitude of a slow oscillation by channel, in µV.
    n_nights : int
        Number of nights it was learned from.
    device : str
        The device of these nights; empty where it is not known.
    units : dict of str to str
        Units that the user stated for these nights, by label.
    sha256 : str
        Hash of the file it was read from; empty for a calibration that was not read from a file.
    """

    sigma_amplitude_uv: dict[str, float] = field(default_factory=dict)
    background_level: dict[str, float] = field(default_factory=dict)
    slow_spindle_hz: float | None = None
    fast_spindle_hz: float | None = None
    so_amplitude_uv: dict[str, float] = field(default_factory=dict)
    n_nights: int = 0
    device: str = ""
    units: dict[str, str] = field(default_factory=dict)
    sha256: str = field(default="", compare=False)

    def border_hz(self, default: float) -> float:
        """Return the frequency midway between slow and fast spindles, or `default` if one is unknown."""
        if self.slow_spindle_hz is None or self.fast_spindle_hz is None:
            return default
        return (self.slow_spindle_hz + self.fast_spindle_hz) / 2

    def as_dict(self) -> dict[str, Any]:
        """Return the values that `from_dict` takes, in types that JSON has; the hash is left out."""
        return {name: value for name, value in asdict(self).items() if name != "sha256"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `as_dict` gave.

        Raises
        ------
        SettingsError
            If there is an entry that a calibration does not have.
        """
        known = {entry.name for entry in fields(cls)} - {"sha256"}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError(
                "a calibration has unknown entries",
                found=", ".join(unknown),
                allowed=", ".join(sorted(known)),
            )
        return cls(**values)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration as `eegsleep calibrate` writes it.

    Parameters
    ----------
    path : pathlib.Path
        A JSON file.

    Returns
    -------
    Calibration
        With the hash of the file in `sha256`.

    Raises
    ------
    SettingsError
        If the file cannot be read or is not a calibration.

    Examples
    --------
    >>> from pathlib import Path
    >>> es.save_calibration(es.Calibration({"C4-M1": 14.0}), Path("own.json"))
    >>> es.read_calibration(Path("own.json")).sigma_amplitude_uv
    {'C4-M1': 14.0}
    """
    values = read_json(path, "a calibration", error=SettingsError, remedy="make it again with `eegsleep calibrate`")
    checksum = values.pop(_CHECKSUM, None)
    calibration = Calibration.from_dict(values)
    for name, kind in get_type_hints(Calibration).items():
        problem = find_misfit(values[name], kind, name) if name in values else ""
        if problem or (problem := _find_excess(name, values.get(name))):
            raise SettingsError(f"{path.name} is not a calibration", found=problem, allowed=_ALLOWED)
    if checksum not in {None, fingerprint(values)}:
        raise SettingsError(
            f"{path.name} is not as it was written",
            found="other values than those that were learned",
            remedy="make it again with `eegsleep calibrate`",
        )
    return replace(calibration, sha256=hash_file(path))


def _find_excess(name: str, value: object) -> str:
    """Return in words which number of a calibration is no amplitude, frequency or number of nights; empty if none."""
    low, high = next((limits for end, limits in _LIMITS.items() if name.endswith(end)), (-math.inf, math.inf))
    numbers = value.items() if isinstance(value, dict) else [("", value)]
    odd = [(label, one) for label, one in numbers if isinstance(one, float | int) and not low <= one <= high]
    if odd:
        return f"{name} {odd[0][0]} {odd[0][1]:g}, not within {low:g} and {high:g}"
    unnamed = isinstance(value, dict) and not all(label.strip() and label.isprintable() for label in value)
    return f"{name} with a channel that has no name" if unnamed else ""


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration as the JSON that `read_calibration` and `--calibration` read.

    Parameters
    ----------
    calibration : Calibration
    path : pathlib.Path
        Replaced whole where it exists.

    Examples
    --------
    >>> from pathlib import Path
    >>> es.save_calibration(es.Calibration({"C4-M1": 14.0}), Path("calibration.json"))
    >>> Path("calibration.json").exists()
    True
    """
    check_replaced(path)
    values = calibration.as_dict()
    write_file(path, encode_json({**values, _CHECKSUM: fingerprint(values)}))


def check_replaced(path: Path) -> None:
    """Raise `SettingsError` if a calibration would overwrite a file that is none.

    Parameters
    ----------
    path : pathlib.Path
        Where the calibration is to be written.
    """
    if not path.exists():
        return
    try:
        read_calibration(path)
    except SettingsError as error:
        raise SettingsError(
            f"{path} is no calibration, and is not overwritten",
            found=error.found,
            remedy="give another file with --output, or move this one away",
        ) from error


def check_setup(calibration: Calibration, recording: Recording) -> None:
    """Raise `SettingsError` if a calibration is that of another device, or of other stated units.

    Parameters
    ----------
    calibration : Calibration
        One that does not name its device is not checked.
    recording : Recording
    """
    if not calibration.device:
        return
    for what, learned, found in (
        ("device", calibration.device, recording.device),
        ("unit", calibration.units, recording.units),
    ):
        if learned != found:
            raise SettingsError(
                f"the calibration was learned with another {what}, so that its microvolts do not apply",
                found=str(found),
                allowed=str(learned),
                remedy="calibrate on nights of this device, read in the same way",
            )
