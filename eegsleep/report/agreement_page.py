"""The page about the agreement of two scorings, with published values to compare it with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.provenance import package_versions
from eegsleep.report.compose import compose_page, with_json
from eegsleep.report.hypnogram_pairs import describe_pairs
from eegsleep.report.looks import (
    GREY,
    INK,
    MUTED,
    STAGE_COLOURS,
    STAGE_NAMES,
    Figure,
    draw_axis,
    draw_layout,
    plain_label,
)
from eegsleep.report.numbers import MISSING, format_number
from eegsleep.signals.epochs import SCORED_STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from eegsleep.agreement.measure import Agreement

# Cesari et al. 2021, doi:10.5664/jcsm.9174 (PMC8314654): two centres scored 1,066 nights; mean and SD over nights.
HUMAN_KAPPA, HUMAN_KAPPA_SD = 0.66, 0.13
# Vallat & Walker 2021, doi:10.7554/eLife.70092, figure 1: median over 585 nights of NSRR kept for testing.
YASA_MEDIAN_ACCURACY = 0.875
# name, label, drawn as a panel, published half-width of a headband's limits of agreement (its "minimal
# detectable change", 1.96 SD of headband minus polysomnography: doi:10.1093/sleep/zsag053, table 2, PMC13058607).
STATISTICS = (
    ("tst_min", "Total sleep time", True, 79.3),
    ("waso_min", "Wake after sleep onset", True, 73.7),
    ("sol_min", "Sleep onset latency", True, 47.2),
    ("n1_min", "N1", True, None),
    ("n2_min", "N2", True, None),
    ("n3_min", "N3", True, 67.8),
    ("rem_min", "REM", True, 78.7),
    ("rem_latency_min", "REM latency", True, None),
    ("n3_latency_min", "N3 latency", False, None),
    ("sleep_efficiency_percent", "Sleep efficiency", False, 15.3),
    ("awakenings", "Awakenings", False, None),
    ("stage_transitions_per_h", "Stage changes", False, None),
)
UNITS = {"min": "min", "percent": "%", "n": "", "per_h": "/h"}
MEASURES = {
    "kappa": "Cohen's kappa",
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    **{f"f1_{stage.lower()}": f"F1 of {STAGE_NAMES[stage]}" for stage in SCORED_STAGES},
}
N_NAMED = 10
POINT, LIMIT = "#0B3866", "#A3201A"


def render_agreement(
    agreement: Agreement,
    *,
    reference: str = "reference",
    observed: str = "observed",
    notes: Sequence[str] = (),
    left_out: Mapping[str, str] | None = None,
    pairs: Sequence[tuple[str, str, pd.DataFrame, pd.DataFrame]] = (),
    links: Mapping[str, str] | None = None,
) -> bytes:
    """Return the page of an agreement as one HTML file that needs no network.

    Parameters
    ----------
    agreement : Agreement
        As `measure_agreement` returns it.
    reference, observed : str
        Name of the scorer: "expert", "eegsleep 0.2".
    notes : sequence of str
        What a reader must know first, such as that the nights are simulated.
    left_out : mapping of str to str, optional
        Nights that are not among the numbers, each with the reason, as `find_unpaired` returns them.
    pairs : sequence of (night, subject, reference, observed)
        The scorings that were compared; the page shows both hypnograms of each night and lists where they differ.
    links : mapping of str to str, optional
        Where the report of a night lies, relative to the page.

    Returns
    -------
    bytes
        The page, in UTF-8. Equal tables give equal bytes.

    Examples
    --------
    >>> agreed = es.measure_agreement([("night-1", "me", ["W", "N2", "N2"], ["W", "N2", "N3"])])
    >>> es.render_agreement(agreed)[:15]
    b'<!DOCTYPE html>'
    """
    nights, pooled = agreement.nights, agreement.pooled
    panels = [with_json(_draw_limits(agreement, name, label)) for name, label, is_panel, _ in STATISTICS if is_panel]
    return compose_page(
        "agreement.html",
        reference=reference,
        observed=observed,
        notes=[*notes, *describe_left_out(left_out or {})],
        left_out=list((left_out or {}).items()),
        hypnograms=describe_pairs(pairs, links),
        n_pairs=len(pairs),
        facts=_facts(nights, reference, observed),
        cards=_cards(nights, pooled),
        meaning=_meaning(pooled),
        confusion=with_json(_draw_confusion(agreement.confusion, reference, observed)),
        f1=with_json(_draw_f1(pooled)),
        panels=[panel for panel in panels if panel["spec"]],
        remarks=_panel_remarks(panels),
        statistics=_statistic_rows(agreement.minutes),
        pooled=_pooled_rows(pooled),
        nights=_night_rows(nights),
        resampled=_resampled(pooled),
        versions=list(package_versions().items()),
    )


def describe_left_out(left_out: Mapping[str, str]) -> list[str]:
    """Return a sentence for each reason why nights are not among the numbers, with how many and which.

    Parameters
    ----------
    left_out : mapping of str to str
        The reason by the name of the night, as `find_unpaired` gives them.

    Returns
    -------
    list of str
    """
    reasons: dict[str, list[str]] = {}
    for night, reason in left_out.items():
        reasons.setdefault(reason, []).append(night)
    return [
        f"{_count(len(nights), 'night')} not among these numbers ({reason.rstrip('.')}): {', '.join(nights[:N_NAMED])}"
        + (f" and {len(nights) - N_NAMED} more." if len(nights) > N_NAMED else ".")
        for reason, nights in reasons.items()
    ]


def _pick(pooled: pd.DataFrame, measure: str, pooling: str = "mean of nights") -> Any:  # noqa: ANN401 - a named tuple
    rows = pooled[(pooled["measure"] == measure) & (pooled["pooling"] == pooling)]
    return next(rows.itertuples(index=False))


def _share(value: float, measure: str) -> str:
    """Return a score as it is usually written: accuracy in percent, all others with two decimals."""
    if measure != "accuracy":
        return format_number(value, 2)
    return f"{format_number(100 * value, 1)} %" if math.isfinite(value) else MISSING


def _range(low: float, high: float, measure: str = "", decimals: int = 2) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    if measure == "accuracy":
        low, high, decimals = 100 * low, 100 * high, 1
    return f"{format_number(low, decimals)} to {format_number(high, decimals)}"


def _signed(value: float, decimals: int = 1) -> str:
    text = format_number(value, decimals)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def _count(number: float, noun: str) -> str:
    return f"{format_number(number, 0)} {noun}{'' if number == 1 else 's'}"


def _facts(nights: pd.DataFrame, reference: str, observed: str) -> list[tuple[str, str]]:
    subjects = nights["subject"].nunique()
    of_whom = f" of {_count(subjects, 'subject')}" if subjects < len(nights) else ""
    return [
        ("Reference", reference),
        ("Observed", observed),
        ("Nights", f"{len(nights)}{of_whom}"),
        ("Epochs scored by both", format_number(nights["n_epochs"].sum(), 0)),
    ]


def _cards(nights: pd.DataFrame, pooled: pd.DataFrame) -> list[dict[str, Any]]:
    cards = []
    for measure in ("kappa", "accuracy", "macro_f1"):
        row = _pick(pooled, measure)
        interval = _range(row.low, row.high, measure)
        note = f"95 % interval {interval}" if interval else row.reason
        finite = nights[measure][np.isfinite(nights[measure])]
        if len(finite) > 1:
            note += f"; nights from {_share(finite.min(), measure)} to {_share(finite.max(), measure)}"
        label = MEASURES[measure] + (", mean of nights" if len(nights) > 1 else "")
        cards.append(
            {"label": label, "value": _share(row.value, measure), "note": note, "missing": not math.isfinite(row.value)}
        )
    total, both = nights["n_total"].sum(), nights["n_epochs"].sum()
    left_out = 100 * (total - both) / total if total else math.nan
    cards.append(
        {
            "label": "Left out of all epochs",
            "value": f"{format_number(left_out, 1)} %",
            "missing": False,
            "note": f"unscored by the reference {format_number(nights['unscored_reference'].sum(), 0)}, "
            "by the observed "
            f"{format_number(nights['unscored_observed'].sum(), 0)} epochs"
            + (
                f"; most in one night {format_number(nights['left_out_percent'].max(), 1)} %" if len(nights) > 1 else ""
            ),
        }
    )
    return cards


def _meaning(pooled: pd.DataFrame) -> list[str]:
    """Return sentences that compare kappa and accuracy with published values of experts and YASA."""
    kappa, accuracy = _pick(pooled, "kappa"), _pick(pooled, "accuracy", "median of nights")
    experts = (
        "Two experts from two centres agreed on 1,066 nights with kappa "
        f"{HUMAN_KAPPA} ± {HUMAN_KAPPA_SD} (mean ± SD over nights)."
    )
    here = format_number(kappa.value, 2)
    if not math.isfinite(kappa.value):
        text = [f"{experts} Kappa is undefined here."]
    elif not math.isfinite(kappa.low):
        text = [f"{experts} The {here} here has no interval: it can be set beside theirs, not called better or worse."]
    else:
        above, below = kappa.low > HUMAN_KAPPA, kappa.high < HUMAN_KAPPA
        place = "lies above theirs" if above else "lies below theirs" if below else "cannot be told from theirs"
        text = [f"{experts} The {here} ({_range(kappa.low, kappa.high)}) here {place}."]
    text.append(
        f"YASA against experts, on 585 nights it was not trained on, reached a median accuracy of "
        f"{100 * YASA_MEDIAN_ACCURACY:.1f} %; {'the median' if accuracy.n_nights > 1 else 'the accuracy'} here is "
        f"{_share(accuracy.value, 'accuracy')}."
    )
    return text


def _resampled(pooled: pd.DataFrame) -> str:
    row = _pick(pooled, "kappa")
    if not row.n_resamples:
        return f"No bootstrap was possible ({row.reason})."
    unit = "subjects with all their nights" if 1 < row.n_subjects < row.n_nights else "nights"
    one = f"; {row.reason}" if row.reason else ""
    return (
        f"Intervals: {format_number(row.n_resamples, 0)} bootstrap samples of {unit}, seed {row.seed}{one}. Their "
        "percentiles are widened for few units (Hesterberg 2015, doi:10.1080/00031305.2015.1089789)."
    )


def _draw_confusion(confusion: pd.DataFrame, reference: str, observed: str) -> Figure:
    caption = (
        "Each row takes the epochs of one stage of the reference and says where the observed scoring put them: the "
        "share of the row, and below it the number of epochs. Agreement lies on the diagonal. N1 against wake, N2 and "
        "REM, and N2 against N3, are where experts differ most, too. An empty row is a stage the reference never gave."
    )
    shares = confusion.pivot_table(index="reference", columns="observed", values="share", dropna=False)
    counts = confusion.pivot_table(index="reference", columns="observed", values="n_epochs", dropna=False)
    shares, counts = (
        frame.reindex(index=SCORED_STAGES, columns=SCORED_STAGES).to_numpy(float) for frame in (shares, counts)
    )
    if not counts.sum():
        return Figure("confusion", "Stage by stage", "", reason="No epoch was scored by both.")
    annotations = [
        {
            "x": j,
            "y": i,
            "showarrow": False,
            "font": {"size": 12, "color": "#fff" if shares[i, j] > 0.7 else INK},
            "text": f"{100 * shares[i, j]:.0f} %<br>{format_number(counts[i, j], 0)}",
        }
        for i in range(5)
        for j in range(5)
        if math.isfinite(shares[i, j])
    ]
    names = [STAGE_NAMES[stage] for stage in SCORED_STAGES]
    ticks = {"tickvals": list(range(5)), "ticktext": names, "showgrid": False}
    spec = {
        "data": [
            {
                "type": "heatmap",
                "z": [[v if math.isfinite(v) else None for v in row] for row in shares.tolist()],
                "zmin": 0,
                "zmax": 1,
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
                "hoverinfo": "skip",
                "colorscale": [[0, "#F2F5F8"], [0.5, "#7FB1D6"], [1, "#0B3866"]],
            }
        ],
        "layout": draw_layout(
            350,
            annotations=annotations,
            margin={"l": 62, "r": 8, "t": 46, "b": 8},
            xaxis=draw_axis(plain_label(observed), side="top", **ticks),
            yaxis=draw_axis(plain_label(reference), autorange="reversed", **ticks),
        ),
    }
    return Figure("confusion", "Stage by stage", caption, spec)


def _draw_f1(pooled: pd.DataFrame) -> Figure:
    caption = (
        "F1 is the harmonic mean of how many of a stage's epochs were found and how many of those so called were "
        "right; the mean of nights, the bar its 95 % interval. A stage with few epochs (often N1) has a low F1 by its "
        "rarity alone."
    )
    rows = [_pick(pooled, f"f1_{stage.lower()}") for stage in SCORED_STAGES]
    if not any(math.isfinite(row.value) for row in rows):
        return Figure("f1", "F1 of each stage", "", reason="No epoch was scored by both.")
    data, labels = [], []
    for place, (stage, row) in enumerate(zip(SCORED_STAGES, rows, strict=True)):
        text = format_number(row.value, 2)
        if math.isfinite(row.value):
            point = {
                "type": "scatter",
                "mode": "markers",
                "x": [row.value],
                "y": [place],
                "hoverinfo": "skip",
                "marker": {"size": 11, "color": STAGE_COLOURS[stage], "line": {"color": INK, "width": 1}},
            }
            if math.isfinite(row.low):
                point["error_x"] = {
                    "type": "data",
                    "symmetric": False,
                    "array": [row.high - row.value],
                    "arrayminus": [row.value - row.low],
                    "color": MUTED,
                    "thickness": 2,
                }
                text += f"  ({_range(row.low, row.high)})"
            data.append(point)
        else:
            text = f"{MISSING}  undefined"
        labels.append(
            {
                "xref": "paper",
                "x": 1.02,
                "xanchor": "left",
                "y": place,
                "text": text,
                "showarrow": False,
                "font": {"size": 12, "color": INK},
            }
        )
    names = [STAGE_NAMES[stage] for stage in SCORED_STAGES]
    spec = {
        "data": data,
        "layout": draw_layout(
            350,
            annotations=labels,
            margin={"l": 50, "r": 130, "t": 46, "b": 44},
            xaxis=draw_axis("F1", range=[-0.03, 1.03], tickvals=[0, 0.5, 1]),
            yaxis=draw_axis("", tickvals=list(range(5)), ticktext=names, range=[4.6, -0.6]),
        ),
    }
    return Figure("f1", "F1 of each stage", caption, spec)


def _draw_limits(agreement: Agreement, name: str, label: str) -> Figure:
    """Return difference against mean of one statistic, with bias, limits and their intervals."""
    row = next(agreement.minutes[agreement.minutes["statistic"] == name].itertuples(index=False))
    if not math.isfinite(row.loa_lower):
        return Figure(f"limits-{name}", label, "", reason=row.reason or "no night has a value")
    points = agreement.statistics[agreement.statistics["statistic"] == name]
    points = points[np.isfinite(points["difference"])]
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": ((points["reference"] + points["observed"]) / 2).tolist(),
            "y": points["difference"].tolist(),
            "text": [plain_label(night) for night in points["night"]],
            "hovertemplate": "%{text}<br>mean %{x:.1f}, difference %{y:+.1f}<extra></extra>",
            "cliponaxis": False,
            "marker": {"size": 7, "color": POINT + "B0", "line": {"color": "#fff", "width": 1}},
        }
    ]
    shapes = [_line(0, GREY, "dot", 1)]
    for value, low, high, colour, dash in (
        (row.bias, row.bias_low, row.bias_high, POINT, "solid"),
        (row.loa_lower, row.loa_lower_low, row.loa_lower_high, LIMIT, "dash"),
        (row.loa_upper, row.loa_upper_low, row.loa_upper_high, LIMIT, "dash"),
    ):
        band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high, "layer": "below"}
        shapes += [band | {"fillcolor": colour, "opacity": 0.1, "line": {"width": 0}}, _line(value, colour, dash, 1.5)]
    # Wide intervals of few nights would press the points together: the axis holds points and limits, bands may end.
    ends = [*points["difference"], row.loa_lower, row.loa_upper, 0.0]
    room = 0.12 * max(max(ends) - min(ends), 1.0)
    caption = (
        f"Bias {_signed(row.bias)} min ({_range(row.bias_low, row.bias_high, decimals=1)}); limits "
        f"{_signed(row.loa_lower)} to {_signed(row.loa_upper)} min; {_count(row.n_nights, 'night')}."
    )
    spec = {
        "data": data,
        "layout": draw_layout(
            220,
            shapes=shapes,
            margin={"l": 46, "r": 8, "t": 8, "b": 42},
            xaxis=draw_axis("mean of both, min", nticks=5),
            yaxis=draw_axis("observed − reference, min", range=[min(ends) - room, max(ends) + room], nticks=6),
        ),
    }
    return Figure(f"limits-{name}", label, caption, spec)


def _panel_remarks(panels: Sequence[dict[str, Any]]) -> list[str]:
    """Return one sentence for each reason why panels are left out."""
    missing: dict[str, list[str]] = {}
    for panel in panels:
        if not panel["spec"]:
            missing.setdefault(panel["reason"], []).append(panel["title"])
    return [
        f"{'No panel is drawn' if len(titles) == len(panels) else 'Not drawn: ' + ', '.join(titles)} ({reason})."
        for reason, titles in missing.items()
    ]


def _shared_reason(frame: pd.DataFrame) -> str:
    """Return the reason that all rows share, which the page shows once and not in each of them."""
    reasons = set(frame["reason"])
    return reasons.pop() if len(reasons) == 1 else ""


def _line(y: float, colour: str, dash: str, width: float) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": y,
        "y1": y,
        "layer": "between",
        "line": {"color": colour, "width": width, "dash": dash},
    }


def _statistic_rows(minutes: pd.DataFrame) -> list[dict[str, Any]]:
    rows, said = [], _shared_reason(minutes)
    for name, label, _, published in STATISTICS:
        row = next(minutes[minutes["statistic"] == name].itertuples(index=False))
        limits = f"{_signed(row.loa_lower)} to {_signed(row.loa_upper)}" if math.isfinite(row.loa_lower) else MISSING
        slope = f"{_signed(row.slope, 2)} ({_range(row.slope_low, row.slope_high)})"
        rows.append(
            {
                "label": label,
                "unit": UNITS[row.unit],
                "reference": format_number(row.reference_mean, 1),
                "observed": format_number(row.observed_mean, 1),
                "bias": _signed(row.bias),
                "interval": _range(row.bias_low, row.bias_high, decimals=1) or MISSING,
                "limits": limits,
                "slope": slope if math.isfinite(row.slope) else MISSING,
                "published": f"± {format_number(published, 0)}" if published else MISSING,
                "n": row.n_nights,
                "reason": row.reason.removeprefix(said),
            }
        )
    return rows


def _pooled_rows(pooled: pd.DataFrame) -> list[dict[str, Any]]:
    rows, said = [], _shared_reason(pooled)
    for measure, label in MEASURES.items():
        mine = pooled[pooled["measure"] == measure]
        cells = {}
        for row in mine.itertuples(index=False):
            interval = _range(row.low, row.high, measure)
            cells[row.pooling] = _share(row.value, measure) + (f" ({interval})" if interval else "")
        first = next(mine.itertuples(index=False))
        rows.append(
            {
                "label": label,
                "mean": cells["mean of nights"],
                "median": cells.get("median of nights", MISSING),
                "all": cells["all epochs"],
                "n": first.n_nights,
                "reason": first.reason.removeprefix(said),
            }
        )
    return rows


def _night_rows(nights: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "night": row.night,
            "subject": row.subject,
            "n_epochs": format_number(row.n_epochs, 0),
            "left_out": format_number(row.left_out_percent, 1),
            "accuracy": _share(row.accuracy, "accuracy"),
            "scores": [
                format_number(value, 2)
                for value in (row.kappa, row.macro_f1, row.f1_w, row.f1_n1, row.f1_n2, row.f1_n3, row.f1_r)
            ],
            "reason": row.reason,
        }
        for row in nights.itertuples(index=False)
    ]
