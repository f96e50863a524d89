"""How far two scorings of the same nights agree: epoch by epoch, and in the minutes of sleep statistics.

Only epochs that both scored count. The number of the others is reported beside the measures, because leaving them out
raises agreement: epochs that a scorer leaves out are the difficult ones.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep import tables
from eegsleep.agreement.limits import limits_of_agreement, proportional_bias
from eegsleep.errors import EegSleepError, TableError, describe_error
from eegsleep.hypnograms.objects import as_stages
from eegsleep.provenance import check_own, write_file
from eegsleep.signals import epochs
from eegsleep.staging.statistics import measure_sleep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from eegsleep.hypnograms.objects import Hypnogram

STAGES = tuple(stage for stage in epochs.STAGES if stage != "UNS")
SCORES = ("accuracy", "kappa", "macro_f1", "f1_w", "f1_n1", "f1_n2", "f1_n3", "f1_r")
STATISTICS = {
    "tst_min": "min",
    "waso_min": "min",
    "sol_min": "min",
    "n1_min": "min",
    "n2_min": "min",
    "n3_min": "min",
    "rem_min": "min",
    "rem_latency_min": "min",
    "n3_latency_min": "min",
    "sleep_efficiency_percent": "percent",
    "awakenings": "n",
    "stage_transitions_per_h": "per_h",
}
SEED, RESAMPLES, CONFIDENCE = 31, 2000, 0.95
# With three or four units there are too few distinct resamples for an interval.
MIN_RESAMPLED = 5
# The 95 % interval of a standard deviation ends at 32 times its value for two values, at 6 times for three.
MIN_FOR_LIMITS = 3


@dataclass(frozen=True)
class Agreement:
    """The agreement of two scorings of the same nights, in tables declared in `eegsleep.tables`.

    `nights` (a row a night), `pooled` (measures over all nights with intervals), `confusion` (stage by
    stage), `statistics` (each night's sleep statistics from both) and `minutes` (their bias and limits).
    """

    nights: pd.DataFrame
    pooled: pd.DataFrame
    confusion: pd.DataFrame
    statistics: pd.DataFrame
    minutes: pd.DataFrame


class _Units(NamedTuple):
    """The units of resampling: that of each night, their name, and a note on them."""

    of_night: NDArray[np.int64]  # shape (n_nights,)
    name: str  # "subjects" or "nights"
    note: str


def measure_agreement(
    pairs: Sequence[tuple[str, str, Hypnogram, Hypnogram]], *, seed: int = SEED, coding: str | None = None
) -> Agreement:
    """Compare an observed scoring with a reference over one or many nights.

    Parameters
    ----------
    pairs : sequence of (night, subject, reference, observed)
        Names of the night and its sleeper (the night's own name where the sleeper is unknown), and two
        hypnograms of any kind that `as_stages` takes, with the same epochs.
    seed : int
        Of the bootstrap, by default 31; `pooled` holds it.
    coding : str, optional
        What integers in them mean, a name in `CODINGS`.

    Returns
    -------
    Agreement
        Five tables; see `eegsleep.tables` for every column.

    Raises
    ------
    TableError
        If there is no pair, a name is empty or given twice, or two scorings do not fit epoch by epoch.

    Notes
    -----
    **Undefined is missing.** F1 of a stage that neither scored is missing, not 0 and not 1; of a stage
    that only one scored it is 0. Macro-F1 is over the stages the reference has. Kappa (Cohen 1960,
    doi:10.1177/001316446002000104) of a night whose reference has a single stage is missing, because no scorer can
    agree beyond chance there. Where only the observed scoring is constant, it is 0.

    **Intervals** (95 %) come from 2,000 seeded resamples of subjects with all their nights, never of epochs,
    because these are not independent. If all nights are of one subject, nights are resampled, and the interval
    holds for that sleeper only. Bootstrap intervals of few units are too narrow, so the percentiles are moved
    outward by Hesterberg 2015 (doi:10.1080/00031305.2015.1089789): on 1,500 simulated sets of skewed scores the
    interval contained the true value in 91, 94 and 95 % of sets of 5, 8 and 20 nights; plain percentiles in 84, 89
    and 93 %.

    **Sleep statistics** are those of `measure_sleep`. Epochs that one scoring left unscored are unscored in both, so
    that a gap in one is no bias of the other. Bias and limits of agreement follow
    Bland & Altman 1986 (doi:10.1016/S0140-6736(86)90837-8), with several nights of one subject
    their 2007 analysis (doi:10.1080/10543400701329422), the limits' intervals Zou 2013
    (doi:10.1177/0962280211402548). YASA 0.8.1 does the same for repeated nights (with statsmodels), but
    the approximate intervals of 1986 for others. The slope is against the mean of both scorings, not
    against the reference as in YASA: a reference with errors of its own makes that slope negative
    where there is no proportional bias (Bland & Altman 1995, doi:10.1016/S0140-6736(95)91748-9).

    Examples
    --------
    >>> agreed = es.measure_agreement([("night-1", "me", ["W", "N2", "N2", "R"], ["W", "N2", "N3", "R"])])
    >>> float(agreed.nights["accuracy"].iloc[0])
    0.75
    """
    pairs = [_take_pair(*pair, coding) for pair in pairs]
    nights, subjects, codes = _read_pairs(pairs)
    confusions = np.array([_confusion(reference, observed) for reference, observed in codes])
    units = _units(subjects)
    statistics = _night_statistics(pairs)
    made = {
        "nights": _night_rows(nights, subjects, codes, confusions),
        "pooled": _pooled_rows(confusions, subjects, units, seed),
        "confusion": _confusion_rows(confusions.sum(axis=0)),
        "statistics": statistics,
        "minutes": pd.DataFrame([_limits_row(statistics, name, units) for name in STATISTICS]),
    }
    return Agreement(**{name: tables.check_table(frame, _table(name)) for name, frame in made.items()})


def save_agreement(agreement: Agreement, folder: str | Path, pages: Mapping[str, bytes] | None = None) -> Path:
    """Write every table as `agreement_<name>.csv` with its JSON sidecar.

    Parameters
    ----------
    agreement : Agreement
    folder : path
        Created if it does not exist.
    pages : mapping of str to bytes, optional
        More files to write beside the tables, such as `agreement.html`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    EegSleepError
        If it cannot be written.

    Examples
    --------
    >>> agreed = es.measure_agreement([("night-1", "me", ["W", "N2", "N2"], ["W", "N2", "N3"])])
    >>> es.save_agreement(agreed, "saved").name
    'saved'
    """
    files: dict[str, bytes] = {}
    for part in fields(agreement):
        table = _table(part.name)
        files[f"{table.name}.csv"] = tables.encode_table(getattr(agreement, part.name), table)
        files[f"{table.name}.json"] = tables.encode_sidecar(table)
    files.update(pages or {})
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_own({folder / name: content for name, content in files.items()}, mark=folder / "agreement.html")
        for name, content in files.items():
            write_file(folder / name, content)
    except OSError as error:
        raise EegSleepError(f"{folder} cannot be written", found=describe_error(error)) from error
    return folder


def score_confusion(confusion: NDArray) -> NDArray[np.float64]:
    """Return the scores named in `SCORES` of one or many confusion matrices.

    Parameters
    ----------
    confusion : array, shape (..., 5, 5)
        Counts of epochs; reference stages in rows, observed in columns, both in the order of `STAGES`.

    Returns
    -------
    array of float, shape (..., 8)
        NaN where a score is undefined (see `measure_agreement`).
    """
    counts = np.asarray(confusion, dtype=float)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    in_reference, in_observed = counts.sum(axis=-1), counts.sum(axis=-2)
    total = counts.sum(axis=(-2, -1))
    accuracy = _divide(hits.sum(axis=-1), total)
    by_chance = _divide((in_reference * in_observed).sum(axis=-1), total**2)
    several = (in_reference > 0).sum(axis=-1) > 1
    kappa = np.where(several, _divide(accuracy - by_chance, 1 - by_chance), np.nan)
    f1 = _divide(2 * hits, in_reference + in_observed)
    present = in_reference > 0
    macro = _divide(np.where(present, f1, 0.0).sum(axis=-1), present.sum(axis=-1))
    return np.concatenate([np.stack([accuracy, kappa, macro], axis=-1), f1], axis=-1)


def _divide(above: NDArray, below: NDArray) -> NDArray[np.float64]:
    below = np.asarray(below, dtype=float)
    return np.where(below == 0, np.nan, above / np.where(below == 0, 1.0, below))


def _table(part: str) -> tables.Table:
    return next(table for table in tables.AGREEMENT_TABLES if table.name == f"agreement_{part}")


def _take_pair(
    night: str, subject: str, reference: Hypnogram, observed: Hypnogram, coding: str | None
) -> tuple[str, str, pd.DataFrame, pd.DataFrame]:
    """Return a pair with both hypnograms as tables `HYPNOGRAM`."""
    try:
        return night, subject, as_stages(reference, coding), as_stages(observed, coding)
    except TableError as error:
        raise TableError(
            f"night {night} is not scored as a hypnogram: {error.problem}",
            found=error.found,
            allowed=error.allowed,
            remedy=error.remedy,
        ) from error


def _read_pairs(pairs: Sequence) -> tuple[list[str], list[str], list[tuple[NDArray, NDArray]]]:
    """Return nights, subjects and the stages of both scorings; raise if they do not fit together."""
    if not len(pairs):
        raise TableError("there is no night to compare", remedy="give at least one night scored twice")
    nights = [str(night) for night, _, _, _ in pairs]
    subjects = [str(subject) for _, subject, _, _ in pairs]
    twice = sorted({night for night in nights if nights.count(night) > 1}) if len(set(nights)) < len(nights) else []
    if twice:
        raise TableError("a night is given twice", found=", ".join(twice), remedy="name every night once")
    if not all(nights) or not all(subjects):
        raise TableError(
            "a night or its sleeper has no name", remedy="give the night's own name where the sleeper is unknown"
        )
    codes = []
    for night, _, reference, observed in pairs:
        try:
            both = [tables.check_table(frame, tables.HYPNOGRAM) for frame in (reference, observed)]
        except TableError as error:
            raise TableError(f"night {night} is not scored as a hypnogram", found=describe_error(error)) from error
        onsets = [frame["onset_s"].to_numpy() for frame in both]
        if onsets[0].shape != onsets[1].shape or not np.allclose(onsets[0], onsets[1], rtol=0, atol=0.5):
            raise TableError(
                f"the two scorings of night {night} do not fit epoch by epoch",
                found=f"{len(onsets[0])} and {len(onsets[1])} epochs",
                remedy="align them by the clock first",
            )
        codes.append(tuple(frame["stage"].to_numpy(dtype="U3") for frame in both))
    return nights, subjects, codes


def _confusion(reference: NDArray, observed: NDArray) -> NDArray[np.int64]:
    return np.array([[np.sum((reference == a) & (observed == b)) for b in STAGES] for a in STAGES])


def _units(subjects: Sequence[str]) -> _Units:
    names, of_night = np.unique(subjects, return_inverse=True)
    if len(names) == 1 and len(subjects) > 1:
        note = "all nights are of one subject: the interval speaks for this sleeper only"
        return _Units(np.arange(len(subjects)), "nights", note)
    return _Units(of_night, "nights" if len(names) == len(subjects) else "subjects", "")


def _night_rows(nights: Sequence[str], subjects: Sequence[str], codes: Sequence, confusions: NDArray) -> pd.DataFrame:
    n_total = np.array([len(reference) for reference, _ in codes])
    n_epochs = confusions.sum(axis=(1, 2))
    frame = pd.DataFrame(
        {
            "night": nights,
            "subject": subjects,
            "n_total": n_total,
            "n_epochs": n_epochs,
            "unscored_reference": [np.sum(reference == "UNS") for reference, _ in codes],
            "unscored_observed": [np.sum(observed == "UNS") for _, observed in codes],
            "left_out_percent": 100 * _divide(n_total - n_epochs, n_total),
        }
    )
    frame[list(SCORES)] = score_confusion(confusions)
    return frame.assign(reason=[_why_missing(confusion) for confusion in confusions])


def _why_missing(confusion: NDArray) -> str:
    if not confusion.sum():
        return "no epoch was scored by both"
    in_reference, in_observed = confusion.sum(axis=1), confusion.sum(axis=0)
    reasons = []
    if (in_reference > 0).sum() == 1:
        reasons.append(f"kappa: the reference has only {STAGES[int(in_reference.argmax())]}")
    absent = [stage for stage, n in zip(STAGES, in_reference + in_observed, strict=True) if n == 0]
    if absent:
        reasons.append(f"F1: {', '.join(absent)} in neither scoring")
    return "; ".join(reasons)


def _confusion_rows(confusion: NDArray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "reference": np.repeat(STAGES, len(STAGES)),
            "observed": np.tile(STAGES, len(STAGES)),
            "n_epochs": confusion.ravel(),
            "share": _divide(confusion, confusion.sum(axis=1, keepdims=True)).ravel(),
        }
    )


def _pooled_rows(confusions: NDArray, subjects: Sequence[str], units: _Units, seed: int) -> pd.DataFrame:
    """Return every score pooled in up to three ways; all use the same resamples."""
    n_units = int(units.of_night.max()) + 1
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=RESAMPLES)
    weights = np.vstack([np.ones((1, len(confusions))), draws[:, units.of_night]])  # the first is the sample itself
    together = score_confusion((weights @ confusions.reshape(len(confusions), -1)).reshape(-1, *confusions.shape[1:]))
    of_nights = score_confusion(confusions)
    scored = confusions.sum(axis=(1, 2)) > 0
    ways = []
    for position, measure in enumerate(SCORES):
        scores = of_nights[:, position]
        ways.append((measure, "mean of nights", _weighted_means(scores, weights), np.isfinite(scores)))
        if measure in {"accuracy", "kappa"}:
            ways.append((measure, "median of nights", _weighted_medians(scores, weights), np.isfinite(scores)))
        ways.append((measure, "all epochs", together[:, position], scored))
    return pd.DataFrame(
        [
            {"measure": measure, "pooling": pooling, "seed": seed, **_interval(values, enters, subjects, units)}
            for measure, pooling, values, enters in ways
        ]
    )


def _weighted_means(scores: NDArray, weights: NDArray) -> NDArray[np.float64]:
    known = np.isfinite(scores)
    return _divide(weights[:, known] @ scores[known], weights[:, known].sum(axis=1))


def _weighted_medians(scores: NDArray, weights: NDArray) -> NDArray[np.float64]:
    known = np.flatnonzero(np.isfinite(scores))
    if not known.size:
        return np.full(len(weights), np.nan)
    order = known[np.argsort(scores[known])]
    reached = np.cumsum(weights[:, order], axis=1)
    total = reached[:, -1:]
    middle = [scores[order][(reached >= place).argmax(axis=1)] for place in ((total + 1) // 2, total // 2 + 1)]
    return np.where(total[:, 0] > 0, (middle[0] + middle[1]) / 2, np.nan)


def _interval(values: NDArray, enters: NDArray, subjects: Sequence[str], units: _Units) -> dict[str, object]:
    """Return value, interval, counts and reason from the sample's own value (first) and its resamples."""
    from scipy import stats

    n_nights, n_units = int(enters.sum()), len(np.unique(units.of_night[enters]))
    row = {
        "value": values[0],
        "low": np.nan,
        "high": np.nan,
        "n_nights": n_nights,
        "n_subjects": len({s for s, use in zip(subjects, enters, strict=True) if use}),
        "n_resamples": 0,
    }
    reasons = []
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]):
        reasons.append("undefined in every night" if len(enters) > 1 else "undefined in this night")
    elif n_units < MIN_RESAMPLED:
        found = f"{n_units} {units.name}" if n_units > 1 else f"one {units.name.removesuffix('s')}"
        reasons.append(f"no interval: {found}, and it takes {MIN_RESAMPLED} to resample")
    else:
        t = stats.t.ppf((1 + CONFIDENCE) / 2, n_units - 1)
        tail = stats.norm.cdf(-np.sqrt(n_units / (n_units - 1)) * t)
        row["low"], row["high"] = np.quantile(resampled, [tail, 1 - tail])
        row["n_resamples"] = resampled.size
        reasons += [units.note] if units.note else []
    if 0 < n_nights < len(enters):
        reasons.append(f"no value in {len(enters) - n_nights} of {len(enters)} nights")
    return row | {"reason": "; ".join(reasons)}


def _night_statistics(pairs: Sequence) -> pd.DataFrame:
    rows = []
    for night, subject, reference, observed in pairs:
        left_out = (reference["stage"].to_numpy() == "UNS") | (observed["stage"].to_numpy() == "UNS")
        measured = []
        for frame in (reference, observed):
            stages = np.where(left_out, "UNS", frame["stage"].to_numpy(dtype="U3"))
            measured.append(measure_sleep(frame.assign(stage=stages.astype(object))))
        for name, unit in STATISTICS.items():
            first, second = (measures[name] for measures in measured)
            reasons = [f"{who}: {m.reason}" for who, m in (("reference", first), ("observed", second)) if m.reason]
            rows.append(
                (
                    str(night),
                    str(subject),
                    name,
                    unit,
                    first.value,
                    second.value,
                    second.value - first.value,
                    "; ".join(reasons),
                )
            )
    return pd.DataFrame(rows, columns=tables.AGREEMENT_STATISTICS.column_names)


def _limits_row(statistics: pd.DataFrame, name: str, units: _Units) -> dict[str, object]:
    """Return one row of table `AGREEMENT_MINUTES`."""
    mine = statistics[statistics["statistic"] == name]
    known = np.isfinite(mine["difference"].to_numpy())
    used, of_night = mine[known], units.of_night[known]
    row: dict[str, object] = dict.fromkeys(tables.AGREEMENT_MINUTES.column_names, np.nan)
    row |= {
        "statistic": name,
        "unit": STATISTICS[name],
        "n_nights": len(used),
        "reason": "",
        "n_subjects": used["subject"].nunique(),
    }
    reasons = [] if known.all() else [f"no value in {np.sum(~known)} of {known.size} nights"]
    if len(used):
        row |= {
            "reference_mean": used["reference"].mean(),
            "observed_mean": used["observed"].mean(),
            "bias": used["difference"].mean(),
        }
    n_units = len(np.unique(of_night))
    if n_units >= MIN_FOR_LIMITS:
        row |= limits_of_agreement(used["difference"].to_numpy(), of_night)
        means = (used["reference"] + used["observed"]).to_numpy() / 2
        slopes = proportional_bias(used["difference"].to_numpy(), means, of_night)
        row |= slopes
        reasons += ["no slope: the same every night"] if np.isnan(slopes["slope"]) else []
        reasons += [units.note] if units.note else []
    elif n_units:
        found = f"{n_units} {units.name}" if n_units > 1 else f"one {units.name.removesuffix('s')}"
        reasons.append(f"no limits: {found}, and a spread needs {MIN_FOR_LIMITS}")
    return row | {"reason": "; ".join(reasons)}
