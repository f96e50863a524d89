"""Work on a night that takes no time, and goes wrong as the name of the night says. Imported by workers."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from eegsleep.errors import RecordingError
from eegsleep.night.request import hash_dependencies
from eegsleep.provenance import encode_json, hash_bytes, hash_files, package_versions, write_file
from eegsleep.workflows.score import describe_request

_SECONDS = 0.0


def pretend(job, settings, output):
    """Write a night folder of one file; what the name of the night begins with goes wrong first."""
    go_wrong = _WRONGS.get(job.night.split("-")[0])
    if go_wrong:
        go_wrong(job, output)
    folder = output / job.night
    folder.mkdir(exist_ok=True)
    content = f"night {job.night}\n".encode()
    write_file(folder / "markers.csv", content)
    request = describe_request(job, hash_files([job.file]), settings, package_versions())
    made = {
        "eegsleep": "0",
        "id": job.night,
        "input": {"sha256": hash_files([job.file]), "duration_s": 0.0},
        "start": None,
        "device": "",
        **{
            key: {}
            for key in ("roles", "units", "staged_channels", "settings", "calibration", "versions", "other_stager")
        },
        "inverted": [],
        "lights": {"off_s": 0.0, "on_s": 0.0, "source": ""},
        "hypnogram_sha256": "",
        "request": request,
        "quality": {"verdict": "good", "reasons": []},
        "warnings": [],
        "outputs": {"markers.csv": hash_bytes(content)},
    }
    made["fingerprint"] = hash_dependencies(made)
    write_file(folder / "provenance.json", encode_json(made))


def _break(job, _):
    raise RecordingError(f"{job.file.name} cannot be read", found="nothing", remedy="record it again")


def _stumble(*_):
    return {}["no such key"]


def _crash(*_):
    ctypes.string_at(0)


def _hang(*_):
    # held in native code, with the interpreter: no Python thread can say anything any more
    ctypes.PyDLL(None).sleep(600)


def _eat(*_):
    eaten = []
    while True:
        eaten.append(b"x" * 20_000_000)
        time.sleep(0.02)


def _die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(*_):
    os.kill(os.getpid(), signal.SIGSTOP)


def _die_once(job, output):
    mark = output / f"{job.night}.died"
    if not mark.exists():
        mark.write_text("")
        (output / f".{job.night}.partial").mkdir()
        _die()


def _fill(*_):
    with Path("/dev/full").open("wb") as file:
        file.write(b"no room")


def _idle(*_):
    time.sleep(0.2)


_WRONGS = {
    "broken": _break,
    "bug": _stumble,
    "crash": _crash,
    "hang": _hang,
    "eater": _eat,
    "killed": _die,
    "once": _die_once,
    "stopped": _stop,
    "full": _fill,
    "slow": _idle,
}


def main():
    """Run a batch as a command does, so that it can be killed; arguments are recordings, output and workers."""
    from eegsleep.batch.resources import Resources
    from eegsleep.batch.run import run_batch
    from eegsleep.workflows.score import Job

    recordings, output, workers = sys.argv[1:]
    jobs = [Job(file, night=file.stem) for file in sorted(Path(recordings).glob("*.edf"))]
    run_batch(jobs, output, resources=Resources(workers=int(workers)), work=stand_in.pretend)


if __name__ == "__main__":
    import stand_in

    main()
