"""The expert's scoring beside a recording is found by the sets' own names, and nothing else is taken for it."""

import shutil
from pathlib import Path

import pytest
from datasets.miniature_physionet import PROJECTS

from eegsleep.datasets.pairs import find_expert
from eegsleep.errors import RecordingError
from eegsleep.hypnograms.read import read_hypnogram


@pytest.mark.parametrize(
    ("dataset", "recording", "scoring", "coding"),
    [
        ("sleep-edf-sc", "sleep-cassette/SC4002E0-PSG.edf", "SC4002EC-Hypnogram.edf", None),
        ("sleep-edf-st", "sleep-telemetry/ST7011J0-PSG.edf", "ST7011JP-Hypnogram.edf", None),
        ("hmc", "recordings/SN001.edf", "SN001_sleepscoring.edf", None),
        ("cap", "n1.edf", "n1.txt", None),
        ("ucddb", "ucddb002.rec", "ucddb002_stage.txt", "ucddb"),
    ],
)
def test_scoring_is_found_and_can_be_read(mirror, dataset, recording, scoring, coding, tmp_path):
    folder = tmp_path / "fetched"
    shutil.copytree((mirror / PROJECTS[dataset] / recording).parent, folder)
    (folder / ".verified.json").write_text("{}")  # as fetch leaves it
    recording = folder / Path(recording).name
    found = find_expert(recording)
    assert found == (recording.with_name(scoring), coding)
    assert {"W", "N1", "N2", "N3", "R"} <= set(read_hypnogram(found[0], coding=coding).stages)


def test_no_scoring_and_unknown_names_give_none(tmp_path):
    names = [
        "SC4001E0-PSG.edf",
        "SC4002EC-Hypnogram.edf",
        "n1.edf",
        "n10.txt",
        "SN001.edf",
        "SN001_sleepscoring.txt",
        "night.edf",
        "night.txt",
        "SC4002EC-Hypnogram.edf",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    assert {name: find_expert(tmp_path / name) for name in names} == dict.fromkeys(names)


def test_plain_names_of_a_set_mean_nothing_in_a_folder_of_somebody_else(tmp_path):
    """`n1.txt` beside `n1.edf` is CAP's expert only where CAP was fetched; anywhere else it may be a diary."""
    for name in ("n1.edf", "n1.txt", "rbd2.edf", "rbd2.txt"):
        (tmp_path / name).write_bytes(b"")
    assert find_expert(tmp_path / "n1.edf") is None
    assert find_expert(tmp_path / "rbd2.edf") is None


def test_two_scorings_are_refused_by_name(tmp_path):
    for name in ("SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf", "SC4001EH-Hypnogram.edf"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(RecordingError, match=r"SC4001EC-Hypnogram\.edf, SC4001EH-Hypnogram\.edf.*--reference"):
        find_expert(tmp_path / "SC4001E0-PSG.edf")
