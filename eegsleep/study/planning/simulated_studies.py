"""Simulated studies of a plan: how often the test that will decide finds an effect.

One sleeper is judged by redrawing the schedule, several by a t test over the sleepers (with all planned nights at
hand it equals the mixed model). Both are linear in the effect, so that one set of simulated nights gives the power for
every effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from eegsleep.errors import SettingsError
from eegsleep.statistics import multiplicity
from eegsleep.statistics.phase_means import weigh_phases
from eegsleep.statistics.resampling import MIN_NIGHTS
from eegsleep.study.schedules.mechanisms import (
    SUBJECT_KINDS,
    Mechanism,
    keep_nights,
    list_or_redraw,
    redraw,
    redraw_codes,
    subject_rows,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

TARGET_POWER = 0.8
_ENUMERATE = 2_000  # simulated studies list every schedule up to here
_LARGEST_EFFECT_SD = 12.0


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
class Simulated:
    """Simulated studies of one design, each analysed as the comparison will analyse the real one."""

    def p_values(self, effect_sd: float) -> Floats:
        """Return the p-value of each study, adjusted for the other primary endpoints, had the effect been this."""
        raise NotImplementedError

    def power(self, effect_sd: float, alpha: float) -> float:
        """Return the share of studies with p at most `alpha`.

        Parameters
        ----------
        effect_sd : float
            Effect on one primary endpoint, in standard deviations between nights; the others have none.
        alpha : float
        """
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


@dataclass(frozen=True)
class SimulatedStudies(Simulated):
    """Studies of one sleeper, without an effect; the re-randomisation test decides.

    Attributes
    ----------
    null, slope : ndarray, shape (n_studies, n_schedules)
        Statistic of each redrawn schedule is `null + effect * slope`.
    own_null, own_slope : ndarray, shape (n_studies,)
        The same of the schedule that the study followed.
    listed : bool
        Whether the schedules are all there are.
    others, own_others : ndarray, shape (n_others, n_studies, n_schedules) and (n_others, n_studies)
        Scores (`multiplicity.score_by_rank`) of the other primary endpoints, which have no effect.
    """

    null: Floats
    slope: Floats
    own_null: Floats
    own_slope: Floats
    listed: bool
    others: Floats
    own_others: Floats

    def p_values(self, effect_sd: float) -> Floats:
        """Return the two-sided p of each study, by step-down min-P where there are other primary endpoints."""
        own = np.abs(self.own_null + effect_sd * self.own_slope)
        drawn = np.abs(self.null + effect_sd * self.slope)
        extreme = (drawn >= own[:, np.newaxis] - 1e-10).sum(axis=1)
        n = self.null.shape[1]
        raw = extreme / n if self.listed else (1 + extreme) / (1 + n)
        if not len(self.others):
            return raw
        adjusted = np.empty(len(own))
        for study, seen in enumerate(own):
            scores, mine = multiplicity.score_by_rank(drawn[study][np.newaxis], [seen])
            every = np.vstack([scores, self.others[:, study]])
            adjusted[study] = multiplicity.max_t(every, [*mine, *self.own_others[:, study]])[0]
        return np.fmax(adjusted, raw)


@dataclass(frozen=True)
class SimulatedGroups(Simulated):
    """Studies of several sleepers, without an effect; a t test over the sleepers decides.

    Attributes
    ----------
    estimate, se : ndarray, shape (n_studies,)
        Of the difference, with its standard error, in standard deviations between nights.
    df : ndarray, shape (n_studies,)
        Degrees of freedom.
    others : ndarray, shape (n_studies, n_others)
        p-values of the other primary endpoints, which have no effect.
    """

    estimate: Floats
    se: Floats
    df: Floats
    others: Floats

    def p_values(self, effect_sd: float) -> Floats:
        """Return the two-sided p of each study, by Holm where there are other primary endpoints."""
        with np.errstate(divide="ignore", invalid="ignore"):
            raw = 2 * special.stdtr(self.df, -np.abs((self.estimate + effect_sd) / self.se))
        raw = np.where(np.isfinite(raw), raw, 1.0)
        if not self.others.shape[1]:
            return raw
        return np.array([multiplicity.holm([p, *more])[0] for p, more in zip(raw, self.others, strict=True)])


@dataclass(frozen=True)
class SimulatedDoses(Simulated):
    """Studies of control and two doses, without an effect; the trend over dose decides, then each dose.

    Attributes
    ----------
    trend : SimulatedStudies
    pairs : tuple of SimulatedStudies
        The low and the high dose against control.
    n_primary : int
    """

    trend: SimulatedStudies
    pairs: tuple[SimulatedStudies, ...]
    n_primary: int

    def p_values(self, effect_sd: float) -> Floats:
        """Return the p-value of the trend in each study, had the high dose this effect."""
        return self.trend.p_values(effect_sd)

    def power_of_doses(self, effect_sd: float, alpha: float) -> tuple[float, ...]:
        """Return how often the low and the high dose are found to differ from control, after the trend.

        Where there are several primary endpoints, each dose is tested once the trend is found in all of them; these
        figures are for an effect on one that is found, and leave out whether the others are.
        """
        gate = self.p_values(effect_sd)
        return tuple(
            float((np.fmax(gate, self.n_primary * pair.p_values(effect_sd)) <= alpha).mean()) for pair in self.pairs
        )


def simulate_studies(
    mechanism: Mechanism,
    nights: pd.DataFrame,
    noise: Noise | None = None,
    n_studies: int = 1000,
    n_draws: int = 999,
    seed: int = 0,
    n_primary: int = 1,
) -> Simulated:
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
    n_primary : int
        Primary endpoints that share alpha. One has the effect; the others have none and vary independently of it.

    Returns
    -------
    Simulated
        `SimulatedStudies` for one sleeper, `SimulatedGroups` for several.
    """
    noise = noise or Noise()
    streams = [int(stream) for stream in np.random.SeedSequence(seed).generate_state(4)]
    followed = redraw(mechanism, nights, n_studies, streams[0])
    values = _simulate_values(nights, followed, noise, np.random.default_rng(streams[2]))
    if len(subject_rows(nights)) > 1 or mechanism.kind in SUBJECT_KINDS:
        return _simulate_groups(mechanism, nights, followed, values, streams[3], n_primary)
    draws, listed = list_or_redraw(mechanism, nights, n_draws, streams[1], limit=_ENUMERATE)
    weights = difference_weights(mechanism, nights, draws).T
    own_weights = difference_weights(mechanism, nights, followed)
    if mechanism.kind == "phases":  # the test uses the distance from the mean over the schedules
        centre = weights.mean(axis=1)
        weights, own_weights = weights - centre[:, np.newaxis], own_weights - centre
    taken = followed.astype(float)
    others, own_others = [], []
    for k in range(1, n_primary):
        more = _simulate_values(nights, followed, noise, np.random.default_rng([streams[3], k]))
        drawn, own = np.abs(more @ weights), np.abs((more * own_weights).sum(axis=1))
        scores = [multiplicity.score_by_rank(d[np.newaxis], [o]) for d, o in zip(drawn, own, strict=True)]
        others.append(np.vstack([score for score, _ in scores]))
        own_others.append(np.concatenate([mine for _, mine in scores]))
    return SimulatedStudies(
        null=values @ weights,
        slope=taken @ weights,
        own_null=(values * own_weights).sum(axis=1),
        own_slope=(taken * own_weights).sum(axis=1),
        listed=listed,
        others=np.array(others),
        own_others=np.array(own_others),
    )


def simulate_doses(
    mechanism: Mechanism,
    nights: pd.DataFrame,
    doses: tuple[float, ...],
    noise: Noise | None = None,
    n_studies: int = 1000,
    n_draws: int = 999,
    seed: int = 0,
    n_primary: int = 1,
) -> SimulatedDoses:
    """Simulate studies of control and two doses, whose effect is linear in the dose.

    Parameters
    ----------
    mechanism, nights, noise, n_studies, n_draws, seed, n_primary
        As in `simulate_studies`.
    doses : tuple of float
        0 and two rising doses, in any unit.

    Returns
    -------
    SimulatedDoses
        An effect is that of the high dose.
    """
    noise = noise or Noise()
    shares = np.array(doses, dtype=float) / max(doses)
    streams = [int(stream) for stream in np.random.SeedSequence(seed).generate_state(4)]
    followed = redraw_codes(mechanism, nights, n_studies, streams[0])
    given = np.concatenate(list(subject_rows(nights).values()))
    followed = followed[:, given]
    own = shares[followed]
    empty = np.zeros((n_studies, len(nights)), dtype=bool)  # one sleeper: no effect that differs between sleepers
    values = _simulate_values(nights, empty, noise, np.random.default_rng(streams[2]))[:, given]
    drawn = shares[redraw_codes(mechanism, nights, n_draws, streams[1])[:, given]]
    weights = (drawn - drawn.mean(axis=1, keepdims=True)).T
    own_weights = own - own.mean(axis=1, keepdims=True)
    others, own_others = [], []
    for k in range(1, n_primary):
        more = _simulate_values(nights, empty, noise, np.random.default_rng([streams[3], k]))[:, given]
        scored = [
            multiplicity.score_by_rank(d[np.newaxis], [o])
            for d, o in zip(np.abs(more @ weights), np.abs((more * own_weights).sum(axis=1)), strict=True)
        ]
        others.append(np.vstack([score for score, _ in scored]))
        own_others.append(np.concatenate([mine for _, mine in scored]))
    trend = SimulatedStudies(
        null=values @ weights,
        slope=own @ weights,
        own_null=(values * own_weights).sum(axis=1),
        own_slope=(own * own_weights).sum(axis=1),
        listed=False,
        others=np.array(others),
        own_others=np.array(own_others),
    )
    rng = np.random.default_rng([streams[3], 0])
    pairs = tuple(_simulate_one_dose(mechanism, values, followed, own, dose, n_draws, rng) for dose in (1, 2))
    return SimulatedDoses(trend, pairs, n_primary)


def _simulate_one_dose(
    mechanism: Mechanism,
    values: Floats,
    followed: NDArray[np.int64],
    own: Floats,
    dose: int,
    n_draws: int,
    rng: np.random.Generator,
) -> SimulatedStudies:
    """Return the studies as tests of one dose against control, given where the other dose fell."""
    places = np.flatnonzero((followed != 3 - dose).ravel()).reshape(len(followed), -1)
    n = places.shape[1]
    y, effect = values.ravel()[places], own.ravel()[places]
    if n < MIN_NIGHTS:  # the comparison finds nothing in so few nights
        y, effect = np.zeros(y.shape), np.zeros(y.shape)
    taken = (followed.ravel()[places] == dose).astype(float) - 0.5
    if mechanism.kind == "blocks":
        signs = rng.choice([-0.5, 0.5], (n_draws, n // 2))
        drawn = np.stack([signs, -signs], axis=2).reshape(n_draws, n)
    else:
        drawn = rng.permuted(np.tile(np.arange(n) % 2 - 0.5, (n_draws, 1)), axis=1)
    none = np.empty((0,))
    return SimulatedStudies(
        null=y @ drawn.T,
        slope=effect @ drawn.T,
        own_null=(y * taken).sum(axis=1),
        own_slope=(effect * taken).sum(axis=1),
        listed=False,
        others=none,
        own_others=none,
    )


def _simulate_groups(
    mechanism: Mechanism, nights: pd.DataFrame, followed: Bools, values: Floats, seed: int, n_primary: int
) -> SimulatedGroups:
    rows = list(subject_rows(nights).values())
    others = np.random.default_rng(seed).random((len(followed), n_primary - 1))
    if mechanism.kind == "parallel":
        means = np.stack([values[:, own].mean(axis=1) for own in rows], axis=1)
        second = np.stack([followed[:, own[0]] for own in rows], axis=1)
        found = stats.ttest_ind(
            np.where(second, means, np.nan), np.where(second, np.nan, means), axis=1, nan_policy="omit"
        )
        estimate = np.nanmean(np.where(second, means, np.nan), axis=1) - np.nanmean(
            np.where(second, np.nan, means), axis=1
        )
        return SimulatedGroups(estimate, estimate / found.statistic, np.asarray(found.df, dtype=float), others)
    if mechanism.kind == "crossover":
        return _cross_over(nights, rows, followed, values, others)
    days = nights["date"].to_numpy(dtype="datetime64[D]").astype(float)
    entering = keep_nights(mechanism, nights, followed)
    effects = np.stack([_own_effect(values[:, r], followed[:, r], days[r], entering[:, r]) for r in rows], axis=1)
    n = len(rows)
    spread = effects.std(axis=1, ddof=1) / math.sqrt(n)
    return SimulatedGroups(effects.mean(axis=1), spread, np.full(len(followed), n - 1.0), others)


def _own_effect(values: Floats, second: Bools, days: Floats, entering: Bools) -> Floats:
    """Return the effect in one sleeper in each study, a straight line over the nights taken out."""
    w = entering.astype(float)
    n = w.sum(axis=1, keepdims=True)
    z = second.astype(float)
    t = days - (w * days).sum(axis=1, keepdims=True) / n
    z = z - (w * z).sum(axis=1, keepdims=True) / n
    z = z - t * ((w * z * t).sum(axis=1, keepdims=True) / np.fmax((w * t * t).sum(axis=1, keepdims=True), 1e-12))
    return (w * z * values).sum(axis=1) / (w * z * second).sum(axis=1)


def _cross_over(
    nights: pd.DataFrame, rows: list[NDArray[np.int64]], followed: Bools, values: Floats, others: Floats
) -> SimulatedGroups:
    """Return the test of the sleepers' differences, those of their periods taken out."""
    periods = nights["period"].to_numpy(dtype=np.int64)
    names = [p for p in np.unique(periods) if p > 0][1:]

    def difference(column: Floats, own: NDArray[np.int64]) -> Floats:
        second = followed[:, own]
        return (column * second).sum(axis=1) / second.sum(axis=1) - (column * ~second).sum(axis=1) / (~second).sum(
            axis=1
        )

    y = np.stack([difference(values[:, own], own) for own in rows], axis=1)
    columns = [[difference((periods[own] == name).astype(float), own) for own in rows] for name in names]
    x = np.stack([np.ones(y.shape), *(np.stack(column, axis=1) for column in columns)], axis=2)
    inverse = np.linalg.pinv(x, rcond=1e-8)
    beta = (inverse @ y[:, :, np.newaxis])[:, :, 0]
    df = len(rows) - np.linalg.matrix_rank(x, tol=1e-8).astype(float)
    rest = y - (x @ beta[:, :, np.newaxis])[:, :, 0]
    variance = (rest**2).sum(axis=1) / np.fmax(df, 1) * (inverse[:, 0] ** 2).sum(axis=1)
    return SimulatedGroups(beta[:, 0], np.sqrt(variance), df, others)


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
