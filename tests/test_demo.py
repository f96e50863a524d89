"""The demonstration: a whole study without a file or a network, and honest when it is too small."""

import pandas as pd
import pytest

import eegsleep as es
from eegsleep.batch.freshness import find_fresh
from eegsleep.batch.sources import find_jobs
from eegsleep.demo import run_demo
from eegsleep.workflows.score import Job


@pytest.mark.nightly
def test_demo_is_a_whole_study_and_four_nights_find_nothing(tmp_path):
    """Planned, simulated, scored, locked, compared, reported; and no verdict from four nights."""
    planned, compared = run_demo(tmp_path / "study", n_nights=4)
    assert "smallest p-value" in planned.plan.sentences[0]
    assert compared.sentences[0].startswith("Does a simulated compound change fast spindle density? Not answered")
    assert any(line.startswith("Primary endpoint: Fast spindle density") for line in compared.sentences)
    assert compared.report == tmp_path / "study" / "report.html"
    folder = tmp_path / "study"
    for name in ("lock.json", "unmasked.json", "comparison.csv", "report.html", "schedule.csv"):
        assert (folder / name).is_file(), name
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "What was simulated, and what was found" in page
    assert "2.4 → 3.4 /min" in page
    assert all(f'href="eegsleep-nights/S01-{i:03d}/report.html"' in page for i in range(1, 5))
    nights = [es.load_night(path.parent) for path in (folder / "eegsleep-nights").glob("*/provenance.json")]
    assert len(nights) == 4
    found = find_jobs([folder], Job(folder))
    assert find_fresh(found.jobs, found.output, es.Settings()) == {night.id for night in nights}, "a batch goes on here"
    verdicts = set(pd.read_csv(folder / "comparison.csv")["verdict"])
    assert not verdicts & {"better", "worse"}
    with pytest.raises(es.EegSleepError, match="already"):
        run_demo(tmp_path / "study")
