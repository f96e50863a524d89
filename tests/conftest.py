"""What every test shares: no network, a sample night, and where real recordings may lie."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
def sample_recording():
    from eegsleep import read_recording

    return read_recording(SAMPLE)


@pytest.fixture(scope="session")
def sample_night(sample_recording):
    from eegsleep import analyze_night

    return analyze_night(sample_recording)


@pytest.fixture(scope="session")
def score_sample(tmp_path_factory):
    """Return what `eegsleep score` printed of the sample, and the folder it wrote."""
    output = tmp_path_factory.mktemp("scored")
    command = [sys.executable, "-m", "eegsleep", "score", SAMPLE, "--output", output]
    return subprocess.run(command, capture_output=True, text=True, check=False), output / SAMPLE.stem


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
