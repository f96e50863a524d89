"""Broken files are read right, read with a word, or refused; a fault never becomes another number.

No test here measures time. The files whose cost could be quadratic are so large that such a reader would
not come to an end, and the files that declare gigabytes are read with little memory.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections import Counter

import pytest
from faults.broken_case import judge, passes
from faults.broken_files import CASES

MEMORY_BYTES = 3 * 1024**3
GREEDY = (
    "spr_giant",
    "spr_70_mb_record",
    "nrec_giant",
    "gap_30_days",
    "gap_100_years",
    "file_sparse_3_gb_no_count",
    "file_sparse_3_gb_count",
    "file_sparse_3_gb_trailing",
    "file_gz_bomb_no_count",
    "file_gz_bomb_trailing",
)


def _needs(case, path):
    """Skip a case this file system cannot hold."""
    if "sparse" in case.name and path.stat().st_blocks * 512 > 2**28:
        pytest.skip("the file system does not keep a hole as a hole")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_file_is_read_right_or_refused(case, tmp_path):
    path = case.write(tmp_path)
    _needs(case, path)
    outcome, told = judge(case, path)
    if "gz" in case.name:
        gc.collect()  # a temporary file that was left open is blamed on its own case
    assert passes(case, outcome), f"{case.name}: {outcome}, not {case.expect} ({case.why}): {told}"


def test_pipe_is_refused_not_waited_for(tmp_path):
    """A pipe has no size and may never send a byte: reading it would wait for ever."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "night.edf")
    script = (
        "import sys\nimport eegsleep as es\n"
        "try:\n    es.read_recording(sys.argv[1])\nexcept es.RecordingError:\n    print('refused')\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path / "night.edf")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.strip() == "refused", done.stderr


def test_every_case_has_a_name_of_its_own():
    """Of two cases of one name a failure could not be told apart."""
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []


def test_gaps_are_marked_bad(tmp_path):
    """What was not recorded is marked, so that no step takes it for quiet EEG."""
    import eegsleep as es

    case = next(case for case in CASES if case.name == "gap_20_s")
    annotations = es.read_recording(case.write(tmp_path)).raw.annotations
    gaps = [(a["onset"], a["duration"]) for a in annotations if a["description"].upper().startswith("BAD")]
    assert gaps == [(pytest.approx(30, abs=0.01), pytest.approx(20, abs=0.01))]


def test_giant_files_cost_no_memory(tmp_path):
    """Files that declare or seem to hold gigabytes are answered within 3 GB of address space."""
    pytest.importorskip("resource", reason="this system cannot limit a process's memory")
    named = {case.name: case for case in CASES}
    paths = []
    for case in (named[name] for name in GREEDY):
        folder = tmp_path / case.name
        folder.mkdir()
        paths.append(case.write(folder))
        _needs(case, paths[-1])
    script = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))\n"
        "import eegsleep as es\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        es.read_recording(path)\n"
        "        print('read')\n"
        "    except es.RecordingError:\n"
        "        print('refused')\n"
        "    except BaseException as error:\n"
        "        print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], capture_output=True, text=True, check=False, timeout=120
    )
    outcomes = dict(zip(GREEDY, done.stdout.split(), strict=False))
    assert len(outcomes) == len(GREEDY), done.stderr
    assert set(outcomes.values()) <= {"read", "refused"}, outcomes
