"""Make the sample recording and its truth again: `python sample_data/make_sample.py`."""

from pathlib import Path

from eegsleep import SimulationSettings, simulate_night, write_simulated_night

# 128 Hz keeps the file under 6 MB; ninety minutes hold one whole NREM-REM cycle.
SETTINGS = SimulationSettings(
    duration_h=1.5, rate_hz=128.0, sleep_latency_min=6.0, waso_min=3.0, n1_min=4.0, n3_min=24.0, rem_min=12.0
)

if __name__ == "__main__":
    print(write_simulated_night(simulate_night(SETTINGS, seed=7), Path(__file__).parent, "sample-night"))
