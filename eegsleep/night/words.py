"""The sentences of a night: its warnings, and the description of the methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegsleep.events.spindles import describe_method
from eegsleep.provenance import package_versions
from eegsleep.recording.channels.presets import find_device
from eegsleep.signals.epochs import EPOCH_MIN
from eegsleep.staging.lights import OFF_ALONE, Lights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.config import Settings
    from eegsleep.events.calibration import Calibration
    from eegsleep.events.polarity import Polarity
    from eegsleep.hypnograms.scoring import HandEdit
    from eegsleep.recording.recording import Recording

_LIGHTS_WORDS = {
    "user": "as given",
    "annotations": "as annotated in the file",
    "hypnogram": "as given with the hypnogram",
    "whole recording": "the first and the last epoch of the recording",
    "sleep": "not known; 30 min before and after the longest sleep of the recording",
    OFF_ALONE: "off as given; on is not known, and 30 min after the longest sleep was taken for it",
}


def collect_warnings(
    recording: Recording, stages: pd.DataFrame, lights: Lights, staged: dict[str, float]
) -> tuple[str, ...]:
    """Return the warnings of a night, except those of the verdict on its signals.

    Parameters
    ----------
    recording : Recording
    stages : pandas.DataFrame
        Table `HYPNOGRAM`.
    lights : Lights
    staged : dict of str to float
        The channels that were staged, empty for stages that were given.

    Returns
    -------
    tuple of str
        Sentences.
    """
    found = list(recording.notes)
    unscored = int((stages["stage"].iloc[lights.epochs(len(stages))] == "UNS").sum())
    if unscored:
        found.append(f"{unscored * EPOCH_MIN:g} min are unscored; they count neither as wake nor as sleep.")
    left_out = [label for label in recording.derivations if staged and label not in staged]
    if left_out:
        found.append(f"{', '.join(left_out)}: mostly not usable, and not used for staging.")
    if not lights.known:
        found.append(
            "Lights off is not known. The longest sleep of the recording was taken as the night, with 30 min on both "
            "sides; latencies and efficiency are not known. Give --lights-off and --lights-on."
        )
    elif not lights.on_known:
        found.append(
            "Lights on is not known, and the recording is longer than a night. The night was taken to end 30 min "
            "after its longest sleep; time in bed, efficiency and wake after sleep onset are not known. Give "
            "--lights-on."
        )
    return tuple(found)


def describe_uncalibrated(recording: Recording, calibration: Calibration | None) -> list[str]:
    """Return a warning for each derivation that a calibration has no threshold for."""
    if calibration is None:
        return []
    limits = {"spindles": calibration.sigma_amplitude_uv, "slow oscillations": calibration.so_amplitude_uv}
    return [
        f"{label}: the calibration has no threshold for {spoken} on this derivation; they are counted as without a "
        "calibration, and cannot be compared with calibrated nights."
        for label in recording.derivations
        for spoken, known in limits.items()
        if label not in known
    ]


def describe_inverted(polarity: Mapping[str, Polarity]) -> list[str]:
    """Return a warning for each channel whose NREM sleep looks upside down."""
    return [
        f"{label}: this channel seems to be inverted: the down states of its slow waves point up (z "
        f"{found.z:.1f}). That shifts the phase of coupling by half a turn and changes slow oscillations and stages. "
        f"Check the electrodes; --invert {label} turns it round."
        for label, found in polarity.items()
        if found.verdict == "inverted"
    ]


def describe_differing_views(markers: pd.DataFrame) -> list[str]:
    """Return a warning for each channel on which the counts of the absolute and the relative view differ twofold."""
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
                    "multiples of the night's own signal. Amplitudes here differ from those the limits were made "
                    "for; compare only nights of the same electrode, and do not rely on one view alone."
                )
    return found


def _describe_gains(gains: dict[str, float]) -> str:
    """Return by how much each channel was multiplied for staging, as a clause."""
    if all(gain == 1 for gain in gains.values()):
        return ", as recorded"
    factors = ", ".join(f"{label} × {gain:.2f}" for label, gain in gains.items())
    return f", each channel brought to the level YASA was trained at, so that gain changes no stage ({factors})"


def describe_methods(
    recording: Recording,
    settings: Settings,
    lights: Lights,
    staged: dict[str, float],
    gains: dict[str, float],
    edit: HandEdit | None = None,
) -> tuple[str, ...]:
    """Describe the methods of a night with settings and sources, for its report.

    Parameters
    ----------
    recording : Recording
    settings : Settings
    lights : Lights
    staged : dict of str to float
        The channels that were staged, empty for stages that were given.
    gains : dict of str to float
        The factor each was brought to the level of YASA's training with.

    Returns
    -------
    tuple of str
        Paragraphs.
    """
    versions = package_versions()
    preset = find_device(recording.device)
    s, w = settings, settings.slow_oscillations
    scored = (
        f"Stages: YASA {versions['yasa']} (doi:10.7554/eLife.70092) on {', '.join(staged)}, 30 s epochs, "
        f"unfiltered signal{_describe_gains(gains)}; the probabilities of several derivations are averaged, weighted "
        "by their shares of usable epochs. Epochs in which none is usable are unscored. Confidence is calibrated on "
        "simulated nights and one real recording; the 95 % intervals of sleep statistics cover unsure stages, and not "
        "whether YASA suits this device. "
        f"On this device ({preset.title}): {preset.validation}"
        if staged
        else "Stages: given by the user."
    )
    if edit:
        who = ", ".join(edit.scorers) or "a person who gave no name"
        scored = (
            f"Stages: as on an earlier page of this night, with {edit.n_changed} epochs edited by hand by {who} (last "
            f"{edit.last or 'at an unknown time'}). The stages before are kept in hypnogram-before.csv."
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
        "with the same settings; audit.csv holds how many were found. What is counted by multiples of the night's own "
        "signal is planted in such multiples, what is counted by microvolts in microvolts.",
        "The five largest waves of each minute show amplitude without a threshold.",
        f"Coupling: a spindle is coupled when its centre lies within {s.coupling.window_s:g} s of the negative peak of "
        f"a wave of the {'relative' if s.coupling.relative_waves else 'absolute'} view. Share and strength are of all "
        "spindles, less what chance gives at this number of waves, and corrected for the number of spindles.",
        "Spectra: multitaper over 30 s epochs; aperiodic exponent by a straight line through "
        f"{s.spectrum.exponent_hz[0]:g}–{s.spectrum.exponent_hz[1]:g} Hz of spectra of 4 s (Hann window); sigma above "
        "the background by IRASA. Densities and powers rest on usable epochs only.",
    )
