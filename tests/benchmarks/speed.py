"""How fast eegsleep is: against a script with plain YASA, by stage, and as nights grow; writes docs/speed.md.

    python tests/benchmarks/speed.py                # every part, about 15 minutes of two cores
    python tests/benchmarks/speed.py cold stages    # these parts; the others stay as they were measured

Figures are kept in speed.json beside this file, with the machine. Wall seconds depend on what else the machine does,
CPU seconds less, and ratios least: what is compared runs alternately, and medians are taken.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from night_against_plain_yasa import PLAIN, Cost, measure

STORED = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).parents[2] / "docs" / "speed.md"
PYTHON = sys.executable
# One process scores the same night again and again and prints CPU and wall seconds of each time, and of its steps.
AGAIN = """
import json, resource, sys, time
from pathlib import Path
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
from eegsleep.workflows.score import Job, score_file
runs = []
for _ in range(int(sys.argv[3])):
    marks, wall = [], time.perf_counter()
    score_file(Job(Path(sys.argv[1])), output=Path(sys.argv[2]), progress=lambda step: marks.append((step, cpu())))
    marks.append(("end", cpu()))
    steps = {name: later - begun for (name, begun), (_, later) in zip(marks, marks[1:])}
    runs.append({"wall_s": time.perf_counter() - wall, "cpu_s": marks[-1][1] - marks[0][1], "steps": steps})
print(json.dumps(runs))
"""
PLAIN_AGAIN = f"""
import json, resource, sys, time
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
code, runs = compile({PLAIN!r}, "plain", "exec"), []
for _ in range(int(sys.argv[3])):
    before, wall = cpu(), time.perf_counter()
    exec(code, {{}})
    runs.append({{"wall_s": time.perf_counter() - wall, "cpu_s": cpu() - before}})
print(json.dumps(runs))
"""
# What no program can leave out: decode the samples, bring four channels to 100 Hz, filter each once, measure YASA's
# features once, and ask its classifier once for each of two derivations.
FLOOR = """
import json, resource, sys
import numpy as np, soxr
from eegsleep.signals.fir import convolve, design_low_pass
from eegsleep.staging.classifier import load_classifier
from eegsleep.staging.yasa_features import measure_yasa_features
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
marks = [("start", cpu())]
digits = np.fromfile(sys.argv[1], "<i2")[256 * 5 // 2 :]
n = digits.size // 4
signals = [digits[i * n : (i + 1) * n].astype(float) for i in range(4)]
marks.append(("decode the file", cpu()))
signals = [soxr.resample(signal, 256, 100, "VHQ") for signal in signals]
marks.append(("resample four channels", cpu()))
taps = design_low_pass(30, 825, 100)
for signal in signals:
    convolve(signal, taps)
marks.append(("one filter of each", cpu()))
for signal in signals:
    measure_yasa_features(signal, "eeg")
marks.append(("features of each", cpu()))
classifier = load_classifier("eeg+eog+emg")
for _ in range(2):
    classifier.predict(np.random.default_rng(0).normal(size=(n // 7680, len(classifier.features))))
marks.append(("two predictions", cpu()))
print(json.dumps({name: later - begun for (_, begun), (name, later) in zip(marks, marks[1:])}))
"""


def simulate(folder: Path, name: str, *options: str) -> Path:
    """Simulate nights into a folder and return the first file."""
    target = folder / name
    subprocess.run([PYTHON, "-m", "eegsleep", "simulate", target, *options], check=True, capture_output=True)
    return min(target.glob("*.edf"))


def score_command(night: Path, folder: Path) -> list[str]:
    return [PYTHON, "-m", "eegsleep", "score", str(night), "--output", str(folder / "nights")]


def plain_command(night: Path, folder: Path) -> list[str]:
    return [PYTHON, "-c", PLAIN, str(night), str(folder)]


def middle(costs: list[Cost]) -> dict[str, float]:
    return {name: round(statistics.median(getattr(cost, name) for cost in costs), 2) for name in Cost._fields}


def compare_cold(folder: Path, rounds: int) -> dict:
    """One night, each time in a new process, alternately."""
    night = simulate(folder, "cold")
    measure(score_command(night, folder))  # compiles what Python has not compiled yet
    costs = [(measure(plain_command(night, folder)), measure(score_command(night, folder))) for _ in range(rounds)]
    theirs, ours = zip(*costs, strict=True)
    return {"plain": middle(list(theirs)), "eegsleep": middle(list(ours)), "rounds": rounds}


def run_json(script: str, *arguments: object) -> list | dict:
    command = [PYTHON, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare_warm(folder: Path, rounds: int) -> dict:
    """Score the same night again in one process: what the second night and every later one takes."""
    night = simulate(folder, "warm")
    (folder / "nights").mkdir()
    found = {}
    for name, script in (("plain", PLAIN_AGAIN), ("eegsleep", AGAIN)):
        runs = run_json(script, night, folder / "nights", rounds + 1)[1:]
        found[name] = {key: round(statistics.median(run[key] for run in runs), 2) for key in ("wall_s", "cpu_s")}
        if "steps" in runs[0]:
            steps = {step: statistics.median(run["steps"][step] for run in runs) for step in runs[0]["steps"]}
            found["steps"] = {step: round(cpu_s, 2) for step, cpu_s in steps.items()}
    return {**found, "rounds": rounds}


def measure_floor(folder: Path, rounds: int) -> dict:
    """Measure what reading, resampling, one filter and the features take by themselves."""
    night = simulate(folder, "floor")
    runs = [run_json(FLOOR, night) for _ in range(rounds)]
    parts = {part: round(statistics.median(run[part] for run in runs), 2) for part in runs[0]}
    return {"parts": parts, "cpu_s": round(sum(parts.values()), 2)}


def add_unused(night: Path, path: Path, n_more: int) -> None:
    """Write a copy of a recording with more channels, which no preset uses."""
    import edfio

    edf = edfio.read_edf(night)
    more = [
        edfio.EdfSignal(
            edf.signals[0].data,
            edf.signals[0].sampling_frequency,
            label=f"X{i}",
            physical_dimension="uV",
            physical_range=edf.signals[0].physical_range,
        )
        for i in range(n_more)
    ]
    edfio.Edf([*edf.signals, *more], recording=edf.recording, starttime=edf.starttime).write(path)


def measure_growth(folder: Path, rounds: int) -> dict:
    """CPU seconds and memory of nights of other lengths, rates and numbers of channels, alternately."""
    nights = {f"{hours} h": simulate(folder, f"h{hours}", "--hours", str(hours)) for hours in (2, 4, 8)}
    nights["8 h at 512 Hz"] = simulate(folder, "fast", "--rate-hz", "512")
    nights["8 h, one EEG"] = simulate(folder, "one", "--eeg", "C4-M1")
    nights["8 h and four unused channels"] = folder / "unused.edf"
    add_unused(nights["8 h"], nights["8 h and four unused channels"], 4)
    # each into a folder of its own, because nights of one name are not written over each other
    commands = {name: score_command(night, folder / f"of {name}") for name, night in nights.items()}
    costs = [{name: measure(command) for name, command in commands.items()} for _ in range(rounds)]
    return {name: middle([cost[name] for cost in costs]) for name in nights} | {"rounds": rounds}


def measure_batch(folder: Path, rounds: int) -> dict:
    """Sixteen nights of 2 h: a batch on one worker and on two, and a loop over the plain script."""
    n_nights = 16
    first = simulate(folder, "many", "--nights", str(n_nights), "--hours", "2")
    nights = sorted(first.parent.glob("*.edf"))
    found: dict[str, list[Cost]] = {}
    for turn in range(rounds):
        for n_workers in (1, 2):
            command = [PYTHON, "-m", "eegsleep", "batch", str(first.parent), "--workers", str(n_workers)]
            cost = measure([*command, "--output", str(folder / f"batch-{turn}-{n_workers}")])
            found.setdefault(f"{n_workers} workers", []).append(cost)
    start, costs = time.perf_counter(), [measure(plain_command(night, folder)) for night in nights]
    peak_mb = max(cost.peak_mb for cost in costs)
    loop = Cost(time.perf_counter() - start, sum(cost.cpu_s for cost in costs), peak_mb)
    return (
        {"loop over plain": middle([loop])} | {name: middle(own) for name, own in found.items()} | {"nights": n_nights}
    )


PARTS = {
    "cold": compare_cold,
    "warm": compare_warm,
    "floor": measure_floor,
    "growth": measure_growth,
    "batch": measure_batch,
}


def describe_machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = ("numpy", "scipy", "pandas", "yasa", "lightgbm", "mne")
    return {
        "processor": f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {memory:.0f} GB",
        "software": ", ".join(
            ["Python " + platform.python_version(), *(f"{name} {version(name)}" for name in packages)]
        ),
        "date": datetime.now(UTC).date().isoformat(),
    }


def ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}"


def write_page(kept: dict) -> str:
    """Return docs/speed.md of what was measured."""
    lines = [
        "# How fast it is",
        "",
        "Written by `python tests/benchmarks/speed.py`. The night is a simulated one of 8 h with two EEG, an EOG and",
        "an EMG at 256 Hz. The plain script is what one would write with YASA alone: it reads the file with mne,",
        "stages it with one derivation, finds spindles and slow oscillations on two, and writes seven tables. eegsleep",
        "stages with both derivations, at three sizes of slow waves, and also measures quality, coupling, spectra and",
        "its own detectors, and writes a report. Medians; ratios are eegsleep over plain.",
        "",
    ]
    for name, write in (
        ("cold", _write_cold),
        ("warm", _write_warm),
        ("batch", _write_batch),
        ("growth", _write_growth),
        ("floor", _write_floor),
    ):
        part = kept.get(name)
        lines += [*write(kept), ""] if part else [f"Not measured yet: {name}.", ""]
        if part:
            lines += [f"{part['machine']['processor']}; {part['machine']['software']}; {part['machine']['date']}.", ""]
            if part["load"] > 2.5:  # its own commands make one or two
                lines += [
                    f"The machine had other work meanwhile (load {part['load']:g}), so wall seconds are long.",
                    "",
                ]
    return "\n".join(lines).rstrip() + "\n"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _costs(name: str, cost: dict) -> list[str]:
    return [name, f"{cost['wall_s']:.1f}", f"{cost['cpu_s']:.1f}", f"{cost['peak_mb']:.0f}"]


def _write_cold(kept: dict) -> list[str]:
    part = kept["cold"]
    ours, theirs = part["eegsleep"], part["plain"]
    keys = ("wall_s", "cpu_s", "peak_mb")
    rows = [
        _costs("plain YASA", theirs),
        _costs("eegsleep", ours),
        ["ratio", *(ratio(ours[k], theirs[k]) for k in keys)],
    ]
    head = [f"one night, a new process ({part['rounds']} rounds)", "wall, s", "CPU, s", "peak, MB"]
    return ["## One night", "", *_table(head, rows)]


def _write_warm(kept: dict) -> list[str]:
    part = kept["warm"]
    ours, theirs = part["eegsleep"], part["plain"]
    rows = [
        [name, f"{cost['wall_s']:.1f}", f"{cost['cpu_s']:.1f}"]
        for name, cost in (("plain YASA", theirs), ("eegsleep", ours))
    ]
    rows.append(["ratio", *(ratio(ours[key], theirs[key]) for key in ("wall_s", "cpu_s"))])
    head = [f"a later night in the same process ({part['rounds']} rounds)", "wall, s", "CPU, s"]
    total = sum(part["steps"].values())
    shares = [[step, f"{cpu_s:.2f}", f"{100 * cpu_s / total:.0f} %"] for step, cpu_s in part["steps"].items()]
    return [*_table(head, rows), "", "Where its CPU seconds go:", "", *_table(["step", "CPU, s", "share"], shares)]


def _write_batch(kept: dict) -> list[str]:
    part = kept["batch"]
    loop, one, two = (part[name] for name in ("loop over plain", "1 workers", "2 workers"))
    n = part["nights"]
    rows = [
        [*_costs(name, cost), f"{3600 * n / cost['wall_s']:.0f}"]
        for name, cost in (("loop over plain YASA", loop), ("batch, one worker", one), ("batch, two workers", two))
    ]
    return [
        "## Many nights",
        "",
        *_table([f"{n} nights of 2 h", "wall, s", "CPU, s", "peak of a process, MB", "nights an hour"], rows),
        "",
        f"Two workers do {one['wall_s'] / two['wall_s']:.2f} times the nights of one, and "
        f"{loop['wall_s'] / two['wall_s']:.1f} times those of the loop; a night takes "
        f"{ratio(two['cpu_s'], loop['cpu_s'])} of the loop's CPU seconds.",
    ]


def _write_growth(kept: dict) -> list[str]:
    part = {name: cost for name, cost in kept["growth"].items() if isinstance(cost, dict) and "cpu_s" in cost}
    usual = part["8 h"]["cpu_s"]
    rows = [[*_costs(name, cost), f"{cost['cpu_s'] / usual:.2f}"] for name, cost in part.items()]
    return [
        "## As nights grow",
        "",
        *_table(["a new process", "wall, s", "CPU, s", "peak, MB", "of the CPU of 8 h"], rows),
    ]


def _write_floor(kept: dict) -> list[str]:
    part, now = kept["floor"], kept.get("warm")
    rows = [[name, f"{cpu_s:.2f}"] for name, cpu_s in part["parts"].items()]
    rows.append(["together", f"{part['cpu_s']:.2f}"])
    said = "What a night of these channels takes at least, by the same libraries:"
    lines = ["## How far it is from the floor", "", said, "", *_table(["", "CPU, s"], rows), ""]
    if now:
        times = now["eegsleep"]["cpu_s"] / part["cpu_s"]
        lines += [
            f"A later night takes {times:.1f} times that. The rest is what the plain script does not do: stages at",
            "three sizes of slow waves from both derivations, spectra by 28 tapers, the aperiodic part, the audit of",
            "the detectors, coupling beyond chance, the tables and the page with its signal.",
        ]
    return lines


def main() -> None:
    """Measure the parts that were asked for, keep them, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    kept = json.loads(STORED.read_text(encoding="utf-8")) if STORED.is_file() else {}
    for name in asked.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[name](Path(folder), asked.rounds)
        kept[name] = found | {"machine": describe_machine(), "load": round(os.getloadavg()[1], 1)}
        print(name, json.dumps(found, indent=1), flush=True)
        kept = {part: kept[part] for part in PARTS if part in kept}
        STORED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(write_page(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
