"""From the time stamps of a text file to places on a regular grid; missing samples stay missing.

A stamp is the time at which a sample reached the writing program: the time of the sample, plus a delay that is never
negative and varies (packets share a stamp, Bluetooth stalls and catches up). A lost sample makes all later ones late.
So the earliest arrival among all that follow, compared with a clock of the true rate, rises only where samples were
lost, and late packets do not change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import RecordingError
from eegsleep.recording.limits import MAX_DURATION_S, MAX_GAPS_S
from eegsleep.recording.text.device_counter import count_by_counter
from eegsleep.signals.epochs import find_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eegsleep.recording.text.column import Column

# Share of the samples; of a recording that lost more too little is known.
MAX_LOST = 0.5
# A crystal is right to 0.01 %, a program's stamps to 1 %; beyond this, stamps and samples contradict each other.
MAX_RATE_ERROR = 0.05
# Bluetooth delivers packets late by tenths of a second; a step back of a second is another clock or session.
MAX_STEP_BACK_S = 1.0
# In a shorter span a rate cannot be distinguished from a slow start: the nominal one is kept unless clearly wrong.
MIN_RATE_SPAN_S = 60.0
RATE_TOLERANCE = 0.005
# In samples: more than rounding to a millisecond gives at 256 Hz, less than one lost sample.
_STEP = 0.75
_BLOCK_S = 10.0
# In steps: rounding to a millisecond gives 0.11 at 256 Hz; above 0.15 single steps cannot be counted by rounding.
_CLEAN = 0.15
# Rows that are looked at together, where arrays of all rows would take more memory than the file.
_CHUNK_ROWS = 1 << 18


class RateError(RecordingError):
    """The stamps show another rate than the device has."""


@dataclass(frozen=True)
class Grid:
    """The place of each row of a file on a regular grid.

    Attributes
    ----------
    rows : ndarray of int, shape (n_kept,), or slice
        The rows that are kept, in order of time; a slice if these are all rows in the order of the file.
    positions : ndarray of int, shape (n_kept,)
        The sample number of each of them, strictly rising, the first 0.
    rate_hz : float
        Of the grid: the measured rate, or the nominal one where the two cannot be distinguished.
    origin_s : float
        Time of sample 0 on the clock of the stamps, without its delay.
    duplicates : int
        Rows dropped because they repeat another.
    reordered : int
        Stretches of the file that were put back in order of time.
    max_delay_s : float
        The longest delay of a row that was made up for later.
    """

    rows: np.ndarray | slice
    positions: np.ndarray
    rate_hz: float
    origin_s: float
    duplicates: int = 0
    reordered: int = 0
    max_delay_s: float = 0.0

    @property
    def n_samples(self) -> int:
        """Samples of the grid, gaps included."""
        return int(self.positions[-1]) + 1

    @property
    def lost(self) -> int:
        """Samples of the grid that no row of the file fills."""
        return self.n_samples - len(self.positions)

    def fill(self, values: np.ndarray | Column) -> np.ndarray:
        """Return values of all rows, shape (n_rows,), on the grid, shape (n_samples,); NaN where there is none."""
        filled = np.full(self.n_samples, np.nan)
        for part in _chunks(len(self.positions)):
            filled[self.positions[part]] = values[part if isinstance(self.rows, slice) else self.rows[part]]
        return filled


def place_on_grid(
    stamps_s: np.ndarray,
    rate_hz: float,
    *,
    packet: int = 1,
    counter: np.ndarray | Column | None = None,
    values: Sequence[np.ndarray | Column] | None = None,
) -> Grid:
    """Find the place of each row on a regular grid; no gap is closed.

    Parameters
    ----------
    stamps_s : ndarray, shape (n_rows,)
        Time of arrival in seconds, finite, in the order of the file.
    rate_hz : float
        Nominal samples a second; the stamps may differ from it by 5 %.
    packet : int
        Samples that are sent, and lost, together.
    counter : ndarray or Column, shape (n_rows,), optional
        The device's sample number, which starts again and again; it counts small losses exactly.
    values : sequence of ndarray or Column, each of shape (n_rows,), optional
        The signals; by them a repeated row is distinguished from another one with the same stamp.

    Returns
    -------
    Grid

    Raises
    ------
    RecordingError
        If the stamps cover more than 72 h, belong to another rate, overlap, or leave more than half of
        the samples or 24 h unrecorded.
    """
    stamps_s = np.asarray(stamps_s, dtype=float)
    if len(stamps_s) < 2 or not np.isfinite(stamps_s).all():
        raise RecordingError("time stamps cannot be placed on a grid", found=f"{len(stamps_s)}, or some not finite")
    _check_span(stamps_s)
    rows, duplicates, reordered = _choose_rows(stamps_s, counter, values)
    since_s = stamps_s[rows]
    origin_s = float(since_s[0])
    since_s = since_s - origin_s
    if len(since_s) < 2 or since_s[-1] <= 0:
        raise RecordingError("time stamps do not advance", found=f"{len(since_s)} different rows")
    # No row arrives before the one above it. A stamp that is earlier is wrong, and would move all rows before it.
    latest_s = np.maximum.accumulate(since_s)
    early = np.flatnonzero(since_s < latest_s - 1 / rate_hz)
    since_s[early] = latest_s[early] + 1 / rate_hz
    del latest_s, early
    counted, cycle = count_by_counter(counter[rows], since_s, rate_hz) if counter is not None else (None, 0)
    positions = np.arange(len(since_s), dtype=np.int32)
    positions = positions if counted is None else positions + counted
    del counted
    _check_rate(since_s, rate_hz, positions if cycle else None)
    rate_hz = refine_rate(since_s, positions, rate_hz, packet, cycle)
    lost, base_s, max_delay_s = _count_by_stamps(since_s, positions, rate_hz, packet, cycle)
    _check_losses(len(since_s), int(positions[-1]) + int(lost[-1]) + 1, rate_hz)
    lost += positions
    return Grid(
        rows,
        lost.astype(np.int32),
        rate_hz,
        origin_s + base_s,
        duplicates,
        reordered,
        max_delay_s,
    )


def place_evenly(n_rows: int, rate_hz: float) -> Grid:
    """Place rows without stamps one after the other.

    Parameters
    ----------
    n_rows : int
        At least 1.
    rate_hz : float
        Nominal samples a second.

    Returns
    -------
    Grid

    Raises
    ------
    RecordingError
        If they take more than 72 h.
    """
    _check_span(np.array([0.0, n_rows / rate_hz]))
    return Grid(slice(None), np.arange(n_rows, dtype=np.int32), rate_hz, 0.0)


def guess_rate(stamps_s: np.ndarray, rate_hz: float = float("nan")) -> float:
    """Return the rate of stamps where nothing was lost.

    The step between stamps is that of the samples only where they arrive one by one. Samples that arrive together
    have stamps that are 0 to 5 ms apart, whatever their rate, so that a step that contradicts the nominal rate is
    tried against longer and longer windows.

    Parameters
    ----------
    stamps_s : ndarray, shape (n,)
    rate_hz : float
        Nominal.

    Returns
    -------
    float
        In Hz; NaN if the stamps do not advance.
    """
    step, noise = _usual_step(stamps_s)
    # Over 32 steps jitter hardly matters; bursts need longer windows. The fullest windows are those without loss.
    long = max(len(stamps_s) // 10, min((len(stamps_s) - 1) // 2, 2560), 1)
    rates = [1 / step] if noise < _CLEAN else []
    for window, share in [(32, 0.25)] * bool(step and len(stamps_s) > 320) + [(long, 0.1)]:
        spans = np.diff(stamps_s[::window])
        spans = spans[spans > 0]
        rates.append(float(window / np.quantile(spans, share, method="lower")) if len(spans) else float("nan"))
    return next((rate for rate in rates if abs(rate / rate_hz - 1) <= MAX_RATE_ERROR), rates[0])


def _usual_step(stamps_s: np.ndarray) -> tuple[float, float]:
    """Return the time between samples without losses, and its noise as a share of it; 0 and 1 for bursts."""
    steps = np.diff(stamps_s)
    middle = np.median(steps)
    n_steps = len(steps)
    usual = steps = steps[(steps > 0.5 * middle) & (steps < 1.5 * middle)]
    if middle <= 0 or len(usual) < 0.55 * n_steps:
        return 0.0, 1.0
    return float(usual.mean()), float(usual.std() / usual.mean())


def refine_rate(since_s: np.ndarray, positions: np.ndarray, rate_hz: float, packet: int = 1, cycle: int = 0) -> float:
    """Return the true rate of the samples in Hz, or the nominal one if the stamps cannot distinguish the two.

    Parameters
    ----------
    since_s, positions : ndarray, shape (n,)
        Time of arrival in seconds, and sample number as far as it is known.
    rate_hz : float
        Nominal.
    packet : int
        Samples that are lost together.
    cycle : int
        Samples after which the device's own counter, from which `positions` come, starts again; 0 if there is none. It
        is better than rounding stamps, and blind only to losses of whole cycles.

    Returns
    -------
    float
    """
    size = max(1, int(_BLOCK_S * rate_hz))
    if len(since_s) < 4 * size:
        size = max(1, len(since_s) // 8)
    starts = np.arange(0, len(since_s) - size + 1, size)
    half = max(1, len(starts) // 2)
    if len(starts) < 2:
        return rate_hz
    step, noise = _usual_step(since_s)
    clean = noise < _CLEAN and abs(1 / (step * rate_hz) - 1) <= MAX_RATE_ERROR
    burst = 0.0 if clean else _burst_size(since_s, positions, rate_hz)
    measured, last = 1 / step if clean else rate_hz, 0.0
    for _ in range(3):
        if clean and not cycle:
            places = _count_steps(since_s, measured)
        else:
            places = _count_rises(since_s, positions, measured, packet, burst, cycle)
            places += positions
        last, at = float(places[-1]), places[starts]
        late = places[: starts[-1] + size]
        late /= -measured
        late += since_s[: late.size]
        floor = np.minimum.reduceat(late, starts)
        del places, late
        # Each block is compared with one half a night away; the median ignores the few losses counted wrongly.
        slope = np.median((floor[half:] - floor[:-half]) / (at[half:] - at[:-half]))
        measured = 1 / (1 / measured + slope)
    error = abs(measured / rate_hz - 1)
    # Where stamps are noisy and losses many, the nominal rate is better: a crystal is right to 0.01 %.
    blurred = not clean and last - positions[-1] > 0.005 * len(positions)
    short = since_s[-1] < MIN_RATE_SPAN_S and error <= RATE_TOLERANCE
    return rate_hz if blurred or short or error * len(since_s) < 0.5 else round(float(measured), 6)


def _check_span(stamps_s: np.ndarray) -> None:
    span = float(stamps_s.max() - stamps_s.min())
    if span > MAX_DURATION_S:
        raise RecordingError(
            "the time stamps cover more than any night",
            found=f"{span / 3600:.1f} h",
            allowed="72 h",
            remedy="cut the file into one file a night, or correct the clock of the stamps",
        )


def _check_rate(since_s: np.ndarray, rate_hz: float, counted: np.ndarray | None) -> None:
    rate = guess_rate(since_s, rate_hz)
    over_all = float(counted[-1] / since_s[-1]) if counted is not None else float("nan")
    if abs(over_all / rate_hz - 1) <= MAX_RATE_ERROR:  # the device's own count, over the whole file
        return
    if not abs(rate / rate_hz - 1) <= MAX_RATE_ERROR:
        raise RateError(
            "the time stamps do not belong to raw samples of this device",
            found=f"{rate:.4g} samples a second",
            allowed=f"{rate_hz:g} within 5 %",
            remedy="record raw data at the device's full rate, with a recording program whose time stamps are sound",
        )


def _check_losses(n_rows: int, n_samples: int, rate_hz: float) -> None:
    lost = n_samples - n_rows
    if lost / n_samples > MAX_LOST or lost / rate_hz > MAX_GAPS_S:
        raise RecordingError(
            "too much of the recording is missing",
            found=f"{100 * lost / n_samples:.0f} % of the samples, {lost / rate_hz / 3600:.1f} h in all",
            allowed="half of the samples, 24 h",
            remedy="cut the file where it was interrupted",
        )


def _choose_rows(
    stamps_s: np.ndarray, counter: np.ndarray | Column | None, values: Sequence[np.ndarray | Column] | None
) -> tuple[np.ndarray | slice, int, int]:
    """Return the rows that repeat no other in order of time, how many repeat one, and how many stretches moved."""
    repeated = _repeated(stamps_s, counter, values)
    duplicates = int(repeated.sum())
    rows = np.flatnonzero(~repeated) if duplicates else slice(None)
    order, reordered = _order_stretches(stamps_s[rows])
    if order is not None:
        rows = np.arange(len(stamps_s))[rows][order]
    return rows.astype(np.int32) if isinstance(rows, np.ndarray) else rows, duplicates, reordered


def _repeated(
    stamps_s: np.ndarray, counter: np.ndarray | Column | None, values: Sequence[np.ndarray | Column] | None
) -> np.ndarray:
    """Return which rows repeat an earlier one, with the same stamp and values; bool of shape (n_rows,)."""
    repeated = np.zeros(len(stamps_s), dtype=bool)
    if values is None or (stamps_s[1:] > stamps_s[:-1]).all():
        return repeated
    columns = [stamps_s, *([] if counter is None else [counter]), *values]
    alike = _find_alike(columns)
    repeated[alike] = pd.DataFrame({i: column[alike] for i, column in enumerate(columns)}, copy=False).duplicated()
    if not repeated.any():
        return repeated
    # An electrode at the end of its range repeats its value within a packet of one stamp: these rows are samples.
    same = np.ones(len(stamps_s) - 1, dtype=bool)
    for column in values:
        numbers = column[:]
        same &= (numbers[1:] == numbers[:-1]) | (np.isnan(numbers[1:]) & np.isnan(numbers[:-1]))
    first, last = find_runs(same)
    at = np.flatnonzero(repeated)
    run = np.searchsorted(first, at, side="right") - 1
    for i in np.unique(run[(run >= 0) & (at <= last[run])] if len(first) else run[:0]):
        held = slice(first[i], last[i] + 1)
        if np.ptp(stamps_s[held]) > 0:
            repeated[held] = False
    return repeated


def _find_alike(columns: Sequence[np.ndarray | Column]) -> np.ndarray:
    """Return the rows whose hash another row has, too: all rows that repeat one, and those that they repeat."""
    hashes = np.zeros(len(columns[0]), dtype=np.uint64)
    for part in _chunks(len(hashes)):
        for column in columns:
            hashes[part] *= np.uint64(0x100000001B3)
            hashes[part] += pd.util.hash_array(column[part] + 0.0)  # -0.0 is 0.0
    ranked = np.sort(hashes)
    again = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
    return np.concatenate([part.start + np.flatnonzero(np.isin(hashes[part], again)) for part in _chunks(len(hashes))])


def _chunks(n_rows: int) -> Iterator[slice]:
    for start in range(0, n_rows, _CHUNK_ROWS):
        yield slice(start, min(start + _CHUNK_ROWS, n_rows))


def _chunks_with_neighbours(n_rows: int, reach: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows that are looked at together, and with them those within reach on both sides."""
    for part in _chunks(n_rows):
        yield part, slice(max(part.start - reach, 0), min(part.stop + reach, n_rows))


def _order_stretches(stamps_s: np.ndarray) -> tuple[np.ndarray | None, int]:
    """Return an order in which stretches of the file follow in time, and how many moved; raise if they overlap."""
    heads = np.concatenate([[0], np.flatnonzero(np.diff(stamps_s) < -MAX_STEP_BACK_S) + 1])
    if len(heads) == 1:
        return None, 0
    first, last = np.minimum.reduceat(stamps_s, heads), np.maximum.reduceat(stamps_s, heads)
    turn = np.argsort(first, kind="stable")
    if (first[turn][1:] <= last[turn][:-1]).any():
        raise RecordingError(
            "the time stamps run twice over the same time",
            found=f"{len(heads)} stretches that overlap",
            remedy="split the file where its clock steps back, and keep the part that is right",
        )
    tails = np.append(heads[1:], len(stamps_s))
    return np.concatenate([np.arange(heads[i], tails[i]) for i in turn]), int((turn != np.arange(len(turn))).sum())


def _count_steps(since_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return the sample number of regular stamps; rounding errors of one step are undone by the next."""
    steps = np.zeros(len(since_s))
    np.subtract(since_s[1:], since_s[:-1], out=steps[1:])
    steps *= rate_hz
    np.rint(steps, out=steps)
    return np.cumsum(steps, out=steps)


def _burst_size(since_s: np.ndarray, positions: np.ndarray, rate_hz: float) -> float:
    """Return how many samples usually arrive together: how late most rows are, after the earliest within 2 s."""
    from scipy.ndimage import minimum_filter1d

    reach, delays = int(rate_hz), []
    for part, around in _chunks_with_neighbours(len(since_s), reach):
        late = since_s[around] * rate_hz - positions[around]
        late -= minimum_filter1d(late, int(2 * rate_hz) + 1, mode="nearest")
        every = slice(part.start - around.start + -part.start % 7, part.stop - around.start, 7)
        delays.append(late[every])
    return float(np.quantile(np.concatenate(delays), 0.95))


def _count_rises(
    since_s: np.ndarray, positions: np.ndarray, rate_hz: float, packet: int, burst: float = 0.0, cycle: int = 0
) -> np.ndarray:
    """Return samples lost before each row of bursty stamps, by the earliest arrival before and after it.

    Only half a second on each side is compared, or two bursts, so that a rate that is wrong by a per cent hides no
    loss. Where the device counts, only losses of whole cycles are left to be found.
    """
    from scipy.ndimage import minimum_filter1d

    reach = max(int(rate_hz / 2), int(2.5 * burst))
    threshold = cycle / 2 if cycle else max(_STEP, packet / 2, burst / 8)
    size = 2 * reach + 1
    rise = np.empty(len(since_s) - 1)
    for part, around in _chunks_with_neighbours(len(rise), size):
        some = slice(around.start, around.stop + 1)
        late = since_s[some] * rate_hz - positions[some]
        before = minimum_filter1d(late, size, origin=reach, mode="nearest")[:-1]
        after = minimum_filter1d(late, size, origin=-reach, mode="nearest")[1:]
        rise[part] = (after - before)[part.start - around.start : part.stop - around.start]
    first, end = find_runs(rise > threshold)
    lost = np.zeros(len(since_s))
    if len(first):
        most = np.maximum.reduceat(
            rise, np.stack([first, end], axis=1).ravel()[: 2 * len(first) - (end[-1] == len(rise))]
        )[::2]
        whole = packet * np.round(most / packet)
        lost[first + 1] = np.where(most < 4 * packet, whole, most)
    return np.cumsum(lost)


def _count_by_stamps(
    since_s: np.ndarray, positions: np.ndarray, rate_hz: float, packet: int, cycle: int
) -> tuple[np.ndarray, float, float]:
    """Return samples lost before each row, the delay of the origin and the longest delay, in s."""
    late = since_s * rate_hz
    late -= positions
    floor = np.minimum.accumulate(late[::-1])[::-1]
    late -= floor  # now the delay of each row; every seventh is enough for the usual one
    usual, longest, base = float(np.quantile(late[::7], 0.99)), float(late.max()), float(floor[0])
    floor -= base
    bursts = usual > _STEP
    if cycle:
        unit, reach, threshold, whole_below = cycle, int(rate_hz), cycle / 2, 0
    elif bursts:
        unit, reach, threshold, whole_below = packet, int(rate_hz), max(_STEP, packet / 2), 4 * packet
    else:
        unit, reach, threshold, whole_below = 1, 8, _STEP, 0
    del late
    at, lost = _follow(floor, threshold, unit, whole_below, reach)
    # The last packet may be late, or cut: nothing follows by which it could be distinguished from a loss.
    while len(at) and len(floor) - at[-1] <= reach and lost[-1] < longest + unit / 2:
        at, lost = at[:-1], lost[:-1]
    counts = np.zeros(len(floor), dtype=np.int64)
    np.add.at(counts, at, lost)
    return np.cumsum(counts, out=counts), base / rate_hz, longest / rate_hz


def _follow(
    floor: np.ndarray, threshold: float, unit: int, whole_below: int, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows before which samples were lost, and how many, from the rising earliest arrival.

    The counted losses stay within `threshold` of the line, so that errors do not add up. Jitter makes the line rise
    slowly in the last rows before a loss; the loss is where the line takes its large step.

    Parameters
    ----------
    floor : ndarray, shape (n_rows,)
        Earliest arrival among all later rows, in samples after that of a clock of the true rate; it never falls.
    threshold : float
        Rise, in samples, that is counted as a loss.
    unit : int
        Samples that are lost together.
    whole_below : int
        Smaller losses are rounded to whole units even if they fit badly.
    reach : int
        Rows within which the large step of a loss is searched.

    Returns
    -------
    rows, lost : ndarray of int, shape (n_losses,)
    """
    at, lost, counted = [], [], 0
    while (k := int(np.searchsorted(floor, counted + threshold, side="right"))) < len(floor):
        great = np.flatnonzero(np.diff(floor[max(k - 1, 0) : k + reach]) > threshold)
        k += int(great[0]) if len(great) else 0
        rise = floor[k] - counted
        whole = unit * round(rise / unit)
        # After a new connection, packets do not continue the old grid: a long loss need not be of whole units.
        fits = whole > 0 and (abs(rise - whole) <= unit / 10 or rise < whole_below)
        step = int(whole if fits else max(1, round(rise)))
        at.append(k)
        lost.append(step)
        counted += step
    return np.array(at, dtype=np.int64), np.array(lost, dtype=np.int64)
