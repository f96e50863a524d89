"""Three commands that are soon done, and what they write when nothing disturbs them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from batch.running_scheduler import run_scheduler
from cli.test_study import TOML, fill_nights, make_nights


def read_tables(folder):
    """Return every table of a folder that is not hidden, but the account of a batch, which holds times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.csv"))
        if path.name != "jobs.csv" and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def find_leftovers(folder):
    """Return what is hidden, or was to be renamed, below a folder; the lock of a batch is meant to stay."""
    hidden = {path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix in {".tmp", ".partial"}}
    hidden |= set(folder.rglob(".jobs/*"))
    return sorted(str(path.relative_to(folder)) for path in hidden if path.name not in {".jobs", "lock"})


class Command(NamedTuple):
    """A command on small files.

    Attributes
    ----------
    make_words : callable
        Given a folder, copies into it what the command changes, and returns its arguments.
    lasts_s : float
        How long it takes undisturbed.
    sound : dict
        The tables it then writes, by their path.
    n_bytes : int
        The room on a disk that its output then takes.
    """

    make_words: Callable[[Path], list[str]]
    lasts_s: float
    sound: dict[str, bytes]
    n_bytes: int


@pytest.fixture(scope="module", autouse=True)
def _compiled_once(tmp_path_factory):
    """Keep compiled modules for the next process: each of these tests starts several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@contextmanager
def start(words):
    """Start a command as a terminal would, in a group of processes of its own, of which nothing remains."""
    with subprocess.Popen(
        [sys.executable, "-m", "eegsleep", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:  # the test has failed; without this it would wait for ever
                os.killpg(running.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def inputs(make_once, run_here):
    """Return a folder with two nights of six minutes, stages for one of them, and a locked study of made-up markers."""
    import edfio

    from eegsleep.study.masking import registration
    from eegsleep.study.planning import plan

    def run(*arguments):
        done = run_here(*arguments)
        assert done.returncode == 0, done.stderr

    def make(folder):
        for seed, name in enumerate(["n1", "n2"]):
            values = np.random.default_rng(seed).normal(0, 20, 6 * 60 * 128)
            eeg = edfio.EdfSignal(values, 128, label="C4-M1", physical_dimension="uV", physical_range=(-200, 200))
            edfio.Edf([eeg]).write(folder / f"{name}.edf")
        rows = "".join(f"{30 * i},30,{stage}\n" for i, stage in enumerate(["W", "N1", *["N2"] * 8, "R", "R"]))
        (folder / "stages.csv").write_text(f"onset,duration,stage\n{rows}", encoding="utf-8")
        study, key = folder / "study", folder / "key" / "key.json"
        study.mkdir()
        key.parent.mkdir()
        (study / "study.toml").write_text(TOML, encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(registration, "now", lambda: "2026-01-04T12:00:00+00:00")
            patch.setattr(plan, "_N_STUDIES_SEARCHED", 50)
            run("plan", study, "--active", "B", "--key", key)
            make_nights(study / "eegsleep-nights", fill_nights(study / "nights.csv"), "B")
            run("lock", study)

    return make_once("killed-inputs", make)


@pytest.fixture(scope="session")
def find_command(inputs, tmp_path_factory, compute_once):
    """Return a function that returns a command by its name, after it ran once undisturbed."""

    def score(folder):
        stages = inputs / "stages.csv"
        return ["score", inputs / "n1.edf", "--hypnogram", stages, "--trace", "none", "--output", folder / "out"]

    def batch(folder):
        return [
            "batch",
            inputs / "n1.edf",
            inputs / "n2.edf",
            "--workers",
            "2",
            "--trace",
            "none",
            "--output",
            folder / "out",
        ]

    def compare(folder):
        shutil.copytree(inputs / "study", folder / "study", dirs_exist_ok=True)
        return ["compare", folder / "study", "--key", inputs / "key" / "key.json", "--output", folder / "out"]

    def find(name):
        make_words = {"score": score, "batch": batch, "compare": compare}[name]

        def run_once():
            folder = tmp_path_factory.mktemp("undisturbed")
            words, began_s = [str(word) for word in make_words(folder)], time.monotonic()
            with start(words) as running:
                said = running.communicate()[1]
            assert running.returncode == 0, said
            lasts_s, sound = time.monotonic() - began_s, read_tables(folder)
            assert len(sound) > 5
            assert find_leftovers(folder) == []
            n_pages = sum(-(-path.stat().st_size // 4096) for path in (folder / "out").rglob("*") if path.is_file())
            return lasts_s, sound, n_pages * 4096

        def run_twice():  # the first time, modules are compiled and files are read from the disk
            first, second = run_once(), run_once()
            assert first[1] == second[1]
            return min(first[0], second[0]), *second[1:]

        return Command(
            lambda folder: [str(word) for word in make_words(folder)], *compute_once(f"undisturbed-{name}", run_twice)
        )

    return find


@pytest.fixture
def scheduler(tmp_path):
    """Yield a function that starts another scheduler with two workers, as long as the test lasts."""
    with ExitStack() as opened:

        def run(name, **options):
            (tmp_path / name).mkdir()
            return opened.enter_context(run_scheduler(tmp_path / name, **options))

        yield run
