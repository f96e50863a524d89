"""The spectra of the conditions on a study's page: the mean over nights and how far the nights lie apart."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from eegsleep.report.numbers import format_number
from eegsleep.report.study_figures import Drawing, Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

# Bands that follow one another, with at most 1 Hz in common; a night folder holds their power, and no finer spectrum.
_BANDS = ("slow_delta", "delta", "theta", "alpha", "sigma_mid", "sigma_high", "beta_low", "beta_high")
_STAGE = "NREM"
_FEWEST = 4  # bands that make a spectrum
_HEIGHT = 230
_APART = 0.5  # per cent of the width between two conditions, so that their spans do not hide each other
_KINDS = {2: ("first", "second"), 3: ("first", "third", "second")}


def draw_spectra(nights: pd.DataFrame, channel: str, conditions: Sequence[tuple[str, str]]) -> Drawing | None:
    """Return the power density of each condition by band, geometric mean and the middle 80 % of its nights.

    Parameters
    ----------
    nights : DataFrame
        Table COMPARISON_NIGHTS.
    channel : str
    conditions : sequence of (str, str)
        Code and name of each condition, control first.

    Returns
    -------
    Drawing or None
        None where fewer than four bands have values in every condition.
    """
    from eegsleep.spectrum.measure import BANDS_HZ, FINE_BANDS_HZ

    own = nights[(nights["stage"] == _STAGE) & (nights["channel"] == channel) & (nights["value"] > 0)]
    spans, used = [], []
    for band in _BANDS:
        low, high = FINE_BANDS_HZ.get(band) or BANDS_HZ[band]
        rows = own[own["marker"] == f"{band}_power_uv2"]
        density = np.log10(rows["value"].to_numpy(dtype=float) / (high - low))
        parts = [density[(rows["condition"] == code).to_numpy()] for code, _ in conditions]
        if all(part.size for part in parts):
            spans.append([(part.mean(), *np.quantile(part, (0.1, 0.9))) for part in parts])
            used.append((low, high))
    if len(used) < _FEWEST:
        return None
    numbers = np.array(spans)  # bands, conditions, (mean, low, high)
    x = Scale(math.log2(used[0][0]), math.log2(used[-1][1]), 8.0, 98.0)
    y = Scale(float(numbers.min()) - 0.1, float(numbers.max()) + 0.1, _HEIGHT - 26.0, 10.0)
    places = np.array([x((math.log2(low) + math.log2(high)) / 2) for low, high in used])
    parts = _axes(x, y)
    for column, kind in enumerate(_KINDS[len(conditions)]):
        parts += _draw_one(places + _APART * (column - (len(conditions) - 1) / 2), numbers[:, column], y, kind)
    caption = (
        f"{_STAGE}, {channel}, in {len(used)} bands from {used[0][0]:g} to {used[-1][1]:g} Hz: the line is the mean, a "
        "bar holds the middle 80 % of the nights. Both axes are logarithmic."
    )
    label = escape(f"Power density of {' and '.join(name for _, name in conditions)}. {caption}")
    start = f'<svg class="chart spectra" width="100%" height="{_HEIGHT}" role="img" aria-label="{label}">'
    svg = Markup(f"{start}{''.join(parts)}</svg>")  # noqa: S704 - every text in it was escaped
    return Drawing("Power density (µV²/Hz)", caption, svg)


def _axes(x: Scale, y: Scale) -> list[str]:
    parts = []
    for power in range(math.ceil(y.low), math.floor(y.high) + 1):
        at = y(float(power))
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="0" y="{at - 3:.1f}">{format_number(10.0**power)}</text>')
    for hz in (0.5, 1, 2, 4, 8, 16, 32):
        if x.low <= math.log2(hz) <= x.high:
            place = f'x="{x(math.log2(hz)):.1f}%" y="{_HEIGHT - 6}"'
            parts.append(f'<text {place} text-anchor="middle">{hz:g}{" Hz" if hz == 1 else ""}</text>')
    return parts


def _draw_one(places: NDArray[np.float64], numbers: NDArray[np.float64], y: Scale, kind: str) -> list[str]:
    """Return the line of one condition, and a bar for each band."""
    parts = [
        f'<line class="spread {kind}" x1="{at:.2f}%" x2="{at:.2f}%" y1="{y(low):.1f}" y2="{y(high):.1f}"/>'
        for at, (_, low, high) in zip(places, numbers, strict=True)
    ]
    points = list(zip(places, numbers[:, 0], strict=True))
    return parts + [
        f'<line class="course {kind}" x1="{x1:.2f}%" x2="{x2:.2f}%" y1="{y(y1):.1f}" y2="{y(y2):.1f}"/>'
        for (x1, y1), (x2, y2) in pairwise(points)
    ]
