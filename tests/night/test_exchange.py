"""A folder is exchanged as a whole, and nothing that a person put into it is lost."""

import json
import os

import pytest

from eegsleep.errors import EegSleepError
from eegsleep.night.exchange import replace_folder, restore_folder
from eegsleep.provenance import hash_bytes


def night(**tables):
    """Return the files of a night folder: tables, and the provenance that vouches for them."""
    files = {f"{name}.csv": text.encode() for name, text in tables.items()}
    outputs = {name: hash_bytes(content) for name, content in files.items()}
    return {**files, "provenance.json": json.dumps({"outputs": outputs}).encode()}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_only_the_earlier_night_had_goes_and_what_is_not_ours_stays(tmp_path):
    folder = tmp_path / "n"
    replace_folder(folder, night(markers="1", reference="expert"))
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("slept badly")
    assert replace_folder(folder, night(markers="2")) == []
    assert set(contents(folder)) == {"markers.csv", "provenance.json", "notes/mine.txt"}
    assert contents(folder)["markers.csv"] == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["n"]


@pytest.mark.parametrize("name", ["hypnogram.csv", "report.html", "events.edf"])
def test_files_of_a_person_are_not_overwritten(name, tmp_path):
    """A folder of the night's name without our provenance: refused, and nothing is changed."""
    folder = tmp_path / "n"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(EegSleepError, match="did not write"):
        replace_folder(folder, {**night(), name: b"ours"})
    assert contents(folder) == {name: "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["n"]


def test_a_hypnogram_corrected_by_hand_is_kept(tmp_path):
    folder = tmp_path / "n"
    replace_folder(folder, night(hypnogram="W"))
    for text in ("N1", "N2"):
        (folder / "hypnogram.csv").write_text(text)
        replace_folder(folder, night(hypnogram="W"))
    found = contents(folder)
    assert found["hypnogram.csv"] == "W"
    assert (found["hypnogram.csv.changed"], found["hypnogram.csv.changed-2"]) == ("N1", "N2")


@pytest.mark.parametrize("damaged", ["", "[]", "null", '{"outputs": 3}', "[" * 100_000])
def test_under_damaged_provenance_only_what_differs_is_kept(damaged, tmp_path):
    folder = tmp_path / "n"
    replace_folder(folder, night(hypnogram="W", markers="1"))
    (folder / "provenance.json").write_text(damaged)
    (folder / "markers.csv").write_text("by hand")
    assert replace_folder(folder, night(hypnogram="W", markers="1")) == ["markers.csv.changed"]


@pytest.mark.parametrize("failing", range(1, 6))
def test_a_disk_that_fills_up_leaves_the_earlier_night(failing, tmp_path, monkeypatch):
    """Whichever file does not find room: the old folder is whole, and nothing else is left."""
    from eegsleep.night import exchange

    folder = tmp_path / "n"
    replace_folder(folder, night(a="1", b="1", c="1", d="1"))
    before, write, n_written = contents(folder), exchange.write_file, []

    def write_until_full(path, content):
        n_written.append(path)
        if len(n_written) == failing:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(exchange, "write_file", write_until_full)
    with pytest.raises(OSError, match="No space"):
        replace_folder(folder, night(a="2", b="2", c="2", d="2"))
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["n"]


def test_an_exchange_that_was_killed_is_undone(tmp_path):
    (tmp_path / ".n.before").mkdir()
    (tmp_path / ".n.before" / "markers.csv").write_text("1")
    (tmp_path / ".n.partial").mkdir()
    restore_folder(tmp_path / "n")
    assert contents(tmp_path) == {"n/markers.csv": "1"}
    assert os.listdir(tmp_path) == ["n"]  # noqa: PTH208 - hidden ones, too
