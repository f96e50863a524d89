"""A recording keeps its signals without mne, and is a Raw of mne once that is asked for."""

import subprocess
import sys

import numpy as np

import eegsleep as es
from eegsleep.recording.signals import Signals, signals_of


def make():
    return es.Recording.from_array(np.random.default_rng(0).normal(scale=20, size=(1, 30_000)), 100, ["C4-M1"])


def test_the_raw_holds_the_same_samples_and_the_annotations():
    volts = np.ones((2, 500))
    signals = Signals(volts, 100.0, {"C4": "eeg", "chin": "emg"}, ((1.0, 2.0, "Lights off"), (3.0, 1.0, "BAD_GAP")))
    raw = signals.as_raw()
    assert (raw.ch_names, raw.get_channel_types(), raw.info["sfreq"]) == (["C4", "chin"], ["eeg", "emg"], 100.0)
    assert list(raw.annotations.description) == ["Lights off", "BAD_GAP"]
    volts[0, 0] = 5.0
    assert raw.get_data()[0, 0] == 5.0


def test_what_is_changed_in_the_raw_is_what_is_measured():
    recording = make()
    before = recording.microvolts.copy()
    other = make()
    other.raw.apply_function(lambda x: 2 * x)
    np.testing.assert_allclose(other.microvolts, 2 * before)
    assert other.raw is other.raw


def test_a_copy_of_another_name_or_other_signals_has_the_same_raw():
    recording = make()
    assert recording.renamed("other").id == "other"
    copy = recording.with_microvolts(recording.microvolts + 1)
    assert isinstance(signals_of(recording), Signals), "no Raw was made"
    np.testing.assert_allclose(copy.microvolts - recording.microvolts, 1)
    assert (copy.origin, recording.origin) == ("", "array")


HEAVY = ("mne", "scipy.signal", "scipy.stats", "sklearn", "lightgbm", "yasa", "plotly", "matplotlib", "numba")


def test_no_heavy_package_is_imported_to_score_a_night(write_edf, tmp_path):
    """Each takes as long as a tenth of a night; what they did is done by a few lines of ours."""
    script = (
        "import sys; from pathlib import Path; from eegsleep.workflows.score import Job, score_file;"
        f"score_file(Job(Path({str(write_edf())!r})), output=Path({str(tmp_path)!r}), share=True);"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
