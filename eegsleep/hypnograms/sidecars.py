"""The JSON files beside a BIDS table, which explain its codes (`Levels`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from eegsleep.plain_files import check_plain

if TYPE_CHECKING:
    from pathlib import Path

# A sidecar of events has a few kilobytes.
_MAX_BYTES = 2_000_000
_MAX_PARENTS = 4
_ROOT_FILE = "dataset_description.json"


def read_levels(path: Path) -> dict[str, dict[str, str]]:
    """Return the meanings of codes by column that the JSON files of a table give.

    The nearest file comes last and wins, as BIDS has it (inheritance principle): `*_events.json` in a folder above
    applies to every table whose name holds all of its entities. A file that cannot be read explains nothing.

    Parameters
    ----------
    path : Path
        The table.

    Returns
    -------
    dict of str to dict of str to str
        Column to code to explanation.
    """
    levels: dict[str, dict[str, str]] = {}
    for sidecar in find_sidecars(path):
        for column, entry in _read_json(sidecar).items():
            found = entry.get("Levels") if isinstance(entry, dict) else None
            if isinstance(found, dict):
                texts = {str(code): _explanation(text) for code, text in found.items()}
                levels[column] = {code: text for code, text in texts.items() if text}
    return levels


def find_sidecars(path: Path) -> list[Path]:
    """Return the JSON files that apply to a table, the nearest last.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Path
    """
    own = [other for other in [path.with_suffix(".json")] if other != path and other.is_file()]
    here = path.absolute().parent
    folders = [here, *here.parents][: _MAX_PARENTS + 1]
    root = next((i for i, folder in enumerate(folders) if (folder / _ROOT_FILE).is_file()), 0)
    entities, suffix = _split_name(path.stem)
    above = [
        other
        for folder in reversed(folders[1 : root + 1])
        for other in sorted(folder.glob(f"*{suffix}.json"))
        if _applies(other, entities, suffix)
    ]
    return above + own


def _applies(other: Path, entities: set[str], suffix: str) -> bool:
    mine, its = _split_name(other.stem)
    return its == suffix and mine <= entities


def _split_name(stem: str) -> tuple[set[str], str]:
    """Return the entities (`sub-1`, `task-sleep`) and the suffix (`events`) of a BIDS name."""
    *entities, suffix = stem.split("_")
    return set(entities), suffix


def _read_json(path: Path) -> dict[str, object]:
    try:
        if check_plain(path).stat().st_size > _MAX_BYTES:
            return {}
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _explanation(text: object) -> str:
    """Return an explanation, which may be a text or an object with one (BIDS 1.10)."""
    if isinstance(text, dict):
        text = next((text[key] for key in ("LongName", "Label", "Description") if isinstance(text.get(key), str)), "")
    return text.strip() if isinstance(text, str) else ""
