"""Declared interim looks: when one may be taken, and which alpha belongs to the nights that are at hand."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from eegsleep.errors import SettingsError
from eegsleep.statistics.looks import spend_alpha
from eegsleep.study.masking.registration import append_record, read_protocol_file, read_record

if TYPE_CHECKING:
    from eegsleep.study.declared.protocol import Study


def count_recorded(study: Study) -> int:
    """Return how many nights with a condition were recorded of the sleeper who has fewest."""
    given = study.nights[study.nights["condition"] != ""]
    counts = (given["file"] != "").groupby(given["subject"]).sum()
    return int(counts.min()) if len(counts) else 0


def spend_at_stage(study: Study) -> Study:
    """Return the study with the alpha of the stage that its nights have reached; unchanged without declared looks.

    Parameters
    ----------
    study : Study
        With its nights. At a look that stopped it, it has the alpha of that look, else that of the end.
    """
    looks = study.planned.looks
    if not looks:
        return study
    shares = spend_alpha(study.alpha, looks, study.planned.nights)
    n = count_recorded(study)
    return dataclasses.replace(study, alpha=shares[looks.index(n)] if n in looks else shares[-1])


def check_look(study: Study) -> None:
    """Check that an interim look was registered for the nights at hand, and not taken yet.

    Raises
    ------
    SettingsError
    """
    n, looks = count_recorded(study), study.planned.looks
    if n not in looks:
        raise SettingsError(
            "no interim look was declared for this many nights",
            found=f"{n} nights recorded",
            allowed=", ".join(map(str, looks)) or "none: study.toml declares no looks",
            remedy="record on to the next look; a look that was not planned finds too much",
        )
    registered = read_protocol_file(study.path.parent)
    declared = tuple(registered["protocol"]["planned"].get("looks", ())) if registered else ()
    if declared != looks:
        raise SettingsError(
            "the looks are not those that were registered",
            found=", ".join(map(str, looks)),
            allowed=", ".join(map(str, declared)) or "none",
            remedy="restore those of the plan; a look that is added later can be chosen to suit",
        )
    entries, _ = read_record(study.path.parent)
    if any(entry["event"] == "looked" and entry.get("nights") == str(n) for entry in entries):
        raise SettingsError("this look was taken already", found=f"{n} nights", remedy="record on to the next one")


def record_look(study: Study, n_nights: int, *, stop: bool) -> None:
    """Write into the record of the study that a look was taken, and what it decided."""
    decision = "stop" if stop else "go on"
    append_record(study.path.parent, "looked", nights=str(n_nights), decision=decision)
