"""How Sphinx builds the site: `sphinx-build -W docs site`, without a network.

Before the pages are read, `make_reference.py` writes those that come from the code into `docs/generated`, and the
notebooks are copied there as they were stored; they are not run again.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from make_reference import write_reference  # noqa: E402 - it lies beside this file

import eegsleep  # noqa: E402

project = "eegsleep"
author = "The eegsleep developers"
copyright = author  # noqa: A001 - Sphinx calls it so
version = release = eegsleep.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "eegsleep"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True
numpydoc_show_class_members = False
autodoc_typehints = "none"  # numpydoc states them
default_role = "code"  # docstrings name things between single backticks

GENERATED = HERE / "generated"
NOTEBOOKS = HERE.parent / "notebooks"
MEASURES = HERE.parent / "tests" / "benchmarks" / "measures_of_sleep.md"


def _point_to_copies(_app: object, _page: str, source: list[str]) -> None:
    """Lead links to files outside this folder, which are right on the disk, to their copies on the site."""
    source[0] = source[0].replace("../tests/benchmarks/measures_of_sleep.md", "generated/measures_of_sleep.md")


def setup(app) -> None:  # noqa: ANN001, D103 - Sphinx calls it
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    write_reference(GENERATED)
    shutil.copy(MEASURES, GENERATED)
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(notebook, GENERATED)
    app.connect("source-read", _point_to_copies)
