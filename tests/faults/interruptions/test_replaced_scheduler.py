"""A Dask scheduler or a worker of it that is killed while a batch is at work: nothing is lost, wherever it goes on."""

import os
import time

import psutil
import pytest
from faults.interruptions.conftest import find_leftovers, read_tables, start

from eegsleep.batch.cluster import find_address

# From the kill to the end of the command. Dask's client gives up a connection that was closed at once.
DEADLINE_S = 60
SHARES = [0.25, 0.37, 0.49, 0.61, 0.73, 0.85]


@pytest.fixture
def local(find_command):
    """Return a function that gives the words of a batch for a scheduler; how long it takes; and its tables."""
    make_words, lasts_s, sound, _ = find_command("batch")

    def use(folder, scheduler):
        words = make_words(folder)
        at = words.index("--workers")
        return [*words[:at], "--scheduler", scheduler, *words[at + 2 :]]

    return use, lasts_s, sound


def run_undisturbed(words):
    with start(words) as running:
        said = running.communicate(timeout=120)[1]
    assert running.returncode == 0, said
    return said


def wait_until_begun(running, out):
    """Wait until a worker has begun a night."""
    while not list(out.rglob(".jobs/*.log")):
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.02)


def check_whole(folder, sound):
    """Check that each table which is there is that of an undisturbed run."""
    found = read_tables(folder)
    assert {path: sound[path] for path in found} == found


@pytest.mark.large
@pytest.mark.parametrize(
    ("share", "place"), list(zip(SHARES, 3 * ["elsewhere", "same port"], strict=True)), ids=map(str, SHARES)
)
def test_a_scheduler_that_is_killed_can_be_replaced(share, place, local, scheduler, tmp_path):
    use, lasts_s, sound = local
    file, process = scheduler("first")
    out = tmp_path / "of batch"
    out.mkdir()
    with start(use(out, file)) as running:
        if share > 0.5:
            wait_until_begun(running, out)
        time.sleep((share if share < 0.5 else share - 0.5) * lasts_s)
        process.kill()
        process.wait()
        killed_s = time.monotonic()
        second, _ = scheduler("second", port=int(find_address(file).rsplit(":", 1)[1]) if place == "same port" else 0)
        said = running.communicate(timeout=DEADLINE_S)[1]
    assert time.monotonic() - killed_s < DEADLINE_S
    assert running.returncode in {0, 2}, said
    assert "Traceback" not in said
    if running.returncode:
        assert said.splitlines()[-1].startswith("eegsleep: "), said
        assert "scheduler" in said.splitlines()[-1]
    check_whole(out, sound)
    run_undisturbed(use(out, second))
    assert read_tables(out) == sound
    assert find_leftovers(out) == []


def _list_below(pid):
    return {each.pid for each in psutil.Process(pid).children(recursive=True)}


@pytest.mark.large
@pytest.mark.parametrize("share", SHARES[1:5])
def test_a_worker_of_a_scheduler_that_is_killed_costs_nothing(share, local, scheduler, tmp_path):
    use, lasts_s, sound = local
    file, _ = scheduler("first")
    out = tmp_path / "of batch"
    out.mkdir()
    with start(use(out, file)) as running:
        wait_until_begun(running, out)  # a worker that dies while it starts is not replaced by Dask
        # the command itself has no processes of this kind
        below = _list_below(os.getpid())
        every = [each for each in psutil.process_iter(["pid", "cmdline"]) if each.pid in below]
        workers = [each for each in every if "spawn_main" in " ".join(each.info["cmdline"] or ())]
        assert len(workers) == 2
        time.sleep(share * lasts_s / 2)
        workers[SHARES.index(share) % 2].kill()
        said = running.communicate(timeout=120)[1]
    assert running.returncode == 0, said
    assert "Traceback" not in said
    assert read_tables(out) == sound
    assert find_leftovers(out) == []
