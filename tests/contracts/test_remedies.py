"""Every option and command that a message names exists, so that its remedy can be followed."""

import ast
import functools
import re
from pathlib import Path

import pytest

import eegsleep
from eegsleep.cli.main import app

PACKAGE = Path(eegsleep.__file__).parent
# Options of other programs that a message may name.
FOREIGN = {"help", "version", "tls-ca-file"}


def commands(of=app, before=()):
    """Return every command with the options it has."""
    found = {}
    for name in of:
        if name.startswith("-"):
            continue
        inner = [other for other in of[name] if not other.startswith("-")]
        if inner:
            found |= commands(of[name], (*before, name))
        else:
            names = [option for argument in of[name].assemble_argument_collection() for option in argument.names]
            found[" ".join((*before, name))] = {name.removeprefix("--") for name in names if name.startswith("--")}
    return found


@functools.cache  # for all modules
def options():
    """Return the options of all commands."""
    return set().union(*commands().values())


def texts(path):
    """Yield the texts of a module that are no docstrings, with the line of each."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_option_that_a_message_names_exists(path):
    known = options() | FOREIGN
    named = [(line, name) for line, text in texts(path) for name in re.findall(r"(?<![\w(-])--([a-z][a-z-]+)", text)]
    assert [(line, name) for line, name in named if name not in known] == []


def test_the_options_and_commands_are_found_at_all():
    assert {"eeg", "units", "coding", "epoch", "column", "start", "hypnogram", "bids", "device"} <= options()
    found = [name for path in MODULES for _, text in texts(path) for name in re.findall(r"--([a-z][a-z-]+)", text)]
    assert len(found) > 20


def test_every_command_that_a_message_names_exists():
    known = {name for name in app if not name.startswith("-")}
    said = "\n".join(text for path in MODULES for _, text in texts(path))
    named = set(re.findall(r"`eegsleep ([a-z-]+)", said))
    assert named
    assert named <= known


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("score", "epoch"),
        ("agree", "epoch"),
        ("batch", "epoch"),
        ("score", "column"),
        ("agree", "column"),
        ("convert-hypnogram", "coding"),
        ("inspect", "units"),
        ("score", "eog"),
        ("score", "bids"),
        ("batch", "bids"),
    ],
)
def test_the_command_that_refuses_has_the_option_it_names(command, option):
    assert option in commands()[command]
