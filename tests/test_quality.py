"""Quality: each fault is found where it is, with its reason, and nothing else is blamed."""

import mne
import numpy as np
import pytest

from eegsleep.quality import measure_quality
from eegsleep.recording.read import Recording

RATE_HZ = 128


def make_recording(fault=None, role="eeg"):
    """Ten minutes of pink-like noise; epoch 10 carries the fault."""
    rng = np.random.default_rng(1)
    noise = mne.filter.filter_data(rng.normal(0, 60, 600 * RATE_HZ), RATE_HZ, 0.5, 20, verbose="ERROR")
    epoch = slice(300 * RATE_HZ, 330 * RATE_HZ)
    if fault:
        noise[epoch] = fault(noise[epoch])
    info = mne.create_info(["C4-M1"], RATE_HZ, [role])
    raw = mne.io.RawArray(noise[None] * 1e-6, info, verbose="ERROR")
    return Recording(id="made", raw=raw, roles={"C4-M1": role})


def clip(x):
    return np.clip(x, -5, 5) * 200


def swing(x):
    return x + 900 * np.sin(np.arange(x.size) / RATE_HZ)


def buzz(x):
    return x + 80 * np.sin(2 * np.pi * 35 * np.arange(x.size) / RATE_HZ)


def lose(x):
    return np.where(np.arange(x.size) < 200, np.nan, x)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(np.zeros_like, "flat"), (clip, "clipped"), (swing, "swings"), (buzz, "high-frequency"), (lose, "missing")],
)
def test_fault_is_named_in_its_epoch_only(fault, reason):
    quality = measure_quality(make_recording(fault))
    assert reason in quality["reason"][10]
    assert quality["usable"].sum() == 19
    assert not quality["usable"][10]


def test_clean_noise_is_usable_throughout():
    assert measure_quality(make_recording())["usable"].all()


def test_eye_channel_may_swing():
    """Amplitude limits hold for EEG; an eye movement is what an EOG is for."""
    assert measure_quality(make_recording(swing, role="eog"))["usable"].all()


def test_high_frequency_level_is_in_microvolts():
    """A 35 Hz sine of 80 µV has a root mean square of 56.6 µV."""
    quality = measure_quality(make_recording(buzz))
    assert quality["high_frequency_uv"][10] == pytest.approx(80 / np.sqrt(2), rel=0.03)
