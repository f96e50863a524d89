"""The command `eegsleep`: words in, files out, one clear sentence when it cannot be done.

Exit 0: done. Exit 1: some files failed. Exit 2: wrong usage or input.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import datetime  # noqa: TC003 - cyclopts reads the annotations
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import App, Parameter

from eegsleep.cli import batch as batch_cli
from eegsleep.cli import fetch as fetch_cli
from eegsleep.cli import study as study_cli
from eegsleep.errors import EegSleepError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eegsleep.recording.inspect import Inspection

app = App(
    name="eegsleep",
    help="Overnight EEG: stages, spindles and slow oscillations that can be compared between nights. "
    "Not a medical device.",
    suppress_keyboard_interrupt=False,  # `main` says what became of the work
)


@app.command
def score(
    file: Path,
    *,
    output: Path = Path("eegsleep-nights"),
    hypnogram: Path | None = None,
    device: str | None = None,
    eeg: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    eog: str | None = None,
    emg: str | None = None,
    units: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    start: datetime | None = None,
    lights_off: str | None = None,
    lights_on: str | None = None,
    coding: str | None = None,
    reference: Path | None = None,
    calibration: Path | None = None,
    config: Path | None = None,
) -> None:
    """Score one night: a recording goes in, a folder of tables and a report come out.

    Parameters
    ----------
    file
        The recording: EDF, EDF+ or BDF, a ZMax folder, or the text of a Muse or OpenBCI.
    output
        Folder in which the night folder is made.
    hypnogram
        Stages to use in place of automatic ones: EDF+, CSV, XML or text of the common programs.
    device
        Name of a device preset, such as muse or sleep-edf; by default recognised from the file.
    eeg
        Labels of the derivations to use, most trusted first; C4-M1 may be made from C4 and M1.
    eog
        Label of an eye channel.
    emg
        Label of a chin channel.
    units
        Unit of a channel whose header gives none or a wrong one: LABEL=uV.
    start
        Local time of the first sample, where the file's clock is wrong: 2026-01-31T23:15.
    lights_off
        Clock time at which the lights went out: 23:15. Sleep statistics count from here.
    lights_on
        Clock time at which they went on: 07:00.
    coding
        What integers in a hypnogram mean: rk, aasm, nsrr, ucddb and others.
    reference
        An expert's hypnogram to keep beside ours, for `eegsleep agree`.
    calibration
        The person's own thresholds, as `eegsleep calibrate` writes them.
    config
        TOML file of settings.
    """
    with _progress() as say:
        say("loading libraries")
        from eegsleep.config import Settings, load_settings
        from eegsleep.workflows.score import Job, score_file

        settings = load_settings(config) if config else Settings()
        job = Job(
            file, device=device, eeg=tuple(eeg) if eeg else None, eog=eog, emg=emg,
            units=tuple(batch_cli.parse_units(units).items()), start=start, lights_off=lights_off, lights_on=lights_on,
            hypnogram=hypnogram, reference=reference, coding=coding, calibration=calibration,
        )  # fmt: skip
        night, folder = score_file(job, settings, output)
    _say_aside(f"{night.verdict.verdict.capitalize()}: {' '.join(night.verdict.reasons)}")
    for warning in night.warnings:
        _say_aside(f"Note: {_printable(warning)}")
    print(folder / "report.html")


@app.command
def calibrate(folder: Path, *, output: Path = Path("calibration.json")) -> None:
    """Learn one person's own thresholds from all their scored nights, conditions unknown.

    Score the nights again with --calibration to count with them.

    Parameters
    ----------
    folder
        Night folders of one person and one device, whatever was taken on which night.
    output
        Where the calibration is written.
    """
    with _progress() as say:
        say("reading nights")
        from eegsleep.events.calibrate import calibrate_nights
        from eegsleep.provenance import encode_json, write_file

        learned = calibrate_nights(folder)
        write_file(output, encode_json(learned.as_dict()))
    limits = ", ".join(f"{label} {value:.3g} µV" for label, value in learned.sigma_amplitude_uv.items())
    _say_aside(f"{learned.n_nights} nights; spindles from {limits}")
    print(output)


@app.command
def agree(
    reference: Path,
    observed: Path | None = None,
    *,
    output: Path = Path("eegsleep-agreement"),
    coding: str | None = None,
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
    """
    with _progress() as say:
        say("comparing stages")
        from eegsleep.agreement.measure import measure_agreement, save_agreement
        from eegsleep.agreement.pairs import collect_pairs, find_unpaired, pair_scorings
        from eegsleep.report.agreement_page import render_agreement, tell_left_out

        pairs = [pair_scorings(reference, observed, coding=coding)] if observed else collect_pairs(reference)
        left_out = {} if observed else find_unpaired(reference)
        agreement = measure_agreement(pairs)
        names = (reference.name, observed.name) if observed else ("expert", "eegsleep")
        page = render_agreement(agreement, reference=names[0], observed=names[1], left_out=left_out)
        folder = save_agreement(agreement, output, {"agreement.html": page})
    pooled = agreement.pooled.set_index(["measure", "pooling"])["value"]
    kappa, accuracy = pooled["kappa", "all epochs"], pooled["accuracy", "all epochs"]
    _say_aside(f"{len(pairs)} night{'s' if len(pairs) > 1 else ''}: kappa {kappa:.2f}, accuracy {100 * accuracy:.1f} %")
    for sentence in tell_left_out(left_out):
        _say_aside(f"Note: {_printable(sentence)}")
    print(folder / "agreement.html")


@app.command
def inspect(
    *files: Path,
    device: str | None = None,
    units: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    json: bool = False,
) -> int:
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
    with _progress() as say:
        from eegsleep.recording.inspect import inspect_recording

        inspections = []
        for number, file in enumerate(files, start=1):
            say(f"inspecting {number} of {len(files)}")
            inspections.append(inspect_recording(file, device=device, units=batch_cli.parse_units(units)))
    if json:
        from eegsleep.provenance import encode_json

        print(encode_json([inspection.as_dict() for inspection in inspections]).decode(), end="")
    else:
        print("\n\n".join("\n".join(map(_printable, describe_inspection(i))) for i in inspections))
    n_refused = sum(not inspection.readable for inspection in inspections)
    return 0 if not n_refused else 2 if n_refused == len(files) else 1


@app.command
def anonymize(
    file: Path,
    output: Path,
    *,
    keep: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    date: datetime | None = None,
) -> None:
    """Write a copy of an EDF or BDF without names, dates and free text; every sample stays as it is.

    The EEG itself may still tell who slept, and so may the name you give the copy.

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
    """
    from eegsleep.recording.edf.anonymize import anonymize_recording

    day = date.date() if date else None
    for removed in anonymize_recording(file, output, keep_annotations=keep or (), shift_to=day):
        _say_aside(_printable(removed))
    print(output)


@app.command
def simulate(
    folder: Path,
    *,
    nights: int = 1,
    seed: int = 0,
    hours: float = 8.0,
    rate_hz: float = 256.0,
    eeg: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    artefacts: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    spindle_density: float | None = None,
    slow_oscillation_rate: float | None = None,
    delta_background: float | None = None,
    gain: float | None = None,
) -> None:
    """Simulate nights whose stages, spindles and slow oscillations are known.

    Parameters
    ----------
    folder
        Where the recordings and their truth tables are written.
    nights
        How many nights; each has the next seed.
    seed
        Seed of the first night; the same seed gives the same night.
    hours
        Length of each night.
    rate_hz
        Sampling rate.
    eeg
        Labels of the derivations, such as F3-M2 C4-M1.
    artefacts
        Kinds of artefact to plant, such as flat, clipped, movement.
    spindle_density
        Fast spindles a minute of N2.
    slow_oscillation_rate
        Slow oscillations a minute of N3.
    delta_background
        Factor on the 0.5–4 Hz background.
    gain
        Electrode gain of the EEG.
    """
    from eegsleep.simulation.night import SimulationSettings, simulate_night, write_simulated_night

    if nights < 1:
        raise SettingsError("nothing to simulate", found=f"{nights} nights", allowed="1 and more")
    asked = {
        "eeg": tuple(eeg) if eeg else None,
        "artefacts": tuple(artefacts) if artefacts else None,
        "fast_spindle_density_per_min": spindle_density,
        "slow_oscillation_rate_per_min": slow_oscillation_rate,
        "delta_background": delta_background,
        "electrode_gain": gain,
    }
    settings = SimulationSettings(
        duration_h=hours,
        rate_hz=rate_hz,
        **{name: value for name, value in asked.items() if value is not None},
    )
    with _progress() as say:
        for number in range(seed, seed + nights):
            say(f"simulating night {number - seed + 1} of {nights}")
            path = write_simulated_night(simulate_night(settings, number), folder, f"sim-{number:04d}")
    print(path if nights == 1 else folder)


@app.command
def demo(*, output: Path = Path("eegsleep-demo")) -> None:
    """Simulate a small study, compound against control, and work it out; needs no file and no network.

    Parameters
    ----------
    output
        Folder for the study: recordings, night folders and reports.
    """
    with _progress() as say:
        say("planning a study")
        from eegsleep.demo import run_demo

        *said, report = run_demo(output)
    for line in said:
        print(_printable(line))
    print(f"A simulated study of one sleeper, worked out. Open {Path(report).resolve()}")


def describe_inspection(inspection: Inspection) -> list[str]:
    """Return what `inspect` prints of one file, line by line."""
    i = inspection
    if i.device is None:
        lines = [f"{i.file}: cannot be read"]
    else:
        start = f"starts {i.start:%Y-%m-%d %H:%M:%S}" if i.start else "start unknown"
        lines = [f"{i.file}: {i.kind}, {i.duration_s / 60:.1f} min, {start}, {len(i.channels)} channels",
                 f"  device   {i.device.name}: {i.device.title}"]  # fmt: skip
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


@contextmanager
def _progress() -> Iterator:
    """Show on a terminal which step is running; say nothing where nobody looks."""
    import logging

    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting") as status:

        def say(step: str) -> None:
            status.update(f"{step[0].upper()}{step[1:]} …")

        handler = logging.Handler(logging.INFO)
        handler.emit = lambda record: say(record.getMessage())
        logger = logging.getLogger("eegsleep")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield say
        finally:
            logger.removeHandler(handler)


def _say_aside(text: str) -> None:
    print(text, file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; errors of ours become one sentence and exit code 2."""
    import logging

    # what is worth saying is said below; without a handler, logging would say it once more
    logging.getLogger("eegsleep").addHandler(logging.NullHandler())
    try:
        sys.exit(app(arguments, exit_on_error=False, print_error=False) or 0)
    except EegSleepError as error:
        _say_aside(f"eegsleep: {_printable(str(error))}")
        sys.exit(2)
    except cyclopts.CycloptsError as error:
        _say_aside(f"eegsleep: {_printable(str(error))} See eegsleep --help.")
        sys.exit(2)
    except BrokenPipeError:  # whoever read our lines has had enough, as `head` does
        sys.stdout = None  # or the interpreter would try to write the rest at its end
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that cannot be written: files are whole or absent all the same
        where = f"{error.filename}: " if error.filename else ""
        _say_aside(
            f"eegsleep: {_printable(f'{where}{error.strerror or error}')}; check the path and the room on the disk."
        )
        sys.exit(2)
    except KeyboardInterrupt:
        _say_aside("eegsleep: interrupted; nothing half-written was left.")
        sys.exit(130)


def _printable(text: str) -> str:
    """Return the text on one line without control characters, which a file's header may carry."""
    return "".join(c if c.isprintable() else " " for c in text)


def _saying(command: Callable[..., list[str] | tuple[list[str], int]]) -> Callable[..., int]:
    """Return a command that shows its progress, then prints the lines it returned; it may return an exit code, too."""

    @wraps(command)
    def run(*arguments: object, **options: object) -> int:
        with _progress():
            said = command(*arguments, **options)
        lines, code = said if isinstance(said, tuple) else (said, 0)
        for line in lines:
            print(_printable(line))
        return code

    return run


app.command(batch_cli.batch)
app.command(_saying(fetch_cli.fetch))
study_app = App(name="study", help="A study of many nights, compound against control.")
study_app.command(_saying(study_cli.init))
for _command in (study_cli.plan, study_cli.lock, study_cli.compare):
    app.command(_saying(_command))
app.command(study_app)
