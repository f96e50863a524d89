"""Several markers at once: max-T or min-P with shared redraws, Benjamini-Hochberg, Holm, families as gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_TIE = 1e-10  # relative; statistics that differ by rounding only are ties


def max_t(drawn: ArrayLike, observed: ArrayLike) -> Floats:
    """Return p-values adjusted for all markers by step-down max-T over the same redrawn schedules.

    Parameters
    ----------
    drawn : array_like, shape (n_markers, n_schedules)
        How extreme each schedule is for each marker, comparable between markers, larger being more
        extreme; the schedule followed is among them.
    observed : array_like, shape (n_markers,)
        The same for the schedule followed; NaN for a marker that cannot be tested, which gets NaN.

    References
    ----------
    Westfall & Young 1993, Resampling-based multiple testing, algorithm 2.8.
    """
    drawn, observed = np.asarray(drawn, dtype=float), np.asarray(observed, dtype=float)
    adjusted = np.full(observed.shape, np.nan)
    order = [index for index in np.argsort(-observed, kind="stable") if np.isfinite(observed[index])]
    previous = 0.0
    for step, index in enumerate(order):
        largest = np.max(drawn[order[step:]], axis=0)
        share = float(np.mean(largest >= observed[index] * (1 - _TIE) - 1e-300))
        previous = max(previous, share)
        adjusted[index] = previous
    return adjusted


def score_by_rank(drawn: ArrayLike, observed: ArrayLike) -> tuple[Floats, Floats]:
    """Return statistics of several markers as scores whose maximum `max_t` may take, whatever their shapes.

    The score of a schedule is the number of schedules that are less extreme for the same marker, so that
    max-T over scores is step-down min-P: never above Holm. Statistics alone will not do: in phases the redraws of
    a marker with a large effect reach 1.8 root mean squares at most, those of a marker without one 2.8, and an
    effect of 4 standard deviations with p = .002 came out as .15. Equal ranks are told apart by
    the statistic, without which three markers and 70 schedules could never reach .05.

    Parameters
    ----------
    drawn : array_like, shape (n_markers, n_schedules)
        Statistic of each schedule, larger being more extreme, 0 or more, infinite where it counts in any case;
        the schedule followed is among them. In units that are roughly alike for all markers.
    observed : array_like, shape (n_markers,)
        The same for the schedule followed, NaN for a marker that cannot be tested.

    References
    ----------
    Westfall & Young 1993, Resampling-based multiple testing, ch. 2.3 (min-P).
    """
    drawn, observed = np.asarray(drawn, dtype=float), np.asarray(observed, dtype=float)
    scores, own = np.full(drawn.shape, np.nan), np.full(observed.shape, np.nan)
    for index in np.flatnonzero(np.isfinite(observed)):
        sizes = np.sort(drawn[index])
        both = np.append(drawn[index], observed[index])
        both = np.searchsorted(sizes, both * (1 - _TIE)) + 1 - 1 / (1 + both)
        scores[index], own[index] = both[:-1], both[-1]
    return scores, own


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Return p-values adjusted for the false discovery rate; NaN stays NaN and is not counted.

    References
    ----------
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    return _adjusted(p, lambda p_sorted: np.minimum.accumulate((p_sorted * _factors(p_sorted))[::-1])[::-1])


def holm(p: ArrayLike) -> Floats:
    """Return p-values adjusted by Holm's step-down Bonferroni; NaN stays NaN and is not counted."""
    return _adjusted(p, lambda p_sorted: np.maximum.accumulate(p_sorted * np.arange(len(p_sorted), 0, -1)))


def _factors(p_sorted: Floats) -> Floats:
    return len(p_sorted) / np.arange(1, len(p_sorted) + 1)


def _adjusted(p: ArrayLike, rule) -> Floats:  # noqa: ANN001
    p = np.asarray(p, dtype=float)
    result = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    result[order] = np.minimum(rule(p[order]), 1.0)
    return result


def gate_families(
    p_by_family: Mapping[str, ArrayLike], order: Sequence[str], *, q: float, opened: bool = True
) -> tuple[dict[str, Floats], dict[str, bool]]:
    """Return Benjamini-Hochberg p-values inside each family, and which families the gate lets through.

    Families are taken in the declared order; the next is open only if the one before it holds at least
    one rejection at `q`. A family that is not in the order stays closed: it is described, not tested.

    Parameters
    ----------
    p_by_family : mapping of str to array_like
        Raw p-values of each family.
    order : sequence of str
        Families in the order declared before the data were seen.
    q : float
        False discovery rate inside a family.
    opened : bool
        Whether what stands before the first family (the primary endpoints) held a rejection.
    """
    adjusted = {family: benjamini_hochberg(p) for family, p in p_by_family.items()}
    is_open = dict.fromkeys(p_by_family, False)
    for family in order:
        if family not in adjusted:
            continue
        is_open[family] = opened
        opened = opened and bool(np.any(adjusted[family] <= q))
    return adjusted, is_open
