"""Every catalogue of eegsleep as rows of text: for `eegsleep markers` and its kin, and for the documentation.

A row is a dictionary from the name of a field to its text. Each has a `name` that no other row of its list has.
"""

from __future__ import annotations

import dataclasses
from typing import get_type_hints

_DIRECTIONS = {"+": "more is better", "-": "less is better", "0": "neither more nor less is better by itself"}
NO_REMEDY = "Nothing needs to be done: the file is read, and the report mentions it."


def describe_markers() -> list[dict[str, str]]:
    """Return every marker with its meaning, formula, unit, direction, smallest effect and source.

    Returns
    -------
    list of dict
        With the fields name, label, family, meaning, formula, unit, direction, smallest_effect and source.
    """
    from eegsleep.markers.catalogue import CATALOGUE, FAMILIES
    from eegsleep.markers.formulas import FORMULAS

    rows = []
    for name, marker in CATALOGUE.items():
        effect = marker.smallest_effect
        rows.append(
            {
                "name": name,
                "label": marker.label,
                "family": FAMILIES[marker.family],
                "meaning": marker.meaning,
                "formula": FORMULAS[name].formula,
                "unit": marker.unit or "none",
                "direction": _DIRECTIONS[marker.direction],
                "smallest_effect": _describe_effect(effect, marker.smallest_effect_unit),
                "source": FORMULAS[name].source,
            }
        )
    return rows


def _describe_effect(effect: float | None, unit: str) -> str:
    if effect is None:
        return "none: this marker is not an outcome"
    if unit == "SD":
        return f"{effect:g} standard deviations between nights of one person (no published value)"
    return f"{effect:g} {unit} (Edinger et al. 2021, PMC7853211, table 3)"


def describe_devices() -> list[dict[str, str]]:
    """Return every device preset with its channels, filters, known faults and evidence.

    Returns
    -------
    list of dict
        With the fields name, title, recognised, eeg, eog, emg, filter, validation, faults and source.
    """
    from eegsleep.recording.channels.presets import Device, load_devices

    def join(derivations: tuple[tuple[str, ...], ...]) -> str:
        return ", ".join(" or ".join(spellings) for spellings in derivations)

    def row(device: Device) -> dict[str, str]:
        by_label = "chosen by label: central and frontal derivations against the mastoid first"
        return {
            "name": device.name,
            "title": device.title,
            "recognised": _describe_signatures(device),
            "eeg": join(device.eeg) or by_label,
            "eog": join(device.eog) or ("none" if device.eeg else "chosen by label"),
            "emg": join(device.emg) or ("none" if device.eeg else "chosen by label"),
            "filter": device.filter or "not known",
            "validation": device.validation,
            "faults": "; ".join(device.faults) or "none known",
            "source": ", ".join(device.source) or "none: this preset describes no device",
        }

    return [row(device) for device in load_devices().values()]


def _describe_signatures(device: object) -> str:
    ways = []
    for signature in getattr(device, "recognised", ()):
        conditions = [
            f"the kind of file is {' or '.join(signature.kinds)}" if signature.kinds else "",
            f"the header mentions {' or '.join(signature.text)}" if signature.text else "",
            f"it has the channels {', '.join(signature.labels)}" if signature.labels else "",
            "it has no other EEG" if signature.only else "",
        ]
        ways.append(" and ".join(condition for condition in conditions if condition))
    return "; or ".join(ways) or "by --device only, or where no other preset fits"


def describe_settings() -> list[dict[str, str]]:
    """Return every setting of one night with its default, what it may be, and its meaning.

    Returns
    -------
    list of dict
        With the fields name (as in `spindles.band_hz`), default, allowed and meaning.
    """
    from eegsleep.config import Settings, as_toml, describe_range, find_meanings

    rows = []
    for step in dataclasses.fields(Settings):
        values = getattr(Settings(), step.name)
        meanings = find_meanings(type(values))
        for setting, kind in get_type_hints(type(values)).items():
            name = f"{step.name}.{setting}"
            rows.append(
                {
                    "name": name,
                    "default": as_toml(getattr(values, setting)),
                    "allowed": describe_range(name, kind),
                    "meaning": meanings[setting],
                }
            )
    return rows


def describe_codings() -> list[dict[str, str]]:
    """Return every coding of stages as integers, with its source.

    Returns
    -------
    list of dict
        With the fields name, meaning, integers and epoch_s.
    """
    from eegsleep.hypnograms.codings import CODING_EPOCHS_S, CODING_MEANINGS, CODINGS

    return [
        {
            "name": name,
            "meaning": CODING_MEANINGS.get(name, ""),
            "integers": ", ".join(f"{number} = {stage}" for number, stage in sorted(codes.items())),
            "epoch_s": f"{CODING_EPOCHS_S.get(name, 30.0):g}",
        }
        for name, codes in CODINGS.items()
    ]


def describe_faults() -> list[dict[str, str]]:
    """Return every fault code that a reader of recordings reports, with its meaning and remedy.

    Returns
    -------
    list of dict
        With the fields name, meaning and remedy.
    """
    from eegsleep.recording.faults import FAULTS

    return [
        {"name": code, "meaning": fault.meaning, "remedy": fault.remedy or NO_REMEDY} for code, fault in FAULTS.items()
    ]


def describe_tables() -> list[dict[str, str]]:
    """Return every column of every table that eegsleep writes.

    Returns
    -------
    list of dict
        With the fields name (as in `spindles.onset_s`), row (what one row of the table is), kind, unit, meaning and
        levels (the values that it may hold; empty for any).
    """
    from eegsleep import tables

    declared = {table.name: table for table in vars(tables).values() if isinstance(table, tables.Table)}
    for group in vars(tables).values():
        if isinstance(group, tuple):
            declared |= {table.name: table for table in group if isinstance(table, tables.Table)}
    return [
        {
            "name": f"{table.name}.{column.name}",
            "row": table.row,
            "kind": column.kind,
            "unit": column.unit,
            "meaning": column.meaning,
            "levels": "; ".join(f"{level or 'empty'}: {meaning}" for level, meaning in column.levels.items()),
        }
        for table in declared.values()
        for column in table.columns
    ]
