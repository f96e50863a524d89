"""TOML files read by the annotations of what they fill: unknown keys and wrong kinds of values are refused by name."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from eegsleep.errors import SettingsError, describe_error, suggest_name
from eegsleep.plain_files import check_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Kinds = dict[str, Any]  # the annotation of each key of a section, or of any key under ANY_KEY
ANY_KEY = "*"
_MAX_BYTES = 10_000_000  # what a person writes is far smaller
_WORDS = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def read_toml(
    path: Path, sections: Mapping[str, Kinds], required: Mapping[str, Sequence[str]] | None = None, *, remedy: str = ""
) -> dict[str, dict[str, Any]]:
    """Read a TOML file into the kinds of values that its sections declare.

    Parameters
    ----------
    path : Path
    sections : mapping of str to dict
        By section, the annotation of each key: str, int, float, bool, a Literal, `tuple[float, float]` for a list of
        two, `tuple[float, ...]` for a list of any length, and tuples of tuples. Under `ANY_KEY`, that of every key.
    required : mapping of str to sequence of str, optional
        By section, the keys that must be there.
    remedy : str, optional
        What the user can do if the file cannot be read or lacks a key.

    Returns
    -------
    dict of str to dict
        By section, the keys that the file holds: lists as tuples, whole numbers as floats where a float is declared.

    Raises
    ------
    SettingsError
        If the file cannot be read or is not TOML, a section or key is unknown or missing, or a value has the wrong
        kind. Unknown keys are answered with the known ones.
    """
    try:
        content = tomllib.loads(_read_bounded(path))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"{path.name} cannot be read",
            found=describe_error(error),
            remedy=remedy or "check the path, and that it is a TOML file",
        ) from error
    for section, values in content.items():
        if section not in sections or not isinstance(values, dict):
            raise SettingsError(
                f"{path.name} has an unknown section",
                found=section,
                allowed=", ".join(sections),
                remedy=suggest_name(section, sections),
            )
    read = {name: _read_section(path.name, name, values, sections[name]) for name, values in content.items()}
    for section, names in (required or {}).items():
        for name in names:
            if name not in read.get(section, {}):
                raise SettingsError(
                    f"{path.name}, [{section}] lacks {name}",
                    allowed=", ".join(sections[section]),
                    remedy=f"add {name}" + (f"; {remedy}" if remedy else ""),
                )
    return read


def _read_bounded(path: Path) -> str:
    if check_plain(path).stat().st_size > _MAX_BYTES:
        raise OSError(f"it has more than {_MAX_BYTES / 1e6:g} MB")
    return path.read_text(encoding="utf-8-sig")


def _read_section(file: str, section: str, values: dict[str, Any], kinds: Kinds) -> dict[str, Any]:
    read = {}
    for name, value in values.items():
        kind = kinds.get(name, kinds.get(ANY_KEY))
        if kind is None:
            raise SettingsError(
                f"{file}, [{section}] has no such key",
                found=name,
                allowed=", ".join(kinds),
                remedy=suggest_name(name, kinds),
            )
        try:
            read[name] = _convert(value, kind)
        except ValueError as error:
            raise SettingsError(
                f"{file}, {section}.{name} has a value of the wrong kind",
                found=repr(value),
                allowed=describe_kind(kind),
            ) from error
    return read


def _convert(value: object, kind: Any) -> object:  # noqa: ANN401 - an annotation may be any object
    """Return a value of TOML as its annotation says: a tuple for a list, a float for a whole number."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(value, list):
        kinds = inside[:1] * len(value) if inside[-1] is Ellipsis else inside
        return tuple(_convert(one, its) for one, its in zip(value, kinds, strict=True))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind or (origin is Literal and value in inside):
        return value
    raise ValueError(kind)


def describe_kind(kind: Any) -> str:  # noqa: ANN401 - an annotation may be any object
    """Return in words what value a key takes.

    Parameters
    ----------
    kind
        Its annotation.

    Returns
    -------
    str
    """
    inside = get_args(kind)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(inside)
    if get_origin(kind) is tuple:
        if inside[-1] is Ellipsis:
            return f"a list of any length, each {describe_kind(inside[0])}"
        return f"a list of {len(inside)}: " + ", ".join(map(describe_kind, inside))
    return _WORDS[kind]
