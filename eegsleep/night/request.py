"""The request of a night, as one hash that is known before the recording is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eegsleep.provenance import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.config import Settings
    from eegsleep.events.calibration import Calibration
    from eegsleep.events.edited import EventEdits
    from eegsleep.hypnograms.scoring import Scoring
    from eegsleep.recording.recording import Recording
    from eegsleep.staging.lights import Lights
    from eegsleep.staging.other import Hypnodensity

# Files beside the recording that a request may name; they are hashed by content, not by name.
FILES = ("hypnogram", "reference", "calibration", "events", "stages_by")


# Options that belong to a hypnogram, and are left out of the request where they were not given.
_OF_SCORINGS = ("epoch_s", "column")


def hash_request(
    inputs: str, asked: Mapping[str, Any], files: Mapping[str, str], settings: Settings, versions: Mapping[str, str]
) -> str:
    """Return one hash of the whole request of a night, as provenance.json keeps it.

    The fingerprint beside it covers what a result depends on, which is known only after reading: which channels
    were chosen, where lights off and on were found. This hash is known before, so that a batch can recognise a
    finished night without reading its recording.

    Parameters
    ----------
    inputs : str
        Hash of the recording (`hash_files`).
    asked : mapping
        The options device, eeg, eog, emg, units, start, invert, lights_off, lights_on, coding, the name of a stager
        whose probabilities were given, and epoch_s and column where they were given.
    files : mapping of str to str
        Hash of each of `FILES`, empty for one that was not given.
    settings : Settings
    versions : mapping of str to str
        As `package_versions` returns them.

    Returns
    -------
    str
    """
    is_scored = bool(files["hypnogram"] or files["reference"])
    coding = asked["coding"] if is_scored else None
    # a night asked for without them is the same as before there were these options
    asked = {name: value for name, value in asked.items() if name not in _OF_SCORINGS or (is_scored and value)}
    # a night asked for without edited events or another stager is the same as before there were such files
    given = {name: digest for name, digest in files.items() if digest or name not in {"events", "stages_by"}}
    return fingerprint(inputs, {**asked, "coding": coding}, given, settings.to_dict(), dict(versions))


def hash_dependencies(provenance: Mapping[str, Any]) -> str:
    """Return the fingerprint of a night: one hash of all that its numbers depend on.

    Parameters
    ----------
    provenance : mapping
        What provenance.json holds; a changed value gives another hash than the one that is kept there.

    Returns
    -------
    str

    Raises
    ------
    LookupError, TypeError
        If something is missing or of another kind.
    """
    lights = provenance["lights"]
    by_hand = [provenance["events_edited"]["file_sha256"]] if "events_edited" in provenance else []
    return fingerprint(
        provenance["input"]["sha256"],
        provenance["roles"],
        provenance["units"],
        provenance["inverted"],
        [lights["off_s"], lights["on_s"], lights["source"]],
        provenance["hypnogram_sha256"],
        provenance["settings"],
        provenance["calibration"],
        provenance["versions"],
        provenance["other_stager"],
        *by_hand,
    )


def request_of_night(
    recording: Recording,
    settings: Settings,
    versions: Mapping[str, str],
    *,
    lights: Lights | None,
    hypnogram: pd.DataFrame | Scoring | None,
    reference: pd.DataFrame | Scoring | None,
    calibration: Calibration | None,
    stages_by: Hypnodensity | None = None,
    events: EventEdits | None = None,
) -> str:
    """Return the hash of a night's request, or an empty string if no command could have made that request.

    So it is for a night that was made from a table of stages or from lights given in seconds; a batch scores it
    again. The parameters are those of `analyze_night`, with `versions` as for `hash_request`.
    """
    given = {
        "hypnogram": hypnogram,
        "reference": reference,
        "calibration": calibration,
        "events": events,
        "stages_by": stages_by,
    }
    # what was made in memory has no hash, and no command could ask for it
    digests = {name: "" if part is None else getattr(part, "sha256", "") or None for name, part in given.items()}
    files = {name: digest for name, digest in digests.items() if digest is not None}
    asked_of = {
        (part.coding or None, part.asked_epoch_s, part.asked_column or None)
        for part in (hypnogram, reference)
        if part is not None and hasattr(part, "coding")
    }
    if len(files) < len(given) or len(asked_of) > 1:
        return ""
    off_and_on = lights.asked if lights else (None, None)
    if recording.asked is None or not recording.sha256 or off_and_on is None:
        return ""
    off, on = off_and_on
    coding, epoch_s, column = next(iter(asked_of), (None, None, None))
    of_scorings = {"coding": coding, "epoch_s": epoch_s, "column": column}
    asked = {**recording.asked, "lights_off": off, "lights_on": on, **of_scorings}
    asked["stager"] = stages_by.name if stages_by else ""
    return hash_request(recording.sha256, asked, files, settings, versions)
