"""Makes the pictures of README anew from the sample night and the demo: python .github/make_pictures.py [NAME ...].

Needs Playwright and Debian's Chromium. The demo simulates and scores sixteen nights, which takes some minutes.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "sample_data" / "sample-night.edf"
# N2 with spindles and K-complexes.
EPOCH = 31


def make_night(folder: Path) -> str:
    """Score the sample night; return the address of its report at one epoch."""
    subprocess.run([sys.executable, "-m", "eegsleep", "score", SAMPLE, "--output", folder], check=True)
    return f"{(folder / SAMPLE.stem / 'report.html').as_uri()}#epoch-{EPOCH}"


def make_agreement(folder: Path) -> str:
    """Compare the stages of the sample night with those it was simulated with; return the address of the page."""
    make_night(folder)
    truth, page = SAMPLE.with_name(f"{SAMPLE.stem}_stages.csv"), folder / "agreement" / "agreement.html"
    command = [sys.executable, "-m", "eegsleep", "agree", truth, folder / SAMPLE.stem, "--output", page.parent]
    subprocess.run(command, check=True)
    return page.as_uri()


def make_demo(folder: Path) -> Path:
    """Work the demo out, and return its folder."""
    study = folder / "demo"
    if not study.is_dir():
        subprocess.run([sys.executable, "-m", "eegsleep", "demo", "--output", study], check=True)
    return study


def wait_for_signal(page: Page) -> None:
    """Wait until the report of a night has decoded its signal."""
    end = time.monotonic() + 60
    while not page.evaluate("performance.getEntriesByName('whole trace').length"):
        if time.monotonic() > end:
            raise TimeoutError("the signal of the report was never decoded")
        time.sleep(0.1)


def picture(page: Page, name: str) -> None:
    """Save what a page shows as a picture of few colours."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(HERE / f"{name}.png", optimize=True)
    print(HERE / f"{name}.png")


def main(names: list[str]) -> None:
    """Make the pictures that are asked for; all of them by default."""
    wanted = names or ["report", "nights", "study", "agreement"]
    sizes = {"report": (1280, 1680), "nights": (1320, 900), "study": (1280, 1330), "agreement": (1280, 1100)}
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for name in wanted:
            width, height = sizes[name]
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
            if name == "report":
                page.goto(make_night(folder))
                wait_for_signal(page)
            elif name == "agreement":
                page.goto(make_agreement(folder))
                page.wait_for_timeout(3000)
            else:
                places = {"nights": "eegsleep-nights/index.html", "study": "report.html"}
                page.goto((make_demo(folder) / places[name]).as_uri())
                page.wait_for_timeout(3000)
            picture(page, name)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
