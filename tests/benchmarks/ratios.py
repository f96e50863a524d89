"""What one hour of night costs against plain YASA, held within a wide band: a step of CI, in under a minute.

    python tests/benchmarks/ratios.py

Only what hardly depends on how busy the machine is: CPU seconds and peak memory. An hour
shows start-up above all; `night_against_plain_yasa.py` measures whole nights. Exits with 1 if a limit is passed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from night_against_plain_yasa import PLAIN, measure

# A third above what was measured when they were set.
MOST_CPU = 0.36
MOST_PEAK = 0.55


def main() -> int:
    """Print both ratios and return 1 if one is too large."""
    with tempfile.TemporaryDirectory() as folder:
        python, night = [sys.executable], str(Path(folder) / "sim-0000.edf")
        simulate = [*python, "-m", "eegsleep", "simulate", folder, "--hours", "1"]
        subprocess.run(simulate, check=True, capture_output=True)
        plain = [*python, "-c", PLAIN, night, folder]
        ours = [*python, "-m", "eegsleep", "score", night, "--output", f"{folder}/nights"]
        rounds = [(measure(plain), measure(ours)) for _ in range(3)]
    # the lesser of each, because a busy machine only adds
    (cpu, peak) = (
        min(getattr(own, name) for _, own in rounds) / min(getattr(theirs, name) for theirs, _ in rounds)
        for name in ("cpu_s", "peak_mb")
    )
    print(f"one hour against plain YASA: CPU {cpu:.2f} (at most {MOST_CPU}), peak {peak:.2f} (at most {MOST_PEAK})")
    return int(cpu > MOST_CPU or peak > MOST_PEAK)


if __name__ == "__main__":
    sys.exit(main())
