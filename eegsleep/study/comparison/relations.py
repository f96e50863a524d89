"""Whether a person's days follow their nights: next-day scores against the markers of the nights before.

A marker is not drawn by lot, so these are associations and not effects. Four things make an association where there
is none, and are adjusted for: persons differ (only nights of one sleeper are compared with each other), scores
improve with practice while sleep drifts, weekends differ from weekdays, and the compound changes both. The condition
is therefore a covariate; the estimate without it is reported too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.errors import SettingsError
from eegsleep.statistics import multiplicity
from eegsleep.statistics.effects import estimate_by_t
from eegsleep.statistics.mixed_model import estimate_contrast, fit_mixed_model
from eegsleep.study import arrangement
from eegsleep.study.arrangement import KEYS, Arrangement
from eegsleep.study.comparison import verdicts
from eegsleep.study.schedules.mechanisms import is_weekend
from eegsleep.tables import RELATIONS, check_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.statistics.effects import Estimate
    from eegsleep.study.declared.protocol import Study

    Floats = NDArray[np.float64]

# With constant, condition, weekend and practice 10 nights leave 5 degrees of freedom, at which a partial correlation
# must reach .75 to have p <= .05; with fewer nights only implausibly strong relations could be found.
MIN_RELATED_NIGHTS = 10
MIN_OWN_NIGHTS = 5  # of a sleeper, for the relation to differ between sleepers in the model
MIN_SLEEPERS = 4  # fewer do not determine how much the relation differs between sleepers
LAGS = (0, 1)
_SINGULAR = 1e-9
_FAMILIES = ("A", "B", "C", "D")
_NUMBERS = [column.name for column in RELATIONS.columns if column.kind == "float"]


def relate_next_day(study: Study, values: pd.DataFrame) -> pd.DataFrame:
    """Relate each next-day score to the markers of the night before it, and of the one before that.

    Parameters
    ----------
    study : Study
        Its nights hold the scores in columns `day_*`; the row of a night has the score of the day after.
    values : DataFrame
        The markers of the nights, long, as `compare_nights` takes them.

    Returns
    -------
    DataFrame
        Table RELATIONS: for each score the primary endpoints, then one marker of each measure of families A to D.
        The first score and the first primary endpoint are tested by themselves, all others together. No p-value where
        no mechanism allocated the nights.

    Notes
    -----
    One sleeper: least squares, the standard error and the degrees of freedom by the nights that an
    autocorrelation of both series leaves, n (1 - ab) / (1 + ab) with a and b the lag-one autocorrelations of
    marker and score freed of the covariates and of their bias (Bartlett 1935, doi:10.2307/2341884; Pyper and
    Peterman 1998, doi:10.1139/f98-104). Of 1000 simulated studies without a relation, with trends in both and
    an effect of the condition on both, 2 to 6 % give p <= .05 at 10 to 40 nights and autocorrelations of 0 to .6.
    Redrawing schedules gives no test here, as a schedule says nothing about a marker that was not drawn.

    Several sleepers: a mixed model of the marker centred on each sleeper, with a slope that may differ between
    sleepers (Kenward-Roger). Where that cannot be estimated, least squares within sleepers as above, or with the
    uncertainty between sleepers (CR2), whichever is wider. Fewer than four sleepers are described as they are.

    Practice is taken as linear in the logarithm of the days since the sleeper's first test: what is learnt comes
    early (Newell and Rosenbloom 1981), and over some weeks the logarithm takes most of a straight drift, too.

    Examples
    --------
    >>> len(es.relate_next_day(study, values))  # no score of the next day is among these nights
    0
    """
    return relate_arranged(study, arrangement.arrange_nights(study, values))


def relate_arranged(study: Study, arranged: Arrangement) -> pd.DataFrame:
    """Return table RELATIONS of nights that are arranged already; see `relate_next_day`."""
    scores = [i for i, name in enumerate(arranged.entries["marker"]) if name.startswith("day_")]
    chosen = _choose_markers(study, arranged)
    before = _night_before(arranged)
    rows = [
        _relate(study, arranged, score, marker, lag, practice, before)
        for score in scores
        for practice in [_practice(study, arranged, arranged.entries["marker"].iloc[score])]
        for marker in chosen
        for lag in LAGS
    ]
    tested = [i for i, row in enumerate(rows) if math.isfinite(row["p"])]
    if foremost := [i for i in tested if _is_foremost(study, rows[i], rows[0]["score"])]:
        rows[foremost[0]] |= {"p_adjusted": rows[foremost[0]]["p"], "n_tests": 1, "role": "primary"}
        tested.remove(foremost[0])
    adjusted = multiplicity.benjamini_hochberg([rows[i]["p"] for i in tested])
    for i, p in zip(tested, adjusted, strict=True):
        rows[i] |= {"p_adjusted": float(p), "n_tests": len(tested)}
    for row in rows:
        row["sentence"] = _describe_relation(row, study.alpha)
    return check_table(pd.DataFrame(rows, columns=RELATIONS.column_names), RELATIONS)


def _is_foremost(study: Study, row: dict, first_score: str) -> bool:
    """Return whether a row is tested by itself: the first primary endpoint and the first score, on the day after.

    It is declared by its place before the data are seen; among all others it was found in .31 of studies of 30 nights
    that hold it, and by itself in three quarters.
    """
    endpoint = "|".join(row[name] for name in KEYS)
    return (
        bool(study.primary) and endpoint == study.primary[0] and row["score"] == first_score and not row["lag_nights"]
    )


def _choose_markers(study: Study, arranged: Arrangement) -> list[int]:
    """Return the places of the markers to relate, primary endpoints first, without looking at a score."""
    entries = arranged.entries
    rows = entries.assign(
        measure=[verdicts.name_measure(name) for name in entries["marker"]],
        role=np.where(entries["endpoint"].isin(study.primary), "primary", "family"),
        known=np.isfinite(arranged.value).sum(axis=1) >= MIN_RELATED_NIGHTS,
    )
    chosen = verdicts.choose_representatives(rows) & entries["family"].isin(_FAMILIES).to_numpy()
    places = np.flatnonzero(chosen).tolist()
    # An angle cannot be larger or smaller; a primary endpoint that is one stays, with the reason.
    role, unit = rows["role"].to_numpy(), rows["unit"].to_numpy()
    places = [i for i in places if role[i] == "primary" or not arrangement.is_circular(unit[i])]
    declared = {endpoint: place for place, endpoint in enumerate(study.primary)}
    last = len(declared)
    return sorted(places, key=lambda i: (declared.get(rows["endpoint"].iloc[i], last), rows["family"].iloc[i], i))


def _night_before(arranged: Arrangement) -> NDArray[np.int64]:
    """Return the place of the evening before, of the same sleeper; -1 where it was given no condition."""
    place = {key: i for i, key in enumerate(zip(arranged.subjects, arranged.days, strict=True))}
    return np.array([place.get((s, d - 1), -1) for s, d in zip(arranged.subjects, arranged.days, strict=True)])


def _practice(study: Study, arranged: Arrangement, score: str) -> Floats:
    """Return log2 of the days since the sleeper's first test, adaptation nights among them, counted from 1."""
    taken = study.nights[np.isfinite(pd.to_numeric(study.nights[score], errors="coerce").to_numpy(dtype=float))]
    first: dict[object, int] = {}
    for name, day in zip(taken["subject"], _days(taken), strict=True):
        first[name] = min(day, first.get(name, day))
    began = np.array([first.get(name, math.nan) for name in arranged.subjects], dtype=float)
    return np.log2(np.fmax(_days(arranged.nights) - began, 0) + 1)


def _days(nights: pd.DataFrame) -> NDArray[np.int64]:
    return nights["date"].to_numpy(dtype="datetime64[D]").astype(np.int64)


def _relate(
    study: Study,
    arranged: Arrangement,
    score: int,
    marker: int,
    lag: int,
    practice: Floats,
    before: NDArray[np.int64],
) -> dict:
    """Return one row of RELATIONS; adjusted p-value and sentence need all rows and are filled later."""
    y, entry = arranged.value[score], arranged.entries.iloc[marker]
    x, second = arranged.value[marker], arranged.assigned.astype(float)
    conditions = second[:, np.newaxis]
    if lag:  # marker and score belong to different nights, and the condition of either may have changed them
        x = np.where(before >= 0, x[before], np.nan)
        conditions = np.column_stack([second, second[before]])
    kept = np.isfinite(y) & np.isfinite(x) & np.isfinite(practice)
    row = dict.fromkeys(_NUMBERS, math.nan) | {
        "score": arranged.entries["marker"].iloc[score],
        "score_label": arranged.entries["label"].iloc[score],
        **{name: entry[name] for name in (*KEYS, "label", "family", "unit")},
        "role": "primary" if entry["endpoint"] in study.primary else "exploratory",
        "lag_nights": lag,
        "method": "",
        "n_nights": int(kept.sum()),
        "n_subjects": len(set(arranged.subjects[kept].tolist())),
        "n_tests": 0,
        "sentence": "",
        "reason": "",
    }
    groups = np.char.add(arranged.subjects.astype("U99"), np.where((conditions[:, -1] == 1), "|1", "|0"))
    sd = arrangement.night_sd(np.where(kept, x, np.nan), groups, kept)
    row["reason"] = _why_not(row, y[kept], sd)
    if row["reason"]:
        return row
    pair = _pair_up(y[kept], x[kept] / sd, arranged.subjects[kept], arranged.days[kept])
    # With weekends 2 SD different in marker and score, 70 % of simulated studies without a relation showed one.
    weekend = is_weekend(arranged.nights["date"]).astype(float)
    covariates = np.column_stack([practice, weekend, conditions])[kept]
    found, row["method"] = _fit(pair, covariates)
    across, _ = _fit(pair, covariates[:, :2])
    row |= {
        "marker_sd": sd,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "df": found.df,
        "p": found.p,
        "estimate_across": across.estimate,
        "low_across": across.low,
        "high_across": across.high,
        **_describe(pair, covariates),
    }
    if not math.isfinite(found.low):
        row["reason"] = "practice, weekends, condition and sleepers leave nothing of the marker to go by"
    if study.mechanism.kind == "observational":
        row |= {"p": math.nan, "reason": row["reason"] or "no mechanism allocated the nights: described, not tested"}
    return row


def _why_not(row: dict, score: Floats, sd: float) -> str:
    if arrangement.is_circular(row["unit"]):
        return "a phase has no more and no less"
    if row["n_nights"] < MIN_RELATED_NIGHTS:
        return f"only {row['n_nights']} nights with both, {MIN_RELATED_NIGHTS} needed"
    if not sd > 0 or np.ptp(score) == 0:
        return "every night has the same value"
    return ""


class _Pair(NamedTuple):
    """A score and a marker on the nights that have both.

    The marker is centred on each sleeper; `dummies` has a column a sleeper, `whose` is the column of each night, and
    `earlier` and `later` are the places of nights that follow each other.
    """

    score: Floats
    marker: Floats
    dummies: Floats
    whose: NDArray[np.int64]
    earlier: NDArray[np.int64]
    later: NDArray[np.int64]


def _pair_up(score: Floats, marker: Floats, subjects: NDArray, days: Floats) -> _Pair:
    names, index = np.unique(subjects.astype("U99"), return_inverse=True)
    dummies = (index[:, np.newaxis] == np.arange(len(names))).astype(float)
    centred = marker - dummies @ (dummies.T @ marker / dummies.sum(axis=0))
    follows = (index[:, np.newaxis] == index) & (days - days[:, np.newaxis] == 1)
    return _Pair(score, centred, dummies, index, *np.nonzero(follows))


def _fit(pair: _Pair, covariates: Floats) -> tuple[Estimate, str]:
    """Return the slope of the score on the marker, and by which method."""
    own = pair.dummies.sum(axis=0)
    found = _fit_least_squares(pair, covariates)
    if len(own) < MIN_SLEEPERS or not math.isfinite(found.se):
        return found, "least squares within persons"
    if np.median(own) >= MIN_OWN_NIGHTS:
        mixed = _fit_mixed(pair, covariates)
        if mixed is not None:
            return mixed, "mixed model (Kenward-Roger)"
    # Not seen is not absent: the wider interval, as a model without the difference finds too much where there is one.
    by_sleepers = _spread_over_sleepers(pair, covariates, found.estimate)
    wider = by_sleepers if by_sleepers.high - by_sleepers.low > found.high - found.low else found
    return wider, "least squares within persons"


def _fit_mixed(pair: _Pair, covariates: Floats) -> Estimate | None:
    """Return the mean slope of sleepers who may differ in it; None where that cannot be estimated."""
    x = np.column_stack([np.ones(len(pair.score)), pair.marker])
    for column in covariates.T:
        wider = np.column_stack([x, column])
        x = wider if np.linalg.matrix_rank(wider) == wider.shape[1] else x
    try:
        # Centred on each sleeper, a marker says nothing of levels: their spread and that of slopes are apart.
        model = fit_mixed_model(pair.score, x, pair.whose, x[:, :2], correlated=False)
        found = estimate_contrast(model, np.eye(x.shape[1])[1])
    except (SettingsError, np.linalg.LinAlgError):
        return None
    return None if model.singular or not math.isfinite(found.df) else found


def _free(pair: _Pair, covariates: Floats) -> tuple[Floats, Floats, int]:
    """Return score and marker freed of sleepers and covariates, and how many columns that took."""
    u, s, _ = np.linalg.svd(np.column_stack([pair.dummies, covariates]), full_matrices=False)
    basis = u[:, s > _SINGULAR * s[0]]
    score, marker = (row - basis @ (basis.T @ row) for row in (pair.score, pair.marker))
    return score, marker, basis.shape[1]


def _fit_least_squares(pair: _Pair, covariates: Floats) -> Estimate:
    y, x, k = _free(pair, covariates)
    if x @ x < _SINGULAR * len(x) or len(y) - k < 2:
        return estimate_by_t(math.nan, math.nan, math.nan)
    slope = float(x @ y / (x @ x))
    rest = y - slope * x
    shared = _shared_autocorrelation(pair, x, rest, k)
    inflation = (1 + shared) / (1 - shared)
    error = math.sqrt(float(rest @ rest) / (len(y) - k - 1) / float(x @ x) * inflation)
    return estimate_by_t(slope, error, max(len(y) / inflation - k - 1, 1.0))


def _spread_over_sleepers(pair: _Pair, covariates: Floats, slope: float) -> Estimate:
    """Return the slope with the uncertainty that the sleepers' own contributions to it give (CR2)."""
    y, x, _ = _free(pair, covariates)
    whole = float(x @ x)
    share = pair.dummies.T @ x**2 / whole
    own = pair.dummies.T @ (x * (y - slope * x)) / np.sqrt(np.fmax(1 - share, 0.05))
    return estimate_by_t(slope, math.sqrt(float(own @ own)) / whole, len(own) - 1.0)


def _shared_autocorrelation(pair: _Pair, x: Floats, rest: Floats, k: int) -> float:
    """Return the product of both autocorrelations, at least 0: below, a night would count more than once.

    With few nights a sleeper it cannot be told apart from what centring causes, and 0 is returned.
    """
    n, both = len(x), []
    if len(pair.later) < 3 or np.median(pair.dummies.sum(axis=0)) < MIN_OWN_NIGHTS:
        return 0.0
    for row in (x, rest):
        r = float(row[pair.earlier] @ row[pair.later]) / len(pair.later) * n / max(float(row @ row), 1e-300)
        # The residuals after k columns are less autocorrelated than the series, by about (k + (k + 3) r) / n.
        both.append(min(max(r + (k + (k + 3) * r) / n, -0.9), 0.9))
    return max(both[0] * both[1], 0.0)


def _describe(pair: _Pair, covariates: Floats) -> dict[str, float]:
    """Return partial correlation, shared autocorrelation, and the change of the score with practice (column 0)."""
    y, x, k = _free(pair, covariates)
    size = math.sqrt(float(y @ y) * float(x @ x))
    if not size > _SINGULAR:
        return {}
    rest = y - (x @ y / (x @ x)) * x
    design = np.column_stack([covariates, pair.marker, pair.dummies])
    return {
        "partial_r": float(x @ y) / size,
        "autocorrelation": _shared_autocorrelation(pair, x, rest, k),
        "practice": float(np.linalg.lstsq(design, pair.score, rcond=None)[0][0]),
    }


def _describe_relation(row: dict, study_alpha: float) -> str:
    name = row["label"] + (f" in {row['stage']}" if row["stage"] else "")
    if not math.isfinite(row["low"]):
        return f"{name} and {row['score_label']} could not be related: {row['reason']}."
    when = "the day after" if row["lag_nights"] == 0 else "a day later"
    said = (
        f"{name} one ordinary standard deviation higher went with {row['score_label']} {row['estimate']:+.3g} "
        f"({row['low']:.3g} to {row['high']:.3g}) {when}"
    )
    if not math.isfinite(row["p_adjusted"]):
        return f"{said}: an association, not an effect."
    if row["n_tests"] == 1 and row["p_adjusted"] <= study_alpha:
        return f"{said}: an association that was declared, and that chance alone seldom makes; what causes it is open."
    if row["n_tests"] == 1:
        return f"{said}: the association that was declared is not shown."
    if row["p_adjusted"] <= verdicts.FALSE_DISCOVERY_RATE:
        return f"{said}: an association that chance alone seldom makes; what causes it is open."
    return f"{said}; chance alone makes such associations among {row['n_tests']} looked at."
