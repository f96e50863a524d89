"""The page of a long study in a browser: opened from disk, and printed."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from made_studies import make_study, marker_rows

from eegsleep.markers import CATALOGUE
from eegsleep.report.study_page import render_study
from eegsleep.study.cent import count_flow
from eegsleep.study.comparison.compare import compare_nights
from eegsleep.study.night_list import NightSeen

pytestmark = pytest.mark.nightly
LONGEST_PRINT = 3  # pages
LARGEST_PAGE = 10_000_000
# Changed in every family but the last, so that cards, forest and explanations are as long as they become.
CHANGED = {"tst_min": 2.0, "sol_min": -2.0, "swa_power_uv2": 2.0, "rem_min": 1.5, "fast_spindle_density_per_min": 2.0}


@pytest.fixture(scope="module")
def sixty():
    """Return the page of sixty nights with every marker of the catalogue, three primary endpoints, many findings."""
    primary = ("fast_spindle_density_per_min|NREM|C3", "swa_power_uv2|NREM|C3", "tst_min||")
    study = make_study("pairs", 60, primary=primary)
    second = study.nights["condition"].eq("B").to_numpy()
    rng = np.random.default_rng(0)
    parts = []
    for name, marker in CATALOGUE.items():
        whole = marker.unit in {"min", "%", "/h", "n"}
        noise = rng.standard_normal(len(second)) + CHANGED.get(name, 0.0) * second
        value = 100 + 10 * noise if marker.unit != "rad" else noise / 5
        parts.append(marker_rows(study, name, value, marker.unit, "" if whole else "NREM", "" if whole else "C3"))
    comparison = compare_nights(study, pd.concat(parts), n_draws=999)
    nights = [
        NightSeen(
            night.night,
            night.subject,
            night.date,
            night.condition,
            harm="",
            enters=True,
            why="",
            verdict="usable",
            stages=tuple(rng.choice(["W", "N1", "N2", "N3", "R"], 960)),
        )
        for night in study.nights.itertuples()
    ]
    return render_study(study, comparison, nights=nights, flow=count_flow(study))


def test_sixty_nights_with_findings_in_every_family_print_on_three_pages(sixty, open_page, tmp_path, record_property):
    path = tmp_path / "report.html"
    path.write_bytes(sixty)
    shown = open_page(path, wait_for="document.readyState === 'complete'")
    taken = shown.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    record_property("study_page", json.dumps({"loaded_ms": round(taken), "bytes": len(sixty)}))
    printed = shown.page.pdf(format="A4")
    n_pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 1 <= n_pages <= LONGEST_PRINT
    assert len(sixty) < LARGEST_PAGE
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith("file:")] == []
