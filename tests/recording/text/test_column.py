"""A column gives back the numbers that were added, to the last bit, in half the memory where they have few decimals."""

import numpy as np
import pytest

from eegsleep.recording.text.column import Column, make_column

DECIMALS = np.array([12.345, -0.001, np.nan, 2_000.5, -7.25])


@pytest.mark.parametrize(
    ("blocks", "n_bytes"),
    [
        ([DECIMALS, DECIMALS[::-1]], 4),
        ([np.arange(5.0), DECIMALS], 4),  # steps become finer
        ([DECIMALS, [np.pi]], 8),  # no step gives it back
        ([DECIMALS, [3e6]], 8),  # too many steps of 0.001
        ([[3e6], DECIMALS], 8),
        ([[], [np.nan], DECIMALS], 4),
        ([np.random.default_rng(0).normal(size=50)], 8),
    ],
)
@pytest.mark.parametrize("room", [0, 3, 100])
def test_numbers_come_back_to_the_last_bit(blocks, n_bytes, room):
    column = Column(room)
    for block in blocks:
        column.add(np.asarray(block))
    expected = np.concatenate([np.asarray(block, dtype=float) for block in blocks])
    np.testing.assert_array_equal(column[:], expected)
    np.testing.assert_array_equal(column[::2], expected[::2])
    assert len(column) == len(expected)
    assert column.itemsize == n_bytes
    kept = np.arange(len(expected)) % 3 != 1
    column.keep(kept)
    column.add(DECIMALS)
    np.testing.assert_array_equal(column[:], np.concatenate([expected[kept], DECIMALS]))


def test_infinite_cells_are_empty_and_counts_are_multiplied():
    np.testing.assert_array_equal(make_column([np.array([1.0, np.inf, -np.inf])])[:], [1, np.nan, np.nan])
    counts = Column(factor=0.1)
    counts.add(np.array([3, -7]))
    assert counts[:].tolist() == [0.1 * 3, 0.1 * -7]


def test_what_is_given_back_can_be_changed_without_harm():
    column = make_column([np.array([np.pi, 1.0])])
    column[:][0] = 0
    assert column[:1] == np.pi
