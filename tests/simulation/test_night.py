"""Simulated nights: their truth is complete, their knobs move what they name, their files read back."""

from __future__ import annotations

import dataclasses
import warnings
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from eegsleep.errors import SettingsError
from eegsleep.simulation.artefacts import RANGE_UV
from eegsleep.simulation.night import SimulatedNight, SimulationSettings, simulate_night, write_simulated_night
from eegsleep.simulation.settings import ARTEFACT_KINDS
from eegsleep.tables import (
    SIMULATED_ARTEFACTS,
    SIMULATED_SLOW_OSCILLATIONS,
    SIMULATED_SPINDLES,
    SIMULATED_STAGES,
    check_table,
    read_table,
)

HOUR = SimulationSettings(duration_h=1.0, rate_hz=128, sleep_latency_min=4, waso_min=4, n1_min=3, n3_min=16, rem_min=9)
TRUTH = ("stages", "spindles", "slow_oscillations", "artefacts")


def change(settings: SimulationSettings, **knobs: object) -> SimulationSettings:
    """Return the settings with some knobs turned."""
    return dataclasses.replace(settings, **knobs)


@pytest.fixture(scope="module")
def night() -> SimulatedNight:
    """One hour with every stage."""
    return simulate_night(HOUR, seed=1)


def stage_samples(night: SimulatedNight, stage: str) -> np.ndarray:
    """Return which samples lie in a stage."""
    return np.repeat(night.stages.stage.to_numpy() == stage, int(30 * night.rate_hz))


def band(signal: np.ndarray, low_hz: float, high_hz: float, rate_hz: float) -> np.ndarray:
    """Return the part of a signal between two frequencies."""
    spectrum = np.fft.rfft(signal)
    frequency = np.fft.rfftfreq(len(signal), 1 / rate_hz)
    spectrum[(frequency < low_hz) | (frequency > high_hz)] = 0
    return np.fft.irfft(spectrum, len(signal))


def same_tables(one: SimulatedNight, other: SimulatedNight, names: tuple[str, ...]) -> bool:
    """Say whether the named truth tables of two nights are equal."""
    return all(getattr(one, name).equals(getattr(other, name)) for name in names)


def test_same_settings_and_seed_give_the_same_night(night: SimulatedNight) -> None:
    """Equal settings and seed give equal samples and truth; another seed gives another night."""
    again = simulate_night(HOUR, seed=1)
    other = simulate_night(HOUR, seed=2)
    assert np.array_equal(again.data, night.data)
    assert same_tables(again, night, TRUTH)
    assert not np.array_equal(other.data, night.data)
    assert not other.spindles.equals(night.spindles)


def test_truth_tables_are_as_declared(night: SimulatedNight) -> None:
    """Every truth table passes its declaration, and its event times make sense."""
    for name, table in zip(
        TRUTH,
        (SIMULATED_STAGES, SIMULATED_SPINDLES, SIMULATED_SLOW_OSCILLATIONS, SIMULATED_ARTEFACTS),
        strict=True,
    ):
        frame = getattr(night, name)
        assert check_table(frame, table).equals(frame)
    spindles, waves = night.spindles, night.slow_oscillations
    assert len(spindles) > 50
    assert set(waves.kind) == {"slow_oscillation", "k_complex"}
    assert spindles.peak_s.between(spindles.onset_s, spindles.onset_s + spindles.duration_s).all()
    assert spindles.duration_s.between(0.5, 2.0).all()
    assert (spindles.coupled == spindles.phase_rad.notna()).all()
    assert (waves.onset_s < waves.neg_peak_s).all()
    assert (waves.neg_peak_s < waves.pos_peak_s).all()
    assert (waves.pos_peak_s < waves.onset_s + waves.duration_s).all()


def test_data_and_channels_have_the_promised_shape(night: SimulatedNight) -> None:
    """EEG comes first, then EOG and EMG; samples are finite, within range, and last as long as asked."""
    assert night.channels == ("F3-M2", "C4-M1", "E1-M2", "EMG chin")
    assert night.roles == ("eeg", "eeg", "eog", "emg")
    assert night.data.shape == (4, 3600 * 128)
    assert np.isfinite(night.data).all()
    assert night.data.min() >= RANGE_UV[0]
    assert night.data.max() <= RANGE_UV[1]


@pytest.mark.parametrize("table", ["spindles", "slow_oscillations"])
def test_events_lie_inside_their_stage_and_do_not_overlap(night: SimulatedNight, table: str) -> None:
    """From onset to end an event stays in the stage its row names, and ends before the next begins."""
    stages = night.stages.stage.to_numpy()
    events = getattr(night, table)
    assert set(events.stage) == {"N2", "N3"}
    for event in events.itertuples():
        first, last = int(event.onset_s // 30), int((event.onset_s + event.duration_s) // 30)
        assert set(stages[first : last + 1]) == {event.stage}
    for one, following in pairwise(events.itertuples()):
        assert one.onset_s + one.duration_s < following.onset_s


def test_events_do_not_overlap_when_crowded() -> None:
    """At the highest rates waves and spindles still stay apart: those without room are left out."""
    crowded = change(
        HOUR,
        rate_hz=81,
        eeg=("C4-M1",),
        eog=(),
        emg=(),
        slow_oscillation_rate_per_min=30,
        slow_oscillation_n2_ratio=1.0,
        k_complex_rate_per_min=6,
        fast_spindle_density_per_min=12,
        slow_spindle_density_per_min=12,
        spindle_duration_s=1.5,
        coupling_strength=1.0,
    )
    night = simulate_night(crowded)
    for events in (night.slow_oscillations, night.spindles):
        assert len(events) > 300
        assert (events.onset_s.to_numpy()[1:] > (events.onset_s + events.duration_s).to_numpy()[:-1]).all()


def test_a_night_without_sleep_is_a_night() -> None:
    """Wake alone, or one stage alone, can be asked for; then there is nothing else."""
    awake = SimulationSettings(duration_h=0.25, rate_hz=100, sleep_latency_min=15)
    assert set(simulate_night(awake).stages.stage) == {"W"}
    rem = SimulationSettings(
        duration_h=0.25, rate_hz=100, sleep_latency_min=0, waso_min=0, n1_min=0, n3_min=0, rem_min=15
    )
    night = simulate_night(rem)
    assert set(night.stages.stage) == {"R"}
    assert night.spindles.empty


def test_spindle_density_moves_spindles_only(night: SimulatedNight) -> None:
    """Twice the density of fast spindles gives twice as many, and the same sleep, waves and slow count."""
    more = simulate_night(change(HOUR, fast_spindle_density_per_min=4.8), seed=1)
    count = {name: n.spindles.groupby("spindle_class").size() for name, n in (("1", night), ("2", more))}
    assert same_tables(more, night, ("stages", "slow_oscillations"))
    assert count["2"]["fast"] == pytest.approx(2 * count["1"]["fast"], rel=0.08)
    assert count["2"]["slow"] == pytest.approx(count["1"]["slow"], abs=2)
    expected = 2.4 * ((night.stages.stage == "N2").sum() + 0.5 * (night.stages.stage == "N3").sum()) / 2
    assert count["1"]["fast"] == pytest.approx(expected, rel=0.08)


def test_no_events_asked_none_planted() -> None:
    """Densities of zero leave empty tables that still have their columns."""
    silent = change(
        HOUR,
        fast_spindle_density_per_min=0,
        slow_spindle_density_per_min=0,
        slow_oscillation_rate_per_min=0,
        k_complex_rate_per_min=0,
    )
    night = simulate_night(silent)
    assert len(night.spindles) == len(night.slow_oscillations) == 0
    assert check_table(night.spindles, SIMULATED_SPINDLES).shape[1] == 9


def test_delta_background_moves_only_half_to_four_hertz(night: SimulatedNight) -> None:
    """A larger delta background leaves all truth and all activity above 5 Hz as it was."""
    deeper = simulate_night(change(HOUR, delta_background=1.5), seed=1)
    assert same_tables(deeper, night, TRUTH)
    assert np.array_equal(deeper.data[3], night.data[3])
    central, before = deeper.data[1], night.data[1]
    added = central - before
    assert np.std(band(added, 0.5, 4, 128)) > 3
    assert np.std(band(added, 5.5, 60, 128)) < 0.05
    # The change is half of the background, so the background at one and a half is three times the change.
    none = simulate_night(change(HOUR, delta_background=0), seed=1)
    assert np.allclose(before - none.data[1], 2 * added, atol=1e-2)


def test_slow_oscillation_size_moves_no_time(night: SimulatedNight) -> None:
    """Larger slow oscillations lie where the smaller ones lay, larger by the factor asked for."""
    larger = simulate_night(change(HOUR, slow_oscillation_ptp_uv=180), seed=1)
    slow = night.slow_oscillations.kind == "slow_oscillation"
    assert same_tables(larger, night, ("stages", "spindles"))
    assert larger.slow_oscillations.onset_s.equals(night.slow_oscillations.onset_s)
    ratio = larger.slow_oscillations.ptp_uv / night.slow_oscillations.ptp_uv
    assert np.allclose(ratio[slow], 1.5)
    assert np.allclose(ratio[~slow], 1.0)


def test_electrode_gain_scales_eeg_only(night: SimulatedNight) -> None:
    """A gain of two doubles every EEG sample and no sample of EOG or EMG."""
    doubled = simulate_night(change(HOUR, electrode_gain=2.0), seed=1)
    assert same_tables(doubled, night, TRUTH)
    assert np.allclose(doubled.data[:2], 2 * night.data[:2], rtol=1e-5)
    assert np.array_equal(doubled.data[2:], night.data[2:])


@pytest.mark.parametrize("rate_hz", [100, 250])
def test_sampling_rate_changes_neither_truth_nor_eeg(night: SimulatedNight, rate_hz: int) -> None:
    """At another rate the truth is the same, and so is the EEG below 40 Hz, apart from sensor noise."""
    other = simulate_night(change(HOUR, rate_hz=rate_hz), seed=1)
    assert same_tables(other, night, TRUTH)
    n_bins = 40 * 3600
    one, two = (np.fft.rfft(n.data[1], norm="forward")[:n_bins] for n in (night, other))
    assert np.linalg.norm(one - two) < 0.1 * np.linalg.norm(one)


@pytest.mark.parametrize("seed", range(4))
def test_stage_minutes_are_kept_to_the_epoch(seed: int) -> None:
    """Latency, wake after onset, N1, N3 and REM last exactly as asked, and N2 takes the rest."""
    stages = simulate_night(change(HOUR, rate_hz=81, eeg=("C4-M1",), eog=(), emg=()), seed=seed).stages
    epochs = stages.stage.value_counts()
    assert int((stages.stage != "W").idxmax()) == 8
    assert dict(epochs) == {"W": 16, "N1": 6, "N3": 32, "R": 18, "N2": 48}


@pytest.mark.nightly
def test_sleep_is_ordered_as_in_an_adult() -> None:
    """In 8 h N3 lies mostly in the first half, REM in the second, and REM never precedes N2."""
    for seed in range(3):
        settings = SimulationSettings(rate_hz=81, eeg=("C4-M1",), eog=(), emg=())
        stages = simulate_night(settings, seed).stages.stage.to_numpy()
        half = len(stages) // 2
        assert stages[0] == stages[-1] == "W"
        assert (stages[:half] == "N3").sum() > 2 * (stages[half:] == "N3").sum()
        assert (stages[half:] == "R").sum() > 1.5 * (stages[:half] == "R").sum()
        first_rem = np.argmax(stages == "R") / 2
        assert 40 < first_rem < 180
        sleep = (stages != "W").sum()
        assert 0.14 < (stages == "N3").sum() / sleep < 0.26
        assert 0.16 < (stages == "R").sum() / sleep < 0.26


def test_shortest_night_can_be_simulated() -> None:
    """Five minutes are a night: ten epochs and as many samples."""
    night = simulate_night(SimulationSettings(duration_h=5 / 60, rate_hz=100))
    assert len(night.stages) == 10
    assert night.data.shape == (4, 30000)


def test_planted_events_are_in_the_signal(night: SimulatedNight) -> None:
    """Slow waves are negative, then positive, at their peaks; sigma is larger inside spindles than around."""
    central = night.data[1]
    slow = band(central, 0.3, 4, 128)
    waves = night.slow_oscillations
    down = slow[(waves.neg_peak_s * 128).astype(int)]
    up = slow[(waves.pos_peak_s * 128).astype(int)]
    assert np.median((up - down) / waves.ptp_uv) == pytest.approx(1.0, abs=0.15)
    assert np.median(down) < -40
    sigma = band(central, 12, 15, 128) ** 2
    fast = night.spindles[night.spindles.spindle_class == "fast"]
    inside = [sigma[int((peak - 0.2) * 128) : int((peak + 0.2) * 128)].mean() for peak in fast.peak_s]
    around = np.median(sigma[stage_samples(night, "N2")])
    assert np.median(inside) > 10 * around


@pytest.mark.parametrize("phase_rad", [0.0, -1.5])
def test_coupling_phase_is_realised(phase_rad: float) -> None:
    """Coupled spindles peak at the phase asked for, measured from the slow oscillations in the truth."""
    settings = change(
        HOUR,
        rate_hz=81,
        eeg=("C4-M1",),
        eog=(),
        emg=(),
        n3_min=25,
        rem_min=5,
        coupling_strength=1.0,
        coupling_phase_rad=phase_rad,
    )
    night = simulate_night(settings, seed=3)
    coupled = night.spindles[night.spindles.coupled]
    assert len(coupled) > 0.7 * len(night.spindles)
    waves = night.slow_oscillations
    centre = (waves.neg_peak_s.to_numpy() + waves.pos_peak_s.to_numpy()) / 2
    measured = []
    for spindle in coupled.itertuples():
        wave = waves.iloc[np.argmin(np.abs(centre - spindle.peak_s))]
        rise = wave.pos_peak_s - wave.neg_peak_s
        if wave.neg_peak_s <= spindle.peak_s <= wave.pos_peak_s:
            measured.append((spindle.phase_rad, np.pi * (spindle.peak_s - wave.pos_peak_s) / rise))
    planted, found = np.array(measured).T
    assert np.allclose(planted, found, atol=1e-6)
    mean = np.angle(np.mean(np.exp(1j * coupled.phase_rad)))
    assert mean == pytest.approx(phase_rad, abs=0.35)


def test_coupling_strength_zero_couples_none() -> None:
    """Without coupling no spindle is placed on a slow oscillation."""
    night = simulate_night(change(HOUR, rate_hz=81, eog=(), emg=(), coupling_strength=0.0))
    assert len(night.spindles) > 50
    assert not night.spindles.coupled.any()


def test_muscle_is_lost_in_rem(night: SimulatedNight) -> None:
    """Chin muscle falls from wake over N2 to REM, where the typical second has under a quarter of wake's."""
    level = {
        stage: np.median(night.data[3][stage_samples(night, stage)].reshape(-1, 128).std(axis=1))
        for stage in ("W", "N2", "R")
    }
    assert level["W"] > level["N2"] > level["R"]
    assert level["R"] < 0.25 * level["W"]


def test_stages_differ_as_sleep_does(night: SimulatedNight) -> None:
    """Delta is largest in N3, alpha in wake, and levels are those of a clinical recording."""
    delta = band(night.data[1], 0.5, 4, 128)
    alpha = band(night.data[1], 8, 12, 128)
    stages = ("W", "N1", "N2", "N3", "R")
    delta_uv = {stage: np.std(delta[stage_samples(night, stage)]) for stage in stages}
    alpha_uv = {stage: np.std(alpha[stage_samples(night, stage)]) for stage in stages}
    assert 20 < delta_uv["N3"] < 42
    assert delta_uv["N3"] > 1.5 * delta_uv["N2"] > 1.5 * delta_uv["R"]
    assert 5 < alpha_uv["W"] < 14
    assert alpha_uv["W"] > 1.5 * alpha_uv["N2"]


def test_eyes_move_together() -> None:
    """E1 and E2 see rapid eye movements with opposite signs."""
    night = simulate_night(change(HOUR, eog=("E1-M2", "E2-M2")), seed=1)
    rem = stage_samples(night, "R")
    one, two = (band(night.data[channel], 0.3, 3, 128)[rem] for channel in (2, 3))
    assert np.corrcoef(one, two)[0, 1] < -0.5


def test_occipital_alpha_and_frontal_slow_waves() -> None:
    """The label of a derivation gives its site: alpha is larger behind, slow waves larger in front."""
    settings = change(HOUR, eeg=("F3-M2", "C4-M1", "O2-M1"), eog=(), emg=())
    night = simulate_night(settings, seed=1)
    alpha = [np.std(band(row, 8, 12, 128)[stage_samples(night, "W")]) for row in night.data]
    slow = [np.std(band(row, 0.5, 2, 128)[stage_samples(night, "N3")]) for row in night.data]
    assert alpha[2] > 1.3 * alpha[0]
    assert slow[0] > slow[1] > slow[2]


def shows_artefact(kind: str, piece: np.ndarray, clean: np.ndarray) -> bool:
    """Say whether a piece of signal does what the name of its artefact says."""
    tests = {
        "flat": lambda: np.ptp(piece) == 0,
        "clipped": lambda: np.isin(piece, np.float32(RANGE_UV)).mean() > 0.5,
        "movement": lambda: np.std(piece) > 3 * np.std(clean),
        "contact_loss": lambda: abs(np.corrcoef(piece, clean)[0, 1]) < 0.1 and np.std(piece) > 40,
        "mains": lambda: 10 < np.std(piece - clean) < 40,
        "gain_drift": lambda: np.std(piece[-2560:]) < 0.7 * np.std(clean[-2560:]),
    }
    return bool(tests[kind]())


@pytest.mark.parametrize("kind", ARTEFACT_KINDS)
def test_artefact_lies_where_the_table_says(night: SimulatedNight, kind: str) -> None:
    """Outside its rows an artefact leaves every sample as it was; inside, it does what its name says."""
    spoilt = simulate_night(change(HOUR, artefacts=(kind,)), seed=1)
    assert set(spoilt.artefacts.kind) == {kind}
    untouched = np.ones(spoilt.data.shape, dtype=bool)
    for row in spoilt.artefacts.itertuples():
        channel = spoilt.channels.index(row.channel)
        span = slice(round(row.onset_s * 128), round((row.onset_s + row.duration_s) * 128))
        untouched[channel, span] = False
        piece, clean = spoilt.data[channel, span], night.data[channel, span]
        assert shows_artefact(kind, piece, clean)
    assert np.array_equal(spoilt.data[untouched], night.data[untouched])
    assert same_tables(spoilt, night, ("stages", "spindles", "slow_oscillations"))


def test_artefacts_do_not_move_each_other() -> None:
    """Asking for all kinds plants each where it lies when it is asked for alone."""
    settings = change(HOUR, duration_h=1.0)
    together = simulate_night(change(settings, artefacts=ARTEFACT_KINDS), seed=4).artefacts
    alone = simulate_night(change(settings, artefacts=("contact_loss",)), seed=4).artefacts
    assert set(together.kind) == set(ARTEFACT_KINDS)
    assert together[together.kind == "contact_loss"].reset_index(drop=True).equals(alone)


def test_files_read_back(night: SimulatedNight, tmp_path) -> None:
    """MNE reads every sample within one digital step, the labels and the start; tables read back equal."""
    import mne

    path = write_simulated_night(night, tmp_path / "new", name="sim-0007")
    assert path == tmp_path / "new" / "sim-0007.edf"
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    assert raw.ch_names == list(night.channels)
    assert raw.info["sfreq"] == 128
    assert raw.info["meas_date"].replace(tzinfo=None) == night.start
    step_uv = (RANGE_UV[1] - RANGE_UV[0]) / 65535
    assert np.abs(raw.get_data() * 1e6 - night.data).max() <= step_uv
    for name, table in (("spindles", SIMULATED_SPINDLES), ("slow_oscillations", SIMULATED_SLOW_OSCILLATIONS)):
        back = read_table(path.with_name(f"sim-0007_{name}.csv"), table)
        assert np.allclose(back.onset_s, getattr(night, name).onset_s)
    assert len(list(path.parent.iterdir())) == 9  # the EDF, four tables, four sidecars; nothing temporary


def test_header_is_anonymous_edf_plus(night: SimulatedNight, tmp_path) -> None:
    """The file is EDF+C in µV and names nobody."""
    header = write_simulated_night(night, tmp_path).read_bytes()[: 256 * 6].decode("ascii")
    assert header[8:88].split() == ["X", "X", "X", "X"]
    assert header[88:168].split() == ["Startdate", "01-JAN-2024", "X", "X", "X"]
    assert header[192:197] == "EDF+C"
    assert header.count("uV      ") == 4


@pytest.mark.parametrize("name", ["", "../night", ".hidden", "a/b"])
def test_names_that_are_not_files_are_refused(night: SimulatedNight, tmp_path, name: str) -> None:
    """A name cannot lead out of the folder."""
    with pytest.raises(SettingsError, match="name"):
        write_simulated_night(night, tmp_path, name)


@pytest.mark.parametrize(
    ("knobs", "word"),
    [
        ({"duration_h": -1}, "duration_h"),
        ({"duration_h": float("nan")}, "duration_h"),
        ({"rate_hz": 80}, "rate_hz"),
        ({"rate_hz": 128.5}, "whole number"),
        ({"fast_spindle_density_per_min": -0.1}, "from 0 to 12"),
        ({"delta_background": "strong"}, "delta_background"),
        ({"coupling_strength": 1.1}, "coupling_strength"),
        ({"electrode_gain": 0}, "electrode_gain"),
        ({"duration_h": 1.0, "n3_min": 40, "rem_min": 30}, "do not fit"),
        ({"artefacts": ("ghost",)}, "contact_loss"),
        ({"artefacts": ("mains",), "rate_hz": 100}, "mains"),
        ({"eeg": ()}, "EEG"),
        ({"eeg": "C4-M1"}, "tuple"),
        ({"eeg": ("C4-M1", "C4-M1")}, "same label"),
        ({"eeg": ("C4-M1 with a long tail",)}, "EDF header"),
        ({"start": datetime(2024, 1, 1, tzinfo=UTC)}, "naive"),
    ],
)
def test_impossible_settings_are_refused(knobs: dict[str, object], word: str) -> None:
    """A setting that cannot be is refused with a sentence that says which and what is allowed."""
    with pytest.raises(SettingsError, match=word):
        SimulationSettings(**knobs)


@pytest.mark.parametrize("seed", [-1, 1.5, None, True])
def test_impossible_seeds_are_refused(seed: object) -> None:
    """A seed is a whole number from 0 up."""
    with pytest.raises(SettingsError, match="seed"):
        simulate_night(HOUR, seed=seed)


@pytest.mark.nightly
def test_yasa_scores_the_night_as_planted(tmp_path) -> None:
    """A classifier trained on real nights agrees with the planted stages: kappa of at least 0.75."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the imports and the stored model warn about their own versions
        import mne
        import yasa
        from sklearn.metrics import cohen_kappa_score

        night = simulate_night(SimulationSettings(duration_h=5.0, rate_hz=128), seed=5)
        raw = mne.io.read_raw_edf(write_simulated_night(night, tmp_path), preload=True, verbose="error")
        scored = yasa.SleepStaging(raw, eeg_name="C4-M1", eog_name="E1-M2", emg_name="EMG chin").predict()
    observed = scored.hypno.astype(str).replace({"WAKE": "W", "REM": "R"})
    assert cohen_kappa_score(night.stages.stage.to_numpy(), observed.to_numpy()) >= 0.75
