"""How sure the stages are: calibrated probabilities, and an interval for each sleep statistic.

Constants here were measured on simulated nights and on the one real segment with an expert's stages
(tests/benchmarks/staging_on_simulated_nights.py). Simulated nights are easier to stage than real ones, so
the true intervals of real nights are at least as wide as these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eegsleep.hypnograms.objects import as_stages
from eegsleep.hypnograms.table import PROBABILITY_COLUMNS
from eegsleep.signals.epochs import EPOCH_MIN, SCORED_STAGES, SLEEP_STAGES
from eegsleep.staging.statistics import measure_codes

if TYPE_CHECKING:
    from eegsleep.hypnograms.objects import Hypnogram

# YASA's confidence is below its accuracy: 86 % against 92 % of the epochs of 40 simulated nights, 80 % against
# 86 % of the real segment. The best temperature was 0.66 on the former and 0.78 on the latter (temperature
# scaling: Guo et al. 2017, arXiv:1706.04599).
TEMPERATURE = 0.7
# Wrong stages come in runs, and a night may be misread throughout in one direction. With runs of 20 epochs
# and a shift of each stage's log probability with this standard deviation between nights, twice the spread
# of the draws covered TST, WASO, N1, N2 and REM of 95 % of those 40 nights.
MEAN_RUN_EPOCHS = 20.0
NIGHT_SHIFT_SD = 0.5
N_DRAWS = 100
# Half width of the 95 % interval in standard deviations of the draws: split conformal prediction with
# scaled residuals (Lei et al. 2018, doi:10.1080/01621459.2017.1307116) on those 40 nights. Counts of
# changes are worse than their draws say, because YASA's stages flicker in the same places every time.
_WIDTH = 2.1
_WIDER = {
    "n3_min": 2.8,
    "n3_percent": 2.8,
    "n3_latency_min": 5.8,
    "awakenings": 2.5,
    "awakenings_per_h": 2.2,
    "fragmentation_per_h": 2.8,
    "stage_transitions_per_h": 3.1,
}
_STAGES = np.array(SCORED_STAGES)
_MINUTES = {"n1_min": ["N1"], "n2_min": ["N2"], "n3_min": ["N3"], "rem_min": ["R"], "tst_min": SLEEP_STAGES}


class Uncertainty(NamedTuple):
    """Expected value and 95 % interval of one sleep statistic, in its own unit; NaN where not known."""

    expected: float = np.nan
    low: float = np.nan
    high: float = np.nan


def calibrate_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return probabilities whose largest agrees with how often that stage is right.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n_epochs, 5)
        As YASA gives them; rows of NaN stay NaN.

    Returns
    -------
    numpy.ndarray, shape (n_epochs, 5)
        Each row sums to 1, and its stages keep their order.

    Notes
    -----
    Temperature scaling with `TEMPERATURE` (Guo et al. 2017, arXiv:1706.04599).
    """
    sharpened = probabilities ** (1 / TEMPERATURE)
    return sharpened / sharpened.sum(axis=1, keepdims=True)


def measure_uncertainty(stages: Hypnogram) -> dict[str, Uncertainty]:
    """Return expected value and 95 % interval of the statistics of `measure_sleep`, as far as stages are unsure.

    Parameters
    ----------
    stages : DataFrame or another hypnogram that `as_stages` takes
        Table `HYPNOGRAM`, of the epochs between lights off and on only. Only a table holds probabilities.

    Returns
    -------
    dict of str to Uncertainty
        By name of the statistic. `expected` is given for minutes of stages only: the sum of their
        probabilities. The interval is the value counted, plus and minus a multiple of its standard deviation
        over hypnograms drawn from the probabilities. It does not cover how well YASA suits this sleeper and
        device. Empty for stages that were given and have no probabilities.

    Notes
    -----
    A draw uses one quantile for a run of epochs and one shift of the log probabilities for the night, so
    that neighbouring epochs err together, as a stager's do. With independent epochs the intervals would be
    several times too narrow. The seed is fixed, so that the same night has the same interval.

    References
    ----------
    Split conformal prediction with scaled residuals: Lei et al. 2018, doi:10.1080/01621459.2017.1307116.

    Examples
    --------
    >>> uncertain = es.measure_uncertainty(night.stages)["n2_min"]
    >>> uncertain.low <= uncertain.high
    True
    >>> es.measure_uncertainty(["W", "N2"])  # stages that were given have no probabilities
    {}
    """
    stages = as_stages(stages)
    probabilities = stages[PROBABILITY_COLUMNS].to_numpy()
    scored = (stages["stage"] != "UNS").to_numpy() & np.isfinite(probabilities).all(axis=1)
    if not scored.any():
        return {}
    codes = stages["stage"].to_numpy(dtype="U3")
    counted = measure_codes(codes)
    drawn = _draw_hypnograms(probabilities[scored])
    values: dict[str, list[float]] = {name: [] for name in counted}
    for draw in drawn:
        codes[scored] = _STAGES[draw]
        for name, measure in measure_codes(codes).items():
            values[name].append(measure.value)
    uncertainty = {
        name: _interval(name, counted[name].value, np.array(values[name]))
        for name in counted
        if not name.endswith("_absent")
    }
    for name, members in _MINUTES.items():
        share = probabilities[scored][:, np.isin(_STAGES, members)].sum()
        uncertainty[name] = uncertainty[name]._replace(expected=float(share * EPOCH_MIN))
    return uncertainty


def _interval(name: str, value: float, drawn: np.ndarray) -> Uncertainty:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or drawn.size < N_DRAWS / 2:
        return Uncertainty()
    half = _WIDER.get(name, _WIDTH) * float(drawn.std())
    if name.endswith("_min") and half > 0:
        half = max(half, EPOCH_MIN)  # a time is known to one epoch at best
    high = min(value + half, 100.0) if name.endswith("_percent") else value + half
    return Uncertainty(low=max(value - half, 0.0), high=high)


def _draw_hypnograms(probabilities: np.ndarray) -> np.ndarray:
    """Return hypnograms drawn from probabilities, shape (`N_DRAWS`, n_epochs), as indices of stages."""
    rng = np.random.default_rng(0)
    n_epochs, n_stages = probabilities.shape
    shift = rng.normal(0, NIGHT_SHIFT_SD, (N_DRAWS, 1, n_stages))
    shifted = np.maximum(probabilities, 1e-6) * np.exp(shift)
    shifted /= shifted.sum(axis=2, keepdims=True)
    starts = rng.random((N_DRAWS, n_epochs)) < 1 / MEAN_RUN_EPOCHS
    run = np.cumsum(starts, axis=1, dtype=np.intp)
    n_runs = int(run.max()) + 1
    quantile = np.take_along_axis(rng.random((N_DRAWS, n_runs)), run, axis=1)
    # the order of the stages is drawn anew in each run, so that no two stages are always neighbours
    order = np.argsort(rng.random((N_DRAWS, n_runs, n_stages)), axis=2)
    order = np.take_along_axis(order, run[..., None], axis=1)
    cumulative = np.take_along_axis(shifted, order, axis=2).cumsum(axis=2)
    place = (quantile[..., None] > cumulative[..., :-1]).sum(axis=2)
    return np.take_along_axis(order, place[..., None], axis=2)[..., 0]
