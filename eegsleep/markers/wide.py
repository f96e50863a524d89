"""The markers of a night in one row: a column for each marker, stage and channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.markers.rows import SPECTRUM_STAGES

if TYPE_CHECKING:
    import pandas as pd

_STAGE_ORDER = ("", *SPECTRUM_STAGES)


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
    units = {name: marker.unit for name, marker in CATALOGUE.items()}
    other = markers["unit"] != markers["marker"].map(units).fillna(markers["unit"])
    markers = markers.assign(column=markers["marker"] + "|" + markers["stage"] + "|" + markers["channel"])
    markers.loc[other, "reason"] = "measured in another unit, " + markers.loc[other, "unit"]
    markers.loc[other, "value"] = math.nan
    return markers


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
    order, stages = list(CATALOGUE), _STAGE_ORDER
    return (
        order.index(marker) if marker in order else len(order),
        marker,
        stages.index(stage) if stage in stages else len(stages),
        stage,
        channel,
    )
