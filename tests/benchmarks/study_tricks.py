"""Ways to choose a result, played on a study of twelve nights on disk; each must cost the badge that vouches for it."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from study.conftest import StudyFolder

from eegsleep.errors import EegSleepError
from eegsleep.provenance import encode_json, fingerprint, hash_file
from eegsleep.study.checks import run_checks
from eegsleep.study.masking import registration
from eegsleep.study.masking.changes import Change
from eegsleep.study.masking.lock import LOCK_FILE, UNMASK_FILE, read_lock, unmask, verify_lock, write_lock
from eegsleep.study.masking.timeline import judge_timeline, trace_timeline
from eegsleep.tables import SCHEDULE, encode_table


def _recorded(study, exchanged=()):
    """Return what the scored nights say of their recordings; those of two nights may be exchanged."""
    found = {}
    for i, row in enumerate(study.nights.itertuples(index=False)):
        if row.file:
            found[row.night] = {
                "settings": {},
                "versions": {},
                "fingerprint": row.night,
                "id": row.night,
                "start": f"{row.date}T23:10:00",
                "input": {"sha256": f"{i:064x}"},
                "quality": {"verdict": "usable"},
            }
    if exchanged:
        one, two = exchanged
        for name in ("start", "input"):
            found[one][name], found[two][name] = found[two][name], found[one][name]
    return found


def _badge_of(folder, *, exchanged=(), before_lock=lambda: None, after_lock=lambda: None, after_opening=lambda: None):
    """Register, lock, open and judge a study on disk; return the grade of its badge."""
    home = folder.folder
    study = folder.read()
    if not (home / "protocol.json").exists():
        registration.write_protocol(study, {"schedule_sha256": "", "key_sha256": ""})
    before_lock()
    study = folder.read()
    write_lock(study, _recorded(study, exchanged))
    after_lock()
    study = folder.read()
    unmask(study)
    after_opening()
    if not (home / LOCK_FILE).exists():
        study = folder.read()
        write_lock(study, _recorded(study, exchanged))
        unmask(study)
    lock = read_lock(home / LOCK_FILE)
    study = folder.read()
    registered = registration.read_protocol_file(home)
    changes = [
        *(Change(*change) for change in lock["since_registered"]),
        *registration.find_earlier_openings(home, lock, registered),
        *verify_lock(study, lock, _recorded(study, exchanged)),
    ]
    changes += registration.find_unlisted(study, registered, changes)
    everything = _recorded(study, exchanged)
    left_out = {night: everything[night] for night in study.nights.loc[study.nights["excluded"], "night"]}
    steps = trace_timeline(
        study,
        registered=registered,
        lock=lock | {"open_label": False},
        unmasked_at="2026-02-01T12:00:00+00:00",
        changes=changes,
        checks=run_checks(study, None, everything, left_out),
    )
    return judge_timeline(steps).grade


def _exclude(rows):
    rows[4] |= {"excluded": "true", "exclusion_reason": "the night is judged unusable", "decided_masked": "true"}


def _exchange_primary(folder):
    folder.toml = folder.toml.replace('"tst_min||"', '"waso_min||"')


def _raise_alpha(folder):
    folder.toml = folder.toml.replace("seed = 7", "seed = 7\nalpha = 0.09")


def _declare_alpha(folder):
    folder.toml = folder.toml.replace("seed = 7", "seed = 7\nalpha = 0.49")


def _start_again(folder):
    for name in (LOCK_FILE, UNMASK_FILE):
        (folder.folder / name).unlink()
    _exclude(folder.rows)


def _stop_early(folder):
    for row in folder.rows[8:]:
        row["file"] = ""


def _write_schedule(folder):
    names = SCHEDULE.column_names
    frame = pd.DataFrame([{name: row.get(name, "") for name in names} for row in folder.rows], columns=names)
    frame = frame.assign(
        weekday=pd.to_datetime(frame["date"]).dt.day_name(),
        block=pd.to_numeric(frame["block"]).fillna(0).astype(int),
        period=0,
        adaptation=frame["adaptation"] == "true",
    )
    (folder.folder / "schedule.csv").write_bytes(encode_table(frame, SCHEDULE))


def _draw(folder):
    folder.toml = folder.toml.replace('mechanism = "pairs"', 'mechanism = "pairs"\nschedule = "schedule.csv"')
    _write_schedule(folder)
    schedule = {"schedule_sha256": hash_file(folder.folder / "schedule.csv"), "key_sha256": ""}
    registration.write_protocol(folder.read(), schedule)


def _swap_conditions(folder):
    one, two = folder.rows[2], folder.rows[3]
    one["condition"], two["condition"] = two["condition"], one["condition"]
    _write_schedule(folder)


def _alternate(folder):
    extra = [dict(row) for row in folder.rows[2:] * 2]
    for i, row in enumerate(extra):
        night = 15 + i
        row |= {"night": f"S01-{night:03d}", "file": f"S01-{night:03d}.edf", "block": str(7 + i // 2)}
        row["date"] = str(np.datetime64("2026-01-18") + i + 1)
    folder.rows += extra
    for i, row in enumerate(folder.rows[2:]):
        row["condition"] = "AB"[i % 2]
    folder.toml = folder.toml.replace("nights = 12", f"nights = {len(folder.rows) - 2}")


def _do_nothing(folder):
    """Change nothing."""
    del folder


def _edit_lock(folder, change):
    """Change the lock and compute its hash anew, as whoever knows the format can."""
    path = folder.folder / LOCK_FILE
    lock = json.loads(path.read_text(encoding="utf-8"))
    change(lock)
    lock["sha256"] = fingerprint({name: value for name, value in lock.items() if name != "sha256"})
    path.write_bytes(encode_json(lock))


def _forget_changes(folder):
    _edit_lock(folder, lambda lock: lock.update(since_registered=[]))


def _exchange_primary_and_lock(folder):
    _exchange_primary(folder)
    primary = list(folder.read().primary)
    _edit_lock(folder, lambda lock: lock["protocol"].update(primary=primary))


def _play(
    *, prepare=_do_nothing, before_lock=_do_nothing, after_lock=_do_nothing, after_opening=_do_nothing, exchanged=()
):
    with tempfile.TemporaryDirectory() as home:
        folder = StudyFolder(Path(home))
        folder.toml = folder.toml.replace("seed = 7", 'seed = 7\nactive = "B"')
        prepare(folder)
        return _badge_of(
            folder,
            exchanged=exchanged,
            before_lock=lambda: before_lock(folder),
            after_lock=lambda: after_lock(folder),
            after_opening=lambda: after_opening(folder),
        )


def play_tricks():
    """Return how many of eleven ways to choose a result keep the badge that vouches for it, and whether none keeps it.

    The label of the study is taken as masked.
    """
    clock = registration.now
    registration.now = lambda: "2026-01-04T12:00:00+00:00"
    try:
        grades = [
            _play(before_lock=_exchange_primary),
            _play(before_lock=_raise_alpha),
            _play(prepare=_declare_alpha) if _allows_alpha() else "refused",
            _play(after_opening=_start_again),
            _play(before_lock=_stop_early),
            _play(prepare=_draw, before_lock=_swap_conditions),
            _play(before_lock=lambda folder: _exclude(folder.rows)),
            _play(exchanged=("S01-003", "S01-010")),
            _play(prepare=_alternate),
            _play(before_lock=_exchange_primary, after_lock=_forget_changes),
            _play(after_lock=_exchange_primary_and_lock),
        ]
        return grades.count("good"), int(_play() == "good")
    finally:
        registration.now = clock


def _allows_alpha():
    """Return whether a study may declare alpha .49 at all."""
    with tempfile.TemporaryDirectory() as home:
        folder = StudyFolder(Path(home))
        folder.toml = folder.toml.replace("seed = 7", "seed = 7\nalpha = 0.49")
        try:
            folder.read()
        except EegSleepError:
            return False
    return True
