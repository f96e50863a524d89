"""Stages edited by hand on the page of a night: read back as they were saved, and for no other night."""

import pytest

import eegsleep as es
from eegsleep.hypnograms.edited import check_belongs

HASH = "ab" * 32
HEAD = "epoch,onset_s,stage,was,scorer,date,input_sha256\n"


def _write(path, rows, head=HEAD):
    path.write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


ROWS = [
    f"0,0,W,W,,,{HASH}",
    f"1,30,N1,W,Ada,2026-11-28T22:00:00Z,{HASH}",
    f'2,60,UNS,N2,"Lovelace, A.",2026-11-28T22:01:00Z,{HASH}',
    f"3,90,N2,N2,,,{HASH}",
]


def test_the_stages_now_count_and_those_before_are_kept(tmp_path):
    """The column `was` is never taken for the stage, nor `scorer` for a coding."""
    scoring = es.read_hypnogram(_write(tmp_path / "any name.csv", ROWS))
    assert scoring.stages == ("W", "N1", "UNS", "N2")
    assert scoring.onsets_s.tolist() == [0, 30, 60, 90]
    assert scoring.edit.was == ("W", "W", "N2", "N2")
    assert scoring.edit.n_changed == 2
    assert scoring.edit.scorers == ("Ada", "Lovelace, A.")
    assert scoring.edit.last == "2026-11-28T22:01:00Z"
    assert scoring.edit.input_sha256 == HASH
    assert scoring.sha256


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:0], "no epoch"),
        (lambda rows: rows[:1] + rows[2:], "missing or twice"),
        (lambda rows: [rows[0].replace("W,W", "S2,W"), *rows[1:]], "no stage that is known"),
        (lambda rows: [rows[0].replace("W,W", "W,"), *rows[1:]], "no stage that is known"),
        (lambda rows: [rows[0].replace(HASH, "cd" * 32), *rows[1:]], "which recording"),
        (lambda rows: [row.replace(HASH, "") for row in rows], "which recording"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, words):
    with pytest.raises(es.TableError, match=words):
        es.read_hypnogram(_write(tmp_path / "hypnogram-edited.csv", change(ROWS)))


def test_another_recordings_stages_are_refused():
    check_belongs(HASH, HASH, "edited stages")
    with pytest.raises(es.TableError, match="the edited stages belong to another recording"):
        check_belongs(HASH, "cd" * 32, "edited stages")
