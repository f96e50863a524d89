"""The agreement of a night with its expert: the page shows both hypnograms and leads into the night's report."""

import re
from dataclasses import replace

import pytest

import eegsleep as es


def test_differences_on_the_page_lead_into_the_nights_report(tmp_path):
    settings = es.SimulationSettings(duration_h=1 / 3, rate_hz=128, eeg=("C4-M1",))
    file = es.write_simulated_night(es.simulate_night(settings, seed=5), tmp_path, "a night")
    expert = tmp_path / "expert.csv"
    expert.write_text("onset_s,stage\n0,W\n300,N2\n900,N3\n1170,N2\n")
    es.score_file(es.Job(file, reference=expert), output=tmp_path / "nights")
    page = es.agree_scorings(tmp_path / "nights", output=tmp_path / "agreement").page
    links = re.findall(r'<a href="([^"]+)">', page.read_text())
    assert links
    assert all(re.fullmatch(r"\.\./nights/a_night/report\.html#epoch-[0-9]+", link) for link in links)
    assert page.read_text().count('class="pair-strip"') == 1


def test_stages_that_no_provenance_vouches_for_are_named(tmp_path, sample_night):
    night = replace(sample_night, reference=sample_night.stages, before=sample_night.stages)
    folder = es.save_night(night, tmp_path / "nights")
    assert not es.agree_scorings(tmp_path / "nights", output=tmp_path / "a").notes
    (folder / "provenance.json").unlink()
    said = f"No provenance.json in {folder.name}"
    assert said in es.agree_scorings(tmp_path / "nights", output=tmp_path / "b").notes[0]
    with pytest.raises(es.EegSleepError, match=r"provenance\.json"):
        es.agree_scorings(folder / "hypnogram.csv", folder, output=tmp_path / "c")
