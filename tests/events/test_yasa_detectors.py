"""YASA's own detectors run on request, beside ours, and give markers without a verdict."""

import numpy as np
import pytest

import eegsleep as es
from eegsleep.config import Settings
from eegsleep.events.audit import AuditSettings


@pytest.fixture(scope="module")
def short():
    """Return ten minutes of a simulated night, and the settings that ask YASA."""
    made = es.simulate_night(es.SimulationSettings(duration_h=1 / 6, rate_hz=100, eeg=("C4-M1",)), seed=3)
    return es.Recording.from_array(made.data, 100, dict(zip(made.channels, made.roles, strict=True)))


def test_markers_by_yasa_count_what_its_detectors_find(short):
    given = ["N2"] * short.n_epochs
    settings = Settings(audit=AuditSettings(yasa_detectors=True))
    night = es.analyze_night(short, settings, hypnogram=given)
    rows = night.markers.query("stage == 'N2'").set_index("marker")
    found = es.detect_spindles(short, given, night.quality, es.SpindleSettings(method="yasa"))
    assert len(found) > 0
    assert rows.loc["yasa_spindle_density_per_min", "value"] == pytest.approx(len(found) / 10)
    assert rows.loc["yasa_slow_oscillation_density_per_min", "value"] >= 0
    assert not rows.loc["yasa_spindle_density_per_min", "reason"]


def test_larger_slow_waves_cost_yasa_spindles_and_us_none(short):
    """What the course shows: with the defaults of YASA, the share of sigma in 1-30 Hz falls as slow waves grow."""
    from scipy import signal

    quality, given = es.measure_quality(short), ["N2"] * short.n_epochs
    low = signal.butter(4, (0.4, 4), "bandpass", fs=100, output="sos")
    data_uv = short.microvolts.copy()
    data_uv[0] += 1.0 * signal.sosfiltfilt(low, data_uv[0])
    counts = {}
    for method in ("yasa", "eegsleep"):
        settings = es.SpindleSettings(method=method)
        counts[method] = [
            len(es.detect_spindles(one, given, quality, settings)) for one in (short, short.with_microvolts(data_uv))
        ]
    assert counts["yasa"][1] < 0.8 * counts["yasa"][0]
    assert np.isclose(*counts["eegsleep"], rtol=0.05)
