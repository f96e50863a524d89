"""Every file that a command reads, damaged at random in every way that files are damaged.

A damaged file is refused by an error of ours, or it is read: it never ends in another exception, never takes long,
and never asks for much memory. Where a hash or a checksum covers a file, damage is also never read as something else.
The kinds of damage and the files are listed in docs/faults.md. `pytest -m large tests/faults` draws more of each.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
import traceback
import warnings
from typing import NamedTuple

import pytest

import eegsleep as es
from eegsleep.errors import EegSleepError

_SLOW_S = 5.0
_MANY = 4000  # a night's worth; each run of the tests draws _FEW
_FEW = 120


def flip_bit(content, draw):
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :]


def cut_off(content, draw):
    return content[: draw.randrange(len(content))]


def lose_block(content, draw):
    at = draw.randrange(len(content))
    return content[:at] + content[at + draw.choice((1, 2, 16, 512)) :]


def double_block(content, draw):
    at, n = draw.randrange(len(content)), draw.choice((1, 2, 16, 512))
    return content[: at + n] + content[at : at + n] + content[at + n :]


def write_zeros(content, draw):
    at, n = draw.randrange(len(content)), draw.choice((1, 4, 512))
    return content[:at] + b"\0" * min(n, len(content) - at) + content[at + n :]


def insert_noise(content, draw):
    at = draw.randrange(len(content))
    return content[:at] + draw.randbytes(draw.choice((1, 3, 64))) + content[at:]


def lose_line(content, draw):
    lines = content.splitlines(keepends=True)
    del lines[draw.randrange(len(lines))]
    return b"".join(lines)


def double_line(content, draw):
    lines = content.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


def swap_lines(content, draw):
    lines = content.splitlines(keepends=True)
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


_EXTREMES = (
    b"nan",
    b"NaN",
    b"inf",
    b"-Infinity",
    b"-1",
    b"0",
    b"1e308",
    b"1e999",
    b"9" * 25,
    b"0x10",
    b"",
    b"null",
    b"[]",
    b"{}",
    b"true",
    b'"text"',
    b"\xff\xfe",
    b"../x",
    b"\x1b[2J",
    "\u202ex".encode(),
    b"'",
    b"9999-12-31T23:59:59",
    b"0000-00-00",
    b"25:61",
)


def change_value(content, draw):
    """Put an extreme value in the place of a number or a word."""
    starts = [i for i in range(1, len(content)) if _is_edge(content, i)] or [0]
    at = draw.choice(starts)
    end = next((i for i in range(at + 1, len(content)) if content[i] in b' ,;:\t\r\n"]})<='), len(content))
    return content[:at] + draw.choice(_EXTREMES) + content[end:]


def _is_edge(content, i):
    return content[i - 1] in b' ,;:\t\r\n"[{(>=' and content[i] not in b' ,;:\t\r\n"]})<='


def nest_deeply(content, draw):
    mark = draw.choice((b"[", b"{", b'{"a":', b"<a>", b"[["))
    return draw.choice((b"", content)) + mark * draw.choice((200, 20_000))


def become_empty(content, draw):
    return draw.choice((b"", b"\n", b"\0", b"\xef\xbb\xbf", b" " * 600, content[:1]))


KINDS = (
    flip_bit,
    cut_off,
    lose_block,
    double_block,
    write_zeros,
    insert_noise,
    lose_line,
    double_line,
    swap_lines,
    change_value,
    change_value,
    change_value,
    nest_deeply,
    become_empty,
)

STAGES = ["W"] * 4 + ["N1", "N2", "N2", "N3", "N3", "N2", "R", "R", "W"] * 4


def hypnogram_files(folder):
    """Write one small hypnogram of each kind."""
    import numpy as np

    from eegsleep.hypnograms.table import make_stages
    from eegsleep.tables import HYPNOGRAM, encode_table

    onsets = [30 * i for i in range(len(STAGES))]
    table = make_stages(np.array(STAGES), None, np.ones(len(STAGES), bool))
    numbers = [{"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 5}[stage] for stage in STAGES]
    xml = "".join(f"<SleepStage>{n}</SleepStage>" for n in numbers)
    texts = {
        "ours.csv": encode_table(table, HYPNOGRAM).decode(),
        "times.csv": "onset,duration,stage\n" + "".join(f"{t},30,{s}\n" for t, s in zip(onsets, STAGES, strict=True)),
        "line.txt": "\n".join(STAGES) + "\n",
        "yasa.json": json.dumps({"values": STAGES, "n_stages": 5, "freq": "30s", "start": None, "scorer": None}),
        "profusion.xml": "<CMPStudyConfig><EpochLength>30</EpochLength>"
        f"<SleepStages>{xml}</SleepStages></CMPStudyConfig>",
        "domino.txt": "Signal ID: SchlafProfil\\profil\nStart Time: 08.03.2016 22:14:00\nUnit: \n"
        "Signal Type: Discret\n"
        "Events list: N3,N2,N1,Rem,Wake\nRate: 30 s\n\n"
        + "".join(f"22:{14 + i // 2}:{30 * (i % 2):02d},000; {s}\n" for i, s in enumerate(STAGES)),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(texts)


def read_stages(path):
    scoring = es.read_hypnogram(path)
    return scoring.stages, scoring.onsets_s.tolist(), scoring.durations_s.tolist()


def write_calibration(folder):
    from eegsleep.events.calibration import Calibration, save_calibration

    made = Calibration(
        sigma_amplitude_uv={"C4-M1": 13.5, "C3-M2": 12.25},
        slow_spindle_hz=11.5,
        fast_spindle_hz=13.75,
        so_amplitude_uv={"C4-M1": 70.5},
        n_nights=8,
    )
    save_calibration(made, folder / "c.json")
    return folder / "c.json"


def write_settings(folder):
    from eegsleep.config import list_settings

    (folder / "s.toml").write_text("\n".join(list_settings()), encoding="utf-8")
    return folder / "s.toml"


def write_key(folder, passphrase=""):
    from eegsleep.study.masking.sealed_key import seal_key

    seal_key(("A", "B"), folder / "key.json", active="A", passphrase=passphrase)
    return folder / "key.json"


def write_jobs(folder):
    from eegsleep.batch.jobs_file import make_row, write_rows
    from eegsleep.workflows.score import Job

    jobs = [Job(folder / f"{name}.edf", night=name) for name in "abcdef"]
    write_rows(folder, {job.night: make_row(job, folder, status="done", seconds=3.5, memory_mb=700.0) for job in jobs})
    return folder / "jobs.csv"


def write_edits(folder):
    import pandas as pd

    from eegsleep.tables import EVENTS_EDITED, encode_table

    row = {
        "input_sha256": "ab" * 32,
        "kind": "fast spindle",
        "channel": "C4-M1",
        "onset_s": 100.0,
        "duration_s": 1.0,
        "peak_s": 100.5,
        "verdict": "rejected",
    }
    rows = [{**{c.name: row.get(c.name, "") for c in EVENTS_EDITED.columns}, "onset_s": 100.0 + i} for i in range(9)]
    (folder / "e.csv").write_bytes(encode_table(pd.DataFrame(rows), EVENTS_EDITED))
    return folder / "e.csv"


def make_study(folder):
    """Write a study and its schedule, and read it."""
    from study.conftest import StudyFolder

    study = StudyFolder(folder)
    return study.read()


def make_lock(folder, _):
    from eegsleep.study.masking.lock import write_lock

    study = make_study(folder)
    made = {"settings": {"spindles": {"gain": 1.0}}, "versions": {"eegsleep": "0"}, "roles": {"C3": "eeg"}}
    write_lock(study, {night: made | {"fingerprint": f"f-{night}"} for night in study.nights["night"]})
    return folder / "lock.json"


def make_protocol(folder, name):
    from eegsleep.study.masking.registration import append_record, write_protocol

    write_protocol(make_study(folder), {"schedule_sha256": "", "key_sha256": ""})
    append_record(folder, "looked", nights="8")
    return folder / name


def check_mutations(path, read, n, *, hashed=False, kinds=KINDS):
    """Damage a file `n` times and read it; return what was neither right nor refused by an error of ours.

    With `hashed`, damage that is read as something else is returned, too.
    """
    sound = path.read_bytes()
    expected = read(path)
    # drawn from the name, so that a change of one file changes no other
    draw = random.Random(hashlib.sha256(path.name.encode()).digest())  # noqa: S311 - not a secret
    wrong = []
    for number in range(n):
        kind = kinds[number % len(kinds)]
        damaged = kind(sound, draw)
        path.write_bytes(damaged)
        began_s = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = read(path)
        except EegSleepError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever is not ours is a finding
            at = traceback.extract_tb(error.__traceback__)[-1]
            wrong.append(f"{kind.__name__} {number}: {type(error).__name__} {error} ({at.filename}:{at.lineno})")
        else:
            if hashed and found != expected and not (isinstance(found, Signals) and found.said != expected.said):
                wrong.append(f"{kind.__name__} {number}: read as something else: {found!r}"[:300])
        if time.process_time() - began_s > _SLOW_S:
            wrong.append(f"{kind.__name__} {number}: slow")
    path.write_bytes(sound)
    return wrong


AMOUNTS = [pytest.param(_FEW, id="few"), pytest.param(_MANY, id="many", marks=pytest.mark.large)]


@pytest.mark.parametrize("n", AMOUNTS)
@pytest.mark.parametrize("name", ["ours.csv", "times.csv", "line.txt", "yasa.json", "profusion.xml", "domino.txt"])
def test_hypnograms(name, n, tmp_path):
    hypnogram_files(tmp_path)
    assert check_mutations(tmp_path / name, read_stages, n) == []


@pytest.mark.parametrize("n", AMOUNTS)
def test_calibration(n, tmp_path):
    from eegsleep.events.calibration import read_calibration

    assert check_mutations(write_calibration(tmp_path), read_calibration, n, hashed=True) == []


@pytest.mark.parametrize("n", AMOUNTS)
def test_settings(n, tmp_path):
    from eegsleep.config import load_settings

    assert check_mutations(write_settings(tmp_path), load_settings, n) == []


@pytest.mark.parametrize("n", AMOUNTS)
def test_sealed_key(n, tmp_path):
    """The hash of the study covers it: what is read and differs is refused there."""
    from eegsleep.study.masking.sealed_key import hash_key, open_key, read_key

    path = write_key(tmp_path)
    sealed = hash_key(*read_key(path))
    assert check_mutations(path, lambda path: open_key(path, ("A", "B"), sealed), n, hashed=True) == []


def test_encrypted_key(tmp_path):
    from eegsleep.study.masking.sealed_key import hash_key, open_key, read_key

    path = write_key(tmp_path, "word")
    sealed = hash_key(*read_key(path, "word"))
    assert check_mutations(path, lambda path: open_key(path, ("A", "B"), sealed, "word"), 56, hashed=True) == []


@pytest.mark.parametrize("n", AMOUNTS)
def test_account_of_a_batch(n, tmp_path):
    from eegsleep.batch.jobs_file import read_rows

    path = write_jobs(tmp_path)
    assert check_mutations(path, lambda path: len(read_rows(path.parent)) >= 0, n) == []


@pytest.mark.parametrize("n", AMOUNTS)
def test_events_rejected_by_hand(n, tmp_path):
    from eegsleep.events.edited import read_event_edits

    assert check_mutations(write_edits(tmp_path), lambda path: len(read_event_edits(path).rejected), n) == []


@pytest.mark.parametrize("n", AMOUNTS)
@pytest.mark.parametrize("name", ["study.toml", "nights.csv"])
def test_study_files(name, n, tmp_path):
    from eegsleep.study.declared.manifest import read_study

    make_study(tmp_path)
    assert check_mutations(tmp_path / name, lambda path: read_study(path.parent / "study.toml").title, n) == []


@pytest.mark.parametrize("n", [pytest.param(42, id="few"), pytest.param(_MANY, id="many", marks=pytest.mark.large)])
@pytest.mark.parametrize("name", ["provenance.json", "hypnogram.csv", "markers.csv", "spindles.csv", "quality.csv"])
def test_night_folder(name, n, sample_night, tmp_path):
    """Tables are covered by the hashes in the provenance, and most of the provenance by its fingerprint."""
    import pandas as pd

    folder = es.save_night(sample_night, tmp_path)

    def read(path):
        night = es.load_night(path.parent)
        return pd.util.hash_pandas_object(night.stages.astype(str)).sum(), len(night.spindles), night.roles

    assert check_mutations(folder / name, read, n, hashed=name != "provenance.json") == []


@pytest.mark.parametrize("n", AMOUNTS)
@pytest.mark.parametrize("name", ["lock.json", "protocol.json", "record.jsonl"])
def test_files_of_a_lock(name, n, tmp_path):
    """What planning and locking wrote; a changed lock is never taken for the one that was written."""
    from eegsleep.study.masking.lock import read_lock
    from eegsleep.study.masking.registration import read_protocol_file, read_record

    made = {
        "lock.json": (make_lock, read_lock),
        "protocol.json": (make_protocol, lambda path: read_protocol_file(path.parent) is not None),
        "record.jsonl": (make_protocol, lambda path: len(read_record(path.parent)[0]) >= 0),
    }
    make, read = made[name]
    assert check_mutations(make(tmp_path, name), read, n, hashed=name == "lock.json") == []


def write_recording(folder, kind):
    """Write a minute of a recording in text or of WFDB, or 20 s of EDF+D; return the file to damage."""
    if kind in {"slp01a.hea", "slp01a.dat"}:
        from recording.wfdb.test_record import write_slpdb

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of wfdb about pandas
            write_slpdb(folder, minutes=1)
        return folder / kind
    if kind == "gapped.edf":
        from faults.test_mutations import gapped

        (folder / kind).write_bytes(gapped())
        return folder / kind
    import numpy as np
    from recording.text.test_open import mind_monitor, muse, openbci

    truth = np.arange(60 * 256)
    made = {"muse.csv": muse, "mind.csv": mind_monitor, "openbci.txt": openbci}[kind]
    (folder / kind).write_text(made(truth), encoding="utf-8")
    return folder / kind


class Signals(NamedTuple):
    """All samples of a recording as bytes, and what reading it says: damage that is told is not silent."""

    samples: list[bytes]
    said: set[str]


def read_signals(path):
    from eegsleep.recording.read import open_source

    source = open_source(path if path.suffix != ".dat" else path.with_suffix(".hea"))
    usable = [channel.label for channel in source.channels]
    return Signals([signal.tobytes() for signal in source.load(usable)], {fault.code for fault in source.faults})


@pytest.mark.nightly
@pytest.mark.parametrize("n", [pytest.param(42, id="few"), pytest.param(1000, id="many", marks=pytest.mark.large)])
@pytest.mark.parametrize("kind", ["muse.csv", "mind.csv", "openbci.txt", "slp01a.hea", "slp01a.dat", "gapped.edf"])
def test_recordings(kind, n, tmp_path):
    """Samples of WFDB are covered by the sums in their header, which do not tell samples that change places."""
    path = write_recording(tmp_path, kind)
    summed = kind == "slp01a.dat"
    kinds = [change for change in KINDS if not (summed and change is swap_lines)]
    assert check_mutations(path, read_signals, n, hashed=summed, kinds=kinds) == []
