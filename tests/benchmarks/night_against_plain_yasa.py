"""One night with eegsleep against the script one would write with plain YASA, both in fresh processes.

    python tests/benchmarks/night_against_plain_yasa.py [NIGHT.edf]

Without a file a night of 8 h × 4 channels × 256 Hz is simulated. Prints both times and their ratio.
eegsleep does more in its time: quality, spectrogram, aperiodic slope, markers and the report.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAIN = """
import sys, warnings
warnings.simplefilter("ignore")
import mne, yasa
mne.set_log_level("ERROR")
raw = mne.io.read_raw_edf(sys.argv[1], preload=True)
hypnogram = yasa.SleepStaging(raw, eeg_name="C4-M1", eog_name="E1-M2", emg_name="EMG chin").predict()
raw.pick(["C4-M1", "F3-M2"]).resample(100).filter(0.3, 35)
stages = hypnogram.upsample_to_data(raw)
spindles = yasa.spindles_detect(raw, hypno=stages, include=(2, 3))
waves = yasa.sw_detect(raw, hypno=stages, include=(2, 3), coupling=True)
power = yasa.bandpower(raw, hypno=stages, include=(0, 1, 2, 3, 4))
power.to_csv(sys.argv[2] + "/power.csv")
for name, events in (("spindles", spindles), ("slow_oscillations", waves)):
    events.summary().to_csv(f"{sys.argv[2]}/{name}.csv")
"""


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        night = sys.argv[1] if len(sys.argv) > 1 else str(Path(folder) / "sim-0000.edf")
        if len(sys.argv) == 1:
            subprocess.run([sys.executable, "-m", "eegsleep", "simulate", folder], check=True, capture_output=True)
        # alternately, so that a warm disk or a busy machine meets both
        plain, ours = [], []
        for _ in range(3):
            plain.append(seconds([sys.executable, "-c", PLAIN, night, folder]))
            ours.append(seconds([sys.executable, "-m", "eegsleep", "score", night, "--output", folder]))
    a, b = sorted(plain)[1], sorted(ours)[1]
    print(f"plain YASA {a:.1f} s, eegsleep {b:.1f} s, ratio {b / a:.2f}")


if __name__ == "__main__":
    main()
