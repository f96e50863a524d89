"""The folder of a night: every file is complete and its hash is kept, or it is absent."""

from __future__ import annotations

import re
from pathlib import Path

from eegsleep.errors import EegSleepError, describe_error
from eegsleep.events.detect import Events
from eegsleep.events.edited import read_event_edits
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.file_names import BEFORE_FILE, EVENTS_FILE, OTHER_STAGER_FILE, PROVENANCE_FILE, REFERENCE_FILE
from eegsleep.night.exchange import replace_folder
from eegsleep.night.night import Night
from eegsleep.provenance import check_provenance, encode_json, hash_bytes, hash_file, read_provenance
from eegsleep.quality import Verdict
from eegsleep.recording.limits import is_plausible_start
from eegsleep.signals.epochs import EPOCH_S, SCORED_STAGES
from eegsleep.staging.lights import Lights
from eegsleep.tables import HYPNOGRAM, NIGHT_TABLES, OTHER_STAGER, encode_sidecar, encode_table, read_table

# What a night is made of again, besides its tables and its verdict.
_LOADED = ("id", "start", "input", "device", "roles", "lights", "warnings", "outputs")


def save_night(
    night: Night, output: str | Path, pages: dict[str, bytes] | None = None, *, replaces: bool = False
) -> Path:
    """Write a night folder and return its path.

    The folder appears whole, and replaces an earlier one as a whole. `provenance.json` holds the hash of every file.
    Files that only the earlier night had are removed. Files that eegsleep did not write stay; one of ours that was
    changed by hand is kept, with `.changed` after its name.

    Parameters
    ----------
    night : Night
    output : path
        The folder in which the night folder `<id>/` is made.
    pages : dict of str to bytes, optional
        More files to keep in it, such as `report.html`.
    replaces : bool
        Whether it may replace the night of another recording of the same name.

    Returns
    -------
    pathlib.Path
        The night folder.

    Raises
    ------
    EegSleepError
        If it cannot be written, or the folder holds the night of another recording of the same name, or files of
        our names that eegsleep did not write.

    Examples
    --------
    >>> folder = es.save_night(night, "other-nights")
    >>> (folder / "markers.csv").is_file()
    True
    """
    folder = Path(output) / night.id
    if not replaces:
        check_same_recording(folder, night.provenance.get("input", {}).get("sha256", ""))
    files: dict[str, bytes] = {}
    for table in NIGHT_TABLES:
        files[f"{table.name}.csv"] = encode_table(night.tables()[table.name], table)
        files[f"{table.name}.json"] = encode_sidecar(table)
    files["events.edf"] = encode_events(night)
    if night.reference is not None:
        files[REFERENCE_FILE] = encode_table(night.reference, HYPNOGRAM)
    if night.other_stager is not None:
        files[OTHER_STAGER_FILE] = encode_table(night.other_stager, OTHER_STAGER)
        files["other_stager.json"] = encode_sidecar(OTHER_STAGER)
    if night.before is not None:
        files[BEFORE_FILE] = encode_table(night.before, HYPNOGRAM)
    if night.event_edits is not None:
        files[EVENTS_FILE] = night.event_edits.content
    files.update(pages or {})
    provenance = {
        **night.provenance,
        "quality": {"verdict": night.verdict.verdict, "reasons": list(night.verdict.reasons)},
        "warnings": list(night.warnings),
        "outputs": {name: hash_bytes(content) for name, content in sorted(files.items())},
    }
    files[PROVENANCE_FILE] = encode_json(provenance)
    try:
        replace_folder(folder, files)
    except OSError as error:
        raise EegSleepError(f"{folder} cannot be written", found=describe_error(error)) from error
    return folder


def check_same_recording(folder: Path, sha256: str) -> None:
    """Raise if a folder holds the night of another recording, whose file has the same name in another place.

    Parameters
    ----------
    folder : Path
        The night folder; it need not exist.
    sha256 : str
        Hash of the recording that is to be kept there.

    Raises
    ------
    EegSleepError
        If it does.
    """
    kept = read_provenance(folder).get("input", {}).get("sha256", "")
    if kept and sha256 and kept != sha256:
        raise EegSleepError(
            f"{folder} holds the night of another recording of the same name",
            remedy="give another folder with --output, or rename the recording",
        )


def load_night(folder: str | Path) -> Night:
    """Read a night folder back, after checking its tables against the hashes in its provenance.

    Parameters
    ----------
    folder : path
        A night folder, as `save_night` writes it.

    Returns
    -------
    Night
        Without what is not kept on disk: `methods`, `spectrogram`, `averages`, and the parts of `events` that say so.

    Raises
    ------
    EegSleepError
        If the folder is unfinished, was written by an earlier version, or a table was changed since.

    Examples
    --------
    >>> es.load_night("nights/sample-night")
    <Night sample-night: 1.50 h from 23:00, 80.5 min asleep
     signals: caution; 0 warnings
     tables: .stages .markers .spindles .slow_oscillations .coupling .spectrum .quality>
    """
    from datetime import datetime

    folder = Path(folder)
    provenance = check_provenance(folder, _LOADED)
    outputs = provenance["outputs"]
    # Old folders hold no verdict, and lack the columns to compute it: they are refused.
    if "quality" not in provenance:
        raise EegSleepError(
            f"{folder} was written by an earlier version of eegsleep",
            found="no verdict on its quality",
            remedy="score the night again",
        )
    kept = [f"{table.name}.csv" for table in NIGHT_TABLES]
    for name in [*kept, *({REFERENCE_FILE, BEFORE_FILE, EVENTS_FILE, OTHER_STAGER_FILE} & set(outputs))]:
        if not (folder / name).is_file() or hash_file(folder / name) != outputs.get(name):
            raise EegSleepError(
                f"{folder / name} is not the file that was written",
                remedy="score the night again; give a corrected hypnogram with --hypnogram",
            )
    tables = {table.name: read_table(folder / f"{table.name}.csv", table) for table in NIGHT_TABLES}
    expert = folder / REFERENCE_FILE if REFERENCE_FILE in outputs else None
    before = folder / BEFORE_FILE if BEFORE_FILE in outputs else None
    try:
        start = datetime.fromisoformat(provenance["start"]) if provenance["start"] else None
    except ValueError as error:
        raise EegSleepError(
            f"the provenance of {folder} holds a start that is no time",
            found=repr(provenance["start"]),
            remedy="score the night again",
        ) from error
    return Night(
        id=provenance["id"],
        start=start,
        duration_s=provenance["input"]["duration_s"],
        device=provenance["device"],
        roles=provenance["roles"],
        lights=Lights(**provenance["lights"]),
        stages=tables.pop("hypnogram"),
        verdict=Verdict(provenance["quality"]["verdict"], tuple(provenance["quality"]["reasons"])),
        warnings=tuple(provenance["warnings"]),
        methods=(),
        provenance={k: v for k, v in provenance.items() if k not in {"quality", "warnings", "outputs"}},
        quality=tables.pop("quality"),
        spectrum=tables.pop("spectrum"),
        markers=tables.pop("markers"),
        stages_at_delta=tables.pop("stages_at_delta"),
        events=Events(**tables),
        reference=read_table(expert, HYPNOGRAM) if expert else None,
        other_stager=read_table(folder / OTHER_STAGER_FILE, OTHER_STAGER) if OTHER_STAGER_FILE in outputs else None,
        before=read_table(before, HYPNOGRAM) if before else None,
        event_edits=read_event_edits(folder / EVENTS_FILE) if EVENTS_FILE in outputs else None,
    )


def encode_events(night: Night) -> bytes:
    """Return stages, spindles and slow oscillations of a night as an EDF+ file of annotations without a signal."""
    from io import BytesIO

    import edfio

    names = {**{stage: stage for stage in SCORED_STAGES}, "UNS": "?"}
    annotations = [
        edfio.EdfAnnotation(row.onset_s, EPOCH_S, f"Sleep stage {names[row.stage]}")
        for row in night.stages.itertuples()
    ]
    for kind, events in (
        ("Spindle", night.spindles),
        ("Slow oscillation", main_slow_oscillations(night.slow_oscillations)),
    ):
        annotations += [
            edfio.EdfAnnotation(
                round(row.onset_s, 3),
                round(row.duration_s, 3),
                f"{kind} {re.sub('[^ -~]', '?', row.channel)}",
            )
            for row in events.itertuples()
        ]
    if night.event_edits is not None:
        annotations += [
            edfio.EdfAnnotation(row.onset_s, row.duration_s, "Arousal")
            for row in night.event_edits.arousals.itertuples()
        ]
    annotations.sort(key=lambda annotation: annotation.onset)
    # the header of an EDF has two digits for the year
    start = night.start if night.start and is_plausible_start(night.start) else None
    file = edfio.Edf(
        [],
        starttime=night.start.time() if night.start else None,
        recording=edfio.Recording(startdate=start.date()) if start else None,
        annotations=annotations,
    )
    buffer = BytesIO()
    file.write(buffer)
    return buffer.getvalue()
