"""The figures of one night: tables in, plotly figures as plain dicts out, each with its caption.

The dicts are plotly.js input. Arrays go in as plotly.js typed arrays (base64), which keeps an 8 h
spectrogram under a megabyte and its bytes the same on every run.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.quality import reason_kind
from eegsleep.report.looks import (
    GREY,
    INK,
    MUTED,
    RULE,
    STAGE_COLOURS,
    STAGE_NAMES,
    Figure,
    Panel,
    draw_axis,
    draw_layout,
    main_channel,
    plain_label,
)
from eegsleep.signals.epochs import EPOCH_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from eegsleep.night.analyze import Night

WINDOW_S = 300.0
SMALL = 270  # height of the figures below the stacked one, in pixels
# Under a minute of usable NREM, one event more or less moves the density of the window by over 1/min.
MIN_WINDOW_NREM_MIN = 1.0
# With fewer phases, a histogram of 18 bins has about one event a bar and shows only chance.
MIN_COUPLED = 10
MAX_FREQUENCIES, MAX_COLUMNS = 160, 1200  # finer than a screen draws; keeps a long night under 7 MB
LOW_HZ, HIGH_HZ = 0.5, 30.0

STAGE_LEVELS = {"N3": 0, "N2": 1, "N1": 2, "R": 3, "W": 4}
PROBABILITIES = {"N3": "p_n3", "N2": "p_n2", "N1": "p_n1", "R": "p_rem", "W": "p_wake"}
FAST, SLOW, WAVE = "#0072B2", "#D98200", "#00694E"  # after Okabe and Ito, darkened for thin lines
# Kinds of `reason_kind` in the order they are drawn in, with colour and meaning; usable is the background.
QUALITY_KINDS = {
    "": ("#DCE5EA", "usable"),
    "missing": ("#8A949C", "missing"),
    "dead": ("#1B2733", "flat or clipped"),
    "movement": ("#D98200", "movement"),
    "noise": ("#A3201A", "noise or lost contact"),
}


@dataclass(frozen=True)
class TimeAxis:
    """The time axis of all panels: clock time, or hours since the start if the start is not known.

    Attributes
    ----------
    start : datetime or None
        Local time of the first sample.
    """

    start: datetime | None

    def place(self, seconds: float) -> str | float:
        """Return the x value of a time in s; a date is text, for plotly.js would shift a number by the time zone."""
        if self.start is None:
            return round(seconds / 3600, 6)
        moment = self.start.replace(tzinfo=None) + timedelta(seconds=float(seconds))
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")

    def grid(self, first_s: float, step_s: float) -> dict[str, Any]:
        """Return plotly's short form of evenly spaced x values."""
        return {"x0": self.place(first_s), "dx": step_s / 3600 if self.start is None else step_s * 1000}

    @property
    def hover(self) -> str:
        """The part of a hover template that shows the time."""
        return "%{x:.2f} h" if self.start is None else "%{x|%H:%M:%S}"


def draw_overview(night: Night) -> Figure:
    """Return the stacked figure of the whole night, its panels sharing one time axis.

    Parameters
    ----------
    night : Night
        The analysed night.

    Returns
    -------
    Figure
        With one `Panel` for each part drawn, and in `omitted` a sentence for each part left out.
    """
    time_axis = TimeAxis(night.start)
    channel = main_channel(night.roles)
    candidates = (
        _hypnogram(night.stages, time_axis),
        _hypnodensity(night.stages, time_axis),
        _spectrogram(night.spectrogram, time_axis),
        _spindle_density(night, channel, time_axis),
        _wave_density(night, channel, time_axis),
        _quality(night.quality, time_axis),
    )
    panels = tuple(panel for panel in candidates if isinstance(panel, Panel))
    omitted = tuple(reason for reason in candidates if isinstance(reason, str))
    if not panels:
        return Figure("overview", "The night", "", reason="There is no table to draw.", omitted=omitted)
    caption = (
        "All panels share one time axis: drag sideways in any of them to enlarge a piece of the night, "
        "double-click to see it whole again. (On a touch screen a drag scrolls the page.)"
    )
    spec = _stack(panels, time_axis, night.duration_s)
    return Figure("overview", "The night", caption, spec, panels=panels, omitted=omitted)


def draw_averages(averages: pd.DataFrame | None, kind: str, channel: str | None) -> Figure:
    """Return the mean waveform of one kind of event, with its standard error as a band.

    Parameters
    ----------
    averages : DataFrame or None
        Columns kind, channel, time_s, mean_uv, sem_uv, n; None for a night read back from its folder.
    kind : str
        "fast spindle", "slow spindle" or "slow oscillation".
    channel : str or None
        Derivation to show; another one is taken when this one has no events.

    Returns
    -------
    Figure
        Without `spec` and with a reason if there is no such event.
    """
    name, title = kind.replace(" ", "-"), f"Average {kind}"
    if averages is None:
        return Figure(name, title, "", reason="Averages need the signal, which a night read back does not hold.")
    rows = averages[averages["kind"] == kind]
    if rows.empty or not np.isfinite(rows["mean_uv"]).any():
        return Figure(name, title, "", reason=f"No {kind} was detected: none to average.")
    shown = channel if channel in set(rows["channel"]) else rows["channel"].iloc[0]
    rows = rows[rows["channel"] == shown].sort_values("time_s")
    colour = {"fast spindle": FAST, "slow spindle": SLOW}.get(kind, WAVE)
    time, mean = rows["time_s"].to_numpy(float), rows["mean_uv"].to_numpy(float)
    error = np.nan_to_num(rows["sem_uv"].to_numpy(float))
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "x": _pack(time)}
    free = {"fixedrange": False, "zeroline": True, "zerolinecolor": GREY}
    spec = {
        "data": [
            {**band, "type": "scatter", "y": _pack(mean - error)},
            {**band, "type": "scatter", "y": _pack(mean + error), "fill": "tonexty", "fillcolor": colour + "40"},
            {
                "type": "scatter",
                "mode": "lines",
                "x": _pack(time),
                "y": _pack(mean),
                "line": {"color": colour, "width": 2},
                "hovertemplate": "%{x:.2f} s, %{y:.1f} µV<extra></extra>",
            },
        ],
        "layout": draw_layout(
            SMALL,
            dragmode="zoom",
            margin={"l": 46, "r": 10, "t": 10, "b": 42},
            xaxis=draw_axis("time from its middle, s", **free),
            yaxis=draw_axis("µV", **free),
        ),
    }
    zero = (
        "Zero is the negative peak (down state); a rounded rise into the up state follows it."
        if kind == "slow oscillation"
        else "Zero is the middle of the spindle; a clear waxing and waning speaks for true spindles."
    )
    caption = f"Mean of {int(rows['n'].iloc[0]):,} events on {shown}; the band is ± one standard error. {zero}"
    return Figure(name, title, caption, spec)


def draw_coupling(coupling: pd.DataFrame, channel: str | None) -> Figure:
    """Return the histogram of slow-oscillation phases at the peaks of coupled fast spindles.

    Parameters
    ----------
    coupling : DataFrame
        Table COUPLING.
    channel : str or None
        Derivation to show.

    Returns
    -------
    Figure
        Without `spec` and with a reason if there are too few coupled spindles.
    """
    name, title = "coupling", "Spindles on slow oscillations"
    fast = coupling[(coupling["channel"] == channel) & (coupling["spindle_class"] == "fast")]
    phases = fast.loc[fast["coupled"].astype(bool), "phase_rad"].to_numpy(float)
    phases = phases[np.isfinite(phases)]
    if len(phases) < MIN_COUPLED:
        reason = (
            f"{len(phases) or 'No'} fast spindle{'' if len(phases) == 1 else 's'} on {channel or 'any derivation'} "
            f"rode on a slow oscillation; the distribution is drawn from {MIN_COUPLED} on."
        )
        return Figure(name, title, "", reason=reason)
    counts, edges = np.histogram(np.degrees(phases), bins=18, range=(-180, 180))
    resultant = np.exp(1j * phases).mean()
    mean_deg, strength = math.degrees(np.angle(resultant)), abs(resultant)
    spec = {
        "data": [
            {
                "type": "barpolar",
                "r": counts.tolist(),
                "theta": ((edges[:-1] + edges[1:]) / 2).tolist(),
                "width": [20] * 18,
                "marker": {"color": FAST + "99", "line": {"color": "#fff", "width": 1}},
                "hovertemplate": "%{r} spindles near %{theta:.0f}°<extra></extra>",
            },
            {
                "type": "scatterpolar",
                "mode": "lines+markers",
                "r": [0, round(strength * counts.max(), 3)],
                "theta": [round(mean_deg, 2)] * 2,
                "line": {"color": STAGE_COLOURS["R"], "width": 3},
                "marker": {"size": [0, 9]},
                "hovertemplate": f"mean {mean_deg:.0f}°<extra></extra>",
            },
        ],
        "layout": draw_layout(
            SMALL, dragmode="zoom", margin={"l": 50, "r": 50, "t": 26, "b": 26}, polar=_phase_axes(counts)
        ),
    }
    caption = (
        f"Where {len(phases):,} of {len(fast):,} fast spindles on {channel} peak within the slow oscillation. Time "
        f"runs clockwise: down state at the bottom, rise at the left, up state at the top. The line points to the "
        f"mean phase ({mean_deg:.0f}°, 0° being the up state); it would reach the rim if all agreed (length "
        f"{strength:.2f} of 1)."
    )
    return Figure(name, title, caption.replace("(-", "(−"), spec)


def nrem_windows(night: Night, channel: str | None, times_s: Sequence[float]) -> np.ndarray:
    """Return events per minute of usable NREM in 5-minute windows; NaN where too little of it is usable.

    Parameters
    ----------
    night : Night
    channel : str or None
        The derivation whose usable epochs count.
    times_s : sequence of float
        When the events are, in s from the first sample.

    Returns
    -------
    numpy.ndarray, shape (n_windows,)
        Events per minute.
    """
    n_epochs = len(_stage_grid(night.stages))
    per_window = int(WINDOW_S / EPOCH_S)
    usable = np.zeros(n_epochs, dtype=bool)
    good = night.quality[(night.quality["channel"] == channel) & night.quality["usable"].astype(bool)]
    epochs = good["epoch"].to_numpy(int)
    usable[epochs[(epochs >= 0) & (epochs < n_epochs)]] = True
    usable &= np.isin(_stage_grid(night.stages), ("N2", "N3"))
    at = np.floor(np.asarray(times_s, dtype=float) / EPOCH_S)
    at = at[np.isfinite(at) & (at >= 0) & (at < n_epochs)].astype(int)
    counts = np.bincount(at, minlength=n_epochs) * usable
    edges = np.arange(0, n_epochs, per_window)
    if not len(edges):
        return np.empty(0)
    minutes = np.add.reduceat(usable, edges, dtype=int) * EPOCH_S / 60
    events = np.add.reduceat(counts, edges)
    return np.where(minutes >= MIN_WINDOW_NREM_MIN, events / np.maximum(minutes, EPOCH_S / 60), np.nan)


def _stage_grid(stages: pd.DataFrame) -> np.ndarray:
    """Stages by epoch number, UNS where the table has no row."""
    epochs = stages["epoch"].to_numpy(int)
    grid = np.full(epochs.max() + 1 if len(epochs) else 0, "UNS", dtype=object)
    grid[epochs] = stages["stage"].to_numpy(object)
    return grid


def _hypnogram(stages: pd.DataFrame, time_axis: TimeAxis) -> Panel | str:
    grid = _stage_grid(stages)
    levels = np.array([STAGE_LEVELS.get(stage, np.nan) for stage in grid], dtype=float)
    if not np.isfinite(levels).any():
        return "The hypnogram is left out: no epoch of this recording has a stage."
    # Steps are held to the right, so the last epoch needs one more point to have a width.
    outline = {
        "type": "scatter",
        "mode": "lines",
        **time_axis.grid(0, EPOCH_S),
        "y": _pack(np.append(levels, levels[-1])),
        "line": {"shape": "hv", "color": "#8B97A3", "width": 1},
        "text": [STAGE_NAMES.get(stage, "") for stage in [*grid, grid[-1]]],
        "hovertemplate": f"{time_axis.hover} %{{text}}<extra></extra>",
    }
    changes = np.flatnonzero(grid[1:] != grid[:-1]) + 1
    bouts = list(zip([0, *changes], [*changes, len(grid)], strict=True))
    traces = [outline]
    for stage, level in STAGE_LEVELS.items():
        x, y = [], []
        for first, end in bouts:
            if grid[first] == stage:
                x += [time_axis.place(first * EPOCH_S), time_axis.place(end * EPOCH_S), None]
                y += [level, level, None]
        if x:
            width = 9 if stage == "R" else 5
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": x,
                    "y": y,
                    "hoverinfo": "skip",
                    "line": {"color": STAGE_COLOURS[stage], "width": width},
                }
            )
    axis = {
        "tickvals": list(STAGE_LEVELS.values()),
        "range": [-0.5, 4.5],
        "ticktext": [f"<b>{s}</b>" if s == "R" else s for s in STAGE_LEVELS],
    }
    caption = (
        "The stage of each 30 s epoch, from wake (W, top) down to deep sleep (N3); REM (R) is the thick bar. "
        "A healthy night descends early into N3 and repeats in cycles of about 90 minutes, with N3 fading and REM "
        "lengthening towards morning. A gap is an epoch that could not be scored."
    )
    return Panel("Hypnogram", caption, 150, tuple(traces), axis, _stage_key())


def _hypnodensity(stages: pd.DataFrame, time_axis: TimeAxis) -> Panel | str:
    probabilities = stages[list(PROBABILITIES.values())].to_numpy(float)
    if not np.isfinite(probabilities).any():
        return "Stage probabilities are left out: the hypnogram was given, not scored here, so there are none to draw."
    epochs = stages["epoch"].to_numpy(int)
    grid = np.full((epochs.max() + 1, probabilities.shape[1]), np.nan)
    grid[epochs] = probabilities
    # A stack cannot have gaps, so an epoch without probabilities is drawn as nothing at all: zeros.
    grid = np.nan_to_num(grid)
    traces = tuple(
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "p",
            **time_axis.grid(EPOCH_S / 2, EPOCH_S),
            "y": _pack(grid[:, i]),
            "line": {"width": 0, "color": STAGE_COLOURS[stage]},
            "fillcolor": STAGE_COLOURS[stage],
            "hoveron": "points",
            "hovertemplate": f"{time_axis.hover} {STAGE_NAMES[stage]} %{{y:.0%}}<extra></extra>",
        }
        for i, stage in enumerate(PROBABILITIES)
    )
    caption = (
        "How sure the scorer was: at each moment the heights of the colours are the probabilities of the "
        "five stages and add up to one. One solid colour is a confident epoch; a mixture is an epoch on which "
        "experts, too, would disagree. White is an epoch that was not scored."
    )
    axis = {"range": [0, 1], "tickvals": [0, 0.5, 1], "tickformat": ".0%"}
    return Panel("Stage probabilities", caption, 96, traces, axis, _stage_key())


def _spectrogram(spectrogram: Any, time_axis: TimeAxis) -> Panel | str:  # noqa: ANN401 - any object with the four fields
    if spectrogram is None:
        return "The spectrogram is left out: it needs the signal of an EEG derivation, which this night does not hold."
    if not np.isfinite(spectrogram.power_db).any():
        return f"The spectrogram is left out: {spectrogram.channel} had no usable epoch."
    frequency = np.asarray(spectrogram.frequency_hz, dtype=float)
    inside = (frequency >= LOW_HZ) & (frequency <= HIGH_HZ)
    frequency, power = frequency[inside], np.asarray(spectrogram.power_db, dtype=float)[inside]
    onset = np.asarray(spectrogram.onset_s, dtype=float)
    rows = math.ceil(len(frequency) / MAX_FREQUENCIES)
    columns = math.ceil(len(onset) / MAX_COLUMNS)
    power = _thin(_thin(power, rows).T, columns).T
    frequency = _thin(frequency[:, None], rows)[:, 0]
    step_s = float(np.median(np.diff(onset))) if len(onset) > 1 else EPOCH_S
    # The ends of the range are left to artefacts, which would otherwise bleach the sleep between them.
    low, high = np.nanpercentile(power, (3, 98))
    channel = plain_label(spectrogram.channel)
    trace = {
        "type": "heatmap",
        **time_axis.grid(onset[0] + step_s * columns / 2, step_s * columns),
        "y": _pack(frequency),
        "z": _pack(power),
        "colorscale": "Cividis",
        "zmin": round(float(low), 2),
        "zmax": round(max(float(high), float(low) + 1), 2),
        "colorbar": {
            "orientation": "h",
            "thickness": 8,
            "len": 0.32,
            "x": 1,
            "xanchor": "right",
            "yanchor": "bottom",
            "ypad": 0,
            "xpad": 0,
            "outlinewidth": 0,
            "nticks": 4,
            "ticksuffix": " dB",
            "tickfont": {"size": 10, "color": MUTED},
        },
        "hovertemplate": f"{time_axis.hover} %{{y:.1f}} Hz %{{z:.1f}} dB<extra></extra>",
    }
    caption = (
        f"Power of {spectrogram.channel} by frequency; brighter is stronger, in decibels (10 dB is ten times "
        "the power). Deep sleep lights up the lowest rows (slow waves, under 4 Hz), N2 adds flecks at 11–16 Hz "
        "(spindles), wake with closed eyes a line near 10 Hz (alpha). Blank columns are unusable."
    )
    axis = {"range": [LOW_HZ, HIGH_HZ], "tickvals": [1, 4, 8, 12, 16, 30], "title": "Hz", "showgrid": False}
    return Panel(f"Spectrogram · {channel}", caption, 180, (trace,), axis)


def _spindle_density(night: Night, channel: str | None, time_axis: TimeAxis) -> Panel | str:
    traces = []
    for name, colour in (("slow", SLOW), ("fast", FAST)):
        mine = night.spindles["channel"].eq(channel) & night.spindles["spindle_class"].eq(name)
        density = nrem_windows(night, channel, night.spindles.loc[mine, "peak_s"].to_numpy())
        traces.append(_density_trace(density, f"{name} spindles", colour, time_axis))
    if not any(np.isfinite(t["customdata"]).any() for t in traces):
        return f"Spindle density is left out: {_no_nrem(channel)}"
    caption = (
        f"Spindles on {channel} in 5-minute windows, per usable minute of N2 and N3. A window with less than one "
        "such minute is a gap, not a zero. Fast spindles (12.5 Hz and above) usually wax as N3 fades within a cycle."
    )
    title = f"Spindles per minute · {plain_label(channel)}"
    key = ((FAST, "fast spindles"), (SLOW, "slow spindles"))
    return Panel(title, caption, 96, _without_custom(traces), {"rangemode": "tozero", "nticks": 4}, key)


def _wave_density(night: Night, channel: str | None, time_axis: TimeAxis) -> Panel | str:
    waves = main_slow_oscillations(night.slow_oscillations)
    density = nrem_windows(night, channel, waves.loc[waves["channel"].eq(channel), "neg_peak_s"].to_numpy())
    if not np.isfinite(density).any():
        return f"Slow-oscillation density is left out: {_no_nrem(channel)}"
    caption = (
        f"Slow oscillations on {channel} in the same windows. They are densest in the first cycles and fall "
        "through the night as sleep pressure is paid off; a flat course in a long night is worth a second look."
    )
    title = f"Slow oscillations per minute · {plain_label(channel)}"
    traces = _without_custom([_density_trace(density, "slow oscillations", WAVE, time_axis)])
    return Panel(title, caption, 96, traces, {"rangemode": "tozero", "nticks": 4}, ((WAVE, "slow oscillations"),))


def _no_nrem(channel: str | None) -> str:
    where = f"on {channel}" if channel else "(the recording has no EEG derivation)"
    return f"no 5-minute window holds a usable minute of N2 or N3 {where}."


def _density_trace(density: np.ndarray, name: str, colour: str, time_axis: TimeAxis) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        **time_axis.grid(WINDOW_S / 2, WINDOW_S),
        "y": _pack(density),
        "line": {"color": colour, "width": 1.6},
        "marker": {"size": 4, "color": colour},
        "customdata": density,
        "cliponaxis": False,
        "hovertemplate": f"{time_axis.hover} %{{y:.1f}} {name} per minute<extra></extra>",
    }


def _without_custom(traces: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple({k: v for k, v in trace.items() if k != "customdata"} for trace in traces)


def _quality(quality: pd.DataFrame, time_axis: TimeAxis) -> Panel | str:
    if quality.empty:
        return "The quality strip is left out: the quality table has no row."
    channels = list(dict.fromkeys(quality["channel"]))
    n_epochs = int(quality["epoch"].max()) + 1
    kinds = np.full((len(channels), n_epochs), np.nan)
    text = [[""] * n_epochs for _ in channels]
    order = list(QUALITY_KINDS)
    for row, channel in enumerate(channels):
        mine = quality[quality["channel"] == channel]
        for epoch, usable, reason in zip(mine["epoch"], mine["usable"], mine["reason"], strict=True):
            kinds[row, int(epoch)] = 0 if usable else order.index(reason_kind(reason) or "noise")
            text[row][int(epoch)] = "usable" if usable else plain_label(reason, 80)
    # Each whole number is the middle of its own band of colour.
    edges = np.linspace(0, 1, len(order) + 1)
    bands = zip(edges[:-1], edges[1:], QUALITY_KINDS.values(), strict=True)
    scale = [[round(float(edge), 6), colour] for low, high, (colour, _) in bands for edge in (low, high)]
    trace = {
        "type": "heatmap",
        **time_axis.grid(EPOCH_S / 2, EPOCH_S),
        "y": list(range(len(channels))),
        "z": _pack(kinds),
        "zmin": -0.5,
        "zmax": len(order) - 0.5,
        "showscale": False,
        "colorscale": scale,
        "ygap": 3,
        "text": text,
        "hovertemplate": f"{time_axis.hover} %{{text}}<extra></extra>",
    }
    axis = {
        "range": [len(channels) - 0.5, -0.5],
        "tickvals": list(range(len(channels))),
        "showgrid": False,
        "ticktext": [plain_label(channel, 8) for channel in channels],
        "tickfont": {"size": 10},
    }
    caption = (
        "Each row is a channel, each cell an epoch. Coloured epochs were set aside and count towards nothing on "
        "this page; rest the pointer on one to see why. Many together usually mean a loose electrode."
    )
    height = max(40, 17 * len(channels))
    return Panel("Signal quality", caption, height, (trace,), axis, tuple(QUALITY_KINDS.values()))


def _stack(panels: Sequence[Panel], time_axis: TimeAxis, duration_s: float) -> dict[str, Any]:
    """Arrange the panels from the top, in pixels; plotly takes them as fractions of the plot."""
    gap, top, bottom = 40, 30, 44
    inner = sum(panel.height for panel in panels) + gap * (len(panels) - 1)
    layout = draw_layout(
        inner + top + bottom,
        dragmode="zoom",
        annotations=[],
        margin={"l": 64, "r": 10, "t": top, "b": bottom},
    )
    data, ceiling = [], inner
    for number, panel in enumerate(panels, start=1):
        suffix = "" if number == 1 else str(number)
        floor = ceiling - panel.height
        place = {"fixedrange": True, "anchor": "x", "domain": [max(floor / inner, 0), ceiling / inner]}
        layout[f"yaxis{suffix}"] = draw_axis(**{**place, **panel.yaxis})
        layout["annotations"].append(
            {
                "text": f"<b>{chr(96 + number)}</b>  {panel.title}",
                "xref": "paper",
                "yref": "paper",
                "x": 0,
                "y": ceiling / inner,
                "xanchor": "left",
                "yanchor": "bottom",
                "yshift": 4,
                "showarrow": False,
                "font": {"size": 12.5, "color": INK},
            }
        )
        for trace in panel.traces:
            placed = trace | {"xaxis": "x", "yaxis": f"y{suffix}"}
            if "colorbar" in placed:
                placed["colorbar"] = placed["colorbar"] | {"y": (ceiling + 15) / inner}  # its labels hang below
            data.append(placed)
        ceiling = floor - gap
    ends = [time_axis.place(0), time_axis.place(duration_s)]
    last = "y" if len(panels) == 1 else f"y{len(panels)}"
    title = "hours since the start" if time_axis.start is None else "clock time"
    layout["xaxis"] = draw_axis(title, fixedrange=False) | {
        "type": "linear" if time_axis.start is None else "date",
        "range": ends,
        "anchor": last,
        "ticks": "outside",
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "solid",
        "spikecolor": "#7A8691",
        "spikesnap": "cursor",
        "minallowed": ends[0],
        "maxallowed": ends[1],
    }
    if time_axis.start is not None:
        layout["xaxis"] |= {"tickformat": "%H:%M", "hoverformat": "%H:%M:%S"}
    return {"data": data, "layout": layout}


def _phase_axes(counts: np.ndarray) -> dict[str, Any]:
    return {
        "bgcolor": "#fff",
        "radialaxis": {
            "range": [0, int(counts.max())],
            "nticks": 4,
            "angle": 45,
            "gridcolor": RULE,
            "linecolor": RULE,
            "tickfont": {"size": 10, "color": MUTED},
        },
        "angularaxis": {
            "direction": "clockwise",
            "rotation": 90,
            "tickvals": [0, 90, 180, 270],
            "gridcolor": RULE,
            "ticktext": ["up state", "fall", "down state", "rise"],
            "linecolor": GREY,
        },
    }


def _stage_key() -> tuple[tuple[str, str], ...]:
    return tuple((STAGE_COLOURS[stage], name) for stage, name in STAGE_NAMES.items())


def _thin(array: np.ndarray, every: int) -> np.ndarray:
    """Average groups of `every` rows; missing values do not spread, a group of nothing stays missing."""
    if every <= 1:
        return array
    groups = np.array_split(array, range(every, len(array), every))
    sums = np.array([np.nansum(group, axis=0) for group in groups])
    counts = np.array([np.isfinite(group).sum(axis=0) for group in groups])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _pack(values: np.ndarray) -> dict[str, str]:
    """Return `values` as a plotly.js typed array of 4-byte floats; little-endian on every machine."""
    array = np.ascontiguousarray(values, dtype="<f4")
    packed = {"dtype": "f4", "bdata": base64.b64encode(array.tobytes()).decode("ascii")}
    return packed if array.ndim == 1 else packed | {"shape": ", ".join(map(str, array.shape))}
