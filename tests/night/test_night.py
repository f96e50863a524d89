"""One night: what analyze_night promises, and what a night folder promises."""

import dataclasses
import json

import mne
import numpy as np
import pandas as pd
import pytest
from tests_paths import SAMPLE

import eegsleep as es
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.provenance import hash_file
from eegsleep.quality import QualitySettings, judge_night
from eegsleep.tables import NIGHT_TABLES, QUALITY, SIMULATED_STAGES, check_table, read_table


def cohen_kappa(a, b):
    table = pd.crosstab(np.asarray(a), np.asarray(b), normalize=True)
    labels = sorted(set(table.index) | set(table.columns))
    table = table.reindex(index=labels, columns=labels, fill_value=0).to_numpy()
    chance = table.sum(0) @ table.sum(1)
    return (np.trace(table) - chance) / (1 - chance)


def change_signals(recording, change):
    """Return the recording with its samples changed by `change(data in volts)`."""
    raw = recording.raw.copy()
    raw.apply_function(change, picks="all", channel_wise=False, verbose="ERROR")
    return dataclasses.replace(recording, raw=raw)


def test_every_table_is_as_declared(sample_night):
    for table in NIGHT_TABLES:
        frame = sample_night.tables()[table.name]
        pd.testing.assert_frame_equal(check_table(frame, table), frame)


def test_sample_night_is_staged_like_its_truth(sample_night):
    """The sample's known stages are found, so every step below rests on the right epochs."""
    truth = read_table(SAMPLE.with_name("sample-night_stages.csv"), SIMULATED_STAGES)
    assert cohen_kappa(truth["stage"], sample_night.stages["stage"]) > 0.85


def test_night_folder_is_complete_and_vouched_for(sample_night, tmp_path):
    """The folder holds the files of the contract, and provenance the hash of each."""
    folder = es.save_night(sample_night, tmp_path, {"report.html": es.render_night(sample_night)})
    tables = [f"{t.name}.{suffix}" for t in NIGHT_TABLES for suffix in ("csv", "json")]
    expected = {*tables, "events.edf", "report.html", "provenance.json"}
    assert {path.name for path in folder.iterdir()} == expected
    outputs = json.loads((folder / "provenance.json").read_text())["outputs"]
    assert outputs == {name: hash_file(folder / name) for name in expected - {"provenance.json"}}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_saved_night_is_loaded_unchanged(sample_night, tmp_path):
    again = es.load_night(es.save_night(sample_night, tmp_path))
    for name, frame in sample_night.tables().items():
        pd.testing.assert_frame_equal(again.tables()[name], frame, rtol=1e-8)
    assert again.start == sample_night.start
    assert again.verdict == sample_night.verdict


def test_verdict_follows_from_the_saved_folder_alone(sample_night, tmp_path):
    """Table and settings of a folder give the verdict that its provenance holds."""
    folder = es.save_night(sample_night, tmp_path)
    provenance = json.loads((folder / "provenance.json").read_text())
    stored = provenance["settings"]["quality"]
    settings = QualitySettings(**stored | {"plausible_rms_uv": tuple(stored["plausible_rms_uv"])})
    again = judge_night(read_table(folder / "quality.csv", QUALITY), settings)
    assert provenance["quality"] == {"verdict": again.verdict, "reasons": list(again.reasons)}


def test_folder_of_an_earlier_version_is_refused_with_a_remedy(sample_night, tmp_path):
    """No verdict is made up for a night that was saved without one."""
    folder = es.save_night(sample_night, tmp_path)
    provenance = json.loads((folder / "provenance.json").read_text())
    del provenance["quality"]
    (folder / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(es.EegSleepError, match="Score the night again"):
        es.load_night(folder)


def test_changed_table_is_not_loaded(sample_night, tmp_path):
    folder = es.save_night(sample_night, tmp_path)
    table = folder / "spindles.csv"
    table.write_text(table.read_text().replace("fast", "slow"))
    with pytest.raises(es.EegSleepError, match="not the file that was written"):
        es.load_night(folder)


@pytest.mark.nightly
def test_same_input_gives_same_bytes(sample_recording, sample_night, tmp_path):
    """Two runs on one file give equal tables to the byte; a difference is never the computer's."""
    first = es.save_night(sample_night, tmp_path / "a")
    second = es.save_night(es.analyze_night(sample_recording), tmp_path / "b")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_events_file_is_edf_plus_that_mne_reads(sample_night, tmp_path):
    folder = es.save_night(sample_night, tmp_path)
    found = pd.Series(mne.read_annotations(folder / "events.edf").description)
    assert found.str.startswith("Sleep stage").sum() == len(sample_night.stages)
    assert found.str.startswith("Spindle").sum() == len(sample_night.spindles)
    assert found.str.startswith("Slow oscillation").sum() == len(main_slow_oscillations(sample_night.slow_oscillations))


def test_events_lie_in_usable_nrem_of_their_stage(sample_night):
    stages = sample_night.stages["stage"].to_numpy()
    for events, at in ((sample_night.spindles, "onset_s"), (sample_night.slow_oscillations, "neg_peak_s")):
        assert len(events) > 20
        assert (stages[(events[at] // 30).astype(int)] == events["stage"]).all()
        assert set(events["stage"]) <= {"N2", "N3"}


def test_unusable_epochs_hold_no_stage_no_event_and_no_minutes(sample_recording, sample_night):
    """A flat quarter of an hour of every EEG is unscored, not guessed and not counted."""
    start, stop = 20 * 60 * 128, 35 * 60 * 128

    def flatten(data):
        data[:2, start:stop] = 0.0
        return data

    night = es.analyze_night(change_signals(sample_recording, flatten))
    assert (night.stages["stage"][40:70] == "UNS").all()
    assert not night.spindles.query("channel == 'C4-M1'")["onset_s"].between(20 * 60, 35 * 60).any()
    query = "marker == 'spindle_density_per_min' and stage == 'NREM' and channel == 'C4-M1'"
    before, after = (n.markers.query(query)["clean_min"].item() for n in (sample_night, night))
    assert after == before - sample_night.stages["stage"][40:70].isin(["N2", "N3"]).sum() / 2
    assert any("C4-M1" in reason and "flat (30)" in reason for reason in night.verdict.reasons)
    assert not any("flat" in warning for warning in night.warnings)


@pytest.mark.nightly
def test_one_missing_sample_does_not_change_other_epochs(sample_recording, sample_night):
    """One NaN on every EEG costs its own epoch; plain YASA changes a third of the night over it."""

    def poke(data):
        data[:2, 3000 * 128] = np.nan
        return data

    assert sample_recording.raw.info["sfreq"] == 128
    night = es.analyze_night(change_signals(sample_recording, poke))
    changed = (night.stages["stage"] != sample_night.stages["stage"]).to_numpy().nonzero()[0]
    assert set(changed) <= {100}
    assert night.stages["stage"][100] == "UNS"


def test_delta_background_alone_does_not_change_the_spindle_count(sample_recording, sample_night):
    """Scaling 0.4-4 Hz by 0.7 and 1.4 leaves the number of spindles within 5 %: it is not a spindle change."""
    from eegsleep.events.spindles import detect_spindles

    plain = sample_recording.raw.get_data()
    delta = mne.filter.filter_data(plain, 128, 0.4, 4, verbose="ERROR")
    counts = []
    for factor in (0.7, 1.0, 1.4):
        changed = change_signals(sample_recording, lambda data, f=factor: data + (f - 1) * delta)
        counts.append(len(detect_spindles(changed, sample_night.stages, sample_night.quality)))
    assert max(counts) <= 1.05 * min(counts)
    assert min(counts) > 50


def test_night_without_sleep_has_reasons_not_zeros(write_edf):
    """Noise has no NREM: densities are missing with a reason, and nothing crashes."""
    recording = es.read_recording(write_edf(minutes=6))
    stages = es.analyze_night(recording).stages.assign(stage="W")
    night = es.analyze_night(recording, hypnogram=stages)
    density = night.markers.query("marker == 'spindle_density_per_min'")
    assert density["value"].isna().all()
    assert density["reason"].str.len().gt(0).all()
    assert night.markers.set_index("marker")["value"]["tst_min"] == 0
    assert len(es.render_night(night)) > 1000


def test_another_recording_of_the_same_name_is_not_written_over(sample_night, tmp_path):
    """Two cards hold a night.edf each; the second must not take the place of the first."""
    es.save_night(sample_night, tmp_path)
    es.save_night(sample_night, tmp_path)
    other = {**sample_night.provenance, "input": {"sha256": "0" * 64, "duration_s": 1.0}}
    with pytest.raises(es.EegSleepError, match="another recording"):
        es.save_night(dataclasses.replace(sample_night, provenance=other), tmp_path)
    assert es.load_night(tmp_path / "sample-night").provenance["input"] == sample_night.provenance["input"]


@pytest.mark.nightly
def test_what_the_user_says_of_units_is_kept_and_changes_the_fingerprint(sample_recording, sample_night):
    named = dataclasses.replace(sample_recording, units={"C4-M1": "uV"})
    traces = [es.analyze_night(r, hypnogram=sample_night.stages).provenance for r in (sample_recording, named)]
    assert traces[1]["units"] == {"C4-M1": "uV"}
    assert traces[0]["fingerprint"] != traces[1]["fingerprint"]


def test_a_derivation_the_calibration_does_not_know_is_said(sample_recording, sample_night):
    own = es.Calibration(sigma_amplitude_uv={"C4-M1": 15.0}, so_amplitude_uv={"C4-M1": 75.0}, n_nights=3)
    night = es.analyze_night(sample_recording, hypnogram=sample_night.stages, calibration=own)
    assert any(w.startswith("F3-M2: the calibration has no threshold") for w in night.warnings)
    assert not any(w.startswith("C4-M1: the calibration") for w in night.warnings)
