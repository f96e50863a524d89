"""One night, worked out: the table of contents of the method, and the folder it is kept in."""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.config import Settings
from eegsleep.errors import EegSleepError, TableError
from eegsleep.events.averages import average_events
from eegsleep.events.detect import detect_events
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.events.spindles import describe_method
from eegsleep.markers import measure_markers
from eegsleep.provenance import encode_json, fingerprint, hash_bytes, hash_file, package_versions, write_file
from eegsleep.quality import Verdict, judge_night, measure_quality
from eegsleep.recording.presets import find_device
from eegsleep.spectrum import Spectrogram, measure_spectrum
from eegsleep.staging.lights import OFF_ALONE, Lights, complete_lights, find_lights, keep_night
from eegsleep.staging.score import choose_staging_channels, score_night
from eegsleep.tables import HYPNOGRAM, NIGHT_TABLES, check_table, encode_sidecar, encode_table, read_table

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from eegsleep.events.calibration import Calibration
    from eegsleep.recording.read import Recording

_LIGHTS_WORDS = {
    "user": "as given",
    "annotations": "as annotated in the file",
    "hypnogram": "as given with the hypnogram",
    "whole recording": "the first and the last epoch of the recording",
    "sleep": "not known; 30 min before and after the longest sleep of the recording",
    OFF_ALONE: "off as given; on is not known, and 30 min after the longest sleep was taken for it",
}

logger = logging.getLogger(__name__)


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
            *_collect_warnings(recording, stages, lights, staged),
            *_tell_uncalibrated(recording, calibration),
            *_tell_views_apart(markers),
        ),
        methods=_describe_methods(recording, settings, lights, staged),
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


def _collect_warnings(
    recording: Recording, stages: pd.DataFrame, lights: Lights, staged: dict[str, float]
) -> tuple[str, ...]:
    """Return what the reader must know first, but for the verdict on the signals, which stands by itself."""
    found = list(recording.notes)
    unscored = int((stages["stage"].iloc[lights.epochs(len(stages))] == "UNS").sum())
    if unscored:
        found.append(f"{unscored / 2:g} min are unscored; they count neither as wake nor as sleep.")
    left_out = [label for label in recording.derivations if staged and label not in staged]
    if left_out:
        found.append(f"{', '.join(left_out)}: mostly not usable, and left out of the staging.")
    if not lights.known:
        found.append(
            "Nobody says when the lights went out. The longest sleep of the recording was taken as the night, with "
            "30 min on both sides; latencies and efficiency are not known. Give --lights-off and --lights-on."
        )
    elif not lights.on_known:
        found.append(
            "Nobody says when the lights went on, and the recording goes on for long. The night was taken to end 30 "
            "min after its longest sleep; time in bed, efficiency and wake after sleep onset are not known. Give "
            "--lights-on."
        )
    return tuple(found)


def _tell_uncalibrated(recording: Recording, calibration: Calibration | None) -> list[str]:
    """Return a warning for each derivation a calibration says nothing of: it is counted in another way."""
    if calibration is None:
        return []
    limits = {"spindles": calibration.sigma_amplitude_uv, "slow oscillations": calibration.so_amplitude_uv}
    return [
        f"{label}: the calibration has no threshold for {spoken} on this derivation; they are counted as without one, "
        "and cannot be compared with calibrated nights."
        for label in recording.derivations
        for spoken, known in limits.items()
        if label not in known
    ]


def _tell_views_apart(markers: pd.DataFrame) -> list[str]:
    """Return a warning for each channel on which the absolute and the relative view count differently."""
    names = {
        "spindles": ("spindle_absolute_density_per_min", "spindle_relative_density_per_min"),
        "slow oscillations": ("slow_oscillation_density_per_min", "slow_oscillation_relative_density_per_min"),
    }
    found = []
    nrem = markers[markers["stage"] == "NREM"]
    for spoken, (absolute, relative) in names.items():
        values = nrem[nrem["marker"].isin([absolute, relative])].pivot_table("value", "channel", "marker")
        for label, row in values.dropna().iterrows() if {absolute, relative} <= set(values.columns) else ():
            low, high = sorted((row[absolute], row[relative]))
            if high > 2 * low:
                found.append(
                    f"{label}: {row[absolute]:.2g} {spoken} a minute by microvolts and {row[relative]:.2g} by "
                    "multiples of the night's own signal. Amplitudes here are unlike those the limits were made for; "
                    "compare only nights of the same electrode, and trust neither view alone."
                )
    return found


def _describe_methods(
    recording: Recording, settings: Settings, lights: Lights, staged: dict[str, float]
) -> tuple[str, ...]:
    versions = package_versions()
    preset = find_device(recording.device)
    s, w = settings, settings.slow_oscillations
    scored = (
        f"Stages: YASA {versions['yasa']} (doi:10.7554/eLife.70092) on {', '.join(staged)}, 30 s epochs, "
        "unfiltered signal; the probabilities of several derivations are averaged, each weighted by how much of it is "
        "usable. Epochs in which none is usable are unscored. Confidence is calibrated on simulated nights and one "
        "real recording; the 95 % intervals of sleep statistics say what unsure stages leave open, not whether YASA "
        "suits this device. "
        f"On this device ({preset.title}): {preset.validation}"
        if staged
        else "Stages: given by the user."
    )
    return (
        f"Signals: {', '.join(recording.derivations)} and the other channels named above, resampled to 100 Hz. "
        "An epoch is left out where samples are missing or clipped, more than "
        f"{100 * s.quality.max_lost_fraction:g} % of it is flat, or, in an EEG, moving or without contact, or where "
        f"an EEG swings over {s.quality.max_ptp_uv:g} µV.",
        scored,
        f"Sleep statistics follow AASM definitions. Lights off and on: {_LIGHTS_WORDS[lights.source]}.",
        describe_method(s.spindles),
        f"Slow oscillations: waves of {w.band_hz[0]:g}–{w.band_hz[1]:g} Hz by their zero crossings, negative peak "
        f"over {w.negative_uv[0]:g} µV, peak to peak over {w.ptp_uv[0]:g} µV (or what was calibrated). Fixed "
        "microvolts follow electrode fit as well as sleep; the relative view, in multiples of the night's own waves in "
        "N2, does not. Isolated K-complexes of N2 are counted apart.",
        "Audit: spindles and slow oscillations of known size were planted into the night's own N2 and N3 and detected "
        "with the same settings; audit.csv holds how many were found.",
        f"Coupling: a spindle is coupled when its peak lies within {s.coupling.window_s:g} s of a negative peak; "
        "strength is corrected for the number of events.",
        "Spectra: multitaper over 30 s epochs; aperiodic exponent by IRASA. Densities and powers rest on usable "
        "epochs only.",
    )


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


def save_night(night: Night, output: str | Path, pages: dict[str, bytes] | None = None) -> Path:
    """Write a night folder and return its path.

    A new folder appears whole. In a folder that is already there each file is replaced whole, and
    `provenance.json`, which holds the hash of every file, comes last.

    Parameters
    ----------
    night : Night
    output : path
        The folder in which the night folder `<id>/` is made.
    pages : dict of str to bytes, optional
        More files to keep in it, such as `report.html`.

    Raises
    ------
    EegSleepError
        If it cannot be written, or the folder holds the night of another recording of the same name.
    """
    folder = Path(output) / night.id
    _refuse_other_night(folder, night)
    files: dict[str, bytes] = {}
    for table in NIGHT_TABLES:
        files[f"{table.name}.csv"] = encode_table(night.tables()[table.name], table)
        files[f"{table.name}.json"] = encode_sidecar(table)
    files["events.edf"] = encode_events(night)
    files.update(pages or {})
    provenance = {
        **night.provenance,
        "quality": {"verdict": night.verdict.verdict, "reasons": list(night.verdict.reasons)},
        "warnings": list(night.warnings),
        "outputs": {name: hash_bytes(content) for name, content in sorted(files.items())},
    }
    files["provenance.json"] = encode_json(provenance)
    staging = folder.with_name(f".{night.id}.partial")
    try:
        target = folder if folder.is_dir() else staging
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_file(target / name, content)
        if target is staging:
            staging.replace(folder)
    except OSError as error:
        raise EegSleepError(f"{folder} cannot be written", found=str(error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def _refuse_other_night(folder: Path, night: Night) -> None:
    """Raise if a folder holds another recording's night: two files may have one name in two places."""
    try:
        kept = json.loads((folder / "provenance.json").read_bytes())["input"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    mine = night.provenance.get("input", {}).get("sha256", "")
    if kept and mine and kept != mine:
        raise EegSleepError(
            f"{folder} holds the night of another recording of the same name",
            remedy="give another folder with --output, or rename the recording",
        )


def load_night(folder: str | Path) -> Night:
    """Read a night folder back, after checking that its tables are the ones its provenance vouches for.

    Raises
    ------
    EegSleepError
        If the folder is unfinished, or a table was changed since it was written.
    """
    from datetime import datetime

    folder = Path(folder)
    try:
        provenance = json.loads((folder / "provenance.json").read_bytes())
        outputs = provenance["outputs"]
    except (OSError, ValueError, KeyError) as error:
        raise EegSleepError(f"{folder} is not a finished night folder", found=str(error)) from error
    # A default would be a verdict nobody came to, and the tables of that time lack what it rests on.
    if "quality" not in provenance:
        raise EegSleepError(
            f"{folder} was written by an earlier version of eegsleep",
            found="no verdict on its quality",
            remedy="score the night again",
        )
    for table in NIGHT_TABLES:
        name = f"{table.name}.csv"
        if not (folder / name).is_file() or hash_file(folder / name) != outputs.get(name):
            raise EegSleepError(
                f"{folder / name} is not the file that was written",
                remedy="score the night again; give a corrected hypnogram with --hypnogram",
            )
    tables = {table.name: read_table(folder / f"{table.name}.csv", table) for table in NIGHT_TABLES}
    start = provenance["start"]
    return Night(
        id=provenance["id"],
        start=datetime.fromisoformat(start) if start else None,
        duration_s=provenance["input"]["duration_s"],
        device=provenance["device"],
        roles=provenance["roles"],
        lights=Lights(**provenance["lights"]),
        stages=tables.pop("hypnogram"),
        verdict=Verdict(provenance["quality"]["verdict"], tuple(provenance["quality"]["reasons"])),
        warnings=tuple(provenance["warnings"]),
        methods=(),
        provenance={k: v for k, v in provenance.items() if k not in {"quality", "warnings", "outputs"}},
        **tables,
    )


def encode_events(night: Night) -> bytes:
    """Return stages, spindles and slow oscillations as EDF+ annotations without a signal."""
    from io import BytesIO

    import edfio

    names = dict.fromkeys(("W", "N1", "N2", "N3", "R"), "") | {"UNS": "?"}
    annotations = [
        edfio.EdfAnnotation(row.onset_s, 30.0, f"Sleep stage {names[row.stage] or row.stage}")
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
    annotations.sort(key=lambda annotation: annotation.onset)
    # the header of an EDF has two digits for the year
    start = night.start if night.start and 1985 <= night.start.year <= 2084 else None
    file = edfio.Edf(
        [],
        starttime=night.start.time() if night.start else None,
        recording=edfio.Recording(startdate=start.date()) if start else None,
        annotations=annotations,
    )
    buffer = BytesIO()
    file.write(buffer)
    return buffer.getvalue()
