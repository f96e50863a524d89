"""A scored night as BIDS derivatives: read back as it was, explained, and accepted by the BIDS validator."""

import csv
import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from eegsleep.errors import EegSleepError
from eegsleep.hypnograms.read import align_scoring, read_hypnogram
from eegsleep.night.bids import write_bids


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def test_stages_and_events_are_read_back_as_they_were(sample_night, tmp_path):
    stages, _, events, _ = write_bids(sample_night, tmp_path / "deriv")
    back = align_scoring(read_hypnogram(stages), None, len(sample_night.stages))[0]
    assert list(back["stage"]) == list(sample_night.stages["stage"])
    rows = rows_of(events)
    assert sum(row["trial_type"] == "spindle" for row in rows) == len(sample_night.spindles)
    assert {row["channel"] for row in rows} <= {label for label, role in sample_night.roles.items() if role == "eeg"}
    assert [float(row["onset"]) for row in rows] == sorted(float(row["onset"]) for row in rows)


def test_every_column_is_explained(sample_night, tmp_path):
    stages, stages_json, events, events_json = write_bids(sample_night, tmp_path / "deriv")
    for table, sidecar in ((stages, stages_json), (events, events_json)):
        rows, described = rows_of(table), json.loads(sidecar.read_text())
        assert {"channel", "annotator", "method", "confidence"} <= set(rows[0])
        assert set(rows[0]) <= set(described)
        assert {row["trial_type"] for row in rows} <= set(described["trial_type"]["Levels"])


def test_the_entities_of_a_bids_recording_are_kept_and_its_set_is_the_source(sample_night, tmp_path):
    source = tmp_path / "ds"
    folder = source / "sub-07" / "ses-2" / "eeg"
    folder.mkdir(parents=True)
    described = {"Name": "x", "BIDSVersion": "1.9.0", "DatasetDOI": "doi:10.1/x"}
    (source / "dataset_description.json").write_text(json.dumps(described))
    recording = folder / "sub-07_ses-2_task-nap_acq-psg_eeg.edf"
    root = source / "derivatives" / "eegsleep"
    stages, *_ = write_bids(sample_night, root, recording=recording)
    assert stages.relative_to(root).as_posix() == (
        "sub-07/ses-2/eeg/sub-07_ses-2_task-nap_acq-psg_desc-stages_events.tsv"
    )
    written = json.loads((root / "dataset_description.json").read_text())
    assert written["DatasetType"] == "derivative"
    assert written["GeneratedBy"][0]["Name"] == "eegsleep"
    assert written["SourceDatasets"] == [{"URL": "file:../..", "DOI": "doi:10.1/x"}]


def test_nights_of_one_sleeper_are_sessions_and_no_path_is_told(sample_night, tmp_path):
    for night in ("first night", "second-night"):
        write_bids(
            replace(sample_night, id=night), tmp_path / "d", subject="Anna", recording=tmp_path / "secret" / "n.edf"
        )
    assert sorted(p.name for p in (tmp_path / "d" / "sub-Anna").iterdir()) == ["ses-firstnight", "ses-secondnight"]
    said = (tmp_path / "d" / "dataset_description.json").read_text()
    assert str(tmp_path) not in said


def test_another_data_set_is_never_written_into(sample_night, tmp_path):
    (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": "raw", "BIDSVersion": "1.9.0"}))
    with pytest.raises(EegSleepError, match=r"another data set.*derivatives/eegsleep"):
        write_bids(sample_night, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["dataset_description.json"]


def test_the_bids_validator_accepts_it(sample_night, tmp_path):
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    write_bids(sample_night, tmp_path / "deriv", subject="Anna")
    ran = subprocess.run([validator, tmp_path / "deriv", "--json"], capture_output=True, check=False, timeout=120)
    issues = json.loads(ran.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert ran.returncode == 0
