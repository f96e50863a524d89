"""A public set with a compound and a control becomes a study that can be read, locked and compared."""

import datetime as dt
import logging
import re
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import edfio
import numpy as np
import pytest

from eegsleep.batch.dataset_study import has_study, write_dataset_study
from eegsleep.errors import SettingsError, TableError
from eegsleep.study.declared.manifest import read_study


class Fetched(NamedTuple):
    """A night as the list of a fetched data set has it."""

    id: str
    subject: str
    night: int
    condition: str
    file: Path
    scoring: Path | None = None
    coding: str | None = None
    device: str = "sleep-edf"
    lights_off: str = "23:48"
    lights_on: str = ""
    age: str = "60"
    sex: str = "male"
    checked_by: str = "package"


at = dt.datetime.fromisoformat


def fetch(folder, name, subject, night, condition, start):
    """Write a recording of one second with that start and return it as a fetched night."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-PSG.edf"
    signal = edfio.EdfSignal(np.zeros(100), 100, label="EEG Fpz-Cz", physical_dimension="uV", physical_range=(-1, 1))
    recording = edfio.Recording(startdate=start.date() if start else None)
    edfio.Edf([signal], recording=recording, starttime=start.time() if start else None).write(path)
    return Fetched(name, subject, night, condition, path)


@pytest.fixture
def nights(tmp_path):
    """Return three sleepers of the telemetry set: two with both nights, one with the placebo night alone."""
    home = tmp_path / "data" / "sleep-telemetry"
    return [
        fetch(home, "ST7022J0", "ST702", 2, "placebo", at("1994-06-14T23:27")),
        fetch(home, "ST7011J0", "ST701", 1, "placebo", at("1994-07-12T23:00")),
        fetch(home, "ST7012J0", "ST701", 2, "temazepam", at("1994-07-27T00:15")),
        fetch(home, "ST7021J0", "ST702", 1, "temazepam", at("1994-06-07T23:50")),
        fetch(home, "ST7041J0", "ST704", 1, "placebo", at("1994-06-20T23:50")),
    ]


def test_the_study_holds_the_sleepers_of_both_conditions_in_order(tmp_path, nights):
    path = write_dataset_study("sleep-edf-st", nights, tmp_path / "study")
    study = read_study(path)
    rows = study.nights[["subject", "night", "date", "condition", "period"]].to_numpy().tolist()
    assert rows == [
        ["ST701", "ST7011J0", "1994-07-12", "A", 1],
        ["ST701", "ST7012J0", "1994-07-26", "B", 2],  # begun after midnight
        ["ST702", "ST7021J0", "1994-06-07", "B", 1],
        ["ST702", "ST7022J0", "1994-06-14", "A", 2],
    ]
    assert (study.nights["lights_off"] == "23:48").all()
    assert study.active == "B"
    assert study.nights["cov_age"].tolist() == [60, 60, 60, 60]
    assert all((path.parent / file).is_file() for file in study.nights["file"])
    assert "checked against the list of the server" not in (path.parent / "nights.csv").read_text()


def test_without_a_word_on_how_the_order_was_drawn_none_is_declared(tmp_path, nights):
    text = write_dataset_study("sleep-edf-st", nights, tmp_path).read_text()
    assert read_study(tmp_path / "study.toml").mechanism.kind == "observational"
    assert "none, only differences within sleepers" in " ".join(text.replace("#", "").split())


def test_who_states_the_mechanism_as_the_comment_says_has_a_crossover(tmp_path, nights):
    """Then names are also searched for what tells the condition, and nothing is found."""
    path = write_dataset_study("sleep-edf-st", nights, tmp_path)
    path.write_text(state_crossover(path.read_text()))
    study = read_study(path)
    assert (study.design, study.mechanism.kind, study.mechanism.balanced) == ("crossover", "crossover", False)


def state_crossover(text):
    """Return the study file after the change its own comment describes."""
    for old, new in (
        ('design = "observational"', 'design = "crossover"'),
        ('mechanism = "observational"\n', ""),
        ('# mechanism = "crossover"', 'mechanism = "crossover"'),
        ("# balanced", "balanced"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_all_44_nights_of_the_set_make_a_crossover_once_that_is_stated(tmp_path):
    """The order of the real set: 12 sleepers had placebo first and 10 temazepam, as the study file says."""
    import mne

    records = Path(mne.__file__).parent / "datasets" / "sleep_physionet" / "temazepam_records.csv"
    rows = [line.split(",") for line in records.read_text().splitlines()[1:]]
    empty = tmp_path / "data"
    nights = [
        fetch(empty, row[9][:8], row[9][:5], int(row[5]), row[3].lower(), None)._replace(lights_off=row[4], sex=row[2])
        for row in rows
    ]
    path = write_dataset_study("sleep-edf-st", nights, tmp_path)
    path.write_text(state_crossover(path.read_text()))
    study = read_study(path)
    assert len(study.nights) == 44
    first = study.nights.groupby("subject")["condition"].first()
    said = re.search(r"all 22 sleepers (\d+) had placebo first and (\d+) temazepam", path.read_text())
    assert [int(n) for n in said.groups()] == [(first == "A").sum(), (first == "B").sum()]


def test_who_is_left_out_is_named_in_the_log_and_in_the_file(tmp_path, nights, caplog):
    caplog.set_level(logging.WARNING)
    write_dataset_study("sleep-edf-st", nights, tmp_path)
    said = "ST704 is left out: fetched placebo, one night of each condition is needed"
    assert said in caplog.text
    assert f"# {said}\n" in (tmp_path / "nights.csv").read_text()


def test_dates_that_no_header_has_are_made_up_and_that_is_said(tmp_path, nights):
    lost = [night for night in nights if night.subject == "ST701"]
    day = at("1985-01-01T23:00")
    lost = [fetch(tmp_path / "x", n.id, n.subject, n.night, n.condition, day) for n in lost]
    write_dataset_study("sleep-edf-st", lost, tmp_path)
    assert "# dates are made up and only the order is real: ST701\n" in (tmp_path / "nights.csv").read_text()
    dates = read_study(tmp_path / "study.toml").nights["date"].tolist()
    assert dates == ["1994-01-01", "1994-01-08"]


def test_what_a_user_edited_is_never_written_over(tmp_path, nights, caplog):
    path = write_dataset_study("sleep-edf-st", nights[1:3], tmp_path)
    edited = path.read_text().replace("alpha = 0.05", "alpha = 0.01")
    path.write_text(edited)
    listed = (tmp_path / "nights.csv").read_bytes()
    caplog.set_level(logging.WARNING)
    assert write_dataset_study("sleep-edf-st", nights, tmp_path) == path
    assert path.read_text() == edited
    assert (tmp_path / "nights.csv").read_bytes() == listed
    assert "lacks ST702, fetched since" in caplog.text


def test_without_a_sleeper_in_both_conditions_there_is_no_study(tmp_path, nights):
    with pytest.raises(TableError, match="no sleeper was fetched in both conditions"):
        write_dataset_study("sleep-edf-st", nights[:1], tmp_path)
    assert not list(tmp_path.glob("*.toml"))


def test_sets_without_conditions_make_no_study(tmp_path, nights):
    assert [name for name in ("sleep-edf-sc", "sleep-edf-st", "hmc", "cap", "slpdb") if has_study(name)] == [
        "sleep-edf-st"
    ]
    with pytest.raises(SettingsError, match="hmc has no compound"):
        write_dataset_study("hmc", nights, tmp_path)


def test_the_study_file_belongs_to_the_package():
    text = files("eegsleep.batch").joinpath("sleep_edf_st_study.toml").read_text(encoding="utf-8")
    assert "10.1109/10.867928" in text
