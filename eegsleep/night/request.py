"""What a night was asked for, as one hash that is known before any work is done."""

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

# Files beside the recording that a night may be asked to use; their content counts, not their name.
FILES = ("hypnogram", "reference", "calibration", "events")


def hash_request(
    inputs: str, asked: Mapping[str, Any], files: Mapping[str, str], settings: Settings, versions: Mapping[str, str]
) -> str:
    """Return one hash for everything a night was asked for, as provenance.json keeps it.

    The fingerprint beside it says what a result rests on. That is known only once the recording was read: which
    channels were chosen, where the lights were found. This hash is known before, so that a batch can tell a
    finished night without reading it.

    Parameters
    ----------
    inputs : str
        Hash of the recording (`hash_files`).
    asked : mapping
        Words: device, eeg, eog, emg, units, start, lights_off, lights_on, coding.
    files : mapping of str to str
        Hash of each of `FILES`, empty for one that was not given.
    settings : Settings
    versions : mapping of str to str
        As `package_versions` gives them.
    """
    coding = asked["coding"] if files["hypnogram"] or files["reference"] else None
    # a night asked for without edited events is the same as before there were such files
    given = {name: digest for name, digest in files.items() if digest or name != "events"}
    return fingerprint(inputs, {**asked, "coding": coding}, given, settings.to_dict(), dict(versions))


def request_of_night(
    recording: Recording,
    settings: Settings,
    versions: Mapping[str, str],
    *,
    lights: Lights | None,
    hypnogram: pd.DataFrame | Scoring | None,
    reference: Scoring | None,
    calibration: Calibration | None,
    events: EventEdits | None = None,
) -> str:
    """Return the hash of what a night was asked for, or nothing if a part of it was not asked for in words or files.

    A night that was made from a table of stages or from lights given in seconds cannot be asked for by a command;
    its hash is empty, and a batch makes it anew.
    """
    given = {"hypnogram": hypnogram, "reference": reference, "calibration": calibration, "events": events}
    files = {name: getattr(part, "sha256", None) if part is not None else "" for name, part in given.items()}
    codings = {part.coding for part in (hypnogram, reference) if part is not None and hasattr(part, "coding")}
    is_in_words = recording.asked is not None and recording.sha256 and (lights is None or lights.asked is not None)
    if not is_in_words or not all(digest is not None for digest in files.values()) or len(codings) > 1:
        return ""
    if calibration is not None and not calibration.sha256:
        return ""
    off, on = lights.asked if lights else (None, None)
    asked = {**recording.asked, "lights_off": off, "lights_on": on, "coding": next(iter(codings), "") or None}
    return hash_request(recording.sha256, asked, files, settings, versions)
