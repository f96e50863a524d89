"""A hypnogram the size of a table cell, as SVG that needs no script."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable

# Height of each stage in the strip, as in a hypnogram; U (unscored) is a gap.
_LEVELS = {"W": 3, "R": 9, "1": 15, "2": 21, "3": 27}
WIDTH, HEIGHT = 120, 30
LETTERS = {"W": "W", "R": "R", "N1": "1", "N2": "2", "N3": "3", "UNS": "U"}


def longest_night(nights: Iterable[str]) -> int:
    """Return the number of epochs of the longest of several nights, without unscored epochs at both ends.

    Parameters
    ----------
    nights : iterable of str
        One letter an epoch, as for `draw_strip`.

    Returns
    -------
    int
    """
    return max((len(stages.strip("U")) for stages in nights), default=0)


def draw_strip(stages: str, longest: int) -> Markup:
    """Return the stages of a night as SVG; all strips of a page share one scale of time.

    Parameters
    ----------
    stages : str
        One letter an epoch: `W`, `R`, `1`, `2`, `3`, and `U` for unscored.
    longest : int
        Epochs that fill the whole width.

    Returns
    -------
    markupsafe.Markup
        Empty for a night without a scored epoch.
    """
    stages = stages.strip("U")
    if not stages:
        return Markup("")
    # No finer than the screen can show, so that a page of 500 nights opens at once.
    step = max(1.0, longest / WIDTH)
    n_columns = max(1, round(len(stages) / step))
    starts = [int(i * step) for i in range(n_columns + 1)]
    columns = [_most_frequent(stages[first : max(end, first + 1)]) for first, end in pairwise(starts)]
    line, rem, x, pen = [], [], 0, False
    for letter, run in groupby(columns):
        end = x + len(list(run))
        if letter in _LEVELS:
            y = _LEVELS[letter]
            line.append(f"V{y}H{end}" if pen else f"M{x} {y}H{end}")
            if letter == "R":
                rem.append(f"M{x} {y}H{end}")
        pen = letter in _LEVELS
        x = end
    width = max(round(WIDTH * len(stages) / max(longest, 1)), 1)
    thick = f'<path class="rem" d="{"".join(rem)}"/>' if rem else ""
    label = f"Hypnogram: {_describe_stages(stages)}"
    # safe as markup: letters and numbers made here
    return Markup(  # noqa: S704
        f'<svg class="strip" viewBox="0 0 {n_columns} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        f'preserveAspectRatio="none" role="img" aria-label="{label}"><path d="{"".join(line)}"/>{thick}</svg>'
    )


def _most_frequent(piece: str) -> str:
    return max(dict.fromkeys(piece), key=piece.count, default="U")


def _describe_stages(stages: str) -> str:
    names = {"W": "wake", "1": "N1", "2": "N2", "3": "N3", "R": "REM", "U": "unscored"}
    counts = Counter(stages)
    return ", ".join(f"{name} {counts[letter] / 2:g} min" for letter, name in names.items() if counts[letter])
