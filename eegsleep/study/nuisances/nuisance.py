"""Other explanations of a difference: trend, carry-over, minutes, stages, recall, device, one night, guesses.

They do not change the analysis; each is reported beside the result as a number with a sentence. Differences
are by least squares on the nights, with the covariates of the comparison and the nuisance as one more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.statistics.effects import Estimate, adjusted_t, leave_one_out
from eegsleep.study.arrangement import KEYS, Arrangement, is_circular
from eegsleep.study.nuisances.gain import POWERS, REFERENCE, compare_gain, gain_of_nights
from eegsleep.study.nuisances.recall import EVENT_WORDS, compare_recall, counted_kind, recall_of_nights
from eegsleep.study.nuisances.stage_mix import standardize_stage_mix
from eegsleep.study.schedules.mechanisms import is_weekend
from eegsleep.tables import NUISANCE, check_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MINUTES_APART = 0.10  # share of the control nights' minutes
_TIB_APART_MIN = 15.0  # as large as the smallest effect of interest on total sleep time
_RECALL_APART = 0.10  # share of the control nights' recall
_CLEAR_T = 2.0  # of a covariate's difference between the conditions
_NO_MARKER = dict.fromkeys(KEYS, "")


class Arms(NamedTuple):
    """The names of the two conditions in sentences; the codes while it is not known which is the compound."""

    first: str = "the control"
    second: str = "the compound"


def measure_nuisances(
    arranged: Arrangement, covariates: Floats | None, *, arms: Arms | None = None, audit: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return table NUISANCE for every marker that can be compared.

    Parameters
    ----------
    arranged : Arrangement
        The nights and their markers.
    covariates : ndarray, shape (n_nights, n_covariates), optional
        What the comparison itself adjusts for.
    arms : Arms, optional
        What the conditions are called.
    audit : DataFrame, optional
        Table AUDIT of the nights, with a column `night`; without it there is no row about recall.

    Returns
    -------
    DataFrame
    """
    in_bed, arms = _time_in_bed(arranged), arms or Arms()
    rows = [
        *_in_bed_rows(arranged, in_bed, arms),
        *_device_rows(arranged),
        *_gain_rows(arranged, covariates, arms),
        *_guess_rows(arranged, arms),
        *_covariate_rows(arranged, arms),
        *_recall_rows(arranged, audit, arms),
    ]
    for index, entry in arranged.entries.iterrows():
        values = arranged.value[index]
        if is_circular(entry["unit"]):
            continue
        base = adjusted_t(values, arranged.assigned, covariates)
        if not math.isfinite(base.estimate) or np.nanmax(values) == np.nanmin(values):
            continue
        key = {name: entry[name] for name in KEYS}
        found = [
            _trend(arranged, values, covariates, base),
            _carry_over(arranged, values, arms),
            _clean_minutes(arranged, index, arms),
            _stage_mix(arranged, index, covariates, base, arms),
            _bed_adjusted(arranged, values, covariates, base, in_bed),
            _staging(arranged, index, covariates, base),
            _recall(arranged, index, base, audit, arms),
            _gain(arranged, index, covariates, base),
            _one_night(arranged, values, covariates, base),
        ]
        rows += [{**key, "unit": entry["unit"], **row} for row in found if row]
    return check_table(pd.DataFrame(rows, columns=NUISANCE.column_names), NUISANCE)


def _row(kind: str, value: float, adjusted: float, conspicuous: bool, sentence: str, **more: str) -> dict:
    return {
        "kind": kind,
        "value": value,
        "adjusted_difference": adjusted,
        "conspicuous": bool(conspicuous),
        "sentence": sentence,
        **more,
    }


def _with(covariates: Floats | None, column: Floats) -> Floats:
    column = np.where(np.isfinite(column), column, np.nanmean(column))[:, np.newaxis]
    return column if covariates is None else np.hstack([covariates, column])


def _moves(base: Estimate, adjusted: float) -> bool:
    """Return whether adjustment reverses a difference of more than one standard error, or halves it."""
    return (
        abs(base.t) > 1
        and math.isfinite(adjusted)
        and (adjusted * base.estimate < 0 or abs(adjusted) < abs(base.estimate) / 2)
    )


def _means(arranged: Arrangement, values: Floats) -> tuple[float, float, int]:
    kept = np.isfinite(values)
    first, second = values[kept & ~arranged.assigned], values[kept & arranged.assigned]
    if not (first.size and second.size):
        return math.nan, math.nan, 0
    return float(first.mean()), float(second.mean()), min(first.size, second.size)


def _trend(arranged: Arrangement, values: Floats, covariates: Floats | None, base: Estimate) -> dict | None:
    days = arranged.days
    subjects = (arranged.subjects[:, np.newaxis] == np.unique(arranged.subjects)[1:]).astype(float)
    kept = np.isfinite(values)
    x = np.column_stack([days, np.ones(len(days)), subjects, arranged.assigned])[kept]
    if np.linalg.matrix_rank(x) < x.shape[1]:  # in parallel groups the columns of the sleepers determine the condition
        x = x[:, :-1]
    if np.linalg.matrix_rank(x) < x.shape[1] or len(x) <= x.shape[1]:
        return None
    beta, rest, _, _ = np.linalg.lstsq(x, values[kept], rcond=None)
    freedom = len(x) - x.shape[1]
    error = math.sqrt(float(rest[0]) / freedom * np.linalg.inv(x.T @ x)[0, 0]) if rest.size else math.nan
    adjusted = adjusted_t(values, arranged.assigned, _with(covariates, days)).estimate
    change = float(beta[0]) * float(np.ptp(days[kept]))
    sure = error > 0 and abs(beta[0]) > 2 * error
    return _row(
        "trend",
        change,
        adjusted,
        bool(sure) and _moves(base, adjusted),
        f"From the first to the last night it changed by {change:.3g} whatever the condition; "
        f"with that trend taken out the difference is {adjusted:.3g}.",
    )


def _carry_over(arranged: Arrangement, values: Floats, arms: Arms) -> dict | None:
    before = np.full(len(values), np.nan)
    same = (arranged.subjects[1:] == arranged.subjects[:-1]) & (np.diff(arranged.days) == 1)
    before[1:][same] = arranged.assigned[:-1][same]
    usable = np.isfinite(before) & np.isfinite(values)
    if usable.sum() < 6 or np.ptp(before[usable]) == 0:
        return None
    masked = np.where(usable, values, np.nan)
    days = arranged.days[:, np.newaxis]
    lag = adjusted_t(masked, before == 1, np.hstack([arranged.assigned[:, np.newaxis].astype(float), days]))
    direct = adjusted_t(masked, arranged.assigned, _with(days, before))
    if not (math.isfinite(lag.estimate) and math.isfinite(direct.estimate)):
        return None
    return _row(
        "carry-over",
        lag.estimate,
        direct.estimate,
        math.isfinite(lag.p) and lag.p < 0.05,
        f"Nights after one with {arms.second} differed by {lag.estimate:.3g} ({lag.low:.3g} to "
        f"{lag.high:.3g}); with that term the difference is {direct.estimate:.3g}. Reported only: it never "
        "chooses the analysis.",
    )


def _clean_minutes(arranged: Arrangement, index: int, arms: Arms) -> dict | None:
    minutes = np.where(np.isfinite(arranged.value[index]), arranged.clean_min[index], np.nan)
    first, second, n = _means(arranged, minutes)
    if not n:
        return None
    apart = abs(second - first) > _MINUTES_APART * first
    return _row(
        "clean minutes",
        second - first,
        math.nan,
        apart,
        f"It rests on {second:.0f} clean minutes a night with {arms.second} and {first:.0f} with {arms.first}.",
        unit="min",
    )


def _stage_mix(arranged: Arrangement, index: int, covariates: Floats | None, base: Estimate, arms: Arms) -> dict | None:
    """Return the difference in NREM sleep at the share of N3 that the control nights have."""
    mix = standardize_stage_mix(arranged, index)
    if mix is None:
        return None
    adjusted = adjusted_t(mix.values, arranged.assigned, covariates).estimate
    if not math.isfinite(adjusted):
        return None
    return _row(
        "stage mix",
        100 * (mix.second - mix.first),
        adjusted,
        _moves(base, adjusted),
        f"N3 made up {100 * mix.second:.0f} % of its minutes with {arms.second} and {100 * mix.first:.0f} % "
        f"with {arms.first}; at the latter the difference would be {adjusted:.3g}.",
        unit="percentage points",
    )


def _time_in_bed(arranged: Arrangement) -> Floats:
    """Return minutes in bed from lights off and on, or from the marker of that name."""
    nights = arranged.nights
    if {"lights_off", "lights_on"} <= set(nights.columns):
        off, on = (
            pd.to_datetime(nights[name].astype("str"), errors="coerce", format="mixed")
            for name in ("lights_off", "lights_on")
        )
        minutes = ((on - off).dt.total_seconds() / 60).to_numpy(dtype=float)
        minutes = np.where(minutes <= 0, minutes + 1440, minutes)
        if np.isfinite(minutes).sum() >= 2:
            return minutes
    found = np.flatnonzero(arranged.entries["marker"] == "tib_min")
    return arranged.value[found[0]] if found.size else np.full(len(nights), np.nan)


def _in_bed_rows(arranged: Arrangement, in_bed: Floats, arms: Arms) -> list[dict]:
    first, second, n = _means(arranged, np.where(_entering(arranged), in_bed, np.nan))
    if not n:
        return []
    return [
        _row(
            "time in bed",
            second - first,
            math.nan,
            abs(second - first) > _TIB_APART_MIN,
            f"Time in bed was {second:.0f} minutes with {arms.second} and {first:.0f} with {arms.first}.",
            unit="min",
            **_NO_MARKER,
        )
    ]


def _bed_adjusted(
    arranged: Arrangement, values: Floats, covariates: Floats | None, base: Estimate, in_bed: Floats
) -> dict | None:
    if np.isfinite(in_bed).sum() < 4 or np.nanstd(in_bed) == 0:
        return None
    adjusted = adjusted_t(values, arranged.assigned, _with(covariates, in_bed)).estimate
    if not math.isfinite(adjusted):
        return None
    first, second, _ = _means(arranged, np.where(np.isfinite(values), in_bed, np.nan))
    moved = _moves(base, adjusted) and abs(second - first) > _TIB_APART_MIN
    return _row(
        "time in bed",
        adjusted - base.estimate,
        adjusted,
        moved,
        f"At equal time in bed the difference would be {adjusted:.3g}.",
    )


def _staging(arranged: Arrangement, index: int, covariates: Floats | None, base: Estimate) -> dict | None:
    half = (arranged.high[index] - arranged.low[index]) / 2
    expected = adjusted_t(arranged.expected[index], arranged.assigned, covariates).estimate
    expected = 0.0 if abs(expected) < 1e-9 * abs(base.estimate) else expected  # rounding of equal nights
    kept = np.isfinite(half)
    if not kept.any() and not math.isfinite(expected):
        return None
    width = float(half[kept].mean()) if kept.any() else math.nan
    words = f"Unsure stages leave ±{width:.3g} on a night's value. " if kept.any() else ""
    if math.isfinite(expected):
        words += f"By the probabilities of the stages instead of their count the difference is {expected:.3g}."
    # Independent errors of single nights average out. Errors that depend on the condition do not: the second number
    # shows them.
    return _row("staging", width, expected, _moves(base, expected), words.strip())


def _recall(arranged: Arrangement, index: int, base: Estimate, audit: pd.DataFrame | None, arms: Arms) -> dict | None:
    """Return the difference of a density if events had been detected equally often in both conditions."""
    entry, values = arranged.entries.iloc[index], arranged.value[index]
    kind = counted_kind(entry["marker"])
    if audit is None or not kind:
        return None
    shares = recall_of_nights(audit, arranged.nights["night"].to_numpy(), kind, entry["stage"], entry["channel"])
    found = compare_recall(shares, arranged.assigned, np.isfinite(values))
    if found is None or not found.ratio > 0:
        return None
    first, _, _ = _means(arranged, values)
    made, adjusted = first * (found.ratio - 1), (first + base.estimate) / found.ratio - first
    return _row(
        "recall",
        100 * (found.second - found.first),
        adjusted,
        _moves(base, adjusted),
        f"The detector saw {100 * found.second:.0f} % of planted {EVENT_WORDS[kind]} with {arms.second} and "
        f"{100 * found.first:.0f} % with {arms.first}. That alone would change the density by {made:.3g}; seen "
        f"alike, the difference would be {adjusted:.3g}.",
        unit="percentage points",
    )


def _recall_rows(arranged: Arrangement, audit: pd.DataFrame | None, arms: Arms) -> list[dict]:
    """Return the share of planted events of each kind that was detected in each condition, over all derivations."""
    rows = []
    for kind, spoken in EVENT_WORDS.items() if audit is not None else ():
        shares = recall_of_nights(audit, arranged.nights["night"].to_numpy(), kind)
        found = compare_recall(shares, arranged.assigned, _entering(arranged))
        if found is not None and math.isfinite(found.ratio):
            rows.append(
                _row(
                    "recall",
                    100 * (found.second - found.first),
                    math.nan,
                    abs(found.ratio - 1) > _RECALL_APART,
                    f"Of {spoken} planted into N2 and N3 the detector saw {100 * found.second:.0f} % with "
                    f"{arms.second} and {100 * found.first:.0f} % with {arms.first}: alone it would multiply "
                    f"their density by {found.ratio:.2f}.",
                    unit="percentage points",
                    **_NO_MARKER,
                )
            )
    return rows


def _entering(arranged: Arrangement) -> NDArray[np.bool_]:
    """Return which nights were recorded and are neither excluded nor for adaptation."""
    out = arranged.nights["excluded"].to_numpy(dtype=bool) | arranged.nights["adaptation"].to_numpy(dtype=bool)
    return ~out & (arranged.nights["file"] != "").to_numpy()


def _one_night(arranged: Arrangement, values: Floats, covariates: Floats | None, base: Estimate) -> dict | None:
    without = leave_one_out(values, arranged.assigned, covariates)
    kept = np.isfinite(without)
    if not np.isfinite(without).any():
        return None
    worst = int(np.nanargmax(np.abs(without - base.estimate)))
    turns = abs(base.t) > 1 and bool((without[kept] * base.estimate < 0).any())
    name = arranged.nights["night"].iloc[worst]
    return _row(
        "one night",
        without[worst] - base.estimate,
        without[worst],
        turns or _moves(base, without[worst]),
        f"Without night {name} the difference is {without[worst]:.3g}; leaving out any one night it lies "
        f"between {np.nanmin(without):.3g} and {np.nanmax(without):.3g}.",
    )


def _device_rows(arranged: Arrangement) -> list[dict]:
    enters = _entering(arranged)
    device = arranged.nights["device"].astype("str").to_numpy(dtype="U99")
    counts = pd.crosstab(device[enters], arranged.assigned[enters])
    if len(counts) < 2:
        return []
    mixed = int((counts.gt(0).sum(axis=1) == 2).sum())
    share = counts.div(counts.sum(axis=0), axis=1)
    apart = float(share.diff(axis=1).abs().to_numpy()[:, -1].max()) if share.shape[1] == 2 else 1.0
    return [
        _row(
            "device",
            float(len(counts)),
            math.nan,
            mixed < len(counts) or apart > 0.2,
            f"{len(counts)} devices were used, {mixed} of them in both conditions; their shares differ by up to "
            f"{100 * apart:.0f} points between conditions.",
            unit="n",
            **_NO_MARKER,
        )
    ]


def _gain_rows(arranged: Arrangement, covariates: Floats | None, arms: Arms) -> list[dict]:
    """Return how far the gain check of each derivation differs between the conditions."""
    rows = []
    for channel in arranged.entries.loc[arranged.entries["marker"] == REFERENCE, "channel"].unique():
        gain = gain_of_nights(arranged, channel)
        apart, suspect = (math.nan, False) if gain is None else compare_gain(gain, arranged.assigned, covariates)
        if math.isfinite(apart):
            rows.append(
                _row(
                    "gain",
                    100 * apart,
                    math.nan,
                    suspect,
                    f"The gain check of {channel}, 30-40 Hz in the quietest sleep, was "
                    f"{abs(100 * apart):.1f} % {'higher' if apart >= 0 else 'lower'} with {arms.second}"
                    + (": suspect the electrodes." if suspect else "."),
                    unit="%",
                    **_NO_MARKER,
                )
            )
    return rows


def _gain(arranged: Arrangement, index: int, covariates: Floats | None, base: Estimate) -> dict | None:
    """Return the difference of an amplitude or a power if each night is divided by its gain check."""
    entry = arranged.entries.iloc[index]
    gain = gain_of_nights(arranged, entry["channel"]) if entry["unit"] in POWERS else None
    if gain is None or entry["marker"] == REFERENCE:
        return None
    values = arranged.value[index] / gain ** POWERS[entry["unit"]]
    adjusted = adjusted_t(values, arranged.assigned, covariates).estimate
    apart, suspect = compare_gain(gain, arranged.assigned, covariates)
    if not (math.isfinite(adjusted) and math.isfinite(apart)):
        return None
    return _row(
        "gain",
        adjusted - base.estimate,
        adjusted,
        suspect and _moves(base, adjusted),
        f"With each night measured against its gain check the difference would be {adjusted:.3g}.",
    )


def _covariate_rows(arranged: Arrangement, arms: Arms) -> list[dict]:
    """Return how far each covariate of the nights differs between the conditions."""
    enters, rows = _entering(arranged), []
    weekend = pd.Series(is_weekend(arranged.nights["date"]).astype(float))
    listed = {name: arranged.nights[name] for name in arranged.nights.columns if name.startswith("cov_")}
    for name, column in {"weekend": weekend, **listed}.items():
        if not pd.api.types.is_numeric_dtype(column):
            continue
        found = adjusted_t(np.where(enters, column.to_numpy(dtype=float), np.nan), arranged.assigned, None)
        first, second, n = _means(arranged, np.where(enters, column.to_numpy(dtype=float), np.nan))
        if n < 2 or not math.isfinite(found.estimate):
            continue
        label = name.removeprefix("cov_").replace("_", " ")
        rows.append(
            _row(
                "covariate",
                second - first,
                math.nan,
                abs(found.t) > _CLEAR_T if math.isfinite(found.t) else abs(second - first) > 0,
                f"{label.capitalize()} was on average {second:.3g} with {arms.second}, {first:.3g} with {arms.first}.",
                unit="",
                **_NO_MARKER,
            )
        )
    return rows


def _guess_rows(arranged: Arrangement, arms: Arms) -> list[dict]:
    codes = arranged.nights["condition"].to_numpy(dtype="U99")
    meaning = dict(zip(codes.tolist(), arranged.assigned.tolist(), strict=True))
    if arms == Arms():  # while masked, it is not known which code a guess of "compound" means
        meaning |= {"control": False, "compound": True}
    guesses, enters = arranged.nights["guess"].astype("str"), _entering(arranged)
    said = guesses.map(meaning)
    made = said.notna().to_numpy() & enters
    if made.sum() < 2:
        return []
    right = (said == arranged.assigned).to_numpy() & made
    unsure = (guesses == "?").to_numpy() & enters
    # Bang et al. 2004: 1 is all right, 0 is guessing or no idea, -1 all wrong, for each condition by itself.
    bang = [
        (2 * right[arm].sum() - made[arm].sum()) / n if (n := (made | unsure)[arm].sum()) else math.nan
        for arm in (~arranged.assigned, arranged.assigned)
    ]
    error = math.sqrt(made.sum()) / 2
    no_idea = f" ({unsure.sum()} more had no idea)" if unsure.any() else ""
    return [
        _row(
            "blinding",
            float(right.sum() / made.sum()),
            math.nan,
            right.sum() - made.sum() / 2 > 2 * error,
            f"{right.sum()} of {made.sum()} guesses were right{no_idea}; Bang's index is {bang[1]:.2f} with "
            f"{arms.second} and {bang[0]:.2f} with {arms.first}.",
            unit="",
            **_NO_MARKER,
        )
    ]
