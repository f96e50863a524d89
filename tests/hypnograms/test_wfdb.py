"""WFDB annotation files: SLPDB's windows, the challenge's changes, and where nobody scored."""

import numpy as np
import pytest
from aligned_hypnogram import read_aligned

from eegsleep.errors import TableError
from eegsleep.hypnograms.read import align_scoring, read_hypnogram

wfdb = pytest.importorskip("wfdb", reason="the extra eegsleep[wfdb] is not installed")
# wfdb 4.3 writes records by ways that pandas 3 means to drop; we only read
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")


def write(folder, notes, extension="st", rate_hz=250, *, own_rate=False):
    """Write notes (second, text) as an annotation file, with a header beside it unless it gives its own rate."""
    samples = np.array([round(second * rate_hz) for second, _ in notes])
    wfdb.wrann(
        "rec",
        extension,
        samples,
        symbol=['"'] * len(notes),
        aux_note=[text for _, text in notes],
        fs=rate_hz if own_rate else None,
        write_dir=str(folder),
    )
    if not own_rate:
        (folder / "rec.hea").write_text(f"rec 1 {rate_hz}/0.0333(94) 1800000 23:07:00 19/1/1989\nrec.dat 212 200 EEG\n")
    return folder / f"rec.{extension}"


def stages(path, n_epochs):
    return align_scoring(read_hypnogram(path), None, n_epochs)[0]["stage"].to_list()


def test_windows_of_slpdb_are_stages_and_events_are_let_through(tmp_path):
    path = write(
        tmp_path,
        [(0, "W"), (30, "1 A"), (60, "2 H HA"), (90, "3"), (120, "4 LA"), (150, "R"), (180, "MT"), (210, "2 MT")],
    )
    assert stages(path, 8) == ["W", "N1", "N2", "N3", "N3", "R", "UNS", "N2"]
    assert read_hypnogram(path).kind == "WFDB annotations"


def test_windows_that_have_no_note_or_only_events_are_unscored(tmp_path):
    path = write(tmp_path, [(0, "W"), (30, "2"), (120, "H"), (150, "2")])
    assert stages(path, 7) == ["W", "N2", "UNS", "UNS", "UNS", "N2", "UNS"]


def test_two_stages_in_one_window_are_none(tmp_path):
    assert stages(write(tmp_path, [(0, "W"), (30, "1 2"), (60, "4")]), 3) == ["W", "UNS", "N3"]


def test_stages_of_the_challenge_hold_until_they_change(tmp_path):
    path = write(
        tmp_path,
        [
            (30, "W"),
            (90, "N1"),
            (120, "N2"),
            (135, "(resp_hypopnea"),
            (150, "resp_hypopnea)"),
            (300, "N3"),
            (360, "U"),
            (390, "R"),
        ],
        "arousal",
        200,
    )
    found = stages(path, 16)
    assert found == ["UNS", "W", "W", "N1", *["N2"] * 6, "N3", "N3", "UNS", "R", "UNS", "UNS"]
    notes = read_hypnogram(path).notes
    assert any("end of its last stage" in note for note in notes)
    assert any("2 events that are no stages" in note for note in notes)


def test_the_rate_of_the_file_itself_wins_and_a_note_at_the_first_sample_is_kept(tmp_path):
    """The wfdb package (4.3) loses that note."""
    notes = [(0, "W"), (30, "2"), (90_000, "2")]
    path = write(tmp_path, notes, rate_hz=100, own_rate=True)
    (tmp_path / "rec.hea").write_text("rec 1 250\n")
    scoring = read_hypnogram(path)
    assert scoring.onsets_s.tolist() == [0, 30, 90_000]
    theirs = wfdb.rdann(str(tmp_path / "rec"), "st")
    assert (theirs.sample / 100).tolist() == scoring.onsets_s.tolist()[-len(theirs.sample) :]


def test_without_a_rate_the_error_says_what_is_missing(tmp_path):
    path = write(tmp_path, [(0, "W"), (30, "2")])
    (tmp_path / "rec.hea").unlink()
    with pytest.raises(TableError, match=r"Put rec.hea beside it"):
        read_hypnogram(path)


def test_words_that_are_no_stage_and_no_event_are_refused(tmp_path):
    with pytest.raises(TableError, match="light sleep"):
        read_hypnogram(write(tmp_path, [(0, "W"), (30, "light sleep")]))


def test_what_is_no_chain_of_annotations_is_told_apart(tmp_path):
    path = tmp_path / "rec.st"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(TableError, match="neither text nor EDF"):
        read_hypnogram(path)
    whole = write(tmp_path, [(0, "W"), (30, "2")]).read_bytes()
    path.write_bytes(whole[:-2])  # cut before its end mark
    with pytest.raises(TableError):
        read_hypnogram(path)


def test_a_hypnogram_of_slpdb_is_laid_on_a_recording(tmp_path):
    table, notes = read_aligned(write(tmp_path, [(30 * i, "2") for i in range(10)]), 10)
    assert table["stage"].tolist() == ["N2"] * 10
    assert not notes
