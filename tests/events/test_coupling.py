"""Coupling: phase 0 is the up state, and only spindles on a slow oscillation have one."""

import mne
import numpy as np
import pandas as pd
import pytest

from eegsleep.events.coupling import couple_events
from eegsleep.recording.read import Recording
from eegsleep.tables import SLOW_OSCILLATIONS, SPINDLES, check_table, empty_table


def make(peaks_s):
    """Return a 0.8 Hz sine whose positive peaks lie at whole multiples of 1.25 s, and spindles at `peaks_s`."""
    times = np.arange(60_000) / 100
    raw = mne.io.RawArray(
        60e-6 * np.cos(2 * np.pi * 0.8 * times)[None], mne.create_info(["C4"], 100, "eeg"), verbose="ERROR"
    )
    spindles = pd.DataFrame(dict.fromkeys(SPINDLES.column_names, 0), index=range(len(peaks_s)))
    spindles = spindles.assign(channel="C4", stage="N2", spindle_class="fast", peak_s=peaks_s)
    waves = pd.DataFrame(dict.fromkeys(SLOW_OSCILLATIONS.column_names, 0), index=range(1))
    waves = waves.assign(channel="C4", stage="N2", neg_peak_s=100.625)
    recording = Recording(id="made", raw=raw, roles={"C4": "eeg"})
    return recording, check_table(spindles, SPINDLES), check_table(waves, SLOW_OSCILLATIONS)


@pytest.mark.parametrize(("peak_s", "phase"), [(101.25, 0.0), (100.94, -np.pi / 2), (101.56, np.pi / 2)])
def test_phase_is_zero_at_the_up_state_and_rises_with_time(peak_s, phase):
    coupling = couple_events(*make([peak_s]))
    assert coupling["phase_rad"].item() == pytest.approx(phase, abs=0.05)
    assert coupling["delay_s"].item() == pytest.approx(peak_s - 100.625)


def test_spindle_far_from_any_slow_oscillation_has_no_phase():
    coupling = couple_events(*make([100.7, 300.0]))
    assert coupling["coupled"].tolist() == [True, False]
    assert coupling["phase_rad"].isna().tolist() == [False, True]


def test_no_slow_oscillation_means_no_coupling_and_no_neighbour():
    recording, spindles, _ = make([100.7])
    coupling = couple_events(recording, spindles, empty_table(SLOW_OSCILLATIONS))
    assert not coupling["coupled"].any()
    assert coupling["neg_peak_s"].isna().all()


def test_no_spindle_gives_an_empty_table_with_its_columns():
    recording, _, waves = make([100.7])
    assert len(couple_events(recording, empty_table(SPINDLES), waves)) == 0
