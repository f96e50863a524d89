"""From fetched files to an answer: a miniature of Sleep-EDF's temazepam nights, listed, scored, locked and compared."""

import csv
import datetime as dt
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest
from aligned_hypnogram import read_aligned
from datasets.miniature_physionet import CINC_STAGES, SLPDB_STAGES, spread

from eegsleep import read_recording
from eegsleep.batch.dataset_study import write_dataset_study
from eegsleep.cli.night import agree
from eegsleep.config import Settings
from eegsleep.datasets.physionet import list_nights
from eegsleep.datasets.registry import read_registry
from eegsleep.errors import RecordingError
from eegsleep.file_names import NIGHTS_FOLDER
from eegsleep.night.folder import load_night
from eegsleep.simulation.night import SimulationSettings, simulate_night
from eegsleep.tables import CHECKS, COMPARISON, HYPNOGRAM, read_table
from eegsleep.workflows.score import Job, score_file
from eegsleep.workflows.study import compare_study, lock_study

SLEEPERS = ("ST701", "ST702", "ST704", "ST705", "ST706", "ST707")
MINUTES = 20
# Where the scorer wrote movement, and where a question mark.
MOVEMENT, UNKNOWN = 20, 30
DRUG = {"fast_spindle_frequency_hz": 12.6, "fast_spindle_density_per_min": 4.0}


def write_night(folder, psg, hypnogram, seed):
    """Write one night as the telemetry set has it: 100 Hz, EMG as well, R&K texts that go on after the signals."""
    hours, minutes = map(int, psg.lights_off.split(":"))
    start = dt.datetime.combine(dt.date(1994, 6, 1 + seed), dt.time(hours, minutes)) - dt.timedelta(minutes=1)
    settings = SimulationSettings(
        duration_h=MINUTES / 60,
        rate_hz=100,
        eeg=("EEG Fpz-Cz", "EEG Pz-Oz"),
        eog=("EOG horizontal",),
        emg=("EMG submental",),
        sleep_latency_min=2,
        waso_min=1,
        n1_min=1,
        n3_min=5,
        rem_min=2,
        start=start,
        **(DRUG if psg.condition == "temazepam" else {}),
    )
    night = simulate_night(settings, seed)
    signals = [
        edfio.EdfSignal(row, 100, label=label, physical_dimension="uV", physical_range=(-400, 400))
        for row, label in zip(np.clip(night.data, -400, 400), night.channels, strict=True)
    ]
    marker = edfio.EdfSignal(
        np.zeros(MINUTES * 600), 10, label="Marker", physical_dimension="ID+M-E", physical_range=(-2047, 2048)
    )
    header = {"recording": edfio.Recording(startdate=start.date()), "starttime": start.time()}
    edfio.Edf([*signals, marker], data_record_duration=30, **header).write(folder / psg.name)
    names = {"W": "W", "N1": "1", "N2": "2", "R": "R"}
    texts = [names.get(stage, "34"[i % 2]) for i, stage in enumerate(night.stages["stage"])]
    texts = [f"Sleep stage {text}" for text in texts] + ["Sleep stage ?"] * 100
    texts[MOVEMENT], texts[UNKNOWN] = "Movement time", "Sleep stage ?"
    annotations = [edfio.EdfAnnotation(30 * i, 30, text) for i, text in enumerate(texts)]
    edfio.Edf([], annotations=annotations, **header).write(folder / hypnogram.name)


def fetch_miniature(folder):
    """Write the miniature set as `fetch` leaves it; return its registry, with the checksums of its own files."""
    files = [file for file in read_registry("sleep-edf-st") if file.subject in SLEEPERS]
    for seed, record in enumerate(dict.fromkeys(file.record for file in files)):
        psg, hypnogram = sorted((file for file in files if file.record == record), key=lambda file: file.kind != "psg")
        write_night(folder, psg, hypnogram, seed)
    return [replace(file, digest=hashlib.sha1((folder / file.name).read_bytes()).hexdigest()) for file in files]  # noqa: S324


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Return the study file of the miniature set, whose nights were all scored with their references."""
    home = tmp_path_factory.mktemp("telemetry")
    data = home / "data"
    data.mkdir()
    nights = list_nights("sleep-edf-st", data, registry=fetch_miniature(data))
    assert len(nights) == 2 * len(SLEEPERS)
    study = write_dataset_study("sleep-edf-st", nights, home / "study")
    for night in nights:
        job = Job(
            night.file,
            night.id,
            night.subject,
            night.device,
            ("EEG Fpz-Cz",),
            lights_off=night.lights_off,
            reference=night.scoring,
            coding=night.coding,
        )
        score_file(job, Settings(), study.parent / NIGHTS_FOLDER, share=True)
    return study


def copy_study(scored, folder):
    """Copy a study without its nights, for a lock of its own."""
    folder.mkdir()
    shutil.copy(scored, folder)
    with (scored.parent / "nights.csv").open() as file:
        lines = file.read().replace("../data", str(scored.parent.parent / "data"))
    (folder / "nights.csv").write_text(lines)
    return folder / scored.name


@pytest.mark.nightly
def test_every_night_counts_from_lights_off_with_the_emg_and_movement_is_not_wake(scored):
    folder = scored.parent / NIGHTS_FOLDER / "ST7011J0"
    night = load_night(folder)
    assert night.roles == {"EEG Fpz-Cz": "eeg", "EOG horizontal": "eog", "EMG submental": "emg"}
    assert (night.lights.off_s, night.lights.source) == (60, "user")
    reference = read_table(folder / "reference.csv", HYPNOGRAM)["stage"]
    assert len(reference) == 2 * MINUTES
    assert [reference[MOVEMENT], reference[UNKNOWN]] == ["UNS", "UNS"]
    assert set(reference) == {"W", "N1", "N2", "N3", "R", "UNS"}


@pytest.mark.nightly
def test_the_study_as_written_is_locked_and_compared_without_p_values(scored, tmp_path):
    study, nights = copy_study(scored, tmp_path / "study"), scored.parent / NIGHTS_FOLDER
    lock_study(study, nights=nights)
    compare_study(study, nights=nights)
    found = read_table(study.parent / "comparison.csv", COMPARISON)
    assert found["p"].isna().all()
    row = found.set_index(["marker", "stage", "channel"]).loc["spindle_frequency_hz", "NREM", "EEG Fpz-Cz"]
    assert row["high"] < 0
    assert (row["n_subjects"], row["n_control"], row["n_compound"]) == (6, 6, 6)
    page = (study.parent / "report.html").read_text(encoding="utf-8")
    assert "No mechanism allocated the nights" in page


@pytest.mark.nightly
def test_a_stated_coin_for_each_sleeper_gives_a_finding_that_says_what_it_rests_on(scored, tmp_path):
    study, nights = copy_study(scored, tmp_path / "study"), scored.parent / NIGHTS_FOLDER
    text = study.read_text().replace('design = "observational"', 'design = "crossover"')
    text = text.replace('mechanism = "observational"\n', "").replace('# mechanism = "cr', 'mechanism = "cr')
    study.write_text(text.replace("# balanced = false", "balanced = false"))
    lock_study(study, nights=nights)
    said = compare_study(study, nights=nights).sentences
    assert any(line.startswith("Primary endpoint: Spindle frequency") for line in said)
    found = read_table(study.parent / "comparison.csv", COMPARISON).set_index(["marker", "stage", "channel"])
    slower = found.loc["spindle_frequency_hz", "NREM", "EEG Fpz-Cz"]
    assert slower["role"] == "primary"
    assert slower["difference"] < -0.3
    assert slower["p"] <= slower["smallest_p"], "all sleepers agree: as small as these few schedules allow"
    assert slower["p"] <= slower["p_adjusted"] < 0.5
    trace = json.loads((study.parent / "comparison_provenance.json").read_bytes())
    assert (trace["n_schedules"], trace["all_schedules"]) == (2**6, True)
    checks = read_table(study.parent / "checks.csv", CHECKS).set_index("code")
    assert checks.loc["C2", "status"] == "pass"
    page = (study.parent / "report.html").read_text(encoding="utf-8")
    assert "Locked, but not registered in advance" in page
    assert "The label was open" in page


@pytest.mark.nightly
def test_the_folder_of_the_batch_agrees_with_the_experts(scored, tmp_path, capsys):
    agree(scored.parent / NIGHTS_FOLDER, output=tmp_path)
    assert "12 nights: kappa" in capsys.readouterr().err
    with next(Path(tmp_path).glob("*pooled*.csv")).open(newline="") as file:
        pooled = {(row["measure"], row["pooling"]): float(row["value"]) for row in csv.DictReader(file)}
    assert pooled["accuracy", "all epochs"] > 0.4
    assert (tmp_path / "agreement.html").is_file()


@pytest.fixture
def cassette(mirror):
    """Return a cassette recording as the set has it, 6 min long, and its hypnogram."""
    home = mirror / "sleep-edfx" / "1.0.0" / "sleep-cassette"
    return home / "SC4001E0-PSG.edf", home / "SC4001EC-Hypnogram.edf"


def test_the_envelope_of_a_cassette_night_is_no_emg(cassette):
    recording = read_recording(cassette[0])
    assert recording.device == "sleep-edf"
    assert recording.roles == {"EEG Fpz-Cz": "eeg", "EEG Pz-Oz": "eeg", "EOG horizontal": "eog"}
    assert recording.raw.n_times == 6 * 60 * 100
    with pytest.raises(RecordingError, match="a rate of 1 Hz"):
        read_recording(cassette[0], emg="EMG submental")


def test_a_real_cassette_recording_has_the_roles_of_the_miniature(real_data):
    recording = read_recording(real_data / "sleep-edf" / "SC4001E0-PSG-first-5-min.edf")
    assert recording.device == "sleep-edf"
    assert list(recording.roles.values()) == ["eeg", "eeg", "eog"]


def test_stages_of_rechtschaffen_and_kales_with_a_gap_become_ours(tmp_path, cassette):
    texts = [
        (0, 60, "Sleep stage W"),
        (60, 30, "Sleep stage 1"),
        (120, 30, "Sleep stage 3"),
        (150, 30, "Sleep stage 4"),
        (180, 30, "Movement time"),
        (210, 30, "Sleep stage ?"),
        (240, 30, "Sleep stage R"),
    ]
    annotations = [edfio.EdfAnnotation(*text) for text in texts]
    edfio.Edf([], annotations=annotations).write(tmp_path / "gap.edf")
    stages, notes = read_aligned(tmp_path / "gap.edf", 12, read_recording(cassette[0]).start)
    assert stages["stage"].tolist() == ["W", "W", "N1", "UNS", "N3", "N3", "UNS", "UNS", "R", "UNS", "UNS", "UNS"]
    assert notes == ("4 epochs of the recording are not scored in the hypnogram and count as unscored",)


@pytest.mark.parametrize(
    ("record", "device", "texts"),
    [
        ("slpdb/1.0.0/slp01a.st", "slpdb", SLPDB_STAGES),
        ("challenge-2018/1.0.0/training/tr03-0005/tr03-0005.arousal", "cinc2018", CINC_STAGES),
    ],
)
def test_a_record_of_physionet_is_read_with_its_scoring(mirror, record, device, texts):
    pytest.importorskip("wfdb", reason="the extra eegsleep[wfdb] is not installed")
    recording = read_recording((mirror / record).with_suffix(".hea"))
    assert recording.device == device
    stages, _ = read_aligned(mirror / record, recording.n_epochs, recording.start)
    ours = {"1": "N1", "2": "N2", "3": "N3", "4": "N3", "MT": "UNS"}
    expected = [ours.get(text, text) for text in spread(texts, 6)]
    if device == "cinc2018":  # of the last stage only the beginning is written
        expected[-1] = "UNS"
    assert stages["stage"].tolist() == expected
