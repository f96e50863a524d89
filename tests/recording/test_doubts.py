"""The size of a signal in microvolts, as it is reported where no EEG has it."""

import edfio
import numpy as np
import pytest

from eegsleep.recording.inspect import inspect_recording


@pytest.mark.parametrize("amplitude_uv", [2000.0, 5000.0])
@pytest.mark.parametrize("frequency_hz", [2.0, 10.25])
def test_the_spread_of_a_sine_is_its_root_mean_square(amplitude_uv, frequency_hz, tmp_path):
    """A window function takes power away; the spread must not depend on which one is used."""
    time_s = np.arange(6 * 60 * 128) / 128
    signal = edfio.EdfSignal(
        amplitude_uv * np.sin(2 * np.pi * frequency_hz * time_s),
        128,
        label="C4-M1",
        physical_dimension="uV",
        physical_range=(-6000, 6000),
    )
    edfio.Edf([signal]).write(tmp_path / "sine.edf")
    [fault] = [fault for fault in inspect_recording(tmp_path / "sine.edf").faults if fault.code == "amplitude"]
    assert float(fault.value.removesuffix(" µV")) == pytest.approx(amplitude_uv / np.sqrt(2), rel=0.01)
