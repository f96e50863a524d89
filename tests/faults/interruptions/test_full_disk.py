"""A disk that is full at any write of a night folder: the earlier night stays whole, and nothing else is left."""

import errno
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from faults.interruptions.conftest import find_leftovers, read_tables

from eegsleep.errors import EegSleepError
from eegsleep.events.detect import Events
from eegsleep.night.folder import save_night
from eegsleep.tables import EVENT_TABLES, QUALITY, SPECTRUM, empty_table


def _contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def night(sample_night):
    """Return the sample night without most of its rows, so that it is soon written."""
    events = Events(**{table.name: empty_table(table) for table in EVENT_TABLES})
    return replace(sample_night, quality=empty_table(QUALITY), spectrum=empty_table(SPECTRUM), events=events)


def _count_writes(night, folder, monkeypatch, fails_at=None):
    """Save a night on a disk that is full at one of its writes; return how many there were."""
    flush, n_writes = os.fsync, 0

    def flush_or_fail(number):
        nonlocal n_writes
        n_writes += 1
        if n_writes == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", flush_or_fail)
        save_night(night, folder)
    return n_writes


def test_whichever_write_fails_the_earlier_night_stays_whole(night, tmp_path, monkeypatch):
    earlier, later = tmp_path / "nights", replace(night, warnings=("another",))
    n_writes = _count_writes(night, earlier, monkeypatch)
    assert n_writes > 20
    sound = _contents(earlier)
    for number in range(1, n_writes + 1, 4):
        with pytest.raises(EegSleepError, match="cannot be written"):
            _count_writes(later, earlier, monkeypatch, fails_at=number)
        assert _contents(earlier) == sound
    fresh = tmp_path / "fresh"
    with pytest.raises(EegSleepError, match="cannot be written"):
        _count_writes(night, fresh, monkeypatch, fails_at=n_writes)
    assert _contents(fresh) == {}


# A disk of some bytes, in a namespace of mounts of its own; the command on it, then again with more room.
ON_SMALL_DISK = """
bytes=$1 disk=$2 kept=$3; shift 3
mount -t tmpfs -o "size=$bytes" none "$disk" || exit 77
"$@" >"$kept/printed" 2>"$kept/said"; echo $? >"$kept/codes"
cp -r "$disk" "$kept/full"
mount -o remount,size=100m "$disk"
"$@" >"$kept/printed" 2>"$kept/said-again"; echo $? >>"$kept/codes"
cp -r "$disk" "$kept/roomy"
"""
PAGE = 4096


@pytest.mark.large
@pytest.mark.parametrize("share", [0.02, 0.25, 0.5, 0.75, 0.95])
@pytest.mark.parametrize("name", ["score", "batch", "compare"])
def test_a_disk_that_fills_up_costs_nothing(name, share, find_command, tmp_path):
    command = find_command(name)
    words, kept = command.make_words(tmp_path), tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "out").mkdir(exist_ok=True)
    n_bytes = max(PAGE, int(share * command.n_bytes) // PAGE * PAGE)
    shell = ["unshare", "--map-root-user", "--mount", "sh", "-c", ON_SMALL_DISK, "sh", n_bytes, tmp_path / "out", kept]
    done = subprocess.run([*map(str, shell), sys.executable, "-m", "eegsleep", *words], check=False)
    if done.returncode == 77 or not (kept / "codes").exists():
        pytest.skip("a user may not mount a disk of their own on this system")
    said = (kept / "said").read_text()
    assert "Traceback" not in said
    assert re.search(r"[Dd]isk|No space|room", said), said
    first, second = (kept / "codes").read_text().split()
    assert first in {"1", "2"}, said
    found, sound = read_tables(kept / "full"), {path.removeprefix("out/"): at for path, at in command.sound.items()}
    assert {path: sound[path] for path in found} == found, "whole, or not there"
    assert find_leftovers(kept / "full") == []
    assert second == "0", (kept / "said-again").read_text()
    roomy = read_tables(kept / "roomy")
    assert {path: sound[path] for path in roomy} == roomy
    assert len(roomy) >= len([path for path in command.sound if path.startswith("out/")])
