"""What lies fetched in a folder becomes nights that the rest of eegsleep can read."""

from pathlib import Path

import pytest
from datasets.miniature_physionet import registry_of

from eegsleep.batch.sources import find_jobs
from eegsleep.cli.fetch import fetch
from eegsleep.datasets.pairs import find_expert
from eegsleep.datasets.physionet import FETCHERS, list_nights
from eegsleep.hypnograms.read import read_hypnogram
from eegsleep.hypnograms.scoring import align_scoring
from eegsleep.recording.read import read_recording
from eegsleep.workflows.score import Job


@pytest.fixture
def fetched(server, mirror, tmp_path):
    """Return a function that fetches what the mirror has of a set, and lists its nights."""

    def fetch(name, records=()):
        registry = registry_of(mirror, name) if name.startswith("sleep-edf") else None
        options = {} if registry is None else {"registry": registry}
        folder = tmp_path / name
        report = FETCHERS[name](records, folder, base_url=server.url, **options)
        assert not report.failed
        return list_nights(name, folder, registry=registry)

    return fetch


@pytest.mark.parametrize("name", FETCHERS)
def test_every_set_gives_a_night_with_stages_that_lie_on_it(fetched, name):
    night = fetched(name)[0]
    recording = read_recording(night.file, device=night.device or None)
    scoring = read_hypnogram(night.scoring, coding=night.coding)
    stages, _ = align_scoring(scoring, recording.start, recording.n_epochs)
    assert recording.n_epochs == 12
    assert find_expert(night.file) == (night.scoring, night.coding), "the names lead to the same pair"
    assert {"W", "N1", "N2", "N3", "R"} <= set(stages["stage"])


@pytest.mark.parametrize("name", FETCHERS)
def test_every_set_is_read_by_its_own_preset_with_eyes_and_chin_where_it_has_them(fetched, name):
    """UCDDB samples both at 64 Hz, too slowly, as its preset and its card say; SC has an envelope for an EMG."""
    recording = read_recording(fetched(name)[0].file)
    presets = {"sleep-edf-sc": "sleep-edf", "sleep-edf-st": "sleep-edf", "cap": "embla-cap"}
    assert recording.device == presets.get(name, name)
    roles = list(recording.roles.values())
    assert roles.count("eeg") >= 1
    assert roles.count("eog") == (name not in {"slpdb", "ucddb"})
    assert roles.count("emg") == (name not in {"slpdb", "ucddb", "sleep-edf-sc"})


def test_a_night_knows_what_was_taken_and_when_the_lights_went_off(fetched):
    first, second = fetched("sleep-edf-st")
    assert (first.id, first.subject, first.night, first.condition) == ("ST7011J0", "ST701", 1, "placebo")
    assert (second.id, second.subject, second.night, second.condition) == ("ST7012J0", "ST701", 2, "temazepam")
    assert (first.lights_off, first.lights_on, first.age, first.sex) == ("23:01", "", "60", "male")
    assert (first.device, first.coding) == ("sleep-edf", None)


def test_what_a_mirror_of_other_files_gives_is_a_study_that_says_so(server, tmp_path, monkeypatch):
    """From the command's fetch to the batch's nights: with device, lights and expert, and a line in nights.csv."""
    monkeypatch.setenv("EEGSLEEP_DATA", str(tmp_path))
    fetch("sleep-edf-st", base_url=server.url, checksums="server")
    jobs, _, notes = find_jobs(["sleep-edf-st"], Job(Path()))
    assert [(job.night, job.device, job.lights_off, job.reference.name) for job in jobs] == [
        ("ST7011J0", "sleep-edf", "23:01", "ST7011JP-Hypnogram.edf"),
        ("ST7012J0", "sleep-edf", "23:48", "ST7012JP-Hypnogram.edf"),
    ]
    assert notes == (f"{tmp_path / 'sleep-edf-st' / 'study.toml'} makes a study of them.",)
    nights = (tmp_path / "sleep-edf-st" / "nights.csv").read_text()
    assert "# the files were checked against the list of the server they came from" in nights


def test_a_night_that_is_not_whole_is_no_night(fetched, tmp_path):
    nights = fetched("hmc", ["SN001", "SN002"])
    assert [night.id for night in nights] == ["SN001", "SN002"]
    nights[0].file.write_bytes(nights[0].file.read_bytes()[:-1])
    nights[1].scoring.unlink()
    (left,) = list_nights("hmc", tmp_path / "hmc")
    assert (left.id, left.scoring) == ("SN002", None)


def test_a_folder_that_is_not_there_has_no_nights(tmp_path):
    assert list_nights("cap", tmp_path / "nowhere") == []
    assert list_nights("cinc2018", tmp_path / "nowhere") == []
