"""HDF5 files of Dreem: the head band's export, and the Dreem Open Datasets; read by h5py, an extra.

Two layouts are known, by description and from public code that reads them: `signals/<kind>/<label>` with the attribute
`fs` (Dreem Open Datasets, doi:10.1109/TNSRE.2020.3011181), and one group for each derivation with the raw signal in it,
`eeg1/raw` (the head band, since July 2021).
"""

from __future__ import annotations

from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from eegsleep.errors import RecordingError, describe_error
from eegsleep.recording.channels.labels import unique_labels
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.limits import MAX_DURATION_S
from eegsleep.recording.source import Source, SourceChannel
from eegsleep.recording.text.time_stamps import UTC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

MAGIC = b"\x89HDF\r\n\x1a\n"
_HEADBAND_RATE_HZ = 250.0
_REMEDY = "export the night as EDF"


def open_hdf5(path: Path) -> Source:
    """Open an HDF5 file of one of the two layouts of Dreem; no signal is read yet.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If h5py is not installed, or the file has another layout.
    """
    try:
        import h5py
    except ImportError as error:
        raise RecordingError(
            f"{path.name} is an HDF5 file, which needs the package h5py",
            found="h5py is not installed",
            remedy='install it with: pip install "eegsleep[h5]"',
        ) from error
    try:
        with h5py.File(path, "r") as file:
            places = _find_signals(file)
            found = [(place, label, *_describe(file, place)) for place, label in places]
            start, faults = _find_start(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise RecordingError(
            f"{path.name} cannot be read as HDF5", found=clean_text(describe_error(error)), remedy="copy it again"
        ) from error
    if not found:
        raise RecordingError(
            f"{path.name} has no layout that is known",
            allowed="signals/<kind>/<label> (Dreem Open Datasets) or eeg1/raw (Dreem head band)",
            remedy=_REMEDY,
        )
    labels = unique_labels([label for _, label, *_ in found])
    durations = [size / rate for _, _, size, rate, _ in found]
    if not 0 < min(durations) <= max(durations) <= MAX_DURATION_S or max(durations) - min(durations) > 1:
        raise RecordingError(
            f"the signals of {path.name} are not of one night",
            found=f"{min(durations) / 3600:.4g} to {max(durations) / 3600:.4g} h",
            allowed="signals of one length, up to 72 h",
            remedy=_REMEDY,
        )
    duration_s = min(durations)
    by_label = {label: (entry[0], entry[3]) for label, entry in zip(labels, found, strict=True)}

    def load(wanted: Sequence[str]) -> list[np.ndarray]:
        with h5py.File(path, "r") as file:
            return [
                file[by_label[label][0]][: round(duration_s * by_label[label][1])].astype(float) for label in wanted
            ]

    channels = [SourceChannel(label, rate, unit) for label, (_, _, _, rate, unit) in zip(labels, found, strict=True)]
    return Source(
        path=path,
        files=(path,),
        kind="Dreem HDF5",
        channels=tuple(channels),
        start=start,
        duration_s=duration_s,
        load=load,
        identity="Dreem",
        faults=tuple(faults),
    )


def _find_signals(file: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - h5py has no types
    """Return place and label of every signal."""
    if "signals" in file:
        return [
            (f"signals/{kind}/{label}", label)
            for kind in file["signals"]
            if hasattr(file["signals"][kind], "keys")
            for label in file["signals"][kind]
        ]
    groups = [name for name in file if name.startswith("eeg") and hasattr(file[name], "keys") and "raw" in file[name]]
    return [(f"{name}/raw", _text(file[name].attrs.get("name")) or name) for name in groups]


def _describe(file: Any, place: str) -> tuple[int, float, str]:  # noqa: ANN401
    """Return the size, rate and unit of a signal; attributes may be on it or on its group."""
    signal = file[place]
    group = file[place.rpartition("/")[0]]
    rate = next((float(g.attrs["fs"]) for g in (signal, group) if "fs" in g.attrs), _HEADBAND_RATE_HZ)
    unit = next((_text(g.attrs[key]) for g in (signal, group) for key in ("unit", "units") if key in g.attrs), "")
    if signal.ndim != 1 or not 1 <= rate <= 16000:
        raise ValueError(f"{place} is no signal")
    return int(signal.shape[0]), rate, unit


def _find_start(file: Any) -> tuple[datetime | None, list[Fault]]:  # noqa: ANN401
    """Return the start; it is in UTC, and local if the file names its difference."""
    written = file.attrs.get("start_time")
    if written is None:
        return None, []
    moment = datetime.fromtimestamp(float(written), UTC_ZONE).replace(tzinfo=None)
    offset = file.attrs.get("timezone_offset")
    return (moment, [UTC]) if offset is None else (moment + timedelta(seconds=float(offset)), [])


def _text(value: object) -> str:
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return clean_text(value) if isinstance(value, str) else ""
