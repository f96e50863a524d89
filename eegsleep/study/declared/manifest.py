"""Read a declared study, study.toml and nights.csv together, and check it as a whole."""

from __future__ import annotations

import dataclasses
from os.path import normpath
from pathlib import Path

from eegsleep.errors import SettingsError, TableError
from eegsleep.file_names import NIGHTS_FILE, NIGHTS_FOLDER, PROVENANCE_FILE, STUDY_FILE
from eegsleep.provenance import evening_of, read_provenance, write_file
from eegsleep.study.declared.aims import find_aim, set_endpoints
from eegsleep.study.declared.leaks import find_leak
from eegsleep.study.declared.nights_file import Place, cell_error, read_nights
from eegsleep.study.declared.protocol import Study, read_protocol
from eegsleep.study.schedules.schedule import find_violation
from eegsleep.tables import SCHEDULE, read_table

__all__ = ["Study", "check_nights", "read_protocol", "read_study", "write_template"]


def read_study(path: str | Path, *, check_files: bool = True) -> Study:
    """Read a study: study.toml and the nights it names.

    Parameters
    ----------
    path : path
        The study file, or its folder; nights.csv and the recordings are found from its folder.
    check_files : bool
        Whether every recording must be there.

    Returns
    -------
    Study

    Raises
    ------
    SettingsError
        If study.toml holds what is not allowed.
    TableError
        If nights.csv does, naming row and column: a night listed twice, a missing recording, one condition only, a
        name that reveals the condition, or a schedule that the declared mechanism could not have drawn.

    Examples
    --------
    >>> es.read_study("trial/study.toml").mechanism.kind
    'pairs'
    """
    study = read_protocol(path)
    file = study.path.parent / study.nights_file
    nights, lines = read_nights(file)
    study = dataclasses.replace(study, nights=nights)
    check_nights(study, file.name, lines, check_files=check_files)
    return study


def check_nights(study: Study, file: str, lines: list[int], *, check_files: bool = True) -> None:
    """Check that the nights fit the declared study.

    Parameters
    ----------
    study : Study
    file : str
        Name of the file of the nights, for errors.
    lines : list of int
        The line of each row in that file, counted from 1.
    check_files : bool
        Whether every recording must be there.

    Raises
    ------
    TableError
        See `read_study`.
    """
    if study.nights.empty:
        raise TableError(
            f"{file} holds no night", remedy="write one row for every night; `eegsleep plan` lays them out"
        )
    _check_rows(study, file, lines, check_files=check_files)
    _check_arms(study, file)
    if study.design != "observational":
        _check_leaks(study, file, lines)
    if study.mechanism.strata and study.mechanism.strata not in study.nights:
        raise TableError(
            f"{file}: the column of the strata is missing",
            found=", ".join(study.nights.columns),
            allowed=study.mechanism.strata,
        )
    found = find_violation(study.mechanism, study.nights)
    if found:
        raise cell_error(
            Place(file, lines[found.row], found.column),
            f"the mechanism {study.mechanism.kind} could not have drawn this schedule",
            found=found.found,
            allowed=found.allowed,
            remedy="correct the row, or declare the mechanism that was used; a p-value rests on it",
        )
    if study.schedule:
        _check_schedule(study, file, lines)


def _check_rows(study: Study, file: str, lines: list[int], *, check_files: bool) -> None:
    seen: dict[tuple, int] = {}
    for line, row in zip(lines, study.nights.to_dict("records"), strict=True):
        for column, key, word in (
            ("night", row["night"], "night"),
            ("date", (row["subject"], row["date"]), "date"),
            ("file", row["file"] and normpath(row["file"]), "recording"),
        ):
            if key and (column, key) in seen:
                raise cell_error(
                    Place(file, line, column),
                    f"the {word} is there twice",
                    found=f"{row[column]}, as in row {seen[column, key]}",
                    remedy="give each night one row, its own name and its own recording",
                )
            seen[column, key] = line
        for column in ("condition", "guess"):
            allowed = ("", *study.conditions, *(("compound", "control", "?") if column == "guess" else ()))
            if row[column] not in allowed:
                raise cell_error(
                    Place(file, line, column),
                    "this is no code of the study",
                    found=repr(row[column]),
                    allowed=", ".join(c or "empty" for c in allowed),
                )
        if row["adaptation"] and row["condition"]:
            raise cell_error(
                Place(file, line, "condition"),
                "an adaptation night has a condition",
                found=row["condition"],
                allowed="empty",
                remedy="leave the condition empty, or set adaptation to false",
            )
        if row["excluded"] != bool(row["exclusion_reason"]):
            raise cell_error(
                Place(file, line, "exclusion_reason"),
                "an excluded night needs a reason, and no other night may have one",
                found=row["exclusion_reason"] or "no reason",
                allowed="a reason where excluded is true",
            )
        if check_files and row["file"] and not (study.path.parent / row["file"]).exists():
            raise cell_error(
                Place(file, line, "file"),
                "the recording is not there",
                found=row["file"],
                allowed=f"a path from {study.path.parent}",
                remedy="correct the path, or leave it empty for a night that was missed",
            )


def _check_arms(study: Study, file: str) -> None:
    given = study.nights["condition"]
    if study.mechanism.kind == "observational" and given.isin(study.conditions).any():
        return  # nights of one condition are described
    if len(study.conditions) > 2 and study.nights["subject"].nunique() > 1:
        raise TableError(
            f"{file}, column subject: three conditions are compared in one sleeper",
            found=", ".join(sorted(set(study.nights["subject"]))),
            remedy="make a study of each sleeper",
        )
    for code in study.conditions:
        if not (given == code).any():
            raise TableError(
                f"{file}, column condition: no night has the condition {code}",
                found=", ".join(sorted(set(given) - {""})) or "none",
                allowed=f"nights of {' and of '.join(study.conditions)}",
                remedy="a comparison needs both; add the nights, or correct the codes",
            )


def _check_leaks(study: Study, file: str, lines: list[int]) -> None:
    nights = study.nights
    conditions = nights["condition"].tolist()
    split = study.design != "parallel"  # in parallel groups the name of a sleeper may go with the condition
    for column in ("night", "file"):
        leak = find_leak(nights[column].tolist(), conditions, study.conditions, study.compound, split=split)
        if leak:
            row, piece = leak
            raise cell_error(
                Place(file, lines[row], column),
                "the name reveals the condition, and masking is lost",
                found=f"{piece!r} in {nights[column].iloc[row]}",
                allowed="names without a code, compound or group",
                remedy="rename the files of all nights by subject and number alone",
            )
    by_code = [set(nights.loc[nights["condition"] == code, "dose"]) - {""} for code in study.conditions]
    if study.active is None and all(by_code) and not set.intersection(*by_code):
        row = int((nights["dose"] != "").to_numpy().argmax())
        raise cell_error(
            Place(file, lines[row], "dose"),
            "the dose reveals the condition, and masking is lost",
            found=" against ".join(sorted(set.union(*by_code))[:2]),
            allowed="the same words in all conditions",
            remedy="write the number of capsules",
        )


def _check_schedule(study: Study, file: str, lines: list[int]) -> None:
    """Check that the nights are those of the drawn schedule, with the same conditions; dates may differ."""
    schedule = read_table(study.path.parent / study.schedule, SCHEDULE).set_index("night")
    if not schedule.index.is_unique:
        raise TableError(
            f"{study.schedule} has nights twice",
            found=", ".join(sorted(set(schedule.index[schedule.index.duplicated()]))),
            remedy="restore the file that `eegsleep plan` wrote",
        )
    nights = study.nights
    for i, row in enumerate(nights.to_dict("records")):
        planned = schedule["condition"].get(row["night"], "")
        if row["condition"] and row["night"] not in schedule.index:
            raise cell_error(
                Place(file, lines[i], "night"),
                f"{study.schedule} has no such night",
                found=row["night"],
                allowed="the names of the schedule; a night without a condition may have any",
                remedy="give the night the name that the schedule gave it",
            )
        if row["condition"] != planned:
            raise cell_error(
                Place(file, lines[i], "condition"),
                f"{study.schedule} has another condition for {row['night']}",
                found=row["condition"] or "none",
                allowed=planned or "none",
                remedy="write what the schedule gave; what was taken in its place is a reason to exclude",
            )
    missing = sorted(set(schedule.index[schedule["condition"] != ""]) - set(nights["night"]))
    if missing:
        raise TableError(
            f"{file}, column night: nights of {study.schedule} are missing",
            found=", ".join(missing),
            remedy="keep the row of a missed night, with its condition and without a file",
        )


def write_template(folder: str | Path, *, aim: str = "", recorded: bool = False) -> tuple[Path, Path]:
    """Write a commented study.toml and nights.csv into `folder`, and return their paths.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    aim : str
        What the compound is for (`AIMS`), which sets the endpoints.
    recorded : bool
        Whether the nights are there already and the compound was taken on whichever days. nights.csv then has a row
        for every night that is scored in eegsleep-nights.

    Returns
    -------
    (Path, Path)

    Raises
    ------
    SettingsError
        If one of them is there already.

    Examples
    --------
    >>> [path.name for path in es.write_template("my-study", aim="deep-sleep")]
    ['study.toml', 'nights.csv']
    """
    from importlib.resources import files

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    own = files("eegsleep.study.declared")
    study, nights = folder / STUDY_FILE, folder / NIGHTS_FILE
    for path in (study, nights):
        if path.exists():
            raise SettingsError(f"{path} is there already", remedy="choose another folder, or move the file away")
    template = own.joinpath("study_recorded.toml" if recorded else "study_template.toml").read_text(encoding="utf-8")
    if aim:
        template = set_endpoints(template, find_aim(aim))
    rows = _list_recorded(folder) if recorded else own.joinpath("nights_template.csv").read_text(encoding="utf-8")
    write_file(study, template.encode())
    write_file(nights, rows.encode())
    return study, nights


def _list_recorded(folder: Path) -> str:
    """Return nights.csv of the nights scored in eegsleep-nights, the conditions to be filled in."""
    lines = [
        "# condition: yes on nights with the compound, no on the others; empty leaves the night out",
        "# cov_ and a name: whatever else differed that evening, as many columns as you like",
        "subject,night,date,file,condition,device,harm,cov_alcohol_units,cov_caffeine_mg_after_noon,cov_dose_hour",
    ]
    for path in sorted((folder / NIGHTS_FOLDER).glob(f"*/{PROVENANCE_FILE}")):
        made = read_provenance(path.parent)
        evening = evening_of(str(made.get("start") or ""))
        name = path.parent.name
        date = evening.isoformat() if evening else ""
        lines.append(f"S01,{name},{date},{NIGHTS_FOLDER}/{name},,{made.get('device') or ''},,,,")
    return "\n".join(lines) + "\n"
