"""Which nights a batch is about: what is a recording, what it is called, and what is known of it."""

import shutil
from pathlib import Path

import pytest

from eegsleep.batch.sources import find_jobs
from eegsleep.errors import EegSleepError
from eegsleep.workflows.score import Job

ASKED = Job(Path())
SAMPLE = Path(__file__).parents[2] / "sample_data" / "sample-night.edf"


def names(found):
    return [job.night for job in found.jobs]


def test_a_folder_is_searched_for_recordings_by_what_is_in_them(nights, tmp_path):
    """Tables beside a recording, night folders, hidden files and annotations are none; a broken one is told later."""
    import edfio

    folder = tmp_path / "data"
    shutil.copytree(nights, folder / "first")
    (folder / ".hidden").mkdir()
    (folder / "scored").mkdir()
    (folder / "scored" / "provenance.json").write_text("{}")
    for place in (folder / ".hidden", folder / "scored"):
        shutil.copy(nights / "n1.edf", place / "copy.edf")
    annotations = [edfio.EdfAnnotation(0, 30, "Sleep stage W")]
    edfio.Edf([], annotations=annotations).write(folder / "events.edf")
    (folder / "notes.txt").write_text("slept well\n")
    (folder / "empty.edf").write_bytes(b"")
    (folder / "muse.csv").write_text("timestamps,TP9,AF7,AF8,TP10,Right AUX\n1,2,3,4,5,6\n")
    assert names(find_jobs([folder], ASKED, tmp_path / "out")) == ["empty", "cut", "n1", "n2", "muse"]


def test_a_folder_of_one_signal_files_is_one_night(write_edf, tmp_path):
    for label in ("EEG L", "EEG R", "BATT"):
        write_edf([label], name=f"{label}.edf")
    night = tmp_path / "zmax-01"
    night.mkdir()
    for file in tmp_path.glob("*.edf"):
        file.rename(night / file.name)
    assert names(find_jobs([tmp_path], ASKED)) == ["zmax-01"]
    assert names(find_jobs([night], ASKED)) == ["zmax-01"]


def test_nights_of_one_name_are_named_by_their_folders_too(nights, tmp_path):
    for sleeper in ("S01", "S02"):
        (tmp_path / sleeper).mkdir()
        shutil.copy(nights / "n1.edf", tmp_path / sleeper / "night.edf")
    shutil.copy(nights / "n2.edf", tmp_path / "S01" / "other.edf")
    found = find_jobs([tmp_path], ASKED)
    assert names(found) == ["S01-night", "other", "S02-night"]
    assert names(find_jobs([job.file for job in found.jobs], ASKED)) == names(found), "however they are asked for"
    assert names(find_jobs([tmp_path / "S02", tmp_path / "S01" / ".." / "S01"], ASKED)) == [
        "S02-night",
        "S01-night",
        "other",
    ]
    shutil.copy(nights / "n1.edf", tmp_path / "S01-night.edf")
    with pytest.raises(EegSleepError, match=r"S01.night\.edf and .*S01-night\.edf"):
        find_jobs([tmp_path], ASKED)


def test_a_recording_keeps_the_name_it_has_in_the_account(nights, tmp_path):
    """Another of its name that comes later is named by its folder; else the first would be there twice."""
    from eegsleep.batch.jobs_file import make_row, write_rows

    data, output = tmp_path / "data", tmp_path / "out"
    for sleeper in ("S01", "S02"):
        (data / sleeper).mkdir(parents=True)
        shutil.copy(nights / "n1.edf", data / sleeper / "night.edf")
    output.mkdir()
    first = find_jobs([data / "S01"], ASKED, output).jobs[0]
    assert first.night == "night"
    write_rows(output, {"night": make_row(first, output, status="done")})
    assert names(find_jobs([data], ASKED, output)) == ["night", "S02-night"]
    assert names(find_jobs([data], ASKED, tmp_path / "elsewhere")) == ["S01-night", "S02-night"]


def test_another_form_of_a_recording_beside_it_is_not_taken_twice(nights, tmp_path):
    """A header for WFDB or a packed copy beside an EDF is the same night; alone, each is a night."""
    shutil.copy(nights / "n1.edf", tmp_path / "n1.edf")
    for name in ("n1.edf.gz", "n1.hea", "n2.edf.gz", "n3.hea"):
        (tmp_path / name).write_bytes(b"x")
    shutil.copy(nights / "n1.edf", tmp_path / "n4.edf")
    (tmp_path / "n4.edf.hea").write_bytes(b"x")
    assert [job.file.name for job in find_jobs([tmp_path], ASKED).jobs] == ["n1.edf", "n2.edf.gz", "n3.hea", "n4.edf"]


def test_the_same_recording_named_twice_is_one_night(nights):
    assert names(find_jobs([nights / "n1.edf", nights], ASKED)) == ["n1", "cut", "n2"]


def test_an_experts_stages_beside_a_recording_go_with_it(nights, tmp_path):
    shutil.copy(nights / "n1.edf", tmp_path / "SN001.edf")
    shutil.copy(nights / "n1.edf", tmp_path / "own.edf")
    (tmp_path / "SN001_sleepscoring.edf").write_bytes(b"not looked into")
    by_name = {job.night: job for job in find_jobs([tmp_path / "SN001.edf", tmp_path / "own.edf"], ASKED).jobs}
    assert by_name["SN001"].reference == tmp_path / "SN001_sleepscoring.edf"
    assert by_name["own"].reference is None


STUDY = """\
[study]
title = "t"
compound = "c"
design = "n-of-1"
conditions = ["A", "B"]
active = ""
seed = 1

[allocation]
mechanism = "pairs"

[plan]
start = "2026-01-05"
subjects = ["S01"]
nights = 4

[endpoints]
primary = ["fast_spindle_density_per_min|NREM|C4-M1"]
families = ["D"]
"""
NIGHTS = """\
subject,night,date,file,condition,block,device,lights_off,lights_on,excluded,exclusion_reason
S01,S01-1,2026-01-05,one.edf,A,1,Muse,23:15,07:00,,
S01,S01-2,2026-01-06,two.edf,B,1,our own amplifier,,,,
S01,S01-3,2026-01-07,,B,2,,,,,
S01,S01-4,2026-01-08,four.edf,A,2,,,,true,fever
"""


def test_a_study_names_its_nights_and_says_what_is_known_of_them(tmp_path):
    """Night, sleeper, lights and device are those of nights.csv; a missed or excluded night is no job."""
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "nights.csv").write_text(NIGHTS)
    for source in (tmp_path, tmp_path / "study.toml"):
        found = find_jobs([source], Job(Path(), eeg=("C4-M1",)))
        assert found.output == tmp_path / "eegsleep-nights"
        first, second = found.jobs
        assert (first.night, first.subject, first.file) == ("S01-1", "S01", tmp_path / "one.edf")
        assert (first.lights_off, first.lights_on, first.device, first.eeg) == ("23:15", "07:00", "muse", ("C4-M1",))
        assert (second.night, second.lights_off, second.device) == ("S01-2", None, None)
    with pytest.raises(EegSleepError, match="a study stands alone"):
        find_jobs([tmp_path, SAMPLE], ASKED)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([], "nothing to work out"),
        (["."], "there is no recording"),
        (["nowhere.edf"], "sleep-edf-st"),
        (["sleep-edf-sc"], "eegsleep fetch sleep-edf-sc"),
    ],
)
def test_no_night_is_a_sentence(sources, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EEGSLEEP_DATA", raising=False)
    with pytest.raises(EegSleepError, match=words):
        find_jobs(sources, ASKED)


def test_the_header_of_each_recording_is_read_once(nights, tmp_path, monkeypatch):
    """Three readings of thousands of headers took most of the time that a batch needs to begin."""
    from eegsleep.recording import parts

    folder = tmp_path / "many"
    folder.mkdir()
    source = next(path for path in nights.rglob("*.edf"))
    for number in range(5):
        shutil.copy(source, folder / f"{'abcde'[number]}.edf")
    read, names = parts.inspect_header, []
    monkeypatch.setattr(parts, "inspect_header", lambda file, size: names.append(file.name) or read(file, size))
    assert len(find_jobs([folder]).jobs) == 5
    assert sorted(map(str, names)) == sorted(str(path) for path in folder.iterdir())
