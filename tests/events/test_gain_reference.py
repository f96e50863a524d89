"""The gain reference: a sine of known size at 35 Hz has a known root mean square."""

import numpy as np
import pandas as pd
import pytest
from planted_spindles import given_stages, record

from eegsleep.events.gain_reference import gain_reference_uv


def measure(sizes_uv, names, usable=None):
    """Return the reference of epochs that hold a sine of 35 Hz of these sizes and one of 300 µV at 1 Hz."""
    time_s = np.arange(3_000) / 100
    epochs = [size * np.sin(2 * np.pi * 35 * time_s) + 300 * np.sin(2 * np.pi * time_s) for size in sizes_uv]
    usable = np.ones(len(names), dtype=bool) if usable is None else np.array(usable)
    quality = pd.DataFrame({"epoch": np.arange(len(names)), "channel": "C4", "usable": usable})
    return gain_reference_uv(record(np.concatenate(epochs)[None], ["C4"]), given_stages(names), quality)["C4"]


def test_reference_is_the_lower_quartile_of_the_root_mean_square_in_microvolts():
    """Sizes of 2 to 10 µV have 4 µV as their lower quartile and 6 µV as their median; 4 µV is 4/√2 RMS."""
    assert measure([10, 2, 8, 4, 6], ["N2", "N3", "N2", "N3", "N2"]) == pytest.approx(4 / np.sqrt(2), rel=1e-3)


def test_only_usable_epochs_of_nrem_count():
    found = measure([4, 1, 1, 4], ["N2", "W", "N3", "N3"], usable=[True, True, False, True])
    assert found == pytest.approx(4 / np.sqrt(2), rel=1e-3)
    assert np.isnan(measure([4, 4], ["W", "R"]))
