"""The analysis of one night, from signals to markers: each step of the method in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.config import Settings
from eegsleep.errors import RecordingError, TableError
from eegsleep.events.averages import average_events
from eegsleep.events.calibration import check_setup
from eegsleep.events.detect import Events, detect_events
from eegsleep.events.edited import count_not_found
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.hypnograms.edited import check_belongs
from eegsleep.hypnograms.objects import as_scoring, as_stages, is_yasa
from eegsleep.hypnograms.scoring import Scoring, align_scoring, place_lights
from eegsleep.hypnograms.table import PROBABILITY_COLUMNS, make_stages
from eegsleep.markers import measure_markers
from eegsleep.markers.equal_delta import MeasuredNight, add_delta_audit, add_other_stager
from eegsleep.night.night import Night
from eegsleep.night.request import hash_dependencies, request_of_night
from eegsleep.night.words import (
    collect_warnings,
    describe_differing_views,
    describe_inverted,
    describe_methods,
    describe_uncalibrated,
)
from eegsleep.provenance import hash_bytes, package_versions
from eegsleep.quality import judge_night, measure_quality
from eegsleep.recording.recording import Recording
from eegsleep.spectrum.measure import measure_spectra
from eegsleep.staging.lights import Lights, complete_lights, find_lights, keep_night, lights_from_hypnogram
from eegsleep.staging.other import ENSEMBLE, Hypnodensity, ask_stager, describe_other, set_beside
from eegsleep.staging.score import Staged, score_night
from eegsleep.tables import HYPNOGRAM, STAGES_AT_DELTA, check_table, empty_table, encode_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from eegsleep.events.calibration import Calibration
    from eegsleep.events.edited import EventEdits
    from eegsleep.hypnograms.objects import Hypnogram
    from eegsleep.hypnograms.scoring import HandEdit


# The names that `progress` is called with, in order.
STEPS = ("signal quality", "stages", "spindles and slow oscillations", "spectra", "markers")


def analyze_night(
    recording: Recording,
    settings: Settings | None = None,
    hypnogram: Hypnogram | None = None,
    lights: Lights | None = None,
    calibration: Calibration | None = None,
    reference: Hypnogram | None = None,
    event_edits: EventEdits | None = None,
    stages_by: Hypnodensity | None = None,
    coding: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Night:
    """Analyse one night, from signals to markers.

    Each channel is computed in one thread, so that every machine gives the same digits.

    Parameters
    ----------
    recording : Recording
    settings : Settings, optional
    hypnogram : DataFrame, Series, sequence, array, yasa.Hypnogram or Scoring, optional
        Stages to use in place of automatic ones: what `read_hypnogram` read, or a hypnogram of any kind that
        `as_stages` takes. What has no times of its own must have as many epochs as the recording.
    lights : Lights, optional
        When the night began and ended (`find_lights`). By default they are taken from annotations in the file, else
        from the hypnogram, else they are the whole recording; in one of more than 14 h they are found from its stages.
    calibration : Calibration, optional
        The person's own thresholds, learned from all their nights (`calibrate`).
    reference : DataFrame, Series, sequence, array, yasa.Hypnogram or Scoring, optional
        An expert's scoring to keep beside the night's own stages, of the same kinds.
    stages_by : Hypnodensity, optional
        The probabilities of another stager to set beside ours, as `read_hypnodensity` read them; by default those of
        the stager that the settings name.
    event_edits : EventEdits, optional
        Events that were rejected by hand, as `read_event_edits` read them.
    coding : str, optional
        What integers in `hypnogram` and `reference` mean, a name in `CODINGS`.
    progress : callable, optional
        Called with the name of each step before it begins; `STEPS` holds them in order.

    Returns
    -------
    Night

    Raises
    ------
    EegSleepError
        If the night cannot be staged, a hypnogram given is not that of this recording, or `recording` is none.

    Examples
    --------
    >>> steps = []
    >>> of_short = es.analyze_night(short, hypnogram=["N2"] * short.n_epochs, progress=steps.append)
    >>> steps
    ['signal quality', 'stages', 'spindles and slow oscillations', 'spectra', 'markers']
    >>> of_short.stages["stage"].unique().tolist()
    ['N2']
    """
    from threadpoolctl import threadpool_limits

    _check_recording(recording)
    announce = progress or _announce_nothing
    hypnogram, reference = (_take_hypnogram(given, coding) for given in (hypnogram, reference))
    settings = settings or Settings()
    asked = {"lights": lights, "hypnogram": hypnogram, "reference": reference, "calibration": calibration}
    asked |= {"events": event_edits, "stages_by": stages_by}
    edit = hypnogram.edit if isinstance(hypnogram, Scoring) else None
    if edit:
        check_belongs(edit.input_sha256, recording.sha256, "edited stages")
    if calibration:
        check_setup(calibration, recording)
    if event_edits:
        check_belongs(event_edits.input_sha256, recording.sha256, "edited events")
    expert, notes = _align(reference, recording)
    given, lights, more = _place_hypnogram(hypnogram, recording, lights or find_lights(recording))
    with threadpool_limits(limits=1):
        announce(STEPS[0])
        quality = measure_quality(recording, settings.quality)
        announce(STEPS[1])
        staged = (
            score_night(recording, quality, settings.staging, lights)
            if given is None
            else _use_given_stages(given, recording, quality, lights)
        )
        announce(STEPS[2])
        events = detect_events(recording, staged.stages, quality, settings, calibration, event_edits)
        announce(STEPS[3])
        spectrum, spectrogram, powers = measure_spectra(recording, staged.stages, quality, settings.spectrum)
        announce(STEPS[4])
        markers = measure_markers(
            staged.stages,
            quality,
            events,
            spectrum,
            recording.derivations,
            settings.markers,
            staged.lights,
            event_edits.arousals if event_edits else None,
        )
        measured = MeasuredNight(
            staged, quality, events, powers, settings.markers, settings.slow_oscillations, calibration, event_edits
        )
        markers = add_delta_audit(markers, measured)
        second = stages_by or _ask_second(recording, quality, settings, staged)
        other = _set_beside(second, staged, recording.n_epochs)
        markers = add_other_stager(markers, other, staged.stages, staged.lights)
        averages = average_events(recording, events.spindles, main_slow_oscillations(events.slow_oscillations))
    return Night(
        id=recording.id,
        start=recording.start,
        duration_s=recording.duration_s,
        device=recording.device,
        roles=dict(recording.roles),
        lights=staged.lights,
        stages=staged.stages,
        quality=quality,
        events=events,
        spectrum=spectrum,
        markers=markers,
        verdict=judge_night(quality, settings.quality),
        warnings=(
            *collect_warnings(recording, staged.stages, staged.lights, staged.channels),
            *describe_uncalibrated(recording, calibration),
            *describe_inverted(events.polarity),
            *describe_differing_views(markers),
            *notes,
            *more,
            *(describe_not_found(events, event_edits) if event_edits else []),
        ),
        methods=describe_methods(recording, settings, staged.lights, staged.channels, staged.gains, edit),
        provenance=_trace(recording, settings, staged, calibration, asked, describe_other(second)),
        stages_at_delta=staged.equal_delta.stages if staged.equal_delta else empty_table(STAGES_AT_DELTA),
        other_stager=other,
        reference=expert,
        before=_stages_before(edit, recording) if edit else None,
        event_edits=event_edits,
        spectrogram=spectrogram,
        averages=averages,
    )


def _check_recording(recording: object) -> None:
    """Raise if this is no `Recording`; a `Raw` of mne is told how it becomes one."""
    if isinstance(recording, Recording):
        return
    is_raw = any(kind.__name__ == "BaseRaw" for kind in type(recording).__mro__)
    raise RecordingError(
        "analyze_night needs a Recording",
        found=f"an object of type {type(recording).__name__}",
        allowed="what read_recording, Recording.from_raw and Recording.from_array return",
        remedy="make one by Recording.from_raw(raw), which checks units, rates and filters"
        if is_raw
        else "read a file with read_recording",
    )


def _announce_nothing(_step: str) -> None:
    """Take the place of a progress callback that was not given."""


def _take_hypnogram(hypnogram: Hypnogram | None, coding: str | None) -> pd.DataFrame | Scoring | None:
    """Return a hypnogram as table or scoring; a scoring has times of its own, by which it is aligned."""
    if hypnogram is None or isinstance(hypnogram, Scoring):
        return hypnogram
    return as_scoring(hypnogram) if is_yasa(hypnogram) else as_stages(hypnogram, coding)


def _ask_second(recording: Recording, quality: pd.DataFrame, settings: Settings, staged: Staged) -> Hypnodensity | None:
    """Return the probabilities of the second stager that the settings name."""
    name = settings.staging.second
    if not name or name == ENSEMBLE:
        return staged.ensemble
    return ask_stager(name, recording, quality)


def _set_beside(second: Hypnodensity | None, staged: Staged, n_epochs: int) -> pd.DataFrame | None:
    """Return table `OTHER_STAGER`, None without a second stager."""
    if second is None:
        return None
    own = staged.stages[PROBABILITY_COLUMNS].to_numpy() if staged.channels else None
    return set_beside(second, own, staged.lights, n_epochs)


def _place_hypnogram(
    hypnogram: pd.DataFrame | Scoring | None, recording: Recording, lights: Lights | None
) -> tuple[pd.DataFrame | None, Lights | None, list[str]]:
    """Return given stages on the epochs of the recording, the lights, and sentences about what did not fit.

    Lights of a hypnogram are used where neither the user nor the recording gives any.
    """
    if hypnogram is None or not isinstance(hypnogram, Scoring):
        return hypnogram, lights, []
    stages, notes = _align(hypnogram, recording)
    moments = place_lights(hypnogram, recording.start, recording.n_epochs)
    found = lights_from_hypnogram(*moments, recording.n_epochs)
    is_open = lights is None or lights.source == "whole recording"
    return stages, found if found and is_open else lights, notes


def _align(scoring: pd.DataFrame | Scoring | None, recording: Recording) -> tuple[pd.DataFrame | None, list[str]]:
    """Return a scoring as stages of the recording, and sentences about what did not fit.

    The name of its file is not among them: it may be that of a person, and the sentences are kept with the night.
    """
    if scoring is None:
        return None, []
    if not isinstance(scoring, Scoring):
        _check_length(scoring, recording)
        return scoring, []
    stages, notes = align_scoring(scoring, recording.start, recording.n_epochs)
    return stages, [f"The hypnogram that was given: {note}." for note in notes]


def _stages_before(edit: HandEdit, recording: Recording) -> pd.DataFrame:
    """Return the stages as they were before any edit by hand, on the epochs of the recording."""
    if len(edit.was) != recording.n_epochs:
        raise TableError(
            "the edited stages are not those of this recording",
            found=f"{len(edit.was)} epochs",
            allowed=f"{recording.n_epochs} epochs of 30 s",
        )
    return make_stages(np.array(edit.was, dtype=object), None, np.ones(recording.n_epochs, dtype=bool))


def describe_not_found(events: Events, edits: EventEdits) -> list[str]:
    """Return a warning if events were rejected that this run does not find at all."""
    candidates = {"spindle": events.spindle_candidates, "slow oscillation": events.slow_oscillation_candidates}
    n = count_not_found(candidates, edits)
    if not n:
        return []
    return [f"{n} of {len(edits.rejected)} events rejected by hand are not found in this run, so nothing was rejected."]


def _check_length(stages: pd.DataFrame, recording: Recording) -> None:
    """Raise if stages without times of their own are not as many as the epochs of the recording."""
    if len(stages) != recording.n_epochs:
        raise TableError(
            "the hypnogram is not that of this recording",
            found=f"{len(stages)} epochs",
            allowed=f"{recording.n_epochs} epochs of 30 s",
            remedy="give UNS for the epochs that were not scored, or a hypnogram that holds its start",
        )


def _use_given_stages(
    stages: pd.DataFrame, recording: Recording, quality: pd.DataFrame, lights: Lights | None = None
) -> Staged:
    """Return stages that were given, after checking their number, with the usable epochs of the signals."""
    _check_length(stages, recording)
    usable = quality[quality["role"] == "eeg"].groupby("epoch")["usable"].any()
    lights = complete_lights(lights, stages)
    stages = check_table(keep_night(stages.assign(usable=usable.to_numpy()), lights), HYPNOGRAM)
    return Staged(stages, lights, {}, {})


def _trace(
    recording: Recording,
    settings: Settings,
    staged: Staged,
    calibration: Calibration | None,
    asked: dict[str, Any],
    other_stager: Mapping[str, str],
) -> dict[str, Any]:
    """Return what the results depend on, as stored in provenance.json and shown in the report."""
    resolved = json.loads(json.dumps(settings.to_dict()))
    versions = package_versions()
    lights = staged.lights
    given = "" if staged.channels else hash_bytes(encode_table(staged.stages, HYPNOGRAM))
    calibrated = calibration.as_dict() if calibration else {}
    made = {
        "eegsleep": versions["eegsleep"],
        "id": recording.id,
        "input": _describe_input(recording),
        "start": recording.start.isoformat() if recording.start else None,
        "device": recording.device,
        "roles": recording.roles,
        "units": recording.units,
        "inverted": list(recording.inverted),
        "staged_channels": staged.channels,
        "staging_gains": {label: float(f"{gain:.6g}") for label, gain in staged.gains.items()},
        "lights": {"off_s": lights.off_s, "on_s": lights.on_s, "source": lights.source},
        "hypnogram_sha256": given,
        "other_stager": other_stager,
        **_describe_edits(asked),
        "settings": resolved,
        "calibration": calibrated,
        "versions": versions,
    }
    request = request_of_night(recording, settings, versions, **asked)
    return {**made, "fingerprint": hash_dependencies(made), "request": request, "processor": _describe_processor()}


def _describe_input(recording: Recording) -> dict[str, Any]:
    """Return hash and length of the recording, and for signals in memory what they were made from."""
    made_from = {"origin": recording.origin} if recording.origin else {}
    return {"sha256": recording.sha256, "duration_s": recording.duration_s, **made_from}


def _describe_processor() -> dict[str, Any]:
    """Return the instructions that arithmetic may use here: the order of sums differs with them.

    Without AVX2, 24 stage probabilities of a night differed, by up to 15 %.
    """
    import platform

    extensions = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return {
        "machine": platform.machine(),
        "instructions": [*extensions.get("baseline", []), *extensions.get("found", [])],
    }


def _describe_edits(asked: dict[str, Any]) -> dict[str, Any]:
    """Return for provenance what was edited by hand, by whom and when; nothing where nothing was."""
    found: dict[str, Any] = {}
    hypnogram, edits = asked["hypnogram"], asked["events"]
    edit = hypnogram.edit if isinstance(hypnogram, Scoring) else None
    if edit:
        found["stages_edited"] = {
            "n_epochs_changed": edit.n_changed,
            "scorers": list(edit.scorers),
            "last_edit": edit.last,
            "file_sha256": hypnogram.sha256,
        }
    if edits:
        found["events_edited"] = {
            "n_rejected": len(edits.rejected),
            "n_arousals": len(edits.arousals),
            "file_sha256": edits.sha256,
        }
    return found
