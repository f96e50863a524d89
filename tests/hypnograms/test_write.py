"""What is written for other programs comes back exactly, and those programs read it."""

# ruff: noqa: DTZ001 - a recording's time is naive and local, as its header has it

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from aligned_hypnogram import read_aligned

from eegsleep.errors import EegSleepError, TableError
from eegsleep.hypnograms.read import read_hypnogram
from eegsleep.hypnograms.table import make_stages
from eegsleep.hypnograms.write import write_hypnogram
from eegsleep.signals.epochs import STAGES

FILES = {"a.csv": False, "a.edf": True, "a_events.tsv": False, "a.json": True, "a.txt": False, "a.xml": True}
START = datetime(2024, 2, 28, 22, 58, 59, 731_250)


def hypnogram(names):
    return make_stages(np.array(names, dtype=object), None, np.ones(len(names), dtype=bool))


def random_hypnogram(seed):
    """Make a hypnogram of one stage or many, of one epoch or a night, unscored epochs among them."""
    rng = np.random.default_rng(seed)
    used = rng.choice(STAGES, rng.integers(1, 7), replace=False)
    lengths = rng.integers(1, 12, rng.integers(1, 120))
    return hypnogram(np.repeat(rng.choice(used, lengths.size), lengths))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(12))
def test_round_trip_is_exact(tmp_path, name, seed):
    stages = random_hypnogram(seed)
    path = write_hypnogram(stages, tmp_path / name, start=START)
    back, notes = read_aligned(path, len(stages), START)
    pd.testing.assert_frame_equal(back, stages)
    assert [note for note in notes if "do not say" not in note] == []


@pytest.mark.parametrize(("name", "keeps_start"), FILES.items())
def test_start_is_kept_to_the_second_where_the_format_has_one(tmp_path, name, keeps_start):
    scoring = read_hypnogram(write_hypnogram(hypnogram(["UNS", "N2"]), tmp_path / name, start=START))
    assert scoring.start == (START.replace(microsecond=0) if keeps_start else None)
    assert scoring.relative is not keeps_start
    assert scoring.notes == ()


@pytest.mark.parametrize("name", [name for name in FILES if name != "a.xml"])
def test_without_a_start_the_first_sample_is_the_origin(tmp_path, name):
    stages = random_hypnogram(3)
    back, notes = read_aligned(write_hypnogram(stages, tmp_path / name), len(stages))
    pd.testing.assert_frame_equal(back, stages)
    assert notes == ()


def test_yasa_reads_its_json(tmp_path):
    import yasa

    path = write_hypnogram(hypnogram(["W", "N1", "N3", "R", "UNS"]), tmp_path / "a.json", start=START)
    read = yasa.Hypnogram.from_json(path)
    assert list(read.hypno) == ["WAKE", "N1", "N3", "REM", "UNS"]
    assert read.start == pd.Timestamp(START.replace(microsecond=0))


def test_mne_and_edfio_read_the_edf(tmp_path):
    import edfio
    import mne

    path = write_hypnogram(hypnogram(["W", "N2", "UNS"]), tmp_path / "a.edf", start=START)
    found = mne.read_annotations(path)
    assert list(found.description) == ["Sleep stage W", "Sleep stage N2", "Sleep stage ?"]
    assert list(found.onset) == [0, 30, 60]
    edf = edfio.read_edf(path)
    assert datetime.combine(edf.startdate, edf.starttime) == START.replace(microsecond=0)


def test_bids_events_have_their_sidecar(tmp_path):
    path = write_hypnogram(hypnogram(["W", "R"]), tmp_path / "sub-01_events.tsv")
    table = pd.read_csv(path, sep="\t")
    assert list(table) == ["onset", "duration", "trial_type"]
    sidecar = json.loads((tmp_path / "sub-01_events.json").read_text(encoding="utf-8"))
    assert set(table) == set(sidecar)
    assert set(table["trial_type"]) <= set(sidecar["trial_type"]["Levels"])


def test_probabilities_stay_in_the_csv(tmp_path):
    """The table is written as it is, and given back the stages count, not the probabilities."""
    stages = hypnogram(["N2", "N2"])
    stages[["p_wake", "p_n1", "p_n2", "p_n3", "p_rem"]] = [0.1, 0.1, 0.6, 0.1, 0.1]
    path = write_hypnogram(stages, tmp_path / "a.csv")
    assert pd.read_csv(path)["p_n2"].tolist() == [0.6, 0.6]
    assert read_aligned(path, 2)[0]["p_n2"].isna().all()


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path):
    stages = hypnogram(["W", "N1"])
    with pytest.raises(TableError, match="format"):
        write_hypnogram(stages, tmp_path / "a.docx")
    with pytest.raises(TableError, match="format"):
        write_hypnogram(stages, tmp_path / "a.csv", kind="stone")
    with pytest.raises(TableError, match="start"):
        write_hypnogram(stages, tmp_path / "a.xml")
    with pytest.raises(TableError, match=r"column stage .* holds a value"):
        write_hypnogram(stages.assign(stage="N4"), tmp_path / "a.csv")
    with pytest.raises(TableError, match="no epoch"):
        write_hypnogram(stages.iloc[:0], tmp_path / "a.csv")
    with pytest.raises(EegSleepError, match="cannot be written"):
        write_hypnogram(stages, tmp_path / "nowhere" / "a.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("year", [1, 9999])
def test_a_start_in_no_year_of_a_recording_is_refused(tmp_path, name, year):
    with pytest.raises(TableError, match="no time of a recording"):
        write_hypnogram(hypnogram(["W", "N2"]), tmp_path / name, start=datetime(year, 12, 31, 23, 59, 59))
    assert not list(tmp_path.iterdir())


def test_a_start_with_a_time_zone_is_refused_and_not_taken_as_local(tmp_path):
    with pytest.raises(TableError, match="without a time zone"):
        write_hypnogram(hypnogram(["W"]), tmp_path / "a.edf", start=START.replace(tzinfo=UTC))
