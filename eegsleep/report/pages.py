"""Compose figures, tables and words into one HTML page: whole in itself, or with plotly.js shared by a folder."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eegsleep.errors import EegSleepError
from eegsleep.provenance import hash_bytes, hash_file, write_file
from eegsleep.report.night_figures import Figure, draw_averages, draw_coupling, draw_overview, main_channel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from eegsleep.night import Night

TEMPLATES = Path(__file__).with_name("templates")
MISSING = "–"
# marker, label, stage, decimals; those of a channel are shown for the first EEG derivation.
CARDS = (
    ("tst_min", "Total sleep time", "", 1),
    ("sleep_efficiency_percent", "Sleep efficiency", "", 1),
    ("sol_min", "Sleep onset latency", "", 1),
    ("waso_min", "Wake after sleep onset", "", 1),
    ("rem_latency_min", "REM latency", "", 1),
    ("n3_min", "Deep sleep (N3)", "", 1),
    ("rem_min", "REM sleep", "", 1),
    ("fast_spindle_density_per_min", "Fast spindle density", "NREM", 2),
    ("slow_oscillation_density_per_min", "Slow-oscillation density", "NREM", 2),
    ("swa_power_uv2", "Slow-wave activity", "NREM", 0),
)
# Words and a sign beside the colour, for who does not see it or prints in grey.
VERDICTS = {
    "usable": ("✓", "Usable", "Nothing speaks against counting with this night."),
    "caution": ("!", "Caution", "Usable with these reservations:"),
    "reject": ("✕", "Reject", "Too little of the signal can be believed; do not count with this night:"),
}
ARROWS = {
    "+": ("↑", "higher is usually better"),
    "-": ("↓", "lower is usually better"),
    "0": ("·", "no judgement of the direction"),
}


def render_night(night: Night, plotly: str | None = None) -> bytes:
    """Return the report of one night as one HTML file that needs no network.

    Equal nights give equal bytes: nothing on the page depends on when or where it is made.

    Parameters
    ----------
    night : Night
        The analysed night.
    plotly : str, optional
        Where plotly.js lies, as `share_plotly` gives it; by default the page carries its own, 5 MB.

    Returns
    -------
    bytes
        The page, in UTF-8.
    """
    channel = main_channel(night.roles)
    kinds = ("fast spindle", "slow spindle", "slow oscillation")
    events = [draw_averages(night.averages, kind, channel) for kind in kinds]
    events.append(draw_coupling(night.coupling, channel))
    return compose_page(
        "night.html",
        plotly=plotly,
        night=night,
        facts=_facts(night),
        badge=VERDICTS[night.verdict.verdict],
        cards=[_card(night.markers, channel, *card) for card in CARDS],
        overview=with_json(draw_overview(night)),
        events=[with_json(figure) for figure in events],
        groups=_marker_groups(night.markers),
        provenance=_provenance(night.provenance),
    )


def compose_page(template: str, *, plotly: str | None = None, script: str = "", **parts: Any) -> bytes:  # noqa: ANN401 - whatever the template shows
    """Fill one of our templates and return the page in UTF-8.

    Parameters
    ----------
    template : str
        Its file name. It is given `parts`, which it escapes, and what every page needs (`page.html`).
    plotly : str, optional
        Where plotly.js lies, relative to the page; by default the page carries it within itself.
    script : str
        File name of one more script of ours that the page runs.
    **parts
        What the template shows.
    """
    import jinja2

    plotly_js = "" if plotly else _plotly_js()
    scripts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in ("draw.js", script) if name]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    filled = environment.get_template(template)
    parts |= {
        "css": Markup((TEMPLATES / "night.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        "plotly": plotly or "",
        "plotly_js": Markup(plotly_js),  # noqa: S704 - the wheel's own file, held by the hash in the policy
        "scripts": [Markup(text) for text in scripts],  # noqa: S704 - our own files
    }
    inline = [plotly_js, *scripts] if plotly_js else scripts
    if not plotly:
        return filled.render(**parts, nonce="", policy=_policy(inline)).encode("utf-8")
    # The nonce is a hash of all that the page shows: whoever wrote a part of it, such as the header of a
    # recording, cannot know it beforehand, and equal pages still have equal bytes.
    nonce = hash_bytes(filled.render(**parts, nonce="", policy="").encode("utf-8"))[:32]
    return filled.render(**parts, nonce=nonce, policy=_policy(inline, nonce)).encode("utf-8")


def share_plotly(folder: str | Path) -> str:
    """Keep plotly.js once in a folder of nights, and return where the page of a night finds it.

    Parameters
    ----------
    folder : path
        The folder that holds the night folders; it is made if need be. A file that is not what we would
        write is replaced.

    Returns
    -------
    str
        The file relative to a night folder, for `render_night`: `../plotly-4.1.1.min.js`.

    Raises
    ------
    EegSleepError
        If it cannot be written.
    """
    from plotly.offline import get_plotlyjs_version

    content = _plotly_js().encode("utf-8")
    path = Path(folder) / f"plotly-{get_plotlyjs_version()}.min.js"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _holds(path, content):
            write_file(path, content)
    except OSError as error:
        # two computers of one cluster may have written it at the same moment, under the same process number
        if not _holds(path, content):
            raise EegSleepError(f"{path} cannot be written", found=str(error)) from error
    return f"../{path.name}"


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and hash_file(path) == hash_bytes(content)


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def encode_figure(spec: Mapping[str, Any]) -> str:
    """Return a figure as JSON that cannot end the script element it stands in."""
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain_number)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def format_number(value: float, decimals: int | None = None) -> str:
    """Return a number for reading: three digits unless `decimals` are asked, a true minus, – if missing."""
    if value is None or not math.isfinite(value):
        return MISSING
    if decimals is None:
        size = math.floor(math.log10(abs(value))) if value else 0
        decimals = min(max(2 - size, 0), 6)
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:,.{decimals}f}"
    # The comma of thousands is a decimal comma to half of our readers; a thin space is neither.
    return text.replace(",", "\u202f").replace("-", "−")


def _plain_number(value: Any) -> Any:  # noqa: ANN401 - numpy scalars
    return value.item()


def with_json(figure: Figure) -> dict[str, Any]:
    """Return a figure's fields for a template, its spec also as JSON that is safe inside a script element."""
    # Safe as markup because `encode_figure` leaves no character in it that HTML knows.
    text = Markup(encode_figure(figure.spec)) if figure.spec else ""  # noqa: S704
    return {name: getattr(figure, name) for name in figure.__dataclass_fields__} | {"json": text}


def _policy(scripts: Sequence[str], nonce: str = "") -> str:
    """Allow these very scripts and nothing else to run; nothing at all to be fetched but plotly.js of a nonce.

    A file beside the page is let in by a nonce: opened from a disk, a page may not read the file, and so no browser
    can hold it to a hash (integrity), while 'self' would let in every script of the disk.
    plotly.js sets style rules and attributes ('unsafe-inline' for style only), draws heat maps as data:
    images and saves pictures through blob: ones.
    """
    digests = [base64.b64encode(hashlib.sha256(s.encode("utf-8")).digest()).decode() for s in scripts]
    allowed = " ".join([f"'sha256-{digest}'" for digest in digests] + ([f"'nonce-{nonce}'"] if nonce else []))
    return (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )


def _facts(night: Night) -> list[tuple[str, str]]:
    hours, minutes = divmod(round(night.duration_s / 60), 60)
    facts = []
    if night.start is None:
        facts.append(("Date", "unknown; times are hours since the start"))
    else:
        # a made-up date may lie at the end of the calendar
        end = night.start + min(timedelta(seconds=float(night.duration_s)), datetime.max - night.start)  # noqa: DTZ901 - local time
        first, last = (f"{day:%A}, {day.day} {day:%B %Y}, {day:%H:%M}" for day in (night.start, end))
        facts += [("From", first), ("to", f"{end:%H:%M}" if night.start.date() == end.date() else last)]
    facts += [
        ("Duration", f"{hours} h {minutes} min"),
        ("Lights", _lights(night)),
        ("Device", night.device or "not known"),
    ]
    names = {"eeg": "EEG", "eog": "EOG", "emg": "EMG"}
    for role, name in names.items():
        labels = [label for label, found in night.roles.items() if found == role]
        if labels:
            facts.append((name, ", ".join(labels)))
    return facts


def _lights(night: Night) -> str:
    lights = night.lights
    if lights.source == "whole recording":
        return "off throughout (not stated)"
    moments = [night.start + timedelta(seconds=s) if night.start else None for s in (lights.off_s, lights.on_s)]
    off, on = (
        f"{m:%H:%M}" if m else f"{s / 3600:.2f} h" for m, s in zip(moments, (lights.off_s, lights.on_s), strict=True)
    )
    return f"off {off}, on {on} ({'guessed from sleep' if lights.source == 'sleep' else lights.source})"


def _card(
    markers: pd.DataFrame, channel: str | None, marker: str, label: str, stage: str, decimals: int
) -> dict[str, Any]:
    rows = markers[markers["marker"] == marker]
    note = ""
    if stage:
        rows = rows[(rows["stage"] == stage) & (rows["channel"] == channel)]
        note = f"{channel or 'no EEG derivation'} · {stage}"
    if rows.empty:
        note = f"{note}: not measured" if note else "not measured"
        return {"label": label, "value": MISSING, "unit": "", "missing": True, "note": note}
    row = rows.iloc[0]
    missing = not math.isfinite(row["value"])
    if missing:
        reason = row["reason"] or "no reason was recorded"
        return {"label": label, "value": MISSING, "unit": "", "missing": True, "note": reason}
    note = note or _interval(row["low"], row["high"], decimals)
    value = format_number(row["value"], decimals)
    return {"label": label, "value": value, "unit": _unit(row["unit"]), "missing": False, "note": note}


def _interval(low: float, high: float, decimals: int | None = None) -> str:
    """Return the interval that unsure stages leave, in words, or nothing where there is none."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return ""
    return f"95 % {format_number(low, decimals)} to {format_number(high, decimals)}"


def _unit(unit: str) -> str:
    """Return the unit as printed; the tables write some of them as words."""
    return {"n": "", "percent": "%", "per_min": "/min", "per min": "/min", "1/min": "/min", "uv2": "µV²", "uV^2": "µV²",
            "µV2": "µV²", "µV^2": "µV²"}.get(unit, unit)  # fmt: skip


def _marker_groups(markers: pd.DataFrame) -> list[dict[str, Any]]:
    from eegsleep.markers import CATALOGUE, FAMILIES

    order = list(CATALOGUE)
    names = sorted(
        dict.fromkeys(markers["marker"]),
        key=lambda name: order.index(name) if name in CATALOGUE else len(order),
    )
    groups = []
    for family in dict.fromkeys([*FAMILIES, *markers["family"]]):
        mine = markers[markers["family"] == family]
        rows = []
        for name in names:
            rows += _marker_rows(mine[mine["marker"] == name], CATALOGUE.get(name))
        if rows:
            title = FAMILIES.get(family, family)
            title = f"{family} · {title}" if family in FAMILIES and family != "context" else title
            groups.append({"title": title, "rows": rows})
    return groups


def _marker_rows(mine: pd.DataFrame, known: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - Marker or None
    rows = []
    for position, row in enumerate(mine.itertuples(index=False)):
        effect = MISSING
        if known is not None and known.smallest_effect is not None:
            effect = f"{format_number(known.smallest_effect)} {_unit(known.smallest_effect_unit)}".strip()
        arrow, words = ARROWS.get(known.direction_in(row.stage) if known is not None else "0", ARROWS["0"])
        missing = not math.isfinite(row.value)
        rows.append({
            "first": position == 0, "span": len(mine),
            "label": known.label if known is not None else row.marker,
            "meaning": known.meaning if known is not None else "", "arrow": arrow, "direction_words": words,
            "stage": row.stage or "night", "channel": row.channel or MISSING, "value": format_number(row.value),
            "unit": "" if missing else _unit(row.unit), "n": f"{row.n:,}".replace(",", "\u202f"),
            "clean_min": format_number(row.clean_min), "smallest_effect": effect,
            "reason": (row.reason or "no reason was recorded") if missing else row.reason,
            "interval": _interval(row.low, row.high, 1 if row.unit in {"min", "%"} else None),
            "expected": f"by probabilities {format_number(row.expected)}" if math.isfinite(row.expected) else "",
        })  # fmt: skip
    return rows


def _provenance(provenance: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """One list of pairs for the plain values, and one for each nested part, flattened to dotted names."""
    plain = [(str(k), _value(v)) for k, v in provenance.items() if not isinstance(v, dict)]
    parts = [("Identity", plain)] if plain else []
    for name, part in provenance.items():
        if isinstance(part, dict):
            title = str(name).replace("_", " ")
            parts.append((title[:1].upper() + title[1:], _flatten(part)))
    return parts


def _flatten(part: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs = []
    for name, value in part.items():
        if isinstance(value, dict) and value:
            pairs += _flatten(value, f"{prefix}{name}.")
        else:
            pairs.append((f"{prefix}{name}", _value(value)))
    return pairs


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
