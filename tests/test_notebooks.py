"""The notebooks are a course: each has current results, small and without a trace of the machine that made them.

They are run and stored by `python notebooks/store_outputs.py`.
"""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

import eegsleep

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST_KB, ALL_KB = 500, 3000
PRIVATE = re.compile(r"/tmp/|/home/|/Users/|/root/|[A-Z]:\\\\|site-packages")  # noqa: S108 - the start of a path
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)


@pytest.fixture(scope="module")
def storing():
    """Return the script that runs and stores the notebooks."""
    spec = importlib.util.spec_from_file_location("store_outputs", ROOT / "notebooks" / "store_outputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_notebook(path):
    return nbformat.read(path, as_version=4)


def read_code(path):
    """Return the code of a notebook as one syntax tree."""
    return ast.parse("\n".join(cell.source for cell in read_notebook(path).cells if cell.cell_type == "code"))


def all_outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@each_notebook
def test_what_a_notebook_uses_is_public(path):
    for node in ast.walk(read_code(path)):
        if isinstance(node, ast.ImportFrom):
            assert not node.module.startswith("eegsleep"), f"{node.module}: the course needs public names only"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "es":
            assert node.attr in eegsleep.__all__, node.attr


@each_notebook
def test_a_notebook_teaches_and_does_not_test(path):
    """Checks of results belong to the tests of the package; a reader sees the results themselves."""
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(read_code(path)))


@each_notebook
def test_a_notebook_ends_with_the_reader_s_own_files(path):
    cells = read_notebook(path).cells
    headings = re.findall(r"(?m)^## .+", "\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))
    assert headings[-1].startswith("## Your own ")
    assert any(re.search(r"(?m)^MY_\w+ = .*#", cell.source) for cell in cells[-6:]), "a line that says what to change"
    assert cells[-1].source.endswith("eegsleep is not a medical device.")


@each_notebook
def test_stored_results_belong_to_the_current_source(path, storing):
    notebook = read_notebook(path)
    stored = notebook.metadata.get("eegsleep", {}).get("source_sha256")
    assert stored == storing.hash_source(notebook), f"run: python notebooks/store_outputs.py notebooks/{path.name}"


@each_notebook
def test_stored_results_show_no_fault_and_no_machine(path, storing):
    notebook = read_notebook(path)
    assert storing.find_unfit(notebook) == []
    assert not PRIVATE.search(path.read_text(encoding="utf-8"))
    assert not any("application/vnd.plotly.v1+json" in output.get("data", {}) for output in all_outputs(notebook))
    assert set(notebook.metadata) == {"kernelspec", "language_info", "eegsleep"}
    assert sum("image/png" in output.get("data", {}) for output in all_outputs(notebook)) >= 3
    assert path.stat().st_size < LARGEST_KB * 1000


def test_all_notebooks_together_are_small():
    assert sum(path.stat().st_size for path in (ROOT / "notebooks").iterdir() if path.is_file()) < ALL_KB * 1000


def test_the_course_lists_every_notebook_with_a_sentence():
    page = (ROOT / "docs" / "tutorials" / "course.md").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^\.\./generated/(\w+)$", page) == [path.stem for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        assert re.search(rf"\]\(\.\./generated/{path.stem}\.ipynb\)[^|]*\| \w[^|]+\.", page), path.stem


@pytest.mark.nightly
@each_notebook
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets of the kernel's client
def test_a_notebook_runs_and_shows_what_is_stored(path, storing, monkeypatch):
    """Numbers may differ in their last digit between processors, so that kinds of results are compared."""
    monkeypatch.setenv("PLOTLY_RENDERER", "")
    notebook = storing.run_notebook(path)
    storing.join_prints(notebook)
    assert storing.find_unfit(notebook) == []
    kinds = [[output.output_type for output in cell.get("outputs", [])] for cell in notebook.cells]
    assert kinds == [[output.output_type for output in cell.get("outputs", [])] for cell in read_notebook(path).cells]
