"""The markers of a night in one row: a column for each marker, stage and channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.markers.rows import SPECTRUM_STAGES

if TYPE_CHECKING:
    import pandas as pd

_MARKER_PLACE = {name: place for place, name in enumerate(CATALOGUE)}
_STAGE_PLACE = {name: place for place, name in enumerate(("", *SPECTRUM_STAGES))}


def name_columns(markers: pd.DataFrame) -> pd.DataFrame:
    """Return the markers with the names of their columns; a value in another unit than the catalogue's is left out.

    Parameters
    ----------
    markers : pandas.DataFrame
        Table `MARKERS`.

    Returns
    -------
    pandas.DataFrame
        The same with a column `column`: `marker|stage|channel`.
    """
    import numpy as np

    rows = zip(*(markers[name] for name in ("marker", "stage", "channel", "unit")), strict=True)
    named = [name_column(*row) for row in rows]
    refusals = np.array([refusal for _, refusal in named], dtype=object)
    other = refusals != ""
    markers = markers.assign(column=[column for column, _ in named])
    markers.loc[other, "reason"] = refusals[other]
    markers.loc[other, "value"] = math.nan
    return markers


def name_column(marker: str, stage: str, channel: str, unit: str) -> tuple[str, str]:
    """Return the name of the column of one marker, and why its value is left out.

    Parameters
    ----------
    marker, stage, channel, unit : str
        A row of table `MARKERS`.

    Returns
    -------
    column : str
        `marker|stage|channel`.
    refusal : str
        Empty where the unit is that of the catalogue.
    """
    known = CATALOGUE.get(marker)
    refusal = f"measured in another unit, {unit}" if known and known.unit != unit else ""
    return f"{marker}|{stage}|{channel}", refusal


def order_columns(columns: set[str]) -> list[str]:
    """Return columns in the order of the catalogue, then of the stages, then by channel.

    Parameters
    ----------
    columns : set of str
        As `name_columns` names them.

    Returns
    -------
    list of str
    """
    return sorted(columns, key=_place)


def widen_markers(markers: pd.DataFrame, night: str) -> pd.DataFrame:
    """Return the markers of one night as one row, with the columns of nights.csv.

    Parameters
    ----------
    markers : pandas.DataFrame
        Table `MARKERS`.
    night : str
        Its name, the first column.

    Returns
    -------
    pandas.DataFrame
        One row: `night`, then `marker|stage|channel` for every marker; NaN where it is missing.
    """
    import pandas as pd

    named = name_columns(markers)
    values = dict(zip(named["column"], named["value"], strict=True))
    return pd.DataFrame([{"night": night} | {name: values[name] for name in order_columns(set(values))}])


def _place(column: str) -> tuple:
    marker, stage, channel = column.split("|", 2)
    return (
        _MARKER_PLACE.get(marker, len(_MARKER_PLACE)),
        marker,
        _STAGE_PLACE.get(stage, len(_STAGE_PLACE)),
        stage,
        channel,
    )
