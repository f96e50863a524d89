"""Memory that was freed stays with the process, and another C library is left alone."""

import subprocess
import sys

import pytest

from eegsleep.freed_memory import ask_glibc

AGAIN = """
import resource, sys
import numpy as np
from eegsleep.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def count_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use():
    return [np.ones(2_500_000) for _ in range(2)]  # of 20 MB each
use()
before = count_faults()
for _ in range(20):
    use()
print(count_faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own rule, which adapts after the first array")
def test_the_next_arrays_take_the_place_of_the_last():
    own, kept = (
        int(subprocess.run([sys.executable, "-c", AGAIN, how], capture_output=True, text=True, check=True).stdout)
        for how in ("leave", "keep")
    )
    assert kept < 1000 < own


def test_a_function_that_the_library_lacks_is_not_asked():
    assert ask_glibc("no_such_function", 1) is None
