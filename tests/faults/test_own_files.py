"""Files of the user's own are not overwritten: what would write over one says so, and leaves it alone."""

import json

import pytest

from eegsleep import (
    Calibration,
    EegSleepError,
    SettingsError,
    measure_agreement,
    save_agreement,
    save_calibration,
    write_hypnogram,
)
from eegsleep.batch.jobs_file import read_rows
from eegsleep.provenance import OWN_PAGE, check_own

OWN = b"my own file\n"


def test_files_of_the_same_kind_are_replaced_and_others_are_not(tmp_path):
    files = {
        tmp_path / "a.csv": b"night,stage\n1,W\n",
        tmp_path / "a.json": b"{}\n",
        tmp_path / "a.html": OWN_PAGE + b"new",
    }
    check_own(files)
    earlier = {"a.csv": b"night,stage\n2,N2\n", "a.json": b"{}\n", "a.html": b"<head>" + OWN_PAGE + b"old"}
    for name, content in earlier.items():
        (tmp_path / name).write_bytes(content)
    check_own(files)
    for name, content in earlier.items():
        (tmp_path / name).write_bytes(OWN)
        with pytest.raises(EegSleepError, match="not overwritten"):
            check_own(files)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "a.json").write_bytes(b'{"of": "an earlier version"}')
    (tmp_path / "mark.json").write_text(json.dumps({"versions": {"eegsleep": "0"}}))
    check_own(files, mark=tmp_path / "mark.json")


@pytest.mark.parametrize("name", ["agreement.html", "agreement_nights.csv", "agreement_nights.json"])
def test_an_agreement_overwrites_only_an_agreement(name, tmp_path):
    agreement = measure_agreement([("night-1", "me", ["W", "N2", "N2"], ["W", "N2", "N3"])])
    pages = {"agreement.html": OWN_PAGE}
    save_agreement(agreement, tmp_path, pages)
    save_agreement(agreement, tmp_path, pages)
    (tmp_path / "agreement.html").unlink()
    (tmp_path / name).write_bytes(OWN)
    with pytest.raises(EegSleepError, match="not overwritten"):
        save_agreement(agreement, tmp_path, pages)
    assert (tmp_path / name).read_bytes() == OWN


def test_a_calibration_overwrites_only_a_calibration(tmp_path):
    path = tmp_path / "night.edf"
    save_calibration(Calibration({"C4-M1": 14.0}), path)
    save_calibration(Calibration({"C4-M1": 15.0}), path)
    path.write_bytes(OWN)
    with pytest.raises(SettingsError, match="not overwritten"):
        save_calibration(Calibration({"C4-M1": 14.0}), path)
    assert path.read_bytes() == OWN


def test_the_description_of_a_bids_table_overwrites_no_other_json(tmp_path):
    write_hypnogram(["W", "N1"], tmp_path / "a.tsv")
    write_hypnogram(["W", "N2"], tmp_path / "a.tsv")
    (tmp_path / "a.json").write_bytes(OWN)
    with pytest.raises(EegSleepError, match="not overwritten"):
        write_hypnogram(["W", "N3"], tmp_path / "a.tsv")
    assert (tmp_path / "a.json").read_bytes() == OWN
    assert b"N3" not in (tmp_path / "a.tsv").read_bytes()


def test_a_batch_overwrites_no_jobs_json_of_another_origin(tmp_path):
    assert read_rows(tmp_path) == {}
    (tmp_path / "jobs.json").write_bytes(OWN)
    with pytest.raises(EegSleepError, match="not overwritten"):
        read_rows(tmp_path)
