"""A folder of one-signal EDF files, as the converter of the ZMax headband writes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eegsleep.errors import RecordingError
from eegsleep.recording.edf import open_edf
from eegsleep.recording.faults import Fault, clean_text
from eegsleep.recording.header import HeaderRefusedError
from eegsleep.recording.source import Source, SourceChannel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np


def open_folder(folder: Path) -> Source:
    """Open the one-signal EDF files of a folder as one recording; each signal is named by its file.

    A file that cannot be read costs its own channel. Files that start at another second than the first
    are left out; shorter ones are filled up with missing samples at their end.

    Raises
    ------
    RecordingError
        If the folder does not hold one-signal EDF files.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".edf" and path.is_file())
    opened, faults = [], []
    for path in paths:
        name = clean_text(path.stem)
        try:
            source = open_edf(path)
        except (HeaderRefusedError, OSError) as error:
            why = error.faults[-1].message if isinstance(error, HeaderRefusedError) else str(error)
            faults.append(Fault("file-unreadable", "refused", f"its file cannot be read: {why}", channel=name))
            continue
        if len(source.channels) != 1:
            raise RecordingError(
                f"{folder.name} is not a folder of one night",
                found=f"{path.name} with {len(source.channels)} signals",
                allowed="a folder of EDF files with one signal each, as the ZMax converter writes it",
                remedy="give one file; many nights are scored one by one",
            )
        opened.append((name, source))
    if not opened:
        raise RecordingError(
            f"{folder.name} holds no readable EDF file",
            found=faults[0].as_note() if faults else "no .edf file",
            allowed="a folder of EDF files with one signal each, as the ZMax converter writes it",
            remedy="give the path of a recording",
        )
    return _join(folder, opened, faults)


def _join(folder: Path, opened: list[tuple[str, Source]], faults: list[Fault]) -> Source:
    start = next((source.start for _, source in opened if source.start), None)
    kept = {}
    for name, source in opened:
        if source.start != start:
            faults.append(Fault("start-differs", "refused", f"its file starts at {source.start}, others at {start}",
                                channel=name))  # fmt: skip
        else:
            kept[name] = source
    duration_s = max(source.duration_s for source in kept.values())
    for name, source in kept.items():
        faults += [replace(fault, channel=name) for fault in source.faults]
        short_s = duration_s - source.duration_s
        if short_s > 0:
            faults.append(Fault("length-differs", "repaired", f"its file ends {short_s:.4g} s before the others; the "
                                "rest is missing", channel=name))  # fmt: skip

    def load(labels: Sequence[str]) -> list[np.ndarray]:
        import numpy as np

        signals = []
        for label in labels:
            (signal,) = kept[label].load([kept[label].channels[0].label])
            whole = np.full(round(duration_s * kept[label].channels[0].rate_hz), np.nan)
            whole[: signal.size] = signal[: whole.size]
            signals.append(whole)
        return signals

    first = next(iter(kept.values()))
    return Source(
        path=folder,
        files=tuple(source.path for source in kept.values()),
        kind="ZMax folder",
        channels=tuple(_named(name, source.channels[0]) for name, source in kept.items()),
        start=start,
        duration_s=duration_s,
        load=load,
        identity=" ".join(source.identity for source in kept.values()),
        gaps=tuple(sorted({gap for source in kept.values() for gap in source.gaps})),
        annotations=first.annotations,
        faults=tuple(faults),
    )


def _named(name: str, channel: SourceChannel) -> SourceChannel:
    return replace(channel, label=name)
