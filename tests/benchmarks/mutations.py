"""Put known faults into a copy of eegsleep, one at a time, and say which of them the tests do not notice.

    python tests/benchmarks/mutations.py              # all
    python tests/benchmarks/mutations.py --only half  # those whose name contains a word

Each fault is one changed line on which a reported number rests. These twelve once survived the whole suite. A line is
searched for by a pattern in a folder, so that moving or formatting it does not hide it; a pattern that is not found, or
found twice, is an error. Exit code: the number of faults that survive or cannot be placed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parents[2]


class Fault(NamedTuple):
    """One changed line.

    `place` is the folder or file it is searched in, `pattern` and `replacement` are what `re.subn` takes, and
    `tests` are the folders of the tests that should notice.
    """

    name: str
    place: str
    pattern: str
    replacement: str | Callable[[re.Match[str]], str]
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "calibrated slow-oscillation threshold halved",
        "events",
        r"so_amplitude_uv=\{([^}]*)float\((\w+\.relative_ptp) \* (\w+)\)",
        r"so_amplitude_uv={\1float(0.5 * \2 * \3)",
        ("events", "truth"),
    ),
    Fault(
        "gain reference by the median instead of the quartile",
        "events/gain_reference.py",
        r"quantile\((\w+), 0\.25\)",
        r"quantile(\1, 0.5)",
        ("events", "study/nuisances"),
    ),
    Fault(
        "gain reference without the correction for its window",
        "events/gain_reference.py",
        r"\s*/\s*0\.375|\s*/\s*\(3 / 8\)",
        "",
        ("events", "study/nuisances"),
    ),
    Fault(
        "coupling strength of the summary without the correction of its bias",
        "events/coupling.py",
        r"\(n \* abs\((\w+)\) \*\* 2 - .*\) / \(n - 1\)\)$",
        r"abs(\1) ** 2)",
        ("events", "markers"),
    ),
    Fault(
        "trough of a planted slow oscillation not shifted from its middle",
        "events/audit.py",
        r"0\.25 / planted_hz",
        r"0.0 / planted_hz",
        ("events",),
    ),
    Fault(
        "standard error of an average waveform without the root of n",
        "events/averages.py",
        r"(std\(axis=0, ddof=1\)) / np\.sqrt\([^)]*\)\)",
        r"\1",
        ("events", "report"),
    ),
    Fault(
        "half width of the interval of sleep statistics 1.2 instead of 2.1 SD",
        "staging/confidence.py",
        r"^_WIDTH = 2\.1",
        "_WIDTH = 1.2",
        ("staging",),
    ),
    Fault(
        "temperature of the stager 0.85 instead of 0.7",
        "staging/confidence.py",
        r"^TEMPERATURE = 0\.7\b",
        "TEMPERATURE = 0.85",
        ("staging",),
    ),
    Fault(
        "sign of the determinant in the likelihood of AR(1) turned",
        "statistics/effects.py",
        r"penalty = np\.log\(np\.diag\((\w+)\)\)\.sum\(\)",
        r"penalty = -np.log(np.diag(\1)).sum()",
        ("statistics", "reference", "study"),
    ),
    Fault(
        "window factor of the plausible spread 1/2 instead of 3/8",
        "recording",
        r"/ \(3 / 8\)",
        "/ (1 / 2)",
        ("recording", "faults"),
    ),
    Fault(
        "percentiles of the bootstrap of agreement not moved outward",
        "agreement",
        r"tail = stats\.norm\.cdf\([^\n]*\)$",
        "tail = (1 - CONFIDENCE) / 2",
        ("agreement",),
    ),
    Fault(
        "logarithm of a latency without the minute that is added",
        "study/arrangement.py",
        r"(shifted = values) \+ 1(\.0)?$|np\.log1p\(",
        lambda match: match[1] or "np.log(",
        ("study",),
    ),
)


def place_fault(package: Path, fault: Fault) -> tuple[Path, str]:
    """Return the file that a fault belongs in, and the file's text with it.

    Raises
    ------
    ValueError
        If there is not exactly one line it can be put into.
    """
    place = package / fault.place
    pattern = re.compile(fault.pattern, re.MULTILINE)
    found = []
    for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        changed, n_changed = pattern.subn(fault.replacement, text)
        found += [(path, changed)] * n_changed
    if len(found) != 1:
        raise ValueError(f"{len(found)} lines of eegsleep/{fault.place} match {fault.pattern}")
    return found[0]


def find_failures(copy: Path, folders: Iterable[str], *options: str) -> list[str]:
    """Return the tests of some folders of the copy that fail."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *(f"tests/{x}" for x in folders)],
        cwd=copy,
        # the copy is imported wherever eegsleep is installed
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"pytest did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return re.findall(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", done.stdout, re.MULTILINE)


def find_noticing(copy: Path, fault: Fault, broken: Iterable[str]) -> list[str]:
    """Put a fault into the copy, and return the first test that fails although it did not fail before."""
    path, changed = place_fault(copy / "eegsleep", fault)
    sound = path.read_text(encoding="utf-8")
    path.write_text(changed, encoding="utf-8")
    try:
        return find_failures(copy, fault.tests, "-x", *(f"--deselect={test}" for test in broken))
    finally:
        path.write_text(sound, encoding="utf-8")


def main() -> None:
    """Try every fault and print a line for each."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", default="", help="only faults whose name contains this")
    only = asked.parse_args().only
    left = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        skipped = shutil.ignore_patterns(".*", "__pycache__", "notebooks")
        shutil.copytree(ROOT, copy, ignore=skipped)
        faults = [fault for fault in FAULTS if only in fault.name]
        broken = find_failures(copy, sorted({name for fault in faults for name in fault.tests}))
        for test in broken:
            print(f"fails without any fault, and is left out: {test}")
        for fault in faults:
            try:
                noticing = find_noticing(copy, fault, broken)
                outcome = f"noticed by {noticing[0]}" if noticing else "SURVIVES"
            except ValueError as error:
                noticing, outcome = [], f"NOT PLACED: {error}"
            left += not noticing
            print(f"{fault.name}: {outcome}", flush=True)
    sys.exit(left)


if __name__ == "__main__":
    main()
