"""A browser for the pages: Debian's Chromium through Playwright, without a network."""

import time
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def chromium():
    """Return a browser; without one the tests of the pages are skipped, and the reason is told."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (pip install '.[test]')")
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no {CHROMIUM} (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"])
        yield browser
        browser.close()


class Opened:
    """A page that was opened, and everything it complained of or asked the network for."""

    def __init__(self, page):
        self.page, self.complaints, self.requests = page, [], []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def wait(self, expression, seconds=60):
        """Ask again until an expression holds; the page's policy forbids Playwright's own waiting."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"{expression} never held"
            time.sleep(0.02)

    def press(self, *keys):
        """Press keys one after the other, and let the page draw."""
        for key in keys:
            self.page.keyboard.press(key)
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def look(self):
        """Return what the page shows: epoch, window, stages, changes."""
        return self.page.evaluate("eegsleep.look()")

    def number_of_colours(self, canvas):
        """Return how many different colours a canvas holds; one that was not drawn on holds one."""
        return self.page.evaluate(
            """(id) => {
                const canvas = document.getElementById(id);
                const bytes = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
                return new Set(new Uint32Array(bytes.buffer)).size;
            }""",
            canvas,
        )


@pytest.fixture
def open_page(chromium):
    """Return a function that opens a page in a browser of its own, and waits until its signal is there."""
    contexts = []

    def opened(path, *, wait_for="performance.getEntriesByName('whole trace').length > 0", context=None, **options):
        if context is None:
            context = chromium.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
            contexts.append(context)
        page = Opened(context.new_page())
        page.page.goto(Path(path).as_uri() if "#" not in str(path) else f"file://{path}")
        if wait_for:
            page.wait(wait_for)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def night_file(sample_night, sample_recording, tmp_path_factory):
    """Return the report of the sample night, with its own stages as an expert's but for ten epochs."""
    import dataclasses

    from eegsleep import render_night

    stages = sample_night.stages.copy()
    stages.loc[60:69, "stage"] = "N1"
    night = dataclasses.replace(sample_night, reference=stages)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(render_night(night, sample_recording))
    return path
