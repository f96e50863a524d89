"""Every notebook runs from top to bottom, and uses names that exist."""

import ast
import importlib
import json
from pathlib import Path

import pytest

import eegsleep

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
# The first one is run with all tests; the others take a minute each, and what they show has tests of its own.
FIRST = "01_one_night.ipynb"


def read_code(path):
    """Return the code of a notebook as one syntax tree."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_what_a_notebook_imports_is_there(path):
    for node in ast.walk(read_code(path)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("eegsleep"):
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == [], node.module
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "es":
            assert node.attr in eegsleep.__all__, node.attr


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.name == FIRST else pytest.mark.nightly, id=path.name) for path in NOTEBOOKS],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets of the kernel's client
def test_notebook_runs(path):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
