"""Marker values in the order of the nights of a study, and least-squares fits for its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.errors import TableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eegsleep.study.declared.protocol import Study

_COLUMNS = ("night", "marker", "stage", "channel", "value", "clean_min")


class Line(NamedTuple):
    """A least-squares fit: coefficients without the constant, their standard errors, residuals and their SD."""

    coefficients: NDArray[np.float64]
    errors: NDArray[np.float64]
    residuals: NDArray[np.float64]
    residual_sd: float


def check_markers(values: pd.DataFrame | None) -> pd.DataFrame:
    """Check the long table of markers, and return it; if there is none, return a table without rows.

    Raises
    ------
    TableError
        If a column is missing, or a night has a marker twice.
    """
    if values is None:
        return pd.DataFrame(
            {name: pd.Series(dtype="float64" if name in {"value", "clean_min"} else "str") for name in _COLUMNS}
        )
    missing = [name for name in _COLUMNS if name not in values.columns]
    if missing:
        raise TableError(
            "the table of markers lacks columns", found=f"no {', '.join(missing)}", allowed=", ".join(_COLUMNS)
        )
    twice = values.duplicated(["night", "marker", "stage", "channel"])
    if twice.any():
        row = values[twice].iloc[0]
        raise TableError(
            "a marker is there twice for one night",
            found=f"{row['marker']} of {row['night']}",
            remedy="give each night once",
        )
    return values


def endpoint_values(
    study: Study, values: pd.DataFrame, endpoint: str, column: str = "value", *, usable_only: bool = True
) -> NDArray[np.float64]:
    """Return the values of an endpoint, one for each row of the nights.

    Parameters
    ----------
    study : Study
    values : pandas.DataFrame
        The long table of markers.
    endpoint : str
        `marker|stage|channel`.
    column : str
        `value` or `clean_min`.
    usable_only : bool
        Whether nights that do not enter the comparison are NaN.

    Returns
    -------
    ndarray, shape (n_nights,)
        NaN where there is no value.
    """
    marker, stage, channel = endpoint.split("|")
    nights = study.nights
    if marker.startswith("day_"):
        found = nights[marker].to_numpy(dtype=float) if marker in nights else np.full(len(nights), np.nan)
    else:
        chosen = values[(values["marker"] == marker) & (values["stage"] == stage) & (values["channel"] == channel)]
        found = nights["night"].map(chosen.set_index("night")[column]).to_numpy(dtype=float)
    return np.where(study.usable.to_numpy(), found, np.nan) if usable_only else found


def check_endpoints(study: Study, values: pd.DataFrame) -> None:
    """Check that some night has each primary endpoint; before the lock they can still be corrected.

    Raises
    ------
    TableError
        If no night that enters has such a marker, stage and channel, or nights.csv no such column.
    """
    there = values[values["night"].isin(study.nights.loc[study.usable, "night"])]
    for endpoint in study.primary:
        marker, stage, channel = endpoint.split("|")
        own = there[there["marker"] == marker]
        if marker.startswith("day_") and marker not in study.nights:
            raise TableError(
                f"the primary endpoint {endpoint} has no column in {study.nights_file}",
                allowed=", ".join(c for c in study.nights if c.startswith("day_")) or "a column day_*",
                remedy="add the column, or name another endpoint",
            )
        if not marker.startswith("day_") and not ((own["stage"] == stage) & (own["channel"] == channel)).any():
            known = own[["marker", "stage", "channel"]].drop_duplicates().agg("|".join, axis=1)
            raise TableError(
                f"no night has the primary endpoint {endpoint}",
                allowed=", ".join(known) or "a marker that the nights have",
                remedy="correct endpoints.primary in study.toml while the codes are masked",
            )


def previous_night(nights: pd.DataFrame) -> NDArray[np.int64]:
    """Return the row of the evening before, of the same sleeper; -1 where there is none."""
    days = pd.to_datetime(nights["date"], format="%Y-%m-%d")
    row_of = {(s, d): i for i, (s, d) in enumerate(zip(nights["subject"], days, strict=True))}
    before = days - pd.Timedelta(days=1)
    return np.array([row_of.get(key, -1) for key in zip(nights["subject"], before, strict=True)], dtype=np.int64)


def fit_line(y: NDArray[np.float64], predictors: NDArray) -> Line | None:
    """Fit `y` (n,) to a constant and `predictors` (n, k); None with too few values, or collinear predictors."""
    design = np.column_stack([np.ones(len(y)), predictors.astype(float)])
    free = len(y) - design.shape[1]
    if free < 2 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ y
    residuals = y - design @ coefficients
    sd = float(np.sqrt(residuals @ residuals / free))
    return Line(coefficients[1:], sd * np.sqrt(np.diag(inverse))[1:], residuals, sd)
