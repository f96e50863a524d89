"""Is this an EEG as scalps give it? Doubts about a scale that no header can settle.

Staging and slow waves follow amplitude, and a wrong unit or limit in a header changes nothing else. None
of these checks changes a number: each says what does not fit, and what it would take to fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegsleep.recording.edf.layout import is_usual_rate
from eegsleep.recording.faults import Fault
from eegsleep.recording.units import parse_unit
from eegsleep.signals.epochs import find_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from eegsleep.recording.source import SourceChannel

# The robust standard deviation of 0.5–30 Hz lies between these in every night of sleep seen; a dead
# electrode lies below, one that hangs in the air above.
PLAUSIBLE_UV = (1.0, 500.0)
# Share of samples in runs of half a second and more at one value: none in EEG, however coarse its steps, most
# in a dead one.
_MAX_HELD = 0.5
_HELD_S = 0.5
# Digital steps from here on show in the EEG of a quiet night.
_COARSE_UV = 1.5
# How far the scale of one channel may be from the others': a little where these agree with each other, more
# where every channel has its own (writers that fill the digital range, or calibrate each channel).
_MAX_RATIO = {True: 1.05, False: 1.5}
# Neighbouring samples of an EEG at 100 Hz and more go together (.8 and more in the recordings at hand).
_MIN_CORRELATION = 0.3
_MIN_JOINTS = 16
_N_BORDERS = 2_000
# Steps within a record that those between records are compared with: at so many fixed places, and of their
# medians the one that few exceed. Mains hum keeps its phase at each place, and some places lie on its slope.
_N_INSIDE = 32
# Hum of either mains and its harmonics says nothing of neighbours: at 200 Hz those of 50 Hz do not correlate.
_MAINS_HZ = (50.0, 60.0)
# A writer that scales each channel to its own extremes leaves none of its range unused.
_FILLED = 0.95
_WINDOW_S = 4.0
_N_WINDOWS = 200


def find_amplitude_faults(channel: SourceChannel, signal: np.ndarray, uv_per_unit: float) -> list[Fault]:
    """Return what is implausible about the amplitude and offset of an EEG.

    Parameters
    ----------
    channel : SourceChannel
    signal : numpy.ndarray, shape (n_samples,)
        NaN where nothing was recorded.
    uv_per_unit : float
        What one unit of the signal is in µV.
    """
    label, rate_hz = channel.label, channel.rate_hz
    windows = _windows(signal, rate_hz) * uv_per_unit
    faults = _find_held_faults(label, windows, rate_hz)
    windows = windows[np.ptp(windows, axis=1) > 0]  # an hour of no contact says nothing of the scale
    if not len(windows):
        return faults
    step_uv = abs(channel.gain) * uv_per_unit
    if step_uv >= _COARSE_UV:
        said = f"one digital step is {step_uv:.3g} µV: what is smaller does not show"
        faults.append(Fault("coarse-step", "repaired", said, "physical and digital limits", channel=label))
    offset_uv = float(np.median(windows.mean(axis=1)))
    power, frequency_hz = _power(windows, rate_hz)
    spread_uv = _spread(power, frequency_hz, windows.shape[1])
    low, high = PLAUSIBLE_UV
    if spread_uv > 0 and not low <= spread_uv <= high:
        factor = 10.0 ** (3 * round(np.log10(20 / spread_uv) / 3))
        wrong = f"{factor:g} times too small" if factor > 1 else f"{1 / factor:g} times too large"
        guess = f"by its unit the numbers may be {wrong}" if factor != 1 else "its gain may be wrong"
        said = f"the signal spreads {spread_uv:.3g} µV in 0.5–30 Hz, which no EEG does; {guess}"
        remedy = f'look at it, and name the unit with --units "{label}=uV" if the file is wrong'
        faults.append(
            Fault("amplitude", "needs the user", said, value=f"{spread_uv:.3g} µV", remedy=remedy, channel=label)
        )
    if abs(offset_uv) > max(100.0, 5 * spread_uv):
        said = f"the signal lies {offset_uv:+.4g} µV off zero: the amplifier passes direct current, or a limit is wrong"
        faults.append(Fault("offset", "needs the user", said, value=f"{offset_uv:+.4g} µV", channel=label))
    correlation = _neighbour_correlation(power, frequency_hz, rate_hz)
    if correlation < _MIN_CORRELATION:
        said = (
            f"neighbouring samples hardly go together (correlation {correlation:.2f}); this is noise, or its bytes are "
            "not what the header says"
        )
        faults.append(Fault("noise", "needs the user", said, value=f"{correlation:.2f}", channel=label))
    return faults


def _power(windows: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the power of Hann windows by frequency, and the frequencies in Hz."""
    size = windows.shape[1]
    centred = (windows - windows.mean(axis=1, keepdims=True)) * np.hanning(size)
    return np.abs(np.fft.rfft(centred, axis=1)) ** 2, np.fft.rfftfreq(size, 1 / rate_hz)


def _spread(power: np.ndarray, frequency_hz: np.ndarray, size: int) -> float:
    """Return the median over windows of the root mean square of 0.5–30 Hz."""
    band = power[:, (frequency_hz >= 0.5) & (frequency_hz <= 30)].sum(axis=1)
    # 3/8 is the mean square of a Hann window
    return float(np.median(np.sqrt(2 * band / (3 / 8)) / size))


def _neighbour_correlation(power: np.ndarray, frequency_hz: np.ndarray, rate_hz: float) -> float:
    """Return the median correlation of each sample with the next, without what the mains add."""
    mains = np.zeros(frequency_hz.size, bool)
    for mains_hz in _MAINS_HZ:
        near_hz = np.abs(frequency_hz - mains_hz * np.maximum(np.round(frequency_hz / mains_hz), 1))
        mains |= near_hz <= 1
    kept = power[:, ~mains]
    total = kept.sum(axis=1)
    together = kept @ np.cos(2 * np.pi * frequency_hz[~mains] / rate_hz)
    return float(np.median(together[total > 0] / total[total > 0])) if (total > 0).any() else 0.0


def _windows(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return windows spread through the night in which nothing is missing, shape (n_windows, n_samples)."""
    size = int(_WINDOW_S * rate_hz)
    n = min(_N_WINDOWS, signal.size // size)
    starts = np.linspace(0, signal.size - size, n).astype(int) if n else np.zeros(0, int)
    windows = signal[starts[:, None] + np.arange(size)]
    return windows[np.isfinite(windows).all(axis=1)]


def _find_held_faults(label: str, windows: np.ndarray, rate_hz: float) -> list[Fault]:
    """Return a fault if a good part of the signal stands still: no contact, or an amplifier at its end of range."""
    if not len(windows):
        return []
    repeats = np.zeros(windows.shape, bool)
    repeats[:, 1:] = np.diff(windows) == 0  # the first of each window repeats nothing, so that no run crosses windows
    starts, stops = find_runs(repeats.ravel())
    n_held = stops - starts + 1
    is_long = n_held >= max(_HELD_S * rate_hz, 2)
    n_held = n_held[is_long]
    share = n_held.sum() / windows.size
    if share <= _MAX_HELD:
        return []
    values, place = np.unique(windows.ravel()[starts[is_long]], return_inverse=True)
    usual = values[np.bincount(place, n_held).argmax()]
    said = (
        f"{100 * share:.0f} % of the samples repeat the one before, most often {usual:.6g} µV; "
        "nothing was recorded there but the end of the range, or an open input"
    )
    return [
        Fault(
            "held",
            "needs the user",
            said,
            value=f"{100 * share:.0f} %",
            remedy="do not take it for sleep",
            channel=label,
        )
    ]


def find_reached_ends(channel: SourceChannel, signal: np.ndarray, extremes: tuple[float, float]) -> tuple[bool, bool]:
    """Return whether a signal reaches the lower and the upper end of its range, in passing.

    A writer that fits the range to the signal makes both true; then the range is as even about zero, and as
    large, as the largest artefact. A signal that stays at an end is clipped, and its range was there before it.
    """
    low, high = sorted(channel.span)
    near, rail = (1 - _FILLED) / 2 * (high - low), 0.001 * (high - low)
    few = 0.001 * signal.size
    return (
        extremes[0] <= low + near and np.count_nonzero(signal <= low + rail) <= few,
        extremes[1] >= high - near and np.count_nonzero(signal >= high - rail) <= few,
    )


def find_scale_faults(
    chosen: Sequence[SourceChannel],
    all_eeg: Sequence[SourceChannel],
    reached: Mapping[str, tuple[bool, bool]],
    told: Sequence[Fault],
) -> Iterator[Fault]:
    """Yield what is implausible about the limits and rates that the headers of EEG channels give.

    A recorder gives all its EEG channels one scale; where one of them differs, one of the headers is wrong
    or the amplifier was set so, and only the user can know. A range whose ends the
    signals of the channels that have it `reached` was fitted to them and is no doubt, nor is one that all EEG
    channels share, nor one of one sign where the offset was `told`.
    """
    gain_v = {c.label: abs(c.gain) * (parse_unit(c.unit) or np.nan) for c in (*all_eeg, *chosen)}
    off_zero = {fault.channel for fault in told if fault.code == "offset"}
    for channel in chosen:
        mine = gain_v[channel.label]
        others = [gain_v[c.label] for c in all_eeg if c.label != channel.label and np.isfinite(gain_v[c.label])]
        ratio = float(np.median(others)) / mine if others else 1.0
        agree = len(others) > 1 and max(others) < 1.01 * min(others)
        is_other = np.isfinite(ratio) and not 1 / _MAX_RATIO[agree] < ratio < _MAX_RATIO[agree]
        if is_other and not all(reached[channel.label]):
            said = f"one digital step of the other EEG channels of this file is {ratio:.4g} times as large"
            yield Fault(
                "gain-differs",
                "needs the user",
                said,
                "physical and digital limits",
                f"{channel.gain:.4g} a step",
                "compare amplitudes between these channels with care",
                channel.label,
            )
        same = [
            c for c in all_eeg if (c.span, c.digital_span, c.unit) == (channel.span, channel.digital_span, channel.unit)
        ]
        is_shared = len(same) > 2 and len(same) == len(all_eeg)
        one_signed = channel.span[0] * channel.span[1] >= 0 and channel.label in off_zero
        is_fitted = all(any(ends) for ends in zip(*(reached[c.label] for c in same if c.label in reached), strict=True))
        if not (is_shared or is_fitted):
            yield from _find_lopsided_ranges(channel, one_signed=one_signed)
        if not is_usual_rate(channel.rate_hz):
            said = f"{channel.rate_hz:.6g} samples a second is a rate no recorder is known for"
            yield Fault(
                "rate-unusual",
                "needs the user",
                said,
                "record duration or samples per record",
                f"{channel.rate_hz:.6g} Hz",
                channel=channel.label,
            )


def _find_lopsided_ranges(channel: SourceChannel, *, one_signed: bool) -> Iterator[Fault]:
    for what, (low, high) in (("physical", channel.span), ("digital", channel.digital_span)):
        if np.isfinite(low + high) and abs(low + high) > 0.05 * abs(high - low) and (what, low) != ("digital", 0):
            if what == "physical" and one_signed:
                continue
            said = f"its {what} range is not even about zero, as an EEG's is; one of the limits may be wrong"
            yield Fault(
                "lopsided-range",
                "needs the user",
                said,
                f"{what} limits",
                f"{low:g} to {high:g}",
                channel=channel.label,
            )


def find_extremes(signal: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest sample; NaN if there is none."""
    return float(np.fmin.reduce(signal)), float(np.fmax.reduce(signal))


def find_range_faults(channel: SourceChannel, signal: np.ndarray, extremes: tuple[float, float]) -> list[Fault]:
    """Return a fault if samples lie beyond what the header says the channel can hold."""
    low, high = sorted(channel.span)
    margin = 0.001 * (high - low)
    if not extremes[0] < low - margin and not extremes[1] > high + margin:
        return []  # the usual case, and half the time
    beyond = float(np.mean((signal < low - margin) | (signal > high + margin)))
    said = f"{100 * beyond:.2g} % of the samples lie beyond the limits its header gives, so these limits are wrong"
    return [
        Fault(
            "beyond-range",
            "needs the user",
            said,
            "physical and digital limits",
            f"{low:g} to {high:g}",
            channel=channel.label,
        )
    ]


def find_joint_faults(label: str, signal: np.ndarray, record_samples: float) -> list[Fault]:
    """Return a fault if the signal jumps at most borders of its records.

    That happens when the header's samples per record are wrong, so that each record holds pieces of
    other channels, or when the recorder lost samples between records without saying so.
    """
    if not np.isfinite(record_samples):
        return []
    borders = (np.arange(1, int(signal.size / record_samples)) * record_samples).astype(int)
    borders = borders[:: max(1, borders.size // _N_BORDERS)]
    borders = borders[np.isfinite(signal[borders] - signal[borders - 1])]
    if borders.size < _MIN_JOINTS:
        return []
    at_borders = _usual_step(signal, borders)
    inside = [_usual_step(signal, borders - back) for back in range(1, min(_N_INSIDE + 1, int(record_samples)))]
    usual = sorted(inside)[-1 - len(inside) // 10] if inside else 0.0
    if not usual > 0 or at_borders <= 3 * usual:
        return []
    said = (
        f"the signal jumps between its records, {at_borders / usual:.2g} times as far as within them; samples are lost "
        "there, or the header's samples per record are wrong"
    )
    return [Fault("joints", "needs the user", said, "samples per record", f"{record_samples:g}", channel=label)]


def _usual_step(signal: np.ndarray, at: np.ndarray) -> float:
    """Return the median of how far the signal moves to these samples, 0 if none is there."""
    steps = np.abs(signal[at] - signal[at - 1])
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) if steps.size else 0.0
