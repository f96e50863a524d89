"""A study from the command line: declared, planned, locked, compared; and what is refused on the way."""

import csv
import functools
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from eegsleep.cli import main as cli
from eegsleep.errors import EegSleepError
from eegsleep.markers import CATALOGUE
from eegsleep.provenance import encode_json, hash_bytes
from eegsleep.study import night_folders as folders
from eegsleep.study.declared.manifest import read_protocol
from eegsleep.study.masking import registration
from eegsleep.study.planning import plan
from eegsleep.tables import (
    AUDIT,
    CHECKS,
    COMPARISON,
    FAMILY_VERDICTS,
    MARKERS,
    NUISANCE,
    RELATIONS,
    STUDY_NIGHTS,
    encode_table,
    read_table,
)

TOML = """
[study]
title = "Glycine and spindles"
compound = "glycine"
design = "n-of-1"
conditions = ["A", "B"]
active = ""
seed = 7

[allocation]
mechanism = "pairs"
schedule = ""
key_sha256 = ""

[plan]
start = "2026-01-05"
nights = 12
adaptation_nights = 2

[endpoints]
primary = ["fast_spindle_density_per_min|NREM|C3", "tst_min||"]

[exclusion]
rules = ["the night is judged unusable"]
"""
# marker, stage, channel, mean, SD between nights, effect of the compound in SD
TRUTH = (
    ("fast_spindle_density_per_min", "NREM", "C3", 3.0, 0.3, 4.0),
    ("tst_min", "", "", 420.0, 25.0, 0.0),
    ("waso_min", "", "", 35.0, 12.0, 0.0),
    ("n3_min", "", "", 80.0, 10.0, 1.5),
    ("rem_min", "", "", 95.0, 12.0, 0.0),
    ("swa_power_uv2", "NREM", "C3", 600.0, 60.0, 2.5),
    ("tib_min", "", "", 480.0, 6.0, 0.0),
    ("slow_oscillation_density_per_min", "NREM", "C3", 9.0, 0.8, 0.5),
)


@pytest.fixture(autouse=True)
def _fewer_simulated_studies(monkeypatch):
    """Plan with few simulated studies: these tests do not read the power."""
    monkeypatch.setattr(plan, "draw_plan", functools.partial(plan.draw_plan, n_studies=100))
    monkeypatch.setattr(plan, "_N_STUDIES_SEARCHED", 50)


def make_night(folder, name, values, *, versions=None):
    """Write the two files of a night folder that a comparison reads."""
    rows = [
        {
            "marker": marker,
            "family": CATALOGUE[marker].family_in(stage),
            "stage": stage,
            "channel": channel,
            "value": value,
            "unit": CATALOGUE[marker].unit,
            "n": 100,
            "clean_min": 200.0 if stage else np.nan,
            "reason": "" if np.isfinite(value) else "too few clean minutes",
            "expected": np.nan,
            "low": np.nan,
            "high": np.nan,
        }
        for (marker, stage, channel), value in values.items()
    ]
    content = encode_table(pd.DataFrame(rows, columns=MARKERS.column_names), MARKERS)
    made = {
        "id": name,
        "start": f"{name[-3:]}",
        "settings": {"gain": 1.0},
        "versions": versions or {"eegsleep": "0"},
        "fingerprint": f"f-{name}",
        "outputs": {"markers.csv": hash_bytes(content)},
    }
    (folder / name).mkdir(parents=True)
    (folder / name / "markers.csv").write_bytes(content)
    (folder / name / "provenance.json").write_bytes(encode_json(made))


def make_nights(folder, nights, active):
    """Write a night folder for every row of nights.csv, in which the compound has its effects."""
    rng = np.random.default_rng(11)
    for row in nights:
        values = {
            (marker, stage, channel): mean + sd * (rng.standard_normal() + effect * (row["condition"] == active))
            for marker, stage, channel, mean, sd, effect in TRUTH
        }
        make_night(folder, row["night"], values)


def fill_nights(path):
    """Fill what a sleeper and a recorder would have filled into the planned nights.csv."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for i, row in enumerate(rows):
        row |= {
            "file": f"{row['night']}.edf",
            "device": "Z1",
            "lights_off": "23:10",
            "lights_on": "07:00",
            "guess": "?" if row["condition"] else "",
            "day_kss": str(3 + i % 3),
        }
        (path.parent / row["file"]).touch()
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def run(capsys, *arguments):
    """Run the command line; return its exit code, output and what it said aside."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err


@pytest.fixture(autouse=True)
def before_the_nights(monkeypatch):
    """Stop the clock of the plan on the day before the first night."""
    monkeypatch.setattr(registration, "now", lambda: "2026-01-04T12:00:00+00:00")


@pytest.fixture
def planned(tmp_path, capsys, make_once):
    """Return the study file of a planned study whose nights were slept and scored, and its sealed key.

    It is planned once for all tests, each of which has a copy.
    """

    def plan(folder):
        home = folder / "trial"
        home.mkdir()
        (home / "study.toml").write_text(TOML)
        code, out, _ = run(capsys, "plan", home / "study.toml", "--active", "B", "--key", folder / "away" / "key.json")
        assert code == 0
        assert "12 nights in pairs" in out
        make_nights(home / "eegsleep-nights", fill_nights(home / "nights.csv"), "B")

    shutil.copytree(make_once("planned-study", plan), tmp_path, dirs_exist_ok=True)
    return tmp_path / "trial" / "study.toml", tmp_path / "away" / "key.json"


def test_a_study_goes_from_template_to_report(planned, capsys):
    study, key = planned
    assert key.exists()
    home = study.parent
    code, out, _ = run(capsys, "lock", study)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:14]] == [f"C{i}" for i in range(1, 15)]
    assert (home / "lock.json").exists()
    code, out, _ = run(capsys, "compare", study, "--key", key)
    assert code == 0
    assert "D  better" in out
    assert out.splitlines()[-1] == str(home / "report.html")
    markers = read_table(home / "comparison.csv", COMPARISON).set_index("marker")
    assert markers.loc["fast_spindle_density_per_min", "verdict"] == "better"
    assert markers.loc["fast_spindle_density_per_min", "difference"] == pytest.approx(1.2, abs=0.4)
    assert markers.loc["tst_min", "verdict"] == "inconclusive"
    for table in (FAMILY_VERDICTS, NUISANCE, CHECKS):
        assert len(read_table(home / f"{table.name}.csv", table))
        assert (home / f"{table.name}.json").exists()
    relations = read_table(home / "relations.csv", RELATIONS)
    assert set(relations["score"]) == {"day_kss"}
    assert relations["marker"].iloc[0] == "fast_spindle_density_per_min"
    assert relations["n_nights"].max() == 12
    trace = json.loads((home / "comparison_provenance.json").read_bytes())
    assert trace["post_hoc"] == []
    assert trace["outputs"]["comparison.csv"] == hash_bytes((home / "comparison.csv").read_bytes())
    assert b"Registered, locked, then opened" in (home / "report.html").read_bytes()
    assert [step["grade"] for step in trace["timeline"]] == ["good"] * 5


def test_a_study_is_not_opened_without_a_lock_or_its_key(planned, capsys):
    study, key = planned
    code, _, aside = run(capsys, "compare", study, "--key", key)
    assert code == 2
    assert "not locked" in aside
    run(capsys, "lock", study)
    code, _, aside = run(capsys, "compare", study)
    assert code == 2
    assert "sealed key" in aside
    assert not (study.parent / "unmasked.json").exists()
    assert not (study.parent / "comparison.csv").exists()


def test_what_changed_after_the_lock_is_stamped_post_hoc(planned, capsys, tmp_path):
    study, key = planned
    run(capsys, "lock", study)
    run(capsys, "compare", study, "--key", key)
    study.write_text(study.read_text().replace("seed = 7", "seed = 8"))
    code, out, _ = run(capsys, "compare", study, "--key", key, "--output", tmp_path / "again")
    assert code == 0
    assert out.startswith("Post hoc: protocol.seed was 7, is now 8.")
    page = (tmp_path / "again" / "report.html").read_text()
    assert "Post hoc: not as it was registered or locked" in page
    assert "protocol.seed</b>: was 7, is now 8" in page
    trace = json.loads((tmp_path / "again" / "comparison_provenance.json").read_bytes())
    assert trace["post_hoc"] == [{"what": "protocol.seed", "was": "7", "now": "8", "grade": "serious"}]


def test_an_open_label_that_is_turned_around_afterwards_is_post_hoc(planned, capsys, tmp_path):
    """Otherwise better and worse could be exchanged without a trace."""
    study, _ = planned
    study.write_text(study.read_text().replace('active = ""', 'active = "B"'))
    run(capsys, "lock", study)
    _, out, _ = run(capsys, "compare", study)
    assert "higher with the compound" in out
    study.write_text(study.read_text().replace('active = "B"', 'active = "A"'))
    code, out, _ = run(capsys, "compare", study, "--output", tmp_path / "turned")
    assert code == 0
    assert out.startswith("Post hoc: study.active was B, is now A.")
    assert "study.active</b>: was B, is now A" in (tmp_path / "turned" / "report.html").read_text()


def test_a_code_named_without_a_key_is_kept_from_when_it_was_first_opened(planned, capsys, tmp_path):
    study, _ = planned
    study.write_text(re.sub('key_sha256 = "[0-9a-f]+"', 'key_sha256 = ""', study.read_text()))
    for name in ("protocol.json", "record.jsonl"):  # as in a study that we did not plan
        (study.parent / name).unlink()
    run(capsys, "lock", study)
    study.write_text(study.read_text().replace('active = ""', 'active = "B"'))
    assert not run(capsys, "compare", study)[1].startswith("Post hoc")
    study.write_text(study.read_text().replace('active = "B"', 'active = "A"'))
    _, out, _ = run(capsys, "compare", study, "--output", tmp_path / "turned")
    assert out.startswith("Post hoc: ")


def test_a_night_that_the_schedule_does_not_name_is_refused_as_that(planned, capsys):
    study, _ = planned
    nights = study.parent / "nights.csv"
    nights.write_text(nights.read_text().replace("S01-005,", "S01-05,", 1))
    code, _, aside = run(capsys, "lock", study)
    assert code == 2
    assert "row 6, column night: schedule.csv has no such night. Found: S01-05" in aside


def test_a_score_without_a_recording_is_told_and_does_not_enter(planned, capsys):
    study, key = planned
    nights = study.parent / "nights.csv"
    nights.write_text(nights.read_text().replace("S01-005.edf", "", 1))
    run(capsys, "lock", study)
    assert run(capsys, "compare", study, "--key", key)[0] == 0
    assert "1 night without a recording has next-day scores" in (study.parent / "report.html").read_text()
    markers = read_table(study.parent / "comparison.csv", COMPARISON).set_index("marker")
    assert markers.loc["day_kss", ["n_control", "n_compound"]].sum() == 11


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("fast_spindle_density_per_min|NREM|C9", "Allowed: fast_spindle_density_per_min|NREM|C3"),
        ("day_pvt||", "has no column in nights.csv. Allowed: day_kss"),
    ],
)
def test_an_endpoint_that_no_night_has_is_refused_while_it_can_be_put_right(planned, capsys, endpoint, said):
    study, _ = planned
    study.write_text(study.read_text().replace("fast_spindle_density_per_min|NREM|C3", endpoint))
    code, _, aside = run(capsys, "lock", study)
    assert code == 2
    assert said in aside
    assert not (study.parent / "lock.json").exists()


def test_markers_written_in_afterwards_are_refused(planned, capsys):
    study, key = planned
    run(capsys, "lock", study)
    night = next((study.parent / "eegsleep-nights").iterdir())
    with (night / "markers.csv").open("a") as file:
        file.write("\n")
    code, _, aside = run(capsys, "compare", study, "--key", key)
    assert code == 2
    assert "is not the file that was written" in aside
    assert not (study.parent / "unmasked.json").exists()


def add_audit(folder, night, share):
    """Write an audit into a night folder in which this share of planted spindles was found, vouched for."""
    rows = [
        {
            "channel": "C3",
            "kind": "spindle",
            "view": "absolute",
            "stage": stage,
            "planted_uv": 20.0,
            "n_planted": 40,
            "n_found": round(40 * share),
        }
        for stage in ("N2", "N3")
    ]
    content = encode_table(pd.DataFrame(rows).reindex(columns=AUDIT.column_names), AUDIT)
    (folder / night / "audit.csv").write_bytes(content)
    path = folder / night / "provenance.json"
    made = json.loads(path.read_bytes())
    path.write_bytes(encode_json(made | {"outputs": made["outputs"] | {"audit.csv": hash_bytes(content)}}))


def test_recall_by_condition_comes_from_the_audits_of_the_nights(planned, capsys):
    study, key = planned
    home = study.parent / "eegsleep-nights"
    with (study.parent / "nights.csv").open(newline="") as file:
        nights = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for row in nights:
        add_audit(home, row["night"], 0.9 if row["condition"] == "B" else 0.6)
    run(capsys, "lock", study)
    assert run(capsys, "compare", study, "--key", key)[0] == 0
    nuisance = read_table(study.parent / "nuisance.csv", NUISANCE)
    recall = nuisance[nuisance["kind"] == "recall"].set_index("marker")
    assert recall.loc["", "value"] == pytest.approx(30)
    assert recall.loc["", "conspicuous"]
    assert recall.loc["fast_spindle_density_per_min", "conspicuous"], "3.0 times 0.9 / 0.6 is more than was found"
    assert "recall" in (study.parent / "report.html").read_text()


def test_an_audit_written_in_afterwards_is_refused_before_the_codes_are_opened(planned, capsys):
    study, key = planned
    run(capsys, "lock", study)
    folder = study.parent / "eegsleep-nights"
    night = next(folder.iterdir()).name
    add_audit(folder, night, 0.5)
    with (folder / night / "audit.csv").open("a") as file:
        file.write("\n")
    code, _, aside = run(capsys, "compare", study, "--key", key)
    assert code == 2
    assert "audit.csv is not the file that was written" in aside
    assert not (study.parent / "unmasked.json").exists()


def test_a_night_scored_otherwise_after_the_lock_is_post_hoc(planned, capsys):
    study, key = planned
    run(capsys, "lock", study)
    night = study.parent / "eegsleep-nights" / "S01-003"
    table = read_table(night / "markers.csv", MARKERS)
    table.loc[0, "value"] += 1.0
    content = encode_table(table, MARKERS)
    (night / "markers.csv").write_bytes(content)
    made = json.loads((night / "provenance.json").read_bytes())
    (night / "provenance.json").write_bytes(encode_json(made | {"outputs": {"markers.csv": hash_bytes(content)}}))
    _, out, _ = run(capsys, "compare", study, "--key", key)
    assert out.startswith("Post hoc: ")
    assert "analysis.markers_sha256.S01-003" in (study.parent / "report.html").read_text()


def test_nights_made_otherwise_are_refused_together(planned, capsys):
    study, _ = planned
    odd = study.parent / "eegsleep-nights" / "S01-005"
    for file in odd.iterdir():
        file.unlink()
    odd.rmdir()
    make_night(odd.parent, "S01-005", {("tst_min", "", ""): 400.0}, versions={"eegsleep": "1"})
    code, _, aside = run(capsys, "lock", study)
    assert code == 2
    assert "not made alike" in aside
    assert aside.count("\n") == 1


def test_init_writes_a_template_that_can_be_read(tmp_path, capsys):
    code, out, _ = run(capsys, "study", "init", tmp_path / "mine")
    assert code == 0
    assert out.splitlines()[0] == str(tmp_path / "mine" / "study.toml")
    assert read_protocol(tmp_path / "mine" / "study.toml").design == "n-of-1"
    code, _, aside = run(capsys, "study", "init", tmp_path / "mine")
    assert code == 2
    assert "is there already" in aside


def test_a_dry_run_says_what_cannot_be_shown_and_writes_nothing(tmp_path, capsys):
    (tmp_path / "study.toml").write_text(TOML.replace("nights = 12", "nights = 6"))
    code, out, _ = run(capsys, "plan", tmp_path / "study.toml", "--dry-run")
    assert code == 0
    assert "cannot answer the question" in out
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_an_observational_study_has_nothing_drawn_and_no_p(tmp_path, capsys):
    toml = TOML.replace('"n-of-1"', '"observational"').replace('"pairs"', '"observational"')
    study = tmp_path / "study.toml"
    study.write_text(toml.replace('active = ""', 'active = "B"'))
    code, out, _ = run(capsys, "plan", study)
    assert code == 0
    assert "Nothing was drawn or written" in out
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]
    rows = [
        {"subject": "S01", "night": f"S01-{i:03d}", "date": f"2026-01-{i:02d}", "condition": "AB"[i % 3 == 0]}
        for i in range(1, 13)
    ]
    blank = dict.fromkeys([column.name for column in STUDY_NIGHTS.columns], "")
    rows = [blank | row | {"adaptation": "false", "excluded": "false"} for row in rows]
    with (tmp_path / "nights.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    make_nights(tmp_path / "eegsleep-nights", fill_nights(tmp_path / "nights.csv"), "B")
    assert run(capsys, "lock", study)[0] == 0
    code, out, aside = run(capsys, "compare", study)
    assert (code, aside) == (0, "")
    assert out.startswith("Does glycine change fast spindle density? Not tested")
    assert "Primary endpoint: Fast spindle density in NREM is described only: no mechanism" in out
    markers = read_table(tmp_path / "comparison.csv", COMPARISON)
    assert markers["p"].isna().all()
    assert set(markers["verdict"]) == {"inconclusive"}
    assert "A  described" in out
    assert "inconclusive" not in out


def test_a_key_beside_the_study_can_be_read_with_its_passphrase_only(tmp_path, capsys):
    home = tmp_path / "trial"
    home.mkdir()
    (home / "study.toml").write_text(TOML)
    _, out, _ = run(capsys, "plan", home / "study.toml", "--active", "B")
    key = tmp_path / "trial-sealed-key.json"
    assert "compound" not in key.read_text()
    words = re.search(r"opens with the passphrase (\S+)", out).group(1)
    assert run(capsys, "study", "key", key)[0] == 2
    code, out, _ = run(capsys, "study", "key", key, "--passphrase", words)
    assert (code, out.splitlines()) == (0, ["A: control", "B: compound"])
    make_nights(home / "eegsleep-nights", fill_nights(home / "nights.csv"), "B")
    run(capsys, "lock", home / "study.toml")
    assert run(capsys, "compare", home / "study.toml", "--key", key, "--passphrase", words)[0] == 0


@pytest.mark.nightly
def test_a_declared_look_is_taken_masked_and_kept_in_the_record(tmp_path, capsys):
    home = tmp_path / "trial"
    home.mkdir()
    study = home / "study.toml"
    study.write_text(TOML.replace("nights = 12", "nights = 24\nlooks = [16]"))
    run(capsys, "plan", study, "--active", "B", "--key", tmp_path / "away" / "key.json")
    rows = fill_nights(home / "nights.csv")
    make_nights(home / "eegsleep-nights", rows, "B")
    text = (home / "nights.csv").read_text()
    (home / "nights.csv").write_text(re.sub(r"S01-0(19|2\d)\.edf", "", text))
    code, out, _ = run(capsys, "study", "look", study)
    assert code == 0
    assert "At 16 nights" in out
    assert "It may stop" in out, "the effect is one of four standard deviations"
    assert run(capsys, "study", "look", study)[0] == 2, "once"
    assert '"looked"' in (home / "record.jsonl").read_text()
    run(capsys, "lock", study)
    code, out, _ = run(capsys, "compare", study, "--key", tmp_path / "away" / "key.json")
    assert code == 0
    assert "ended early" not in out


@pytest.mark.nightly
def test_earlier_nights_give_the_spread_without_their_conditions(tmp_path, capsys):
    (tmp_path / "study.toml").write_text(TOML)
    make_nights(tmp_path / "old", [{"night": f"old-{i:03d}", "condition": ""} for i in range(10)], "B")
    code, out, _ = run(capsys, "plan", tmp_path / "study.toml", "--nights", tmp_path / "old", "--dry-run")
    assert code == 0
    assert "10 nights" in out
    code, _, aside = run(capsys, "plan", tmp_path / "study.toml", "--nights", tmp_path / "none", "--dry-run")
    assert code == 2
    assert "no scored night" in aside


def test_earlier_nights_of_several_sleepers_tell_whose_they_are(tmp_path):
    (tmp_path / "study.toml").write_text(TOML.replace("nights = 12", 'nights = 12\nsubjects = ["S1", "S10"]'))
    study = read_protocol(tmp_path / "study.toml")
    for name in ("S1-001", "S10-001"):
        make_night(tmp_path / "old", name, {("tst_min", "", ""): 400.0})
    found = folders.collect_earlier_nights(study, tmp_path / "old")
    assert dict(zip(found["night"], found["subject"], strict=True)) == {"S1-001": "S1", "S10-001": "S10"}
    make_night(tmp_path / "old", "other-001", {("tst_min", "", ""): 400.0})
    with pytest.raises(EegSleepError, match="night other-001 does not tell whose it is"):
        folders.collect_earlier_nights(study, tmp_path / "old")


def test_the_commands_import_nothing_heavy():
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, eegsleep.cli.study as c; print('pandas' in sys.modules, c.plan.__name__)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert seen.split() == ["False", "plan"]


def test_a_primary_endpoint_chosen_before_the_lock_is_told_at_the_lock_and_in_the_report(planned, capsys):
    study, key = planned
    study.write_text(study.read_text().replace('"tst_min||"', '"waso_min||"'))
    _, out, _ = run(capsys, "lock", study)
    assert "Not as registered: protocol.primary was" in out
    _, out, _ = run(capsys, "compare", study, "--key", key)
    assert out.startswith("Post hoc: protocol.primary was")
    assert "Post hoc: not as it was registered or locked" in (study.parent / "report.html").read_text()


def test_nights_recorded_already_need_four_lines(tmp_path, capsys):
    """Scored, listed, marked with yes and no, compared: no plan, no lock, no key."""
    home = tmp_path / "mine"
    nights = [{"night": f"night-{i:03d}", "condition": "yes" if i % 3 == 0 else "no"} for i in range(1, 21)]
    make_nights(home / "eegsleep-nights", nights, "yes")
    for i, row in enumerate(nights):
        path = home / "eegsleep-nights" / row["night"] / "provenance.json"
        path.write_bytes(encode_json(json.loads(path.read_bytes()) | {"start": f"2026-02-{i + 1:02d}T23:00:00"}))
    assert run(capsys, "study", "init", home, "--recorded")[0] == 0
    table = home / "nights.csv"
    lines = table.read_text().splitlines()
    assert "S01,night-003,2026-02-03,eegsleep-nights/night-003,,,,,," in lines
    taken = {row["night"]: row["condition"] for row in nights}
    table.write_text(
        "\n".join(re.sub(r"^(S01,([^,]+),[^,]+,[^,]+),", lambda m: f"{m[1]},{taken[m[2]]}", line) for line in lines)
    )
    code, out, aside = run(capsys, "compare", home / "study.toml")
    assert (code, aside) == (0, "")
    assert "is adjusted for time" in out
    assert (home / "report.html").exists()
    table.write_text(table.read_text().replace(",yes,", ",no,"))
    assert run(capsys, "compare", home / "study.toml", "--output", tmp_path / "control")[0] == 0


def test_what_the_compound_is_for_sets_the_endpoints(tmp_path, capsys):
    assert run(capsys, "study", "init", tmp_path / "mine", "--aim", "deep-sleep")[0] == 0
    study = read_protocol(tmp_path / "mine" / "study.toml")
    assert study.primary == ("swa_power_uv2|NREM|C3",)
    assert study.families[0] == "B"
    assert study.smallest_effect("swa_power_uv2|NREM|C3") == (0.5, "SD")
    code, _, aside = run(capsys, "study", "init", tmp_path / "other", "--aim", "bliss")
    assert code == 2
    assert "Allowed: falling-asleep" in aside


@pytest.mark.parametrize("key", ["loop", "x" * 300, "a\0b", "study.toml", "study.toml/key.json"])
def test_a_key_that_cannot_be_written_is_named_before_studies_are_simulated(key, tmp_path, run_here, monkeypatch):
    monkeypatch.setattr(plan, "draw_plan", None)
    (tmp_path / "study.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "loop").symlink_to("loop")
    done = run_here("plan", ".", "--active", "B", "--key", key, cwd=tmp_path)
    assert done.returncode == 2
    assert "key" in done.stderr.splitlines()[-1]
    assert (tmp_path / "study.toml").read_text(encoding="utf-8") == TOML
