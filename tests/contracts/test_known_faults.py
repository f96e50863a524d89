"""Every fault of `tests/benchmarks/mutations.py` can still be put into the code."""

import pytest
from benchmarks.mutations import FAULTS, ROOT, place_fault

pytestmark = pytest.mark.skipif(not (ROOT / "eegsleep").is_dir(), reason="faults are put into the source")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_known_fault_has_one_place(fault):
    path, changed = place_fault(ROOT / "eegsleep", fault)
    sound, changed = path.read_text(encoding="utf-8").splitlines(), changed.splitlines()
    assert len(sound) == len(changed)
    assert sum(a != b for a, b in zip(sound, changed, strict=True)) == 1
    assert all((ROOT / "tests" / name).is_dir() for name in fault.tests)
