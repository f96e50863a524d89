"""One night in one call, step by step, and as a command: the same bytes."""

import dataclasses

import pytest

import eegsleep as es
from eegsleep.provenance import hash_file, package_versions
from eegsleep.workflows.score import describe_request


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_command_gives_the_bytes_of_the_steps(score_sample, sample_night, sample_recording, tmp_path):
    page = es.render_night(sample_night, sample_recording)
    saved = es.save_night(sample_night, tmp_path, {"report.html": page})
    assert content(saved) == content(score_sample[1])


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Return a job that asks for everything a job can ask for, on a night of 20 min."""
    folder = tmp_path_factory.mktemp("asked")
    settings = es.SimulationSettings(duration_h=1 / 3, rate_hz=128, eeg=("C4-M1", "F4-M1"))
    made = es.simulate_night(settings, seed=5)
    file = es.write_simulated_night(made, folder, "short")
    hypnogram, reference = folder / "mine.csv", folder / "expert.csv"
    hypnogram.write_text("stage\n" + "\n".join(made.stages["stage"].replace({"R": "5", "W": "0"}).str.lstrip("N")))
    reference.write_text("onset,stage\n0,W\n300,N2\n900,N3\n1170,N2\n")
    es.save_calibration(
        es.Calibration({"C4-M1": 14.0}, so_amplitude_uv={"C4-M1": 70.0}, n_nights=3), folder / "own.json"
    )
    return es.Job(
        file,
        eeg=("C4-M1",),
        units=(("C4-M1", "uV"),),
        lights_off=f"{made.settings.start:%H:%M}",
        hypnogram=hypnogram,
        reference=reference,
        coding="rk",
        calibration=folder / "own.json",
    )


def test_everything_that_can_be_asked_for_is_asked_for_in_steps_too(asked, tmp_path):
    settings = es.Settings()
    recording = es.read_recording(asked.file, eeg=asked.eeg, units=dict(asked.units))
    night = es.analyze_night(
        recording,
        settings,
        es.read_hypnogram(asked.hypnogram, coding="rk"),
        es.find_lights(recording, asked.lights_off),
        es.read_calibration(asked.calibration),
        es.read_hypnogram(asked.reference, coding="rk"),
    )
    by_steps = es.save_night(night, tmp_path / "steps", {"report.html": es.render_night(night, recording)})
    in_one_call = es.score_file(asked, settings, tmp_path / "call").folder
    assert content(by_steps) == content(in_one_call)
    assert "reference.csv" in content(by_steps)
    request = describe_request(asked, hash_file(asked.file), settings, package_versions())
    assert night.provenance["request"] == request


def test_a_night_from_a_table_of_stages_is_never_taken_for_one_from_a_file(sample_recording, sample_night):
    """A batch finds finished nights by the hash of what was asked; a table has no file that could be asked for."""
    given = es.analyze_night(sample_recording, hypnogram=sample_night.stages)
    assert given.provenance["request"] == ""
    assert sample_night.provenance["request"] != ""


def test_files_of_the_earlier_night_alone_are_removed(sample_night, tmp_path):
    with_expert = dataclasses.replace(sample_night, reference=sample_night.stages)
    folder = es.save_night(with_expert, tmp_path, {"note.txt": b"mine"})
    (folder / "own notes.txt").write_text("a file eegsleep did not write")
    assert {"reference.csv", "note.txt"} <= content(folder).keys()
    again = content(es.save_night(sample_night, tmp_path))
    assert not {"reference.csv", "note.txt"} & again.keys()
    assert "own notes.txt" in again


def test_a_kept_reference_is_read_back_and_vouched_for(sample_night, tmp_path):
    with_expert = dataclasses.replace(sample_night, reference=sample_night.stages)
    folder = es.save_night(with_expert, tmp_path)
    assert es.load_night(folder).reference["stage"].equals(sample_night.stages["stage"])
    (folder / "reference.csv").write_text("changed")
    with pytest.raises(es.EegSleepError, match=r"reference\.csv is not the file"):
        es.load_night(folder)
