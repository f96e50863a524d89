"""Lost samples, counted by the sample number of the device, which starts again and again."""

from __future__ import annotations

import numpy as np


def count_by_counter(counter: np.ndarray, since_s: np.ndarray, rate_hz: float) -> tuple[np.ndarray | None, int]:
    """Count lost samples by the device's sample number.

    Parameters
    ----------
    counter : ndarray, shape (n,)
        As the device wrote it: it rises by one (Cyton) or two (Daisy) a sample, or by one every two samples (Ganglion).
    since_s : ndarray, shape (n,)
        Time of arrival in seconds. A counter that jumps while time does not was restarted.
    rate_hz : float
        Samples a second.

    Returns
    -------
    lost : ndarray of int, shape (n,), or None
        Samples lost before each one; None if the numbers follow no rule.
    cycle : int
        Samples after which the counter starts again; it does not show a loss of as many.
    """
    heads = np.append(0, np.flatnonzero(counter[1:] != counter[:-1]) + 1).astype(np.int32)
    sizes = np.diff(heads, append=np.int32(len(counter)))
    steps = np.diff(counter[heads]).astype(float, copy=False)
    if not np.isfinite(counter).all() or len(steps) < 8:
        return None, 0
    share = int(np.bincount(sizes).argmax())
    unit = float(np.median(steps))
    length = int(counter.max() - counter.min() + unit) if unit > 0 else 0
    usual = np.mean(steps == unit)
    if unit <= 0 or length % unit or usual < 0.5 or (steps < 0).sum() == 0:
        return None, 0
    np.mod(steps, length, out=steps)  # in place, as all below: each is as long as the recording
    steps /= unit
    steps -= 1
    steps *= share
    steps += share - sizes[:-1]
    np.clip(np.round(steps, out=steps), 0, None, out=steps)
    lost = np.zeros(len(counter), dtype=np.int64)
    lost[heads[1:]] = _without_restarts(steps, heads[1:], since_s, rate_hz)
    return np.cumsum(lost, out=lost), int(length / unit) * share


def _without_restarts(missed: np.ndarray, heads: np.ndarray, since_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Set larger counted losses to 0, in place, where no time passed: there the counter was restarted."""
    reach = int(rate_hz / 2)
    big = np.flatnonzero(missed > reach / 8)
    before, after = np.maximum(heads[big] - reach, 0), np.minimum(heads[big] + reach, len(since_s) - 1)
    # Half a second before and after are compared, because bursts shift single arrivals by a tenth of a second.
    spent = (since_s[after] - since_s[before]) * rate_hz - (after - before)
    missed[big[spent < missed[big] / 2]] = 0
    return missed
