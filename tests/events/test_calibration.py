"""The file of a person's thresholds: what is damaged or makes no sense is refused at the border, by name."""

import json
import random

import pytest

from eegsleep.errors import SettingsError
from eegsleep.events.calibration import Calibration, read_calibration, save_calibration

GOOD = Calibration(
    sigma_amplitude_uv={"C4-M1": 13.5, "C3-M2": 12.25},
    slow_spindle_hz=11.5,
    fast_spindle_hz=13.75,
    so_amplitude_uv={"C4-M1": 70.5},
    n_nights=8,
)


def test_what_was_written_is_read(tmp_path):
    save_calibration(GOOD, tmp_path / "c.json")
    assert read_calibration(tmp_path / "c.json") == GOOD


@pytest.mark.parametrize("name", ["sigma_amplitude_uv", "slow_spindle_hz", "fast_spindle_hz", "n_nights"])
@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), [], [3.0], True, "12", {}, -1, 0.0, 1e300, None, 10**400]
)
def test_values_of_another_kind_or_size_are_refused(name, value, tmp_path):
    path = tmp_path / "c.json"
    fits = (name.endswith("_hz") and value is None) or (name == "n_nights" and value == 0 and value is not True)
    if name == "sigma_amplitude_uv":
        fits, value = False, {"C4-M1": value}
    path.write_text(json.dumps(GOOD.as_dict() | {name: value}))
    if fits and type(value) is not float:
        assert getattr(read_calibration(path), name) == value
    else:
        with pytest.raises(SettingsError, match=r"c\.json is not a calibration"):
            read_calibration(path)


def test_a_label_that_is_no_name_is_refused(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(GOOD.as_dict() | {"sigma_amplitude_uv": {"\x1b[2J": 12.0}}))
    with pytest.raises(SettingsError, match="no name"):
        read_calibration(tmp_path / "c.json")


def test_every_change_of_a_file_is_told_or_changes_nothing(tmp_path):
    """A thousand changed, lost and doubled bytes: refused, or the same calibration."""
    path = tmp_path / "c.json"
    save_calibration(GOOD, path)
    content, draw = path.read_bytes(), random.Random(7)  # noqa: S311 - not a secret
    n_refused = 0
    for _ in range(1000):
        at, n = draw.randrange(len(content)), draw.choice((0, 1, 1, 8))
        new = draw.choice((b"", bytes([draw.randrange(256)]), b"0123456789-.eE"[draw.randrange(14) :][:1]))
        path.write_bytes(content[:at] + new + content[at + n :])
        try:
            assert read_calibration(path) == GOOD
        except SettingsError:
            n_refused += 1
    assert n_refused > 700
