"""Write a plan: schedule, sealed key, nights.csv and the registered protocol, once and before any night."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import SettingsError, TableError
from eegsleep.file_names import SCHEDULE_FILE
from eegsleep.plain_files import check_plain
from eegsleep.provenance import encode_json, hash_bytes, package_versions, write_file
from eegsleep.study.declared.nights_file import FREE_PREFIXES, HARM, read_nights
from eegsleep.study.masking.registration import read_protocol_file, write_protocol
from eegsleep.study.masking.sealed_key import check_active, seal_key
from eegsleep.study.planning.plan import with_strata
from eegsleep.tables import SCHEDULE, STUDY_NIGHTS, check_table, encode_sidecar, encode_table

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.study.declared.protocol import Study
    from eegsleep.study.planning.plan import Plan


def write_plan(
    study: Study,
    plan: Plan,
    key: str | Path,
    *,
    active: str = "",
    passphrase: str = "",
    replace: bool = False,
    anyway: bool = False,
) -> dict[str, str]:
    """Write schedule.csv, plan.json, protocol.json and the sealed key; fill nights.csv and empty keys of study.toml.

    Parameters
    ----------
    study : Study
    plan : Plan
    key : path
        The key file, for the person who prepares the capsules; not in the folder of the study.
    active : str, optional
        The code of the compound, where the capsules are coded already; by default a coin decides.
    passphrase : str
        Encrypts the key file.
    replace : bool
        Whether an earlier plan, or what a copied study.toml says of another one, is replaced. Only before any night
        is recorded; the protocol remembers the one before.
    anyway : bool
        Whether a design is written that can never reach p <= alpha.

    Returns
    -------
    dict of str to str
        `schedule_sha256`, `key_sha256` and `protocol_sha256`, the hash to deposit. Name of the schedule and hash of
        the key are written into study.toml where it has `schedule = ""` and `key_sha256 = ""`.

    Raises
    ------
    SettingsError
        If the study is observational, cannot answer, was planned before, is a copy of one that was, or has recorded
        nights already.

    Examples
    --------
    >>> unplanned = es.read_protocol("planned/study.toml")
    >>> plan = es.draw_plan(unplanned, n_studies=10)
    >>> sorted(es.write_plan(unplanned, plan, "sealed.json", active="A"))
    ['key_sha256', 'protocol_sha256', 'schedule_sha256']
    """
    if study.mechanism.kind == "observational":
        raise SettingsError(
            "an observational study has no schedule to draw and no key to seal",
            found="mechanism observational",
            remedy=f"enter the nights into {study.nights_file} as they come",
        )
    if not (plan.can_answer or anyway):
        raise SettingsError(
            "nothing was written, because this design cannot answer the question",
            found=" ".join(plan.sentences[:1]),
            remedy=f"{describe_way_out(study, plan)}, or write it all the same with --anyway",
        )
    earlier = _check_unplanned(study, replace=replace)
    folder = study.path.parent
    check_active(study.conditions, active)  # before an earlier key is removed
    if replace:
        Path(key).unlink(missing_ok=True)
    key_sha256 = seal_key(study.conditions, key, active=active, passphrase=passphrase)
    content = encode_table(plan.schedule, SCHEDULE)
    hashes = {"schedule_sha256": hash_bytes(content), "key_sha256": key_sha256}
    trace = {
        **hashes,
        "seed": study.seed,
        "mechanism": study.mechanism.kind,
        "n_schedules": plan.n_schedules,
        "smallest_p": None if math.isnan(plan.smallest_p) else plan.smallest_p,
        "sentences": list(plan.sentences),
        "eegsleep": package_versions()["eegsleep"],
    }
    _write_nights(study, plan, replace=replace)
    _fill_study(study.path, key_sha256, again=replace)
    write_file(folder / "plan.json", encode_json(trace))
    write_file(folder / "schedule.json", encode_sidecar(SCHEDULE))
    write_file(folder / SCHEDULE_FILE, content)
    registered = write_protocol(dataclasses.replace(study, key_sha256=key_sha256), hashes, earlier)
    return hashes | {"protocol_sha256": registered["sha256"]}


def describe_way_out(study: Study, plan: Plan) -> str:
    """Return how a design that cannot answer becomes one that can, as a clause."""
    found = re.search(r"At least (\d+) (nights|sleepers) are needed", " ".join(plan.sentences))
    if not found:
        return "choose another mechanism in study.toml"
    n, unit = found.groups()
    planned = study.planned.nights if unit == "nights" else len(study.planned.subjects)
    wanted = max(int(n), planned + 2)  # the figure does not know the strata
    if unit == "nights":
        return f"write nights = {wanted} in [plan]"
    return f"name {wanted} sleepers as subjects in [plan]"


def _check_unplanned(study: Study, *, replace: bool) -> list[dict[str, str]]:
    """Check that nothing is planned that a new schedule would replace unsaid; return the protocols replaced."""
    folder = study.path.parent
    before = read_protocol_file(folder)
    planned_here = (folder / SCHEDULE_FILE).exists()
    if not planned_here and (study.key_sha256 or study.schedule) and not replace:
        raise SettingsError(
            f"{study.path.name} has the key or schedule of another plan",
            found=f"schedule {study.schedule!r}, key_sha256 {study.key_sha256[:12]!r}, and no {SCHEDULE_FILE} here",
            remedy="if the file was copied, `eegsleep plan --replace` draws a schedule and seals a key of its own",
        )
    if planned_here and not replace:
        raise SettingsError(
            f"{SCHEDULE_FILE} is there already",
            found=str(folder / SCHEDULE_FILE),
            remedy="a schedule is drawn once, or it can be chosen; before any night is recorded, `eegsleep plan "
            "--replace` draws anew after a correction, and the protocol says so",
        )
    if not replace:
        return []
    recorded = _recorded_nights(study)
    if planned_here and recorded:
        raise SettingsError(
            "the schedule cannot be drawn again, because nights were recorded by it",
            found=", ".join(recorded[:3]),
            remedy="keep the plan; what must change is listed in the report as a change since registration",
        )
    if before is None:
        return []
    own = {"sha256": str(before.get("sha256", "")), "registered_at": str(before.get("registered_at", ""))}
    return [*before.get("replaces", []), own] if planned_here else []


def _recorded_nights(study: Study) -> list[str]:
    path = study.path.parent / study.nights_file
    try:
        nights, _ = read_nights(path)
    except TableError:
        return []
    return nights.loc[nights["file"] != "", "night"].tolist()


def _write_nights(study: Study, plan: Plan, *, replace: bool) -> None:
    """Write the planned nights into nights.csv, if it has no rows or those of a plan that is replaced."""
    path = study.path.parent / study.nights_file
    comments, free, has_rows = _read_comments(path)
    if has_rows and not (replace and not _recorded_nights(study)):
        return
    rows = encode_table(_planned_nights(plan.schedule), STUDY_NIGHTS).decode().splitlines()
    if column := study.mechanism.strata:
        added = [column, *with_strata(study, plan.schedule)[column]]
        rows = [f"{row},{value}" for row, value in zip(rows, added, strict=True)]
    free = [name for name in free if name != column]
    rows = [",".join([rows[0], *free]), *(row + "," * len(free) for row in rows[1:])]
    write_file(path, comments + "".join(f"{row}\n" for row in rows).encode())


def _read_comments(path: Path) -> tuple[bytes, list[str], bool]:
    """Return the comments of nights.csv, the columns that are its owner's, and whether it has more than a header."""
    if not path.exists():
        return b"", [], False
    lines = [line for line in check_plain(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    comments = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if not line.startswith("#")]
    header = rows[0].split(",") if rows else []
    if rows and not {"subject", "night", "date"} <= set(re.split("[,;\t]", rows[0])):
        raise TableError(f"{path.name} is no table of nights, and is not overwritten", found=rows[0][:100])
    free = [name for name in header if name == HARM or name.startswith(FREE_PREFIXES)]
    return "".join(f"{line}\n" for line in comments).encode(), free, len(rows) > 1


def _fill_study(path: Path, key_sha256: str, *, again: bool) -> None:
    """Write schedule and key hash into study.toml where it leaves them empty; over those of another plan if `again`."""
    text = path.read_text(encoding="utf-8-sig")
    for name, value in (("schedule", SCHEDULE_FILE), ("key_sha256", key_sha256)):
        written = '"[^"]*"' if again else '""'
        text = re.sub(rf"(?m)^({name}\s*=\s*){written}", rf'\g<1>"{value}"', text)
    write_file(path, text.encode())


def _planned_nights(schedule: pd.DataFrame) -> pd.DataFrame:
    blank = {
        column.name: {"str": "", "bool": False, "int": 0, "float": math.nan}[column.kind]
        for column in STUDY_NIGHTS.columns
    }
    shared = [name for name in STUDY_NIGHTS.column_names if name in schedule.columns]
    return check_table(
        schedule[shared].assign(**{k: v for k, v in blank.items() if k not in shared})[STUDY_NIGHTS.column_names],
        STUDY_NIGHTS,
    )
