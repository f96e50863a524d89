"""JSON files read by the kinds of values they must hold: one place where damage becomes an error of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from eegsleep.errors import EegSleepError, describe_error
from eegsleep.plain_files import check_plain

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

# None of our JSON files is near this size; one that is was not written by us.
_MAX_BYTES = 100_000_000
_WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    None: "null",
    type(None): "null",
}


def read_json(
    path: Path,
    what: str,
    kinds: Mapping[str, Any] | None = None,
    *,
    required: Collection[str] | None = None,
    error: type[EegSleepError] = EegSleepError,
    remedy: str = "",
) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, as in an error: "a lock".
    kinds : mapping of str to kind, optional
        The kind of the value of each key, as `find_misfit` takes them; other keys may hold anything.
    required : collection of str, optional
        Keys that must be there; by default those of `kinds`.
    error : type, optional
        The error to raise.
    remedy : str, optional
        What the user can do, as for `EegSleepError`.

    Returns
    -------
    dict

    Raises
    ------
    EegSleepError
        If it cannot be read, is not JSON, holds a key twice or a number that is not finite, or does not fit `kinds`.
    """
    try:
        found = parse_json(_read_bounded(path))
    except (OSError, ValueError) as cause:
        raise error(f"{path.name} is not {what}", found=describe_error(cause), remedy=remedy) from cause
    problem = find_misfit(found, dict, "its content")
    if not problem:
        missing = sorted(set(kinds or {} if required is None else required) - set(found))
        problem = f"no {', '.join(missing)}" if missing else ""
    for name, kind in (kinds or {}).items():
        problem = problem or (find_misfit(found[name], kind, name) if name in found else "")
    if problem:
        raise error(f"{path.name} is not {what}", found=problem, remedy=remedy)
    return found


def _read_bounded(path: Path) -> bytes:
    if check_plain(path).stat().st_size > _MAX_BYTES:
        raise OSError(f"it has more than {_MAX_BYTES / 1e6:g} MB")
    return path.read_bytes()


def parse_json(content: bytes | str) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Return what a JSON text holds.

    Parameters
    ----------
    content : bytes or str

    Raises
    ------
    ValueError
        If it is not JSON, is nested too deeply, holds a key of an object twice, or a number that is not finite.
    """
    try:
        return json.loads(
            content,
            object_pairs_hook=_take_once,
            parse_constant=_refuse_constant,
            parse_float=_parse_finite,
            parse_int=_parse_integer,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _take_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _parse_integer(text: str) -> int:
    if len(text) > 19:  # more than 64 bits hold
        raise ValueError(f"{text[:20]} is too large a number")
    return int(text)


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def find_misfit(value: object, kind: Any, name: str) -> str:  # noqa: ANN401 - an annotation may be any object
    """Return in words how a value does not fit its kind; empty if it does.

    Parameters
    ----------
    value
        As JSON gives it.
    kind
        `str`, `bool`, `dict`, `list`, `int` or `float`, where a whole number is also a float; a union of kinds; a
        Literal; `list[kind]` or `dict[str, kind]`; or a mapping with the kind of each key, all of which must be there.
    name : str
        Of the value, for the words.

    Returns
    -------
    str
    """
    origin, inside = get_origin(kind), get_args(kind)
    if isinstance(kind, Mapping):
        if not isinstance(value, dict):
            return f"{name} is not an object"
        problems = (
            find_misfit(value[key], its, f"{name}.{key}") if key in value else f"no {name}.{key}"
            for key, its in kind.items()
        )
    elif origin in {Union, UnionType}:
        misfits = [find_misfit(value, one, name) for one in inside]
        return "" if "" in misfits else misfits[0]
    elif origin is Literal:
        return "" if isinstance(value, str) and value in inside else f"{name} is not one of {', '.join(inside)}"
    elif origin is list and isinstance(value, list):
        problems = (find_misfit(one, inside[0], name) for one in value)
    elif origin is dict and isinstance(value, dict):
        problems = (find_misfit(one, inside[1], f"{name}.{key}") for key, one in value.items())
    else:
        plain = origin or kind
        fits = isinstance(value, (int, float) if plain is float else type(None) if plain is None else plain)
        fits = fits and (plain is bool or not isinstance(value, bool))
        return "" if fits else f"{name} is not {_WORDS.get(plain, plain)}"
    return next(filter(None, problems), "")
