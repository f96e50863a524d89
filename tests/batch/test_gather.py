"""The markers of all nights in one table, and never over somebody else's file."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eegsleep.batch.gather import check_output, gather_nights, write_summary
from eegsleep.errors import EegSleepError
from eegsleep.events.detect import Events
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.night.folder import save_night
from eegsleep.study.declared.nights_file import read_nights
from eegsleep.tables import EVENT_TABLES, JOBS, QUALITY, SPECTRUM, empty_table, encode_table

JOB = {
    "night": "",
    "subject": "",
    "file": "",
    "status": "done",
    "seconds": 1.0,
    "memory_mb": 1.0,
    "error": "",
    "reason": "",
}


def _vary(night, name, channel="", **provenance):
    """Return the night under another name, its channel renamed where one is given."""
    label = next(label for label, role in night.roles.items() if role == "eeg")
    new = channel or label
    markers = night.markers.assign(channel=night.markers["channel"].replace({label: new}))
    return replace(
        night,
        id=name,
        markers=markers,
        roles={new if k == label else k: v for k, v in night.roles.items()},
        provenance={**night.provenance, "id": name, **provenance},
    )


def _jobs(*rows):
    return pd.DataFrame([{**JOB, **row} for row in rows])


@pytest.fixture(scope="module")
def night(sample_night):
    """Return the sample night without its events, which nobody gathers, so that it is soon written."""
    events = Events(**{table.name: empty_table(table) for table in EVENT_TABLES})
    return replace(sample_night, quality=empty_table(QUALITY), spectrum=empty_table(SPECTRUM), events=events)


@pytest.fixture(scope="module")
def made(tmp_path_factory, night):
    """Two nights in their folder, the second of another derivation."""
    folder = tmp_path_factory.mktemp("nights")
    save_night(_vary(night, "a"), folder)
    save_night(_vary(night, "b", channel="Other"), folder)
    return folder


@pytest.fixture
def nights_folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "nights")


def test_a_row_is_a_night_and_a_column_is_an_endpoint_as_a_study_names_it(nights_folder, night):
    table = gather_nights(nights_folder)
    assert table["night"].tolist() == ["a", "b"]
    values = night.markers.set_index(["marker", "stage", "channel"])["value"]
    for (marker, stage, channel), value in values.items():
        np.testing.assert_allclose(table.loc[0, f"{marker}|{stage}|{channel}"], value, rtol=1e-8, equal_nan=True)
    assert table.loc[0, "tst_min||"] == values["tst_min", "", ""]


def test_a_marker_that_a_night_lacks_is_missing_and_not_zero(nights_folder):
    table = gather_nights(nights_folder).set_index("night")
    column = next(name for name in table if name.endswith("|Other") and np.isfinite(table.loc["b", name]))
    assert np.isnan(table.loc["a", column])


def test_the_file_is_the_table_and_its_sidecar_says_what_each_column_means(nights_folder):
    page = write_summary(nights_folder)
    assert page.name == "index.html"
    written = pd.read_csv(nights_folder / "nights.csv", keep_default_na=False, na_values=[""])
    sidecar = json.loads((nights_folder / "nights.json").read_bytes())
    assert list(sidecar) == list(written.columns) == list(gather_nights(nights_folder).columns)
    for name, entry in sidecar.items():
        if "|" in name:
            assert entry.get("Units", "") == CATALOGUE[name.split("|")[0]].unit
            assert CATALOGUE[name.split("|")[0]].meaning in entry["Description"]


def test_the_order_in_which_nights_were_made_leaves_no_trace(nights_folder, night, tmp_path):
    other = tmp_path / "other"
    for name, channel in (("b", "Other"), ("a", "")):
        save_night(_vary(night, name, channel=channel), other)
    write_summary(nights_folder)
    write_summary(other)
    for name in ("nights.csv", "nights.json", "index.html"):
        assert (nights_folder / name).read_bytes() == (other / name).read_bytes()


def test_a_night_that_was_changed_costs_its_own_row_and_no_other(nights_folder):
    before = gather_nights(nights_folder)
    path = nights_folder / "a" / "markers.csv"
    path.write_bytes(path.read_bytes().replace(b"tst_min", b"tst_max"))
    (nights_folder / "b" / "report.html").write_bytes(b"")
    table = gather_nights(nights_folder).set_index("night")
    assert "not the file that was written" in table.loc["a", "reason"]
    assert table.loc["a", "verdict"] == ""
    assert table.loc["a", [name for name in table if "|" in name]].isna().all()
    assert table.loc["b", "tst_min||"] == before.loc[1, "tst_min||"]
    assert "not readable" in write_summary(nights_folder).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"outputs": 3}', "\xff"])
def test_a_provenance_that_is_none_is_a_row_with_a_reason(nights_folder, text):
    (nights_folder / "a" / "provenance.json").write_bytes(text.encode("latin-1"))
    table = gather_nights(nights_folder).set_index("night")
    assert "cannot be read as a night" in table.loc["a", "reason"]
    assert table.loc["b", "reason"] == ""


def test_a_start_that_is_no_time_costs_one_row(nights_folder):
    path = nights_folder / "a" / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"start": "last Monday"}), encoding="utf-8")
    write_summary(nights_folder)
    table = gather_nights(nights_folder).set_index("night")
    assert "last Monday" in table.loc["a", "reason"]
    assert table.loc["b", "reason"] == ""


def test_what_is_no_night_folder_is_passed_over(nights_folder):
    (nights_folder / ".c.partial").mkdir()
    (nights_folder / ".c.partial" / "provenance.json").write_text("{}", encoding="utf-8")
    (nights_folder / "pictures").mkdir()
    assert gather_nights(nights_folder)["night"].tolist() == ["a", "b"]


def test_a_folder_without_a_night_gives_a_table_without_a_row(tmp_path):
    jobs = _jobs({"night": "x", "status": "failed", "reason": "x.edf is cut off."})
    (tmp_path / "jobs.csv").write_bytes(encode_table(jobs, JOBS))
    page = write_summary(tmp_path)
    assert gather_nights(tmp_path).empty
    assert (tmp_path / "nights.csv").read_text(encoding="utf-8").count("\n") == 1
    assert "x.edf is cut off." in page.read_text(encoding="utf-8")


def test_the_nights_of_a_study_are_never_written_over(nights_folder, tmp_path):
    from eegsleep.study.declared.manifest import write_template

    for path in write_template(tmp_path / "study"):
        shutil.copy(path, nights_folder)
    before = (nights_folder / "nights.csv").read_bytes()
    for refuse in (check_output, write_summary):
        with pytest.raises(EegSleepError, match=r"is not the summary of a batch.*the nights of a study.*--output"):
            refuse(nights_folder)
    assert (nights_folder / "nights.csv").read_bytes() == before
    assert not (nights_folder / "index.html").exists()
    read_nights(nights_folder / "nights.csv")


def test_a_page_of_somebody_else_is_not_written_over_and_our_own_is(nights_folder):
    write_summary(nights_folder)
    write_summary(nights_folder)
    (nights_folder / "index.html").write_text("<title>My holidays</title>", encoding="utf-8")
    with pytest.raises(EegSleepError, match=r"index\.html is not the summary"):
        write_summary(nights_folder)
    assert "holidays" in (nights_folder / "index.html").read_text(encoding="utf-8")


def test_whose_a_night_is_comes_from_the_jobs_and_else_from_the_night(nights_folder, night):
    save_night(_vary(night, "c", subject="S9"), nights_folder)
    jobs = _jobs({"night": "a", "subject": "S2"}, {"night": "b", "subject": "S1"})
    (nights_folder / "jobs.csv").write_bytes(encode_table(jobs, JOBS))
    table = gather_nights(nights_folder)
    assert dict(zip(table["night"], table["subject"], strict=True)) == {"b": "S1", "a": "S2", "c": "S9"}
    assert table["subject"].is_monotonic_increasing


def test_a_night_that_failed_is_on_the_page_and_not_in_the_table(nights_folder):
    jobs = _jobs({"night": "a"}, {"night": "z", "status": "failed", "error": "RecordingError", "reason": "cut off"})
    (nights_folder / "jobs.csv").write_bytes(encode_table(jobs, JOBS))
    page = write_summary(nights_folder).read_text(encoding="utf-8")
    assert "1 of 3 nights could not be made or read: z." in page
    assert "cut off" in page
    assert set(pd.read_csv(nights_folder / "nights.csv")["night"]) == {"a", "b"}


def test_nights_that_were_not_made_alike_are_told(nights_folder, night):
    assert "were not made alike" not in write_summary(nights_folder).read_text(encoding="utf-8")
    settings = json.loads(json.dumps(night.provenance["settings"]))
    settings["quality"]["flat_uv"] = 0.7
    save_night(_vary(night, "c", settings=settings), nights_folder)
    page = write_summary(nights_folder).read_text(encoding="utf-8")
    assert "nights were not made alike" in page
    assert "flat_uv" in page


def test_a_value_in_another_unit_is_left_out(nights_folder, night):
    night = _vary(night, "c")
    unit = night.markers["unit"].where(night.markers["marker"] != "tst_min", "h")
    save_night(replace(night, markers=night.markers.assign(unit=unit)), nights_folder)
    table = gather_nights(nights_folder).set_index("night")
    assert np.isnan(table.loc["c", "tst_min||"])
    assert np.isfinite(table.loc["a", "tst_min||"])
    assert "measured in another unit, h" in write_summary(nights_folder).read_text(encoding="utf-8")


def test_hostile_names_come_through_unharmed_and_harmless(nights_folder, night):
    evil = 'C4,"<script>alert(1)</script>|='
    save_night(replace(_vary(night, "=cmd()", channel=evil), device="=HYPERLINK(1)"), nights_folder)
    write_summary(nights_folder)
    text = (nights_folder / "nights.csv").read_text(encoding="utf-8")
    written = pd.read_csv(nights_folder / "nights.csv")
    assert "'=cmd()" in written["night"].tolist()
    assert all(not line.startswith(("=", '"=')) for line in text.splitlines())
    assert any(name.endswith(f"|{evil}") for name in written.columns)
    assert "<script>alert" not in (nights_folder / "index.html").read_text(encoding="utf-8")


def test_a_copied_recording_and_a_night_that_is_not_usable_are_named(tmp_path, night):
    """A copy under another name would count as one more night."""
    for name, sha256 in (("a", "1"), ("a-copy", "1"), ("b", "2")):
        own = {"input": {**night.provenance["input"], "sha256": sha256}}
        made = _vary(night, name, **own)
        save_night(replace(made, verdict=replace(made.verdict, verdict="reject")) if name == "b" else made, tmp_path)
    notes: list[str] = []
    page = write_summary(tmp_path, notes.append).read_text(encoding="utf-8")
    assert notes == [
        "Not usable, of 3 nights: b. Do not compare their numbers with others.",
        "a, a-copy are the same recording; keep one of these folders, or it counts 2 times.",
    ]
    assert notes[1] in page
