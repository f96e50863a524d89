"""The figures of a study as SVG that needs no script: places are per cent of the width, so that text keeps its size."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from eegsleep.report.numbers import format_number, signed_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

WIDEST_SD = 4.0  # wider intervals run out of the picture
# A sign beside the word and the colour, for readers who do not see colours or print in grey.
SIGNS = {
    "better": "▲",
    "worse": "▼",
    "changed": "◆",
    "equivalent": "■",
    "inconclusive": "○",
    "follows from slow-wave amplitude": "◇",
    "follows from gain": "✕",
    "masked": "◆",
}
_HEIGHT = 210
_TOP, _BOTTOM = 16, 24
_ROOM = 0.08  # of the range of values, above and below


class Drawing(NamedTuple):
    """A figure with its caption, or the reason why there is none.

    Attributes
    ----------
    title, caption : str
    svg : markupsafe.Markup
        Empty if there is nothing to draw.
    reason : str
    """

    title: str
    caption: str
    svg: Markup
    reason: str = ""


class Scale(NamedTuple):
    """Values to places."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.first + share * (self.last - self.first)


def draw_nights(
    nights: pd.DataFrame,
    row: Any,  # noqa: ANN401 - a named tuple
    names: tuple[str, str],
    codes: tuple[str, str],
    blocks: Mapping[str, int] | None = None,
) -> Drawing:
    """Return every night of one marker in the order in which they were slept; nights of one pair are joined.

    Parameters
    ----------
    nights : DataFrame
        Table COMPARISON_NIGHTS.
    row : named tuple
        The marker's row of table COMPARISON.
    names, codes : tuple of str
        Names of the conditions, and their codes; control (the first code while masked) first.
    blocks : mapping of str to int, optional
        The pair of each night, by its name.

    Returns
    -------
    Drawing
    """
    title = _title(row)
    own = _own_nights(nights, row)
    if not np.isfinite(own["value"]).any():
        return Drawing(title, "", Markup(""), row.reason or "No night has a value.")
    many = _is_of_several(own)
    own = own.assign(place=_places(own, many=many))
    known = own[np.isfinite(own["value"])]
    y = _value_scale(known["value"].to_numpy())
    parts = [_grid(y), *_means(known, codes, y, angle=row.unit == "rad"), *_joined(known, codes, blocks or {}, y)]
    parts += [_point(night, y, row.unit, codes) for night in known.itertuples(index=False)]
    parts.append(_below(own, many=many))
    n_missing = len(own) - len(known)
    joined = "A line joins the two nights of a pair. " if blocks and any(blocks.values()) else ""
    means = "" if row.unit == "rad" or many else "The dashed lines are the means. "
    caption = (
        f"A sign is a night: ○ {names[0]}, ▲ {names[1]}. {joined}{means}"
        + ("Nights of a sleeper stand side by side. " if many else "")
        + (f"{n_missing} of {len(own)} nights have no value. " if n_missing else "")
    )
    label = f"{title}, {len(known)} nights. {caption}"
    return Drawing(title, caption.strip(), _svg(_HEIGHT, parts, label, "nights"))


def draw_change(
    nights: pd.DataFrame,
    row: Any,  # noqa: ANN401 - a named tuple
    names: tuple[str, str],
    codes: tuple[str, str],
    blocks: Mapping[str, int] | None = None,
) -> Drawing:
    """Return control beside compound: a line for each pair of nights, or for each sleeper's means, else the points.

    Parameters
    ----------
    nights, row, names, codes, blocks
        As for `draw_nights`.

    Returns
    -------
    Drawing
    """
    own = _own_nights(nights, row)
    known = own[np.isfinite(own["value"])]
    if known.empty:
        return Drawing("", "", Markup(""), row.reason or "No night has a value.")
    many = _is_of_several(known)
    y = _value_scale(known["value"].to_numpy())
    pairs = _pairs(known, codes, {} if many else blocks or {})
    what = "a pair of nights"
    if many:
        pairs, what = _pairs(known, codes, None), "the means of a sleeper"
    parts = [_grid(y)]
    for first, second in pairs:
        rising = "up" if second > first else "down"
        parts.append(f'<line class="pair {rising}" x1="28%" y1="{y(first):.1f}" x2="72%" y2="{y(second):.1f}"/>')
    for code, place, sign in ((codes[0], 28.0, _circle), (codes[1], 72.0, _triangle)):
        values = known.loc[known["condition"] == code, "value"].to_numpy()
        parts += [sign(place, y(float(value)), "") for value in values]
        if len(values) and row.unit != "rad":
            side = 22.0 if place < 50 else 78.0
            anchor = "end" if place < 50 else "start"
            at, mean = f'x="{side}%" y="{y(values.mean()) + 4:.1f}"', format_number(values.mean())
            parts.append(f'<text class="mean" {at} text-anchor="{anchor}">{mean}</text>')
    for name, place in zip(names, (28, 72), strict=True):
        parts.append(f'<text x="{place}%" y="{_HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>')
    n_up = sum(second > first for first, second in pairs)
    caption = f"A line is {what}: {n_up} of {len(pairs)} rise. " if pairs else ""
    caption += "The numbers are the means." if row.unit != "rad" else ""
    return Drawing("", caption, _svg(_HEIGHT, parts, f"{_title(row)}: {names[0]} beside {names[1]}.", "change"))


def draw_flow(
    n_given: int, n_recorded: int, left_out: Mapping[str, int], entering: Sequence[tuple[str, int]]
) -> Drawing:
    """Return the flow of the nights as a trial diagram: what was given a condition, recorded, left out and compared.

    Parameters
    ----------
    n_given, n_recorded : int
        Nights that were given a condition, and those recorded.
    left_out : mapping of str to int
        Recorded nights that do not enter, by reason.
    entering : sequence of (str, int)
        Name of each condition, and how many of its nights enter.

    Returns
    -------
    Drawing
        The reasons for exclusion are its caption.
    """
    n_out, n_in = sum(left_out.values()), sum(n for _, n in entering)
    why = "; ".join(f"{n} {reason}" for reason, n in left_out.items())
    beside = [f"{n_given - n_recorded} not recorded", f"{n_out} excluded"]
    parts = []
    for step, text in enumerate((f"{n_given} nights to compare", f"{n_recorded} recorded", f"{n_in} compared")):
        top = step * 50
        parts.append(_box(0, 44, top, text))
        parts.append(f'<line x1="22%" x2="22%" y1="{top + 26}" y2="{top + 50}"/>')
        if step < len(beside):
            middle = top + 38
            parts.append(f'<line x1="22%" x2="48%" y1="{middle}" y2="{middle}"/>')
            parts.append(_box(48, 52, middle - 13, beside[step]))
    width = (100 - 2 * (len(entering) - 1)) / len(entering)
    last = len(entering) - 1
    parts.append(f'<line x1="{width / 2:.1f}%" x2="{width / 2 + last * (width + 2):.1f}%" y1="150" y2="150"/>')
    for place, (name, n) in enumerate(entering):
        x = place * (width + 2)
        parts.append(f'<line x1="{x + width / 2:.1f}%" x2="{x + width / 2:.1f}%" y1="150" y2="160"/>')
        parts.append(_box(x, width, 160, f"{n} {name}"))
    label = f"{n_given} nights given a condition, {n_recorded} recorded, {n_out} excluded, {n_in} compared. {why}"
    return Drawing("", f"Excluded: {why}." if why else "", _svg(188, parts, label.strip(), "flow"))


def _box(x: float, width: float, y: float, text: str) -> str:
    """Return a box of the flow, 26 px high, with its text; places and widths in per cent."""
    return (
        f'<rect x="{x:.1f}%" y="{y}" width="{width:.1f}%" height="26" rx="4"/>'
        f'<text x="{x + width / 2:.1f}%" y="{y + 17}" text-anchor="middle">{escape(text)}</text>'
    )


def draw_doses(title: str, unit: str, doses: NDArray[np.float64], arms: Sequence[tuple[str, pd.DataFrame]]) -> Drawing:
    """Return the nights of control and two doses at the places of their doses, their means joined.

    Parameters
    ----------
    title, unit : str
        Of the marker.
    doses : ndarray, shape (3,)
        In mg, control first.
    arms : sequence of (str, DataFrame)
        Name of each condition, and its nights with a value: `night`, `value`.

    Returns
    -------
    Drawing
    """
    every = np.concatenate([own["value"].to_numpy(dtype=float) for _, own in arms])
    if not every.size:
        return Drawing(title, "", Markup(""), "No night has a value.")
    x, y = Scale(0.0, float(doses.max()), 18.0, 82.0), _value_scale(every)
    parts, means = [_grid(y)], []
    for (name, own), dose, sign in zip(arms, doses, (_circle, _square, _triangle), strict=True):
        place = x(float(dose))
        values = own["value"].to_numpy(dtype=float)
        for night, value in zip(own["night"], values, strict=True):
            words = escape(f"{night}: {format_number(value)} {unit if unit != 'n' else ''}".rstrip())
            parts.append(sign(place, y(float(value)), f' data-night="{escape(night)}" data-words="{words}"'))
        if values.size and unit != "rad":
            means.append((place, y(float(values.mean()))))
            at = f'x="{place + 3:.1f}%" y="{means[-1][1] + 4:.1f}"'
            parts.append(f'<text class="mean" {at}>{format_number(values.mean())}</text>')
        parts.append(f'<text x="{place:.1f}%" y="{_HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>')
    for (x1, y1), (x2, y2) in pairwise(means):
        parts.insert(1, f'<line class="pair" x1="{x1:.1f}%" y1="{y1:.1f}" x2="{x2:.1f}%" y2="{y2:.1f}"/>')
    caption = "A sign is a night; the line joins the means, and the doses stand as far apart as they are in mg."
    return Drawing(title, caption, _svg(_HEIGHT, parts, f"{title} by dose. {caption}", "doses"))


def _is_of_several(nights: pd.DataFrame) -> bool:
    return len(nights["subject"].unique()) > 1


def _title(row: Any) -> str:  # noqa: ANN401 - a named tuple
    where = " ".join(part for part in (row.stage, row.channel) if part)
    unit = f" ({row.unit})" if row.unit and row.unit != "n" else ""
    return f"{row.label}{', ' + where if where else ''}{unit}"


def _own_nights(nights: pd.DataFrame, row: Any) -> pd.DataFrame:  # noqa: ANN401 - a named tuple
    own = nights[(nights["marker"] == row.marker) & (nights["stage"] == row.stage) & (nights["channel"] == row.channel)]
    return own.sort_values(["subject", "date"], kind="stable")


def _places(own: pd.DataFrame, *, many: bool) -> list[float]:
    """Return the place of each night: by its date, or side by side within its sleeper."""
    if not many:
        days = own["date"].astype("datetime64[ns]").to_numpy().astype("datetime64[D]").astype(int)
        x = Scale(float(days.min()), float(days.max()), 7.0, 97.0)
        return [x(float(day)) for day in days]
    names = list(own["subject"].unique())
    width = 90.0 / len(names)
    order = own.groupby("subject").cumcount().to_numpy()
    size = own.groupby("subject")["night"].transform("size").to_numpy()
    return [
        7.0 + width * (names.index(s) + 0.12 + 0.76 * ((o + 0.5) / n))
        for s, o, n in zip(own["subject"], order, size, strict=True)
    ]


def _value_scale(values: NDArray[np.float64]) -> Scale:
    low, high = float(values.min()), float(values.max())
    room = _ROOM * (high - low) or abs(high) * _ROOM or 1.0
    return Scale(low - room, high + room, float(_HEIGHT - _BOTTOM), float(_TOP))


def list_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Return round numbers within a range, about as many as asked.

    Parameters
    ----------
    low, high : float
    about : int

    Returns
    -------
    list of float
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(step * size for step in (1, 2, 2.5, 5, 10) if step * size >= rough * 0.999)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _grid(y: Scale) -> str:
    lines = []
    for tick in list_ticks(y.low, y.high):
        at = y(tick)
        lines.append(f'<line class="grid" x1="0" x2="100%" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(f'<text class="tick" x="0" y="{at - 3:.1f}">{format_number(tick)}</text>')
    return "".join(lines)


def _means(known: pd.DataFrame, codes: tuple[str, str], y: Scale, *, angle: bool) -> list[str]:
    if angle or _is_of_several(known):
        return []
    lines = []
    for code, kind in zip(codes, ("first", "second"), strict=True):
        mean = known.loc[known["condition"] == code, "value"].mean()
        if math.isfinite(mean):
            at = f"{y(float(mean)):.1f}"
            lines.append(f'<line class="mean {kind}" x1="4%" x2="100%" y1="{at}" y2="{at}"/>')
    return lines


def _joined(known: pd.DataFrame, codes: tuple[str, str], blocks: Mapping[str, int], y: Scale) -> list[str]:
    """Return lines between the nights of a pair; without pairs, between neighbouring nights of a sleeper."""
    lines = []
    for subject, part in known.groupby("subject", sort=False):
        del subject
        numbers = part["night"].map(blocks).fillna(0)
        points = list(zip(part["place"], part["value"], numbers, part["condition"], strict=True))
        for one, two in pairwise(points):
            if blocks and any(blocks.values()) and (one[2] != two[2] or not one[2]):
                continue
            kind = "near"
            if blocks and any(blocks.values()):
                second, first = (one, two) if one[3] == codes[1] else (two, one)
                kind = "pair up" if second[1] > first[1] else "pair down"
            ends = f'x1="{one[0]:.2f}%" y1="{y(one[1]):.1f}" x2="{two[0]:.2f}%" y2="{y(two[1]):.1f}"'
            lines.append(f'<line class="{kind}" {ends}/>')
    return lines


def _pairs(known: pd.DataFrame, codes: tuple[str, str], blocks: Mapping[str, int] | None) -> list[tuple[float, float]]:
    """Return control and compound of each pair of nights; without blocks, the means of each sleeper."""
    group = known["subject"] if blocks is None else known["night"].map(blocks).fillna(0)
    found = []
    for name, part in known.groupby(group):
        by_code = part.groupby("condition")["value"].mean()
        if name and set(codes) <= set(by_code.index):
            found.append((float(by_code[codes[0]]), float(by_code[codes[1]])))
    return found


def _point(night: Any, y: Scale, unit: str, codes: tuple[str, str]) -> str:  # noqa: ANN401 - a named tuple
    sign = _triangle if night.condition == codes[1] else _circle
    shown = f" {unit}" if unit and unit != "n" else ""
    words = f"{night.night}, {night.date}: {format_number(night.value)}{shown}"
    return sign(night.place, y(night.value), f' data-night="{escape(night.night)}" data-words="{escape(words)}"')


def _circle(x: float, y: float, more: str) -> str:
    return f'<circle class="first" cx="{x:.2f}%" cy="{y:.1f}" r="5"{more}/>'


def _square(x: float, y: float, more: str) -> str:
    return f'<use class="third" href="#sign-equivalent" x="{x:.2f}%" y="{y:.1f}"{more}/>'


def _triangle(x: float, y: float, more: str) -> str:
    return f'<use class="second" href="#triangle" x="{x:.2f}%" y="{y:.1f}"{more}/>'


def _below(own: pd.DataFrame, *, many: bool) -> str:
    """Return the labels under the nights: dates, or sleepers."""
    at = _HEIGHT - 6
    if many:
        middles = own.groupby("subject", sort=False)["place"].mean()
        return "".join(
            f'<text x="{x:.2f}%" y="{at}" text-anchor="middle">{escape(str(name)[:8])}</text>'
            for name, x in middles.items()
        )
    first, last = own.iloc[0], own.iloc[-1]
    ends = (
        [(7.0, "start", first["date"]), (97.0, "end", last["date"])]
        if len(own) > 1
        else [(50, "middle", first["date"])]
    )
    return "".join(f'<text x="{x}%" y="{at}" text-anchor="{anchor}">{escape(date)}</text>' for x, anchor, date in ends)


def _svg(height: int, parts: Sequence[str], label: str, kind: str) -> Markup:
    """Return a picture; safe as markup, because every text in it was escaped."""
    return Markup(  # noqa: S704
        f'<svg class="chart {kind}" width="100%" height="{height}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


def draw_bar(difference: float, low: float, high: float, bound: float, verdict: str) -> Markup:
    """Return one row of the forest: the interval, the difference as the sign of its verdict, the box of what is small.

    Parameters
    ----------
    difference, low, high, bound : float
        In standard deviations between nights.
    verdict : str

    Returns
    -------
    markupsafe.Markup
        Empty without a difference.
    """
    if not math.isfinite(difference):
        return Markup("")
    x = Scale(-WIDEST_SD, WIDEST_SD, 0.0, 100.0)

    def at(value: float) -> float:
        return x(min(max(value, -WIDEST_SD), WIDEST_SD))

    parts = []
    if math.isfinite(bound):
        parts.append(
            f'<rect class="small" x="{at(-bound):.2f}%" width="{at(bound) - at(-bound):.2f}%" y="0" height="18"/>'
        )
    parts.append('<line class="zero" x1="50%" x2="50%" y1="0" y2="18"/>')
    kind, beyond = verdict.split(" ", maxsplit=1)[0], abs(difference) > WIDEST_SD
    if math.isfinite(low) and math.isfinite(high) and not beyond:
        parts.append(f'<line class="span" x1="{at(low):.2f}%" x2="{at(high):.2f}%" y1="9" y2="9"/>')
    if beyond:
        right = difference > 0
        text = f"{signed_number(round(difference, 1))} ▶" if right else f"◀ {signed_number(round(difference, 1))}"
        place = 'x="99%" text-anchor="end"' if right else 'x="1%"'
        parts.append(f'<text class="edge" {place} y="13">{text}</text>')
    else:
        parts.append(f'<use href="#sign-{kind}" x="{at(difference):.2f}%" y="9"/>')
    label = f"{signed_number(round(difference, 2))} standard deviations"
    return Markup(  # noqa: S704 - numbers and words made here
        f'<svg class="bar {kind}" width="100%" height="18" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )


def draw_ratio(ratio: float, low: float, high: float) -> Markup:
    """Return one row of the bands: compound over control on a logarithmic axis from half to twice.

    Parameters
    ----------
    ratio, low, high : float

    Returns
    -------
    markupsafe.Markup
    """
    x = Scale(-1.0, 1.0, 0.0, 100.0)

    def at(value: float) -> float:
        return x(min(max(math.log2(value), -1.0), 1.0))

    parts = ['<line class="zero" x1="50%" x2="50%" y1="0" y2="18"/>']
    if low > 0 and math.isfinite(high):
        parts.append(f'<line class="span" x1="{at(low):.2f}%" x2="{at(high):.2f}%" y1="9" y2="9"/>')
    parts.append(f'<circle cx="{at(ratio):.2f}%" cy="9" r="4.5"/>')
    return Markup(  # noqa: S704 - numbers made here
        f'<svg class="bar band" width="100%" height="18" role="img" aria-label="× {format_number(ratio, 2)}">'
        f"{''.join(parts)}</svg>"
    )


def draw_shares(shares: NDArray[np.float64], longest: int, name: str) -> Markup:
    """Return how many nights were in each stage over the night, stacked from deep sleep below to wake above.

    Parameters
    ----------
    shares : ndarray, shape (n_bins, 5)
        Of wake, REM, N1, N2 and N3, for every five minutes.
    longest : int
        Bins that fill the width.
    name : str
        Of the condition.

    Returns
    -------
    markupsafe.Markup
        Empty without a bin.
    """
    if not len(shares):
        return Markup("")
    order = ((4, "3"), (3, "2"), (2, "1"), (1, "R"), (0, "W"))
    base = np.zeros(len(shares))
    paths = []
    for column, letter in order:
        top = base + shares[:, column]
        up = "".join(f"L{i} {100 - 100 * v:.1f}L{i + 1} {100 - 100 * v:.1f}" for i, v in enumerate(top))
        back = "".join(
            f"L{i + 1} {100 - 100 * v:.1f}L{i} {100 - 100 * v:.1f}" for i, v in reversed(list(enumerate(base)))
        )
        paths.append(f'<path fill="var(--stage-{letter})" d="M{up[1:]}{back}Z"/>')
        base = top
    label = escape(f"Share of nights in each stage over the night, {name}.")
    width = 100 * len(shares) / max(longest, 1)
    return Markup(  # noqa: S704 - numbers made here; the name is escaped
        f'<svg class="shares" viewBox="0 0 {len(shares)} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}" style="width:{width:.1f}%">{"".join(paths)}</svg>'
    )
