"""What a compound can be for, and the endpoints that follow: chosen before the nights, not after."""

from __future__ import annotations

from typing import NamedTuple

from eegsleep.errors import SettingsError


class Aim(NamedTuple):
    """One aim.

    Attributes
    ----------
    words : str
        What the compound is for.
    primary : str
        The endpoint that decides.
    families : tuple of str
        The families in the order in which they are then tested.
    """

    words: str
    primary: str
    families: tuple[str, ...]


AIMS = {
    "falling-asleep": Aim("bring sleep sooner", "sol_min||", ("A", "B", "C", "D", "E")),
    "longer-sleep": Aim("lengthen sleep", "tst_min||", ("A", "B", "C", "D", "E")),
    "deep-sleep": Aim("deepen sleep", "swa_power_uv2|NREM|C3", ("B", "A", "D", "C", "E")),
    "rem-sleep": Aim("change REM sleep", "rem_min||", ("C", "A", "B", "D", "E")),
    "spindles": Aim("make more sleep spindles", "fast_spindle_density_per_min|NREM|C3", ("D", "B", "A", "C", "E")),
    "next-day": Aim("improve the next day", "day_pvt_speed||", ("E", "A", "B", "D", "C")),
}


def find_aim(name: str) -> Aim:
    """Return an aim by its name.

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    if name not in AIMS:
        raise SettingsError("there is no such aim of a compound", found=name, allowed=", ".join(AIMS))
    return AIMS[name]


def set_endpoints(template: str, aim: Aim) -> str:
    """Return a study file with the question, the primary endpoint and the order of families of an aim."""
    marker = aim.primary.split("|", maxsplit=1)[0]
    families = ", ".join(f'"{family}"' for family in aim.families)
    written = {
        "question": f'question = "Does compound X {aim.words}?"   # registered with the plan',
        "primary": f'primary = ["{aim.primary}"]',
        "families": f"families = [{families}]   # in the order in which they are tested",
        "fast_spindle_density_per_min": f'{marker} = [0.5, "SD"]',
    }
    lines = [written.get(line.split(" = ")[0], line) for line in template.splitlines()]
    return "\n".join(lines) + "\n"
