"""What figures of all pages share: colours of stages, labels, and a figure with its panels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


STAGE_NAMES = {"W": "Wake", "R": "REM", "N1": "N1", "N2": "N2", "N3": "N3"}
# Hues a colour-blind reader can part, and five steps of lightness for who sees or prints only greys.
STAGE_COLOURS = {"W": "#EFB13C", "R": "#BE3D0A", "N1": "#BFDFF2", "N2": "#4A97CC", "N3": "#0B3866"}
INK, MUTED, RULE = "#1B2733", "#5A6875", "#E4E8EC"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Panel:
    """One panel of the stacked figure: what it draws, and how to read it."""

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


def plain_label(text: object, longest: int = 40) -> str:
    """Return `text` fit for plotly, which reads <a> and <b> in labels: no angle brackets, not endless."""
    label = "".join(c for c in str(text) if c not in "<>" and c.isprintable())
    return label if len(label) <= longest else label[: longest - 1] + "…"


def main_channel(roles: Mapping[str, str]) -> str | None:
    """Return the label of the first EEG derivation, which cards and event panels show."""
    return next((label for label, role in roles.items() if role == "eeg"), None)
