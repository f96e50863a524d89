"""Spindle candidates: everything in NREM that waxes and wanes like a spindle, with its measures."""

from __future__ import annotations

import bisect
import itertools
import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from eegsleep.hypnograms.objects import as_stages
from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, NREM, epochs_to_samples, silence_unusable, stage_at
from eegsleep.signals.low_rate import FLANK_HZ, LOW_RATE_HZ, STEP, NightTransform
from eegsleep.signals.two_channels import measure_each
from eegsleep.tables import SPINDLE_CANDIDATES, check_table, empty_table

if TYPE_CHECKING:
    from eegsleep.hypnograms.objects import Hypnogram
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

# The band of a spindle in the AASM manual (quoted in Lacourse et al. 2019, doi:10.1016/j.jneumeth.2018.08.014).
SIGMA_HZ = (11.0, 16.0)
# What a spindle is compared with at its own moment: slow waves end below this band, muscle and mains lie above.
SHARE_HZ = (6.0, 30.0)
ENVELOPE_HZ = LOW_RATE_HZ
# Size and share are means under a Hann window as long as a spindle, 1 s.
SIZE_WINDOW_S = 1.0
# Onset and end are read with a shorter window. A burst of 0.2 s then reads 0.40 s at 40 % of its peak, one of
# 0.5 s 0.49 s and one of 1 s 1.11 s.
EDGE_WINDOW_S = 0.3
EDGE_LEVEL = 0.4
# Loose limits: every event that a later selection could choose must be among the candidates.
LEAST_RATIO, LEAST_SHARE = 1.75, 0.3
_REACH = 32  # samples of the envelope to either side of a peak, 1.6 s
_HALF_SIZE = int(SIZE_WINDOW_S * ENVELOPE_HZ / 2)
_OWN_HZ = 2.0
_HALF_SNIPPET = 256  # samples of the signal to either side of a peak


class _Bands(NamedTuple):
    """Sigma and what lies beside it on one channel, at `ENVELOPE_HZ`; arrays have shape (n_times,)."""

    edge_uv: np.ndarray  # envelope of sigma, peak to peak, under `EDGE_WINDOW_S`
    size_uv: np.ndarray  # the same under `SIZE_WINDOW_S`, root mean square
    share: np.ndarray  # power of sigma over that of 6-30 Hz under `SIZE_WINDOW_S`, 0 to 1
    turn_hz: np.ndarray  # frequency of sigma from one sample to the next
    baseline_uv: float  # median of `size_uv` over clean NREM
    background_level: float  # median power beside sigma in 6-30 Hz over median power of sigma


def find_spindle_candidates(
    recording: Recording,
    stages: Hypnogram,
    quality: pd.DataFrame,
    band_hz: tuple[float, float] = SIGMA_HZ,
    channels: list[str] | None = None,
    least: tuple[float, float] = (LEAST_RATIO, LEAST_SHARE),
) -> pd.DataFrame:
    """Find every event that could be a spindle in usable N2 and N3, and measure it.

    The signal is separated into three bands, below, within and above sigma, all between 6 and 30 Hz. A
    candidate is a maximum of sigma's root mean square over 1 s. It begins and ends where the envelope of
    11-16 Hz, which follows changes within 0.2 s, has fallen to 40 % of its peak.

    Parameters
    ----------
    recording : Recording
    stages : DataFrame or another hypnogram that `as_stages` takes
        Table `HYPNOGRAM` of that recording.
    quality : pandas.DataFrame
        Table `QUALITY` of that recording.
    band_hz : tuple of float
        Another band than sigma for exploration, such as (9, 11) on frontal channels. A band 2 Hz wide does not
        show durations.
    channels : list of str, optional
        By default every EEG derivation.
    least : tuple of float, optional
        The least `sigma_ratio` and `sigma_share` of the events that are returned. Of two that overlap the smaller is
        left out before.

    Returns
    -------
    pandas.DataFrame
        Table `SPINDLE_CANDIDATES` in order of channel and onset. It has many more rows than there are spindles;
        `select_spindles` selects among them.

    Notes
    -----
    Nothing below 5.5 Hz enters a measure that decides. `sigma_ratio` and `sigma_share` do not change with gain.

    Examples
    --------
    >>> candidates = es.find_spindle_candidates(recording, night.stages, night.quality)
    >>> len(candidates) > len(night.spindles)
    True
    """
    stages = as_stages(stages)
    found = measure_each(
        lambda label: _search_channel(
            recording.signal(label), label, stages, usable_epochs(quality, label), band_hz, least
        ),
        recording.derivations if channels is None else channels,
    )
    found = [frame for frame in found if len(frame)]
    return pd.concat(found, ignore_index=True) if found else empty_table(SPINDLE_CANDIDATES)


def _search_channel(
    signal_uv: np.ndarray,
    label: str,
    stages: pd.DataFrame,
    usable: np.ndarray,
    band_hz: tuple[float, float],
    least: tuple[float, float],
) -> pd.DataFrame:
    nrem = usable & stages["stage"].isin(NREM).to_numpy()
    clean = epochs_to_samples(nrem, signal_uv.size) & np.isfinite(signal_uv)
    if not np.any(signal_uv[clean]):  # no NREM, or a dead channel
        return empty_table(SPINDLE_CANDIDATES)
    # the median is subtracted, so that the silenced parts begin and end without a step
    signal = silence_unusable(signal_uv - np.median(signal_uv[clean]), usable)
    bands = _separate_bands(signal, clean, band_hz)
    peaks = _find_peaks(bands, clean) if bands.baseline_uv > 0 else np.zeros(0, dtype=int)
    if not len(peaks):
        return empty_table(SPINDLE_CANDIDATES)
    peaks, summits, onset_s, end_s = _bound(bands, peaks)
    stage = stage_at(stages, onset_s)
    lost = np.concatenate([[0], np.cumsum(~clean, dtype=np.int32)])
    edges = np.clip(np.round(np.stack([onset_s, end_s]) * ANALYSIS_RATE_HZ).astype(int), 0, clean.size)
    whole = (lost[edges[0]] == lost[edges[1]]) & np.isin(stage, NREM)
    whole &= (bands.size_uv[peaks] / bands.baseline_uv >= least[0]) & (bands.share[peaks] >= least[1])
    if not whole.any():
        return empty_table(SPINDLE_CANDIDATES)
    peaks, summits, onset_s, end_s, stage = (values[whole] for values in (peaks, summits, onset_s, end_s, stage))
    frame = pd.DataFrame(_measure_signal(signal, bands, summits, onset_s, end_s)).assign(
        channel=label,
        stage=stage,
        onset_s=onset_s,
        duration_s=end_s - onset_s,
        envelope_uv=bands.size_uv[peaks],
        sigma_ratio=bands.size_uv[peaks] / bands.baseline_uv,
        sigma_share=bands.share[peaks],
        baseline_uv=bands.baseline_uv,
        background_level=bands.background_level,
    )
    frame["symmetry"] = (frame["peak_s"] - frame["onset_s"]) / frame["duration_s"]
    return check_table(frame.sort_values("onset_s"), SPINDLE_CANDIDATES)


def _separate_bands(signal: np.ndarray, clean: np.ndarray, band_hz: tuple[float, float]) -> _Bands:
    """Filter once by Fourier transform; each band is narrower than 20 Hz, so that a fifth of the rate holds it."""
    night = NightTransform(signal)
    first_hz, wave = night.analytic(band_hz)[:2]
    sigma = wave.real**2 + wave.imag**2
    beside = np.zeros(sigma.size, dtype=np.float32)
    for section in (*_sections(SHARE_HZ[0], band_hz[0]), *_sections(band_hz[1], SHARE_HZ[1])):
        other = night.analytic(section).wave
        beside += other.real**2 + other.imag**2
    turn = np.angle(wave[1:] * np.conj(wave[:-1])) * (ENVELOPE_HZ / (2 * np.pi))
    turn_hz = first_hz + np.mod(turn, ENVELOPE_HZ)
    size, beside = _smooth(sigma, SIZE_WINDOW_S), _smooth(beside, SIZE_WINDOW_S)
    inside = clean[::STEP]
    usual = float(np.median(size[inside]))
    return _Bands(
        edge_uv=2 * np.sqrt(_smooth(sigma, EDGE_WINDOW_S)),
        size_uv=2 * np.sqrt(size),
        share=size / np.maximum(size + beside, np.float32(1e-12)),
        turn_hz=np.append(turn_hz, turn_hz[-1:]),
        baseline_uv=2 * float(np.sqrt(usual)),
        background_level=float(np.median(beside[inside])) / usual if usual > 0 else float("nan"),
    )


def _sections(low_hz: float, high_hz: float) -> list[tuple[float, float]]:
    """Divide a band into equal ones that fit into `ENVELOPE_HZ` with their flanks."""
    n = int(np.ceil((high_hz - low_hz) / (ENVELOPE_HZ - 3 * FLANK_HZ)))
    return list(itertools.pairwise(np.linspace(low_hz, high_hz, n + 1).tolist()))


def _smooth(power: np.ndarray, window_s: float) -> np.ndarray:
    """Return the mean under a Hann window."""
    window = np.hanning((round(window_s * ENVELOPE_HZ) | 1) + 2)[1:-1]
    return np.convolve(power, (window / window.sum()).astype(np.float32), "same")


def _find_peaks(bands: _Bands, clean: np.ndarray) -> np.ndarray:
    inside = clean[::STEP].copy()
    margin = _REACH + _HALF_SIZE + 1
    inside[:margin] = inside[-margin:] = False
    size = bands.size_uv
    peaks = np.flatnonzero((size[1:-1] > size[:-2]) & (size[1:-1] > size[2:])) + 1
    likely = (bands.size_uv[peaks] >= LEAST_RATIO * bands.baseline_uv) & (bands.share[peaks] >= LEAST_SHARE)
    return peaks[likely & inside[peaks]]


def _bound(bands: _Bands, peaks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Find the summit of each peak, its onset and end in s, and drop those that lie within a larger one."""
    near = bands.edge_uv[peaks[:, None] + np.arange(-_HALF_SIZE, _HALF_SIZE + 1)]
    summits = peaks + near.argmax(axis=1) - _HALF_SIZE
    around = bands.edge_uv[summits[:, None] + np.arange(-_REACH, _REACH + 1)]
    level = EDGE_LEVEL * around[:, _REACH]
    start = summits - _first_below(around[:, _REACH::-1], level)
    end = summits + _first_below(around[:, _REACH:], level)
    keep = keep_largest(summits, start, end, bands.size_uv[peaks])
    return peaks[keep], summits[keep], start[keep] / ENVELOPE_HZ, end[keep] / ENVELOPE_HZ


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


def _measure_signal(
    signal: np.ndarray, bands: _Bands, summits: np.ndarray, onset_s: np.ndarray, end_s: np.ndarray
) -> dict[str, np.ndarray]:
    """Measure each candidate on the signal around it, filtered 4 Hz wide about its own frequency."""
    offsets = np.arange(-8, 8)  # 0.4 s to either side, about as long as the shortest spindle
    weight = bands.edge_uv[summits[:, None] + offsets] ** 2
    own_hz = (weight * bands.turn_hz[summits[:, None] + offsets]).sum(axis=1) / weight.sum(axis=1)
    centre = summits * STEP
    offsets = np.arange(-_HALF_SNIPPET, _HALF_SNIPPET)
    snippet = signal[np.clip(centre[:, None] + offsets, 0, signal.size - 1)]
    own, broad = _filter_snippets(snippet, own_hz)
    time_s = (centre[:, None] + offsets) / ANALYSIS_RATE_HZ
    inside = (time_s >= onset_s[:, None]) & (time_s <= end_s[:, None])
    amplitude = np.where(inside, np.abs(own), 0.0)
    frequency, chirp = _track_frequency(own, amplitude, time_s)
    wave = np.real(own)
    crest = inside[:, 1:-1] & (wave[:, 1:-1] > wave[:, :-2]) & (wave[:, 1:-1] >= wave[:, 2:])
    energy = amplitude**2
    return {
        "peak_s": time_s[np.arange(len(centre)), amplitude.argmax(axis=1)],
        "centroid_s": (energy * time_s).sum(axis=1) / energy.sum(axis=1),
        "frequency_hz": frequency,
        "chirp_hz_per_s": chirp,
        "amplitude_uv": _range_within(wave, inside),
        "amplitude_broadband_uv": _range_within(_without_trend(broad, time_s, inside), inside),
        "n_oscillations": crest.sum(axis=1),
    }


def _filter_snippets(snippet: np.ndarray, centre_hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the analytic signal within 2 Hz of each row's own frequency, and the signal of 1-30 Hz."""
    from scipy.fft import ifft, irfft, rfft

    size = snippet.shape[1]
    spectrum = rfft((snippet - snippet.mean(axis=1, keepdims=True)) * _tapered_cosine(size), axis=1)
    frequency = np.fft.rfftfreq(size, 1 / ANALYSIS_RATE_HZ)
    weight = np.clip(_OWN_HZ + 0.5 - np.abs(frequency - centre_hz[:, None]), 0, 1)
    passed = (frequency >= 1) & (frequency <= 30)
    return ifft(2 * spectrum * weight, n=size, axis=1), irfft(spectrum * passed, n=size, axis=1)


def _tapered_cosine(size: int) -> np.ndarray:
    """Return Tukey's window, of which 15 % at each end are the flank of a cosine."""
    from_end = np.minimum(np.arange(size), np.arange(size)[::-1])
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum(from_end / (0.15 * (size - 1)), 1))


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
