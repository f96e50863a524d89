"""How sleep is spread over the night: by its thirds, and by how long it was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegsleep.signals.epochs import EPOCH_MIN, SLEEP_STAGES, find_runs
from eegsleep.staging.statistics import Measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

THIRDS = ("first", "middle", "last")
# Svetnik et al. 2018, doi:10.1093/sleep/zsx178: suvorexant shortens long bouts of wake and adds short ones.
LONG_BOUT_MIN = 2.0
_NO_SLEEP = "no sleep"


def find_thirds(codes: NDArray[np.str_]) -> NDArray[np.intp]:
    """Return the third of the sleep period in which each epoch lies.

    Parameters
    ----------
    codes : numpy.ndarray of str, shape (n_epochs,)
        One stage an epoch.

    Returns
    -------
    numpy.ndarray of int, shape (n_epochs,)
        0, 1 or 2; −1 before the first and after the last epoch of sleep, so that a long wait for sleep does not empty
        the first third.
    """
    thirds = np.full(codes.size, -1)
    asleep = np.flatnonzero(np.isin(codes, SLEEP_STAGES))
    if asleep.size:
        first, length = asleep[0], asleep[-1] - asleep[0] + 1
        thirds[first : first + length] = 3 * np.arange(length) // length
    return thirds


def measure_course(codes: NDArray[np.str_]) -> dict[str, Measure]:
    """Measure sleep by thirds of the sleep period, and the bouts of wake in it.

    Parameters
    ----------
    codes : numpy.ndarray of str, shape (n_epochs,)
        One stage an epoch, between lights off and on.

    Returns
    -------
    dict of str to Measure
        - `n3_first_third_min`, `…_middle_…`, `…_last_…`, `wake_…_third_min`, `rem_first_third_min`: minutes of the
          stage in thirds of the sleep period.
        - `wake_bouts_over_2_min`, `wake_bouts_up_to_2_min`: runs of W within the sleep period by their length, and
          `wake_in_long_bouts_min`, the minutes in the long ones (Svetnik et al. 2018, doi:10.1093/sleep/zsx178).
        - `rem_latency_asleep_min`: minutes of sleep, without wake, from sleep onset to the first REM.

        Missing without sleep.
    """
    thirds = find_thirds(codes)
    wanted = [("N3", "n3", third) for third in THIRDS] + [("W", "wake", third) for third in THIRDS]
    wanted.append(("R", "rem", "first"))
    bouts = [(stop - first) * EPOCH_MIN for first, stop in zip(*find_runs((codes == "W") & (thirds >= 0)), strict=True)]
    long = [length for length in bouts if length > LONG_BOUT_MIN]
    measures = {
        f"{name}_{third}_third_min": Measure(
            float(((codes == stage) & (thirds == THIRDS.index(third))).sum()) * EPOCH_MIN
        )
        for stage, name, third in wanted
    }
    measures |= {
        "wake_bouts_over_2_min": Measure(float(len(long))),
        "wake_bouts_up_to_2_min": Measure(float(len(bouts) - len(long))),
        "wake_in_long_bouts_min": Measure(float(sum(long))),
    }
    if not (thirds >= 0).any():
        measures = {name: Measure(np.nan, _NO_SLEEP) for name in measures}
    return measures | {"rem_latency_asleep_min": _latency_asleep(codes)}


def _latency_asleep(codes: NDArray[np.str_]) -> Measure:
    asleep, rem = np.isin(codes, SLEEP_STAGES), np.flatnonzero(codes == "R")
    if not asleep.any():
        return Measure(np.nan, _NO_SLEEP)
    if not rem.size:
        return Measure(np.nan, "no REM in this night")
    return Measure(float(asleep[: rem[0]].sum()) * EPOCH_MIN)
