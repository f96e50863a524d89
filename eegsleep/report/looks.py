"""Colours, labels and layout that the figures of all pages share, and a figure with its panels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


STAGE_NAMES = {"W": "Wake", "R": "REM", "N1": "N1", "N2": "N2", "N3": "N3"}
# Hues that colour-blind readers can distinguish, and five steps of lightness for prints in grey.
STAGE_COLOURS = {"W": "#EFB13C", "R": "#BE3D0A", "N1": "#BFDFF2", "N2": "#4A97CC", "N3": "#0B3866"}
INK, MUTED, RULE, GREY = "#1B2733", "#5A6875", "#E4E8EC", "#AEB8C1"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Panel:
    """One panel of the stacked figure: its traces, and how to read it."""

    title: str
    caption: str
    height: int
    traces: tuple[dict[str, Any], ...]
    yaxis: Mapping[str, Any]
    key: tuple[tuple[str, str], ...] = ()  # (colour, meaning) pairs shown beside the caption


@dataclass(frozen=True)
class Figure:
    """A figure and its caption, or, when there is nothing to draw, the reason why."""

    name: str
    title: str
    caption: str
    spec: dict[str, Any] | None = None
    reason: str = ""
    key: tuple[tuple[str, str], ...] = ()
    panels: tuple[Panel, ...] = field(default=())
    omitted: tuple[str, ...] = ()


def draw_axis(title: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - plotly's own names
    """Return plotly's settings of an axis, with our colours; `more` overrides them."""
    return {
        **({"title": {"text": title, "font": {"size": 11, "color": MUTED}, "standoff": 6}} if title else {}),
        "gridcolor": RULE,
        "zeroline": False,
        "tickfont": {"size": 11, "color": MUTED},
        "fixedrange": True,
        **more,
    }


def draw_layout(height: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - plotly's own names
    """Return plotly's layout of a figure of this height in pixels, with our font and colours; `more` overrides them."""
    return {
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "#fff",
        "plot_bgcolor": "#fff",
        "showlegend": False,
        "hovermode": "closest",
        "autosize": True,
        "dragmode": False,
        "height": height,
        "hoverlabel": {"bgcolor": "#fff", "bordercolor": GREY, "font": {"color": INK}},
        **more,
    }


def plain_label(text: object, longest: int = 40) -> str:
    """Return `text` fit for plotly, which reads <a> and <b> in labels: no angle brackets, not endless.

    Parameters
    ----------
    text : object
    longest : int
        Characters after which it is cut.

    Returns
    -------
    str
    """
    label = "".join(c for c in str(text) if c not in "<>" and c.isprintable())
    return label if len(label) <= longest else label[: longest - 1] + "…"


def main_channel(roles: Mapping[str, str]) -> str | None:
    """Return the label of the first EEG derivation, which cards and event panels show.

    Parameters
    ----------
    roles : mapping of str to str
        The role (eeg, eog or emg) of each derivation, in order.

    Returns
    -------
    str or None
        None if there is no EEG.
    """
    return next((label for label, role in roles.items() if role == "eeg"), None)
