"""What `inspect` says of a file is what happens when it is read."""

from __future__ import annotations

import json
import logging

import pytest
from faults.broken_files import CASES

import eegsleep as es
from eegsleep.cli.main import main


@pytest.fixture(scope="module")
def broken_files(tmp_path_factory):
    """Return every broken file of moderate size, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("broken")
    cases = [case for case in CASES if "sparse" not in case.name and "bomb" not in case.name]
    for case in cases:
        (folder / case.name).mkdir()
    return [case.write(folder / case.name) for case in cases]


@pytest.mark.nightly
def test_inspect_calls_readable_what_is_read(broken_files, capsys, caplog):
    """A file is called readable if and only if `read_recording` reads it, and a refusal names the fault."""
    caplog.set_level(logging.CRITICAL, logger="eegsleep")
    with pytest.raises(SystemExit) as left:
        main(["inspect", "--json", *map(str, broken_files)])
    assert left.value.code == 1, "some of these files cannot be read"
    files = json.loads(capsys.readouterr().out)
    assert len(files) == len(broken_files)
    wrong = []
    for path, said in zip(broken_files, files, strict=True):
        try:
            es.read_recording(path)
            problem = ""
        except es.RecordingError as error:
            problem = str(error)
        if said["readable"] == bool(problem):
            wrong.append(f"{path.parent.name}: readable {said['readable']}, but: {problem or 'it is read'}")
        elif problem and not said["faults"]:
            wrong.append(f"{path.parent.name}: refused without a fault: {problem}")
    assert not wrong, "\n".join(wrong)
