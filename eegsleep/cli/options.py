"""Options that several commands share, each declared and explained once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from eegsleep.errors import SettingsError
from eegsleep.file_names import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

    from eegsleep.config import Settings


def _parse_whole(_: object, tokens: Sequence[Token]) -> int:
    """Return a whole number; cyclopts alone would round 1.5 without a word."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value} is no whole number") from None


# A number that is whole.
Whole = Annotated[int, Parameter(converter=_parse_whole)]
Labels = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]

# One name each time, so that no file behind it is taken for a name.
Names = Annotated[list[str] | None, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How recordings are read and scored.

    Parameters
    ----------
    device
        Name of a device preset, such as muse or sleep-edf; by default recognised from the file.
    eeg
        Labels of the derivations to use, most trusted first; C4-M1 may be made from C4 and M1.
    eog
        Label of an eye channel.
    emg
        Label of a chin channel.
    units
        Unit of a channel whose header gives none or a wrong one: LABEL=uV.
    invert
        Labels of channels whose electrodes were exchanged, to be turned round.
    lights_off
        Clock time at which the lights went out: 23:15. Sleep statistics count from here. In a study, nights.csv
        comes first.
    lights_on
        Clock time at which they went on: 07:00.
    coding
        Meaning of integers in a hypnogram: rk, aasm, nsrr, ucddb and others.
    epoch
        Length of the epochs of a hypnogram in seconds, where its file does not give it; by default 30, and 5 with
        --coding dreams.
    column
        Column of stages in a hypnogram, where a table has several.
    calibration
        The person's own thresholds, as `eegsleep calibrate` writes them.
    config
        TOML file of settings; by default eegsleep.toml of the folder where the command is started, as `eegsleep init`
        writes it.
    trace
        How fine the signal is in the report: light (1 µV, about 9 MB a night), full (0.5 µV) or none.
    """

    device: str | None = None
    eeg: Labels = None
    eog: str | None = None
    emg: str | None = None
    units: Labels = None
    invert: Labels = None
    lights_off: str | None = None
    lights_on: str | None = None
    coding: str | None = None
    epoch: float | None = None
    column: str | None = None
    calibration: Path | None = None
    config: Path | None = None
    trace: Literal["none", "light", "full"] = "light"

    def for_job(self) -> dict[str, Any]:
        """Return the options as a `Job` takes them."""
        return {
            "device": self.device,
            "eeg": tuple(self.eeg) if self.eeg else None,
            "eog": self.eog,
            "emg": self.emg,
            "units": tuple(parse_units(self.units).items()),
            "invert": tuple(self.invert or ()),
            "lights_off": self.lights_off,
            "lights_on": self.lights_on,
            "coding": self.coding,
            "epoch_s": self.epoch,
            "column": self.column,
            "calibration": self.calibration.absolute() if self.calibration else None,
            "trace": self.trace,
            "settings_file": file.name if (file := self.settings_file()) else "",  # its folder may name a person
        }

    def check_used(self, *hypnograms: Path | None) -> None:
        """Raise if an option says how to read a hypnogram, and none is given."""
        asked = {"--coding": self.coding, "--epoch": self.epoch, "--column": self.column}
        if any(hypnograms) or not (unused := [name for name, value in asked.items() if value is not None]):
            return
        raise SettingsError(
            f"{' and '.join(unused)} would have no effect",
            found="no hypnogram to be read",
            remedy="give one with --hypnogram or --reference",
        )

    def settings_file(self) -> Path | None:
        """Return the file of settings: --config, else eegsleep.toml of this folder, else None."""
        own = Path(SETTINGS_FILE)
        return self.config or (own if os.path.lexists(own) else None)

    def describe_settings(self) -> list[str]:
        """Return a note where a file of settings is used that the command does not name."""
        file = None if self.config else self.settings_file()
        return [f"Note: the settings of {file} in this folder are used."] if file else []

    def settings(self) -> Settings:
        """Return the settings of `settings_file`, or the defaults."""
        from eegsleep.config import Settings, load_settings

        file = self.settings_file()
        return load_settings(file) if file else Settings()


def parse_units(units: list[str] | None) -> dict[str, str]:
    """Return units by label, from texts such as C4-M1=uV.

    Raises
    ------
    SettingsError
        If a text has another form.
    """
    pairs = {}
    for pair in units or []:
        label, equals, unit = pair.rpartition("=")
        if not (label and equals and unit):
            raise SettingsError("--units is not understood", found=pair, allowed="LABEL=uV")
        pairs[label] = unit
    return pairs


def parse_stager(text: str | None) -> tuple[str, Path | None]:
    """Return name and file of another stager from a text such as usleep=night.csv; no file where there is no text.

    Raises
    ------
    SettingsError
        If the text has another form.
    """
    if text is None:
        return "", None
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise SettingsError("--stages-by is not understood", found=text, allowed="NAME=FILE")
    return name, Path(file).absolute()
