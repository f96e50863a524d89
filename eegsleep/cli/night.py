"""The commands on one recording: score, inspect, anonymize; and on scored nights: calibrate, agree."""

from __future__ import annotations

import math
from datetime import datetime  # noqa: TC003 - cyclopts reads the annotations
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.cli.console import print_note, print_result, printable, show_steps
from eegsleep.cli.options import Labels, Names, ScoringOptions, Whole, parse_stager, parse_units
from eegsleep.errors import SettingsError
from eegsleep.file_names import NIGHTS_FOLDER, REPORT_FILE, SETTINGS_FILE
from eegsleep.provenance import check_writable

if TYPE_CHECKING:
    from eegsleep.recording.inspect import Inspection


def score(
    file: Path,
    *,
    output: Path = Path(NIGHTS_FOLDER),
    hypnogram: Path | None = None,
    reference: Path | None = None,
    stages_by: str | None = None,
    events: Path | None = None,
    start: datetime | None = None,
    bids: Path | None = None,
    options: ScoringOptions | None = None,
) -> None:
    """Score one night: a recording goes in, a folder of tables and a report come out.

    Parameters
    ----------
    file
        The recording: EDF, EDF+ or BDF, a ZMax folder, or the text of a Muse or OpenBCI.
    output
        Folder in which the night folder is made.
    hypnogram
        Stages to use in place of automatic ones: EDF+, CSV, XML or text of the common programs, or
        hypnogram-edited.csv as this night's report saves it.
    reference
        An expert's hypnogram to keep beside ours, for `eegsleep agree`.
    stages_by
        Probabilities of another stager to set beside ours: NAME=FILE, a table of epoch, W, N1, N2, N3 and R.
    events
        events-edited.csv as this night's report saves it: events that were rejected by hand are not counted.
    start
        Local time of the first sample, where the file's clock is wrong: 2026-01-31T23:15.
    bids
        Folder of a BIDS data set of derivatives, to which stages and events are written as well.
    """
    options = options or ScoringOptions()
    with show_steps(in_lines=True) as show_step:
        show_step("loading libraries")
        from eegsleep.batch.jobs_file import lock_night
        from eegsleep.freed_memory import keep_freed_memory
        from eegsleep.recording.recording import make_id
        from eegsleep.workflows.score import Job, score_file

        check_writable(output)
        if bids:
            check_writable(bids, option="--bids")
        options.check_used(hypnogram, reference)
        stager, other = parse_stager(stages_by)
        job = Job(
            file,
            hypnogram=hypnogram,
            reference=reference,
            events=events,
            stages_by=other,
            stager=stager,
            start=start,
            **options.for_job(),
        )
        with lock_night(output, make_id(file)):
            keep_freed_memory()
            night, folder = score_file(job, options.settings(), output)
    print_note(f"{night.verdict.verdict.capitalize()}: {' '.join(night.verdict.reasons)}")
    if night.verdict.verdict == "reject":
        print_note(
            "The tables were written, but the night is not usable; do not compare its numbers with other nights."
        )
    for note in (*options.describe_settings(), *(f"Note: {warning}" for warning in night.warnings)):
        print_note(note)
    print_result([folder / REPORT_FILE])
    if bids:
        from eegsleep.night.bids import write_bids

        print_result(write_bids(night, bids, recording=file)[::2])


def calibrate(folder: Path, *, output: Path = Path("calibration.json")) -> None:
    """Learn one person's own thresholds from all their scored nights, conditions unknown.

    Score the nights again with --calibration to use them.

    Parameters
    ----------
    folder
        Night folders of one person and one device, whatever was taken on which night.
    output
        Where the calibration is written.
    """
    with show_steps() as show_step:
        show_step("reading nights")
        from eegsleep.events.calibrate import calibrate_nights
        from eegsleep.events.calibration import check_replaced, save_calibration

        check_writable(output, is_file=True)
        check_replaced(output)
        learned = calibrate_nights(folder)
        save_calibration(learned, output)
    limits = ", ".join(f"{label} {value:.3g} µV" for label, value in learned.sigma_amplitude_uv.items())
    print_note(f"{learned.n_nights} nights; spindles from {limits}")
    print_result([output])


def agree(
    reference: Path,
    observed: Path | None = None,
    *,
    output: Path = Path("eegsleep-agreement"),
    coding: str | None = None,
    epoch: float | None = None,
    column: Names = None,
) -> None:
    """Compare two scorings of a night, or all nights of a folder with their experts' stages.

    Parameters
    ----------
    reference
        The expert's hypnogram, or a folder of nights scored with --reference.
    observed
        The other hypnogram, or a night folder.
    output
        Folder for the tables and the page.
    coding
        What integers in a hypnogram mean: rk, aasm, nsrr, ucddb and others.
    epoch
        Length of the epochs in seconds, where a hypnogram does not give it; by default 30, and 5 with
        --coding dreams.
    column
        Column of stages, where a table has several. Given twice, the first is for the reference and the second for
        the other; given once, it is for each of the two that has it.
    """
    with show_steps() as show_step:
        show_step("comparing stages")
        from eegsleep.report.agreement_page import describe_left_out
        from eegsleep.workflows.agree import agree_scorings

        check_writable(output)
        agreement, left_out, page, notes = agree_scorings(
            reference, observed, output=output, coding=coding, epoch_s=epoch, columns=tuple(column or ())
        )
    pooled = agreement.pooled.set_index(["measure", "pooling"])["value"]
    kappa, accuracy = pooled["kappa", "all epochs"], pooled["accuracy", "all epochs"]
    n = len(agreement.nights)
    words = "no kappa (the reference has a single stage)" if math.isnan(kappa) else f"kappa {kappa:.4f}"
    print_note(f"{n} night{'s' if n > 1 else ''}: {words}, accuracy {100 * accuracy:.2f} %")
    for sentence in notes:
        print_note(f"Note: {sentence}")
    for sentence in describe_left_out(left_out):
        print_note(f"Note: {sentence}")
    print_result([page])


def convert_hypnogram(
    file: Path,
    output: Path,
    *,
    coding: str | None = None,
    epoch: float | None = None,
    column: str | None = None,
    recording: Path | None = None,
    start: datetime | None = None,
) -> None:
    """Write a hypnogram for another program, in epochs of 30 s.

    Parameters
    ----------
    file
        The hypnogram, of any kind that `score` takes.
    output
        The file to write, which must not exist: .edf (EDF+ annotations), .tsv (BIDS events with its JSON file), .csv
        (a table), .json (YASA), .txt or .xml (EDFbrowser).
    coding
        What integers in the hypnogram mean: rk, aasm, nsrr, ucddb and others.
    epoch
        Length of its epochs in seconds, where its file does not give it; by default 30, and 5 with --coding dreams.
    column
        Column of stages, where a table has several.
    recording
        The recording that it belongs to; epochs are then those of the recording, and its start is used.
    start
        Local time of the first epoch, where no file gives it: 2026-01-31T23:15.
    """
    from eegsleep.workflows import convert

    notes = convert.convert_hypnogram(
        file, output, coding=coding, epoch_s=epoch, column=column, recording=recording, start=start
    )
    for note in notes:
        print_note(f"Note: {note}.")
    print_result([output])


def inspect(*files: Path, device: str | None = None, units: Labels = None, json: bool = False) -> int:
    """Show what recordings are, which channels would be used, and what is wrong with them.

    Exit code 0: all can be read. 1: some cannot. 2: none can.

    Parameters
    ----------
    files
        Recordings of any kind that `score` takes.
    device
        Name of a device preset; by default recognised from the file.
    units
        Unit of a channel whose header gives none or a wrong one: LABEL=uV.
    json
        Print one JSON list in place of text.
    """
    if not files:
        raise SettingsError("nothing to inspect", allowed="one or more files")
    with show_steps() as show_step:
        from eegsleep.recording.inspect import inspect_recording

        inspections = []
        for number, file in enumerate(files, start=1):
            show_step(f"inspecting {number} of {len(files)}")
            inspections.append(inspect_recording(file, device=device, units=parse_units(units)))
    if json:
        from eegsleep.provenance import encode_json

        print(encode_json([inspection.as_dict() for inspection in inspections]).decode(), end="")
    else:
        print("\n\n".join("\n".join(map(printable, describe_inspection(i))) for i in inspections))
    n_refused = sum(not inspection.readable for inspection in inspections)
    return 0 if not n_refused else 2 if n_refused == len(files) else 1


def describe_inspection(inspection: Inspection) -> list[str]:
    """Return what `inspect` prints of one file, line by line."""
    i = inspection
    if i.device is None:
        lines = [f"{i.file}: cannot be read"]
    else:
        start = f"starts {i.start:%Y-%m-%d %H:%M:%S}" if i.start else "start unknown"
        lines = [
            f"{i.file}: {i.kind}, {i.duration_s / 60:.1f} min, {start}, {len(i.channels)} channels",
            f"  device   {i.device.name}: {i.device.title}",
        ]
        known = {c["label"]: f" ({c['rate_hz']:g} Hz, {c['unit'] or 'no unit'})" for c in i.channels}
        lines += [f"  {role:<8} {label}{known.get(label, ' (by subtraction)')}" for label, role in i.derivations]
        others = [c["label"] for c in i.channels if not c["role"]]
        if others:
            lines.append(f"  unused   {', '.join(others[:12])}{f' and {len(others) - 12} more' if others[12:] else ''}")
        lines += [f"  known of this device: {fault}" for fault in i.device.faults]
    for fault in i.faults:
        value = f" [{fault.field + ': ' if fault.field else ''}{fault.value}]" if fault.value else ""
        lines.append(f"  {fault.severity}: {fault.as_note()}{value}")
    return lines if i.faults or i.device is None else [*lines, "  nothing wrong was found"]


def init(folder: Path = Path()) -> None:
    """Write a file of all settings for a folder; `score` and `batch` that are started in it use the file.

    Every setting stands in the file as a comment with its default; remove the # of those you want to change. The
    option --config comes before this file. The provenance of each night names the file that was used.

    Parameters
    ----------
    folder
        Where eegsleep.toml is written; by default here.
    """
    from eegsleep.config import list_settings
    from eegsleep.provenance import write_file

    path = folder / SETTINGS_FILE
    if path.exists():
        raise SettingsError(f"{path} is there already", remedy="edit it, or move it away and run `eegsleep init` again")
    folder.mkdir(parents=True, exist_ok=True)
    head = [
        "# Settings of every night that `eegsleep score` or `eegsleep batch` scores from this folder.",
        "# Remove the # before a setting to change it; --config FILE comes before this file.",
        "",
    ]
    lines = [line if not line or line.startswith("[") else f"# {line}" for line in list_settings()]
    write_file(path, "\n".join([*head, *lines]).encode())
    print_result([path])


def settings(*, config: Path | None = None) -> None:
    """Show every setting with its value and what it may be, as a file that --config takes.

    Parameters
    ----------
    config
        TOML file of settings; by default the values that are used without one.
    """
    from eegsleep.config import list_settings, load_settings

    print_result(list_settings(load_settings(config) if config else None))


def anonymize(
    file: Path,
    output: Path,
    *,
    keep: Labels = None,
    date: datetime | None = None,
    shift_days: Whole | None = None,
) -> None:
    """Write a copy of an EDF or BDF without names, dates and free text; every sample stays as it is.

    The EEG itself may still identify the sleeper, and so may the name you give the copy.

    Parameters
    ----------
    file
        The recording; it is not changed.
    output
        The copy; it must not exist yet.
    keep
        Annotation texts to keep beside sleep stages and lights; all others are removed.
    date
        A made-up start date, so that the nights of one sleeper keep their order: 2000-01-31.
    shift_days
        Days to add to the file's own date, in place of a made-up one: the same secret number for all nights.
    """
    from eegsleep.recording.edf.anonymize import anonymize_recording

    check_writable(output, is_file=True)
    day = date.date() if date else None
    for removed in anonymize_recording(file, output, keep_annotations=keep or (), shift_to=day, shift_days=shift_days):
        print_note(removed)
    print_result([output])
