"""Signals in memory, from an mne Raw or an array, as a `Source`: the rules for files then hold for them, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.channels.labels import guess_role, unique_labels
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.limits import MAX_DURATION_S, is_plausible_start
from eegsleep.recording.source import Source, SourceChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import mne
    import numpy as np

    from eegsleep.recording.assemble import Assembled

# The types of channel that mne keeps in volts.
_VOLTAGES = {"eeg", "eog", "emg", "ecg", "bio"}
# What needs the signal up to a frequency, or from one on, in Hz. A filter that was applied before cuts it off, and
# nothing in the signal tells that from sleep without it.
_NEEDED_UP_TO_HZ = {
    60.0: "line noise (50 and 60 Hz)",
    45.0: "muscle in the EEG (25–45 Hz) and the tone of the chin",
    30.0: "sleep stages and the aperiodic exponent (up to 30 Hz)",
    16.0: "spindles (sigma, up to 16 Hz)",
}
_NEEDED_FROM_HZ = {
    0.3: "slow oscillations (from 0.3 Hz)",
    0.5: "slow-wave activity and sleep stages (from 0.5 Hz)",
    11.0: "spindles (sigma, from 11 Hz)",
}
_UNFILTERED = "give the signal unfiltered"


def open_raw(raw: object, name: str, wanted: Sequence[str]) -> Source:
    """Return an mne Raw as a source.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        Not changed. Channels in `raw.info["bads"]` are left out unless they are in `wanted`; what annotations that
        begin with BAD mark counts as not recorded.
    name : str
        For messages.
    wanted : sequence of str
        Labels that the user named.

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If it is no Raw, or too long.
    """
    import mne

    if not isinstance(raw, mne.io.BaseRaw):
        raise RecordingError(
            "Recording.from_raw needs a Raw of mne",
            found=f"an object of type {type(raw).__name__}",
            allowed="mne.io.BaseRaw, as mne.io.read_raw returns it",
            remedy="give a file to read_recording, and an array to Recording.from_array",
        )
    labels, types, rate_hz = unique_labels(raw.ch_names), raw.get_channel_types(), float(raw.info["sfreq"])
    bads = [label for label, known in zip(labels, raw.ch_names, strict=True) if known in raw.info["bads"]]
    left_out = [label for label in bads if not any(label in text for text in wanted)]
    onsets_s = raw.annotations.onset - raw.first_time  # mne counts them from before a raw was cropped
    spans = list(zip(map(float, onsets_s), map(float, raw.annotations.duration), strict=True))
    texts = [clean_text(text) for text in raw.annotations.description]

    def load(names: Sequence[str]) -> list[np.ndarray]:
        picks = [labels.index(label) for label in names]
        return list(raw.get_data(picks=picks, reject_by_annotation="NaN", verbose="ERROR"))

    faults = [*_find_edges(raw.info["lowpass"], raw.info["highpass"], rate_hz), *_find_marked(left_out, spans, texts)]
    start = raw.info["meas_date"]
    return _make_source(
        name,
        f"mne: {type(raw).__name__}",
        tuple(
            SourceChannel(label, rate_hz, "V" if kind in _VOLTAGES else "")
            for label, kind in zip(labels, types, strict=True)
            if label not in left_out
        ),
        _add_s(start.replace(tzinfo=None), raw.first_time) if start is not None else None,
        raw.n_times / rate_hz,
        load,
        tuple((onset_s, duration_s, text) for (onset_s, duration_s), text in zip(spans, texts, strict=True)),
        faults,
    )


def open_array(
    data_uv: object,
    rate_hz: object,
    channels: Sequence[str],
    name: str,
    *,
    lowpass_hz: float | None = None,
    highpass_hz: float | None = None,
) -> Source:
    """Return an array of signals in µV as a source.

    Parameters
    ----------
    data_uv : array-like, shape (n_channels, n_samples)
        In µV; NaN where nothing was recorded.
    rate_hz : float
        Samples a second.
    channels : sequence of str
        A label for each row.
    name : str
        For messages.
    lowpass_hz, highpass_hz : float, optional
        Filters that were applied before.

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If the array, its rate or its labels cannot be a recording.
    """
    import numpy as np

    try:
        data, rate = np.asarray(data_uv, dtype=float), float(rate_hz)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise RecordingError("the signals and their rate must be numbers", found=str(error)) from error
    names = [channels] if isinstance(channels, str) else list(channels)
    if data.ndim != 2 or len(data) != len(names) or any(not isinstance(label, str) for label in names):
        raise RecordingError(
            "the array does not have one row a channel",
            found=f"shape {data.shape} and {len(names)} labels",
            allowed="shape (n_channels, n_samples), and a label for each row",
            remedy="give data_uv.T" if data.ndim == 2 and data.shape[1] == len(names) else "",
        )
    if not (np.isfinite(rate) and rate > 0) or not data.size:
        raise RecordingError("there is no signal", found=f"{data.shape[1]} samples at {rate:g} Hz")
    data = np.where(np.isfinite(data), data, np.nan)
    labels = unique_labels(names)
    return _make_source(
        name,
        "array",
        tuple(SourceChannel(label, rate, "uV") for label in labels),
        None,
        data.shape[1] / rate,
        lambda wanted: [data[labels.index(label)] for label in wanted],
        (),
        _find_edges(lowpass_hz, highpass_hz, rate),
    )


def typed_channels(raw: mne.io.BaseRaw) -> dict[str, str]:
    """Return an eye and a chin channel by the types that mne gives, where no label names one.

    Parameters
    ----------
    raw : mne.io.BaseRaw

    Returns
    -------
    dict of str to str
        Role (eog, emg) to label. Type `eeg` is not used: mne gives it to every channel of an EDF.
    """
    labels, types = unique_labels(raw.ch_names), raw.get_channel_types()
    found = {}
    for role in ("eog", "emg"):
        typed = [label for label, kind in zip(labels, types, strict=True) if kind == role]
        if typed and not any(guess_role(label) == role for label in labels):
            found[role] = typed[0]
    return found


def check_scale(assembled: Assembled, units: Mapping[str, str] | None) -> None:
    """Raise if the amplitude is not that of any EEG, unless the user named the unit.

    A file that cannot be mended is read and its amplitude reported; here the caller holds the numbers.

    Parameters
    ----------
    assembled : Assembled
    units : mapping of str to str, or None

    Raises
    ------
    RecordingError
        With the factor that would mend it.
    """
    for fault in assembled.faults:
        if fault.code == "amplitude" and not units:
            raise RecordingError(
                f"the scale of {fault.channel} is not that of an EEG: {fault.message}",
                found=fault.value,
                allowed="volts in a Raw of mne, microvolts in an array",
                remedy=f'multiply the numbers by what is missing, or name their unit with units={{"{fault.channel}": '
                '"uV"}; a unit that you name is used as it is',
            )


def in_python(error: RecordingError) -> RecordingError:
    """Return an error with the arguments of functions in place of the options of commands."""
    remedy = re.sub(r"--(\w+) (\"[^\"]*\"|[A-Z]+)", r"\1=\2", error.remedy)
    remedy = re.sub(r"--(\w+)", r"\1=", remedy)
    changed = type(error)(error.problem, found=error.found, allowed=error.allowed, remedy=remedy)
    changed.faults = error.faults
    return changed


def _make_source(
    name: str,
    kind: str,
    channels: tuple[SourceChannel, ...],
    start: datetime | None,
    duration_s: float,
    load: Callable[[Sequence[str]], list[np.ndarray]],
    annotations: tuple[tuple[float, float, str], ...],
    faults: Sequence[Fault],
) -> Source:
    if not 0 < duration_s <= MAX_DURATION_S:
        raise RecordingError(f"{name} is no night", found=f"{duration_s / 3600:.4g} h", allowed="up to 72 h")
    said = f"the signals were given in memory ({kind}), not as a file; what a file says of itself could not be checked"
    return Source(
        path=Path(name),
        files=(),
        kind=kind,
        channels=channels,
        start=start if start is not None and is_plausible_start(start) else None,
        duration_s=duration_s,
        load=load,
        annotations=annotations,
        faults=(Fault("in-memory", "repaired", said), *faults),
    )


def _add_s(moment: datetime, seconds: float) -> datetime:
    from datetime import timedelta

    return moment + timedelta(seconds=float(seconds))


def _find_edges(lowpass_hz: float | None, highpass_hz: float | None, rate_hz: float) -> list[Fault]:
    """Return a fault for each filter that cuts off what a check or a measure needs; it names what is cut off.

    mne gives half the rate as the low-pass of a signal that was not filtered.
    """
    faults = []
    low, high = lowpass_hz or rate_hz / 2, highpass_hz or 0.0
    cut = [what for hz, what in _NEEDED_UP_TO_HZ.items() if low < hz and low < 0.99 * rate_hz / 2]
    if cut:
        said = f"a low-pass of {low:g} Hz was applied before; it cuts off what is needed for {', '.join(cut)}"
        faults.append(
            Fault("low-pass", "needs the user", said, value=f"{low:g} Hz", remedy="give the signal unfiltered")
        )
    cut = [what for hz, what in _NEEDED_FROM_HZ.items() if high > hz]
    if cut:
        said = f"a high-pass of {high:g} Hz was applied before; it cuts off what is needed for {', '.join(cut)}"
        faults.append(Fault("high-pass", "needs the user", said, value=f"{high:g} Hz", remedy=_UNFILTERED))
    return faults


def _find_marked(left_out: Sequence[str], spans: Sequence[tuple[float, float]], texts: Sequence[str]) -> list[Fault]:
    """Return faults for channels and times that the user marked bad in mne."""
    faults = []
    if left_out:
        said = f"marked bad in raw.info, and left out: {', '.join(left_out)}"
        faults.append(Fault("marked-bad", "repaired", said, remedy="name one with eeg= to use it all the same"))
    marked_s = sum(duration_s for (_, duration_s), text in zip(spans, texts, strict=True) if _is_bad(text))
    if marked_s:
        said = f"{marked_s / 60:.3g} min are annotated as BAD, and count as not recorded"
        faults.append(Fault("marked-bad", "repaired", said))
    return faults


def _is_bad(text: str) -> bool:
    return text.casefold().startswith("bad")
