"""From a file of any format to a `Recording`: the channels asked for, in volts, at known times."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError, describe_error
from eegsleep.recording.asked import as_path, check_asked
from eegsleep.recording.assemble import assemble_source
from eegsleep.recording.containers import hdf5, xdf
from eegsleep.recording.edf.header import HeaderRefusedError, is_edf
from eegsleep.recording.edf.open import open_edf
from eegsleep.recording.edf.zmax_folder import open_folder
from eegsleep.recording.parts import are_one_night, list_parts, open_parts
from eegsleep.recording.pieces import memory_refused
from eegsleep.recording.recording import Recording, check_unchanged, make_id
from eegsleep.recording.text.open import open_text, sniff_text
from eegsleep.recording.through_mne.open import SUFFIXES, open_foreign
from eegsleep.recording.wfdb.header import is_wfdb_header
from eegsleep.recording.wfdb.record import open_wfdb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from eegsleep.recording.source import Source

logger = logging.getLogger(__name__)


def read_recording(
    path: str | Path,
    *,
    eeg: Sequence[str] | None = None,
    eog: str | None = None,
    emg: str | None = None,
    units: Mapping[str, str] | None = None,
    device: str | None = None,
    start: datetime | None = None,
    invert: Sequence[str] | None = None,
) -> Recording:
    """Read the EEG derivations, EOG and EMG of an overnight recording.

    Parameters
    ----------
    path : path
        EDF, EDF+ or BDF, also gzipped; a ZMax folder; text of Muse, Mind Monitor, BrainBit or OpenBCI; a folder
        with the pieces of one recording, whose times continue; the header of a WFDB record; or BrainVision (.vhdr,
        .ahdr), EEGLAB (.set), .cnt, .gdf and .nedf, which mne reads. Except for these last, the content of a file
        decides what it is, not its name.
    eeg : sequence of str, optional
        Labels of the derivations to use, most trusted first; `C4-M1` may be a channel, or made from
        channels `C4` and `M1`. By default the device preset chooses up to two.
    eog, emg : str, optional
        Labels of an eye and a chin channel. By default chosen by the preset; an EMG that is only an
        envelope is left out.
    units : mapping of str to str, optional
        Unit of a channel by label, where the file gives none, an unknown one, or a wrong one.
    device : str, optional
        Name of a device preset; by default recognised from header and labels.
    start : datetime, optional
        Naive local time of the first sample, where the file's clock is wrong or missing.
    invert : sequence of str, optional
        Labels of derivations in use whose electrodes were exchanged: they are multiplied by −1.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If the file cannot be read without guessing; the message names the field and the remedy.
    SettingsError
        If there is no such device, channel or unit.

    Examples
    --------
    >>> recording = es.read_recording("sample-night.edf", eeg=["C4-M1"])
    >>> recording.derivations, recording.start.isoformat()
    (['C4-M1'], '2024-01-01T23:00:00')
    """
    check_asked(eeg=eeg, eog=eog, emg=emg, units=units, device=device, start=start, invert=invert)
    source = open_source(path)
    files = _stamp_files(source)
    assembled = assemble_source(
        source, eeg=eeg, eog=eog, emg=emg, units=units, device=device, start=start, invert=invert
    )
    with suppress(FileNotFoundError):  # a file that was removed after it was read does no harm
        check_unchanged(files)
    return Recording(
        id=make_id(source.path),
        files=files,
        **assembled._asdict(),
        asked={
            "device": device,
            "eeg": tuple(eeg) if eeg else None,
            "eog": eog,
            "emg": emg,
            "units": tuple((units or {}).items()),
            "start": start.isoformat() if start else None,
            "invert": tuple(invert or ()),
        },
    )


def _stamp_files(source: Source) -> tuple[tuple[Path, int, int], ...]:
    try:
        return tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in map(Path, source.files))
    except OSError as error:
        raise RecordingError(
            f"{source.path.name} was removed while it was read", found=describe_error(error), remedy="read it again"
        ) from error


def open_source(path: str | Path) -> Source:
    """Open a recording of any known format and check its header; no signal is read yet.

    Parameters
    ----------
    path : path

    Returns
    -------
    Source

    Raises
    ------
    RecordingError
        If it cannot be read without guessing.
    """
    path = as_path(path)
    with memory_refused(path.name):
        return _open_any(path)


def _open_any(path: Path) -> Source:
    try:
        if path.is_dir():
            return _open_directory(path)
        if path.exists() and not path.is_file():
            raise RecordingError(f"{path} cannot be read", found="a pipe or device", remedy="give a file")
        with path.open("rb") as file:
            head = file.read(8192)
        if is_edf(head) or head[:2] == b"\x1f\x8b":
            return open_edf(path)
        if is_wfdb_header(head):
            return open_wfdb(path)
        for magic, open_container in ((xdf.MAGIC, xdf.open_xdf), (hdf5.MAGIC, hdf5.open_hdf5)):
            if head.startswith(magic) and not path.name.lower().endswith(SUFFIXES):  # a .set may be HDF5, too
                return open_container(path)
        kind = sniff_text(head)
        return open_text(path, kind) if kind else open_foreign(path)
    except HeaderRefusedError as error:
        refused = error.faults[-1].as_error(path.name)
        refused.faults = error.faults
        raise refused from None
    except (OSError, ValueError) as error:
        found = describe_error(error)
        raise RecordingError(f"{path} cannot be read", found=found, remedy="check the path") from error


def _open_directory(folder: Path) -> Source:
    """Open a folder: one-signal files of a night, the pieces of a recording, or the only recording in it."""
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    parts = list_parts(entries)
    if are_one_night(parts):
        return open_parts(folder, parts)
    if len(parts) == 1 and not any(path.suffix.lower() == ".edf" for path in entries):
        return _open_any(parts[0].path)
    if len(parts) > 1 and not any(path.suffix.lower() == ".edf" for path in entries):
        raise RecordingError(
            f"{folder.name} holds {len(parts)} recordings that are not the pieces of one night",
            found=", ".join(part.path.name for part in parts[:4]) + (", …" if len(parts) > 4 else ""),
            allowed="files of one device with the same channels, each at most 30 min after the end of the one before",
            remedy="give one file, or run `eegsleep batch` on the folder",
        )
    return open_folder(folder)
