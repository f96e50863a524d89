"""The commands that need no recording: simulate and demo."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from eegsleep.cli.console import print_result, show_steps
from eegsleep.cli.options import Labels, Whole  # noqa: TC001 - cyclopts reads the annotations
from eegsleep.errors import SettingsError
from eegsleep.provenance import check_writable


def simulate(
    folder: Path,
    *,
    nights: Whole = 1,
    seed: Whole = 0,
    hours: float = 8.0,
    rate_hz: float = 256.0,
    eeg: Labels = None,
    artefacts: Labels = None,
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
        How many nights, on as many evenings; each has the next seed.
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
    asked: dict[str, Any] = {
        "duration_h": hours,
        "rate_hz": rate_hz,
        "eeg": tuple(eeg) if eeg else None,
        "artefacts": tuple(artefacts) if artefacts else None,
        "fast_spindle_density_per_min": spindle_density,
        "slow_oscillation_rate_per_min": slow_oscillation_rate,
        "delta_background": delta_background,
        "electrode_gain": gain,
    }
    check_writable(folder)
    settings = replace(SimulationSettings(), **{name: value for name, value in asked.items() if value is not None})
    with show_steps() as show_step:
        for number in range(seed, seed + nights):
            show_step(f"simulating night {number - seed + 1} of {nights}")
            night = simulate_night(settings, number)
            night = replace(night, start=night.start + timedelta(days=number - seed))
            path = write_simulated_night(night, folder, f"sim-{number:04d}")
    print_result([path if nights == 1 else folder])


def demo(*, output: Path = Path("eegsleep-demo")) -> None:
    """Simulate a small study, compound against control, and work it out; needs no file and no network.

    Parameters
    ----------
    output
        Folder for the study: recordings, night folders and reports.
    """
    with show_steps() as show_step:
        show_step("planning a study")
        from eegsleep.demo import run_demo

        check_writable(output)

        planned, compared = run_demo(output)
    print_result([planned.plan.sentences[0], *compared.sentences])
    print_result([f"A simulated study of one sleeper, worked out. Open {compared.report.resolve()}"])
