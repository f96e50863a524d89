"""Find the expert's scoring beside a recording, by the naming rules of the public sets."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from eegsleep.datasets.verified import LEDGER_FILE
from eegsleep.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CAP = r"((?:n|nfle|rbd|plm|ins|narco|sdb|brux)\d+)\.edf"
# Name of the recording, pattern of its scoring, and the coding of integers in it. `{}` is the part in parentheses:
# in Sleep-EDF the letters after SC4001 name the recorder in one file and the scorer in the other.
# CAP's names are so plain (`n1.edf`, `n1.txt`) that anybody's notes may have them: they count in a fetched set only.
_RULES: tuple[tuple[str, str, str | None], ...] = (
    (r"(S[CT]\d{4})\w\d-PSG\.edf", r"{}\w{{2}}-Hypnogram\.edf", None),
    (r"(SN\d{3})\.edf", r"{}_sleepscoring\.edf", None),
    (r"(ucddb\d{3})\.(?:rec|edf)", r"{}_stage\.txt", "ucddb"),
    (_CAP, r"{}\.txt", None),
    (r"(slp\d\d[a-z]?)\.hea", r"{}\.st", None),
    (r"(tr\d\d-\d{4})\.hea", r"{}\.arousal", None),
)


def find_expert(recording: Path) -> tuple[Path, str | None] | None:
    """Return the expert's scoring that lies beside a recording, with the coding of its integers, or None.

    It knows the names of Sleep-EDF (`SC4001E0-PSG.edf`, `SC4001EC-Hypnogram.edf`), HMC (`SN001.edf`,
    `SN001_sleepscoring.edf`), CAP (`n1.edf`, `n1.txt`), UCDDB (`ucddb002.rec`, `ucddb002_stage.txt`), SLPDB
    (`slp01a.hea`, `slp01a.st`) and CinC 2018 (`tr03-0005.hea`, `tr03-0005.arousal`).

    Parameters
    ----------
    recording : Path

    Returns
    -------
    tuple of Path and (str or None), or None
        The scoring, and the name in `eegsleep.CODINGS` under which its integers are read.

    Raises
    ------
    RecordingError
        If two files could be the scoring.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("SN001.edf").touch()
    >>> Path("SN001_sleepscoring.edf").touch()
    >>> es.find_expert(Path("SN001.edf"))[0].name
    'SN001_sleepscoring.edf'
    """
    for own, other, coding in _RULES:
        match = re.fullmatch(own, recording.name, re.IGNORECASE)
        if not match or (own == _CAP and not _is_fetched(recording.parent)):
            continue
        wanted = re.compile(other.format(re.escape(match[1])), re.IGNORECASE)
        beside = _list_names(recording.parent, recording.parent.stat().st_mtime_ns)
        names = (name for name in _begin_with(beside, match[1].casefold()) if wanted.fullmatch(name))
        found = sorted(path for name in names if (path := recording.parent / name).is_file())
        if len(found) > 1:
            raise RecordingError(
                f"{recording.name} has more than one scoring beside it",
                found=", ".join(path.name for path in found),
                remedy="leave the one that is meant, or name it with --reference",
            )
        return (found[0], coding) if found else None
    return None


@lru_cache(maxsize=8)
def _list_names(folder: Path, _changed_ns: int) -> list[tuple[str, str]]:
    """Return the names in a folder in alphabetical order, in small letters and as they are; read once for a folder."""
    return sorted((path.name.casefold(), path.name) for path in folder.iterdir())


def _begin_with(names: list[tuple[str, str]], start: str) -> Iterator[str]:
    """Yield the names that begin with a text, whatever the case of their letters."""
    for small, name in islice(names, bisect_left(names, (start, "")), None):
        if not small.startswith(start):
            return
        yield name


def _is_fetched(folder: Path) -> bool:
    """Return whether `eegsleep fetch` put the files of a folder there: it keeps a list of them beside them."""
    return (folder / LEDGER_FILE).is_file()
