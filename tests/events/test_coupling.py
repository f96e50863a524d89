"""Coupling: phase 0 is the up state, and only spindles on a slow oscillation have one."""

import mne
import numpy as np
import pandas as pd
import pytest
from benchmarks.slow_oscillation_fairness import simulate
from coupled_nights import concentration_to_length, make_coupled_night

from eegsleep.events.coupling import (
    CouplingSettings,
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
    spindles = spindles.assign(channel="C4", stage="N2", spindle_class="fast", peak_s=peaks_s, centroid_s=peaks_s)
    waves = pd.DataFrame(dict.fromkeys(SLOW_OSCILLATIONS.column_names, 0), index=range(1))
    waves = waves.assign(
        channel="C4", stage="N2", kind="slow_oscillation", neg_peak_s=100.625, reference_uv=20.0, found_relative=True
    )
    recording = Recording(id="made", raw=raw, roles={"C4": "eeg"})
    return recording, check_table(spindles, SPINDLES), check_table(waves, SLOW_OSCILLATIONS)


def couple(recording, spindles, waves, names=("N2",) * 20, bad=(), settings=None):
    stages = pd.DataFrame({"epoch": range(len(names)), "stage": names})
    usable = [epoch not in bad for epoch in range(len(names))]
    quality = pd.DataFrame({"epoch": range(len(names)), "channel": "C4", "usable": usable})
    return couple_events(recording, spindles, waves, stages, quality, settings)


@pytest.mark.parametrize(("peak_s", "phase"), [(101.25, 0.0), (100.94, -np.pi / 2), (101.56, np.pi / 2)])
def test_phase_is_zero_at_the_up_state_and_rises_with_time(peak_s, phase):
    coupling = couple(*make([peak_s]))
    assert coupling["phase_rad"].item() == pytest.approx(phase, abs=0.05)
    assert coupling["delay_s"].item() == pytest.approx(peak_s - 100.625)


def test_spindle_far_from_any_slow_oscillation_has_no_phase():
    coupling = couple(*make([100.7, 300.0]))
    assert coupling["coupled"].tolist() == [True, False]
    assert coupling["phase_rad"].isna().tolist() == [False, True]


def test_no_slow_oscillation_means_no_coupling_and_no_neighbour():
    recording, spindles, _ = make([100.7])
    coupling = couple(recording, spindles, empty_table(SLOW_OSCILLATIONS))
    assert not coupling["coupled"].any()
    assert coupling["neg_peak_s"].isna().all()


def test_no_spindle_gives_an_empty_table_with_its_columns():
    recording, _, waves = make([100.7])
    assert len(couple(recording, empty_table(SPINDLES), waves)) == 0


def test_only_waves_of_the_view_that_is_asked_for_count():
    recording, spindles, waves = make([100.7])
    absolute = CouplingSettings(relative_waves=False)
    assert couple(recording, spindles, waves)["coupled"].all()
    assert not couple(recording, spindles, waves, settings=absolute)["coupled"].any()
    waves = waves.assign(found_absolute=True, found_relative=False)
    assert couple(recording, spindles, waves, settings=absolute)["coupled"].all()


def test_without_a_reference_coupling_is_not_known_and_not_zero():
    recording, spindles, waves = make([100.7, 300.0])
    coupling = couple(recording, spindles, waves.assign(reference_uv=np.nan, found_relative=False))
    assert coupling["chance_share"].isna().all()
    assert np.isnan(measure_coupling(coupling).excess_percent)


def many_waves(negative_s):
    _, _, waves = make([100.7])
    return pd.concat([waves] * len(negative_s), ignore_index=True).assign(neg_peak_s=negative_s)


def test_chance_is_the_share_of_the_run_that_the_windows_cover():
    """Ten windows of 2.4 s cover 24 of 300 s; a spindle outside usable NREM has no chance."""
    recording, spindles, _ = make([62.0, 10.0])
    names = ["W"] * 2 + ["N2"] * 10 + ["W"] * 8
    chance = couple(recording, spindles, many_waves(60 + 30 * np.arange(10) + 15.0), names)["chance_share"]
    assert chance[0] == pytest.approx(24 / 300, abs=0.003)
    assert np.isnan(chance[1])


def test_chance_stays_within_the_run_of_a_stage():
    """All waves lie in N3: a spindle of N2 has none of them, nor one behind an unusable epoch."""
    recording, spindles, _ = make([20.0, 310.0, 400.0])
    names = ["N2"] * 10 + ["N3"] * 4 + ["N2"] * 6
    chance = couple(recording, spindles, many_waves(np.arange(302.0, 358.0, 2.0)), names, bad=(12,))["chance_share"]
    assert chance[0] == 0
    assert chance[1] > 0.9
    assert chance[2] == 0


def test_the_vector_of_chance_is_the_mean_phase_within_the_windows():
    """Windows of ±1.2 s about a trough of a sine of 1.25 s hold 1.92 turns: all but the rest of them cancels."""
    recording, spindles, _ = make([62.0])
    negative_s = 60.625 + 1.25 * 20 * np.arange(12)
    found = couple(recording, spindles, many_waves(negative_s), ["W"] * 2 + ["N2"] * 10 + ["W"] * 8)
    phase = np.pi + 2 * np.pi * np.arange(-1.2, 1.2, 0.001) / 1.25
    expected = 24 / 300 * 12 / 10 * np.exp(1j * phase).mean()
    assert found["chance_cosine"][0] == pytest.approx(expected.real, abs=0.004)
    assert found["chance_sine"][0] == pytest.approx(0, abs=0.004)


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


def coupled_at(phases_rad, peaks_s=None, chance=0.0, reliability=np.nan):
    """Return table `COUPLING` of spindles in N2 with these phases; those without a phase are not coupled."""
    peaks_s = 5.0 + np.arange(len(phases_rad)) if peaks_s is None else peaks_s
    known = {"phase_rad": phases_rad, "coupled": np.isfinite(phases_rad), "spindle_peak_s": peaks_s}
    known |= {"chance_share": chance, "phase_reliability": reliability}
    blank = dict.fromkeys(COUPLING.column_names, 0) | {"channel": "C4", "stage": "N2", "spindle_class": "fast"}
    return check_table(pd.DataFrame({**blank, **known}), COUPLING)


def test_without_chance_the_square_of_strength_is_kutil_s_and_may_be_negative():
    """Two phases of 0 and two of π/2 have R² = 1/2, so that (4/2 − 1) / 3 = 1/3 is left of it."""
    found = measure_coupling(coupled_at([0, 0, np.pi / 2, np.pi / 2]))
    assert found.strength_squared == pytest.approx(1 / 3)
    assert found.strength == pytest.approx(np.sqrt(1 / 3))
    assert found.phase_rad == pytest.approx(np.pi / 4)
    assert measure_coupling(coupled_at([0, np.pi])).strength == pytest.approx(-1)
    assert measure_coupling(coupled_at([1.0, 1.0, 1.0])).strength == pytest.approx(1)


def test_uncoupled_spindles_count_as_zero_vectors_and_chance_is_taken_off():
    """Six of ten coupled, a fifth of the sleep covered: (.6 − .2) / .8 is half of them."""
    found = measure_coupling(coupled_at([0.5] * 60 + [np.nan] * 40, chance=0.2))
    assert (found.n, found.n_coupled, found.percent, found.expected_percent) == (100, 60, 60, pytest.approx(20))
    assert found.excess_percent == pytest.approx(50)
    assert found.strength == pytest.approx(0.6, abs=0.01)  # the vector of chance is 0 here
    assert found.phase_rad == pytest.approx(0.5)


def test_strength_is_divided_by_what_noise_leaves_of_equal_phases():
    plain, noisy = (measure_coupling(coupled_at([0.0] * 50 + [np.nan] * 50, reliability=r)) for r in (1.0, 0.8))
    assert noisy.strength == pytest.approx(plain.strength / 0.8)
    assert noisy.excess_percent == plain.excess_percent


def test_spindles_of_runs_full_of_waves_are_left_out():
    assert measure_coupling(coupled_at([0.0] * 20, chance=0.9)).n == 0


def test_strength_of_random_phases_is_zero_on_average():
    """The resultant length itself would be 0.28 with 10 spindles; its square is without bias."""
    rng = np.random.default_rng(3)
    squares = [measure_coupling(coupled_at(rng.uniform(-np.pi, np.pi, 10))).strength_squared for _ in range(400)]
    assert np.mean(squares) == pytest.approx(0, abs=0.015)


def test_what_is_not_there_is_missing():
    assert np.isnan(measure_coupling(coupled_at([0.0])).strength)
    assert np.isnan(measure_coupling(coupled_at([])).percent)
    assert measure_coupling(coupled_at([np.nan] * 10)).excess_percent == 0  # waves are known, none has a spindle


@pytest.mark.parametrize(("waves", "spindles"), [(4, 8), (16, 4)])
def test_known_coupling_is_found_whatever_the_number_of_waves(waves, spindles):
    """Without chance taken off, strength would fall by half from 4 to 16 waves a minute."""
    night, troughs, planted = make_coupled_night(7, waves, spindles)
    recording, stages, quality = night
    table = many_waves(troughs)
    blank = {column.name: 0 for column in SPINDLES.columns} | {"channel": "C4", "spindle_class": "fast"}
    known = {"peak_s": planted["time_s"], "centroid_s": planted["time_s"], "stage": "N2"}
    found = check_table(pd.DataFrame(blank, index=planted.index).assign(**known), SPINDLES)
    measured = measure_coupling(couple_events(recording, found, table, stages, quality))
    share = planted["rides"].mean()
    assert measured.excess_percent == pytest.approx(100 * share, abs=2.5 * measured.excess_se_percent)
    assert measured.strength == pytest.approx(share * concentration_to_length(3.0), rel=0.15)
    assert measured.phase_rad == pytest.approx(0.4, abs=0.2)


def test_without_coupling_nothing_is_left_of_chance():
    night, troughs, planted = make_coupled_night(8, waves_per_min=12, share=0.0)
    blank = {column.name: 0 for column in SPINDLES.columns} | {"channel": "C4", "spindle_class": "fast"}
    known = {"peak_s": planted["time_s"], "centroid_s": planted["time_s"], "stage": "N2"}
    found = check_table(pd.DataFrame(blank, index=planted.index).assign(**known), SPINDLES)
    measured = measure_coupling(couple_events(night[0], found, many_waves(troughs), *night[1:]))
    assert measured.percent > 10
    assert abs(measured.excess_percent) < 2.5 * measured.excess_se_percent
    assert abs(measured.strength) < 0.1


def test_the_summary_counts_usable_peaks_with_the_same_strength():
    """Of six spindles the last peaks in an unusable epoch; the others are four of the test above and an uncoupled."""
    recording, _, waves = make([100.7])
    stages = pd.DataFrame({"epoch": range(20), "stage": ["N2"] * 20})
    quality = pd.DataFrame({"epoch": range(20), "channel": "C4", "usable": [True] * 3 + [False] + [True] * 16})
    phases = [0, 0, np.pi / 2, np.pi / 2, np.nan, 0.0]
    coupling = coupled_at(phases, peaks_s=[10.0, 20.0, 30.0, 40.0, 50.0, 91.0])
    summary = summarize_coupling(recording, coupling, waves, stages, quality).set_index(["stage", "spindle_class"])
    row = summary.loc[("N2", "all")]
    assert row[["n", "n_coupled", "percent"]].tolist() == [5, 4, 80.0]
    assert row["strength"] == pytest.approx(measure_coupling(coupling.iloc[:5]).strength)


def couple_planted(coupling_strength):
    """Return the summary of a night's true spindles and detected waves."""
    knobs = {"eeg": ("C4-M1",), "coupling_strength": coupling_strength, "coupling_phase_rad": 0.5}
    recording, stages, quality, _ = simulate(3, **knobs)
    planted = simulate_night(SimulationSettings(rate_hz=100, eog=(), emg=(), **knobs), 3).spindles
    known = {name: planted[name] for name in SPINDLES.column_names if name in planted}
    known["centroid_s"] = planted["peak_s"]
    blank = {column.name: 0 for column in SPINDLES.columns} | {"channel": "C4-M1"}
    spindles = check_table(pd.DataFrame(blank, index=planted.index).assign(**known), SPINDLES)
    waves = detect_slow_oscillations(recording, stages, quality)
    coupling = couple_events(recording, spindles, waves, stages, quality)
    summary = summarize_coupling(recording, coupling, waves, stages, quality)
    return check_table(summary, COUPLING_SUMMARY).set_index(["stage", "spindle_class"])


@pytest.mark.nightly
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
    nothing = couple_events(recording, spindles.iloc[:0], waves, stages, quality)
    summary = summarize_coupling(recording, nothing, waves, stages, quality)
    assert len(summary) == 9
    assert summary["percent"].isna().all()
    assert (summary["reason"] == "no spindle was found").all()
