"""What stands in the place of a file is not opened unless it is one: reading a pipe would wait for ever."""

import os

import pytest

from eegsleep.plain_files import check_plain, real_path


def test_a_file_and_none_may_be_opened(tmp_path):
    (tmp_path / "file").touch()
    assert check_plain(tmp_path / "file") == tmp_path / "file"
    assert check_plain(tmp_path / "none") == tmp_path / "none"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_an_error_of_the_system(make, tmp_path):
    make(tmp_path / "other")
    with pytest.raises(OSError, match="it is no file") as raised:
        check_plain(tmp_path / "other")
    assert raised.value.filename == str(tmp_path / "other")


def test_a_link_is_followed_to_its_folder_and_one_to_itself_is_not(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert real_path(tmp_path / "link").parent == tmp_path / "there"
    assert real_path(tmp_path / "loop").parent == tmp_path
