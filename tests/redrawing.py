"""The p-value and the interval of a few markers in one call, for tests."""

import numpy as np

from eegsleep.statistics import resampling


def redrawn_p(values, assigned, draws, **settings):
    """Return the p-value of each marker; `settings` are those of `Schedule`."""
    schedule = resampling.Schedule(assigned, draws, **settings)
    return resampling.p_of_no_shift(resampling.shift_statistics(values, schedule))


def p_of_shift(values, schedule, shift):
    """Return the p-value of each marker against a shift of its own, by taking the shift out of the values."""
    shifted = np.atleast_2d(values) - np.atleast_1d(shift)[:, np.newaxis] * schedule.assigned
    return resampling.p_of_no_shift(resampling.shift_statistics(shifted, schedule))
