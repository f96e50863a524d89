"""The slow fluctuation of sigma in N2, about 0.02 Hz.

Lecci et al. 2017 (doi:10.1126/sciadv.1602026) found it in the time course of sigma power, in people in N2 and not in
N3. Lázár et al. 2019 (doi:10.1016/j.jneumeth.2018.12.002) confirm it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, find_runs
from eegsleep.signals.low_rate import LOW_RATE_HZ, NightTransform

SIGMA_HZ = (11.0, 16.0)
# Sigma stands out where its amplitude over 1 s is twice its median.
STANDS_OUT = 2.0
# One value of sigma each so many seconds: a tenth of the rhythm's period.
STEP_S = 5.0
# Four periods of 50 s; and ten such bouts together.
LEAST_BOUT_S = 200.0
LEAST_S = 2000.0
# 0.02 Hz and its standard deviation between people, 0.008 (Lecci et al.), to the grid; and what lies above.
RHYTHM_HZ = (0.0125, 0.0275)
ABOVE_HZ = (0.04, 0.1)
_GRID_HZ = np.arange(0.005, 0.1001, 0.0025)


class Infraslow(NamedTuple):
    """What `measure_infraslow` returns; NaN where there is too little N2.

    Attributes
    ----------
    strength_db : float
        Spectral density of the fluctuation about 0.02 Hz over that at 0.04-0.1 Hz.
    peak_hz : float
        Where it is largest about 0.02 Hz; NaN where that is an edge.
    minutes : float
        Of bouts that were long enough.
    """

    strength_db: float
    peak_hz: float
    minutes: float


def measure_infraslow(signal_uv: np.ndarray, inside: np.ndarray) -> Infraslow:
    """Measure how much sigma waxes and wanes with a period of about 50 s.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_samples,)
        At the analysis rate, in µV; NaN where missing.
    inside : numpy.ndarray of bool, shape (n_samples,)
        Usable N2; bouts are runs of it.

    Returns
    -------
    Infraslow
        It does not depend on gain.

    Notes
    -----
    Counted is the share of each 5 s in which the amplitude of 11-16 Hz is above twice its median: a few large spindles
    then weigh no more than many. A straight line is taken out of each bout, and the densities of all bouts (Hann
    window) are averaged by their length. Without a rhythm the strength is not 0, because any slow change of sigma adds
    to it: compare nights of one person.

    By chance it differs by 0.3-0.5 dB from night to night on simulated nights. Where every spindle follows the rhythm
    it is 2.4 dB larger, which one night shows; a change of less than 1 dB needs a mean over six nights or more.
    Exploratory, without a direction.
    """
    nan = float("nan")
    inside = inside & np.isfinite(signal_uv)
    least = LEAST_BOUT_S * ANALYSIS_RATE_HZ
    bouts = [(first, stop) for first, stop in zip(*find_runs(inside), strict=True) if stop - first >= least]
    seconds = sum(stop - first for first, stop in bouts) / ANALYSIS_RATE_HZ
    if seconds < LEAST_S:
        return Infraslow(nan, nan, seconds / 60)
    band = NightTransform(np.where(inside, signal_uv, 0.0)).analytic(SIGMA_HZ, straight=True)
    window = np.hanning(int(band.rate_hz) + 1)[1:-1]
    power = np.convolve(np.abs(band.wave) ** 2, window / window.sum(), "same")
    stands_out = power > STANDS_OUT**2 * np.median(power[inside[:: band.step]])
    chosen = [stands_out[-(-first // band.step) : -(-stop // band.step)] for first, stop in bouts]
    chosen = [bout for bout in chosen if bout.any()]
    if not chosen:
        return Infraslow(nan, nan, seconds / 60)
    density = np.average([_density(bout) for bout in chosen], axis=0, weights=[bout.size for bout in chosen])
    rhythm, above = ((low - 1e-9 <= _GRID_HZ) & (high + 1e-9 >= _GRID_HZ) for low, high in (RHYTHM_HZ, ABOVE_HZ))
    strength_db = 10 * float(np.log10(density[rhythm].mean() / density[above].mean()))
    at = int(np.flatnonzero(rhythm)[density[rhythm].argmax()])
    is_peak = density[at] > density[at - 1] and density[at] >= density[at + 1]
    return Infraslow(strength_db, _vertex(at, density) if is_peak else nan, seconds / 60)


def _density(stands_out: np.ndarray) -> np.ndarray:
    """Return the one-sided density of one bout's share of time over its mean, at `_GRID_HZ`."""
    n = int(STEP_S * LOW_RATE_HZ)
    values = stands_out[: stands_out.size // n * n].reshape(-1, n).mean(axis=1)
    window = np.hanning(values.size + 2)[1:-1]
    values = _without_trend(values / stands_out.mean()) * window
    turns = np.exp(-2j * np.pi * np.outer(_GRID_HZ, np.arange(values.size) * STEP_S))
    return 2 * STEP_S * np.abs(turns @ values) ** 2 / (window**2).sum()


def _without_trend(values: np.ndarray) -> np.ndarray:
    """Return values less the straight line through them."""
    time = np.arange(values.size) - (values.size - 1) / 2
    return values - values.mean() - time * ((time @ values) / (time @ time))


def _vertex(at: int, density: np.ndarray) -> float:
    """Return the frequency of a peak, from the parabola through it and its neighbours."""
    before, middle, after = np.log(density[at - 1 : at + 2])
    shift = 0.5 * (before - after) / (before - 2 * middle + after)
    return float(_GRID_HZ[at] + shift * (_GRID_HZ[1] - _GRID_HZ[0]))
