"""The commands that print what eegsleep knows: markers, devices, codings, faults and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegsleep.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence


def markers(*names: str, json: bool = False) -> list[str]:
    """List the markers of a night; with names, describe these in full, with formula, unit, direction and source.

    Parameters
    ----------
    names
        Names of markers, or beginnings of names; by default all are listed with one line each.
    json
        Print everything that is known of them as one JSON list.
    """
    from eegsleep.workflows.reference import describe_markers

    return _print_rows(describe_markers(), names, "meaning", json=json)


def devices(*names: str, json: bool = False) -> list[str]:
    """List the device presets; with names, describe these in full: channels, filters, known faults, evidence.

    Parameters
    ----------
    names
        Names of presets, or beginnings of names; by default all are listed with one line each.
    json
        Print everything that is known of them as one JSON list.
    """
    from eegsleep.workflows.reference import describe_devices

    return _print_rows(describe_devices(), names, "title", json=json)


def codings(*names: str, json: bool = False) -> list[str]:
    """List the meanings that integers in a hypnogram can have, for --coding.

    Parameters
    ----------
    names
        Names of codings, or beginnings of names; by default all are listed with one line each.
    json
        Print everything that is known of them as one JSON list.
    """
    from eegsleep.workflows.reference import describe_codings

    return _print_rows(describe_codings(), names, "integers", json=json)


def faults(*names: str, json: bool = False) -> list[str]:
    """List the codes of what can be wrong with a recording; with codes, also what to do.

    Parameters
    ----------
    names
        Codes, or beginnings of codes; by default all are listed with one line each.
    json
        Print everything that is known of them as one JSON list.
    """
    from eegsleep.workflows.reference import describe_faults

    return _print_rows(describe_faults(), names, "meaning", json=json)


def tables(*names: str, json: bool = False) -> list[str]:
    """List the columns of every table that is written, as table.column.

    Parameters
    ----------
    names
        Names of tables or columns, or beginnings of them; by default all are listed with one line each.
    json
        Print everything that is known of them as one JSON list.
    """
    from eegsleep.workflows.reference import describe_tables

    return _print_rows(describe_tables(), names, "meaning", json=json)


def _print_rows(rows: list[dict[str, str]], names: Sequence[str], summary: str, *, json: bool) -> list[str]:
    """Return the lines of a list: one a row, or one a field where rows are named.

    Raises
    ------
    SettingsError
        If a name begins no name of the list.
    """
    chosen = rows
    if names:
        for name in names:
            if not any(row["name"].startswith(name) for row in rows):
                import difflib

                known = [row["name"] for row in rows]
                near = difflib.get_close_matches(name, known, n=3) or known[:10]
                raise SettingsError("nothing has that name", found=name, allowed=f"names such as {', '.join(near)}")
        exact = [row for row in rows if row["name"] in names]
        chosen = exact if len(exact) == len(set(names)) else [r for r in rows if r["name"].startswith(tuple(names))]
    if json:
        from eegsleep.provenance import encode_json

        return encode_json(chosen).decode().splitlines()
    width = max(len(row["name"]) for row in chosen)
    if not names:
        return [f"{row['name']:<{width}}  {row[summary]}" for row in chosen]
    lines = []
    for row in chosen:
        fields = {field.replace("_", " "): text for field, text in row.items() if field != "name" and text}
        lines += [row["name"], *(f"  {field + ':':<17} {text}" for field, text in fields.items()), ""]
    return lines[:-1]
