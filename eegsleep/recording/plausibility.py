"""Is this an EEG as scalps give it? Doubts about a scale that no header can settle.

Staging and slow waves follow amplitude, and a wrong unit or limit in a header changes nothing else. None
of these checks changes a number: each says what does not fit, and what it would take to fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegsleep.recording.faults import Fault
from eegsleep.recording.layout import is_usual_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eegsleep.recording.source import SourceChannel

# The robust standard deviation of 0.5–30 Hz lies between these in every night of sleep seen; a dead
# electrode lies below, one that hangs in the air above.
PLAUSIBLE_UV = (1.0, 500.0)
# Samples equal to the one before: few in a resolved EEG, many in a coarse one, most in a dead one.
_MAX_HELD = 0.5
# How far the scale of one channel may be from the others': a little where these agree with each other, more
# where every channel has its own (writers that fill the digital range, or calibrate each channel).
_MAX_RATIO = {True: 1.05, False: 1.5}
# Neighbouring samples of an EEG at 100 Hz and more go together (.8 and more in the recordings at hand).
_MIN_CORRELATION = 0.3
_MIN_JOINTS = 16
_WINDOW_S = 4.0
_N_WINDOWS = 200


def doubt_amplitude(label: str, signal: np.ndarray, rate_hz: float, uv_per_unit: float) -> list[Fault]:
    """Return what is implausible about the amplitude and offset of an EEG.

    Parameters
    ----------
    label : str
    signal : numpy.ndarray, shape (n_samples,)
        NaN where nothing was recorded.
    rate_hz : float
    uv_per_unit : float
        What one unit of the signal is in µV.
    """
    windows = _windows(signal, rate_hz) * uv_per_unit
    faults = _doubt_rails(label, windows)
    spread_uv, offset_uv = _spread_and_offset(windows, rate_hz)
    if not np.isfinite(spread_uv) or spread_uv == 0:
        return faults
    low, high = PLAUSIBLE_UV
    if not low <= spread_uv <= high:
        factor = 10.0 ** (3 * round(np.log10(20 / spread_uv) / 3))
        guess = f"its unit may be wrong by a factor of {factor:g}" if factor != 1 else "its gain may be wrong"
        said = f"the signal spreads {spread_uv:.3g} µV in 0.5–30 Hz, which no EEG does; {guess}"
        remedy = f'look at it, and name the unit with --units "{label}=uV" if the file is wrong'
        faults.append(Fault("amplitude", "repaired", said, value=f"{spread_uv:.3g} µV", remedy=remedy, channel=label))
    if abs(offset_uv) > max(100.0, 5 * spread_uv):
        said = f"the signal lies {offset_uv:+.4g} µV off zero: the amplifier passes direct current, or a limit is wrong"
        faults.append(Fault("offset", "repaired", said, value=f"{offset_uv:+.4g} µV", channel=label))
    correlation = _neighbour_correlation(windows)
    if correlation < _MIN_CORRELATION:
        said = (
            f"neighbouring samples hardly go together (correlation {correlation:.2f}); this is noise, or its bytes are "
            "not what the header says"
        )
        faults.append(Fault("noise", "repaired", said, value=f"{correlation:.2f}", channel=label))
    return faults


def _neighbour_correlation(windows: np.ndarray) -> float:
    """Return the median correlation of each sample with the next, over windows that move."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    power = (centred**2).sum(axis=1)
    return float(np.median((centred[:, 1:] * centred[:, :-1]).sum(axis=1)[power > 0] / power[power > 0]))


def _windows(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return windows spread through the night in which nothing is missing, shape (n_windows, n_samples)."""
    size = int(_WINDOW_S * rate_hz)
    n = min(_N_WINDOWS, signal.size // size)
    starts = np.linspace(0, signal.size - size, n).astype(int) if n else np.zeros(0, int)
    windows = signal[starts[:, None] + np.arange(size)]
    return windows[np.isfinite(windows).all(axis=1)]


def _doubt_rails(label: str, windows: np.ndarray) -> list[Fault]:
    """Return a fault if a good part of the signal does not move: no contact, or an amplifier at its end of range."""
    held = windows[:, 1:][np.diff(windows) == 0]
    share = held.size / max(windows.size, 1)
    if share <= _MAX_HELD:
        return []
    values, counts = np.unique(held, return_counts=True)
    said = (
        f"{100 * share:.0f} % of the samples repeat the one before, most often {values[counts.argmax()]:.6g} µV; "
        "nothing was recorded there but the end of the range, or an open input"
    )
    return [
        Fault("held", "repaired", said, value=f"{100 * share:.0f} %", remedy="do not take it for sleep", channel=label)
    ]


def _spread_and_offset(windows: np.ndarray, rate_hz: float) -> tuple[float, float]:
    """Return medians over windows: root mean square of 0.5–30 Hz, and mean."""
    windows = windows[np.ptp(windows, axis=1) > 0]  # an hour of no contact says nothing of the scale
    if not len(windows):
        return np.nan, np.nan
    size = windows.shape[1]
    means = windows.mean(axis=1)
    power = np.abs(np.fft.rfft((windows - means[:, None]) * np.hanning(size), axis=1)) ** 2
    frequency_hz = np.fft.rfftfreq(size, 1 / rate_hz)
    band = power[:, (frequency_hz >= 0.5) & (frequency_hz <= 30)].sum(axis=1)
    # 3/8 is the mean square of a Hann window
    return float(np.median(np.sqrt(2 * band / (3 / 8)) / size)), float(np.median(means))


def doubt_scale(chosen: Sequence[SourceChannel], all_eeg: Sequence[SourceChannel]) -> Iterator[Fault]:
    """Yield what is implausible about the limits and rates that the headers of EEG channels give.

    A recorder gives all its EEG channels one scale; where one of them differs, one of the headers is wrong
    or the amplifier was set so, and only the user can know.
    """
    for channel in chosen:
        others = [abs(c.gain) for c in all_eeg if c is not channel and np.isfinite(c.gain)]
        ratio = float(np.median(others)) / abs(channel.gain) if others else 1.0
        agree = len(others) > 1 and max(others) < 1.01 * min(others)
        if np.isfinite(ratio) and not 1 / _MAX_RATIO[agree] < ratio < _MAX_RATIO[agree]:
            said = f"one digital step of the other EEG channels of this file is {ratio:.4g} times as large"
            yield Fault("gain-differs", "repaired", said, "physical and digital limits", f"{channel.gain:.4g} a step",
                        "compare amplitudes between these channels with care", channel.label)  # fmt: skip
        for what, (low, high) in (("physical", channel.span), ("digital", channel.digital_span)):
            if np.isfinite(low + high) and abs(low + high) > 0.05 * abs(high - low) and (what, low) != ("digital", 0):
                said = f"its {what} range is not even about zero, as an EEG's is; one of the limits may be wrong"
                yield Fault("lopsided-range", "repaired", said, f"{what} limits", f"{low:g} to {high:g}",
                            channel=channel.label)  # fmt: skip
        if not is_usual_rate(channel.rate_hz):
            said = f"{channel.rate_hz:.6g} samples a second is a rate no recorder is known for"
            yield Fault("rate-unusual", "repaired", said, "record duration or samples per record",
                        f"{channel.rate_hz:.6g} Hz", channel=channel.label)  # fmt: skip


def doubt_range(channel: SourceChannel, signal: np.ndarray) -> list[Fault]:
    """Return a fault if samples lie beyond what the header says the channel can hold."""
    low, high = sorted(channel.span)
    margin = 0.001 * (high - low)
    if not np.fmin.reduce(signal) < low - margin and not np.fmax.reduce(signal) > high + margin:
        return []  # the usual case, and half the time
    beyond = float(np.mean((signal < low - margin) | (signal > high + margin)))
    said = f"{100 * beyond:.2g} % of the samples lie beyond the limits its header gives, so these limits are wrong"
    return [Fault("beyond-range", "repaired", said, "physical and digital limits", f"{low:g} to {high:g}",
                  channel=channel.label)]  # fmt: skip


def doubt_joints(label: str, signal: np.ndarray, record_samples: float) -> list[Fault]:
    """Return a fault if the signal jumps at most borders of its records.

    That happens when the header's samples per record are wrong, so that each record holds pieces of
    other channels, or when the recorder lost samples between records without saying so.
    """
    if not np.isfinite(record_samples):
        return []
    borders = np.arange(1, int(signal.size / record_samples)) * record_samples
    borders = borders.astype(int)
    joint = np.abs(signal[borders] - signal[borders - 1])
    inside = np.abs(signal[borders - 1] - signal[borders - 2])
    there = np.isfinite(joint) & np.isfinite(inside)
    if there.sum() < _MIN_JOINTS:
        return []
    usual, at_borders = np.median(inside[there]), np.median(joint[there])
    if not usual > 0 or at_borders <= 3 * usual:
        return []
    said = (
        f"the signal jumps between its records, {at_borders / usual:.2g} times as far as within them; samples are lost "
        "there, or the header's samples per record are wrong"
    )
    return [Fault("joints", "repaired", said, "samples per record", f"{record_samples:g}", channel=label)]
