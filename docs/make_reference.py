"""Write the reference pages from the code: commands, settings, tables, markers, devices, codings, faults, Python.

Sphinx calls `write_reference` before it reads the pages. `tests/contracts/test_reference.py` checks that every command,
option, setting, column, marker, preset, coding and fault code is on them and is described.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
import typing
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import eegsleep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cyclopts import App

PACKAGE = Path(eegsleep.__file__).parent


def write_reference(folder: Path) -> None:
    """Write every generated page into the folder."""
    pages = {
        "commands": commands_page,
        "settings": settings_page,
        "tables": tables_page,
        "markers": markers_page,
        "devices": devices_page,
        "codings": codings_page,
        "faults": faults_page,
        "python": python_page,
    }
    for name, page in pages.items():
        (folder / f"{name}.md").write_text("\n".join(page()) + "\n", encoding="utf-8")


def describe_commands() -> list[dict[str, Any]]:
    """Return every command: its name, summary, text, and options as rows of name, kind, default and meaning."""
    from docstring_parser import DocstringStyle, parse

    from eegsleep.cli.main import app

    commands = []
    for name, command in _walk(app):
        if command.default_command is None:
            continue
        described = parse(inspect.getdoc(command.default_command) or "", DocstringStyle.NUMPYDOC)
        options = [
            _describe_option(one) for one in command.assemble_argument_collection(parse_docstring=True) if one.show
        ]
        commands.append(
            {
                "name": name,
                "summary": described.short_description or "",
                "text": described.long_description or "",
                "options": options,
            }
        )
    return commands


def _walk(app: App, before: str = "") -> Iterator[tuple[str, App]]:
    for name in app:
        if not name.startswith("-"):
            yield f"{before}{name}", app[name]
            yield from _walk(app[name], f"{before}{name} ")


def _describe_option(argument: Any) -> dict[str, str]:  # noqa: ANN401 - cyclopts' Argument
    field = argument.field_info
    positional = field.kind in {field.POSITIONAL_ONLY, field.POSITIONAL_OR_KEYWORD, field.VAR_POSITIONAL}
    default = field.default
    if argument.required:
        shown = "required"
    elif default in {None, "", inspect.Parameter.empty}:
        shown = ""
    else:
        shown = f"default {str(default).lower() if isinstance(default, bool) else default}"
    name = field.name.upper() if positional else ", ".join(argument.names)
    return {
        "name": name,
        "kind": "" if positional and not argument.get_choices() else _describe_kind(argument),
        "default": shown,
        "meaning": " ".join((argument.parameter.help or "").split()),
    }


_KINDS = {"Path": "path", "str": "text", "int": "whole number", "float": "number", "datetime": "time", "bool": "switch"}


def _describe_kind(argument: Any) -> str:  # noqa: ANN401 - cyclopts' Argument
    if choices := argument.get_choices():
        return ", ".join(choice for choice in choices if choice)
    hint = argument.hint
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(part for part in get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is list:
        return "one or more texts"
    return _KINDS.get(getattr(hint, "__name__", ""), "text")


def commands_page() -> Iterator[str]:
    """Yield the page of all commands and options."""
    yield from _begin(
        "Commands",
        "Exit code 0: done. 1: some files failed. 2: wrong usage or input. 130 or 143: interrupted. "
        "`eegsleep COMMAND --help` prints the same on the terminal.",
    )
    for command in describe_commands():
        yield f"## eegsleep {command['name']}\n"
        yield f"{_text(command['summary'])}\n"
        if command["text"]:
            yield f"{_text(command['text'])}\n"
        rows = [
            (f"`{option['name']}`", "; ".join(filter(None, (option["kind"], option["default"]))), option["meaning"])
            for option in command["options"]
        ]
        if rows:
            yield from _table(("argument or option", "value", "meaning"), rows)


def settings_page() -> Iterator[str]:
    """Yield the page of all settings."""
    from eegsleep.workflows.reference import describe_settings

    yield from _begin(
        "Settings",
        "A TOML file with one table a step changes settings: `eegsleep score night.edf --config settings.toml`. A "
        "setting that the file does not name keeps its default. `eegsleep settings` prints all of them as such a file.",
    )
    for step, rows in groupby(describe_settings(), lambda row: row["name"].partition(".")[0]):
        yield f"## [{step}]\n"
        yield from _table(
            ("setting", "default; allowed", "meaning"),
            [
                (f"`{row['name'].partition('.')[2]}`", f"`{row['default']}`; {row['allowed']}", row["meaning"])
                for row in rows
            ],
        )


def tables_page() -> Iterator[str]:
    """Yield the page of all tables and columns."""
    from eegsleep.workflows.reference import describe_tables

    yield from _begin(
        "Tables",
        "Each table is a CSV with a JSON file beside it that says the same as this page. A value that could not be "
        "measured is an empty cell, never zero. `eegsleep tables` prints the columns on the terminal.",
    )
    for name, grouped in groupby(describe_tables(), lambda row: row["name"].partition(".")[0]):
        rows = list(grouped)
        yield f"## {name}\n"
        yield f"One row is {_text(rows[0]['row'])}.\n"
        yield from _table(
            ("column", "kind", "meaning"),
            [
                (
                    f"`{row['name'].partition('.')[2]}`",
                    ", ".join(filter(None, (row["kind"], row["unit"]))),
                    row["meaning"] + (f" Values: {row['levels']}." if row["levels"] else ""),
                )
                for row in rows
            ],
        )


def markers_page() -> Iterator[str]:
    """Yield the page of all markers."""
    from eegsleep.workflows.reference import describe_markers

    yield from _begin(
        "Markers",
        "A marker is a number that describes one night, in the table `markers`. Most are measured on every derivation, "
        "and in N2, N3 and both (NREM) or by stage. An epoch has 30 s, which is 0.5 min; clean minutes are those of "
        "usable epochs. `eegsleep markers NAME` prints an entry on the terminal.",
    )
    rows = sorted(describe_markers(), key=lambda row: row["family"] == "Context")
    for family, members in groupby(sorted(rows, key=_family_order(rows)), lambda row: row["family"]):
        yield f"## {family}\n"
        for row in members:
            yield f"### {row['name']}\n"
            yield f"**{row['label']}.** {_text(row['meaning'])}\n"
            yield f":Formula: {_text(row['formula'])}"
            yield f":Unit: {_text(row['unit'])}"
            yield f":Direction: {row['direction']}"
            yield f":Smallest effect that matters: {_text(row['smallest_effect'])}"
            yield f":Source: {_text(row['source'])}\n"


def _family_order(rows: list[dict[str, str]]) -> Any:  # noqa: ANN401 - a key for sorted
    order = list(dict.fromkeys(row["family"] for row in rows))
    return lambda row: order.index(row["family"])


def devices_page() -> Iterator[str]:
    """Yield the page of all device presets."""
    from eegsleep.workflows.reference import describe_devices

    yield from _begin(
        "Device presets",
        "A preset says which channels of a device are used, in which order of trust, and what is known of its files. "
        "It is recognised from the file, and `--device NAME` overrules that. `eegsleep devices NAME` prints an entry.",
    )
    labels = {
        "recognised": "Recognised when",
        "eeg": "EEG, most trusted first",
        "eog": "EOG",
        "emg": "EMG",
        "filter": "Filters of the maker",
        "validation": "What is known of staging on it",
        "faults": "Known faults of its files",
        "source": "Sources",
    }
    for row in describe_devices():
        yield f"## {row['name']}\n"
        yield f"**{_text(row['title'])}**\n"
        for field, label in labels.items():
            yield f":{label}: {_text(row[field])}"
        yield ""


def codings_page() -> Iterator[str]:
    """Yield the page of all codings of hypnograms."""
    from eegsleep.workflows.reference import describe_codings

    yield from _begin(
        "Codings of hypnograms",
        "The same integer is deep sleep in one laboratory and REM in another. A file of integers is therefore read "
        "only with a coding that you name: `--coding rk`. Names of stages need no coding. "
        "UNS is an epoch without a score.",
    )
    rows = [
        (f"`{row['name']}`", row["integers"] + f"; epochs of {row['epoch_s']} s", row["meaning"])
        for row in describe_codings()
    ]
    yield from _table(("coding", "integers", "what writes it"), rows)


def faults_page() -> Iterator[str]:
    """Yield the page of all fault codes."""
    from eegsleep.workflows.reference import describe_faults

    yield from _begin(
        "Fault codes",
        "`eegsleep inspect FILE` names what is wrong with a recording; with `--json`, each finding has one of these "
        "codes. They stay the same between versions. `eegsleep faults CODE` prints an entry.",
    )
    rows = [(f"`{row['name']}`", row["meaning"], row["remedy"]) for row in describe_faults()]
    yield from _table(("code", "meaning", "what to do"), rows)


_ROOMS = {
    "recording": "Read recordings",
    "night": "Analyse a night",
    "config": "Settings",
    "quality": "Signal quality",
    "hypnograms": "Hypnograms",
    "staging": "Stages and sleep statistics",
    "events": "Spindles and slow oscillations",
    "markers": "Markers",
    "agreement": "Agreement of scorings",
    "batch": "Many nights",
    "study": "Studies",
    "workflows": "What the commands do",
    "report": "Pages",
    "datasets": "Public data sets",
    "simulation": "Simulated nights",
    "errors": "Errors",
}


def list_public_names() -> list[tuple[str, str]]:
    """Return the room and the name of everything that `import eegsleep` gives."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    found = [
        ((node.module or "").partition(".")[0], alias.asname or alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    return [(room, name) for room, name in found if not name.startswith("_")]


def python_page() -> Iterator[str]:
    """Yield the page of all public functions and classes."""
    import eegsleep

    yield from _begin(
        "Python",
        "Everything here is in the package itself: `import eegsleep as es`. A name is loaded when it is first used.",
    )
    names = list_public_names()
    rooms = [*_ROOMS, *dict.fromkeys(room for room, _ in names if room not in _ROOMS)]
    for room in rooms:
        members = sorted(name for of, name in names if of == room)
        if not members:
            continue
        yield f"## {_ROOMS.get(room, room.capitalize())}\n"
        for name in members:
            found = getattr(eegsleep, name)
            if inspect.isclass(found) or inspect.isfunction(found):
                kind = "autoclass" if inspect.isclass(found) else "autofunction"
                members_of = "\n:members:" if inspect.isclass(found) else ""
                yield f"```{{eval-rst}}\n.. {kind}:: eegsleep.{name}{_indent(members_of)}\n```\n"
            else:
                yield f"**eegsleep.{name}**: {_constant(found)}\n"


def _indent(text: str) -> str:
    return text.replace("\n", "\n   ")


def _constant(value: object) -> str:
    if isinstance(value, dict):
        kind = type(next(iter(value.values()))).__name__
        return f"a dictionary of {len(value)} entries ({kind}), from {_text(', '.join(map(str, list(value)[:3])))} on."
    if isinstance(value, (tuple, list, frozenset)):
        return f"{_text(', '.join(map(str, value)))}."
    return f"`{value!r}`"


def _begin(title: str, text: str) -> Iterator[str]:
    yield f"# {title}\n"
    yield f"{text}\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell if cell.startswith('`') else _text(cell) for cell in row)} |"
    yield ""


def _text(text: str) -> str:
    """Return plain text as Markdown: nothing but code between backticks has a meaning."""
    text = f"\\{text}" if text.startswith("%") else text  # a line that begins with % is a comment to MyST
    parts = re.split(r"(`[^`]+`)", text.replace("|", "\\|") if "`" in text else text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<>\[\]|~$])", r"\\\1", part) for part in parts)
