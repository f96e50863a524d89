"""Coupling: phase 0 is the up state, and only spindles on a slow oscillation have one."""

import mne
import numpy as np
import pandas as pd
import pytest
from benchmarks.slow_oscillation_fairness import simulate

from eegsleep.events.coupling import (
    CouplingSettings,
    _chance_of_coupling,
    couple_events,
    measure_coupling,
    modulation_index,
    summarize_coupling,
)
from eegsleep.events.slow_oscillations import detect_slow_oscillations
from eegsleep.recording.recording import Recording
from eegsleep.simulation.night import SimulationSettings, simulate_night
from eegsleep.tables import COUPLING, COUPLING_SUMMARY, SLOW_OSCILLATIONS, SPINDLES, check_table, empty_table


def make(peaks_s):
    """Return a 0.8 Hz sine whose positive peaks lie at whole multiples of 1.25 s, and spindles at `peaks_s`."""
    times = np.arange(60_000) / 100
    raw = mne.io.RawArray(
        60e-6 * np.cos(2 * np.pi * 0.8 * times)[None], mne.create_info(["C4"], 100, "eeg"), verbose="ERROR"
    )
    spindles = pd.DataFrame(dict.fromkeys(SPINDLES.column_names, 0), index=range(len(peaks_s)))
    spindles = spindles.assign(channel="C4", stage="N2", spindle_class="fast", peak_s=peaks_s)
    waves = pd.DataFrame(dict.fromkeys(SLOW_OSCILLATIONS.column_names, 0), index=range(1))
    waves = waves.assign(channel="C4", stage="N2", kind="slow_oscillation", neg_peak_s=100.625, found_absolute=True)
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


def test_only_waves_of_the_view_that_is_asked_for_count():
    recording, spindles, waves = make([100.7])
    waves = waves.assign(found_absolute=False, found_relative=True)
    assert not couple_events(recording, spindles, waves)["coupled"].any()
    assert couple_events(recording, spindles, waves, CouplingSettings(relative_waves=True))["coupled"].all()


def test_chance_is_the_share_of_the_run_that_the_windows_cover():
    """Ten windows of 2.4 s cover 24 of 300 s; a spindle outside usable NREM has no chance."""
    names = np.array(["W"] * 2 + ["N2"] * 10 + ["W"] * 2, dtype=object)
    negative_s = 60 + 30 * np.arange(10) + 15.0
    peaks_s = np.append(np.linspace(65, 355, 200), 10.0)
    chance = _chance_of_coupling(peaks_s, negative_s, names, np.ones(14, dtype=bool), CouplingSettings())
    assert chance[:-1].mean() == pytest.approx(0.08, abs=0.005)
    assert np.isnan(chance[-1])


def test_shifting_stays_within_the_run_of_a_stage():
    """All waves lie in N3: a spindle of N2 is never carried to them, nor over an unusable epoch."""
    names = np.array(["N2"] * 10 + ["N3"] * 4 + ["N2"] * 2, dtype=object)
    usable = np.ones(16, dtype=bool)
    usable[12] = False
    negative_s = np.arange(302.0, 358.0, 2.0)
    chance = _chance_of_coupling(np.array([20.0, 310.0, 400.0]), negative_s, names, usable, CouplingSettings())
    assert chance[0] == 0
    assert chance[1] > 0.9
    assert chance[2] == 0


def test_modulation_index_is_zero_without_modulation_and_tort_s_with_it():
    rng = np.random.default_rng(0)
    phase = rng.uniform(-np.pi, np.pi, (400, 60))
    assert modulation_index(phase, rng.rayleigh(1, phase.shape)) == pytest.approx(0, abs=0.001)
    bins = -np.pi + 2 * np.pi * (np.arange(18) + 0.5) / 18
    share = (1 + 0.5 * np.cos(bins)) / 18
    expected = 1 + (share * np.log(share)).sum() / np.log(18)
    assert modulation_index(phase, 1 + 0.5 * np.cos(phase)) == pytest.approx(expected, rel=0.1)
    assert np.isnan(modulation_index(phase[:0], phase[:0]))


def test_modulation_index_of_few_events_is_not_biased():
    """Ten events of noise have a plain index of about 0.0014; less their own chance it is 0 on average."""
    rng = np.random.default_rng(1)
    shape = (10, 60)
    indices = [modulation_index(rng.uniform(-np.pi, np.pi, shape), rng.rayleigh(1, shape)) for _ in range(60)]
    assert np.mean(indices) == pytest.approx(0, abs=0.0004)


def coupled_at(phases_rad, peaks_s=None):
    """Return table `COUPLING` of spindles in N2 with these phases; those without a phase are not coupled."""
    peaks_s = 5.0 + np.arange(len(phases_rad)) if peaks_s is None else peaks_s
    known = {"phase_rad": phases_rad, "coupled": np.isfinite(phases_rad), "spindle_peak_s": peaks_s}
    blank = dict.fromkeys(COUPLING.column_names, 0) | {"channel": "C4", "stage": "N2", "spindle_class": "fast"}
    return check_table(pd.DataFrame({**blank, **known}), COUPLING)


def test_strength_is_without_bias_and_may_be_negative():
    """Two phases of 0 and two of π/2 have R² = 1/2, so that (4/2 − 1) / 3 = 1/3 is left of it."""
    found = measure_coupling(coupled_at([0, 0, np.pi / 2, np.pi / 2, np.nan]))
    assert found == pytest.approx((5, 4, 80.0, np.pi / 4, 1 / 3))
    assert measure_coupling(coupled_at([0, np.pi])).strength == pytest.approx(-1)
    assert measure_coupling(coupled_at([1.0, 1.0, 1.0])).strength == pytest.approx(1)


def test_strength_of_random_phases_is_zero_on_average():
    """The resultant length itself would be 0.28 with 10 spindles."""
    rng = np.random.default_rng(3)
    strengths = [measure_coupling(coupled_at(rng.uniform(-np.pi, np.pi, 10))).strength for _ in range(400)]
    assert np.mean(strengths) == pytest.approx(0, abs=0.015)


def test_what_is_not_there_is_missing():
    assert np.isnan(measure_coupling(coupled_at([np.nan, np.nan]))[3:]).all()
    assert np.isnan(measure_coupling(coupled_at([0.0])).strength)
    assert np.isnan(measure_coupling(coupled_at([])).percent)


def test_the_summary_counts_usable_peaks_with_the_same_strength():
    """Of six spindles the last peaks in an unusable epoch; the others are those of the test above."""
    recording, _, waves = make([100.7])
    stages = pd.DataFrame({"epoch": range(20), "stage": ["N2"] * 20})
    quality = pd.DataFrame({"epoch": range(20), "channel": "C4", "usable": [True] * 3 + [False] + [True] * 16})
    phases = [0, 0, np.pi / 2, np.pi / 2, np.nan, 0.0]
    coupling = coupled_at(phases, peaks_s=[10.0, 20.0, 30.0, 40.0, 50.0, 91.0])
    summary = summarize_coupling(recording, coupling, waves, stages, quality).set_index(["stage", "spindle_class"])
    row = summary.loc[("N2", "all")]
    assert row[["n", "n_coupled", "percent"]].tolist() == [5, 4, 80.0]
    assert row["phase_rad"] == pytest.approx(np.pi / 4)
    assert row["strength"] == pytest.approx(1 / 3)
    assert row["excess_percent"] == pytest.approx(80 - row["expected_percent"])


def couple_planted(coupling_strength):
    """Return the summary of a night's true spindles and detected waves."""
    knobs = {"eeg": ("C4-M1",), "coupling_strength": coupling_strength, "coupling_phase_rad": 0.5}
    recording, stages, quality, _ = simulate(3, **knobs)
    planted = simulate_night(SimulationSettings(rate_hz=100, eog=(), emg=(), **knobs), 3).spindles
    known = {name: planted[name] for name in SPINDLES.column_names if name in planted}
    blank = {column.name: 0 for column in SPINDLES.columns} | {"channel": "C4-M1"}
    spindles = check_table(pd.DataFrame(blank, index=planted.index).assign(**known), SPINDLES)
    waves = detect_slow_oscillations(recording, stages, quality)
    coupling = couple_events(recording, spindles, waves)
    summary = summarize_coupling(recording, coupling, waves, stages, quality)
    return check_table(summary, COUPLING_SUMMARY).set_index(["stage", "spindle_class"])


def test_planted_coupling_is_found_and_its_absence_as_well():
    """Without coupling a tenth of the spindles of NREM is coupled by chance; the excess knows that."""
    alone, coupled = couple_planted(0.0), couple_planted(0.6)
    assert len(alone) == 9
    assert alone.loc[("NREM", "all"), "percent"] > 5
    assert alone.loc[("NREM", "all"), "excess_percent"] == pytest.approx(0, abs=2.5)
    assert alone.loc[("N2", "all"), "modulation_index"] == pytest.approx(0, abs=0.002)
    assert coupled.loc[("NREM", "all"), "excess_percent"] > 25
    assert coupled.loc[("NREM", "all"), "phase_rad"] == pytest.approx(0.5, abs=0.4)
    assert coupled.loc[("NREM", "all"), "strength"] > 0.3
    assert coupled.loc[("N2", "all"), "modulation_index"] > 0.004


def test_summary_without_an_event_has_its_rows_and_reasons():
    recording, spindles, waves = make([100.7])
    stages = pd.DataFrame({"epoch": range(20), "stage": ["N2"] * 20})
    quality = pd.DataFrame({"epoch": range(20), "channel": "C4", "usable": True})
    nothing = couple_events(recording, spindles.iloc[:0], waves)
    summary = summarize_coupling(recording, nothing, waves, stages, quality)
    assert len(summary) == 9
    assert summary["percent"].isna().all()
    assert (summary["reason"] == "no spindle found").all()
