"""A wrong use of a command, described in sentences that name the help of that command."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import cyclopts

from eegsleep.errors import suggest_name

# What a further argument of a command was probably meant to be.
_MEANT = {
    "score": "`eegsleep batch FILES` scores several recordings.",
    "compare": "The study comes first and the key has an option: `eegsleep compare study.toml --key KEY`.",
    "plan": "It plans one study: `eegsleep plan study.toml`.",
    "lock": "It locks one study: `eegsleep lock study.toml`.",
    "calibrate": "Put the night folders of one person into one folder, and name that folder.",
}


def describe_usage(error: cyclopts.CycloptsError) -> str:
    """Return what is wrong with the arguments of a command, and where its own help is.

    Parameters
    ----------
    error : cyclopts.CycloptsError
        As cyclopts raised it.

    Returns
    -------
    str
    """
    words = tuple(error.command_chain or ())
    command = " ".join(("eegsleep", *words))
    extra = [str(token) for token in error.unused_tokens or ()]
    said = str(error)
    if isinstance(error, cyclopts.UnknownCommandError) and extra:
        said = _describe_command(command, extra[0], error.app)
    elif isinstance(error, cyclopts.UnknownOptionError):
        option = error.token.keyword or error.token.value
        known = [name for argument in error.argument_collection for name in argument.names]
        said = f"`{command}` has no option {option}. {_capital(suggest_name(option, known))}"
    elif isinstance(error, cyclopts.UnusedCliTokensError) and extra:
        said = f"`{command}` does not take {' '.join(extra)}. {_MEANT.get(' '.join(words), '')}"
    elif isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        is_value = error.argument.index is not None
        said = f"`{command}` needs {name.lstrip('-').upper() if is_value else f'the option {name} with a value'}."
    elif isinstance(error, cyclopts.CoercionError) and error.token is not None and error.target_type is datetime:
        said = (
            f"{error.token.keyword} is no date and time. Found: {error.token.value}. "
            "Allowed: a date with a time, such as 2026-01-31T23:15."
        )
    return f"{said.strip()} See `{command} --help`."


def _describe_command(command: str, word: str, app: cyclopts.App | None) -> str:
    """Return that a command does not exist, with the one that was probably meant."""
    if Path(word).exists():
        return f"`{command}` needs a command before {word}, such as `eegsleep score` or `eegsleep batch`."
    known = [name for name in app or () if not name.startswith("-")]
    return f"`{command}` has no command {word}. {_capital(suggest_name(word, known))}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
