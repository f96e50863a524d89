"""The page of all nights in a browser: a long table is drawn as one scrolls."""

import pandas as pd

from eegsleep.report.compose import share_plotly
from eegsleep.report.index_page import Glance, render_index

N_NIGHTS = 500
SHOWN = "document.querySelectorAll('table.nights tbody tr').length"


def test_rows_of_many_nights_are_drawn_as_one_scrolls(open_page, tmp_path):
    """What is not drawn is found and printed all the same."""
    words = {"subject": "S1", "start": "2026-03-14T22:51:30", "device": "muse", "lights": "user", "verdict": "usable"}
    more = {"duration_s": 28800.0, "verdict_reasons": "All is well.", "reason": "", "tst_min||": 412.0}
    nights = pd.DataFrame([{"night": f"n{number:03d}", **words, **more} for number in range(N_NIGHTS)])
    glances = dict.fromkeys(nights["night"], Glance("C4-M1", "WW1222333RRW", {}, has_report=True))
    path = tmp_path / "index.html"
    path.write_bytes(render_index(nights, None, glances=glances, plotly=share_plotly(tmp_path)[3:]))
    shown = open_page(path, wait_for="document.readyState === 'complete'")
    shown.wait("document.querySelector('.scroll').classList.contains('tall')")
    first = shown.page.evaluate(SHOWN)
    assert first < N_NIGHTS
    shown.page.evaluate("box = document.querySelector('.scroll'), box.scrollTop = box.scrollHeight")
    shown.wait(f"{SHOWN} > {first}")
    shown.page.fill("#find", "n499")
    shown.wait(f"{SHOWN} === 1")
    shown.page.fill("#find", "")
    shown.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    shown.wait(f"{SHOWN} === {N_NIGHTS}")
    assert shown.complaints == []
