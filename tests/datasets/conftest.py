"""A miniature PhysioNet for every test here: one mirror on disk, a fresh server and a fresh folder for each."""

import pytest
from datasets.miniature_physionet import MiniaturePhysioNet, make_mirror

from eegsleep.datasets import transfer


@pytest.fixture(scope="session")
def mirror(make_once):
    """Return the folder of a mirror that no test may change."""
    return make_once("mirror", make_mirror)


@pytest.fixture
def quick(monkeypatch):
    """Ask a failing server again after hundredths of a second, and not often."""
    monkeypatch.setattr(transfer, "PAUSE_S", 0.01)
    monkeypatch.setattr(transfer, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(transfer, "TRIES", 3)


@pytest.fixture
def server(mirror):
    """Return a well-behaved server of the mirror; the test may teach it manners of its own."""
    with MiniaturePhysioNet(mirror) as served:
        yield served
