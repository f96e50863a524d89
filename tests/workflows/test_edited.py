"""A night scored again with stages and events edited on its page: as a direct run, and traceable."""

import json
from dataclasses import replace

import pytest

import eegsleep as es
from eegsleep.provenance import hash_file


def _edited_csv(night, changes, digest=None):
    digest = digest or night.provenance["input"]["sha256"]
    rows = ["epoch,onset_s,stage,was,scorer,date,input_sha256"]
    for epoch, was in enumerate(night.stages["stage"]):
        stage = changes.get(epoch, was)
        who = "Ada,2026-11-28T22:00:00Z" if epoch in changes else ","
        rows.append(f"{epoch},{30 * epoch},{stage},{was},{who},{digest}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Twenty simulated minutes: the file, and the night by our own stages."""
    folder = tmp_path_factory.mktemp("short")
    settings = es.SimulationSettings(duration_h=1 / 3, rate_hz=128, eeg=("C4-M1",))
    file = es.write_simulated_night(es.simulate_night(settings, seed=5), folder, "short")
    return file, es.score_file(es.Job(file), output=folder / "ours").night


@pytest.fixture(scope="module")
def rescored(short, tmp_path_factory):
    """Return a run with stages as the page saves them, and a direct run with the same stages."""
    file, night = short
    folder = tmp_path_factory.mktemp("rescored")
    changes = {3: "N1", 4: "N2", 30: "R", 31: "UNS"}
    edited, plain = folder / "hypnogram-edited.csv", folder / "plain.csv"
    edited.write_text(_edited_csv(night, changes))
    stages = [changes.get(epoch, was) for epoch, was in enumerate(night.stages["stage"])]
    plain.write_text("onset_s,stage\n" + "".join(f"{30 * epoch},{stage}\n" for epoch, stage in enumerate(stages)))
    by_hand = es.score_file(es.Job(file, hypnogram=edited), output=folder / "by hand")
    direct = es.score_file(es.Job(file, hypnogram=plain), output=folder / "direct")
    return by_hand, direct


@pytest.mark.nightly
def test_edited_stages_give_what_a_direct_run_gives(rescored):
    """Every table is the same, byte for byte; only the provenance, the page and the stages before differ."""
    by_hand, direct = ({p.name: p.read_bytes() for p in run.folder.iterdir()} for run in rescored)
    assert set(by_hand) - set(direct) == {"hypnogram-before.csv"}
    unlike = {name for name in direct if by_hand[name] != direct[name]}
    assert unlike == {"provenance.json", "report.html"}


@pytest.mark.nightly
def test_both_scorings_are_kept_and_the_edit_is_told(short, rescored):
    _, night = short
    folder = rescored[0].folder
    kept = es.load_night(folder)
    assert kept.before["stage"].tolist() == night.stages["stage"].tolist()
    assert kept.stages["stage"].tolist()[3:5] == ["N1", "N2"]
    edited = json.loads((folder / "provenance.json").read_text())["stages_edited"]
    assert edited["n_epochs_changed"] == 4
    assert edited["scorers"] == ["Ada"]
    page = (folder / "report.html").read_text()
    assert "The edited stages and those before agree on" in page
    assert "4 epochs edited by hand by Ada" in page
    assert "stages_edited" not in json.loads((rescored[1].folder / "provenance.json").read_text())


def test_another_nights_edits_are_refused(short, tmp_path):
    file, night = short
    edited = tmp_path / "hypnogram-edited.csv"
    edited.write_text(_edited_csv(night, {}, digest="ab" * 32))
    with pytest.raises(es.TableError, match="belong to another recording"):
        es.score_file(es.Job(file, hypnogram=edited), output=tmp_path)
    events = tmp_path / "events-edited.csv"
    events.write_text(
        "kind,channel,onset_s,duration_s,peak_s,verdict,scorer,date,input_sha256\n"
        f"arousal,,30,3,30,added,Ada,,{'ab' * 32}\n"
    )
    with pytest.raises(es.TableError, match="belong to another recording"):
        es.score_file(es.Job(file, events=events), output=tmp_path)


def test_rejected_events_are_counted_nowhere_and_arousals_are_kept(short, tmp_path):
    file, night = short
    gone = night.spindles.iloc[0]
    digest = night.provenance["input"]["sha256"]
    events = tmp_path / "events-edited.csv"
    events.write_text(
        "kind,channel,onset_s,duration_s,peak_s,verdict,scorer,date,input_sha256\n"
        f"{gone.spindle_class} spindle,{gone.channel},{gone.onset_s},{gone.duration_s},{gone.peak_s},rejected,Ada,,"
        f"{digest}\n"
        f"slow spindle,{gone.channel},1190,1,1190.5,rejected,Ada,,{digest}\n"
        f"arousal,,33.5,3,33.5,added,Ada,,{digest}\n"
    )
    again, folder = es.score_file(es.Job(file, events=events), output=tmp_path / "out")
    assert len(again.spindles) == len(night.spindles) - 1
    assert gone.peak_s not in set(again.spindles["peak_s"])
    assert gone.peak_s not in set(again.coupling["spindle_peak_s"])
    assert len(again.events.both_views) < len(night.events.both_views)
    density = ("fast_spindle_density_per_min", "slow_spindle_density_per_min")
    before, after = (n.markers[n.markers["marker"].isin(density)]["n"].sum() for n in (night, again))
    assert after < before
    assert any("1 of 2 events rejected by hand" in warning for warning in again.warnings)
    assert b"Arousal" in (folder / "events.edf").read_bytes()
    assert (folder / "events-edited.csv").read_bytes() == events.read_bytes()
    assert again.provenance["fingerprint"] != night.provenance["fingerprint"]
    assert es.load_night(folder).event_edits.arousals["onset_s"].tolist() == [33.5]


def test_a_night_asked_for_without_edits_has_the_request_it_always_had(short):
    """Nights that were finished before events could be edited stay fresh."""
    from eegsleep.night.request import hash_request
    from eegsleep.provenance import package_versions

    _, night = short
    words = dict.fromkeys(("device", "eeg", "eog", "emg", "start", "lights_off", "lights_on", "coding"))
    words |= {"units": (), "invert": (), "stager": ""}
    files = {"hypnogram": "", "reference": "", "calibration": ""}
    request = hash_request(night.provenance["input"]["sha256"], words, files, es.Settings(), package_versions())
    assert night.provenance["request"] == request
    assert replace(es.Job("x"), trace="full").trace == "full"


@pytest.mark.nightly
def test_in_a_folder_of_nights_the_signal_lies_beside_the_report(short, tmp_path):
    """Whole and vouched for like every file of the night, or left out where it was not asked for."""
    file, _ = short
    many = es.score_file(es.Job(file), output=tmp_path / "many", share=True).folder
    provenance = json.loads((many / "provenance.json").read_text())
    assert provenance["outputs"]["trace.js"] == hash_file(many / "trace.js")
    assert (many / "report.html").stat().st_size < 800_000
    none = es.score_file(es.Job(file, trace="none"), output=tmp_path / "many", share=True).folder
    assert none == many
    assert not (none / "trace.js").exists()
    assert "made with --trace none" in (none / "report.html").read_text()
    with pytest.raises(es.SettingsError, match="trace"):
        es.score_file(es.Job(file, trace="fine"), output=tmp_path)
