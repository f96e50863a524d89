"""Compose the page of one night: the answer in a sentence and ten numbers, the figure, the signal, and all the rest.

The page draws itself from what `night_data` and `trace` put into it, with the scripts in `templates/night/`.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eegsleep.file_names import TRACE_FILE, USUAL_FILE
from eegsleep.report.compose import compose_page, encode_figure, read_template
from eegsleep.report.looks import main_channel
from eegsleep.report.night_data import UNSURE_BELOW, collect_night_data
from eegsleep.report.night_words import (
    KEYS,
    MARKS,
    READING,
    SPANS_S,
    STAGE_BUTTONS,
    describe_agreement,
    describe_missing,
    describe_night,
    describe_omitted,
    describe_trace,
    list_colours,
    sort_notes,
)
from eegsleep.report.numbers import ARROWS, MISSING, VERDICTS, format_number
from eegsleep.report.trace import STEPS_UV, check_trace, encode_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from eegsleep.night.night import Night
    from eegsleep.recording.recording import Recording

# The scripts of the page in the order they run; each adds to the name `eegsleep`.
SCRIPTS = (
    "night/clock.js",
    "night/signal.js",
    "night/pen.js",
    "night/sleep.js",
    "night/edits.js",
    "night/overview.js",
    "night/traces.js",
    "night/averages.js",
    "night/eventlist.js",
    "night/export.js",
    "find.js",
    "night/state.js",
    "night/told.js",
    "night/pointer.js",
    "night/keys.js",
    "night/page.js",
)

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


def render_night(
    night: Night,
    recording: Recording | None = None,
    *,
    trace: str = "light",
    sidecar: bool = False,
) -> bytes:
    """Return the report of one night as one HTML file that needs no network.

    Equal nights give equal bytes: nothing on the page depends on when or where it is made.

    Parameters
    ----------
    night : Night
        The analysed night.
    recording : Recording, optional
        Its recording. Without it the page shows no signal, as for a night read back from its folder.
    trace : {'light', 'full', 'none'}
        How fine the signal is in the page: steps of 1 µV (about 9 MB for 8 h of four channels), steps of 0.5 µV, or no
        signal.
    sidecar : bool
        Whether the page lies in a folder of many nights: its signal is then in `trace.js` beside it (`render_trace`),
        and the range of the same person's other nights in `usual.js` above it.

    Returns
    -------
    bytes
        The page, in UTF-8.

    Raises
    ------
    SettingsError
        If the choice of trace is not known.

    Examples
    --------
    >>> page = es.render_night(night, recording, trace="none")
    >>> page[:15]
    b'<!DOCTYPE html>'
    """
    check_trace(trace)
    channel = main_channel(night.roles)
    data = collect_night_data(night, recording)
    has_trace = recording is not None and trace != "none"
    encoded = encode_trace(recording, trace) if recording is not None and has_trace and not sidecar else None
    weighty, footnotes = sort_notes(night, recording)
    groups = _marker_groups(night.markers)
    return compose_page(
        "night.html",
        own=SCRIPTS,
        early=("theme.js",),
        sidecar=sidecar,
        trace_file=TRACE_FILE if has_trace and sidecar else "",
        night_css=Markup(read_template("sheet.css") + read_template("night/night.css")),  # noqa: S704 - our own files
        home="../index.html" if sidecar else "",
        usual=f"../{USUAL_FILE}" if sidecar else "",
        night=night,
        data=data,
        data_json=Markup(encode_figure(data)),  # noqa: S704 - no character of HTML is left in it
        trace_json=Markup(encode_figure(encoded.as_dict())) if encoded else "",  # noqa: S704 - likewise
        trace_step=format_number(STEPS_UV[trace]) if has_trace else "",
        trace_words=describe_trace(recording, trace),
        trace_missing=describe_missing() if has_trace and sidecar else "",
        facts=_facts(night),
        badge=VERDICTS[night.verdict.verdict],
        sentence=describe_night(night.markers),
        warnings=weighty,
        footnotes=footnotes,
        cards=[_card(night.markers, channel, *card) for card in CARDS],
        averages=_averages(data),
        n_events=len(data["spindles"]["onset_s"]) + len(data["waves"]["onset_s"]),
        groups=groups,
        n_markers=sum(len(group["rows"]) for group in groups),
        provenance=_provenance(night.provenance),
        agreement=describe_agreement(night),
        omitted=describe_omitted(night, data),
        key=list_colours(data),
        marks=MARKS,
        spans=SPANS_S,
        stage_buttons=STAGE_BUTTONS,
        keys=KEYS,
        reading=READING,
        unsure_percent=round(100 * UNSURE_BELOW),
    )


def render_trace(recording: Recording, trace: str = "light") -> bytes:
    """Return the signal of a night as the script that its page reads (`render_night` with `sidecar`).

    Parameters
    ----------
    recording : Recording
    trace : {'light', 'full'}

    Raises
    ------
    SettingsError
        If the choice of trace is not known, or there is to be none.

    Examples
    --------
    >>> len(es.render_trace(recording)) > 100_000
    True
    """
    encoded = encode_trace(recording, trace)
    text = encode_figure(encoded.as_dict()) if encoded else "null"
    return f"(window.eegsleep = window.eegsleep || {{}}).traceData = {text};\n".encode()


def _averages(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the figures of events: an average for each kind on the main channel, and the coupling."""
    figures: list[dict[str, Any]] = []
    known = data["averages"]
    for kind in ("fast spindle", "slow spindle", "slow oscillation"):
        title = f"Average {kind}"
        if known is None:
            reason = "Averages need the signal, which a night read back does not hold."
            figures.append({"name": kind, "title": title, "reason": reason})
            continue
        mine = [(i, found) for i, found in enumerate(known) if found["kind"] == kind]
        if not mine:
            figures.append({"name": kind, "title": title, "reason": f"No {kind} was detected: none to average."})
            continue
        index, shown = next((one for one in mine if one[1]["channel"] == data["channel"]), mine[0])
        zero = (
            "Zero is the negative peak (down state)."
            if kind == "slow oscillation"
            else "A clear waxing and waning speaks for true spindles."
        )
        caption = f"Mean of {shown['n']} events on {shown['channel']}; the band is ± one standard error. {zero}"
        figures.append(
            {
                "name": kind,
                "title": title,
                "reason": "",
                "caption": caption,
                "index": index,
                "kind": kind,
                "channel": shown["channel"],
            }
        )
    return [*figures, _coupling(data)]


def _coupling(data: Mapping[str, Any]) -> dict[str, Any]:
    coupling, title = data["coupling"], "Spindles on slow oscillations"
    if "counts" not in coupling:
        n = coupling["n"]
        reason = (
            f"{n or 'No'} fast spindle{'' if n == 1 else 's'} on {data['channel'] or 'any derivation'} rode on a slow "
            f"oscillation; the distribution is drawn from {coupling['least']} on."
        )
        return {"name": "coupling", "title": title, "reason": reason}
    caption = (
        f"Where {coupling['n']} of {coupling['n_spindles']} fast spindles on {data['channel']} peak within the slow "
        "oscillation; time runs clockwise. The line points to the mean phase "
        f"({math.degrees(coupling['mean_rad']):.0f}°, 0° being the up state) and would reach the rim if all agreed "
        f"(length {coupling['strength']:.2f} of 1)."
    )
    return {"name": "coupling", "title": title, "reason": "", "caption": caption.replace("(-", "(−"), "kind": ""}


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
    column = f"{marker}|{stage}|{channel if stage else ''}"
    # sleep statistics follow corrections of the stages
    card = {"marker": marker, "label": label, "live": not stage, "column": column, "decimals": decimals}
    note = ""
    if stage:
        rows = rows[(rows["stage"] == stage) & (rows["channel"] == channel)]
        note = f"{channel or 'no EEG derivation'} · {stage}"
    if rows.empty:
        note = f"{note}: not measured" if note else "not measured"
        return {**card, "value": MISSING, "unit": "", "missing": True, "note": note}
    row = rows.iloc[0]
    missing = not math.isfinite(row["value"])
    if missing:
        reason = row["reason"] or "no reason was recorded"
        return {**card, "value": MISSING, "unit": "", "missing": True, "note": reason}
    note = note or _interval(row["low"], row["high"], decimals)
    value = format_number(row["value"], decimals)
    return {**card, "value": value, "unit": _unit(row["unit"]), "missing": False, "note": note}


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
    # One pass over all: itertuples compiles a class of rows each time it is called.
    parts: dict[tuple[str, str], list[Any]] = {}
    for row in markers.itertuples(index=False):
        parts.setdefault((row.family, row.marker), []).append(row)
    for family in dict.fromkeys([*FAMILIES, *markers["family"]]):
        rows = []
        for name in names:
            if (family, name) in parts:
                rows += _marker_rows(parts[family, name], CATALOGUE.get(name))
        if rows:
            title = FAMILIES.get(family, family)
            title = f"{family} · {title}" if family in FAMILIES and family != "context" else title
            groups.append({"title": title, "rows": rows})
    return groups


def _marker_rows(mine: Sequence[Any], known: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - Marker or None
    rows = []
    for position, row in enumerate(mine):
        label = known.label if known is not None else row.marker
        effect = MISSING
        if known is not None and known.smallest_effect is not None:
            effect = f"{format_number(known.smallest_effect)} {_unit(known.smallest_effect_unit)}".strip()
        arrow, words = ARROWS.get(known.direction_in(row.stage) if known is not None else "0", ARROWS["0"])
        missing = not math.isfinite(row.value)
        rows.append(
            {
                "first": position == 0,
                "find": f"{label} {row.marker} {row.stage or 'night'} {row.channel}".lower(),
                "label": label,
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
