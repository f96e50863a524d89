"""Nights with their experts' stages: whose they are, and those that are left out by name."""

import numpy as np
import pandas as pd
import pytest

from eegsleep.agreement.measure import measure_agreement
from eegsleep.agreement.pairs import collect_pairs, find_unpaired, pair_scorings
from eegsleep.errors import TableError
from eegsleep.hypnograms.table import make_stages
from eegsleep.provenance import encode_json, hash_bytes
from eegsleep.report.agreement_page import describe_left_out, render_agreement
from eegsleep.tables import HYPNOGRAM, JOBS, encode_table

STAGES = encode_table(make_stages(np.array(["W", "N1", "N2", "N3", "R"] * 8), None, np.ones(40, bool)), HYPNOGRAM)


def _keep(folder, name, *, reference=True, **provenance):
    (folder / name).mkdir()
    (folder / name / "hypnogram.csv").write_bytes(STAGES)
    outputs = dict.fromkeys(("hypnogram.csv", "reference.csv"), hash_bytes(STAGES))
    (folder / name / "provenance.json").write_bytes(encode_json({"start": None, "outputs": outputs, **provenance}))
    if reference:
        (folder / name / "reference.csv").write_bytes(STAGES)


def _write_jobs(folder, **subjects):
    rows = [
        {
            "night": night,
            "subject": subject,
            "file": "",
            "status": "failed" if night == "lost" else "done",
            "seconds": 1.0,
            "memory_mb": 1.0,
            "error": "",
            "reason": "the file is cut off." if night == "lost" else "",
        }
        for night, subject in subjects.items()
    ]
    (folder / "jobs.csv").write_bytes(encode_table(pd.DataFrame(rows), JOBS))


def test_nights_of_one_sleeper_are_of_one_sleeper(tmp_path):
    """By the jobs of a batch, else by the night's own provenance, else each night is its own sleeper."""
    for name in ("n1", "n2"):
        _keep(tmp_path, name)
    _keep(tmp_path, "n3", subject="S2")
    _keep(tmp_path, "n4")
    _write_jobs(tmp_path, n1="S1", n2="S1")
    pairs = collect_pairs(tmp_path)
    assert [(night, subject) for night, subject, _, _ in pairs] == [
        ("n1", "S1"),
        ("n2", "S1"),
        ("n3", "S2"),
        ("n4", "n4"),
    ]
    assert measure_agreement(pairs).pooled["n_subjects"].max() == 3


def test_nights_that_are_not_among_the_numbers_are_counted_and_named(tmp_path):
    _keep(tmp_path, "n1")
    _keep(tmp_path, "plain", reference=False)
    _keep(tmp_path, ".half.partial")
    (tmp_path / "pictures").mkdir()
    _write_jobs(tmp_path, n1="S1", lost="S1")
    left_out = find_unpaired(tmp_path)
    assert left_out == {"lost": "it could not be scored: the file is cut off.", "plain": "it has no expert's stages"}
    assert [night for night, *_ in collect_pairs(tmp_path)] == ["n1"]
    page = render_agreement(measure_agreement(collect_pairs(tmp_path)), left_out=left_out).decode()
    for sentence in describe_left_out(left_out):
        assert sentence.replace("'", "&#39;") in page
    assert describe_left_out(left_out) == [
        "1 night not among these numbers (it could not be scored: the file is cut off): lost.",
        "1 night not among these numbers (it has no expert's stages): plain.",
    ]


def test_many_nights_of_one_reason_are_one_sentence():
    said = describe_left_out({f"n{number}": "no stages" for number in range(30)})
    assert len(said) == 1
    assert said[0].startswith("30 nights not among these numbers (no stages): n0, ")
    assert said[0].endswith(" and 20 more.")


def test_a_folder_without_an_expert_is_refused(tmp_path):
    _keep(tmp_path, "n1", reference=False)
    with pytest.raises(TableError, match="no night with an expert's stages"):
        collect_pairs(tmp_path)


def test_a_single_night_folder_is_a_folder_of_one_night(tmp_path):
    _keep(tmp_path, "n1")
    assert [night for night, *_ in collect_pairs(tmp_path / "n1")] == ["n1"]
    assert find_unpaired(tmp_path / "n1") == {}


@pytest.mark.parametrize("name", ["hypnogram.csv", "reference.csv"])
def test_stages_that_were_changed_since_are_not_compared(name, tmp_path):
    """All of N2 made W by hand would change kappa without a word."""
    _keep(tmp_path, "a")
    (tmp_path / "a" / name).write_bytes(STAGES.replace(b"N2", b"W"))
    with pytest.raises(TableError, match=f"a/{name} is not the file that was written"):
        collect_pairs(tmp_path)
    if name == "hypnogram.csv":
        with pytest.raises(TableError, match="is not the file that was written"):
            pair_scorings(tmp_path / "a", tmp_path / "a")


def test_one_file_is_not_taken_for_a_folder(tmp_path):
    """Two columns of one file are compared by giving it twice; the error says so."""
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\tstage_hum\tstage_ai\n0\t30\t0\t0\n")
    with pytest.raises(TableError, match=r"one file, events\.tsv\..*give it twice, with --column for each"):
        collect_pairs(path)
