"""The numbers of a column in about as much memory as their text takes, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

_EMPTY = -(2**31)
_MAX_STEPS = float(2**31 - 1)
# Programs write up to nine decimals; of a number with more of them no step fits 32 bits.
_MAX_DECIMALS = 9


class Column:
    """Numbers that are added block by block, and given back as they were.

    Programs write a few decimals: `12.345` is 12345 steps of 0.001, and the number of steps takes half the memory of a
    float64. Each block is compared with what its steps give back; a column that they do not give back exactly is kept
    as float64.

    Parameters
    ----------
    room : int
        Numbers to expect.
    factor : float
        By which the numbers are multiplied when they are given back.
    """

    def __init__(self, room: int = 0, factor: float = 1.0) -> None:
        self._kept: np.ndarray = np.empty(room, dtype=np.int32)
        self._n = 0
        self._decimals = 0
        self._factor = factor

    def __len__(self) -> int:
        """Return how many numbers there are."""
        return self._n

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return a new float64 array of the numbers at these rows; NaN where a cell is empty or infinite."""
        numbers = self._read(rows)
        numbers *= self._factor
        return numbers

    @property
    def itemsize(self) -> int:
        """Return the bytes that a number takes: 4 or 8."""
        return self._kept.itemsize

    def add(self, numbers: np.ndarray) -> None:
        """Add the numbers of a block, shape (n,)."""
        numbers = np.asarray(numbers, dtype=float)
        if np.isinf(numbers).any():
            numbers = np.where(np.isinf(numbers), np.nan, numbers)
        end = self._n + len(numbers)
        if end > len(self._kept):
            room = np.empty(end + end // 4, dtype=self._kept.dtype)
            self._move(self._kept[: self._n], room, self._decimals)
        steps = self._as_steps(numbers) if self._kept.dtype == np.int32 else numbers
        if steps is None:
            self._move(self._read(slice(None)), np.empty(len(self._kept)), 0)
            steps = numbers
        self._kept[self._n : end] = steps
        self._n = end

    def keep(self, rows: np.ndarray) -> None:
        """Keep only the rows where a bool array of shape (n,) holds."""
        self._kept = self._kept[: self._n][rows]
        self._n = len(self._kept)

    def _read(self, rows: slice | np.ndarray) -> np.ndarray:
        kept = self._kept[: self._n][rows]
        numbers = kept / 10.0**self._decimals
        if kept.dtype == np.int32:
            numbers[kept == _EMPTY] = np.nan
        return numbers

    def _move(self, numbers: np.ndarray, kept: np.ndarray, decimals: int) -> None:
        """Keep the numbers so far in another array."""
        kept[: self._n] = numbers
        self._kept, self._decimals = kept, decimals

    def _as_steps(self, numbers: np.ndarray) -> np.ndarray | None:
        """Return the steps that give numbers back exactly, as fine as those before now are, too; None if none do."""
        for decimals in range(self._decimals, _MAX_DECIMALS + 1):
            steps = _find_steps(numbers, decimals)
            if steps is None:
                continue
            if decimals == self._decimals:
                return steps
            before = _find_steps(self._read(slice(None)), decimals)
            if before is not None:
                self._move(before, self._kept, decimals)
                return steps
        return None


def make_column(blocks: Iterable[np.ndarray]) -> Column:
    """Return the numbers of blocks that follow each other as one column.

    Parameters
    ----------
    blocks : iterable of numpy.ndarray, each of shape (n,)

    Returns
    -------
    Column
    """
    column = Column()
    for block in blocks:
        column.add(block)
    return column


def _find_steps(numbers: np.ndarray, decimals: int) -> np.ndarray | None:
    scaled = numbers * 10.0**decimals
    np.rint(scaled, out=scaled)
    empty = np.isnan(numbers)
    exact = scaled / 10.0**decimals == numbers
    exact &= np.abs(scaled) < _MAX_STEPS
    if not (exact | empty).all():
        return None
    scaled[empty] = _EMPTY
    return scaled.astype(np.int32)
