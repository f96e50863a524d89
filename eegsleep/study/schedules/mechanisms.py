"""How the conditions of the nights were drawn: the same code plans a schedule and redraws it for the test.

A re-randomisation test is valid only if it redraws the schedule from the mechanism that produced it. Every
restriction (equal numbers, longest run, weekends, change points) is therefore a parameter of the mechanism.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.study.schedules import sequences as seq

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

Kind = Literal["pairs", "blocks", "max-run", "complete", "phases", "crossover", "parallel", "observational"]
KINDS: tuple[str, ...] = ("pairs", "blocks", "max-run", "complete", "phases", "crossover", "parallel", "observational")
DOSE_KINDS = ("blocks", "complete")  # those that draw control and two doses
SUBJECT_KINDS = ("crossover", "parallel")  # a draw gives each sleeper an order of conditions, or one condition
WEEKEND_KINDS = ("pairs", "max-run", "complete")
ENUMERATION_LIMIT = 200_000  # where a mechanism has more schedules, N_DRAWS of them are drawn instead of listing all
N_DRAWS = 9_999
_WEEKEND = (4, 5)  # the evenings of Friday and Saturday: the morning after is free


@dataclass(frozen=True)
class Mechanism:
    """How conditions were drawn.

    Attributes
    ----------
    kind : str
        One of `KINDS`. In the first five, every sleeper's nights are drawn independently; in `crossover`
        each sleeper draws one of `sequences`, in `parallel` one condition; `observational` drew nothing.
    conditions : tuple of str
        The two masked codes; in draws, `True` is the second. Control and two doses have three, which
        `redraw_codes` draws.
    max_run : int
        `max-run`: longest run of one condition, in nights.
    n_phases, min_phase : int
        `phases`: their number, and the fewest nights of one.
    random_start : bool
        `phases`: whether the first condition is drawn, too.
    sequences : tuple of tuple of str
        `crossover`: the orders of conditions over the periods; by default the two of two periods.
    nights_per_period : int
        `crossover`: nights of a period, for planning.
    balanced : bool
        `crossover`, `parallel`: whether the numbers of sleepers differ by at most one.
    strata : str
        `crossover`, `parallel`: a `cov_` column of the nights within whose values sleepers are drawn.
    wash_out_nights : int
        Nights left free between nights (`pairs`, `max-run`, `complete`) or periods (`crossover`), or first
        nights of each phase that do not enter (`phases`).
    weekend_balance : bool
        `pairs`, `max-run`, `complete`: whether the conditions may differ by at most one weekend night.

    Raises
    ------
    SettingsError
        If a parameter is out of range or belongs to another kind.
    """

    kind: Kind
    conditions: tuple[str, ...] = ("A", "B")
    max_run: int = 2
    n_phases: int = 4
    min_phase: int = 5
    random_start: bool = True
    sequences: tuple[tuple[str, ...], ...] = ()
    nights_per_period: int = 1
    balanced: bool = True
    strata: str = ""
    wash_out_nights: int = 0
    weekend_balance: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingsError("there is no such allocation mechanism", found=str(self.kind), allowed=", ".join(KINDS))
        self._check_codes()
        for name, least in (
            ("max_run", 1),
            ("n_phases", 2),
            ("min_phase", 1),
            ("nights_per_period", 1),
            ("wash_out_nights", 0),
        ):
            if getattr(self, name) < least:
                raise SettingsError(
                    f"{name} is out of range", found=str(getattr(self, name)), allowed=f"at least {least}"
                )
        self._check_combination()

    def _check_codes(self) -> None:
        n = len(self.conditions)
        if n not in {2, 3} or len(set(self.conditions)) != n or not all(self.conditions):
            raise SettingsError(
                "a study compares two conditions, or control and two doses",
                found=str(self.conditions),
                allowed="two or three codes",
            )
        if n == 3 and self.kind not in DOSE_KINDS:
            raise SettingsError(
                f"{self.kind} cannot draw three conditions",
                found=", ".join(self.conditions),
                allowed=" or ".join(DOSE_KINDS),
                remedy="each dose is compared with control by redrawing the nights of these two alone, which needs a "
                "mechanism that draws every night",
            )
        if n == 2 and self.kind == "blocks":
            raise SettingsError(
                "blocks hold three conditions", found=str(self.conditions), remedy='use "pairs" for two'
            )
        if n == 3 and self.weekend_balance:
            raise SettingsError(
                "weekends cannot be balanced over three conditions",
                allowed="weekend_balance = false",
                remedy="the order is drawn anew in each block, so that weekends fall on each condition by chance",
            )

    def _check_combination(self) -> None:
        if self.weekend_balance and self.kind not in WEEKEND_KINDS:
            raise SettingsError(
                f"weekends cannot be balanced in {self.kind}",
                allowed=", ".join(WEEKEND_KINDS),
                remedy="let phases and periods last whole weeks",
            )
        if self.wash_out_nights and self.kind in {"parallel", "observational"}:
            raise SettingsError(f"a {self.kind} study has no wash-out", found=str(self.wash_out_nights), allowed="0")
        if self.kind == "phases" and self.min_phase <= self.wash_out_nights:
            raise SettingsError(
                "no night of a phase is left after its wash-out",
                found=f"min_phase {self.min_phase}",
                allowed=f"more than {self.wash_out_nights}",
            )
        orders = self.sequences or (self.conditions, self.conditions[::-1])
        wrong = [o for o in orders if set(o) != set(self.conditions)]
        if wrong or len({len(o) for o in orders}) > 1 or len(set(orders)) < len(orders) or len(orders) < 2:
            raise SettingsError(
                "the sequences of the crossover do not fit",
                found=str(self.sequences),
                allowed="at least two different ones, equally long, each with both codes",
            )

    @property
    def orders(self) -> NDArray[np.bool_]:
        """The conditions that a sleeper can draw, bool (n_orders, n_periods)."""
        if self.kind == "parallel":
            return np.array([[False], [True]])
        orders = self.sequences or (self.conditions, self.conditions[::-1])
        return np.array([[code == self.conditions[1] for code in order] for order in orders])


class Violation(NamedTuple):
    """Where a schedule breaks a rule of its mechanism: row (from 0), column, what was found and what is allowed."""

    row: int
    column: str
    found: str
    allowed: str


def subject_rows(nights: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Return, by sleeper, the rows of the nights that were given a condition, in order of date.

    Nights that were missed or excluded keep their place. Nights without a condition (adaptation, baseline, wash-out)
    were not drawn and are not among them.

    Parameters
    ----------
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS` or `SCHEDULE`.
    """
    given = np.flatnonzero((nights["condition"] != "").to_numpy())
    order = given[np.argsort(nights["date"].to_numpy(dtype="U10")[given], kind="stable")]
    subjects = nights["subject"].to_numpy(dtype=object)
    names = dict.fromkeys(subjects[given].tolist())
    return {name: order[subjects[order] == name] for name in names}


def is_weekend(dates: Sequence[str] | pd.Series) -> NDArray[np.bool_]:
    """Return whether each evening is that of a Friday or a Saturday."""
    days = np.array(list(dates), dtype="datetime64[D]").astype(np.int64)
    return np.isin((days + 3) % 7, _WEEKEND)  # day 0, 1970-01-01, was a Thursday


def _check_drawn(mechanism: Mechanism) -> None:
    if mechanism.kind == "observational":
        raise SettingsError(
            "without a declared mechanism nothing can be redrawn, and there is no p-value",
            found="mechanism observational",
            remedy="report estimates with intervals",
        )


def _ways(mechanism: Mechanism, weekend: NDArray[np.bool_]) -> seq.Ways:
    balance = mechanism.weekend_balance
    key = tuple(weekend.tolist()) if balance else (False,) * len(weekend)
    return seq.count_ways(key, mechanism.max_run if mechanism.kind == "max-run" else 0, balance)


def _count_one(mechanism: Mechanism, weekend: NDArray[np.bool_]) -> int:
    if len(mechanism.conditions) > 2:
        return seq.count_codes(len(weekend), len(mechanism.conditions), in_blocks=mechanism.kind == "blocks")
    if mechanism.kind == "pairs":
        return seq.count_pairs(weekend, mechanism.weekend_balance)
    if mechanism.kind == "phases":
        return seq.count_phases(len(weekend), mechanism.n_phases, mechanism.min_phase, mechanism.random_start)
    return _ways(mechanism, weekend).total


def _draw_one(
    mechanism: Mechanism, weekend: NDArray[np.bool_], n_draws: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    if mechanism.kind == "pairs":
        return seq.draw_pairs(weekend, mechanism.weekend_balance, n_draws, rng)
    if mechanism.kind == "phases":
        m = mechanism
        return seq.draw_phases(len(weekend), m.n_phases, m.min_phase, m.random_start, n_draws, rng)
    return seq.draw_sequences(_ways(mechanism, weekend), n_draws, rng)


def _list_one(mechanism: Mechanism, weekend: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if mechanism.kind == "pairs":
        return seq.list_pairs(weekend, mechanism.weekend_balance)
    if mechanism.kind == "phases":
        return seq.list_phases(len(weekend), mechanism.n_phases, mechanism.min_phase, mechanism.random_start)
    return seq.list_sequences(_ways(mechanism, weekend))


def _strata(mechanism: Mechanism, nights: pd.DataFrame) -> list[list[NDArray[np.int64]]]:
    """Return the rows of the sleepers, grouped by stratum."""
    rows = subject_rows(nights)
    if not mechanism.strata:
        return [list(rows.values())]
    strata: dict[object, list[NDArray[np.int64]]] = {}
    values = nights[mechanism.strata].to_numpy()
    for own in rows.values():
        strata.setdefault(values[own[0]], []).append(own)
    return list(strata.values())


def _periods(mechanism: Mechanism, nights: pd.DataFrame) -> NDArray[np.int64]:
    """Return the period of each night, counted from 0."""
    if mechanism.kind == "parallel":
        return np.zeros(len(nights), dtype=np.int64)
    return np.maximum(nights["period"].to_numpy(dtype=np.int64) - 1, 0)


def _check_room(mechanism: Mechanism, nights: pd.DataFrame) -> None:
    """Check that some schedule of the mechanism fits the nights."""
    _check_drawn(mechanism)
    for name, rows in subject_rows(nights).items():
        n = len(rows)
        if mechanism.kind == "pairs" and n % 2:
            raise SettingsError(
                f"the nights of {name} do not make pairs",
                found=f"{n} nights",
                allowed="an even number",
                remedy="keep the row of a missed night",
            )
        if (n_codes := len(mechanism.conditions)) > 2 and n % n_codes:
            raise SettingsError(
                f"the nights of {name} do not hold each condition equally often",
                found=f"{n} nights",
                allowed=f"a multiple of {n_codes}",
                remedy="keep the row of a missed night",
            )
        if mechanism.kind not in SUBJECT_KINDS and not _count_one(mechanism, is_weekend(nights["date"].iloc[rows])):
            raise SettingsError(
                f"no schedule of {name} obeys the mechanism {mechanism.kind}",
                found=f"{n} nights",
                allowed=f"at least {mechanism.n_phases * mechanism.min_phase} for {mechanism.n_phases} phases of "
                f"{mechanism.min_phase} or more nights"
                if mechanism.kind == "phases"
                else "",
                remedy="plan more nights or loosen the restrictions",
            )


def support_size(mechanism: Mechanism, nights: pd.DataFrame) -> int:
    """Return how many schedules the mechanism could have drawn for these nights.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS`, or `SCHEDULE`; the conditions in it say only which nights were drawn.
    """
    _check_room(mechanism, nights)
    if mechanism.kind in SUBJECT_KINDS:
        orders = len(mechanism.orders)
        return math.prod(seq.count_groups(len(s), orders, mechanism.balanced) for s in _strata(mechanism, nights))
    rows = subject_rows(nights).values()
    return math.prod(_count_one(mechanism, is_weekend(nights["date"].iloc[own])) for own in rows)


def redraw(mechanism: Mechanism, nights: pd.DataFrame, n_draws: int, seed: int) -> NDArray[np.bool_]:
    """Draw schedules anew, each that the mechanism allows being equally likely.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS`, or `SCHEDULE`. Missed and excluded nights keep their place and are drawn with
        the others (the randomised-marker rule); nights without a condition are `False` in every draw.
    n_draws : int
    seed : int

    Returns
    -------
    ndarray of bool, shape (n_draws, n_nights)
        Where the second condition falls, in the order of the rows of `nights`.

    Raises
    ------
    SettingsError
        If there is no mechanism, or no schedule that obeys it.
    """
    if len(mechanism.conditions) > 2:
        raise SettingsError("three conditions are no yes or no", remedy="draw them with redraw_codes")
    _check_room(mechanism, nights)
    rng = np.random.default_rng(seed)
    draws = np.zeros((n_draws, len(nights)), dtype=bool)
    if mechanism.kind in SUBJECT_KINDS:
        orders, periods = mechanism.orders, _periods(mechanism, nights)
        for stratum in _strata(mechanism, nights):
            chosen = seq.draw_groups(len(stratum), len(orders), mechanism.balanced, n_draws, rng)
            for column, rows in enumerate(stratum):
                draws[:, rows] = orders[chosen[:, column]][:, periods[rows]]
        return draws
    for rows in subject_rows(nights).values():
        draws[:, rows] = _draw_one(mechanism, is_weekend(nights["date"].iloc[rows]), n_draws, rng)
    return draws


def redraw_codes(mechanism: Mechanism, nights: pd.DataFrame, n_draws: int, seed: int) -> NDArray[np.int64]:
    """Draw schedules anew as places in `mechanism.conditions`, of two conditions or three.

    Parameters
    ----------
    mechanism, nights, n_draws, seed
        As in `redraw`, whose draws these are where there are two conditions.

    Returns
    -------
    ndarray of int, shape (n_draws, n_nights)
        0 also in nights without a condition.

    Raises
    ------
    SettingsError
        If there is no mechanism, or no schedule that obeys it.
    """
    n_codes = len(mechanism.conditions)
    if n_codes == 2:
        return redraw(mechanism, nights, n_draws, seed).astype(np.int64)
    _check_room(mechanism, nights)
    rng = np.random.default_rng(seed)
    draws = np.zeros((n_draws, len(nights)), dtype=np.int64)
    for rows in subject_rows(nights).values():
        draws[:, rows] = seq.draw_codes(len(rows), n_codes, n_draws, rng, in_blocks=mechanism.kind == "blocks")
    return draws


def enumerate_all(
    mechanism: Mechanism, nights: pd.DataFrame, limit: int = ENUMERATION_LIMIT
) -> NDArray[np.bool_] | None:
    """Return every schedule of the mechanism, or None if there are more than `limit`.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        As in `redraw`.
    limit : int

    Returns
    -------
    ndarray of bool, shape (n_schedules, n_nights), or None
    """
    if support_size(mechanism, nights) > limit:
        return None
    parts: list[tuple[NDArray[np.int64], NDArray[np.bool_]]] = []
    if mechanism.kind in SUBJECT_KINDS:
        orders, periods = mechanism.orders, _periods(mechanism, nights)
        for stratum in _strata(mechanism, nights):
            chosen = seq.list_groups(len(stratum), len(orders), mechanism.balanced)
            filled = [orders[chosen[:, column]][:, periods[rows]] for column, rows in enumerate(stratum)]
            parts.append((np.concatenate(stratum), np.hstack(filled)))
    else:
        rows_of = subject_rows(nights).values()
        parts = [(rows, _list_one(mechanism, is_weekend(nights["date"].iloc[rows]))) for rows in rows_of]
    draws = np.zeros((math.prod(len(part) for _, part in parts), len(nights)), dtype=bool)
    chosen = np.array(list(itertools.product(*(range(len(part)) for _, part in parts))), dtype=np.int64)
    for column, (rows, part) in enumerate(parts):
        draws[:, rows] = part[chosen[:, column]]
    return draws


def list_or_redraw(
    mechanism: Mechanism, nights: pd.DataFrame, n_draws: int, seed: int, limit: int = ENUMERATION_LIMIT
) -> tuple[NDArray[np.bool_], bool]:
    """Return every schedule of the mechanism if there are at most `limit`, else `n_draws` drawn anew.

    Parameters
    ----------
    mechanism, nights, n_draws, seed
        As in `redraw`.
    limit : int

    Returns
    -------
    schedules : ndarray of bool, shape (n_schedules, n_nights)
    complete : bool
        Whether these are all schedules of the mechanism.
    """
    listed = enumerate_all(mechanism, nights, limit)
    return (redraw(mechanism, nights, n_draws, seed), False) if listed is None else (listed, True)


def keep_nights(mechanism: Mechanism, nights: pd.DataFrame, draws: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which nights enter the comparison under each draw.

    This depends on the draw only in `phases` with a wash-out, where the first nights of each phase, as drawn, do not
    enter. Elsewhere every night that was given a condition enters.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
    draws : ndarray of bool, shape (n_draws, n_nights)

    Returns
    -------
    ndarray of bool, shape (n_draws, n_nights)
    """
    keep = np.zeros(draws.shape, dtype=bool)
    for rows in subject_rows(nights).values():
        own = draws[:, rows]
        keep[:, rows] = True
        if mechanism.kind == "phases" and mechanism.wash_out_nights:
            begins = np.ones(own.shape, dtype=bool)
            begins[:, 1:] = own[:, 1:] != own[:, :-1]
            out = begins.copy()
            for later in range(1, mechanism.wash_out_nights):
                out[:, later:] |= begins[:, :-later]
            keep[:, rows] = ~out
    return keep
