"""What a recording of one night may be at most, checked before memory is asked for, and the years of its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

# No night is longer. A longer one is a wrong clock or a wrong field.
MAX_DURATION_S = 72 * 3600.0
# Gaps cost memory although nothing is recorded in them.
MAX_GAPS_S = 24 * 3600.0
# No sleep recorder comes near this number of signals.
MAX_SIGNALS = 512
# The years that two digits stand for in an EDF header (doi:10.1016/s1388-2457(03)00123-8); 85 is 1985.
YEARS = range(1985, 2085)


def is_plausible_start(start: datetime) -> bool:
    """Return whether a recording may have started then: in a year that an EDF header can hold.

    Parameters
    ----------
    start : datetime
        Naive local time.

    Returns
    -------
    bool
    """
    return start.year in YEARS


def expand_year(two_digits: int) -> int:
    """Return the year that two digits stand for in an EDF header: 85 is 1985, 84 is 2084.

    Parameters
    ----------
    two_digits : int
        0 to 99.

    Returns
    -------
    int
    """
    return YEARS[0] + (two_digits - YEARS[0]) % 100
