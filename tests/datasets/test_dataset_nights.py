"""What lies fetched in a folder becomes nights that the rest of eegsleep can read."""


import pytest
from datasets.miniature_physionet import registry_of

from eegsleep.datasets.pairs import find_expert
from eegsleep.datasets.physionet import FETCHERS, list_nights
from eegsleep.datasets.transfer import Patience
from eegsleep.recording.read import read_recording
from eegsleep.staging.hypnogram_files import read_hypnogram
from eegsleep.staging.scoring import align_scoring


@pytest.fixture
def fetched(server, mirror, tmp_path):
    """Return a function that fetches what the mirror has of a set, and lists its nights."""

    def fetch(name, records=()):
        registry = registry_of(mirror, name) if name.startswith("sleep-edf") else None
        options = {} if registry is None else {"registry": registry}
        folder = tmp_path / name
        report = FETCHERS[name](records, folder, base_url=server.url, patience=Patience(pause_s=0.01), **options)
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


def test_a_night_knows_what_was_taken_and_when_the_lights_went_off(fetched):
    first, second = fetched("sleep-edf-st")
    assert (first.id, first.subject, first.night, first.condition) == ("ST7011J0", "ST701", 1, "placebo")
    assert (second.id, second.subject, second.night, second.condition) == ("ST7012J0", "ST701", 2, "temazepam")
    assert (first.lights_off, first.lights_on, first.age, first.sex) == ("23:01", "", "60", "male")
    assert (first.device, first.coding) == ("sleep-edf", None)


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
