"""Tables of night folders, read only as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegsleep.errors import TableError
from eegsleep.file_names import PROVENANCE_FILE
from eegsleep.provenance import check_provenance, hash_file
from eegsleep.tables.declared import read_table

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from eegsleep.tables.declared import Table


def read_kept_table(path: Path, table: Table) -> pd.DataFrame:
    """Read a table of a night folder, after checking it against the hash in the night's provenance.

    Parameters
    ----------
    path : Path
        Where no `provenance.json` lies beside it, there is nothing to check against.
    table : Table

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    EegSleepError
        If the table or the provenance was changed or damaged.
    """
    check_kept(path)
    return read_table(path, table)


def check_kept(path: Path) -> None:
    """Raise if a file of a night folder is not the one whose hash its provenance holds.

    Parameters
    ----------
    path : Path

    Raises
    ------
    EegSleepError
        If the file or the provenance was changed or damaged.
    """
    if not (path.parent / PROVENANCE_FILE).exists():
        return
    expected = check_provenance(path.parent, ("outputs",))["outputs"].get(path.name, "")
    if not path.is_file() or hash_file(path) != expected:
        raise TableError(
            f"{path.parent.name}/{path.name} is not the file that was written",
            found="changed by hand, or damaged",
            remedy="score the night again; give a hypnogram corrected by hand as a file of its own with --hypnogram",
        )
