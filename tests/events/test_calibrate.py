"""A person's own thresholds: medians over nights of known sizes, in µV."""

import numpy as np
import pandas as pd
import pytest
from planted_spindles import given_stages, record

from eegsleep.errors import TableError
from eegsleep.events.calibrate import calibrate_nights
from eegsleep.events.slow_oscillations import find_slow_oscillation_candidates
from eegsleep.tables import SLOW_OSCILLATION_CANDIDATES, SPINDLE_CANDIDATES, encode_table


def candidates(table, **values):
    blank = {"int": 0, "float": 1.0, "str": "", "bool": False}
    row = {column.name: blank[column.kind] for column in table.columns}
    return pd.DataFrame([{**row, "channel": "C4", "stage": "N2", **values}] * 3)


@pytest.fixture
def nights(tmp_path):
    """Return three night folders whose sigma is 2, 3 and 10 µV and whose waves of N2 are 20, 25 and 90 µV high."""
    for name, sigma_uv, height_uv in (("a", 2.0, 20.0), ("b", 3.0, 25.0), ("c", 10.0, 90.0)):
        spindles = candidates(SPINDLE_CANDIDATES, baseline_uv=sigma_uv, background_level=sigma_uv / 2)
        waves = candidates(SLOW_OSCILLATION_CANDIDATES, reference_uv=height_uv)
        (tmp_path / name).mkdir()
        (tmp_path / name / "spindle_candidates.csv").write_bytes(encode_table(spindles, SPINDLE_CANDIDATES))
        path = tmp_path / name / "slow_oscillation_candidates.csv"
        path.write_bytes(encode_table(waves, SLOW_OSCILLATION_CANDIDATES))
    return tmp_path


def test_thresholds_are_multiples_of_the_median_night(nights):
    """2.5 times a sigma of 3 µV and 4 times a height of 25 µV: the poor electrode of night c moves neither."""
    learned = calibrate_nights(nights)
    assert learned.n_nights == 3
    assert learned.sigma_amplitude_uv == {"C4": pytest.approx(7.5)}
    assert learned.background_level == {"C4": pytest.approx(1.5)}
    assert learned.so_amplitude_uv == {"C4": pytest.approx(100.0)}


def test_a_sine_of_known_size_gives_four_times_its_height(nights):
    """A sine of 0.8 Hz, 30 µV to either side, is 60 µV high: a person with such waves needs 240 µV."""
    signal = 30 * np.cos(2 * np.pi * 0.8 * np.arange(60_000) / 100)
    quality = pd.DataFrame({"epoch": np.arange(20), "channel": "C4", "usable": True})
    found = find_slow_oscillation_candidates(record(signal[None], ["C4"]), given_stages(["N2"] * 20), quality)
    for name in "abc":
        path = nights / name / "slow_oscillation_candidates.csv"
        path.write_bytes(encode_table(found, SLOW_OSCILLATION_CANDIDATES))
    assert calibrate_nights(nights).so_amplitude_uv["C4"] == pytest.approx(240, rel=0.02)


def test_a_single_night_is_too_few(nights):
    for name in "bc":
        (nights / name / "spindle_candidates.csv").unlink()
    with pytest.raises(TableError, match="too few nights"):
        calibrate_nights(nights)


def test_nights_without_usable_n2_have_no_threshold_for_slow_oscillations(nights):
    for name in "abc":
        waves = candidates(SLOW_OSCILLATION_CANDIDATES, reference_uv=np.nan)
        path = nights / name / "slow_oscillation_candidates.csv"
        path.write_bytes(encode_table(waves, SLOW_OSCILLATION_CANDIDATES))
    assert calibrate_nights(nights).so_amplitude_uv == {}
