"""Average waveforms: mean and standard error of traces worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from planted_spindles import record

from eegsleep.events.averages import average_events
from eegsleep.tables import SLOW_OSCILLATIONS, SPINDLES, empty_table


def events(table, **columns):
    """Return events of channel C4 with the columns that an average asks for."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame({**{name: [0] * n for name in table.column_names}, "channel": ["C4"] * n, **columns})


def test_mean_and_standard_error_of_three_traces():
    """Heights of 10, 20 and 60 µV: mean 30, standard deviation √700, standard error √(700/3) = 15.28."""
    signal, centres = np.zeros(3_000), [500, 1_000, 1_500]
    signal[centres] = -10, -20, -60
    signal[np.add(centres, 10)] = 10, 20, 60  # the mean of each trace, which is taken off, is zero
    waves = events(SLOW_OSCILLATIONS, neg_peak_s=[5.0, 10.0, 15.0])
    found = average_events(record(signal[None], ["C4"]), empty_table(SPINDLES), waves)
    assert set(found["kind"]) == {"slow oscillation"}
    found = found.set_index("time_s")
    assert found.index[[0, -1]].tolist() == [-1.5, 1.5]
    assert found.loc[[0.0, 0.1, 0.5], "mean_uv"].tolist() == pytest.approx([-30, 30, 0])
    assert found.loc[[0.0, 0.1, 0.5], "sem_uv"].tolist() == pytest.approx([np.sqrt(700 / 3)] * 2 + [0])
    assert set(found["n"]) == {3}


def test_spindles_are_aligned_at_their_lowest_trough_and_classes_are_apart():
    """Two fast spindles whose envelope peaks 0.02 s after the trough, and a single slow one."""
    signal = np.zeros(3_000)
    for centre in (498, 998, 1_998):
        signal[centre - 50 : centre + 51] -= 20 * np.hanning(101) * np.cos(2 * np.pi * 13 * np.arange(-50, 51) / 100)
    spindles = events(SPINDLES, peak_s=[5.0, 10.0, 20.0], spindle_class=["fast", "fast", "slow"])
    found = average_events(record(signal[None], ["C4"]), spindles, empty_table(SLOW_OSCILLATIONS))
    assert set(found["kind"]) == {"fast spindle"}
    assert found.loc[found["mean_uv"].idxmin(), "time_s"] == 0
    assert found["mean_uv"].min() == pytest.approx(-20, abs=0.2)


def test_a_trace_that_reaches_over_the_end_is_left_out():
    waves = events(SLOW_OSCILLATIONS, neg_peak_s=[1.0, 10.0, 15.0])
    found = average_events(record(np.zeros((1, 3_000)), ["C4"]), empty_table(SPINDLES), waves)
    assert set(found["n"]) == {2}
