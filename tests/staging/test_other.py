"""A second stager: any table of probabilities, an installed stager, or YASA's own classifiers together."""

import numpy as np
import pandas as pd
import pytest

import eegsleep as es
from eegsleep.errors import SettingsError, TableError
from eegsleep.staging.lights import Lights
from eegsleep.staging.other import Hypnodensity, ask_stager, read_hypnodensity, set_beside
from eegsleep.staging.score import StagingSettings


def write(path, frame):
    frame.to_csv(path, index=False)
    return path


def density(n=4, names=("W", "N1", "N2", "N3", "R")):
    values = np.eye(5)[np.arange(n) % 5] * 0.8 + 0.04
    return pd.DataFrame(values, columns=list(names)).assign(epoch=np.arange(n))


@pytest.mark.parametrize(
    "names",
    [("W", "N1", "N2", "N3", "R"), ("WAKE", "N1", "N2", "N3", "REM"), ("p_wake", "p_n1", "p_n2", "p_n3", "p_rem")],
)
def test_tables_of_common_stagers_are_read(tmp_path, names):
    found = read_hypnodensity(write(tmp_path / "a.csv", density(names=names)[["epoch", *reversed(names)]]), "a")
    np.testing.assert_allclose(found.probabilities, density().drop(columns="epoch"))
    assert found.sha256


def test_epochs_without_a_row_have_no_probabilities(tmp_path):
    found = read_hypnodensity(write(tmp_path / "a.csv", density(6).drop(index=[1, 3])), "a")
    assert np.isnan(found.probabilities).all(axis=1).tolist() == [False, True, False, True, False, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="N2"), "no column for p_n2"),
        (lambda t: t.assign(Wake=t["W"]), "columns W, Wake"),
        (lambda t: t.assign(W=t["W"] + 0.3), "sum to 1"),
        (lambda t: t.assign(epoch=[0, 1, 1, 2]), "each once"),
        (lambda t: t.assign(epoch=t["epoch"] + 0.5), "whole numbers"),
        (lambda t: t.assign(W="much"), "not a number"),
        (lambda t: t.assign(W=float("inf")), "infinite ones. Found: epoch 0"),
        (lambda t: t.assign(R=[*t["R"][:3], float("nan")]), "fewer than five probabilities.*epoch 3"),
    ],
)
def test_other_tables_are_refused(tmp_path, change, said):
    with pytest.raises(TableError, match=said):
        read_hypnodensity(write(tmp_path / "a.csv", change(density())), "a")


def test_consensus_is_the_mean_of_both():
    theirs = np.array([[0.1, 0.6, 0.3, 0, 0], [0.1, 0.6, 0.3, 0, 0], [np.nan] * 5])
    ours = np.array([[0.1, 0.1, 0.8, 0, 0], [0.1, 0.4, 0.5, 0, 0], [0, 0, 1.0, 0, 0]])
    table = set_beside(Hypnodensity("a", theirs), ours, Lights(0.0, 90.0, "user"), 3)
    assert table["stage"].tolist() == ["N1", "N1", "UNS"]
    assert table["consensus"].tolist() == ["N2", "N1", "UNS"]
    with pytest.raises(TableError, match="not those of this recording"):
        set_beside(Hypnodensity("a", theirs), ours, Lights(0.0, 60.0, "user"), 2)


def test_an_installed_stager_is_found_by_its_entry_point(monkeypatch, sample_recording):
    class Point:
        name = "coin"

        def load(self):
            return lambda recording, _quality: density(recording.n_epochs)

    monkeypatch.setattr("eegsleep.staging.other.entry_points", lambda group: [Point()] * (group == "eegsleep.stagers"))
    found = ask_stager("coin", sample_recording, pd.DataFrame())
    assert found.probabilities.shape == (sample_recording.n_epochs, 5)
    with pytest.raises(SettingsError, match="yasa-ensemble, coin"):
        ask_stager("die", sample_recording, pd.DataFrame())


@pytest.mark.nightly
def test_ensemble_of_yasa_is_set_beside_and_kept(tmp_path, sample_recording):
    """Four classifiers see the same features: their mean agrees with ours in most epochs, and not in all."""
    settings = es.Settings(staging=StagingSettings(second="yasa-ensemble"))
    night = es.analyze_night(sample_recording, settings)
    same = (night.other_stager["stage"] == night.stages["stage"]).mean()
    assert 0.85 < same < 1
    tst = night.markers.set_index("marker").loc["tst_min"]
    assert tst["by_other_stager"] == (night.other_stager["stage"].isin(["N1", "N2", "N3", "R"])).sum() / 2
    assert np.isfinite(tst["by_consensus"])
    again = es.load_night(es.save_night(night, tmp_path))
    pd.testing.assert_frame_equal(again.other_stager, night.other_stager)
    assert again.provenance["other_stager"]["name"] == "yasa-ensemble"


@pytest.mark.nightly
def test_command_line_takes_the_table_of_another_stager(tmp_path):
    from tests_paths import SAMPLE

    from eegsleep.cli.options import parse_stager
    from eegsleep.workflows.score import Job, score_file

    name, path = parse_stager(f"coin={write(tmp_path / 'coin.csv', density(100))}")
    night, folder = score_file(Job(SAMPLE, stages_by=path, stager=name), None, tmp_path)
    assert (folder / "other_stager.csv").is_file()
    assert night.provenance["request"]
    assert night.markers.set_index("marker").loc["n3_min", "by_other_stager"] == 10
    with pytest.raises(SettingsError, match="NAME=FILE"):
        parse_stager("coin")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch,W,N1,N2,N3,R\n1e15,1,0,0,0,0\n", "beyond any night"),
        ("epoch,W,N1,N2,N3,R\ninf,1,0,0,0,0\n", "beyond any night"),
        (f"epoch,W,N1,N2,N3,R\n{'9' * 30},1,0,0,0,0\n", "beyond any night"),
        ("epoch,W,N1,N2,N3,R" + "," * 5000 + "\n0,1,0,0,0,0\n", "too many columns"),
    ],
)
def test_a_table_that_would_take_all_memory_or_minutes_is_refused(text, said, tmp_path):
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=said):
        read_hypnodensity(tmp_path / "other.csv", "other")


def test_a_device_is_no_table(tmp_path):
    with pytest.raises(TableError, match="no file"):
        read_hypnodensity("/dev/zero", "other")
