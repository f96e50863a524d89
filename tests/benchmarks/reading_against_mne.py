"""Read two of four channels of an 8 h night, and two of sixty-four, beside mne's own reader, in one run.

Run by hand: `python tests/benchmarks/reading_against_mne.py`. Each reading runs in a fresh process, so
that its peak memory is its own; times are without imports, files in the page cache.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

OURS = """
import eegsleep as es, mne, numpy
import eegsleep.recording.plausibility
def read(path):
    return es.read_recording(path, eeg=LABELS).raw
"""
MNE = """
import mne, numpy
def read(path):
    return mne.io.read_raw_edf(path, include=LABELS, preload=True, verbose="ERROR")
"""
MEASURE = """
import json, resource, time
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = []
for _ in range(3):
    start = time.perf_counter()
    raw = read(PATH)
    seconds.append(time.perf_counter() - start)
    size = raw.get_data().nbytes
    del raw
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([sorted(seconds)[1], peak / 1024, size / 2**20]))
"""


def write_edf(path: Path, n_signals: int, rate_hz: int, hours: float) -> list[str]:
    """Write records of one second of noise, one minute of it over and over: only its size matters here."""
    labels = ["C4-M1", "F3-M2", *(f"X{i}" for i in range(n_signals - 2))]
    fields = [
        [f"{label:<16}" for label in labels],
        [" " * 80] * n_signals,
        ["uV      "] * n_signals,
        ["-3276.8 "] * n_signals,
        ["3276.7  "] * n_signals,
        ["-32768  "] * n_signals,
        ["32767   "] * n_signals,
        [" " * 80] * n_signals,
        [f"{rate_hz:<8}"] * n_signals,
        [" " * 32] * n_signals,
    ]
    n_records = int(hours * 3600)
    main = (
        f"{0:<8}{'X':<80}{'X':<80}01.01.2423.00.00{256 * (n_signals + 1):<8}{'':<44}{n_records:<8}{1:<8}{n_signals:<4}"
    )
    minute = np.random.default_rng(0).normal(0, 300, 60 * n_signals * rate_hz).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write((main + "".join("".join(column) for column in fields)).encode())
        for _ in range(n_records // 60):
            file.write(minute)
    return labels[:2]


def measure(code: str, path: Path, labels: list[str]) -> tuple[float, float, float]:
    script = f"LABELS = {labels!r}\nPATH = {str(path)!r}\n" + code + MEASURE
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    for n_signals, rate_hz in ((4, 256), (64, 512)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "night.edf"
            labels = write_edf(path, n_signals, rate_hz, 8)
            ours, mnes = measure(OURS, path, labels), measure(MNE, path, labels)
            size_mb = path.stat().st_size / 2**20
            print(f"2 of {n_signals} channels at {rate_hz} Hz, {size_mb:.0f} MB, {ours[2]:.0f} MB as float64:")
            print(f"  eegsleep {ours[0]:.2f} s and {ours[1]:.0f} MB, mne {mnes[0]:.2f} s and {mnes[1]:.0f} MB")
            print(f"  ratio {ours[0] / mnes[0]:.2f}")
