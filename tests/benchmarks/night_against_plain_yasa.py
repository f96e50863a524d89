"""One night with eegsleep against the script one would write with plain YASA, alternately, each in a fresh process.

    python tests/benchmarks/night_against_plain_yasa.py [NIGHT.edf] [--rounds 3]

Without a file a night of 8 h × 4 channels × 256 Hz is simulated. Prints wall and CPU seconds and peak memory of both
in the median, and their ratios. eegsleep does more in its time: quality, gain-free stages at three sizes of slow waves,
spectrogram, aperiodic slope, an audit of its detectors, markers and the report.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

PLAIN = """
import sys, warnings
warnings.simplefilter("ignore")
import mne, pandas as pd, yasa
mne.set_log_level("ERROR")
raw = mne.io.read_raw_edf(sys.argv[1], preload=True)
hypnogram = yasa.SleepStaging(raw, eeg_name="C4-M1", eog_name="E1-M2", emg_name="EMG chin").predict()
raw.pick(["C4-M1", "F3-M2"]).resample(100).filter(0.3, 35)
stages = hypnogram.upsample_to_data(raw)
spindles = yasa.spindles_detect(raw, hypno=stages, include=(2, 3))
waves = yasa.sw_detect(raw, hypno=stages, include=(2, 3), coupling=True)
power = yasa.bandpower(raw, hypno=stages, include=(0, 1, 2, 3, 4))
hypnogram.hypno.to_csv(sys.argv[2] + "/hypnogram.csv")
pd.Series(hypnogram.sleep_statistics()).to_csv(sys.argv[2] + "/statistics.csv")
power.to_csv(sys.argv[2] + "/power.csv")
for name, events in (("spindles", spindles), ("slow_oscillations", waves)):
    events.summary().to_csv(f"{sys.argv[2]}/{name}.csv")
    events.summary(grp_chan=True, grp_stage=True).to_csv(f"{sys.argv[2]}/{name}_by_stage.csv")
"""


class Cost(NamedTuple):
    """What one process took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(command: list[str]) -> Cost:
    """Run a command and return what it took; raise if it fails."""
    # what Python compiled is kept, as it is for a user
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("night", nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        night = asked.night or str(Path(folder) / "sim-0000.edf")
        if not asked.night:
            subprocess.run([sys.executable, "-m", "eegsleep", "simulate", folder], check=True, capture_output=True)
        commands = {
            "plain YASA": [sys.executable, "-c", PLAIN, night, folder],
            "eegsleep": [sys.executable, "-m", "eegsleep", "score", night, "--output", f"{folder}/nights"],
        }
        # alternately, so that a warm disk or a busy machine meets both
        costs = [{name: measure(command) for name, command in commands.items()} for _ in range(asked.rounds)]
    middle = {name: Cost(*map(statistics.median, zip(*(c[name] for c in costs), strict=True))) for name in commands}
    for name, cost in middle.items():
        print(f"{name:10s}  wall {cost.wall_s:5.1f} s  CPU {cost.cpu_s:5.1f} s  peak {cost.peak_mb:5.0f} MB")
    plain, ours = middle.values()
    ratios = [b / a for a, b in zip(plain, ours, strict=True)]
    print("ratio       wall {:.2f}  CPU {:.2f}  peak {:.2f}".format(*ratios))


if __name__ == "__main__":
    main()
