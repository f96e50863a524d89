"""One night, worked out: the table of contents of the method."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eegsleep.config import Settings
from eegsleep.errors import TableError
from eegsleep.events.averages import average_events
from eegsleep.events.detect import detect_events
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.markers import measure_markers
from eegsleep.night.words import collect_warnings, describe_methods, tell_uncalibrated, tell_views_apart
from eegsleep.provenance import fingerprint, hash_bytes, package_versions
from eegsleep.quality import Verdict, judge_night, measure_quality
from eegsleep.spectrum import Spectrogram, measure_spectrum
from eegsleep.staging.lights import Lights, complete_lights, find_lights, keep_night
from eegsleep.staging.score import choose_staging_channels, score_night
from eegsleep.tables import HYPNOGRAM, check_table, encode_table

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from eegsleep.events.calibration import Calibration
    from eegsleep.recording.recording import Recording


@dataclass(frozen=True)
class Night:
    """Everything one night gave; each table is declared in `eegsleep.tables`.

    `spectrogram` and `averages` are there for the report and are not kept on disk.
    """

    id: str
    start: datetime | None
    duration_s: float
    device: str
    roles: dict[str, str]
    lights: Lights
    stages: pd.DataFrame
    quality: pd.DataFrame
    spindles: pd.DataFrame
    slow_oscillations: pd.DataFrame
    spindle_candidates: pd.DataFrame
    slow_oscillation_candidates: pd.DataFrame
    coupling: pd.DataFrame
    coupling_summary: pd.DataFrame
    audit: pd.DataFrame
    spectrum: pd.DataFrame
    markers: pd.DataFrame
    verdict: Verdict
    warnings: tuple[str, ...]
    methods: tuple[str, ...]
    provenance: dict[str, Any]
    spectrogram: Spectrogram | None = None
    averages: pd.DataFrame | None = None

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by file name without extension."""
        return {
            "hypnogram": self.stages,
            "quality": self.quality,
            "spindles": self.spindles,
            "slow_oscillations": self.slow_oscillations,
            "spindle_candidates": self.spindle_candidates,
            "slow_oscillation_candidates": self.slow_oscillation_candidates,
            "coupling": self.coupling,
            "coupling_summary": self.coupling_summary,
            "audit": self.audit,
            "spectrum": self.spectrum,
            "markers": self.markers,
        }


def analyze_night(
    recording: Recording,
    settings: Settings | None = None,
    hypnogram: pd.DataFrame | None = None,
    lights: Lights | None = None,
    calibration: Calibration | None = None,
) -> Night:
    """Work out one night, from signals to markers.

    Parameters
    ----------
    recording : Recording
    settings : Settings, optional
    hypnogram : pandas.DataFrame, optional
        Table `HYPNOGRAM` to use in place of automatic stages.
    lights : Lights, optional
        When the night began and ended (`find_lights`); by default what annotations in the file say, else the
        whole recording, else, in one of more than 14 h, what its stages say.
    calibration : Calibration, optional
        The person's own thresholds, learned from all their nights (`calibrate`).

    Returns
    -------
    Night

    Raises
    ------
    EegSleepError
        If the night cannot be staged, or the hypnogram given is not that of this recording.
    """
    settings = settings or Settings()
    quality = measure_quality(recording, settings.quality)
    lights = lights or find_lights(recording)
    stages, lights = (
        score_night(recording, quality, settings.staging, lights)
        if hypnogram is None
        else adopt_stages(hypnogram, recording, quality, lights)
    )
    events = detect_events(
        recording, stages, quality, settings.spindles, settings.slow_oscillations, settings.coupling, settings.audit,
        calibration,
    )  # fmt: skip
    spectrum, spectrogram = measure_spectrum(recording, stages, quality, settings.spectrum)
    markers = measure_markers(
        stages, quality, events.spindles, events.slow_oscillations, events.coupling, spectrum, recording.derivations,
        settings.markers, lights, events,
    )  # fmt: skip
    staged = choose_staging_channels(recording, quality, settings.staging) if hypnogram is None else {}
    return Night(
        id=recording.id,
        start=recording.start,
        duration_s=recording.duration_s,
        device=recording.device,
        roles=dict(recording.roles),
        lights=lights,
        stages=stages,
        quality=quality,
        spindles=events.spindles,
        slow_oscillations=events.slow_oscillations,
        spindle_candidates=events.spindle_candidates,
        slow_oscillation_candidates=events.slow_oscillation_candidates,
        coupling=events.coupling,
        coupling_summary=events.coupling_summary,
        audit=events.audit,
        spectrum=spectrum,
        markers=markers,
        verdict=judge_night(quality, settings.quality),
        warnings=(
            *collect_warnings(recording, stages, lights, staged),
            *tell_uncalibrated(recording, calibration),
            *tell_views_apart(markers),
        ),
        methods=describe_methods(recording, settings, lights, staged),
        provenance=_trace(recording, settings, lights, staged, stages, calibration),
        spectrogram=spectrogram,
        averages=average_events(recording, events.spindles, main_slow_oscillations(events.slow_oscillations)),
    )


def adopt_stages(
    stages: pd.DataFrame, recording: Recording, quality: pd.DataFrame, lights: Lights | None = None
) -> tuple[pd.DataFrame, Lights]:
    """Return stages that were given, after checking that they fit, with our own word on what is usable."""
    if len(stages) != recording.n_epochs:
        raise TableError(
            "the hypnogram is not that of this recording",
            found=f"{len(stages)} epochs",
            allowed=f"{recording.n_epochs} epochs of 30 s",
        )
    usable = quality[quality["role"] == "eeg"].groupby("epoch")["usable"].any()
    lights = complete_lights(lights, stages)
    return check_table(keep_night(stages.assign(usable=usable.to_numpy()), lights), HYPNOGRAM), lights


def _trace(
    recording: Recording,
    settings: Settings,
    lights: Lights,
    staged: dict[str, float],
    stages: pd.DataFrame,
    calibration: Calibration | None,
) -> dict[str, Any]:
    """Return what the results depend on, as stored in provenance.json and shown in the report."""
    resolved = json.loads(json.dumps(settings.to_dict()))
    versions = package_versions()
    given = "" if staged else hash_bytes(encode_table(stages, HYPNOGRAM))
    calibrated = calibration.as_dict() if calibration else {}
    return {
        "eegsleep": versions["eegsleep"],
        "id": recording.id,
        "input": {"sha256": recording.sha256, "duration_s": recording.duration_s},
        "start": recording.start.isoformat() if recording.start else None,
        "device": recording.device,
        "roles": recording.roles,
        "units": recording.units,
        "staged_channels": staged,
        "lights": {"off_s": lights.off_s, "on_s": lights.on_s, "source": lights.source},
        "hypnogram_sha256": given,
        "settings": resolved,
        "calibration": calibrated,
        "versions": versions,
        "fingerprint": fingerprint(
            recording.sha256,
            recording.roles,
            recording.units,
            [lights.off_s, lights.on_s, lights.source],
            given,
            resolved,
            calibrated,
            versions,
        ),
    }
