"""Run notebooks and store their results in them: `python notebooks/store_outputs.py [FILE ...]`; without a file, all.

In Jupyter the figures are interactive. Stored figures are pictures, drawn by plotly in Chromium, so that a stored
notebook opens anywhere without a network: in an editor, on a code host and on the documentation site. A notebook that
prints an error, a warning or a path of this machine is not stored.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import io
import os
import re
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
FIGURE = "application/vnd.plotly.v1+json"
WIDTH_PX, HEIGHT_PX, SCALE, COLOURS = 760, 320, 1.5, 48
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def hash_source(notebook: nbformat.NotebookNode) -> str:
    """Return the hash of all cells without their results: stored results belong to the source with this hash."""
    cells = [f"{cell.cell_type}\n{cell.source}" for cell in notebook.cells]
    return hashlib.sha256("\n\0".join(cells).encode()).hexdigest()


def run_notebook(path: Path) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in its folder and return it with its results; figures are plotly's JSON."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, record_timing=False, resources=place).execute()
    return notebook


def find_unfit(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what must not be in stored results: errors, warnings in red, and names and paths of this machine."""
    places = {str(HERE.parent.resolve()), str(Path.home()), tempfile.gettempdir()} - {"/"}
    names = {getpass.getuser(), socket.gethostname()} - {"root", "localhost"}
    private = re.compile("|".join([*map(re.escape, places), *(rf"\b{re.escape(name)}\b" for name in names)]))
    unfit = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            text = str(output.get("text") or {k: v for k, v in output.get("data", {}).items() if k != FIGURE})
            if output.output_type == "error" or output.get("name") == "stderr":
                unfit.append(f"cell {number}: {output.get('evalue') or text}")
            unfit += [f"cell {number} names {found}" for found in private.findall(text)]
    return unfit


def draw_figures(notebook: nbformat.NotebookNode, page: Page) -> None:
    """Put a picture in the place of each figure of plotly; `page` has plotly.js."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if FIGURE not in output.get("data", {}):
                continue
            figure = output.data[FIGURE]
            height = figure["layout"].get("height") or HEIGHT_PX
            words = figure["layout"].get("title", {}).get("text", "") or "A figure"
            asked = {"format": "png", "width": WIDTH_PX, "height": height, "scale": SCALE}
            address = page.evaluate("([figure, asked]) => Plotly.toImage(figure, asked)", [dict(figure), asked])
            output.data = {"image/png": _compress(address.partition(",")[2]), "text/plain": f"[{words}]"}


def _compress(png: str) -> str:
    """Return a picture with few colours, which is a third of the size; both are base64."""
    from PIL import Image

    small = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        # this method keeps colours that few points have
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def join_prints(notebook: nbformat.NotebookNode) -> None:
    """Join what a cell printed: in how many pieces it arrives differs from run to run."""
    for cell in notebook.cells:
        joined: list[nbformat.NotebookNode] = []
        for output in cell.get("outputs", []):
            if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
                joined[-1].text += output.text
            else:
                joined.append(output)
        if cell.cell_type == "code":
            cell.outputs = joined


def store(path: Path, page: Page) -> None:
    """Run a notebook and write it with its results.

    Raises
    ------
    SystemExit
        If there is something in the results that must not be stored.
    """
    notebook = run_notebook(path)
    if unfit := find_unfit(notebook):
        sys.exit(f"{path.name} is not stored:\n" + "\n".join(unfit))
    join_prints(notebook)
    draw_figures(notebook, page)
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}  # hide-input
    notebook.metadata = {**METADATA, "eegsleep": {"source_sha256": hash_source(notebook)}}
    nbformat.write(notebook, path)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    """Store the notebooks named on the command line, or all."""
    from playwright.sync_api import sync_playwright
    from plotly.offline import get_plotlyjs

    paths = [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("*.ipynb"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"])
        page = browser.new_page()
        page.add_script_tag(content=get_plotlyjs())
        for path in paths:
            store(path.resolve(), page)
        browser.close()


if __name__ == "__main__":
    main()
