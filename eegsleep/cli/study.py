"""The commands of a study: init, plan, lock and compare; each returns the lines to print.

Nothing heavy is imported before a command runs. `eegsleep.cli.main` registers them.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations


def init(folder: Path) -> list[str]:
    """Write a commented study.toml and nights.csv, to be filled in.

    Parameters
    ----------
    folder
        The folder of the study; it is made if need be.
    """
    from eegsleep.study.declared.manifest import write_template

    study, nights = write_template(folder)
    return [str(study), str(nights)]


def plan(
    study: Path,
    *,
    nights: Path | None = None,
    key: Path | None = None,
    active: str = "",
    dry_run: bool = False,
) -> list[str]:
    """Draw the schedule of a study, seal its key, and describe what the design can and cannot show.

    Parameters
    ----------
    study
        The study file.
    nights
        Nights scored earlier, from whose spread the power is computed; by default from the catalogue's.
    key
        Where the sealed key is written; by default beside the folder of the study, never in it.
    active
        Code of the compound, where the capsules are coded already; by default a coin decides.
    dry_run
        Describe what the design can show, and write nothing: a schedule is drawn once.
    """
    from eegsleep.workflows.study import plan_study

    planned = plan_study(study, nights=nights, key=key, active=active, dry_run=dry_run)
    lines = list(planned.plan.sentences)
    if dry_run:
        return [*lines, "Nothing was written."]
    if planned.schedule is None:
        return [
            *lines,
            f"Nothing was drawn or written: enter the nights into {planned.study.nights_file} as they come.",
        ]
    if planned.key:
        lines.append(f"Give {planned.key} to whoever prepares the capsules, and keep no copy.")
    return [*lines, str(planned.schedule)]


def lock(study: Path, *, nights: Path | None = None, again: bool = False) -> list[str]:
    """Freeze a study while its codes are masked: settings, exclusions, endpoints, schedule.

    Parameters
    ----------
    study
        The study file.
    nights
        The scored nights; by default eegsleep-nights beside the study file.
    again
        Replace an earlier lock, which the new one remembers; never once the codes were opened.
    """
    from eegsleep.workflows.study import lock_study

    locked = lock_study(study, nights=nights, again=again)
    return [*locked.sentences, str(locked.file)]


def compare(
    study: Path, *, key: Path | None = None, nights: Path | None = None, output: Path | None = None
) -> list[str]:
    """Open the codes of a locked study and compare compound with control, marker by marker.

    Parameters
    ----------
    study
        The study file.
    key
        The sealed key; not needed in an open study that names the compound.
    nights
        The scored nights; by default eegsleep-nights beside the study file.
    output
        Folder for tables and report; by default that of the study.
    """
    from eegsleep.workflows.study import compare_study

    compared = compare_study(study, key=key, nights=nights, output=output)
    return [*compared.sentences, str(compared.report)]
