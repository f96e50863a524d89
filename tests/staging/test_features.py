"""What is asked of YASA, and how."""

import os
import subprocess
import sys

import pytest

_CODE = """
import numba
jit = numba.jit
from eegsleep.staging.features import import_antropy
import_antropy()
import antropy.fractal
assert numba.jit is jit, "numba is left as it was found"
stats = getattr(antropy.fractal._higuchi_fd, "stats", None)
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


@pytest.fixture
def compile_antropy(tmp_path):
    def run(before=""):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", before + _CODE], capture_output=True, text=True, env=environment, check=True
        )
        return tuple(map(int, done.stdout.split()))

    return run


def test_antropy_is_compiled_once_and_anew_only_where_nothing_can_be_kept(compile_antropy):
    assert compile_antropy() == (0, 1)
    assert compile_antropy() == (1, 0)
    nowhere = "import numba.core.caching as caching\nfor kind in vars(caching).values():\n"
    nowhere += "    if hasattr(kind, '_locator_classes'):\n        kind._locator_classes = []\n"
    assert compile_antropy(nowhere) == (0, 1)
