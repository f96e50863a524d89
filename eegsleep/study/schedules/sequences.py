"""Uniform draws of sequences of two conditions, and the list of all sequences; arrays only.

`True` is the second condition. Draws meet their restrictions without rejection: the ways to finish a sequence are
counted backwards from the last night, so that every allowed sequence is equally likely.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Ways:
    """In how many ways a sequence can be finished from each state before each night.

    Attributes
    ----------
    by_choice : tuple of ndarray of int
        One array a night, shape (2, counts, weekend counts, 2, runs): the ways that remain after choosing
        the first or the second condition, by nights of the second so far, weekend nights among them, last
        condition, and length of the run it is in (0 before the first night). The integers are Python's, as
        there are 10^20 sequences of 70 nights.
    track_weekend, track_run : bool
        Whether those two axes are used.
    """

    weekend: tuple[bool, ...]
    by_choice: tuple[NDArray, ...]
    track_weekend: bool
    track_run: bool

    @property
    def total(self) -> int:
        """The number of allowed sequences."""
        return int(self.by_choice[0][:, 0, 0, 0, 0].sum()) if self.by_choice else 1

    def step(self, state: tuple[NDArray, ...], night: int, choice: NDArray | int) -> tuple[NDArray, ...]:
        """Return the state after `choice` on `night`."""
        count, weekend, last, run = state
        same = (last == choice) & (run > 0)
        return (
            count + choice,
            weekend + choice * self.weekend[night] if self.track_weekend else weekend,
            np.zeros_like(last) + choice,
            np.where(same, run + 1, 1) if self.track_run else run,
        )


@lru_cache(maxsize=16)
def count_ways(weekend: tuple[bool, ...], max_run: int = 0, balance_weekends: bool = False) -> Ways:
    """Count the balanced sequences of `len(weekend)` nights.

    Parameters
    ----------
    weekend : tuple of bool
        Whether each night is one of the weekend.
    max_run : int
        Longest run of one condition; 0 for no limit.
    balance_weekends : bool
        Whether the conditions may differ by at most one weekend night, too.

    Returns
    -------
    Ways
        Of the sequences in which the conditions differ by at most one night.
    """
    n, n_weekend = len(weekend), sum(weekend)
    track_run = 0 < max_run < n
    n_counts, n_weekends = (n + 1) // 2 + 1, ((n_weekend + 1) // 2 + 1 if balance_weekends else 1)
    runs = range(max_run + 1) if track_run else range(1)
    shape = (n_counts, n_weekends, 2, len(runs))
    counts, weekends = np.arange(n_counts), np.arange(n_weekends)
    fits = np.abs(2 * counts - n) <= 1
    fits = fits[:, None] & ((np.abs(2 * weekends - n_weekend) <= 1) | (not balance_weekends))[None, :]
    after = np.broadcast_to(fits[:, :, None, None], shape).astype(int).astype(object)
    tables = []
    for night in range(n - 1, -1, -1):
        here = np.zeros((2, *shape), dtype=object)
        for last, run, choice in itertools.product((0, 1), runs, (0, 1)):
            longer = (run + 1 if run and choice == last else 1) if track_run else 0
            if longer >= len(runs):
                continue
            up = choice * int(weekend[night] and balance_weekends)
            here[choice, : n_counts - choice, : n_weekends - up, last, run] = after[choice:, up:, choice, longer]
        tables.append(here)
        after = here.sum(axis=0)
    return Ways(weekend, tuple(reversed(tables)), balance_weekends, track_run)


def draw_sequences(ways: Ways, n_draws: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return uniform draws, bool (n_draws, n_nights), of the sequences counted in `ways`."""
    draws = np.zeros((n_draws, len(ways.weekend)), dtype=bool)
    state = tuple(np.zeros(n_draws, dtype=np.int64) for _ in range(4))
    for night, table in enumerate(ways.by_choice):
        total = table.sum(axis=0)
        share = np.zeros(total.shape)
        share[total > 0] = table[1][total > 0] / total[total > 0]
        chosen = rng.random(n_draws) < share[state]
        draws[:, night] = chosen
        state = ways.step(state, night, chosen.astype(np.int64))
    return draws


def list_sequences(ways: Ways) -> NDArray[np.bool_]:
    """Return every sequence counted in `ways`, bool (n_sequences, n_nights)."""
    found = np.zeros((1, 0), dtype=bool)
    state = tuple(np.zeros(1, dtype=np.int64) for _ in range(4))
    for night, table in enumerate(ways.by_choice):
        pieces, states = [], []
        for choice in (0, 1):
            possible = (table[choice] > 0)[state]
            column = np.full((int(possible.sum()), 1), bool(choice))
            pieces.append(np.hstack([found[possible], column]))
            states.append(ways.step(tuple(part[possible] for part in state), night, choice))
        found = np.vstack(pieces)
        state = tuple(np.concatenate(parts) for parts in zip(*states, strict=True))
    return found


def _uneven(weekend: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return, by pair, whether its second (1) or first (-1) night alone is one of the weekend."""
    pairs = weekend.reshape(-1, 2).astype(np.int64)
    return pairs[:, 1] - pairs[:, 0]


def count_pairs(weekend: NDArray[np.bool_], balance_weekends: bool) -> int:
    """Return the number of ways to order each pair of nights."""
    uneven = int(np.count_nonzero(_uneven(weekend))) if balance_weekends else 0
    free = len(weekend) // 2 - uneven
    return 2**free * math.comb(uneven, uneven // 2) * (1 + uneven % 2)


def draw_pairs(
    weekend: NDArray[np.bool_], balance_weekends: bool, n_draws: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return uniform draws, bool (n_draws, n_nights), of the order within each pair of nights."""
    n_pairs = len(weekend) // 2
    second = rng.random((n_draws, n_pairs)) < 0.5  # the second night of the pair has the second condition
    direction = _uneven(weekend)
    uneven = np.flatnonzero(direction)
    if balance_weekends and uneven.size:
        # as many of these pairs as not give their weekend night to the second condition
        half = uneven.size // 2 + (rng.random(n_draws) < 0.5) * (uneven.size % 2)
        rank = rng.random((n_draws, uneven.size)).argsort(axis=1).argsort(axis=1)
        second[:, uneven] = (rank < half[:, None]) == (direction[uneven] > 0)
    return np.stack([~second, second], axis=2).reshape(n_draws, -1)


def list_pairs(weekend: NDArray[np.bool_], balance_weekends: bool) -> NDArray[np.bool_]:
    """Return every way to order each pair of nights, bool (n, n_nights)."""
    n_pairs = len(weekend) // 2
    second = (np.arange(2**n_pairs)[:, None] >> np.arange(n_pairs)) % 2 == 1
    if balance_weekends:
        tilt = np.where(second, 1, -1) @ _uneven(weekend)
        second = second[np.abs(tilt) <= 1]
    return np.stack([~second, second], axis=2).reshape(len(second), -1)


def _fill_phases(cuts: NDArray[np.int64], starts: NDArray[np.bool_], n: int, min_phase: int) -> NDArray[np.bool_]:
    """Return the sequences of phases whose spare nights are divided at `cuts` (stars and bars)."""
    order = np.arange(cuts.shape[1])
    begins = cuts - order + (order + 1) * min_phase
    phase = (np.arange(n) >= begins[:, :, None]).sum(axis=1)
    return (phase % 2 == 1) ^ starts[:, None]


def count_phases(n: int, n_phases: int, min_phase: int, random_start: bool) -> int:
    """Return the number of ways to place the change points between phases of at least `min_phase` nights."""
    spare = n - n_phases * min_phase
    return math.comb(spare + n_phases - 1, n_phases - 1) * (1 + random_start) if spare >= 0 else 0


def draw_phases(
    n: int, n_phases: int, min_phase: int, random_start: bool, n_draws: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return uniform draws, bool (n_draws, n), of the change points, and of the first condition if asked."""
    places = n - n_phases * min_phase + n_phases - 1
    cuts = np.sort(rng.random((n_draws, places)).argsort(axis=1)[:, : n_phases - 1], axis=1)
    starts = (rng.random(n_draws) < 0.5) & random_start
    return _fill_phases(cuts, starts, n, min_phase)


def list_phases(n: int, n_phases: int, min_phase: int, random_start: bool) -> NDArray[np.bool_]:
    """Return every way to place the change points, bool (n_ways, n)."""
    places = n - n_phases * min_phase + n_phases - 1
    cuts = np.array(list(itertools.combinations(range(places), n_phases - 1)), dtype=np.int64)
    both = [_fill_phases(cuts, np.full(len(cuts), start), n, min_phase) for start in (False, True)]
    return np.vstack(both if random_start else both[:1])


def count_codes(n: int, n_codes: int, *, in_blocks: bool) -> int:
    """Return the number of orders of `n` nights, as many of each of `n_codes` conditions; 0 if they do not divide."""
    if n % n_codes:
        return 0
    each = n // n_codes
    if in_blocks:
        return math.factorial(n_codes) ** each
    return math.factorial(n) // math.factorial(each) ** n_codes


def draw_codes(n: int, n_codes: int, n_draws: int, rng: np.random.Generator, *, in_blocks: bool) -> NDArray[np.int64]:
    """Return uniform draws, int (n_draws, n), of the condition of each night, as many nights of each.

    Parameters
    ----------
    n, n_codes, n_draws : int
        Nights, a multiple of the number of conditions; conditions; draws.
    rng : Generator
    in_blocks : bool
        Whether every `n_codes` nights in a row hold each condition once; otherwise any order may be drawn.
    """
    if in_blocks:
        blocks = np.tile(np.arange(n_codes), (n_draws * (n // n_codes), 1))
        return rng.permuted(blocks, axis=1).reshape(n_draws, n)
    return rng.permuted(np.tile(np.arange(n) % n_codes, (n_draws, 1)), axis=1)


def count_groups(n: int, n_options: int, balanced: bool) -> int:
    """Return the number of ways to give each of `n` sleepers one of `n_options` orders."""
    if not balanced:
        return n_options**n
    each, extra = divmod(n, n_options)
    full = math.factorial(each) ** (n_options - extra) * math.factorial(each + 1) ** extra
    return math.factorial(n) // full * math.comb(n_options, extra)


def draw_groups(n: int, n_options: int, balanced: bool, n_draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return uniform draws, int (n_draws, n), of the option each sleeper has; balanced to one sleeper."""
    if not balanced:
        return rng.integers(n_options, size=(n_draws, n))
    each, extra = divmod(n, n_options)
    same = np.tile(np.repeat(np.arange(n_options), each), (n_draws, 1))
    more = rng.permuted(np.tile(np.arange(n_options), (n_draws, 1)), axis=1)[:, :extra]
    return rng.permuted(np.hstack([same, more]), axis=1)


def list_groups(n: int, n_options: int, balanced: bool) -> NDArray[np.int8]:
    """Return every way to give each of `n` sleepers one of `n_options` orders, small int (n_ways, n)."""
    found = np.zeros((1, 0), dtype=np.int8)
    most = -(-n // n_options) if balanced else n
    for _ in range(n):
        grown = [np.hstack([found, np.full((len(found), 1), option, dtype=np.int8)]) for option in range(n_options)]
        found = np.vstack([g[(g == o).sum(axis=1) <= most] for o, g in enumerate(grown)])
    counts = np.stack([(found == option).sum(axis=1) for option in range(n_options)])
    return found[np.ptp(counts, axis=0) <= 1] if balanced else found
