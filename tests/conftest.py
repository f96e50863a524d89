"""What every test shares: no network, a sample night, and where real recordings may lie.

Tests run in several processes (pytest-xdist). What takes long to make is made by the first process that needs it and
read by the others: see `make_once`.
"""

import contextlib
import io
import os
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

# One thread for each process: there are as many processes as cores already. This must come before numpy is imported.
for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data" / "sample-night.edf"
REAL_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Refuse every connection but to this machine: eegsleep promises to use no network."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a connection to {address} was tried")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """Return a function that fills a folder once for all processes of a test run.

    `make_once(name, make)` calls `make(folder)` with an empty folder if no process has done so yet, and returns the
    folder. No test may change what is in it.
    """
    from filelock import FileLock

    home = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = home.parent

    def once(name, make):
        folder, finished = home / "made-once" / name, home / "made-once" / f"{name}.finished"
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not finished.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed half-way
                folder.mkdir()
                make(folder)
                finished.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def compute_once(make_once):
    """Return a function that computes an object once for all processes; each gets its own copy."""

    def once(name, compute):
        folder = make_once(name, lambda folder: (folder / "pickle").write_bytes(pickle.dumps(compute())))
        return pickle.loads((folder / "pickle").read_bytes())  # noqa: S301 - written three lines above

    return once


@pytest.fixture(scope="session")
def run_here():
    """Return a function that runs the command line in this process, which saves the seconds that imports take.

    It returns what `subprocess.run` returns: `returncode`, `stdout` and `stderr`.
    """
    from eegsleep.cli.main import main

    def run(*arguments, cwd=None):
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(cwd or Path.cwd()),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as left,
        ):
            main([str(argument) for argument in arguments])
        return SimpleNamespace(returncode=left.value.code, stdout=out.getvalue(), stderr=err.getvalue())

    return run


@pytest.fixture(scope="session")
def sample_recording():
    from eegsleep import read_recording

    return read_recording(SAMPLE)


@pytest.fixture(scope="session")
def sample_night(sample_recording, compute_once):
    from eegsleep import analyze_night

    return compute_once("sample-night", lambda: analyze_night(sample_recording))


@pytest.fixture(scope="session")
def score_sample(make_once):
    """Return what `eegsleep score` printed of the sample, and the folder it wrote."""

    def score(folder):
        command = [sys.executable, "-m", "eegsleep", "score", SAMPLE, "--output", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        (folder / "done.pickle").write_bytes(pickle.dumps(done))

    folder = make_once("scored-sample", score)
    return pickle.loads((folder / "done.pickle").read_bytes()), folder / SAMPLE.stem  # noqa: S301 - written above


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real recordings, which lies beside the checkout where its owner put it."""
    if not REAL_DATA.is_dir():
        pytest.skip("real recordings are not part of the project; they lie beside it where they are at hand")
    return REAL_DATA


@pytest.fixture
def write_edf(tmp_path):
    """Return a function that writes noise as EDF: labels to units, at one rate."""
    import edfio
    import numpy as np

    def write(labels=("C4-M1",), minutes=6, rate_hz=128, unit="uV", name="made.edf", sd=20.0):
        rng = np.random.default_rng(0)
        signals = [
            edfio.EdfSignal(
                rng.normal(0, sd, int(minutes * 60 * rate_hz)),
                rate_hz,
                label=label,
                physical_dimension=unit,
                physical_range=(-10 * sd, 10 * sd),
            )
            for label in labels
        ]
        path = tmp_path / name
        edfio.Edf(signals).write(path)
        return path

    return write
