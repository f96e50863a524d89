"""Whether a signal looks like scalp EEG, and whether its scale can be right.

Staging and slow waves depend on amplitude, and a wrong unit or limit in a header changes nothing else. None of these
functions changes a sample: each returns faults that say what does not fit and what would explain it.
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

# The robust standard deviation of 0.5–30 Hz was between these in every night of sleep we read; a dead electrode is
# below, an unattached one above.
PLAUSIBLE_UV = (1.0, 500.0)
# Share of samples in runs of half a second and more at one value: none in EEG, however coarse its steps; most where the
# electrode is dead.
_MAX_HELD = 0.5
_HELD_S = 0.5
# Digital steps of this size and more are visible in the EEG of a quiet night.
_COARSE_UV = 1.5
# Largest ratio of one channel's scale to that of the others: small (True) where the others agree with each other,
# larger where every channel has its own, as from writers that fill the digital range or calibrate each channel.
_MAX_RATIO = {True: 1.05, False: 1.5}
# Neighbouring samples of an EEG at 100 Hz and more correlate (by .8 and more in the recordings we read).
_MIN_CORRELATION = 0.3
_MIN_JOINTS = 16
_N_BORDERS = 2_000
# The steps between records are compared with steps at this many fixed places within a record, by the median at each
# place. Mains hum has a fixed phase at each place, so that the steps at some places are large: the comparison is with a
# median that a tenth of the places exceed.
_N_INSIDE = 32
# Mains hum and its harmonics are left out of the correlation: at 200 Hz, neighbours do not correlate in 50 Hz hum.
_MAINS_HZ = (50.0, 60.0)
# A writer that scales each channel to its own extremes uses at least this share of the range.
_FILLED = 0.95
_WINDOW_S = 4.0
_N_WINDOWS = 200


def find_amplitude_faults(channel: SourceChannel, signal: np.ndarray, uv_per_unit: float) -> list[Fault]:
    """Return what is implausible about the amplitude, offset and noise of an EEG.

    Parameters
    ----------
    channel : SourceChannel
    signal : numpy.ndarray, shape (n_samples,)
        NaN where nothing was recorded.
    uv_per_unit : float
        Microvolts of one unit of the signal.

    Returns
    -------
    list of Fault
    """
    label, rate_hz = channel.label, channel.rate_hz
    windows = _windows(signal, rate_hz) * uv_per_unit
    faults = _find_held_faults(label, windows, rate_hz)
    windows = windows[np.ptp(windows, axis=1) > 0]  # windows without contact show nothing of the scale
    if not len(windows):
        return faults
    step_uv = abs(channel.gain) * uv_per_unit
    if step_uv >= _COARSE_UV:
        said = f"one digital step is {step_uv:.3g} µV, and smaller changes are lost"
        faults.append(Fault("coarse-step", "repaired", said, "physical and digital limits", channel=label))
    offset_uv = float(np.median(windows.mean(axis=1)))
    power, frequency_hz = _power(windows, rate_hz)
    spread_uv = _spread(power, frequency_hz, windows.shape[1])
    low, high = PLAUSIBLE_UV
    if spread_uv > 0 and not low <= spread_uv <= high:
        factor = 10.0 ** (3 * round(np.log10(20 / spread_uv) / 3))
        wrong = f"{factor:g} times too small" if factor > 1 else f"{1 / factor:g} times too large"
        guess = f"its unit may be wrong, by which the numbers are {wrong}" if factor != 1 else "its gain may be wrong"
        said = f"the signal has a standard deviation of {spread_uv:.3g} µV in 0.5–30 Hz, and no EEG has that; {guess}"
        remedy = f'look at it, and name the unit with --units "{label}=uV" if the file is wrong'
        faults.append(
            Fault("amplitude", "needs the user", said, value=f"{spread_uv:.3g} µV", remedy=remedy, channel=label)
        )
    if abs(offset_uv) > max(100.0, 5 * spread_uv):
        said = f"the signal is {offset_uv:+.4g} µV off zero: the amplifier passes direct current, or a limit is wrong"
        faults.append(Fault("offset", "needs the user", said, value=f"{offset_uv:+.4g} µV", channel=label))
    correlation = _neighbour_correlation(power, frequency_hz, rate_hz)
    if correlation < _MIN_CORRELATION:
        said = (
            f"neighbouring samples hardly correlate ({correlation:.2f}); this is noise, or the header describes the "
            "bytes wrongly"
        )
        remedy = "look at the signal in the report; the stages and events of noise have no meaning"
        faults.append(Fault("noise", "needs the user", said, value=f"{correlation:.2f}", remedy=remedy, channel=label))
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
    """Return the median over windows of the correlation of each sample with the next, mains hum left out."""
    mains = np.zeros(frequency_hz.size, bool)
    for mains_hz in _MAINS_HZ:
        near_hz = np.abs(frequency_hz - mains_hz * np.maximum(np.round(frequency_hz / mains_hz), 1))
        mains |= near_hz <= 1
    kept = power[:, ~mains]
    total = kept.sum(axis=1)
    together = kept @ np.cos(2 * np.pi * frequency_hz[~mains] / rate_hz)
    return float(np.median(together[total > 0] / total[total > 0])) if (total > 0).any() else 0.0


def _windows(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return windows spread over the night in which no sample is missing, shape (n_windows, n_samples)."""
    size = int(_WINDOW_S * rate_hz)
    n = min(_N_WINDOWS, signal.size // size)
    starts = np.linspace(0, signal.size - size, n).astype(int) if n else np.zeros(0, int)
    windows = signal[starts[:, None] + np.arange(size)]
    return windows[np.isfinite(windows).all(axis=1)]


def _find_held_faults(label: str, windows: np.ndarray, rate_hz: float) -> list[Fault]:
    """Return a fault if most of the signal keeps one value: no contact, or an amplifier at the end of its range."""
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
        "there the amplifier was at the end of its range, or its input open"
    )
    return [
        Fault(
            "held",
            "needs the user",
            said,
            value=f"{100 * share:.0f} %",
            remedy="do not score these parts",
            channel=label,
        )
    ]


def find_reached_ends(channel: SourceChannel, signal: np.ndarray, extremes: tuple[float, float]) -> tuple[bool, bool]:
    """Return whether a signal reaches the lower and the upper end of its range without staying there.

    Both are true if the writer fitted the range to the signal; then the largest artefacts decide its size and symmetry.
    A signal that stays at an end is clipped: its range was set before.

    Parameters
    ----------
    channel : SourceChannel
    signal : numpy.ndarray, shape (n_samples,)
    extremes : (float, float)
        From `find_extremes`.

    Returns
    -------
    at_low, at_high : bool
    """
    low, high = sorted(channel.span)
    near, rail = (1 - _FILLED) / 2 * (high - low), 0.001 * (high - low)
    few = 0.001 * signal.size
    return (
        extremes[0] <= low + near and int(np.count_nonzero(signal <= low + rail)) <= few,
        extremes[1] >= high - near and int(np.count_nonzero(signal >= high - rail)) <= few,
    )


def find_scale_faults(
    chosen: Sequence[SourceChannel],
    all_eeg: Sequence[SourceChannel],
    reached: Mapping[str, tuple[bool, bool]],
    known: Sequence[Fault],
) -> Iterator[Fault]:
    """Yield what is implausible about the limits and rates that the headers of EEG channels give.

    A recorder gives all its EEG channels one scale. If one differs, its header is wrong or the amplifier was set so,
    and only the user can know which. A range that is not symmetric about zero is reported, unless the signals reach
    its ends (the writer fitted it to them), all EEG channels share it, or it has one sign and the offset is reported
    already.

    Parameters
    ----------
    chosen : sequence of SourceChannel
        The channels that are used.
    all_eeg : sequence of SourceChannel
        All EEG channels of the file whose unit is known.
    reached : mapping of str to (bool, bool)
        By label, from `find_reached_ends`.
    known : sequence of Fault
        The faults found so far.

    Yields
    ------
    Fault
    """
    gain_v = {c.label: abs(c.gain) * (parse_unit(c.unit) or np.nan) for c in (*all_eeg, *chosen)}
    off_zero = {fault.channel for fault in known if fault.code == "offset"}
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
        # stamps of a text give its rate to 0.5 %, a header states it
        if not is_usual_rate(channel.rate_hz, 1e-3 if np.isfinite(channel.gain) else 5e-3):
            said = f"no recorder is known to sample at {channel.rate_hz:.6g} Hz"
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
            said = f"its {what} range is not symmetric about zero, as an EEG's is; one of the limits may be wrong"
            yield Fault(
                "lopsided-range",
                "needs the user",
                said,
                f"{what} limits",
                f"{low:g} to {high:g}",
                channel=channel.label,
            )


def find_extremes(signal: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest sample; NaN if there is none.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_samples,)
        NaN where nothing was recorded.

    Returns
    -------
    low, high : float
    """
    return float(np.fmin.reduce(signal)), float(np.fmax.reduce(signal))


def find_range_faults(channel: SourceChannel, signal: np.ndarray, extremes: tuple[float, float]) -> list[Fault]:
    """Return a fault if samples are beyond the limits that the header gives.

    Parameters
    ----------
    channel : SourceChannel
    signal : numpy.ndarray, shape (n_samples,)
    extremes : (float, float)
        From `find_extremes`.

    Returns
    -------
    list of Fault
    """
    low, high = sorted(channel.span)
    margin = 0.001 * (high - low)
    if not extremes[0] < low - margin and not extremes[1] > high + margin:
        return []  # the usual case, without a second pass over the samples
    beyond = float(np.mean((signal < low - margin) | (signal > high + margin)))
    said = f"{100 * beyond:.2g} % of the samples are beyond the limits that the header gives, so these are wrong"
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

    That happens when the header's samples per record are wrong, so that each record holds pieces of other channels, or
    when the recorder lost samples between records without noting it.

    Parameters
    ----------
    label : str
    signal : numpy.ndarray, shape (n_samples,)
    record_samples : float
        Samples in one record; NaN if the file has no records.

    Returns
    -------
    list of Fault
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
        f"the signal jumps between its records, {at_borders / usual:.2g} times as far as within them; samples were "
        "lost there, or the header's samples per record are wrong"
    )
    return [Fault("joints", "needs the user", said, "samples per record", f"{record_samples:g}", channel=label)]


def _usual_step(signal: np.ndarray, at: np.ndarray) -> float:
    """Return the median step from the sample before to each of these samples; 0 if there is none."""
    steps = np.abs(signal[at] - signal[at - 1])
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) if steps.size else 0.0
