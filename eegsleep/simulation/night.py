"""Whole nights of EEG with known truth: every stage, spindle and slow oscillation is listed as planted.

A simulated night can be scored as a real one, so it shows what a method finds, misses and invents. Each
process (stages, spindles, slow waves, background, eyes, muscle) draws from its own random stream, so that a
setting changes its own process and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.provenance import open_whole, write_file
from eegsleep.signals.epochs import EPOCH_S
from eegsleep.simulation.artefacts import RANGE_UV, plant_artefacts
from eegsleep.simulation.events import plan_events
from eegsleep.simulation.settings import SimulationSettings
from eegsleep.simulation.signals import add_sensor_noise, draw_eeg_spectrum, draw_muscle, sample_spectrum, site_of
from eegsleep.simulation.sources import draw_sources
from eegsleep.simulation.stages import draw_stages
from eegsleep.simulation.state import draw_state
from eegsleep.tables import (
    SIMULATED_ARTEFACTS,
    SIMULATED_SLOW_OSCILLATIONS,
    SIMULATED_SPINDLES,
    SIMULATED_STAGES,
    Table,
    check_table,
    encode_sidecar,
    encode_table,
)

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from edfio import Edf

    from eegsleep.simulation.events import NightEvents


@dataclass(frozen=True)
class SimulatedNight:
    """A simulated night and the truth about it.

    Parameters
    ----------
    settings : SimulationSettings
        The settings it was made with.
    seed : int
        With the settings, determines everything else.
    channels : tuple of str
        Labels, EEG first, then EOG, then EMG.
    roles : tuple of str
        eeg, eog or emg for each channel.
    rate_hz : float
        Sampling rate.
    start : datetime.datetime
        Naive local time of the first sample.
    data : numpy.ndarray of float32, shape (n_channels, n_samples)
        Signals in µV, within the range of the simulated recorder.
    stages : pandas.DataFrame
        Columns of `tables.SIMULATED_STAGES`.
    spindles : pandas.DataFrame
        Columns of `tables.SIMULATED_SPINDLES`.
    slow_oscillations : pandas.DataFrame
        Columns of `tables.SIMULATED_SLOW_OSCILLATIONS`; slow oscillations and K-complexes.
    artefacts : pandas.DataFrame
        Columns of `tables.SIMULATED_ARTEFACTS`.
    """

    settings: SimulationSettings
    seed: int
    channels: tuple[str, ...]
    roles: tuple[str, ...]
    rate_hz: float
    start: datetime
    data: np.ndarray
    stages: pd.DataFrame
    spindles: pd.DataFrame
    slow_oscillations: pd.DataFrame
    artefacts: pd.DataFrame


def simulate_night(settings: SimulationSettings | None = None, seed: int = 0) -> SimulatedNight:
    """Simulate one night.

    Parameters
    ----------
    settings : SimulationSettings, optional
        By default 8 h of a healthy adult.
    seed : int
        Not negative. The same settings and seed give the same night, sample for sample.

    Returns
    -------
    SimulatedNight
        Signals and truth. Times are seconds from the first sample; amplitudes are peak to peak in µV before
        the channel's gain and before `electrode_gain`.

    Raises
    ------
    SettingsError
        If the seed is not a whole number from 0 up.

    Examples
    --------
    >>> settings = es.SimulationSettings(duration_h=0.1, rate_hz=128, eeg=("C4-M1",))
    >>> len(es.simulate_night(settings, seed=1).stages)
    12
    """
    settings = settings or SimulationSettings()
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise SettingsError(
            "the seed of a simulated night cannot be used", found=repr(seed), allowed="a whole number from 0 up"
        )
    seed = int(seed)
    stages = draw_stages(settings, seed)
    events = plan_events(settings, stages, seed)
    data = _draw_channels(settings, stages, events, seed)
    channels = settings.eeg + settings.eog + settings.emg
    planted = plant_artefacts(data, channels, len(settings.eeg), settings.artefacts, int(settings.rate_hz), seed)
    np.clip(data, *RANGE_UV, out=data)
    return SimulatedNight(
        settings=settings,
        seed=seed,
        channels=channels,
        roles=("eeg",) * len(settings.eeg) + ("eog",) * len(settings.eog) + ("emg",) * len(settings.emg),
        rate_hz=float(settings.rate_hz),
        start=settings.start,
        data=data,
        stages=_stage_table(stages),
        spindles=_spindle_table(events),
        slow_oscillations=_slow_oscillation_table(events),
        artefacts=_artefact_table(planted),
    )


def write_simulated_night(night: SimulatedNight, folder: str | Path, name: str = "sim-0001") -> Path:
    """Write a night as EDF+C, and its truth as tables.

    Parameters
    ----------
    night : SimulatedNight
        As `simulate_night` returns it.
    folder : path
        Made if it does not exist.
    name : str
        Name of the files without ending.

    Returns
    -------
    pathlib.Path
        `<folder>/<name>.edf`. Beside it lie `<name>_stages.csv`, `_spindles.csv`,
        `_slow_oscillations.csv` and `_artefacts.csv`, each with a `.json` that describes its columns. The
        EDF is written last: where it is, its truth is.

    Raises
    ------
    SettingsError
        If a file cannot have that name.

    Examples
    --------
    >>> settings = es.SimulationSettings(duration_h=0.1, rate_hz=128, eeg=("C4-M1",))
    >>> es.write_simulated_night(es.simulate_night(settings), "simulated", "sim-1").name
    'sim-1.edf'
    """
    folder = Path(folder)
    if not name or set(name) & set('/\\:*?"<>|\0') or name.startswith("."):
        raise SettingsError("a file cannot have this name", found=repr(name))
    folder.mkdir(parents=True, exist_ok=True)
    for frame, table in (
        (night.stages, SIMULATED_STAGES),
        (night.spindles, SIMULATED_SPINDLES),
        (night.slow_oscillations, SIMULATED_SLOW_OSCILLATIONS),
        (night.artefacts, SIMULATED_ARTEFACTS),
    ):
        write_file(folder / f"{name}_{table.name}.csv", encode_table(frame, table))
        write_file(folder / f"{name}_{table.name}.json", encode_sidecar(table))
    path = folder / f"{name}.edf"
    with open_whole(path) as file:
        _encode_edf(night).write(file)
    return path


def _encode_edf(night: SimulatedNight) -> Edf:
    from edfio import Edf, EdfAnnotation, EdfSignal, Patient, Recording

    high_pass = {"eeg": "HP:0.2Hz", "eog": "HP:0.2Hz", "emg": "HP:10Hz"}
    signals = [
        EdfSignal(
            samples,
            night.rate_hz,
            label=label,
            transducer_type="simulated",
            physical_dimension="uV",
            physical_range=RANGE_UV,
            digital_range=(-32768, 32767),
            prefiltering=high_pass[role],
        )
        for samples, label, role in zip(night.data, night.channels, night.roles, strict=True)
    ]
    return Edf(
        signals,
        patient=Patient(),
        recording=Recording(startdate=night.start.date()),
        starttime=night.start.time(),
        data_record_duration=1,
        annotations=[EdfAnnotation(0, None, "Lights off")],
    )


def _draw_channels(settings: SimulationSettings, stages: np.ndarray, events: NightEvents, seed: int) -> np.ndarray:
    """Return every channel in µV as float32, (n_channels, n_samples): EEG, EOG, EMG."""
    rate = int(settings.rate_hz)
    state = draw_state(stages, events, seed)
    sources = draw_sources(settings, events, state, seed)
    labels = settings.eeg + settings.eog + settings.emg
    data = np.empty((len(labels), state.duration_s * rate), dtype=np.float32)
    for channel, label in enumerate(labels):
        if label in settings.emg:
            data[channel] = draw_muscle(label, rate, state, events, seed)
        else:
            site = site_of(label) if label in settings.eeg else "eye"
            spectrum = draw_eeg_spectrum(label, site, settings, state, sources, seed)
            data[channel] = sample_spectrum(spectrum, state.duration_s, rate)
        add_sensor_noise(data[channel], label, seed)
    data[: len(settings.eeg)] *= np.float32(settings.electrode_gain)
    return data


def _table(columns: dict[str, object], table: Table) -> pd.DataFrame:
    import pandas as pd

    return check_table(pd.DataFrame(columns), table)


def _stage_table(stages: np.ndarray) -> pd.DataFrame:
    epoch = np.arange(len(stages))
    return _table({"epoch": epoch, "onset_s": epoch * EPOCH_S, "stage": stages}, SIMULATED_STAGES)


def _spindle_table(events: NightEvents) -> pd.DataFrame:
    spindles = events.spindles
    columns = {name: getattr(spindles, name) for name in SIMULATED_SPINDLES.column_names if name != "spindle_class"}
    return _table(columns | {"spindle_class": np.where(spindles.is_fast, "fast", "slow")}, SIMULATED_SPINDLES)


def _slow_oscillation_table(events: NightEvents) -> pd.DataFrame:
    waves = events.waves
    return _table(
        {
            "stage": waves.stage,
            "onset_s": waves.onset_s,
            "duration_s": waves.end_s - waves.onset_s,
            "neg_peak_s": waves.neg_peak_s,
            "pos_peak_s": waves.pos_peak_s,
            "ptp_uv": waves.ptp_uv,
            "kind": waves.kind,
        },
        SIMULATED_SLOW_OSCILLATIONS,
    )


def _artefact_table(planted: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    columns = list(zip(*planted, strict=True)) or [()] * 4
    return _table(dict(zip(SIMULATED_ARTEFACTS.column_names, columns, strict=True)), SIMULATED_ARTEFACTS)
