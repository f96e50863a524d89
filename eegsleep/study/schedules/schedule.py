"""Draw a schedule of nights from its mechanism, and find where a given schedule breaks its rules."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.recording.limits import YEARS
from eegsleep.study.schedules.mechanisms import (
    SUBJECT_KINDS,
    WEEKEND_KINDS,
    Mechanism,
    Violation,
    is_weekend,
    redraw_codes,
    subject_rows,
)
from eegsleep.tables import SCHEDULE, check_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def plan_nights(
    mechanism: Mechanism,
    n_nights: int,
    subjects: Sequence[str] = ("S01",),
    start: str = "2026-01-05",
    adaptation_nights: int = 2,
) -> pd.DataFrame:
    """Return the nights of a study before conditions are drawn; "?" marks the nights that will have one.

    Parameters
    ----------
    mechanism : Mechanism
    n_nights : int
        Nights of each sleeper that get a condition; in a crossover its periods decide.
    subjects : sequence of str
    start : str
        Evening of the first night, as YYYY-MM-DD.
    adaptation_nights : int
        Nights before, recorded and left out.

    Returns
    -------
    pandas.DataFrame
        Table `SCHEDULE`.
    """
    n_periods = mechanism.orders.shape[1] if mechanism.kind == "crossover" else 1
    if mechanism.kind == "crossover":
        n_nights = n_periods * mechanism.nights_per_period
    try:
        first = date.fromisoformat(start)
    except ValueError as error:
        raise SettingsError("the start of the study is not a date", found=start, allowed="YYYY-MM-DD") from error
    if first.year not in YEARS:
        raise SettingsError(
            "the start of the study is no plausible date", found=start, allowed=f"years {YEARS[0]} to {YEARS[-1]}"
        )
    free = mechanism.wash_out_nights
    rows = []
    for subject in subjects:
        day = first + timedelta(days=adaptation_nights)
        planned = [(first + timedelta(days=i), "", 0, 0, True) for i in range(adaptation_nights)]
        for i in range(n_nights):
            period = i // mechanism.nights_per_period + 1 if mechanism.kind == "crossover" else 0
            block = i // len(mechanism.conditions) + 1 if mechanism.kind in {"pairs", "blocks"} else 0
            planned.append((day, "?", block, period, False))
            ends_period = mechanism.kind == "crossover" and (i + 1) % mechanism.nights_per_period == 0
            day += timedelta(days=1 + free * (mechanism.kind in {*WEEKEND_KINDS, "blocks"} or ends_period))
        rows += [
            (subject, f"{subject}-{i:03d}", d.isoformat(), _WEEKDAYS[d.weekday()], *rest)
            for i, (d, *rest) in enumerate(planned, start=1)
        ]
    return check_table(pd.DataFrame(rows, columns=SCHEDULE.column_names), SCHEDULE)


def draw_schedule(
    mechanism: Mechanism,
    n_nights: int,
    seed: int,
    subjects: Sequence[str] = ("S01",),
    start: str = "2026-01-05",
    adaptation_nights: int = 2,
) -> pd.DataFrame:
    """Draw one schedule from the mechanism, by `seed`, uniformly.

    Parameters
    ----------
    mechanism : Mechanism
    n_nights : int
        Nights of each sleeper that get a condition; in a crossover its periods decide.
    seed : int
    subjects : sequence of str
    start : str
        Evening of the first night, as YYYY-MM-DD.
    adaptation_nights : int
        Nights before, recorded and left out.

    Returns
    -------
    pandas.DataFrame
        Table `SCHEDULE`, with the masked codes as conditions.

    Raises
    ------
    SettingsError
        If no schedule of so many nights obeys the mechanism.
    """
    nights = plan_nights(mechanism, n_nights, subjects, start, adaptation_nights)
    # another random stream than that of the redraws, which have the same seed and must not begin with this schedule
    own_seed = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
    drawn = redraw_codes(mechanism, nights, 1, own_seed)[0]
    given = (nights["condition"] == "?").to_numpy()
    codes = np.array(mechanism.conditions)[drawn]
    nights["condition"] = pd.Series(np.where(given, codes, ""), dtype="str")
    if mechanism.kind == "phases":
        for rows in subject_rows(nights).values():
            changes = np.flatnonzero(drawn[rows][1:] != drawn[rows][:-1]) + 1
            nights.loc[rows, "block"] = np.searchsorted(changes, np.arange(len(rows)), side="right") + 1
    return nights


def find_violation(mechanism: Mechanism, nights: pd.DataFrame) -> Violation | None:
    """Return the first night at which the schedule breaks a rule of the mechanism, or None.

    Parameters
    ----------
    mechanism : Mechanism
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS` or `SCHEDULE`, with every night that was drawn, missed and excluded ones too.
    """
    if mechanism.kind == "observational":
        return None
    second = (nights["condition"] == mechanism.conditions[1]).to_numpy()
    days = pd.to_datetime(nights["date"], format="%Y-%m-%d").to_numpy()
    if len(mechanism.conditions) > 2:
        return next(_dose_violations(mechanism, nights, days), None)
    for rows in subject_rows(nights).values():
        for found in _subject_violations(mechanism, nights, rows, second[rows], days[rows]):
            return found
    if mechanism.kind in SUBJECT_KINDS and mechanism.balanced:
        return _unbalanced_sleepers(mechanism, nights, second)
    return None


def _subject_violations(
    mechanism: Mechanism,
    nights: pd.DataFrame,
    rows: NDArray[np.int64],
    second: NDArray[np.bool_],
    days: NDArray,
) -> Iterator[Violation]:
    checks = {
        "pairs": _pair_violations,
        "max-run": _sequence_violations,
        "complete": _sequence_violations,
        "phases": _phase_violations,
        "crossover": _period_violations,
        "parallel": _group_violations,
    }
    yield from checks[mechanism.kind](mechanism, nights, rows, second)
    if mechanism.wash_out_nights and mechanism.kind != "phases":
        yield from _gap_violations(mechanism, nights, rows, days)


def _gap_violations(
    mechanism: Mechanism, nights: pd.DataFrame, rows: NDArray[np.int64], days: NDArray
) -> Iterator[Violation]:
    period = nights["period"].to_numpy()[rows]
    least = 1 + mechanism.wash_out_nights
    gaps = np.diff(days) / np.timedelta64(1, "D")
    for i in np.flatnonzero(gaps < least):
        if mechanism.kind != "crossover" or period[i] != period[i + 1]:
            yield Violation(
                int(rows[i + 1]),
                "date",
                f"{gaps[i]:g} days after the night before",
                f"{least} or more, {least - 1} of them for wash-out",
            )


def _dose_violations(mechanism: Mechanism, nights: pd.DataFrame, days: NDArray) -> Iterator[Violation]:
    """Find where nights of control and two doses are not as many of each, or a block does not hold each once."""
    codes, n_codes = mechanism.conditions, len(mechanism.conditions)
    given, block = nights["condition"].to_numpy(dtype=object), nights["block"].to_numpy()
    for rows in subject_rows(nights).values():
        own = given[rows]
        for i in range(0, len(rows) - n_codes + 1, n_codes) if mechanism.kind == "blocks" else ():
            part, last = slice(i, i + n_codes), int(rows[i + n_codes - 1])
            if len(set(block[rows[part]])) > 1 or (i and block[rows[i]] == block[rows[i - 1]]):
                yield Violation(
                    last, "block", str(block[last]), f"the {n_codes} nights of block {i // n_codes + 1} alone"
                )
            if set(own[part]) != set(codes):
                found = f"{', '.join(own[part])} in block {i // n_codes + 1}"
                yield Violation(last, "condition", found, f"one each of {', '.join(codes)}")
        counts = [int((own == code).sum()) for code in codes]
        if len(set(counts)) > 1:
            words = ", ".join(f"{n} nights of {code}" for n, code in zip(counts, codes, strict=True))
            yield Violation(int(rows[-1]), "condition", words, "equal numbers; keep the rows of missed nights")
        if mechanism.wash_out_nights:
            yield from _gap_violations(mechanism, nights, rows, days[rows])


def _code(mechanism: Mechanism, second: bool) -> str:
    return mechanism.conditions[int(second)]


def _pair_violations(
    mechanism: Mechanism, nights: pd.DataFrame, rows: NDArray[np.int64], second: NDArray[np.bool_]
) -> Iterator[Violation]:
    blocks = nights["block"].to_numpy()[rows]
    for i in range(0, len(rows) - 1, 2):
        codes = f"{_code(mechanism, second[i])}, {_code(mechanism, second[i + 1])}"
        if blocks[i] != blocks[i + 1] or (i and blocks[i] and blocks[i] == blocks[i - 1]):
            yield Violation(int(rows[i + 1]), "block", str(blocks[i + 1]), f"the two nights of pair {i // 2 + 1} alone")
        if second[i] == second[i + 1]:
            yield Violation(int(rows[i + 1]), "condition", f"{codes} in pair {i // 2 + 1}", "one of each in a pair")
    if len(rows) % 2:
        yield Violation(
            int(rows[-1]),
            "condition",
            f"{len(rows)} nights",
            "pairs: an even number; keep the row of a missed night, with its condition and without a file",
        )
    else:
        yield from _balance_violations(mechanism, nights, rows, second)


def _sequence_violations(
    mechanism: Mechanism, nights: pd.DataFrame, rows: NDArray[np.int64], second: NDArray[np.bool_]
) -> Iterator[Violation]:
    run = 0
    for i in range(len(rows)):
        run = run + 1 if i and second[i] == second[i - 1] else 1
        if mechanism.kind == "max-run" and run > mechanism.max_run:
            yield Violation(
                int(rows[i]),
                "condition",
                f"{run} nights of {_code(mechanism, second[i])} in a row",
                f"{mechanism.max_run} at most",
            )
    yield from _balance_violations(mechanism, nights, rows, second)


def _balance_violations(
    mechanism: Mechanism, nights: pd.DataFrame, rows: NDArray[np.int64], second: NDArray[np.bool_]
) -> Iterator[Violation]:
    groups = {"nights": np.ones(len(rows), dtype=bool)}
    if mechanism.weekend_balance:
        groups["weekend nights"] = is_weekend(nights["date"].iloc[rows])
    for word, chosen in groups.items():
        n_second, n = int(second[chosen].sum()), int(chosen.sum())
        if abs(2 * n_second - n) > 1:
            first_code, second_code = mechanism.conditions
            yield Violation(
                int(rows[-1]),
                "condition",
                f"{n - n_second} {word} of {first_code} and {n_second} of {second_code}",
                "numbers that differ by at most one; keep the rows of missed nights",
            )


def _phase_violations(
    mechanism: Mechanism, nights: pd.DataFrame, rows: NDArray[np.int64], second: NDArray[np.bool_]
) -> Iterator[Violation]:
    del nights
    begins = np.concatenate([[0], np.flatnonzero(second[1:] != second[:-1]) + 1, [len(rows)]])
    for i, length in enumerate(np.diff(begins)):
        if length < mechanism.min_phase:
            yield Violation(
                int(rows[begins[i]]), "condition", f"{length} nights in phase {i + 1}", f"{mechanism.min_phase} or more"
            )
    if len(begins) - 1 != mechanism.n_phases:
        yield Violation(int(rows[-1]), "condition", f"{len(begins) - 1} phases", str(mechanism.n_phases))
    if not mechanism.random_start and second[0]:
        yield Violation(int(rows[0]), "condition", _code(mechanism, second=True), f"{mechanism.conditions[0]} first")


def _period_violations(
    mechanism: Mechanism, nights: pd.DataFrame, rows: NDArray[np.int64], second: NDArray[np.bool_]
) -> Iterator[Violation]:
    orders = mechanism.orders
    periods = nights["period"].to_numpy()[rows]
    for i, period in enumerate(periods):
        if not 1 <= period <= orders.shape[1] or (i and period < periods[i - 1]):
            yield Violation(int(rows[i]), "period", str(period), f"1 to {orders.shape[1]}, rising with the date")
            return
    fits = (orders[:, periods - 1] == second).all(axis=1)
    if not fits.any():
        # the first night at which no order fits any more
        longest = max(int((orders[k, periods - 1] != second).argmax()) for k in range(len(orders)))
        allowed = " or ".join(" ".join(_code(mechanism, c) for c in order) for order in orders)
        yield Violation(
            int(rows[longest]),
            "condition",
            f"{_code(mechanism, second[longest])} in period {periods[longest]}",
            f"the order {allowed} over the periods",
        )


def _group_violations(
    mechanism: Mechanism, nights: pd.DataFrame, rows: NDArray[np.int64], second: NDArray[np.bool_]
) -> Iterator[Violation]:
    changed = np.flatnonzero(second != second[0])
    if changed.size:
        i = changed[0]
        name = nights["subject"].iloc[rows[0]]
        yield Violation(
            int(rows[i]),
            "condition",
            f"{_code(mechanism, second[i])} after {_code(mechanism, second[0])}",
            f"one condition for all nights of {name}",
        )


def _unbalanced_sleepers(mechanism: Mechanism, nights: pd.DataFrame, second: NDArray[np.bool_]) -> Violation | None:
    """Return where the numbers of sleepers by order differ by more than one, within a stratum."""
    orders = mechanism.orders
    strata: dict[object, list[int]] = {}
    last = 0
    for rows in subject_rows(nights).values():
        periods = nights["period"].to_numpy()[rows] - 1 if mechanism.kind == "crossover" else np.zeros(len(rows), int)
        fits = np.flatnonzero((orders[:, periods] == second[rows]).all(axis=1))
        if fits.size > 1:  # a sleeper who left early may have drawn either
            continue
        stratum = nights[mechanism.strata].iloc[rows[0]] if mechanism.strata else ""
        strata.setdefault(stratum, []).append(int(fits[0]))
        last = int(rows[0])
    for chosen in strata.values():
        counts = np.bincount(chosen, minlength=len(orders))
        if np.ptp(counts) > 1:
            return Violation(
                last,
                "condition",
                f"{', '.join(map(str, counts))} sleepers by order",
                "numbers that differ by at most one; keep the rows of those who left",
            )
    return None
