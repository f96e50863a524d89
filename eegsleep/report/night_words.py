"""What the page of a night says in words: the night in a sentence, what is left out and why, keys, how to read it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from eegsleep.agreement.measure import score_confusion
from eegsleep.file_names import TRACE_FILE
from eegsleep.report.looks import STAGE_NAMES
from eegsleep.report.night_data import UNSURE_BELOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from eegsleep.night.night import Night
    from eegsleep.recording.recording import Recording

# A note on a hypnogram that was given begins with the name of its file.
_ABOUT_FILE = re.compile(r"[^:]{1,80}\.(csv|tsv|txt|edf|bdf|xml|json|hyp|st|ann): ", re.IGNORECASE)
# Notes on a recording that change what its numbers mean; all others are about how its file was written.
_WEIGHTY = ("unit", "scale", "clock", "date", "start", "cut-off", "dc-offset", "contact", "coarse-step", "gap", "lost")
STAGE_BUTTONS = (("W", "Wake"), ("1", "N1"), ("2", "N2"), ("3", "N3"), ("R", "REM"), ("X", "Unscored"))
SPANS_S = (
    (5, "5 s"),
    (10, "10 s"),
    (15, "15 s"),
    (30, "30 s"),
    (60, "1 min"),
    (120, "2 min"),
    (300, "5 min"),
    (600, "10 min"),
    (1800, "30 min"),
    (3600, "1 h"),
    (7200, "2 h"),
    (14400, "4 h"),
)
# name of the mark, its colour in the style sheet, words
MARKS = (
    ("spindles", "fast", "spindles (fast blue, slow amber)"),
    ("waves", "wave", "slow oscillations"),
    ("complexes", "k-complex", "K-complexes"),
    ("eyes", "eye", "eye movements"),
    ("annotations", "annotation", "annotations of the file"),
)
KEYS = (
    (("W", "1", "2", "3", "R"), "set the stage and go on"),
    (("X",), "unscored"),
    (("←", "→"), "epoch before, next epoch"),
    (("Shift ←", "Shift →"), "choose a range; a stage then holds for all of it"),
    (("Z", "Shift Z"), "undo, redo"),
    (("U",), "next unsure epoch"),
    (("D",), "next epoch that differs from the other scoring"),
    (("N",), "next epoch of the stage chosen beside “Next”"),
    (("A",), "arousal mark at the cursor, or at the start of the epoch"),
    (("[", "]"), "event before, next event"),
    (("Delete",), "reject the event chosen, or take it back"),
    (("+", "−"), "shorter, longer window"),
    (("Page up", "Page down"), "one window back, one on"),
    (("↑", "↓"), "larger, smaller amplitude"),
    (("F",), "next filter"),
    (("B",), "blind: hide our stages, probabilities and events"),
    (("S",), "save"),
    (("Esc",), "let go of range and event"),
)
READING = (
    (
        "Hypnogram",
        "The stage of each 30 s epoch, from wake (W, top) down to deep sleep (N3); REM (R) is the thick bar. "
        "A healthy night descends early into N3 and repeats in cycles of about 90 minutes (numbered below it), with N3 "
        "fading and REM lengthening towards morning. Shaded epochs are unsure; a gap could not be scored.",
    ),
    (
        "Probability",
        "The heights of the colours are the probabilities of the five stages and add up to one. One solid "
        "colour is a confident epoch; a mixture is an epoch on which experts, too, would disagree.",
    ),
    (
        "Spectrogram",
        "Power by frequency; brighter is stronger, in decibels (10 dB is ten times the power). Deep sleep "
        "lights up the lowest rows (slow waves, under 4 Hz), N2 adds flecks at 11–16 Hz (spindles), wake with closed "
        "eyes a line near 10 Hz (alpha). Blank columns are unusable.",
    ),
    ("Band power", "Slow-wave activity (0.5–4 Hz) and sigma (11–16 Hz) of the same channel, epoch by epoch."),
    (
        "Spindles and slow oscillations",
        "Events in 5-minute windows, per usable minute of N2 and N3. A window with less "
        "than one such minute is a gap, not a zero. Fast spindles (12.5 Hz and above) usually wax as N3 fades; slow "
        "oscillations are densest in the first cycles.",
    ),
    (
        "Quality",
        "Each row is a channel, each cell an epoch. Coloured epochs were set aside and count towards nothing "
        "on this page. Many together usually mean a loose electrode.",
    ),
    (
        "Clock",
        "Times are those of the recorder's clock, counted on from its start: a change to or from daylight saving "
        "within the night does not move them. The readout also gives the time since the start.",
    ),
)


def describe_night(markers: pd.DataFrame) -> str:
    """Return the night in a sentence; what could not be measured is left out of it."""
    night = markers[markers["stage"].eq("") & markers["channel"].eq("")]
    values = dict(zip(night["marker"], night["value"], strict=True))

    def known(name: str) -> bool:
        return math.isfinite(values.get(name, math.nan))

    if not known("tst_min"):
        return "The sleep of this night could not be measured."
    if not values["tst_min"]:
        return "No sleep was found in this night."
    slept = f"{_hours(values['tst_min'])} of sleep"
    if known("sleep_efficiency_percent"):
        in_bed = 100 * values["tst_min"] / values["sleep_efficiency_percent"]
        slept += f" in {_hours(in_bed)} of bed ({values['sleep_efficiency_percent']:.0f} %)"
    course = []
    if known("sol_min"):
        course.append(f"asleep after {values['sol_min']:.0f} min")
    if known("waso_min"):
        course.append(f"awake for {values['waso_min']:.0f} min after that")
    parts = [
        f"{values[name]:.0f} min of {spoken}"
        for name, spoken in (("n3_min", "deep sleep"), ("rem_min", "REM"))
        if known(name)
    ]
    if parts and known("nrem_rem_cycles"):
        n = int(values["nrem_rem_cycles"])
        parts[-1] += f" in {n} complete cycle{'' if n == 1 else 's'}" if n else ", no complete cycle"
    rest = "; ".join(", ".join(words) for words in (course, [" and ".join(parts)] if parts else []) if words)
    return f"{slept}: {rest}." if rest else f"{slept}."


def _hours(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def describe_trace(recording: Recording | None, trace: str) -> str:
    """Return what stands where the signal will be drawn, or why there is none."""
    if recording is None:
        return "The signal is not in this page: a night read back from its folder does not hold it."
    if trace == "none":
        return "The signal is not in this page: it was made with --trace none."
    return "The signal is being read …"


def describe_missing() -> str:
    """Return what the page says where the signal should lie beside it and does not."""
    return (
        f"Not drawn: the signal is in the file {TRACE_FILE} beside this page, and it is not there. Move the whole "
        "folder of the night, not a part of it."
    )


def sort_notes(night: Night, recording: Recording | None) -> tuple[list[str], list[str]]:
    """Return the warnings that change what a number means, and those on how the file was written."""
    light = {
        fault.as_note()
        for fault in (recording.faults if recording is not None else ())
        if fault.severity == "repaired" and not any(word in fault.code for word in _WEIGHTY)
    }
    weighty = [warning for warning in night.warnings if warning not in light]
    # what was odd in a hypnogram that was given comes after what was odd in the night
    weighty.sort(key=lambda warning: bool(_ABOUT_FILE.match(warning)))
    return weighty, [warning for warning in night.warnings if warning in light]


def describe_agreement(night: Night) -> str:
    """Return how far the stages agree with the expert's, or with those before they were edited, in a sentence."""
    expert = night.reference is not None
    other = night.reference if expert else night.before
    if other is None:
        return ""
    whose = "These stages and the expert's" if expert else "The edited stages and those before"
    names = np.array(list(STAGE_NAMES))
    pairs = [np.argmax(table["stage"].to_numpy(object)[:, None] == names, axis=1) for table in (other, night.stages)]
    both = other["stage"].isin(names).to_numpy() & night.stages["stage"].isin(names).to_numpy()
    if not both.any():
        return f"{whose} have no scored epoch in common."
    confusion = np.zeros((len(names), len(names)))
    np.add.at(confusion, tuple(row[both] for row in pairs), 1)
    accuracy, kappa = score_confusion(confusion)[:2]
    tail = f", kappa {kappa:.2f}" if math.isfinite(kappa) else ""
    n_differ = int(both.sum() - np.trace(confusion))
    return (
        f"{whose} agree on {100 * accuracy:.1f} % of {both.sum()} epochs{tail}; {n_differ} differ. Key D goes from one "
        "to the next."
    )


def describe_omitted(night: Night, data: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each panel that is left out."""
    found = []
    if not any(letter != "X" for letter in data["stages"]):
        found.append("The hypnogram is empty: no epoch of this recording has a stage.")
    elif data["probabilities"] is None:
        found.append(
            "Stage probabilities are left out: the hypnogram was given, not scored here, so there are none to draw."
        )
    if data["spectrogram"] is None:
        found.append(
            "The spectrogram is left out: it needs the signal, which a night read back does not hold."
            if night.spectrogram is None
            else "The spectrogram is left out: no epoch of its channel is usable."
        )
    if not any(value is not None for name in ("fast", "slow", "waves") for value in data["density"][name]):
        where = f"on {data['channel']}" if data["channel"] else "(the recording has no EEG derivation)"
        found.append(
            "Events per minute are left out: no 5-minute window holds a usable minute of N2 or N3 " + where + "."
        )
    if not data["quality"]:
        found.append("The quality strip is left out: the quality table has no row.")
    return found


def list_colours(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the key to colours that no label beside them explains: name of the colour, words."""
    letters = {"W": "W", "N1": "1", "N2": "2", "N3": "3", "R": "R"}
    found = [(f"stage-{letters[stage]}", name) for stage, name in STAGE_NAMES.items()]
    if data["probabilities"]:
        found.append(("unsure", f"unsure (no stage over {100 * UNSURE_BELOW:.0f} %)"))
    if data["reference"] or data["before"]:
        found.append(("differs", "differs from the " + ("expert" if data["reference"] else "stages before edits")))
    if data["annotations"]:
        found.append(("annotation", "annotation of the file"))
    kinds = {stretch[2] for stretches in data["quality"].values() for stretch in stretches}
    words = {"missing": "missing", "dead": "flat or clipped", "movement": "movement", "noise": "noise or lost contact"}
    return [
        *found,
        *(("usable", "usable") for _ in range(bool(data["quality"]))),
        *((kind, text) for kind, text in words.items() if kind in kinds),
    ]
