"""A BIDS data set gives its recordings, with the scoring, sleeper and session of each."""

import json
from pathlib import Path

import pytest

from eegsleep.batch.sources import find_jobs
from eegsleep.workflows.score import Job

ASKED = Job(Path())
WORDS = ["Wake", "N1", "N2", "N2", "N3", "REM"]


@pytest.fixture
def bids(tmp_path):
    """Return a function that makes a data set of the recordings named, in folders as BIDS has them."""

    def make(names, *, column="stage_hum", codes=WORDS, participants="participant_id\tage\nsub-01\t30\nsub-02\t40\n"):
        root = tmp_path / "ds"
        for name in names:
            parts = name.split("_")
            folder = root.joinpath(*(part for part in parts if part.startswith(("sub-", "ses-"))), "eeg")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}_eeg.edf").write_bytes(b"0       ")
            rows = [f"{30 * i}\t30\t{code}" for i, code in enumerate(codes)]
            (folder / f"{name}_events.tsv").write_text("\n".join([f"onset\tduration\t{column}", *rows]) + "\n")
        (root / "dataset_description.json").write_text(json.dumps({"Name": "x", "BIDSVersion": "1.10.0"}))
        if participants:
            (root / "participants.tsv").write_text(participants)
        for other in ("derivatives/x/sub-01/eeg", "sourcedata/sub-01/eeg"):
            (root / other).mkdir(parents=True)
            (root / other / "sub-01_task-sleep_eeg.edf").write_bytes(b"0       ")
        return root

    return make


def test_recordings_scorings_subjects_and_sessions_are_found(bids, tmp_path):
    names = ["sub-01_ses-1_task-sleep", "sub-01_ses-2_task-sleep", "sub-02_task-sleep_acq-psg"]
    found = find_jobs([bids(names)], ASKED, tmp_path / "out")
    assert [job.night for job in found.jobs] == names
    assert [job.subject for job in found.jobs] == ["sub-01", "sub-01", "sub-02"]
    assert [job.reference.name for job in found.jobs] == [f"{name}_events.tsv" for name in names]
    assert "3 recordings of 2 sleepers, 3 of them with a scoring beside them." in found.notes


def test_participants_who_are_one_person_are_one_sleeper(bids, tmp_path):
    rows = "participant_id\tpid\nsub-01\t89\nsub-02\t89\n"
    root = bids(["sub-01_task-sleep", "sub-02_task-sleep"], participants=rows)
    assert {job.subject for job in find_jobs([root], ASKED, tmp_path / "out").jobs} == {"pid-89"}


def test_a_scoring_of_another_acquisition_is_not_taken(bids, tmp_path):
    root = bids(["sub-01_task-sleep_acq-psg", "sub-01_task-sleep_acq-headband"])
    folder = root / "sub-01" / "eeg"
    (folder / "sub-01_task-sleep_acq-headband_events.tsv").unlink()
    first, second = find_jobs([root], ASKED, tmp_path / "out").jobs
    assert (first.night, first.reference) == ("sub-01_task-sleep_acq-headband", None)
    assert second.reference.name == "sub-01_task-sleep_acq-psg_events.tsv"


def test_events_called_a_scoring_belong_to_the_recordings_of_their_session(bids, tmp_path):
    root = bids(["sub-01_ses-1_task-sleep_acq-ear"])
    folder = root / "sub-01" / "ses-1" / "eeg"
    scoring = folder / "sub-01_ses-1_task-sleep_acq-scoring_events.tsv"
    (folder / "sub-01_ses-1_task-sleep_acq-ear_events.tsv").rename(scoring)
    (job,) = find_jobs([root], ASKED, tmp_path / "out").jobs
    assert job.reference == scoring


def test_codes_without_a_meaning_are_told_once_and_cost_no_night(bids, tmp_path):
    root = bids(["sub-01_task-sleep", "sub-02_task-sleep"], codes=[0, 1, 2, 3, 4, 8])
    found = find_jobs([root], ASKED, tmp_path / "out")
    assert [job.reference for job in found.jobs] == [None, None]
    assert sum("--coding NAME" in note for note in found.notes) == 1
    coded = find_jobs([root], Job(Path(), coding="aasm"), tmp_path / "out")
    assert all(job.reference for job in coded.jobs)


def test_trigger_events_are_no_scoring(bids, tmp_path):
    root = bids(["sub-01_task-sleep"], column="trial_type", codes=["tone", "response", "tone"])
    (job,) = find_jobs([root], ASKED, tmp_path / "out").jobs
    assert job.reference is None


def test_without_participants_each_subject_is_a_sleeper_and_that_is_said(bids, tmp_path):
    found = find_jobs([bids(["sub-07_task-sleep"], participants="")], ASKED, tmp_path / "out")
    assert [job.subject for job in found.jobs] == ["sub-07"]
    assert any("no participants.tsv" in note for note in found.notes)
