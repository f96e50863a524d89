"""Sleep statistics of a hypnogram: minutes, latencies, continuity, and the NREM-REM cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.hypnograms.objects import as_stages
from eegsleep.signals.epochs import EPOCH_MIN, EPOCH_S, NREM, SLEEP_STAGES, find_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.hypnograms.objects import Hypnogram

# Length of unbroken sleep that "latency to persistent sleep" waits for, as in clinical trials (e.g. Lankford et
# al. 2008, PMC2572741, where it is a primary endpoint).
PERSISTENT_SLEEP_MIN = 10.0
# Feinberg & Floyd 1979, doi:10.1111/j.1469-8986.1979.tb02991.x.
NREM_PERIOD_MIN = 15.0
REM_PERIOD_MIN = 5.0

_NO_SLEEP = "no sleep"
_NO_SCORE = "no epoch was scored"


class Measure(NamedTuple):
    """One sleep statistic.

    Attributes
    ----------
    value : float
        NaN where it is missing.
    reason : str
        Why it is missing; empty where it is not.
    at_least : float
        For a latency to what did not come in this night: the time that was watched for it, which the latency exceeds;
        otherwise NaN.
    """

    value: float
    reason: str = ""
    at_least: float = float("nan")


def measure_sleep(stages: Hypnogram, coding: str | None = None) -> dict[str, Measure]:
    """Measure the sleep statistics of a night: durations, latencies and continuity.

    Definitions are those of the AASM manual (parameters to be reported), with lights off at the first
    epoch and lights on at the end of the last. An epoch is 30 s.

    Parameters
    ----------
    stages : DataFrame, Series, sequence, array, yasa.Hypnogram or Scoring
        A hypnogram of any kind that `as_stages` takes: one stage a 30 s epoch, without gaps.
    coding : str, optional
        What integers mean, a name in `CODINGS`.

    Returns
    -------
    dict of str to Measure
        The same names for every night, each with `value` and `reason` (why the value is NaN, or empty):

        - `tib_min`: lights off to lights on. `unscored_min`: of it, the minutes staged UNS.
        - `tst_min`: N1, N2, N3 and R. `sleep_efficiency_percent`: 100 TST / TIB.
        - `sleep_period_min`: first to last epoch of sleep. `wake_in_sleep_period_min`: W epochs within it
          (YASA's `WASO`).
        - `sol_min`: lights off to the first epoch of any sleep stage.
        - `waso_min`: every W epoch after sleep onset, wake after the final awakening included, so that
          WASO = TIB - SOL - TST (AASM). YASA's `WASO` leaves the wake after the final awakening out.
        - `awakenings`, `awakenings_per_h`: runs of one or more W epochs between sleep onset and the last
          sleep epoch, and the same per hour of TST.
        - `n1_min` ... `rem_min`, `n1_percent` ... `rem_percent` (of TST).
        - `rem_latency_min`, `n3_latency_min`: from sleep onset to the first epoch of that stage.
        - `persistent_sleep_latency_min`: lights off to the first 10 min of unbroken sleep.
        - `rem_absent`, `n3_absent`: 1 where the night has none, else 0; missing without sleep, or where it may have
          come in 5 min or more that were not scored.
        - `fragmentation_per_h`: awakenings (any sleep stage to W) and shifts to N1 from N2, N3 or R, per
          hour of TST (Morrell et al. 2000, doi:10.1164/ajrccm.162.6.9904008). The index of Haba-Rubio
          et al. 2004 (doi:10.1016/j.sleep.2004.06.007) counts every stage shift instead; for that, see
          `stage_transitions_per_h`: all changes of stage per hour of TST. Both stop at the last sleep
          epoch: the final awakening would count or not by when the recorder was switched off.
        - `nrem_rem_cycles`: complete cycles (`find_cycles`). `cycle_length_min`: their mean length.

    Notes
    -----
    A latency to what did not come is missing, and has the time that was watched in `at_least`: from lights off or sleep
    onset to the last scored epoch, or to the first 5 min without a score, since these may hide what is waited for
    (a REM period lasts that long: Feinberg & Floyd 1979). Otherwise a comparison would leave out exactly the nights in
    which the latency was longest.

    UNS is neither sleep nor wake. It stays in TIB, so with `unscored_min` > 0 TST and sleep efficiency
    are lower bounds, WASO counts only W epochs and falls short of TIB - SOL - TST by the unscored minutes
    after sleep onset, and SOL is an upper bound where UNS precedes it. A stage change across UNS is not
    counted; W on both sides of UNS is one awakening. If nothing is scored, nothing but TIB is known.

    Raises
    ------
    TableError
        If a stage is unknown or an epoch is missing from the sequence.

    Examples
    --------
    >>> sleep = es.measure_sleep(["W"] * 20 + ["N1"] * 4 + ["N2"] * 60 + ["N3"] * 40)
    >>> sleep["tst_min"].value, sleep["sol_min"].value
    (52.0, 10.0)
    >>> sleep["rem_latency_min"].reason
    'no REM in this night'
    """
    return measure_codes(as_stages(stages, coding)["stage"].to_numpy(dtype="U3"))


def measure_codes(codes: NDArray[np.str_]) -> dict[str, Measure]:
    """Measure the sleep statistics of an array of stages, as `measure_sleep` does; faster for many hypnograms.

    Parameters
    ----------
    codes : numpy.ndarray of str, shape (n_epochs,)
        One of `STAGES` an epoch; they are not checked.

    Returns
    -------
    dict of str to Measure
    """
    scored = int(np.sum(codes != "UNS"))
    measures = {
        "tib_min": Measure(codes.size * EPOCH_MIN),
        "unscored_min": Measure((codes.size - scored) * EPOCH_MIN),
    }
    asleep = (codes != "W") & (codes != "UNS")
    measures |= _durations(codes, asleep) | _latencies(codes, asleep) | _continuity(codes, asleep)
    measures |= _cycle_statistics(codes)
    if scored == 0:
        known = ("tib_min", "unscored_min")
        return {name: m if name in known else Measure(np.nan, _NO_SCORE) for name, m in measures.items()}
    return measures


def find_cycles(stages: pd.DataFrame) -> pd.DataFrame:
    """Find the NREM-REM cycles of a night.

    After Feinberg & Floyd 1979 (doi:10.1111/j.1469-8986.1979.tb02991.x): a cycle is a NREM period of at
    least 15 min, from its first N2 or N3 epoch, ended by a REM period, and reaches to the end of that REM
    period. REM bouts less than 15 min apart are one REM period. A REM period holds at least 5 min of R,
    except the night's first, which may be a single epoch; a shorter later one stays part of the NREM
    period around it.

    Parameters
    ----------
    stages : pandas.DataFrame
        Table `HYPNOGRAM`, one row a 30 s epoch, without gaps.

    Returns
    -------
    pandas.DataFrame
        `cycle` (from 1), `onset_s`, `end_s` (seconds from the first sample of the recording), `complete`
        (whether a REM period closed it). NREM of at least 15 min after the last REM period is a last,
        incomplete cycle that ends with the last sleep epoch; a night without REM is one such cycle.

    Notes
    -----
    REM after less than 15 min of NREM (REM at sleep onset, or two REM periods parted by wake) closes no
    cycle, and the next NREM period begins after it. The 15 min are minutes of N1, N2 and N3; wake and
    unscored epochs inside a NREM period lengthen the cycle but do not count towards them. A cycle whose
    REM period was cut off by waking or by the end of the recording counts as complete: the two cannot be
    told apart.
    """
    codes = as_stages(stages)["stage"].to_numpy(dtype="U3")
    start_s = float(stages["onset_s"].iloc[0]) if len(stages) else 0.0
    cycles = _cycle_epochs(codes)
    return pd.DataFrame(
        {
            "cycle": np.arange(1, len(cycles) + 1, dtype="int64"),
            "onset_s": np.array([start_s + first * EPOCH_S for first, _, _ in cycles], dtype="float64"),
            "end_s": np.array([start_s + stop * EPOCH_S for _, stop, _ in cycles], dtype="float64"),
            "complete": np.array([complete for _, _, complete in cycles], dtype="bool"),
        }
    )


def _durations(codes: NDArray[np.str_], asleep: NDArray[np.bool_]) -> dict[str, Measure]:
    tst = int(asleep.sum())
    onset = int(asleep.argmax()) if tst else 0
    share = 100 * tst / codes.size if codes.size else np.nan
    wake_after = float(np.sum(codes[onset:] == "W")) * EPOCH_MIN
    measures = {
        "tst_min": Measure(tst * EPOCH_MIN),
        "sleep_efficiency_percent": Measure(share),
        "waso_min": Measure(wake_after) if tst else Measure(np.nan, _NO_SLEEP),
        "sleep_period_min": Measure(np.nan, _NO_SLEEP),
        "wake_in_sleep_period_min": Measure(np.nan, _NO_SLEEP),
    }
    if tst:
        period = codes[onset : int(np.flatnonzero(asleep)[-1]) + 1]
        measures["sleep_period_min"] = Measure(period.size * EPOCH_MIN)
        measures["wake_in_sleep_period_min"] = Measure(float(np.sum(period == "W")) * EPOCH_MIN)
    for name, stage in (("n1", "N1"), ("n2", "N2"), ("n3", "N3"), ("rem", "R")):
        epochs = int(np.sum(codes == stage))
        measures[f"{name}_min"] = Measure(epochs * EPOCH_MIN)
        measures[f"{name}_percent"] = Measure(100 * epochs / tst) if tst else Measure(np.nan, _NO_SLEEP)
    return measures


def _latencies(codes: NDArray[np.str_], asleep: NDArray[np.bool_]) -> dict[str, Measure]:
    end = _watched_until(codes, 0)
    none = f"no {PERSISTENT_SLEEP_MIN:g} min of unbroken sleep" if asleep.any() else _NO_SLEEP
    lasting = [first for first, stop in _runs(asleep) if (stop - first) * EPOCH_MIN >= PERSISTENT_SLEEP_MIN]
    # Sleep that lasted to the end of the watch might have gone on, so that the bound is where it began.
    still_awake = end
    while still_awake and asleep[still_awake - 1]:
        still_awake -= 1
    measures = {
        "sol_min": _since(0, np.flatnonzero(asleep), end, _NO_SLEEP),
        "persistent_sleep_latency_min": _since(0, np.array(lasting), still_awake, none),
    }
    for name, stage, spoken in (("rem", "R", "REM"), ("n3", "N3", "N3")):
        if not asleep.any():
            measures[f"{name}_latency_min"] = measures[f"{name}_absent"] = Measure(np.nan, _NO_SLEEP)
            continue
        onset, found = int(asleep.argmax()), np.flatnonzero(codes == stage)
        end = _watched_until(codes, onset)
        measures[f"{name}_latency_min"] = _since(onset, found, end, f"no {spoken} in this night")
        hidden = not found.size and end <= int(np.flatnonzero(codes != "UNS")[-1])
        measures[f"{name}_absent"] = (
            Measure(np.nan, f"{spoken} may have come in unscored epochs") if hidden else Measure(float(not found.size))
        )
    return measures


def _since(start: int, events: NDArray[np.intp], end: int, none: str) -> Measure:
    """Return the latency from epoch `start` to the first of `events`, or how long none came until `end`."""
    if events.size:
        return Measure(float(events[0] - start) * EPOCH_MIN)
    return Measure(np.nan, none, max(0.0, float(end - start) * EPOCH_MIN))


def _watched_until(codes: NDArray[np.str_], start: int) -> int:
    """Return the epoch up to which nothing can have come unseen, from `start` on."""
    scored = codes != "UNS"
    hiding = [first for first, stop in _runs(~scored[start:]) if (stop - first) * EPOCH_MIN >= REM_PERIOD_MIN]
    last = int(np.flatnonzero(scored)[-1]) + 1 if scored.any() else start
    return min([last, *(start + first for first in hiding)])


def _continuity(codes: NDArray[np.str_], asleep: NDArray[np.bool_]) -> dict[str, Measure]:
    names = ("awakenings", "awakenings_per_h", "fragmentation_per_h", "stage_transitions_per_h")
    if not asleep.any():
        return {name: Measure(np.nan, _NO_SLEEP) for name in names}
    sleep_epochs = np.flatnonzero(asleep)
    period = codes[sleep_epochs[0] : sleep_epochs[-1] + 1]
    tst_h = sleep_epochs.size * EPOCH_MIN / 60
    awakenings = find_runs(period[period != "UNS"] == "W")[0].size
    last = np.flatnonzero(period[1:] != period[:-1])
    pairs = zip(period[last].tolist(), period[last + 1].tolist(), strict=True)
    changes = [pair for pair in pairs if "UNS" not in pair]
    # W to N1 is falling asleep again, the end of an awakening that was counted when it began.
    fragmenting = sum(b == "W" or (b == "N1" and a != "W") for a, b in changes)
    return {
        "awakenings": Measure(float(awakenings)),
        "awakenings_per_h": Measure(awakenings / tst_h),
        "fragmentation_per_h": Measure(fragmenting / tst_h),
        "stage_transitions_per_h": Measure(len(changes) / tst_h),
    }


def _cycle_statistics(codes: NDArray[np.str_]) -> dict[str, Measure]:
    lengths = [(stop - first) * EPOCH_MIN for first, stop, complete in _cycle_epochs(codes) if complete]
    return {
        "nrem_rem_cycles": Measure(float(len(lengths))),
        "cycle_length_min": Measure(float(np.mean(lengths)))
        if lengths
        else Measure(np.nan, "no complete NREM-REM cycle"),
    }


def _cycle_epochs(codes: NDArray[np.str_]) -> list[tuple[int, int, bool]]:
    """Return (first epoch, epoch after the last, complete) of each cycle."""
    cycles = []
    begin = 0
    for first, stop in _rem_periods(codes):
        onset = _nrem_onset(codes, begin, first)
        if onset is not None:
            cycles.append((onset, stop, True))
        begin = stop
    onset = _nrem_onset(codes, begin, codes.size)
    if onset is not None:
        last_sleep = int(np.flatnonzero(np.isin(codes, SLEEP_STAGES))[-1])
        cycles.append((onset, last_sleep + 1, False))
    return cycles


def _rem_periods(codes: NDArray[np.str_]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, stop in _runs(codes == "R"):
        if merged and (first - merged[-1][1]) * EPOCH_MIN < NREM_PERIOD_MIN:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((first, stop))
    return [
        (first, stop)
        for number, (first, stop) in enumerate(merged)
        if number == 0 or np.sum(codes[first:stop] == "R") * EPOCH_MIN >= REM_PERIOD_MIN
    ]


def _nrem_onset(codes: NDArray[np.str_], begin: int, stop: int) -> int | None:
    """Return the first N2 or N3 epoch of the NREM period in [begin, stop), None if it is too short."""
    deep = np.flatnonzero(np.isin(codes[begin:stop], NREM))
    if not deep.size:
        return None
    onset = begin + int(deep[0])
    nrem_min = np.sum(np.isin(codes[onset:stop], ("N1", *NREM))) * EPOCH_MIN
    return onset if nrem_min >= NREM_PERIOD_MIN else None


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, one past the last) of every unbroken run of True."""
    return [(int(first), int(stop)) for first, stop in zip(*find_runs(flags), strict=True)]
