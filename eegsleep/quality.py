"""Signal quality: which epochs of which channel are usable, and whether a whole night is."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from eegsleep.errors import RecordingError
from eegsleep.recording.signals import signals_of
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_MIN, EPOCH_S, cut_epochs
from eegsleep.signals.two_channels import measure_each
from eegsleep.tables import QUALITY, check_table

if TYPE_CHECKING:
    from eegsleep.recording.recording import Recording

logger = logging.getLogger(__name__)

_SECONDS = int(EPOCH_S)
MAINS_HZ = (50.0, 60.0)
# The band in which gain is compared between derivations. Slow waves grow fivefold with depth of sleep, and alpha
# and spindles move between front and back; at 20–30 Hz two derivations stay within 3 % of their usual ratio.
GAIN_BAND_HZ = (20.0, 30.0)
# The usual level of an EEG: RMS of 4–30 Hz in the median epoch, in µV, for which the limits on size were made. Staging
# takes these limits relative to the channel's own level (column `usable_at_level`). The number is that of the epochs
# YASA's classifiers were trained on, see `eegsleep.staging.gain`.
USUAL_LEVEL_UV = 6.14
LEVEL_BAND_HZ = (4.0, 30.0)
# Ten minutes, so that a turn in bed does not look like a change of gain.
GAIN_EPOCHS = 21
# A movement is compared with the five minutes around it.
BURST_EPOCHS = 11
# Epochs measured at a time: few enough to stay in the processor's cache.
_BLOCK_EPOCHS = 16


@dataclass(frozen=True)
class QualitySettings:
    """Limits beyond which an epoch of a channel, or a night, is not used.

    The limits on epochs are wide: they catch signals that no scalp gives (a dead, railed or swinging
    electrode) and never an unusual night. All but those on flat and clipped signals apply to EEG
    only, because an eye or chin channel may swing and burst.

    Measured on 12 clean simulated nights of 2 h × 2 EEG at 256 Hz: none of 5760 epochs is set aside, mains
    stay under 1.4 µV, gain within 0.94 and 1.06 (also with slow waves of 300 µV or 60 arousals an hour). Of
    84 min of real sleep one epoch of 167 is set aside, for a swing of 1023 µV. On the same nights with
    artefacts on for half of an epoch or more, all of 144 flat, 120 clipped, 24 moving and 144 contactless
    epochs are set aside, mains of 20–40 µV are found in all of 672 epochs, and a gain that drifts to
    between a third and a half is found in 68 % of 384, once it has lost a quarter. Of epochs touched for 6 to
    15 s, 30 of 33 are set aside (tests/benchmarks/quality_on_simulated_nights.py).

    Parameters
    ----------
    flat_uv : float
        A second is flat when its standard deviation is under this, in µV: under an amplifier's noise.
    max_clipped_fraction : float
        Share of samples held at the largest or smallest value of the channel.
    railed_uv : float
        A channel that stands still this far from zero, in µV, is at a rail (Muse ±1000 µV, OpenBCI
        ±187500 µV), not shorted.
    max_ptp_uv : float
        Largest swing in an epoch, in µV: twice the largest K-complexes and slow waves of healthy adults.
    max_high_frequency_uv : float
        RMS of 25–45 Hz, in µV: several times a tense forehead's.
    min_rms_uv : float
        RMS of 0.5–30 Hz, in µV; an amplifier without a head gives less, the shortest headband
        derivation several times more.
    burst_uv, burst_ratio : float
        A second is moving when its range is over `burst_uv` µV and over `burst_ratio` times that of the
        five minutes around. The largest K-complexes reach both, for one second.
    max_lost_fraction : float
        Share of an epoch that may be flat, moving or without contact. The AASM manual scores an epoch of which
        up to half is obscured, but waves cannot be counted in such an epoch.
    contact_mains_uv, contact_mains_ratio : float
        An open input picks up mains as an aerial does: contact is lost where mains are over `contact_mains_uv`
        µV for a share of `max_lost_fraction`, and over `contact_mains_ratio` times what the channel usually shows.
    contact_drift_uv, contact_rms_ratio : float
        Contact is also lost where the level drifts by over `contact_drift_uv` µV, as an electrode in air
        does, while the signal within seconds is under `contact_rms_ratio` of its usual size. Sweat makes the
        level drift as much, but leaves the signal its size.
    max_mains_uv : float
        Mains amplitude in µV above which a night is taken with caution: half of a spindle's amplitude, though
        mains are filtered out before use.
    max_gain_ratio : float
        Change of a derivation against the others above which a night is taken with caution. Slow oscillations
        are counted over fixed µV: a gain of 0.8 or 1.25 changed their number on the real recording by about 40 %.
    max_fault_fraction : float
        Share of a night in which mains or gain may be beyond their limits without a caution.
    min_usable_fraction, good_usable_fraction : float
        A night is rejected where the share of usable epochs on its best derivation is below the first: more of
        it is unknown than known. It is taken with caution where the share on any EEG is below the second:
        minutes of a stage may be wrong by as much. An EOG or EMG below `min_usable_fraction` is not staged with.
    min_night_h, min_usable_h : float
        Shorter recordings are excerpts. A longer one is rejected with fewer usable hours than two sleep
        cycles take.
    max_gap_min : float
        Minutes that may be missing in all channels. More of them could be mistaken for an effect on latency or
        wake.
    plausible_rms_uv : tuple of float
        Limits of the median RMS of an EEG's usable epochs, in µV; outside them gain or unit is probably wrong.
    """

    flat_uv: float = 0.1
    max_clipped_fraction: float = 0.05
    railed_uv: float = 500.0
    max_ptp_uv: float = 1000.0
    max_high_frequency_uv: float = 40.0
    min_rms_uv: float = 1.0
    burst_uv: float = 300.0
    burst_ratio: float = 4.0
    max_lost_fraction: float = 0.2
    contact_mains_uv: float = 50.0
    contact_mains_ratio: float = 5.0
    contact_drift_uv: float = 500.0
    contact_rms_ratio: float = 0.33
    max_mains_uv: float = 15.0
    max_gain_ratio: float = 1.33
    max_fault_fraction: float = 0.05
    min_usable_fraction: float = 0.5
    good_usable_fraction: float = 0.9
    min_night_h: float = 4.0
    min_usable_h: float = 3.0
    max_gap_min: float = 5.0
    plausible_rms_uv: tuple[float, float] = (3.0, 150.0)


@dataclass(frozen=True)
class Verdict:
    """Whether a night can be used, and why in sentences."""

    verdict: Literal["usable", "caution", "reject"]
    reasons: tuple[str, ...]


def measure_quality(recording: Recording, settings: QualitySettings | None = None) -> pd.DataFrame:
    """Measure every channel in every 30 s epoch, and find which are usable, and why others are not.

    Parameters
    ----------
    recording : Recording
    settings : QualitySettings, optional

    Returns
    -------
    pandas.DataFrame
        Table `QUALITY`, one row an epoch and channel. Values that cannot be measured are missing, not zero:
        mains where the recorded rate is too low for them, all values where the epoch has no sample.

    Raises
    ------
    RecordingError
        If the recording is shorter than one epoch.

    Examples
    --------
    >>> quality = es.measure_quality(recording)
    >>> quality["channel"].unique().tolist()
    ['C4-M1', 'F3-M2', 'E1-M2', 'EMG chin']
    """
    settings = settings or QualitySettings()
    if not recording.n_epochs:
        found = f"{recording.duration_s:.1f} s"
        raise RecordingError(
            "the recording is too short to be judged", found=found, allowed="one epoch of 30 s and more"
        )
    logger.info("measuring signal quality")
    _ = recording.microvolts  # once, before two channels ask for it at the same time
    frames = measure_each(lambda label: _measure_channel(recording, label, settings), recording.channels)
    table = pd.concat(frames, ignore_index=True)
    table["relative_gain"] = _relative_gain(table)
    return check_table(table.drop(columns="gain_band_uv"), QUALITY)


def usable_epochs(quality: pd.DataFrame, channel: str, *, at_level: bool = False) -> np.ndarray:
    """Return which epochs of a channel are usable.

    Parameters
    ----------
    quality : pandas.DataFrame
        Table `QUALITY`.
    channel : str
    at_level : bool
        Whether the limits on size are taken relative to the channel's own level, as staging does.

    Returns
    -------
    numpy.ndarray of bool, shape (n_epochs,)
    """
    return quality.loc[quality["channel"] == channel, "usable_at_level" if at_level else "usable"].to_numpy()


def reason_kind(reason: str) -> str:
    """Return to which kind a reason of table `QUALITY` belongs.

    Parameters
    ----------
    reason : str
        Column `reason`; empty for a usable epoch.

    Returns
    -------
    str
        `missing`, `dead`, `movement` or `noise`; empty for an empty reason.
    """
    words = {
        "missing": "missing",
        "flat": "dead",
        "clipped": "dead",
        "no signal": "dead",
        "swings": "movement",
        "movement": "movement",
        "": "noise",
    }
    return next(kind for word, kind in words.items() if word in reason) if reason else ""


def judge_night(quality: pd.DataFrame, settings: QualitySettings | None = None) -> Verdict:
    """Judge whether a night can be used.

    The verdict depends on the table alone. A saved night gives the same verdict again, and no name, date or
    condition can influence it.

    Parameters
    ----------
    quality : pandas.DataFrame
        Table `QUALITY`.
    settings : QualitySettings, optional

    Returns
    -------
    Verdict
        Reject if the best EEG derivation is usable in under `min_usable_fraction` of the epochs, or for
        less than `min_usable_h` of a recording of `min_night_h` or more. Caution for an excerpt, much set
        aside, gaps, mains, implausible amplitude, disagreement in gain, and a lost EOG or EMG. The reason
        of a usable night names its best derivation and how much of it is usable.

    Examples
    --------
    >>> es.judge_night(night.quality).verdict  # it lasts 1.5 h only
    'caution'
    """
    s = settings or QualitySettings()
    channels = dict(tuple(quality.groupby("channel", sort=False)))
    eeg = {label: rows for label, rows in channels.items() if (rows["role"] == "eeg").all()}
    if not eeg:
        return Verdict("reject", ("There is no EEG derivation.",))
    best = max(eeg, key=lambda label: eeg[label]["usable"].mean())
    share, usable_h = eeg[best]["usable"].mean(), eeg[best]["usable"].sum() * EPOCH_S / 3600
    recorded_h = len(eeg[best]) * EPOCH_S / 3600
    fatal = []
    if share < s.min_usable_fraction:
        fatal.append(f"The best EEG derivation, {best}, is usable in only {100 * share:.3g} % of the epochs.")
    elif recorded_h >= s.min_night_h and usable_h < s.min_usable_h:
        fatal.append(f"Only {usable_h:.1f} h are usable; a night needs {s.min_usable_h:g} h, two cycles of sleep.")
    cautions = []
    if recorded_h < s.min_night_h:
        cautions.append(
            f"An excerpt of {recorded_h:.1f} h; automatic stages were trained on whole nights and are less sure."
        )
    missing_min = quality.groupby("epoch")["nonfinite_fraction"].min().sum() * EPOCH_MIN
    if missing_min > s.max_gap_min:
        cautions.append(
            f"{missing_min:.0f} min are missing in all channels; latencies and wake may be wrong by as much."
        )
    for label, rows in channels.items():
        cautions += _describe_channel_faults(label, rows, s)
    cautions += _describe_gain_changes(eeg, s)
    if fatal or cautions:
        return Verdict("reject" if fatal else "caution", (*fatal, *cautions))
    return Verdict("usable", (f"{best} is usable in {100 * share:.3g} % of {recorded_h:.1f} h.",))


def _describe_channel_faults(label: str, rows: pd.DataFrame, s: QualitySettings) -> list[str]:
    """Return a sentence for each fault of one channel over the night."""
    role, bad, good = rows["role"].iloc[0], rows[~rows["usable"]], rows[rows["usable"]]
    cautions = []
    limit = s.good_usable_fraction if role == "eeg" else s.min_usable_fraction
    if len(good) < limit * len(rows):
        why = ", ".join(f"{reason} ({n})" for reason, n in bad["reason"].value_counts().items())
        lost = "" if role == "eeg" else f"; the {role.upper()} is as good as lost"
        cautions.append(f"{label}: {100 * len(bad) / len(rows):.3g} % of the epochs were set aside{lost}: {why}.")
    if role != "eeg" or good.empty:
        return cautions
    humming = (good["mains_uv"] > s.max_mains_uv).mean()
    if humming > s.max_fault_fraction:
        size_uv = good.loc[good["mains_uv"] > s.max_mains_uv, "mains_uv"].median()
        cautions.append(
            f"{label}: mains hum of {size_uv:.0f} µV in {100 * humming:.3g} % of the usable epochs; it is filtered "
            "out, but is a sign of a poor contact."
        )
    rms_uv = good["rms_uv"].median()
    if not s.plausible_rms_uv[0] <= rms_uv <= s.plausible_rms_uv[1]:
        cautions.append(f"{label}: a usual size of {rms_uv:.3g} µV is unlike an EEG; check unit and gain.")
    return cautions


def _describe_gain_changes(eeg: dict[str, pd.DataFrame], s: QualitySettings) -> list[str]:
    """Return a sentence for each derivation whose gain changed against the others; two share one sentence."""
    cautions = []
    for label, rows in list(eeg.items())[: 1 if len(eeg) == 2 else None]:
        change = np.exp(np.abs(np.log(rows["relative_gain"])))
        off = (change > s.max_gain_ratio).mean()
        if off > s.max_fault_fraction:
            others = [other for other in eeg if other != label]
            against = others[0] if len(others) == 1 else "the other derivations"
            cautions.append(
                f"The size of {label} against {against} changes up to {change.max():.1f}-fold and is off for "
                f"{off * len(rows) * EPOCH_MIN:.0f} min: a contact or gain changed, and slow-wave counts with it."
            )
    return cautions


def _measure_channel(recording: Recording, label: str, settings: QualitySettings) -> pd.DataFrame:
    """Return the rows of table `QUALITY` of one channel, and the columns from which gain is compared."""
    n_epochs, role = recording.n_epochs, recording.roles[label]
    epochs = cut_epochs(recording.signal(label), n_epochs)
    blocks = [_measure_epochs(epochs[first : first + _BLOCK_EPOCHS]) for first in range(0, n_epochs, _BLOCK_EPOCHS)]
    measured = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    second_ptp, share = measured.pop("second_ptp"), 1.0 - measured["nonfinite_fraction"]
    moving = _movement_fraction(second_ptp, share, settings)
    frame = pd.DataFrame({**measured, "movement_fraction": moving, **_at_recorded_rate(recording, label, settings)})
    frame.loc[share == 0, frame.columns.drop("nonfinite_fraction")] = np.nan
    epoch = np.arange(n_epochs)
    frame = frame.assign(epoch=epoch, onset_s=EPOCH_S * epoch, channel=label, role=role)
    frame["reason"] = _reasons(frame, settings, is_eeg=role == "eeg")
    frame["usable"] = frame["reason"] == ""
    frame["usable_at_level"] = frame["usable"]
    if role == "eeg":
        relative = _limits_at_level(frame, settings)
        moving = _movement_fraction(second_ptp, share, relative)
        frame["usable_at_level"] = _reasons(frame.assign(movement_fraction=moving), relative, is_eeg=True) == ""
    return frame.drop(columns=["second_rms_uv", "eeg_band_uv", "humming", "level_uv"])


def _measure_epochs(epochs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the sizes of some epochs, each of shape (n_epochs,); the range of each second, (n_epochs, 30)."""
    present = np.isfinite(epochs)
    # Missing samples are replaced by the mean of the epoch. It is set aside because samples are missing, and should
    # not look like movement as well.
    known = epochs if present.all() else np.where(present, epochs, 0.0)
    centred = known - known.sum(axis=1, keepdims=True) / np.maximum(present.sum(axis=1, keepdims=True), 1)
    centred[~present] = 0.0
    seconds = centred.reshape(len(epochs), _SECONDS, -1)
    bands_uv = _band_rms(centred, (25.0, 45.0), GAIN_BAND_HZ, (0.5, 30.0), LEVEL_BAND_HZ)
    return {
        "rms_uv": np.sqrt((centred**2).mean(axis=1)),
        "ptp_uv": np.ptp(centred, axis=1),
        "nonfinite_fraction": 1.0 - present.mean(axis=1),
        "drift_uv": np.ptp(seconds.mean(axis=2), axis=1),
        "second_rms_uv": np.sqrt(seconds.var(axis=2).mean(axis=1)),
        **dict(zip(("high_frequency_uv", "gain_band_uv", "eeg_band_uv", "level_uv"), bands_uv, strict=True)),
        "second_ptp": np.ptp(seconds, axis=2),
    }


def _limits_at_level(frame: pd.DataFrame, settings: QualitySettings) -> QualitySettings:
    """Return the settings with the limits on the size of an EEG in multiples of this channel's own level.

    The level is the RMS of 4-30 Hz in the median epoch of those that are neither missing, nor flat, nor clipped, all
    of which do not depend on gain.
    """
    recorded = (frame["nonfinite_fraction"] == 0) & (frame["flat_fraction"] <= settings.max_lost_fraction)
    recorded &= (frame["clipped_fraction"] <= settings.max_clipped_fraction) & (frame["level_uv"] > 0)
    if not recorded.any():
        return settings
    size = float(frame.loc[recorded, "level_uv"].median()) / USUAL_LEVEL_UV
    names = ("max_ptp_uv", "burst_uv", "max_high_frequency_uv", "min_rms_uv", "contact_drift_uv")
    return replace(settings, **{name: size * getattr(settings, name) for name in names})


def _movement_fraction(second_ptp: np.ndarray, share: np.ndarray, settings: QualitySettings) -> np.ndarray:
    """Return the share of seconds whose range is far above that of the minutes around."""
    usual = pd.Series(np.median(second_ptp, axis=1)).where(share == 1)
    usual = usual.rolling(BURST_EPOCHS, center=True, min_periods=1).median().to_numpy()
    return (second_ptp > np.fmax(settings.burst_uv, settings.burst_ratio * usual)[:, None]).mean(axis=1)


def _band_rms(epochs: np.ndarray, *bands_hz: tuple[float, float]) -> list[np.ndarray]:
    """Return the RMS of each band in each epoch, from its periodogram (Parseval)."""
    from scipy import fft

    # Single precision halves the time and errs by less than a thousandth of a microvolt.
    spectrum = fft.rfft(epochs.astype(np.float32), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    frequency_hz = fft.rfftfreq(epochs.shape[1], 1 / ANALYSIS_RATE_HZ)
    found = []
    for low_hz, high_hz in bands_hz:
        start, stop = np.searchsorted(frequency_hz, low_hz), np.searchsorted(frequency_hz, high_hz, side="right")
        found.append(np.sqrt(2 * power[:, start:stop].sum(axis=1, dtype=float)) / epochs.shape[1])
    return found


def _at_recorded_rate(recording: Recording, label: str, s: QualitySettings) -> dict[str, np.ndarray]:
    """Return flat and clipped shares and mains of each epoch, measured at the recorded rate.

    Resampling rounds plateaus off and leaves a trace of mains everywhere, so that no signal would look dead.
    """
    signals = signals_of(recording)
    samples, rate_hz, n_epochs = signals.channel(label), float(signals.rate_hz), recording.n_epochs
    # A recorder's clock may tick 256.03 times a second, so epochs need not begin evenly.
    edges = np.minimum(np.round(np.arange(n_epochs + 1) * EPOCH_S * rate_hz).astype(int), samples.size)
    at = np.flatnonzero(_held(samples, s.railed_uv * 1e-6))
    held = np.diff(np.searchsorted(at, edges)) / np.maximum(np.diff(edges), 1)
    second = int(rate_hz)
    starts = np.minimum(edges[:-1], samples.size - _SECONDS * second)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _SECONDS * second)
    blocks = [
        _measure_seconds(windows[starts[first : first + _BLOCK_EPOCHS]], rate_hz, s)
        for first in range(0, n_epochs, _BLOCK_EPOCHS)
    ]
    flat, railed, mains_uv, humming = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return {
        "flat_fraction": flat,
        "clipped_fraction": np.maximum(held, railed),
        "mains_uv": mains_uv,
        "humming": humming,
    }


def _measure_seconds(epochs_v: np.ndarray, rate_hz: float, s: QualitySettings) -> tuple[np.ndarray, ...]:
    """Return shares of flat and of railed seconds, mains in µV and the share of it over the limit, of some epochs."""
    pieces = np.empty((len(epochs_v), _SECONDS, int(rate_hz)), np.float32)
    np.multiply(epochs_v.reshape(pieces.shape), 1e6, out=pieces, casting="same_kind")
    with np.errstate(invalid="ignore"):  # a missing sample
        centred = pieces - pieces.mean(axis=2, keepdims=True)
        still = np.sqrt(np.einsum("est,est->es", centred, centred) / int(rate_hz)) < s.flat_uv
        railed = still & (np.abs(pieces[:, :, 0]) >= s.railed_uv)
    mains_uv, humming = _mains_uv(pieces.reshape(len(pieces), _SECONDS // 2, -1), rate_hz, s.contact_mains_uv)
    return still.mean(axis=1), railed.mean(axis=1), mains_uv, humming


def _held(samples: np.ndarray, railed_v: float) -> np.ndarray:
    """Return which samples repeat the channel's largest or smallest value."""
    held = np.zeros(samples.size, dtype=bool)
    # fmin and fmax ignore missing samples, and return NaN where all are missing.
    rails = {np.fmin.reduce(samples), np.fmax.reduce(samples)}
    if len(rails) == 1 and not max(abs(rail) for rail in rails) >= railed_v:
        return held  # one value near zero all night: shorted or unplugged, which counts as flat, not clipped
    for rail in rails:
        at_rail = samples == rail
        held[1:] |= at_rail[1:] & at_rail[:-1]
    return held


def _mains_uv(windows: np.ndarray, rate_hz: float, limit_uv: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the amplitude in µV of the stronger mains line in each epoch, and the share of it over a limit.

    Both are NaN or 0 where the sampling rate is too low. In windows of 2 s, shape (n_epochs, 15, n_samples), a line
    whose frequency differs by 0.1 % stays in one bin. The level 4 Hz to either side, which is muscle, is subtracted.
    """
    powers = []
    for line_hz in (line_hz for line_hz in MAINS_HZ if line_hz < rate_hz / 2 - 1):
        sides = [hz for hz in (line_hz - 4, line_hz + 4) if hz < rate_hz / 2 - 1]
        power = _line_power(windows, [line_hz, *sides], rate_hz)
        powers.append(power[..., 0] - power[..., 1:].mean(axis=-1))
    power = np.maximum.reduce(powers) if powers else np.full(windows.shape[:2], np.nan)
    known = np.isfinite(power)
    total = np.maximum(np.where(known, power, 0.0).sum(axis=1), 0.0)
    mains_uv = np.where(known.any(axis=1), np.sqrt(total / np.maximum(known.sum(axis=1), 1)), np.nan)
    return mains_uv, (np.where(known, power, 0.0) > limit_uv**2).mean(axis=1)


def _line_power(windows: np.ndarray, lines_hz: list[float], rate_hz: float) -> np.ndarray:
    """Return the squared amplitude of each frequency in each window; NaN where a sample is missing."""
    time_s = np.arange(windows.shape[-1]) / rate_hz
    taper = np.hanning(time_s.size + 1)[:-1]
    waves = np.exp(-2j * np.pi * np.outer(time_s, lines_hz)) * (2 * taper / taper.sum())[:, None]
    waves -= waves.mean(axis=0)  # takes out the offset, which may be a thousand times the EEG
    with np.errstate(invalid="ignore"):
        return (windows @ waves.real.astype(np.float32)) ** 2 + (windows @ waves.imag.astype(np.float32)) ** 2


def _relative_gain(table: pd.DataFrame) -> np.ndarray:
    """Return the size of each EEG against the others over ten minutes, divided by its usual value.

    It is NaN where there is only one EEG. Sleep changes all derivations together, a drying electrode only one. The
    epochs stay usable, because frequencies and times do not depend on gain and a drift has no first epoch.
    """
    labels = list(dict.fromkeys(table["channel"]))
    eeg = list(dict.fromkeys(table.loc[table["role"] == "eeg", "channel"]))
    if len(eeg) < 2:
        return np.full(len(table), np.nan)
    size = np.log(table["gain_band_uv"].where(table["usable"] & (table["gain_band_uv"] > 0)))
    size = pd.DataFrame(size.to_numpy().reshape(len(labels), -1).T, columns=labels)[eeg]
    # Of two, each is compared with the other; of more, with the median, which one bad electrode cannot move.
    others = size[eeg[::-1]].to_numpy() if len(eeg) == 2 else size.median(axis=1).to_numpy()[:, None]
    ratio = size - others
    smooth = ratio.rolling(GAIN_EPOCHS, center=True, min_periods=GAIN_EPOCHS // 4).median()
    return np.exp(smooth - ratio.median()).reindex(columns=labels).to_numpy().T.ravel()


def _reasons(frame: pd.DataFrame, s: QualitySettings, *, is_eeg: bool) -> np.ndarray:
    """Return the first reason why each epoch is not usable, or an empty string."""
    rules = [
        (frame["nonfinite_fraction"] > 0, "samples missing"),
        (frame["clipped_fraction"] > s.max_clipped_fraction, "clipped at the end of range"),
        (frame["flat_fraction"] > s.max_lost_fraction, "flat"),
    ]
    if is_eeg:
        mains, rms = frame["mains_uv"], frame["second_rms_uv"]
        # pandas before 3 warns of a median of nothing
        usual_mains, usual_rms = (x.median() if x.notna().any() else np.nan for x in (mains, rms))
        aerial = (frame["humming"] > s.max_lost_fraction) & (mains > s.contact_mains_ratio * usual_mains)
        adrift = (frame["drift_uv"] > s.contact_drift_uv) & (rms < s.contact_rms_ratio * usual_rms)
        rules += [
            (frame["eeg_band_uv"] < s.min_rms_uv, "no signal above an amplifier's noise"),
            (aerial | adrift, "contact lost"),
            (frame["ptp_uv"] > s.max_ptp_uv, f"swings over {s.max_ptp_uv:g} µV"),
            (frame["movement_fraction"] > s.max_lost_fraction, "movement"),
            (frame["high_frequency_uv"] > s.max_high_frequency_uv, "high-frequency noise"),
        ]
    return np.select([rule.to_numpy() for rule, _ in rules], [reason for _, reason in rules], default="")
