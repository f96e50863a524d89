"""Every path and name that the documents for developers mention exists, and every room is described."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "eegsleep").is_dir(), reason="the documents describe the source")
DESIGN, CONTRIBUTING = ROOT / "docs" / "design.md", ROOT / ".github" / "CONTRIBUTING.md"
# Files that a run of eegsleep writes, and fields of a preset.
NOT_IN_CODE = {"provenance.json", "recognised", "validation"}


def read_spans(document):
    """Return what stands between backticks outside blocks of code."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    return dict.fromkeys(re.findall(r"`([^`]+)`", text))


@cache
def defined_names():
    """Return the name of every function, class and constant of package and tests."""
    names = set()
    for path in [*(ROOT / "eegsleep").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and path.is_relative_to(ROOT / "eegsleep")
            ):
                names.add(node.value)  # a column's name
    return names


def find_missing(span):
    """Return what is missing of a span: a path, a name, the command, or a path named in a command."""
    words = span.split()
    if len(words) == 1 and re.fullmatch(r"[A-Za-z_]\w*", span):
        return [] if span in NOT_IN_CODE | defined_names() else [span]
    missing = [word for word in words if "/" in word and not (ROOT / word).exists()]
    if len(words) == 1 and "/" not in span and "…" not in span and span not in NOT_IN_CODE:
        missing += [] if (ROOT / span).exists() else [span]
    if words[0] == "eegsleep" and len(words) > 1 and not words[1].startswith("-"):
        from eegsleep.cli.main import app

        missing += [] if words[1] in app else [span]
    return missing


@pytest.mark.parametrize("document", [DESIGN, CONTRIBUTING], ids=lambda path: path.name)
def test_what_a_document_names_exists(document):
    missing = {span: found for span in read_spans(document) if (found := find_missing(span))}
    # `pytest` itself is the one command of a single word
    assert missing.keys() <= {"pytest"}, missing


def test_what_does_not_exist_would_be_found():
    for span in (
        "eegsleep/nowhere.py",
        "no_such_function",
        "NO_SUCH_TABLE",
        "pytest tests/nowhere",
        "eegsleep frobnicate",
    ):
        assert find_missing(span), span


def test_every_room_is_described():
    rooms = {path for path in (ROOT / "eegsleep").iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms = {path for path in rooms if not path.name.startswith("_")}
    described = {(ROOT / span).resolve() for span in read_spans(DESIGN) if span.startswith("eegsleep/")}
    assert sorted(str(room.relative_to(ROOT)) for room in rooms - described) == []


def test_the_documents_name_no_path_of_a_machine():
    for document in (DESIGN, CONTRIBUTING):
        assert not re.search(r"(?<![\w.])/(home|tmp|work|Users)/", document.read_text(encoding="utf-8"))


def test_the_conda_recipe_asks_for_what_the_package_asks_for():
    names = {"soxr": "soxr-python", "docstring-parser": "docstring_parser"}
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    recipe = (ROOT / "meta" / "recipe.yaml").read_text(encoding="utf-8")
    run = re.findall(r"^    - (\S+) (\S+)$", recipe.partition("  run:")[2].partition("tests:")[0], re.MULTILINE)
    wanted = [re.fullmatch(r"([\w-]+)(.*)", entry).groups() for entry in asked]
    assert sorted((names.get(name, name), bound) for name, bound in wanted) == sorted(
        (name, bound) for name, bound in run if name != "python"
    )
