"""A night is left alone only when nothing it rests on has changed, and nobody touched what it wrote."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import stand_in

from eegsleep.batch.freshness import find_fresh, list_inputs
from eegsleep.batch.resources import Resources
from eegsleep.batch.run import run_batch
from eegsleep.config import Settings
from eegsleep.events.spindles import SpindleSettings
from eegsleep.provenance import hash_file, hash_files, package_versions, read_provenance
from eegsleep.workflows.score import Job, describe_request, score_file

VERSIONS = {"eegsleep": "1"}


@pytest.fixture(scope="module")
def scored(nights, tmp_path_factory):
    """Return the job, the settings and the folder of one night that was worked out."""
    output = tmp_path_factory.mktemp("out")
    job = Job(nights / "n1.edf", night="n1", lights_off="23:00", eeg=("C4-M1",))
    score_file(job, Settings(), output)
    return job, Settings(), output


def test_a_night_just_worked_out_is_fresh_whatever_it_is_told_of_the_sleeper(scored):
    job, settings, output = scored
    assert find_fresh([job], output, settings) == {"n1"}
    assert find_fresh([dataclasses.replace(job, subject="S01")], output, settings) == {"n1"}


def test_a_coding_asks_nothing_where_there_is_no_hypnogram(scored):
    job, settings, output = scored
    assert find_fresh([dataclasses.replace(job, coding="rk")], output, settings)


@pytest.mark.parametrize(
    "changes", [{"eeg": None}, {"lights_off": None}, {"units": (("C4-M1", "uV"),)}, {"device": "generic"}]
)
def test_another_question_is_not_answered_by_the_old_night(scored, changes):
    job, settings, output = scored
    assert not find_fresh([dataclasses.replace(job, **changes)], output, settings)


@pytest.mark.parametrize("name", ["provenance.json", "markers.csv"])
def test_a_night_with_a_pipe_in_place_of_a_file_is_not_fresh(scored, name, tmp_path):
    job, settings, output = scored
    shutil.copytree(output, tmp_path / "out")
    (tmp_path / "out" / "n1" / name).unlink()
    os.mkfifo(tmp_path / "out" / "n1" / name)
    assert not find_fresh([job], tmp_path / "out", settings)


def test_a_night_whose_provenance_is_of_another_night_is_not_fresh(scored, tmp_path):
    job, settings, output = scored
    shutil.copytree(output, tmp_path / "out")
    path = tmp_path / "out" / "n1" / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id": "../../n1"}))
    assert not find_fresh([job], tmp_path / "out", settings)


def test_other_settings_make_another_night(scored):
    job, settings, output = scored
    changed = dataclasses.replace(
        settings, spindles=SpindleSettings(min_sigma_ratio=settings.spindles.min_sigma_ratio + 1)
    )
    assert not find_fresh([job], output, changed)


def test_another_question_needs_no_reading_of_the_recording(scored, monkeypatch):
    """Nights may be large and many: what was asked for is compared first, then what was written, then the recording."""
    from eegsleep.batch import freshness

    job, settings, output = scored
    read = []
    monkeypatch.setattr(freshness, "hash_file", lambda path: read.append(path) or hash_file(path))
    monkeypatch.setattr(freshness, "hash_files", lambda paths: read.extend(paths) or hash_files(paths))
    assert not find_fresh([dataclasses.replace(job, device="generic")], output, settings)
    assert read == []
    assert find_fresh([job], output, settings) == {"n1"}
    assert read[-1] == job.file


def test_what_did_not_fit_in_an_experts_stages_is_kept_with_the_night(nights, tmp_path):
    """In a batch nobody reads what is said: the report and provenance.json have it."""
    stages = tmp_path / "expert.csv"
    stages.write_text("onset_s,duration_s,stage\n" + "".join(f"{30 * i},30,N2\n" for i in range(90)))
    night, folder = score_file(Job(nights / "n1.edf", night="n1", reference=stages), Settings(), tmp_path)
    said = [warning for warning in night.warnings if warning.startswith("The hypnogram that was given: ")]
    assert said, "90 epochs do not fit in 72"
    assert read_provenance(folder)["warnings"] == list(night.warnings)


def test_every_output_must_be_what_was_written(scored, tmp_path):
    """A table changed by hand, a report that is gone: the night is done again."""
    import shutil

    job, settings, output = scored
    for number, damage in enumerate((lambda p: p.unlink(), lambda p: p.write_bytes(p.read_bytes() + b"\n"))):
        for name in ("report.html", "markers.csv", "events.edf", "provenance.json"):
            copy = tmp_path / f"{number}-{name}"
            shutil.copytree(output, copy)
            damage(copy / "n1" / name)
            is_fresh = find_fresh([job], copy, settings) == {"n1"}
            assert is_fresh == (name == "provenance.json" and number == 1), "white space is no change of JSON"


def test_what_is_in_a_file_counts_and_not_its_name(nights, tmp_path):
    recording = tmp_path / "r.edf"
    recording.write_bytes((nights / "n1.edf").read_bytes())
    other = tmp_path / "stages.csv"
    other.write_text("onset_s,stage\n0,W\n")
    job = Job(recording, night="n", hypnogram=other)
    before = describe_request(job, hash_files([recording]), Settings(), VERSIONS)
    moved = other.rename(tmp_path / "elsewhere.csv")
    job = dataclasses.replace(job, hypnogram=moved, file=Path("anywhere"))
    assert describe_request(job, hash_files([recording]), Settings(), VERSIONS) == before
    moved.write_text("onset_s,stage\n0,N2\n")
    assert describe_request(job, hash_files([recording]), Settings(), VERSIONS) != before
    with pytest.raises(OSError, match="stages"):
        describe_request(dataclasses.replace(job, hypnogram=other), "", Settings(), VERSIONS)


def test_a_recording_of_several_files_is_all_of_them(write_edf, tmp_path):
    """A folder of one-signal files changes when one of them does, and when one is called by another name."""
    for label in ("EEG L", "EEG R"):
        write_edf([label], name=f"{label}.edf", minutes=6)
    before = hash_files(list_inputs(tmp_path))
    renamed = (tmp_path / "EEG R.edf").rename(tmp_path / "EEG F4.edf")
    assert hash_files(list_inputs(tmp_path)) != before
    renamed.rename(tmp_path / "EEG R.edf")
    assert hash_files(list_inputs(tmp_path)) == before


def test_asking_for_finished_nights_loads_nothing_that_computes(scored):
    job, _, output = scored
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from eegsleep.batch.freshness import find_fresh\n"
        "from eegsleep.workflows.score import Job\n"
        "from eegsleep.batch.run import run_batch\n"
        "jobs = [Job(Path(sys.argv[1]), night='n1', lights_off='23:00', eeg=('C4-M1',))]\n"
        "assert list(run_batch(jobs, sys.argv[2])['status']) == ['fresh']\n"
        "loaded = {'mne', 'yasa', 'distributed', 'dask', 'plotly', 'sklearn', 'numba'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(loaded)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, job.file, output], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_versions_are_part_of_the_question(scored):
    job, settings, _ = scored
    inputs = hash_files([job.file])
    newer = package_versions() | {"yasa": "9.9"}
    assert describe_request(job, inputs, settings, newer) != describe_request(job, inputs, settings, package_versions())


@pytest.mark.nightly
def test_a_recording_that_was_changed_replaces_its_night_and_that_of_another_place_does_not(nights, tmp_path):
    """The same file, mended, is the same night; a file of the same name from elsewhere is refused."""
    import json

    from eegsleep.batch.resources import Resources
    from eegsleep.batch.run import run_batch

    def run(file):
        return run_batch([Job(file, night="night")], tmp_path / "out", resources=Resources(workers=0)).iloc[0]

    kept = tmp_path / "out" / "night" / "provenance.json"
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    here, there = (tmp_path / place / "night.edf" for place in ("here", "there"))
    here.write_bytes((nights / "n1.edf").read_bytes())
    assert run(here)["status"] == "done"
    here.write_bytes((nights / "n2.edf").read_bytes())
    there.write_bytes((nights / "n1.edf").read_bytes())
    assert run(here)["status"] == "done"
    assert json.loads(kept.read_bytes())["input"]["sha256"] == hash_files([here])
    refused = run(there)
    assert refused["status"] == "failed"
    assert "another recording of the same name" in refused["reason"]
    assert run(here)["status"] == "fresh"


@pytest.mark.parametrize(
    "damage",
    [
        lambda made: made.pop("quality"),
        lambda made: made.pop("start"),
        lambda made: made.update(roles=[]),
        lambda made: made.update(lights={}),
        lambda made: made["input"].update(sha256="0" * 64),
        lambda made: made["settings"].update(spindles={"method": "other"}),
        lambda made: made.update(warnings=3),
    ],
)
def test_a_night_whose_provenance_was_damaged_is_not_fresh(damage, make_jobs, tmp_path):
    """A part gone, of another kind, or with other values than its hash says: scored again, not kept for ever."""
    jobs = make_jobs("a")
    run_batch(jobs, tmp_path / "out", resources=Resources(workers=0), work=stand_in.pretend)
    file = tmp_path / "out" / "a" / "provenance.json"
    made = json.loads(file.read_text())
    damage(made)
    file.write_text(json.dumps(made))
    assert not find_fresh(jobs, tmp_path / "out", Settings())


@pytest.mark.parametrize("text", ["[" * 100_000, "\xff", "", "null"])
def test_a_provenance_that_cannot_be_read_ends_no_batch(text, make_jobs, tmp_path):
    jobs = make_jobs("a", "b")
    run_batch(jobs, tmp_path / "out", resources=Resources(workers=0), work=stand_in.pretend)
    (tmp_path / "out" / "a" / "provenance.json").write_text(text)
    table = run_batch(jobs, tmp_path / "out", resources=Resources(workers=0), work=stand_in.pretend)
    assert list(table["status"]) == ["done", "fresh"]
