"""What the tests of batches share: stand-ins for recordings and for the work on one, quick enough to have many."""

import sys
from pathlib import Path

import pytest

# workers get the path of the process that starts them, and import the work from here
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def make_jobs(tmp_path):
    """Return a function that makes jobs of the names given, each with a file of its own."""
    from eegsleep.workflows.score import Job

    def make(*nights):
        folder = tmp_path / "recordings"
        folder.mkdir(exist_ok=True)
        jobs = []
        for night in nights:
            file = folder / f"{night}.edf"
            if not file.exists():
                file.write_bytes(b"0       " + night.encode())
            jobs.append(Job(file, night=night))
        return jobs

    return make


@pytest.fixture(scope="session")
def nights(make_once):
    """Return a folder with two simulated nights of forty minutes and one that was cut off in its header."""
    from eegsleep import SimulationSettings, simulate_night, write_simulated_night

    def make(folder):
        settings = SimulationSettings(duration_h=0.6, rate_hz=100, eeg=("C4-M1",))
        for number in (1, 2):
            write_simulated_night(simulate_night(settings, number), folder, f"n{number}")
        (folder / "cut.edf").write_bytes((folder / "n1.edf").read_bytes()[:300])

    return make_once("two-nights", make)
