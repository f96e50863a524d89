"""Every public function has an example in its docstring, and every example runs and gives what it says.

The examples use names that a reader of the documentation meets once: `es` is eegsleep, `recording` and `night` are the
sample, `short` a recording of 12 min, `study` and `values` a study of 20 nights. Files lie in the current folder.
"""

import contextlib
import doctest
import importlib.util
import inspect
import shutil
from functools import partial
from pathlib import Path

import pytest
from made_studies import make_study, make_values

import eegsleep as es
from eegsleep.night.night import Night
from eegsleep.recording.recording import Recording
from eegsleep.study.masking import registration
from eegsleep.study.planning import plan
from eegsleep.tables import EVENTS_EDITED, encode_table

ROOT = Path(__file__).parents[2]
FUNCTIONS = [name for name in es.__all__ if inspect.isfunction(getattr(es, name))]


def load_study_tests():
    """Return the tests of the command line for studies, for their planned study on disk."""
    spec = importlib.util.spec_from_file_location("study_on_disk", ROOT / "tests" / "cli" / "test_study.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_files(folder, night, recording):
    """Write the files that examples read, and return the passphrase of the study's key."""
    import pandas as pd

    for name in ("sample-night.edf", "sample-night_stages.csv"):
        shutil.copy(ROOT / "sample_data" / name, folder)
    es.save_night(night, folder / "nights", {"report.html": es.render_night(night, recording, sidecar=True)})
    (folder / "nights" / "sample-night" / "trace.js").touch()
    settings = es.SimulationSettings(duration_h=0.2, rate_hz=128, eeg=("C4-M1",))
    made = es.simulate_night(settings, seed=2)
    es.write_simulated_night(made, folder, "short")
    row = dict.fromkeys(EVENTS_EDITED.column_names, "") | dict.fromkeys(("onset_s", "duration_s", "peak_s"), 60.0)
    row |= {"kind": "fast spindle", "verdict": "rejected", "channel": "C4-M1", "input_sha256": recording.sha256}
    (folder / "events-edited.csv").write_bytes(encode_table(pd.DataFrame([row]), EVENTS_EDITED))
    on_disk = load_study_tests()
    for name in ("planned", "trial"):
        (folder / name).mkdir()
        (folder / name / "study.toml").write_text(on_disk.TOML)
    planned = es.plan_study(folder / "trial" / "study.toml", key=folder / "key.json", active="B")
    rows = on_disk.fill_nights(folder / "trial" / "nights.csv")
    on_disk.make_nights(folder / "trial" / "eegsleep-nights", rows, "B")
    shutil.copytree(folder / "trial", folder / "locked")
    es.lock_study(folder / "locked" / "study.toml")
    return planned.passphrase


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_has_an_example(name):
    examples = doctest.DocTestParser().get_examples(getattr(es, name).__doc__)
    assert examples
    assert not any(doctest.SKIP in example.options for example in examples)


def test_every_example_runs(sample_recording, sample_night, tmp_path, monkeypatch):
    monkeypatch.setattr(registration, "now", lambda: "2026-01-04T12:00:00+00:00")
    monkeypatch.setattr(plan, "draw_plan", partial(plan.draw_plan, n_studies=20))  # a thousand take ten seconds
    monkeypatch.setattr(plan, "nights_needed", lambda *_: 40)
    monkeypatch.setenv("EEGSLEEP_DATA", str(tmp_path / "data"))
    passphrase = make_files(tmp_path, sample_night, sample_recording)
    study = make_study()
    names = {
        "passphrase": passphrase,
        "es": es,
        "recording": sample_recording,
        "night": sample_night,
        "short": es.read_recording(tmp_path / "short.edf"),
        "study": study,
        "values": make_values(study),
    }
    runner = doctest.DocTestRunner(verbose=False)
    failed = []
    objects = [getattr(es, name) for name in FUNCTIONS]
    objects += [Recording, Recording.from_raw, Recording.from_array, Night]
    with contextlib.chdir(tmp_path):
        for thing in objects:
            test = doctest.DocTestParser().get_doctest(inspect.getdoc(thing), names, str(thing), None, None)
            said = []
            runner.run(test, out=said.append)
            failed += ["".join(said)] if said else []
    assert not failed, "\n".join(failed)
