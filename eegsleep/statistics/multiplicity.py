"""Several markers at once: max-T or min-P with shared redraws, Benjamini-Hochberg, Holm, families as gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_TIE = 1e-10  # relative; statistics that are closer differ by rounding only and count as equal


def max_t(drawn: ArrayLike, observed: ArrayLike) -> Floats:
    """Return p-values adjusted for all markers by step-down max-T over the same redrawn schedules.

    Parameters
    ----------
    drawn : array_like, shape (n_markers, n_schedules)
        How extreme each schedule is for each marker, comparable between markers, larger being more
        extreme; the schedule followed is among them.
    observed : array_like, shape (n_markers,)
        The same for the schedule followed; NaN for a marker that cannot be tested, which gets NaN.

    Returns
    -------
    ndarray, shape (n_markers,)

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
    """Return the statistics of several markers as scores that `max_t` can compare between markers.

    The score of a schedule is the number of schedules that are less extreme for the same marker, so that
    max-T over scores is step-down min-P, which is never above Holm. The statistics themselves cannot be compared: in
    a study of phases the redraws of a marker with a large effect reach 1.8 root mean squares at most, those of a
    marker without one 2.8, and an effect of 4 standard deviations with p = .002 was adjusted to .15. Schedules of
    equal rank are ordered by the statistic; without that, three markers and 70 schedules could never reach .05.

    Parameters
    ----------
    drawn : array_like, shape (n_markers, n_schedules)
        Statistic of each schedule, larger being more extreme, 0 or more, infinite where it counts in any case;
        the schedule followed is among them. In units that are roughly alike for all markers.
    observed : array_like, shape (n_markers,)
        The same for the schedule followed, NaN for a marker that cannot be tested.

    Returns
    -------
    scores : ndarray, shape (n_markers, n_schedules)
    own : ndarray, shape (n_markers,)
        Of the schedule followed. Both are NaN for a marker that cannot be tested.

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
    """Return p-values adjusted for the false discovery rate.

    Parameters
    ----------
    p : array_like, shape (n_tests,)
        NaN for a marker that was not tested, which is not counted.

    Returns
    -------
    ndarray, shape (n_tests,)
        NaN where `p` is.

    References
    ----------
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    raw = np.asarray(p, dtype=float)
    adjusted, tested = np.full(raw.shape, np.nan), np.isfinite(raw)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(raw[tested])
    return adjusted


def holm(p: ArrayLike) -> Floats:
    """Return p-values adjusted by Holm's step-down Bonferroni, which bounds the family-wise error.

    Parameters
    ----------
    p : array_like, shape (n_tests,)
        NaN for a marker that was not tested, which is not counted.

    Returns
    -------
    ndarray, shape (n_tests,)
        NaN where `p` is.

    References
    ----------
    Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    raw = np.asarray(p, dtype=float)
    adjusted, tested = np.full(raw.shape, np.nan), np.flatnonzero(np.isfinite(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1)), 1.0)
    return adjusted


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
        Whether a primary endpoint, which is tested before the first family, was rejected.

    Returns
    -------
    adjusted : dict of str to ndarray
        p-values of each family, in the order given.
    is_open : dict of str to bool
        Whether a family is tested.
    """
    adjusted = {family: benjamini_hochberg(p) for family, p in p_by_family.items()}
    is_open = dict.fromkeys(p_by_family, False)
    for family in order:
        if family not in adjusted:
            continue
        is_open[family] = opened
        opened = opened and bool(np.any(adjusted[family] <= q))
    return adjusted, is_open
