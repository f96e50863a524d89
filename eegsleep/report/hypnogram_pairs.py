"""Two scorings of a night one under the other, and the epochs on which they differ, each with a link to the signal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eegsleep.report.looks import STAGE_COLOURS, STAGE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

# From the top, as in a hypnogram; U is a gap.
_LEVELS = {"W": 0, "R": 1, "N1": 2, "N2": 3, "N3": 4}
_ROW, _TOP, _BETWEEN = 11, 6, 16
_HEIGHT = 2 * (_TOP + 5 * _ROW) + _BETWEEN
# Beyond these the page would grow without a reader; the tables hold all of them.
MAX_NIGHTS, MAX_STRETCHES = 60, 200


def describe_pairs(
    pairs: Sequence[tuple[str, str, pd.DataFrame, pd.DataFrame]], links: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return for each night its two hypnograms as SVG and the stretches on which they differ.

    Parameters
    ----------
    pairs : sequence of (night, subject, reference, observed)
        As `measure_agreement` takes them; of more than `MAX_NIGHTS` those that agree least.
    links : mapping of str to str, optional
        Where the report of a night lies, by its name.

    Returns
    -------
    list of dict
        `night`, `svg`, `n_both`, `n_differ`, `share`, `stretches` and `n_more` of them that are not listed. A stretch
        has `epochs`, `hours` since the start, `reference`, `observed` and `link`.
    """
    nights = [_describe_pair(name, first, second, (links or {}).get(name, "")) for name, _, first, second in pairs]
    if len(nights) > MAX_NIGHTS:
        kept = {night["night"] for night in sorted(nights, key=lambda night: night["share"])[:MAX_NIGHTS]}
        nights = [night for night in nights if night["night"] in kept]
    return nights


def _describe_pair(night: str, reference: pd.DataFrame, observed: pd.DataFrame, link: str) -> dict[str, Any]:
    theirs, ours = reference["stage"].tolist(), observed["stage"].tolist()
    both = [one != "UNS" and other != "UNS" for one, other in zip(theirs, ours, strict=True)]
    differs = [here and one != other for here, one, other in zip(both, theirs, ours, strict=True)]
    stretches, first = [], 0
    for (one, other, differ), members in groupby(zip(theirs, ours, differs, strict=True)):
        stop = first + len(list(members))
        if differ:
            stretches.append(
                {
                    "epochs": f"{first + 1}" if stop - first == 1 else f"{first + 1} to {stop}",
                    "hours": f"{first // 120}:{first % 120 // 2:02d}:{30 * (first % 2):02d}",
                    "reference": STAGE_NAMES[one],
                    "observed": STAGE_NAMES[other],
                    "link": f"{link}#epoch-{first + 1}" if link else "",
                }
            )
        first = stop
    n_both, n_differ = sum(both), sum(differs)
    return {
        "night": night,
        "svg": _draw_pair(night, theirs, ours, differs),
        "n_both": n_both,
        "n_differ": n_differ,
        "share": 1 - n_differ / n_both if n_both else 0.0,
        "stretches": stretches[:MAX_STRETCHES],
        "n_more": max(0, len(stretches) - MAX_STRETCHES),
    }


def _draw_pair(night: str, theirs: list[str], ours: list[str], differs: list[bool]) -> Markup:
    """Return both hypnograms as SVG, the reference above, with ticks between them where they differ."""
    lower = _TOP + 5 * _ROW + _BETWEEN
    shapes = [*_draw_stages(theirs, _TOP), *_draw_stages(ours, lower)]
    first = 0
    for differ, members in groupby(differs):
        width = len(list(members))
        if differ:
            shapes.append(f'<rect class="differs" x="{first}" y="{lower - _BETWEEN + 3}" width="{width}" height="8"/>')
        first += width
    label = Markup("Two hypnograms of {}, the reference above; they differ on {} epochs.").format(night, sum(differs))
    # safe as markup: numbers and names made here, but for the label, which is escaped
    return Markup(  # noqa: S704
        f'<svg class="pair-strip" viewBox="0 0 {max(len(ours), 1)} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{"".join(shapes)}</svg>'
    )


def _draw_stages(stages: list[str], top: float) -> list[str]:
    line, bars, first, down = [], [], 0, False
    for stage, members in groupby(stages):
        stop = first + len(list(members))
        if stage in _LEVELS:
            y = top + (_LEVELS[stage] + 0.5) * _ROW
            line.append(f"{'V' if down else f'M{first} '}{y}H{stop}")
            bars.append(
                f'<rect x="{first}" y="{y - 3}" width="{stop - first}" height="6" fill="{STAGE_COLOURS[stage]}"/>'
            )
        down = stage in _LEVELS
        first = stop
    return [f'<path d="{"".join(line)}"/>', *bars]
