"""Every command on damaged kinds of every file it reads: a documented exit code and one sentence, never a traceback.

`CASES` names a command and the file that is damaged, `KINDS` what is done to it. A run with a damaged file may be
refused. If it is not, its results are those of the sound file, or what it prints differs: nothing changes in silence.
Scoring itself is left out, because a damaged file is refused before it. A run of the tests takes two kinds of the quick
commands; `pytest -m large` takes all.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import time
import warnings

import pytest
from cli.test_study import TOML, fill_nights, make_nights
from faults.test_mutated_files import STAGES, write_calibration, write_edits, write_jobs
from tests_paths import SAMPLE

from eegsleep.errors import EegSleepError
from eegsleep.study.masking import registration
from eegsleep.study.planning import plan

_HUGE = "9" * 400


def _as_text(content):
    return content.decode("utf-8", "replace")


def _damage(path, kind):
    """Damage a file in place."""
    content = path.read_bytes()
    path.unlink()
    in_place = {
        "a folder": path.mkdir,
        "a pipe": lambda: os.mkfifo(path),
        "a device": lambda: path.symlink_to("/dev/zero"),
        "a link to itself": lambda: path.symlink_to(path),
    }
    in_place.get(kind, lambda: None)()
    lines = content.splitlines(keepends=True)
    made = {
        "empty": b"",
        "noise": bytes((i * i * 31 + 7 * i) % 256 for i in range(3000)),
        "half": content[: len(content) // 2],
        "one byte less": content[:-1],
        "a list": b"[]\n",
        "another object": b'{"a": {"b": [1, null, "x"]}}\n',
        "another table": b"a,b\n1,2\n3,4\n",
        "NUL": content[: len(content) // 2] + b"\0" + content[len(content) // 2 :],
        "deep": b"[" * 30_000,
        "deep objects": b'{"a":' * 30_000,
        "UTF-16": _as_text(content).encode("utf-16"),
        "Latin-1": content + b"\n# \xe9\xff\n",
        "huge numbers": "".join(_HUGE if c.isdigit() else c for c in _as_text(content[:20_000])).encode(),
        "wide": b"," * 100_000 + b"\n" + content,
        "doubled": content + content,
        "a line gone": b"".join(lines[:3] + lines[4:]),
        "a line twice": b"".join(lines[:4] + lines[3:]),
        "turned round": b"".join(lines[:1] + lines[:0:-1]),
    }
    if kind in made:
        path.write_bytes(made[kind])


KINDS = (
    "missing",
    "empty",
    "a folder",
    "a pipe",
    "a device",
    "a link to itself",
    "noise",
    "half",
    "one byte less",
    "a list",
    "another object",
    "another table",
    "NUL",
    "deep",
    "deep objects",
    "UTF-16",
    "Latin-1",
    "huge numbers",
    "wide",
    "doubled",
    "a line gone",
    "a line twice",
    "turned round",
)
_SCORE = "score night.edf --output out"
_PLAN = "plan unplanned --active B --key away/fresh.json"
_STUDY_READS = ("study.toml", "nights.csv", "schedule.csv", "protocol.json", "record.jsonl")
_NIGHT_READS = tuple(f"eegsleep-nights/S01-003/{name}" for name in ("provenance.json", "markers.csv"))
_TABLES = ("provenance.json", "hypnogram.csv", "reference.csv", "markers.csv")
# The command, and the files it reads, from the folder in which it is run.
CASES = [
    *((command, "night.edf") for command in ("inspect night.edf", _SCORE, "anonymize night.edf anonymous.edf")),
    ("batch night.edf --output out --workers 0", "night.edf"),
    *(
        (f"{_SCORE} --{option} {prefix}{name}", name)
        for option, prefix, name in (
            ("hypnogram", "", "stages.csv"),
            ("hypnogram", "", "yasa.json"),
            ("reference", "", "stages.csv"),
            ("calibration", "", "c.json"),
            ("config", "", "s.toml"),
            ("events", "", "e.csv"),
            ("stages-by", "other=", "probabilities.csv"),
        )
    ),
    (_SCORE, "eegsleep.toml"),
    ("settings --config s.toml", "s.toml"),
    ("batch night.edf --output out --workers 0 --config s.toml", "s.toml"),
    ("batch night.edf --output out --workers 0 --calibration c.json", "c.json"),
    ("batch night.edf --output jobs --workers 0", "jobs/jobs.csv"),
    *(("batch sample-night.edf --output nights --workers 0", f"nights/sample-night/{name}") for name in _TABLES),
    *(("calibrate nights", f"nights/sample-night/{name}") for name in ("provenance.json", "hypnogram.csv")),
    ("agree stages.csv yasa.json --output agreed", "stages.csv"),
    ("agree stages.csv yasa.json --output agreed", "yasa.json"),
    *(("agree stages.csv nights/sample-night --output agreed", f"nights/sample-night/{name}") for name in _TABLES[:2]),
    *(("agree nights --output agreed", f"nights/sample-night/{name}") for name in _TABLES[:3]),
    ("convert-hypnogram stages.csv converted.edf", "stages.csv"),
    ("convert-hypnogram stages.csv converted.tsv --recording night.edf", "night.edf"),
    ("study key away/key.json", "away/key.json"),
    *(
        ("study add-table diary.csv begun --map date=Date day_mood=Mood", name)
        for name in (
            "diary.csv",
            "begun/study.toml",
            "begun/nights.csv",
        )
    ),
    (_PLAN, "unplanned/study.toml"),
    (
        "plan unplanned --active B --key away/fresh.json --nights trial/eegsleep-nights",
        "trial/eegsleep-nights/S01-003/provenance.json",
    ),
    (
        "plan unplanned --active B --key away/fresh.json --nights trial/eegsleep-nights",
        "trial/eegsleep-nights/S01-003/markers.csv",
    ),
    *(("lock trial", f"trial/{name}") for name in (*_STUDY_READS, *_NIGHT_READS)),
    *(("study look looked", f"looked/{name}") for name in ("study.toml", *_NIGHT_READS[:1])),
    *(("compare locked --key away/key.json", f"locked/{name}") for name in (*_STUDY_READS, *_NIGHT_READS, "lock.json")),
    ("compare locked --key away/key.json", "away/key.json"),
    ("compare compared --key away/key.json", "compared/unmasked.json"),
]


# What takes long, and is reached only if the damaged file was accepted.
_LONG = (
    ("eegsleep.night.analyze.analyze_night", "scoring"),
    ("eegsleep.study.comparison.compare.compare_nights", "the comparison"),
)
_BIG_BYTES = 1_000_000
_SLOW_S = 5.0
# Of the clock: a command that waits for a pipe takes none of the processor's.
_STUCK_S = 60


def _write_recording(path):
    import edfio
    import numpy as np

    rng = np.random.default_rng(0)
    signal = edfio.EdfSignal(
        rng.normal(0, 20, 100 * 300).cumsum() % 50,
        100,
        label="C4-M1",
        physical_dimension="uV",
        physical_range=(-200, 200),
    )
    edfio.Edf([signal]).write(path)


def _write_side_files(folder):
    from eegsleep.config import list_settings

    _write_recording(folder / "night.edf")
    onsets = "".join(f"{30 * i},30,{stage}\n" for i, stage in enumerate(STAGES))
    (folder / "stages.csv").write_text(f"onset,duration,stage\n{onsets}", encoding="utf-8")
    yasa = {"values": STAGES, "n_stages": 5, "freq": "30s", "start": None, "scorer": None}
    (folder / "yasa.json").write_text(json.dumps(yasa), encoding="utf-8")
    columns = ("W", "N1", "N2", "N3", "R")
    rows = [",".join([str(i), *("0.8" if c == stage else "0.05" for c in columns)]) for i, stage in enumerate(STAGES)]
    (folder / "probabilities.csv").write_text("\n".join(["epoch,W,N1,N2,N3,R", *rows]) + "\n", encoding="utf-8")
    settings = "\n".join(list_settings())
    (folder / "s.toml").write_text(settings, encoding="utf-8")
    (folder / "eegsleep.toml").write_text(settings, encoding="utf-8")
    write_calibration(folder)
    write_edits(folder)
    diary = "".join(f"2026-01-{i:02d},{i % 5}\n" for i in range(7, 19))
    (folder / "diary.csv").write_text(f"Date,Mood\n{diary}", encoding="utf-8")


@pytest.fixture(scope="session")
def side_files(make_once, sample_night):
    """Return a folder with a recording, the files that are given with one, and two scored nights."""
    from dataclasses import replace

    from eegsleep.night.folder import save_night

    def make(folder):
        _write_side_files(folder)
        reference = replace(sample_night, reference=sample_night.stages, before=sample_night.stages)
        save_night(reference, folder / "nights")
        other = {**sample_night.provenance["input"], "sha256": "ab" * 32}
        save_night(
            replace(reference, id="second", provenance={**sample_night.provenance, "id": "second", "input": other}),
            folder / "nights",
        )

    return make_once("damaged-side-files", make)


def _write_looked(home, key, run):
    """Plan a study with an interim look after eight of twelve nights, and record these."""
    home.mkdir()
    (home / "study.toml").write_text(TOML.replace("nights = 12", "nights = 12\nlooks = [8]"), encoding="utf-8")
    run("plan", home, "--active", "B", "--key", key)
    rows = fill_nights(home / "nights.csv")
    text = (home / "nights.csv").read_text(encoding="utf-8")
    for row in rows[10:]:
        text = text.replace(row["file"], "")
    (home / "nights.csv").write_text(text, encoding="utf-8")
    make_nights(home / "eegsleep-nights", rows[:10], "B")


@pytest.fixture(scope="session")
def world(make_once, side_files, run_here):
    """Return a folder with a sound file of every kind: a recording, side files, nights, and a study at each stage."""

    def run(*arguments):
        done = run_here(*arguments)
        assert done.returncode == 0, done.stderr

    def make(folder):
        shutil.copytree(side_files, folder, dirs_exist_ok=True)
        shutil.copy(SAMPLE, folder)
        (folder / "jobs").mkdir()
        write_jobs(folder / "jobs")
        (folder / "unplanned").mkdir()
        (folder / "unplanned" / "study.toml").write_text(TOML, encoding="utf-8")
        shutil.copytree(folder / "unplanned", folder / "trial")
        key = folder / "away" / "key.json"
        key.parent.mkdir()
        run("plan", folder / "trial", "--active", "B", "--key", key)
        make_nights(folder / "trial" / "eegsleep-nights", fill_nights(folder / "trial" / "nights.csv"), "B")
        run("study", "init", folder / "begun")
        _write_looked(folder / "looked", folder / "away" / "other.json", run)
        shutil.copytree(folder / "trial", folder / "locked")
        run("lock", folder / "locked")
        shutil.copytree(folder / "locked", folder / "compared")
        run("compare", folder / "compared", "--key", key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registration, "now", lambda: "2026-01-04T12:00:00+00:00")
        return make_once("damaged-commands", make)


@pytest.fixture(autouse=True)
def _stop_clock(monkeypatch):
    monkeypatch.setattr(registration, "now", lambda: "2026-01-04T12:00:00+00:00")
    # with few simulated studies: what is simulated is not looked at
    monkeypatch.setattr(plan, "draw_plan", functools.partial(plan.draw_plan, n_studies=20))
    monkeypatch.setattr(plan, "_N_STUDIES_SEARCHED", 20)


@pytest.fixture
def stop_early(monkeypatch):
    """Return a function that lets what takes long end with an error of ours."""

    def stop(what):
        def reached(*_, **__):
            raise EegSleepError(f"{what} was reached")

        return reached

    def stop_all(*, nightly):
        for path, what in _LONG[: 1 if nightly else None]:
            monkeypatch.setattr(path, stop(what))

    return stop_all


def _copy_used(world, home, command, file):
    """Copy the files that a command uses into an empty folder."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    used = {word.split("/")[0] for word in (*command.split(), file)}
    for path in world.iterdir():
        if path.name not in used:
            continue
        if path.is_dir():
            shutil.copytree(path, home / path.name)
        elif path.stat().st_size > _BIG_BYTES and path.name != file:
            (home / path.name).symlink_to(path)
        else:
            shutil.copy(path, home)


def _run(run_here, home, command):
    """Run a command; return its code, what it printed, and the tables it wrote or changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = run_here(*command.split(), cwd=home)
    tables = {str(p.relative_to(home)): p.read_bytes() for p in sorted(home.rglob("*.csv")) if p.is_file()}
    return done.returncode, done.stdout + done.stderr, tables


class _StuckError(BaseException):
    """A command waits for ever; no handler of errors may take this for one."""


@contextlib.contextmanager
def _time_limit():
    def stop(*_):
        raise _StuckError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _STUCK_S, 1)  # again each second, as one may be lost in a callback
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _find_fault(run_here, world, home, command, file, kind):
    """Return what is wrong with how a command ends on a damaged file; empty if nothing is."""
    _copy_used(world, home, command, file)
    _damage(home / file, kind)
    began_s = time.process_time()
    try:
        with _time_limit():
            code, said, tables = _run(run_here, home, command)
    except (Exception, _StuckError, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever comes out is a finding
        return f"{kind}: {type(error).__name__} {error}"[:300]
    if time.process_time() - began_s > _SLOW_S:
        return f"{kind}: slow"
    if code not in {0, 1, 2} or "Traceback" in said:
        return f"{kind}: code {code}, {said[-300:]}"
    if (
        code == 2
        and not (said.splitlines() and said.splitlines()[-1].startswith("eegsleep: "))
        and "inspect" not in command
    ):
        return f"{kind}: no sentence, {said[-300:]}"
    if code == 0 and kind != "missing":
        _copy_used(world, home, command, file)
        _, sound_said, sound_tables = _run(run_here, home, command)
        for found in (tables, sound_tables):
            found.pop(file, None)
        if tables != sound_tables and said == sound_said:
            changed = [name for name in sound_tables if tables.get(name) != sound_tables[name]]
            return f"{kind}: {changed} changed without a word"
    return ""


def _find_faults(run_here, world, home, number, kinds):
    command, file = CASES[number]
    return [fault for kind in kinds if (fault := _find_fault(run_here, world, home, command, file, kind))]


_IDS = [f"{command.split()[0]}-{file}" for command, file in CASES]
_QUICK = [
    pytest.param(number, id=_IDS[number])
    for number, (command, _) in enumerate(CASES)
    if command.startswith(("inspect", "score", "settings", "convert", "anonymize", "calibrate"))
]


@pytest.mark.parametrize("number", _QUICK)
def test_a_damaged_file_is_a_sentence(number, side_files, run_here, stop_early, tmp_path):
    stop_early(nightly=False)
    kinds = [KINDS[5 * number % len(KINDS)], KINDS[(5 * number + 7) % len(KINDS)]]
    assert _find_faults(run_here, side_files, tmp_path / "home", number, kinds) == []


@pytest.mark.large
@pytest.mark.parametrize("number", range(len(CASES)), ids=_IDS)
def test_every_kind_of_damage_is_a_sentence(number, world, run_here, stop_early, tmp_path):
    stop_early(nightly=True)
    assert _find_faults(run_here, world, tmp_path / "home", number, KINDS) == []


@pytest.mark.nightly
@pytest.mark.parametrize("command", sorted({command for command, _ in CASES}))
def test_the_sound_files_are_accepted(command, world, run_here, stop_early, tmp_path):
    """Otherwise a case would be refused for another reason than its damage."""
    stop_early(nightly=False)
    _copy_used(world, tmp_path / "home", command, next(file for other, file in CASES if other == command))
    code, said, _ = _run(run_here, tmp_path / "home", command)
    assert code == 0 or "was reached" in said
