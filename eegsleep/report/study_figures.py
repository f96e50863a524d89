"""The figures of a study: all differences on one scale, and every night of a primary endpoint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.report.looks import GREY, MUTED, Figure, draw_axis, draw_layout, plain_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

MAX_ROWS = 60
WIDEST_SD = 6.0  # wider intervals run out of the picture
# verdict -> colour, plotly symbol, meaning: the shape serves readers who do not see the colour.
LOOKS = {
    "better": ("#00694E", "triangle-up", "better"),
    "worse": ("#A3201A", "triangle-down", "worse"),
    "changed": ("#0072B2", "diamond", "changed, neither good nor bad"),
    "masked": ("#0072B2", "diamond", "differs, codes masked"),
    "follows from slow-wave amplitude": ("#5B6B7A", "diamond-open", "follows from slow-wave amplitude"),
    "follows from gain": ("#5B6B7A", "diamond-open", "follows from the electrode's gain"),
    "equivalent": ("#1B2733", "square", "equivalent"),
    "inconclusive": ("#7A8692", "circle-open", "inconclusive"),
}
FIRST, SECOND = ("#4A97CC", "circle-open"), ("#B4500A", "triangle-up")


def draw_forest(markers: pd.DataFrame, names: tuple[str, str]) -> Figure:
    """Return every difference in standard deviations of ordinary nights, with its 95 % interval.

    Parameters
    ----------
    markers : DataFrame
        Table COMPARISON.
    names : tuple of str
        Names of the two conditions.

    Returns
    -------
    Figure
    """
    rows, left_out = _rows_to_draw(markers)
    if rows.empty:
        return Figure("forest", "All differences on one scale", "", reason="No marker has a difference and a spread.")
    data, shapes, labels, ends = [], [], [], [1.0]
    for verdict, (colour, symbol, meaning) in LOOKS.items():
        own = rows[rows["verdict"] == verdict]
        if own.empty:
            continue
        ends += [abs(v) for v in [*own["low"], *own["high"], *own["difference"]] if math.isfinite(v)]
        data.append(_forest_trace(own, colour, symbol, meaning))
    for row in rows.itertuples(index=False):
        labels.append(_label(row))
        if math.isfinite(row.bound):
            shapes.append(
                {
                    "type": "rect",
                    "x0": -row.bound,
                    "x1": row.bound,
                    "y0": row.place - 0.34,
                    "y1": row.place + 0.34,
                    "fillcolor": "#E3E9EE",
                    "line": {"width": 0},
                    "layer": "below",
                }
            )
    shapes.append(
        {
            "type": "line",
            "x0": 0,
            "x1": 0,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"color": MUTED, "width": 1},
        }
    )
    shapes += _family_lines(rows)
    wide = min(max(ends) * 1.05, WIDEST_SD)
    caption = (
        f"Each row is a marker: {names[1]} minus {names[0]}, divided by the standard deviation between ordinary nights "
        "of one person, so that minutes and microvolts share a scale. The bar is the 95 % interval; a bar that crosses "
        "0 leaves the direction open. The grey box is the smallest effect of interest: a bar wholly inside it says "
        "that the difference is too small to matter, and a bar that sticks out at both sides says that the nights "
        "cannot tell. A sign without a bar has no interval; the table gives the reason. Right of 0 is more, which "
        f"is not always better: read the shape. Bars longer than {WIDEST_SD:g} SD run out of the picture; where the "
        f"sign itself does, its number stands at the edge.{left_out}"
    )
    spec = {
        "data": data,
        "layout": draw_layout(
            90 + 22 * len(rows),
            shapes=shapes,
            annotations=_beyond(rows, wide),
            margin={"l": 300, "r": 16, "t": 36, "b": 46},
            showlegend=True,
            legend={
                "orientation": "h",
                "x": 0,
                "y": 1,
                "yanchor": "bottom",
                "font": {"size": 12},
                "itemclick": False,
                "itemdoubleclick": False,
            },
            xaxis=draw_axis("difference in standard deviations of ordinary nights", range=[-wide, wide]),
            yaxis=draw_axis(
                "", tickvals=rows["place"].tolist(), ticktext=labels, range=[len(rows) - 0.4, -0.6], showgrid=False
            ),
        ),
    }
    return Figure("forest", "All differences on one scale", caption, spec)


def _rows_to_draw(markers: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows to draw, in SD, with their places from the top, and a sentence on rows that are not drawn."""
    scale = markers["control_sd"].where(markers["control_sd"] > 0)
    rows = markers.assign(**{name: markers[name] / scale for name in ("difference", "low", "high", "bound")})
    rows = rows[np.isfinite(rows["difference"]) & (rows["family"] != "context")]
    n_all = len(rows)
    if n_all > MAX_ROWS:  # by a rule that does not depend on results: one row for each measure
        rows = rows[(rows["role"] == "primary") | rows["represents"]]
    order = {"primary": 0}
    rows = rows.assign(_role=[order.get(role, 1) for role in rows["role"]])
    rows = rows.sort_values(["_role", "family"], kind="stable").head(MAX_ROWS).reset_index(drop=True)
    n_left = n_all - len(rows)
    words = f" {n_left} more rows, other ways of measuring the same, are in the table below." if n_left else ""
    return rows.assign(place=np.arange(len(rows), dtype=float)), words


def _forest_trace(own: pd.DataFrame, colour: str, symbol: str, meaning: str) -> dict[str, Any]:
    def reach(end: str, sign: int) -> list[float]:
        return [sign * (e - d) if math.isfinite(e) else 0.0 for e, d in zip(own[end], own["difference"], strict=True)]

    texts = [
        f"{_label(row)}: {row.difference:+.2f} SD"
        + (f" ({row.low:.2f} to {row.high:.2f})" if math.isfinite(row.low) and math.isfinite(row.high) else "")
        for row in own.itertuples(index=False)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": meaning,
        "x": own["difference"].tolist(),
        "y": own["place"].tolist(),
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 10, "color": colour, "symbol": symbol, "line": {"color": colour, "width": 1.5}},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": reach("high", 1),
            "arrayminus": reach("low", -1),
            "color": colour,
            "thickness": 2,
            "width": 0,
        },
    }


def _beyond(rows: pd.DataFrame, wide: float) -> list[dict[str, Any]]:
    """Return the numbers of differences that lie outside the picture, at its edge."""
    notes = []
    for row in rows[rows["difference"].abs() > wide].itertuples(index=False):
        right = row.difference > 0
        text = f"{row.difference:+.1f} SD".replace("-", "−")
        notes.append(
            {
                "x": wide if right else -wide,
                "y": row.place,
                "xanchor": "right" if right else "left",
                "text": f"{text} ▶" if right else f"◀ {text}",
                "showarrow": False,
                "bgcolor": "#fff",
                "font": {"size": 12, "color": LOOKS[row.verdict][0]},
            }
        )
    return notes


def _label(row: Any) -> str:  # noqa: ANN401 - a named tuple
    star = "★ " if row.role == "primary" else ""
    where = " ".join(part for part in (row.stage, row.channel) if part)
    return plain_label(f"{star}{row.family}  {row.label}{', ' + where if where else ''}", 46)


def _family_lines(rows: pd.DataFrame) -> list[dict[str, Any]]:
    groups = rows["_role"].astype("str") + rows["family"]
    breaks = np.flatnonzero((groups != groups.shift())[1:]) + 1
    return [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": i - 0.5,
            "y1": i - 0.5,
            "line": {"color": GREY, "width": 1, "dash": "dot"},
        }
        for i in breaks.tolist()
    ]


def draw_nights(
    nights: pd.DataFrame,
    row: Any,  # noqa: ANN401 - a named tuple
    names: tuple[str, str],
    codes: tuple[str, str],
) -> Figure:
    """Return every night of one marker in the order in which they were slept.

    Parameters
    ----------
    nights : DataFrame
        Table COMPARISON_NIGHTS.
    row : named tuple
        The marker's row of table COMPARISON.
    names, codes : tuple of str
        Names of the conditions, and their codes; control (the first code while masked) first.

    Returns
    -------
    Figure
    """
    where = " ".join(part for part in (row.stage, row.channel) if part)
    title = f"{row.label}{', ' + where if where else ''}"
    name = f"nights-{row.marker}-{row.stage}-{row.channel}".replace(" ", "_")
    own = nights[(nights["marker"] == row.marker) & (nights["stage"] == row.stage) & (nights["channel"] == row.channel)]
    own = own.sort_values(["subject", "date"], kind="stable")
    if not np.isfinite(own["value"]).any():
        return Figure(name, title, "", reason=row.reason or "No night has a value.")
    many = len(own["subject"].unique()) > 1
    places = _places_of_many(own) if many else own["date"].tolist()
    own = own.assign(place=places)
    data = _joined(own) + [
        _night_trace(own[own["condition"] == code], name_of, look, row.unit)
        for code, name_of, look in zip(codes, names, (FIRST, SECOND), strict=True)
    ]
    missing = own[~np.isfinite(own["value"])]
    shapes = [] if row.unit == "rad" else _mean_lines(own, codes)
    xaxis = (
        draw_axis("evening", type="date")
        if not many
        else draw_axis(
            "sleeper, nights in order",
            tickvals=list(range(own["subject"].nunique())),
            showgrid=False,
            ticktext=[plain_label(s, 8) for s in own["subject"].unique()],
        )
    )
    unit = f", {plain_label(row.unit)}" if row.unit and row.unit != "n" else ""
    absent = f" {len(missing)} of {len(own)} nights have no value and no point." if len(missing) else ""
    lines = "" if row.unit == "rad" else " The dashed lines are the means of the two conditions."
    span = "Nights of a sleeper stand side by side in order." if many else "A grey line joins neighbouring nights."
    caption = (
        f"A point is a night: open circles {names[0]}, filled triangles {names[1]}.{lines} {span} Look for a drift "
        "that goes on through both conditions, for one night that stands apart, and for how far nights of the same "
        f"condition differ: a difference between the shapes has to be seen against that.{absent}"
    )
    layout = draw_layout(
        260,
        shapes=shapes,
        margin={"l": 58, "r": 12, "t": 30, "b": 44},
        xaxis=xaxis,
        showlegend=True,
        yaxis=draw_axis(plain_label(row.label, 28) + unit, nticks=6),
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "itemclick": False, "itemdoubleclick": False},
    )
    return Figure(name, title, caption, {"data": data, "layout": layout})


def _places_of_many(own: pd.DataFrame) -> list[float]:
    index = {name: i for i, name in enumerate(own["subject"].unique())}
    order = own.groupby("subject").cumcount()
    size = own.groupby("subject")["night"].transform("size")
    return [
        index[s] + (0.0 if n == 1 else 0.7 * (o / (n - 1) - 0.5))
        for s, o, n in zip(own["subject"], order, size, strict=True)
    ]


def _joined(own: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": part["place"].tolist(),
            "y": _plain(part["value"]),
            "line": {"color": "#C9D1D8", "width": 1},
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for _, part in own.groupby("subject", sort=False)
    ]


def _night_trace(part: pd.DataFrame, name: str, look: tuple[str, str], unit: str) -> dict[str, Any]:
    part = part[np.isfinite(part["value"])]
    shown = f" {plain_label(unit)}" if unit and unit != "n" else ""
    texts = [f"{plain_label(row.night)}, {row.date}: {row.value:.3g}{shown}" for row in part.itertuples(index=False)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain_label(name, 30),
        "x": part["place"].tolist(),
        "y": part["value"].tolist(),
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
        "marker": {"size": 11, "color": look[0], "symbol": look[1], "line": {"color": look[0], "width": 2}},
    }


def _mean_lines(own: pd.DataFrame, codes: tuple[str, str]) -> list[dict[str, Any]]:
    lines = []
    for code, (colour, _) in zip(codes, (FIRST, SECOND), strict=True):
        mean = float(own.loc[own["condition"] == code, "value"].mean())
        if math.isfinite(mean):
            lines.append(
                {
                    "type": "line",
                    "xref": "paper",
                    "x0": 0,
                    "x1": 1,
                    "y0": mean,
                    "y1": mean,
                    "layer": "below",
                    "line": {"color": colour, "width": 1.5, "dash": "dash"},
                }
            )
    return lines


def _plain(values: Sequence[float]) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]
