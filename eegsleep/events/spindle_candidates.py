"""Spindle candidates: everything in NREM that waxes and wanes like a spindle, with its measures."""

from __future__ import annotations

import bisect
import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, NREM, epochs_to_samples, silence_unusable, stage_at
from eegsleep.tables import SPINDLE_CANDIDATES, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

# Spindles are searched in this band; the filter bank is wider, so that a peak differs from an edge.
SEARCH_HZ = (9.0, 16.0)
BANK_HZ = np.arange(8.0, 20.1, 0.5)
# Full width at half height of a filter; its impulse is then 0.44 s wide, as short as the shortest spindle.
WIDTH_HZ = 2.0
# Slow and fast spindles are searched separately, so that alpha at the same time does not hide a fast spindle.
SPLIT_HZ = 12.5
SIGMA_HZ = (11.0, 16.0)
ENVELOPE_HZ = 20.0
# Loose limits: every event that a later selection could choose must be among the candidates.
LEAST_SNR, LEAST_RATIO, LEAST_CONTRAST, LEAST_CONCENTRATION = 3.0, 2.5, 2.0, 1.2
_REACH = 32  # samples of the envelope to either side of a peak, 1.6 s
_EDGE, _FLOOR = 0.4, 1.5
_NEAR_S, _FAR_S = 1.2, 6.0  # the background of a candidate lies between these distances, on both sides
_ABOVE_ROWS = (6, 8, 10, 12)  # rows of the bank a candidate is compared with: 3 to 6 Hz above, up to 20 Hz
_OWN_HZ = 2.0
_HALF_SNIPPET = 256  # samples of the signal to either side of a peak


class _Bank(NamedTuple):
    """Amplitude by frequency, in µV, (n_bands, n_times) at `ENVELOPE_HZ`, and its median over clean NREM."""

    envelope: np.ndarray
    baseline: np.ndarray

    @property
    def sigma_uv(self) -> float:
        """Usual amplitude of the sigma band of this channel: geometric mean of the baselines."""
        return float(np.exp(np.log(self.baseline[_rows_between(*SIGMA_HZ)]).mean()))


def _rows_between(low_hz: float, high_hz: float) -> np.ndarray:
    first, last = np.searchsorted(BANK_HZ, [low_hz, high_hz])
    return np.arange(first, last + 1)


def find_spindle_candidates(recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Find every event that could be a spindle in usable N2 and N3 on every EEG derivation, and measure it.

    A bank of Gaussian filters, 2 Hz wide and 0.5 Hz apart, gives the amplitude from 8 to 20 Hz. Each is
    divided by its own median over the channel's clean NREM, so that neither gain nor the slope of the
    spectrum decides which frequency is largest. Nothing below 8 Hz is used. A candidate is a peak in
    time and in frequency. It begins and ends where its filter has fallen to 40 % of the peak, but not
    below 1.5 times its median.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.

    Returns
    -------
    pandas.DataFrame
        Table `SPINDLE_CANDIDATES` in order of channel and onset. It has many more rows than there are spindles;
        `select_spindles` selects among them.
    """
    found = [
        _search_channel(recording.signal(label), label, stages, usable_epochs(quality, label))
        for label in recording.derivations
    ]
    found = [frame for frame in found if len(frame)]
    return pd.concat(found, ignore_index=True) if found else empty_table(SPINDLE_CANDIDATES)


def _search_channel(signal_uv: np.ndarray, label: str, stages: pd.DataFrame, usable: np.ndarray) -> pd.DataFrame:
    nrem = usable & stages["stage"].isin(NREM).to_numpy()
    clean = epochs_to_samples(nrem, signal_uv.size) & np.isfinite(signal_uv)
    if not np.any(signal_uv[clean]):  # no NREM, or a dead channel
        return empty_table(SPINDLE_CANDIDATES)
    # the median is subtracted, so that the silenced parts begin and end without a step
    signal = silence_unusable(signal_uv - np.median(signal_uv[clean]), usable)
    bank = _filter_bank(signal, clean)
    if not np.all(bank.baseline > 0):
        return empty_table(SPINDLE_CANDIDATES)
    peaks, rows = _find_peaks(bank, clean)
    if not len(peaks):
        return empty_table(SPINDLE_CANDIDATES)
    peaks, rows, onset_s, end_s = _bound(bank, peaks, rows)
    frame = pd.DataFrame(_measure_envelope(bank, peaks, rows, clean))
    likely = (frame["contrast"] >= LEAST_CONTRAST) & (frame["concentration"] >= LEAST_CONCENTRATION)
    peaks, rows, onset_s, end_s = (values[likely] for values in (peaks, rows, onset_s, end_s))
    if not len(peaks):
        return empty_table(SPINDLE_CANDIDATES)
    frame = frame[likely].assign(**_measure_signal(signal, peaks, rows, onset_s, end_s))
    frame = frame.assign(channel=label, onset_s=onset_s, duration_s=end_s - onset_s, stage=stage_at(stages, onset_s))
    frame["symmetry"] = (frame["peak_s"] - onset_s) / frame["duration_s"]
    lost = np.concatenate([[0], np.cumsum(~clean)])
    edges = np.clip(np.round(np.stack([onset_s, end_s]) * ANALYSIS_RATE_HZ).astype(int), 0, clean.size)
    frame = frame[(lost[edges[0]] == lost[edges[1]]) & frame["stage"].isin(NREM)]
    return check_table(frame.sort_values("onset_s"), SPINDLE_CANDIDATES)


def _filter_bank(signal: np.ndarray, clean: np.ndarray) -> _Bank:
    """Filter once by Fourier transform; each band is narrow, so that a fifth of the rate holds it."""
    from scipy.fft import ifft, next_fast_len, rfft

    step = int(ANALYSIS_RATE_HZ / ENVELOPE_HZ)
    n_out = next_fast_len(-(-signal.size // step))
    spectrum = rfft(signal.astype(np.float32), n_out * step) * np.float32(2 / step)
    bins_per_hz = n_out * step / ANALYSIS_RATE_HZ
    sd_hz = WIDTH_HZ / np.sqrt(8 * np.log(2))
    inside = np.flatnonzero(clean[::step])
    envelope = np.empty((len(BANK_HZ), -(-signal.size // step)), dtype=np.float32)
    for row, centre_hz in zip(envelope, BANK_HZ, strict=True):
        bins = np.arange(int((centre_hz - 4 * sd_hz) * bins_per_hz), int((centre_hz + 4 * sd_hz) * bins_per_hz))
        weight = np.exp(-0.5 * ((bins / bins_per_hz - centre_hz) / sd_hz) ** 2)
        band = np.zeros(n_out, dtype=np.complex64)
        band[: bins.size] = spectrum[bins] * weight.astype(np.float32)
        row[:] = np.abs(ifft(band))[: row.size]
    # Every third sample, 0.15 s, is enough for the output of a filter whose impulse is 0.44 s wide.
    return _Bank(envelope, np.array([np.median(row[inside[::3]]) for row in envelope]))


def _find_peaks(bank: _Bank, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the bank peaks in time and frequency, and in which of its rows."""
    from scipy.signal import argrelmax

    envelope = bank.envelope
    inside = clean[:: int(ANALYSIS_RATE_HZ / ENVELOPE_HZ)].copy()
    inside[: _REACH + 1] = inside[-_REACH - 1 :] = False
    found = []
    for low_hz, high_hz in ((SEARCH_HZ[0], SPLIT_HZ), (SPLIT_HZ, SEARCH_HZ[1])):
        rows = _rows_between(low_hz, high_hz)
        largest = np.zeros(inside.size, dtype=np.float32)
        for row in rows:
            np.maximum(largest, envelope[row] / np.float32(bank.baseline[row]), out=largest)
        peaks = argrelmax(largest)[0]
        peaks = peaks[(largest[peaks] >= LEAST_SNR) & inside[peaks]]
        near = np.arange(rows[0] - 1, rows[-1] + 2)
        snr = envelope[near[:, None], peaks] / bank.baseline[near, None]
        best = snr[1:-1].argmax(axis=0) + 1
        columns = np.arange(len(peaks))
        is_peak = snr[best, columns] >= np.maximum(snr[best - 1, columns], snr[best + 1, columns])
        found.append((peaks[is_peak], near[best[is_peak]]))
    peaks, rows = (np.concatenate(parts) for parts in zip(*found, strict=True))
    large = envelope[rows, peaks] >= LEAST_RATIO * bank.sigma_uv
    return peaks[large], rows[large]


def _bound(bank: _Bank, peaks: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Find where each peak begins and ends, in s, and drop those that lie within a larger one of their search."""
    around = bank.envelope[rows[:, None], peaks[:, None] + np.arange(-_REACH, _REACH + 1)]
    middle = around[:, _REACH]
    level = np.maximum(_EDGE * middle, _FLOOR * bank.baseline[rows])
    start = peaks - _first_below(around[:, _REACH::-1], level)
    end = peaks + _first_below(around[:, _REACH:], level)
    snr = middle / bank.baseline[rows]
    kept = []
    for part in (BANK_HZ[rows] < SPLIT_HZ, BANK_HZ[rows] >= SPLIT_HZ):
        chosen = np.flatnonzero(part)
        kept.append(chosen[keep_largest(peaks[chosen], start[chosen], end[chosen], snr[chosen])])
    keep = np.concatenate(kept)
    return peaks[keep], rows[keep], start[keep] / ENVELOPE_HZ, end[keep] / ENVELOPE_HZ


def _first_below(flank: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return how many samples from the first column each row stays above its level, between samples."""
    below = flank < level[:, None]
    last = np.where(below.any(axis=1), below.argmax(axis=1), flank.shape[1] - 1)
    rows = np.arange(len(flank))
    high, low = flank[rows, np.maximum(last - 1, 0)], flank[rows, last]
    return last - 1 + np.clip((high - level) / np.maximum(high - low, 1e-12), 0, 1)


def keep_largest(peaks: np.ndarray, start: np.ndarray, end: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Keep the larger of two overlapping events: those of which one holds the peak of the other.

    Parameters
    ----------
    peaks, start, end : numpy.ndarray, shape (n_events,)
        In any one unit of time.
    size : numpy.ndarray, shape (n_events,)

    Returns
    -------
    numpy.ndarray of int, shape (n_kept,)
        Indices of the events kept, in rising order.
    """
    starts: list[float] = []
    ends: list[float] = []
    middles: list[float] = []
    kept: list[int] = []
    for i in np.argsort(-size, kind="stable").tolist():
        place = bisect.bisect(middles, peaks[i])
        if place and (ends[place - 1] > peaks[i] or middles[place - 1] > start[i]):
            continue
        if place < len(middles) and (starts[place] < peaks[i] or middles[place] < end[i]):
            continue
        for column, values in ((starts, start), (ends, end), (middles, peaks)):
            column.insert(place, values[i])
        kept.append(i)
    return np.sort(np.array(kept, dtype=int))


def _measure_envelope(bank: _Bank, peaks: np.ndarray, rows: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
    """Measure size, contrast in time and concentration in frequency from the filter bank."""
    envelope, baseline = bank
    middle = envelope[rows, peaks]
    # Every fourth sample, 0.2 s, is enough of a background that a filter of 0.44 s has smoothed.
    steps = np.arange(_NEAR_S * ENVELOPE_HZ, _FAR_S * ENVELOPE_HZ + 1, 4).astype(int)
    at = np.clip(peaks[:, None] + np.concatenate([-steps[::-1], steps]), 0, envelope.shape[1] - 1)
    inside = clean[:: int(ANALYSIS_RATE_HZ / ENVELOPE_HZ)][at]
    around = np.where(inside, envelope[rows[:, None], at], np.nan)
    few = inside.mean(axis=1) < 0.25
    around[few] = baseline[rows[few], None]
    # each row over its own baseline, so that the slope of the spectrum does not count
    above = np.minimum(rows[:, None] + np.array(_ABOVE_ROWS), len(BANK_HZ) - 1)
    during = peaks[:, None] + np.arange(-4, 5)
    beside = envelope[above[:, :, None], during[:, None, :]] / baseline[above][:, :, None]
    snr = middle / baseline[rows]
    return {
        "envelope_uv": 2.0 * middle,
        "baseline_uv": np.full(len(peaks), 2.0 * bank.sigma_uv),
        "sigma_ratio": middle / bank.sigma_uv,
        "contrast": middle / np.maximum(np.nanmedian(around, axis=1), baseline[rows]),
        "concentration": snr / np.sqrt(np.mean(beside**2, axis=(1, 2))),
    }


def _measure_signal(
    signal: np.ndarray, peaks: np.ndarray, rows: np.ndarray, onset_s: np.ndarray, end_s: np.ndarray
) -> dict[str, np.ndarray]:
    """Measure each candidate on the signal around it, filtered 4 Hz wide about its own frequency."""
    centre = np.round(peaks * ANALYSIS_RATE_HZ / ENVELOPE_HZ).astype(int)
    offsets = np.arange(-_HALF_SNIPPET, _HALF_SNIPPET)
    snippet = signal[np.clip(centre[:, None] + offsets, 0, signal.size - 1)]
    own, broad = _filter_snippets(snippet, BANK_HZ[rows])
    time_s = (centre[:, None] + offsets) / ANALYSIS_RATE_HZ
    inside = (time_s >= onset_s[:, None]) & (time_s <= end_s[:, None])
    amplitude = np.where(inside, np.abs(own), 0.0)
    columns = np.arange(len(centre))
    frequency, chirp = _track_frequency(own, amplitude, time_s)
    wave = np.real(own)
    crest = inside[:, 1:-1] & (wave[:, 1:-1] > wave[:, :-2]) & (wave[:, 1:-1] >= wave[:, 2:])
    return {
        "peak_s": time_s[columns, amplitude.argmax(axis=1)],
        "frequency_hz": frequency,
        "chirp_hz_per_s": chirp,
        "amplitude_uv": _range_within(wave, inside),
        "amplitude_broadband_uv": _range_within(_without_trend(broad, time_s, inside), inside),
        "n_oscillations": crest.sum(axis=1),
    }


def _filter_snippets(snippet: np.ndarray, centre_hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the analytic signal within 2 Hz of each row's own frequency, and the signal of 1-30 Hz."""
    from scipy.fft import ifft, irfft, rfft
    from scipy.signal.windows import tukey

    size = snippet.shape[1]
    spectrum = rfft((snippet - snippet.mean(axis=1, keepdims=True)) * tukey(size, 0.3), axis=1)
    frequency = np.fft.rfftfreq(size, 1 / ANALYSIS_RATE_HZ)
    weight = np.clip(_OWN_HZ + 0.5 - np.abs(frequency - centre_hz[:, None]), 0, 1)
    passed = (frequency >= 1) & (frequency <= 30)
    return ifft(2 * spectrum * weight, n=size, axis=1), irfft(spectrum * passed, n=size, axis=1)


def _track_frequency(own: np.ndarray, amplitude: np.ndarray, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequency (median over the event) and its change (weighted by power), per row."""
    turn = np.angle(own[:, 1:] * np.conj(own[:, :-1])) * ANALYSIS_RATE_HZ / (2 * np.pi)
    weight = amplitude[:, 1:] * amplitude[:, :-1]
    median = np.nanmedian(np.where(weight > 0, turn, np.nan), axis=1)
    total = weight.sum(axis=1, keepdims=True)
    time = time_s[:, 1:] - (weight * time_s[:, 1:]).sum(axis=1, keepdims=True) / total
    return median, (weight * time * turn).sum(axis=1) / (weight * time**2).sum(axis=1)


def _range_within(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return np.where(inside, values, -np.inf).max(axis=1) - np.where(inside, values, np.inf).min(axis=1)


def _without_trend(values: np.ndarray, time_s: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Take the straight line through the event out of each row."""
    n = inside.sum(axis=1, keepdims=True)
    time = time_s - (time_s * inside).sum(axis=1, keepdims=True) / n
    level = (values * inside).sum(axis=1, keepdims=True) / n
    slope = (values * time * inside).sum(axis=1, keepdims=True) / (time**2 * inside).sum(axis=1, keepdims=True)
    return values - level - slope * time
