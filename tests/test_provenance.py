"""A file is written whole or not at all, and what killed processes left of it is removed."""

import os
import subprocess
import sys

import pytest

from eegsleep.provenance import _name_temporary, open_whole, write_file


def test_what_a_killed_process_left_of_a_file_is_removed_when_it_is_written_again(tmp_path):
    """That of a process that is still there stays; so do those of other files, and what is not ours."""
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as gone:
        pass
    here = _name_temporary(tmp_path / "a.csv").name.split(".")[3]
    others = {
        f".a.csv.{here}.{os.getppid()}.tmp",
        f".b.csv.{here}.{gone.pid}.tmp",
        f".a.csv.01234567.{gone.pid}.tmp",  # of another machine
        f".a.csv.{here}.x.tmp",
        ".a.csv.tmp",
        f".a.csv.{here}.{10**12}.tmp",
    }
    for name in (*others, f".a.csv.{here}.{gone.pid}.tmp"):
        (tmp_path / name).touch()
    write_file(tmp_path / "a.csv", b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", *others}


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"old")

    def write_half():
        with open_whole(tmp_path / "a.csv") as file:
            file.write(b"half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_half()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.csv", b"old")]
