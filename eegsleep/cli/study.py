"""The commands of a study: init, plan, lock and compare; each returns the lines to print.

Nothing heavy is imported before a command runs. `eegsleep.cli.main` registers them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from eegsleep.cli.console import print_note
from eegsleep.provenance import check_writable


def init(folder: Path, *, aim: str = "", recorded: bool = False) -> list[str]:
    """Write a commented study.toml and nights.csv, to be filled in.

    Parameters
    ----------
    folder
        The folder of the study; it is made if need be.
    aim
        What the compound is for, which sets the endpoints: falling-asleep, longer-sleep, deep-sleep, rem-sleep,
        spindles or next-day. At a terminal it is asked for.
    recorded
        The nights are there already, scored into eegsleep-nights of this folder: nights.csv lists them, and yes or no
        is filled in. They are described, not tested.
    """
    from eegsleep.study.declared.manifest import write_template

    if not aim and not recorded and sys.stdin is not None and sys.stdin.isatty():
        aim = _ask_aim()
    study, nights = write_template(folder, aim=aim, recorded=recorded)
    return [str(study), str(nights)]


def _ask_aim() -> str:
    """Ask what the compound is for; an empty answer leaves the endpoints of the template."""
    from eegsleep.study.declared.aims import AIMS

    print_note("What is the compound meant to do?")
    for name, aim in AIMS.items():
        print_note(f"  {name}: {aim.words}")
    return input("Its name, or Enter to leave that open: ").strip()


def plan(
    study: Path,
    *,
    nights: Path | None = None,
    key: Path | None = None,
    active: str = "",
    passphrase: str = "",
    dry_run: bool = False,
    replace: bool = False,
    anyway: bool = False,
) -> list[str]:
    """Draw the schedule of a study, seal its key, register its protocol, and describe what the design can show.

    Parameters
    ----------
    study
        The study file, or its folder.
    nights
        Nights scored earlier, from whose spread the power is computed; by default from the catalogue's.
    key
        Where the sealed key is written; by default beside the folder of the study.
    active
        Code of the compound, where the capsules are coded already; by default a coin decides.
    passphrase
        Of the key, which is then encrypted; one is made and shown where the key lies in or beside the study.
    dry_run
        Describe what the design can show, and write nothing: a schedule is drawn once.
    replace
        Replace an earlier plan, or that of which the study file is a copy; only before any night is recorded.
    anyway
        Write a design that can never give a finding.
    """
    from eegsleep.workflows.study import plan_study

    planned = plan_study(
        study,
        nights=nights,
        key=key,
        active=active,
        passphrase=passphrase,
        dry_run=dry_run,
        replace=replace,
        anyway=anyway,
    )
    lines = list(planned.plan.sentences)
    if dry_run:
        return [*lines, "Nothing was written."]
    if planned.schedule is None:
        return [
            *lines,
            f"Nothing was drawn or written: enter the nights into {planned.study.nights_file} as they come.",
        ]
    if planned.key and planned.passphrase:
        lines += [
            f"The key {planned.key} opens with the passphrase {planned.passphrase}",
            "Give both to whoever prepares the capsules (`eegsleep study key` shows them the codes), and keep no copy "
            "of the passphrase: it is stored nowhere.",
        ]
    elif planned.key:
        lines.append(f"Give {planned.key} to whoever prepares the capsules, and keep no copy.")
    lines += [
        f"Registered with the hash {planned.protocol_sha256}",
        "Send that hash to somebody today, so that its date is theirs and not yours.",
    ]
    return [*lines, str(planned.schedule)]


def lock(study: Path, *, nights: Path | None = None, again: bool = False) -> list[str]:
    """Freeze a study while its codes are masked: settings, exclusions, endpoints, schedule.

    Parameters
    ----------
    study
        The study file, or its folder.
    nights
        The scored nights; by default eegsleep-nights beside the study file.
    again
        Replace an earlier lock, which the new one remembers; never once the codes were opened.
    """
    from eegsleep.workflows.study import lock_study

    locked = lock_study(study, nights=nights, again=again)
    return [*locked.sentences, str(locked.file)]


def compare(
    study: Path,
    *,
    key: Path | None = None,
    passphrase: str = "",
    nights: Path | None = None,
    output: Path | None = None,
) -> list[str]:
    """Open the codes of a locked study and compare compound with control, marker by marker.

    Parameters
    ----------
    study
        The study file, or its folder.
    key
        The sealed key; not needed in an open study that names the compound.
    passphrase
        Of the key, if it is encrypted.
    nights
        The scored nights; by default eegsleep-nights beside the study file.
    output
        Folder for tables and report; by default that of the study.
    """
    from eegsleep.batch.gather import write_summary
    from eegsleep.file_names import INDEX_FILE, NIGHTS_FOLDER
    from eegsleep.workflows.study import compare_study

    if output:
        check_writable(output)
    compared = compare_study(study, key=key, passphrase=passphrase, nights=nights, output=output)
    scored = nights or compared.study.path.parent / NIGHTS_FOLDER
    if (scored / INDEX_FILE).is_file():  # its page shows the condition of each night from now on
        write_summary(scored)
    return [*compared.sentences, str(compared.report)]


def add_table(
    table: Path,
    study: Path = Path("study.toml"),
    *,
    map_: Annotated[list[str], Parameter(name="--map", consume_multiple=True)],
    by: Literal["", "date", "day"] = "",
    subject: str = "S01",
) -> list[str]:
    """Bring the nightly table of a tracker or a diary into a study: nights without EEG, in the same test.

    Parameters
    ----------
    table
        A CSV with a header.
    study
        The study file, or its folder.
    map_
        Our name and the name of the column, as in date=Date tst_min="Minutes asleep" day_mood=Mood. The names are date,
        day, condition, subject, tst_min, sol_min, waso_min, tib_min, sleep_efficiency_percent, awakenings, tracker_…,
        diary_…, day_…, cov_… and harm.
    by
        What tells the night if dates and an index of days contradict one another.
    subject
        Whose nights they are, if no column says so.
    """
    from eegsleep.errors import SettingsError
    from eegsleep.study.nightly_table import add_table as add

    pairs = [entry.partition("=") for entry in map_]
    if not all(name and column for name, _, column in pairs):
        raise SettingsError("a mapping is a name, =, and a column", found=" ".join(map_), allowed="date=Date")
    added = add(study, table, {name: column for name, _, column in pairs}, by=by, subject=subject)
    return [*added.sentences, str(study)]


def look(study: Path, *, nights: Path | None = None) -> list[str]:
    """Take an interim look that study.toml declared: whether the study may stop. The codes stay masked.

    Parameters
    ----------
    study
        The study file, or its folder.
    nights
        The scored nights; by default eegsleep-nights beside the study file.
    """
    from eegsleep.workflows.study import look_at_study

    return [look_at_study(study, nights=nights).sentence]


def key(file: Path, *, passphrase: str = "") -> list[str]:
    """Show which code is the compound: for whoever prepares the capsules, not for the sleeper.

    Parameters
    ----------
    file
        The sealed key.
    passphrase
        As printed when the study was planned.
    """
    from eegsleep.study.masking.sealed_key import read_key

    codes, _ = read_key(file, passphrase)
    return [f"{code}: {role}" for code, role in sorted(codes.items())]
