"""A scored night as BIDS derivatives: stages and events as `*_events.tsv`, each explained by a JSON file beside it.

Names and fields follow the BIDS specification, derivatives of EEG; what is written passes the BIDS validator.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from eegsleep.errors import EegSleepError, describe_error
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.provenance import encode_json, write_file
from eegsleep.signals.epochs import EPOCH_S

if TYPE_CHECKING:
    from eegsleep.night.night import Night

BIDS_VERSION = "1.10.0"
ROOT_FILE = "dataset_description.json"
_MAX_PARENTS = 4
_NAME = re.compile(r"sub-[A-Za-z0-9]+(_ses-[A-Za-z0-9]+)?(_[a-z]+-[A-Za-z0-9]+)*_eeg")
_README = """Sleep stages and events by eegsleep
==================================

For each recording there are two files, each with a JSON file that explains its columns:

* `*_desc-stages_events.tsv`: one sleep stage for each epoch of 30 s, by AASM name, with its confidence;
* `*_desc-events_events.tsv`: sleep spindles and slow oscillations, one row for each event on each channel.

Onsets count from the first sample of the recording, in seconds. They were made by a program and not checked by a
person, unless the column annotator says so. Not a medical device.
"""
_STAGES = {
    "W": "Wake",
    "N1": "NREM stage 1",
    "N2": "NREM stage 2",
    "N3": "NREM stage 3",
    "R": "REM sleep",
    "UNS": "Unscored: the epoch was not, or could not be, scored",
}
_EVENTS = {"spindle": "Sleep spindle", "slow_oscillation": "Slow oscillation, by amplitude in microvolts"}
_COLUMNS: dict[str, dict[str, Any]] = {
    "onset": {"Description": "Start, from the first sample of the recording.", "Units": "s"},
    "duration": {"Description": "Length.", "Units": "s"},
    "channel": {"Description": "Derivations that the row was found on, divided by commas."},
    "annotator": {"Description": "Program and version, or the file of the person who scored."},
    "method": {"Description": "How stages or events were found."},
    "confidence": {"Description": "Probability of the stage by the stager, 0 to 1; n/a where there is none."},
    "frequency": {"Description": "Frequency of the event.", "Units": "Hz"},
    "amplitude": {"Description": "Peak to peak.", "Units": "uV"},
}


def write_bids(night: Night, root: str | Path, *, subject: str = "", recording: str | Path | None = None) -> list[Path]:
    """Write the stages and events of a night into a BIDS data set of derivatives.

    Parameters
    ----------
    night : Night
    root : path
        Folder of the data set; it is made with its description if it does not exist.
    subject : str
        Sleeper, where the name of the recording does not say it.
    recording : path, optional
        The recording. If it lies in a BIDS data set, its entities (`sub-`, `ses-`, `task-`, …) are kept, and that set
        is named as the source.

    Returns
    -------
    list of Path
        The files of the night.

    Raises
    ------
    EegSleepError
        If the folder holds another data set, or cannot be written.
    """
    root = Path(root)
    name = _name(night, subject, Path(recording) if recording else None)
    folder = root.joinpath(*(part for part in name.split("_") if part.startswith(("sub-", "ses-"))), "eeg")
    stages, events = _stage_rows(night), _event_rows(night)
    try:
        _write_description(root, Path(recording) if recording else None)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for what, rows, levels in (("stages", stages, _STAGES), ("events", events, _EVENTS)):
            path = folder / f"{name}_desc-{what}_events.tsv"
            write_file(path, _encode(rows))
            write_file(path.with_suffix(".json"), encode_json(_describe(what, rows, levels)))
            written += [path, path.with_suffix(".json")]
    except OSError as error:
        raise EegSleepError(f"{root} cannot be written", found=describe_error(error)) from error
    return written


def _name(night: Night, subject: str, recording: Path | None) -> str:
    """Return the name of the files without suffix: the entities of the recording, or ones made for the night."""
    stem = recording.name.split(".")[0] if recording else ""
    if _NAME.fullmatch(stem):
        return stem.removesuffix("_eeg")
    label = re.sub(r"[^A-Za-z0-9]", "", subject.removeprefix("sub-")) if subject else ""
    own = re.sub(r"[^A-Za-z0-9]", "", night.id) or "night"
    return f"sub-{label}_ses-{own}_task-sleep" if label else f"sub-{own}_task-sleep"


def _stage_rows(night: Night) -> list[dict[str, object]]:
    annotator, method = _describe_stager(night)
    channels = ",".join(label for label, role in night.roles.items() if role == "eeg")
    return [
        {
            "onset": f"{row.onset_s:.10g}",
            "duration": f"{EPOCH_S:g}",
            "trial_type": row.stage,
            "channel": channels,
            "annotator": annotator,
            "method": method,
            "confidence": _number(row.confidence, 3),
        }
        for row in night.stages.itertuples()
    ]


def _describe_stager(night: Night) -> tuple[str, str]:
    """Return who staged the night, and how."""
    program = f"eegsleep {night.provenance.get('eegsleep', '')}".strip()
    if night.provenance.get("hypnogram_sha256"):
        return "hypnogram given by the user", "not staged by eegsleep"
    return program, "YASA"


def _event_rows(night: Night) -> list[dict[str, object]]:
    program = f"eegsleep {night.provenance.get('eegsleep', '')}".strip()
    tables = (
        ("spindle", night.spindles, "amplitude_uv", "sigma envelope"),
        ("slow_oscillation", main_slow_oscillations(night.slow_oscillations), "ptp_uv", "zero crossings"),
    )
    rows: list[tuple[float, dict[str, object]]] = [
        (
            float(row.onset_s),
            {
                "onset": f"{row.onset_s:.3f}",
                "duration": f"{row.duration_s:.3f}",
                "trial_type": kind,
                "channel": re.sub(r"[\t\r\n]", " ", row.channel),
                "annotator": program,
                "method": method,
                "confidence": "n/a",
                "frequency": _number(row.frequency_hz, 3),
                "amplitude": _number(getattr(row, size), 2),
            },
        )
        for kind, table, size, method in tables
        for row in table.itertuples()
    ]
    return [entry for _, entry in sorted(rows, key=lambda pair: (pair[0], str(pair[1]["channel"])))]


def _number(value: float, digits: int) -> str:
    return "n/a" if value != value else f"{value:.{digits}f}"  # noqa: PLR0124 - NaN is not itself


def _encode(rows: list[dict[str, object]]) -> bytes:
    names = list(rows[0]) if rows else ["onset", "duration", "trial_type"]
    return "".join("\t".join(map(str, line)) + "\n" for line in [names, *(row.values() for row in rows)]).encode()


def _describe(what: str, rows: list[dict[str, object]], levels: dict[str, str]) -> dict[str, object]:
    long_name, said = {
        "stages": ("Sleep stage by AASM name", "Sleep stages in epochs of 30 s."),
        "events": ("Kind of event", "Sleep spindles and slow oscillations."),
    }[what]
    kind = {"LongName": long_name, "Description": long_name, "Levels": levels}
    described: dict[str, object] = {"Description": said}
    for name in list(rows[0]) if rows else ["onset", "duration", "trial_type"]:
        described[name] = kind if name == "trial_type" else _COLUMNS[name]
    return described


def _write_description(root: Path, recording: Path | None) -> None:
    """Write what the data set is, unless it is there; refuse a folder that holds another one."""
    path = root / ROOT_FILE
    if path.is_file():
        try:
            made = json.loads(path.read_bytes()).get("GeneratedBy", [])
            ours = any(entry.get("Name") == "eegsleep" for entry in made)
        except (ValueError, AttributeError):
            ours = False
        if not ours:
            raise EegSleepError(
                f"{root} holds another data set",
                found=f"a {ROOT_FILE} that was not written by eegsleep",
                allowed="a new folder, or one of derivatives by eegsleep",
                remedy="name a folder such as derivatives/eegsleep",
            )
        return
    from eegsleep import __version__

    root.mkdir(parents=True, exist_ok=True)
    write_file(
        path,
        encode_json(
            {
                "Name": "Sleep stages and events by eegsleep",
                "BIDSVersion": BIDS_VERSION,
                "DatasetType": "derivative",
                "GeneratedBy": [{"Name": "eegsleep", "Version": __version__}],
                "SourceDatasets": [_describe_source(root, recording)],
            }
        ),
    )
    if not (root / "README").exists():
        write_file(root / "README", _README.encode())


def _describe_source(root: Path, recording: Path | None) -> dict[str, str]:
    """Return where the recordings are from: the data set around them, relative to this one, with its DOI.

    Of a recording in no data set only the name of its folder is given, because a path may name people.
    """
    if recording is None:
        return {"Version": "n/a"}
    folders = list(recording.absolute().parents)[:_MAX_PARENTS]
    source = next((folder for folder in folders if (folder / ROOT_FILE).is_file()), None)
    if source is None:
        return {"URL": f"file:{quote(folders[0].name)}"}
    try:
        url = f"file:{quote(Path(os.path.relpath(source, root.absolute())).as_posix())}"
    except ValueError:  # another drive
        url = f"file:{quote(source.name)}"
    described = {"URL": url}
    try:
        known = json.loads((source / ROOT_FILE).read_bytes())
        doi = known.get("DatasetDOI")
    except (OSError, ValueError, AttributeError):
        doi = None
    if isinstance(doi, str) and doi:
        described["DOI"] = doi
    return described
