"""A file cut anywhere in its header is refused with a typed error; cut in its data it is read as far as it goes."""

from __future__ import annotations

import numpy as np
import pytest
from faults.edf_bytes import STEP_UV, base, base_truth, edited, plus

import eegsleep as es

HEADER = 768
RECORD = 1024


@pytest.mark.parametrize("make", [base, plus, lambda: edited(n_records=b"-1")], ids=["EDF", "EDF+", "no count"])
def test_file_cut_in_its_header_is_refused(make, tmp_path):
    """At no byte does a cut header give numbers, or an error of another type."""
    content, path, wrong = make(), tmp_path / "cut.edf", []
    for size in range(int(content[184:192]) + 1):
        path.write_bytes(content[:size])
        try:
            es.read_recording(path)
            wrong.append((size, "was read"))
        except es.RecordingError as error:
            if not (error.remedy or error.found):
                wrong.append((size, "neither what was found nor what to do is said"))
        except Exception as error:  # noqa: BLE001 - the untyped exception is what is looked for
            wrong.append((size, repr(error)))
    assert wrong == []


def test_file_cut_in_its_data_gives_whole_records_only(tmp_path):
    """Wherever the data are cut, what is read is the truth up to the last whole record, and the user hears of it."""
    path, wrong = tmp_path / "cut.edf", []
    for size in (*range(HEADER + 1, HEADER + 3 * RECORD, 211), HEADER + 30 * RECORD, len(base()) - 1):
        path.write_bytes(base()[:size])
        seconds = (size - HEADER) // RECORD
        try:
            recording = es.read_recording(path)
        except es.RecordingError:
            if seconds > 2:
                wrong.append((size, "refused"))
            continue
        found = recording.raw.get_data(picks=["C4-M1"])[0] * 1e6
        expected = base_truth()["C4-M1"][: seconds * 256]
        if found.size != expected.size or not np.allclose(found, expected, rtol=0, atol=STEP_UV):
            wrong.append((size, f"{found.size} samples for {expected.size}"))
        elif not recording.notes:
            wrong.append((size, "nothing was said"))
    assert wrong == []
