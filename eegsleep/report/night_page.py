"""Compose figures, tables and words into one HTML page: whole in itself, or with plotly.js shared by a folder."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from eegsleep.report.compose import compose_page, with_json
from eegsleep.report.looks import main_channel
from eegsleep.report.night_figures import draw_averages, draw_coupling, draw_overview
from eegsleep.report.numbers import ARROWS, MISSING, VERDICTS, format_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.night.analyze import Night

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
        ("Lights", _describe_lights(night)),
        ("Device", night.device or "not known"),
    ]
    names = {"eeg": "EEG", "eog": "EOG", "emg": "EMG"}
    for role, name in names.items():
        labels = [label for label, found in night.roles.items() if found == role]
        if labels:
            facts.append((name, ", ".join(labels)))
    return facts


def _describe_lights(night: Night) -> str:
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
    return {
        "n": "",
        "percent": "%",
        "per_min": "/min",
        "per min": "/min",
        "1/min": "/min",
        "uv2": "µV²",
        "uV^2": "µV²",
        "µV2": "µV²",
        "µV^2": "µV²",
    }.get(unit, unit)


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
        rows.append(
            {
                "first": position == 0,
                "span": len(mine),
                "label": known.label if known is not None else row.marker,
                "meaning": known.meaning if known is not None else "",
                "arrow": arrow,
                "direction_words": words,
                "stage": row.stage or "night",
                "channel": row.channel or MISSING,
                "value": format_number(row.value),
                "unit": "" if missing else _unit(row.unit),
                "n": f"{row.n:,}".replace(",", "\u202f"),
                "clean_min": format_number(row.clean_min),
                "smallest_effect": effect,
                "reason": (row.reason or "no reason was recorded") if missing else row.reason,
                "interval": _interval(row.low, row.high, 1 if row.unit in {"min", "%"} else None),
                "expected": f"by probabilities {format_number(row.expected)}" if math.isfinite(row.expected) else "",
            }
        )
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
