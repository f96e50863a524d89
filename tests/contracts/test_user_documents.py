"""What the documents for users tell readers to type is possible: commands and options exist, and Python names do."""

import ast
import contextlib
import json
import re
import shlex
from pathlib import Path

import cyclopts
import pytest

import eegsleep as es
from eegsleep.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(
        page for folder in ("", "tutorials", "how-to", "explanation") for page in (ROOT / "docs" / folder).glob("*.md")
    ),
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DOCUMENTS = [*PAGES, *NOTEBOOKS]
# What stands in a command for a value that the reader has.
_PLACEHOLDERS = {"…": "night.edf", "...": "night.edf"}


def read_text(path):
    """Return a page, or the words of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def find_blocks(path, language):
    """Return the blocks of code in a language; those in lists are indented."""
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^ *```$", read_text(path))
    return [re.sub(rf"(?m)^{indent}", "", block) for indent, block in found]


def find_commands(path):
    """Return every command line of eegsleep in blocks of shell code, without its comment."""
    lines = (
        part.strip() for block in find_blocks(path, "sh") for line in block.splitlines() for part in line.split("&&")
    )
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("eegsleep ")]


def find_mentions(path):
    """Return every command that is mentioned within a sentence."""
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", read_text(path))
    return [shlex.split(" ".join(span.split()))[1:] for span in re.findall(r"`(eegsleep [^`]+)`", text)]


def parse(tokens, *, may_lack=()):
    """Read a command line as the command does, without running it."""
    tokens = [_PLACEHOLDERS.get(token, token) for token in tokens]
    with contextlib.suppress(*may_lack):
        app.parse_args(tokens, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_shown_can_be_given(path):
    for tokens in find_commands(path):
        try:
            parse(tokens)
        except cyclopts.CycloptsError as error:
            pytest.fail(f"eegsleep {shlex.join(tokens)}: {error}")
    for tokens in find_mentions(path):  # a sentence may leave out what the command needs
        try:
            parse(tokens, may_lack=(cyclopts.MissingArgumentError,))
        except cyclopts.CycloptsError as error:
            pytest.fail(f"eegsleep {shlex.join(tokens)}: {error}")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_python_block_uses_public_names(path):
    for block in find_blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom | ast.Import):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
                assert not any(name.startswith("eegsleep.") for name in names), names
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "es":
                assert node.attr in es.__all__, node.attr
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                _check_keywords(node)


def _check_keywords(call):
    """Assert that a public function that is called has the keywords that it is given."""
    import inspect

    name = ast.unparse(call.func)
    if name.startswith("es.") and hasattr(es, name.removeprefix("es.")):
        known = inspect.signature(getattr(es, name.removeprefix("es."))).parameters
        assert {keyword.arg for keyword in call.keywords} <= set(known), ast.unparse(call)


def test_there_is_something_to_check():
    """A change of how pages are written must not leave the tests above without a command."""
    assert sum(len(find_commands(path)) for path in PAGES) > 40
    assert sum(len(find_mentions(path)) for path in PAGES) > 15
    assert sum(len(find_blocks(path, "python")) for path in PAGES) > 3


@pytest.mark.parametrize("page", ["first-night.md", "correcting-stages.md"])
def test_the_python_of_the_tutorials_runs_on_the_night_they_score(page, sample_night, tmp_path):
    for name in ("sample-night", "night"):
        es.save_night(sample_night.__class__(**{**vars(sample_night), "id": name}), tmp_path / "eegsleep-nights")
    blocks = find_blocks(ROOT / "docs" / "tutorials" / page, "python")
    assert blocks
    with contextlib.chdir(tmp_path):
        for block in blocks:
            lines = block.strip().splitlines()
            names = {}
            exec("\n".join(lines[:-1]), names)  # noqa: S102 - our own documents
            assert len(eval(lines[-1], names)), lines[-1]  # noqa: S307
