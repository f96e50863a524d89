"""The command `eegsleep`: words in, files out, one clear sentence when it cannot be done.

Exit 0: done. Exit 2: wrong usage or input.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import App, Parameter

from eegsleep.errors import EegSleepError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eegsleep.recording.read import Recording

app = App(
    name="eegsleep",
    help="Overnight EEG: stages, spindles and slow oscillations that can be compared between nights. "
    "Not a medical device.",
)


@app.command
def score(
    file: Path,
    *,
    output: Path = Path("eegsleep-nights"),
    hypnogram: Path | None = None,
    device: str = "generic",
    eeg: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    eog: str | None = None,
    emg: str | None = None,
    units: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    config: Path | None = None,
) -> None:
    """Score one night: an EDF goes in, a folder of tables and a report come out.

    Parameters
    ----------
    file
        The recording, EDF or EDF+.
    output
        Folder in which the night folder is made.
    hypnogram
        Stages to use in place of automatic ones: a CSV with onset_s and stage, one row a 30 s epoch.
    device
        Name of the preset; for now only "generic", which knows 10-20 labels.
    eeg
        Labels of the derivations to use, most trusted first.
    eog
        Label of an eye channel.
    emg
        Label of a chin channel.
    units
        Unit of a channel whose header gives none: LABEL=uV.
    config
        TOML file of settings.
    """
    if device != "generic":
        raise SettingsError("no such device preset", found=device, allowed="generic")
    with _progress() as say:
        say("loading libraries")
        from eegsleep.config import Settings, load_settings
        from eegsleep.recording.read import read_recording

        settings = load_settings(config) if config else Settings()
        say("reading the recording")
        recording = read_recording(file, eeg=eeg, eog=eog, emg=emg, units=_parse_units(units))
        folder, warnings = _score(recording, output, settings, hypnogram)
    for warning in warnings:
        _say_aside(f"Note: {warning}")
    print(folder / "report.html")


def _score(
    recording: Recording, output: Path, settings: object, hypnogram: Path | None = None
) -> tuple[Path, tuple[str, ...]]:
    """Analyze, render and save one recording; return its folder and warnings."""
    from eegsleep.night import analyze_night, save_night
    from eegsleep.report.pages import render_night
    from eegsleep.staging.hypnogram import read_stages

    stages = read_stages(hypnogram, recording.n_epochs) if hypnogram else None
    night = analyze_night(recording, settings, stages)
    return save_night(night, output, {"report.html": render_night(night)}), night.warnings


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
    from eegsleep.datasets.simulate import SimulationSettings, simulate_night, write_simulated_night

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
    """Simulate one night, score it and say where the report is; needs no file and no network.

    Parameters
    ----------
    output
        Folder for the recording and the night folder.
    """
    with _progress() as say:
        say("simulating a night")
        from eegsleep.datasets.simulate import SimulationSettings, simulate_night, write_simulated_night

        path = write_simulated_night(simulate_night(SimulationSettings(), seed=1), output, "demo-night")
        say("loading libraries")
        from eegsleep.config import Settings
        from eegsleep.recording.read import read_recording

        folder, _ = _score(read_recording(path), output, Settings())
    print(f"One simulated night, scored. Open {(folder / 'report.html').resolve()}")


def _parse_units(units: list[str] | None) -> dict[str, str]:
    pairs = {}
    for pair in units or []:
        label, equals, unit = pair.rpartition("=")
        if not (label and equals and unit):
            raise SettingsError("--units is not understood", found=pair, allowed="LABEL=uV")
        pairs[label] = unit
    return pairs


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
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except EegSleepError as error:
        _say_aside(f"eegsleep: {_printable(str(error))}")
        sys.exit(2)
    except cyclopts.CycloptsError as error:
        _say_aside(f"eegsleep: {_printable(str(error))} See eegsleep --help.")
        sys.exit(2)
    except KeyboardInterrupt:
        _say_aside("eegsleep: interrupted; nothing half-written was left.")
        sys.exit(130)


def _printable(text: str) -> str:
    """Return the text on one line without control characters, which a file's header may carry."""
    return "".join(c if c.isprintable() else " " for c in text)
