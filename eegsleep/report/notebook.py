"""A night in a notebook: figures of plotly, and a small hypnogram with the key numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.errors import SettingsError
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.report.hypnogram_strip import LETTERS, draw_strip
from eegsleep.report.looks import GREY, STAGE_COLOURS, STAGE_NAMES, draw_axis, draw_layout, main_channel, plain_label
from eegsleep.shown import show_facts
from eegsleep.signals.epochs import EPOCH_S

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

    from eegsleep.night.night import Night

# From above to below, as hypnograms are drawn.
_LEVELS = {"UNS": 0, "W": 1, "R": 2, "N1": 3, "N2": 4, "N3": 5}
_KEY_MARKERS = ("tst_min", "sleep_efficiency_percent", "waso_min", "sol_min", "n3_min", "rem_min")


def plot_hypnogram(night: Night) -> Figure:
    """Draw the stages of a night over hours from the first sample.

    Parameters
    ----------
    night : Night

    Returns
    -------
    plotly.graph_objects.Figure
        The same data as table: `night.stages`.

    Examples
    --------
    >>> es.plot_hypnogram(night).layout.xaxis.title.text
    'hours from the first sample'
    """
    stages = night.stages["stage"]
    hours = np.append(night.stages["onset_s"], len(stages) * EPOCH_S) / 3600
    level = stages.map(_LEVELS).to_numpy(dtype=float)
    line = {"type": "scatter", "x": hours, "y": np.append(level, level[-1:]), "mode": "lines", "hoverinfo": "skip"}
    line |= {"line": {"shape": "hv", "color": GREY, "width": 1}}
    traces = [line]
    for stage, name in STAGE_NAMES.items():
        mine = (stages == stage).to_numpy()
        points = {"x": hours[:-1][mine] + EPOCH_S / 7200, "y": level[mine], "name": name}
        marker = {"color": STAGE_COLOURS[stage], "symbol": "square", "size": 5}
        traces.append({"type": "scatter", "mode": "markers", "marker": marker, "hovertemplate": "%{x:.2f} h", **points})
    names = {"UNS": "unscored", **STAGE_NAMES}
    axis = draw_axis(
        tickvals=list(_LEVELS.values()),
        ticktext=[names[stage] for stage in _LEVELS],
        range=[5.5, -0.5],
        fixedrange=True,
    )
    return _figure(night, "Hypnogram", traces, axis)


def plot_spectrogram(night: Night) -> Figure:
    """Draw the multitaper spectrogram of a night.

    Parameters
    ----------
    night : Night
        As `analyze_night` returns it: a night folder keeps no spectrogram.

    Returns
    -------
    plotly.graph_objects.Figure
        The same data as table: `night.spectrogram_table()`.

    Raises
    ------
    TableError
        If the night has no spectrogram.

    Examples
    --------
    >>> es.plot_spectrogram(night).data[0].type
    'heatmap'
    """
    table = night.spectrogram_table()
    power = table.to_numpy()
    finite = power[np.isfinite(power)]
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    trace = {
        "type": "heatmap",
        "x": table.index.to_numpy() / 3600,
        "y": table.columns.to_numpy(),
        "z": power.T,
        "zmin": low,
        "zmax": high,
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": "dB"}},
        "hovertemplate": "%{x:.2f} h, %{y:.1f} Hz: %{z:.1f} dB<extra></extra>",
    }
    label = plain_label(night.spectrogram.channel) if night.spectrogram else ""
    return _figure(night, f"Spectrogram, {label}", [trace], draw_axis("Hz"))


def plot_spindles(night: Night, channel: str | None = None) -> Figure:
    """Draw every spindle by its time and frequency, coloured by its amplitude.

    Parameters
    ----------
    night : Night
    channel : str, optional
        By default the first EEG derivation.

    Returns
    -------
    plotly.graph_objects.Figure
        The same data as table: `night.spindles`.

    Raises
    ------
    SettingsError
        If the night has no such EEG channel.

    Examples
    --------
    >>> es.plot_spindles(night).layout.yaxis.title.text
    'frequency in Hz'
    """
    return _plot_events(
        night,
        night.spindles,
        "Spindles",
        channel,
        ("frequency_hz", "frequency in Hz"),
        ("amplitude_uv", "amplitude, µV"),
    )


def plot_slow_oscillations(night: Night, channel: str | None = None) -> Figure:
    """Draw every slow oscillation by its time and size, coloured by its duration.

    Parameters
    ----------
    night : Night
    channel : str, optional
        By default the first EEG derivation.

    Returns
    -------
    plotly.graph_objects.Figure
        The same data as table: `night.slow_oscillations`. Drawn are those of the view that the report counts by.

    Raises
    ------
    SettingsError
        If the night has no such EEG channel.

    Examples
    --------
    >>> es.plot_slow_oscillations(night).layout.yaxis.title.text
    'peak to peak in µV'
    """
    waves = main_slow_oscillations(night.slow_oscillations)
    return _plot_events(
        night, waves, "Slow oscillations", channel, ("ptp_uv", "peak to peak in µV"), ("duration_s", "duration, s")
    )


def show_night(night: Night) -> str:
    """Return a night as small HTML: hypnogram, verdict and key numbers.

    Parameters
    ----------
    night : Night

    Returns
    -------
    str
    """
    letters = "".join(LETTERS[stage] for stage in night.stages["stage"])
    strip = str(draw_strip(letters, len(letters.strip("U"))))
    picture = strip.replace(
        'class="strip"', 'style="display:block;width:360px;height:60px;fill:none;stroke:#0B3866"', 1
    )
    whole = night.markers[night.markers["marker"].isin(_KEY_MARKERS)].set_index("marker")
    facts = {
        "start": f"{night.start:%Y-%m-%d %H:%M}" if night.start else "not known",
        "signals": ": ".join(filter(None, (night.verdict.verdict, " ".join(night.verdict.reasons)))),
    }
    for name in _KEY_MARKERS:
        if name in whole.index:
            row, marker = whole.loc[name], CATALOGUE[name]
            measured = f"{row['value']:.1f} {marker.unit}"
            facts[marker.label] = measured if np.isfinite(row["value"]) else f"missing: {row['reason']}"
    channel = main_channel(night.roles)
    if channel:
        waves = main_slow_oscillations(night.slow_oscillations)
        counts = [int((events["channel"] == channel).sum()) for events in (night.spindles, waves)]
        facts[f"in {plain_label(channel)}"] = f"{counts[0]} spindles, {counts[1]} slow oscillations"
    facts["warnings"] = f"{len(night.warnings)}, in .warnings" if night.warnings else ""
    return show_facts(f"Night {night.id}", facts, picture)


def _plot_events(
    night: Night,
    events: pd.DataFrame,
    title: str,
    channel: str | None,
    height: tuple[str, str],
    colour: tuple[str, str],
) -> Figure:
    label = channel or main_channel(night.roles)
    if label is None or night.roles.get(label) != "eeg":
        raise SettingsError(
            "the night has no such EEG channel",
            found=repr(channel),
            allowed=", ".join(label for label, role in night.roles.items() if role == "eeg"),
        )
    mine = events[events["channel"] == label]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": mine["onset_s"].to_numpy() / 3600,
        "y": mine[height[0]].to_numpy(),
        "marker": {
            "size": 5,
            "color": mine[colour[0]].to_numpy(),
            "colorscale": "Viridis",
            "showscale": True,
            "colorbar": {"title": {"text": colour[1]}},
        },
        "text": mine["stage"].to_list(),
        "hovertemplate": "%{x:.2f} h, %{text}: %{y:.1f}<extra></extra>",
    }
    return _figure(night, f"{title}, {plain_label(label)}", [trace], draw_axis(height[1]))


def _figure(night: Night, title: str, traces: list[dict[str, Any]], yaxis: dict[str, Any]) -> Figure:
    import plotly.graph_objects as go

    layout = draw_layout(
        320,
        title={"text": f"{title}, night {plain_label(night.id)}"},
        xaxis=draw_axis("hours from the first sample", range=[0, night.duration_s / 3600], fixedrange=False),
        yaxis=yaxis,
        dragmode="zoom",
    )
    return go.Figure(data=traces, layout=layout)
