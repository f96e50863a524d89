"""A command that is killed at any moment: no traceback, nothing left, and the next run gives the same tables."""

import signal
import subprocess
import sys
import time

import pytest

SIGNALS = {"INT": (130, -2), "TERM": (143, -15), "HUP": (143, -1), "QUIT": (-3,), "KILL": (-9,)}


def _tables(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.csv"))}


def _leftovers(folder):
    return [path.name for path in folder.rglob("*") if path.name.startswith(".")]


@pytest.fixture(scope="module")
def command(make_once):
    """Return a command that scores six minutes with given stages, the seconds it takes undisturbed, and its tables."""
    import edfio
    import numpy as np

    def make(folder):
        values = np.random.default_rng(0).normal(0, 20, 6 * 60 * 128)
        eeg = edfio.EdfSignal(values, 128, label="C4-M1", physical_dimension="uV", physical_range=(-200, 200))
        edfio.Edf([eeg]).write(folder / "n1.edf")
        rows = "".join(f"{30 * i},30,{stage}\n" for i, stage in enumerate(["W", "N1", *["N2"] * 8, "R", "R"]))
        (folder / "stages.csv").write_text(f"onset,duration,stage\n{rows}", encoding="utf-8")
        (folder / "sound").mkdir()

    home = make_once("killed", make)
    made = [sys.executable, "-m", "eegsleep", "score", home / "n1.edf", "--hypnogram", home / "stages.csv"]
    made += ["--trace", "none", "--output"]
    began_s = time.monotonic()
    subprocess.run([*made, home / "sound"], check=True, capture_output=True)
    return made, time.monotonic() - began_s, _tables(home / "sound")


@pytest.mark.nightly
@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("name", SIGNALS)
def test_a_killed_score_leaves_nothing_and_the_next_is_as_undisturbed(name, share, command, tmp_path):
    made, lasts_s, sound = command
    number = getattr(signal, f"SIG{name}", None)
    if number is None or signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("this signal is ignored where the tests run, or the system does not have it")
    with subprocess.Popen([*made, tmp_path], stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        time.sleep(share * lasts_s)
        running.send_signal(number)
        said = running.communicate(timeout=60)[1]
    assert running.returncode in {*SIGNALS[name], 0}
    assert "Traceback" not in said
    if running.returncode > 0:
        assert "interrupted" in said
        assert _leftovers(tmp_path) == []
    subprocess.run([*made, tmp_path], check=True, capture_output=True)
    assert _tables(tmp_path) == sound
    assert _leftovers(tmp_path) == []
