"""XDF files of LabRecorder (Lab Streaming Layer), by pyxdf, which is installed as an extra."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from eegsleep.errors import RecordingError, describe_error
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import clean_text
from eegsleep.recording.text.column import make_column
from eegsleep.recording.text.open import make_source
from eegsleep.recording.text.rows import Rows
from eegsleep.recording.text.table import repaired

if TYPE_CHECKING:
    from pathlib import Path

    from eegsleep.recording.source import Source

MAGIC = b"XDF:"
_UNITS = {"microvolts": "uV", "microvolt": "uV", "millivolts": "mV", "volts": "V", "volt": "V", "nanovolts": "nV"}


def open_xdf(path: Path) -> Source:
    """Read the EEG stream of an XDF file and place its samples on a regular grid.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If pyxdf is not installed, or the file holds no EEG stream, or several.
    """
    try:
        import pyxdf
    except ImportError as error:
        raise RecordingError(
            f"{path.name} is an XDF file, which needs the package pyxdf",
            found="pyxdf is not installed",
            remedy='install it with: pip install "eegsleep[xdf]"',
        ) from error
    try:
        streams, header = pyxdf.load_xdf(str(path), dejitter_timestamps=False, verbose=False)
    except Exception as error:  # pyxdf raises errors of every kind for broken files
        raise RecordingError(
            f"{path.name} cannot be read as XDF",
            found=clean_text(describe_error(error)),
            remedy="copy it again; LabRecorder must have been stopped before",
        ) from error
    stream = _choose_stream(path, streams)
    return make_source(path, [path], "XDF", _make_rows(path, stream, header, streams))


def _choose_stream(path: Path, streams: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one stream of EEG that holds samples."""
    eeg = [s for s in streams if _first(s["info"], "type").casefold() == "eeg" and len(s["time_stamps"])]
    if len(eeg) == 1:
        return eeg[0]
    names = [f"{clean_text(_first(s['info'], 'name'))} ({clean_text(_first(s['info'], 'type'))})" for s in streams]
    raise RecordingError(
        f"{path.name} holds no stream of EEG" if not eeg else f"{path.name} holds {len(eeg)} streams of EEG",
        found=", ".join(names)[:200] or "no stream",
        allowed="one stream of type EEG",
        remedy="record the EEG stream alone with LabRecorder, or export it as EDF",
    )


def _make_rows(path: Path, stream: dict[str, Any], header: dict[str, Any], streams: list[dict[str, Any]]) -> Rows:
    import numpy as np

    info, samples = stream["info"], np.asarray(stream["time_series"])
    rate_hz = float(_first(info, "nominal_srate") or 0)
    if samples.ndim != 2 or samples.dtype.kind not in "fiu" or not 50 <= rate_hz <= 16000:
        raise RecordingError(
            f"the EEG stream of {path.name} is not sampled regularly",
            found=f"a nominal rate of {rate_hz:g} Hz",
            allowed="numbers at 50 Hz and more",
            remedy="export it as EDF from the program of your device",
        )
    labels, units = _describe_channels(info, samples.shape[1])
    unit = units[0]
    kept = [i for i, other in enumerate(units) if other == unit]
    faults = [repaired("foreign-format", "the streams were read by pyxdf")]
    others = [clean_text(_first(s["info"], "name")) for s in streams if s is not stream]
    if others:
        faults.append(repaired("columns-skipped", f"streams that are no EEG are left out: {', '.join(others)}"))
    if len(kept) < len(labels):
        left = ", ".join(label for i, label in enumerate(labels) if i not in kept)
        faults.append(repaired("columns-skipped", f"channels in another unit are left out: {left}"))
    stamps_s = np.asarray(stream["time_stamps"], dtype=float)
    started = _read_start(header)
    return Rows(
        [labels[i] for i in kept],
        [make_column([samples[:, i]]) for i in kept],
        stamps_s,
        (rate_hz,),
        unit,
        stamp_kind="unix",
        to_local_s=None if started is None else started - float(stamps_s[0]),
        faults=faults,
        rate_remedy="the stamps do not fit the nominal rate of the stream: record again",
        identity=f"{_first(info, 'name')} {_first(info, 'source_id')}",
    )


def _describe_channels(info: dict[str, Any], n_channels: int) -> tuple[list[str], list[str]]:
    """Return labels and units; numbers and no unit where the stream describes none."""
    try:
        entries = info["desc"][0]["channels"][0]["channel"]
    except (KeyError, IndexError, TypeError):
        entries = []
    if len(entries) != n_channels:
        return [f"EEG {i + 1}" for i in range(n_channels)], [""] * n_channels
    labels = unique_labels([_first(entry, "label") for entry in entries])
    units = [_first(entry, "unit") for entry in entries]
    return labels, [_UNITS.get(unit.casefold(), unit) for unit in units]


def _first(entry: dict[str, Any], key: str) -> str:
    """Return a field of a stream's description, which is a list of one text."""
    value = entry.get(key) if isinstance(entry, dict) else None
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, str) else ""


def _read_start(header: dict[str, Any]) -> float | None:
    """Return the local time at which the file was begun, in seconds since 1970; the stamps are of another clock."""
    try:
        written = _first(header["info"], "datetime")
        moment = datetime.fromisoformat(written).replace(tzinfo=None)
    except (KeyError, ValueError):
        return None
    return (moment - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 - naive local time
