"""The audit of the stages: the night staged again with smaller and with larger slow waves.

N3 is scored by the size of slow waves, by the classifier as by an expert. A compound that only enlarges them therefore
gives more N3, an earlier N3 and fewer changes of stage, and the rest of every stage-conditioned marker moves with the
borders of the stages. Staged at several sizes, a night shows how much of its markers follows from that size alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.signals.epochs import EPOCH_S, SCORED_STAGES
from eegsleep.signals.two_channels import measure_each
from eegsleep.staging.features import MeasuredChannels, smooth_and_scale
from eegsleep.staging.slow_wave_scaling import SlowWaveScaler
from eegsleep.tables import STAGES_AT_DELTA, check_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.staging.lights import Lights

# Factors on the amplitude of 0.4-4 Hz at which a night is staged again, by the column of table `STAGES_AT_DELTA`.
FACTORS = {"less_delta": 0.8, "more_delta": 1.25}
# An epoch whose best stage leads the next by more than this keeps its stage at both factors: on 30 simulated nights of
# 2 h that spared 65 % of the work and changed 0.04 to 0.25 % of the epochs. It does not hold for larger factors.
SURE_LEAD = 0.8
MIN_N2_EPOCHS = 10


class EqualDelta(NamedTuple):
    """A night staged at several sizes of its slow waves.

    Attributes
    ----------
    stages : pandas.DataFrame
        Table `STAGES_AT_DELTA`.
    n2_activity_uv2 : dict of str to float
        Power of 0.4-4 Hz in the median usable epoch of N2, at the gain of reference, by column of `stages`, each in
        the N2 of that column; NaN with fewer than `MIN_N2_EPOCHS`.
    """

    stages: pd.DataFrame
    n2_activity_uv2: dict[str, float]


def scale_channels(measured: MeasuredChannels) -> dict[str, MeasuredChannels]:
    """Measure the features of all derivations at each of `FACTORS`.

    Parameters
    ----------
    measured : MeasuredChannels
        As recorded.

    Returns
    -------
    dict of str to MeasuredChannels
        By column of table `STAGES_AT_DELTA`. EOG and EMG are left as they are.
    """

    def scale(label: str) -> dict[str, pd.DataFrame]:
        scaler = SlowWaveScaler(measured.filtered[label], measured.features[label])
        return {
            column: smooth_and_scale(scaler.at(factor), measured.usable[label]) for column, factor in FACTORS.items()
        }

    scaled = dict(zip(measured.derivations, measure_each(scale, measured.derivations), strict=True))
    features = {column: measured.features | {label: own[column] for label, own in scaled.items()} for column in FACTORS}
    return {column: measured._replace(features=own) for column, own in features.items()}


def find_unsure(probabilities: np.ndarray) -> np.ndarray:
    """Return the epochs whose stage may change at one of `FACTORS`.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n_epochs, 5)
        From one derivation as recorded.

    Returns
    -------
    numpy.ndarray of bool, shape (n_epochs,)
    """
    ordered = np.sort(probabilities, axis=1)
    return ordered[:, -1] - ordered[:, -2] <= SURE_LEAD


def measure_slow_power(measured: MeasuredChannels, gains: Mapping[str, float]) -> np.ndarray:
    """Measure the power of 0.4-4 Hz of each epoch at the gain of reference: the geometric mean over derivations.

    Parameters
    ----------
    measured : MeasuredChannels
    gains : mapping of str to float
        As `find_gains` returns them.

    Returns
    -------
    numpy.ndarray, shape (n_epochs,)
        In µV²; NaN where no derivation is usable.
    """
    logs = []
    for label in measured.derivations:
        own = measured.features[label]
        power = own["eeg_abspow"] * (own["eeg_sdelta"] + own["eeg_fdelta"]) * gains[label] ** 2
        known = measured.usable[label] & (power > 0).to_numpy()
        logs.append(np.log(power.where(known)).to_numpy(dtype=float))
    return np.exp(pd.DataFrame(logs).mean(axis=0).to_numpy())


def gather_equal_delta(
    combined: Mapping[str, np.ndarray],
    slow_power_uv2: Mapping[str, np.ndarray],
    epochs: slice,
    lights: Lights,
    n_epochs: int,
) -> EqualDelta:
    """Return the stages at every size, and the slow-wave activity of N2 at every size.

    Parameters
    ----------
    combined : mapping of str to numpy.ndarray, shape (n_staged_epochs, 5)
        Probabilities over all derivations by column of table `STAGES_AT_DELTA`, `stage` included.
    slow_power_uv2 : mapping of str to numpy.ndarray, shape (n_staged_epochs,)
        From `measure_slow_power`, by the same columns.
    epochs : slice
        Where the staged epochs lie in the recording.
    lights : Lights
        Epochs outside are unscored.
    n_epochs : int
        Of the recording.

    Returns
    -------
    EqualDelta
    """
    inside = np.zeros(n_epochs, dtype=bool)
    inside[lights.epochs(n_epochs)] = True
    table = pd.DataFrame({"epoch": np.arange(n_epochs), "onset_s": EPOCH_S * np.arange(n_epochs)})
    activity = {}
    for column, probabilities in combined.items():
        stages = np.full(n_epochs, "UNS", dtype=object)
        scored = np.isfinite(probabilities).all(axis=1)
        best = np.array(SCORED_STAGES, dtype=object)[np.nan_to_num(probabilities).argmax(axis=1)]
        stages[epochs] = np.where(scored, best, "UNS")
        table[column] = np.where(inside, stages, "UNS")
        own = slow_power_uv2[column][(table[column].to_numpy()[epochs] == "N2") & np.isfinite(slow_power_uv2[column])]
        activity[column] = float(np.median(own)) if own.size >= MIN_N2_EPOCHS else float("nan")
    return EqualDelta(check_table(table, STAGES_AT_DELTA), activity)
