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
# antropy in small: a function compiled as it is imported. The real one has six, which take numba 5 s each time.
_SMALL_ANTROPY = """
from numba import jit

@jit("float64(float64)", nopython=True)
def _higuchi_fd(x):
    return 2 * x
"""


@pytest.fixture(params=["small", pytest.param("real", marks=pytest.mark.nightly)])
def compile_antropy(request, tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    if request.param == "small":
        package = tmp_path / "small" / "antropy"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("from antropy import fractal\n")
        (package / "fractal.py").write_text(_SMALL_ANTROPY)
        environment["PYTHONPATH"] = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])

    def run(before=""):
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
