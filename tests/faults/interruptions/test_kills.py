"""A command that is killed at any moment: no traceback, nothing left, and the next run gives the same tables.

`pytest -m "" tests/faults/interruptions` takes every signal at ten moments of `score`, `batch` and `compare`.
"""

import os
import re
import signal
import time

import numpy as np
import pytest
from faults.interruptions.conftest import find_leftovers, read_tables, start

from eegsleep.cli.early_signals import SENTENCE

SIGNALS = {"INT": 130, "TERM": 143, "HUP": 143, "QUIT": -3, "KILL": -9}
FROM_TERMINAL = {"INT", "HUP", "QUIT"}  # these reach the workers, too
SHARES = [round(float(share), 2) for share in np.linspace(0.06, 0.96, 10)]
NIGHTLY = {"score": SHARES[2::6], "batch": SHARES[4:5], "compare": SHARES[6:7]}
CASES = [
    pytest.param(command, name, share, marks=pytest.mark.nightly if share in nightly else pytest.mark.large)
    for command, nightly in NIGHTLY.items()
    for name in SIGNALS
    for share in SHARES
]


@pytest.mark.parametrize(("command", "name", "share"), CASES)
def test_a_killed_command_leaves_nothing_and_the_next_is_as_undisturbed(
    command, name, share, find_command, run_here, tmp_path
):
    make_words, lasts_s, sound, _ = find_command(command)
    number = getattr(signal, f"SIG{name}", None)
    if number is None or signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("this signal is ignored where the tests run, or the system does not have it")
    words = make_words(tmp_path)
    with start(words) as running:
        time.sleep(share * lasts_s)
        if name in FROM_TERMINAL and running.poll() is None:
            os.killpg(running.pid, number)
        else:
            running.send_signal(number)
        said = running.communicate(timeout=60)[1]  # comes back when no process is left that could say something
    assert running.returncode in {SIGNALS[name], 0}, said
    assert not re.search(r"Traceback|Exception|Error", said), said
    if running.returncode > 0:
        assert said.splitlines()[-1] == SENTENCE
        assert said.count(SENTENCE) == 1
        assert find_leftovers(tmp_path) == []
    found = read_tables(tmp_path)
    assert {path: sound[path] for path in found} == found, "whole, or not there"
    again = run_here(*words)
    assert again.returncode == 0, again.stderr
    assert read_tables(tmp_path) == sound
    assert find_leftovers(tmp_path) == []
