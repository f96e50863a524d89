"""What a class of compounds is expected to do to markers."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources


def find_expectation(name: str) -> dict[str, str]:
    """Return the expectation of the class so called, or of the one whose name holds this word."""
    wanted = name.casefold().strip()
    for key, entry in expectations().items():
        if wanted and wanted in {key.casefold(), *re.split(r"[\s/()]+", key.casefold())}:
            return entry
    return {}


@cache
def expectations() -> dict[str, dict[str, str]]:
    """Return what is reported of each class of compounds, by family: an expectation, never a score."""
    return tomllib.loads(
        resources.files("eegsleep.study.declared").joinpath("expectations.toml").read_text(encoding="utf-8")
    )
