"""A disk that is full at any write of a night folder: the earlier night stays whole, and nothing else is left."""

import errno
import os
from dataclasses import replace

import pytest

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
