"""The page over all nights of a folder: one table to sort and filter, one figure, and a link to every report."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from eegsleep.file_names import REPORT_FILE
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.report.compose import compose_page, encode_figure, with_json
from eegsleep.report.hypnogram_strip import draw_strip, longest_night
from eegsleep.report.looks import GREY, MUTED, Figure, draw_axis, draw_layout, plain_label
from eegsleep.report.numbers import MISSING, VERDICTS, format_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

# marker, stage, head of the column, decimals; those of a stage are shown for the first EEG derivation.
COLUMNS = (
    ("tst_min", "", "TST, min", 0),
    ("sleep_efficiency_percent", "", "SE, %", 0),
    ("sol_min", "", "SOL, min", 0),
    ("waso_min", "", "WASO, min", 0),
    ("n3_min", "", "N3, min", 0),
    ("rem_min", "", "REM, min", 0),
    ("fast_spindle_density_per_min", "NREM", "Fast spindles, /min", 2),
    ("slow_oscillation_density_per_min", "NREM", "Slow osc., /min", 2),
)
# Further markers of the figure: often asked for, or different where nights were not recorded alike.
MORE_CHOICES = (
    ("n1_min", ""),
    ("n2_min", ""),
    ("rem_latency_min", ""),
    ("awakenings", ""),
    ("slow_spindle_density_per_min", "NREM"),
    ("spindle_amplitude_uv", "NREM"),
    ("fast_spindle_frequency_hz", "NREM"),
    ("slow_oscillation_ptp_uv", "NREM"),
    ("swa_power_uv2", "NREM"),
    ("sigma_power_uv2", "NREM"),
    ("coupling_strength", "NREM"),
    ("aperiodic_exponent", "NREM"),
    ("gain_reference_uv", "NREM"),
    ("spindle_recall_percent", "NREM"),
)
# A sign beside the word and the colour, for readers who do not see colours or print in grey.
STATUS = {
    "failed": ("✕", "failed", "This night could not be scored; the reason is below its name."),
    "unreadable": ("✕", "not readable", "Its folder is there, but its files were changed or cannot be read."),
    "done": ("✓", "done", "Scored by the last batch that asked for it."),
    "fresh": ("✓", "fresh", "Scored before, and up to date: same recording, settings and versions."),
    "scored": ("·", "scored", "In this folder, but not scored by a batch."),
}
COLOURS = {"usable": "#00694E", "caution": "#D98200", "reject": "#8C1D18"}
SYMBOLS = {"usable": "circle", "caution": "diamond", "reject": "x"}
N_NAMED = 5
MAX_DAY_TICKS = 8


class Glance(NamedTuple):
    """What the page shows of a night in addition to its row of `nights.csv`.

    Attributes
    ----------
    channel : str
        Its first EEG derivation.
    stages : str
        One letter an epoch: `W`, `R`, `1`, `2`, `3`, or `U` for unscored.
    reasons : mapping of str to str
        Why values are missing, by column.
    has_report : bool
        Whether there is a page to open.
    """

    channel: str = ""
    stages: str = ""
    reasons: Mapping[str, str] = {}
    has_report: bool = False


def render_index(
    nights: pd.DataFrame,
    jobs: pd.DataFrame | None = None,
    *,
    glances: Mapping[str, Glance] | None = None,
    notes: Sequence[str] = (),
    plotly: str | None = None,
    conditions: Mapping[str, str] | None = None,
) -> bytes:
    """Return the page over all nights as one HTML file that needs no network.

    Parameters
    ----------
    nights : pandas.DataFrame
        One row a night, as `gather_nights` returns it.
    jobs : pandas.DataFrame, optional
        Table `JOBS`, which knows the nights that failed.
    glances : mapping of str to Glance, optional
        More to show of each night, by its name.
    notes : sequence of str
        Sentences that the page shows first.
    plotly : str, optional
        Where plotly.js lies, relative to the page; by default the page carries its own, 5 MB.
    conditions : mapping of str to str, optional
        `compound` or `control` by night, once the codes of the study were opened.

    Returns
    -------
    bytes
        The page, in UTF-8. Equal tables give equal bytes.
    """
    glances = glances or {}
    records = nights.to_dict("records")
    attempts = {row["night"]: row for row in jobs.to_dict("records")} if jobs is not None else {}
    known = {row["night"] for row in records}
    absent = [_absent_night(attempt, nights) for name, attempt in attempts.items() if name not in known]
    longest = longest_night(glance.stages for glance in glances.values())
    rows = [
        _row(record, attempts.get(record["night"]), glances.get(record["night"], Glance()), longest)
        for record in [*absent, *records]
    ]
    # failed nights come first, then the order of the table
    rows.sort(key=lambda row: row["status"] not in {"failed", "unreadable"})
    for row in rows:
        row["condition"] = (conditions or {}).get(row["night"], "")
    figure, choices = _draw_nights(records, glances)
    return compose_page(
        "index.html",
        plotly=plotly,
        script="index.js",
        rows=rows,
        sleepers=any(row["subject"] for row in rows),
        conditions=bool(conditions),
        arms={"compound": "▲", "control": "○", "low dose": "■", "high dose": "▲"},
        notes=[*_describe_failures(rows), *notes],
        facts=_facts(records, rows),
        heads=[(_label(marker, stage), short) for marker, stage, short, _ in COLUMNS],
        hours=format_number(longest / 120, 1),
        statuses=_options(rows, "status", {name: words for name, (_, words, _) in STATUS.items()}),
        verdicts=_options(rows, "verdict", {name: words for name, (_, words, _) in VERDICTS.items()}),
        figure=with_json(figure),
        choices=choices,
        # safe as markup for the same reason as the figures
        choices_json=Markup(encode_figure({"choices": choices, "links": _links(records, glances)})),  # noqa: S704
    )


def _absent_night(attempt: Mapping[str, Any], nights: pd.DataFrame) -> dict[str, Any]:
    """Return an empty row for a night that has no folder."""
    texts = {name: "" for name in nights.columns if "|" not in name}
    return {**texts, "night": attempt["night"], "subject": attempt.get("subject", ""), "duration_s": math.nan}


def _row(record: Mapping[str, Any], attempt: Mapping[str, Any] | None, glance: Glance, longest: int) -> dict[str, Any]:
    status, reason = attempt["status"] if attempt else "scored", record["reason"]
    if attempt and status == "failed":
        earlier = " The values are those of an earlier run." if record["verdict"] else ""
        reason = (attempt["reason"] or attempt["error"] or "no reason was recorded") + earlier
    elif reason:
        status = "unreadable"
    sign, words, meaning = STATUS.get(status, STATUS["scored"])
    verdict = VERDICTS.get(record["verdict"], ("", "", ""))
    return {
        "night": record["night"],
        "subject": record["subject"],
        "status": status,
        "sign": sign,
        "words": words,
        "status_meaning": meaning,
        "reason": reason,
        "verdict": record["verdict"],
        "verdict_sign": verdict[0],
        "verdict_words": verdict[1],
        "verdict_reasons": record["verdict_reasons"],
        "start": record["start"],
        "date": _date(record["start"]),
        "hours": format_number(record["duration_s"] / 3600, 1),
        "href": _link(record["night"], glance),
        "strip": draw_strip(glance.stages, longest),
        "cells": [_cell(record, glance, reason, *column) for column in COLUMNS] if record["verdict"] else [],
    }


def _cell(
    record: Mapping[str, Any], glance: Glance, why: str, marker: str, stage: str, _head: str, decimals: int
) -> dict[str, Any]:
    column = _find_column(record, glance, marker, stage)
    value = record.get(column, math.nan)
    if math.isfinite(value):
        channel = column.rsplit("|", 1)[-1] if stage else ""
        return {"value": format_number(value, decimals), "sort": f"{value:.10g}", "title": channel}
    reason = glance.reasons.get(column) or why or "not measured"
    return {"value": MISSING, "sort": "", "title": reason}


def _find_column(record: Mapping[str, Any], glance: Glance, marker: str, stage: str) -> str:
    """Return the column of a marker: on the first EEG derivation, or, if not known, the first with a value."""
    if not stage or glance.channel:
        return f"{marker}|{stage}|{glance.channel if stage else ''}"
    mine = [name for name in record if name.startswith(f"{marker}|{stage}|")]
    return next((name for name in mine if math.isfinite(record[name])), f"{marker}|{stage}|")


def _link(night: str, glance: Glance) -> str:
    return f"./{quote(night, safe='')}/{REPORT_FILE}" if glance.has_report else ""


def _links(records: Sequence[Mapping[str, Any]], glances: Mapping[str, Glance]) -> list[str]:
    return [_link(row["night"], glances.get(row["night"], Glance())) for row in records]


def _label(marker: str, stage: str) -> str:
    return CATALOGUE[marker].label + (f", {stage}" if stage else "")


def _date(start: str) -> str:
    return start[:16].replace("T", " ")


def _evening(start: str) -> str:
    """Return the date of the evening a night belongs to: one that begins after midnight is of the day before."""
    return (datetime.fromisoformat(start) - timedelta(hours=12)).date().isoformat()


def _options(rows: Sequence[Mapping[str, Any]], name: str, words: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Return what can be chosen in a filter: value, words, and how many nights have it."""
    counts = Counter(row[name] for row in rows)
    return [(value, text, counts[value]) for value, text in words.items() if counts[value]]


def _describe_failures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    bad = [row["night"] for row in rows if row["status"] in {"failed", "unreadable"}]
    if not bad:
        return []
    named = ", ".join(bad[:N_NAMED]) + (f" and {len(bad) - N_NAMED} more" if len(bad) > N_NAMED else "")
    return [f"{len(bad)} of {len(rows)} nights could not be made or read: {named}. The table says why."]


def _facts(records: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    verdicts = Counter(row["verdict"] for row in records)
    subjects = {row["subject"] for row in records} - {""}
    starts = sorted(row["start"][:10] for row in records if row["start"])
    devices = sorted({row["device"] or "not known" for row in records if row["verdict"]})
    judged = ", ".join(
        f"{verdicts[name]} {words.lower()}" for name, (_, words, _) in VERDICTS.items() if verdicts[name]
    )
    facts = [("Nights", str(len(rows)))]
    facts += [("Sleepers", str(len(subjects)))] if subjects else []
    facts += [("Signals", judged)] if judged else []
    facts += [("Dates", starts[0] if starts[0] == starts[-1] else f"{starts[0]} to {starts[-1]}")] if starts else []
    facts += [("Device" if len(devices) == 1 else "Devices", ", ".join(devices))] if devices else []
    return facts


def _draw_nights(
    records: Sequence[Mapping[str, Any]], glances: Mapping[str, Glance]
) -> tuple[Figure, list[dict[str, Any]]]:
    """Return the figure with the first marker that has values, and all markers it can show."""
    choices = []
    for marker, stage in [column[:2] for column in COLUMNS] + list(MORE_CHOICES):
        columns = [_find_column(row, glances.get(row["night"], Glance()), marker, stage) for row in records]
        values = [row.get(column, math.nan) for row, column in zip(records, columns, strict=True)]
        if any(math.isfinite(value) for value in values):
            unit = CATALOGUE[marker].unit
            label = _label(marker, stage) + (f", {unit}" if unit not in {"", "n"} else "")
            y = [float(f"{value:.5g}") if math.isfinite(value) else None for value in values]
            choices.append({"label": label, "y": y})
    title = "A marker over the nights"
    if not choices:
        return Figure("nights", title, "", reason="No night has a value to draw."), []
    dated = len({row["subject"] for row in records}) == 1 and all(row["start"] for row in records)
    order = "by the evening it began" if dated else "in the order of nights.csv"
    caption = (
        f"Each point is a night, {order}; a missing value is a gap and not a zero. Markers of a channel are those of "
        "the night’s first EEG derivation. A click opens the night’s report."
    )
    spec = _spec(records, choices[0], dated=dated)
    key = tuple((COLOURS[name], words) for name, (_, words, _) in VERDICTS.items())
    return Figure("nights", title, caption, spec, key=key), choices


def _days(evenings: Sequence[Any], *, dated: bool) -> dict[str, Any]:
    """Return ticks of whole days where nights are few; by default, plotly would label the hours between them."""
    if not dated or (date.fromisoformat(max(evenings)) - date.fromisoformat(min(evenings))).days > MAX_DAY_TICKS:
        return {}
    return {"dtick": 86_400_000, "tickformat": "%-d %b %Y"}


def _spec(records: Sequence[Mapping[str, Any]], first: Mapping[str, Any], *, dated: bool) -> dict[str, Any]:
    verdicts = [row["verdict"] for row in records]
    trace = {
        # a line is a course through the nights of one sleeper; without a name they may be of several
        "type": "scatter",
        "mode": "lines+markers" if dated and records[0]["subject"] else "markers",
        "y": first["y"],
        "x": [_evening(row["start"]) for row in records] if dated else list(range(1, len(records) + 1)),
        "text": [f"{plain_label(row['night'])}, {_date(row['start']) or 'date not known'}" for row in records],
        "hovertemplate": "%{text}<br>%{y}<extra></extra>",
        "line": {"color": GREY, "width": 1},
        "marker": {
            "size": 8,
            "color": [COLOURS.get(name, MUTED) for name in verdicts],
            "symbol": [SYMBOLS.get(name, "circle-open") for name in verdicts],
        },
    }
    days = _days(trace["x"], dated=dated)
    layout = draw_layout(
        300,
        dragmode="zoom",
        margin={"l": 60, "r": 12, "t": 12, "b": 40},
        xaxis=draw_axis(type="date" if dated else "linear", showgrid=False, fixedrange=False, **days),
        yaxis=draw_axis(first["label"], fixedrange=False),
    )
    return {"data": [trace], "layout": layout}
