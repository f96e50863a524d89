"""Fourteen checks of a study: what could make its answer wrong, each with its number."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.markers import MarkerSettings
from eegsleep.study.night_values import Line, check_markers, endpoint_values, fit_line, previous_night
from eegsleep.study.planning.power import lag_one_autocorrelation, smallest_p
from eegsleep.study.recording_checks import find_misplaced, find_verdict_conflicts
from eegsleep.study.regularity import chance_of_regular_order, was_drawn_by_plan
from eegsleep.study.schedules.mechanisms import is_weekend, subject_rows
from eegsleep.study.schedules.schedule import find_violation
from eegsleep.tables import CHECKS, check_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from eegsleep.study.declared.protocol import Study

MIN_ADAPTATION_NIGHTS = 2
_CORRELATION_LIMIT = 0.5
_TREND_LIMIT_SD = 1.0
_DEVICE_LIMIT = 0.5
_MISSING_LIMIT_POINTS = 20.0
_TIB_LIMIT_MIN = 15.0  # the smallest effect on total sleep time that matters (AASM)
_BANG_LIMIT = 0.2
_FAULTS_SHOWN = 3
_RARE, _UNUSUAL = 0.01, 0.1  # chance of an order as regular as the one followed


class Check(NamedTuple):
    """One row of table `CHECKS`."""

    code: str
    name: str
    status: str
    value: float
    limit: float
    message: str


def run_checks(
    study: Study,
    values: pd.DataFrame | None = None,
    provenances: Mapping[str, Mapping[str, Any]] | None = None,
    left_out: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """Run checks C1 to C14.

    Parameters
    ----------
    study : Study
        Masked or not: no check except that of blinding uses which code is the compound.
    values : pandas.DataFrame, optional
        One row for each night and marker: `night, marker, stage, channel, value, clean_min` and more. Checks
        that need it warn where it is missing.
    provenances : mapping of str to mapping, optional
        provenance.json by night: C6 then goes by what recorded each night and on which derivations, too, and not by
        nights.csv alone; C13 and C14 need it and warn without.
    left_out : mapping of str to mapping, optional
        provenance.json of excluded nights that were scored, for C14.

    Returns
    -------
    pandas.DataFrame
        Table `CHECKS`.

    Examples
    --------
    >>> checks = es.run_checks(study, values)
    >>> checks.columns[0]
    'code'
    """
    values = check_markers(values)
    with_setups = dataclasses.replace(
        study, nights=study.nights.assign(device=_describe_devices(study.nights, provenances))
    )
    rows = [check(with_setups if check is check_device else study, values) for check in _CHECKS]
    made = provenances or {}
    rows += [check_recordings(study, made), check_verdicts(study, {**(left_out or {}), **made})]
    return check_table(pd.DataFrame(rows, columns=CHECKS.column_names), CHECKS)


def _describe_devices(nights: pd.DataFrame, provenances: Mapping[str, Mapping[str, Any]] | None) -> pd.Series:
    """Return the device of each night as entered, with more words where one name stands for different setups."""
    made = {night: _describe_setup(p) for night, p in (provenances or {}).items()}
    found = nights["night"].map(made).astype("str").where(nights["night"].isin(made), "")
    devices = nights["device"].astype("str")
    for _, own in found[found != ""].groupby(devices[found != ""]):
        if len(set(own)) > 1:
            usual = own.mode().iloc[0]  # assumed for nights that were not scored
            same = devices == devices[own.index[0]]
            devices = devices.where(~same, (devices + " " + found.where(found != "", usual)).str.strip())
    return devices


def _describe_setup(provenance: Mapping[str, Any]) -> str:
    eeg = [label for label, role in (provenance.get("roles") or {}).items() if role == "eeg"]
    return f"{provenance.get('device') or ''} ({', '.join(sorted(eeg))})".removesuffix(" ()")


def _second(study: Study) -> NDArray[np.bool_]:
    return (study.nights["condition"] == study.conditions[1]).to_numpy()


def _by_condition(study: Study, numbers: NDArray, among: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean of `numbers` in the first and in the second condition; NaN where there is none."""
    given = (study.nights["condition"] != "").to_numpy() & among & np.isfinite(numbers)
    second = _second(study)
    first, last = (
        float(part.mean()) if part.size else math.nan for part in (numbers[given & ~second], numbers[given & second])
    )
    return first, last


def check_adaptation(study: Study, values: pd.DataFrame) -> Check:
    """C1: at least two nights of each sleeper with each device come before the first that enters."""
    del values
    fewest, where = math.inf, ""
    nights = study.nights[study.nights["file"] != ""].sort_values("date", kind="stable")
    for (subject, device), own in nights.groupby(["subject", "device"], sort=False):
        first = int((~own["adaptation"]).to_numpy().argmax()) if not own["adaptation"].all() else len(own)
        if first < fewest:
            fewest, where = first, f"{subject}{f' with {device}' if device else ''}"
    if math.isinf(fewest):
        return Check("C1", "adaptation", "warn", math.nan, MIN_ADAPTATION_NIGHTS, "No night was recorded.")
    status = "pass" if fewest >= MIN_ADAPTATION_NIGHTS else "warn"
    message = f"The fewest adaptation nights before the first that enters: {fewest} ({where})."
    return Check("C1", "adaptation", status, fewest, MIN_ADAPTATION_NIGHTS, message)


def _correlation(a: NDArray, b: NDArray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 2 and np.ptp(a) and np.ptp(b) else 0.0


def check_allocation(study: Study, values: pd.DataFrame) -> Check:
    """C2: the mechanism could have drawn the schedule, which goes with neither time nor weekend by chance."""
    del values
    usable, second = study.usable.to_numpy(), _second(study)
    n_first, n_second = int((usable & ~second).sum()), int((usable & second).sum())
    rows_of = subject_rows(study.nights).values()
    cuts = [np.flatnonzero(np.diff(second[rows].astype(int))) + 1 for rows in rows_of]
    runs = [np.diff([0, *cut, len(rows)]).max() for cut, rows in zip(cuts, rows_of, strict=True)]
    longest = int(max(runs, default=0))
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *rows_of])
    taken = second[rows].astype(float)
    with_time = _correlation(taken, np.concatenate([np.zeros(0), *(np.arange(len(own)) for own in rows_of)]))
    with_weekend = _correlation(taken, is_weekend(study.nights["date"].iloc[rows]).astype(float))
    value = max(abs(with_time), abs(with_weekend))
    first_code, second_code = study.conditions
    message = (
        f"{n_first} nights of {first_code} and {n_second} of {second_code} enter; longest run {longest}; "
        f"condition goes with time at r = {with_time:.2f}, with the weekend at r = {with_weekend:.2f}."
    )
    found = find_violation(study.mechanism, study.nights)
    if found:
        night = study.nights["night"].iloc[found.row]
        message = f"{study.mechanism.kind} could not have drawn this schedule: {found.found} at {night}. {message}"
        return Check("C2", "allocation", "fail", value, _CORRELATION_LIMIT, message)
    chance = math.nan if was_drawn_by_plan(study) else chance_of_regular_order(study.mechanism, study.nights)
    if chance < _UNUSUAL:
        message = (
            f"The conditions alternate. {study.mechanism.kind} seldom draws so regular an order (1 time in "
            f"{1 / chance:,.0f}): if the nights were alternated rather than drawn, declare that. {message}"
        )
        return Check("C2", "allocation", "fail" if chance < _RARE else "warn", value, _CORRELATION_LIMIT, message)
    if not (n_first and n_second):
        return Check("C2", "allocation", "fail", value, _CORRELATION_LIMIT, f"One condition has no night. {message}")
    if study.mechanism.kind == "observational":
        message = f"Nothing was drawn: differences may have any cause. {message}"
        if value > _CORRELATION_LIMIT:
            what = "time" if abs(with_time) >= abs(with_weekend) else "weekend"
            message += f" What the {what} does cannot be told from what the condition does."
            return Check("C2", "allocation", "fail", value, _CORRELATION_LIMIT, message)
    warn = value > _CORRELATION_LIMIT or study.mechanism.kind == "observational"
    return Check("C2", "allocation", "warn" if warn else "pass", value, _CORRELATION_LIMIT, message)


def check_smallest_p(study: Study, values: pd.DataFrame) -> Check:
    """C3: the nights that are there can give a p-value at or below alpha."""
    del values
    name = "smallest p"
    if study.mechanism.kind == "observational":
        return Check("C3", name, "warn", math.nan, study.alpha, "No mechanism was declared: no p-value is given.")
    if find_violation(study.mechanism, study.nights):
        return Check("C3", name, "fail", math.nan, study.alpha, "The schedule is none of the mechanism's: no p-value.")
    least = smallest_p(study.mechanism, study.nights, study.usable.to_numpy(), seed=study.seed)
    reach = least <= study.alpha
    message = f"The smallest p-value these nights can give is {least:.3g}" + (
        "." if reach else ": nothing here can be called significant."
    )
    return Check("C3", name, "pass" if reach else "fail", least, study.alpha, message)


def check_trend(study: Study, values: pd.DataFrame) -> Check:
    """C4: primary endpoints do not drift over the study; the autocorrelation is reported."""
    worst, words = 0.0, []
    several = len(subject_rows(study.nights)) > 1
    for endpoint in study.primary:
        y = endpoint_values(study, values, endpoint)
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *subject_rows(study.nights).values()])
        rows = rows[np.isfinite(y[rows])]
        fit, span = _fit_trend(study, y, rows)
        if fit is None or not fit.residual_sd:
            continue
        drift = float(fit.coefficients[0] * span / fit.residual_sd)
        clear = abs(fit.coefficients[0]) > 2 * fit.errors[0]
        worst = max(worst, drift if clear else 0.0, key=abs)
        r = "" if several else f", autocorrelation {lag_one_autocorrelation(fit.residuals):.2f}"
        chance = "" if clear else ", no more than chance gives"
        words.append(f"{endpoint}: {drift:+.2f} SD over the study{chance}{r}")
    if not words:
        return Check("C4", "trend", "warn", math.nan, _TREND_LIMIT_SD, "Too few values of the primary endpoints.")
    status = "warn" if abs(worst) > _TREND_LIMIT_SD else "pass"
    return Check("C4", "trend", status, worst, _TREND_LIMIT_SD, f"{'; '.join(words)}.")


def _fit_trend(study: Study, y: NDArray[np.float64], rows: NDArray[np.int64]) -> tuple[Line | None, float]:
    """Fit a common slope over days beside sleepers and condition; return it with the days it spans."""
    nights = study.nights.iloc[rows]
    days = nights["date"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    names = nights["subject"].to_numpy(dtype=object)
    sleepers = [names == name for name in dict.fromkeys(names.tolist())]
    time = np.zeros(len(rows))
    for own in sleepers:
        time[own] = days[own] - days[own].min()
    columns = [time, *sleepers[1:]]
    # in parallel groups the columns of the sleepers determine the condition
    if study.mechanism.kind != "parallel":
        columns.append(_second(study)[rows])
    return fit_line(y[rows], np.column_stack(columns)), float(np.ptp(time)) if len(rows) else 0.0


def check_carry_over(study: Study, values: pd.DataFrame) -> Check:
    """C5: the effect of the condition of the night before; it is reported and changes nothing else.

    If a test for carry-over chooses the analysis, the error rate of the whole is too high (Freeman 1989,
    doi:10.1002/sim.4780081202).
    """
    words, value = [], math.nan
    before = previous_night(study.nights)
    second = _second(study)
    given = (study.nights["condition"] != "").to_numpy()
    follow = np.zeros(len(given), dtype=bool)
    for endpoint in study.primary:
        y = endpoint_values(study, values, endpoint)
        follow |= np.isfinite(y) & (before >= 0) & given[before]
        rows = np.flatnonzero(np.isfinite(y) & (before >= 0) & given[before])
        fit = fit_line(y[rows], np.column_stack([second[rows], second[before[rows]]])) if len(rows) else None
        if fit is None or not fit.residual_sd:
            continue
        effect, error = fit.coefficients[1] / fit.residual_sd, fit.errors[1] / fit.residual_sd
        value = effect if math.isnan(value) else value
        words.append(f"{endpoint}: {effect:+.2f} SD (standard error {error:.2f})")
    message, status = f"After {study.conditions[1]} the night before, {'; '.join(words)}. Reported only.", "pass"
    if not words:
        message = "No night follows another with a value: no carry-over can be seen."
        if (follow & (second[before] != second)).any():
            message = "Nights of both conditions follow each other, but too few to tell carry-over from the effect."
            status = "warn"
        elif follow.any():
            message = "No night directly follows one of the other condition."
    return Check("C5", "carry-over", status, value, math.nan, message)


def check_device(study: Study, values: pd.DataFrame) -> Check:
    """C6: a change of device does not go with the condition."""
    del values
    nights = study.nights[study.usable]
    if study.mechanism.kind == "parallel":  # devices that only one sleeper used cannot be told from the sleeper
        shared = nights.groupby("device")["subject"].nunique()
        nights = nights[nights["device"].isin(shared.index[shared > 1])]
    counts = pd.crosstab(nights["device"], nights["condition"])
    table = counts.to_numpy(dtype=float)
    if table.shape[0] < 2 or table.shape[1] < 2:
        message = "All nights that enter have one device and one set of derivations."
        return Check("C6", "device", "pass", 0.0, _DEVICE_LIMIT, message)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    v = math.sqrt(((table - expected) ** 2 / expected).sum() / table.sum() / (min(table.shape) - 1))
    confounded = v > _DEVICE_LIMIT
    names = "; ".join(f"{name or 'not named'} {n} nights" for name, n in counts.sum(axis=1).items())
    advice = "Device and condition cannot be told apart." if confounded else "Look at each device by itself, too."
    message = f"{table.shape[0]} devices ({names}); they go with the condition at V = {v:.2f}. {advice}"
    return Check("C6", "device", "fail" if confounded else "warn", v, _DEVICE_LIMIT, message)


def _points_apart(study: Study, flags: NDArray[np.bool_]) -> tuple[float, str]:
    first, second = _by_condition(study, 100.0 * flags, np.ones(len(flags), dtype=bool))
    return second - first, f"{first:.0f} % of {study.conditions[0]} and {second:.0f} % of {study.conditions[1]}"


def check_missing(study: Study, values: pd.DataFrame) -> Check:
    """C7: as many nights are missing in one condition as in the other."""
    del values
    apart, words = _points_apart(study, (study.nights["file"] == "").to_numpy())
    status = "warn" if abs(apart) > _MISSING_LIMIT_POINTS else "pass"
    return Check("C7", "missing nights", status, apart, _MISSING_LIMIT_POINTS, f"Not recorded: {words}.")


def check_exclusions(study: Study, values: pd.DataFrame) -> Check:
    """C8: nights were excluded by declared rules, while the codes were masked, alike in both conditions."""
    del values
    nights = study.nights
    excluded = nights["excluded"].to_numpy()
    late = excluded & ~nights["decided_masked"].to_numpy()
    apart, words = _points_apart(study, excluded)
    other = sorted(set(nights.loc[excluded, "exclusion_reason"]) - set(study.exclusion_rules))
    message = f"Excluded: {words}."
    if late.any():
        message += f" Not decided while masked: {', '.join(nights.loc[late, 'night'])}."
    if other:
        message += f" Reasons that are no declared rule: {'; '.join(other)}."
    status = "fail" if late.any() else "warn" if other or abs(apart) > _MISSING_LIMIT_POINTS else "pass"
    return Check("C8", "exclusions", status, float(late.sum()), 0.0, message)


def _clock_min(clock: pd.Series) -> NDArray[np.float64]:
    """Return minutes from midnight, counted from noon to noon."""
    times = pd.to_timedelta(clock.where(clock.str.len() != 5, clock + ":00").replace("", None))
    minutes = (times / pd.Timedelta(minutes=1)).to_numpy(dtype=float)
    return np.where(minutes >= 720, minutes - 1440, minutes)


def check_time_in_bed(study: Study, values: pd.DataFrame) -> Check:
    """C9: both conditions had as long in bed, from the same hour."""
    off, on = _clock_min(study.nights["lights_off"]), _clock_min(study.nights["lights_on"])
    tib = np.where(on > off, on - off, np.nan)
    if not np.isfinite(tib).any():
        tib = endpoint_values(study, values, "tib_min||")
    usable = study.usable.to_numpy()
    first, second = _by_condition(study, tib, usable)
    early, late = _by_condition(study, off, usable)
    apart, shift = second - first, late - early
    if math.isnan(apart):
        return Check("C9", "time in bed", "warn", math.nan, _TIB_LIMIT_MIN, "Lights off and on are not known.")
    status = "warn" if max(abs(apart), 0.0 if math.isnan(shift) else abs(shift)) > _TIB_LIMIT_MIN else "pass"
    message = f"Time in bed {first:.0f} min in {study.conditions[0]}, {second:.0f} min in {study.conditions[1]}"
    message += "." if math.isnan(shift) else f"; lights off {shift:+.0f} min."
    more = " What is left at equal time in bed stands beside each result."
    return Check("C9", "time in bed", status, apart, _TIB_LIMIT_MIN, message + more * (status == "warn"))


def check_stage_support(study: Study, values: pd.DataFrame) -> Check:
    """C10: every night has enough clean minutes of the stage of each primary endpoint."""
    settings = MarkerSettings()
    worst, limit, words, seen, lost = math.inf, math.nan, [], False, False
    for endpoint in study.primary:
        marker, stage, _ = endpoint.split("|")
        if not stage or marker.startswith("day_"):
            continue
        needed = settings.min_spectrum_min
        if "spindle" in marker or "slow_oscillation" in marker:
            needed = settings.min_event_min
        if "coupling" in marker:
            needed = settings.min_coupling_min
        minutes = endpoint_values(study, values, endpoint, "clean_min")
        lacking = study.usable.to_numpy() & ~np.isfinite(endpoint_values(study, values, endpoint))
        if np.isfinite(minutes).any():
            seen = True
            least = float(np.nanmin(minutes))
            if math.isnan(limit) or least / needed < worst / limit:
                worst, limit = least, needed
        if lacking.any():
            words.append(f"{endpoint} is missing in {int(lacking.sum())} of {int(study.usable.sum())} nights")
            lost |= len(values) > 0 and lacking.sum() == study.usable.sum()
    if not seen:
        none = "No primary endpoint belongs to a stage." if not words else f"{'; '.join(words)}."
        status = "fail" if lost else "warn" if words else "pass"
        return Check("C10", "stage minutes", status, math.nan, math.nan, none)
    words = [f"The fewest clean minutes are {worst:g}, {limit:g} needed", *words]
    status = "fail" if lost else "warn" if worst < limit or len(words) > 1 else "pass"
    return Check("C10", "stage minutes", status, worst, limit, f"{'; '.join(words)}.")


def check_blinding(study: Study, values: pd.DataFrame) -> Check:
    """C11: the sleeper did not know; mean of Bang's index over both conditions, 0 by chance and 1 if known.

    Bang, Ni and Davis 2004, doi:10.1016/j.cct.2003.10.016. While masked, it is not known which code the guesses
    `compound` and `control` mean, so only the size of the index is given, without its sign.
    """
    del values
    nights = study.nights[study.usable & (study.nights["guess"] != "")]
    if nights.empty:
        return Check("C11", "blinding", "warn", math.nan, _BANG_LIMIT, "No morning guesses were recorded.")
    active = study.active or study.conditions[1]
    control = next(code for code in study.conditions if code != active)
    guess = nights["guess"].replace({"compound": active, "control": control})
    known = nights["guess"].isin(study.conditions).all() or study.active is not None
    indices = []
    for code in study.conditions:
        own = guess[nights["condition"] == code]
        right, wrong = int((own == code).sum()), int((~own.isin([code, "?"])).sum())
        indices.append((right - wrong) / len(own) if len(own) else math.nan)
    value = float(np.nanmean(indices))
    value = value if known else abs(value)
    status = "warn" if abs(value) > _BANG_LIMIT else "pass"
    message = f"{len(nights)} guesses; Bang's index {value:.2f}" + ("." if known else ", without its sign.")
    return Check("C11", "blinding", status, value, _BANG_LIMIT, message)


def check_prior_sleep(study: Study, values: pd.DataFrame) -> Check:
    """C12: the nights before had as much sleep in both conditions; lost sleep increases slow waves the next night."""
    name = "prior sleep"
    tst = endpoint_values(study, values, "tst_min||", usable_only=False)
    before = previous_night(study.nights)
    prior = np.where(before >= 0, tst[before], np.nan)
    first, second = _by_condition(study, prior, study.usable.to_numpy())
    apart = second - first
    if math.isnan(apart):
        return Check("C12", name, "warn", math.nan, _TIB_LIMIT_MIN, "The sleep of the nights before is not known.")
    status = "warn" if abs(apart) > _TIB_LIMIT_MIN else "pass"
    more = " Slow waves make up for lost sleep: part of a difference may be that."
    message = (
        f"Sleep of the night before: {first:.0f} min ahead of {study.conditions[0]}, {second:.0f} min ahead of "
        f"{study.conditions[1]}." + more * (status == "warn")
    )
    return Check("C12", name, status, apart, _TIB_LIMIT_MIN, message)


def check_recordings(study: Study, provenances: Mapping[str, Mapping[str, Any]]) -> Check:
    """C13: each recording is that of its night, by its date (a start before noon is of the evening before) and name."""
    faults, unknown = find_misplaced(study, provenances)
    if faults:
        more = f" And {len(faults) - _FAULTS_SHOWN} more." if len(faults) > _FAULTS_SHOWN else ""
        message = f"{' '.join(faults[:_FAULTS_SHOWN])}{more} A night in the wrong place counts for the wrong condition."
        return Check("C13", "recordings", "fail", float(len(faults)), 0.0, message)
    if unknown:
        return Check("C13", "recordings", "warn", math.nan, 0.0, unknown)
    return Check("C13", "recordings", "pass", 0.0, 0.0, "Every recording began on the evening of its night.")


def check_verdicts(study: Study, provenances: Mapping[str, Mapping[str, Any]]) -> Check:
    """C14: no night judged reject enters, and none is excluded as unusable that was judged usable."""
    faults = find_verdict_conflicts(study, provenances)
    if faults:
        return Check("C14", "signal verdicts", "fail", float(len(faults)), 0.0, " ".join(faults))
    if not any((made.get("quality") or {}).get("verdict") for made in provenances.values()):
        return Check("C14", "signal verdicts", "warn", math.nan, 0.0, "No night has a verdict on its signals.")
    message = "Exclusions agree with the verdicts on the signals."
    return Check("C14", "signal verdicts", "pass", 0.0, 0.0, message)


_CHECKS: tuple[Callable[[Study, pd.DataFrame], Check], ...] = (
    check_adaptation,
    check_allocation,
    check_smallest_p,
    check_trend,
    check_carry_over,
    check_device,
    check_missing,
    check_exclusions,
    check_time_in_bed,
    check_stage_support,
    check_blinding,
    check_prior_sleep,
)
