"""The smallest p-value that a design can give, and its power by simulated studies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.statistics.phase_means import weigh_phases
from eegsleep.statistics.resampling import MIN_NIGHTS, floor_of_few
from eegsleep.study.schedules.mechanisms import (
    ENUMERATION_LIMIT,
    N_DRAWS,
    SUBJECT_KINDS,
    Mechanism,
    list_or_redraw,
    redraw,
    subject_rows,
    support_size,
)
from eegsleep.study.schedules.schedule import plan_nights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

TARGET_POWER = 0.8
_ENUMERATE = 2_000  # simulated studies list every schedule up to here
_LARGEST_EFFECT_SD = 12.0
_MIN_SPREAD_NIGHTS = 5
_MOST_NIGHTS = 240

_MESSMAN = "Messman et al. 2022: EEG at home, 8 data sets, 2404 sleepers"
_EGGERT = "Eggert et al. 2015: {}, 32 sleepers, 9 nights"
# Standard deviation between nights of one sleeper: value, unit, source. The unit "%" means of the sleeper's mean,
# unless the marker is a percentage itself. Published values only; for other markers only reliabilities are published.
WITHIN_PERSON_SD: dict[str, tuple[float, str, str]] = {
    "tst_min": (67.0, "min", _MESSMAN),
    "sleep_efficiency_percent": (6.46, "%", _MESSMAN),
    "spindle_frequency_hz": (0.13, "Hz", _EGGERT.format("about 1 % of 13 Hz")),
    "fast_spindle_frequency_hz": (0.13, "Hz", _EGGERT.format("about 1 % of 13 Hz")),
    "slow_spindle_frequency_hz": (0.11, "Hz", _EGGERT.format("about 1 % of 11 Hz")),
    "spindle_density_per_min": (24.0, "%", _EGGERT.format("1 to 24 %, densities at the upper end")),
    "fast_spindle_density_per_min": (24.0, "%", _EGGERT.format("1 to 24 %, densities at the upper end")),
    "slow_spindle_density_per_min": (24.0, "%", _EGGERT.format("1 to 24 %, densities at the upper end")),
}
WITHIN_PERSON_PERCENT: dict[str, tuple[float, str]] = {"tst_min": (18.6, _MESSMAN)}  # of the sleeper's mean


@dataclass(frozen=True)
class Spread:
    """How much a marker varies between nights of one sleeper.

    Attributes
    ----------
    sd, sd_upper : float
        Standard deviation, and its upper 80 % limit, which planning uses because the standard deviation of a small
        sample is too small as often as too large.
    unit : str
    autocorrelation : float
        Of one night with the next.
    n_nights : int
        Nights it was measured on; 0 for the catalogue.
    source : str
    mean : float
        Of the nights; NaN for the catalogue.
    """

    sd: float
    sd_upper: float
    unit: str
    autocorrelation: float = 0.0
    n_nights: int = 0
    source: str = ""
    mean: float = math.nan


@dataclass(frozen=True)
class Noise:
    """The random part of simulated nights, in standard deviations between nights of one sleeper.

    Attributes
    ----------
    autocorrelation : float
        Of one evening with the next; 0 is the cautious choice for pairs, whose power rises with it.
    between_subjects : float
        Standard deviation between sleepers.
    effect_between_subjects : float
        Standard deviation of the effect between sleepers; only where there are several.
    """

    autocorrelation: float = 0.0
    between_subjects: float = 1.0
    effect_between_subjects: float = 0.5

    def __post_init__(self) -> None:
        if not -1 < self.autocorrelation < 1 or self.between_subjects < 0 or self.effect_between_subjects < 0:
            raise SettingsError(
                "the noise of simulated nights is out of range",
                found=str(self),
                allowed="an autocorrelation between -1 and 1, standard deviations of 0 or more",
            )


def catalogue_spread(marker: str) -> Spread | None:
    """Return the published spread of a marker between nights of one sleeper, or None."""
    known = WITHIN_PERSON_SD.get(marker)
    return Spread(known[0], known[0], known[1], source=known[2]) if known else None


def relative_spread(marker: str, spread: Spread | None) -> Spread | None:
    """Return a spread in % of the sleeper's mean, from its nights or as published; None if neither is known."""
    if spread is not None and spread.unit == "%":
        return spread
    if spread is not None and spread.mean:
        scale = 100 / abs(spread.mean)
        if math.isfinite(scale):
            return replace(spread, sd=scale * spread.sd, sd_upper=scale * spread.sd_upper, unit="%")
    known = WITHIN_PERSON_PERCENT.get(marker)
    return Spread(known[0], known[0], "%", source=known[1]) if known else None


def lag_one_autocorrelation(values: ArrayLike) -> float:
    """Return the correlation of each night with the next, corrected for its bias in a short series.

    Notes
    -----
    r + (1 + 4 r) / n, by the bias that Marriott and Pope gave in 1954 (Biometrika 41, 390).
    """
    y = np.asarray(values, dtype=float)
    if np.isfinite(y).sum() < 4:
        return math.nan
    y = y - np.nanmean(y)
    both = np.isfinite(y[1:]) & np.isfinite(y[:-1])
    n, total = int(np.isfinite(y).sum()), np.nansum(y**2)
    if both.sum() < 3 or total == 0:
        return math.nan
    # scaled as if no product were missing, so that missing nights do not make it smaller
    r = float((y[1:] * y[:-1])[both].sum() / both.sum() * (n - 1) / total)
    return float(np.clip(r + (1 + 4 * r) / n, -0.95, 0.95))


def estimate_spread(
    values: ArrayLike,
    unit: str,
    subjects: Sequence[str] | None = None,
) -> Spread:
    """Measure the spread between nights from nights at hand, without their conditions.

    Parameters
    ----------
    values : array_like, shape (n_nights,)
        One value a night, in order of date; NaN for a night without. These are nights before the study, or masked
        nights of both conditions together. The codes are not used, so the error rate of the study is not affected;
        an effect makes the spread a little larger and the plan more cautious.
    unit : str
    subjects : sequence of str, optional
        The sleeper of each night, where there are several; the spread is that within sleepers.

    Returns
    -------
    Spread

    Raises
    ------
    SettingsError
        With fewer than five nights of one sleeper (four degrees of freedom), or nights that do not differ.
    """
    from scipy.stats import chi2

    y = np.asarray(values, dtype=float)
    names = np.zeros(len(y), dtype=int) if subjects is None else np.asarray(subjects, dtype=object)
    series = [y[names == name] for name in dict.fromkeys(names.tolist())]
    series = [own for own in series if np.isfinite(own).any()]
    n = int(np.isfinite(y).sum())
    free = n - len(series)
    total = sum(float(np.nansum((own - np.nanmean(own)) ** 2)) for own in series)
    if free < _MIN_SPREAD_NIGHTS - 1 or total == 0:
        raise SettingsError(
            "the spread between nights cannot be measured",
            found=f"{n} nights with a value",
            allowed=f"at least {_MIN_SPREAD_NIGHTS} nights of one sleeper that differ",
            remedy="record more control nights, or plan in standard deviations",
        )
    sd = math.sqrt(total / free)
    upper = sd * math.sqrt(free / chi2.ppf(0.2, free))
    lags = [(lag_one_autocorrelation(own), len(own)) for own in series]
    lags = [(r, weight) for r, weight in lags if not math.isnan(r)]
    r = float(np.average([r for r, _ in lags], weights=[weight for _, weight in lags])) if lags else 0.0
    return Spread(sd, upper, unit, r, n, f"own nights, blinded, {n} nights", float(np.nanmean(y)))


def smallest_p(
    mechanism: Mechanism,
    nights: pd.DataFrame,
    available: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> float:
    """Return the smallest two-sided p-value that the re-randomisation test can give.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS` or `SCHEDULE`.
    available : ndarray of bool, optional
        Which nights have a value; by default all. Schedules that are equal on these nights then count together, and
        so do schedules that leave a condition fewer than two of them, as in the test. The conditions followed are
        those of `nights`.
    seed : int
        Of the redraws, where there are too many schedules to list.

    Returns
    -------
    float

    Notes
    -----
    The schedule followed can always be the most extreme one; its mirror image then is as extreme, where the mechanism
    could have drawn it. With fewer than eight nights nothing is reported as found, whatever their schedule.
    """
    given = (nights["condition"] != "").to_numpy() & (True if available is None else available)
    n = int(given.sum())
    floor = floor_of_few(n, n // 2) if n < MIN_NIGHTS else 0.0
    if available is None:
        n_schedules = support_size(mechanism, nights)
        least = max(floor, (2 if _has_mirror(mechanism) else 1) / n_schedules)
        return min(1.0, least if n_schedules <= ENUMERATION_LIMIT else max(least, 1 / (1 + N_DRAWS)))
    draws, complete = list_or_redraw(mechanism, nights, N_DRAWS, seed)
    followed = (nights["condition"] == mechanism.conditions[1]).to_numpy()[given]
    seen = draws[:, given]
    n_second = seen.sum(axis=1)
    same = (seen == followed).all(axis=1) | (seen == ~followed).all(axis=1)
    poor = (n_second < 2) | (seen.shape[1] - n_second < 2)
    extreme = int((same | poor).sum())
    return max(floor, extreme / len(draws) if complete else (1 + extreme) / (1 + N_DRAWS))


def _has_mirror(mechanism: Mechanism) -> bool:
    if mechanism.kind == "phases":
        return mechanism.random_start
    if mechanism.kind == "crossover":
        orders = {tuple(order) for order in mechanism.orders.tolist()}
        return all(tuple(not c for c in order) in orders for order in orders)
    return True


def nights_to_reach(
    mechanism: Mechanism,
    alpha: float,
    subjects: Sequence[str] = ("S01",),
    start: str = "2026-01-05",
    own_nights: int = 1,
) -> tuple[int, int] | None:
    """Return the fewest sleepers and nights of each whose smallest p is at most `alpha`, or None.

    Parameters
    ----------
    mechanism : Mechanism
    alpha : float
    subjects : sequence of str
        The sleepers planned.
    start : str
        Evening of the first night, as YYYY-MM-DD.
    own_nights : int
        Nights of each sleeper in a crossover or in parallel groups, where the number of sleepers is searched.

    Returns
    -------
    (int, int) or None
        Sleepers, and nights of each; 0 nights where sleepers were searched. None if 240 are not enough.
    """
    for n in range(2, _MOST_NIGHTS + 1):
        by_sleepers = mechanism.kind in SUBJECT_KINDS
        names = [f"S{i:03d}" for i in range(n)] if by_sleepers else list(subjects)
        n_nights = own_nights if by_sleepers else n
        try:
            nights = plan_nights(mechanism, n_nights, names, start, adaptation_nights=0)
            if smallest_p(mechanism, nights) <= alpha:
                return len(names), 0 if by_sleepers else n
        except SettingsError:  # too few nights for one schedule
            continue
    return None


def difference_weights(mechanism: Mechanism, nights: pd.DataFrame, draws: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weight of each night in the difference, second minus first condition, under each draw.

    It is the mean over sleepers of the difference of means within a sleeper (in phases, of the means of phase means);
    in parallel groups the difference between the means of sleepers.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `SCHEDULE` or `STUDY_NIGHTS`.
    draws : ndarray of bool, shape (n_draws, n_nights)

    Returns
    -------
    ndarray, shape (n_draws, n_nights)
    """
    rows = subject_rows(nights)
    weights = np.zeros(draws.shape)
    group = np.stack([draws[:, own[0]] for own in rows.values()], axis=1)
    n_second = group.sum(axis=1)
    for column, own in enumerate(rows.values()):
        if mechanism.kind == "parallel":
            second = group[:, column]
            size = np.maximum(np.where(second, n_second, group.shape[1] - n_second), 1)
            weights[:, own] = (np.where(second, 1.0, -1.0) / size / len(own))[:, None]
            continue
        if mechanism.kind == "phases":
            weights[:, own] = weigh_phases(draws[:, own], mechanism.wash_out_nights) / len(rows)
            continue
        second, first = draws[:, own], ~draws[:, own]
        n = np.maximum(second.sum(axis=1), 1)[:, None], np.maximum(first.sum(axis=1), 1)[:, None]
        weights[:, own] = (second / n[0] - first / n[1]) / len(rows)
    return weights


@dataclass(frozen=True)
class SimulatedStudies:
    """Simulated studies without an effect, from which p-values with any effect follow: the statistic is linear in it.

    Attributes
    ----------
    null, slope : ndarray, shape (n_studies, n_schedules)
        Statistic of each redrawn schedule is `null + effect * slope`.
    own_null, own_slope : ndarray, shape (n_studies,)
        The same of the schedule that the study followed.
    listed : bool
        Whether the schedules are all there are.
    """

    null: NDArray[np.float64]
    slope: NDArray[np.float64]
    own_null: NDArray[np.float64]
    own_slope: NDArray[np.float64]
    listed: bool

    def p_values(self, effect_sd: float) -> NDArray[np.float64]:
        """Return the two-sided re-randomisation p of each study, had the effect been `effect_sd`."""
        own = np.abs(self.own_null + effect_sd * self.own_slope)
        extreme = (np.abs(self.null + effect_sd * self.slope) >= own[:, None] - 1e-10).sum(axis=1)
        n = self.null.shape[1]
        return extreme / n if self.listed else (1 + extreme) / (1 + n)

    def power(self, effect_sd: float, alpha: float) -> float:
        """Return the share of studies with p at most `alpha`."""
        return float((self.p_values(effect_sd) <= alpha).mean())

    def detectable_effect(self, alpha: float) -> float:
        """Return the smallest effect found in 80 % of the studies, in SD; infinite if none is."""
        low, high = 0.0, _LARGEST_EFFECT_SD
        if self.power(high, alpha) < TARGET_POWER:
            return math.inf
        while high - low > 0.01:
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle, alpha) >= TARGET_POWER else (middle, high)
        return high


def simulate_studies(
    mechanism: Mechanism,
    nights: pd.DataFrame,
    noise: Noise | None = None,
    n_studies: int = 1000,
    n_draws: int = 999,
    seed: int = 0,
) -> SimulatedStudies:
    """Simulate studies of these nights, each with a schedule of its own from the mechanism.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `SCHEDULE` or `STUDY_NIGHTS`; its dates space the nights.
    noise : Noise, optional
    n_studies, n_draws : int
        Simulated studies, and schedules redrawn where there are more than 2000.
    seed : int

    Returns
    -------
    SimulatedStudies
    """
    noise = noise or Noise()
    streams = np.random.SeedSequence(seed).generate_state(3)
    followed = redraw(mechanism, nights, n_studies, int(streams[0]))
    draws, listed = list_or_redraw(mechanism, nights, n_draws, int(streams[1]), limit=_ENUMERATE)
    weights = difference_weights(mechanism, nights, draws).T
    own_weights = difference_weights(mechanism, nights, followed)
    if mechanism.kind == "phases":  # the test uses the distance from the mean over the schedules
        centre = weights.mean(axis=1)
        weights, own_weights = weights - centre[:, np.newaxis], own_weights - centre
    values = _simulate_values(nights, followed, noise, np.random.default_rng(int(streams[2])))
    taken = followed.astype(float)
    return SimulatedStudies(
        null=values @ weights,
        slope=taken @ weights,
        own_null=(values * own_weights).sum(axis=1),
        own_slope=(taken * own_weights).sum(axis=1),
        listed=listed,
    )


def _simulate_values(
    nights: pd.DataFrame, followed: NDArray[np.bool_], noise: Noise, rng: np.random.Generator
) -> NDArray[np.float64]:
    values = np.zeros(followed.shape)
    days = nights["date"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    rows = subject_rows(nights)
    several = len(rows) > 1
    for own in rows.values():
        last = rng.standard_normal(len(followed))
        for i, row in enumerate(own):
            if i:
                r = noise.autocorrelation ** int(days[row] - days[own[i - 1]])
                last = r * last + math.sqrt(1 - r**2) * rng.standard_normal(len(followed))
            values[:, row] = last
        if several:
            values[:, own] += noise.between_subjects * rng.standard_normal((len(followed), 1))
            own_effect = noise.effect_between_subjects * rng.standard_normal((len(followed), 1))
            values[:, own] += own_effect * followed[:, own]
    return values
